// For fuzz targets: a stream that gives its input, whatever is written to it.
#pragma once

#include <algorithm>

#include "platform/clock.h"
#include "platform/network.h"

namespace mhp::net::testing {

/// Gives the input in pieces, then its end; takes whatever is written.
class InputStream final : public platform::Stream {
 public:
  InputStream(ByteView input, std::size_t piece_bytes, platform::Clock& clock)
      : input_(input), piece_bytes_(piece_bytes), clock_(clock) {}
  Task<Result<std::size_t>> read_some(MutableBytes out) override {
    co_await clock_.sleep(std::chrono::milliseconds(1));  // so that what came before has its answers first
    const std::size_t size = std::min({out.size(), input_.size(), piece_bytes_});
    std::copy_n(input_.begin(), size, out.begin());
    input_ = input_.subspan(size);
    co_return size;
  }
  Task<Result<void>> write_all(ByteView) override { co_return Result<void>(); }
  Task<Result<void>> finish() override { co_return Result<void>(); }
  void close() override { input_ = {}; }
  const platform::Endpoint& remote() const override { return endpoint_; }
  const platform::Endpoint& local() const override { return endpoint_; }

 private:
  ByteView input_;
  std::size_t piece_bytes_;
  platform::Clock& clock_;
  platform::Endpoint endpoint_;
};

}  // namespace mhp::net::testing
