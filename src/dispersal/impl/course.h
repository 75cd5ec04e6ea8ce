// Several requests under way at once, somebody who is told of each end, and alarms: what hedged reading stands on.
#pragma once

#include <chrono>
#include <optional>

#include "platform/platform.h"

namespace mhp::dispersal::impl {

using Nanoseconds = std::chrono::nanoseconds;

/// One child, the runner, starts others and waits with next() until something has happened; when it ends, all end.
class Course {
 public:
  explicit Course(platform::Platform& platform)
      : platform_(platform), nursery_(platform.executor()), events_(platform.executor(), 0) {}

  /// Runs `runner` and everything it starts to the end. Canceling the caller cancels all.
  Task<> run(Task<> runner) {
    nursery_.start(lead(std::move(runner)));
    co_await nursery_.join();
  }
  /// From within the runner: a child whose end is an event.
  void start(Task<> child) { nursery_.start(tell(std::move(child))); }
  /// From within the runner: an event at `when`, by the steady clock. A later one does not replace an earlier one.
  void wake_at(Nanoseconds when) {
    const Nanoseconds now = platform_.clock().steady();
    if (alarm_ && *alarm_ <= when && *alarm_ > now) return;
    alarm_ = when;
    nursery_.start(tell(platform_.clock().sleep(when - now)));
  }
  /// From within the runner: waits for the next event.
  Task<> next() { return events_.take(); }
  Nanoseconds now() const { return platform_.clock().steady(); }

 private:
  Task<> lead(Task<> runner) {
    co_await std::move(runner);
    nursery_.cancel();
  }
  Task<> tell(Task<> child) {
    co_await std::move(child);
    events_.give();
  }

  platform::Platform& platform_;
  platform::Nursery nursery_;
  platform::Semaphore events_;
  std::optional<Nanoseconds> alarm_;
};

template <class T>
Task<> keep_result(Task<T> task, std::optional<T>& into, platform::Nursery& both) {
  into.emplace(co_await std::move(task));
  both.cancel();
}

inline Task<> stop_after(platform::Clock& clock, Nanoseconds limit, platform::Nursery& both) {
  co_await clock.sleep(limit);
  both.cancel();
}

/// What `task` gives, or nothing where it takes longer than `limit`; it is canceled then.
template <class T>
Task<std::optional<T>> within(platform::Platform& platform, Nanoseconds limit, Task<T> task) {
  std::optional<T> result;
  platform::Nursery both(platform.executor());
  both.start(keep_result(std::move(task), result, both));
  both.start(stop_after(platform.clock(), limit, both));
  co_await both.join();
  co_return result;
}

}  // namespace mhp::dispersal::impl
