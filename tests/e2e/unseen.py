# What cannot be seen or read now: it is said by every command, nothing is called safe, and no home goes that may hold
# what is needed for it.
import pathlib
import shutil
import struct
import sys

from support import homes, trees, world
from support.world import DONE, FAILED, PARTLY, REFUSED, TOO_FEW


def saved(w, number):
    source = w.folder / f"source-{w.vaults}"
    trees.make_files(source, w.random, 20, 20 << 10)
    vault = w.vault(number)
    return vault, source, vault.backup(source)["snapshot"]


def homes_files(home, prefix):
    return [path for path in sorted(home.glob(f"vaults/*/{prefix}*")) if "." not in path.name]


def more(w, source):
    (source / f"more-{w.random.randrange(1 << 30)}").write_bytes(w.random.randbytes(40_000))


def apart(vault, away, there):
    for home in away:
        if home.exists():
            vault.take_away(home)
    for home in there:
        if not home.exists():
            vault.bring_back(home)


def second_computer(vault, home, *options):
    state = vault.folder / f"state-{len(list(vault.folder.glob('state*')))}"
    vault.mhp("--json", "recover", "--phrase-file", vault.phrase, "--home", home, *options, state=state)
    return state


def ids(run):
    return [one["id"] for one in run.json]


def check_unread(w, vault, shown, what, state=None):
    """Every command says that there is more: status HELP, check 4, what reads 3; a snapshot that is named is whole."""
    run = vault.mhp("--json", "status", state=state, code=FAILED)
    w.equal((run.json["state"], len(run.json["unread"])), ("help", 1), f"{what}: status\n{run}")
    run = vault.mhp("status", state=state, code=FAILED)
    w.check(run.out.startswith("HELP: what 1 computer saved last cannot be read now"), f"{what}: its words\n{run}")
    w.equal(run.err.count("is not shown"), 1, f"{what}: said once\n{run}")
    run = vault.mhp("--json", "check", state=state, code=TOO_FEW)
    w.equal((run.json["ok"], len(run.json["unread"])), (False, 1), f"{what}: check\n{run}")
    w.check("Whole:" not in vault.mhp("check", state=state, code=TOO_FEW).out, f"{what}: check's words")
    w.equal(ids(vault.mhp("--json", "snapshots", state=state, code=PARTLY)), shown, f"{what}: snapshots")
    for args in (["ls", "latest"], ["find", "*"], ["diff", shown[0], "latest"]):
        vault.mhp(*args, state=state, code=PARTLY)
        if "latest" in args:
            vault.mhp(*[shown[0] if word == "latest" else word for word in args], state=state)
    _, run = vault.restore(code=PARTLY, state=state)
    w.equal((len(run.json["unread"]), run.json["errors"]), (1, []), f"{what}: restore latest\n{run}")
    vault.restore(shown[0], state=state)


def swap(w, home):
    """An older copy of a home in its place, or the newer one again."""
    home.rename(w.folder / "between")
    (w.folder / "copies" / home.name).rename(home)
    (w.folder / "between").rename(w.folder / "copies" / home.name)


def set_back_homes(w):
    """Four of five homes are older copies: the last snapshot cannot be read, whatever else is whole."""
    vault, source, first = saved(w, 5)
    for home in vault.homes[1:]:
        shutil.copytree(home, w.folder / "copies" / home.name)
    more(w, source)
    second = vault.backup(source)["snapshot"]
    for home in vault.homes[1:]:
        swap(w, home)
    vault.lose_state()
    vault.recover(vault.homes[0], code=PARTLY)
    check_unread(w, vault, [first], "set back")
    for home in vault.homes[1:]:
        swap(w, home)
    w.equal(ids(vault.mhp("--json", "snapshots")), [first, second], "all is back")
    for home in vault.homes[1:]:
        swap(w, home)
    shutil.rmtree(vault.state / "cache")
    third = vault.backup(source)["snapshot"]
    check_unread(w, vault, [first, third], "after a backup")
    run = vault.mhp("--json", "home", "remove", vault.homes[0].name, code=TOO_FEW)
    w.check("stays" in run.error["error"] and "--lost" in run.error["error"], f"no home goes meanwhile\n{run}")


