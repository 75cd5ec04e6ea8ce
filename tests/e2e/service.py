# What runs for long and what administers a cloud: metrics, the log, systemd's units, rules, leaving, the lab, curl.
import json
import os
import pathlib
import re
import shlex
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
    ben.down()
    ben.up()
    scrape(w, port)  # what was told once is kept
    ben.down()
    ben.up("--metrics", "off")
    with socket.socket() as probe:
        w.check(probe.connect_ex(("127.0.0.1", port)) != 0, "told otherwise, it serves none")
    w.equal(ben.json("up", "--dry-run")["metrics"], "", "and that is kept")


def always_on(w):
    """--anchor is told to the cloud and kept; --no-anchor ends it."""
    ann, = cloud.found(w, ("ann",))

    def is_anchor(*args):
        ann.down()
        ann.up(*args).wait_for_log(" up home=")
        until = time.monotonic() + 20
        while True:
            told = [home["anchor"] for home in ann.json("homes")["homes"]]
            kept = json.loads((ann.state / "up.json").read_text())["anchor"]
            if told == [kept] or time.monotonic() > until:
                return told, kept
            time.sleep(0.1)
    for args, wanted in (((), False), (("--anchor",), True), ((), True), (("--no-anchor",), False), ((), False)):
        w.equal(is_anchor(*args), ([wanted], wanted), f"always on, after 'up {' '.join(args)}'")
    ann.mhp("up", "--anchor", "--no-anchor", "--dry-run", code=USAGE)


def ways_to_homes(w):
    """`homes --verbose`: each address that was tried, and what became of it."""
    ann, ben, cat = cloud.found(w)
    cat.down(signal.SIGKILL)
    w.check(all("tried" not in home for home in ann.json("homes")["homes"]), "not unasked")
    run = ann.mhp("--json", "homes", "--verbose")
    by_name = {home["name"]: home for home in run.json["homes"]}
    own, there, away = (by_name[computer.home_name] for computer in (ann, ben, cat))
    w.equal(own["tried"], [], "this computer is not asked")
    port = ben.address.rpartition(":")[2]
    w.equal([(way["taken"], way["relayed"], way["local"], way["result"]) for way in there["tried"]
             if way["way"].endswith(port)], [(True, False, False, "answers")], f"the way that was taken\n{run}")
    port = cat.address.rpartition(":")[2]
    tried = [way for way in away["tried"] if way["way"].endswith(port)]
    w.check(tried and not tried[0]["taken"] and "refused" in tried[0]["result"], f"why it failed\n{run}")
    w.check(away["state"] == "away" and away["reason"], f"what that comes to\n{run}")
    text = ann.mhp("homes", "--verbose").out
    for way in there["tried"] + away["tried"]:
        w.check(re.search(rf"^ +{re.escape(way['way'])}.*: ", text, re.MULTILINE), f"in words: {way}\n{text}")
    w.check(": answers" in text and "refused" in text, f"what became of them\n{text}")


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
        verify_unit(w, unit)


def verify_unit(w, unit):
    """As systemd itself reads it; what it starts has to be there."""
    w.count("systemd units")
    if not shutil.which("systemd-analyze"):
        return w.note("systemd-analyze is not here: the unit was only read")
    kind = ["--user"] if unit.parent.name == "user" else []
    path = unit if "@" not in unit.name else shutil.copy(unit, w.folder / unit.name.replace("@", "@daemon"))
    done = subprocess.run(["systemd-analyze", *kind, "verify", "--man=no", path], capture_output=True, text=True,
                          env=os.environ | {"XDG_RUNTIME_DIR": str(w.folder)}, check=False)
    if "Failed to initialize manager" in done.stderr:
        return w.note(f"systemd-analyze does not work here, the unit was only read: {done.stderr.strip()}")
    return w.equal((done.returncode, done.stderr), (0, ""), f"what systemd says of {unit}")


