// A device that is not shut out and says of chunks that they lie where they do not takes nothing from another device.
#include <gtest/gtest.h>

#include "primitives/hash/blake3.h"
#include "vault/impl/segment_seal.h"
#include "vault/impl/statements.h"
#include "vault/impl/survey.h"
#include "vault/impl/writer.h"
#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

using testing::expect_snapshot;
using testing::few_files;
using testing::Files;
using testing::forget;
using testing::save;
using testing::Session;
using testing::World;

constexpr auto kLyingDay = std::chrono::hours(24);

/// Two computers write one vault; "a" lies, as whoever holds its keys can make it.
class LyingDevice : public ::testing::Test {
 protected:
  void SetUp() override {
    world_.init("a");
    first_ = few_files(world_);
    ASSERT_TRUE(save(world_, "a", first_));
    world_.recover("b", 0, Earlier::keep);
    ASSERT_TRUE(world_.open("a"));  // hears of it
  }

  static impl::VaultImpl& inside(Session& session) { return static_cast<impl::VaultImpl&>(*session.vault); }

  /// What the index says of segments of content.
  std::vector<wire::IndexedSegment> indexed(const std::string& computer) {
    std::vector<wire::IndexedSegment> out;
    auto session = world_.open(computer);
    EXPECT_TRUE(session) << session.error().detail;
    auto& vault = inside(*session);
    std::vector<wire::PhysicalRef> refs;
    for (const auto& known : vault.parts_) refs.push_back(known.ref);
    auto objects = world_.run(vault.objects_.load_all(refs));
    EXPECT_TRUE(objects);
    for (const Bytes& object : *objects) {
      auto part = wire::parse_index_part(object);
      EXPECT_TRUE(part);
      for (auto& segment : part->segments) out.push_back(std::move(segment));
    }
    return out;
  }

  /// The segment that was made last by a backup, told from those that were there before.
  wire::IndexedSegment save_one(const std::string& computer, const Files& files) {
    const auto before = indexed(computer);
    EXPECT_TRUE(save(world_, computer, files));
    for (auto& segment : indexed(computer)) {
      if (std::ranges::find(before, segment.segment, &wire::IndexedSegment::segment) == before.end()) return segment;
    }
    ADD_FAILURE() << "no new segment";
    return {};
  }

  std::vector<ChunkId> ids_of(const Files& files) {
    auto session = world_.open("a");
    EXPECT_TRUE(session);
    std::vector<ChunkId> out;
    for (const auto& [name, content] : files)
      out.push_back(ChunkId::from_array(primitives::blake3_keyed(session->vault->keys().dedup_secret, content)));
    return out;
  }

  static std::vector<ChunkId> chunks_of(const wire::IndexedSegment& segment) {
    std::vector<ChunkId> out;
    for (const auto& chunk : segment.directory.chunks) out.push_back(chunk.id);
    return out;
  }

  /// Computer "a" says that chunks lie in the segment of the first snapshot, which is a genuine one.
  void lie(const std::vector<ChunkId>& chunks) {
    auto claim = indexed("a").front();
    for (const ChunkId& id : chunks) claim.directory.chunks.push_back({.id = id, .bundle = 0, .offset = 0, .bytes = 1});
    say_instead(std::move(claim));
  }

  /// Computer "a" lists that in the place of what is listed of the segment.
  void say_instead(wire::IndexedSegment claim) {
    auto session = world_.open("a");
    ASSERT_TRUE(session) << session.error().detail;
    auto& vault = inside(*session);
    auto writer = world_.run(vault.begin_write({}));
    ASSERT_TRUE(writer) << writer.error().detail;
    const SegmentId segment = claim.segment;
    vault.unlisted_.push_back(std::move(claim));
    auto done = world_.run(static_cast<impl::WriterImpl&>(**writer).finish(impl::IndexChange{.dropped = {segment}}));
    ASSERT_TRUE(done) << done.error().detail;
  }

