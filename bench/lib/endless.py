#!/usr/bin/python3
# A file system for measuring memory over any amount of data: a big file made on the fly, and homes that keep no rows.
"""endless.py MOUNTPOINT BYTES: mounts until it is killed or unmounted (fusermount -u). Needs FUSE and python3-pyfuse3.

/source/big.bin has BYTES bytes that are made when they are read, no two chunks alike. Everything else is memory, with
one difference: of files that end in ".log" only the first block is kept. Whoever writes to them is told that all is
well, so a backup does all its work; nothing of it can be read back.
"""
import errno
import os
import stat
import struct
import sys

import pyfuse3
import trio

BLOCK = 4096
UNIT = 64 << 10  # each begins with its own number: no chunk, which has several, is like another
POOL_UNITS = 1024


class Node:
    def __init__(self, inode, mode, size=0):
        self.inode, self.mode, self.size = inode, mode, size
        self.data = bytearray()
        self.children = {}
        self.generated = self.dropped = False


class Endless(pyfuse3.Operations):
    supports_dot_lookup = False
    enable_writeback_cache = False

    def __init__(self, source_bytes):
        super().__init__()
        self.pool = os.urandom(POOL_UNITS * UNIT)
        self.nodes = {}
        root = self.make(stat.S_IFDIR | 0o700)
        assert root.inode == pyfuse3.ROOT_INODE
        source = root.children[b"source"] = self.make(stat.S_IFDIR | 0o700)
        big = source.children[b"big.bin"] = self.make(stat.S_IFREG | 0o600)
        big.size, big.generated = source_bytes, True
        self.names = {}  # of open folders: they must not change while they are read

    def make(self, mode):
        inode = len(self.nodes) + 1
        node = self.nodes[inode] = Node(inode, mode)
        return node

    def attributes(self, node):
        entry = pyfuse3.EntryAttributes()
        entry.st_ino, entry.st_mode, entry.st_size = node.inode, node.mode, node.size
        entry.st_nlink, entry.st_uid, entry.st_gid, entry.st_blksize = 1, os.getuid(), os.getgid(), BLOCK
        entry.st_blocks = (node.size + 511) // 512
        entry.st_atime_ns = entry.st_mtime_ns = entry.st_ctime_ns = 1_700_000_000_000_000_000
        entry.entry_timeout = entry.attr_timeout = 1
        return entry

    def child(self, parent, name):
        node = self.nodes[parent].children.get(name)
        if node is None:
            raise pyfuse3.FUSEError(errno.ENOENT)
        return node

    async def lookup(self, parent, name, ctx=None):
        return self.attributes(self.child(parent, name))

    async def getattr(self, inode, ctx=None):
        return self.attributes(self.nodes[inode])

    async def setattr(self, inode, attr, fields, fh, ctx):
        node = self.nodes[inode]
        if fields.update_size:
            del node.data[attr.st_size:]
            node.size = attr.st_size
        return self.attributes(node)

    def new_child(self, parent, name, mode):
        if name in self.nodes[parent].children:
            raise pyfuse3.FUSEError(errno.EEXIST)
        node = self.nodes[parent].children[name] = self.make(mode)
        node.dropped = name.endswith(b".log")
        return node

    async def mkdir(self, parent, name, mode, ctx):
        return self.attributes(self.new_child(parent, name, stat.S_IFDIR | mode & 0o7777))

    async def create(self, parent, name, mode, flags, ctx):
        node = self.new_child(parent, name, stat.S_IFREG | mode & 0o7777)
        return pyfuse3.FileInfo(fh=node.inode), self.attributes(node)

    async def open(self, inode, flags, ctx):
        return pyfuse3.FileInfo(fh=inode)

    async def read(self, fh, offset, length):
        node = self.nodes[fh]
        length = max(0, min(length, node.size - offset))
        if node.generated:
            return self.generate(offset, length)
        kept = bytes(node.data[offset:offset + length])
        return kept + bytes(length - len(kept))

    def generate(self, offset, length):
        first, last = offset // UNIT, (offset + length + UNIT - 1) // UNIT
        parts = []
        for unit in range(first, last):
            at = unit % POOL_UNITS * UNIT
            parts += [struct.pack("<Q", unit), self.pool[at + 8:at + UNIT]]
        skipped = offset - first * UNIT
        return b"".join(parts)[skipped:skipped + length]

    async def write(self, fh, offset, data):
        node = self.nodes[fh]
        kept = data[:max(0, BLOCK - offset)] if node.dropped else data
        if kept:
            node.data.extend(bytes(max(0, offset + len(kept) - len(node.data))))
            node.data[offset:offset + len(kept)] = kept
        node.size = max(node.size, offset + len(data))
        return len(data)

    async def flush(self, fh):
        pass

    async def release(self, fh):
        pass

    async def fsync(self, fh, datasync):
        pass

    async def fsyncdir(self, fh, datasync):
        pass

    async def releasedir(self, fh):
        self.names.pop(fh, None)

    async def opendir(self, inode, ctx):
        handle = max(self.names, default=0) + 1
        self.names[handle] = list(self.nodes[inode].children.items())
        return handle

    async def readdir(self, fh, start, token):
        for at, (name, node) in list(enumerate(self.names[fh]))[start:]:
            if not pyfuse3.readdir_reply(token, name, self.attributes(node), at + 1):
                return

    async def unlink(self, parent, name, ctx):
        self.child(parent, name)
        del self.nodes[parent].children[name]

    async def rmdir(self, parent, name, ctx):
        if self.child(parent, name).children:
            raise pyfuse3.FUSEError(errno.ENOTEMPTY)
        del self.nodes[parent].children[name]

    async def rename(self, parent, name, new_parent, new_name, flags, ctx):
        node = self.child(parent, name)
        del self.nodes[parent].children[name]
        self.nodes[new_parent].children[new_name] = node

    async def statfs(self, ctx):
        told = pyfuse3.StatvfsData()
        told.f_bsize = told.f_frsize = BLOCK
        told.f_blocks = told.f_bfree = told.f_bavail = 1 << 34
        told.f_files = told.f_ffree = told.f_favail = 1 << 20
        told.f_namemax = 255
        return told

    async def listxattr(self, inode, ctx):
        return []

    async def getxattr(self, inode, name, ctx):
        raise pyfuse3.FUSEError(pyfuse3.ENOATTR)


def main(mountpoint, source_bytes):
    pyfuse3.init(Endless(source_bytes), mountpoint, {"fsname=endless"})
    try:
        print("mounted", flush=True)
        trio.run(pyfuse3.main)
    finally:
        pyfuse3.close(unmount=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
