# The index, the snapshots and their trees (docs/formats/index.md, tree.md).
import typing

from segments import DIRECTORY, SIZE_CLASSES, check_directory, directory_of
from wire import Damaged, Message, TooFew, need, same_lengths, split_ids

INDEX_TOP = Message(part_segment=(2, "ids"), part_chunk=(3, "ids"), snapshot_part_segment=(4, "ids"),
                    snapshot_part_chunk=(5, "ids"), seen_device=(6, "ids"), seen_seq=(7, ["uint"]),
                    seen_hash=(8, "ids"))
INDEXED_SEGMENT = Message(stored=False, segment=(1, "id"), plain_bytes=(2, "uint"), epoch=(3, "uint"),
                          directory=(4, DIRECTORY))
INDEX_PART = Message(segments=(2, [INDEXED_SEGMENT]))
SNAPSHOT = Message(stored=False, id=(1, "id"), time_ns=(2, "sfixed64"), host=(3, "bytes"), paths=(4, ["bytes"]),
                   tags=(5, ["bytes"]), files=(6, "uint"), bytes=(7, "uint"), unreadable=(8, "uint"),
                   page_list=(9, "id"))
SNAPSHOT_PART = Message(snapshots=(2, [SNAPSHOT]), forgotten=(3, "ids"), forgotten_ns=(4, ["sfixed64"]))
PATHS = Message(stored=False, shared_bytes=(1, ["uint"]), rest_bytes=(2, ["uint"]), rest=(3, "bytes"))
EXTRA = Message(stored=False, entry=(1, "uint"), link_target=(2, "bytes"), hard_link_to=(3, "bytes"), rdev=(4, "uint"),
                xattr_name=(5, ["bytes"]), xattr_value=(6, ["bytes"]), extent_offset=(7, ["uint"]),
                extent_bytes=(8, ["uint"]), chunks_are_lists=(9, "bool"))
TREE_PAGE = Message(paths=(2, PATHS), kind=(3, "bytes"), mode=(4, ["uint"]), uid=(5, ["uint"]), gid=(6, ["uint"]),
                    mtime_ns=(7, ["sfixed64"]), size=(8, ["uint"]), chunk_count=(9, ["uint"]), chunks=(10, "ids"),
                    ctime_ns=(11, ["sfixed64"]), device=(12, ["uint"]), inode=(13, ["uint"]), extras=(14, [EXTRA]))
PAGE_LIST = Message(page=(2, "ids"), first_paths=(3, PATHS))
FILE, FOLDER, LINK, FIFO, CHARACTER_DEVICE, BLOCK_DEVICE, SOCKET = range(1, 8)
MIB = 1 << 20


class Entry(typing.NamedTuple):
    path: bytes
    kind: int
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    size: int
    chunks: list
    extra: object  # an EXTRA, or None


class Index:
    """Where each chunk lies, over the tops of all devices but those that another one was made from."""

    def __init__(self, segments, roots):
        self.segments, self.places, self.snapshots = segments, {}, {}
        forgotten = set()
        for top in self.tops(roots):
            for segment, chunk in zip(top.part_segment, top.part_chunk):
                for indexed in INDEX_PART.parse(self.chunk_in(segment, chunk)).segments:
                    self.take(indexed)
            for segment, chunk in zip(top.snapshot_part_segment, top.snapshot_part_chunk):
                part = SNAPSHOT_PART.parse(self.chunk_in(segment, chunk))
                same_lengths("forgotten snapshots", part.forgotten, part.forgotten_ns)
                self.snapshots |= {snapshot.id: snapshot for snapshot in part.snapshots}
                forgotten |= set(part.forgotten)
        self.snapshots = {id: snapshot for id, snapshot in self.snapshots.items() if id not in forgotten}

    def tops(self, roots):
        """Those that count. One that cannot be read is missed only where no other was made from it."""
        tops, problems, seen = {}, {}, set()
        for root in sorted(roots, key=lambda one: one.time_ns, reverse=True):
            if (root.device, root.seq, root.hash) in seen:
                continue
            try:
                top = tops[root] = INDEX_TOP.parse(self.chunk_in(root.segment, root.chunk))
            except (Damaged, TooFew) as problem:
                if not root.in_gap:
                    problems[root] = problem
                continue
            same_lengths("parts", top.part_segment, top.part_chunk)
            same_lengths("snapshot parts", top.snapshot_part_segment, top.snapshot_part_chunk)
            same_lengths("heads seen", top.seen_device, top.seen_seq, top.seen_hash)
            seen |= set(zip(top.seen_device, top.seen_seq, top.seen_hash))
        for root, problem in problems.items():
            if (root.device, root.seq, root.hash) not in seen:
                raise problem
        return [top for root, top in tops.items() if (root.device, root.seq, root.hash) not in seen]

    def take(self, indexed):
        need(indexed.directory is not None and indexed.plain_bytes in SIZE_CLASSES, "an indexed segment")
        directory = check_directory(indexed.directory, indexed.plain_bytes)
        for number, chunk in enumerate(directory.chunk_id):
            self.places.setdefault(chunk, []).append((indexed.segment, directory, number))

    def chunk_in(self, segment, chunk):
        """A chunk that is found by its segment's own directory."""
        directory = directory_of(self.segments.open(segment))
        need(chunk in directory.chunk_id, f"segment {segment.hex()[:8]} lacks a chunk that it is said to have")
        return self.segments.chunk(segment, directory, directory.chunk_id.index(chunk))

    def chunk(self, chunk):
        """A chunk that is found by the index: from any place that is whole."""
        problem = Damaged(f"chunk {chunk.hex()[:8]} is not in the index")
        for place in self.places.get(chunk, []):
            try:
                return self.segments.chunk(*place)
            except (Damaged, TooFew) as found:
                problem = found
        raise problem


