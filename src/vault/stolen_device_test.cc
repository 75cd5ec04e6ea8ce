// What the holder of a stolen computer's keys writes into one home takes nothing from the owner.
#include <gtest/gtest.h>

#include <optional>

#include "primitives/hash/blake3.h"
#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

using testing::expect_snapshot;
using testing::few_files;
using testing::Files;
using testing::save;
using testing::World;

constexpr unsigned kRobbedHomes = 4;
constexpr unsigned kEvilHome = 3;

/// What is false in a record.
enum class False { all, data_key, record_key, secrets, for_phrase_only };

class StolenDevice : public ::testing::TestWithParam<False> {
 protected:
  std::optional<World> world_{std::in_place, testing::seed_of_run(), kRobbedHomes};

  /// Into one home, a newer record of the computer's own device.
  Bytes write_evil_record(const std::string& computer) {
    platform::Random& random = world_->platform().random();
    State state(world_->platform().disk(), world_->state_path(computer));
    const auto device = state.device();
    const auto known = state.records();
    EXPECT_TRUE(device && known);
    auto evil = join_records(*known, *device);
    EXPECT_TRUE(evil) << evil.error().detail;
    const False what = GetParam();
    const bool is_all = what == False::all || what == False::for_phrase_only;
    const OpenRecord honest = *evil;
    for (wire::EpochKey& key : evil->keys.epochs) {
      if (is_all || what == False::data_key) key.data_key = random.array<32>();
      if (is_all || what == False::record_key) key.record_key = random.array<32>();
    }
    if (is_all || what == False::secrets) evil->keys.dedup_secret = random.array<32>();
    auto next = next_record(*evil, *device, evil->content, random, world_->platform().clock().unix_ns());
    EXPECT_TRUE(next) << next.error().detail;
    Bytes written = next->signed_bytes;
    if (what == False::for_phrase_only) written = with_phrase_wrap(honest, *device, next->record.wraps.front());
    std::vector<dispersal::Member> members = world_->members(next->content.homes);
    EXPECT_TRUE(world_->run(members[kEvilHome].home->put_vault_record(written)));
    return written;
  }

  Bytes with_phrase_wrap(const OpenRecord& honest, const Device& device, const wire::KeyWrap& wrap) {
    auto next = next_record(honest, device, honest.content, world_->platform().random(), 5);
    EXPECT_TRUE(next && wrap.for_recovery && next->record.wraps.front().for_recovery);
    next->record.wraps.front() = wrap;
    return wire::encode(wire::sign(device.signing, wire::kSignVaultRecord, wire::encode(next->record)));
  }

  /// `knows_the_other`: the stolen computer had heard of the other one, so its record has a wrap for that.
  void expect_named(const Bytes& evil, bool knows_the_other) {
    // What is false for the phrase alone nobody else can see: it is spread, and harms nothing.
    const bool is_seen = GetParam() != False::for_phrase_only && knows_the_other;
    const bool is_spread = GetParam() == False::for_phrase_only && knows_the_other;
    {
      auto session = world_->open("b");
      ASSERT_TRUE(session) << session.error().detail;
      const HomeId bad = session->homes->members()[kEvilHome].id;
      EXPECT_EQ(std::ranges::any_of(session->homes->troubles(),
                                    [&](const dispersal::Trouble& trouble) {
                                      return trouble.home == bad &&
                                             trouble.kind == dispersal::TroubleKind::wrong_record;
                                    }),
                is_seen);
      auto report = world_->run(session->vault->standing());
      ASSERT_TRUE(report);
      EXPECT_EQ(report->homes_lacking, is_seen ? std::vector<HomeId>{bad} : std::vector<HomeId>());
    }
    for (unsigned home = 0; home < kRobbedHomes; ++home) {
      const auto records = records_in(home);
      EXPECT_EQ(std::ranges::count(records, evil), home == kEvilHome || is_spread ? 1 : 0) << home;
      EXPECT_EQ(records.size(), 2u) << home;
    }
  }

  void check_two(bool knows_the_other) {
    world_.emplace(testing::seed_of_run(), kRobbedHomes);
    world_->init("a");
    const Files first = few_files(*world_);
    ASSERT_TRUE(save(*world_, "a", first));
    world_->recover("b", 0, Earlier::keep);
    if (knows_the_other) ASSERT_TRUE(world_->open("a"));
    const Files second = few_files(*world_);
    ASSERT_TRUE(save(*world_, "b", second));
    const Bytes evil = write_evil_record("a");
    const Files third = few_files(*world_);
    ASSERT_TRUE(save(*world_, "b", third));
    expect_named(evil, knows_the_other);
    world_->lose_computer("a");
    world_->lose_computer("b");
    for (const unsigned from : {kEvilHome, 0u}) {
      const std::string computer = "c" + std::to_string(from);
      world_->recover(computer, from);
      expect_snapshot(*world_, computer, 0, first);
      expect_snapshot(*world_, computer, 1, second);
      expect_snapshot(*world_, computer, 2, third);
    }
  }

  std::vector<Bytes> records_in(unsigned home) {
    world_->settle();
    auto session = world_->open("b");
    EXPECT_TRUE(session) << session.error().detail;
    std::vector<home::Home*> one{session->homes->members()[home].home.get()};
    return world_->run(seen_records(one, world_->root().vault())).records;
  }
};

TEST_P(StolenDevice, ItsRecordIsNotSpreadAndTheWordsAreEnough) {
  for (const bool knows_the_other : {true, false}) {
    SCOPED_TRACE(knows_the_other);
    check_two(knows_the_other);
  }
}

TEST_P(StolenDevice, OfOneComputerAloneWhatOpensIsBelieved) {
  world_->init("a");
  const Files first = few_files(*world_);
  ASSERT_TRUE(save(*world_, "a", first));
  write_evil_record("a");
  world_->lose_computer("a");
  auto unread = world_->try_recover("b");
  ASSERT_TRUE(unread) << unread.error().detail;
  EXPECT_TRUE(unread->empty());
  expect_snapshot(*world_, "b", 0, first);
  const Files second = few_files(*world_);
  ASSERT_TRUE(save(*world_, "b", second));
  // And by what the new computer has in its own record alone.
  world_->lose_computer("b");
  world_->lose_home(kEvilHome);
  ASSERT_TRUE(world_->try_recover("c"));
  expect_snapshot(*world_, "c", 0, first);
  expect_snapshot(*world_, "c", 1, second);
}

TEST_P(StolenDevice, ItsOwnerGoesOnWithAnIntactState) {
  world_->init("a");
  const Files first = few_files(*world_);
  ASSERT_TRUE(save(*world_, "a", first));
  write_evil_record("a");  // by who copied the state folder
  const Files second = few_files(*world_);
  ASSERT_TRUE(save(*world_, "a", second));
  world_->lose_computer("a");
  for (unsigned home = 0; home < kEvilHome; ++home) world_->lose_home(home);
  world_->find_home(1);
  world_->find_home(2);
  world_->recover("b", kEvilHome);
  expect_snapshot(*world_, "b", 0, first);
  expect_snapshot(*world_, "b", 1, second);
}

INSTANTIATE_TEST_SUITE_P(All, StolenDevice,
                         ::testing::Values(False::all, False::data_key, False::record_key, False::secrets,
                                           False::for_phrase_only));

}  // namespace
}  // namespace mhp::vault
