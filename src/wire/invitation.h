// The invitation: what a person copies to another, so that this one's computer finds the cloud and is let in.
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "wire/roster.h"

namespace mhp::wire {

struct InvitedHome {
  HomeId home{};                         // believed only where the TLS handshake proves it
  std::vector<std::string> addresses{};  // "HOST:PORT"; at most kMaxInvitedAddresses
  friend bool operator==(const InvitedHome&, const InvitedHome&) = default;
};

/// Secret as a whole until it is used: who has it may join once.
struct Invitation {
  using Secret = std::array<std::byte, 16>;
  CloudId cloud{};
  MemberId inviter{};
  Secret secret{};
  std::int64_t expires_s = 0;  // since 1970; not negative
  Role role = Role::member;
  std::uint64_t lend_bytes = 0;      // a hint, 0: none
  std::vector<InvitedHome> homes{};  // 1 to kMaxInvitedHomes homes of admins: any of them can admit
  friend bool operator==(const Invitation&, const Invitation&) = default;
};

Bytes encode(const Invitation& invitation);
/// Errors: invalid.
Result<Invitation> parse_invitation(ByteView bytes);

/// "mhp1-" and groups of five letters and digits (Crockford's base 32: no I, L, O, U).
std::string code_of(const Invitation& invitation);
/// Spaces, line ends, dashes and case do not matter; i and l are read as 1, o as 0. A wrong, missing or swapped letter
/// is noticed (40 bits of checksum). Errors: invalid; the detail repeats nothing of the code.
Result<Invitation> invitation_of(std::string_view code);

}  // namespace mhp::wire
