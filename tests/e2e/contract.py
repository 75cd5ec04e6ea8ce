# The commands are a contract: exit codes, --json fields, what is refused, what is left out, who may write when.
import contextlib
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time

from support import trees, world
from support.world import DONE, FAILED, INTERRUPTED, PARTLY, REFUSED, TOO_FEW, USAGE, Skip

COMMANDS = ["init", "recover", "home add", "home list", "home remove", "backup", "snapshots", "ls", "find", "diff",
            "restore", "forget", "status",
            "check", "repair", "demo"]
OTHER_UID = 54321
PAGE = 300 << 10  # bytes of a page of the tree; it is new where a folder above what is saved has changed meanwhile


def saved(w, number=3, files=20, size=4 << 10):
    source = w.folder / "source"
    trees.make_files(source, w.random, files, size)
    vault = w.vault(number)
    return vault, source, vault.backup(source)


def has_fields(w, value, what, **fields):
    for name, kind in fields.items():
        w.check(name in value, f"{what}: no field {name!r} in {value}")
        w.check(isinstance(value[name], kind) and (kind is bool or not isinstance(value[name], bool)),
                f"{what}: {name} is {value[name]!r}, no {kind}")


def help_has_examples(w):
    for command in COMMANDS:
        run = w.run(*command.split(), "--help", state=w.folder / "none")
        w.check("Example" in run.out and f"mhp {command}" in run.out, f"help of {command} has an example\n{run}")
    w.check(w.run("--version", state=w.folder / "none").out.startswith("mhp "), "--version")
    w.check("mhp backup" in w.run("--help", state=w.folder / "none").out, "--help shows a first backup")


def json_fields(w):
    vault, source, report = saved(w)
    has_fields(w, report, "backup", snapshot=str, files=int, bytes=int, new_bytes=int, stored_bytes=int, homes=int,
               margin=int, errors=list)
    size = sum(path.stat().st_size for path in source.rglob("*") if path.is_file())
    w.equal((report["files"], report["bytes"], report["homes"], report["margin"], report["errors"]),
            (20, size, 3, 1, []), "backup")
    w.check(size <= report["new_bytes"] + 1 and report["stored_bytes"] > 0, f"new and stored bytes: {report}")
    snapshots = vault.snapshots()
    w.check(isinstance(snapshots, list) and len(snapshots) == 1, f"snapshots: {snapshots}")
    has_fields(w, snapshots[0], "snapshots", id=str, time=str, paths=list, files=int, bytes=int)
    w.equal((snapshots[0]["id"], snapshots[0]["paths"]), (report["snapshot"], [str(source)]), "snapshots")
    w.check(time.strptime(snapshots[0]["time"], "%Y-%m-%dT%H:%M:%SZ"), "time is RFC 3339")
    status = vault.status()
    has_fields(w, status, "status", state=str, margin=int, homes=list)
    w.equal((status["state"], status["margin"], len(status["homes"])), ("safe", 1, 3), "status")
    for home in status["homes"]:
        has_fields(w, home, "a home in status", id=str, name=str, state=str, used_bytes=int, free_bytes=int)
        w.check(home["used_bytes"] > 0 and home["free_bytes"] > 0, f"space of {home}")
    check = vault.check("--read-data")
    has_fields(w, check, "check", ok=bool, segments=int, rows_missing=int, rows_bad=int, homes_bad=list)
    w.check(check["ok"] and check["segments"] > 0 and check["bytes_read"] > 0, f"check: {check}")
    _, run = vault.restore()
    has_fields(w, run.json, "restore", files=int, bytes=int, errors=list)
    w.equal((run.json["files"], run.json["bytes"]), (20, size), "restore")
    listed = vault.mhp("--json", "home", "list").json["homes"]
    w.equal([home["name"] for home in listed], [home.name for home in vault.homes], "home list")
    has_fields(w, vault.mhp("--json", "repair").json, "repair", rows_made=int, margin=int)
    for command in (["ls", "latest"], ["find", "file-*"], ["diff", "latest", "latest"], ["snapshots"]):
        for value in vault.mhp("--json", *command).objects:
            w.check(isinstance(value, (dict, list)), f"{command} prints JSON")


def errors_are_json(w):
    vault, source, _ = saved(w)
    cases = [
        (FAILED, ["status"], w.folder / "no state"),
        (FAILED, ["init"], vault.state),
        (USAGE, ["backup"], vault.state),
        (USAGE, ["backup", "--no-such-option", source], vault.state),
        (USAGE, ["no-such-command"], vault.state),
        (USAGE, [], vault.state),
        (USAGE, ["restore", "latest"], vault.state),
        (USAGE, ["backup", w.folder / "no such path"], vault.state),
        (USAGE, ["init", "--level", "cheap"], w.folder / "other"),
        (USAGE, ["home", "add", w.folder / "x", "--max", "many"], vault.state),
        (USAGE, ["check", "--read-data=0"], vault.state),
        (USAGE, ["check", "--read-data=many"], vault.state),
        (FAILED, ["home", "remove", "nobody"], vault.state),
        (USAGE, ["find", ""], vault.state),
        (USAGE, ["restore", "latest", "--to", ""], vault.state),
        (FAILED, ["ls", "ffffffff"], vault.state),
        (FAILED, ["ls", "latest:/no/such"], vault.state),
        (USAGE, ["ls", ""], vault.state),
        (USAGE, ["ls", ":/x"], vault.state),
        (USAGE, ["restore", f":{source}", "--to", w.folder / "back"], vault.state),
        (USAGE, ["restore", "19", "--to", w.folder / "back"], vault.state),
        (USAGE, ["home", "add", vault.phrase], vault.state),
        (USAGE, ["home", "add", ""], vault.state),
        (USAGE, ["home", "add", w.folder / "x", "--max", "0"], vault.state),
        (USAGE, ["home", "add", vault.homes[0] / "inner"], vault.state),
        (USAGE, ["home", "add", vault.homes[0].parent], vault.state),
        (USAGE, ["home", "add", vault.state / "home"], vault.state),
        (FAILED, ["home", "add", w.folder / "no such" / "folder"], vault.state),
        (FAILED, ["restore", "ffffffff", "--to", w.folder / "back"], vault.state),
        (FAILED, ["restore", "latest:/no/such", "--to", w.folder / "back"], vault.state),
    ]
    for code, args, state in cases:
        run = w.run("--json", *args, state=state, code=code)
        has_fields(w, run.error, f"error of {args}", error=str, code=str, hint=str)
        w.equal(run.out, "", f"standard output of {args}")
        plain = w.run(*args, state=state, code=code)
        w.check(plain.err.startswith("mhp: ") and "{" not in plain.err, f"a sentence for a person\n{plain}")
    w.check(not (w.folder / "back").exists() and not (w.folder / "no such").exists(), "what is refused makes nothing")
    vault.take_away(vault.homes[1])
    vault.take_away(vault.homes[2])
    run = vault.mhp("--json", "restore", "latest", "--to", w.folder / "back", code=TOO_FEW)
    w.equal(len(run.err.splitlines()), 1, f"one object\n{run}")
    w.check(all(any(home.name in note for note in run.error["notes"]) for home in vault.homes[1:]), f"notes\n{run}")
    vault.bring_back(vault.homes[1])
    vault.bring_back(vault.homes[2])
    w.check(not (w.folder / "no state").exists() and not (w.folder / "other").exists(),
            "a refused command makes no state")


