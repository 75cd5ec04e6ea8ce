# Limits of computers that are up: bytes a second, told by options or kept, counted by the processes themselves.
import time

from support import world
from support.clocks import clock_at
from support.world import DONE, USAGE, Computer

RATE = 2_000_000
BYTES = 6_000_000


def pair(w, *up):
    """Two computers in a cloud; the second is up with these options. (ann, ben)"""
    ann = Computer(w, "ann")
    ann.mhp("cloud", "new", "Lindenweg")
    ann.up().wait_for_log(" announced ")
    code = ann.json("invite", "--for", "ben")["code"]
    ben = Computer(w, "ben", init=False)
    path = ben.folder / "code"
    path.write_text(code + "\n")
    with open(path, "rb") as file:
        ben.mhp("join", "-", "--as", "ben", "--lend", ben.lend, "--phrase-file", ben.phrase, stdin=file)
    ben.up("--metrics", "127.0.0.1:0", *up)
    ann.wait_for_log("home_lends cloud=Lindenweg")
    until = time.monotonic() + 60
    while [home["state"] for home in ann.json("homes")["homes"]].count("up") != 1:
        w.check(time.monotonic() < until, "ann reaches ben")
        time.sleep(0.1)
    return ann, ben


def noise(w, name):
    folder = w.folder / name
    folder.mkdir()
    (folder / "noise").write_bytes(w.random.randbytes(BYTES))
    return folder


def timed(w, rate, what, run, *args):
    """Runs it; it must have taken as long as these bytes need at that rate, less what may pass at once."""
    began = time.monotonic()
    done = run(*args)
    took = time.monotonic() - began
    w.check(took >= 0.8 * BYTES / rate, f"{what}: {BYTES} bytes in {took:.2f} s are more than {rate} a second")
    w.check(took <= 10 * BYTES / rate + 30, f"{what}: {took:.2f} s are far too long")
    return done


def told_for_one_run(w):
    """--limit-up of a backup, --limit-down of a restore."""
    ann, _ = pair(w)
    tree = noise(w, "tree")
    done = timed(w, RATE, "backup", ann.json, "backup", "--limit-up", "2M", tree)
    w.check(done["stored_bytes"] >= BYTES, "it was sent")
    back = ann.folder / "back"
    told = timed(w, RATE, "restore", ann.json, "restore", "--no-sync", "--limit-down", "2M", "latest", "--to", back)
    w.equal(told["errors"], [], "errors")
    w.equal((back / str(tree / "noise").lstrip("/")).read_bytes(), (tree / "noise").read_bytes(), "what comes back")
    w.count("limits of bandwidth tried", 2)


def kept_by_up(w):
    """What `mhp up` was told holds for those who use this computer, after a restart, and for its own commands."""
    ann, ben = pair(w, "--limit-down", "2M")
    done = timed(w, RATE, "backup to ben", ann.json, "backup", noise(w, "first"))
    w.check(done["stored_bytes"] >= BYTES, "it was sent")
    ben.down()
    start = ben.log.stat().st_size
    ben.up()
    w.check("limit_down=2M" in ben.wait_for_log(" info up ", start), "it is kept")
    timed(w, RATE, "backup to ben, started again", ann.json, "backup", noise(w, "second"))
    ann.down()
    ann.up("--limit-up", "00:00-12:00 2M, else 2M")
    timed(w, RATE, "backup of ann, who is up with a limit", ann.json, "backup", noise(w, "third"))
    began = time.monotonic()
    ann.json("backup", "--limit-up", "unlimited", noise(w, "fourth"))
    w.note(f"without a limit of ann's: {time.monotonic() - began:.1f} s (ben's holds)")
    w.count("limits of bandwidth tried", 3)


def by_the_time_of_day(w):
    """A limit for the night holds at night, by the computer's own clock, and not by day."""
    slow = 500_000
    ann, ben = pair(w, "--limit-down", "00:00-06:00 500k, else unlimited")
    took = {}
    for when in ("03:00", "12:00"):
        ben.down()
        ben.up(env=w.environment(ben.state) | clock_at(f"@2026-11-28 {when}:00"))
        tree = noise(w, when.replace(":", "-"))
        began = time.monotonic()
        done = ann.json("backup", tree)
        took[when] = time.monotonic() - began
        w.check(done["stored_bytes"] >= BYTES, "it was sent")
    least = 0.8 * BYTES / slow
    w.check(took["03:00"] >= least, f"{BYTES} bytes at night in {took['03:00']:.1f} s are more than {slow} a second")
    w.check(took["12:00"] < least, f"{BYTES} bytes by day in {took['12:00']:.1f} s: the limit of the night held")
    w.count("limits of bandwidth tried", 2)


def wrong(w):
    """What is no rate is wrong usage, and changes nothing."""
    ann = Computer(w, "ann")
    for text in ("0", "fast", "1k", "25:00-26:00 1M", "1M, 2M"):
        for command in (["up", "--dry-run"], ["backup", w.folder], ["restore", "latest", "--to", w.folder / "x"],
                        ["check"], ["repair"]):
            run = ann.mhp(command[0], "--limit-up", text, *command[1:], code=USAGE)
            w.check(any(word in run.err for word in ("rate", "limit", "time", "part")), f"it says why\n{run}")
    told = ann.json("up", "--dry-run", "--lend", "0", "--limit-up", "08:00-22:00 1M, else unlimited", code=DONE)
    w.equal((told["limit_up"], told["limit_down"]), ("08:00-22:00 1M, else unlimited", "unlimited"), "what up would do")
    w.check(not (ann.state / "up.json").exists(), "a dry run keeps nothing")


if __name__ == "__main__":
    world.main(told_for_one_run, kept_by_up, by_the_time_of_day, wrong)
