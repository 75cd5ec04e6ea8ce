// The file that says which computers were reached: written, read, damaged.
#include "app/reached.h"

#include <gtest/gtest.h>

#include "platform/memory/memory_platform.h"

namespace mhp::app {
namespace {

HomeId some_home(unsigned number) {
  HomeId::Array bytes{};
  bytes[0] = static_cast<std::byte>(number);
  return HomeId::from_array(bytes);
}

TEST(ReachedFile, ComesBackAsItWasKept) {
  platform::MemoryPlatform machine(1);
  ASSERT_TRUE(machine.disk().make_folder("/state"));
  EXPECT_EQ(read_reached(machine.disk(), "/state"), ReachKnown{});
  const ReachKnown kept{
      .visit = cloud::Reachable::Visit{1'700'000'000, some_home(1), {"203.0.113.7", "ann.example.org"}},
      .homes = {{some_home(2), {1'700'000'000, 0}}, {some_home(3), {0, 1'700'000'001}}}};
  ASSERT_TRUE(keep_reached(machine.disk(), "/state", kept));
  EXPECT_EQ(read_reached(machine.disk(), "/state"), kept);
  const ReachKnown nobody{.homes = kept.homes};
  ASSERT_TRUE(keep_reached(machine.disk(), "/state", nobody));
  EXPECT_EQ(read_reached(machine.disk(), "/state"), nobody);
}

TEST(ReachedFile, IsEmptyWhereItIsDamaged) {
  platform::MemoryPlatform machine(1);
  ASSERT_TRUE(machine.disk().make_folder("/state"));
  const std::string id = some_home(1).hex();
  const std::string one = R"({"homes": [{"home": ")" + id + R"(", )";
  const std::string visit = R"({"homes": [], "visit": {"at_s": 1, "by": ")" + id + R"(")";
  const std::vector<std::string> damaged = {"{",
                                            "[]",
                                            R"({"homes": 1})",
                                            R"({"homes": [1]})",
                                            R"({"homes": [{"home": "12", "reached_s": 1, "failed_s": 0}]})",
                                            one + R"("reached_s": -1, "failed_s": 0}]})",
                                            one + R"("reached_s": 18446744073709551615, "failed_s": 0}]})",
                                            visit + "}}",
                                            visit + R"(, "here": [1]}})",
                                            R"({"homes": [], "visit": 7})"};
  ASSERT_TRUE(parse_reached(one + R"("reached_s": 1, "failed_s": 0}]})"));
  ASSERT_TRUE(parse_reached(visit + R"(, "here": ["ann.example.org"]}})"));
  for (const std::string& text : damaged) {
    EXPECT_FALSE(parse_reached(text)) << text;
    ASSERT_TRUE(platform::replace_file(machine.disk(), "/state/reached.json", as_bytes(text)));
    EXPECT_EQ(read_reached(machine.disk(), "/state"), ReachKnown{});
  }
}

}  // namespace
}  // namespace mhp::app
