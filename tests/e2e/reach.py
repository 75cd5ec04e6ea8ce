# Real programs behind routers: joining, backup and restore both ways through a relay; and in one network, cut off.
# Needs root, the programs ip and nft, and network namespaces; where they are not there it is skipped, and says so.
import contextlib
import shutil

import cloud
from support import namespaces, world
from support.world import TOO_FEW, Computer, Skip


@contextlib.contextmanager
def internet():
    if reason := namespaces.why_not():
        raise Skip(reason)
    with namespaces.Internet() as made:
        yield made


def join(w, host, name, machine):
    code = host.json("invite", "--for", name)["code"]
    guest = Computer(w, name, init=False, machine=machine)
    guest.json("join", "-", "--as", name, "--lend", guest.lend, "--home-name", f"{name}'s home", "--phrase-file",
               guest.phrase, **cloud.given(w, guest, code))
    return guest.up()


def through_a_relay(w):
    """Ann's home is public; Ben and Cat are behind two routers that let nobody in. Each stores with the others."""
    with internet() as net:
        public = net.public("pub")
        ann = Computer(w, "ann", machine=public)
        ann.mhp("cloud", "new", "Lindenweg")
        ann.up().wait_for_log(" announced ")
        ben = join(w, ann, "ben", net.behind(net.router("ra"), "b"))
        cat = join(w, ann, "cat", net.behind(net.router("rb", kind="symmetric", refusal="reset"), "c"))
        try:
            for computer in (ben, cat, ann):
                cloud.wait_for_homes(w, computer, 2)
            relayed = {home["name"]: home["relayed"] for home in ben.json("homes")["homes"]}
            wanted = {"ann's home": False, "ben's home": False, "cat's home": True}
            w.equal(relayed, wanted, "who is reached through a relay")
            for computer in (ben, cat):
                tree = cloud.make_tree(w, f"tree-{computer.name}")
                done = computer.json("backup", tree)
                w.equal((done["homes"], done["errors"]), (2, []), "homes and errors")
                cloud.comes_back(w, computer, tree, computer.name)
        finally:
            for computer in (ann, ben, cat):
                computer.kill()


def behind_routers(w, net):
    """Pat's home is public; Ben, Cat and Ann are behind three routers. Ann has saved a tree with the others, of whom
    any one may be lost; her computer is off. Their computers, Ann's router, and the tree."""
    pat = Computer(w, "pat", machine=net.public("pub"))
    pat.mhp("cloud", "new", "Lindenweg")
    pat.up().wait_for_log(" announced ")
    router = net.router("ra")
    ben = join(w, pat, "ben", net.behind(net.router("rb"), "b"))
    cat = join(w, pat, "cat", net.behind(net.router("rc", kind="symmetric"), "c"))
    ann = join(w, pat, "ann", net.behind(router, "a"))
    cloud.wait_for_homes(w, ann, 3)
    tree = cloud.make_tree(w)
    done = ann.json("backup", tree)
    w.equal((done["homes"], done["margin"], done["errors"]), (3, 1, []), "homes, margin and errors")
    ann.kill()
    return (pat, ben, cat, ann), router, tree


def behind_ipv6_routers(w):
    """Ben and Cat have global IPv6 addresses, by which nobody gets in: their routers see to that, as most do. So both
    look like relays, and as if they needed none. Pat is reached by all."""
    with internet() as net:
        pat = Computer(w, "pat", machine=net.public("pub"))
        pat.mhp("cloud", "new", "Lindenweg")
        pat.up().wait_for_log(" announced ")
        ben = join(w, pat, "ben", net.behind(net.router("ra", v6=True), "b"))
        cat = join(w, pat, "cat", net.behind(net.router("rb", kind="symmetric", v6=True), "c"))
        try:
            for computer in (ben, cat, pat):
                cloud.wait_for_homes(w, computer, 2)
            told = {home["name"]: home["addresses"] for home in pat.json("homes")["homes"]}
            for computer in (ben, cat):
                own = f"[{computer.machine.address_v6}]:7070"
                w.check(own in told[computer.home_name], f"{computer.name} tells {own}: {told}")
            relayed = {home["name"]: home["relayed"] for home in ben.json("homes")["homes"]}
            wanted = {"pat's home": False, "ben's home": False, "cat's home": True}
            w.equal(relayed, wanted, "who is reached through a relay")
            pat.wait_for_log(" reached_directly by=", limit_s=150)
            run = ben.mhp("homes", "--verbose")
            w.check("relay " in run.out and "with 'mhp up' it waits at relays" in run.out, f"how it is reached\n{run}")
            run = pat.mhp("homes", "--verbose")
            w.check("it needs no relay" in run.out, f"what pat knows of itself\n{run}")
            trees_of = {computer: cloud.make_tree(w, f"tree-{computer.name}") for computer in (ben, cat)}
            for computer, tree in trees_of.items():
                done = computer.json("backup", tree)
                w.equal((done["homes"], done["errors"]), (2, []), "homes and errors")
                cloud.comes_back(w, computer, tree, computer.name)
            for computer in (pat, ben, cat):
                computer.down()
            pat.up()
            ben.up("--address", f"{namespaces.PUBLIC}250:7070")  # nobody is there any more
            cat.up()
            for computer in (ben, cat):
                cloud.wait_for_homes(w, computer, 2)
                cloud.comes_back(w, computer, trees_of[computer], f"{computer.name}, all started anew")
        finally:
            for computer in (pat, ben, cat):
                computer.kill()


