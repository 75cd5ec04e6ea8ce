# Damaged records and heads do not count until mended; whatever homes, clocks and recoveries do, nothing saved is lost.
import os
import shutil
import subprocess
import time

from support import homes, trees, world
from support.clocks import clock_at
from support.world import DONE, FAILED, PARTLY, REFUSED, TOO_FEW, USAGE, Skip


def saved(w, number, files=40, size=30 << 10):
    source = w.folder / "source"
    trees.make_files(source, w.random, files, size)
    vault = w.vault(number)
    vault.backup(source)
    return vault, source, trees.tree_of(source)


def check_restore(w, vault, source, wanted, what, snapshot="latest", code=DONE):
    back, run = vault.restore(snapshot, code=code)
    trees.check_same(w, wanted, back / source.relative_to("/"), what)
    world.remove_tree(back)
    return run


def vault_files(home, prefix):
    return [path for path in sorted(home.glob(f"vaults/*/{prefix}*")) if "." not in path.name]


def flip(w, path):
    homes.flip_byte(path, w.random.randrange(path.stat().st_size), w.random)


def truncate(w, path):
    os.truncate(path, w.random.randrange(path.stat().st_size))


def put_folder_in_its_place(w, path):
    path.unlink()
    (path / "in the way").mkdir(parents=True)


def damaged_home_does_not_count(w):
    """Two homes, each holds all; one loses its heads or its record, in every way; it counts again after the mending."""
    for mend in (["repair"], ["backup"]):
        for prefix in ("heads-", "record-"):
            for damage in (flip, truncate, put_folder_in_its_place):
                what = f"{prefix} {damage.__name__}, then {mend[0]}"
                vault, source, wanted = saved(w, 2)
                bad, good = vault.homes
                w.equal(vault.status()["margin"], 1, f"{what}: margin before")
                [path] = vault_files(bad, prefix)
                damage(w, path)
                status = vault.status()
                w.equal((status["state"], status["margin"]), ("not_yet", 0), f"{what}: status")
                w.equal([home["state"] for home in status["homes"]], ["lacking", "ok"], f"{what}: states")
                check = vault.check(code=FAILED)
                bad_id = vault.home_id(bad)
                w.equal((check["ok"], check["rows_missing"], check["homes_bad"], check["homes_lacking"]),
                        (False, 0, [bad_id], [bad_id]), f"{what}: check")
                vault.take_away(good)
                check_restore(w, vault, source, wanted, f"{what}: its rows serve who knows the head")
                vault.bring_back(good)
                if mend == ["repair"]:
                    w.equal(vault.mhp("--json", "repair", "--dry-run").json["homes_mended"], 1, f"{what}: dry run")
                    report = vault.mhp("--json", "repair").json
                    w.equal((report["homes_mended"], report["margin_before"], report["margin"]), (1, 0, 1),
                            f"{what}: repair")
                else:
                    w.equal(vault.backup(source)["margin"], 1, f"{what}: backup")
                w.check((path.parent / f"{path.name}.damaged-1").exists(), f"{what}: it was set aside")
                w.equal((vault.check()["ok"], vault.status()["state"]), (True, "safe"), f"{what}: mended")
                shutil.rmtree(good)
                vault.lose_state()
                vault.recover(bad)
                check_restore(w, vault, source, wanted, f"{what}: from the mended home alone")
                w.count("homes mended")
                world.remove_tree(source)
                world.remove_tree(vault.folder)


def damaged_identity(w):
    """A home whose identity file is damaged goes on by what its logs say, and the next writer writes it anew."""
    vault, source, wanted = saved(w, 2)
    bad, good = vault.homes
    whole = (bad / "mhp-home").read_bytes()
    flip(w, bad / "mhp-home")
    w.equal((vault.status()["margin"], vault.check()["ok"]), (1, True), "the logs say the same")
    vault.backup(source)
    w.check((bad / "mhp-home.damaged-1").exists(), "set aside")
    w.equal((bad / "mhp-home").read_bytes(), whole, "written anew")
    shutil.rmtree(good)
    vault.lose_state()
    vault.recover(bad)
    check_restore(w, vault, source, wanted, "from the mended home")


