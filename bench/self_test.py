#!/usr/bin/env python3
# Tests of the benchmark itself: data are the same again, ratios and floors are judged right, tables and picture hold.
import copy
import os
import pathlib
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from lib import data, goals, measure, network, plot, report, scale, servers, tasks  # noqa: E402

FILES, BIG_BYTES = 60, 2 << 20
# Of the data above on every machine. New data, new VERSION in lib/data.py, new lines here.
TREE_HASH = "db3d9d85de8eb784a5d0c2843cd2ce432d594e8a5dfe6792f5723342f3988682"
CHANGED_HASH = "7790df6dde96038c908282c3ce6b3ac007d3ba468c8f84bac8c55af0bee005b9"
BIG_HASH = "35accfd60d213b156577ee0115a32c27d2c714e6fef6746fef8c5c2085807643"


def figure(wall):
    return {"wall": wall, "user": wall, "system": 0.0, "cpu": wall, "rss": 100 << 20, "stored": 10.0,
            "before_expansion": 10.0, "packed": 9.0}


def a_round(mhp_wall=1.0, restic_wall=10.0):
    """A round in which every program takes the same on every task."""
    names = [getattr(tasks, name) for name in dir(tasks) if isinstance(getattr(tasks, name), str) and name.isupper()]
    played = [name for name in names if name.startswith(("tree:", "big:"))]
    walls = {tasks.THRIFTY: mhp_wall, tasks.NORMAL: mhp_wall, tasks.ZSTD3: mhp_wall, "restic": restic_wall,
             "Borg": restic_wall}
    kernels = {"s_per_byte": {"seal": 1e-9}, "missing": []}
    return {"figures": {task: {name: figure(wall) for name, wall in walls.items()} for task in played},
            "limits": {"walk": figure(0.7), "write to disk": {"bytes_per_s": 20.0},
                       f"kernels {tasks.THRIFTY}": kernels, f"kernels {tasks.NORMAL}": kernels},
            "big_bytes": 500_000_000}


def row(rounds, what):
    return next(row for row in goals.rows_of(rounds) if row.goal.what == what)


class Data(unittest.TestCase):
    def test_same_bytes_again(self):
        with tempfile.TemporaryDirectory() as folder:
            made = data.DataSet(folder, FILES, BIG_BYTES)
            self.assertFalse(made.is_there())
            made.make()
            self.assertEqual(made.hashes, {"tree": TREE_HASH, "changed": CHANGED_HASH, "big": BIG_HASH})
            self.assertTrue(data.DataSet(folder, FILES, BIG_BYTES).is_there())
            self.assertFalse(data.DataSet(folder, FILES + 1, BIG_BYTES).is_there())
            self.assertEqual(len(data.regular_files(made.tree)), FILES)
            self.assertEqual(os.path.getsize(f"{made.big}/big.bin"), BIG_BYTES)

    def test_changed_and_back(self):
        with tempfile.TemporaryDirectory() as folder:
            made = data.DataSet(folder, FILES, BIG_BYTES)
            made.make()
            before = dict(data.regular_files(made.tree))
            with self.assertRaises(KeyboardInterrupt), made.changed():
                now = dict(data.regular_files(made.tree))
                grown = [path for path in before if now[path] > before[path]]
                self.assertEqual((len(grown), now.keys()), (data.CHANGED_LARGEST, before.keys()))
                self.assertFalse(made.is_there(), "who is killed here leaves no data set")
                raise KeyboardInterrupt
            self.assertEqual(dict(data.regular_files(made.tree)), before)
            self.assertTrue(made.is_there())


