# From the phrase and homes to keys and heads (docs/formats/vault-record.md, head.md).
import collections
import typing

from hashes import blake3, derive_key
from keys import by_trial, open_box, open_box_to, open_signed
from wire import Damaged, Message, TooFew, need, same_lengths

CERTIFICATE = Message(vault=(2, "id"), device=(3, "id"), x25519=(4, "id"), created_ns=(5, "sfixed64"))
REVOCATION = Message(vault=(2, "id"), device=(3, "id"), last_good_seq=(4, "uint"), last_good=(5, "id"),
                     time_ns=(6, "sfixed64"), distrusted=(7, "bool"))
# Of a reprieve, too.
TOMBSTONE = Message(vault=(2, "id"), device=(3, "id"), time_ns=(4, "sfixed64"), segments=(5, "ids"))
KEY_WRAP = Message(stored=False, recipient=(1, "id"), sealed=(2, "bytes"), epoch=(3, "uint"), for_recovery=(4, "bool"))
VAULT_RECORD = Message(vault=(2, "id"), version=(3, "uint"), identity=(4, "id"), recovery_x25519=(5, "id"),
                       devices=(6, ["bytes"]), revocations=(7, ["bytes"]), wraps=(8, [KEY_WRAP]),
                       sealed_private=(9, "bytes"), time_ns=(10, "sfixed64"), device=(11, "id"), epoch=(12, "uint"))
VAULT_KEYS = Message(epochs=(2, ["uint"]), data_keys=(3, "ids"), dedup_secret=(4, "id"), chunker_secret=(5, "id"),
                     record_keys=(6, "ids"))
HOME_ENTRY = Message(stored=False, id=(1, "id"), name=(2, "bytes"), kind=(3, "uint"), path=(4, "bytes"),
                     same_disk=(5, "bool"), max_used_bytes=(6, "uint"), min_free_bytes=(7, "uint"),
                     member=(8, "bytes"), cloud=(9, "bytes"), addresses=(10, ["bytes"]), changed_ns=(11, "sfixed64"))
REMOVED_HOME = Message(stored=False, id=(1, "id"), changed_ns=(2, "sfixed64"))
MEMBERSHIP = Message(stored=False, cloud=(1, "id"), member_secret=(2, "id"), name=(3, "bytes"),
                     changed_ns=(4, "sfixed64"))
LEFT_CLOUD = Message(stored=False, cloud=(1, "id"), changed_ns=(2, "sfixed64"))
VAULT_PRIVATE = Message(name=(2, "bytes"), level=(3, "uint"), homes=(4, [HOME_ENTRY]), name_changed_ns=(5, "sfixed64"),
                        level_changed_ns=(6, "sfixed64"), removed=(7, [REMOVED_HOME]),
                        clouds=(8, [MEMBERSHIP]), left_clouds=(9, [LEFT_CLOUD]))
HEAD = Message(vault=(2, "id"), device=(3, "id"), seq=(4, "uint"), previous=(5, "id"), vault_record=(6, "id"),
               time_ns=(7, "sfixed64"), sealed_root=(8, "bytes"), epoch=(9, "uint"), vault_record_version=(10, "uint"))
REFERENCE = Message(segment=(2, "id"), chunk=(3, "id"))
KIB = 1 << 10


class Revoked(typing.NamedTuple):
    """Up to where a device that is shut out is believed, by one recovery."""
    seq: int
    hash: bytes
    time_ns: int
    distrusted: bool


class Cut:
    """What several revocations of one device say together."""

    def __init__(self, revocations):
        distrusted = {one for one in revocations if one.distrusted}
        counting, holding = (distrusted, min) if distrusted else (revocations, max)
        self.last_good = holding(one.seq for one in counting)
        self.time_s = holding(one.time_ns for one in counting) // 10**9
        self.named = {}
        for one in counting:
            self.named.setdefault(one.seq, set()).add(one.hash)

    def is_named(self, head):
        return head.hash in self.named.get(head.seq, ())

    def in_time(self, head):
        return head.received_s <= self.time_s

    def apply(self, chain):
        """What is left of a home's chain."""
        length = len(chain)
        while length and chain[length - 1].seq > self.last_good and not self.in_time(chain[length - 1]):
            length -= 1
        at_last_good = [head for head in chain[:length] if head.seq in self.named]
        if at_last_good and not any(map(self.is_named, at_last_good)):
            return []
        return chain[:length]

    def good_of(self, chain):
        """Up to the highest named head that it has."""
        named = [at for at, head in enumerate(chain) if self.is_named(head)]
        return chain[:named[-1] + 1] if named else []

    def beside_good(self, chain, good):
        """What is left of a chain that may contradict what is good (number -> hashes)."""
        against = next((head.seq for head in chain if head.seq in good and head.hash not in good[head.seq]), None)
        length = len(chain)
        while against and length and chain[length - 1].seq >= against:
            head = chain[length - 1]
            if head.hash in good.get(head.seq, ()) or self.in_time(head):
                break
            length -= 1
        return chain[:length]


