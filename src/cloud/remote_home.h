// A home that is another computer.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <vector>

#include "home/home.h"
#include "net/call.h"
#include "platform/platform.h"
#include "primitives/sign/sign.h"

namespace mhp::cloud {

/// A way to one computer.
class Line {
 public:
  virtual ~Line() = default;
  /// A connection that is up, new or not. Errors: unavailable, timed_out, denied.
  virtual Task<Result<std::shared_ptr<net::Caller>>> reach() = 0;
};

/// In whose name a home is asked for a vault: with a device's key, or with the identity's (recovery).
struct VaultKey {
  VaultId vault;
  primitives::SigningKey key;
  primitives::PublicKey identity{};
  Bytes certificate = {};  // signed, of the device; empty where `key` is the identity's
  /// Which member of which clouds asks: shown to their homes, which may not know this computer yet.
  std::map<CloudId, primitives::SigningKey> members = {};
};

/// How long one request may take. A call of Home may need several; nothing is asked again after its time is over.
struct RemoteLimits {
  std::chrono::nanoseconds answer = std::chrono::seconds(30);
  std::chrono::nanoseconds bulk = std::chrono::minutes(5);   // up to 32 MiB there, or 4 MiB back
  std::chrono::nanoseconds work = std::chrono::minutes(30);  // collect, and each part of a scrub
  unsigned reconnects = 2;                                   // of one request, where the connection is lost
};

/// Speaks the home protocol (docs/protocol/home.md) for the vaults of `keys`, mostly one: calls for others are denied,
/// find() and read() look through all of them. What comes back is bounded and well formed, or the call fails with
/// invalid; whether it is true is the caller's question, as with every home. Requests that a lost connection cut off
/// are asked again on a new one, reads from where they were; commit() is not: it fails with unavailable where anything
/// it was to cover went over another connection. usage() is of these vaults, collect() of the whole home and without
/// the texts of its problems. `platform` must outlive it. Errors beside those of Home: unavailable, timed_out.
std::unique_ptr<home::Home> make_remote_home(platform::Platform& platform, const HomeId& id, std::unique_ptr<Line> line,
                                             std::vector<VaultKey> keys, const RemoteLimits& limits);

}  // namespace mhp::cloud
