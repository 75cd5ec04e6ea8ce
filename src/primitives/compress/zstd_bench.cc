// Speed of zstd on words and on noise, and of the test that spares it the noise.
#include <benchmark/benchmark.h>

#include "primitives/compress/zstd.h"
#include "primitives/test_bytes.h"

namespace mhp::primitives {
namespace {

void compress_words(benchmark::State& state) {
  const Bytes data = words(1_MiB, 1);
  Bytes out(Compressor::bound(data.size()));
  Compressor compressor(static_cast<int>(state.range(0)));
  std::size_t size = 0;
  for (auto _ : state) benchmark::DoNotOptimize(size = compressor.compress(data, out));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(data.size()));
  state.counters["ratio"] = static_cast<double>(size) / static_cast<double>(data.size());
}
BENCHMARK(compress_words)->Arg(1)->Arg(3);

void decompress_words(benchmark::State& state) {
  const Bytes data = words(1_MiB, 1);
  Bytes frame(Compressor::bound(data.size()));
  frame.resize(Compressor(1).compress(data, frame));
  Bytes out(data.size());
  for (auto _ : state) benchmark::DoNotOptimize(decompress(frame, out).has_value());
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(data.size()));
}
BENCHMARK(decompress_words);

void probe(benchmark::State& state) {
  const Bytes data = state.range(0) == 0 ? Noise(1).bytes(1_MiB) : words(1_MiB, 1);
  for (auto _ : state) benchmark::DoNotOptimize(looks_incompressible(data));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(data.size()));
}
BENCHMARK(probe)->ArgName("words")->Arg(0)->Arg(1);

void even_bytes(benchmark::State& state) {
  const Bytes data = Noise(1).bytes(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(has_even_bytes(data));
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(even_bytes)->Arg(200)->Arg(4096);

}  // namespace
}  // namespace mhp::primitives
