// Fragments: header bytes, and that any change of any byte is found against the id.
#include "wire/fragment.h"

#include "wire/test_support.h"

namespace mhp::wire {
namespace {

Bytes header_bytes(const FragmentHeader& header) {
  Bytes out(FragmentHeader::kSizeBytes);
  write_fragment_header(header, std::span<std::byte, FragmentHeader::kSizeBytes>(out));
  return out;
}

struct Made {
  FragmentId id;
  Bytes bytes;
  ByteView front() const { return ByteView(bytes).first(payload_at); }
  std::size_t payload_at = 0;
};

Made make(samples::Random& random, const FragmentHeader& header) {
  Made out;
  out.payload_at = fragment_payload_offset(header.row_bytes);
  out.bytes = random.bytes(fragment_bytes(header.row_bytes));
  out.id = finish_fragment(header, random.array(), out.bytes);
  return out;
}

TEST(FragmentHeader, RoundTrips) {
  for (std::uint64_t seed = test_seed(); seed < test_seed() + 300; ++seed) {
    SCOPED_TRACE("MHP_SEED=" + std::to_string(seed));
    samples::Random random(seed);
    const FragmentHeader header = samples::fragment_header(random);
    const auto again = parse_fragment_header(header_bytes(header));
    ASSERT_TRUE(again) << again.error().detail;
    EXPECT_EQ(*again, header);
  }
}

TEST(FragmentHeader, RefusesEachBound) {
  samples::Random random(1);
  FragmentHeader good{.row = 3, .k = 12, .epoch = 1, .row_bytes = 1000, .sealed_bytes = 12'000};
  good.segment = random.id<SegmentId>();
  ASSERT_TRUE(parse_fragment_header(header_bytes(good)));
  const auto refused = [&](auto spoil, const char* words) {
    FragmentHeader bad = good;
    spoil(bad);
    expect_refused(parse_fragment_header(header_bytes(bad)), Errc::invalid, words);
  };
  refused([](FragmentHeader& h) { h.row = 255; }, "row 255");
  refused([](FragmentHeader& h) { h.k = 0; }, "k is not");
  refused([](FragmentHeader& h) { h.k = kMaxNeed + 1; }, "k is not");
  refused([](FragmentHeader& h) { h.sealed_bytes = 0; }, "sealed size");
  refused([](FragmentHeader& h) { h.sealed_bytes = kMaxSealedBytes + 1; }, "sealed size");
  refused([](FragmentHeader& h) { h.row_bytes = 1001; }, "row size");
  Bytes bytes = header_bytes(good);
  expect_refused(parse_fragment_header(ByteView(bytes).first(127)), Errc::invalid, "128 bytes");
  bytes[8] = std::byte{3};
  expect_refused(parse_fragment_header(bytes), Errc::invalid, "written by a newer mhp: format 3");
  for (const std::size_t unused : {20u, 23u, 64u, 127u}) {
    bytes = header_bytes(good);
    bytes[unused] = std::byte{1};
    expect_refused(parse_fragment_header(bytes), Errc::invalid, "unused");
  }
  bytes = header_bytes(good);
  bytes[0] = std::byte{'x'};
  expect_refused(parse_fragment_header(bytes), Errc::invalid, "not a fragment");
}

TEST(Fragment, FinishedIsReadBack) {
  for (std::uint64_t seed = test_seed(); seed < test_seed() + 30; ++seed) {
    SCOPED_TRACE("MHP_SEED=" + std::to_string(seed));
    samples::Random random(seed);
    const FragmentHeader header = samples::fragment_header(random);
    const Made made = make(random, header);
    const auto front = parse_fragment_front(made.front(), made.id);
    ASSERT_TRUE(front) << front.error().detail;
    EXPECT_EQ(front->header, header);
    ASSERT_EQ(front->leaves.size(), primitives::leaf_count(header.row_bytes));
    const ByteView payload = ByteView(made.bytes).subspan(made.payload_at);
    EXPECT_TRUE(check_payload(*front, 1, payload));
    for (std::uint32_t leaf = 1; leaf < front->leaves.size(); ++leaf) {
      const ByteView rest = payload.subspan((leaf - 1) * primitives::kLeafBytes);
      EXPECT_TRUE(check_payload(*front, leaf, rest));
      EXPECT_TRUE(check_payload(*front, leaf, rest.first(std::min(rest.size(), primitives::kLeafBytes))));
    }
  }
}

TEST(Fragment, AnyChangedByteIsFound) {
  samples::Random random(test_seed());
  const FragmentHeader header{.row = 13, .k = 2, .epoch = 4, .row_bytes = 70'000, .sealed_bytes = 140'000};
  Made made = make(random, header);
  const auto front = parse_fragment_front(made.front(), made.id);
  ASSERT_TRUE(front);
  for (std::size_t at = 0; at < made.bytes.size(); at += at < made.payload_at ? 1 : 997) {
    made.bytes[at] ^= std::byte{0x10};
    if (at < made.payload_at) {
      expect_refused(parse_fragment_front(made.front(), made.id), Errc::corrupt, "");
    } else {
      const auto checked = check_payload(*front, 1, ByteView(made.bytes).subspan(made.payload_at));
      ASSERT_FALSE(checked);
      EXPECT_EQ(checked.error().code, Errc::corrupt);
    }
    made.bytes[at] ^= std::byte{0x10};
  }
  samples::Random other(99);
  expect_refused(parse_fragment_front(made.front(), other.id<FragmentId>()), Errc::corrupt, "id");
  for (const std::size_t size : {0ul, 1ul, 127ul, 160ul, 192ul, made.payload_at - 32})
    expect_refused(parse_fragment_front(ByteView(made.bytes).first(size), made.id), Errc::corrupt, "");
}

TEST(Fragment, RefusesPartsThatDoNotFit) {
  samples::Random random(5);
  const FragmentHeader header{.row = 0, .k = 1, .epoch = 0, .row_bytes = 150'000, .sealed_bytes = 150'000};
  const Made made = make(random, header);
  const auto front = parse_fragment_front(made.front(), made.id);
  ASSERT_TRUE(front);
  const ByteView payload = ByteView(made.bytes).subspan(made.payload_at);
  const auto code = [&](std::uint32_t leaf, ByteView part) {
    const auto checked = check_payload(*front, leaf, part);
    return checked ? Errc{} : checked.error().code;
  };
  EXPECT_EQ(code(0, payload), Errc::invalid);
  EXPECT_EQ(code(4, {}), Errc::invalid);
  EXPECT_EQ(code(2, payload), Errc::invalid);              // longer than what is left
  EXPECT_EQ(code(1, payload.first(1000)), Errc::invalid);  // part of a leaf
  EXPECT_EQ(code(3, payload.subspan(131'072, 10)), Errc::invalid);
  EXPECT_EQ(code(2, payload.first(65'536)), Errc::corrupt);  // another leaf's bytes
}

TEST(Fragment, AHeaderThatDoesNotFitIsRefusedThoughItsHashesDo) {
  samples::Random random(6);
  const FragmentHeader header{.row = 0, .k = 1, .epoch = 0, .row_bytes = 1000, .sealed_bytes = 1000};
  Made made = make(random, header);
  made.bytes[8] = std::byte{3};
  std::vector<primitives::Hash> leaves = primitives::leaf_hashes(ByteView(made.bytes).first(kLeafZeroBytes),
                                                                 ByteView(made.bytes).subspan(made.payload_at));
  std::memcpy(made.bytes.data() + kLeafZeroBytes, leaves.data(), leaves.size() * 32);
  expect_refused(parse_fragment_front(made.front(), primitives::root_of(leaves)), Errc::invalid, "newer mhp: format 3");
}

}  // namespace
}  // namespace mhp::wire
