# One round over loopback TLS, and its page (RESULTS-network.md).
import os
import shutil
import statistics
import tempfile

from . import bare_tls, limits
from .measure import quiet
from .network_programs import HOMES, MHP, RESTIC, SYNCTHING, MhpCloud, ResticRest, Syncthing
from .report import markdown_table, plain_table
from .servers import free_port
from .tasks import compare

FIRST_TREE, CHANGED, RESTORE_TREE = "tree: first backup", "tree: 1 % changed", "tree: restore"
FIRST_BIG, RESTORE_BIG = "big: first backup", "big: restore"
MIB = 1 << 20
CALLS = {"bare TLS": "BareTls", "calls, one at a time": "Put/1", "calls, eight at a time": "Put/8"}
HEAD = ["wall s", "user + sys s, all", "of the client", "peak MiB", "servers' peaks MiB", "new stored MB", "wire MB"]


class Round:
    """figures: {task: {program: figure}}; limits: {name: value}"""

    def __init__(self, number, data, binary, scratch, build):
        self.number, self.data, self.binary, self.build = number, data, binary, build
        self.scratch = tempfile.mkdtemp(prefix="round-", dir=scratch)
        self.figures, self.limits = {}, {}

    def play(self):
        try:
            self.play_kind("tree", self.data.tree, self.tree_tasks)
            self.play_kind("big", self.data.big, self.big_tasks)
        finally:
            shutil.rmtree(self.scratch)
        return {"figures": self.figures, "limits": self.limits}

    def play_kind(self, kind, source, tasks):
        folders = {name: f"{self.scratch}/{kind}-{name}" for name in ("mhp", "restic", "syncthing")}
        programs = [MhpCloud(self.binary, folders["mhp"]), ResticRest(folders["restic"]),
                    Syncthing(folders["syncthing"])]
        try:
            for program in programs:
                program.start()
            first = self.number % len(programs)
            tasks(programs[first:] + programs[:first], source)
        finally:
            for program in programs:
                program.stop()

    def tree_tasks(self, programs, tree):
        for program in programs:
            self.backup(FIRST_TREE, program, tree)
        with self.data.changed():
            for program in programs:
                self.backup(CHANGED, program, tree)
            for program in programs:
                self.restore(RESTORE_TREE, program, tree)

    def big_tasks(self, programs, big):
        for program in programs:
            self.backup(FIRST_BIG, program, big)
            if isinstance(program, ResticRest):  # amid the others, with a certificate that is there
                self.limits["bare TLS"] = bare_tls.measure(program.folder, free_port(), self.data.big_bytes)
        self.limits["calls"] = self.calls()
        for program in programs:
            self.restore(RESTORE_BIG, program, big)

    def calls(self):
        """Bytes a second of processor time on one core, both ends in one thread; without the build: nothing."""
        path = f"{self.build}/src/net/net_bench"
        if not os.access(path, os.X_OK):
            return {}
        return {what: limits.bytes_per_s(path, name) for what, name in CALLS.items()}

    def backup(self, task, program, source):
        before = program.stored_bytes()
        figure = program.backup(source)
        figure["stored"] = program.stored_bytes() - before
        self.note(task, program.name, figure)

    def restore(self, task, program, source):
        to = f"{self.scratch}/back"
        self.note(task, program.name, program.restore(source, to))
        if self.number == 0:
            compare(source, program.restored(source, to))
        shutil.rmtree(to)

    def note(self, task, program, figure):
        self.figures.setdefault(task, {})[program] = figure
        print("  " + f"{task:<20} {program:<12} " + "  ".join(
            f"{head} {cell}" for head, cell in zip(HEAD, cells({key: [value] for key, value in figure.items()}))
            if cell), flush=True)


def spread(values, digits=2):
    middle, least, most = (f"{value:.{digits}f}" for value in (statistics.median(values), min(values), max(values)))
    return middle if least == most else f"{middle} ({least} to {most})"


def cells(figures):
    """figures: {key: values over the rounds}"""
    def megabytes(key, unit):
        return f"{statistics.median(figures[key]) / unit:.0f}" if key in figures else ""
    return [spread(figures["wall"]), spread(figures["cpu"]), f"{statistics.median(figures['client_cpu']):.2f}",
            megabytes("rss", MIB), megabytes("servers_rss", MIB), megabytes("stored", 1e6), megabytes("wire", 1e6)]


def task_rows(rounds, task):
    figures = [played["figures"][task] for played in rounds]
    return [[program, *cells({key: [figure[program][key] for figure in figures] for key in figures[0][program]})]
            for program in (MHP, RESTIC, SYNCTHING)]


def ratio(rounds, task, other, key):
    return [played["figures"][task][other][key] / played["figures"][task][MHP][key] for played in rounds]


