# From the phrase and homes to keys and heads (docs/formats/vault-record.md, head.md).
import typing

from hashes import blake3, derive_key
from keys import open_box, open_box_to, open_signed
from wire import Damaged, Message, TooFew, need, same_lengths

CERTIFICATE = Message(vault=(2, "id"), device=(3, "id"), x25519=(4, "id"), created_ns=(5, "sfixed64"))
REVOCATION = Message(vault=(2, "id"), device=(3, "id"), last_good_seq=(4, "uint"), last_good=(5, "id"),
                     time_ns=(6, "sfixed64"))
# Of a reprieve, too.
TOMBSTONE = Message(vault=(2, "id"), device=(3, "id"), time_ns=(4, "sfixed64"), segments=(5, "ids"))
KEY_WRAP = Message(stored=False, recipient=(1, "id"), sealed=(2, "bytes"), epoch=(3, "uint"), for_recovery=(4, "bool"))
VAULT_RECORD = Message(vault=(2, "id"), version=(3, "uint"), identity=(4, "id"), recovery_x25519=(5, "id"),
                       devices=(6, ["bytes"]), revocations=(7, ["bytes"]), wraps=(8, [KEY_WRAP]),
                       sealed_private=(9, "bytes"), time_ns=(10, "sfixed64"))
VAULT_KEYS = Message(epochs=(2, ["uint"]), data_keys=(3, "ids"), dedup_secret=(4, "id"), chunker_secret=(5, "id"),
                     record_keys=(6, "ids"))
HOME_ENTRY = Message(stored=False, id=(1, "id"), name=(2, "bytes"), kind=(3, "uint"), path=(4, "bytes"),
                     same_disk=(5, "bool"), max_used_bytes=(6, "uint"), min_free_bytes=(7, "uint"),
                     member=(8, "bytes"), cloud=(9, "bytes"), addresses=(10, ["bytes"]))
VAULT_PRIVATE = Message(name=(2, "bytes"), level=(3, "uint"), homes=(4, [HOME_ENTRY]))
HEAD = Message(vault=(2, "id"), device=(3, "id"), seq=(4, "uint"), previous=(5, "id"), vault_record=(6, "id"),
               time_ns=(7, "sfixed64"), sealed_root=(8, "bytes"), epoch=(9, "uint"), vault_record_version=(10, "uint"))
REFERENCE = Message(segment=(2, "id"), chunk=(3, "id"))
KIB = 1 << 10


class Root(typing.NamedTuple):
    """Where a device's newest head says that the index begins."""
    device: bytes
    seq: int
    hash: bytes
    time_ns: int
    segment: bytes
    chunk: bytes


def parse_record(data, identity):
    """A vault record whose parts are all signed by whom they must be; .certified and .revoked are filled in."""
    signer, record, _ = open_signed(data, "mhp 1 vault record", VAULT_RECORD, 1 << 20)
    need(record.vault == identity.vault and derive_key("mhp 1 vault id", record.identity) == record.vault,
         "a vault record of another vault")
    need(record.version >= 1 and record.recovery_x25519 == identity.recovery_public, "it is for another phrase")
    record.certified, record.revoked, keys = set(), {}, set()
    for data_of_one in record.devices:
        by, certificate, _ = open_signed(data_of_one, "mhp 1 device certificate", CERTIFICATE, KIB)
        need(by == record.identity and certificate.vault == record.vault, "a certificate not of this identity")
        record.certified.add(certificate.device)
        keys.add(certificate.x25519)
    for data_of_one in record.revocations:
        by, revocation, _ = open_signed(data_of_one, "mhp 1 revocation", REVOCATION, KIB)
        need(by == record.identity and revocation.vault == record.vault, "a revocation not of this identity")
        need((revocation.last_good_seq == 0) == (revocation.last_good == bytes(32)), "a revocation's last good head")
        last_good = (revocation.last_good_seq, revocation.last_good, revocation.time_ns)
        record.revoked[revocation.device] = min(last_good, record.revoked.get(revocation.device, last_good))
    for wrap in record.wraps:
        need(wrap.recipient in ({record.recovery_x25519} if wrap.for_recovery else keys), "keys wrapped for a stranger")
    record.signer, record.hash = signer, blake3(data)
    need(signer == record.identity or (signer in record.certified and signer not in record.revoked),
         "a vault record signed by someone who may not")
    return record


def newest_record(homes, identity, warn):
    """The vault record that counts. A revocation in any of them holds: the identity signed it."""
    records, revoked = [], {}
    for home in homes:
        data = home.vault_record(identity.vault)
        try:
            if data is not None:
                records.append(parse_record(data, identity))
                for device, last_good in records[-1].revoked.items():
                    revoked[device] = min(last_good, revoked.get(device, last_good))
        except Damaged as problem:
            warn(f"{home.name()}: its vault record: {problem}")
    records = [record for record in records if record.signer == identity.public or record.signer not in revoked]
    if not records:
        raise TooFew("none of these homes has a record of the vault of this phrase")
    record = max(records, key=lambda one: (one.version, one.hash))
    record.revoked = revoked
    return record


