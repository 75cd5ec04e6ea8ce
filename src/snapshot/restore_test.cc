// Restores: parts, refusals, lost and wrong content, and trees made to do harm.
#include "snapshot/restore.h"

#include <algorithm>

#include "snapshot/test_tree.h"
#include "snapshot/tree.h"

namespace mhp::snapshot {
namespace {

class Restore : public testing::Test {
 protected:
  Restore() : tree_(place_.path() + "/source"), out_(place_.path() + "/out") { tree_.folder(""); }
  std::vector<std::string> describe(const std::string& path) { return describe_tree(bench_.platform.trees(), path); }
  std::vector<std::string> names_in(const std::string& path) {
    auto names = bench_.platform.trees().source(path + "/x")->folder->names().value();
    std::ranges::sort(names);
    return names;
  }
  wire::TreeEntry file_entry(const std::string& path, std::string_view content) {
    wire::TreeEntry entry;
    entry.path = path;
    entry.mode = 0644;
    entry.size = content.size();
    entry.chunks = {bench_.vault.put(as_bytes(content))};
    return entry;
  }

  platform::TempFolder place_;
  TestTree tree_;
  std::string out_;
  Bench bench_;
};

using Names = std::vector<std::string>;

TEST_F(Restore, OneFileGoesRightIntoTheFolder) {
  tree_.folder("a");
  tree_.file("a/f", "content");
  tree_.file("a/g", "other");
  auto saved = bench_.backup({tree_.at("")});
  auto report = bench_.restore(saved.snapshot, out_, tree_.at("a/f"));
  EXPECT_EQ(report.files, 1u);
  EXPECT_EQ(names_in(out_), Names{"f"});
  EXPECT_EQ(describe(out_ + "/f"), describe(tree_.at("a/f")));
}

TEST_F(Restore, RefusesATargetThatIsNotEmpty) {
  tree_.file("f", "content");
  auto saved = bench_.backup({tree_.at("")});
  auto report = bench_.try_restore(saved.snapshot, tree_.at(""));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::busy);
}

TEST_F(Restore, APathThatIsNotThereIsNamedAndNothingMade) {
  tree_.file("f", "content");
  auto saved = bench_.backup({tree_.at("")});
  auto report = bench_.try_restore(saved.snapshot, out_, tree_.at("g"));
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::not_found);
  EXPECT_FALSE(bench_.platform.trees().source(out_ + "/x"));
}

TEST_F(Restore, AHardLinkWhoseFirstNameIsOutsideBringsItsContent) {
  tree_.folder("a");
  tree_.folder("b");
  tree_.file("a/1", "content");
  tree_.hard_link("b/2", "a/1");
  tree_.hard_link("b/3", "a/1");
  auto saved = bench_.backup({tree_.at("")});
  EXPECT_TRUE(bench_.restore(saved.snapshot, out_, tree_.at("b")).errors.empty());
  EXPECT_EQ(describe(out_), describe(tree_.at("b")));
  EXPECT_TRUE(bench_.restore(saved.snapshot, out_ + "3", tree_.at("b/3")).errors.empty());
  EXPECT_EQ(names_in(out_ + "3"), Names{"3"});
}

TEST_F(Restore, DryRunFetchesAndMakesNothing) {
  tree_.file("f", "content");
  tree_.random_file("g", 3_MiB, 1);
  auto saved = bench_.backup({tree_.at("")});
  RestoreOptions options;
  options.snapshot = saved.snapshot;
  options.to = out_;
  options.dry_run = true;
  Counters counters;
  auto report = platform::run_task(bench_.platform, restore(bench_.platform, bench_.vault, options, counters));
  ASSERT_TRUE(report);
  EXPECT_EQ(report->files, 2u);
  EXPECT_EQ(report->bytes, saved.snapshot.bytes);
  EXPECT_EQ(bench_.vault.fetches(), 0u);
  EXPECT_FALSE(bench_.platform.trees().source(out_ + "/x"));
}

