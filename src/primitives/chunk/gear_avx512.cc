// The gear hash at 64 places at once: a sum over a window is made of sums over halves of it.
#include "base/check.h"
#include "primitives/chunk/gear.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define MHP_GEAR_CODE __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi")))
#endif

namespace mhp::primitives::gear {

#if defined(__x86_64__)

namespace {

constexpr std::ptrdiff_t kBlockBytes = 64;
constexpr std::size_t kQuarters = 4;  // a block is four vectors of 16 numbers

/// Byte `i` of all 256 numbers of the table, in four registers.
struct Plane {
  __m512i part[4];
};

/// What the quarter before leaves behind: sums over windows of 1, 2, 4, 8 and 16 bytes.
struct Before {
  __m512i sums[5];
};

MHP_GEAR_CODE inline __m512i look_up(const Plane& plane, __m512i bytes, __mmask64 upper) {
  const __m512i low = _mm512_permutex2var_epi8(plane.part[0], bytes, plane.part[1]);
  const __m512i high = _mm512_permutex2var_epi8(plane.part[2], bytes, plane.part[3]);
  return _mm512_mask_blend_epi8(upper, low, high);
}

/// The numbers of 64 bytes, in order.
MHP_GEAR_CODE inline void numbers_of(const Plane (&planes)[4], const std::byte* at, __m512i (&numbers)[kQuarters]) {
  // Groups of four bytes change places so that the two steps that join the planes, each within 128 bits, give them in
  // order.
  const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
  const __m512i bytes = _mm512_permutexvar_epi32(order, _mm512_loadu_si512(at));
  const __mmask64 upper = _mm512_movepi8_mask(bytes);
  const __m512i byte0 = look_up(planes[0], bytes, upper);
  const __m512i byte1 = look_up(planes[1], bytes, upper);
  const __m512i byte2 = look_up(planes[2], bytes, upper);
  const __m512i byte3 = look_up(planes[3], bytes, upper);
  const __m512i low_a = _mm512_unpacklo_epi8(byte0, byte1);
  const __m512i low_b = _mm512_unpackhi_epi8(byte0, byte1);
  const __m512i high_a = _mm512_unpacklo_epi8(byte2, byte3);
  const __m512i high_b = _mm512_unpackhi_epi8(byte2, byte3);
  numbers[0] = _mm512_unpacklo_epi16(low_a, high_a);
  numbers[1] = _mm512_unpackhi_epi16(low_a, high_a);
  numbers[2] = _mm512_unpacklo_epi16(low_b, high_b);
  numbers[3] = _mm512_unpackhi_epi16(low_b, high_b);
}

/// From sums over windows of `Width` bytes to those of twice as many: sum at i + (sum at i - Width) * 2^Width.
template <int Width>
MHP_GEAR_CODE inline __m512i twice_as_wide(__m512i sums, __m512i& before) {
  const __m512i earlier = Width == 16 ? before : _mm512_alignr_epi32(sums, before, 16 - Width % 16);
  before = sums;
  return _mm512_add_epi32(sums, _mm512_slli_epi32(earlier, Width));
}

/// The hashes at 16 places, from their numbers.
MHP_GEAR_CODE inline __m512i hashes_of(__m512i numbers, Before& before) {
  __m512i sums = twice_as_wide<1>(numbers, before.sums[0]);
  sums = twice_as_wide<2>(sums, before.sums[1]);
  sums = twice_as_wide<4>(sums, before.sums[2]);
  sums = twice_as_wide<8>(sums, before.sums[3]);
  return twice_as_wide<16>(sums, before.sums[4]);
}

MHP_GEAR_CODE void load_planes(const Table& table, Plane (&planes)[4]) {
  alignas(64) std::array<std::uint8_t, 256> bytes;
  for (unsigned plane = 0; plane < 4; ++plane) {
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(table[i] >> (8 * plane));
    for (std::size_t part = 0; part < 4; ++part) planes[plane].part[part] = _mm512_load_si512(&bytes[64 * part]);
  }
}

}  // namespace

bool avx512_runs_here() {
  static const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512vbmi");
  return has;
}

MHP_GEAR_CODE const std::byte* find_cut_avx512(const Table& table, const std::byte* from, const std::byte* end,
                                               std::uint32_t limit) {
  Plane planes[4];
  load_planes(table, planes);
  Before before{};
  __m512i quarters[kQuarters];
  static_assert(kBytesBefore == kBlockBytes);  // whose last windows need nothing from before it
  numbers_of(planes, from - kBlockBytes, quarters);
  for (__m512i& quarter : quarters) (void)hashes_of(quarter, before);
  const __m512i limits = _mm512_set1_epi32(static_cast<int>(limit));
  for (; end - from >= kBlockBytes; from += kBlockBytes) {
    numbers_of(planes, from, quarters);
    for (__m512i& quarter : quarters) quarter = hashes_of(quarter, before);
    const __m512i least =
        _mm512_min_epu32(_mm512_min_epu32(quarters[0], quarters[1]), _mm512_min_epu32(quarters[2], quarters[3]));
    if (_mm512_cmplt_epu32_mask(least, limits) == 0) [[likely]]
      continue;
    std::uint64_t cuts = 0;
    for (std::size_t i = 0; i < kQuarters; ++i) {
      cuts |= static_cast<std::uint64_t>(_mm512_cmplt_epu32_mask(quarters[i], limits)) << (16 * i);
    }
    return from + __builtin_ctzll(cuts) + 1;
  }
  return find_cut_plain(table, from, end, limit);
}

#else

bool avx512_runs_here() { return false; }

const std::byte* find_cut_avx512(const Table&, const std::byte*, const std::byte*, std::uint32_t) { MHP_CHECK(false); }

#endif

}  // namespace mhp::primitives::gear
