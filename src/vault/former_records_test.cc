// Whoever has copied the state folder of the only computer writes false records in its place: nothing is lost by it.
#include <gtest/gtest.h>

#include <functional>

#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

using testing::expect_snapshot;
using testing::few_files;
using testing::Files;
using testing::save;
using testing::World;

constexpr unsigned kHomes = 3;

struct Spoil {
  const char* name;
  std::function<void(wire::VaultRecord&, platform::Random&)> in_record;
};

void spoil_wraps(wire::VaultRecord& record, platform::Random& random, bool for_recovery) {
  for (wire::KeyWrap& wrap : record.wraps) {
    if (wrap.for_recovery == for_recovery) random.fill(wrap.sealed);
  }
}

const Spoil kSpoils[] = {
    {"NoWrapForTheWords", [](auto& record, auto& random) { spoil_wraps(record, random, true); }},
    {"NoWrap",
     [](auto& record, auto& random) {
       spoil_wraps(record, random, true);
       spoil_wraps(record, random, false);
     }},
    {"NoPrivatePart", [](auto& record, auto& random) { random.fill(record.sealed_private); }},
    {"ForAnotherPhrase",
     [](auto& record, auto& random) {
       record.wraps.clear();
       record.recovery_x25519 = random.template array<32>();
     }},
};

class FormerRecords : public ::testing::TestWithParam<Spoil> {
 protected:
  void SetUp() override {
    world_.init("a");
    first_ = few_files(world_);
    ASSERT_TRUE(save(world_, "a", first_));
  }

  /// By the key of computer a, `ahead` versions above its own record.
  Bytes evil(const Spoil& spoil, std::uint64_t ahead) {
    platform::Random& random = world_.platform().random();
    State state(world_.platform().disk(), world_.state_path("a"));
    const auto device = state.device();
    const auto known = state.records();
    EXPECT_TRUE(device && known);
    auto own = join_records(*known, *device);
    EXPECT_TRUE(own);
    device_ = device->id;
    version_ = own->record.version;
    own->record.version += ahead - 1;
    auto next = next_record(*own, *device, own->content, random, world_.platform().clock().unix_ns());
    EXPECT_TRUE(next) << next.error().detail;
    spoil.in_record(next->record, random);
    return wire::encode(wire::sign(device->signing, wire::kSignVaultRecord, wire::encode(next->record)));
  }

  std::vector<Result<void>> put(const Bytes& record, unsigned homes) {
    std::vector<Result<void>> done;
    for (const auto& member : world_.members(entries_)) {
      if (done.size() < homes) done.push_back(world_.run(member.home->put_vault_record(record)));
    }
    world_.settle();
    return done;
  }

  /// Written past all rules, as who has a drive in his hands can.
  void overwrite(const Bytes& record, unsigned homes) {
    world_.settle();
    for (unsigned home = 0; home < homes; ++home) {
      const std::string path =
          world_.home_path(home) + "/vaults/" + world_.root().vault().hex() + "/record-" + device_.hex();
      ASSERT_TRUE(platform::replace_file(world_.platform().disk(), path, record));
    }
  }

  void learn_homes() {
    auto session = world_.open("a");
    ASSERT_TRUE(session) << session.error().detail;
    entries_ = session->record->content.homes;
  }

  std::vector<OlderRecord> recover_all(const std::string& computer, OpenHow how = {.newest_readable = true}) {
    std::vector<OlderRecord> older;
    const auto unread = world_.try_recover(computer, how, &older);
    EXPECT_TRUE(unread) << unread.error().detail;
    if (unread) EXPECT_TRUE(unread->empty());
    return older;
  }

  World world_{testing::seed_of_run(), kHomes};
  std::vector<wire::HomeEntry> entries_;
  DeviceId device_;
  std::uint64_t version_ = 0;
  Files first_;
};

TEST_P(FormerRecords, TheWordsBringEverythingBackFromUnderAFlood) {
  learn_homes();
  for (std::uint64_t ahead = 1; ahead <= 20; ++ahead) {
    const Bytes record = evil(GetParam(), ahead);
    for (const auto& done : put(record, kHomes)) ASSERT_TRUE(done) << done.error().detail;
    if (ahead % 3 == 0) world_.pass_time(std::chrono::hours(24));
  }
  world_.lose_computer("a");
  const auto older = recover_all("b");
  ASSERT_EQ(older.size(), 1u);
  EXPECT_EQ(older[0].device, device_);
  EXPECT_EQ(older[0].members.size(), kHomes);
  expect_snapshot(world_, "b", 0, first_);
  const Files second = few_files(world_);
  ASSERT_TRUE(save(world_, "b", second));
  // The new computer's record is enough from now on, and there is nothing more to say.
  world_.lose_computer("b");
  EXPECT_TRUE(recover_all("c").empty());
  expect_snapshot(world_, "c", 0, first_);
  expect_snapshot(world_, "c", 1, second);
}

