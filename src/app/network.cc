// Making connections for a command, and who is at the other end.
#include "app/network.h"

#include "app/session.h"
#include "cloud/computer.h"

namespace mhp::app {

static net::ReachLimits limits_of_commands() {
  net::ReachLimits limits;
  limits.patience = kPathLimit - std::chrono::seconds(1);  // then there is a word for each address
  return limits;
}

Network::Network(platform::Platform& platform, platform::Nursery& scope, const primitives::Key& seed)
    : platform_(platform),
      scope_(scope),
      key_(seed),
      identity_(seed),
      tls_(identity_),
      others_(station(), platform.network(), scope, limits_of_commands()) {}

Task<Result<HomeId>> Network::who_answers(net::Address address, std::chrono::nanoseconds limit) {
  const auto until = platform_.clock().steady() + limit;
  const std::uint16_t port = address.port;
  MHP_CO_TRY(auto endpoints, co_await platform_.network().resolve(std::move(address), limit));
  Error last{Errc::unavailable, "the name has no address"};
  for (platform::Endpoint& endpoint : endpoints) {
    const auto left = until - platform_.clock().steady();
    if (left.count() <= 0) co_return fail(Errc::timed_out, "no answer in time");
    endpoint.port = port;
    auto dialing = net::dial(station(), platform_.network(), scope_, std::move(endpoint), std::nullopt, left);
    auto made = co_await std::move(dialing);
    if (made) co_return (*made)->peer().id;
    last = std::move(made.error());
  }
  co_return tl::unexpected<Error>(std::move(last));
}

static Result<primitives::Key> seed_of(Session& session) {
  platform::Platform& platform = session.platform;
  if (session.is_guest) return platform.random().array<32>();
  return cloud::computer_seed(platform.disk(), platform.random(), session.state_folder);
}

Result<Network*> network_of(Session& session) {
  if (session.network) return session.network.get();
  if (session.connections == nullptr) return fail(Errc::unavailable, "no computer can be reached from here");
  MHP_TRY(auto seed, seed_of(session));
  session.network = std::make_shared<Network>(session.platform, *session.connections, seed);
  wipe(seed);
  return session.network.get();
}

}  // namespace mhp::app