class Root(typing.NamedTuple):
    """Where a device's newest head says that the index begins."""
    device: bytes
    seq: int
    hash: bytes
    time_ns: int
    segment: bytes
    chunk: bytes
    in_gap: bool  # may be an older one of another root's history, and not be readable any more


def parse_record(data, identity):
    """A vault record whose parts are all signed by whom they must be; .certified (device -> when) and .revoked (device
    -> revocations) are filled in."""
    signer, record, _ = open_signed(data, "mhp 1 vault record", VAULT_RECORD, 1 << 20)
    need(record.vault == identity.vault and derive_key("mhp 1 vault id", record.identity) == record.vault,
         "a vault record of another vault")
    need(record.version >= 1 and record.epoch >= 1, "its version or epoch")
    need(record.recovery_x25519 == identity.recovery_public, "it is for another phrase")
    record.certified, record.revoked, keys = {}, {}, set()
    for data_of_one in record.devices:
        by, certificate, _ = open_signed(data_of_one, "mhp 1 device certificate", CERTIFICATE, KIB)
        need(by == record.identity and certificate.vault == record.vault, "a certificate not of this identity")
        record.certified[certificate.device] = certificate.created_ns
        keys.add(certificate.x25519)
    for data_of_one in record.revocations:
        by, revocation, _ = open_signed(data_of_one, "mhp 1 revocation", REVOCATION, KIB)
        need(by == record.identity and revocation.vault == record.vault, "a revocation not of this identity")
        need((revocation.last_good_seq == 0) == (revocation.last_good == bytes(32)), "a revocation's last good head")
        last_good = Revoked(revocation.last_good_seq, revocation.last_good, revocation.time_ns, revocation.distrusted)
        record.revoked.setdefault(revocation.device, set()).add(last_good)
    for wrap in record.wraps:
        need(wrap.recipient in ({record.recovery_x25519} if wrap.for_recovery else keys), "keys wrapped for a stranger")
    record.hash = blake3(data)
    need(signer == record.device, "a vault record that its author did not sign")
    need(signer in record.certified and signer not in record.revoked, "a vault record by someone who may not write one")
    return record


def all_records(homes, identity, warn):
    """Every genuine vault record that a home has, those too that newer ones have replaced: these may be false."""
    records = {}
    for home in homes:
        for device, data in [*home.vault_records(identity.vault).items(), *home.former_records(identity.vault)]:
            try:
                record = parse_record(data, identity)
                need(record.device == device, "it is of another device than its name says")
                records[record.hash] = record
            except Damaged as problem:
                warn(f"{home.name()}: vault record of device {device.hex()[:8]}: {problem}")
    if not records:
        raise TooFew("none of these homes has a record of the vault of this phrase")
    return list(records.values())


def open_keys(record, identity):
    """The VaultKeys of one record, the newest first: that of the highest epoch is its author's word."""
    wraps = [wrap for wrap in record.wraps if wrap.for_recovery and wrap.recipient == identity.recovery_public]
    problem, opened = Damaged("the vault record has no keys for this phrase"), []
    for wrap in sorted(wraps, key=lambda one: one.epoch, reverse=True):
        try:
            plain = open_box_to(identity.recovery_secret, wrap.sealed, b"mhp 1 wrap recovery", record.vault,
                                wrap.epoch.to_bytes(4, "little"))
            keys = VAULT_KEYS.parse(plain, 24 * KIB)
            same_lengths("keys of epochs", keys.epochs, keys.data_keys, keys.record_keys)
            need(keys.epochs and keys.epochs == sorted(set(keys.epochs)), "epochs do not rise")
            need(keys.epochs[-1] == wrap.epoch, "a wrap is of another epoch than it says")
            opened.append(keys)
        except Damaged as found:
            problem = found
    if not opened:
        raise problem
    return opened


