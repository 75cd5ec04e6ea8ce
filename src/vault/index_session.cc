// The index in segments of its own: new parts, small ones merged, snapshots, top.
#include <algorithm>
#include <unordered_set>

#include "base/check.h"
#include "vault/impl/writer.h"

namespace mhp::vault::impl {
namespace {

constexpr std::size_t kPartBytes = 2_MiB;   // target of an encoded part
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

wire::IndexTop top_of(const std::vector<KnownPart>& parts, const std::vector<KnownPart>& snapshot_parts) {
  wire::IndexTop top;
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

Task<Result<std::vector<wire::IndexedSegment>>> IndexSession::take_parts(std::vector<KnownPart>& kept,
                                                                         bool some_small) {
  std::vector<wire::IndexedSegment> segments;
  std::unordered_set<SegmentId, IdHash> taken;
  MHP_CO_TRY(auto objects, co_await vault_.objects_.load_all(take_out(kept, some_small)));
  for (const Bytes& object : objects) {
    MHP_CO_TRY(wire::IndexPart part, wire::parse_index_part(object));
    for (auto& segment : part.segments) {
      if (!taken.insert(segment.segment).second) continue;
      // A chunk that was stored again has its newer place elsewhere, and parts do not keep their order for ever.
      std::erase_if(segment.directory.chunks, [&](const wire::ChunkEntry& chunk) {
        return !vault_.index_.is_place_of(segment.segment, chunk.id);
      });
      segments.push_back(std::move(segment));
    }
  }
  co_return segments;
}

Task<Result<std::vector<wire::SnapshotRecord>>> IndexSession::take_snapshots(std::vector<KnownPart>& kept) {
  std::vector<wire::SnapshotRecord> snapshots;
  MHP_CO_TRY(auto objects, co_await vault_.objects_.load_all(take_out(kept, /*some_small=*/true)));
  for (const Bytes& object : objects) {
    MHP_CO_TRY(wire::SnapshotPart part, wire::parse_snapshot_part(object));
    append(snapshots, std::move(part.snapshots));
  }
  co_return snapshots;
}

Task<Result<std::vector<KnownPart>>> IndexSession::put_snapshots(const wire::SnapshotRecord& snapshot) {
  std::vector<KnownPart> out = vault_.snapshot_parts_;
  auto taken = co_await take_snapshots(out);
  if (!taken) {  // the vault's own list has all of them
    out.clear();
    taken = vault_.snapshots();
  }
  std::vector<wire::SnapshotRecord> snapshots = std::move(*taken);
  snapshots.push_back(snapshot);
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

Task<Result<IndexSession::Layout>> IndexSession::write(const std::vector<wire::IndexedSegment>& segments,
                                                       const wire::SnapshotRecord& snapshot) {
  Layout out;
  out.parts = vault_.parts_;
  std::vector<wire::IndexedSegment> listed;
  MHP_CO_TRY(listed, co_await take_parts(out.parts, /*some_small=*/!segments.empty()));
  append(out.parts, early_parts_);
  append(listed, segments);  // new ones last
  MHP_CO_TRY(auto new_parts, co_await put_parts(std::move(listed)));
  append(out.parts, std::move(new_parts));
  MHP_CO_TRY(out.snapshot_parts, co_await put_snapshots(snapshot));
  MHP_CO_TRY(KnownPart top, co_await put(wire::encode(top_of(out.parts, out.snapshot_parts))));
  out.root = top.ref;
  MHP_CO_TRY_VOID(co_await flush());
  MHP_CO_TRY_VOID(co_await outbox_.commit());
  co_return out;
}

}  // namespace mhp::vault::impl
