#!/usr/bin/env python3
# Makes golden vaults of 1, 3, 5 and 10 homes with the program as it is now: MHP_BIN=build/release/mhp make.py NAME
# puts them into tests/compat/NAME. Once for each release and each new format; what is there is never made again.
import datetime
import json
import os
import pathlib
import random
import shutil
import subprocess
import sys

import vaults

SCRATCH = pathlib.Path("/tmp/mhp-compat")  # a snapshot names it: the same for all
SOURCE = SCRATCH / "source"
TIME_NS = 1_767_225_600_123_456_789  # 2026-01-01


class Maker:
    """One vault while it is made: its state folder and its homes."""

    def __init__(self, program, name, homes):
        self.program, self.folder = program, SCRATCH / name
        self.state, self.phrase = self.folder / "state", SCRATCH / f"{name}.phrase"
        self.homes, self.made, self.snapshots = [], 0, []
        self.folder.mkdir()
        self.mhp("init", "Golden Owner", "--phrase-file", self.phrase)
        for _ in range(homes):
            self.add_home()

    def mhp(self, *args):
        """The last JSON object that it prints."""
        environment = {"PATH": os.environ["PATH"], "HOME": str(SCRATCH), "MHP_HOME": str(self.state), "TZ": "UTC"}
        run = subprocess.run([self.program, "--json", *map(str, args)], capture_output=True, text=True, env=environment)
        if run.returncode != 0:
            sys.exit(f"mhp {' '.join(map(str, args))}: exit code {run.returncode}\n{run.stdout}{run.stderr}")
        lines = run.stdout.splitlines()
        return json.loads(lines[-1]) if lines else None

    def add_home(self):
        self.made += 1
        home = self.folder / "homes" / f"home-{self.made:02}"
        home.parent.mkdir(exist_ok=True)
        self.mhp("home", "add", home, "--same-disk")
        self.homes.append(home)

    def lose_home(self):
        home = self.homes.pop(0)
        shutil.rmtree(home)
        self.mhp("home", "remove", "--lost", home.name)

    def lose_computer(self):
        shutil.rmtree(self.state)
        self.mhp("recover", "--phrase-file", self.phrase, "--home", self.homes[0])

    def backup(self):
        saved = self.mhp("backup", SOURCE)
        listed = next(one for one in self.mhp("snapshots") if one["id"].startswith(saved["snapshot"]))
        self.snapshots.append({"id": listed["id"], "time": listed["time"], "path": str(SOURCE),
                               "tree": vaults.tree_of(SOURCE)})

    def forget_oldest(self):
        self.mhp("forget", self.snapshots.pop(0)["id"])


def write(path, content, mode=0o644):
    path.write_bytes(content)
    path.chmod(mode)


def make_source():
    """Little, and of everything a file can have something: the same bytes each time."""
    source, noise = SOURCE, random.Random(1)
    (source / "folder" / "deeper").mkdir(parents=True)
    (source / "empty folder").mkdir(mode=0o750)
    write(source / "text", b"The quick brown fox jumps over the lazy dog.\n" * 500)
    write(source / "noise", noise.randbytes(9_000), 0o600)
    write(source / "empty", b"")
    write(source / "folder" / "program", b"#!/bin/sh\nexit 0\n", 0o4755)
    for number in range(20):
        write(source / "folder" / "deeper" / f"small {number:02}", noise.randbytes(30 + number))
    write(pathlib.Path(os.fsdecode(os.fsencode(source) + b"/caf\xe9 \xff\n")), b"a name that is no UTF-8")
    with open(source / "holes", "wb") as file:
        for offset in (1_500_000, 2_999_900):
            file.seek(offset)
            file.write(noise.randbytes(100))
    os.symlink("folder/program", source / "link")
    os.symlink(b"\xff dangling", source / "link to nowhere")
    os.link(source / "noise", source / "folder" / "noise again")
    os.mkfifo(source / "fifo", 0o640)
    os.setxattr(source / "text", "user.note", b"kept \0 whole")
    set_times()


def set_times():
    """The last first, so that a folder's time is set after what is in it."""
    for number, path in enumerate(sorted(SOURCE.rglob("*"), reverse=True)):
        os.utime(path, ns=(0, TIME_NS - number * 86_400_000_000_007), follow_symlinks=False)
    os.utime(SOURCE, ns=(0, TIME_NS))


def change_source(number):
    write(SOURCE / "folder" / f"change {number}", random.Random(number).randbytes(2_000))
    (SOURCE / "folder" / "deeper" / f"small {number:02}").unlink(missing_ok=True)
    write(SOURCE / "text", b"Changed.\n" * 100 * number)
    os.setxattr(SOURCE / "text", "user.note", b"changed")
    set_times()


def one_home(vault):
    """A forgotten snapshot, a lost computer and a second epoch."""
    for number in (1, 2):
        vault.backup()
        change_source(number)
    vault.forget_oldest()
    vault.lose_computer()
    vault.backup()


def two_snapshots(vault):
    vault.backup()
    change_source(3)
    vault.backup()


def repaired(vault):
    """A home was lost and another came: newer cards, rows that were made again."""
    vault.backup()
    vault.lose_home()
    vault.add_home()
    vault.mhp("repair")


def one_snapshot(vault):
    vault.backup()


HISTORIES = {1: one_home, 3: two_snapshots, 5: repaired, 10: one_snapshot}


def finish(vault, into, name, version):
    """The files of a golden vault, from a vault that is made."""
    margin = vault.mhp("status")["margin"]
    shutil.rmtree(vault.state / "cache", ignore_errors=True)
    for lock in vault.folder.rglob("lock"):
        lock.write_bytes(b"")  # it names the process that held it
    one = vaults.golden(into, name)
    archive = vaults.pack(vault.folder)
    one.archive.write_bytes(archive)
    shutil.copy(vault.phrase, one.phrase)
    manifest = {"program": version, "made": datetime.date.today().isoformat(), "archive_sha256": vaults.sha256(archive),
                "homes": len(vault.homes), "margin": margin, "snapshots": vault.snapshots,
                "files": vaults.files_of(vault.folder)}
    one.manifest.write_text(json.dumps(manifest, indent=1) + "\n")
    print(f"{one.name}: {len(archive)} bytes, {len(vault.snapshots)} snapshots, {margin} homes may be missing")


def main():
    program = os.path.abspath(os.environ.get("MHP_BIN", ""))
    if len(sys.argv) != 2 or "/" in sys.argv[1] or not os.access(program, os.X_OK):
        sys.exit("usage: MHP_BIN=build/release/mhp tests/compat/make.py NAME")
    into = vaults.HERE / sys.argv[1]
    into.mkdir()  # fails where it is there: golden vaults are added, never made again
    version = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    os.umask(0o022)
    for homes, history in HISTORIES.items():
        SCRATCH.mkdir()  # so does this: somebody else may be at it
        try:
            make_source()
            vault = Maker(program, f"homes-{homes:02}", homes)
            history(vault)
            finish(vault, into, f"homes-{homes:02}", version)
        finally:
            shutil.rmtree(SCRATCH)


if __name__ == "__main__":
    main()
