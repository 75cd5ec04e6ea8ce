// One connection to each of the others, made when it is wanted and made again when it is lost.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "net/station.h"
#include "platform/nursery.h"

namespace mhp::net {

/// Where a computer may be found: a number or a name, and a port.
using Address = platform::HostAndPort;

struct ReachLimits {
  std::chrono::milliseconds head_start{300};  // of an address before the next one is tried too
  std::chrono::seconds patience{10};          // for all of them together
  std::chrono::seconds first_pause{1};        // after a failure; twice as long after each further one,
  std::chrono::seconds longest_pause{300};    // up to this
  std::size_t addresses = 16;                 // that are tried; the rest is left out
};

/// One loop thread.
class Peers {
 public:
  /// The connections run in `scope`, which is joined after this has gone. `network` outlives it.
  Peers(Station station, platform::Network& network, platform::Nursery& scope, ReachLimits limits = {});
  ~Peers();
  Peers(const Peers&) = delete;
  Peers& operator=(const Peers&) = delete;

  /// The connection to `home` that is up, or a new one over the first of `addresses` at which it answers. After a
  /// failure the same addresses are left alone for a while, and the failure is told again.
  /// Errors: unavailable, denied where it answers and wants none of us; the detail says of each address why not.
  Task<Result<std::shared_ptr<Caller>>> reach(HomeId home, std::vector<Address> addresses);

 private:
  struct Entry {
    explicit Entry(asio::any_io_executor executor) : turn(std::move(executor), 1) {}
    platform::Semaphore turn;        // one dials, the others wait and find what it made
    std::shared_ptr<Caller> caller;  // shared with all who call
    std::vector<Address> failed_at;
    std::optional<Error> failure;
    std::chrono::nanoseconds not_before{};
    std::chrono::nanoseconds pause{};
  };
  struct Attempt;

  Task<Result<std::shared_ptr<Caller>>> try_all(HomeId home, std::vector<Address> addresses);
  Task<> try_one(Attempt& attempt, std::size_t which, platform::Nursery& attempts);
  Task<Result<std::shared_ptr<Caller>>> dial_address(Address address, HomeId home, std::chrono::nanoseconds limit);
  void remember_failure(Entry& entry, std::vector<Address> addresses, const Error& failure);

  const Station station_;
  platform::Network& network_;
  platform::Nursery& scope_;
  const ReachLimits limits_;
  std::map<HomeId, std::unique_ptr<Entry>> entries_;  // of all that were ever wanted: as many as the callers know
};

}  // namespace mhp::net
