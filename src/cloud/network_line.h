// The way to another computer over the network.
#pragma once

#include <functional>
#include <optional>

#include "cloud/remote_home.h"
#include "net/peers.h"

namespace mhp::cloud {

/// Who is asking, as one of a cloud.
struct MemberKey {
  CloudId cloud;
  primitives::SigningKey key;  // the member's
};

/// What is done on a connection to a home that does not believe the member: asking why, say.
using WhenRefused = std::function<Task<>(const MemberKey&, net::Caller&)>;

/// Over the one connection to `home` that all users of `net` share, which must outlive it. `as` is shown on each
/// connection (docs/protocol/cloud.md): a home whose roster does not name this computer yet takes it for the member's.
/// `refused` may be missing.
std::unique_ptr<Line> make_network_line(net::Peers& net, HomeId home, std::vector<net::Address> addresses,
                                        std::optional<MemberKey> as = {}, WhenRefused refused = {});

}  // namespace mhp::cloud
