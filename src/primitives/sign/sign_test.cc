// Ed25519 against RFC 8032, X25519 against RFC 7748, and what a signature is bound to.
#include "primitives/sign/sign.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "base/test_run.h"
#include "primitives/test_bytes.h"

namespace mhp::primitives {
namespace {

// RFC 8032, 7.1, "TEST 1024".
constexpr std::string_view kRfcMessage =
    "08b8b2b733424243760fe426a4b54908632110a66c2f6591eabd3345e3e4eb98fa6e264bf09efe12ee50f8f54e9f77b1e355"
    "f6c50544e23fb1433ddf73be84d879de7c0046dc4996d9e773f4bc9efe5738829adb26c81b37c93a1b270b20329d658675fc"
    "6ea534e0810a4432826bf58c941efb65d57a338bbd2e26640f89ffbc1a858efcb8550ee3a5e1998bd177e93a7363c344fe6b"
    "199ee5d02e82d522c4feba15452f80288a821a579116ec6dad2b3b310da903401aa62100ab5d1a36553e06203b33890cc9b8"
    "32f79ef80560ccb9a39ce767967ed628c6ad573cb116dbefefd75499da96bd68a8a97b928a8bbc103b6621fcde2beca1231d"
    "206be6cd9ec7aff6f6c94fcd7204ed3455c68c83f4a41da4af2b74ef5c53f1d8ac70bdcb7ed185ce81bd84359d44254d9562"
    "9e9855a94a7c1958d1f8ada5d0532ed8a5aa3fb2d17ba70eb6248e594e1a2297acbbb39d502f1a8c6eb6f1ce22b3de1a1f40"
    "cc24554119a831a9aad6079cad88425de6bde1a9187ebb6092cf67bf2b13fd65f27088d78b7e883c8759d2c4f5c65adb7553"
    "878ad575f9fad878e80a0c9ba63bcbcc2732e69485bbc9c90bfbd62481d9089beccf80cfe2df16a2cf65bd92dd597b0707e0"
    "917af48bbb75fed413d238f5555a7a569d80c3414a8d0859dc65a46128bab27af87a71314f318c782b23ebfe808b82b0ce26"
    "401d2e22f04d83d1255dc51addd3b75a2b1ae0784504df543af8969be3ea7082ff7fc9888c144da2af58429ec96031dbcad3"
    "dad9af0dcbaaaf268cb8fcffead94f3c7ca495e056a9b47acdb751fb73e666c6c655ade8297297d07ad1ba5e43f1bca32301"
    "651339e22904cc8c42f58c30c04aafdb038dda0847dd988dcda6f3bfd15c4b4c4525004aa06eeff8ca61783aacec57fb3d1f"
    "92b0fe2fd1a85f6724517b65e614ad6808d6f6ee34dff7310fdc82aebfd904b01e1dc54b2927094b2db68d6f903b68401ade"
    "bf5a7e08d78ff4ef5d63653a65040cf9bfd4aca7984a74d37145986780fc0b16ac451649de6188a7dbdf191f64b5fc5e2ab4"
    "7b57f7f7276cd419c17a3ca8e1b939ae49e488acba6b965610b5480109c8b17b80e1b7b750dfc7598d5d5011fd2dcc5600a3"
    "2ef5b52a1ecc820e308aa342721aac0943bf6686b64b2579376504ccc493d97e6aed3fb0f9cd71a43dd497f01f17c0e2cb37"
    "97aa2a2f256656168e6c496afc5fb93246f6b1116398a346f1a641f3b041e989f7914f90cc2c7fff357876e506b50d334ba7"
    "7c225bc307ba537152f3f1610e4eafe595f6d9d90d11faa933a15ef1369546868a7f3a45a96768d40fd9d03412c091c6315c"
    "f4fde7cb68606937380db2eaaa707b4c4185c32eddcdd306705e4dc1ffc872eeee475a64dfac86aba41c0618983f8741c5ef"
    "68d3a101e8a3b8cac60c905c15fc910840b94c00a0b9d0";
constexpr std::string_view kRfcSeed = "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5";
constexpr std::string_view kRfcPublic = "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e";
constexpr std::string_view kRfcSignature =
    "0aab4c900501b3e24d7cdf4663326a3a87df5e4843b2cbdb67cbf6e460fec350"
    "aa5371b1508f9f4528ecea23c436d94b5e8fcd4f681e30a6ac00a9704a188a03";

TEST(Sign, Rfc8032PublicKeys) {
  const SigningKey first(hex_array<32>("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"));
  EXPECT_EQ(to_hex(first.public_key()), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  const SigningKey second(hex_array<32>("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb"));
  EXPECT_EQ(to_hex(second.public_key()), "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
  test_run::tried(1, "published vectors of primitives", 2, 0);
}

// We sign context || 0x00 || message. The RFC's long message has a zero byte: what stands before it is the context.
TEST(Sign, Rfc8032Signature) {
  const Bytes whole = hex(kRfcMessage);
  const auto zero = static_cast<std::size_t>(std::find(whole.begin(), whole.end(), std::byte{0}) - whole.begin());
  ASSERT_EQ(whole.size(), 1023u);
  ASSERT_EQ(zero, 67u);
  const std::string_view context = as_text(ByteView(whole).first(zero));
  const ByteView message = ByteView(whole).subspan(zero + 1);
  const SigningKey key(hex_array<32>(kRfcSeed));
  EXPECT_EQ(to_hex(key.public_key()), kRfcPublic);
  EXPECT_EQ(to_hex(key.sign(context, message)), kRfcSignature);
  EXPECT_TRUE(verify(hex_array<32>(kRfcPublic), context, message, hex(kRfcSignature)));
  test_run::tried(1, "published vectors of primitives", 1, 0);
}

TEST(Sign, AnyOtherBitIsRefused) {
  const SigningKey key(Key{std::byte{7}});
  const Bytes message = Noise(1).bytes(100);
  const Signature good = key.sign("head", message);
  ASSERT_TRUE(verify(key.public_key(), "head", message, good));
  EXPECT_FALSE(verify(key.public_key(), "card", message, good));
  EXPECT_FALSE(verify(key.public_key(), "hea", message, good));
  EXPECT_FALSE(verify(key.public_key(), "head", ByteView(message).first(99), good));
  EXPECT_FALSE(verify(key.public_key(), "head", message, ByteView(good).first(63)));
  EXPECT_FALSE(verify(key.public_key(), "head", message, {}));
  EXPECT_FALSE(verify(SigningKey(Key{}).public_key(), "head", message, good));
  for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
    Signature bad = good;
    bad[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(verify(key.public_key(), "head", message, bad)) << "bit " << bit;
  }
  for (std::size_t bit = 0; bit < message.size() * 8; bit += 7) {
    Bytes bad = message;
    bad[bit / 8] ^= std::byte{1} << (bit % 8);
    EXPECT_FALSE(verify(key.public_key(), "head", bad, good)) << "bit " << bit;
  }
}

TEST(Sign, Rfc7748PublicKeys) {
  EXPECT_EQ(to_hex(x25519_public(hex_array<32>("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"))),
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  EXPECT_EQ(to_hex(x25519_public(hex_array<32>("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"))),
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
  test_run::tried(1, "published vectors of primitives", 2, 0);
}

/// The example key of RFC 8410, section 10.1; its hash by openssl and sha256sum.
TEST(Sign, Rfc8410KeyNamesItsHome) {
  const PublicKey key = hex_array<32>("19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1");
  EXPECT_EQ(home_id_of(key).hex(), "a1e9156054e04fac899ae9f275132cdc07a5dbc4ea2c2ad3a1ffc6e0d253681f");
}

}  // namespace
}  // namespace mhp::primitives
