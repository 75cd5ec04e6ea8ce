// Protocol names and growing bodies.
#include "net/impl/messages.h"

#include <algorithm>

#include "net/call.h"
#include "net/impl/text.h"

namespace mhp::net::impl {
namespace {

constexpr std::size_t kGrowBytes = 1_MiB;      // memory ahead of what has come, for short bodies
constexpr std::uint64_t kGrowTimes = 8;        // for long ones, as many times what has come: they are moved once
constexpr std::size_t kMaxProtocolBytes = 16;  // of a foreign protocol's name, to be repeated

}  // namespace

Error foreign_protocol(std::string spoken) {
  spoken.resize(std::min(spoken.size(), kMaxProtocolBytes));
  make_printable(spoken);
  const std::string own = std::to_string(kProtocol);
  if (spoken.empty()) return {Errc::invalid, "protocol: the other end does not say mhp-protocol: " + own};
  return {Errc::invalid, "protocol: the other end speaks mhp-protocol " + spoken + ", this end " + own +
                             "; the older of the two needs a newer mhp"};
}

void append_body(Bytes& body, ByteView bytes, std::uint64_t announced_bytes) {
  const std::size_t wanted = body.size() + bytes.size();
  if (wanted > body.capacity()) {
    const std::uint64_t ahead = std::max<std::uint64_t>(kGrowTimes * wanted, kGrowBytes);
    body.reserve(std::max<std::uint64_t>(wanted, announced_bytes > 0 ? std::min(announced_bytes, ahead) : 2 * wanted));
  }
  body.insert(body.end(), bytes.begin(), bytes.end());
}

}  // namespace mhp::net::impl
