// The gear hash step by step, several parts side by side.
#include "primitives/chunk/gear.h"

namespace mhp::primitives::gear {
namespace {

/// Hashes that run side by side, and how far each goes before the first cut is looked for.
constexpr std::size_t kLanes = 4;
constexpr std::size_t kLaneBytes = 2048;

inline std::uint32_t roll(const Table& table, std::uint32_t hash, std::byte next) {
  return (hash << 1) + table[std::to_integer<std::uint8_t>(next)];
}

/// The hash of the window that ends before `end`.
std::uint32_t hash_before(const Table& table, const std::byte* end) {
  std::uint32_t hash = 0;
  for (const std::byte* at = end - kWindowBytes; at < end; ++at) hash = roll(table, hash, *at);
  return hash;
}

const std::byte* find_cut_by_steps(const Table& table, const std::byte* from, const std::byte* end,
                                   std::uint32_t limit) {
  std::uint32_t hash = hash_before(table, from);
  for (const std::byte* at = from; at < end;) {
    hash = roll(table, hash, *at++);
    if (hash < limit) [[unlikely]]
      return at;
  }
  return nullptr;
}

/// True where the next kLanes * kLaneBytes bytes have a cut. One hash waits for its own last step; as each depends on
/// its window alone, several can go on side by side, each in its own part.
bool has_cut(const Table& table, const std::byte* from, std::uint32_t limit) {
  std::array<std::uint32_t, kLanes> hash;
  for (std::size_t lane = 0; lane < kLanes; ++lane) hash[lane] = hash_before(table, from + lane * kLaneBytes);
  for (const std::byte* at = from; at < from + kLaneBytes; ++at) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      hash[lane] = roll(table, hash[lane], at[lane * kLaneBytes]);
      if (hash[lane] < limit) [[unlikely]]
        return true;
    }
  }
  return false;
}

}  // namespace

const std::byte* find_cut_plain(const Table& table, const std::byte* from, const std::byte* end, std::uint32_t limit) {
  constexpr std::ptrdiff_t kStepBytes = kLanes * kLaneBytes;
  while (end - from >= kStepBytes && !has_cut(table, from, limit)) from += kStepBytes;
  return find_cut_by_steps(table, from, end, limit);
}

}  // namespace mhp::primitives::gear
