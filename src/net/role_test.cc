// One computer of a real network, as tests/e2e/relay.py places several in namespaces: a relay, a home, or a caller.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <sstream>

#include "net/discovery.h"
#include "net/peers.h"
#include "net/testing/echo.h"
#include "net/testing/station.h"
#include "net/testing/village.h"

namespace mhp::net {
namespace {

using namespace std::chrono_literals;

constexpr unsigned kMostNumber = 8;  // of computers

std::string setting(const char* name) {
  const char* given = std::getenv(name);
  return given == nullptr ? "" : given;
}

HomeId id_of(unsigned number) { return Identity(testing::key_of(number)).id(); }

/// "3@203.0.113.1 4@203.0.113.2"
std::vector<Relay> relays_of(const std::string& text) {
  std::vector<Relay> out;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const auto at = word.find('@');
    Relay relay{id_of(static_cast<unsigned>(std::stoul(word.substr(0, at)))), {}};
    relay.addresses.push_back({word.substr(at + 1), testing::kPort});
    out.push_back(std::move(relay));
  }
  return out;
}

struct Cloud final : Interest {
  std::vector<CloudId> clouds() override { return {CloudId::from_array({std::byte{1}})}; }
  bool is_known(const HomeId&) override { return true; }
};

struct Player {
  explicit Player(unsigned number)
      : machine(platform::make_posix_platform()),
        computer(*machine, number),
        echo(machine->clock()),
        desk(computer.station, membership, machine->random()),
        answering(computer.station, echo, &desk),
        waiter(computer.station, machine->network(), machine->random(), answering),
        neighbours(computer.station, machine->network(), machine->random(), cloud, testing::kPort) {
    for (unsigned i = 0; i < kMostNumber; ++i) membership.members.insert(id_of(i));
  }
  std::unique_ptr<platform::Platform> machine;
  testing::Computer computer;
  testing::Membership membership;
  testing::Echo echo;
  RelayDesk desk;
  Server answering;
  Waiter waiter;
  Cloud cloud;
  Neighbours neighbours;
};

/// Calls until `rounds` echoes have come back, over a new connection after each that fails; how many failed.
Task<unsigned> call_rounds(Player& player, Peers& peers, HomeId home, unsigned rounds, std::size_t size) {
  platform::Clock& clock = player.machine->clock();
  unsigned failures = 0;
  const Bytes body(size, std::byte{'e'});
  for (unsigned done = 0; done < rounds && failures < 60;) {
    Ways ways{{}, relays_of(setting("MHP_RELAYS"))};
    auto reaching = peers.reach(home, std::move(ways));
    const auto caller = co_await std::move(reaching);
    Result<Bytes> back = fail(Errc::unavailable, caller ? "" : caller.error().detail);
    if (caller) {
      Request request{Method::put, "/v1/echo", body};
      auto calling = (*caller)->call(std::move(request), 60s);
      back = co_await std::move(calling);
    }
    if (back) {
      EXPECT_TRUE(*back == body);
      ++done;
      continue;
    }
    std::printf("failed: %s\n", back.error().detail.c_str());
    ++failures;
    co_await clock.sleep(500ms);
  }
  co_return failures;
}

Task<int> play_caller(Player& player) {
  platform::Clock& clock = player.machine->clock();
  platform::Nursery calls(player.machine->executor());
  platform::Nursery looking(player.machine->executor());
  looking.start(player.neighbours.run());
  co_await clock.sleep(1s);
  const auto rounds = static_cast<unsigned>(std::stoul(setting("MHP_ROUNDS")));
  const auto size = std::stoul(setting("MHP_BYTES"));
  const HomeId home = id_of(static_cast<unsigned>(std::stoul(setting("MHP_HOME"))));
  Peers peers(player.computer.station, player.machine->network(), calls, {}, {.neighbours = &player.neighbours});
  const auto began = clock.steady();
  const auto failures = co_await call_rounds(player, peers, home, rounds, size);
  const double seconds = std::chrono::duration<double>(clock.steady() - began).count();
  EXPECT_LE(failures, std::stoul(setting("MHP_FAILURES")));
  EXPECT_EQ(peers.is_relayed(home), setting("MHP_WAY") == "relay");
  for (const TriedWay& way : peers.tried(home))
    std::printf("%s: %s\n", way.name.c_str(), way.taken ? "taken" : way.failure ? way.failure->detail.c_str() : "-");
  std::printf("%u rounds of %zu bytes there and back: %.1f MB/s each way\n", rounds, size,
              static_cast<double>(size) * rounds / seconds / 1e6);
  for (platform::Nursery* each : {&calls, &looking}) {
    each->cancel();
    co_await each->join();
  }
  co_return 0;
}

/// Until it is killed.
Task<int> play_home(Player& player, bool waits) {
  platform::Nursery all(player.machine->executor());
  std::vector<std::unique_ptr<platform::Listener>> listeners;
  auto listener = player.machine->network().listen({"::", testing::kPort});
  EXPECT_TRUE(listener) << listener.error().detail;
  listeners.push_back(std::move(*listener));
  player.waiter.set_relays(relays_of(setting("MHP_RELAYS")));
  all.start(player.answering.run(std::move(listeners)));
  all.start(player.neighbours.run());
  if (waits) all.start(player.waiter.run());
  const auto wanted = waits ? relays_of(setting("MHP_RELAYS")).size() : 0;
  while (player.waiter.waits_at().size() < wanted) co_await player.machine->clock().sleep(50ms);
  std::printf("ready\n");
  std::fflush(stdout);
  co_await all.join();
  co_return 0;
}

TEST(Role, IsPlayed) {
  const std::string role = setting("MHP_ROLE");
  if (role.empty()) GTEST_SKIP() << "tests/e2e/relay.py runs it, in network namespaces";
  primitives::init_sodium();
  Player player(static_cast<unsigned>(std::stoul(setting("MHP_NUMBER"))));
  auto task = role == "caller" ? play_caller(player) : play_home(player, role == "home");
  EXPECT_EQ(platform::run_task(*player.machine, std::move(task)), 0);
}

}  // namespace
}  // namespace mhp::net
