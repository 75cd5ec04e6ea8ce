// The power goes at many points of a backup: every acknowledged snapshot reads back, and the next backup works.
#include <gtest/gtest.h>

#include "base/test_run.h"
#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

using testing::back_up;
using testing::Files;
using testing::read_back;
using testing::World;

/// Small segments, so that a session has several; and large enough for more than one.
WriteOptions options() {
  WriteOptions out;
  out.segment_bytes = 5_MiB;
  return out;
}

Files files_of(World& world) { return {{"a", world.noise(3'000)}, {"b", world.noise(300'000)}}; }

Result<Committed> save(World& world, const Files& files) {
  auto session = world.open("a");
  if (!session) return pass(session);
  return world.run(back_up(world.platform(), *session->vault, files, options()));
}

/// All snapshots that were acknowledged, and at most those begun, are there, bit by bit.
void expect_all(World& world, const std::vector<Files>& acknowledged, const std::vector<Files>& begun) {
  auto session = world.open("a");
  ASSERT_TRUE(session) << session.error().detail;
  std::vector<Files> found;
  for (const auto& snapshot : session->vault->snapshots()) {
    auto back = world.run(read_back(*session->vault, snapshot));
    ASSERT_TRUE(back) << back.error().detail;
    found.push_back(*back);
  }
  for (const Files& files : acknowledged) {
    EXPECT_TRUE(std::ranges::find(found, files) != found.end()) << "an acknowledged snapshot is lost";
  }
  for (const Files& files : found) {
    EXPECT_TRUE(std::ranges::find(begun, files) != begun.end()) << "a snapshot that nobody made";
  }
}

/// One life: a backup, a second one cut off at disk call `cut_at`, power back in a state drawn by `seed`, a third one.
/// Gives false where the second backup was over before.
bool live_once(std::uint64_t seed, std::uint64_t cut_at) {
  SCOPED_TRACE("MHP_SEED=" + std::to_string(testing::seed_of_run()) + " cut at call " + std::to_string(cut_at));
  World world(testing::seed_of_run(), 3);
  world.init("a");
  std::vector<Files> acknowledged{files_of(world)};
  EXPECT_TRUE(save(world, acknowledged.front()));
  std::vector<Files> begun = acknowledged;
  begun.push_back(files_of(world));
  world.settle();
  platform::DiskFaults faults;
  faults.fail_call = world.platform().memory_disk().calls() + cut_at;
  faults.fail_ever_after = true;
  world.platform().memory_disk().set_faults(faults);
  bool cut = true;
  {
    auto second = save(world, begun.back());
    if (second) acknowledged.push_back(begun.back());
    cut = !second || world.platform().memory_disk().calls() >= faults.fail_call;
  }
  world.cut_power(seed);
  expect_all(world, acknowledged, begun);
  begun.push_back(files_of(world));
  auto third = save(world, begun.back());
  EXPECT_TRUE(third) << third.error().detail;
  if (third) acknowledged.push_back(begun.back());
  expect_all(world, acknowledged, begun);
  return cut;
}

TEST(PowerCut, AtEveryCallOfABackup) {
  std::uint64_t seed = testing::seed_of_run();
  unsigned lives = 0;
  bool cut = true;
  for (std::uint64_t call = 1; cut && !::testing::Test::HasFailure(); call += test_run::stride()) {
    cut = live_once(call % 4 == 0 ? 0 : seed * 1000 + call, call);
    ++lives;
  }
  test_run::tried_of_sweep(5, "power cuts in a backup, with the next one", lives, seed);
  EXPECT_GT(lives, 100 / test_run::stride());
}

TEST(FullDisk, IsAClearErrorAndRestoreStillWorks) {
  World world(testing::seed_of_run(), 3);
  world.init("a");
  Files first = files_of(world);
  ASSERT_TRUE(save(world, first));
  world.settle();
  platform::DiskFaults faults;
  faults.capacity_bytes = 0;
  world.platform().memory_disk().set_faults(faults);
  expect_all(world, {first}, {first});
  auto failed = save(world, files_of(world));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::full) << failed.error().detail;
  world.platform().memory_disk().set_faults({});
  Files second = files_of(world);
  auto again = save(world, second);
  ASSERT_TRUE(again) << again.error().detail;
  expect_all(world, {first, second}, {first, second});
}

TEST(FullDisk, AtAnyCallNeverGivesFalseSuccess) {
  World world(testing::seed_of_run(), 3);
  world.init("a");
  std::vector<Files> good{files_of(world)};
  ASSERT_TRUE(save(world, good.front()));
  std::vector<Files> begun = good;
  for (std::uint64_t call = 1; call < 120; call += 3) {
    SCOPED_TRACE(call);
    world.settle();
    platform::DiskFaults faults;
    faults.fail_call = world.platform().memory_disk().calls() + call;
    faults.fail_with = Errc::full;
    faults.short_write = call % 2 == 0;
    world.platform().memory_disk().set_faults(faults);
    begun.push_back(files_of(world));
    auto saved = save(world, begun.back());
    if (saved) good.push_back(begun.back());
    world.settle();
    world.platform().memory_disk().set_faults({});
    if (call % 30 == 1) expect_all(world, good, begun);
  }
  expect_all(world, good, begun);
  EXPECT_GT(good.size(), 5u);
}

}  // namespace
}  // namespace mhp::vault
