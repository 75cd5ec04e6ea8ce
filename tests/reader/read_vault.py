#!/usr/bin/python3
# Restores a vault from folder homes and the 24 words; written from docs/formats alone: a proof that these suffice.
import argparse
import datetime
import pathlib
import sys

from homes import Home
from keys import Identity
from restore import Restore
from segments import Segments
from tree import Index, entries_of
from vault import Vault
from wire import Damaged, TooFew

DONE, FAILED, USAGE, TOO_FEW, REFUSED = 0, 1, 2, 4, 5  # as mhp's


def warn(text):
    print(f"note: {text}", file=sys.stderr)


def open_homes(folders):
    homes = []
    for folder in folders:
        try:
            homes.append(Home(folder, warn))
        except FileNotFoundError:
            warn(f"{folder}: no home here")
        except Damaged as problem:
            warn(f"{folder}: {problem}")
    if not homes:
        raise TooFew("there is no home in these folders")
    return homes


def chosen(snapshots, wanted):
    """The newest, or the one whose id begins so."""
    found = [one for one in snapshots if wanted == "latest" or one.id.hex().startswith(wanted)]
    if not found or (wanted != "latest" and len(found) > 1):
        sys.exit(f"read_vault.py: {len(found)} snapshots have this id")
    return max(found, key=lambda one: one.time_ns)


def show(snapshots):
    for one in sorted(snapshots, key=lambda one: one.time_ns):
        time = datetime.datetime.fromtimestamp(one.time_ns // 10**9, datetime.timezone.utc)
        paths = b" ".join(one.paths).decode(errors="backslashreplace")
        print(f"{one.id.hex()}  {time:%Y-%m-%d %H:%M:%S}  {one.files} files, {one.bytes} bytes  {paths!r}")


def run(args):
    identity = Identity(pathlib.Path(args.phrase_file).read_text().split())
    homes = open_homes(args.home)
    vault = Vault(homes, identity, warn)
    index = Index(Segments(homes, vault, warn), vault.roots())
    if args.list:
        return show(index.snapshots.values())
    snapshot = chosen(index.snapshots.values(), args.snapshot)
    args.to.mkdir(parents=True, exist_ok=True)
    if any(args.to.iterdir()):
        sys.exit(f"read_vault.py: {args.to} is not empty")
    restore = Restore(index, args.to, warn)
    restore.run(entries_of(index, snapshot))
    if (restore.files, restore.sizes) != (snapshot.files, snapshot.bytes):
        found = f"it has {restore.files} and {restore.sizes}"
        warn(f"the snapshot says that it has {snapshot.files} files and {snapshot.bytes} bytes; {found}")
    print(f"{restore.files} files, {restore.bytes} bytes of snapshot {snapshot.id.hex()[:8]} in {args.to}")


def main():
    parser = argparse.ArgumentParser(description="Restores a vault from folder homes and the 24 words.")
    parser.add_argument("--phrase-file", required=True, metavar="FILE", help="the 24 words")
    parser.add_argument("--home", required=True, action="append", metavar="DIR", help="may be given several times")
    parser.add_argument("--to", type=pathlib.Path, metavar="DIR", help="absent or empty")
    parser.add_argument("--snapshot", default="latest", metavar="ID", help="an id or how it begins; else the newest")
    parser.add_argument("--list", action="store_true", help="only show which snapshots there are")
    args = parser.parse_args()
    if not args.list and args.to is None:
        parser.error("--to or --list is needed")
    try:
        run(args)
    except TooFew as problem:
        print(f"read_vault.py: {problem}", file=sys.stderr)
        return TOO_FEW
    except Damaged as problem:
        print(f"read_vault.py: {problem}", file=sys.stderr)
        return REFUSED
    except OSError as problem:
        print(f"read_vault.py: {problem}", file=sys.stderr)
        return FAILED
    return DONE


if __name__ == "__main__":
    sys.exit(main())
