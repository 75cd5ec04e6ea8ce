// What the sealed parts of a vault record are bound to, and how keys are sealed.
#pragma once

#include "base/ids.h"
#include "vault/impl/context.h"
#include "wire/vault_record.h"

namespace mhp::vault::impl {

enum class Role { recovery, device };

inline Bytes wrap_context(Role role, const VaultId& vault, std::uint32_t epoch) {
  std::string_view purpose = role == Role::recovery ? "mhp 1 wrap recovery" : "mhp 1 wrap device";
  return joined({as_bytes(purpose), vault.bytes(), little_endian(epoch)});
}

inline Bytes private_context(const wire::VaultRecord& record) {
  return joined(
      {as_bytes("mhp 1 vault private"), record.vault.bytes(), record.device.bytes(), little_endian(record.version)});
}

/// The same for the same keys, recipient and `own` secret: so a device can tell whether a wrap in its own record is one
/// that it made, which it cannot open. Errors: invalid where the recipient is no usable key.
Result<wire::KeyWrap> wrap_keys(const wire::VaultKeys& keys, const VaultId& vault, Role role,
                                const primitives::PublicKey& recipient, const primitives::Key& own);

}  // namespace mhp::vault::impl
