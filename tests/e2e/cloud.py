# A cloud of real processes on loopback: founded, joined by one code, backed up to each other, lost and recovered.
import contextlib
import re
import shutil
import signal
import subprocess
import time

from support import homes, trees, world
from support.world import DONE, FAILED, REFUSED, TOO_FEW, USAGE, Computer


def found(w, names=("ann", "ben", "cat")):
    """A cloud whose founder is the first; all are up. Their computers."""
    ann = Computer(w, names[0])
    ann.mhp("cloud", "new", "Lindenweg")
    ann.up().wait_for_log(" announced ")
    computers = [ann]
    for name in names[1:]:
        computers.append(let_in(w, ann, name))
    for computer in computers:
        wait_for_homes(w, computer, len(names) - 1)
    return computers


def wait_for_homes(w, computer, number):
    """Until so many others can be reached from this one."""
    until = time.monotonic() + 60
    while True:
        states = [home["state"] for home in computer.json("homes")["homes"]]
        if states.count("up") == number:
            return
        w.check(time.monotonic() < until, f"{computer.name} reaches {number} others: {states}")
        time.sleep(0.1)


def let_in(w, host, name, *args):
    code = host.json("invite", "--for", name)["code"]
    guest = Computer(w, name, init=False)
    joined = guest.json("join", "-", "--as", name, "--lend", guest.lend, "--home-name", f"{name}'s home",
                        "--phrase-file", guest.phrase, *args, **given(w, guest, code))
    w.check(joined["words"].count(" ") == 3, f"four words: {joined}")
    guest.words = joined["words"]
    guest.up()
    host.wait_for_log(f"home_lends cloud=Lindenweg home=\"{name}'s home\"")
    return guest


def given(w, computer, text):
    """Standard input with this text."""
    path = computer.folder / "input"
    path.write_text(text + "\n")
    file = open(path, "rb")
    w.undo.append(file.close)
    return {"stdin": file}


def make_tree(w, name="tree"):
    tree = w.folder / name
    trees.make_everything(tree, w.random)
    return tree


def below(folder, path):
    return folder / path.relative_to("/")


def comes_back(w, computer, tree, what):
    back, run = computer.restore()
    w.equal(run.json["errors"], [], f"{what}: errors of restore")
    trees.check_same(w, trees.tree_of(tree), below(back, tree), what)
    w.count("restores")
    return run


def main_job(w):
    """Five people; one saves a tree, `margin` computers and all of the owner's are lost, words and one address bring it
    back."""
    ann, *others = found(w, ("ann", "ben", "cat", "dan", "eva"))
    listed = ann.json("members")["members"]
    w.equal(sorted(one["name"] for one in listed), ["ann", "ben", "cat", "dan", "eva"], "members")
    for guest in others:
        same = [one["words"] for one in listed if one["name"] == guest.name]
        w.equal(same, [guest.words], "the four words that both see")
    tree = make_tree(w)
    done = ann.json("backup", tree)
    w.equal((done["homes"], done["margin"], done["errors"]), (4, 2, []), "homes, margin and errors of the backup")
    w.equal(ann.json("status")["state"], "safe", "state")
    w.equal(ann.json("check", "--read-data")["ok"], True, "check")
    comes_back(w, ann, tree, "with all up")
    others[0].down(signal.SIGKILL)
    others[1].down(signal.SIGKILL)
    w.count("computers killed", 2)
    run = comes_back(w, ann, tree, "with two killed")
    for gone in others[:2]:
        w.check(f"{gone.name}'s home" in run.err, f"{gone.name}'s home is named\n{run}")
    ann.down()
    shutil.rmtree(ann.state)
    told = ann.json("recover", "--phrase-file", ann.phrase, "--from", others[3].address)
    w.equal((told["homes_reachable"], told["snapshots"]), (2, 1), "what recover says")
    w.count("bare-metal restores")
    comes_back(w, ann, tree, "after the recovery")
    others[2].down(signal.SIGKILL)
    w.count("computers killed")
    _, run = ann.restore(code=TOO_FEW)
    w.check("needs" in run.err, f"it says what is missing\n{run}")


def both_ways(w):
    """Two people store with each other: a sealed mirror, and it says so; each sees only its own."""
    ann, ben = found(w, ("ann", "ben"))
    for computer in (ann, ben):
        tree = make_tree(w, f"tree-{computer.name}")
        (tree / "whose").write_text(computer.name)
        computer.json("backup", tree)
        comes_back(w, computer, tree, computer.name)
    for computer in (ann, ben):
        w.equal(len(computer.json("snapshots")), 1, "snapshots")


def invitations(w):
    """Codes that are wrong, used, expired; a member that was removed."""
    ann, ben = found(w, ("ann", "ben"))
    code = ann.json("invite")["code"]
    eve = Computer(w, "eve")

    def join(text, wanted):
        return eve.mhp("join", "-", **given(w, eve, text), code=wanted)
    swapped = code[:20] + ("0" if code[20] != "0" else "1") + code[21:]
    run = join(swapped, REFUSED)
    w.check("letter" in run.err, f"a wrong letter is noticed\n{run}")
    soon = ann.json("invite", "--expires", "1s")["code"]
    time.sleep(1.2)  # the code's own time
    run = join(soon, REFUSED)
    w.check("expired" in run.err, f"said plainly\n{run}")
    used = ann.json("invite")["code"]
    join(used, DONE)
    other = Computer(w, "other")
    run = other.mhp("join", "-", **given(w, other, used), code=REFUSED)
    w.check("used already" in run.err, f"said plainly\n{run}")
    for computer in (ann, ben):
        for text in (code, used, soon):
            w.check(text[5:30] not in computer.log.read_text(), "no code in any log")
    eve.up()
    ben.wait_for_log("member_joined cloud=Lindenweg member=eve")
    ann.json("members", "remove", "eve")
    ben.wait_for_log("member_left cloud=Lindenweg member=eve")
    tree = make_tree(w)
    run = eve.mhp("backup", tree, code=None)
    w.check(run.code != DONE, f"a removed member stores nothing more\n{run}")
    w.equal(sorted(one["name"] for one in ann.json("members")["members"]), ["ann", "ben"], "members")


