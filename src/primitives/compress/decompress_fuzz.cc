// Any bytes as a frame: decompressing never crashes, and what opens can be compressed and opened again.
#include "base/check.h"
#include "primitives/compress/zstd.h"

using mhp::Bytes;
using mhp::primitives::Compressor;
using mhp::primitives::decompress;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t plain_bytes = data[0] + data[1] * std::size_t{256};  // the stated length
  Bytes plain(plain_bytes);
  if (!decompress(std::as_bytes(std::span(data, size)).subspan(2), plain)) return 0;
  static Compressor compressor(1);
  Bytes frame(Compressor::bound(plain.size()));
  frame.resize(compressor.compress(plain, frame));
  Bytes again(plain_bytes);
  MHP_CHECK(decompress(frame, again));
  MHP_CHECK(again == plain);
  return 0;
}
