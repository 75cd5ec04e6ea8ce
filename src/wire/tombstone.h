// Tombstone and reprieve: what an owner wants forgotten, and what not after all.
#pragma once

#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "wire/limits.h"

namespace mhp::wire {

/// "These may go": starts the minimum hold in every home that gets it. Signed (kSignTombstone).
struct Tombstone {
  VaultId vault{};
  DeviceId device{};  // who signs: a device of the vault, or its identity key
  std::int64_t time_ns = 0;
  std::vector<SegmentId> segments{};  // 1 to kMaxTombstoneSegments, rising, each once
  friend bool operator==(const Tombstone&, const Tombstone&) = default;
};

/// "These stay": takes back what tombstones said. Signed (kSignReprieve).
struct Reprieve {
  VaultId vault{};
  DeviceId device{};  // as in a tombstone
  std::int64_t time_ns = 0;
  std::vector<SegmentId> segments{};  // as in a tombstone
  friend bool operator==(const Reprieve&, const Reprieve&) = default;
};

Bytes encode(const Tombstone& tombstone);
Bytes encode(const Reprieve& reprieve);
/// Errors: invalid.
Result<Tombstone> parse_tombstone(ByteView bytes);
Result<Reprieve> parse_reprieve(ByteView bytes);

}  // namespace mhp::wire
