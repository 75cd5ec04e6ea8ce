// Files that this program owns (homes and local state): what it needs of a disk, in calls that can be made to fail in
// tests.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace mhp::platform {

enum class Open {
  read,              // must exist
  write,             // read and write; must exist
  create,            // read and write; made where absent, with mode 0600
  create_exclusive,  // must not exist (Errc::busy where it does)
};

/// One open file. Calls block: use them from a worker pool. read_at and write_at on one File are safe from several
/// threads. Errors everywhere: full (no space, quota), denied (rights, read-only), unavailable (I/O error), exhausted
/// (too few open files or too little memory), usage (too big for the file system); detail names the path.
class File {
 public:
  virtual ~File() = default;
  /// Bytes read: short only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t offset, MutableBytes out) = 0;
  /// All of it or an error (then any part of it may be there).
  virtual Result<void> write_at(std::uint64_t offset, ByteView bytes) = 0;
  /// The same for big aligned writes that should not fill the page cache: data, offset and length multiples of 4096.
  /// Goes the buffered way where the file system cannot do better.
  virtual Result<void> write_bulk(std::uint64_t offset, ByteView bytes) = 0;
  /// Durable when it returns: data, size. After a failed sync nothing un-synced may be trusted: reopen and verify.
  virtual Result<void> sync() = 0;
  /// Reserves space without changing the size (where the file system can; else does nothing).
  virtual Result<void> reserve(std::uint64_t offset, std::uint64_t bytes) = 0;
  virtual Result<void> truncate(std::uint64_t bytes) = 0;
  virtual Result<std::uint64_t> size() = 0;
};

/// Held until it goes, or the process dies.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

struct PathInfo {
  bool is_folder = false;
  bool is_file = false;
  std::uint64_t size = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
};

struct SpaceInfo {
  std::uint64_t total_bytes = 0;
  std::uint64_t free_bytes = 0;  // for this user
  bool read_only = false;        // this user cannot make anything there: mounted so, or by its rights
};

/// Paths are absolute or relative to the working folder, as the system takes them.
class Disk {
 public:
  virtual ~Disk() = default;
  virtual Result<std::unique_ptr<File>> open(const std::string& path, Open how) = 0;
  /// With all missing parents, mode 0700. Fine where it exists. Durable after sync_folder of the parent.
  virtual Result<void> make_folder(const std::string& path) = 0;
  /// Makes names made, renamed or removed in it durable.
  virtual Result<void> sync_folder(const std::string& path) = 0;
  /// Replaces `to` at once where it exists.
  virtual Result<void> rename(const std::string& from, const std::string& to) = 0;
  /// A file or an empty folder. Errors: not_found.
  virtual Result<void> remove(const std::string& path) = 0;
  /// Names in a folder, sorted, without "." and "..". Errors: not_found.
  virtual Result<std::vector<std::string>> list(const std::string& path) = 0;
  /// Follows links. Errors: not_found.
  virtual Result<PathInfo> info(const std::string& path) = 0;
  virtual Result<SpaceInfo> space(const std::string& path) = 0;
  /// An exclusive lock on the file `path` (made where absent) that dies with this process. `note` is written into it,
  /// with the process number, for the message another process shows. Errors: busy; the detail holds what is written.
  virtual Result<std::unique_ptr<FileLock>> lock(const std::string& path, const std::string& note) = 0;
  /// Absolute, with links resolved as far as the path exists.
  virtual Result<std::string> absolute(const std::string& path) = 0;
};

/// Whole small files. `limit_bytes` is checked before anything is allocated. Errors: not_found, invalid (too big).
Result<Bytes> read_file(Disk& disk, const std::string& path, std::uint64_t limit_bytes);
/// Writes `path`.new, syncs it, renames it over `path`, syncs the folder: after a crash the old or the new content is
/// there, whole.
Result<void> replace_file(Disk& disk, const std::string& path, ByteView content);
/// "a/b" -> "a"; "b" -> ".".
std::string parent_of(const std::string& path);

}  // namespace mhp::platform
