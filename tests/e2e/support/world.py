# Runs a test's cases: a scratch folder, the real program with a state folder of its own, counts, and how to repeat it.
import argparse
import contextlib
import json
import os
import pathlib
import random
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

# What of the counts is told for an item of tests/README.md.
ITEMS = {"kills": (4, "runs of the program killed"), "bare-metal restores": (13, "restores from 24 words and one home"),
         "windows searched for": (3, "16-byte windows of files, names and keys searched in homes"),
         "windows compared": (3, "16-byte windows of one vault searched in another's"),
         "rows flipped and found": (7, "rows damaged, all found"),
         "rows rotten and repaired": (7, "rows damaged, all made again"),
         "files damaged": (7, "files of homes damaged"), "state files damaged": (7, "files of state folders damaged"),
         "limits tried": (6, "runs with too few open files"),
         "names restored": (15, "names made of every byte, or reserved somewhere, restored"),
         "entries of one folder": (15, "entries of one folder restored"),
         "homes lost": (2, "homes lost in restores"),
         "golden snapshots restored": (1, "snapshots of golden vaults restored"),
         "computers killed": (12, "computers of a cloud killed"),
         "disturbed backups": (12, "backups and restores with homes that hang, crawl and lie"),
         "attacks": (9, "kinds of attacks from outside, members served meanwhile"),
         "malformed openings": (9, "connections that were no TLS or no HTTP/2"),
         "floods": (9, "floods of resets, pings and settings"),
         "idle connections": (9, "connections that say nothing, at once"),
         "connections of a byte a second": (9, "connections of a byte a second")}
RUN_LIMIT_S = 600  # of one run of the program; more means that it hangs
SKIPPED = 77       # exit status that ctest takes for "not run"
DONE, FAILED, USAGE, PARTLY, TOO_FEW, REFUSED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130


class Failure(AssertionError):
    """What had to hold does not."""


class Skip(Exception):
    """This case cannot be run here; the text says why."""


def text_of(value):
    """An argument or path as text; bytes that are no UTF-8 survive."""
    return os.fsdecode(value)


class Run:
    """One finished run of the program."""

    def __init__(self, args, code, out, err, seconds):
        self.args, self.code, self.out, self.err, self.seconds = args, code, out, err, seconds

    @property
    def objects(self):
        """Everything that --json printed, one value a line."""
        return [json.loads(line) for line in self.out.splitlines() if line.strip()]

    @property
    def json(self):
        """The last value that --json printed."""
        objects = self.objects
        if not objects:
            raise Failure(f"no JSON came out\n{self}")
        return objects[-1]

    @property
    def error(self):
        """The error as an object: the line of standard error that is JSON."""
        for line in reversed(self.err.splitlines()):
            with contextlib.suppress(ValueError):
                value = json.loads(line)
                if isinstance(value, dict) and "error" in value:
                    return value
        raise Failure(f"no JSON error on standard error\n{self}")

    def __str__(self):
        def end(text):
            return text if len(text) < 3000 else "... " + text[-3000:]
        command = " ".join(shlex.quote(text_of(arg)) for arg in self.args)
        return f"  ran: {command}\n  exit code {self.code}\n  out: {end(self.out)}\n  err: {end(self.err)}"


class World:
    """What one case works with. Paths are pathlib's, below `folder`, which is empty at its start and gone after it."""

    def __init__(self, folder, seed, long, program, counts):
        self.folder, self.seed, self.long, self.program, self.counts = folder, seed, long, program, counts
        self.random = random.Random(seed)
        self.vaults = 0
        self.undo = []  # called at the end, the last first: what must go before the folder can

    def count(self, what, number=1):
        self.counts[what] = self.counts.get(what, 0) + number

    def check(self, holds, message):
        self.count("checks")
        if not holds:
            raise Failure(str(message))

    def equal(self, got, wanted, what):
        self.check(got == wanted, f"{what}: {got!r}, not {wanted!r}")

    def note(self, text):
        print(f"    {text}", flush=True)

    def environment(self, state):
        keep = {name: value for name, value in os.environ.items() if not name.startswith(("MHP_", "XDG_"))}
        return keep | {"MHP_HOME": text_of(state), "HOME": text_of(self.folder), "TZ": "UTC",
                       "MHP_TMP": text_of(self.folder)}

    def start(self, *args, state, machine=None, **options):
        """The program, running; its output goes to files that `finish` reads. `machine`: a namespace to run it in."""
        command = [*(["ip", "netns", "exec", machine.space] if machine else []), self.program, *map(text_of, args)]
        out, err = tempfile.TemporaryFile(), tempfile.TemporaryFile()
        options = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": err, "cwd": self.folder,
                   "env": self.environment(state)} | options
        process = subprocess.Popen(command, **options)
        process.files, process.began = (out, err), time.monotonic()
        self.count("runs")
        return process

    def finish(self, process, code=None, limit_s=RUN_LIMIT_S):
        """Waits for it. `code`: the exit code that is expected, or a set of them; None: any, but no crash."""
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise Failure(f"did not end within {limit_s} s: {process.args}") from None
        seconds = time.monotonic() - process.began
        texts = []
        for file in process.files:
            file.seek(0)
            texts.append(file.read().decode("utf-8", "backslashreplace"))
            file.close()
        run = Run(process.args, process.returncode, *texts, seconds)
        wanted = code if isinstance(code, (set, frozenset, type(None))) else {code}
        ours = process.returncode in (-signal.SIGKILL, -signal.SIGINT)
        self.check(process.returncode >= 0 or ours, f"it crashed\n{run}")
        self.check(wanted is None or run.code in wanted, f"exit code {run.code}, not {wanted}\n{run}")
        return run

    def run(self, *args, state, code=DONE, **options):
        return self.finish(self.start(*args, state=state, **options), code)

    def vault(self, homes=0, **options):
        self.vaults += 1
        return Vault(self, self.folder / f"vault-{self.vaults:03}", homes, **options)


