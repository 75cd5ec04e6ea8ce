// Reading from homes that lie, hang, lag, vanish or forget: right bytes or an error, the guilty named; simulated clock.
#include <gtest/gtest.h>

#include <algorithm>

#include "dispersal/home_set.h"
#include "dispersal/testing/world.h"

namespace mhp::dispersal {
namespace {

using testing::make_sample;
using testing::Sample;
using testing::World;
using namespace std::chrono_literals;

/// Stored on `homes` homes; `bytes` of ciphertext.
struct Stored {
  explicit Stored(std::size_t homes, std::size_t bytes = 1'500'000)
      : world(homes), sample(make_sample(world.random, bytes)) {
    const auto put = world.store(sample);
    EXPECT_TRUE(put) << put.error().detail;
  }
  /// The home that holds a row.
  std::size_t holder_of(std::uint8_t row) {
    for (std::size_t i = 0; i < world.homes(); ++i) {
      if (world.home(i).held[sample.id].rows.contains(row)) return i;
    }
    return world.homes();
  }
  void expect_right(const Result<Gathered>& got, std::uint64_t offset = 0, std::uint64_t bytes = 0) {
    ASSERT_TRUE(got) << got.error().detail;
    if (bytes == 0) bytes = sample.sealed.size() - offset;
    const Bytes sealed = got->sealed();
    ASSERT_EQ(sealed.size(), bytes);
    EXPECT_EQ(got->sealed_bytes(), bytes);
    EXPECT_TRUE(std::equal(sealed.begin(), sealed.end(), sample.sealed.begin() + static_cast<std::ptrdiff_t>(offset)));
    if (!got->salts.empty()) {
      EXPECT_EQ(got->salts, sample.salts);
    }
  }
  std::uint64_t reads() {
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < world.homes(); ++i) count += world.home(i).reads;
    return count;
  }
  World world;
  Sample sample;
};

Task<bool> pass_time(World& world, std::chrono::nanoseconds time) {
  co_await world.platform().clock().sleep(time);
  co_return true;
}

TEST(Gather, AWholeSegmentTakesTwelveReads) {
  Stored s(10);
  s.expect_right(s.world.gather(s.sample));
  EXPECT_EQ(s.reads(), 12u);
  EXPECT_EQ(s.world.took, 2ms);  // one question, one read
  EXPECT_TRUE(s.world.set().troubles().empty());
}

TEST(Gather, ASmallRangeComesFromOneHome) {
  Stored s(10, 8'000'000);
  const std::uint64_t row_bytes = row_bytes_of(s.sample.sealed.size(), kNeed);
  s.expect_right(s.world.gather(s.sample, 3 * row_bytes + 1000, 4000, /*with_salts=*/false), 3 * row_bytes + 1000,
                 4000);
  EXPECT_EQ(s.reads(), 1u);  // near the front: one read
  s.expect_right(s.world.gather(s.sample, 5 * row_bytes - 70'000, 65'000, false), 5 * row_bytes - 70'000, 65'000);
  EXPECT_EQ(s.reads(), 3u);  // front, then the leaves
  s.expect_right(s.world.gather(s.sample, 5 * row_bytes - 1, 2, false), 5 * row_bytes - 1, 2);
  EXPECT_EQ(s.reads(), 6u);
  s.expect_right(s.world.gather(s.sample, s.sample.sealed.size() - 1, 0, true), s.sample.sealed.size() - 1, 1);
  EXPECT_EQ(s.reads(), 6u + 2 + 11);  // the salts need eleven more fronts
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < s.world.homes(); ++i) bytes += s.world.home(i).read_bytes;
  EXPECT_LT(bytes, 500'000u);
}

TEST(Gather, EveryRangeIsRight) {
  Stored s(6, 900'001);
  const std::uint64_t seed = testing::seed_of_run();
  std::mt19937_64 random(seed);
  for (int round = 0; round < 60; ++round) {
    const std::uint64_t offset = random() % s.sample.sealed.size();
    const std::uint64_t bytes = 1 + random() % (s.sample.sealed.size() - offset);
    s.expect_right(s.world.gather(s.sample, offset, bytes, random() % 2 == 0), offset, bytes);
    if (::testing::Test::HasFailure()) FAIL() << "MHP_SEED=" << seed << " round " << round;
  }
  for (auto [offset, bytes] :
       {std::pair<std::uint64_t, std::uint64_t>{900'001, 0}, {900'000, 2}, {UINT64_MAX, 1}, {1, UINT64_MAX}}) {
    EXPECT_EQ(s.world.gather(s.sample, offset, bytes).error().code, Errc::invalid);
  }
}

TEST(Gather, EveryRangeIsRightWithDataRowsLost) {
  const std::uint64_t seed = testing::seed_of_run();
  std::mt19937_64 random(seed);
  for (int round = 0; round < 30; ++round) {
    Stored s(10, 2'000'000 + random() % 100);
    for (int lost = 0; lost < 6; ++lost) s.world.set_away(random() % 10, true);
    s.world.open();
    const std::uint64_t offset = random() % s.sample.sealed.size();
    const std::uint64_t bytes = 1 + random() % (s.sample.sealed.size() - offset);
    s.expect_right(s.world.gather(s.sample, offset, bytes, true), offset, bytes);
    if (::testing::Test::HasFailure()) FAIL() << "MHP_SEED=" << seed << " round " << round;
  }
}

TEST(Gather, AnyMarginOfHomesMayBeGoneAndOneMoreIsSaid) {
  Stored s(10);
  for (std::size_t i = 0; i < 6; ++i) s.world.set_away(i, true);
  s.world.open();
  s.expect_right(s.world.gather(s.sample));
  s.world.set_away(6, true);
  s.world.open();
  const auto got = s.world.gather(s.sample);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::unavailable);
  const std::string& detail = got.error().detail;
  EXPECT_TRUE(
      detail.starts_with("one more of these homes is needed: Drive 0, Drive 1, Drive 2, Drive 3, Drive 4, "
                         "Drive 5, Drive 6 (segment "))
      << detail;
  EXPECT_TRUE(detail.ends_with(" needs 12 rows, 9 found)")) << detail;
}

TEST(Gather, SaysHowManyHomesAreNeeded) {
  Stored s(3);
  auto said = [&](std::initializer_list<std::size_t> away) {
    for (std::size_t i = 0; i < 3; ++i) s.world.set_away(i, std::ranges::find(away, i) != away.end());
    s.world.open();
    const auto got = s.world.gather(s.sample);
    return got ? std::string() : got.error().detail.substr(0, got.error().detail.find(" ("));
  };
  EXPECT_EQ(said({0}), "");
  EXPECT_EQ(said({0, 1}), "one more of these homes is needed: Drive 0, Drive 1");
  s.world.home(2).faults.flips = true;
  EXPECT_EQ(said({0, 1}), "these homes are needed as well: Drive 0, Drive 1");
}

TEST(Gather, ALyingHomeIsWorkedAroundAndNamed) {
  using testing::Faults;
  const std::pair<const char*, void (*)(Faults&)> lies[] = {
      {"flips", [](Faults& f) { f.flips = true; }},
      {"salts", [](Faults& f) { f.flips_salts = true; }},
      {"cuts", [](Faults& f) { f.cuts = true; }},
      {"forgets", [](Faults& f) { f.forgets_rows = true; }},
  };
  for (const auto& [name, lie] : lies) {
    SCOPED_TRACE(name);
    Stored s(10);
    const std::size_t liar = s.holder_of(4);
    lie(s.world.home(liar).faults);
    s.expect_right(s.world.gather(s.sample));
    EXPECT_GE(s.world.told(TroubleKind::wrong_bytes, liar), 1u);
    EXPECT_EQ(s.world.told(TroubleKind::wrong_bytes), s.world.told(TroubleKind::wrong_bytes, liar));
    EXPECT_LT(s.world.took, 10ms);  // known as soon as it came
    const auto& detail = s.world.set().troubles().at(0).detail;
    EXPECT_NE(detail.find("row"), std::string::npos) << detail;
  }
}

TEST(Gather, ACardThatContradictsTheOthersIsWorkedAround) {
  for (const std::size_t homes : {2u, 3u, 10u}) {
    SCOPED_TRACE(homes);
    Stored s(homes);
    auto& held = s.world.home(0).held[s.sample.id];
    auto envelope = wire::parse_signed(held.signed_card, wire::kMaxCardBytes);
    ASSERT_TRUE(envelope);
    auto forged = wire::parse_card(envelope->body);
    ASSERT_TRUE(forged);
    forged->version = held.version = 1'000'000;
    for (FragmentId& id : forged->fragments) id = testing::random_id<FragmentId>(s.world.random);
    held.signed_card = s.world.signed_card(*forged);
    s.expect_right(s.world.gather(s.sample));
    EXPECT_GE(s.world.told(TroubleKind::wrong_card, 0), 1u);
    EXPECT_EQ(s.world.told(TroubleKind::wrong_card), s.world.told(TroubleKind::wrong_card, 0));
    EXPECT_EQ(s.world.told(TroubleKind::wrong_bytes), s.world.told(TroubleKind::wrong_bytes, 0));  // nobody else
    for (const WrongRow& row : s.world.set().take_wrong_rows()) EXPECT_EQ(row.member, 0u);
  }
}

TEST(Gather, TooManyLiarsAreAnErrorNeverWrongBytes) {
  Stored s(3);
  s.world.home(0).faults.flips = true;
  s.world.home(1).faults.flips_salts = true;
  const auto got = s.world.gather(s.sample);
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::corrupt);  // nobody is away: to connect something would not help
  EXPECT_NE(got.error().detail.find("needs 12 rows, 6 found; wrong bytes: Drive "), std::string::npos)
      << got.error().detail;
  std::size_t wrong = 0;
  for (const WrongRow& row : s.world.set().take_wrong_rows()) {
    EXPECT_NE(row.member, 2u);
    ++wrong;
  }
  EXPECT_EQ(wrong, 12u);
  EXPECT_TRUE(s.world.set().take_wrong_rows().empty());
}