class Goals(unittest.TestCase):
    def test_ratio_is_the_median_of_ratios(self):
        rounds = [a_round(1, 10), a_round(2, 10), a_round(100, 300)]
        judged = row(rounds, "first backup of the tree, wall: restic / mhp")
        self.assertEqual(judged.median(tasks.THRIFTY), 5)
        self.assertEqual(judged.cell(tasks.THRIFTY), "5.0x (3.0 to 10.0)")
        self.assertTrue(judged.met())

    def test_memory_of_much_data(self):
        what = "peak memory, 50 GB / 1 GB"
        self.assertIsNone(row([a_round()], what).met())
        self.assertTrue(row([a_round() | {"flat": {"gb": 50, "ratio": 1.02}}], what).met())
        self.assertFalse(row([a_round() | {"flat": {"gb": 50, "ratio": 1.2}}], what).met())
        self.assertIsNone(row([a_round() | {"flat": {"gb": 3, "ratio": 1.0}}], what).met())

    def test_floors(self):
        self.assertEqual([line for line in goals.missed_floors(goals.rows_of([a_round()])) if "zstd" not in line], [])
        missed = goals.missed_floors(goals.rows_of([a_round(5, 10)]))
        self.assertTrue(any(line.startswith("one small file back") and "2.0x at mhp normal" in line for line in missed))
        only_normal = a_round()
        only_normal["figures"][tasks.FILE][tasks.NORMAL] = figure(4)
        self.assertEqual(row([only_normal], "one small file back, wall: restic / mhp").missed_floor(), [tasks.NORMAL])

    def test_at_most(self):
        too_much = a_round()
        too_much["figures"][tasks.FIRST_BIG][tasks.THRIFTY]["rss"] = 201 << 20
        self.assertEqual(row([too_much], "peak memory, big file").missed_floor(), [tasks.THRIFTY])

    def test_limits(self):
        for what in ("single kernels, of the user time of the big backup",
                     "writing to homes on a disk, of one O_DIRECT writer"):
            self.assertAlmostEqual(row([a_round()], what).median(tasks.THRIFTY), 50)

    def test_no_disk(self):
        played = a_round()
        for task in (tasks.RESTORE_DISK, tasks.FIRST_BIG_DISK):
            del played["figures"][task]
        del played["limits"]["write to disk"]
        for what in ("restore of the tree onto a disk, wall: restic / mhp",
                     "writing to homes on a disk, of one O_DIRECT writer"):
            self.assertIsNone(row([played], what).met())
            self.assertIn("not measured: no disk was given", report.goal_cells(row([played], what)))


class Shown(unittest.TestCase):
    def test_table(self):
        self.assertEqual(report.plain_table(["what", "s", "b"], [["a", "1.0", "**no**"]]),
                         "what    s   b\na     1.0  no")
        self.assertEqual(report.markdown_table(["a", "b"], [["1", "2"]]), "| a | b |\n| --- | ---: |\n| 1 | 2 |")

    def test_page_has_every_goal_and_task(self):
        rounds = [a_round(), a_round(2)]
        about = {"machine": {"processor": "x"}, "data": "Data: some.", "command": "./dev bench"}
        page = report.page(rounds, goals.rows_of(rounds), about)
        for wanted in [goal.what for goal in goals.GOALS] + [f"### {task}" for task in rounds[0]["figures"]]:
            self.assertIn(wanted, page)
        self.assertIn("0.75 (0.50 to 1.00)", report.seconds((0.75, 0.5, 1.0)))
        self.assertTrue(report.terminal(rounds, goals.rows_of(rounds)))

    def test_picture(self):
        played = a_round()
        without_disk = copy.deepcopy(played)
        del without_disk["figures"][tasks.RESTORE_DISK]
        for rounds in ([played], [played, without_disk]):
            drawn = xml.etree.ElementTree.fromstring(plot.draw(rounds, "a < b & c"))
            bars = [part for part in drawn.iter() if part.tag.endswith("rect") and part.get("height") == str(plot.BAR)]
            tasks_shown = len(plot.SHOWN) - (len(rounds) - 1)
            self.assertEqual(len(bars), tasks_shown * len(plot.PROGRAMS) * len(plot.COLUMNS))
            for part in bars:
                self.assertLessEqual(float(part.get("x")) + float(part.get("width")), plot.WIDTH)


class Measure(unittest.TestCase):
    def test_timed(self):
        told = measure.timed(["sh", "-c", "echo said; exit 3"], allowed=(3,))
        self.assertEqual(told["output"], "said\n")
        self.assertGreater(told["rss"], 0)
        with self.assertRaisesRegex(measure.Failed, "exit code 3\nwhy"):
            measure.timed(["sh", "-c", "echo why >&2; exit 3"])