def killed_and_started_again(w):
    """Homes are killed while they receive and come back: nothing that was acknowledged is lost."""
    ann, *others = found(w, ("ann", "ben", "cat", "dan"))
    tree = make_tree(w)
    ann.json("backup", tree)
    for round_ in range(10 if w.long else 3):
        (tree / f"more-{round_}").write_bytes(w.random.randbytes(20_000_000))
        process = w.start("--json", "backup", tree, state=ann.state)
        victim = w.random.choice(others)
        with contextlib.suppress(subprocess.TimeoutExpired):  # it should run still
            process.wait(w.random.uniform(0, 0.5))
        victim.down(signal.SIGKILL)
        w.count("computers killed")
        run = w.finish(process)
        w.check(run.code in (DONE, TOO_FEW), f"done, or too few\n{run}")
        victim.up()
        w.equal(ann.json("backup", tree)["errors"], [], "errors")
        comes_back(w, ann, tree, f"round {round_}")


def back_in_the_cloud(w):
    """Who recovers is the same member at once: sees the cloud, saves, and lets others in."""
    ann, ben, cat = found(w, ("ann", "ben", "cat"))
    tree = make_tree(w)
    ann.json("backup", tree)
    before = ann.json("members")["members"]
    ann.down(signal.SIGKILL)
    shutil.rmtree(ann.state)
    cat.down()  # sleeps meanwhile, and has never heard of the new device
    run = ann.mhp("--json", "recover", "--phrase-file", ann.phrase, "--from", ben.address)
    clouds = [(one["name"], one["as"], one["homes_told"], one["problem"]) for one in run.json["clouds"]]
    w.equal(clouds, [("Lindenweg", "ann", 1, "")], "clouds that it is back in")
    w.count("bare-metal restores")
    cat.up()

    def people(members):
        return [(one["id"], one["name"], one["role"], one["own"], one["words"]) for one in members]
    w.equal(people(ann.json("members")["members"]), people(before), "members")
    wait_for_homes(w, ann, 2)
    (tree / "newer").write_bytes(w.random.randbytes(3_000_000))
    w.equal(ann.json("backup", tree)["errors"], [], "errors of the backup")
    w.equal(ann.json("status")["margin"], 1, "margin")
    comes_back(w, ann, tree, "after the recovery")
    ann.up()
    let_in(w, ann, "dan")
    for other in (ben, cat):
        other.wait_for_log("home_lends cloud=Lindenweg home=\"dan's home\"")
    w.check("ann's home" not in ann.mhp("backup", tree).err, "the lost computer is not spoken of any more")
    # The rosters alone are lost.
    ann.down()
    shutil.rmtree(ann.state / "clouds")
    w.equal(len(ann.json("members")["members"]), 4, "members")


def off_the_list_and_back(w):
    """A home that is taken off the list is told that it may delete, and comes back by its name."""
    ann, *_ = found(w, ("ann", "ben", "cat", "dan"))
    tree = make_tree(w)
    ann.json("backup", tree)
    told = ann.json("home", "remove", "ben's home")
    w.check(told["given_up"] > 0, f"it is told what may go: {told}")
    ann.json("backup", tree)

    def names():
        return sorted(home["name"] for home in ann.json("home", "list")["homes"])
    w.equal(names(), ["cat's home", "dan's home"], "homes")
    w.equal(ann.json("home", "add", "ben's home")["known"], True, "that it was known")
    w.equal(names(), ["ben's home", "cat's home", "dan's home"], "homes")
    ann.json("backup", tree)
    w.equal(ann.json("check", "--read-data")["ok"], True, "check")
    comes_back(w, ann, tree, "with the home that is back")


def removed_and_handed_over(w):
    """Whoever is removed takes nothing along: the others' `mhp up` makes anew what was on his home. He has his own data
    back, and stores no more."""
    ann, ben, cat, dan, eva = found(w, ("ann", "ben", "cat", "dan", "eva"))
    trees_of = {}
    for computer in (ann, eva):
        trees_of[computer.name] = make_tree(w, f"tree-{computer.name}")
        computer.json("backup", trees_of[computer.name])
    ann.json("members", "remove", "eva")
    for computer in (ann, ben, cat, dan):
        computer.wait_for_log("home_left cloud=Lindenweg home=\"eva's home\"")
    told = ann.wait_for_log(" handed_over ")
    w.check("margin=1" in told, f"as safe as three homes can be: {told}")
    names = [home["name"] for home in ann.json("status")["homes"]]
    w.check("eva's home" not in names, f"off the list: {names}")
    run = eva.mhp("backup", make_tree(w, "more"), code=None)
    w.check(run.code != DONE, f"a removed member stores nothing more\n{run}")
    comes_back(w, eva, trees_of["eva"], "what the removed member has stored")
    eva.down()
    shutil.rmtree(eva.state)
    eva.json("recover", "--phrase-file", eva.phrase, "--from", ben.address)
    comes_back(w, eva, trees_of["eva"], "the same with the words alone")
    ben.down(signal.SIGKILL)
    w.count("computers killed")
    comes_back(w, ann, trees_of["ann"], "after the hand-over, with margin homes killed")


