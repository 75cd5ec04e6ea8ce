// What a folder home keeps of tombstones: which segments are condemned, and how much of their hold has passed.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "base/ids.h"
#include "platform/disk.h"
#include "wire/home_log.h"

namespace mhp::home::impl {

/// Adds the time since the last visit to all holds; `exactly` even where it is less than an hour, which is else left to
/// a later visit. One visit adds at most 10 days and a third of the hold, and once at most one day after the clock
/// was set back. True where the file changed. Why: docs/decisions/0018.
bool visit(wire::CondemnedFile& file, std::int64_t now_ns, bool exactly);
/// When the first hold ends, if the home is visited now and then at least every ten days; none where nothing is
/// condemned.
std::optional<std::int64_t> next_due(const wire::CondemnedFile& file, std::int64_t now_ns);
inline bool is_due(const wire::CondemnedFile::Entry& entry) { return entry.held_ns >= entry.hold_ns; }
/// Null where it is not condemned.
wire::CondemnedFile::Entry* find_entry(wire::CondemnedFile& file, const SegmentId& segment);
bool is_condemned(const wire::CondemnedFile& file, const SegmentId& segment);
/// `signer`'s number in the file, added where it is new.
std::uint32_t number_of_signer(wire::CondemnedFile& file, const DeviceId& signer);

/// Blocking. Reads from any thread; writes from one thread at a time, by who holds the home's lock.
class CondemnedFiles {
 public:
  CondemnedFiles(platform::Disk& disk, std::string home_path, const HomeId& home)
      : disk_(disk), home_path_(std::move(home_path)), home_(home) {}

  /// What is condemned of a vault; an empty one where nothing is. Errors: corrupt (damaged: then nothing counts as
  /// condemned), unavailable.
  Result<wire::CondemnedFile> read(const VaultId& vault);
  /// The same, a damaged one as empty: for who replaces it.
  Result<wire::CondemnedFile> read_or_empty(const VaultId& vault);
  /// Durable when it returns. The vault's folder is there: its record came first. Errors: full (too many), and those of
  /// replace_file.
  Result<void> write(const wire::CondemnedFile& file);
  /// Makes durable what may be there from a call that failed just before its end.
  Result<void> sync(const VaultId& vault) { return disk_.sync_folder(folder(vault)); }

  /// As of the last call with `fresh`, or of this one. A damaged file: an empty one. Errors: unavailable.
  Result<std::shared_ptr<const wire::CondemnedFile>> seen(const VaultId& vault, bool fresh);

  /// Another process may have written since.
  void forget_seen();

 private:
  std::string folder(const VaultId& vault) const { return home_path_ + "/vaults/" + vault.hex(); }
  std::string path(const VaultId& vault) const { return folder(vault) + "/condemned"; }
  wire::CondemnedFile empty(const VaultId& vault) const;

  platform::Disk& disk_;
  const std::string home_path_;
  const HomeId home_;
  std::mutex mutex_;
  std::map<VaultId, std::shared_ptr<const wire::CondemnedFile>> seen_;
};

}  // namespace mhp::home::impl
