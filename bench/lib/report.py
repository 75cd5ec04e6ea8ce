# Shows rounds as text: for a terminal, and as the page that is kept (RESULTS.md).
import statistics

from . import tasks
from .tasks import NORMAL, THRIFTY

MIB = 1 << 20
COMPARED = [THRIFTY, NORMAL, tasks.ZSTD3, "restic", "Borg"]


def medians(rounds, task):
    """{program: {key: (median, smallest, largest)}} of one task over the rounds."""
    figures = [played["figures"][task] for played in rounds]
    return {program: {key: spread([figure[program][key] for figure in figures]) for key in figures[0][program]}
            for program in COMPARED if program in figures[0]}


def spread(values):
    return statistics.median(values), min(values), max(values)


def task_names(rounds):
    return list(rounds[0]["figures"])


def seconds(value):
    middle, least, most = value
    return f"{middle:.2f}" + (f" ({least:.2f} to {most:.2f})" if most > least else "")


def task_cells(figure):
    """The columns of one program on one task."""
    megabytes = [f"{figure[key][0] / 1e6:.1f}" if key in figure else "" for key in ("stored", "before_expansion")]
    return [seconds(figure["wall"]), seconds(figure["cpu"]), f"{figure['user'][0]:.2f}",
            f"{figure['rss'][0] / MIB:.0f}", *megabytes]


TASK_HEAD = ["wall s", "user + sys s", "user s", "peak MiB", "new on disk MB", "before expansion MB"]
GOAL_HEAD = ["work", "goal", "floor", "thrifty", "normal", "goal met", "floor kept"]


def goal_cells(row):
    goal = row.goal
    told = [row.cell(THRIFTY), row.cell(NORMAL)]
    if not any(told):
        told[0] = f"not measured: {goal.absent}" if goal.absent != "not measured" else goal.absent
    met = {None: "", True: "yes", False: "**no**"}[row.met()]
    missed = row.missed_floor()
    kept = "" if goal.floor is None else "yes"
    if missed:
        kept = f"**no** ({' and '.join(level.split()[1] for level in missed)})"
    return [goal.what, goal.show_limit(goal.goal), goal.show_limit(goal.floor), *told, met, kept]


def plain_table(head, rows):
    """Columns in line, the first and a last one that is the second to the left, numbers to the right."""
    lines = [[cell.replace("**", "") for cell in row] for row in [head, *rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join("  ".join(cell.ljust(width) if not column or len(head) == 2 else cell.rjust(width)
                               for column, (cell, width) in enumerate(zip(line, widths))).rstrip() for line in lines)


def markdown_table(head, rows):
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def task_rows(rounds, task):
    return [[program, *task_cells(figure)] for program, figure in medians(rounds, task).items()]


def limit_rows(rounds):
    """The bare limits: walk, writers, kernels."""
    def over_rounds(name, value, unit):
        values = [value(played["limits"][name]) for played in rounds if name in played["limits"]]
        if not values:
            return "not measured"
        middle, least, most = (f"{number:.2f}" for number in spread(values))
        return f"{middle} {unit}" + ("" if least == most else f" ({least} to {most})")

    def rate(told):
        return told["bytes_per_s"] / 1e9
    rows = [["walk and stat of the tree", over_rounds("walk", lambda told: told["wall"], "s")],
            ["one writer, memory disk", over_rounds("write to memory", rate, "GB/s")],
            ["one O_DIRECT writer, disk", over_rounds("write to disk", rate, "GB/s")]]
    for level in (THRIFTY, NORMAL):
        told = rounds[-1]["limits"].get(f"kernels {level}", {"s_per_byte": {}, "missing": ["not run"]})
        parts = ", ".join(f"{part} {s * 1e9:.2f}" for part, s in told["s_per_byte"].items())
        missing = f"; missing: {', '.join(told['missing'])}" if told["missing"] else ""
        total = f"{sum(told['s_per_byte'].values()) * 1e9:.2f} cpu s/GB ({parts})" if parts else "not measured"
        rows.append([f"kernels of a backup, {level}", total + missing])
    return rows


def ratio_lines(rounds, task):
    """restic and Borg to mhp, inside each round."""
    for other in ("restic", "Borg"):
        for level in (THRIFTY, NORMAL):
            figures = [played["figures"][task] for played in rounds]
            if other not in figures[0] or level not in figures[0]:
                continue
            told = []
            for key in ("wall", "cpu", "user"):
                middle, least, most = spread([figure[other][key] / figure[level][key] for figure in figures])
                told.append(f"{key} {middle:.1f}x ({least:.1f} to {most:.1f})")
            yield f"{other} / {level}: {', '.join(told)}"


def terminal(rounds, rows):
    """All that is printed at the end."""
    parts = []
    for task in task_names(rounds):
        parts.append(plain_table([task, *TASK_HEAD], task_rows(rounds, task)))
        parts[-1] += "".join(f"\n  {line}" for line in ratio_lines(rounds, task))
    parts.append(plain_table(["bare limits", ""], limit_rows(rounds)))
    parts.append(plain_table(GOAL_HEAD, [goal_cells(row) for row in rows]))
    return "\n\n".join(parts)


def summary(rows):
    """One sentence on goals, one on floors."""
    judged = [row for row in rows if row.met() is not None]
    floors = [row for row in rows if row.goal.floor is not None]
    return (f"{sum(row.met() for row in judged)} of {len(judged)} goals that were measured are met, "
            f"{sum(not row.missed_floor() for row in floors)} of {len(floors)} floors are kept.")


def page(rounds, rows, about):
    """RESULTS.md. about: {"machine": {}, "data": text, "command": text}."""
    lines = ["# Measured: mhp beside restic and Borg", "",
             "Written by `./dev bench`, not by hand. What is measured, and how: [README.md](README.md).", "",
             summary(rows), "", "![Time of each task, mhp beside restic and Borg](results.svg)", "",
             "## On what", "", markdown_table(["what", ""], [[*pair] for pair in about["machine"].items()]), "",
             about["data"], "", f"{len(rounds)} rounds; medians, with the range over the rounds. All figures of all "
             f"rounds: [results.json](results.json). To repeat: `{about['command']}`", "",
             "## Goals and floors", "",
             "Goals are stated at the level thrifty (1.67 bytes stored for each byte at ten homes); floors hold at "
             "normal (2.5) too.", "", markdown_table(GOAL_HEAD, [goal_cells(row) for row in rows]), "",
             "## Bare limits in the same run", "", markdown_table(["limit", "reached"], limit_rows(rounds)), "",
             "## Each task", ""]
    for task in task_names(rounds):
        lines += [f"### {task}", "", markdown_table(["program", *TASK_HEAD], task_rows(rounds, task)), ""]
        lines += [f"- {line}" for line in ratio_lines(rounds, task)] + [""]
    return "\n".join(lines).rstrip() + "\n"
