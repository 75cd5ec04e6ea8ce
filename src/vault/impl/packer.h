// Chunks go in, a segment's plain bytes come out: bundles, directory, zeros, trailer.
#pragma once

#include <array>
#include <optional>

#include "dispersal/encode.h"
#include "primitives/compress/zstd.h"
#include "vault/impl/index.h"
#include "vault/vault.h"
#include "wire/index.h"

namespace mhp::vault::impl {

constexpr std::size_t kBundleBytes = 1_MiB;        // what small chunks are gathered to before they are compressed
constexpr std::size_t kLeastBundleBytes = 32_KiB;  // what a bundle has at least that is closed to make room
constexpr std::size_t kOwnBundleBytes = 256_KiB;   // a chunk this long is a bundle of its own
constexpr std::size_t kMinSegmentBytes = 5_MiB;    // a single chunk of 4 MiB always fits an empty segment

constexpr std::size_t kMaxDirectoryBytes = 2_MiB;  // has to fit an index part; 48,000 chunks

/// What a packer needs of its surroundings. All outlive it.
struct PackerParts {
  const primitives::Key* dedup_secret = nullptr;
  const Index* stored = nullptr;     // chunks that are there already; null: nothing is left out as a double
  SessionChunks* session = nullptr;  // chunks that other packers took; null with `stored`
  dispersal::BufferPool* buffers = nullptr;
  int compression_level = 1;
  std::size_t segment_bytes = 8_MiB;  // 5 to 16 MiB, a size class
  bool index = false;                 // marks its segments
};

/// A segment's plain bytes, ready to be sealed; valid until the packer's next call.
struct PackedSegment {
  ByteView plain;  // a size class long
  wire::SegmentDirectory directory;
};

class SegmentPacker : public Packer {
 public:
  explicit SegmentPacker(const PackerParts& parts);
  ~SegmentPacker() override;
  bool fits(std::size_t bytes) override;
  ChunkId add(ByteView chunk) override;
  bool empty() const override { return directory_.chunks.empty(); }
  bool take_in(Packer& other) override;

  /// Closes the open bundle and writes directory and trailer. Must not be empty.
  PackedSegment pack();
  /// Starts the next segment; counters start again too.
  void reset();
  /// Plain bytes of the chunks since reset(), and the same after compression.
  std::uint64_t new_bytes() const { return new_bytes_; }
  std::uint64_t packed_bytes() const { return used_; }

 private:
  /// A bundle that small chunks are gathered in.
  struct OpenBundle {
    Bytes plain;
    std::vector<std::size_t> chunks;  // entries of directory_.chunks in it, whose bundle has no number yet
  };
  void place(const ChunkId& id, std::uint32_t bundle, std::size_t offset, std::size_t bytes);
  void close_bundle(bool even);
  void close_bundles();
  /// Directory and trailer too, with so much added.
  bool has_room_for_chunk(std::size_t bytes) const;
  bool has_room(std::size_t content, std::size_t bundles, std::size_t chunks) const;
  void write_bundle(ByteView plain, bool even);
  std::uint32_t open_bundle() const { return static_cast<std::uint32_t>(directory_.bundles.size()); }

  PackerParts parts_;
  primitives::Compressor compressor_;
  AlignedBuffer plain_;  // taken with the first chunk
  std::size_t used_ = 0;
  // What looks compressed already is kept apart ([1]): it is not worth compressing again, and beside text it spoils the
  // tables that zstd makes for both.
  std::array<OpenBundle, 2> open_;
  wire::SegmentDirectory directory_;
  std::uint64_t new_bytes_ = 0;
};

}  // namespace mhp::vault::impl