def refused_join(w):
    """A join that is refused leaves nobody with a vault whose 24 words she has not heard of."""
    ann, _ = found(w, ("ann", "ben"))
    used = ann.json("invite")["code"]
    other, eve = Computer(w, "other", init=False), Computer(w, "eve", init=False)
    other.json("join", "-", "--as", "other", "--phrase-file", other.phrase, **given(w, other, used))
    w.check(str(other.phrase) not in other.mhp("status").err, "who was told in the answer is not told again")
    words = eve.state.with_name("state-recovery-phrase.txt")
    run = eve.mhp("join", "-", "--as", "eve", **given(w, eve, used), code=REFUSED)
    w.check(str(words) in run.err and words.exists(), f"it says where the words are\n{run}")
    run = eve.mhp("--json", "init", "eve", code=FAILED)
    w.check(any(str(words) in note for note in run.error["notes"]), f"so does init\n{run}")
    w.check(str(words) in eve.mhp("status").err, "and every other command")
    joined = eve.json("join", "-", "--as", "eve", **given(w, eve, ann.json("invite")["code"]))
    w.equal(joined["phrase_file"], str(words), "and the join that goes well")
    w.check(str(words) not in eve.mhp("status").err, "then she has been told")


def never_up(w):
    """Nothing is planned on the home of a member who has never been up."""
    ann, *_ = found(w, ("ann", "ben", "cat"))
    tree = make_tree(w)
    ann.json("backup", tree)
    eve = Computer(w, "eve", init=False)
    eve.json("join", "-", "--as", "eve", "--lend", eve.lend, "--phrase-file", eve.phrase,
             **given(w, eve, ann.json("invite")["code"]))
    (tree / "newer").write_bytes(w.random.randbytes(1_000_000))
    done = ann.json("backup", tree)
    w.equal((done["homes"], done["margin"], done["left_out"]), (2, 1, []), "homes, margin and homes left out")
    status = ann.json("status")
    w.equal((status["state"], status["never_up"]), ("safe", ["eve's computer"]), "status")
    w.check("'eve's computer' has never been up yet" in ann.mhp("status").out, "a person is told")
    w.check("has never been up yet" in ann.mhp("homes").out, "by 'homes', too")
    eve.up()
    wait_for_homes(w, ann, 3)
    (tree / "newest").write_bytes(w.random.randbytes(1_000_000))
    w.equal(ann.json("backup", tree)["homes"], 3, "homes, once it is up")
    w.equal(ann.json("status")["never_up"], [], "homes that have never been up")


def second_computer(w):
    """The owner's second computer saves in the cloud as the first does."""
    ann, ben, _ = found(w, ("ann", "ben", "cat"))
    tree = make_tree(w)
    ann.json("backup", tree)
    other = Computer(w, "other", init=False)
    other.json("recover", "--keep-devices", "--from", ben.address, "--phrase-file", ann.phrase)
    w.check(all(home["free_bytes"] > 0 for home in other.json("status")["homes"]), "it is lent space")
    second = make_tree(w, "second")
    done = other.json("backup", second)
    w.equal((done["errors"], done["left_out"]), ([], []), "errors and homes left out")
    w.check(done["margin"] >= 1, f"the margin: {done}")
    comes_back(w, other, second, "on the second computer")
    comes_back(w, ann, second, "on the first")
    w.equal(len(ann.json("snapshots")), 2, "snapshots")
    ann.json("backup", tree)
    comes_back(w, other, tree, "of the first, on the second")


def removed(w):
    """Who was removed is told so, by whom and what to do; has back what is saved; and comes in again by a new code."""
    ann, ben, cat = found(w, ("ann", "ben", "cat"))
    tree = make_tree(w)
    old = cat.json("backup", tree)["snapshot"]
    cat.down()
    ann.json("members", "remove", "cat")
    for host in (ann, ben):
        host.wait_for_log("member_left cloud=Lindenweg member=cat")
    said = "You were removed from the cloud 'Lindenweg' by 'ann'."
    run = cat.mhp("status", code=None)
    w.check(said in run.err and "'mhp join' makes you a new member" in run.err, f"the first who is asked tells\n{run}")
    cat.up().wait_for_log(" taken_out cloud=Lindenweg what=member by='ann' ")
    newer = make_tree(w, "newer")
    for words, code in ((("backup", newer), TOO_FEW), (("status",), None), (("members",), DONE), (("homes",), DONE),
                        (("cloud", "list"), DONE), (("cloud", "show"), DONE), (("invite",), REFUSED),
                        (("members", "remove", "ben"), REFUSED), (("repair",), TOO_FEW),
                        (("cloud", "leave"), TOO_FEW)):
        run = cat.mhp(*words, code=code)
        w.check(run.err.count(said) == 1, f"{words[0]} says so, once\n{run}")
        for wrong in ("write-protected:", "older than what", "homes answers"):
            w.check(wrong not in run.out + run.err, f"not {wrong!r}\n{run}")
    run = cat.mhp("repair", code=TOO_FEW)
    w.check("none of your homes takes anything" in run.err and "home add DIR" in run.err, f"what helps\n{run}")
    w.equal(cat.json("members")["taken_out"],
            {"cloud": "Lindenweg", "what": "member", "by": ["ann"], "can_answer": False}, "the same for scripts")
    comes_back(w, cat, tree, "what was saved before")
    joined = cat.json("join", "-", **given(w, cat, ann.json("invite")["code"]))
    w.equal((joined["was_removed"], joined["as"]), (True, "cat"), "joining anew")
    cat.wait_for_log(" in_cloud_again cloud=Lindenweg")
    wait_for_homes(w, cat, 2)
    for host in (ann, ben):
        wait_for_homes(w, host, 2)
    w.equal(sorted(one["name"] for one in ben.json("members")["members"]), ["ann", "ben", "cat"], "members")
    done = cat.json("backup", newer)
    w.equal((done["homes"], done["margin"], done["left_out"]), (2, 1, []), "homes, margin and homes left out")
    comes_back(w, cat, newer, "what was saved since")
    back, _ = cat.restore(old)
    trees.check_same(w, trees.tree_of(tree), below(back, tree), "what was saved before, by its name")
    w.check(said not in cat.mhp("status").err, "nothing is said any more")


