// The real machine beside the simulated one: clocks, randomness, signals, threads, limits of the disk.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <mutex>

#include "platform/memory/memory_platform.h"
#include "platform/patience.h"
#include "platform/posix/parts.h"
#include "platform/posix/system.h"
#include "platform/posix/temp_folder.h"
#include "platform/posix/thread_pool.h"

namespace mhp::platform {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

Task<std::chrono::nanoseconds> measure_sleep(Clock& clock, std::chrono::nanoseconds duration) {
  const auto before = clock.steady();
  co_await clock.sleep(duration);
  co_return clock.steady() - before;
}

TEST(Clock, SleepsForReal) {
  const auto platform = make_posix_platform();
  EXPECT_GE(run_task(*platform, measure_sleep(platform->clock(), milliseconds(2))), milliseconds(2));
  EXPECT_GT(platform->clock().unix_ns(), 1'700'000'000'000'000'000);
}

TEST(Clock, IsSimulatedExactly) {
  MemoryPlatform platform(1);
  const auto before = platform.clock().unix_ns();
  EXPECT_EQ(run_task(platform, measure_sleep(platform.clock(), hours(24 * 365))), hours(24 * 365));
  EXPECT_EQ(platform.clock().unix_ns() - before, std::chrono::nanoseconds(hours(24 * 365)).count());
  EXPECT_EQ(run_task(platform, measure_sleep(platform.clock(), seconds(-1))), seconds(0));
}

TEST(Random, IsFreshForRealAndSeededInMemory) {
  const auto real = make_system_random();
  EXPECT_NE(real->array<32>(), real->array<32>());
  Bytes big(1_MiB);
  real->fill(big);
  EXPECT_NE(big, Bytes(1_MiB));
  MemoryPlatform one(7);
  MemoryPlatform same(7);
  MemoryPlatform other(8);
  const auto first = one.random().array<33>();
  EXPECT_EQ(first, same.random().array<33>());
  EXPECT_NE(first, other.random().array<33>());
  EXPECT_NE(first, one.random().array<33>());
}

Task<int> wait_forever(Semaphore& none) {
  co_await none.take();
  co_return 0;
}

void run_a_deadlock() {
  MemoryPlatform platform(1);
  Semaphore none(platform.executor(), 0);
  platform.run(wait_forever(none));
}

TEST(MemoryPlatformDeathTest, NamesADeadlock) { EXPECT_DEATH(run_a_deadlock(), "deadlock"); }

Task<int> interrupt_and_sleep(Platform& platform, bool& went_on) {
  ::kill(::getpid(), SIGTERM);
  co_await platform.clock().sleep(hours(24));
  went_on = true;
  co_return 0;
}

Task<int> give(int code) { co_return code; }

TEST(PosixPlatform, ASignalCancelsTheMainTask) {
  const auto platform = make_posix_platform();
  bool went_on = false;
  EXPECT_EQ(platform->run(interrupt_and_sleep(*platform, went_on)), 130);
  EXPECT_FALSE(went_on);
  EXPECT_EQ(platform->run(give(3)), 3);  // and can be used again
}

Task<int> interrupt_twice(Platform& platform) {
  ::kill(::getpid(), SIGINT);
  auto job = [] {
    for (;;) ::kill(::getpid(), SIGINT);  // a job that never ends: only the second signal gets out
  };
  co_await platform.workers().run(job);
  co_return 0;
}

void run_interrupted_twice() {
  const auto platform = make_posix_platform();
  platform->run(interrupt_twice(*platform));
}

TEST(PosixPlatformDeathTest, ASecondSignalEndsAtOnce) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(run_interrupted_twice(), testing::ExitedWithCode(130), "");
}

TEST(PosixPlatform, TakesTheNumberOfWorkersFromTheEnvironment) {
  ::setenv("MHP_WORKERS", "3", 1);
  EXPECT_EQ(make_posix_platform()->workers().threads(), 3U);
  ::setenv("MHP_WORKERS", "1000", 1);
  EXPECT_EQ(make_posix_platform()->workers().threads(), 64U);
  ::setenv("MHP_WORKERS", "nonsense", 1);
  EXPECT_EQ(make_posix_platform()->workers().threads(), 1U);
  ::unsetenv("MHP_WORKERS");
  EXPECT_GE(make_posix_platform()->workers().threads(), 1U);
}

