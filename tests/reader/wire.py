# Reads Protocol Buffers by field numbers, and what all structured messages have in common (docs/formats/README.md).
import struct
import types

FORMAT = 1
VARINT, EIGHT_BYTES, LENGTH_DELIMITED, FOUR_BYTES = 0, 1, 2, 5
# Kind of a field -> the wire type of one value, and what a missing one is.
KINDS = {"uint": (VARINT, 0), "bool": (VARINT, False), "sfixed64": (EIGHT_BYTES, 0), "bytes": (LENGTH_DELIMITED, b""),
         "id": (LENGTH_DELIMITED, b""), "ids": (LENGTH_DELIMITED, b"")}
PACKED = {"uint", "sfixed64"}


class Damaged(Exception):
    """Bytes that are not what the format demands, or that do not check."""


class TooFew(Exception):
    """Not enough homes or fragments are here."""


def need(holds, what):
    if not holds:
        raise Damaged(what)


def le(data, at, size):
    """The unsigned little-endian number in `size` bytes."""
    return int.from_bytes(data[at:at + size], "little")


def split_ids(column):
    need(len(column) % 32 == 0, "a column of ids is no multiple of 32 bytes")
    return [column[at:at + 32] for at in range(0, len(column), 32)]


def same_lengths(what, *columns):
    need(len({len(column) for column in columns}) == 1, f"{what}: columns whose lengths do not fit")


def varint(data, at):
    value = shift = 0
    while True:
        need(at < len(data) and shift < 70, "a number is cut off or too long")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value & 0xFFFFFFFFFFFFFFFF, at


def raw_fields(data):
    """Each field as (number, wire type, value); what is not a varint as its bytes."""
    at = 0
    while at < len(data):
        tag, at = varint(data, at)
        wire_type = tag & 7
        known = wire_type in (VARINT, EIGHT_BYTES, LENGTH_DELIMITED, FOUR_BYTES)
        need(tag >> 3 > 0 and known, f"a field's tag is {tag}")
        if wire_type == VARINT:
            value, at = varint(data, at)
        else:
            size = {EIGHT_BYTES: 8, FOUR_BYTES: 4}.get(wire_type)
            if size is None:
                size, at = varint(data, at)
            need(at + size <= len(data), "a field is longer than its message")
            value, at = data[at:at + size], at + size
        yield tag >> 3, wire_type, value


def packed(kind, data):
    if kind == "sfixed64":
        need(len(data) % 8 == 0, "a packed list is cut off")
        return list(struct.unpack(f"<{len(data) // 8}q", data))
    values, at = [], 0
    while at < len(data):
        value, at = varint(data, at)
        values.append(value)
    return values


class Message:
    """The fields of a message: name=(number, kind); a kind is one of KINDS, another Message, or a list of one of these.
    A stored message begins with the format number."""

    def __init__(self, stored=True, **fields):
        self.stored, self.names = stored, {number: (name, kind) for name, (number, kind) in fields.items()}

    def parse(self, data, limit=16 << 20):
        """An object with all fields. `limit`: of its length in bytes."""
        need(len(data) <= limit, f"a message of {len(data)} bytes, at most {limit}")
        found, format_number = types.SimpleNamespace(), None
        for name, kind in self.names.values():
            nested = isinstance(kind, Message)
            setattr(found, name, [] if isinstance(kind, list) else None if nested else KINDS[kind][1])
        for number, wire_type, value in raw_fields(data):
            if number == 1 and self.stored:
                need(wire_type == VARINT, "the format is no number")
                format_number = value
            elif number in self.names:
                self.take(found, *self.names[number], wire_type, value)
        if self.stored:
            need(format_number is not None, "a message without format number")
            need(format_number == FORMAT, f"written by a newer mhp: format {format_number}")
        for name, kind in self.names.values():
            need(kind != "id" or len(getattr(found, name)) == 32, f"{name} has not 32 bytes")
            if kind == "ids":
                setattr(found, name, split_ids(getattr(found, name)))
        return found

    @staticmethod
    def take(found, name, kind, wire_type, value):
        repeated = isinstance(kind, list)
        kind = kind[0] if repeated else kind
        if repeated and kind in PACKED and wire_type == LENGTH_DELIMITED:
            getattr(found, name).extend(packed(kind, value))
            return
        wanted = LENGTH_DELIMITED if isinstance(kind, Message) else KINDS[kind][0]
        need(wire_type == wanted, f"{name} has wire type {wire_type}")
        if isinstance(kind, Message):
            value = kind.parse(value)
        elif kind == "sfixed64":
            value = struct.unpack("<q", value)[0]
        elif kind == "bool":
            value = bool(value)
        if repeated:
            getattr(found, name).append(value)
        else:
            setattr(found, name, value)
