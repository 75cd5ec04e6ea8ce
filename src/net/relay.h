// Reaching homes behind routers: they wait at relays, other homes that anybody can reach, which pass sealed bytes on.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "net/dialed.h"
#include "net/server.h"
#include "platform/random.h"
#include "platform/token_bucket.h"
#include "wire/relay.h"

namespace mhp::net {

/// A home that can be a relay.
struct Relay {
  HomeId home{};
  std::vector<Address> addresses{};
  bool is_near = false;  // in the network of who waits: that others get in there does not follow from having got in
};

/// The order in which `home` waits at `relays`, and in which callers ask there: the same for all who know the same
/// relays, another one for each home, so that nothing has to be told and the load is spread. `home` itself is left out.
/// First come those which `dialed`, where it is there, knows to be reached from here, last those which it knows not to.
std::vector<Relay> in_order_for(const HomeId& home, std::vector<Relay> relays, const Dialed* dialed = nullptr);

/// What a caller may by what it claims. `former`: who was a member, and is let to homes all the same, in few calls at
/// once.
enum class CallRight : unsigned char { none, former, member };

/// Who may do what at a relay; upper rooms decide by membership. Asked when it begins, and every minute again.
class RelayRights {
 public:
  virtual ~RelayRights() = default;
  virtual bool may_wait(const HomeId& home) = 0;
  /// Both are of one cloud that this relay serves.
  virtual bool may_call(const HomeId& caller, const HomeId& home) = 0;
  /// The same for one whom may_call() does not know by its key, and who has said `claim` on the connection `caller`.
  virtual CallRight may_call_by(const Peer& /*caller*/, ByteView /*claim*/, const HomeId& /*home*/) {
    return CallRight::none;
  }
};

struct RelayLimits {
  std::size_t waiting = 512;                 // homes that wait here; each has one connection for it, the newest
  std::size_t pairs = 128;                   // of callers and homes that are joined, or about to be
  std::size_t pairs_each = 16;               // of them with the same home at either end
  std::size_t former_pairs = 8;              // of them whose callers were members: no member waits for those
  std::size_t buffer_bytes = 64_KiB;         // of each direction of a pair: more is not read before this is written
  platform::Rate rate{};                     // of all pairs together, both directions
  platform::Rate pair_rate{};                // of two homes, over all their pairs
  std::uint64_t burst_bytes = 1_MiB;         // of either rate
  std::uint64_t quota_bytes = 1024_GiB;      // of all, in each 24 hours
  std::uint64_t pair_quota_bytes = 256_GiB;  // of two homes, in each 24 hours
  std::size_t remembered_pairs = 4096;       // of which the quota is kept; more in 24 hours are refused
  std::chrono::seconds come_time{10};        // from a call until the home has come
  std::chrono::seconds silence{60};          // a home that waits and has not pinged for so long is gone
  std::chrono::seconds stall_time{60};       // one buffer is not taken for so long: the pair ends
  std::chrono::seconds idle_time{300};       // nothing passes for so long: the pair ends
  std::chrono::seconds finish_time{60};      // one direction has ended: the other one may go on for so long
  std::chrono::seconds ask_again{60};        // whether it all is still allowed
};

/// Since the program began, but for those that say "now".
struct RelayCounts {
  std::size_t waiting = 0;    // homes, now
  std::size_t pairs = 0;      // now
  std::uint64_t joined = 0;   // calls that found their home
  std::uint64_t refused = 0;  // not allowed, or too much
  std::uint64_t cut_off = 0;  // pairs ended for quota, slowness or lost rights
  std::uint64_t bytes = 0;    // passed on
};

namespace impl {
class Bell;
class InFlight;
class RelayControl;
}  // namespace impl

/// The relay's side: what a Server does with connections that speak the relay's protocol. Sees who speaks with whom,
/// when and how much; of what they say only ciphertext. One loop thread.
class RelayDesk {
 public:
  /// `rights` and `random` outlive it.
  RelayDesk(Station station, RelayRights& rights, platform::Random& random, const RelayLimits& limits = {});
  ~RelayDesk();
  RelayDesk(const RelayDesk&) = delete;
  RelayDesk& operator=(const RelayDesk&) = delete;

