// Fragment: one coded row of a segment, in a fixed binary layout (docs/formats/fragment.md).
#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "primitives/merkle/fragment_tree.h"
#include "wire/limits.h"

namespace mhp::wire {

/// fragment = header (128 bytes) || salt row (32) || leaf hashes (32 each) || payload (row_bytes).
/// Leaf 0 of the tree is header || salt; the leaf hashes stand there so that a part of the payload can be checked
/// alone.
struct FragmentHeader {
  static constexpr std::size_t kSizeBytes = 128;
  std::uint16_t format = kFormat;
  std::uint8_t row = 0;
  std::uint8_t k = 0;
  std::uint32_t epoch = 0;
  std::uint32_t row_bytes = 0;
  std::uint64_t sealed_bytes = 0;
  SegmentId segment{};
  friend bool operator==(const FragmentHeader&, const FragmentHeader&) = default;
};

constexpr std::size_t kSaltRowBytes = 32;
constexpr std::size_t kLeafZeroBytes = FragmentHeader::kSizeBytes + kSaltRowBytes;

/// Where the payload starts.
constexpr std::uint64_t fragment_payload_offset(std::uint64_t row_bytes) {
  return kLeafZeroBytes + 32ull * primitives::leaf_count(row_bytes);
}
constexpr std::uint64_t fragment_bytes(std::uint64_t row_bytes) {
  return fragment_payload_offset(row_bytes) + row_bytes;
}

void write_fragment_header(const FragmentHeader& header, std::span<std::byte, FragmentHeader::kSizeBytes> out);
/// Unused bytes must be zero. Errors: invalid.
Result<FragmentHeader> parse_fragment_header(ByteView bytes);

/// The front of a fragment, checked: its leaf hashes fit the root, leaf 0 fits its hash.
struct FragmentFront {
  FragmentHeader header{};
  primitives::Hash salt{};
  std::vector<primitives::Hash> leaves{};
};
/// `bytes` = the first fragment_payload_offset(row_bytes) bytes. Errors: corrupt, invalid.
Result<FragmentFront> parse_fragment_front(ByteView bytes, const FragmentId& id);
/// Checks payload leaves first_leaf... (1 is the first payload leaf) that `payload` holds, whole leaves only but the
/// last.
Result<void> check_payload(const FragmentFront& front, std::uint32_t first_leaf, ByteView payload);
/// Fills in header, salt and leaf hashes before a payload that is already in place; `fragment` is the whole fragment.
/// Its id.
FragmentId finish_fragment(const FragmentHeader& header, const primitives::Hash& salt, MutableBytes fragment);

}  // namespace mhp::wire
