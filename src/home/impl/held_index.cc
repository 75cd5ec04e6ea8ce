// The index in memory: entries in order of arrival, found by a hash table of their numbers.
#include "home/impl/held_index.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "base/check.h"

namespace mhp::home::impl {

std::size_t HeldIndex::slot_of(const SegmentId& segment) const {
  std::size_t at = IdHash()(segment) & (slots_.size() - 1);
  while (slots_[at] != kNone && entries_[slots_[at]].segment != segment) at = (at + 1) & (slots_.size() - 1);
  return at;
}

std::optional<std::uint32_t> HeldIndex::newest(const SegmentId& segment) const {
  if (slots_.empty()) return std::nullopt;
  const std::uint32_t entry = slots_[slot_of(segment)];
  return entry == kNone ? std::nullopt : std::optional(entry);
}

/// Puts all entries in again, oldest first; their links to older ones come out the same.
void HeldIndex::rebuild_slots(std::size_t size) {
  slots_.assign(size, kNone);
  used_slots_ = 0;
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    std::uint32_t& slot = slots_[slot_of(entries_[i].segment)];
    if (slot == kNone) ++used_slots_;
    entries_[i].older = slot;
    slot = i;
  }
}

std::uint32_t HeldIndex::number_of(const VaultId& vault) {
  const auto found = std::ranges::find(vaults_, vault);  // a home keeps few vaults
  if (found == vaults_.end()) vaults_.push_back(vault);
  return static_cast<std::uint32_t>(std::ranges::find(vaults_, vault) - vaults_.begin());
}

void HeldIndex::add(const FoundRecord& record) {
  MHP_CHECK(entries_.size() < kNone - 1);
  if (2 * (used_slots_ + 1) > slots_.size()) rebuild_slots(std::max<std::size_t>(64, slots_.size() * 2));
  std::uint32_t& slot = slots_[slot_of(record.segment)];
  if (slot == kNone) ++used_slots_;
  Entry entry;
  entry.segment = record.segment;
  entry.offset = record.place.offset;
  entry.log = record.place.log;
  entry.record_bytes = record.record_bytes;
  entry.front_bytes = record.front_bytes;
  entry.card_version = record.card_version;
  entry.first_row = static_cast<std::uint32_t>(rows_.size());
  entry.older = slot;
  entry.vault = number_of(record.vault);
  entry.row_count = static_cast<std::uint32_t>(record.rows.size());
  for (const wire::RecordRow& row : record.rows) rows_.push_back({row.offset, row.bytes, row.row});
  slot = static_cast<std::uint32_t>(entries_.size());
  entries_.push_back(entry);
}

void HeldIndex::shrink(std::size_t records) {
  if (records >= entries_.size()) return;
  rows_.resize(entries_[records].first_row);
  entries_.resize(records);
  rebuild_slots(slots_.size());
  sorted_.clear();
  sorted_records_ = 0;
}

std::span<const HeldIndex::Row> HeldIndex::rows_of(const Entry& entry) const {
  return std::span(rows_).subspan(entry.first_row, entry.row_count);
}

std::vector<RowPlace> HeldIndex::rows(const SegmentId& segment) const {
  std::array<bool, 256> seen{};
  std::vector<RowPlace> out;
  for (std::uint32_t at = newest(segment).value_or(kNone); at != kNone; at = entries_[at].older) {
    const Entry& entry = entries_[at];
    for (const Row& row : rows_of(entry)) {
      if (std::exchange(seen[row.row], true)) continue;
      out.push_back({row.row, {entry.log, entry.offset + row.offset}, row.bytes});
    }
  }
  std::ranges::sort(out, {}, &RowPlace::row);
  return out;
}

std::optional<RowPlace> HeldIndex::row(const SegmentId& segment, std::uint8_t wanted) const {
  for (std::uint32_t at = newest(segment).value_or(kNone); at != kNone; at = entries_[at].older) {
    const Entry& entry = entries_[at];
    for (const Row& row : rows_of(entry)) {
      if (row.row == wanted) return RowPlace{row.row, {entry.log, entry.offset + row.offset}, row.bytes};
    }
  }
  return std::nullopt;
}

std::vector<FrontPlace> HeldIndex::fronts(const SegmentId& segment) const {
  std::vector<FrontPlace> out;
  for (std::uint32_t at = newest(segment).value_or(kNone); at != kNone; at = entries_[at].older) {
    const Entry& entry = entries_[at];
    out.push_back({{entry.log, entry.offset}, entry.front_bytes, entry.card_version});
  }
  const auto age = [](const FrontPlace& front) {
    return std::tuple(front.card_version, front.place.log, front.place.offset);
  };
  std::ranges::sort(out, std::ranges::greater(), age);
  return out;
}