def others_state(w):
    """Too few rows of what another computer saved last: what was there before is read all the same."""
    vault, source, first = saved(w, 10)
    other = second_computer(vault, vault.homes[0], "--keep-devices")
    apart(vault, vault.homes[:5], [])
    more(w, source)
    second = vault.mhp("--json", "backup", source, state=other, code={DONE, TOO_FEW}).json["snapshot"]
    apart(vault, vault.homes[6:], vault.homes[:6])
    check_unread(w, vault, [first], "another's")
    run = vault.mhp("--json", "backup", source, code=TOO_FEW)
    w.check("more of these homes are needed" in run.error["error"], f"nothing is written on what is not read\n{run}")
    apart(vault, [], vault.homes)
    w.equal(ids(vault.mhp("--json", "snapshots")), [first, second], "all there")
    w.equal(vault.status()["unread"], [], "status")


def seen_and_not_shown(w):
    """What this computer has seen of another one, and no home at hand shows now."""
    vault, source, first = saved(w, 4)
    other = second_computer(vault, vault.homes[0], "--keep-devices")
    apart(vault, vault.homes[:2], [])
    more(w, source)
    second = vault.mhp("--json", "backup", source, state=other, code={DONE, TOO_FEW}).json["snapshot"]
    apart(vault, [], vault.homes[:2])
    w.equal(ids(vault.mhp("--json", "snapshots")), [first, second], "both are seen")
    apart(vault, vault.homes[2:], [])
    check_unread(w, vault, [first], "only an older one is shown")
    apart(vault, [], vault.homes[2:])
    w.equal(ids(vault.mhp("--json", "snapshots")), [first, second], "all there")
    vault.backup(source)
    apart(vault, vault.homes[2:], [])
    w.equal(len(vault.snapshots()), 3, "a top that was made from it has all of it")


def damaged_heads_alone(w):
    """Of a device that no home shows any heads of, one has a damaged file: there may be something."""
    vault, source, first = saved(w, 2)
    good, bad = vault.homes
    vault.lose_state()
    vault.recover(good)
    apart(vault, [good], [])
    [heads] = homes_files(bad, "heads-")
    whole = heads.read_bytes()
    homes.flip_byte(heads, 100, w.random)
    w.equal(vault.mhp("--json", "snapshots", code=PARTLY).json, [], "nothing is shown, and it says so")
    w.equal(vault.mhp("--json", "status", code=FAILED).json["state"], "help", "status")
    vault.mhp("check", code=TOO_FEW)
    vault.lose_state()
    run = vault.recover(bad, code=TOO_FEW)
    w.check("no home at hand has readable heads" in run.error["error"], f"a recovery that has only this home\n{run}")
    heads.write_bytes(whole)
    vault.recover(bad)
    w.equal(ids(vault.mhp("--json", "snapshots")), [first], "mended")


def record_not_at_hand(w):
    """Heads of a computer whose vault record no home at hand has: what it saved may be there, and is not shown."""
    vault, source, first = saved(w, 2)
    known = {path.name for path in homes_files(vault.homes[0], "heads-")}
    state = second_computer(vault, vault.homes[0], "--keep-devices")
    more(w, source)
    second = vault.mhp("--json", "backup", source, state=state).json["snapshot"]
    [heads] = [path for path in homes_files(vault.homes[0], "heads-") if path.name not in known]
    apart(vault, vault.homes[1:], [])
    record = heads.with_name(heads.name.replace("heads-", "record-"))
    whole = record.read_bytes()
    record.unlink()
    vault.lose_state()
    run = vault.recover(vault.homes[0], code=PARTLY)
    w.equal(len(run.json["unread"]), 1, f"it says so\n{run}")
    w.equal(ids(vault.mhp("--json", "snapshots", code=PARTLY)), [first], "what is shown")
    record.write_bytes(whole)
    vault.lose_state()
    vault.recover(vault.homes[0])
    w.equal(ids(vault.mhp("--json", "snapshots")), [first, second], "all there")