  /// Computer "a" seals a segment whose own directory says the same, and lists that.
  void forge(const std::vector<ChunkId>& chunks) {
    auto session = world_.open("a");
    ASSERT_TRUE(session) << session.error().detail;
    auto& vault = inside(*session);
    FinishedSegment forged = seal(vault, *session->device, chunks);
    auto writer = world_.run(vault.begin_write({}));
    ASSERT_TRUE(writer) << writer.error().detail;
    ASSERT_TRUE(world_.run((*writer)->store(std::move(forged))));
    auto done = world_.run(static_cast<impl::WriterImpl&>(**writer).finish(impl::IndexChange{}));
    ASSERT_TRUE(done) << done.error().detail;
  }

  /// The next head of computer "a" leaves a segment out, and lists a false one that is said to have these chunks.
  void leave_out(const SegmentId& segment, const std::vector<ChunkId>& chunks) {
    auto session = world_.open("a");
    ASSERT_TRUE(session) << session.error().detail;
    auto& vault = inside(*session);
    FinishedSegment forged = seal(vault, *session->device, chunks);
    auto writer = world_.run(vault.begin_write({}));
    ASSERT_TRUE(writer) << writer.error().detail;
    if (!chunks.empty()) ASSERT_TRUE(world_.run((*writer)->store(std::move(forged))));
    auto done = world_.run(static_cast<impl::WriterImpl&>(**writer).finish(impl::IndexChange{.dropped = {segment}}));
    ASSERT_TRUE(done) << done.error().detail;
  }

  void condemn_by_a(const SegmentId& segment) {
    auto session = world_.open("a");
    ASSERT_TRUE(session) << session.error().detail;
    std::map<std::size_t, std::vector<SegmentId>> orders;
    for (std::size_t home = 0; home < world_.homes(); ++home) orders[home] = {segment};
    const auto took = world_.run(impl::send_statements(inside(*session), impl::StatementKind::tombstone,
                                                       session->device->signing, std::move(orders)));
    EXPECT_EQ(took.size(), world_.homes());
  }

  bool is_condemned(unsigned home, const SegmentId& segment) {
    auto session = world_.open("a");
    EXPECT_TRUE(session) << session.error().detail;
    impl::Survey survey(inside(*session));
    auto look = [&]() -> Task<bool> {
      co_await survey.take(std::vector{segment});
      co_return survey.condemned().contains(home);
    };
    return world_.run(look());
  }

  bool is_listed(const std::string& computer, const SegmentId& segment) {
    const auto all = indexed(computer);
    return std::ranges::find(all, segment, &wire::IndexedSegment::segment) != all.end();
  }

  /// Who begins to write is told of it, and of computer "a".
  void expect_displaced(const std::string& computer, std::uint64_t segments, bool is_taken_back = false) {
    auto session = world_.open(computer);
    ASSERT_TRUE(session) << session.error().detail;
    auto writer = world_.run(session->vault->begin_write({}));
    ASSERT_TRUE(writer) << writer.error().detail;
    EXPECT_EQ(session->vault->displaced().segments, segments);
    EXPECT_EQ(session->vault->reprieved_segments(), is_taken_back ? segments : 0u);
    ASSERT_EQ(session->vault->displaced().by.size(), 1u);
    EXPECT_EQ(session->vault->displaced().by[0].device.short_hex(), name_of("a"));
  }

