// The real machine: Linux, one event loop on the thread that calls run(), worker threads beside it.
#include "platform/platform.h"

#include <unistd.h>

#include <algorithm>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "platform/impl/outcome.h"
#include "platform/impl/waiter.h"
#include "platform/posix/parts.h"
#include "platform/posix/thread_pool.h"

namespace mhp::platform {

namespace {

constexpr int kInterrupted = 130;  // what shells give for SIGINT
constexpr std::size_t kMaxWorkers = 64;

class SystemClock : public Clock {
 public:
  std::int64_t unix_ns() const override {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return std::chrono::duration_cast<std::chrono::nanoseconds>(now).count();
  }
  std::chrono::nanoseconds steady() const override { return std::chrono::steady_clock::now().time_since_epoch(); }
  Task<> sleep(std::chrono::nanoseconds duration) override {
    co_await stop_if_canceled();
    asio::steady_timer timer(co_await asio::this_coro::executor, duration);
    co_await timer.async_wait(asio::use_awaitable);
  }
};

/// One a core; MHP_WORKERS says otherwise, 1 to 64.
std::size_t worker_count() {
  std::size_t count = std::thread::hardware_concurrency();
  if (const char* wanted = std::getenv("MHP_WORKERS")) count = std::strtoul(wanted, nullptr, 10);
  return std::clamp<std::size_t>(count, 1, kMaxWorkers);
}

Task<> keep_code(Task<int> main, int& code) { code = co_await std::move(main); }

class PosixPlatform : public Platform {
 public:
  PosixPlatform() { std::signal(SIGPIPE, SIG_IGN); }  // a closed pipe is an error where it is written, not the end
  Clock& clock() override { return clock_; }
  Random& random() override { return *random_; }
  Disk& disk() override { return *disk_; }
  Trees& trees() override { return *trees_; }
  WorkerPool& workers() override { return workers_; }
  std::unique_ptr<WorkerPool> make_lane() override { return std::make_unique<ThreadPool>(1, loop_); }
  asio::any_io_executor executor() override { return loop_->get_executor(); }
  int run(Task<int> main) override;

 private:
  /// The first signal cancels the main task, the second ends the process on the spot.
  void watch(asio::signal_set& signals, asio::cancellation_signal& stop, bool again);

  SystemClock clock_;
  std::unique_ptr<Random> random_ = make_system_random();
  std::unique_ptr<Disk> disk_ = make_posix_disk();
  std::unique_ptr<Trees> trees_ = make_posix_trees();
  // Shared with the threads: one left behind with a hanging job still posts to it when the job ends after all.
  std::shared_ptr<asio::io_context> loop_ = std::make_shared<asio::io_context>(1);
  ThreadPool workers_{worker_count(), loop_};
};

void PosixPlatform::watch(asio::signal_set& signals, asio::cancellation_signal& stop, bool again) {
  signals.async_wait([this, &signals, &stop, again](asio::error_code error, int) {
    if (error) return;
    if (again) ::_exit(kInterrupted);
    watch(signals, stop, true);
    stop.emit(asio::cancellation_type::terminal);
  });
}

int PosixPlatform::run(Task<int> main) {
  int code = kInterrupted;  // stays where the task ends by cancellation
  asio::signal_set signals(*loop_, SIGINT, SIGTERM);
  asio::cancellation_signal stop;
  watch(signals, stop, false);
  auto ended = [&signals](std::exception_ptr error) {
    if (outcome_of(error) == Outcome::failed) die_of(error);
    signals.cancel();  // the loop has nothing left to do
  };
  asio::co_spawn(*loop_, run_as_root(keep_code(std::move(main), code)),
                 asio::bind_cancellation_slot(stop.slot(), std::move(ended)));
  loop_->restart();
  loop_->run();
  return code;
}

}  // namespace

std::unique_ptr<Platform> make_posix_platform() { return std::make_unique<PosixPlatform>(); }

}  // namespace mhp::platform
