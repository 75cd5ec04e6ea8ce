# One vault with very much of one thing: what is made, which commands are timed, and the page of results.
import json
import os
import pathlib
import statistics

from .measure import Failed, bytes_below, quiet, timed

HOMES = 3


class Table:
    """Rows of what was measured, shown as they come."""

    def __init__(self, title):
        self.title, self.rows, self.notes = title, [], []

    def row(self, what, figure):
        self.rows.append((what, figure))
        told = f"{figure['wall']:9.3f} s  {figure['cpu']:9.3f} cpu  {figure['rss'] / 2**20:7.0f} MiB"
        print(f"  {what:56} {told}", flush=True)

    def note(self, text):
        self.notes.append(text)
        print(f"  {text}", flush=True)

    def page(self, facts):
        lines = [f"## {self.title}", "",
                 f"{facts['date']}, {facts['processor']}, {facts['memory']}, {facts['system']}; scratch "
                 f"{facts['repositories']}; load before {facts['load before']}; mhp {facts['mhp']}.", ""]
        lines += [f"- {note}" for note in self.notes] + ([""] if self.notes else [])
        lines += ["| | wall s | processor s | peak MiB |", "|---|---|---|---|"]
        for what, figure in self.rows:
            lines.append(f"| {what} | {figure['wall']:.2f} | {figure['cpu']:.2f} | {figure['rss'] / 2**20:.0f} |")
        return "\n".join(lines) + "\n"


class Vault:
    """mhp with a state folder and some folder homes below `folder`."""

    def __init__(self, binary, folder):
        self.binary, self.folder = binary, folder
        self.state = f"{folder}/state"
        self.env = os.environ | {"MHP_HOME": self.state}
        quiet([binary, "init", "--phrase-file", f"{folder}/phrase"], self.env)
        os.mkdir(f"{folder}/homes")
        for number in range(HOMES):
            quiet([binary, "home", "add", f"{folder}/homes/{number}", "--same-disk", "--min-free", "0"], self.env)

    def run(self, *arguments, allowed=(0,)):
        return timed([self.binary, *arguments], self.env, None, allowed)

    def ids(self):
        told = json.loads(quiet([self.binary, "--json", "snapshots"], self.env).splitlines()[-1])
        return [one["id"] for one in (told["snapshots"] if isinstance(told, dict) else told)]

    def forget_cache(self):
        for name in os.listdir(f"{self.state}/cache"):
            os.remove(f"{self.state}/cache/{name}")


def expect(holds, what):
    if not holds:
        raise Failed(f"not as it should be: {what}")


# ---- a million files ----

def content_of(number):
    """A third are empty, a third the same as many others, a third like no other."""
    return (b"", b"%d\n" % (number % 1000), b"file %d of many\n" % number)[number % 3]


def make_files(folder, count, per_folder, first=0):
    for at in range(0, count, per_folder):
        where = f"{folder}/{at // per_folder:05}" if per_folder < count else folder
        os.makedirs(where)
        for number in range(first + at, first + min(at + per_folder, count)):
            with open(f"{where}/name of file {number:07}.txt", "wb") as file:
                file.write(content_of(number))


def files(binary, _filler, scratch, fraction):
    count, in_one = int(1_000_000 * fraction), int(300_000 * fraction)
    tree = f"{scratch}/tree"
    make_files(f"{tree}/many", count - in_one, 100, in_one)
    make_files(f"{tree}/one", in_one, in_one)
    table = Table(f"{count:,} files in one tree, {in_one:,} of them in one folder")
    vault = Vault(binary, scratch)
    walk = timed(["find", tree, "-size", "+1000000c"])
    table.row("bare walk that looks at each file (find -size)", walk)
    table.row("first backup", vault.run("backup", "-q", tree))
    table.row("backup, nothing changed", vault.run("backup", "-q", tree))
    for number in range(in_one, count, 1000):
        at = number - in_one
        with open(f"{tree}/many/{at // 100:05}/name of file {number:07}.txt", "ab") as file:
            file.write(b"more\n")
    table.row("backup, one file in a thousand changed", vault.run("backup", "-q", tree))
    ids = vault.ids()
    look(table, vault, tree, ids, count, in_one)
    table.note(f"homes hold {bytes_below(f'{scratch}/homes') / 1e6:,.0f} MB in all, the state folder "
               f"{bytes_below(vault.state) / 1e6:,.0f} MB")
    return table


def look(table, vault, tree, ids, count, in_one):
    middle = (count + in_one) // 2
    folder = f"{tree}/many/{(middle - in_one) // 100:05}"
    table.row("snapshots", vault.run("snapshots"))
    table.row("ls of a folder of 100", vault.run("ls", f"latest:{folder}"))
    listed = vault.run("ls", f"latest:{tree}/one")
    expect(listed["output"].count("\n") >= in_one, "the folder is listed whole")
    table.row(f"ls of the folder of {in_one:,}", listed)
    found = vault.run("find", f"*{middle:07}*")
    expect(f"{middle:07}" in found["output"], "find finds the file")
    table.row("find one name", found)
    table.row("diff of two equal snapshots", vault.run("diff", ids[0], ids[1]))
    table.row("diff, one file in a thousand changed", vault.run("diff", ids[1], ids[2]))
    target = f"{vault.folder}/one-file"
    name = f"name of file {middle:07}.txt"
    table.row("restore of one file", vault.run("restore", "-q", f"{ids[0]}:{folder}/{name}", "--to", target))
    brought = next(pathlib.Path(target).rglob("*.txt")).read_bytes()
    expect(brought == content_of(middle), "the file comes back as it was")
    table.row("status", vault.run("status"))


# ---- 10,000 snapshots ----

