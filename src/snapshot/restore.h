// Restore: a snapshot, or a path in it, comes back with all it had.
#pragma once

#include <optional>

#include "snapshot/backup.h"

namespace mhp::snapshot {

struct RestoreOptions {
  wire::SnapshotRecord snapshot;
  std::string path;  // in the snapshot, absolute; empty: all, kept below `to`. A folder's content, or one file, goes
                     // right into `to`
  std::string to;    // absent or empty folder
  bool dry_run = false;
  bool sync = false;  // at the end waits until the target's disk has it all
};

struct RestoreReport {
  std::uint64_t files = 0;  // entries that are not folders
  std::uint64_t folders = 0;
  std::uint64_t bytes = 0;
  std::vector<SourceError> errors;    // could not be brought back, each named; nothing of them is left in `to`
  std::vector<SourceError> warnings;  // back, but an owner or attribute could not be set
  /// The gravest reason among `errors`: corrupt (damaged data) before unavailable (too few rows) before the rest.
  std::optional<Error> worst;
};

/// Files whose content cannot be had are in the report, the rest is brought back.
/// Errors: not_found (no such path), busy (`to` is not empty), full, exhausted, those of the sync, and those of reading
/// the snapshot's tree: unavailable (too few homes: says what is missing), corrupt.
Task<Result<RestoreReport>> restore(platform::Platform& platform, vault::Vault& vault, const RestoreOptions& options,
                                    Counters& counters);

}  // namespace mhp::snapshot
