// Task<T>: the only coroutine type; runs on the process's one event loop.
#pragma once

#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>

namespace mhp {

template <class T = void>
using Task = asio::awaitable<T>;

}  // namespace mhp
