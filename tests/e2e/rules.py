# The rules of a cloud, as real computers keep them: what each lends, how much a member may store, how long homes hold;
# and what invitations say of themselves.
import json
import os
import subprocess
import time

import cloud
from support import world
from support.clocks import clock_at
from support.world import DONE, FAILED, REFUSED, TOO_FEW, USAGE, Computer, Skip

MIB = 1 << 20
DAY_S = 24 * 3600


def noise(w, name, size):
    folder = w.folder / name
    folder.mkdir()
    (folder / "noise").write_bytes(w.random.randbytes(size))
    return folder


def until(w, what, holds):
    """Waits for news that computers tell each other."""
    end = time.monotonic() + 60
    while not holds():
        w.check(time.monotonic() < end, what)
        time.sleep(0.1)


def rule_of(computer):
    return computer.json("cloud", "show")["rules"]


def lend_floor(w):
    """Who lends less than the rule asks stores nothing new with others, the founder too; is told what to run; has back
    what is stored; and stores again once enough is lent."""
    ann, ben = cloud.found(w, ("ann", "ben"))
    before = noise(w, "before", MIB)
    for computer in (ann, ben):
        computer.json("backup", before)
    run = ann.mhp("cloud", "policy", "--lend-floor", "2G")
    w.check(all(name in run.out for name in ("'ann'", "'ben'")) and "'mhp up --lend 2G'" in run.err,
            f"who lends too little is told\n{run}")
    until(w, "ben hears of the rule", lambda: rule_of(ben)["lend_floor_bytes"] == 2e9)
    for computer in (ann, ben):
        w.check("--lend 2G" in computer.wait_for_log("lends_too_little"), "and so is the log of 'mhp up'")
        run = computer.mhp("backup", noise(w, f"more-of-{computer.name}", MIB), code=TOO_FEW)
        w.check("each member lends at least 2.0 GB, and its computers there lend 1.0 GB" in run.err, f"{run}")
        back, restored = computer.restore()
        w.equal(restored.json["errors"], [], "what is stored is given back")
        w.equal((cloud.below(back, before) / "noise").read_bytes(), (before / "noise").read_bytes(), "as it was")
        shown = computer.json("cloud", "show")
        w.equal((shown["own_lend_bytes"], shown["lends_too_little"]), (1e9, True), "what 'cloud show' says of oneself")
    run = ben.mhp("up", "--lend", "1500M", "--dry-run")
    w.check("'mhp up --lend 2G'" in run.err, f"'up' says so before\n{run}")
    ben.down()
    ben.lend = "2G"
    ben.up()
    until(w, "ann hears of it", lambda: {home["lend_bytes"] for home in ann.json("homes")["homes"]} == {1e9, 2e9})
    ben.json("backup", noise(w, "enough", MIB))
    code = ann.json("invite")["code"]
    cat = Computer(w, "cat", init=False)
    run = cat.mhp("--json", "join", "-", "--as", "cat", "--lend", "1M", "--phrase-file", cat.phrase,
                  **cloud.given(w, cat, code))
    w.equal((run.json["lends_too_little"], run.json["lend_bytes"]), (True, 1e6), "what 'join' says")
    w.check("'mhp up --lend 2G'" in run.err, f"and what to run\n{run}")
    w.count("rules tried")


def minimum_hold(w):
    """What a member lets go stays for the cloud's days, not the usual 30: by the clock of the home, and even where who
    asks is a computer of no cloud, or where the rule is lowered afterwards."""
    ann, ben = cloud.found(w, ("ann", "ben"))
    for days in ("0", "10", "29"):
        run = ann.mhp("cloud", "policy", "--hold", days, code=USAGE)
        w.check("30 days" in run.err, f"a rule that changes nothing is refused\n{run}")
    w.equal(rule_of(ann)["hold_days"], 30, "days without a rule")
    ann.json("cloud", "policy", "--hold", "60")
    until(w, "ben hears of the rule", lambda: rule_of(ben)["hold_days"] == 60)
    tree = noise(w, "tree", 4 * MIB)
    gone = ben.json("backup", tree)["snapshot"]
    (tree / "noise").write_bytes(b"little")
    ben.json("backup", tree)
    ben.json("forget", gone)
    ann.json("cloud", "policy", "--hold", "30")
    freed = {}
    for day in range(9, 90, 9):  # a home lets no single visit count for more than ten days
        clock = w.environment(ann.state) | clock_at(f"+{day}d")
        ann.down()
        ann.up(env=clock)
        clock = w.environment(ben.state) | clock_at(f"+{day}d")
        freed[day] = ben.json("forget", "--collect-only", env=clock)["freed_bytes"]
    early = {day: bytes_ for day, bytes_ in freed.items() if day < 60 and bytes_ > 0}
    w.equal(early, {}, f"given back before 60 days: {freed}")
    w.check(sum(freed.values()) >= 4 * MIB, f"given back after them: {freed}")
    w.count("rules tried")


