// The contract of Disk, checked on the real one and on the one in memory, and that both are the same to their user.
#include "platform/disk.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <random>

#include "platform/memory/memory_platform.h"
#include "platform/posix/parts.h"
#include "platform/posix/temp_folder.h"

namespace mhp::platform {
namespace {

struct DiskUnderTest {
  std::unique_ptr<TempFolder> holder;  // of the real one
  std::unique_ptr<Disk> disk;
  std::string folder;
};

DiskUnderTest make_real() {
  DiskUnderTest made{std::make_unique<TempFolder>(), make_posix_disk(), {}};
  made.folder = made.holder->path();
  return made;
}

/// On tmpfs, which is short of what ext4 has.
DiskUnderTest make_on_tmpfs() {
  if (!std::filesystem::exists("/dev/shm")) return make_real();
  DiskUnderTest made{std::make_unique<TempFolder>("/dev/shm"), make_posix_disk(), {}};
  made.folder = made.holder->path();
  return made;
}

DiskUnderTest make_memory() {
  DiskUnderTest made{nullptr, std::make_unique<MemoryDisk>(), "/test"};
  EXPECT_TRUE(made.disk->make_folder(made.folder));
  return made;
}

struct DiskKind {
  const char* name;
  DiskUnderTest (*make)();
};

class DiskContract : public testing::TestWithParam<DiskKind> {
 protected:
  std::string path(const std::string& name) const { return at_.folder + "/" + name; }
  Disk& disk() { return *at_.disk; }
  Result<Bytes> read(const std::string& name) { return read_file(disk(), path(name), 1_MiB); }
  DiskUnderTest at_ = GetParam().make();
};

INSTANTIATE_TEST_SUITE_P(Disks, DiskContract,
                         testing::Values(DiskKind{"Real", make_real}, DiskKind{"Tmpfs", make_on_tmpfs},
                                         DiskKind{"Memory", make_memory}),
                         [](const auto& info) { return std::string(info.param.name); });

template <class T>
Errc code_of_failure(const Result<T>& result) {
  EXPECT_FALSE(result);
  return result ? Errc::canceled : result.error().code;
}

TEST_P(DiskContract, OpensAsAsked) {
  EXPECT_EQ(code_of_failure(disk().open(path("a"), Open::read)), Errc::not_found);
  EXPECT_EQ(code_of_failure(disk().open(path("a"), Open::write)), Errc::not_found);
  EXPECT_EQ(code_of_failure(disk().open(path("no/a"), Open::create)), Errc::not_found);
  EXPECT_TRUE(disk().open(path("a"), Open::create));
  EXPECT_TRUE(disk().open(path("a"), Open::create));
  EXPECT_EQ(code_of_failure(disk().open(path("a"), Open::create_exclusive)), Errc::busy);
  EXPECT_TRUE(disk().open(path("b"), Open::create_exclusive));
  EXPECT_TRUE(disk().open(path("b"), Open::read));
  const auto missing = disk().open(path("a").substr(0, path("a").size() - 1) + "gone", Open::read);
  EXPECT_NE(missing.error().detail.find("gone: no such file"), std::string::npos) << missing.error().detail;
}

TEST_P(DiskContract, ReadsWhatWasWritten) {
  const auto file = *disk().open(path("a"), Open::create);
  EXPECT_EQ(*file->size(), 0U);
  EXPECT_TRUE(file->write_at(5, as_bytes("hello")));
  EXPECT_TRUE(file->write_at(0, as_bytes("abc")));
  EXPECT_TRUE(file->write_at(10, {}));
  EXPECT_EQ(*file->size(), 10U);
  Bytes out(20);
  EXPECT_EQ(*file->read_at(0, out), 10U);
  EXPECT_EQ(as_text(ByteView(out).first(10)), std::string_view("abc\0\0hello", 10));
  EXPECT_EQ(*file->read_at(8, MutableBytes(out).first(2)), 2U);
  EXPECT_EQ(*file->read_at(10, out), 0U);
  EXPECT_EQ(*file->read_at(1'000'000, out), 0U);
  EXPECT_TRUE(file->sync());
  const auto reader = *disk().open(path("a"), Open::read);
  EXPECT_EQ(*reader->size(), 10U);
  EXPECT_FALSE(reader->write_at(0, as_bytes("x")));
}

TEST_P(DiskContract, WritesInBulk) {
  const auto file = *disk().open(path("a"), Open::create);
  AlignedBuffer buffer(256_KiB);
  for (std::size_t i = 0; i < buffer.size(); ++i) buffer.bytes()[i] = static_cast<std::byte>(i * 31 >> 3);
  EXPECT_TRUE(file->reserve(0, 1_MiB));
  EXPECT_EQ(*file->size(), 0U);
  EXPECT_TRUE(file->write_at(0, as_bytes("head")));
  EXPECT_TRUE(file->write_bulk(4096, buffer.bytes()));
  EXPECT_TRUE(file->write_at(4096 + buffer.size(), as_bytes("tail")));
  EXPECT_TRUE(file->sync());
  EXPECT_EQ(*file->size(), 4096 + buffer.size() + 4);
  Bytes out(buffer.size());
  EXPECT_EQ(*file->read_at(4096, out), out.size());
  EXPECT_EQ(out, to_bytes(buffer.bytes()));
  EXPECT_EQ(*file->read_at(4096 + buffer.size(), out), 4U);
  EXPECT_EQ(as_text(ByteView(out).first(4)), "tail");
}

TEST_P(DiskContract, Truncates) {
  const auto file = *disk().open(path("a"), Open::create);
  EXPECT_TRUE(file->write_at(0, as_bytes("abcdef")));
  EXPECT_TRUE(file->truncate(3));
  EXPECT_TRUE(file->truncate(5));
  EXPECT_EQ(as_text(*read("a")), std::string_view("abc\0\0", 5));
}

TEST_P(DiskContract, MakesFoldersWithTheirParents) {
  EXPECT_TRUE(disk().make_folder(path("x/y/z")));
  EXPECT_TRUE(disk().make_folder(path("x/y/z")));
  EXPECT_TRUE(disk().sync_folder(path("x/y")));
  EXPECT_TRUE(disk().info(path("x/y/z"))->is_folder);
  EXPECT_TRUE(disk().open(path("f"), Open::create));
  EXPECT_EQ(code_of_failure(disk().make_folder(path("f"))), Errc::busy);
  EXPECT_EQ(code_of_failure(disk().sync_folder(path("gone"))), Errc::not_found);
}

TEST_P(DiskContract, RenamesAndRemoves) {
  EXPECT_TRUE(replace_file(disk(), path("a"), as_bytes("new")));
  EXPECT_TRUE(replace_file(disk(), path("b"), as_bytes("old")));
  EXPECT_TRUE(disk().rename(path("a"), path("b")));
  EXPECT_EQ(as_text(*read("b")), "new");
  EXPECT_EQ(code_of_failure(disk().info(path("a"))), Errc::not_found);
  EXPECT_EQ(code_of_failure(disk().rename(path("a"), path("b"))), Errc::not_found);
  EXPECT_TRUE(disk().remove(path("b")));
  EXPECT_EQ(code_of_failure(disk().remove(path("b"))), Errc::not_found);
  EXPECT_TRUE(disk().make_folder(path("d/e")));
  EXPECT_EQ(code_of_failure(disk().remove(path("d"))), Errc::busy);
  EXPECT_TRUE(disk().rename(path("d"), path("g")));
  EXPECT_TRUE(disk().remove(path("g/e")));
  EXPECT_TRUE(disk().remove(path("g")));
}

TEST_P(DiskContract, AnOpenFileSurvivesItsName) {
  const auto file = *disk().open(path("a"), Open::create);
  EXPECT_TRUE(file->write_at(0, as_bytes("one")));
  EXPECT_TRUE(disk().remove(path("a")));
  EXPECT_TRUE(replace_file(disk(), path("a"), as_bytes("two")));
  EXPECT_TRUE(file->write_at(3, as_bytes("!")));
  AlignedBuffer buffer(4096);
  std::ranges::fill(buffer.bytes(), std::byte{'b'});
  EXPECT_TRUE(file->write_bulk(4096, buffer.bytes()));
  Bytes out(4);
  EXPECT_EQ(*file->read_at(0, out), 4U);
  EXPECT_EQ(as_text(out), "one!");
  EXPECT_EQ(as_text(*read("a")), "two");
}

TEST_P(DiskContract, ListsSorted) {
  for (const char* name : {"b", "a", "\xff\xfe", "a.b", "a b"}) EXPECT_TRUE(disk().open(path(name), Open::create));
  EXPECT_TRUE(disk().make_folder(path("c/below")));
  EXPECT_EQ(*disk().list(at_.folder), (std::vector<std::string>{"a", "a b", "a.b", "b", "c", "\xff\xfe"}));
  EXPECT_EQ(*disk().list(path("c")), (std::vector<std::string>{"below"}));
  EXPECT_TRUE(disk().list(path("c/below"))->empty());
  EXPECT_EQ(code_of_failure(disk().list(path("gone"))), Errc::not_found);
}

TEST_P(DiskContract, TellsWhatIsThere) {
  EXPECT_TRUE(replace_file(disk(), path("a"), as_bytes("12345")));
  const PathInfo file = *disk().info(path("a"));
  EXPECT_TRUE(file.is_file);
  EXPECT_FALSE(file.is_folder);
  EXPECT_EQ(file.size, 5U);
  const PathInfo folder = *disk().info(at_.folder);
  EXPECT_TRUE(folder.is_folder);
  EXPECT_EQ(folder.device, file.device);
  EXPECT_NE(folder.inode, file.inode);
  const SpaceInfo space = *disk().space(at_.folder);
  EXPECT_GT(space.total_bytes, 0U);
  EXPECT_LE(space.free_bytes, space.total_bytes);
  EXPECT_EQ(code_of_failure(disk().space(path("gone"))), Errc::not_found);
}

TEST_P(DiskContract, LocksOnce) {
  auto first = disk().lock(path("lock"), "mhp backup (1234)");
  ASSERT_TRUE(first);
  const auto second = disk().lock(path("lock"), "mhp status (5678)");
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::busy);
  EXPECT_NE(second.error().detail.find("held by mhp backup (1234)"), std::string::npos) << second.error().detail;
  EXPECT_TRUE(as_text(*read("lock")).starts_with("mhp backup (1234)"));
  first->reset();
  const auto third = disk().lock(path("lock"), "short");
  EXPECT_TRUE(third);
  EXPECT_TRUE(as_text(*read("lock")).starts_with("short"));
  EXPECT_LT(read("lock")->size(), 30U);  // nothing is left of the longer note
  EXPECT_TRUE(disk().lock(path("other"), "x"));
  EXPECT_EQ(code_of_failure(disk().lock(path("gone/lock"), "x")), Errc::not_found);
}

TEST_P(DiskContract, MakesPathsAbsolute) {
  EXPECT_EQ(*disk().absolute(path("a/../b//c/.")), path("b/c"));
  EXPECT_EQ(*disk().absolute("/"), "/");
  EXPECT_EQ(disk().absolute("not/there")->front(), '/');
}

TEST_P(DiskContract, ReadsWholeFilesUpToALimit) {
  EXPECT_TRUE(replace_file(disk(), path("a"), as_bytes("12345")));
  EXPECT_EQ(as_text(*read_file(disk(), path("a"), 5)), "12345");
  EXPECT_EQ(code_of_failure(read_file(disk(), path("a"), 4)), Errc::invalid);
  EXPECT_EQ(code_of_failure(read_file(disk(), path("gone"), 4)), Errc::not_found);
  EXPECT_TRUE(replace_file(disk(), path("a"), {}));
  EXPECT_TRUE(read_file(disk(), path("a"), 0)->empty());
}

TEST_P(DiskContract, ReplacesDespiteALeftover) {
  EXPECT_TRUE(replace_file(disk(), path("a.new"), as_bytes("a longer text, left by a crash")));
  EXPECT_TRUE(replace_file(disk(), path("a"), as_bytes("short")));
  EXPECT_EQ(as_text(*read("a")), "short");
  EXPECT_EQ(code_of_failure(disk().info(path("a.new"))), Errc::not_found);
}

TEST(Disk, FindsTheParent) {
  EXPECT_EQ(parent_of("a/b"), "a");
  EXPECT_EQ(parent_of("b"), ".");
  EXPECT_EQ(parent_of("/a"), "/");
  EXPECT_EQ(parent_of("/a/b/"), "/a");
  EXPECT_EQ(parent_of("a//b"), "a");
  EXPECT_EQ(parent_of("/"), "/");
  EXPECT_EQ(parent_of(""), ".");
}

/// One random call, told as text so that two disks can be compared.
class RandomUser {
 public:
  RandomUser(Disk& disk, std::string folder, std::uint64_t seed)
      : disk_(disk), folder_(std::move(folder)), random_(seed) {}

