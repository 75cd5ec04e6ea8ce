// Options, what is kept, and the network that keeps to both.
#include "app/limits.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/text.h"
#include "app/up_settings.h"

namespace mhp::app {

namespace {

constexpr std::uint64_t kUnderWayBytes = 64_MiB;  // of a program's requests: what its buffers hold

/// The lowest rate that ever holds; unlimited where none does.
platform::Rate lowest_of(const platform::RateSchedule& schedule) {
  platform::Rate lowest = schedule.otherwise;
  for (const platform::RatePeriod& period : schedule.periods) {
    if (period.rate.unlimited()) continue;
    if (lowest.unlimited() || period.rate.bytes_per_second < lowest.bytes_per_second) lowest = period.rate;
  }
  return lowest;
}

std::chrono::seconds time_of_day(platform::Clock& clock) {
  constexpr std::int64_t kNsPerSecond = 1'000'000'000;
  constexpr std::int64_t kDaySeconds = 24 * 60 * 60;
  const std::int64_t local = local_seconds(clock.unix_ns() / kNsPerSecond) % kDaySeconds;
  return std::chrono::seconds(local < 0 ? local + kDaySeconds : local);
}

/// What is kept; none where nothing was told yet.
platform::NetworkLimits kept_limits(const Session& session) {
  const auto kept = read_up_settings(session.platform.disk(), session.state_folder);
  if (kept) return kept->limits;
  if (kept.error().code != Errc::not_found && !session.out.mute)
    session.out.note(fmt::format("{}: no limits are kept to", printable(kept.error().detail)));
  return {};
}

}  // namespace

void add_limits(Command& command, LimitArgs& args) {
  command.takes(
      "--limit-up", args.up,
      "Send at most so many bytes a second: 2M, 500k, unlimited, or by the time of day: '08:00-22:00 1M, else "
      "unlimited'");
  command.takes("--limit-down", args.down, "The same for what is received");
}

Result<platform::RateSchedule> parse_limit(const std::string& text) {
  MHP_TRY(const platform::RateSchedule schedule, platform::parse_rate_schedule(text));
  const platform::Rate lowest = lowest_of(schedule);
  if (lowest.unlimited() || lowest.bytes_per_second >= kLeastBytesPerSecond) return schedule;
  return fail(
      Errc::usage,
      fmt::format("a limit of {} bytes a second is too low: at least {}, else others take this computer for one "
                  "that hangs",
                  platform::to_string(lowest), platform::to_string(platform::Rate{kLeastBytesPerSecond})));
}

Result<platform::NetworkLimits> limits_by(const LimitArgs& args, platform::NetworkLimits kept) {
  if (!args.up.empty()) {
    MHP_TRY(kept.up, parse_limit(args.up));
  }
  if (!args.down.empty()) {
    MHP_TRY(kept.down, parse_limit(args.down));
  }
  return kept;
}

Task<int> run_within_limits(Session& session, LimitArgs args, Work work) {
  if (!args.up.empty() || !args.down.empty()) {
    const auto limits = limits_by(args, kept_limits(session));
    if (!limits)
      co_return session.out.fail(limits.error(),
                                 "Write it as in 2M, 500k, unlimited, or '08:00-22:00 1M, else unlimited'.", kUsage);
    session.limits = *limits;
  }
  auto task = work(session);
  co_return co_await std::move(task);
}

platform::Network& sockets_of(Session& session) {
  if (session.limited) return *session.limited;
  if (!session.limits) session.limits = kept_limits(session);
  platform::Network& bare = session.platform.network();
  if (*session.limits == platform::NetworkLimits{}) return bare;
  platform::Clock& clock = session.platform.clock();
  session.limited =
      platform::make_limited_network(bare, clock, *session.limits, [&clock] { return time_of_day(clock); });
  return *session.limited;
}

std::chrono::nanoseconds patience_for(const platform::NetworkLimits& limits) {
  std::chrono::seconds longest{0};
  for (const platform::RateSchedule* way : {&limits.up, &limits.down}) {
    const platform::Rate lowest = lowest_of(*way);
    if (!lowest.unlimited())
      longest = std::max(longest, std::chrono::seconds(kUnderWayBytes / lowest.bytes_per_second));
  }
  return longest;
}

std::chrono::nanoseconds patience_of(const Session& session) {
  return session.limits ? patience_for(*session.limits) : std::chrono::nanoseconds(0);
}

}  // namespace mhp::app
