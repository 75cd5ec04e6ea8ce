// One time instead of a count of tokens: nothing has to be filled up as time goes by.
#include "platform/token_bucket.h"

#include <algorithm>
#include <cmath>

namespace mhp::platform {

using std::chrono::nanoseconds;

/// Rounded up: never more than the rate.
nanoseconds TokenBucket::time_for(std::uint64_t bytes) const {
  const double time_ns = static_cast<double>(bytes) * 1e9 / static_cast<double>(rate_.bytes_per_second);
  const double most = static_cast<double>(kLongestWait.count());
  return nanoseconds(static_cast<std::int64_t>(std::min(std::ceil(time_ns), most)));
}

void TokenBucket::forget_beyond_burst(nanoseconds now) { paid_at_ = std::max(paid_at_, now - time_for(burst_bytes_)); }

nanoseconds TokenBucket::take(nanoseconds now, std::uint64_t bytes) {
  if (rate_.unlimited()) return nanoseconds(0);
  forget_beyond_burst(now);
  paid_at_ = std::min(paid_at_ + time_for(bytes), now + kLongestWait);
  return std::max(paid_at_ - now, nanoseconds(0));
}

void TokenBucket::give_back(std::uint64_t bytes) {
  if (!rate_.unlimited()) paid_at_ = std::max(paid_at_ - time_for(bytes), -kLongestWait);
}

void TokenBucket::set_rate(nanoseconds now, Rate rate) {
  if (rate == rate_) return;
  if (rate_.unlimited() || rate.unlimited()) {
    rate_ = rate;
    paid_at_ = -kLongestWait;  // full: without a limit there are no debts
    return;
  }
  forget_beyond_burst(now);
  const double scale = static_cast<double>(rate_.bytes_per_second) / static_cast<double>(rate.bytes_per_second);
  const double most = static_cast<double>(kLongestWait.count());
  const double debt = std::clamp(static_cast<double>((paid_at_ - now).count()) * scale, -most, most);
  paid_at_ = now + nanoseconds(static_cast<std::int64_t>(debt));
  rate_ = rate;
}

}  // namespace mhp::platform