  std::string step() {
    const std::string a = name();
    const std::string b = name();
    const std::uint64_t offset = pick(9000);
    const Bytes bytes(pick(5000), static_cast<std::byte>('a' + pick(26)));
    switch (pick(9)) {
      case 0:
        return told("open " + a, disk_.open(a, Open::create));
      case 1:
        return told("exclusive " + a, disk_.open(a, Open::create_exclusive));
      case 2:
        return with_file("write " + a, a, [&](File& file) { return file.write_at(offset, bytes); });
      case 3:
        return with_file("truncate " + a, a, [&](File& file) { return file.truncate(offset); });
      case 4:
        return told("rename " + a + " " + b, disk_.rename(a, b));
      case 5:
        return pick(3) == 0 ? told("remove " + a, disk_.remove(a)) : "";
      case 6:
        return pick(3) == 0 ? told("folder " + a, disk_.make_folder(a)) : "";
      case 7:
        return "list " + a + " " + listed(a);
      default:
        return "read " + a + " " + content(a);
    }
  }

 private:
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }
  std::string name() {
    std::string path = folder_;
    const std::uint64_t depth = 1 + pick(2);
    for (std::uint64_t i = 0; i < depth; ++i) path += std::string("/") + static_cast<char>('p' + pick(3));
    return path;
  }
  template <class T>
  std::string told(const std::string& what, const Result<T>& result) {
    return what.substr(0, what.find('/')) + (result ? ": ok" : std::string(": ") + to_string(result.error().code));
  }
  std::string with_file(const std::string& what, const std::string& path,
                        const std::function<Result<void>(File&)>& act) {
    auto file = disk_.open(path, Open::write);
    return file ? told(what, act(**file)) : told(what, file);
  }
  std::string listed(const std::string& path) {
    auto names = disk_.list(path);
    if (!names) return to_string(names.error().code);
    std::string text;
    for (const auto& one : *names) text += one + " ";
    return text;
  }
  std::string content(const std::string& path) {
    auto bytes = read_file(disk_, path, 1_MiB);
    return bytes ? std::string(as_text(*bytes)) : to_string(bytes.error().code);
  }

  Disk& disk_;
  std::string folder_;
  std::mt19937_64 random_;
};

TEST(Disk, TheOneInMemoryIsLikeTheRealOne) {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    const DiskUnderTest real = make_real();
    const DiskUnderTest memory = make_memory();
    RandomUser user_of_real(*real.disk, real.folder, seed);
    RandomUser user_of_memory(*memory.disk, memory.folder, seed);
    for (int i = 0; i < 300; ++i) {
      std::string told = user_of_real.step();
      std::string told_memory = user_of_memory.step();
      const auto strip = [](std::string text, const std::string& folder) {
        for (auto at = text.find(folder); at != std::string::npos; at = text.find(folder))
          text.erase(at, folder.size());
        return text;
      };
      ASSERT_EQ(strip(told, real.folder), strip(told_memory, memory.folder)) << "seed " << seed << " step " << i;
    }
  }
}

}  // namespace
}  // namespace mhp::platform