def founder_fights_back(w):
    """An admin whom the founder made removes her: she is told, takes it back, and all come to the same."""
    ann, ben, cat = found(w, ("ann", "ben", "cat"))
    ann.json("members", "promote", "ben")
    wait_for_homes(w, ben, 2)  # on the way he hears of it
    ben.json("members", "remove", "ann")
    cat.wait_for_log("member_left cloud=Lindenweg member=ann")
    ann.wait_for_log(" taken_out cloud=Lindenweg what=member by='ben' ")
    run = ann.mhp("members")
    w.check(re.search("'mhp members remove [0-9a-f]{8}' takes 'ben' out instead", run.err) is not None,
            f"she is told what she can do\n{run}")
    run = ann.mhp("members", "remove", "cat", code=REFUSED)
    w.check("removing 'cat' would not bring you back" in run.err, f"and that nothing else helps\n{run}")
    code = ben.json("invite")["code"]
    run = ann.mhp("join", "-", **given(w, ann, code), code=USAGE)
    w.check("you are in it as before" in run.err, f"she is told of the better way\n{run}")
    told = ann.json("members", "remove", "ben")
    w.equal((told["took_back"], told["homes_told"]), (True, 1), "what she does")
    cat.wait_for_log("member_left cloud=Lindenweg member=ben")
    cat.wait_for_log("member_joined cloud=Lindenweg member=ann")
    ann.wait_for_log(" in_cloud_again cloud=Lindenweg")
    ben.wait_for_log(" taken_out cloud=Lindenweg what=member by='ann' ")
    for computer in (ann, ben, cat):
        members = [(one["name"], one["role"]) for one in computer.json("members")["members"]]
        w.equal(sorted(members), [("ann", "admin"), ("cat", "member")], f"members, as {computer.name} knows them")
    rosters = [next(path.read_bytes() for path in (computer.state / "clouds").iterdir() if "." not in path.name)
               for computer in (ann, cat)]
    w.check(rosters[0] == rosters[1], "ann and cat have the same roster")
    w.equal(ben.json("members")["taken_out"]["can_answer"], False, "that ben could answer")
    wait_for_homes(w, ann, 1)
    tree = make_tree(w)
    ann.json("backup", tree)
    comes_back(w, ann, tree, "after all that")
    let_in(w, ann, "dan")


def computer_taken_out(w):
    """A computer that was taken out is told so, and how its owner comes in again on it."""
    ann, ben, cat = found(w, ("ann", "ben", "cat"))
    tree = make_tree(w)
    cat.json("backup", tree)
    ann.json("homes", "remove", "cat's home")
    cat.wait_for_log(" taken_out cloud=Lindenweg what=computer by='ann' ")
    said = "This computer was taken out of the cloud 'Lindenweg' by 'ann', for good"
    (tree / "newer").write_bytes(w.random.randbytes(1_000_000))
    for words in (("backup", tree), ("status",), ("members",), ("homes",), ("cloud", "show")):
        run = cat.mhp(*words, code=None)
        w.check(said in run.err and "recover --state NEW-FOLDER" in run.err, f"{words[0]} says so\n{run}")
    run = cat.mhp("join", "-", **given(w, cat, ann.json("invite")["code"]), code=USAGE)
    w.check(said in run.err, f"a code is not what helps\n{run}")
    w.equal(cat.json("members")["taken_out"]["what"], "computer", "the same for scripts")
    run = cat.mhp("backup", tree, code=None)
    w.check(run.code != DONE and "There is none: add one with 'mhp home add DIR'" in run.err, f"what helps\n{run}")
    run = cat.mhp("--json", "home", "remove", "ben's home", code=REFUSED)
    w.check("stays" in run.error["error"] and "another computer of yours" in run.error["hint"], f"what helps\n{run}")
    w.equal(len(cat.json("home", "list")["homes"]), 2, "homes on the list")
    drive = cat.folder / "drive"
    cat.mhp("home", "add", drive, "--same-disk")
    done = cat.json("backup", tree)
    w.equal((done["margin"], done["left_out"]), (0, []), "on the owner's own drive alone")
    said = cat.mhp("backup", tree).err
    w.check("name these others ('mhp recover --home DIR')" in said, said)
    w.check("not to 'ann's home', 'ben's home'" in said or "not to 'ben's home', 'ann's home'" in said, said)
    status = cat.json("status")
    w.equal((status["state"], status["margin"]), ("not_yet", 0), "no other home is to be relied on")
    w.equal({home["name"]: (home["state"], home["counts"]) for home in status["homes"]},
            {"ann's home": ("refuses", False), "ben's home": ("refuses", False), "drive": ("ok", True)}, "homes")
    w.equal(len(cat.json("repair")["homes_not_counted"]), 2, "homes that repair does not count")
    for computer in (ann, ben):
        computer.down()
    comes_back(w, cat, tree, "from the drive alone")
    for computer in (ann, ben):
        computer.up()
    wait_for_homes(w, ann, 1)
    cat.down()
    anew = Computer(w, "anew", init=False)
    told = anew.json("recover", "--phrase-file", cat.phrase, "--from", ben.address, "--home", drive)
    w.equal([(one["name"], one["as"], one["problem"]) for one in told["clouds"]], [("Lindenweg", "cat", "")],
            "clouds that it is back in")
    w.equal(anew.json("members")["taken_out"], None, "that it is out")
    wait_for_homes(w, anew, 2)
    w.equal({home["name"]: home["counts"] for home in anew.json("status")["homes"]},
            {"ann's home": True, "ben's home": True, "drive": True}, "homes on the list of all computers")
    w.equal(anew.json("backup", tree)["left_out"], [], "homes left out")
    comes_back(w, anew, tree, "on the same computer, as a new one")


