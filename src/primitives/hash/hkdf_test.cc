// HKDF-SHA-256 against RFC 5869, appendix A.
#include "primitives/hash/hkdf.h"

#include <gtest/gtest.h>

#include "base/test_run.h"
#include "primitives/test_bytes.h"

namespace mhp::primitives {
namespace {

std::string hkdf(ByteView material, ByteView salt, ByteView info, std::size_t bytes) {
  Bytes out(bytes);
  hkdf_sha256(material, salt, info, out);
  return to_hex(out);
}

Bytes run(unsigned first, unsigned last) {
  Bytes out;
  for (unsigned value = first; value <= last; ++value) out.push_back(static_cast<std::byte>(value));
  return out;
}

TEST(Hkdf, Rfc5869) {
  const Bytes material(22, std::byte{0x0b});
  EXPECT_EQ(hkdf(material, run(0x00, 0x0c), run(0xf0, 0xf9), 42),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  EXPECT_EQ(hkdf(run(0x00, 0x4f), run(0x60, 0xaf), run(0xb0, 0xff), 82),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
            "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
  EXPECT_EQ(hkdf(material, {}, {}, 42),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
  test_run::tried(1, "published vectors of primitives", 3, 0);
}

TEST(Hkdf, LimitsOfLengths) {
  const std::string longest = hkdf(run(1, 32), run(1, 64), {}, 8160);
  EXPECT_EQ(longest.substr(0, 2), hkdf(run(1, 32), run(1, 64), {}, 1));
  EXPECT_NE(hkdf(run(1, 32), {}, Bytes(1024), 32), hkdf(run(1, 32), {}, Bytes(1023), 32));
  EXPECT_EQ(hkdf({}, {}, {}, 32).size(), 64u);
}

}  // namespace
}  // namespace mhp::primitives
