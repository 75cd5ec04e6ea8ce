// Takes index parts up.
#include "vault/impl/index.h"

namespace mhp::vault::impl {

Result<void> Index::add(const wire::IndexedSegment& segment) {
  if (has_segment(segment.segment)) return {};
  auto number = static_cast<std::uint32_t>(segments_.size());
  auto place_of = [number](const wire::ChunkEntry& chunk) {
    return ChunkPlace{.segment = number, .bundle = chunk.bundle, .offset = chunk.offset, .bytes = chunk.bytes};
  };
  for (const auto& chunk : segment.directory.chunks) {
    if (chunk.bytes > wire::kMaxChunkBytes || !ChunkTable::can_hold(place_of(chunk))) {
      return fail(Errc::corrupt,
                  "index: a chunk of segment " + segment.segment.short_hex() + " has an impossible place");
    }
  }
  numbers_.emplace(segment.segment, number);
  segments_.push_back({.id = segment.segment,
                       .plain_bytes = segment.plain_bytes,
                       .epoch = segment.epoch,
                       .bundles = segment.directory.bundles,
                       .gone = false});
  for (const auto& chunk : segment.directory.chunks) chunks_.assign(chunk.id, place_of(chunk));
  return {};
}

bool Index::can_refer_to(const ChunkId& id) const {
  auto place = chunks_.find(id);
  return place && !segments_[place->segment].gone;
}

bool Index::is_place_of(const SegmentId& segment, const ChunkId& id) const {
  auto place = chunks_.find(id);
  return place && segments_[place->segment].id == segment;
}

void Index::set_gone(const std::unordered_set<SegmentId, IdHash>& gone) {
  for (Segment& segment : segments_) segment.gone = gone.contains(segment.id);
}

}  // namespace mhp::vault::impl
