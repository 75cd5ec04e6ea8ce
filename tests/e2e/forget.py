# Forget: by name and by rules; space comes back after the hold and not before; nothing that is listed is ever lost.
import json
import os
import shutil
import signal
import subprocess
import time

from support import trees, world
from support.clocks import clock_at
from support.world import DONE, FAILED, PARTLY, TOO_FEW, USAGE

DAY_S = 24 * 3600


def at(days):
    """Options for a run of the program whose clock is so many days ahead."""
    return clock_at(f"+{days}d")


class Clock:
    """Runs a vault's program with the clock moved on."""

    def __init__(self, w, vault):
        self.w, self.vault, self.days = w, vault, 0

    def mhp(self, *args, code=DONE):
        environment = self.w.environment(self.vault.state) | (at(self.days) if self.days else {})
        return self.vault.mhp(*args, code=code, env=environment)

    def pass_the_hold(self):
        """In visits: a home lets no single visit count for more than ten days."""
        freed = 0
        for _ in range(6):
            self.days += 9
            freed += self.mhp("--json", "forget", "--collect-only").json["freed_bytes"]
        return freed


def used(vault):
    return sum(home["used_bytes"] for home in vault.status()["homes"])


def on_disk(vault):
    return sum(path.stat().st_blocks * 512 for home in vault.homes for path in home.rglob("*") if path.is_file())


def saved(w, vault, source, number):
    """So many snapshots of one tree that changes; the trees as they were."""
    states = []
    trees.make_files(source, w.random, 60, 40 << 10)
    for i in range(number):
        (source / "only-here").write_bytes(w.random.randbytes(3 << 20))
        (source / f"stays-{i}").write_bytes(w.random.randbytes(50 << 10))
        report = vault.backup(source, "--tag", f"run-{i}")
        states.append((report["snapshot"], trees.tree_of(source)))
    return states


def check_listed(w, vault, source, states, what):
    w.equal([one["id"] for one in vault.snapshots()], [snapshot for snapshot, _ in states], f"{what}: listed")
    for snapshot, wanted in states:
        back, _ = vault.restore(snapshot)
        trees.check_same(w, wanted, back / source.relative_to("/"), f"{what}: {snapshot[:8]}")
        w.count("restores")
        world.remove_tree(back)


def by_name_and_the_space_comes_back(w):
    vault, source = w.vault(4), w.folder / "source"
    states = saved(w, vault, source, 4)
    clock = Clock(w, vault)
    before = on_disk(vault)
    # Most of what lies in a log has to go: a home copies what is left of one only where that is less than half.
    done = vault.mhp("--json", "forget", states[0][0], states[1][0], states[2][0][:10]).json
    w.equal((len(done["forgotten"]), done["held_back"]), (3, ""), f"forget: {done}")
    w.check(done["condemned_bytes"] > 6 << 20 and done["next_due"], f"what is condemned: {done}")
    status = vault.status()
    w.equal(status["condemned_bytes"], done["condemned_bytes"], "status")
    w.check(time.strptime(status["next_due"], "%Y-%m-%dT%H:%M:%SZ"), "next_due is RFC 3339")
    w.check("given back from" in vault.mhp("status").out, "status says when")
    states = [states[3]]
    check_listed(w, vault, source, states, "after forget")
    clock.days = 9
    clock.mhp("forget", "--collect-only")
    w.check(on_disk(vault) > before - (1 << 20), "nothing is given back before the hold")
    freed = clock.pass_the_hold()
    w.check(freed > 6 << 20, f"given back: {freed}")
    w.check(on_disk(vault) < before - (6 << 20), f"on disk: {before} before, {on_disk(vault)} now")
    check_listed(w, vault, source, states, "after the hold")
    w.equal(vault.check("--read-data")["ok"], True, "check")
    vault.lose_state()
    vault.recover(vault.homes[1])
    check_listed(w, vault, source, states, "recovered")


def by_rules(w):
    vault, source = w.vault(3), w.folder / "source"
    trees.make_files(source, w.random, 5, 10 << 10)
    clock, ids = Clock(w, vault), []
    for day in range(12):
        clock.days = day
        ids.append(clock.mhp("--json", "backup", source).json["snapshot"])
    clock.days = 12
    dry = clock.mhp("--json", "forget", "--keep-daily", "3", "--keep-weekly", "2", "--dry-run").json
    w.equal(len(vault.snapshots()), 12, "a dry run forgets nothing")
    run = clock.mhp("forget", "--keep-daily", "3", "--keep-weekly", "2")
    w.check("daily snapshot" in run.out and "goes" in run.out, f"reasons are said\n{run}")
    left = [one["id"] for one in vault.snapshots()]
    w.equal(sorted(one["id"] for one in dry["kept"]), sorted(left), "the dry run said the same")
    w.equal(left[-3:], ids[-3:], "the last three days")
    w.check(len(left) in (3, 4, 5), f"three days and two weeks, which may be the same: {left}")


