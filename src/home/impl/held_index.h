// What a home's logs hold, in memory: about 100 bytes a segment.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <vector>

#include "base/ids.h"
#include "home/home.h"
#include "wire/home_log.h"

namespace mhp::home::impl {

/// A record as a scan or the index file names it.
struct FoundRecord {
  VaultId vault;
  SegmentId segment;
  std::uint32_t card_version = 0;
  wire::LogPlace place;
  std::uint32_t record_bytes = 0;
  std::uint32_t front_bytes = 0;
  std::vector<wire::RecordRow> rows;
};

/// Where one fragment stands.
struct RowPlace {
  std::uint8_t row = 0;
  wire::LogPlace place;  // of its first byte
  std::uint32_t bytes = 0;
};

/// Where a record's front stands.
struct FrontPlace {
  wire::LogPlace place;
  std::uint32_t bytes = 0;
  std::uint32_t card_version = 0;
};

/// Records in order of arrival; several of one segment count together: all their rows, of a row the newest copy.
/// Not thread-safe.
class HeldIndex {
 public:
  void add(const FoundRecord& record);
  /// Forgets all but the first `records`.
  void shrink(std::size_t records);
  std::size_t records() const { return entries_.size(); }

  bool holds(const SegmentId& segment) const { return newest(segment).has_value(); }
  /// Rising by row; empty where the segment is not held, or only its card is.
  std::vector<RowPlace> rows(const SegmentId& segment) const;
  std::optional<RowPlace> row(const SegmentId& segment, std::uint8_t row) const;
  /// Highest card version first, of equal ones the newest first.
  std::vector<FrontPlace> fronts(const SegmentId& segment) const;
  std::uint32_t card_version(const SegmentId& segment) const;
  /// Whether it is held and all its records are of `vault`: what one owner may have removed.
  bool is_only_of(const SegmentId& segment, const VaultId& vault) const;
  /// All its records.
  std::uint64_t bytes_of(const SegmentId& segment) const;

  /// What each log's records are worth: alive where one has a row that holds or the card that holds, of a segment that
  /// is not in `due` (rising).
  struct LogUse {
    std::uint64_t alive_bytes = 0;
    std::uint64_t dead_bytes = 0;
  };
  std::map<std::uint32_t, LogUse> log_uses(std::span<const SegmentId> due) const;
  /// Forgets all records of a log.
  void drop_log(std::uint32_t log);

  /// Segments greater than `after` by rising id, at most `limit`; of one vault, or of all without one.
  std::vector<SegmentId> segments(const std::optional<VaultId>& vault, const SegmentId& after, std::size_t limit);

  /// For the index file: the first `records` of them.
  void export_to(wire::HomeIndex& index, std::size_t records) const;

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  struct Entry {
    SegmentId segment;
    std::uint64_t offset = 0;
    std::uint32_t log = 0;
    std::uint32_t record_bytes = 0;
    std::uint32_t front_bytes = 0;
    std::uint32_t card_version = 0;
    std::uint32_t first_row = 0;  // into rows_
    std::uint32_t older = kNone;  // an earlier entry of the same segment
    std::uint32_t vault = 0;      // into vaults_
    std::uint32_t row_count = 0;
  };
  struct Row {
    std::uint32_t offset = 0;
    std::uint32_t bytes = 0;
    std::uint8_t row = 0;
  };

  std::optional<std::uint32_t> newest(const SegmentId& segment) const;
  std::size_t slot_of(const SegmentId& segment) const;
  std::uint32_t number_of(const VaultId& vault);
  std::span<const Row> rows_of(const Entry& entry) const;
  bool is_current(std::uint32_t entry) const;
  void rebuild_slots(std::size_t size);
  void sort();

  std::vector<Entry> entries_;
  std::vector<Row> rows_;
  std::vector<VaultId> vaults_;
  std::vector<std::uint32_t> slots_;  // open addressing by segment id: the newest entry of each; a power of two long
  std::size_t used_slots_ = 0;
  std::vector<std::uint32_t> sorted_;  // an entry of each segment by rising id; made when asked for
  std::size_t sorted_records_ = 0;     // of entries_, when it was made
};

}  // namespace mhp::home::impl