std::uint32_t HeldIndex::card_version(const SegmentId& segment) const {
  std::uint32_t highest = 0;
  for (std::uint32_t at = newest(segment).value_or(kNone); at != kNone; at = entries_[at].older)
    highest = std::max(highest, entries_[at].card_version);
  return highest;
}

bool HeldIndex::is_only_of(const SegmentId& segment, const VaultId& vault) const {
  const auto first = newest(segment);
  for (std::uint32_t at = first.value_or(kNone); at != kNone; at = entries_[at].older) {
    if (vaults_[entries_[at].vault] != vault) return false;
  }
  return first.has_value();
}

std::uint64_t HeldIndex::bytes_of(const SegmentId& segment) const {
  std::uint64_t bytes = 0;
  for (std::uint32_t at = newest(segment).value_or(kNone); at != kNone; at = entries_[at].older)
    bytes += entries_[at].record_bytes;
  return bytes;
}

bool HeldIndex::is_current(std::uint32_t number) const {
  const Entry& entry = entries_[number];
  if (newest(entry.segment) == number && entry.older == kNone) return true;
  const FrontPlace front = fronts(entry.segment).front();
  if (front.place.log == entry.log && front.place.offset == entry.offset) return true;
  return std::ranges::any_of(rows_of(entry), [&](const Row& one) {
    return row(entry.segment, one.row)->place == wire::LogPlace{entry.log, entry.offset + one.offset};
  });
}

std::map<std::uint32_t, HeldIndex::LogUse> HeldIndex::log_uses(std::span<const SegmentId> due) const {
  std::map<std::uint32_t, LogUse> out;
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    LogUse& use = out[entries_[i].log];
    const bool is_alive = !std::ranges::binary_search(due, entries_[i].segment) && is_current(i);
    (is_alive ? use.alive_bytes : use.dead_bytes) += entries_[i].record_bytes;
  }
  return out;
}

void HeldIndex::drop_log(std::uint32_t log) {
  std::vector<Row> rows;
  std::size_t kept = 0;
  for (const Entry& entry : entries_) {
    if (entry.log == log) continue;
    Entry moved = entry;
    moved.first_row = static_cast<std::uint32_t>(rows.size());
    std::ranges::copy(rows_of(entry), std::back_inserter(rows));
    entries_[kept++] = moved;
  }
  entries_.resize(kept);
  rows_ = std::move(rows);
  rebuild_slots(slots_.size());
  sorted_.clear();
  sorted_records_ = 0;
}

void HeldIndex::sort() {
  if (sorted_records_ == entries_.size()) return;
  const auto segment_of = [this](std::uint32_t entry) -> const SegmentId& { return entries_[entry].segment; };
  sorted_.clear();
  for (const std::uint32_t entry : slots_) {
    if (entry != kNone) sorted_.push_back(entry);
  }
  std::ranges::sort(sorted_, {}, segment_of);
  sorted_records_ = entries_.size();
}

std::vector<SegmentId> HeldIndex::segments(const std::optional<VaultId>& vault, const SegmentId& after,
                                           std::size_t limit) {
  sort();
  const auto segment_of = [this](std::uint32_t entry) -> const SegmentId& { return entries_[entry].segment; };
  std::vector<SegmentId> out;
  for (auto at = std::ranges::upper_bound(sorted_, after, {}, segment_of); at != sorted_.end(); ++at) {
    if (out.size() >= limit) break;
    if (!vault || vaults_[entries_[*at].vault] == *vault) out.push_back(entries_[*at].segment);
  }
  return out;
}

void HeldIndex::export_to(wire::HomeIndex& index, std::size_t records) const {
  index.vaults = vaults_;
  index.records.reserve(records);
  for (const Entry& entry : std::span(entries_).first(records)) {
    wire::IndexedRecord record;
    record.segment = entry.segment;
    record.vault = entry.vault;
    record.card_version = entry.card_version;
    record.place = {entry.log, entry.offset};
    record.record_bytes = entry.record_bytes;
    record.front_bytes = entry.front_bytes;
    for (const Row& row : rows_of(entry)) record.rows.push_back({row.row, row.offset, row.bytes});
    index.records.push_back(std::move(record));
  }
}

}  // namespace mhp::home::impl
