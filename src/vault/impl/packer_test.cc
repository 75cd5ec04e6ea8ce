// Packing: whatever goes in comes out of the plain bytes again, and nothing passes its bounds.
#include "vault/impl/packer.h"

#include <gtest/gtest.h>

#include <map>

#include "platform/memory/memory_platform.h"
#include "primitives/hash/blake3.h"
#include "vault/impl/context.h"
#include "vault/impl/reader.h"
#include "vault/testing/world.h"

namespace mhp::vault::impl {
namespace {

class Packing : public ::testing::Test {
 protected:
  PackerParts parts() {
    PackerParts out;
    out.dedup_secret = &secret_;
    out.stored = &stored_;
    out.session = &session_;
    out.buffers = &buffers_;
    return out;
  }
  std::uint64_t draw(std::uint64_t below) { return from_little_endian<std::uint64_t>(random_.array<8>()) % below; }
  Bytes chunk(std::size_t bytes) {
    Bytes out(bytes);
    random_.fill(out);
    if (draw(2) == 0) std::ranges::fill(MutableBytes(out).subspan(out.size() / 3), std::byte{'z'});
    return out;
  }
  /// Checks the packed bytes against what was put in.
  void expect_all(const PackedSegment& packed, const std::map<ChunkId, Bytes>& chunks) {
    EXPECT_EQ(wire::size_class(packed.plain.size()), packed.plain.size());
    constexpr std::size_t kTrailer = wire::SegmentTrailer::kSizeBytes;
    auto trailer = wire::parse_segment_trailer(packed.plain.last(kTrailer), packed.plain.size());
    ASSERT_TRUE(trailer);
    ByteView bytes = packed.plain.subspan(trailer->directory_offset, trailer->directory_bytes);
    auto directory = wire::parse_segment_directory(bytes, packed.plain.size());
    ASSERT_TRUE(directory);
    EXPECT_EQ(*directory, packed.directory);
    std::vector<PlainPart> plain;
    plain.push_back({.offset = 0, .bytes = AlignedBuffer(packed.plain.size())});
    std::ranges::copy(packed.plain, plain.front().bytes.data());
    FetchedSegment fetched(std::move(plain), directory->bundles);
    std::size_t found = 0;
    Bytes room;
    for (const auto& entry : directory->chunks) {
      auto bundle = fetched.bundle(entry.bundle, room);
      ASSERT_TRUE(bundle);
      auto original = chunks.find(entry.id);
      ASSERT_TRUE(original != chunks.end());
      EXPECT_TRUE(std::ranges::equal(bundle->subspan(entry.offset, entry.bytes), original->second));
      ++found;
    }
    EXPECT_EQ(found, chunks.size());
  }

