# Trees of files: made from a seed with everything a file can have, and compared in all that a restore must bring back.
import array
import hashlib
import os
import shutil
import socket
import stat
import subprocess
import typing

IS_ROOT = os.getuid() == 0
KIB, MIB, TIB = 1 << 10, 1 << 20, 1 << 40
BLOCK = 4096


class Entry(typing.NamedTuple):
    """All that must come back of one name. Times of reading and of change of the inode cannot."""
    kind: str
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    size: int        # of a file
    content: str     # hash of a file's bytes
    target: bytes    # of a symbolic link
    xattrs: tuple    # (name, value), sorted; ACLs are among them
    links: tuple     # all names of a file that has several in this tree
    rdev: int        # of a device node
    holes: bool      # much less is stored than its size


KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link", stat.S_IFIFO: "fifo",
         stat.S_IFCHR: "char device", stat.S_IFBLK: "block device", stat.S_IFSOCK: "socket"}


def data_parts(file, size):
    """(offset, end) of what is stored of a file with holes."""
    at = 0
    while at < size:
        try:
            at = os.lseek(file, at, os.SEEK_DATA)
        except OSError:
            return  # only a hole is left
        end = os.lseek(file, at, os.SEEK_HOLE)
        yield at, end
        at = end


def content_hash(path, size, holes):
    """Of all bytes; where there are holes, of the blocks that are not zero and where they are."""
    digest = hashlib.blake2b(digest_size=16)
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    try:
        if not holes:
            while part := os.read(file, MIB):
                digest.update(part)
            return digest.hexdigest()
        for begin, end in data_parts(file, size):
            for at in range(begin // BLOCK * BLOCK, end, BLOCK):
                block = os.pread(file, BLOCK, at)
                if block.count(0) != len(block):
                    digest.update(at.to_bytes(8, "little") + block)
        return digest.hexdigest()
    finally:
        os.close(file)


def xattrs_of(path):
    return tuple(sorted((name, os.getxattr(path, name, follow_symlinks=False))
                        for name in os.listxattr(path, follow_symlinks=False)))


def entry_of(path, info, read):
    kind = KINDS[stat.S_IFMT(info.st_mode)]
    is_file = kind == "file"
    holes = is_file and info.st_size >= MIB and info.st_blocks * 512 < info.st_size // 2
    return Entry(kind=kind, mode=stat.S_IMODE(info.st_mode), uid=info.st_uid, gid=info.st_gid,
                 mtime_ns=info.st_mtime_ns,
                 size=info.st_size if is_file else 0,
                 content=content_hash(path, info.st_size, holes) if is_file and read and info.st_size else "",
                 target=os.readlink(path) if kind == "link" else b"", xattrs=xattrs_of(path), links=(),
                 rdev=info.st_rdev if kind.endswith("device") else 0, holes=holes)


def tree_of(path, read=True):
    """Every name below `path` (bytes, relative; b"" is itself) and all it has. `read`: with the content of files."""
    top = os.fsencode(path)
    entries, groups = {}, {}

    def visit(full, name):
        info = os.lstat(full)
        entries[name] = entry_of(full, info, read)
        if stat.S_ISDIR(info.st_mode):
            for child in sorted(os.listdir(full)):
                visit(full + b"/" + child, name + b"/" + child if name else child)
        elif info.st_nlink > 1:
            groups.setdefault((info.st_dev, info.st_ino), []).append(name)

    visit(top, b"")
    for names in groups.values():
        if len(names) > 1:
            for name in names:
                entries[name] = entries[name]._replace(links=tuple(sorted(names)))
    return entries


def differences(wanted, got, limit=12):
    """What is not the same, in words; empty: nothing."""
    found = []
    for name in sorted(wanted.keys() | got.keys()):
        shown = os.fsdecode(name)[-120:] if name else "(itself)"
        if name not in got or name not in wanted:
            found.append(f"{shown!r}: {'is missing' if name not in got else 'was not there'}")
        else:
            for field, a, b in zip(Entry._fields, wanted[name], got[name]):
                if a != b:
                    found.append(f"{shown!r}: {field} is {b!r}, was {a!r}")
        if len(found) >= limit:
            return found + ["..."]
    return found


def check_same(world, wanted, path, what):
    """`wanted`: as tree_of gave it before."""
    got = tree_of(path)
    if not IS_ROOT:  # who may not give files away gets them as their own
        wanted, got = ({name: entry._replace(uid=0, gid=0) for name, entry in tree.items()} for tree in (wanted, got))
    found = differences(wanted, got)
    world.check(not found, f"{what}: {len(found)} differences, such as\n      " + "\n      ".join(found))
    world.count("files compared", len(got))
    world.count("bytes compared", sum(entry.size for entry in got.values() if not entry.holes))


# --- making ---

def write(path, content, mode=0o644):
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, mode)


