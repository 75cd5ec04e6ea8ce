// Group commits: a segment counts only with at least k rows on homes whose commit succeeded.
#include <algorithm>
#include <utility>

#include "base/check.h"
#include "vault/impl/writer.h"

namespace mhp::vault::impl {
namespace {

/// Says so even where the awaiting task is canceled.
class Running {
 public:
  explicit Running(std::size_t& count) : count_(count) { ++count_; }
  ~Running() { --count_; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

 private:
  std::size_t& count_;
};

class Flag {
 public:
  explicit Flag(bool& flag) : flag_(flag) { flag_ = true; }
  ~Flag() { flag_ = false; }
  Flag(const Flag&) = delete;
  Flag& operator=(const Flag&) = delete;

 private:
  bool& flag_;
};

/// True where all that the member was given is durable: its commit succeeded now, or it was clean already and never
/// failed (a put that ran beside an earlier commit).
bool kept_all(const dispersal::HomeSet& homes, std::size_t member, const std::vector<std::size_t>& committed) {
  return std::ranges::find(committed, member) != committed.end() || homes.takes_writes(member);
}

unsigned distinct_rows(const std::vector<dispersal::RowsFor>& placed) {
  std::vector<std::uint8_t> rows;
  for (const auto& home : placed) rows.insert(rows.end(), home.rows.begin(), home.rows.end());
  std::ranges::sort(rows);
  return static_cast<unsigned>(std::ranges::unique(rows).begin() - rows.begin());
}

}  // namespace

Task<Result<void>> Outbox::store(FinishedSegment segment) {
  if (failed_) co_return tl::unexpected<Error>(*failed_);
  std::vector<std::pair<std::size_t, std::uint64_t>> sizes;
  for (const auto& shipment : segment.encoded.shipments) {
    sizes.emplace_back(shipment.home, shipment.front.record_bytes);
  }
  Pending pending;
  pending.k = segment.encoded.card.k;
  pending.indexed = std::move(segment.indexed);
  {
    Running running(running_);
    auto put = co_await vault_.homes_.put(std::move(segment.encoded));
    if (!put) {
      failed_ = put.error();
      co_return pass(put);
    }
    pending.placed = std::move(put->placed);
  }
  ++segments_;
  for (const auto& placed : pending.placed) {
    auto size = std::ranges::find(sizes, placed.home, &decltype(sizes)::value_type::first);
    if (size == sizes.end()) continue;
    stored_bytes_ += size->second;
    pending_bytes_ += size->second;
  }
  pending_.push_back(std::move(pending));
  bool due = vault_.platform_.clock().steady() - last_commit_ >= kGroupTime;
  if ((pending_bytes_ >= kGroupBytes || due) && !committing_) co_return co_await commit_group();
  co_return Result<void>{};
}

std::vector<wire::IndexedSegment> Outbox::take_durable() {
  durable_bytes_ = 0;
  return std::exchange(durable_, {});
}

Task<Result<void>> Outbox::commit() {
  MHP_CHECK(running_ == 0 && !committing_);
  if (failed_) co_return tl::unexpected<Error>(*failed_);
  if (pending_.empty()) co_return Result<void>{};
  co_return co_await commit_group();
}

Task<Result<void>> Outbox::commit_group() {
  Flag committing(committing_);
  std::vector<Pending> group = std::move(pending_);
  pending_.clear();
  pending_bytes_ = 0;
  last_commit_ = vault_.platform_.clock().steady();
  co_return co_await settle(std::move(group));
}

Task<Result<void>> Outbox::settle(std::vector<Pending> group) {
  std::vector<std::size_t> committed = co_await vault_.homes_.commit();
  std::vector<wire::IndexedSegment> kept;
  for (Pending& pending : group) {
    std::erase_if(pending.placed, [&](const auto& placed) { return !kept_all(vault_.homes_, placed.home, committed); });
    if (distinct_rows(pending.placed) < pending.k) {
      failed_ = vault_.homes_.exhausted();
      if (failed_) continue;
      failed_ = Error{Errc::unavailable,
                      "segment " + pending.indexed.segment.short_hex() +
                          ": too few homes kept their rows; earlier snapshots are whole",
                      Subject::homes};
      continue;
    }
    int margin = vault_.homes_.margin_of(pending.placed, pending.k);
    margin_ = std::min(margin_.value_or(margin), margin);
    kept.push_back(std::move(pending.indexed));
  }
  MHP_CO_TRY_VOID(co_await note(std::move(kept)));
  if (failed_) co_return tl::unexpected<Error>(*failed_);
  co_return Result<void>{};
}

Task<Result<void>> Outbox::note(std::vector<wire::IndexedSegment> segments) {
  std::vector<wire::JournalEntry> entries;
  for (const auto& segment : segments) {
    if (!segment.directory.index) entries.push_back({.segment = segment});
  }
  if (!entries.empty()) {
    auto job = [&] { return vault_.state_.append_journal(entries); };
    auto noted = co_await vault_.platform_.workers().run(job);
    if (!noted) {
      failed_ = noted.error();
      co_return pass(noted);
    }
  }
  for (auto& segment : segments) {
    if (segment.directory.index) continue;
    durable_bytes_ += part_bytes_of(segment);
    durable_.push_back(std::move(segment));
  }
  co_return Result<void>{};
}

}  // namespace mhp::vault::impl
