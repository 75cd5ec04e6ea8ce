// What a computer tells its cloud about its own home, and which addresses it can give: pure.
#pragma once

#include <string>
#include <vector>

#include "cloud/roster.h"
#include "platform/network.h"

namespace mhp::app {

/// The home that this computer lends, as it is now.
struct OwnHome {
  KeyId key{};
  std::string name{};
  std::uint64_t lend_bytes = 0;
  bool anchor = false;
  std::vector<std::string> addresses{};  // the best first
};

/// What the roster does not say yet, or says otherwise; nothing where `member` is not in the cloud (any more), or
/// took this computer out of it.
struct Announcement {
  std::optional<wire::HomeKey> by_member{};      // to be signed with the member's key
  std::optional<wire::HomeAddresses> by_home{};  // with the home's
};
Announcement to_announce(const cloud::View& view, const MemberId& member, const OwnHome& own);

/// "HOST:PORT" of all that others could call: `told` (by the owner) first, then where the program listens; of an
/// address that stands for all ("::", "0.0.0.0") those of `interfaces`, without such as mean something on one link
/// only.
std::vector<std::string> addresses_to_tell(const std::vector<std::string>& told,
                                           const std::vector<platform::Endpoint>& listening,
                                           const std::vector<std::string>& interfaces);

}  // namespace mhp::app