def locked_state(w):
    """What another recovery saved is locked here: that is no safe vault."""
    vault, source, first = saved(w, 2)
    one, other = vault.homes
    apart(vault, [other], [one])
    vault.lose_state()
    vault.recover(one)
    more(w, source)
    vault.backup(source, code={DONE, TOO_FEW})
    apart(vault, [one], [other])
    vault.lose_state()
    vault.recover(other)
    more(w, source)
    second = vault.backup(source, code={DONE, TOO_FEW})["snapshot"]
    apart(vault, [], vault.homes)
    vault.mhp("repair", code={DONE, FAILED})
    run = vault.mhp("--json", "status", code=FAILED)
    w.equal((run.json["state"], [one["locked"] for one in run.json["unread"]]), ("help", [True]), f"status\n{run}")
    w.equal(ids(vault.mhp("--json", "snapshots", code=PARTLY)), [first, second], "snapshots")
    vault.mhp("home", "remove", one.name, code=TOO_FEW)
    vault.lose_state()
    vault.recover(one)
    vault.backup(source)
    w.equal((vault.status()["state"], len(vault.snapshots())), ("safe", 4), "joined")


def homes_that_are_away_stay(w):
    """`home remove` lets no home go that cannot be seen: it may have what nobody here knows of."""
    vault, source, _ = saved(w, 10)
    low, high = vault.homes[:5], vault.homes[5:]
    other = second_computer(vault, low[0], "--keep-devices")
    apart(vault, low, high)
    more(w, source)
    second = vault.mhp("--json", "backup", source, state=other, code={DONE, TOO_FEW}).json["snapshot"]
    wanted = trees.tree_of(source)
    apart(vault, high, low)
    for home in high:
        for option in ([], ["--dry-run"]):
            run = vault.mhp("--json", "home", "remove", home.name, *option, code=TOO_FEW)
            w.check("is away" in run.error["error"] and "--lost" in run.error["error"], f"it is away\n{run}")
    w.equal(len(vault.mhp("--json", "home", "list").json["homes"]), 10, "homes")
    apart(vault, [], vault.homes)
    vault.mhp("home", "remove", high[0].name)
    shutil.rmtree(high[0])
    back, _ = vault.restore(second)
    trees.check_same(w, wanted, back / source.relative_to("/"), "the other's, after one was handed over")
    apart(vault, high[1:], low)
    run = vault.mhp("home", "remove", high[1].name, "--lost")
    w.check("keep it until" in run.out, f"with --lost nothing is to be deleted\n{run}")


def saved_on_one_home(w):
    """What a lost computer saved last is on the second home alone, which was away when the vault was recovered."""
    vault, source, first = saved(w, 2)
    one, two = vault.homes
    apart(vault, [one], [two])
    more(w, source)
    second = vault.backup(source, code={DONE, TOO_FEW})["snapshot"]
    wanted = trees.tree_of(source)
    apart(vault, [two], [one])
    vault.lose_state()
    vault.recover(one)
    apart(vault, [], vault.homes)
    w.equal(ids(vault.mhp("--json", "snapshots")), [first, second], "both are shown")
    return vault, source, second, wanted


def home_that_alone_shows(w):
    """`home remove` keeps a home that alone shows what a lost computer saved, until a backup has it everywhere."""
    vault, source, second, wanted = saved_on_one_home(w)
    one, two = vault.homes
    for option in ([], ["--dry-run"]):
        run = vault.mhp("--json", "home", "remove", two.name, *option, code=FAILED)
        w.check("it alone shows" in run.error["error"] and "--lost" in run.error["error"] and
                "mhp backup" in run.error["hint"], f"it stays\n{run}")
    run = vault.mhp("--json", "home", "remove", two.name, "--lost", "--dry-run")
    w.equal(len(run.json["shown_nowhere_else"]), 1, f"what --lost would give up\n{run}")
    w.check("would be given up" in run.err, f"it says so\n{run}")
    w.equal(vault.mhp("--json", "home", "remove", one.name, "--lost", "--dry-run").json["shown_nowhere_else"], [],
            "nothing is given up with the other")
    vault.backup(source)
    vault.mhp("home", "remove", two.name)
    shutil.rmtree(two)
    back, _ = vault.restore(second)
    trees.check_same(w, wanted, back / source.relative_to("/"), "what the lost computer saved")


