// This device's own heads: what it signed last, which homes have it, and whether it may write on.
#include <algorithm>
#include <set>

#include "primitives/hash/blake3.h"
#include "vault/impl/vault_impl.h"

namespace mhp::vault::impl {

/// What a member shows as this device's newest head, where that is of its own history.
static const CheckedHead* shown_own_head(const HomeView& view, const std::vector<CheckedHead>& own) {
  if (own.empty()) return nullptr;
  const auto heads =
      std::ranges::find(view.heads, own.back().head.device, [](const auto& shown) { return shown.device; });
  if (heads == view.heads.end() || heads->chain.empty()) return nullptr;
  const auto known = std::ranges::find(own, heads->chain.back(), &CheckedHead::signed_bytes);
  return known == own.end() ? nullptr : &*known;
}

/// The newest of a device's heads that each member shows; nothing of one that does not say which it has.
static std::vector<std::optional<std::uint64_t>> newest_shown(const std::vector<HomeView>& views, const VaultId& vault,
                                                              const DeviceId& device) {
  std::vector<std::optional<std::uint64_t>> out;
  for (const HomeView& view : views) {
    std::optional<std::uint64_t>& newest = out.emplace_back();
    if (view.answered) newest = 0;
    const auto heads = std::ranges::find(view.heads, device, &home::Home::DeviceHeads::device);
    if (heads == view.heads.end()) continue;
    const auto chain = check_chain(heads->chain, vault, device);  // empty: its file is damaged
    newest = chain ? std::optional(chain->back().head.seq) : std::nullopt;
  }
  return out;
}

bool VaultImpl::has_reached_no_home(const CheckedHead& head, const wire::SeenHeads& seen, const wire::TakenHeads& taken,
                                    const std::vector<std::optional<std::uint64_t>>& shown) const {
  const std::uint64_t number = head.head.seq;
  const auto known = std::ranges::find(seen.heads, device_.id, &wire::SeenHead::device);
  if (known != seen.heads.end() && known->seq >= number) {  // it, or what was made from it, was said to be saved
    const bool is_at_hand = std::ranges::any_of(shown, [&](const auto& one) { return one && *one >= known->seq; });
    if (known->hash == head.hash || !is_at_hand) return false;
  }
  return std::ranges::none_of(taken.heads, [&](const wire::TakenHead& one) {
    if (one.seq < number) return false;
    const bool was_shown = one.hash == head.hash && std::ranges::any_of(taken.heads, [&](const wire::TakenHead& other) {
                             return other.home == one.home && other.seq > one.seq;  // which it was about to get then
                           });
    const auto home = std::ranges::find(homes_.members(), one.home, &dispersal::Member::id);
    const auto member = static_cast<std::size_t>(home - homes_.members().begin());
    return was_shown || home == homes_.members().end() || !shown[member];
  });
}

void VaultImpl::set_undelivered_aside(std::vector<Bytes>& own, const wire::SeenHeads& seen) {
  const auto taken = state_.taken();
  if (!taken || taken->heads.size() >= wire::kMaxSeenHeads) return;  // not known, or there was no room for all
  std::vector<std::optional<std::uint64_t>> shown;
  while (!own.empty()) {
    auto newest = check_chain({own.back()}, record_.record.vault, device_.id);
    const auto has_it = [&](const HomeView& view) { return shows(view, device_.id, own.back()); };
    if (!newest || std::ranges::any_of(views_, has_it)) return;
    if (shown.empty()) shown = newest_shown(views_, record_.record.vault, device_.id);
    if (!has_reached_no_home(newest->back(), seen, *taken, shown)) return;
    undelivered_.insert(undelivered_.begin(), std::move(newest->back()));
    own.pop_back();
    // The folder was put back to the copy of such a moment: this device went on otherwise, and so it does now.
    const std::uint64_t number = undelivered_.front().head.seq;
    if (std::ranges::any_of(shown, [&](const auto& one) { return one && *one >= number; })) undelivered_.clear();
  }
}

void VaultImpl::remember_seen() {
  auto old = state_.seen();
  if (!old && old.error().code == Errc::exhausted) return;
  wire::SeenHeads seen;
  if (old) seen = *old;
  for (const BelievedDevice* history : all_histories()) {
    // Not what this folder alone says of itself: where no home took it, no home shows too little.
    if (history->device == device_.id && history->members.empty()) continue;
    const wire::SeenHead head = seen_of(*history, history->newest());
    auto known = std::ranges::find(seen.heads, head.device, &wire::SeenHead::device);
    if (known == seen.heads.end()) {
      seen.heads.push_back(head);
    } else if (known->seq < head.seq) {
      *known = head;
    }
  }
  if (!old || seen != *old) (void)state_.set_seen(seen);
}

std::vector<CheckedHead> VaultImpl::own_chain() const {
  auto own = std::ranges::find(heads_.devices, device_.id, &BelievedDevice::device);
  return own == heads_.devices.end() ? std::vector<CheckedHead>() : own->chain;
}

std::vector<CheckedHead> VaultImpl::signed_chain() const {
  std::vector<CheckedHead> chain = own_chain();
  chain.insert(chain.end(), undelivered_.begin(), undelivered_.end());
  return chain;
}

Result<void> VaultImpl::take_own_head(CheckedHead head) {
  std::vector<CheckedHead> chain = signed_chain();
  chain.push_back(std::move(head));
  if (chain.size() > State::kOwnHeadsKept)
    chain.erase(chain.begin(), chain.end() - static_cast<std::ptrdiff_t>(State::kOwnHeadsKept));
  MHP_TRY_VOID(state_.set_own_heads(heads_after(chain, 0)));
  undelivered_.clear();
  std::erase_if(heads_.devices, [this](const BelievedDevice& other) { return other.device == device_.id; });
  BelievedDevice own;
  own.device = device_.id;
  own.chain = std::move(chain);
  heads_.devices.push_back(std::move(own));
  return {};
}

std::vector<home::Home::DeviceRecord> VaultImpl::records_for_the_words() const {
  std::vector<home::Home::DeviceRecord> out;
  for (const BelievedDevice* history : all_histories()) {
    if (!history->revoked || opens(history->newest()) || is_covered(*history)) continue;
    for (const HomeView& view : views_) {
      for (const auto& held : view.records) {
        const bool is_named =
            held.device == history->device &&
            RecordHash::from_array(primitives::blake3(held.signed_record)) == history->newest().head.vault_record;
        if (is_named && std::ranges::find(out, held) == out.end()) out.push_back(held);
      }
    }
  }
  return out;
}

Task<std::vector<std::size_t>> VaultImpl::bring_homes_up_to_date() {
  (void)remember_taken();  // who publishes a head has made sure before
  const auto former = records_for_the_words();
  auto took = co_await bring_up_to_date(homes_, views_, record_, heads_.devices, former, &platform_.clock());
  for (BelievedDevice& device : heads_.devices) {
    device.members.clear();
    for (std::size_t i = 0; i < views_.size(); ++i) {
      if (shows(views_[i], device.device, device.newest().signed_bytes)) device.members.push_back(i);
    }
    device.homes_agree = static_cast<unsigned>(device.members.size());
  }
  co_return took;
}

std::string VaultImpl::why_not_saved(unsigned homes, int margin) const {
  const auto own = std::ranges::find(heads_.devices, device_.id, &BelievedDevice::device);
  const std::string needed = ", more than " + std::to_string(margin) + " are needed: ";
  if (own == heads_.devices.end() || own->members.empty())
    return "no home took the head of the new state" + needed +
           "nothing is saved by it. What homes keep of it already "
           "the next backup need not send again";
  return "the new state is stored, but only " + std::to_string(homes) + " homes took its head" + needed +
         "the next backup gives it to the others";
}

std::vector<std::size_t> VaultImpl::complete_members() const {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < views_.size(); ++i) {
    auto holds = [&](const auto& record) { return views_[i].holding(record, record_) == HomeView::Holding::has; };
    bool has_records = std::ranges::all_of(record_.records, holds);
    bool has_heads = std::ranges::all_of(heads_.devices, [&](const BelievedDevice& device) {
      // What cannot be followed homes need not have; that it is missing every record of the vault says.
      const bool is_out_of_reach =
          device.revoked && std::ranges::find(unread_, device.device, &UnreadHead::device) != unread_.end();
      bool is_in_another = is_late(device) && std::ranges::find(tops_, device.device, &KnownTop::device) == tops_.end();
      return is_covered(device) || is_out_of_reach || is_in_another ||
             std::ranges::find(device.members, i) != device.members.end();
    });
    if (has_records && has_heads) out.push_back(i);
  }
  return out;
}

