// A damaged file of the state folder is named, and no second history comes of it.
#include <gtest/gtest.h>

#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

using testing::few_files;
using testing::save;
using testing::World;

class DamagedState : public ::testing::Test {
 protected:
  DamagedState() {
    world_.init("a");
    EXPECT_TRUE(save(world_, "a", few_files(world_)));
    world_.lose_home(1);
    EXPECT_TRUE(save(world_, "a", few_files(world_)));
    world_.find_home(1);
    world_.settle();
  }
  void damage(const std::string& name) {
    world_.platform().memory_disk().flip_bit(world_.state_path("a") + "/" + name, 300);
  }
  std::size_t damaged_files() {
    auto session = world_.open("a");
    EXPECT_TRUE(session) << session.error().detail;
    return session ? session->vault->damaged_files().size() : 0;
  }
  void expect_no_write(Errc code) {
    auto saved = save(world_, "a", few_files(world_));
    ASSERT_FALSE(saved);
    EXPECT_EQ(saved.error().code, code) << saved.error().detail;
  }

  World world_{testing::seed_of_run(), 2};
};

TEST_F(DamagedState, WithoutItsNewestHeadItWritesNothing) {
  damage("head");
  world_.lose_home(0);
  EXPECT_EQ(damaged_files(), 1u);
  expect_no_write(Errc::unavailable);
  world_.find_home(0);
  EXPECT_EQ(damaged_files(), 1u);
  ASSERT_TRUE(save(world_, "a", few_files(world_)));
  EXPECT_EQ(damaged_files(), 0u);
  auto session = world_.open("a");
  ASSERT_TRUE(session);
  EXPECT_FALSE(session->vault->is_forked());
  EXPECT_EQ(session->vault->snapshots().size(), 3u);
}

TEST_F(DamagedState, WhereNothingSaysWhatItSavedLastAllHomesAreAsked) {
  damage("head");
  damage("seen");
  world_.lose_home(0);
  expect_no_write(Errc::unavailable);
  expect_no_write(Errc::unavailable);  // the first run has not forgotten it
  world_.find_home(0);
  EXPECT_TRUE(save(world_, "a", few_files(world_)));
}

TEST_F(DamagedState, EachFileIsNamedOnceAndMadeAgain) {
  for (const char* name : {"seen", "vault-records.copy"}) {
    damage(name);
    EXPECT_EQ(damaged_files(), 1u) << name;
    EXPECT_EQ(damaged_files(), 0u) << name;
  }
}

}  // namespace
}  // namespace mhp::vault
