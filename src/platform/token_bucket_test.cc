// Limits of rate, and schedules of them, as values.
#include "platform/token_bucket.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "base/test_run.h"
#include "platform/rate_schedule.h"

namespace mhp::platform {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr Rate kThousand{1000};

TEST(TokenBucket, LetsABurstThroughThenTheRate) {
  TokenBucket bucket(kThousand, 500);
  EXPECT_EQ(bucket.take(seconds(100), 300), seconds(0));
  EXPECT_EQ(bucket.take(seconds(100), 200), seconds(0));
  EXPECT_EQ(bucket.take(seconds(100), 100), milliseconds(100));
  EXPECT_EQ(bucket.take(seconds(100), 900), seconds(1));
  EXPECT_EQ(bucket.take(seconds(101), 0), seconds(0));
  EXPECT_EQ(bucket.take(milliseconds(101'250), 250), seconds(0));  // what a quarter of a second has brought
  EXPECT_EQ(bucket.take(hours(2), 500), seconds(0));               // never more than the burst is saved
  EXPECT_EQ(bucket.take(hours(2), 1), milliseconds(1));
}

TEST(TokenBucket, ABigOneWaitsForAllOfIt) {
  TokenBucket bucket(kThousand, 0);
  EXPECT_EQ(bucket.take(seconds(0), 60'000), minutes(1));
  EXPECT_EQ(bucket.take(seconds(1), 1000), minutes(1));  // behind it, though small
}

TEST(TokenBucket, WithoutALimitNobodyWaits) {
  TokenBucket bucket(Rate{}, 0);
  EXPECT_EQ(bucket.take(seconds(0), UINT64_MAX), seconds(0));
}

TEST(TokenBucket, NumbersWithoutMeasureDoNoHarm) {
  TokenBucket bucket(Rate{1}, UINT64_MAX);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_LE(bucket.take(seconds(i), UINT64_MAX), TokenBucket::kLongestWait);
    bucket.give_back(UINT64_MAX);
    bucket.give_back(UINT64_MAX);
  }
  bucket.set_rate(seconds(1000), Rate{UINT64_MAX});
  EXPECT_LE(bucket.take(seconds(1000), UINT64_MAX), TokenBucket::kLongestWait);
}

TEST(TokenBucket, WhatIsGivenBackIsThereForOthers) {
  TokenBucket bucket(kThousand, 100);
  EXPECT_EQ(bucket.take(seconds(5), 1100), seconds(1));
  bucket.give_back(1100);
  EXPECT_EQ(bucket.take(seconds(5), 100), seconds(0));
  bucket.give_back(UINT64_MAX);
  EXPECT_EQ(bucket.take(seconds(5), 101), milliseconds(1));  // still no more than the burst
}

TEST(TokenBucket, ANewRateKeepsDebtsAndSavings) {
  TokenBucket bucket(kThousand, 1000);
  EXPECT_EQ(bucket.take(seconds(0), 3000), seconds(2));  // 2,000 in debt
  bucket.set_rate(seconds(0), Rate{4000});
  EXPECT_EQ(bucket.take(seconds(0), 0), milliseconds(500));
  bucket.set_rate(seconds(1), Rate{100});  // 1,000 saved by now
  EXPECT_EQ(bucket.take(seconds(1), 1000), seconds(0));
  EXPECT_EQ(bucket.take(seconds(1), 1), milliseconds(10));
  bucket.set_rate(seconds(1), Rate{});
  EXPECT_EQ(bucket.take(seconds(1), 1'000'000), seconds(0));
  bucket.set_rate(seconds(2), kThousand);  // full again
  EXPECT_EQ(bucket.take(seconds(2), 1000), seconds(0));
  EXPECT_EQ(bucket.take(seconds(2), 1000), seconds(1));
}

struct Passed {
  nanoseconds when;
  std::uint64_t bytes;
};

/// Random takes of random sizes, some right after each other, some after a pause: when each may go.
std::vector<Passed> random_passes(std::mt19937_64& random, Rate rate, std::uint64_t burst, std::uint64_t most) {
  TokenBucket bucket(rate, burst);
  std::vector<Passed> out;
  nanoseconds now{0};
  for (int i = 0; i < 100; ++i) {
    if (random() % 4 == 0) now += nanoseconds(random() % 2'000'000'000);
    const std::uint64_t bytes = random() % (most + 1);
    const auto wait = bucket.take(now, bytes);
    out.push_back({now + wait, bytes});
    if (random() % 2 == 0) now += wait;
  }
  return out;
}

TEST(TokenBucket, NoSpanOfTimeCarriesMore) {
  const auto seed = test_run::seed();
  for (std::uint64_t round = 0; round < 300; ++round) {
    SCOPED_TRACE("MHP_SEED=" + std::to_string(seed) + " round " + std::to_string(round));
    std::mt19937_64 random(seed * 1000 + round);
    const Rate rate{1 + random() % 1'000'000};
    const std::uint64_t burst = random() % 100'000;
    const std::uint64_t most = random() % 200'000;
    const auto passes = random_passes(random, rate, burst, most);
    for (std::size_t from = 0; from < passes.size(); ++from) {
      EXPECT_TRUE(from == 0 || passes[from - 1].when <= passes[from].when);  // in order of asking
      std::uint64_t sum = 0;
      for (std::size_t to = from; to < passes.size(); ++to) {
        sum += passes[to].bytes;
        const double span = std::chrono::duration<double>(passes[to].when - passes[from].when).count();
        const double allowed = static_cast<double>(rate.bytes_per_second) * span;
        ASSERT_LE(static_cast<double>(sum), allowed + static_cast<double>(std::max(burst, passes[from].bytes)) + 1);
      }
    }
  }
}

TEST(TokenBucket, WhoAlwaysWantsMoreGetsTheWholeRate) {
  TokenBucket bucket(Rate{1'000'000}, 65'536);
  nanoseconds now{0};
  for (int i = 0; i < 1000; ++i) now += bucket.take(now, 10'000);
  const double expected = (1000 * 10'000 - 65'536) / 1e6;
  EXPECT_NEAR(std::chrono::duration<double>(now).count(), expected, 1e-3);
}

Rate at(const RateSchedule& schedule, int hour, int minute) { return rate_at(schedule, hours(hour) + minutes(minute)); }

TEST(RateSchedule, HoldsByTimeOfDay) {
  const auto schedule = parse_rate_schedule("08:00-18:00 1M, 22:30-6:00 unlimited, else 10M");
  ASSERT_TRUE(schedule);
  EXPECT_EQ(at(*schedule, 7, 59), Rate{10'000'000});
  EXPECT_EQ(at(*schedule, 8, 0), Rate{1'000'000});
  EXPECT_EQ(at(*schedule, 17, 59), Rate{1'000'000});
  EXPECT_EQ(at(*schedule, 18, 0), Rate{10'000'000});
  EXPECT_EQ(at(*schedule, 22, 30), Rate{});
  EXPECT_EQ(at(*schedule, 0, 0), Rate{});
  EXPECT_EQ(at(*schedule, 5, 59), Rate{});
  EXPECT_EQ(at(*schedule, 6, 0), Rate{10'000'000});
  EXPECT_EQ(rate_at(*schedule, hours(18) - seconds(1)), Rate{1'000'000});
  EXPECT_EQ(to_string(*schedule), "08:00-18:00 1M, 22:30-06:00 unlimited, else 10M");
}

TEST(RateSchedule, ReadsWhatPeopleWrite) {
  const auto rate = [](const char* text) {
    const auto schedule = parse_rate_schedule(text);
    EXPECT_TRUE(schedule) << text;
    return schedule ? schedule->otherwise.bytes_per_second : 1;
  };
  EXPECT_EQ(rate("1"), 1U);
  EXPECT_EQ(rate("  500k "), 500'000U);
  EXPECT_EQ(rate("1.5M"), 1'500'000U);
  EXPECT_EQ(rate("2MiB/s"), 2'097'152U);
  EXPECT_EQ(rate("2 KiB"), 2048U);
  EXPECT_EQ(rate("1GB/s"), 1'000'000'000U);
  EXPECT_EQ(rate("else 7"), 7U);
  EXPECT_EQ(rate("unlimited"), 0U);
  const auto all_day = parse_rate_schedule("00:00-24:00 5");
  ASSERT_TRUE(all_day);
  EXPECT_EQ(at(*all_day, 0, 0), Rate{5});
  EXPECT_EQ(at(*all_day, 23, 59), Rate{5});
  const auto first_wins = parse_rate_schedule("10:00-12:00 1, 11:00-13:00 2");
  ASSERT_TRUE(first_wins);
  EXPECT_EQ(at(*first_wins, 11, 30), Rate{1});
  EXPECT_EQ(at(*first_wins, 12, 30), Rate{2});
  EXPECT_EQ(at(*first_wins, 13, 0), Rate{});
}

TEST(RateSchedule, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "empty part"},
      {"1M,", "must be the last"},
      {"08:00-18:00 1M,,else 2M", "empty part"},
      {"1M, 2M", "\"1M\" must be the last part"},
      {"08:00-18:00 1M, 2M", "\"2M\": a rate without a time stands alone"},
      {"else 1M, 08:00-18:00 2M", "must be the last part"},
      {"08:00 1M", "is no period"},
      {"08:00-18:00", "is no period"},
      {"08:00-08:00 1M", "ends when it begins"},
      {"24:00-00:00 1M", "ends when it begins"},
      {"8-18:00 1M", "\"8\" is no time of day"},
      {"08:60-18:00 1M", "\"08:60\" is no time of day"},
      {"08:00-24:01 1M", "\"24:01\" is no time of day"},
      {"08:00-18:00 fast", "\"fast\" is no rate"},
      {"1X", "\"1X\" is no rate"},
      {"1i", "\"1i\" is no rate"},
      {"-1", "at least 1 byte a second"},
      {"0", "at least 1 byte a second"},
      {"inf", "\"inf\" is no rate"},
      {"nan", "\"nan\" is no rate"},
      {"1e5", "\"1e5\" is no rate"},
      {"9999999G", "at most 10^15"},
  };
  for (const auto& [text, words] : cases) {
    const auto schedule = parse_rate_schedule(text);
    ASSERT_FALSE(schedule) << text;
    EXPECT_EQ(schedule.error().code, Errc::usage);
    EXPECT_NE(schedule.error().detail.find(words), std::string::npos) << text << ": " << schedule.error().detail;
  }
  EXPECT_FALSE(parse_rate_schedule(std::string(1001, ' ')));
  std::string many;
  for (int i = 0; i < 25; ++i) many += "01:00-02:00 1, ";
  EXPECT_FALSE(parse_rate_schedule(many + "else 1"));
}

}  // namespace
}  // namespace mhp::platform
