// Reading people's trees: everything beneath an open folder's descriptor, following no link, in few system calls.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <limits>

#include "platform/posix/trees.h"
#include "platform/posix/xattrs.h"

namespace mhp::platform {

namespace {

NodeKind kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFDIR:
      return NodeKind::folder;
    case S_IFLNK:
      return NodeKind::symlink;
    case S_IFIFO:
      return NodeKind::fifo;
    case S_IFCHR:
      return NodeKind::char_device;
    case S_IFBLK:
      return NodeKind::block_device;
    case S_IFSOCK:
      return NodeKind::socket;
    default:
      return NodeKind::file;
  }
}

/// Times outside 1677 to 2262 become the nearest that fits.
std::int64_t nanoseconds_of(const timespec& time) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();
  if (time.tv_sec >= kMax / kSecond) return kMax;
  if (time.tv_sec <= -(kMax / kSecond)) return -kMax;
  return time.tv_sec * kSecond + time.tv_nsec;
}

class PosixSourceFile : public SourceFile {
 public:
  explicit PosixSourceFile(Fd fd) : fd_(std::move(fd)) {}
  Result<NodeInfo> info() override {
    struct stat found;
    if (::fstat(fd_.get(), &found) != 0) return fail_errno(errno);
    return node_info_of(found);
  }
  Result<std::size_t> read_at(std::uint64_t offset, MutableBytes out) override;
  Result<std::vector<Extent>> extents() override;
  Result<std::vector<Xattr>> xattrs() override { return xattrs_of_fd(fd_.get()); }

 private:
  const Fd fd_;
};

