// Everything that a staying snapshot needs is marked, each in its role, and read once.
#include "snapshot/forget.h"

#include <algorithm>

#include "snapshot/page_reader.h"
#include "snapshot/test_tree.h"

namespace mhp::snapshot {
namespace {

using vault::ChunkRole;

vault::Collected run_forget(Bench& bench, const std::vector<SnapshotId>& ids = {}) {
  vault::CollectOptions options;
  options.forget = ids;
  ForgetProgress progress;
  auto done = platform::run_task(bench.platform, forget(bench.platform, bench.vault, options, progress));
  if (!done) ADD_FAILURE() << done.error().detail;
  EXPECT_EQ(progress.snapshots_done, progress.snapshots);
  return *done;
}

TEST(Forget, MarksWhatASnapshotNeedsAndNothingElse) {
  platform::TempFolder place;
  TestTree tree(place.path());
  Bench bench;
  tree.file("one", "first content");
  tree.file("two", std::string(3'000'000, 'x') + "end");
  auto first = bench.backup({place.path()}).snapshot;
  tree.file("one", "second content, longer");
  auto second = bench.backup({place.path()}).snapshot;
  auto done = run_forget(bench, {first.id});
  EXPECT_EQ(done.held_back, "");
  const auto& marked = bench.vault.marked();
  EXPECT_EQ(marked.at(ChunkRole::page_list), std::set{second.page_list});
  std::set<ChunkId> content, pages;
  auto list = platform::run_task(bench.platform, read_page_list(bench.vault, second.page_list));
  ASSERT_TRUE(list);
  for (const auto& ref : list->pages) {
    pages.insert(ref.page);
    auto page = platform::run_task(bench.platform, read_page(bench.vault, ref.page));
    ASSERT_TRUE(page);
    for (const auto& entry : page->entries) content.insert(entry.chunks.begin(), entry.chunks.end());
  }
  EXPECT_EQ(marked.at(ChunkRole::page), pages);
  EXPECT_EQ(marked.at(ChunkRole::content), content);
  EXPECT_FALSE(marked.contains(ChunkRole::chunk_list));
}

TEST(Forget, AFileThatLooksLikeAPageHidesNothing) {
  // The same bytes as content of a file and as a page: both ways are gone.
  Bench bench;
  wire::TreeEntry inner{.path = "inner"};
  inner.size = 7;
  inner.chunks = {bench.vault.put(as_bytes("content"))};
  Bytes page = wire::encode(wire::TreePage{{inner}});
  wire::TreeEntry outer{.path = "a"};
  outer.size = page.size();
  outer.chunks = {bench.vault.put(page)};
  bench.vault.put_snapshot({wire::TreePage{{outer}}, wire::TreePage{{inner}}}, {"a", "inner"});
  run_forget(bench);
  const auto& marked = bench.vault.marked();
  EXPECT_TRUE(marked.at(ChunkRole::content).contains(inner.chunks[0]));
  EXPECT_TRUE(marked.at(ChunkRole::content).contains(outer.chunks[0]));
  EXPECT_TRUE(marked.at(ChunkRole::page).contains(outer.chunks[0]));
}

TEST(Forget, GoesThroughListsOfChunks) {
  Bench bench;
  std::vector<ChunkId> parts{bench.vault.put(as_bytes("first")), bench.vault.put(as_bytes("second"))};
  Bytes list;
  for (const ChunkId& id : parts) list.insert(list.end(), id.bytes().begin(), id.bytes().end());
  wire::TreeEntry entry{.path = "big"};
  entry.size = 11;
  entry.chunks = {bench.vault.put(list)};
  entry.chunks_are_lists = true;
  bench.vault.put_snapshot({wire::TreePage{{entry}}}, {"big"});
  run_forget(bench);
  EXPECT_EQ(bench.vault.marked().at(ChunkRole::chunk_list), std::set{entry.chunks[0]});
  EXPECT_EQ(bench.vault.marked().at(ChunkRole::content), std::set(parts.begin(), parts.end()));
}

TEST(Forget, SharedPagesAreReadOnce) {
  platform::TempFolder place;
  TestTree tree(place.path());
  Bench bench;
  for (int f = 0; f < 300; ++f) tree.file("f" + std::to_string(f), std::to_string(f));
  for (int i = 0; i < 50; ++i) bench.backup({place.path()});
  std::uint64_t reads = bench.vault.reads();
  run_forget(bench);
  // Each list, and the first page of each: others may write into the folders above meanwhile, whose times are in it.
  EXPECT_LT(bench.vault.reads() - reads, 120u);
}

TEST(Forget, WhatCannotBeReadIsSaidAndStopsIt) {
  platform::TempFolder place;
  TestTree tree(place.path());
  Bench bench;
  tree.file("one", "content");
  auto saved = bench.backup({place.path()}).snapshot;
  auto list = platform::run_task(bench.platform, read_page_list(bench.vault, saved.page_list));
  ASSERT_TRUE(list);
  bench.vault.forget(list->pages.back().page);
  auto done = run_forget(bench);
  EXPECT_NE(done.held_back.find(saved.id.short_hex()), std::string::npos) << done.held_back;
}

}  // namespace
}  // namespace mhp::snapshot
