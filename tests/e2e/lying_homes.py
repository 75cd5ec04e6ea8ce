# Homes that return wrong bytes, old heads or nothing: what comes back is right, the home is named, exit codes are kept.
import os
import shutil
import signal
import time

from support import hanging, homes, trees, world
from support.world import DONE, FAILED, REFUSED, TOO_FEW

ROW_ROUNDS = 8         # of flips over all rows; x 40 with MHP_LONG
FILE_SIZE = 100 << 10  # on average
OPEN_LIMIT_S = 18      # a home that hangs costs 10 s, once: also where a command opens homes twice
INTERRUPT_LIMIT_S = 5


def saved_vault(w, number):
    """A vault with one snapshot, its source and what must come back."""
    source = w.folder / "source"
    trees.make_files(source, w.random, 300, FILE_SIZE)
    vault = w.vault(number)
    vault.backup(source)
    return vault, source, trees.tree_of(source)


def check_restore(w, vault, source, wanted, what, named=()):
    """`named`: homes of which standard error must tell."""
    back, run = vault.restore(code=DONE)
    w.equal(run.json["errors"], [], what)
    trees.check_same(w, wanted, back / source.relative_to("/"), what)
    for home in named:
        w.check(home.name in run.err, f"{what}: {home.name} is named\n{run}")
    w.count("restores")
    world.remove_tree(back)
    return run


def pick_one_of_each(rows):
    """Each (segment, row) once: a row that lies twice in a home is read from one place only."""
    return list({(row.segment, row.row): row for row in rows}.values())


def flipped_bytes(w):
    """Every row of one home, then of as many as may be lost, then of one more."""
    vault, source, wanted = saved_vault(w, 6)
    margin = vault.status()["margin"]
    bad = w.random.sample(vault.homes, margin + 1)
    flips = 0
    for number, home in enumerate(bad, 1):
        rows = homes.rows_in(home)
        w.equal(len(pick_one_of_each(rows)), len(rows), "rows of a fresh home lie once")
        for row in rows:
            homes.flip_row(row, w.random)
        flips += len(rows)
        w.count("bytes flipped", len(rows))
        if number > margin:
            break
        check_restore(w, vault, source, wanted, f"{number} lying homes", bad[:1])
        report = vault.check("--read-data", code=FAILED)
        w.equal((report["ok"], report["rows_bad"], report["rows_missing"], report["unrestorable"]),
                (False, flips, 0, 0), "check")
        w.equal(set(report["homes_bad"]), {vault.home_id(home) for home in bad[:number]}, "homes_bad")
    shutil.rmtree(vault.state / "cache", ignore_errors=True)
    back, run = vault.restore(code={TOO_FEW, REFUSED})
    check_nothing_wrong(w, wanted, back / source.relative_to("/"))
    w.check(run.error["error"] or run.objects, f"it says so\n{run}")


def check_nothing_wrong(w, wanted, back):
    """What is there is right, as far as it is there."""
    got = trees.tree_of(back) if back.exists() else {}
    for name, entry in got.items():
        if entry.kind == "file":
            w.equal((entry.size, entry.content), (wanted[name].size, wanted[name].content), f"content of {name!r}")


def flipped_rows_are_found(w):
    """Random rows over all homes, at most as many as a segment can spare: `check --read-data` counts each one."""
    vault, source, wanted = saved_vault(w, 6)
    ids = {home: vault.home_id(home) for home in vault.homes}
    everything = [(home, row) for home in vault.homes for row in homes.rows_in(home)]
    for _ in range(ROW_ROUNDS * (40 if w.long else 1)):
        spare, chosen = {}, []
        for home, row in w.random.sample(everything, w.random.randrange(1, len(everything))):
            spare[row.segment] = spare.get(row.segment, 12) - 1
            if spare[row.segment] >= 0:
                chosen.append((home, row, row.offset + w.random.randrange(row.length)))
        for _, row, offset in chosen:
            homes.flip_byte(row.log, offset, w.random)
        report = vault.check("--read-data", code=FAILED)
        w.equal((report["rows_bad"], report["rows_missing"]), (len(chosen), 0), "rows found bad")
        w.equal(set(report["homes_bad"]), {ids[home] for home, _, _ in chosen}, "homes_bad")
        w.count("rows flipped and found", len(chosen))
        vault.mhp("repair", "--read-data")
        w.equal(vault.check("--read-data")["ok"], True, "check after repair --read-data")
        everything = [(home, row) for home in vault.homes for row in good_rows(vault, home)]
    check_restore(w, vault, source, wanted, "after all repairs")


