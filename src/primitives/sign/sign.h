// Ed25519 signatures and X25519 public keys, by libsodium.
#pragma once

#include "base/bytes.h"
#include "base/ids.h"
#include "primitives/hash/blake3.h"

namespace mhp::primitives {

using PublicKey = std::array<std::byte, 32>;
using Signature = std::array<std::byte, 64>;

/// Call once before any other use of libsodium. Aborts where the library cannot start.
void init_sodium();

/// An Ed25519 key pair from its 32-byte seed. Wiped when it goes. @source RFC 8032.
class SigningKey {
 public:
  explicit SigningKey(const Key& seed);
  SigningKey(const SigningKey&) = default;
  ~SigningKey();
  const PublicKey& public_key() const { return public_key_; }
  /// Signs `context` || 0x00 || message, so that a signature for one purpose never serves another.
  Signature sign(std::string_view context, ByteView message) const;

 private:
  std::array<std::byte, 64> secret_;
  PublicKey public_key_;
};

/// True where `signature` is that key's over context || 0x00 || message.
bool verify(const PublicKey& key, std::string_view context, ByteView message, ByteView signature);

/// The home whose key this is: SHA-256 of the key's SubjectPublicKeyInfo, as it stands in a TLS certificate.
/// @source RFC 8410.
HomeId home_id_of(const PublicKey& key);

/// The X25519 public key of a 32-byte secret. @source RFC 7748.
PublicKey x25519_public(const Key& secret);

}  // namespace mhp::primitives
