// An interrupted backup is not sent again: its segments are taken over.
#include <gtest/gtest.h>

#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

using testing::back_up;
using testing::back_up_without_end;
using testing::expect_snapshot;
using testing::Files;
using testing::save;
using testing::World;

/// 24 MiB in six chunks: more than two segments.
Files large_files(World& world) {
  Files files;
  for (int i = 0; i < 6; ++i) files["large " + std::to_string(i)] = world.noise(4_MiB);
  return files;
}

/// Stores all and makes it durable, but the power goes before there is a snapshot. The fault lets the journal be
/// written.
void interrupt(World& world, const Files& files) {
  auto session = world.open("a");
  ASSERT_TRUE(session) << session.error().detail;
  ASSERT_TRUE(world.run(back_up_without_end(world.platform(), *session->vault, files)));
  auto committed = world.run(session->homes->commit());
  EXPECT_EQ(committed.size(), 6u);
}

TEST(Adopt, TheJournalNamesWhatIsDurable) {
  World world(testing::seed_of_run());
  world.init("a");
  ASSERT_TRUE(save(world, "a", {{"first", world.noise(100)}}));
  Files files = large_files(world);
  {
    // A commit group ends with each store, as if each took more than 5 seconds.
    auto session = world.open("a");
    ASSERT_TRUE(session);
    auto writer = world.run(session->vault->begin_write({}));
    ASSERT_TRUE(writer) << writer.error().detail;
    auto packer = (*writer)->new_packer();
    auto wait = [](platform::Platform& platform) -> Task<Result<void>> {
      co_await platform.clock().sleep(std::chrono::seconds(6));
      co_return Result<void>{};
    };
    for (const auto& [name, content] : files) {
      packer->add(content);
      ASSERT_TRUE(world.run(wait(world.platform())));
      ASSERT_TRUE(world.run((*writer)->store((*writer)->seal(*packer))));
    }
  }
  world.settle();
  {
    State state(world.platform().disk(), world.state_path("a"));
    auto journal = state.journal();
    ASSERT_TRUE(journal);
    EXPECT_EQ(journal->size(), 6u);
  }
  world.cut_power(0);
  auto committed = save(world, "a", files);
  ASSERT_TRUE(committed) << committed.error().detail;
  EXPECT_LT(committed->totals.new_bytes, 1000u);
  EXPECT_EQ(committed->margin, 3);
  expect_snapshot(world, "a", 1, files);
  world.lose_computer("a");
  world.recover("b", 1);
  expect_snapshot(world, "b", 1, files);
}

TEST(Adopt, ANewDeviceFindsThemOnTheHomes) {
  World world(testing::seed_of_run());
  world.init("a");
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(save(world, "a", {{"first", world.noise(100)}}));
  Files files = large_files(world);
  interrupt(world, files);
  world.lose_computer("a");
  world.recover("b", 1);
  {
    auto session = world.open("b");
    ASSERT_TRUE(session);
    auto writer = world.run(session->vault->begin_write({}));
    ASSERT_TRUE(writer);
    EXPECT_EQ((*writer)->adopted_segments(), 6u);  // two chunks of 4 MiB do not fit one; former indexes are left alone
  }
  auto committed = save(world, "b", files);
  ASSERT_TRUE(committed) << committed.error().detail;
  EXPECT_EQ(committed->totals.new_bytes, 0u);
  expect_snapshot(world, "b", 3, files);
}

TEST(Adopt, ASegmentWithTooFewRowsIsLeftAlone) {
  World world(testing::seed_of_run());
  world.init("a");
  Files files = large_files(world);
  for (unsigned home : {0u, 1u}) world.lose_home(home);
  {
    auto session = world.open("a");
    ASSERT_TRUE(session);
    ASSERT_TRUE(world.run(back_up_without_end(world.platform(), *session->vault, files)));
    world.run(session->homes->commit());
  }
  for (unsigned home : {0u, 1u}) world.find_home(home);
  world.lose_computer("a");
  world.recover("b", 0);
  auto committed = save(world, "b", files);
  ASSERT_TRUE(committed) << committed.error().detail;
  EXPECT_GT(committed->totals.new_bytes, 24'000'000u);
  EXPECT_EQ(committed->margin, 3);
  expect_snapshot(world, "b", 0, files);
}

TEST(Adopt, WithinOneProcessToo) {
  World world(testing::seed_of_run());
  world.init("a");
  Files files = large_files(world);
  {
    auto session = world.open("a");
    ASSERT_TRUE(session);
    ASSERT_TRUE(world.run(back_up_without_end(world.platform(), *session->vault, files)));
    world.run(session->homes->commit());
    // No journal yet: the homes are asked.
    auto committed = world.run(back_up(world.platform(), *session->vault, files));
    ASSERT_TRUE(committed) << committed.error().detail;
    EXPECT_EQ(committed->totals.new_bytes, 0u);
  }
  expect_snapshot(world, "a", 0, files);
}

}  // namespace
}  // namespace mhp::vault
