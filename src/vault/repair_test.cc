// Check counts what is there; repair makes what is missing, and the margin is back.
#include <gtest/gtest.h>

#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

using testing::check;
using testing::expect_snapshot;
using testing::Files;
using testing::save;
using testing::some_files;
using testing::World;

RepairReport repair(World& world, bool read_all, std::vector<std::size_t> without = {}, bool dry_run = false) {
  auto session = world.open("a");
  EXPECT_TRUE(session) << session.error().detail;
  auto report = world.run(session->vault->repair(read_all, std::move(without), dry_run, {}));
  EXPECT_TRUE(report) << report.error().detail;
  return *report;
}

TEST(Check, AWholeVaultIsWhole) {
  World world(testing::seed_of_run());
  world.init("a");
  ASSERT_TRUE(save(world, "a", some_files(world)));
  CheckReport report = check(world, "a", 100);
  EXPECT_EQ(report.segments, 3u);
  EXPECT_EQ(report.rows_expected, 72u);
  EXPECT_EQ(report.rows_missing, 0u);
  EXPECT_EQ(report.rows_bad, 0u);
  EXPECT_EQ(report.unrestorable, 0u);
  EXPECT_EQ(report.margin, 3);
  EXPECT_GT(report.bytes_read, 20'000'000u);
  EXPECT_TRUE(report.homes_bad.empty());
  EXPECT_EQ(check(world, "a").bytes_read, 0u);
}

TEST(Check, CountsWhatIsAway) {
  World world(testing::seed_of_run());
  world.init("a");
  ASSERT_TRUE(save(world, "a", some_files(world)));
  world.lose_home(1);
  CheckReport report = check(world, "a");
  EXPECT_EQ(report.rows_missing, 12u);
  EXPECT_EQ(report.margin, 2);
  EXPECT_EQ(report.unrestorable, 0u);
  ASSERT_EQ(report.rows_by_home.size(), 6u);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(report.rows_by_home[i].missing, i == 1 ? 12u : 0u);
    EXPECT_EQ(report.rows_by_home[i].bad, 0u);
  }
}

TEST(Repair, AWholeVaultNeedsNothing) {
  World world(testing::seed_of_run());
  world.init("a");
  ASSERT_TRUE(save(world, "a", some_files(world)));
  RepairReport report = repair(world, true);
  EXPECT_EQ(report.segments, 3u);
  EXPECT_EQ(report.segments_changed, 0u);
  EXPECT_EQ(report.rows_made, 0u);
  EXPECT_EQ(report.margin, 3);
}

TEST(Repair, FreshHomesTakeTheRowsOfLostOnes) {
  World world(testing::seed_of_run());
  world.init("a");
  Files files = some_files(world);
  ASSERT_TRUE(save(world, "a", files));
  for (unsigned home : {0u, 1u, 2u}) world.lose_home(home);
  world.add_home("a");
  world.add_home("a");
  RepairReport planned = repair(world, false, {}, true);
  RepairReport report = repair(world, false);
  EXPECT_EQ(planned.rows_made, report.rows_made);
  EXPECT_EQ(planned.margin, report.margin);
  EXPECT_EQ(report.segments_changed, 3u);
  EXPECT_EQ(report.margin_before, 0);
  EXPECT_EQ(report.margin, 2);
  EXPECT_EQ(report.homes, 5u);
  EXPECT_GT(report.bytes_stored, 0u);
  EXPECT_EQ(repair(world, true).segments_changed, 0u);
  for (unsigned home : {3u, 6u}) world.lose_home(home);
  world.lose_computer("a");
  world.recover("b", 7);
  expect_snapshot(world, "b", 0, files);
}

TEST(Repair, WhatAHomeRefusesGoesToTheOthers) {
  World world(testing::seed_of_run());
  world.init("a");
  Files files = some_files(world);
  ASSERT_TRUE(save(world, "a", files));
  for (unsigned home : {0u, 1u}) world.lose_home(home);
  world.spoil_home(2, testing::Fault::takes_nothing);
  RepairReport report = repair(world, false);
  EXPECT_EQ(report.refusing.size(), 1u);
  EXPECT_EQ(report.margin, 2);  // as planned for three homes, and the rows of the one that is full count too
  EXPECT_EQ(report.unrestorable, 0u);
  EXPECT_EQ(check(world, "a", 100).margin, report.margin);
  RepairReport again = repair(world, false);
  EXPECT_EQ(again.rows_made, 0u);
  world.spoil_home(2, testing::Fault::none);
  EXPECT_TRUE(repair(world, false).refusing.empty());
  for (unsigned home : {3u, 4u}) world.lose_home(home);
  expect_snapshot(world, "a", 0, files);
}

TEST(Repair, AHomeThatRefusesAndLacksNothingIsNotBlamed) {
  World world(testing::seed_of_run());
  world.init("a");
  ASSERT_TRUE(save(world, "a", some_files(world)));
  world.spoil_home(2, testing::Fault::takes_nothing);
  RepairReport report = repair(world, false);
  EXPECT_TRUE(report.refusing.empty());
  EXPECT_EQ(report.margin, 3);
}

