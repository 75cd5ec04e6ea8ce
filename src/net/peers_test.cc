// Reaching others: one connection each, several addresses, and pauses after failures.
#include "net/peers.h"

#include <gtest/gtest.h>

#include "net/testing/wired.h"

namespace mhp::net {
namespace {

using namespace std::chrono_literals;
using platform::Nursery;
using testing::while_serving;
using testing::Wired;

const Address kGood{"192.0.2.1", 7070};

Task<Result<std::shared_ptr<Caller>>> reach(Peers& peers, HomeId home, std::vector<Address> addresses) {
  auto reaching = peers.reach(home, std::move(addresses));
  co_return co_await std::move(reaching);
}

Task<> reach_into(Peers& peers, HomeId home, std::vector<Address> addresses, std::shared_ptr<Caller>& into) {
  const auto made = co_await reach(peers, home, std::move(addresses));
  if (made) into = *made;
}

Task<> one_for_all(Wired& wired, Server& server, Nursery& scope) {
  Peers peers(wired.calling.station, wired.network, scope);
  std::vector<std::shared_ptr<Caller>> callers(20);
  Nursery many(wired.platform.executor());
  const std::vector<Address> addresses{kGood};
  for (auto& caller : callers) many.start(reach_into(peers, wired.serving.identity.id(), addresses, caller));
  co_await many.join();
  for (const auto& caller : callers) EXPECT_TRUE(caller && caller == callers[0]);
  EXPECT_EQ(wired.network.connects(), 1U);
  EXPECT_EQ(server.members(), 1U);
}

TEST(Peers, OneConnectionServesAll) {
  Wired wired;
  while_serving(wired, one_for_all);
}

Task<> lost_and_made_again(Wired& wired, Server&, Nursery& scope) {
  Peers peers(wired.calling.station, wired.network, scope);
  const HomeId home = wired.serving.identity.id();
  const std::vector<Address> addresses{kGood};
  const auto first = co_await reach(peers, home, addresses);
  EXPECT_TRUE(first);
  co_await wired.platform.clock().sleep(1h);
  EXPECT_FALSE((*first)->is_up());
  const auto second = co_await reach(peers, home, addresses);
  EXPECT_TRUE(second && (*second)->is_up());
}

TEST(Peers, ALostConnectionIsMadeAgain) {
  Wired wired;
  while_serving(wired, lost_and_made_again);
}

Task<> several_addresses(Wired& wired, Server&, Nursery& scope) {
  wired.network.set_silent("198.51.100.1");
  Peers peers(wired.calling.station, wired.network, scope);
  const std::vector<Address> addresses{{"198.51.100.1", 7070}, {"nowhere", 7070}, {"192.0.2.9", 1}, kGood};
  const auto made = co_await reach(peers, wired.serving.identity.id(), addresses);
  EXPECT_TRUE(made);
  EXPECT_LT(wired.platform.clock().steady(), 1s);  // one that is silent holds nobody up
}

TEST(Peers, TheFirstAddressThatAnswersIsTaken) {
  Wired wired;
  while_serving(wired, several_addresses);
}

Task<> none_answers(Wired& wired, Server&, Nursery& scope) {
  wired.network.set_silent("198.51.100.1");
  Peers peers(wired.calling.station, wired.network, scope);
  const HomeId home = wired.serving.identity.id();
  const std::vector<Address> addresses{{"198.51.100.1", 7070}, {"nowhere", 7070}, {"192.0.2.9", 1}};
  const auto failed = co_await reach(peers, home, addresses);
  EXPECT_EQ(failed.error().code, Errc::unavailable);
  EXPECT_EQ(failed.error().detail, home.short_hex() +
                                       " is not reached: 198.51.100.1 port 7070: no answer; nowhere port 7070: no such "
                                       "name; 192.0.2.9 port 1: refused");
  const auto connects = wired.network.connects();
  EXPECT_EQ((co_await reach(peers, home, addresses)).error().detail, failed.error().detail);
  EXPECT_EQ(wired.network.connects(), connects);  // not tried again so soon
  const std::vector<Address> better{kGood};
  EXPECT_TRUE(co_await reach(peers, home, better));  // a new address is tried at once
}

TEST(Peers, WhyEachAddressFailedIsToldAndThereIsAPause) {
  Wired wired;
  while_serving(wired, none_answers);
}

Task<> pauses_grow(Wired& wired, Server&, Nursery& scope) {
  Peers peers(wired.calling.station, wired.network, scope);
  const std::vector<Address> addresses{{"192.0.2.9", 1}};
  for (int second = 0; second < 100; ++second) {
    EXPECT_FALSE(co_await reach(peers, wired.serving.identity.id(), addresses));
    co_await wired.platform.clock().sleep(1s);
  }
  EXPECT_EQ(wired.network.connects(), 7U);  // at 0, 1, 3, 7, 15, 31 and 63 seconds
}

TEST(Peers, PausesGrow) {
  Wired wired;
  while_serving(wired, pauses_grow);
}

Task<> another_answers(Wired& wired, Server&, Nursery& scope) {
  Peers peers(wired.calling.station, wired.network, scope);
  const std::vector<Address> addresses{kGood};
  const auto failed = co_await reach(peers, wired.calling.identity.id(), addresses);
  EXPECT_EQ(failed.error().code, Errc::denied);
  EXPECT_NE(failed.error().detail.find("another computer answers"), std::string::npos) << failed.error().detail;
  const std::vector<Address> none;
  EXPECT_FALSE(co_await reach(peers, wired.calling.identity.id(), none));
}

TEST(Peers, AnotherComputerAtTheAddressIsNamed) {
  Wired wired;
  while_serving(wired, another_answers);
}

/// Hears every home at one place, after a second.
class Ears : public Lookout {
 public:
  explicit Ears(platform::Clock& clock) : clock_(clock) {}
  Task<std::vector<Address>> look_for(HomeId) override {
    ++asked;
    co_await clock_.sleep(1s);
    co_return std::vector<Address>{kGood};
  }
  int asked = 0;

 private:
  platform::Clock& clock_;
};

Task<> heard_nearby(Wired& wired, Server&, Nursery& scope) {
  wired.network.set_silent("198.51.100.1");
  Ears ears(wired.platform.clock());
  const Helpers helpers{.lookout = &ears};
  Peers peers(wired.calling.station, wired.network, scope, {}, helpers);
  const HomeId home = wired.serving.identity.id();
  const std::vector<Address> here{{"127.0.0.1", 1}};
  EXPECT_FALSE(co_await reach(peers, home, here));
  EXPECT_EQ(ears.asked, 0);  // a home of this computer is not in any network
  const std::vector<Address> former{{"198.51.100.1", 7070}};
  EXPECT_TRUE(co_await reach(peers, home, former));
  EXPECT_EQ(ears.asked, 1);
  EXPECT_EQ(peers.tried(home).back().name, "the local network");
  EXPECT_TRUE(peers.tried(home).back().taken);
  EXPECT_TRUE(co_await reach(peers, home, former));
  EXPECT_EQ(ears.asked, 1);
}

TEST(Peers, AHomeThatIsMissedIsLookedForNearby) {
  Wired wired;
  while_serving(wired, heard_nearby);
}

}  // namespace
}  // namespace mhp::net