def what_is_refused(w):
    vault, source = w.vault(3), w.folder / "source"
    states = saved(w, vault, source, 2)
    for args, words in (([], "nothing says"), (["--keep-tag", "none"], "keep none"), (["--keep-within", "3w"], "3w"),
                        (["ffffffff"], "no such snapshot"), (["--keep-last", "1", states[0][0]], "either"),
                        (["--collect-only", "--keep-last", "1"], "--collect-only"),
                        (["--keep-last", "1", "--group-by", "age"], "age")):
        run = vault.mhp("forget", *args, code=None)
        w.check(run.code in (USAGE, FAILED) and words in run.err, f"refused: {args}\n{run}")
    w.equal(len(vault.snapshots()), 2, "nothing was forgotten")
    vault.mhp("forget", "--keep-tag", "none", "--allow-remove-all")
    w.equal(vault.snapshots(), [], "an explicit choice")
    report = vault.backup(source)
    w.equal([one["id"] for one in vault.snapshots()], [report["snapshot"]], "and a first one again")


def unreadable_data_stops_it(w):
    vault, source = w.vault(3), w.folder / "source"
    states = saved(w, vault, source, 2)
    # The pages of a snapshot cannot be read by who lost all local copies and two of three homes.
    for home in vault.homes[:2]:
        vault.take_away(home)
    run = vault.mhp("forget", states[0][0], code=None)
    w.check(run.code in (PARTLY, TOO_FEW), f"too few homes\n{run}")
    for home in vault.homes[:2]:
        vault.bring_back(home)
    left = [state for state in states if state[0] in [one["id"] for one in vault.snapshots()]]
    check_listed(w, vault, source, left, "homes are back")
    w.check(states[1] in left, "what nobody named is there")


def killed_at_any_point(w):
    """kill -9 while it forgets and collects; what is listed is whole, and the next run goes on."""
    vault, source = w.vault(3), w.folder / "source"
    states = saved(w, vault, source, 3)
    clock = Clock(w, vault)
    for round_ in range(60 if w.long else 12):
        goes = states.pop(0)
        clock.days += 4
        environment = w.environment(vault.state) | at(clock.days)
        process = vault.start("forget", goes[0], env=environment)
        time.sleep(w.random.uniform(0, 0.25))
        process.send_signal(signal.SIGKILL)
        w.finish(process)
        w.count("kills")
        listed = [one["id"] for one in vault.snapshots()]
        w.equal([one for one in listed if one != goes[0]], [snapshot for snapshot, _ in states], "listed after a kill")
        if goes[0] in listed:
            clock.mhp("forget", goes[0])
        check_listed(w, vault, source, states, f"round {round_}")
        (source / "only-here").write_bytes(w.random.randbytes(2 << 20))
        report = clock.mhp("--json", "backup", source).json
        states.append((report["snapshot"], trees.tree_of(source)))
    clock.pass_the_hold()
    check_listed(w, vault, source, states, "in the end")
    w.equal(vault.check("--read-data")["ok"], True, "check")


def two_computers(w):
    """Each forgets and saves beside the other; both see the same."""
    vault, source = w.vault(4), w.folder / "source"
    states = saved(w, vault, source, 2)
    other = w.folder / "other-state"
    w.run("recover", "--phrase-file", vault.phrase, "--home", vault.homes[0], "--keep-devices", state=other)
    (source / "of-the-other").write_bytes(w.random.randbytes(100 << 10))
    report = w.run("--json", "backup", source, state=other).json
    states.append((report["snapshot"], trees.tree_of(source)))
    vault.mhp("forget", states.pop(0)[0])
    w.equal([one["id"] for one in w.run("--json", "snapshots", state=other).json], [one for one, _ in states], "other")
    w.run("forget", states.pop(0)[0], state=other)
    Clock(w, vault).pass_the_hold()
    check_listed(w, vault, source, states, "one computer")
    w.equal([one["id"] for one in w.run("--json", "snapshots", state=other).json], [one for one, _ in states], "other")


def daily_for_long(w):
    """Backups of an unchanged tree with a keep policy: few segments, homes do not grow."""
    vault, source = w.vault(3), w.folder / "source"
    trees.make_files(source, w.random, 20, 10 << 10)
    clock, sizes = Clock(w, vault), []
    for day in range(120 if w.long else 75):
        clock.days = day
        clock.mhp("backup", source)
        clock.mhp("forget", "--keep-daily", "7", "--keep-weekly", "4")
        sizes.append(used(vault))
    w.check(vault.status()["segments"] < 60, f"segments: {vault.status()['segments']}")
    w.check(sizes[-1] < 1.5 * sizes[45], f"homes grow: {sizes[::15]}")
    w.equal(vault.check("--read-data")["ok"], True, "check")


