// Finding homes in the local network: who is heard, by whom, for how long, and what flooding can do.
#include "net/discovery.h"

#include <gtest/gtest.h>

#include <set>

#include "net/testing/station.h"

namespace mhp::net {
namespace {

using namespace std::chrono_literals;
using platform::MemoryHost;
using platform::MemoryPlatform;
using platform::MemoryWorld;
using platform::Nursery;
using testing::Computer;

CloudId cloud_of(unsigned number) {
  CloudId::Array bytes{};
  bytes[0] = static_cast<std::byte>(number);
  return CloudId::from_array(bytes);
}

struct Everybody final : Interest {
  std::vector<CloudId> mine;
  std::set<HomeId> known;  // empty: all
  std::vector<CloudId> clouds() override { return mine; }
  bool is_known(const HomeId& home) override { return known.empty() || known.contains(home); }
};

/// One computer in a local network.
struct Cottage {
  Cottage(MemoryWorld& world, unsigned number, MemoryHost host, unsigned cloud, std::uint16_t port = 7070,
          const NeighbourLimits& limits = {})
      : machine(world, std::move(host)), computer(machine, number), tasks(machine.executor()) {
    interest.mine = {cloud_of(cloud)};
    neighbours =
        std::make_unique<Neighbours>(computer.station, machine.network(), machine.random(), interest, port, limits);
  }
  void start() { tasks.start(neighbours->run()); }
  Task<> stop() {
    tasks.cancel();
    co_await tasks.join();
  }
  const HomeId& id() const { return computer.identity.id(); }
  bool hears(const Cottage& other) const { return !neighbours->addresses_of(other.id()).empty(); }

  MemoryPlatform machine;
  Computer computer;
  Everybody interest;
  Nursery tasks;
  std::unique_ptr<Neighbours> neighbours;
};

struct Lane {
  MemoryWorld world{3};
  std::vector<std::unique_ptr<Cottage>> houses;
  Cottage& add(MemoryHost host, unsigned cloud, std::uint16_t port = 7070, const NeighbourLimits& limits = {}) {
    const auto number = static_cast<unsigned>(houses.size() + 1);
    houses.push_back(std::make_unique<Cottage>(world, number, std::move(host), cloud, port, limits));
    return *houses.back();
  }
  Cottage& operator[](std::size_t i) { return *houses[i]; }
};

template <class Test>
Task<int> street_task(Lane& street, Test& test) {
  co_await test(street);
  for (const auto& house : street.houses) co_await house->stop();
  co_return 0;
}

template <class Test>
void in_lane(Lane& street, Test test) {
  run_task(street.world, street_task(street, test));
}

Task<> three_find_each_other(Lane& street) {
  for (std::size_t i = 0; i < 3; ++i) {
    street[i].start();
    co_await street.world.clock().sleep(100ms);
  }
  // Who came last has asked, and was heard asking: nobody waits for the next beacon.
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < 3; ++j) EXPECT_EQ(street[i].hears(street[j]), i != j) << i << j;
    EXPECT_EQ(street[i].neighbours->homes().size(), 2U);
  }
  const auto addresses = street[0].neighbours->addresses_of(street[2].id());
  EXPECT_EQ(addresses.size(), 1U);
  EXPECT_EQ(addresses[0].host, street[2].machine.address());
  EXPECT_EQ(addresses[0].port, 7072);
}

TEST(Neighbours, ThreeFindEachOtherAtOnce) {
  Lane street;
  for (std::uint16_t i = 0; i < 3; ++i) street.add({"", "203.0.113.1"}, 1, static_cast<std::uint16_t>(7070 + i));
  in_lane(street, three_find_each_other);
}

Task<> only_ones_own(Lane& street) {
  for (const auto& house : street.houses) house->start();
  co_await street.world.clock().sleep(2min);
  EXPECT_TRUE(street[0].hears(street[1]));
  EXPECT_FALSE(street[0].hears(street[2]));  // another cloud
  EXPECT_FALSE(street[0].hears(street[3]));  // another network
  EXPECT_TRUE(street[4].hears(street[0]));   // it only looks
  EXPECT_FALSE(street[0].hears(street[4]));
}

TEST(Neighbours, OnlyOnesOwnCloudsAreHeard) {
  Lane street;
  street.add({"", "203.0.113.1"}, 1);
  street.add({"", "203.0.113.1"}, 1);
  street.add({"", "203.0.113.1"}, 2);
  street.add({"", "203.0.113.2"}, 1);
  street.add({"", "203.0.113.1"}, 1, 0);
  in_lane(street, only_ones_own);
}

Task<> gone_and_back(Lane& street) {
  for (const auto& house : street.houses) house->start();
  co_await street.world.clock().sleep(26h);  // over a change of the day
  EXPECT_TRUE(street[0].hears(street[1]));
  street.world.wires().unplug(street[1].machine.address());
  co_await street.world.clock().sleep(3min);
  EXPECT_FALSE(street[0].hears(street[1]));
  EXPECT_TRUE(street[0].neighbours->homes().empty());
  street.world.wires().plug_in(street[1].machine.address());
  street[0].neighbours->ask();
  co_await street.world.clock().sleep(1s);
  EXPECT_TRUE(street[0].hears(street[1]));
}

TEST(Neighbours, WhoIsGoneIsForgottenAndFoundAgain) {
  Lane street;
  street.add({}, 1);
  street.add({}, 1);
  in_lane(street, gone_and_back);
}

