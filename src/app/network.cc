// Making connections for a command, and who is at the other end.
#include "app/network.h"

#include "app/limits.h"
#include "app/reached.h"
#include "app/session.h"
#include "cloud/computer.h"

namespace mhp::app {

static net::ReachLimits limits_of_commands() {
  net::ReachLimits limits;
  limits.patience = kPathLimit - std::chrono::seconds(1);  // then there is a word for each address
  return limits;
}

Network::Network(World world, const primitives::Key& seed, const std::string& state_folder, std::uint16_t port)
    : platform_(world.platform),
      sockets_(world.sockets),
      scope_(world.scope),
      state_folder_(state_folder),
      key_(seed),
      identity_(seed),
      tls_(identity_),
      book_(platform_.disk(), state_folder + "/clouds"),
      reach_(book_, identity_.id()),
      dialed_(platform_.clock()),
      reachable_(platform_.clock(), book_, identity_.id()),
      desk_(station(), reach_, platform_.random()),
      neighbours_(station(), sockets_, platform_.random(), reach_, port),
      others_(station(), sockets_, scope_, limits_of_commands(),
              {.desk = port != 0 ? &desk_ : nullptr,
               .neighbours = &neighbours_,
               .relays = &reach_,
               .lookout = port == 0 ? &ears_ : nullptr,
               .dialed = &dialed_}) {
  (void)book_.refresh();  // what cannot be read is told of by who needs it
  ReachKnown kept = read_reached(platform_.disk(), state_folder_);
  dialed_.recall(kept.homes);
  reachable_.recall(std::move(kept.visit));
  // Who is up hears its neighbours all the time; a command has mostly done its work before they have answered.
  if (port != 0) scope_.start(neighbours_.run());
}

Result<void> Network::keep_reached() {
  const ReachKnown kept = read_reached(platform_.disk(), state_folder_);
  dialed_.recall(kept.homes);
  ReachKnown now{.visit = reachable_.last(), .homes = dialed_.all()};
  if (kept.visit && (!now.visit || now.visit->at_s < kept.visit->at_s)) now.visit = kept.visit;
  if (now == kept) return {};
  return app::keep_reached(platform_.disk(), state_folder_, now);
}

void keep_what_was_learned(Session& session) {
  if (session.network && !session.is_guest && session.network->dialed().is_news())
    (void)session.network->keep_reached();
}

Task<std::vector<net::Address>> Network::Ears::look_for(HomeId home) {
  constexpr std::chrono::milliseconds kListen{2000};
  constexpr std::chrono::milliseconds kAgain{600};  // a datagram may get lost
  constexpr std::chrono::milliseconds kPause{50};
  if (!network_.reach_.is_known(home)) co_return std::vector<net::Address>();
  platform::Clock& clock = network_.platform_.clock();
  net::Neighbours& neighbours = network_.neighbours_;
  bool asks_again = !since_;
  if (!since_) {
    since_ = clock.steady();
    network_.scope_.start(neighbours.run());
  }
  while (neighbours.addresses_of(home).empty() && clock.steady() < *since_ + kListen) {
    if (asks_again && clock.steady() >= *since_ + kAgain) {
      neighbours.ask();
      asks_again = false;
    }
    co_await clock.sleep(kPause);
  }
  co_return neighbours.addresses_of(home);
}

Task<Result<HomeId>> Network::who_answers(net::Address address, std::chrono::nanoseconds limit) {
  const auto until = platform_.clock().steady() + limit;
  const std::uint16_t port = address.port;
  MHP_CO_TRY(auto endpoints, co_await sockets_.resolve(std::move(address), limit));
  Error last{Errc::unavailable, "the name has no address"};
  for (platform::Endpoint& endpoint : endpoints) {
    const auto left = until - platform_.clock().steady();
    if (left.count() <= 0) co_return fail(Errc::timed_out, "no answer in time");
    endpoint.port = port;
    auto dialing = net::dial(station(), sockets_, scope_, std::move(endpoint), std::nullopt, left);
    auto made = co_await std::move(dialing);
    if (made) co_return (*made)->peer().id;
    last = std::move(made.error());
  }
  co_return tl::unexpected<Error>(std::move(last));
}

KeyId known_own_key(const Session& session) {
  auto seed = cloud::known_computer_seed(session.platform.disk(), session.state_folder);
  if (!seed) return {};
  const KeyId key = cloud::as_key(primitives::SigningKey(*seed).public_key());
  wipe(*seed);
  return key;
}

static Result<primitives::Key> seed_of(Session& session) {
  platform::Platform& platform = session.platform;
  if (session.is_guest) return platform.random().array<32>();
  return cloud::computer_seed(platform.disk(), platform.random(), session.state_folder);
}

Result<Network*> network_of(Session& session, std::uint16_t port) {
  if (session.network) return session.network.get();
  if (session.connections == nullptr) return fail(Errc::unavailable, "no computer can be reached from here");
  MHP_TRY(auto seed, seed_of(session));
  const Network::World world{session.platform, sockets_of(session), *session.connections};
  session.network = std::make_shared<Network>(world, seed, session.state_folder, port);
  wipe(seed);
  return session.network.get();
}

}  // namespace mhp::app
