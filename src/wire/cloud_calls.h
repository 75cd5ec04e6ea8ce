// What computers of a cloud say to each other about its roster, beside the roster's own messages
// (docs/protocol/cloud.md).
#pragma once

#include <array>

#include "wire/roster.h"

namespace mhp::wire {

constexpr std::string_view kSignCloudClaim = "mhp 1 cloud session";

constexpr std::uint64_t kMaxCloudClaimBytes = 512;  // signed
constexpr std::uint64_t kMaxJoinCallBytes = 2_KiB;  // what a stranger may send has to hold it

/// "On this connection, to this home, I am the member of this cloud who signs": signed, it is of no use anywhere else.
struct CloudClaim {
  CloudId cloud{};
  HomeId home{};                         // that is asked
  std::array<std::byte, 32> exporter{};  // net::Peer::exporter
  friend bool operator==(const CloudClaim&, const CloudClaim&) = default;
};

/// Asks to be admitted, and shows that who asks has the key that is to be a member.
struct JoinCall {
  JoinRequest request{};
  Bytes signed_claim{};  // by the key of request.admission.member
  friend bool operator==(const JoinCall&, const JoinCall&) = default;
};

/// To a RosterDigest: what the other one lacks, and what is held here, so that it can send back what is missing.
struct RosterNews {
  RosterDigest digest{};
  std::vector<Bytes> statements{};  // each an encoded Signed; bounds as in Statements
  friend bool operator==(const RosterNews&, const RosterNews&) = default;
};

Bytes encode(const CloudClaim&);
Bytes encode(const JoinCall&);
Bytes encode(const RosterNews&);
/// Each checks every bound that is named above. Errors: invalid.
Result<CloudClaim> parse_cloud_claim(ByteView bytes);
Result<JoinCall> parse_join_call(ByteView bytes);
Result<RosterNews> parse_roster_news(ByteView bytes);

}  // namespace mhp::wire
