// SIGINT, SIGTERM and SIGHUP, heard on a thread of their own: no call that hangs can keep them from ending the process.
#pragma once

#include <signal.h>

#include <atomic>
#include <functional>
#include <thread>

namespace mhp::platform {

/// While it lives, this thread and those made by it do not get the three signals. The first calls `on_first` on the
/// watching thread; the second ends the process with `second_code`, at once, whatever else runs or hangs. SIGHUP (the
/// terminal was closed; several may come) counts once, and where it is ignored (nohup) not at all.
class SignalWatch {
 public:
  SignalWatch(std::function<void()> on_first, int second_code);
  ~SignalWatch();
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

 private:
  sigset_t watched() const;
  void watch(const std::function<void()>& on_first, int second_code);

  sigset_t before_{};
  const bool hears_hangup_;
  std::atomic<bool> closing_ = false;
  std::thread thread_;
};

}  // namespace mhp::platform
