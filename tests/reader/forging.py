# What a thief of a device's key could write into one home: cards of all its segments with a high version and wrong ids;
# a newer vault record of that device with false keys, or of the highest version.
import os

from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
import nacl.bindings

from hashes import blake3, derive_key
from homes import BLOCK
from keys import SIGNED, hkdf_sha256, raw
from segments import CARD
from vault import VAULT_RECORD
from wire import FORMAT, Message, le

DEVICE_SECRET = Message(vault=(2, "id"), signing_seed=(3, "id"), x25519_secret=(4, "id"))
VERSION = 1_000_000


def varint(value):
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def field(number, value):
    """A field of a message: a number or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def message(*values):
    """Format number, then fields from 2 on."""
    return field(1, FORMAT) + b"".join(field(number, value) for number, value in enumerate(values, 2))


def forged_card(key, card):
    ids = os.urandom(32 * len(card.fragments))
    body = message(card.segment, card.vault, VERSION, card.k, card.epoch, card.sealed_bytes, card.row_bytes,
                   card.minimum_hold_s, ids)
    return message(body, raw(key.public_key()), key.sign(b"mhp 1 card\0" + body))


def record_of(home, card, envelope, number, at):
    """(record without rows, its front hash)"""
    front = bytearray(-(-(192 + len(envelope)) // 64) * 64)
    length = -(-len(front) // BLOCK) * BLOCK
    sizes = (VERSION, length, len(front), len(envelope))
    front[:8] = b"mhprec\0\0"
    front[8:10] = FORMAT.to_bytes(2, "little")
    front[12:28] = b"".join(size.to_bytes(4, "little") for size in sizes)
    front[32:96] = card.vault + card.segment
    front[192:192 + len(envelope)] = envelope
    front[96:128] = derive_key("mhp 1 record front", front[:96], front[160:])
    front[128:160] = home.stamp(bytes(front[96:128]), number, at)
    return bytes(front).ljust(length, b"\0"), bytes(front[96:128])


def spoil_cards(home, device_secret):
    """Appends the records and a commit mark to the home's newest log. `device_secret`: a state folder's `device`."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(DEVICE_SECRET.parse(device_secret).signing_seed)
    cards = {record.segment: CARD.parse(SIGNED.parse(record.card).body) for record in home.records()}
    log = sorted((home.folder / "logs").glob("*.log"))[-1]
    number, data = int(log.stem), log.read_bytes()
    last = max(at for at in range(0, len(data), BLOCK) if data[at:at + 8] == b"mhpmark\0")
    begin = last + BLOCK
    records, hashes = b"", b""
    for card in cards.values():
        record, front_hash = record_of(home, card, forged_card(key, card), number, begin + len(records))
        records, hashes = records + record, hashes + front_hash
    mark = b"mhpmark\0" + FORMAT.to_bytes(4, "little") + len(cards).to_bytes(4, "little")
    mark += (le(data, last + 16, 8) + 1).to_bytes(8, "little") + begin.to_bytes(8, "little") + blake3(hashes)
    mark += home.stamp(mark, number, begin + len(records))
    with open(log, "r+b") as file:
        file.truncate(begin)
        file.seek(begin)
        file.write(records + mark.ljust(BLOCK, b"\0"))


def sealed_to(public, context, plain):
    one_time = x25519.X25519PrivateKey.generate()
    shared = one_time.exchange(x25519.X25519PublicKey.from_public_bytes(public))
    key = hkdf_sha256(shared, raw(one_time.public_key()) + public, context, 32)
    return raw(one_time.public_key()) + nacl.bindings.crypto_aead_xchacha20poly1305_ietf_encrypt(
        plain, context, bytes(24), key)


def spoil_record(home, device_secret):
    """Writes a newer record of the device over its record in the home: keys that open nothing, for the phrase alone."""
    write_record(home, device_secret, lambda version: version + 1)


def lock_out(home, device_secret):
    """The same with the highest version that there is."""
    write_record(home, device_secret, lambda _: (1 << 64) - 1)


def write_record(home, device_secret, next_version):
    key = ed25519.Ed25519PrivateKey.from_private_bytes(DEVICE_SECRET.parse(device_secret).signing_seed)
    [path] = home.folder.glob("vaults/*/record-" + raw(key.public_key()).hex())
    record = VAULT_RECORD.parse(SIGNED.parse(path.read_bytes()).body)
    epoch = record.epoch
    keys = message(varint(epoch), os.urandom(32), os.urandom(32), os.urandom(32), os.urandom(32))
    context = b"mhp 1 wrap recovery" + record.vault + epoch.to_bytes(4, "little")
    wrap = b"".join(field(number, value) for number, value in enumerate(
        (record.recovery_x25519, sealed_to(record.recovery_x25519, context, keys), epoch, 1), 1))
    body = message(record.vault, next_version(record.version), record.identity, record.recovery_x25519)
    body += b"".join(field(6, one) for one in record.devices) + b"".join(field(7, one) for one in record.revocations)
    body += field(8, wrap) + field(9, os.urandom(64)) + varint(10 << 3 | 1) + record.time_ns.to_bytes(8, "little")
    body += field(11, record.device) + field(12, epoch)
    path.write_bytes(message(body, raw(key.public_key()), key.sign(b"mhp 1 vault record\0" + body)))
