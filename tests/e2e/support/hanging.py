# A drive that hangs: a FUSE file system that nobody serves, so that no call on it returns. Needs root and /dev/fuse.
import contextlib
import ctypes
import os

MNT_DETACH = 2


@contextlib.contextmanager
def hanging_folder(path):
    """While it lasts, every call on `path` hangs. Gives False where this machine cannot have it."""
    libc = ctypes.CDLL(None, use_errno=True)
    try:
        device = os.open("/dev/fuse", os.O_RDWR)
    except OSError:
        yield False
        return
    options = b"fd=%d,rootmode=40000,user_id=0,group_id=0" % device
    try:
        if libc.mount(b"hanging", os.fsencode(path), b"fuse", 0, options) != 0:
            yield False
            return
        try:
            yield True
        finally:
            libc.umount2(os.fsencode(path), MNT_DETACH)
    finally:
        os.close(device)
