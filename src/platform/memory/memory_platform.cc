// One loop, one seed, simulated time: the whole machine in memory.
#include "platform/memory/memory_platform.h"

#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <cstdio>
#include <cstdlib>
#include <mutex>

#include "platform/impl/outcome.h"
#include "platform/impl/waiter.h"
#include "platform/posix/parts.h"

namespace mhp::platform {

namespace {

/// Any fixed day: 2026-01-01 00:00 UTC.
constexpr std::int64_t kFirstUnixNs = 1'767'225'600'000'000'000;

class SimulatedClock : public Clock {
 public:
  explicit SimulatedClock(asio::io_context& loop) : loop_(loop) {}
  std::int64_t unix_ns() const override { return kFirstUnixNs + now_.count(); }
  std::chrono::nanoseconds steady() const override { return now_; }
  Task<> sleep(std::chrono::nanoseconds duration) override;
  /// Moves time to the earliest sleeper and wakes it; false where nobody sleeps.
  bool advance();

 private:
  asio::io_context& loop_;
  std::chrono::nanoseconds now_{0};
  std::multimap<std::chrono::nanoseconds, Waiter*>
      sleepers_;  // each in its task's frame; equal times in order of arrival
};

Task<> SimulatedClock::sleep(std::chrono::nanoseconds duration) {
  co_await stop_if_canceled();
  Waiter alarm(loop_.get_executor());
  const auto place = sleepers_.emplace(now_ + std::max(duration, std::chrono::nanoseconds(0)), &alarm);
  try {
    co_await alarm.wait();
  } catch (...) {
    sleepers_.erase(place);  // advance() takes out only whom it wakes
    throw;
  }
}

bool SimulatedClock::advance() {
  const auto first = sleepers_.begin();
  if (first == sleepers_.end()) return false;
  now_ = first->first;
  Waiter* alarm = first->second;
  sleepers_.erase(first);
  alarm->wake();
  return true;
}

/// SplitMix64: repeatable, and no secret comes from it outside tests.
class SeededRandom : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  void fill(MutableBytes out) override {
    std::lock_guard lock(mutex_);
    std::uint64_t word = 0;
    for (std::size_t i = 0; i < out.size(); ++i) {
      if (i % 8 == 0) word = next();
      out[i] = static_cast<std::byte>(word >> (i % 8 * 8));
    }
  }

 private:
  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
    return z ^ (z >> 31);
  }
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

Task<> keep_code(Task<int> main, int& code) { code = co_await std::move(main); }

}  // namespace

struct MemoryPlatform::State {
  explicit State(std::uint64_t seed) : random(seed) {}
  asio::io_context loop{1};
  SimulatedClock clock{loop};
  SeededRandom random;
  LoopPool workers{loop};
  std::unique_ptr<MemoryDisk> disk = std::make_unique<MemoryDisk>();
  std::unique_ptr<Trees> trees = make_posix_trees();
};

MemoryPlatform::MemoryPlatform(std::uint64_t seed) : state_(std::make_unique<State>(seed)) {}
MemoryPlatform::~MemoryPlatform() = default;
Clock& MemoryPlatform::clock() { return state_->clock; }
Random& MemoryPlatform::random() { return state_->random; }
Disk& MemoryPlatform::disk() { return *state_->disk; }
MemoryDisk& MemoryPlatform::memory_disk() { return *state_->disk; }
void MemoryPlatform::set_disk(std::unique_ptr<MemoryDisk> disk) { state_->disk = std::move(disk); }
Trees& MemoryPlatform::trees() { return *state_->trees; }
WorkerPool& MemoryPlatform::workers() { return state_->workers; }
std::unique_ptr<WorkerPool> MemoryPlatform::make_lane() { return std::make_unique<LoopPool>(state_->loop); }
asio::any_io_executor MemoryPlatform::executor() { return state_->loop.get_executor(); }

int MemoryPlatform::run(Task<int> main) {
  constexpr int kCanceled = 130;  // as the real platform has it
  int code = kCanceled;
  bool done = false;
  auto ended = [&done](std::exception_ptr error) {
    if (outcome_of(error) == Outcome::failed) die_of(error);
    done = true;
  };
  asio::co_spawn(state_->loop, run_as_root(keep_code(std::move(main), code)), std::move(ended));
  state_->loop.restart();
  while (!done) {
    if (state_->loop.poll() > 0 || done || state_->clock.advance()) continue;
    std::fprintf(stderr, "mhp: a bug: deadlock: the main task waits, nothing can run and nobody sleeps\n");
    std::abort();
  }
  return code;
}

}  // namespace mhp::platform
