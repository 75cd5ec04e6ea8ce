// How often homes were there: what is counted, and that it is kept.
#include "app/presence.h"

#include <gtest/gtest.h>

#include "platform/memory/memory_platform.h"

namespace mhp::app {
namespace {

const HomeId kHome = HomeId::from_array({std::byte{1}});

Attendance after(unsigned there, unsigned away) {
  Presences presences;
  for (unsigned i = 0; i < there; ++i) note_asked(presences, kHome, true);
  for (unsigned i = 0; i < away; ++i) note_asked(presences, kHome, false);
  return attendance_of(presences, kHome);
}

TEST(Presence, IsJudgedFromEightTimesOn) {
  EXPECT_EQ(after(0, 0), Attendance::unknown);
  EXPECT_EQ(after(7, 0), Attendance::unknown);
  EXPECT_EQ(after(8, 0), Attendance::mostly);
  EXPECT_EQ(after(6, 2), Attendance::mostly);
  EXPECT_EQ(after(4, 4), Attendance::unknown);
  EXPECT_EQ(after(1, 7), Attendance::rarely);
  EXPECT_EQ(after(0, 8), Attendance::rarely);
}

TEST(Presence, WhatIsLongAgoCountsLess) {
  EXPECT_EQ(after(1000, 0), Attendance::mostly);
  EXPECT_EQ(after(1000, 300), Attendance::rarely) << "it has been away for long";
}

TEST(Presence, IsKept) {
  platform::MemoryPlatform machine(1);
  platform::Disk& disk = machine.disk();
  ASSERT_TRUE(disk.make_folder("/state"));
  EXPECT_TRUE(read_presences(disk, "/state").empty());
  Presences presences;
  for (unsigned i = 0; i < 300; ++i) note_asked(presences, kHome, i % 3 != 0);
  ASSERT_TRUE(keep_presences(disk, "/state", presences));
  EXPECT_EQ(read_presences(disk, "/state"), presences);
  ASSERT_TRUE(platform::replace_file(disk, "/state/presence", as_bytes(std::string("{}"))));
  EXPECT_TRUE(read_presences(disk, "/state").empty()) << "it is found out anew";
}

}  // namespace
}  // namespace mhp::app
