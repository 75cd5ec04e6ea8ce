# Real programs behind routers: joining, backup and restore both ways through a relay; and in one network, cut off.
# Needs root, the programs ip and nft, and network namespaces; where they are not there it is skipped, and says so.
import contextlib

import cloud
from support import namespaces, world
from support.world import Computer, Skip


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
    world.main(through_a_relay, in_one_network)