  FinishedSegment seal(impl::VaultImpl& vault, const Device& device, const std::vector<ChunkId>& chunks) {
    FinishedSegment out;
    Bytes plain(64_KiB);
    out.indexed = {.segment = SegmentId::from_array(world_.platform().random().array<32>()), .plain_bytes = 64_KiB};
    out.indexed.directory.bundles = {{.offset = 0, .stored_bytes = 10, .plain_bytes = 10}};
    for (const ChunkId& id : chunks)
      out.indexed.directory.chunks.push_back({.id = id, .bundle = 0, .offset = 0, .bytes = 1});
    const Bytes directory = wire::encode(out.indexed.directory);
    std::ranges::copy(directory, plain.begin() + 10);
    wire::SegmentTrailer trailer{.directory_offset = 10};
    trailer.directory_bytes = static_cast<std::uint32_t>(directory.size());
    wire::write_segment_trailer(trailer, MutableBytes(plain).last<wire::SegmentTrailer::kSizeBytes>());
    const dispersal::Plan plan = vault.homes_.plan(vault.level());
    const wire::EpochKey& epoch = writing_key(vault.record_);
    out.indexed.epoch = epoch.epoch;
    dispersal::SegmentFacts facts{.id = out.indexed.segment, .vault = vault.record_.record.vault};
    facts.epoch = epoch.epoch;
    facts.k = plan.k;
    facts.sealed_bytes = impl::sealed_bytes_of(plain.size());
    const std::vector<primitives::Hash> salts(plan.k);
    dispersal::NewSegment segment(facts, vault.homes_.place_new(plan, facts.id), vault.homes_.buffers());
    impl::SegmentKey(epoch.data_key, salts, facts.id).seal(plain, segment.places());
    out.encoded = segment.encode(salts);
    dispersal::attach_card(out.encoded, impl::sign_card(device, out.encoded.card));
    return out;
  }

  /// More than the hold, in visits: each lets at most ten days count.
  void pass_the_hold(const std::string& computer) {
    for (int visit = 0; visit < 6; ++visit) {
      world_.pass_time(9 * kLyingDay);
      auto collected = forget(world_, computer, {});
      ASSERT_TRUE(collected) << collected.error().detail;
    }
  }

  std::string name_of(const std::string& computer) {
    auto session = world_.open(computer);
    EXPECT_TRUE(session);
    return session->device->id.short_hex();
  }

  World world_{testing::seed_of_run(), 4};
  Files first_;
};

TEST_F(LyingDevice, TheTruePlaceOutlivesTwoCollections) {
  for (const char* owner : {"a", "b"}) {
    const Files files = few_files(world_);
    const auto segment = save_one(owner, files);
    lie(chunks_of(segment));
    for (int collection = 0; collection < 2; ++collection) {
      auto collected = forget(world_, "b", {});
      ASSERT_TRUE(collected) << collected.error().detail;
      pass_the_hold("b");
    }
    auto number = std::string(owner) == "a" ? 1u : 2u;
    expect_snapshot(world_, "b", number, files);
  }
  world_.lose_computer("a");
  world_.lose_computer("b");
  world_.recover("c", 1);
  expect_snapshot(world_, "c", 0, first_);
}

TEST_F(LyingDevice, ASegmentThatLiesAboutItselfCostsSpaceAlone) {
  for (const char* owner : {"a", "b"}) {
    const Files files = few_files(world_);
    forge(chunks_of(save_one(owner, files)));
    for (int collection = 0; collection < 2; ++collection) {
      auto collected = forget(world_, "b", {});
      ASSERT_TRUE(collected) << collected.error().detail;
      EXPECT_EQ(collected->held_back, "");
      pass_the_hold("b");
    }
    expect_snapshot(world_, "b", std::string(owner) == "a" ? 1 : 2, files);
  }
}

TEST_F(LyingDevice, WhatASegmentLiesAboutIsFoundByReadingAndStoredAnew) {
  const Files files = few_files(world_);
  const auto true_one = save_one("a", files);
  EXPECT_EQ(testing::check(world_, "b", 100).untrue, 0u);
  forge(chunks_of(true_one));
  EXPECT_EQ(testing::check(world_, "b").untrue, 0u) << "rows are counted, nothing is read";
  EXPECT_EQ(testing::check(world_, "b", 100).untrue, 1u);
  // What was compared once is known to be true.
  auto session = world_.open("b");
  ASSERT_TRUE(session) << session.error().detail;
  const auto& vault = inside(*session);
  std::size_t proven = 0;
  ASSERT_TRUE(vault.index_.each_segment([&](std::uint32_t number, const SegmentId& id) {
    const auto place = vault.index_.segment(number);
    proven += place && id == true_one.segment && vault.claims_.of(place->claim) == impl::Trust::proven;
  }));
  EXPECT_EQ(proven, 1u);
}

