// Several questions at once with one time limit: who has not answered by then is given up.
#pragma once

#include "platform/clock.h"
#include "platform/nursery.h"

namespace mhp::vault::impl {

/// Children count down; the last one ends the watch. All live in `scope`.
struct Round {
  platform::Nursery& scope;
  std::size_t left = 0;
  void done() {
    if (--left == 0) scope.cancel();
  }
};

inline Task<> watch(platform::Clock& clock, std::chrono::nanoseconds limit, Round& round) {
  co_await clock.sleep(limit);
  round.scope.cancel();
}

}  // namespace mhp::vault::impl
