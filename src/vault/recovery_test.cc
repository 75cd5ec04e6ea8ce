// Homes that cannot begin a recovery do not count; recovery gives the newest state that can be read, or that of a date.
#include <gtest/gtest.h>

#include "vault/impl/vault_impl.h"
#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

using testing::check;
using testing::expect_snapshot;
using testing::few_files;
using testing::Files;
using testing::forget;
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

TEST(Recovery, TwoThatDoNotSeeEachOtherComeTogether) {
  World world(testing::seed_of_run(), 4);
  world.init("a");
  const Files first = few_files(world);
  ASSERT_TRUE(save(world, "a", first));
  for (unsigned home : {0u, 1u}) world.lose_home(home);
  ASSERT_TRUE(world.try_recover("b"));
  const Files by_b = few_files(world);
  ASSERT_TRUE(save(world, "b", by_b));
  for (unsigned home : {0u, 1u}) world.find_home(home);
  for (unsigned home : {2u, 3u}) world.lose_home(home);
  ASSERT_TRUE(world.try_recover("c"));
  const Files by_c = few_files(world);
  ASSERT_TRUE(save(world, "c", by_c));
  for (unsigned home : {2u, 3u}) world.find_home(home);
  // Each has keys that the other lacks: it names what it cannot read, writes on, and condemns nothing.
  for (const char* computer : {"b", "c"}) {
    ASSERT_TRUE(save(world, computer, few_files(world)));
    auto session = world.open(computer);
    ASSERT_TRUE(session) << session.error().detail;
    EXPECT_EQ(session->vault->snapshots().size(), 3u);
    ASSERT_EQ(session->vault->unread_heads().size(), 1u);
    EXPECT_TRUE(session->vault->unread_heads()[0].is_locked);
    auto collected = world.run(testing::forget(*session->vault, {}));
    ASSERT_TRUE(collected) << collected.error().detail;
    EXPECT_NE(collected->held_back, "");
  }
  auto unread = world.try_recover("d");
  ASSERT_TRUE(unread) << unread.error().detail;
  EXPECT_TRUE(unread->empty());
  expect_snapshot(world, "d", 0, first);
  expect_snapshot(world, "d", 1, by_b);
  expect_snapshot(world, "d", 2, by_c);
  ASSERT_TRUE(save(world, "d", few_files(world)));
  EXPECT_EQ(check(world, "d").unrestorable, 0u);
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

/// What each snapshot is that a computer shows. Their order is another test's.
void expect_snapshots(World& world, const std::string& computer, std::vector<Files> wanted) {
  auto session = world.open(computer);
  ASSERT_TRUE(session) << session.error().detail;
  ASSERT_EQ(session->vault->snapshots().size(), wanted.size());
  for (const auto& snapshot : session->vault->snapshots()) {
    auto back = world.run(testing::read_back(*session->vault, snapshot));
    ASSERT_TRUE(back) << back.error().detail;
    auto one = std::ranges::find(wanted, *back);
    ASSERT_NE(one, wanted.end()) << "a snapshot that nobody saved, or twice";
    wanted.erase(one);
  }
}

/// Rows of what was saved while a home was away are only on the other.
void mend(World& world, const std::string& computer) {
  auto session = world.open(computer);
  ASSERT_TRUE(session) << session.error().detail;
  auto repaired = world.run(session->vault->repair(false, {}, false, {}));
  ASSERT_TRUE(repaired) << repaired.error().detail;
}

/// Home 0 has the lost computer's last state, home 1 has not: "b" recovers from 0.
std::vector<Files> recovered_from_the_newer_home(World& world) {
  world.init("a");
  std::vector<Files> saved;
  for (int i = 0; i < 2; ++i) {
    saved.push_back(few_files(world));
    EXPECT_TRUE(save(world, "a", saved.back()));
    world.lose_home(1);
  }
  world.lose_computer("a");
  world.recover("b", 0);
  return saved;
}

void at_hand(World& world, unsigned only) {
  world.lose_home(1 - only);
  world.find_home(only);
}

TEST(Recovery, WhatTheNewComputersFirstHeadWasNotMadeFromIsStillShown) {
  World world(testing::seed_of_run(), 2);
  std::vector<Files> saved = recovered_from_the_newer_home(world);
  at_hand(world, 1);
  saved.push_back(few_files(world));
  ASSERT_TRUE(save(world, "b", saved.back()));
  world.find_home(0);
  expect_snapshots(world, "b", saved);
  auto kept = forget(world, "b", {});
  ASSERT_TRUE(kept) << kept.error().detail;
  expect_snapshots(world, "b", saved);
  saved.push_back(few_files(world));
  ASSERT_TRUE(save(world, "b", saved.back()));
  mend(world, "b");
  EXPECT_EQ(check(world, "b").margin, 1);
  at_hand(world, 1);
  world.lose_computer("b");
  world.recover("c", 1);
  expect_snapshots(world, "c", saved);
}

TEST(Recovery, WhatAHeadWasMadeFromStaysSaidInLaterOnes) {
  World world(testing::seed_of_run(), 2);
  std::vector<Files> saved = recovered_from_the_newer_home(world);
  saved.push_back(few_files(world));
  ASSERT_TRUE(save(world, "b", saved.back()));  // made from the second head of "a"
  at_hand(world, 1);
  saved.push_back(few_files(world));
  ASSERT_TRUE(save(world, "b", saved.back()));  // where only its first one is shown
  world.find_home(0);
  auto session = world.open("b");
  ASSERT_TRUE(session) << session.error().detail;
  const auto& vault = static_cast<const impl::VaultImpl&>(*session->vault);
  const auto& devices = vault.heads_.devices;
  const auto old = std::ranges::find_if(devices, [&](const auto& one) { return one.device != vault.device_.id; });
  ASSERT_NE(old, devices.end());
  ASSERT_EQ(old->newest().head.seq, 2u);
  const wire::SeenHead second{.device = old->device, .seq = 2, .hash = old->newest().hash};
  EXPECT_NE(std::ranges::find(vault.covered_, second), vault.covered_.end());
  EXPECT_EQ(vault.tops_.size(), 1u);
  // Of what it was made from only the newest is named, and the own head that home 0 has as its newest.
  const wire::SeenHead first{.device = vault.device_.id, .seq = 1, .hash = vault.own_chain().front().hash};
  EXPECT_EQ(vault.seen_for_top(), (std::vector<wire::SeenHead>{second, first}));
  EXPECT_EQ(vault.snapshots().size(), saved.size());
}

/// One snapshot on both homes, two on home 0; then the state of before is put back, and one more goes to home 1.
std::vector<Files> two_histories(World& world) {
  world.init("a");
  std::vector<Files> saved{few_files(world)};
  EXPECT_TRUE(save(world, "a", saved.back()));
  const Files copy = world.copy_state("a");
  world.lose_home(1);
  for (int i = 0; i < 2; ++i) {
    saved.push_back(few_files(world));
    EXPECT_TRUE(save(world, "a", saved.back()));
  }
  world.settle();
  world.set_state_back("a", copy);
  at_hand(world, 1);
  saved.push_back(few_files(world));
  EXPECT_TRUE(save(world, "a", saved.back()));
  world.find_home(0);
  return saved;
}

TEST(Recovery, AComputerWithTwoHistoriesShowsBothAndWritesNoMore) {
  World world(testing::seed_of_run(), 2);
  const std::vector<Files> saved = two_histories(world);
  expect_snapshots(world, "a", saved);
  auto session = world.open("a");
  ASSERT_TRUE(session) << session.error().detail;
  EXPECT_TRUE(session->vault->is_forked());
  EXPECT_EQ(session->vault->believed_heads().size(), 2u);
  auto writer = world.run(session->vault->begin_write({}));
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().code, Errc::corrupt);
}