def newest_that_can_be_read(w):
    """Four of five homes are set back to an older copy: recovery gives the older state, says so, and loses nothing."""
    vault, source, first = saved(w, 5)
    for home in vault.homes[1:]:
        shutil.copytree(home, w.folder / "copies" / home.name)
    (source / "new").write_bytes(w.random.randbytes(200_000))
    second = trees.tree_of(source)
    vault.backup(source)
    for home in vault.homes[1:]:
        home.rename(w.folder / "away-newer-" f"{home.name}")
        (w.folder / "copies" / home.name).rename(home)
    vault.lose_state()
    run = vault.recover(vault.homes[0], code=PARTLY)
    w.equal((run.json["snapshots"], len(run.json["unread"])), (1, 1), f"what came back\n{run}")
    unread = run.json["unread"][0]
    w.check(unread["used_time"] <= unread["newest_time"], f"its times: {unread}")
    w.check("newest state" in run.err and vault.homes[0].name in run.err, f"it says what is uncertain\n{run}")
    run = check_restore(w, vault, source, first, "the older state", code=PARTLY)
    w.check("former computer" in run.err, f"restore says that there is more\n{run}")
    vault.backup(source)
    for home in vault.homes[1:]:
        shutil.rmtree(home)
        (w.folder / "away-newer-" f"{home.name}").rename(home)
    w.equal(len(vault.snapshots()), 3, "snapshots with the newer homes back")
    check_restore(w, vault, source, second, "the newer state", vault.snapshots()[1]["id"])


def as_of(w):
    """What homes took after a date is left out; a date before everything changes nothing."""
    vault, source, wanted = saved(w, 2)
    words = ["--phrase-file", vault.phrase, "--home", vault.homes[0]]
    vault.mhp("recover", "--as-of", "yesterday", *words, state=w.folder / "other", code=USAGE)
    run = vault.mhp("--json", "recover", "--as-of", "2001-01-01", *words, state=w.folder / "early", code=FAILED)
    w.check("by then" in run.error["error"] and "Nothing was changed" in run.error["hint"], f"it says so\n{run}")
    w.equal(vault.status()["state"], "safe", "nobody was shut out")
    vault.lose_state()
    run = vault.mhp("--json", "recover", "--as-of", "2100-01-01T00:00:00Z", *words)
    w.equal(run.json["snapshots"], 1, "as of a day to come")
    check_restore(w, vault, source, wanted, "as of a day to come")


def read_only_homes(w):
    """All homes write-protected: the vault is recovered for reading, and says what is not done yet."""
    vault, source, wanted = saved(w, 2)
    vault.lose_state()
    writable = read_only(w, vault.homes)
    run = vault.recover(vault.homes[0], code=DONE)
    w.equal((run.json["homes_written"], run.json["snapshots"]), (0, 1), "recovered for reading")
    w.check("write-protected" in run.err, f"it says so\n{run}")
    w.equal(sorted(path.name for path in vault.state.iterdir() if path.name != "cache"),
            ["device", "seen", "vault-records", "vault-records.copy"], "the state folder")
    check_restore(w, vault, source, wanted, "from write-protected homes")
    w.check(vault.status()["margin"] == 0, "not safe on homes that do not know this computer")
    writable()
    vault.mhp("repair")
    w.equal((vault.status()["margin"], vault.check()["ok"]), (1, True), "after they can be written")
    check_restore(w, vault, source, wanted, "after the repair")


def homes_that_were_away(w):
    """The homes at hand at a recovery know less than others that are only away: when these come back, so does all."""
    for number, late in ((2, 1), (10, 6)):
        vault, source, _ = saved(w, number)
        newer, older = vault.homes[:late], vault.homes[late:]
        for home in older:
            vault.take_away(home)
        (source / "later").write_bytes(w.random.randbytes(40_000))
        saved_later = vault.backup(source, code={DONE, TOO_FEW})
        wanted = trees.tree_of(source)
        time.sleep(1.1)  # homes note the second
        vault.lose_state()
        for home in newer:
            vault.take_away(home)
        for home in older:
            vault.bring_back(home)
        vault.recover(older[0])
        w.equal(len(vault.snapshots()), 1, "what the homes at hand know")
        for home in newer:
            vault.bring_back(home)
        w.equal([one["id"] for one in vault.snapshots()][-1], saved_later["snapshot"], "all is back")
        check_restore(w, vault, source, wanted, "the later one")
        vault.backup(source)
        w.equal(vault.status()["state"], "safe", "the next backup takes it over")
        w.equal(vault.check()["ok"], True, "check")
        for home in newer:
            vault.take_away(home)
        check_restore(w, vault, source, wanted, "the later one without the homes that had it", saved_later["snapshot"])


def no_home_shows_heads(w):
    """Rows and records without any head: no recovery goes on from that, and nothing is shut out by trying."""
    vault, source, wanted = saved(w, 5)
    for home in vault.homes[:3]:
        for path in vault_files(home, "heads-"):
            path.unlink()
    for home in vault.homes[3:]:
        vault.take_away(home)
    vault.lose_state()
    run = vault.recover(vault.homes[0], code=TOO_FEW)
    w.check("no home at hand has readable heads" in run.err, f"it says why\n{run}")
    for home in vault.homes[3:]:
        vault.bring_back(home)
    vault.recover(vault.homes[0])
    check_restore(w, vault, source, wanted, "with the heads of the others")


def second_computer(vault, home, *options):
    """The state folder of another computer that came in with the 24 words."""
    state = vault.folder / f"state-{len(list(vault.folder.glob('state*')))}"
    vault.mhp("--json", "recover", "--phrase-file", vault.phrase, "--home", home, *options, state=state)
    return state