TEST_F(LyingDevice, WhatOnlyAnUntrueSegmentHasIsStoredByTheNextBackup) {
  const Files files = few_files(world_);
  forge(ids_of(files));
  EXPECT_EQ(testing::check(world_, "b", 100).untrue, 1u);
  ASSERT_TRUE(save(world_, "b", files));
  expect_snapshot(world_, "b", 1, files);
  EXPECT_EQ(testing::check(world_, "b", 100).untrue, 1u) << "it is remembered as what it is";
}

TEST_F(LyingDevice, WhatTheIndexSaysOfATrueSegmentIsFoundByReading) {
  ASSERT_TRUE(save(world_, "b", few_files(world_)));
  const Files files = few_files(world_);
  lie(ids_of(files));
  EXPECT_EQ(testing::check(world_, "b").false_claims, 0u) << "rows are counted, nothing is read";
  for (int time = 0; time < 2; ++time) {  // it is remembered, and told of until it is set right
    auto session = world_.open("b");
    ASSERT_TRUE(session) << session.error().detail;
    auto report = world_.run(session->vault->check(100, {}));
    ASSERT_TRUE(report) << report.error().detail;
    EXPECT_EQ(report->false_claims, 1u);
    EXPECT_EQ(report->untrue, 0u);
    EXPECT_EQ(report->unrestorable, 0u);
    ASSERT_EQ(report->false_claims_by.size(), 1u);
    EXPECT_EQ(report->false_claims_by[0].device.short_hex(), name_of("a"));
    EXPECT_EQ(report->false_claims_by[0].computer, "host");
    EXPECT_EQ(report->false_claims_by[0].claims, 1u);
    for (const ChunkId& id : ids_of(first_)) EXPECT_TRUE(session->vault->has(id));  // they are there
    for (const ChunkId& id : ids_of(files)) EXPECT_FALSE(session->vault->has(id));
  }
  ASSERT_TRUE(save(world_, "b", files)) << "known already: it costs no run";
  expect_snapshot(world_, "b", 0, first_);
  expect_snapshot(world_, "b", 2, files);
  for (const char* computer : {"a", "b"}) EXPECT_EQ(testing::check(world_, computer, 100).false_claims, 0u);
}

/// As programs did that left out chunks which have another place.
TEST_F(LyingDevice, WhatIsLeftOutOfAnEntryIsNoLie) {
  auto claim = indexed("a").front();
  claim.directory.chunks.pop_back();
  say_instead(claim);
  EXPECT_EQ(testing::check(world_, "b", 100).false_claims, 0u);
  auto session = world_.open("b");
  ASSERT_TRUE(session) << session.error().detail;
  EXPECT_EQ(inside(*session).claims_.of(impl::claim_of(claim)), impl::Trust::proven);
}

/// Whoever adds rows signs the next card, and has read no chunk of the segment.
TEST_F(LyingDevice, ARepairProvesNothing) {
  const Files files = few_files(world_);
  forge(chunks_of(save_one("a", files)));
  world_.add_home("b");
  {
    auto session = world_.open("b");
    ASSERT_TRUE(session) << session.error().detail;
    auto repaired = world_.run(session->vault->repair(false, {}, false, {}));
    ASSERT_TRUE(repaired) << repaired.error().detail;
    EXPECT_GT(repaired->rows_made, 0u);
  }
  ASSERT_TRUE(save(world_, "b", few_files(world_)));
  pass_the_hold("b");
  expect_snapshot(world_, "b", 1, files);
}

/// Where the false place would be moved away from, as its segment is nearly empty.
TEST_F(LyingDevice, WhatIsMovedIsConfirmedBefore) {
  const Files files = few_files(world_);
  lie(chunks_of(save_one("a", files)));
  auto held = forget(world_, "b", {0});
  ASSERT_TRUE(held) << held.error().detail;
  EXPECT_NE(held->held_back.find(name_of("a")), std::string::npos) << held->held_back;
  auto collected = forget(world_, "b", {});
  ASSERT_TRUE(collected) << collected.error().detail;
  EXPECT_EQ(collected->held_back, "");
  pass_the_hold("b");
  expect_snapshot(world_, "b", 0, files);
}

