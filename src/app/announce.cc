// Comparing what is with what the roster says.
#include "app/announce.h"

#include <algorithm>

#include "primitives/sign/sign.h"

namespace mhp::app {

Announcement to_announce(const cloud::View& view, const MemberId& member, const OwnHome& own) {
  Announcement out;
  if (!view.members.contains(member) || view.removed_keys.contains({own.key, member})) return out;
  primitives::PublicKey key{};
  std::ranges::copy(own.key.bytes(), key.begin());
  const auto known = view.homes.find(primitives::home_id_of(key));
  const bool is_same = known != view.homes.end() && known->second.member == member && known->second.name == own.name &&
                       known->second.lend_bytes == own.lend_bytes && known->second.anchor == own.anchor;
  if (!is_same) out.by_member = wire::HomeKey{own.key, own.name, own.lend_bytes, own.anchor};
  if (known == view.homes.end() || known->second.addresses != own.addresses)
    out.by_home = wire::HomeAddresses{own.addresses};
  return out;
}

static bool stands_for_all(const std::string& address) { return address == "::" || address == "0.0.0.0"; }

/// "fe80::1%eth0" is known on that wire alone, and the zone on this computer alone.
static bool means_something_elsewhere(const std::string& address) { return address.find('%') == std::string::npos; }

std::vector<std::string> addresses_to_tell(const std::vector<std::string>& told,
                                           const std::vector<platform::Endpoint>& listening,
                                           const std::vector<std::string>& interfaces) {
  std::vector<std::string> out = told;
  const auto add = [&out](const std::string& address) {
    if (std::ranges::find(out, address) == out.end()) out.push_back(address);
  };
  for (const platform::Endpoint& endpoint : listening) {
    if (!stands_for_all(endpoint.address)) add(to_string(endpoint));
    if (!stands_for_all(endpoint.address)) continue;
    const bool only_v4 = endpoint.address == "0.0.0.0";
    for (const std::string& one : interfaces) {
      const bool is_v6 = one.find(':') != std::string::npos;
      if (means_something_elsewhere(one) && !(only_v4 && is_v6)) add(to_string(platform::Endpoint{one, endpoint.port}));
    }
  }
  if (out.size() > wire::kMaxHomeAddresses) out.resize(wire::kMaxHomeAddresses);
  return out;
}

}  // namespace mhp::app
