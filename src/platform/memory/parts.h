// What machines in memory are put together from: simulated time, seeded randomness, a pool that is the loop.
#pragma once

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <functional>
#include <map>
#include <mutex>

#include "platform/clock.h"
#include "platform/random.h"
#include "platform/worker_pool.h"

namespace mhp::platform {

/// Moves only when advance() is called. Belongs to the loop thread.
class SimulatedClock : public Clock {
 public:
  explicit SimulatedClock(asio::io_context& loop) : loop_(loop) {}
  std::int64_t unix_ns() const override;
  std::chrono::nanoseconds steady() const override { return now_; }
  Task<> sleep(std::chrono::nanoseconds duration) override;
  /// Calls `event` when it is `time` (at the next advance() where that is over); equal times in order of arrival.
  void call_at(std::chrono::nanoseconds time, std::function<void()> event);
  /// Moves time to the earliest event and calls it; false where there is none.
  bool advance();

 private:
  asio::io_context& loop_;
  std::chrono::nanoseconds now_{0};
  std::multimap<std::chrono::nanoseconds, std::function<void()>> events_;
};

/// SplitMix64: repeatable, and no secret comes from it outside tests. Thread-safe.
class SeededRandom : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  void fill(MutableBytes out) override;
  std::uint64_t number();

 private:
  std::uint64_t next();
  std::mutex mutex_;
  std::uint64_t state_;
};

class LoopPool : public WorkerPool {
 public:
  explicit LoopPool(asio::io_context& loop) : loop_(loop) {}
  std::size_t threads() const override { return 1; }
  void post(std::function<void()> job) override { asio::post(loop_, std::move(job)); }

 private:
  asio::io_context& loop_;
};

}  // namespace mhp::platform
