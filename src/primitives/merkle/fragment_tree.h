// The two-level Merkle tree of a fragment: leaves of 64 KiB and a root over their hashes.
#pragma once

#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "primitives/hash/blake3.h"

namespace mhp::primitives {

constexpr std::size_t kLeafBytes = 64_KiB;

/// Hash of leaf `number`: BLAKE3 derive-key mode, context "mhp 1 fragment leaf", over bytes || number (4 bytes, little
/// endian). The number comes last so that the bytes stay on BLAKE3's own boundaries; in front it costs 45 % more time.
/// Leaf 0 is the fragment's header and salt; leaves 1... are its payload in 64 KiB parts.
Hash leaf_hash(std::uint32_t number, ByteView bytes);

/// The same, part by part; fastest in parts of 16 KiB.
class LeafHash {
 public:
  LeafHash();
  LeafHash& update(ByteView bytes);
  Hash finish(std::uint32_t number);

 private:
  Blake3 hash_;
};

/// Root: context "mhp 1 fragment root" over count (4 bytes, little endian) || the leaf hashes in order.
FragmentId root_of(std::span<const Hash> leaves);

/// Number of leaves of a fragment whose payload is `payload_bytes` long.
constexpr std::uint32_t leaf_count(std::uint64_t payload_bytes) {
  return static_cast<std::uint32_t>(1 + (payload_bytes + kLeafBytes - 1) / kLeafBytes);
}

/// All leaf hashes of a fragment.
std::vector<Hash> leaf_hashes(ByteView header_and_salt, ByteView payload);

}  // namespace mhp::primitives