TEST_F(Restore, EachSegmentIsFetchedOnceAndOneFileNeedsOne) {
  for (int i = 0; i < 40; ++i) tree_.random_file("f" + std::to_string(i), 1_MiB, static_cast<std::uint64_t>(i));
  auto saved = bench_.backup({tree_.at("")});
  std::uint64_t segments = bench_.vault.segments();
  EXPECT_GE(segments, 5u);
  bench_.restore(saved.snapshot, out_);
  EXPECT_LE(bench_.vault.fetches(), segments);
  std::uint64_t before = bench_.vault.fetches();
  bench_.restore(saved.snapshot, out_ + "1", tree_.at("f7"));
  EXPECT_LE(bench_.vault.fetches() - before, 2u);
}

TEST_F(Restore, WhatCannotBeHadIsNamedTheRestComesBack) {
  for (int i = 0; i < 40; ++i) tree_.random_file("f" + std::to_string(i), 1_MiB, static_cast<std::uint64_t>(i));
  auto saved = bench_.backup({tree_.at("")});
  bench_.vault.lose_segment(0);
  auto report = bench_.restore(saved.snapshot, out_, tree_.at(""));
  EXPECT_GT(report.errors.size(), 0u);
  EXPECT_GT(report.files, 0u);
  EXPECT_EQ(report.files + report.errors.size(), 40u);
  EXPECT_EQ(report.worst->code, Errc::unavailable);
  EXPECT_NE(report.errors.front().reason.find("needs 12 rows"), std::string::npos);
  for (const SourceError& error : report.errors) {
    EXPECT_TRUE(error.path.starts_with(tree_.at("f"))) << error.path;
    auto names = names_in(out_);
    EXPECT_FALSE(std::ranges::binary_search(names, error.path.substr(error.path.rfind('/') + 1)))
        << "a part of it is left";
  }
}

TEST_F(Restore, WhatOneSegmentDoesNotGiveComesFromAnother) {
  for (int i = 0; i < 40; ++i) tree_.random_file("f" + std::to_string(i), 1_MiB, static_cast<std::uint64_t>(i));
  auto saved = bench_.backup({tree_.at("")});
  auto entries = bench_.entries(saved.snapshot, tree_.at(""));
  const auto segments = static_cast<std::uint32_t>(bench_.vault.segments());
  for (std::uint32_t i = 0; i < segments; ++i) bench_.vault.copy_segment(i);
  std::optional<std::uint32_t> lost;  // a whole segment; the others give a wrong byte of each file
  for (const auto& entry : entries) {
    if (entry.chunks.empty()) continue;
    if (!lost) lost = bench_.vault.place_of(entry.chunks.front())->segment;
    bench_.vault.damage(entry.chunks.back());
  }
  ASSERT_TRUE(lost);
  bench_.vault.lose_segment(*lost);
  auto report = bench_.restore(saved.snapshot, out_, tree_.at(""));
  EXPECT_TRUE(report.errors.empty());
  EXPECT_EQ(report.files, 40u);
  EXPECT_EQ(describe(out_), describe(tree_.at("")));
  bench_.vault.lose_segment(segments + *lost);  // the copy too
  report = bench_.restore(saved.snapshot, out_ + "2", tree_.at(""));
  EXPECT_GT(report.errors.size(), 0u);
  EXPECT_EQ(report.files + report.errors.size(), 40u);
  EXPECT_EQ(report.worst->code, Errc::unavailable);
}

TEST_F(Restore, WrongBytesAreNeverBroughtBack) {
  tree_.file("good", "good");
  tree_.random_file("bad", 3_MiB, 1);
  auto saved = bench_.backup({tree_.at("")});
  for (const auto& entry : bench_.entries(saved.snapshot, tree_.at("bad"))) bench_.vault.damage(entry.chunks.back());
  auto report = bench_.restore(saved.snapshot, out_, tree_.at(""));
  ASSERT_EQ(report.errors.size(), 1u);
  EXPECT_EQ(report.errors[0].path, tree_.at("bad"));
  EXPECT_EQ(report.worst->code, Errc::corrupt);
  EXPECT_EQ(names_in(out_), Names{"good"});
}

