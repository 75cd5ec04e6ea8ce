# No space on a home, on the state folder, in a restore's target: a clear error that names it, earlier snapshots whole,
# and all goes on when there is space. With real small file systems where this user may mount them; with --max
# everywhere.
import errno
import os
import resource
import shutil
import subprocess

from support import trees, world
from support.world import DONE, FAILED, PARTLY, TOO_FEW, Skip

MIB = 1 << 20


def mount(w, folder, size_mib, kind):
    """A small file system of its own at `folder`, gone at the end of the case."""
    if os.getuid() != 0:
        raise Skip("only root may mount")
    folder.mkdir(parents=True, exist_ok=True)
    if kind == "tmpfs":
        command = ["mount", "-t", "tmpfs", "-o", f"size={size_mib}m", "none", folder]
    else:
        image = w.folder / f"{folder.name}.image"
        with open(image, "wb") as file:
            file.truncate(size_mib * MIB)
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True, stdout=subprocess.DEVNULL)
        command = ["mount", "-o", "loop", image, folder]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        raise Skip(f"mounting is not allowed here: {result.stderr.strip()}")
    w.undo.append(lambda: subprocess.run(["umount", folder], check=True))


def filler(folder, leave_bytes):
    """Takes the space of a file system but this much; unlink it to give it back."""
    path = folder / "filler"
    with open(path, "wb", buffering=0) as file:
        for block in (bytes(MIB), bytes(4096)):
            try:
                while file.write(block) == len(block):
                    pass
            except OSError as problem:
                if problem.errno != errno.ENOSPC:
                    raise
        file.truncate(max(0, file.tell() - leave_bytes))
    return path


