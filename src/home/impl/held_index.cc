// The index in memory: entries in order of arrival, found by a hash table of their numbers.
#include "home/impl/held_index.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "base/check.h"

namespace mhp::home::impl {

std::size_t HeldIndex::slot_of(const SegmentId& segment, std::uint32_t vault) const {
  const auto is_other = [&](const Entry& entry) { return entry.vault != vault || entry.segment != segment; };
  std::size_t at = IdHash()(segment) & (slots_.size() - 1);
  while (slots_[at] != kNone && is_other(entries_[slots_[at]])) at = (at + 1) & (slots_.size() - 1);
  return at;
}

std::optional<std::uint32_t> HeldIndex::newest(const HeldKey& key) const {
  const auto vault = known_number(key.vault);
  if (slots_.empty() || !vault) return std::nullopt;
  const std::uint32_t entry = slots_[slot_of(key.segment, *vault)];
  return entry == kNone ? std::nullopt : std::optional(entry);
}

std::optional<HeldKey> HeldIndex::first_of(const SegmentId& segment) const {
  if (slots_.empty()) return std::nullopt;
  std::uint32_t first = kNone;
  for (std::size_t at = IdHash()(segment) & (slots_.size() - 1); slots_[at] != kNone;
       at = (at + 1) & (slots_.size() - 1)) {
    std::uint32_t oldest = slots_[at];
    if (entries_[oldest].segment != segment) continue;
    while (entries_[oldest].older != kNone) oldest = entries_[oldest].older;
    first = std::min(first, oldest);
  }
  return first == kNone ? std::nullopt : std::optional(key_of(first));
}

/// Puts all entries in again, oldest first; their links to older ones come out the same.
void HeldIndex::rebuild_slots(std::size_t size) {
  slots_.assign(size, kNone);
  used_slots_ = 0;
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    std::uint32_t& slot = slots_[slot_of(entries_[i].segment, entries_[i].vault)];
    if (slot == kNone) ++used_slots_;
    entries_[i].older = slot;
    slot = i;
  }
}

std::optional<std::uint32_t> HeldIndex::known_number(const VaultId& vault) const {
  const auto found = std::ranges::find(vaults_, vault);  // a home keeps few vaults
  if (found == vaults_.end()) return std::nullopt;
  return static_cast<std::uint32_t>(found - vaults_.begin());
}

std::uint32_t HeldIndex::number_of(const VaultId& vault) {
  if (const auto known = known_number(vault)) return *known;
  vaults_.push_back(vault);
  vault_bytes_.push_back(0);
  return static_cast<std::uint32_t>(vaults_.size() - 1);
}

void HeldIndex::add(const FoundRecord& record) {
  MHP_CHECK(entries_.size() < kNone - 1);
  if (2 * (used_slots_ + 1) > slots_.size()) rebuild_slots(std::max<std::size_t>(64, slots_.size() * 2));
  const std::uint32_t vault = number_of(record.vault);
  std::uint32_t& slot = slots_[slot_of(record.segment, vault)];
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
  entry.vault = vault;
  entry.row_count = static_cast<std::uint32_t>(record.rows.size());
  for (const wire::RecordRow& row : record.rows) rows_.push_back({row.offset, row.bytes, row.row});
  slot = static_cast<std::uint32_t>(entries_.size());
  entries_.push_back(entry);
  vault_bytes_[vault] += record.record_bytes;
}

void HeldIndex::shrink(std::size_t records) {
  if (records >= entries_.size()) return;
  for (const Entry& entry : std::span(entries_).subspan(records)) vault_bytes_[entry.vault] -= entry.record_bytes;
  rows_.resize(entries_[records].first_row);
  entries_.resize(records);
  rebuild_slots(slots_.size());
  sorted_.clear();
  sorted_records_ = 0;
}

std::span<const HeldIndex::Row> HeldIndex::rows_of(const Entry& entry) const {
  return std::span(rows_).subspan(entry.first_row, entry.row_count);
}

