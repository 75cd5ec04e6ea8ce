// A limit of bytes a second, as a value: it says how long to wait and knows no clock.
#pragma once

#include <chrono>
#include <cstdint>

namespace mhp::platform {

/// Bytes a second; 0: no limit.
struct Rate {
  std::uint64_t bytes_per_second = 0;
  bool unlimited() const { return bytes_per_second == 0; }
  friend bool operator==(const Rate&, const Rate&) = default;
};

/// Over any span of time t no more passes than rate * t and, once, the burst (or one take that is bigger); less only
/// where less is asked for. Who takes goes into debt and waits until it is paid, so that those who ask one after
/// another are served in that order, whatever their sizes. `now` never goes back and is not negative (Clock::steady()).
class TokenBucket {
 public:
  static constexpr std::chrono::nanoseconds kLongestWait = std::chrono::hours(24 * 365);

  /// Full at the beginning. `burst_bytes`: what may pass at once after a quiet time.
  TokenBucket(Rate rate, std::uint64_t burst_bytes) : rate_(rate), burst_bytes_(burst_bytes) {}
  /// How long to wait before these `bytes` may go; 0: now. They are taken in either case: who does not use them after
  /// all gives them back.
  std::chrono::nanoseconds take(std::chrono::nanoseconds now, std::uint64_t bytes);
  void give_back(std::uint64_t bytes);
  /// Debts and what is left are kept, in bytes; those who wait already were told by the old rate.
  void set_rate(std::chrono::nanoseconds now, Rate rate);
  Rate rate() const { return rate_; }

 private:
  std::chrono::nanoseconds time_for(std::uint64_t bytes) const;
  void forget_beyond_burst(std::chrono::nanoseconds now);

  Rate rate_;
  std::uint64_t burst_bytes_;
  /// When all that was taken is paid for; before now: what has been saved since.
  std::chrono::nanoseconds paid_at_ = -kLongestWait;
};

}  // namespace mhp::platform
