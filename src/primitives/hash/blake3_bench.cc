// Speed of the hashes that every stored byte goes through.
#include <benchmark/benchmark.h>

#include "primitives/merkle/fragment_tree.h"
#include "primitives/test_bytes.h"

namespace mhp::primitives {
namespace {

void leaf(benchmark::State& state) {
  const Bytes data = Noise(1).bytes(kLeafBytes);
  for (auto _ : state) benchmark::DoNotOptimize(leaf_hash(1, data));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(data.size()));
}
BENCHMARK(leaf);

void keyed_hash(benchmark::State& state) {
  const Bytes data = Noise(1).bytes(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(blake3_keyed(Key{}, data));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(data.size()));
}
BENCHMARK(keyed_hash)->Arg(100)->Arg(4 << 10)->Arg(16 << 10)->Arg(1 << 20);

}  // namespace
}  // namespace mhp::primitives