int VaultImpl::margin_of_members(const std::vector<std::size_t>& members) const {
  std::unordered_set<std::uint32_t> domains;
  for (std::size_t member : members) {
    if (homes_.members()[member].counts) domains.insert(homes_.members()[member].domain);
  }
  if (members.empty()) return -1;
  return std::max(static_cast<int>(domains.size()) - 1, 0);
}

Task<Result<void>> VaultImpl::refresh_for_write() {
  claims_.read();  // a check needs no lock, and may have learned something
  former_parts_.read();
  auto kept = state_.own_heads();
  const std::vector<CheckedHead> own = signed_chain();
  const bool written_meanwhile = kept && !kept->empty() && (own.empty() || own.back().signed_bytes != kept->back());
  // What seemed to have reached no home another process may have been about to give to them.
  if (written_meanwhile || !undelivered_.empty()) {
    MHP_CO_TRY_VOID(co_await load());
  }
  MHP_CO_TRY_VOID(renew_record());
  co_await bring_homes_up_to_date();
  co_return Result<void>{};
}

void VaultImpl::set_own_top(const wire::PhysicalRef& ref) {
  tops_ = {{.device = device_.id, .ref = ref}};
  covered_.insert(covered_.end(), made_from_.begin(), made_from_.end());
}

Result<void> VaultImpl::may_write() const {
  if (is_forked()) {
    return fail(Errc::corrupt, Subject::vault,
                "this computer's state folder was put back from an older copy, and it has saved since: homes hold two "
                "histories of it. All snapshots of both are there, but writing on in one of them would split homes for "
                "good");
  }
  return {};
}

