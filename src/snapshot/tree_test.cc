// Choosing, walking and comparing snapshots.
#include "snapshot/tree.h"

#include <algorithm>

#include "snapshot/test_tree.h"

namespace mhp::snapshot {
namespace {

wire::SnapshotRecord record_of(unsigned char first, unsigned char second) {
  SnapshotId::Array id{};
  id[0] = static_cast<std::byte>(first);
  id[1] = static_cast<std::byte>(second);
  wire::SnapshotRecord record;
  record.id = SnapshotId::from_array(id);
  return record;
}

TEST(ChooseSnapshot, TakesLatestAnIdOrItsFirstDigits) {
  std::vector<wire::SnapshotRecord> all = {record_of(0x12, 0x34), record_of(0x12, 0x35), record_of(0xab, 0xcd)};
  EXPECT_EQ(choose_snapshot(all, "latest")->id, all[2].id);
  EXPECT_EQ(choose_snapshot(all, "1234")->id, all[0].id);
  EXPECT_EQ(choose_snapshot(all, "ABCD")->id, all[2].id);
  EXPECT_EQ(choose_snapshot(all, all[1].id.hex())->id, all[1].id);
  EXPECT_EQ(choose_snapshot(all, "123").error().code, Errc::usage);
  EXPECT_EQ(choose_snapshot(all, "ffff").error().code, Errc::not_found);
  EXPECT_EQ(choose_snapshot({}, "latest").error().code, Errc::not_found);
  all.push_back(record_of(0x12, 0x34));
  auto several = choose_snapshot(all, "1234");
  ASSERT_FALSE(several);
  EXPECT_EQ(several.error().code, Errc::usage);
  EXPECT_NE(several.error().detail.find(all[0].id.short_hex()), std::string::npos);
}

class Tree : public testing::Test {
 protected:
  Tree() : tree_(place_.path()) {
    for (int d = 0; d < 20; ++d) {
      std::string folder = "d" + std::to_string(d);
      tree_.folder(folder);
      for (int f = 0; f < 60; ++f) tree_.file(folder + "/" + std::to_string(f), std::to_string(d * 60 + f));
    }
  }
  std::vector<std::string> changes(const wire::SnapshotRecord& older, const wire::SnapshotRecord& newer) {
    std::vector<std::string> lines;
    auto found = platform::run_task(bench_.platform, diff(bench_.vault, older, newer));
    if (!found) ADD_FAILURE() << found.error().detail;
    for (const Change& change : *found) {
      constexpr const char* kNames[] = {"added", "removed", "content", "metadata", "kind"};
      std::string path = "/" + change.path;
      if (!path.starts_with(place_.path() + "/")) continue;  // folders on the way change by themselves
      lines.push_back(std::string(kNames[static_cast<std::size_t>(change.kind)]) + " " +
                      path.substr(place_.path().size() + 1));
    }
    return lines;
  }
  platform::TempFolder place_;
  TestTree tree_;
  Bench bench_;
};

using Reads = std::vector<std::string>;

TEST_F(Tree, WalkReadsWhatItNeeds) {
  auto saved = bench_.backup({place_.path()}).snapshot;
  EXPECT_EQ(bench_.paths(saved, tree_.at("d3")).size(), 61u);
  EXPECT_EQ(bench_.paths(saved, tree_.at("d3") + "/").front(), tree_.at("d3").substr(1));
  EXPECT_TRUE(bench_.paths(saved, tree_.at("none")).empty());
  EXPECT_TRUE(bench_.paths(saved, tree_.at("d")).empty());
  std::uint64_t reads = bench_.vault.reads();
  EXPECT_EQ(bench_.paths(saved, tree_.at("d3/17")), Reads{tree_.at("d3/17").substr(1)});
  EXPECT_LE(bench_.vault.reads() - reads, 3u);
}

TEST_F(Tree, EveryEntryIsFoundByItsPath) {
  auto saved = bench_.backup({place_.path()}).snapshot;
  auto all = bench_.paths(saved);
  EXPECT_GE(all.size(), 1221u);
  for (std::size_t i = 0; i < all.size(); i += 37) EXPECT_EQ(bench_.paths(saved, all[i]).at(0), all[i]);
}

TEST_F(Tree, DiffNamesEveryChange) {
  auto older = bench_.backup({place_.path()}).snapshot;
  tree_.file("d3/5", "other content");
  tree_.remove("d4/6");
  tree_.file("d5/new", "new");
  tree_.mtime("d6/7", 42);
  tree_.remove("d7/8");
  tree_.symlink("d7/8", "9");
  tree_.remove("d19");
  for (const char* folder : {"d3", "d4", "d5", "d6", "d7"}) tree_.mtime(folder, 1'000'000'000);
  auto newer = bench_.backup({place_.path()}).snapshot;
  auto lines = changes(older, newer);
  std::erase_if(lines, [](const std::string& line) { return line.starts_with("removed d19/"); });
  EXPECT_EQ(lines, (Reads{"removed d19", "metadata d3", "content d3/5", "metadata d4", "removed d4/6", "metadata d5",
                          "added d5/new", "metadata d6", "metadata d6/7", "metadata d7", "kind d7/8"}));
}

/// 1,000 files in 20 folders, none of them real.
std::vector<wire::TreeEntry> invented_entries() {
  std::vector<wire::TreeEntry> entries;
  for (int d = 100; d < 120; ++d) {
    for (int f = 100; f < 150; ++f) {
      wire::TreeEntry& entry = entries.emplace_back();
      entry.path = "d" + std::to_string(d) + "/f" + std::to_string(f);
      entry.mtime_ns = d * f;
    }
  }
  return entries;
}

/// Cut where a number of entries is reached.
wire::SnapshotRecord put_pages(MemoryVault& vault, const std::vector<wire::TreeEntry>& entries, std::size_t first,
                               std::size_t others) {
  std::vector<wire::TreePage> pages(1);
  std::vector<std::string> first_paths = {entries.front().path};
  for (const wire::TreeEntry& entry : entries) {
    if (pages.back().entries.size() == (pages.size() == 1 ? first : others)) {
      pages.emplace_back();
      first_paths.push_back(entry.path);
    }
    pages.back().entries.push_back(entry);
  }
  return vault.put_snapshot(pages, first_paths);
}

std::uint64_t reads_of_diff(Bench& bench, const wire::SnapshotRecord& older, const wire::SnapshotRecord& newer,
                            const Reads& expected) {
  std::uint64_t before = bench.vault.reads();
  auto found = platform::run_task(bench.platform, diff(bench.vault, older, newer));
  Reads paths;
  for (const Change& change : *found) paths.push_back(change.path);
  EXPECT_EQ(paths, expected);
  return bench.vault.reads() - before;
}

TEST(Diff, DoesNotReadWhatIsTheSame) {
  Bench bench;
  auto entries = invented_entries();
  auto older = put_pages(bench.vault, entries, 100, 100);
  EXPECT_EQ(reads_of_diff(bench, older, older, {}), 2u) << "the two lists";
  entries[550].mode = 1;
  auto newer = put_pages(bench.vault, entries, 100, 100);
  EXPECT_EQ(reads_of_diff(bench, older, newer, {entries[550].path}), 4u) << "and the page that differs, twice";
}

TEST(Diff, PagesThatAreCutElsewhereAreTheSameTree) {
  Bench bench;
  auto entries = invented_entries();
  auto older = put_pages(bench.vault, entries, 100, 100);
  EXPECT_EQ(reads_of_diff(bench, older, put_pages(bench.vault, entries, 37, 61), {}), 2u + 10u + 17u);
  std::string removed = entries.front().path;
  entries.erase(entries.begin());
  // The first page is one entry shorter, all others are the same.
  EXPECT_EQ(reads_of_diff(bench, older, put_pages(bench.vault, entries, 99, 100), {removed}), 4u);
}

TEST(Diff, EverythingOrNothing) {
  Bench bench;
  auto entries = invented_entries();
  auto all = put_pages(bench.vault, entries, 100, 100);
  auto none = bench.vault.put_snapshot({}, {});
  Reads paths;
  for (const auto& entry : entries) paths.push_back(entry.path);
  EXPECT_EQ(reads_of_diff(bench, none, all, paths), 12u);
  EXPECT_EQ(reads_of_diff(bench, all, none, paths), 12u);
}

TEST_F(Tree, FilesThatAreLostAreCountedBySnapshot) {
  const auto whole = bench_.backup({tree_.at("d1")});
  const auto both = bench_.backup({tree_.at("d1"), tree_.at("d2")});
  EXPECT_TRUE(platform::run_task(bench_.platform, lost_files(bench_.vault)).empty());
  for (const char* name : {"d2/7", "d2/9"})
    bench_.vault.forget(bench_.entries(both.snapshot, tree_.at(name)).at(0).chunks.at(0));
  const auto lost = platform::run_task(bench_.platform, lost_files(bench_.vault));
  ASSERT_EQ(lost.size(), 1u);
  EXPECT_EQ(lost[0].snapshot.id, both.snapshot.id);
  EXPECT_EQ(lost[0].files, 2u);
  EXPECT_EQ("/" + lost[0].first, tree_.at("d2/7"));
}

}  // namespace
}  // namespace mhp::snapshot