class Saved:
    """A vault with a small first snapshot, and a bigger tree to be saved next."""

    def __init__(self, w, homes_before=0):
        self.w, self.source, self.vault = w, w.folder / "source", w.vault(homes_before)

    def first(self):
        trees.make_files(self.source, self.w.random, 30, 50 << 10, fraction_text=0)
        self.snapshot = self.vault.backup(self.source)["snapshot"]
        self.before = trees.tree_of(self.source)

    def grow(self, mib):
        trees.make_files(self.source / "more", self.w.random, 20, mib * MIB // 20, fraction_text=0)

    def check_first(self, what):
        self.check(self.snapshot, self.before, what)

    def check_all(self, what):
        self.check("latest", trees.tree_of(self.source), what)
        self.w.equal(self.vault.check("--read-data")["ok"], True, f"check, {what}")

    def check(self, snapshot, wanted, what):
        back, _ = self.vault.restore(snapshot)
        trees.check_same(self.w, wanted, back / self.source.relative_to("/"), what)
        self.w.count("restores")
        world.remove_tree(back)


def check_names(w, run, home, what):
    w.check(home.name in run.err, f"{what}: the full home {home.name} is named\n{run}")
    w.check("full" in run.err or "space" in run.err, f"{what}: it says that there is no space\n{run}")


def place_for(vault, number):
    """A path for a home in a folder of its own, which may be a mounted disk."""
    home = vault.folder / f"disk-{number}" / f"home-{number:02}"
    home.parent.mkdir()
    return home


def one_home_is_full(w, make_home):
    """One of four homes is full: the backup is done with less margin and says so; with space it gets its share."""
    saved = Saved(w)
    saved.vault.add_home()
    small = place_for(saved.vault, 2)
    give_space = make_home(saved.vault, small)
    saved.vault.homes.append(small)
    saved.vault.add_home()
    saved.vault.add_home()
    saved.first()
    w.equal(saved.vault.status()["margin"], 2, "margin of the small snapshot")
    saved.grow(30)
    run = saved.vault.mhp("--json", "backup", saved.source)
    check_names(w, run, small, "backup")
    w.equal(run.json["margin"], 1, "margin of the backup")
    saved.check_first("with a full home")
    saved.check("latest", trees.tree_of(saved.source), "with a full home")
    give_space()
    saved.vault.backup(saved.source)
    saved.check_all("after there was space")
    w.equal(saved.vault.status()["margin"], 2, "margin after there was space")


def all_homes_are_full(w, make_home):
    """No home takes the rows: exit 4, earlier snapshots whole; nothing is sent twice once there is space."""
    saved, give = Saved(w), []
    for number in range(1, 4):
        home = place_for(saved.vault, number)
        give.append(make_home(saved.vault, home))
        saved.vault.homes.append(home)
    saved.first()
    saved.grow(40)
    for _ in range(3):
        run = saved.vault.mhp("--json", "backup", saved.source, code=TOO_FEW)
        w.equal(run.error["code"], "full", f"the error's code\n{run}")
        for home in saved.vault.homes:
            w.check(home.name in run.err, f"{home.name} is named\n{run}")
        w.check(run.error["hint"], f"it says what to do\n{run}")
    saved.check_first("while all homes are full")
    w.equal(len(saved.vault.snapshots()), 1, "snapshots")
    w.equal(saved.vault.check("--read-data")["ok"], True, "check while all homes are full")
    for give_space in give:
        give_space()
    saved.vault.backup(saved.source)
    saved.check_first("after there was space")
    saved.check_all("after there was space")


def limited_home(vault, home):
    """A home with --max; `home add` again raises it."""
    vault.mhp("home", "add", home, "--same-disk", "--max", "8MB")
    return lambda: vault.mhp("home", "add", home, "--same-disk", "--max", "1G")


def max_of_one(w):
    one_home_is_full(w, limited_home)


def max_of_all(w):
    all_homes_are_full(w, limited_home)


def max_is_kept(w):
    """What a home uses never passes its --max, whatever is tried."""
    saved = Saved(w)
    for _ in range(3):
        saved.vault.add_home(max_used=12 * MIB)
    saved.first()
    saved.grow(40)
    for _ in range(3):
        saved.vault.mhp("backup", saved.source, code=TOO_FEW)
        for home in saved.vault.homes:
            used = sum(path.stat().st_blocks * 512 for path in home.rglob("*") if path.is_file())
            w.check(used <= 12 * MIB, f"{home.name} uses {used:,} bytes, at most {12 * MIB:,}")
    for entry in saved.vault.status()["homes"]:
        w.check(entry["used_bytes"] <= 12 * MIB, f"used_bytes: {entry}")


def mounted_home(w, kind, size_mib):
    def make(vault, home):
        disk = home.parent
        mount(w, disk, size_mib, kind)
        if kind == "tmpfs":
            vault.mhp("home", "add", home, "--same-disk")
            return lambda: subprocess.run(["mount", "-o", "remount,size=400m", disk], check=True)
        taken = filler(disk, 8 * MIB)
        vault.mhp("home", "add", home, "--same-disk", "--min-free", "1")
        return taken.unlink
    return make


def tmpfs_of_one(w):
    one_home_is_full(w, mounted_home(w, "tmpfs", 8))


def tmpfs_of_all(w):
    all_homes_are_full(w, mounted_home(w, "tmpfs", 8))


def ext4_of_one(w):
    one_home_is_full(w, mounted_home(w, "ext4", 100))


def ext4_of_all(w):
    all_homes_are_full(w, mounted_home(w, "ext4", 100))


def space_is_taken_meanwhile(w):
    """Somebody else fills a home's disk to its last byte: min-free cannot help, the file system says no."""
    saved = Saved(w)
    small = saved.vault.folder / "disk" / "home-01"
    mount(w, small.parent, 100, "ext4")
    saved.vault.mhp("home", "add", small, "--same-disk", "--min-free", "1")
    saved.vault.homes.append(small)
    for _ in range(3):
        saved.vault.add_home()
    saved.first()
    saved.grow(20)
    taken = filler(small.parent, 0)
    run = saved.vault.mhp("--json", "backup", saved.source)
    check_names(w, run, small, "backup")
    saved.check_first("with the disk full to its last byte")
    saved.check("latest", trees.tree_of(saved.source), "with the disk full to its last byte")
    saved.vault.check(code=FAILED)
    taken.unlink()
    saved.vault.backup(saved.source)
    saved.check_all("after there was space")


def state_folder_is_full(w):
    """The computer's own disk is full: the backup fails and says where; homes and snapshots are whole."""
    saved = Saved(w, 3)
    saved.first()
    disk = w.folder / "disk"
    mount(w, disk, 20, "tmpfs")
    shutil.copytree(saved.vault.state, disk / "state", copy_function=shutil.copy2)
    os.chmod(disk / "state", 0o700)
    saved.vault.state = disk / "state"
    saved.vault.backup(saved.source)
    saved.grow(30)
    taken = filler(disk, 0)
    for _ in range(3):
        run = saved.vault.mhp("--json", "backup", saved.source, code=FAILED)
        w.equal(run.error["code"], "full", f"the error's code\n{run}")
        w.check("state" in run.error["error"] and "home add" not in run.error["hint"] and
                run.error["subject"] == "state", f"it says that it is the state folder\n{run}")
    saved.check_first("while the state folder is full")
    saved.vault.mhp("status")
    w.equal(saved.vault.check()["ok"], True, "check while the state folder is full")
    taken.unlink()
    saved.vault.backup(saved.source)
    saved.check_all("after there was space")


def target_is_full(w):
    """A restore that finds no room says so and leaves nothing wrong behind."""
    saved = Saved(w, 3)
    saved.first()
    saved.grow(30)
    saved.vault.backup(saved.source)
    disk = w.folder / "disk"
    mount(w, disk, 12, "tmpfs")
    run = saved.vault.mhp("--json", "restore", "latest", "--to", disk / "back", code={FAILED, PARTLY})
    w.equal((run.error["code"], run.error["subject"]), ("full", "target"), f"the error\n{run}")
    w.check("home add" not in run.error["hint"], f"the hint\n{run}")
    wanted, at = trees.tree_of(saved.source), disk / "back" / saved.source.relative_to("/")
    for name, entry in trees.tree_of(at).items() if at.exists() else ():
        if entry.kind == "file":
            w.equal(entry.content, wanted[name].content, f"content of {name!r}")
    saved.check_all("into a folder with room")


def init_without_space(w):
    """No vault is made where its keys cannot be kept."""
    disk = w.folder / "disk"
    mount(w, disk, 1, "tmpfs")
    taken = filler(disk, 0)
    state = disk / "state"
    run = w.run("--json", "init", "--phrase-file", w.folder / "phrase", state=state, code=FAILED)
    w.equal(run.error["code"], "full", f"the error's code\n{run}")
    w.run("status", state=state, code=FAILED)
    taken.unlink()
    w.run("init", "--phrase-file", w.folder / "phrase-2", state=state, code=DONE)
    w.run("home", "add", w.folder / "home", "--same-disk", state=state)


def too_few_open_files(w):
    """With every small number of open files a command is done or says what this computer lacks; no home is blamed."""
    saved = Saved(w, 3)
    saved.first()
    refused = 0
    for limit in range(8, 72, 1 if w.long else 5):
        trees.write(saved.source / f"with-{limit}", w.random.randbytes(5000))
        for command in (("backup", saved.source), ("check", "--read-data"), ("repair",),
                        ("restore", saved.snapshot, "--to", w.folder / f"back-{limit}")):
            run = saved.vault.mhp("--json", *command, code={DONE, FAILED},
                                  preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
            w.count("limits tried")
            refused += run.code == FAILED
            if run.code == FAILED:
                # A backup before may have left a home behind, for the same lack: check names that one.
                left_behind = command[0] == "check" and ("old heads" in run.err or '"homes_lacking":["' in run.out)
                w.check("open files" in run.err.lower() or left_behind, f"it says what is lacking\n{run}")
            elif command[0] == "restore":
                trees.check_same(w, saved.before, command[3] / saved.source.relative_to("/"), f"{limit} open files")
    w.check(refused > 0, "some limit was too low")
    saved.check_first("after too few open files")
    saved.vault.backup(saved.source)
    saved.check_all("after too few open files")


if __name__ == "__main__":
    world.main(max_of_one, max_of_all, max_is_kept, tmpfs_of_one, tmpfs_of_all, ext4_of_one, ext4_of_all,
               space_is_taken_meanwhile,
               state_folder_is_full, target_is_full, init_without_space, too_few_open_files)
