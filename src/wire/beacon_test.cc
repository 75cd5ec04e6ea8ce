// Beacons: round trip, golden bytes, tags, and each bound refused.
#include "wire/beacon.h"

#include <wire/beacon.pb.h>

#include "wire/golden_support.h"
#include "wire/test_support.h"

namespace mhp::wire {
namespace {

/// 32 bytes `first`, first + 1, ...
std::array<std::byte, 32> run_of(unsigned first) {
  std::array<std::byte, 32> out;
  for (unsigned i = 0; i < 32; ++i) out[i] = static_cast<std::byte>(first + i);
  return out;
}

CloudId cloud_of(unsigned first) { return CloudId::from_array(run_of(first)); }

Beacon beacon(samples::Random& random) {
  Beacon out{.asks = random.below(2) == 0};
  HomeId::Array home;
  for (std::byte& byte : home) byte = static_cast<std::byte>(random.below(256));
  out.port = static_cast<std::uint16_t>(random.below(3) == 0 ? 0 : 1 + random.below(65'535));
  if (out.port != 0) out.home = HomeId::from_array(home);
  out.tags.resize(1 + random.below(kMaxBeaconTags));
  for (BeaconTag& tag : out.tags) {
    for (std::byte& byte : tag) byte = static_cast<std::byte>(random.below(256));
  }
  return out;
}

TEST(Beacon, RoundTrips) { expect_round_trips("Beacon", beacon, parse_beacon, 1000); }

TEST(Beacon, GuardsItsFormat) {
  samples::Random random(1);
  expect_guards_format(message_of<proto::Beacon>(beacon(random)), parse_beacon, kMaxBeaconBytes);
}

TEST(Beacon, KeepsItsBytes) {
  Beacon out{.home = HomeId::from_array(run_of(0x40)), .port = 7117, .asks = true};
  out.tags = {beacon_tag(cloud_of(1), 20'454), beacon_tag(cloud_of(2), 20'454)};
  expect_golden("beacon", out, parse_beacon);
  Beacon looks{.asks = true};
  looks.tags = {beacon_tag(cloud_of(1), 20'455)};
  expect_golden("beacon_that_looks", looks, parse_beacon);
}

TEST(Beacon, TagsDifferByCloudAndDay) {
  EXPECT_EQ(beacon_tag(cloud_of(1), 20'454), beacon_tag(cloud_of(1), 20'454));
  EXPECT_NE(beacon_tag(cloud_of(1), 20'454), beacon_tag(cloud_of(1), 20'455));
  EXPECT_NE(beacon_tag(cloud_of(1), 20'454), beacon_tag(cloud_of(2), 20'454));
  EXPECT_NE(beacon_tag(cloud_of(1), -1), beacon_tag(cloud_of(1), 1));
}

TEST(Beacon, TheLongestFits) {
  Beacon out{.home = HomeId::from_array(run_of(1)), .port = 65'535, .asks = true};
  out.tags.resize(kMaxBeaconTags);
  EXPECT_TRUE(parse_beacon(encode(out)));
  out.tags.resize(kMaxBeaconTags + 1);
  expect_refused(parse_beacon(encode(out)), Errc::invalid, "too many tags");
  out.tags.clear();
  expect_refused(parse_beacon(encode(out)), Errc::invalid, "too few");
}

TEST(Beacon, RefusesWhatDoesNotBelong) {
  samples::Random random(1);
  Beacon valid = beacon(random);
  valid.port = 1;
  auto message = message_of<proto::Beacon>(valid);
  const auto refused = [&message](const char* words) {
    expect_refused(parse_beacon(impl::serialize(message)), Errc::invalid, words);
  };
  message.set_port(65'536);
  refused("no such port");
  message.set_port(0);
  refused("belong together");
  message.set_port(1);
  message.set_home("x");
  refused("not 32 bytes");
  message.clear_home();
  refused("belong together");
  message.clear_port();
  EXPECT_TRUE(parse_beacon(impl::serialize(message)));
  message.set_tags("1234567");
  refused("tags");
}

}  // namespace
}  // namespace mhp::wire
