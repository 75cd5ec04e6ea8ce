# The independent reader restores what the program has saved: of each plan with `margin` homes missing, at each level,
# after repair, after recovery, from homes that lie; bit-exact, and the same as the program's own restore.
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]
import hashes
from support import homes, trees, world
from support.world import PARTLY, REFUSED, TOO_FEW

MARGIN = {1: 0, 3: 1, 5: 2, 10: 6}  # at level normal
MODULES = "import cryptography, nacl, numpy, zstandard"
KIB, MIB = 1 << 10, 1 << 20


def interpreter():
    """A Python that has what the reader needs: this one, or Debian's."""
    for python in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([python, "-c", MODULES], stderr=subprocess.DEVNULL).returncode == 0:
            return python
    sys.exit(f"no Python here can do this: {MODULES} (tools/packages.txt)")


PYTHON = interpreter()
LIBRARY = tempfile.TemporaryDirectory(prefix="mhp-reader-")
FORGE = """import sys
sys.path.insert(0, sys.argv[1])
import forging, homes
getattr(forging, sys.argv[3])(homes.Home(sys.argv[2], print), sys.stdin.buffer.read())"""


def environment():
    """With BLAKE3 compiled once for all runs."""
    path = pathlib.Path(LIBRARY.name) / "blake3.so"
    if not path.exists():
        hashes.compile_library(path)
    return os.environ | {"MHP_READER_BLAKE3": str(path)}


def read(w, vault, *options, left=None, code=0, phrase=None):
    """One run of the reader: (where it wrote, the run)."""
    target = w.folder / f"read-{w.counts.get('runs of the reader', 0)}"
    command = [PYTHON, "-B", HERE / "read_vault.py", "--phrase-file", phrase or vault.phrase, "--to", target, *options]
    for home in vault.homes if left is None else left:
        command += ["--home", home]
    began = time.monotonic()
    run = subprocess.run(command, capture_output=True, env=environment())
    w.count("runs of the reader")
    run = world.Run(command, run.returncode, run.stdout.decode(errors="backslashreplace"),
                    run.stderr.decode(errors="backslashreplace"), time.monotonic() - began)
    w.equal(run.code, code, f"the reader's exit code\n{run}")
    return target, run


def check_read(w, vault, wanted, what, *options, left=None):
    """`wanted`: path -> tree. The reader brings back exactly this; returns the folder with it."""
    target, run = read(w, vault, *options, left=left)
    w.check("the snapshot says" not in run.err, f"{what}: the snapshot's numbers are right\n{run}")
    for path, tree in wanted.items():
        trees.check_same(w, tree, target / path.relative_to("/"), what)
    return target, run


def check_both(w, vault, wanted, what, left):
    """The reader's folder and the program's are the same, folders above what was saved included."""
    gone = [home for home in vault.homes if home not in left]
    read_to, _ = check_read(w, vault, wanted, what, left=left)
    for home in gone:
        vault.take_away(home)
    back, _ = vault.restore()
    for home in gone:
        vault.bring_back(home)
    ours, theirs = trees.tree_of(back), trees.tree_of(read_to)
    ours.pop(b""), theirs.pop(b"")  # the folders that were there before
    found = trees.differences(ours, theirs)
    w.check(not found, f"{what}: the program and the reader differ:\n      " + "\n      ".join(found))
    world.remove_tree(back)
    world.remove_tree(read_to)


def forge(what, home, device_secret):
    subprocess.run([PYTHON, "-B", "-c", FORGE, HERE, home, what], input=device_secret, check=True, env=environment())


def homes_and_trees(w):
    """Two snapshots of everything a tree can have; `margin` homes are missing."""
    source = w.folder / "source"
    trees.make_everything(source, w.random)
    trees.write(source / "20 MB", w.random.randbytes(20_000_000))
    trees.make_files(source / "many", w.random, 600, 2 * KIB)
    first = trees.tree_of(source)
    vaults = {number: w.vault(number) for number in MARGIN}
    snapshots = {number: vault.backup(source)["snapshot"] for number, vault in vaults.items()}
    trees.write(source / "20 MB", w.random.randbytes(3_000_000))
    os.rename(source / "links" / "first", source / "links" / "was first")
    os.unlink(source / "many" / "folder-001" / "file-00050")
    second = {source: trees.tree_of(source)}
    for number, vault in vaults.items():
        margin = vault.backup(source)["margin"]
        w.equal(margin, MARGIN[number], f"margin of {number} homes")
        left = w.random.sample(vault.homes, number - margin)
        check_both(w, vault, second, f"{number} homes, {margin} missing", left)
        if number == 5:
            read_to, _ = check_read(w, vault, {source: first}, "the earlier snapshot", "--snapshot",
                                    snapshots[number][:8], left=left)
            world.remove_tree(read_to)
        w.note(f"{number} homes, {margin} missing: the same")


