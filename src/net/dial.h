// Connections to others: who answers is proved before anything is said.
#pragma once

#include "net/station.h"
#include "platform/nursery.h"

namespace mhp::net {

/// Calls over a stream that somebody made. `expected`: who must be at its other end; without it, whoever is: see
/// Caller::peer(). The connection's own tasks run in `scope`; it ends with them, or when the last handle goes. One
/// handle may be used by many tasks, hence shared.
/// Errors: denied (another key answers, or the other end does not want this one), invalid (it speaks something else),
/// timed_out, unavailable.
Task<Result<std::shared_ptr<Caller>>> call_over(Station station, platform::Nursery& scope,
                                                std::unique_ptr<platform::Stream> stream,
                                                std::optional<HomeId> expected, std::chrono::nanoseconds limit);

/// Connects, then the same; `limit` is for all of it. `network` outlives the task.
Task<Result<std::shared_ptr<Caller>>> dial(Station station, platform::Network& network, platform::Nursery& scope,
                                           platform::Endpoint to, std::optional<HomeId> expected,
                                           std::chrono::nanoseconds limit);

}  // namespace mhp::net