WORDS = [b"home", b"cloud", b"vault", b"snapshot", b"fragment", b"segment", b"margin", b"card", b"repair", b"restore"]


def text(random, size):
    """Something that compresses."""
    words = random.choices(WORDS, k=1000)
    line = b" ".join(words) + b"\n"
    return (line * (size // len(line) + 1))[:size]


def make_files(path, random, files, size, fraction_text=0.3):
    """`files` files of `size` bytes on average, over folders of 50."""
    for number in range(files):
        folder = os.path.join(path, f"folder-{number // 50:03}")
        os.makedirs(folder, exist_ok=True)
        length = max(1, int(random.expovariate(1 / size))) if files > 20 else size
        content = text(random, length) if random.random() < fraction_text else random.randbytes(length)
        write(os.path.join(folder, f"file-{number:05}"), content)


def make_names(top, random):
    names = [b"with space", b"-dash", b"...", b"caf\xe9 latin-1", b"\xff\xfe\xfd", "na\u00efve \U0001f3e0".encode(),
             b"line\nbreak", b"tab\tand\rreturn", b"\x1b[31mred\x1b[0m", b"\x1b]0;title\x07", b"\xe2\x80\xaeturned",
             b"back\\slash", b"quote'\"`$(x)", b"*", b"a" * 255, b"\xe9" * 255, b"con", b"CACHE", b"mhp-home", b"logs",
             b".hidden"]
    os.mkdir(top)
    for name in names:
        write(os.path.join(top, name), b"named " + name)
        os.mkdir(os.path.join(top, b"d" + name[:254]))
        write(os.path.join(top, b"d" + name[:254], name), random.randbytes(100))
    deep = top
    for level in range(40):
        deep = os.path.join(deep, b"deep-%02d" % level + b"x" * 30)
        os.mkdir(deep)
    write(os.path.join(deep, b"at the end"), b"deep")


def make_sizes(top, random):
    os.mkdir(top)
    edges = [4 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB]
    for size in [0, 1, 2, 100] + [edge + more for edge in edges for more in (-1, 0, 1)]:
        write(os.path.join(top, b"size-%d" % size), random.randbytes(size))
    write(os.path.join(top, b"text"), text(random, 3 * MIB))
    write(os.path.join(top, b"same as text"), text(random, 3 * MIB))
    write(os.path.join(top, b"zeros"), bytes(2 * MIB))
    write(os.path.join(top, b"big"), random.randbytes(9 * MIB))
    parts = {b"holes": (20 * MIB, [(5 * MIB, 5000), (19 * MIB, MIB)]), b"hole only": (8 * MIB, []),
             b"hole first": (5 * MIB, [(5 * MIB - 10, 10)]),
             b"a TiB of hole": (TIB, [(TIB // 2, 100)])}
    for name, (size, extents) in parts.items():
        with open(os.path.join(top, name), "wb") as file:
            for offset, length in extents:
                file.seek(offset)
                file.write(random.randbytes(length))
            file.truncate(size)


def make_modes(top):
    os.mkdir(top)
    modes = [0o644, 0o600, 0o755, 0o4755, 0o2755, 0o6711, 0o444, 0o1644] + ([0o000, 0o200] if IS_ROOT else [])
    for mode in modes:
        write(os.path.join(top, b"mode-%04o" % mode), b"%04o" % mode, mode)
    for mode in [0o755, 0o700, 0o2775, 0o1777, 0o555] + ([0o000] if IS_ROOT else []):
        folder = os.path.join(top, b"folder-%04o" % mode)
        os.mkdir(folder)
        write(os.path.join(folder, b"inside"), b"inside")
        os.chmod(folder, mode)
    if IS_ROOT:
        for uid, gid in [(1234, 4321), (0, 100), (65534, 65534), (3_000_000_000, 3_000_000_001)]:
            path = os.path.join(top, b"owner-%d" % uid)
            write(path, b"owned")
            os.chown(path, uid, gid)
            os.chmod(path, 0o6755)


def make_times(top):
    os.mkdir(top)
    for ns in [0, 1, 999_999_999, 1_234_567_890_123_456_789, -1, -1_000_000_001, 4_102_444_800_000_000_001]:
        path = os.path.join(top, b"time-%d" % ns)
        write(path, b"time")
        os.utime(path, ns=(ns, ns))


def make_links(top):
    os.makedirs(os.path.join(top, b"sub"))
    first = os.path.join(top, b"first")
    write(first, b"one file, three names")
    os.link(first, os.path.join(top, b"second"))
    os.link(first, os.path.join(top, b"sub", b"third"))
    empty = os.path.join(top, b"sub", b"empty 1")
    write(empty, b"")
    os.link(empty, os.path.join(top, b"empty 2"))
    targets = {b"to file": b"first", b"to folder": b"sub", b"dangling": b"nowhere", b"absolute": b"/etc/passwd",
               b"up": b"../../..",
               b"long": b"x/" * 1500 + b"end", b"bytes": b"\xff\xe9\n\x1b", b"itself": b"itself"}
    for name, target in targets.items():
        os.symlink(target, os.path.join(top, name))
        os.utime(os.path.join(top, name), ns=(5, 1_111_111_111_222_222_222), follow_symlinks=False)


def make_specials(top):
    os.mkdir(top)
    os.mkfifo(os.path.join(top, b"fifo"), 0o640)
    with socket.socket(socket.AF_UNIX) as unix:
        there = os.getcwd()
        os.chdir(top)  # a socket's path may not be long
        try:
            unix.bind("socket")
        finally:
            os.chdir(there)
    if IS_ROOT:
        for name, kind, device in [(b"char", stat.S_IFCHR, os.makedev(1, 3)),
                                   (b"block", stat.S_IFBLK, os.makedev(7, 300))]:
            try:
                os.mknod(os.path.join(top, name), 0o640 | kind, device)
            except PermissionError:
                pass  # a container without the right


def capability():
    """security.capability with cap_net_raw, as file systems keep it (version 2)."""
    return array.array("I", [0x02000001, 1 << 13, 0, 0, 0]).tobytes()


def try_xattr(path, name, value, follow=True):
    """Some file systems and containers take fewer of them: then the tree has fewer."""
    try:
        os.setxattr(path, name, value, follow_symlinks=follow)
    except OSError:
        pass


def make_xattrs(top, random):
    os.mkdir(top)
    for name in [b"file", b"folder", b"acl file", b"acl folder", b"capable", b"trusted"]:
        path = os.path.join(top, name)
        os.mkdir(path) if name.endswith(b"folder") else write(path, b"attributes")
    for path in (os.path.join(top, b"file"), os.path.join(top, b"folder")):
        try_xattr(path, b"user.text", "h\u00e9llo".encode())
        try_xattr(path, b"user.empty", b"")
        try_xattr(path, b"user.binary", bytes(range(256)))
        try_xattr(path, b"user.long", random.randbytes(1500))
    if shutil.which("setfacl"):
        for rule, name in [("u:1234:rw,g:4321:r,m::rw", b"acl file"),
                           ("u:1234:rwx,d:u:1234:rx,d:g:99:rwx", b"acl folder")]:
            subprocess.run(["setfacl", "-m", rule, os.path.join(top, name)], check=True)
        write(os.path.join(top, b"acl folder", b"heir"), b"has the folder's default")
        os.mkdir(os.path.join(top, b"acl folder", b"heir folder"))
    if IS_ROOT:
        os.symlink(b"file", os.path.join(top, b"link"))
        try_xattr(os.path.join(top, b"link"), b"trusted.link", b"of the link itself", follow=False)
        try_xattr(os.path.join(top, b"trusted"), b"trusted.key", b"trusted value")
        os.chown(os.path.join(top, b"capable"), 1234, 1234)
        try_xattr(os.path.join(top, b"capable"), b"security.capability", capability())


def make_everything(path, random):
    """A tree that has everything a file can have, as far as this user and file system allow."""
    top = os.fsencode(path)
    os.makedirs(top)
    make_names(os.path.join(top, b"names"), random)
    make_sizes(os.path.join(top, b"sizes"), random)
    make_modes(os.path.join(top, b"modes"))
    make_times(os.path.join(top, b"times"))
    make_links(os.path.join(top, b"links"))
    make_specials(os.path.join(top, b"specials"))
    make_xattrs(os.path.join(top, b"xattrs"), random)
    os.mkdir(os.path.join(top, b"empty folder"))
    for root, folders, _ in os.walk(top, topdown=False):
        for folder in folders:
            full = os.path.join(root, folder)
            if not os.path.islink(full):
                os.utime(full, ns=(0, random.randrange(1 << 60)))
