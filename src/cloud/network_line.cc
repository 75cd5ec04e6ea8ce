// A Line that is a place among net's connections.
#include "cloud/network_line.h"

namespace mhp::cloud {
namespace {

class NetworkLine : public Line {
 public:
  NetworkLine(net::Peers& net, const HomeId& home, std::vector<net::Address> addresses)
      : net_(net), home_(home), addresses_(std::move(addresses)) {}

  Task<Result<std::shared_ptr<net::Caller>>> reach() override {
    auto reaching = net_.reach(home_, addresses_);
    co_return co_await std::move(reaching);
  }

 private:
  net::Peers& net_;
  const HomeId home_;
  const std::vector<net::Address> addresses_;
};

}  // namespace

std::unique_ptr<Line> make_network_line(net::Peers& net, HomeId home, std::vector<net::Address> addresses) {
  return std::make_unique<NetworkLine>(net, home, std::move(addresses));
}

}  // namespace mhp::cloud
