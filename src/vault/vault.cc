// Opens a vault from what its homes show, and reads chunks from it.
#include "vault/vault.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "primitives/aead/box.h"
#include "vault/impl/context.h"
#include "vault/impl/vault_impl.h"
#include "vault/snapshot_order.h"

namespace mhp::vault {
namespace impl {
namespace {

using dispersal::TroubleKind;

/// Those of several tops, each once.
void add_parts(std::vector<KnownPart>& parts, const std::vector<wire::PhysicalRef>& refs) {
  std::set<std::pair<ChunkId, SegmentId>> known;
  for (const KnownPart& part : parts) known.emplace(part.ref.chunk, part.ref.segment);
  for (const auto& ref : refs) {
    if (known.emplace(ref.chunk, ref.segment).second) parts.push_back({.ref = ref});
  }
}

std::vector<wire::PhysicalRef> refs_of(const std::vector<KnownPart>& parts) {
  std::vector<wire::PhysicalRef> refs;
  for (const KnownPart& part : parts) refs.push_back(part.ref);
  return refs;
}

wire::SeenHead seen_of(const BelievedDevice& device, const CheckedHead& head) {
  return {.device = device.device, .seq = head.head.seq, .hash = head.hash};
}

bool shows(const HomeView& view, const DeviceId& device, const Bytes& signed_head) {
  return std::ranges::any_of(view.heads, [&](const home::Home::DeviceHeads& heads) {
    return heads.device == device && std::ranges::find(heads.chain, signed_head) != heads.chain.end();
  });
}

/// A device's newest top, where it could be read.
struct ReadTop {
  wire::SeenHead head;
  wire::PhysicalRef root;
  Result<wire::IndexTop> top;
};

/// True where a top that was read was made from this one: all that counts of it is there, and what is not there any
/// more was forgotten or moved. A head's hash covers its top, so no two tops can be made from each other.
bool is_surpassed(const ReadTop& top, const std::vector<ReadTop>& tops) {
  return std::ranges::any_of(tops, [&](const ReadTop& other) {
    return other.top && std::ranges::find(other.top->seen, top.head) != other.top->seen.end();
  });
}

}  // namespace

Bytes root_context(const wire::Head& head) {
  return joined({as_bytes("mhp 1 root"), head.vault.bytes(), head.device.bytes(), little_endian(head.seq)});
}

std::shared_ptr<const Bytes> BundleCache::find(const Name& name) {
  auto found = std::ranges::find(entries_, name, &decltype(entries_)::value_type::first);
  if (found == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found);
  return entries_.front().second;
}

void BundleCache::keep(const Name& name, std::shared_ptr<const Bytes> bytes) {
  if (find(name)) return;
  bytes_ += bytes->size();
  entries_.emplace_front(name, std::move(bytes));
  while (bytes_ > kMaxBytes && entries_.size() > 1) {
    bytes_ -= entries_.back().second->size();
    entries_.pop_back();
  }
}

VaultImpl::VaultImpl(platform::Platform& platform, dispersal::HomeSet& homes, State& state, const Device& device,
                     const OpenRecord& record, OpenHow how)
    : platform_(platform),
      homes_(homes),
      state_(state),
      device_(device),
      record_(record),
      how_(how),
      reader_(platform, homes, state, record_),
      objects_(platform, reader_, state, record_) {}

static std::string why_none_answers(const dispersal::HomeSet& homes) {
  const auto& troubles = homes.troubles();
  const bool refuse = std::ranges::any_of(
      troubles, [](const dispersal::Trouble& trouble) { return trouble.kind == TroubleKind::refused; });
  if (!refuse) return "none of the vault's homes answers";
  return "the vault's homes do not let this computer read: was its owner removed from their cloud, or this computer "
         "shut out?";
}

Task<Result<void>> VaultImpl::load() {
  if (homes_.reachable() == 0) co_return homes_.too_few("none of the vault's homes is reachable");
  forget_index();
  views_ = co_await ask_homes(homes_, record_.record.vault, &platform_.clock());
  bool answered = std::ranges::any_of(views_, [](const HomeView& view) { return view.answered; });
  if (!answered) co_return homes_.too_few(why_none_answers(homes_));
  MHP_CO_TRY_VOID(take_records());
  homes_.trust(card_signers(record_.record));
  home::Home::DeviceHeads own{.device = device_.id, .chain = {}};
  look_at_state();
  auto chain = state_.own_heads();
  auto seen = state_.seen();
  // What cannot be read for want of open files is not lost.
  if (!chain && chain.error().code == Errc::exhausted) co_return pass(chain);
  if (!seen && seen.error().code == Errc::exhausted) co_return pass(seen);
  if (chain) own.chain = std::move(*chain);  // else the homes' own copies have to do
  wire::SeenHeads nothing;
  heads_ = judge_heads(record_.record, shown_heads(views_), own, seen ? *seen : nothing, how_.with_late);
  if (how_.as_of_s && !heads_.devices.empty()) {
    keep_as_of(heads_, *how_.as_of_s);
    // To shut every device out at nothing would be for ever.
    if (heads_.devices.empty())
      co_return fail(Errc::not_found, "no home at hand still has anything that it took by then");
  }
  late_.clear();
  report_findings();
  co_await try_keys();
  MHP_CO_TRY_VOID(co_await load_state());
  co_await settle_branches();
  note_late();
  note_hidden();
  // Where nothing says any more what this device signed last, homes that are away may know.
  const bool is_blind = !seen && !chain && homes_.reachable() < homes_.members().size();
  if (!is_blind) remember_seen();
  co_return Result<void>{};
}

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

void VaultImpl::forget_index() {
  index_ = Index();
  gone_.clear();
  snapshots_.clear();
  forgotten_.clear();
  made_from_.clear();
  covered_.clear();
  tops_.clear();
  parts_.clear();
  snapshot_parts_.clear();
  unlisted_.clear();
  unlisted_margin_.reset();
}

Result<void> VaultImpl::take_records() {
  std::vector<Bytes> seen;
  for (const auto& own : record_.records) seen.push_back(own.signed_record);
  const std::size_t known = seen.size();
  for (std::size_t i = 0; i < views_.size(); ++i) {
    for (const auto& held : views_[i].records) {
      if (std::ranges::find(seen, held.signed_record) != seen.end() || held.signed_record.empty()) continue;
      const auto checked = check_record(held.signed_record, record_.record.vault);
      if (!checked) homes_.report(i, TroubleKind::wrong_record, "gives a vault record that is not genuine");
      if (checked && checked->recovery_x25519 != record_.record.recovery_x25519)
        homes_.report(i, TroubleKind::wrong_record, "gives a vault record with another recovery key");
      if (checked) seen.push_back(held.signed_record);
    }
  }
  // Who recovers is no device of the vault yet, and has joined all there is.
  const bool is_member = record_.record.device == device_.id;
  if (is_member && seen.size() > known) {
    MHP_TRY(OpenRecord joined, join_records(seen, device_));
    const bool is_new = joined.records != record_.records;
    record_ = std::move(joined);
    if (is_new) (void)state_.set_records(record_);  // copies: a full disk does not matter here
  }
  name_bad_records();
  return {};
}

void VaultImpl::name_bad_records() {
  const auto revocations = revocations_of(record_.record);
  for (std::size_t i = 0; i < views_.size(); ++i) {
    for (const auto& held : views_[i].records) {
      if (is_refused(held, record_)) {
        homes_.report(i, TroubleKind::wrong_record,
                      "has a vault record that gives other keys than the earlier ones of device " +
                          held.device.short_hex() +
                          ": it is not believed, nor given to other homes (is that computer in wrong hands?)");
      }
      if (!held.signed_record.empty() || highest_of(revocations, held.device) != nullptr) continue;
      homes_.report(i, TroubleKind::damaged,
                    "its file with the vault record of device " + held.device.short_hex() +
                        " cannot be read: without it the home does not count");
    }
  }
}

void VaultImpl::report_findings() {
  for (const HeadFinding& finding : heads_.findings) {
    const bool cannot_follow = finding.kind == TroubleKind::old_heads && homes_.members()[finding.member].read_only;
    if (cannot_follow) {
      homes_.report(finding.member, TroubleKind::read_only, "it cannot be given the newest heads");
    } else {
      homes_.report(finding.member, finding.kind, finding.detail);
    }
  }
}

bool VaultImpl::opens(const CheckedHead& head) const {
  return std::ranges::binary_search(record_.keys.epochs, head.head.epoch, {}, &wire::EpochKey::epoch);
}

Result<wire::RootRef> VaultImpl::open_root(const CheckedHead& head) const {
  const std::string name =
      "head " + std::to_string(head.head.seq) + " of device " + head.head.device.short_hex() + ": ";
  const Bytes context = root_context(head.head);
  const auto keys = keys_of_epoch(record_, head.head.epoch);
  if (keys.empty()) return fail(Errc::corrupt, name + "saved after another recovery of this vault");
  for (const wire::EpochKey* key : keys) {
    auto plain = primitives::open_box(key->record_key, context, head.head.sealed_root);
    if (plain) return wire::parse_physical_ref(*plain);
  }
  return fail(Errc::corrupt,
              name +
                  "no vault record at hand has the key of it. A false one, of a stolen computer, may lie "
                  "in the place of the right one: another home may have that");
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

Task<Result<wire::IndexTop>> VaultImpl::load_top(wire::RootRef root) {
  MHP_CO_TRY(Bytes bytes, co_await objects_.load(root));
  co_return wire::parse_index_top(bytes);
}

Task<Result<void>> VaultImpl::load_state() {
  std::vector<Followed> newest;
  for (const BelievedDevice* device : all_histories()) newest.push_back({.device = device, .head = &device->newest()});
  unread_.clear();
  auto done = co_await follow(newest);
  if (done || done.error().code == Errc::exhausted) co_return done;
  MHP_CO_TRY(std::vector<Followed> readable, co_await choose_readable(done.error()));
  forget_index();
  co_return co_await follow(std::move(readable));
}

/// Whether all is there that a head reaches. The heads that its top was made from.
Task<Result<std::vector<wire::SeenHead>>> VaultImpl::try_head(const CheckedHead& head) {
  MHP_CO_TRY(wire::RootRef root, open_root(head));
  MHP_CO_TRY(wire::IndexTop top, co_await load_top(root));
  std::vector<wire::PhysicalRef> refs = top.snapshot_parts;
  refs.insert(refs.end(), top.parts.begin(), top.parts.end());
  for (const wire::PhysicalRef& ref : refs) {
    MHP_CO_TRY_VOID(co_await objects_.load(ref));
  }
  co_return std::move(top.seen);
}

/// Of each device the newest head that can be followed. Only heads of devices that are shut out, heads that are locked,
/// those that may well be older ones of a history that is followed, or all where a recovery asks for it, are let go: a
/// device that wrote on from less than its own newest would hide it for ever.
Task<Result<std::vector<VaultImpl::Followed>>> VaultImpl::choose_readable(Error problem) {
  std::vector<Followed> out;
  std::vector<wire::SeenHead> made_from;  // tops that these name are passed over
  for (const BelievedDevice* device : all_histories()) {
    if (std::ranges::find(made_from, seen_of(*device, device->newest())) != made_from.end()) continue;
    UnreadHead unread{.device = device->device, .newest_ns = device->newest().head.time_ns, .reason = problem.detail};
    unread.members = device->members;
    unread.is_locked = device->device != device_.id && !opens(device->newest());
    const bool is_in_gap = !device->contradicts &&
                           std::ranges::any_of(heads_.branches, [&](const auto& branch) { return &branch == device; });
    const bool may_be_let_go = device->revoked || how_.newest_readable || unread.is_locked || is_in_gap;
    bool found = false;
    for (auto head = device->chain.rbegin(); head != device->chain.rend() && !found; ++head) {
      auto there = co_await try_head(*head);
      if (!there && there.error().code == Errc::exhausted) co_return pass(there);
      bool is_newest = head == device->chain.rbegin();
      if (!there && is_newest) unread.reason = there.error().detail;
      if (!there && is_newest && !may_be_let_go) co_return pass(there);
      if (!there) continue;
      found = true;
      made_from.insert(made_from.end(), there->begin(), there->end());
      out.push_back({.device = device, .head = &*head});
      if (is_newest) continue;
      unread.used_ns = head->head.time_ns;
      unread_.push_back(unread);
    }
    if (!found) unread_.push_back(unread);
  }
  const bool all_locked = std::ranges::all_of(unread_, &UnreadHead::is_locked);
  if (out.empty() && !all_locked) co_return tl::unexpected<Error>(std::move(problem));
  co_return out;
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

Task<Result<void>> VaultImpl::follow(std::vector<Followed> heads) {
  std::vector<ReadTop> tops;
  for (const Followed& followed : heads) {
    made_from_.push_back(seen_of(*followed.device, *followed.head));
    tops.push_back({.head = made_from_.back(), .root = {}, .top = fail(Errc::not_found, "not read")});
  }
  for (std::size_t i = 0; i < tops.size(); ++i) {
    if (is_surpassed(tops[i], tops)) continue;
    MHP_CO_TRY(tops[i].root, open_root(*heads[i].head));
    tops[i].top = co_await load_top(tops[i].root);
  }
  for (ReadTop& top : tops) {
    if (is_surpassed(top, tops)) {
      covered_.push_back(top.head);
      continue;
    }
    if (!top.top) co_return pass(top.top);
    // What it was made from stays said in what is made from it: those need not be read any more.
    made_from_.insert(made_from_.end(), top.top->seen.begin(), top.top->seen.end());
    tops_.push_back({.device = top.head.device, .ref = top.root});
    add_parts(parts_, top.top->parts);
    add_parts(snapshot_parts_, top.top->snapshot_parts);
  }
  drop_superseded(made_from_);
  MHP_CO_TRY_VOID(co_await load_index());
  co_return co_await load_snapshots();
}

/// Of each history only its newest head is of use. Heads that no history at hand has stay, as far as there is room.
void VaultImpl::drop_superseded(std::vector<wire::SeenHead>& heads) const {
  std::ranges::sort(heads, {}, [](const wire::SeenHead& head) { return std::tie(head.device, head.seq, head.hash); });
  auto same = std::ranges::unique(heads);
  heads.erase(same.begin(), same.end());
  auto is_in = [](const wire::SeenHead& head, const BelievedDevice& history) {
    if (history.device != head.device) return false;
    // What lies in a gap stays: homes thin out old heads, and one that was away may come back with this one.
    return std::ranges::find(history.chain, head.hash, &CheckedHead::hash) != history.chain.end();
  };
  auto superseded = [&](const wire::SeenHead& head) {
    return std::ranges::any_of(all_histories(), [&](const BelievedDevice* history) {
      return is_in(head, *history) && std::ranges::any_of(heads, [&](const wire::SeenHead& other) {
               return other.seq > head.seq && is_in(other, *history);
             });
    });
  };
  std::vector<wire::SeenHead> kept;
  std::ranges::copy_if(heads, std::back_inserter(kept), [&](const auto& head) { return !superseded(head); });
  if (kept.size() > wire::kMaxDevices) {
    auto is_known = [&](const wire::SeenHead& head) {
      return std::ranges::any_of(all_histories(), [&](const auto* history) { return is_in(head, *history); });
    };
    std::ranges::partition(kept, is_known);
    kept.resize(wire::kMaxDevices);  // what is left out is followed again where it shows up: nothing is lost by it
  }
  heads = std::move(kept);
}

Task<Result<void>> VaultImpl::load_index() {
  IndexLoader loader(state_);
  std::vector<std::size_t> missing;
  auto begin = [&] { missing = loader.begin(parts_); };
  co_await platform_.workers().run(begin);
  constexpr std::size_t kBatch = 4;  // parts in memory at once
  for (std::size_t at = 0; at < missing.size(); at += kBatch) {
    std::vector<wire::PhysicalRef> refs;
    std::size_t end = std::min(missing.size(), at + kBatch);
    for (std::size_t i = at; i < end; ++i) refs.push_back(parts_[missing[i]].ref);
    MHP_CO_TRY(auto objects, co_await objects_.load_all(std::move(refs)));
    auto take = [&]() -> Result<void> {
      for (std::size_t i = 0; i < objects.size(); ++i) {
        KnownPart& known = parts_[missing[at + i]];
        known.bytes = objects[i].size();
        MHP_TRY(wire::IndexPart part, wire::parse_index_part(objects[i]));
        objects[i] = Bytes();
        MHP_TRY_VOID(loader.take(known, std::move(part)));
      }
      return {};
    };
    MHP_CO_TRY_VOID(co_await platform_.workers().run(take));
  }
  auto finish = [&] { return loader.end(); };
  MHP_CO_TRY(index_, co_await platform_.workers().run(finish));
  index_.set_gone(gone_);
  bundles_ = BundleCache();  // by segment numbers
  co_return Result<void>{};
}

Task<Result<void>> VaultImpl::load_snapshots() {
  MHP_CO_TRY(auto objects, co_await objects_.load_all(refs_of(snapshot_parts_)));
  std::unordered_set<SnapshotId, IdHash> known;
  for (std::size_t i = 0; i < objects.size(); ++i) {
    snapshot_parts_[i].bytes = objects[i].size();
    MHP_CO_TRY(wire::SnapshotPart part, wire::parse_snapshot_part(objects[i]));
    for (auto& snapshot : part.snapshots) {
      if (known.insert(snapshot.id).second) snapshots_.push_back(std::move(snapshot));
    }
    forgotten_.insert(forgotten_.end(), part.forgotten.begin(), part.forgotten.end());
  }
  std::unordered_set<SnapshotId, IdHash> forgotten;
  for (const auto& one : forgotten_) forgotten.insert(one.id);
  std::erase_if(snapshots_, [&](const auto& snapshot) { return forgotten.contains(snapshot.id); });
  sort_snapshots(snapshots_, platform_.clock().unix_ns());
  co_return Result<void>{};
}

void VaultImpl::add_snapshot(const wire::SnapshotRecord& snapshot) {
  bool known = std::ranges::any_of(snapshots_, [&](const auto& other) { return other.id == snapshot.id; });
  if (known) return;
  snapshots_.push_back(snapshot);
  sort_snapshots(snapshots_, platform_.clock().unix_ns());
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

void VaultImpl::remember_seen() {
  auto old = state_.seen();
  if (!old && old.error().code == Errc::exhausted) return;
  wire::SeenHeads seen;
  if (old) seen = *old;
  for (const wire::SeenHead& head : believed_heads()) {
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

Result<void> VaultImpl::take_own_head(CheckedHead head) {
  std::vector<CheckedHead> chain = own_chain();
  chain.push_back(std::move(head));
  if (chain.size() > State::kOwnHeadsKept) chain.erase(chain.begin());
  MHP_TRY_VOID(state_.set_own_heads(heads_after(chain, 0)));
  std::erase_if(heads_.devices, [this](const BelievedDevice& other) { return other.device == device_.id; });
  BelievedDevice own;
  own.device = device_.id;
  own.chain = std::move(chain);
  heads_.devices.push_back(std::move(own));
  return {};
}

Task<std::vector<std::size_t>> VaultImpl::bring_homes_up_to_date() {
  remember_taken();
  auto took = co_await bring_up_to_date(homes_, views_, record_, heads_.devices, &platform_.clock());
  for (BelievedDevice& device : heads_.devices) {
    device.members.clear();
    for (std::size_t i = 0; i < views_.size(); ++i) {
      if (shows(views_[i], device.device, device.newest().signed_bytes)) device.members.push_back(i);
    }
    device.homes_agree = static_cast<unsigned>(device.members.size());
  }
  co_return took;
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
  auto kept = state_.own_heads();
  std::vector<CheckedHead> own = own_chain();
  bool written_meanwhile = kept && !kept->empty() && (own.empty() || own.back().signed_bytes != kept->back());
  if (written_meanwhile) {
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

bool VaultImpl::has_branch(const DeviceId& device) const {
  return std::ranges::find(heads_.branches, device, &BelievedDevice::device) != heads_.branches.end();
}

bool VaultImpl::is_forked() const { return has_branch(device_.id); }

bool VaultImpl::joins_histories() const {
  return std::ranges::any_of(all_histories(), [this](const BelievedDevice* history) {
    return history->revoked && has_branch(history->device) && !is_covered(*history);
  });
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

/// A damaged file of the state folder is made anew from what homes have; that it was is said.
void VaultImpl::look_at_state() {
  damaged_files_.clear();
  if (record_.record.device != device_.id) return;  // a recovery has none yet
  auto note = [this](const auto& read, const char* instead) {
    if (!read && read.error().code == Errc::corrupt) damaged_files_.push_back(read.error().detail + instead);
  };
  note(state_.own_heads(), ": what homes have of it is used");
  note(state_.seen(), ": it begins anew with what homes show now");
  auto copy = state_.records_copy();
  auto is_genuine = [this](const Bytes& one) { return check_record(one, record_.record.vault).has_value(); };
  if (copy && !std::ranges::all_of(*copy, is_genuine))
    copy = fail(Errc::corrupt, state_.records_path() + ".copy: damaged");
  note(copy, ": it is made again");
  if (!copy) (void)state_.set_records(record_);
}

std::vector<wire::SeenHead> VaultImpl::seen_for_top() const {
  auto seen = made_from_;
  std::erase_if(seen, [this](const wire::SeenHead& head) { return head.device == device_.id; });
  for (const wire::SeenHead& own : own_heads_left_behind()) seen.push_back(own);
  if (seen.size() > wire::kMaxDevices) seen.resize(wire::kMaxDevices);
  return seen;
}

/// What a member shows as this device's newest head, where that is of its own history.
static const CheckedHead* shown_own_head(const HomeView& view, const std::vector<CheckedHead>& own) {
  if (own.empty()) return nullptr;
  const auto heads =
      std::ranges::find(view.heads, own.back().head.device, [](const auto& shown) { return shown.device; });
  if (heads == view.heads.end() || heads->chain.empty()) return nullptr;
  const auto known = std::ranges::find(own, heads->chain.back(), &CheckedHead::signed_bytes);
  return known == own.end() ? nullptr : &*known;
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

void VaultImpl::remember_taken() {
  const std::vector<CheckedHead> own = own_chain();
  if (own.empty()) return;
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
  if (!known || taken != *known) (void)state_.set_taken(taken);  // a full disk does not matter: the next run says it
}

bool VaultImpl::has_other_devices() const {
  auto revocations = revocations_of(record_.record);
  return std::ranges::any_of(devices_of(record_.record), [&](const wire::DeviceCertificate& other) {
    auto revoked = std::ranges::find(revocations, other.device, &wire::Revocation::device) != revocations.end();
    return other.device != device_.id && !revoked;
  });
}

std::vector<wire::PhysicalRef> VaultImpl::index_objects() const {
  std::vector<wire::PhysicalRef> out;
  for (const auto& top : tops_) out.push_back(top.ref);
  for (const auto& part : parts_) out.push_back(part.ref);
  for (const auto& part : snapshot_parts_) out.push_back(part.ref);
  return out;
}

Result<std::vector<SegmentId>> VaultImpl::list_live_segments() const {
  std::vector<SegmentId> out;
  for (const auto& ref : index_objects()) out.push_back(ref.segment);
  MHP_TRY_VOID(index_.each_segment([&](std::uint32_t, const SegmentId& id) { out.push_back(id); }));
  std::ranges::sort(out);
  auto same = std::ranges::unique(out);
  out.erase(same.begin(), same.end());
  return out;
}

Task<Result<std::vector<SegmentId>>> VaultImpl::live_segments() {
  auto list = [this] { return list_live_segments(); };
  auto listed = co_await platform_.workers().run(list);
  if (listed || listed.error().code != Errc::corrupt) co_return listed;
  MHP_CO_TRY_VOID(co_await load_index());
  co_return list_live_segments();
}

Result<ChunkPlace> VaultImpl::place_of(const ChunkId& chunk) const {
  auto found = index_.find(chunk);
  if (found) return found->place;
  if (index_.damaged()) {
    return fail(Errc::corrupt, "the index in " + state_.cache_folder() + " is damaged: the next run makes it anew");
  }
  return fail(Errc::not_found, "chunk " + chunk.short_hex() + " is not in the index");
}

Result<ChunkPlace> VaultImpl::other_place_of(const ChunkId& chunk, const std::vector<std::uint32_t>& without) const {
  auto found = index_.find_other(chunk, without);
  if (found) return *found;
  return fail(Errc::not_found, "chunk " + chunk.short_hex() + " has no other place");
}

Task<Result<std::shared_ptr<const OpenSegment>>> VaultImpl::fetch(std::uint32_t segment,
                                                                  std::vector<std::uint32_t> bundles) {
  MHP_CHECK(segment < index_.segment_numbers());
  MHP_CO_TRY(IndexedPlace place, index_.segment(segment));
  std::vector<Range> ranges;
  for (std::uint32_t number : bundles) {
    if (number >= place.bundles.size()) {
      co_return fail(Errc::not_found, "segment " + place.id.short_hex() + ": no such bundle");
    }
    const wire::Bundle& bundle = place.bundles[number];
    ranges.push_back({.offset = bundle.offset, .bytes = bundle.stored_bytes});
  }
  MHP_CO_TRY(auto parts, co_await reader_.read(place.id, place.plain_bytes, std::move(ranges)));
  co_return std::make_shared<const FetchedSegment>(std::move(parts), std::move(place.bundles));
}

Task<Result<Bytes>> VaultImpl::read(ChunkId chunk) {
  MHP_CO_TRY(ChunkPlace place, place_of(chunk));
  std::vector<std::uint32_t> tried;
  for (;;) {
    auto bytes = co_await read_at(chunk, place);
    if (bytes || bytes.error().code == Errc::exhausted) co_return bytes;
    tried.push_back(place.segment);
    auto other = other_place_of(chunk, tried);
    if (!other) co_return bytes;
    place = *other;
  }
}

Task<Result<Bytes>> VaultImpl::read_at(ChunkId chunk, ChunkPlace place) {
  auto bundle = bundles_.find({place.segment, place.bundle});
  if (!bundle) {
    std::vector<std::uint32_t> wanted{place.bundle};
    MHP_CO_TRY(auto segment, co_await fetch(place.segment, std::move(wanted)));
    Bytes room;
    auto job = [&]() -> Result<void> {
      MHP_TRY(ByteView plain, segment->bundle(place.bundle, room));
      if (room.empty()) room = to_bytes(plain);
      return {};
    };
    MHP_CO_TRY_VOID(co_await platform_.workers().run(job));
    bundle = std::make_shared<const Bytes>(std::move(room));
    bundles_.keep({place.segment, place.bundle}, bundle);
  }
  if (std::uint64_t{place.offset} + place.bytes > bundle->size()) {
    co_return fail(Errc::corrupt, "chunk " + chunk.short_hex() + ": its bundle is too short");
  }
  ByteView bytes = ByteView(*bundle).subspan(place.offset, place.bytes);
  if (!is_id_of(record_, chunk, bytes)) {
    co_return fail(Errc::corrupt, "chunk " + chunk.short_hex() + ": differs from its id");
  }
  co_return to_bytes(bytes);
}

}  // namespace impl

Task<Result<std::unique_ptr<Vault>>> Vault::open(platform::Platform& platform, dispersal::HomeSet& homes, State& state,
                                                 const Device& device, const OpenRecord& record, OpenHow how) {
  auto vault = std::make_unique<impl::VaultImpl>(platform, homes, state, device, record, how);
  MHP_CO_TRY_VOID(co_await vault->load());
  co_return std::unique_ptr<Vault>(std::move(vault));
}

}  // namespace mhp::vault
