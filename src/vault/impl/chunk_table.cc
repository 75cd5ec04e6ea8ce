// Open addressing with linear steps.
#include "vault/impl/chunk_table.h"

#include <cstring>

#include "base/check.h"

namespace mhp::vault::impl {
namespace {

constexpr std::uint32_t k24Bits = 0xff'ffff;
constexpr std::size_t kFirstSlots = 64;

}  // namespace

bool ChunkTable::can_hold(const ChunkPlace& place) {
  return place.bundle <= 0xffff && place.offset <= k24Bits && place.bytes >= 1 && place.bytes - 1 <= k24Bits;
}

std::size_t ChunkTable::slot_of(const ChunkId& id) const {
  std::size_t mask = slots_.size() - 1;
  std::size_t at = IdHash()(id) & mask;
  while (slots_[at].used() && std::memcmp(slots_[at].id.data(), id.bytes().data(), 32) != 0) at = (at + 1) & mask;
  return at;
}

std::optional<ChunkPlace> ChunkTable::find(const ChunkId& id) const {
  if (slots_.empty()) return std::nullopt;
  const Slot& slot = slots_[slot_of(id)];
  if (!slot.used()) return std::nullopt;
  ChunkPlace out;
  out.segment = slot.segment;
  out.bundle = slot.low >> 24 | (slot.high >> 24) << 8;
  out.offset = slot.low & k24Bits;
  out.bytes = (slot.high & k24Bits) + 1;
  return out;
}

bool ChunkTable::insert(const ChunkId& id, const ChunkPlace& place) { return !fill(id, place, /*replace=*/false); }

void ChunkTable::assign(const ChunkId& id, const ChunkPlace& place) { fill(id, place, /*replace=*/true); }

bool ChunkTable::fill(const ChunkId& id, const ChunkPlace& place, bool replace) {
  MHP_CHECK(can_hold(place) && place.segment != kFree);
  if ((size_ + 1) * 4 > slots_.size() * 3) grow(std::max(kFirstSlots, slots_.size() * 2));
  Slot& slot = slots_[slot_of(id)];
  bool was_used = slot.used();
  if (was_used && !replace) return true;
  std::memcpy(slot.id.data(), id.bytes().data(), 32);
  slot.segment = place.segment;
  slot.low = place.offset | (place.bundle & 0xff) << 24;
  slot.high = (place.bytes - 1) | place.bundle >> 8 << 24;
  size_ += !was_used;
  return was_used;
}

void ChunkTable::reserve(std::size_t chunks) {
  std::size_t slots = std::max(kFirstSlots, slots_.size());
  while (chunks * 4 > slots * 3) slots *= 2;
  if (slots > slots_.size()) grow(slots);
}

void ChunkTable::grow(std::size_t slots) {
  std::vector<Slot> old(slots);
  old.swap(slots_);
  for (const Slot& slot : old) {
    if (slot.used()) slots_[slot_of(ChunkId::from_bytes(slot.id))] = slot;
  }
}

bool SessionChunks::insert(const ChunkId& id) {
  // Other bits than those that choose the slot.
  Part& part = parts_[std::to_integer<std::size_t>(id.bytes()[31]) % kParts];
  std::lock_guard lock(part.mutex);
  return part.chunks.insert(id, ChunkPlace{.segment = 0, .bundle = 0, .offset = 0, .bytes = 1});
}

}  // namespace mhp::vault::impl