def wrong_phrase(w):
    vault, source, _ = saved(w)
    other = w.vault()
    state = w.folder / "new"
    run = w.run("--json", "recover", "--phrase-file", other.phrase, "--home", vault.homes[0], state=state, code=REFUSED)
    w.check(not state.exists(), f"nothing is made\n{run}")
    words = vault.words.split()
    said = {"23 words": words[:-1], "word 24 is not in the list": [*words[:-1], "mhp"],
            "checksum": ["abandon"] * 24}  # ends with "art" where it fits; one in 256 of any others would
    for sentence, changed in said.items():
        (w.folder / "phrase").write_text(" ".join(changed) + "\n")
        run = w.run("--json", "recover", "--phrase-file", w.folder / "phrase", "--home", vault.homes[0], state=state,
                    code=REFUSED)
        w.check(sentence in run.error["error"] and run.error["hint"], f"it says what is wrong: {sentence}\n{run}")
    for changed in (words[1:] + words[:1], words[:-1], [*words[:-1], "mhp"], words[:12] * 2):
        phrase = w.folder / "phrase"
        phrase.write_text(" ".join(changed) + "\n")
        run = w.run("--json", "recover", "--phrase-file", phrase, "--home", vault.homes[0], state=state,
                    code=REFUSED)
        w.check(not state.exists() and run.error["error"], f"nothing is made\n{run}")
        own = {"again", "code", "error", "fit", "order", "paper", "place", "subject", "there", "word"}  # in messages
        said = set(re.findall(r"[a-z]+", run.err)) & set(words) - own
        w.check(not said, f"no word of the phrase is said: {said}\n{run}")
    for nothing in (w.folder, w.folder / "no such"):
        run = w.run("--json", "recover", "--phrase-file", vault.phrase, "--home", nothing, state=state, code=TOO_FEW)
        w.check(f"{nothing}: no home here" in run.error["error"] and run.error["hint"], f"no home\n{run}")
    w.run("recover", "--phrase-file", w.folder / "none", "--home", vault.homes[0], state=state, code=FAILED)
    w.run("recover", "--phrase-file", vault.phrase, "--home", vault.homes[0], state=vault.state, code=FAILED)
    with open(vault.phrase, "rb") as words_on_input:
        w.run("recover", "--home", vault.homes[0], state=state, stdin=words_on_input)
    w.run("restore", "latest", "--to", w.folder / "back", state=state)
    trees.check_same(w, trees.tree_of(source), w.folder / "back" / source.relative_to("/"),
                     "after the phrase from standard input")


def phrase_file(w):
    phrase, state = w.folder / "phrase", w.folder / "state"
    run = w.run("--json", "init", "--phrase-file", phrase, state=state)
    content = phrase.read_text()
    w.equal(stat.S_IMODE(phrase.stat().st_mode), 0o600, "mode of the phrase file")
    w.equal((len(content.split()), content), (24, " ".join(content.split()) + "\n"),
            "24 words, single spaces, a newline")
    w.check(content.strip() not in run.out + run.err and "phrase" not in run.json,
            f"the phrase is not shown too\n{run}")
    again = w.run("--json", "init", "--phrase-file", phrase, state=w.folder / "state-2", code=FAILED)
    w.check(str(phrase) in again.error["hint"] and "interrupted" in again.error["hint"],
            f"it says what to do when an interrupted init left it\n{again}")
    w.run("init", "--phrase-file", w.folder / "words", "--sheet", phrase, state=w.folder / "state-2", code=FAILED)
    w.check(not (w.folder / "words").exists(), "no words without a vault")
    trees.write(w.folder / "a file", b"x")
    w.run("init", "--phrase-file", w.folder / "words", state=w.folder / "a file" / "state", code={FAILED, USAGE})
    w.check(not (w.folder / "words").exists(), "no words where the state folder cannot be made")
    w.equal(phrase.read_text(), content, "a phrase file is never overwritten")
    w.check(not (w.folder / "state-2" / "device").exists(), "no vault without its phrase")
    w.run("init", "--phrase-file", w.folder / "phrase-2", state=state, code=FAILED)
    w.check(not (w.folder / "phrase-2").exists(), "a refused init writes no phrase")
    shown = w.run("init", "Ann", "--sheet", w.folder / "sheet.html", state=w.folder / "state-3")
    sheet = (w.folder / "sheet.html").read_text()
    w.equal(stat.S_IMODE((w.folder / "sheet.html").stat().st_mode), 0o600, "mode of the sheet")
    words = [word for word in shown.out.replace(".", " ").split() if word.isalpha() and word.islower() and
             word in sheet]
    w.check(len(words) >= 24, f"the words are shown once and on the sheet\n{shown.out}")


def target_must_be_empty(w):
    vault, source, _ = saved(w)
    for name, make in {"taken": lambda path: (path.mkdir(), trees.write(path / "mine", b"mine")),
                       "file": lambda path: trees.write(path, b"x")}.items():
        target = w.folder / name
        make(target)
        before = trees.tree_of(target)
        vault.mhp("restore", "latest", "--to", target, code=USAGE)
        vault.mhp("restore", "latest", "--to", target, "--dry-run", code=USAGE)
        w.equal(trees.tree_of(target), before, "what was there")
    os.symlink(w.folder / "nowhere", w.folder / "dangling")
    for more in ([], ["--dry-run"]):
        run = vault.mhp("--json", "restore", "latest", "--to", w.folder / "dangling", *more, code=USAGE)
        w.check("link to something that is not there" in run.error["error"], f"a dangling link\n{run}")
    w.check(not (w.folder / "nowhere").exists(), "a link is not followed to make a folder")
    (w.folder / "empty").mkdir()
    vault.mhp("restore", "latest", "--to", w.folder / "empty")
    trees.check_same(w, trees.tree_of(source), w.folder / "empty" / source.relative_to("/"), "into an empty folder")
    w.equal(vault.mhp("--json", "restore", "latest", "--to", w.folder / "dry", "--dry-run").json["files"], 20,
            "files of a dry run")
    said = vault.mhp("restore", "latest", "--to", w.folder / "dry", "--dry-run").out
    w.check("Would bring back 20 files" in said and " s, " not in said, f"a dry run took no time: {said}")
    w.check(not (w.folder / "dry").exists(), "a dry run writes nothing")