std::vector<RowPlace> HeldIndex::rows(const HeldKey& key) const {
  std::array<bool, 256> seen{};
  std::vector<RowPlace> out;
  for (std::uint32_t at = newest(key).value_or(kNone); at != kNone; at = entries_[at].older) {
    const Entry& entry = entries_[at];
    if (entry.is_aside) continue;
    for (const Row& row : rows_of(entry)) {
      if (std::exchange(seen[row.row], true)) continue;
      out.push_back({row.row, {entry.log, entry.offset + row.offset}, row.bytes, front_of(entry)});
    }
  }
  std::ranges::sort(out, {}, &RowPlace::row);
  return out;
}

std::vector<std::uint8_t> HeldIndex::row_numbers(const HeldKey& key) const {
  std::vector<std::uint8_t> out;
  for (std::uint32_t at = newest(key).value_or(kNone); at != kNone; at = entries_[at].older) {
    if (entries_[at].is_aside) continue;
    const std::span<const Row> rows = rows_of(entries_[at]);
    out.reserve(out.size() + rows.size());
    for (const Row& row : rows) out.push_back(row.row);
  }
  std::ranges::sort(out);
  const auto again = std::ranges::unique(out);
  out.erase(again.begin(), again.end());
  return out;
}

std::optional<RowPlace> HeldIndex::row(const HeldKey& key, std::uint8_t wanted) const {
  for (std::uint32_t at = newest(key).value_or(kNone); at != kNone; at = entries_[at].older) {
    const Entry& entry = entries_[at];
    if (entry.is_aside) continue;
    for (const Row& row : rows_of(entry)) {
      if (row.row == wanted)
        return RowPlace{row.row, {entry.log, entry.offset + row.offset}, row.bytes, front_of(entry)};
    }
  }
  return std::nullopt;
}

std::vector<FrontPlace> HeldIndex::fronts(const HeldKey& key) const {
  std::vector<FrontPlace> out;
  for (std::uint32_t at = newest(key).value_or(kNone); at != kNone; at = entries_[at].older) {
    const Entry& entry = entries_[at];
    if (!entry.is_aside) out.push_back(front_of(entry));
  }
  const auto age = [](const FrontPlace& front) {
    return std::tuple(front.card_version, front.place.log, front.place.offset);
  };
  std::ranges::sort(out, std::ranges::greater(), age);
  return out;
}

std::uint32_t HeldIndex::card_version(const HeldKey& key) const {
  std::uint32_t highest = 0;
  for (std::uint32_t at = newest(key).value_or(kNone); at != kNone; at = entries_[at].older) {
    if (!entries_[at].is_aside) highest = std::max(highest, entries_[at].card_version);
  }
  return highest;
}

std::vector<HeldIndex::Held> HeldIndex::to_judge(const HeldKey& key) const {
  std::vector<Held> out;
  const auto last = newest(key);
  if (!last || entries_[*last].is_judged || entries_[*last].older == kNone) return out;
  for (std::uint32_t at = *last; at != kNone; at = entries_[at].older) {
    const Entry& entry = entries_[at];
    if (entry.is_aside) continue;
    out.push_back(
        {.front = {{entry.log, entry.offset}, entry.front_bytes, entry.card_version}, .has_rows = entry.row_count > 0});
  }
  std::ranges::sort(out, {},
                    [](const Held& held) { return std::tuple(held.front.place.log, held.front.place.offset); });
  return out;
}

void HeldIndex::note_judged(const HeldKey& key, std::span<const wire::LogPlace> aside) {
  for (std::uint32_t at = newest(key).value_or(kNone); at != kNone; at = entries_[at].older) {
    Entry& entry = entries_[at];
    entry.is_judged = true;
    entry.is_aside = entry.is_aside || std::ranges::find(aside, wire::LogPlace{entry.log, entry.offset}) != aside.end();
  }
}

