// Programs that are started, end, are stopped, and are not there.
#include "platform/processes.h"

#include <gtest/gtest.h>

#include "platform/nursery.h"
#include "platform/platform.h"
#include "platform/posix/temp_folder.h"

namespace mhp::platform {
namespace {

Task<int> run_shell(Platform& platform, std::string script, std::string output, std::string what) {
  const Program program{.words = {"/bin/sh", "-c", script}, .output = output, .errors = ""};
  auto child = start_program(platform.executor(), program);
  if (!child) co_return -1;
  if (what == "stop") (*child)->stop();
  if (what == "kill") (*child)->kill();
  const int code = co_await (*child)->ended();
  const int again = co_await (*child)->ended();
  EXPECT_EQ(again, code) << "may be asked twice";
  co_return code;
}

TEST(Processes, TellHowTheyEnded) {
  const auto platform = make_posix_platform();
  TempFolder folder;
  EXPECT_EQ(platform->run(run_shell(*platform, "echo said; exit 7", folder.path() + "/out", "")), 7);
  EXPECT_EQ(std::string(as_text(*read_file(platform->disk(), folder.path() + "/out", 100))), "said\n");
  EXPECT_EQ(platform->run(run_shell(*platform, "exec sleep 600", "", "stop")), 128 + 15);
  EXPECT_EQ(platform->run(run_shell(*platform, "exec sleep 600", "", "kill")), 128 + 9);
}

TEST(Processes, SayWhatIsNotThere) {
  const auto platform = make_posix_platform();
  const auto none = start_program(platform->executor(), {.words = {"/no/such/program"}, .output = "", .errors = ""});
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Errc::not_found);
  EXPECT_NE(none.error().detail.find("/no/such/program"), std::string::npos);
}

}  // namespace
}  // namespace mhp::platform
