// Finding homes of one's clouds in the local network, without anything outside of it.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "net/station.h"
#include "platform/nursery.h"
#include "platform/random.h"
#include "platform/token_bucket.h"
#include "wire/beacon.h"

namespace mhp::net {

/// Where beacons are sent and heard: 239.255.77.72 (local scope, RFC 2365) and ff12::4d48:5001 (link-local scope).
extern const std::vector<platform::Endpoint> kBeaconGroups;

/// What a computer looks for; upper rooms know. Asked at every beacon: cheap.
class Interest {
 public:
  virtual ~Interest() = default;
  /// The clouds of this computer; the first wire::kMaxBeaconTags count.
  virtual std::vector<CloudId> clouds() = 0;
  /// Whether that home is worth remembering.
  virtual bool is_known(const HomeId& home) = 0;
};

struct NeighbourLimits {
  std::size_t homes = 256;               // remembered; with more, new ones are left out
  std::size_t addresses = 8;             // of one home
  std::chrono::seconds keep_time{150};   // an address that was not heard again for so long is forgotten
  std::chrono::seconds every{30};        // between beacons,
  std::chrono::seconds jitter{30};       // and at random up to so much more
  std::uint64_t answers_per_second = 4;  // to those who ask
  std::uint64_t answers_at_once = 32;
  std::uint64_t heard_per_second = 100;  // beacons that are looked at; more are dropped
  std::uint64_t heard_at_once = 500;
  std::chrono::seconds rejoin{30};  // between attempts to take part in a group
};

/// One loop thread.
class Neighbours {
 public:
  /// All outlive it. `port`: where this home answers; 0: it only looks for others.
  Neighbours(Station station, platform::Network& network, platform::Random& random, Interest& interest,
             std::uint16_t port, const NeighbourLimits& limits = {});
  ~Neighbours();
  Neighbours(const Neighbours&) = delete;
  Neighbours& operator=(const Neighbours&) = delete;

  /// Calls and listens until it is canceled. Groups that this computer cannot take part in are tried again at times.
  Task<> run();
  /// Asks all who are there to answer now: after the network changed, or a home is missed.
  void ask();
  /// Where `home` was heard, the latest first; none: it was not, or too long ago.
  std::vector<Address> addresses_of(const HomeId& home) const;
  std::vector<HomeId> homes() const;
  /// Beacons that were dropped unread, as too many came.
  std::uint64_t dropped() const { return dropped_; }

 private:
  struct Heard {
    Address address;
    std::chrono::nanoseconds at;
  };
  struct Group;

  Task<> take_part(Group& group);
  Task<> listen(Group& group, platform::Nursery& both);
  Task<> call_out(Group& group, platform::Nursery& both);
  Task<> hear(Group& group, platform::Datagram datagram);
  void remember(const wire::Beacon& beacon, const platform::Endpoint& from);
  void forget_old();
  wire::Beacon own_beacon(bool asks);
  bool is_ours(const wire::Beacon& beacon);
  std::int64_t today() const;

  const Station station_;
  platform::Network& network_;
  platform::Random& random_;
  Interest& interest_;
  const std::uint16_t port_;
  const NeighbourLimits limits_;
  std::vector<std::unique_ptr<Group>> groups_;
  std::map<HomeId, std::vector<Heard>> heard_;
  platform::TokenBucket answers_;
  platform::TokenBucket hearing_;
  std::uint64_t dropped_ = 0;
};

}  // namespace mhp::net
