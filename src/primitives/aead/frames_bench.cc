// Speed of sealing and opening a segment's frames.
#include <benchmark/benchmark.h>

#include "primitives/aead/frames.h"
#include "primitives/test_bytes.h"

namespace mhp::primitives {
namespace {

constexpr std::size_t kSegmentBytes = 8_MiB;

void seal(benchmark::State& state) {
  const Bytes plain = Noise(1).bytes(kSegmentBytes);
  Bytes out(sealed_frames_bytes(plain.size()));
  for (auto _ : state) seal_frames(Key{}, as_bytes("bench"), plain, out);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(plain.size()));
}
BENCHMARK(seal);

void open(benchmark::State& state) {
  Bytes plain = Noise(1).bytes(kSegmentBytes);
  Bytes sealed(sealed_frames_bytes(plain.size()));
  seal_frames(Key{}, as_bytes("bench"), plain, sealed);
  for (auto _ : state) {
    if (!open_frames(Key{}, as_bytes("bench"), plain.size(), 0, sealed, plain)) state.SkipWithError("did not open");
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(plain.size()));
}
BENCHMARK(open);

}  // namespace
}  // namespace mhp::primitives
