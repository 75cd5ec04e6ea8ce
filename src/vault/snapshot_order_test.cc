// The order of snapshots where clocks were wrong.
#include "vault/snapshot_order.h"

#include <gtest/gtest.h>

#include "wire/samples.h"

namespace mhp::vault {
namespace {

constexpr std::int64_t kDayNs = 86'400'000'000'000;
constexpr std::int64_t kNow = 20'000 * kDayNs;  // 2024
constexpr std::int64_t kWild = 26'000 * kDayNs;

using Times = std::vector<std::int64_t>;

/// `history`: of a device whose state was put back.
wire::SnapshotRecord made(std::uint8_t device, std::uint64_t head_seq, std::int64_t time_ns, std::uint8_t history = 0) {
  wire::SnapshotRecord out;
  std::array<std::byte, 32> bytes{};
  bytes[0] = std::byte{device};
  out.device = DeviceId::from_array(bytes);
  bytes[1] = static_cast<std::byte>(head_seq);
  bytes[2] = std::byte{history};
  out.id = SnapshotId::from_array(bytes);
  out.head_seq = head_seq;
  out.time_ns = time_ns;
  return out;
}

std::vector<std::uint64_t> sorted(std::vector<wire::SnapshotRecord> snapshots, std::int64_t now_ns = kNow) {
  std::ranges::reverse(snapshots);
  sort_snapshots(snapshots, now_ns);
  std::vector<std::uint64_t> out;
  for (const auto& snapshot : snapshots) out.push_back(snapshot.head_seq);
  return out;
}

using Order = std::vector<std::uint64_t>;

/// Those that are not believed as negative numbers.
Times plausible(const Times& told, std::int64_t now_ns = kNow) {
  Times out;
  for (const PlausibleTime& time : plausible_times(told, now_ns)) out.push_back(time.is_believed ? time.ns : -time.ns);
  return out;
}

TEST(PlausibleTimes, RightOnesStayAsTheyAre) {
  EXPECT_EQ(plausible({1, 2, 2, 5}), (Times{1, 2, 2, 5}));
  EXPECT_EQ(plausible({}), Times{});
}

TEST(PlausibleTimes, OneFromTheFutureIsThatBeforeIt) {
  EXPECT_EQ(plausible({1, kWild, 3}), (Times{1, -1, 3}));
  EXPECT_EQ(plausible({kWild, 2, 3}), (Times{-2, 2, 3}));
  EXPECT_EQ(plausible({1, 2, kWild}), (Times{1, 2, -2}));
}

TEST(PlausibleTimes, OneFromThePastIsThatBeforeIt) {
  EXPECT_EQ(plausible({100, 1, 102}), (Times{100, -100, 102}));
  EXPECT_EQ(plausible({100, 101, 102, 1}), (Times{100, 101, 102, -102})) << "also where it is the newest";
}

TEST(PlausibleTimes, AWrongClockGoesOnAllTheSame) {
  EXPECT_EQ(plausible({100, 101, 102, 1, 4, 200, 300}), (Times{100, 101, 102, -102, -105, 200, 300}));
  EXPECT_EQ(plausible({500, 510, 100, 101, 102}), (Times{-90, -100, 100, 101, 102})) << "before all that is believed";
  EXPECT_EQ(plausible({100, 901, 903, 906, 104, 200, 300, 400}), (Times{100, -100, -102, -104, 104, 200, 300, 400}));
  EXPECT_EQ(plausible({100, 101, 102, 1, 11}), (Times{100, 101, 102, -102, -112}));
}

TEST(PlausibleTimes, AnyNumbersGiveRisingOnes) {
  const Times wild{INT64_MIN, INT64_MAX, 0, INT64_MIN, -1, INT64_MAX, INT64_MAX, kNow, INT64_MIN + 1, 7};
  for (const std::int64_t now : {INT64_MIN, std::int64_t{-1}, std::int64_t{0}, kNow, INT64_MAX}) {
    const auto times = plausible_times(wild, now);
    EXPECT_TRUE(std::ranges::is_sorted(times, {}, &PlausibleTime::ns)) << now;
  }
}

TEST(PlausibleTimes, AClockThatKnowsNoneOfThemIsNotAsked) {
  EXPECT_EQ(plausible({kNow - 2, kNow}, 0), (Times{kNow - 2, kNow}));
}

TEST(SnapshotOrder, FollowsADevicesHeadsAndNotItsClock) {
  EXPECT_EQ(sorted({made(1, 1, kWild), made(1, 2, kNow - 3), made(1, 3, kNow - 2)}), (Order{1, 2, 3}));
  EXPECT_EQ(sorted({made(1, 1, kNow - 3), made(1, 2, 5), made(1, 3, kNow - 2)}), (Order{1, 2, 3}));
  EXPECT_EQ(sorted({made(1, 1, kNow - 3), made(1, 2, kWild)}), (Order{1, 2}));
}

TEST(SnapshotOrder, OneFromTheFutureIsNotTheNewestOverAllDevices) {
  EXPECT_EQ(sorted({made(1, 1, kNow - 9), made(1, 2, kWild), made(2, 7, kNow - 5)}), (Order{1, 2, 7}));
}

TEST(SnapshotOrder, OfSeveralDevicesIsThatOfTheirTimes) {
  EXPECT_EQ(sorted({made(1, 1, 10), made(2, 8, 20), made(1, 2, 30), made(2, 9, 40)}), (Order{1, 8, 2, 9}));
}

/// The longer one is not the newer one.
TEST(SnapshotOrder, OfTwoHistoriesOfADeviceIsThatOfTheirTimes) {
  EXPECT_EQ(sorted({made(1, 4, 10), made(1, 5, 20), made(1, 6, 30), made(1, 7, 40), made(1, 5, 50, 1)}),
            (Order{4, 5, 6, 7, 5}));
  EXPECT_EQ(sorted({made(1, 5, 20), made(1, 6, 30), made(1, 7, 55), made(1, 5, 50, 1), made(1, 6, 60, 1)}),
            (Order{5, 6, 5, 7, 6}));
  // A number that both have is where they part; what was before keeps its order, whatever the clock said.
  EXPECT_EQ(sorted({made(1, 3, kWild), made(1, 4, 10), made(1, 5, 30), made(1, 5, 20, 1)}), (Order{3, 4, 5, 5}));
}

TEST(SnapshotOrder, AWildClockMakesNeitherOfTwoHistoriesTheNewest) {
  EXPECT_EQ(sorted({made(1, 5, 20), made(1, 6, kWild), made(1, 5, 50, 1)}), (Order{5, 6, 5}));
  EXPECT_EQ(sorted({made(1, 5, kWild), made(1, 6, 30), made(1, 5, 40, 1), made(2, 9, 35)}), (Order{5, 6, 9, 5}));
  EXPECT_EQ(sorted({made(1, 5, kNow - 2), made(1, 6, kNow - 1), made(1, 5, kNow, 1)}, 0), (Order{5, 6, 5}));
}

TEST(SnapshotOrder, WithoutNumbersIsThatOfTheirTimes) {
  EXPECT_EQ(sorted({made(0, 0, 10), made(0, 0, 20)}), (Order{0, 0}));
  std::vector<wire::SnapshotRecord> old{made(0, 0, 20), made(0, 0, 10), made(0, 0, 15)};
  sort_snapshots(old, kNow);
  EXPECT_EQ(old[0].time_ns, 10);
  EXPECT_EQ(old[2].time_ns, 20);
}

}  // namespace
}  // namespace mhp::vault
