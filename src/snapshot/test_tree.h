// For tests: real trees with everything in them, and a comparison that sees it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "platform/memory/memory_platform.h"
#include "platform/posix/temp_folder.h"
#include "snapshot/backup.h"
#include "snapshot/memory_vault.h"
#include "snapshot/restore.h"

namespace mhp::snapshot {

/// Writes into one real folder; paths are relative to it.
class TestTree {
 public:
  explicit TestTree(std::string root) : root_(std::move(root)) {}
  std::string at(const std::string& path) const { return path.empty() ? root_ : root_ + "/" + path; }
  void folder(const std::string& path, unsigned mode = 0755);
  void file(const std::string& path, std::string_view content, unsigned mode = 0644);
  void random_file(const std::string& path, std::size_t bytes, std::uint64_t seed);
  /// Parts of data in a hole of `size`.
  void sparse_file(const std::string& path, std::uint64_t size,
                   const std::vector<std::pair<std::uint64_t, std::string>>& parts);
  void symlink(const std::string& path, const std::string& target);
  void hard_link(const std::string& path, const std::string& existing);
  void fifo(const std::string& path);
  void socket(const std::string& path);
  /// False where this user may not.
  bool device(const std::string& path, bool block, unsigned major, unsigned minor);
  bool xattr(const std::string& path, const std::string& name, std::string_view value);
  void mtime(const std::string& path, std::int64_t ns);
  void remove(const std::string& path);

 private:
  std::string root_;
};

/// A line for everything in the tree below `path`, in order, with all that a restore must bring back: the same lines,
/// the same tree.
std::vector<std::string> describe_tree(platform::Trees& trees, const std::string& path);

/// Everything a backup and a restore need, with a vault of memory and one seed.
struct Bench {
  explicit Bench(std::uint64_t seed = 1);
  BackupReport backup(const std::vector<std::string>& paths);
  Result<BackupReport> try_backup(const BackupOptions& options);
  RestoreReport restore(const wire::SnapshotRecord& snapshot, const std::string& to, const std::string& path = {});
  Result<RestoreReport> try_restore(const wire::SnapshotRecord& snapshot, const std::string& to,
                                    const std::string& path = {});
  /// Paths of all entries, in order.
  std::vector<std::string> paths(const wire::SnapshotRecord& snapshot, const std::string& from = {});
  std::vector<wire::TreeEntry> entries(const wire::SnapshotRecord& snapshot, const std::string& from = {});

  platform::MemoryPlatform platform;
  MemoryVault vault;
};

/// Seed of random tests: MHP_SEED, or 1.
inline std::uint64_t test_seed() {
  const char* given = std::getenv("MHP_SEED");
  return given != nullptr ? std::strtoull(given, nullptr, 10) : 1;
}

}  // namespace mhp::snapshot
