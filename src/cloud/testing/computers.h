// For tests: people's computers, each with a book and a service that answers, in one network of memory.
#pragma once

#include <gtest/gtest.h>

#include <map>

#include "base/check.h"
#include "cloud/cloud_routes.h"
#include "cloud/cloud_service.h"
#include "cloud/join.h"
#include "cloud/test_cloud.h"
#include "net/server.h"
#include "platform/memory/memory_platform.h"

namespace mhp::cloud::testing {

constexpr std::uint16_t kPort = 7070;
constexpr std::chrono::seconds kLimit{10};  // of each request

/// The seed of a key of test_key().
inline primitives::Key test_seed_of(const std::string& name) {
  primitives::init_sodium();
  return primitives::blake3_derive("mhp test key", as_bytes(name));
}

/// One person's. Down at first; what was begun is ended by go_down() before it goes.
class Computer {
 public:
  Computer(platform::MemoryWorld& world, const std::string& name)
      : person(name),
        machine(world),
        identity(test_seed_of(name + "'s home")),
        station{machine.clock(), machine.executor(), tls, traffic},
        service(machine, book, person.home, nullptr) {}

  /// Answers others from now on, and may call them.
  void go_up() {
    MHP_CHECK(!answering);
    std::vector<std::unique_ptr<platform::Listener>> listeners;
    listeners.push_back(std::move(*machine.network().listen({"0.0.0.0", kPort})));
    answering = std::make_unique<net::Server>(station, service);
    serving_ = std::make_unique<platform::Nursery>(machine.executor());
    serving_->start(answering->run(std::move(listeners)));
    calling_ = std::make_unique<platform::Nursery>(machine.executor());
    net = std::make_unique<net::Peers>(station, machine.network(), *calling_);
  }
  Task<> go_down() {
    if (!answering) co_return;
    net.reset();
    calling_->cancel();
    co_await calling_->join();
    answering->stop(std::chrono::nanoseconds(0));
    co_await serving_->join();
    answering.reset();
  }
  bool is_up() const { return answering != nullptr; }

  const HomeId& id() const { return identity.id(); }
  std::string address() const { return machine.address() + ":" + std::to_string(kPort); }
  Newcomer newcomer() const {
    return {.member = person.key,
            .name = person.name,
            .home = person.home,
            .home_name = person.name + "'s attic",
            .lend_bytes = 50'000'000'000,
            .anchor = false,
            .addresses = {address()},
            .device = person.device_key(),
            .device_name = person.name + "'s laptop"};
  }
  RosterPointer roster(const CloudId& cloud) const { return book.find(cloud); }
  const View& view(const CloudId& cloud) const { return book.find(cloud)->view(); }

