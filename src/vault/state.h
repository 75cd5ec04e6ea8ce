// The state folder: this device's secret, the vault records that it knows, what it has seen, its own heads, the journal
// and caches.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/platform.h"
#include "vault/keys.h"

namespace mhp::vault {

/// Files: device, vault-records (and a copy of it), seen, taken, head (own newest signed heads, written before any home
/// gets them), journal, bad-rows, lock, cache/. Every one can be lost: recover brings all of it back from the homes.
/// Small files, blocking calls. Every error's detail begins with the file's path; corrupt: the file is damaged, or
/// missing where it has to be.
class State {
 public:
  /// All errors have Subject::state, but that of create() where there is a vault already.
  /// `who` is the note in the lock while this process writes: "mhp backup, process 4711, since 14:02".
  State(platform::Disk& disk, std::string folder, std::string who = "mhp");
  const std::string& folder() const { return folder_; }
  std::string cache_folder() const { return folder_ + "/cache"; }
  /// A vault was made here, whole or not. Errors: those of the disk, but not_found (that is `false`).
  Result<bool> exists() const;

  /// Makes the folder and writes the device's secret and the records. Errors: busy where a vault is there already.
  Result<void> create(const Device& device, const OpenRecord& record);
  Result<Device> device() const;
  /// Those of all devices, as they were last set, unchecked. `copy`: the second file with the same; its homes have the
  /// newest when this one is lost.
  Result<std::vector<Bytes>> records() const;
  Result<std::vector<Bytes>> records_copy() const;
  std::string records_path() const { return path("vault-records"); }
  Result<void> set_records(const OpenRecord& record);
  std::string device_path() const { return path("device"); }

  Result<wire::SeenHeads> seen() const;
  Result<void> set_seen(const wire::SeenHeads& seen);
  /// Of each home the newest own head that it took. Errors: not_found where that was never noted, or not what it
  /// says.
  Result<wire::TakenHeads> taken() const;
  Result<void> set_taken(const wire::TakenHeads& taken);
  /// Rows known to be bad; none where the file is absent or damaged.
  wire::BadRows bad_rows() const;
  Result<void> set_bad_rows(const wire::BadRows& bad);

  /// Segments that homes hold and no head names, with the time they were first seen; none where the file is absent or
  /// damaged: they are seen anew.
  wire::UnlistedSeen unlisted_seen() const;
  /// Of too many those that were seen first are kept.
  Result<void> set_unlisted_seen(wire::UnlistedSeen seen);

  /// Own chain of heads, newest last; at most kOwnHeadsKept are kept (more than homes keep, so that a home that was
  /// away for long can still be given all that it lacks).
  static constexpr std::size_t kOwnHeadsKept = 1024;
  Result<std::vector<Bytes>> own_heads() const;
  Result<void> set_own_heads(const std::vector<Bytes>& chain);

  /// Errors: not_found where this device has never kept one (it is new): homes have to be searched instead.
  Result<std::vector<wire::JournalEntry>> journal() const;
  /// Durable. Its end is looked for once, so that a long session does not read it again and again: one writer at a
  /// time.
  Result<void> append_journal(const std::vector<wire::JournalEntry>& entries);
  Result<void> clear_journal();  // leaves an empty one

  /// One writer at a time. Errors: busy, with who holds it ("mhp backup, process 4711, since 14:02").
  Result<std::unique_ptr<platform::FileLock>> lock(const std::string& what) const;
  const std::string& who() const { return who_; }
  platform::Disk& disk() const { return disk_; }

 private:
  std::string path(const char* name) const { return folder_ + "/" + name; }
  Result<std::vector<Bytes>> records_in(const char* name) const;
  Result<void> replace(const char* name, ByteView content);
  Result<void> append(const std::vector<wire::JournalEntry>& entries);
  Result<void> write_journal(ByteView content);

  platform::Disk& disk_;
  std::string folder_;
  std::string who_;
  std::optional<std::uint64_t> journal_end_;  // of its whole frames, as this process wrote them
};

}  // namespace mhp::vault
