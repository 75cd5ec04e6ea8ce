// Pages of a snapshot, found by path.
#include "snapshot/page_reader.h"

#include <algorithm>

namespace mhp::snapshot {

bool lies_in(std::string_view path, std::string_view folder) {
  if (folder.empty()) return true;
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

std::string entry_path(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path);
}

Task<Result<wire::PageList>> read_page_list(vault::Vault& vault, ChunkId id) {
  MHP_CO_TRY(Bytes bytes, co_await vault.read(id));
  co_return wire::parse_page_list(bytes);
}

Task<Result<wire::TreePage>> read_page(vault::Vault& vault, ChunkId id) {
  MHP_CO_TRY(Bytes bytes, co_await vault.read(id));
  co_return wire::parse_tree_page(bytes);
}

Task<Result<void>> PageReader::open(wire::SnapshotRecord record, std::string from) {
  from_ = std::move(from);
  MHP_CO_TRY(list_, co_await read_page_list(vault_, record.page_list));
  auto behind = std::ranges::upper_bound(
      list_.pages, from_, [](const std::string& a, const std::string& b) { return wire::compare_paths(a, b) < 0; },
      &wire::PageRef::first_path);
  at_ = behind == list_.pages.begin() ? 0 : static_cast<std::size_t>(behind - list_.pages.begin()) - 1;
  co_return Result<void>();
}

Task<Result<std::shared_ptr<wire::TreePage>>> PageReader::next() {
  while (at_ < list_.pages.size()) {
    const wire::PageRef& ref = list_.pages[at_++];
    bool behind = wire::compare_paths(ref.first_path, from_) > 0 && !lies_in(ref.first_path, from_);
    if (behind) break;
    auto page = std::make_shared<wire::TreePage>();
    MHP_CO_TRY(*page, co_await read_page(vault_, ref.page));
    if (!from_.empty()) std::erase_if(page->entries, [this](const auto& entry) { return !lies_in(entry.path, from_); });
    if (!page->entries.empty()) co_return page;
  }
  at_ = list_.pages.size();
  co_return std::shared_ptr<wire::TreePage>();
}

Task<Result<wire::TreeEntry>> read_entry(vault::Vault& vault, wire::SnapshotRecord record, std::string path) {
  PageReader reader(vault);
  MHP_CO_TRY_VOID(co_await reader.open(std::move(record), path));
  MHP_CO_TRY(auto page, co_await reader.next());
  if (!page || page->entries.front().path != path)
    co_return fail(Errc::not_found, "/" + path + ": not in this snapshot");
  co_return std::move(page->entries.front());
}

Result<std::vector<ChunkId>> parse_chunk_list(ByteView bytes) {
  if (bytes.empty() || bytes.size() % ChunkId::kSizeBytes != 0)
    return fail(Errc::corrupt, "a list of chunks is damaged");
  std::vector<ChunkId> ids;
  ids.reserve(bytes.size() / ChunkId::kSizeBytes);
  for (std::size_t at = 0; at < bytes.size(); at += ChunkId::kSizeBytes)
    ids.push_back(ChunkId::from_bytes(bytes.subspan(at, ChunkId::kSizeBytes)));
  return ids;
}

}  // namespace mhp::snapshot
