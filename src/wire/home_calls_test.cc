// The messages of the home protocol: round trip, golden bytes, and each bound refused.
#include "wire/home_calls.h"

#include <wire/home_calls.pb.h>

#include "wire/golden_support.h"
#include "wire/home_log.h"
#include "wire/test_support.h"

namespace mhp::wire {
namespace {

std::vector<std::uint8_t> some_rows(samples::Random& random) {
  std::vector<std::uint8_t> out;
  for (unsigned row = 0; row < kMaxRows; ++row)
    if (random.below(8) == 0) out.push_back(static_cast<std::uint8_t>(row));
  return out;
}

std::vector<Bytes> some_heads(samples::Random& random, std::uint64_t least) {
  std::vector<Bytes> out;
  for (std::uint64_t i = least + random.below(8); i > 0; --i) out.push_back(random.bytes(1 + random.below(300)));
  return out;
}

template <class IdType>
std::vector<IdType> some_ids(samples::Random& random, std::uint64_t count) {
  std::vector<IdType> out;
  for (std::uint64_t i = 0; i < count; ++i) out.push_back(random.id<IdType>());
  std::ranges::sort(out);
  return out;
}

SessionClaim session_claim(samples::Random& random) {
  return {random.id<VaultId>(), random.id<HomeId>(), random.array()};
}
SessionProof proof(samples::Random& random) {
  return {random.bytes(1 + random.below(300)), random.array(), random.bytes(random.below(300))};
}
HeldCard held_card(samples::Random& random) { return {random.bytes(1 + random.below(2000)), some_rows(random)}; }
HeldPage held_page(samples::Random& random) {
  HeldPage out;
  for (const auto& id : some_ids<SegmentId>(random, random.below(30)))
    out.segments.push_back({id, random.number<std::uint32_t>(1ull << 32), some_rows(random), random.flip()});
  out.more = !out.segments.empty() && random.flip();
  return out;
}
VaultUsage usage(samples::Random& random) {
  VaultUsage out{random.below(1ull << 60), random.below(1ull << 60), random.below(1ull << 60), {}};
  if (random.flip()) out.next_due_ns = random.time();
  return out;
}
CollectResult collected(samples::Random& random) {
  CollectResult out{random.below(1ull << 30), random.below(1ull << 60), random.below(1ull << 60), 5, {}, 0};
  if (random.flip()) out.next_due_ns = random.time();
  out.problems = random.number<std::uint32_t>(1000);
  return out;
}
ScrubResult scrubbed(samples::Random& random) {
  ScrubResult out{.rows = random.below(1ull << 30), .bytes = random.below(1ull << 60)};
  for (std::uint64_t i = random.below(20); i > 0; --i)
    out.bad.emplace_back(random.id<SegmentId>(), random.number<std::uint8_t>(kMaxRows));
  out.last = random.id<SegmentId>();
  out.more = random.flip();
  return out;
}
VaultRecordsPage records_page(samples::Random& random) {
  VaultRecordsPage out;
  for (const auto& id : some_ids<DeviceId>(random, random.below(10)))
    out.devices.push_back({id, random.flip() ? Bytes() : random.bytes(random.below(2000))});
  out.more = !out.devices.empty() && random.flip();
  return out;
}
FormerRecordReply former_record(samples::Random& random) {
  const auto time = [&] { return static_cast<std::int64_t>(random.below(2 * kMaxReceivedS + 1)) - kMaxReceivedS; };
  return {random.bytes(1 + random.below(3000)), time(), time(), time(), random.flip()};
}
HeadChain chain(samples::Random& random) { return {some_heads(random, 1)}; }
HeadsPage heads_page(samples::Random& random) {
  HeadsPage out;
  for (const auto& id : some_ids<DeviceId>(random, random.below(10))) {
    HeadsPage::Device device{id, some_heads(random, 0), {}};
    for (std::size_t i = 0; i < device.heads.size(); ++i)
      device.received_s.push_back(static_cast<std::int64_t>(random.below(kMaxReceivedS + 1)));
    out.devices.push_back(std::move(device));
  }
  out.more = !out.devices.empty() && random.flip();
  return out;
}

TEST(HomeCalls, RoundTrips) {
  expect_round_trips("SessionClaim", session_claim, parse_session_claim);
  expect_round_trips("SessionProof", proof, parse_session_proof);
  expect_round_trips("HeldCard", held_card, parse_held_card);
  expect_round_trips("HeldPage", held_page, parse_held_page);
  expect_round_trips("VaultUsage", usage, parse_vault_usage);
  expect_round_trips("CollectResult", collected, parse_collect_result);
  expect_round_trips("ScrubResult", scrubbed, parse_scrub_result);
  expect_round_trips("VaultRecordsPage", records_page, parse_vault_records_page);
  expect_round_trips("FormerRecordReply", former_record, parse_former_record_reply);
  expect_round_trips("HeadChain", chain, parse_head_chain);
  expect_round_trips("HeadsPage", heads_page, parse_heads_page);
}

TEST(HomeCalls, GuardTheirFormat) {
  samples::Random random(1);
  const auto expect = [&]<class Message>(Message, auto make, auto parse, std::uint64_t limit_bytes) {
    expect_guards_format(message_of<Message>(make(random)), parse, limit_bytes);
  };
  expect(proto::SessionClaim(), session_claim, parse_session_claim, 512);
  expect(proto::SessionProof(), proof, parse_session_proof, kMaxSessionProofBytes);
  expect(proto::HeldSegment(), held_card, parse_held_card, 17_KiB);
  expect(proto::HeldPage(), held_page, parse_held_page, 300'000);
  expect(proto::VaultUsage(), usage, parse_vault_usage, 512);
  expect(proto::CollectResult(), collected, parse_collect_result, 512);
  expect(proto::ScrubResult(), scrubbed, parse_scrub_result, 300'000);
  expect(proto::VaultRecordsPage(), records_page, parse_vault_records_page, kMaxRecordsPageBytes);
  expect(proto::FormerRecord(), former_record, parse_former_record_reply, kMaxVaultRecordBytes + 512);
  expect(proto::HeadChain(), chain, parse_head_chain, 1'049'664);
  expect(proto::HeadsPage(), heads_page, parse_heads_page, kMaxHeadsPageBytes);
}

TEST(HomeCalls, ColumnsMustFitEachOther) {
  samples::Random random(2);
  HeldPage page;
  for (const auto& id : some_ids<SegmentId>(random, 3)) page.segments.push_back({id, 1, {1, 5}, true});
  ASSERT_TRUE(parse_held_page(encode(page)));
  const auto spoilt = [&](auto spoil) {
    auto message = message_of<proto::HeldPage>(page);
    spoil(message);
    return parse_held_page(impl::serialize(message));
  };
  expect_refused(spoilt([](auto& m) { m.mutable_segments()->pop_back(); }), Errc::invalid, "32 bytes");
  expect_refused(spoilt([](auto& m) { m.add_row_counts(0); }), Errc::invalid, "different lengths");
  expect_refused(spoilt([](auto& m) { m.add_card_versions(1); }), Errc::invalid, "different lengths");
  expect_refused(spoilt([](auto& m) { m.mutable_condemned()->pop_back(); }), Errc::invalid, "different lengths");
  expect_refused(spoilt([](auto& m) { m.set_row_counts(2, 3); }), Errc::invalid, "do not fit");
  expect_refused(spoilt([](auto& m) { m.set_row_counts(0, UINT32_MAX); }), Errc::invalid, "do not fit");
  expect_refused(spoilt([](auto& m) { m.set_row_counts(2, 1); }), Errc::invalid, "rows of no segment");
  expect_refused(spoilt([](auto& m) { m.mutable_rows()->at(1) = 1; }), Errc::invalid, "rows do not rise");
  expect_refused(spoilt([](auto& m) { m.mutable_rows()->at(5) = '\xff'; }), Errc::invalid, "rows do not rise");
  expect_refused(spoilt([](auto& m) { m.mutable_condemned()->at(0) = 2; }), Errc::invalid, "do not fit");
  std::swap(page.segments[0], page.segments[1]);
  expect_refused(parse_held_page(encode(page)), Errc::invalid, "ids do not rise");
  expect_refused(parse_held_page(encode(HeldPage{{}, true})), Errc::invalid, "empty page");
}

TEST(HomeCalls, HeadsMustFitTheirDevices) {
  samples::Random random(3);
  HeadsPage page{{{random.id<DeviceId>(), some_heads(random, 2), {}}}, false};
  page.devices[0].received_s.resize(page.devices[0].heads.size());
  const auto spoilt = [&](auto spoil) {
    auto message = message_of<proto::HeadsPage>(page);
    spoil(message);
    return parse_heads_page(impl::serialize(message));
  };
  ASSERT_TRUE(spoilt([](auto&) {}));
  expect_refused(spoilt([](auto& m) { m.add_received_s(1); }), Errc::invalid, "different lengths");
  expect_refused(spoilt([](auto& m) { m.add_head_counts(0); }), Errc::invalid, "different lengths");
  expect_refused(spoilt([](auto& m) { m.set_head_counts(0, 1); }), Errc::invalid, "heads of no device");
  expect_refused(spoilt([](auto& m) { m.set_head_counts(0, UINT32_MAX); }), Errc::invalid, "do not fit");
  expect_refused(spoilt([](auto& m) { m.mutable_heads(0)->clear(); }), Errc::invalid, "wrong length");
  expect_refused(spoilt([](auto& m) { m.mutable_heads(0)->resize(kMaxHeadBytes + 1); }), Errc::invalid, "wrong length");
  expect_refused(spoilt([](auto& m) { m.set_received_s(0, INT64_MIN); }), Errc::invalid, "a time of receipt");
  expect_refused(spoilt([](auto& m) { m.set_received_s(0, INT64_MAX); }), Errc::invalid, "a time of receipt");
  expect_refused(parse_heads_page(encode(HeadsPage{{}, true})), Errc::invalid, "empty page");
  expect_refused(parse_head_chain(encode(HeadChain{})), Errc::invalid, "number of heads");
  expect_refused(parse_head_chain(encode(HeadChain{std::vector<Bytes>(kMaxChainHeads + 1, Bytes(1))})), Errc::invalid,
                 "number of heads");
}

TEST(HomeCalls, VaultRecordsMustFitTheirDevices) {
  samples::Random random(5);
  VaultRecordsPage page;
  for (const auto& id : some_ids<DeviceId>(random, 2)) page.devices.push_back({id, random.bytes(10)});
  const auto spoilt = [&](auto spoil) {
    auto message = message_of<proto::VaultRecordsPage>(page);
    spoil(message);
    return parse_vault_records_page(impl::serialize(message));
  };
  ASSERT_TRUE(spoilt([](auto& m) { m.mutable_records(0)->clear(); }));  // damaged
  expect_refused(spoilt([](auto& m) { m.add_records("a"); }), Errc::invalid, "different lengths");
  expect_refused(spoilt([](auto& m) { m.mutable_devices()->pop_back(); }), Errc::invalid, "32 bytes");
  expect_refused(spoilt([](auto& m) { m.mutable_records(1)->resize(kMaxVaultRecordBytes + 1); }), Errc::invalid,
                 "too long");
  std::swap(page.devices[0], page.devices[1]);
  expect_refused(parse_vault_records_page(encode(page)), Errc::invalid, "ids do not rise");
  expect_refused(parse_vault_records_page(encode(VaultRecordsPage{{}, true})), Errc::invalid, "empty page");
}

TEST(HomeCalls, AFormerRecordIsOfATimeThatExists) {
  const FormerRecordReply good{Bytes(kMaxVaultRecordBytes), -kMaxReceivedS, kMaxReceivedS, 0, true};
  EXPECT_TRUE(parse_former_record_reply(encode(good)));
  FormerRecordReply bad = good;
  bad.signed_record.clear();
  expect_refused(parse_former_record_reply(encode(bad)), Errc::invalid, "wrong length");
  bad.signed_record.resize(kMaxVaultRecordBytes + 1);
  expect_refused(parse_former_record_reply(encode(bad)), Errc::invalid, "wrong length");
  for (const auto time : {&FormerRecordReply::taken_s, &FormerRecordReply::replaced_s, &FormerRecordReply::since_s}) {
    for (const std::int64_t unix_s : {-kMaxReceivedS - 1, kMaxReceivedS + 1, INT64_MIN, INT64_MAX}) {
      bad = good;
      bad.*time = unix_s;
      expect_refused(parse_former_record_reply(encode(bad)), Errc::invalid, "a time");
    }
  }
}

TEST(HomeCalls, TheLongestFitTheirLimits) {
  samples::Random random(4);
  HeldPage page{{}, true};
  std::vector<std::uint8_t> rows(kMaxRows);
  for (unsigned row = 0; row < kMaxRows; ++row) rows[row] = static_cast<std::uint8_t>(row);
  for (const auto& id : some_ids<SegmentId>(random, kMaxPageSegments))
    page.segments.push_back({id, UINT32_MAX, rows, true});
  EXPECT_TRUE(parse_held_page(encode(page)));
  EXPECT_TRUE(parse_held_card(encode(HeldCard{random.bytes(kMaxCardBytes), rows})));
  EXPECT_TRUE(parse_head_chain(encode(HeadChain{std::vector<Bytes>(kMaxChainHeads, Bytes(kMaxHeadBytes))})));
  const VaultRecordsPage::Device longest_record{random.id<DeviceId>(), Bytes(kMaxVaultRecordBytes)};
  EXPECT_TRUE(parse_vault_records_page(encode(VaultRecordsPage{{longest_record}, true})));
  HeadsPage::Device device{random.id<DeviceId>(), std::vector<Bytes>(kMaxHeadsHeld, Bytes(kMaxHeadBytes)), {}};
  device.received_s.resize(kMaxHeadsHeld, -1);
  EXPECT_TRUE(parse_heads_page(encode(HeadsPage{{device}, true})));
  const SessionProof longest{random.bytes(kMaxCertificateBytes), random.array(), random.bytes(kMaxCertificateBytes)};
  EXPECT_TRUE(parse_session_proof(encode(longest)));
  ScrubResult bad{.bad = std::vector(kMaxScrubBad, std::pair(random.id<SegmentId>(), std::uint8_t{1}))};
  EXPECT_TRUE(parse_scrub_result(encode(bad)));
}

TEST(HomeCalls, Golden) {
  const Bytes some{std::byte{1}, std::byte{2}, std::byte{3}};
  SessionClaim claimed{id<VaultId>(1), id<HomeId>(2), {}};
  std::ranges::copy(id<VaultId>(3).bytes(), claimed.exporter.begin());
  expect_golden("session_claim", claimed, parse_session_claim);
  expect_golden("session_proof", SessionProof{some, claimed.exporter, some}, parse_session_proof);
  expect_golden("held_segment", HeldCard{some, {0, 7, 254}}, parse_held_card);
  const HeldPage page{{{id<SegmentId>(4), 1, {0, 2}, false}, {id<SegmentId>(5), 300, {}, true}}, true};
  expect_golden("held_page", page, parse_held_page);
  expect_golden("vault_usage", VaultUsage{1000, 2000, 30, -5}, parse_vault_usage);
  expect_golden("collect_result", CollectResult{1, 2000, 3, 400, 5, 6}, parse_collect_result);
  const ScrubResult scrub{12, 3000, {{id<SegmentId>(6), 9}}, id<SegmentId>(7), true};
  expect_golden("scrub_result", scrub, parse_scrub_result);
  const VaultRecordsPage records{{{id<DeviceId>(10), some}, {id<DeviceId>(11), {}}}, true};
  expect_golden("vault_records_page", records, parse_vault_records_page);
  expect_golden("former_record", FormerRecordReply{some, 0, 1'767'225'600, -1, true}, parse_former_record_reply);
  expect_golden("head_chain", HeadChain{{some, some}}, parse_head_chain);
  const HeadsPage heads{{{id<DeviceId>(8), {some, some}, {1'767'225'600, 1}}, {id<DeviceId>(9), {}, {}}}, false};
  expect_golden("heads_page", heads, parse_heads_page);
}

}  // namespace
}  // namespace mhp::wire
