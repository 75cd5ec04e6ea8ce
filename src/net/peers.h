// One connection to each of the others, made when it is wanted and made again when it is lost.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "net/relay.h"
#include "net/station.h"
#include "platform/nursery.h"

namespace mhp::net {

class Neighbours;

/// How a home may be reached: directly, or through homes at which it may wait.
struct Ways {
  std::vector<Address> addresses{};  // the best first
  std::vector<Relay> relays{};       // in any order: in_order_for() is applied
};

/// One way that was tried, for people.
struct TriedWay {
  std::string name;  // "192.0.2.1 port 7070", "relay 1a2b3c4d"
  bool relayed = false;
  bool local = false;            // heard in the local network
  std::optional<Error> failure;  // none: it was taken, or another one was before it answered
  bool taken = false;
  bool begun = false;                                     // else another one was taken before its turn came
  Dialed::Standing standing = Dialed::Standing::unknown;  // of a relay, before it was tried
};

struct ReachLimits {
  std::chrono::milliseconds head_start{300};   // of an address before the next one is tried too
  std::chrono::seconds patience{10};           // for all of them together
  std::chrono::seconds first_pause{1};         // after a failure; twice as long after each further one,
  std::chrono::seconds longest_pause{300};     // up to this
  std::size_t addresses = 16;                  // that are tried; the rest is left out
  std::size_t relays = 16;                     // the same
  std::chrono::milliseconds relay_start{100};  // of a relay before the next one: a dead one costs no more
  std::chrono::milliseconds relay_wait{1000};  // after the last address, before the first relay; less where all failed
  std::chrono::seconds better_after{300};      // through a relay for so long: then it is tried directly once more;
  std::chrono::seconds better_limit{2};        // for so long. After each failure it waits twice as long, up to
  std::chrono::seconds better_longest{3600};   // this
};

/// Who knows where a home may wait; upper rooms do. Asked each time that a home is to be reached by its addresses.
class KnownRelays {
 public:
  virtual ~KnownRelays() = default;
  virtual std::vector<Relay> relays_for(const HomeId& home) = 0;
  /// What `relay` is shown when `home` is called there, by a computer that it may not know by its key.
  virtual Bytes claim_for(const Peer& /*relay*/, const HomeId& /*home*/) { return {}; }
};

/// Who listens in the local network when a home is missed, and not all the time (Neighbours::run()).
class Lookout {
 public:
  virtual ~Lookout() = default;
  /// Where `home` is heard, waiting for that for a short while; none: it is not.
  virtual Task<std::vector<Address>> look_for(HomeId home) = 0;
};

/// What helps to reach others, where it is there. All is borrowed and outlives its user.
struct Helpers {
  RelayDesk* desk = nullptr;               // of this computer: those who wait here are called through it
  const Neighbours* neighbours = nullptr;  // addresses that were heard are tried first
  KnownRelays* relays = nullptr;
  Lookout* lookout = nullptr;  // asked last; not for a home whose addresses are all of this computer
  Dialed* dialed = nullptr;    // which relays are tried first, and where it is noted what came of it
};

/// One loop thread.
class Peers {
 public:
  /// The connections run in `scope`, which is joined after this has gone. `network` outlives it.
  Peers(Station station, platform::Network& network, platform::Nursery& scope, ReachLimits limits = {},
        Helpers helpers = {});
  ~Peers();
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;

  /// The connection to `home` that is up, or a new one over the first of `ways` that leads there: what was heard in
  /// the local network, the addresses, then relays. After a failure the same ways are left alone for a while, and the
  /// failure is told again. A connection through a relay is given up for a direct one when that becomes possible.
  /// Errors: unavailable, denied where it answers and wants none of us; the detail says of each way why not.
  Task<Result<std::shared_ptr<Caller>>> reach(HomeId home, Ways ways);
  /// The same, with the relays that Helpers::relays knows.
  Task<Result<std::shared_ptr<Caller>>> reach(HomeId home, std::vector<Address> addresses);
  /// What was tried when `home` was last to be reached, in order: for `mhp homes --verbose`.
  std::vector<TriedWay> tried(const HomeId& home) const;
  /// Whether the connection that is up goes through a relay.
  bool is_relayed(const HomeId& home) const;
  /// Till the connection stood that is up, or was last: as a rule several times as long as a home needs to answer.
  std::chrono::nanoseconds took(const HomeId& home) const;

 private:
  /// One way of those that are tried.
  struct Way {
    std::optional<Address> address{};  // or
    std::optional<Relay> relay{};      // or neither: this computer's own desk
    bool local = false;
    bool looks = false;                                     // where the lookout hears it
    Dialed::Standing standing = Dialed::Standing::unknown;  // of the relay
    bool is_direct() const { return address || looks; }
    std::string name() const;
  };
  struct Entry {
    explicit Entry(asio::any_io_executor executor) : turn(std::move(executor), 1) {}
    platform::Semaphore turn;         // one dials, the others wait and find what it made
    std::shared_ptr<Caller> caller;   // shared with all who call
    bool relayed = false;             // how that one goes
    std::chrono::nanoseconds took{};  // till it stood
    std::vector<TriedWay> tried;
    std::vector<std::string> failed_at;  // the names of the ways
    std::optional<Error> failure;
    std::chrono::nanoseconds not_before{};
    std::chrono::nanoseconds pause{};
    std::chrono::nanoseconds better_at{};  // through a relay: when it is tried directly
    std::chrono::nanoseconds better_pause{};
  };
  struct TryOne;

  /// What is to be tried for `home`, in order.
  std::vector<Way> list_of(const HomeId& home, Ways ways) const;
  Task<Result<std::shared_ptr<Caller>>> try_all(Entry& entry, HomeId home, std::vector<Way> ways,
                                                std::chrono::nanoseconds limit);
  std::vector<std::chrono::nanoseconds> starts_of(const std::vector<Way>& ways) const;
  Task<Result<std::shared_ptr<Caller>>> try_way(Way way, HomeId home, std::chrono::nanoseconds limit);
  Task<Result<std::shared_ptr<Caller>>> dial_address(Address address, HomeId home, std::chrono::nanoseconds limit);
  Task<Result<std::shared_ptr<Caller>>> dial_where_heard(HomeId home, std::chrono::nanoseconds limit);
  Task<Result<std::shared_ptr<Caller>>> call_by_relay(std::optional<Relay> relay, HomeId home,
                                                      std::chrono::nanoseconds limit);
  /// Where a connection goes through a relay and it is time: one that goes directly, in its place.
  Task<> look_for_better(Entry& entry, HomeId home, std::vector<Way> ways);
  /// Which of the homes that `ways` lead to could be dialed, where the ways that were `tried` did not note it.
  void note_dialed(const HomeId& home, const std::vector<Way>& ways, const std::vector<TriedWay>& tried,
                   std::int64_t began_s);
  void remember_failure(Entry& entry, std::vector<std::string> names, const Error& failure);

  const Station station_;
  platform::Network& network_;
  platform::Nursery& scope_;
  const ReachLimits limits_;
  const Helpers helpers_;
  std::map<HomeId, std::unique_ptr<Entry>> entries_;  // of all that were ever wanted: as many as the callers know
};

}  // namespace mhp::net
