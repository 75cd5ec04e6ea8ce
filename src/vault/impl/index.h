// The index in memory: segments with their bundles, and where every chunk lies.
#pragma once

#include <unordered_map>
#include <unordered_set>
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
    bool gone = false;  // fewer than k rows are at hand: what is new must not refer to it
  };

  /// Takes a segment up; one that is known already is left as it is. Of a chunk that lies in two segments the place
  /// taken up last counts: it was stored again because the first was gone. Errors: corrupt (a chunk is longer than
  /// chunks can be).
  Result<void> add(const wire::IndexedSegment& segment);
  bool has_segment(const SegmentId& id) const { return numbers_.contains(id); }
  const std::vector<Segment>& segments() const { return segments_; }
  /// True where a chunk is there and can be relied on.
  bool can_refer_to(const ChunkId& id) const;
  /// True where this segment is the chunk's place.
  bool is_place_of(const SegmentId& segment, const ChunkId& id) const;
  /// The segments of which too few rows are at hand; all others can be relied on.
  void set_gone(const std::unordered_set<SegmentId, IdHash>& gone);
  const ChunkTable& chunks() const { return chunks_; }

 private:
  std::vector<Segment> segments_;
  std::unordered_map<SegmentId, std::uint32_t, IdHash> numbers_;
  ChunkTable chunks_;
};

}  // namespace mhp::vault::impl
