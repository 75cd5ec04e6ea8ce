// zstd with a cheap test for what does not compress.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/result.h"

namespace mhp::primitives {

/// True where in three samples of 256 bytes all values of a byte are about equally frequent, as in what is compressed
/// or encrypted already; false below 64 bytes. Less than 1 us: a sign of noise, no proof (see looks_incompressible).
bool has_even_bytes(ByteView data);

/// True where zstd gains less than about 3 % on three samples of 4 KiB; false below 4 KiB. About 20 us on noise.
bool looks_incompressible(ByteView data);

/// One per worker: contexts are costly to make and are used again. Not for two threads at once.
class Compressor {
 public:
  /// @param level 1 to 19.
  explicit Compressor(int level);
  ~Compressor();
  Compressor(Compressor&&) noexcept;
  /// Upper bound of what compress() writes for `bytes` of input.
  static std::size_t bound(std::size_t bytes);
  /// Writes one zstd frame to `out` (at least bound() long); its length.
  std::size_t compress(ByteView data, MutableBytes out);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Opens one zstd frame whose plain length is known: `out` is filled exactly, else `corrupt`. Takes less than 1 MiB of
/// memory beside `out`, whatever the frame asks for.
Result<void> decompress(ByteView frame, MutableBytes out);

}  // namespace mhp::primitives