class Keys:
    """All that records give. Of several keys of one epoch, or secrets, one is right, and only what was sealed shows
    which: those that opened something are tried first."""

    def __init__(self):
        self.record_keys, self.data_keys, self.dedup_secrets = {}, {}, []

    def take(self, keys):
        for epoch, data_key, record_key in zip(keys.epochs, keys.data_keys, keys.record_keys):
            for known, key in ((self.data_keys, data_key), (self.record_keys, record_key)):
                if key not in known.setdefault(epoch, []):
                    known[epoch].append(key)
        if keys.dedup_secret not in self.dedup_secrets:
            self.dedup_secrets.append(keys.dedup_secret)


def open_private(record, keys):
    """What the owner alone sees of a record."""
    plain = by_trial(keys.record_keys.get(record.epoch, []), "the private part of a vault record",
                     lambda key: open_box(key, record.sealed_private, b"mhp 1 vault private", record.vault,
                                          record.device, record.version.to_bytes(8, "little")))
    return VAULT_PRIVATE.parse(plain, 512 * KIB)


def conflict(chain, other):
    """True where both have a head of one number, and not the same."""
    hashes = {head.seq: head.hash for head in chain}
    return any(hashes.get(head.seq, head.hash) != head.hash for head in other)


def only_behind(chain, other):
    """True where the newest of the lower one is in the other, or just before what is."""
    low, high = sorted((chain, other), key=lambda one: one[-1].seq)
    after = {head.seq: head for head in high}.get(low[-1].seq + 1)
    return not conflict(low, high) and (any(head.hash == low[-1].hash for head in high)
                                        or (after is not None and after.previous == low[-1].hash))


def joined(chain, other):
    """All heads of two chains of one history, rising."""
    return sorted({head.hash: head for head in chain + other}.values(), key=lambda head: head.seq)


class Joined:
    """All records of a vault together. .certified and .revoked as in a record; .keys: all that any of them gives;
    .homes: the newest word on each."""

    def __init__(self, homes, identity, warn):
        records = all_records(homes, identity, warn)
        self.certified, self.revoked, self.keys = {}, {}, Keys()
        for record in records:
            self.certified |= record.certified
            for device, last_good in record.revoked.items():
                self.revoked.setdefault(device, set()).update(last_good)
        order = sorted(records, key=lambda one: (one.device in self.revoked, self.certified[one.device], one.device,
                                                 one.version, one.hash))
        self.join_keys(order, identity, warn)
        standing = self.join_homes([one for one in order if one.device not in self.revoked], warn)
        self.homes = (self.join_homes(order, warn) if standing is None else standing) or []

    def join_keys(self, order, identity, warn):
        """First what more devices say of their own accord: one that was stolen has one voice."""
        problem, words, carried, voices = None, [], [], collections.defaultdict(set)
        for record in order:
            try:
                own, *others = open_keys(record, identity)
            except Damaged as found:
                problem = found
                warn(f"vault record of device {record.device.hex()[:8]}: {found}")
                continue
            for word in zip(own.epochs, own.data_keys, own.record_keys):
                voices[word].add(record.device)
            words.append(own)
            carried += others
        if not words:
            raise problem
        words.sort(key=lambda keys: min(len(voices[word])
                                        for word in zip(keys.epochs, keys.data_keys, keys.record_keys)), reverse=True)
        for keys in words + carried:
            self.keys.take(keys)

    def join_homes(self, order, warn):
        """None where none of the records opens."""
        changes, opened = {}, False  # home -> (time, author, entry or None)
        for record in reversed(order):
            try:
                private = open_private(record, self.keys)
            except Damaged as problem:
                warn(f"vault record of device {record.device.hex()[:8]}: {problem}")
                continue
            opened = True
            said = [(home.id, home.changed_ns, home) for home in private.homes]
            said += [(home.id, home.changed_ns, None) for home in private.removed]
            for home, changed_ns, entry in said:
                if home not in changes or (changed_ns, record.device) > changes[home][:2]:
                    changes[home] = (changed_ns, record.device, entry)
        return [entry for _, _, entry in changes.values() if entry is not None] if opened else None