  /// Must count.
  void say(const CloudId& cloud, const primitives::SigningKey& key, wire::Act act) {
    const Bytes statement = roster(cloud)->say(key, person.id(), std::move(act));
    const auto merged = book.merge(cloud, std::span(&statement, 1));
    ASSERT_TRUE(merged) << merged.error().detail;
    EXPECT_EQ(merged->fresh.size(), 1U) << (merged->refused.empty() ? "" : merged->refused[0].why);
    EXPECT_TRUE(merged->idle.empty());
  }
  void say(const CloudId& cloud, wire::Act act) { say(cloud, person.key, std::move(act)); }
  /// With this computer as its only home.
  CloudId found(const wire::Rules& rules = {}) {
    const wire::Founding founding{"Lindenweg", person.name, rules, kNowS, {}};
    const Roster roster = *Roster::found(found_cloud(person.key, founding));
    EXPECT_TRUE(book.add(roster));
    say(roster.cloud(), wire::HomeKey{person.home_key(), person.name + "'s attic", 50'000'000'000, true});
    say(roster.cloud(), person.home, wire::HomeAddresses{{address()}});
    return roster.cloud();
  }
  wire::Invitation invite(const CloudId& cloud, std::uint64_t secret, wire::Role role = wire::Role::member) {
    const std::int64_t now_s = machine.clock().unix_ns() / 1'000'000'000;
    const Wish wish{.inviter = person.id(), .role = role, .expires_s = now_s + 86'400};
    auto invited = cloud::invite(view(cloud), cloud, wish, test_secret(secret));
    MHP_CHECK(invited.has_value());
    say(cloud, invited->ticket);
    return invited->invitation;
  }
  wire::Removal removal_of(const CloudId& cloud, const Computer& other) const {
    return roster(cloud)->removal(wire::Removal::What::member, other.person.id());
  }

  const Person person;
  platform::MemoryPlatform machine;
  net::Identity identity;
  net::Tls tls{identity};
  net::Traffic traffic;
  net::Station station;
  Book book{machine.disk(), "/state/clouds"};
  CloudService service;
  std::unique_ptr<net::Peers> net;  // while it is up
  std::unique_ptr<net::Server> answering;

 private:
  std::unique_ptr<platform::Nursery> serving_;
  std::unique_ptr<platform::Nursery> calling_;
};

/// Several of them.
struct Computers {
  explicit Computers(const std::vector<std::string>& names, std::uint64_t seed = 1) : world(seed) {
    for (const std::string& name : names) all.emplace(name, std::make_unique<Computer>(world, name));
  }
  Computer& operator[](const std::string& name) { return *all.at(name); }
  platform::Clock& clock() { return world.clock(); }
  platform::MemoryWorld world;
  std::map<std::string, std::unique_ptr<Computer>> all;
};

template <class Test>
Task<int> all_up(Computers& computers, Test& test) {
  for (const auto& [name, computer] : computers.all) computer->go_up();
  co_await test(computers);
  for (const auto& [name, computer] : computers.all) co_await computer->go_down();
  co_return 0;
}

/// Runs `test(computers)`, a coroutine function, while all of them are up.
template <class Test>
void while_up(Computers& computers, Test test) {
  EXPECT_EQ(computers.world.run(all_up(computers, test)), 0);
}

/// Over a new connection, since a stranger may send little over each.
inline Task<Result<Joined>> try_join(Computer& who, wire::Invitation invitation) {
  co_await who.machine.clock().sleep(std::chrono::seconds(10));
  auto joining = join(who.machine, who.book, *who.net, std::move(invitation), who.newcomer(), kLimit);
  co_return co_await std::move(joining);
}

/// Must go well.
inline Task<Joined> let_in(Computer& who, wire::Invitation invitation) {
  auto joining = try_join(who, std::move(invitation));
  auto joined = co_await std::move(joining);
  EXPECT_TRUE(joined) << (joined ? "" : joined.error().detail);
  co_return joined ? std::move(*joined) : Joined{};
}

/// Each that is up with all others, as often as there is news.
inline Task<> settle(Computers& all, CloudId cloud) {
  bool more = true;
  for (unsigned round = 0; more; ++round) {
    EXPECT_LT(round, 10U) << "they do not come to an end";
    if (round == 10) co_return;
    more = false;
    for (const auto& [name, computer] : all.all) {
      if (!computer->is_up()) continue;
      auto spreading = spread(computer->machine, computer->book, cloud, *computer->net, computer->id(), {});
      for (const Spoken& one : co_await std::move(spreading))
        more = more || (one.exchanged && one.exchanged->taken + one.exchanged->given > 0);
    }
  }
}

inline void expect_same(Computers& all, const CloudId& cloud, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    ASSERT_TRUE(all[name].roster(cloud)) << name;
    EXPECT_EQ(all[name].roster(cloud)->statements(), all[names[0]].roster(cloud)->statements()) << name;
  }
}

inline void expect_error(const Result<Joined>& joined, Errc code, const std::string& words) {
  ASSERT_FALSE(joined) << "not refused: " << words;
  EXPECT_EQ(joined.error().code, code) << joined.error().detail;
  EXPECT_NE(joined.error().detail.find(words), std::string::npos) << joined.error().detail;
}

inline Task<Result<std::shared_ptr<net::Caller>>> call_to(Computer& from, Computer& to) {
  std::vector<net::Address> addresses{{to.machine.address(), kPort}};
  auto reaching = from.net->reach(to.id(), std::move(addresses));
  co_return co_await std::move(reaching);
}

inline Task<Result<Bytes>> ask(Computer& from, Computer& to, net::Request request) {
  auto calling = call_to(from, to);
  MHP_CO_TRY(const auto caller, co_await std::move(calling));
  co_return co_await caller->call(std::move(request), kLimit);
}

inline net::Request digest_of(const CloudId& cloud) {
  return to_request({CloudCall::ask_roster, cloud}, wire::encode(wire::RosterDigest{cloud, {}}));
}

}  // namespace mhp::cloud::testing