TEST_F(Restore, ContentOfAnotherLengthIsRefused) {
  wire::TreePage page;
  page.entries = {file_entry("a", "content"), file_entry("b", "content")};
  page.entries[0].size = 3;
  page.entries[1].size = 1_GiB;
  auto report = bench_.restore(bench_.vault.put_snapshot({page}, {"a"}), out_);
  EXPECT_EQ(report.errors.size(), 2u);
  EXPECT_EQ(report.worst->code, Errc::corrupt);
  EXPECT_TRUE(names_in(out_).empty());
}

TEST_F(Restore, AFileBeneathALinkWritesNothingOutside) {
  tree_.folder("outside");
  wire::TreeEntry link;
  link.kind = wire::EntryKind::symlink;
  link.path = "a";
  link.link_target = tree_.at("outside");
  wire::TreeEntry below = link;
  below.kind = wire::EntryKind::folder;
  below.path = "a/folder";
  below.link_target.clear();
  wire::TreeEntry hard = file_entry("a/z hard", "x");
  hard.chunks.clear();
  hard.hard_link_to = "a/f";
  wire::TreePage page;
  page.entries = {link, file_entry("a/f", "planted"), below, file_entry("a/folder/g", "planted"),
                  hard, file_entry("b", "fine")};
  auto report = bench_.restore(bench_.vault.put_snapshot({page}, {"a"}), out_);
  EXPECT_EQ(report.errors.size(), 4u);
  EXPECT_EQ(report.files, 2u);
  EXPECT_TRUE(names_in(tree_.at("outside")).empty());
  EXPECT_EQ(names_in(out_), (Names{"a", "b"}));
}

TEST_F(Restore, AHardLinkToAPlantedLinkStaysInside) {
  tree_.folder("outside");
  tree_.file("outside/secret", "secret");
  wire::TreeEntry link;
  link.kind = wire::EntryKind::symlink;
  link.path = "a";
  link.link_target = tree_.at("outside");
  wire::TreeEntry hard;
  hard.path = "b";
  hard.hard_link_to = "a/secret";
  wire::TreePage page;
  page.entries = {link, hard};
  auto report = bench_.restore(bench_.vault.put_snapshot({page}, {"a"}), out_);
  EXPECT_EQ(report.errors.size(), 1u);
  EXPECT_EQ(names_in(out_), Names{"a"});
}

TEST_F(Restore, PathsThatLeadOutAreNoTree) {
  for (const char* path : {"../x", "a/../../x", "/etc/x", "a//b", ".", "a/."}) {
    wire::TreePage page;
    page.entries = {file_entry(path, "planted")};
    auto report = bench_.try_restore(bench_.vault.put_snapshot({page}, {"a"}),
                                     out_ + std::to_string(page.entries[0].path.size()) + "p");
    EXPECT_FALSE(report.has_value()) << path;
  }
  EXPECT_EQ(names_in(place_.path()), Names{"source"}) << "a page that is refused makes no folder";
}

TEST_F(Restore, DeepFoldersComeBack) {
  std::string path;
  for (int depth = 0; depth < 150; ++depth)
    path += (path.empty() ? "" : "/") + std::string("folder ") + std::to_string(depth);
  tree_.folder(path);
  tree_.file(path + "/f", "deep");
  tree_.file("folder 0/z", "shallow again");
  tree_.file("folder 0/folder 1/folder 2/z", "half way");
  auto saved = bench_.backup({tree_.at("")});
  EXPECT_TRUE(saved.errors.empty());
  EXPECT_EQ(saved.snapshot.files, 3u);
  EXPECT_TRUE(bench_.restore(saved.snapshot, out_, tree_.at("")).errors.empty());
  EXPECT_EQ(describe(tree_.at("")), describe(out_));
}

TEST_F(Restore, ATerabyteHoleIsQuick) {
  tree_.sparse_file("huge", 1024_GiB, {{512_GiB, "in the middle"}});
  auto saved = bench_.backup({tree_.at("")});
  EXPECT_TRUE(saved.errors.empty());
  EXPECT_TRUE(bench_.restore(saved.snapshot, out_, tree_.at("")).errors.empty());
  EXPECT_EQ(describe(tree_.at("")), describe(out_));
}

}  // namespace
}  // namespace mhp::snapshot
