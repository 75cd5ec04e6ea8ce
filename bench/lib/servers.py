# Processes that run beside the measured command: started, metered (/proc), ended; a network with nobody else in it.
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time

from .measure import Failed

TICKS = os.sysconf("SC_CLK_TCK")
ALONE = "MHP_BENCH_ALONE"  # set in the process that has loopback for itself
PATIENCE_S = 120


def be_alone():
    """Starts this program anew in a network of its own, where every byte on loopback is ours. Where the system lets
    nobody have one it goes on as it is, and bytes on the wire are not told."""
    if os.environ.get(ALONE) or not shutil.which("unshare") or not shutil.which("ip"):
        return
    for unshare in (["unshare", "--net"], ["unshare", "--net", "--map-root-user"]):
        trial = subprocess.run([*unshare, "ip", "link", "set", "lo", "up"], capture_output=True, check=False)
        if trial.returncode == 0:
            inside = 'ip link set lo up && exec "$0" "$@"'
            os.environ[ALONE] = "1"
            os.execvp("unshare", [*unshare, "sh", "-c", inside, sys.executable, *sys.argv])


def wire_bytes():
    """Bytes that loopback has carried, with the heads of packets; None where others use it too."""
    if not os.environ.get(ALONE):
        return None
    with open("/proc/net/dev") as lines:
        return next(int(line.split(":")[1].split()[0]) for line in lines if line.strip().startswith("lo:"))


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_until(holds, what):
    """`holds` is asked again and again until it is true."""
    until = time.monotonic() + PATIENCE_S
    while not holds():
        if time.monotonic() > until:
            raise Failed(f"{what}: not within {PATIENCE_S} s")
        time.sleep(0.02)


def stat_of(pid):
    """(pid of its parent, processor seconds of it and of its children that have ended)"""
    with open(f"/proc/{pid}/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return int(fields[1]), sum(map(int, fields[11:15])) / TICKS


def family(pids):
    """These processes and all that descend from them, with processor seconds."""
    everybody = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError):  # it has just ended
                everybody[int(name)] = stat_of(name)
    ours = set(pids)
    while True:
        more = {pid for pid, (parent, _) in everybody.items() if parent in ours} - ours
        if not more:
            return {pid: everybody[pid][1] for pid in ours if pid in everybody}
        ours |= more


def peak_of(pid):
    with open(f"/proc/{pid}/status") as lines:
        return next((int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM")), 0)


class Meter:
    """Between its making and read(): what processes and the wire did."""

    def __init__(self, pids):
        self.pids = pids
        self.cpu = family(pids)
        for pid in self.cpu:
            with open(f"/proc/{pid}/clear_refs", "w") as file:
                file.write("5")  # the peak begins anew (proc(5))
        self.wire, self.began = wire_bytes(), time.monotonic()

    def read(self):
        wall = time.monotonic() - self.began
        now = family(self.pids)
        figure = {"wall": wall, "cpu": sum(now.values()) - sum(self.cpu.get(pid, 0) for pid in now),
                  "rss": sum(map(peak_of, now))}
        if self.wire is not None:
            figure["wire"] = wire_bytes() - self.wire
        return figure


class Servers:
    """Processes with their output in files of `folder`."""

    def __init__(self, folder):
        self.folder, self.running = folder, {}
        os.makedirs(folder, exist_ok=True)

    def start(self, name, command, env=None):
        with open(self.log(name), "ab") as log:
            self.running[name] = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def log(self, name):
        return f"{self.folder}/{name}.log"

    def said(self, name):
        with open(self.log(name), errors="replace") as log:
            return log.read()

    def wait_for(self, name, text):
        """Until its log has `text`. Returns the log."""
        def there():
            if self.running[name].poll() is not None:
                raise Failed(f"{name} has ended:\n{self.said(name)[-3000:]}")
            return text in self.said(name)
        wait_until(there, f"{name} says {text!r}")
        return self.said(name)

    def pids(self):
        return [process.pid for process in self.running.values()]

    def stop(self, names=None):
        for name in list(names or self.running):
            process = self.running.pop(name)
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