Result<void> VaultImpl::has_own_newest() const {
  // What it signed last it may not know of: its own list of heads is lost or damaged, and the homes that have the
  // newest are away. Writing on from an older one would make a second history.
  auto seen = state_.seen();
  if (!seen && seen.error().code == Errc::exhausted) return pass(seen);
  if (!seen && !state_.own_heads()) {
    return fail(Errc::unavailable, Subject::homes,
                "what this computer saved last it does not know any more (" + seen.error().detail +
                    "), and not all homes are at hand, which do");
  }
  const std::vector<CheckedHead> own = own_chain();
  for (const wire::SeenHead& head : seen ? seen->heads : std::vector<wire::SeenHead>()) {
    if (head.device != device_.id || (!own.empty() && own.back().head.seq >= head.seq)) continue;
    return fail(Errc::unavailable, Subject::homes,
                "this computer has lost its own newest state, number " + std::to_string(head.seq) +
                    ", and no home at hand has it: writing on from an older one would split homes for good. Where the "
                    "homes that have it are gone, 'mhp recover --state NEW-FOLDER' goes on from what is there");
  }
  return {};
}

std::vector<wire::SeenHead> VaultImpl::seen_for_top() const {
  auto seen = made_from_;
  std::erase_if(seen, [this](const wire::SeenHead& head) { return head.device == device_.id; });
  for (const wire::SeenHead& own : own_heads_left_behind()) seen.push_back(own);
  if (seen.size() > wire::kMaxDevices) seen.resize(wire::kMaxDevices);
  return seen;
}

std::vector<wire::SeenHead> VaultImpl::own_heads_left_behind() const {
  const std::vector<CheckedHead> own = own_chain();
  if (own.empty()) return {};
  std::set<std::pair<std::uint64_t, HeadHash>> behind;
  const auto taken = state_.taken();
  for (std::size_t i = 0; i < views_.size(); ++i) {
    const CheckedHead* shown = shown_own_head(views_[i], own);
    if (shown != nullptr) behind.emplace(shown->head.seq, shown->hash);
    if (views_[i].answered || !taken) continue;
    for (const wire::TakenHead& head : taken->heads) {
      if (head.home == homes_.members()[i].id) behind.emplace(head.seq, head.hash);
    }
  }
  std::vector<wire::SeenHead> out;
  for (const auto& [seq, hash] : behind) {
    if (seq < own.back().head.seq) out.push_back({.device = device_.id, .seq = seq, .hash = hash});
  }
  if (taken) return out;
  // Which home has what is not known any more: what the last top said goes on holding.
  std::ranges::copy_if(made_from_, std::back_inserter(out), [&](const wire::SeenHead& head) {
    return head.device == device_.id && head.seq < own.back().head.seq;
  });
  return out;
}

Result<void> VaultImpl::remember_taken() {
  const std::vector<CheckedHead> own = own_chain();
  if (own.empty()) return {};
  const auto known = state_.taken();
  wire::TakenHeads taken;
  auto add = [&](std::size_t member, std::uint64_t seq, const HeadHash& hash) {
    const wire::TakenHead head{.home = homes_.members()[member].id, .seq = seq, .hash = hash};
    const bool is_there = std::ranges::find(taken.heads, head) != taken.heads.end();
    if (!is_there && taken.heads.size() < wire::kMaxSeenHeads) taken.heads.push_back(head);
  };
  for (std::size_t i = 0; i < views_.size(); ++i) {
    if (const CheckedHead* shown = shown_own_head(views_[i], own)) add(i, shown->head.seq, shown->hash);
    if (views_[i].answered || !known) add(i, own.back().head.seq, own.back().hash);
    if (views_[i].answered) continue;
    for (const wire::TakenHead& head : known ? known->heads : std::vector<wire::TakenHead>()) {
      if (head.home == homes_.members()[i].id) add(i, head.seq, head.hash);
    }
    if (known) continue;
    for (const wire::SeenHead& head : made_from_) {
      if (head.device == device_.id) add(i, head.seq, head.hash);
    }
  }
  return known && taken == *known ? Result<void>() : state_.set_taken(taken);
}

bool VaultImpl::has_other_devices() const {
  auto revocations = revocations_of(record_.record);
  return std::ranges::any_of(devices_of(record_.record), [&](const wire::DeviceCertificate& other) {
    auto revoked = std::ranges::find(revocations, other.device, &wire::Revocation::device) != revocations.end();
    return other.device != device_.id && !revoked;
  });
}

}  // namespace mhp::vault::impl
