// Waiting at relays, coming where somebody calls, and calling through them.
#include <algorithm>
#include <tuple>

#include "base/check.h"
#include "net/impl/in_flight.h"
#include "net/impl/race.h"
#include "net/impl/relay_control.h"
#include "net/impl/within.h"
#include "net/relay.h"
#include "primitives/hash/blake3.h"

namespace mhp::net {
namespace {

using impl::RelayControl;
using impl::RelayKind;
using std::chrono::nanoseconds;

constexpr std::string_view kOrderContext = "mhp 1 order of relays";
constexpr std::chrono::milliseconds kHeadStart{300};  // of one address of a relay before the next
constexpr std::size_t kMostAddresses = 16;            // of one relay that are tried

using Control = std::unique_ptr<RelayControl>;

/// Connecting to one of a relay's addresses.
struct Dial {
  Station station;
  platform::Network& network;
  const Relay& relay;
  nanoseconds until;

  Task<Result<Control>> operator()(std::size_t which) { return to(*this, which); }
  static Task<Result<Control>> to(Dial& dial, std::size_t which) {
    platform::Clock& clock = dial.station.clock;
    auto resolving = dial.network.resolve(dial.relay.addresses[which], dial.until - clock.steady());
    MHP_CO_TRY(auto endpoints, co_await std::move(resolving));
    Error last{Errc::unavailable, "the name has no address"};
    for (platform::Endpoint& endpoint : endpoints) {
      if (dial.until <= clock.steady()) co_return fail(Errc::timed_out, "no answer in time");
      endpoint.port = dial.relay.addresses[which].port;
      auto connecting = at(dial, std::move(endpoint));
      auto made = co_await std::move(connecting);
      if (made) co_return made;
      last = std::move(made.error());
    }
    co_return tl::unexpected<Error>(std::move(last));
  }
  static Task<Result<Control>> at(Dial& dial, platform::Endpoint endpoint) {
    platform::Clock& clock = dial.station.clock;
    MHP_CO_TRY(auto stream, co_await dial.network.connect(std::move(endpoint), dial.until - clock.steady()));
    auto securing = dial.station.tls.connect(std::move(stream), dial.relay.home, clock, dial.until - clock.steady(),
                                             Protocol::relay);
    MHP_CO_TRY(auto secured, co_await std::move(securing));
    auto control = std::make_unique<RelayControl>(dial.station, std::move(secured));
    MHP_CO_TRY(const auto hello, co_await control->read_within(dial.until - clock.steady()));
    if (hello.kind != RelayKind::hello) co_return fail(Errc::invalid, "a relay does not begin like this");
    co_return control;
  }
};

/// A connection to a relay that has said its first word. The address that answered becomes the first.
Task<Result<Control>> connect_relay(Station station, platform::Network& network, Relay& relay, nanoseconds until) {
  if (relay.addresses.empty()) co_return fail(Errc::unavailable, "no address of the relay is known");
  relay.addresses.resize(std::min(relay.addresses.size(), kMostAddresses));
  Dial dial{station, network, relay, until};
  impl::Race<Control, Dial> race(station.clock, station.executor,
                                 impl::equal_starts(relay.addresses.size(), kHeadStart), dial);
  co_await race.run();
  auto& outcomes = race.outcomes();
  if (outcomes.won) {
    const auto winner = relay.addresses.begin() + static_cast<std::ptrdiff_t>(outcomes.winner);
    std::rotate(relay.addresses.begin(), winner, winner + 1);
    co_return std::move(*outcomes.won);
  }
  std::string why;
  bool all_denied = true;
  for (std::size_t i = 0; i < relay.addresses.size(); ++i) {
    const auto& failure = outcomes.failures[i];
    all_denied = all_denied && failure && failure->code == Errc::denied;
    why += (i == 0 ? "" : ", ") + relay.addresses[i].host + " port " + std::to_string(relay.addresses[i].port) + ": " +
           (failure ? failure->detail : "no answer");
  }
  co_return fail(all_denied ? Errc::denied : Errc::unavailable, "the relay is not reached: " + why);
}

/// The same; whether the relay could be dialed is noted.
Task<Result<Control>> connect_and_note(Station station, platform::Network& network, Relay& relay, nanoseconds until,
                                       Dialed* dialed) {
  auto connecting = connect_relay(station, network, relay, until);
  auto made = co_await std::move(connecting);
  if (dialed != nullptr && made) dialed->note_reached(relay.home);
  if (dialed != nullptr && !made) dialed->note_failed(relay.home);
  co_return made;
}

/// Says `frame`; the answer, which must be of that kind.
Task<Result<void>> ask(Station station, RelayControl& control, wire::RelayFrame frame, RelayKind wanted,
                       nanoseconds until) {
  MHP_CO_TRY_VOID(co_await control.write_within(std::move(frame), until - station.clock.steady()));
  MHP_CO_TRY(const auto answer, co_await control.read_within(until - station.clock.steady()));
  if (answer.kind == RelayKind::refused) co_return tl::unexpected<Error>(impl::error_of(answer));
  if (answer.kind != wanted) co_return fail(Errc::invalid, "a relay does not answer like this");
  co_return Result<void>();
}

}  // namespace

std::vector<Relay> in_order_for(const HomeId& home, std::vector<Relay> relays, const Dialed* dialed) {
  std::erase_if(relays, [&home](const Relay& relay) { return relay.home == home; });
  const auto key = primitives::blake3_derive(kOrderContext, home.bytes());
  std::ranges::sort(relays, {}, [&key, dialed](const Relay& relay) {
    const auto standing = dialed == nullptr ? Dialed::Standing::unknown : dialed->standing(relay.home);
    return std::pair(standing, primitives::blake3_keyed(key, relay.home.bytes()));
  });
  return relays;
}

Task<Result<std::unique_ptr<platform::Stream>>> call_through(Station station, platform::Network& network, Relay relay,
                                                             HomeId home, nanoseconds limit, ClaimToRelay claim,
                                                             Dialed* dialed) {
  const auto until = station.clock.steady() + limit;
  auto connecting = connect_and_note(station, network, relay, until, dialed);
  MHP_CO_TRY(const Control control, co_await std::move(connecting));
  wire::RelayFrame call{.kind = RelayKind::call, .home = home};
  if (claim) call.claim = claim(control->peer());
  auto asking = ask(station, *control, std::move(call), RelayKind::ready, until);
  MHP_CO_TRY_VOID(co_await std::move(asking));
  co_return control->take_stream();
}

struct Waiter::Place {
  RelayControl& control;
  const Relay& relay;
  platform::Nursery& all;
  nanoseconds heard_at;
  bool is_left = false;  // on purpose
};

Waiter::Waiter(Station station, platform::Network& network, platform::Random& random, Server& answering,
               const WaitLimits& limits, Dialed* dialed)
    : station_(station),
      network_(network),
      random_(random),
      answering_(answering),
      limits_(limits),
      dialed_(dialed),
      changed_(std::make_unique<impl::Bell>(station.executor)) {}

Waiter::~Waiter() { MHP_CHECK(taken_.empty()); }

void Waiter::set_relays(std::vector<Relay> relays) {
  relays_ = in_order_for(station_.tls.id(), std::move(relays));
  const auto gone = [this](const auto& entry) { return !knows(entry.first); };
  std::erase_if(pauses_, gone);
  std::erase_if(failures_, gone);
  changed_->ring();
}

std::vector<HomeId> Waiter::waits_at() const {
  std::vector<HomeId> out;
  for (const auto& [relay, taken] : taken_) {
    if (taken.waits) out.push_back(relay);
  }
  return out;
}

std::vector<const Relay*> Waiter::in_order() const {
  std::vector<const Relay*> out;
  for (const Relay& relay : relays_) out.push_back(&relay);
  using Standing = Dialed::Standing;
  const auto standing = [this](const HomeId& relay) {
    const Standing known = dialed_ == nullptr ? Standing::unknown : dialed_->standing(relay);
    // One that has been reached is tried again soon, beside those that took its place: callers look for it there.
    return known == Standing::fails_now ? Standing::reached : known;
  };
  // Of equal ones the first in relays_.
  std::ranges::sort(out, {},
                    [&](const Relay* relay) { return std::tuple(relay->is_near, standing(relay->home), relay); });
  return out;
}

bool Waiter::knows(const HomeId& relay) const {
  return std::ranges::find(relays_, relay, &Relay::home) != relays_.end();
}

bool Waiter::is_spare(const HomeId& home) const {
  std::size_t before = 0;
  for (const Relay* relay : in_order()) {
    if (relay->home == home) return before >= limits_.relays;
    const auto taken = taken_.find(relay->home);
    if (taken != taken_.end() && taken->second.waits) ++before;
  }
  return true;
}

Task<> Waiter::run() {
  struct Leave {  // one that was not begun has left nothing itself
    Waiter& waiter;
    ~Leave() { waiter.taken_.clear(); }
  } const leave{*this};
  platform::Nursery all(station_.executor);
  all.start(keep_trying(all));
  co_await all.join();
}

std::optional<Relay> Waiter::next_relay() const {
  const auto now = station_.clock.steady();
  std::size_t before = 0;  // where it waits, or may be about to
  for (const Relay* relay : in_order()) {
    if (before >= limits_.relays) break;
    const auto taken = taken_.find(relay->home);
    if (taken != taken_.end()) {
      if (taken->second.waits || now - taken->second.since < limits_.relay_start) ++before;
      continue;
    }
    const auto pause = pauses_.find(relay->home);
    if (pause == pauses_.end() || pause->second.not_before <= now) return *relay;
  }
  return std::nullopt;
}

nanoseconds Waiter::until_next() const {
  const auto now = station_.clock.steady();
  nanoseconds wait = impl::kLook;
  for (const auto& [relay, pause] : pauses_) {
    if (!taken_.contains(relay)) wait = std::min(wait, pause.not_before - now);
  }
  for (const auto& [relay, taken] : taken_) {
    const auto begun_for = now - taken.since;
    if (!taken.waits && begun_for < limits_.relay_start) wait = std::min(wait, limits_.relay_start - begun_for);
  }
  return std::max<nanoseconds>(wait, std::chrono::milliseconds(100));
}

void Waiter::remember(const HomeId& relay, const Error& failure) {
  if (!knows(relay)) return;
  failures_.insert_or_assign(relay, failure);
  Pause& pause = pauses_[relay];
  pause.length = std::clamp<nanoseconds>(2 * pause.length, limits_.first_pause, limits_.longest_pause);
  // Not all at once, where a relay has gone at which many waited.
  const auto draw = std::to_integer<unsigned>(random_.array<1>()[0]);
  pause.not_before = station_.clock.steady() + pause.length - pause.length / 512 * draw;
}

Task<> Waiter::keep_trying(platform::Nursery& all) {
  for (;;) {
    while (taken_.size() < limits_.attempts) {
      auto relay = next_relay();
      if (!relay) break;
      taken_[relay->home] = {.since = station_.clock.steady()};
      all.start(keep_at(std::move(*relay)));
    }
    auto ring = impl::rung(*changed_);
    co_await impl::within(station_.clock, until_next(), std::move(ring));
  }
}

Task<> Waiter::keep_at(Relay relay) {
  const HomeId id = relay.home;
  struct Leave {  // also where a cancellation leaves this frame
    Waiter& waiter;
    HomeId id;
    ~Leave() {
      waiter.taken_.erase(id);
      waiter.changed_->ring();
    }
  } leave{*this, id};
  auto waiting = wait_at(std::move(relay));
  const auto waited = co_await std::move(waiting);
  if (!waited) remember(id, waited.error());
}

Task<Result<void>> Waiter::wait_at(Relay relay) {
  const HomeId id = relay.home;
  const auto until = station_.clock.steady() + limits_.connect_time;
  auto connecting = connect_and_note(station_, network_, relay, until, dialed_);
  MHP_CO_TRY(const Control control, co_await std::move(connecting));
  auto asking = ask(station_, *control, {.kind = RelayKind::wait}, RelayKind::waiting, until);
  MHP_CO_TRY_VOID(co_await std::move(asking));
  taken_[id].waits = true;
  failures_.erase(id);
  pauses_.erase(id);
  platform::Nursery all(station_.executor);
  Place place{*control, relay, all, station_.clock.steady()};
  all.start(control->write_loop(impl::kWriteTime, all));
  all.start(hear_calls(place));
  all.start(send_pings(place));
  all.start(watch_place(place));
  co_await all.join();
  if (place.is_left) co_return Result<void>();
  co_return fail(Errc::unavailable, "the connection to the relay was lost");
}

Task<> Waiter::hear_calls(Place& place) {
  for (;;) {
    auto frame = co_await place.control.read();
    if (!frame) break;
    place.heard_at = station_.clock.steady();
    if (frame->kind == RelayKind::pong) continue;
    if (frame->kind != RelayKind::come) break;
    if (coming_ < limits_.coming) {
      place.all.start(come(place, std::move(*frame), impl::InFlight(coming_)));
    } else if (!place.control.post(impl::refusal({Errc::unavailable, "too many call"}, frame->number))) {
      break;
    }
  }
  place.all.cancel();
}

Task<> Waiter::send_pings(Place& place) {
  for (;;) {
    co_await station_.clock.sleep(limits_.ping_time);
    const auto asked_at = station_.clock.steady();
    if (!place.control.post({.kind = RelayKind::ping})) break;
    co_await station_.clock.sleep(limits_.pong_time);
    if (place.heard_at < asked_at) break;
  }
  place.all.cancel();
}

Task<> Waiter::watch_place(Place& place) {
  while (!is_spare(place.relay.home)) co_await station_.clock.sleep(impl::kLook);
  place.is_left = true;
  place.all.cancel();
}

Task<> Waiter::come(Place& place, wire::RelayFrame call, impl::InFlight) {
  const auto number = call.number;
  auto bringing = bring_here(place.relay, std::move(call));
  const auto brought = co_await std::move(bringing);
  if (!brought) place.control.post(impl::refusal(brought.error(), number));
}

Task<Result<void>> Waiter::bring_here(Relay relay, wire::RelayFrame call) {
  const auto until = station_.clock.steady() + limits_.connect_time;
  const HomeId id = relay.home;
  auto connecting = connect_and_note(station_, network_, relay, until, dialed_);
  MHP_CO_TRY(const Control control, co_await std::move(connecting));
  auto asking = ask(station_, *control, {.kind = RelayKind::here, .number = call.number}, RelayKind::ready, until);
  MHP_CO_TRY_VOID(co_await std::move(asking));
  answering_.adopt(control->take_stream(), "through relay " + id.short_hex());
  co_return Result<void>();
}

}  // namespace mhp::net
