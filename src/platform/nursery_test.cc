// Nursery, Semaphore and WorkerPool, on simulated time and on real threads.
#include "platform/nursery.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "platform/memory/memory_platform.h"

namespace mhp::platform {
namespace {

using std::chrono::hours;
using std::chrono::seconds;

Task<> sleep_and_count(Clock& clock, std::chrono::nanoseconds duration, int& count) {
  co_await clock.sleep(duration);
  ++count;
}

Task<> cancel_after(Clock& clock, std::chrono::nanoseconds duration, Nursery& scope) {
  co_await clock.sleep(duration);
  scope.cancel();
}

Task<int> start_and_join(Platform& platform, std::vector<std::chrono::nanoseconds> sleeps,
                         std::chrono::nanoseconds limit) {
  int count = 0;
  Nursery scope(platform.executor());
  for (const auto sleep : sleeps) scope.start(sleep_and_count(platform.clock(), sleep, count));
  scope.start(cancel_after(platform.clock(), limit, scope));
  co_await scope.join();
  EXPECT_EQ(scope.running(), 0U);
  co_return count;
}

TEST(Nursery, CancelsADayLongStraggler) {
  MemoryPlatform platform(1);
  EXPECT_EQ(run_task(platform, start_and_join(platform, {seconds(1), seconds(2), hours(24)}, seconds(3))), 2);
  EXPECT_EQ(platform.clock().steady(), seconds(3));
}

TEST(Nursery, HoldsTenThousandChildren) {
  MemoryPlatform platform(1);
  std::vector<std::chrono::nanoseconds> sleeps;
  for (int i = 0; i < 10'000; ++i) sleeps.push_back(seconds(i % 100));
  EXPECT_EQ(run_task(platform, start_and_join(platform, sleeps, hours(1))), 10'000);
  EXPECT_EQ(platform.clock().steady(), hours(1));
}

TEST(Nursery, CancelsTenThousandChildren) {
  MemoryPlatform platform(1);
  const std::vector<std::chrono::nanoseconds> sleeps(10'000, hours(24));
  EXPECT_EQ(run_task(platform, start_and_join(platform, sleeps, seconds(1))), 0);
  EXPECT_EQ(platform.clock().steady(), seconds(1));
}

/// Tells when its frame goes, also by an exception.
struct Leaving {
  std::vector<std::string>& log;
  std::string name;
  ~Leaving() { log.push_back(name); }
};

Task<> end_in_order(Platform& platform, std::vector<std::string>& log) {
  Leaving leaving{log, "gone"};
  co_await until_canceled(platform.executor());
  log.push_back("told to stop");
  co_await platform.clock().sleep(seconds(5));
  log.push_back("in order");
  co_await platform.clock().sleep(hours(24));
  log.push_back("never");
}

Task<int> stop_twice(Platform& platform, std::vector<std::string>& log) {
  Nursery scope(platform.executor());
  scope.start(end_in_order(platform, log));
  co_await platform.clock().sleep(seconds(10));
  scope.cancel();
  co_await platform.clock().sleep(seconds(10));
  scope.cancel();
  co_await scope.join();
  co_return 0;
}

TEST(Nursery, LetsATaskThatAwaitsItsCancellationEndInOrder) {
  MemoryPlatform platform(1);
  std::vector<std::string> log;
  run_task(platform, stop_twice(platform, log));
  EXPECT_EQ(log, (std::vector<std::string>{"told to stop", "in order", "gone"}));
  EXPECT_EQ(platform.clock().steady(), seconds(20));
}

Task<> long_child(Clock& clock, std::vector<std::string>& log) {
  Leaving leaving{log, "child"};
  co_await clock.sleep(hours(24));
}

Task<> parent_of_long_child(Platform& platform, std::vector<std::string>& log) {
  Leaving leaving{log, "parent"};
  Nursery scope(platform.executor());
  scope.start(long_child(platform.clock(), log));
  co_await scope.join();
  log.push_back("never");
}

Task<int> cancel_a_parent(Platform& platform, std::vector<std::string>& log) {
  Nursery scope(platform.executor());
  scope.start(parent_of_long_child(platform, log));
  scope.start(cancel_after(platform.clock(), seconds(5), scope));
  co_await scope.join();
  co_return 0;
}

TEST(Nursery, ACanceledCallerTakesItsChildrenAlong) {
  MemoryPlatform platform(1);
  std::vector<std::string> log;
  run_task(platform, cancel_a_parent(platform, log));
  EXPECT_EQ(log, (std::vector<std::string>{"child", "parent"}));
  EXPECT_EQ(platform.clock().steady(), seconds(5));
}

Task<> join_when_canceled_already(Platform& platform, Nursery& outer, std::vector<std::string>& log) {
  Leaving leaving{log, "parent"};
  outer.cancel();  // this task too: the flag is up, and nothing has been awaited since
  Nursery scope(platform.executor());
  scope.start(long_child(platform.clock(), log));
  co_await scope.join();
  log.push_back("never");
}

Task<int> run_join_when_canceled(Platform& platform, std::vector<std::string>& log) {
  Nursery outer(platform.executor());
  outer.start(join_when_canceled_already(platform, outer, log));
  co_await outer.join();
  co_return 0;
}

TEST(Nursery, JoinsAlsoWhenTheCallerWasCanceledBefore) {
  MemoryPlatform platform(1);
  std::vector<std::string> log;
  run_task(platform, run_join_when_canceled(platform, log));
  EXPECT_EQ(log, (std::vector<std::string>{"parent"}));  // the child was canceled before it began
  EXPECT_EQ(platform.clock().steady(), seconds(0));
}

Task<int> join_nothing_twice(Platform& platform) {
  int count = 0;
  Nursery scope(platform.executor());
  co_await scope.join();
  scope.cancel();
  scope.start(sleep_and_count(platform.clock(), seconds(1), count));  // started after cancel(): runs
  co_await scope.join();
  scope.start(sleep_and_count(platform.clock(), seconds(1), count));
  co_await scope.join();
  co_return count;
}

TEST(Nursery, CanBeUsedAgain) {
  MemoryPlatform platform(1);
  EXPECT_EQ(run_task(platform, join_nothing_twice(platform)), 2);
}

Task<> grow(Nursery& scope, Clock& clock, int depth, int& count) {
  ++count;
  if (depth == 0) co_return;
  scope.start(grow(scope, clock, depth - 1, count));
  scope.start(grow(scope, clock, depth - 1, count));
  co_await clock.sleep(seconds(1));
}

Task<int> grow_a_tree(Platform& platform) {
  int count = 0;
  Nursery scope(platform.executor());
  scope.start(grow(scope, platform.clock(), 10, count));
  co_await scope.join();
  co_return count;
}

TEST(Nursery, ChildrenStartChildren) {
  MemoryPlatform platform(1);
  EXPECT_EQ(run_task(platform, grow_a_tree(platform)), (1 << 11) - 1);
}

Task<> throw_something() {
  co_await asio::this_coro::executor;
  throw std::runtime_error("unexpected");
}

Task<int> start_thrower(Platform& platform) {
  Nursery scope(platform.executor());
  scope.start(throw_something());
  co_await scope.join();
  co_return 0;
}

TEST(NurseryDeathTest, AnyOtherExceptionEndsTheProgram) {
  EXPECT_DEATH(
      {
        MemoryPlatform platform(1);
        run_task(platform, start_thrower(platform));
      },
      "unexpected");
}

Task<> hold_permit(Semaphore& permits, Clock& clock, int id, std::vector<int>& order, int& most, int& now) {
  co_await permits.take();
  Permit permit(permits);
  order.push_back(id);
  most = std::max(most, ++now);
  co_await clock.sleep(seconds(1));
  --now;
}

Task<int> contend(Platform& platform, std::vector<int>& order) {
  int most = 0;
  int now = 0;
  Semaphore permits(platform.executor(), 3);
  Nursery scope(platform.executor());
  for (int id = 0; id < 10; ++id) scope.start(hold_permit(permits, platform.clock(), id, order, most, now));
  co_await scope.join();
  co_return most;
}

TEST(Semaphore, LetsInSoManyInOrder) {
  MemoryPlatform platform(1);
  std::vector<int> order;
  EXPECT_EQ(run_task(platform, contend(platform, order)), 3);
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
  EXPECT_EQ(platform.clock().steady(), seconds(4));
}

Task<int> cancel_waiters(Platform& platform, std::vector<int>& order) {
  int most = 0;
  int now = 0;
  Semaphore permits(platform.executor(), 1);
  Nursery first(platform.executor());
  for (int id = 0; id < 5; ++id) first.start(hold_permit(permits, platform.clock(), id, order, most, now));
  first.start(cancel_after(platform.clock(), std::chrono::milliseconds(1500), first));
  co_await first.join();
  Nursery second(platform.executor());  // every permit came back: the holder's by its guard
  second.start(hold_permit(permits, platform.clock(), 9, order, most, now));
  co_await second.join();
  co_return most;
}

TEST(Semaphore, CanceledWaitersLeaveTheQueue) {
  MemoryPlatform platform(1);
  std::vector<int> order;
  run_task(platform, cancel_waiters(platform, order));
  EXPECT_EQ(order, (std::vector<int>{0, 1, 9}));
}

Task<int> square_in_pool(Platform& platform, int value) {
  auto job = [value] { return value * value; };
  co_return co_await platform.workers().run(job);
}

TEST(WorkerPool, GivesTheValueBackOnBothPlatforms) {
  MemoryPlatform memory(1);
  EXPECT_EQ(run_task(memory, square_in_pool(memory, 7)), 49);
  const auto real = make_posix_platform();
  EXPECT_EQ(run_task(*real, square_in_pool(*real, 7)), 49);
}

Task<> add_in_pool(WorkerPool& pool, std::thread::id loop, std::atomic<int>& sum) {
  for (int i = 0; i < 100; ++i) {
    auto job = [&] {
      EXPECT_NE(std::this_thread::get_id(), loop);
      ++sum;
    };
    co_await pool.run(job);
    EXPECT_EQ(std::this_thread::get_id(), loop);
  }
}

Task<int> add_from_many(Platform& platform) {
  std::atomic<int> sum = 0;
  auto lane = platform.make_lane();
  Nursery scope(platform.executor());
  for (int i = 0; i < 20; ++i) {
    scope.start(add_in_pool(platform.workers(), std::this_thread::get_id(), sum));
    scope.start(add_in_pool(*lane, std::this_thread::get_id(), sum));
  }
  co_await scope.join();
  co_return sum.load();
}

TEST(WorkerPool, RunsManyJobsOnOtherThreads) {
  const auto real = make_posix_platform();
  EXPECT_EQ(run_task(*real, add_from_many(*real)), 4000);
}

/// Opened by one thread, awaited by another.
class Gate {
 public:
  void open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

Task<> run_gated(WorkerPool& pool, Gate& gate, std::vector<std::string>& log) {
  Leaving leaving{log, "left"};
  std::string borrowed = "alive";
  auto job = [&] {
    gate.wait();
    log.push_back(borrowed);
  };
  co_await pool.run(job);
  log.push_back("resumed");
  co_await pool.run(job);  // canceled: does not start
  log.push_back("never");
}

Task<> cancel_then_open(Nursery& scope, Gate& gate) {
  scope.cancel();
  gate.open();
  co_return;
}

Task<int> cancel_while_job_runs(Platform& platform, std::vector<std::string>& log) {
  Gate gate;
  auto lane = platform.make_lane();
  Nursery scope(platform.executor());
  scope.start(run_gated(*lane, gate, log));
  scope.start(cancel_then_open(scope, gate));
  co_await scope.join();
  co_return 0;
}

TEST(WorkerPool, ACanceledCallerStillAwaitsItsJob) {
  const auto real = make_posix_platform();
  std::vector<std::string> log;
  run_task(*real, cancel_while_job_runs(*real, log));
  EXPECT_EQ(log, (std::vector<std::string>{"alive", "resumed", "left"}));
}

}  // namespace
}  // namespace mhp::platform
