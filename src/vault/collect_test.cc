// Forgetting and giving space back: what is listed restores, whatever happens beside and between; what is not goes.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/test_run.h"
#include "vault/impl/statements.h"
#include "vault/impl/vault_impl.h"
#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

using testing::back_up;
using testing::check;
using testing::expect_snapshot;
using testing::few_files;
using testing::Files;
using testing::forget;
using testing::read_back;
using testing::save;
using testing::World;
using namespace std::chrono_literals;

constexpr auto kDay = 24h;

/// A vault that computer "a" has begun.
struct OneDevice : World {
  explicit OneDevice(unsigned homes = 6) : World(testing::seed_of_run(), homes) { init("a"); }
};

/// One with a snapshot, that computer "b" writes too.
struct TwoDevices : OneDevice {
  TwoDevices() {
    EXPECT_TRUE(save(*this, "a", few_files(*this)));
    recover("b", 0, Earlier::keep);
  }
};

/// More than the hold, in visits by this computer: each lets at most ten days count.
void pass_the_hold(World& world, const std::string& computer) {
  for (int visit = 0; visit < 6; ++visit) {
    world.pass_time(9 * kDay);
    auto collected = forget(world, computer, {});
    ASSERT_TRUE(collected) << collected.error().detail;
    EXPECT_EQ(collected->held_back, "");
    for (const auto& problem : collected->problems) ADD_FAILURE() << problem;
  }
}

std::size_t count_snapshots(World& world, const std::string& computer) {
  auto session = world.open(computer);
  EXPECT_TRUE(session) << session.error().detail;
  return session ? session->vault->snapshots().size() : 0;
}

TEST(Forget, OnlyWhatWasNamedGoes) {
  OneDevice world;
  std::vector<Files> files;
  for (int i = 0; i < 3; ++i) {
    files.push_back(few_files(world));
    ASSERT_TRUE(save(world, "a", files.back()));
  }
  auto done = forget(world, "a", {1});
  ASSERT_TRUE(done) << done.error().detail;
  EXPECT_EQ(done->forgotten, 1u);
  EXPECT_EQ(done->held_back, "");
  EXPECT_EQ(done->segments_dropped, 1u);
  EXPECT_GE(done->segments_condemned, 2u);  // content, and the index of former heads
  ASSERT_EQ(count_snapshots(world, "a"), 2u);
  expect_snapshot(world, "a", 0, files[0]);
  expect_snapshot(world, "a", 1, files[2]);
  EXPECT_EQ(check(world, "a").condemned, 0u);
  pass_the_hold(world, "a");
  world.lose_computer("a");
  world.recover("b", 2);
  ASSERT_EQ(count_snapshots(world, "b"), 2u);
  expect_snapshot(world, "b", 0, files[0]);
  expect_snapshot(world, "b", 1, files[2]);
}

TEST(Forget, WhatIsNotThereIsAnError) {
  OneDevice world;
  ASSERT_TRUE(save(world, "a", few_files(world)));
  auto session = world.open("a");
  ASSERT_TRUE(session);
  CollectOptions options;
  options.forget = {SnapshotId{}};
  auto done = world.run(forget(*session->vault, options));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Errc::not_found);
}

TEST(Forget, ADryRunChangesNothing) {
  OneDevice world;
  Files files = few_files(world);
  ASSERT_TRUE(save(world, "a", files));
  auto before = world.used_bytes();
  {
    auto session = world.open("a");
    ASSERT_TRUE(session);
    CollectOptions options;
    options.forget = {session->vault->snapshots()[0].id};
    options.dry_run = true;
    auto done = world.run(forget(*session->vault, options));
    ASSERT_TRUE(done);
    EXPECT_EQ(done->segments_dropped, 1u);
    EXPECT_GT(done->dead_bytes, 0u);
    EXPECT_EQ(done->segments_condemned, 0u);
  }
  EXPECT_EQ(world.used_bytes(), before);
  expect_snapshot(world, "a", 0, files);
}

