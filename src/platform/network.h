// The network as this program uses it: streams (TCP), datagrams on the local network, names; real or simulated.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "platform/task.h"

namespace mhp::platform {

/// Where something listens: a numeric IPv4 or IPv6 address (with its zone, where it needs one: "fe80::1%eth0"), a port.
struct Endpoint {
  std::string address;
  std::uint16_t port = 0;
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

/// "192.0.2.1:7070", "[2001:db8::1]:7070".
std::string to_string(const Endpoint& endpoint);

/// A host, by name or number, and a port as a person writes them.
struct HostAndPort {
  std::string host;
  std::uint16_t port = 0;
};
/// Reads "HOST:PORT", "HOST", "[V6]:PORT", a bare V6 address; `default_port` where none is given. At most 300 bytes;
/// the host is a number or a name of the DNS in its ASCII form. Errors: invalid.
Result<HostAndPort> parse_host_and_port(std::string_view text, std::uint16_t default_port);

/// A connection. One reader and one writer at a time. Any await ends at once when the awaiting task is canceled; the
/// stream is of no use after that. It may go while an await of it ends. Errors: unavailable (closed or lost; the detail
/// says which), timed_out (for kDeadAfter the other side has not been heard of, or has read nothing of what waits for
/// it), exhausted.
class Stream {
 public:
  /// A line that is mended within this time has only been slow; else the connection is lost.
  static constexpr std::chrono::seconds kDeadAfter{120};
  virtual ~Stream() = default;
  /// Bytes read, at least 1; 0 at the end of what the other side sent. `out` is not empty.
  virtual Task<Result<std::size_t>> read_some(MutableBytes out) = 0;
  /// Done when the system has taken all, long before they are there: only an answer tells that.
  virtual Task<Result<void>> write_all(ByteView bytes) = 0;
  /// Nothing more is written: the other side reads what was, then its end. Reading goes on. Once, in place of a write.
  virtual Task<Result<void>> finish() = 0;
  /// Both ways, at once; reads and writes under way fail. Never blocks. What was written still goes out, then its end;
  /// not where something was left unread: then the other side sees a connection lost.
  virtual void close() = 0;
  virtual const Endpoint& remote() const = 0;
  virtual const Endpoint& local() const = 0;
};

/// Takes connections in; who connected and was not accepted yet waits. One accept() at a time.
class Listener {
 public:
  virtual ~Listener() = default;
  /// Errors: exhausted (too few open files: wait a little, then go on), unavailable (closed).
  virtual Task<Result<std::unique_ptr<Stream>>> accept() = 0;
  virtual const Endpoint& local() const = 0;  // with the port that was given where 0 was asked for
  virtual void close() = 0;
};

struct Datagram {
  Endpoint from;
  Bytes bytes;  // at most Datagrams::kMaxBytes; longer ones are dropped
};

/// Hears and speaks to one multicast group on every interface of this computer that can. Datagrams may get lost, come
/// twice, or from anybody. One receive() at a time.
class Datagrams {
 public:
  static constexpr std::size_t kMaxBytes = 1400;
  virtual ~Datagrams() = default;
  /// To the group, on every interface, those too that came since; the sender hears it as well (others on this computer
  /// must). Errors: unavailable (on none of them), invalid (over kMaxBytes).
  virtual Task<Result<void>> send(ByteView bytes) = 0;
  /// To one who was heard: `to` is its Datagram::from. Errors: as send().
  virtual Task<Result<void>> send_to(Endpoint to, ByteView bytes) = 0;
  /// Errors: exhausted.
  virtual Task<Result<Datagram>> receive() = 0;
};

class Network {
 public:
  virtual ~Network() = default;
  /// `to.address` as in Endpoint. Errors: timed_out; unavailable (refused, no route: the detail says which); invalid;
  /// exhausted.
  virtual Task<Result<std::unique_ptr<Stream>>> connect(Endpoint to, std::chrono::nanoseconds limit) = 0;
  /// `at.address` may be "0.0.0.0", "::" (both families; IPv4 alone where the computer has no IPv6) or one address;
  /// port 0: any free one. Errors: busy (port taken), denied, unavailable (no such address here), invalid, exhausted.
  virtual Result<std::unique_ptr<Listener>> listen(const Endpoint& at) = 0;
  /// Every address, the best first. Errors: not_found, timed_out, unavailable, exhausted.
  virtual Task<Result<std::vector<Endpoint>>> resolve(HostAndPort name, std::chrono::nanoseconds limit) = 0;
  /// `group`: a multicast address and port; with a zone ("239.1.2.3%lo", "ff02::1%eth0") on that interface alone.
  /// Errors: unavailable, busy (something else has the port for itself), invalid, exhausted.
  virtual Result<std::unique_ptr<Datagrams>> join_group(const Endpoint& group) = 0;
  /// Addresses of this computer's interfaces that are up, loopback left out, IPv6 link-local ones with their zone.
  virtual Result<std::vector<std::string>> own_addresses() = 0;
};

}  // namespace mhp::platform