def stolen_computer(w):
    """A stolen computer that was taken out has the vault's keys still: nothing of the vault at the cloud's homes is
    deleted or changed by it."""
    ann, ben, cat, dan = found(w, ("ann", "ben", "cat", "dan"))
    lent = ["ann's home", "cat's home", "dan's home"]
    tree = make_tree(w)
    ben.json("backup", tree)
    honest = Computer(w, "honest", init=False)
    honest.json("recover", "--keep-devices", "--phrase-file", ben.phrase, "--from", cat.address)
    honest.up()
    wait_for_homes(w, honest, 4)
    newer = make_tree(w, "newer")
    honest.json("backup", newer)
    before = {home["name"]: home["used_bytes"] for home in honest.json("status")["homes"]}
    run = ann.mhp("homes", "remove", "ben's home")
    w.check("keys of that vault" in run.out and "mhp recover" in run.out, f"what else there is to do\n{run}")
    ben.wait_for_log(" taken_out cloud=Lindenweg what=computer by='ann' ")
    ben.mhp("home", "add", ben.folder / "drive", "--same-disk")
    ben.json("backup", tree)
    run = ben.mhp("forget", *(one["id"] for one in ben.json("snapshots")), code=None)
    w.check("old heads" not in run.err, f"no home is blamed\n{run}")
    for name in lent[:2]:
        run = ben.mhp("home", "remove", name, code=None)
        w.check("That computer was told" not in run.out, f"{name} is told nothing\n{run}")
        w.check("keeps what it holds for you" in run.err and "once more" not in run.err, f"and why\n{run}")
    status = honest.json("status")
    w.equal({home["name"]: (home["used_bytes"], home["condemned_bytes"]) for home in status["homes"]},
            {name: (used, 0) for name, used in before.items()}, "what lies there, and what of it may go")
    w.equal((sorted(before), status["state"], status["snapshots"]), (lent, "safe", 2), "homes, state, snapshots")
    comes_back(w, honest, newer, "on the other computer")
    done = honest.json("backup", newer)
    w.equal((done["homes"], done["left_out"]), (3, []), "homes, and those left out, of its next backup")
    run = ben.mhp("--json", "restore", "latest", "--to", ben.folder / "back", code=None)
    w.check(run.code != DONE, f"it forgot all that it saw\n{run}")


def drive_beside_what_is_saved(w):
    """A computer that was taken out saves to its owner's drive, also on the disk of what is saved."""
    ann, ben = found(w, ("ann", "ben"))
    tree = make_tree(w)
    ben.mhp("home", "add", ben.folder / "drive")  # which lies on that disk, and so does not count
    ben.json("backup", tree)
    ann.json("homes", "remove", "ben's home")
    ben.wait_for_log(" taken_out cloud=Lindenweg what=computer by='ann' ")
    (tree / "more").write_bytes(w.random.randbytes(1_000_000))
    run = ben.mhp("backup", tree)
    w.check("There is none" not in run.err, f"there is another home\n{run}")
    w.check("on 1 home, none may be lost" in run.out, f"on how many homes\n{run}")
    status = ben.mhp("status")
    w.check("everything is on 1 home, none may be lost" in status.out, f"status\n{status}")
    run = ben.mhp("repair")
    w.check("did not take" not in run.err and "take a vault record" not in run.err, f"repair asks who takes\n{run}")
    told = ben.json("repair")
    w.equal((told["segments_changed"], told["rows_made"], told["homes"], told["homes_refusing"]), (0, 0, 1, []),
            "and once more")
    listed = {home["name"]: home["state"] for home in ben.json("home", "list")["homes"]}
    w.equal(listed, {"ann's home": "refuses", "drive": "ok"}, "home list")
    for words in ((), ("--lost",), ("--dry-run",)):
        run = ben.mhp("cloud", "leave", *words, code=REFUSED)
        w.check("Leave from a computer of yours that is in it" in run.err, f"where it can be done\n{run}")
        w.check("promote" not in run.err and "when one is on" not in run.err, f"nothing that cannot help\n{run}")
        w.equal(run.err.count("for good: its homes refuse it"), 1, f"how often it says so\n{run}")
    ann.down()
    comes_back(w, ben, tree, "from the drive alone")


def join_that_did_not_go_through(w):
    """Who was removed and tried to join with a code that nobody took is told by every command that he is not in."""
    ann, ben, cat = found(w, ("ann", "ben", "cat"))
    tree = make_tree(w)
    ben.json("backup", tree)
    ann.json("members", "remove", "ben")
    ben.wait_for_log(" taken_out cloud=Lindenweg what=member by='ann' ")
    good = ann.json("invite", "--for", "ben")["code"]
    for computer in (ann, cat):
        computer.down()
    ben.mhp("join", "-", code=None, **given(w, ben, good))
    for away in (True, False):
        for words in (("status",), ("backup", tree), ("members",), ("homes",)):
            run = ben.mhp(*words, code=None)
            w.check("You are not in the cloud 'Lindenweg' (yet)" in run.err, f"{words[0]} says so, {away=}\n{run}")
        for computer in (ann, cat) if away else ():
            computer.up()
        if away:
            wait_for_homes(w, ann, 1)
    ben.mhp("join", "-", **given(w, ben, good))
    run = ben.mhp("status")
    w.check("You are not in" not in run.err, f"in again\n{run}")


