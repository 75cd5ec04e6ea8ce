// The records of a folder home: append-only logs, and an index that can always be made again from them.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>

#include "home/folder_home.h"
#include "home/impl/held_index.h"
#include "home/impl/log_scan.h"
#include "home/impl/space_bound.h"
#include "primitives/hash/blake3.h"
#include "wire/card.h"
#include "wire/home_log.h"

namespace mhp::home::impl {

/// Blocking. Reads may come from any thread at any time; the writing calls from one thread at a time, by who holds the
/// home's lock. Format and rules: docs/formats/folder-home.md.
class FragmentLog {
 public:
  /// `max_log_bytes`: tests make logs small.
  FragmentLog(platform::Disk& disk, std::string path, const wire::HomeFile& identity, const FolderLimits& limits,
              std::uint64_t max_log_bytes = wire::kMaxLogBytes);
  ~FragmentLog();

  // Writing.
  /// Reads the logs anew, cuts off what no commit covers, and is ready to append. Call once the lock is held, and again
  /// after a failed commit (the writing calls do). Errors: unavailable, denied, full.
  Result<void> begin_writing();
  /// See Home::put. After an error that struck earlier records too (a full log is committed on the way), every call
  /// fails until commit() has told it.
  Result<void> put(MutableBytes record);
  /// See Home::commit. After an error nothing put since the last good commit is kept.
  Result<void> commit();
  struct Purged {
    std::uint64_t bytes_freed = 0;
    std::vector<std::string> problems;  // logs that were kept although little of them is alive: why
    std::vector<DamagedRow> damaged{};  // where that was the reason
  };
  /// Removes logs of which less than half is alive: not in `due` (rising), not held anew elsewhere. What
  /// is alive in them is checked, appended to the newest log and committed first. A log with anything in it that is not
  /// accounted for is kept. Commits what was put. May pass the bounds on space by what is alive in one log. Errors:
  /// those of commit().
  Result<Purged> purge(std::span<const HeldKey> due);
  /// Writes the index and gives back reserved space. What was not committed is given up.
  void finish();

  // Reading.
  /// Of one vault; or, where only the segment is given, of the vault whose record came first.
  Result<Holding> find(const HeldKey& key);
  Result<Holding> find(const SegmentId& segment) {
    return of_first(segment, [&](const HeldKey& key) { return find(key); });
  }
  Result<std::pair<SegmentId, std::uint8_t>> find_fragment(const FragmentId& fragment);
  Result<HeldPage> list(const VaultId& vault, const SegmentId& after, std::size_t limit);
  Result<Bytes> read(const HeldKey& key, std::uint8_t row, std::uint64_t offset, std::uint64_t bytes);
  Result<Bytes> read(const SegmentId& segment, std::uint8_t row, std::uint64_t offset, std::uint64_t bytes) {
    return of_first(segment, [&](const HeldKey& key) { return read(key, row, offset, bytes); });
  }
  Result<Usage> usage();
  /// The same where `used_bytes` is of the records of one vault.
  Result<Usage> usage_of(const VaultId& vault);
  /// How often what was put was given up. Any thread.
  std::uint64_t losses() const { return losses_; }
  struct Hold {
    SegmentId segment;
    std::uint64_t seconds = 0;
  };
  /// The minimum hold of each of these that is held for `vault` and has a card that can be read: in their order.
  Result<std::vector<Hold>> minimum_holds(const VaultId& vault, std::span<const SegmentId> segments);
  /// Bytes of the records of each of these, 0 where it is not held for `vault`.
  Result<std::vector<std::uint64_t>> bytes_of(const VaultId& vault, std::span<const SegmentId> segments);
  /// Segments of `vault` after `after`, at most `limit`: what scrub_segment() is to be called for.
  Result<std::vector<SegmentId>> segments(const VaultId& vault, const SegmentId& after, std::size_t limit);
  /// Re-hashes the rows of one segment: all, or those that `seed` draws. A row that the disk cannot read is bad.
  Result<ScrubReport> scrub_segment(const HeldKey& key, unsigned percent, std::uint64_t seed);
  /// As Home::rows_at_risk().
  Result<std::vector<std::uint8_t>> rows_at_risk(const SegmentId& segment);

 private:
  struct Log {
    std::uint64_t end = 0;  // after the last mark
    std::uint64_t seq = 0;
    std::uint64_t size = 0;  // of the file, when last looked at
    bool unreadable_tail = false;
    primitives::Hash mark{};  // the hash of the last mark
  };
  /// Records of the newest commit, where a crash or a failed sync may have left them in part.
  struct Suspect {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint32_t log = 0;
    bool covers(const wire::LogPlace& place) const {
      return place.log == log && place.offset >= begin && place.offset < end;
    }
  };
  /// What was put and not committed.
  struct Group {
    explicit Group(std::uint64_t begins) : begin(begins) {}
    std::uint64_t begin;
    std::uint32_t records = 0;
    primitives::Blake3 hash;
  };
  using FilePointer = std::shared_ptr<platform::File>;