def needed_through_a_relay(w):
    """Ben and Cat, behind routers, save with each other and with two public homes, of which one is lost: what is left
    of each needs the other's rows, which come only through the relay."""
    with internet() as net:
        pat = Computer(w, "pat", machine=net.public("pub"))
        pat.mhp("cloud", "new", "Lindenweg")
        pat.up().wait_for_log(" announced ")
        dan = join(w, pat, "dan", net.public("pub2"))
        ben = join(w, pat, "ben", net.behind(net.router("ra"), "b"))
        cat = join(w, pat, "cat", net.behind(net.router("rb", kind="symmetric", refusal="reset"), "c"))
        computers = (pat, dan, ben, cat)
        try:
            for computer in computers:
                cloud.wait_for_homes(w, computer, 3)
            trees_of = {computer: cloud.make_tree(w, f"tree-{computer.name}") for computer in (ben, cat)}
            for computer, tree in trees_of.items():
                done = computer.json("backup", tree)
                w.equal((done["homes"], done["margin"], done["errors"]), (3, 1, []), "homes, margin and errors")
            dan.down()
            for computer, other in ((ben, cat), (cat, ben)):
                relayed = {home["name"]: home["relayed"] for home in computer.json("homes")["homes"]}
                w.check(relayed[other.home_name], f"{computer.name} reaches {other.name} through a relay: {relayed}")
                cloud.comes_back(w, computer, trees_of[computer], f"{computer.name}, with {other.name}'s rows")
                other.down()
                run = computer.mhp("restore", "latest", "--to", computer.folder / "none", code=TOO_FEW)
                w.check("needs" in run.err, f"without {other.name} too little is left\n{run}")
                other.up()
                cloud.wait_for_homes(w, computer, 2)
                cloud.comes_back(w, computer, trees_of[computer], f"{computer.name}, with {other.name} again")
        finally:
            for computer in computers:
                computer.kill()


def recovered_through_a_relay(w):
    """Ann, behind a router, loses her computer. Of her homes the one that is named is public; the other two are behind
    routers. What is saved needs one of these, and comes back to a fresh computer behind a router, twice: the
    second time with the other one."""
    with internet() as net:
        (pat, ben, cat, ann), router, tree = behind_routers(w, net)
        computers = [pat, ben, cat, ann]
        try:
            for number, away in enumerate((None, ben)):
                if away:
                    away.down()
                fresh = Computer(w, f"fresh-{number}", init=False, machine=net.behind(router, f"f{number}"))
                computers.append(fresh)
                named = ("recover", "--phrase-file", ann.phrase, "--from", f"{pat.machine.address}:7070")
                tried = fresh.json(*named, "--dry-run")
                there = 2 if away else 3
                w.equal((tried["homes_reachable"], fresh.state.exists()), (there, False), "a dry run: homes, state")
                back = fresh.json(*named)
                w.count("bare-metal restores")
                told = (back["homes_reachable"], back["snapshots"], back["unread"])
                w.equal(told, (there, 1 + number, []), "what came back")
                w.equal([(one["as"], one["problem"]) for one in back["clouds"]], [("ann", "")], "clouds")
                w.check(back["clouds"][0]["homes_told"] >= there, f"homes told of the new computer: {back['clouds']}")
                cloud.comes_back(w, fresh, tree, "recovered through a relay")
                if not away:
                    w.equal(fresh.json("backup", tree)["errors"], [], "errors of a backup after it")
        finally:
            for computer in computers:
                computer.kill()


