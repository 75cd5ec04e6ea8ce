// Streams keep to the rate together, each way, and the rate follows the time of day.
#include "platform/limited_network.h"

#include <gtest/gtest.h>

#include "base/check.h"
#include "platform/memory/memory_platform.h"
#include "platform/nursery.h"

namespace mhp::platform {
namespace {

using std::chrono::hours;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::uint16_t kPort = 7070;

Task<> take_all(Listener& listener, std::uint64_t& bytes) {
  auto stream = co_await listener.accept();
  MHP_CHECK(stream);
  Bytes room(64_KiB);
  for (;;) {
    const auto got = co_await (*stream)->read_some(room);
    if (!got || *got == 0) co_return;
    bytes += *got;
  }
}

Task<> send_all(Network& network, std::string to, std::uint64_t bytes) {
  auto stream = co_await network.connect({to, kPort}, hours(1));
  MHP_CHECK(stream);
  const Bytes content(bytes);
  const auto sent = co_await (*stream)->write_all(content);
  MHP_CHECK(sent);
}

struct Sides {
  Network& sender;
  Network& receiver;
};

/// How long `streams` of a megabyte each take together.
Task<nanoseconds> time_of(MemoryWorld& world, Sides sides, std::string to, int streams) {
  auto listener = sides.receiver.listen({"0.0.0.0", kPort});
  MHP_CHECK(listener);
  std::uint64_t arrived = 0;
  const auto began = world.clock().steady();
  Nursery all(world.executor());
  for (int i = 0; i < streams; ++i) all.start(send_all(sides.sender, to, 1'000'000));
  for (int i = 0; i < streams; ++i) co_await take_all(**listener, arrived);
  co_await all.join();
  EXPECT_EQ(arrived, static_cast<std::uint64_t>(streams) * 1'000'000);
  co_return world.clock().steady() - began;
}

class Limited : public ::testing::Test {
 protected:
  std::unique_ptr<Network> limited(MemoryPlatform& machine, const std::string& up, const std::string& down) {
    const NetworkLimits limits{*parse_rate_schedule(up), *parse_rate_schedule(down)};
    return make_limited_network(machine.network(), machine.clock(), limits, [this] {
      return std::chrono::duration_cast<seconds>(world_.clock().steady()) + start_;
    });
  }
  double seconds_for(Network& sender, Network& receiver, int streams) {
    const auto took = run_task(world_, time_of(world_, {sender, receiver}, home_.address(), streams));
    return std::chrono::duration<double>(took).count();
  }
  MemoryWorld world_{1};
  MemoryPlatform home_{world_}, guest_{world_};
  seconds start_{0};
};

TEST_F(Limited, SendersKeepToTheRateTogether) {
  const auto network = limited(guest_, "100k", "unlimited");
  EXPECT_NEAR(seconds_for(*network, home_.network(), 1), 10, 0.5);
  EXPECT_NEAR(seconds_for(*network, home_.network(), 3), 30, 1);
}

TEST_F(Limited, ReceiversSlowTheOthersDown) {
  const auto network = limited(home_, "unlimited", "100k");
  EXPECT_NEAR(seconds_for(guest_.network(), *network, 2), 20, 1);
}

TEST_F(Limited, WithoutALimitNothingIsSlower) {
  const auto network = limited(guest_, "unlimited", "unlimited");
  const double bare = seconds_for(guest_.network(), home_.network(), 1);
  EXPECT_NEAR(seconds_for(*network, home_.network(), 1), bare, 0.01);
}

TEST_F(Limited, FollowsTheTimeOfDay) {
  start_ = hours(8) - seconds(5);  // five seconds at one rate, the rest at another
  const auto network = limited(guest_, "08:00-18:00 50k, else 100k", "unlimited");
  EXPECT_NEAR(seconds_for(*network, home_.network(), 1), 15, 1);
}

}  // namespace
}  // namespace mhp::platform
