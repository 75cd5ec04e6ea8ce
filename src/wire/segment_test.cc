// Directory, trailer and size classes of a segment: round trips, and each bound refused.
#include "wire/segment.h"

#include <wire/sealed.pb.h>

#include "wire/impl/fixed.h"
#include "wire/test_support.h"

namespace mhp::wire {
namespace {

constexpr std::uint32_t kPlain = 1u << 20;

Result<SegmentDirectory> parse(ByteView bytes) { return parse_segment_directory(bytes, kPlain); }

SegmentDirectory small() {
  samples::Random random(7);
  return {.bundles = {{.offset = 0, .stored_bytes = 100, .plain_bytes = 1000, .compressed = true},
                      {.offset = 100, .stored_bytes = 50, .plain_bytes = 50, .compressed = false}},
          .chunks = {{random.id<ChunkId>(), 0, 0, 1000}, {random.id<ChunkId>(), 1, 10, 40}}};
}

TEST(SegmentDirectory, RoundTrips) {
  expect_round_trips(
      "SegmentDirectory", [](samples::Random& r) { return samples::segment_directory(r, kPlain); }, parse);
}

TEST(SegmentDirectory, GuardsItsFormat) {
  expect_guards_format(message_of<proto::SegmentDirectory>(small()), parse, kMaxSegmentBytes);
}

TEST(SegmentDirectory, FitsItsCapacity) {
  SegmentDirectory most;
  const std::uint32_t far = kMaxSegmentBytes;
  most.bundles.assign(kMaxBundles, {.offset = 0, .stored_bytes = far, .plain_bytes = far, .compressed = true});
  most.chunks.assign(300'000, {.bundle = kMaxBundles - 1, .offset = far, .bytes = 0});
  const Bytes bytes = encode(most);
  EXPECT_LE(bytes.size(), directory_capacity(most.bundles.size(), most.chunks.size()));
  EXPECT_TRUE(parse_segment_directory(bytes, kMaxSegmentBytes));
  EXPECT_LE(encode(SegmentDirectory{}).size(), directory_capacity(0, 0));
}

TEST(SegmentDirectory, RefusesEachBound) {
  ASSERT_TRUE(parse(encode(small())));
  const auto refused = [&](auto spoil, const char* words) {
    SegmentDirectory bad = small();
    spoil(bad);
    expect_refused(parse(encode(bad)), Errc::invalid, words);
  };
  refused([](SegmentDirectory& d) { d.bundles[0].offset = kPlain - 99; }, "bundle passes the end");
  refused([](SegmentDirectory& d) { d.bundles[0].offset = ~0u; }, "bundle passes the end");
  refused([](SegmentDirectory& d) { d.bundles[0].plain_bytes = kMaxBundleBytes + 1; }, "too long");
  refused([](SegmentDirectory& d) { d.bundles[1].plain_bytes = 49; }, "lengths of a bundle");
  refused([](SegmentDirectory& d) { d.chunks[1].bundle = 2; }, "in no bundle");
  refused([](SegmentDirectory& d) { d.chunks[1].bytes = 41; }, "passes the end of its bundle");
  refused([](SegmentDirectory& d) { d.chunks[1].offset = ~0u; }, "passes the end of its bundle");
  refused([](SegmentDirectory& d) { d.bundles.resize(kMaxBundles + 1); }, "too many bundles");
  const auto refused_message = [&](auto spoil, const char* words) {
    auto bad = message_of<proto::SegmentDirectory>(small());
    spoil(bad);
    expect_refused(parse(impl::serialize(bad)), Errc::invalid, words);
  };
  refused_message([](auto& m) { m.mutable_bundle_method()->at(0) = 2; }, "unknown method");
  refused_message([](auto& m) { m.mutable_bundle_method()->pop_back(); }, "columns of bundles");
  refused_message([](auto& m) { m.add_bundle_offset(1); }, "columns of bundles");
  refused_message([](auto& m) { m.add_chunk_offset(1); }, "columns of chunks");
  refused_message([](auto& m) { m.mutable_chunk_id()->push_back('x'); }, "columns of chunks");
}

TEST(SegmentTrailer, RoundTripsAndRefuses) {
  const SegmentTrailer trailer{.directory_offset = 1000, .directory_bytes = 64'504};
  Bytes good(SegmentTrailer::kSizeBytes, std::byte{0xee});
  write_segment_trailer(trailer, std::span<std::byte, SegmentTrailer::kSizeBytes>(good));
  ASSERT_TRUE(parse_segment_trailer(good, 64_KiB));
  EXPECT_EQ(*parse_segment_trailer(good, 64_KiB), trailer);
  expect_refused(parse_segment_trailer(good, 64_KiB - 1), Errc::invalid, "passes the end");
  expect_refused(parse_segment_trailer(good, 0), Errc::invalid, "passes the end");
  expect_refused(parse_segment_trailer(good, kMaxSegmentBytes + 1), Errc::invalid, "passes the end");
  expect_refused(parse_segment_trailer(ByteView(good).first(31), 64_KiB), Errc::invalid, "32 bytes");
  const auto refused = [&](std::size_t at, std::uint8_t value, const char* words) {
    Bytes bad = good;
    impl::put(bad, at, value);
    expect_refused(parse_segment_trailer(bad, 64_KiB), Errc::invalid, words);
  };
  refused(0, 'x', "not one");
  refused(8, 3, "written by a newer mhp: format 3");
  refused(10, 1, "unused");
  refused(20, 1, "unused");
  refused(31, 1, "unused");
  refused(15, 255, "passes the end");
}

TEST(SizeClass, IsTheSmallestThatFits) {
  EXPECT_EQ(size_class(1), 64_KiB);
  EXPECT_EQ(size_class(64_KiB), 64_KiB);
  EXPECT_EQ(size_class(64_KiB + 1), 128_KiB);
  EXPECT_EQ(size_class(513 * 1024), 1_MiB);
  EXPECT_EQ(size_class(1_MiB), 1_MiB);
  EXPECT_EQ(size_class(1_MiB + 1), 2_MiB);
  EXPECT_EQ(size_class(3_MiB + 1), 4_MiB);
  EXPECT_EQ(size_class(4_MiB + 1), 4_MiB + 256_KiB);
  EXPECT_EQ(size_class(9_MiB - 1), 9_MiB);
  EXPECT_EQ(size_class(kMaxSegmentBytes), kMaxSegmentBytes);
}

}  // namespace
}  // namespace mhp::wire
