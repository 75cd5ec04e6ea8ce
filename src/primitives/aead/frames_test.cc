// Sealed frames against plain AES-256-GCM, and what an attacker may try with them.
#include "primitives/aead/frames.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>

#include "base/test_run.h"
#include "primitives/test_bytes.h"

namespace mhp::primitives {
namespace {

const Key kFramesKey = hex_array<32>("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
const Bytes kContext = to_bytes(as_bytes("format 0 segment 42"));

const unsigned char* raw(ByteView bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

/// AES-256-GCM the straight way: ciphertext || tag.
Bytes plain_gcm(const Key& key, ByteView nonce, ByteView associated, ByteView plain) {
  Bytes out(plain.size() + 16);
  auto* at = reinterpret_cast<unsigned char*>(out.data());
  int written = 0;
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  EXPECT_EQ(EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), nullptr, raw(key), raw(nonce)), 1);
  EXPECT_EQ(EVP_EncryptUpdate(context, nullptr, &written, raw(associated), static_cast<int>(associated.size())), 1);
  EXPECT_EQ(EVP_EncryptUpdate(context, at, &written, raw(plain), static_cast<int>(plain.size())), 1);
  EXPECT_EQ(EVP_EncryptFinal_ex(context, at + written, &written), 1);
  EXPECT_EQ(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, 16, at + plain.size()), 1);
  EVP_CIPHER_CTX_free(context);
  return out;
}

Bytes sealed(ByteView plain, const Key& key = kFramesKey, ByteView context = kContext) {
  Bytes out(sealed_frames_bytes(plain.size()));
  seal_frames(key, context, plain, out);
  return out;
}

/// Opens `count` frames from `first` on; empty where they are refused.
Bytes opened(ByteView frames, std::uint64_t total, std::uint32_t first = 0, const Key& key = kFramesKey,
             ByteView context = kContext) {
  const std::uint64_t count = (frames.size() + kFrameSealedBytes - 1) / kFrameSealedBytes;
  Bytes out(frames.size() - std::min<std::size_t>(frames.size(), count * kFrameTagBytes));
  const auto result = open_frames(key, context, total, first, frames, out);
  if (result) return out;
  if (result.error().code == Errc::corrupt) EXPECT_EQ(out, Bytes(out.size())) << "refused plain text was left behind";
  return {};
}

TEST(Frames, NistTestCase16) {  // the reference of the next test is right: McGrew and Viega, GCM specification
  const Bytes plain =
      hex("d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525"
          "b16aedf5aa0de657ba637b39");
  EXPECT_EQ(to_hex(plain_gcm(kFramesKey, hex("cafebabefacedbaddecaf888"),
                             hex("feedfacedeadbeeffeedfacedeadbeefabaddad2"), plain)),
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838"
            "c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b");
  test_run::tried(1, "published vectors of primitives", 1, 0);
}

TEST(Frames, NistTestCase14IsTheStartOfAZeroStream) {  // zero key, zero nonce (frame 0, not the last), zero plain text
  EXPECT_EQ(to_hex(ByteView(sealed(Bytes(kFramePlainBytes + 1), Key{})).first(16)), "cea7403d4d606b6e074ec5d3baf39d18");
  test_run::tried(1, "published vectors of primitives", 1, 0);
}

TEST(Frames, AreGcmWithTheNoncesOfTheFormat) {
  const Bytes plain = Noise(1).bytes(2 * kFramePlainBytes + 7);
  const ByteView frames[] = {ByteView(plain).first(kFramePlainBytes),
                             ByteView(plain).subspan(kFramePlainBytes, kFramePlainBytes), ByteView(plain).last(7)};
  const std::string_view nonces[] = {"000000000000000000000000", "000000000000000000000001",
                                     "000000000000000100000002"};
  Bytes expected;
  for (std::size_t i = 0; i < 3; ++i) {
    Bytes associated = kContext;
    const Bytes nonce = hex(nonces[i]);
    associated.insert(associated.end(), nonce.begin() + 8, nonce.end());
    const Bytes frame = plain_gcm(kFramesKey, nonce, associated, frames[i]);
    expected.insert(expected.end(), frame.begin(), frame.end());
  }
  EXPECT_EQ(sealed(plain), expected);
}

TEST(Frames, AllLengthsComeBackWholeAndInParts) {
  for (std::size_t size : {1ul, 15ul, 65535ul, 65536ul, 65537ul, 131071ul, 131072ul, 131073ul, 300000ul}) {
    SCOPED_TRACE(size);
    const Bytes plain = Noise(size).bytes(size);
    const Bytes stream = sealed(plain);
    EXPECT_EQ(opened(stream, size), plain);
    const std::size_t frames = (size + kFramePlainBytes - 1) / kFramePlainBytes;
    for (std::size_t first = 0; first < frames; ++first) {
      for (std::size_t end = first + 1; end <= frames; ++end) {
        const std::size_t from = first * kFrameSealedBytes;
        const std::size_t until = std::min(end * kFrameSealedBytes, stream.size());
        const Bytes part =
            opened(ByteView(stream).subspan(from, until - from), size, static_cast<std::uint32_t>(first));
        EXPECT_TRUE(std::ranges::equal(part, ByteView(plain).subspan(first * kFramePlainBytes, part.size())));
        EXPECT_EQ(part.size(), std::min(end * kFramePlainBytes, size) - first * kFramePlainBytes);
      }
    }
  }
}

/// In several places as in one.
void try_kernel(GcmKernel kernel) {
  const Bytes plain = Noise(6).bytes(2 * kFramePlainBytes + 1000);
  const Bytes good = sealed(plain);  // few enough bytes for OpenSSL
  Noise noise(7);
  for (int round = 0; round < 50; ++round) {
    Bytes stream(good.size());
    std::vector<MutableBytes> to;
    std::vector<ByteView> from;
    for (std::size_t at = 0; at < stream.size();) {  // some end within a block, a tag, or hold nothing
      const std::size_t bytes = std::min(noise.below(round < 25 ? 40'000 : 40), stream.size() - at);
      to.push_back(MutableBytes(stream).subspan(at, bytes));
      from.push_back(to.back());
      at += bytes;
    }
    seal_frames_by(kernel, kFramesKey, kContext, plain, to);
    ASSERT_EQ(stream, good) << "round " << round;
    Bytes out(plain.size());
    ASSERT_TRUE(open_frames_by(kernel, kFramesKey, kContext, plain.size(), 0, from, out)) << "round " << round;
    ASSERT_EQ(out, plain) << "round " << round;
    stream[noise.below(stream.size())] ^= std::byte{1};
    ASSERT_FALSE(open_frames_by(kernel, kFramesKey, kContext, plain.size(), 0, from, out)) << "round " << round;
    ASSERT_EQ(out, Bytes(plain.size())) << "refused plain text was left behind";
  }
}

TEST(Frames, LieInSeveralPlacesAsInOne) { try_kernel(GcmKernel::openssl); }

TEST(Frames, TheBulkKernelGivesAndRefusesTheSame) {
  if (!runs_here(GcmKernel::vaes)) GTEST_SKIP() << "no VAES here, or built without libipsec-mb";
  try_kernel(GcmKernel::vaes);
  Bytes big = Noise(8).bytes(3 * kFramePlainBytes);
  for (std::size_t size : {0ul, 1ul, 15ul, 16ul, 17ul, 255ul, 256ul, 257ul, 4095ul, 65535ul, 65536ul}) {
    const GcmNonce nonce{std::byte{7}};
    const ByteView plain = ByteView(big).first(size);
    const ByteView associated = ByteView(big).subspan(100, size % 100);
    GcmTag tags[2];
    Bytes out[2] = {Bytes(size), Bytes(size)};
    for (const GcmKernel kernel : {GcmKernel::openssl, GcmKernel::vaes}) {
      const auto at = static_cast<std::size_t>(kernel);
      const auto cipher = make_gcm(kernel, kFramesKey, GcmDirection::seal);
      cipher->start(nonce, associated);
      if (size > 0) cipher->update(plain, out[at].data());
      tags[at] = cipher->tag();
    }
    EXPECT_EQ(tags[0], tags[1]) << size;
    EXPECT_EQ(out[0], out[1]) << size;
  }
}

TEST(Frames, AMegabyteAndMoreIsTheSameByWhateverKernelIsTaken) {
  const Bytes plain = Noise(9).bytes(2_MiB + 5);
  Bytes by_openssl(sealed_frames_bytes(plain.size()));
  const std::array<MutableBytes, 1> place{by_openssl};
  seal_frames_by(GcmKernel::openssl, kFramesKey, kContext, plain, place);
  EXPECT_EQ(sealed(plain), by_openssl);
  EXPECT_EQ(opened(by_openssl, plain.size()), plain);
}

TEST(Frames, AnyChangedBitIsRefused) {
  const Bytes plain = Noise(3).bytes(kFramePlainBytes + 100);
  const Bytes good = sealed(plain);
  Noise noise(4);
  for (int round = 0; round < 300; ++round) {
    Bytes bad = good;
    const std::size_t bit = noise.below(bad.size() * 8);
    bad[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_TRUE(opened(bad, plain.size()).empty()) << "seed 4, bit " << bit;
  }
  EXPECT_TRUE(opened(good, plain.size(), 0, Key{}).empty());
  EXPECT_TRUE(opened(good, plain.size(), 0, kFramesKey, as_bytes("format 0 segment 43")).empty());
  EXPECT_TRUE(opened(good, plain.size(), 0, kFramesKey, {}).empty());
}

TEST(Frames, CannotBeReorderedTruncatedOrExtended) {
  const std::size_t size = 4 * kFramePlainBytes;
  const Bytes plain = Noise(5).bytes(size);
  const Bytes good = sealed(plain);
  const auto frame = [&](std::size_t i) { return ByteView(good).subspan(i * kFrameSealedBytes, kFrameSealedBytes); };
  for (std::uint32_t i = 0; i < 4; ++i) {
    for (std::uint32_t place = 0; place < 4; ++place) {
      EXPECT_EQ(opened(frame(i), size, place).empty(), i != place) << i << " in place " << place;
    }
  }
  // A shorter stream that ends with a whole frame, claimed to be all there is; and a longer one with a frame repeated.
  EXPECT_TRUE(opened(ByteView(good).first(3 * kFrameSealedBytes), 3 * kFramePlainBytes).empty());
  EXPECT_TRUE(opened(frame(3), 5 * kFramePlainBytes, 3).empty());
  Bytes longer = good;
  longer.insert(longer.end(), frame(3).begin(), frame(3).end());
  EXPECT_TRUE(opened(longer, 5 * kFramePlainBytes).empty());
  // Another stream's frame of the same number, sealed with another key for another context.
  const Bytes other = sealed(plain, Key{}, as_bytes("other"));
  Bytes mixed = good;
  std::copy_n(other.begin(), kFrameSealedBytes, mixed.begin());
  EXPECT_TRUE(opened(mixed, size).empty());
}

TEST(Frames, LengthsThatDoNotFitAreInvalid) {
  const Bytes good = sealed(Bytes(kFramePlainBytes + 10));
  Bytes out(kFramePlainBytes + 10);
  const auto code = [&](std::uint64_t total, std::uint32_t first, ByteView frames, MutableBytes to) {
    const auto result = open_frames(kFramesKey, kContext, total, first, frames, to);
    return result ? std::string("opened") : to_string(result.error().code);
  };
  const std::uint64_t total = kFramePlainBytes + 10;
  EXPECT_EQ(code(total, 0, good, out), "opened");
  EXPECT_EQ(code(0, 0, good, out), "invalid");
  EXPECT_EQ(code(total, 1, good, out), "invalid");
  EXPECT_EQ(code(total, 0xffffffff, good, out), "invalid");
  EXPECT_EQ(code(total + 1, 0, good, out), "invalid");
  EXPECT_EQ(code(~std::uint64_t{0}, 0, good, out), "invalid");
  EXPECT_EQ(code(total, 0, {}, {}), "invalid");
  EXPECT_EQ(code(total, 0, ByteView(good).first(good.size() - 1), out), "invalid");
  EXPECT_EQ(code(total, 0, ByteView(good).first(kFrameTagBytes), MutableBytes(out).first(0)), "invalid");
  EXPECT_EQ(code(total, 0, good, MutableBytes(out).first(9)), "invalid");
}

}  // namespace
}  // namespace mhp::primitives