def former_homes(w):
    """A home that only a lost computer lists: a recovery reads from it where it is there; else it is asked for."""
    vault, source, first = saved(w, 2)
    one, two = vault.homes
    apart(vault, [one], [two])
    three = vault.add_home()
    more(w, source)
    second = vault.backup(source, code={DONE, TOO_FEW})["snapshot"]  # on the second and the third
    wanted = trees.tree_of(source)
    apart(vault, [two, three], [one])
    vault.lose_state()
    vault.recover(one)
    w.equal(vault.mhp("--json", "status", code=FAILED).json["former_homes"], [], "nobody has heard of it yet")
    apart(vault, [three], [one, two])
    run = vault.mhp("--json", "status", code=FAILED)
    w.equal([home["name"] for home in run.json["former_homes"]], [three.name], f"a new computer hears of it\n{run}")
    w.check(f"'{three.name}'" in run.err and f"mhp home add {three}" in run.err, f"and asks for it\n{run}")
    late = vault.folder / "state-late"
    words = ["--phrase-file", vault.phrase, "--home", one, "--home", two]
    run = vault.mhp("--json", "recover", *words, state=late, code=PARTLY)
    w.equal(([home["name"] for home in run.json["former_homes"]], run.json["homes"]), ([three.name], 2),
            f"so does a recovery\n{run}")
    apart(vault, [], vault.homes)
    again = vault.folder / "state-again"
    run = vault.mhp("--json", "recover", *words, state=again)
    w.equal(([home["name"] for home in run.json["former_homes_read"]], run.json["former_homes"],
             run.json["snapshots"], run.json["homes"]), ([three.name], [], 2, 2), f"it is read where it is\n{run}")
    vault.mhp("home", "add", three, "--same-disk", state=again)
    w.equal(vault.mhp("--json", "status", state=again).json["former_homes"], [], "it is on the list again")
    w.equal(ids(vault.mhp("--json", "snapshots", state=again)), [first, second], "both are shown")
    back, _ = vault.restore(second, state=again)
    trees.check_same(w, wanted, back / source.relative_to("/"), "what the lost computer saved")


def former_home_that_is_gone(w):
    """It is asked for until the owner says that it is lost."""
    vault, source, _ = saved(w, 2)
    one, two = vault.homes
    apart(vault, [one], [two])
    three = vault.add_home()
    apart(vault, [two, three], [one])
    vault.lose_state()
    vault.recover(one)
    apart(vault, [three], [one, two])
    w.equal(len(vault.status()["former_homes"]), 1, "it is asked for")
    vault.mhp("home", "remove", three.name, code=FAILED)
    vault.mhp("home", "remove", three.name, "--lost")
    w.equal(vault.status()["former_homes"], [], "and then no more")
    w.equal(len(vault.mhp("--json", "home", "list").json["homes"]), 2, "the list")
    vault.backup(source)
    vault.lose_state()
    w.equal(vault.recover(two).json["former_homes"], [], "nor by a recovery")


def named_homes(w):
    """Homes named at a recovery: those off the list are on it again, one that is not there is said and passed over."""
    vault, source, first = saved(w, 5)
    for home in vault.homes[:4]:
        vault.mhp("home", "remove", home.name, "--lost")
    vault.lose_state()
    nowhere = w.folder / "nowhere"
    named = [word for home in [nowhere, *vault.homes] for word in ("--home", home)]
    run = vault.mhp("recover", "--phrase-file", vault.phrase, *named)
    w.check(str(nowhere) in run.err and "goes on without" in run.err, f"the missing one\n{run}")
    w.equal(run.err.count("taken off the list"), 4, f"what is listed again\n{run}")
    w.equal(len(vault.mhp("--json", "home", "list").json["homes"]), 5, "the list")
    back, _ = vault.restore()
    trees.check_same(w, trees.tree_of(source), back / source.relative_to("/"), "restored")
    vault.lose_state()
    run = vault.mhp("--json", "recover", "--phrase-file", vault.phrase, "--home", nowhere, "--home", w.folder / "no",
                    code=TOO_FEW)
    w.check(str(nowhere) in run.error["error"], f"none of them is there\n{run}")


