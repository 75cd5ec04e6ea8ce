// Cuts a byte stream where its content says so, so that an insertion moves few boundaries.
#pragma once

#include <array>

#include "base/bytes.h"
#include "primitives/hash/blake3.h"

namespace mhp::primitives {

struct ChunkLimits {
  std::size_t min_bytes = 256_KiB;
  std::size_t normal_bytes = 1_MiB;  // a power of two
  std::size_t max_bytes = 4_MiB;
};

/// A gear hash whose table comes from the vault's chunker secret (a public table leaks sizes), with normalised cut
/// points: a stricter mask before `normal_bytes`, a looser one after. Pure: same bytes and secret, same cuts on every machine.
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