TEST(Repair, BadRowsAreMadeAgainWhereTheyAre) {
  World world(testing::seed_of_run());
  world.init("a");
  Files files = some_files(world);
  ASSERT_TRUE(save(world, "a", files));
  world.settle();
  auto& disk = world.platform().memory_disk();
  std::string logs = world.home_path(3) + "/logs";
  auto names = disk.list(logs);
  ASSERT_TRUE(names);
  auto info = disk.info(logs + "/" + names->front());
  ASSERT_TRUE(info);
  // Far from the end and the start: in the payload of the first large segment.
  disk.flip_bit(logs + "/" + names->front(), 1'000'000 * 8 + 3);
  CheckReport found = check(world, "a", 100);
  EXPECT_EQ(found.rows_bad, 1u);
  EXPECT_EQ(found.unrestorable, 0u);
  ASSERT_EQ(found.homes_bad.size(), 1u);
  expect_snapshot(world, "a", 0, files);
  RepairReport report = repair(world, true);
  EXPECT_EQ(report.rows_made, 1u);
  EXPECT_EQ(report.margin, 3);
  CheckReport after = check(world, "a", 100);
  EXPECT_EQ(after.rows_bad, 0u);
  EXPECT_EQ(after.rows_missing, 0u);
}

/// In the payload of the first large segment.
std::string big_log(World& world, unsigned home) {
  std::string logs = world.home_path(home) + "/logs";
  return logs + "/" + world.platform().memory_disk().list(logs)->front();
}
constexpr std::uint64_t kInPayload = 1'000'000 * 8 + 3;

TEST(Check, RemembersBadRowsUntilTheyAreReadWhole) {
  World world(testing::seed_of_run());
  world.init("a");
  ASSERT_TRUE(save(world, "a", some_files(world)));
  world.settle();
  auto& disk = world.platform().memory_disk();
  disk.flip_bit(big_log(world, 3), kInPayload);
  EXPECT_EQ(check(world, "a").rows_bad, 0u);  // nobody knows yet
  EXPECT_EQ(check(world, "a", 100).rows_bad, 1u);
  CheckReport plain = check(world, "a");
  EXPECT_EQ(plain.rows_bad, 1u);
  EXPECT_EQ(plain.homes_bad.size(), 1u);
  EXPECT_EQ(plain.margin, 2);
  EXPECT_EQ(plain.rows_missing, 0u);
  disk.flip_bit(big_log(world, 3), kInPayload);
  EXPECT_EQ(check(world, "a").rows_bad, 1u);  // not read again yet
  EXPECT_EQ(check(world, "a", 100).rows_bad, 0u);
  EXPECT_EQ(check(world, "a").margin, 3);
}

TEST(Check, KGoodRowsAreEnoughAndOneLessIsNot) {
  World world(testing::seed_of_run());
  world.init("a");
  ASSERT_TRUE(save(world, "a", few_files(world)));
  for (unsigned home : {0u, 1u, 2u}) world.lose_home(home);
  EXPECT_EQ(check(world, "a").unrestorable, 0u) << "12 of 24 rows are left: k";
  wire::BadRows bad;
  {
    auto session = world.open("a");
    ASSERT_TRUE(session);
    auto held = world.run(session->homes->list(3));
    ASSERT_TRUE(held && !held->empty());
    bad.holdings.push_back({session->homes->members()[3].id, held->front().segment, {}});
    bad.holdings[0].rows.set(held->front().rows.front());
  }
  ASSERT_TRUE(State(world.platform().disk(), world.state_path("a")).set_bad_rows(bad));
  EXPECT_EQ(check(world, "a").unrestorable, 1u) << "11 are";
  EXPECT_EQ(repair(world, false, {}, true).unrestorable, 0u) << "what was remembered is whole: a repair reads it";
  world.spoil_segment(bad.holdings[0].segment);
  const RepairReport report = repair(world, false, {}, true);
  EXPECT_EQ(report.unrestorable, 1u) << "11 rows make no twelfth";
  EXPECT_EQ(report.margin_before, -1);
}

TEST(Repair, RememberedBadRowsAreMadeAgainWithoutReading) {
  World world(testing::seed_of_run());
  world.init("a");
  ASSERT_TRUE(save(world, "a", some_files(world)));
  world.settle();
  world.platform().memory_disk().flip_bit(big_log(world, 3), kInPayload);
  EXPECT_EQ(repair(world, false).rows_made, 0u);
  EXPECT_EQ(check(world, "a", 100).rows_bad, 1u);
  RepairReport planned = repair(world, false, {}, true);
  EXPECT_EQ(planned.rows_made, 1u);
  EXPECT_EQ(planned.margin_before, 2);
  RepairReport report = repair(world, false);
  EXPECT_EQ(report.rows_made, 1u);
  EXPECT_EQ(report.margin, 3);
  EXPECT_EQ(report.homes, 6u);
  EXPECT_EQ(check(world, "a").rows_bad, 0u);
  EXPECT_EQ(check(world, "a", 100).rows_bad, 0u);
  EXPECT_EQ(repair(world, true).rows_made, 0u);
}

