// Forget: snapshots go from the list, and what only they needed is given back.
#pragma once

#include <atomic>

#include "platform/platform.h"
#include "vault/vault.h"

namespace mhp::snapshot {

/// Seen by a progress line while work goes on.
struct ForgetProgress {
  std::uint64_t snapshots = 0;  // to be followed
  std::uint64_t snapshots_done = 0;
  vault::CheckProgress moving{};  // segments
};

/// Follows every snapshot that stays to all of its chunks, then sweeps. What cannot be read stops the sweep: then the
/// snapshots are forgotten and Collected::held_back says why nothing was given back.
/// Errors: those of Vault::begin_collect() and Collector::finish(). Borrows all.
Task<Result<vault::Collected>> forget(platform::Platform& platform, vault::Vault& vault, vault::CollectOptions options,
                                      ForgetProgress& progress);

}  // namespace mhp::snapshot
