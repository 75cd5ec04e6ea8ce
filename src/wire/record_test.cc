// Records: layout, round trip, every changed byte of the front found, each bound refused.
#include "wire/record.h"

#include "wire/impl/fixed.h"
#include "wire/test_support.h"

namespace mhp::wire {
namespace {

Bytes written(const RecordFront& front, std::byte dirt = std::byte{0xaa}) {
  Bytes record(front.record_bytes, dirt);
  write_record_front(front, record);
  return record;
}

/// After a change by hand: the hash is made to fit again, as one who wants to mislead would.
void rehash(Bytes& record, std::size_t front_bytes) {
  auto hash = primitives::Blake3::derived("mhp 1 record front");
  hash.update(ByteView(record).first(96)).update(ByteView(record).first(front_bytes).subspan(160));
  impl::put_bytes(record, 96, hash.finish());
}

TEST(Record, RoundTrips) {
  for (std::uint64_t seed = test_seed(); seed < test_seed() + 200; ++seed) {
    SCOPED_TRACE("MHP_SEED=" + std::to_string(seed));
    samples::Random random(seed);
    const RecordFront front = samples::record_front(random);
    const Bytes record = written(front);
    EXPECT_EQ(front.front_bytes % 64, 0u);
    EXPECT_EQ(front.record_bytes % kRecordAlignment, 0u);
    const auto again = parse_record_front(ByteView(record).first(front.front_bytes));
    ASSERT_TRUE(again) << again.error().detail;
    EXPECT_EQ(*again, front);
    EXPECT_EQ(*parse_record_front(record), front);
    const auto lengths = peek_record(ByteView(record).first(RecordFront::kHeaderBytes));
    ASSERT_TRUE(lengths);
    EXPECT_EQ(lengths->record_bytes, front.record_bytes);
    EXPECT_EQ(lengths->front_bytes, front.front_bytes);
    EXPECT_EQ(parse_record_front(ByteView(record).first(front.front_bytes - 1)).error().code, Errc::unavailable);
    EXPECT_EQ(parse_record_front(ByteView(record).first(191)).error().code, Errc::unavailable);
  }
}

TEST(Record, FragmentsStayAndAllElseIsZeroed) {
  samples::Random random(test_seed());
  const std::vector<std::uint8_t> rows{7, 3, 250};
  RecordFront front = plan_record(random.id<VaultId>(), random.id<SegmentId>(), rows, 1001, 500);
  front.signed_card = random.bytes(450);
  const Bytes a = written(front, std::byte{0xaa});
  const Bytes b = written(front, std::byte{0x55});
  std::vector<bool> fragment(a.size());
  for (const RecordRow& row : front.rows) {
    EXPECT_EQ(row.offset % 64, 0u);
    EXPECT_EQ(row.bytes, 1001u);
    for (std::size_t i = 0; i < row.bytes; ++i) fragment[row.offset + i] = true;
  }
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (fragment[i]) {
      ASSERT_EQ(a[i], std::byte{0xaa});
    } else {
      ASSERT_EQ(a[i], b[i]) << "old bytes of the buffer left at " << i;
    }
  }
}

TEST(Record, EveryChangedByteOfTheFrontIsFoundButTheStamp) {
  samples::Random random(test_seed());
  const RecordFront front = samples::record_front(random);
  Bytes record = written(front);
  for (std::size_t at = 0; at < front.front_bytes; ++at) {
    record[at] ^= std::byte{4};
    const auto parsed = parse_record_front(record);
    const bool stamp = at >= 128 && at < 160;
    EXPECT_EQ(parsed.has_value(), stamp) << at;
    record[at] ^= std::byte{4};
  }
  const primitives::Hash hash = record_front_hash(record);
  std::ranges::fill(record_stamp(MutableBytes(record)), std::byte{9});
  EXPECT_EQ(record_stamp(ByteView(record))[31], std::byte{9});
  EXPECT_EQ(record_front_hash(record), hash);
  EXPECT_EQ(*parse_record_front(record), front);
}

TEST(Record, ACardAloneIsARecord) {
  samples::Random random(4);
  RecordFront front = plan_record(random.id<VaultId>(), random.id<SegmentId>(), {}, 0, 1000);
  front.signed_card = random.bytes(1000);
  EXPECT_EQ(front.record_bytes, 4096u);
  EXPECT_EQ(*parse_record_front(written(front)), front);
}

TEST(Record, RefusesEachBoundThoughTheHashFits) {
  samples::Random random(5);
  RecordFront front =
      plan_record(random.id<VaultId>(), random.id<SegmentId>(), std::vector<std::uint8_t>{1, 2}, 900, 800);
  front.signed_card = random.bytes(700);
  const auto refused = [&]<class Number>(std::size_t at, Number value, const char* words) {
    Bytes record = written(front);
    impl::put(record, at, value);
    rehash(record, front.front_bytes);
    expect_refused(parse_record_front(record), Errc::invalid, words);
  };
  refused(0, std::uint8_t{'x'}, "not a record");
  refused(8, std::uint16_t{3}, "written by a newer mhp: format 3");
  refused(10, std::uint16_t{256}, "too many rows");
  refused(16, front.record_bytes + 1, "length");
  refused(16, static_cast<std::uint32_t>(kMaxRecordBytes + 4096), "length");
  refused(16, 0u, "length");
  refused(20, front.front_bytes + 1, "front");
  refused(20, 128u, "front");
  refused(20, 1u << 20, "front");
  refused(24, static_cast<std::uint32_t>(kMaxCardBytes + 1), "card");
  refused(24, 900u, "card");
  refused(24, 600u, "unused");
  refused(28, 1u, "unused");
  refused(160, 1u, "unused");
  refused(front.front_bytes - 4ul, 1u, "unused");
  refused(192, std::uint8_t{255}, "row number");
  refused(192, std::uint8_t{2}, "row number");
  refused(193, std::uint8_t{1}, "unused");
  refused(196, front.front_bytes - 64, "out of place");
  refused(196, front.front_bytes + 1, "out of place");
  refused(208, front.front_bytes + 64, "out of place");
  refused(200, 0u, "length of a fragment");
  refused(200, 1u << 30, "length of a fragment");
  refused(212, front.record_bytes, "passes the end");
}

}  // namespace
}  // namespace mhp::wire
