# All that homes hold, searched: no content, name, path, owner, device or length of a small file; and two vaults with
# the same files have nothing in common.
import os
import re

from support import trees, world

WINDOW = 16  # bytes: a shorter run of equal bytes may be chance
ZEROS_IN_FORM = 6  # a window with so many zero bytes is a number or padding of our own formats, not sealed bytes

# Numbers at the start of fragments, records and commit marks, and of what is signed (docs/formats): homes may see them.
FRONTS = re.compile(rb"mhp(?:frag\0|rec\0\0|mark\0)\x01\0.{22}|\x08\x01\x12.{1,3}\x08\x01\x12 ", re.DOTALL)
# Fields 4 to 9 of a card and the start of field 10 (docs/formats/card.md): numbers that homes may see.
CARD_NUMBERS = re.compile(rb" .\(\x0c0.8.{1,4}@.{1,4}H\x80\x9a\x9e\x01R..", re.DOTALL)


def files_of(home):
    """All but the lock: it names the process that held it in decimal, so its bytes and its size are chance."""
    return [path for path in sorted(home.rglob("*")) if path.is_file() and path != home / "lock"]


def home_files(vault):
    return [path for home in vault.homes for path in files_of(home)]


def windows_of(content):
    """All runs of WINDOW bytes but those that say nothing."""
    found = set()
    for at in range(len(content) - WINDOW + 1):
        window = content[at:at + WINDOW]
        if len(set(window)) > 2:
            found.add(window)
    return found


def canaries(w, source):
    """Names and contents that must be found nowhere: random and plain text, big and small files."""
    names = [f"canary-{kind}-{w.random.randrange(1 << 40):x}"
             for kind in ("folder", "text", "small", "random", "link", "target", "xattr")]
    folder = source / names[0]
    folder.mkdir(parents=True)
    words = " ".join(f"{w.random.randrange(1 << 40):x}" for _ in range(3000)).encode()
    small = b"my secret is canary " + w.random.randbytes(12).hex().encode()
    contents = [words, small, w.random.randbytes(40_000)]
    for name, content in zip(names[1:4], contents):
        trees.write(folder / name, content)
    os.symlink(names[5] + "/somewhere", folder / names[4])
    trees.try_xattr(folder / names[3], b"user." + names[6].encode(), b"value of " + names[6].encode())
    trees.write(folder / "compressible", trees.text(w.random, 200_000))
    return names, contents


def found_in(content, needles, windows):
    """What of these is in there, and where; the first few."""
    found = [f"{needle!r} at {content.find(needle)}" for needle in needles if needle in content]
    for at in range(len(content) - WINDOW + 1):
        if content[at:at + WINDOW] in windows:
            found.append(f"{content[at:at + WINDOW]!r} of a file at {at}")
            if len(found) > 5:
                break
    return found


def find_in_homes(w, vault, needles, windows):
    for path in home_files(vault):
        content = path.read_bytes()
        name = str(path.relative_to(vault.folder / "homes")).partition("/")[2].encode()
        found = found_in(content, needles, windows) + found_in(name, needles, windows)
        w.check(not found, f"{path} holds {'; '.join(found)}")
        w.count("bytes of homes searched", len(content))


def secrets_of_device(vault):
    """The keys in the state folder's `device` file: fields 3 and 4, 32 bytes each (docs/formats/state.md)."""
    content = (vault.state / "device").read_bytes()
    return [content[at + 2:at + 34] for tag in (b"\x1a\x20", b"\x22\x20") for at in range(len(content))
            if content[at:at + 2] == tag]


