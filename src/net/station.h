// What a computer needs to speak with others, in one hand.
#pragma once

#include "net/secure_stream.h"
#include "net/traffic.h"
#include "platform/clock.h"
#include "platform/task.h"

namespace mhp::net {

/// Where a computer may be found: a number or a name, and a port.
using Address = platform::HostAndPort;

/// All of it is borrowed and outlives whatever is made with it.
struct Station {
  platform::Clock& clock;
  asio::any_io_executor executor;
  const Tls& tls;
  Traffic& traffic;
};

}  // namespace mhp::net
