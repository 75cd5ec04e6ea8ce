// 64 columns at a time: each row at hand is read once for up to 9 wanted rows, whose sums stay in registers.
#include "primitives/erasure/gfni.h"

#include <isa-l/erasure_code.h>

#include <algorithm>
#include <array>

#include "base/check.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define MHP_GFNI_CODE __attribute__((target("gfni,avx512f,avx512bw,avx512vl")))
#endif

namespace mhp::primitives::gfni {

std::vector<std::uint64_t> tables(std::span<const unsigned char> coefficients) {
  std::vector<std::uint64_t> out;
  out.reserve(coefficients.size());
  for (const unsigned char c : coefficients) {
    // Byte 7 - i of the matrix is row i: the bits of x whose sum is bit i of c times x.
    std::uint64_t matrix = 0;
    for (unsigned column = 0; column < 8; ++column) {
      const unsigned product = gf_mul(c, static_cast<unsigned char>(1u << column));
      for (unsigned row = 0; row < 8; ++row) matrix |= std::uint64_t{product >> row & 1} << (8 * (7 - row) + column);
    }
    out.push_back(matrix);
  }
  return out;
}

#if defined(__x86_64__)

namespace {

constexpr std::size_t kVectorBytes = 64;
/// Sums in registers, of 32: two passes over what is in the cache are three times as fast as one with 18 sums.
constexpr std::size_t kMaxAtOnce = 9;

/// What one pass works on.
struct Pass {
  const std::uint64_t* tables = nullptr;  // of the first wanted row of this pass
  std::span<const std::byte* const> in;
  std::byte* const* out = nullptr;
  std::size_t row_bytes = 0;
};

/// A column times a coefficient.
MHP_GFNI_CODE inline __m512i product(__m512i column, std::uint64_t matrix) {
  __m512i times = _mm512_set1_epi64(static_cast<long long>(matrix));
  // In a register, not a broadcast operand in memory: clang 19 (and GNU's disassembler with it) does not agree with the
  // processor on how far such an operand's offset reaches, and wrong bytes come out.
  asm("" : "+v"(times));
  return _mm512_gf2p8affine_epi64_epi8(column, times, 0);
}

/// Columns [at, at + 64) as far as `mask` goes, for N wanted rows: rows at hand in pairs, as one step adds three.
template <std::size_t N>
MHP_GFNI_CODE inline void one_step(const Pass& pass, std::size_t at, __mmask64 mask) {
  constexpr int kXorOfThree = 0x96;
  __m512i sums[N];
  for (std::size_t i = 0; i < N; ++i) sums[i] = _mm512_setzero_si512();
  const std::size_t have = pass.in.size();
  for (std::size_t j = 0; j + 1 < have; j += 2) {
    const __m512i even = _mm512_maskz_loadu_epi8(mask, pass.in[j] + at);
    const __m512i odd = _mm512_maskz_loadu_epi8(mask, pass.in[j + 1] + at);
    const std::uint64_t* matrix = pass.tables + j;
    for (std::size_t i = 0; i < N; ++i, matrix += have) {
      sums[i] = _mm512_ternarylogic_epi64(sums[i], product(even, matrix[0]), product(odd, matrix[1]), kXorOfThree);
    }
  }
  if (have % 2 != 0) {
    const __m512i last = _mm512_maskz_loadu_epi8(mask, pass.in[have - 1] + at);
    const std::uint64_t* matrix = pass.tables + have - 1;
    for (std::size_t i = 0; i < N; ++i, matrix += have) {
      sums[i] = _mm512_xor_si512(sums[i], product(last, *matrix));
    }
  }
  for (std::size_t i = 0; i < N; ++i) _mm512_mask_storeu_epi8(pass.out[i] + at, mask, sums[i]);
}

template <std::size_t N>
MHP_GFNI_CODE void run(const Pass& pass) {
  const std::size_t whole = pass.row_bytes / kVectorBytes * kVectorBytes;
  for (std::size_t at = 0; at < whole; at += kVectorBytes) one_step<N>(pass, at, ~__mmask64{0});
  const std::size_t rest = pass.row_bytes - whole;
  if (rest > 0) one_step<N>(pass, whole, (__mmask64{1} << rest) - 1);
}

template <std::size_t... N>
constexpr std::array<void (*)(const Pass&), sizeof...(N)> all_runs(std::index_sequence<N...>) {
  return {run<N + 1>...};
}

constexpr auto kRuns = all_runs(std::make_index_sequence<kMaxAtOnce>());

}  // namespace

bool runs_here() {
  static const bool has = __builtin_cpu_supports("gfni") && __builtin_cpu_supports("avx512f") &&
                          __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
  return has;
}

void apply(std::span<const std::uint64_t> tables, std::size_t row_bytes, std::span<const std::byte* const> in,
           std::span<std::byte* const> out) {
  const std::size_t passes = (out.size() + kMaxAtOnce - 1) / kMaxAtOnce;
  for (std::size_t done = 0, left = passes; done < out.size(); --left) {
    const std::size_t now = (out.size() - done + left - 1) / left;  // passes of equal width
    kRuns[now - 1]({.tables = &tables[done * in.size()], .in = in, .out = &out[done], .row_bytes = row_bytes});
    done += now;
  }
}

#else

bool runs_here() { return false; }

void apply(std::span<const std::uint64_t>, std::size_t, std::span<const std::byte* const>,
           std::span<std::byte* const>) {
  MHP_CHECK(false);
}

#endif

}  // namespace mhp::primitives::gfni
