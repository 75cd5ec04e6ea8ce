// Which heads and former vault records a home keeps: the newest heads, and by the day those before them.
#include "home/impl/vault_rules.h"

#include <gtest/gtest.h>

#include "home/home_samples_test.h"
#include "wire/head.h"
#include "wire/signed.h"

namespace mhp::home::impl {
namespace {

constexpr std::int64_t kHour = 60 * 60;
constexpr std::int64_t kDay = 24 * kHour;

class JoinHeads : public ::testing::Test {
 protected:
  JoinHeads() {
    primitives::init_sodium();
    const auto proven = prove_record(owner_.signed_record(1));
    EXPECT_TRUE(proven);
    if (proven) members_.join(*proven);
  }
  Result<void> give_at(std::vector<Bytes> chain, std::int64_t unix_s) {
    MHP_TRY(held_, join_heads(members_, owner_.device, held_, std::move(chain), unix_s));
    return {};
  }
  Result<void> give(std::vector<Bytes> chain, std::int64_t day) { return give_at(std::move(chain), day * kDay + 7); }
  std::vector<std::uint64_t> seqs() const {
    std::vector<std::uint64_t> out;
    for (const wire::HeldHead& entry : held_) {
      auto envelope = wire::parse_signed(entry.signed_bytes, wire::kMaxHeadBytes);
      auto head = wire::parse_head(envelope->body);
      out.push_back(head->seq);
    }
    return out;
  }

