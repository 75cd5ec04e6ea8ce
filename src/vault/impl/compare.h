// Whether a segment holds what it says it holds.
#pragma once

#include "vault/impl/vault_impl.h"

namespace mhp::vault::impl {

/// Reads all of a segment and compares each chunk with its id: what it says of itself is true then, whoever sealed it.
/// Errors: as SegmentReader::open(); corrupt (a chunk differs from its id).
Task<Result<wire::IndexedSegment>> read_and_compare(VaultImpl& vault, SegmentId id);

}  // namespace mhp::vault::impl
