// How computers of a cloud speak with each other: requests and replies over one connection, many under way at once.
#pragma once

#include <array>
#include <chrono>
#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"
#include "platform/task.h"
#include "primitives/sign/sign.h"

namespace mhp::net {

enum class Method : unsigned char { get, put, post };

/// As in HTTP: a method, a path with its query ("/v1/..."), a body.
struct Request {
  Method method = Method::get;
  std::string path;
  Bytes body = {};
};

/// 200 with what was asked for; else a status of error_status() with an encoded wire::CallError as body.
struct Reply {
  unsigned status = 200;
  Bytes body = {};
};

/// The protocol that this program speaks: the value of the header `mhp-protocol`.
constexpr unsigned kProtocol = 1;

/// Bounds of security: docs/protocol/README.md.
struct CallLimits {
  std::size_t strangers = 64;             // connections that have not shown who they are, or not yet
  std::size_t stranger_bytes = 4096;      // what one of those may send in all, the handshake included
  std::chrono::seconds stranger_time{5};  // and how long it may take
  std::size_t known_bytes = 384_KiB;      // more of both for one that has shown to be known, once
  std::chrono::seconds known_time{60};    //
  std::size_t connections_each = 8;       // of one peer
  std::size_t requests_in_flight = 64;    // of one peer
  std::size_t max_body_bytes = 64_MiB;    // of one request or reply
  std::size_t buffered_bytes = 256_MiB;   // of all requests and replies together
  std::chrono::seconds idle_time{300};    // a connection on which nothing goes on is closed
  std::size_t stall_bytes = 4096;         // a request or reply under way moves by so much
  std::chrono::seconds stall_time{20};    // in each so long, or it is cut off
};

/// Who is at the other end, as the TLS handshake proved it.
struct Peer {
  HomeId id;                             // SHA-256 of its key's SubjectPublicKeyInfo
  std::array<std::byte, 32> exporter{};  // RFC 8446 7.5, label "EXPORTER-mhp-1": the same at both ends, of this one
                                         // connection; a signature over it cannot be used on another
  std::string remote = {};               // address and port, for logs and people; "memory" in simulations
  primitives::PublicKey key{};           // its Ed25519 key, of which `id` is the hash
};

/// Asks. One connection, up; calls may overlap; a call that is canceled is given up at the other end too.
class Caller {
 public:
  virtual ~Caller() = default;
  virtual const Peer& peer() const = 0;
  /// A reply with an error status is turned into that error; its detail is the peer's word, made printable. Errors:
  /// unavailable (connection lost), timed_out (no reply in `limit`), invalid (the peer broke the protocol, or speaks
  /// another), full (too much is under way in this program), and those of the reply, where exhausted and canceled are
  /// unavailable: they tell of the other computer, not of this one.
  virtual Task<Result<Bytes>> call(Request request, std::chrono::nanoseconds limit) = 0;
  /// False once the connection is lost: make a new one.
  virtual bool is_up() const = 0;
};

/// Answers the requests of one connection.
class Served {
 public:
  virtual ~Served() = default;
  /// Called as requests come, several at once; is canceled where the peer gives up or the connection goes.
  virtual Task<Reply> answer(Request request) = 0;
};

/// Serves connections.
class Service {
 public:
  virtual ~Service() = default;
  /// How much a peer may ask: strangers keep the bounds of those who have not shown who they are; one that is known,
  /// though no member, gets a little more, and counts among strangers all the same.
  enum class Standing : unsigned char { refused, stranger, known, member };
  /// Asked when a connection begins; of strangers again after each reply, since a request may show who they are.
  virtual Standing standing(const Peer& peer) = 0;
  /// What answers this one connection; gone before the connection is.
  virtual std::unique_ptr<Served> serve(const Peer& peer) = 0;
};

/// HTTP status of an error, and back (unknown statuses: unavailable from 500, invalid below).
unsigned status_of(Errc code);
Errc errc_of(unsigned status);
/// A reply that carries `error` (its code and detail; the detail must hold nothing secret).
Reply error_reply(const Error& error);

}  // namespace mhp::net
