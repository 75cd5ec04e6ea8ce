// Our own files on a real disk: every call of disk.h as Linux has it.
#include "platform/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <mutex>

#include "base/check.h"
#include "platform/posix/parts.h"
#include "platform/posix/system.h"

namespace mhp::platform {

namespace {

constexpr mode_t kFileMode = 0600;
constexpr mode_t kFolderMode = 0700;
constexpr std::uint64_t kBulkAlignment = AlignedBuffer::kAlignment;
constexpr std::size_t kMaxNoteBytes = 4096;

bool is_aligned(std::uint64_t value) { return value % kBulkAlignment == 0; }

/// Where the next byte goes; the kernel's offsets are signed.
off_t as_offset(std::uint64_t value) { return static_cast<off_t>(value); }

class PosixFile : public File {
 public:
  PosixFile(std::string path, Fd fd) : path_(std::move(path)), fd_(std::move(fd)) {}

  Result<std::size_t> read_at(std::uint64_t offset, MutableBytes out) override;
  Result<void> write_at(std::uint64_t offset, ByteView bytes) override;
  Result<void> write_bulk(std::uint64_t offset, ByteView bytes) override;
  Result<void> sync() override;
  Result<void> reserve(std::uint64_t offset, std::uint64_t bytes) override;
  Result<void> truncate(std::uint64_t bytes) override;
  Result<std::uint64_t> size() override;

 private:
  /// Writes past the page cache as far as the file system does that; bytes written.
  Result<std::size_t> write_direct(std::uint64_t offset, ByteView bytes);

