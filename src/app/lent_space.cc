// Quotas of all clouds together, and owners as they come.
#include "app/lent_space.h"

#include <algorithm>
#include <set>

#include "app/lend_floor.h"
#include "cloud/quota.h"

namespace mhp::app {

LentSpace::LentSpace(platform::Disk& disk, std::string owners_file, const cloud::Book& book, Home home,
                     Belongings belongings)
    : book_(book), home_(home), belongings_(std::move(belongings)), owners_(disk, std::move(owners_file)) {}

void LentSpace::answer_for(cloud::Lending& lending) {
  lending.quota_bytes = [this](const net::Peer& peer, const VaultId&) { return quota_bytes(peer.id); };
  lending.why_nothing = [this](const net::Peer& peer) { return why_nothing(peer.id); };
  lending.counted_with = [this](const net::Peer& peer, const VaultId& vault) { return counted_with(peer.id, vault); };
  lending.note_owner = [this](const net::Peer& peer, const VaultId& vault) { return note_owner(peer.id, vault); };
  lending.least_hold_s = [this](const VaultId& vault) { return least_hold_s(vault); };
}

std::vector<LentSpace::Shared> LentSpace::shared_with(const HomeId& peer) const {
  std::vector<Shared> out;
  const auto theirs = belongings_(peer);
  for (const auto& mine : book_.belongings(home_.id)) {
    const cloud::RosterPointer roster = book_.find(mine.cloud);
    for (const auto& one : theirs)
      if (roster && one.cloud == mine.cloud) out.push_back({roster, mine.member, one.member});
  }
  return out;
}

std::uint64_t LentSpace::quota_bytes(const HomeId& peer) const {
  std::uint64_t most = 0;
  for (const Shared& one : shared_with(peer))
    most = std::max(most, cloud::quota_bytes(one.roster->view(), one.own, one.asking, home_.lend_bytes));
  return most;
}

std::string LentSpace::why_nothing(const HomeId& peer) const {
  if (quota_bytes(peer) > 0) return "";
  for (const Shared& one : shared_with(peer))
    if (const auto too_little = too_little_of(one.roster->view(), one.asking)) return too_little_reason(*too_little);
  return "";
}

std::vector<VaultId> LentSpace::counted_with(const HomeId& peer, const VaultId& vault) const {
  std::set<VaultId> out;
  for (const Shared& one : shared_with(peer))
    for (const VaultId& other : owners_.vaults_of(one.roster->cloud(), one.asking)) out.insert(other);
  out.erase(vault);
  return {out.begin(), out.end()};
}

Result<void> LentSpace::note_owner(const HomeId& peer, const VaultId& vault) {
  for (const Shared& one : shared_with(peer)) {
    const VaultOwner owner{one.roster->cloud(), one.asking, one.roster->view().rules.minimum_hold_s};
    MHP_TRY_VOID(owners_.note(vault, owner));
  }
  return {};
}

std::uint64_t LentSpace::least_hold_s(const VaultId& vault) const {
  if (const auto known = owners_.least_hold_s(vault)) return *known;
  std::uint64_t longest = 0;
  for (const CloudId& cloud : book_.clouds()) {
    const cloud::RosterPointer roster = book_.find(cloud);
    if (roster) longest = std::max(longest, roster->view().rules.minimum_hold_s);
  }
  return longest;
}

Result<void> LentSpace::follow_rules() {
  Result<void> done;
  for (const CloudId& cloud : book_.clouds()) {
    const cloud::RosterPointer roster = book_.find(cloud);
    if (!roster) continue;
    const auto followed = owners_.follow(cloud, roster->view());
    if (!followed) done = followed;
  }
  return done;
}

}  // namespace mhp::app
