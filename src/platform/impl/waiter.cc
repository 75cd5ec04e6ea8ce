// Parking a coroutine with its asio handler, and letting it go on.
#include "platform/impl/waiter.h"

#include <asio/associated_cancellation_slot.hpp>
#include <asio/error.hpp>
#include <asio/post.hpp>
#include <asio/system_error.hpp>
#include <asio/this_coro.hpp>

#include "base/check.h"

namespace mhp::platform {

Task<> stop_if_canceled() {
  const auto state = co_await asio::this_coro::cancellation_state;
  if (state.cancelled() != asio::cancellation_type::none) throw asio::system_error(asio::error::operation_aborted);
}

Task<> Waiter::wait() {
  MHP_CHECK(!waiting());
  co_await stop_if_canceled();
  auto park = [this](Handler handler) {
    auto slot = asio::get_associated_cancellation_slot(handler);
    handler_.emplace(std::move(handler));
    if (!slot.is_connected()) return;
    slot.assign([this](asio::cancellation_type) { finish(asio::error::operation_aborted); });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void(asio::error_code)>(std::move(park),
                                                                                       asio::use_awaitable);
}

void Waiter::wake() { finish({}); }

void Waiter::finish(asio::error_code outcome) {
  if (!handler_) return;
  Handler handler = std::move(*handler_);
  handler_.reset();
  asio::post(executor_, [resume = std::move(handler), outcome]() mutable { resume(outcome); });
}

}  // namespace mhp::platform