TEST_F(LyingDevice, WhatItSaysIsThereIsStoredAllTheSame) {
  const Files files = few_files(world_);
  ASSERT_TRUE(save(world_, "b", few_files(world_)));
  lie(ids_of(files));
  auto refused = save(world_, "b", files);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::corrupt);
  EXPECT_NE(refused.error().detail.find(name_of("a")), std::string::npos) << refused.error().detail;
  auto again = save(world_, "b", files);
  ASSERT_TRUE(again) << again.error().detail;
  EXPECT_GT(again->totals.new_bytes, 70'000u);
  expect_snapshot(world_, "b", 2, files);
  // What is said of the segment is right again, for every device.
  for (const auto& segment : indexed("b")) {
    for (const ChunkId& id : ids_of(files)) {
      const auto chunk = std::ranges::find(segment.directory.chunks, id, &wire::ChunkEntry::id);
      EXPECT_TRUE(chunk == segment.directory.chunks.end() || chunk->bytes > 1);
    }
  }
  for (const char* computer : {"a", "b"}) world_.lose_computer(computer);
  world_.recover("c", 1);
  expect_snapshot(world_, "c", 0, first_);
  expect_snapshot(world_, "c", 2, files);
}

// --- What this device has proven, and another leaves out ---

TEST_F(LyingDevice, WhatIsLeftOutForAFalseOneIsListedAgain) {
  for (const bool condemns : {false, true}) {
    SCOPED_TRACE(condemns);
    const Files files = few_files(world_);
    const auto true_one = save_one("b", files);
    leave_out(true_one.segment, chunks_of(true_one));
    if (condemns) condemn_by_a(true_one.segment);
    EXPECT_FALSE(is_listed("b", true_one.segment));
    expect_displaced("b", 1, condemns);
    ASSERT_TRUE(save(world_, "b", few_files(world_)));
    EXPECT_TRUE(is_listed("b", true_one.segment));
    pass_the_hold("b");
    expect_snapshot(world_, "b", condemns ? 3 : 1, files);
  }
  for (const char* computer : {"a", "b"}) world_.lose_computer(computer);
  world_.recover("c", 1);
  expect_snapshot(world_, "c", 0, first_);
}

TEST_F(LyingDevice, ACollectionListsItAgainToo) {
  const Files files = few_files(world_);
  const auto true_one = save_one("b", files);
  leave_out(true_one.segment, chunks_of(true_one));
  auto collected = forget(world_, "b", {});
  ASSERT_TRUE(collected) << collected.error().detail;
  EXPECT_EQ(collected->held_back, "");
  pass_the_hold("b");
  expect_snapshot(world_, "b", 1, files);
}

/// The false one comes later, when this device's newest head does not list the true one any more.
TEST_F(LyingDevice, WhatWasLeftOutBeforeIsRemembered) {
  const Files files = few_files(world_);
  const auto true_one = save_one("b", files);
  leave_out(true_one.segment, {});
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(save(world_, "b", few_files(world_)));
  EXPECT_FALSE(is_listed("b", true_one.segment)) << "as if its snapshot had been forgotten";
  forge(chunks_of(true_one));
  auto collected = forget(world_, "b", {});
  ASSERT_TRUE(collected) << collected.error().detail;
  EXPECT_EQ(collected->held_back, "");
  EXPECT_TRUE(is_listed("b", true_one.segment));
  pass_the_hold("b");
  expect_snapshot(world_, "b", 1, files);
}