def damaged_record(w):
    """A home whose only vault record is damaged brings the vault back from a former one, and says so; where it has
    none: refused, and another home is asked for."""
    vault, source, _ = saved(w, 2)
    bad, good = vault.homes
    apart(vault, [good], [bad])
    [record] = [path for path in bad.glob("vaults/*/record-*") if "." not in path.name]
    homes.flip_byte(record, 200, w.random)
    vault.lose_state()
    run = vault.mhp("--json", "recover", "--dry-run", "--phrase-file", vault.phrase, "--home", bad, code=PARTLY)
    w.equal([bad.name in older for older in run.json["older_records"]], [True], f"the home is named\n{run}")
    [former] = homes_files(bad, "former-")
    former.unlink()
    run = vault.recover(bad, code=REFUSED)
    w.equal(run.error["code"], "corrupt", f"the error's code\n{run}")
    w.check(str(bad) in run.error["error"] and "another home" in run.error["hint"], f"it names the home\n{run}")
    apart(vault, [], vault.homes)
    vault.recover(good)


def bad_rows_are_shown(w):
    """A home with rows that were found wrong is not "ok"."""
    vault, source, _ = saved(w, 5)
    bad = vault.homes[2]
    homes.flip_row(homes.rows_in(bad)[0], w.random)
    vault.check("--read-data", code=FAILED)
    status = vault.mhp("--json", "status", code=None).json
    w.equal([home["state"] for home in status["homes"]], ["ok", "ok", "bad_rows", "ok", "ok"], "states")
    w.equal([home["rows_bad"] > 0 for home in status["homes"]], [False, False, True, False, False], "rows")
    vault.mhp("repair", "--read-data")
    w.equal({home["state"] for home in vault.status()["homes"]}, {"ok"}, "mended")


def set_receipts(home, unix_s):
    """As a home that lies about when it took the heads."""
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "reader"))
    from hashes import derive_key  # pylint: disable=import-outside-toplevel
    for path in home.glob("vaults/*/heads-*"):
        data = bytearray(path.read_bytes())
        at = 80
        for _ in range(struct.unpack_from("<I", data, 12)[0]):
            struct.pack_into("<q", data, at, unix_s)
            at += 12 + struct.unpack_from("<I", data, at + 8)[0]
        data[at:] = derive_key("mhp 1 heads file", bytes(data[:at]))
        path.write_bytes(data)


def impossible_receipts(w):
    """A home that took heads at a time which cannot be is damaged, and named; the others bring the vault back."""
    for unix_s in (1 << 62, (1 << 63) - 1, 9223372036, -(1 << 62)):
        vault, source, first = saved(w, 2)
        good, liar = vault.homes
        set_receipts(liar, unix_s)
        vault.lose_state()
        run = vault.recover(good)
        w.check(f"home '{liar.name}'" in run.err and "cannot be read" in run.err, f"at {unix_s}: it is named\n{run}")
        w.equal(ids(vault.mhp("--json", "snapshots")), [first], f"at {unix_s}")
        vault.backup(source)
        w.equal((vault.status()["state"], vault.check()["ok"]), ("safe", True), f"at {unix_s}: mended")


if __name__ == "__main__":
    world.main(set_back_homes, others_state, seen_and_not_shown, damaged_heads_alone, record_not_at_hand, locked_state,
               homes_that_are_away_stay, home_that_alone_shows, former_homes, former_home_that_is_gone, named_homes,
               damaged_record, bad_rows_are_shown, impossible_receipts)
