// What the disk in memory does wrong when it is told to: lost, torn and refused writes, and that it does no more.
#include <gtest/gtest.h>

#include <set>

#include "platform/memory/memory_platform.h"

namespace mhp::platform {
namespace {

std::unique_ptr<MemoryDisk> make_disk() {
  auto disk = std::make_unique<MemoryDisk>();
  EXPECT_TRUE(disk->make_folder("/d"));
  EXPECT_TRUE(disk->sync_folder("/"));
  return disk;
}

std::string content_of(Disk& disk, const std::string& path) {
  const auto bytes = read_file(disk, path, 1_MiB);
  return bytes ? std::string(as_text(*bytes)) : to_string(bytes.error().code);
}

TEST(PowerCut, KeepsWhatWasSynced) {
  const auto disk = make_disk();
  ASSERT_TRUE(replace_file(*disk, "/d/a", as_bytes("synced")));
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    EXPECT_EQ(content_of(*disk->after_power_cut(seed), "/d/a"), "synced") << "seed " << seed;
  }
}

TEST(PowerCut, SeedZeroLosesAllElse) {
  const auto disk = make_disk();
  ASSERT_TRUE(replace_file(*disk, "/d/a", as_bytes("old")));
  ASSERT_TRUE(disk->make_folder("/d/e/f"));
  const auto a = *disk->open("/d/a", Open::write);
  ASSERT_TRUE(a->write_at(0, as_bytes("new")));
  const auto b = *disk->open("/d/b", Open::create);
  ASSERT_TRUE(b->write_at(0, as_bytes("data")));
  ASSERT_TRUE(b->sync());  // the data, not the name
  const auto after = disk->after_power_cut(0);
  EXPECT_EQ(content_of(*after, "/d/a"), "old");
  EXPECT_EQ(*after->list("/d"), (std::vector<std::string>{"a", "e"}));  // e is a parent: made durable
  ASSERT_TRUE(disk->sync_folder("/d"));
  EXPECT_EQ(content_of(*disk->after_power_cut(0), "/d/b"), "data");
}

TEST(PowerCut, TearsAtBlocksOnly) {
  const auto disk = make_disk();
  ASSERT_TRUE(replace_file(*disk, "/d/a", as_bytes(std::string(20'000, 'o'))));
  const auto file = *disk->open("/d/a", Open::write);
  ASSERT_TRUE(file->write_at(1000, as_bytes(std::string(10'000, 'n'))));
  std::set<std::string> seen;
  for (std::uint64_t seed = 1; seed <= 500; ++seed) {
    const std::string text = content_of(*disk->after_power_cut(seed), "/d/a");
    ASSERT_EQ(text.size(), 20'000U);
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool written = i >= 1000 && i < 11'000;
      ASSERT_TRUE(text[i] == 'o' || (written && text[i] == 'n')) << "seed " << seed << " byte " << i;
      const bool same_block = i > 0 && i % 512 != 0 && i != 1000 && i != 11'000;
      if (same_block) ASSERT_EQ(text[i], text[i - 1]) << "seed " << seed << " byte " << i;
    }
    seen.insert(text);
  }
  EXPECT_TRUE(seen.contains(std::string(20'000, 'o')));                                                    // all lost
  EXPECT_TRUE(seen.contains(std::string(1000, 'o') + std::string(10'000, 'n') + std::string(9000, 'o')));  // all kept
  EXPECT_GT(seen.size(), 50U);  // and torn in many ways
}

TEST(PowerCut, ReordersUnsyncedWrites) {
  const auto disk = make_disk();
  const auto file = *disk->open("/d/a", Open::create);
  ASSERT_TRUE(disk->sync_folder("/d"));
  ASSERT_TRUE(file->write_at(0, as_bytes("1")));
  ASSERT_TRUE(file->write_at(1, as_bytes("2")));
  ASSERT_TRUE(file->write_at(0, as_bytes("3")));
  std::set<std::string> seen;
  for (std::uint64_t seed = 0; seed < 500; ++seed) seen.insert(content_of(*disk->after_power_cut(seed), "/d/a"));
  EXPECT_TRUE(seen.contains(""));
  EXPECT_TRUE(seen.contains("32"));
  EXPECT_TRUE(seen.contains("12"));  // the later write to byte 0 lost or overtaken
  EXPECT_TRUE(
      seen.contains(std::string("\0"
                                "2",
                                2)));  // only the second
  EXPECT_TRUE(seen.contains("3"));
}

TEST(PowerCut, IsTheSameForTheSameSeed) {
  const auto disk = make_disk();
  const auto file = *disk->open("/d/a", Open::create);
  ASSERT_TRUE(disk->sync_folder("/d"));
  ASSERT_TRUE(file->write_at(100, as_bytes(std::string(50'000, 'x'))));
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    EXPECT_EQ(content_of(*disk->after_power_cut(seed), "/d/a"), content_of(*disk->after_power_cut(seed), "/d/a"));
  }
}

TEST(PowerCut, AFailedSyncIsNotMadeGoodByTheNext) {
  const auto disk = make_disk();
  ASSERT_TRUE(replace_file(*disk, "/d/a", as_bytes("old old")));
  const auto file = *disk->open("/d/a", Open::write);
  ASSERT_TRUE(file->write_at(0, as_bytes("new")));
  disk->set_faults({.fail_call = disk->calls() + 1});
  EXPECT_FALSE(file->sync());
  ASSERT_TRUE(file->write_at(4, as_bytes("new")));
  EXPECT_TRUE(file->sync());
  EXPECT_EQ(content_of(*disk, "/d/a"), "new new");
  EXPECT_EQ(content_of(*disk->after_power_cut(0), "/d/a"), "old new");
  ASSERT_TRUE(file->write_at(0, as_bytes("NEW")));  // written again: good again
  EXPECT_TRUE(file->sync());
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    EXPECT_EQ(content_of(*disk->after_power_cut(seed), "/d/a"), "NEW new") << "seed " << seed;
  }
}

TEST(PowerCut, ReplaceFileIsAllOrNothingAtEveryCallAndCut) {
  const std::string old_text(3000, 'o');
  const std::string new_text(9000, 'n');
  int states = 0;
  for (std::uint64_t fault = 1; fault <= 9; ++fault) {
    for (const bool short_write : {false, true}) {
      const auto disk = make_disk();
      ASSERT_TRUE(replace_file(*disk, "/d/a", as_bytes(old_text)));
      disk->set_faults({.fail_call = disk->calls() + fault, .fail_ever_after = true, .short_write = short_write});
      const bool done = replace_file(*disk, "/d/a", as_bytes(new_text)).has_value();
      EXPECT_EQ(done, fault > 6) << fault;  // open, truncate, write, sync, rename, sync_folder
      for (std::uint64_t seed = 0; seed < 200; ++seed, ++states) {
        const std::string text = content_of(*disk->after_power_cut(seed), "/d/a");
        ASSERT_TRUE(text == new_text || (!done && text == old_text)) << "fault " << fault << " seed " << seed;
      }
    }
  }
  EXPECT_EQ(states, 3600);
}

TEST(PowerCut, FollowsFoldersThatMove) {
  const auto disk = make_disk();
  ASSERT_TRUE(disk->make_folder("/d/from"));
  ASSERT_TRUE(disk->sync_folder("/d"));
  const auto file = *disk->open("/d/from/a", Open::create);
  ASSERT_TRUE(file->write_at(0, as_bytes("data")));
  ASSERT_TRUE(file->sync());
  ASSERT_TRUE(disk->rename("/d/from", "/d/to"));
  ASSERT_TRUE(disk->sync_folder("/d"));
  EXPECT_EQ(content_of(*disk->after_power_cut(0), "/d/to/a"), "not_found");
  ASSERT_TRUE(disk->sync_folder("/d/to"));
  EXPECT_EQ(content_of(*disk->after_power_cut(0), "/d/to/a"), "data");
}

TEST(PowerCut, FreesLocksAndKeepsTheOldDiskAlive) {
  const auto disk = make_disk();
  const auto lock = disk->lock("/d/lock", "first");
  ASSERT_TRUE(lock);
  const auto after = disk->after_power_cut(7);
  EXPECT_TRUE(after->lock("/d/lock", "second"));
  EXPECT_FALSE(disk->lock("/d/lock", "third"));
}

TEST(DiskFaults, FailOnceOrEverAfter) {
  const auto disk = make_disk();
  const auto file = *disk->open("/d/a", Open::create);
  disk->set_faults({.fail_call = disk->calls() + 2});
  EXPECT_TRUE(file->write_at(0, as_bytes("x")));
  EXPECT_EQ(file->write_at(0, as_bytes("y")).error().code, Errc::unavailable);
  EXPECT_TRUE(file->write_at(0, as_bytes("z")));
  disk->set_faults({.fail_call = disk->calls() + 1, .fail_ever_after = true, .fail_with = Errc::full});
  EXPECT_EQ(file->sync().error().code, Errc::full);
  EXPECT_EQ(disk->open("/d/a", Open::read).error().code, Errc::full);
  EXPECT_EQ(disk->rename("/d/a", "/d/b").error().code, Errc::full);
  EXPECT_EQ(content_of(*disk, "/d/a"), "full");
  disk->set_faults({});
  EXPECT_EQ(content_of(*disk, "/d/a"), "z");
}

TEST(DiskFaults, WriteHalf) {
  const auto disk = make_disk();
  const auto file = *disk->open("/d/a", Open::create);
  disk->set_faults({.fail_call = disk->calls() + 1, .short_write = true});
  EXPECT_FALSE(file->write_at(0, as_bytes("12345678")));
  EXPECT_EQ(content_of(*disk, "/d/a"), "1234");
}

TEST(DiskFaults, EndAtTheCapacity) {
  const auto disk = make_disk();
  disk->set_faults({.capacity_bytes = 1000});
  const auto a = *disk->open("/d/a", Open::create);
  const auto b = *disk->open("/d/b", Open::create);
  EXPECT_TRUE(a->reserve(0, 400));
  EXPECT_EQ(disk->space("/d")->free_bytes, 600U);
  EXPECT_TRUE(b->write_at(0, Bytes(600)));
  EXPECT_EQ(b->write_at(600, Bytes(1)).error().code, Errc::full);
  EXPECT_EQ(b->reserve(600, 1).error().code, Errc::full);
  EXPECT_TRUE(a->write_at(0, Bytes(400)));  // what was reserved is there
  EXPECT_TRUE(b->write_at(100, Bytes(100)));
  EXPECT_EQ(a->write_at(300, Bytes(200)).error().code, Errc::full);
  EXPECT_TRUE(disk->remove("/d/b"));
  EXPECT_EQ(disk->space("/d")->free_bytes, 600U);
  EXPECT_TRUE(a->write_at(300, Bytes(200)));
  EXPECT_TRUE(a->truncate(10));
  EXPECT_EQ(disk->space("/d")->free_bytes, 990U);
}

TEST(DiskFaults, FlipOneBitForGood) {
  const auto disk = make_disk();
  ASSERT_TRUE(replace_file(*disk, "/d/a", as_bytes("aaa")));
  disk->flip_bit("/d/a", 9);
  EXPECT_EQ(content_of(*disk, "/d/a"), "aca");
  EXPECT_EQ(content_of(*disk->after_power_cut(0), "/d/a"), "aca");
}

}  // namespace
}  // namespace mhp::platform
