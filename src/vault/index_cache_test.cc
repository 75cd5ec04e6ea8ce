// The index of a vault comes from the cache where nothing changed, and from the homes where the cache is lost or wrong.
#include <gtest/gtest.h>

#include "primitives/hash/blake3.h"
#include "vault/impl/context.h"
#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

using testing::expect_snapshot;
using testing::Files;
using testing::save;
using testing::World;

/// More chunks than are held in memory.
Files many_files(World& world, int count = 34'000) {
  Files files;
  for (int i = 0; i < count; ++i) files[std::to_string(i)] = world.noise(16);
  return files;
}

class IndexCache : public ::testing::Test {
 protected:
  void SetUp() override {
    world_.init("a");
    files_ = many_files(world_);
    ASSERT_TRUE(save(world_, "a", files_));
  }
  std::string folder() const { return world_.state_path("a") + "/cache"; }
  std::vector<std::string> names(bool runs) {
    auto all = world_.platform().disk().list(folder());
    EXPECT_TRUE(all);
    std::vector<std::string> out;
    for (const auto& name : *all) {
      if (name.starts_with("index-") == runs) out.push_back(name);
    }
    return out;
  }
  void remove_all(bool runs) {
    for (const auto& name : names(runs)) ASSERT_TRUE(world_.platform().disk().remove(folder() + "/" + name));
  }
  void expect_all_there() {
    auto session = world_.open("a");
    ASSERT_TRUE(session) << session.error().detail;
    for (const auto& [name, content] : files_) {
      auto id = ChunkId::from_array(primitives::blake3_keyed(session->vault->keys().dedup_secret, content));
      ASSERT_TRUE(session->vault->has(id)) << name;
      ASSERT_TRUE(session->vault->place_of(id));
    }
  }

  World world_{testing::seed_of_run()};
  Files files_;
};

TEST_F(IndexCache, NothingOfTheIndexIsFetchedWhereNothingChanged) {
  ASSERT_EQ(names(true).size(), 1u);
  remove_all(false);
  expect_all_there();
  EXPECT_EQ(names(false).size(), 2u);  // the top and the list of snapshots, and no part
  Files few{{"new", world_.noise(100)}};
  ASSERT_TRUE(save(world_, "a", few));
  expect_all_there();
  EXPECT_EQ(names(true).size(), 1u);
  expect_snapshot(world_, "a", 1, few);
}