def ratio_lines(rounds, task):
    """The others to mhp, inside each round."""
    return [f"{other} / {MHP}: " + ", ".join(f"{key} {spread(ratio(rounds, task, other, key), 1)}x"
                                             for key in ("wall", "cpu")) for other in (RESTIC, SYNCTHING)]


def goal_rows(rounds):
    """[work, goal, reached, met]"""
    rows = []

    def judge(what, goal, values, met, unit):
        if values:
            rows.append([what, goal, spread(values, 1) + unit, "yes" if met(statistics.median(values)) else "**no**"])
    judge("first backup of the big file, wall: Syncthing / mhp", "≥ 1.5x",
          ratio(rounds, FIRST_BIG, SYNCTHING, "wall"), lambda value: value >= 1.5, "x")
    for task in (FIRST_BIG, RESTORE_BIG):
        rates = [played["figures"][task][MHP]["wire"] / played["figures"][task][MHP]["wall"]
                 / played["limits"]["bare TLS"]["bytes_per_s"] * 100 for played in rounds
                 if "wire" in played["figures"][task][MHP]]
        judge(f"{task}, bytes on the wire each second: mhp, of one bare TLS stream", "≥ 70 %", rates,
              lambda value: value >= 70, " %")
    for what in list(CALLS)[1:]:
        costs = [(told["bare TLS"] / told[what] - 1) * 100 for told in (played["limits"]["calls"] for played in rounds)
                 if told.get("bare TLS") and told.get(what)]
        judge(f"requests of 4 MiB over HTTP/2, {what}: processor time beyond bare TLS", "≤ 15 %", costs,
              lambda value: value <= 15, " %")
    return rows


GOAL_HEAD = ["work", "goal", "reached", "met"]


def limit_rows(rounds):
    told = [played["limits"]["bare TLS"] for played in rounds]
    rows = [["one bare TLS 1.3 stream, two processes",
             spread([one["bytes_per_s"] / 1e6 for one in told], 0) + " MB/s, " +
             spread([one["cpu"] / (one["bytes_per_s"] * one["wall"]) * 1e9 for one in told]) + " cpu s/GB, both ends"]]
    for what in CALLS:
        values = [played["limits"]["calls"].get(what) for played in rounds]
        rows.append([f"net_bench: {what}", spread([value / 1e9 for value in values]) + " GB for each cpu second"
                     if all(values) else "not measured: net_bench is not built"])
    return rows


def terminal(rounds):
    parts = [plain_table([task, *HEAD], task_rows(rounds, task)) + "".join(
        f"\n  {line}" for line in ratio_lines(rounds, task)) for task in rounds[0]["figures"]]
    parts += [plain_table(["bare limits", ""], limit_rows(rounds)), plain_table(GOAL_HEAD, goal_rows(rounds))]
    return "\n\n".join(parts)


def versions():
    return {"restic": quiet(["restic", "version"]).strip(),
            "rclone (REST server)": quiet(["rclone", "version"]).splitlines()[0],
            "Syncthing": " ".join(quiet(["syncthing", "--version"]).split()[:2])}


def page(rounds, about):
    """about: {"machine": {}, "data": text, "command": text, "alone": bool}"""
    facts = about["machine"]
    busy = float(facts["load before"]) > 0.5
    warning = (f"**Before the run others already used this machine (load {facts['load before']}): trust the ratios "
               "inside rounds, not the seconds.**") if busy else "The machine had nothing else to do when it began."
    if not about["alone"]:
        warning += " No network of its own could be had here: bytes on the wire are not told."
    lines = ["# Measured: mhp beside restic and Syncthing, over loopback TLS", "",
             "Written by `./dev bench --network`, not by hand. What is measured, and how: [README.md](README.md).", "",
             warning, "", "## On what", "", markdown_table(["what", ""], [[*pair] for pair in facts.items()]), "",
             about["data"], "", f"{len(rounds)} rounds; medians, with the range over the rounds. To repeat: "
             f"`{about['command']}`", "",
             "## Not the same work", "",
             f"- {MHP} seals everything, and spreads it over {HOMES} homes of other people so that some may be lost. "
             "All of them are on this one machine: their work is in the sums.",
             f"- {RESTIC} seals everything, and stores it once, on one server.",
             f"- {SYNCTHING} compresses and seals nothing but the connection: one plain copy, no history.", "",
             "## Goals", "", markdown_table(GOAL_HEAD, goal_rows(rounds)), "",
             "## Bare limits in the same rounds", "", markdown_table(["limit", "reached"], limit_rows(rounds)), "",
             "## Each task", ""]
    for task in rounds[0]["figures"]:
        lines += [f"### {task}", "", markdown_table(["program", *HEAD], task_rows(rounds, task)), ""]
        lines += [f"- {line}" for line in ratio_lines(rounds, task)] + [""]
    return "\n".join(lines).rstrip() + "\n"
