// From the heads that are believed to their tops, and from these to the index and the snapshots.
#include <algorithm>
#include <set>

#include "primitives/aead/box.h"
#include "vault/impl/context.h"
#include "vault/impl/vault_impl.h"
#include "vault/snapshot_order.h"

namespace mhp::vault::impl {
namespace {

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
  belied_.clear();
  relisted_.clear();
  unlisted_margin_.reset();
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
  relisted_.clear();         // numbers, as in the next
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

}  // namespace mhp::vault::impl
