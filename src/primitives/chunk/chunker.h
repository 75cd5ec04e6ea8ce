// Cuts a byte stream where its content says so, so that an insertion moves few boundaries.
#pragma once

#include <array>

#include "base/bytes.h"
#include "primitives/chunk/gear.h"
#include "primitives/hash/blake3.h"

namespace mhp::primitives {

struct ChunkLimits {
  std::size_t min_bytes = 256_KiB;   // at least 64
  std::size_t normal_bytes = 1_MiB;  // a power of two, at most 1 GiB
  std::size_t max_bytes = 4_MiB;
};

/// A gear hash whose table comes from the vault's chunker secret (a public table leaks sizes), with normalised cut
/// points: a stricter mask before `normal_bytes`, a looser one after. Pure: same bytes and secret, same cuts on every
/// machine. The hash at a place covers the 32 bytes before it: h = h * 2 + table[byte], modulo 2^32. A chunk ends at
/// the first place behind min_bytes where the upper log2(normal_bytes) + 2 bits of it are zero (up to normal_bytes;
/// then two bits fewer than log2(normal_bytes)), or at max_bytes. Table: 256 little-endian numbers of 4 bytes, drawn
/// from BLAKE3 derive-key mode, context "mhp 1 chunker gear table", over the secret.
/// @source FastCDC, USENIX ATC 2016.
class Chunker {
 public:
  /// What looks for cuts. All find the same.
  enum class Kernel { plain, avx512 };
  static bool runs_here(Kernel kernel);

  /// Takes the fastest kernel that runs here.
  explicit Chunker(const Key& secret, ChunkLimits limits = {});
  Chunker(const Key& secret, ChunkLimits limits, Kernel kernel);
  /// Length of the first chunk of `data`; 0 if and only if data is empty; at most max_bytes. A result below data.size()
  /// or equal to max_bytes is final; else the stream may go on, and the chunk with it.
  /// `looked_at`: so many bytes of the same chunk were given before, and all of them came back: no cut lies below.
  std::size_t next(ByteView data, std::size_t looked_at = 0) const;
  const ChunkLimits& limits() const { return limits_; }

 private:
  ChunkLimits limits_;
  Kernel kernel_;
  std::uint32_t strict_limit_;  // a hash below it has enough zeros
  std::uint32_t loose_limit_;
  gear::Table table_;
};

}  // namespace mhp::primitives