def order_of(path):
    """Sorts paths as trees do: `/` before all other bytes."""
    return path.replace(b"/", b"\0")


def parse_paths(paths):
    same_lengths("paths", paths.shared_bytes, paths.rest_bytes)
    need(sum(paths.shared_bytes) + sum(paths.rest_bytes) <= 64 * MIB, "paths of more than 64 MiB")
    found, before, at = [], b"", 0
    for shared, length in zip(paths.shared_bytes, paths.rest_bytes):
        need(shared <= len(before) and 1 <= length <= len(paths.rest) - at, "a path's lengths")
        path = before[:shared] + paths.rest[at:at + length]
        check_path(path)
        need(not found or order_of(before) < order_of(path), "paths do not rise")
        found.append(path)
        before, at = path, at + length
    need(at == len(paths.rest), "something follows the last path")
    return found


def check_path(path):
    need(1 <= len(path) <= 65_535 and b"\0" not in path, "a path's bytes")
    need(not {b"", b".", b".."} & set(path.split(b"/")), "a path with an empty part, '.' or '..'")


def parse_page(data):
    """The entries of a tree page."""
    page = TREE_PAGE.parse(data, 4 * MIB)
    need(page.paths is not None, "a page without paths")
    paths = parse_paths(page.paths)
    columns = (page.kind, page.mode, page.uid, page.gid, page.mtime_ns, page.size, page.chunk_count)
    same_lengths("entries", paths, *columns, page.ctime_ns, page.device, page.inode)
    need(len(paths) <= 131_072 and sum(page.chunk_count) == len(page.chunks), "a page's numbers")
    numbers = [extra.entry for extra in page.extras]
    need(numbers == sorted(set(numbers)) and (not numbers or numbers[-1] < len(paths)), "extras do not rise")
    extras, entries, at = dict(zip(numbers, page.extras)), [], 0
    for number, (path, kind, mode, uid, gid, mtime_ns, size, count) in enumerate(zip(paths, *columns)):
        need(FILE <= kind <= SOCKET, f"an entry of kind {kind}")
        chunks, extra = page.chunks[at:at + count], extras.get(number)
        if extra is not None:
            check_extra(extra, kind, size)
        need(kind == FILE or not chunks, "content of something that is no file")
        entries.append(Entry(path, kind, mode, uid, gid, mtime_ns, size, chunks, extra))
        at += count
    return entries


def check_extra(extra, kind, size):
    same_lengths("extended attributes", extra.xattr_name, extra.xattr_value)
    same_lengths("extents", extra.extent_offset, extra.extent_bytes)
    need(kind == LINK or not extra.link_target, "the target of something that is no link")
    need(b"\0" not in extra.link_target and len(extra.link_target) <= 65_535, "a link's target")
    if extra.hard_link_to:
        check_path(extra.hard_link_to)
    for name in extra.xattr_name:
        need(1 <= len(name) <= 255 and b"\0" not in name, "an extended attribute's name")
    end = 0
    for offset, length in zip(extra.extent_offset, extra.extent_bytes):
        need(offset >= end and length > 0 and offset + length <= size, "extents do not rise, or end behind the file")
        end = offset + length


def entries_of(index, snapshot):
    """All entries of a snapshot, in order."""
    pages = PAGE_LIST.parse(index.chunk(snapshot.page_list))
    need(pages.first_paths is not None or not pages.page, "a page list without paths")
    first_paths = parse_paths(pages.first_paths) if pages.page else []
    same_lengths("pages", pages.page, first_paths)
    before = None
    for chunk, first_path in zip(pages.page, first_paths):
        entries = parse_page(index.chunk(chunk))
        need(entries and entries[0].path == first_path, "a page does not begin where its list says")
        need(before is None or order_of(before) < order_of(first_path), "pages do not rise")
        before = entries[-1].path
        yield from entries


def content_chunks(index, entry):
    """The chunks of a file, one after the other."""
    if entry.extra is not None and entry.extra.chunks_are_lists:
        for chunk in entry.chunks:
            yield from map(index.chunk, split_ids(index.chunk(chunk)))
    else:
        yield from map(index.chunk, entry.chunks)
