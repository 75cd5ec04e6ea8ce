// Segments coded into records: the same bytes as the plain way, any k rows give them back, rows can be added later.
#include "dispersal/encode.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <numeric>

#include "dispersal/testing/world.h"
#include "primitives/erasure/row_code.h"
#include "wire/fragment.h"

namespace mhp::dispersal {
namespace {

using testing::make_sample;
using testing::random_id;
using testing::Sample;

std::vector<std::uint8_t> numbers(unsigned from, unsigned to) {
  std::vector<std::uint8_t> rows(to - from);
  std::iota(rows.begin(), rows.end(), static_cast<std::uint8_t>(from));
  return rows;
}

/// Fragments by row, as they lie in the records.
std::map<std::uint8_t, Bytes> fragments_of(const EncodedSegment& encoded) {
  std::map<std::uint8_t, Bytes> rows;
  for (const Shipment& shipment : encoded.shipments) {
    for (const wire::RecordRow& row : shipment.front.rows) {
      const Bytes bytes = to_bytes(shipment.buffer.bytes().subspan(row.offset, row.bytes));
      if (rows.contains(row.row)) {
        EXPECT_EQ(rows[row.row], bytes) << "row " << int{row.row} << " differs between homes";
      }
      rows[row.row] = bytes;
    }
  }
  return rows;
}

/// The sealed bytes and salts from the fragments of k rows.
void expect_decodes(const Sample& sample, const wire::Card& card, const std::map<std::uint8_t, Bytes>& fragments,
                    const std::vector<std::uint8_t>& have) {
  const std::size_t payload_at = wire::fragment_payload_offset(card.row_bytes);
  std::vector<const std::byte*> payloads;
  std::vector<const std::byte*> salts;
  for (std::uint8_t row : have) {
    payloads.push_back(fragments.at(row).data() + payload_at);
    salts.push_back(fragments.at(row).data() + wire::FragmentHeader::kSizeBytes);
  }
  const auto code = primitives::RowCode::make(have, numbers(0, card.k));
  ASSERT_TRUE(code);
  Bytes data(std::size_t{card.k} * card.row_bytes);
  std::vector<primitives::Hash> got(card.k);
  std::vector<std::byte*> to;
  std::vector<std::byte*> salts_to;
  for (std::size_t i = 0; i < card.k; ++i) {
    to.push_back(data.data() + i * card.row_bytes);
    salts_to.push_back(got[i].data());
  }
  code->apply(card.row_bytes, payloads, to);
  code->apply(sizeof(primitives::Hash), salts, salts_to);
  ASSERT_TRUE(std::equal(sample.sealed.begin(), sample.sealed.end(), data.begin()));
  ASSERT_TRUE(std::all_of(data.begin() + static_cast<std::ptrdiff_t>(sample.sealed.size()), data.end(),
                          [](std::byte byte) { return byte == std::byte{0}; }));
  ASSERT_EQ(got, sample.salts);
}

TEST(Encode, FragmentsAreThoseOfTheFormatAndCheckAlone) {
  std::mt19937_64 random(testing::seed_of_run());
  const VaultId vault = random_id<VaultId>(random);
  for (std::size_t bytes : {1u, 11u, 12u, 13u, 65'536u + 16, 786'432u, 786'433u, 1'048'576u + 272}) {
    SCOPED_TRACE(bytes);
    const Sample sample = make_sample(random, bytes);
    BufferPool pool;
    const std::vector<RowsFor> wanted{{.home = 3, .rows = numbers(0, 9)}, {.home = 5, .rows = numbers(9, 18)}};
    const EncodedSegment encoded = encode(sample.segment(vault), wanted, nullptr, pool);
    const wire::Card& card = encoded.card;
    EXPECT_EQ(card.n(), 18u);
    EXPECT_EQ(card.version, 1u);
    EXPECT_EQ(card.minimum_hold_s, 2'592'000u);
    EXPECT_TRUE(wire::parse_card(wire::encode(card)));
    EXPECT_EQ(encoded.shipments[1].home, 5u);
    const auto fragments = fragments_of(encoded);
    ASSERT_EQ(fragments.size(), 18u);
    for (const auto& [row, fragment] : fragments) {
      const std::size_t payload_at = wire::fragment_payload_offset(card.row_bytes);
      const auto front = wire::parse_fragment_front(ByteView(fragment).first(payload_at), card.fragments[row]);
      ASSERT_TRUE(front) << front.error().detail;
      EXPECT_EQ(front->header.row, row);
      EXPECT_EQ(front->header.epoch, 1u);
      EXPECT_TRUE(wire::check_payload(*front, 1, ByteView(fragment).subspan(payload_at)));
      Bytes plain_way = fragment;
      EXPECT_EQ(wire::finish_fragment(front->header, front->salt, plain_way), card.fragments[row]);
      EXPECT_EQ(plain_way, fragment);
    }
    expect_decodes(sample, card, fragments, numbers(0, 12));
    expect_decodes(sample, card, fragments, numbers(6, 18));
  }
}

TEST(Encode, SealedInPlaceItIsTheSame) {
  std::mt19937_64 random(testing::seed_of_run());
  const VaultId vault = random_id<VaultId>(random);
  for (std::size_t bytes : {1u, 13u, 65'536u + 16, 786'433u, 1'048'576u + 272}) {
    SCOPED_TRACE(bytes);
    const Sample sample = make_sample(random, bytes);
    BufferPool pool;
    for (int dirty = 0; dirty < 8; ++dirty) {
      AlignedBuffer used(2_MiB);
      std::ranges::fill(used.bytes(), std::byte{0xee});
      pool.give(std::move(used));
    }
    // Two homes with the same rows, as where there are only two.
    const std::vector<RowsFor> wanted{
        {.home = 0, .rows = numbers(0, 12)}, {.home = 1, .rows = numbers(0, 12)}, {.home = 2, .rows = numbers(12, 18)}};
    const SegmentFacts facts{.id = sample.id, .vault = vault, .epoch = 1, .k = kNeed, .sealed_bytes = bytes};
    NewSegment segment(facts, wanted, pool);
    ByteView left = sample.sealed;
    for (const MutableBytes place : segment.places()) {
      ASSERT_LE(place.size(), left.size());
      std::ranges::copy(left.first(place.size()), place.begin());
      left = left.subspan(place.size());
    }
    ASSERT_TRUE(left.empty());
    const EncodedSegment in_place = segment.encode(sample.salts);
    const EncodedSegment copied = encode(sample.segment(vault), wanted, nullptr, pool);
    EXPECT_EQ(in_place.card, copied.card);
    EXPECT_EQ(fragments_of(in_place), fragments_of(copied));
  }
}

TEST(Encode, EverySubsetOfASmallCodeDecodes) {
  std::mt19937_64 random(testing::seed_of_run());
  for (unsigned k : {1u, 2u, 4u, 6u}) {
    const unsigned n = 2 * k + 1;
    const Sample sample = make_sample(random, 1000 * k - 1, k);
    BufferPool pool;
    const std::vector<RowsFor> wanted{{.home = 0, .rows = numbers(0, n)}};
    const EncodedSegment encoded = encode(sample.segment(VaultId()), wanted, nullptr, pool);
    const auto fragments = fragments_of(encoded);
    for (std::uint32_t subset = 0; subset < (1u << n); ++subset) {
      if (std::popcount(subset) != static_cast<int>(k)) continue;
      std::vector<std::uint8_t> have;
      for (std::uint8_t row = 0; row < n; ++row) {
        if ((subset >> row) & 1) have.push_back(row);
      }
      ASSERT_NO_FATAL_FAILURE(expect_decodes(sample, encoded.card, fragments, have))
          << "k " << k << " subset " << subset;
    }
  }
}

TEST(Encode, RandomSubsetsOfTheDefaultPlansDecode) {
  const std::uint64_t seed = testing::seed_of_run();
  std::mt19937_64 random(seed);
  for (unsigned n : {18u, 24u, 30u, 36u, 48u}) {
    const Sample sample = make_sample(random, 200'000);
    BufferPool pool;
    const std::vector<RowsFor> wanted{{.home = 0, .rows = numbers(0, n)}};
    const EncodedSegment encoded = encode(sample.segment(VaultId()), wanted, nullptr, pool);
    const auto fragments = fragments_of(encoded);
    for (int round = 0; round < 100; ++round) {
      std::vector<std::uint8_t> have = numbers(0, n);
      std::shuffle(have.begin(), have.end(), random);
      have.resize(kNeed);
      ASSERT_NO_FATAL_FAILURE(expect_decodes(sample, encoded.card, fragments, have)) << "seed " << seed << " n " << n;
    }
  }
}

TEST(Encode, RecordsAreWholeOnceTheCardIsAttached) {
  testing::World world(3);
  const Sample sample = make_sample(world.random, 100'000);
  const auto wanted = world.set().place_new(world.set().plan(Level::normal), sample.id);
  EncodedSegment encoded = encode(sample.segment(world.vault()), wanted, nullptr, world.set().buffers());
  world.sign(encoded);
  for (const Shipment& shipment : encoded.shipments) {
    const auto front = wire::parse_record_front(shipment.buffer.bytes().first(shipment.front.record_bytes));
    ASSERT_TRUE(front) << front.error().detail;
    EXPECT_EQ(front->rows.size(), 6u);
    EXPECT_EQ(front->segment, sample.id);
    EXPECT_EQ(front->card_version, 1u);
    const auto envelope = wire::parse_signed(front->signed_card, wire::kMaxCardBytes);
    ASSERT_TRUE(envelope);
    EXPECT_EQ(*wire::parse_card(envelope->body), encoded.card);
  }
}

TEST(Encode, RowsAreAddedToAKnownCard) {
  std::mt19937_64 random(testing::seed_of_run());
  const Sample sample = make_sample(random, 300'000);
  BufferPool pool;
  const std::vector<RowsFor> first{{.home = 0, .rows = numbers(0, 24)}};
  const EncodedSegment all = encode(sample.segment(VaultId()), first, nullptr, pool);
  const auto old_rows = fragments_of(all);

  const std::vector<RowsFor> again{{.home = 1, .rows = {3, 20}}, {.home = 2, .rows = {20}}};
  const EncodedSegment remade = encode(sample.segment(VaultId()), again, &all.card, pool);
  EXPECT_EQ(remade.card, all.card);  // nothing new: the same version
  for (const auto& [row, fragment] : fragments_of(remade)) EXPECT_EQ(fragment, old_rows.at(row));

  const std::vector<RowsFor> more{{.home = 1, .rows = {24, 2}}, {.home = 2, .rows = {25, 26}}};
  const EncodedSegment grown = encode(sample.segment(VaultId()), more, &all.card, pool);
  EXPECT_EQ(grown.card.version, 2u);
  EXPECT_EQ(grown.card.n(), 27u);
  EXPECT_TRUE(std::equal(all.card.fragments.begin(), all.card.fragments.end(), grown.card.fragments.begin()));
  auto rows = old_rows;
  rows.merge(fragments_of(grown));
  expect_decodes(sample, grown.card, rows, {24, 25, 26, 2, 23, 22, 21, 11, 10, 9, 8, 7});
}

TEST(Encode, ARowUnlikeItsCardIsNotSent) {
  std::mt19937_64 random(testing::seed_of_run());
  const Sample sample = make_sample(random, 50'000);
  BufferPool pool;
  const std::vector<RowsFor> first{{.home = 0, .rows = numbers(0, 18)}};
  wire::Card card = encode(sample.segment(VaultId()), first, nullptr, pool).card;
  card.fragments[15] = random_id<FragmentId>(random);
  const std::vector<RowsFor> again{{.home = 1, .rows = {14, 15, 16}}};
  const EncodedSegment remade = encode(sample.segment(VaultId()), again, &card, pool);
  std::vector<int> rows;
  for (const wire::RecordRow& row : remade.shipments[0].front.rows) rows.push_back(row.row);
  EXPECT_EQ(rows, (std::vector<int>{14, 16}));
  EXPECT_EQ(remade.card, card);
}

TEST(BufferPool, KeepsNoMoreThanWereInUseAtOnce) {
  BufferPool pool;
  const std::byte* first = nullptr;
  for (std::size_t round = 0; round < 50; ++round) {
    AlignedBuffer a = pool.take(100'000);
    AlignedBuffer b = pool.take(5'000);
    ASSERT_GE(a.size(), 100'000u);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(a.data()) % AlignedBuffer::kAlignment, 0u);
    if (round == 1) first = a.data();
    if (round > 1) {
      ASSERT_EQ(a.data(), first);
    }
    pool.give(std::move(b));
    pool.give(std::move(a));
  }
}

}  // namespace
}  // namespace mhp::dispersal
