// Ed25519 and X25519 by libsodium.
#include "primitives/sign/sign.h"

#include <sodium.h>

#include <algorithm>

#include "base/check.h"
#include "primitives/raw.h"

namespace mhp::primitives {
namespace {

/// context || 0x00 || message. A context with a zero byte in it could imitate another one.
Bytes bind(std::string_view context, ByteView message) {
  MHP_CHECK(context.find('\0') == std::string_view::npos);
  Bytes bound;
  bound.reserve(context.size() + 1 + message.size());
  bound.assign(as_bytes(context).begin(), as_bytes(context).end());
  bound.push_back(std::byte{0});
  bound.insert(bound.end(), message.begin(), message.end());
  return bound;
}

}  // namespace

void init_sodium() { MHP_CHECK(sodium_init() >= 0); }

SigningKey::SigningKey(const Key& seed) {
  static_assert(sizeof secret_ == crypto_sign_SECRETKEYBYTES && sizeof public_key_ == crypto_sign_PUBLICKEYBYTES);
  MHP_CHECK(crypto_sign_seed_keypair(raw(public_key_.data()), raw(secret_.data()), raw(seed.data())) == 0);
}

SigningKey::~SigningKey() { wipe(secret_); }

Signature SigningKey::sign(std::string_view context, ByteView message) const {
  const Bytes bound = bind(context, message);
  Signature signature;
  crypto_sign_detached(raw(signature.data()), nullptr, raw(bound.data()), bound.size(), raw(secret_.data()));
  return signature;
}

bool verify(const PublicKey& key, std::string_view context, ByteView message, ByteView signature) {
  if (signature.size() != sizeof(Signature)) return false;
  const Bytes bound = bind(context, message);
  return crypto_sign_verify_detached(raw(signature.data()), raw(bound.data()), bound.size(), raw(key.data())) == 0;
}

HomeId home_id_of(const PublicKey& key) {
  // SEQUENCE { SEQUENCE { OID 1.3.101.112 }, BIT STRING of 32 bytes }: the same before every Ed25519 key.
  constexpr std::array<unsigned char, 12> kBeforeKey{0x30, 0x2a, 0x30, 0x05, 0x06, 0x03,
                                                     0x2b, 0x65, 0x70, 0x03, 0x21, 0x00};
  std::array<unsigned char, kBeforeKey.size() + 32> info;
  std::ranges::copy(kBeforeKey, info.begin());
  std::copy_n(raw(key.data()), key.size(), info.begin() + kBeforeKey.size());
  HomeId::Array digest;
  crypto_hash_sha256(raw(digest.data()), info.data(), info.size());
  return HomeId::from_array(digest);
}

PublicKey x25519_public(const Key& secret) {
  PublicKey out;
  MHP_CHECK(crypto_scalarmult_base(raw(out.data()), raw(secret.data())) == 0);
  return out;
}

}  // namespace mhp::primitives
