// Where blocking and heavy work runs, away from the event loop.
#pragma once

#include <asio/async_result.hpp>
#include <asio/bind_executor.hpp>
#include <asio/post.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>

#include "platform/task.h"

namespace mhp::platform {

/// A fixed number of threads that run jobs to completion, first come first served. The memory platform runs each job on
/// the loop itself, one after another, so that a run is the same every time.
class WorkerPool {
 public:
  virtual ~WorkerPool() = default;
  virtual std::size_t threads() const = 0;
  /// `job` runs once on some thread of the pool; it must not throw.
  virtual void post(std::function<void()> job) = 0;
  /// Its destructor shall not wait: a job hangs, and everything that jobs use is their own or shared.
  virtual void abandon() {}

  /// `auto x = co_await pool.run(f)`: f() runs in the pool, its value comes back on the caller's loop. A job that was
  /// started is always awaited, even when the caller is canceled: what f borrows stays alive.
  template <class F>
  Task<std::invoke_result_t<F&>> run(F f);

  /// The same for a job that may be given up: a canceled caller goes on at once, the job runs to its end and its value
  /// is dropped. So f must own, or share, all that it uses.
  template <class F>
  Task<std::invoke_result_t<F&>> run_detachable(F f);

 private:
  /// Posts `job` and resumes the awaiting coroutine on its own executor when it is done. Not cancelable.
  Task<> run_void(std::function<void()> job);
  /// The same, and cancelable.
  Task<> run_void_detachable(std::function<void()> job);
};

template <class F>
Task<std::invoke_result_t<F&>> WorkerPool::run(F f) {
  using R = std::invoke_result_t<F&>;
  if constexpr (std::is_void_v<R>) {
    std::function<void()> job = [&f] { f(); };
    co_await run_void(std::move(job));
  } else {
    std::optional<R> result;
    std::function<void()> job = [&f, &result] { result.emplace(f()); };
    co_await run_void(std::move(job));
    co_return std::move(*result);
  }
}

template <class F>
Task<std::invoke_result_t<F&>> WorkerPool::run_detachable(F f) {
  using R = std::invoke_result_t<F&>;
  struct Shared {  // by the job and the caller, whoever goes last
    F f;
    std::optional<R> result;
  };
  auto shared = std::make_shared<Shared>(Shared{std::move(f), std::nullopt});
  std::function<void()> job = [shared] { shared->result.emplace(shared->f()); };
  co_await run_void_detachable(std::move(job));
  co_return std::move(*shared->result);
}

}  // namespace mhp::platform