def levels(w):
    for level in ("thrifty", "normal", "strong"):
        source = w.folder / level
        trees.make_files(source, w.random, 100, 40 * KIB)
        wanted = {source: trees.tree_of(source)}
        vault = world.Vault(w, w.folder / f"vault-{level}", 6, level=level)
        margin = vault.backup(source)["margin"]
        left = w.random.sample(vault.homes, len(vault.homes) - margin)
        check_both(w, vault, wanted, f"level {level}", left)


def repaired_and_recovered(w):
    """Homes are lost and replaced, the computer too: new rows, newer cards, a second epoch and a revoked device."""
    source = w.folder / "source"
    trees.make_files(source, w.random, 200, 30 * KIB)
    first, vault = {source: trees.tree_of(source)}, w.vault(5)
    snapshot = vault.backup(source)["snapshot"]
    for home in vault.homes[:2]:
        shutil.rmtree(home)
        vault.mhp("home", "remove", "--lost", home.name)
    del vault.homes[:2]
    for _ in range(3):
        vault.add_home(f"fresh-{len(vault.homes)}")
    vault.mhp("repair")
    check_both(w, vault, first, "after repair", w.random.sample(vault.homes, 6 - vault.status()["margin"]))
    vault.lose_state()
    vault.recover(vault.homes[-1])
    trees.write(source / "later", w.random.randbytes(MIB))
    margin = vault.backup(source)["margin"]
    left = w.random.sample(vault.homes, 6 - margin)
    check_both(w, vault, {source: trees.tree_of(source)}, "after recovery", left)
    check_read(w, vault, first, "what the lost computer had saved", "--snapshot", snapshot, left=left)


def recovered_apart(w):
    """Two recoveries that saw different homes: vault records of two devices, each with keys that the other lacks."""
    source = w.folder / "source"
    trees.make_files(source, w.random, 30, 30 * KIB)
    vault, states = w.vault(2), {}
    vault.backup(source)
    for home, other in (vault.homes, vault.homes[::-1]):
        vault.take_away(other)
        vault.lose_state()
        vault.recover(home)
        trees.write(source / home.name, w.random.randbytes(MIB))
        states[vault.backup(source, code=TOO_FEW)["snapshot"]] = {source: trees.tree_of(source)}
        vault.bring_back(other)
    for snapshot, wanted in states.items():
        check_read(w, vault, wanted, "what one of the two saved", "--snapshot", snapshot)


def forgotten(w):
    """Two computers save and forget beside each other: the reader lists what the program lists, and brings it back."""
    source = w.folder / "source"
    trees.make_files(source, w.random, 50, 20 * KIB)
    vault, other, kept = w.vault(3), w.folder / "other-state", {}
    for state in (vault.state, other, vault.state, other):
        if state == other and not other.exists():
            w.run("recover", "--phrase-file", vault.phrase, "--home", vault.homes[0], "--keep-devices", state=other)
        trees.write(source / "changes", w.random.randbytes(2 * MIB))
        snapshot = w.run("--json", "backup", source, state=state).json["snapshot"]
        kept[snapshot] = {source: trees.tree_of(source)}
    for state in (vault.state, other):
        oldest = next(iter(kept))
        w.run("forget", oldest, state=state)
        kept.pop(oldest)
    _, run = read(w, vault, "--list")
    for snapshot in vault.snapshots():
        w.check(snapshot["id"][:8] in run.out, f"listed by both: {snapshot['id'][:8]}\n{run}")
    w.equal(len(run.out.splitlines()), len(kept), f"no more is listed\n{run}")
    for snapshot, wanted in kept.items():
        read_to, _ = check_read(w, vault, wanted, "after forgetting", "--snapshot", snapshot)
        world.remove_tree(read_to)