TEST(Check, ADamagedMemoryOfBadRowsCountsAsEmpty) {
  World world(testing::seed_of_run());
  world.init("a");
  ASSERT_TRUE(save(world, "a", some_files(world)));
  world.settle();
  world.platform().memory_disk().flip_bit(big_log(world, 3), kInPayload);
  EXPECT_EQ(check(world, "a", 100).rows_bad, 1u);
  const std::string path = world.state_path("a") + "/bad-rows";
  ASSERT_TRUE(platform::replace_file(world.platform().disk(), path, as_bytes("nonsense")));
  EXPECT_EQ(check(world, "a").rows_bad, 0u);
  EXPECT_EQ(check(world, "a", 100).rows_bad, 1u);
  EXPECT_EQ(check(world, "a").rows_bad, 1u);
}

TEST(Repair, AHomeAboutToGoHandsItsRowsOver) {
  World world(testing::seed_of_run(), 3);
  world.init("a");
  Files files = some_files(world);
  ASSERT_TRUE(save(world, "a", files));
  world.add_home("a");
  RepairReport report = repair(world, false, {0});
  EXPECT_EQ(report.margin, 1);
  world.lose_home(0);
  EXPECT_EQ(check(world, "a", 100).margin, 1);
  world.lose_home(1);
  expect_snapshot(world, "a", 0, files);
}

TEST(Repair, SaysWhatCannotBeSaved) {
  World world(testing::seed_of_run());
  world.init("a");
  Files files = some_files(world);
  ASSERT_TRUE(save(world, "a", files));
  for (unsigned home : {0u, 1u, 2u, 4u}) world.lose_home(home);
  auto session = world.open("a");  // the index is in the cache
  ASSERT_TRUE(session) << session.error().detail;
  auto report = world.run(session->vault->repair(false, {}, false, {}));
  ASSERT_TRUE(report);
  EXPECT_EQ(report->unrestorable, 3u);
  EXPECT_EQ(report->rows_made, 0u);
  EXPECT_EQ(report->margin, -1);
}

TEST(Repair, WhatCannotBeSavedIsStoredAgainByTheNextBackup) {
  World world(testing::seed_of_run());
  world.init("a");
  Files files = some_files(world);
  ASSERT_TRUE(save(world, "a", files));
  for (unsigned home : {0u, 1u, 2u, 4u}) world.lose_home(home);
  for (int i = 0; i < 4; ++i) world.add_home("a");
  EXPECT_EQ(repair(world, false).unrestorable, 3u);
  auto again = save(world, "a", files);
  ASSERT_TRUE(again) << again.error().detail;
  EXPECT_GT(again->totals.new_bytes, 9'000'000u);
  expect_snapshot(world, "a", 1, files);
  for (int i = 0; i < 20; ++i) {  // at last they merge the index
    ASSERT_TRUE(save(world, "a", testing::few_files(world)));
    if (i > 0 && i < 19) continue;
    std::string next = "b" + std::to_string(i);
    world.recover(next, 9);
    expect_snapshot(world, next, 1, files);
    ASSERT_TRUE(save(world, next, files));
    world.lose_computer("a");
    world.recover("a", 8);
  }
}

TEST(Repair, ARevokedDevicesIndexIsNotNeededOnceItsSuccessorHasWritten) {
  World world(testing::seed_of_run());
  world.init("a");
  Files files = some_files(world);
  ASSERT_TRUE(save(world, "a", files));
  world.recover("b", 0);
  ASSERT_TRUE(save(world, "b", files));
  for (unsigned home : {0u, 1u, 2u, 4u}) world.lose_home(home);
  for (int i = 0; i < 4; ++i) world.add_home("b");
  ASSERT_TRUE(save(world, "b", files));  // from its cache, all that is gone written anew
  world.recover("c", 9);
  expect_snapshot(world, "c", 2, files);
}

TEST(Repair, AVaultWhoseIndexIsGoneSaysSo) {
  World world(testing::seed_of_run());
  world.init("a");
  ASSERT_TRUE(save(world, "a", some_files(world)));
  world.lose_computer("a");
  world.recover("b", 5);
  for (unsigned home : {0u, 1u, 2u, 4u}) world.lose_home(home);
  {
    State state(world.platform().disk(), world.state_path("b"));
    auto& disk = world.platform().disk();
    auto names = disk.list(state.cache_folder());
    if (names) {
      for (const std::string& name : *names) EXPECT_TRUE(disk.remove(state.cache_folder() + "/" + name));
    }
  }
  auto session = world.open("b");
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, Errc::unavailable);
  EXPECT_NE(session.error().detail.find("home 4"), std::string::npos) << session.error().detail;
}

}  // namespace
}  // namespace mhp::vault
