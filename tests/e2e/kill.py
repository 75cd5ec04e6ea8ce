# kill -9 at random points: what a finished backup said stays true, the next one sends little again, and no command that
# was killed leaves anything behind that stops the next. 200 kills of backups; 20,000 with MHP_LONG=1.
import os
import shutil
import signal
import subprocess
import time

from support import trees, world
from support.world import DONE, FAILED

KILLS = 200
OTHER_KILLS = 12       # of each other command; x 50 with MHP_LONG
TREE_FILES, FILE_SIZE = 120, 64 << 10
SEGMENT = 8 << 20      # bytes of content in a full segment, about
BEFORE_HEAD = 0.45     # of a backup's time: most of the kills come before its snapshot is there
PAGES_SLACK = 2 << 20  # new bytes that are no content: pages of the tree


def kill_at(w, process, seconds):
    """Kills it after this time unless it ended before: what the run gave."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
    run = w.finish(process, {DONE, -signal.SIGKILL})
    w.count("kills", run.code != DONE)
    return run


class Change:
    """A tree that changes from backup to backup, and what each finished snapshot must bring back."""

    def __init__(self, w):
        self.w, self.source, self.at = w, w.folder / "source", 0
        trees.make_files(self.source, w.random, TREE_FILES, FILE_SIZE)
        self.files = sorted(path for path in self.source.rglob("*") if path.is_file())
        self.known = {}    # snapshot -> tree
        self.tried = []    # trees that backups were killed on
        self.changed = 0   # bytes written since the last finished backup

    def step(self):
        """Rewrites some files, adds one."""
        random = self.w.random
        self.at += 1
        for path in random.sample(self.files, 6):
            trees.write(path, random.randbytes(random.randrange(1, 3 * FILE_SIZE)))
            self.changed += path.stat().st_size
        added = self.source / f"folder-{self.at % 2:03}" / f"added-{self.at}"
        trees.write(added, trees.text(random, random.randrange(1, FILE_SIZE)))
        self.files.append(added)
        self.changed += added.stat().st_size
        if len(self.files) > TREE_FILES * 2:
            self.files.pop(random.randrange(TREE_FILES)).unlink()

    def finished(self, report):
        """A backup that said done."""
        self.known[report["snapshot"]] = trees.tree_of(self.source)
        self.changed = 0

    def check(self, vault, snapshot):
        back, _ = vault.restore(snapshot)
        trees.check_same(self.w, self.known[snapshot], back / self.source.relative_to("/"), f"snapshot {snapshot[:8]}")
        self.w.count("restores")
        world.remove_tree(back)


def check_all_listed(w, vault, change):
    """Gives the snapshots that are there although their backup was killed: after its head was made."""
    listed = {snapshot["id"] for snapshot in vault.snapshots()}
    w.check(change.known.keys() <= listed, f"snapshots are lost: {change.known.keys() - listed}")
    return listed - change.known.keys()


def check_unsaid(w, vault, change, snapshot):
    """Nobody said that it is done; if it is there, it is whole all the same."""
    back, _ = vault.restore(snapshot)
    got = trees.tree_of(back / change.source.relative_to("/"))
    same = any(not trees.differences(tree, got, 1) for tree in change.tried)
    w.check(same, f"snapshot {snapshot[:8]} is what was there")
    w.count("restores")
    world.remove_tree(back)


def backups(w):
    """Killed at random points of their time; every fifth one may end."""
    change, vault = Change(w), w.vault(3)
    began = time.monotonic()
    change.finished(vault.backup(change.source))
    usual = time.monotonic() - began
    kills = KILLS * (100 if w.long else 1)
    killed_here, most, unsaid = 0, 0, set()
    while killed_here < kills:
        for _ in range(w.random.randrange(1, 8)):
            change.step()
            if not w.long:
                change.tried.append(trees.tree_of(change.source))
            till = usual * (1 if w.random.random() < 0.2 else BEFORE_HEAD)
            run = kill_at(w, vault.start("--json", "backup", change.source), w.random.uniform(0, till))
            killed_here += run.code != DONE
            if run.code == DONE:
                change.finished(run.json)
        unsaved, began = change.changed, time.monotonic()
        report = vault.backup(change.source)
        usual = min(2 * usual, time.monotonic() - began)
        w.check(report["new_bytes"] <= unsaved + PAGES_SLACK,
                f"{report['new_bytes']:,} bytes sent, {unsaved:,} were not saved yet")
        most = max(most, report["new_bytes"])
        change.finished(report)
        unsaid = check_all_listed(w, vault, change)
        w.equal(vault.check()["ok"], True, "check")
        change.check(vault, w.random.choice(list(change.known)))
    w.equal(vault.check("--read-data")["ok"], True, "check --read-data at the end")
    w.note(f"{killed_here} killed, {len(change.known)} finished, {len(unsaid)} more were there though killed; "
           f"the next backup sent {most / 1e6:.1f} MB at most")
    for snapshot in w.random.sample(list(change.known), min(400, len(change.known))):
        change.check(vault, snapshot)
    for snapshot in w.random.sample(sorted(unsaid), min(20, len(unsaid))) if not w.long else ():
        check_unsaid(w, vault, change, snapshot)


def journal_frames(vault):
    """Segments that an interrupted backup has made sure of (docs/formats/state.md: length, hash, content)."""
    journal = vault.state / "journal"
    content = journal.read_bytes() if journal.exists() else b""
    at = frames = 0
    while at + 36 <= len(content):
        at += 36 + int.from_bytes(content[at:at + 4], "little")
        frames += at <= len(content)
    return frames


def stall_then_kill(w, vault, source):
    """A slow computer: the backup stands still for longer than the time between two commits, then goes on until it has
    noted what is safe, and is killed. Gives the number of segments that are."""
    held = sum(homes_bytes(home) for home in vault.homes)
    before, process = journal_frames(vault), vault.start("--json", "backup", source)
    while process.poll() is None and sum(homes_bytes(home) for home in vault.homes) < held + 3 * SEGMENT:
        time.sleep(0.001)  # watching, not waiting: it is stopped while it sends
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(5.2)
    os.kill(process.pid, signal.SIGCONT)
    while process.poll() is None and journal_frames(vault) == before:
        time.sleep(0.001)
    kill_at(w, process, w.random.uniform(0, 0.2))
    return journal_frames(vault)


def homes_bytes(home):
    return sum(path.stat().st_size for path in (home / "logs").iterdir())


def sends_little_again(w):
    """What was safe before a kill is not sent again, neither by this computer nor by a new one that took over."""
    for round_ in range(20 if w.long else 2):
        source = w.folder / f"big-{round_}"
        trees.make_files(source, w.random, 160, 1 << 20, fraction_text=0)
        size = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
        vault = w.vault(3)
        safe, done = 0, False
        for _ in range(2):
            noted = stall_then_kill(w, vault, source)
            done = noted == 0 and bool(vault.snapshots())  # once a head names the segments, the journal starts afresh
            w.check(done or noted >= safe, f"segments noted as safe: {noted}, before {safe}")
            safe = noted
        if round_ % 2:
            vault.lose_state()
            vault.recover(w.random.choice(vault.homes))
        report = vault.backup(source)
        most = PAGES_SLACK if done else size - safe * (SEGMENT - (1 << 20)) + PAGES_SLACK
        when = "all of it safe" if done else f"{safe} segments safe"
        w.note(f"{size / 1e6:.0f} MB, {when} when killed; then {report['new_bytes'] / 1e6:.0f} MB sent")
        w.check(report["new_bytes"] <= most,
                f"{report['new_bytes']:,} bytes sent again, at most {most:,} were not safe")
        back, _ = vault.restore()
        trees.check_same(w, trees.tree_of(source), back / source.relative_to("/"), "after the kills")
        w.equal(vault.check("--read-data")["ok"], True, "check")
        world.remove_tree(back)
        world.remove_tree(source)
        world.remove_tree(vault.folder)


def measured(w, run):
    began = time.monotonic()
    run()
    return time.monotonic() - began


def others(w):
    return OTHER_KILLS * (50 if w.long else 1)


def saved(w, number):
    change, vault = Change(w), w.vault(number)
    change.finished(vault.backup(change.source))
    return change, vault, next(iter(change.known))


def restores(w):
    change, vault, snapshot = saved(w, 3)
    usual = measured(w, lambda: world.remove_tree(vault.restore()[0]))
    for number in range(others(w)):
        target = w.folder / f"partly-{number}"
        kill_at(w, vault.start("restore", "latest", "--to", target), w.random.uniform(0, usual))
        change.check(vault, snapshot)
        if target.exists():
            world.remove_tree(target)
    w.equal(vault.check("--read-data")["ok"], True, "check")


def repairs(w):
    """Two of six homes are lost, two new ones added; repair is killed again and again, then ends."""
    change, vault, snapshot = saved(w, 6)
    margin, usual = vault.status()["margin"], 0.4
    for _ in range(max(1, others(w) // 4)):
        for home in w.random.sample(vault.homes, 2):
            vault.mhp("home", "remove", "--lost", home.name)
            vault.homes.remove(home)
            shutil.rmtree(home)
            vault.add_home(home.name)
        for _ in range(4):
            kill_at(w, vault.start("repair"), w.random.uniform(0, usual))
            w.check(vault.check(code={DONE, FAILED})["unrestorable"] == 0,
                    "everything can be restored after a killed repair")
        usual = measured(w, lambda: vault.mhp("repair"))
        report = vault.check("--read-data")
        w.equal((report["ok"], report["margin"]), (True, margin), "check after repair")
        change.check(vault, snapshot)


def home_adds(w):
    change, vault, snapshot = saved(w, 3)
    new = vault.folder / "homes" / "home-99"
    usual = measured(w, lambda: vault.mhp("home", "add", new, "--same-disk"))
    for number in range(others(w)):
        new = vault.folder / "homes" / f"added-{number:03}"
        kill_at(w, vault.start("home", "add", new, "--same-disk"), w.random.uniform(0, usual))
        if number % 3 == 0:
            vault.backup(change.source)
        vault.mhp("home", "add", new, "--same-disk")
        names = [entry["name"] for entry in vault.status()["homes"]]
        w.equal((len(names), names.count(new.name)), (5 + number, 1), "homes on the list")
        if number % 4 == 3:  # few enough to stay quick
            change.check(vault, snapshot)
    vault.mhp("repair")
    w.equal(vault.check("--read-data")["ok"], True, "check")
    change.check(vault, snapshot)


def home_removes(w):
    change, vault, snapshot = saved(w, 5)
    usual = 0.4
    for number in range(max(1, others(w) // 2)):
        home = vault.homes[0]
        kill_at(w, vault.start("home", "remove", home.name), w.random.uniform(0, usual))
        names = [entry["name"] for entry in vault.status()["homes"]]
        w.check(len(names) in (4, 5), f"homes on the list: {names}")
        if home.name in names:
            usual = measured(w, lambda: vault.mhp("home", "remove", home.name))
        shutil.rmtree(home)
        vault.homes.remove(home)
        change.check(vault, snapshot)
        vault.add_home(f"next-{number:03}")
        vault.backup(change.source)
    w.equal(vault.check("--read-data")["ok"], True, "check")


def recoveries(w):
    change, vault, snapshot = saved(w, 4)
    usual = 0.3
    for _ in range(others(w)):
        vault.lose_state()
        args = ("recover", "--phrase-file", vault.phrase, "--home", w.random.choice(vault.homes))
        kill_at(w, vault.start(*args), w.random.uniform(0, usual))
        status = vault.mhp("status", code={DONE, FAILED})
        if status.code == FAILED:  # no vault here yet: once more
            usual = measured(w, lambda: vault.mhp(*args))
        change.check(vault, snapshot)
    change.step()
    change.finished(vault.backup(change.source))
    w.equal(vault.check("--read-data")["ok"], True, "check")
    for snapshot in change.known:
        change.check(vault, snapshot)


if __name__ == "__main__":
    world.main(backups, sends_little_again, restores, repairs, home_adds, home_removes, recoveries)