  std::string log_path(std::uint32_t log) const;
  std::string index_path() const;
  Result<FilePointer> open_log(std::uint32_t log);  // for reading; the last few stay open. Errors: busy (see retrying)
  Error missing_log(std::uint32_t log) const;
  template <class Look>
  auto retrying(Look look) -> decltype(look());
  Result<HeldKey> first_of(const SegmentId& segment);
  template <class Look>
  auto of_first(const SegmentId& segment, Look look) -> decltype(look(HeldKey())) {
    MHP_TRY(const HeldKey key, first_of(segment));
    return look(key);
  }
  void forget_files();  // what is open may not be what has the name by now

  // With mutex_ held.
  Result<void> ensure_loaded();
  Result<void> load();
  Result<std::vector<std::uint32_t>> log_numbers() const;
  std::optional<wire::HomeIndex> read_index() const;
  bool is_as_indexed(const wire::HomeIndex& index, const std::vector<std::uint32_t>& numbers);
  Result<primitives::Hash> hash_of_mark_before(std::uint32_t log, std::uint64_t end);
  void take_index(const wire::HomeIndex& index);
  void add_witnessed(std::uint32_t log, LogScan& found);
  Result<void> scan(std::uint32_t log, bool after_crash);
  Result<void> refresh();
  std::uint64_t used() const;
  Result<std::vector<std::uint8_t>> without_front(const SegmentId& segment, std::span<const RowPlace> rows);
  Result<Holding> holding(std::unique_lock<std::mutex>& lock, const HeldKey& key);
  /// Gives the mutex back while it reads. Errors: busy (see retrying).
  Result<void> judge(std::unique_lock<std::mutex>& lock, const HeldKey& key);

  // The writer's.
  Result<void> ensure_writing();
  Result<void> attach(std::uint32_t log, const Log& state);
  Result<void> mark_suspect();
  Result<void> append(const wire::RecordFront& front, MutableBytes record, bool within_bounds);
  Result<void> make_room(std::uint64_t bytes, bool within_bounds);
  void leave_active();
  Result<void> create_log();
  Result<void> reserve(std::uint64_t bytes);
  Result<void> write_mark(const wire::CommitMark& mark, primitives::Hash& hash);
  Result<void> give_up(Error reason);
  Result<void> cut_back();
  bool has_whole_copies(const wire::RecordFront& front, const wire::Card& card);
  Result<void> check_card(const wire::RecordFront& front, const wire::Card& card);
  void write_index();

  // Purging (fragment_log_purge.cc).
  using Moves = std::map<HeldKey, std::vector<RowPlace>>;  // what is alive in a log: cards, and rows that hold
  std::vector<std::uint32_t> logs_to_remove(std::span<const HeldKey> due);
  Result<Moves> alive_in(std::uint32_t log, std::span<const HeldKey> due);
  Result<void> account_for(platform::File& file, const FoundRecord& record, bool was_suspect, Moves& moves);
  /// Of blocks that are in no record that the log itself shows.
  Result<void> account_for_unknown(std::uint32_t log, std::span<const std::uint64_t> blocks,
                                   std::span<const HeldKey> due);
  Result<void> account_for_damaged(const HeldIndex::Known& record);
  bool is_whole(const HeldKey& key, const RowPlace& row);
  Result<void> move_rows(const HeldKey& key, std::span<const RowPlace> rows);
  tl::unexpected<Error> keep_for_damage(std::uint32_t log, const HeldKey& key, std::uint8_t row,
                                        const std::string& why);
  Result<wire::RecordFront> newest_front(const HeldKey& key);
  std::string no_room_to_move(std::uint32_t log);
  Result<std::uint64_t> remove_log(std::uint32_t log, const Moves& moves);

  platform::Disk& disk_;
  const std::string path_;
  const wire::HomeFile identity_;
  const std::uint64_t max_log_bytes_;

  std::mutex mutex_;  // guards the next block; held while logs are scanned, never while records are written or read
  bool loaded_ = false;
  bool writing_ = false;  // this object is the writer: nobody else appends
  HeldIndex index_;
  std::map<std::uint32_t, Log> logs_;
  std::uint64_t pending_bytes_ = 0;         // put, not committed
  std::optional<wire::HomeIndex> witness_;  // while loading: an index that is not believed, but says what was committed
  std::optional<Suspect> suspect_;
  bool distrust_newest_ = false;       // a sync of what a killed writer left has failed: is its newest commit durable?
  std::optional<Suspect> distrusted_;  // that commit: readable, but what is put again is written again

  std::mutex files_mutex_;
  std::vector<std::pair<std::uint32_t, FilePointer>> files_;  // open for reading, the last used first

  // The writer's own.
  SpaceBound space_;
  std::unique_ptr<platform::File> active_;  // none: the next put makes a log
  std::uint32_t active_log_ = 0;
  std::uint32_t next_log_ = 1;
  std::uint64_t tail_ = 0;         // of the active log: where the next record goes
  std::uint64_t attached_at_ = 0;  // where it was when this writer came to that log
  std::uint64_t reserved_end_ = 0;
  Group group_{0};
  std::atomic<std::uint64_t> losses_{0};
  std::optional<Error> lost_;  // earlier puts fell to a failed commit inside put(): the next commit() must say so
  std::vector<DamagedRow> found_damaged_;   // by the purge that runs
  std::size_t committed_records_ = 0;       // of index_
  std::size_t indexed_records_ = 0;         // of the index file
  std::optional<wire::LogPlace> cut_back_;  // after a failed commit: cut the log here before anything else
};

}  // namespace mhp::home::impl
