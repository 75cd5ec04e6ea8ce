// Streams that wait for their share.
#include "platform/limited_network.h"

#include <algorithm>

namespace mhp::platform {
namespace {

constexpr std::size_t kPieceBytes = 16_KiB;
constexpr std::uint64_t kLeastBurstBytes = 2 * kPieceBytes;

/// One way.
class Share {
 public:
  Share(Clock& clock, RateSchedule schedule, std::function<std::chrono::seconds()> time_of_day)
      : clock_(clock), schedule_(std::move(schedule)), time_of_day_(std::move(time_of_day)) {}

  /// Returns when so many bytes may go.
  Task<> wait_for(std::uint64_t bytes) {
    const Rate rate = rate_at(schedule_, time_of_day_());
    const auto now = clock_.steady();
    if (rate != bucket_.rate() || !is_set_) set(rate);
    const auto pause = bucket_.take(now, bytes);
    if (pause.count() > 0) co_await clock_.sleep(pause);
  }

 private:
  void set(Rate rate) {
    constexpr std::uint64_t kPartsOfASecond = 10;
    if (is_set_) {
      bucket_.set_rate(clock_.steady(), rate);
    } else {
      bucket_ = TokenBucket(rate, std::max(rate.bytes_per_second / kPartsOfASecond, kLeastBurstBytes));
    }
    is_set_ = true;
  }

  Clock& clock_;
  const RateSchedule schedule_;
  const std::function<std::chrono::seconds()> time_of_day_;
  TokenBucket bucket_{Rate{}, 0};
  bool is_set_ = false;
};

/// Shared by the network and its streams, which may go in any order.
struct Shares {
  Share up;
  Share down;
};

class LimitedStream final : public Stream {
 public:
  LimitedStream(std::unique_ptr<Stream> inner, std::shared_ptr<Shares> shares)
      : inner_(std::move(inner)), shares_(std::move(shares)) {}

  Task<Result<std::size_t>> read_some(MutableBytes out) override {
    auto got = co_await inner_->read_some(out.first(std::min(out.size(), kPieceBytes)));
    const auto shares = shares_;
    if (got && *got > 0) co_await shares->down.wait_for(*got);
    co_return got;
  }
  Task<Result<void>> write_all(ByteView bytes) override {
    const auto shares = shares_;
    while (!bytes.empty()) {
      const ByteView piece = bytes.first(std::min(bytes.size(), kPieceBytes));
      co_await shares->up.wait_for(piece.size());
      const auto written = co_await inner_->write_all(piece);
      if (!written) co_return written;
      bytes = bytes.subspan(piece.size());
    }
    co_return Result<void>();
  }
  Task<Result<void>> finish() override { return inner_->finish(); }
  void close() override { inner_->close(); }
  const Endpoint& remote() const override { return inner_->remote(); }
  const Endpoint& local() const override { return inner_->local(); }

 private:
  const std::unique_ptr<Stream> inner_;
  const std::shared_ptr<Shares> shares_;
};

class LimitedListener final : public Listener {
 public:
  LimitedListener(std::unique_ptr<Listener> inner, std::shared_ptr<Shares> shares)
      : inner_(std::move(inner)), shares_(std::move(shares)) {}

  Task<Result<std::unique_ptr<Stream>>> accept() override {
    auto stream = co_await inner_->accept();
    if (!stream) co_return stream;
    co_return std::make_unique<LimitedStream>(std::move(*stream), shares_);
  }
  const Endpoint& local() const override { return inner_->local(); }
  void close() override { inner_->close(); }

 private:
  const std::unique_ptr<Listener> inner_;
  const std::shared_ptr<Shares> shares_;
};

class LimitedNetwork final : public Network {
 public:
  LimitedNetwork(Network& inner, std::shared_ptr<Shares> shares) : inner_(inner), shares_(std::move(shares)) {}

  Task<Result<std::unique_ptr<Stream>>> connect(Endpoint to, std::chrono::nanoseconds limit) override {
    auto stream = co_await inner_.connect(std::move(to), limit);
    if (!stream) co_return stream;
    co_return std::make_unique<LimitedStream>(std::move(*stream), shares_);
  }
  Result<std::unique_ptr<Listener>> listen(const Endpoint& at) override {
    MHP_TRY(auto listener, inner_.listen(at));
    return std::make_unique<LimitedListener>(std::move(listener), shares_);
  }
  Task<Result<std::vector<Endpoint>>> resolve(HostAndPort name, std::chrono::nanoseconds limit) override {
    return inner_.resolve(std::move(name), limit);
  }
  Result<std::unique_ptr<Datagrams>> join_group(const Endpoint& group) override { return inner_.join_group(group); }
  Result<std::vector<std::string>> own_addresses() override { return inner_.own_addresses(); }

 private:
  Network& inner_;
  const std::shared_ptr<Shares> shares_;
};

}  // namespace

std::unique_ptr<Network> make_limited_network(Network& inner, Clock& clock, const NetworkLimits& limits,
                                              std::function<std::chrono::seconds()> time_of_day) {
  auto shares =
      std::make_shared<Shares>(Shares{Share(clock, limits.up, time_of_day), Share(clock, limits.down, time_of_day)});
  return std::make_unique<LimitedNetwork>(inner, std::move(shares));
}

}  // namespace mhp::platform