def add_to(w, source, name):
    """One more file; the whole tree with it."""
    (source / name).write_bytes(w.random.randbytes(20_000))
    return trees.tree_of(source)


def recoveries_apart(w):
    """Two recoveries from homes that are never there at one time: nothing of either is lost, and a third joins them."""
    for number, first in ((2, 1), (4, 2)):
        vault, source, _ = saved(w, number)
        ones, others = vault.homes[:first], vault.homes[first:]
        saved_by, trees_of = [], []
        for away, there, name in ((ones, others, "two"), (others, ones, "three")):
            for home in away:
                vault.take_away(home)
            vault.lose_state()
            vault.recover(there[0])
            vault.mhp("repair", code={DONE, TOO_FEW})
            trees_of.append(add_to(w, source, name))
            saved_by.append(vault.backup(source, code={DONE, TOO_FEW})["snapshot"])
            for home in away:
                vault.bring_back(home)
        run = vault.mhp("--json", "snapshots", code=PARTLY)
        w.equal([one["id"] for one in run.json][1:], [saved_by[1]], "what the second one can read")
        w.check("after another recovery of this vault" in run.err and "mhp recover" in run.err, f"it is said\n{run}")
        vault.backup(source)
        run = vault.mhp("forget", "--collect-only", code=PARTLY)
        w.check("No space was given back" in run.err, f"nothing is condemned meanwhile\n{run}")
        run = vault.mhp("snapshots", code=PARTLY)
        w.check("after another recovery of this vault" in run.err, f"it is still said\n{run}")
        vault.lose_state()
        vault.recover(vault.homes[-1])
        snapshots = [one["id"] for one in vault.snapshots()]
        w.check(set(saved_by) <= set(snapshots) and len(snapshots) == 4, f"all of both: {snapshots}")
        for snapshot, wanted in zip(saved_by, trees_of):
            check_restore(w, vault, source, wanted, "of each", snapshot)
        vault.backup(source)
        w.equal((vault.check()["ok"], vault.status()["state"]), (True, "safe"), "together again")


def homes_added_apart(w):
    """Two computers that each add a home while they see different ones: each list has both, a recovery finds all."""
    vault, source, _ = saved(w, 3)
    other = second_computer(vault, vault.homes[0], "--keep-devices")
    theirs = w.folder / "theirs"
    trees.make_files(theirs, w.random, 10, 30 << 10)
    wanted = trees.tree_of(theirs)
    by_other = vault.mhp("--json", "backup", theirs, state=other).json["snapshot"]
    vault.take_away(vault.homes[0])
    fourth = vault.add_home()
    vault.bring_back(vault.homes[0])
    for home in (*vault.homes[1:3], fourth):
        vault.take_away(home)
    fifth = vault.folder / "homes" / "home-05"
    vault.mhp("home", "add", fifth, "--same-disk", state=other)
    for home in (*vault.homes[1:3], fourth):
        vault.bring_back(home)
    vault.homes.append(fifth)
    for _ in range(2):
        for state, folder in ((vault.state, source), (other, theirs)):
            vault.mhp("backup", folder, state=state)
    for state in (vault.state, other):
        listed = vault.mhp("--json", "home", "list", state=state).json["homes"]
        w.equal(sorted(home["name"] for home in listed), sorted(home.name for home in vault.homes), "the list of each")
        status = vault.mhp("--json", "status", state=state).json
        w.equal((status["state"], {home["state"] for home in status["homes"]}), ("safe", {"ok"}), "status of each")
    shutil.rmtree(other)
    vault.lose_state()
    for home in vault.homes[:2]:
        shutil.rmtree(home)
    here = [word for home in vault.homes[2:] for word in ("--home", home)]
    vault.mhp("recover", "--phrase-file", vault.phrase, *here)
    check_restore(w, vault, theirs, wanted, "of the other computer, with two homes lost", by_other)


def shut_out_and_alive(w):
    """A computer that was shut out works on with a home that was away: it locks nobody out, and learns of it."""
    vault, source, _ = saved(w, 2)
    away, there = vault.homes
    vault.take_away(away)
    new = second_computer(vault, there)
    vault.take_away(there)
    vault.bring_back(away)
    for _ in range(3):
        vault.add_home()
    vault.backup(source, code={DONE, TOO_FEW})
    vault.bring_back(there)
    run = vault.mhp("--json", "backup", source, state=new)
    w.equal(run.json["left_out"], [], "every home takes it")
    w.check("not genuine" not in run.err and "older" not in run.err, f"nobody is called a liar\n{run}")
    vault.mhp("repair", state=new)
    # What the other one saved in the second in which it was shut out counts, and lies in part on homes of its own list
    # only; what it saved later does not count. Both are told of.
    status = vault.mhp("--json", "status", state=new, code={DONE, FAILED}).json
    wanted = "help" if status["unread"] else "safe"
    w.equal((status["state"], status["margin"]), (wanted, 1), "the new one's homes")
    w.equal(len(status["unread"]) + len(status["late"]), 1, "histories that are told of")
    run = vault.mhp("--json", "backup", source, code=REFUSED)
    w.check("shut out" in run.error["error"] and "recover" in run.error["hint"], f"it says what to do\n{run}")