  const std::string path_;
  const Fd fd_;
  std::once_flag direct_once_;
  Fd direct_;                            // the same file with O_DIRECT; none where that is not to be had
  std::atomic<bool> no_direct_ = false;  // it opened, but refused a write
};

Result<std::size_t> PosixFile::read_at(std::uint64_t offset, MutableBytes out) {
  std::size_t done = 0;
  while (done < out.size()) {
    const auto got = retry_interrupted(
        [&] { return ::pread(fd_.get(), out.data() + done, out.size() - done, as_offset(offset + done)); });
    if (got < 0) return fail_errno(errno, path_);
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

Result<void> PosixFile::write_at(std::uint64_t offset, ByteView bytes) {
  while (!bytes.empty()) {
    const auto put =
        retry_interrupted([&] { return ::pwrite(fd_.get(), bytes.data(), bytes.size(), as_offset(offset)); });
    if (put < 0) return fail_errno(errno, path_);
    if (put == 0) return fail(Errc::unavailable, path_ + ": the disk takes no more bytes");
    bytes = bytes.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return {};
}

Result<std::size_t> PosixFile::write_direct(std::uint64_t offset, ByteView bytes) {
  std::call_once(direct_once_, [this] {
    // By way of /proc: the path may name another file by now.
    const std::string self = "/proc/self/fd/" + std::to_string(fd_.get());
    direct_ = Fd(::open(self.c_str(), O_WRONLY | O_DIRECT | O_CLOEXEC));
  });
  std::size_t done = 0;
  while (direct_ && !no_direct_ && done < bytes.size()) {
    const auto put = retry_interrupted(
        [&] { return ::pwrite(direct_.get(), bytes.data() + done, bytes.size() - done, as_offset(offset + done)); });
    if (put < 0 && errno != EINVAL && errno != EOPNOTSUPP) return fail_errno(errno, path_);
    if (put <= 0) no_direct_ = true;
    if (put > 0) done += static_cast<std::size_t>(put);
    if (!is_aligned(done)) break;  // a short write: the rest goes the buffered way
  }
  return done;
}

Result<void> PosixFile::write_bulk(std::uint64_t offset, ByteView bytes) {
  MHP_CHECK(is_aligned(offset) && is_aligned(bytes.size()));
  MHP_CHECK(is_aligned(reinterpret_cast<std::uintptr_t>(bytes.data())));
  MHP_TRY(const std::size_t done, write_direct(offset, bytes));
  if (done == bytes.size()) return {};
  offset += done;
  bytes = bytes.subspan(done);
  MHP_TRY_VOID(write_at(offset, bytes));
  // Begin to write back now, so that sync() finds little left to do. Only a hint: its failure means nothing.
  (void)::sync_file_range(fd_.get(), as_offset(offset), as_offset(bytes.size()), SYNC_FILE_RANGE_WRITE);
  return {};
}

Result<void> PosixFile::sync() {
  // fdatasync covers the size and the map of blocks; only times may be lost.
  if (retry_interrupted([&] { return ::fdatasync(fd_.get()); }) != 0) return fail_errno(errno, path_);
  return {};
}

/// True where files are memory: nothing can be laid out ahead, and each page would be made twice.
bool is_memory(const Fd& fd) {
  struct statfs found;
  return ::fstatfs(fd.get(), &found) == 0 && found.f_type == TMPFS_MAGIC;
}

Result<void> PosixFile::reserve(std::uint64_t offset, std::uint64_t bytes) {
  if (bytes == 0 || is_memory(fd_)) return {};
  const int result = retry_interrupted(
      [&] { return ::fallocate(fd_.get(), FALLOC_FL_KEEP_SIZE, as_offset(offset), as_offset(bytes)); });
  if (result != 0 && errno != EOPNOTSUPP && errno != ENOSYS) return fail_errno(errno, path_);
  return {};
}

Result<void> PosixFile::truncate(std::uint64_t bytes) {
  if (retry_interrupted([&] { return ::ftruncate(fd_.get(), as_offset(bytes)); }) != 0) return fail_errno(errno, path_);
  return {};
}

Result<std::uint64_t> PosixFile::size() {
  struct stat info;
  if (::fstat(fd_.get(), &info) != 0) return fail_errno(errno, path_);
  return static_cast<std::uint64_t>(info.st_size);
}

class PosixLock : public FileLock {
 public:
  explicit PosixLock(Fd fd) : fd_(std::move(fd)) {}

 private:
  const Fd fd_;  // flock lives as long as the open file
};

class PosixDisk : public Disk {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, Open how) override;
  Result<void> make_folder(const std::string& path) override;
  Result<void> sync_folder(const std::string& path) override;
  Result<void> rename(const std::string& from, const std::string& to) override;
  Result<void> remove(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Result<PathInfo> info(const std::string& path) override;
  Result<SpaceInfo> space(const std::string& path) override;
  Result<std::unique_ptr<FileLock>> lock(const std::string& path, const std::string& note) override;
  Result<std::string> absolute(const std::string& path) override;
};

int flags_of(Open how) {
  switch (how) {
    case Open::read:
      return O_RDONLY;
    case Open::write:
      return O_RDWR;
    case Open::create:
      return O_RDWR | O_CREAT;
    case Open::create_exclusive:
      return O_RDWR | O_CREAT | O_EXCL;
  }
  return O_RDONLY;
}

Result<std::unique_ptr<File>> PosixDisk::open(const std::string& path, Open how) {
  // O_NONBLOCK: a fifo put in a file's place must not hang whoever opens it; it means nothing to a real file.
  const int flags = flags_of(how) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
  Fd fd(retry_interrupted([&] { return ::open(path.c_str(), flags, kFileMode); }));
  if (!fd) return fail_errno(errno, path);
  struct stat there{};
  if (::fstat(fd.get(), &there) != 0) return fail_errno(errno, path);
  if (S_ISFIFO(there.st_mode)) return fail(Errc::unavailable, path + ": is a fifo, not a file");
  return std::make_unique<PosixFile>(path, std::move(fd));
}

Result<void> PosixDisk::make_folder(const std::string& path) {
  if (::mkdir(path.c_str(), kFolderMode) == 0) return {};
  if (errno == ENOENT && parent_of(path) != path) {
    const std::string parent = parent_of(path);
    MHP_TRY_VOID(make_folder(parent));
    MHP_TRY_VOID(sync_folder(parent_of(parent)));  // the caller syncs only the last one's parent
    if (::mkdir(path.c_str(), kFolderMode) == 0) return {};
  }
  if (errno != EEXIST) return fail_errno(errno, path);
  MHP_TRY(const PathInfo there, info(path));
  if (!there.is_folder) return fail(Errc::busy, path + ": exists and is no folder");
  return {};
}

Result<void> PosixDisk::sync_folder(const std::string& path) {
  const Fd fd(retry_interrupted([&] { return ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); }));
  if (!fd) return fail_errno(errno, path);
  // EINVAL: this file system (some network ones) has no sync of folders.
  if (retry_interrupted([&] { return ::fsync(fd.get()); }) != 0 && errno != EINVAL) return fail_errno(errno, path);
  return {};
}

Result<void> PosixDisk::rename(const std::string& from, const std::string& to) {
  if (::rename(from.c_str(), to.c_str()) != 0) return fail_errno(errno, from + " -> " + to);
  return {};
}

Result<void> PosixDisk::remove(const std::string& path) {
  if (::unlink(path.c_str()) == 0) return {};
  if (errno == EISDIR && ::rmdir(path.c_str()) == 0) return {};
  return fail_errno(errno, path);
}

struct CloseFolder {
  void operator()(DIR* folder) const { ::closedir(folder); }
};

Result<std::vector<std::string>> PosixDisk::list(const std::string& path) {
  const std::unique_ptr<DIR, CloseFolder> folder(::opendir(path.c_str()));
  if (!folder) return fail_errno(errno, path);
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(folder.get());
    if (entry == nullptr) break;
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  if (errno != 0) return fail_errno(errno, path);
  std::sort(names.begin(), names.end());
  return names;
}

Result<PathInfo> PosixDisk::info(const std::string& path) {
  struct stat found;
  if (::stat(path.c_str(), &found) != 0) return fail_errno(errno, path);
  PathInfo info;
  info.is_folder = S_ISDIR(found.st_mode);
  info.is_file = S_ISREG(found.st_mode);
  info.size = static_cast<std::uint64_t>(found.st_size);
  info.device = found.st_dev;
  info.inode = found.st_ino;
  return info;
}

Result<SpaceInfo> PosixDisk::space(const std::string& path) {
  struct statvfs found;
  if (retry_interrupted([&] { return ::statvfs(path.c_str(), &found); }) != 0) return fail_errno(errno, path);
  const bool read_only = (found.f_flag & ST_RDONLY) != 0 || ::access(path.c_str(), W_OK) != 0;
  return SpaceInfo{found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize, read_only};
}

/// Who wrote itself into the lock file; empty where nothing can be read.
std::string note_in(const Fd& fd) {
  std::array<char, kMaxNoteBytes> text;
  const auto got = ::pread(fd.get(), text.data(), text.size(), 0);
  return got <= 0 ? std::string() : std::string(text.data(), static_cast<std::size_t>(got));
}

/// False where somebody removed or replaced the file between open and flock: then the lock guards nothing.
bool still_named(const Fd& fd, const std::string& path) {
  struct stat by_fd;
  struct stat by_name;
  return ::fstat(fd.get(), &by_fd) == 0 && ::stat(path.c_str(), &by_name) == 0 && by_fd.st_dev == by_name.st_dev &&
         by_fd.st_ino == by_name.st_ino;
}

Result<std::unique_ptr<FileLock>> PosixDisk::lock(const std::string& path, const std::string& note) {
  constexpr int kTries = 8;
  for (int i = 0; i < kTries; ++i) {
    Fd fd(retry_interrupted([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kFileMode); }));
    if (!fd) return fail_errno(errno, path);
    if (retry_interrupted([&] { return ::flock(fd.get(), LOCK_EX | LOCK_NB); }) != 0) {
      if (errno != EWOULDBLOCK) return fail_errno(errno, path);
      return fail(Errc::busy, path + ": held by " + note_in(fd));
    }
    if (!still_named(fd, path)) continue;
    const std::string text = note.substr(0, kMaxNoteBytes / 2) + ", process " + std::to_string(::getpid());
    if (::ftruncate(fd.get(), 0) != 0) return fail_errno(errno, path);
    if (::pwrite(fd.get(), text.data(), text.size(), 0) < 0 && errno != ENOSPC) return fail_errno(errno, path);
    return std::make_unique<PosixLock>(std::move(fd));
  }
  return fail(Errc::busy, path + ": is removed again and again by somebody else");
}

Result<std::string> PosixDisk::absolute(const std::string& path) {
  std::error_code error;
  const auto whole = std::filesystem::absolute(path, error);
  if (error) return fail_errno(error.value(), path);
  std::string resolved = std::filesystem::weakly_canonical(whole, error).string();
  if (error) return fail_errno(error.value(), path);
  while (resolved.size() > 1 && resolved.back() == '/') resolved.pop_back();
  return resolved;
}

}  // namespace

std::unique_ptr<Disk> make_posix_disk() { return std::make_unique<PosixDisk>(); }

}  // namespace mhp::platform
