// A worker pool of real threads.
#pragma once

#include <chrono>

#include "platform/worker_pool.h"

namespace mhp::platform {

class ThreadPool : public WorkerPool {
 public:
  /// How long the destructor waits for running jobs; a thread stuck longer (a drive that hangs) is left behind, so that
  /// the program can end.
  static constexpr std::chrono::seconds kShutdownLimit{2};

  /// `threads`: at least 1. `kept`: what jobs use until their end (the loop), also on a thread that is left behind.
  explicit ThreadPool(std::size_t threads, std::shared_ptr<void> kept = nullptr);
  /// Runs what is queued, then waits up to kShutdownLimit.
  ~ThreadPool() override;
  std::size_t threads() const override { return threads_; }
  void post(std::function<void()> job) override;

 private:
  struct State;
  std::size_t threads_;
  std::shared_ptr<State> state_;  // shared with the threads: one left behind outlives the pool
};

}  // namespace mhp::platform
