# Peak memory of a backup of much and of little data: it must not grow with the input.
import contextlib
import os
import pathlib
import subprocess

from .measure import Failed, quiet, timed
from .programs import HOMES

ENDLESS = pathlib.Path(__file__).with_name("endless.py")
PYTHON = "/usr/bin/python3"  # the one that Debian's python3-pyfuse3 is for


def is_possible():
    """Said aloud where it is not."""
    done = subprocess.run([PYTHON, "-c", "import pyfuse3"], capture_output=True, check=False)
    if os.access("/dev/fuse", os.R_OK | os.W_OK) and done.returncode == 0:
        return True
    print("SKIPPED: peak memory of much data: it needs /dev/fuse, its rights, and the package python3-pyfuse3")
    return False


@contextlib.contextmanager
def mounted(folder, source_bytes):
    """A file system with a source of so many bytes, made on the fly, and room for homes that keep no rows."""
    where = f"{folder}/endless"
    os.makedirs(where)
    server = subprocess.Popen([PYTHON, str(ENDLESS), where, str(source_bytes)], stdout=subprocess.PIPE)
    try:
        if server.stdout.readline() != b"mounted\n":
            raise Failed(f"{ENDLESS.name} did not mount: it needs FUSE and the package python3-pyfuse3")
        yield where
    finally:
        subprocess.run(["umount", where], check=False)
        server.wait()
        server.stdout.close()
        os.rmdir(where)


def peak(binary, folder, level, source_bytes):
    """What timed() says of a first backup of so many bytes that do not compress, to homes that keep nothing."""
    state = f"{folder}/state-{source_bytes}"
    env = os.environ | {"MHP_HOME": state}
    with mounted(folder, source_bytes) as where:
        quiet([binary, "init", "--level", level, "--phrase-file", f"{state}.phrase"], env)
        for number in range(HOMES):
            quiet([binary, "home", "add", f"{where}/home-{number}", "--same-disk"], env)
        figure = timed([binary, "backup", "-q", f"{where}/source"], env)
    figure.pop("output")
    return figure


def measure(binary, folder, level, much_gb):
    """Peak of much_gb and of 1 GB; the goal is their ratio."""
    figures = {}
    for gb in (1, much_gb):
        figures[str(gb)] = peak(binary, folder, level, gb * 10**9)
        print(f"  memory of {gb} GB made on the fly, {level}: {figures[str(gb)]['rss'] / 2**20:.0f} MiB, "
              f"{figures[str(gb)]['wall']:.0f} s", flush=True)
    return {"gb": much_gb, "figures": figures, "ratio": figures[str(much_gb)]["rss"] / figures["1"]["rss"]}