def cut_off_in_recover(w):
    """A computer that was recovered lacks the roster of its cloud, as when the relay died on the way; or has named
    itself in it and nobody has heard of that. What is saved is read all the same, and the next command that asks brings
    it in."""
    with internet() as net:
        (pat, ben, cat, ann), router, tree = behind_routers(w, net)
        fresh = Computer(w, "fresh", init=False, machine=net.behind(router, "f"))
        others = (pat, ben, cat)
        try:
            for computer in others:
                computer.down()
                shutil.copytree(computer.state / "clouds", computer.folder / "before")
                computer.up()
            for computer in (ben, cat):
                cloud.wait_for_homes(w, computer, 2)
            named = ("recover", "--phrase-file", ann.phrase, "--from", f"{pat.machine.address}:7070")
            w.equal(fresh.json(*named)["clouds"][0]["problem"], "", "problem of the cloud")
            shutil.rmtree(fresh.state / "clouds")
            pat.kill()
            run = fresh.mhp("restore", "latest", "--to", fresh.folder / "none", code=TOO_FEW)
            w.check("is not back yet in the cloud where you are 'ann'" in run.err, f"what is tried again\n{run}")
            pat.up()
            for computer in (ben, cat):
                cloud.wait_for_homes(w, computer, 2)
            cloud.comes_back(w, fresh, tree, "without a roster")
            w.check((fresh.state / "clouds").exists(), "the roster is here again")
            for computer in others:  # as if none had heard of it
                computer.kill()
                shutil.rmtree(computer.state / "clouds")
                (computer.folder / "before").rename(computer.state / "clouds")
            for computer in others:
                computer.up()
            for computer in (ben, cat):
                cloud.wait_for_homes(w, computer, 2)
            names = [home["name"] for home in pat.json("homes")["homes"]]
            w.equal(sorted(names), ["ann's home", "ben's home", "cat's home", "pat's home"], "homes that pat knows")
            cloud.comes_back(w, fresh, tree, "where nobody has heard of this computer")
            w.equal(fresh.json("backup", tree)["errors"], [], "errors of a backup")
            cloud.wait_for_homes(w, fresh, 3)
            w.equal(len(pat.json("homes")["homes"]), 5, "homes that pat knows then")
        finally:
            for computer in (*others, ann, fresh):
                computer.kill()


def removed_behind_routers(w):
    """Ann is removed. She has back what homes behind routers hold of hers: on her computer, and on a fresh one."""
    with internet() as net:
        (pat, ben, cat, ann), router, tree = behind_routers(w, net)
        fresh = Computer(w, "fresh", init=False, machine=net.behind(router, "f"))
        said = "You were removed from the cloud 'Lindenweg' by 'pat'."
        try:
            w.check(pat.json("members", "remove", "ann")["homes_told"] >= 2, "homes told")
            run = ann.mhp("status", code=None)
            w.check(said in run.err, f"she is told\n{run}")
            cloud.comes_back(w, ann, tree, "on the computer of who was removed")
            run = fresh.mhp("recover", "--phrase-file", ann.phrase, "--from", f"{pat.machine.address}:7070")
            w.count("bare-metal restores")
            w.check(run.err.count(said) == 1, f"recover says so, once\n{run}")
            cloud.comes_back(w, fresh, tree, "on a fresh computer of who was removed")
            fresh.json("join", "-", **cloud.given(w, fresh, pat.json("invite")["code"]))
            cloud.wait_for_homes(w, fresh, 3)
            w.equal(fresh.json("backup", tree)["errors"], [], "errors of a backup as a new member")
        finally:
            for computer in (pat, ben, cat, ann, fresh):
                computer.kill()


def in_one_network(w):
    """Two homes behind one router whose cable to the world is pulled: all goes on without any internet."""
    with internet() as net:
        router = net.router("ra")
        machines = [net.behind(router, name) for name in ("a", "b")]
        ann = Computer(w, "ann", machine=machines[0])
        ann.mhp("cloud", "new", "Lindenweg")
        ann.up().wait_for_log(" announced ")
        ben = join(w, ann, "ben", machines[1])
        try:
            cloud.wait_for_homes(w, ann, 1)
            router.unplug()
            tree = cloud.make_tree(w)
            w.equal(ann.json("backup", tree)["homes"], 1, "homes")
            cloud.comes_back(w, ann, tree, "in one network")
            # Ben's computer answers somewhere else now, and Ann's, which is not up, was not told: the command hears it.
            ann.down()
            ben.down()
            ben.address = "[::]:7171"
            ben.up()
            cloud.wait_for_homes(w, ann, 1)
            cloud.comes_back(w, ann, tree, "from a home that was heard")
        finally:
            for computer in (ann, ben):
                computer.kill()


if __name__ == "__main__":
    world.main(through_a_relay, behind_ipv6_routers, needed_through_a_relay, recovered_through_a_relay,
               cut_off_in_recover, removed_behind_routers, in_one_network)
