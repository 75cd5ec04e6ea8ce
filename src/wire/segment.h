// The inside of a segment: bundles, then its directory, then zeros, then a trailer that finds the directory.
#pragma once

#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "wire/limits.h"

namespace mhp::wire {

/// Chunks packed together: the unit that is compressed.
struct Bundle {
  std::uint32_t offset = 0;  // in the segment's plaintext
  std::uint32_t stored_bytes = 0;
  std::uint32_t plain_bytes = 0;
  bool compressed = false;  // one zstd frame, else as it is
  friend bool operator==(const Bundle&, const Bundle&) = default;
};

struct ChunkEntry {
  ChunkId id{};
  std::uint32_t bundle = 0;
  std::uint32_t offset = 0;  // in the bundle's plain bytes
  std::uint32_t bytes = 0;
  friend bool operator==(const ChunkEntry&, const ChunkEntry&) = default;
};

struct SegmentDirectory {
  std::vector<Bundle> bundles{};
  std::vector<ChunkEntry> chunks{};
  bool index = false;  // holds parts of the index, not content: never taken over as data
  friend bool operator==(const SegmentDirectory&, const SegmentDirectory&) = default;
};

/// Stored in columns. Every offset is checked to lie inside its bundle, every bundle inside `plain_bytes` when parsed.
Bytes encode(const SegmentDirectory& directory);
Result<SegmentDirectory> parse_segment_directory(ByteView bytes, std::uint64_t plain_bytes);

/// Upper bound of an encoded directory: tells a packer when a segment is full.
constexpr std::size_t directory_capacity(std::size_t bundles, std::size_t chunks) {
  return 64 + 13 * bundles + 43 * chunks;
}

/// Fixed layout, the last 32 bytes of a segment's plaintext.
struct SegmentTrailer {
  static constexpr std::size_t kSizeBytes = 32;
  std::uint32_t directory_offset = 0;
  std::uint32_t directory_bytes = 0;
  friend bool operator==(const SegmentTrailer&, const SegmentTrailer&) = default;
};
void write_segment_trailer(const SegmentTrailer& trailer, std::span<std::byte, SegmentTrailer::kSizeBytes> out);
Result<SegmentTrailer> parse_segment_trailer(ByteView bytes, std::uint64_t plain_bytes);

/// The smallest size class that holds `bytes` (1 to 16 MiB): 64 KiB x 2^i up to 1 MiB, then steps of 1 MiB up
/// to 4 MiB, then of 256 KiB: coarse where it would tell the size of a small backup, fine where most bytes are.
std::uint64_t size_class(std::uint64_t bytes);

}  // namespace mhp::wire
