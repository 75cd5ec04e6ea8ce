// For tests: several computers, each with a router, an address and a key of its own, in one simulated world.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "net/discovery.h"
#include "net/peers.h"
#include "net/relay.h"
#include "net/testing/echo.h"
#include "net/testing/station.h"

namespace mhp::net::testing {

constexpr std::uint16_t kPort = 7070;

/// Who belongs together: all may wait at each other and call each other; so may call who claims it, while that is
/// taken.
struct Membership final : RelayRights {
  std::set<HomeId> members;
  CallRight claims = CallRight::none;  // what those give
  bool may_wait(const HomeId& home) override { return members.contains(home); }
  bool may_call(const HomeId& caller, const HomeId& home) override {
    return members.contains(caller) && members.contains(home);
  }
  /// What has to be claimed is what only the two ends of that connection know.
  CallRight may_call_by(const Peer& caller, ByteView claim, const HomeId& home) override {
    return members.contains(home) && std::ranges::equal(claim, caller.exporter) ? claims : CallRight::none;
  }
};

struct VillageLimits {
  CallLimits calls{};
  RelayLimits relay{};
  WaitLimits wait{};
  ReachLimits reach{};
};

/// Who has come, and from where.
struct Guests final : Visitors {
  std::set<std::pair<HomeId, std::string>> seen;
  void came(const HomeId& who, const std::string& address) override { seen.emplace(who, address); }
};

/// One computer: it answers, waits at the relays it is told of, is one itself, and calls.
class House {
 public:
  House(platform::MemoryWorld& world, Membership& membership, unsigned number, platform::MemoryHost host,
        const VillageLimits& limits)
      : machine(world, std::move(host)),
        computer(machine, number, limits.calls),
        echo(machine.clock()),
        desk(computer.station, membership, machine.random(), limits.relay),
        dialed(machine.clock()),
        answering(computer.station, echo, &desk, &guests),
        waiter(computer.station, machine.network(), machine.random(), answering, limits.wait, &dialed),
        tasks(machine.executor()),
        calls(machine.executor()),
        ways(std::make_unique<Peers>(computer.station, machine.network(), calls, limits.reach,
                                     Helpers{.desk = &desk, .dialed = &dialed})) {}

  const HomeId& id() const { return computer.identity.id(); }
  Address address() const { return {machine.address(), kPort}; }
  Relay as_relay() const { return {id(), {address()}}; }
  void start() {
    std::vector<std::unique_ptr<platform::Listener>> listeners;
    listeners.push_back(std::move(*machine.network().listen({"::", kPort})));
    tasks.start(answering.run(std::move(listeners)));
    tasks.start(waiter.run());
  }
  /// As a computer that is switched off: nothing of it goes on.
  Task<> stop() {
    ways.reset();
    calls.cancel();
    co_await calls.join();
    tasks.cancel();
    co_await tasks.join();
  }

  platform::MemoryPlatform machine;
  Computer computer;
  Echo echo;
  RelayDesk desk;
  Dialed dialed;
  Guests guests;
  Server answering;
  Waiter waiter;
  platform::Nursery tasks;
  platform::Nursery calls;
  std::unique_ptr<Peers> ways;
};

/// `hidden` houses are behind a router each, which lets nobody in; `open` ones can be relays; `shut` ones look as if
/// they could, by a public address behind such a router. All are members.
struct Village {
  Village(std::size_t hidden_count, std::size_t open_count, const VillageLimits& limits = {},
          std::size_t shut_count = 0) {
    unsigned number = 0;
    for (std::size_t i = 0; i < hidden_count; ++i) {
      const auto name = std::to_string(++number);
      hidden.push_back(std::make_unique<House>(
          world, membership, number, platform::MemoryHost{"10.0." + name + ".2", "203.0.113." + name}, limits));
    }
    for (std::size_t i = 0; i < open_count; ++i) {
      const auto name = std::to_string(++number);
      open.push_back(
          std::make_unique<House>(world, membership, number, platform::MemoryHost{"198.51.100." + name}, limits));
    }
    for (std::size_t i = 0; i < shut_count; ++i) {
      const auto name = std::to_string(++number);
      shut.push_back(std::make_unique<House>(
          world, membership, number, platform::MemoryHost{"2001:db8:" + name + "::2", "203.0.113." + name}, limits));
    }
    for (const auto* group : {&hidden, &open, &shut}) {
      for (const auto& house : *group) membership.members.insert(house->id());
    }
  }
  std::vector<Relay> relays() const {
    std::vector<Relay> out;
    for (const auto* group : {&open, &shut})
      for (const auto& house : *group) out.push_back(house->as_relay());
    return out;
  }
  /// Of one that is behind a router: an address at which nobody answers, and all relays.
  Ways ways_to(const House& house) const { return {{house.address()}, relays()}; }
  platform::Clock& clock() { return world.clock(); }

  platform::MemoryWorld world{7};
  Membership membership;
  std::vector<std::unique_ptr<House>> hidden;
  std::vector<std::unique_ptr<House>> open;
  std::vector<std::unique_ptr<House>> shut;
};

template <class Test>
Task<int> village_task(Village& village, Test& test) {
  for (auto* group : {&village.open, &village.shut, &village.hidden}) {
    for (auto& house : *group) {
      house->start();
      if (group != &village.open) house->waiter.set_relays(village.relays());
    }
  }
  co_await village.clock().sleep(std::chrono::seconds(1));
  co_await test(village);
  for (auto* group : {&village.hidden, &village.shut, &village.open}) {
    for (auto& house : *group) {
      co_await house->stop();
      EXPECT_EQ(house->computer.traffic.buffered(), 0U);
      EXPECT_EQ(house->desk.counts().pairs, 0U);
    }
  }
  co_return 0;
}

/// Runs `test(village)`, a coroutine function, while all houses answer and the hidden ones wait at the open ones.
template <class Test>
void in_village(Village& village, Test test) {
  run_task(village.world, village_task(village, test));
}

}  // namespace mhp::net::testing
