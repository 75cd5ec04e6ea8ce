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

/// A commit group ends with each store, as if each took more than 5 seconds: all is in the journal, nothing in a head.
void store_without_end(World& world, const Files& files) {
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

std::vector<wire::JournalEntry> journal_of(World& world) {
  world.settle();
  return State(world.platform().disk(), world.state_path("a")).journal().value_or(std::vector<wire::JournalEntry>());
}

/// How many segments the next session takes over.
std::uint64_t adopted_by_next(World& world) {
  auto session = world.open("a");
  EXPECT_TRUE(session);
  auto writer = world.run(session->vault->begin_write({}));
  EXPECT_TRUE(writer) << writer.error().detail;
  return writer ? (*writer)->adopted_segments() : 0;
}

TEST(Adopt, TheJournalNamesWhatIsDurable) {
  World world(testing::seed_of_run());
  world.init("a");
  ASSERT_TRUE(save(world, "a", {{"first", world.noise(100)}}));
  Files files = large_files(world);
  store_without_end(world, files);
  EXPECT_EQ(journal_of(world).size(), 6u);
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

/// An index that names a segment of which k - 1 rows are left would lose what later backups find in it.
TEST(Adopt, TheJournalsSegmentsNeedKRowsAndNotOneLess) {
  World world(testing::seed_of_run());
  world.init("a");
  store_without_end(world, {{"one", world.noise(4_MiB)}, {"two", world.noise(4_MiB)}});
  const auto journal = journal_of(world);
  ASSERT_EQ(journal.size(), 2u);
  for (unsigned home : {0u, 1u, 2u}) world.lose_home(home);
  EXPECT_EQ(adopted_by_next(world), 2u) << "3 of 6 homes are left, with 12 of 24 rows: k";
  wire::BadRows bad;
  {
    auto session = world.open("a");
    ASSERT_TRUE(session);
    const SegmentId segment = journal[0].segment.segment;
    auto located = world.run(session->homes->locate(segment));
    ASSERT_TRUE(located);
    ASSERT_EQ(located->card.k, 12u);
    const auto& holder = located->holders.front();
    bad.holdings.push_back({session->homes->members()[holder.member].id, segment, {}});
    bad.holdings[0].rows.set(holder.rows.front());
  }
  ASSERT_TRUE(State(world.platform().disk(), world.state_path("a")).set_bad_rows(bad));
  EXPECT_EQ(adopted_by_next(world), 1u) << "11 rows of the first are good";
  world.find_home(0);
  EXPECT_EQ(adopted_by_next(world), 2u) << "its homes are back";
}

/// With 36 homes each holds one row of a segment.
TEST(Adopt, KRowsThatBecameDurableAreEnoughAndOneLessIsNot) {
  for (const unsigned durable : {12u, 11u}) {
    SCOPED_TRACE(durable);
    World world(testing::seed_of_run(), 36);
    world.init("a");
    for (unsigned home = durable; home < 36; ++home) world.spoil_home(home, testing::Fault::makes_nothing_durable);
    const Files files{{"one", world.noise(1000)}};
    const auto saved = save(world, "a", files);
    for (unsigned home = durable; home < 36; ++home) world.lose_home(home);
    if (durable == 12u) {
      ASSERT_TRUE(saved) << saved.error().detail;
      EXPECT_EQ(saved->margin, 0);
      expect_snapshot(world, "a", 0, files);
    } else {
      ASSERT_FALSE(saved) << "said to be safe";
      EXPECT_NE(saved.error().detail.find("too few homes kept their rows"), std::string::npos) << saved.error().detail;
    }
    EXPECT_EQ(adopted_by_next(world), 0u);
  }
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
