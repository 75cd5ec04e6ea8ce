// Limits as people tell them, and as up.json keeps them.
#include "app/limits.h"

#include <gtest/gtest.h>

#include "app/up_settings.h"
#include "platform/memory/memory_platform.h"

namespace mhp::app {
namespace {

using namespace std::chrono_literals;

class Limits : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(platform_.disk().make_folder("/state")); }
  static platform::RateSchedule schedule(const std::string& text) { return *platform::parse_rate_schedule(text); }
  UpSettings settings() {
    return {.lend_bytes = 5, .home = "/home", .name = "ann", .listen = "[::]:7070", .addresses = {"a:1"}};
  }
  void keep(const UpSettings& settings) { ASSERT_TRUE(keep_up_settings(platform_.disk(), "/state", settings)); }
  void write(const std::string& text) {
    ASSERT_TRUE(platform::replace_file(platform_.disk(), "/state/up.json", as_bytes(text)));
  }
  Session session() {
    Session session{.platform = platform_, .out = {}, .state_folder = "/state"};
    session.out.mute = session.out.quiet = true;
    return session;
  }

  platform::MemoryPlatform platform_{1};
};

TEST_F(Limits, AreKeptAmongTheSettings) {
  UpSettings told = settings();
  told.limits = {.up = schedule("08:00-22:00 1M, else unlimited"), .down = schedule("500k")};
  keep(told);
  const auto kept = read_up_settings(platform_.disk(), "/state");
  ASSERT_TRUE(kept);
  EXPECT_EQ(*kept, told);
}

TEST_F(Limits, ThereAreNoneInSettingsFromBefore) {
  write(R"({"lend_bytes": 7, "home": "/h", "name": "n", "listen": "[::]:1"})");
  const auto kept = read_up_settings(platform_.disk(), "/state");
  ASSERT_TRUE(kept);
  EXPECT_EQ(kept->limits, platform::NetworkLimits{});
}

TEST_F(Limits, DamagedSettingsNameTheFileAndThePlace) {
  for (const char* wrong : {"\"fast\"", "7", "\"08:00 1M\""}) {
    write(std::string(R"({"lend_bytes": 7, "home": "/h", "name": "n", "listen": "[::]:1", "limit_up": )") + wrong +
          "}");
    const auto kept = read_up_settings(platform_.disk(), "/state");
    ASSERT_FALSE(kept) << wrong;
    EXPECT_EQ(kept.error().code, Errc::corrupt);
    EXPECT_NE(kept.error().detail.find("/state/up.json: limit_up"), std::string::npos) << kept.error().detail;
  }
}

TEST_F(Limits, AnOptionGoesBeforeWhatIsKept) {
  const platform::NetworkLimits kept{.up = schedule("1M"), .down = schedule("2M")};
  EXPECT_EQ(*limits_by({}, kept), kept);
  EXPECT_EQ(*limits_by({.up = "3M", .down = ""}, kept), (platform::NetworkLimits{schedule("3M"), schedule("2M")}));
  EXPECT_EQ(*limits_by({.up = "", .down = "unlimited"}, kept), (platform::NetworkLimits{schedule("1M"), {}}));
}

TEST_F(Limits, WhatIsNoRateOrTooLittleIsWrongUsage) {
  for (const char* wrong : {"0", "fast", "1", "49999", "8:00-9:00 49k, else 1M", "1M, 2M", "8:00-9:00 1M, else 7"}) {
    const auto limits = limits_by({.up = "", .down = wrong}, {});
    ASSERT_FALSE(limits) << wrong;
    EXPECT_EQ(limits.error().code, Errc::usage) << wrong;
  }
  EXPECT_TRUE(limits_by({.up = "50k", .down = "8:00-9:00 50k, else unlimited"}, {}));
}

TEST_F(Limits, EveryCommandKeepsToWhatIsKept) {
  Session before = session();
  EXPECT_EQ(&sockets_of(before), &platform_.network());
  UpSettings told = settings();
  told.limits.up = schedule("100k");
  keep(told);
  Session after = session();
  EXPECT_NE(&sockets_of(after), &platform_.network());
  EXPECT_EQ(&sockets_of(after), &sockets_of(after));
  EXPECT_EQ(after.limits, told.limits);
  Session copy = after;
  EXPECT_EQ(&sockets_of(copy), &sockets_of(after));  // all that a run sends is counted together
}

TEST_F(Limits, SettingsThatCannotBeReadKeepNobodyFromTheHomes) {
  write("no json");
  Session one = session();
  EXPECT_EQ(&sockets_of(one), &platform_.network());
}

TEST_F(Limits, PatienceFollowsTheLowestRate) {
  EXPECT_EQ(patience_for({}), 0s);
  const auto at = [](const char* text) { return patience_for({.up = schedule(text)}); };
  EXPECT_EQ(at("67108864"), 1s);
  EXPECT_EQ(at("8:00-9:00 64Ki, else 64Mi"), 1024s);
  EXPECT_EQ(at("8:00-9:00 unlimited, else 32Mi"), 2s);
  EXPECT_EQ(patience_for({.up = schedule("64Mi"), .down = schedule("16Mi")}), 4s);
}

}  // namespace
}  // namespace mhp::app
