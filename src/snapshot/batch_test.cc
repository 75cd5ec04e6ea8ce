// What is taken over from the snapshot before, and what is read again.
#include "snapshot/batch.h"

#include <gtest/gtest.h>

#include "snapshot/memory_vault.h"

namespace mhp::snapshot {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kChanged = 1'700'000'000 * kSecond;

/// True where a file whose times are as before is read again.
bool reads_again(std::int64_t mtime_ns, std::int64_t ctime_ns, std::int64_t earlier_ns) {
  wire::TreeEntry entry;
  entry.path = "a";
  entry.kind = wire::EntryKind::file;
  entry.mtime_ns = mtime_ns;
  entry.ctime_ns = ctime_ns;
  auto page = std::make_shared<EarlierPage>();
  page->entries.push_back(entry);
  BatchWork work;
  work.earlier.push_back({page, 0, 1});
  ScanItem item;
  item.path = "a";
  item.info.kind = platform::NodeKind::file;
  item.info.mtime_ns = mtime_ns;
  item.info.ctime_ns = ctime_ns;
  work.batch.items.push_back(std::move(item));
  const MemoryVault vault(1);
  Counters counters;
  compare(work, vault, {}, earlier_ns, counters);
  EXPECT_EQ(work.files_unchanged, 1u);
  return !work.to_read.empty();
}

TEST(Batch, WhatChangedInTheClockTickOfTheEarlierRunIsReadAgain) {
  EXPECT_TRUE(reads_again(kChanged, kChanged, kChanged));  // it may have changed once more, after it was read
  EXPECT_TRUE(reads_again(kChanged, kChanged, kChanged + kSecond));
  EXPECT_TRUE(reads_again(kChanged - 9 * kSecond, kChanged, kChanged + kSecond));
  EXPECT_TRUE(reads_again(kChanged, kChanged, kChanged - 60 * kSecond));  // while the earlier run went on
  EXPECT_FALSE(reads_again(kChanged, kChanged, kChanged + 3 * kSecond));
}

}  // namespace
}  // namespace mhp::snapshot
