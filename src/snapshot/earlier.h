// The snapshot before, read in step with a scan, so that unchanged files need not be read again.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "platform/platform.h"
#include "snapshot/page_writer.h"
#include "vault/vault.h"
#include "wire/tree_page.h"

namespace mhp::snapshot {

/// A page as it was stored.
struct EarlierPage {
  ChunkId id;
  bool is_stored = false;  // may be referred to again
  std::vector<wire::TreeEntry> entries;
};

/// Entries [begin, end) of one page. Slices of one page do not overlap, so each holder may move its entries out.
struct EarlierSlice {
  std::shared_ptr<EarlierPage> page;
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// Newest snapshot of the same host and paths; if there is none, the newest. Null where there is none at all.
const wire::SnapshotRecord* earlier_snapshot(const std::vector<wire::SnapshotRecord>& snapshots,
                                             const std::string& host, const std::vector<std::string>& paths);

/// Goes through an earlier snapshot once, from its start to its end. Holds one page and reads the next two meanwhile;
/// others that are not needed are not read. Pages that cannot be read count as empty: their files are read again. Loop
/// thread.
class EarlierTree {
 public:
  /// Borrows all. Reading ahead is a child of `nursery`, which ends by itself.
  EarlierTree(platform::Platform& platform, vault::Vault& vault, platform::Nursery& nursery)
      : platform_(platform), vault_(vault), nursery_(nursery), reading_(platform.executor(), 1) {}
  /// Errors: those of reading.
  Task<Result<void>> open(wire::SnapshotRecord record);
  /// All entries from `first` to `last`, both included; `first` is behind the `last` of the call before.
  Task<std::vector<EarlierSlice>> take(std::string first, std::string last);

 private:
  static constexpr std::size_t kPagesAhead = 2;
  struct Page {
    std::size_t number = 0;  // in list_.pages
    std::shared_ptr<EarlierPage> page;
  };
  Task<std::shared_ptr<EarlierPage>> read_page(ChunkId id);
  Task<std::shared_ptr<EarlierPage>> page_at(std::size_t number);
  Task<> read_ahead();

  platform::Platform& platform_;
  vault::Vault& vault_;
  platform::Nursery& nursery_;
  platform::Semaphore reading_;  // one page at a time: neighbours lie in one bundle, which is then fetched once
  std::deque<Page> ahead_;
  std::size_t next_ahead_ = 0;  // the page after those in ahead_
  bool reads_ahead_ = false;
  wire::PageList list_;
  std::size_t at_page_ = 0;
  std::shared_ptr<EarlierPage> page_;  // list_.pages[at_page_], once read
  std::size_t at_entry_ = 0;
};

/// Goes through slices and finds the entry of each path asked for; paths rise.
class EarlierCursor {
 public:
  explicit EarlierCursor(std::vector<EarlierSlice> slices) : slices_(std::move(slices)) {}
  /// Null where the path was not there. What it gives may be moved out.
  wire::TreeEntry* find(const std::string& path);
  /// Where the entry of the last find() that was not null is.
  PageOrigin origin() const;

 private:
  std::vector<EarlierSlice> slices_;
  std::size_t slice_ = 0;
};

}  // namespace mhp::snapshot