bool HeldIndex::is_aside(const HeldKey& key, const wire::LogPlace& place) const {
  for (std::uint32_t at = newest(key).value_or(kNone); at != kNone; at = entries_[at].older) {
    if (wire::LogPlace{entries_[at].log, entries_[at].offset} == place) return entries_[at].is_aside;
  }
  return false;
}

std::uint64_t HeldIndex::bytes_of(const HeldKey& key) const {
  std::uint64_t bytes = 0;
  for (std::uint32_t at = newest(key).value_or(kNone); at != kNone; at = entries_[at].older)
    bytes += entries_[at].record_bytes;
  return bytes;
}

bool HeldIndex::is_current(std::uint32_t number) const {
  const Entry& entry = entries_[number];
  if (entry.is_aside) return false;
  const HeldKey key = key_of(number);
  if (newest(key) == number && entry.older == kNone) return true;
  const FrontPlace front = fronts(key).front();
  if (front.place.log == entry.log && front.place.offset == entry.offset) return true;
  return std::ranges::any_of(rows_of(entry), [&](const Row& one) {
    return row(key, one.row)->place == wire::LogPlace{entry.log, entry.offset + one.offset};
  });
}

std::map<std::uint32_t, HeldIndex::LogUse> HeldIndex::log_uses(std::span<const HeldKey> due) const {
  std::map<std::uint32_t, LogUse> out;
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    LogUse& use = out[entries_[i].log];
    const bool is_alive = !std::ranges::binary_search(due, key_of(i)) && is_current(i);
    (is_alive ? use.alive_bytes : use.dead_bytes) += entries_[i].record_bytes;
  }
  return out;
}

std::optional<HeldIndex::Known> HeldIndex::record_over(const wire::LogPlace& place) const {
  const auto is_there = [&](const Entry& entry) {
    return entry.log == place.log && entry.offset <= place.offset && place.offset < entry.offset + entry.record_bytes;
  };
  const auto found = std::ranges::find_if(entries_, is_there);
  if (found == entries_.end()) return std::nullopt;
  Known out{.key = key_of(static_cast<std::uint32_t>(found - entries_.begin())),
            .place = {found->log, found->offset},
            .record_bytes = found->record_bytes,
            .rows = {}};
  for (const Row& row : rows_of(*found)) out.rows.push_back(row.row);
  return out;
}

void HeldIndex::drop_log(std::uint32_t log) {
  std::vector<Row> rows;
  std::size_t kept = 0;
  for (const Entry& entry : entries_) {
    if (entry.log == log) {
      vault_bytes_[entry.vault] -= entry.record_bytes;
      continue;
    }
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
  sorted_.clear();
  for (const std::uint32_t entry : slots_) {
    if (entry != kNone) sorted_.push_back(entry);
  }
  std::ranges::sort(sorted_, [this](std::uint32_t one, std::uint32_t other) {
    const Entry& a = entries_[one];
    const Entry& b = entries_[other];
    return a.vault == b.vault ? a.segment < b.segment : vaults_[a.vault] < vaults_[b.vault];
  });
  sorted_records_ = entries_.size();
}

std::vector<HeldKey> HeldIndex::keys(const HeldKey& after, std::size_t limit) {
  sort();
  const auto key_at = [this](std::uint32_t entry) { return key_of(entry); };
  std::vector<HeldKey> out;
  for (auto at = std::ranges::upper_bound(sorted_, after, {}, key_at); at != sorted_.end(); ++at) {
    if (out.size() >= limit) break;
    out.push_back(key_of(*at));
  }
  return out;
}

std::vector<SegmentId> HeldIndex::segments(const VaultId& vault, const SegmentId& after, std::size_t limit) {
  std::vector<SegmentId> out;
  for (const HeldKey& key : keys({vault, after}, limit)) {
    if (key.vault != vault) break;
    out.push_back(key.segment);
  }
  return out;
}

std::uint64_t HeldIndex::bytes_of(const VaultId& vault) const {
  const auto number = known_number(vault);
  return number ? vault_bytes_[*number] : 0;
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
