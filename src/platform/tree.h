// People's own files: reading a tree with all that its files have, and making one again beneath a folder, following no
// link.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace mhp::platform {

enum class NodeKind : std::uint8_t { file = 1, folder, symlink, fifo, char_device, block_device, socket };

struct NodeInfo {
  NodeKind kind = NodeKind::file;
  std::uint32_t mode = 0;  // permission bits with setuid, setgid, sticky (07777)
  std::uint32_t uid = 0;
  std::uint32_t gid = 0;
  std::int64_t mtime_ns = 0;
  std::int64_t ctime_ns = 0;
  std::uint64_t size = 0;  // of a file
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::uint64_t links = 1;
  std::uint64_t rdev = 0;          // of a device node
  std::uint64_t stored_bytes = 0;  // blocks x 512: less than size where the file has holes
  friend bool operator==(const NodeInfo&, const NodeInfo&) = default;
};

struct Xattr {
  std::string name;  // with its namespace: user.x, system.posix_acl_access, security.capability
  Bytes value;
  friend bool operator==(const Xattr&, const Xattr&) = default;
};

struct Extent {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  friend bool operator==(const Extent&, const Extent&) = default;
};

/// A file open for reading. Blocking calls.
class SourceFile {
 public:
  virtual ~SourceFile() = default;
  virtual Result<NodeInfo> info() = 0;
  /// Short only at the end of the file.
  virtual Result<std::size_t> read_at(std::uint64_t offset, MutableBytes out) = 0;
  /// The parts that hold data, in order; one part for a file without holes; none for one that is all hole.
  virtual Result<std::vector<Extent>> extents() = 0;
  virtual Result<std::vector<Xattr>> xattrs() = 0;
};

/// A folder open for reading. Names are bytes, no "/" in them. Nothing here follows a symbolic link.
/// Errors: not_found (gone meanwhile), denied, unavailable, exhausted (this computer's fault, not the file's); the
/// detail is the reason alone ("permission denied").
class SourceFolder {
 public:
  virtual ~SourceFolder() = default;
  virtual Result<NodeInfo> info() = 0;
  /// Unsorted, without "." and "..".
  virtual Result<std::vector<std::string>> names() = 0;
  virtual Result<NodeInfo> info_of(const std::string& name) = 0;
  virtual Result<std::unique_ptr<SourceFolder>> folder(const std::string& name) = 0;
  virtual Result<std::unique_ptr<SourceFile>> file(const std::string& name) = 0;
  virtual Result<std::string> link_target(const std::string& name) = 0;
  virtual Result<std::vector<Xattr>> xattrs_of(const std::string& name) = 0;
  virtual Result<std::vector<Xattr>> xattrs() = 0;
};

/// A file being made. Blocking calls. Errors: full, denied, unavailable, exhausted, usage (too big a file).
class TargetFile {
 public:
  virtual ~TargetFile() = default;
  virtual Result<void> write_at(std::uint64_t offset, ByteView bytes) = 0;
  /// Sets the length: what was not written is a hole.
  virtual Result<void> set_size(std::uint64_t bytes) = 0;
  /// As TargetFolder::set_info, of the open file: no name is looked up. After the last write.
  virtual Result<void> set_info(const NodeInfo& info, const std::vector<Xattr>& xattrs) = 0;
};

/// A folder being filled. Everything is made beneath it; a name with "/" or "\0", "", "." or ".." is refused (invalid).
class TargetFolder {
 public:
  virtual ~TargetFolder() = default;
  /// Makes or opens a real folder below.
  virtual Result<std::unique_ptr<TargetFolder>> folder(const std::string& name) = 0;
  /// New; mode 0600 until set_info. Errors: busy where the name exists.
  virtual Result<std::unique_ptr<TargetFile>> file(const std::string& name) = 0;
  /// An existing file made by file() before, to write more of it.
  virtual Result<std::unique_ptr<TargetFile>> reopen(const std::string& name) = 0;
  virtual Result<void> symlink(const std::string& name, const std::string& target) = 0;
  /// `path` is relative to the ROOT of this target tree, folders separated by "/".
  virtual Result<void> hard_link(const std::string& name, const std::string& existing_path) = 0;
  /// Takes away what was made here and did not succeed; no folder. Errors: not_found.
  virtual Result<void> remove(const std::string& name) = 0;
  /// Fifo, device or socket.
  virtual Result<void> special(const std::string& name, const NodeInfo& info) = 0;
  /// Owner, mode, xattrs, then times, in the order that keeps each: of the child `name`, or of the folder itself for
  /// "". Best effort: a part that may not be set (owner when not root) is an error after the rest has been set; the
  /// detail lists the parts.
  virtual Result<void> set_info(const std::string& name, const NodeInfo& info, const std::vector<Xattr>& xattrs) = 0;
  /// Durable when it returns: all that was written to this folder's file system, by anybody. As slow as the disk is.
  virtual Result<void> sync_file_system() = 0;
};

/// The doors to people's trees, as handed out by main.
class Trees {
 public:
  virtual ~Trees() = default;
  /// The folder that holds `path` and the last name in it ("/" gives itself and ""). `path` absolute.
  struct Place {
    std::unique_ptr<SourceFolder> folder;
    std::string name;
  };
  virtual Result<Place> source(const std::string& path) = 0;
  /// The folder `path`, made where absent. Errors: busy where it is not empty; usage where it is no folder.
  virtual Result<std::unique_ptr<TargetFolder>> target(const std::string& path) = 0;
};

}  // namespace mhp::platform
