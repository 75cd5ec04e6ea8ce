// Carrying a coroutine to a pool of threads and back to its loop.
#include "platform/worker_pool.h"

#include <asio/any_io_executor.hpp>

#include "platform/impl/waiter.h"

namespace mhp::platform {

Task<> WorkerPool::run_void(std::function<void()> job) {
  using Handler = asio::async_result<asio::use_awaitable_t<>, void()>::handler_type;
  co_await stop_if_canceled();
  const asio::any_io_executor loop = co_await asio::this_coro::executor;
  std::optional<Handler> waiting;  // here, because std::function cannot hold what only moves; alive until it is called
  // No cancellation slot is looked at: the job borrows from frames below, so nothing but its end may resume them.
  auto begin = [this, loop, &waiting, &job](Handler handler) {
    waiting.emplace(std::move(handler));
    post([loop, &waiting, &job] {
      job();
      Handler resume = std::move(*waiting);
      asio::post(loop, std::move(resume));  // from here on the frame may be gone
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(std::move(begin), asio::use_awaitable);
}

Task<> WorkerPool::run_void_detachable(std::function<void()> job) {
  co_await stop_if_canceled();
  const asio::any_io_executor loop = co_await asio::this_coro::executor;
  auto done = std::make_shared<Waiter>(loop);
  post([loop, done, job = std::move(job)] {
    job();
    asio::post(loop, [done] { done->wake(); });  // nobody waits any more where the caller was canceled
  });
  co_await done->wait();
}

}  // namespace mhp::platform