def give_and_take(w):
    """What a member stores on all homes together is bound by what it lends, wherever it stores it."""
    ann, ben, cat, dan = cloud.found(w, ("ann", "ben", "cat", "dan"))
    ben.down()
    ben.lend = "12M"
    ben.up()
    ann.json("cloud", "policy", "--take", "100")
    hosts = (ann, cat, dan)
    for host in (cat, dan):
        until(w, "they hear of the rule", lambda host=host: rule_of(host)["take_percent"] == 100)
    for host in hosts:
        until(w, "they hear what ben lends",
              lambda host=host: 12e6 in {home["lend_bytes"] for home in host.json("homes")["homes"]})
    w.check("about 100 % of what it lends" in ann.mhp("cloud", "show").out, "how it is said")

    def used():
        return [home["used_bytes"] for home in ben.json("status")["homes"] if home["used_bytes"] is not None]
    ben.json("backup", noise(w, "first", 6 * MIB))  # on three homes some 12 MB
    first = sum(used())
    for number in range(8):
        run = ben.mhp("backup", noise(w, f"more-{number}", 3 * MIB), code={DONE, TOO_FEW})
        if run.code == TOO_FEW:
            break
    w.equal(run.code, TOO_FEW, f"at some point it is enough\n{run}")
    w.check("that this home lends to one member" in run.err, f"it says why\n{run}")
    w.check(first <= sum(used()) <= 24e6, f"stored on all homes together: {used()}")
    w.check(all(bytes_ <= 8e6 for bytes_ in used()), f"on each: {used()}")
    back, restored = ben.restore()
    w.equal(restored.json["errors"], [], "what is stored is given back")
    w.count("rules tried")


def what_invitations_say(w):
    """Role, hope and name of an invitation: in dry runs of making and of using it, in `cloud show` till it is used."""
    ann, = cloud.found(w, ("ann",))
    would = ann.json("invite", "--for", "Ben", "--role", "admin", "--lend", "50G", "--expires", "2h", "--dry-run")
    w.equal((would["for"], would["role"], would["lend_bytes"], would["homes"], would["dry_run"]),
            ("Ben", "admin", 50e9, 1, True), "a dry run of 'invite'")
    w.check("code" not in would, f"no code is made: {would}")
    w.equal(ann.json("cloud", "show")["invitations"], [], "nothing was changed")
    code = ann.json("invite", "--for", "Ben", "--role", "admin", "--lend", "50G", "--expires", "2h")["code"]
    ann.json("invite", "--expires", "1s")
    time.sleep(1.2)  # the code's own time
    listed = ann.json("cloud", "show")["invitations"]
    said = [(one["for"], one["by"], one["role"], one["lend_bytes"]) for one in listed]
    w.equal(said, [("Ben", "ann", "admin", 50e9)], "open invitations")
    text = ann.mhp("cloud", "show").out
    w.check("for 'Ben', by 'ann'" in text and "as an admin" in text and "50.0 GB" in text, f"and in words\n{text}")
    ben = Computer(w, "ben", init=False)
    looked = ben.mhp("--json", "join", "-", "--lend", "1G", "--dry-run", **cloud.given(w, ben, code)).json
    w.equal((looked["role"], looked["lend_hoped_bytes"], looked["lend_bytes"], looked["homes"]),
            ("admin", 50e9, 1e9, 1), "a dry run of 'join'")
    w.check(ann.json("cloud", "show")["id"] == looked["cloud_id"], "it says which cloud")
    run = ben.mhp("join", "-", "--lend", "1G", "--dry-run", **cloud.given(w, ben, code))
    w.check("'mhp up --lend 50G'" in run.out and "an admin" in run.out, f"and in words\n{run}")
    for told in (run.out, json.dumps(looked)):
        w.check(code[5:20] not in told and code.replace("-", "")[4:24] not in told, "nothing that lets somebody in")
    w.check(not ben.state.exists(), "nothing was changed")
    w.equal(len(ann.json("members")["members"]), 1, "members after dry runs")
    run = ben.mhp("join", "-", "--as", "ben", "--lend", "1G", "--phrase-file", ben.phrase, **cloud.given(w, ben, code))
    w.check("hopes that you lend 50.0 GB; this computer lends 1.0 GB" in run.out and "an admin" in run.out, f"{run}")
    until(w, "ann hears that it was used", lambda: ann.json("cloud", "show")["invitations"] == [])
    ben.mhp("invite", "--dry-run")
    ann.json("members", "remove", "ben")
    ben.mhp("homes")  # which tells him that he is out
    ben.mhp("invite", "--dry-run", code={FAILED, REFUSED})


