// Goes through a snapshot's pages from any path on.
#pragma once

#include <memory>
#include <string>

#include "vault/vault.h"
#include "wire/tree_page.h"

namespace mhp::snapshot {

/// True where `path` is `folder` or lies below it; everything does in "".
bool lies_in(std::string_view path, std::string_view folder);
/// "/home/ann/" -> "home/ann": as entries have it.
std::string entry_path(std::string_view path);

/// One page at a time; pages before the path are not read. Loop thread.
class PageReader {
 public:
  /// `vault` is borrowed.
  explicit PageReader(vault::Vault& vault) : vault_(vault) {}
  /// The next page is the one that holds `from` and what is below it. Errors: those of reading; corrupt.
  Task<Result<void>> open(wire::SnapshotRecord record, std::string from);
  /// Entries of the next page that lie in `from`; null at the end.
  Task<Result<std::shared_ptr<wire::TreePage>>> next();

 private:
  vault::Vault& vault_;
  std::string from_;
  wire::PageList list_;
  std::size_t at_ = 0;
};

/// One chunk that holds pages: the list of a snapshot, or a page of it.
Task<Result<wire::PageList>> read_page_list(vault::Vault& vault, ChunkId id);
Task<Result<wire::TreePage>> read_page(vault::Vault& vault, ChunkId id);
/// The entry of exactly this path. Errors: not_found.
Task<Result<wire::TreeEntry>> read_entry(vault::Vault& vault, wire::SnapshotRecord record, std::string path);
/// Chunk ids of one list chunk. Errors: corrupt.
Result<std::vector<ChunkId>> parse_chunk_list(ByteView bytes);

}  // namespace mhp::snapshot
