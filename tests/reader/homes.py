# What lies in a folder home: its records, vault records and heads (docs/formats/folder-home.md, home-record.md).
import contextlib
import os
import pathlib
import typing

from hashes import derive_key, keyed
from wire import FORMAT, Damaged, le, need

BLOCK = 4096
GIB, MIB = 1 << 30, 1 << 20


class Row(typing.NamedTuple):
    """Where one fragment lies."""
    home: "Home"
    log: pathlib.Path
    offset: int
    length: int
    order: tuple  # (log number, offset): of a row that is there twice the highest holds

    def read(self):
        with open(self.log, "rb") as file:
            return os.pread(file.fileno(), self.length, self.offset)


class Record(typing.NamedTuple):
    segment: bytes
    vault: bytes
    version: int
    card: bytes
    rows: dict  # row number -> Row


def check_magic(data, magic, what):
    need(data[:8] == magic, f"{what} does not begin with {magic!r}")
    number = le(data, 8, 2)
    need(number == FORMAT, f"{what} was written by another mhp: format {number}")


def check_hash(data, context, what):
    need(len(data) >= 32 and derive_key(context, data[:-32]) == data[-32:], f"{what}: its hash is wrong")


class Home:
    """A home that can be read. `warn` is called with a text for what is wrong but can be done without."""

    def __init__(self, folder, warn):
        self.folder, self.warn = pathlib.Path(folder), warn
        self.id, self.log_key = bytes(32), None
        data = (self.folder / "mhp-home").read_bytes()
        if data[:8] == b"mhphome\0" and derive_key("mhp 1 home file", data[:-32]) == data[-32:]:
            check_magic(data, b"mhphome\0", "mhp-home")  # whole and of another format: nothing in this home is read
        try:
            need(len(data) == 128, "mhp-home has not 128 bytes")
            check_magic(data, b"mhphome\0", "mhp-home")
            check_hash(data, "mhp 1 home file", "mhp-home")
            need(not any(data[10:16] + data[80:96]), "mhp-home: unused bytes are not zero")
            self.id, self.log_key = data[16:48], data[48:80]
        except Damaged as problem:
            self.take_identity_of_logs(problem)

    def take_identity_of_logs(self, problem):
        """Every log's header says what mhp-home said. What a home holds can be checked without: rows and cards prove
        themselves."""
        for path in sorted((self.folder / "logs").glob("*.log")):
            with contextlib.suppress(OSError):
                header = path.open("rb").read(BLOCK)
                if header[:8] == b"mhplog\0\0" and derive_key("mhp 1 log header", header[:80]) == header[80:112]:
                    self.id, self.log_key = header[16:48], header[48:80]
                    self.warn(f"home {self.folder}: {problem}; {path.name} says what stood there")
                    return
        self.warn(f"home {self.folder}: {problem}; reading all that its logs hold, committed or not")

    def name(self):
        return f"home {self.folder} ({self.id.hex()[:8]})"

    # --- logs ---

    def records(self):
        """All records that count, in their order."""
        for path in sorted((self.folder / "logs").glob("*.log")):
            if len(path.stem) == 8 and path.stem.isdecimal():
                try:
                    yield from self.records_of(path)
                except (Damaged, OSError) as problem:
                    self.warn(f"{self.name()}: {path.name}: {problem}")

    def records_of(self, path):
        number, at, found = int(path.stem), BLOCK, []
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if self.log_key is not None:
                self.check_log_header(os.pread(file.fileno(), BLOCK, 0), path, number)
            while at + BLOCK <= size:
                block = os.pread(file.fileno(), BLOCK, at)
                if block[:8] == b"mhpmark\0" and self.is_mark(block, number, at):
                    yield from found
                    found = []
                elif block[:8] == b"mhprec\0\0":
                    length = self.try_record(file, path, block, number, at, size, found)
                    at += length or BLOCK
                    continue
                at += BLOCK
        if self.log_key is None:
            yield from found

    def check_log_header(self, block, path, number):
        """A damaged one is only worth a word: a log is read without it."""
        right = block[:8] == b"mhplog\0\0" and derive_key("mhp 1 log header", block[:80]) == block[80:112]
        if not right or block[16:48] != self.id or le(block, 12, 4) != number:
            self.warn(f"{self.name()}: {path.name} has a damaged header")
        else:
            check_magic(block, b"mhplog\0\0", "it")

    def is_mark(self, block, number, at):
        return self.log_key is not None and self.stamp(block[:64], number, at) == block[64:96]

    def stamp(self, what, number, at):
        """What only this home writes, and only in this place."""
        return keyed(self.log_key, what, number.to_bytes(4, "little"), at.to_bytes(8, "little"))

    def try_record(self, file, path, block, number, at, size, found):
        """The record's length, or None: then it is damaged, and the next block is looked at."""
        try:
            record, length = self.parse_record(file, path, block, number, at)
            need(at + length <= size, "it ends behind the file")
        except Damaged as problem:
            self.warn(f"{self.name()}: {path.name}, offset {at}: a damaged record: {problem}")
            return None
        found.append(record)
        return length

    def parse_record(self, file, path, block, number, at):
        length, front_bytes, card_bytes, rows = le(block, 16, 4), le(block, 20, 4), le(block, 24, 4), le(block, 10, 2)
        need(le(block, 8, 2) == FORMAT, f"written by another mhp: format {le(block, 8, 2)}")
        need(length % BLOCK == 0 and BLOCK <= length <= 256 * MIB, "record bytes")
        need(front_bytes % 64 == 0 and 192 <= front_bytes <= min(length, 19_648), "front bytes")
        need(rows <= 255 and card_bytes <= 16 << 10 and 192 + 12 * rows + card_bytes <= front_bytes, "sizes in it")
        front = os.pread(file.fileno(), front_bytes, at)
        front_hash = derive_key("mhp 1 record front", front[:96], front[160:])
        need(front_hash == front[96:128], "its front hash is wrong")
        need(self.log_key is None or self.stamp(front_hash, number, at) == front[128:160],
             "its stamp is wrong: it was written elsewhere")
        card_end = 192 + 12 * rows + card_bytes
        need(not any(front[28:32] + front[160:192] + front[card_end:]), "unused bytes are not zero")
        table, end = {}, front_bytes
        for entry in range(192, 192 + 12 * rows, 12):
            row, offset, size = front[entry], le(front, entry + 4, 4), le(front, entry + 8, 4)
            need(not any(front[entry + 1:entry + 4]), "unused bytes are not zero")
            need(row < 255 and row not in table, "a row is there twice, or is no row")
            need(offset % 64 == 0 and offset >= end and offset + size <= length, "a fragment lies outside of it")
            end = offset + size
            table[row] = Row(self, path, at + offset, size, (number, at))
        return Record(front[64:96], front[32:64], le(front, 12, 4), front[192 + 12 * rows:card_end], table), length

    # --- vaults ---

    def vault_records(self, vault):
        """device -> the bytes of the envelope of its vault record."""
        paths = (self.folder / "vaults" / vault.hex()).glob("record-*")
        return {bytes.fromhex(path.name[7:]): path.read_bytes() for path in sorted(paths) if "." not in path.name}

    def former_records(self, vault):
        """(device, envelope) of the vault records that newer ones have replaced, as far as they are kept."""
        for path in sorted((self.folder / "vaults" / vault.hex()).glob("former-*")):
            if "." in path.name:
                continue  # half made, or damaged and set aside
            try:
                device, records = parse_former(path.read_bytes(), vault)
                need(path.name == f"former-{device.hex()}", "its name is of another device")
                yield from ((device, data) for data, _, _ in records)
            except Damaged as problem:
                self.warn(f"{self.name()}: {path.name}: {problem}")

    def heads(self, vault):
        """device -> its newest heads, rising; each as its envelope's bytes and the second when the home took it."""
        heads = {}
        for path in sorted((self.folder / "vaults" / vault.hex()).glob("heads-*")):
            if "." in path.name:
                continue  # half made, or damaged and set aside
            try:
                device, envelopes = parse_heads(path.read_bytes(), vault)
                need(path.name == f"heads-{device.hex()}", "its name is of another device")
                heads[device] = envelopes
            except Damaged as problem:
                self.warn(f"{self.name()}: {path.name}: {problem}")
        return heads