TEST(Forget, AllOfThemAndThenAFirstAgain) {
  OneDevice world;
  ASSERT_TRUE(save(world, "a", few_files(world)));
  ASSERT_TRUE(save(world, "a", few_files(world)));
  ASSERT_TRUE(forget(world, "a", {0, 1}));
  EXPECT_EQ(count_snapshots(world, "a"), 0u);
  pass_the_hold(world, "a");
  Files files = few_files(world);
  ASSERT_TRUE(save(world, "a", files));
  expect_snapshot(world, "a", 0, files);
}

TEST(Collect, SpaceComesBackAfterTheHoldAndNotBefore) {
  OneDevice world;
  Files small = few_files(world);
  ASSERT_TRUE(save(world, "a", small));
  auto little = world.used_bytes();
  ASSERT_TRUE(save(world, "a", {{"large", world.noise(20'000'000)}}));
  auto much = world.used_bytes();
  ASSERT_TRUE(forget(world, "a", {1}));
  world.pass_time(9 * kDay);
  ASSERT_TRUE(forget(world, "a", {}));
  EXPECT_GE(world.used_bytes(), much);
  pass_the_hold(world, "a");
  EXPECT_LT(world.used_bytes(), little + (much - little) / 10);
  expect_snapshot(world, "a", 0, small);
}

TEST(Collect, TheSameContentIsStoredAgainWhileItIsCondemned) {
  OneDevice world;
  Files files = few_files(world);
  ASSERT_TRUE(save(world, "a", few_files(world)));
  ASSERT_TRUE(save(world, "a", files));
  ASSERT_TRUE(forget(world, "a", {1}));
  ASSERT_TRUE(save(world, "a", files));
  pass_the_hold(world, "a");
  expect_snapshot(world, "a", 1, files);
}

TEST(Collect, WhatIsLeftInHalfEmptySegmentsMovesTogether) {
  OneDevice world;
  Files stays{{"stays", world.noise(1'000'000)}, {"stays too", world.noise(300)}};
  Files both = stays;
  both["goes"] = world.noise(6'000'000);
  ASSERT_TRUE(save(world, "a", both));
  ASSERT_TRUE(save(world, "a", stays));
  auto much = world.used_bytes();
  auto done = forget(world, "a", {0});
  ASSERT_TRUE(done) << done.error().detail;
  EXPECT_GE(done->segments_repacked, 1u);
  EXPECT_GE(done->moved_bytes, 300u);
  expect_snapshot(world, "a", 0, stays);
  pass_the_hold(world, "a");
  EXPECT_LT(world.used_bytes(), much / 2);
  expect_snapshot(world, "a", 0, stays);
  world.lose_computer("a");
  world.recover("b", 0);
  expect_snapshot(world, "b", 0, stays);
}

TEST(Collect, WithoutRepackingOnlyWholeSegmentsGo) {
  OneDevice world;
  Files stays{{"stays", world.noise(1'000'000)}};
  Files both = stays;
  both["goes"] = world.noise(2'000'000);
  ASSERT_TRUE(save(world, "a", both));
  ASSERT_TRUE(save(world, "a", stays));
  auto done = forget(world, "a", {0}, /*repack=*/false);
  ASSERT_TRUE(done) << done.error().detail;
  EXPECT_EQ(done->segments_repacked, 0u);
  EXPECT_EQ(done->moved_bytes, 0u);
  expect_snapshot(world, "a", 0, stays);
}

