# Measures one command: wall, user and system seconds, peak memory; counts stored bytes; tells free space.
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time


class Failed(Exception):
    """A measured command did not do its work; the text says which, and what it said."""


def timed(command, env=None, cwd=None, allowed=(0,)):
    """Runs a command to its end. wall, user, system: seconds; rss: peak bytes of its largest process; output: what it
    printed. The command is ended when the caller is interrupted."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        child = subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=errors)
        try:
            _, status, used = os.wait4(child.pid, 0)
        except BaseException:
            child.send_signal(signal.SIGKILL)
            child.wait()
            raise
        wall = time.monotonic() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        errors.seek(0)
        if child.returncode not in allowed:
            said = errors.read().decode(errors="replace")[-3000:]
            raise Failed(f"{' '.join(command)}: exit code {child.returncode}\n{said}")
        return {"wall": wall, "user": used.ru_utime, "system": used.ru_stime, "cpu": used.ru_utime + used.ru_stime,
                "rss": used.ru_maxrss * 1024, "output": out.read().decode(errors="replace")}


def quiet(command, env=None):
    """Runs what is not measured; its output is kept and shown when it fails. Returns what it printed."""
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{' '.join(command)}: exit code {done.returncode}\n{done.stderr[-3000:]}")
    return done.stdout


def bytes_below(folder):
    """Lengths of all files, summed: what a copy of the folder elsewhere would hold."""
    return sum(os.lstat(os.path.join(where, name)).st_size for where, _, names in os.walk(folder) for name in names)


def kind_of_disk(folder):
    """Type of the file system as in /proc/mounts: ext4, tmpfs, overlay..."""
    folder = os.path.realpath(folder)
    best = ("", "?")
    with open("/proc/mounts") as mounts:
        for line in mounts:
            _, where, kind = line.split()[:3]
            if (folder + "/").startswith(where.rstrip("/") + "/") and len(where) >= len(best[0]):
                best = (where, kind)
    return best[1]


def free_bytes(folder):
    """What may be written below it; on a memory disk no more than the memory that is free."""
    free = shutil.disk_usage(folder).free
    if kind_of_disk(folder) == "tmpfs":
        with open("/proc/meminfo") as memory:
            free = min([free] + [int(line.split()[1]) << 10 for line in memory if line.startswith("MemAvailable")])
    return free


def end_on_signals():
    """Ctrl-C, a kill or a closed terminal end the run as an exception, so that everything is cleaned up."""
    def end(number, _frame):
        sys.exit(128 + number)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, end)
