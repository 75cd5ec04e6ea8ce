// A worker pool of real threads.
#pragma once

#include <chrono>

#include "platform/worker_pool.h"

namespace mhp::platform {

class ThreadPool : public WorkerPool {
 public:
  /// How long destructors wait for running jobs; a thread stuck longer (a drive that hangs) is left behind, so that the
  /// program can end.
  static constexpr std::chrono::seconds kShutdownLimit{2};
  /// Pools that share one wait that long in all: ten drives that hang take no longer to leave than one.
  struct Shutdown {
    std::chrono::steady_clock::duration left = kShutdownLimit;
  };

  /// `threads`: at least 1. `kept`: what jobs use until their end (loop, disk), also on a thread that is left behind.
  /// `shutdown`: shared by pools of one thread's; null: its own.
  explicit ThreadPool(std::size_t threads, std::shared_ptr<void> kept = nullptr,
                      std::shared_ptr<Shutdown> shutdown = nullptr);
  /// Runs what is queued, then waits up to what is left of the limit; not at all where it was abandoned.
  ~ThreadPool() override;
  std::size_t threads() const override { return threads_; }
  void post(std::function<void()> job) override;
  void abandon() override { abandoned_ = true; }

 private:
  struct State;
  std::size_t threads_;
  bool abandoned_ = false;
  std::shared_ptr<Shutdown> shutdown_;
  std::shared_ptr<State> state_;  // shared with the threads: one left behind outlives the pool
};

}  // namespace mhp::platform
