// Holds: what a clock can and cannot do to them, and what becomes of a damaged list.
#include "home/impl/condemned.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "home/impl/store_world_test.h"

namespace mhp::home::impl {
namespace {

constexpr std::int64_t kOneDayNs = 86'400'000'000'000;
constexpr std::int64_t kNow = HandClock::kStart;
constexpr std::uint64_t kUsualHoldNs = 30ull * kOneDayNs;

wire::CondemnedFile file_with(std::uint64_t hold_ns) {
  wire::CondemnedFile file;
  file.visited_ns = kNow;
  file.signers.resize(1);
  file.entries.push_back({SegmentId::from_array(samples::array_of<SegmentId::Array>(1)), 0, hold_ns, 0});
  return file;
}

/// Visits at these times, in days from the tombstone on. How many days have counted.
double days_counted(wire::CondemnedFile file, const std::vector<double>& days) {
  for (const double day : days) (void)visit(file, kNow + static_cast<std::int64_t>(day * kOneDayNs), true);
  return static_cast<double>(file.entries[0].held_ns) / kOneDayNs;
}

TEST(Condemned, TimeCountsAsItPasses) {
  EXPECT_EQ(days_counted(file_with(kUsualHoldNs), {0}), 0);
  EXPECT_EQ(days_counted(file_with(kUsualHoldNs), {1, 2.5, 7}), 7);
  EXPECT_EQ(days_counted(file_with(kUsualHoldNs), {10, 20, 29.5}), 29.5);
  EXPECT_EQ(days_counted(file_with(kUsualHoldNs), {10, 20, 30, 300}), 30);
}

TEST(Condemned, OneVisitEndsNoHold) {
  EXPECT_EQ(days_counted(file_with(kUsualHoldNs), {80'000}), 10);  // year 2245
  EXPECT_EQ(days_counted(file_with(kUsualHoldNs), {80'000, 80'001}), 11);
  EXPECT_EQ(days_counted(file_with(3ull * kOneDayNs), {80'000}), 1);
  EXPECT_EQ(days_counted(file_with(3ull * kOneDayNs), {80'000, 80'000.5}), 1.5);
  EXPECT_EQ(days_counted(file_with(300ull * kOneDayNs), {80'000}), 10);
}

TEST(Condemned, AClockSetBackNeitherAddsNorStops) {
  EXPECT_EQ(days_counted(file_with(kUsualHoldNs), {4'800, -3'650, -3'649.5, -3'648, -3'646}),
            13.5);  // 10 + 0 + 0.5 + 1 + 2
  EXPECT_EQ(days_counted(file_with(kUsualHoldNs), {-9'000, -8'000}), 1);
  EXPECT_EQ(days_counted(file_with(kUsualHoldNs), {-9'000, -8'999.5, -8'000}), 1.5);
  EXPECT_EQ(days_counted(file_with(kUsualHoldNs), {-9'000, -8'000, -7'993}), 8);
  // To and fro at each start of a computer without a clock of its own: a day each.
  EXPECT_EQ(days_counted(file_with(kUsualHoldNs), {-9'000, 0, -9'000, 0, -9'000, 0}), 3);
}

TEST(Condemned, TheEndsOfTimeAreNoEnds) {
  wire::CondemnedFile file = file_with(kUsualHoldNs);
  for (const std::int64_t now : {INT64_MAX, INT64_MIN, INT64_MAX, std::int64_t{0}, INT64_MIN, INT64_MIN + 1}) {
    ASSERT_TRUE(visit(file, now, true));
    EXPECT_LE(file.entries[0].held_ns, kUsualHoldNs / 2);
    ASSERT_TRUE(next_due(file, now));
    EXPECT_GE(*next_due(file, now), now);
  }
}

/// What is said is true for who comes then, and at least every ten days before.
TEST(Condemned, WhatIsSaidOfTheNextIsTrueForWhoComesOften) {
  for (const unsigned every : {1U, 7U, 10U}) {
    wire::CondemnedFile file = file_with(kUsualHoldNs);
    std::int64_t now = kNow;
    const std::int64_t said = *next_due(file, now);
    EXPECT_EQ(said, kNow + static_cast<std::int64_t>(kUsualHoldNs));
    for (; !is_due(file.entries[0]); now += every * kOneDayNs) {
      EXPECT_EQ(*next_due(file, now), std::max(said, now));
      (void)visit(file, now, true);
    }
    EXPECT_LE(now, said + 2 * static_cast<std::int64_t>(every) * kOneDayNs);
  }
  wire::CondemnedFile seldom = file_with(kUsualHoldNs);  // who comes once a month
  EXPECT_EQ(*next_due(seldom, kNow + 31 * kOneDayNs), kNow + 51 * kOneDayNs) << "ten of these days count";
  EXPECT_FALSE(next_due(wire::CondemnedFile(), kNow));
}

TEST(Condemned, ShortVisitsLoseNoTime) {
  wire::CondemnedFile file = file_with(kUsualHoldNs);
  unsigned writes = 0;
  for (int minute = 1; minute <= 24 * 60; ++minute)
    writes += visit(file, kNow + minute * kOneDayNs / (24 * 60), false) ? 1 : 0;
  EXPECT_EQ(writes, 24U);
  EXPECT_EQ(file.entries[0].held_ns, static_cast<std::uint64_t>(kOneDayNs));
}

/// Whatever a clock does, a hold takes three visits and no more time than an honest one is believed for.
TEST(Condemned, AnyJumpsOfAnyClock) {
  const std::uint64_t seed = seed_or(1);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 2'000; ++round) {
    const std::uint64_t hold_ns = random() % (400ull * kOneDayNs) + 1;
    wire::CondemnedFile file = file_with(hold_ns);
    int visits = 0;
    while (!is_due(file.entries[0]) && visits < 3) {
      const bool is_small = random() % 2 == 0;
      const auto by = static_cast<std::int64_t>(random() >> (is_small ? 14 : 2));
      (void)visit(file, random() % 3 == 0 ? kNow - by : kNow + by, random() % 2 == 0);
      ++visits;
      ASSERT_LE(file.entries[0].held_ns,
                static_cast<std::uint64_t>(visits) * std::min<std::uint64_t>(10ull * kOneDayNs, (hold_ns + 2) / 3))
          << "MHP_SEED=" << seed << ", round " << round;
    }
    std::int64_t now = file.visited_ns / 2;
    for (int day = 0; day < 402; ++day) (void)visit(file, now += kOneDayNs, false);
    ASSERT_TRUE(is_due(file.entries[0])) << "MHP_SEED=" << seed << ", round " << round;
  }
}

}  // namespace
}  // namespace mhp::home::impl
