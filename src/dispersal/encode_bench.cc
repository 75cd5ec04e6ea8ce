// How fast a segment becomes records: code, copy and hash of an 8 MiB segment, per byte of ciphertext, on one core.
#include <benchmark/benchmark.h>

#include <numeric>
#include <random>

#include "dispersal/encode.h"
#include "dispersal/plan.h"
#include "primitives/erasure/row_code.h"
#include "wire/fragment.h"

namespace mhp::dispersal {
namespace {

/// range(0): n; range(1): ciphertext in KiB. One home a row pair, about as at ten homes.
void bench_encode(benchmark::State& state) {
  const auto n = static_cast<unsigned>(state.range(0));
  Bytes sealed(static_cast<std::size_t>(state.range(1)) * 1024);
  std::mt19937_64 random(1);
  for (std::byte& byte : sealed) byte = static_cast<std::byte>(random());
  const std::vector<primitives::Hash> salts(kNeed);
  const SealedSegment segment{.id = {}, .vault = {}, .epoch = 1, .k = kNeed, .sealed = sealed, .salts = salts};
  std::vector<RowsFor> wanted(10);
  for (unsigned row = 0; row < n; ++row) {
    wanted[row % 10].home = row % 10;
    wanted[row % 10].rows.push_back(static_cast<std::uint8_t>(row));
  }
  BufferPool pool;
  const Bytes card(wire::signed_card_capacity(n));
  for (auto _ : state) {
    EncodedSegment encoded = encode(segment, wanted, nullptr, pool);
    attach_card(encoded, card);
    benchmark::DoNotOptimize(encoded.shipments.front().buffer.data());
    for (Shipment& shipment : encoded.shipments) pool.give(std::move(shipment.buffer));
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(sealed.size()));
}
BENCHMARK(bench_encode)->ArgsProduct({{18, 20, 24, 30, 36}, {8192}})->Args({30, 64})->Unit(benchmark::kMicrosecond);

/// What encode() is compared with: all rows coded first, then each hashed by wire::finish_fragment. No records, no
/// copies.
void bench_code_then_hash(benchmark::State& state) {
  const auto n = static_cast<unsigned>(state.range(0));
  Bytes sealed(8_MiB);
  std::mt19937_64 random(1);
  for (std::byte& byte : sealed) byte = static_cast<std::byte>(random());
  const std::uint32_t row_bytes = row_bytes_of(sealed.size(), kNeed);
  sealed.resize(std::size_t{row_bytes} * kNeed);
  std::vector<Bytes> fragments(n, Bytes(wire::fragment_bytes(row_bytes)));
  std::vector<std::uint8_t> have(kNeed);
  std::vector<std::uint8_t> want(n - kNeed);
  std::iota(have.begin(), have.end(), std::uint8_t{0});
  std::iota(want.begin(), want.end(), std::uint8_t{kNeed});
  const auto code = primitives::RowCode::make(have, want);
  const std::size_t payload_at = wire::fragment_payload_offset(row_bytes);
  for (auto _ : state) {
    std::vector<const std::byte*> in;
    std::vector<std::byte*> out;
    for (unsigned row = 0; row < n; ++row) {
      if (row >= kNeed) {
        out.push_back(fragments[row].data() + payload_at);
        continue;
      }
      in.push_back(sealed.data() + row * row_bytes);
      std::copy_n(in.back(), row_bytes, fragments[row].data() + payload_at);
    }
    code->apply(row_bytes, in, out);
    for (unsigned row = 0; row < n; ++row) {
      const wire::FragmentHeader header{.row = static_cast<std::uint8_t>(row),
                                        .k = kNeed,
                                        .epoch = 1,
                                        .row_bytes = row_bytes,
                                        .sealed_bytes = 8_MiB,
                                        .segment = {}};
      benchmark::DoNotOptimize(wire::finish_fragment(header, primitives::Hash(), fragments[row]));
    }
  }
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(8_MiB));
}
BENCHMARK(bench_code_then_hash)->Arg(18)->Arg(30)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace mhp::dispersal
