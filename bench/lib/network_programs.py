# The programs that are compared over loopback TLS, each with its servers as processes of their own.
import json
import os
import shutil
import subprocess
import urllib.request
import xml.etree.ElementTree

from .measure import Failed, bytes_below, quiet, timed
from .servers import Meter, Servers, free_port, wait_until

HOMES = 5
LEND = "64G"
MHP, RESTIC, SYNCTHING = "mhp thrifty", "restic", "Syncthing"


class OverNetwork:
    """A program whose data lie with servers. Figures: wall; cpu of all processes; client_cpu; rss: peak of the client;
    servers_rss: peaks of its servers, summed; wire: bytes on loopback, where nobody else uses it."""

    def __init__(self, folder):
        self.folder, self.servers = folder, Servers(folder)

    def measured(self, *command):
        meter = Meter(self.servers.pids())
        client = timed([*command], self.env)
        servers = meter.read()
        figure = {"wall": client["wall"], "cpu": client["cpu"] + servers["cpu"], "client_cpu": client["cpu"],
                  "rss": client["rss"], "servers_rss": servers["rss"]}
        return figure | ({"wire": servers["wire"]} if "wire" in servers else {})

    def stop(self):
        self.servers.stop()
        shutil.rmtree(self.folder)

    def restored(self, _source, to):
        """Where a restored source lies below `to`."""
        return to


class MhpCloud(OverNetwork):
    """One computer that backs up to five of other people, each with `mhp up`."""
    name = MHP

    def __init__(self, binary, folder):
        super().__init__(folder)
        self.binary, self.env = binary, self.env_of("owner")

    def env_of(self, computer):
        return os.environ | {"MHP_HOME": f"{self.folder}/{computer}/state"}

    def mhp(self, computer, *words):
        return json.loads(quiet([self.binary, "--json", *words], self.env_of(computer)).splitlines()[-1])

    def start(self):
        homes = [f"home-{number}" for number in range(HOMES)]
        for computer in [*homes, "owner"]:
            os.makedirs(f"{self.folder}/{computer}")
            self.mhp(computer, "init", computer, "--level", "thrifty", "--phrase-file",
                     f"{self.folder}/{computer}/phrase")
        self.mhp(homes[0], "cloud", "new", "Bench")
        self.up(homes[0])
        for guest in [*homes[1:], "owner"]:
            self.join(homes[0], guest)
        wait_until(lambda: self.reached() == HOMES, f"{HOMES} homes are reached")

    def join(self, host, guest):
        code = self.mhp(host, "invite", "--for", guest)["code"]
        done = subprocess.run([self.binary, "--json", "join", "-", "--as", guest, "--lend",
                               "0" if guest == "owner" else LEND], env=self.env_of(guest), input=code + "\n",
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failed(f"mhp join: {done.stderr[-3000:]}")
        if guest != "owner":
            self.up(guest)

    def up(self, computer):
        self.servers.start(computer, [self.binary, "up", "--lend", LEND, "--listen", "127.0.0.1:0"],
                           self.env_of(computer))
        self.servers.wait_for(computer, " announced ")

    def reached(self):
        return sum(home["state"] == "up" for home in self.mhp("owner", "homes")["homes"])

    def backup(self, source):
        return self.measured(self.binary, "backup", "-q", source)

    def restore(self, source, to):
        shutil.rmtree(f"{self.folder}/owner/state/cache", ignore_errors=True)  # as on a new computer
        return self.measured(self.binary, "restore", "-q", "--no-sync", f"latest:{source}", "--to", to)

    def stored_bytes(self):
        return sum(bytes_below(f"{self.folder}/home-{number}/state/home") for number in range(HOMES))


class ResticRest(OverNetwork):
    """restic to the REST server that Debian 12 has: that of rclone, over TLS."""
    name = RESTIC

    def __init__(self, folder):
        super().__init__(folder)
        self.repository, port = f"{folder}/repository", free_port()
        self.address = f"127.0.0.1:{port}"
        self.env = os.environ | {"RESTIC_PASSWORD": "bench", "RESTIC_REPOSITORY": f"rest:https://{self.address}/",
                                 "RESTIC_CACHE_DIR": f"{folder}/cache", "RESTIC_CACERT": f"{folder}/cert.pem"}

    def start(self):
        quiet(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-keyout", f"{self.folder}/key.pem", "-out", f"{self.folder}/cert.pem", "-days", "2", "-subj",
               "/CN=bench", "-addext", "subjectAltName=IP:127.0.0.1"])
        self.servers.start("rclone", ["rclone", "serve", "restic", "-v", "--config", f"{self.folder}/rclone.conf",
                                      "--addr", self.address, "--cert", f"{self.folder}/cert.pem", "--key",
                                      f"{self.folder}/key.pem", self.repository])
        self.servers.wait_for("rclone", "Serving restic REST API")
        quiet([*self.restic(), "init", "-q", "--repository-version", "2"], self.env)

    def restic(self):
        return ["restic", "--cacert", f"{self.folder}/cert.pem"]

    def backup(self, source):
        return self.measured(*self.restic(), "backup", "-q", source)

    def restore(self, _source, to):
        shutil.rmtree(f"{self.folder}/cache", ignore_errors=True)
        return self.measured(*self.restic(), "restore", "-q", "latest", "--target", to)

    def restored(self, source, to):
        return to + source

    def stored_bytes(self):
        return bytes_below(self.repository)


