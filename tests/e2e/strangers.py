# Strangers and rude members against a real `mhp up`: it lives, keeps its memory, and serves its members meanwhile.
import concurrent.futures
import contextlib
import os
import resource
import socket
import threading
import time

import cloud
from support import rude, world
from support.world import Computer

IDLE = 10_000          # connections that say nothing
GROWTH_MIB = 96        # of ben's memory at its peak, over what it was after a backup
BACKUP_LIMIT_S = 60    # of 4 MiB, during each attack
NEW_LINES = 200        # in the log, of everything that is done here
STRANGER_S = 5         # docs/protocol/README.md: what a stranger gets
STALL_S = 20           # and how long a request may not move
SLACK_S = 20           # of a loaded machine


class Target:
    """Ben's `mhp up`, whom all of this is aimed at; ann saves to it, and eve is a member with bad intentions."""

    def __init__(self, w):
        self.w = w
        self.ann, self.ben, _ = cloud.found(w)
        eve = Computer(w, "eve", init=False)
        code = self.ann.json("invite")["code"]
        eve.json("join", "-", "--as", "eve", "--lend", "0", "--phrase-file", eve.phrase, **cloud.given(w, eve, code))
        self.ben.wait_for_log("member_joined cloud=Lindenweg member=eve")
        self.secrets = [code.encode(), *(c.phrase.read_bytes().strip() for c in (self.ann, self.ben, eve))]
        self.port = int(self.ben.address.rsplit(":", 1)[1])
        self.pid = self.ben.process.pid
        self.member = rude.identity(w.folder, "member", rude.key_of(eve.state))
        self.stranger = rude.identity(w.folder, "stranger", rude.new_key())
        self.saved = 0
        self.save()
        self.lines = self.ben.log.read_bytes().count(b"\n")
        self.began_mib, self.began_files = self.memory("VmRSS"), self.files()
        with open(f"/proc/{self.pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")  # the peak counts from now

    def memory(self, name):
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file if line.startswith(name + ":")) // 1024

    def files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def save(self):
        """A member's backup goes to both homes, in time."""
        self.saved += 1
        tree = self.w.folder / f"tree-{self.saved}"
        tree.mkdir()
        (tree / "file").write_bytes(self.w.random.randbytes(4 << 20))
        run = self.ann.mhp("--json", "backup", tree)
        self.w.equal((run.json["homes"], run.json["errors"]), (2, []), "homes and errors of a member's backup")
        self.w.check(run.seconds < BACKUP_LIMIT_S, f"a member's backup took {run.seconds:.1f} s")
        return run.seconds

    def during(self, attack):
        """Goes on with `attack(self)` until a member's backup is done, at least once."""
        done = threading.Event()

        def on_and_on():
            rounds = 0
            while rounds == 0 or not done.is_set():
                attack(self)
                rounds += 1
            return rounds
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            going = pool.submit(on_and_on)
            try:
                seconds = self.save()
            finally:
                done.set()
            rounds = going.result()
        self.survived(f"{attack.__name__}, {rounds} rounds", seconds)

    def survived(self, what, seconds):
        self.w.count("attacks")
        self.w.check(self.ben.process.poll() is None, f"it lives: {what}")
        self.w.note(f"{what}: a backup of 4 MiB meanwhile {seconds:.1f} s, memory {self.memory('VmRSS')} MiB, "
                    f"{self.files()} files")

    def is_refused(self, connection, greeting=None):
        """It is closed, and no request was ever answered. The first word (SETTINGS) may come."""
        rude.say(connection, greeting or rude.greeting())
        data, closed = rude.hear(connection, STRANGER_S + SLACK_S)
        connection.close()
        answered = [one for one in rude.frames_in(data) if one[0] in (rude.DATA, rude.HEADERS)]
        self.w.check(closed and not answered, f"closed without an answer: closed {closed}, {data[:200]!r}")


def no_certificate(target):
    connection = rude.secured(target.port)
    target.is_refused(connection)


def wrong_certificates(target):
    w = target.w
    keys = {kind: rude.new_key(kind) for kind in ("ec", "rsa")}
    files = [rude.identity(w.folder, kind, key) for kind, key in keys.items()]
    files.append(rude.identity(w.folder, "by-another", rude.new_key(), signer=rude.new_key()))
    for pem in files:
        with contextlib.suppress(OSError):  # its handshake fails: good as well
            target.is_refused(rude.secured(target.port, pem))
    with contextlib.suppress(OSError):
        target.is_refused(rude.secured(target.port, target.stranger, alpn="http/1.1"))


