// Where chunks end: limits and masks around the gear hash.
#include "primitives/chunk/chunker.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace mhp::primitives {
namespace {

/// How much rarer cuts are before normal_bytes, and how much more frequent after, in powers of two.
constexpr int kNormalisation = 2;
constexpr std::size_t kMaxNormalBytes = 1_GiB;

/// Numbers below it begin with `zeros` bits that are zero. The upper bits of the hash depend on most of its window.
std::uint32_t limit_of(int zeros) { return std::uint32_t{1} << (32 - zeros); }

std::uint32_t little_endian_32(const std::byte* bytes) {
  std::uint32_t value = 0;
  for (int i = 3; i >= 0; --i) value = value << 8 | std::to_integer<std::uint32_t>(bytes[i]);
  return value;
}

Chunker::Kernel fastest() {
  return Chunker::runs_here(Chunker::Kernel::avx512) ? Chunker::Kernel::avx512 : Chunker::Kernel::plain;
}

}  // namespace

bool Chunker::runs_here(Kernel kernel) { return kernel == Kernel::plain || gear::avx512_runs_here(); }

Chunker::Chunker(const Key& secret, ChunkLimits limits) : Chunker(secret, limits, fastest()) {}

Chunker::Chunker(const Key& secret, ChunkLimits limits, Kernel kernel) : limits_(limits), kernel_(kernel) {
  MHP_CHECK(runs_here(kernel));
  MHP_CHECK(std::has_single_bit(limits.normal_bytes) && limits.normal_bytes <= kMaxNormalBytes);
  MHP_CHECK(gear::kBytesBefore <= limits.min_bytes && limits.min_bytes <= limits.normal_bytes);
  MHP_CHECK(limits.normal_bytes <= limits.max_bytes);
  const int bits = std::countr_zero(limits.normal_bytes);
  strict_limit_ = limit_of(bits + kNormalisation);
  loose_limit_ = limit_of(bits - kNormalisation);
  std::array<std::byte, 256 * 4> bytes;
  Blake3::derived("mhp 1 chunker gear table").update(secret).finish(bytes);
  for (std::size_t i = 0; i < table_.size(); ++i) table_[i] = little_endian_32(&bytes[4 * i]);
  wipe(bytes);
}

std::size_t Chunker::next(ByteView data, std::size_t looked_at) const {
  if (data.size() <= limits_.min_bytes) return data.size();
  const std::byte* start = data.data();
  const std::byte* end = start + std::min(data.size(), limits_.max_bytes);
  const std::byte* normal = std::min(end, start + limits_.normal_bytes);
  const std::byte* from = start + std::max(limits_.min_bytes, std::max<std::size_t>(looked_at, 1) - 1);
  const auto find = kernel_ == Kernel::avx512 ? gear::find_cut_avx512 : gear::find_cut_plain;
  const std::byte* cut = from < normal ? find(table_, from, normal, strict_limit_) : nullptr;
  if (cut == nullptr) cut = find(table_, std::max(from, normal), end, loose_limit_);
  return static_cast<std::size_t>((cut == nullptr ? end : cut) - start);
}

}  // namespace mhp::primitives
