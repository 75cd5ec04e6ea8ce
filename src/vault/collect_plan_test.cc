// What is dropped, repacked and kept: the bounds, and that merging comes to an end.
#include "vault/impl/collect_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/bytes.h"
#include "wire/segment.h"

namespace mhp::vault::impl {
namespace {

SegmentUse use(std::uint64_t segment, std::uint64_t content, std::uint64_t live, bool readable = true) {
  return {
      .segment_bytes = segment, .content_bytes = content, .live_bytes = live, .live_chunks = 1, .readable = readable};
}

SegmentFate fate_of(const SegmentUse& one) { return plan_collection({one}).front(); }

TEST(CollectPlan, NothingAliveIsDropped) {
  EXPECT_EQ(fate_of(use(8_MiB, 20_MiB, 0)), SegmentFate::drop);
  EXPECT_EQ(fate_of(use(8_MiB, 20_MiB, 0, false)), SegmentFate::drop);
}

TEST(CollectPlan, LessThanHalfAliveIsRepacked) {
  EXPECT_EQ(fate_of(use(8_MiB, 20_MiB, 20_MiB)), SegmentFate::keep);
  EXPECT_EQ(fate_of(use(8_MiB, 20_MiB, 10_MiB)), SegmentFate::keep);
  EXPECT_EQ(fate_of(use(8_MiB, 20_MiB, 9_MiB)), SegmentFate::repack);
  EXPECT_EQ(fate_of(use(8_MiB, 20_MiB, 9_MiB, false)), SegmentFate::keep);  // it may come back
}

TEST(CollectPlan, TheSmallestClassHasNothingToGain) {
  EXPECT_EQ(fate_of(use(64_KiB, 60'000, 1)), SegmentFate::keep);
  EXPECT_EQ(fate_of(use(128_KiB, 120'000, 50'000)), SegmentFate::repack);
}

TEST(CollectPlan, ManySmallOnesAreMerged) {
  std::vector<SegmentUse> segments(16, use(64_KiB, 60'000, 60'000));
  segments.push_back(use(8_MiB, 8_MiB, 8_MiB));
  auto fates = plan_collection(segments);
  EXPECT_EQ(std::ranges::count(fates, SegmentFate::keep), 17);
  segments.push_back(use(512_KiB, 500'000, 500'000));
  fates = plan_collection(segments);
  EXPECT_EQ(std::ranges::count(fates, SegmentFate::repack), 17);
  EXPECT_EQ(fates[16], SegmentFate::keep);
}

TEST(CollectPlan, HalfALifeOfBytesDoesNotOverflow) {
  auto most = use(16_MiB, 65'536ull * 16_MiB, 65'536ull * 16_MiB);
  EXPECT_EQ(most.live_segment_bytes(), 16_MiB);
  EXPECT_EQ(fate_of(most), SegmentFate::keep);
}

/// A backup a day for ten years, each a small segment of which the keep rules leave a part: the number of segments
/// stays small, and no byte is moved often.
TEST(CollectPlan, TenYearsOfDailyBackups) {
  std::mt19937_64 random(1);
  std::vector<SegmentUse> segments;
  std::uint64_t moved = 0, added = 0;
  std::size_t most = 0;
  for (int day = 0; day < 3650; ++day) {
    std::uint64_t content = 5'000 + random() % 55'000;
    segments.push_back(use(wire::size_class(content), content, content));
    added += content;
    for (SegmentUse& one : segments) {
      if (random() % 400 == 0) one.live_bytes -= one.live_bytes / 3;  // something is forgotten
    }
    auto fates = plan_collection(segments);
    std::uint64_t together = 0;
    std::vector<SegmentUse> next;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      if (fates[i] == SegmentFate::keep) next.push_back(segments[i]);
      if (fates[i] == SegmentFate::repack) together += segments[i].live_bytes;
    }
    moved += together;
    for (; together > 0; together -= std::min<std::uint64_t>(together, 8_MiB)) {
      std::uint64_t bytes = std::min<std::uint64_t>(together, 8_MiB);
      next.push_back(use(wire::size_class(bytes), bytes, bytes));
    }
    segments = std::move(next);
    most = std::max(most, segments.size());
  }
  EXPECT_LE(most, 250u);  // of 1 MiB and more, and at most 17 small ones
  EXPECT_LT(moved, 4 * added);
}

}  // namespace
}  // namespace mhp::vault::impl
