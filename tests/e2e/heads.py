# Homes whose vault record or heads are damaged do not count until they are mended; recovery offers what can be read.
import os
import shutil
import subprocess
import time

from support import homes, trees, world
from support.world import DONE, FAILED, PARTLY, TOO_FEW, USAGE, Skip


def saved(w, number, files=40, size=30 << 10):
    source = w.folder / "source"
    trees.make_files(source, w.random, files, size)
    vault = w.vault(number)
    vault.backup(source)
    return vault, source, trees.tree_of(source)


def check_restore(w, vault, source, wanted, what, snapshot="latest"):
    back, run = vault.restore(snapshot)
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
        for prefix in ("heads-", "record"):
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
    run = check_restore(w, vault, source, first, "the older state")
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
    if os.getuid() != 0:
        raise Skip("mounting read-only needs root")
    vault, source, wanted = saved(w, 2)
    vault.lose_state()
    for home in vault.homes:
        subprocess.run(["mount", "--bind", home, home], check=True)
        w.undo.append(lambda home=home: subprocess.run(["umount", home], check=False))
        subprocess.run(["mount", "-o", "remount,ro,bind", home], check=True)
    run = vault.recover(vault.homes[0], code=DONE)
    w.equal((run.json["homes_written"], run.json["snapshots"]), (0, 1), "recovered for reading")
    w.check("write-protected" in run.err, f"it says so\n{run}")
    w.equal(sorted(path.name for path in vault.state.iterdir() if path.name != "cache"),
            ["device", "seen", "vault-record", "vault-record.copy"], "the state folder")
    check_restore(w, vault, source, wanted, "from write-protected homes")
    w.check(vault.status()["margin"] == 0, "not safe on homes that do not know this computer")
    for home in vault.homes:
        subprocess.run(["mount", "-o", "remount,rw,bind", home], check=True)
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


if __name__ == "__main__":
    world.main(homes_that_were_away, no_home_shows_heads, damaged_home_does_not_count, damaged_identity,
               newest_that_can_be_read, as_of, read_only_homes)