TEST_P(FormerRecords, OneHomeAloneWithAFalseOneIsPassedOver) {
  learn_homes();
  put(evil(GetParam(), 1), 1);
  world_.lose_computer("a");
  EXPECT_TRUE(recover_all("b").empty()) << "others have the newest";
  expect_snapshot(world_, "b", 0, first_);
}

TEST_P(FormerRecords, TheLivingOwnerGoesOn) {
  learn_homes();
  for (const unsigned homes : {1u, kHomes}) {
    SCOPED_TRACE(homes);
    put(evil(GetParam(), 1), homes);
    const std::uint64_t before = version_;
    {
      auto session = world_.open("a");
      ASSERT_TRUE(session) << session.error().detail;
      EXPECT_EQ(session->vault->snapshots().size(), homes == 1 ? 1u : 2u);
    }
    ASSERT_TRUE(save(world_, "a", few_files(world_)));
    auto session = world_.open("a");
    ASSERT_TRUE(session) << session.error().detail;
    EXPECT_EQ(session->record->record.version, before + 2);
    const auto report = world_.run(session->vault->standing());
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->homes_lacking.empty());
    EXPECT_EQ(report->margin, 1);
  }
  world_.lose_computer("a");
  world_.recover("b", 0);
  expect_snapshot(world_, "b", 0, first_);
}

TEST_P(FormerRecords, TheHighestVersionLocksNobodyOut) {
  learn_homes();
  evil(GetParam(), 1);  // says what the own version is
  const Bytes highest = evil(GetParam(), UINT64_MAX - version_);
  for (const auto& done : put(highest, kHomes)) EXPECT_EQ(done.error().code, Errc::invalid);
  overwrite(highest, kHomes);
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(save(world_, "a", few_files(world_)));
    auto session = world_.open("a");
    ASSERT_TRUE(session) << session.error().detail;
    EXPECT_LT(session->record->record.version, version_ + 5);
    const auto report = world_.run(session->vault->standing());
    ASSERT_TRUE(report);
    EXPECT_TRUE(report->homes_lacking.empty());
    EXPECT_EQ(report->margin, 1);
  }
  world_.lose_computer("a");
  world_.recover("b", 2);
  expect_snapshot(world_, "b", 0, first_);
}

INSTANTIATE_TEST_SUITE_P(All, FormerRecords, ::testing::ValuesIn(kSpoils),
                         [](const auto& spoil) { return std::string(spoil.param.name); });

TEST(FormerRecordsAlone, BringBackWhatTheLostNewestWould) {
  World world(testing::seed_of_run(), kHomes);
  world.init("a");
  const Files first = few_files(world);
  ASSERT_TRUE(save(world, "a", first));
  DeviceId device;
  {
    auto session = world.open("a");
    ASSERT_TRUE(session) << session.error().detail;
    device = session->device->id;
    wire::VaultPrivate content = session->record->content;
    content.name = "Ann's";
    auto next = next_record(*session->record, *session->device, content, world.platform().random(),
                            world.platform().clock().unix_ns());
    ASSERT_TRUE(next) << next.error().detail;
    world.run(publish_records(*session->homes, *next));
  }
  world.settle();
  for (unsigned home = 0; home < kHomes; ++home) {
    const std::string path = world.home_path(home) + "/vaults/" + world.root().vault().hex() + "/record-";
    ASSERT_TRUE(world.platform().disk().remove(path + device.hex()));
  }
  world.lose_computer("a");
  const auto unread = world.try_recover("b", {.newest_readable = true});
  ASSERT_TRUE(unread) << unread.error().detail;
  EXPECT_TRUE(unread->empty());
  expect_snapshot(world, "b", 0, first);
}

