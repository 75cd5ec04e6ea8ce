// The simulated network: times, rates, partitions, routers and losses are what was asked for, and bytes stay whole.
#include "platform/memory/memory_network.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "base/check.h"
#include "base/test_run.h"
#include "platform/memory/memory_platform.h"

namespace mhp::platform {
namespace {

using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr std::uint16_t kHomePort = 7070;

Bytes sample(std::size_t size, std::uint64_t seed) {
  Bytes out(size);
  std::mt19937_64 random(seed);
  for (auto& byte : out) byte = static_cast<std::byte>(random());
  return out;
}

/// What came of one transfer.
struct Arrival {
  Bytes bytes;
  nanoseconds first{0};
  nanoseconds last{0};
  std::optional<Error> error;
};

Task<Arrival> read_to_end(Clock& clock, Stream& stream) {
  Arrival out;
  Bytes buffer(64_KiB);
  for (;;) {
    auto count = co_await stream.read_some(buffer);
    if (!count) out.error = count.error();
    if (!count || *count == 0) co_return out;
    if (out.bytes.empty()) out.first = clock.steady();
    out.last = clock.steady();
    out.bytes.insert(out.bytes.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*count));
  }
}

/// Takes one connection and reads it to its end.
Task<> serve_one(MemoryPlatform& home, Arrival& into) {
  auto listener = home.network().listen({"0.0.0.0", kHomePort});
  MHP_CHECK(listener);
  auto stream = co_await (*listener)->accept();
  MHP_CHECK(stream);
  into = co_await read_to_end(home.clock(), **stream);
}

/// When it was connected, and whether all could be written.
struct Sent {
  nanoseconds began{0};
  nanoseconds connected{0};
  std::optional<Error> error;
};

Task<> send_one(MemoryPlatform& guest, std::string to, Bytes bytes, Sent& into) {
  into.began = guest.clock().steady();
  const Endpoint there{to, kHomePort};
  auto stream = co_await guest.network().connect(there, hours(1));
  if (!stream) {
    into.error = stream.error();
    co_return;
  }
  into.connected = guest.clock().steady();
  auto written = co_await (*stream)->write_all(bytes);
  if (!written) into.error = written.error();
}

/// Two hosts, one transfer.
struct Two {
  explicit Two(std::uint64_t seed = 1) : world(seed) {}
  MemoryWorld world;
  MemoryPlatform home{world};
  MemoryPlatform guest{world};
  Arrival arrival;
  Sent sent;

