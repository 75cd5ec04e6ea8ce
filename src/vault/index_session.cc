// The index in segments of its own: new parts, small ones merged, snapshots, top.
#include <algorithm>
#include <unordered_set>
#include <utility>

#include "base/check.h"
#include "vault/impl/writer.h"

namespace mhp::vault::impl {
namespace {

constexpr std::size_t kPartBytes = 2_MiB;  // target of an encoded part
constexpr std::size_t kPartsInMemory = 8;
constexpr std::size_t kMaxSmallParts = 16;  // once there are more, all below kSmallPartBytes are merged

/// Parts to write anew as one, where there are too many small ones: the smallest, and each next that is not much longer
/// than those before it together. So a long one is not written again for a few short ones, and the number of parts
/// grows as the logarithm of what they hold.
std::vector<wire::PhysicalRef> parts_to_merge(const std::vector<KnownPart>& parts) {
  std::vector<KnownPart> small;
  std::ranges::copy_if(parts, std::back_inserter(small),
                       [](const KnownPart& part) { return part.bytes < kSmallPartBytes; });
  std::vector<wire::PhysicalRef> out;
  if (small.size() < kMaxSmallParts) return out;
  std::ranges::sort(small, {}, &KnownPart::bytes);
  std::size_t bytes = 0;
  for (const KnownPart& part : small) {
    if (out.size() >= 2 && part.bytes > 2 * bytes) break;
    bytes += part.bytes;
    out.push_back(part.ref);
  }
  return out;
}

template <class List>
void append(List& to, List from) {
  to.insert(to.end(), std::make_move_iterator(from.begin()), std::make_move_iterator(from.end()));
}

wire::IndexTop top_of(const std::vector<KnownPart>& parts, const std::vector<KnownPart>& snapshot_parts,
                      std::vector<wire::SeenHead> seen) {
  wire::IndexTop top;
  top.seen = std::move(seen);
  for (const KnownPart& part : parts) top.parts.push_back(part.ref);
  for (const KnownPart& part : snapshot_parts) top.snapshot_parts.push_back(part.ref);
  return top;
}

}  // namespace

std::size_t part_bytes_of(const wire::IndexedSegment& segment) {
  const auto& directory = segment.directory;
  return 64 + wire::directory_capacity(directory.bundles.size(), directory.chunks.size());
}

bool IndexSession::is_gone(const KnownPart& part) const { return vault_.gone_.contains(part.ref.segment); }

Task<Result<KnownPart>> IndexSession::put(Bytes object) {
  if (object.size() > wire::kMaxChunkBytes) co_return fail(Errc::invalid, "index: an object is too long");
  if (!packer_.fits(object.size())) {
    MHP_CO_TRY_VOID(co_await flush());
  }
  auto job = [&] { return packer_.add(object); };
  ChunkId chunk = co_await vault_.platform_.workers().run(job);
  vault_.objects_.keep(chunk, object);
  co_return KnownPart{.ref = {.segment = id_, .chunk = chunk}, .bytes = object.size()};
}

Task<Result<void>> IndexSession::flush() {
  auto job = [&] { return sealer_.seal(packer_, id_); };
  FinishedSegment segment = co_await vault_.platform_.workers().run(job);
  id_ = sealer_.draw_id();  // one id, one seal
  co_return co_await outbox_.store(std::move(segment));
}

Task<Result<std::vector<KnownPart>>> IndexSession::put_parts(std::vector<wire::IndexedSegment> segments) {
  std::vector<KnownPart> out;
  wire::IndexPart part;
  std::size_t bytes = 0;
  for (auto& segment : segments) {
    std::size_t more = part_bytes_of(segment);
    if (!part.segments.empty() && bytes + more > kPartBytes) {
      MHP_CO_TRY(KnownPart known, co_await put(wire::encode(part)));
      out.push_back(known);
      part.segments.clear();
      bytes = 0;
    }
    bytes += more;
    part.segments.push_back(std::move(segment));
  }
  if (!part.segments.empty()) {
    MHP_CO_TRY(KnownPart known, co_await put(wire::encode(part)));
    out.push_back(known);
  }
  co_return out;
}

std::vector<wire::PhysicalRef> IndexSession::take_out(std::vector<KnownPart>& kept, bool some_small) const {
  std::vector<wire::PhysicalRef> chosen;
  if (some_small) chosen = parts_to_merge(kept);
  std::vector<wire::PhysicalRef> taken;
  std::erase_if(kept, [&](const KnownPart& part) {
    bool takes = is_gone(part) || std::ranges::find(chosen, part.ref) != chosen.end();
    if (takes) taken.push_back(part.ref);
    return takes;
  });
  return taken;
}

Task<Result<std::vector<wire::PhysicalRef>>> IndexSession::take_out_with(std::vector<KnownPart>& kept,
                                                                         const SegmentIds& segments) {
  std::vector<wire::PhysicalRef> taken;
  std::vector<KnownPart> others;
  for (std::size_t at = 0; at < kept.size() && !segments.empty(); at += kPartsInMemory) {
    std::vector<wire::PhysicalRef> refs;
    for (std::size_t i = at; i < std::min(kept.size(), at + kPartsInMemory); ++i) refs.push_back(kept[i].ref);
    MHP_CO_TRY(auto objects, co_await vault_.objects_.load_all(std::move(refs)));
    for (std::size_t i = 0; i < objects.size(); ++i) {
      MHP_CO_TRY(wire::IndexPart part, wire::parse_index_part(objects[i]));
      bool lists = std::ranges::any_of(part.segments, [&](const auto& one) { return segments.contains(one.segment); });
      if (lists) taken.push_back(kept[at + i].ref);
      if (!lists) others.push_back(kept[at + i]);
    }
  }
  if (!segments.empty()) kept = std::move(others);
  co_return taken;
}

/// Segments of one part that stay, as they are: a claim that was changed could not be told from a false one, and each
/// place of a chunk stays named until that segment goes. Contradicting claims of a segment stay beside each other.
Result<std::vector<wire::IndexedSegment>> IndexSession::staying_of(const Bytes& object, const SegmentIds& dropped,
                                                                   ClaimIds& taken) {
  MHP_TRY(wire::IndexPart part, wire::parse_index_part(object));
  std::erase_if(part.segments, [&](const auto& segment) {
    return dropped.contains(segment.segment) || !taken.insert(claim_of(segment)).second;
  });
  return std::move(part.segments);
}

Task<Result<std::vector<KnownPart>>> IndexSession::rewrite_parts(std::vector<KnownPart>& kept,
                                                                 const IndexChange& change) {
  bool more = !change.segments.empty() || !change.dropped.empty();
  std::vector<wire::PhysicalRef> refs = take_out(kept, /*some_small=*/more);
  MHP_CO_TRY(auto with_dropped, co_await take_out_with(kept, change.dropped));
  append(refs, std::move(with_dropped));
  ClaimIds taken;
  std::vector<KnownPart> out;
  std::vector<wire::IndexedSegment> waiting;
  std::size_t bytes = 0;
  for (const auto& ref : refs) {
    MHP_CO_TRY(Bytes object, co_await vault_.objects_.load(ref));
    MHP_CO_TRY(auto staying, staying_of(object, change.dropped, taken));
    for (const auto& segment : staying) bytes += part_bytes_of(segment);
    append(waiting, std::move(staying));
    if (bytes < kPartsInMemory * kPartBytes) continue;
    MHP_CO_TRY(auto parts, co_await put_parts(std::exchange(waiting, {})));
    append(out, std::move(parts));
    bytes = 0;
  }
  append(waiting, change.segments);  // new ones last
  MHP_CO_TRY(auto parts, co_await put_parts(std::move(waiting)));
  append(out, std::move(parts));
  co_return out;
}

Task<Result<wire::SnapshotPart>> IndexSession::take_snapshots(std::vector<KnownPart>& kept) {
  wire::SnapshotPart out;
  MHP_CO_TRY(auto objects, co_await vault_.objects_.load_all(take_out(kept, /*some_small=*/true)));
  for (const Bytes& object : objects) {
    MHP_CO_TRY(wire::SnapshotPart part, wire::parse_snapshot_part(object));
    append(out.snapshots, std::move(part.snapshots));
    append(out.forgotten, std::move(part.forgotten));
  }
  co_return out;
}

/// Without other devices nobody can bring a snapshot back that this one has left out.
std::vector<wire::ForgottenSnapshot> IndexSession::still_needed(std::vector<wire::ForgottenSnapshot> forgotten) const {
  std::vector<wire::ForgottenSnapshot> out;
  if (!vault_.has_other_devices()) return out;
  std::int64_t now = vault_.platform_.clock().unix_ns();
  std::ranges::sort(forgotten, std::ranges::greater(), [](const auto& one) { return std::pair(one.time_ns, one.id); });
  std::unordered_set<SnapshotId, IdHash> taken;
  for (const auto& one : forgotten) {
    bool fresh = now - one.time_ns < kForgottenKept.count() && out.size() < wire::kMaxForgottenPerPart;
    if (fresh && taken.insert(one.id).second) out.push_back(one);
  }
  return out;
}

Task<Result<std::vector<KnownPart>>> IndexSession::put_snapshots(const IndexChange& change) {
  std::vector<KnownPart> out = vault_.snapshot_parts_;
  Result<wire::SnapshotPart> taken = fail(Errc::not_found, "all of them are written anew");
  if (change.forgotten.empty()) taken = co_await take_snapshots(out);
  if (!taken) {  // the vault's own lists have all of them
    out.clear();
    taken = wire::SnapshotPart{.snapshots = vault_.snapshots(), .forgotten = vault_.forgotten_};
  }
  std::vector<wire::SnapshotRecord> snapshots = std::move(taken->snapshots);
  std::unordered_set<SnapshotId, IdHash> go(change.forgotten.begin(), change.forgotten.end());
  for (const auto& one : vault_.forgotten_) go.insert(one.id);
  std::erase_if(snapshots, [&](const auto& snapshot) { return go.contains(snapshot.id); });
  if (change.snapshot) snapshots.push_back(*change.snapshot);
  std::int64_t now = vault_.platform_.clock().unix_ns();
  for (const SnapshotId& id : change.forgotten) taken->forgotten.push_back({.id = id, .time_ns = now});
  wire::SnapshotPart forgotten;
  forgotten.forgotten = still_needed(std::move(taken->forgotten));
  if (!forgotten.forgotten.empty()) {
    MHP_CO_TRY(KnownPart known, co_await put(wire::encode(forgotten)));
    out.push_back(known);
  }
  wire::SnapshotPart part;
  for (std::size_t i = 0; i < snapshots.size(); ++i) {
    part.snapshots.push_back(std::move(snapshots[i]));
    bool last = i + 1 == snapshots.size();
    Bytes encoded = last || part.snapshots.size() % 256 == 0 ? wire::encode(part) : Bytes();
    if (!last && encoded.size() < kSmallPartBytes) continue;
    MHP_CO_TRY(KnownPart known, co_await put(std::move(encoded)));
    out.push_back(known);
    part.snapshots.clear();
  }
  co_return out;
}

Task<Result<void>> IndexSession::list_early(std::vector<wire::IndexedSegment> segments) {
  MHP_CO_TRY(auto parts, co_await put_parts(std::move(segments)));
  append(early_parts_, std::move(parts));
  co_return Result<void>{};
}

Task<Result<IndexSession::Layout>> IndexSession::write(const IndexChange& change) {
  Layout out;
  out.parts = vault_.parts_;
  MHP_CO_TRY(auto new_parts, co_await rewrite_parts(out.parts, change));
  append(out.parts, early_parts_);
  append(out.parts, std::move(new_parts));
  MHP_CO_TRY(out.snapshot_parts, co_await put_snapshots(change));
  auto seen = vault_.seen_for_top();
  MHP_CO_TRY(KnownPart top, co_await put(wire::encode(top_of(out.parts, out.snapshot_parts, std::move(seen)))));
  out.root = top.ref;
  MHP_CO_TRY_VOID(co_await flush());
  MHP_CO_TRY_VOID(co_await outbox_.commit());
  co_return out;
}

}  // namespace mhp::vault::impl
