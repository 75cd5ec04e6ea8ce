// What a task at the root ended with, and how it begins.
#include "platform/impl/outcome.h"

#include <asio/error.hpp>
#include <asio/post.hpp>
#include <asio/system_error.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <system_error>

#include "base/exhausted.h"

namespace mhp::platform {

Outcome outcome_of(const std::exception_ptr& error) {
  if (!error) return Outcome::done;
  try {
    std::rethrow_exception(error);
  } catch (const asio::system_error& known) {
    return known.code() == asio::error::operation_aborted ? Outcome::canceled : Outcome::failed;
  } catch (...) {
    return Outcome::failed;
  }
}

void die_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::bad_alloc&) {
    end_out_of_memory();
  } catch (const std::system_error& known) {
    if (known.code() == std::errc::resource_unavailable_try_again) end_exhausted("memory or threads");
    std::fprintf(stderr, "mhp: a bug: a task ended with an exception: %s\n", known.what());
    std::abort();
  } catch (const std::exception& known) {
    std::fprintf(stderr, "mhp: a bug: a task ended with an exception: %s\n", known.what());
    std::abort();
  } catch (...) {
    std::fprintf(stderr, "mhp: a bug: a task ended with an exception of unknown type\n");
    std::abort();
  }
}

Task<> run_as_root(Task<> task) {
  co_await asio::post(asio::use_awaitable);
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) co_return;  // canceled before it began
  co_await asio::this_coro::throw_if_cancelled(false);
  co_await std::move(task);
}

}  // namespace mhp::platform