TEST(Gather, AHomeThatFailsIsReplacedAtOnce) {
  Stored s(10);
  const std::size_t bad = s.holder_of(0);
  s.world.home(bad).faults.vanishes_at = s.world.platform().clock().steady() + 1500us;  // after it was found
  s.expect_right(s.world.gather(s.sample));
  EXPECT_EQ(s.world.told(TroubleKind::failed, bad), s.world.told(TroubleKind::failed));
  EXPECT_GE(s.world.told(TroubleKind::failed, bad), 1u);
  EXPECT_EQ(s.world.took, 3ms);
}

TEST(Gather, AHangingHomeIsHedgedAfterAFairTime) {
  Stored s(10);
  const std::size_t bad = s.holder_of(7);
  s.world.home(bad).faults.hangs_on_reads = true;
  s.expect_right(s.world.gather(s.sample));
  EXPECT_EQ(s.world.took, 1ms + 150ms + 1ms);  // question, patience, another row
  EXPECT_GE(s.world.told(TroubleKind::slow, bad), 1u);
  EXPECT_EQ(s.world.told(TroubleKind::slow), s.world.told(TroubleKind::slow, bad));
  s.expect_right(s.world.gather(s.sample));
  EXPECT_EQ(s.world.took, 2ms);  // next time others are asked first
}