class Vault:
    """A vault of the test: state folder, phrase file and folder homes, all beside each other."""

    def __init__(self, world, folder, homes, level=None, max_used=None):
        self.world, self.folder, self.homes = world, folder, []
        self.state, self.phrase = folder / "state", folder / "phrase.txt"
        (folder / "away").mkdir(parents=True)
        self.restores = 0
        self.mhp("init", "Ann Owner", "--phrase-file", self.phrase, *(["--level", level] if level else []))
        self.words = self.phrase.read_text().strip()
        for _ in range(homes):
            self.add_home(max_used=max_used)

    def mhp(self, *args, code=DONE, state=None, **options):
        return self.world.run(*args, state=state or self.state, code=code, **options)

    def start(self, *args, state=None, **options):
        return self.world.start(*args, state=state or self.state, **options)

    def add_home(self, name=None, max_used=None):
        home = self.folder / "homes" / (name or f"home-{len(self.homes) + 1:02}")
        home.parent.mkdir(exist_ok=True)
        self.mhp("home", "add", home, "--same-disk", *(["--max", str(max_used)] if max_used else []))
        self.homes.append(home)
        return home

    def backup(self, *paths, code=DONE, **options):
        """The last object of `backup --json`."""
        return self.mhp("--json", "backup", *paths, code=code, **options).json

    def status(self):
        return self.mhp("--json", "status").json

    def check(self, *args, code=DONE):
        return self.mhp("--json", "check", *args, code=code).json

    def snapshots(self):
        return self.mhp("--json", "snapshots").json

    def restore(self, what="latest", code=DONE, **options):
        """Into a new folder: its path, and the run."""
        self.restores += 1
        target = self.folder / f"back-{self.restores}"
        # Nobody cuts the power here; a sync would wait for what all other tests have written too.
        return target, self.mhp("--json", "restore", "--no-sync", what, "--to", target, code=code, **options)

    def recover(self, home, code=DONE):
        """With the phrase and one home, into a state folder that is not there yet."""
        self.world.check(not self.state.exists(), "the state folder must be lost before")
        return self.mhp("--json", "recover", "--phrase-file", self.phrase, "--home", home, code=code)

    def lose_state(self):
        shutil.rmtree(self.state)

    def take_away(self, home):
        """Like a drive that is not mounted; `bring_back` brings it back unchanged."""
        home.rename(self.folder / "away" / home.name)

    def bring_back(self, home):
        (self.folder / "away" / home.name).rename(home)

    def home_id(self, home):
        listed = self.mhp("--json", "home", "list").json["homes"]
        return next(entry["id"] for entry in listed if entry["name"] == home.name)


class Computer:
    """A person's computer in a cloud: a state folder, and `mhp up` on a loopback port while it is up."""

    def __init__(self, world, name, lend="1G", init=True, machine=None):
        self.world, self.name, self.lend, self.machine = world, name, lend, machine
        self.folder, self.home_name = world.folder / name, f"{name}'s home"
        self.folder.mkdir()
        self.state, self.phrase = self.folder / "state", self.folder / "phrase.txt"
        self.process, self.log = None, self.folder / "up.log"
        self.address = "[::]:7070" if machine else "127.0.0.1:0"
        self.restores = 0
        world.undo.append(self.kill)
        if init:
            self.mhp("init", name, "--phrase-file", self.phrase)

    def mhp(self, *args, code=DONE, **options):
        return self.world.run(*args, state=self.state, code=code, machine=self.machine, **options)

    def json(self, *args, code=DONE, **options):
        return self.mhp("--json", *args, code=code, **options).json

    def up(self, *args, **options):
        """Starts `mhp up` and waits until it answers; the second time at the same port."""
        start = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = self.world.start("up", "--lend", self.lend, "--name", self.home_name, "--listen",
                                            self.address, *args, state=self.state, machine=self.machine, stderr=log,
                                            **options)
        line = self.wait_for_log(" info up ", start)
        self.address = line.split("listen=")[1].split()[0]
        return self

    def wait_for_log(self, text, start=0, limit_s=60):
        """The first line of the log, from byte `start` on, that has `text` in it."""
        until = time.monotonic() + limit_s
        while time.monotonic() < until:
            lines = self.log.read_bytes()[start:].decode("utf-8", "backslashreplace").splitlines(keepends=True)
            for line in lines:
                if text in line and line.endswith("\n"):
                    return line
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise Failure(f"{self.name}: no {text!r} in the log within {limit_s} s:\n{self.log.read_text()[-3000:]}")

    def down(self, how=signal.SIGTERM):
        """Ends `mhp up`, by default in order."""
        self.process.send_signal(how)
        code = self.process.wait(30)
        self.process = None
        if how == signal.SIGTERM:
            self.world.equal(code, DONE, f"exit code of {self.name}'s 'mhp up'")

    def kill(self):
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.process = None

    def restore(self, what="latest", code=DONE):
        self.restores += 1
        target = self.folder / f"back-{self.restores}"
        return target, self.mhp("--json", "restore", "--no-sync", what, "--to", target, code=code)


