# Small internets of network namespaces on one computer: public machines, routers, homes behind them.
import os
import shutil
import signal
import subprocess
import sys

SKIPPED = 77  # exit status that ctest takes for "not run"
PUBLIC = "203.0.113."    # whom anybody can dial; documentation addresses, RFC 5737
ROUTERS = "198.51.100."  # of another network
PUBLIC_V6 = "2001:db8:ffff::"  # both of them, where there is IPv6; RFC 3849
STOP_S = 5


def why_not():
    """Why no namespaces can be made here; empty: they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "nft"):
        if shutil.which(tool) is None:
            return f"the program {tool} is missing (packages iproute2, nftables)"
    name = f"mhp{os.getpid():x}try"
    if subprocess.run(["ip", "netns", "add", name], capture_output=True).returncode != 0:
        return "this computer lets nobody make network namespaces"
    subprocess.run(["ip", "netns", "delete", name], check=False)
    return ""


class Machine:
    """One namespace. Processes started in it end with it."""

    def __init__(self, internet, name):
        self.internet = internet
        self.name = name
        self.space = f"{internet.prefix}{name}"
        self.address = ""
        self.started = []
        run(["ip", "netns", "add", self.space])
        self.ip("link", "set", "lo", "up")
        # Addresses are there at once, not after the system has looked for others that have them.
        self.run(["sysctl", "-qw", "net.ipv6.conf.all.accept_dad=0", "net.ipv6.conf.default.accept_dad=0"])

    def ip(self, *args):
        run(["ip", "-n", self.space, *args])

    def add_address(self, address, interface="eth0"):
        self.ip("address", "add", address, "dev", interface)

    def run(self, args, **options):
        """Runs a program here to its end."""
        return run(["ip", "netns", "exec", self.space, *map(str, args)], **options)

    def start(self, args, **options):
        """Starts a program here; it is ended with the machine. Its pid is that of the program itself."""
        process = subprocess.Popen(["ip", "netns", "exec", self.space, *map(str, args)], **options)
        self.started.append(process)
        return process

    def unplug(self):
        """Its cable is pulled: nothing passes, nobody is told."""
        self.ip("link", "set", "eth0", "down")

    def plug_in(self):
        self.ip("link", "set", "eth0", "up")
        if self.gateway:
            self.ip("route", "replace", "default", "via", self.gateway)

    gateway = ""
    address_v6 = ""

    def remove(self):
        for process in self.started:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.started:
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        subprocess.run(["ip", "netns", "delete", self.space], check=False)


class Switch(Machine):
    """A local network: whatever is plugged in hears the others."""

    def __init__(self, internet, name):
        super().__init__(internet, name)
        self.ports = 0
        self.ip("link", "add", "bridge", "type", "bridge", "mcast_snooping", "0")
        self.ip("link", "set", "bridge", "up")

    def plug(self, machine, interface, address):
        """A cable between the switch and the machine's `interface`, which gets the address ("10.1.0.2/24")."""
        self.ports += 1
        port = f"port{self.ports}"
        self.ip("link", "add", port, "type", "veth", "peer", "name", interface, "netns", machine.space)
        self.ip("link", "set", port, "master", "bridge", "up")
        machine.add_address(address, interface)
        machine.ip("link", "set", interface, "up")


class Router(Machine):
    """Lets those behind it out under its own address, and nobody in. `v6`: it also gives each of them an IPv6 address
    of its own that is known everywhere, and lets nobody in by that one either."""

    def __init__(self, internet, name, number, kind, refusal, v6):
        super().__init__(internet, name)
        self.number, self.v6 = number, v6
        self.homes = 0
        self.lan = Switch(internet, name + "lan")
        self.lan.plug(self, "lan", f"10.{number}.0.1/24")
        self.run(["sysctl", "-qw", "net.ipv4.ip_forward=1"])
        if v6:
            self.run(["sysctl", "-qw", "net.ipv6.conf.all.forwarding=1"])
            self.add_address(f"{self.inside_v6}1/64", "lan")
        how = {"masquerade": "masquerade", "symmetric": "masquerade random,fully-random"}[kind]
        no = {"drop": "drop", "reset": "reject with tcp reset"}[refusal]
        reject = f'iifname "eth0" meta l4proto tcp {no}' if refusal == "reset" else f'iifname "eth0" {no}'
        self.rules = f"""table ip nat {{
  chain out {{
    type nat hook postrouting priority srcnat
    oifname "eth0" {how}
  }}
}}
table inet filter {{
  chain through {{
    type filter hook forward priority filter
    policy accept
    ct state established,related accept
    {reject}
  }}
  chain own {{
    type filter hook input priority filter
    policy accept
    ct state established,related accept
    icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert }} accept
    {reject}
  }}
}}
"""

    @property
    def inside_v6(self):
        return f"2001:db8:{self.number}::"

    def close(self):
        """Once it is plugged in."""
        self.run(["nft", "-f", "-"], input=self.rules, text=True)


