// Backups of real trees into a vault of memory: what is read, stored, left as it was.
#include "snapshot/backup.h"

#include <algorithm>

#include "snapshot/content.h"
#include "snapshot/test_tree.h"
#include "snapshot/tree.h"

namespace mhp::snapshot {
namespace {

class Backup : public testing::Test {
 protected:
  Backup() : tree_(place_.path() + "/source") { tree_.folder(""); }
  BackupReport backup() { return bench_.backup({tree_.at("")}); }
  void many_files(int folders, int files) {
    for (int d = 0; d < folders; ++d) {
      std::string folder = "d" + std::to_string(d);
      tree_.folder(folder);
      for (int f = 0; f < files; ++f) tree_.file(folder + "/f" + std::to_string(f), std::to_string(d * files + f));
    }
  }
  const wire::TreeEntry entry(const BackupReport& report, const std::string& path) {
    auto found = bench_.entries(report.snapshot, tree_.at(path));
    return found.empty() ? wire::TreeEntry() : found.front();
  }

  platform::TempFolder place_;
  TestTree tree_;
  Bench bench_;
};

TEST_F(Backup, ASmallOneIsOneSegment) {
  many_files(5, 20);
  tree_.random_file("big", 3_MiB, 1);
  auto report = backup();
  EXPECT_EQ(bench_.vault.segments(), 1u);
  EXPECT_EQ(report.files_new, 101u);
  EXPECT_EQ(report.snapshot.files, 101u);
  EXPECT_EQ(report.snapshot.host, "here");
  EXPECT_EQ(report.snapshot.paths, std::vector<std::string>{tree_.at("")});
  EXPECT_FALSE(report.snapshot.id.is_zero());
}

TEST_F(Backup, UnchangedStoresNothing) {
  many_files(30, 40);
  tree_.random_file("big", 9_MiB, 1);
  tree_.hard_link("link", "big");
  tree_.symlink("symbolic", "big");
  auto first = backup();
  std::size_t chunks = bench_.vault.chunks();
  auto again = backup();
  // Unless others make files in the folder for temporary ones meanwhile: then one page and the list differ.
  bool way_changed = bench_.entries(first.snapshot)[0] != bench_.entries(again.snapshot)[0];
  EXPECT_LE(bench_.vault.chunks(), chunks + (way_changed ? 2 : 0));
  EXPECT_LE(again.committed.totals.segments, way_changed ? 1u : 0u);
  EXPECT_EQ(again.files_unchanged, first.files_new);
  EXPECT_EQ(again.files_new + again.files_changed, 0u);
  EXPECT_EQ(again.snapshot.bytes, first.snapshot.bytes);
}

TEST_F(Backup, AnOtherNameOfALinkHasItsTargetWhereTheFirstIsLeftOut) {
  tree_.symlink("a", "target");
  tree_.hard_link("b", "a");
  ASSERT_EQ(entry(backup(), "b").hard_link_to, tree_.at("a").substr(1));
  BackupOptions options;
  options.scan.paths = {place_.path()};
  options.scan.excludes = {"a"};
  auto report = bench_.try_backup(options);
  ASSERT_TRUE(report);
  EXPECT_EQ(entry(*report, "b").hard_link_to, "");
  EXPECT_EQ(entry(*report, "b").link_target, "target");
}

TEST_F(Backup, AGivenPathThatIsALinkIsSaid) {
  tree_.folder("real");
  tree_.file("real/f", "f");
  tree_.symlink("link", "real");
  auto link = bench_.backup({tree_.at("link")});
  ASSERT_EQ(link.warnings.size(), 1u);
  EXPECT_EQ(link.warnings[0].path, tree_.at("link"));
  EXPECT_TRUE(bench_.backup({tree_.at("real")}).warnings.empty());
}

TEST_F(Backup, ReadsWhatChangedOnly) {
  many_files(10, 10);
  auto first = backup();
  tree_.file("d3/f3", "something else");
  tree_.file("d4/new", "new");
  tree_.remove("d5/f5");
  auto second = backup();
  EXPECT_EQ(second.files_changed, 1u);
  EXPECT_EQ(second.files_new, 1u);
  EXPECT_EQ(second.files_unchanged, 98u);
  auto out = bench_.restore(second.snapshot, place_.path() + "/out", tree_.at(""));
  EXPECT_TRUE(out.errors.empty());
  EXPECT_EQ(describe_tree(bench_.platform.trees(), tree_.at("")),
            describe_tree(bench_.platform.trees(), place_.path() + "/out"));
}

TEST_F(Backup, WhoSetsATimeBackHidesNoChange) {
  constexpr std::int64_t kTime = 1'700'000'000'000'000'000;
  tree_.file("a", "content one");
  tree_.mtime("a", kTime);
  auto first = backup();
  tree_.file("a", "content two");  // as long, in the same inode
  tree_.mtime("a", kTime);
  auto second = backup();
  EXPECT_EQ(second.files_changed, 1u);
  EXPECT_NE(entry(second, "a").chunks, entry(first, "a").chunks);
}

TEST_F(Backup, SameTimesAreNotTrustedWhereTheContentIsGone) {
  tree_.file("a", "content of a");
  auto first = backup();
  bench_.vault.forget(entry(first, "a").chunks.at(0));
  auto second = backup();
  EXPECT_EQ(second.files_changed, 1u);
}

TEST_F(Backup, FullReadReadsEverything) {
  tree_.file("a", "content of a");
  auto first = backup();
  BackupOptions options;
  options.scan.paths = {tree_.at("")};
  options.host = "here";
  options.full_read = true;
  auto report = bench_.try_backup(options);
  ASSERT_TRUE(report);
  EXPECT_EQ(entry(*report, "a").chunks, entry(first, "a").chunks);
  EXPECT_EQ(report->files_unchanged, 1u);
}

TEST_F(Backup, TakesTheNewestSnapshotOfThesePathsToCompare) {
  tree_.folder("x");
  tree_.folder("y");
  tree_.file("x/1", "1");
  tree_.file("y/2", "2");
  bench_.backup({tree_.at("x")});
  bench_.backup({tree_.at("y")});
  EXPECT_EQ(bench_.backup({tree_.at("x")}).files_unchanged, 1u);
  EXPECT_EQ(bench_.backup({tree_.at("x"), tree_.at("y")}).files_unchanged, 1u);  // none of both: the newest
}

TEST_F(Backup, DryRunStoresNothing) {
  many_files(3, 3);
  BackupOptions options;
  options.scan.paths = {tree_.at("")};
  options.dry_run = true;
  auto report = bench_.try_backup(options);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->files_new, 9u);
  EXPECT_EQ(report->snapshot.files, 9u);
  EXPECT_EQ(bench_.vault.chunks(), 0u);
  EXPECT_TRUE(bench_.vault.snapshots().empty());
}

TEST_F(Backup, AnErrorOfTheHomesEndsIt) {
  many_files(3, 3);
  tree_.random_file("big", 40_MiB, 1);
  bench_.vault.fail_store();
  BackupOptions options;
  options.scan.paths = {tree_.at("")};
  auto report = bench_.try_backup(options);
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::full);
  EXPECT_TRUE(bench_.vault.snapshots().empty());
}

