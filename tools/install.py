#!/usr/bin/env python3
# Puts the program, its manual page and systemd's units where they are looked for (./dev install, cmake --install).
import argparse
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
IN_THE_TREE = "/usr/bin/env mhp"  # what the units of the tree start: whatever mhp systemd's own PATH finds
SEARCHED = (pathlib.Path("/usr"), pathlib.Path("/usr/local"))  # systemd looks below these by itself


def put(content, path, mode, staging):
    """Whole or not at all, also where the old one runs."""
    target = pathlib.Path(f"{staging}{path}")
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(target.name + ".new")
    new.write_bytes(content)
    new.chmod(mode)
    new.rename(target)
    print(f"  {target}")
    return target


def as_word(path):
    """As a word of systemd's ExecStart (systemd.service(5), "Command lines")."""
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return escaped if re.fullmatch(r"[A-Za-z0-9/._+@%-]+", escaped) else f'"{escaped}"'


def unit_folders(prefix):
    """Folder of the tree -> where its units go."""
    if prefix == pathlib.Path.home() / ".local":
        return {"user": prefix / "share/systemd/user"}
    return {kind: prefix / "lib/systemd" / kind for kind in ("user", "system")}


def manual_page(built):
    """The page, made now where the build has made none; nothing where scdoc is missing."""
    if built and built.exists():
        return built.read_bytes()
    if shutil.which("scdoc") is None:
        return None
    with open(ROOT / "docs/man/mhp.1.scd", "rb") as source:
        return subprocess.run(["scdoc"], stdin=source, capture_output=True, check=True).stdout


def main():
    parser = argparse.ArgumentParser(description="Installs mhp below a folder")
    parser.add_argument("--program", type=pathlib.Path, required=True)
    parser.add_argument("--prefix", type=pathlib.Path, help="default: /usr/local for root, else ~/.local")
    parser.add_argument("--manual", type=pathlib.Path, help="the page, where it was built")
    parser.add_argument("--staging", default=os.environ.get("DESTDIR", ""), help="written before each path (packages)")
    args = parser.parse_args()
    usual = pathlib.Path("/usr/local") if os.geteuid() == 0 else pathlib.Path.home() / ".local"
    prefix = pathlib.Path(os.path.abspath(args.prefix or usual))
    print(f"Installing below {prefix}:")
    program = prefix / "bin/mhp"
    put(args.program.read_bytes(), program, 0o755, args.staging)
    page = manual_page(args.manual)
    if page is None:
        print("  no manual page: scdoc is missing")
    else:
        put(page, prefix / "share/man/man1/mhp.1", 0o644, args.staging)
    for kind, folder in unit_folders(prefix).items():
        for unit in sorted((ROOT / "systemd" / kind).glob("*.service")):
            text = unit.read_text()
            if text.count(IN_THE_TREE) != 1:
                sys.exit(f"{unit}: does not start '{IN_THE_TREE}'")
            put(text.replace(IN_THE_TREE, as_word(program)).encode(), folder / unit.name, 0o644, args.staging)
    if args.staging:
        return
    folders = unit_folders(prefix)
    if str(program.parent) not in os.environ.get("PATH", "").split(os.pathsep):
        print(f"{program.parent} is not in your PATH: add it, or type {shlex.quote(str(program))}")
    if prefix in SEARCHED or "system" not in folders:
        print("Next: 'mhp init' or 'mhp join', then 'systemctl --user daemon-reload' and "
              "'systemctl --user enable --now mhp' keep 'mhp up' running.")
    else:
        link = shlex.quote(str(folders["user"] / "mhp.service"))
        print(f"systemd does not look there by itself: 'systemctl --user link {link}', then "
              "'systemctl --user enable --now mhp' keeps 'mhp up' running.")


if __name__ == "__main__":
    try:
        main()
    except OSError as problem:
        sys.exit(f"install: {problem}")
