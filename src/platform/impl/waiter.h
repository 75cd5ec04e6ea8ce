// One coroutine that waits for another to wake it: what join(), take() and simulated sleep stand on.
#pragma once

#include <asio/any_io_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/error_code.hpp>
#include <asio/use_awaitable.hpp>
#include <optional>

#include "platform/task.h"

namespace mhp::platform {

/// Holds at most one waiting coroutine. Belongs to the loop thread, must outlive the wait.
class Waiter {
 public:
  explicit Waiter(asio::any_io_executor executor) : executor_(std::move(executor)) {}
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;

  /// Suspends until wake(), or ends by asio's cancellation exception when the awaiting task is canceled, also before it
  /// began. A wake() wins over a cancellation that comes later.
  Task<> wait();
  /// Resumes the waiting coroutine by way of the loop, never on the spot; does nothing where none waits.
  void wake();
  bool waiting() const { return handler_.has_value(); }

 private:
  using Handler = asio::async_result<asio::use_awaitable_t<>, void(asio::error_code)>::handler_type;
  void finish(asio::error_code outcome);

  asio::any_io_executor executor_;
  std::optional<Handler> handler_;
};

/// Ends the awaiting task by asio's cancellation exception where it was canceled before. Every primitive of this room
/// that suspends asks this first, because tasks are told of a cancellation nowhere else (see Nursery::start).
Task<> stop_if_canceled();

}  // namespace mhp::platform
