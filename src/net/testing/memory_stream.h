// Streams and a network made of memory alone, for tests that need no links, faults or addresses.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>

#include "net/impl/bell.h"
#include "platform/clock.h"
#include "platform/network.h"

namespace mhp::net::testing {

constexpr std::size_t kPipeBytes = 256_KiB;  // what may be under way before a writer waits

/// One direction.
struct Pipe {
  explicit Pipe(asio::any_io_executor executor) : readable(executor), writable(executor) {}
  Bytes bytes;
  std::size_t taken = 0;  // of `bytes`
  bool closed = false;
  bool ended = false;  // nothing more is written
  impl::Bell readable;
  impl::Bell writable;
};

class MemoryStream final : public platform::Stream {
 public:
  MemoryStream(std::shared_ptr<Pipe> in, std::shared_ptr<Pipe> out) : in_(std::move(in)), out_(std::move(out)) {}
  ~MemoryStream() override { close(); }

  Task<Result<std::size_t>> read_some(MutableBytes out) override {
    const auto pipe = in_;
    while (pipe->taken == pipe->bytes.size() && !pipe->closed && !pipe->ended) co_await pipe->readable.wait();
    const std::size_t size = std::min(out.size(), pipe->bytes.size() - pipe->taken);
    std::copy_n(pipe->bytes.begin() + static_cast<std::ptrdiff_t>(pipe->taken), size, out.begin());
    pipe->taken += size;
    if (pipe->taken == pipe->bytes.size()) {
      pipe->bytes.clear();
      pipe->taken = 0;
      pipe->writable.ring();
    }
    co_return size;
  }
  Task<Result<void>> write_all(ByteView bytes) override {
    const auto pipe = out_;
    while (pipe->bytes.size() >= kPipeBytes && !pipe->closed) co_await pipe->writable.wait();
    if (pipe->closed) co_return fail(Errc::unavailable, "closed");
    pipe->bytes.insert(pipe->bytes.end(), bytes.begin(), bytes.end());
    pipe->readable.ring();
    co_return Result<void>();
  }
  Task<Result<void>> finish() override {
    out_->ended = true;
    out_->readable.ring();
    co_return Result<void>();
  }
  void close() override {
    for (const auto& pipe : {in_, out_}) {
      pipe->closed = true;
      pipe->readable.ring();
      pipe->writable.ring();
    }
  }
  const platform::Endpoint& remote() const override { return endpoint_; }
  const platform::Endpoint& local() const override { return endpoint_; }

 private:
  std::shared_ptr<Pipe> in_;  // both shared with the other end
  std::shared_ptr<Pipe> out_;
  platform::Endpoint endpoint_{"192.0.2.1", 7070};
};

using StreamPair = std::pair<std::unique_ptr<platform::Stream>, std::unique_ptr<platform::Stream>>;

inline StreamPair make_stream_pair(const asio::any_io_executor& executor) {
  auto there = std::make_shared<Pipe>(executor);
  auto back = std::make_shared<Pipe>(executor);
  return {std::make_unique<MemoryStream>(back, there), std::make_unique<MemoryStream>(there, back)};
}

/// What a listener and those who connect to it share.
struct Door {
  explicit Door(asio::any_io_executor executor) : arrived(std::move(executor)) {}
  std::deque<std::unique_ptr<platform::Stream>> waiting;
  bool closed = false;
  impl::Bell arrived;
};

class MemoryListener final : public platform::Listener {
 public:
  MemoryListener(std::shared_ptr<Door> door, platform::Endpoint at) : door_(std::move(door)), at_(std::move(at)) {}
  ~MemoryListener() override { close(); }
  Task<Result<std::unique_ptr<platform::Stream>>> accept() override {
    const auto door = door_;
    while (door->waiting.empty() && !door->closed) co_await door->arrived.wait();
    if (door->closed) co_return fail(Errc::unavailable, "closed");
    auto stream = std::move(door->waiting.front());
    door->waiting.pop_front();
    co_return std::move(stream);
  }
  const platform::Endpoint& local() const override { return at_; }
  void close() override {
    door_->closed = true;
    door_->arrived.ring();
  }

 private:
  std::shared_ptr<Door> door_;  // shared with the network
  platform::Endpoint at_;
};

/// Every host in one: whoever listens at an address and port is reached there; who does not is refused.
class SmallNetwork final : public platform::Network {
 public:
  SmallNetwork(asio::any_io_executor executor, platform::Clock& clock)
      : executor_(std::move(executor)), clock_(clock) {}
  /// An address from which no answer comes.
  void set_silent(std::string address) { silent_.push_back(std::move(address)); }
  std::size_t connects() const { return connects_; }

  Task<Result<std::unique_ptr<platform::Stream>>> connect(platform::Endpoint to,
                                                          std::chrono::nanoseconds limit) override {
    ++connects_;
    if (std::ranges::find(silent_, to.address) != silent_.end()) {
      co_await clock_.sleep(limit);
      co_return fail(Errc::timed_out, "no answer");
    }
    const auto door = doors_.find(to);
    if (door == doors_.end() || door->second->closed) co_return fail(Errc::unavailable, "refused");
    auto [mine, other] = make_stream_pair(executor_);
    door->second->waiting.push_back(std::move(other));
    door->second->arrived.ring();
    co_return std::move(mine);
  }
  Result<std::unique_ptr<platform::Listener>> listen(const platform::Endpoint& at) override {
    auto door = doors_[at] = std::make_shared<Door>(executor_);
    return std::make_unique<MemoryListener>(door, at);
  }
  Task<Result<std::vector<platform::Endpoint>>> resolve(platform::HostAndPort name, std::chrono::nanoseconds) override {
    if (name.host == "nowhere") co_return fail(Errc::not_found, "no such name");
    std::vector<platform::Endpoint> out;
    out.push_back({name.host, name.port});
    co_return out;
  }
  Result<std::unique_ptr<platform::Datagrams>> join_group(const platform::Endpoint&) override {
    return fail(Errc::unavailable, "no datagrams here");
  }
  Result<std::vector<std::string>> own_addresses() override { return std::vector<std::string>{}; }

 private:
  asio::any_io_executor executor_;
  platform::Clock& clock_;
  std::map<platform::Endpoint, std::shared_ptr<Door>> doors_;  // each shared with its listener
  std::vector<std::string> silent_;
  std::size_t connects_ = 0;
};

}  // namespace mhp::net::testing
