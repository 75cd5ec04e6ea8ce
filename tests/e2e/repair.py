# After a loss: fresh homes are added, repair brings the margin back, and as many homes may be lost again.
import shutil

from support import homes, trees, world
from support.world import DONE, FAILED, TOO_FEW


def saved(w, number, files=300, size=80 << 10):
    source = w.folder / "source"
    trees.make_files(source, w.random, files, size)
    vault = w.vault(number)
    vault.backup(source)
    return vault, source, trees.tree_of(source)


def check_restore(w, vault, source, wanted, what):
    back, _ = vault.restore()
    trees.check_same(w, wanted, back / source.relative_to("/"), what)
    w.count("restores")
    world.remove_tree(back)


def lose(vault, gone):
    for home in gone:
        shutil.rmtree(home)


def lost_and_lost_again(w):
    """`margin` homes are lost, as many fresh ones join, repair; then as many are lost again, old or new."""
    for number in (3, 6, 10):
        vault, source, wanted = saved(w, number)
        margin = vault.status()["margin"]
        for round_ in range(10 if w.long else 3):
            gone = w.random.sample(vault.homes, margin)
            lose(vault, gone)
            check_restore(w, vault, source, wanted, f"{number} homes, {margin} lost, round {round_}")
            w.equal(vault.check(code=FAILED)["margin"], 0, "margin after the loss")
            for home in gone:
                vault.mhp("home", "remove", "--lost", home.name)
                vault.homes.remove(home)
            for fresh in range(margin):
                vault.add_home(f"fresh-{round_}-{fresh}")
            before = vault.status()
            report = vault.mhp("--json", "repair").json
            w.equal((report["margin_before"], report["margin"], report["unrestorable"]), (0, margin, 0),
                    f"repair: {report}")
            w.check(report["rows_made"] > 0 and before["margin"] == 0, f"rows were made: {report}")
            w.equal((vault.status()["margin"], vault.check("--read-data")["ok"]), (margin, True),
                    "status and check after repair")
            w.equal(vault.mhp("--json", "repair").json["rows_made"], 0, "rows that a second repair makes")
            w.count("rows made", report["rows_made"])
        vault.lose_state()
        lose(vault, vault.homes[-margin:])
        vault.recover(vault.homes[0])
        check_restore(w, vault, source, wanted, f"{number} homes, lost again, recovered")
        world.remove_tree(source)
        world.remove_tree(vault.folder)


def repair_without_new_homes(w):
    """Homes that do not answer count as lost: the others are made as safe as they can be; who comes back is welcome."""
    vault, source, wanted = saved(w, 6)
    for home in vault.homes[:2]:
        vault.take_away(home)
    w.equal(vault.check(code=FAILED)["margin"], 1, "margin with two of six away")
    said = vault.mhp("status").out
    w.check("run 'mhp repair' to do without them: then any 2 may be lost" in said, f"what a repair would bring: {said}")
    report = vault.mhp("--json", "repair").json
    w.equal((report["homes"], report["margin"]), (4, 2), "repair on four homes")
    said = vault.mhp("status").out
    w.check("connect the homes that are away" in said and "mhp repair" not in said,
            f"another repair would bring nothing: {said}")
    for home in vault.homes[2:4]:
        vault.take_away(home)
    check_restore(w, vault, source, wanted, "four of six homes away")
    for home in vault.homes[:4]:
        vault.bring_back(home)
    w.check(vault.status()["margin"] >= 3, "margin after all came back")
    w.equal(vault.check("--read-data")["ok"], True, "check after all came back")
    check_restore(w, vault, source, wanted, "all back")


def dry_run(w):
    vault, source, wanted = saved(w, 6)
    vault.take_away(vault.homes[0])
    vault.add_home()
    held = homes.rows_by_segment(vault.homes[1:])
    would = vault.mhp("--json", "repair", "--dry-run").json
    w.equal(homes.rows_by_segment(vault.homes[1:]), held, "what homes hold after a dry run")
    did = vault.mhp("--json", "repair").json
    w.check(would["dry_run"] and would["rows_made"] == did["rows_made"] > 0, f"would make {would}, made {did}")
    check_restore(w, vault, source, wanted, "after the repair")


def bit_rot(w):
    """Rotten rows are found and made again by `repair --read-data`; what was whole stays where it was."""
    vault, source, wanted = saved(w, 6)
    rotten = [row for home in vault.homes[:2] for row in homes.rows_in(home)]
    for row in rotten:
        homes.flip_row(row, w.random)
    report = vault.mhp("--json", "repair", "--read-data").json
    w.check(report["rows_made"] >= len(rotten) and report["unrestorable"] == 0, f"{len(rotten)} rotten: {report}")
    report = vault.check("--read-data")
    w.equal((report["ok"], report["margin"]), (True, 3), "check after repair")
    for home in vault.homes[2:5]:
        vault.take_away(home)
    check_restore(w, vault, source, wanted, "from the repaired rows, three other homes away")
    w.count("rows rotten and repaired", len(rotten))