TEST(ThreadPool, RunsWhatIsQueuedBeforeItGoes) {
  std::atomic<int> done = 0;
  {
    ThreadPool pool(2);
    for (int i = 0; i < 1000; ++i) pool.post([&done] { ++done; });
  }
  EXPECT_EQ(done, 1000);
}

/// Opened by the test, awaited by a job.
struct Barrier {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  bool passed = false;
  void wait() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [this] { return open; });
    passed = true;
    changed.notify_all();
  }
  void let_through() {
    std::unique_lock lock(mutex);
    open = true;
    changed.notify_all();
    changed.wait(lock, [this] { return passed; });
  }
};

TEST(ThreadPool, LeavesAHangingJobBehind) {
  const auto gate = std::make_shared<Barrier>();  // outlives the pool: the job still looks at it
  auto lane = std::make_unique<ThreadPool>(1);
  lane->post([gate] { gate->wait(); });
  const auto before = std::chrono::steady_clock::now();
  lane.reset();
  const auto took = std::chrono::steady_clock::now() - before;
  EXPECT_GE(took, ThreadPool::kShutdownLimit);
  EXPECT_LT(took, ThreadPool::kShutdownLimit + seconds(30));
  gate->let_through();
}

TEST(ThreadPool, AnAbandonedOneIsNotWaitedFor) {
  const auto gate = std::make_shared<Barrier>();
  auto lane = std::make_unique<ThreadPool>(1);
  lane->post([gate] { gate->wait(); });
  lane->abandon();
  const auto before = std::chrono::steady_clock::now();
  lane.reset();
  EXPECT_LT(std::chrono::steady_clock::now() - before, ThreadPool::kShutdownLimit);
  gate->let_through();
}

TEST(ThreadPool, ManyHangingOnesTakeNoLongerThanOne) {
  std::vector<std::shared_ptr<Barrier>> gates;
  std::vector<std::unique_ptr<ThreadPool>> lanes;
  const auto shutdown = std::make_shared<ThreadPool::Shutdown>();
  for (int i = 0; i < 10; ++i) {
    gates.push_back(std::make_shared<Barrier>());
    lanes.push_back(std::make_unique<ThreadPool>(1, nullptr, shutdown));
    lanes.back()->post([gate = gates.back()] { gate->wait(); });
  }
  const auto before = std::chrono::steady_clock::now();
  lanes.clear();
  EXPECT_LT(std::chrono::steady_clock::now() - before, 5 * ThreadPool::kShutdownLimit);
  for (const auto& gate : gates) gate->let_through();
}

Task<int> hang_with_a_limit(Platform& platform, std::shared_ptr<Barrier> gate) {
  auto hangs = [gate] {
    gate->wait();
    return 1;
  };
  auto answers = [] { return 2; };
  const auto nothing = co_await run_within(platform, milliseconds(20), hangs);
  const auto two = co_await run_within(platform, hours(1), answers);
  co_return !nothing && two == 2 ? 0 : 1;
}

TEST(PosixPlatform, ABlockingCallIsGivenUpAfterItsLimit) {
  const auto gate = std::make_shared<Barrier>();
  const auto before = std::chrono::steady_clock::now();
  {
    const auto platform = make_posix_platform();
    EXPECT_EQ(platform->run(hang_with_a_limit(*platform, gate)), 0);
  }
  EXPECT_LT(std::chrono::steady_clock::now() - before, ThreadPool::kShutdownLimit);
  gate->let_through();
}

Task<int> hang_on_the_loop() {
  ::kill(::getpid(), SIGINT);
  for (;;) ::kill(::getpid(), SIGTERM);  // never comes back to the loop
  co_return 0;
}

void run_a_loop_that_hangs() {
  const auto platform = make_posix_platform();
  platform->run(hang_on_the_loop());
}

TEST(PosixPlatformDeathTest, ASecondSignalEndsALoopThatHangs) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(run_a_loop_that_hangs(), testing::ExitedWithCode(130), "");
}

Task<> cancel_now(Nursery& scope) {
  scope.cancel();
  co_return;
}

Task<> read_from_a_hanging_drive(WorkerPool& lane, std::shared_ptr<Barrier> gate, bool& went_on) {
  auto job = [gate] {
    gate->wait();
    return 1;
  };
  co_await lane.run_detachable(job);
  went_on = true;
}