class Instance:
    """One Syncthing with a config of its own: TCP on loopback, no discovery, no relays, no reports, no upgrades."""

    def __init__(self, name, folder):
        self.name, self.home, self.port, self.gui = name, f"{folder}/{name}", free_port(), free_port()
        self.key, self.file = "", f"{self.home}/config.xml"
        quiet(["syncthing", "generate", f"--home={self.home}", "--no-default-folder"])
        self.id = xml.etree.ElementTree.parse(self.file).getroot().find("device").get("id")

    def configure(self, others, path, marker, kind):
        """Shares the folder at `path` with `others`; it does not begin."""
        tree = xml.etree.ElementTree.parse(self.file)
        root, options = tree.getroot(), tree.getroot().find("options")
        self.key = root.find("gui/apikey").text
        root.find("gui/address").text = f"127.0.0.1:{self.gui}"
        for option, value in {"listenAddress": f"tcp://127.0.0.1:{self.port}", "globalAnnounceEnabled": "false",
                              "localAnnounceEnabled": "false", "relaysEnabled": "false", "natEnabled": "false",
                              "urAccepted": "-1", "crashReportingEnabled": "false", "autoUpgradeIntervalH": "0",
                              "startBrowser": "false", "stunServer": "", "setLowPriority": "false",
                              "reconnectionIntervalS": "1"}.items():
            options.find(option).text = value
        folder = xml.etree.ElementTree.SubElement(root, "folder", {
            "id": "bench", "path": path, "type": kind, "rescanIntervalS": "0", "fsWatcherEnabled": "false"})
        for tag, value in (("markerName", marker), ("paused", "true")):
            xml.etree.ElementTree.SubElement(folder, tag).text = value
        xml.etree.ElementTree.SubElement(folder, "device", {"id": self.id})
        for other in others:
            device = xml.etree.ElementTree.SubElement(root, "device", {"id": other.id, "compression": "metadata"})
            xml.etree.ElementTree.SubElement(device, "address").text = f"tcp://127.0.0.1:{other.port}"
            xml.etree.ElementTree.SubElement(folder, "device", {"id": other.id})
        tree.write(self.file)

    def call(self, what, method="GET", value=None):
        request = urllib.request.Request(f"http://127.0.0.1:{self.gui}/rest/{what}", method=method,
                                         data=None if value is None else json.dumps(value).encode())
        request.add_header("X-API-Key", self.key)
        with urllib.request.urlopen(request, timeout=300) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def answers(self):
        try:
            return self.call("system/ping") is not None
        except OSError:
            return False

    def begin(self):
        self.call("config/folders/bench", "PATCH", {"paused": False})

    def status(self):
        try:
            return self.call("db/status?folder=bench")
        except OSError:  # the folder begins
            return None

    def is_connected(self, other):
        return self.call("system/connections")["connections"].get(other.id, {}).get("connected", False)


