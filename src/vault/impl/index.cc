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
                       .bundles = segment.directory.bundles});
  for (const auto& chunk : segment.directory.chunks) chunks_.insert(chunk.id, place_of(chunk));
  return {};
}

}  // namespace mhp::vault::impl