def installed(w):
    """What `./dev install` leaves: a program that runs, its page, and units that start that very program, where systemd
    looks for them."""
    home = w.folder / "person"
    for prefix, kinds in ((w.folder / "usual", ("user", "system")), (home / ".local", ("user",)),
                          (w.folder / "a folder, 100% odd", ("user", "system"))):
        done = subprocess.run([ROOT / "tools/install.py", "--program", w.program, "--prefix", prefix],
                              env=w.environment(w.folder / "state") | {"HOME": str(home)}, capture_output=True,
                              text=True, check=True)
        program = prefix / "bin/mhp"
        w.check(f"  {program}\n" in done.stdout, f"it says what it made\n{done.stdout}")
        w.equal(program.read_bytes(), pathlib.Path(w.program).read_bytes(), "the program")
        w.check(subprocess.run([program, "--version"], capture_output=True, check=True).stdout, "it runs")
        if shutil.which("scdoc"):
            w.check((prefix / "share/man/man1/mhp.1").read_bytes().startswith(b".\\\""), "the page")
        units = sorted(path.relative_to(prefix) for path in prefix.rglob("*.service"))
        below = "share/systemd" if prefix.parent == home else "lib/systemd"
        names = {"user": "mhp.service", "system": "mhp@.service"}
        w.equal(units, sorted(pathlib.Path(below, kind, names[kind]) for kind in kinds), "units")
        for unit in units:
            check_installed_unit(w, prefix / unit, program)
        w.count("installations")
    if shutil.which("systemd-analyze"):
        searched = subprocess.run(["systemd-analyze", "--user", "unit-paths"], capture_output=True, text=True,
                                  env=os.environ | {"HOME": str(home), "XDG_RUNTIME_DIR": str(w.folder)},
                                  check=True).stdout.split()
        for folder in (home / ".local/share/systemd/user", "/usr/local/lib/systemd/user"):
            w.check(str(folder) in searched, f"systemd looks into {folder}: {searched}")
    ann = Computer(w, "ann")
    words = shlex.split(re.search(r"^ExecStart=(.*)$", (w.folder / "usual/lib/systemd/user/mhp.service").read_text(),
                                  re.MULTILINE)[1])
    ann.up()  # so that it knows where to listen, and what to lend
    ann.down()
    with open(ann.log, "wb") as log:
        ann.process = subprocess.Popen(words, env=w.environment(ann.state) | {"PATH": ""}, stderr=log,
                                       stdin=subprocess.DEVNULL, cwd=w.folder)
    w.check("listen=127.0.0.1:" in ann.wait_for_log(" info up "), "what the unit starts comes up")
    ann.down()


def check_installed_unit(w, unit, program):
    escaped = str(program).replace("%", "%%")
    wanted = f'"{escaped}" up' if " " in escaped else f"{escaped} up"
    w.equal(re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.MULTILINE), [wanted], f"what {unit} starts")
    verify_unit(w, unit)


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
    lab_troubles(w, order, one)
    back = w.run("--json", "restore", "--no-sync", "latest", "--to", w.folder / "back-2", state=one)
    w.equal(back.json["errors"], [], "errors")
    process.send_signal(signal.SIGTERM)
    w.equal(process.wait(60), DONE, "exit code of the lab")
    w.equal(of_lab(), [], "processes that a lab leaves")
    refused("has ended")


def lab_troubles(w, order, state):
    """What the first of a lab of four sees of the others that are slow, hang, or are cut off from it."""
    def seen():
        began = time.monotonic()
        homes = w.run("--json", "homes", state=state).json["homes"]
        others = {home["name"]: (home["state"], home["reason"]) for home in homes if home["state"] != "this computer"}
        return others, time.monotonic() - began

    def states():
        return [state for _, (state, _) in sorted(seen()[0].items())]
    w.equal(states(), ["up"] * 3, "the others")
    order("slow", "2", "--ms", "3000")
    others, took = seen()
    w.check(took >= 3, f"it waits for the slow one: {took:.1f} s")
    w.equal({state for state, _ in others.values()}, {"up"}, "slow is not away")
    order("mend", "2")
    took = seen()[1]
    w.check(took < 3, f"it is quick again: {took:.1f} s")
    order("hang", "3")
    others, _ = seen()
    w.equal([state for _, (state, _) in sorted(others.items())], ["up", "away", "up"], "one hangs")
    w.check("time" in others["computer 3"][1], f"the reason: {others}")
    order("mend")
    w.equal(states(), ["up"] * 3, "mended")
    order("partition", "1,2")
    w.equal(states(), ["up", "away", "away"], "two and two")
    order("mend")
    w.equal(states(), ["up"] * 3, "mended again")


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
    world.main(metrics, always_on, ways_to_homes, logs_and_codes, rules_and_leaving, units, installed, lab, curl)
