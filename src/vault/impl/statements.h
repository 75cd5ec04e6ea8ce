// Tombstones and reprieves, signed and sent to homes.
#pragma once

#include <map>
#include <vector>

#include "vault/impl/vault_impl.h"

namespace mhp::vault::impl {

enum class StatementKind { tombstone, reprieve };

/// Signs "these may go" or "these stay" for the segments that each member is to be told of, and sends it, all homes at
/// once within a time limit. `signer`: this device's key, or the identity. Homes that fail are reported. Members that
/// took all of theirs.
Task<std::vector<std::size_t>> send_statements(VaultImpl& vault, StatementKind kind,
                                               const primitives::SigningKey& signer,
                                               std::map<std::size_t, std::vector<SegmentId>> segments);

}  // namespace mhp::vault::impl
