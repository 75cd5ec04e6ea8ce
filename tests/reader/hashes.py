# BLAKE3 from its own C sources, which are compiled at the start: Debian has no Python package of it.
import ctypes
import glob
import os
import platform
import shutil
import subprocess
import tempfile

SOURCES = "/usr/share/cargo/registry/blake3-*/c"  # of Debian's librust-blake3-dev
NO_SIMD = ["-DBLAKE3_NO_SSE2", "-DBLAKE3_NO_SSE41", "-DBLAKE3_NO_AVX2", "-DBLAKE3_NO_AVX512", "-DBLAKE3_USE_NEON=0"]


def compile_library(path):
    """Writes the shared library to `path`. Takes about a second."""
    folders = sorted(glob.glob(SOURCES))
    compiler = next(filter(None, map(shutil.which, ("cc", "gcc", "clang", "clang-19"))), None)
    if not folders or not compiler:
        raise SystemExit(f"this needs a C compiler and BLAKE3's sources ({SOURCES}: Debian's librust-blake3-dev)")
    names = ["blake3.c", "blake3_dispatch.c", "blake3_portable.c"]
    simd = platform.machine() == "x86_64"
    if simd:
        names += [f"blake3_{kind}_x86-64_unix.S" for kind in ("sse2", "sse41", "avx2", "avx512")]
    files = [os.path.join(folders[-1], name) for name in names]
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", *([] if simd else NO_SIMD), "-o", path, *files], check=True)


def load():
    """MHP_READER_BLAKE3 may name the library, so that it is not compiled for each run."""
    ready = os.environ.get("MHP_READER_BLAKE3")
    if ready:
        return ctypes.CDLL(ready)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "blake3.so")
        compile_library(path)
        return ctypes.CDLL(path)


LIBRARY = None
STATE_BYTES = 4096  # more than the hasher's state has in any version so far (1.3.1: 1,912)


def run(start, parts):
    global LIBRARY
    if LIBRARY is None:
        LIBRARY = load()
    state = ctypes.create_string_buffer(STATE_BYTES)
    start(LIBRARY, state)
    for part in parts:
        part = bytes(part)
        LIBRARY.blake3_hasher_update(state, part, ctypes.c_size_t(len(part)))
    out = ctypes.create_string_buffer(32)
    LIBRARY.blake3_hasher_finalize(state, out, ctypes.c_size_t(32))
    return out.raw


def blake3(*parts):
    return run(lambda library, state: library.blake3_hasher_init(state), parts)


def keyed(key, *parts):
    assert len(key) == 32
    return run(lambda library, state: library.blake3_hasher_init_keyed(state, key), parts)


def derive_key(context, *parts):
    text = context.encode()
    size = ctypes.c_size_t(len(text))
    return run(lambda library, state: library.blake3_hasher_init_derive_key_raw(state, text, size), parts)
