// Where chunks lie, in little memory: open addressing, 44 bytes a slot, no pointers.
#pragma once

#include <array>
#include <mutex>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "vault/vault.h"

namespace mhp::vault::impl {

/// ChunkId -> ChunkPlace. Ids are keyed hashes, so their own bytes are the hash. Reading from several threads at once
/// is fine while nobody inserts. Holds up to 2^31 chunks.
class ChunkTable {
 public:
  /// Bounds of what it can hold: bundle below 2^16, offset below 2^24, 1 to 2^24 bytes.
  static bool can_hold(const ChunkPlace& place);
  std::optional<ChunkPlace> find(const ChunkId& id) const;
  bool contains(const ChunkId& id) const { return slots_.empty() ? false : slots_[slot_of(id)].used(); }
  /// False, and nothing changes, where the id is there already.
  bool insert(const ChunkId& id, const ChunkPlace& place);
  /// The same, but takes the place of what is there.
  void assign(const ChunkId& id, const ChunkPlace& place);
  std::size_t size() const { return size_; }
  void reserve(std::size_t chunks);

 private:
  static constexpr std::uint32_t kFree = UINT32_MAX;
  struct Slot {
    std::array<std::byte, 32> id;
    std::uint32_t segment = kFree;
    std::uint32_t low = 0;   // offset (24 bits), low 8 bits of the bundle
    std::uint32_t high = 0;  // bytes - 1 (24 bits), high 8 bits of the bundle
    bool used() const { return segment != kFree; }
  };
  static_assert(sizeof(Slot) == 44);

  std::size_t slot_of(const ChunkId& id) const;
  /// True where the id was there before.
  bool fill(const ChunkId& id, const ChunkPlace& place, bool replace);
  void grow(std::size_t slots);

  std::vector<Slot> slots_;  // a power of two of them, at most 3/4 used
  std::size_t size_ = 0;
};

/// The chunks that one write session has taken up, shared by its workers. Thread-safe.
class SessionChunks {
 public:
  /// True for the first caller with this id: it has to store the chunk.
  bool insert(const ChunkId& id);

 private:
  static constexpr std::size_t kParts = 64;  // so that workers seldom wait for each other
  struct Part {
    std::mutex mutex;
    ChunkTable chunks;
  };
  std::array<Part, kParts> parts_;
};

}  // namespace mhp::vault::impl
