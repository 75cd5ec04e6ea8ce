// For tests: a server and what calls it, joined by memory.
#pragma once

#include "base/check.h"
#include "net/dial.h"
#include "net/server.h"
#include "net/testing/echo.h"
#include "net/testing/memory_stream.h"
#include "net/testing/station.h"

namespace mhp::net::testing {

/// `serving` answers at 192.0.2.1 port 7070.
struct Wired {
  explicit Wired(const CallLimits& of_serving = {}, const CallLimits& of_calling = {})
      : serving(platform, 1, of_serving), calling(platform, 2, of_calling) {}
  platform::MemoryPlatform platform{1};
  Computer serving;
  Computer calling;
  SmallNetwork network{platform.executor(), platform.clock()};
  Echo echo{platform.clock()};
  const platform::Endpoint at{"192.0.2.1", 7070};

  std::vector<std::unique_ptr<platform::Listener>> listeners() {
    std::vector<std::unique_ptr<platform::Listener>> out;
    out.push_back(std::move(*network.listen(at)));
    return out;
  }
};

template <class Test>
Task<> run_test(Wired& wired, Server& answering, Test& test) {
  platform::Nursery scope(wired.platform.executor());
  co_await test(wired, answering, scope);
  scope.cancel();
  co_await scope.join();
  answering.stop(std::chrono::nanoseconds(0));
}

template <class Test>
Task<int> serving_task(Wired& wired, Test& test) {
  Server answering(wired.serving.station, wired.echo);
  platform::Nursery all(wired.platform.executor());
  all.start(answering.run(wired.listeners()));
  all.start(run_test(wired, answering, test));
  co_await all.join();
  MHP_CHECK(answering.strangers() + answering.members() == 0);
  MHP_CHECK(wired.serving.traffic.buffered() == 0 && wired.calling.traffic.buffered() == 0);
  MHP_CHECK(wired.echo.counts.running == 0);
  co_return 0;
}

/// Runs `test(wired, answering, scope)`, a coroutine function, while the server runs; then all must have ended and
/// given back what it held, else the program ends.
template <class Test>
void while_serving(Wired& wired, Test test) {
  run_task(wired.platform, serving_task(wired, test));
}

/// A connection to the server. The program ends where there is none.
inline Task<std::shared_ptr<Caller>> connect(Wired& wired, platform::Nursery& scope) {
  auto dialing =
      dial(wired.calling.station, wired.network, scope, wired.at, wired.serving.identity.id(), std::chrono::seconds(5));
  auto made = co_await std::move(dialing);
  MHP_CHECK(made.has_value());
  co_return *made;
}

}  // namespace mhp::net::testing