TEST_F(IndexCache, WithoutItTheHomesHaveAll) {
  remove_all(true);
  expect_all_there();
  EXPECT_EQ(names(true).size(), 1u);
  remove_all(true);
  remove_all(false);
  expect_all_there();
  auto again = save(world_, "a", files_);
  ASSERT_TRUE(again);
  EXPECT_LT(again->totals.new_bytes, 100'000u + 40 * files_.size());  // the list of the files, no content
  EXPECT_EQ(names(true).size(), 1u);
}

TEST_F(IndexCache, DamageCostsOneErrorAtMost) {
  auto& disk = world_.platform().memory_disk();
  auto& random = world_.platform().random();
  for (int round = 0; round < 2; ++round) {
    auto runs = names(true);
    ASSERT_EQ(runs.size(), 1u);
    std::string path = folder() + "/" + runs.front();
    auto info = disk.info(path);
    ASSERT_TRUE(info);
    auto bit = impl::from_little_endian<std::uint64_t>(random.array<8>()) % (info->size * 8);
    disk.flip_bit(path, bit);
    {
      auto session = world_.open("a");
      ASSERT_TRUE(session) << session.error().detail;
      for (const auto& [name, content] : files_) {
        auto id = ChunkId::from_array(primitives::blake3_keyed(session->vault->keys().dedup_secret, content));
        auto bytes = session->vault->place_of(id);
        if (bytes) continue;
        EXPECT_EQ(bytes.error().code, Errc::corrupt);
        break;
      }
      auto checked = world_.run(session->vault->check(0, nullptr));
      EXPECT_TRUE(checked);  // made anew on the way where it had to be
    }
    auto again = save(world_, "a", {{"round", world_.noise(50)}});
    ASSERT_TRUE(again) << again.error().detail;
    expect_all_there();
  }
}

/// A session that goes on lists what is durable, so that it need not remember all of it.
TEST(Listing, OfALongSessionGoesOnMeanwhile) {
  World world(testing::seed_of_run());
  world.init("a");
  ASSERT_TRUE(save(world, "a", testing::few_files(world)));
  Files files = many_files(world, 20);
  auto wait = [](platform::Platform& platform) -> Task<Result<void>> {
    co_await platform.clock().sleep(std::chrono::seconds(6));  // a commit group ends with each store
    co_return Result<void>{};
  };
  auto expect_there = [&](Vault& vault) {
    for (const auto& [name, content] : files) {
      auto id = ChunkId::from_array(primitives::blake3_keyed(vault.keys().dedup_secret, content));
      auto bytes = world.run(vault.read(id));
      ASSERT_TRUE(bytes) << bytes.error().detail;
      EXPECT_EQ(*bytes, content);
    }
    auto checked = world.run(vault.check(100, nullptr));
    ASSERT_TRUE(checked);
    EXPECT_EQ(checked->unrestorable, 0u);
    EXPECT_EQ(checked->rows_missing, 0u);
  };
  {
    auto session = world.open("a");
    ASSERT_TRUE(session);
    auto writer = world.run(session->vault->begin_write({.unlisted_bytes = 1}));
    ASSERT_TRUE(writer) << writer.error().detail;
    auto packer = (*writer)->new_packer();
    for (const auto& [name, content] : files) {
      packer->add(content);
      ASSERT_TRUE(world.run(wait(world.platform())));
      ASSERT_TRUE(world.run((*writer)->store((*writer)->seal(*packer))));
    }
    wire::SnapshotRecord record{.time_ns = world.platform().clock().unix_ns(), .paths = {"/"}};
    record.page_list =
        ChunkId::from_array(primitives::blake3_keyed(session->vault->keys().dedup_secret, files.begin()->second));
    auto done = world.run((*writer)->finish(record));
    ASSERT_TRUE(done) << done.error().detail;
    EXPECT_EQ(done->margin, 3);
    expect_there(*session->vault);
  }
  auto again = world.open("a");
  ASSERT_TRUE(again);
  expect_there(*again->vault);
  EXPECT_EQ(again->vault->snapshots().size(), 2u);
  again = fail(Errc::canceled, "closed");
  world.lose_computer("a");
  world.recover("b", 1);
  auto other = world.open("b");
  ASSERT_TRUE(other);
  expect_there(*other->vault);
}

TEST(Parts, StayFewOverManySnapshots) {
  World world(testing::seed_of_run());
  world.init("a");
  constexpr std::size_t kSnapshots = 40;
  std::vector<Files> all;
  for (std::size_t i = 0; i < kSnapshots; ++i) {
    all.push_back({{"file", world.noise(20)}});
    ASSERT_TRUE(save(world, "a", all.back()));
  }
  auto cached = world.platform().disk().list(world.state_path("a") + "/cache");
  ASSERT_TRUE(cached);
  EXPECT_LE(cached->size(), 1u + 2 * 16);  // the top, parts of the index, of snapshots
  world.lose_computer("a");
  world.recover("b", 2);
  auto session = world.open("b");
  ASSERT_TRUE(session);
  ASSERT_EQ(session->vault->snapshots().size(), kSnapshots);
  session = fail(Errc::canceled, "closed");
  for (std::size_t i : {std::size_t{0}, std::size_t{17}, kSnapshots - 1}) expect_snapshot(world, "b", i, all[i]);
}

/// What is given out day by day is what a check says.
TEST(Standing, IsWhatACheckSays) {
  World world(testing::seed_of_run());
  world.init("a");
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(save(world, "a", testing::few_files(world)));
  for (unsigned lost = 0; lost <= 5; ++lost) {
    if (lost == 2) world.add_home("a");
    if (lost > 0) world.lose_home(lost - 1);
    auto session = world.open("a");
    if (!session) break;
    auto checked = world.run(session->vault->check(0, nullptr));
    auto standing = world.run(session->vault->standing());
    ASSERT_TRUE(checked && standing);
    EXPECT_EQ(standing->segments, checked->segments);
    EXPECT_EQ(standing->margin, checked->margin);
    EXPECT_EQ(standing->homes, checked->homes);
    EXPECT_EQ(standing->unrestorable, checked->unrestorable);
    EXPECT_EQ(standing->rows_expected, checked->rows_expected);
    EXPECT_EQ(standing->rows_missing, checked->rows_missing);
  }
}

}  // namespace
}  // namespace mhp::vault
