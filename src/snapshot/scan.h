// Walks source trees in the order of a snapshot's entries, leaving out what is excluded, and batches the files for workers.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "platform/tree.h"
#include "wire/tree_page.h"

namespace mhp::snapshot {

struct SourceError {
  std::string path;
  std::string reason;
};

struct ScanOptions {
  std::vector<std::string> paths;     // absolute
  std::vector<std::string> excludes;  // gitignore syntax, relative to each path; "!" takes back
  std::vector<std::string> exclude_files;  // files with such lines
  bool exclude_caches = true;         // folders with a valid CACHEDIR.TAG
  bool one_file_system = false;
  /// Folders left out by device and inode: the state folder, own folder homes.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> leave_out;
};

}  // namespace mhp::snapshot
