// Computers for tests: each with a key of its own, all on one simulated machine.
#pragma once

#include "net/station.h"
#include "platform/memory/memory_platform.h"

namespace mhp::net::testing {

inline primitives::Key key_of(unsigned number) {
  primitives::Key key{};
  key[0] = static_cast<std::byte>(number);
  return key;
}

struct Computer {
  Computer(platform::Platform& platform, unsigned number, const CallLimits& limits = {})
      : identity(key_of(number)), traffic(limits), station{platform.clock(), platform.executor(), tls, traffic} {}
  Identity identity;
  Tls tls{identity};
  Traffic traffic;
  Station station;
};

}  // namespace mhp::net::testing
