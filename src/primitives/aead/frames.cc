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

void seal_frame(EVP_CIPHER_CTX* cipher, ByteView plain, std::byte* out) {
  update(cipher, plain, out);
  int rest = 0;
  unsigned char nothing[16];
  MHP_CHECK(EVP_CipherFinal_ex(cipher, nothing, &rest) == 1 && rest == 0);
  MHP_CHECK(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, kFrameTagBytes, out + plain.size()) == 1);
}

bool open_frame(EVP_CIPHER_CTX* cipher, ByteView sealed, std::byte* out) {
  const std::size_t plain_bytes = sealed.size() - kFrameTagBytes;
  update(cipher, sealed.first(plain_bytes), out);
  auto* tag = const_cast<std::byte*>(sealed.data() + plain_bytes);  // OpenSSL only reads it
  MHP_CHECK(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, kFrameTagBytes, tag) == 1);
  int rest = 0;
  unsigned char nothing[16];
  return EVP_CipherFinal_ex(cipher, nothing, &rest) == 1;
}

constexpr std::uint64_t frames_in(std::uint64_t plain_bytes) {
  return plain_bytes / kFramePlainBytes + (plain_bytes % kFramePlainBytes != 0 ? 1 : 0);
}

}  // namespace

void seal_frames(const Key& key, ByteView context, ByteView plain, MutableBytes out) {
  const std::uint64_t frames = frames_in(plain.size());
  MHP_CHECK(frames >= 1 && frames <= kMaxFrames);
  MHP_CHECK(out.size() == sealed_frames_bytes(plain.size()));
  const Cipher cipher = make_cipher(key, Direction::seal);
  for (std::uint64_t i = 0; i < frames; ++i) {
    const std::size_t from = i * kFramePlainBytes;
    start_frame(cipher.get(), context, static_cast<std::uint32_t>(i), i + 1 == frames);
    seal_frame(cipher.get(), plain.subspan(from, std::min(kFramePlainBytes, plain.size() - from)),
               out.data() + i * kFrameSealedBytes);
  }
}

Result<void> open_frames(const Key& key, ByteView context, std::uint64_t total_plain_bytes, std::uint32_t first_frame,
                         ByteView sealed, MutableBytes out) {
  const std::uint64_t all = frames_in(total_plain_bytes);
  const std::uint64_t here = sealed.size() / kFrameSealedBytes + (sealed.size() % kFrameSealedBytes != 0 ? 1 : 0);
  if (all > kMaxFrames || here == 0 || here > all || first_frame > all - here) {
    return fail(Errc::invalid, "sealed frames: not within the stream");
  }
  const std::uint64_t end = std::min((first_frame + here) * kFramePlainBytes, total_plain_bytes);
  const std::uint64_t plain_bytes = end - first_frame * kFramePlainBytes;
  if (sealed.size() != plain_bytes + here * kFrameTagBytes || out.size() != plain_bytes) {
    return fail(Errc::invalid, "sealed frames: not whole frames");
  }
  const Cipher cipher = make_cipher(key, Direction::open);
  for (std::uint64_t i = 0; i < here; ++i) {
    const std::size_t from = i * kFrameSealedBytes;
    start_frame(cipher.get(), context, static_cast<std::uint32_t>(first_frame + i), first_frame + i + 1 == all);
    if (!open_frame(cipher.get(), sealed.subspan(from, std::min(kFrameSealedBytes, sealed.size() - from)),
                    out.data() + i * kFramePlainBytes)) {
      wipe(out);  // GCM decrypts before it knows: nothing of that may be used
      return fail(Errc::corrupt, "sealed frame " + std::to_string(first_frame + i) + ": wrong key, place or bytes");
    }
  }
  return {};
}

}  // namespace mhp::primitives