  void set_link(const MemoryLink& link) {
    world.wires().set_link(guest.address(), home.address(), link);
    world.wires().set_link(home.address(), guest.address(), link);
  }
};

Task<int> transfer(Two& two, Bytes bytes) {
  Nursery both(two.world.executor());
  both.start(serve_one(two.home, two.arrival));
  both.start(send_one(two.guest, two.home.address(), std::move(bytes), two.sent));
  co_await both.join();
  co_return 0;
}

TEST(MemoryNetwork, TakesTheTimeOfItsLinks) {
  const auto seed = test_run::seed();
  for (std::uint64_t round = 0; round < 100; ++round) {
    SCOPED_TRACE("MHP_SEED=" + std::to_string(seed) + " round " + std::to_string(round));
    std::mt19937_64 random(seed * 1000 + round);
    Two two;
    const MemoryLink link{microseconds(random() % 300'000), random() % 4 == 0 ? 0 : 10'000 + random() % 10'000'000};
    two.set_link(link);
    const auto bytes = sample(1 + random() % 1'000'000, round);
    two.world.run(transfer(two, bytes));
    ASSERT_TRUE(two.arrival.bytes == bytes);
    ASSERT_FALSE(two.arrival.error || two.sent.error);
    EXPECT_EQ(two.sent.connected - two.sent.began, 2 * link.latency);
    const double took = std::chrono::duration<double>(two.arrival.last - two.sent.connected - link.latency).count();
    const double expected =
        link.bytes_per_second == 0 ? 0 : static_cast<double>(bytes.size()) / static_cast<double>(link.bytes_per_second);
    EXPECT_NEAR(took, expected, 1e-6);
    EXPECT_EQ(two.world.wires().carried_bytes(two.guest.address(), two.home.address()), bytes.size());
    EXPECT_EQ(two.world.wires().carried_bytes(two.home.address(), two.guest.address()), 0U);
  }
}

/// As many homes as `arrivals`, one guest that sends to each at once.
Task<int> spread(MemoryWorld& world, MemoryPlatform& guest, std::vector<std::unique_ptr<MemoryPlatform>>& homes,
                 std::vector<Arrival>& arrivals, std::vector<Sent>& sent, std::size_t size) {
  Nursery all(world.executor());
  for (std::size_t i = 0; i < homes.size(); ++i) {
    all.start(serve_one(*homes[i], arrivals[i]));
    all.start(send_one(guest, homes[i]->address(), sample(size, i), sent[i]));
  }
  co_await all.join();
  co_return 0;
}

TEST(MemoryNetwork, AnUploadLimitIsSharedByAllWhoAreSentTo) {
  MemoryWorld world(1);
  MemoryHost slow;
  slow.upload_bytes_per_second = 1'000'000;
  MemoryPlatform guest(world, slow);
  std::vector<std::unique_ptr<MemoryPlatform>> homes;
  for (int i = 0; i < 5; ++i) homes.push_back(std::make_unique<MemoryPlatform>(world));
  std::vector<Arrival> arrivals(homes.size());
  std::vector<Sent> sent(homes.size());
  world.run(spread(world, guest, homes, arrivals, sent, 2'000'000));
  nanoseconds last{0};
  for (std::size_t i = 0; i < homes.size(); ++i) {
    EXPECT_TRUE(arrivals[i].bytes == sample(2'000'000, i));
    last = std::max(last, arrivals[i].last);
  }
  EXPECT_NEAR(std::chrono::duration<double>(last).count(), 10.003, 0.001);  // and three times a latency
}

Task<> cut_and_mend(Two& two, nanoseconds after, nanoseconds time) {
  co_await two.world.clock().sleep(after);
  two.world.wires().cut(two.home.address(), two.guest.address());
  co_await two.world.clock().sleep(time);
  two.world.wires().mend(two.home.address(), two.guest.address());
}

Task<int> transfer_with_a_cut(Two& two, Bytes bytes, nanoseconds after, nanoseconds time) {
  Nursery both(two.world.executor());
  both.start(serve_one(two.home, two.arrival));
  both.start(send_one(two.guest, two.home.address(), std::move(bytes), two.sent));
  both.start(cut_and_mend(two, after, time));
  co_await both.join();
  co_return 0;
}

TEST(MemoryNetwork, AShortPartitionOnlyDelays) {
  Two two;
  two.set_link({milliseconds(10), 1'000'000});
  const auto bytes = sample(10'000'000, 1);
  two.world.run(transfer_with_a_cut(two, bytes, seconds(2), seconds(119)));
  EXPECT_TRUE(two.arrival.bytes == bytes);
  EXPECT_FALSE(two.arrival.error || two.sent.error);
  EXPECT_GE(two.arrival.last, seconds(121));
}

TEST(MemoryNetwork, ALongPartitionLosesConnections) {
  Two two;
  two.set_link({milliseconds(10), 1'000'000});
  two.world.run(transfer_with_a_cut(two, sample(10'000'000, 1), seconds(2), seconds(121)));
  ASSERT_TRUE(two.arrival.error && two.sent.error);
  EXPECT_EQ(two.arrival.error->code, Errc::timed_out);
  EXPECT_EQ(two.sent.error->code, Errc::timed_out);
  EXPECT_LT(two.arrival.last, seconds(2));
}

TEST(MemoryNetwork, AConnectGoesOnWhenAPartitionEnds) {
  Two two;
  two.world.run(transfer_with_a_cut(two, sample(10, 1), seconds(0), seconds(30)));
  EXPECT_EQ(two.arrival.bytes.size(), 10U);
  EXPECT_GE(two.sent.connected, seconds(30));
  EXPECT_LE(two.sent.connected, seconds(32));
}

Task<> unplug_for_a_while(Two& two) {
  co_await two.world.clock().sleep(seconds(1));
  two.world.wires().unplug(two.guest.address());
  co_await two.world.clock().sleep(seconds(10));
  const HostAndPort wanted{"home.example", 1};
  const auto name = co_await two.guest.network().resolve(wanted, seconds(5));
  EXPECT_TRUE(!name && name.error().code == Errc::timed_out);
  two.world.wires().plug_in(two.guest.address());
  const auto again = co_await two.guest.network().resolve(wanted, seconds(5));
  EXPECT_TRUE(again && *again == (std::vector<Endpoint>{{two.home.address(), 1}}));
}

Task<int> transfer_unplugged(Two& two, Bytes bytes) {
  Nursery both(two.world.executor());
  both.start(serve_one(two.home, two.arrival));
  both.start(send_one(two.guest, two.home.address(), std::move(bytes), two.sent));
  both.start(unplug_for_a_while(two));
  co_await both.join();
  co_return 0;
}

TEST(MemoryNetwork, AHostCanBeUnplugged) {
  Two two;
  two.world.wires().set_name("home.example", {two.home.address()});
  two.set_link({milliseconds(10), 1'000'000});
  const auto bytes = sample(2'000'000, 1);
  two.world.run(transfer_unplugged(two, bytes));
  EXPECT_TRUE(two.arrival.bytes == bytes);
  EXPECT_GE(two.arrival.last, seconds(16));
}

Task<> lose_after(Two& two, nanoseconds after) {
  co_await two.world.clock().sleep(after);
  two.world.wires().lose_connections(two.guest.address(), two.home.address());
}

Task<int> transfer_lost(Two& two, Bytes bytes) {
  Nursery both(two.world.executor());
  both.start(serve_one(two.home, two.arrival));
  both.start(send_one(two.guest, two.home.address(), std::move(bytes), two.sent));
  both.start(lose_after(two, seconds(3)));
  co_await both.join();
  co_return 0;
}

TEST(MemoryNetwork, BothEndsFindALostConnection) {
  Two two;
  two.set_link({milliseconds(10), 1'000'000});
  const auto bytes = sample(20'000'000, 1);
  two.world.run(transfer_lost(two, bytes));
  ASSERT_TRUE(two.arrival.error && two.sent.error);
  EXPECT_EQ(two.arrival.error->code, Errc::unavailable);
  EXPECT_EQ(two.sent.error->code, Errc::unavailable);
  EXPECT_EQ(two.world.clock().steady(), seconds(3));
  EXPECT_TRUE(std::ranges::equal(two.arrival.bytes, ByteView(bytes).first(two.arrival.bytes.size())));
}

Task<Result<Endpoint>> seen_as(MemoryPlatform& guest, MemoryPlatform& home) {
  auto listener = home.network().listen({"::", kHomePort});
  MHP_CHECK(listener);
  const Endpoint there{home.address(), kHomePort};
  auto stream = co_await guest.network().connect(there, seconds(10));
  if (!stream) co_return pass(stream);
  auto accepted = co_await (*listener)->accept();
  MHP_CHECK(accepted);
  co_return (*accepted)->remote();
}

TEST(MemoryNetwork, ARouterLetsNobodyIn) {
  MemoryWorld world(1);
  MemoryPlatform out(world, {"203.0.113.1"});
  MemoryPlatform in(world, {"192.168.0.2", "198.51.100.1"});
  MemoryPlatform beside(world, {"192.168.0.3", "198.51.100.1"});
  MemoryPlatform elsewhere(world, {"192.168.1.2", "198.51.100.2"});
  const auto before = world.clock().steady();
  const auto refused = run_task(world, seen_as(out, in));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::timed_out);
  EXPECT_EQ(world.clock().steady() - before, seconds(10));
  EXPECT_FALSE(run_task(world, seen_as(elsewhere, in)));
  EXPECT_EQ(run_task(world, seen_as(in, out))->address, "198.51.100.1");
  EXPECT_EQ(run_task(world, seen_as(beside, in))->address, "192.168.0.3");
  EXPECT_EQ(run_task(world, seen_as(in, in))->address, "192.168.0.2");
}

TEST(MemoryNetwork, AMachineThatStartsAgainKeepsItsAddress) {
  MemoryWorld world(1);
  MemoryPlatform home(world, {"10.0.0.1"});
  auto guest = std::make_unique<MemoryPlatform>(world, MemoryHost{"10.0.0.2"});
  EXPECT_TRUE(run_task(world, seen_as(*guest, home)));
  const auto drawn = guest->random().array<16>();
  guest.reset();
  guest = std::make_unique<MemoryPlatform>(world, MemoryHost{"10.0.0.2"});
  EXPECT_NE(guest->random().array<16>(), drawn);
  EXPECT_TRUE(run_task(world, seen_as(*guest, home)));
}

Task<std::size_t> count_datagrams(MemoryWorld& world, Datagrams& from, Datagrams& to, std::size_t count) {
  std::size_t heard = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto sent = co_await from.send(as_bytes("a"));
    EXPECT_TRUE(sent);
    co_await world.clock().sleep(milliseconds(5));
    const auto own = co_await from.receive();  // always comes
    EXPECT_TRUE(own);
  }
  EXPECT_TRUE(co_await to.send(as_bytes("end")));
  for (;;) {
    const auto datagram = co_await to.receive();
    EXPECT_TRUE(datagram);
    if (!datagram || as_text(datagram->bytes) == "end") co_return heard;
    ++heard;
  }
}

