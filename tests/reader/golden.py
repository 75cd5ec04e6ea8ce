# Takes the examples in tests/golden and shows what is in them, so that one can see it without the program's source.
import pathlib
import sys
import types

import homes
import segments
import tree
import vault
from hashes import derive_key
from keys import SIGNED
from wire import Message, need

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "golden" / "format1"
STATE = {
    "device_secret": Message(vault=(2, "id"), signing_seed=(3, "id"), x25519_secret=(4, "id")),
    "known_records": Message(records=(2, ["bytes"])),
    "seen_heads": Message(device=(2, "ids"), seq=(3, ["uint"]), hash=(4, "ids")),
    "taken_heads": Message(home=(2, "ids"), seq=(3, ["uint"]), hash=(4, "ids")),
    "unlisted_seen": Message(segment=(2, "ids"), first_seen_ns=(3, ["sfixed64"])),
}
MESSAGES = STATE | {
    "card": segments.CARD, "device_certificate": vault.CERTIFICATE, "head": vault.HEAD, "index_part": tree.INDEX_PART,
    "index_top": tree.INDEX_TOP, "page_list": tree.PAGE_LIST, "physical_ref": vault.REFERENCE,
    "reprieve": vault.TOMBSTONE, "revocation": vault.REVOCATION,
    "revocation_distrusted": vault.REVOCATION, "segment_directory": segments.DIRECTORY,
    "segment_directory_of_index": segments.DIRECTORY, "signed": SIGNED, "snapshot_part": tree.SNAPSHOT_PART,
    "tombstone": vault.TOMBSTONE, "tree_page": tree.TREE_PAGE, "vault_keys": vault.VAULT_KEYS,
    "vault_private": vault.VAULT_PRIVATE, "vault_private_with_clouds": vault.VAULT_PRIVATE,
    "vault_private_with_computers": vault.VAULT_PRIVATE,
    "vault_record": vault.VAULT_RECORD,
}


def example(name):
    return bytes.fromhex((FOLDER / f"{name}.hex").read_text())


def show(value, depth=1):
    """Fields one a line; long bytes cut."""
    for name, field in vars(value).items():
        if hasattr(field, "__dict__"):
            print("  " * depth + name)
            show(field, depth + 1)
        elif isinstance(field, list) and field and hasattr(field[0], "__dict__"):
            for one in field:
                print("  " * depth + name)
                show(one, depth + 1)
        else:
            fields = field if isinstance(field, list) else [field]
            print("  " * depth + name, *(one.hex() if isinstance(one, bytes) else one for one in fields))


def check_layouts():
    """The fixed layouts: hashes and lengths fit."""
    homes.check_hash(example("home_file"), "mhp 1 home file", "home_file")
    homes.check_hash(example("home_index"), "mhp 1 home index", "home_index")
    homes.check_hash(example("condemned_file"), "mhp 1 condemned file", "condemned_file")
    condemned = homes.parse_condemned(example("condemned_file"))
    need([(held, hold) for _, held, hold, _ in condemned] == [(86_400 * 10**9, 30 * 86_400 * 10**9)], "condemned_file")
    heads = example("heads_file")
    homes.parse_heads(heads, heads[16:48])
    former = homes.parse_former(example("former_records_file"), heads[16:48])[1]
    need([data for data, _, _ in former] == [b"\x09" * 5, b"\0"], "former_records_file")
    header = example("log_header")
    need(derive_key("mhp 1 log header", header[:80]) == header[80:112], "log_header")
    record = example("record")
    front_bytes = int.from_bytes(record[20:24], "little")
    front_hash = derive_key("mhp 1 record front", record[:96], record[160:front_bytes])
    need(front_hash == record[96:128], "record")
    tree.parse_page(example("tree_page"))


class Listed:
    """An index with three chunks of a file, and the two lists that name them."""
    chunks = {b"a" * 32: b"A", b"b" * 32: b"B", b"c" * 32: b"C", b"1" * 32: b"a" * 32 + b"b" * 32, b"2" * 32: b"c" * 32}

    def chunk(self, chunk):
        return self.chunks[chunk]


def check_lists():
    """Files with so many chunks that they need lists are too big for a test of the whole."""
    entry = types.SimpleNamespace(chunks=[b"1" * 32, b"2" * 32], extra=types.SimpleNamespace(chunks_are_lists=True))
    need(b"".join(tree.content_chunks(Listed(), entry)) == b"ABC", "lists of chunks")


def main():
    for name, message in sorted(MESSAGES.items()):
        parsed = message.parse(example(name))
        if "--show" in sys.argv:
            print(name)
            show(parsed)
    check_layouts()
    check_lists()
    print(f"{len(MESSAGES)} messages and 8 layouts of {FOLDER.name} are as the documents say")


if __name__ == "__main__":
    main()
