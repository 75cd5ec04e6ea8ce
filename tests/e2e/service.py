# What runs for long and what administers a cloud: metrics, the log, systemd's units, rules, leaving, the lab, curl.
import json
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time

import cloud
from support import rude, world
from support.world import DONE, REFUSED, USAGE, Computer, Failure, Skip

ROOT = pathlib.Path(__file__).resolve().parents[2]
METRIC = re.compile(r'([a-z_]+)(\{home="[0-9a-f]+"\})? ([0-9.e+]+)')


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as once:
        return once.getsockname()[1]


def http(port, text):
    """The reply to a request of plain HTTP: its first line, and its body."""
    with socket.create_connection(("127.0.0.1", port), 10) as connection:
        connection.sendall(text.encode())
        data = b""
        while more := connection.recv(65536):
            data += more
    head, _, body = data.decode().partition("\r\n\r\n")
    return head.splitlines()[0], body


def scrape(w, port):
    """All values, after a look at the form (Prometheus' text format 0.0.4)."""
    first, body = http(port, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
    w.equal(first, "HTTP/1.1 200 OK", "reply to Prometheus")
    values, kinds, helped = {}, {}, set()
    for line in body.splitlines():
        if line.startswith("# HELP "):
            helped.add(line.split()[2])
        elif line.startswith("# TYPE "):
            kinds[line.split()[2]] = line.split()[3]
        else:
            match = METRIC.fullmatch(line)
            w.check(match, f"a line of metrics: {line!r}")
            w.check(match[1] in helped and kinds.get(match[1]) in ("counter", "gauge"), f"it is explained: {line!r}")
            w.check((kinds[match[1]] == "counter") == match[1].endswith("_total"), f"named as what it is: {line!r}")
            values[match[1] + (match[2] or "")] = float(match[3])
    w.check(body.endswith("\n"), "the last line is whole")
    return values, kinds


def metrics(w):
    """They parse, they move with what is done, and counters never fall."""
    ann, ben = cloud.found(w, ("ann", "ben"))
    ben.down()
    port = free_port()
    ben.up("--metrics", f"127.0.0.1:{port}")
    before, kinds = scrape(w, port)
    tree = cloud.make_tree(w)
    ann.json("backup", tree)
    after, _ = scrape(w, port)
    for name, value in before.items():
        falls = kinds[name.split("{")[0]] == "counter" and after[name] < value
        w.check(not falls, f"{name} fell from {value} to {after[name]}")
    for name in ("mhp_connections_accepted_total", "mhp_requests_total", "mhp_received_bytes_total",
                 "mhp_sent_bytes_total", "mhp_home_used_bytes"):
        w.check(after[name] > before[name], f"{name} moves with a backup: {before[name]}, {after[name]}")
    w.equal(after["mhp_lent_bytes"], 1e9, "bytes lent")
    for path, wanted in (("GET /", "404"), ("GET /metrics/x", "404"), ("POST /metrics", "405"), ("nonsense", "400")):
        first, _ = http(port, f"{path} HTTP/1.1\r\n\r\n" if path != "nonsense" else "nonsense\r\n\r\n")
        w.check(first.split()[1] == wanted, f"{path}: {first}")
    w.count("metrics", len(after))


def logs_and_codes(w):
    """`mhp --json up` writes a JSON object a line, and neither code nor words come into any log."""
    ann = Computer(w, "ann")
    ann.mhp("cloud", "new", "Lindenweg")
    with open(ann.log, "ab") as log:
        ann.process = w.start("--json", "up", "--lend", "1G", "--name", "Ann's \"home\" \x1b[2J", "--listen",
                              ann.address, state=ann.state, stderr=log)
    ann.address = json.loads(ann.wait_for_log('"event":"up"'))["listen"]
    waiting = w.start("--json", "invite", "--for", "ben", "--wait", state=ann.state)
    code = first_line(w, waiting)["code"]
    ben = Computer(w, "ben", init=False)
    joined = ben.json("join", "-", "--as", "ben", "--lend", "1G", "--phrase-file", ben.phrase,
                      **cloud.given(w, ben, code))
    told = w.finish(waiting, DONE, limit_s=60).objects
    w.equal((told[-1]["name"], told[-1]["words"]), ("ben", joined["words"]), "what 'invite --wait' ends with")
    ben.up()
    ann.json("backup", cloud.make_tree(w))
    wrong = code[:-1] + ("0" if code[-1] != "0" else "1")
    eve = Computer(w, "eve")
    eve.mhp("join", "-", code=REFUSED, **cloud.given(w, eve, wrong))
    eve.mhp("join", "-", code=REFUSED, **cloud.given(w, eve, code))
    ann.down()
    lines = ann.log.read_text().splitlines()
    for line in lines:
        value = json.loads(line)
        w.check({"time", "level", "event"} <= set(value), f"time, level and event: {line}")
        w.check(value["level"] in ("error", "warn", "info", "debug"), f"a level: {line}")
    w.check("\x1b" not in ann.log.read_text(), "nothing for a terminal")
    w.equal(json.loads(lines[-1])["event"], "stopped", "the last event")
    for secret in (code, ann.phrase.read_text().strip(), ben.phrase.read_text().strip()):
        for log in (ann.log, ben.log):
            w.check(secret[5:30] not in log.read_text(), "no secret in a log")
    w.count("log lines", len(lines))


def first_line(w, process):
    """The first value that a running program prints."""
    until = time.monotonic() + 60
    path = f"/proc/{process.pid}/fd/1"
    while time.monotonic() < until:
        with open(path, "rb") as file:
            line, end, _ = file.read().partition(b"\n")
        if end:
            return json.loads(line)
        if process.poll() is not None:
            break
        time.sleep(0.02)
    raise Failure("it printed nothing")


def rules_and_leaving(w):
    """What `cloud policy` changes is the rule everywhere; who leaves is a member nowhere, and stores nothing more."""
    ann, ben, cat = cloud.found(w)
    def take(computer, *args):
        return computer.json("cloud", "policy", *args)["rules"]["take_percent"]
    w.equal(take(ann, "Lindenweg", "--take", "50", "--dry-run"), 50, "what it would be")
    w.check(take(ann) != 50, "a dry run changes nothing")
    ann.json("cloud", "policy", "--take", "50", "--who-invites", "members")
    until = time.monotonic() + 60
    while take(ben) != 50:
        w.check(time.monotonic() < until, "the rule comes to ben")
        time.sleep(0.1)
    ben.mhp("cloud", "policy", "--take", "60", code={world.FAILED, REFUSED})
    ben.mhp("cloud", "policy", "--take", "x", code=USAGE)
    w.equal(take(ann), 50, "no member who is not an admin changes it")
    ben.json("invite")
    tree = cloud.make_tree(w)
    w.equal(cat.json("backup", tree)["homes"], 2, "homes of cat's backup")
    cat.json("cloud", "leave", "--lost", "--dry-run")
    w.equal(len(ann.json("members")["members"]), 3, "members after a dry run")
    cat.json("cloud", "leave", "--lost")  # all that she has is there
    for computer in (ann, ben):
        computer.wait_for_log("member_left cloud=Lindenweg member=cat")
        names = sorted(one["name"] for one in computer.json("members")["members"])
        w.equal(names, ["ann", "ben"], f"members that {computer.name} knows")
    cloud.comes_back(w, ann, tree_of(w, ann), "a member's own files, when another has left")
    cloud.comes_back(w, cat, tree, "what who has left had stored there")


def tree_of(w, computer):
    tree = cloud.make_tree(w, "tree-again")
    computer.json("backup", tree)
    return tree


def units(w):
    """The units of systemd: valid, and what they start exists."""
    found = sorted((ROOT / "systemd").rglob("*.service"))
    w.equal(len(found), 2, "units")
    usage = w.run("up", "--help", state=w.folder / "state").out
    for unit in found:
        command = re.search(r"^ExecStart=/usr/bin/env mhp up(.*)$", unit.read_text(), re.MULTILINE)
        w.check(command, f"{unit}: it starts 'mhp up'")
        for option in re.findall(r"--[a-z-]+", command[1]):
            w.check(re.search(rf"^  .*{option}\b", usage, re.MULTILINE), f"{unit}: 'mhp up' has no {option}")
        kill = int(re.search(r"^TimeoutStopSec=(\d+)$", unit.read_text(), re.MULTILINE)[1])
        w.check(kill > 10, f"{unit}: it may end in order, which takes up to 10 s")
        if shutil.which("systemd-analyze"):
            kind = ["--user"] if unit.parent.name == "user" else []
            path = unit if "@" not in unit.name else shutil.copy(unit, w.folder / unit.name.replace("@", "@daemon"))
            done = subprocess.run(["systemd-analyze", *kind, "verify", "--man=no", path], capture_output=True,
                                  text=True, check=False)
            ours = [line for line in done.stderr.splitlines() if "mhp" in line]
            w.equal(ours, [], f"what systemd says of {unit}")
        else:
            w.note("systemd-analyze is not here: the unit was only read")
        w.count("systemd units")


def lab(w):
    """A lab starts, obeys, and leaves no process behind."""
    folder, state = w.folder / "lab", w.folder / "state"

    def order(*args):
        return w.run("--json", "lab", "--folder", folder, *args, state=state).json
    def refused(said):
        run = w.run("lab", "--folder", folder, "mend", "3", state=state, code=None)
        w.check(run.code != DONE and said in run.err, f"{said}\n{run}")
    refused("no lab is here")
    process = w.start("--json", "lab", "4", "--folder", folder, state=state)
    w.undo.append(lambda: process.poll() is None and process.kill())
    until = time.monotonic() + 60
    while not (folder / "1").exists():
        w.check(time.monotonic() < until, "the lab begins")
        time.sleep(0.01)
    refused("not ready yet")
    first_line(w, process)

    def of_lab():
        """Programs whose state folder is the lab's."""
        out = []
        for entry in pathlib.Path("/proc").iterdir():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            except OSError:
                continue
            if b"up" in words and any(word.startswith(bytes(folder) + b"/") for word in words):
                out.append(int(entry.name))
        return out
    w.equal(len(of_lab()), 4, "computers that are up")
    tree = cloud.make_tree(w)
    one = folder / "1" / "state"
    w.equal(w.run("--json", "backup", tree, state=one).json["homes"], 3, "homes")
    order("kill", "2")
    w.equal(len(of_lab()), 3, "computers that are up when one was killed")
    order("lie", "3")
    back = w.run("--json", "restore", "--no-sync", "latest", "--to", w.folder / "back", state=one, code=None)
    w.check("wrong bytes" in back.err or back.code == DONE, f"the liar is named, or nothing was asked of it\n{back}")
    order("start", "2")
    order("mend")
    w.equal(len(of_lab()), 4, "computers that are up again")
    back = w.run("--json", "restore", "--no-sync", "latest", "--to", w.folder / "back-2", state=one)
    w.equal(back.json["errors"], [], "errors")
    process.send_signal(signal.SIGTERM)
    w.equal(process.wait(60), DONE, "exit code of the lab")
    w.equal(of_lab(), [], "processes that a lab leaves")
    refused("has ended")


def curl(w):
    """The how-to of docs/protocol/README.md, as it stands there."""
    for tool in ("curl", "openssl"):
        if shutil.which(tool) is None:
            raise Skip(f"the program {tool} is missing")
    if "HTTP2" not in subprocess.run(["curl", "--version"], capture_output=True, text=True, check=True).stdout:
        raise Skip("this curl speaks no HTTP/2")
    ann, ben = cloud.found(w, ("ann", "ben"))
    text = (ROOT / "docs/protocol/README.md").read_text()
    steps = text.split("## Trying it with curl\n```\n")[1].split("```")[0].strip().splitlines()
    w.equal(len(steps), 3, "steps")

    def shell(command):
        return subprocess.run(["bash", "-c", command], cwd=w.folder, capture_output=True, check=False, timeout=60,
                              stdin=subprocess.DEVNULL)
    for step in steps[:2]:
        w.equal(shell(step).returncode, 0, step)
    address = ben.address

    def ask(path, name="me.pem", key="me.key"):
        line = steps[2].replace("HOST:PORT", address).replace("/PATH", path)
        line = line.replace("me.pem", name).replace("me.key", key)
        return shell(line + " -s -S -o body -w '%{http_version} %{http_code}'")
    denied = ask(f"/v1/vaults/{'5f' * 32}/usage")
    w.equal(denied.stdout, b"2 403", f"what a stranger gets: {denied.stderr}")
    w.check(b"\x08\x01" in (w.folder / "body").read_bytes()[:2], "its body is a CallError")
    pem = rude.identity(w.folder, "ann", rude.key_of(ann.state))
    member = ask(f"/v1/vaults/{'5f' * 32}/usage", pem.name, pem.name)
    w.check(member.stdout.startswith(b"2 ") and member.stdout != b"2 200", f"no session: {member.stdout}")
    listed = re.search(r"`(openssl s_client.*?sha256sum)`", text, re.DOTALL)[1].replace("\n", " ")
    shown = shell(listed.replace("HOST:PORT", address)).stdout.split()[0].decode()
    known = ann.json("homes")["homes"]
    w.equal([home["id"] for home in known if home["name"] == "ben's home"], [shown], "the home id by openssl")


if __name__ == "__main__":
    world.main(metrics, logs_and_codes, rules_and_leaving, units, lab, curl)
