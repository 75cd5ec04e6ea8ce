// Two processes of one computer on one state folder: what a check learns and what a backup learns is there in the end.
#include <gtest/gtest.h>

#include "vault/impl/writer.h"
#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

using testing::few_files;
using testing::Session;
using testing::World;

constexpr unsigned kSharedHomes = 4;

/// Computers "a" and "b" share a vault; two processes of "b" have it open.
class TwoProcesses : public ::testing::Test, protected World {
 protected:
  TwoProcesses() : World(testing::seed_of_run(), kSharedHomes) {}

  void SetUp() override {
    init("a");
    ASSERT_TRUE(testing::save(*this, "a", few_files(*this)));
    recover("b", 0, Earlier::keep);
    ASSERT_TRUE(testing::save(*this, "b", few_files(*this)));
    ASSERT_TRUE(testing::save(*this, "a", few_files(*this)));
    for (auto* session : {&checks_, &saves_}) {
      auto opened = open("b");
      ASSERT_TRUE(opened) << opened.error().detail;
      *session = std::make_unique<Session>(std::move(*opened));
    }
  }

  static impl::VaultImpl& inside(const Session& session) { return static_cast<impl::VaultImpl&>(*session.vault); }

  void check() {
    const auto report = run(checks_->vault->check(100, {}));
    ASSERT_TRUE(report) << report.error().detail;
  }
  void back_up() {
    const auto saved = run(testing::back_up(platform(), *saves_->vault, few_files(*this)));
    ASSERT_TRUE(saved) << saved.error().detail;
  }

  /// All that both have learned.
  void expect_all_proven() {
    auto session = open("b");
    ASSERT_TRUE(session) << session.error().detail;
    auto& vault = inside(*session);
    ASSERT_TRUE(vault.index_.set_trust(vault.claims_));
    EXPECT_EQ(vault.index_.segment_numbers(), 4U);
    for (std::uint32_t number = 0; number < vault.index_.segment_numbers(); ++number)
      EXPECT_EQ(vault.index_.trust(number), impl::Trust::proven) << number;
  }

  std::unique_ptr<Session> checks_;
  std::unique_ptr<Session> saves_;
};

TEST_F(TwoProcesses, ACheckThatEndsAfterABackupKeepsWhatThatProved) {
  const auto listed_by_backup = [this] { return impl::FormerParts(*saves_->state).refs(); };
  back_up();
  const auto before = listed_by_backup();
  check();
  expect_all_proven();
  for (const auto& ref : before) EXPECT_NE(std::ranges::count(listed_by_backup(), ref), 0);
}

TEST_F(TwoProcesses, ABackupThatBeganBeforeACheckEndedKeepsWhatThatProved) {
  check();
  back_up();
  expect_all_proven();
}

TEST_F(TwoProcesses, ACheckThatEndsWithinABackupLosesNothingEither) {
  {
    auto writer = run(saves_->vault->begin_write({}));
    ASSERT_TRUE(writer) << writer.error().detail;
    check();
    auto& own = static_cast<impl::WriterImpl&>(**writer);
    ASSERT_TRUE(run(own.finish(impl::IndexChange{})));
  }
  auto session = open("b");
  ASSERT_TRUE(session) << session.error().detail;
  auto& vault = inside(*session);
  ASSERT_TRUE(vault.index_.set_trust(vault.claims_));
  for (std::uint32_t number = 0; number < vault.index_.segment_numbers(); ++number)
    EXPECT_EQ(vault.index_.trust(number), impl::Trust::proven) << number;
}

/// The list of what is remembered: what one adds while another writes its own stays.
TEST_F(TwoProcesses, BothAddToWhatIsRemembered) {
  const auto some = [](char fill) {
    Bytes id(32, static_cast<std::byte>(fill));
    return wire::PhysicalRef{.segment = SegmentId::from_bytes(id), .chunk = ChunkId::from_bytes(id)};
  };
  impl::FormerParts one(*checks_->state);
  one.set({some('a'), some('b')});
  impl::FormerParts other(*saves_->state);
  one.add({some('c')});
  other.set({some('b'), some('d')});
  const auto kept = impl::FormerParts(*checks_->state).refs();
  EXPECT_EQ(std::ranges::count(kept, some('a')), 0) << "settled";
  for (const char left : {'b', 'c', 'd'}) EXPECT_EQ(std::ranges::count(kept, some(left)), 1) << left;
}

TEST_F(TwoProcesses, WhatOneForgetsTheOtherMayLearnMeanwhile) {
  const auto claim = [](char fill) { return impl::ClaimId::from_bytes(Bytes(32, static_cast<std::byte>(fill))); };
  impl::KnownClaims writes(*saves_->state);
  writes.learn(claim('a'), impl::Trust::proven);
  writes.learn(claim('b'), impl::Trust::confirmed);
  writes.save();
  impl::KnownClaims checks(*checks_->state);
  checks.learn(claim('b'), impl::Trust::proven);
  checks.learn(claim('c'), impl::Trust::untrue);
  checks.save();
  writes.learn(claim('b'), impl::Trust::confirmed);
  writes.learn(claim('d'), impl::Trust::proven);
  writes.keep_only({claim('b'), claim('d')});
  writes.save();
  const impl::KnownClaims now(*saves_->state);
  EXPECT_EQ(now.of(claim('a')), impl::Trust::unknown);
  EXPECT_EQ(now.of(claim('b')), impl::Trust::proven);
  EXPECT_EQ(now.of(claim('c')), impl::Trust::untrue);
  EXPECT_EQ(now.of(claim('d')), impl::Trust::proven);
}

}  // namespace
}  // namespace mhp::vault