def leaving(w):
    """Who leaves hands over first, or stays; a cloud keeps an admin; whoever was in comes in again; the last one ends
    it."""
    ann, ben, cat = found(w, ("ann", "ben", "cat"))
    tree = make_tree(w)
    ben.json("backup", tree)
    for more in ((), ("--dry-run",)):
        run = ben.mhp("--json", "cloud", "leave", *more, code=TOO_FEW)
        w.check("all homes of your vault are in it" in run.error["error"] and "--lost" in run.error["error"],
                f"nobody leaves all that he has\n{run}")
    for drive in ("drive-1", "drive-2"):
        ben.mhp("home", "add", ben.folder / drive, "--same-disk")
    cat.down()
    run = ben.mhp("--json", "cloud", "leave", code=TOO_FEW)
    w.check("home 'cat's home' is away" in run.error["error"], f"what cannot be seen is not left\n{run}")
    cat.up()
    wait_for_homes(w, ben, 2)
    told = ben.json("cloud", "leave", "--dry-run")
    w.equal((sorted(told["homes"]), told["margin"], told["given_up"]), (["ann's home", "cat's home"], 1, 0), "plan")
    w.check(told["rows_made"] > 0 and len(ben.json("cloud", "list")["clouds"]) == 1, f"nothing is done: {told}")
    told = ben.json("cloud", "leave")
    w.equal((told["margin"], told["given_up"], told["homes_told"], told["ended"]), (1, 2, 2, False), "leaving")
    w.equal(ben.json("cloud", "list")["clouds"], [], "clouds")
    w.equal(sorted(home["name"] for home in ben.json("status")["homes"]), ["drive-1", "drive-2"], "homes")
    w.equal(ben.json("check", "--read-data")["ok"], True, "check")
    comes_back(w, ben, tree, "after leaving")
    for more in ((), ("--lost",)):
        run = ann.mhp("cloud", "leave", *more, code=REFUSED)
        w.check("its only admin" in run.err and "members promote" in run.err, f"somebody must stay admin\n{run}")
    ann.json("members", "promote", "cat")
    cat.down()
    run = ann.mhp("cloud", "leave", code=TOO_FEW)
    w.check("no computer of another admin answers" in run.err, f"who carries the cloud on has to hear it\n{run}")
    cat.up()
    wait_for_homes(w, ann, 1)
    ann.json("cloud", "leave")
    cat.wait_for_log("member_left cloud=Lindenweg member=ann")
    ben.json("join", "-", "--as", "ben", **given(w, ben, cat.json("invite")["code"]))
    (tree / "newer").write_bytes(w.random.randbytes(1_000_000))
    w.equal(ben.json("backup", tree)["homes"], 3, "homes, in the cloud again")
    comes_back(w, ben, tree, "in the cloud again")
    ben.json("cloud", "leave")
    w.equal(cat.json("cloud", "leave")["ended"], True, "that it ends with the last one")
    w.equal(cat.json("cloud", "list")["clouds"], [], "clouds")


def admins_leave_at_once(w):
    """Both admins leave in the same moment, each since the other one is there: one stays, or they make somebody else an
    admin."""
    rounds = 12 if w.long else 3
    together = 0
    for number in range(rounds):
        ann, ben, cat = all_three = found(w, [f"{name}-{number}" for name in ("ann", "ben", "cat")])
        ann.json("members", "promote", ben.name)
        wait_for_homes(w, ben, 2)  # on the way he hears of it
        runs = [w.start("--json", "cloud", "leave", state=one.state) for one in (ann, ben)]
        runs = [w.finish(run, {DONE, REFUSED, TOO_FEW}) for run in runs]
        promoted = [run.json["promoted"] for run in runs if run.code == DONE]
        w.check(promoted, f"one of them leaves\n{runs[0]}\n{runs[1]}")
        if len(promoted) == 2:
            together += 1
            w.check(cat.name in promoted, f"cat is made an admin\n{runs[0]}\n{runs[1]}")
        roles = {one["name"]: one["role"] for one in cat.json("members")["members"]}
        w.check("admin" in roles.values() and len(roles) == 3 - len(promoted), f"who is left: {roles}")
        for computer in all_three:
            computer.kill()
    w.note(f"{together} of {rounds} times both left")


def burnt_computer(w):
    """A computer that is lost is taken out of the cloud: others make anew what was on it, and refuse it should it come
    back."""
    ann, ben, cat = found(w, ("ann", "ben", "cat"))
    lost = ann.home_name = "ann's computer"  # as one is called that nobody named: so is the next one
    ann.down()
    ann.up()
    wait_for_homes(w, ann, 2)
    tree = make_tree(w)
    for computer in (ann, ben):
        computer.json("backup", tree)
    ann.down(signal.SIGKILL)
    old = Computer(w, "old", init=False)
    shutil.copytree(ann.state, old.state)
    shutil.rmtree(ann.state)
    told = ann.json("recover", "--phrase-file", ann.phrase, "--from", ben.address)
    w.equal(told["clouds"][0]["own_homes"], [lost], "the lost computer's home")
    run = cat.mhp("homes", "remove", lost, code=REFUSED)
    w.check("only its owner or an admin" in run.err, f"not by everybody\n{run}")
    told = ann.json("homes", "remove", lost)
    w.equal((told["name"], told["member"], told["homes_told"]), (lost, "ann", 2), "who is taken out")
    for host in (ben, cat):
        host.wait_for_log(f"home_left cloud=Lindenweg home=\"{lost}\"")
    ben.wait_for_log(" handed_over ")
    w.equal([home["name"] for home in ben.json("status")["homes"]], ["cat's home"], "ben's homes")
    w.equal(sorted(home["name"] for home in ann.json("homes")["homes"]),
            ["ann's computer 2", "ben's home", "cat's home"], "homes of the cloud")
    comes_back(w, ann, tree, "on the new computer")
    old.up("--home", old.folder / "home")
    _, run = old.restore(code=None)
    w.check(run.code != DONE, f"the old computer reads nothing\n{run}")
    run = old.mhp("backup", tree, code=None)
    w.check(run.code != DONE, f"nor does it save\n{run}")
    states = {home["name"]: home["state"] for home in old.json("homes")["homes"]}
    w.equal({states["ben's home"], states["cat's home"]}, {"refuses"}, f"it is refused everywhere: {states}")
    ann.up()
    wait_for_homes(w, ann, 2)


