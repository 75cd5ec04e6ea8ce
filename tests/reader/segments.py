# From fragments to the plaintext of a segment (docs/formats/card.md, fragment.md, segment.md).
import collections

import numpy
import zstandard

from hashes import blake3, derive_key, keyed
from keys import by_trial, hkdf_sha256, open_gcm, open_signed
from wire import FORMAT, Damaged, Message, TooFew, le, need, same_lengths

CARD = Message(segment=(2, "id"), vault=(3, "id"), version=(4, "uint"), k=(5, "uint"), epoch=(6, "uint"),
               sealed_bytes=(7, "uint"), row_bytes=(8, "uint"), minimum_hold_s=(9, "uint"), fragments=(10, "ids"))
DIRECTORY = Message(bundle_offset=(2, ["uint"]), bundle_stored_bytes=(3, ["uint"]), bundle_plain_bytes=(4, ["uint"]),
                    bundle_method=(5, "bytes"), chunk_id=(6, "ids"), chunk_bundle=(7, ["uint"]),
                    chunk_offset=(8, ["uint"]), chunk_bytes=(9, ["uint"]), index=(10, "bool"))
MIB, LEAF, FRAME = 1 << 20, 1 << 16, 1 << 16
SIZE_CLASSES = {64 << 10, 128 << 10, 256 << 10, 512 << 10, MIB, 2 * MIB, 3 * MIB,
                *range(4 * MIB, 16 * MIB + 1, MIB // 4)}
CACHED_SEGMENTS, CACHED_BUNDLES = 4, 16


# --- the code: GF(2^8) modulo 0x11d ---

def multiplication_table():
    powers, logs = numpy.zeros(510, dtype=numpy.uint8), numpy.zeros(256, dtype=numpy.int32)
    value = 1
    for power in range(255):
        powers[power] = powers[power + 255] = value
        logs[value] = power
        value = value << 1 ^ (0x11D if value & 0x80 else 0)
    table = powers[logs[:, None] + logs[None, :]]
    table[0, :] = table[:, 0] = 0
    return table


TIMES = multiplication_table()
INVERSE = [0] + [int(numpy.flatnonzero(TIMES[value] == 1)[0]) for value in range(1, 256)]


def code_row(row, k):
    """What each data row counts for in this row."""
    if row < k:
        return [int(row == j) for j in range(k)]
    return [INVERSE[row ^ j] for j in range(k)]


def inverted(matrix):
    """Gauss and Jordan; a Cauchy code's matrix always has an inverse."""
    k = len(matrix)
    rows = [numpy.array(row + [int(i == j) for j in range(k)], dtype=numpy.uint8) for i, row in enumerate(matrix)]
    for i in range(k):
        pivot = next(j for j in range(i, k) if rows[j][i])
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = TIMES[INVERSE[rows[i][i]]][rows[i]]
        for j in range(k):
            if j != i and rows[j][i]:
                rows[j] = rows[j] ^ TIMES[rows[j][i]][rows[i]]
    return [row[k:] for row in rows]


def data_rows(rows, k):
    """The data rows 0 to k-1 from any k rows (number -> bytes)."""
    numbers = sorted(rows)
    if numbers == list(range(k)):
        return [rows[number] for number in numbers]
    back = inverted([code_row(number, k) for number in numbers])
    arrays = [numpy.frombuffer(rows[number], dtype=numpy.uint8) for number in numbers]
    result = []
    for j in range(k):
        if j in rows:
            result.append(rows[j])
            continue
        total = numpy.zeros(len(arrays[0]), dtype=numpy.uint8)
        for factor, array in zip(back[j], arrays):
            total ^= TIMES[factor][array]
        result.append(total.tobytes())
    return result


# --- cards and fragments ---

def parse_card(record, devices, vault):
    """The card in a record, if a device of the vault signed it."""
    need(len(record.card) <= 16 << 10, "a card is too long")
    signer, card, _ = open_signed(record.card, "mhp 1 card", CARD, 16 << 10)
    need(signer in devices, "a card is signed by no device of the vault")
    need(card.vault == vault == record.vault and card.segment == record.segment and card.version == record.version,
         "a card is not what its record says")
    need(card.version >= 1 and 1 <= card.k <= 128 and card.k <= len(card.fragments) <= 255, "a card's rows")
    need(1 <= card.sealed_bytes <= 16 * MIB + 4128 and card.row_bytes == -(-card.sealed_bytes // card.k),
         "a card's lengths")
    return card


def parse_fragment(data, card, row):
    """(salt row, payload) of a fragment that is the one its card names."""
    leaves = 1 + -(-card.row_bytes // LEAF)
    start = 160 + 32 * leaves
    need(len(data) == start + card.row_bytes, "a fragment's length is not what its card says")
    hashes = data[160:start]
    need(derive_key("mhp 1 fragment root", leaves.to_bytes(4, "little"), hashes) == card.fragments[row],
         "a fragment's id is not in its card")
    for leaf in range(leaves):
        part = data[:160] if leaf == 0 else data[start + (leaf - 1) * LEAF:start + leaf * LEAF]
        need(derive_key("mhp 1 fragment leaf", part, leaf.to_bytes(4, "little")) == hashes[32 * leaf:32 * leaf + 32],
             "a fragment's bytes are wrong")
    need(data[:8] == b"mhpfrag\0" and le(data, 8, 2) == FORMAT, "a fragment's header")
    fields = (data[10], data[11], le(data, 12, 4), le(data, 16, 4), le(data, 24, 8), data[32:64])
    need(fields == (row, card.k, card.epoch, card.row_bytes, card.sealed_bytes, card.segment),
         "a fragment's header is not what its card says")
    need(not any(data[20:24] + data[64:128]), "a fragment's header: unused bytes are not zero")
    return data[128:160], data[start:]


# --- sealed segments ---

def unseal(segment, sealed, salts, data_key):
    """The plaintext of a segment."""
    secret = hkdf_sha256(data_key, blake3(*salts), b"mhp 1 segment key" + segment, 64)
    need(sealed[:32] == secret[32:], "the commitment is another: a wrong key or salt")
    frames = -(-(len(sealed) - 32) // (FRAME + 16))
    plain = []
    for number in range(frames):
        frame = sealed[32 + number * (FRAME + 16):32 + (number + 1) * (FRAME + 16)]
        counter = number.to_bytes(4, "big")
        nonce = bytes(7) + bytes([number == frames - 1]) + counter
        plain.append(open_gcm(secret[:32], nonce, frame, b"mhp 1 segment" + segment + counter))
    plain = b"".join(plain)
    need(len(plain) in SIZE_CLASSES, "the plaintext's length is no size class")
    return plain


def directory_of(plain):
    trailer = plain[-32:]
    need(trailer[:8] == b"mhpsdir\0" and le(trailer, 8, 2) == FORMAT, "a segment without trailer")
    need(not any(trailer[10:12] + trailer[20:]), "a trailer: unused bytes are not zero")
    offset, length = le(trailer, 12, 4), le(trailer, 16, 4)
    need(offset + length + 32 <= len(plain), "a directory lies outside of its segment")
    return check_directory(DIRECTORY.parse(plain[offset:offset + length]), len(plain))


def check_directory(directory, plain_bytes):
    bundles = list(zip(directory.bundle_offset, directory.bundle_stored_bytes, directory.bundle_plain_bytes,
                       directory.bundle_method))
    same_lengths("bundles", bundles, directory.bundle_offset, directory.bundle_stored_bytes,
                 directory.bundle_plain_bytes, directory.bundle_method)
    same_lengths("chunks", directory.chunk_id, directory.chunk_bundle, directory.chunk_offset, directory.chunk_bytes)
    for offset, stored, size, method in bundles:
        need(offset + stored <= plain_bytes and size <= 16 * MIB and method in (0, 1), "a bundle")
        need(method == 1 or stored == size, "a bundle's lengths")
    for bundle, offset, size in zip(directory.chunk_bundle, directory.chunk_offset, directory.chunk_bytes):
        need(bundle < len(bundles) and offset + size <= bundles[bundle][2], "a chunk lies outside of its bundle")
    directory.bundles = bundles
    return directory


class Cache(collections.OrderedDict):
    """Keeps what was used last."""

    def __init__(self, limit):
        super().__init__()
        self.limit = limit

    def get_or(self, key, make):
        if key not in self:
            self[key] = make()
        self.move_to_end(key)
        while len(self) > self.limit:
            self.popitem(last=False)
        return self[key]


class Segments:
    """All segments of a vault whose cards are in these homes."""

    def __init__(self, homes, vault, warn):
        self.vault, self.warn = vault, warn
        self.cards = collections.defaultdict(list)  # of each segment; nearly always equal ones, each once
        self.rows = collections.defaultdict(lambda: collections.defaultdict(list))  # segment -> row number -> places
        self.plain, self.bundles = Cache(CACHED_SEGMENTS), Cache(CACHED_BUNDLES)
        checked = {}  # most homes have the same cards, and a signature takes its time
        for home in homes:
            for record in home.records():
                if record.vault == vault.id:
                    self.take(home, record, checked)

    def take(self, home, record, checked):
        try:
            if record.card not in checked:
                checked[record.card] = parse_card(record, self.vault.record.certified, self.vault.id)
            card = checked[record.card]
            need((card.segment, card.version) == (record.segment, record.version), "a card is not what its record says")
        except Damaged as problem:
            self.warn(f"{home.name()}: segment {record.segment.hex()[:8]}: {problem}")
            return
        if card not in self.cards[card.segment]:
            self.cards[card.segment].append(card)
        for number, row in record.rows.items():
            self.rows[card.segment][number].append(row)

    def read_rows(self, card):
        """k rows that are right: number -> (salt row, payload). Data rows first: they need no arithmetic."""
        rows = {}
        for number in sorted(self.rows[card.segment]):
            if number >= len(card.fragments):
                continue
            for row in sorted(self.rows[card.segment][number], key=lambda one: one.order, reverse=True):
                try:
                    rows[number] = parse_fragment(row.read(), card, number)
                    break
                except (Damaged, OSError) as problem:
                    self.warn(f"{row.home.name()}: segment {card.segment.hex()[:8]}, row {number}: {problem}")
            if len(rows) == card.k:
                return rows
        raise TooFew(f"segment {card.segment.hex()[:8]}: {len(rows)} rows are here, {card.k} are needed")

    def open(self, segment):
        """Its plaintext."""
        return self.plain.get_or(segment, lambda: self.read(segment))

    def read(self, segment):
        """The card with the highest version counts. One that leads nowhere gives way: a device's key, stolen and long
        revoked, can sign a card, but it cannot make a segment that opens."""
        problem = TooFew(f"segment {segment.hex()[:8]}: none of these homes knows it")
        for card in sorted(self.cards[segment], key=lambda one: one.version, reverse=True):
            try:
                return self.read_by(card)
            except (Damaged, TooFew) as found:
                problem = found
                if len(self.cards[segment]) > 1:
                    self.warn(f"segment {segment.hex()[:8]}, version {card.version} of its card: {found}")
        raise problem

    def read_by(self, card):
        segment = card.segment
        candidates = self.vault.keys.data_keys.get(card.epoch, [])
        need(candidates, f"segment {segment.hex()[:8]}: no key of epoch {card.epoch}")
        rows = self.read_rows(card)
        sealed = b"".join(data_rows({number: payload for number, (_, payload) in rows.items()}, card.k))
        need(not any(sealed[card.sealed_bytes:]), "a segment is not filled up with zeros")
        salts = data_rows({number: salt for number, (salt, _) in rows.items()}, card.k)
        return by_trial(candidates, "a segment", lambda key: unseal(segment, sealed[:card.sealed_bytes], salts, key))

    def chunk(self, segment, directory, number):
        """The bytes of a chunk, compared with its id."""
        at, size = directory.chunk_offset[number], directory.chunk_bytes[number]
        bundle = self.bundle(segment, directory.bundles[directory.chunk_bundle[number]])
        data = bundle[at:at + size]

        def check(secret):
            need(keyed(secret, data) == directory.chunk_id[number], "a chunk is not what its id says")
            return data
        return by_trial(self.vault.keys.dedup_secrets, "a chunk", check)

    def bundle(self, segment, place):
        offset, stored, size, method = place

        def read():
            data = self.open(segment)[offset:offset + stored]
            if method == 1:
                try:
                    data = zstandard.ZstdDecompressor().decompress(data, max_output_size=size)
                except zstandard.ZstdError as problem:
                    raise Damaged(f"a bundle does not unpack: {problem}") from None
            need(len(data) == size, "a bundle's length")
            return data
        return self.bundles.get_or((segment, place), read)