def snapshot_paths(w):
    """SNAPSHOT is an id, a prefix, `latest`; :PATH gives the content of a folder, or one file."""
    source = w.folder / "source"
    trees.make_files(source, w.random, 120, 2 << 10)
    trees.write(source / "with:colon", b"colon")
    os.link(source / "folder-000" / "file-00000", source / "folder-001" / "linked")
    vault = w.vault(3)
    first = vault.backup(source)["snapshot"]
    trees.write(source / "folder-000" / "file-00001", b"changed")
    second = vault.backup(source)["snapshot"]
    now = trees.tree_of(source)
    for name in (second, second[:8], second[:4], "latest"):
        back, _ = vault.restore(f"{name}:{source}")
        trees.check_same(w, now, back, f"{name}:PATH")
    back, _ = vault.restore(f"{first[:8]}:{source}")
    w.check(trees.differences(now, trees.tree_of(back)), "the first snapshot is another one")
    for given in (f"{source}/folder-001", f"{source}/folder-001/", str(source / "folder-001")[1:]):
        back, _ = vault.restore(f"latest:{given}")
        wanted = trees.tree_of(source / "folder-001")
        trees.check_same(w, wanted, back, "a folder, with a link whose first name is outside")
    back, _ = vault.restore(f"latest:{source}/with:colon")
    w.equal((os.listdir(back), (back / "with:colon").read_bytes()), (["with:colon"], b"colon"),
            "one file, split at the first colon")
    vault.restore("latest:/", code=DONE)
    listed = vault.mhp("--json", "ls", f"latest:{source}").objects
    w.equal({entry["path"] for entry in listed}, {str(path) for path in source.iterdir()}, "ls of a folder")
    everything = vault.mhp("--json", "ls", "-r", "latest").objects
    w.check({str(path) for path in source.rglob("*")} <= {entry["path"] for entry in everything}, "ls -r")
    w.equal(vault.mhp("--json", "find", "linked").objects[0]["path"], str(source / "folder-001" / "linked"), "find")
    changes = [(change["change"], change["path"]) for change in vault.mhp("--json", "diff", first, "latest").objects]
    # Folders above the source belong to the snapshot too, and others may work in the scratch folder meanwhile.
    w.equal([change for change in changes if change[1].startswith(str(source))],
            [("content", str(source / "folder-000" / "file-00001"))], "diff")


def several_paths(w):
    one, two, single = w.folder / "one", w.folder / "deep" / "two", w.folder / "deep" / "a file"
    trees.make_files(one, w.random, 10, 1000)
    trees.make_files(two, w.random, 10, 1000)
    trees.write(single, b"single")
    os.symlink(two, w.folder / "link")
    vault = w.vault(2)
    report = vault.backup(one, two, single, w.folder / "link", two / "folder-000")  # the last lies in another one
    w.equal((report["files"], report["errors"]), (22, []), "files; a link that is named is saved as a link")
    back, _ = vault.restore()
    for path in (one, two, single):
        trees.check_same(w, trees.tree_of(path), back / path.relative_to("/"), str(path))
    w.equal(os.readlink(back / (w.folder / "link").relative_to("/")), str(two), "the link")
    run = vault.mhp("--json", "backup", "one", "deep/../deep/two")
    w.equal(vault.snapshots()[-1]["paths"], [str(two), str(one)] if str(two) < str(one) else [str(one), str(two)],
            "relative paths")
    w.check(run.json["new_bytes"] < PAGE, f"nothing is new\n{run}")


def excludes(w):
    source = w.folder / "source"
    wanted = {"keep.txt", "sub/keep.txt", "important.tmp", "cache/CACHEDIR.TAG", "not-a-cache/CACHEDIR.TAG",
              "not-a-cache/data", "build/x/made"}
    left_out = {"drop.tmp", "sub/drop.tmp", "cache/data", "cache/deep/data", "logs/a.log", "only-here"}
    for name in wanted | left_out:
        path = source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        trees.write(path, name.encode())
    trees.write(source / "cache" / "CACHEDIR.TAG", b"Signature: 8a477f597d28d172789f06886806bc55\n# a cache\n")
    (w.folder / "patterns").write_text("# comment\nlogs/\n\n/only-here\n")
    vault = w.vault(2)

    def files(report):
        listed = vault.mhp("--json", "ls", "-r", report["snapshot"]).objects
        return {entry["path"][len(str(source)) + 1:] for entry in listed if entry["kind"] == "file"}

    report = vault.backup(source, "-e", "*.tmp", "--exclude", "!important.tmp", "--exclude-file", w.folder / "patterns")
    w.equal(files(report), wanted, "saved")
    report = vault.backup(source, "--no-exclude-caches")
    w.equal(files(report), wanted | left_out, "saved without excludes")


def one_file_system(w):
    if os.getuid() != 0:
        raise Skip("only root may mount")
    source = w.folder / "source"
    (source / "other").mkdir(parents=True)
    trees.write(source / "here", b"here")
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", source / "other"],
                      capture_output=True).returncode != 0:
        raise Skip("mounting is not allowed here")
    w.undo.append(lambda: subprocess.run(["umount", source / "other"], check=True))
    trees.write(source / "other" / "there", b"there")
    vault = w.vault(2)
    w.equal(vault.backup(source)["files"], 2, "files over both file systems")
    w.equal(vault.backup(source, "-x")["files"], 1, "files of one file system")


def own_folders_are_left_out(w):
    """State and homes inside of what is saved, also by another path; a backup never swallows itself."""
    vault, source, _ = saved(w, 3)
    report = vault.backup(w.folder)
    listed = [entry["path"] for entry in vault.mhp("--json", "ls", "-r", "latest").objects]
    w.equal(report["errors"], [], "errors")
    for own in [vault.state, *vault.homes]:
        w.check(not [path for path in listed if path.startswith(f"{own}/")], f"{own} is not in the snapshot")
    w.check(str(source / "folder-000" / "file-00000") in listed and str(vault.phrase) in listed, "all else is")
    for more in ([], ["--dry-run"]):
        run = vault.mhp("--json", "backup", vault.homes[0], vault.state / "cache", *more, code=USAGE)
        w.check(f"{vault.homes[0]} (home '{vault.homes[0].name}')" in run.error["error"] and
                f"{vault.state / 'cache'} (the state folder)" in run.error["error"] and run.error["hint"],
                f"what is left out, and why\n{run}")
    w.equal(len(vault.snapshots()), 2, "snapshots: none without files was made")
    run = vault.mhp("backup", source, vault.homes[0])
    w.check("left out" in run.err and str(vault.homes[0]) in run.err, f"one of two paths is left out\n{run}")


def unreadable_files(w):
    """Run by somebody who may not read all: exit 3, each file named, the rest saved."""
    if os.getuid() != 0:
        raise Skip("needs root, to become somebody else")
    base = w.folder / "theirs"
    source = base / "source"
    trees.make_files(source, w.random, 10, 1000)
    trees.write(source / "secret", b"secret", 0o600)
    (source / "closed").mkdir()
    trees.write(source / "closed" / "inside", b"inside")
    for root, folders, files in os.walk(base):
        for name in folders + files:
            os.chown(os.path.join(root, name), OTHER_UID, OTHER_UID)
    os.chown(base, OTHER_UID, OTHER_UID)
    os.chown(source / "secret", 0, 0)
    os.chown(source / "closed", 0, 0)
    os.chmod(source / "closed", 0o700)
    w.folder.chmod(0o711)
    options = {"user": OTHER_UID, "group": OTHER_UID, "extra_groups": [], "cwd": base}
    state = base / "state"
    program = w.program
    if subprocess.run([program, "--version"], capture_output=True, user=OTHER_UID, extra_groups=[]).returncode != 0:
        raise Skip(f"others may not run {program}")
    w.run("init", "--phrase-file", base / "phrase", state=state, **options)
    for name in ("a", "b", "c"):
        w.run("home", "add", base / name, "--same-disk", state=state, **options)
    run = w.run("--json", "backup", source, state=state, code=PARTLY, **options)
    w.equal(sorted(error["path"] for error in run.json["errors"]), [str(source / "closed"), str(source / "secret")],
            "errors")
    w.check(all(error["reason"] for error in run.json["errors"]), f"reasons\n{run}")
    w.equal(run.json["files"], 10, "files saved")
    plain = w.run("backup", source, state=state, code=PARTLY, **options)
    w.check(str(source / "secret") in plain.err, f"named on standard error\n{plain}")
    run = w.run("--json", "restore", "latest", "--to", base / "back", state=state, **options)
    w.equal(run.json["files"], 10, "files brought back")
    w.check("taken in part: 2 files or folders" in run.err, f"the restore says that it can bring only a part\n{run}")
    listed = w.run("snapshots", state=state, **options).out
    w.check("in part: 2 files or folders unreadable" in listed, f"so does the list: {listed}")
    back = base / "back" / source.relative_to("/")
    trees.check_same(w, trees.tree_of(source / "folder-000"), back / "folder-000", "what could be read")
    # A snapshot of root's files, brought back by somebody else: owners cannot be set, and that is said, not failed.


