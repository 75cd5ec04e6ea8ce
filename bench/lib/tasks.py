# One round: every program on every task, task by task, so that what disturbs the machine disturbs all alike.
import contextlib
import os
import shutil
import tempfile

from . import limits
from .measure import Failed, quiet
from .programs import Borg, Mhp, Restic

FIRST_TREE, FIRST_ZSTD3 = "tree: first backup", "tree: first backup at zstd 3"
AGAIN, CHANGED = "tree: unchanged again", "tree: 1 % changed"
FILE, RESTORE_TREE, RESTORE_DISK = "tree: one small file back", "tree: restore", "tree: restore onto a disk"
CHECK_TREE, CHECK_BIG = "tree: check, all data", "big: check, all data"
FIRST_BIG, FIRST_BIG_DISK = "big: first backup", "big: first backup onto a disk"
RESTORE_BIG, RESTORE_AWAY = "big: restore", "big: restore, homes away"
THRIFTY, NORMAL, ZSTD3 = "mhp thrifty", "mhp normal", "mhp thrifty zstd 3"


class Round:
    """figures: {task: {program: what was measured}}; limits: {name: value}. disk: a folder on a real disk, or None."""

    def __init__(self, number, data, binary, scratch, disk, build):
        self.number, self.data, self.binary, self.build = number, data, binary, build
        self.scratch = tempfile.mkdtemp(prefix="round-", dir=scratch)
        self.disk = tempfile.mkdtemp(prefix="round-", dir=disk) if disk else None
        self.figures, self.limits = {}, {}

    def play(self):
        try:
            self.tree_tasks()
            self.clear()
            self.big_tasks()
        finally:
            self.clear()
            os.rmdir(self.scratch)
        return {"figures": self.figures, "limits": self.limits, "big_bytes": self.data.big_bytes}

    def clear(self):
        """Removes all that the round wrote on the memory disk, between its halves and at its end: never just before a
        task. On a real disk everything stays until the end of the run: for five minutes ext4 looks at every inode that
        was removed before it takes another, which is then most of the time of whoever makes files."""
        for name in os.listdir(self.scratch):
            shutil.rmtree(f"{self.scratch}/{name}")
        os.sync()

    def note(self, task, program, figure):
        self.figures.setdefault(task, {})[program] = figure
        stored = f" {figure['stored'] / 1e6:8.1f} MB stored" if "stored" in figure else ""
        print(f"  {task:<30} {program:<20} {figure['wall']:7.2f} s {figure['cpu']:7.2f} s cpu "
              f"{figure['rss'] / 2**20:5.0f} MiB{stored}", flush=True)

    def start(self, programs):
        """Each program begins in turn in one of the rounds: none is always the first to warm the machine."""
        for program in programs:
            program.start()
        first = self.number % len(programs)
        return programs[first:] + programs[:first]

    def programs(self, kind):
        folder = f"{self.scratch}/{kind}"
        return self.start([Mhp(self.binary, f"{folder}-thrifty", "thrifty"), Restic(f"{folder}-restic"),
                           Mhp(self.binary, f"{folder}-normal", "normal"), Borg(f"{folder}-borg")])

    def backup(self, task, program, source):
        before = program.stored_bytes(), program.before_expansion()
        figure = program.backup(source)
        figure["stored"] = program.stored_bytes() - before[0]
        figure["before_expansion"] = program.before_expansion() - before[1]
        if isinstance(program, Mhp):
            figure["packed"] = program.packed_bytes
        self.note(task, program.name, figure)

    def restore(self, task, program, source, base):
        os.sync()  # what others left to be written is not this one's work
        to = f"{base}/back-{program.name.replace(' ', '-')}"
        self.note(task, program.name, program.restore(source, to))
        if self.number == 0:
            compare(source, program.restored(source, to))
        return to

    def tree_tasks(self):
        tree, programs = self.data.tree, self.programs("tree")
        zstd3 = self.start([Mhp(self.binary, f"{self.scratch}/tree-zstd3", "thrifty", 3, ZSTD3)])
        for program in programs:
            self.backup(FIRST_TREE, program, tree)
        self.backup(FIRST_ZSTD3, zstd3[0], tree)
        self.figures[FIRST_ZSTD3]["restic"] = self.figures[FIRST_TREE]["restic"]
        limits.walk(tree)
        for program in programs:
            self.backup(AGAIN, program, tree)
        self.limits["walk"] = limits.walk(tree)
        with self.data.changed():
            for program in programs:
                self.backup(CHANGED, program, tree)
            for program in programs:  # on the computer that made the backups, with its caches
                self.note(CHECK_TREE, program.name, program.check())
            self.restore_tasks(programs, tree)

    def restore_tasks(self, programs, tree):
        small = f"{tree}/{self.data.small_file()}"
        for program in programs:
            to = f"{self.scratch}/file-{program.name.replace(' ', '-')}"
            self.note(FILE, program.name, program.restore_file(small, to))
            if self.number == 0:
                compare_file(small, to)
        for program in programs:
            program.forget_caches()
            self.restore(RESTORE_TREE, program, tree, self.scratch)
        if self.disk:
            for program in programs:
                program.forget_caches()
                self.restore(RESTORE_DISK, program, tree, self.disk)

    def big_tasks(self):
        """mhp at normal comes after the others: five gigabytes of its homes beside theirs would fill most of the memory
        disk, and a kernel that looks for memory takes twice the time for whoever writes."""
        *others, normal = sorted(self.programs("big"), key=lambda program: program.name == NORMAL)
        for programs in (others, [normal]):
            self.big_tasks_of(programs)
            for program in programs:
                shutil.rmtree(program.folder)
            os.sync()
        if self.disk:
            self.disk_tasks(self.data.big)

    def big_tasks_of(self, programs):
        big = self.data.big
        for program in programs:
            self.backup(FIRST_BIG, program, big)
        self.limit_tasks(programs)
        for program in programs:
            self.note(CHECK_BIG, program.name, program.check())
        for program in programs:
            program.forget_caches()
            shutil.rmtree(self.restore(RESTORE_BIG, program, big, self.scratch))
        for program in programs:
            if isinstance(program, Mhp):
                self.restore_with_homes_away(program, big)

    def restore_with_homes_away(self, program, big):
        margin = program.margin()
        program.forget_caches()
        program.set_away(margin)
        try:
            shutil.rmtree(self.restore(RESTORE_AWAY, program, big, self.scratch))
        finally:
            program.set_away(margin, away=False)

    def limit_tasks(self, programs):
        """Kernels right after the backups that they are compared with."""
        for program in programs:
            if isinstance(program, Mhp):
                seconds, missing = limits.kernels(self.build, program.status()["n"])
                self.limits[f"kernels {program.name}"] = {"s_per_byte": seconds, "missing": missing}
        self.limits["write to memory"] = limits.write(f"{self.data.big}/big.bin", self.scratch, direct=False)

    def disk_tasks(self, big):
        """Homes on a real disk, beside one writer that goes past the cache."""
        os.sync()
        self.limits["write to disk"] = limits.write(f"{big}/big.bin", self.disk, direct=True)
        program = self.start([Mhp(self.binary, f"{self.disk}/thrifty", "thrifty")])[0]
        self.backup(FIRST_BIG_DISK, program, big)


def compare_file(source, folder):
    """Not measured: the one file came back, wherever below the folder."""
    for base, _, names in os.walk(folder):
        if os.path.basename(source) in names:
            return compare(source, f"{base}/{os.path.basename(source)}")
    raise Failed(f"{source} did not come back below {folder}")


def compare(source, back):
    """Not measured: what came back is what was saved."""
    with contextlib.suppress(Failed):
        quiet(["diff", "-r", "-q", "--no-dereference", source, back])
        return
    raise Failed(f"what came back differs from its source: diff -r --no-dereference {source} {back}")