def recovered_by_a_code(w):
    """Who recovers has no address at hand, and is told a code: an old one will do, and it lets nobody join."""
    ann, ben = found(w, ("ann", "ben"))
    code = ann.json("invite", "--for", "cat")["code"]
    cat = Computer(w, "cat", init=False)
    cat.json("join", "-", "--as", "cat", "--phrase-file", cat.phrase, **given(w, cat, code))
    tree = make_tree(w)
    ben.json("backup", tree)
    ben.down(signal.SIGKILL)
    shutil.rmtree(ben.state)
    named = ("recover", "--phrase-file", ben.phrase, "--from")
    run = ben.mhp(*named, code[:-1] + ("0" if code[-1] != "0" else "1"), code=USAGE)
    w.check("letter" in run.err and code[5:15] not in run.err, f"a slip is noticed, and not repeated\n{run}")
    lin = Computer(w, "lin")
    lin.mhp("cloud", "new", "Lindenhof")
    lin.up()
    run = ben.mhp(*named, lin.json("invite")["code"], code=REFUSED)
    w.check("keeps nothing for these 24 words" in run.err, f"of another cloud\n{run}")
    ann.down()
    run = ben.mhp(*named, code, code=TOO_FEW)
    w.check("no home that the code names answers" in run.err, f"nobody is there\n{run}")
    ann.up()
    told = ben.json(*named, code.upper().replace("-", " "))
    w.equal((told["snapshots"], told["clouds"][0]["problem"]), (1, ""), "snapshots, and the cloud's problem")
    comes_back(w, ben, tree, "by a code")
    w.equal(sorted(one["name"] for one in ann.json("members")["members"]), ["ann", "ben", "cat"], "members")


def tiny_lender(w):
    """One who lends next to nothing, or whose home is full, makes nobody else less safe."""
    ann, _, cat = found(w, ("ann", "ben", "cat"))
    eve = Computer(w, "eve", lend="1M", init=False)
    eve.json("join", "-", "--as", "eve", "--lend", "1M", "--home-name", "eve's home", "--phrase-file", eve.phrase,
             **given(w, eve, ann.json("invite")["code"]))
    eve.up()
    wait_for_homes(w, ann, 3)
    tree = w.folder / "tree"
    tree.mkdir()
    (tree / "noise").write_bytes(w.random.randbytes(12_000_000))
    done = ann.json("backup", tree)
    w.equal(done["margin"], 1, "homes that may be lost, as without her")
    w.equal(ann.json("status")["state"], "safe", "state")
    cat.down(signal.SIGKILL)
    comes_back(w, ann, tree, "with one killed")


def joins_and_saves(w):
    """Whoever has joined is known to all homes that are up, at once: the next command may save."""
    ann, *_ = found(w, ("ann", "ben", "cat"))
    for name in ("dan", "eva", "fay"):
        guest = Computer(w, name, init=False)
        guest.json("join", "-", "--as", name, "--phrase-file", guest.phrase,
                   **given(w, guest, ann.json("invite")["code"]))
        run = guest.mhp("--json", "backup", make_tree(w, f"tree-{name}"))
        w.equal((run.json["homes"], run.json["left_out"]), (3, []), f"homes of {name}, and those left out\n{run}")


def several_clouds(w):
    """Ann is in two clouds of people who do not know each other. Her backups say to which they go; each of her friends
    sees his own cloud alone; she is recovered into both, and what she leaves one for stays with the other."""
    ann, ben = found(w, ("ann", "ben"))
    dan, eva = Computer(w, "dan"), Computer(w, "eva", init=False)
    dan.mhp("cloud", "new", "Work")
    dan.up().wait_for_log(" announced ")
    eva.json("join", "-", "--as", "eva", "--phrase-file", eva.phrase, **given(w, eva, dan.json("invite")["code"]))
    eva.up()
    wait_for_homes(w, dan, 1)
    tree = make_tree(w)
    done = ann.json("backup", tree)
    w.equal(done["goes_to"], [{"cloud": "Lindenweg", "homes": 1}], "where it goes")
    ann.json("join", "-", "--as", "ann", **given(w, ann, dan.json("invite")["code"]))
    run = ann.mhp("homes", code=USAGE)
    w.check("say which" in run.err and "'Work'" in run.err, f"which cloud\n{run}")
    run = ann.mhp("backup", tree)
    both = ("of the cloud 'Lindenweg'", "2 homes of the cloud 'Work'")
    w.check(all(one in run.out for one in both), f"both are named\n{run}")
    done = ann.json("backup", make_tree(w, "more"))
    w.equal(sorted((one["cloud"], one["homes"]) for one in done["goes_to"]), [("Lindenweg", 1), ("Work", 2)], "both")
    w.equal((done["homes"], done["margin"]), (3, 1), "homes and margin over both clouds")
    for friend, cloud, members in ((ben, "Lindenweg", ["ann", "ben"]), (eva, "Work", ["ann", "dan", "eva"])):
        w.equal([one["name"] for one in friend.json("cloud", "list")["clouds"]], [cloud], f"clouds of {friend.name}")
        w.equal(sorted(one["name"] for one in friend.json("members")["members"]), members, f"members for {friend.name}")
    ann.down(signal.SIGKILL)
    shutil.rmtree(ann.state)
    told = ann.json("recover", "--phrase-file", ann.phrase, "--from", eva.address)
    w.equal(sorted((one["name"], one["problem"]) for one in told["clouds"]), [("Lindenweg", ""), ("Work", "")],
            "back in both")
    ann.json("cloud", "leave", "Work")
    w.equal([one["cloud"] for one in ann.json("backup", tree)["goes_to"]], ["Lindenweg"], "after she has left one")
    for computer in (dan, eva):
        computer.down(signal.SIGKILL)
    comes_back(w, ann, tree, "without the cloud that was left")


