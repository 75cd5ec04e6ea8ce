// Concurrent tasks that live and end together, on asio's coroutines and cancellation signals.
#include "platform/nursery.h"

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/co_spawn.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>
#include <asio/system_error.hpp>
#include <asio/this_coro.hpp>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <list>

#include "base/check.h"
#include "platform/impl/outcome.h"
#include "platform/impl/waiter.h"

namespace mhp::platform {

struct Nursery::State {
  explicit State(asio::any_io_executor on) : executor(on), idle(on) {}
  asio::any_io_executor executor;
  std::list<asio::cancellation_signal> children;  // one each that runs
  std::list<asio::cancellation_signal> ended;     // at most one: asio still looks at the signal of the child that ends
  Waiter idle;                                    // the caller in join()
};

Nursery::Nursery(asio::any_io_executor executor) : state_(std::make_shared<State>(std::move(executor))) {}

Nursery::~Nursery() { MHP_CHECK(state_->children.empty()); }

void Nursery::start(Task<> child) {
  auto& children = state_->children;
  const auto self = children.emplace(children.end());
  auto ended = [state = state_, self](std::exception_ptr error) {
    if (outcome_of(error) == Outcome::failed) die_of(error);
    state->ended.clear();
    state->ended.splice(state->ended.begin(), state->children, self);
    if (state->children.empty()) state->idle.wake();
  };
  asio::co_spawn(state_->executor, run_as_root(std::move(child)),
                 asio::bind_cancellation_slot(self->slot(), std::move(ended)));
}

void Nursery::cancel() {
  for (auto& child : state_->children) child.emit(asio::cancellation_type::terminal);
}

Task<bool> Nursery::settle() {
  const auto state = state_;
  bool caller_canceled = false;
  while (!state->children.empty()) {
    // The exception must not leave before the last child did: they borrow from the caller's frame.
    std::exception_ptr stopped;
    try {
      co_await state->idle.wait();
    } catch (...) {
      stopped = std::current_exception();
    }
    if (outcome_of(stopped) == Outcome::failed) die_of(stopped);
    if (!stopped) continue;
    caller_canceled = true;
    cancel();
    co_await asio::this_coro::reset_cancellation_state();  // or the next wait would end at once
  }
  co_return caller_canceled;
}

Task<> Nursery::join() {
  const bool caller_canceled = co_await settle();
  if (caller_canceled) throw asio::system_error(asio::error::operation_aborted);
}

std::size_t Nursery::running() const { return state_->children.size(); }

Task<> until_canceled(asio::any_io_executor executor) {
  Waiter never(std::move(executor));
  std::exception_ptr stopped;
  try {
    co_await never.wait();
  } catch (...) {
    stopped = std::current_exception();
  }
  if (outcome_of(stopped) == Outcome::failed) die_of(stopped);
  co_await asio::this_coro::reset_cancellation_state();
}

struct Semaphore::State {
  State(asio::any_io_executor on, std::size_t count) : executor(std::move(on)), permits(count) {}
  asio::any_io_executor executor;
  std::size_t permits;
  std::deque<Waiter*> queue;  // in order of arrival; one each task that waits, in its own frame
};

Semaphore::Semaphore(asio::any_io_executor executor, std::size_t permits)
    : state_(std::make_unique<State>(std::move(executor), permits)) {}

Semaphore::~Semaphore() { MHP_CHECK(state_->queue.empty()); }

Task<> Semaphore::take() {
  co_await stop_if_canceled();
  if (state_->permits > 0) {
    --state_->permits;
    co_return;
  }
  Waiter turn(state_->executor);
  state_->queue.push_back(&turn);
  try {
    co_await turn.wait();  // give() took it out of the queue and hands its permit over
  } catch (...) {
    std::erase(state_->queue, &turn);
    throw;
  }
}

void Semaphore::give() {
  while (!state_->queue.empty()) {
    Waiter* next = state_->queue.front();
    state_->queue.pop_front();
    if (!next->waiting()) continue;  // canceled a moment ago, not resumed yet: it takes no permit
    next->wake();
    return;
  }
  ++state_->permits;
}

}  // namespace mhp::platform