/// What another device sealed and this one has read is proven, too.
TEST_F(LyingDevice, WhatWasReadIsListedAgainToo) {
  ASSERT_TRUE(save(world_, "b", few_files(world_)));  // a new device would look for what is left over on homes
  const Files files = few_files(world_);
  const auto true_one = save_one("a", files);
  EXPECT_EQ(testing::check(world_, "b", 100).untrue, 0u);
  leave_out(true_one.segment, chunks_of(true_one));
  expect_displaced("b", 1);
  ASSERT_TRUE(save(world_, "b", few_files(world_)));
  pass_the_hold("b");
  expect_snapshot(world_, "b", 2, files);
}

/// However little the index says that there is to read.
TEST_F(LyingDevice, WhatIsReadIsCountedAsWhatItIs) {
  std::vector<wire::IndexedSegment> claims;
  impl::IndexChange change;
  for (int i = 0; i < 2; ++i) {
    claims.push_back(save_one("a", {{"large", world_.noise(5'500'000)}}));
    const auto proven = save_one("b", few_files(world_));
    claims.back().plain_bytes = 64_KiB;
    claims.back().directory.bundles = {{.offset = 0, .stored_bytes = 10, .plain_bytes = 10}};
    claims.back().directory.chunks.clear();
    for (const ChunkId& id : chunks_of(proven))
      claims.back().directory.chunks.push_back({.id = id, .bundle = 0, .offset = 0, .bytes = 1});
    change.dropped.insert(proven.segment);
    change.dropped.insert(claims.back().segment);
  }
  {
    auto session = world_.open("a");
    ASSERT_TRUE(session) << session.error().detail;
    auto writer = world_.run(session->vault->begin_write({}));
    ASSERT_TRUE(writer) << writer.error().detail;
    inside(*session).unlisted_ = claims;
    ASSERT_TRUE(world_.run(static_cast<impl::WriterImpl&>(**writer).finish(std::move(change))));
  }
  auto session = world_.open("b");
  ASSERT_TRUE(session) << session.error().detail;
  auto writer = world_.run(session->vault->begin_write({.reread_bytes = 128_KiB}));
  ASSERT_TRUE(writer) << writer.error().detail;
  EXPECT_EQ(session->vault->displaced().segments, 1u) << "for the other one there was no room";
  EXPECT_EQ(inside(*session).relisted_.size(), 2u) << "what is not proven stays";
}

/// A list of what is listed again alone says nothing of the rest that a home was told may go.
TEST_F(LyingDevice, AHomeThatCannotBeToldPurgesNothing) {
  const auto needed = save_one("b", few_files(world_));
  const auto displaced = save_one("b", few_files(world_));
  leave_out(displaced.segment, chunks_of(displaced));
  condemn_by_a(needed.segment);
  world_.spoil_home(0, testing::Fault::takes_no_reprieve);
  auto session = world_.open("b");
  ASSERT_TRUE(session) << session.error().detail;
  auto writer = world_.run(session->vault->begin_write({}));
  ASSERT_TRUE(writer) << writer.error().detail;
  ASSERT_EQ(session->vault->displaced().segments, 1u);
  EXPECT_FALSE(inside(*session).compared_.contains(0));
  EXPECT_TRUE(inside(*session).compared_.contains(1));
}

/// What homes are told between the first look and the head is looked at before the head.
TEST_F(LyingDevice, WhatIsCondemnedWhileItReadsIsTakenBack) {
  const auto needed = save_one("b", few_files(world_));
  const auto displaced = save_one("b", few_files(world_));
  leave_out(displaced.segment, chunks_of(displaced));
  {
    auto session = world_.open("b");
    ASSERT_TRUE(session) << session.error().detail;
    auto& vault = inside(*session);
    ASSERT_TRUE(world_.run(vault.find_gone_segments()));
    condemn_by_a(needed.segment);
    ASSERT_TRUE(world_.run(vault.take_up_claims()));
    ASSERT_TRUE(world_.run(vault.keep_proven(256_MiB)));
    ASSERT_EQ(vault.displaced().segments, 1u);
    ASSERT_TRUE(world_.run(vault.reprieve_condemned_meanwhile({})));
    EXPECT_EQ(vault.reprieved_segments(), 1u);
  }
  for (unsigned home = 0; home < world_.homes(); ++home) EXPECT_FALSE(is_condemned(home, needed.segment));
}