def names_are_escaped(w):
    """A name cannot steer the terminal, whichever command prints it."""
    source = w.folder / "source"
    source.mkdir()
    evil = [b"\x1b[31mred", b"new\nline", b"\x1b]0;title\x07", b"\xff\xfe", b"\xc2\x9b31m", b"\xe2\x80\xaeturned",
            b"back\rover"]
    for name in evil:
        trees.write(os.path.join(os.fsencode(source), name), b"x")
    vault = w.vault(2)
    first = vault.backup(source)["snapshot"]
    for name in evil:
        trees.write(os.path.join(os.fsencode(source), name), b"yy")
    vault.backup(source)
    runs = [["ls", "-r", "latest"], ["ls", "-l", f"latest:{source}"], ["find", "*"], ["diff", first, "latest"],
            ["ls", "latest:/\x1b[31m"],
            ["home", "remove", "\x1b[31m"], ["restore", "\x1b[31m", "--to", w.folder / "x"], ["backup",
                                                                                              w.folder / "\x1b[31m"],
            ["--json", "ls", "-r", "latest"], ["--json", "diff", first, "latest"]]
    for args in runs:
        process = subprocess.run([w.program, *map(os.fspath, args)], capture_output=True,
                                 env=w.environment(vault.state), check=False)
        w.count("runs")
        for output in (process.stdout, process.stderr):
            text = output.decode("utf-8")  # strict: what comes out is UTF-8
            bad = [char for char in text if char != "\n" and
                   (ord(char) < 32 or 0x7f <= ord(char) < 0xa0 or char == "\u202e")]
            w.check(not bad, f"{args} prints {bad!r}: {output[:300]!r}")
    listed = vault.mhp("ls", f"latest:{source}").out.splitlines()
    w.equal(len(listed), len(evil), "lines, one a name")
    hexes = {entry.get("path_hex") for entry in vault.mhp("--json", "ls", f"latest:{source}").objects}
    w.check(os.fsencode(source / "x")[:-1].hex() + "fffe" in hexes,
            "the exact bytes of a name that is no UTF-8 are in the JSON")


def secrets_stay_secret(w):
    """Words and keys never come out, and never stand in the arguments of any process that we start."""
    vault, source, _ = saved(w)
    words = vault.words
    runs = [vault.mhp(*args) for args in (["status"], ["check"], ["snapshots"], ["home", "list"], ["--json", "status"],
                                          ["backup", source])]
    vault.lose_state()
    runs.append(vault.recover(vault.homes[0]))
    pairs = [" ".join(words.split()[at:at + 2]) for at in range(23)]
    for run in runs:
        for pair in pairs:
            w.check(pair not in run.out + run.err, f"no words of the phrase\n{run}")
    help_text = "".join(w.run(*command.split(), "--help", state=vault.state).out for command in COMMANDS)
    w.check("--phrase " not in help_text and "--password" not in help_text, "no option takes a secret")


def second_init(w):
    vault, _, _ = saved(w)
    before = trees.tree_of(vault.state)
    run = w.run("--json", "init", "Other", "--phrase-file", w.folder / "p", state=vault.state, code=FAILED)
    w.check(str(vault.state) in run.error["error"] and not (w.folder / "p").exists(), f"it says where\n{run}")
    w.equal(trees.tree_of(vault.state), before, "the state folder")


def interrupted(w):
    """Ctrl-C at any time: exit 130 at once, nothing half done counts, no lock is left."""
    vault, source, first = saved(w)
    done = [first["snapshot"]]
    for attempt in range(500 if w.long else 25):
        folder = source / f"more-{attempt % 5}"
        trees.make_files(folder, w.random, 20, 2 << 20, fraction_text=0)
        process = vault.start("--json", "backup", source)
        try:
            process.wait(w.random.uniform(0.02, 0.4))
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGINT)
        # A signal that comes before the program listens ends it as any other program.
        run = w.finish(process, {DONE, INTERRUPTED, -signal.SIGINT}, limit_s=60)
        w.count("interrupted", run.code == INTERRUPTED)
        if run.code == DONE:
            done.append(run.json["snapshot"])
    w.check(w.counts["interrupted"] > 0, "some were interrupted")
    vault.backup(source)
    listed = [snapshot["id"] for snapshot in vault.snapshots()]
    w.check(set(done) <= set(listed), "all that was done is there")
    w.equal(vault.check("--read-data")["ok"], True, "check")
    back, _ = vault.restore()
    trees.check_same(w, trees.tree_of(source), back / source.relative_to("/"), "after the interrupts")


def unchanged_is_quick(w):
    """A second backup of the same stores next to nothing, and reads no file again."""
    source = w.folder / "source"
    trees.make_files(source, w.random, 2000, 20 << 10)
    vault = w.vault(3)
    first = vault.mhp("--json", "backup", source)
    again = vault.mhp("--json", "backup", source)
    w.equal((again.json["files_unchanged"], again.json["files"]), (2000, 2000), "the second backup")
    w.check(again.json["new_bytes"] < 4 * PAGE, f"new bytes: {again.json['new_bytes']:,}")
    w.check(again.json["stored_bytes"] <= 3 << 20, f"stored again: {again.json['stored_bytes']:,}")
    w.check(again.seconds < max(1.0, first.seconds), f"first {first.seconds:.2f} s, again {again.seconds:.2f} s")
    w.check(vault.backup(source, "--full-read")["new_bytes"] < 4 * PAGE, "little is new where every file is read again")
    w.equal(vault.mhp("--json", "backup", source, "--dry-run").json["dry_run"], True, "a dry run")
    w.equal(len(vault.snapshots()), 3, "snapshots; a dry run makes none")
    stored = again.json["stored_bytes"]
    w.note(f"40 MB: {first.seconds:.2f} s; unchanged: {again.seconds:.2f} s, {stored:,} bytes stored")


