// Small boxes against the XChaCha20-Poly1305 draft, and what they are bound to.
#include "primitives/aead/box.h"

#include <gtest/gtest.h>

#include "base/test_run.h"
#include "primitives/hash/hkdf.h"
#include "primitives/sign/sign.h"
#include "primitives/test_bytes.h"

namespace mhp::primitives {
namespace {

const Key kKey = hex_array<32>("808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f");
const auto kNonce = hex_array<24>("404142434445464748494a4b4c4d4e4f5051525354555657");
const Key kAlice = hex_array<32>("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a");
const Key kBob = hex_array<32>("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb");

TEST(Box, XChaChaDraftVector) {  // draft-irtf-cfrg-xchacha-03, A.3.1
  const ByteView plain = as_bytes(
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
      "sunscreen would be it.");
  const Bytes associated = hex("50515253c0c1c2c3c4c5c6c7");
  const Bytes box = seal_box(kKey, kNonce, associated, plain);
  EXPECT_EQ(to_hex(ByteView(box).first(24)), to_hex(kNonce));
  EXPECT_EQ(to_hex(ByteView(box).subspan(24)),
            "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39ae64c670"
            "8c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff921f9664c97637da9"
            "768812f615c68b13b52ec0875924c1c7987947deafd8780acf49");
  const auto back = open_box(kKey, associated, box);
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, to_bytes(plain));
  test_run::tried(1, "published vectors of primitives", 1, 0);
}

TEST(Box, AnyOtherBitIsCorrupt) {
  for (std::size_t size : {0ul, 1ul, 100ul}) {
    const Bytes plain = Noise(size).bytes(size);
    const Bytes box = seal_box(kKey, kNonce, as_bytes("context"), plain);
    EXPECT_EQ(box.size(), size + kBoxOverheadBytes);
    EXPECT_EQ(open_box(kKey, as_bytes("context"), box), plain);
    EXPECT_EQ(open_box(kKey, as_bytes("other"), box).error().code, Errc::corrupt);
    EXPECT_EQ(open_box(Key{}, as_bytes("context"), box).error().code, Errc::corrupt);
    for (std::size_t bit = 0; bit < box.size() * 8; ++bit) {
      Bytes bad = box;
      bad[bit / 8] ^= std::byte{1} << (bit % 8);
      EXPECT_FALSE(open_box(kKey, as_bytes("context"), bad)) << "bit " << bit;
    }
    for (std::size_t length = 0; length < box.size(); ++length) {
      EXPECT_FALSE(open_box(kKey, as_bytes("context"), ByteView(box).first(length))) << length;
    }
  }
}

TEST(PublicBox, OnlyTheRecipientOpensIt) {
  const Bytes plain = Noise(1).bytes(100);
  const auto box = seal_to(x25519_public(kBob), kAlice, as_bytes("wrap"), plain);
  ASSERT_TRUE(box);
  EXPECT_EQ(box->size(), plain.size() + kPublicBoxOverheadBytes);
  EXPECT_EQ(to_hex(ByteView(*box).first(32)), to_hex(x25519_public(kAlice)));
  EXPECT_EQ(open_from(kBob, as_bytes("wrap"), *box), plain);
  EXPECT_EQ(open_from(kAlice, as_bytes("wrap"), *box).error().code, Errc::corrupt);
  EXPECT_EQ(open_from(kBob, as_bytes("warp"), *box).error().code, Errc::corrupt);
  for (std::size_t bit = 0; bit < box->size() * 8; bit += 3) {
    Bytes bad = *box;
    bad[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(open_from(kBob, as_bytes("wrap"), bad)) << "bit " << bit;
  }
  for (std::size_t length = 0; length < box->size(); ++length) {
    EXPECT_FALSE(open_from(kBob, as_bytes("wrap"), ByteView(*box).first(length))) << length;
  }
}

TEST(PublicBox, GoldenFormat1) {
  const auto box = seal_to(x25519_public(kBob), kAlice, as_bytes("wrap"), as_bytes("golden"));
  ASSERT_TRUE(box);
  EXPECT_EQ(to_hex(ByteView(*box).subspan(32)), "0f75651d796eb3fab22dded5852dbcf81caf1b201dce");
  // The same from its parts, beginning with the shared secret that RFC 7748, 6.1, gives for these two keys.
  const Bytes shared = hex("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
  Bytes salt = to_bytes(x25519_public(kAlice));
  const PublicKey recipient = x25519_public(kBob);
  salt.insert(salt.end(), recipient.begin(), recipient.end());
  Key key;
  hkdf_sha256(shared, salt, as_bytes("wrap"), key);
  Bytes boxed(24);  // a zero nonce
  boxed.insert(boxed.end(), box->begin() + 32, box->end());
  EXPECT_EQ(open_box(key, as_bytes("wrap"), boxed), to_bytes(as_bytes("golden")));
}

TEST(PublicBox, LowOrderKeysAreRefused) {
  EXPECT_EQ(seal_to(Key{}, kAlice, {}, {}).error().code, Errc::invalid);
  EXPECT_EQ(seal_to(Key{std::byte{1}}, kAlice, {}, {}).error().code, Errc::invalid);
  EXPECT_EQ(open_from(kBob, {}, Bytes(kPublicBoxOverheadBytes)).error().code, Errc::corrupt);
}

}  // namespace
}  // namespace mhp::primitives
