// One batch of scanned items on its way to entries: compared with the snapshot before, then what changed is read.
#pragma once

#include <atomic>

#include "snapshot/backup.h"
#include "snapshot/content.h"
#include "snapshot/earlier.h"

namespace mhp::snapshot {

/// Moved from step to step; owned by one coroutine or job at a time.
struct BatchWork {
  ScanBatch batch;  // its errors and failure grow
  std::vector<EarlierSlice> earlier;
  std::vector<wire::TreeEntry> entries;  // one for each item
  std::vector<PageOrigin> origins;       // one for each item
  std::vector<bool> lost;                // items that could not be read: no entry
  std::vector<std::size_t> to_read;      // items whose content must be read
  std::size_t reading = 0;               // in to_read: the one that is next or under way
  bool opened = false;                   // ... and it is under way
  std::uint64_t files_new = 0, files_changed = 0, files_unchanged = 0, folders = 0;
  std::vector<SourceError> warnings;
};

/// Fills entries and to_read. Runs in a worker; Vault::has() is asked there.
void compare(BatchWork& work, const vault::Vault& vault, const BackupOptions& options, std::int64_t earlier_ns,
             Counters& counters);

/// Reads files of `to_read` until the packer is full, some 64 MiB are read, or all are done. Runs in a worker.
/// `added_bytes` is raised by what went into the packer.
FileReader::Step read_files(BatchWork& work, FileReader& reader, vault::Packer& packer, Counters& counters,
                            std::atomic<std::uint64_t>& added_bytes);

}  // namespace mhp::snapshot