class Stopped:
    """A backup that stands still in its middle: it holds its locks until the block ends."""

    def __init__(self, vault, source):
        self.vault, self.source = vault, source

    def __enter__(self):
        held = self.sent()
        self.process = self.vault.start("backup", self.source)
        while self.process.poll() is None and self.sent() < held + (1 << 20):
            time.sleep(0.001)  # watching: it is stopped while it sends
        os.kill(self.process.pid, signal.SIGSTOP)
        if self.process.poll() is not None:
            raise world.Failure("the backup was done before it could be stopped")
        return self.process

    def __exit__(self, *_):
        os.kill(self.process.pid, signal.SIGCONT)

    def sent(self):
        return sum(path.stat().st_blocks * 512 for home in self.vault.homes for path in (home / "logs").iterdir())


def two_at_once(w):
    """One writer at a time, told who it is, or it waits; looking and restoring go on meanwhile."""
    vault, source, _ = saved(w, 3, 100, 20 << 10)
    before = trees.tree_of(source)
    trees.make_files(w.folder / "big", w.random, 60, 2 << 20, fraction_text=0)
    with Stopped(vault, w.folder / "big") as process:
        for args in (["backup", source], ["repair"], ["home", "remove", vault.homes[0].name],
                     ["home", "add", w.folder / "new", "--same-disk"]):
            run = vault.mhp("--json", *args, "--wait", "0", code=FAILED)
            w.equal(run.error["code"], "busy", f"the error's code\n{run}")
            w.check(str(process.pid) in run.error["error"], f"it says which process, {process.pid}\n{run}")
            w.check(run.error["hint"], f"it says what to do\n{run}")
        w.equal(vault.status()["state"], "safe", "status during a backup")
        w.equal(len(vault.snapshots()), 1, "snapshots during a backup")
        w.equal(vault.check()["ok"], True, "check during a backup")
        back, _ = vault.restore()
        trees.check_same(w, before, back / source.relative_to("/"), "a restore during a backup")
        waiting = vault.start("backup", source)
        while b"waiting for another mhp" not in os.pread(waiting.files[1].fileno(), 4096, 0):
            w.check(waiting.poll() is None, "it waits")
            time.sleep(0.01)  # watching: the other goes on only when this one waits for it
    w.finish(process, DONE)
    run = w.finish(waiting, DONE)
    w.check(str(process.pid) in run.err, f"it says for whom it waits\n{run}")
    w.equal(len(vault.snapshots()), 3, "snapshots")
    w.equal(vault.check("--read-data")["ok"], True, "check")


def at_one_moment(w):
    """Two computers of one vault back up at one moment, again and again: one waits, both are done, all comes back."""
    vault, source, _ = saved(w)
    other = w.folder / "second computer"
    w.run("recover", "--keep-devices", "--phrase-file", vault.phrase, "--home", vault.homes[0], state=other)
    wanted, waited = {}, 0
    for _ in range(200 if w.long else 20):
        sources = [(vault.state, source), (other, w.folder / "source of the second")]
        for _, folder in sources:
            folder.mkdir(exist_ok=True)
            trees.write(folder / f"more-{w.random.randrange(1 << 40)}", w.random.randbytes(60_000))
        started = [(vault.start("--json", "backup", folder, state=state), folder) for state, folder in sources]
        for process, folder in started:
            run = w.finish(process, DONE)
            w.equal((run.json["left_out"], run.json["margin"]), ([], 1), f"nothing is left out\n{run}")
            waited += "waiting for another mhp" in run.err
            wanted[run.json["snapshot"]] = (folder, trees.tree_of(folder))
    w.equal(len(vault.snapshots()), len(wanted) + 1, "snapshots")
    for snapshot, (folder, tree) in wanted.items():
        back, _ = vault.restore(snapshot)
        trees.check_same(w, tree, back / folder.relative_to("/"), f"snapshot {snapshot}")
        world.remove_tree(back)
    for state in (vault.state, other):
        w.equal(w.run("--json", "check", "--read-data", state=state).json["ok"], True, "check")
    w.note(f"{len(wanted)} backups by two computers at one moment, {waited} waited")


def two_devices(w):
    """A second computer of the same owner, by --keep-devices: each writes its own snapshots, both read all."""
    vault, source, first = saved(w)
    other = w.folder / "second computer"
    w.run("recover", "--keep-devices", "--phrase-file", vault.phrase, "--home", vault.homes[0], state=other)
    trees.write(source / "from the second", w.random.randbytes(50_000))
    second = w.run("--json", "backup", source, state=other).json
    w.check(second["new_bytes"] < 60_000, f"what the first saved is not saved again: {second}")
    trees.write(source / "from the first", w.random.randbytes(50_000))
    third = vault.backup(source)
    for state in (vault.state, other):
        listed = [snapshot["id"] for snapshot in w.run("--json", "snapshots", state=state).json]
        w.equal(listed, [first["snapshot"], second["snapshot"], third["snapshot"]], "snapshots over both devices")
        back = w.folder / f"back-{state.name}"
        w.run("restore", "latest", "--to", back, state=state)
        trees.check_same(w, trees.tree_of(source), back / source.relative_to("/"), "latest over both devices")
        w.equal(w.run("--json", "check", "--read-data", state=state).json["ok"], True, "check")


def revoked_device(w):
    """After `recover` the lost computer is shut out: it may no longer write, and what it writes is not believed."""
    vault, source, first = saved(w)
    new = w.folder / "new computer"
    w.run("recover", "--phrase-file", vault.phrase, "--home", vault.homes[0], state=new)
    run = vault.mhp("--json", "backup", source, code=REFUSED)
    w.equal(run.error["code"], "denied", f"the error's code\n{run}")
    w.check("shut out" in run.error["error"] and "mhp recover --state" in run.error["hint"],
            f"what happened, and what to do\n{run}")
    w.run("backup", source, state=new)
    listed = [snapshot["id"] for snapshot in w.run("--json", "snapshots", state=new).json]
    w.equal((len(listed), listed[0]), (2, first["snapshot"]), "snapshots on the new computer")
    w.check(" wrong " not in w.run("check", "--read-data", state=new).err, "no home is blamed")


def no_homes_yet(w):
    vault = w.vault()
    source = w.folder / "source"
    trees.make_files(source, w.random, 3, 1000)
    status = vault.status()
    w.equal((status["state"], status["margin"], status["homes"]), ("not_yet", 0, []), "status without homes")
    run = vault.mhp("--json", "backup", source, code=TOO_FEW)
    w.check("home" in run.error["error"], f"it says that there is no home\n{run}")
    vault.add_home()
    w.equal(vault.status()["state"], "not_yet", "status with one home")
    run = vault.mhp("backup", source)
    w.check("not safe yet" in run.out and "1 home" in run.out, f"it says that one home is not safe\n{run}")
    w.equal(vault.status()["state"], "not_yet", "status after a backup to one home")


def output_is_checked(w):
    """Where standard output does not take the answer the command has failed; without words no vault is made."""
    with open("/dev/full", "wb") as full:
        run = w.run("init", state=w.folder / "unseen", code=FAILED, stdout=full)
    w.check("could not be shown" in run.err, f"the 24 words\n{run}")
    w.check(not (w.folder / "unseen").exists(), "a vault whose words nobody saw")
    vault, source, _ = saved(w)
    for command in (["find", "*"], ["snapshots"], ["--json", "check"], ["status"]):
        with open("/dev/full", "wb") as full:
            run = vault.mhp(*command, code=FAILED, stdout=full)
        w.check("standard output" in run.err, f"{command}\n{run}")
    for command, done in ((["backup", source], "snapshot"), (["--json", "backup", source], "snapshot"),
                          (["restore", "latest", "--to", w.folder / "back"], "20 files")):
        with open("/dev/full", "wb") as full:
            run = vault.mhp(*command, code=FAILED, stdout=full)
        w.check(f"but {done}" in run.err, f"what was done all the same\n{run}")
    w.equal(len(vault.snapshots()), 3, "snapshots")
    reading, writing = os.pipe()
    os.close(reading)
    run = vault.mhp("find", "*", code=FAILED, stdout=writing)
    os.close(writing)
    w.equal(run.err, "", "a reader that has seen enough")


