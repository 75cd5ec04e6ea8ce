// Homes that hang, fail, forget or lie: what is read is right, and they are named.
#include <gtest/gtest.h>

#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

using dispersal::TroubleKind;
using testing::back_up;
using testing::Fault;
using testing::Files;
using testing::read_back;
using testing::save;
using testing::some_files;
using testing::World;

class BadHomes : public ::testing::Test {
 protected:
  BadHomes() {
    world_.init("a");
    EXPECT_TRUE(save(world_, "a", testing::few_files(world_)));
    EXPECT_TRUE(save(world_, "a", files_));
  }
  /// Reads all back with home 2 at fault, and gives what it is said to have done.
  std::vector<TroubleKind> read_with(Fault fault) {
    world_.spoil_home(2, fault);
    clear_cache();
    auto session = world_.open("a");
    EXPECT_TRUE(session) << session.error().detail;
    if (!session) return {};
    auto back = world_.run(read_back(*session->vault, session->vault->snapshots().back()));
    EXPECT_TRUE(back) << back.error().detail;
    EXPECT_TRUE(back && *back == files_);
    std::vector<TroubleKind> kinds;
    for (const auto& trouble : session->homes->troubles()) {
      EXPECT_EQ(trouble.name, "home 2") << trouble.detail;
      kinds.push_back(trouble.kind);
    }
    return kinds;
  }
  void clear_cache() {
    State state(world_.platform().disk(), world_.state_path("a"));
    auto names = world_.platform().disk().list(state.cache_folder());
    ASSERT_TRUE(names);
    for (const std::string& name : *names) {
      ASSERT_TRUE(world_.platform().disk().remove(state.cache_folder() + "/" + name));
    }
  }
  bool names(const std::vector<TroubleKind>& kinds, TroubleKind kind) {
    return std::ranges::find(kinds, kind) != kinds.end();
  }

  World world_{testing::seed_of_run()};
  Files files_ = some_files(world_);
};

TEST_F(BadHomes, OneThatHangsCostsTimeLimitsOnly) {
  auto before = world_.platform().clock().steady();
  auto kinds = read_with(Fault::hangs);
  EXPECT_EQ(kinds, std::vector{TroubleKind::away});
  EXPECT_LT(world_.platform().clock().steady() - before, std::chrono::seconds(25));  // its silence is waited for once
}

TEST_F(BadHomes, OneThatHangsDoesNotStopABackup) {
  world_.spoil_home(2, Fault::hangs);
  auto before = world_.platform().clock().steady();
  Files more = testing::few_files(world_);
  auto committed = save(world_, "a", more);
  ASSERT_TRUE(committed) << committed.error().detail;
  EXPECT_EQ(committed->homes, 5u);
  EXPECT_EQ(committed->margin, 2);
  EXPECT_LT(world_.platform().clock().steady() - before, std::chrono::seconds(25));
  world_.spoil_home(2, Fault::none);
  testing::expect_snapshot(world_, "a", 2, more);
}

/// Whatever a home is asked when it falls silent, it is waited for once or twice, and no longer than is fair.
TEST_F(BadHomes, OneThatFallsSilentAtAnyTimeCostsABackupSeconds) {
  std::size_t answers = 0;
  for (bool is_silent = true; is_silent && answers < 500; ++answers) {
    SCOPED_TRACE("silent after " + std::to_string(answers) + " answers");
    world_.hang_home_after(2, answers);
    const auto before = world_.platform().clock().steady();
    auto session = world_.open("a");
    ASSERT_TRUE(session) << session.error().detail;
    Files more = testing::few_files(world_);
    const auto committed = world_.run(back_up(world_.platform(), *session->vault, more));
    ASSERT_TRUE(committed) << committed.error().detail;
    EXPECT_GE(committed->margin, 2);
    ASSERT_TRUE(world_.run(session->vault->standing()));
    is_silent = world_.answers_left() == 0;
    EXPECT_LT(world_.platform().clock().steady() - before, std::chrono::seconds(6));
    EXPECT_TRUE(is_silent || session->homes->troubles().empty());
  }
  EXPECT_GT(answers, 10u);
  EXPECT_LT(answers, 500u);
}

