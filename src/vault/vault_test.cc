// What goes in comes back: over sessions, devices, lost homes and a lost computer.
#include "vault/vault.h"

#include <gtest/gtest.h>

#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

using testing::back_up;
using testing::expect_snapshot;
using testing::few_files;
using testing::Files;
using testing::read_back;
using testing::save;
using testing::some_files;
using testing::World;

TEST(Vault, IsEmptyAtFirst) {
  World world(testing::seed_of_run());
  world.init("a");
  auto session = world.open("a");
  ASSERT_TRUE(session) << session.error().detail;
  EXPECT_TRUE(session->vault->snapshots().empty());
  EXPECT_EQ(session->vault->newest_head().homes_answered, 6u);
  EXPECT_TRUE(session->homes->troubles().empty());
}

TEST(Vault, GivesBackWhatItTook) {
  World world(testing::seed_of_run());
  world.init("a");
  Files files = some_files(world);
  auto committed = save(world, "a", files);
  ASSERT_TRUE(committed) << committed.error().detail;
  EXPECT_EQ(committed->homes, 6u);
  EXPECT_EQ(committed->margin, 3);
  EXPECT_GT(committed->totals.new_bytes, 9'700'000u);
  EXPECT_LT(committed->totals.packed_bytes, committed->totals.new_bytes);
  expect_snapshot(world, "a", 0, files);
}

TEST(Vault, GivesItBackWithinTheSessionThatWroteIt) {
  World world(testing::seed_of_run());
  world.init("a");
  Files files = few_files(world);
  auto session = world.open("a");
  ASSERT_TRUE(session);
  for (int i = 0; i < 3; ++i) {
    files["more " + std::to_string(i)] = world.noise(100);
    auto committed = world.run(back_up(world.platform(), *session->vault, files));
    ASSERT_TRUE(committed) << committed.error().detail;
    auto back = world.run(read_back(*session->vault, session->vault->snapshots().back()));
    ASSERT_TRUE(back) << back.error().detail;
    EXPECT_TRUE(*back == files);
  }
  EXPECT_EQ(session->vault->snapshots().size(), 3u);
}

TEST(Vault, AnUnchangedBackupMakesOneSmallestSegment) {
  World world(testing::seed_of_run());
  world.init("a");
  Files files = some_files(world);
  ASSERT_TRUE(save(world, "a", files));
  auto again = save(world, "a", files);
  ASSERT_TRUE(again) << again.error().detail;
  EXPECT_EQ(again->totals.segments, 1u);
  EXPECT_EQ(again->totals.new_bytes, 0u);
  EXPECT_LT(again->totals.stored_bytes, 300'000u);  // 64 KiB, twice, in records of 4 KiB blocks
  expect_snapshot(world, "a", 0, files);
  expect_snapshot(world, "a", 1, files);
}

TEST(Vault, LosesHomesUpToItsMarginAndNoMore) {
  for (unsigned homes : {1u, 2u, 3u, 4u, 5u, 6u, 10u, 20u}) {
    SCOPED_TRACE(homes);
    World world(testing::seed_of_run(), homes);
    world.init("a");
    Files files = few_files(world);
    auto committed = save(world, "a", files);
    ASSERT_TRUE(committed) << committed.error().detail;
    auto margin = static_cast<unsigned>(committed->margin);
    EXPECT_GE(margin, homes >= 2 ? 1u : 0u);
    world.lose_computer("a");
    for (unsigned i = 0; i < margin; ++i) world.lose_home(i);
    world.recover("b", homes - 1);
    expect_snapshot(world, "b", 0, files);
    for (unsigned i = 0; i + 1 < homes; ++i) world.lose_home(i);
    if (homes <= 2) continue;  // a mirror: one home is enough
    {
      auto session = world.open("b");  // the index is in the cache
      ASSERT_TRUE(session) << session.error().detail;
      auto back = world.run(read_back(*session->vault, session->vault->snapshots().back()));
      ASSERT_FALSE(back);
      EXPECT_EQ(back.error().code, Errc::unavailable);
      EXPECT_NE(back.error().detail.find("home 0"), std::string::npos) << back.error().detail;
    }
    for (unsigned i = 0; i < homes; ++i) world.find_home(i);
    expect_snapshot(world, "b", 0, files);
  }
}

TEST(Vault, DevicesShareChunksAfterRecovery) {
  World world(testing::seed_of_run());
  world.init("a");
  Files files = some_files(world);
  ASSERT_TRUE(save(world, "a", files));
  world.recover("b", 2);
  auto from_b = save(world, "b", files);
  ASSERT_TRUE(from_b) << from_b.error().detail;
  EXPECT_EQ(from_b->totals.new_bytes, 0u);
  EXPECT_EQ(from_b->totals.segments, 1u);
  expect_snapshot(world, "b", 0, files);
  expect_snapshot(world, "b", 1, files);
  auto session = world.open("b");
  ASSERT_TRUE(session);
  EXPECT_EQ(session->vault->believed_heads().size(), 2u);
  EXPECT_TRUE(session->homes->troubles().empty());
}

TEST(Vault, ARevokedDeviceIsRefused) {
  World world(testing::seed_of_run());
  world.init("a");
  Files files = few_files(world);
  ASSERT_TRUE(save(world, "a", files));
  world.recover("b", 0);
  auto session = world.open("a");
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, Errc::denied);
}

