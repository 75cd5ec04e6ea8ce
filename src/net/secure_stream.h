// TLS 1.3 over any stream: both ends show their keys, and nobody vouches for anyone.
#pragma once

#include <memory>
#include <optional>

#include "net/call.h"
#include "net/identity.h"
#include "platform/clock.h"
#include "platform/network.h"

struct ssl_ctx_st;  // OpenSSL's SSL_CTX

namespace mhp::net {

/// What a connection is for; chosen in the handshake (ALPN).
enum class Protocol : unsigned char {
  requests,  // "h2"
  relay,     // "mhp-relay-1"
};

/// A stream on which both ends have shown who they are.
struct Secured {
  std::unique_ptr<platform::Stream> stream;
  Peer peer;
  std::size_t received_bytes = 0;  // during the handshake
  Protocol protocol = Protocol::requests;
};

/// The one TLS profile there is (docs/protocol/README.md), for one identity; made once, used for every connection. What
/// is finished or closed at one end is seen as ended at the other; only an end of finish() is proved to be one.
class Tls {
 public:
  explicit Tls(const Identity& identity);
  ~Tls();
  Tls(const Tls&) = delete;
  Tls& operator=(const Tls&) = delete;
  /// Of the identity.
  const HomeId& id() const { return id_; }

  /// As the one who called. Returns once the other end has sent the first bytes after the handshake: only then is it
  /// known that it took this end's certificate. `expected`: who must answer; without it whoever does, see
  /// Secured::peer. `clock` must outlive the task. Errors: denied (another key answers, or this one is refused),
  /// invalid (no such TLS, or not this protocol), timed_out, unavailable.
  Task<Result<Secured>> connect(std::unique_ptr<platform::Stream> stream, std::optional<HomeId> expected,
                                platform::Clock& clock, std::chrono::nanoseconds limit,
                                Protocol protocol = Protocol::requests) const;
  /// As the one who was called: takes any self-signed Ed25519 certificate. `most_bytes`: of the whole handshake.
  /// Errors: the same.
  Task<Result<Secured>> accept(std::unique_ptr<platform::Stream> stream, std::size_t most_bytes, platform::Clock& clock,
                               std::chrono::nanoseconds limit) const;

 private:
  struct Free {
    void operator()(ssl_ctx_st* context) const;
  };
  const HomeId id_;
  std::unique_ptr<ssl_ctx_st, Free> caller_;
  std::unique_ptr<ssl_ctx_st, Free> answerer_;
};

}  // namespace mhp::net
