// A folder home without coroutines: its lock, its records and its vaults' files, in blocking calls.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>

#include "home/impl/condemned.h"
#include "home/impl/fragment_log.h"
#include "home/impl/vault_files.h"
#include "platform/clock.h"

namespace mhp::home::impl {

/// The folder as it is made: names in it, and the identity.
std::string identity_path(const std::string& home_path);
Result<wire::HomeFile> read_identity(platform::Disk& disk, const std::string& home_path);

/// Any thread; writing calls queue behind each other, reading ones do not.
class FolderStore {
 public:
  FolderStore(platform::Disk& disk, platform::Clock& clock, std::string path, const wire::HomeFile& identity,
              const FolderLimits& limits, std::uint64_t max_log_bytes = wire::kMaxLogBytes);

  Result<void> begin_writing(const std::string& who);
  /// Each takes the home's lock first where it is not held. Errors: busy; those of Home.
  Result<void> put(MutableBytes record);
  Result<void> commit();
  Result<void> put_vault_record(const Bytes& signed_record);
  Result<void> put_heads(const VaultId& vault, const DeviceId& device, std::vector<Bytes> chain, std::int64_t now_s);

  /// `least_hold_s`: where a card's minimum hold is shorter.
  Result<void> put_tombstone(const Bytes& signed_tombstone, std::uint64_t least_hold_s = 0);
  Result<void> put_reprieve(const Bytes& signed_reprieve);
  Result<CollectReport> collect();

  // Reading; the rest is asked of log() and vaults().
  Result<HeldPage> list(const VaultId& vault, const SegmentId& after, std::size_t limit);
  Result<Usage> usage();
  Result<Usage> usage_of(const VaultId& vault);
  std::uint64_t record_changes() const { return record_changes_; }
  FragmentLog& log() { return log_; }
  VaultFiles& vaults() { return vaults_; }

  /// Writes the index and lets go of the lock. Nothing may be called after it.
  void close();
  /// The same unless a writing call runs (a drive that hangs): then that one keeps the lock till the process ends.
  void close_if_idle();

 private:
  Result<void> become_writer(const std::string& who = "mhp");
  Result<void> mend_identity();
  void close_locked();
  Result<void> commit_locked();
  void count_time();
  Result<Members> members(const VaultId& vault);
  Result<std::vector<wire::CondemnedFile>> visit_condemned(CollectReport& report);
  Result<std::vector<SegmentId>> due_of(const wire::CondemnedFile& file, CollectReport& report);
  Result<void> forget_purged(wire::CondemnedFile& file, std::span<const HeldKey> due, CollectReport& report);
  Result<void> reprieve(const VaultId& vault, std::span<const SegmentId> segments);
  Result<void> reprieve_what_was_put();
  Result<void> add_condemned(const VaultId& vault, Usage& usage);

  platform::Disk& disk_;
  platform::Clock& clock_;
  const std::string path_;
  const Bytes identity_;  // as in its file
  std::mutex writing_;
  bool closed_ = false;
  bool wrote_records_ = false;
  std::atomic<std::uint64_t> record_changes_{0};
  std::unique_ptr<platform::FileLock> lock_;
  FragmentLog log_;
  VaultFiles vaults_;
  CondemnedFiles condemned_;
  std::map<VaultId, std::vector<SegmentId>> put_;  // since the last commit, where they are condemned
};

}  // namespace mhp::home::impl