TEST(Vault, WritesWithHomesAwayAndBringsThemUpToDateLater) {
  World world(testing::seed_of_run());
  world.init("a");
  Files first = few_files(world);
  ASSERT_TRUE(save(world, "a", first));
  world.lose_home(4);
  Files second = few_files(world);
  auto committed = save(world, "a", second);
  ASSERT_TRUE(committed) << committed.error().detail;
  EXPECT_EQ(committed->homes, 5u);
  EXPECT_EQ(committed->margin, 2);
  world.find_home(4);
  {
    auto session = world.open("a");
    ASSERT_TRUE(session);
    ASSERT_EQ(session->homes->troubles().size(), 1u);
    EXPECT_EQ(session->homes->troubles()[0].kind, dispersal::TroubleKind::old_heads);
    EXPECT_EQ(session->homes->troubles()[0].detail, "has head 1 of 2 (it may have been away)");
  }
  ASSERT_TRUE(save(world, "a", second));
  auto session = world.open("a");
  ASSERT_TRUE(session);
  EXPECT_TRUE(session->homes->troubles().empty());
  EXPECT_EQ(session->vault->newest_head().homes_agree, 6u);
}

TEST(Vault, TooFewHomesIsAnErrorAndLeavesWhatWasThere) {
  World world(testing::seed_of_run());
  world.init("a");
  Files files = few_files(world);
  ASSERT_TRUE(save(world, "a", files));
  for (unsigned i = 0; i < 4; ++i) world.lose_home(i);
  auto committed = save(world, "a", some_files(world));
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, Errc::unavailable);
  for (unsigned i = 0; i < 4; ++i) world.find_home(i);
  expect_snapshot(world, "a", 0, files);
  auto session = world.open("a");
  ASSERT_TRUE(session);
  EXPECT_EQ(session->vault->snapshots().size(), 1u);
}

TEST(Vault, ManySnapshotsMergeTheirIndexAndKeepAll) {
  World world(testing::seed_of_run(), 3);
  world.init("a");
  std::vector<Files> all;
  for (int i = 0; i < 40; ++i) {
    all.push_back(few_files(world));
    auto committed = save(world, "a", all.back());
    ASSERT_TRUE(committed) << committed.error().detail;
    EXPECT_EQ(committed->totals.segments, 2u);
  }
  world.lose_computer("a");
  world.recover("b", 0);
  auto session = world.open("b");
  ASSERT_TRUE(session) << session.error().detail;
  ASSERT_EQ(session->vault->snapshots().size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    auto back = world.run(read_back(*session->vault, session->vault->snapshots()[i]));
    ASSERT_TRUE(back) << back.error().detail;
    EXPECT_TRUE(*back == all[i]) << i;
  }
}

TEST(Vault, TwoWritersExcludeEachOther) {
  World world(testing::seed_of_run());
  world.init("a");
  auto one = world.open("a");
  auto two = world.open("a");
  ASSERT_TRUE(one && two);
  auto writer = world.run(one->vault->begin_write({}));
  ASSERT_TRUE(writer) << writer.error().detail;
  auto other = world.run(two->vault->begin_write({}));
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::busy);
}

TEST(Vault, SeesWhatAnotherProcessWroteMeanwhile) {
  World world(testing::seed_of_run());
  world.init("a");
  auto early = world.open("a");
  ASSERT_TRUE(early);
  Files files = few_files(world);
  {
    auto other = world.open("a");
    ASSERT_TRUE(other);
    ASSERT_TRUE(world.run(back_up(world.platform(), *other->vault, files)));
  }
  world.settle();
  Files more = few_files(world);
  auto committed = world.run(back_up(world.platform(), *early->vault, more));
  ASSERT_TRUE(committed) << committed.error().detail;
  early = fail(Errc::canceled, "");
  expect_snapshot(world, "a", 0, files);
  expect_snapshot(world, "a", 1, more);
}

}  // namespace
}  // namespace mhp::vault
