// Tombstones and reprieves: round trip, and each bound refused.
#include "wire/tombstone.h"

#include <wire/visible.pb.h>

#include "wire/signed.h"
#include "wire/test_support.h"

namespace mhp::wire {
namespace {

template <class Value>
void fill(samples::Random& random, Value& value, std::uint64_t segments) {
  value.vault = random.id<VaultId>();
  value.device = random.id<DeviceId>();
  value.time_ns = random.time();
  for (std::uint64_t i = 0; i < segments; ++i) value.segments.push_back(random.id<SegmentId>());
  std::ranges::sort(value.segments);
}

Tombstone tombstone(samples::Random& random) {
  Tombstone out;
  fill(random, out, 1 + random.below(20));
  return out;
}

Reprieve reprieve(samples::Random& random) {
  Reprieve out;
  fill(random, out, 1 + random.below(20));
  return out;
}

TEST(Tombstone, RoundTrips) {
  expect_round_trips("Tombstone", tombstone, parse_tombstone);
  expect_round_trips("Reprieve", reprieve, parse_reprieve);
}

TEST(Tombstone, GuardsItsFormat) {
  samples::Random random(1);
  expect_guards_format(message_of<proto::Tombstone>(tombstone(random)), parse_tombstone, kMaxTombstoneBytes);
  expect_guards_format(message_of<proto::Reprieve>(reprieve(random)), parse_reprieve, kMaxTombstoneBytes);
}

TEST(Tombstone, RefusesEachBound) {
  samples::Random random(2);
  Tombstone good;
  fill(random, good, 3);
  ASSERT_TRUE(parse_tombstone(encode(good)));
  Tombstone bad = good;
  bad.segments.clear();
  expect_refused(parse_tombstone(encode(bad)), Errc::invalid, "number of segments");
  bad = good;
  std::swap(bad.segments[0], bad.segments[1]);
  expect_refused(parse_tombstone(encode(bad)), Errc::invalid, "do not rise");
  bad = good;
  bad.segments[1] = bad.segments[0];
  expect_refused(parse_tombstone(encode(bad)), Errc::invalid, "do not rise");
  bad.segments.clear();
  fill(random, bad, kMaxTombstoneSegments + 1);
  expect_refused(parse_tombstone(encode(bad)), Errc::invalid, "number of segments");
  auto message = message_of<proto::Tombstone>(good);
  message.mutable_segments()->pop_back();
  expect_refused(parse_tombstone(impl::serialize(message)), Errc::invalid, "32 bytes");
  message = message_of<proto::Tombstone>(good);
  message.clear_device();
  expect_refused(parse_tombstone(impl::serialize(message)), Errc::invalid, "32 bytes");
}

TEST(Tombstone, TheLongestFitsItsLimit) {
  primitives::init_sodium();
  samples::Random random(3);
  Tombstone longest;
  fill(random, longest, kMaxTombstoneSegments);
  const primitives::SigningKey key(random.array());
  EXPECT_LE(encode(sign(key, kSignTombstone, encode(longest))).size(), kMaxTombstoneBytes);
  EXPECT_TRUE(parse_tombstone(encode(longest)));
}

/// One is never taken for the other, though their fields are the same.
TEST(Tombstone, SignaturesHaveContextsOfTheirOwn) {
  primitives::init_sodium();
  samples::Random random(4);
  const Signed envelope = sign(primitives::SigningKey(random.array()), kSignTombstone, encode(tombstone(random)));
  EXPECT_TRUE(verify(envelope, kSignTombstone));
  EXPECT_FALSE(verify(envelope, kSignReprieve));
}

}  // namespace
}  // namespace mhp::wire
