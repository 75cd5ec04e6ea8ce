// Speed of the row code, in GB/s of segment data; 8 MiB segments, k = 12.
#include <benchmark/benchmark.h>

#include <numeric>

#include "primitives/erasure/row_code.h"
#include "primitives/test_bytes.h"

namespace mhp::primitives {
namespace {

constexpr std::size_t kData = 12;
constexpr std::size_t kRowBytes = 8_MiB / kData;

void run(benchmark::State& state, const std::vector<std::uint8_t>& have, const std::vector<std::uint8_t>& want) {
  std::vector<Bytes> from, to;
  std::vector<const std::byte*> in;
  std::vector<std::byte*> out;
  for (std::size_t i = 0; i < have.size(); ++i) in.push_back(from.emplace_back(Noise(i).bytes(kRowBytes)).data());
  for (std::size_t i = 0; i < want.size(); ++i) out.push_back(to.emplace_back(kRowBytes).data());
  const auto code = RowCode::make(have, want);
  for (auto _ : state) code->apply(kRowBytes, in, out);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kData * kRowBytes));
}

std::vector<std::uint8_t> numbers(int first, int end) {
  std::vector<std::uint8_t> out(static_cast<std::size_t>(end - first));
  std::iota(out.begin(), out.end(), static_cast<std::uint8_t>(first));
  return out;
}

void encode(benchmark::State& state) {
  run(state, numbers(0, kData), numbers(kData, static_cast<int>(state.range(0))));
}
BENCHMARK(encode)->ArgName("rows")->Arg(18)->Arg(20)->Arg(24)->Arg(30)->Arg(36);

/// Worst case: none of the data rows is left.
void decode(benchmark::State& state) { run(state, numbers(kData, 2 * kData), numbers(0, kData)); }
BENCHMARK(decode);

/// Four data rows are lost.
void decode_four(benchmark::State& state) { run(state, numbers(4, 16), numbers(0, 4)); }
BENCHMARK(decode_four);

void make_decoder(benchmark::State& state) {
  const auto have = numbers(kData, 2 * kData);
  const auto want = numbers(0, kData);
  for (auto _ : state) benchmark::DoNotOptimize(RowCode::make(have, want).has_value());
}
BENCHMARK(make_decoder);

}  // namespace
}  // namespace mhp::primitives
