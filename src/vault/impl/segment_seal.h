// Seals the plain bytes of a segment and opens them again: key from the data key AND all salts, commitment, frames.
#pragma once

#include <span>

#include "base/ids.h"
#include "base/result.h"
#include "primitives/hash/blake3.h"

namespace mhp::vault::impl {

constexpr std::size_t kCommitmentBytes = 32;

/// sealed = commitment || frames. `plain_bytes` 1 to 16 MiB.
std::uint64_t sealed_bytes_of(std::uint64_t plain_bytes);
/// The plain length of a sealed one. Errors: corrupt where no plain length gives it.
Result<std::uint64_t> plain_bytes_of(std::uint64_t sealed_bytes);

/// Key and commitment of one segment. Wiped when it goes.
class SegmentKey {
 public:
  /// `salts`: one for each data row, in order.
  SegmentKey(const primitives::Key& data_key, std::span<const primitives::Hash> salts, const SegmentId& segment);
  ~SegmentKey();
  SegmentKey(const SegmentKey&) = default;
  SegmentKey& operator=(const SegmentKey&) = default;

  /// True where the segment was sealed with this key, in constant time. Ask before opening: GCM does not commit to a
  /// key.
  bool matches(ByteView commitment) const;
  /// `out`: places, one after the other, that are exactly sealed_bytes_of(plain.size()) long together; the first holds
  /// at least the commitment. The key must be used for this one segment only.
  void seal(ByteView plain, std::span<const MutableBytes> out) const;
  /// Opens whole frames from `first_frame` on; see primitives::open_frames. Errors: corrupt.
  Result<void> open(std::uint64_t plain_bytes, std::uint32_t first_frame, std::span<const ByteView> frames,
                    MutableBytes out) const;

 private:
  Bytes context() const;

  SegmentId segment_;
  primitives::Key key_{};
  primitives::Hash commitment_{};
};

}  // namespace mhp::vault::impl