def home_dies_in_recover(w):
    """The words are right, and the only home goes away while it is asked: nothing is said of the words."""
    ann, ben = found(w, ("ann", "ben"))
    ben.json("backup", make_tree(w))
    ben.down()
    for number in range(8):
        fresh = Computer(w, f"fresh-{number}", init=False)
        running = w.start("recover", "--phrase-file", ben.phrase, "--from", ann.address, state=fresh.state)
        time.sleep(0.02 + 0.02 * number)
        ann.kill()
        run = w.finish(running, {DONE, TOO_FEW})
        w.check("another phrase" not in run.err, f"the words are not doubted\n{run}")
        ann.up()
    eve = Computer(w, "eve")
    fresh = Computer(w, "fresh", init=False)
    run = fresh.mhp("recover", "--phrase-file", eve.phrase, "--from", ann.address, code=REFUSED)
    w.check("another phrase made its vault" in run.err, f"a home that answers says so\n{run}")


def names(w):
    """No two members have one name, nor two homes of one list."""
    ann, ben = found(w, ("ann", "ben"))
    eve = Computer(w, "eve")
    code = ann.json("invite")["code"]
    run = eve.mhp("join", "-", "--as", "ben", **given(w, eve, code), code=USAGE)
    w.check("is called 'ben' already" in run.err, f"said plainly\n{run}")
    w.equal(eve.json("join", "-", "--as", "eve", **given(w, eve, code))["as"], "eve", "with the same code")
    names_known = [home["name"] for home in ann.json("homes")["homes"]]
    w.check("eve's computer" in names_known, f"nothing is left of the other name: {names_known}")
    again = ann.json("invite")["code"]
    run = eve.mhp("join", "-", **given(w, eve, again), code=USAGE)
    w.check("as 'eve': the code is still good" in run.err, f"who is in does not join again\n{run}")
    let = Computer(w, "dan")
    let.json("join", "-", **given(w, let, again))
    ann.json("backup", make_tree(w))
    run = ann.mhp("home", "add", ann.folder / "drive", "--name", "ben's home", code=USAGE)
    w.check("is called 'ben's home' already" in run.err, f"said plainly\n{run}")
    w.check(not (ann.folder / "drive").exists(), "nothing was made")


def rot_is_told(w):
    """A home that finds rot in what it reads by itself tells the owner, whose 'mhp repair' mends it."""
    ann, ben, _ = found(w, ("ann", "ben", "cat"))
    for name in ("tree", "other"):  # several segments
        ann.json("backup", make_tree(w, name))
    ben.down()
    rows = homes.rows_in(ben.state / "home")
    for row in rows:
        homes.flip_row(row, w.random)
    (ben.state / "scrub.json").unlink()  # a new round begins at once, with one segment
    ben.up().wait_for_log(" bad_row ")
    ben.down()
    ben.up()
    wait_for_homes(w, ann, 2)

    def bad_rows(code):
        return {home["name"]: home["rows_bad"] for home in ann.json("status", code=code)["homes"]}
    told = bad_rows(FAILED)  # nothing more may be lost
    w.check(0 < told["ben's home"] < len(rows) and told["cat's home"] == 0, f"rows that ben's home has told of: {told}")
    states = {home["name"]: home["state"] for home in ann.json("status", code=FAILED)["homes"]}
    w.equal(states, {"ben's home": "bad_rows", "cat's home": "ok"}, "states of the homes")
    said = ann.mhp("status", code=FAILED).err
    w.check("home 'ben's home'" in said and "damaged: 'mhp repair' makes them again" in said, f"it is said\n{said}")
    w.equal(ann.json("check", code=FAILED)["rows_bad"], told["ben's home"], "what check counts")
    w.equal(ann.json("repair")["rows_made"], told["ben's home"], "rows made again")
    w.equal(bad_rows(DONE)["ben's home"], 0, "rows told of afterwards")
    w.check("damaged" not in ann.mhp("status").err, "nor is anything said")
    ann.mhp("repair", "--read-data")
    w.equal(ann.json("check", "--read-data")["ok"], True, "check")
    w.count("rows rotten and repaired", len(rows))


def two_writers(w):
    """Two computers of one owner save to the same homes at the same moments: nothing of either is lost."""
    ann, ben, _ = found(w, ("ann", "ben", "cat"))
    ann.json("backup", make_tree(w, "first"))
    other = Computer(w, "other", init=False)
    other.json("recover", "--keep-devices", "--from", ben.address, "--phrase-file", ann.phrase)
    rounds = 12 if w.long else 4
    last = {}
    for number in range(rounds):
        shared = w.random.randbytes(2_000_000)  # both find it new, and store it
        running = []
        for computer in (ann, other):
            last[computer.name] = w.folder / f"{computer.name}-{number}"
            last[computer.name].mkdir()
            (last[computer.name] / "shared").write_bytes(shared)
            (last[computer.name] / "own").write_bytes(w.random.randbytes(3_000_000))
            running.append(w.start("--json", "backup", last[computer.name], state=computer.state))
        for process in running:
            w.equal(w.finish(process, DONE).json["errors"], [], "errors of a backup")
    snapshots = {computer.name: [one["id"] for one in computer.json("snapshots")] for computer in (ann, other)}
    w.equal(len(snapshots["ann"]), 1 + 2 * rounds, "snapshots")
    w.equal(sorted(snapshots["ann"]), sorted(snapshots["other"]), "snapshots, seen from both")
    w.equal(ann.json("check", "--read-data")["ok"], True, "check")
    for tree in last.values():
        wanted = next(one["id"] for one in ann.json("snapshots") if str(tree) in one["paths"])
        back, _ = ann.restore(wanted)
        trees.check_same(w, trees.tree_of(tree), below(back, tree), f"snapshot of {tree.name}")


if __name__ == "__main__":
    world.main(main_job, both_ways, invitations, back_in_the_cloud, off_the_list_and_back, killed_and_started_again,
               removed_and_handed_over, refused_join, never_up, second_computer, removed,
               founder_fights_back, computer_taken_out, stolen_computer, drive_beside_what_is_saved,
               join_that_did_not_go_through, leaving, admins_leave_at_once, burnt_computer, recovered_by_a_code,
               tiny_lender, joins_and_saves, several_clouds, home_dies_in_recover, names, rot_is_told, two_writers)
