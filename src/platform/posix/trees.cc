// The doors to people's trees: where a backup begins to read and a restore begins to write.
#include "platform/posix/trees.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "platform/disk.h"
#include "platform/posix/parts.h"

namespace mhp::platform {

namespace {

class PosixTrees : public Trees {
 public:
  Result<Place> source(const std::string& path) override;
  Result<std::unique_ptr<TargetFolder>> target(const std::string& path) override;

 private:
  std::unique_ptr<Disk> disk_ = make_posix_disk();
};

/// A folder that the user named: links on the way to it are the user's own. One that may be passed but not read opens
/// too.
Fd open_named_folder(const std::string& path) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd || errno != EACCES) return fd;
  return Fd(::open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
}

Result<Trees::Place> PosixTrees::source(const std::string& path) {
  if (path.empty() || path[0] != '/' || path.find('\0') != std::string::npos) {
    return fail(Errc::invalid, path + ": not an absolute path");
  }
  const auto end = path.find_last_not_of('/');
  const auto slash = path.find_last_of('/', end);
  const std::string name = end == std::string::npos ? "" : path.substr(slash + 1, end - slash);
  if (!name.empty() && !is_plain_name(name)) return fail(Errc::invalid, path + ": ends in no name");
  const std::string parent = parent_of(path);
  Fd fd = open_named_folder(parent);
  if (!fd) return fail_errno(errno, parent);
  return Place{make_source_folder(std::move(fd)), name};
}

Result<std::unique_ptr<TargetFolder>> PosixTrees::target(const std::string& path) {
  const bool is_new = !disk_->info(path);
  auto made = disk_->make_folder(path);
  if (!made && made.error().code == Errc::busy) return fail(Errc::usage, made.error().detail);
  if (!made) return pass(made);
  MHP_TRY(const auto names, disk_->list(path));
  if (!names.empty()) return fail(Errc::busy, path + ": is not empty");
  Fd fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail_errno(errno, path);
  // A default ACL would be inherited by all that is made below, and so stand where the original had none.
  (void)::fremovexattr(fd.get(), "system.posix_acl_default");
  if (is_new) (void)::fremovexattr(fd.get(), "system.posix_acl_access");
  return make_target_root(std::move(fd));
}

}  // namespace

std::unique_ptr<Trees> make_posix_trees() { return std::make_unique<PosixTrees>(); }

}  // namespace mhp::platform