def good_rows(vault, home):
    """The last place of each row: where the repaired one is."""
    return pick_one_of_each(homes.rows_in(home))


def damaged_files(w):
    """Logs, index and other files of a home cut, zeroed, swapped, lengthened, deleted."""
    vault, source, wanted = saved_vault(w, 6)
    kept = w.folder / "kept"
    for damage in (cut, zero, swap_blocks, append, delete_file, overwrite):
        for _ in range(20 if w.long else 2):
            home = w.random.choice(vault.homes)
            shutil.copytree(home, kept)
            paths = [path for path in sorted(home.rglob("*")) if path.is_file() and path.stat().st_size > 0]
            path = w.random.choice(paths)
            damage(path, w.random)
            what = f"{damage.__name__} of {path.relative_to(home)}"
            shutil.rmtree(vault.state / "cache", ignore_errors=True)
            check_restore(w, vault, source, wanted, what)
            vault.mhp("check", "--read-data", code={DONE, FAILED})
            vault.mhp("status")
            w.count("files damaged")
            shutil.rmtree(home)
            kept.rename(home)
    w.equal(vault.check("--read-data")["ok"], True, "check after all was undone")


def cut(path, random):
    os.truncate(path, random.randrange(path.stat().st_size))


def zero(path, random):
    size = path.stat().st_size
    begin = random.randrange(size)
    with open(path, "r+b") as file:
        file.seek(begin)
        file.write(bytes(min(size - begin, random.randrange(1, 1 << 20))))


def swap_blocks(path, random):
    content = bytearray(path.read_bytes())
    blocks = (len(content) + 4095) // 4096
    a, b = (4096 * random.randrange(blocks) for _ in range(2))
    one, other = bytes(content[a:a + 4096]), bytes(content[b:b + 4096])
    if len(one) == len(other):
        content[a:a + 4096], content[b:b + 4096] = other, one
    path.write_bytes(content)


def append(path, random):
    with open(path, "ab") as file:
        file.write(random.randbytes(random.randrange(1, 100_000)))


def delete_file(path, _):
    path.unlink()


def overwrite(path, random):
    path.write_bytes(random.randbytes(path.stat().st_size))


def older_copy(w):
    """A home is set back to what it was: it holds old heads and lacks rows; the next backup brings it up to date."""
    vault, source, _ = saved_vault(w, 6)
    home, old = vault.homes[2], w.folder / "old"
    shutil.copytree(home, old)
    for round_ in range(2):
        trees.make_files(source / f"more-{round_}", w.random, 40, FILE_SIZE)
        newest = vault.backup(source)["snapshot"]
    wanted = trees.tree_of(source)
    shutil.rmtree(home)
    old.rename(home)
    run = check_restore(w, vault, source, wanted, "a home set back", [home])
    w.check("old heads" in run.err, f"it says what is wrong\n{run}")
    w.equal(vault.snapshots()[-1]["id"], newest, "the newest snapshot")
    report = vault.check(code=FAILED)
    w.check(report["rows_missing"] > 0 and report["unrestorable"] == 0, f"check misses its rows: {report}")
    vault.lose_state()
    recovered = vault.recover(home)
    w.equal(recovered.json["snapshots"], 3, "snapshots that recover finds, asking the old home first")
    w.check(home.name in recovered.err, f"recover names it\n{recovered}")
    check_restore(w, vault, source, wanted, "after recovery from the old home", [])
    vault.backup(source)
    w.equal(vault.check("--read-data")["ok"], True, "check after the next backup")


def all_homes_set_back(w):
    """Every home shows an older state: a computer that has seen a newer one says so; recovery starts from it."""
    vault, source, wanted = saved_vault(w, 3)
    for home in vault.homes:
        shutil.copytree(home, w.folder / "old" / home.name)
    trees.make_files(source / "more", w.random, 40, FILE_SIZE)
    vault.backup(source)
    newest = trees.tree_of(source)
    for home in vault.homes:
        shutil.rmtree(home)
        (w.folder / "old" / home.name).rename(home)
    back, run = vault.restore(code={DONE, TOO_FEW})
    w.check(all(home.name in run.err for home in vault.homes) and "old heads" in run.err, f"every home is named\n{run}")
    if run.code == DONE:
        trees.check_same(w, newest, back / source.relative_to("/"),
                         "a restore that says done restores the newest state")
    vault.lose_state()
    w.equal(vault.recover(vault.homes[0]).json["snapshots"], 1, "snapshots of the older state")
    check_restore(w, vault, source, wanted, "the older state")
    vault.backup(source)
    w.equal(vault.check("--read-data")["ok"], True, "check after the next backup")
    check_restore(w, vault, source, newest, "after the next backup")


