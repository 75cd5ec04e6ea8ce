// Long sealed data as frames of 64 KiB: a part can be opened without the rest, and none can be moved or left out.
#pragma once

#include <span>

#include "base/bytes.h"
#include "base/result.h"
#include "primitives/aead/gcm.h"
#include "primitives/hash/blake3.h"

namespace mhp::primitives {

constexpr std::size_t kFramePlainBytes = 64_KiB;
constexpr std::size_t kFrameTagBytes = kGcmTagBytes;
constexpr std::size_t kFrameSealedBytes = kFramePlainBytes + kFrameTagBytes;

/// Sealed length of `plain_bytes` (at least 1; at most 2^32 frames).
constexpr std::uint64_t sealed_frames_bytes(std::uint64_t plain_bytes) {
  return plain_bytes + (plain_bytes + kFramePlainBytes - 1) / kFramePlainBytes * kFrameTagBytes;
}

/// AES-256-GCM per frame. Nonce (12 bytes) = 7 zero bytes, last-frame flag (0 or 1), frame number (4 bytes, big
/// endian). Associated data = `context` || frame number (4 bytes, big endian). `context`: at most 64 KiB. The key must
/// be used for this one stream only.
/// `out`: places, one after the other, that are exactly sealed_frames_bytes(plain.size()) long together. plain must not
/// be empty.
void seal_frames(const Key& key, ByteView context, ByteView plain, std::span<const MutableBytes> out);
/// The same by a kernel that runs here; seal_frames() takes the quickest.
void seal_frames_by(GcmKernel kernel, const Key& key, ByteView context, ByteView plain,
                    std::span<const MutableBytes> out);
inline void seal_frames(const Key& key, ByteView context, ByteView plain, MutableBytes out) {
  seal_frames(key, context, plain, std::span<const MutableBytes>(&out, 1));
}

/// Opens the frames `first_frame`... that `sealed` holds (in places, one after the other), whole frames only;
/// `total_plain_bytes` is the whole stream's length (it tells which frame is the last). `out` gets the plain bytes of
/// just these frames; zeros where they fail.
/// Errors: corrupt (any byte, order, count or key differs); invalid (lengths do not fit).
Result<void> open_frames(const Key& key, ByteView context, std::uint64_t total_plain_bytes, std::uint32_t first_frame,
                         std::span<const ByteView> sealed, MutableBytes out);
/// The same by a kernel that runs here; open_frames() takes the quickest.
Result<void> open_frames_by(GcmKernel kernel, const Key& key, ByteView context, std::uint64_t total_plain_bytes,
                            std::uint32_t first_frame, std::span<const ByteView> sealed, MutableBytes out);
inline Result<void> open_frames(const Key& key, ByteView context, std::uint64_t total_plain_bytes,
                                std::uint32_t first_frame, ByteView sealed, MutableBytes out) {
  return open_frames(key, context, total_plain_bytes, first_frame, std::span<const ByteView>(&sealed, 1), out);
}

}  // namespace mhp::primitives