class Internet:
    """Builds and, at the end of a `with`, removes it all. Names are unique to this process."""

    def __init__(self):
        self.prefix = f"mhp{os.getpid():x}"
        self.machines = []
        self.in_front = []  # plugged into the middle: public machines, and routers
        self.routers = 0
        self.middle = None

    def __enter__(self):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that it is removed then too
        try:
            self.middle = self.keep(Switch(self, "mid"))
        except BaseException:
            self.remove()
            raise
        return self

    def __exit__(self, *_):
        self.remove()

    def keep(self, machine):
        self.machines.append(machine)
        return machine

    def remove(self):
        for machine in reversed(self.machines):
            machine.remove()
        self.machines.clear()

    def plug_into_middle(self, machine, network, other):
        self.in_front.append(machine)
        number = len(self.in_front)
        machine.address = f"{network}{number}"
        self.middle.plug(machine, "eth0", machine.address + "/24")
        machine.ip("route", "add", other + "0/24", "dev", "eth0")
        machine.address_v6 = f"{PUBLIC_V6}{number:x}"
        machine.add_address(machine.address_v6 + "/64")
        for router in self.in_front:
            self.lead(machine, router)
            self.lead(router, machine)

    @staticmethod
    def lead(router, machine):
        """The way from the machine to the IPv6 addresses behind the router."""
        if router is not machine and getattr(router, "v6", False):
            machine.ip("route", "replace", router.inside_v6 + "/64", "via", router.address_v6)

    def public(self, name):
        """A machine that anybody can dial."""
        machine = self.keep(Machine(self, name))
        self.plug_into_middle(machine, PUBLIC, ROUTERS)
        return machine

    def router(self, name, kind="masquerade", refusal="drop", v6=False):
        """`kind`: masquerade keeps ports where it can, symmetric draws a new one for each connection. `refusal`: how
        those are answered who want in: drop or reset. `v6`: see Router."""
        self.routers += 1
        router = Router(self, name, self.routers, kind, refusal, v6)
        self.keep(router.lan)
        self.keep(router)
        self.plug_into_middle(router, ROUTERS, PUBLIC)
        router.close()
        return router

    def behind(self, router, name):
        """A machine in the router's local network."""
        machine = self.keep(Machine(self, name))
        router.homes += 1
        machine.address = f"10.{router.number}.0.{router.homes + 1}"
        machine.gateway = f"10.{router.number}.0.1"
        router.lan.plug(machine, "eth0", machine.address + "/24")
        machine.ip("route", "add", "default", "via", machine.gateway)
        if router.v6:
            machine.address_v6 = f"{router.inside_v6}{router.homes + 1:x}"
            machine.add_address(machine.address_v6 + "/64")
            machine.ip("route", "add", "default", "via", router.inside_v6 + "1")
        return machine


def run(args, **options):
    """As subprocess.run; what fails is told with its words."""
    done = subprocess.run(args, capture_output=True, **options)
    if done.returncode != 0:
        err = done.stderr if isinstance(done.stderr, str) else done.stderr.decode(errors="replace")
        raise RuntimeError(f"{' '.join(map(str, args))}: exit {done.returncode}: {err.strip()}")
    return done


def try_it():
    """Two routers, two machines behind the first, one behind the second, one public: who reaches whom."""
    def reaches(machine, address):
        connect = f"import socket; socket.create_connection(({address!r}, 99), 1)"
        return subprocess.run(["ip", "netns", "exec", machine.space, sys.executable, "-c", connect],
                              capture_output=True).returncode == 0

    def listen(machine):
        serve = ("import socket; s = socket.create_server(('', 99), family=socket.AF_INET6, dualstack_ipv6=True); "
                 "print(flush=True)\nwhile True: s.accept()")
        machine.start([sys.executable, "-c", serve], stdout=subprocess.PIPE).stdout.readline()

    with Internet() as internet:
        public = internet.public("pub")
        first = internet.router("ra", v6=True)
        second = internet.router("rb", kind="symmetric", refusal="reset", v6=True)
        a, beside, b = internet.behind(first, "a"), internet.behind(first, "a2"), internet.behind(second, "b")
        for machine in (public, a, beside, b):
            listen(machine)
        assert reaches(a, public.address) and reaches(b, public.address) and reaches(a, beside.address)
        assert not reaches(public, a.address) and not reaches(a, b.address)
        assert reaches(a, public.address_v6) and reaches(a, beside.address_v6), "IPv6, out and inside"
        assert not reaches(public, a.address_v6) and not reaches(a, b.address_v6), "IPv6, in"
        a.unplug()
        assert not reaches(a, public.address)
        a.plug_in()
        assert reaches(a, public.address)
        prefix = internet.prefix
    left = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True).stdout
    assert prefix not in left, left
    print("namespaces: built, tried and removed")


if __name__ == "__main__":
    reason = why_not()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    try_it()
