// Backup: a tree of files becomes a snapshot in the vault.
#pragma once

#include <atomic>
#include <functional>

#include "platform/platform.h"
#include "snapshot/scan.h"
#include "vault/vault.h"

namespace mhp::snapshot {

/// Seen by a progress line while work goes on; any thread.
struct Counters {
  std::atomic<std::uint64_t> files{0};
  std::atomic<std::uint64_t> bytes{0};
  std::atomic<std::uint64_t> files_total{0};  // 0: not known
  std::atomic<std::uint64_t> bytes_total{0};
};

struct BackupOptions {
  ScanOptions scan;
  std::vector<std::string> tags;
  std::string host;
  bool dry_run = false;    // scans and compares, stores nothing
  bool full_read = false;  // reads every file again, trusting no unchanged times
  vault::WriteOptions write;
};

struct BackupReport {
  wire::SnapshotRecord snapshot;
  std::uint64_t files_new = 0, files_changed = 0, files_unchanged = 0;
  std::uint64_t folders = 0;
  std::vector<SourceError> errors;           // unreadable, each named: exit code 3
  std::vector<SourceError> warnings;         // changed while read: stored as read; a given path that is a link
  std::vector<std::string> unused_excludes;  // exclude patterns that fitted nothing
  vault::Committed committed;
  std::uint64_t adopted_segments = 0;  // of an interrupted backup: found on the homes and taken over
};

/// Errors: those of the vault; usage (a path does not exist: named); exhausted. Unreadable files are in the report,
/// not errors.
Task<Result<BackupReport>> backup(platform::Platform& platform, vault::Vault& vault, const BackupOptions& options,
                                  Counters& counters);

}  // namespace mhp::snapshot
