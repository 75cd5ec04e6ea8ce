#!/usr/bin/env python3
# Makes the data sets from a seed, the same bytes on every machine: a tree of small files, its changed version, a big
# file.
#
# As a script it makes one part and prints its hash: data.py tree|big FOLDER SIZE. It is a process of its own because
# the peak memory that Linux tells of a child is at least that of the parent: whoever measures must stay small.
import bisect
import contextlib
import hashlib
import itertools
import json
import os
import random
import shutil
import subprocess
import sys

VERSION = 1  # of what is made: a new number makes kept data old
SEED = 20260101
MTIME_S = 1_767_225_600  # all files are of 2026-01-01, so that no program takes them for just written
BLOCK_BYTES = 1 << 20

# Sizes of files: (share in 1,000, below this many bytes), each even within its step; close to log-normal, as in
# /usr/share and /usr/include: half are below 3.5 KiB, the mean is 17 KB.
SIZES = [(12, 1), (130, 512), (236, 2 << 10), (354, 8 << 10), (205, 32 << 10), (50, 128 << 10), (10, 512 << 10),
         (1.6, 2 << 20), (0.2, 8 << 20)]
LARGE_SIZES = [40 << 20, 24 << 20, 12 << 20, 9 << 20]  # one each in a whole tree
WHOLE_TREE_FILES = 90_675
KINDS = [("text", 82), ("records", 9), ("noise", 9)]
ENDINGS = {"text": ["h", "html", "txt", "svg", "xml", "py", "po", "conf"], "records": ["mo", "ttf", "o", "cache"],
           "noise": ["png", "gz", "jpg", "xz"]}
DOUBLES_PERCENT, LINKS_PERCENT, LICENCE_PERCENT = 4, 4, 15
LINE_BYTES = 42  # of a line of text, about
CHANGED_LARGEST = 8  # so many of the largest files get an insertion, besides one file in a hundred


def cumulative(weights):
    return list(itertools.accumulate(weights))


def make_words(rng, count=30_000):
    """Words of syllables, some with the marks of code."""
    syllables = [a + b for a in "b c d f g h k l m n p r s t v w st tr ch".split()
                 for b in "a e i o u ar en is".split()]
    marks = ["", "", "", "", "", "", ",", ".", "()", ";", "_t", ">", " =", "/"]
    return ["".join(rng.choices(syllables, k=rng.randrange(1, 5))) + rng.choice(marks) for _ in range(count)]


