// Cut points: against a plain reference, and the properties that deduplication lives on.
#include "primitives/chunk/chunker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "primitives/test_bytes.h"

namespace mhp::primitives {
namespace {

constexpr ChunkLimits kSmall{.min_bytes = 1_KiB, .normal_bytes = 4_KiB, .max_bytes = 16_KiB};
const Key kSecret = hex_array<32>("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");

/// Ends of all chunks.
std::vector<std::size_t> cuts(const Chunker& chunker, ByteView data) {
  std::vector<std::size_t> out;
  for (std::size_t at = 0; at < data.size();) {
    at += chunker.next(data.subspan(at));
    out.push_back(at);
  }
  return out;
}

/// The definition, word for word: at each place the hash of the 32 bytes before it, from nothing.
std::size_t plain_next(const Key& secret, ChunkLimits limits, ByteView data) {
  std::array<std::byte, 1024> table;
  Blake3::derived("mhp 1 chunker gear table").update(secret).finish(table);
  const auto gear = [&](std::byte b) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      value |= std::to_integer<std::uint32_t>(table[std::to_integer<std::size_t>(b) * 4 + i]) << (8 * i);
    }
    return value;
  };
  std::size_t bits = 0;
  while ((std::size_t{1} << bits) < limits.normal_bytes) ++bits;
  for (std::size_t length = limits.min_bytes + 1; length < std::min(data.size(), limits.max_bytes); ++length) {
    std::uint32_t hash = 0;
    for (std::size_t i = length - 32; i < length; ++i) hash = hash * 2 + gear(data[i]);
    const std::size_t zeros = length <= limits.normal_bytes ? bits + 2 : bits - 2;
    if (hash >> (32 - zeros) == 0) return length;
  }
  return std::min(data.size(), limits.max_bytes);
}

TEST(Chunker, EveryKernelEqualsThePlainReference) {
  for (const Chunker::Kernel kernel : {Chunker::Kernel::plain, Chunker::Kernel::avx512}) {
    if (!Chunker::runs_here(kernel)) continue;  // the plain one always does
    const Chunker chunker(kSecret, kSmall, kernel);
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
      const Bytes data = seed % 2 == 0 ? words(100000, seed) : Noise(seed).bytes(100000);
      for (std::size_t at = 0; at < data.size();) {
        const ByteView rest = ByteView(data).subspan(at);
        ASSERT_EQ(chunker.next(rest), plain_next(kSecret, kSmall, rest)) << "seed " << seed << " at " << at;
        at += chunker.next(rest);
      }
    }
  }
}

TEST(Chunker, ReadPieceByPieceItCutsTheSame) {
  const Chunker chunker(kSecret, kSmall);
  const Bytes data = Noise(8).bytes(200000);
  Noise noise(9);
  for (std::size_t at = 0; at < data.size();) {
    const ByteView rest = ByteView(data).subspan(at);
    std::size_t shown = 0;
    std::size_t length = 0;
    // A cut that falls on the end of what is shown is looked for again, with more behind it.
    while (length == shown && shown < rest.size() && length < kSmall.max_bytes) {
      const bool just_the_chunk = noise.below(4) == 0 && shown < chunker.next(rest);
      shown = just_the_chunk ? chunker.next(rest) : std::min(rest.size(), shown + 1 + noise.below(3000));
      length = chunker.next(rest.first(shown), length);
    }
    ASSERT_EQ(length, chunker.next(rest)) << "at " << at;
    at += length;
  }
}

TEST(Chunker, GoldenCutsOfFormat1) {  // other cuts would find no double in an older backup
  EXPECT_EQ(cuts(Chunker(kSecret, kSmall), Noise(1).bytes(40000)),
            (std::vector<std::size_t>{4557, 10073, 16121, 20438, 24285, 29054, 33011, 37740, 40000}));
  EXPECT_EQ(cuts(Chunker(kSecret), Noise(2).bytes(6_MiB)),
            (std::vector<std::size_t>{1068968, 2275748, 3735688, 5266166, 6291456}));
}

TEST(Chunker, CutsDoNotDependOnHowTheDataIsPresented) {
  const Chunker chunker(kSecret, kSmall);
  const Bytes data = Noise(3).bytes(500000);
  Noise noise(4);
  for (std::size_t at = 0; at < data.size();) {
    const ByteView rest = ByteView(data).subspan(at);
    const std::size_t length = chunker.next(rest);
    const std::size_t shown = std::min(rest.size(), kSmall.max_bytes + noise.below(1000));
    const Bytes elsewhere = to_bytes(rest.first(shown));
    ASSERT_EQ(chunker.next(elsewhere), length) << "at " << at << " shown " << shown;
    at += length;
  }
}

TEST(Chunker, LimitsHoldOnAnyData) {
  const Chunker chunker(kSecret, kSmall);
  std::vector<Bytes> inputs = {Bytes(100000), Bytes(100000, std::byte{0xff}), Noise(1).bytes(300000), words(300000, 2)};
  Bytes pattern(100000);
  for (std::size_t i = 0; i < pattern.size(); ++i) pattern[i] = static_cast<std::byte>(i % 7);
  inputs.push_back(pattern);
  for (const Bytes& data : inputs) {
    std::size_t before = 0;
    for (std::size_t cut : cuts(chunker, data)) {
      EXPECT_LE(cut - before, kSmall.max_bytes);
      if (cut != data.size()) EXPECT_GT(cut - before, kSmall.min_bytes);
      before = cut;
    }
    EXPECT_EQ(before, data.size());
  }
  EXPECT_EQ(chunker.next({}), 0u);
  for (std::size_t size : {1ul, 63ul, 64ul, 1023ul, 1024ul}) EXPECT_EQ(chunker.next(Bytes(size)), size);
}

TEST(Chunker, AverageIsNearNormal) {
  const Bytes data = Noise(5).bytes(8_MiB);
  const double average =
      static_cast<double>(data.size()) / static_cast<double>(cuts(Chunker(kSecret, kSmall), data).size());
  EXPECT_GT(average, 1.0 * kSmall.normal_bytes);
  EXPECT_LT(average, 1.3 * kSmall.normal_bytes);
}

TEST(Chunker, AnInsertionMovesFewCuts) {
  const Chunker chunker(kSecret, kSmall);
  const Bytes data = Noise(6).bytes(1_MiB);
  const auto before = cuts(chunker, data);
  std::size_t moved = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    Noise noise(seed);
    const std::size_t place = noise.below(data.size());
    const Bytes added = noise.bytes(1 + noise.below(100));
    Bytes changed = data;
    changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(place), added.begin(), added.end());
    const auto after = cuts(chunker, changed);
    const std::set<std::size_t> found(after.begin(), after.end());
    std::size_t lost = 0;
    for (std::size_t cut : before) lost += !found.contains(cut > place ? cut + added.size() : cut);
    EXPECT_LT(lost, 20u) << "seed " << seed;
    moved += lost;
  }
  EXPECT_LT(moved, 50u * 4) << "of " << before.size() << " cuts, on average per insertion";
}

TEST(Chunker, AnotherSecretCutsElsewhere) {
  const Bytes data = Noise(7).bytes(1_MiB);
  const auto a = cuts(Chunker(kSecret, kSmall), data);
  const auto b = cuts(Chunker(Key{}, kSmall), data);
  std::vector<std::size_t> common;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(common));
  EXPECT_LE(common.size(), 3u);  // the end, and chance
}

}  // namespace
}  // namespace mhp::primitives
