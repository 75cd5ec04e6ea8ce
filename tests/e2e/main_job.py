# The main job: a tree goes out, `margin` homes and all local state are lost, 24 words and one home bring it back.
# MHP_TREE names another tree to save; with MHP_LONG=1 /usr/include and /usr/share go out to each number of homes.
import os
import pathlib
import shutil

from support import homes, trees, world
from support.world import TOO_FEW

HOMES = (1, 2, 3, 4, 5, 6, 10, 20)
MARGIN = {1: 0, 2: 1, 3: 1, 4: 2, 5: 2, 6: 3, 10: 6, 20: 12}  # of new snapshots at level normal


def trees_for(number, long):
    """What is saved beside the hand-made tree: a system's shared data and headers, or a part of them."""
    if os.environ.get("MHP_TREE"):
        return [pathlib.Path(os.environ["MHP_TREE"]).resolve()]
    if long:
        return [pathlib.Path("/usr/include"), pathlib.Path("/usr/share")]
    include = pathlib.Path("/usr/include")
    part = include / "linux"
    return [part if part.is_dir() and number != 10 else include]


def below(folder, path):
    """Where a restored tree keeps this path."""
    return folder / path.relative_to("/")


def restore_and_compare(w, vault, wanted, what):
    back, run = vault.restore()
    w.equal(run.json["errors"], [], f"{what}: errors of restore")
    warnings = run.json["warnings"]
    if not trees.IS_ROOT:
        warnings = [warning for warning in warnings if "owner" not in warning["reason"]]
    w.equal(warnings, [], f"{what}: warnings of restore")
    for path, tree in wanted.items():
        trees.check_same(w, tree, below(back, path), f"{what}: {path}")
    w.count("restores")
    world.remove_tree(back)
    return run


def lose_margin(w, vault, wanted, margin):
    """Any `margin` homes and all local state are deleted; 24 words and one home that is left bring everything back."""
    gone = w.random.sample(vault.homes, margin)
    for home in gone:
        shutil.move(home, vault.folder / "elsewhere" / home.name)
    vault.lose_state()
    left = [home for home in vault.homes if home not in gone]
    recovered = vault.recover(w.random.choice(left)).json
    w.equal((recovered["homes"], recovered["homes_reachable"], recovered["snapshots"]),
            (len(vault.homes), len(left), 1), "what recover says")
    run = restore_and_compare(w, vault, wanted, f"{len(vault.homes)} homes, {margin} lost")
    w.count("bare-metal restores")
    w.count("homes lost", margin)
    for home in gone:
        w.check(home.name in run.err, f"the lost home {home.name} is named\n{run}")
    for home in gone:
        shutil.move(vault.folder / "elsewhere" / home.name, home)


def lose_one_more(w, vault, wanted, margin):
    """The worst `margin` + 1 homes are away: a clear refusal, and nothing is damaged when they come back."""
    gone, left = homes.worst_homes(vault.homes, margin + 1)
    w.check(left < 12, f"{len(gone)} homes can be lost with {left} rows of each segment left")
    for home in gone:
        vault.take_away(home)
    refusals = [vault.restore(code=TOO_FEW)[1]]
    w.equal(vault.mhp("--json", "check", code=TOO_FEW).code, TOO_FEW, "check")
    if len(gone) < len(vault.homes):
        vault.lose_state()
        survivor = next(home for home in vault.homes if home not in gone)
        recovered = vault.recover(survivor, code={0, TOO_FEW})  # the index may lie better than the worst segment
        refusals.append(recovered if recovered.code else vault.restore(code=TOO_FEW)[1])
    for run in refusals:
        w.equal(run.error["code"], "unavailable", f"the error's code\n{run}")
        for home in gone:
            w.check(home.name in run.err, f"the missing home {home.name} is named\n{run}")
        w.check("wrong" not in run.err, f"no honest home is blamed\n{run}")
        said = "needs 12 rows" in run.err if left else "none of the vault's homes" in run.err
        w.check(said, f"it says what is missing\n{run}")
    w.count("refusals", len(refusals))
    for home in gone:
        vault.bring_back(home)
    if not vault.state.exists():
        vault.recover(vault.homes[0])
    restore_and_compare(w, vault, wanted, f"{len(vault.homes)} homes, all back")
    vault.mhp("repair")  # homes that were away during a recovery get the newest record and heads
    w.equal(vault.check("--read-data")["ok"], True, "check --read-data after all came back")


def case_for(number):
    def case(w):
        made = w.folder / "everything"
        trees.make_everything(made, w.random)
        sources = [made, *trees_for(number, w.long)]
        wanted = {path: trees.tree_of(path) for path in sources}
        vault = w.vault(number)
        (vault.folder / "elsewhere").mkdir()
        saved = vault.backup(*sources)
        w.equal(saved["errors"], [], "errors of the backup")
        w.equal(saved["files"], sum(entry.kind != "folder" for tree in wanted.values() for entry in tree.values()),
                "files")
        margin = saved["margin"]
        w.equal((saved["homes"], margin), (number, MARGIN[number]), "homes and margin of the backup")
        w.note(f"{number} homes, margin {margin}: {saved['files']:,} files, {saved['new_bytes'] / 1e6:,.0f} MB,"
               f" {saved['stored_bytes'] / 1e6:,.0f} MB stored")
        lose_margin(w, vault, wanted, margin)
        lose_one_more(w, vault, wanted, margin)
    case.__name__ = f"homes_{number}"
    return case


if __name__ == "__main__":
    world.main(*[case_for(number) for number in HOMES])