  /// One connection, from the end of its handshake to its own end. `admitted` becomes true once its first frame has
  /// shown that it may be here; that must come before `until` (steady clock). Called by Server.
  Task<> serve(Secured connection, std::chrono::nanoseconds until, bool& admitted);

  /// For this computer's own calls to a home that waits here: a stream to it, for call_over(). Not counted as a pair.
  /// Errors: not_found (it does not wait here), timed_out, unavailable, and what the home says.
  Task<Result<std::unique_ptr<platform::Stream>>> call(HomeId home, std::chrono::nanoseconds limit);
  bool is_waiting(const HomeId& home) const { return waiting_.contains(home); }
  std::vector<HomeId> waiting() const;
  const RelayCounts& counts() const { return counts_; }

 private:
  using Control = std::unique_ptr<impl::RelayControl>;
  /// A home that waits.
  struct Place {
    impl::RelayControl* control;
    platform::Nursery* all;  // its tasks, to be canceled
    std::chrono::nanoseconds heard_at;
  };
  /// A call whose home has been told to come.
  struct Coming;
  /// What two homes have used of their rate, and today of their quota.
  struct Use {
    platform::TokenBucket bucket;
    std::uint64_t bytes = 0;
  };
  /// A caller and a home that are joined.
  struct Pair;
  /// Who calls, as the relay knows it.
  struct CallerHere {
    Peer peer;
    Bytes claim;
  };
  /// A call's share of the bounds.
  class Share;

  Task<> refuse(impl::RelayControl& control, Error why);
  Task<> keep_waiting(Control control, bool& admitted);
  Task<> hear_waiting(Place& place);
  Task<> watch_waiting(Place& place);
  Task<> place_call(Control control, HomeId home, Bytes claim, bool& admitted);
  Task<> join_pair(Control caller, Control home, const CallerHere& who);
  Task<> take_comer(Control control, wire::RelayNumber number, bool& admitted);
  Task<> pass_on(Pair& pair, std::size_t from);
  Task<> watch_pair(Pair& pair);
  /// Waits until so many bytes may pass. False: the quota is used up.
  Task<bool> may_pass(HomeId a, HomeId b, std::size_t bytes);
  /// The home's own connection for this call, once it has come. Errors: as call().
  Task<Result<Control>> bring(HomeId caller, HomeId home, std::chrono::nanoseconds limit);
  /// Why a call cannot be now.
  std::optional<Error> refusal_of(const CallerHere& caller, const HomeId& home);
  CallRight right_of(const CallerHere& caller, const HomeId& home) const;
  std::size_t pairs_with(const HomeId& home) const;
  /// Null where too many are remembered.
  Use* use_of(const HomeId& a, const HomeId& b);

