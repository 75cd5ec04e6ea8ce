// Reading a snapshot's tree: list a folder, find names, compare two snapshots, choose a snapshot by name.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include "vault/vault.h"
#include "wire/tree_page.h"

namespace mhp::snapshot {

/// An id, a unique prefix of at least 4 digits, or "latest". Errors: not_found, usage (several fit: named).
Result<wire::SnapshotRecord> choose_snapshot(const std::vector<wire::SnapshotRecord>& snapshots,
                                             const std::string& name);

/// Walks entries in order from `from` (a path as entries have it, "" = all): that entry and everything below it. Reads
/// only the pages it needs. `visit` returns false to stop.
using Visit = std::function<bool(const wire::TreeEntry&)>;
Task<Result<void>> walk(vault::Vault& vault, const wire::SnapshotRecord& snapshot, std::string from,
                        const Visit& visit);

enum class ChangeKind { added, removed, content, metadata, kind };
struct Change {
  ChangeKind kind;
  std::string path;
};
/// In path order. What is the same in both is never read.
Task<Result<std::vector<Change>>> diff(vault::Vault& vault, const wire::SnapshotRecord& older,
                                       const wire::SnapshotRecord& newer);

/// gitignore-style pattern on a whole path, as `find` uses it: without "/" it matches the last name.
bool matches(const std::string& pattern, const std::string& path);

/// Looks for a pattern in one snapshot after the other. What is the same in several is read once, as long as not too
/// much fits to be remembered. One thread.
class Search {
 public:
  /// `vault` is borrowed.
  Search(vault::Vault& vault, std::string pattern) : vault_(vault), pattern_(std::move(pattern)) {}
  /// Calls `found` with each entry that fits, in path order. Errors: those of reading; corrupt.
  Task<Result<void>> in(wire::SnapshotRecord snapshot, std::function<void(const wire::TreeEntry&)> found);

 private:
  static constexpr std::size_t kMostRemembered = 100'000;
  Task<Result<std::vector<wire::TreeEntry>>> fitting(ChunkId page) const;

  vault::Vault& vault_;
  const std::string pattern_;
  std::unordered_map<ChunkId, std::vector<wire::TreeEntry>, IdHash> known_;  // by page, what fits
  std::size_t remembered_ = 0;
};

/// What of a snapshot cannot be brought back now.
struct LostFiles {
  wire::SnapshotRecord snapshot;
  std::uint64_t files = 0;  // 0: its list of files cannot be read, so nobody can say which
  std::string first{};      // path of the first, as entries have it
};
/// Of all snapshots those that need segments which cannot be read now, as the vault's last check() or standing() found.
/// Reads their lists of files.
Task<std::vector<LostFiles>> lost_files(vault::Vault& vault);

/// All chunk ids of a file's content, lists resolved.
Task<Result<std::vector<ChunkId>>> content_of(vault::Vault& vault, const wire::TreeEntry& entry);

}  // namespace mhp::snapshot
