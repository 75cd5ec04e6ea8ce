// zstd frames: back and forth, damaged, and the test for what does not compress.
#include "primitives/compress/zstd.h"

#include <gtest/gtest.h>

#include "base/test_run.h"
#include "primitives/test_bytes.h"

namespace mhp::primitives {
namespace {

Bytes compressed(ByteView data, int level = 1) {
  Compressor compressor(level);
  Bytes out(Compressor::bound(data.size()));
  out.resize(compressor.compress(data, out));
  return out;
}

TEST(Zstd, HandMadeFrame) {  // RFC 8878: magic, one-byte content size 5, one last raw block of 5 bytes
  const Bytes frame =
      hex("28b52ffd"
          "2005"
          "290000"
          "68656c6c6f");
  Bytes out(5);
  ASSERT_TRUE(decompress(frame, out));
  EXPECT_EQ(as_text(out), "hello");
  test_run::tried(1, "published vectors of primitives", 1, 0);
}

TEST(Zstd, BackAndForth) {
  for (int level : {1, 3, 19}) {
    Compressor compressor(level);  // used again and again, as a worker does
    for (std::size_t size : {0ul, 1ul, 100ul, 4096ul, 1000000ul}) {
      for (const Bytes& data : {words(size, 7), Noise(8).bytes(size), Bytes(size)}) {
        Bytes frame(Compressor::bound(size));
        frame.resize(compressor.compress(data, frame));
        EXPECT_EQ(frame, compressed(data, level)) << "a used context writes what a fresh one does";
        Bytes out(size);
        ASSERT_TRUE(decompress(frame, out)) << level << " " << size;
        EXPECT_EQ(out, data);
      }
    }
  }
  EXPECT_LT(compressed(words(100000, 1)).size(), 50000u);
}

TEST(Zstd, WrongLengthIsCorrupt) {
  const Bytes data = words(10000, 1);
  const Bytes frame = compressed(data);
  for (std::size_t size : {0ul, 1ul, 9999ul, 10001ul, 1000000ul}) {
    Bytes out(size);
    EXPECT_EQ(decompress(frame, out).error().code, Errc::corrupt) << size;
  }
}

TEST(Zstd, MoreOrLessThanOneFrameIsCorrupt) {
  const Bytes data = words(10000, 1);
  Bytes frame = compressed(data);
  Bytes out(10000);
  for (std::size_t length = 0; length < frame.size(); length += 13) {
    EXPECT_FALSE(decompress(ByteView(frame).first(length), out)) << length;
  }
  frame.push_back(std::byte{0});
  EXPECT_FALSE(decompress(frame, out));
  frame.pop_back();
  const Bytes empty = compressed({});
  frame.insert(frame.end(), empty.begin(), empty.end());
  EXPECT_FALSE(decompress(frame, out));
  EXPECT_FALSE(decompress(hex("502a4d1800000000"), {})) << "a skippable frame";
}

TEST(Zstd, DamageNeverCrashes) {
  const Bytes data = words(20000, 2);
  const Bytes good = compressed(data);
  Bytes out(data.size());
  for (std::uint64_t seed = 1; seed <= 2000; ++seed) {
    Noise noise(seed);
    Bytes bad = good;
    bad[noise.below(bad.size())] ^= static_cast<std::byte>(1 + noise.below(255));
    (void)decompress(bad, out);  // may give other bytes: frames live inside authenticated data
  }
}

/// Letters that carry six bits each: no repeats, but not flat either.
Bytes base64_like(std::size_t size) {
  Noise noise(9);
  Bytes out(size);
  for (std::byte& b : out) b = static_cast<std::byte>('0' + noise.below(64));
  return out;
}

TEST(Zstd, TellsWhatDoesNotCompress) {
  EXPECT_TRUE(looks_incompressible(Noise(1).bytes(4096)));
  EXPECT_TRUE(looks_incompressible(Noise(1).bytes(1000000)));
  EXPECT_FALSE(looks_incompressible(Noise(1).bytes(4095)));
  EXPECT_FALSE(looks_incompressible({}));
  EXPECT_FALSE(looks_incompressible(words(4096, 1)));
  EXPECT_FALSE(looks_incompressible(words(1000000, 1)));
  EXPECT_FALSE(looks_incompressible(Bytes(5000)));
  EXPECT_FALSE(looks_incompressible(base64_like(100000))) << "gains a quarter although nothing repeats";
}

TEST(Zstd, EvenBytesAreASignOfNoise) {
  for (std::size_t size : {64ul, 65ul, 500ul, 768ul, 769ul, 4096ul, 1000000ul}) {
    for (std::uint64_t seed = 1; seed <= 50; ++seed) EXPECT_TRUE(has_even_bytes(Noise(seed).bytes(size))) << size;
    EXPECT_FALSE(has_even_bytes(words(size, 1))) << size;
    EXPECT_FALSE(has_even_bytes(Bytes(size))) << size;
    if (size >= 500) {
      EXPECT_FALSE(has_even_bytes(base64_like(size))) << size;
    }
  }
  EXPECT_FALSE(has_even_bytes(Noise(1).bytes(63)));
  EXPECT_FALSE(has_even_bytes({}));
}

}  // namespace
}  // namespace mhp::primitives
