// Which histories of devices count: those that are followed, and those that are late, hidden, or on one home alone.
#include <algorithm>
#include <set>

#include "vault/impl/vault_impl.h"

namespace mhp::vault::impl {

/// But for heads that a top which is followed was made from: what they have is there.
void VaultImpl::note_late() {
  for (const LateHeads& late : heads_.late) {
    if (late.distrusted) continue;
    LateState state{.device = late.device};
    for (const LateHeads::Shown& shown : late.shown) {
      if (std::ranges::find(made_from_, shown.head) != made_from_.end()) continue;
      if (std::ranges::find(covered_, shown.head) != covered_.end()) continue;
      state.newest_ns = std::max(state.newest_ns, shown.time_ns);
      state.members.push_back(shown.member);
    }
    if (!state.members.empty()) late_.push_back(std::move(state));
  }
}

/// What this computer has seen, or a damaged file of a home may have, and nothing that is followed was made from.
void VaultImpl::note_hidden() {
  auto is_made_from = [this](auto&& matches) {
    return std::ranges::any_of(made_from_, matches) || std::ranges::any_of(covered_, matches);
  };
  for (const HiddenHeads& hidden : heads_.hidden) {
    const bool is_missed = std::ranges::any_of(hidden.missed, [&](const wire::SeenHead& missed) {
      return !is_made_from([&](const wire::SeenHead& head) { return head == missed; });
    });
    const bool is_in_file = !hidden.members.empty() &&
                            !is_made_from([&](const wire::SeenHead& head) { return head.device == hidden.device; });
    const bool is_said = std::ranges::find(unread_, hidden.device, &UnreadHead::device) != unread_.end();
    if (is_said || (!is_missed && !is_in_file)) continue;
    unread_.push_back({.device = hidden.device,
                       .reason = is_missed           ? "a newer state of it was seen than any home at hand shows"
                                 : hidden.is_unnamed ? "no home at hand has its vault record"
                                                     : "a home's file with its heads is damaged, and no other home "
                                                       "shows any",
                       .members = hidden.members});
  }
}

Task<Result<std::set<SnapshotId>>> VaultImpl::listed_by(const CheckedHead& head) {
  MHP_CO_TRY(wire::RootRef root, open_root(head));
  MHP_CO_TRY(wire::IndexTop top, co_await load_top(root));
  MHP_CO_TRY(auto objects, co_await objects_.load_all(std::move(top.snapshot_parts)));
  std::set<SnapshotId> ids;
  for (const Bytes& object : objects) {
    MHP_CO_TRY(wire::SnapshotPart part, wire::parse_snapshot_part(object));
    for (const auto& snapshot : part.snapshots) ids.insert(snapshot.id);
    for (const auto& forgotten : part.forgotten) ids.insert(forgotten.id);
  }
  co_return ids;
}

/// True where other tops that are followed list all that it lists.
Task<bool> VaultImpl::has_nothing_own(const BelievedDevice& branch) {
  auto own = co_await listed_by(branch.newest());
  if (!own) co_return false;
  for (const BelievedDevice* other : all_histories()) {
    if (other == &branch) continue;
    const auto listed = co_await listed_by(other->newest());
    if (listed) std::erase_if(*own, [&](const SnapshotId& id) { return listed->contains(id); });
  }
  co_return own->empty();
}

Task<> VaultImpl::settle_branches() {
  std::set<HeadHash> same;
  for (const BelievedDevice& branch : heads_.branches) {
    if (branch.contradicts) continue;
    const bool is_named = std::ranges::find(covered_, seen_of(branch, branch.newest())) != covered_.end();
    if (is_named || co_await has_nothing_own(branch)) same.insert(branch.newest().hash);
  }
  impl::settle_branches(heads_, [&](const BelievedDevice& branch) { return same.contains(branch.newest().hash); });
}

bool VaultImpl::shows_another(std::size_t than, const DeviceId& device, const Bytes& signed_head) const {
  for (std::size_t i = 0; i < views_.size(); ++i) {
    if (i != than && shows(views_[i], device, signed_head)) return true;
  }
  return false;
}

std::vector<LoneHead> VaultImpl::shown_only_by(std::size_t member) const {
  std::vector<LoneHead> out;
  auto take = [&](const BelievedDevice& history, bool stays) {
    const CheckedHead& newest = history.newest();
    if (std::ranges::find(covered_, seen_of(history, newest)) != covered_.end()) return;
    if (!shows(views_[member], history.device, newest.signed_bytes)) return;
    if (shows_another(member, history.device, newest.signed_bytes)) return;
    out.push_back({.device = history.device, .newest_ns = newest.head.time_ns, .stays = stays});
  };
  for (const BelievedDevice& device : heads_.devices) take(device, device.forked || is_late(device));
  for (const BelievedDevice& branch : heads_.branches) take(branch, true);
  for (const LateState& late : late_) {
    if (late.members == std::vector<std::size_t>{member})
      out.push_back({.device = late.device, .newest_ns = late.newest_ns, .stays = true});
  }
  return out;
}

bool VaultImpl::is_late(const BelievedDevice& device) const {
  if (!device.revoked) return false;
  auto revocations = revocations_of(record_.record);
  return std::ranges::none_of(revocations, [&](const wire::Revocation& one) {
    return one.device == device.device && device.newest().head.seq <= one.last_good_seq;
  });
}

bool VaultImpl::is_covered(const BelievedDevice& device) const {
  return device.revoked && std::ranges::find(covered_, seen_of(device, device.newest())) != covered_.end();
}

/// Devices, and the histories beside them that are followed too; the newest first: it was often made from all the
/// others, which need not be read then.
std::vector<const BelievedDevice*> VaultImpl::all_histories() const {
  std::vector<const BelievedDevice*> all;
  for (const BelievedDevice& device : heads_.devices) all.push_back(&device);
  for (const BelievedDevice& branch : heads_.branches) all.push_back(&branch);
  auto age = [](const BelievedDevice* one) { return std::tuple(one->newest().head.time_ns, one->newest().hash); };
  std::ranges::sort(all, std::ranges::greater(), age);
  return all;
}

Vault::NewestHead VaultImpl::newest_head() const {
  NewestHead out;
  for (const HomeView& view : views_) out.homes_answered += view.answered;
  for (const BelievedDevice& device : heads_.devices) {
    if (device.newest().head.time_ns < out.time_ns) continue;
    out.time_ns = device.newest().head.time_ns;
    out.homes_agree = device.homes_agree;
  }
  return out;
}

std::vector<wire::SeenHead> VaultImpl::believed_heads() const {
  std::vector<wire::SeenHead> out;
  for (const BelievedDevice* history : all_histories()) out.push_back(seen_of(*history, history->newest()));
  return out;
}

std::optional<std::int64_t> VaultImpl::newest_receipt_s() const {
  std::optional<std::int64_t> newest;
  for (const BelievedDevice* history : all_histories()) {
    for (const CheckedHead& head : history->chain) {
      if (head.received_s) newest = std::max(newest.value_or(*head.received_s), *head.received_s);
    }
  }
  return newest;
}

bool VaultImpl::has_branch(const DeviceId& device) const {
  return std::ranges::find(heads_.branches, device, &BelievedDevice::device) != heads_.branches.end();
}

bool VaultImpl::is_forked() const { return has_branch(device_.id); }

bool VaultImpl::joins_histories() const {
  return std::ranges::any_of(all_histories(), [this](const BelievedDevice* history) {
    return history->revoked && has_branch(history->device) && !is_covered(*history);
  });
}

}  // namespace mhp::vault::impl
