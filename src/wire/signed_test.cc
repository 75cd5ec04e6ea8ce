// The signed envelope: round trip, bounds, and that a signature serves one purpose.
#include "wire/signed.h"

#include <wire/visible.pb.h>

#include "wire/test_support.h"

namespace mhp::wire {
namespace {

constexpr std::uint64_t kLimit = 4_KiB;

Result<Signed> parse_small(ByteView bytes) { return parse_signed(bytes, kLimit); }

TEST(Signed, RoundTrips) { expect_round_trips("Signed", samples::signed_envelope, parse_small); }

TEST(Signed, GuardsItsFormat) {
  samples::Random random(1);
  expect_guards_format(message_of<proto::Signed>(samples::signed_envelope(random)), parse_small, kLimit);
}

TEST(Signed, RefusesWrongLengths) {
  samples::Random random(2);
  const auto good = message_of<proto::Signed>(samples::signed_envelope(random));
  auto bad = good;
  bad.mutable_signer()->push_back('x');
  expect_refused(parse_small(impl::serialize(bad)), Errc::invalid, "wrong length");
  bad = good;
  bad.mutable_signature()->pop_back();
  expect_refused(parse_small(impl::serialize(bad)), Errc::invalid, "wrong length");
}

TEST(Signed, VerifiesForOnePurposeOnly) {
  primitives::init_sodium();
  samples::Random random(3);
  const primitives::SigningKey key(random.array());
  Signed envelope = sign(key, kSignCard, random.bytes(100));
  EXPECT_EQ(envelope.signer, key.public_key());
  EXPECT_TRUE(verify(envelope, kSignCard));
  EXPECT_FALSE(verify(envelope, kSignHead));
  Signed changed = envelope;
  changed.body[7] ^= std::byte{1};
  EXPECT_FALSE(verify(changed, kSignCard));
  changed = envelope;
  changed.signer = random.array();
  EXPECT_FALSE(verify(changed, kSignCard));
}

}  // namespace
}  // namespace mhp::wire
