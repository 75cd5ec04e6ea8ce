// What is remembered of homes that were dialed, and for how long it counts.
#include "net/dialed.h"

#include <gtest/gtest.h>

#include "platform/memory/memory_platform.h"

namespace mhp::net {
namespace {

using namespace std::chrono_literals;
using Standing = Dialed::Standing;

HomeId some_home(unsigned number) {
  HomeId::Array bytes{};
  bytes[0] = static_cast<std::byte>(number % 256);
  bytes[1] = static_cast<std::byte>(number / 256);
  return HomeId::from_array(bytes);
}

class DialedTest : public ::testing::Test {
 protected:
  static Task<int> pass(platform::Clock& clock, std::chrono::nanoseconds time) {
    co_await clock.sleep(time);
    co_return 0;
  }
  void pass(std::chrono::nanoseconds time) { machine_.run(pass(machine_.clock(), time)); }
  platform::MemoryPlatform machine_{1};
  Dialed dialed_{machine_.clock()};
};

TEST_F(DialedTest, WhoWasReachedComesFirstAndWhoNeverWasLast) {
  EXPECT_EQ(dialed_.standing(some_home(1)), Standing::unknown);
  dialed_.note_failed(some_home(1));
  EXPECT_EQ(dialed_.standing(some_home(1)), Standing::fails);
  dialed_.note_reached(some_home(1));
  EXPECT_EQ(dialed_.standing(some_home(1)), Standing::reached);
  pass(1s);
  dialed_.note_failed(some_home(1));
  EXPECT_EQ(dialed_.standing(some_home(1)), Standing::fails_now);
  EXPECT_TRUE(Standing::reached < Standing::fails_now && Standing::fails_now < Standing::unknown &&
              Standing::unknown < Standing::fails);
  pass(Dialed::kFailedCounts);
  EXPECT_EQ(dialed_.standing(some_home(1)), Standing::reached);
  pass(Dialed::kReachedCounts);
  EXPECT_EQ(dialed_.standing(some_home(1)), Standing::unknown);
}

TEST_F(DialedTest, TellsOfWhatOthersWouldActBy) {
  EXPECT_FALSE(dialed_.is_news());
  dialed_.note_reached(some_home(1));
  EXPECT_TRUE(dialed_.is_news());
  dialed_.recall({});
  pass(1h);
  dialed_.note_reached(some_home(1));
  EXPECT_FALSE(dialed_.is_news());
  pass(Dialed::kNoted);
  dialed_.note_reached(some_home(1));
  EXPECT_TRUE(dialed_.is_news());
}

TEST_F(DialedTest, TakesTheLatestOfWhatWasKept) {
  pass(10h);
  const std::int64_t now = dialed_.now_s();
  dialed_.note_reached(some_home(1));
  dialed_.recall({{some_home(1), {now - 100, now}},
                  {some_home(2), {now - 100, now - 50}},
                  {some_home(3), {now + 100, 0}},
                  {some_home(4), {0, 0}}});
  EXPECT_EQ(dialed_.all(), (Dialed::All{{some_home(1), {now, 0}}, {some_home(2), {now - 100, now - 50}}}));
  EXPECT_EQ(dialed_.standing(some_home(2)), Standing::fails_now);
  EXPECT_TRUE(dialed_.was_reached_since(some_home(2), now - 100));
  EXPECT_FALSE(dialed_.was_reached_since(some_home(2), now - 99));
}

TEST_F(DialedTest, ForgetsTheOldestBeyondItsBound) {
  for (unsigned i = 0; i <= Dialed::kMostHomes; ++i) {
    dialed_.note_reached(some_home(i));
    pass(1s);
  }
  EXPECT_EQ(dialed_.all().size(), Dialed::kMostHomes);
  EXPECT_EQ(dialed_.standing(some_home(0)), Standing::unknown);
  EXPECT_EQ(dialed_.standing(some_home(1)), Standing::reached);
}

}  // namespace
}  // namespace mhp::net
