// The gear hash of the chunker: the first place where it says that a chunk ends, by the fastest way there is.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace mhp::primitives::gear {

using Table = std::array<std::uint32_t, 256>;

/// A byte leaves the 32-bit hash after 32 shifts: the hash at a place depends on the 32 bytes before it only.
constexpr std::size_t kWindowBytes = 32;
/// So many bytes before `from` must be there in all calls.
constexpr std::size_t kBytesBefore = 64;

/// The first place behind `from`, up to `end`, where the hash of the window before it is below `limit`; null where
/// there is none.
const std::byte* find_cut_plain(const Table& table, const std::byte* from, const std::byte* end, std::uint32_t limit);

/// The same, 64 places at a time, where AVX-512 with VBMI runs.
bool avx512_runs_here();
const std::byte* find_cut_avx512(const Table& table, const std::byte* from, const std::byte* end, std::uint32_t limit);

}  // namespace mhp::primitives::gear