def second_computer_unseen(w):
    """A home that is added on homes which do not know a second computer takes nothing from that one."""
    vault, source, _ = saved(w, 3)
    third = vault.homes[2]
    vault.take_away(third)
    other = second_computer(vault, vault.homes[0], "--keep-devices")
    vault.bring_back(third)
    for home in vault.homes[:2]:
        vault.take_away(home)
    vault.add_home()
    for home in vault.homes[:2]:
        vault.bring_back(home)
    theirs = w.folder / "theirs"
    trees.make_files(theirs, w.random, 10, 30 << 10)
    wanted = trees.tree_of(theirs)
    by_other = vault.mhp("--json", "backup", theirs, state=other).json["snapshot"]
    w.check(by_other in [one["id"] for one in vault.snapshots()], "the first computer sees it")
    check_restore(w, vault, theirs, wanted, "and reads it", by_other)
    vault.backup(source)
    shutil.rmtree(other)
    vault.lose_state()
    vault.recover(vault.homes[0])
    w.check(by_other in [one["id"] for one in vault.snapshots()], "after a recovery")
    check_restore(w, vault, theirs, wanted, "after a recovery", by_other)
    w.equal(vault.check()["ok"], True, "check")


def apart(vault, away, there):
    """Exactly `there` of these homes are connected."""
    for home in away:
        if home.exists():
            vault.take_away(home)
    for home in there:
        if not home.exists():
            vault.bring_back(home)


def check_all_there(w, vault, source, states, what):
    """`states`: snapshot -> tree. Each is listed and comes back as it was."""
    listed = [one["id"] for one in vault.snapshots()]
    w.check(set(states) <= set(listed), f"{what}: {sorted(states)} are listed: {listed}")
    for snapshot, wanted in states.items():
        check_restore(w, vault, source, wanted, f"{what}: {snapshot[:8]}", snapshot)


def check_whole(w, vault, what):
    w.equal((vault.status()["state"], vault.check()["ok"]), ("safe", True), f"{what}: status and check")
    quiet = vault.mhp("snapshots")
    is_said = "home '" in quiet.err or "former computer" in quiet.err
    w.check(not is_said, f"{what}: nothing is left to say\n{quiet}")


def older_homes_after_recovery(w):
    """The first backup after a recovery goes to homes that never had the lost computer's last state: it stays."""
    for number, first in ((2, 1), (4, 2)):
        vault, source, tree = saved(w, number)
        states = {vault.snapshots()[0]["id"]: tree}
        newer, older = vault.homes[:first], vault.homes[first:]
        apart(vault, older, newer)
        if number > 2:
            vault.mhp("repair", code={DONE, TOO_FEW})
        tree = add_to(w, source, "two")
        states[vault.backup(source, code={DONE, TOO_FEW})["snapshot"]] = tree
        vault.lose_state()
        vault.recover(newer[0])
        check_all_there(w, vault, source, states, "recovered from the newer homes")
        apart(vault, newer, older)
        if number > 2:
            vault.mhp("repair", code={DONE, TOO_FEW})
        tree = add_to(w, source, "three")
        states[vault.backup(source, code={DONE, TOO_FEW})["snapshot"]] = tree
        apart(vault, [], vault.homes)
        check_all_there(w, vault, source, states, "together again")
        vault.mhp("forget", "--collect-only", code={DONE, PARTLY})
        vault.mhp("repair")
        vault.backup(source)
        check_whole(w, vault, "after the next backup")
        check_all_there(w, vault, source, states, "after the next backup")
        vault.lose_state()
        vault.recover(vault.homes[-1])
        check_all_there(w, vault, source, states, "after another recovery")


