// Speed of cutting; GB/s of data, and of the bytes that are really looked at (min_bytes of each chunk are skipped).
#include <benchmark/benchmark.h>

#include "primitives/chunk/chunker.h"
#include "primitives/test_bytes.h"

namespace mhp::primitives {
namespace {

void gear_cut(benchmark::State& state) {
  const Chunker chunker(Key{std::byte{1}});
  const Bytes data = Noise(1).bytes(64_MiB);
  std::size_t skipped = 0;
  for (auto _ : state) {
    for (std::size_t at = 0; at < data.size();) {
      at += chunker.next(ByteView(data).subspan(at));
      skipped += chunker.limits().min_bytes;
    }
  }
  const auto total = state.iterations() * static_cast<std::int64_t>(data.size());
  state.SetBytesProcessed(total);
  state.counters["scanned"] =
      benchmark::Counter(static_cast<double>(total) - static_cast<double>(skipped), benchmark::Counter::kIsRate);
}
BENCHMARK(gear_cut);

}  // namespace
}  // namespace mhp::primitives
