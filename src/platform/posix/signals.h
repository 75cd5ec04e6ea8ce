// SIGINT and SIGTERM, heard on a thread of their own: no call that hangs can keep them from ending the process.
#pragma once

#include <signal.h>

#include <atomic>
#include <functional>
#include <thread>

namespace mhp::platform {

/// While it lives, this thread and those made by it do not get the two signals. The first calls `on_first` on the
/// watching thread; the second ends the process with `second_code`, at once, whatever else runs or hangs.
class SignalWatch {
 public:
  SignalWatch(std::function<void()> on_first, int second_code);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  void watch(const std::function<void()>& on_first, int second_code);

  sigset_t before_{};
  std::atomic<bool> closing_ = false;
  std::thread thread_;
};

}  // namespace mhp::platform