  platform::MemoryPlatform platform_{testing::seed_of_run()};
  platform::Random& random_ = platform_.random();
  primitives::Key secret_ = random_.array<32>();
  Index stored_;
  SessionChunks session_;
  dispersal::BufferPool buffers_;
};

TEST_F(Packing, RandomChunksComeBack) {
  for (std::size_t segment_bytes : {5_MiB, 8_MiB, 16_MiB}) {
    PackerParts given = parts();
    given.segment_bytes = segment_bytes;
    SegmentPacker packer(given);
    for (int round = 0; round < 3; ++round) {
      std::map<ChunkId, Bytes> chunks;
      while (true) {
        std::size_t bytes = 1 + draw(draw(10) == 0 ? 4_MiB : 40'000);
        if (!packer.fits(bytes)) break;
        Bytes content = chunk(bytes);
        ChunkId id = packer.add(content);
        EXPECT_EQ(id, ChunkId::from_array(primitives::blake3_keyed(secret_, content)));
        chunks[id] = std::move(content);
      }
      ASSERT_FALSE(packer.empty());
      PackedSegment packed = packer.pack();
      EXPECT_LE(packed.plain.size(), segment_bytes);
      expect_all(packed, chunks);
      packer.reset();
      EXPECT_TRUE(packer.empty());
    }
  }
}

TEST_F(Packing, TextFillsASegmentToTheBrim) {
  SegmentPacker packer(parts());
  std::map<ChunkId, Bytes> chunks;
  for (std::size_t bytes = 1 + draw(8000); packer.fits(bytes); bytes = 1 + draw(8000)) {
    Bytes text(bytes);
    for (std::byte& letter : text) letter = static_cast<std::byte>('a' + draw(8));
    chunks[packer.add(text)] = std::move(text);
  }
  PackedSegment packed = packer.pack();
  expect_all(packed, chunks);
  auto trailer = wire::parse_segment_trailer(packed.plain.last(32), packed.plain.size());
  ASSERT_TRUE(trailer);
  EXPECT_GT(trailer->directory_offset + trailer->directory_bytes + 2 * kLeastBundleBytes, 8_MiB);
}

TEST_F(Packing, OneTakesInWhatAnotherHas) {
  SegmentPacker one(parts());
  SegmentPacker two(parts());
  std::map<ChunkId, Bytes> chunks;
  auto fill = [&](SegmentPacker& packer, std::size_t bytes) {
    while (bytes > 0) {
      Bytes content = chunk(1 + draw(std::min<std::size_t>(bytes, 300'000)));
      bytes -= content.size();
      chunks[packer.add(content)] = content;
    }
  };
  EXPECT_TRUE(one.take_in(two));
  fill(two, 1'000'000);
  EXPECT_FALSE(one.take_in(two));  // it has nothing itself yet: the other can as well be sealed
  fill(one, 3'000'000);
  EXPECT_TRUE(one.take_in(two));
  EXPECT_TRUE(two.empty());
  fill(two, 500'000);
  EXPECT_TRUE(one.take_in(two));
  std::size_t distinct = 0;  // the shortest may come twice
  for (const auto& [id, content] : chunks) distinct += content.size();
  EXPECT_EQ(one.new_bytes(), distinct);
  EXPECT_EQ(two.new_bytes(), 0u);
  fill(one, 100'000);
  expect_all(one.pack(), chunks);

  chunks.clear();
  one.reset();
  for (SegmentPacker* packer : {&one, &two}) {
    while (packer->fits(300'000)) {
      Bytes noise(300'000);
      random_.fill(noise);
      if (packer == &two) chunks[packer->add(noise)] = noise;
      if (packer == &one) packer->add(noise);
    }
  }
  EXPECT_FALSE(one.take_in(two));
  expect_all(two.pack(), chunks);
}

TEST_F(Packing, TheLargestChunkFitsAnEmptySegment) {
  PackerParts given = parts();
  given.segment_bytes = kMinSegmentBytes;
  SegmentPacker packer(given);
  ASSERT_TRUE(packer.fits(wire::kMaxChunkBytes));
  Bytes content(wire::kMaxChunkBytes);
  random_.fill(content);
  std::map<ChunkId, Bytes> chunks;
  ChunkId id = packer.add(content);
  chunks[id] = content;
  EXPECT_FALSE(packer.fits(1_MiB));
  expect_all(packer.pack(), chunks);
}

TEST_F(Packing, SmallContentMakesTheSmallestSegment) {
  SegmentPacker packer(parts());
  packer.add(chunk(1));
  EXPECT_EQ(packer.pack().plain.size(), 64_KiB);
}

TEST_F(Packing, TheRestIsZeros) {
  SegmentPacker packer(parts());
  packer.add(chunk(5000));
  packer.pack();
  packer.reset();
  packer.add(chunk(10));  // leavings of the first one must not show
  PackedSegment packed = packer.pack();
  auto trailer = wire::parse_segment_trailer(packed.plain.last(32), packed.plain.size());
  ASSERT_TRUE(trailer);
  ByteView rest = packed.plain.subspan(trailer->directory_offset + trailer->directory_bytes);
  EXPECT_TRUE(std::ranges::all_of(rest.first(rest.size() - 32), [](std::byte b) { return b == std::byte{0}; }));
}

TEST_F(Packing, DoublesAreLeftOut) {
  SegmentPacker one(parts());
  SegmentPacker two(parts());
  Bytes content = chunk(1000);
  ChunkId id = one.add(content);
  EXPECT_EQ(one.add(content), id);
  EXPECT_EQ(two.add(content), id);
  EXPECT_TRUE(two.empty());
  EXPECT_EQ(one.new_bytes(), 1000u);
  Bytes known = chunk(10);
  wire::IndexedSegment segment;
  segment.segment = SegmentId::from_array(random_.array<32>());
  segment.plain_bytes = 64_KiB;
  segment.directory.bundles = {{.offset = 0, .stored_bytes = 10, .plain_bytes = 10}};
  ChunkId known_id = ChunkId::from_array(primitives::blake3_keyed(secret_, known));
  segment.directory.chunks = {{.id = known_id, .bundle = 0, .offset = 0, .bytes = 10}};
  ASSERT_TRUE(stored_.add(segment));
  one.add(known);
  EXPECT_EQ(one.new_bytes(), 1000u);
  stored_.set_gone({segment.segment});
  one.add(known);
  EXPECT_EQ(one.new_bytes(), 1010u);  // its segment cannot be brought back: it is stored again
}

TEST_F(Packing, TinyChunksDoNotMakeAnOverlongDirectory) {
  SegmentPacker packer(parts());
  std::uint64_t number = 0;
  while (packer.fits(8)) packer.add(little_endian(number++));
  PackedSegment packed = packer.pack();
  EXPECT_EQ(packed.directory.chunks.size(), number);
  EXPECT_LT(wire::encode(packed.directory).size(), wire::kMaxChunkBytes / 2 + 1);  // has to fit an index part
}

TEST(ChunkTable, KeepsManyPlaces) {
  platform::MemoryPlatform platform(testing::seed_of_run());
  ChunkTable table;
  std::map<ChunkId, ChunkPlace> expected;
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    ChunkId id = ChunkId::from_array(platform.random().array<32>());
    ChunkPlace place{
        .segment = i * 7, .bundle = i % 65536, .offset = (i * 977) & 0xff'ffff, .bytes = 1 + (i * 31) % (1u << 22)};
    EXPECT_TRUE(table.insert(id, place));
    EXPECT_FALSE(table.insert(id, {.segment = 1, .bundle = 1, .offset = 1, .bytes = 1}));
    expected[id] = place;
  }
  EXPECT_EQ(table.size(), expected.size());
  for (const auto& [id, place] : expected) {
    const ChunkSlot* slot = table.find(id);
    ASSERT_NE(slot, nullptr);
    ChunkPlace found = slot->place();
    EXPECT_EQ(found.segment, place.segment);
    EXPECT_EQ(found.bundle, place.bundle);
    EXPECT_EQ(found.offset, place.offset);
    EXPECT_EQ(found.bytes, place.bytes);
  }
  EXPECT_EQ(table.find(ChunkId()), nullptr);
  EXPECT_EQ(table.find(ChunkId::from_array(platform.random().array<32>())), nullptr);
  EXPECT_FALSE(ChunkSlot::can_hold({.segment = 0, .bundle = 65536, .offset = 0, .bytes = 1}));
  EXPECT_FALSE(ChunkSlot::can_hold({.segment = 0, .bundle = 0, .offset = 1u << 24, .bytes = 1}));
  EXPECT_FALSE(ChunkSlot::can_hold({.segment = 0, .bundle = 0, .offset = 0, .bytes = 0}));
  EXPECT_TRUE(ChunkSlot::can_hold({.segment = 0, .bundle = 65535, .offset = (1u << 24) - 1, .bytes = 1u << 24}));
}

TEST(SessionChunks, TakesEachOnce) {
  platform::MemoryPlatform platform(testing::seed_of_run());
  SessionChunks session;
  std::vector<ChunkId> ids{ChunkId()};
  for (int i = 0; i < 20'000; ++i) ids.push_back(ChunkId::from_array(platform.random().array<32>()));
  for (const ChunkId& id : ids) EXPECT_TRUE(session.insert(id));
  for (const ChunkId& id : ids) EXPECT_FALSE(session.insert(id));
}

TEST(SegmentSeal, LengthsGoBothWays) {
  for (std::uint64_t plain = 1; plain < 400'000; plain += 777) {
    auto back = plain_bytes_of(sealed_bytes_of(plain));
    ASSERT_TRUE(back) << plain;
    EXPECT_EQ(*back, plain);
  }
  for (std::uint64_t sealed : {0ull, 31ull, 32ull, 48ull, 32ull + 65552ull + 16ull})
    EXPECT_FALSE(plain_bytes_of(sealed)) << sealed;
}

}  // namespace
}  // namespace mhp::vault::impl
