// The writing half of FragmentLog, and how it learns from the disk what there is.
#include "home/impl/fragment_log.h"

#include <algorithm>
#include <cstdio>

#include "base/check.h"
#include "home/impl/verify.h"
#include "wire/card_agreement.h"
#include "wire/fragment.h"

namespace mhp::home::impl {
namespace {

using wire::kLogBlockBytes;

constexpr std::uint64_t kMaxReserveBytes = 64_MiB;
constexpr std::uint64_t kMinReserveBytes = 1_MiB;
/// The index is written after so many new records: what a crash makes the next opening scan.
constexpr std::size_t kIndexEveryRecords = 1000;
constexpr std::size_t kIndexEveryPart = 16;  // or after a sixteenth of what there is, where that is more
constexpr const char* kLogEnding = ".log";
constexpr std::size_t kLogDigits = 8;

std::optional<std::uint32_t> number_of_log(const std::string& name) {
  if (name.size() != kLogDigits + 4 || !name.ends_with(kLogEnding)) return std::nullopt;
  std::uint32_t number = 0;
  for (const char c : name.substr(0, kLogDigits)) {
    if (c < '0' || c > '9') return std::nullopt;
    number = number * 10 + static_cast<std::uint32_t>(c - '0');
  }
  return number == 0 ? std::nullopt : std::optional(number);
}

/// A file of a home that is not there means that the home is away, not that a segment is not held.
template <class T>
Result<T> away(Result<T> result) {
  if (!result && result.error().code == Errc::not_found) result.error().code = Errc::unavailable;
  return result;
}

}  // namespace

FragmentLog::FragmentLog(platform::Disk& disk, std::string path, const wire::HomeFile& identity,
                         const FolderLimits& limits, std::uint64_t max_log_bytes)
    : disk_(disk),
      path_(std::move(path)),
      identity_(identity),
      max_log_bytes_(max_log_bytes),
      space_(disk, path_, limits) {
  MHP_CHECK(max_log_bytes <= wire::kMaxLogBytes);
}

FragmentLog::~FragmentLog() = default;

std::string FragmentLog::log_path(std::uint32_t log) const {
  std::array<char, 16> name;
  std::snprintf(name.data(), name.size(), "%08u", log);
  return path_ + "/logs/" + name.data() + kLogEnding;
}

std::string FragmentLog::index_path() const { return path_ + "/index"; }

std::uint64_t FragmentLog::used() const {
  std::uint64_t bytes = pending_bytes_;
  for (const auto& [number, log] : logs_) bytes += log.end;
  return bytes;
}

Result<FragmentLog::FilePointer> FragmentLog::open_log(std::uint32_t log) {
  constexpr std::size_t kOpenFiles = 4;  // of each home: a process may have 255 homes and 1024 open files
  std::lock_guard lock(files_mutex_);
  const auto known = std::ranges::find(files_, log, &std::pair<std::uint32_t, FilePointer>::first);
  if (known != files_.end()) {
    std::rotate(files_.begin(), known, known + 1);
    return files_.front().second;
  }
  auto opened = disk_.open(log_path(log), platform::Open::read);
  if (!opened && opened.error().code == Errc::not_found) return tl::unexpected<Error>(missing_log(log));
  if (!opened) return pass(opened);
  FilePointer file = std::move(*opened);
  if (files_.size() == kOpenFiles) files_.pop_back();
  files_.insert(files_.begin(), {log, file});
  return file;
}

/// A log may have been removed meanwhile, its records moved to another one; or the home is away.
Error FragmentLog::missing_log(std::uint32_t log) const {
  if (disk_.info(path_ + "/logs")) return {Errc::busy, log_path(log) + ": removed while it was needed"};
  return {Errc::unavailable, path_ + ": the home is away"};
}

void FragmentLog::forget_files() {
  std::lock_guard lock(files_mutex_);
  files_.clear();
}

// Loading.

Result<void> FragmentLog::ensure_loaded() { return loaded_ ? Result<void>() : load(); }

Result<std::vector<std::uint32_t>> FragmentLog::log_numbers() const {
  MHP_TRY(const auto names, away(disk_.list(path_ + "/logs")));
  std::vector<std::uint32_t> numbers;
  for (const std::string& name : names) {
    if (const auto number = number_of_log(name)) numbers.push_back(*number);
  }
  std::ranges::sort(numbers);
  return numbers;
}

std::optional<wire::HomeIndex> FragmentLog::read_index() const {
  const auto bytes = platform::read_file(disk_, index_path(), wire::kMaxHomeIndexBytes);
  if (!bytes) return std::nullopt;
  auto index = wire::parse_home_index(*bytes);
  if (!index || index->home != identity_.home) return std::nullopt;
  return std::move(*index);
}

Result<primitives::Hash> FragmentLog::hash_of_mark_before(std::uint32_t log, std::uint64_t end) {
  MHP_TRY(const auto file, open_log(log));
  Bytes block(kLogBlockBytes);
  MHP_TRY(const std::size_t got, file->read_at(end - kLogBlockBytes, block));
  if (got != block.size()) return fail(Errc::corrupt, log_path(log) + ": is shorter than it was");
  return wire::hash_of_mark(block);
}

/// Whether the logs that are there are those that the index is of: each with the same last mark in the same place. (A
/// copy of the home that went another way, put back over it, has other marks.)
bool FragmentLog::is_as_indexed(const wire::HomeIndex& index, const std::vector<std::uint32_t>& numbers) {
  // A log that it should know and does not, was to be removed: what stands in later ones holds, so it comes first.
  const auto is_known = [&](std::uint32_t number) {
    const auto at = std::ranges::lower_bound(index.logs, number, {}, &wire::HomeIndex::Log::log);
    return at == index.logs.end() || at->log == number;
  };
  if (!std::ranges::all_of(numbers, is_known)) return false;
  return std::ranges::all_of(index.logs, [&](const wire::HomeIndex::Log& log) {
    if (!std::ranges::binary_search(numbers, log.log)) return false;
    if (log.end <= kLogBlockBytes) return true;  // it speaks of nothing in it
    const auto mark = hash_of_mark_before(log.log, log.end);
    return mark && *mark == log.mark;
  });
}

void FragmentLog::take_index(const wire::HomeIndex& index) {
  for (const auto& log : index.logs) {
    logs_[log.log] = {.end = log.end, .seq = log.seq, .size = log.end, .mark = log.mark};
  }
  for (const auto& record : index.records) {
    index_.add({index.vaults[record.vault], record.segment, record.card_version, record.place, record.record_bytes,
                record.front_bytes, record.rows});
  }
  indexed_records_ = index.records.size();
}

/// The last mark of a log may be what is damaged in it: then the index still says which of the records behind the mark
/// before it were committed, and where that commit ended.
void FragmentLog::add_witnessed(std::uint32_t log, LogScan& found) {
  if (!witness_) return;
  const auto known = std::ranges::find(witness_->logs, log, &wire::HomeIndex::Log::log);
  if (known == witness_->logs.end() || known->end <= found.end || known->end > found.size) return;
  const auto was_committed = [&](const FoundRecord& record) {
    return std::ranges::any_of(witness_->records, [&](const wire::IndexedRecord& indexed) {
      return indexed.place == record.place && indexed.segment == record.segment &&
             indexed.record_bytes == record.record_bytes;
    });
  };
  std::erase_if(found.uncovered, [&](const FoundRecord& record) { return !was_committed(record); });
  const auto mark = hash_of_mark_before(log, known->end);
  if (found.uncovered.empty() || !mark) return;
  std::ranges::move(found.uncovered, std::back_inserter(found.records));
  found.end = known->end;
  found.seq = known->seq;
  found.mark = *mark;
}

Result<void> FragmentLog::load() {
  loaded_ = false;
  index_ = {};
  logs_.clear();
  suspect_.reset();
  distrusted_.reset();
  indexed_records_ = 0;
  pending_bytes_ = 0;
  MHP_TRY(const std::vector<std::uint32_t> numbers, log_numbers());
  witness_ = read_index();
  forget_files();  // what is open may not be what has the name by now
  if (witness_ && is_as_indexed(*witness_, numbers)) take_index(*std::exchange(witness_, std::nullopt));
  for (const std::uint32_t number : numbers) {
    const bool is_last = number == numbers.back();
    MHP_TRY_VOID(scan(number, is_last));  // a log left out would make held segments look lost
  }
  witness_.reset();
  next_log_ = numbers.empty() ? 1 : numbers.back() + 1;
  committed_records_ = index_.records();
  loaded_ = true;
  return {};
}

/// Adds what `log` holds behind what is known of it. `after_crash`: it is the newest log, so its newest commit may be
/// one that was never acknowledged and reached the disk in part: its rows are re-hashed.
Result<void> FragmentLog::scan(std::uint32_t log, bool after_crash) {
  const auto known = logs_.find(log);
  const std::uint64_t from = known == logs_.end() ? kLogBlockBytes : known->second.end;
  const std::uint64_t seq = known == logs_.end() ? 0 : known->second.seq;
  const primitives::Hash mark = known == logs_.end() ? primitives::Hash{} : known->second.mark;
  const auto info_of = disk_.info(log_path(log));
  if (!info_of && info_of.error().code == Errc::not_found) return tl::unexpected<Error>(missing_log(log));
  MHP_TRY(const auto info, info_of);
  if (known != logs_.end() && info.size == known->second.size) return {};
  if (info.is_file && info.size < from + kLogBlockBytes) {  // nothing can be behind it: a log that was never written to
    logs_[log] = {.end = from, .seq = seq, .size = info.size, .mark = mark};
    return {};
  }
  MHP_TRY(const auto file, open_log(log));
  MHP_TRY(LogScan found, scan_log(*file, identity_.log_key, log, from, seq, mark));
  const auto newest = std::span(found.records).subspan(found.last_group);
  const bool was_left = found.size > found.end;  // with a tail that could not be cut off
  const bool is_whole = (!after_crash && !was_left) || (drop_bad_rows(*file, newest) && found.last_is_whole);
  if (after_crash && found.last_begin && (!is_whole || distrust_newest_)) {
    suspect_ = Suspect{*found.last_begin, found.end, log};
    if (distrust_newest_) distrusted_ = suspect_;
  }
  for (const auto& [begin, end] : found.recheck) {
    const auto is_before = [](const FoundRecord& record, std::uint64_t offset) { return record.place.offset < offset; };
    const auto first = std::lower_bound(found.records.begin(), found.records.end(), begin, is_before);
    const auto last = std::lower_bound(first, found.records.end(), end, is_before);
    (void)drop_bad_rows(*file, {first, last});
  }
  add_witnessed(log, found);
  for (const FoundRecord& record : found.records) index_.add(record);
  logs_[log] = {found.end, found.seq, found.size, found.unreadable_tail, found.mark};
  return {};
}

/// Looks whether another process has committed more. Its newest commit needs no re-hashing: the machine was up all the
/// time.
Result<void> FragmentLog::refresh() {
  if (writing_) return {};
  MHP_TRY(const std::vector<std::uint32_t> numbers, log_numbers());
  for (const auto& [number, log] : logs_) {
    if (!std::ranges::binary_search(numbers, number)) return load();  // its records are in another one by now
  }
  for (const std::uint32_t number : numbers) {
    const auto known = logs_.find(number);
    const auto info = disk_.info(log_path(number));
    if (known != logs_.end() && info && info->size < known->second.end) return load();  // not the log we knew
    const bool may_have_grown = known == logs_.end() || number == logs_.rbegin()->first;
    if (may_have_grown) {
      MHP_TRY_VOID(scan(number, false));
    }
  }
  committed_records_ = index_.records();
  return {};
}

// Writing.

Result<void> FragmentLog::begin_writing() {
  active_.reset();
  if (cut_back_) {
    MHP_TRY_VOID(cut_back());
  }
  std::unique_lock lock(mutex_);
  writing_ = false;
  MHP_TRY_VOID(load());
  forget_files();
  if (!logs_.empty()) {
    const auto [number, state] = *logs_.rbegin();
    MHP_TRY_VOID(attach(number, state));
  }
  if (suspect_) {
    MHP_TRY_VOID(mark_suspect());
  }
  group_ = Group(tail_);
  writing_ = true;
  return {};
}

/// Makes the newest log the one to append to, cut to what is acknowledged. A log whose tail cannot be read, or that was
/// never finished, is left as it is: the next put makes a new one.
Result<void> FragmentLog::attach(std::uint32_t log, const Log& state) {
  MHP_TRY(auto file, away(disk_.open(log_path(log), platform::Open::write)));
  // A writer that was killed before its sync left what is whole, but not durable: from here on it counts as
  // acknowledged.
  if (auto synced = file->sync(); !synced) {
    distrust_newest_ = true;  // what a failed sync left may be whole in memory only, and a second sync would not say so
    return synced;
  }
  if (state.unreadable_tail) return {};
  Bytes block(kLogBlockBytes);
  const auto got = file->read_at(0, block);
  const auto header = wire::parse_log_header(block);
  const bool is_ours = got && header && header->home == identity_.home && header->log == log;
  if (!is_ours && state.end <= kLogBlockBytes) return {};
  MHP_TRY(const std::uint64_t size, file->size());
  if (size > state.end) {
    MHP_TRY_VOID(file->truncate(state.end));
    MHP_TRY_VOID(file->sync());
    logs_[log].size = state.end;
  }
  active_ = std::move(file);
  active_log_ = log;
  tail_ = attached_at_ = reserved_end_ = state.end;
  return {};
}

/// Says in the log itself that the newest commit is to be re-hashed by every scan: once another follows it, nothing
/// else would.
Result<void> FragmentLog::mark_suspect() {
  const Suspect suspect = *std::exchange(suspect_, std::nullopt);
  if (!active_ || active_log_ != suspect.log) return {};  // its tail stays, and tells every scan the same
  Log& log = logs_[active_log_];
  auto written = write_mark({.seq = log.seq + 1, .begin = suspect.begin, .recheck = true}, log.mark);
  if (!written) {
    cut_back_ = wire::LogPlace{active_log_, log.end};
    return written;
  }
  log.end = log.size = tail_;
  log.seq += 1;
  return {};
}

Result<void> FragmentLog::ensure_writing() {
  if (writing_ && !cut_back_) return {};
  return begin_writing();
}

Result<void> FragmentLog::put(MutableBytes record) {
  const auto front = wire::parse_record_front(record);
  if (!front) return fail(Errc::invalid, "put: " + front.error().detail);
  if (front->record_bytes != record.size() || record.size() > max_log_bytes_ - 2 * kLogBlockBytes)
    return fail(Errc::invalid, "put: a record of another length");
  const auto card = card_in(*front);
  if (!card) return fail(Errc::invalid, "put: " + card.error().detail);
  for (const wire::RecordRow& row : front->rows) {
    if (row.row >= card->n() || row.bytes != wire::fragment_bytes(card->row_bytes))
      return fail(Errc::invalid, "put: a row that is not in the card");
  }
  if (lost_) return tl::unexpected<Error>(*lost_);
  MHP_TRY_VOID(ensure_writing());
  MHP_TRY_VOID(check_card(*front, *card));
  if (has_whole_copies(*front, *card)) return {};
  return append(*front, record, true);
}

/// Stamps a record for its place and writes it there.
Result<void> FragmentLog::append(const wire::RecordFront& front, MutableBytes record, bool within_bounds) {
  MHP_TRY_VOID(make_room(record.size(), within_bounds));
  const auto hash = wire::record_front_hash(record);
  std::ranges::copy(wire::stamp_of_record(identity_.log_key, hash, {active_log_, tail_}),
                    wire::record_stamp(record).begin());
  if (auto written = active_->write_bulk(tail_, record); !written) {
    // Part of it may be there, behind the tail: the next record or mark takes its place.
    if (written.error().code == Errc::full) written.error().detail = path_ + ": the disk is full";
    return written;
  }
  space_.wrote(record.size());
  group_.records += 1;
  group_.hash.update(hash);
  std::lock_guard lock(mutex_);
  index_.add({front.vault,
              front.segment,
              front.card_version,
              {active_log_, tail_},
              front.record_bytes,
              front.front_bytes,
              front.rows});
  tail_ += record.size();
  pending_bytes_ += record.size();
  return {};
}

/// A newer card can neither shorten the hold that an older one promised nor give rows that are held other names, under
/// which they do not count: else who may add could delete at once. Nor is an older one kept that contradicts it.
Result<void> FragmentLog::check_card(const wire::RecordFront& front, const wire::Card& card) {
  const HeldKey key{front.vault, front.segment};
  bool has_rows = false;
  bool is_older = false;
  {
    std::unique_lock lock(mutex_);
    MHP_TRY_VOID(judge(lock, key));
    is_older = index_.card_version(key) > front.card_version;
    has_rows = !index_.rows(key).empty();
    if (!index_.holds(key) || (is_older && !has_rows)) return {};
  }
  const auto held = newest_front(key);
  const auto held_card = held ? card_in(*held) : Result<wire::Card>(fail(Errc::corrupt, "none can be read"));
  if (!held_card) return {};
  const std::string what = "put: segment " + front.segment.short_hex() + ": a card that ";
  if (!is_older && held_card->minimum_hold_s > card.minimum_hold_s)
    return fail(Errc::invalid, what + "shortens its minimum hold");
  if (has_rows && wire::contradict(*held_card, card)) return fail(Errc::invalid, what + "contradicts the one held");
  return {};
}

/// True where nothing of this record is new: every row is held whole, and no older card.
bool FragmentLog::has_whole_copies(const wire::RecordFront& front, const wire::Card& card) {
  const HeldKey key{front.vault, front.segment};
  std::vector<RowPlace> held;
  {
    std::lock_guard lock(mutex_);
    if (!index_.holds(key) || index_.card_version(key) < front.card_version) return false;
    for (const wire::RecordRow& row : front.rows) {
      const auto place = index_.row(key, row.row);
      if (!place || (distrusted_ && distrusted_->covers(place->place))) return false;
      held.push_back(*place);
    }
  }
  if (!find(key)) return false;  // its card is damaged
  const auto at_risk = without_front(front.segment, held);
  if (!at_risk || !at_risk->empty()) return false;
  return std::ranges::all_of(held, [&](const RowPlace& place) {
    const auto file = open_log(place.place.log);
    return file && check_row(**file, place, card);
  });
}

/// Sees that there is space, and an active log with room for a record of `bytes` and its mark.
Result<void> FragmentLog::make_room(std::uint64_t bytes, bool within_bounds) {
  std::uint64_t used_bytes = 0;
  {
    std::lock_guard lock(mutex_);
    used_bytes = used();
  }
  const std::uint64_t with_mark = bytes + kLogBlockBytes;
  if (within_bounds) {
    MHP_TRY_VOID(space_.check(used_bytes, with_mark));
  }
  if (active_ && tail_ + with_mark > max_log_bytes_) {
    if (auto done = commit(); !done) {
      lost_ = done.error();
      return done;
    }
    leave_active();
  }
  if (!active_) {
    MHP_TRY_VOID(create_log());
  }
  return reserve(with_mark);
}

/// All in it is committed: the next record goes to a new one.
void FragmentLog::leave_active() {
  (void)active_->truncate(tail_);  // gives back what is reserved behind the end
  active_.reset();
}

Result<void> FragmentLog::create_log() {
  const std::uint32_t log = next_log_++;  // a number is never used twice, not even after a failure
  MHP_TRY(auto file, away(disk_.open(log_path(log), platform::Open::create_exclusive)));
  AlignedBuffer block(kLogBlockBytes);
  wire::write_log_header({identity_.home, log, identity_.log_key}, wire::LogBlock(block.bytes()));
  auto made = file->write_bulk(0, block.bytes());
  if (made) made = file->sync();
  if (made) made = disk_.sync_folder(path_ + "/logs");
  if (!made) {
    (void)disk_.remove(log_path(log));  // best effort: an empty log does no harm
    return made;
  }
  active_ = std::move(file);
  active_log_ = log;
  tail_ = attached_at_ = reserved_end_ = kLogBlockBytes;
  group_ = Group(tail_);
  std::lock_guard lock(mutex_);
  logs_[log] = {.end = tail_, .seq = 0, .size = tail_};
  return {};
}

/// Reserves ahead, so that a full disk is noticed before writing: as much as this writer has written already, within
/// bounds. (By the length of the log a small backup to a big home would reserve 64 MiB and give it back.)
Result<void> FragmentLog::reserve(std::uint64_t bytes) {
  if (tail_ + bytes <= reserved_end_) return {};
  const std::uint64_t ahead =
      std::clamp(round_up(tail_ - attached_at_, kLogBlockBytes), kMinReserveBytes, kMaxReserveBytes);
  const std::uint64_t step = std::max(bytes, std::min(ahead, max_log_bytes_ - std::min(tail_, max_log_bytes_)));
  auto reserved = active_->reserve(tail_, step);
  if (reserved) {
    reserved_end_ = tail_ + step;
    return {};
  }
  if (reserved.error().code == Errc::full) reserved = active_->reserve(tail_, bytes);
  if (reserved) return {};
  if (reserved.error().code == Errc::full) reserved.error().detail = path_ + ": the disk is full";
  return reserved;
}

/// Writes a mark at the tail and makes the log durable; then `hash` is that of the mark.
Result<void> FragmentLog::write_mark(const wire::CommitMark& mark, primitives::Hash& hash) {
  AlignedBuffer block(kLogBlockBytes);
  wire::write_commit_mark(mark, identity_.log_key, {active_log_, tail_}, wire::LogBlock(block.bytes()));
  MHP_TRY_VOID(active_->write_bulk(tail_, block.bytes()));
  MHP_TRY_VOID(active_->sync());
  tail_ += kLogBlockBytes;
  hash = wire::hash_of_mark(block.bytes());
  return {};
}

Result<void> FragmentLog::commit() {
  if (lost_) return tl::unexpected<Error>(*std::exchange(lost_, std::nullopt));
  MHP_TRY_VOID(ensure_writing());
  if (group_.records == 0) return {};
  std::uint64_t seq = 0;
  {
    std::lock_guard lock(mutex_);
    seq = logs_[active_log_].seq + 1;
  }
  wire::CommitMark mark{.seq = seq, .begin = group_.begin, .records = group_.records};
  mark.records_hash = group_.hash.finish();
  primitives::Hash hash{};
  if (auto written = write_mark(mark, hash); !written) return give_up(std::move(written.error()));
  group_ = Group(tail_);
  std::size_t new_records = 0;
  {
    std::lock_guard lock(mutex_);
    logs_[active_log_] = {.end = tail_, .seq = seq, .size = tail_, .mark = hash};
    pending_bytes_ = 0;
    committed_records_ = index_.records();
    new_records = committed_records_ - indexed_records_;
  }
  if (new_records >= std::max(kIndexEveryRecords, committed_records_ / kIndexEveryPart)) write_index();
  return {};
}

/// After a failed commit nothing un-synced may be trusted: forgets what was put since the last good one, in memory at
/// once, in the log now or before the next write.
Result<void> FragmentLog::give_up(Error reason) {
  ++losses_;
  {
    std::lock_guard lock(mutex_);
    index_.shrink(committed_records_);
    pending_bytes_ = 0;
    cut_back_ = wire::LogPlace{active_log_, logs_[active_log_].end};
  }
  group_ = Group(0);
  (void)begin_writing();  // tried again by the next call that writes
  if (reason.code == Errc::full) reason.detail = path_ + ": the disk is full";
  return tl::unexpected<Error>(std::move(reason));
}

Result<void> FragmentLog::cut_back() {
  MHP_TRY(const auto file, away(disk_.open(log_path(cut_back_->log), platform::Open::write)));
  MHP_TRY_VOID(file->truncate(cut_back_->offset));
  MHP_TRY_VOID(file->sync());
  cut_back_.reset();
  return {};
}

void FragmentLog::write_index() {
  wire::HomeIndex index;
  {
    std::lock_guard lock(mutex_);
    index.home = identity_.home;
    for (const auto& [number, log] : logs_) index.logs.push_back({number, log.end, log.seq, log.mark});
    index_.export_to(index, committed_records_);
  }
  const Bytes bytes = wire::encode(index);
  if (bytes.size() > wire::kMaxHomeIndexBytes) return;
  // A cache: where it cannot be written, the next opening scans more.
  if (platform::replace_file(disk_, index_path(), bytes)) indexed_records_ = index.records.size();
}

void FragmentLog::finish() {
  if (!writing_ || cut_back_) return;
  if (active_) (void)active_->truncate(group_.begin);
  active_.reset();
  if (committed_records_ != indexed_records_) write_index();
  std::lock_guard lock(mutex_);
  index_.shrink(committed_records_);
  pending_bytes_ = 0;
  writing_ = false;
}

}  // namespace mhp::home::impl
