// Small sealed messages by libsodium's XChaCha20-Poly1305 and X25519.
#include "primitives/aead/box.h"

#include <sodium.h>

#include <algorithm>

#include "base/check.h"
#include "primitives/hash/hkdf.h"
#include "primitives/raw.h"

namespace mhp::primitives {
namespace {

constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kTagBytes = crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kPublicKeyBytes = crypto_scalarmult_BYTES;
static_assert(kNonceBytes + kTagBytes == kBoxOverheadBytes && kPublicKeyBytes + kTagBytes == kPublicBoxOverheadBytes);

/// `out` is plain.size() + kTagBytes long.
void seal_raw(const Key& key, ByteView nonce, ByteView context, ByteView plain, std::byte* out) {
  crypto_aead_xchacha20poly1305_ietf_encrypt(raw(out), nullptr, raw(plain.data()), plain.size(), raw(context.data()),
                                             context.size(), nullptr, raw(nonce.data()), raw(key.data()));
}

Result<Bytes> open_raw(const Key& key, ByteView nonce, ByteView context, ByteView sealed) {
  if (sealed.size() < kTagBytes) return fail(Errc::corrupt, "sealed box: too short");
  Bytes plain(sealed.size() - kTagBytes);
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(raw(plain.data()), nullptr, nullptr, raw(sealed.data()), sealed.size(),
                                                 raw(context.data()), context.size(), raw(nonce.data()),
                                                 raw(key.data())) != 0) {
    return fail(Errc::corrupt, "sealed box: wrong key, context or bytes");
  }
  return plain;
}

/// The nonce of boxes to a public key: each has a key of its own, so that one nonce serves all.
constexpr std::array<std::byte, kNonceBytes> kOneTimeNonce{};

/// The one-time key between `secret` and `other`; the same seen from both ends. False for a low-order `other`.
bool agree(const Key& secret, const Key& other, const Key& ephemeral_public, const Key& recipient_public,
           ByteView context, Key& out) {
  Key shared;
  if (crypto_scalarmult(raw(shared.data()), raw(secret.data()), raw(other.data())) != 0) return false;
  std::array<std::byte, 2 * kPublicKeyBytes> salt;
  std::copy(recipient_public.begin(), recipient_public.end(),
            std::copy(ephemeral_public.begin(), ephemeral_public.end(), salt.begin()));
  hkdf_sha256(shared, salt, context, out);
  wipe(shared);
  return true;
}

Key public_of(const Key& secret) {
  Key out;
  MHP_CHECK(crypto_scalarmult_base(raw(out.data()), raw(secret.data())) == 0);
  return out;
}

}  // namespace

Bytes seal_box(const Key& key, std::span<const std::byte, 24> nonce, ByteView context, ByteView plain) {
  Bytes out(plain.size() + kBoxOverheadBytes);
  std::copy(nonce.begin(), nonce.end(), out.begin());
  seal_raw(key, nonce, context, plain, out.data() + kNonceBytes);
  return out;
}

Result<Bytes> open_box(const Key& key, ByteView context, ByteView sealed) {
  if (sealed.size() < kBoxOverheadBytes) return fail(Errc::corrupt, "sealed box: too short");
  return open_raw(key, sealed.first(kNonceBytes), context, sealed.subspan(kNonceBytes));
}

Result<Bytes> seal_to(const Key& recipient_public, const Key& ephemeral_secret, ByteView context, ByteView plain) {
  const Key ephemeral_public = public_of(ephemeral_secret);
  Key key;
  if (!agree(ephemeral_secret, recipient_public, ephemeral_public, recipient_public, context, key)) {
    return fail(Errc::invalid, "sealed box: the recipient's public key is not usable");
  }
  Bytes out(plain.size() + kPublicBoxOverheadBytes);
  std::copy(ephemeral_public.begin(), ephemeral_public.end(), out.begin());
  seal_raw(key, kOneTimeNonce, context, plain, out.data() + kPublicKeyBytes);
  wipe(key);
  return out;
}

Result<Bytes> open_from(const Key& recipient_secret, ByteView context, ByteView sealed) {
  if (sealed.size() < kPublicBoxOverheadBytes) return fail(Errc::corrupt, "sealed box: too short");
  Key ephemeral_public;
  std::copy_n(sealed.begin(), kPublicKeyBytes, ephemeral_public.begin());
  Key key;
  if (!agree(recipient_secret, ephemeral_public, ephemeral_public, public_of(recipient_secret), context, key)) {
    return fail(Errc::corrupt, "sealed box: its public key is not usable");
  }
  auto plain = open_raw(key, kOneTimeNonce, context, sealed.subspan(kPublicKeyBytes));
  wipe(key);
  return plain;
}

}  // namespace mhp::primitives
