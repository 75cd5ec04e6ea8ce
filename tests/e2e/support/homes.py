# Looks into folder homes as a stranger could: which rows lie where (docs/formats/home-record.md); and spoils them.
import collections
import pathlib
import typing

BLOCK = 4096
MARK = b"mhprec\0\0"


class Row(typing.NamedTuple):
    """One row as it lies in a home's log."""
    segment: bytes
    row: int
    log: pathlib.Path
    offset: int  # of its fragment, in the log
    length: int


def number(block, at):
    return int.from_bytes(block[at:at + 4], "little")


def rows_in(home):
    """Every row of a home; of one that it holds several times, all places."""
    rows = []
    for log in sorted((home / "logs").iterdir()):
        bytes_ = log.read_bytes()
        at = 0
        while at + BLOCK <= len(bytes_):
            front = bytes_[at:at + BLOCK]
            if not front.startswith(MARK):
                at += BLOCK
                continue
            for entry in range(int.from_bytes(front[10:12], "little")):
                table = 192 + 12 * entry
                rows.append(Row(front[64:96], front[table], log, at + number(front, table + 4),
                                number(front, table + 8)))
            at += max(number(front, 16), BLOCK)
    return rows


def rows_by_segment(homes):
    """segment -> home -> set of row numbers"""
    held = collections.defaultdict(lambda: collections.defaultdict(set))
    for home in homes:
        for row in rows_in(home):
            held[row.segment][home].add(row.row)
    return held


def rows_left(holders, lost):
    """How many different rows of a segment are not on the lost homes."""
    kept = [rows for home, rows in holders.items() if home not in lost]
    return len(set().union(*kept)) if kept else 0


def worst_homes(homes, number_lost):
    """The homes whose loss leaves fewest rows of some segment, and how many those are. Each step takes the home whose
    loss hurts that segment most: right where rows are held once."""
    best = None
    for holders in rows_by_segment(homes).values():
        lost = []
        for _ in range(number_lost):
            rest = [home for home in homes if home not in lost]
            lost.append(min(rest, key=lambda home: rows_left(holders, lost + [home])))
        left = rows_left(holders, lost)
        if best is None or left < best[1]:
            best = (lost, left)
    return best


def flip_byte(path, offset, random):
    with open(path, "r+b") as file:
        file.seek(offset)
        old = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([old ^ random.randrange(1, 256)]))


def flip_row(row, random):
    """One bit or more of one byte anywhere in the row's fragment: header, salt, leaf hashes or payload."""
    flip_byte(row.log, row.offset + random.randrange(row.length), random)