Task<> many_lost(Lane& street) {
  street.world.wires().set_default_link({.datagram_loss = 0.3});
  for (const auto& house : street.houses) house->start();
  co_await street.world.clock().sleep(3min);
  for (int minute = 0; minute < 60; ++minute) {
    EXPECT_TRUE(street[0].hears(street[1])) << minute;
    co_await street.world.clock().sleep(1min);
  }
}

TEST(Neighbours, ALossyNetworkIsEnough) {
  Lane street;
  street.add({}, 1);
  street.add({}, 1);
  in_lane(street, many_lost);
}

wire::Beacon beacon_of(unsigned number, platform::Clock& clock, bool asks) {
  HomeId::Array bytes{};
  bytes[0] = std::byte{0xff};
  for (unsigned i = 0; i < 4; ++i) bytes[i + 1] = static_cast<std::byte>(number >> (8 * i));
  wire::Beacon out{.home = HomeId::from_array(bytes), .port = 1, .asks = asks};
  out.tags = {wire::beacon_tag(cloud_of(1), clock.unix_ns() / 86'400'000'000'000)};
  return out;
}

/// Sends `count` beacons of homes that there are not, a thousand a second.
Task<> flood(MemoryPlatform& machine, unsigned count, bool asks, std::size_t& answers) {
  auto line = machine.network().join_group(kBeaconGroups[0]);
  EXPECT_TRUE(line);
  struct Hear {
    static Task<> all(platform::Datagrams& line, std::size_t& answers) {
      for (;;) {
        const auto heard = co_await line.receive();
        if (!heard) co_return;
        const auto beacon = wire::parse_beacon(heard->bytes);
        if (beacon && !beacon->asks && beacon->home.bytes()[0] != std::byte{0xff}) ++answers;
      }
    }
  };
  Nursery hearing(machine.executor());
  hearing.start(Hear::all(**line, answers));
  for (unsigned i = 0; i < count; ++i) {
    const Bytes bytes = wire::encode(beacon_of(i, machine.clock(), asks));
    EXPECT_TRUE(co_await (*line)->send(bytes));
    co_await machine.clock().sleep(1ms);
  }
  hearing.cancel();
  co_await hearing.join();
}

Task<> flooding(Lane& street) {
  street[0].start();
  street[1].start();
  co_await street.world.clock().sleep(1s);
  MemoryPlatform evil(street.world, {});
  std::size_t answers = 0;
  co_await flood(evil, 30'000, true, answers);
  EXPECT_TRUE(street[0].hears(street[1]));
  EXPECT_EQ(street[0].neighbours->homes().size(), 256U);
  EXPECT_GT(street[0].neighbours->dropped(), 20'000U);
  EXPECT_GT(answers, 0U);
  EXPECT_LT(answers, 2 * (32 + 4 * 31) + 10U);  // of both, with their own beacons
  street[1].interest.known = {street[0].id()};
  co_await flood(evil, 1000, false, answers);
  co_await street.world.clock().sleep(3min);
  EXPECT_EQ(street[1].neighbours->homes(), std::vector{street[0].id()});
}

TEST(Neighbours, FloodsTakeNoMoreThanIsAllowed) {
  Lane street;
  street.add({}, 1);
  street.add({}, 1);
  in_lane(street, flooding);
}

Task<> garbage(Lane& street) {
  street[0].start();
  MemoryPlatform evil(street.world, {});
  auto line = evil.network().join_group(kBeaconGroups[0]);
  auto valid = beacon_of(1, evil.clock(), true);
  for (unsigned i = 0; i < 2000; ++i) {
    Bytes bytes = wire::encode(valid);
    if (i % 3 == 0) bytes.resize(i % bytes.size());
    if (i % 3 == 1) bytes[i % bytes.size()] ^= static_cast<std::byte>(1 + i % 255);
    if (i % 3 == 2) bytes.assign(platform::Datagrams::kMaxBytes, static_cast<std::byte>(i));
    EXPECT_TRUE(co_await (*line)->send(bytes));
    co_await evil.clock().sleep(20ms);
  }
  EXPECT_LE(street[0].neighbours->homes().size(), 256U);
}

TEST(Neighbours, NoiseHarmsNobody) {
  Lane street;
  street.add({}, 1);
  in_lane(street, garbage);
}

Task<> many_addresses(Lane& street) {
  street[0].start();
  co_await street.world.clock().sleep(100ms);
  std::vector<std::unique_ptr<MemoryPlatform>> machines;
  for (int i = 0; i < 20; ++i) {
    machines.push_back(std::make_unique<MemoryPlatform>(street.world, MemoryHost{}));
    auto line = machines.back()->network().join_group(kBeaconGroups[0]);
    const Bytes bytes = wire::encode(beacon_of(1, street.world.clock(), false));
    EXPECT_TRUE(co_await (*line)->send(bytes));
    co_await street.world.clock().sleep(100ms);
  }
  const auto home = beacon_of(1, street.world.clock(), false).home;
  const auto addresses = street[0].neighbours->addresses_of(home);
  EXPECT_EQ(addresses.size(), 8U);
  EXPECT_EQ(addresses[7].host, machines[0]->address());  // the first stays; the latest heard comes first
}

TEST(Neighbours, OneHomeHasOnlySoManyAddresses) {
  Lane street;
  street.add({}, 1);
  in_lane(street, many_addresses);
}

}  // namespace
}  // namespace mhp::net
