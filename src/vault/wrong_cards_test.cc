// Who has a device's key and writes to the folders of homes adds cards that call all rows of a segment by other names.
#include <gtest/gtest.h>

#include <algorithm>

#include "primitives/hash/blake3.h"
#include "vault/impl/sealer.h"
#include "vault/impl/vault_impl.h"
#include "vault/testing/world.h"
#include "wire/fragment.h"
#include "wire/home_log.h"
#include "wire/record.h"
#include "wire/signed.h"

namespace mhp::vault {
namespace {

using testing::expect_snapshot;
using testing::few_files;
using testing::Files;
using testing::save;
using testing::Session;
using testing::World;

class WrongCards : public ::testing::Test {
 protected:
  static constexpr unsigned kHomes = 4;

  void SetUp() override {
    world_.init("a");
    ASSERT_TRUE(save(world_, "a", files_));
  }

  static impl::VaultImpl& inside(Session& session) { return static_cast<impl::VaultImpl&>(*session.vault); }

  std::vector<SegmentId> live(Session& session) {
    auto segments = world_.run(inside(session).live_segments());
    EXPECT_TRUE(segments);
    return segments ? *segments : std::vector<SegmentId>();
  }

  /// A record without rows, with a card of a higher version in which the ids of all rows are wrong.
  Bytes wrong_record(Session& session, const SegmentId& segment) {
    auto located = world_.run(session.homes->locate(segment));
    EXPECT_TRUE(located) << located.error().detail;
    wire::Card card = located->card;
    card.version += 7;
    std::ranges::rotate(card.fragments, card.fragments.begin() + 1);
    wire::RecordFront front = wire::plan_record(card.vault, segment, {}, wire::fragment_bytes(card.row_bytes),
                                                wire::signed_card_capacity(card.n()));
    front.card_version = card.version;
    front.signed_card = impl::sign_card(*session.device, card);
    AlignedBuffer record(front.record_bytes);
    wire::write_record_front(front, record.bytes());
    return to_bytes(record.bytes());
  }

  /// Behind the last commit of a home's first log, with stamp and mark, as its owner's program would.
  void append(unsigned home, Bytes record) {
    platform::Disk& disk = world_.platform().disk();
    auto identity_bytes = platform::read_file(disk, world_.home_path(home) + "/mhp-home", 4'096);
    ASSERT_TRUE(identity_bytes);
    auto identity = wire::parse_home_file(*identity_bytes);
    ASSERT_TRUE(identity);
    const std::string path = world_.home_path(home) + "/logs/00000001.log";
    auto log = platform::read_file(disk, path, 2_GiB);
    ASSERT_TRUE(log);
    wire::CommitMark last;
    std::uint64_t end = 0;
    constexpr std::uint64_t kBlock = wire::kLogBlockBytes;
    for (std::uint64_t at = kBlock; at + kBlock <= log->size(); at += kBlock) {
      const ByteView block = ByteView(*log).subspan(at, kBlock);
      auto mark = wire::parse_commit_mark(block, identity->log_key, {1, at});
      if (!mark) continue;
      last = *mark;
      end = at + kBlock;
    }
    ASSERT_GT(end, 0u);
    const auto hash = wire::record_front_hash(record);
    std::ranges::copy(wire::stamp_of_record(identity->log_key, hash, {1, end}),
                      wire::record_stamp(MutableBytes(record)).begin());
    wire::CommitMark mark{.seq = last.seq + 1, .begin = end, .records = 1, .records_hash = primitives::blake3(hash)};
    Bytes block(wire::kLogBlockBytes);
    wire::write_commit_mark(mark, identity->log_key, {1, end + record.size()},
                            std::span(block).first<wire::kLogBlockBytes>());
    auto file = disk.open(path, platform::Open::write);
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->write_at(end, record));
    ASSERT_TRUE((*file)->write_at(end + record.size(), block));
    ASSERT_TRUE((*file)->sync());
  }

  /// Of every live segment to every home.
  void write_wrong_cards() {
    std::vector<Bytes> records;
    {
      auto session = world_.open("a");
      ASSERT_TRUE(session) << session.error().detail;
      for (const SegmentId& segment : live(*session)) records.push_back(wrong_record(*session, segment));
    }
    world_.settle();
    for (unsigned home = 0; home < kHomes; ++home) {
      for (const Bytes& record : records) append(home, record);
    }
  }

  World world_{testing::seed_of_run(), kHomes};
  Files files_ = few_files(world_);
};

TEST_F(WrongCards, WhereAllHomesHaveThemTheRowsCountAllTheSame) {
  write_wrong_cards();
  expect_snapshot(world_, "a", 0, files_);
  const auto report = testing::check(world_, "a", 100);
  EXPECT_EQ(report.rows_bad + report.rows_missing + report.unrestorable, 0u);
  EXPECT_EQ(report.margin, 2);
  world_.lose_computer("a");
  world_.recover("b", 2);
  expect_snapshot(world_, "b", 0, files_);
  const Files more = few_files(world_);
  ASSERT_TRUE(save(world_, "b", more));
  expect_snapshot(world_, "b", 1, more);
}

TEST_F(WrongCards, ARepairOnANewHomeGoesOnFromTheRightCard) {
  write_wrong_cards();
  world_.add_home("a");
  {
    auto session = world_.open("a");
    ASSERT_TRUE(session) << session.error().detail;
    auto repaired = world_.run(session->vault->repair(true, {}, false, {}));
    ASSERT_TRUE(repaired) << repaired.error().detail;
    EXPECT_GT(repaired->rows_made, 0u);
    EXPECT_EQ(repaired->unrestorable, 0u);
  }
  world_.lose_home(0);
  world_.lose_home(1);
  expect_snapshot(world_, "a", 0, files_);
}

/// Whoever found that out in this run does not say a moment later that so many homes may be lost.
TEST_F(WrongCards, WhatCouldNotBeReadHasNoMargin) {
  auto session = world_.open("a");
  ASSERT_TRUE(session) << session.error().detail;
  const SegmentId segment = live(*session).front();
  world_.spoil_segment(segment);
  EXPECT_FALSE(world_.run(inside(*session).reader_.own_word(segment)));
  auto standing = world_.run(session->vault->standing());
  ASSERT_TRUE(standing) << standing.error().detail;
  EXPECT_EQ(standing->unrestorable, 1u);
  EXPECT_EQ(standing->margin, -1);
  auto repaired = world_.run(session->vault->repair(false, {}, false, {}));
  ASSERT_TRUE(repaired) << repaired.error().detail;
  EXPECT_EQ(repaired->unrestorable, 1u);
  EXPECT_EQ(repaired->margin, -1);
}

}  // namespace
}  // namespace mhp::vault