TEST_F(BadHomes, OneThatFallsSilentAtAnyTimeCostsARestoreSeconds) {
  std::size_t answers = 0;
  for (bool is_silent = true; is_silent && answers < 500; ++answers) {
    SCOPED_TRACE("silent after " + std::to_string(answers) + " answers");
    world_.hang_home_after(2, answers);
    const auto before = world_.platform().clock().steady();
    (void)read_with(Fault::hangs_later);
    is_silent = world_.answers_left() == 0;
    EXPECT_LT(world_.platform().clock().steady() - before, std::chrono::seconds(4));
  }
  EXPECT_GT(answers, 5u);
  EXPECT_LT(answers, 500u);
}

TEST_F(BadHomes, WhatOneDidNotMakeDurableDoesNotCount) {
  for (const Fault fault : {Fault::makes_nothing_durable, Fault::turns_read_only, Fault::turns_busy}) {
    world_.spoil_home(2, fault);
    auto committed = save(world_, "a", testing::few_files(world_));
    ASSERT_TRUE(committed) << committed.error().detail;
    EXPECT_EQ(committed->margin, 2) << static_cast<int>(fault);
    world_.spoil_home(2, Fault::none);
    committed = save(world_, "a", testing::few_files(world_));
    ASSERT_TRUE(committed) << committed.error().detail;
    EXPECT_EQ(committed->margin, 3);
  }
}

TEST_F(BadHomes, OneThatFailsIsNamed) { EXPECT_TRUE(names(read_with(Fault::fails), TroubleKind::failed)); }

TEST_F(BadHomes, OneThatForgotTheHeadsIsNamed) {
  EXPECT_EQ(read_with(Fault::shows_no_heads), std::vector{TroubleKind::old_heads});
}

TEST_F(BadHomes, OneThatShowsOldHeadsIsNamed) {
  EXPECT_EQ(read_with(Fault::shows_first_head_only), std::vector{TroubleKind::old_heads});
}

TEST_F(BadHomes, OneThatGivesWrongBytesIsNamed) {
  EXPECT_TRUE(names(read_with(Fault::gives_wrong_bytes), TroubleKind::wrong_bytes));
}

/// What reading has found must not be forgotten: a home more or less is a matter of what is still right.
TEST_F(BadHomes, RowsThatReadingFoundWrongAreCountedFromThenOn) {
  auto margin_and_bad = [this] {
    auto session = world_.open("a");
    EXPECT_TRUE(session);
    auto report = world_.run(session->vault->standing());
    EXPECT_TRUE(report);
    return std::pair(report->margin, report->rows_bad);
  };
  EXPECT_EQ(margin_and_bad(), std::pair(3, std::uint64_t{0}));
  EXPECT_TRUE(names(read_with(Fault::gives_wrong_bytes), TroubleKind::wrong_bytes));
  world_.spoil_home(2, Fault::none);
  const auto [margin, bad] = margin_and_bad();
  EXPECT_EQ(margin, 2);
  EXPECT_GT(bad, 0u);
  auto session = world_.open("a");
  ASSERT_TRUE(session);
  auto report = world_.run(session->vault->check(100, {}));  // the home is right again: all rows are read whole
  ASSERT_TRUE(report);
  EXPECT_EQ(report->rows_bad, 0u);
  EXPECT_EQ(report->margin, 3);
}

TEST_F(BadHomes, OneThatGivesAWrongRecordIsNamed) {
  EXPECT_EQ(read_with(Fault::gives_wrong_record), std::vector{TroubleKind::wrong_record});
}

TEST_F(BadHomes, AllShowingOldHeadsIsARollback) {
  for (unsigned i = 0; i < 6; ++i) world_.spoil_home(i, Fault::shows_first_head_only);
  auto session = world_.open("a");
  ASSERT_TRUE(session);
  EXPECT_EQ(session->vault->snapshots().size(), 2u);  // this device's own copy of its head is newer
  ASSERT_EQ(session->homes->troubles().size(), 6u);
  for (const auto& trouble : session->homes->troubles()) {
    EXPECT_EQ(trouble.kind, TroubleKind::old_heads);
    EXPECT_EQ(trouble.detail, "shows an older state than this computer has seen");
  }
}

}  // namespace
}  // namespace mhp::vault
