# The programs that are compared, each behind the same few verbs; all keep their repository on the same disk.
import json
import os
import shutil

from .measure import bytes_below, quiet, timed

PASSWORD = "bench"
HOMES = 10


class Program:
    """A program with a repository of its own below `folder`. Verbs that are measured return what timed() does."""
    allowed = (0,)

    def __init__(self, name, folder, settings):
        self.name, self.folder, self.repository = name, folder, f"{folder}/repository"
        self.env = os.environ | settings
        os.makedirs(folder)

    def measured(self, *command, cwd=None):
        figure = timed([*command], self.env, cwd, self.allowed)
        figure.pop("output")
        return figure

    def stored_bytes(self):
        return bytes_below(self.repository)

    def before_expansion(self):
        """Stored bytes without what guards against lost homes."""
        return self.stored_bytes()

    def forget_caches(self):
        """Removes what the program could fetch again, as on a new computer."""
        shutil.rmtree(f"{self.folder}/cache", ignore_errors=True)


class Mhp(Program):
    """mhp with ten folder homes. level: thrifty, normal or strong; compression: a zstd level, or its own choice."""

    def __init__(self, binary, folder, level, compression=None, name=None):
        super().__init__(name or f"mhp {level}", folder, {"MHP_HOME": f"{folder}/state"})
        self.binary, self.level, self.compression = binary, level, compression
        self.packed_bytes = 0  # by its own account: the last backup's new content, compressed
        self.homes = [f"{self.repository}/{number}" for number in range(HOMES)]

    def start(self):
        quiet([self.binary, "init", "--level", self.level, "--phrase-file", f"{self.folder}/phrase"], self.env)
        os.mkdir(self.repository)
        for home in self.homes:
            quiet([self.binary, "home", "add", home, "--same-disk"], self.env)

    def backup(self, source):
        more = ["--compression", str(self.compression)] if self.compression else []
        figure = timed([self.binary, "--json", "backup", *more, source], self.env)
        told = json.loads(figure.pop("output").splitlines()[-1])
        self.packed_bytes = told["packed_bytes"]
        return figure

    def restore(self, source, to):
        return self.measured(self.binary, "restore", "-q", "--no-sync", f"latest:{source}", "--to", to)

    def restore_file(self, path, to):
        return self.restore(path, to)

    def restored(self, source, to):
        """Where a restored source lies below `to`."""
        return to

    def check(self):
        return self.measured(self.binary, "check", "-q", "--read-data")

    def status(self):
        return json.loads(quiet([self.binary, "--json", "status"], self.env))

    def before_expansion(self):
        return self.stored_bytes() / self.status()["expansion"]

    def forget_caches(self):
        shutil.rmtree(f"{self.folder}/state/cache", ignore_errors=True)

    def margin(self):
        """How many homes may be lost."""
        return self.status()["margin"]

    def set_away(self, count, away=True):
        """Renames the folders of the first homes, or names them back."""
        for home in self.homes[:count]:
            os.rename(*((home, f"{home}.away") if away else (f"{home}.away", home)))


class Restic(Program):
    def __init__(self, folder):
        super().__init__("restic", folder, {"RESTIC_PASSWORD": PASSWORD, "RESTIC_REPOSITORY": f"{folder}/repository",
                                            "RESTIC_CACHE_DIR": f"{folder}/cache"})

    def start(self):
        quiet(["restic", "init", "-q", "--repository-version", "2"], self.env)

    def backup(self, source):
        return self.measured("restic", "backup", "-q", source)

    def restore(self, source, to):
        return self.measured("restic", "restore", "-q", "latest", "--target", to)

    def restore_file(self, path, to):
        return self.measured("restic", "restore", "-q", "latest", "--include", path, "--target", to)

    def restored(self, source, to):
        return to + source

    def check(self):
        return self.measured("restic", "check", "-q", "--read-data")


class Borg(Program):
    allowed = (0, 1)  # 1: done, with a warning

    def __init__(self, folder):
        super().__init__("Borg", folder, {
            "BORG_PASSPHRASE": PASSWORD, "BORG_REPO": f"{folder}/repository", "BORG_BASE_DIR": f"{folder}/base",
            "BORG_CACHE_DIR": f"{folder}/cache"})
        self.archives = 0

    def start(self):
        quiet(["borg", "init", "-e", "repokey-blake2"], self.env)

    def backup(self, source):
        self.archives += 1
        return self.measured("borg", "create", "-C", "lz4", f"::a{self.archives}", source)

    def restore(self, source, to):
        os.makedirs(to)
        return self.measured("borg", "extract", f"::a{self.archives}", cwd=to)

    def restore_file(self, path, to):
        os.makedirs(to)
        return self.measured("borg", "extract", f"::a{self.archives}", path.lstrip("/"), cwd=to)

    def restored(self, source, to):
        return to + source

    def check(self):
        return self.measured("borg", "check", "--verify-data")
