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

/// What is held is told apart by owner: who else claims a segment id changes nothing for the vault that has it.
struct HeldKey {
  VaultId vault{};
  SegmentId segment{};
  friend auto operator<=>(const HeldKey&, const HeldKey&) = default;
};

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

/// Where a record's front stands.
struct FrontPlace {
  wire::LogPlace place;
  std::uint32_t bytes = 0;
  std::uint32_t card_version = 0;
};

/// Where one fragment stands.
struct RowPlace {
  std::uint8_t row = 0;
  wire::LogPlace place;  // of its first byte
  std::uint32_t bytes = 0;
  FrontPlace front = {};  // of its record: without it, a home whose index is lost does not find the row
};

/// Records in order of arrival; several of one key count together: all their rows, of a row the newest copy.
/// Not thread-safe.
class HeldIndex {
 public:
  void add(const FoundRecord& record);
  /// Forgets all but the first `records`.
  void shrink(std::size_t records);
  std::size_t records() const { return entries_.size(); }

  bool holds(const HeldKey& key) const { return newest(key).has_value(); }
  /// Rising by row; empty where the segment is not held, or only its card is.
  std::vector<RowPlace> rows(const HeldKey& key) const;
  /// Their numbers alone, as lists of thousands of segments ask for them.
  std::vector<std::uint8_t> row_numbers(const HeldKey& key) const;
  std::optional<RowPlace> row(const HeldKey& key, std::uint8_t row) const;
  /// Highest card version first, of equal ones the newest first.
  std::vector<FrontPlace> fronts(const HeldKey& key) const;
  std::uint32_t card_version(const HeldKey& key) const;
  /// A record that counts, and whether rows came with it.
  struct Held {
    FrontPlace front;
    bool has_rows = false;
  };
  /// Of a segment with several records these, in the order in which they came, until note_judged(): who may write past
  /// put() can have added a card that contradicts the others. Else empty.
  std::vector<Held> to_judge(const HeldKey& key) const;
  /// Those in `aside` do not count any more, but for the space that they take.
  void note_judged(const HeldKey& key, std::span<const wire::LogPlace> aside);
  /// True where the record there does not count.
  bool is_aside(const HeldKey& key, const wire::LogPlace& place) const;
  /// All its records; 0 where it is not held.
  std::uint64_t bytes_of(const HeldKey& key) const;
  /// All records of a vault.
  std::uint64_t bytes_of(const VaultId& vault) const;
  /// Who holds a segment, for those who do not say whose they mean: of several the one whose record came first.
  std::optional<HeldKey> first_of(const SegmentId& segment) const;

  /// What each log's records are worth: alive where one has a row that holds or the card that holds, that is not in
  /// `due` (rising).
  struct LogUse {
    std::uint64_t alive_bytes = 0;
    std::uint64_t dead_bytes = 0;
  };
  std::map<std::uint32_t, LogUse> log_uses(std::span<const HeldKey> due) const;
  /// The record that a place in a log is in, and whose it is.
  struct Known {
    HeldKey key;
    wire::LogPlace place;
    std::uint32_t record_bytes = 0;
    std::vector<std::uint8_t> rows;
  };
  std::optional<Known> record_over(const wire::LogPlace& place) const;
  /// Forgets all records of a log.
  void drop_log(std::uint32_t log);

  /// Segments of a vault greater than `after` by rising id, at most `limit`.
  std::vector<SegmentId> segments(const VaultId& vault, const SegmentId& after, std::size_t limit);
  /// The same of all vaults.
  std::vector<HeldKey> keys(const HeldKey& after, std::size_t limit);

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
    std::uint32_t older = kNone;  // an earlier entry of the same key
    std::uint32_t vault = 0;      // into vaults_
    std::uint32_t row_count = 0;
    bool is_judged = false;  // it and all older ones
    bool is_aside = false;
  };
  struct Row {
    std::uint32_t offset = 0;
    std::uint32_t bytes = 0;
    std::uint8_t row = 0;
  };

  static FrontPlace front_of(const Entry& entry) {
    return {{entry.log, entry.offset}, entry.front_bytes, entry.card_version};
  }
  HeldKey key_of(std::uint32_t entry) const { return {vaults_[entries_[entry].vault], entries_[entry].segment}; }
  std::optional<std::uint32_t> newest(const HeldKey& key) const;
  std::size_t slot_of(const SegmentId& segment, std::uint32_t vault) const;
  std::optional<std::uint32_t> known_number(const VaultId& vault) const;
  std::uint32_t number_of(const VaultId& vault);
  std::span<const Row> rows_of(const Entry& entry) const;
  bool is_current(std::uint32_t entry) const;
  void rebuild_slots(std::size_t size);
  void sort();

  std::vector<Entry> entries_;
  std::vector<Row> rows_;
  std::vector<VaultId> vaults_;
  std::vector<std::uint64_t> vault_bytes_;  // of each: all its records
  std::vector<std::uint32_t>
      slots_;  // open addressing by segment id: the newest entry of each key; a power of two long
  std::size_t used_slots_ = 0;
  std::vector<std::uint32_t> sorted_;  // an entry of each key, rising; made when asked for
  std::size_t sorted_records_ = 0;     // of entries_, when it was made
};

}  // namespace mhp::home::impl
