// Which vault records and heads a home believes: pure functions on bytes.
#pragma once

#include <set>
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
};

/// Errors: invalid (does not parse), denied (identity, signature, or an author that is not certified or is revoked in
/// it).
Result<ProvenRecord> prove_record(ByteView signed_record);

/// What the identity has said of a vault's devices, over all records that are held.
struct Members {
  VaultId vault{};
  primitives::PublicKey identity{};
  std::set<DeviceId> devices{};
  std::vector<wire::Revocation> revocations{};  // of one device several, where recoveries did not see each other

  void join(const ProvenRecord& proven);
  bool is_revoked(const DeviceId& device) const;
  /// Whether what this key signs about the vault counts now: the identity, or a device certified and not revoked.
  bool may_sign(const DeviceId& key) const;
};

/// Whether `next` is to be kept: in the place of `held`, an earlier record of the same device, where there is one.
/// `is_named`: by a head of its author that is held; then it is kept also of one who is revoked, where there is none:
/// what he saved before may need its keys. Errors: denied (its author is revoked), invalid (older, another of one
/// version, or far above).
Result<void> may_be_kept(const Members& members, const ProvenRecord* held, const ProvenRecord& next, bool is_named);
/// True where one of these heads was signed by who had this vault record then.
bool is_named_by(std::span<const wire::HeldHead> heads, ByteView signed_record);

/// Notes in `file` that `held`, the record in the place of its device, gives way at `now_s`. It is kept where it is the
/// first that was replaced on that day; of such days the last wire::kMaxFormerRecords.
void add_former(wire::FormerRecordsFile& file, Bytes held, std::int64_t now_s);

/// Joins signed heads that came at `now_s` to the held ones of the same device; both rising, `held` may be empty. What
/// is kept of both: the newest wire::kMaxHeadsKept and, of the last wire::kMaxHeadDays days with older ones, the newest
/// of each. Errors: invalid (gap, broken chain, does not parse), denied (fork, signature, revoked, not certified).
Result<std::vector<wire::HeldHead>> join_heads(const Members& members, const DeviceId& device,
                                               std::span<const wire::HeldHead> held, std::vector<Bytes> chain,
                                               std::int64_t now_s);

/// The body of a tombstone or reprieve: of this vault, by its identity or by a device certified and not revoked.
/// Errors: invalid, denied.
Result<wire::Tombstone> prove_tombstone(const Members& members, ByteView signed_tombstone);
Result<wire::Reprieve> prove_reprieve(const Members& members, ByteView signed_reprieve);
/// Which vault such a one says it is of. Errors: invalid.
Result<VaultId> vault_of_tombstone(ByteView signed_tombstone);
Result<VaultId> vault_of_reprieve(ByteView signed_reprieve);

}  // namespace mhp::home::impl
