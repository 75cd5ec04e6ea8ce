// Homes that cannot begin a recovery do not count; recovery gives the newest state that can be read, or that of a date.
#include <gtest/gtest.h>

#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

using testing::expect_snapshot;
using testing::few_files;
using testing::Files;
using testing::save;
using testing::World;

std::string file_of(World& world, unsigned home, const std::string& prefix) {
  auto& disk = world.platform().disk();
  const std::string vaults = world.home_path(home) + "/vaults";
  auto vault = disk.list(vaults);
  EXPECT_TRUE(vault && vault->size() == 1);
  const std::string folder = vaults + "/" + vault->front();
  auto names = disk.list(folder);
  EXPECT_TRUE(names);
  for (const std::string& name : *names) {
    if (name.starts_with(prefix)) return folder + "/" + name;
  }
  ADD_FAILURE() << "no " << prefix << " in " << folder;
  return "";
}

CheckReport check(World& world, const std::string& computer) {
  auto session = world.open(computer);
  EXPECT_TRUE(session) << session.error().detail;
  if (!session) return {};
  auto report = world.run(session->vault->check(0, {}));
  EXPECT_TRUE(report);
  return report ? *report : CheckReport{};
}

class Damaged : public ::testing::TestWithParam<const char*> {};

TEST_P(Damaged, AHomeDoesNotCountUntilItIsMended) {
  World world(testing::seed_of_run(), 2);
  world.init("a");
  Files files = few_files(world);
  ASSERT_TRUE(save(world, "a", files));
  EXPECT_EQ(check(world, "a").margin, 1);
  world.settle();
  world.platform().memory_disk().flip_bit(file_of(world, 0, GetParam()), 900);
  CheckReport report = check(world, "a");
  EXPECT_EQ(report.margin, 0);
  EXPECT_EQ(report.unrestorable, 0u);
  EXPECT_EQ(report.homes_bad.size(), 1u);
  EXPECT_EQ(report.homes_lacking, report.homes_bad);
  {
    auto session = world.open("a");
    ASSERT_TRUE(session);
    auto repaired = world.run(session->vault->repair(false, {}, false, {}));
    ASSERT_TRUE(repaired) << repaired.error().detail;
    EXPECT_EQ(repaired->homes_mended, 1u);
    EXPECT_EQ(repaired->margin_before, 0);
    EXPECT_EQ(repaired->margin, 1);
  }
  report = check(world, "a");
  EXPECT_EQ(report.margin, 1);
  EXPECT_TRUE(report.homes_bad.empty());
  world.lose_home(1);
  world.lose_computer("a");
  world.recover("b", 0);
  expect_snapshot(world, "b", 0, files);
}

INSTANTIATE_TEST_SUITE_P(All, Damaged, ::testing::Values("heads-", "record"));

TEST(Recovery, AsOfADateLeavesOutWhatCameLater) {
  World world(testing::seed_of_run(), 3);
  world.init("a");
  Files good = few_files(world);
  ASSERT_TRUE(save(world, "a", good));
  auto sleep = [](platform::Platform& platform) -> Task<int> {
    co_await platform.clock().sleep(std::chrono::hours(24 * 3));
    co_return 0;
  };
  world.run(sleep(world.platform()));
  const std::int64_t between = world.platform().clock().unix_ns() / 1'000'000'000 - 3'600;
  for (int i = 0; i < 70; ++i) ASSERT_TRUE(save(world, "a", {{"evil", world.noise(10)}}));
  world.lose_computer("a");
  EXPECT_FALSE(world.try_recover("early", {.newest_readable = true, .as_of_s = between - 365 * 24 * 3'600}));
  auto unread = world.try_recover("b", {.newest_readable = true, .as_of_s = between});
  ASSERT_TRUE(unread) << unread.error().detail;
  EXPECT_TRUE(unread->empty());
  auto session = world.open("b");
  ASSERT_TRUE(session) << session.error().detail;
  EXPECT_EQ(session->vault->snapshots().size(), 1u);
  session = fail(Errc::canceled, "closed");
  expect_snapshot(world, "b", 0, good);
  EXPECT_EQ(check(world, "b").margin, 1);
  Files more = few_files(world);
  ASSERT_TRUE(save(world, "b", more));
  expect_snapshot(world, "b", 1, more);
}

TEST(Recovery, GivesTheNewestStateThatCanBeReadAndKeepsTheNewerOne) {
  World world(testing::seed_of_run(), 5);
  world.init("a");
  Files first = few_files(world);
  Files second = few_files(world);
  Files third = few_files(world);
  ASSERT_TRUE(save(world, "a", first));
  std::map<unsigned, Files> old;
  for (unsigned home = 1; home < 5; ++home) old[home] = world.copy_home(home);
  ASSERT_TRUE(save(world, "a", second));
  std::map<unsigned, Files> newer;
  for (unsigned home = 1; home < 5; ++home) newer[home] = world.copy_home(home);
  for (unsigned home = 1; home < 5; ++home) world.set_home_back(home, old[home]);
  world.lose_computer("a");
  auto unread = world.try_recover("b");
  ASSERT_TRUE(unread) << unread.error().detail;
  ASSERT_EQ(unread->size(), 1u);
  EXPECT_LT(unread->front().used_ns.value_or(INT64_MAX), unread->front().newest_ns);
  EXPECT_EQ(unread->front().members, std::vector<std::size_t>{0});
  {
    auto session = world.open("b");
    ASSERT_TRUE(session) << session.error().detail;
    EXPECT_EQ(session->vault->unread_heads().size(), 1u);  // it goes on being said
  }
  expect_snapshot(world, "b", 0, first);
  for (unsigned home = 1; home < 5; ++home) world.set_home_back(home, newer[home]);
  ASSERT_TRUE(save(world, "b", third));
  expect_snapshot(world, "b", 0, first);
  expect_snapshot(world, "b", 1, second);
  expect_snapshot(world, "b", 2, third);
  EXPECT_EQ(check(world, "b").unrestorable, 0u);
}

}  // namespace
}  // namespace mhp::vault
