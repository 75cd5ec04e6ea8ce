// Cuts a byte stream where its content says so, so that an insertion moves few boundaries.
#pragma once

#include <array>

#include "base/bytes.h"
#include "primitives/hash/blake3.h"

namespace mhp::primitives {

struct ChunkLimits {
  std::size_t min_bytes = 256_KiB;   // at least 64
  std::size_t normal_bytes = 1_MiB;  // a power of two
  std::size_t max_bytes = 4_MiB;
};

/// A gear hash whose table comes from the vault's chunker secret (a public table leaks sizes), with normalised cut
/// points: a stricter mask before `normal_bytes`, a looser one after. Pure: same bytes and secret, same cuts on every
/// machine. The hash at a place covers the 64 bytes before it: h = h * 2 + table[byte], modulo 2^64. A chunk ends at
/// the first place behind min_bytes where the upper log2(normal_bytes) + 2 bits of it are zero (up to normal_bytes;
/// then two bits fewer than log2(normal_bytes)), or at max_bytes. Table: 256 little-endian numbers of 8 bytes, drawn
/// from BLAKE3 derive-key mode, context "mhp 0 chunker gear table", over the secret.
/// @source FastCDC, USENIX ATC 2016.
class Chunker {
 public:
  explicit Chunker(const Key& secret, ChunkLimits limits = {});
  /// Length of the first chunk of `data`. `data` holds at least max_bytes, or all that is left of the stream.
  /// 0 if and only if data is empty; at most max_bytes.
  std::size_t next(ByteView data) const;
  const ChunkLimits& limits() const { return limits_; }

 private:
  ChunkLimits limits_;
  std::uint64_t strict_mask_;
  std::uint64_t loose_mask_;
  std::array<std::uint64_t, 256> table_;
};

}  // namespace mhp::primitives
