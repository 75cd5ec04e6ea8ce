// Where chunks lie, in little memory: open addressing, 44 bytes a slot, no pointers.
#pragma once

#include <array>
#include <mutex>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "vault/vault.h"

namespace mhp::vault::impl {

/// A chunk and its place in 44 bytes, in memory and in the cache of the index.
struct ChunkSlot {
  static constexpr std::uint32_t kFree = UINT32_MAX;
  ChunkId id;
  std::uint32_t segment = kFree;
  std::uint32_t low = 0;   // offset (24 bits), low 8 bits of the bundle
  std::uint32_t high = 0;  // bytes - 1 (24 bits), high 8 bits of the bundle

  /// Bounds of what it can hold: bundle below 2^16, offset below 2^24, 1 to 2^24 bytes.
  static bool can_hold(const ChunkPlace& place);
  static ChunkSlot of(const ChunkId& id, const ChunkPlace& place);
  ChunkPlace place() const;
  bool used() const { return segment != kFree; }
};
static_assert(sizeof(ChunkSlot) == 44);

/// ChunkId -> ChunkPlace. Ids are keyed hashes, so their own bytes are the hash. Reading from several threads at once
/// is fine while nobody inserts. Holds up to 2^31 chunks.
class ChunkTable {
 public:
  /// Null where it is not there; valid until the next insertion. Its number in slots() stays the same as long.
  const ChunkSlot* find(const ChunkId& id) const;
  /// False, and nothing changes, where the id is there already.
  bool insert(const ChunkId& id, const ChunkPlace& place);
  /// The same, but takes the place of what is there, and returns that.
  std::optional<ChunkSlot> assign(const ChunkId& id, const ChunkPlace& place);
  std::size_t size() const { return size_; }
  /// Used ones and free ones.
  const std::vector<ChunkSlot>& slots() const { return slots_; }

 private:
  std::size_t slot_of(const ChunkId& id) const;
  /// What was there before.
  std::optional<ChunkSlot> fill(const ChunkId& id, const ChunkPlace& place, bool replace);
  void grow(std::size_t slots);

  std::vector<ChunkSlot> slots_;  // a power of two of them, at most 3/4 used
  std::size_t size_ = 0;
};

/// The chunks that one write session has taken up, shared by its workers. Thread-safe.
class SessionChunks {
 public:
  /// True for the first caller with this id: it has to store the chunk.
  bool insert(const ChunkId& id);

 private:
  static constexpr std::size_t kParts = 64;  // so that workers seldom wait for each other
  /// The first half of an id. Ids are keyed hashes: with 2^32 chunks two halves meet with 2^-65.
  using Half = std::array<std::uint64_t, 2>;
  struct Part {
    std::mutex mutex;
    std::vector<Half> halves;  // open addressing; a power of two of them, at most 3/4 used; zeros are free
    std::size_t size = 0;
  };
  static Half& slot_for(std::vector<Half>& halves, const Half& half);
  static void grow(Part& part);
  std::array<Part, kParts> parts_;
};

}  // namespace mhp::vault::impl
