// The way to another computer over the network.
#pragma once

#include "cloud/remote_home.h"
#include "net/peers.h"

namespace mhp::cloud {

/// Over the one connection to `home` that all users of `net` share, which must outlive it.
std::unique_ptr<Line> make_network_line(net::Peers& net, HomeId home, std::vector<net::Address> addresses);

}  // namespace mhp::cloud
