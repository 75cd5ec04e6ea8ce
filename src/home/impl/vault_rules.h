// Which vault records and heads a home believes: pure functions on bytes.
#pragma once

#include <span>

#include "base/ids.h"
#include "base/result.h"
#include "wire/home_log.h"
#include "wire/tombstone.h"
#include "wire/vault_record.h"

namespace mhp::home::impl {

/// A vault record that proves itself, and what follows from it.
struct ProvenRecord {
  wire::VaultRecord record;
  std::vector<DeviceId> devices;              // certified by the identity
  std::vector<wire::Revocation> revocations;  // signed by the identity
  bool by_identity = false;                   // who signed the record
  primitives::PublicKey signer{};

  bool certifies(const DeviceId& device) const;
  const wire::Revocation* revocation_of(const DeviceId& device) const;
  /// Whether what this key signs about the vault counts now: the identity, or a device certified and not revoked.
  bool may_sign(const DeviceId& key) const;
};

/// Errors: invalid (does not parse), denied (identity, signature, or a signer that is not certified or is revoked in
/// it).
Result<ProvenRecord> prove_record(ByteView signed_record);

/// Whether `next` may take the place of `held`. A device cannot take back a revocation; the identity key may do all.
/// Errors: denied, invalid (older).
Result<void> may_follow(const ProvenRecord& held, const ProvenRecord& next);

/// Joins signed heads that came at `now_s` to the held ones of the same device; both rising, `held` may be empty. What
/// is kept of both: the newest wire::kMaxHeadsKept and, of the last wire::kMaxHeadDays days with older ones, the newest
/// of each. Errors: invalid (gap, broken chain, does not parse), denied (fork, signature, revoked, not certified).
Result<std::vector<wire::HeldHead>> join_heads(const ProvenRecord& record, const DeviceId& device,
                                               std::span<const wire::HeldHead> held, std::vector<Bytes> chain,
                                               std::int64_t now_s);

/// The body of a tombstone or reprieve: of this vault, by its identity or by a device certified and not revoked.
/// Errors: invalid, denied.
Result<wire::Tombstone> prove_tombstone(const ProvenRecord& record, ByteView signed_tombstone);
Result<wire::Reprieve> prove_reprieve(const ProvenRecord& record, ByteView signed_reprieve);
/// Which vault such a one says it is of. Errors: invalid.
Result<VaultId> vault_of_tombstone(ByteView signed_tombstone);
Result<VaultId> vault_of_reprieve(ByteView signed_reprieve);

}  // namespace mhp::home::impl
