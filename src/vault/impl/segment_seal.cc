// Key derivation and framing of one segment.
#include "vault/impl/segment_seal.h"

#include <algorithm>
#include <vector>

#include "base/check.h"
#include "primitives/aead/frames.h"
#include "primitives/hash/hkdf.h"
#include "vault/impl/context.h"
#include "wire/limits.h"

namespace mhp::vault::impl {

std::uint64_t sealed_bytes_of(std::uint64_t plain_bytes) {
  return kCommitmentBytes + primitives::sealed_frames_bytes(plain_bytes);
}

Result<std::uint64_t> plain_bytes_of(std::uint64_t sealed_bytes) {
  std::uint64_t framed = sealed_bytes < kCommitmentBytes ? 0 : sealed_bytes - kCommitmentBytes;
  std::uint64_t frames = (framed + primitives::kFrameSealedBytes - 1) / primitives::kFrameSealedBytes;
  std::uint64_t tags = frames * primitives::kFrameTagBytes;
  if (framed <= tags) return fail(Errc::corrupt, "segment: its sealed length is impossible");
  std::uint64_t plain = framed - tags;
  if (plain > wire::kMaxSegmentBytes || sealed_bytes_of(plain) != sealed_bytes) {
    return fail(Errc::corrupt, "segment: its sealed length is impossible");
  }
  return plain;
}

SegmentKey::SegmentKey(const primitives::Key& data_key, std::span<const primitives::Hash> salts,
                       const SegmentId& segment)
    : segment_(segment) {
  primitives::Blake3 all_salts;
  for (const auto& salt : salts) all_salts.update(salt);
  primitives::Hash digest = all_salts.finish();
  std::array<std::byte, 64> material;
  Bytes info = joined({as_bytes("mhp 1 segment key"), segment.bytes()});
  primitives::hkdf_sha256(data_key, digest, info, material);
  std::copy_n(material.begin(), 32, key_.begin());
  std::copy_n(material.begin() + 32, 32, commitment_.begin());
  wipe(material);
  wipe(digest);
}

SegmentKey::~SegmentKey() { wipe(key_); }

bool SegmentKey::matches(ByteView commitment) const {
  if (commitment.size() != commitment_.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < commitment_.size(); ++i) {
    difference |= std::to_integer<unsigned>(commitment_[i] ^ commitment[i]);
  }
  return difference == 0;
}

Bytes SegmentKey::context() const { return joined({as_bytes("mhp 1 segment"), segment_.bytes()}); }

void SegmentKey::seal(ByteView plain, std::span<const MutableBytes> out) const {
  MHP_CHECK(!out.empty() && out.front().size() >= kCommitmentBytes);
  std::vector<MutableBytes> frames(out.begin(), out.end());
  std::ranges::copy(commitment_, frames.front().begin());
  frames.front() = frames.front().subspan(kCommitmentBytes);
  primitives::seal_frames(key_, context(), plain, frames);
}

Result<void> SegmentKey::open(std::uint64_t plain_bytes, std::uint32_t first_frame, std::span<const ByteView> frames,
                              MutableBytes out) const {
  return primitives::open_frames(key_, context(), plain_bytes, first_frame, frames, out);
}

}  // namespace mhp::vault::impl
