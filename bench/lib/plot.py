# Draws the rounds as an SVG for people: for each task, bars of time, each task on its own scale; light and dark.
import statistics
from xml.sax.saxutils import escape

from . import tasks
from .report import medians
from .tasks import NORMAL, THRIFTY

SHOWN = [(tasks.FIRST_TREE, "First backup", "tree of small files"), (tasks.AGAIN, "Backup again", "nothing changed"),
         (tasks.CHANGED, "Backup again", "1 % of the files changed"), (tasks.RESTORE_TREE, "Restore", "the whole tree"),
         (tasks.RESTORE_DISK, "Restore onto a disk", "the whole tree"), (tasks.FILE, "Restore", "one small file"),
         (tasks.FIRST_BIG, "First backup", "one big file, incompressible"),
         (tasks.RESTORE_BIG, "Restore", "the big file"), (tasks.CHECK_BIG, "Check", "every byte of the big file")]
PROGRAMS = [(THRIFTY, "thrifty", "mhp, any 4 of 10 homes may be lost"),
            (NORMAL, "normal", "mhp, any 6 of 10 may be lost"),
            ("restic", "restic", "restic, one place"), ("Borg", "borg", "Borg, one place")]
COLUMNS = [("wall", "Time on the clock"), ("cpu", "Processor time")]

WIDTH, LEFT, MARGIN = 1000, 262, 36
COLUMN_GAP, LABEL_ROOM = 44, 62  # between the columns; right of the longest bar, for its number
BAR, BAR_STEP, TASK_GAP, HEAD = 11, 14, 24, 168
LEGEND_AT = (36, 338, 596, 762)  # left edges, for the widest of the usual fonts
COLUMN_WIDTH = (WIDTH - LEFT - MARGIN - COLUMN_GAP) / 2

STYLE = """
  .card { fill: #ffffff; } .title { fill: #14212b; font-size: 25px; font-weight: 700; }
  .text { fill: #51606b; font-size: 13.5px; } .task { fill: #14212b; font-size: 15px; font-weight: 600; }
  .head { fill: #14212b; font-size: 13.5px; font-weight: 600; } .value { fill: #51606b; font-size: 11px; }
  .win { fill: #0b7a5c; font-size: 13px; font-weight: 600; } .lose { fill: #a8481c; font-size: 13px; font-weight: 600; }
  .thrifty { fill: #0f9d76; } .normal { fill: #7cccb2; } .restic { fill: #5b7fb4; } .borg { fill: #c3a15a; }
  .base { stroke: #d5dbe0; stroke-width: 1; } .range { stroke: #14212b; stroke-width: 1.2; opacity: 0.55; }
  .mine { fill: #14212b; font-weight: 700; }
  @media (prefers-color-scheme: dark) {
    .card { fill: #10181e; } .text, .value { fill: #a3b1bb; } .title, .task, .head, .mine { fill: #eef3f6; }
    .win { fill: #4fd1a5; } .lose { fill: #f09a6a; } .thrifty { fill: #2cc79a; } .normal { fill: #1c7a60; }
    .restic { fill: #7ba1da; } .borg { fill: #d9b768; } .base { stroke: #2d3a44; } .range { stroke: #eef3f6; }
  }
"""


def text(x, y, words, kind, anchor="start"):
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def number(value):
    """Seconds with as many digits as tell something."""
    return f"{value:.0f} s" if value >= 100 else f"{value:.1f} s" if value >= 1 else f"{value:.2f} s"


def bar(x, y, figure, scale, kind):
    """One bar, a line for its range over the rounds where it is wide enough to see, and its number."""
    middle, least, most = (value * scale for value in figure)
    parts = [f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{max(middle, 1.5):.1f}" height="{BAR}" rx="2"/>']
    end = max(middle, 1.5)
    if most - least > 3:
        at = y + BAR / 2
        parts.append(f'<path class="range" d="M{x + least:.1f} {at:.1f}H{x + most:.1f}" fill="none"/>')
        end = max(end, most)
    parts.append(text(x + end + 6, y + BAR - 1.5, number(figure[0]), "value mine" if kind == "thrifty" else "value"))
    return parts


def verdict(rounds, task):
    """How mhp at thrifty stands to restic by the clock, as in the table: the words and their kind."""
    ratio = statistics.median(figures["restic"]["wall"] / figures[THRIFTY]["wall"]
                              for figures in (played["figures"][task] for played in rounds))
    if ratio >= 0.95:
        return f"{ratio:.1f}× as fast as restic", "win" if ratio > 1.05 else "text"
    return f"{1 / ratio:.1f}× as long as restic", "lose"


def task_parts(y, title, detail, figures, judged):
    """One task from y on: its name at the left, a group of bars in each column."""
    words, kind = judged
    parts = [text(MARGIN, y + 13, title, "task"), text(MARGIN, y + 32, detail, "text"),
             text(MARGIN, y + 51, words, kind)]
    for column, (key, _) in enumerate(COLUMNS):
        x = LEFT + column * (COLUMN_WIDTH + COLUMN_GAP)
        scale = (COLUMN_WIDTH - LABEL_ROOM) / max(figures[name][key][2] for name, _, _ in PROGRAMS)
        height = len(PROGRAMS) * BAR_STEP
        parts.append(f'<path class="base" d="M{x - 1.5:.1f} {y - 2:.1f}v{height + 2}" fill="none"/>')
        for row, (name, css, _) in enumerate(PROGRAMS):
            parts += bar(x, y + row * BAR_STEP, figures[name][key], scale, css)
    return parts


def legend(y):
    """What each colour is, in one line."""
    parts = []
    for x, (_, css, words) in zip(LEGEND_AT, PROGRAMS):
        parts += [f'<rect class="{css}" x="{x}" y="{y}" width="13" height="13" rx="2.5"/>',
                  text(x + 20, y + 11.5, words, "text")]
    return parts


def draw(rounds, about):
    """The whole picture. about: one line on machine and date."""
    shown = [task for task in SHOWN if all(task[0] in played["figures"] for played in rounds)]
    step = len(PROGRAMS) * BAR_STEP + TASK_GAP
    height = HEAD + len(shown) * step + 16
    runs = f"Medians of {len(rounds)} rounds, thin lines: their range." if len(rounds) > 1 else "One round."
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
             f'height="{height}" font-family="system-ui, -apple-system, Segoe UI, Roboto, DejaVu Sans, sans-serif">',
             f"<title>mhp beside restic and Borg</title><style>{STYLE}</style>",
             f'<rect class="card" width="{WIDTH}" height="{height}" rx="14"/>',
             text(MARGIN, 50, "mhp beside restic and Borg: shorter is better", "title"),
             text(MARGIN, 76, f"Each task has its own scale. {runs} {about}", "text")]
    parts += legend(98)
    for column, (_, words) in enumerate(COLUMNS):
        parts.append(text(LEFT + column * (COLUMN_WIDTH + COLUMN_GAP), 148, words, "head"))
    for place, (task, title, detail) in enumerate(shown):
        judged = verdict(rounds, task)
        parts += task_parts(HEAD + place * step, title, detail, medians(rounds, task), judged)
    return "\n".join([*parts, "</svg>"]) + "\n"
