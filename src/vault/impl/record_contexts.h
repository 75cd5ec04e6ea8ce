// What the sealed parts of a vault record are bound to.
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

}  // namespace mhp::vault::impl
