// What a home calls out in its local network, so that others of its clouds find it there.
#pragma once

#include <array>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "wire/limits.h"

namespace mhp::wire {

constexpr std::uint64_t kMaxBeaconBytes = 512;
constexpr unsigned kMaxBeaconTags = 16;

/// Tells members of a cloud that it is theirs, and others nothing; another one every day.
using BeaconTag = std::array<std::byte, 8>;

/// `day`: whole days since 1970-01-01 UTC.
BeaconTag beacon_tag(const CloudId& cloud, std::int64_t day);

/// Not signed: who is really there is proved by the TLS handshake with it. docs/protocol/discovery.md
struct Beacon {
  HomeId home{};                  // zeros: of a computer that only looks for others
  std::uint16_t port = 0;         // where it answers; 0 if and only if it only looks
  bool asks = false;              // who hears it shall answer with its own
  std::vector<BeaconTag> tags{};  // of its clouds, 1 to kMaxBeaconTags
  friend bool operator==(const Beacon&, const Beacon&) = default;
};

Bytes encode(const Beacon& beacon);
/// Errors: invalid.
Result<Beacon> parse_beacon(ByteView bytes);

}  // namespace mhp::wire
