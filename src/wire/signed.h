// The envelope of everything that is signed: exact bytes, who signed, signature.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "primitives/sign/sign.h"

namespace mhp::wire {

/// Signature contexts: one purpose each.
constexpr std::string_view kSignCard = "mhp 0 card";
constexpr std::string_view kSignHead = "mhp 0 head";
constexpr std::string_view kSignVaultRecord = "mhp 0 vault record";
constexpr std::string_view kSignDevice = "mhp 0 device certificate";
constexpr std::string_view kSignRevocation = "mhp 0 revocation";
constexpr std::string_view kSignTombstone = "mhp 0 tombstone";
constexpr std::string_view kSignReprieve = "mhp 0 reprieve";

/// `body` is kept byte for byte: it is what was signed, and what is parsed after verify().
struct Signed {
  Bytes body{};
  primitives::PublicKey signer{};
  primitives::Signature signature{};
  friend bool operator==(const Signed&, const Signed&) = default;
};

Bytes encode(const Signed& envelope);
/// Errors: invalid.
Result<Signed> parse_signed(ByteView bytes, std::uint64_t limit_bytes);

Signed sign(const primitives::SigningKey& key, std::string_view context, Bytes body);
/// True where the signature is `signer`'s. Whether that signer may is the caller's question.
bool verify(const Signed& envelope, std::string_view context);

}  // namespace mhp::wire
