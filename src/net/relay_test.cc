// Relays: calls both ways between homes that nobody can dial, bounds, rights, losses, and what a relay may do at most.
#include "net/relay.h"

#include <gtest/gtest.h>

#include "net/dial.h"
#include "net/impl/relay_control.h"
#include "net/testing/village.h"

namespace mhp::net {
namespace {

using namespace std::chrono_literals;
using impl::RelayControl;
using impl::RelayKind;
using platform::Nursery;
using testing::House;
using testing::in_village;
using testing::Village;
using testing::VillageLimits;

Bytes noise(std::size_t size, unsigned seed) {
  Bytes out(size);
  std::uint32_t state = seed + 1;
  for (std::byte& byte : out) byte = static_cast<std::byte>((state = state * 1'664'525 + 1'013'904'223) >> 24);
  return out;
}

Task<Result<std::shared_ptr<Caller>>> reach(House& from, const HomeId& home, Ways ways) {
  auto reaching = from.ways->reach(home, std::move(ways));
  co_return co_await std::move(reaching);
}

/// What "/v1/echo" gives back.
Task<Result<Bytes>> echo(std::shared_ptr<Caller> caller, Bytes body, std::chrono::nanoseconds limit = 1h) {
  Request request{Method::put, "/v1/echo", std::move(body)};
  auto calling = caller->call(std::move(request), limit);
  co_return co_await std::move(calling);
}

Task<> expect_echo(House& from, const HomeId& home, Ways ways, std::size_t size, unsigned seed) {
  const auto caller = co_await reach(from, home, std::move(ways));
  if (!caller) {
    ADD_FAILURE() << caller.error().detail;
    co_return;
  }
  EXPECT_EQ((*caller)->peer().id, home);
  const Bytes body = noise(size, seed);
  const auto back = co_await echo(*caller, body);
  EXPECT_TRUE(back) << back.error().detail;
  EXPECT_TRUE(back && *back == body);
}

Task<> both_ways(Village& village) {
  House& a = *village.hidden[0];
  House& b = *village.hidden[1];
  House& relay = *village.open[0];
  Nursery both(village.world.executor());
  both.start(expect_echo(a, b.id(), village.ways_to(b), 16_MiB, 1));
  both.start(expect_echo(b, a.id(), village.ways_to(a), 16_MiB, 2));
  co_await both.join();
  EXPECT_EQ(village.world.wires().carried_bytes(a.machine.address(), b.machine.address()), 0U);
  EXPECT_GT(relay.desk.counts().bytes, 4 * 16_MiB);
  EXPECT_EQ(relay.desk.counts().pairs, 2U);
  EXPECT_EQ(relay.desk.counts().joined, 2U);
  EXPECT_EQ(relay.desk.counts().cut_off, 0U);
  EXPECT_EQ(relay.computer.traffic.buffered(), 2 * 128_KiB);
  EXPECT_TRUE(a.ways->is_relayed(b.id()));
  const auto tried = a.ways->tried(b.id());
  EXPECT_EQ(tried.size(), 2U);
  EXPECT_FALSE(tried[0].taken);
  EXPECT_TRUE(tried[1].taken && tried[1].relayed);
  EXPECT_EQ(tried[1].name, "relay " + relay.id().short_hex());
}

TEST(Relay, CarriesCallsBothWays) {
  Village village(2, 1);
  in_village(village, both_ways);
}

Task<> many_calls(Village& village) {
  House& a = *village.hidden[0];
  House& b = *village.hidden[1];
  const auto caller = co_await reach(a, b.id(), village.ways_to(b));
  EXPECT_TRUE(caller);
  for (unsigned i = 0; i < 3000; ++i) {
    const Bytes body = noise(i % 700, i);
    const auto back = co_await echo(*caller, body);
    EXPECT_TRUE(back && *back == body) << i;
  }
  EXPECT_EQ(village.open[0]->desk.counts().joined, 1U);
}

TEST(Relay, CarriesThousandsOfCallsOverOneConnection) {
  Village village(2, 1);
  in_village(village, many_calls);
}

Task<> call_and_keep(House& from, House& to, Village& village, std::size_t size, Result<Bytes>& into) {
  const auto caller = co_await reach(from, to.id(), village.ways_to(to));
  if (!caller) {
    into = tl::unexpected<Error>(caller.error());
    co_return;
  }
  into = co_await echo(*caller, noise(size, 3));
}

Task<> a_relay_dies(Village& village) {
  House& a = *village.hidden[0];
  House& b = *village.hidden[1];
  EXPECT_EQ(b.waiter.waits_at().size(), 2U);
  const HomeId first = in_order_for(b.id(), village.relays())[0].home;
  House& dying = village.open[0]->id() == first ? *village.open[0] : *village.open[1];
  for (const House* relay : {village.open[0].get(), village.open[1].get()})
    village.world.wires().set_link(relay->machine.address(), b.machine.address(), {.bytes_per_second = 1'000'000});
  Result<Bytes> result = fail(Errc::not_found, "nothing yet");
  Nursery calling(village.world.executor());
  calling.start(call_and_keep(a, b, village, 64_MiB, result));
  Nursery waiting(village.world.executor());
  waiting.start(village.clock().sleep(20s));
  co_await waiting.join();
  EXPECT_EQ(dying.desk.counts().pairs, 1U);
  co_await dying.stop();
  co_await calling.join();
  EXPECT_FALSE(result);
  EXPECT_EQ(result.error().code, Errc::unavailable) << result.error().detail;
  co_await expect_echo(a, b.id(), village.ways_to(b), 1_MiB, 4);
  co_await village.clock().sleep(40s);  // until a ping has no answer
  EXPECT_EQ(b.waiter.waits_at().size(), 1U);
  EXPECT_EQ(b.waiter.failures().size(), 1U);
  EXPECT_TRUE(b.waiter.failures().contains(dying.id()));
}

TEST(Relay, ThatDiesIsReplaced) {
  Village village(2, 2);
  in_village(village, a_relay_dies);
}

Task<> quota_of_a_day(Village& village) {
  House& a = *village.hidden[0];
  House& b = *village.hidden[1];
  Result<Bytes> result = fail(Errc::not_found, "nothing yet");
  co_await call_and_keep(a, b, village, 4_MiB, result);
  EXPECT_FALSE(result);
  EXPECT_EQ(village.open[0]->desk.counts().cut_off, 1U);
  EXPECT_LE(village.open[0]->desk.counts().bytes, 1_MiB);
  auto calling = call_through(a.computer.station, a.machine.network(), village.open[0]->as_relay(), b.id(), 10s);
  const auto again = co_await std::move(calling);
  // Some bytes may be left of it: then it joins them, and the handshake fails.
  if (!again) EXPECT_EQ(again.error().code, Errc::full) << again.error().detail;
  co_await village.clock().sleep(25h);
  co_await expect_echo(a, b.id(), village.ways_to(b), 256_KiB, 5);
}

TEST(Relay, KeepsAQuotaOfEachDay) {
  VillageLimits limits;
  limits.relay.pair_quota_bytes = 1_MiB;
  Village village(2, 1, limits);
  in_village(village, quota_of_a_day);
}

Task<> rate_of_a_pair(Village& village) {
  House& a = *village.hidden[0];
  House& b = *village.hidden[1];
  const auto caller = co_await reach(a, b.id(), village.ways_to(b));
  const auto begin = village.clock().steady();
  const auto back = co_await echo(*caller, noise(8_MiB, 6));
  EXPECT_TRUE(back);
  const auto took = village.clock().steady() - begin;
  EXPECT_GT(took, 14s);  // both directions, 1 MiB at once
  EXPECT_LT(took, 20s);
}

TEST(Relay, KeepsARate) {
  VillageLimits limits;
  limits.relay.pair_rate = {1_MiB};
  Village village(2, 1, limits);
  in_village(village, rate_of_a_pair);
}

void expect_denied(const Result<std::shared_ptr<Caller>>& made) {
  EXPECT_FALSE(made);
  if (!made) EXPECT_NE(made.error().detail.find("may not be called"), std::string::npos) << made.error().detail;
}

Task<> strangers(Village& village) {
  House& stranger = *village.hidden[0];
  House& member = *village.hidden[1];
  House& relay = *village.open[0];
  EXPECT_EQ(stranger.waiter.waits_at().size(), 0U);
  EXPECT_EQ(stranger.waiter.failures().at(relay.id()).code, Errc::denied);
  EXPECT_EQ(relay.desk.waiting(), std::vector{member.id()});
  auto from_stranger =
      call_through(stranger.computer.station, stranger.machine.network(), relay.as_relay(), member.id(), 10s);
  EXPECT_EQ((co_await std::move(from_stranger)).error().code, Errc::denied);
  auto to_stranger =
      call_through(member.computer.station, member.machine.network(), relay.as_relay(), stranger.id(), 10s);
  EXPECT_EQ((co_await std::move(to_stranger)).error().code, Errc::denied);
  auto to_none = call_through(member.computer.station, member.machine.network(), relay.as_relay(), relay.id(), 10s);
  EXPECT_EQ((co_await std::move(to_none)).error().code, Errc::not_found);
  Relay other{stranger.id(), {relay.address()}};  // another computer than was thought
  auto to_other = call_through(member.computer.station, member.machine.network(), other, member.id(), 10s);
  EXPECT_EQ((co_await std::move(to_other)).error().code, Errc::denied);
  const auto failed = co_await reach(stranger, member.id(), village.ways_to(member));
  expect_denied(failed);
  EXPECT_EQ(relay.desk.counts().pairs, 0U);
}

TEST(Relay, RefusesStrangers) {
  Village village(2, 1);
  village.membership.members.erase(village.hidden[0]->id());
  in_village(village, strangers);
}

/// Knows all relays, and shows them `claim`.
struct Claimant final : KnownRelays {
  std::vector<Relay> relays;
  ClaimToRelay claim;
  std::vector<Relay> relays_for(const HomeId&) override { return relays; }
  Bytes claim_for(const Peer& relay, const HomeId&) override { return claim(relay); }
};

Task<> claims(Village& village) {
  House& guest = *village.hidden[0];
  House& member = *village.hidden[1];
  House& relay = *village.open[0];
  Claimant claimant;
  claimant.relays = village.relays();
  Nursery calls(village.world.executor());
  auto ways = std::make_unique<Peers>(guest.computer.station, guest.machine.network(), calls, ReachLimits{},
                                      Helpers{.relays = &claimant});
  const std::vector<Address> nowhere = {member.address()};
  claimant.claim = [](const Peer&) { return Bytes(32, std::byte{7}); };  // of another connection
  auto forged = ways->reach(member.id(), nowhere);
  expect_denied(co_await std::move(forged));
  claimant.claim = [](const Peer& at) { return to_bytes(at.exporter); };
  co_await village.clock().sleep(5s);  // what failed is left alone for a while
  auto calling = ways->reach(member.id(), nowhere);
  const auto caller = co_await std::move(calling);
  EXPECT_TRUE(caller) << (caller ? "" : caller.error().detail);
  EXPECT_EQ(relay.desk.waiting(), std::vector{member.id()}) << "a claim lets nobody wait";
  co_await village.clock().sleep(65s);
  EXPECT_TRUE(caller && (*caller)->is_up());
  village.membership.claims = CallRight::none;
  co_await village.clock().sleep(70s);
  EXPECT_FALSE(caller && (*caller)->is_up());
  EXPECT_EQ(relay.desk.counts().pairs, 0U);
  ways.reset();
  calls.cancel();
  co_await calls.join();
}

TEST(Relay, HearsWhatCallersClaimUntilItHoldsNoMore) {
  Village village(2, 1);
  village.membership.members.erase(village.hidden[0]->id());
  village.membership.claims = CallRight::member;
  in_village(village, claims);
}

Task<> former_members(Village& village) {
  House& guest = *village.hidden[0];
  Claimant claimant;
  claimant.relays = village.relays();
  claimant.claim = [](const Peer& at) { return to_bytes(at.exporter); };
  Nursery calls(village.world.executor());
  auto ways = std::make_unique<Peers>(guest.computer.station, guest.machine.network(), calls, ReachLimits{},
                                      Helpers{.relays = &claimant});
  for (const std::size_t which : {1U, 2U}) {
    House& home = *village.hidden[which];
    auto calling = ways->reach(home.id(), {home.address()});
    const auto caller = co_await std::move(calling);
    EXPECT_EQ(caller.has_value(), which == 1);
    if (!caller) EXPECT_NE(caller.error().detail.find("too many who were removed"), std::string::npos);
  }
  const auto member = co_await reach(*village.hidden[1], village.hidden[2]->id(), village.ways_to(*village.hidden[2]));
  EXPECT_TRUE(member) << "no member waits for them";
  ways.reset();
  calls.cancel();
  co_await calls.join();
}

TEST(Relay, LetsFewFormerMembersCallAtOnce) {
  Village village(3, 1, {.relay = {.former_pairs = 1}});
  village.membership.members.erase(village.hidden[0]->id());
  village.membership.claims = CallRight::former;
  in_village(village, former_members);
}

Task<> rights_go(Village& village) {
  House& a = *village.hidden[0];
  House& b = *village.hidden[1];
  House& relay = *village.open[0];
  const auto caller = co_await reach(a, b.id(), village.ways_to(b));
  EXPECT_TRUE(caller);
  village.membership.members.erase(b.id());
  co_await village.clock().sleep(70s);
  EXPECT_FALSE((*caller)->is_up());
  EXPECT_EQ(relay.desk.waiting(), std::vector{a.id()});
  EXPECT_EQ(relay.desk.counts().pairs, 0U);
}

TEST(Relay, EndsWhatIsNoLongerAllowed) {
  Village village(2, 1);
  in_village(village, rights_go);
}

Task<> a_day(Village& village) {
  House& a = *village.hidden[0];
  House& b = *village.hidden[1];
  House& relay = *village.open[0];
  co_await village.clock().sleep(6h);
  EXPECT_EQ(relay.desk.waiting().size(), 2U);
  EXPECT_TRUE(b.waiter.failures().empty());
  village.world.wires().unplug(relay.machine.address());
  co_await village.clock().sleep(1h);
  EXPECT_TRUE(relay.desk.waiting().empty());
  EXPECT_TRUE(b.waiter.waits_at().empty());
  village.world.wires().plug_in(relay.machine.address());
  co_await village.clock().sleep(6min);  // the longest pause
  EXPECT_EQ(relay.desk.waiting().size(), 2U);
  co_await expect_echo(a, b.id(), village.ways_to(b), 1000, 7);
}

TEST(Relay, IsWaitedAtForDaysAndAgainAfterALoss) {
  Village village(2, 1);
  in_village(village, a_day);
}

Task<> the_first_three(Village& village) {
  House& b = *village.hidden[0];
  auto order = in_order_for(b.id(), village.relays());
  const auto waits_at = [&b](const Relay& relay) {
    const auto at = b.waiter.waits_at();
    return std::ranges::find(at, relay.home) != at.end();
  };
  EXPECT_EQ(b.waiter.waits_at().size(), 3U);
  for (std::size_t i = 0; i < order.size(); ++i) EXPECT_EQ(waits_at(order[i]), i < 3) << i;
  const auto first = std::ranges::find(village.open, order[0].home, [](const auto& house) { return house->id(); });
  village.world.wires().unplug((*first)->machine.address());
  co_await village.clock().sleep(60s);
  EXPECT_EQ(b.waiter.waits_at().size(), 3U);
  EXPECT_TRUE(waits_at(order[3]));
  village.world.wires().plug_in((*first)->machine.address());
  co_await village.clock().sleep(25min);
  EXPECT_TRUE(waits_at(order[0]));
  EXPECT_FALSE(waits_at(order[3]));
  b.waiter.set_relays({order[0]});
  co_await village.clock().sleep(10s);
  EXPECT_EQ(b.waiter.waits_at(), std::vector{order[0].home});
}

TEST(Relay, TheFirstInTheOrderAreChosen) {
  Village village(1, 5);
  in_village(village, the_first_three);
}

TEST(Relay, TheOrderIsTheSameForAllAndDiffersByHome) {
  std::vector<Relay> relays;
  for (unsigned i = 0; i < 30; ++i) {
    HomeId::Array bytes{};
    bytes[0] = static_cast<std::byte>(i);
    relays.push_back({HomeId::from_array(bytes), {}});
  }
  const auto ids = [](const std::vector<Relay>& list) {
    std::vector<HomeId> out;
    for (const Relay& relay : list) out.push_back(relay.home);
    return out;
  };
  const HomeId home = relays[4].home;
  auto turned = relays;
  std::ranges::reverse(turned);
  EXPECT_EQ(ids(in_order_for(home, relays)), ids(in_order_for(home, turned)));
  EXPECT_EQ(in_order_for(home, relays).size(), 29U);
  std::map<HomeId, int> firsts;
  for (unsigned i = 100; i < 250; ++i) {
    HomeId::Array bytes{};
    bytes[0] = static_cast<std::byte>(i);
    ++firsts[in_order_for(HomeId::from_array(bytes), relays)[0].home];
  }
  EXPECT_GT(firsts.size(), 20U);
  for (const auto& [relay, count] : firsts) EXPECT_LT(count, 20);
}

Task<> through_its_own_desk(Village& village) {
  House& relay = *village.open[0];
  House& b = *village.hidden[0];
  co_await expect_echo(relay, b.id(), village.ways_to(b), 8_MiB, 8);
  EXPECT_TRUE(relay.ways->is_relayed(b.id()));
  EXPECT_EQ(relay.ways->tried(b.id()).at(1).name, "relay here");
  EXPECT_EQ(relay.desk.counts().pairs, 0U);
}

TEST(Relay, CallsThoseWhoWaitAtItItself) {
  Village village(1, 1);
  in_village(village, through_its_own_desk);
}

Task<> direct_first(Village& village) {
  House& a = *village.hidden[0];
  House& open = *village.open[0];
  House& other = *village.open[1];
  open.waiter.set_relays({other.as_relay()});
  co_await village.clock().sleep(10s);
  village.world.wires().cut(a.machine.address(), open.machine.address());
  const Ways ways{{open.address()}, {other.as_relay()}};
  co_await expect_echo(a, open.id(), ways, 1000, 9);
  EXPECT_TRUE(a.ways->is_relayed(open.id()));
  village.world.wires().mend(a.machine.address(), open.machine.address());
  co_await village.clock().sleep(100s);
  co_await expect_echo(a, open.id(), ways, 1000, 10);
  EXPECT_TRUE(a.ways->is_relayed(open.id()));  // not tried yet
  for (int i = 0; i < 3; ++i) {
    co_await village.clock().sleep(100s);
    co_await expect_echo(a, open.id(), ways, 1000, 11);
  }
  EXPECT_FALSE(a.ways->is_relayed(open.id()));
  EXPECT_EQ(a.ways->tried(open.id()).at(0).name, open.machine.address() + " port 7070");
  co_await village.clock().sleep(100s);
  EXPECT_EQ(other.desk.counts().pairs, 0U);
}

TEST(Relay, IsLeftWhereItGoesDirectly) {
  Village village(1, 2);
  in_village(village, direct_first);
}

// What follows speaks the protocol by hand.

using Control = std::unique_ptr<RelayControl>;

Task<Result<Control>> greet(House& from, House& relay) {
  platform::Endpoint at{relay.machine.address(), testing::kPort};
  MHP_CO_TRY(auto stream, co_await from.machine.network().connect(std::move(at), 5s));
  auto securing = from.computer.tls.connect(std::move(stream), relay.id(), from.machine.clock(), 5s, Protocol::relay);
  MHP_CO_TRY(auto secured, co_await std::move(securing));
  auto control = std::make_unique<RelayControl>(from.computer.station, std::move(secured));
  MHP_CO_TRY(const auto hello, co_await control->read_within(5s));
  if (hello.kind != RelayKind::hello) co_return fail(Errc::invalid, "no hello");
  co_return control;
}

Task<Result<wire::RelayFrame>> say(RelayControl& control, wire::RelayFrame frame) {
  MHP_CO_TRY_VOID(co_await control.write_within(std::move(frame), 5s));
  co_return co_await control.read_within(20s);
}

/// A home that waits, by hand: what it answers with.
Task<Control> wait_by_hand(House& home, House& relay) {
  auto greeting = greet(home, relay);
  auto control = co_await std::move(greeting);
  wire::RelayFrame wait{.kind = RelayKind::wait};
  const auto answer = co_await say(**control, wait);
  EXPECT_TRUE(answer && answer->kind == RelayKind::waiting);
  co_return std::move(*control);
}

/// Comes for the next call.
Task<std::unique_ptr<platform::Stream>> come_by_hand(House& home, House& relay, RelayControl& waiting) {
  const auto come = co_await waiting.read_within(20s);
  EXPECT_TRUE(come && come->kind == RelayKind::come);
  auto greeting = greet(home, relay);
  auto control = co_await std::move(greeting);
  wire::RelayFrame here{.kind = RelayKind::here, .number = come->number};
  const auto answer = co_await say(**control, here);
  EXPECT_TRUE(answer && answer->kind == RelayKind::ready);
  co_return (*control)->take_stream();
}

Task<> call_into(House& from, House& relay, HomeId home, std::unique_ptr<platform::Stream>& into) {
  auto calling = call_through(from.computer.station, from.machine.network(), relay.as_relay(), home, 20s);
  auto made = co_await std::move(calling);
  EXPECT_TRUE(made) << made.error().detail;
  if (made) into = std::move(*made);
}

/// Both ends of a joined pair.
struct BothEnds {
  Control waiting;
  std::unique_ptr<platform::Stream> caller;
  std::unique_ptr<platform::Stream> home;
};

Task<> join_by_hand(Village& village, BothEnds& ends) {
  House& a = *village.hidden[0];
  House& b = *village.hidden[1];
  House& relay = *village.open[0];
  b.waiter.set_relays({});
  co_await village.clock().sleep(10s);
  auto waiting = wait_by_hand(b, relay);
  ends.waiting = co_await std::move(waiting);
  Nursery calling(village.world.executor());
  calling.start(call_into(a, relay, b.id(), ends.caller));
  auto coming = come_by_hand(b, relay, *ends.waiting);
  ends.home = co_await std::move(coming);
  co_await calling.join();
}

Task<std::size_t> read_to_the_end(platform::Stream& stream, Bytes& into) {
  Bytes buffer(64_KiB);
  for (;;) {
    const auto got = co_await stream.read_some(buffer);
    if (!got || *got == 0) co_return got ? 0 : 1;
    into.insert(into.end(), buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*got));
  }
}

Task<> half_closed(Village& village) {
  BothEnds ends;
  co_await join_by_hand(village, ends);
  const Bytes question = noise(3_MiB, 12);
  const Bytes answer = noise(2_MiB, 13);
  EXPECT_TRUE(co_await ends.caller->write_all(question));
  EXPECT_TRUE(co_await ends.caller->finish());
  Bytes heard;
  EXPECT_EQ(co_await read_to_the_end(*ends.home, heard), 0U);
  EXPECT_TRUE(heard == question);
  co_await village.clock().sleep(30s);
  EXPECT_TRUE(co_await ends.home->write_all(answer));
  EXPECT_TRUE(co_await ends.home->finish());
  heard.clear();
  EXPECT_EQ(co_await read_to_the_end(*ends.caller, heard), 0U);
  EXPECT_TRUE(heard == answer);
  EXPECT_EQ(village.open[0]->desk.counts().pairs, 0U);
  EXPECT_EQ(village.open[0]->desk.counts().cut_off, 0U);
}

TEST(RelayByHand, EachDirectionEndsAlone) {
  Village village(2, 1);
  in_village(village, half_closed);
}

Task<> one_end_goes(Village& village) {
  BothEnds ends;
  co_await join_by_hand(village, ends);
  ends.caller->close();
  Bytes heard;
  (void)co_await read_to_the_end(*ends.home, heard);
  ends.home->close();
  co_await village.clock().sleep(1s);
  EXPECT_EQ(village.open[0]->desk.counts().pairs, 0U);
}

TEST(RelayByHand, OneEndTakesTheOtherWithIt) {
  Village village(2, 1);
  in_village(village, one_end_goes);
}

Task<> write_and_count(platform::Stream& stream, std::size_t& written, bool& failed) {
  const Bytes block(64_KiB);
  while (co_await stream.write_all(block)) written += block.size();
  failed = true;
}

Task<> slow_reader(Village& village) {
  BothEnds ends;
  co_await join_by_hand(village, ends);
  House& relay = *village.open[0];
  std::size_t written = 0;
  bool failed = false;
  Nursery writing(village.world.executor());
  writing.start(write_and_count(*ends.caller, written, failed));
  Nursery other(village.world.executor());  // meanwhile others are not held up
  House& c = *village.hidden[2];
  other.start(expect_echo(*village.hidden[0], c.id(), village.ways_to(c), 16_MiB, 14));
  co_await other.join();
  EXPECT_LT(village.clock().steady(), 40s);
  EXPECT_FALSE(failed);
  EXPECT_EQ(relay.computer.traffic.buffered(), 2 * 128_KiB);
  co_await village.clock().sleep(30s);
  // The windows of two connections of the simulated network, and the relay's buffers.
  EXPECT_LT(written, 2 * 4_MiB + 1_MiB);
  EXPECT_FALSE(failed);
  co_await village.clock().sleep(60s);
  co_await writing.join();
  EXPECT_TRUE(failed);
  EXPECT_EQ(relay.desk.counts().cut_off, 1U);
}

TEST(RelayByHand, ASlowReaderHoldsUpOnlyItsPair) {
  Village village(3, 1);
  in_village(village, slow_reader);
}

Task<> silent_pair(Village& village) {
  BothEnds ends;
  co_await join_by_hand(village, ends);
  co_await village.clock().sleep(290s);
  EXPECT_EQ(village.open[0]->desk.counts().pairs, 1U);
  co_await village.clock().sleep(20s);
  EXPECT_EQ(village.open[0]->desk.counts().pairs, 0U);
}

TEST(RelayByHand, APairOnWhichNothingPassesEnds) {
  Village village(2, 1);
  in_village(village, silent_pair);
}

Task<> wrong_comer(Village& village) {
  House& a = *village.hidden[0];
  House& b = *village.hidden[1];
  House& thief = *village.hidden[2];
  House& relay = *village.open[0];
  b.waiter.set_relays({});
  co_await village.clock().sleep(10s);
  auto waiting_task = wait_by_hand(b, relay);
  const auto waiting = co_await std::move(waiting_task);
  std::unique_ptr<platform::Stream> caller;
  Nursery calling(village.world.executor());
  calling.start(call_into(a, relay, b.id(), caller));
  const auto come = co_await waiting->read_within(20s);
  EXPECT_TRUE(come && come->home == a.id());
  const wire::RelayFrame here{.kind = RelayKind::here, .number = come->number};
  auto greeting = greet(thief, relay);
  auto stolen = co_await std::move(greeting);
  const auto refused = co_await say(**stolen, here);
  EXPECT_TRUE(refused && refused->kind == RelayKind::refused && refused->error.code == Errc::not_found);
  for (const auto kind : {RelayKind::ready, RelayKind::refused}) {  // the number is good once
    auto again = greet(b, relay);
    auto control = co_await std::move(again);
    const auto answer = co_await say(**control, here);
    EXPECT_TRUE(answer && answer->kind == kind);
    if (kind == RelayKind::ready) stolen = std::move(control);
  }
  co_await calling.join();
  EXPECT_TRUE(caller);
}

TEST(RelayByHand, OnlyTheHomeThatWasCalledMayCome) {
  Village village(3, 1);
  in_village(village, wrong_comer);
}

Task<> nobody_comes(Village& village) {
  House& a = *village.hidden[0];
  House& b = *village.hidden[1];
  House& relay = *village.open[0];
  b.waiter.set_relays({});
  co_await village.clock().sleep(10s);
  auto waiting_task = wait_by_hand(b, relay);
  const auto waiting = co_await std::move(waiting_task);
  auto calling = call_through(a.computer.station, a.machine.network(), relay.as_relay(), b.id(), 30s);
  EXPECT_EQ((co_await std::move(calling)).error().code, Errc::timed_out);
  EXPECT_EQ(relay.desk.counts().pairs, 0U);
}

TEST(RelayByHand, ACallWaitsOnlySoLong) {
  Village village(2, 1);
  in_village(village, nobody_comes);
}

Task<> newest_counts(Village& village) {
  House& b = *village.hidden[1];
  House& relay = *village.open[0];
  b.waiter.set_relays({});
  co_await village.clock().sleep(10s);
  auto first_task = wait_by_hand(b, relay);
  const auto first = co_await std::move(first_task);
  auto second_task = wait_by_hand(b, relay);
  const auto second = co_await std::move(second_task);
  EXPECT_FALSE(co_await first->read_within(1s));  // ended
  EXPECT_EQ(relay.desk.counts().waiting, 2U);
  const wire::RelayFrame ping{.kind = RelayKind::ping};
  for (int i = 0; i < 2000; ++i) {
    const auto pong = co_await say(*second, ping);
    EXPECT_TRUE(pong && pong->kind == RelayKind::pong) << i;
  }
  EXPECT_GT(village.clock().steady(), 800s);  // a flood is slowed down
  co_await village.clock().sleep(70s);
  EXPECT_FALSE(relay.desk.is_waiting(b.id()));  // silent for too long
}

TEST(RelayByHand, TheNewestConnectionOfAHomeCountsAndHasToPing) {
  Village village(2, 1);
  in_village(village, newest_counts);
}

Task<> bad_beginnings(Village& village) {
  House& a = *village.hidden[0];
  House& relay = *village.open[0];
  for (const auto kind : {RelayKind::hello, RelayKind::ready, RelayKind::ping, RelayKind::pong, RelayKind::waiting}) {
    auto greeting = greet(a, relay);
    auto control = co_await std::move(greeting);
    const wire::RelayFrame frame{.kind = kind};
    const auto answer = co_await say(**control, frame);
    EXPECT_TRUE(answer && answer->kind == RelayKind::refused && answer->error.code == Errc::invalid);
  }
  auto greeting = greet(a, relay);
  auto silent = co_await std::move(greeting);
  EXPECT_EQ(relay.answering.strangers(), 1U);
  co_await village.clock().sleep(6s);
  EXPECT_EQ(relay.answering.strangers(), 0U);
}

TEST(RelayByHand, ABadOrSilentBeginningIsTheEnd) {
  Village village(2, 1);
  in_village(village, bad_beginnings);
}

Task<> too_many_pairs(Village& village) {
  House& a = *village.hidden[0];
  House& b = *village.hidden[1];
  House& relay = *village.open[0];
  std::vector<std::unique_ptr<platform::Stream>> streams;
  for (int i = 0; i < 3; ++i) {
    auto calling = call_through(a.computer.station, a.machine.network(), relay.as_relay(), b.id(), 10s);
    auto made = co_await std::move(calling);
    EXPECT_EQ(made.has_value(), i < 2);
    if (made)
      streams.push_back(std::move(*made));
    else
      EXPECT_EQ(made.error().code, Errc::full);
  }
  EXPECT_EQ(relay.desk.counts().pairs, 2U);
  streams.clear();
  co_await village.clock().sleep(10s);  // the called ones see that no handshake comes
  EXPECT_EQ(relay.desk.counts().pairs, 0U);
}

TEST(Relay, BoundsThePairsOfOneHome) {
  VillageLimits limits;
  limits.relay.pairs_each = 2;
  Village village(2, 1, limits);
  in_village(village, too_many_pairs);
}

}  // namespace
}  // namespace mhp::net
