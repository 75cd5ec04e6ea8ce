// Drop, repack or keep: by what is alive.
#include "vault/impl/collect_plan.h"

#include <algorithm>

#include "base/bytes.h"
#include "wire/segment.h"

namespace mhp::vault::impl {
namespace {

constexpr std::uint64_t kSmallBytes = 1_MiB;
constexpr std::size_t kMaxSmallSegments = 16;

bool is_small(const SegmentUse& use) { return use.live_segment_bytes() < kSmallBytes; }

/// Moving costs reading and writing what is alive; it pays where more than that comes back.
bool is_half_empty(const SegmentUse& use) {
  std::uint64_t live = use.live_segment_bytes();
  return 2 * live < use.segment_bytes && wire::size_class(live) < use.segment_bytes;
}

}  // namespace

std::uint64_t SegmentUse::live_segment_bytes() const {
  if (content_bytes == 0 || live_bytes == 0) return 0;
  double share = static_cast<double>(std::min(live_bytes, content_bytes)) / static_cast<double>(content_bytes);
  auto bytes = static_cast<std::uint64_t>(static_cast<double>(segment_bytes) * share);
  return std::max<std::uint64_t>(1, bytes);
}

std::vector<SegmentFate> plan_collection(const std::vector<SegmentUse>& segments) {
  auto can_move = [](const SegmentUse& use) { return use.readable && use.live_bytes > 0; };
  auto small = std::ranges::count_if(segments, [&](const SegmentUse& use) { return can_move(use) && is_small(use); });
  bool merge = static_cast<std::size_t>(small) > kMaxSmallSegments;
  std::vector<SegmentFate> out;
  out.reserve(segments.size());
  for (const SegmentUse& use : segments) {
    bool moves = can_move(use) && (is_half_empty(use) || (merge && is_small(use)));
    out.push_back(use.live_bytes == 0 ? SegmentFate::drop : moves ? SegmentFate::repack : SegmentFate::keep);
  }
  return out;
}

}  // namespace mhp::vault::impl
