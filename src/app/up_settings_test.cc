// What `mhp up` was told: kept as it was, and what holds where it was told nothing.
#include "app/up_settings.h"

#include <gtest/gtest.h>

#include "platform/memory/memory_platform.h"

namespace mhp::app {
namespace {

TEST(UpSettings, AreReadAsTheyWereKept) {
  platform::MemoryPlatform machine(1);
  ASSERT_TRUE(machine.disk().make_folder("/state"));
  UpSettings settings{.lend_bytes = 7, .home = "/h", .name = "attic", .listen = "[::]:7070"};
  settings.addresses = {"ann.example:7070"};
  settings.anchor = true;
  settings.metrics = "127.0.0.1:9464";
  ASSERT_TRUE(keep_up_settings(machine.disk(), "/state", settings));
  const auto read = read_up_settings(machine.disk(), "/state");
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(*read, settings);
}

TEST(UpSettings, WhatIsLentUntoldAndWhatStaysFree) {
  constexpr std::uint64_t kGiga = 1'000'000'000;
  EXPECT_EQ(default_lend_bytes({.total_bytes = 500 * kGiga, .free_bytes = 309 * kGiga}), 30 * kGiga);
  EXPECT_EQ(default_lend_bytes({.total_bytes = 500 * kGiga, .free_bytes = 9 * kGiga}), 0U);
  EXPECT_EQ(lent_min_free_bytes({.total_bytes = 500 * kGiga, .free_bytes = 3}), 50 * kGiga) << "of the disk, not of it";
}

}  // namespace
}  // namespace mhp::app
