// A backup that is interrupted after its head is on this computer's disk and before any home was given it never was.
#include <gtest/gtest.h>

#include <algorithm>

#include "vault/impl/vault_impl.h"
#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

using testing::Fault;
using testing::few_files;
using testing::Files;
using testing::save;
using testing::World;

constexpr unsigned kToldHomes = 4;

/// Computers "a" and "b", each with a snapshot.
class Undelivered : public ::testing::Test, protected World {
 protected:
  Undelivered() : World(testing::seed_of_run(), kToldHomes) {
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

  /// Stopped before homes are given its head. `notes`: after it has noted to whom it gives it.
  void interrupted_save(const Files& files, bool notes, const std::string& computer = "b") {
    State state(platform().disk(), state_path(computer));
    const auto taken = state.taken();
    spoil_homes(0, Fault::takes_no_heads);
    const auto saved = save(*this, computer, files);
    spoil_homes(0, Fault::none);
    ASSERT_FALSE(saved);
    EXPECT_NE(saved.error().detail.find("no home took the head"), std::string::npos) << saved.error().detail;
    if (notes) return;
    ASSERT_TRUE(taken);
    ASSERT_TRUE(state.set_taken(*taken));
  }

  void expect_all(const std::string& computer) {
    {
      auto session = open(computer);
      ASSERT_TRUE(session) << session.error().detail;
      ASSERT_EQ(session->vault->snapshots().size(), files_.size()) << computer;
    }
    for (std::size_t i = 0; i < files_.size(); ++i) testing::expect_snapshot(*this, computer, i, files_[i]);
  }

  /// A backup that goes well, accuses nobody and takes nothing back.
  void save_in_peace(const std::string& computer = "b") {
    files_.push_back(few_files(*this));
    auto session = open(computer);
    ASSERT_TRUE(session) << session.error().detail;
    const auto saved = run(testing::back_up(platform(), *session->vault, files_.back()));
    ASSERT_TRUE(saved) << saved.error().detail;
    EXPECT_EQ(session->vault->reprieved_segments(), 0U);
    for (const auto& trouble : session->homes->troubles()) ADD_FAILURE() << trouble.detail;
  }

  std::uint64_t newest_number(const std::string& computer) {
    auto session = open(computer);
    EXPECT_TRUE(session) << session.error().detail;
    const auto believed = session->vault->believed_heads();
    const auto own = std::ranges::find(believed, session->device->id, &wire::SeenHead::device);
    EXPECT_NE(own, believed.end());
    return own == believed.end() ? 0 : own->seq;
  }

  /// As another process of "b" does that was about to.
  void give_what_is_kept(unsigned to_homes = kToldHomes) {
    State state(platform().disk(), state_path("b"));
    const auto device = state.device();
    const auto chain = state.own_heads();
    ASSERT_TRUE(device && chain);
    auto record = join_records(*state.records(), *device);
    ASSERT_TRUE(record);
    const auto all = members(record->content.homes);
    for (unsigned home = 0; home < to_homes; ++home) {
      const auto given = run(all[home].home->put_heads(root().vault(), device->id, {chain->back()}));
      EXPECT_TRUE(given) << given.error().detail;
    }
    settle();
  }

  std::vector<Files> files_;
};

TEST_F(Undelivered, WhatItReliedOnMayBeForgotten) {
  for (const bool notes : {false, true}) {
    for (const bool is_over : {false, true}) {
      SCOPED_TRACE(::testing::Message() << "notes " << notes << ", hold is over " << is_over);
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
  expect_all("b");
  save_in_peace();
  EXPECT_EQ(newest_number("b"), 4U) << "no number was used twice";
  expect_all("b");
}

TEST_F(Undelivered, MayBeTheFirstOfAll) {
  recover("c", 0, Earlier::keep);
  interrupted_save(few_files(*this), true, "c");
  expect_all("c");
  save_in_peace("c");
  EXPECT_EQ(newest_number("c"), 2U);
  for (const char* computer : {"a", "c"}) expect_all(computer);
}

TEST_F(Undelivered, WhatItSentNeedNotBeSentAgain) {
  const Files files = few_files(*this);
  interrupted_save(files, true);
  const auto saved = save(*this, "b", files);
  ASSERT_TRUE(saved) << saved.error().detail;
  EXPECT_LT(saved->totals.new_bytes, 1000U);
  files_.push_back(files);
  expect_all("a");
}

TEST_F(Undelivered, CountsWhereAHomeHasIt) {
  files_.push_back(few_files(*this));
  interrupted_save(files_.back(), false);
  give_what_is_kept(1);
  expect_all("b");
  files_.push_back(few_files(*this));
  ASSERT_TRUE(save(*this, "b", files_.back()));
  for (const char* computer : {"a", "b"}) expect_all(computer);
}

/// The first three may have been told of it; the next to write goes on from it.
TEST_F(Undelivered, CountsWhileAHomeThatMayHaveItIsAway) {
  files_.push_back(few_files(*this));
  interrupted_save(files_.back(), true);
  lose_home(2);
  expect_all("b");
  files_.push_back(few_files(*this));
  ASSERT_TRUE(save(*this, "b", files_.back()));
  find_home(2);
  for (const char* computer : {"a", "b"}) expect_all(computer);
}

TEST_F(Undelivered, NobodyIsAccusedOnceAllAreBack) {
  interrupted_save(few_files(*this), true);
  lose_home(2);
  ASSERT_TRUE(open("b"));
  find_home(2);
  save_in_peace();
  for (const char* computer : {"a", "b"}) expect_all(computer);
}

/// A process that looks does so while another one of this computer saves; then it writes.
TEST_F(Undelivered, IsLookedAtAgainBeforeThisDeviceWritesOn) {
  files_.push_back(few_files(*this));
  interrupted_save(files_.back(), true);
  {
    auto session = open("b");
    ASSERT_TRUE(session) << session.error().detail;
    give_what_is_kept();
    files_.push_back(few_files(*this));
    const auto saved = run(testing::back_up(platform(), *session->vault, files_.back()));
    ASSERT_TRUE(saved) << saved.error().detail;
  }
  for (const char* computer : {"a", "b"}) expect_all(computer);
}

/// So many saves later that homes have thinned out what stood beside it.
TEST_F(Undelivered, LeadsToNoSecondHistoryWhereTheStateIsPutBack) {
  interrupted_save(few_files(*this), true);
  const Files copy = copy_state("b");
  for (unsigned i = 0; i < wire::kMaxHeadsKept + 4; ++i) {
    files_.push_back({{"small", noise(10)}});
    ASSERT_TRUE(save(*this, "b", files_.back()));
  }
  const std::uint64_t newest = newest_number("b");
  set_state_back("b", copy);
  save_in_peace();
  EXPECT_EQ(newest_number("b"), newest + 1);
  expect_all("b");
}

TEST_F(Undelivered, CountsWhereItWasSaidToBeSaved) {
  std::vector<Files> homes_before;
  for (unsigned home = 0; home < homes(); ++home) homes_before.push_back(copy_home(home));
  files_.push_back(few_files(*this));
  ASSERT_TRUE(save(*this, "b", files_.back()));
  for (unsigned home = 0; home < homes(); ++home) set_home_back(home, homes_before[home]);
  auto session = open("b");
  ASSERT_TRUE(session) << session.error().detail;
  EXPECT_EQ(session->vault->snapshots().size(), files_.size());
  EXPECT_EQ(session->homes->troubles().size(), homes()) << "all show too little";
}

/// Where it cannot be noted who is given a head, none is called saved: else it could be set aside later.
TEST_F(Undelivered, IsNotCalledSavedWhereItCannotBeNoted) {
  settle();
  auto& disk = platform().memory_disk();
  const auto before = disk.calls();
  ASSERT_TRUE(save(*this, "b", few_files(*this)));
  settle();
  const std::uint64_t calls = disk.calls() - before;
  for (std::uint64_t call = calls / 2; call < calls; call += 4) {
    platform::DiskFaults faults;
    faults.fail_call = disk.calls() + call;
    faults.fail_with = Errc::full;
    disk.set_faults(faults);
    const Files files = few_files(*this);
    const auto saved = save(*this, "b", files);
    settle();
    disk.set_faults({});
    if (!saved) continue;
    State state(platform().disk(), state_path("b"));
    const auto taken = state.taken();
    const auto chain = state.own_heads();
    ASSERT_TRUE(taken && chain);
    const auto newest = impl::check_chain({chain->back()}, root().vault(), state.device()->id);
    ASSERT_TRUE(newest);
    EXPECT_TRUE(std::ranges::any_of(taken->heads, [&](const auto& one) { return one.hash == newest->back().hash; }));
  }
}

}  // namespace
}  // namespace mhp::vault
