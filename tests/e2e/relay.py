# Homes behind routers reach each other through a relay over real sockets; in one network they need none.
import os
import pathlib
import subprocess
import sys
import time

from support import namespaces

PROGRAM = pathlib.Path(os.environ.get("MHP_BIN", "build/release/mhp")).absolute()
ROLES = "src/net/net_test"  # beside the program; ./dev check builds it with sanitizers alone, which serves as well
BUILDS = [PROGRAM.parent, PROGRAM.parent.parent / "dev"]
NET_TEST = pathlib.Path(os.environ.get("MHP_NET_TEST") or
                        next((build / ROLES for build in BUILDS if (build / ROLES).exists()), BUILDS[0] / ROLES))
CALLER_LIMIT_S = 300
# Under sanitizers everything takes ten times as long.
SHARE = 10 if BUILDS[1] in NET_TEST.parents else 1


def roles(machine, role, number, relays=(), **settings):
    """The command that plays a role in the machine's namespace."""
    env = {"MHP_ROLE": role, "MHP_NUMBER": number, "MHP_RELAYS": " ".join(f"{n}@{m.address}" for n, m in relays)}
    env.update({f"MHP_{key.upper()}": value for key, value in settings.items()})
    return ["env", *(f"{key}={value}" for key, value in env.items()), NET_TEST, "--gtest_filter=Role.*"]


def start(machine, role, number, relays=()):
    """Starts it and waits until it says that it is ready."""
    process = machine.start(roles(machine, role, number, relays), stdout=subprocess.PIPE, text=True)
    for line in process.stdout:
        if line.strip() == "ready":
            return process
    raise AssertionError(f"{role} {number} did not begin: exit {process.wait()}")


def call(machine, number, relays=(), during=None, **settings):
    """Plays a caller; `during` is called meanwhile. What it says."""
    process = machine.start(roles(machine, "caller", number, relays, **settings), stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True)
    if during:
        during()
    out, _ = process.communicate(timeout=CALLER_LIMIT_S)
    assert process.returncode == 0, out
    for line in out.splitlines():
        if "MB/s" in line or line.startswith("relay") or " port " in line:
            print("  " + line)


def two_routers(internet, first, second):
    """A home behind each router, and two relays that anybody can dial."""
    relays = [(number, internet.public(f"pub{number}")) for number in (3, 4)]
    a = internet.behind(internet.router("ra", **first), "a")
    b = internet.behind(internet.router("rb", **second), "b")
    running = [start(machine, "relay", number) for number, machine in relays]
    start(b, "home", 2, relays)
    return a, b, relays, running


def through_masquerade():
    with namespaces.Internet() as internet:
        a, _, relays, _ = two_routers(internet, {}, {})
        call(a, 1, relays, home=2, rounds=10 // SHARE, bytes=(64 << 20) // SHARE, way="relay", failures=0)


def through_symmetric_routers():
    with namespaces.Internet() as internet:
        kind = {"kind": "symmetric", "refusal": "reset"}
        a, _, relays, _ = two_routers(internet, kind, kind)
        call(a, 1, relays, home=2, rounds=max(1, 4 // SHARE), bytes=(64 << 20) // SHARE, way="relay", failures=0)


def a_relay_is_killed():
    with namespaces.Internet() as internet:
        a, _, relays, running = two_routers(internet, {}, {"kind": "symmetric"})

        def kill_one():
            time.sleep(3)
            busiest = max(running, key=lambda process: cpu_ticks(process.pid))
            busiest.kill()
        call(a, 1, relays, kill_one, home=2, rounds=400 // SHARE, bytes=4 << 20, way="relay", failures=20)
        assert sum(process.poll() is None for process in running) == 1


def cpu_ticks(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


def in_one_network():
    with namespaces.Internet() as internet:
        router = internet.router("ra")
        a, b = internet.behind(router, "a"), internet.behind(router, "b")
        router.unplug()  # there is no internet at all
        start(b, "relay", 2)
        call(a, 1, home=2, rounds=10 // SHARE, bytes=(64 << 20) // SHARE, way="direct", failures=0)


def main():
    reason = namespaces.why_not() or ("" if NET_TEST.exists() else f"there is no {NET_TEST} (set MHP_NET_TEST)")
    if reason:
        print(f"skipped: {reason}")
        return namespaces.SKIPPED
    for case in (in_one_network, through_masquerade, through_symmetric_routers, a_relay_is_killed):
        began = time.monotonic()
        print(case.__name__)
        case()
        print(f"  held, {time.monotonic() - began:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