Task<int> give_up_a_hanging_drive(Platform& platform, std::shared_ptr<Barrier> gate) {
  bool went_on = false;
  const auto lane = platform.make_lane();
  Nursery scope(platform.executor());
  scope.start(read_from_a_hanging_drive(*lane, gate, went_on));
  scope.start(cancel_now(scope));
  co_await scope.join();
  co_return went_on ? 1 : 0;
}

TEST(PosixPlatform, AJobGivenUpMayEndAfterThePlatform) {
  const auto gate = std::make_shared<Barrier>();
  {
    const auto platform = make_posix_platform();
    EXPECT_EQ(platform->run(give_up_a_hanging_drive(*platform, gate)), 0);
  }
  gate->let_through();  // the job's thread now posts to a loop that nobody runs
}

TEST(PosixDisk, NamesTheReasonOfAFailure) {
  const auto disk = make_posix_disk();
  const auto full = *disk->open("/dev/full", Open::write);
  const auto written = full->write_at(0, as_bytes("x"));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Errc::full);
  EXPECT_EQ(written.error().detail, "/dev/full: no space left on device");
  const auto denied = disk->open("/proc/version", Open::write);
  if (!denied) EXPECT_EQ(denied.error().code, Errc::denied);
  const auto long_name = disk->open("/tmp/" + std::string(300, 'x'), Open::create);
  EXPECT_EQ(long_name.error().code, Errc::invalid);
}

TEST(PosixDisk, NamesTheLimitOfOpenFiles) {
  const auto disk = make_posix_disk();
  // Both calls once before: the sanitizer that checks types needs a descriptor at a class's first call.
  ASSERT_TRUE(disk->open("/dev/null", Open::read));
  ASSERT_TRUE(disk->list("/"));
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{0, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto opened = disk->open("/dev/null", Open::read);
  const auto listed = disk->list("/");
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::exhausted);
  EXPECT_NE(opened.error().detail.find("too many open files"), std::string::npos);
  ASSERT_FALSE(listed);
  EXPECT_EQ(listed.error().code, Errc::exhausted);
}

TEST(PosixDisk, AFileThatMayNotGrowIsNoFullDisk) {
  const TempFolder temp;
  const auto platform = make_posix_platform();  // has the signal of this limit ignored
  const auto file = platform->disk().open(temp.path() + "/a", Open::create);
  ASSERT_TRUE(file);
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit small{4096, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto written = (*file)->write_at(4096, as_bytes("x"));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Errc::usage);
  EXPECT_NE(written.error().detail.find("a file of that size is not allowed"), std::string::npos);
}

TEST(PosixDisk, ErrorsOfTheComputerAreTheirOwnKind) {
  for (const int error : {EMFILE, ENFILE, ENOMEM}) EXPECT_EQ(code_of(error), Errc::exhausted);
  EXPECT_EQ(code_of(ENOSPC), Errc::full);
  EXPECT_EQ(code_of(EDQUOT), Errc::full);
  EXPECT_EQ(code_of(EIO), Errc::unavailable);
}

TEST(PosixPlatform, HasAsManyOpenFilesAsItMay) {
  rlimit before;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit few{64, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &few), 0);
  const auto platform = make_posix_platform();
  rlimit now;
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &now), 0);
  EXPECT_EQ(now.rlim_cur, std::min<rlim_t>(before.rlim_max, 65'536));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
}

TEST(PosixDisk, ALockDiesWithItsProcess) {
  const TempFolder temp;
  const auto disk = make_posix_disk();
  const std::string path = temp.path() + "/lock";
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto held = disk->lock(path, "the child");
    const char sign = held ? 'y' : 'n';
    (void)!::write(ready[1], &sign, 1);
    ::pause();
    ::_exit(1);
  }
  char sign = 0;
  ASSERT_EQ(::read(ready[0], &sign, 1), 1);
  EXPECT_EQ(sign, 'y');
  const auto busy = disk->lock(path, "the parent");
  ASSERT_FALSE(busy);
  EXPECT_EQ(busy.error().detail, path + ": held by the child, process " + std::to_string(child));
  ::kill(child, SIGKILL);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_TRUE(disk->lock(path, "the parent"));
  ::close(ready[0]);
  ::close(ready[1]);
}

}  // namespace
}  // namespace mhp::platform