class Vault:
    """Keys, devices and the list of homes."""

    def __init__(self, homes, identity, warn):
        self.homes, self.id, self.warn = homes, identity.vault, warn
        self.record = Joined(homes, identity, warn)
        self.keys = self.record.keys
        here = {home.id for home in homes}
        for entry in self.record.homes:
            if entry.id not in here:
                places = [entry.path, *entry.addresses] if entry.path else entry.addresses
                where = b", ".join(places).decode(errors="backslashreplace")
                warn(f"home {entry.id.hex()[:8]} is not among the given ones; it was last seen at {where}")

    def roots(self):
        """Of each device the root in its highest valid head; of one with two histories that of each."""
        roots = []
        for device in sorted(self.record.certified):
            for head, in_gap in self.newest_heads(device):
                root = self.root_of(head)
                roots.append(Root(device, head.seq, head.hash, head.time_ns, root.segment, root.chunk, in_gap))
        if not roots:
            raise TooFew("none of these homes has a head of this vault: nothing was ever saved, or it lies elsewhere")
        return roots

    def root_of(self, head):
        plain = by_trial(self.keys.record_keys.get(head.epoch, []), f"head {head.seq}",
                         lambda key: open_box(key, head.sealed_root, b"mhp 1 root", self.id, head.device,
                                              head.seq.to_bytes(8, "little")))
        return REFERENCE.parse(plain, KIB)

    def newest_heads(self, device):
        """The highest that is valid, of two with one number the one that more homes show; then those of second
        histories, each with whether it may as well be an older one of the first. Who shows others is named."""
        cut = Cut(self.record.revoked[device]) if device in self.record.revoked else None
        chains = {}
        for home in self.homes:
            try:
                chain = self.chain_of(home, device, cut)
                if chain:
                    chains[home] = chain
            except Damaged as problem:
                self.warn(f"{home.name()}: heads of device {device.hex()[:8]}: {problem}")
        if cut is not None:
            chains = self.without_late_branches(device, cut, chains)
        if not chains:
            return []
        newest = [chain[-1] for chain in chains.values()]
        best = max(newest, key=lambda head: (head.seq, newest.count(head), head.hash))
        believed = next(chain for chain in chains.values() if chain[-1] == best)
        left, before = list(chains.values()), None
        while before != len(left):  # what one chain has may show that another is of the same history
            before = len(left)
            for other in [one for one in left if only_behind(one, believed)]:
                believed = joined(believed, other)
                left.remove(other)
        histories = []
        for home, other in chains.items():
            if any(other is one for one in left):
                if conflict(other, believed) and (cut is None or not cut.is_named(other[-1])):
                    self.warn(f"{home.name()} shows another head of device {device.hex()[:8]} than is believed: a fork")
                same = next((at for at, one in enumerate(histories) if only_behind(other, one)), len(histories))
                histories[same:same + 1] = [max(histories[same:same + 1] + [other], key=lambda chain: chain[-1].seq)]
            elif other[-1].seq < best.seq and (cut is None or other[-1].seq < cut.last_good):
                self.warn(f"{home.name()} has head {other[-1].seq} of {best.seq} of device {device.hex()[:8]}")
        return [(best, False)] + [(chain[-1], not conflict(chain, believed)) for chain in histories]

    def without_late_branches(self, device, cut, chains):
        """Who is shut out can still sign a second history below its last good head: what came in time stays."""
        good, left = collections.defaultdict(set), {}
        for chain in chains.values():
            for head in cut.good_of(chain):
                good[head.seq].add(head.hash)
        for home, chain in chains.items():
            left[home] = cut.beside_good(chain, good)
            if len(left[home]) < len(chain):
                self.warn_late(home, device, chain)
        return {home: chain for home, chain in left.items() if chain}

    def warn_late(self, home, device, chain):
        self.warn(f"{home.name()} has head {chain[-1].seq} of device {device.hex()[:8]}, which came after that was "
                  "shut out: it is left out")

    def chain_of(self, home, device, cut):
        """What one home has of a device, as far as it is believed where it was shut out. All of it must be right."""
        shown = home.heads(self.id).get(device, [])
        chain = []
        for envelope, received_s in shown:
            head = self.parse_head(device, envelope)
            head.received_s = received_s
            need(not chain or head.seq > chain[-1].seq, f"head {head.seq} does not rise")
            need(not chain or head.seq > chain[-1].seq + 1 or head.previous == chain[-1].hash,
                 f"head {head.seq} does not follow the one before it")
            chain.append(head)
        if cut is None:
            return chain
        left = cut.apply(chain)
        if len(left) < len(chain):
            self.warn_late(home, device, chain)
        return left

    def parse_head(self, device, envelope):
        signer, head, _ = open_signed(envelope, "mhp 1 head", HEAD, 4 * KIB)
        need(head.vault == self.id and head.device == device == signer, "signed by another than it names")
        need(head.seq >= 1 and (head.seq == 1) == (head.previous == bytes(32)), "its number and the one before it")
        need(len(head.sealed_root) <= KIB, "its root is too long")
        head.hash = blake3(envelope)
        return head
