#!/usr/bin/env python3
# Checks of style that no compiler makes: what is banned, what is too long, what has the wrong name.
# usage: tidy.py [ROOT]
import re
import sys

import source

MAX_COLUMNS = 120
MAX_FUNCTION_LINES = 70
FOLDERS = ["src", "sim", "tests", "bench", "tools"]

# Outside platform/, which is the only door to the machine. Pattern -> what to do instead.
BANNED = {
    r"\bthrow\b": "errors are values: Result",
    r"\bstd::j?thread\b": "threads: platform's WorkerPool",
    r"\bsystem_clock\b|\bsteady_clock::now\b|\bhigh_resolution_clock\b": "time: platform's Clock",
    r"\bs?rand\s*\(|\brandom_device\b": "randomness: platform's Random",
    r"\b(?:sleep_for|sleep_until|usleep|nanosleep)\b": "waiting: platform's Clock",
    r"\bnew\s+[A-Za-z_:(]|\bnew\s*\(": "make_unique, or a value",
    r"\bdetached\b": "children live in a Nursery",
}
# In every file, comments too. Written apart so that this file does not hold the words.
UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b")
SYNONYM = re.compile(r"^(node|peer|server|shard)s?$")
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
IDENTIFIER = re.compile(r"\b[A-Za-z_]\w*\b")


def opening(text, mark):
    """The first comment of a file: its lines from the first one on, joined."""
    lines = text.splitlines()
    if lines and lines[0].startswith("#!"):
        lines = lines[1:]
    comment = []
    for line in lines:
        if not line.startswith(mark):
            break
        comment.append(line[len(mark):].strip())
    return " ".join(comment)


def check_opening(text, mark):
    comment = opening(text, mark)
    if not comment:
        yield 1, "a file opens with one sentence, a comment, on what it is for"
    elif not re.search(r"[.:)!?]", comment) or " " not in comment:
        yield 1, "the opening comment is no sentence"


def check_lines(text):
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > MAX_COLUMNS:
            yield number, f"{len(line)} columns, at most {MAX_COLUMNS}"
        if UNFINISHED.search(line):
            yield number, f"unfinished: {UNFINISHED.search(line).group()}"


def check_banned(code):
    for match in re.finditer(r"\bdelete\b", code):
        if not code[:match.start()].rstrip().endswith("="):
            yield source.line_of(code, match.start()), "banned outside platform/: delete (unique_ptr frees)"
    for number, line in enumerate(code.splitlines(), 1):
        for pattern, instead in BANNED.items():
            match = re.search(pattern, line)
            if match and not line.lstrip().startswith("#"):
                yield number, f"banned outside platform/: {match.group().strip()} ({instead})"


def kind_of_block(head):
    """What a `{` opens, told from the text before it: namespace, type, function or other."""
    head = re.sub(r"^\s*template\s*<.*?>\s*(?=[\w\[:])", "", head, flags=re.DOTALL).strip()
    if re.match(r"(inline\s+)?namespace\b", head) or re.match(r"extern\b\s*$", head):
        return "namespace"
    if re.match(r"(typedef\s+)?(class|struct|union|enum)\b", head) and not re.search(r"\)\s*(const)?$", head):
        return "type"
    if "(" in head and not re.search(r"=\s*$", head):
        return "function"
    return "other"


def name_of(head):
    """The name in a function's head; of a test with its arguments."""
    name = re.search(r"([\w:~]+)\s*(\([^()]*\))?", head[head.find("(") - len(head[:head.find("(")].split()[-1]):])
    return name.group() if name.group(1).startswith("TEST") else name.group(1)


def functions(code):
    """Every function as (name, first line, number of lines). A heuristic on braces; `code` is masked."""
    code = re.sub(r"^[ \t]*#(?:.*\\\n)*.*$", lambda m: re.sub(r"[^\n]", " ", m.group()), code, flags=re.MULTILINE)
    blocks, start = [], 0
    for match in re.finditer(r"[{};]", code):
        if match.group() == "{":
            head = code[start:match.start()]
            outside = all(kind in ("namespace", "type") for kind, _, _ in blocks)
            kind = kind_of_block(head) if outside else "other"
            first = start + len(head) - len(head.lstrip())
            blocks.append((kind, head, first))
        elif match.group() == "}" and blocks:
            kind, head, first = blocks.pop()
            if kind == "function":
                first_line = source.line_of(code, first)
                yield name_of(head), first_line, source.line_of(code, match.start()) - first_line + 1
        start = match.end()


def check_functions(code):
    for name, line, length in functions(code):
        if length > MAX_FUNCTION_LINES:
            yield line, f"{name} has {length} lines, at most {MAX_FUNCTION_LINES}"


def check_names(code, allowed):
    for number, line in enumerate(code.splitlines(), 1):
        for name in IDENTIFIER.findall(line):
            wrong = [word for word in WORD.findall(name) if SYNONYM.match(word.lower())]
            if wrong and name not in allowed and not line.lstrip().startswith("#"):
                yield number, f"{name}: not a word of ours ({wrong[0].lower()}); see docs/glossary.md"


def problems_of(path, text, allowed):
    """All that is wrong with one file; `path` is relative to the root. Yields (line, text)."""
    suffix = path.rsplit(".", 1)[-1]
    yield from check_opening(text, "#" if suffix in ("py", "sh") else "//")
    yield from check_lines(text)
    if suffix not in ("h", "cc", "proto"):
        return
    code = source.masked(text)
    if suffix in ("h", "proto"):
        yield from check_names(code, allowed)
    if suffix == "h" and not re.search(r"^#pragma once$", text, re.MULTILINE):
        yield 1, "a header needs #pragma once"
    if suffix != "proto":
        yield from check_functions(code)
        if not path.startswith("src/platform/"):
            yield from check_banned(code)


def check_own_header(path, text, has_header):
    """So it is shown, whenever that file is parsed alone, that the header includes what it uses."""
    first = re.search(r'^#include (.*)$', text, re.MULTILINE)
    own = path.removeprefix("src/").removesuffix("cc") + "h"
    if path.startswith("src/") and has_header and (not first or first.group(1) != f'"{own}"'):
        yield 1, f"the first include has to be its own header, {own}"


def check(root):
    """Problems as `file:line: text`."""
    words = root / "tools/tidy_words.txt"
    lines = words.read_text().splitlines() if words.exists() else []
    allowed = {line.split()[0] for line in lines if line.strip() and not line.startswith("#")}
    problems = []
    for file in source.files(root, FOLDERS, (*source.CPP, ".proto", ".py", ".sh")):
        path = file.relative_to(root).as_posix()
        text = file.read_text()
        found = list(problems_of(path, text, allowed))
        if file.suffix == ".cc":
            found += check_own_header(path, text, file.with_suffix(".h").exists())
        problems += [f"{path}:{line}: {what}" for line, what in found]
    return problems


if __name__ == "__main__":
    sys.exit(source.report(check(source.root_of(sys.argv)), "tidy"))