/// Both devices are honest; one gives back what the other stored.
class HonestCollection : public LyingDevice {
 protected:
  /// Most of it goes, so that computer "a" moves the rest to a segment of its own.
  void SetUp() override {
    LyingDevice::SetUp();
    Files both = stays_;
    both["goes"] = world_.noise(6'000'000);
    former_ = save_one("b", both);
    ASSERT_TRUE(save(world_, "b", stays_));
    much_ = world_.used_bytes();
    auto collected = forget(world_, "a", {1});
    ASSERT_TRUE(collected) << collected.error().detail;
    EXPECT_EQ(collected->segments_repacked, 1u);
    EXPECT_FALSE(is_listed("b", former_.segment));
  }

  /// A backup by "b" that reads at most so much again.
  void save_reading(std::uint64_t bytes) {
    auto session = world_.open("b");
    ASSERT_TRUE(session) << session.error().detail;
    auto saved = world_.run(
        testing::back_up(world_.platform(), *session->vault, few_files(world_), WriteOptions{.reread_bytes = bytes}));
    ASSERT_TRUE(saved) << saved.error().detail;
    EXPECT_EQ(session->vault->displaced().segments, 0u);
    EXPECT_EQ(session->vault->reprieved_segments(), 0u) << "nobody is accused";
  }

  void expect_space_back(const std::string& collects) {
    pass_the_hold(collects);
    EXPECT_LT(world_.used_bytes(), much_ / 2);
    for (const char* computer : {"a", "b"}) expect_snapshot(world_, computer, 1, stays_);
  }

  Files stays_{{"stays", world_.noise(1'000'000)}, {"stays too", world_.noise(300)}};
  wire::IndexedSegment former_;
  std::uint64_t much_ = 0;
};

TEST_F(HonestCollection, ItsSpaceComesBackAfterOneReading) {
  save_reading(256_MiB);
  EXPECT_FALSE(is_listed("b", former_.segment));
  save_reading(0);  // what was read once is known
  EXPECT_FALSE(is_listed("b", former_.segment));
  expect_space_back("a");
}

TEST_F(HonestCollection, WhatIsNotReadYetStays) {
  EXPECT_TRUE(is_condemned(0, former_.segment));
  save_reading(0);
  EXPECT_TRUE(is_listed("b", former_.segment));
  EXPECT_FALSE(is_condemned(0, former_.segment));
  expect_snapshot(world_, "b", 1, stays_);
  for (const char* computer : {"b", "a"}) {  // each proves what the other moved
    auto collected = forget(world_, computer, {});
    ASSERT_TRUE(collected) << collected.error().detail;
    EXPECT_EQ(collected->held_back, "");
  }
  save_reading(256_MiB);
  expect_space_back("b");
}

/// An honest one costs the reading of directories, once.
TEST_F(LyingDevice, WhatAnotherDeviceStoredIsNotStoredAgain) {
  const Files files = testing::some_files(world_);
  ASSERT_TRUE(save(world_, "a", files));
  auto saved = save(world_, "b", files);
  ASSERT_TRUE(saved) << saved.error().detail;
  EXPECT_LT(saved->totals.new_bytes, 10'000u);
  auto session = world_.open("b");
  ASSERT_TRUE(session);
  auto writer = world_.run(session->vault->begin_write({}));
  ASSERT_TRUE(writer);
  const impl::Index& index = inside(*session).index_;
  for (const ChunkId& id : ids_of(testing::few_files(world_))) EXPECT_FALSE(index.can_refer_to(id));
  std::size_t there = 0;
  for (const ChunkId& id : ids_of(files)) there += index.can_refer_to(id);
  EXPECT_GE(there, 40u);
  EXPECT_TRUE(index.relied_on().empty());
  for (const ChunkId& id : ids_of(first_)) EXPECT_TRUE(index.can_refer_to(id));  // it never asked for these before
  EXPECT_EQ(index.relied_on().size(), 1u);
}

}  // namespace
}  // namespace mhp::vault
