// Relays that tell a public address and let nobody in, beside one that does: found in a short time, and told apart.
#include <gtest/gtest.h>

#include "net/testing/village.h"

namespace mhp::net {
namespace {

using namespace std::chrono_literals;
using testing::House;
using testing::in_village;
using testing::Village;

/// How long a call of "/v1/echo" took, from no connection to its answer.
Task<std::chrono::nanoseconds> timed_call(Village& village, Peers& from, House& to) {
  const auto began = village.clock().steady();
  auto reaching = from.reach(to.id(), village.ways_to(to));
  const auto caller = co_await std::move(reaching);
  EXPECT_TRUE(caller) << (caller ? "" : caller.error().detail);
  if (!caller) co_return 1h;
  Request request{Method::put, "/v1/echo", Bytes(1000, std::byte{7})};
  auto calling = (*caller)->call(std::move(request), 10s);
  EXPECT_TRUE(co_await std::move(calling));
  co_return village.clock().steady() - began;
}

Task<> among_dead_ones(Village& village) {
  House& open = *village.open[0];
  co_await village.clock().sleep(3s);
  for (const auto* group : {&village.hidden, &village.shut}) {
    for (const auto& house : *group) EXPECT_EQ(house->waiter.waits_at(), std::vector{open.id()});
  }
  House& a = *village.hidden[0];
  Dialed dialed(a.machine.clock());
  platform::Nursery calls(village.world.executor());
  auto ways = std::make_unique<Peers>(a.computer.station, a.machine.network(), calls, ReachLimits{},
                                      Helpers{.dialed = &dialed});
  EXPECT_LT(co_await timed_call(village, *ways, *village.hidden[1]), 3s) << "nothing is known yet";
  EXPECT_EQ(dialed.standing(open.id()), Dialed::Standing::reached);
  EXPECT_LT(co_await timed_call(village, *ways, *village.hidden[2]), 1400ms) << "the one that was reached comes first";
  const auto tried = ways->tried(village.hidden[2]->id());
  EXPECT_EQ(tried.at(1).name, "relay " + open.id().short_hex());
  EXPECT_EQ(tried.at(1).standing, Dialed::Standing::reached);
  EXPECT_TRUE(tried.at(1).taken);
  EXPECT_FALSE(tried.back().begun);
  ways.reset();
  calls.cancel();
  co_await calls.join();
  // Two that look as if anybody could reach them.
  EXPECT_LT(co_await timed_call(village, *village.shut[0]->ways, *village.shut[1]), 3s);
  EXPECT_EQ(village.shut[0]->dialed.standing(village.shut[1]->id()), Dialed::Standing::fails);
  // It is waited at while those are tried again and again.
  for (int i = 0; i < 60; ++i) {
    co_await village.clock().sleep(10s);
    EXPECT_EQ(a.waiter.waits_at(), std::vector{open.id()});
  }
}

TEST(ShutRelays, CostAShortDelay) {
  Village village(3, 1, {}, 10);
  in_village(village, among_dead_ones);
}

Task<> near_ones(Village& village) {
  House& b = *village.hidden[0];
  auto relays = village.relays();
  const auto order = in_order_for(b.id(), relays);
  for (Relay& relay : relays) relay.is_near = relay.home != order.back().home;
  b.waiter.set_relays(relays);
  co_await village.clock().sleep(30s);
  const auto at = b.waiter.waits_at();
  EXPECT_EQ(at.size(), 3U);
  EXPECT_TRUE(std::ranges::find(at, order.back().home) != at.end());
}

TEST(ShutRelays, OfItsOwnNetworkAHomeWaitsAtLast) {
  Village village(1, 5);
  in_village(village, near_ones);
}

Task<> visits(Village& village) {
  House& a = *village.hidden[0];
  House& b = *village.hidden[1];
  House& open = *village.open[0];
  (void)co_await timed_call(village, *a.ways, b);
  EXPECT_TRUE(b.guests.seen.empty()) << "through a relay";
  EXPECT_EQ(open.guests.seen,
            (std::set<std::pair<HomeId, std::string>>{{a.id(), "203.0.113.1"}, {b.id(), "203.0.113.2"}}));
}

TEST(ShutRelays, WhoComesDirectlyIsTold) {
  Village village(2, 1);
  in_village(village, visits);
}

}  // namespace
}  // namespace mhp::net
