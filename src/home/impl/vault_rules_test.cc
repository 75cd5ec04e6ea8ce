// Which heads a home keeps: the newest, and by the day those before them.
#include "home/impl/vault_rules.h"

#include <gtest/gtest.h>

#include "home/home_samples_test.h"
#include "wire/head.h"
#include "wire/signed.h"

namespace mhp::home::impl {
namespace {

constexpr std::int64_t kDay = 24 * 60 * 60;

class JoinHeads : public ::testing::Test {
 protected:
  JoinHeads() {
    primitives::init_sodium();
    const auto proven = prove_record(owner_.signed_record(1));
    EXPECT_TRUE(proven);
    if (proven) members_.join(*proven);
  }
  Result<void> give(std::vector<Bytes> chain, std::int64_t day) {
    MHP_TRY(held_, join_heads(members_, owner_.device, held_, std::move(chain), day * kDay + 7));
    return {};
  }
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

}  // namespace
}  // namespace mhp::home::impl
