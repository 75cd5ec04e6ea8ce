#!/usr/bin/env python3
# Holds every #include of src/ against src/layers.txt: a room includes lower rooms only. No exceptions.
# usage: check_rooms.py [ROOT]
import re
import sys

import source

INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*(["<])([^">]+)[">]', re.MULTILINE)
IMPORT = re.compile(r'^[ \t]*import[ \t]+(?:public[ \t]+)?(")([^"]+)"', re.MULTILINE)
# Files that are only part of tests; they may use the memory platform, and the product may not use them.
TEST_FILE = re.compile(r"_(test|fuzz|bench)\.(h|cc)$|/testing/|/test_\w+\.h$")
FOR_TESTS = "platform/memory/"


class Layers:
    """src/layers.txt: rooms by line, top first, and the rules `only FOLDER: ROOM...`."""

    def __init__(self, text):
        self.line_of_room = {}
        self.only = {}
        for number, line in enumerate(text.splitlines()):
            line = line.split("#")[0].strip()
            if line.startswith("only "):
                folder, rooms = line[len("only "):].split(":")
                self.only[folder.strip() + "/"] = set(rooms.split())
            else:
                self.line_of_room.update({room: number for room in line.split()})

    def refusal(self, path, target):
        """Why the file `path` may not include `target` (both relative to src/), or None."""
        room, used = path.split("/")[0], target.split("/")[0]
        if room not in self.line_of_room:
            return f"src/layers.txt has no room named {room}"
        if used not in self.line_of_room:
            return f'"{target}" begins with no room: include by room path'
        if room != used and self.line_of_room[used] <= self.line_of_room[room]:
            return f"{room} may not use {used}: it is not below"
        return self._private(path, target) or self._narrow(room, target) or self._for_tests(path, target)

    def _private(self, path, target):
        owner, inside, _ = ("/" + target).partition("/impl/")
        if inside and not ("/" + path).startswith(owner + "/"):
            return f"{target} is private to {owner[1:]}"
        return None

    def _narrow(self, room, target):
        for folder, rooms in self.only.items():
            if target.startswith(folder) and room not in rooms | {folder.split("/")[0]}:
                return f"only {' and '.join(sorted(rooms))} may use {folder[:-1]}"
        return None

    def _for_tests(self, path, target):
        if TEST_FILE.search(path):
            return None
        if target.startswith(FOR_TESTS) and not path.startswith(FOR_TESTS):
            return f"{FOR_TESTS[:-1]} is for tests"
        if TEST_FILE.search(target):
            return f"{target} is part of a test"
        return None


def target_problem(root, layers, path, quote, target):
    """What is wrong with one include of the file `path` (relative to src/), or None."""
    own = target.split("/")[0] in layers.line_of_room
    if quote == "<" and not own:
        return None  # the system's or a library's
    generated = target.endswith(".pb.h")
    if generated and (root / "src" / target.replace(".pb.h", ".proto")).exists():
        return None if path.startswith("wire/") else "generated schema code is seen by wire only"
    exists = ".." not in target.split("/") and (root / "src" / target).exists()
    if quote == "<":
        return f"<{target}> is ours: include it in quotes" if exists else None
    if not own or not exists:
        return f"no file src/{target}: include by room path; what is not ours stands in <>"
    return layers.refusal(path, target)


def check(root):
    """Problems as `file:line: text`."""
    layers = Layers((root / "src/layers.txt").read_text())
    problems = []
    for file in source.files(root, ["src"], (*source.CPP, ".proto")):
        path = file.relative_to(root / "src").as_posix()
        text = re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m.group()), file.read_text(), flags=re.DOTALL)
        if path.split("/")[0] not in layers.line_of_room:
            problems.append(f"src/{path}:1: src/layers.txt has no room named {path.split('/')[0]}")
            continue
        for match in (IMPORT if file.suffix == ".proto" else INCLUDE).finditer(text):
            if file.suffix == ".proto" and match.group(2).startswith("google/"):
                continue
            problem = target_problem(root, layers, path, match.group(1), match.group(2))
            if problem:
                problems.append(f"src/{path}:{source.line_of(text, match.start(2))}: {problem}")
    return problems


if __name__ == "__main__":
    sys.exit(source.report(check(source.root_of(sys.argv)), "rooms"))