def nothing_readable(w):
    """Homes from 1 to 6: with one and two each holds enough rows, and only the cipher protects."""
    for number in (1, 2, 3, 6):
        vault, source = w.vault(number), w.folder / f"canary-path-{number}-{w.random.randrange(1 << 40):x}"
        names, contents = canaries(w, source)
        host, tag = "canary-computer-name", "canary-snapshot-tag"
        for _ in range(2):
            vault.backup(source, "--host", host, "--tag", tag)
            trees.write(source / "more", contents[2][:20_000])
        vault.lose_state()
        vault.recover(vault.homes[0])
        vault.backup(source)
        vault.mhp("repair")
        texts = [*names, source.name, host, tag, "Ann Owner", str(vault.folder), str(vault.homes[0]),
                 vault.homes[0].name, "compressible",
                 "vault-", *vault.words.split()[:1], " ".join(vault.words.split()[:2])]
        needles = [text.encode() for text in texts if len(text) >= 6] + secrets_of_device(vault)
        windows = set().union(*map(windows_of, contents), windows_of(trees.text(w.random, 500)))
        for path in source.rglob("*"):
            w.check(not path.is_file() or found_in(path.read_bytes(), needles, windows),
                    f"the search sees what is there: {path}")
        find_in_homes(w, vault, needles, windows)
        w.count("windows searched for", len(windows))


def files_of_state(w):
    """The state folder is for its user alone, and keeps no content of files."""
    vault, source = w.vault(3), w.folder / "source"
    _, contents = canaries(w, source)
    vault.backup(source)
    vault.mhp("ls", "-r", "latest")
    vault.restore()
    for path in [vault.state, *vault.state.rglob("*")]:
        w.equal(path.stat().st_mode & 0o077, 0, f"rights of others on {path.relative_to(vault.folder)}")
    w.equal(vault.phrase.stat().st_mode & 0o777, 0o600, "mode of the phrase file")
    for path in home_files(vault):
        w.equal(path.stat().st_mode & 0o077, 0, f"rights of others on {path.relative_to(vault.folder)}")
    windows = set().union(*map(windows_of, contents))
    for path in vault.state.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            hits = [at for at in range(len(content) - WINDOW + 1) if content[at:at + WINDOW] in windows]
            w.check(not hits, f"{path} holds content of a file at {hits[:3]}")


def sizes_in(vault):
    """Sizes of all files of each home; names of vaults and devices differ, so they count by order."""
    return [sorted((str(path.parent.relative_to(home).parts[:1]), path.stat().st_size) for path in files_of(home))
            for home in vault.homes]


def length_of_a_small_file(w):
    """Vaults that differ in the length of a small file, inside one class of sizes, cannot be told apart."""
    for number in (1, 3, 6):
        for low, high in ((1, 2), (10, 5_000), (1_000, 40_000)):
            sizes = []
            for length in (low, high):
                source = w.folder / "source"
                source.mkdir()
                trees.write(source / "file", w.random.randbytes(length))
                os.utime(source / "file", ns=(0, 10**18))
                os.utime(source, ns=(0, 10**18))
                vault = w.vault(number)
                vault.backup(source)
                sizes.append(sizes_in(vault))
                world.remove_tree(source)
            w.equal(sizes[0], sizes[1], f"{number} homes, files of {low} and {high} bytes: sizes of what homes hold")
            w.count("pairs of vaults compared")


def sealed_windows(vault):
    """All windows of what a vault's homes hold but those that are the formats' own."""
    found = {}
    for path in home_files(vault):
        content = path.read_bytes()
        for numbers in (CARD_NUMBERS, FRONTS):
            content = numbers.sub(lambda match: bytes(len(match.group())), content)
        for at in range(len(content) - WINDOW + 1):
            window = content[at:at + WINDOW]
            if window.count(0) < ZEROS_IN_FORM:
                found.setdefault(window, f"{path.relative_to(vault.folder)} at {at}")
    return found


def two_vaults_have_nothing_in_common(w):
    source = w.folder / "source"
    source.mkdir()
    trees.write(source / "random", w.random.randbytes(60_000))
    trees.write(source / "text", trees.text(w.random, 100_000))
    vaults = [w.vault(3), w.vault(3)]
    found = []
    for vault in vaults:
        vault.backup(source)
        found.append(sealed_windows(vault))
    common = found[0].keys() & found[1].keys()
    w.count("windows compared", len(found[0]))
    w.check(not common, f"{len(common)} windows are in both: " + "; ".join(f"{window!r} in {found[0][window]}"
                                                                           for window in sorted(common)[:8]))


if __name__ == "__main__":
    world.main(nothing_readable, files_of_state, length_of_a_small_file, two_vaults_have_nothing_in_common)
