// A bell that wakes the one task that waits for it.
#pragma once

#include "platform/nursery.h"

namespace mhp::net::impl {

/// Rung any number of times before somebody waits, it is heard once. One waiting task at most.
class Bell {
 public:
  explicit Bell(asio::any_io_executor executor) : permits_(std::move(executor), 0) {}
  void ring() {
    if (rung_) return;
    rung_ = true;
    permits_.give();
  }
  Task<> wait() {
    co_await permits_.take();
    rung_ = false;
  }

 private:
  platform::Semaphore permits_;
  bool rung_ = false;
};

/// The same for within() and others that want a value. `bell` outlives the task.
inline Task<bool> rung(Bell& bell) {
  co_await bell.wait();
  co_return true;
}

}  // namespace mhp::net::impl