def program_to_test():
    program = os.environ.get("MHP_BIN", "")
    if not os.access(program, os.X_OK):
        sys.exit("MHP_BIN must name the program (e.g. build/release/mhp); './dev build' makes it")
    return os.path.abspath(program)


def remove_tree(folder):
    """Also folders whose user may not write in them."""
    if os.getuid() != 0:
        for root, folders, _ in os.walk(os.fsencode(folder)):
            for name in folders:
                path = os.path.join(root, name)
                if not os.path.islink(path):
                    os.chmod(path, 0o700)
    shutil.rmtree(os.fsencode(folder))


def run_case(case, world, keep):
    """None, or what went wrong."""
    try:
        case(world)
        return None
    except Skip:
        raise
    except Exception as problem:  # a case that fails must not hide what the next ones say
        if not isinstance(problem, Failure):
            traceback.print_exc()
        place = traceback.extract_tb(problem.__traceback__)
        at = next((frame for frame in place if frame.name == case.__name__), place[-1])
        return f"{os.path.basename(at.filename)}:{at.lineno}: {problem}"
    finally:
        for undo in reversed(world.undo):
            undo()
        if not keep:
            remove_tree(world.folder)


def tell_counts(counts, skipped):
    """For the table at the end of ./dev check."""
    if path := os.environ.get("MHP_COUNTS"):
        with open(path, "a", encoding="utf-8") as file:
            if skipped:
                file.write(f"0\tend-to-end cases that this machine cannot run\t{len(skipped)}\n")
            for name, (item, what) in ITEMS.items():
                if name in counts:
                    file.write(f"{item}\t{what}\t{counts[name]}\n")


def main(*cases):
    """Runs the cases, or those named on the command line, and ends the process."""
    script = os.path.relpath(sys.argv[0])
    names = ", ".join(case.__name__ for case in cases)
    parser = argparse.ArgumentParser(description=f"End-to-end test {script}: {names}")
    parser.add_argument("case", nargs="*", help="only these")
    parser.add_argument("--keep", action="store_true", help="leave the scratch folders, to look at")
    args = parser.parse_args()
    long = os.environ.get("MHP_LONG") == "1"
    seed = int(os.environ.get("MHP_SEED") or (random.SystemRandom().randrange(1 << 32) if long else 1))
    program = program_to_test()
    sys.stdout.reconfigure(errors="backslashreplace")
    parent = os.environ.get("MHP_TMP") or os.environ.get("TMPDIR") or "/tmp"
    began, counts, failed, skipped, ran = time.monotonic(), {}, [], [], 0
    for case in cases:
        if args.case and case.__name__ not in args.case:
            continue
        folder = pathlib.Path(tempfile.mkdtemp(prefix=f"mhp-e2e-{pathlib.Path(script).stem}-", dir=parent)).resolve()
        world, case_began = World(folder, seed, long, program, counts), time.monotonic()
        ran += 1
        try:
            problem = run_case(case, world, args.keep)
        except Skip as reason:
            skipped.append(case.__name__)
            print(f"  {case.__name__}: SKIPPED: {reason}", flush=True)
            continue
        seconds = time.monotonic() - case_began
        print(f"  {case.__name__}: {'fine' if problem is None else 'FAILED'}, {seconds:.1f} s", flush=True)
        if problem is not None:
            failed.append(case.__name__)
            print(f"    {problem}" + (f"\n    kept: {folder}" if args.keep else ""), flush=True)
    numbers = ", ".join(f"{number:,} {what}" for what, number in counts.items())
    print(f"{script}: {ran} cases, {len(failed)} failed, {len(skipped)} skipped; {numbers}; seed {seed}; "
          f"{time.monotonic() - began:.1f} s")
    tell_counts(counts, skipped)
    settings = f"MHP_BIN={shlex.quote(program)} MHP_SEED={seed}" + (" MHP_LONG=1" if long else "")
    print(f"Repeat: {settings} python3 {script} {' '.join(failed or args.case)}".rstrip())
    if ran == 0:
        sys.exit("no such case")
    sys.exit(1 if failed else SKIPPED if len(skipped) == ran else 0)
