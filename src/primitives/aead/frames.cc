// AES-256-GCM frames; one cipher per call, only the nonce and the number change from frame to frame.
#include "primitives/aead/frames.h"

#include <algorithm>
#include <memory>

#include "base/check.h"

namespace mhp::primitives {
namespace {

constexpr std::uint64_t kMaxFrames = std::uint64_t{1} << 32;

/// Binds what follows to the frame's number, to its being the last or not, and to the stream's context.
class FrameStart {
 public:
  explicit FrameStart(ByteView context) : associated_(to_bytes(context)) {
    associated_.resize(context.size() + kNumberBytes);
  }
  void start(Gcm& cipher, std::uint32_t number, bool is_last) {
    GcmNonce nonce{};
    nonce[7] = std::byte{is_last};
    const MutableBytes place = MutableBytes(nonce).last(kNumberBytes);
    for (int i = 0; i < 4; ++i) place[static_cast<std::size_t>(i)] = static_cast<std::byte>(number >> (24 - 8 * i));
    std::ranges::copy(place, MutableBytes(associated_).last(kNumberBytes).begin());
    cipher.start(nonce, associated_);
  }

 private:
  static constexpr std::size_t kNumberBytes = 4;
  Bytes associated_;  // context || number
};

/// Several places as one. View: ByteView or MutableBytes.
template <class View>
class Places {
 public:
  explicit Places(std::span<const View> places) : places_(places) {}
  std::uint64_t size() const {
    std::uint64_t bytes = 0;
    for (const View& place : places_) bytes += place.size();
    return bytes;
  }
  /// What comes next: one byte or more, at most `wanted`. Never more in all than size() says.
  View next(std::size_t wanted) {
    while (used_ == places_.front().size()) {
      places_ = places_.subspan(1);
      used_ = 0;
    }
    const View rest = places_.front().subspan(used_);
    const View now = rest.first(std::min(wanted, rest.size()));
    used_ += now.size();
    return now;
  }

 private:
  std::span<const View> places_;
  std::size_t used_ = 0;  // of the first
};

void seal_frame(Gcm& cipher, ByteView plain, Places<MutableBytes>& out) {
  while (!plain.empty()) {
    const MutableBytes place = out.next(plain.size());
    cipher.update(plain.first(place.size()), place.data());
    plain = plain.subspan(place.size());
  }
  const GcmTag tag = cipher.tag();
  for (ByteView left = tag; !left.empty();) {
    const MutableBytes place = out.next(left.size());
    std::copy_n(left.begin(), place.size(), place.begin());
    left = left.subspan(place.size());
  }
}

bool open_frame(Gcm& cipher, Places<ByteView>& sealed, MutableBytes out) {
  while (!out.empty()) {
    const ByteView place = sealed.next(out.size());
    cipher.update(place, out.data());
    out = out.subspan(place.size());
  }
  GcmTag tag;
  for (MutableBytes left = tag; !left.empty();) {
    const ByteView place = sealed.next(left.size());
    std::ranges::copy(place, left.begin());
    left = left.subspan(place.size());
  }
  return cipher.fits(tag);
}

constexpr std::uint64_t frames_in(std::uint64_t plain_bytes) {
  return plain_bytes / kFramePlainBytes + (plain_bytes % kFramePlainBytes != 0 ? 1 : 0);
}

}  // namespace

void seal_frames(const Key& key, ByteView context, ByteView plain, std::span<const MutableBytes> out) {
  seal_frames_by(gcm_kernel_for(plain.size()), key, context, plain, out);
}

void seal_frames_by(GcmKernel kernel, const Key& key, ByteView context, ByteView plain,
                    std::span<const MutableBytes> out) {
  const std::uint64_t frames = frames_in(plain.size());
  MHP_CHECK(frames >= 1 && frames <= kMaxFrames);
  Places<MutableBytes> places(out);
  MHP_CHECK(places.size() == sealed_frames_bytes(plain.size()));
  const std::unique_ptr<Gcm> cipher = make_gcm(kernel, key, GcmDirection::seal);
  FrameStart frame(context);
  for (std::uint64_t i = 0; i < frames; ++i) {
    const std::size_t from = i * kFramePlainBytes;
    frame.start(*cipher, static_cast<std::uint32_t>(i), i + 1 == frames);
    seal_frame(*cipher, plain.subspan(from, std::min(kFramePlainBytes, plain.size() - from)), places);
  }
}

Result<void> open_frames(const Key& key, ByteView context, std::uint64_t total_plain_bytes, std::uint32_t first_frame,
                         std::span<const ByteView> sealed, MutableBytes out) {
  return open_frames_by(gcm_kernel_for(out.size()), key, context, total_plain_bytes, first_frame, sealed, out);
}

Result<void> open_frames_by(GcmKernel kernel, const Key& key, ByteView context, std::uint64_t total_plain_bytes,
                            std::uint32_t first_frame, std::span<const ByteView> sealed, MutableBytes out) {
  Places<ByteView> places(sealed);
  const std::uint64_t sealed_bytes = places.size();
  const std::uint64_t all = frames_in(total_plain_bytes);
  const std::uint64_t here = sealed_bytes / kFrameSealedBytes + (sealed_bytes % kFrameSealedBytes != 0 ? 1 : 0);
  if (all > kMaxFrames || here == 0 || here > all || first_frame > all - here) {
    return fail(Errc::invalid, "sealed frames: not within the stream");
  }
  const std::uint64_t end = std::min((first_frame + here) * kFramePlainBytes, total_plain_bytes);
  const std::uint64_t plain_bytes = end - first_frame * kFramePlainBytes;
  if (sealed_bytes != plain_bytes + here * kFrameTagBytes || out.size() != plain_bytes) {
    return fail(Errc::invalid, "sealed frames: not whole frames");
  }
  const std::unique_ptr<Gcm> cipher = make_gcm(kernel, key, GcmDirection::open);
  FrameStart frame(context);
  for (std::uint64_t i = 0; i < here; ++i) {
    const std::size_t from = i * kFramePlainBytes;
    frame.start(*cipher, static_cast<std::uint32_t>(first_frame + i), first_frame + i + 1 == all);
    if (!open_frame(*cipher, places, out.subspan(from, std::min(kFramePlainBytes, out.size() - from)))) {
      wipe(out);  // GCM decrypts before it knows: nothing of that may be used
      return fail(Errc::corrupt, "sealed frame " + std::to_string(first_frame + i) + ": wrong key, place or bytes");
    }
  }
  return {};
}

}  // namespace mhp::primitives