  const samples::Owner owner_{1};
  Members members_;
  std::vector<wire::HeldHead> held_;
};

TEST_F(JoinHeads, ManyOfOneDayDoNotPushOutTheDaysBefore) {
  for (std::uint64_t day = 1; day <= 3; ++day)
    ASSERT_TRUE(give(owner_.heads(3 * day - 2, 3 * day), static_cast<std::int64_t>(day)));
  ASSERT_TRUE(give(owner_.heads(10, 200), 4));
  std::vector<std::uint64_t> wanted{3, 6, 9};
  for (std::uint64_t seq = 137; seq <= 200; ++seq) wanted.push_back(seq);
  EXPECT_EQ(seqs(), wanted);
  EXPECT_EQ(held_[1].received_s, 2 * kDay + 7);
  ASSERT_TRUE(give(owner_.heads(199, 201), 5));  // across gaps it goes on
  EXPECT_EQ(seqs().back(), 201u);
  EXPECT_EQ(seqs().front(), 3u);
}

TEST_F(JoinHeads, ManyOfOneHourDoNotPushOutTheHoursBefore) {
  for (std::uint64_t hour = 0; hour < 20; ++hour)
    ASSERT_TRUE(give_at(owner_.heads(2 * hour + 1, 2 * hour + 2), kDay + static_cast<std::int64_t>(hour) * kHour));
  ASSERT_TRUE(give_at(owner_.heads(41, 200), kDay + 20 * kHour));
  std::vector<std::uint64_t> wanted;
  for (std::uint64_t hour = 9; hour < 20; ++hour) wanted.push_back(2 * hour + 2);  // eleven, and this one
  for (std::uint64_t seq = 137; seq <= 200; ++seq) wanted.push_back(seq);
  EXPECT_EQ(seqs(), wanted);
}

/// A home's clock was wrong once.
TEST_F(JoinHeads, OneOfAHundredDaysLaterPushesOutNoHour) {
  for (std::uint64_t hour = 0; hour < 20; ++hour) {
    const std::int64_t at_s = kDay + static_cast<std::int64_t>(hour) * kHour;
    ASSERT_TRUE(give_at(owner_.heads(2 * hour + 1, 2 * hour + 2), hour == 3 ? 100 * kDay : at_s));
  }
  ASSERT_TRUE(give_at(owner_.heads(41, 200), kDay + 20 * kHour));
  std::vector<std::uint64_t> wanted{8};  // of its own day the newest
  for (std::uint64_t hour = 9; hour < 20; ++hour) wanted.push_back(2 * hour + 2);
  for (std::uint64_t seq = 137; seq <= 200; ++seq) wanted.push_back(seq);
  EXPECT_EQ(seqs(), wanted);
}

TEST_F(JoinHeads, TheNumberIsBounded) {
  for (std::uint64_t day = 1; day <= 130; ++day)
    ASSERT_TRUE(give(owner_.heads(day, day), static_cast<std::int64_t>(day)));
  EXPECT_EQ(held_.size(), wire::kMaxHeadsHeld);
  EXPECT_EQ(seqs().front(), 130 - wire::kMaxHeadsHeld + 1);
}

TEST_F(JoinHeads, OlderOnesFillGapsAndMustLink) {
  auto chain = owner_.heads(1, 5);
  ASSERT_TRUE(give({chain[0], chain[2], chain[4]}, 1));
  ASSERT_TRUE(give({chain[1], chain[3], chain[4]}, 2));
  EXPECT_EQ(seqs(), (std::vector<std::uint64_t>{1, 2, 3, 4, 5}));
  held_.clear();
  ASSERT_TRUE(give({chain[0], chain[2], chain[4]}, 1));
  EXPECT_EQ(give(owner_.heads(2, 2, 1), 2).error().code, Errc::denied);  // of another history
}

TEST_F(JoinHeads, ALongAbsenceKeepsWhatWasThere) {
  ASSERT_TRUE(give(owner_.heads(1, 2), 1));
  EXPECT_EQ(give(owner_.heads(50, 112), 2).error().code, Errc::invalid);
  ASSERT_TRUE(give(owner_.heads(50, 113), 2));
  EXPECT_EQ(seqs().front(), 2u);
  EXPECT_EQ(seqs().size(), 65u);
}

Bytes named(std::uint64_t number) { return Bytes(8, static_cast<std::byte>(number)); }

std::vector<Bytes> kept_in(const wire::FormerRecordsFile& file) {
  std::vector<Bytes> out;
  for (const wire::FormerRecord& one : file.records) out.push_back(one.signed_bytes);
  return out;
}

TEST(AddFormer, KeepsTheFirstOfEachDay) {
  wire::FormerRecordsFile file;
  add_former(file, named(1), kDay + 5);
  for (std::uint64_t i = 2; i < 50; ++i) add_former(file, named(i), kDay + static_cast<std::int64_t>(i) * 100);
  add_former(file, named(50), 2 * kDay);
  EXPECT_EQ(kept_in(file), (std::vector<Bytes>{named(1), named(50)}));
  EXPECT_EQ(file.records[0].taken_s, 0);
  EXPECT_EQ(file.records[0].replaced_s, kDay + 5);
  EXPECT_EQ(file.records[1].taken_s, kDay + 4900);
  EXPECT_EQ(file.since_s, 2 * kDay);
}

TEST(AddFormer, ACallThatWasCutOffIsNotedOnce) {
  wire::FormerRecordsFile file;
  add_former(file, named(1), kDay);
  add_former(file, named(1), kDay + 1);
  EXPECT_EQ(kept_in(file), std::vector<Bytes>{named(1)});
  EXPECT_EQ(file.records[0].replaced_s, kDay);
}

TEST(AddFormer, WhatComesIntoForceAgainIsNotPushedOutByWhatComesBetween) {
  wire::FormerRecordsFile file;
  for (unsigned day = 1; day <= 2 * wire::kMaxFormerRecords; ++day) {
    add_former(file, named(0), day * kDay);             // in force when the day begins
    add_former(file, named(2 * day), day * kDay + 10);  // false ones, in turn with it
    add_former(file, named(2 * day + 1), day * kDay + 20);
  }
  EXPECT_EQ(kept_in(file), std::vector<Bytes>{named(0)});
  EXPECT_EQ(file.records[0].taken_s, 0);
}

TEST(AddFormer, AClockThatGoesBackOrFarOffPushesOutNothing) {
  wire::FormerRecordsFile file;
  for (const std::int64_t now_s : {10 * kDay, 3 * kDay, 10 * kDay, -5 * kDay, INT64_MAX, INT64_MIN})
    add_former(file, named(file.records.size() + 1), now_s);
  EXPECT_EQ(kept_in(file), (std::vector<Bytes>{named(1), named(2), named(3), named(4)}));
  EXPECT_EQ(file.records[2].replaced_s, 0);
  EXPECT_EQ(file.records[3].replaced_s, wire::kMaxReceivedS);
}

TEST(AddFormer, TheNumberIsBounded) {
  wire::FormerRecordsFile file;
  for (unsigned day = 0; day < 2 * wire::kMaxFormerRecords; ++day) add_former(file, named(day), day * kDay);
  EXPECT_EQ(file.records.size(), wire::kMaxFormerRecords);
  EXPECT_EQ(kept_in(file).front(), named(wire::kMaxFormerRecords));
}

}  // namespace
}  // namespace mhp::home::impl