TEST(Recovery, JoinsTwoHistories) {
  for (const Earlier earlier : {Earlier::shut_out, Earlier::keep}) {
    World world(testing::seed_of_run(), 2);
    std::vector<Files> saved = two_histories(world);
    world.recover("b", 0, earlier);
    expect_snapshots(world, "b", saved);
    EXPECT_TRUE(world.open("b")->vault->joins_histories());
    saved.push_back(few_files(world));
    ASSERT_TRUE(save(world, "b", saved.back()));
    {
      auto session = world.open("b");
      ASSERT_TRUE(session) << session.error().detail;
      EXPECT_FALSE(session->vault->joins_histories() || session->vault->is_forked());
      EXPECT_TRUE(session->homes->troubles().empty());
    }
    mend(world, "b");
    CheckReport report = check(world, "b");
    EXPECT_EQ(report.margin, 1);
    EXPECT_TRUE(report.homes_bad.empty() && report.homes_lacking.empty());
    for (const unsigned home : {0u, 1u}) {
      at_hand(world, home);
      expect_snapshots(world, "b", saved);
    }
  }
}

/// "b" has recovered while "a" was not lost: that one went on with a home that was away. What "a" saved, and "b".
std::pair<std::vector<Files>, Files> both_went_on(World& world) {
  world.init("a");
  std::vector<Files> by_a{few_files(world)};
  EXPECT_TRUE(save(world, "a", by_a.back()));
  world.lose_home(0);
  world.recover("b", 1);
  world.pass_time(std::chrono::hours(24));
  at_hand(world, 0);
  by_a.push_back(few_files(world));
  EXPECT_TRUE(save(world, "a", by_a.back()));
  world.find_home(1);
  const Files by_b = few_files(world);
  EXPECT_TRUE(save(world, "b", by_b));
  return {by_a, by_b};
}

