// The index in memory: segments with their bundles, and where every chunk lies.
#pragma once

#include <unordered_map>
#include <vector>

#include "vault/impl/chunk_table.h"
#include "wire/index.h"

namespace mhp::vault::impl {

/// Reading from several threads at once is fine while nobody adds.
class Index {
 public:
  struct Segment {
    SegmentId id;
    std::uint32_t plain_bytes = 0;
    std::uint32_t epoch = 0;
    std::vector<wire::Bundle> bundles;
  };

  /// Takes a segment up; one that is known already is left as it is. A chunk that lies in two segments keeps its first
  /// place. Errors: corrupt (a chunk is longer than chunks can be).
  Result<void> add(const wire::IndexedSegment& segment);
  bool has_segment(const SegmentId& id) const { return numbers_.contains(id); }
  const std::vector<Segment>& segments() const { return segments_; }
  const ChunkTable& chunks() const { return chunks_; }

 private:
  std::vector<Segment> segments_;
  std::unordered_map<SegmentId, std::uint32_t, IdHash> numbers_;
  ChunkTable chunks_;
};

}  // namespace mhp::vault::impl