TEST(Gather, AHomeThatHangsAgainAndAgainIsAskedMoreAndMoreSeldom) {
  Stored s(10);
  const std::size_t bad = s.holder_of(7);
  s.world.home(bad).faults.hangs_on_reads = true;
  const auto read_after = [&](std::chrono::nanoseconds time) {
    s.world.run(pass_time(s.world, time));
    s.expect_right(s.world.gather(s.sample));
    return s.world.took;
  };
  EXPECT_EQ(read_after(0s), 152ms);
  EXPECT_EQ(read_after(31s), 152ms);  // it is trusted again, and disappoints
  EXPECT_EQ(read_after(31s), 2ms);
  EXPECT_EQ(read_after(31s), 152ms);
}

TEST(Gather, WhatReadsTookBeforeSaysWhenTheFirstIsLate) {
  Stored s(10, 8'000'000);
  s.expect_right(s.world.gather(s.sample));
  s.world.home(s.holder_of(0)).faults.hangs_on_reads = true;
  s.expect_right(s.world.gather(s.sample, 0, 1000, false), 0, 1000);
  EXPECT_LT(s.world.took, 160ms);
  // Where nothing is known of the homes, drives may have to begin to turn.
  s.world.open();
  s.expect_right(s.world.gather(s.sample, 0, 1000, false), 0, 1000);
  EXPECT_GE(s.world.took, 1s);
}

TEST(Gather, ALiarIsAskedLastForTheRestOfTheRun) {
  Stored s(10);
  const std::size_t bad = s.holder_of(3);
  s.world.home(bad).faults.flips = true;
  s.expect_right(s.world.gather(s.sample));
  EXPECT_GE(s.world.told(TroubleKind::wrong_bytes, bad), 1u);
  const std::uint64_t reads = s.world.home(bad).reads;
  s.world.run(pass_time(s.world, std::chrono::hours(24)));
  s.expect_right(s.world.gather(s.sample));
  EXPECT_EQ(s.world.home(bad).reads, reads);
  EXPECT_EQ(s.world.took, 2ms);
  s.world.open();  // each run finds out for itself
  s.expect_right(s.world.gather(s.sample));
  EXPECT_GT(s.world.home(bad).reads, reads);
}

