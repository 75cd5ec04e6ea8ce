// A digest there, what is missing back, what is missing there; and whom to speak with next.
#include "cloud/exchange.h"

#include <algorithm>
#include <cstring>

#include "cloud/claim.h"
#include "cloud/cloud_routes.h"
#include "wire/cloud_calls.h"

namespace mhp::cloud {
namespace {

using platform::Platform;

std::uint64_t draw(platform::Random& random, std::uint64_t below) {
  const auto bytes = random.array<sizeof(std::uint64_t)>();
  std::uint64_t number;
  std::memcpy(&number, bytes.data(), sizeof number);
  return number % below;
}

Result<void> nothing_in(const Result<Bytes>& reply) {
  if (!reply) return tl::unexpected<Error>(reply.error());
  if (!reply->empty()) return fail(Errc::invalid, "a home answered with something where nothing was asked for");
  return {};
}

struct Door {
  HomeId home;
  std::vector<net::Address> addresses;
};

/// Of `homes` those that can be tried, at most `most`, drawn from all.
std::vector<Door> doors_of(const std::map<HomeId, Home>& homes, const HomeId& own, std::size_t most,
                           platform::Random& random) {
  std::vector<Door> out;
  for (const auto& [id, home] : homes) {
    if (id == own) continue;
    auto addresses = addresses_of(home.addresses);
    if (!addresses.empty()) out.push_back({id, std::move(addresses)});
  }
  if (out.size() <= most) return out;
  for (std::size_t i = 0; i < most; ++i) std::swap(out[i], out[i + draw(random, out.size() - i)]);
  out.resize(most);
  return out;
}

/// What one round of speaking with homes shares.
struct Round {
  Platform& platform;
  Book& book;
  const CloudId cloud;
  net::Peers& net;
  const Spread how;
  platform::Semaphore turns;
  std::vector<Spoken> spoken{};
};

Task<Result<Exchanged>> speak_once(Round& round, net::Caller& caller) {
  auto speaking = round.how.shows
                      ? come_back(round.platform, round.book, round.cloud, *round.how.shows, caller, round.how.limit)
                      : exchange(round.platform, round.book, round.cloud, caller, round.how.limit);
  co_return co_await std::move(speaking);
}

Task<Result<Exchanged>> speak(Round& round, Door door) {
  auto reaching = round.net.reach(door.home, door.addresses);
  MHP_CO_TRY(auto caller, co_await std::move(reaching));
  auto speaking = speak_once(round, *caller);
  auto exchanged = co_await std::move(speaking);
  // A digest may be longer than a stranger may send: then the connection is gone.
  const bool may_be_refused = !exchanged && (exchanged.error().code == Errc::denied || !caller->is_up());
  if (!may_be_refused || !round.how.asker) co_return exchanged;
  auto reaching_again = round.net.reach(door.home, door.addresses);
  auto again = co_await std::move(reaching_again);
  if (!again) co_return exchanged;
  caller = std::move(*again);
  auto hearing = hear_removal(round.platform, round.book, round.cloud, *round.how.asker, *caller, round.how.limit);
  const auto heard = co_await std::move(hearing);
  if (!heard && heard.error().code == Errc::denied) {
    // Nobody took it out: this computer said that it is the member's, and that home has not heard of it.
    auto coming = come_back(round.platform, round.book, round.cloud, round.how.asker->member, *caller, round.how.limit);
    auto came = co_await std::move(coming);
    co_return came ? came : exchanged;
  }
  if (!heard) co_return exchanged;
  if (*heard) co_return fail(Errc::denied, "this computer, or its member, was taken out of the cloud");
  auto speaking_again = speak_once(round, *caller);
  co_return co_await std::move(speaking_again);
}

Task<> speak_in_turn(Round& round, Door door) {
  co_await round.turns.take();
  const platform::Permit permit(round.turns);
  const HomeId home = door.home;
  auto speaking = speak(round, std::move(door));
  auto exchanged = co_await std::move(speaking);
  round.spoken.push_back({home, std::move(exchanged)});
}

}  // namespace

Task<Result<Exchanged>> exchange(Platform& platform, Book& book, CloudId cloud, net::Caller& caller,
                                 std::chrono::nanoseconds limit) {
  const RosterPointer before = book.find(cloud);
  const auto damaged = book.damaged();
  if (!before && std::ranges::find(damaged, cloud) == damaged.end())
    co_return fail(Errc::not_found, "this computer is not in cloud " + cloud.short_hex());
  const wire::RosterDigest own = before ? before->digest() : wire::RosterDigest{cloud, {}};
  net::Request asking = to_request({CloudCall::ask_roster, cloud}, wire::encode(own));
  MHP_CO_TRY(const Bytes reply, co_await caller.call(std::move(asking), limit));
  MHP_CO_TRY(wire::RosterNews news, wire::parse_roster_news(reply));
  if (news.digest.cloud != cloud) co_return fail(Errc::invalid, "a home answered about another cloud");
  Exchanged out;
  if (!news.statements.empty()) {
    auto merging = book.merge_aside(platform, cloud, std::move(news.statements));
    MHP_CO_TRY(const Merged merged, co_await std::move(merging));
    out.taken = merged.fresh.size();
    out.refused = merged.refused.size();
  }
  const RosterPointer now = book.find(cloud);
  if (!now) co_return fail(Errc::not_found, "cloud " + cloud.short_hex() + " was left meanwhile");
  const wire::Statements missing = now->missing_of(news.digest);
  if (missing.statements.empty()) co_return out;
  net::Request giving = to_request({CloudCall::put_roster, cloud}, wire::encode(missing));
  MHP_CO_TRY_VOID(nothing_in(co_await caller.call(std::move(giving), limit)));
  out.given = missing.statements.size();
  co_return out;
}

Task<Result<void>> show_membership(CloudId cloud, primitives::SigningKey key, net::Caller& caller,
                                   std::chrono::nanoseconds limit) {
  net::Request request = to_request({CloudCall::session, cloud}, make_claim(cloud, key, caller.peer()));
  co_return nothing_in(co_await caller.call(std::move(request), limit));
}

/// Only what others said is news to whom it is about.
static std::vector<TakenOut> removals_by_others(const Roster& roster, const Home& home) {
  std::vector<TakenOut> out = roster.taken_out(home.member, home.key);
  std::erase_if(out, [&](const TakenOut& one) { return one.by == home.member; });
  return out;
}

/// Statements to a home that may refuse them.
static Task<Result<void>> give(CloudId cloud, wire::Statements statements, net::Caller& caller,
                               std::chrono::nanoseconds limit) {
  net::Request giving = to_request({CloudCall::put_roster, cloud}, wire::encode(statements));
  co_return nothing_in(co_await caller.call(std::move(giving), limit));
}

static bool is_taken_out(const Roster& roster, const Asker& asker) {
  return !roster.taken_out(as_member(asker.member.public_key()), asker.computer).empty();
}

/// For whom the removals do not hold that a home has told of on this connection, since he knows others against them:
/// what overrules these, into the book. True: they hold now. `caller` is borrowed. Errors: as hear_removal().
static Task<Result<bool>> hear_further(Platform& platform, Book& book, CloudId cloud, Asker asker, net::Caller& caller,
                                       std::chrono::nanoseconds limit) {
  const RosterPointer before = book.find(cloud);
  if (!before) co_return fail(Errc::not_found, "cloud " + cloud.short_hex() + " was left meanwhile");
  net::Request asking = to_request({CloudCall::ask_roster, cloud}, wire::encode(before->digest()));
  MHP_CO_TRY(const Bytes reply, co_await caller.call(std::move(asking), limit));
  MHP_CO_TRY(wire::RosterNews news, wire::parse_roster_news(reply));
  auto merging = book.merge_aside(platform, cloud, std::move(news.statements));
  MHP_CO_TRY_VOID(co_await std::move(merging));
  const RosterPointer now = book.find(cloud);
  co_return now&& is_taken_out(*now, asker);
}

Task<Result<bool>> hear_removal(Platform& platform, Book& book, CloudId cloud, Asker asker, net::Caller& caller,
                                std::chrono::nanoseconds limit) {
  if (!book.find(cloud)) co_return fail(Errc::not_found, "this computer is not in cloud " + cloud.short_hex());
  net::Request asking = to_request({CloudCall::removal, cloud}, make_claim(cloud, asker.member, caller.peer()));
  MHP_CO_TRY(const Bytes reply, co_await caller.call(std::move(asking), limit));
  MHP_CO_TRY(const wire::Statements removals, wire::parse_statements(reply));
  auto merging = book.merge_aside(platform, cloud, removals.statements);
  MHP_CO_TRY_VOID(co_await std::move(merging));
  const RosterPointer now = book.find(cloud);
  if (!now) co_return fail(Errc::not_found, "cloud " + cloud.short_hex() + " was left meanwhile");
  const bool is_out = is_taken_out(*now, asker);
  const auto look = [&] { return now->answer_to(removals); };
  wire::Statements answer = co_await platform.workers().run(look);
  if (is_out && answer.statements.empty()) co_return true;
  Result<void> given;
  if (!answer.statements.empty()) {
    auto giving = give(cloud, std::move(answer), caller, limit);
    given = co_await std::move(giving);
    if (given || is_out) co_return is_out;  // who is out may have said it before
  }
  // Neither side has overruled the other by what it said: that home knows more.
  auto doubting = hear_further(platform, book, cloud, std::move(asker), caller, limit);
  auto further = co_await std::move(doubting);
  if (!further && !given) co_return tl::unexpected<Error>(given.error());
  co_return further.value_or(false);
}

Task<Result<void>> tell_removal(Platform& platform, Book& book, CloudId cloud, std::optional<Asker> asker,
                                net::Caller& caller, std::chrono::nanoseconds limit) {
  const RosterPointer roster = book.find(cloud);
  const auto none = [&] { return fail(Errc::not_found, "nobody took this home out of cloud " + cloud.short_hex()); };
  if (!roster || !roster->view().former_homes.contains(caller.peer().id)) co_return none();
  const auto removals = removals_by_others(*roster, roster->view().former_homes.at(caller.peer().id));
  if (removals.empty()) co_return none();
  const auto look = [&] { return roster->grounds_of(removals); };
  wire::Statements statements = co_await platform.workers().run(look);
  auto giving = give(cloud, std::move(statements), caller, limit);
  auto given = co_await std::move(giving);
  if (given || given.error().code != Errc::denied || !asker) co_return given;
  // There this computer is out: each hears of the other's removals.
  auto hearing = hear_removal(platform, book, cloud, std::move(*asker), caller, limit);
  MHP_CO_TRY_VOID(co_await std::move(hearing));
  co_return Result<void>();
}

/// Statements to a home by whom it takes for out, and which it takes all the same, as they count.
static Task<bool> plead_at(Round& round, Door door, const wire::Statements& statements) {
  auto reaching = round.net.reach(door.home, door.addresses);
  const auto caller = co_await std::move(reaching);
  if (!caller) co_return false;
  auto giving = give(round.cloud, statements, **caller, round.how.limit);
  const auto given = co_await std::move(giving);
  if (given || given.error().code != Errc::denied || !round.how.asker) co_return given.has_value();
  auto hearing = hear_removal(round.platform, round.book, round.cloud, *round.how.asker, **caller, round.how.limit);
  if (!co_await std::move(hearing)) co_return false;
  auto again = give(round.cloud, statements, **caller, round.how.limit);
  co_return (co_await std::move(again)).has_value();
}

static Task<> plead_in_turn(Round& round, Door door, const wire::Statements& statements, std::size_t& took) {
  co_await round.turns.take();
  const platform::Permit permit(round.turns);
  auto pleading = plead_at(round, std::move(door), statements);
  if (co_await std::move(pleading)) ++took;
}

Task<std::size_t> plead(Platform& platform, Book& book, CloudId cloud, net::Peers& net, HomeId own, Spread how,
                        wire::Statements statements) {
  const RosterPointer roster = book.find(cloud);
  if (!roster) co_return 0;
  Round round{platform, book, cloud, net, how, platform::Semaphore(platform.executor(), how.at_once)};
  std::size_t took = 0;
  platform::Nursery scope(platform.executor());
  for (Door& door : doors_of(roster->view().homes, own, how.most, platform.random()))
    scope.start(plead_in_turn(round, std::move(door), statements, took));
  co_await scope.join();
  co_return took;
}

/// All that a home says about a cloud of which nothing is known here.
static Task<Result<Roster>> ask_for_all(Platform& platform, CloudId cloud, net::Caller& caller,
                                        std::chrono::nanoseconds limit) {
  net::Request asking = to_request({CloudCall::ask_roster, cloud}, wire::encode(wire::RosterDigest{cloud, {}}));
  MHP_CO_TRY(const Bytes reply, co_await caller.call(std::move(asking), limit));
  MHP_CO_TRY(wire::RosterNews news, wire::parse_roster_news(reply));
  const wire::Statements all{std::move(news.statements)};
  const auto look = [&] { return Roster::open(cloud, all); };
  auto roster = co_await platform.workers().run(look);
  if (!roster) co_return fail(Errc::corrupt, "a home gave no roster of this cloud: " + roster.error().detail);
  co_return roster;
}

Task<Result<Roster>> look_in(Platform& platform, CloudId cloud, primitives::SigningKey key, net::Caller& caller,
                             std::chrono::nanoseconds limit) {
  auto showing = show_membership(cloud, std::move(key), caller, limit);
  MHP_CO_TRY_VOID(co_await std::move(showing));
  auto asking = ask_for_all(platform, cloud, caller, limit);
  co_return co_await std::move(asking);
}

Task<Result<Roster>> look_why_out(Platform& platform, CloudId cloud, Asker asker, net::Caller& caller,
                                  std::chrono::nanoseconds limit) {
  net::Request asking = to_request({CloudCall::removal, cloud}, make_claim(cloud, asker.member, caller.peer()));
  MHP_CO_TRY(const Bytes reply, co_await caller.call(std::move(asking), limit));
  MHP_CO_TRY(const wire::Statements removals, wire::parse_statements(reply));
  const auto look = [&] { return Roster::open(cloud, removals); };
  auto roster = co_await platform.workers().run(look);
  if (!roster || !is_taken_out(*roster, asker))
    co_return fail(Errc::corrupt, "a home says that somebody was taken out, and does not show by whom");
  co_return roster;
}

Task<Result<Exchanged>> come_back(Platform& platform, Book& book, CloudId cloud, primitives::SigningKey key,
                                  net::Caller& caller, std::chrono::nanoseconds limit) {
  auto showing = show_membership(cloud, std::move(key), caller, limit);
  MHP_CO_TRY_VOID(co_await std::move(showing));
  if (!book.find(cloud)) {
    auto asking = ask_for_all(platform, cloud, caller, limit);
    MHP_CO_TRY(Roster roster, co_await std::move(asking));
    MHP_CO_TRY_VOID(co_await book.add_aside(platform, std::move(roster)));
  }
  auto exchanging = exchange(platform, book, cloud, caller, limit);
  co_return co_await std::move(exchanging);
}

std::vector<net::Address> addresses_of(std::span<const std::string> addresses) {
  std::vector<net::Address> out;
  for (const std::string& text : addresses) {
    auto address = platform::parse_host_and_port(text, kUsualPort);
    if (address) out.push_back(std::move(*address));
  }
  return out;
}

Task<std::vector<Spoken>> spread(Platform& platform, Book& book, CloudId cloud, net::Peers& net, HomeId own,
                                 Spread how) {
  const RosterPointer roster = book.find(cloud);
  if (!roster) co_return std::vector<Spoken>();
  std::vector<Door> doors = doors_of(roster->view().homes, own, how.most, platform.random());
  Round round{platform, book, cloud, net, how, platform::Semaphore(platform.executor(), how.at_once)};
  platform::Nursery scope(platform.executor());
  for (Door& door : doors) scope.start(speak_in_turn(round, std::move(door)));
  co_await scope.join();
  co_return std::move(round.spoken);
}

static Task<> tell_in_turn(Round& round, Door door, std::set<HomeId>& told) {
  co_await round.turns.take();
  const platform::Permit permit(round.turns);
  auto reaching = round.net.reach(door.home, std::move(door.addresses));
  const auto caller = co_await std::move(reaching);
  if (!caller) co_return;
  auto telling = tell_removal(round.platform, round.book, round.cloud, round.how.asker, **caller, round.how.limit);
  if (co_await std::move(telling)) told.insert(door.home);
}

Task<> tell_former(Platform& platform, Book& book, CloudId cloud, net::Peers& net, HomeId own, Spread how,
                   std::set<HomeId>& told) {
  const RosterPointer roster = book.find(cloud);
  if (!roster) co_return;
  std::map<HomeId, Home> homes = roster->view().former_homes;
  std::erase_if(homes, [&](const auto& entry) {
    return told.contains(entry.first) || removals_by_others(*roster, entry.second).empty();
  });
  Round round{platform, book, cloud, net, how, platform::Semaphore(platform.executor(), how.at_once)};
  platform::Nursery scope(platform.executor());
  for (Door& door : doors_of(homes, own, how.most, platform.random()))
    scope.start(tell_in_turn(round, std::move(door), told));
  co_await scope.join();
}

namespace {

/// What keep_in_touch() works with.
struct Touch {
  Platform& platform;
  Book& book;
  net::Peers& net;
  const HomeId own;
  const Rhythm rhythm;
  Contacts& contacts;
  std::map<CloudId, std::set<HomeId>> told = {};  // former homes that have heard that they are
};

Task<> touch_cloud(Touch& touch, CloudId cloud, std::size_t most) {
  Spread how{.most = most, .limit = touch.rhythm.limit};
  if (touch.rhythm.asker) how.asker = touch.rhythm.asker(cloud);
  auto spreading = spread(touch.platform, touch.book, cloud, touch.net, touch.own, how);
  const auto spoken = co_await std::move(spreading);
  const std::int64_t now_ns = touch.platform.clock().unix_ns();
  for (const Spoken& one : spoken) {
    Contact& contact = touch.contacts[{cloud, one.home}];
    contact.tried_ns = now_ns;
    if (one.exchanged) contact.reached_ns = now_ns;
    contact.failure = one.exchanged ? "" : one.exchanged.error().detail;
  }
  how.most = touch.rhythm.some;
  auto telling = tell_former(touch.platform, touch.book, cloud, touch.net, touch.own, how, touch.told[cloud]);
  co_await std::move(telling);
}

Task<> touch_all(Touch& touch, std::size_t most) {
  platform::Nursery scope(touch.platform.executor());
  for (const CloudId& cloud : touch.book.clouds()) scope.start(touch_cloud(touch, cloud, most));
  co_await scope.join();
}

Task<> ring(Book& book, std::uint64_t seen, platform::Nursery& both) {
  co_await book.changed(seen);
  both.cancel();
}

Task<> ring_after(platform::Clock& clock, std::chrono::nanoseconds time, platform::Nursery& both) {
  co_await clock.sleep(time);
  both.cancel();
}

/// Until the book changes, or for so long.
Task<> wait(Touch& touch, std::uint64_t seen) {
  platform::Nursery both(touch.platform.executor());
  both.start(ring(touch.book, seen, both));
  both.start(ring_after(touch.platform.clock(), touch.rhythm.look, both));
  co_await both.join();
}

/// Between half and one and a half times `about`, so that not all speak at once.
std::chrono::nanoseconds some_time(platform::Random& random, std::chrono::nanoseconds about) {
  const auto ns = static_cast<std::uint64_t>(std::max<std::int64_t>(about.count(), 1));
  return std::chrono::nanoseconds(ns / 2 + draw(random, ns));
}

/// Homes that are no longer in their cloud are forgotten.
void forget_the_gone(Touch& touch) {
  std::erase_if(touch.contacts, [&](const auto& entry) {
    const RosterPointer roster = touch.book.find(entry.first.first);
    return !roster || !roster->view().homes.contains(entry.first.second);
  });
}

}  // namespace

Task<> keep_in_touch(Platform& platform, Book& book, net::Peers& net, HomeId own, Rhythm rhythm, Contacts& contacts) {
  Touch touch{platform, book, net, own, std::move(rhythm), contacts};
  const auto now = [&] { return platform.clock().steady(); };
  std::optional<std::uint64_t> seen;  // none: not begun
  std::chrono::nanoseconds round_began{};
  auto next = now();
  for (;;) {
    (void)co_await book.refresh_aside(platform);  // the same is found, and told, by whoever runs a command
    const bool is_news = !seen || book.changes() != *seen;
    if (is_news || now() >= next) {
      if (is_news && seen && now() - round_began < rhythm.look)
        co_await platform.clock().sleep(rhythm.look - (now() - round_began));
      seen = book.changes();
      round_began = now();
      next = now() + some_time(platform.random(), rhythm.between);
      forget_the_gone(touch);
      co_await touch_all(touch, is_news ? rhythm.many : rhythm.some);
      continue;
    }
    co_await wait(touch, *seen);
  }
}

}  // namespace mhp::cloud