class Scale(unittest.TestCase):
    def test_sections_are_replaced_one_by_one(self):
        facts = {"date": "today", "processor": "some", "memory": "much", "system": "any", "repositories": "on it",
                 "load before": "0.1", "mhp": "1"}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "RESULTS.md"
            for part, title in (("chunks", "first"), ("files", "second"), ("chunks", "third")):
                table = scale.Table(title)
                table.note("a note")
                table.row("a row", figure(2.0))
                scale.write(path, part, table, facts)
            page = path.read_text()
        self.assertTrue(page.startswith("# Much of one thing"))
        self.assertNotIn("first", page)
        self.assertLess(page.index("## second"), page.index("## third"))
        self.assertEqual(page.count("| a row | 2.00 | 2.00 | 100 |"), 2)

    def test_files_are_made(self):
        with tempfile.TemporaryDirectory() as folder:
            scale.make_files(f"{folder}/many", 25, 10)
            scale.make_files(f"{folder}/one", 7, 7)
            found = sorted(path for path in pathlib.Path(folder).rglob("*.txt"))
            self.assertEqual(len(found), 32)
            for path in found:
                self.assertEqual(path.read_bytes(), scale.content_of(int(path.stem[-7:])))


def a_network_round(mhp_wall, syncthing_wall):
    def over(wall):
        return figure(wall) | {"client_cpu": wall / 2, "servers_rss": 50 << 20, "wire": 300e6}
    tasks_played = (network.FIRST_TREE, network.CHANGED, network.RESTORE_TREE, network.FIRST_BIG, network.RESTORE_BIG)
    walls = {network.MHP: mhp_wall, network.RESTIC: 3.0, network.SYNCTHING: syncthing_wall}
    return {"figures": {task: {name: over(wall) for name, wall in walls.items()} for task in tasks_played},
            "limits": {"bare TLS": {"bytes_per_s": 400e6, "wall": 1.0, "cpu": 1.2},
                       "calls": {"bare TLS": 2.2e9, "calls, one at a time": 2.0e9, "calls, eight at a time": 1.1e9}}}


class Network(unittest.TestCase):
    def test_goals_are_judged(self):
        rows = network.goal_rows([a_network_round(1.0, 2.0)])
        self.assertEqual([row[2:] for row in rows], [
            ["2.0x", "yes"], ["75.0 %", "yes"], ["75.0 %", "yes"], ["10.0 %", "yes"], ["100.0 %", "**no**"]])
        rows = network.goal_rows([a_network_round(2.0, 2.0)])
        self.assertEqual([row[3] for row in rows], ["**no**", "**no**", "**no**", "yes", "**no**"])

    def test_page_tells_what_is_not_known(self):
        played = a_network_round(1.0, 2.0)
        played["limits"]["calls"] = {}
        for figures in played["figures"].values():
            for one in figures.values():
                del one["wire"]
        about = {"machine": {"load before": "3.2"}, "data": "some", "command": "x", "alone": False}
        page = network.page([played, played], about)
        self.assertEqual(len(network.goal_rows([played])), 1)
        self.assertIn("not measured: net_bench is not built", page)
        self.assertIn("load 3.2", page)
        self.assertIn("bytes on the wire are not told", page)
        self.assertIn("| mhp thrifty | 1.00 | 1.00 |", page)

    def test_servers_are_metered(self):
        with tempfile.TemporaryDirectory() as folder:
            all_of_them = servers.Servers(folder)
            busy = ("sum(range(3_000_000)); print('ready', flush=True); sum(range(9_000_000));"
                    "print('over', flush=True); import time; time.sleep(100)")
            all_of_them.start("busy", [sys.executable, "-c", busy])
            try:
                all_of_them.wait_for("busy", "ready")
                meter = servers.Meter(all_of_them.pids())
                all_of_them.wait_for("busy", "over")
                figures = meter.read()
            finally:
                all_of_them.stop()
            self.assertGreater(figures["cpu"], 0)
            self.assertGreater(figures["rss"], 1 << 20)
            self.assertEqual(all_of_them.pids(), [])


if __name__ == "__main__":
    unittest.main()