TEST(Recovery, WhatCameAfterItHoldsBackCollectionUntilItIsTakenIn) {
  World world(testing::seed_of_run(), 2);
  auto [saved, by_b] = both_went_on(world);
  {
    auto session = world.open("b");
    ASSERT_TRUE(session) << session.error().detail;
    EXPECT_EQ(session->vault->snapshots().size(), 2u);
    ASSERT_EQ(session->vault->late_states().size(), 1u);
    EXPECT_EQ(session->vault->late_states()[0].members, std::vector<std::size_t>{0});
  }
  world.pass_time(std::chrono::hours(24 * 40));
  auto kept = forget(world, "b", {});
  ASSERT_TRUE(kept) << kept.error().detail;
  EXPECT_EQ(kept->segments_condemned, 0u);
  EXPECT_FALSE(kept->held_back.empty());
  world.lose_computer("b");
  auto unread = world.try_recover("c", {.newest_readable = true, .with_late = true});
  ASSERT_TRUE(unread) << unread.error().detail;
  saved.push_back(by_b);
  expect_snapshots(world, "c", saved);
  EXPECT_TRUE(world.open("c")->vault->late_states().empty());
}

TEST(Recovery, WhatCameAfterItStaysOutByTheWordOfTheOwner) {
  World world(testing::seed_of_run(), 2);
  const auto [by_a, by_b] = both_went_on(world);
  world.lose_computer("b");
  const std::int64_t now_s = world.platform().clock().unix_ns() / 1'000'000'000;
  for (const OpenHow how :
       {OpenHow{.newest_readable = true, .as_of_s = now_s}, OpenHow{.newest_readable = true, .with_late = true}}) {
    const std::string computer = how.with_late ? "d" : "c";
    ASSERT_TRUE(world.try_recover(computer, how));
    expect_snapshots(world, computer, {by_a[0], by_b});
    EXPECT_TRUE(world.open(computer)->vault->late_states().empty());
  }
  auto collected = forget(world, "d", {});
  ASSERT_TRUE(collected) << collected.error().detail;
  EXPECT_TRUE(collected->held_back.empty()) << collected->held_back;
}

TEST(Recovery, AsOfADateAfterAPlainOneLeavesOutWhatThatOneHadCalledGood) {
  World world(testing::seed_of_run(), 3);
  world.init("a");
  std::vector<Files> saved{few_files(world)};
  ASSERT_TRUE(save(world, "a", saved.back()));
  world.pass_time(std::chrono::hours(24));
  const std::int64_t between = world.platform().clock().unix_ns() / 1'000'000'000;
  world.pass_time(std::chrono::hours(24));
  ASSERT_TRUE(save(world, "a", {{"evil", world.noise(10)}}));
  world.recover("b", 0);
  world.lose_computer("b");
  ASSERT_TRUE(world.try_recover("c", {.newest_readable = true, .as_of_s = between}));
  expect_snapshots(world, "c", saved);
  world.pass_time(std::chrono::hours(24));
  saved.push_back(few_files(world));
  ASSERT_TRUE(save(world, "c", saved.back()));
  expect_snapshots(world, "c", saved);
  world.lose_computer("c");
  ASSERT_TRUE(world.try_recover("d", {.newest_readable = true, .with_late = true}));
  expect_snapshots(world, "d", saved);
}

}  // namespace
}  // namespace mhp::vault
