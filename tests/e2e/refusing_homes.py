# Homes that are there and take nothing: full, write-protected, in use, broken. Their part goes to the others, they are
# named with the reason, and no command ends with 0 that left something undone.
import os
import subprocess

from support import trees, world
from support.world import FAILED, TOO_FEW, Skip


def saved(w, number=4):
    source = w.folder / "source"
    trees.make_files(source, w.random, 30, 50 << 10, fraction_text=0)
    vault = w.vault(number)
    vault.backup(source)
    return vault, source


def protect(w, home):
    """Write-protects a home as a mount does, also against root; the answer makes it writable again."""
    if os.getuid() != 0:
        raise Skip("only root may mount")
    made = subprocess.run(["mount", "--bind", home, home], capture_output=True, text=True)
    if made.returncode != 0:
        raise Skip(f"mounting is not allowed here: {made.stderr.strip()}")
    w.undo.append(lambda: subprocess.run(["umount", home], check=True))
    subprocess.run(["mount", "-o", "remount,bind,ro", home], check=True)
    return lambda: subprocess.run(["mount", "-o", "remount,bind,rw", home], check=True)


def check_all_back(w, vault, source, what):
    back, _ = vault.restore()
    trees.check_same(w, trees.tree_of(source), back / source.relative_to("/"), what)


def check_planned_without(w, vault, source, refusing, reason):
    """The rows of a lost home are made again although one more refuses: on the others, with exit code 1."""
    lost = vault.homes[0]
    vault.take_away(lost)
    run = vault.mhp("--json", "repair", code=FAILED)
    w.equal((run.json["homes_refusing"], run.json["margin"]), ([vault.home_id(refusing)], 2), "repair")
    w.check(refusing.name in run.err and reason in run.err, f"it is named, with the reason\n{run}")
    w.equal((run.error["subject"], run.error["code"]), ("homes", "unavailable"), f"the error\n{run}")
    w.check("mhp home remove" in run.error["hint"], f"what to do\n{run}")
    held = [home for home in vault.homes if home not in (lost, refusing)]
    vault.take_away(held[0])
    check_all_back(w, vault, source, "another home lost after that")
    vault.bring_back(held[0])
    vault.bring_back(lost)


def one_is_protected(w):
    """A write-protected home: told so, not called liar or absentee; what it should get goes to the others."""
    vault, source = saved(w, 5)
    home = vault.homes[1]
    give_back = protect(w, home)
    w.equal(vault.check()["ok"], True, "check with all rows there")
    vault.mhp("repair")  # it lacks nothing
    check_planned_without(w, vault, source, home, "write-protected")
    trees.make_files(source / "more", w.random, 10, 50 << 10, fraction_text=0)
    run = vault.mhp("--json", "backup", source)
    left_out = [(one["name"], one["state"]) for one in run.json["left_out"]]
    w.equal(left_out, [(home.name, "write-protected")], f"left out\n{run}")
    w.check(run.json["margin"] >= 2, f"margin\n{run}")
    said = vault.mhp("backup", source).out
    w.check(f"Left out: '{home.name}' (write-protected)" in said, f"a person is told\n{said}")
    run = vault.mhp("status")
    w.check("write-protected" in run.err and "may have been away" not in run.err, f"why its heads are old\n{run}")
    give_back()
    vault.mhp("repair")
    w.equal((vault.check("--read-data")["ok"], vault.status()["margin"]), (True, 2), "after it could be written to")


def all_are_protected(w):
    """Nothing can be saved: said as it is, and reading goes on."""
    vault, source = saved(w, 3)
    give_back = [protect(w, home) for home in vault.homes]
    trees.make_files(source / "more", w.random, 10, 50 << 10, fraction_text=0)
    run = vault.mhp("--json", "backup", source, code=TOO_FEW)
    w.equal((run.error["subject"], run.error["code"]), ("homes", "denied"), f"the error\n{run}")
    w.check("write-protected" in run.error["hint"] and "home list" not in run.error["hint"], f"the hint\n{run}")
    w.equal(len(vault.snapshots()), 1, "snapshots")
    vault.restore()
    for give in give_back:
        give()
    vault.backup(source)
    check_all_back(w, vault, source, "after they could be written to")


