// What all connections of a program share: one bound for memory, and counts for metrics.
#pragma once

#include <utility>

#include "net/call.h"

namespace mhp::net {

/// Since the program began, but for those that say "now".
struct Counts {
  std::uint64_t accepted = 0;     // connections that others made
  std::uint64_t connections = 0;  // of those, now
  std::uint64_t refused = 0;      // turned away: a bad handshake, unwanted, or too many
  std::uint64_t cut_off = 0;      // connections and requests ended for being too slow or too much
  std::uint64_t requests = 0;     // that were begun to be answered
  std::uint64_t dialed = 0;       // connections made to others
  std::uint64_t calls = 0;        // requests made to others
  std::uint64_t bytes_in = 0;     // both kinds of connections, without what TLS adds
  std::uint64_t bytes_out = 0;
};

/// One for all servers and callers of a program; outlives them. One loop thread.
class Traffic {
 public:
  explicit Traffic(const CallLimits& bounds = {}) : limits(bounds) {}
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  const CallLimits limits;
  Counts counts;
  /// Bytes of requests and replies that are in memory now.
  std::size_t buffered() const { return buffered_; }

 private:
  friend class Held;
  std::size_t buffered_ = 0;
};

/// A share of Traffic's memory, given back when it goes.
class Held {
 public:
  explicit Held(Traffic& traffic) : traffic_(&traffic) {}
  Held(Held&& other) noexcept : traffic_(other.traffic_), bytes_(std::exchange(other.bytes_, 0)) {}
  Held& operator=(Held&&) = delete;
  ~Held() { give_back(); }

  /// False where there is not so much left: then nothing has changed.
  bool add(std::size_t bytes) {
    if (bytes > traffic_->limits.buffered_bytes - traffic_->buffered_) return false;
    traffic_->buffered_ += bytes;
    bytes_ += bytes;
    return true;
  }
  void give_back() { traffic_->buffered_ -= std::exchange(bytes_, 0); }

 private:
  Traffic* traffic_;
  std::size_t bytes_ = 0;
};

}  // namespace mhp::net
