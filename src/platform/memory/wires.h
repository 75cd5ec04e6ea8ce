// Hosts, wires and connections of the simulated network, as its parts share them.
#pragma once

#include <array>
#include <asio/any_io_executor.hpp>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "platform/impl/waiter.h"
#include "platform/memory/memory_network.h"
#include "platform/memory/parts.h"

namespace mhp::platform {

struct Connection;

/// A listener, as connections find it.
struct MemoryDoor {
  explicit MemoryDoor(asio::any_io_executor loop) : arrived(std::move(loop)) {}
  static constexpr std::size_t kMaxQueued = 4096;  // more connections are not answered, as Linux has it
  Endpoint local;
  bool closed = false;
  std::deque<std::unique_ptr<Stream>> queue;
  Waiter arrived;
};

/// A member of a multicast group.
struct MemoryGroup {
  explicit MemoryGroup(asio::any_io_executor loop) : arrived(std::move(loop)) {}
  static constexpr std::size_t kMaxQueued = 256;  // more datagrams are dropped
  Endpoint group;
  bool loopback_only = false;
  std::uint16_t port = 0;  // its own, which it speaks from
  bool closed = false;
  std::deque<Datagram> queue;
  Waiter arrived;
};

struct WireHost {
  static constexpr std::uint16_t kFirstFreePort = 49'152;
  MemoryHost facts;
  bool taken = true;  // by a machine; else the next one may have this address
  bool plugged = true;
  std::chrono::nanoseconds unplugged_since{0};
  std::chrono::nanoseconds upload_free{0};  // when what was sent before is out
  std::uint16_t next_port = kFirstFreePort;
  std::vector<std::weak_ptr<MemoryDoor>> doors;
  std::vector<std::weak_ptr<MemoryGroup>> groups;

  std::uint16_t free_port();
  std::shared_ptr<MemoryDoor> door_at(const Endpoint& at) const;
};

/// One direction between two hosts.
struct Wire {
  std::optional<MemoryLink> link;  // none: the usual one
  bool cut = false;
  std::chrono::nanoseconds cut_since{0};
  std::chrono::nanoseconds free{0};  // when what was sent before is out
  std::uint64_t carried_bytes = 0;
};

/// One direction of a connection.
struct Pipe {
  explicit Pipe(const asio::any_io_executor& loop) : reader(loop), writer(loop) {}
  static constexpr std::size_t kWindowBytes = 4_MiB;  // written and not read yet
  enum class Kind : unsigned char { data, end, reset };
  struct Segment {
    std::chrono::nanoseconds arrival;
    Kind kind;
    Bytes bytes;
  };
  std::deque<Segment> on_way;
  std::deque<Bytes> arrived;
  std::size_t first_taken = 0;   // of the first one that arrived, so many bytes are read
  std::size_t unread_bytes = 0;  // on the way and arrived
  bool ended = false;
  Waiter reader;
  Waiter writer;
};

/// Side 0 connected, side 1 accepted. `pipes[s]` carries what side s writes.
struct Connection {
  explicit Connection(const asio::any_io_executor& loop) : pipes{Pipe(loop), Pipe(loop)} {}
  std::array<std::shared_ptr<WireHost>, 2> hosts;
  std::array<Endpoint, 2> local;
  std::array<Endpoint, 2> remote;  // as each side sees the other
  std::array<Pipe, 2> pipes;
  std::array<bool, 2> closed{};
  std::array<bool, 2> finished{};  // writes no more
  std::array<std::optional<Error>, 2> lost;
};

struct MemoryNetwork::State : std::enable_shared_from_this<MemoryNetwork::State> {
  State(asio::any_io_executor on, SimulatedClock& time, std::uint64_t seed)
      : loop(std::move(on)), clock(time), random(seed) {}

  asio::any_io_executor loop;
  SimulatedClock& clock;
  SeededRandom random;
  MemoryLink usual;
  std::map<std::string, std::shared_ptr<WireHost>> hosts;  // by address; they never go
  std::map<std::pair<std::string, std::string>, Wire> wires;
  std::map<std::string, std::vector<std::string>> names;
  std::vector<std::weak_ptr<Connection>> connections;
  std::size_t most_connections = 64;  // at this number those that are over are looked for

  WireHost& host(const std::string& address);
  std::shared_ptr<WireHost> shared_host(const std::string& address);
  /// Whom `from` means by `address`; null: nobody.
  std::shared_ptr<WireHost> find(const std::shared_ptr<WireHost>& from, const std::string& address);
  Wire& wire(const WireHost& from, const WireHost& to);
  MemoryLink link(const WireHost& from, const WireHost& to);
  bool is_cut(const WireHost& from, const WireHost& to);
  bool may_connect(const WireHost& from, const WireHost& to);
  /// Sends `bytes` bytes now: when they are there.
  std::chrono::nanoseconds arrival(WireHost& from, WireHost& to, std::size_t bytes);
  void add(const std::shared_ptr<Connection>& connection);
  std::vector<std::shared_ptr<Connection>> connections_between(const WireHost& a, const WireHost& b);
  void watch_cut(const std::shared_ptr<WireHost>& a, const std::shared_ptr<WireHost>& b);
  void cut_for_long(const WireHost& a, const WireHost& b);
  void mended(const WireHost& a, const WireHost& b);

  // Of connections: memory_stream.cc.
  void send(const std::shared_ptr<Connection>& connection, int side, Pipe::Kind kind, ByteView bytes);
  /// Delivers of what `side` wrote all that is there by now, in order: what a quicker link brings early waits.
  void pump(const std::shared_ptr<Connection>& connection, int side);
  void deliver(const std::shared_ptr<Connection>& connection, int side, Pipe::Segment segment);
  /// `side` finds its connection lost.
  void lose(Connection& connection, int side, Error error);
  void lose_both(Connection& connection, const Error& error);
  void close(const std::shared_ptr<Connection>& connection, int side);
};

/// "127.0.0.1" and "::1".
bool is_loopback(const std::string& address);
/// The one way in which a number is written. Errors: invalid.
Result<std::string> normal_address(const std::string& address);

/// The stream of one side.
std::unique_ptr<Stream> make_memory_stream(std::shared_ptr<MemoryNetwork::State> state,
                                           std::shared_ptr<Connection> connection, int side);
/// Errors: invalid.
Result<std::unique_ptr<Datagrams>> join_memory_group(const std::shared_ptr<MemoryNetwork::State>& state,
                                                     const std::shared_ptr<WireHost>& host, const Endpoint& group);

}  // namespace mhp::platform
