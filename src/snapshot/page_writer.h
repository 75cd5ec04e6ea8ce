// Cuts a stream of entries into pages that stay the same where the tree stays the same.
#pragma once

#include <deque>

#include "primitives/hash/blake3.h"
#include "vault/vault.h"
#include "wire/tree_page.h"

namespace mhp::snapshot {

/// The place of an entry that is exactly as in a page that is stored: entry `index` of `count`. None: count 0.
struct PageOrigin {
  ChunkId page{};
  std::size_t index = 0;
  std::size_t count = 0;
};

/// A page ends before an entry whose path says so by a keyed hash, once it has 64 KiB, or at 1 MiB. So a file that
/// comes, goes or changes touches one page, seldom two. A page whose entries are all those of a stored one, and no
/// others, is that one: it is not written again. One thread at a time; holds the page it fills and what store() has not
/// taken yet.
class PageWriter {
 public:
  static constexpr std::size_t kMinPageBytes = 64_KiB;
  static constexpr std::size_t kMaxPageBytes = 1_MiB;
  explicit PageWriter(const primitives::Key& key) : key_(key) {}
  /// In entry order.
  void add(wire::TreeEntry entry, const PageOrigin& origin = {});
  /// No more entries come.
  void end() { cut(); }
  /// Encoded bytes that wait to be stored.
  std::size_t waiting_bytes() const { return waiting_bytes_; }
  /// Stores what waits, page by page, as far as it fits; true when nothing is left.
  bool store(vault::Packer& packer);
  /// All pages; after the last store().
  const wire::PageList& list() const { return list_; }

 private:
  struct Waiting {
    Bytes bytes;  // empty where it is stored already
    ChunkId stored;
    std::string first_path;
  };
  void cut();

  primitives::Key key_;
  wire::TreePage page_;
  std::size_t page_bytes_ = 0;  // estimate
  PageOrigin origin_;           // of the first entry of page_, while all others followed it there; else none
  std::deque<Waiting> waiting_;
  std::size_t waiting_bytes_ = 0;
  wire::PageList list_;
};

/// About how much an entry takes in a page.
std::size_t page_bytes_of(const wire::TreeEntry& entry);

}  // namespace mhp::snapshot
