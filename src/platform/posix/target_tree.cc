// Making a tree again: everything beneath one open folder; nothing that others plant in it is ever followed.
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <string_view>

#include "base/check.h"
#include "platform/posix/trees.h"

namespace mhp::platform {

namespace {

constexpr mode_t kRestoredFolderMode = 0700;
constexpr mode_t kRestoredFileMode = 0600;

timespec timespec_of(std::int64_t nanoseconds) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  std::int64_t seconds = nanoseconds / kSecond;
  std::int64_t rest = nanoseconds % kSecond;
  if (rest < 0) {  // before 1970
    rest += kSecond;
    --seconds;
  }
  return {seconds, rest};
}

/// What could not be set, for one message; its code is the first one's.
class Failures {
 public:
  void add(const char* part, int error) {
    if (!detail_.empty()) detail_ += ", ";
    if (detail_.empty()) code_ = code_of(error);
    detail_ += std::string(part) + " (" + reason_of(error) + ")";
  }
  Result<void> result() const {
    if (detail_.empty()) return {};
    return fail(code_, "not set: " + detail_);
  }

 private:
  Errc code_ = Errc::unavailable;
  std::string detail_;
};

/// The mode of `name` in `folder`, never of what a link there leads to; of `folder` itself for "".
int change_mode(int folder, const char* name, mode_t mode) {
  if (*name == '\0') return ::fchmod(folder, mode);
  // glibc before 2.39 makes four calls of this one, by way of /proc. The number is the same on every architecture.
  constexpr long kFchmodat2 = 452;  // Linux 6.6
  const long result = ::syscall(kFchmodat2, folder, name, mode, AT_SYMLINK_NOFOLLOW);
  if (result == 0 || (errno != ENOSYS && errno != EPERM)) return static_cast<int>(result);
  return ::fchmodat(folder, name, mode, AT_SYMLINK_NOFOLLOW);
}

/// Owner and mode, as far as they differ from `now`.
void set_owner_and_mode(int folder, const char* name, const NodeInfo& now, const NodeInfo& info, Failures& failures) {
  bool owned = true;
  const bool same_owner = now.uid == info.uid && now.gid == info.gid;
  const int flags = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH;
  if (!same_owner && ::fchownat(folder, name, info.uid, info.gid, flags) != 0) {
    failures.add("owner", errno);
    owned = false;
  }
  if (info.kind == NodeKind::symlink) return;  // has no mode of its own
  mode_t mode = info.mode & 07777;
  // A program must not run as somebody it was never given to.
  if (!owned && (mode & (S_ISUID | S_ISGID)) != 0) {
    mode &= ~static_cast<mode_t>(S_ISUID | S_ISGID);
    failures.add("setuid and setgid", EPERM);
  }
  if (same_owner && now.mode == mode) return;
  if (change_mode(folder, name, mode) != 0) failures.add("mode", errno);
}

/// See TargetFolder::set_info; of `folder`, which may be a file, itself for "".
Result<void> set_info_at(int folder, const std::string& name, const NodeInfo& info, const std::vector<Xattr>& xattrs) {
  struct stat found;
  if (::fstatat(folder, name.c_str(), &found, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) != 0) return fail_errno(errno);
  const NodeInfo now = node_info_of(found);
  if (now.kind != info.kind) return fail(Errc::denied, "is of another kind now");
  Failures failures;
  set_owner_and_mode(folder, name.c_str(), now, info, failures);
  for (const Xattr& xattr : xattrs) {
    const std::string path = path_below(folder, name);
    const char* key = xattr.name.c_str();
    const int result = name.empty() ? ::fsetxattr(folder, key, xattr.value.data(), xattr.value.size(), 0)
                                    : ::lsetxattr(path.c_str(), key, xattr.value.data(), xattr.value.size(), 0);
    if (result != 0) failures.add(key, errno);
  }
  const timespec times[2] = {{0, UTIME_OMIT}, timespec_of(info.mtime_ns)};
  const int timed =
      name.empty() ? ::futimens(folder, times) : ::utimensat(folder, name.c_str(), times, AT_SYMLINK_NOFOLLOW);
  if (timed != 0) failures.add("time", errno);
  return failures.result();
}

class PosixTargetFile : public TargetFile {
 public:
  explicit PosixTargetFile(Fd fd) : fd_(std::move(fd)) {}
  Result<void> write_at(std::uint64_t offset, ByteView bytes) override {
    while (!bytes.empty()) {
      const auto at = static_cast<off_t>(offset);
      const auto put = retry_interrupted([&] { return ::pwrite(fd_.get(), bytes.data(), bytes.size(), at); });
      if (put < 0) return fail_errno(errno);
      if (put == 0) return fail(Errc::unavailable, "the disk takes no more bytes");
      bytes = bytes.subspan(static_cast<std::size_t>(put));
      offset += static_cast<std::uint64_t>(put);
    }
    return {};
  }
  Result<void> set_size(std::uint64_t bytes) override {
    const auto size = static_cast<off_t>(bytes);
    if (retry_interrupted([&] { return ::ftruncate(fd_.get(), size); }) != 0) return fail_errno(errno);
    return {};
  }
  Result<void> set_info(const NodeInfo& info, const std::vector<Xattr>& xattrs) override {
    return set_info_at(fd_.get(), "", info, xattrs);
  }

