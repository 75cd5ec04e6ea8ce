// Pages: what is cut is what came in, and a small change leaves nearly all pages as they were.
#include "snapshot/page_writer.h"

#include <set>

#include "snapshot/test_tree.h"

namespace mhp::snapshot {
namespace {

struct Pages {
  std::vector<wire::TreeEntry> entries;
  std::vector<std::size_t> bytes;
  std::set<ChunkId> ids;
  std::vector<PageOrigin> origins;  // of entries
  std::uint64_t stored_bytes = 0;
};

/// `origins`: none, or one for each entry.
Pages write(const std::vector<wire::TreeEntry>& entries, Bench& bench, const std::vector<PageOrigin>& origins) {
  PageWriter writer({});
  for (std::size_t i = 0; i < entries.size(); ++i) writer.add(entries[i], origins.empty() ? PageOrigin() : origins[i]);
  writer.end();
  Pages pages;
  pages.stored_bytes = writer.waiting_bytes();
  auto session = platform::run_task(bench.platform, bench.vault.begin_write({}));
  auto packer = (*session)->new_packer();
  while (!writer.store(*packer)) (void)(*session)->seal(*packer);
  if (!packer->empty()) (void)(*session)->seal(*packer);
  EXPECT_EQ(writer.waiting_bytes(), 0u);
  for (const wire::PageRef& ref : writer.list().pages) {
    auto bytes = platform::run_task(bench.platform, bench.vault.read(ref.page));
    auto page = wire::parse_tree_page(*bytes);
    EXPECT_TRUE(page.has_value());
    EXPECT_EQ(page->entries.front().path, ref.first_path);
    std::size_t estimate = 0;
    for (const wire::TreeEntry& entry : page->entries) estimate += page_bytes_of(entry);
    pages.bytes.push_back(estimate);
    pages.ids.insert(ref.page);
    for (std::size_t i = 0; i < page->entries.size(); ++i)
      pages.origins.push_back({.page = ref.page, .index = i, .count = page->entries.size()});
    std::ranges::move(page->entries, std::back_inserter(pages.entries));
  }
  return pages;
}

Pages write(const std::vector<wire::TreeEntry>& entries) {
  Bench bench;
  return write(entries, bench, {});
}

std::vector<wire::TreeEntry> invented_entries(int count) {
  std::vector<wire::TreeEntry> entries;
  for (int i = 0; i < count; ++i) {
    wire::TreeEntry& entry = entries.emplace_back();
    entry.path = "home/ann/folder " + std::to_string(1000 + i / 100) + "/file " + std::to_string(1000 + i % 100);
    entry.size = static_cast<std::uint64_t>(i);
    entry.chunks.resize(1);
    entry.mtime_ns = std::int64_t{i} * 1'000'003;
  }
  return entries;
}

std::size_t new_pages(const Pages& before, const Pages& after) {
  std::size_t count = 0;
  for (const ChunkId& id : after.ids) count += before.ids.contains(id) ? 0 : 1;
  return count;
}

TEST(PageWriter, CutsBetweenTheLimitsAndLosesNothing) {
  auto entries = invented_entries(40'000);
  Pages pages = write(entries);
  EXPECT_EQ(pages.entries, entries);
  EXPECT_GT(pages.bytes.size(), 10u);
  for (std::size_t i = 0; i < pages.bytes.size(); ++i) {
    EXPECT_LE(pages.bytes[i], PageWriter::kMaxPageBytes);
    if (i + 1 < pages.bytes.size()) {
      EXPECT_GE(pages.bytes[i], PageWriter::kMinPageBytes);
    }
  }
}

TEST(PageWriter, ASmallChangeTouchesFewPages) {
  auto entries = invented_entries(10'000);
  Pages before = write(entries);
  for (std::size_t at = 1000; at < entries.size(); at += 7919) {
    auto changed = entries;
    changed[at].mtime_ns = 1;
    EXPECT_EQ(new_pages(before, write(changed)), 1u) << at;
    changed = entries;
    changed.erase(changed.begin() + static_cast<std::ptrdiff_t>(at));
    EXPECT_LE(new_pages(before, write(changed)), 3u) << at;
    changed = entries;
    changed.insert(changed.begin() + static_cast<std::ptrdiff_t>(at) + 1, entries[at]);
    changed[at + 1].path += " copy";
    EXPECT_LE(new_pages(before, write(changed)), 3u) << at;
  }
}

TEST(PageWriter, WhatIsAsItWasIsNotWrittenAgain) {
  auto entries = invented_entries(4'000);
  Bench bench;
  Pages before = write(entries, bench, {});
  ASSERT_EQ(before.origins.size(), entries.size());
  Pages again = write(entries, bench, before.origins);
  EXPECT_EQ(again.ids, before.ids);
  EXPECT_EQ(again.stored_bytes, 0u);
  // Whatever comes, goes or changes, the pages are those that would be written without knowing the ones before.
  for (std::size_t at : {0ul, 1ul, 2'000ul, 3'998ul, 3'999ul}) {
    auto there = static_cast<std::ptrdiff_t>(at);
    auto changed = entries;
    auto origins = before.origins;
    changed[at].mtime_ns = 1;
    origins[at] = {};
    Pages after = write(changed, bench, origins);
    EXPECT_EQ(after.ids, write(changed).ids) << at;
    EXPECT_EQ(after.entries, changed);
    EXPECT_LT(after.stored_bytes, 2 * PageWriter::kMaxPageBytes);
    changed = entries;
    origins = before.origins;
    changed.erase(changed.begin() + there);
    origins.erase(origins.begin() + there);
    EXPECT_EQ(write(changed, bench, origins).ids, write(changed).ids) << at;
    changed = entries;
    origins = before.origins;
    changed.insert(changed.begin() + there + 1, entries[at]);
    changed[at + 1].path += " copy";
    origins.insert(origins.begin() + there + 1, PageOrigin());
    EXPECT_EQ(write(changed, bench, origins).ids, write(changed).ids) << at;
  }
}

TEST(PageWriter, ABigEntryHasItsPlace) {
  auto entries = invented_entries(3);
  entries[1].chunks.resize(1024);
  entries[1].extents.resize(4096);
  for (std::size_t i = 0; i < entries[1].extents.size(); ++i) entries[1].extents[i] = {i * 8192, 4096};
  entries[1].size = 4096 * 8192;
  entries[1].xattrs = {{"user.big", Bytes(1_MiB - 8)}};
  EXPECT_EQ(write(entries).entries, entries);
}

TEST(PageWriter, NothingIsNoPage) { EXPECT_TRUE(write({}).ids.empty()); }

}  // namespace
}  // namespace mhp::snapshot
