// Cards: round trip, and each bound refused.
#include "wire/card.h"

#include <wire/visible.pb.h>

#include "wire/test_support.h"

namespace mhp::wire {
namespace {

TEST(Card, RoundTrips) { expect_round_trips("Card", samples::card, parse_card); }

TEST(Card, GuardsItsFormat) {
  samples::Random random(1);
  expect_guards_format(message_of<proto::Card>(samples::card(random)), parse_card, kMaxCardBytes);
}

TEST(Card, SignedFitsItsCapacity) {
  primitives::init_sodium();
  Card card{.version = ~0u,
            .k = 1,
            .epoch = ~0u,
            .sealed_bytes = kMaxSealedBytes,
            .row_bytes = static_cast<std::uint32_t>(kMaxSealedBytes),
            .minimum_hold_s = kMaxHoldS};
  samples::Random random(2);
  const primitives::SigningKey key(random.array());
  for (const std::size_t n : {1u, 3u, 4u, 36u, kMaxRows}) {
    card.fragments.assign(n, random.id<FragmentId>());
    const Bytes bytes = encode(sign(key, kSignCard, encode(card)));
    EXPECT_LE(bytes.size(), signed_card_capacity(n));
    EXPECT_LE(bytes.size(), kMaxCardBytes);
    EXPECT_TRUE(parse_card(encode(card)));
  }
}

TEST(Card, RefusesEachBound) {
  samples::Random random(3);
  Card good{.k = 12, .sealed_bytes = 1'000'000, .row_bytes = 83'334};
  for (int i = 0; i < 30; ++i) good.fragments.push_back(random.id<FragmentId>());
  ASSERT_TRUE(parse_card(encode(good)));
  const auto refused = [&](auto spoil, const char* words) {
    Card bad = good;
    spoil(bad);
    expect_refused(parse_card(encode(bad)), Errc::invalid, words);
  };
  refused([](Card& c) { c.version = 0; }, "version 0");
  refused([](Card& c) { c.k = 0; }, "k is not");
  refused([](Card& c) { c.k = kMaxNeed + 1; }, "k is not");
  refused([](Card& c) { c.fragments.resize(11); }, "number of rows");
  refused([](Card& c) { c.fragments.resize(kMaxRows + 1); }, "number of rows");
  refused([](Card& c) { c.sealed_bytes = 0; }, "sealed size");
  refused([](Card& c) { c.sealed_bytes = kMaxSealedBytes + 1; }, "sealed size");
  refused([](Card& c) { c.row_bytes += 1; }, "row size");
  refused([](Card& c) { c.row_bytes -= 1; }, "row size");
  refused([](Card& c) { c.minimum_hold_s = kMaxHoldS + 1; }, "hold");
  auto message = message_of<proto::Card>(good);
  message.mutable_fragments()->push_back('x');
  expect_refused(parse_card(impl::serialize(message)), Errc::invalid, "number of rows");
  message = message_of<proto::Card>(good);
  message.mutable_vault()->pop_back();
  expect_refused(parse_card(impl::serialize(message)), Errc::invalid, "32 bytes");
}

}  // namespace
}  // namespace mhp::wire
