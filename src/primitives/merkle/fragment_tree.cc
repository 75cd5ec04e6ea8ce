// Hashes of a fragment's leaves and their root.
#include "primitives/merkle/fragment_tree.h"

#include <algorithm>

#include "base/check.h"

namespace mhp::primitives {

static std::array<std::byte, 4> little_endian_32(std::uint32_t value) {
  return {static_cast<std::byte>(value), static_cast<std::byte>(value >> 8), static_cast<std::byte>(value >> 16),
          static_cast<std::byte>(value >> 24)};
}

/// A copy is cheaper than hashing the context again for each leaf.
static const Blake3& fresh_leaf() {
  static const Blake3 fresh = Blake3::derived("mhp 1 fragment leaf");
  return fresh;
}

LeafHash::LeafHash() : hash_(fresh_leaf()) {}

LeafHash& LeafHash::update(ByteView bytes) {
  hash_.update(bytes);
  return *this;
}

Hash LeafHash::finish(std::uint32_t number) { return hash_.update(little_endian_32(number)).finish(); }

Hash leaf_hash(std::uint32_t number, ByteView bytes) { return LeafHash().update(bytes).finish(number); }

FragmentId root_of(std::span<const Hash> leaves) {
  static const Blake3 fresh = Blake3::derived("mhp 1 fragment root");
  Blake3 hash = fresh;
  hash.update(little_endian_32(static_cast<std::uint32_t>(leaves.size()))).update(std::as_bytes(leaves));
  return FragmentId::from_array(hash.finish());
}

std::vector<Hash> leaf_hashes(ByteView header_and_salt, ByteView payload) {
  std::vector<Hash> leaves;
  leaves.reserve(leaf_count(payload.size()));
  leaves.push_back(leaf_hash(0, header_and_salt));
  for (std::size_t from = 0; from < payload.size(); from += kLeafBytes) {
    const ByteView part = payload.subspan(from, std::min<std::size_t>(kLeafBytes, payload.size() - from));
    leaves.push_back(leaf_hash(static_cast<std::uint32_t>(leaves.size()), part));
  }
  MHP_CHECK(leaves.size() == leaf_count(payload.size()));
  return leaves;
}

}  // namespace mhp::primitives
