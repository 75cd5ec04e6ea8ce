#!/usr/bin/env python3
# Does each file include what it uses? Builds compile the files of a room together (MHP_UNITY), where one file's include
# serves the next: here each is parsed alone, without precompiled headers.
#
#   tools/check_includes.py build/dev            all files, some minutes
#   tools/check_includes.py build/dev --part 20  a twentieth of them, another one each day
import argparse
import concurrent.futures
import json
import os
import pathlib
import shlex
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent


def is_dropped(word):
    """What belongs to one file, to its object, or to precompiled headers."""
    return word.endswith((".cc", ".cxx", ".o", ".o.d", ".pch", ".hxx")) or word in {"-c", "-o", "-MD", "-MT", "-MF"}


def flags_by_room(build):
    """The flags that a room's files are compiled with, tests' too: those of its tests where it has any."""
    flags = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        words = shlex.split(entry["command"])
        folders = words[words.index("-o") + 1].split("/")
        target = next((folder.removesuffix(".dir") for folder in folders if folder.endswith(".dir")), "")
        room = target.removeprefix("mhp_").removesuffix("_test")
        if not (ROOT / "src" / room).is_dir() or (room in flags and not target.endswith("_test")):
            continue
        first = next(i for i, word in enumerate(words) if "clang" in word)
        kept = [words[first]]
        for word in words[first + 1:]:
            if is_dropped(word):
                while kept[-1] in {"-Xclang", "-include", "-include-pch"}:
                    kept.pop()
            else:
                kept.append(word)
        flags[room] = kept
    return flags


def room_of(path):
    return path.relative_to(ROOT / "src").parts[0]


def problem_of(path, flags):
    what = ["-x", "c++"] if path.suffix == ".h" else []
    done = subprocess.run([*flags, "-w", "-fsyntax-only", *what, path], capture_output=True, text=True,
                          cwd=ROOT / "build", errors="replace")  # warnings are the builds' to give
    return done.stderr[-3000:] if done.returncode != 0 else ""


def main():
    parser = argparse.ArgumentParser(description="Parses each C++ file alone")
    parser.add_argument("build", type=pathlib.Path, help="a build folder with its generated files")
    parser.add_argument("--part", type=int, default=1, metavar="N", help="one of N parts of all files, by the day")
    args = parser.parse_args()
    flags = flags_by_room(args.build)
    files = sorted(path for path in (ROOT / "src").rglob("*") if path.suffix in {".cc", ".h"})
    today = int(time.time()) // 86400
    chosen = [path for number, path in enumerate(files) if (number + today) % args.part == 0]
    unknown = [path for path in chosen if room_of(path) not in flags]
    if unknown or not chosen:
        sys.exit(f"no flags known for {unknown or 'anything'}: is {args.build} configured?")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = list(pool.map(lambda path: problem_of(path, flags[room_of(path)]), chosen))
    for path, problem in zip(chosen, problems):
        if problem:
            print(f"{path.relative_to(ROOT)} does not include all that it uses:\n{problem}")
    print(f"{len(chosen)} of {len(files)} files parsed alone")
    sys.exit(1 if any(problems) else 0)


if __name__ == "__main__":
    main()
