// Order, paths, excludes and links of a scan, on real folders.
#include "snapshot/scan.h"

#include <algorithm>
#include <random>

#include "platform/posix/thread_pool.h"
#include "snapshot/test_tree.h"

namespace mhp::snapshot {
namespace {

struct Scanned {
  std::vector<std::string> paths;  // below the test's folder, "" for itself; the way to it left out
  std::vector<SourceError> errors;
  std::vector<ScanItem> items;
};

Scanned scan(platform::Platform& machine, const std::string& root, ScanOptions options, BatchLimits limits = {},
             platform::WorkerPool* ahead = nullptr) {
  Scanned out;
  auto paths = normal_paths(machine.disk(), options.paths);
  EXPECT_TRUE(paths.has_value());
  options.paths = *paths;
  auto scanner = Scanner::start(machine.trees(), machine.disk(), options, limits, ahead);
  if (!scanner) {
    ADD_FAILURE() << scanner.error().detail;
    return out;
  }
  for (std::uint64_t seq = 0;; ++seq) {
    ScanBatch batch = (*scanner)->next();
    if (batch.items.empty() && batch.errors.empty()) break;
    EXPECT_EQ(batch.seq, seq);
    EXPECT_LE(batch.items.size(), limits.items);
    for (ScanItem& item : batch.items) {
      std::string path = "/" + item.path;
      if (path.starts_with(root)) out.paths.push_back(path.size() == root.size() ? "" : path.substr(root.size() + 1));
      out.items.push_back(std::move(item));
    }
    std::ranges::move(batch.errors, std::back_inserter(out.errors));
  }
  return out;
}

using Paths = std::vector<std::string>;

class Scan : public testing::Test {
 protected:
  Scan() : tree_(place_.path()) {}
  Paths paths_of(ScanOptions options) {
    if (options.paths.empty()) options.paths = {place_.path()};
    auto paths = scan(machine_, place_.path(), options).paths;
    EXPECT_EQ(scan(machine_, place_.path(), options, {}, &pool_).paths, paths);
    return paths;
  }
  platform::TempFolder place_;
  TestTree tree_;
  platform::MemoryPlatform machine_{1};
  platform::ThreadPool pool_{3, nullptr};
};

TEST_F(Scan, GoesInEntryOrderWithTheWayToEachPath) {
  for (const char* folder : {"a", "a/b", "a.b", "a b"}) tree_.folder(folder);
  for (const char* file : {"a/b/c", "a/z", "a.b/x", "a b/y", "B"}) tree_.file(file, "x");
  auto found = scan(machine_, place_.path(), {.paths = {place_.path()}});
  EXPECT_EQ(found.paths, (Paths{"", "B", "a", "a/b", "a/b/c", "a/z", "a b", "a b/y", "a.b", "a.b/x"}));
  EXPECT_EQ("/" + found.items.front().path, place_.path().substr(0, place_.path().find('/', 1)));
  for (std::size_t i = 1; i < found.items.size(); ++i)
    EXPECT_LT(wire::compare_paths(found.items[i - 1].path, found.items[i].path), 0) << found.items[i].path;
}

TEST_F(Scan, RandomTreesAreInOrderWhateverTheBatches) {
  for (std::uint64_t round = 0; round < 10; ++round) {
    std::uint64_t seed = test_seed() + round;
    SCOPED_TRACE("MHP_SEED=" + std::to_string(seed));
    std::mt19937_64 random(seed);
    std::string root = "r" + std::to_string(round);
    std::vector<std::string> folders = {root};
    tree_.folder(root);
    std::size_t made = 1;
    for (int i = 0; i < 150; ++i, ++made) {
      std::string name;
      for (std::size_t n = 1 + random() % 3; n > 0; --n) name += "ab .-\x80\xff\n"[random() % 8];
      if (name == "." || name == "..") name += "x";
      std::string path = folders[random() % folders.size()] + "/" + name + std::to_string(i);
      if (random() % 3 == 0) {
        tree_.folder(path);
        folders.push_back(path);
      } else {
        tree_.file(path, name);
      }
    }
    auto whole = scan(machine_, tree_.at(root), {.paths = {tree_.at(root)}});
    EXPECT_EQ(whole.paths.size(), made);
    EXPECT_TRUE(std::ranges::is_sorted(whole.paths, [](auto& a, auto& b) { return wire::compare_paths(a, b) < 0; }));
    BatchLimits small{.items = 1 + random() % 7, .file_bytes = 1 + random() % 20, .folders = 1 + random() % 4};
    EXPECT_EQ(scan(machine_, tree_.at(root), {.paths = {tree_.at(root)}}, small).paths, whole.paths);
    auto ahead = scan(machine_, tree_.at(root), {.paths = {tree_.at(root)}}, small, &pool_);
    EXPECT_EQ(ahead.paths, whole.paths);
    for (std::size_t i = 0; i < std::min(ahead.items.size(), whole.items.size()); ++i)
      EXPECT_EQ(ahead.items[i].info, whole.items[i].info) << whole.items[i].path;
  }
}

TEST_F(Scan, NestedAndDoublePathsCollapse) {
  tree_.folder("a/b");
  tree_.folder("ab");
  tree_.file("a/b/x", "x");
  tree_.file("f", "f");
  auto paths = normal_paths(machine_.disk(), {tree_.at("f"), tree_.at("a/b"), tree_.at("a") + "//", tree_.at("a/b/x"),
                                              tree_.at("ab"), tree_.at("f")});
  ASSERT_TRUE(paths);
  EXPECT_EQ(*paths, (Paths{tree_.at("a"), tree_.at("ab"), tree_.at("f")}));
  EXPECT_EQ(*normal_paths(machine_.disk(), {"/a", "/"}), (Paths{"/"}));
  EXPECT_EQ(normal_paths(machine_.disk(), {}).error().code, Errc::usage);
}

TEST_F(Scan, SeveralPathsShareTheirWay) {
  for (const char* file : {"x", "y"}) {
    tree_.folder(std::string("way/") + file);
    tree_.file(std::string("way/") + file + "/f", "f");
  }
  tree_.file("way/not asked for", "n");
  EXPECT_EQ(paths_of({.paths = {tree_.at("way/y/f"), tree_.at("way/x")}}),
            (Paths{"", "way", "way/x", "way/x/f", "way/y", "way/y/f"}));
}

TEST_F(Scan, AGivenLinkIsStoredNotFollowed) {
  tree_.folder("real");
  tree_.file("real/f", "f");
  tree_.symlink("link", "real");
  EXPECT_EQ(paths_of({.paths = {tree_.at("link")}}), (Paths{"", "link"}));
}

TEST_F(Scan, ExcludesAreRelativeToEachPath) {
  for (const char* folder : {"p/build", "p/src/build", "q/build", "p/keep"}) tree_.folder(folder);
  for (const char* file : {"p/a.o", "p/keep/b.o", "p/keep/c.o", "p/build/x", "p/src/build/y", "q/build/z", "q/a.o"})
    tree_.file(file, "x");
  tree_.file("lines", "# objects\n*.o\n");
  ScanOptions options{.paths = {tree_.at("p"), tree_.at("q")}, .excludes = {"*.o", "!/keep/b.o", "/build/"}};
  Paths expected{"", "p", "p/keep", "p/keep/b.o", "p/src", "p/src/build", "p/src/build/y", "q"};
  EXPECT_EQ(paths_of(options), expected);
}

TEST_F(Scan, ExcludeFilesAreReadFromTheDisk) {
  tree_.file("a.o", "x");
  tree_.file("a.c", "x");
  ASSERT_TRUE(platform::replace_file(machine_.disk(), "/lines", as_bytes("# objects\n*.o\n")));
  EXPECT_EQ(paths_of({.exclude_files = {"/lines"}}), (Paths{"", "a.c"}));
  auto missing = Scanner::start(machine_.trees(), machine_.disk(),
                                {.paths = {place_.path()}, .exclude_files = {"/none"}}, {}, nullptr);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, Errc::usage);
}

TEST_F(Scan, CachesKeepTheirTagOnly) {
  tree_.folder("cache/deep");
  tree_.file("cache/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc55\n# made by a test");
  tree_.file("cache/deep/x", "x");
  tree_.folder("not");
  tree_.file("not/CACHEDIR.TAG", "Signature: 8a477f597d28d172789f06886806bc5X");
  tree_.folder("fifo");
  tree_.fifo("fifo/CACHEDIR.TAG");
  EXPECT_EQ(paths_of({}),
            (Paths{"", "cache", "cache/CACHEDIR.TAG", "fifo", "fifo/CACHEDIR.TAG", "not", "not/CACHEDIR.TAG"}));
  auto all = paths_of({.exclude_caches = false});
  EXPECT_TRUE(std::ranges::find(all, "cache/deep/x") != all.end());
}

TEST_F(Scan, OwnFoldersAreLeftOut) {
  tree_.folder("home/rows");
  tree_.file("home/rows/1", "x");
  tree_.file("f", "x");
  auto place = machine_.trees().source(tree_.at("home"));
  ASSERT_TRUE(place);
  auto info = place->folder->info_of("home");
  ASSERT_TRUE(info);
  EXPECT_EQ(paths_of({.leave_out = {{info->device, info->inode}}}), (Paths{"", "f"}));
}

TEST_F(Scan, OtherFileSystemsAreEmptyFolders) {
  auto proc = scan(machine_, "/proc", {.paths = {"/"}, .excludes = {"/*", "!/proc/"}, .one_file_system = true});
  EXPECT_EQ(proc.paths, (Paths{""}));
}

TEST_F(Scan, HardLinksPointToTheFirstName) {
  tree_.folder("a");
  tree_.file("a/1", "x");
  tree_.hard_link("a/2", "a/1");
  tree_.hard_link("b", "a/1");
  tree_.file("other", "x");
  std::size_t links = 0;
  for (const ScanItem& item : scan(machine_, place_.path(), {.paths = {place_.path()}}).items) {
    if (item.hard_link_to.empty()) continue;
    ++links;
    EXPECT_EQ("/" + item.hard_link_to, tree_.at("a/1"));
  }
  EXPECT_EQ(links, 2u);
}

TEST_F(Scan, APathThatDoesNotExistIsNamed) {
  auto scanner = Scanner::start(machine_.trees(), machine_.disk(), {.paths = {tree_.at("none")}}, {}, nullptr);
  ASSERT_FALSE(scanner);
  EXPECT_EQ(scanner.error().code, Errc::usage);
  EXPECT_NE(scanner.error().detail.find(tree_.at("none")), std::string::npos);
}

}  // namespace
}  // namespace mhp::snapshot
