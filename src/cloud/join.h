// Joining a cloud by an invitation: the newcomer's side.
#pragma once

#include "cloud/exchange.h"
#include "cloud/invitation.h"

namespace mhp::cloud {

/// Who joins, and with what. Both keys stay here.
struct Newcomer {
  primitives::SigningKey member;  // the new member's own
  std::string name{};
  primitives::SigningKey home;  // this computer's, as in its net::Identity
  std::string home_name{};
  std::uint64_t lend_bytes = 0;
  bool anchor = false;
  std::vector<std::string> addresses{};  // "HOST:PORT" of this computer; may be empty
  std::optional<KeyId> device{};         // that may speak for the member, too
  std::string device_name{};
};

struct Joined {
  RosterPointer roster{};  // with what the newcomer said in it
  MemberId member{};
  HomeId let_in_by{};   // whose key signed the admission
  std::string words{};  // four_words(), to be compared with those that the inviter sees
};

/// Asks the homes of the invitation one after the other, each at its addresses, until one admits; looks through what
/// it gives (the invitation's cloud, its inviter, the own admission); adds it to the book; says there which device,
/// home and addresses are the newcomer's; and exchanges with that home. Once admitted it is no error where the last
/// fails. May be called again with the same invitation and keys: who is in already is told so by the roster.
/// Errors, in words for the person: denied (expired, used, forged, removed: ask for a new one), usage (another
/// name is needed, or the member is in already: the invitation is still good), not_found (no home that was reached
/// knows the invitation), full, unavailable (none was reached, or none that was gave what it should: which, and why
/// each), those of the book. None holds anything secret. `limit`: of each request.
Task<Result<Joined>> join(platform::Platform& platform, Book& book, net::Peers& net, wire::Invitation invitation,
                          Newcomer newcomer, std::chrono::nanoseconds limit);

}  // namespace mhp::cloud
