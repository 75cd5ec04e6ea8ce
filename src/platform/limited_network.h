// A network in which all streams together keep to a rate, each way, by the time of day.
#pragma once

#include <functional>

#include "platform/clock.h"
#include "platform/network.h"
#include "platform/rate_schedule.h"

namespace mhp::platform {

/// Bytes a second of all streams together.
struct NetworkLimits {
  RateSchedule up{};    // what is sent
  RateSchedule down{};  // what is received: TCP makes the other side slower
  friend bool operator==(const NetworkLimits&, const NetworkLimits&) = default;
};

/// `inner` and `clock` outlive it and all that is made with it. `time_of_day`: of the local clock on the wall, since
/// midnight. Datagrams, names and what TCP and TLS add are not counted. A tenth of a second's worth may pass at once.
std::unique_ptr<Network> make_limited_network(Network& inner, Clock& clock, const NetworkLimits& limits,
                                              std::function<std::chrono::seconds()> time_of_day);

}  // namespace mhp::platform