class Syncthing(OverNetwork):
    """A sends to B, which keeps a plain copy; a new computer C has it back from B. A plays the client."""
    name = SYNCTHING

    def start(self):
        """Each source has instances of its own: they are made with the first backup of it."""

    def instances_for(self, source):
        os.makedirs(f"{self.folder}/instances")
        self.a, self.b, self.c = (Instance(name, f"{self.folder}/instances") for name in "abc")
        self.copy, self.back = f"{self.folder}/copy", f"{self.folder}/back"
        for path in (self.copy, self.back):
            os.makedirs(f"{path}/.stfolder")
        self.a.configure([self.b], source, sorted(os.listdir(source))[0], "sendonly")
        self.b.configure([self.a, self.c], self.copy, ".stfolder", "receiveonly")
        self.c.configure([self.b], self.back, ".stfolder", "receiveonly")
        for instance in (self.a, self.b):
            self.run(instance)
        wait_until(lambda: self.b.is_connected(self.a), "Syncthing connects")

    def run(self, instance):
        self.servers.start(instance.name, ["syncthing", "serve", f"--home={instance.home}", "--no-browser",
                                           "--no-upgrade", "--skip-port-probing", "--no-default-folder"])
        wait_until(instance.answers, f"Syncthing {instance.name} answers")

    def measured_until(self, client, begin, done):
        server = [process.pid for name, process in self.servers.running.items() if name != client]
        clients, servers = Meter([self.servers.running[client].pid]), Meter(server)
        begin()
        wait_until(done, "Syncthing has everything")
        told, others = clients.read(), servers.read()
        figure = {"wall": told["wall"], "cpu": told["cpu"] + others["cpu"], "client_cpu": told["cpu"],
                  "rss": told["rss"], "servers_rss": others["rss"]}
        return figure | ({"wire": told["wire"]} if "wire" in told else {})

    def backup(self, source):
        files = sum(len(names) for _, _, names in os.walk(source))
        if not self.servers.running:
            self.instances_for(source)
            return self.measured_until("a", lambda: (self.a.begin(), self.b.begin()),
                                       lambda: self.has_all(self.b, self.a, files))
        return self.measured_until("a", lambda: self.a.call("db/scan?folder=bench", "POST"),
                                   lambda: self.has_all(self.b, self.a, files))

    def has_all(self, taker, giver, files):
        mine, theirs = giver.status(), taker.status()
        if not mine or not theirs or mine["state"] != "idle" or theirs["state"] != "idle":
            return False
        same = all(mine[key] == theirs[key] for key in ("localFiles", "localBytes", "localSymlinks"))
        return same and theirs["needTotalItems"] == 0 and mine["localFiles"] + mine["localSymlinks"] == files

    def restore(self, source, to):
        self.servers.stop(["a"])
        self.run(self.c)
        wait_until(lambda: self.b.is_connected(self.c), "Syncthing connects")
        files = sum(len(names) for _, _, names in os.walk(source))
        figure = self.measured_until("c", self.c.begin, lambda: self.has_all(self.c, self.b, files))
        self.servers.stop()
        shutil.rmtree(f"{self.back}/.stfolder")
        os.rename(self.back, to)
        return figure

    def stored_bytes(self):
        return bytes_below(self.copy) if os.path.isdir(f"{self.folder}/copy") else 0