def strangers_ask(target):
    """A key that nobody knows gets one answer: no."""
    connection = rude.secured(target.port, target.stranger)
    rude.say(connection, rude.greeting() + rude.frame(rude.HEADERS, rude.END_HEADERS | rude.END_STREAM, 1,
                                                      rude.request("GET", f"/v1/vaults/{'5f' * 32}/usage")))
    data, _ = rude.hear(connection, STRANGER_S + SLACK_S,
                        lambda frames: any(one[0] == rude.DATA and one[2] == 1 for one in frames))
    connection.close()
    target.w.check(any(one[0] == rude.DATA for one in rude.frames_in(data)), f"an error comes: {data[:200]!r}")
    target.w.check(b"\x1b" not in data, "nothing for a terminal")


def no_tls(target):
    """Bytes that are no TLS, or not all of it."""
    noise = target.w.random.randbytes
    hello = b"\x16\x03\x01"
    for data in (noise(600), b"GET / HTTP/1.1\r\n\r\n", hello + b"\xff\xff" + noise(3000), hello + b"\0\0" * 50,
                 b"\x63\x03\x03\0\x10" + noise(16), hello + b"\x02\0\x01\0\x01\xfc\x03\x03" + noise(508),
                 b"\x80\x2e\x01\0\x02" + noise(46), hello + b"\0\x05\x01\xff\xff\xff\0", noise(8000)):
        with socket.create_connection(("127.0.0.1", target.port), 20) as connection:
            rude.say(connection, data)
            _, closed = rude.hear(connection, STRANGER_S + SLACK_S)
            target.w.check(closed, f"closed after {data[:20]!r}")
            target.w.count("malformed openings")


def no_http2(target):
    """Frames that are none, after a handshake that is one, from a stranger and from a member."""
    noise, start = target.w.random.randbytes, rude.greeting()
    ask = rude.request("GET", f"/v1/vaults/{'5f' * 32}/usage")
    for pem in (target.stranger, target.member):
        for data in (noise(300), b"GET / HTTP/1.1\r\n\r\n", start + noise(600), start + b"\xff\xff\xff" + noise(20),
                     start + rude.frame(rude.DATA, 0, 5, noise(100)), start + rude.frame(rude.HEADERS, 4, 2, ask),
                     start + rude.frame(rude.HEADERS, 4, 1, b"\x80"), start + rude.frame(rude.CONTINUATION, 4, 1, ask),
                     start + rude.frame(rude.PING, 0, 0, noise(7)), start + rude.frame(rude.WINDOW, 0, 0, b"\0\0\0\0"),
                     start + rude.frame(rude.SETTINGS, 0, 0, b"\0\x04\xff\xff\xff\xff"),
                     start + rude.frame(rude.HEADERS, 0, 1, ask) + rude.frame(rude.DATA, 0, 1, b"x")):
            connection = rude.secured(target.port, pem)
            target.is_refused(connection, data)
            target.w.count("malformed openings")


def huge_headers(target):
    """A megabyte of headers in one request, as many as there can be."""
    connection = rude.secured(target.port, target.member)
    alive = rude.say(connection, rude.greeting() + rude.frame(rude.HEADERS, 0, 1, rude.request("GET", "/v1/x")))
    filler = b"".join(rude.header("x-filler", "x" * 100) for _ in range(140))
    for _ in range(64):
        alive = alive and rude.say(connection, rude.frame(rude.CONTINUATION, 0, 1, filler))
    target.is_refused(connection, rude.frame(rude.CONTINUATION, 4, 1, filler))


def floods(target):
    """Requests that are taken back at once, pings, settings and empty frames: nobody is kept busy by them for long."""
    cancel, ask = b"\0\0\0\x08", rude.request("GET", f"/v1/vaults/{'5f' * 32}/usage")
    resets = b"".join(rude.frame(rude.HEADERS, 5, 2 * i + 1, ask) + rude.frame(rude.RESET, 0, 2 * i + 1, cancel)
                      for i in range(20_000))
    pings = rude.frame(rude.PING, 0, 0, bytes(8)) * 50_000
    settings = rude.frame(rude.SETTINGS, 0, 0, b"\0\x03\0\0\0\x40") * 50_000
    for data in (resets, pings, settings):
        connection = rude.secured(target.port, target.member)
        target.is_refused(connection, rude.greeting() + data)
        target.w.count("floods")