def damaged(w):
    """Rotten rows, lost indexes and identities are worked around; too little, or a wrong phrase, is refused."""
    source = w.folder / "source"
    trees.make_files(source, w.random, 100, 30 * KIB)
    wanted, vault = {source: trees.tree_of(source)}, w.vault(5)
    vault.backup(source)
    for home in vault.homes:
        (home / "index").unlink()
    rotten, away, nameless = vault.homes[:3]
    for row in homes.rows_in(rotten):
        homes.flip_row(row, w.random)
    homes.flip_byte(nameless / "mhp-home", w.random.randrange(128), w.random)
    left = [home for home in vault.homes if home is not away]
    _, run = check_read(w, vault, wanted, "one home rotten, one missing, one without its identity", left=left)
    w.check(str(rotten) in run.err and str(nameless) in run.err, f"the damaged homes are named\n{run}")
    worst, _ = homes.worst_homes(vault.homes, 3)
    _, run = read(w, vault, left=[home for home in vault.homes if home not in worst], code=TOO_FEW)
    w.check("12 are needed" in run.err, f"it says what is missing\n{run}")
    other = w.vault(1)
    read(w, vault, phrase=other.phrase, code=TOO_FEW)
    wrong = w.folder / "wrong.txt"
    wrong.write_text(" ".join(reversed(vault.words.split())) + "\n")
    _, run = read(w, vault, phrase=wrong, code=REFUSED)
    w.check(vault.words.split()[3] not in run.out + run.err, "the phrase is not shown")


def lying(w):
    """One home shows an old state, another has cards that a thief signed with the key of a device that was shut out."""
    source = w.folder / "source"
    trees.make_files(source, w.random, 50, 20 * KIB)
    vault = w.vault(3)
    vault.backup(source)
    stolen = (vault.state / "device").read_bytes()
    vault.lose_state()
    vault.recover(vault.homes[0])
    vault.backup(source)
    old, spoiled, _ = vault.homes
    shutil.copytree(old / "vaults", w.folder / "vaults")
    trees.write(source / "later", w.random.randbytes(MIB))
    vault.backup(source)
    shutil.rmtree(old / "vaults")
    shutil.copytree(w.folder / "vaults", old / "vaults")
    forge("spoil_cards", spoiled, stolen)
    _, run = check_read(w, vault, {source: trees.tree_of(source)}, "with an old and a spoiled home")
    w.check(f"{old} (" in run.err and "has head 1 of 2" in run.err, f"the old home is named\n{run}")
    w.check("version 1000000" in run.err, f"the forged cards were seen\n{run}")
    back, run = vault.restore()
    trees.check_same(w, trees.tree_of(source), back / source.relative_to("/"), "the program, with both homes")
    # The program reads logs by its own rules: forged cards contradict those that came with rows, and do not count.
    w.check("card" not in run.err, f"the forged cards are seen by nobody\n{run}")
    report = vault.check(code={0, 1})
    w.check(not report["ok"], f"check says that a home contradicts the others: {report}")


def stolen_computer(w):
    """A stolen computer that reaches one home once writes false keys for the phrase there: the words stay enough."""
    for number_of_computers in (1, 2):
        source, vault = w.folder / f"source-{number_of_computers}", w.vault(3)
        trees.make_files(source, w.random, 20, 20 * KIB)
        vault.backup(source)
        stolen = (vault.state / "device").read_bytes()
        evil, *others = vault.homes
        if number_of_computers == 2:
            vault.lose_state()  # by the thief
            vault.mhp("recover", "--phrase-file", vault.phrase, "--home", evil, "--keep-devices")
        genuine = {path: path.read_bytes() for home in others for path in home.glob("vaults/*/record-*")}
        forge("spoil_record", evil, stolen)
        if number_of_computers == 2:
            trees.write(source / "later", w.random.randbytes(40 * KIB))
            vault.backup(source)
            w.check(all(path.read_bytes() == record for path, record in genuine.items()), "it is carried to no home")
        vault.lose_state()
        wanted = {source: trees.tree_of(source)}
        check_read(w, vault, wanted, "with the evil home")
        check_read(w, vault, wanted, "without it", left=others)
        if number_of_computers == 2:
            check_read(w, vault, wanted, "from that alone", left=[evil, others[0]])
        for home in (*others, evil):  # of one computer the evil home alone knows no other
            state = w.folder / f"state-{number_of_computers}-{home.name}"
            vault.mhp("recover", "--phrase-file", vault.phrase, "--home", home, state=state)
            back = w.folder / f"back-{number_of_computers}-{home.name}"
            vault.mhp("restore", "--no-sync", "latest", "--to", back, state=state)
            trees.check_same(w, wanted[source], back / source.relative_to("/"), f"recovered from {home.name}")