/// Where a false record lies in one home, and the right one in another that was away, who shut that computer out has
/// none of its keys: whoever has the words needs that record.
TEST(FormerRecordsOfWhoIsShutOut, AreGivenToHomesThatHaveNone) {
  World world(testing::seed_of_run(), 4);
  world.init("a");
  ASSERT_TRUE(save(world, "a", few_files(world)));
  for (const unsigned home : {0u, 1u}) world.lose_home(home);
  ASSERT_TRUE(world.try_recover("b"));
  const Files by_b = few_files(world);
  ASSERT_TRUE(save(world, "b", by_b));
  std::string path_of_b;
  Bytes evil_bytes;
  {
    auto session = world.open("b");
    ASSERT_TRUE(session) << session.error().detail;
    path_of_b = "/vaults/" + world.root().vault().hex() + "/record-" + session->device->id.hex();
    wire::VaultRecord evil = session->vault->record().record;
    evil.version += 1;
    for (wire::KeyWrap& wrap : evil.wraps) world.platform().random().fill(wrap.sealed);
    evil_bytes = wire::encode(wire::sign(session->device->signing, wire::kSignVaultRecord, wire::encode(evil)));
    ASSERT_TRUE(platform::replace_file(world.platform().disk(), world.home_path(2) + path_of_b, evil_bytes));
  }
  for (const unsigned home : {0u, 1u}) world.find_home(home);
  world.lose_home(3);
  ASSERT_TRUE(world.try_recover("c"));
  world.find_home(3);
  ASSERT_TRUE(save(world, "c", few_files(world)));
  auto read = [&](unsigned home) {
    return platform::read_file(world.platform().disk(), world.home_path(home) + path_of_b, 1_MiB);
  };
  const auto right = read(3);
  ASSERT_TRUE(right);
  for (const unsigned home : {0u, 1u}) {
    const auto copied = read(home);
    ASSERT_TRUE(copied) << copied.error().detail;
    EXPECT_EQ(*copied, *right);
  }
  world.settle();
  ASSERT_TRUE(platform::replace_file(world.platform().disk(), world.home_path(3) + path_of_b, evil_bytes));
  const auto unread = world.try_recover("d");
  ASSERT_TRUE(unread) << unread.error().detail;
  EXPECT_TRUE(unread->empty()) << unread->front().reason;
  auto session = world.open("d");
  ASSERT_TRUE(session) << session.error().detail;
  ASSERT_EQ(session->vault->snapshots().size(), 3u);
  session = fail(Errc::canceled, "closed");
  expect_snapshot(world, "d", 1, by_b);
}

TEST(FormerRecordsByDate, WhatAThiefTookOffTheListIsOnItAgain) {
  World world(testing::seed_of_run(), kHomes);
  world.init("a");
  const Files first = few_files(world);
  ASSERT_TRUE(save(world, "a", first));
  world.pass_time(std::chrono::hours(48));
  const std::int64_t before_s = world.platform().clock().unix_ns() / 1'000'000'000 - 3'600;
  {
    auto session = world.open("a");
    ASSERT_TRUE(session) << session.error().detail;
    wire::VaultPrivate content = session->record->content;
    content.homes.pop_back();
    auto evil = next_record(*session->record, *session->device, content, world.platform().random(),
                            world.platform().clock().unix_ns());
    ASSERT_TRUE(evil) << evil.error().detail;
    world.run(publish_records(*session->homes, *evil));
  }
  world.lose_computer("a");
  const auto listed = [&](const std::string& computer, OpenHow how) {
    EXPECT_TRUE(world.try_recover(computer, how));
    auto session = world.open(computer);
    EXPECT_TRUE(session) << session.error().detail;
    return session ? session->record->content.homes.size() : 0;
  };
  EXPECT_EQ(listed("b", {.newest_readable = true}), kHomes - 1);
  EXPECT_EQ(listed("c", {.newest_readable = true, .as_of_s = before_s}), kHomes);
  expect_snapshot(world, "c", 0, first);
}

/// Nothing else opens it as long as the newest record is whole.
TEST(FormerRecordsFile, ADamagedOneIsNamedByCheckAndMendedByRepair) {
  World world(testing::seed_of_run(), kHomes);
  world.init("a");
  ASSERT_TRUE(save(world, "a", few_files(world)));
  world.add_home("a");  // the record is replaced
  const std::string folder = world.home_path(1) + "/vaults/" + world.root().vault().hex();
  const auto names = world.platform().disk().list(folder);
  ASSERT_TRUE(names);
  const auto name = std::ranges::find_if(*names, [](const std::string& one) { return one.starts_with("former-"); });
  ASSERT_NE(name, names->end());
  EXPECT_TRUE(testing::check(world, "a").homes_bad.empty());
  world.settle();
  const std::string path = folder + "/" + *name;
  world.platform().memory_disk().flip_bit(path, 8 * (world.platform().disk().info(path)->size - 1));
  {
    auto session = world.open("a");
    ASSERT_TRUE(session) << session.error().detail;
    auto report = world.run(session->vault->check(0, {}));
    ASSERT_TRUE(report) << report.error().detail;
    EXPECT_EQ(report->homes_bad, std::vector{session->homes->members()[1].id});
    ASSERT_EQ(session->homes->troubles().size(), 1u);
    EXPECT_NE(session->homes->troubles()[0].detail.find("former-"), std::string::npos);
    EXPECT_EQ(world.run(session->vault->standing())->margin, report->margin) << "the home counts all the same";
  }
  {
    auto session = world.open("a");
    ASSERT_TRUE(session) << session.error().detail;
    auto repaired = world.run(session->vault->repair(false, {}, false, {}));
    ASSERT_TRUE(repaired) << repaired.error().detail;
    EXPECT_EQ(repaired->homes_mended, 1u);
  }
  EXPECT_TRUE(testing::check(world, "a").homes_bad.empty());
  EXPECT_TRUE(world.platform().disk().info(path + ".damaged-1"));
}

}  // namespace
}  // namespace mhp::vault