 private:
  const Fd fd_;
};

/// The folder `path` ("a/b", or "" for `root` itself) beneath `root`, one name at a time.
Result<Fd> walk_beneath(int root, std::string_view path) {
  Fd at(::openat(root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!at) return fail_errno(errno);
  while (!path.empty()) {
    const std::string name(path.substr(0, path.find('/')));
    path.remove_prefix(std::min(path.size(), name.size() + 1));
    Fd next(::openat(at.get(), name.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return fail_errno(errno);
    at = std::move(next);
  }
  return at;
}

/// The same in one call where the kernel has it (5.6; some sandboxes refuse it).
Result<Fd> open_beneath(int root, const std::string& path) {
  struct open_how how = {};
  how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  const char* folder = path.empty() ? "." : path.c_str();
  Fd fd(static_cast<int>(::syscall(SYS_openat2, root, folder, &how, sizeof how)));
  if (fd) return fd;
  if (errno == ENOSYS || errno == EPERM || errno == EAGAIN) return walk_beneath(root, path);
  if (errno == ELOOP || errno == EXDEV) return fail(Errc::denied, "leads through a link");
  return fail_errno(errno);
}

bool is_plain_path(std::string_view path) {
  for (;;) {
    const auto slash = path.find('/');
    if (!is_plain_name(std::string(path.substr(0, slash)))) return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

mode_t type_of(NodeKind kind) {
  switch (kind) {
    case NodeKind::file:
      return S_IFREG;
    case NodeKind::folder:
      return S_IFDIR;
    case NodeKind::symlink:
      return S_IFLNK;
    case NodeKind::fifo:
      return S_IFIFO;
    case NodeKind::char_device:
      return S_IFCHR;
    case NodeKind::block_device:
      return S_IFBLK;
    case NodeKind::socket:
      return S_IFSOCK;
  }
  return S_IFREG;
}

class PosixTargetFolder : public TargetFolder {
 public:
  PosixTargetFolder(std::shared_ptr<const Fd> root, std::shared_ptr<const Fd> self)
      : root_(std::move(root)), self_(std::move(self)) {}

  Result<std::unique_ptr<TargetFolder>> folder(const std::string& name) override;
  Result<std::unique_ptr<TargetFile>> file(const std::string& name) override;
  Result<std::unique_ptr<TargetFile>> reopen(const std::string& name) override;
  Result<void> symlink(const std::string& name, const std::string& target) override;
  Result<void> hard_link(const std::string& name, const std::string& existing_path) override;
  Result<void> remove(const std::string& name) override;
  Result<void> special(const std::string& name, const NodeInfo& info) override;
  Result<void> set_info(const std::string& name, const NodeInfo& info, const std::vector<Xattr>& xattrs) override;
  Result<void> sync_file_system() override;

 private:
  int fd() const { return self_->get(); }

  const std::shared_ptr<const Fd> root_;  // shared by all folders of the tree, for hard links
  const std::shared_ptr<const Fd> self_;
};

Result<std::unique_ptr<TargetFolder>> PosixTargetFolder::folder(const std::string& name) {
  if (!is_plain_name(name)) return fail_name();
  if (::mkdirat(fd(), name.c_str(), kRestoredFolderMode) != 0 && errno != EEXIST) return fail_errno(errno);
  Fd below(::openat(fd(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!below && (errno == ELOOP || errno == ENOTDIR)) return fail(Errc::busy, "exists and is no folder");
  if (!below) return fail_errno(errno);
  return std::make_unique<PosixTargetFolder>(root_, std::make_shared<const Fd>(std::move(below)));
}

Result<std::unique_ptr<TargetFile>> PosixTargetFolder::file(const std::string& name) {
  if (!is_plain_name(name)) return fail_name();
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  Fd fresh(retry_interrupted([&] { return ::openat(fd(), name.c_str(), flags, kRestoredFileMode); }));
  if (!fresh) return fail_errno(errno);
  return std::make_unique<PosixTargetFile>(std::move(fresh));
}

Result<std::unique_ptr<TargetFile>> PosixTargetFolder::reopen(const std::string& name) {
  if (!is_plain_name(name)) return fail_name();
  const int flags = O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  Fd again(retry_interrupted([&] { return ::openat(fd(), name.c_str(), flags); }));
  if (!again && errno == ELOOP) return fail(Errc::denied, "is a link now");
  if (!again) return fail_errno(errno);
  struct stat found;
  if (::fstat(again.get(), &found) != 0) return fail_errno(errno);
  if (!S_ISREG(found.st_mode)) return fail(Errc::denied, "is no regular file now");
  return std::make_unique<PosixTargetFile>(std::move(again));
}

Result<void> PosixTargetFolder::symlink(const std::string& name, const std::string& target) {
  if (!is_plain_name(name)) return fail_name();
  if (target.empty() || target.find('\0') != std::string::npos) return fail(Errc::invalid, "not a link's target");
  if (::symlinkat(target.c_str(), fd(), name.c_str()) != 0) return fail_errno(errno);
  return {};
}

Result<void> PosixTargetFolder::hard_link(const std::string& name, const std::string& existing_path) {
  if (!is_plain_name(name) || !is_plain_path(existing_path)) return fail_name();
  const auto slash = existing_path.rfind('/');
  const bool at_root = slash == std::string::npos;
  MHP_TRY(const Fd from, open_beneath(root_->get(), at_root ? "" : existing_path.substr(0, slash)));
  const std::string last = at_root ? existing_path : existing_path.substr(slash + 1);
  if (::linkat(from.get(), last.c_str(), fd(), name.c_str(), 0) != 0) return fail_errno(errno);
  return {};
}

Result<void> PosixTargetFolder::remove(const std::string& name) {
  if (!is_plain_name(name)) return fail_name();
  if (::unlinkat(fd(), name.c_str(), 0) != 0) return fail_errno(errno);
  return {};
}

Result<void> PosixTargetFolder::special(const std::string& name, const NodeInfo& info) {
  if (!is_plain_name(name)) return fail_name();
  const bool fits = info.kind == NodeKind::fifo || info.kind == NodeKind::socket ||
                    info.kind == NodeKind::char_device || info.kind == NodeKind::block_device;
  if (!fits) return fail(Errc::invalid, "neither fifo, socket nor device");
  if (::mknodat(fd(), name.c_str(), type_of(info.kind) | kRestoredFileMode, info.rdev) != 0) return fail_errno(errno);
  return {};
}

Result<void> PosixTargetFolder::set_info(const std::string& name, const NodeInfo& info,
                                         const std::vector<Xattr>& xattrs) {
  if (!name.empty() && !is_plain_name(name)) return fail_name();
  return set_info_at(fd(), name, info, xattrs);
}

Result<void> PosixTargetFolder::sync_file_system() {
  if (retry_interrupted([&] { return ::syncfs(fd()); }) != 0) return fail_errno(errno);
  return {};
}

}  // namespace

std::unique_ptr<TargetFolder> make_target_root(Fd root) {
  auto shared = std::make_shared<const Fd>(std::move(root));
  return std::make_unique<PosixTargetFolder>(shared, shared);
}

}  // namespace mhp::platform
