// Listens, and answers whoever connects, within the bounds of Traffic.
#pragma once

#include <list>
#include <map>

#include "net/station.h"
#include "platform/nursery.h"

namespace mhp::net {

class RelayDesk;
namespace impl {
class AnswerSession;
}

/// What one person has without asking anybody: an IPv4 address, or the first 64 bits of an IPv6 address, as text; other
/// texts as they are. Pure.
std::string neighbourhood_of(const std::string& address);

/// Is told who has connected, once the handshake has shown it; not of those who came through a relay.
class Visitors {
 public:
  virtual ~Visitors() = default;
  /// `address`: a number, as this computer sees it.
  virtual void came(const HomeId& who, const std::string& address) = 0;
};

/// One service on any number of listeners. One loop thread.
class Server {
 public:
  /// `service` outlives it, and `desk`, which takes those who speak the relay's protocol; without it they are refused.
  /// So does `visitors`, which may be missing.
  Server(Station station, Service& service, RelayDesk* desk = nullptr, Visitors* visitors = nullptr);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Takes connections and answers them until stop() or until this task is canceled; then every connection has ended.
  /// Once only. `listeners`: at least one.
  Task<> run(std::vector<std::unique_ptr<platform::Listener>> listeners);
  /// One connection that came another way, such as through a relay, as if it had been accepted; for requests only.
  /// `remote`: what Peer::remote shall say. While run() runs; else, and after stop(), it is closed.
  void adopt(std::unique_ptr<platform::Stream> stream, std::string remote = {});
  /// Accepts no more; what is being answered may go on for `limit`, then it is canceled. run() ends when all have.
  void stop(std::chrono::nanoseconds limit);
  std::size_t strangers() const;
  std::size_t members() const { return connections_.size() - strangers(); }

 private:
  /// One peer's share, over all its connections.
  struct Use {
    std::size_t connections = 0;
    std::size_t in_flight = 0;
  };
  struct Connection {
    platform::Nursery* task = nullptr;       // to be canceled
    impl::AnswerSession* session = nullptr;  // once the handshake is done
    bool going = false;                      // it made room for another and is about to end
    bool admitted = false;                   // by the relay's desk
    std::string from = {};                   // where it came from, see neighbourhood_of()
  };
  using Place = std::list<Connection>::iterator;  // in order of arrival
  class Guest;                                    // a connection's entry in the list, and its share
  friend class Guest;
  /// How a connection came.
  struct Arrival {
    std::unique_ptr<platform::Stream> stream;
    std::string remote;    // what Peer::remote shall say; empty: as it is
    bool adopted = false;  // another computer's relay brought it
  };

  Task<> accept_loop(platform::Listener& listener);
  void take(Arrival arrival);
  Task<> look_after(Arrival arrival);
  Task<> serve(Arrival arrival, Place place);
  Task<> answer(Secured secured, std::chrono::nanoseconds until, Place place);
  static bool is_stranger(const Connection& one);
  void make_room(const std::string& from);
  Task<> cut_after(std::chrono::nanoseconds limit);
  void end_if_done();

  const Station station_;
  Service& service_;
  RelayDesk* const desk_;
  Visitors* const visitors_;
  platform::Nursery* tasks_ = nullptr;
  std::vector<std::unique_ptr<platform::Listener>> listeners_;
  std::list<Connection> connections_;
  std::map<HomeId, Use> uses_;  // of peers that are connected
  bool stopping_ = false;
};

}  // namespace mhp::net