def check_says_where(w):
    """On which homes rows are missing or bad: one whose log is a folder now, one with rotten rows, one that is away."""
    vault, _, _ = saved(w, 6, files=20)
    sick, rotten, away = vault.homes[:3]
    for log in (sick / "logs").iterdir():
        log.unlink()
        log.mkdir()
    rows = {(row.segment, row.row): row for row in homes.rows_in(rotten)}
    for row in list(rows.values())[:2]:
        homes.flip_row(row, w.random)
    vault.take_away(away)
    run = vault.mhp("--json", "check", "--read-data", code={FAILED, TOO_FEW})
    found = {home["name"]: home for home in run.json["homes"]}
    w.equal(set(found), {home.name for home in vault.homes}, "homes")
    w.check(found[sick.name]["rows_missing"] > 0 and not found[sick.name]["away"], f"a log that is a folder\n{run}")
    w.equal((found[rotten.name]["rows_bad"], found[rotten.name]["rows_missing"]), (2, 0), "rotten rows")
    w.check(found[away.name]["rows_missing"] > 0 and found[away.name]["away"], f"away\n{run}")
    for home in vault.homes[3:]:
        w.equal((found[home.name]["rows_missing"], found[home.name]["rows_bad"]), (0, 0), f"{home.name} is whole")
    w.equal(sum(home["rows_missing"] for home in found.values()), run.json["rows_missing"], "rows missing in all")
    said = vault.mhp("check", code={FAILED, TOO_FEW}).out
    for home in (sick, rotten, away):
        w.check(home.name in said, f"{home.name} is named: {said}")
    w.check(vault.homes[3].name not in said, f"nobody else is: {said}")


def beyond_repair(w):
    """Too few rows are left: exit 4, nothing is taken away, and all is whole when the homes are back."""
    vault, source, wanted = saved(w, 6)
    for home in vault.homes[:4]:
        vault.take_away(home)
    vault.add_home()
    run = vault.mhp("repair", code=TOO_FEW)
    w.check("too few" in run.out + run.err, f"it says what is missing\n{run}")
    for home in vault.homes[:4]:
        vault.bring_back(home)
    vault.mhp("repair")
    w.equal(vault.check("--read-data")["ok"], True, "check after they came back")
    check_restore(w, vault, source, wanted, "all back")


def remove_hands_over(w):
    """`home remove` first makes again on the others what the home holds."""
    vault, source, wanted = saved(w, 7)
    while len(vault.homes) > 3:
        home = w.random.choice(vault.homes)
        would = vault.mhp("--json", "home", "remove", home.name, "--dry-run").json
        w.check(not would["removed"] and len(vault.status()["homes"]) == len(vault.homes), "a dry run removes nothing")
        removed = vault.mhp("--json", "home", "remove", home.name).json
        w.equal(removed["removed"], True, "removed")
        lose(vault, [home])
        vault.homes.remove(home)
        status = vault.status()
        w.equal((len(status["homes"]), status["margin"]), (len(vault.homes), removed["margin"]),
                f"status after {home.name} went")
        w.equal(status["margin"], status["planned_margin"], f"margin with {len(vault.homes)} homes")
        w.equal(vault.check("--read-data")["ok"], True, "check")
    lose(vault, vault.homes[:1])
    check_restore(w, vault, source, wanted, "three homes left, one lost")


def more_homes_more_safety(w):
    """From one home to ten: each that joins gets its share with the next backup, and the margin grows by itself."""
    vault, source, wanted = saved(w, 1)
    margins = {2: 1, 3: 1, 4: 2, 5: 2, 6: 3, 7: 3, 8: 4, 9: 4, 10: 6}
    for number, margin in margins.items():
        vault.add_home()
        report = vault.backup(source)
        w.equal((report["homes"], report["margin"]), (number, margin), f"a backup with {number} homes")
        w.check(report["new_bytes"] < 64 << 10, f"nothing is new but the page of the tree: {report}")
        if number in (3, 6, 10):
            gone = w.random.sample(vault.homes, margin)
            for home in gone:
                vault.take_away(home)
            check_restore(w, vault, source, wanted, f"{number} homes, {margin} away")
            for home in gone:
                vault.bring_back(home)
    w.equal(vault.check("--read-data", code=DONE)["ok"], True, "check")


if __name__ == "__main__":
    world.main(lost_and_lost_again, repair_without_new_homes, dry_run, bit_rot, check_says_where, beyond_repair,
               remove_hands_over, more_homes_more_safety)
