// Whose signatures count for a vault, by the records that its devices signed.
#pragma once

#include <span>
#include <vector>

#include "home/home.h"
#include "primitives/sign/sign.h"

namespace mhp::home {

/// Who may act for a vault, by what its records say together.
struct Speakers {
  VaultId vault;
  std::vector<DeviceId> devices;       // rising; certified by the identity in one of them and revoked in none
  std::vector<DeviceId> revoked = {};  // by any of them
  /// The identity, or one of the devices.
  bool has(const primitives::PublicKey& key) const;
  bool is_revoked(const primitives::PublicKey& key) const;
};

/// Records that are damaged, or do not prove themselves, say nothing: where all are, only the identity speaks.
Speakers speakers_of(const VaultId& vault, std::span<const Home::DeviceRecord> records);

}  // namespace mhp::home
