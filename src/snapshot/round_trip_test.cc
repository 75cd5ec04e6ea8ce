// What goes in comes out: whole trees with all that files have, through backup and restore.
#include <unistd.h>

#include "snapshot/test_tree.h"

namespace mhp::snapshot {
namespace {

void expect_same(const std::vector<std::string>& expected, const std::vector<std::string>& actual) {
  EXPECT_EQ(expected.size(), actual.size());
  for (std::size_t i = 0; i < std::min(expected.size(), actual.size()); ++i) EXPECT_EQ(expected[i], actual[i]);
}

/// A tree with everything; what this user may not make is left out.
void make_everything(TestTree& tree) {
  tree.folder("kinds");
  tree.file("kinds/empty", "");
  tree.file("kinds/small", "small");
  tree.file("kinds/setuid", "x", 04755);
  if (::geteuid() == 0) tree.file("kinds/nobody may", "secret", 0000);
  tree.symlink("kinds/link", "small");
  tree.symlink("kinds/dangling", "/no/such/place");
  tree.fifo("kinds/fifo");
  tree.socket("kinds/socket");
  tree.device("kinds/char", false, 1, 3);
  tree.device("kinds/block", true, 7, 200);
  tree.folder("kinds/sticky", 01777);
  tree.folder("names");
  tree.file("names/new\nline", "n");
  tree.file("names/\xff\xfe not utf-8", "u");
  tree.file(std::string("names/") + std::string(255, 'w'), "w");
  tree.file("names/-rf *", "r");
  tree.file("names/\x1b[31m", "e");
  tree.folder("names/a");
  tree.file("names/a/b", "before a.b");
  tree.file("names/a.b", "behind a/b");
  tree.file("names/a b", "between");
  tree.folder("links");
  tree.file("links/1", "one content");
  tree.hard_link("links/2", "links/1");
  tree.hard_link("kinds/3", "links/1");
  tree.folder("big");
  tree.random_file("big/one chunk", 256_KiB, 1);
  tree.random_file("big/two chunks", 256_KiB + 1, 2);
  tree.random_file("big/many chunks", 20_MiB, 3);
  tree.folder("sparse");
  tree.sparse_file("sparse/only hole", 10_MiB, {});
  tree.sparse_file("sparse/ends in hole", 10_MiB, {{1_MiB, std::string(300'000, 'a')}});
  tree.sparse_file("sparse/ends in data", 10_MiB,
                   {{0, "start"}, {5_MiB, std::string(100'000, 'b')}, {10_MiB - 3, "end"}});
  tree.xattr("kinds/small", "user.note", "a note");
  tree.xattr("kinds/sticky", "user.folder", std::string_view("\0\1\2", 3));
  // user::rw- user:1234:r-- group::r-- mask::r-- other::---, as the system keeps it.
  constexpr std::string_view kAcl(
      "\2\0\0\0"
      "\1\0\6\0\xff\xff\xff\xff"
      "\2\0\4\0\xd2\4\0\0"
      "\4\0\4\0\xff\xff\xff\xff"
      "\x10\0\4\0\xff\xff\xff\xff"
      "\x20\0\0\0\xff\xff\xff\xff",
      44);
  tree.xattr("kinds/empty", "system.posix_acl_access", kAcl);
  tree.xattr("kinds/sticky", "system.posix_acl_default", kAcl);
  tree.mtime("kinds/small", 1'000'000'000'123'456'789);
  tree.mtime("kinds/link", 5);
  tree.mtime("names", 1'234'567'890'000'000'001);
  tree.folder("closed", 0500);
}

TEST(RoundTrip, BringsBackAllThatFilesHave) {
  platform::TempFolder place;
  TestTree tree(place.path() + "/source");
  tree.folder("");
  make_everything(tree);
  Bench bench;
  auto saved = bench.backup({tree.at("")});
  EXPECT_TRUE(saved.errors.empty());
  EXPECT_TRUE(saved.warnings.empty());
  auto restored = bench.restore(saved.snapshot, place.path() + "/out", tree.at(""));
  EXPECT_TRUE(restored.errors.empty());
  EXPECT_TRUE(restored.warnings.empty());
  EXPECT_EQ(restored.files, saved.snapshot.files);
  EXPECT_EQ(restored.bytes, saved.snapshot.bytes);
  expect_same(describe_tree(bench.platform.trees(), tree.at("")),
              describe_tree(bench.platform.trees(), place.path() + "/out"));
}

TEST(RoundTrip, OnRealThreads) {
  platform::TempFolder place;
  TestTree tree(place.path() + "/source");
  tree.folder("");
  make_everything(tree);
  for (int d = 0; d < 40; ++d) {
    std::string folder = "many " + std::to_string(d);
    tree.folder(folder);
    for (int f = 0; f < 50; ++f)
      tree.file(folder + "/" + std::to_string(f), std::string(static_cast<std::size_t>(d * f), 'x'));
  }
  for (std::uint64_t i = 0; i < 3; ++i) tree.random_file("big/" + std::to_string(i), 9_MiB, i);
  auto machine = platform::make_posix_platform();
  MemoryVault vault(1);
  BackupOptions options;
  options.scan.paths = {tree.at("")};
  RestoreOptions restore_options;
  restore_options.to = place.path() + "/out";
  restore_options.path = tree.at("");
  Counters counters;
  auto first = platform::run_task(*machine, snapshot::backup(*machine, vault, options, counters));
  auto second = platform::run_task(*machine, snapshot::backup(*machine, vault, options, counters));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(second->files_unchanged, first->files_new);
  restore_options.snapshot = second->snapshot;
  auto restored = platform::run_task(*machine, snapshot::restore(*machine, vault, restore_options, counters));
  ASSERT_TRUE(restored);
  EXPECT_TRUE(restored->errors.empty());
  expect_same(describe_tree(machine->trees(), tree.at("")), describe_tree(machine->trees(), place.path() + "/out"));
}

TEST(RoundTrip, WholeSnapshotKeepsItsPaths) {
  platform::TempFolder place;
  TestTree tree(place.path() + "/source");
  tree.folder("");
  make_everything(tree);
  Bench bench;
  auto saved = bench.backup({tree.at("big"), tree.at("links/2"), tree.at("names"), tree.at("names/a")});
  auto restored = bench.restore(saved.snapshot, place.path() + "/out");
  EXPECT_TRUE(restored.errors.empty());
  auto& trees = bench.platform.trees();
  for (const char* path : {"big", "names"})
    expect_same(describe_tree(trees, tree.at(path)), describe_tree(trees, place.path() + "/out" + tree.at(path)));
  EXPECT_EQ(saved.snapshot.paths.size(), 3u);
  EXPECT_EQ(restored.files, saved.snapshot.files);
}

}  // namespace
}  // namespace mhp::snapshot