Result<std::size_t> PosixSourceFile::read_at(std::uint64_t offset, MutableBytes out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const auto at = static_cast<off_t>(offset + done);
    const auto got = retry_interrupted([&] { return ::pread(fd_.get(), out.data() + done, out.size() - done, at); });
    if (got < 0) return fail_errno(errno);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<std::vector<Extent>> PosixSourceFile::extents() {
  MHP_TRY(const NodeInfo found, info());
  std::vector<Extent> parts;
  if (found.size == 0) return parts;
  if (found.stored_bytes >= found.size) return std::vector<Extent>{{0, found.size}};
  const auto size = static_cast<off_t>(found.size);
  off_t at = 0;
  while (at < size) {
    const off_t data = ::lseek(fd_.get(), at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) break;                                         // only hole from here on
    if (data < 0 && errno == EINVAL) return std::vector<Extent>{{0, found.size}};  // the file system cannot tell
    if (data < 0) return fail_errno(errno);
    if (data >= size) break;
    const off_t hole = ::lseek(fd_.get(), data, SEEK_HOLE);
    if (hole < 0 && errno != ENXIO) return fail_errno(errno);
    const off_t end = hole < 0 ? data : std::min(hole, size);  // ENXIO: cut short meanwhile
    if (end <= data) break;
    parts.push_back({static_cast<std::uint64_t>(data), static_cast<std::uint64_t>(end - data)});
    at = end;
  }
  return parts;
}

class PosixSourceFolder : public SourceFolder {
 public:
  explicit PosixSourceFolder(Fd fd) : fd_(std::move(fd)) {}
  Result<NodeInfo> info() override {
    struct stat found;
    if (::fstat(fd_.get(), &found) != 0) return fail_errno(errno);
    return node_info_of(found);
  }
  Result<std::vector<std::string>> names() override;
  Result<NodeInfo> info_of(const std::string& name) override;
  Result<std::unique_ptr<SourceFolder>> folder(const std::string& name) override;
  Result<std::unique_ptr<SourceFile>> file(const std::string& name) override;
  Result<std::string> link_target(const std::string& name) override;
  Result<std::vector<Xattr>> xattrs_of(const std::string& name) override;
  Result<std::vector<Xattr>> xattrs() override { return xattrs_of_fd(fd_.get()); }

 private:
  /// Opens a child for reading; without touching its access time where this user may ask for that.
  Fd open_child(const std::string& name, int flags) const {
    const int all = O_RDONLY | O_NOFOLLOW | O_CLOEXEC | flags;
    Fd fd(retry_interrupted([&] { return ::openat(fd_.get(), name.c_str(), all | O_NOATIME); }));
    if (fd || errno != EPERM) return fd;
    return Fd(retry_interrupted([&] { return ::openat(fd_.get(), name.c_str(), all); }));
  }

  const Fd fd_;
  bool listed_ = false;
};

Result<std::vector<std::string>> PosixSourceFolder::names() {
  constexpr std::size_t kBufferBytes = 32768;
  alignas(dirent64) std::array<char, kBufferBytes> buffer;
  std::vector<std::string> names;
  if (listed_ && ::lseek(fd_.get(), 0, SEEK_SET) < 0) return fail_errno(errno);
  listed_ = true;
  for (;;) {
    const ssize_t got = retry_interrupted([&] { return ::getdents64(fd_.get(), buffer.data(), buffer.size()); });
    if (got < 0) return fail_errno(errno == EBADF ? EACCES : errno);  // O_PATH: it may be passed, not read
    if (got == 0) return names;
    for (ssize_t at = 0; at < got;) {
      const auto* entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
      at += entry->d_reclen;
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
  }
}

Result<NodeInfo> PosixSourceFolder::info_of(const std::string& name) {
  if (!is_plain_name(name)) return fail_name();
  struct stat found;
  const int flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
  if (::fstatat(fd_.get(), name.c_str(), &found, flags) != 0) return fail_errno(errno);
  return node_info_of(found);
}

Result<std::unique_ptr<SourceFolder>> PosixSourceFolder::folder(const std::string& name) {
  if (!is_plain_name(name)) return fail_name();
  Fd fd = open_child(name, O_DIRECTORY);
  if (!fd && errno == ELOOP) return fail(Errc::not_found, "is a link now");
  if (!fd) return fail_errno(errno);
  return make_source_folder(std::move(fd));
}

Result<std::unique_ptr<SourceFile>> PosixSourceFolder::file(const std::string& name) {
  if (!is_plain_name(name)) return fail_name();
  // O_NONBLOCK: opening what has become a fifo meanwhile must not wait for its other end.
  Fd fd = open_child(name, O_NONBLOCK | O_NOCTTY);
  if (!fd && errno == ELOOP) return fail(Errc::not_found, "is a link now");
  if (!fd) return fail_errno(errno);
  struct stat found;
  if (::fstat(fd.get(), &found) != 0) return fail_errno(errno);
  if (!S_ISREG(found.st_mode)) return fail(Errc::not_found, "is no regular file now");
  return std::make_unique<PosixSourceFile>(std::move(fd));
}

Result<std::string> PosixSourceFolder::link_target(const std::string& name) {
  if (!is_plain_name(name)) return fail_name();
  constexpr std::size_t kFirstTryBytes = 256;
  constexpr std::size_t kMaxBytes = 65536;  // far above PATH_MAX, which Linux holds links to
  for (std::size_t size = kFirstTryBytes; size <= kMaxBytes; size *= 4) {
    std::string target(size, '\0');
    const ssize_t got = ::readlinkat(fd_.get(), name.c_str(), target.data(), target.size());
    if (got < 0 && errno == EINVAL) return fail(Errc::not_found, "is no link now");
    if (got < 0) return fail_errno(errno);
    if (static_cast<std::size_t>(got) == size) continue;  // it may have been cut
    target.resize(static_cast<std::size_t>(got));
    return target;
  }
  return fail(Errc::unavailable, "a link target that never ends");
}

Result<std::vector<Xattr>> PosixSourceFolder::xattrs_of(const std::string& name) {
  if (!is_plain_name(name)) return fail_name();
  return xattrs_of_path(path_below(fd_.get(), name));
}

}  // namespace

NodeInfo node_info_of(const struct stat& found) {
  NodeInfo info;
  info.kind = kind_of(found.st_mode);
  info.mode = found.st_mode & 07777;
  info.uid = found.st_uid;
  info.gid = found.st_gid;
  info.mtime_ns = nanoseconds_of(found.st_mtim);
  info.ctime_ns = nanoseconds_of(found.st_ctim);
  info.size = info.kind == NodeKind::file ? static_cast<std::uint64_t>(found.st_size) : 0;
  info.device = found.st_dev;
  info.inode = found.st_ino;
  info.links = found.st_nlink;
  const bool is_device = info.kind == NodeKind::char_device || info.kind == NodeKind::block_device;
  info.rdev = is_device ? found.st_rdev : 0;
  info.stored_bytes = static_cast<std::uint64_t>(found.st_blocks) * 512;
  return info;
}

std::string path_below(int folder, const std::string& name) {
  std::string path = "/proc/self/fd/" + std::to_string(folder);
  return name.empty() ? path : path + "/" + name;
}

bool is_plain_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

std::unique_ptr<SourceFolder> make_source_folder(Fd fd) { return std::make_unique<PosixSourceFolder>(std::move(fd)); }

}  // namespace mhp::platform