def same_disk_does_not_count(w):
    """Homes on one disk with each other or with the source are warned of and do not count."""
    vault, source = w.vault(), w.folder / "source"
    trees.make_files(source, w.random, 3, 1000)
    vault.mhp("home", "add", w.folder / "a", "--min-free", "1")
    run = vault.mhp("home", "add", w.folder / "b", "--min-free", "1")
    w.check("same disk" in run.err, f"it warns\n{run}")
    vault.mhp("backup", source)
    status = vault.status()
    w.equal((status["state"], status["margin"]), ("not_yet", 0), "two homes on the source's disk")
    vault.mhp("repair")
    said = vault.mhp("status").out
    w.check("add homes on others" in said and "mhp repair" not in said, f"a repair would change nothing: {said}")
    vault.restore()
    # One rule for all commands.
    other = w.vault(homes=3)
    other.mhp("home", "add", w.folder / "beside", "--min-free", "1")
    other.backup(source)
    margins = [other.status()["margin"], other.check()["margin"], other.mhp("--json", "repair").json["margin"]]
    w.equal(margins, [1, 1, 1], "margins that status, check and repair tell")
    beside = other.home_id(w.folder / "beside")
    w.equal(other.mhp("--json", "repair").json["homes_not_counted"], [beside], "homes that repair does not count")
    counts = {home["name"]: home["counts"] for home in other.check()["homes"]}
    w.equal(counts, {"home-01": True, "home-02": True, "home-03": True, "beside": False}, "homes that check counts")
    for command in ("check", "repair", "status"):
        run = other.mhp(command)
        w.check("on the disk of what is saved: does not count" in run.out + run.err, f"{command} says so\n{run}")


