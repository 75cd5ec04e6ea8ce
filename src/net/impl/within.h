// A limit of time for any task.
#pragma once

#include <optional>

#include "platform/clock.h"
#include "platform/nursery.h"

namespace mhp::net::impl {

template <class T>
Task<> keep_result(Task<T> task, std::optional<T>& into, platform::Nursery& both) {
  into.emplace(co_await std::move(task));
  both.cancel();
}

inline Task<> stop_after(platform::Clock& clock, std::chrono::nanoseconds limit, platform::Nursery& both) {
  co_await clock.sleep(limit);
  both.cancel();
}

/// What `task` gives, or nothing where it takes longer than `limit`: then it is canceled, and has ended.
template <class T>
Task<std::optional<T>> within(platform::Clock& clock, std::chrono::nanoseconds limit, Task<T> task) {
  std::optional<T> result;
  platform::Nursery both(co_await asio::this_coro::executor);
  both.start(keep_result(std::move(task), result, both));
  both.start(stop_after(clock, limit, both));
  co_await both.join();
  co_return result;
}

}  // namespace mhp::net::impl
