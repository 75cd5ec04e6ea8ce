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

Task<std::shared_ptr<EarlierPage>> EarlierTree::read_page(ChunkId id) {
  auto bytes = co_await vault_.read(id);
  auto parse = [&] {
    auto page = std::make_shared<EarlierPage>();
    page->id = id;
    if (!bytes) return page;
    auto parsed = wire::parse_tree_page(*bytes);
    if (parsed) page->entries = std::move(parsed->entries);
    page->is_stored = parsed && vault_.has(id);
    return page;
  };
  co_return co_await platform_.workers().run(parse);
}

Task<std::shared_ptr<EarlierPage>> EarlierTree::page_at(std::size_t number) {
  co_await reading_.take();
  platform::Permit permit(reading_);
  while (!ahead_.empty() && ahead_.front().number < number) ahead_.pop_front();
  std::shared_ptr<EarlierPage> page;
  if (!ahead_.empty()) {
    page = std::move(ahead_.front().page);  // its number is this one: they rise by one
    ahead_.pop_front();
  } else {
    next_ahead_ = number + 1;
    page = co_await read_page(list_.pages[number].page);
  }
  if (!reads_ahead_) {
    reads_ahead_ = true;
    nursery_.start(read_ahead());
  }
  co_return page;
}

Task<> EarlierTree::read_ahead() {
  for (;;) {
    co_await reading_.take();
    platform::Permit permit(reading_);
    if (ahead_.size() == kPagesAhead || next_ahead_ == list_.pages.size()) break;
    const std::size_t number = next_ahead_++;
    auto page = co_await read_page(list_.pages[number].page);
    ahead_.push_back({number, std::move(page)});
  }
  reads_ahead_ = false;
}

Task<std::vector<EarlierSlice>> EarlierTree::take(std::string first, std::string last) {
  std::vector<EarlierSlice> slices;
  while (at_page_ < list_.pages.size()) {
    bool is_last = at_page_ + 1 == list_.pages.size();
    bool before = !is_last && wire::compare_paths(list_.pages[at_page_ + 1].first_path, first) <= 0;
    if (!before) {
      if (wire::compare_paths(list_.pages[at_page_].first_path, last) > 0) break;
      if (!page_) page_ = co_await page_at(at_page_);
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

PageOrigin EarlierCursor::origin() const {
  const EarlierSlice& slice = slices_[slice_];
  if (!slice.page->is_stored) return {};
  return {.page = slice.page->id, .index = slice.begin - 1, .count = slice.page->entries.size()};
}

}  // namespace mhp::snapshot
