// The envelope of everything that is signed: exact bytes, who signed, signature.
#pragma once

#include "base/bytes.h"
#include "base/result.h"
#include "primitives/sign/sign.h"

namespace mhp::wire {

/// Signature contexts: one purpose each.
constexpr std::string_view kSignCard = "mhp 1 card";
constexpr std::string_view kSignHead = "mhp 1 head";
constexpr std::string_view kSignVaultRecord = "mhp 1 vault record";
constexpr std::string_view kSignDevice = "mhp 1 device certificate";
constexpr std::string_view kSignRevocation = "mhp 1 revocation";
constexpr std::string_view kSignTombstone = "mhp 1 tombstone";
constexpr std::string_view kSignReprieve = "mhp 1 reprieve";
constexpr std::string_view kSignStatement = "mhp 1 roster statement";
constexpr std::string_view kSignTicket = "mhp 1 ticket";

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
