// The threads of a pool and their queue.
#include "platform/posix/thread_pool.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/check.h"

namespace mhp::platform {

struct ThreadPool::State {
  std::mutex mutex;
  std::condition_variable work;
  std::condition_variable gone;
  std::deque<std::function<void()>> queue;  // bounded by the coroutines that wait: each has one job here at most
  bool closing = false;
  std::size_t alive = 0;
  std::shared_ptr<void> kept;

  void run();
};

void ThreadPool::State::run() {
  std::unique_lock lock(mutex);
  for (;;) {
    work.wait(lock, [this] { return closing || !queue.empty(); });
    if (queue.empty()) break;
    auto job = std::move(queue.front());
    queue.pop_front();
    lock.unlock();
    job();
    job = nullptr;  // what the job holds goes before the lock is back
    lock.lock();
  }
  --alive;
  gone.notify_all();
}

ThreadPool::ThreadPool(std::size_t threads, std::shared_ptr<void> kept, std::shared_ptr<Shutdown> shutdown)
    : threads_(threads),
      shutdown_(shutdown ? std::move(shutdown) : std::make_shared<Shutdown>()),
      state_(std::make_shared<State>()) {
  MHP_CHECK(threads > 0);
  state_->kept = std::move(kept);
  state_->alive = threads;
  // Signals are for the loop thread alone: a thread inherits the mask of the one that makes it.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (std::size_t i = 0; i < threads; ++i) std::thread([state = state_] { state->run(); }).detach();
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

ThreadPool::~ThreadPool() {
  std::unique_lock lock(state_->mutex);
  state_->closing = true;
  state_->work.notify_all();
  if (abandoned_) return;
  const auto begin = std::chrono::steady_clock::now();
  const bool all_gone = state_->gone.wait_for(lock, shutdown_->left, [this] { return state_->alive == 0; });
  const auto waited = std::chrono::steady_clock::now() - begin;
  if (!all_gone) shutdown_->left -= std::min(shutdown_->left, waited);  // what ends by itself costs the others nothing
  if (all_gone) state_->kept.reset();  // here, not on a thread that ends a moment later
}

void ThreadPool::post(std::function<void()> job) {
  {
    std::lock_guard lock(state_->mutex);
    MHP_CHECK(!state_->closing);
    state_->queue.push_back(std::move(job));
  }
  state_->work.notify_one();
}

}  // namespace mhp::platform