def parse_condemned(data):
    """What a tombstone names: (segment, held, hold, signer) each. For restoring nobody needs it."""
    check_magic(data, b"mhpcond\0", "it")
    check_hash(data, "mhp 1 condemned file", "it")
    signers, entries, at = le(data, 12, 4), le(data, 16, 4), 96 + 32 * le(data, 12, 4)
    need(le(data, 10, 2) <= 1 and not any(data[20:24]) and len(data) == at + 52 * entries + 32, "its counts")
    out = []
    for begin in range(at, at + 52 * entries, 52):
        held, hold, signer = le(data, begin + 32, 8), le(data, begin + 40, 8), le(data, begin + 48, 4)
        need(held <= hold and signer < signers, "an entry")
        out.append((data[begin:begin + 32], held, hold, data[96 + 32 * signer:128 + 32 * signer]))
    need(all(a[0] < b[0] for a, b in zip(out, out[1:])), "order of its segments")
    return out


def parse_former(data, vault):
    """The device, and its former records: (envelope, when the home took it, when it was replaced) each."""
    check_magic(data, b"mhpform\0", "it")
    check_hash(data, "mhp 1 former records file", "it")
    count, device, at, records = le(data, 12, 4), data[48:80], 88, []
    need(data[16:48] == vault and 1 <= count <= 32 and not any(data[10:12]), "it is of another vault, or empty")
    times = [data[80:88]]
    for _ in range(count):
        length = le(data, at + 16, 4)
        need(1 <= length <= MIB and at + 20 + length <= len(data) - 32, "a record's length is wrong")
        times += [data[at:at + 8], data[at + 8:at + 16]]
        records.append((data[at + 20:at + 20 + length], *times[-2:]))
        at += 20 + length
    need(at == len(data) - 32, "something follows its last record")
    seconds = [int.from_bytes(time, "little", signed=True) for time in times]
    need(all(abs(one) <= 9_000_000_000 for one in seconds), "a time is impossible")
    return device, records


def parse_heads(data, vault):
    check_magic(data, b"mhphead\0", "it")
    check_hash(data, "mhp 1 heads file", "it")
    count, device, at, envelopes = le(data, 12, 4), data[48:80], 80, []
    need(data[16:48] == vault and 1 <= count <= 96 and not any(data[10:12]), "it is of another vault, or empty")
    for _ in range(count):
        received_s = int.from_bytes(data[at:at + 8], "little", signed=True)
        length = le(data, at + 8, 4)
        need(abs(received_s) <= 9_000_000_000, "a head's time of receipt is impossible")
        need(1 <= length <= 4096 and at + 12 + length <= len(data) - 32, "a head's length is wrong")
        envelopes.append((data[at + 12:at + 12 + length], received_s))
        at += 12 + length
    need(at == len(data) - 32, "something follows its last head")
    return device, envelopes