def infected_owner(w):
    """Somebody else has the computer: forgets all, forges times, fills the list of heads. The words bring it back."""
    vault, source = w.vault(4), w.folder / "source"
    states = saved(w, vault, source, 3)
    clock = Clock(w, vault)
    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2 * DAY_S))
    clock.days = 4
    clock.mhp("forget", "--keep-tag", "none", "--allow-remove-all")
    nothing = w.folder / "nothing"
    nothing.mkdir()
    for _ in range(80):  # more than a home keeps of the newest heads
        clock.mhp("backup", nothing)
    clock.days = 400
    clock.mhp("forget", "--collect-only")
    clock.days = 8
    w.check(not any(one["id"] == states[0][0] for one in vault.snapshots()), "the thief has emptied the list")
    vault.lose_state()
    clock.mhp("recover", "--as-of", before, "--phrase-file", vault.phrase, "--home", vault.homes[0])
    check_listed(w, vault, source, states, "as of before the theft")
    clock.pass_the_hold()
    check_listed(w, vault, source, states, "and after the hold")
    w.equal(vault.check("--read-data")["ok"], True, "check")


def wrong_clock(w):
    """One backup under a clock that is years ahead: `latest` and `forget` go by what was made last."""
    source = w.folder / "source"
    source.mkdir()
    vault = w.vault(2)
    clock = Clock(w, vault)

    def save(content, days):
        (source / "file").write_text(content)
        clock.days = days
        return clock.mhp("backup", source)

    save("wild", 14 * 365)
    run = save("real 1", 0)
    w.check("the clock of this computer says" in run.err, f"a clock behind the newest snapshot\n{run}")
    save("real 2", 0)
    back, _ = vault.restore()
    w.equal((back / source.relative_to("/") / "file").read_text(), "real 2", "latest")
    w.equal(vault.status()["snapshots_in_future"], 1, "status counts it")
    w.check("in the future" in vault.mhp("status").err, "status says it")
    wild = vault.snapshots()[0]
    for rule in (["--keep-last", "2"], ["--keep-within", "30d"]):
        run = vault.mhp("--json", "forget", *rule, "--dry-run")
        w.check({one["id"] for one in vault.snapshots()[1:]} <= {one["id"] for one in run.json["kept"]},
                f"what was made last stays\n{run}")
    w.equal(vault.mhp("--json", "forget", "--keep-last", "2").json["forgotten"], [wild["id"]], "the first goes")


def full_homes(w):
    """Homes that are full to their bound: what is past its hold comes back first, so there is room again; and to forget
    something needs no room that is not there."""
    vault, source = w.vault(3, max_used=8 << 20), w.folder / "source"
    source.mkdir()
    clock, ids = Clock(w, vault), []
    for _ in range(4):
        (source / "big").write_bytes(w.random.randbytes(2 << 20))
        ids.append(vault.backup(source)["snapshot"])
    (source / "big").write_bytes(b"small")
    ids.append(vault.backup(source)["snapshot"])
    vault.mhp("forget", *ids[:3])
    for number in range(400):
        (source / f"more-{number}").write_bytes(w.random.randbytes(60_000))
        run = vault.mhp("--json", "backup", source, code=None)
        if run.code != DONE:
            break
    w.equal(run.code, TOO_FEW, f"full\n{run}")
    w.equal(len(vault.mhp("--json", "forget", ids[3]).json["forgotten"]), 1, "forgotten although they are full")
    w.check(clock.pass_the_hold() > 4 << 20, "what is past its hold came back")
    clock.mhp("backup", source)
    w.equal(vault.check("--read-data")["ok"], True, "check")


def homes_away(w):
    """While a home is away nothing is moved to fewer homes than it lies on: what stays is as safe as before."""
    for number, away in ((3, 1), (5, 2)):
        vault, source = w.vault(number), w.folder / f"source-{number}"
        states = saved(w, vault, source, 4)
        before = vault.status()["margin"]
        for home in vault.homes[:away]:
            vault.take_away(home)
        run = vault.mhp("--json", "forget", "--keep-last", "1")
        w.equal((run.json["all_moved"], run.json["segments_repacked"]), (False, 0), f"nothing was moved\n{run}")
        w.check("nothing was moved together" in run.err, f"and that is said\n{run}")
        for home in vault.homes[:away]:
            vault.bring_back(home)
        vault.mhp("backup", source)
        w.equal(vault.status()["margin"], before, "the margin, when all are back")
        vault.mhp("forget", "--collect-only")
        for home in vault.homes[-before:]:
            vault.take_away(home)
        back, _ = vault.restore(states[-1][0])
        trees.check_same(w, states[-1][1], back / source.relative_to("/"), "what stayed, with `margin` homes lost")


world.main(full_homes, homes_away, by_name_and_the_space_comes_back, by_rules, what_is_refused,
           unreadable_data_stops_it, killed_at_any_point, two_computers, daily_for_long, infected_owner, wrong_clock)