def broken_log(w):
    """A folder stands in place of a home's next log: its first put fails, its old rows count."""
    vault, source = saved(w, 5)
    home = vault.homes[1]
    for path in (home / "logs").iterdir():
        path.chmod(0o400)
        subprocess.run(["chattr", "+i", path], check=False, capture_output=True)
        w.undo.append(lambda at=path: subprocess.run(["chattr", "-i", at], check=False, capture_output=True))
    probe = subprocess.run(["touch", next((home / "logs").iterdir())], check=False, capture_output=True)
    if probe.returncode == 0:
        raise Skip("no file can be made immutable here")
    check_planned_without(w, vault, source, home, home.name)


def folder_for_log(w):
    """A folder in place of a log: what the home holds cannot be listed, so it counts for nothing, and is named."""
    vault, source = saved(w, 5)
    home = vault.homes[1]
    (home / "index").unlink(missing_ok=True)
    log = sorted((home / "logs").iterdir())[-1]
    log.rename(home / "aside")
    log.mkdir()
    run = vault.mhp("--json", "repair", code=FAILED)
    w.equal((run.json["homes_refusing"], run.json["homes"]), ([vault.home_id(home)], 4), f"repair\n{run}")
    w.check(home.name in run.err, f"it is named\n{run}")
    check_all_back(w, vault, source, "a home without its log")
    log.rmdir()
    (home / "aside").rename(log)
    vault.mhp("repair")
    w.equal(vault.check("--read-data")["ok"], True, "check with its log back")


def one_is_full(w):
    """A home that is full refuses a lost home's rows; they go to the others, and the rows it has still count."""
    vault, source = saved(w, 5)
    home = vault.homes[1]
    vault.mhp("home", "add", home, "--same-disk", "--max", "1")
    check_planned_without(w, vault, source, home, "full")
    vault.mhp("home", "add", home, "--same-disk", "--max", "1G")
    vault.mhp("repair")
    w.equal(vault.check("--read-data")["ok"], True, "check with space")


def remove_stays(w):
    """`home remove` lets no home go whose rows the others did not take."""
    vault, source = saved(w, 3)
    for home in vault.homes[1:]:
        vault.mhp("home", "add", home, "--same-disk", "--max", "1")
    run = vault.mhp("--json", "home", "remove", vault.homes[0].name, code=TOO_FEW)
    w.check("stays" in run.error["error"] and run.error["code"] == "full", f"the error\n{run}")
    w.equal(len(vault.status()["homes"]), 3, "homes")
    check_all_back(w, vault, source, "after a removal that was refused")
    for home in vault.homes[1:]:
        vault.mhp("home", "add", home, "--same-disk", "--max", "1G")
    vault.mhp("home", "remove", vault.homes[0].name)
    w.equal((vault.status()["margin"], vault.check("--read-data")["ok"]), (1, True), "after it was handed over")


def all_are_in_use(w):
    """Another device writes to all homes: said so, none is called away."""
    vault, source = saved(w, 3)
    other = w.folder / "second computer"
    w.run("recover", "--keep-devices", "--phrase-file", vault.phrase, "--home", vault.homes[0], state=other)
    locks = []
    for home in vault.homes:
        lock = subprocess.Popen(["flock", home / "lock", "-c", "echo held; read _"], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)
        lock.stdout.readline()
        locks.append(lock)
    trees.make_files(source / "more", w.random, 10, 50 << 10, fraction_text=0)
    run = vault.mhp("--json", "backup", source, "--wait", "0", code=TOO_FEW)
    w.equal((run.error["subject"], run.error["code"]), ("homes", "busy"), f"the error\n{run}")
    w.check("no home is away" in run.error["hint"] and "in use" in run.err, f"the hint\n{run}")
    for lock in locks:
        lock.communicate(b"\n")
    w.equal(vault.backup(source)["margin"], 1, "margin after they were free")
    check_all_back(w, vault, source, "after they were free")


if __name__ == "__main__":
    world.main(one_is_protected, all_are_protected, broken_log, folder_for_log, one_is_full, remove_stays,
               all_are_in_use)
