// Speed of the row code, in GB/s of segment data; 8 MiB segments, k = 12.
#include <benchmark/benchmark.h>

#include <numeric>

#include "primitives/erasure/row_code.h"
#include "primitives/test_bytes.h"

namespace mhp::primitives {
namespace {

constexpr std::size_t kData = 12;
constexpr std::size_t kRowBytes = 8_MiB / kData;

void run(benchmark::State& state, RowCode::Kernel kernel, const std::vector<std::uint8_t>& have,
         const std::vector<std::uint8_t>& want) {
  if (!RowCode::runs_here(kernel)) return state.SkipWithError("not on this processor");
  std::vector<Bytes> from, to;
  std::vector<const std::byte*> in;
  std::vector<std::byte*> out;
  for (std::size_t i = 0; i < have.size(); ++i) in.push_back(from.emplace_back(Noise(i).bytes(kRowBytes)).data());
  for (std::size_t i = 0; i < want.size(); ++i) out.push_back(to.emplace_back(kRowBytes).data());
  const auto code = RowCode::make(have, want);
  for (auto _ : state) code->apply_by(kernel, kRowBytes, in, out);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(kData * kRowBytes));
}

std::vector<std::uint8_t> numbers(int first, int end) {
  std::vector<std::uint8_t> out(static_cast<std::size_t>(end - first));
  std::iota(out.begin(), out.end(), static_cast<std::uint8_t>(first));
  return out;
}

void encode(benchmark::State& state, RowCode::Kernel kernel) {
  run(state, kernel, numbers(0, kData), numbers(kData, static_cast<int>(state.range(0))));
}
BENCHMARK_CAPTURE(encode, isa_l, RowCode::Kernel::isa_l)->ArgName("rows")->Arg(18)->Arg(20)->Arg(24)->Arg(30)->Arg(36);
BENCHMARK_CAPTURE(encode, gfni, RowCode::Kernel::gfni)->ArgName("rows")->Arg(18)->Arg(20)->Arg(24)->Arg(30)->Arg(36);

/// Worst case: none of the data rows is left.
void decode(benchmark::State& state, RowCode::Kernel kernel) {
  run(state, kernel, numbers(kData, 2 * kData), numbers(0, kData));
}
BENCHMARK_CAPTURE(decode, isa_l, RowCode::Kernel::isa_l);
BENCHMARK_CAPTURE(decode, gfni, RowCode::Kernel::gfni);

/// Four data rows are lost.
void decode_four(benchmark::State& state, RowCode::Kernel kernel) { run(state, kernel, numbers(4, 16), numbers(0, 4)); }
BENCHMARK_CAPTURE(decode_four, isa_l, RowCode::Kernel::isa_l);
BENCHMARK_CAPTURE(decode_four, gfni, RowCode::Kernel::gfni);

void make_decoder(benchmark::State& state) {
  const auto have = numbers(kData, 2 * kData);
  const auto want = numbers(0, kData);
  for (auto _ : state) benchmark::DoNotOptimize(RowCode::make(have, want).has_value());
}
BENCHMARK(make_decoder);

}  // namespace
}  // namespace mhp::primitives