TEST(Collect, ManySmallBackupsBecomeFewSegments) {
  OneDevice world(3);
  std::vector<Files> files;
  for (int day = 0; day < 60; ++day) {
    files.push_back({{"one", world.noise(2'000)}});
    ASSERT_TRUE(save(world, "a", files.back()));
    world.pass_time(kDay);
    if (files.size() < 20) continue;
    ASSERT_TRUE(forget(world, "a", {0}));
    files.erase(files.begin());
  }
  auto report = check(world, "a");
  EXPECT_LT(report.segments, 45u);  // of content and of the index
  EXPECT_EQ(report.unrestorable, 0u);
  for (std::size_t i = 0; i < files.size(); ++i) expect_snapshot(world, "a", i, files[i]);
}

TEST(Collect, WhatCannotBeReadStopsItAndNothingIsLost) {
  OneDevice world;
  Files files = few_files(world);
  ASSERT_TRUE(save(world, "a", few_files(world)));
  ASSERT_TRUE(save(world, "a", files));
  auto before = world.used_bytes();
  {
    auto session = world.open("a");
    ASSERT_TRUE(session);
    CollectOptions options;
    options.forget = {session->vault->snapshots()[0].id};
    auto collector = world.run(session->vault->begin_collect(options));
    ASSERT_TRUE(collector);
    auto done = world.run((*collector)->finish(Error{Errc::unavailable, "a page"}, Progress()));
    ASSERT_TRUE(done);
    EXPECT_EQ(done->held_back, "a page");
    EXPECT_EQ(done->segments_condemned, 0u);
  }
  ASSERT_EQ(count_snapshots(world, "a"), 1u);
  expect_snapshot(world, "a", 0, files);
  EXPECT_GE(world.used_bytes(), before);
  {
    // Not followed at all: the same.
    auto session = world.open("a");
    ASSERT_TRUE(session);
    auto collector = world.run(session->vault->begin_collect({}));
    ASSERT_TRUE(collector);
    auto done = world.run((*collector)->finish(std::nullopt, Progress()));
    ASSERT_TRUE(done);
    EXPECT_NE(done->held_back, "");
    EXPECT_EQ(done->segments_condemned, 0u);
  }
  auto again = forget(world, "a", {});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->held_back, "");
  EXPECT_GT(again->segments_condemned, 0u);
  pass_the_hold(world, "a");
  expect_snapshot(world, "a", 0, files);
}

TEST(Collect, AHomeThatWasAwayIsToldLater) {
  OneDevice world;
  Files stays = few_files(world);
  ASSERT_TRUE(save(world, "a", stays));
  ASSERT_TRUE(save(world, "a", {{"large", world.noise(6'000'000)}}));
  world.lose_home(3);
  ASSERT_TRUE(forget(world, "a", {1}));
  pass_the_hold(world, "a");
  world.find_home(3);
  auto much = world.used_bytes();
  auto later = forget(world, "a", {});
  ASSERT_TRUE(later);
  EXPECT_GT(later->segments_condemned, 0u);
  EXPECT_EQ(later->segments_unknown, 0u);
  pass_the_hold(world, "a");
  EXPECT_LT(world.used_bytes(), much);
  {
    auto session = world.open("a");  // rows of what was written while it was away
    ASSERT_TRUE(session);
    ASSERT_TRUE(world.run(session->vault->repair(false, {}, false, Progress())));
  }
  EXPECT_EQ(check(world, "a").rows_missing, 0u);
  expect_snapshot(world, "a", 0, stays);
}

TEST(Collect, AnInterruptedBackupIsGoneOnWithAndAnAbandonedOneGoes) {
  OneDevice world;
  Files stays = few_files(world);
  ASSERT_TRUE(save(world, "a", stays));
  Files large{{"large", world.noise(9'000'000)}};
  {
    auto session = world.open("a");
    ASSERT_TRUE(session);
    ASSERT_TRUE(world.run(testing::back_up_without_end(world.platform(), *session->vault, large)));
    world.run(session->homes->commit());
  }
  auto much = world.used_bytes();
  ASSERT_TRUE(forget(world, "a", {}));
  pass_the_hold(world, "a");
  EXPECT_LT(world.used_bytes(), much / 2);
  expect_snapshot(world, "a", 0, stays);
  ASSERT_TRUE(save(world, "a", large));
  expect_snapshot(world, "a", 1, large);
}

// --- Two devices ---

TEST(TwoDevices, AnOlderTopDoesNotBringBackWhatWasForgotten) {
  TwoDevices world;
  Files of_a = few_files(world), of_b = few_files(world);
  ASSERT_TRUE(save(world, "a", of_a));
  ASSERT_TRUE(save(world, "b", of_b));
  ASSERT_TRUE(forget(world, "a", {0}));
  for (const char* computer : {"a", "b"}) {
    ASSERT_EQ(count_snapshots(world, computer), 2u);
    expect_snapshot(world, computer, 0, of_a);
    expect_snapshot(world, computer, 1, of_b);
  }
  auto done = forget(world, "b", {0});
  ASSERT_TRUE(done) << done.error().detail;
  EXPECT_EQ(done->held_back, "");
  ASSERT_EQ(count_snapshots(world, "a"), 1u);
  expect_snapshot(world, "a", 0, of_b);
  pass_the_hold(world, "a");
  pass_the_hold(world, "b");
  expect_snapshot(world, "a", 0, of_b);
  expect_snapshot(world, "b", 0, of_b);
}

TEST(TwoDevices, ASnapshotThatWasForgottenBesideABackupStaysForgotten) {
  TwoDevices world;
  Files of_b = few_files(world);
  auto session = world.open("b");
  ASSERT_TRUE(session);
  auto writer = world.run(session->vault->begin_write({}));
  ASSERT_TRUE(writer);
  writer->reset();
  // b has opened the vault, and writes after a has forgotten.
  {
    auto beside = world.open("a");
    ASSERT_TRUE(beside);
    CollectOptions options;
    options.forget = {beside->vault->snapshots()[0].id};
    auto done = world.run(forget(*beside->vault, options));
    ASSERT_TRUE(done) << done.error().detail;
  }
  world.settle();
  auto saved = world.run(back_up(world.platform(), *session->vault, of_b));
  ASSERT_TRUE(saved) << saved.error().detail;
  session = fail(Errc::canceled, "closed");
  for (const char* computer : {"a", "b"}) {
    ASSERT_EQ(count_snapshots(world, computer), 1u);
    expect_snapshot(world, computer, 0, of_b);
  }
  pass_the_hold(world, "a");
  pass_the_hold(world, "b");
  for (const char* computer : {"a", "b"}) expect_snapshot(world, computer, 0, of_b);
}

/// One device backs up what only a snapshot has that the other one forgets meanwhile: wherever the two meet, the new
/// snapshot is there after the hold. `forget_at`: before which step of the backup the other one does all of its work.
void race(unsigned forget_at, bool repack) {
  SCOPED_TRACE("forget before step " + std::to_string(forget_at) + (repack ? ", moving" : ""));
  TwoDevices world;
  Files shared{{"shared", world.noise(700'000)}, {"small", world.noise(300)}};
  Files first = shared;
  if (repack) first["goes"] = world.noise(4'000'000);
  auto earlier = save(world, "a", first);
  ASSERT_TRUE(earlier);
  unsigned step = 0;
  auto may_forget = [&] {
    if (step++ != forget_at) return;
    auto beside = world.open("a");
    ASSERT_TRUE(beside);
    CollectOptions options;
    options.forget = {earlier->snapshot};
    auto done = world.run(forget(*beside->vault, options));
    // A home lets one write at a time: whoever comes second is told so, and nothing was changed by it.
    if (!done) EXPECT_EQ(done.error().code, Errc::busy) << done.error().detail;
    beside = fail(Errc::canceled, "closed");
    world.settle();
  };
  may_forget();  // 0: before the vault is opened
  SnapshotId made;
  {
    auto session = world.open("b");
    ASSERT_TRUE(session);
    may_forget();  // 1: heads and index are read
    auto writer = world.run(session->vault->begin_write({}));
    ASSERT_TRUE(writer) << writer.error().detail;
    may_forget();  // 2: what is condemned was looked at
    auto packer = (*writer)->new_packer();
    Bytes list;
    for (const auto& [name, content] : shared) {
      list.insert(list.end(), as_bytes(name).begin(), as_bytes(name).end());
      list.push_back(std::byte{0});
      for (unsigned i = 0; i < 4; ++i) list.push_back(static_cast<std::byte>(i == 0 ? 1 : 0));
      ChunkId id = packer->add(content);
      list.insert(list.end(), id.bytes().begin(), id.bytes().end());
    }
    list.push_back(std::byte{0});
    may_forget();  // 3: it refers to what is there
    wire::SnapshotRecord record;
    record.page_list = packer->add(list);
    if (!packer->empty()) ASSERT_TRUE(world.run((*writer)->store((*writer)->seal(*packer))));
    may_forget();  // 4: it has begun to write
    record.time_ns = world.platform().clock().unix_ns();
    auto done = world.run((*writer)->finish(record));
    ASSERT_TRUE(done) << done.error().detail;
    made = done->snapshot;
  }
  may_forget();  // 5: it is done
  pass_the_hold(world, "a");
  pass_the_hold(world, "b");
  for (const char* computer : {"a", "b"}) {
    auto session = world.open(computer);
    ASSERT_TRUE(session) << session.error().detail;
    auto snapshot = std::ranges::find(session->vault->snapshots(), made, &wire::SnapshotRecord::id);
    ASSERT_NE(snapshot, session->vault->snapshots().end()) << computer;
    auto back = world.run(read_back(*session->vault, *snapshot));
    ASSERT_TRUE(back) << computer << ": " << back.error().detail;
    EXPECT_TRUE(*back == shared) << computer;
  }
}

TEST(TwoDevices, WhatAWriterRefersToStays) {
  for (bool repack : {false, true}) {
    for (unsigned step = test_run::stride() > 1 ? static_cast<unsigned>(repack) : 0; step < 6 && !HasFatalFailure();
         step += test_run::stride() > 1 ? 2 : 1)
      race(step, repack);
  }
}

TEST(TwoDevices, AnothersUnfinishedBackupIsLeftAloneForTwoWeeks) {
  TwoDevices world;
  ASSERT_TRUE(save(world, "b", few_files(world)));
  Files large{{"large", world.noise(5'000'000)}};
  {
    auto session = world.open("b");
    ASSERT_TRUE(session);
    ASSERT_TRUE(world.run(testing::back_up_without_end(world.platform(), *session->vault, large)));
    world.run(session->homes->commit());
  }
  auto done = forget(world, "a", {});
  ASSERT_TRUE(done);
  EXPECT_GE(done->segments_unknown, 1u);
  world.pass_time(13 * kDay);
  done = forget(world, "a", {});
  ASSERT_TRUE(done);
  EXPECT_GE(done->segments_unknown, 1u);
  auto condemned = done->segments_condemned;
  world.pass_time(2 * kDay);
  done = forget(world, "a", {});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->segments_unknown, 0u);
  EXPECT_GT(done->segments_condemned, condemned);
  // The other one comes back and saves it after all.
  auto saved = save(world, "b", large);
  ASSERT_TRUE(saved) << saved.error().detail;
  pass_the_hold(world, "a");
  pass_the_hold(world, "b");
  expect_snapshot(world, "a", 2, large);
}

TEST(TwoDevices, WhoSeesAnOlderStateThanBeforeCollectsNothing) {
  TwoDevices world;
  ASSERT_TRUE(save(world, "b", few_files(world)));
  ASSERT_TRUE(save(world, "b", few_files(world)));
  ASSERT_EQ(count_snapshots(world, "a"), 3u);
  for (unsigned i = 0; i < 6; ++i) world.spoil_home(i, testing::Fault::shows_first_head_only);
  auto done = forget(world, "a", {});
  if (done) EXPECT_NE(done->held_back, "");
  for (unsigned i = 0; i < 6; ++i) world.spoil_home(i, testing::Fault::none);
  EXPECT_EQ(count_snapshots(world, "a"), 3u);
  EXPECT_EQ(check(world, "a").condemned, 0u);
}

// --- Somebody wants to destroy ---

/// All that homes hold is condemned by a device's own key.
void condemn_everything(World& world, const std::string& computer) {
  auto session = world.open(computer);
  ASSERT_TRUE(session);
  auto& vault = static_cast<impl::VaultImpl&>(*session->vault);
  std::map<std::size_t, std::vector<SegmentId>> all;
  for (std::size_t member = 0; member < session->homes->members().size(); ++member) {
    auto held = world.run(session->homes->list(member));
    ASSERT_TRUE(held);
    for (const auto& segment : *held) all[member].push_back(segment.segment);
  }
  auto took = world.run(impl::send_statements(vault, impl::StatementKind::tombstone, session->device->signing, all));
  EXPECT_EQ(took.size(), session->homes->members().size());
}

TEST(Destroyer, WhatIsNeededAndCondemnedIsTakenBackAndTold) {
  TwoDevices world;
  Files files = few_files(world);
  ASSERT_TRUE(save(world, "a", files));
  condemn_everything(world, "b");
  {
    auto session = world.open("a");
    ASSERT_TRUE(session);
    auto report = world.run(session->vault->check(0, Progress()));
    ASSERT_TRUE(report);
    EXPECT_GT(report->condemned, 0u);
    EXPECT_EQ(session->vault->reprieved_segments(), report->condemned);
  }
  EXPECT_EQ(check(world, "a").condemned, 0u);
  condemn_everything(world, "b");
  auto saved = save(world, "a", few_files(world));  // a backup does the same
  ASSERT_TRUE(saved);
  EXPECT_EQ(check(world, "a").condemned, 0u);
  pass_the_hold(world, "a");
  expect_snapshot(world, "a", 1, files);
  EXPECT_EQ(check(world, "a").rows_missing, 0u);
}

TEST(Destroyer, ForgotAndCondemnedEverythingAndTheWordsBringItBack) {
  TwoDevices world;
  Files files = few_files(world);
  ASSERT_TRUE(save(world, "a", files));
  std::vector<wire::SeenHead> good;
  {
    auto session = world.open("a");
    ASSERT_TRUE(session);
    good = session->vault->believed_heads();
  }
  const std::int64_t date_ns = world.platform().clock().unix_ns();
  world.pass_time(std::chrono::seconds(2));
  ASSERT_TRUE(forget(world, "b", {0, 1}));
  condemn_everything(world, "b");
  world.pass_time(20 * kDay);
  EXPECT_EQ(count_snapshots(world, "a"), 0u);
  // The owner shuts both out at the heads that homes had taken by that date, as `recover --as-of` does.
  {
    auto session = world.open("a");
    ASSERT_TRUE(session);
    auto device = make_device(world.root().vault(), world.platform().random());
    std::erase_if(good, [](const auto& head) { return head.seq == 0; });
    auto next = recovered_record(*session->record, world.root(), device, good, world.platform().random(), date_ns,
                                 Earlier::distrusted);
    ASSERT_TRUE(next) << next.error().detail;
    State state(world.platform().disk(), world.state_path("c"));
    ASSERT_TRUE(state.create(device, *next));
    world.run(publish_records(*session->homes, *next));
  }
  {
    auto session = world.open("c");
    ASSERT_TRUE(session) << session.error().detail;
    ASSERT_EQ(session->vault->snapshots().size(), 2u);
    auto reprieved = world.run(session->vault->reprieve_all(world.root().identity()));
    ASSERT_TRUE(reprieved);
    EXPECT_GT(*reprieved, 0u);
  }
  EXPECT_EQ(check(world, "c").condemned, 0u);
  ASSERT_TRUE(save(world, "c", few_files(world)));
  pass_the_hold(world, "c");
  expect_snapshot(world, "c", 1, files);
}

}  // namespace
}  // namespace mhp::vault