def lends_nothing_more(w):
    """`up --lend 0`: nothing is planned on it, it takes nothing, and gives back what it holds."""
    ann, ben = cloud.found(w, ("ann", "ben"))
    tree = noise(w, "tree", MIB)
    ann.json("backup", tree)
    ben.down()
    ben.lend = "0"
    ben.up()
    until(w, "ann hears of it", lambda: 0 in {home["lend_bytes"] for home in ann.json("homes")["homes"]})
    back, restored = ann.restore()
    w.equal(restored.json["errors"], [], "what it holds is given back")
    w.equal((cloud.below(back, tree) / "noise").read_bytes(), (tree / "noise").read_bytes(), "as it was")
    ann.mhp("backup", noise(w, "more", MIB), code=TOO_FEW)
    cat = cloud.let_in(w, ann, "cat")
    dan = Computer(w, "dan", lend="0", init=False)
    code = ann.json("invite")["code"]
    dan.mhp("join", "-", "--as", "dan", "--lend", "0", "--phrase-file", dan.phrase, **cloud.given(w, dan, code))
    dan.up()
    w.check(not (dan.state / "home").exists(), "who lends nothing makes no home")
    cloud.wait_for_homes(w, dan, 3)
    w.equal(dan.json("backup", noise(w, "of-dan", MIB))["homes"], 2, "he saves on those that lend, ann's and cat's")
    cloud.wait_for_homes(w, cat, 3)
    w.equal(cat.json("backup", noise(w, "of-cat", MIB))["homes"], 1, "nothing is planned on homes that lend nothing")


def a_tenth_stays_free(w):
    """However much is lent, of its disk a tenth stays free."""
    if os.geteuid() != 0:
        raise Skip("only root may mount")
    ann = Computer(w, "ann")
    ann.mhp("cloud", "new", "Lindenweg")
    ann.up().wait_for_log(" announced ")
    disk = w.folder / "disk"
    disk.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], capture_output=True, text=True)
    if made.returncode != 0:
        raise Skip(f"mounting is not allowed here: {made.stderr.strip()}")
    w.undo.insert(0, lambda: subprocess.run(["umount", disk], check=True))
    ben = cloud.let_in(w, ann, "ben")
    ben.down()
    ben.up("--home", disk / "home")
    cloud.wait_for_homes(w, ann, 1)
    ann.json("backup", noise(w, "first", 40 * MIB))
    run = ann.mhp("backup", noise(w, "second", 24 * MIB), code=TOO_FEW)
    w.check("full" in run.err, f"it says why\n{run}")
    space = os.statvfs(disk)
    w.check(space.f_bavail >= space.f_blocks / 10, f"{space.f_bavail} of {space.f_blocks} blocks are free")
    w.check(space.f_bavail < space.f_blocks / 2, "it was used")


if __name__ == "__main__":
    world.main(lend_floor, minimum_hold, give_and_take, what_invitations_say, lends_nothing_more, a_tenth_stays_free)
