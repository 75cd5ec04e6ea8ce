// What folders hold, read by several threads ahead of the walk that asks for it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/platform.h"

namespace mhp::snapshot {

/// A folder, opened and listed. Only the first kMaxInfos names come with what they are: a bound on memory.
struct FolderList {
  static constexpr std::size_t kMaxInfos = 1024;
  std::shared_ptr<platform::SourceFolder> folder;
  std::vector<std::string> names;                        // sorted
  std::vector<std::optional<platform::NodeInfo>> infos;  // of the first names; nothing where it could not be asked
};

/// Opens and lists `folder`. Errors: those of listing.
Result<FolderList> list_folder(std::shared_ptr<platform::SourceFolder> folder, bool exclude_caches);

/// Lists folders in the threads of a pool before the walk comes to them. What it does not have, or could not read, the
/// walk reads for itself. One thread at a time, but for its own jobs, which share nothing else with it.
class FolderListsAhead {
 public:
  /// Folders that are being listed or wait for the walk: so many are open beside those of the walk.
  static constexpr std::size_t kMaxAhead = 32;
  /// `workers` is borrowed; null: nothing is ever read ahead.
  explicit FolderListsAhead(platform::WorkerPool* workers) : workers_(workers) {}
  ~FolderListsAhead();
  FolderListsAhead(const FolderListsAhead&) = delete;
  FolderListsAhead& operator=(const FolderListsAhead&) = delete;

  bool has_room() const { return workers_ != nullptr && jobs_.size() < kMaxAhead; }
  /// Begins to list the folder `name` of `parent`. `path` tells folders apart. There must be room.
  void begin(const std::string& path, std::shared_ptr<platform::SourceFolder> parent, std::string name,
             bool exclude_caches);
  /// What begin() found; waits where a thread is at it. Nothing: list it yourself.
  std::optional<FolderList> take(const std::string& path);

 private:
  struct Job;
  platform::WorkerPool* workers_;
  std::map<std::string, std::shared_ptr<Job>> jobs_;
};

}  // namespace mhp::snapshot
