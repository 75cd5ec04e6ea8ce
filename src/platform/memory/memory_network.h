// A network made of memory, between the hosts of one MemoryWorld: links with latency, rate and faults, in its own time.
#pragma once

#include <asio/any_io_executor.hpp>
#include <memory>
#include <string>
#include <vector>

#include "platform/network.h"

namespace mhp::platform {

/// One direction of the way between two hosts. Streams lose nothing on it, they wait.
struct MemoryLink {
  std::chrono::nanoseconds latency = std::chrono::milliseconds(1);  // one way
  std::uint64_t bytes_per_second = 0;                               // of all connections together; 0: any
  double datagram_loss = 0;                                         // the share that is lost, 0 to 1
};

/// How a machine is connected.
struct MemoryHost {
  std::string address;  // one number, IPv4 or IPv6; "" for the next of 10.0.0.0/8
  /// The address of the router that it is behind: others see that one, and nobody in front of the router can connect to
  /// it. Hosts behind one router, and those without any, are a local network: they hear each other's datagrams.
  std::string router = {};
  std::uint64_t upload_bytes_per_second = 0;  // to all others together; 0: any
};

/// The wires, as a test moves them. Hosts are named by their addresses; every host reaches itself (also as 127.0.0.1
/// and ::1) without links. Same seed, same run.
class MemoryNetwork {
 public:
  struct State;
  explicit MemoryNetwork(std::shared_ptr<State> state) : state_(std::move(state)) {}

  /// Between all pairs for which nothing else was said.
  void set_default_link(const MemoryLink& link);
  /// What `from` sends to `to`.
  void set_link(const std::string& from, const std::string& to, const MemoryLink& link);
  /// A partition: nothing passes between the two and nobody is told. What is on its way waits for mend();
  /// connections that are cut for Stream::kDeadAfter are lost.
  void cut(const std::string& a, const std::string& b);
  void mend(const std::string& a, const std::string& b);
  /// The same between a host and all others.
  void unplug(const std::string& host);
  void plug_in(const std::string& host);
  /// Both ends of every connection between the two find it lost, at once.
  void lose_connections(const std::string& a, const std::string& b);
  /// What names mean; no address: nobody has that name.
  void set_name(const std::string& name, std::vector<std::string> addresses);
  /// Bytes of streams that have come from `from` to `to`.
  std::uint64_t carried_bytes(const std::string& from, const std::string& to) const;

 private:
  std::shared_ptr<State> state_;  // shared with connections
};

class SimulatedClock;

/// `clock` and `loop` outlive all that comes from it.
std::shared_ptr<MemoryNetwork::State> make_memory_network(asio::any_io_executor loop, SimulatedClock& clock,
                                                          std::uint64_t seed);
/// What one machine sees of it; its address goes to `address`.
std::unique_ptr<Network> plug_in_host(const std::shared_ptr<MemoryNetwork::State>& state, MemoryHost host,
                                      std::string& address);

}  // namespace mhp::platform