def state_put_back(w):
    """The state folder is put back from a copy, homes alternate: both histories are there, recovery joins them."""
    vault, source, tree = saved(w, 2)
    states = {vault.snapshots()[0]["id"]: tree}
    one, other = vault.homes
    shutil.copytree(vault.state, w.folder / "copy", symlinks=True)
    apart(vault, [other], [one])
    for name in ("two", "two b"):
        tree = add_to(w, source, name)
        states[vault.backup(source, code={DONE, TOO_FEW})["snapshot"]] = tree
    vault.lose_state()
    shutil.move(w.folder / "copy", vault.state)
    apart(vault, [one], [other])
    tree = add_to(w, source, "three")
    states[vault.backup(source, code={DONE, TOO_FEW})["snapshot"]] = tree
    apart(vault, [], vault.homes)
    check_all_there(w, vault, source, states, "both histories")
    run = vault.mhp("snapshots")
    w.check("put back from an older copy" in run.err, f"it says what happened\n{run}")
    run = vault.mhp("--json", "backup", source, code=REFUSED)
    w.check("two histories" in run.error["error"] and "recover" in run.error["hint"], f"and what to do\n{run}")
    run = vault.mhp("--json", "repair", code=FAILED)
    w.check("two histories" in run.error["error"] and "recover" in run.err, f"neither does a repair\n{run}")
    check_all_there(w, vault, source, states, "it wrote nothing")
    vault.lose_state()
    vault.recover(one)
    check_all_there(w, vault, source, states, "after the recovery")
    run = vault.mhp("--json", "repair", code=FAILED)
    w.check("two histories" in run.error["error"] and "mhp backup" in run.err, f"it says what is next\n{run}")
    tree = add_to(w, source, "four")
    states[vault.backup(source)["snapshot"]] = tree
    vault.mhp("repair")
    check_whole(w, vault, "joined")
    joined = dict(states)
    for away, there in ((one, other), (other, one)):
        apart(vault, [away], [there])
        check_all_there(w, vault, source, joined, f"of {there.name} alone")
        tree = add_to(w, source, f"on {there.name}")
        states[vault.backup(source, code={DONE, TOO_FEW})["snapshot"]] = tree
    apart(vault, [], vault.homes)
    check_all_there(w, vault, source, states, "homes that alternate")
    vault.backup(source)
    check_whole(w, vault, "homes that alternate")
    vault.lose_state()
    vault.recover(other)
    check_all_there(w, vault, source, states, "after one more recovery")


LONG_AWAY = 72  # backups: more heads of a day than homes keep


def away_for_long(w):
    """A drive comes back whose newest head all others have thinned out: it is of the same history."""
    vault, source, _ = saved(w, 3)
    vault.take_away(vault.homes[0])
    for _ in range(LONG_AWAY):
        (source / "new").write_bytes(w.random.randbytes(100))
        vault.backup(source, code={DONE, TOO_FEW})
    wanted = sorted(one["id"] for one in vault.snapshots())
    vault.bring_back(vault.homes[0])
    fresh = second_computer(vault, vault.homes[1], "--keep-devices")
    for state in (None, fresh):
        run = vault.mhp("--json", "snapshots", state=state)
        w.equal(sorted(one["id"] for one in run.json), wanted, f"snapshots\n{run}")
        w.check("two histories" not in run.err and "is not shown" not in run.err, f"nothing is wrong\n{run}")
    vault.backup(source)
    w.check("two histories" not in vault.mhp("status").err, "one history")
    check_whole(w, vault, "all follow again")


def history_in_a_gap(w):
    """A state was put back, and its second history is so long that homes thinned out where the two part."""
    vault, source, tree = saved(w, 4)
    states = {vault.snapshots()[0]["id"]: tree}
    one, other = vault.homes[:2], vault.homes[2:]
    shutil.copytree(vault.state, w.folder / "copy", symlinks=True)
    apart(vault, other, one)
    for name in ("two", "two b"):
        tree = add_to(w, source, name)
        states[vault.backup(source, code={DONE, TOO_FEW})["snapshot"]] = tree
    vault.lose_state()
    shutil.move(w.folder / "copy", vault.state)
    apart(vault, one, other)
    wanted = set(states)
    for number in range(LONG_AWAY):
        (source / "new").write_bytes(w.random.randbytes(100))
        wanted.add(vault.backup(source, code={DONE, TOO_FEW})["snapshot"])
    apart(vault, [], vault.homes)

    def check_listed(what, state=None):
        run = vault.mhp("--json", "snapshots", state=state)
        w.equal({one["id"] for one in run.json}, wanted, f"{what}: all are listed\n{run.err}")
        return run

    w.check("two histories" in check_listed("on this computer").err, "it says what happened")
    fresh = second_computer(vault, vault.homes[0], "--keep-devices")
    w.check("two histories" in check_listed("on another", fresh).err, "another sees it too")
    vault.lose_state()
    vault.recover(vault.homes[0])
    check_listed("after the recovery")
    vault.backup(source)
    for snapshot, tree in states.items():
        check_restore(w, vault, source, tree, f"snapshot {snapshot[:8]} of the shorter history", snapshot)


def saved_late(w, first_at, second_at, recover_at, *options):
    """Clocks differ: one backup on both homes, one on the first alone; recovered from the second alone."""
    source, vault = w.folder / "source", w.vault(2)
    one, other = vault.homes
    trees.make_files(source, w.random, 20, 20 << 10)
    states = {}
    tree = trees.tree_of(source)
    states[with_clock(w, vault, first_at, "--json", "backup", source).json["snapshot"]] = tree
    apart(vault, [other], [one])
    tree = add_to(w, source, "two")
    late = with_clock(w, vault, second_at, "--json", "backup", source, code={DONE, TOO_FEW}).json["snapshot"]
    states[late] = tree
    apart(vault, [one], [other])
    vault.lose_state()
    with_clock(w, vault, recover_at, "recover", "--phrase-file", vault.phrase, "--home", other, *options)
    apart(vault, [], vault.homes)
    return vault, source, states, late


