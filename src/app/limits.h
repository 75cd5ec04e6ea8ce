// How many bytes a second this computer sends and receives at most: told by options, or kept by `mhp up` in up.json.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "app/command_line.h"
#include "platform/limited_network.h"

namespace mhp::app {

/// The options as they were written; empty: not given.
struct LimitArgs {
  std::string up;
  std::string down;
};

/// Less would have others take this computer for one that hangs.
inline constexpr std::uint64_t kLeastBytesPerSecond = 50'000;

/// Adds --limit-up and --limit-down. `args` as with Command::takes().
void add_limits(Command& command, LimitArgs& args);
/// `kept`, but for what the options say. Errors: usage.
Result<platform::NetworkLimits> limits_by(const LimitArgs& args, platform::NetworkLimits kept);
/// A schedule of which no rate is below the least. Errors: usage.
Result<platform::RateSchedule> parse_limit(const std::string& text);

/// Runs `work` within what the options say, and else what is kept. Wrong options: says so, kUsage.
Task<int> run_within_limits(Session& session, LimitArgs args, Work work);

/// What connections of this run are made with: the platform's network, within the limits that hold. Where up.json
/// cannot be read there are none, and it says so: nothing that brings data back may depend on that file.
platform::Network& sockets_of(Session& session);

/// How much longer than usual whatever is asked of another computer may take under these limits: as long as what may be
/// under way at a time needs at the lowest of the rates. 0 where there are none.
std::chrono::nanoseconds patience_for(const platform::NetworkLimits& limits);
/// The same for the limits that hold in this run.
std::chrono::nanoseconds patience_of(const Session& session);

}  // namespace mhp::app
