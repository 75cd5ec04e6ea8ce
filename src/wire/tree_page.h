// A snapshot's tree: entries in path order, cut into pages that deduplicate, and the list of pages.
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "wire/limits.h"

namespace mhp::wire {

enum class EntryKind : std::uint8_t { file = 1, folder, symlink, fifo, char_device, block_device, socket };

struct EntryXattr {
  std::string name{};
  Bytes value{};
  friend bool operator==(const EntryXattr&, const EntryXattr&) = default;
};

struct EntryExtent {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  friend bool operator==(const EntryExtent&, const EntryExtent&) = default;
};

/// One file, folder, link ... with all it has. Paths are bytes, absolute without the first "/": "home/ann/photo.jpg".
/// Order of entries: component by component, so that a folder stands before what is in it and its content follows
/// without a gap.
struct TreeEntry {
  std::string path{};
  EntryKind kind = EntryKind::file;
  std::uint32_t mode = 0;
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t mtime_ns = 0;
  std::uint64_t size = 0;
  std::uint64_t rdev = 0;
  std::string link_target{};   // of a symlink
  std::string hard_link_to{};  // path of the first entry of this group, which stands earlier and has the content
  std::vector<EntryXattr> xattrs{};
  std::vector<EntryExtent> extents{};  // of a file with holes: its data; the chunks run over them. Empty: no holes
  std::vector<ChunkId> chunks{};       // of the content; where chunks_are_lists, of lists of chunk ids (32 bytes each)
  bool chunks_are_lists = false;
  // Only to see that a file has not changed since; mean nothing elsewhere.
  std::int64_t ctime_ns = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  friend bool operator==(const TreeEntry&, const TreeEntry&) = default;
};

struct TreePage {
  std::vector<TreeEntry> entries{};
  friend bool operator==(const TreePage&, const TreePage&) = default;
};

struct PageRef {
  ChunkId page{};
  std::string first_path{};
  friend bool operator==(const PageRef&, const PageRef&) = default;
};

struct PageList {
  std::vector<PageRef> pages{};
  friend bool operator==(const PageList&, const PageList&) = default;
};

/// -1, 0, 1 in the order of entries: "a" < "a/b" < "a.b".
int compare_paths(std::string_view a, std::string_view b);

/// What parse_tree_page would refuse in this entry alone (all but its place in the order): ask before you store it.
/// Errors: invalid.
Result<void> check_entry(const TreeEntry& entry);

Bytes encode(const TreePage&);
Bytes encode(const PageList&);
/// Checks order and that no path is absolute, empty, or has "", "." or ".." as a part.
Result<TreePage> parse_tree_page(ByteView bytes);
Result<PageList> parse_page_list(ByteView bytes);

}  // namespace mhp::wire
