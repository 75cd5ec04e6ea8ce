// Open addressing with linear steps.
#include "vault/impl/chunk_table.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"

namespace mhp::vault::impl {
namespace {

constexpr std::uint32_t k24Bits = 0xff'ffff;
constexpr std::size_t kFirstSlots = 64;

bool is_full(std::size_t size, std::size_t slots) { return (size + 1) * 4 > slots * 3; }

}  // namespace

bool ChunkSlot::can_hold(const ChunkPlace& place) {
  return place.bundle <= 0xffff && place.offset <= k24Bits && place.bytes >= 1 && place.bytes - 1 <= k24Bits;
}

ChunkSlot ChunkSlot::of(const ChunkId& id, const ChunkPlace& place) {
  MHP_CHECK(can_hold(place) && place.segment != kFree);
  return {.id = id,
          .segment = place.segment,
          .low = place.offset | (place.bundle & 0xff) << 24,
          .high = (place.bytes - 1) | place.bundle >> 8 << 24};
}

ChunkPlace ChunkSlot::place() const {
  return {.segment = segment,
          .bundle = low >> 24 | (high >> 24) << 8,
          .offset = low & k24Bits,
          .bytes = (high & k24Bits) + 1};
}

std::size_t ChunkTable::slot_of(const ChunkId& id) const {
  std::size_t mask = slots_.size() - 1;
  std::size_t at = IdHash()(id) & mask;
  while (slots_[at].used() && slots_[at].id != id) at = (at + 1) & mask;
  return at;
}

const ChunkSlot* ChunkTable::find(const ChunkId& id) const {
  if (slots_.empty()) return nullptr;
  const ChunkSlot& slot = slots_[slot_of(id)];
  return slot.used() ? &slot : nullptr;
}

bool ChunkTable::insert(const ChunkId& id, const ChunkPlace& place) { return !fill(id, place, /*replace=*/false); }

std::optional<ChunkSlot> ChunkTable::assign(const ChunkId& id, const ChunkPlace& place) {
  return fill(id, place, /*replace=*/true);
}

std::optional<ChunkSlot> ChunkTable::fill(const ChunkId& id, const ChunkPlace& place, bool replace) {
  if (is_full(size_, slots_.size())) grow(std::max(kFirstSlots, slots_.size() * 2));
  ChunkSlot& slot = slots_[slot_of(id)];
  std::optional<ChunkSlot> former;
  if (slot.used()) former = slot;
  if (former && !replace) return former;
  slot = ChunkSlot::of(id, place);
  size_ += !former;
  return former;
}

void ChunkTable::grow(std::size_t slots) {
  std::vector<ChunkSlot> old(slots);
  old.swap(slots_);
  for (const ChunkSlot& slot : old) {
    if (slot.used()) slots_[slot_of(slot.id)] = slot;
  }
}

SessionChunks::Half& SessionChunks::slot_for(std::vector<Half>& halves, const Half& half) {
  std::size_t mask = halves.size() - 1;
  std::size_t at = half[0] & mask;
  while (halves[at] != Half{} && halves[at] != half) at = (at + 1) & mask;
  return halves[at];
}

void SessionChunks::grow(Part& part) {
  std::vector<Half> old(std::max(kFirstSlots, part.halves.size() * 2));
  old.swap(part.halves);
  for (const Half& half : old) {
    if (half != Half{}) slot_for(part.halves, half) = half;
  }
}

bool SessionChunks::insert(const ChunkId& id) {
  Half half;
  std::memcpy(half.data(), id.bytes().data(), sizeof half);
  if (half == Half{}) half[1] = 1;
  // Other bits than those that choose the slot.
  Part& part = parts_[std::to_integer<std::size_t>(id.bytes()[31]) % kParts];
  std::lock_guard lock(part.mutex);
  if (is_full(part.size, part.halves.size())) grow(part);
  Half& slot = slot_for(part.halves, half);
  if (slot == half) return false;
  slot = half;
  ++part.size;
  return true;
}

}  // namespace mhp::vault::impl