def with_clock(w, vault, ahead, *args, code=DONE, state=None):
    """A run of the program whose clock is off: "+2d", "-7y"."""
    environment = w.environment(state or vault.state)
    if ahead:
        environment |= clock_at(ahead)
    return vault.mhp(*args, code=code, state=state, env=environment)


def check_late(w, vault, source, states, late, what):
    """It is said that a home has more, nothing of it is deleted, and one more recovery takes it in."""
    run = vault.mhp("--json", "snapshots")
    w.check(late not in [one["id"] for one in run.json], f"{what}: not shown")
    w.check("was shut out" in run.err and "--with-late" in run.err, f"{what}: but said\n{run}")
    vault.backup(source, code={DONE, TOO_FEW})
    run = vault.mhp("forget", "--collect-only", code=PARTLY)
    w.check("No space was given back" in run.err, f"{what}: nothing is condemned\n{run}")
    words = ["--phrase-file", vault.phrase, "--home", vault.homes[1], "--ignore-clock"]
    vault.lose_state()
    run = vault.mhp("--json", "recover", *words)
    w.equal(len(run.json["late"]), 1, f"{what}: a recovery says it too\n{run}")
    vault.lose_state()
    run = vault.mhp("--json", "recover", "--with-late", *words)
    w.equal(run.json["late"], [], f"{what}: taken in\n{run}")
    check_all_there(w, vault, source, states, what)
    vault.backup(source)
    vault.mhp("repair")
    check_whole(w, vault, what)
    check_all_there(w, vault, source, states, f"{what}, after the next backup")


def clocks(w):
    """A clock that is wrong at a recovery, or was wrong on the lost computer, drops nothing in silence."""
    vault, source, states, late = saved_late(w, "+1d", "+3d", "", "--ignore-clock")
    check_late(w, vault, source, states, late, "the lost computer's clock was ahead")
    world.remove_tree(source)
    vault, source, states, late = saved_late(w, "", "+60", "-7y", "--ignore-clock")
    check_late(w, vault, source, states, late, "recovered with a clock that stands still")
    vault.lose_state()
    words = ["--phrase-file", vault.phrase, "--home", vault.homes[0]]
    run = with_clock(w, vault, "-7y", "--json", "recover", *words, code=FAILED)
    w.check("clock" in run.error["error"] and "--ignore-clock" in run.error["hint"], f"it is refused\n{run}")
    w.check(not (vault.state / "device").exists(), "nothing was changed")
    vault.mhp("recover", *words)
    check_all_there(w, vault, source, states, "with the right clock")


def read_only(w, homes_of_vault):
    """Mounts them write-protected; the returned call makes them writable again."""
    if os.getuid() != 0:
        raise Skip("mounting read-only needs root")
    for home in homes_of_vault:
        subprocess.run(["mount", "--bind", home, home], check=True)
        w.undo.append(lambda home=home: subprocess.run(["umount", home], check=False))
        subprocess.run(["mount", "-o", "remount,ro,bind", home], check=True)

    def undo():
        for home in homes_of_vault:
            subprocess.run(["mount", "-o", "remount,rw,bind", home], check=True)
    return undo


def recovery_that_waited(w):
    """A recovery is tried on write-protected homes, the old computer goes on for weeks, then the new one writes."""
    vault, source, tree = saved(w, 3)
    states = {vault.snapshots()[0]["id"]: tree}
    writable = read_only(w, vault.homes)
    new = second_computer(vault, vault.homes[0])
    writable()
    for week in (7, 14, 21):
        tree = add_to(w, source, f"week {week}")
        states[with_clock(w, vault, f"+{week}d", "--json", "backup", source).json["snapshot"]] = tree
    run = with_clock(w, vault, "+22d", "--json", "backup", source, state=new)
    w.check("was shut out" in run.err and "--with-late" in run.err, f"the new one says it\n{run}")
    run = with_clock(w, vault, "+22d", "forget", "--collect-only", state=new, code=PARTLY)
    w.check("No space was given back" in run.err, f"nothing of it is condemned\n{run}")
    vault.lose_state()
    words = ["--phrase-file", vault.phrase, "--home", vault.homes[0]]
    with_clock(w, vault, "+23d", "recover", "--with-late", *words)
    check_all_there(w, vault, source, states, "taken in")
    with_clock(w, vault, "+23d", "backup", source)
    check_whole(w, vault, "taken in")
    check_all_there(w, vault, source, states, "after the next backup")


