// Give and take.
#include "cloud/quota.h"

#include <algorithm>

namespace mhp::cloud {

std::uint64_t quota_bytes(const View& view, const MemberId& host, const MemberId& member, std::uint64_t lend_bytes) {
  if (!view.members.contains(host) || !view.members.contains(member)) return 0;
  if (host == member || view.rules.take_percent == 0) return lend_bytes;
  unsigned __int128 lent = 0;
  for (const auto& [id, home] : view.homes)
    if (home.member == member) lent += home.lend_bytes;
  const unsigned __int128 may_take = lent * view.rules.take_percent / 100;
  return static_cast<std::uint64_t>(std::min<unsigned __int128>(lend_bytes, may_take));
}

}  // namespace mhp::cloud
