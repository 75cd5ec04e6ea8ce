// A Line that is a place among net's connections.
#include "cloud/network_line.h"

#include <algorithm>

#include "cloud/exchange.h"

namespace mhp::cloud {
namespace {

/// A home that has just been reached says whether it believes a member within some times as long as that took.
constexpr int kShowTimes = 8;
constexpr std::chrono::nanoseconds kLeastShow = std::chrono::milliseconds(500);
constexpr std::chrono::nanoseconds kMostShow = std::chrono::seconds(10);

class NetworkLine : public Line {
 public:
  NetworkLine(net::Peers& net, const HomeId& home, std::vector<net::Address> addresses, std::optional<MemberKey> as,
              WhenRefused refused)
      : net_(net), home_(home), addresses_(std::move(addresses)), as_(std::move(as)), refused_(std::move(refused)) {}

  Task<Result<std::shared_ptr<net::Caller>>> reach() override {
    auto reaching = net_.reach(home_, addresses_);
    MHP_CO_TRY(auto caller, co_await std::move(reaching));
    if (!as_ || shown_.lock() == caller) co_return caller;
    const auto limit = std::clamp(kShowTimes * net_.took(home_), kLeastShow, kMostShow);
    auto showing = show_membership(as_->cloud, as_->key, *caller, limit);
    const auto showed =
        co_await std::move(showing);  // where it is not believed, what is asked for says what that means
    shown_ = caller;
    if (!showed && showed.error().code == Errc::denied && refused_) {
      auto asking = refused_(*as_, *caller);
      co_await std::move(asking);
    }
    co_return caller;
  }

 private:
  net::Peers& net_;
  const HomeId home_;
  const std::vector<net::Address> addresses_;
  const std::optional<MemberKey> as_;
  const WhenRefused refused_;
  std::weak_ptr<net::Caller> shown_;  // where it was
};

}  // namespace

std::unique_ptr<Line> make_network_line(net::Peers& net, HomeId home, std::vector<net::Address> addresses,
                                        std::optional<MemberKey> as, WhenRefused refused) {
  return std::make_unique<NetworkLine>(net, home, std::move(addresses), std::move(as), std::move(refused));
}

}  // namespace mhp::cloud
