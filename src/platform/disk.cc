// Whole small files, read and replaced: what every store needs of a Disk.
#include "platform/disk.h"

namespace mhp::platform {

Result<Bytes> read_file(Disk& disk, const std::string& path, std::uint64_t limit_bytes) {
  MHP_TRY(const auto file, disk.open(path, Open::read));
  MHP_TRY(const std::uint64_t size, file->size());
  if (size > limit_bytes) {
    return fail(Errc::invalid, path + ": " + std::to_string(size) + " bytes, more than " + std::to_string(limit_bytes));
  }
  Bytes content(static_cast<std::size_t>(size));
  MHP_TRY(const std::size_t got, file->read_at(0, content));
  content.resize(got);  // it may have shrunk meanwhile
  return content;
}

static Result<void> write_whole(Disk& disk, const std::string& path, ByteView content) {
  MHP_TRY(const auto file, disk.open(path, Open::create));
  MHP_TRY_VOID(file->truncate(0));  // a crash may have left one
  MHP_TRY_VOID(file->write_at(0, content));
  return file->sync();
}

Result<void> replace_file(Disk& disk, const std::string& path, ByteView content) {
  const std::string fresh = path + ".new";
  auto done = write_whole(disk, fresh, content);
  if (done) done = disk.rename(fresh, path);
  if (!done) {
    (void)disk.remove(fresh);  // best effort: the next call starts anew
    return done;
  }
  return disk.sync_folder(parent_of(path));
}

std::string parent_of(const std::string& path) {
  const auto last = path.find_last_not_of('/');
  if (last == std::string::npos) return path.empty() ? "." : "/";
  const auto slash = path.find_last_of('/', last);
  if (slash == std::string::npos) return ".";
  const auto end = path.find_last_not_of('/', slash);
  return end == std::string::npos ? "/" : path.substr(0, end + 1);
}

}  // namespace mhp::platform
