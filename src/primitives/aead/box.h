// Small sealed messages: under a shared key, and to a public key.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "primitives/hash/blake3.h"

namespace mhp::primitives {

constexpr std::size_t kBoxOverheadBytes = 24 + 16;
constexpr std::size_t kPublicBoxOverheadBytes = 32 + 16;

/// XChaCha20-Poly1305-IETF: `nonce` (24 random bytes) || ciphertext || tag.
Bytes seal_box(const Key& key, std::span<const std::byte, 24> nonce, ByteView context, ByteView plain);
/// Errors: corrupt (wrong key, context or bytes).
Result<Bytes> open_box(const Key& key, ByteView context, ByteView sealed);

/// To an X25519 public key: ephemeral public key || the same AEAD (nonce zero, as its key serves once) under
/// HKDF-SHA-256(shared, salt = ephemeral || recipient public key, info = context). `context`: at most 1 KiB.
/// `ephemeral_secret`: 32 fresh random bytes, wiped by the caller.
/// Errors: invalid (a low-order public key).
Result<Bytes> seal_to(const Key& recipient_public, const Key& ephemeral_secret, ByteView context, ByteView plain);
Result<Bytes> open_from(const Key& recipient_secret, ByteView context, ByteView sealed);

}  // namespace mhp::primitives
