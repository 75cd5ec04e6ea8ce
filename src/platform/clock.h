// Time, as handed out by main: the real clocks, or simulated ones.
#pragma once

#include <chrono>
#include <cstdint>

#include "platform/task.h"

namespace mhp::platform {

class Clock {
 public:
  virtual ~Clock() = default;
  /// Nanoseconds since 1970-01-01 UTC. May jump either way.
  virtual std::int64_t unix_ns() const = 0;
  /// Never goes back; no meaning but differences.
  virtual std::chrono::nanoseconds steady() const = 0;
  /// Returns after `duration`, or at once when the awaiting task is canceled (check asio::this_coro::cancellation_state
  /// is not needed: the task simply ends at this await by asio's cancellation exception inside a Nursery).
  virtual Task<> sleep(std::chrono::nanoseconds duration) = 0;
};

}  // namespace mhp::platform
