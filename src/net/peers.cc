// Trying addresses side by side, and pausing after failures.
#include "net/peers.h"

#include <algorithm>

#include "net/dial.h"

namespace mhp::net {

/// One round of trying all addresses of a home.
struct Peers::Attempt {
  HomeId home;
  std::vector<Address> addresses;
  std::chrono::nanoseconds until;
  std::vector<std::optional<Error>> failures;  // by address; none: it was not answered
  std::shared_ptr<Caller> caller;              // the first that answered
};

Peers::Peers(Station station, platform::Network& network, platform::Nursery& scope, ReachLimits limits, Helpers helpers)
    : station_(station), network_(network), scope_(scope), limits_(limits), helpers_(helpers) {}

Peers::~Peers() = default;

Task<Result<std::shared_ptr<Caller>>> Peers::reach(HomeId home, std::vector<Address> addresses) {
  auto& place = entries_[home];
  if (!place) place = std::make_unique<Entry>(station_.executor);
  Entry& entry = *place;
  co_await entry.turn.take();
  const platform::Permit permit(entry.turn);
  if (entry.caller && entry.caller->is_up()) co_return entry.caller;
  entry.caller.reset();
  const auto alike = [](const Address& a, const Address& b) { return a.host == b.host && a.port == b.port; };
  const bool same = std::ranges::equal(entry.failed_at, addresses, alike);
  if (entry.failure && same && station_.clock.steady() < entry.not_before)
    co_return tl::unexpected<Error>(*entry.failure);
  auto trying = try_all(home, addresses);
  auto made = co_await std::move(trying);
  if (!made) {
    remember_failure(entry, std::move(addresses), made.error());
    co_return made;
  }
  entry.failure.reset();
  entry.pause = {};
  entry.caller = *made;
  co_return made;
}

void Peers::remember_failure(Entry& entry, std::vector<Address> addresses, const Error& failure) {
  entry.failure = failure;
  entry.failed_at = std::move(addresses);
  entry.pause = std::clamp<std::chrono::nanoseconds>(2 * entry.pause, limits_.first_pause, limits_.longest_pause);
  entry.not_before = station_.clock.steady() + entry.pause;
}

Task<Result<std::shared_ptr<Caller>>> Peers::try_all(HomeId home, std::vector<Address> addresses) {
  if (addresses.empty()) co_return fail(Errc::unavailable, "no address of " + home.short_hex() + " is known");
  addresses.resize(std::min(addresses.size(), limits_.addresses));
  Attempt attempt{home, std::move(addresses), station_.clock.steady() + limits_.patience, {}, nullptr};
  attempt.failures.resize(attempt.addresses.size());
  platform::Nursery attempts(station_.executor);
  for (std::size_t i = 0; i < attempt.addresses.size(); ++i) attempts.start(try_one(attempt, i, attempts));
  co_await attempts.join();
  if (attempt.caller) co_return attempt.caller;
  bool all_denied = true;
  std::string why;
  for (std::size_t i = 0; i < attempt.addresses.size(); ++i) {
    const auto& failure = attempt.failures[i];
    all_denied = all_denied && failure && failure->code == Errc::denied;
    why += (i == 0 ? "" : "; ") + attempt.addresses[i].host + " port " + std::to_string(attempt.addresses[i].port) +
           ": " + (failure ? failure->detail : "no answer");
  }
  co_return fail(all_denied ? Errc::denied : Errc::unavailable, home.short_hex() + " is not reached: " + why);
}

Task<> Peers::try_one(Attempt& attempt, std::size_t which, platform::Nursery& attempts) {
  co_await station_.clock.sleep(static_cast<int>(which) * limits_.head_start);
  const auto left = attempt.until - station_.clock.steady();
  auto dialing = dial_address(attempt.addresses[which], attempt.home, left);
  auto made = co_await std::move(dialing);
  if (!made) {
    attempt.failures[which] = made.error();
    co_return;
  }
  if (!attempt.caller) attempt.caller = std::move(*made);
  attempts.cancel();
}

Task<Result<std::shared_ptr<Caller>>> Peers::dial_address(Address address, HomeId home,
                                                          std::chrono::nanoseconds limit) {
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