def open_keys(record, identity):
    """VaultKeys, with .of_epoch: epoch -> data key, and .record_key_of. Of several wraps that open the newest."""
    wraps = [wrap for wrap in record.wraps if wrap.for_recovery and wrap.recipient == identity.recovery_public]
    problem = Damaged("the vault record has no keys for this phrase")
    for wrap in sorted(wraps, key=lambda one: one.epoch, reverse=True):
        try:
            plain = open_box_to(identity.recovery_secret, wrap.sealed, b"mhp 1 wrap recovery", record.vault,
                                wrap.epoch.to_bytes(4, "little"))
            keys = VAULT_KEYS.parse(plain, 24 * KIB)
            same_lengths("keys of epochs", keys.epochs, keys.data_keys, keys.record_keys)
            need(keys.epochs and keys.epochs == sorted(set(keys.epochs)), "epochs do not rise")
            need(keys.epochs[-1] == wrap.epoch, "a wrap is of another epoch than it says")
            keys.of_epoch = dict(zip(keys.epochs, keys.data_keys))
            keys.record_key_of = dict(zip(keys.epochs, keys.record_keys))
            return keys
        except Damaged as found:
            problem = found
    raise problem


class Vault:
    """Keys, devices and the list of homes."""

    def __init__(self, homes, identity, warn):
        self.homes, self.id, self.warn = homes, identity.vault, warn
        self.record = newest_record(homes, identity, warn)
        self.keys = open_keys(self.record, identity)
        plain = open_box(self.keys.record_keys[-1], self.record.sealed_private, b"mhp 1 vault private", self.id,
                         self.record.version.to_bytes(8, "little"))
        self.private = VAULT_PRIVATE.parse(plain, 512 * KIB)
        here = {home.id for home in homes}
        for entry in self.private.homes:
            if entry.id not in here:
                places = [entry.path, *entry.addresses] if entry.path else entry.addresses
                where = b", ".join(places).decode(errors="backslashreplace")
                warn(f"home {entry.id.hex()[:8]} is not among the given ones; it was last seen at {where}")

    def roots(self):
        """Of each device the root in its highest valid head."""
        roots = []
        for device in sorted(self.record.certified):
            head = self.newest_head(device)
            if head is None:
                continue
            need(head.epoch in self.keys.record_key_of, "a head of an epoch without keys")
            plain = open_box(self.keys.record_key_of[head.epoch], head.sealed_root, b"mhp 1 root", self.id, device,
                             head.seq.to_bytes(8, "little"))
            root = REFERENCE.parse(plain, KIB)
            roots.append(Root(device, head.seq, head.hash, head.time_ns, root.segment, root.chunk))
        if not roots:
            raise TooFew("none of these homes has a head of this vault: nothing was ever saved, or it lies elsewhere")
        return roots

    def newest_head(self, device):
        """The highest that is valid; of two that differ the one that more homes show. Who shows others is named."""
        chains = {}
        for home in self.homes:
            try:
                chain = self.chain_of(device, home.heads(self.id).get(device, []))
                if chain:
                    chains[home] = chain
            except Damaged as problem:
                self.warn(f"{home.name()}: heads of device {device.hex()[:8]}: {problem}")
        if not chains:
            return None
        newest = [chain[-1] for chain in chains.values()]
        best = max(newest, key=lambda head: (head.seq, newest.count(head), head.hash))
        chain = next(chain for chain in chains.values() if chain[-1] == best)
        hashes = {head.seq: head.hash for head in chain}
        for home, other in chains.items():
            if any(hashes.get(head.seq, head.hash) != head.hash for head in other):
                self.warn(f"{home.name()} shows another head of device {device.hex()[:8]} than is believed: a fork")
            elif other[-1].seq < best.seq:
                self.warn(f"{home.name()} has head {other[-1].seq} of {best.seq} of device {device.hex()[:8]}")
        return best

    def chain_of(self, device, shown):
        """What one home has of a device, up to a revocation's last good head, or to what it took before that
        revocation. All of it must be right."""
        last_good, hash_of_it, revoked_ns = self.record.revoked.get(device, (None, None, None))
        chain = []
        for envelope, received_s in shown:
            head = self.parse_head(device, envelope)
            need(not chain or head.seq > chain[-1].seq, f"head {head.seq} does not rise")
            need(not chain or head.seq > chain[-1].seq + 1 or head.previous == chain[-1].hash,
                 f"head {head.seq} does not follow the one before it")
            need(head.seq != last_good or head.hash == hash_of_it, "not the ones that a revocation calls good")
            chain.append(head)
        received = [received_s for _, received_s in shown]
        while last_good is not None and chain and chain[-1].seq > last_good:
            if received[len(chain) - 1] < revoked_ns // 10**9:
                break
            chain.pop()
        return chain

    def parse_head(self, device, envelope):
        signer, head, _ = open_signed(envelope, "mhp 1 head", HEAD, 4 * KIB)
        need(head.vault == self.id and head.device == device == signer, "signed by another than it names")
        need(head.seq >= 1 and (head.seq == 1) == (head.previous == bytes(32)), "its number and the one before it")
        need(len(head.sealed_root) <= KIB, "its root is too long")
        head.hash = blake3(envelope)
        return head
