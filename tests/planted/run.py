#!/usr/bin/env python3
# Does the harness see? Puts known bugs into the sources, one at a time, and demands that the named test fails.
#
#   tests/planted/run.py NAME...       these
#   tests/planted/run.py --rotate 5    five, others with each commit
#   tests/planted/run.py --all
#
# A planted bug is a file NAME.bug beside this script: a sentence, lines `key: value`, then blocks of old and new lines
# (tests/README.md). The changed file is compiled as the build compiles it, together with the same others, and linked
# before the library it belongs to, so nothing of the working tree or of the build is touched. It counts as caught only
# where the named test ran, failed, and said what `finds:` expects. A bug that no longer fits the sources, does not
# compile or stays unseen is a failure.
import argparse
import concurrent.futures
import contextlib
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
KEYS = {"file", "build", "run", "finds"}
TEST_LIMIT_S = 600
FUZZ_OPTIONS = ["-seed=1", "-max_total_time=60", "-rss_limit_mb=2048", "-timeout=10", "-max_len=65536"]


BUILDING = threading.Lock()  # two programs of one build folder would build in it at the same time


class Trouble(Exception):
    """The bug was not caught; the text says how."""


class Bug:
    """One file NAME.bug."""

    def __init__(self, path):
        self.name, self.keys, self.changes = path.stem, {}, []
        lines = path.read_text().splitlines()
        self.what = lines[0]
        blocks = "\n".join(lines[1:]).split("\n<<<\n")
        for line in blocks[0].splitlines():
            key, _, value = line.partition(": ")
            if line and key not in KEYS | {"preset"}:
                raise Trouble(f"{path.name}: what is '{line}'?")
            if line:
                self.keys[key] = value
        for block in blocks[1:]:
            old, middle, new = block.removesuffix("\n>>>").partition("\n===")
            if not middle:
                raise Trouble(f"{path.name}: a block is <<<, old lines, ===, new lines, >>>")
            self.changes.append((old, new.removeprefix("\n")))
        if self.keys.keys() - {"preset"} != KEYS or not self.changes:
            raise Trouble(f"{path.name}: needs {', '.join(sorted(KEYS))} and a block <<< === >>>")

    @property
    def preset(self):
        return self.keys.get("preset", "release" if self.keys["build"] == "mhp" else "dev")

    def changed_source(self):
        path = ROOT / self.keys["file"]
        text = path.read_text() if path.exists() else ""
        for old, new in self.changes:
            if text.count(old) != 1:
                raise Trouble(f"NO LONGER FITS: {self.keys['file']} has these lines {text.count(old)} times, not once. "
                              f"Put the bug into {self.name}.bug anew:\n{old}")
            text = text.replace(old, new)
        return text


def commands_of(preset, target):
    """The command that compiles each file of a target, and the one that links it."""
    listed = subprocess.run(["ninja", "-C", ROOT / "build" / preset, "-t", "commands", target], text=True,
                            capture_output=True)
    if listed.returncode != 0:
        raise Trouble(f"build/{preset} is not configured: cmake --preset {preset}")
    lines = listed.stdout.splitlines()
    link = next(part for part in lines[-1].split(" && ") if " -o " in part)
    compiles = {words[-1]: words for words in map(shlex.split, lines) if words[-2:-1] == ["-c"]}
    return compiles, shlex.split(link)


def run(command, what, **options):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="backslashreplace", **options)
    if done.returncode != 0:
        raise Trouble(f"{what}:\n{done.stdout[-3000:]}")


def replace_after(words, flag, value):
    at = words.index(flag) + 1
    return words[:at] + [str(value)] + words[at + 1:]


def together(path):
    """Names of the source files that are compiled in this one."""
    text = path.read_text()
    if path.suffix == ".cxx":
        return re.findall(r'^#include "(.*)"$', text, re.MULTILINE)
    return [str(path)]


def build(bug, folder):
    """The test's program with the bug in it."""
    preset, target = bug.preset, bug.keys["build"]
    changed = folder / pathlib.Path(bug.keys["file"]).name
    changed.write_text(bug.changed_source())
    compiles, link = commands_of(preset, target)
    real = str(ROOT / bug.keys["file"])
    compiled = next((name for name in compiles if real in together(pathlib.Path(name))), None)
    if compiled is None:
        raise Trouble(f"{target} is not made of {bug.keys['file']}; it must be a .cc file")
    source = changed
    if compiled != real:
        source = folder / "together.cxx"
        source.write_text(pathlib.Path(compiled).read_text().replace(f'"{real}"', f'"{changed}"'))
    options = {"cwd": ROOT / "build" / preset}
    with BUILDING:
        run(["cmake", "--build", ROOT / "build" / preset, "--target", target], "the sources themselves do not build")
    command = replace_after(compiles[compiled], "-o", folder / "bug.o")
    command = [word for word in replace_after(command, "-c", source) if word != "-Werror"]
    with contextlib.suppress(ValueError):
        command = replace_after(command, "-MF", folder / "bug.d")
    run(command, "the bug does not compile", **options)
    at = link.index("-o")
    real_object = compiles[compiled][compiles[compiled].index("-o") + 1]  # a file of the target itself
    own = [word for word in link[:at] if word != real_object]
    program = folder / target
    run([*own, folder / "bug.o", "-o", program, *link[at + 2:]], "the bug does not link", **options)
    return program


