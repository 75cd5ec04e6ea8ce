// Trying ways side by side, pausing after failures, and leaving relays where it goes without.
#include "net/peers.h"

#include <algorithm>

#include "net/dial.h"
#include "net/discovery.h"
#include "net/impl/race.h"

namespace mhp::net {
namespace {

using std::chrono::nanoseconds;

bool is_of_this_computer(const Address& address) {
  return address.host.starts_with("127.") || address.host == "::1" || address.host == "localhost";
}

}  // namespace

std::string Peers::Way::name() const {
  if (looks) return "the local network";
  if (address) return address->host + " port " + std::to_string(address->port);
  if (relay) return "relay " + relay->home.short_hex();
  return "relay here";
}

/// One round of trying all ways to a home.
struct Peers::TryOne {
  Peers& peers;
  HomeId home;
  const std::vector<Way>& ways;
  nanoseconds until;
  Task<Result<std::shared_ptr<Caller>>> operator()(std::size_t which) {
    return peers.try_way(ways[which], home, until - peers.station_.clock.steady());
  }
};

Peers::Peers(Station station, platform::Network& network, platform::Nursery& scope, ReachLimits limits, Helpers helpers)
    : station_(station), network_(network), scope_(scope), limits_(limits), helpers_(helpers) {}

Peers::~Peers() = default;

std::vector<TriedWay> Peers::tried(const HomeId& home) const {
  const auto found = entries_.find(home);
  return found == entries_.end() ? std::vector<TriedWay>{} : found->second->tried;
}

bool Peers::is_relayed(const HomeId& home) const {
  const auto found = entries_.find(home);
  return found != entries_.end() && found->second->caller && found->second->caller->is_up() && found->second->relayed;
}

std::chrono::nanoseconds Peers::took(const HomeId& home) const {
  const auto found = entries_.find(home);
  return found == entries_.end() ? std::chrono::nanoseconds() : found->second->took;
}

std::vector<Peers::Way> Peers::list_of(const HomeId& home, Ways ways) const {
  std::vector<Way> out;
  const auto add = [&out](const Address& address, bool local) {
    const auto same = [&address](const Way& way) {
      return way.address->host == address.host && way.address->port == address.port;
    };
    if (std::ranges::none_of(out, same)) out.push_back({address, std::nullopt, local});
  };
  if (helpers_.neighbours != nullptr) {
    for (const Address& address : helpers_.neighbours->addresses_of(home)) add(address, true);
  }
  for (const Address& address : ways.addresses) add(address, false);
  out.resize(std::min(out.size(), limits_.addresses));
  const bool may_be_heard = ways.addresses.empty() || !std::ranges::all_of(ways.addresses, is_of_this_computer);
  if (helpers_.desk != nullptr && helpers_.desk->is_waiting(home)) out.push_back({});
  std::size_t relays = 0;
  for (Relay& relay : in_order_for(home, std::move(ways.relays), helpers_.dialed)) {
    // Without the desk this is another program of the relay's computer, and calls it like anybody else.
    const bool is_own_desk = helpers_.desk != nullptr && relay.home == station_.tls.id();
    if (is_own_desk || relays++ >= limits_.relays) continue;
    Way& way = out.emplace_back();
    if (helpers_.dialed != nullptr) way.standing = helpers_.dialed->standing(relay.home);
    way.relay = std::move(relay);
  }
  if (helpers_.lookout != nullptr && may_be_heard) out.push_back({.looks = true});
  return out;
}

Task<Result<std::shared_ptr<Caller>>> Peers::reach(HomeId home, std::vector<Address> addresses) {
  Ways ways{std::move(addresses), {}};
  if (helpers_.relays != nullptr) ways.relays = helpers_.relays->relays_for(home);
  auto reaching = reach(home, std::move(ways));
  co_return co_await std::move(reaching);
}

Task<Result<std::shared_ptr<Caller>>> Peers::reach(HomeId home, Ways ways) {
  auto& place = entries_[home];
  if (!place) place = std::make_unique<Entry>(station_.executor);
  Entry& entry = *place;
  co_await entry.turn.take();
  const platform::Permit permit(entry.turn);
  auto list = list_of(home, std::move(ways));
  if (entry.caller && entry.caller->is_up()) {
    auto looking = look_for_better(entry, home, std::move(list));
    co_await std::move(looking);
    if (entry.caller->is_up()) co_return entry.caller;
    co_return fail(Errc::unavailable, "the connection to " + home.short_hex() + " was lost a moment ago");
  }
  entry.caller.reset();
  std::vector<std::string> names;
  for (const Way& way : list) names.push_back(way.name());
  std::ranges::sort(names);  // the order of relays changes with what is known of them
  if (entry.failure && entry.failed_at == names && station_.clock.steady() < entry.not_before)
    co_return tl::unexpected<Error>(*entry.failure);
  const auto began = station_.clock.steady();
  auto trying = try_all(entry, home, std::move(list), limits_.patience);
  auto made = co_await std::move(trying);
  if (!made) {
    remember_failure(entry, std::move(names), made.error());
    co_return made;
  }
  entry.took = station_.clock.steady() - began;
  entry.failure.reset();
  entry.pause = {};
  entry.better_pause = limits_.better_after;
  entry.better_at = station_.clock.steady() + entry.better_pause;
  co_return made;
}

Task<> Peers::look_for_better(Entry& entry, HomeId home, std::vector<Way> ways) {
  std::erase_if(ways, [](const Way& way) { return !way.address; });
  if (!entry.relayed || ways.empty() || station_.clock.steady() < entry.better_at) co_return;
  auto before = entry.tried;
  auto trying = try_all(entry, home, std::move(ways), limits_.better_limit);
  const auto made = co_await std::move(trying);
  if (made) co_return;
  entry.tried = std::move(before);
  entry.better_pause = std::min<nanoseconds>(2 * entry.better_pause, limits_.better_longest);
  entry.better_at = station_.clock.steady() + entry.better_pause;
}

void Peers::remember_failure(Entry& entry, std::vector<std::string> names, const Error& failure) {
  entry.failure = failure;
  entry.failed_at = std::move(names);
  entry.pause = std::clamp<nanoseconds>(2 * entry.pause, limits_.first_pause, limits_.longest_pause);
  entry.not_before = station_.clock.steady() + entry.pause;
}

std::vector<nanoseconds> Peers::starts_of(const std::vector<Way>& ways) const {
  std::vector<nanoseconds> out;
  nanoseconds next{0};
  for (std::size_t i = 0; i < ways.size(); ++i) {
    const bool first_relay = i > 0 && !ways[i].is_direct() && ways[i - 1].is_direct();
    if (first_relay) next += limits_.relay_wait - limits_.head_start;
    out.push_back(next);
    next += ways[i].is_direct() ? limits_.head_start : limits_.relay_start;
  }
  return out;
}

Task<Result<std::shared_ptr<Caller>>> Peers::try_all(Entry& entry, HomeId home, std::vector<Way> ways,
                                                     nanoseconds limit) {
  if (ways.empty()) co_return fail(Errc::unavailable, "no address of " + home.short_hex() + " is known");
  TryOne one{*this, home, ways, station_.clock.steady() + limit};
  const std::int64_t began_s = helpers_.dialed == nullptr ? 0 : helpers_.dialed->now_s();
  impl::Race<std::shared_ptr<Caller>, TryOne> race(station_.clock, station_.executor, starts_of(ways), one);
  co_await race.run();
  auto& outcomes = race.outcomes();
  entry.tried.clear();
  bool all_denied = true;
  std::string why;
  for (std::size_t i = 0; i < ways.size(); ++i) {
    const bool taken = outcomes.won && outcomes.winner == i;
    TriedWay way{.name = ways[i].name(),
                 .relayed = !ways[i].is_direct(),
                 .local = ways[i].local,
                 .failure = std::move(outcomes.failures[i]),
                 .taken = taken,
                 .begun = i < outcomes.begun,
                 .standing = ways[i].standing};
    all_denied = all_denied && way.failure && way.failure->code == Errc::denied;
    why += (i == 0 ? "" : "; ") + way.name + ": " + (way.failure ? way.failure->detail : "no answer");
    if (taken) entry.relayed = way.relayed;
    entry.tried.push_back(std::move(way));
  }
  if (helpers_.dialed != nullptr) note_dialed(home, ways, entry.tried, began_s);
  if (outcomes.won) {
    entry.caller = *outcomes.won;
    co_return entry.caller;
  }
  co_return fail(all_denied ? Errc::denied : Errc::unavailable, home.short_hex() + " is not reached: " + why);
}

void Peers::note_dialed(const HomeId& home, const std::vector<Way>& ways, const std::vector<TriedWay>& tried,
                        std::int64_t began_s) {
  const auto won = std::ranges::find_if(tried, &TriedWay::taken);
  const auto by_address = [](const Way& way) { return way.address && !way.local; };
  if (won != tried.end() && by_address(ways[static_cast<std::size_t>(won - tried.begin())]))
    helpers_.dialed->note_reached(home);
  else if ((won == tried.end() || won->relayed) && std::ranges::any_of(ways, by_address))
    helpers_.dialed->note_failed(home);  // a relay begins when that has had its time
  for (std::size_t i = 0; i < ways.size(); ++i) {
    // Those that were given up since a later one was quicker have not noted anything themselves.
    const bool was_passed = ways[i].relay && !tried[i].failure && tried.begin() + static_cast<std::ptrdiff_t>(i) < won;
    if (was_passed && won != tried.end() && !helpers_.dialed->was_reached_since(ways[i].relay->home, began_s))
      helpers_.dialed->note_failed(ways[i].relay->home);
  }
}

Task<Result<std::shared_ptr<Caller>>> Peers::try_way(Way way, HomeId home, nanoseconds limit) {
  auto work = way.looks     ? dial_where_heard(home, limit)
              : way.address ? dial_address(std::move(*way.address), home, limit)
                            : call_by_relay(std::move(way.relay), home, limit);
  co_return co_await std::move(work);
}

Task<Result<std::shared_ptr<Caller>>> Peers::call_by_relay(std::optional<Relay> relay, HomeId home, nanoseconds limit) {
  const auto until = station_.clock.steady() + limit;
  ClaimToRelay claim;
  if (helpers_.relays != nullptr)
    claim = [relays = helpers_.relays, home](const Peer& at) { return relays->claim_for(at, home); };
  auto work = relay
                  ? call_through(station_, network_, std::move(*relay), home, limit, std::move(claim), helpers_.dialed)
                  : helpers_.desk->call(home, limit);
  MHP_CO_TRY(auto stream, co_await std::move(work));
  auto calling = call_over(station_, scope_, std::move(stream), home, until - station_.clock.steady());
  co_return co_await std::move(calling);
}

Task<Result<std::shared_ptr<Caller>>> Peers::dial_where_heard(HomeId home, nanoseconds limit) {
  const auto until = station_.clock.steady() + limit;
  auto looking = helpers_.lookout->look_for(home);
  auto addresses = co_await std::move(looking);
  Error last{Errc::unavailable, "not heard"};
  for (Address& address : addresses) {
    auto dialing = dial_address(std::move(address), home, until - station_.clock.steady());
    auto made = co_await std::move(dialing);
    if (made) co_return made;
    last = std::move(made.error());
  }
  co_return tl::unexpected<Error>(std::move(last));
}

Task<Result<std::shared_ptr<Caller>>> Peers::dial_address(Address address, HomeId home, nanoseconds limit) {
  const auto until = station_.clock.steady() + limit;
  const std::uint16_t port = address.port;
  MHP_CO_TRY(auto endpoints, co_await network_.resolve(std::move(address), limit));
  Error last{Errc::unavailable, "the name has no address"};
  for (platform::Endpoint& endpoint : endpoints) {
    const auto left = until - station_.clock.steady();
    if (left.count() <= 0) co_return fail(Errc::timed_out, "no answer in time");
    endpoint.port = port;
    auto dialing = dial(station_, network_, scope_, std::move(endpoint), home, left);
    auto made = co_await std::move(dialing);
    if (made) co_return made;
    last = std::move(made.error());
  }
  co_return tl::unexpected<Error>(std::move(last));
}

}  // namespace mhp::net
