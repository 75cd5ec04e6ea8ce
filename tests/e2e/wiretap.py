# Every byte that goes over the network, recorded and searched: no content, name, path, person, cloud, key or word.
# Needs root and network namespaces, as reach.py does; where they are not there it is skipped, and says so.
import contextlib
import subprocess
import sys

import cloud
import reach
import secrecy
from support import trees, world
from support.world import Computer

# Writes all frames that pass eth0 to standard output until its input ends, then says on standard error how many the
# system dropped. 263, 6: PACKET_STATISTICS at SOL_PACKET; 33: SO_RCVBUFFORCE.
RECORDER = """
import select, socket, struct, sys
tap = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
tap.setsockopt(socket.SOL_SOCKET, 33, 256 << 20)
tap.bind(("eth0", 3))
print("ready", file=sys.stderr, flush=True)
while True:
    ready = select.select([tap, sys.stdin], [], [])[0]
    if tap in ready:
        sys.stdout.buffer.write(tap.recv(1 << 18))
    elif sys.stdin in ready:
        break
print(struct.unpack("II", tap.getsockopt(263, 6, 8))[1], file=sys.stderr, flush=True)
"""


class Recorder:
    """All that a machine sends and receives, from now on."""

    def __init__(self, w, machine):
        self.machine, self.path = machine, w.folder / f"frames-{machine.name}"
        with open(self.path, "wb") as frames:
            self.process = machine.start([sys.executable, "-c", RECORDER], stdin=subprocess.PIPE, stdout=frames,
                                         stderr=subprocess.PIPE, text=True)
        assert self.process.stderr.readline() == "ready\n"

    def frames(self, w):
        self.process.stdin.write("end\n")
        _, said = self.process.communicate()
        w.equal(int(said), 0, f"frames that the system dropped at {self.machine.name}")
        return self.path.read_bytes()


def send_in_the_clear(machine, to, content):
    """A datagram that the search has to find. Somebody takes it: else it would be sent back, cut short."""
    take = "import socket\ns = socket.socket(2, 2)\ns.bind(('', 9))\nprint(flush=True)\ns.recv(65535)"
    taking = to.start([sys.executable, "-c", take], stdout=subprocess.PIPE)
    taking.stdout.readline()
    machine.run([sys.executable, "-c", f"import socket\nsocket.socket(2, 2).sendto({content!r}, ({to.address!r}, 9))"])
    taking.wait(10)


def secrets_of(w, computers):
    """Keys of devices and of homes, the first words of phrases, names of people and of their computers."""
    needles = []
    for computer in computers:
        needles += secrecy.secrets_of_device(computer)
        words = computer.phrase.read_text().split()
        needles += [" ".join(words[at:at + 2]).encode() for at in range(0, len(words), 2)]
        needles += [computer.home_name.encode(), str(computer.folder).encode()]
    return needles


def nothing_readable(w):
    """Three people behind routers and in front of them: found a cloud, invite, join, back up through a relay, restore,
    lose a computer, recover. Whoever listens anywhere learns who speaks with whom, when and how much."""
    with reach.internet() as net:
        public, at_ben, at_cat = (net.public("pub"), net.behind(net.router("ra"), "b"),
                                  net.behind(net.router("rb", kind="symmetric"), "c"))
        recorders = [Recorder(w, machine) for machine in (public, at_ben, at_cat)]
        ann = Computer(w, "ann-canary", machine=public)
        ann.mhp("cloud", "new", "canary-of-a-cloud")
        ann.up().wait_for_log(" announced ")
        codes, guests = [], []
        for name, machine in (("ben-canary", at_ben), ("cat-canary", at_cat)):
            codes.append(ann.json("invite", "--for", name)["code"])
            guest = Computer(w, name, init=False, machine=machine)
            guest.json("join", "-", "--as", name, "--lend", guest.lend, "--home-name", guest.home_name,
                       "--phrase-file", guest.phrase, **cloud.given(w, guest, codes[-1]))
            guests.append(guest.up())
        everybody = [ann, *guests]
        with contextlib.ExitStack() as ending:
            for computer in everybody:
                ending.callback(computer.kill)
            for computer in everybody:
                cloud.wait_for_homes(w, computer, 2)
            ben = guests[0]
            source = w.folder / f"canary-path-{w.random.randrange(1 << 40):x}"
            names, contents = secrecy.canaries(w, source)
            ben.json("backup", source, "--host", "canary-computer-name", "--tag", "canary-snapshot-tag")
            cloud.comes_back(w, ben, source, "over the network")
            ben.json("members")
            ben.json("check", "--read-data")
            needles = [text.encode() for text in (*names, source.name, "canary-", "canary-computer-name")]
            needles += secrets_of(w, everybody) + [code[5:].encode() for code in codes]
            ben.kill()
            world.remove_tree(ben.state)
            ben.json("recover", "--phrase-file", ben.phrase, "--from", f"{public.address}:7070")
            cloud.comes_back(w, ben, source, "after the recovery")
        windows = set().union(*map(secrecy.windows_of, contents), secrecy.windows_of(trees.text(w.random, 500)))
        shown = contents[2][:1000]
        send_in_the_clear(at_ben, public, shown)
        recorded = {recorder.machine.name: recorder.frames(w) for recorder in recorders}
    for name, frames in recorded.items():
        w.check(len(frames) > 500_000 or name == "c", f"what went over the network was recorded at {name}")
        w.equal(shown in frames, name != "c", f"{name}: the datagram in the clear is seen")
        frames = frames.partition(shown)[0]  # it was the last
        found = secrecy.found_in(frames, needles, windows)
        w.check(not found, f"{name} sends or receives {'; '.join(found)}")
        w.count("bytes on the wire searched", len(frames))


if __name__ == "__main__":
    world.main(nothing_readable)
