// What a command needs to speak with other computers; made when the first of them is to be reached, and not before.
#pragma once

#include <memory>

#include "net/dial.h"
#include "net/peers.h"
#include "platform/platform.h"

namespace mhp::app {

/// One key, its connections, and their common bounds.
class Network {
 public:
  /// `platform` outlives it. The connections run in `scope`, which is joined after the last use of this.
  Network(platform::Platform& platform, platform::Nursery& scope, const primitives::Key& seed);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  /// The home of this computer, where it serves one.
  const HomeId& id() const { return identity_.id(); }
  /// What this computer signs with in rosters.
  const primitives::SigningKey& key() const { return key_; }
  net::Station station() const { return {platform_.clock(), platform_.executor(), tls_, traffic_}; }
  net::Peers& others() { return others_; }
  /// Who answers at `address`, whoever that is. Errors: unavailable, timed_out, denied.
  Task<Result<HomeId>> who_answers(net::Address address, std::chrono::nanoseconds limit);

 private:
  platform::Platform& platform_;
  platform::Nursery& scope_;
  primitives::SigningKey key_;
  net::Identity identity_;
  net::Tls tls_;
  mutable net::Traffic traffic_;  // counts
  net::Peers others_;
};

struct Session;

/// That of the session, made with this computer's key (cloud/computer.h) where there is none yet; for a guest with one
/// that is kept nowhere. Blocking, shortly. Errors: those of the key; unavailable (a command inside of another has
/// none).
Result<Network*> network_of(Session& session);

}  // namespace mhp::app