def absent_home(w, make_absent, bring_back):
    vault, source, wanted = saved_vault(w, 6)
    home = vault.homes[4]
    make_absent(vault, home)
    check_restore(w, vault, source, wanted, "one home gone", [home])
    report = vault.check(code=FAILED)
    w.check(report["rows_missing"] > 0 and report["margin"] >= 1, f"check counts its rows: {report}")
    state = {entry["name"]: entry["state"] for entry in vault.status()["homes"]}
    w.equal((state.pop(home.name), set(state.values())), ("away", {"ok"}), "states of the homes")
    trees.make_files(source / "more", w.random, 40, FILE_SIZE)
    run = vault.mhp("--json", "backup", source, code=DONE)
    w.check(run.json["margin"] >= 1 and home.name in run.err, f"a backup without it is done and says so\n{run}")
    w.check(not home.exists() or not any(home.iterdir()), "nothing was made where the home was")
    bring_back(vault, home)
    vault.backup(source)
    w.equal(vault.check("--read-data")["ok"], True, "check after it came back")
    check_restore(w, vault, source, trees.tree_of(source), "after it came back")


def emptied_home(w):
    """As a drive that is not mounted: the folder is there and empty."""
    def empty(vault, home):
        vault.take_away(home)
        home.mkdir()

    def fill(vault, home):
        home.rmdir()
        vault.bring_back(home)

    absent_home(w, empty, fill)


def moved_home(w):
    """The folder is gone; it comes back at another path with `home add`."""
    def attach(vault, home):
        new = vault.folder / "new place"
        (vault.folder / "away" / home.name).rename(new)
        added = vault.mhp("--json", "home", "add", new, "--same-disk").json
        w.equal((added["known"], added["name"], added["homes"]), (True, home.name, 6), "the home is known")

    absent_home(w, lambda vault, home: vault.take_away(home), attach)


def exchanged_homes(w):
    """Two drives are mounted at each other's place: neither is what is expected there, and nothing is written."""
    vault, source, wanted = saved_vault(w, 6)
    one, other = vault.homes[0], vault.homes[1]
    vault.take_away(one)
    other.rename(one)
    (vault.folder / "away" / one.name).rename(other)
    check_restore(w, vault, source, wanted, "two homes exchanged", [one, other])
    vault.check(code=FAILED)
    vault.mhp("--json", "home", "add", one, "--same-disk")
    vault.mhp("--json", "home", "add", other, "--same-disk")
    w.equal(len(vault.status()["homes"]), 6, "homes after both were attached again")
    w.equal(vault.check("--read-data")["ok"], True, "check")
    check_restore(w, vault, source, wanted, "both attached again")


def hanging_home(w):
    """A drive whose calls never return is away: every command ends, and a second signal ends it at once."""
    vault, source, wanted = saved_vault(w, 6)
    home = vault.homes[1]
    with hanging.hanging_folder(home) as hangs:
        if not hangs:
            raise world.Skip("no FUSE mount can be made here")
        run = vault.mhp("--json", "status")
        w.check(run.seconds < OPEN_LIMIT_S, f"status took {run.seconds:.1f} s")
        state = {entry["name"]: entry["state"] for entry in run.json["homes"]}
        w.equal((state.pop(home.name), set(state.values())), ("away", {"ok"}), "states of the homes")
        w.check("does not answer" in vault.mhp("status").out, "status says why")
        run = check_restore(w, vault, source, wanted, "one home hangs", [home])
        w.check(run.seconds < OPEN_LIMIT_S, f"restore took {run.seconds:.1f} s")
        trees.make_files(source / "more", w.random, 10, FILE_SIZE)
        run = vault.mhp("--json", "backup", source)
        w.check(run.json["margin"] >= 1 and home.name in run.err, f"a backup without it is done and says so\n{run}")
        for name in (signal.SIGINT, signal.SIGTERM):
            process = vault.start("status")
            time.sleep(1)  # while it waits for the drive
            process.send_signal(name)
            w.equal(w.finish(process, limit_s=INTERRUPT_LIMIT_S).code, 130, "exit code of an interrupt")
        vault.mhp("home", "list")
        vault.mhp("home", "add", home, "--same-disk", code=world.FAILED)
    vault.backup(source)
    w.equal(vault.check("--read-data")["ok"], True, "check after it came back")


if __name__ == "__main__":
    world.main(flipped_bytes, flipped_rows_are_found, damaged_files, older_copy, all_homes_set_back, emptied_home,
               moved_home,
               exchanged_homes, hanging_home)
