// Walks source trees in the order of a snapshot's entries, leaving out what is excluded, and batches the files for
// workers.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "platform/disk.h"
#include "platform/tree.h"
#include "snapshot/folder_lists.h"
#include "snapshot/pattern.h"
#include "wire/tree_page.h"

namespace mhp::snapshot {

struct SourceError {
  std::string path;
  std::string reason;
};

struct ScanOptions {
  std::vector<std::string>
      paths{};  // absolute or relative; a last name that is a link is stored as a link, unless a '/' follows it
  std::vector<std::string> excludes{};       // gitignore syntax, relative to each path; "!" takes back
  std::vector<std::string> exclude_files{};  // files with such lines
  bool exclude_caches = true;                // what is in folders with a valid CACHEDIR.TAG, but the tag
  bool one_file_system = false;              // folders where another file system is mounted are kept, empty
  /// Folders left out by device and inode: the state folder, own folder homes.
  std::vector<std::pair<std::uint64_t, std::uint64_t>> leave_out{};
};

/// Made absolute, in entry order, links resolved but for the last name (that too where a '/' follows it), without those
/// that lie in another one.
/// Errors: usage (an empty one, none at all), those of Disk::absolute.
Result<std::vector<std::string>> normal_paths(platform::Disk& disk, std::vector<std::string> paths);

/// One thing that was met.
struct ScanItem {
  std::string path;  // as entries have it: without the first "/"
  platform::NodeInfo info;
  std::shared_ptr<platform::SourceFolder> folder;  // that holds it; shared by its files until they are read
  std::string hard_link_to;                        // path of an earlier item that is the same file
  std::string name() const { return path.substr(path.rfind('/') + 1); }
};

struct ScanBatch {
  std::uint64_t seq = 0;  // 0, 1, 2 ...
  std::vector<ScanItem> items;
  std::vector<SourceError> errors;
  std::optional<Error> failed;  // nothing can be scanned on: this computer is exhausted

  /// What is said of `path`, absolute; an exhausted computer is no fault of it.
  void add_error(const std::string& path, Error error);
};

/// How much goes into one batch: it ends with the item that reaches one of these.
struct BatchLimits {
  std::size_t items = 1024;
  std::uint64_t file_bytes = 8_MiB;
  std::size_t folders = 128;  // open ones that its items hold
};

/// Walks several paths at once; threads of a pool list folders ahead of it. Memory: the names of the folders it is in
/// and of those listed ahead, and links whose other names were not met yet. Blocking calls; one thread at a time.
class Scanner {
 public:
  /// `options.paths` as normal_paths() gives them; `trees` is borrowed, and `ahead`: the pool that lists folders ahead
  /// of the walk, or null. Errors: usage (a path does not exist, an exclude file cannot be read: named).
  static Result<std::unique_ptr<Scanner>> start(platform::Trees& trees, platform::Disk& disk,
                                                const ScanOptions& options, BatchLimits limits,
                                                platform::WorkerPool* ahead);
  /// The next items in the order of entries; empty where `batch.items` and `batch.errors` are both empty: the end.
  ScanBatch next();
  /// Paths that were given and are links: only the link itself is saved.
  const std::vector<std::string>& given_links() const { return given_links_; }
  /// Exclude patterns that have fitted nothing so far.
  std::vector<std::string> unused_excludes() const { return ignore_.unused(); }

 private:
  struct OnlyStart {};  // so that make_unique works for start() and for nobody else

 public:
  Scanner(OnlyStart, platform::Trees& trees, const ScanOptions& options, BatchLimits limits,
          platform::WorkerPool* ahead)
      : trees_(trees), options_(options), limits_(limits), lists_(ahead) {}

 private:
  /// The given paths as a tree: what is walked above them is these names only.
  struct Way {
    std::map<std::string, Way> below;
    bool given = false;
  };
  /// A folder being walked.
  struct Level {
    std::shared_ptr<platform::SourceFolder> folder;  // empty: closed meanwhile, see handle()
    std::vector<std::string> names;
    std::vector<std::optional<platform::NodeInfo>> infos;  // of the first names, where they were asked already
    std::size_t at = 0;
    std::size_t ahead = 0;        // names before it that are folders were looked at by list_ahead()
    std::size_t path_bytes = 0;   // of path_ that are this folder's
    const Way* way = nullptr;     // above the given paths
    std::size_t given_bytes = 0;  // of path_ that are the given path's
    std::uint64_t device = 0;     // of the given path
  };
  using NodeKey = std::pair<std::uint64_t, std::uint64_t>;
  struct LinkGroup {
    std::string first_path;
    std::uint64_t left = 0;
  };

  Result<void> open_paths();
  Result<std::unique_ptr<platform::SourceFolder>> open_folder(platform::SourceFolder& parent, const std::string& name,
                                                              const Level& level);
  void visit(const std::string& name, ScanBatch& batch);
  bool left_out(const Level& level, std::string_view path, const platform::NodeInfo& info);
  bool is_other_system(const Level& level, const platform::NodeInfo& info) const;
  void list_ahead();
  void add_item(const std::shared_ptr<platform::SourceFolder>& folder, const platform::NodeInfo& info,
                ScanBatch& batch);
  void enter(const std::shared_ptr<platform::SourceFolder>& parent, const std::string& name, Level level,
             ScanBatch& batch);
  Result<std::shared_ptr<platform::SourceFolder>> handle(std::size_t level);

  platform::Trees& trees_;
  ScanOptions options_;
  BatchLimits limits_;
  IgnoreLines ignore_;
  Way ways_;
  std::vector<std::string> given_links_;
  std::vector<Level> levels_;
  FolderListsAhead lists_;
  std::string path_;
  std::map<NodeKey, LinkGroup> links_;
  std::uint64_t next_seq_ = 0;
  std::uint64_t batch_bytes_ = 0;
  std::size_t batch_folders_ = 0;
};

}  // namespace mhp::snapshot
