// Marking: each list, page and chunk once, whatever the number of snapshots that share it.
#include "snapshot/forget.h"

#include <algorithm>
#include <optional>

#include "platform/nursery.h"
#include "snapshot/page_reader.h"

namespace mhp::snapshot {
namespace {

using vault::ChunkRole;

constexpr std::size_t kSnapshotsAtOnce = 4;  // a page list and a page of each in memory

class Marker {
 public:
  Marker(platform::Platform& platform, vault::Vault& vault, vault::Collector& collector, ForgetProgress& progress)
      : platform_(platform), vault_(vault), collector_(collector), progress_(progress) {}

  /// Why it came to no end, if it did not.
  Task<std::optional<Error>> run() {
    progress_.snapshots = collector_.staying().size();
    platform::Nursery scope(co_await asio::this_coro::executor);
    for (std::size_t i = 0; i < kSnapshotsAtOnce; ++i) scope.start(work());
    co_await scope.join();
    co_return std::move(failed_);
  }

 private:
  /// The newest first: they are read quickest, and the older ones share most with them.
  Task<> work() {
    while (next_ < collector_.staying().size() && !failed_) {
      const auto& snapshot = collector_.staying()[collector_.staying().size() - 1 - next_++];
      auto followed = co_await follow(snapshot.page_list);
      if (!followed && !failed_) {
        failed_ = Error{followed.error().code,
                        "snapshot " + snapshot.id.short_hex() + " cannot be read: " + followed.error().detail};
      }
      ++progress_.snapshots_done;
    }
  }

  Task<Result<void>> follow(ChunkId list_id) {
    MHP_CO_TRY(bool first, collector_.mark(list_id, ChunkRole::page_list));
    if (!first) co_return Result<void>();
    MHP_CO_TRY(wire::PageList list, co_await read_page_list(vault_, list_id));
    for (const wire::PageRef& ref : list.pages) {
      MHP_CO_TRY(bool fresh, collector_.mark(ref.page, ChunkRole::page));
      if (!fresh) continue;
      MHP_CO_TRY_VOID(co_await follow_page(ref.page));
    }
    co_return Result<void>();
  }

  Task<Result<void>> follow_page(ChunkId id) {
    MHP_CO_TRY(Bytes bytes, co_await vault_.read(id));
    auto parse = [&] { return wire::parse_tree_page(bytes); };
    MHP_CO_TRY(wire::TreePage page, co_await platform_.workers().run(parse));
    for (const wire::TreeEntry& entry : page.entries) {
      for (const ChunkId& chunk : entry.chunks) {
        MHP_CO_TRY(bool first,
                   collector_.mark(chunk, entry.chunks_are_lists ? ChunkRole::chunk_list : ChunkRole::content));
        if (!first || !entry.chunks_are_lists) continue;
        MHP_CO_TRY_VOID(co_await follow_list(chunk));
      }
    }
    co_return Result<void>();
  }

  Task<Result<void>> follow_list(ChunkId id) {
    MHP_CO_TRY(Bytes bytes, co_await vault_.read(id));
    MHP_CO_TRY(auto chunks, parse_chunk_list(bytes));
    for (const ChunkId& chunk : chunks) {
      MHP_CO_TRY_VOID(collector_.mark(chunk, ChunkRole::content));
    }
    co_return Result<void>();
  }

  platform::Platform& platform_;
  vault::Vault& vault_;
  vault::Collector& collector_;
  ForgetProgress& progress_;
  std::size_t next_ = 0;
  std::optional<Error> failed_;
};

}  // namespace

Task<Result<vault::Collected>> forget(platform::Platform& platform, vault::Vault& vault, vault::CollectOptions options,
                                      ForgetProgress& progress) {
  MHP_CO_TRY(auto collector, co_await vault.begin_collect(std::move(options)));
  Marker marker(platform, vault, *collector, progress);
  std::optional<Error> problem = co_await marker.run();
  vault::Progress note = [&progress](const vault::CheckProgress& now) { progress.moving = now; };
  co_return co_await collector->finish(std::move(problem), std::move(note));
}

}  // namespace mhp::snapshot