TEST(MemoryNetwork, DatagramsGetLostAsOftenAsAsked) {
  MemoryWorld world(test_run::seed());
  MemoryPlatform a(world);
  MemoryPlatform b(world);
  MemoryPlatform c(world, {"192.168.0.2", "198.51.100.1"});
  world.wires().set_default_link({milliseconds(1), 0, 0.25});
  const Endpoint group{"239.1.2.3", 17'171};
  const auto from = a.network().join_group(group);
  const auto to = b.network().join_group(group);
  const auto apart = c.network().join_group(group);
  ASSERT_TRUE(from && to && apart);
  const auto heard = run_task(world, count_datagrams(world, **from, **to, 240));
  EXPECT_GT(heard, 144U);
  EXPECT_LT(heard, 216U);
  world.wires().cut(a.address(), b.address());
  EXPECT_EQ(run_task(world, count_datagrams(world, **from, **to, 10)), 0U);
  EXPECT_EQ(run_task(world, count_datagrams(world, **from, **apart, 10)), 0U);  // another local network
}

/// One guest of a stormy run: sends to a random home, again and again.
Task<> sail(MemoryWorld& world, MemoryPlatform& guest, std::string to, std::uint64_t seed, std::string& log) {
  const Endpoint there{to, kHomePort};
  for (std::uint64_t i = 0; i < 5; ++i) {
    auto stream = co_await guest.network().connect(there, seconds(20));
    if (!stream) {
      log += "no ";
      continue;
    }
    const auto bytes = sample(500'000, seed * 100 + i);
    const auto written = co_await (*stream)->write_all(bytes);
    log += std::to_string(world.clock().steady().count()) + (written ? " " : "! ");
  }
}

/// Reads every connection to its end; what came is a beginning of what is sent.
Task<> harbor(MemoryPlatform& home, std::size_t connections, std::size_t& whole, std::string& log) {
  auto listener = home.network().listen({"0.0.0.0", kHomePort});
  MHP_CHECK(listener);
  for (std::size_t i = 0; i < connections; ++i) {
    auto stream = co_await (*listener)->accept();
    MHP_CHECK(stream);
    const auto arrival = co_await read_to_end(home.clock(), **stream);
    log += std::to_string(arrival.bytes.size()) + "@" + std::to_string(arrival.last.count()) + " ";
    if (!arrival.error && arrival.bytes.size() == 500'000) ++whole;
  }
}

/// Cuts, mends, unplugs and loses at random.
Task<> storm(MemoryWorld& world, std::string a, std::string b, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (int i = 0; i < 30; ++i) {
    co_await world.clock().sleep(milliseconds(random() % 3000));
    const auto kind = random() % 8;
    if (kind == 0) world.wires().lose_connections(a, b);
    if (kind == 1) world.wires().unplug(b);
    if (kind == 2) world.wires().cut(a, b);
    const MemoryLink link{milliseconds(random() % 200), 100'000 + random() % 1'000'000};
    if (kind == 3) world.wires().set_link(a, b, link);
    co_await world.clock().sleep(milliseconds(random() % 2000));
    world.wires().plug_in(b);
    world.wires().mend(a, b);
  }
}

Task<int> stormy_main(MemoryWorld& world, MemoryPlatform& guest, MemoryPlatform& home, std::uint64_t seed,
                      std::size_t& whole, std::string& log) {
  Nursery all(world.executor());
  Nursery service(world.executor());
  service.start(harbor(home, 1000, whole, log));
  all.start(sail(world, guest, home.address(), seed, log));
  all.start(storm(world, guest.address(), home.address(), seed));
  co_await all.join();
  co_await world.clock().sleep(hours(1));
  service.cancel();
  co_await service.join();
  co_return 0;
}

std::string stormy_run(std::uint64_t seed, std::size_t& whole) {
  MemoryWorld world(seed);
  MemoryPlatform guest(world);
  MemoryPlatform home(world);
  world.wires().set_default_link({milliseconds(20), 300'000});
  std::string log;
  world.run(stormy_main(world, guest, home, seed, whole, log));
  return log;
}

TEST(MemoryNetwork, TheSameSeedIsTheSameRun) {
  const auto seed = test_run::seed();
  std::size_t whole = 0;
  for (std::uint64_t round = 0; round < 10; ++round) {
    SCOPED_TRACE("MHP_SEED=" + std::to_string(seed) + " round " + std::to_string(round));
    const auto log = stormy_run(seed + round, whole);
    std::size_t again = 0;
    ASSERT_EQ(stormy_run(seed + round, again), log);
    ASSERT_FALSE(log.empty());
  }
  EXPECT_GT(whole, 20U);  // of 50: storms are no standstill
}

}  // namespace
}  // namespace mhp::platform
