// Making and describing real trees for this room's tests.
#include "snapshot/test_tree.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>

#include "base/check.h"
#include "snapshot/tree.h"

namespace mhp::snapshot {
namespace {

void write_parts(const std::string& path, std::uint64_t size,
                 const std::vector<std::pair<std::uint64_t, std::string>>& parts, unsigned mode) {
  int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  MHP_CHECK(fd >= 0);
  MHP_CHECK(::ftruncate(fd, static_cast<off_t>(size)) == 0);
  for (const auto& [offset, bytes] : parts)
    MHP_CHECK(::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
              static_cast<ssize_t>(bytes.size()));
  MHP_CHECK(::fchmod(fd, mode) == 0);
  ::close(fd);
}

using Groups = std::map<std::pair<std::uint64_t, std::uint64_t>, std::string>;

std::string describe_content(platform::SourceFile& file, std::uint64_t size) {
  auto parts = file.extents();
  MHP_CHECK(parts.has_value());
  primitives::Blake3 hash;
  std::string out = " extents";
  Bytes buffer(1_MiB);
  for (const platform::Extent& part : *parts) {
    out += " " + std::to_string(part.offset) + "+" + std::to_string(part.bytes);
    for (std::uint64_t done = 0; done < part.bytes;) {
      auto got = file.read_at(part.offset + done,
                              MutableBytes(buffer).first(std::min<std::uint64_t>(buffer.size(), part.bytes - done)));
      MHP_CHECK(got && *got > 0);
      hash.update(ByteView(buffer).first(*got));
      done += *got;
    }
  }
  return out + " size " + std::to_string(size) + " hash " + to_hex(hash.finish()).substr(0, 16);
}

void describe_one(platform::SourceFolder& folder, const std::string& name, const std::string& path, Groups& groups,
                  std::vector<std::string>& lines) {
  auto info = folder.info_of(name);
  MHP_CHECK(info.has_value());
  std::string line = path + " kind " + std::to_string(static_cast<int>(info->kind)) + " mode " +
                     std::to_string(info->mode) + " owner " + std::to_string(info->uid) + ":" +
                     std::to_string(info->gid) + " time " + std::to_string(info->mtime_ns) + " rdev " +
                     std::to_string(info->rdev);
  auto xattrs = folder.xattrs_of(name);
  MHP_CHECK(xattrs.has_value());
  std::ranges::sort(*xattrs, {}, &platform::Xattr::name);
  for (const auto& xattr : *xattrs) line += " " + xattr.name + "=" + to_hex(xattr.value);
  bool is_folder = info->kind == platform::NodeKind::folder;
  if (!is_folder && info->links > 1)
    line += " same as " + groups.try_emplace({info->device, info->inode}, path).first->second;
  if (info->kind == platform::NodeKind::symlink) line += " -> " + folder.link_target(name).value();
  if (info->kind == platform::NodeKind::file) line += describe_content(*folder.file(name).value(), info->size);
  lines.push_back(line);
  if (!is_folder) return;
  auto below = folder.folder(name).value();
  auto names = below->names().value();
  std::ranges::sort(names);
  for (const std::string& child : names) describe_one(*below, child, path + "/" + child, groups, lines);
}

}  // namespace

void TestTree::folder(const std::string& path, unsigned mode) {
  std::filesystem::create_directories(at(path));
  MHP_CHECK(::chmod(at(path).c_str(), mode) == 0);
}

void TestTree::file(const std::string& path, std::string_view content, unsigned mode) {
  write_parts(at(path), content.size(), {{0, std::string(content)}}, mode);
}

void TestTree::random_file(const std::string& path, std::size_t bytes, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string content(bytes, '\0');
  for (std::size_t at = 0; at < bytes; at += sizeof(std::uint64_t)) {
    const std::uint64_t word = random();
    std::memcpy(content.data() + at, &word, std::min(sizeof word, bytes - at));
  }
  file(path, content);
}

void TestTree::sparse_file(const std::string& path, std::uint64_t size,
                           const std::vector<std::pair<std::uint64_t, std::string>>& parts) {
  write_parts(at(path), size, parts, 0644);
}

void TestTree::symlink(const std::string& path, const std::string& target) {
  MHP_CHECK(::symlink(target.c_str(), at(path).c_str()) == 0);
}

void TestTree::hard_link(const std::string& path, const std::string& existing) {
  MHP_CHECK(::link(at(existing).c_str(), at(path).c_str()) == 0);
}

void TestTree::fifo(const std::string& path) { MHP_CHECK(::mkfifo(at(path).c_str(), 0620) == 0); }

void TestTree::socket(const std::string& path) { MHP_CHECK(::mknod(at(path).c_str(), S_IFSOCK | 0600, 0) == 0); }

bool TestTree::device(const std::string& path, bool block, unsigned major, unsigned minor) {
  return ::mknod(at(path).c_str(), (block ? S_IFBLK : S_IFCHR) | 0640u, makedev(major, minor)) == 0;
}

bool TestTree::xattr(const std::string& path, const std::string& name, std::string_view value) {
  return ::lsetxattr(at(path).c_str(), name.c_str(), value.data(), value.size(), 0) == 0;
}

void TestTree::mtime(const std::string& path, std::int64_t ns) {
  timespec times[2] = {{0, UTIME_OMIT}, {ns / 1'000'000'000, ns % 1'000'000'000}};
  MHP_CHECK(::utimensat(AT_FDCWD, at(path).c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
}

void TestTree::remove(const std::string& path) { std::filesystem::remove_all(at(path)); }

std::vector<std::string> describe_tree(platform::Trees& trees, const std::string& path) {
  std::vector<std::string> lines;
  Groups groups;
  auto place = trees.source(path);
  MHP_CHECK(place.has_value());
  describe_one(*place->folder, place->name, "", groups, lines);
  return lines;
}

Result<BackupReport> Bench::try_backup(const BackupOptions& options) {
  Counters counters;
  return platform::run_task(platform, snapshot::backup(platform, vault, options, counters));
}

static Task<bool> sleep(platform::Clock& clock, std::chrono::hours time) {
  co_await clock.sleep(time);
  co_return true;
}

/// The files are of the real clock: none of them may seem to be younger than a backup.
Bench::Bench(std::uint64_t seed) : platform(seed), vault(seed) {
  constexpr std::chrono::hours kForty = std::chrono::hours(24 * 365 * 40);  // years
  platform::run_task(platform, sleep(platform.clock(), kForty));
}

BackupReport Bench::backup(const std::vector<std::string>& paths) {
  BackupOptions options;
  options.scan.paths = paths;
  options.host = "here";
  auto report = try_backup(options);
  if (!report) ADD_FAILURE() << report.error().detail;
  return report ? std::move(*report) : BackupReport();
}

Result<RestoreReport> Bench::try_restore(const wire::SnapshotRecord& snapshot, const std::string& to,
                                         const std::string& path) {
  RestoreOptions options;
  options.snapshot = snapshot;
  options.to = to;
  options.path = path;
  Counters counters;
  return platform::run_task(platform, snapshot::restore(platform, vault, options, counters));
}

RestoreReport Bench::restore(const wire::SnapshotRecord& snapshot, const std::string& to, const std::string& path) {
  auto report = try_restore(snapshot, to, path);
  if (!report) ADD_FAILURE() << report.error().detail;
  return report ? std::move(*report) : RestoreReport();
}

std::vector<wire::TreeEntry> Bench::entries(const wire::SnapshotRecord& snapshot, const std::string& from) {
  std::vector<wire::TreeEntry> found;
  Visit visit = [&](const wire::TreeEntry& entry) {
    found.push_back(entry);
    return true;
  };
  auto walked = platform::run_task(platform, walk(vault, snapshot, from, visit));
  if (!walked) ADD_FAILURE() << walked.error().detail;
  return found;
}

std::vector<std::string> Bench::paths(const wire::SnapshotRecord& snapshot, const std::string& from) {
  std::vector<std::string> found;
  for (const auto& entry : entries(snapshot, from)) found.push_back(entry.path);
  return found;
}

}  // namespace mhp::snapshot
