// AES-256-GCM frames by OpenSSL; one context per call, only the nonce changes from frame to frame.
#include "primitives/aead/frames.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "base/check.h"
#include "base/exhausted.h"

namespace mhp::primitives {
namespace {

constexpr std::uint64_t kMaxFrames = std::uint64_t{1} << 32;

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Cipher = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

enum class Direction : int { open = 0, seal = 1 };

Cipher make_cipher(const Key& key, Direction direction) {
  Cipher cipher(EVP_CIPHER_CTX_new());
  if (cipher == nullptr) end_out_of_memory();
  const auto* raw_key = reinterpret_cast<const unsigned char*>(key.data());
  MHP_CHECK(
      EVP_CipherInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, raw_key, nullptr, static_cast<int>(direction)) == 1);
  return cipher;
}

/// One OpenSSL update; `out` null makes it associated data.
void update(EVP_CIPHER_CTX* cipher, ByteView in, std::byte* out) {
  int written = 0;
  MHP_CHECK(in.size() <= kFrameSealedBytes);
  MHP_CHECK(EVP_CipherUpdate(cipher, reinterpret_cast<unsigned char*>(out), &written,
                             reinterpret_cast<const unsigned char*>(in.data()), static_cast<int>(in.size())) == 1);
  MHP_CHECK(static_cast<std::size_t>(written) == in.size());
}

/// Binds what follows to the frame's number, to its being the last or not, and to the stream's context.
void start_frame(EVP_CIPHER_CTX* cipher, ByteView context, std::uint32_t number, bool is_last) {
  std::array<std::byte, 12> nonce{};
  nonce[7] = std::byte{is_last};
  for (int i = 0; i < 4; ++i) nonce[static_cast<std::size_t>(8 + i)] = static_cast<std::byte>(number >> (24 - 8 * i));
  MHP_CHECK(EVP_CipherInit_ex(cipher, nullptr, nullptr, nullptr, reinterpret_cast<const unsigned char*>(nonce.data()),
                              -1) == 1);
  if (!context.empty()) update(cipher, context, nullptr);
  update(cipher, ByteView(nonce).last(4), nullptr);
}

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

void seal_frame(EVP_CIPHER_CTX* cipher, ByteView plain, Places<MutableBytes>& out) {
  while (!plain.empty()) {
    const MutableBytes place = out.next(plain.size());
    update(cipher, plain.first(place.size()), place.data());
    plain = plain.subspan(place.size());
  }
  int rest = 0;
  unsigned char nothing[16];
  MHP_CHECK(EVP_CipherFinal_ex(cipher, nothing, &rest) == 1 && rest == 0);
  std::array<std::byte, kFrameTagBytes> tag;
  MHP_CHECK(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, kFrameTagBytes, tag.data()) == 1);
  for (ByteView left = tag; !left.empty();) {
    const MutableBytes place = out.next(left.size());
    std::copy_n(left.begin(), place.size(), place.begin());
    left = left.subspan(place.size());
  }
}

bool open_frame(EVP_CIPHER_CTX* cipher, Places<ByteView>& sealed, MutableBytes out) {
  while (!out.empty()) {
    const ByteView place = sealed.next(out.size());
    update(cipher, place, out.data());
    out = out.subspan(place.size());
  }
  std::array<std::byte, kFrameTagBytes> tag;
  for (MutableBytes left = tag; !left.empty();) {
    const ByteView place = sealed.next(left.size());
    std::ranges::copy(place, left.begin());
    left = left.subspan(place.size());
  }
  MHP_CHECK(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, kFrameTagBytes, tag.data()) == 1);
  int rest = 0;
  unsigned char nothing[16];
  return EVP_CipherFinal_ex(cipher, nothing, &rest) == 1;
}

constexpr std::uint64_t frames_in(std::uint64_t plain_bytes) {
  return plain_bytes / kFramePlainBytes + (plain_bytes % kFramePlainBytes != 0 ? 1 : 0);
}

}  // namespace

void seal_frames(const Key& key, ByteView context, ByteView plain, std::span<const MutableBytes> out) {
  const std::uint64_t frames = frames_in(plain.size());
  MHP_CHECK(frames >= 1 && frames <= kMaxFrames);
  Places<MutableBytes> places(out);
  MHP_CHECK(places.size() == sealed_frames_bytes(plain.size()));
  const Cipher cipher = make_cipher(key, Direction::seal);
  for (std::uint64_t i = 0; i < frames; ++i) {
    const std::size_t from = i * kFramePlainBytes;
    start_frame(cipher.get(), context, static_cast<std::uint32_t>(i), i + 1 == frames);
    seal_frame(cipher.get(), plain.subspan(from, std::min(kFramePlainBytes, plain.size() - from)), places);
  }
}

Result<void> open_frames(const Key& key, ByteView context, std::uint64_t total_plain_bytes, std::uint32_t first_frame,
                         std::span<const ByteView> sealed, MutableBytes out) {
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
  const Cipher cipher = make_cipher(key, Direction::open);
  for (std::uint64_t i = 0; i < here; ++i) {
    const std::size_t from = i * kFramePlainBytes;
    start_frame(cipher.get(), context, static_cast<std::uint32_t>(first_frame + i), first_frame + i + 1 == all);
    if (!open_frame(cipher.get(), places, out.subspan(from, std::min(kFramePlainBytes, out.size() - from)))) {
      wipe(out);  // GCM decrypts before it knows: nothing of that may be used
      return fail(Errc::corrupt, "sealed frame " + std::to_string(first_frame + i) + ": wrong key, place or bytes");
    }
  }
  return {};
}

}  // namespace mhp::primitives