def damaged_state(w):
    """Damaged files in the state folder: a clear error or a renewed cache, never wrong files; recovery works."""
    vault, source, _ = saved(w)
    wanted = trees.tree_of(source)
    kept = {path: path.read_bytes() for path in vault.state.rglob("*") if path.is_file()}
    for path, content in kept.items():
        for damage in (b"", content[:len(content) // 2], w.random.randbytes(len(content)), None):
            path.unlink() if damage is None else path.write_bytes(damage)
            back, run = vault.restore(code=None)
            must = {"device": (REFUSED,), "vault-records": (DONE,)}.get(path.name, (DONE, REFUSED))
            w.check(run.code in must, f"{path.name} damaged\n{run}")
            if run.code == REFUSED:
                w.check(path.name in run.error["error"] and "mhp recover" in run.error["hint"],
                        f"it names the file and the way on\n{run}")
            w.check(path.name != "vault-records" or path.read_bytes() == content, "the vault record is put back")
            if run.code == DONE:
                trees.check_same(w, wanted, back / source.relative_to("/"), f"{path.name} damaged")
            w.check(run.code == DONE or path.name in ("device", "vault-records", "seen", "head"),
                    f"a cache may be damaged: {path.name}\n{run}")
            for other, whole in kept.items():
                other.parent.mkdir(parents=True, exist_ok=True)
                other.write_bytes(whole)
            w.count("state files damaged")
    device = kept[vault.state / "device"]
    for _ in range(20):
        bit = w.random.randrange(8 * len(device))
        (vault.state / "device").write_bytes(bytes(byte ^ (1 << bit % 8 if at == bit // 8 else 0)
                                                   for at, byte in enumerate(device)))
        run = vault.mhp("--json", "backup", source, code={DONE, REFUSED})
        w.check(run.code == REFUSED or "home" not in run.err, f"bit {bit} of device: no home is to blame\n{run}")
    (vault.state / "device").write_bytes(device)
    for name in ("vault-records", "vault-records.copy"):
        (vault.state / name).write_bytes(b"x")
    run = vault.mhp("--json", "status", code=REFUSED)
    w.check("vault-records" in run.error["error"] and "mhp recover" in run.error["hint"], f"both lost\n{run}")
    w.run("recover", "--phrase-file", vault.phrase, "--home", vault.homes[0], state=w.folder / "fresh")
    vault.lose_state()
    vault.recover(vault.homes[0])
    vault.restore()


def closed_state(w):
    """A state folder that this user may not read, or not write, is this computer's trouble: 1, no advice to init."""
    if os.getuid() != 0:
        raise Skip("needs root, to become somebody else")
    vault, source, _ = saved(w)
    if subprocess.run([w.program, "--version"], capture_output=True, user=OTHER_UID, extra_groups=[]).returncode != 0:
        raise Skip(f"others may not run {w.program}")
    w.folder.chmod(0o755)
    options = {"user": OTHER_UID, "group": OTHER_UID, "extra_groups": [], "cwd": "/"}
    for args in (["status"], ["backup", source], ["init"]):
        run = vault.mhp("--json", *args, code=FAILED, **options)
        w.check("permission denied" in run.error["error"] and str(vault.state) in run.error["error"] and
                "init" not in run.error["hint"], f"it says that it may not read\n{run}")
    for path in (w.folder, *w.folder.rglob("*")):
        os.chmod(path, 0o755, follow_symlinks=False)
        os.chown(path, OTHER_UID, OTHER_UID)
    os.chmod(vault.state, 0o555)
    for name in ("lock", "journal", "head"):
        with contextlib.suppress(FileNotFoundError):
            os.chmod(vault.state / name, 0o444)
    run = vault.mhp("--json", "backup", source, code=FAILED, **options)
    w.check(str(vault.state) in run.error["error"] and run.error["hint"], f"it says what may not be written\n{run}")
    w.equal(vault.status()["state"], "safe", "status with it")


def no_state_folder(w):
    """Nowhere to keep the state: said, not put into the folder that happens to be the current one."""
    env = {name: value for name, value in w.environment(w.folder).items() if name not in ("MHP_HOME", "HOME")}
    run = w.run("--json", "status", state=w.folder, env=env, code=USAGE)
    w.check("--state" in run.error["hint"] and not (w.folder / ".local").exists(), f"it says how\n{run}")


def dry_runs(w):
    """init, recover and home add say what they would do, and change nothing."""
    vault, _, _ = saved(w)
    before = trees.tree_of(w.folder)
    run = w.run("--json", "init", "--dry-run", "--phrase-file", w.folder / "words", state=w.folder / "new")
    w.equal(run.json["dry_run"], True, "init --dry-run")
    run = w.run("--json", "recover", "--dry-run", "--phrase-file", vault.phrase, "--home", vault.homes[0],
                state=w.folder / "new")
    w.equal((run.json["dry_run"], run.json["homes_reachable"]), (True, 3), "recover --dry-run")
    for folder in (w.folder / "home", vault.homes[0]):
        run = vault.mhp("--json", "home", "add", folder, "--dry-run")
        w.equal((run.json["dry_run"], run.json["known"]), (True, folder != w.folder / "home"), "home add --dry-run")
    vault.mhp("init", "--dry-run", code=FAILED)
    vault.mhp("home", "add", w.folder / "no" / "parent", "--dry-run", code=FAILED)
    after = trees.tree_of(w.folder)
    w.equal({name for name in before.keys() ^ after.keys() if not name.endswith(b"/lock")}, set(), "names")
    trees_differ = [name for name in trees.differences(before, after) if "lock" not in name and "mtime" not in name]
    w.equal(trees_differ, [], "what a dry run changed")


def given_links(w):
    """A path that is a link: the link alone is saved, which is said; with a '/' behind it what it leads to."""
    vault, source, _ = saved(w)
    link = w.folder / "link"
    os.symlink(source, link)
    report = vault.backup(link)
    w.equal((report["files"], [one["path"] for one in report["warnings"]]), (1, [str(link)]), "the link")
    w.check("is a link" in vault.mhp("backup", link).err, "it is said")
    report = vault.backup(f"{link}/")
    w.equal((report["files"], report["warnings"]), (20, []), "what it leads to")
    w.equal(vault.snapshots()[-1]["paths"], [str(source)], "its path")


def homes_of_one_name(w):
    """Folders of one name are told apart by more of their paths."""
    vault = w.vault(0)
    for drive in ("a", "b", "c"):
        (w.folder / drive).mkdir()
        vault.mhp("home", "add", w.folder / drive / "home", "--same-disk")
    names = [home["name"] for home in vault.mhp("--json", "home", "list").json["homes"]]
    w.equal(names, ["home", "b/home", "c/home"], "names")
    run = vault.mhp("home", "add", w.folder / "d", "--name", "b/home", code=USAGE)
    w.check("is called 'b/home' already" in run.err and not (w.folder / "d").exists(), f"nor by --name\n{run}")
    vault.mhp("home", "add", w.folder / "b" / "home", "--name", "b/home")  # its own


def small_words(w):
    """What is wrong with numbers and dates is said as it is; what is planned is not said to be done."""
    vault, source, _ = saved(w, 3)
    run = w.run("lab", "400", state=w.folder / "none", code=USAGE)
    w.check("36" in run.err and "told what to do" not in run.err, f"a number out of range\n{run}")
    run = vault.mhp("recover", "--home", vault.homes[0], "--as-of", "2026-01-01", "--as-of", "2026-01-02",
                    "--phrase-file", vault.phrase, "--state", w.folder / "new", code=USAGE)
    w.check("given twice" in run.err, f"two dates\n{run}")
    vault.take_away(vault.homes[0])
    said = vault.mhp("repair", "--dry-run").out
    w.check("would make" in said and "would be on" in said, f"a plan\n{said}")
    vault.bring_back(vault.homes[0])
    trees.write(os.path.join(os.fsencode(source), b"\xff\xfe"), b"x")
    vault.backup(source)
    older, newer = (one["id"] for one in vault.snapshots())
    changes = vault.mhp("--json", "diff", older, newer).objects
    w.check(any(bytes.fromhex(one.get("path_hex", "")).endswith(b"/\xff\xfe") for one in changes),
            f"a name that is no text: {changes}")


def copied_home(w):
    """A folder copied with a home on it is no second home, and does not take the place of one that is there."""
    vault, source, _ = saved(w)
    copy = w.folder / "copy"
    shutil.copytree(vault.homes[0], copy)
    run = vault.mhp("--json", "home", "add", copy, code=REFUSED)
    w.check(str(copy) in run.error["error"] and str(vault.homes[0]) in run.error["error"] and run.error["hint"],
            f"it names both\n{run}")
    listed = vault.mhp("--json", "home", "list").json["homes"]
    w.equal([home["path"] for home in listed], [str(home) for home in vault.homes], "homes")
    vault.mhp("home", "add", vault.homes[0])  # where it is already
    os.symlink(vault.homes[0], w.folder / "link")
    vault.mhp("home", "add", w.folder / "link")
    vault.take_away(vault.homes[0])
    w.equal(vault.mhp("--json", "home", "add", copy).json["known"], True, "a copy takes the place of one that is gone")
    w.equal(vault.check("--read-data")["ok"], True, "check")


def hints(w):
    """What to do next, in the words that the person needs."""
    vault, source, _ = saved(w)
    (vault.homes[1] / "mhp-home").write_bytes(b"garbage")
    listed = vault.mhp("--json", "home", "list").json["homes"]
    w.equal({home["state"] for home in listed}, {"ok"}, "a damaged identity file, which the logs make good")
    vault.mhp("home", "add", vault.homes[1], "--same-disk")
    w.equal(len((vault.homes[1] / "mhp-home").read_bytes()), 128, "length of the identity file, written anew")
    (vault.homes[1] / "mhp-home").write_bytes(b"garbage")
    for log in (vault.homes[1] / "logs").iterdir():
        log.write_bytes(bytes(4096) + log.read_bytes()[4096:])
    listed = vault.mhp("--json", "home", "list").json["homes"]
    w.equal([home["state"] for home in listed], ["ok", "damaged", "ok"], "a damaged identity file")
    first = vault.homes[0]
    cases = [
        (["home", "add", vault.phrase], "not a folder", "A home is a folder"),
        (["home", "add", w.folder / "a" / "b"], "no such folder", "not mounted"),
        (["home", "add", vault.homes[1]], "damaged", "--lost"),
        (["home", "remove", "nobody"], "nobody", "mhp home list"),
        (["restore", "zzzz", "--to", w.folder / "back"], "no such snapshot", "mhp snapshots"),
        (["restore", "19", "--to", w.folder / "back"], "at least 4", "mhp snapshots"),
        (["restore", ":/x", "--to", w.folder / "back"], "names no snapshot", "latest:"),
        (["restore", "latest:no/such", "--to", w.folder / "back"], "not in this snapshot", "mhp ls"),
        (["ls", "latest:source/d"], "not in this snapshot", "whole"),
        (["ls", "zzzz"], "no such snapshot", "mhp snapshots"),
        (["bakup"], "'mhp bakup'", "mhp backup"),
        (["home", "ad", first], "'mhp home ad'", "mhp home add"),
        (["frobnicate"], "'mhp frobnicate'", "mhp --help"),
        (["backup", "--no-such", source], "--no-such", "mhp backup --help"),
    ]
    for args, error, hint in cases:
        run = vault.mhp("--json", *args, code={FAILED, USAGE, REFUSED})
        w.check(error in run.error["error"] and hint in run.error["hint"], f"{args}: {error}, {hint}\n{run}")
    for inside in (first / "back", vault.state / "back", vault.state):
        for more in ([], ["--dry-run"]):
            run = vault.mhp("--json", "restore", "latest", "--to", inside, *more, code=USAGE)
            w.check("lies in" in run.error["error"] and "--to" in run.error["hint"] and
                    run.error["subject"] == "target", f"a restore into {inside}\n{run}")
        w.check(inside == vault.state or not inside.exists(), f"nothing is made in {inside}")
    run = vault.mhp("backup", source, "--exclude", "*.no-such", "--exclude", "file-*", "--dry-run")
    w.check("'*.no-such' fitted nothing" in run.err and "file-" not in run.err, f"a pattern with a slip\n{run}")
    w.check("'*00000*'" in vault.mhp("find", "00000").out, "a part of a name")
    run = vault.mhp("home", "remove", vault.homes[2].name, "--lost")
    w.check(f"If {vault.homes[2]} is still there, keep it" in run.out, f"what is to be done with the folder\n{run}")
    alone = w.vault(1)
    run = alone.mhp("home", "remove", alone.homes[0].name, code=USAGE)
    w.check("the only one" in run.err and "away" not in run.err, f"the last home, to be handed over\n{run}")
    run = alone.mhp("home", "remove", alone.homes[0].name, "--lost")
    w.check("the only one" in run.out and "delete" not in run.out, f"the last home\n{run}")


def help_is_whole(w):
    """Each help lists the options of every command; nothing of the library shows."""
    for command in [*COMMANDS, "home"]:
        said = w.run(*command.split(), "--help", state=w.folder / "none").out
        for option in ("--json", "-q,--quiet", "--state"):
            w.check(option in said, f"help of {command} lacks {option}\n{said}")
        w.check("{" not in said and "Example" in said, f"help of {command}\n{said}")


def manual_is_whole(w):
    """The manual page names every command, and every exit code."""
    manual = pathlib.Path(__file__).resolve().parents[2] / "docs" / "man" / "mhp.1.scd"
    text = manual.read_text()

    def commands_of(*group):
        said = w.run(*group, "--help", state=w.folder / "none").out
        listed = said.partition("Subcommands:")[2].partition("\n\n")[0]
        return [line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line[2] != " "]

    commands = [name for name in commands_of() if name != "home"] + [f"home {name}" for name in commands_of("home")]
    w.check(set(COMMANDS) <= set(commands), f"commands in the help: {commands}")
    for command in commands:
        w.check(f"*{command}*" in text, f"the manual page lacks {command}")
    for code in (DONE, FAILED, USAGE, PARTLY, TOO_FEW, REFUSED, INTERRUPTED):
        w.check(f"\n*{code}*\n" in text, f"the manual page lacks exit code {code}")


def set_back(w):
    """All homes replaced by an older state of theirs, and no cache here: the way on is said, and works."""
    vault, source, _ = saved(w)
    old = w.folder / "old"
    for home in vault.homes:
        shutil.copytree(home, old / home.name)
    trees.make_files(source / "more", w.random, 10, 100 << 10)
    vault.backup(source)
    for home in vault.homes:
        shutil.rmtree(home)
        (old / home.name).rename(home)
    shutil.rmtree(vault.state / "cache")
    run = vault.mhp("snapshots", code=None)
    w.check(run.code != DONE and "older than what this computer has seen" in run.err and
            "mhp recover --state" in run.err, f"the way on\n{run}")
    fresh = w.folder / "fresh"
    w.run("recover", "--phrase-file", vault.phrase, "--home", vault.homes[0], state=fresh)
    w.equal(len(w.run("--json", "snapshots", state=fresh).json), 1, "snapshots that the homes have")


def goes_on(w):
    """A backup that was killed while it sent goes on from there, and says so."""
    vault, source, _ = saved(w)
    trees.make_files(w.folder / "big", w.random, 100, 4 << 20, fraction_text=0)
    journal = vault.state / "journal"
    before = journal.read_bytes()
    process = vault.start("backup", w.folder / "big")  # more than a group of 256 MiB, which the journal notes
    while process.poll() is None and journal.read_bytes() == before:
        time.sleep(0.001)  # watching
    process.kill()
    if w.finish(process, {-signal.SIGKILL, DONE}).code == DONE:
        raise Skip("the backup was done before it could be killed")
    run = vault.mhp("--json", "backup", w.folder / "big")
    has_fields(w, run.json, "backup", adopted_segments=int)
    w.check(run.json["adopted_segments"] > 0, f"segments were there already\n{run}")
    run = vault.mhp("backup", w.folder / "big")
    w.check("went on from" not in run.out, f"nothing was adopted after a whole backup\n{run}")


def out_of_memory(w):
    """Too little memory ends in a sentence and exit code 1, not in a crash."""
    vault, source, _ = saved(w)
    trees.make_files(w.folder / "big", w.random, 20, 4 << 20, fraction_text=0)

    codes = {}
    for mebibytes in (40, 60, 90, 120, 150, 200):
        def limit(size=mebibytes << 20):
            resource.setrlimit(resource.RLIMIT_DATA, (size, size))

        run = vault.mhp("backup", w.folder / "big", "--full-read", code={DONE, FAILED}, preexec_fn=limit)
        w.check(run.code == DONE or "ran out of memory" in run.err, f"it says why\n{run}")
        codes[mebibytes] = run.code
    w.check(FAILED in codes.values(), f"exit codes by MiB: {codes}")
    w.equal(vault.check("--read-data")["ok"], True, "check")


def processes_below(folder):
    """Numbers of processes that were started with a path in this folder."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if os.fsencode(folder) + b"/" in path.read_bytes():
                found.append(int(path.parent.name))
    return found


def wait_until(w, holds, what, limit_s=60):
    until = time.monotonic() + limit_s
    while not holds():
        w.check(time.monotonic() < until, what)
        time.sleep(0.05)


def demo(w):
    stage = w.folder / "stage"
    trees.make_files(w.folder / "tree", w.random, 30, 10_000)
    small = ["demo", "--tree", w.folder / "tree", "--folder", stage, "--homes", "4"]
    run = w.run(*small, state=w.folder / "none")
    w.check("Nothing was lost" in run.out, f"the demo\n{run}")
    w.check(not any(stage.iterdir()), "the demo tidies up")
    for how in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process = w.start(*small, state=w.folder / "none")
        wait_until(w, lambda: any(stage.rglob("up.log")), "a computer of the demo comes up")
        process.send_signal(how)
        w.finish(process, INTERRUPTED)
        w.check(not any(stage.iterdir()), "it tidies up")
        w.equal(processes_below(stage), [], "its processes")
    process = w.start(*small, state=w.folder / "none")
    wait_until(w, lambda: any(stage.rglob("up.log")), "a computer of the demo comes up")
    process.kill()
    w.finish(process)
    wait_until(w, lambda: not processes_below(stage), "what it began ends with it")
    run = w.run("demo", "--tree", w.folder, "--folder", w.folder / "inside", "--homes", "3", state=w.folder / "none",
                code=None)
    w.check(run.code in (DONE, FAILED), f"demo of its own folder\n{run}")


if __name__ == "__main__":
    world.main(help_has_examples, json_fields, errors_are_json, wrong_phrase, phrase_file, target_must_be_empty,
               snapshot_paths, several_paths, excludes, one_file_system, own_folders_are_left_out, unreadable_files,
               names_are_escaped, secrets_stay_secret, second_init, interrupted, unchanged_is_quick, two_at_once,
               at_one_moment, two_devices, revoked_device, output_is_checked, no_homes_yet, same_disk_does_not_count,
               damaged_state, closed_state, no_state_folder, dry_runs, given_links, homes_of_one_name, small_words,
               copied_home,
               hints, help_is_whole, manual_is_whole, set_back, goes_on, out_of_memory, demo)
