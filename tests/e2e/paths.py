# Names and folders at their limits: every byte that a name may hold, names that are reserved somewhere, very many
# entries in one folder.
import os

from support import trees, world

ENTRIES = 50_000       # in one folder; x 20 with MHP_LONG
RANDOM_NAMES = 2_000   # x 20 with MHP_LONG
RESERVED = [b"aux", b"CON", b"nul.txt", b"com1", b"LPT9", b"clock$", b"lost+found", b"$RECYCLE.BIN", b"desktop.ini",
            b".DS_Store", b".git", b"core", b"~", b"~user", b"-", b"--", b"-rf", b"trailing dot.", b"trailing space ",
            b" leading", b"a:b", b"a:stream", b"\\", b"..\\up", b"%2e%2e%2f", b"..a", b"...", b". ", b"name.new",
            b"mhp-home", b"vaults", b"index", b"lock", b"journal", b"device", b"latest", b"latest:x",
            b"\xc0\xae\xc0\xae", b"\xef\xbb\xbfbom", "e\u0301 and \u00e9".encode(), "\u202e gnp.exe".encode(),
            b"\x1b[2J"]


def round_trip(w, source, what):
    vault = w.vault(3)
    wanted = trees.tree_of(source)
    saved = vault.backup(source)
    w.equal(saved["errors"], [], f"{what}: errors of the backup")
    back, run = vault.restore()
    w.equal(run.json["errors"], [], f"{what}: errors of the restore")
    trees.check_same(w, wanted, back / source.relative_to("/"), what)
    outside = sorted(path.name for path in back.iterdir())
    w.equal(outside, [source.relative_to("/").parts[0]], f"{what}: what else stands in the target")
    world.remove_tree(back)
    return len(wanted)


def every_name(w):
    """All bytes but "/" and NUL alone and at the start, middle and end of names; reserved words; random names."""
    source = w.folder / "source"
    top = os.fsencode(source)
    os.mkdir(top)
    names = set(RESERVED)
    for value in range(1, 256):
        byte = bytes([value])
        if byte != b"/":
            names |= {byte, byte + b"x", b"x" + byte + b"x", b"x" + byte, byte * 255}
    names -= {b".", b".."}
    allowed = bytes(value for value in range(1, 256) if value != ord("/"))
    for _ in range(RANDOM_NAMES * (20 if w.long else 1)):
        names.add(b"r" + bytes(w.random.choices(allowed, k=w.random.randrange(1, 255))))
    for number, name in enumerate(sorted(names)):
        path = os.path.join(top, name)
        if number % 7 == 0:
            os.mkdir(path)
            trees.write(os.path.join(path, name), b"inside")
        elif number % 7 == 1:
            os.symlink(name, path)
        else:
            trees.write(path, name)
    w.count("names restored", round_trip(w, source, "every name"))


def many_entries(w):
    """One folder with very many files, most of them empty."""
    source = w.folder / "source"
    source.mkdir()
    entries = ENTRIES * (20 if w.long else 1)
    for number in range(entries):
        with open(source / f"entry-{number:07}", "wb") as file:
            if number % 10 == 0:
                file.write(b"entry %d" % number)
    w.count("entries of one folder", round_trip(w, source, f"{entries:,} entries") - 1)


if __name__ == "__main__":
    world.main(every_name, many_entries)
