// A backup that is interrupted after its head is on this computer's disk and before any home was given it never was.
#include <gtest/gtest.h>

#include <algorithm>

#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

using testing::Fault;
using testing::few_files;
using testing::Files;
using testing::save;
using testing::World;

/// Computers "a" and "b", each with a snapshot.
class Undelivered : public ::testing::Test, protected World {
 protected:
  Undelivered() : World(testing::seed_of_run(), 4) {
    init("a");
    files_.push_back(few_files(*this));
    EXPECT_TRUE(save(*this, "a", files_.back()));
    recover("b", 0, Earlier::keep);
    files_.push_back(few_files(*this));
    EXPECT_TRUE(save(*this, "b", files_.back()));
  }

  void spoil_homes(unsigned from, Fault fault) {
    for (unsigned home = from; home < homes(); ++home) spoil_home(home, fault);
  }

  /// By "b", who is stopped before homes are given its head. `notes`: after it has noted to whom it gives it.
  void interrupted_save(const Files& files, bool notes) {
    State state(platform().disk(), state_path("b"));
    const auto taken = state.taken();
    ASSERT_TRUE(taken);
    spoil_homes(0, Fault::takes_no_heads);
    EXPECT_FALSE(save(*this, "b", files));
    spoil_homes(0, Fault::none);
    if (!notes) ASSERT_TRUE(state.set_taken(*taken));
  }

  void expect_all(const std::string& computer) {
    {
      auto session = open(computer);
      ASSERT_TRUE(session) << session.error().detail;
      ASSERT_EQ(session->vault->snapshots().size(), files_.size()) << computer;
    }
    for (std::size_t i = 0; i < files_.size(); ++i) testing::expect_snapshot(*this, computer, i, files_[i]);
  }

  /// A backup by "b" that goes well, accuses nobody and takes nothing back.
  void save_in_peace() {
    files_.push_back(few_files(*this));
    auto session = open("b");
    ASSERT_TRUE(session) << session.error().detail;
    ASSERT_TRUE(run(back_up(platform(), *session->vault, files_.back())));
    EXPECT_EQ(session->vault->reprieved_segments(), 0U);
    EXPECT_TRUE(session->homes->troubles().empty());
  }

  std::vector<Files> files_;
};

TEST_F(Undelivered, WhatItReliedOnMayBeForgotten) {
  for (const bool notes : {false, true}) {
    for (const bool is_over : {false, true}) {
      const Files both = few_files(*this);
      ASSERT_TRUE(save(*this, "a", both));
      interrupted_save(both, notes);
      const auto forgotten = testing::forget(*this, "a", {files_.size()});
      ASSERT_TRUE(forgotten) << forgotten.error().detail;
      EXPECT_GE(forgotten->segments_condemned, 1U);
      for (int visit = 0; is_over && visit < 6; ++visit) {
        pass_time(std::chrono::hours(9 * 24));
        ASSERT_TRUE(testing::forget(*this, "a", {}));
      }
      save_in_peace();
      expect_all("b");
    }
  }
  expect_all("a");
  recover("c", 1);
  expect_all("c");
}

TEST_F(Undelivered, IsLinkedToAllTheSame) {
  interrupted_save(few_files(*this), true);
  interrupted_save(few_files(*this), false);
  save_in_peace();
  auto session = open("b");
  ASSERT_TRUE(session);
  const auto believed = session->vault->believed_heads();
  const auto own = std::ranges::find(believed, session->device->id, &wire::SeenHead::device);
  ASSERT_NE(own, believed.end());
  EXPECT_EQ(own->seq, 4U) << "no number was used twice";
}

TEST_F(Undelivered, CountsWhereAHomeHasIt) {
  files_.push_back(few_files(*this));
  spoil_homes(1, Fault::takes_no_heads);
  EXPECT_FALSE(save(*this, "b", files_.back())) << "one home is too few";
  spoil_homes(1, Fault::none);
  expect_all("b");
  save_in_peace();
  expect_all("a");
}

TEST_F(Undelivered, CountsWhileAHomeThatMayHaveItIsAway) {
  files_.push_back(few_files(*this));
  interrupted_save(files_.back(), true);
  lose_home(2);
  expect_all("b");
  find_home(2);
  save_in_peace();
  expect_all("a");
}

TEST_F(Undelivered, CountsWhereItWasSaidToBeSaved) {
  State state(platform().disk(), state_path("b"));
  std::vector<Files> homes_before;
  for (unsigned home = 0; home < homes(); ++home) homes_before.push_back(copy_home(home));
  files_.push_back(few_files(*this));
  ASSERT_TRUE(save(*this, "b", files_.back()));
  for (unsigned home = 0; home < homes(); ++home) set_home_back(home, homes_before[home]);
  auto session = open("b");
  ASSERT_FALSE(session) << "its segments are gone: that is said, not passed over";
  EXPECT_EQ(session.error().code, Errc::unavailable) << session.error().detail;
}

}  // namespace
}  // namespace mhp::vault