def make_lines(rng, count=150_000):
    """Lines of words, common words more often (Zipf's law, in whole numbers so that no machine rounds otherwise)."""
    words = make_words(rng)
    chosen = iter(rng.choices(words, cum_weights=cumulative(10_000_000 // (rank + 150) for rank in range(len(words))),
                              k=count * 12))
    indents = ["", "", "  ", "    ", "        ", " * ", "// "]
    return [(rng.choice(indents) + " ".join(itertools.islice(chosen, rng.randrange(2, 11))) + "\n").encode()
            for _ in range(count)]


class TreeMaker:
    """Writes a tree of packages, each a folder with lines and records of its own beside those that all share."""

    def __init__(self, folder, files, seed=SEED):
        self.folder, self.files, self.rng = folder, files, random.Random(seed)
        self.lines = make_lines(self.rng)
        self.licences = [b"".join(self.rng.choices(self.lines, k=self.rng.randrange(10, 40))) for _ in range(12)]
        self.size_steps = cumulative(share for share, _ in SIZES)
        self.kind_steps = cumulative(share for _, share in KINDS)
        self.large = [size for size in LARGE_SIZES if files >= WHOLE_TREE_FILES // 2]
        self.recent = []  # contents that a later file may double
        self.hash = hashlib.sha256()

    def step(self, cumulated):
        return bisect.bisect_right(cumulated, self.rng.random() * cumulated[-1])

    def size(self):
        step = self.step(self.size_steps)
        smallest = SIZES[step - 1][1] if step else 0
        return self.rng.randrange(smallest, SIZES[step][1])

    def text(self, size, own):
        """Lines of all, of the package and, often, of the same file again, as text and code repeat themselves."""
        count = size // LINE_BYTES + 2
        lines = self.rng.choices(self.lines, k=count // 3 + 1) + self.rng.choices(own, k=count // 24 + 1)
        head = self.rng.choice(self.licences) if self.rng.randrange(100) < LICENCE_PERCENT else b""
        return (head + b"".join(self.rng.choices(lines, k=count + count // 4)))[:size]

    def records(self, size, pool):
        return b"".join(self.rng.choices(pool, k=size // 16 + 1))[:size]

    def content(self, kind, size, package):
        if kind == "text":
            return self.text(size, package["lines"])
        return self.records(size, package["records"]) if kind == "records" else self.rng.randbytes(size)

    def package(self, number):
        """Where a package lies, and what is its own."""
        rng = self.rng
        top = rng.choice(["share", "share", "share/doc", "share/locale", "include", "lib"])
        where = f"{top}/package-{number:04}"
        folders = [where] + [f"{where}/{name}" for name in ("impl", "data", "data/icons", "man")[:rng.randrange(5)]]
        return {"folders": folders, "lines": rng.choices(self.lines, k=120),
                "records": [rng.randbytes(8) + bytes(8) if rng.randrange(2) else rng.randbytes(16)
                            for _ in range(600)]}

    def write(self, path, data):
        self.hash.update(f"file {path} {len(data)}\n".encode() + data)
        full = f"{self.folder}/{path}"
        with open(full, "wb") as out:
            out.write(data)
        os.utime(full, (MTIME_S, MTIME_S))

    def link(self, path, target):
        self.hash.update(f"link {path} {target}\n".encode())
        os.symlink(target, f"{self.folder}/{path}")

    def file(self, number, package):
        rng = self.rng
        kind = KINDS[self.step(self.kind_steps)][0]
        path = f"{rng.choice(package['folders'])}/file-{number:05}.{rng.choice(ENDINGS[kind])}"
        if self.recent and rng.randrange(100) < DOUBLES_PERCENT:
            data = rng.choice(self.recent)
        else:
            size = self.large.pop() if self.large and number % 7000 == 6999 else self.size()
            data = self.content(kind, size, package)
            self.recent = [*self.recent[-49:], data]
        self.write(path, data)
        if rng.randrange(100) < LINKS_PERCENT:
            self.link(f"{path}.link", os.path.basename(path))

    def make(self):
        """Returns the hash of all paths and contents."""
        number = packages = 0
        while number < self.files:
            package = self.package(packages)
            packages += 1
            for folder in package["folders"]:
                os.makedirs(f"{self.folder}/{folder}")
            for _ in range(min(self.rng.randrange(4, 160), self.files - number)):
                self.file(number, package)
                number += 1
        return self.hash.hexdigest()


def regular_files(folder):
    """(path below the folder, bytes) of all regular files, in the order of paths."""
    found = []
    for where, _, names in os.walk(folder):
        for path in (os.path.join(where, name) for name in names):
            if not os.path.islink(path):
                found.append((os.path.relpath(path, folder), os.path.getsize(path)))
    return sorted(found)


def make_changed(tree, changed, seed=SEED):
    """New versions of one file in a hundred and of the largest: bytes inserted in the middle, so that the places where
    a program cuts must find themselves again. Returns their hash."""
    rng, files = random.Random(seed + 1), regular_files(tree)
    chosen = {path for path, _ in sorted(files, key=lambda file: -file[1])[:CHANGED_LARGEST]}
    while len(chosen) < min(len(files), CHANGED_LARGEST + len(files) // 100):
        chosen.add(rng.choice(files)[0])
    total = hashlib.sha256()
    for path in sorted(chosen):
        with open(f"{tree}/{path}", "rb") as source:
            data = source.read()
        middle = len(data) // 2
        data = data[:middle] + rng.randbytes(rng.randrange(64, 4096)) + data[middle:]
        os.makedirs(os.path.dirname(f"{changed}/{path}"), exist_ok=True)
        with open(f"{changed}/{path}", "wb") as out:
            out.write(data)
        total.update(f"file {path} {len(data)}\n".encode() + data)
    return total.hexdigest()


def make_tree(folder, files):
    os.makedirs(f"{folder}/tree")
    first = TreeMaker(f"{folder}/tree", files).make()
    return f"{first} {make_changed(f'{folder}/tree', f'{folder}/changed')}"


def make_big(folder, size):
    """Bytes that nothing compresses."""
    rng, total = random.Random(SEED + 2), hashlib.sha256()
    os.makedirs(f"{folder}/big")
    with open(f"{folder}/big/big.bin", "wb") as out:
        for _ in range(size // BLOCK_BYTES):
            block = rng.randbytes(BLOCK_BYTES)
            total.update(block)
            out.write(block)
    os.utime(f"{folder}/big/big.bin", (MTIME_S, MTIME_S))
    return total.hexdigest()


class DataSet:
    """What lies in one folder: `tree`, `changed` (files of the tree in their new version), `big`."""

    def __init__(self, folder, files, big_bytes):
        self.folder, self.files, self.big_bytes = folder, files, big_bytes
        self.tree, self.big, self.stamp = f"{folder}/tree", f"{folder}/big", f"{folder}/stamp.json"
        self.hashes = {}

    def wanted(self):
        return {"version": VERSION, "seed": SEED, "files": self.files, "big_bytes": self.big_bytes}

    def is_there(self):
        """Whether an earlier run left exactly this, whole."""
        with contextlib.suppress(OSError, ValueError):
            with open(self.stamp) as stamp:
                told = json.load(stamp)
            self.hashes = told.pop("hashes")
            return told == self.wanted()
        return False

    def make(self):
        """Two processes, the tree and the big file."""
        for name in ("tree", "changed", "big", "aside"):
            shutil.rmtree(f"{self.folder}/{name}", ignore_errors=True)
        makers = {kind: subprocess.Popen([sys.executable, os.path.abspath(__file__), kind, self.folder, str(size)],
                                         stdout=subprocess.PIPE, text=True)
                  for kind, size in (("tree", self.files), ("big", self.big_bytes))}
        try:
            told = {kind: maker.communicate()[0].split() for kind, maker in makers.items()}
        finally:
            for maker in makers.values():
                maker.kill()
                maker.wait()
        if any(maker.returncode for maker in makers.values()):
            sys.exit("the data could not be made")
        self.hashes = {"tree": told["tree"][0], "changed": told["tree"][1], "big": told["big"][0]}
        self.write_stamp()

    def write_stamp(self):
        with open(self.stamp, "w") as stamp:
            json.dump(self.wanted() | {"hashes": self.hashes}, stamp)

    @contextlib.contextmanager
    def changed(self):
        """The tree is the changed version meanwhile. The stamp is away too: who is killed here leaves no data set."""
        os.remove(self.stamp)
        names = [path for path, _ in regular_files(f"{self.folder}/changed")]
        for name in names:
            os.makedirs(os.path.dirname(f"{self.folder}/aside/{name}"), exist_ok=True)
            os.rename(f"{self.tree}/{name}", f"{self.folder}/aside/{name}")
            shutil.copyfile(f"{self.folder}/changed/{name}", f"{self.tree}/{name}")
        try:
            yield
        finally:
            for name in names:
                os.replace(f"{self.folder}/aside/{name}", f"{self.tree}/{name}")
            self.write_stamp()

    def small_file(self):
        """One file of some 4 KiB, the same in every run."""
        return min((abs(size - 4096), path) for path, size in regular_files(self.tree))[1]


if __name__ == "__main__":
    print({"tree": make_tree, "big": make_big}[sys.argv[1]](sys.argv[2], int(sys.argv[3])))
