// Different rates by time of day, as a person writes them: "08:00-18:00 1M, else 10M".
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "platform/token_bucket.h"

namespace mhp::platform {

/// From `begin` on, `end` left out; over midnight where it ends before it begins. Minutes since midnight.
struct RatePeriod {
  std::chrono::minutes begin{0};
  std::chrono::minutes end{0};
  Rate rate;
  friend bool operator==(const RatePeriod&, const RatePeriod&) = default;
};

struct RateSchedule {
  static constexpr std::size_t kMaxPeriods = 24;
  std::vector<RatePeriod> periods;  // where two hold at a time, the first does
  Rate otherwise;
  friend bool operator==(const RateSchedule&, const RateSchedule&) = default;
};

/// "1M", "unlimited", "08:00-18:00 1M, 22:00-06:30 unlimited, else 500k": rates in bytes a second (k, M, G: powers of
/// 1000; Ki, Mi, Gi: of 1024; "B" and "/s" may follow). Without "else": no limit the rest of the day. At most 24
/// periods, 1,000 bytes of text. Errors: usage (the detail says which part and why).
Result<RateSchedule> parse_rate_schedule(std::string_view text);
/// What parse_rate_schedule() reads back as the same.
std::string to_string(const RateSchedule& schedule);
std::string to_string(Rate rate);

/// At `time_of_day` of the local clock on the wall: 0 to 24 h, the end left out.
Rate rate_at(const RateSchedule& schedule, std::chrono::seconds time_of_day);

}  // namespace mhp::platform
