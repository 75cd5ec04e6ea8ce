# Writes the entries of a snapshot below a folder, so that nothing in it can lead out of that folder.
import os
import stat

from tree import BLOCK_DEVICE, CHARACTER_DEVICE, FIFO, FILE, FOLDER, LINK, content_chunks
from wire import need

NO_FOLLOW = os.O_NOFOLLOW | os.O_CLOEXEC


class Restore:
    """`warn` is told of owners and attributes that this user or file system cannot have."""

    def __init__(self, index, target, warn):
        self.index, self.warn = index, warn
        self.top = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
        self.folders = []  # entries whose times are set when everything is in them
        self.parent, self.parent_handle = b"", self.top
        self.files = self.bytes = self.sizes = 0

    def run(self, entries):
        for entry in entries:
            name = self.enter(entry.path)
            if entry.kind == FOLDER:
                os.mkdir(name, 0o700)
                self.folders.append(entry)
                continue
            self.files += 1
            if entry.extra is not None and entry.extra.hard_link_to:
                self.link(entry.extra.hard_link_to, entry.path)
                continue
            self.sizes += entry.size if entry.kind == FILE else 0
            self.make(entry, name)
            self.attributes(entry, name)
        for entry in reversed(self.folders):
            self.attributes(entry, self.enter(entry.path))

    def enter(self, path):
        """A name that can be used for what `path` names, without a link on its way; until the next call."""
        parent, _, name = path.rpartition(b"/")
        if parent != self.parent:
            if self.parent_handle != self.top:
                os.close(self.parent_handle)
            self.parent, self.parent_handle = parent, self.open_folder(parent)
        return b"/proc/self/fd/%d/%s" % (self.parent_handle, name)

    def open_folder(self, path):
        handle = self.top
        for name in path.split(b"/") if path else []:
            try:
                below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | NO_FOLLOW, dir_fd=handle)
            except FileNotFoundError:  # a folder above what was saved, which is no entry itself
                os.mkdir(name, 0o755, dir_fd=handle)
                below = os.open(name, os.O_RDONLY | os.O_DIRECTORY | NO_FOLLOW, dir_fd=handle)
            if handle != self.top:
                os.close(handle)
            handle = below
        return handle

    def link(self, first, path):
        first_parent, _, first_name = first.rpartition(b"/")
        source = self.open_folder(first_parent)
        try:
            name = self.enter(path)
            os.link(b"/proc/self/fd/%d/%s" % (source, first_name), name, follow_symlinks=False)
        finally:
            if source != self.top:
                os.close(source)

    def make(self, entry, name):
        if entry.kind == FILE:
            self.make_file(entry, name)
        elif entry.kind == LINK:
            need(entry.extra is not None and entry.extra.link_target, "a symbolic link without target")
            os.symlink(entry.extra.link_target, name)
        elif entry.kind == FIFO:
            os.mkfifo(name, 0o600)
        else:
            kind = {CHARACTER_DEVICE: stat.S_IFCHR, BLOCK_DEVICE: stat.S_IFBLK}.get(entry.kind, stat.S_IFSOCK)
            os.mknod(name, kind | 0o600, entry.extra.rdev if entry.extra is not None else 0)

    def make_file(self, entry, name):
        handle = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | NO_FOLLOW, 0o600)
        try:
            os.ftruncate(handle, entry.size)
            extra = entry.extra
            extents = list(zip(extra.extent_offset, extra.extent_bytes)) if extra is not None else []
            if not extents and entry.chunks:
                extents = [(0, entry.size)]
            at, left = extents.pop(0) if extents else (0, 0)
            for chunk in content_chunks(self.index, entry):
                while chunk:
                    if left == 0:
                        need(extents, f"{entry.path!r} has more content than it has room for")
                        at, left = extents.pop(0)
                    written = os.pwrite(handle, chunk[:left], at)
                    self.bytes += written
                    chunk, at, left = chunk[written:], at + written, left - written
            need(left == 0 and not extents, f"{entry.path!r} has less content than its length")
        finally:
            os.close(handle)

    def attributes(self, entry, name):
        """Owner first, since a new owner takes capabilities and set-id bits away; times last."""
        try:
            os.chown(name, entry.uid, entry.gid, follow_symlinks=False)
        except PermissionError:
            self.warn(f"{entry.path!r}: its owner {entry.uid}:{entry.gid} cannot be set")
        if entry.extra is not None:
            for key, value in zip(entry.extra.xattr_name, entry.extra.xattr_value):
                try:
                    os.setxattr(name, key, value, follow_symlinks=False)
                except OSError as problem:
                    self.warn(f"{entry.path!r}: extended attribute {key!r}: {problem.strerror}")
        if entry.kind != LINK:
            os.chmod(name, entry.mode & 0o7777)
        os.utime(name, ns=(entry.mtime_ns, entry.mtime_ns), follow_symlinks=False)
