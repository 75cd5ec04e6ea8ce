// The purging half of FragmentLog: logs of which little is alive are copied in part, then removed whole.
#include <algorithm>

#include "home/impl/fragment_log.h"
#include "home/impl/verify.h"
#include "wire/fragment.h"

namespace mhp::home::impl {
namespace {

using wire::kLogBlockBytes;

/// Rows copied at once: what a record of them takes in memory, at least one.
constexpr std::uint64_t kCopyBytes = 64_MiB;

constexpr const char* kDamaged = "a part of it is damaged";

tl::unexpected<Error> unaccounted(std::uint32_t log, const std::string& why) {
  return fail(Errc::corrupt, "log " + std::to_string(log) + " is kept: " + why);
}

bool covers(const std::vector<std::pair<std::uint64_t, std::uint64_t>>& ranges, std::uint64_t offset) {
  return std::ranges::any_of(ranges, [&](const auto& range) { return offset >= range.first && offset < range.second; });
}

}  // namespace

Result<FragmentLog::Purged> FragmentLog::purge(std::span<const HeldKey> due) {
  MHP_TRY_VOID(commit());
  found_damaged_.clear();
  Purged out;
  const std::vector<std::uint32_t> logs = logs_to_remove(due);
  const bool is_active_among = active_ && std::ranges::find(logs, active_log_) != logs.end();
  if (is_active_among) leave_active();  // what is alive in the others goes to a new one, once
  for (const std::uint32_t log : logs) {
    auto moves = alive_in(log, due);
    auto freed = moves ? remove_log(log, *moves) : Result<std::uint64_t>(tl::unexpected<Error>(moves.error()));
    if (freed) {
      out.bytes_freed += *freed;
      continue;
    }
    const Errc code = freed.error().code;
    if (code != Errc::corrupt && code != Errc::full) return pass(freed);
    const bool full = code == Errc::full;
    out.problems.push_back(full ? no_room_to_move(log) : std::move(freed.error().detail));
    if (full) break;  // the others have more that is alive
  }
  // Even where nothing was removed now: it may have been by a call that failed before this.
  if (!due.empty() || !logs.empty()) {
    MHP_TRY_VOID(disk_.sync_folder(path_ + "/logs"));
  }
  if (!logs.empty()) write_index();
  out.damaged = std::move(found_damaged_);
  return out;
}

tl::unexpected<Error> FragmentLog::keep_for_damage(std::uint32_t log, const HeldKey& key, std::uint8_t row,
                                                   const std::string& why) {
  found_damaged_.push_back({key.vault, key.segment, row});
  return unaccounted(log, why);
}

/// In a person's words: what is still needed of a log is written anew before the log goes.
std::string FragmentLog::no_room_to_move(std::uint32_t log) {
  std::lock_guard lock(mutex_);
  const std::uint64_t needed = index_.log_uses({})[log].alive_bytes;
  return path_ + ": the disk is too full to tidy up: free about " + std::to_string(needed / 1'000'000 + 1) +
         " MB there, or give the home more room";
}

/// Those with nothing alive first, then those with the least: where the disk is full, they make room for the others.
std::vector<std::uint32_t> FragmentLog::logs_to_remove(std::span<const HeldKey> due) {
  std::lock_guard lock(mutex_);
  const auto uses = index_.log_uses(due);
  std::vector<std::pair<std::uint64_t, std::uint32_t>> chosen;
  for (const auto& [number, use] : uses) {
    const Log& log = logs_.at(number);
    const bool is_little = 2 * use.alive_bytes < log.end - kLogBlockBytes;
    if (use.dead_bytes > 0 && is_little && !log.unreadable_tail) chosen.emplace_back(use.alive_bytes, number);
  }
  std::ranges::sort(chosen);
  std::vector<std::uint32_t> out;
  for (const auto& [alive, number] : chosen) out.push_back(number);
  return out;
}

/// Walks over the whole log: all there is in it must be alive, due, or held whole elsewhere. Errors: corrupt (something
/// is not: the log is to be kept), unavailable.
Result<FragmentLog::Moves> FragmentLog::alive_in(std::uint32_t log, std::span<const HeldKey> due) {
  std::uint64_t end = 0;
  {
    std::lock_guard lock(mutex_);
    end = logs_.at(log).end;
  }
  MHP_TRY(const auto file, open_log(log));
  MHP_TRY(const LogScan found, scan_log(*file, identity_.log_key, log, kLogBlockBytes, 0, {}));
  // What a crash tore was never acknowledged: a mark says where.
  std::vector<std::uint64_t> unknown = found.unknown;
  std::erase_if(unknown, [&](std::uint64_t block) { return covers(found.recheck, block); });
  if (found.unreadable || found.end != end || found.size != end) return unaccounted(log, kDamaged);
  MHP_TRY_VOID(account_for_unknown(log, unknown, due));
  Moves moves;
  for (const FoundRecord& record : found.records) {
    if (std::ranges::binary_search(due, HeldKey{record.vault, record.segment})) continue;
    MHP_TRY_VOID(account_for(*file, record, covers(found.recheck, record.place.offset), moves));
  }
  return moves;
}

/// Where the front of a record has changed, the index may still know what it was.
Result<void> FragmentLog::account_for_unknown(std::uint32_t log, std::span<const std::uint64_t> blocks,
                                              std::span<const HeldKey> due) {
  std::optional<HeldIndex::Known> known;
  for (const std::uint64_t block : blocks) {
    if (known && block < known->place.offset + known->record_bytes) continue;
    {
      std::lock_guard lock(mutex_);
      known = index_.record_over({log, block});
    }
    if (!known) return unaccounted(log, kDamaged);
    if (std::ranges::binary_search(due, known->key)) continue;
    MHP_TRY_VOID(account_for_damaged(*known));
  }
  return {};
}

/// What is in it has to be held whole elsewhere: without its front a row is not found again once the index is lost.
Result<void> FragmentLog::account_for_damaged(const HeldIndex::Known& record) {
  const HeldKey& key = record.key;
  const std::string segment = "segment " + key.segment.short_hex();
  const auto is_in_it = [&](const wire::LogPlace& place) {
    return place.log == record.place.log && place.offset >= record.place.offset &&
           place.offset < record.place.offset + record.record_bytes;
  };
  Result<void> out;
  for (const std::uint8_t number : record.rows) {
    std::optional<RowPlace> held;
    {
      std::unique_lock lock(mutex_);
      MHP_TRY_VOID(judge(lock, key));
      held = index_.row(key, number);
    }
    if (held && (is_in_it(held->place) || !is_whole(key, *held)))
      out = keep_for_damage(record.place.log, key, number, segment + ": its front has changed; repair it first");
  }
  if (!out) return out;
  if (!newest_front(key))
    return unaccounted(record.place.log, segment + ": its only card has changed; repair it first");
  return {};
}

/// Against the newest card that can be read.
bool FragmentLog::is_whole(const HeldKey& key, const RowPlace& row) {
  const auto front = newest_front(key);
  const auto card = front ? card_in(*front) : Result<wire::Card>(fail(Errc::corrupt, "no card"));
  const auto file = open_log(row.place.log);
  return card && file && check_row(**file, row, *card);
}

Result<void> FragmentLog::account_for(platform::File& file, const FoundRecord& record, bool was_suspect, Moves& moves) {
  const std::uint32_t log = record.place.log;
  const HeldKey key{record.vault, record.segment};
  const std::string segment = "segment " + record.segment.short_hex();
  std::vector<std::optional<RowPlace>> held;
  bool is_newest_card = false;
  {
    std::unique_lock lock(mutex_);
    MHP_TRY_VOID(judge(lock, key));
    if (index_.is_aside(key, record.place)) return {};
    for (const wire::RecordRow& row : record.rows) held.push_back(index_.row(key, row.row));
    const auto fronts = index_.fronts(key);
    is_newest_card = !fronts.empty() && fronts.front().place == record.place;
  }
  if (is_newest_card) moves[key];
  for (std::size_t i = 0; i < record.rows.size(); ++i) {
    const RowPlace here{record.rows[i].row, {log, record.place.offset + record.rows[i].offset}, record.rows[i].bytes};
    if (held[i] && held[i]->place == here.place) {
      moves[key].push_back(here);  // checked when it is copied
    } else if (held[i]) {
      if (!is_whole(key, *held[i]))
        return keep_for_damage(log, key, held[i]->row, segment + " has a damaged row elsewhere; repair it first");
    } else {
      // Never acknowledged, and found torn after a crash; or the index does not tell the truth.
      const auto own_front = read_front(file, {record.place, record.front_bytes, record.card_version}, record.segment);
      const auto own = own_front ? card_in(*own_front) : Result<wire::Card>(tl::unexpected<Error>(own_front.error()));
      const auto row = own ? check_row(file, here, *own) : Result<void>(tl::unexpected<Error>(own.error()));
      if (!was_suspect || row || row.error().code != Errc::corrupt)
        return unaccounted(log, segment + " has a row that the index does not name");
    }
  }
  return {};
}

/// Copies what is alive, then removes the log (durably when the folder is synced). Gives how many bytes less there are.
/// Errors: corrupt, full (the log is kept), unavailable.
Result<std::uint64_t> FragmentLog::remove_log(std::uint32_t log, const Moves& moves) {
  std::uint64_t before = 0;
  bool is_highest = false;
  {
    std::lock_guard lock(mutex_);
    before = used();
    is_highest = logs_.rbegin()->first == log;
  }
  if (active_ && active_log_ == log) leave_active();
  Result<void> moved;
  // A number is used once, and the highest is remembered by its log alone.
  if (is_highest && moves.empty()) moved = create_log();
  for (auto move = moves.begin(); moved && move != moves.end(); ++move) moved = move_rows(move->first, move->second);
  if (moved) {
    moved = commit();
  } else if (group_.records > 0) {
    moved = give_up(std::move(moved.error()));
  }
  lost_.reset();  // nothing of the caller's was lost
  if (!moved) return pass(moved);
  if (auto removed = disk_.remove(log_path(log)); !removed) {
    removed.error().code = Errc::unavailable;
    return pass(removed);
  }
  std::uint64_t after = 0;
  {
    std::lock_guard lock(mutex_);
    index_.drop_log(log);
    logs_.erase(log);
    committed_records_ = index_.records();
    indexed_records_ = 0;
    if (distrusted_ && distrusted_->log == log) distrusted_.reset();
    after = used();
  }
  forget_files();
  return before - std::min(before, after);
}

/// The newest card of a segment that can be read, in its front.
Result<wire::RecordFront> FragmentLog::newest_front(const HeldKey& key) {
  std::vector<FrontPlace> fronts;
  {
    std::unique_lock lock(mutex_);
    MHP_TRY_VOID(judge(lock, key));
    fronts = index_.fronts(key);
  }
  Error problem{Errc::not_found, "segment " + key.segment.short_hex() + " is not held here"};
  for (const FrontPlace& place : fronts) {
    MHP_TRY(const auto file, open_log(place.place.log));
    auto front = read_front(*file, place, key.segment);
    if (front && card_in(*front)) return front;
    problem =
        front ? Error{Errc::corrupt, "segment " + key.segment.short_hex() + ": its card is damaged"} : front.error();
  }
  return tl::unexpected<Error>(std::move(problem));
}

/// Appends records of the newest card and these rows, each checked. Errors: corrupt (one is damaged), full.
Result<void> FragmentLog::move_rows(const HeldKey& key, std::span<const RowPlace> rows) {
  MHP_TRY(const wire::RecordFront newest, newest_front(key));
  MHP_TRY(const wire::Card card, card_in(newest));
  const std::uint64_t fragment_bytes = wire::fragment_bytes(card.row_bytes);
  const std::size_t at_once = std::max<std::size_t>(1, kCopyBytes / fragment_bytes);
  do {
    const auto some = rows.first(std::min(at_once, rows.size()));
    rows = rows.subspan(some.size());
    std::vector<std::uint8_t> numbers;
    for (const RowPlace& row : some) numbers.push_back(row.row);
    wire::RecordFront front =
        wire::plan_record(newest.vault, key.segment, numbers, fragment_bytes, newest.signed_card.size());
    front.card_version = newest.card_version;
    front.signed_card = newest.signed_card;
    AlignedBuffer record(front.record_bytes);
    std::ranges::fill(record.bytes(), std::byte{0});
    for (std::size_t i = 0; i < some.size(); ++i) {
      const MutableBytes fragment = record.bytes().subspan(front.rows[i].offset, front.rows[i].bytes);
      MHP_TRY(const auto file, open_log(some[i].place.log));
      MHP_TRY(const std::size_t got, file->read_at(some[i].place.offset, fragment));
      const auto whole = check_fragment(fragment.first(got), some[i].row, card);
      if (!whole)
        return keep_for_damage(some[i].place.log, key, some[i].row, whole.error().detail + "; repair it first");
    }
    wire::write_record_front(front, record.bytes());
    MHP_TRY_VOID(append(front, record.bytes(), false));
  } while (!rows.empty());
  return {};
}

}  // namespace mhp::home::impl