def test_command(bug, program):
    what = bug.keys["run"]
    if bug.keys["build"] == "mhp":
        return ["python3", *shlex.split(what)]
    if bug.keys["build"].endswith("_fuzz"):
        corpus = ROOT / "tests" / "corpus" / bug.keys["build"]
        return [program, *FUZZ_OPTIONS, program.parent, *([corpus] if corpus.exists() else [])]
    return [program, f"--gtest_filter={what}", "--gtest_brief=1"]


def catch(bug, folder):
    program = build(bug, folder)
    environment = os.environ | {"MHP_BIN": str(program), "MHP_TMP": str(folder), "MHP_SEED": "1", "MHP_WHOLE": "1"}
    environment.pop("MHP_COUNTS", None)
    environment.pop("MHP_LONG", None)
    try:
        done = subprocess.run(test_command(bug, program), cwd=ROOT, env=environment, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, errors="backslashreplace", timeout=TEST_LIMIT_S)
    except subprocess.TimeoutExpired:
        raise Trouble(f"NOT CAUGHT: {bug.keys['run']} did not end within {TEST_LIMIT_S} s") from None
    if done.returncode == 0:
        raise Trouble(f"NOT CAUGHT: {bug.keys['run']} passes with the bug\n{done.stdout[-1500:]}")
    if not re.search(bug.keys["finds"], done.stdout):
        raise Trouble(f"NOT CAUGHT: {bug.keys['run']} fails, but does not say '{bug.keys['finds']}'\n"
                      f"{done.stdout[-3000:]}")


def choose(names, rotate, scratch):
    if not rotate:
        return names
    count = subprocess.run(["git", "rev-list", "--count", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout
    turn = int(count or 0)
    if turn < 2:  # a shallow clone or none at all: a new turn every day
        turn, scratch = int(time.time()) // 86400, "day"
    first = turn * rotate % len(names)
    print(f"turn {turn} (one each {scratch}): {rotate} of {len(names)} planted bugs, from number {first + 1} on")
    return [names[(first + i) % len(names)] for i in range(min(rotate, len(names)))]


def fits(name):
    """False, and says so, where a bug that is not planted now could not be."""
    try:
        Bug(HERE / f"{name}.bug").changed_source()
        return True
    except Trouble as problem:
        print(f"  {name}: {problem}", flush=True)
        return False


def plant(name):
    """Whether it was caught, which is printed."""
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="mhp-planted-", dir=os.environ.get("MHP_TMP")) as folder:
            bug = Bug(HERE / f"{name}.bug")
            catch(bug, pathlib.Path(folder))
        seconds = time.monotonic() - began
        print(f"  {name}: caught by {bug.keys['build']} {bug.keys['run']}, {seconds:.0f} s", flush=True)
        return True
    except Trouble as problem:
        print(f"  {name}: {problem}", flush=True)
        return False


def main():
    parser = argparse.ArgumentParser(description="Plants known bugs and demands that tests catch them")
    parser.add_argument("name", nargs="*")
    parser.add_argument("--rotate", type=int, metavar="N", help="only N of them, others with each commit")
    parser.add_argument("--all", action="store_true")
    args = parser.parse_args()
    names = sorted(path.stem for path in HERE.glob("*.bug"))
    wanted = args.name or (choose(names, args.rotate, "commit") if args.all or args.rotate else [])
    if not wanted or not set(wanted) <= set(names):
        sys.exit(f"which? {' '.join(names)}; or --all, --rotate N")
    missed = [name for name in names if name not in wanted and not fits(name)]
    stale = len(missed)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        missed += [name for name, was_caught in zip(wanted, pool.map(plant, wanted)) if not was_caught]
    caught = len(wanted) - len(missed) + stale
    print(f"{len(wanted)} bugs planted, {caught} caught, {stale} others no longer fit")
    if counts := os.environ.get("MHP_COUNTS"):
        with open(counts, "a") as file:
            file.write(f"17\tplanted bugs caught, of {len(wanted)}\t{caught}\n")
    if missed:
        print(f"Repeat: tests/planted/run.py {' '.join(missed)}")
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
