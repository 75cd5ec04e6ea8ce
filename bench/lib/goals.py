# The goals and floors of the product, each a row of the result: what was reached, is the goal met, is the floor kept.
#
# Goals are stated at the level thrifty; the floors hold at normal too. A ratio is taken inside one round, then the
# median over rounds: noise that hits a whole round hits both its sides.
import statistics
from dataclasses import dataclass
from typing import Callable

from . import tasks
from .tasks import NORMAL, THRIFTY

MIB = 1 << 20


@dataclass(frozen=True)
class Goal:
    """what: the work; limit words: at least (higher is better) or at most; floor: what a check enforces, or None.
    reach: (round, level) -> a number, or None where it was not measured. unit: "x", "%", " MiB" or none."""
    what: str
    higher: bool
    goal: float | None
    floor: float | None
    reach: Callable
    unit: str = "x"
    levels: tuple = (THRIFTY, NORMAL)
    absent: str = "not measured"

    def keeps(self, value, limit):
        return value >= limit if self.higher else value <= limit

    def show_limit(self, limit):
        return "" if limit is None else f"{'≥' if self.higher else '≤'} {limit:g}{self.unit}"

    def show(self, value, unit=True):
        digits = 0 if value >= 100 else 1 if value >= 1 and self.unit else 2
        return f"{value:.{digits}f}{self.unit if unit else ''}"


@dataclass
class Row:
    """A goal and what was reached: {level: [one value a round]}."""
    goal: Goal
    reached: dict

    def median(self, level):
        values = self.reached.get(level)
        return statistics.median(values) if values else None

    def met(self):
        """True or False, or None where nothing was measured or no goal is set."""
        value = self.median(self.goal.levels[0])
        return None if value is None or self.goal.goal is None else self.goal.keeps(value, self.goal.goal)

    def missed_floor(self):
        """The levels at which the floor is missed. A floor on which nothing was measured is missed too."""
        if self.goal.floor is None:
            return []
        medians = {level: self.median(level) for level in self.goal.levels}
        return [level for level, value in medians.items()
                if value is None or not self.goal.keeps(value, self.goal.floor)]

    def cell(self, level):
        """The median, and the range where there was more than one round."""
        if level not in self.goal.levels or not self.reached.get(level):
            return ""
        values, show = self.reached[level], self.goal.show
        range_ = f" ({show(min(values), False)} to {show(max(values), False)})" if len(values) > 1 else ""
        return show(self.median(level)) + range_


def against(task, key, other="restic"):
    """How many times less than the other program."""
    def reach(played, level):
        figures = played["figures"][task]
        return figures[other][key] / figures[level][key]
    return reach


def share_of(task, key, other="restic", other_key=None, level_is=None):
    """This program's part of what the other one takes."""
    def reach(played, level):
        figures = played["figures"][task]
        return figures[level_is or level][key] / figures[other][other_key or key]
    return reach


def optional(task, reach):
    """None where the round did not play the task: there was no disk."""
    return lambda played, level: reach(played, level) if task in played["figures"] else None


def peak(data):
    """Over all tasks of these data that the program has played."""
    def reach(played, program):
        tasks_of = [programs for task, programs in played["figures"].items() if task.startswith(f"{data}: ")]
        return max(programs[program]["rss"] for programs in tasks_of if program in programs) / MIB
    return reach


def peak_share(other, data):
    return lambda played, level: peak(data)(played, level) / peak(data)(played, other)


def walks(played, level):
    return played["figures"][tasks.AGAIN][level]["wall"] / played["limits"]["walk"]["wall"]


def away_cost(played, level):
    figures = played["figures"]
    return figures[tasks.RESTORE_AWAY][level]["wall"] / figures[tasks.RESTORE_BIG][level]["wall"]


def away_against_restic(played, level):
    figures = played["figures"]
    return figures[tasks.RESTORE_BIG]["restic"]["user"] / figures[tasks.RESTORE_AWAY][level]["user"]


def kernel_share(played, level):
    """Processor time that the kernels alone would take, of the user time of the whole backup."""
    told = played["limits"].get(f"kernels {level}")
    if not told or told["missing"]:
        return None
    sealed_bytes = played["big_bytes"]
    return 100 * sum(told["s_per_byte"].values()) * sealed_bytes / played["figures"][tasks.FIRST_BIG][level]["user"]


def writer_share(played, level):
    """Bytes a second that reach the homes, of what one writer past the cache reaches on the same disk."""
    figure = played["figures"].get(tasks.FIRST_BIG_DISK, {}).get(level)
    return figure and 100 * figure["stored"] / figure["wall"] / played["limits"]["write to disk"]["bytes_per_s"]


