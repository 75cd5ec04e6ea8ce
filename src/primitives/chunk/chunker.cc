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

// The upper bits depend on all bytes of the window.
std::uint64_t top_bits(int count) { return ~std::uint64_t{0} << (64 - count); }

std::uint64_t little_endian_64(const std::byte* bytes) {
  std::uint64_t value = 0;
  for (int i = 7; i >= 0; --i) value = value << 8 | std::to_integer<std::uint64_t>(bytes[i]);
  return value;
}

struct Scan {
  std::size_t at;      // bytes read so far
  std::uint64_t hash;  // over the last 64 of them
};

/// Rolls on until the hash fits `mask` (true: a cut at scan.at) or scan.at is `end`.
bool roll(const std::uint64_t* table, const std::byte* data, std::size_t end, std::uint64_t mask, Scan& scan) {
  std::uint64_t hash = scan.hash;
  std::size_t at = scan.at;
  bool found = false;
  while (at < end && !found) {
    hash = (hash << 1) + table[std::to_integer<std::uint8_t>(data[at])];
    ++at;
    found = (hash & mask) == 0;
  }
  scan = {at, hash};
  return found;
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
  // The window is filled before the first place where a cut may be, so that every cut depends on its last 64 bytes alone.
  Scan scan{limits_.min_bytes - kWindowBytes, 0};
  roll(table_.data(), data.data(), limits_.min_bytes, 0, scan);
  if (roll(table_.data(), data.data(), normal, strict_mask_, scan)) return scan.at;
  roll(table_.data(), data.data(), end, loose_mask_, scan);
  return scan.at;
}

}  // namespace mhp::primitives