def thief_then_as_of(w):
    """A thief forgets all; the owner recovers as it is, sees it, and recovers as of a date: the true state stays."""
    vault, source, tree = saved(w, 3)
    states = {vault.snapshots()[0]["id"]: tree}
    tree = add_to(w, source, "two")
    states[vault.backup(source)["snapshot"]] = tree
    time.sleep(1.1)  # homes note the second
    date = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    time.sleep(1.1)
    evil = w.folder / "evil"
    trees.make_files(evil, w.random, 3, 1 << 10)
    evil_snapshot = vault.backup(evil)["snapshot"]
    vault.mhp("forget", *states)
    vault.lose_state()
    vault.recover(vault.homes[0])
    w.equal([one["id"] for one in vault.snapshots()], [evil_snapshot], "what the thief left")
    words = ["--phrase-file", vault.phrase, "--home", vault.homes[0]]
    for what, options in (("as of a date", ["--as-of", date]), ("once more", []), ("and late ones", ["--with-late"])):
        vault.lose_state()
        run = vault.mhp("--json", "recover", *options, *words)
        w.equal((run.json["snapshots"], run.json["late"]), (len(states), []), f"{what}: {run}")
        check_all_there(w, vault, source, states, what)
        w.equal(len(vault.snapshots()), len(states), f"{what}: and no more")
    tree = add_to(w, source, "three")
    states[vault.backup(source)["snapshot"]] = tree
    check_whole(w, vault, "after the thief")
    w.equal([one["id"] for one in vault.snapshots()], list(states), "after the next backup")
    check_all_there(w, vault, source, states, "after the next backup")


def history_after_shut_out(w):
    """A stolen state folder signs another history from below the last good head on, and forgets: nobody believes it."""
    for options in ([], ["--as-of"]):
        vault, source, tree = saved(w, 2)
        states = {vault.snapshots()[0]["id"]: tree}
        other = second_computer(vault, vault.homes[0], "--keep-devices")
        tree = add_to(w, source, "two")
        victim = vault.mhp("--json", "backup", source, state=other).json["snapshot"]
        states[victim] = tree
        vault.backup(source)
        thief, evil = vault.folder / "thief", vault.folder / "evil"
        shutil.copytree(vault.state, thief, symlinks=True)
        shutil.copytree(vault.folder / "homes", evil)
        for name in ("three", "four"):
            tree = add_to(w, source, name)
            states[vault.backup(source)["snapshot"]] = tree
        time.sleep(1.1)  # homes note the second
        date = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())] if options else []
        time.sleep(1.1)
        new = second_computer(vault, vault.homes[0], *options, *date)
        vault.mhp("backup", source, state=new)
        (vault.folder / "homes").rename(vault.folder / "real")
        evil.rename(vault.folder / "homes")
        with_clock(w, vault, "+2d", "forget", victim, state=thief)
        shutil.rmtree(vault.folder / "real" / vault.homes[1].name)
        shutil.copytree(vault.homes[1], vault.folder / "real" / vault.homes[1].name)
        shutil.rmtree(vault.folder / "homes")
        (vault.folder / "real").rename(vault.folder / "homes")
        shutil.rmtree(vault.state)
        new.rename(vault.state)
        check_all_there(w, vault, source, states, "with the thief's home")
        run = vault.mhp("snapshots")
        w.equal("was shut out" in run.err, not options, f"it is told of, unless it is distrusted\n{run}")
        vault.backup(source)
        check_all_there(w, vault, source, states, "after the next backup")
        world.remove_tree(source)


def with_late_of_one_number(w):
    """Two histories with one head each after the common ones; a recovery saw one: both can be taken in."""
    vault, source, tree = saved(w, 2)
    states = {vault.snapshots()[0]["id"]: tree}
    one, other = vault.homes
    shutil.copytree(vault.state, w.folder / "copy", symlinks=True)
    for there, away, name in ((one, other, "two"), (other, one, "three")):
        apart(vault, [away], [there])
        tree = add_to(w, source, name)
        states[vault.backup(source, code={DONE, TOO_FEW})["snapshot"]] = tree
        if name == "two":
            vault.lose_state()
            shutil.move(w.folder / "copy", vault.state)
    time.sleep(1.1)  # homes note the second
    apart(vault, [other], [one])
    vault.lose_state()
    vault.recover(one)
    apart(vault, [], vault.homes)
    vault.lose_state()
    vault.mhp("recover", "--phrase-file", vault.phrase, "--home", one, "--with-late")
    check_all_there(w, vault, source, states, "taken in")
    vault.backup(source)
    check_all_there(w, vault, source, states, "after the next backup")
    check_whole(w, vault, "after the next backup")


