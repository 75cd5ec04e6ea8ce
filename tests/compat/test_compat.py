# Golden vaults of all releases come back bit-exact, with `margin` homes missing: by the program of today, from 24 words
# and as the computer that wrote them, and by the independent reader; and they can be written on.
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
READER = HERE.parent / "reader"
sys.path[:0] = [str(HERE), str(READER), str(HERE.parent / "e2e")]
import test_reader
import vaults
from support import homes, trees, world
from support.world import DONE, TOO_FEW


class Copy:
    """A golden vault, unpacked and checked against its manifest."""

    def __init__(self, w, one):
        self.w, self.one, self.manifest = w, one, vaults.read_manifest(one)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{one.manifest.stem}-", dir=w.folder))
        archive = one.archive.read_bytes()
        w.equal(vaults.sha256(archive), self.manifest["archive_sha256"], f"{one.name}: the archive")
        vaults.unpack(archive, self.folder)
        self.check_unchanged("unpacked")
        self.homes = sorted((self.folder / "homes").iterdir())
        self.state = self.folder / "state"
        self.without = set() if trees.IS_ROOT else {"uid", "gid"}
        if not vaults.takes_xattrs(w.folder):
            self.without.add("xattrs")

    def check_unchanged(self, what):
        self.w.equal(vaults.files_of(self.folder), self.manifest["files"], f"{self.one.name}, {what}: its files")

    def losses(self):
        """Which homes to lose: the worst ones, and others by chance."""
        margin = self.manifest["margin"]
        worst, _ = homes.worst_homes(self.homes, margin)
        return [set(worst), set(self.w.random.sample(self.homes, margin))]

    def lose(self, lost):
        """Those that are left."""
        self.lost, self.away = sorted(lost), self.folder / "away"
        self.away.mkdir()
        for home in self.lost:
            home.rename(self.away / home.name)
        return [home for home in self.homes if home not in lost]

    def find(self):
        for home in self.lost:
            (self.away / home.name).rename(home)
        self.away.rmdir()

    def check(self, restored, snapshot, what):
        got = vaults.tree_of(restored / snapshot["path"].lstrip("/"))
        found = vaults.differences(snapshot["tree"], got, self.without)
        self.w.check(not found, f"{self.one.name}, {what}: {len(found)} differences, such as\n      " +
                     "\n      ".join(found[:10]))
        self.w.count("golden snapshots restored")
        world.remove_tree(restored)


def snapshots_restored(w, copy, state, what):
    """All snapshots of the manifest are listed, and come back by the program."""
    listed = {one["id"] for one in w.run("--json", "snapshots", state=state).json}
    for snapshot in copy.manifest["snapshots"]:
        w.check(snapshot["id"] in listed, f"{copy.one.name}, {what}: snapshot {snapshot['id']} is listed: {listed}")
        target = copy.folder / "back"
        w.run("restore", snapshot["id"], "--to", target, state=state)
        copy.check(target, snapshot, what)


def written_on(w, copy, state, what):
    """The lost homes are back: all is whole, another backup joins it, and both come back."""
    copy.find()
    for home in copy.lost:
        w.run("home", "add", home, state=state)
    report = w.run("--json", "check", "--read-data", state=state, code={DONE, 1}).json
    wrong = (report["rows_missing"], report["rows_bad"], report["homes_bad"])
    w.equal(wrong, (0, 0, []), f"{copy.one.name}, {what}: check {report}")
    source = copy.folder / "source of today"
    trees.make_files(source, w.random, 30, 5_000)
    saved = w.run("--json", "backup", source, state=state).json
    w.equal((saved["errors"], saved["homes"], saved["margin"]), ([], len(copy.homes), copy.manifest["margin"]),
            f"{copy.one.name}, {what}: backup {saved}")
    target = copy.folder / "back"
    w.run("restore", "latest", "--to", target, state=state)
    trees.check_same(w, trees.tree_of(source), target / source.relative_to("/"), f"{copy.one.name}, {what}: new")
    world.remove_tree(target)
    snapshots_restored(w, copy, state, f"{what}, after a backup of today")


def each(w, case):
    """Runs for each golden vault and each loss of homes."""
    golden = vaults.all_golden()
    w.check({vaults.read_manifest(one)["homes"] for one in golden} >= {1, 3, 5, 10}, "there are golden vaults")
    for one in golden:
        for number in range(2 if vaults.read_manifest(one)["margin"] else 1):
            copy = Copy(w, one)
            lost = copy.losses()[number]
            case(w, copy, copy.lose(lost))
            w.note(f"{one.name}, by {copy.manifest['program']}, without {len(lost)} of {len(copy.homes)} homes: fine")
            world.remove_tree(copy.folder)


def reader(w):
    """The independent reader; it changes nothing."""
    def case(w, copy, left):
        for snapshot in copy.manifest["snapshots"]:
            target = copy.folder.parent / f"{copy.folder.name}-back"
            command = [test_reader.PYTHON, "-B", READER / "read_vault.py", "--phrase-file", copy.one.phrase,
                       "--snapshot", snapshot["id"], "--to", target]
            for home in left:
                command += ["--home", home]
            run = subprocess.run(command, capture_output=True, text=True, env=test_reader.environment())
            w.equal(run.returncode, DONE, f"{copy.one.name}: the reader's exit code\n{run.stdout}{run.stderr}")
            copy.check(target, snapshot, "the reader")
        copy.find()
        copy.check_unchanged("after the reader")
    each(w, case)


def recovered(w):
    """From 24 words, on a new computer; then the vault goes on."""
    def case(w, copy, left):
        state = copy.folder / "state of today"
        named = [option for home in left for option in ("--home", home)]
        w.run("recover", "--phrase-file", copy.one.phrase, *named, state=state)
        snapshots_restored(w, copy, state, "recovered")
        written_on(w, copy, state, "recovered")
    each(w, case)


def same_computer(w):
    """The state folder of then is taken as it is; its homes are at other paths now."""
    def case(w, copy, left):
        for home in left:
            w.run("home", "add", home, state=copy.state)
        snapshots_restored(w, copy, copy.state, "its own state folder")
        written_on(w, copy, copy.state, "its own state folder")
    each(w, case)


def one_too_many(w):
    """The manifest's margin is the truth: with the worst `margin` + 1 homes lost nothing is made up."""
    for one in vaults.all_golden():
        copy = Copy(w, one)
        margin = copy.manifest["margin"]
        worst, rows_left = homes.worst_homes(copy.homes, margin + 1)
        w.check(rows_left < 12, f"{one.name}: {rows_left} rows are left")
        left = copy.lose(set(worst))
        if left:
            state = copy.folder / "state of today"
            named = [option for home in left for option in ("--home", home)]
            run = w.run("recover", "--phrase-file", one.phrase, *named, state=state, code=None)
            if run.code == DONE:  # the index could be read; some content cannot
                run = w.run("restore", "latest", "--to", copy.folder / "back", state=state, code=None)
            w.check(run.code in (3, TOO_FEW), f"{one.name}: too few homes are said\n{run}")
        world.remove_tree(copy.folder)


if __name__ == "__main__":
    world.main(reader, recovered, same_computer, one_too_many)
