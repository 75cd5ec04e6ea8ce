# What the checks of our own share: which files there are, and C++ text with comments and strings blanked out.
import pathlib
import re

CPP = (".h", ".cc")


def files(root, folders, endings):
    """All files below these folders of root with one of these endings, sorted."""
    found = []
    for folder in folders:
        found += [path for path in (root / folder).rglob("*") if path.suffix in endings and path.is_file()]
    return sorted(found)


TOKEN = re.compile(
    r'//[^\n]*|/\*.*?\*/'                        # comments
    r'|R"(?P<mark>[^()\\\s]*)\(.*?\)(?P=mark)"'  # raw strings
    r'|"(?:\\.|[^"\\\n])*"'                      # strings
    r"|(?<![0-9A-Fa-f])'(?:\\.|[^'\\\n])+'",     # characters, but not the marks in 1'000
    re.DOTALL)


def masked(text):
    """The same text, as long and with the same lines, where comments and what is in quotes are blanks."""
    return TOKEN.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def report(problems, what):
    """Prints the problems and gives the exit status: 0 none, 1 some."""
    for problem in problems:
        print(problem)
    if problems:
        print(f"{what}: {len(problems)} problems")
    return 1 if problems else 0


def root_of(arguments):
    return pathlib.Path(arguments[1] if len(arguments) > 1 else ".").resolve()