  const Station station_;
  RelayRights& rights_;
  platform::Random& random_;
  const RelayLimits limits_;
  RelayCounts counts_;
  std::map<HomeId, Place*> waiting_;               // each in the frame of its keep_waiting()
  std::map<wire::RelayNumber, Coming*> coming_;    // each in the frame of its bring()
  std::map<HomeId, std::size_t> pairs_of_;         // with this home at either end
  std::size_t former_pairs_ = 0;                   // now
  std::map<std::pair<HomeId, HomeId>, Use> uses_;  // of today
  std::uint64_t used_today_ = 0;
  std::chrono::nanoseconds day_began_;
  platform::TokenBucket bucket_;
};

struct WaitLimits {
  std::size_t relays = 3;                      // at which it waits, while so many can be reached
  std::size_t attempts = 16;                   // at once, those that it waits at included
  std::chrono::milliseconds relay_start{500};  // of one relay before the next, which may take its place
  std::size_t coming = 64;                     // calls that it goes to at once; more are refused
  std::chrono::seconds connect_time{10};       // to a relay, until it has said yes
  std::chrono::seconds ping_time{20};          // between pings: routers forget what is quiet for longer than 25 s
  std::chrono::seconds pong_time{10};          // no answer to one for so long: the relay is gone
  std::chrono::seconds first_pause{1};         // after a failure; twice as long after each further one,
  std::chrono::seconds longest_pause{300};     // up to this; less by up to a half, at random
  std::chrono::milliseconds head_start{300};   // of one address of a relay before the next
};

/// The side of a home that cannot be dialed: waits at some relays, and brings those who call there to its Server.
class Waiter {
 public:
  /// All outlive it. `answering` gets every stream that comes (Server::adopt()). `dialed`: what is known of relays, and
  /// where it is noted; may be missing.
  Waiter(Station station, platform::Network& network, platform::Random& random, Server& answering,
         const WaitLimits& limits = {}, Dialed* dialed = nullptr);
  ~Waiter();
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  /// Waits, at other relays where one is lost, until it is canceled. Once only.
  Task<> run();
  /// All that are known now, in any order; at those that are no longer named it stops to wait.
  void set_relays(std::vector<Relay> relays);
  /// Where it waits at this moment.
  std::vector<HomeId> waits_at() const;
  /// Of those where it last failed, why.
  const std::map<HomeId, Error>& failures() const { return failures_; }

 private:
  /// When a relay may be tried again.
  struct Pause {
    std::chrono::nanoseconds not_before{};
    std::chrono::nanoseconds length{};
  };
  /// A connection at which it waits.
  struct Place;
  /// A relay that a keep_at() is at, or about to be.
  struct Taken {
    std::chrono::nanoseconds since{};
    bool waits = false;
  };

  Task<> keep_trying(platform::Nursery& all);
  Task<> keep_at(Relay relay);
  Task<Result<void>> wait_at(Relay relay);
  Task<> hear_calls(Place& place);
  Task<> send_pings(Place& place);
  Task<> watch_place(Place& place);
  Task<> come(Place& place, wire::RelayFrame call, impl::InFlight count);
  Task<Result<void>> bring_here(Relay relay, wire::RelayFrame call);
  /// The first in the order that is not taken and not to be left alone, unless there is enough before it.
  std::optional<Relay> next_relay() const;
  std::chrono::nanoseconds until_next() const;
  void remember(const HomeId& relay, const Error& failure);
  /// The known ones as they are preferred now.
  std::vector<const Relay*> in_order() const;
  bool knows(const HomeId& relay) const;
  /// Whether it is not among the first of those at which it waits.
  bool is_spare(const HomeId& relay) const;

  const Station station_;
  platform::Network& network_;
  platform::Random& random_;
  Server& answering_;
  const WaitLimits limits_;
  Dialed* const dialed_;
  std::vector<Relay> relays_;  // in the order for this home
  std::map<HomeId, Pause> pauses_;
  std::map<HomeId, Taken> taken_;
  std::map<HomeId, Error> failures_;
  std::unique_ptr<impl::Bell> changed_;  // for keep_trying()
  std::size_t coming_ = 0;
};

/// What a caller shows a relay on that very connection, beside its key; mostly nothing.
using ClaimToRelay = std::function<Bytes(const Peer& relay)>;

/// A stream to `home` through `relay`, where it waits; nothing has been said on it yet: call_over() proves who is at
/// its other end, and hides all from the relay. `network` outlives the task. Errors: not_found (it does not wait
/// there), denied (the relay does not let this caller), full (its bounds), timed_out, unavailable, invalid. Whether the
/// relay was reached is noted in `dialed`, where it is there.
Task<Result<std::unique_ptr<platform::Stream>>> call_through(Station station, platform::Network& network, Relay relay,
                                                             HomeId home, std::chrono::nanoseconds limit,
                                                             ClaimToRelay claim = {}, Dialed* dialed = nullptr);

}  // namespace mhp::net
