// The real machine: Linux, one event loop on the thread that calls run(), worker threads beside it.
#include "platform/platform.h"

#include <malloc.h>
#include <sys/resource.h>

#include <algorithm>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>
#include <csignal>
#include <cstdlib>
#include <limits>
#include <thread>

#include "platform/impl/outcome.h"
#include "platform/impl/waiter.h"
#include "platform/posix/parts.h"
#include "platform/posix/signals.h"
#include "platform/posix/thread_pool.h"

namespace mhp::platform {

namespace {

constexpr int kInterrupted = 130;  // what shells give for SIGINT
constexpr std::size_t kMaxWorkers = 64;
constexpr rlim_t kWantedOpenFiles = 65'536;

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

Task<> keep_exit_code(Task<int> main, int& code) { code = co_await std::move(main); }

class PosixPlatform : public Platform {
 public:
  PosixPlatform();
  Clock& clock() override { return clock_; }
  Random& random() override { return *kept_->random; }
  Disk& disk() override { return *kept_->disk; }
  Trees& trees() override { return *trees_; }
  Network& network() override { return *network_; }
  WorkerPool& workers() override { return workers_; }
  std::unique_ptr<WorkerPool> make_lane() override { return std::make_unique<ThreadPool>(1, kept_, shutdown_); }
  asio::any_io_executor executor() override { return kept_->loop.get_executor(); }
  int run(Task<int> main) override;

 private:
  /// Shared with the threads: one left behind with a hanging job goes on with it when the call ends after all.
  struct Kept {
    asio::io_context loop{1};
    std::unique_ptr<Random> random = make_system_random();
    std::unique_ptr<Disk> disk = make_posix_disk();
  };

  std::unique_ptr<SignalWatch> signals_;  // from the first run() on; goes last, since waiting for threads takes time
  SystemClock clock_;
  std::unique_ptr<Trees> trees_ = make_posix_trees();
  std::shared_ptr<Kept> kept_ = std::make_shared<Kept>();
  std::shared_ptr<ThreadPool::Shutdown> shutdown_ = std::make_shared<ThreadPool::Shutdown>();
  ThreadPool workers_{worker_count(), kept_};
  std::unique_ptr<Network> network_ = make_posix_network(*this);
};

/// As many open files as this process may have: shells give 1024 by default, a vault of many homes needs more.
void raise_file_limit() {
  rlimit files;
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0) return;
  files.rlim_cur = std::min<rlim_t>(files.rlim_max, kWantedOpenFiles);
  (void)::setrlimit(RLIMIT_NOFILE, &files);
}

/// Buffers of megabytes come and go all the time. By default each is mapped afresh and unmapped (or is cut off the end
/// of its thread's heap), and all its pages are faulted in and zeroed again: two thirds of the time of a check. One
/// heap that keeps what it has is as big as the most that was in use at once. (Sanitizers and other allocators take no
/// notice.)
void keep_memory() {
  constexpr int kLargestThreshold = 32 << 20;  // glibc takes no higher one
  (void)::mallopt(M_MMAP_THRESHOLD, kLargestThreshold);
  (void)::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  (void)::mallopt(M_ARENA_MAX, 1);
}

PosixPlatform::PosixPlatform() {
  // Both are errors where bytes are written, not the end: a closed pipe, a file beyond `ulimit -f`.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  raise_file_limit();
}

/// How a signal reaches the main task. On the loop.
struct Stop {
  asio::cancellation_signal signal;
  bool over = false;  // there is nobody left to cancel
};

int PosixPlatform::run(Task<int> main) {
  int code = kInterrupted;  // stays where the task ends by cancellation
  const auto stop = std::make_shared<Stop>();
  auto cancel = [kept = std::weak_ptr(kept_), stop] {
    const auto there = kept.lock();
    if (!there) return;
    asio::post(there->loop, [stop] {
      if (!stop->over) stop->signal.emit(asio::cancellation_type::terminal);
    });
  };
  signals_.reset();  // of an earlier run
  signals_ = std::make_unique<SignalWatch>(std::move(cancel), kInterrupted);
  auto work = asio::make_work_guard(kept_->loop);
  auto ended = [&work, stop](std::exception_ptr error) {
    if (outcome_of(error) == Outcome::failed) die_of(error);
    stop->over = true;
    work.reset();  // the loop has nothing left to do
  };
  asio::co_spawn(kept_->loop, run_as_root(keep_exit_code(std::move(main), code)),
                 asio::bind_cancellation_slot(stop->signal.slot(), std::move(ended)));
  kept_->loop.restart();
  kept_->loop.run();
  return code;
}

}  // namespace

std::unique_ptr<Platform> make_posix_platform() {
  keep_memory();  // before there are threads
  return std::make_unique<PosixPlatform>();
}

}  // namespace mhp::platform
