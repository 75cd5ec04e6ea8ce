// Devices that the records of a vault certify, without those that any of them revokes.
#include "home/who_may_speak.h"

#include <algorithm>

#include "home/impl/vault_rules.h"

namespace mhp::home {

bool Speakers::has(const primitives::PublicKey& key) const {
  return wire::vault_id_of(key) == vault || std::ranges::binary_search(devices, DeviceId::from_array(key));
}

bool Speakers::is_revoked(const primitives::PublicKey& key) const {
  return std::ranges::find(revoked, DeviceId::from_array(key)) != revoked.end();
}

Speakers speakers_of(const VaultId& vault, std::span<const Home::DeviceRecord> records) {
  impl::Members members;
  for (const Home::DeviceRecord& one : records) {
    const auto proven = impl::prove_record(one.signed_record);
    if (proven && proven->record.vault == vault) members.join(*proven);
  }
  Speakers out{.vault = vault, .devices = {}};
  for (const wire::Revocation& one : members.revocations) out.revoked.push_back(one.device);
  for (const DeviceId& device : members.devices) {
    if (!members.is_revoked(device)) out.devices.push_back(device);
  }
  return out;
}

}  // namespace mhp::home
