// Several questions at once with a time limit: who has not answered by then is given up, in a crowd sooner.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "platform/clock.h"
#include "platform/nursery.h"

namespace mhp::platform {

/// Among so many, one that hangs or crawls is missed less than the time that all would wait for it. Default: no crowd.
struct Crowd {
  static constexpr std::size_t kLeast = 6;

  Clock* clock = nullptr;
  std::size_t all = 0;                                       // also those that are not asked, because they are away
  std::chrono::nanoseconds least = std::chrono::seconds(2);  // nobody is given up before
  int times = 4;  // as long as enough of the others took: then the rest are given up

  /// Two of three, so that what they hold is enough by far; of few: all.
  std::size_t enough() const { return clock == nullptr || all < kLeast ? SIZE_MAX : (2 * all + 2) / 3; }
};

/// Children count down; the last one ends the watch. All live in `scope`.
struct Round {
  explicit Round(Nursery& of, std::size_t asked = 0, Crowd among = {}) : scope(of), left(asked), crowd(among) {
    if (crowd.clock != nullptr) began = crowd.clock->steady();
  }
  Nursery& scope;
  std::size_t left;
  const Crowd crowd;
  std::size_t answered = 0;
  std::chrono::nanoseconds began{};
  bool over = false;  // nobody is waited for any more

  void end() {
    over = true;
    scope.cancel();
  }
  std::chrono::nanoseconds took() const { return crowd.clock->steady() - began; }
  /// `fine`: it gave what it was asked for.
  void done(bool fine = true);
};

inline Task<> watch(Clock& clock, std::chrono::nanoseconds limit, Round& round) {
  co_await clock.sleep(limit);
  round.end();
}

inline void Round::done(bool fine) {
  if (--left == 0) return end();
  if (over || !fine || ++answered != crowd.enough()) return;
  const auto now = took();
  scope.start(watch(*crowd.clock, std::max(crowd.least, crowd.times * now) - now, *this));
}

}  // namespace mhp::platform
