// A computer's key is made once, survives whatever happens, and is never replaced.
#include "cloud/computer.h"

#include <gtest/gtest.h>

#include "net/identity.h"
#include "platform/memory/memory_platform.h"

namespace mhp::cloud {
namespace {

class OwnComputer : public ::testing::Test {
 protected:
  OwnComputer() { primitives::init_sodium(); }
  Result<primitives::Key> seed() { return computer_seed(platform_.disk(), platform_.random(), "/state"); }
  Bytes file() { return platform::read_file(platform_.disk(), "/state/computer", 1_MiB).value_or(Bytes()); }
  platform::MemoryPlatform platform_{1};
};

TEST_F(OwnComputer, HasOneKeyForEver) {
  EXPECT_EQ(known_computer_seed(platform_.disk(), "/state").error().code, Errc::not_found);
  const auto first = seed();
  ASSERT_TRUE(first) << first.error().detail;
  EXPECT_EQ(*seed(), *first);
  EXPECT_EQ(*known_computer_seed(platform_.disk(), "/state"), *first);
  EXPECT_EQ(computer_id(*first), net::Identity(*first).id());
}

TEST_F(OwnComputer, DamageIsNamedAndNothingIsReplaced) {
  ASSERT_TRUE(seed());
  Bytes bytes = file();
  bytes[40] ^= std::byte{1};
  ASSERT_TRUE(platform::replace_file(platform_.disk(), "/state/computer", bytes));
  for (int i = 0; i < 2; ++i) {
    const auto damaged = seed();
    ASSERT_FALSE(damaged);
    EXPECT_EQ(damaged.error().code, Errc::corrupt);
    EXPECT_EQ(damaged.error().subject, Subject::state);
    EXPECT_TRUE(damaged.error().detail.starts_with("/state/computer: damaged")) << damaged.error().detail;
  }
  EXPECT_EQ(file(), bytes);
}

TEST_F(OwnComputer, OneWhoMakesItKeepsOthersOut) {
  ASSERT_TRUE(platform_.disk().make_folder("/state"));
  auto lock = platform_.disk().lock("/state/computer.lock", "a test");
  ASSERT_TRUE(lock);
  const auto refused = seed();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::busy);
  lock->reset();
  EXPECT_TRUE(seed());
}

}  // namespace
}  // namespace mhp::cloud
