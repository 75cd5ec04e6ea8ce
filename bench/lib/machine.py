# Says what was measured, and on what: processor, memory, kernel, versions, commit, date.
import os
import platform
import subprocess
import time

from .measure import kind_of_disk, quiet


def first_match(path, start):
    with open(path) as lines:
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(start)), "?")


def commit(root):
    """The commit of the source, with a mark where files differ from it."""
    done = subprocess.run(["git", "-C", root, "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"],
                          capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def distribution():
    with open("/etc/os-release") as lines:
        names = dict(line.rstrip().split("=", 1) for line in lines if "=" in line)
    return names.get("PRETTY_NAME", "?").strip('"')


def describe(binary, root, scratch, disk, others=True):
    memory_kib = int(first_match("/proc/meminfo", "MemTotal").split()[0])
    facts = {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "processor": f"{first_match('/proc/cpuinfo', 'model name')}, {os.cpu_count()} cores",
        "memory": f"{memory_kib / 2**20:.0f} GiB",
        "system": f"{distribution()}, Linux {platform.release()}",
        "repositories": f"on {kind_of_disk(scratch)}",
        "disk": kind_of_disk(disk) if disk else "none",
        "mhp": f"{quiet([binary, '--version']).split()[1]}, commit {commit(root)}",
        "load before": f"{os.getloadavg()[0]:.1f}",
    }
    if others:
        facts["restic"] = quiet(["restic", "version"]).strip()
        facts["Borg"] = quiet(["borg", "--version"]).split()[1]
    return facts