TEST_F(Backup, ManyChunksAreWrittenDownInLists) {
  tree_.random_file("big", 12_MiB, 7);
  primitives::Chunker small_chunks(bench_.vault.keys().chunker_secret,
                                   {.min_bytes = 512, .normal_bytes = 2_KiB, .max_bytes = 8_KiB});
  FileReader reader(small_chunks);
  auto place = bench_.platform.trees().source(tree_.at("big"));
  ASSERT_TRUE(place);
  ScanItem item;
  item.path = "big";
  item.folder = std::move(place->folder);
  item.info = item.folder->info_of("big").value();
  auto writer = platform::run_task(bench_.platform, bench_.vault.begin_write({}));
  auto packer = (*writer)->new_packer();
  ASSERT_TRUE(reader.start(item));
  for (auto step = FileReader::Step::more; step != FileReader::Step::done;) {
    step = reader.advance(*packer).value();
    if (step != FileReader::Step::more) (void)(*writer)->seal(*packer);
  }
  wire::TreePage page;
  page.entries.push_back(reader.take_entry());
  const wire::TreeEntry& entry = page.entries.front();
  EXPECT_TRUE(entry.chunks_are_lists);
  EXPECT_LT(entry.chunks.size(), 10u);
  auto ids = platform::run_task(bench_.platform, content_of(bench_.vault, entry));
  ASSERT_TRUE(ids);
  EXPECT_GT(ids->size(), FileReader::kMaxDirectChunks);

  auto snapshot = bench_.vault.put_snapshot({page}, {"big"});
  EXPECT_TRUE(bench_.restore(snapshot, place_.path() + "/out").errors.empty());
  auto& trees = bench_.platform.trees();
  EXPECT_EQ(describe_tree(trees, tree_.at("big")), describe_tree(trees, place_.path() + "/out/big"));

  bench_.vault.forget(entry.chunks.back());
  auto without = bench_.restore(snapshot, place_.path() + "/out 2");
  ASSERT_EQ(without.errors.size(), 1u);
  EXPECT_TRUE(trees.source(place_.path() + "/out 2/big")->folder->names()->empty());
}

TEST_F(Backup, TheSameRunIsTheSameEveryTime) {
  many_files(20, 20);
  tree_.random_file("big", 20_MiB, 1);
  auto first = backup();
  Bench other;
  auto second = other.backup({tree_.at("")});
  EXPECT_EQ(bench_.entries(first.snapshot, tree_.at("")), other.entries(second.snapshot, tree_.at("")));
  EXPECT_EQ(bench_.vault.segments(), other.vault.segments());
}

}  // namespace
}  // namespace mhp::snapshot