TEST(Gather, HedgingFollowsTheMedian) {
  Stored s(10);
  for (std::size_t i = 0; i < 10; ++i) s.world.home(i).faults.read_delay = 400ms;
  s.world.home(s.holder_of(2)).faults.hangs_on_reads = true;
  s.expect_right(s.world.gather(s.sample));
  EXPECT_EQ(s.world.took, 1ms + 2 * 401ms + 401ms);
}

TEST(Gather, ALateRowIsTakenWhereItComesFirst) {
  Stored s(10);
  const std::size_t late = s.holder_of(2);
  s.world.home(late).faults.read_delay = 160ms;
  for (std::size_t i = 0; i < 10; ++i) {
    if (i != late) s.world.home(i).faults.read_delay = 70ms;
  }
  s.expect_right(s.world.gather(s.sample));
  EXPECT_EQ(s.world.took, 1ms + 161ms);
  EXPECT_TRUE(s.world.set().troubles().empty());
}

TEST(Gather, AllHomesSlowIsNotAnError) {
  Stored s(3);
  for (std::size_t i = 0; i < 3; ++i) s.world.home(i).faults.read_delay = 20s;
  s.expect_right(s.world.gather(s.sample));
  EXPECT_LT(s.world.took, 25s);
}

TEST(Gather, AllHomesHangingEndsWithAnError) {
  Stored s(3);
  for (std::size_t i = 0; i < 3; ++i) s.world.home(i).faults.hangs_on_reads = true;
  const auto located = s.world.run(s.world.set().locate(s.sample.id));
  ASSERT_TRUE(located);
  const auto got = s.world.run(s.world.set().gather(*located, 0, 0, true));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Errc::unavailable);
  EXPECT_NE(got.error().detail.find("slow: Drive"), std::string::npos) << got.error().detail;
  EXPECT_LE(s.world.took, 65s);
}

TEST(Gather, RowsOnTwoHomesAreReadFromBothAndEitherMayFail) {
  Stored s(4);
  // Home 3 gets copies of all that homes 0 to 2 hold.
  for (std::size_t i = 0; i < 3; ++i) {
    for (const auto& [row, bytes] : s.world.home(i).held[s.sample.id].rows)
      s.world.home(3).held[s.sample.id].rows[row] = bytes;
  }
  s.expect_right(s.world.gather(s.sample));
  for (std::size_t i = 0; i < 4; ++i) EXPECT_LE(s.world.home(i).reads, 4u) << i;
  const std::size_t bad = s.holder_of(0);
  s.world.home(bad).faults.flips = true;
  s.expect_right(s.world.gather(s.sample));
  s.world.home(3).faults.hangs_on_reads = true;
  s.world.home(bad).faults.flips = false;
  s.expect_right(s.world.gather(s.sample));
}

/// Cancels a gather while its reads are under way.
Task<> give_up_after(platform::MemoryPlatform& platform, platform::Nursery& both, std::chrono::nanoseconds after) {
  co_await platform.clock().sleep(after);
  both.cancel();
}
Task<> gather_and_say(HomeSet& set, SegmentId segment, bool& done) {
  const auto got = co_await set.gather(segment, 0, 0, true);
  done = got.has_value();
}
Task<bool> canceled_gather(platform::MemoryPlatform& platform, HomeSet& set, SegmentId segment,
                           std::chrono::nanoseconds after) {
  bool done = false;
  platform::Nursery both(platform.executor());
  both.start(gather_and_say(set, segment, done));
  both.start(give_up_after(platform, both, after));
  co_await both.join();
  co_return done;
}

TEST(Gather, CanBeGivenUpAtAnyTime) {
  Stored s(10);
  s.world.home(s.holder_of(1)).faults.hangs_on_reads = true;
  for (auto after : {0ns, 500'000ns, 1'000'000ns, 1'500'000ns, 100'000'000ns, 151'000'000ns}) {
    EXPECT_FALSE(s.world.run(canceled_gather(s.world.platform(), s.world.set(), s.sample.id, after))) << after.count();
    EXPECT_EQ(s.world.took, after);
  }
  EXPECT_TRUE(s.world.run(canceled_gather(s.world.platform(), s.world.set(), s.sample.id, 1h)));
}

}  // namespace
}  // namespace mhp::dispersal
