# Golden vaults: what one is, how a tree of files is written down, and what must be the same when it comes back.
import hashlib
import io
import json
import os
import pathlib
import stat
import tarfile
import typing
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link", stat.S_IFIFO: "fifo"}


class Golden(typing.NamedTuple):
    """NAME.tar.xz (homes/ and state/), NAME.phrase and NAME.json beside each other."""
    archive: pathlib.Path
    phrase: pathlib.Path
    manifest: pathlib.Path

    @property
    def name(self):
        return f"{self.manifest.parent.name}/{self.manifest.stem}"


def golden(folder, name):
    return Golden(*(folder / f"{name}.{suffix}" for suffix in ("tar.xz", "phrase", "json")))


def all_golden():
    """All that there are, of all releases."""
    return [golden(path.parent, path.stem) for path in sorted(HERE.glob("*/*.json"))]


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def files_of(top):
    """Relative path -> length and hash of every file below it."""
    found = {}
    for path in sorted(top.rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            found[path.relative_to(top).as_posix()] = [len(content), sha256(content)]
    return found


def pack(top):
    """An archive of a folder: the same files give the same bytes."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:xz") as tar:
        for path in sorted(top.rglob("*")):
            info = tar.gettarinfo(path, path.relative_to(top).as_posix())
            info.mtime = info.uid = info.gid = 0
            info.uname = info.gname = ""
            with open(path, "rb") if path.is_file() else io.BytesIO() as content:
                tar.addfile(info, content)
    return out.getvalue()


def unpack(archive, into):
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:xz") as tar:
        tar.extractall(into)


def entry_of(full, info):
    """All of one name that must come back; what is not there is left out."""
    kind = KINDS[stat.S_IFMT(info.st_mode)]
    entry = {"kind": kind, "mode": f"{stat.S_IMODE(info.st_mode):04o}", "uid": info.st_uid, "gid": info.st_gid,
             "mtime_ns": info.st_mtime_ns}
    if kind == "file":
        entry |= {"bytes": info.st_size, "sha256": sha256(pathlib.Path(os.fsdecode(full)).read_bytes())}
    if kind == "link":
        entry["target"] = urllib.parse.quote(os.readlink(full))
    xattrs = {name: os.getxattr(full, name, follow_symlinks=False).hex()
              for name in sorted(os.listxattr(full, follow_symlinks=False))}
    return entry | ({"xattrs": xattrs} if xattrs else {})


def tree_of(top):
    """Every name below `top` (in per cent; "" is itself) and all it has. Of names of one file the first is told."""
    tree, first = {}, {}

    def visit(full, name):
        info = os.lstat(full)
        tree[name] = entry_of(full, info)
        if stat.S_ISDIR(info.st_mode):
            for child in sorted(os.listdir(full)):
                visit(full + b"/" + child, f"{name}/{urllib.parse.quote(child)}".lstrip("/"))
        elif info.st_nlink > 1:
            tree[name]["same_as"] = first.setdefault((info.st_dev, info.st_ino), name)

    visit(os.fsencode(top), "")
    return tree


def takes_xattrs(folder):
    """Some file systems do not."""
    probe = folder / "takes-xattrs"
    probe.touch()
    try:
        os.setxattr(probe, "user.probe", b"1")
        return True
    except OSError:
        return False
    finally:
        probe.unlink()


def differences(wanted, got, without=()):
    """What is not the same, in words. `without`: fields that cannot come back here."""
    found = []
    for name in sorted(wanted.keys() | got.keys()):
        a, b = ({key: value for key, value in tree.get(name, {}).items() if key not in without}
                for tree in (wanted, got))
        if a != b:
            found.append(f"{name or '(itself)'}: is {b or 'missing'}, was {a or 'not there'}")
    return found


def read_manifest(one):
    return json.loads(one.manifest.read_text())