def flat_memory(played, _level):
    told = played.get("flat")
    return told["ratio"] if told and told["gb"] >= 50 else None


def never(_played, _level):
    return None


ONE = (THRIFTY,)
NO_NETWORK = "./dev bench --network measures it"
GOALS = [
    Goal("first backup of the tree, wall: restic / mhp", True, 5, 2.5, against(tasks.FIRST_TREE, "wall")),
    Goal("first backup of the tree, cpu: restic / mhp", True, 5, 3, against(tasks.FIRST_TREE, "cpu")),
    Goal("the same at zstd 3, bytes before expansion: mhp / restic", False, 0.90, 0.95,
         share_of(tasks.FIRST_ZSTD3, "before_expansion", level_is=tasks.ZSTD3), "", ONE),
    Goal("the same, before padding and cards too", False, None, None,
         share_of(tasks.FIRST_ZSTD3, "packed", other_key="before_expansion", level_is=tasks.ZSTD3), "", ONE),
    Goal("unchanged again, wall: restic / mhp", True, 10, 5, against(tasks.AGAIN, "wall")),
    Goal("unchanged again, wall: mhp / bare walk and stat", False, 2, None, walks),
    Goal("1 % changed, wall: restic / mhp", True, 8, 3, against(tasks.CHANGED, "wall")),
    Goal("1 % changed, new bytes before expansion: mhp / restic", False, 1, None,
         share_of(tasks.CHANGED, "before_expansion"), ""),
    Goal("restore of the tree, cpu: restic / mhp", True, 3, 2, against(tasks.RESTORE_TREE, "cpu")),
    Goal("restore of the tree onto a disk, wall: restic / mhp", True, 2, None,
         optional(tasks.RESTORE_DISK, against(tasks.RESTORE_DISK, "wall")), absent="no disk was given"),
    Goal("one small file back, wall: restic / mhp", True, 10, 5, against(tasks.FILE, "wall")),
    Goal("first backup of the big file, wall: restic / mhp", True, 3, None, against(tasks.FIRST_BIG, "wall")),
    Goal("first backup of the big file, cpu: restic / mhp", True, 5, 3, against(tasks.FIRST_BIG, "cpu")),
    Goal("restore of the big file, user cpu: restic / mhp", True, 5, 3, against(tasks.RESTORE_BIG, "user")),
    Goal("the same with margin homes away, user cpu: restic / mhp", True, 5, 3, away_against_restic),
    Goal("homes away, wall: with them away / all there", False, 1.4, None, away_cost),
    Goal("check of all data of the big file, cpu: restic / mhp", True, 3, 2, against(tasks.CHECK_BIG, "cpu")),
    Goal("peak memory, tree", False, None, 200, peak("tree"), " MiB"),
    Goal("peak memory, tree: mhp / restic", False, 1, None, peak_share("restic", "tree"), "", (NORMAL,)),
    Goal("peak memory, tree: mhp / Borg (the goal after that)", False, 1, None, peak_share("Borg", "tree"), "",
         (NORMAL,)),
    Goal("peak memory, big file", False, None, 200, peak("big"), " MiB"),
    Goal("peak memory, big file: mhp / restic", False, 1, None, peak_share("restic", "big"), "", (NORMAL,)),
    Goal("peak memory, big file: mhp / Borg (the goal after that)", False, 1, None, peak_share("Borg", "big"), "",
         (NORMAL,)),
    Goal("peak memory, 50 GB / 1 GB", False, 1.1, None, flat_memory, "x", ONE, "ask for it with --much-gb 50"),
    Goal("single kernels, of the user time of the big backup", True, 80, None, kernel_share, " %",
         absent="a benchmark of a kernel is not built"),
    Goal("writing to homes on a disk, of one O_DIRECT writer", True, 60, None, writer_share, " %", ONE,
         "no disk was given"),
    Goal("network, of a bare TLS stream", True, 70, None, never, " %", ONE, NO_NETWORK),
    Goal("over the network: mhp / Tahoe-LAFS", True, 20, None, never, "x", ONE, "Debian 12 has no package of it"),
    Goal("over the network: mhp / Syncthing", True, 1.5, None, never, "x", ONE, NO_NETWORK),
]


def rows_of(rounds):
    """All goals against these rounds."""
    rows = []
    for goal in GOALS:
        reached = {level: [goal.reach(played, level) for played in rounds] for level in goal.levels}
        rows.append(Row(goal, {level: values for level, values in reached.items() if None not in values}))
    return rows


def missed_floors(rows):
    """One sentence for each floor that is missed."""
    return [f"{row.goal.what}: {row.cell(level) or row.goal.absent} at {level}, "
            f"floor {row.goal.show_limit(row.goal.floor)}" for row in rows for level in row.missed_floor()]
