// Heads and references: round trip, and each bound refused.
#include "wire/head.h"

#include <wire/sealed.pb.h>
#include <wire/visible.pb.h>

#include "wire/test_support.h"

namespace mhp::wire {
namespace {

TEST(Head, RoundTrips) { expect_round_trips("Head", samples::head, parse_head); }
TEST(PhysicalRef, RoundTrips) { expect_round_trips("PhysicalRef", samples::physical_ref, parse_physical_ref); }

TEST(Head, GuardsItsFormat) {
  samples::Random random(1);
  expect_guards_format(message_of<proto::Head>(samples::head(random)), parse_head, kMaxHeadBytes);
  expect_guards_format(message_of<proto::PhysicalRef>(samples::physical_ref(random)), parse_physical_ref,
                       kMaxSealedRootBytes);
}

TEST(Head, RefusesEachBound) {
  samples::Random random(2);
  Head good = samples::head(random);
  good.seq = 2;
  good.previous = random.id<HeadHash>();
  ASSERT_TRUE(parse_head(encode(good)));
  Head bad = good;
  bad.seq = 0;
  expect_refused(parse_head(encode(bad)), Errc::invalid, "seq 0");
  bad.seq = 1;
  expect_refused(parse_head(encode(bad)), Errc::invalid, "only the first");
  bad = good;
  bad.previous = {};
  expect_refused(parse_head(encode(bad)), Errc::invalid, "only the first");
  bad = good;
  bad.epoch = 0;
  expect_refused(parse_head(encode(bad)), Errc::invalid, "epoch 0");
  bad = good;
  bad.vault_record_version = 0;
  expect_refused(parse_head(encode(bad)), Errc::invalid, "vault record version 0");
  bad = good;
  bad.sealed_root.resize(kMaxSealedRootBytes + 1);
  expect_refused(parse_head(encode(bad)), Errc::invalid, "root");
  auto message = message_of<proto::Head>(good);
  message.clear_vault_record();
  expect_refused(parse_head(impl::serialize(message)), Errc::invalid, "32 bytes");
}

TEST(Head, SignedFitsItsLimit) {
  primitives::init_sodium();
  samples::Random random(3);
  Head head = samples::head(random);
  head.sealed_root = random.bytes(kMaxSealedRootBytes);
  EXPECT_LE(encode(sign(primitives::SigningKey(random.array()), kSignHead, encode(head))).size(), kMaxHeadBytes);
}

}  // namespace
}  // namespace mhp::wire