def idle_connections(target):
    """Ten thousand that connect and say nothing, held open by the one who makes them while a member saves."""
    with contextlib.ExitStack() as held:
        for _ in range(IDLE):
            held.enter_context(socket.create_connection(("127.0.0.1", target.port), 30))
        target.survived(f"{IDLE:,} idle connections", target.save())
        target.w.count("idle connections", IDLE)


def connection_flood(target):
    """From an address of its own, one silent connection after the other, as fast as it goes: the oldest are pushed out
    all the time, and no member's is among them."""
    with contextlib.ExitStack() as held:
        for _ in range(2000):
            held.enter_context(socket.create_connection(("127.0.0.1", target.port), 30, ("127.0.0.2", 0)))


def dribble(target, connection, data, limit_s):
    """A byte a second until the other end closes: in so many seconds at most."""
    connection.settimeout(1)
    began = time.monotonic()
    for byte in data:
        if not rude.say(connection, bytes([byte])):
            return
        try:
            if not connection.recv(4096):
                return
        except TimeoutError:
            pass
        except OSError:
            return
        took = time.monotonic() - began
        target.w.check(took < limit_s + SLACK_S, f"a byte a second goes on after {took:.0f} s")
    target.w.check(False, "all was taken")


def slow_in_tls(target):
    with socket.create_connection(("127.0.0.1", target.port), 20) as connection:
        dribble(target, connection, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(500), STRANGER_S)


def slow_stranger(target):
    with rude.secured(target.port, target.stranger) as connection:
        dribble(target, connection, rude.greeting() + bytes(500), STRANGER_S)


def slow_member(target):
    """The request is taken back; the connection is a member's, and may stay."""
    with rude.secured(target.port, target.member) as connection:
        rude.say(connection, rude.greeting() + rude.frame(rude.HEADERS, 4, 1, rude.request("PUT", "/v1/x")))
        body, heard, began = rude.frame(rude.DATA, 0, 1, bytes(4000)), b"", time.monotonic()
        connection.settimeout(1)
        for byte in body:
            if not rude.say(connection, bytes([byte])):
                return
            with contextlib.suppress(TimeoutError):
                heard += connection.recv(4096)
            if any(kind in (rude.RESET, rude.GOAWAY) for kind, *_ in rude.frames_in(heard)):
                return
            took = time.monotonic() - began
            target.w.check(took < 2 * STALL_S + SLACK_S, f"a body of a byte a second goes on after {took:.0f} s")


def slow_loris(target):
    """Many of each, at one time."""
    kinds = [slow_in_tls] * 30 + [slow_stranger] * 20 + [slow_member] * 6
    with concurrent.futures.ThreadPoolExecutor(len(kinds)) as pool:
        for one in [pool.submit(kind, target) for kind in kinds]:
            one.result()
    target.w.count("connections of a byte a second", len(kinds))


def attacked(w):
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    wanted = IDLE + 1000
    if hard < wanted and os.geteuid() != 0:
        raise world.Skip(f"only {hard} files may be open here (ulimit -Hn); {wanted} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
    target = Target(w)
    for attack in (no_certificate, wrong_certificates, strangers_ask, no_tls, no_http2, huge_headers, floods,
                   connection_flood, slow_loris):
        target.during(attack)
    idle_connections(target)
    peak = target.memory("VmHWM")
    w.note(f"memory {target.began_mib} MiB before, {peak} MiB at the peak, {target.memory('VmRSS')} MiB after; "
           f"bound: {GROWTH_MIB} MiB more")
    w.check(peak < target.began_mib + GROWTH_MIB, f"memory grew from {target.began_mib} MiB to {peak} MiB")
    until = time.monotonic() + STRANGER_S + SLACK_S
    while target.files() > target.began_files + 8:  # eight: a member's connections
        w.check(time.monotonic() < until, f"{target.files()} open files, {target.began_files} before")
        time.sleep(0.1)
    target.save()
    target.ben.down()
    log = target.ben.log.read_bytes()
    w.check(log.count(b"\n") - target.lines < NEW_LINES, "nobody fills the log from outside")
    for secret in target.secrets:
        w.check(secret not in log and secret[5:30] not in log, "no secret in the log")


if __name__ == "__main__":
    world.main(attacked)
