// Trees on real folders: everything a file has goes out and comes back, and nothing planted is followed.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>

#include "platform/posix/parts.h"
#include "platform/posix/temp_folder.h"

namespace mhp::platform {
namespace {

namespace fs = std::filesystem;

void write_text(const std::string& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The folder `path` itself, open.
std::unique_ptr<SourceFolder> open_source(Trees& trees, const std::string& path) {
  auto place = trees.source(path);
  EXPECT_TRUE(place) << path;
  auto folder = place->folder->folder(place->name);
  EXPECT_TRUE(folder) << path;
  return std::move(*folder);
}

template <class T>
Errc code_of_error(const Result<T>& result) {
  EXPECT_FALSE(result);
  return result ? Errc::canceled : result.error().code;
}

/// One entry of a tree, without what no restore can bring back.
struct Entry {
  NodeInfo info;
  std::string content;  // or a link's target
  std::vector<Extent> extents;
  std::vector<Xattr> xattrs;
  bool operator==(const Entry&) const = default;
};

std::vector<Xattr> sorted(std::vector<Xattr> xattrs) {
  std::ranges::sort(xattrs, {}, &Xattr::name);
  return xattrs;
}

NodeInfo comparable(NodeInfo info) {
  info.ctime_ns = 0;
  info.inode = 0;
  info.stored_bytes = 0;
  if (info.kind == NodeKind::folder) info.links = 0;
  if (info.kind == NodeKind::symlink) info.mode = 0;
  return info;
}

void list_tree(SourceFolder& folder, const std::string& at, std::map<std::string, Entry>& out) {
  out[at] = {comparable(*folder.info()), "", {}, sorted(*folder.xattrs())};
  const auto names = *folder.names();
  for (const std::string& name : names) {
    const std::string path = at + "/" + name;
    const NodeInfo info = *folder.info_of(name);
    if (info.kind == NodeKind::folder) {
      list_tree(**folder.folder(name), path, out);
      continue;
    }
    Entry entry{comparable(info), "", {}, sorted(*folder.xattrs_of(name))};
    if (info.kind == NodeKind::symlink) entry.content = *folder.link_target(name);
    if (info.kind == NodeKind::file) {
      const auto file = std::move(*folder.file(name));
      EXPECT_EQ(*file->info(), info);
      EXPECT_EQ(sorted(*file->xattrs()), entry.xattrs);
      Bytes bytes(info.size);
      EXPECT_EQ(*file->read_at(0, bytes), info.size);
      entry.content = as_text(bytes);
      entry.extents = *file->extents();
    }
    out[path] = std::move(entry);
  }
}

/// Copies by the two interfaces alone, as a backup and a restore would.
class Copier {
 public:
  explicit Copier(std::vector<std::string>& errors) : errors_(errors) {}
  void copy(SourceFolder& from, TargetFolder& to, const std::string& at) {
    const auto names = *from.names();
    for (const std::string& name : names) copy_one(from, to, at, name);
    note(at, to.set_info("", *from.info(), *from.xattrs()));
  }

 private:
  void copy_one(SourceFolder& from, TargetFolder& to, const std::string& at, const std::string& name) {
    const NodeInfo info = *from.info_of(name);
    const std::string path = at.empty() ? name : at + "/" + name;
    if (info.kind == NodeKind::folder) {
      auto below = to.folder(name);
      ASSERT_TRUE(below) << below.error().detail;
      return copy(**from.folder(name), **below, path);
    }
    const auto [first, is_new] = seen_.emplace(info.inode, path);
    if (!is_new) return note(path, to.hard_link(name, first->second));
    if (info.kind == NodeKind::file) {
      copy_file(**from.file(name), to, name);
    } else if (info.kind == NodeKind::symlink) {
      note(path, to.symlink(name, *from.link_target(name)));
    } else {
      note(path, to.special(name, info));
    }
    note(path, to.set_info(name, info, *from.xattrs_of(name)));
  }
  void copy_file(SourceFile& from, TargetFolder& to, const std::string& name) {
    auto made = to.file(name);
    ASSERT_TRUE(made) << made.error().detail;
    const auto parts = *from.extents();
    for (const Extent& part : parts) {
      Bytes bytes(part.bytes);
      EXPECT_EQ(*from.read_at(part.offset, bytes), part.bytes);
      note(name, (*made)->write_at(part.offset, bytes));
    }
    note(name, (*made)->set_size(from.info()->size));
  }
  void note(const std::string& path, const Result<void>& result) {
    if (!result) errors_.push_back(path + ": " + result.error().detail);
  }

  std::vector<std::string>& errors_;
  std::map<std::uint64_t, std::string> seen_;
};

void set_time(const std::string& path, std::int64_t seconds, long nanoseconds) {
  const timespec times[2] = {{0, UTIME_OMIT}, {seconds, nanoseconds}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0) << path;
}

/// An ACL that lets user 1234 read: version 2, then tag, permissions and id of each entry.
std::string acl_for_user_1234() {
  std::string acl("\x02\0\0\0", 4);
  const auto entry = [&](char tag, char permissions, std::uint32_t id) {
    acl += {tag, 0, permissions, 0};
    for (int i = 0; i < 4; ++i) acl += static_cast<char>(id >> (8 * i));
  };
  constexpr std::uint32_t kNobody = 0xFFFFFFFF;
  entry(0x01, 6, kNobody);  // owner
  entry(0x02, 4, 1234);     // user 1234
  entry(0x04, 4, kNobody);  // group
  entry(0x10, 4, kNobody);  // mask
  entry(0x20, 0, kNobody);  // others
  return acl;
}

/// Containers and tmpfs before Linux 6.6 lack some kinds: the test is then about the others.
bool may_be_refused(int error) { return error == EOPNOTSUPP || error == EPERM; }

void set_xattr(const std::string& path, const char* name, const std::string& value) {
  if (::lsetxattr(path.c_str(), name, value.data(), value.size(), 0) == 0) return;
  ASSERT_TRUE(may_be_refused(errno)) << path << " " << name;
  std::printf("not here: %s\n", name);
}

void make_special(const std::string& path, mode_t mode, dev_t device) {
  if (::mknod(path.c_str(), mode, device) == 0) return;
  ASSERT_TRUE(may_be_refused(errno)) << path;
  std::printf("not here: %s\n", path.c_str());
}

void make_sparse(const std::string& path) {
  write_text(path, "");
  ASSERT_EQ(::truncate(path.c_str(), 10 << 20), 0);
  std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(1 << 20);
  file << std::string(8192, 'a');
  file.seekp(5 << 20);
  file << std::string(4096, 'b');
}

void make_rich_tree(const std::string& at) {
  fs::create_directories(at + "/folder/below");
  write_text(at + "/plain", "some text");
  write_text(at + "/empty", "");
  write_text(at + "/\xff\xfe \n \x1b[31m", "a name that is not UTF-8");
  write_text(at + "/" + std::string(255, 'n'), "a long name");
  write_text(at + "/folder/below/setuid", "x");
  ::chmod((at + "/folder/below/setuid").c_str(), 06755);
  ::chmod((at + "/folder").c_str(), 03711);
  write_text(at + "/unreadable", "mode 0");
  ::chmod((at + "/unreadable").c_str(), 0);
  make_sparse(at + "/sparse");
  write_text(at + "/hole", "");
  ASSERT_EQ(::truncate((at + "/hole").c_str(), 1 << 20), 0);
  fs::create_hard_link(at + "/plain", at + "/folder/second name");
  fs::create_symlink("../nowhere", at + "/link");
  ASSERT_EQ(::link((at + "/link").c_str(), (at + "/same link").c_str()), 0);
  ASSERT_EQ(::mkfifo((at + "/fifo").c_str(), 0620), 0);
  make_special(at + "/socket", S_IFSOCK | 0640, 0);
  set_xattr(at + "/plain", "user.note", "a note");
  set_xattr(at + "/plain", "user.big", std::string(3000, 'v'));
  set_xattr(at + "/plain", "user.none", "");
  set_xattr(at + "/plain", "system.posix_acl_access", acl_for_user_1234());
  set_xattr(at + "/folder", "system.posix_acl_default", acl_for_user_1234());
  set_xattr(at + "/folder", "user.of.folder", "f");
  set_time(at + "/empty", -1234567, 999'999'999);
  set_time(at + "/link", 1'000'000'000, 1);
  set_time(at + "/plain", 5'000'000'000, 123'456'789);
}

/// What only root may make.
void make_root_tree(const std::string& at) {
  set_xattr(at + "/plain", "trusted.of.root", "t");
  set_xattr(at + "/link", "trusted.of.link", "l");
  set_xattr(at + "/empty", "security.capability", std::string("\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20));
  EXPECT_EQ(::lchown((at + "/link").c_str(), 1234, 4321), 0);
  EXPECT_EQ(::chown((at + "/folder/below/setuid").c_str(), 1234, 4321), 0);
  ::chmod((at + "/folder/below/setuid").c_str(), 06755);
  make_special(at + "/null", S_IFCHR | 0666, 0x103);
  make_special(at + "/disk", S_IFBLK | 0660, 0x700);
}

TEST(Trees, BringBackAllThatFilesHave) {
  const TempFolder temp;
  const auto trees = make_posix_trees();
  fs::create_directory(temp.path() + "/from");
  make_rich_tree(temp.path() + "/from");
  if (::geteuid() == 0) make_root_tree(temp.path() + "/from");
  set_time(temp.path() + "/from/folder", 1'111'111'111, 5);
  const auto from = open_source(*trees, temp.path() + "/from");
  auto target = trees->target(temp.path() + "/deep/to");
  ASSERT_TRUE(target) << target.error().detail;
  std::vector<std::string> errors;
  Copier(errors).copy(*from, **target, "");
  EXPECT_EQ(errors, std::vector<std::string>{});
  std::map<std::string, Entry> expected;
  std::map<std::string, Entry> found;
  list_tree(*from, "", expected);
  list_tree(*open_source(*trees, temp.path() + "/deep/to"), "", found);
  EXPECT_GE(expected.size(), 16U);
  for (const auto& [path, entry] : expected) {
    EXPECT_TRUE(found.contains(path)) << path;
    EXPECT_EQ(found[path].info, entry.info) << path << " mode " << std::oct << found[path].info.mode;
    EXPECT_EQ(found[path].content, entry.content) << path;
    EXPECT_EQ(found[path].extents, entry.extents) << path;
    EXPECT_EQ(found[path].xattrs, entry.xattrs) << path;
  }
  EXPECT_EQ(found.size(), expected.size());
  EXPECT_EQ(expected["/sparse"].extents.size(), 2U);
  EXPECT_TRUE(expected["/hole"].extents.empty());
  EXPECT_EQ(expected["/plain"].info.links, 2U);
}

TEST(Trees, TellOfWhatIsGoneOrOfAnotherKind) {
  const TempFolder temp;
  const auto trees = make_posix_trees();
  write_text(temp.path() + "/file", "x");
  fs::create_symlink("file", temp.path() + "/link");
  fs::create_directory_symlink(".", temp.path() + "/around");
  ASSERT_EQ(::mkfifo((temp.path() + "/fifo").c_str(), 0600), 0);
  const auto folder = open_source(*trees, temp.path());
  EXPECT_EQ(code_of_error(folder->info_of("gone")), Errc::not_found);
  EXPECT_EQ(code_of_error(folder->file("gone")), Errc::not_found);
  EXPECT_EQ(code_of_error(folder->folder("gone")), Errc::not_found);
  EXPECT_EQ(code_of_error(folder->file("fifo")), Errc::not_found);  // and does not wait for a writer
  EXPECT_EQ(code_of_error(folder->file("link")), Errc::not_found);
  EXPECT_EQ(code_of_error(folder->folder("around")), Errc::not_found);
  EXPECT_EQ(code_of_error(folder->folder("file")), Errc::not_found);
  EXPECT_EQ(code_of_error(folder->link_target("file")), Errc::not_found);
  EXPECT_EQ(folder->info_of("gone").error().detail, "no such file or directory");
  for (const char* name : {"", ".", "..", "a/b", "/"}) {
    EXPECT_EQ(code_of_error(folder->info_of(name)), Errc::invalid) << name;
    EXPECT_EQ(code_of_error(folder->folder(name)), Errc::invalid) << name;
  }
}

TEST(Trees, FindThePlaceOfAPath) {
  const TempFolder temp;
  const auto trees = make_posix_trees();
  write_text(temp.path() + "/file", "x");
  auto place = trees->source(temp.path() + "/file");
  ASSERT_TRUE(place);
  EXPECT_EQ(place->name, "file");
  EXPECT_EQ(place->folder->info_of("file")->size, 1U);
  EXPECT_EQ(trees->source(temp.path() + "//file//")->name, "file");
  place = trees->source("/");
  ASSERT_TRUE(place);
  EXPECT_EQ(place->name, "");
  EXPECT_EQ(place->folder->info()->kind, NodeKind::folder);
  EXPECT_EQ(trees->source("/tmp")->name, "tmp");
  EXPECT_EQ(code_of_error(trees->source("relative")), Errc::invalid);
  EXPECT_EQ(code_of_error(trees->source("")), Errc::invalid);
  EXPECT_EQ(code_of_error(trees->source(temp.path() + "/..")), Errc::invalid);
  EXPECT_EQ(code_of_error(trees->source(temp.path() + "/gone/file")), Errc::not_found);
}

TEST(Trees, ListBigFoldersAgainAndAgain) {
  const TempFolder temp;
  const auto trees = make_posix_trees();
  constexpr std::size_t kFiles = 3000;
  for (std::size_t i = 0; i < kFiles; ++i) write_text(temp.path() + "/a rather long name " + std::to_string(i), "");
  const auto folder = open_source(*trees, temp.path());
  for (int i = 0; i < 2; ++i) EXPECT_EQ(folder->names()->size(), kFiles);
}

/// Sees files as user 65534 does, on this thread, until it goes.
class AsNobody {
 public:
  AsNobody() {
    ::setfsgid(65534);
    ::setfsuid(65534);
  }
  ~AsNobody() {
    ::setfsuid(0);
    ::setfsgid(0);
  }
};

TEST(Trees, SayWhatIsDenied) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
  const TempFolder temp;
  const auto trees = make_posix_trees();
  ::chmod(temp.path().c_str(), 0711);  // may be passed, not read
  write_text(temp.path() + "/secret", "x");
  ::chmod((temp.path() + "/secret").c_str(), 0600);
  write_text(temp.path() + "/open", "y");
  ::chmod((temp.path() + "/open").c_str(), 0644);
  fs::create_directory(temp.path() + "/mine");
  ::chmod((temp.path() + "/mine").c_str(), 0777);
  const AsNobody nobody;
  auto place = trees->source(temp.path() + "/open");
  ASSERT_TRUE(place) << place.error().detail;
  EXPECT_TRUE(place->folder->file("open"));  // not ours: read without the wish to leave its access time alone
  EXPECT_EQ(place->folder->info_of("secret")->size, 1U);
  const auto secret = place->folder->file("secret");
  EXPECT_EQ(code_of_error(secret), Errc::denied);
  EXPECT_EQ(secret.error().detail, "permission denied");
  EXPECT_EQ(code_of_error(place->folder->names()), Errc::denied);
  EXPECT_EQ(code_of_error(trees->target(temp.path() + "/forbidden")), Errc::denied);
  auto target = trees->target(temp.path() + "/mine");
  ASSERT_TRUE(target) << target.error().detail;
  ASSERT_TRUE((*target)->file("program"));
  const NodeInfo info{.mode = 04755, .uid = 0, .gid = 0, .mtime_ns = 1'000'000'005};
  const auto set = (*target)->set_info("program", info, {{"user.kept", to_bytes(as_bytes("v"))}});
  EXPECT_EQ(code_of_error(set), Errc::denied);
  EXPECT_EQ(set.error().detail,
            "not set: owner (operation not permitted), setuid and setgid (operation not permitted)");
  const auto source = open_source(*trees, temp.path() + "/mine");
  EXPECT_EQ(source->info_of("program")->mode, 0755U);  // never setuid for the wrong user
  EXPECT_EQ(source->info_of("program")->mtime_ns, 1'000'000'005);
  EXPECT_EQ(source->xattrs_of("program")->size(), 1U);
}

TEST(Target, MustBeAnEmptyFolder) {
  const TempFolder temp;
  const auto trees = make_posix_trees();
  EXPECT_TRUE(trees->target(temp.path() + "/new"));
  EXPECT_TRUE(trees->target(temp.path() + "/new"));
  write_text(temp.path() + "/new/file", "x");
  EXPECT_EQ(code_of_error(trees->target(temp.path() + "/new")), Errc::busy);
  EXPECT_EQ(code_of_error(trees->target(temp.path() + "/new/file")), Errc::usage);
}

TEST(Target, RefusesNamesThatLeadElsewhere) {
  const TempFolder temp;
  const auto trees = make_posix_trees();
  const auto target = std::move(*trees->target(temp.path() + "/to"));
  for (const std::string& name : {std::string(), std::string("."), std::string(".."), std::string("a/b"),
                                  std::string("/abs"), std::string("a\0b", 3)}) {
    EXPECT_EQ(code_of_error(target->folder(name)), Errc::invalid) << name;
    EXPECT_EQ(code_of_error(target->file(name)), Errc::invalid) << name;
    EXPECT_EQ(code_of_error(target->reopen(name)), Errc::invalid) << name;
    EXPECT_EQ(code_of_error(target->symlink(name, "x")), Errc::invalid) << name;
    EXPECT_EQ(code_of_error(target->special(name, {.kind = NodeKind::fifo})), Errc::invalid) << name;
    EXPECT_EQ(code_of_error(target->hard_link(name, "x")), Errc::invalid) << name;
    if (!name.empty()) EXPECT_EQ(code_of_error(target->set_info(name, {}, {})), Errc::invalid) << name;
  }
  ASSERT_TRUE(target->file("own"));
  for (const char* path : {"", "..", "../to/own", "/own", "a//own", "./own", "own/", "a/../own"}) {
    EXPECT_EQ(code_of_error(target->hard_link("new", path)), Errc::invalid) << path;
  }
  EXPECT_EQ(code_of_error(target->special("s", {.kind = NodeKind::folder})), Errc::invalid);
  EXPECT_EQ(code_of_error(target->symlink("s", "")), Errc::invalid);
  EXPECT_EQ(code_of_error(target->file("own")), Errc::busy);
  EXPECT_EQ(code_of_error(target->hard_link("own", "own")), Errc::busy);
}

TEST(Target, NeverFollowsAPlantedLink) {
  const TempFolder temp;
  const auto trees = make_posix_trees();
  const std::string outside = temp.path() + "/outside";
  fs::create_directory(outside);
  write_text(outside + "/secret", "untouched");
  ::chmod((outside + "/secret").c_str(), 0600);
  const auto before = open_source(*trees, outside)->info_of("secret");
  const auto target = std::move(*trees->target(temp.path() + "/to"));
  fs::create_symlink(outside + "/secret", temp.path() + "/to/file");
  fs::create_directory_symlink(outside, temp.path() + "/to/folder");
  EXPECT_EQ(code_of_error(target->file("file")), Errc::busy);
  EXPECT_EQ(code_of_error(target->reopen("file")), Errc::denied);
  EXPECT_EQ(code_of_error(target->folder("folder")), Errc::busy);
  EXPECT_EQ(code_of_error(target->set_info("file", {.mode = 0777}, {})), Errc::denied);
  EXPECT_EQ(code_of_error(target->hard_link("stolen", "folder/secret")), Errc::denied);
  EXPECT_TRUE(target->set_info("file", {.kind = NodeKind::symlink, .mode = 0777, .uid = ::getuid(), .gid = ::getgid()},
                               {}));  // the link itself
  EXPECT_EQ(read_text(outside + "/secret"), "untouched");
  EXPECT_EQ(*open_source(*trees, outside)->info_of("secret"), *before);
  EXPECT_EQ(open_source(*trees, outside)->names()->size(), 1U);
}

TEST(Target, StaysInAFolderThatIsSwappedForALink) {
  const TempFolder temp;
  const auto trees = make_posix_trees();
  const std::string outside = temp.path() + "/outside";
  fs::create_directory(outside);
  const auto target = std::move(*trees->target(temp.path() + "/to"));
  const auto below = std::move(*target->folder("below"));
  fs::rename(temp.path() + "/to/below", temp.path() + "/to/moved");
  fs::create_directory_symlink(outside, temp.path() + "/to/below");
  ASSERT_TRUE(below->file("file"));
  EXPECT_TRUE(fs::is_empty(outside));
  EXPECT_TRUE(fs::exists(temp.path() + "/to/moved/file"));
}

TEST(Target, AnOpenFileGetsAllThatItsNameWould) {
  const TempFolder temp;
  const auto trees = make_posix_trees();
  const auto target = std::move(*trees->target(temp.path() + "/to"));
  NodeInfo info;
  info.mode = 0751;
  info.uid = ::geteuid();
  info.gid = ::getegid();
  info.mtime_ns = 1'234'567'890'123'456'789;
  const std::vector<Xattr> xattrs = {{"user.one", to_bytes(as_bytes("1"))}};
  for (const bool by_name : {false, true}) {
    const std::string name = by_name ? "by name" : "open";
    auto file = target->file(name);
    ASSERT_TRUE(file);
    ASSERT_TRUE((*file)->write_at(0, as_bytes("content")));
    const auto set = by_name ? target->set_info(name, info, xattrs) : (*file)->set_info(info, xattrs);
    file->reset();
    if (!set) EXPECT_NE(set.error().detail.find("user.one"), std::string::npos) << set.error().detail;
    const auto place = trees->source(temp.path() + "/to/" + name);
    ASSERT_TRUE(place);
    const auto found = place->folder->info_of(name);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->mode, 0751u);
    EXPECT_EQ(found->mtime_ns, info.mtime_ns);
    EXPECT_EQ(found->size, 7u);
    if (set) EXPECT_EQ(*place->folder->xattrs_of(name), xattrs);
  }
  info.kind = NodeKind::folder;
  EXPECT_EQ((*target->file("other"))->set_info(info, {}).error().code, Errc::denied);
}

TEST(Target, WritesMoreOfAFileLater) {
  const TempFolder temp;
  const auto trees = make_posix_trees();
  const auto target = std::move(*trees->target(temp.path() + "/to"));
  ASSERT_TRUE((*target->file("a"))->write_at(0, as_bytes("one")));
  ASSERT_TRUE((*target->reopen("a"))->write_at(3, as_bytes("two")));
  EXPECT_EQ(read_text(temp.path() + "/to/a"), "onetwo");
  EXPECT_EQ(code_of_error(target->reopen("gone")), Errc::not_found);
  EXPECT_TRUE(target->folder("f"));
  EXPECT_TRUE(target->folder("f"));  // opens it again
}

TEST(Target, InheritsNoAclFromTheFoldersAbove) {
  const TempFolder temp;
  const auto trees = make_posix_trees();
  set_xattr(temp.path(), "system.posix_acl_default", acl_for_user_1234());
  const auto target = std::move(*trees->target(temp.path() + "/to"));
  ASSERT_TRUE(target->file("file"));
  ASSERT_TRUE(target->folder("folder"));
  const auto source = open_source(*trees, temp.path() + "/to");
  EXPECT_TRUE(source->xattrs()->empty());
  EXPECT_TRUE(source->xattrs_of("file")->empty());
  EXPECT_TRUE(source->xattrs_of("folder")->empty());
}

}  // namespace
}  // namespace mhp::platform
