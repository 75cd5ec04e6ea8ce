// Give and take.
#include "cloud/quota.h"

#include <algorithm>

namespace mhp::cloud {

using Wide = unsigned __int128;

static Wide sum_lent_by(const View& view, const MemberId& member) {
  Wide lent = 0;
  for (const auto& [id, home] : view.homes)
    if (home.member == member) lent += home.lend_bytes;
  return lent;
}

std::uint64_t lent_by(const View& view, const MemberId& member) {
  return static_cast<std::uint64_t>(std::min<Wide>(sum_lent_by(view, member), UINT64_MAX));
}

bool lends_too_little(const View& view, const MemberId& member) {
  return sum_lent_by(view, member) < view.rules.lend_floor_bytes;
}

/// Among how many homes it is shared out what a member may take. By members, and then by the homes of each, so that
/// nobody makes the share at another's home smaller by saying that he has many; by homes, where that makes it larger,
/// as rows are dealt out so.
static std::uint64_t sharing(const View& view, const MemberId& host, const MemberId& member) {
  std::map<MemberId, std::uint64_t> lending;  // homes of each of the others
  std::uint64_t homes = 0;
  for (const auto& [id, home] : view.homes) {
    if (home.member == member || home.lend_bytes == 0) continue;
    lending[home.member] += 1;
    homes += 1;
  }
  const auto own = lending.find(host);
  const std::uint64_t by_members = lending.size() * (own == lending.end() ? 1 : own->second);
  return std::clamp<std::uint64_t>(std::min(homes, by_members), 1, kMostSharing);
}

std::uint64_t quota_bytes(const View& view, const MemberId& host, const MemberId& member, std::uint64_t lend_bytes) {
  if (!view.members.contains(host) || !view.members.contains(member)) return 0;
  if (host == member) return lend_bytes;
  if (lends_too_little(view, member)) return 0;
  if (view.rules.take_percent == 0) return lend_bytes;
  const Wide may_take = sum_lent_by(view, member) * view.rules.take_percent / 100;
  const Wide share = std::min<Wide>(may_take, 2 * may_take / sharing(view, host, member));
  return static_cast<std::uint64_t>(std::min<Wide>(lend_bytes, share));
}

}  // namespace mhp::cloud
