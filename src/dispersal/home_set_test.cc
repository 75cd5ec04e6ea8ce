// Writing, finding, listing and checking over homes that are away, full, failing or lying.
#include "dispersal/home_set.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "dispersal/testing/world.h"

namespace mhp::dispersal {
namespace {

using testing::make_sample;
using testing::Sample;
using testing::World;
using namespace std::chrono_literals;

TEST(HomeSet, StoresAndGathersWithEveryNumberOfHomes) {
  for (std::size_t homes : {1u, 2u, 3u, 5u, 6u, 10u, 20u, 40u}) {
    SCOPED_TRACE(homes);
    World world(homes);
    const Sample sample = make_sample(world.random, 300'000);
    const Plan plan = world.set().plan(Level::normal);
    const auto put = world.store(sample);
    ASSERT_TRUE(put) << put.error().detail;
    EXPECT_EQ(put->rows, plan.n);
    EXPECT_EQ(world.set().margin_of(put->placed, plan.k), static_cast<int>(plan.margin));
    EXPECT_EQ(world.run(world.set().commit()).size(), std::min<std::size_t>(homes, 36));
    EXPECT_TRUE(world.run(world.set().commit()).empty());  // nothing new
    const auto located = world.run(world.set().locate(sample.id));
    ASSERT_TRUE(located);
    EXPECT_EQ(world.set().margin_of(*located), static_cast<int>(plan.margin));
    const auto got = world.gather(sample);
    ASSERT_TRUE(got) << got.error().detail;
    EXPECT_EQ(got->sealed(), sample.sealed);
    EXPECT_EQ(got->salts, sample.salts);
    EXPECT_TRUE(world.set().troubles().empty());
  }
}

TEST(HomeSet, ARepairReachesWhatTheHomesThatAnswerAllow) {
  World world(6);
  EXPECT_EQ(world.set().repairable_margin(Level::normal), 3);
  world.set_away(0, true);
  world.set_away(3, true);
  world.open();
  EXPECT_EQ(world.set().plan(Level::normal).margin, 3u);
  EXPECT_EQ(world.set().repairable_margin(Level::normal), 2);
  world.set_disk(1, 2);  // beside home 2: lost together
  world.open();
  EXPECT_EQ(world.set().repairable_margin(Level::normal), 1);
  for (std::size_t i = 0; i < 6; ++i) world.set_away(i, true);
  world.open();
  EXPECT_EQ(world.set().repairable_margin(Level::normal), 0);
}

/// All borrowed: run at once.
Task<bool> take_locks(HomeSet& set, std::chrono::nanoseconds patience, std::vector<std::string>& told) {
  WaitsFor waits = [&told](const Member& home, const std::string& holder) {
    told.push_back(home.name + ": " + holder);
  };
  co_await set.begin_writing("me", patience, std::move(waits));
  co_return true;
}

TEST(HomeSet, WaitsForWhoWritesAndLocksInTheOrderOfIds) {
  World world(5);
  std::vector<std::size_t> by_id(5);
  std::iota(by_id.begin(), by_id.end(), 0);
  std::ranges::sort(by_id, {}, [&](std::size_t i) { return world.home(i).id(); });
  const auto start = world.platform().clock().steady();
  world.home(by_id[2]).faults.in_use_until = start + 90s;
  std::vector<std::string> told;
  world.run(take_locks(world.set(), 5min, told));
  EXPECT_GE(world.took, 90s);
  EXPECT_LT(world.took, 92s);
  EXPECT_EQ(told, std::vector<std::string>{World::name(by_id[2]) + ": held by another"});
  for (const std::size_t i : by_id) EXPECT_EQ(world.home(i).writer, "me") << i;
  // Those after it were not taken before it: another who waits for one of them would wait for us.
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(world.home(by_id[i]).writer_since >= start + 90s, i >= 2) << i;
  EXPECT_TRUE(world.set().troubles().empty());
}

TEST(HomeSet, WhatIsInUseForTooLongIsLeftOut) {
  for (const auto patience : {std::chrono::nanoseconds(0), std::chrono::nanoseconds(5min)}) {
    World world(3);
    world.home(1).faults.in_use_until = world.platform().clock().steady() + 1h;
    std::vector<std::string> told;
    world.run(take_locks(world.set(), patience, told));
    EXPECT_LE(world.took, patience + 1s);
    EXPECT_EQ(told.size(), patience > 0s ? 1u : 0u);
    EXPECT_EQ(world.told(TroubleKind::busy, 1), 1u);
    EXPECT_EQ(world.set().troubles().size(), 1u);
    EXPECT_FALSE(world.set().takes_writes(1));
    EXPECT_EQ(world.home(0).writer, "me");
    EXPECT_EQ(world.home(2).writer, "me");
  }
}

TEST(HomeSet, WhatMembersLackIsTheirsByThePlan) {
  World world(3);
  const Sample sample = make_sample(world.random, 100'000);
  ASSERT_TRUE(world.store(sample));
  auto located = world.run(world.set().locate(sample.id));
  ASSERT_TRUE(located);
  EXPECT_TRUE(world.set().lacking(*located, Level::normal).empty());
  world.set_away(1, true);
  world.open();
  located = world.run(world.set().locate(sample.id));
  ASSERT_TRUE(located);
  const auto lacking = world.set().lacking(*located, Level::normal);
  ASSERT_EQ(lacking.size(), 1u);
  EXPECT_EQ(lacking[0].home, 1u);
  EXPECT_EQ(lacking[0].rows.size(), 6u);
}

TEST(HomeSet, HomesThatFailAreNamedOnceAndNotWrittenToAgain) {
  World world(10);
  world.home(2).faults.full = true;
  world.home(4).faults.fails = true;
  world.home(5).faults.hangs = true;
  world.set_away(7, true);
  world.open();
  const Sample first = make_sample(world.random, 100'000);
  const auto put = world.store(first);
  ASSERT_TRUE(put) << put.error().detail;
  EXPECT_EQ(put->rows, 18u);
  EXPECT_EQ(world.took, 60s);  // given little: the one that hangs is given up after a minute
  EXPECT_EQ(world.told(TroubleKind::full, 2), 1u);
  EXPECT_EQ(world.told(TroubleKind::failed, 4), 1u);
  EXPECT_EQ(world.told(TroubleKind::failed, 5), 1u);
  EXPECT_EQ(world.told(TroubleKind::away, 7), 1u);
  world.home(4).faults.fails = false;
  const Sample second = make_sample(world.random, 100'000);
  ASSERT_TRUE(world.store(second));
  EXPECT_LT(world.took, 1s);
  EXPECT_FALSE(world.home(4).held.contains(second.id));
  EXPECT_EQ(world.told(TroubleKind::failed, 4), 1u);
}

TEST(HomeSet, InACrowdAHomeThatHangsIsLeftBehind) {
  World world(10);
  world.home(5).faults.hangs = true;
  const auto put = world.store(make_sample(world.random, 100'000));
  ASSERT_TRUE(put) << put.error().detail;
  EXPECT_EQ(put->rows, 27u);
  EXPECT_EQ(world.took, 2s);
  EXPECT_EQ(world.told(TroubleKind::slow, 5), 1u);  // there is no telling a home that hangs from a slow one
  EXPECT_EQ(world.told(TroubleKind::failed), 0u);
  EXPECT_FALSE(world.set().takes_writes(5));
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(world.store(make_sample(world.random, 100'000)));
    EXPECT_LT(world.took, 10ms);  // it was waited for once
  }
  // One that is slower than the others, but comes, is waited for.
  World slow(10);
  slow.home(5).faults.delay = 1900ms;
  const auto all = slow.store(make_sample(slow.random, 100'000));
  ASSERT_TRUE(all) << all.error().detail;
  EXPECT_EQ(all->rows, 30u);
  EXPECT_TRUE(slow.set().troubles().empty());
}

TEST(HomeSet, InACrowdAHomeBehindASlowLineIsCalledSlowAndNothingWorse) {
  World world(10);
  world.home(5).faults.takes_bytes_per_second = 100'000;
  std::vector<Sample> samples;
  std::chrono::nanoseconds all{};
  for (int i = 0; i < 10; ++i) {
    samples.push_back(make_sample(world.random, 4'000'000));
    const auto put = world.store(samples.back());
    ASSERT_TRUE(put) << put.error().detail;
    EXPECT_GE(put->rows, 27u);
    all += world.took;
  }
  EXPECT_LT(all, 3s);
  EXPECT_EQ(world.told(TroubleKind::slow, 5), world.told(TroubleKind::slow));
  EXPECT_EQ(world.set().troubles().size(), 1u);
  // Nobody is in a hurry where all are behind such lines.
  World slow(10);
  for (std::size_t i = 0; i < 10; ++i) slow.home(i).faults.takes_bytes_per_second = 100'000;
  slow.home(5).faults.takes_bytes_per_second = 20'000;
  const auto put = slow.store(make_sample(slow.random, 4'000'000));
  ASSERT_TRUE(put) << put.error().detail;
  EXPECT_EQ(put->rows, 30u);
  EXPECT_TRUE(slow.set().troubles().empty());
}

TEST(HomeSet, InACrowdACommitThatHangsIsWaitedForAFairTime) {
  World world(10);
  const auto put = world.store(make_sample(world.random, 4'000'000));
  ASSERT_TRUE(put) << put.error().detail;
  world.home(5).faults.hangs_on_commit = true;
  const auto durable = world.run(world.set().commit());
  EXPECT_EQ(durable.size(), 9u);
  EXPECT_EQ(std::ranges::count(durable, 5u), 0);
  EXPECT_EQ(world.took, 2s);
  EXPECT_EQ(world.told(TroubleKind::slow, 5), 1u);
  EXPECT_FALSE(world.set().takes_writes(5));  // what it has is in doubt
  ASSERT_TRUE(world.store(make_sample(world.random, 4'000'000)));
  EXPECT_EQ(world.run(world.set().commit()).size(), 9u);
  EXPECT_LT(world.took, 10ms);
  // A disk that has much to write is given time for it.
  World disk(10);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(disk.store(make_sample(disk.random, 16'000'000)));
  disk.home(5).faults.delay = 5s;
  EXPECT_EQ(disk.run(disk.set().commit()).size(), 10u);
}

TEST(HomeSet, AFairTimeGoesByHowLongHomesTookToBeReached) {
  World world(3);
  EXPECT_EQ(world.set().fair_time(), 2s);  // nobody looked
  for (std::size_t i = 0; i < 3; ++i) world.set_reached_in(i, std::chrono::milliseconds(10 * i));
  world.open();
  EXPECT_EQ(world.set().fair_time(), 500ms);
  world.set_reached_in(1, 150ms);
  world.open();
  EXPECT_EQ(world.set().fair_time(), 1200ms);
  world.set().give_up(1);
  EXPECT_EQ(world.set().fair_time(), 500ms);
  world.set_reached_in(1, 9s);
  world.open();
  EXPECT_EQ(world.set().fair_time(), 2s);
}

TEST(HomeSet, AskedAloneAHomeIsWaitedForAFairTimeAndSuspectAfterIt) {
  World world(3);
  const Sample sample = make_sample(world.random, 100'000);
  ASSERT_TRUE(world.store(sample));
  for (std::size_t i = 0; i < 3; ++i) world.set_reached_in(i, 10ms);
  world.open();
  ASSERT_TRUE(world.run(world.set().find(1, sample.id)));
  EXPECT_FALSE(world.set().is_suspect(1));
  world.home(1).faults.hangs = true;
  const auto silent = world.run(world.set().find(1, sample.id));
  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().code, Errc::timed_out);
  EXPECT_EQ(world.took, 2s);
  EXPECT_TRUE(world.set().is_suspect(1));
  EXPECT_EQ(world.told(TroubleKind::slow, 1), 1u);
  world.set().give_up(1);
  EXPECT_EQ(world.run(world.set().find(1, sample.id)).error().code, Errc::unavailable);
}

TEST(HomeSet, TooFewRowsIsAnErrorThatSaysWhy) {
  World world(3);
  const Sample sample = make_sample(world.random, 100'000);
  world.home(0).faults.full = true;
  world.home(1).faults.full = true;
  const auto put = world.store(sample);
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, Errc::full);
  EXPECT_EQ(put.error().detail, "needs 12 rows on homes, 6 were taken; full: Drive 0, Drive 1");

  World away(3);
  away.set_away(0, true);
  away.home(1).faults.fails = true;
  away.open();
  const auto none = away.store(sample);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::unavailable);
  EXPECT_EQ(none.error().detail, "needs 12 rows on homes, 6 were taken; away: Drive 0; failed: Drive 1");
}

TEST(HomeSet, KRowsThatAreTakenAreEnoughAndOneLessIsNot) {
  std::vector<std::uint8_t> eleven(kNeed - 1);
  std::iota(eleven.begin(), eleven.end(), std::uint8_t{0});
  const std::vector<RowsFor> wanted{{.home = 0, .rows = eleven}, {.home = 1, .rows = {kNeed - 1}}};
  World world(2);
  const Sample sample = make_sample(world.random, 100'000);
  const auto put = world.store(sample, wanted, nullptr);
  ASSERT_TRUE(put) << put.error().detail;
  EXPECT_EQ(put->rows, kNeed);
  EXPECT_EQ(world.gather(sample)->sealed(), sample.sealed);

  World full(2);
  full.home(1).faults.full = true;
  const auto less = full.store(sample, wanted, nullptr);
  ASSERT_FALSE(less) << "nobody could read it back";
  EXPECT_EQ(less.error().detail, "needs 12 rows on homes, 11 were taken; full: Drive 1");
}

TEST(HomeSet, AnExhaustedComputerIsNotTakenForMissingHomes) {
  World world(6);
  const Sample sample = make_sample(world.random, 100'000);
  ASSERT_TRUE(world.store(sample));
  EXPECT_FALSE(world.set().exhausted());
  for (std::size_t i = 0; i < 6; ++i) world.home(i).faults = {.fails = true, .fails_with = Errc::exhausted};
  EXPECT_EQ(world.gather(sample).error().code, Errc::exhausted);
  EXPECT_TRUE(world.set().exhausted());

  World one(6);  // one home is enough: the next attempt, with more open files, makes all its rows
  one.home(2).faults = {.fails = true, .fails_with = Errc::exhausted};
  EXPECT_EQ(one.store(sample).error().code, Errc::exhausted);

  std::vector<Member> members(3);
  members[1].away_reason = "too many open files";
  members[1].away_code = Errc::exhausted;
  const HomeSet unopened(world.platform(), world.vault(), std::move(members));
  ASSERT_TRUE(unopened.exhausted());
  EXPECT_EQ(unopened.exhausted()->detail, "too many open files");
}

TEST(HomeSet, AFailedCommitIsNamedAndLeftOut) {
  World world(6);
  world.home(3).faults.fails_commit = true;
  ASSERT_TRUE(world.store(make_sample(world.random, 100'000)));
  EXPECT_EQ(world.run(world.set().commit()), (std::vector<std::size_t>{0, 1, 2, 4, 5}));
  EXPECT_EQ(world.told(TroubleKind::failed, 3), 1u);
}

TEST(HomeSet, BuffersComeBackHoweverPutEnds) {
  World world(6);
  world.home(1).faults.full = true;
  const Sample sample = make_sample(world.random, 100'000);
  ASSERT_TRUE(world.store(sample));
  std::set<const std::byte*> before;
  std::vector<AlignedBuffer> taken;
  for (int i = 0; i < 6; ++i) taken.push_back(world.set().buffers().take(1));
  for (AlignedBuffer& buffer : taken) {
    EXPECT_GT(buffer.size(), 1000u);  // one that was used
    before.insert(buffer.data());
    world.set().buffers().give(std::move(buffer));
  }
  EXPECT_EQ(before.size(), 6u);
}

TEST(HomeSet, SpreadsSegmentsOverMoreHomesThanRows) {
  World world(36);
  std::set<std::size_t> used;
  for (int i = 0; i < 40; ++i) {
    const Sample sample = make_sample(world.random, 100);
    for (const RowsFor& rows : world.set().place_new(world.set().plan(Level::thrifty), sample.id))
      used.insert(rows.home);
  }
  EXPECT_EQ(used.size(), 36u);
}

TEST(HomeSet, HomesOnTheSourcesDiskGetRowsOnlyWhereThereIsNoOther) {
  World world(0);
  std::vector<Member> members(3);
  members[1].counts = false;
  HomeSet set(world.platform(), world.vault(), std::move(members));
  const Plan plan = set.plan(Level::normal);
  EXPECT_EQ(plan.homes, 2u);
  for (const RowsFor& rows : set.place_new(plan, SegmentId())) EXPECT_NE(rows.home, 1u);
  std::vector<Member> alone(1);
  alone[0].counts = false;
  HomeSet only(world.platform(), world.vault(), std::move(alone));
  EXPECT_EQ(only.plan(Level::normal).homes, 1u);
  EXPECT_EQ(only.margin_of(only.place_new(only.plan(Level::normal), SegmentId()), kNeed), 0);
}

TEST(HomeSet, HomesThatRefuseGetNothingAndDoNotCount) {
  World world(3);
  const auto open = [&](bool drive_counts) {
    std::vector<Member> members;
    for (std::size_t i = 0; i < world.homes(); ++i)
      members.push_back({.id = world.home(i).id(),
                         .name = World::name(i),
                         .home = world.door(i),
                         .away_reason = "",
                         .counts = i == 2 && drive_counts,
                         .refuses = i != 2});
    return std::make_unique<HomeSet>(world.platform(), world.vault(), std::move(members));
  };
  for (const bool drive_counts : {true, false}) {  // else it lies on the source's disk: there is no other
    const auto set = open(drive_counts);
    const Plan plan = set->plan(Level::normal);
    EXPECT_EQ(plan.homes, 1u);
    const Sample sample = make_sample(world.random, 100);
    const auto wanted = set->place_new(plan, sample.id);
    ASSERT_EQ(wanted.size(), 1u);
    EXPECT_EQ(wanted[0].home, 2u);
    EXPECT_FALSE(set->takes_writes(0));
    EXPECT_TRUE(set->takes_writes(2));
    EXPECT_EQ(set->number_counting({0, 1, 2}), 1u);
    EXPECT_EQ(set->number_counting({0, 1}), 0u);
  }
  // Where all do, the first put says so.
  std::vector<Member> all(1);
  all[0] = {.id = world.home(0).id(), .name = "Ann's", .home = world.door(0), .away_reason = "", .refuses = true};
  HomeSet set(world.platform(), world.vault(), std::move(all));
  const Sample sample = make_sample(world.random, 100);
  EncodedSegment encoded =
      encode(sample.segment(world.vault()), set.place_new(set.plan(Level::normal), sample.id), nullptr, set.buffers());
  world.sign(encoded);
  const auto put = world.run(set.put(std::move(encoded)));
  ASSERT_FALSE(put);
  EXPECT_EQ(put.error().code, Errc::denied);
  EXPECT_NE(put.error().detail.find("refuses: Ann's"), std::string::npos) << put.error().detail;
}

TEST(Locate, TellsNothingHeldFromNobodyThere) {
  World world(3);
  const auto nothing = world.run(world.set().locate(SegmentId()));
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code, Errc::not_found);
  for (std::size_t i = 0; i < 3; ++i) world.set_away(i, true);
  world.open();
  const auto nobody = world.run(world.set().locate(SegmentId()));
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().code, Errc::unavailable);
  EXPECT_EQ(nobody.error().detail, "no home can be reached; away: Drive 0, Drive 1, Drive 2");
}

TEST(Locate, AForgedCardIsNamedAndNotBelieved) {
  World world(6);
  const Sample sample = make_sample(world.random, 100'000);
  ASSERT_TRUE(world.store(sample));
  world.home(2).faults.forges_card = true;
  const auto located = world.run(world.set().locate(sample.id));
  ASSERT_TRUE(located);
  EXPECT_EQ(located->holders.size(), 5u);
  EXPECT_EQ(world.told(TroubleKind::wrong_card, 2), 1u);
  ASSERT_TRUE(world.gather(sample));
}

TEST(Locate, ACardOfAnotherSegmentVaultOrSignerIsWrong) {
  World world(6);
  const Sample sample = make_sample(world.random, 100'000);
  const Sample other = make_sample(world.random, 100'000);
  ASSERT_TRUE(world.store(sample));
  ASSERT_TRUE(world.store(other));
  const wire::Card card = world.run(world.set().locate(sample.id))->card;
  world.home(0).held[sample.id].signed_card = world.home(0).held[other.id].signed_card;
  wire::Card stranger = card;
  stranger.vault = testing::random_id<VaultId>(world.random);
  world.home(1).held[sample.id].signed_card = world.signed_card(stranger);
  const primitives::SigningKey thief(world.platform().random().array<32>());
  world.home(2).held[sample.id].signed_card = wire::encode(wire::sign(thief, wire::kSignCard, wire::encode(card)));
  world.home(3).held[sample.id].signed_card =
      wire::encode(wire::sign(world.key(), wire::kSignHead, wire::encode(card)));
  world.home(4).held[sample.id].signed_card = Bytes(70, std::byte{9});
  const auto located = world.run(world.set().locate(sample.id));
  ASSERT_TRUE(located);
  EXPECT_EQ(located->card, card);
  ASSERT_EQ(located->holders.size(), 1u);
  EXPECT_EQ(located->holders[0].member, 5u);
  for (std::size_t home = 0; home < 5; ++home) EXPECT_EQ(world.told(TroubleKind::wrong_card, home), 1u) << home;
}

TEST(Locate, TheHighestVersionWinsAndAmongEqualsTheMost) {
  World world(6);
  const Sample sample = make_sample(world.random, 100'000);
  ASSERT_TRUE(world.store(sample));
  wire::Card card = world.run(world.set().locate(sample.id))->card;
  const std::size_t n = card.n();
  card.version = 2;
  card.fragments.push_back(testing::random_id<FragmentId>(world.random));
  world.home(0).held[sample.id].signed_card = world.signed_card(card);
  card.fragments.back() = testing::random_id<FragmentId>(world.random);
  for (std::size_t home : {2u, 3u}) world.home(home).held[sample.id].signed_card = world.signed_card(card);
  world.home(4).held[sample.id].rows[200] = Bytes(10);  // a row its card does not name
  const auto located = world.run(world.set().locate(sample.id));
  ASSERT_TRUE(located);
  EXPECT_EQ(located->card, card);
  EXPECT_EQ(located->card.n(), n + 1);
  EXPECT_EQ(located->holders.size(), 6u);
  EXPECT_EQ(located->holders[4].rows.size(), 4u);
  EXPECT_EQ(located->holders[4].card_version, 1u);
}

TEST(HomeSet, TooFewThatTookSomethingSaysWhatAPersonCanDo) {
  for (const auto& [code, subject, wanted] :
       {std::tuple(Errc::full, Subject::home, Errc::full), std::tuple(Errc::busy, Subject::home, Errc::busy),
        std::tuple(Errc::denied, Subject::home, Errc::denied),
        std::tuple(Errc::denied, Subject::none, Errc::unavailable),
        std::tuple(Errc::unavailable, Subject::home, Errc::unavailable)}) {
    World world(3);
    for (std::size_t i = 0; i < 3; ++i) world.set().report_failure(i, Error{code, "refused", subject});
    const auto put = world.store(make_sample(world.random, 100'000));
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code, wanted);
    EXPECT_EQ(put.error().subject, Subject::homes);
    EXPECT_FALSE(world.set().takes_writes(0));
  }
}

TEST(HomeSet, ADriveThatHangsIsWaitedForByWhatItWasGiven) {
  World world(4);
  ASSERT_TRUE(world.store(make_sample(world.random, 100'000)));
  world.home(2).faults.hangs = true;
  EXPECT_EQ(world.run(world.set().commit()).size(), 3u);
  EXPECT_EQ(world.took, 60s);
  EXPECT_EQ(world.told(TroubleKind::failed, 2), 1u);
  // One that is slow, but no slower than the slowest that is of use, is waited for.
  World slow(3);
  slow.home(1).faults.delay = 55s;
  ASSERT_TRUE(slow.store(make_sample(slow.random, 100'000)));
  EXPECT_EQ(slow.run(slow.set().commit()).size(), 3u);
  EXPECT_EQ(slow.told(TroubleKind::failed, 1), 0u);
}

TEST(HomeSet, AHomeThatWasGivenUpIsAwayAndNotAskedAgain) {
  World world(4);
  world.set().give_up(1);
  EXPECT_EQ(world.set().reachable(), 3u);
  EXPECT_EQ(world.told(TroubleKind::away, 1), 1u);
  ASSERT_TRUE(world.store(make_sample(world.random, 100'000)));
  EXPECT_LT(world.took, 1s);
}

TEST(Locate, ReadersGiveASlowHomeAFairTimeAndThenAskItLast) {
  World world(10);
  std::vector<Sample> samples;
  for (int i = 0; i < 5; ++i) {
    samples.push_back(make_sample(world.random, 100'000));
    ASSERT_TRUE(world.store(samples.back()));
  }
  world.home(3).faults.hangs = true;
  ASSERT_TRUE(world.gather(samples[0]));
  EXPECT_GE(world.took, 150ms);
  EXPECT_LT(world.took, 200ms);
  EXPECT_EQ(world.told(TroubleKind::slow, 3), 1u);
  for (int i = 1; i < 5; ++i) {
    ASSERT_TRUE(world.gather(samples[static_cast<std::size_t>(i)]));
    EXPECT_LT(world.took, 10ms) << i;  // suspected: nobody waits for it
  }
  const auto all =
      world.run(world.set().locate(samples[0].id));  // who wants to know all rows waits longer, but not for ever
  ASSERT_TRUE(all);
  EXPECT_EQ(all->holders.size(), 9u);
  EXPECT_EQ(world.took, 30s);
}

TEST(HomeSet, ListsInPages) {
  World world(1);
  std::set<SegmentId> ids;
  for (int i = 0; i < 2500; ++i) {
    const auto id = testing::random_id<SegmentId>(world.random);
    ids.insert(id);
    world.home(0).held[id].version = 1;
  }
  const auto listed = world.run(world.set().list(0));
  ASSERT_TRUE(listed);
  ASSERT_EQ(listed->size(), 2500u);
  EXPECT_TRUE(std::equal(listed->begin(), listed->end(), ids.begin(),
                         [](const auto& held, const auto& id) { return held.segment == id; }));
  EXPECT_EQ(world.home(0).list_calls, 3u);
  world.home(0).faults.hangs = true;
  EXPECT_EQ(world.run(world.set().list(0)).error().code, Errc::timed_out);
}

TEST(VerifyRows, FindsEveryKindOfBadRow) {
  World world(6);
  const Sample sample = make_sample(world.random, 1'000'000);
  ASSERT_TRUE(world.store(sample));
  const auto located = world.run(world.set().locate(sample.id));
  ASSERT_TRUE(located);
  for (std::size_t home = 0; home < 6; ++home) {
    const auto fine = world.run(world.set().verify_rows(home, *located));
    ASSERT_TRUE(fine);
    EXPECT_TRUE(fine->empty());
  }
  EXPECT_TRUE(world.set().troubles().empty());
  auto& rows = world.home(1).held[sample.id].rows;
  ASSERT_EQ(rows.size(), 4u);
  auto row = rows.begin();
  std::vector<std::uint8_t> bad;
  for (std::size_t at : {std::size_t{3}, std::size_t{200}, row->second.size() - 1}) {  // header, leaf hash, payload
    bad.push_back(row->first);
    (row++)->second[at] ^= std::byte{1};
  }
  EXPECT_EQ(*world.run(world.set().verify_rows(1, *located)), bad);
  EXPECT_EQ(world.told(TroubleKind::wrong_bytes, 1), 3u);
  world.home(2).faults.cuts = true;
  EXPECT_EQ(world.run(world.set().verify_rows(2, *located))->size(), 4u);
  world.home(3).faults.forgets_rows = true;
  EXPECT_EQ(world.run(world.set().verify_rows(3, *located))->size(), 4u);
  world.home(4).faults.fails = true;
  EXPECT_EQ(world.run(world.set().verify_rows(4, *located)).error().code, Errc::unavailable);
  world.home(5).faults.hangs = true;
  EXPECT_EQ(world.run(world.set().verify_rows(5, *located)).error().code, Errc::timed_out);
}

TEST(Troubles, WordsAndWhichAreLies) {
  EXPECT_STREQ(to_string(TroubleKind::wrong_bytes), "wrong bytes");
  EXPECT_TRUE(is_lie(TroubleKind::wrong_bytes));
  EXPECT_TRUE(is_lie(TroubleKind::old_heads));
  EXPECT_FALSE(is_lie(TroubleKind::away));
  EXPECT_FALSE(is_lie(TroubleKind::slow));
}

}  // namespace
}  // namespace mhp::dispersal
