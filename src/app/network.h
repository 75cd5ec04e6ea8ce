// What a command needs to speak with other computers; made when the first of them is to be reached, and not before.
#pragma once

#include <memory>
#include <optional>

#include "cloud/reach.h"
#include "net/dial.h"
#include "net/peers.h"
#include "platform/platform.h"

namespace mhp::app {

/// One key, its connections, and their common bounds.
class Network {
 public:
  /// All outlive it. The connections run in `scope`, which is joined after the last use of this.
  struct World {
    platform::Platform& platform;
    platform::Network& sockets;
    platform::Nursery& scope;
  };
  /// `state_folder`: with the rosters. `port`: where this computer answers, to be told in the local network; 0:
  /// nowhere.
  Network(World world, const primitives::Key& seed, const std::string& state_folder, std::uint16_t port);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  /// The home of this computer, where it serves one.
  const HomeId& id() const { return identity_.id(); }
  /// What this computer signs with in rosters.
  const primitives::SigningKey& key() const { return key_; }
  net::Station station() const { return {platform_.clock(), platform_.executor(), tls_, traffic_}; }
  net::Peers& others() { return others_; }
  cloud::Book& book() { return book_; }
  cloud::CloudReach& reach() { return reach_; }
  /// Which homes could be dialed from here, and whether this one can be; as kept in the state folder at first.
  net::Dialed& dialed() { return dialed_; }
  cloud::Reachable& reachable() { return reachable_; }
  /// Keeps that, with what another program of this computer has kept since. Blocking, shortly. Errors: those of the
  /// disk.
  Result<void> keep_reached();
  /// Where others wait that cannot be reached, for the net::Server of this program where it has one (`port`).
  net::RelayDesk& desk() { return desk_; }
  /// Who answers at `address`, whoever that is. Errors: unavailable, timed_out, denied.
  Task<Result<HomeId>> who_answers(net::Address address, std::chrono::nanoseconds limit);

 private:
  /// For a command: listens from when it first misses a home, and waits for it only at that time.
  class Ears final : public net::Lookout {
   public:
    explicit Ears(Network& network) : network_(network) {}
    Task<std::vector<net::Address>> look_for(HomeId home) override;

   private:
    Network& network_;
    std::optional<std::chrono::nanoseconds> since_;
  };

  platform::Platform& platform_;
  platform::Network& sockets_;
  platform::Nursery& scope_;
  const std::string state_folder_;
  primitives::SigningKey key_;
  net::Identity identity_;
  net::Tls tls_;
  mutable net::Traffic traffic_;  // counts
  cloud::Book book_;
  cloud::CloudReach reach_;
  net::Dialed dialed_;
  cloud::Reachable reachable_;
  net::RelayDesk desk_;
  net::Neighbours neighbours_;
  net::Peers others_;
  Ears ears_{*this};
};

struct Session;

/// At the end of a command: what it has learned of who can be reached is kept, where it matters to the next one.
/// Failing that costs the next one a short delay.
void keep_what_was_learned(Session& session);

/// The key by which others know this computer; zeros where it has none yet. Blocking, shortly.
KeyId known_own_key(const Session& session);

/// That of the session, made with this computer's key (cloud/computer.h) where there is none yet; for a guest with one
/// that is kept nowhere. Blocking, shortly. Errors: those of the key; unavailable (a command inside of another has
/// none). `port`: as in Network, for the first call.
Result<Network*> network_of(Session& session, std::uint16_t port = 0);

}  // namespace mhp::app
