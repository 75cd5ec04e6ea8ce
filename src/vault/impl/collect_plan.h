// What becomes of each segment when space is given back. Pure.
#pragma once

#include <cstdint>
#include <vector>

namespace mhp::vault::impl {

/// How much of a segment is still needed.
struct SegmentUse {
  std::uint64_t segment_bytes = 0;  // its size class
  std::uint64_t content_bytes = 0;  // plain, of all its chunks
  std::uint64_t live_bytes = 0;     // of those that a snapshot needs and whose place it is
  std::uint64_t live_chunks = 0;
  bool readable = true;  // enough of its rows are at hand

  /// What the live part would take in another segment.
  std::uint64_t live_segment_bytes() const;
};

enum class SegmentFate : std::uint8_t { keep, drop, repack };

/// Nothing alive: drop. Less than half alive, and worth a size class: repack. Segments with less than 1 MiB alive are
/// repacked together once there are more than 16 of them: each byte is moved a few times in its life, and the number of
/// segments does not grow with that of the backups. What cannot be read stays as it is while anything in it is needed.
std::vector<SegmentFate> plan_collection(const std::vector<SegmentUse>& segments);

}  // namespace mhp::vault::impl