def snapshots(binary, _filler, scratch, fraction):
    count = int(10_000 * fraction)
    table = Table(f"{count:,} snapshots")
    vault = Vault(binary, scratch)
    tree = f"{scratch}/tree"
    make_files(tree, 20, 20)
    figures = []
    for number in range(count):
        with open(f"{tree}/changing", "w") as file:
            file.write(f"{number}\n")
        figures.append(vault.run("backup", "-q", tree))
        if (number + 1) % max(count // 10, 1) == 0:
            print(f"  {number + 1:,} made, the last took {figures[-1]['wall']:.3f} s", flush=True)
    few = max(min(100, count // 10), 1)
    for name, some in ((f"a backup, median of the first {few}", figures[:few]),
                       (f"a backup, median of the last {few}", figures[-few:])):
        table.row(name, {key: statistics.median(one[key] for one in some) for key in ("wall", "cpu", "rss")})
    table.note(f"all backups together took {sum(one['wall'] for one in figures):,.0f} s")
    ids = vault.ids()
    expect(len(ids) == count, "every snapshot is listed")
    table.row("snapshots", vault.run("snapshots"))
    table.row("ls latest", vault.run("ls", "latest"))
    table.row("ls by the first digits of an id", vault.run("ls", ids[count // 2][:12]))
    target = f"{scratch}/back"
    table.row("restore of an old snapshot", vault.run("restore", "-q", ids[count // 3], "--to", target))
    brought = next(pathlib.Path(target).rglob("changing")).read_text()
    expect(brought == f"{count // 3}\n", "the old snapshot comes back as it was")
    table.row("diff of the first and the last", vault.run("diff", ids[0], ids[-1]))
    table.row("status", vault.run("status"))
    table.row("check", vault.run("check"))
    vault.forget_cache()
    table.row("snapshots, without a cache", vault.run("snapshots"))
    table.note(f"homes hold {bytes_below(f'{scratch}/homes') / 1e6:,.0f} MB in all, the state folder "
               f"{bytes_below(vault.state) / 1e6:,.0f} MB")
    return table


# ---- 10 million chunks ----

def chunks(binary, filler, scratch, fraction):
    sessions, each = 10, int(1_000_000 * fraction)
    table = Table(f"An index of {sessions * each:,} chunks")
    vault = Vault(binary, scratch)
    table.row(f"made by the writer, {sessions} sessions in one process",
              timed([filler, vault.state, str(sessions), str(each), "64"], vault.env))
    tree = f"{scratch}/tree"
    make_files(tree, 1000, 100)
    table.row("snapshots (opens the vault)", vault.run("snapshots"))
    table.row("backup of 1,000 small files on top", vault.run("backup", "-q", tree))
    table.row("the same again, nothing changed", vault.run("backup", "-q", tree))
    table.row("ls of a folder", vault.run("ls", f"latest:{tree}/00003"))
    table.row("restore of one file", vault.run("restore", "-q", f"latest:{tree}/00003/name of file 0000301.txt", "--to",
                                               f"{scratch}/one-file"))
    table.row("status", vault.run("status"))
    table.row("check", vault.run("check"))
    runs = [name for name in os.listdir(f"{vault.state}/cache") if name.startswith("index-")]
    sizes = sorted((os.path.getsize(f"{vault.state}/cache/{name}") for name in runs), reverse=True)
    table.note("sorted files in the cache: " + ", ".join(f"{size / 1e6:,.0f} MB" for size in sizes))
    for name in runs:
        os.remove(f"{vault.state}/cache/{name}")
    table.row("snapshots, where the sorted files are lost", vault.run("snapshots"))
    vault.forget_cache()
    table.row("snapshots, without a cache", vault.run("snapshots"))
    table.row("snapshots, after that", vault.run("snapshots"))
    return table


# ---- a sparse file ----

def sparse(binary, _filler, scratch, fraction):
    size = int(100e9 * fraction)
    tree = f"{scratch}/tree"
    os.mkdir(tree)
    places = range(0, size - 100, max(size // 100, 4096))
    with open(f"{tree}/sparse", "wb") as file:
        for at in places:
            file.seek(at)
            file.write(b"data at %d" % at)
        file.truncate(size)
    table = Table(f"One sparse file of {size / 1e9:,.0f} GB with {len(places)} pieces of data")
    vault = Vault(binary, scratch)
    table.row("first backup", vault.run("backup", "-q", tree))
    table.row("backup, nothing changed", vault.run("backup", "-q", tree))
    table.row("restore", vault.run("restore", "-q", f"latest:{tree}", "--to", f"{scratch}/back"))
    back = next(pathlib.Path(f"{scratch}/back").rglob("sparse"))
    expect(back.stat().st_size == size and back.stat().st_blocks * 512 < size / 10 + 2**20, "it is sparse again")
    with open(back, "rb") as file:
        for at in places:
            file.seek(at)
            expect(file.read(20).startswith(b"data at %d" % at), f"the data at {at}")
    return table


PARTS = {"files": files, "snapshots": snapshots, "chunks": chunks, "sparse": sparse}
HEAD = """# Much of one thing in one vault

Made by `./dev bench --scale`, section by section: each says when, on what and with which commit. Three folder homes on
the scratch disk. Wall and processor seconds are of the whole command, peak is its resident memory.
"""


def write(path, part, table, facts):
    """Puts a part's section in the place of its earlier one."""
    mark = f"<!-- {part} -->\n"
    path = pathlib.Path(path)
    text = path.read_text() if path.exists() else HEAD
    head, *sections = text.split("<!-- ")
    kept = {section.split(" -->")[0]: "<!-- " + section.rstrip("\n") + "\n" for section in sections}
    kept[part] = mark + table.page(facts)
    path.write_text(head.rstrip("\n") + "\n" + "".join("\n" + kept[name] for name in PARTS if name in kept))
