// Beacons to bytes and back, and the tags of clouds in them.
#include "wire/beacon.h"

#include <wire/beacon.pb.h>

#include "base/check.h"
#include "primitives/hash/blake3.h"
#include "wire/impl/proto.h"

namespace mhp::wire {
namespace {

constexpr impl::Bounds kBeaconBounds{.what = "beacon", .bytes = kMaxBeaconBytes};
constexpr std::string_view kTagContext = "mhp 1 beacon tag";

}  // namespace

BeaconTag beacon_tag(const CloudId& cloud, std::int64_t day) {
  std::array<std::byte, 8> number;
  for (unsigned i = 0; i < number.size(); ++i)
    number[i] = static_cast<std::byte>(static_cast<std::uint64_t>(day) >> (8 * i));
  const auto key = primitives::blake3_derive(kTagContext, cloud.bytes());
  const auto hash = primitives::blake3_keyed(key, number);
  BeaconTag tag;
  std::copy_n(hash.begin(), tag.size(), tag.begin());
  return tag;
}

Bytes encode(const Beacon& beacon) {
  auto message = impl::make<proto::Beacon>();
  if (beacon.port != 0) message.set_home(impl::to_field(beacon.home.bytes()));
  message.set_port(beacon.port);
  message.set_asks(beacon.asks);
  for (const BeaconTag& tag : beacon.tags) impl::append(*message.mutable_tags(), tag);
  return impl::serialize(message);
}

Result<Beacon> parse_beacon(ByteView bytes) {
  MHP_TRY(const auto message, impl::read<proto::Beacon>(bytes, kBeaconBounds));
  Beacon out{.asks = message.asks()};
  if (message.port() > UINT16_MAX) return impl::bad(kBeaconBounds.what, "no such port");
  out.port = static_cast<std::uint16_t>(message.port());
  if (message.home().empty() != (out.port == 0))
    return impl::bad(kBeaconBounds.what, "a home and a port belong together");
  if (out.port != 0) {
    MHP_TRY(out.home, impl::take_id<HomeId>(message.home(), kBeaconBounds.what));
  }
  constexpr std::size_t size = sizeof(BeaconTag);
  const auto tags = as_bytes(message.tags());
  if (tags.empty() || tags.size() % size != 0 || tags.size() / size > kMaxBeaconTags)
    return impl::bad(kBeaconBounds.what, "too few or too many tags");
  out.tags.resize(tags.size() / size);
  for (std::size_t i = 0; i < out.tags.size(); ++i) std::copy_n(tags.data() + i * size, size, out.tags[i].begin());
  return out;
}

}  // namespace mhp::wire
