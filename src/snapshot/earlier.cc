// Reading an earlier snapshot page by page, in step with a scan.
#include "snapshot/earlier.h"

#include <algorithm>

namespace mhp::snapshot {

const wire::SnapshotRecord* earlier_snapshot(const std::vector<wire::SnapshotRecord>& snapshots,
                                             const std::string& host, const std::vector<std::string>& paths) {
  auto same = std::ranges::find_if(snapshots.rbegin(), snapshots.rend(),
                                   [&](const auto& one) { return one.host == host && one.paths == paths; });
  if (same != snapshots.rend()) return &*same;
  return snapshots.empty() ? nullptr : &snapshots.back();
}

Task<Result<void>> EarlierTree::open(wire::SnapshotRecord record) {
  MHP_CO_TRY(Bytes bytes, co_await vault_.read(record.page_list));
  MHP_CO_TRY(list_, wire::parse_page_list(bytes));
  co_return Result<void>();
}

Task<std::shared_ptr<wire::TreePage>> EarlierTree::read_page(ChunkId id) {
  auto bytes = co_await vault_.read(id);
  auto parse = [&bytes] {
    auto page = std::make_shared<wire::TreePage>();
    if (!bytes) return page;
    auto parsed = wire::parse_tree_page(*bytes);
    if (parsed) *page = std::move(*parsed);
    return page;
  };
  co_return co_await platform_.workers().run(parse);
}

Task<std::vector<EarlierSlice>> EarlierTree::take(std::string first, std::string last) {
  std::vector<EarlierSlice> slices;
  while (at_page_ < list_.pages.size()) {
    bool is_last = at_page_ + 1 == list_.pages.size();
    bool before = !is_last && wire::compare_paths(list_.pages[at_page_ + 1].first_path, first) <= 0;
    if (!before) {
      if (wire::compare_paths(list_.pages[at_page_].first_path, last) > 0) break;
      if (!page_) page_ = co_await read_page(list_.pages[at_page_].page);
      const auto& entries = page_->entries;
      auto begin = entries.begin() + static_cast<std::ptrdiff_t>(at_entry_);
      auto end =
          std::upper_bound(begin, entries.end(), last, [](const std::string& path, const wire::TreeEntry& entry) {
            return wire::compare_paths(path, entry.path) < 0;
          });
      std::size_t end_entry = static_cast<std::size_t>(end - entries.begin());
      if (end_entry > at_entry_) slices.push_back({page_, at_entry_, end_entry});
      at_entry_ = end_entry;
      if (at_entry_ < entries.size()) break;
    }
    ++at_page_;
    page_.reset();
    at_entry_ = 0;
  }
  co_return slices;
}

wire::TreeEntry* EarlierCursor::find(const std::string& path) {
  for (; slice_ < slices_.size(); ++slice_) {
    EarlierSlice& slice = slices_[slice_];
    for (; slice.begin < slice.end; ++slice.begin) {
      wire::TreeEntry& entry = slice.page->entries[slice.begin];
      int order = wire::compare_paths(entry.path, path);
      if (order > 0) return nullptr;
      if (order == 0) return ++slice.begin, &entry;
    }
  }
  return nullptr;
}

}  // namespace mhp::snapshot
