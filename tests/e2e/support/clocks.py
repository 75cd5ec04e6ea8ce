# Runs of the program whose clock is another: libfaketime.
import pathlib

from support import world

FAKETIME = next((path for path in pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1")), None)


def clock_at(when):
    """Environment for a run whose clock is at `when`: "+9d", or "@2026-11-28 10:00:00" at its start."""
    if FAKETIME is None:
        raise world.Skip("libfaketime is not installed (tools/packages.txt)")
    return {"LD_PRELOAD": str(FAKETIME), "FAKETIME": when, "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "NO_FAKE_STAT": "1"}  # files keep their own times
