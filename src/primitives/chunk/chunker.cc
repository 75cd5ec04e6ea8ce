// The gear hash and its cut points.
#include "primitives/chunk/chunker.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace mhp::primitives {
namespace {

/// A byte leaves the 64-bit gear hash after 64 shifts: the hash at a place depends on the 64 bytes before it only.
constexpr std::size_t kWindowBytes = 64;
/// How much rarer cuts are before normal_bytes, and how much more frequent after, in powers of two.
constexpr int kNormalisation = 2;
/// Hashes that run side by side, and how far each goes before the first cut is looked for.
constexpr std::size_t kLanes = 4;
constexpr std::size_t kLaneBytes = 2_KiB;

// The upper bits depend on all bytes of the window.
std::uint64_t top_bits(int count) { return ~std::uint64_t{0} << (64 - count); }

std::uint64_t little_endian_64(const std::byte* bytes) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

using Table = std::array<std::uint64_t, 256>;

inline std::uint64_t roll(const Table& table, std::uint64_t hash, std::byte next) {
  return (hash << 1) + table[std::to_integer<std::uint8_t>(next)];
}

/// The hash of the window that ends before `end`.
std::uint64_t hash_before(const Table& table, const std::byte* end) {
  std::uint64_t hash = 0;
  for (const std::byte* at = end - kWindowBytes; at < end; ++at) hash = roll(table, hash, *at);
  return hash;
}

/// The first place behind `from`, up to `end`, where the hash fits `mask`; null where there is none.
const std::byte* find_cut_plain(const Table& table, const std::byte* from, const std::byte* end, std::uint64_t mask) {
  std::uint64_t hash = hash_before(table, from);
  for (const std::byte* at = from; at < end;) {
    hash = roll(table, hash, *at++);
    if ((hash & mask) == 0) [[unlikely]]
      return at;
  }
  return nullptr;
}

/// True where the next kLanes * kLaneBytes bytes have a cut. One hash waits for its own last step; as each depends on
/// its window alone, several can go on side by side, each in its own part.
bool has_cut(const Table& table, const std::byte* from, std::uint64_t mask) {
  std::array<std::uint64_t, kLanes> hash;
  for (std::size_t lane = 0; lane < kLanes; ++lane) hash[lane] = hash_before(table, from + lane * kLaneBytes);
  for (const std::byte* at = from; at < from + kLaneBytes; ++at) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      hash[lane] = roll(table, hash[lane], at[lane * kLaneBytes]);
      if ((hash[lane] & mask) == 0) [[unlikely]]
        return true;
    }
  }
  return false;
}

/// As find_cut_plain, about twice as fast.
const std::byte* find_cut(const Table& table, const std::byte* from, const std::byte* end, std::uint64_t mask) {
  constexpr std::ptrdiff_t kStepBytes = kLanes * kLaneBytes;
  while (end - from >= kStepBytes && !has_cut(table, from, mask)) from += kStepBytes;
  return find_cut_plain(table, from, end, mask);
}

}  // namespace

Chunker::Chunker(const Key& secret, ChunkLimits limits) : limits_(limits) {
  MHP_CHECK(std::has_single_bit(limits.normal_bytes));
  MHP_CHECK(kWindowBytes <= limits.min_bytes && limits.min_bytes <= limits.normal_bytes);
  MHP_CHECK(limits.normal_bytes <= limits.max_bytes);
  const int bits = std::countr_zero(limits.normal_bytes);
  strict_mask_ = top_bits(bits + kNormalisation);
  loose_mask_ = top_bits(bits - kNormalisation);
  std::array<std::byte, 256 * 8> bytes;
  Blake3::derived("mhp 0 chunker gear table").update(secret).finish(bytes);
  for (std::size_t i = 0; i < table_.size(); ++i) table_[i] = little_endian_64(&bytes[8 * i]);
  wipe(bytes);
}

std::size_t Chunker::next(ByteView data) const {
  if (data.size() <= limits_.min_bytes) return data.size();
  const std::size_t end = std::min(data.size(), limits_.max_bytes);
  const std::size_t normal = std::min(end, limits_.normal_bytes);
  const std::byte* start = data.data();
  const std::byte* cut = find_cut(table_, start + limits_.min_bytes, start + normal, strict_mask_);
  if (cut == nullptr) cut = find_cut(table_, start + normal, start + end, loose_mask_);
  return cut == nullptr ? end : static_cast<std::size_t>(cut - start);
}

}  // namespace mhp::primitives
