// The fragment tree against its own definition in plain terms, and golden bytes of format 1.
#include "primitives/merkle/fragment_tree.h"

#include <gtest/gtest.h>

#include <set>

#include "primitives/test_bytes.h"

namespace mhp::primitives {
namespace {

Bytes joined(ByteView a, ByteView b) {
  Bytes out = to_bytes(a);
  out.insert(out.end(), b.begin(), b.end());
  return out;
}

TEST(FragmentTree, IsWhatItsDefinitionSays) {
  const Bytes header = Noise(1).bytes(96);
  const Bytes payload = Noise(2).bytes(2 * kLeafBytes + 5);
  const auto leaves = leaf_hashes(header, payload);
  ASSERT_EQ(leaves.size(), 4u);
  const ByteView parts[] = {header, ByteView(payload).first(kLeafBytes),
                            ByteView(payload).subspan(kLeafBytes, kLeafBytes), ByteView(payload).last(5)};
  Bytes all;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::array number = {static_cast<std::byte>(i), std::byte{0}, std::byte{0}, std::byte{0}};
    EXPECT_EQ(leaves[i], blake3_derive("mhp 1 fragment leaf", joined(parts[i], number))) << i;
    all = joined(all, leaves[i]);
  }
  const Hash root = blake3_derive("mhp 1 fragment root", joined(hex("04000000"), all));
  EXPECT_EQ(root_of(leaves), FragmentId::from_array(root));
}

TEST(FragmentTree, GoldenFormat1) {
  const auto leaves = leaf_hashes(Noise(1).bytes(96), Noise(2).bytes(2 * kLeafBytes + 5));
  EXPECT_EQ(root_of(leaves).hex(), "73f349cd19269fbc844987c1c50bc27587e8956f2eca9e7d784afc26dfe54403");
  EXPECT_EQ(to_hex(leaf_hash(0x01020304, as_bytes("leaf"))),
            "6f49b5f931b71a766996716d29b26c83cf9ed0447520d3429ae34ded668a8b15");
}

TEST(FragmentTree, CountsLeaves) {
  EXPECT_EQ(leaf_count(0), 1u);
  EXPECT_EQ(leaf_count(1), 2u);
  EXPECT_EQ(leaf_count(kLeafBytes), 2u);
  EXPECT_EQ(leaf_count(kLeafBytes + 1), 3u);
  for (std::size_t bytes : {0ul, 1ul, 65535ul, 65536ul, 65537ul, 131072ul}) {
    EXPECT_EQ(leaf_hashes({}, Bytes(bytes)).size(), leaf_count(bytes)) << bytes;
  }
}

TEST(FragmentTree, PlaceOrderAndCountMatter) {
  const Bytes part(100);
  std::set<std::string> seen;
  for (std::uint32_t number : {0u, 1u, 256u, 0xffffffffu}) seen.insert(to_hex(leaf_hash(number, part)));
  seen.insert(to_hex(leaf_hash(0, Bytes(104))));  // not the same as four zero bytes of another number
  EXPECT_EQ(seen.size(), 5u);
  const Hash a = leaf_hash(0, part);
  const Hash b = leaf_hash(1, part);
  std::set<std::string> roots;
  for (const auto& leaves : std::vector<std::vector<Hash>>{{}, {a}, {b}, {a, b}, {b, a}, {a, a}, {a, b, b}}) {
    roots.insert(root_of(leaves).hex());
  }
  EXPECT_EQ(roots.size(), 7u);
}

}  // namespace
}  // namespace mhp::primitives