def taken_twice_is_not_late(w):
    """What one home took in time another may have been given later: it is shown, and nothing is said of it."""
    vault, source, tree = saved(w, 10)
    states = {vault.snapshots()[0]["id"]: tree}
    few, many, last = vault.homes[:4], vault.homes[4:9], vault.homes[9:]
    apart(vault, few + last, many)
    tree = add_to(w, source, "two")
    states[vault.backup(source, code={DONE, TOO_FEW})["snapshot"]] = tree
    time.sleep(1.1)  # homes note the second
    apart(vault, many, few)
    new = second_computer(vault, few[0])
    time.sleep(1.1)
    apart(vault, few, many + last)
    vault.mhp("repair", code={DONE, TOO_FEW})
    apart(vault, [], vault.homes)
    shutil.rmtree(vault.state)
    new.rename(vault.state)
    check_all_there(w, vault, source, states, "all there")
    run = vault.mhp("snapshots")
    w.check("was shut out" not in run.err, f"nothing is late\n{run}")
    vault.backup(source)
    vault.mhp("repair")
    run = vault.mhp("forget", "--collect-only")
    w.check("No space" not in run.err, f"nothing is held back\n{run}")


def ignored_clock(w):
    """Once a clock was far ahead: what a thief saves after the recovery is late all the same."""
    vault, source, tree = saved(w, 2)
    states = {vault.snapshots()[0]["id"]: tree}
    tree = add_to(w, source, "ahead")
    states[with_clock(w, vault, "+400d", "--json", "backup", source).json["snapshot"]] = tree
    vault.backup(source)
    vault.take_away(vault.homes[1])
    new = second_computer(vault, vault.homes[0], "--ignore-clock")
    time.sleep(1.1)  # homes note the second
    vault.take_away(vault.homes[0])
    vault.bring_back(vault.homes[1])
    vault.mhp("forget", *states, code={DONE, PARTLY, TOO_FEW})
    vault.bring_back(vault.homes[0])
    shutil.rmtree(vault.state)
    new.rename(vault.state)
    run = vault.mhp("snapshots")
    w.check("was shut out" in run.err, f"it is told of\n{run}")
    check_all_there(w, vault, source, states, "nothing of the owner's is gone")


def damaged_state_files(w):
    """A damaged list of its own heads is named, and no second history is begun; other damaged files are named too."""
    vault, source, tree = saved(w, 2)
    states = {vault.snapshots()[0]["id"]: tree}
    one, other = vault.homes
    apart(vault, [other], [one])
    tree = add_to(w, source, "two")
    states[vault.backup(source, code={DONE, TOO_FEW})["snapshot"]] = tree
    flip(w, vault.state / "head")
    apart(vault, [one], [other])
    run = vault.mhp("--json", "backup", source, code=TOO_FEW)
    w.check("lost its own newest state" in run.error["error"], f"it does not write on\n{run}")
    w.check("head" in run.err and "damaged" in run.err, f"the damage is named\n{run}")
    apart(vault, [], vault.homes)
    check_all_there(w, vault, source, states, "with both homes")
    vault.backup(source)
    w.check("damaged" not in vault.mhp("snapshots").err, "mended by the next backup")
    for name in ("seen", "vault-records.copy"):
        (vault.state / name).write_bytes(b"of no use")
        run = vault.mhp("snapshots")
        w.check(f"{name}: damaged" in run.err, f"{name} is named\n{run}")
        w.check("damaged" not in vault.mhp("snapshots").err, f"{name} is made again")
    check_whole(w, vault, "in the end")


def two_records_of_one_version(w):
    """The state is put back and homes are added on either side: the list has all, and so has a recovery."""
    vault, source, _ = saved(w, 3)
    shutil.copytree(vault.state, w.folder / "copy", symlinks=True)
    vault.take_away(vault.homes[2])
    first = [vault.folder / "homes" / name for name in ("z1", "z2")]
    for home in first:
        vault.mhp("home", "add", home, "--same-disk")
    vault.lose_state()
    shutil.move(w.folder / "copy", vault.state)
    apart(vault, vault.homes[:2] + first, vault.homes[2:])
    for name in ("w1", "w2"):
        vault.mhp("home", "add", vault.folder / "homes" / name, "--same-disk")
    apart(vault, [], vault.homes + first)
    wanted = sorted([home.name for home in vault.homes] + ["z1", "z2", "w1", "w2"])
    listed = vault.mhp("--json", "home", "list").json["homes"]
    w.equal(sorted(home["name"] for home in listed), wanted, "the list")
    vault.lose_state()
    vault.recover(vault.homes[0])
    listed = vault.mhp("--json", "home", "list").json["homes"]
    w.equal(sorted(home["name"] for home in listed), wanted, "after the recovery")


if __name__ == "__main__":
    world.main(older_homes_after_recovery, state_put_back, clocks, recovery_that_waited, thief_then_as_of,
               away_for_long, history_in_a_gap, recoveries_apart, homes_added_apart, shut_out_and_alive,
               second_computer_unseen, homes_that_were_away,
               no_home_shows_heads, damaged_home_does_not_count, damaged_identity,
               newest_that_can_be_read, as_of, read_only_homes, history_after_shut_out, with_late_of_one_number,
               taken_twice_is_not_late, ignored_clock, damaged_state_files, two_records_of_one_version)