def stolen_only_computer(w):
    """Who has copied the state folder of the only computer puts a false record on every home: its owner goes on, and
    the words bring everything back."""
    for forgery in ("spoil_record", "lock_out"):
        source, vault = w.folder / f"source-{forgery}", w.vault(3)
        trees.make_files(source, w.random, 20, 20 * KIB)
        vault.backup(source)
        stolen = (vault.state / "device").read_bytes()
        for home in vault.homes:
            forge(forgery, home, stolen)
        trees.write(source / "later", w.random.randbytes(40 * KIB))
        vault.backup(source)
        w.equal((vault.status()["state"], vault.check()["ok"]), ("safe", True), "the owner goes on")
        for home in vault.homes:
            forge(forgery, home, stolen)
        vault.lose_state()
        wanted = {source: trees.tree_of(source)}
        check_read(w, vault, wanted, "with false records everywhere")
        options = [word for home in vault.homes for word in ("--home", home)]
        run = vault.mhp("--json", "recover", "--phrase-file", vault.phrase, *options, code=PARTLY)
        w.equal(len(run.json["older_records"]), 1, f"it is said\n{run}")
        w.check(all(home.name in run.json["older_records"][0] for home in vault.homes), f"homes are named\n{run}")
        w.equal((run.json["snapshots"], run.json["unread"]), (2, []), f"nothing is missing\n{run}")
        back, _ = vault.restore()
        trees.check_same(w, wanted[source], back / source.relative_to("/"), "recovered")
        vault.backup(source)
        vault.lose_state()
        run = vault.mhp("--json", "recover", "--phrase-file", vault.phrase, "--home", vault.homes[0])
        w.equal(run.json["older_records"], [], f"mended for good\n{run}")


def nothing_dropped(w):
    """What recoveries must not drop the reader does not drop: homes that were away, a state that was put back, and
    what an owner distrusts stays out."""
    source, vault = w.folder / "source", w.vault(2)
    one, other = vault.homes

    def save(there, name):
        for home in vault.homes:
            if home.exists() and home not in there:
                vault.take_away(home)
            elif home in there and not home.exists():
                vault.bring_back(home)
        trees.write(source / name, w.random.randbytes(40 * KIB))
        snapshot = vault.backup(source, code={0, TOO_FEW})["snapshot"]
        states[snapshot] = {source: trees.tree_of(source)}

    def check(what):
        for home in vault.homes:
            if not home.exists():
                vault.bring_back(home)
        _, run = read(w, vault, "--list")
        w.equal(sorted(line.split()[0] for line in run.out.splitlines()), sorted(states), f"{what}: listed")
        for snapshot, wanted in states.items():
            target, _ = check_read(w, vault, wanted, what, "--snapshot", snapshot)
            world.remove_tree(target)
        return run

    states = {}
    trees.make_files(source, w.random, 20, 20 * KIB)
    save([one, other], "first")
    shutil.copytree(vault.state, w.folder / "copy", symlinks=True)
    save([one], "second")
    vault.lose_state()
    shutil.move(w.folder / "copy", vault.state)
    save([other], "another second")
    run = check("two histories")
    w.check("a fork" in run.err, f"it is named\n{run}")
    vault.lose_state()
    vault.recover(one)
    run = check("two histories, taken in")
    w.check("a fork" not in run.err, f"nobody is blamed\n{run}")
    save([one], "on the newer home")
    vault.lose_state()
    vault.recover(one, code=PARTLY)  # the other history was called good, and is away
    save([other], "by one who has read it, on the other")
    check("covered by what was seen only")
    time.sleep(1.1)  # homes note the second
    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    time.sleep(1.1)
    good = dict(states)
    save([one, other], "by a thief")
    for options in ([], ["--as-of", date], []):  # the plain one first: it calls the thief's state good
        vault.lose_state()
        vault.mhp("recover", "--phrase-file", vault.phrase, "--home", one, *options)
    states = good
    run = check("as of a date")
    w.check("came after" in run.err, f"what is left out is named\n{run}")


def golden(w):
    """The reader takes every example of tests/golden that it has a use for."""
    run = subprocess.run([PYTHON, "-B", HERE / "golden.py"], capture_output=True, text=True, env=environment())
    w.equal(run.returncode, 0, f"golden.py\n{run.stdout}{run.stderr}")
    w.note(run.stdout.strip())


if __name__ == "__main__":
    world.main(homes_and_trees, levels, repaired_and_recovered, recovered_apart, forgotten, damaged, lying,
               stolen_computer, stolen_only_computer, nothing_dropped, golden)
