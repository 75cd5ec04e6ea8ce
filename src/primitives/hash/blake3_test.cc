// BLAKE3 against the published vectors of its authors.
#include "primitives/hash/blake3.h"

#include <gtest/gtest.h>

#include "base/test_run.h"
#include "primitives/test_bytes.h"

namespace mhp::primitives {
namespace {

struct Vector {
  std::size_t bytes;
  std::string_view plain, keyed, derived;
};

// test_vectors.json of the BLAKE3 project; the input is 0, 1, ... 250, 0, 1, ...
constexpr std::string_view kVectorKey = "whats the Elvish word for friend";
constexpr std::string_view kVectorContext = "BLAKE3 2019-12-27 16:29:52 test vectors context";
constexpr Vector kVectors[] = {
    {0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
     "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26",
     "2cc39783c223154fea8dfb7c1b1660f2ac2dcbd1c1de8277b0b0dd39b7e50d7d"},
    {1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
     "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b",
     "b3e2e340a117a499c6cf2398a19ee0d29cca2bb7404c73063382693bf66cb06c"},
    {64, "4eed7141ea4a5cd4b788606bd23f46e212af9cacebacdc7d1f4c6dc7f2511b98",
     "ba8ced36f327700d213f120b1a207a3b8c04330528586f414d09f2f7d9ccb7e6",
     "a5c4a7053fa86b64746d4bb688d06ad1f02a18fce9afd3e818fefaa7126bf73e"},
    {1023, "10108970eeda3eb932baac1428c7a2163b0e924c9a9e25b35bba72b28f70bd11",
     "c951ecdf03288d0fcc96ee3413563d8a6d3589547f2c2fb36d9786470f1b9d6e",
     "74a16c1c3d44368a86e1ca6df64be6a2f64cce8f09220787450722d85725dea5"},
    {1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
     "75c46f6f3d9eb4f55ecaaee480db732e6c2105546f1e675003687c31719c7ba4",
     "7356cd7720d5b66b6d0697eb3177d9f8d73a4a5c5e968896eb6a689684302706"},
    {1025, "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444",
     "357dc55de0c7e382c900fd6e320acc04146be01db6a8ce7210b7189bd664ea69",
     "effaa245f065fbf82ac186839a249707c3bddf6d3fdda22d1b95a3c970379bcb"},
    {2049, "5f4d72f40d7a5f82b15ca2b2e44b1de3c2ef86c426c95c1af0b6879522563030",
     "9f29700902f7c86e514ddc4df1e3049f258b2472b6dd5267f61bf13983b78dd5",
     "2ea477c5515cc3dd606512ee72bb3e0e758cfae7232826f35fb98ca1bcbdf273"},
    {4097, "9b4052b38f1c5fc8b1f9ff7ac7b27cd242487b3d890d15c96a1c25b8aa0fb995",
     "00df940cd36bb9fa7cbbc3556744e0dbc8191401afe70520ba292ee3ca80abbc",
     "aca51029626b55fda7117b42a7c211f8c6e9ba4fe5b7a8ca922f34299500ead8"},
    {8193, "bab6c09cb8ce8cf459261398d2e7aef35700bf488116ceb94a36d0f5f1b7bc3b",
     "954a2a75420c8d6547e3ba5b98d963e6fa6491addc8c023189cc519821b4a1f5",
     "af1e0346e389b17c23200270a64aa4e1ead98c61695d917de7d5b00491c9b0f1"},
    {31744, "62b6960e1a44bcc1eb1a611a8d6235b6b4b78f32e7abc4fb4c6cdcce94895c47",
     "efa53b389ab67c593dba624d898d0f7353ab99e4ac9d42302ee64cbf9939a419",
     "39772aef80e0ebe60596361e45b061e8f417429d529171b6764468c22928e28e"},
    {102400, "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085",
     "1c35d1a5811083fd7119f5d5d1ba027b4d01c0c6c49fb6ff2cf75393ea5db4a7",
     "4652cff7a3f385a6103b5c260fc1593e13c778dbe608efb092fe7ee69df6e9c6"},
};
constexpr std::string_view kDrawnOut1025 =
    "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444f4c4a22b4b399155358a994e52bf255de60035742ec71bd08"
    "ac275a1b51cc6bfe332b0ef84b409108cda080e6269ed4b3e2c3f7d722aa4cdc98d16deb554e5627be8f955c98e1d5f9565a9194cad0c4285"
    "f93700062d9595adb992ae68ff12800ab67a";

Bytes counting(std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::byte>(i % 251);
  return out;
}

Key vector_key() {
  Key key;
  std::memcpy(key.data(), kVectorKey.data(), key.size());
  return key;
}

TEST(Blake3, PublishedVectorsInAllThreeModes) {
  for (const Vector& vector : kVectors) {
    SCOPED_TRACE(vector.bytes);
    const Bytes input = counting(vector.bytes);
    EXPECT_EQ(to_hex(blake3(input)), vector.plain);
    EXPECT_EQ(to_hex(blake3_keyed(vector_key(), input)), vector.keyed);
    EXPECT_EQ(to_hex(blake3_derive(kVectorContext, input)), vector.derived);
  }
  test_run::tried(1, "published vectors of primitives", 3 * std::size(kVectors), 0);
}

TEST(Blake3, PublishedVectorDrawnOut) {
  Bytes out(kDrawnOut1025.size() / 2);
  Blake3().update(counting(1025)).finish(out);
  EXPECT_EQ(to_hex(out), kDrawnOut1025);
  test_run::tried(1, "published vectors of primitives", 1, 0);
}

TEST(Blake3, PartsAndCopiesGiveTheSameAsTheWhole) {
  const Bytes input = counting(102400);
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    Noise noise(seed);
    Blake3 hash = Blake3::keyed(vector_key());
    std::size_t at = 0;
    while (at < input.size()) {
      const std::size_t step = std::min(noise.below(5000), input.size() - at);
      hash.update(ByteView(input).subspan(at, step));
      const Blake3 copy = hash;  // a copy goes on from here by itself
      hash.update({});
      EXPECT_EQ(copy.finish(), hash.finish());
      hash = copy;
      at += step;
    }
    EXPECT_EQ(to_hex(hash.finish()), kVectors[std::size(kVectors) - 1].keyed);
  }
}

}  // namespace
}  // namespace mhp::primitives
