// The command line as commands see it: what is bound, what is refused, which word was meant.
#include "app/command_line.h"

#include <gtest/gtest.h>

#include <array>

namespace mhp::app {
namespace {

struct Bound {
  std::vector<std::string> paths, tags;
  std::string level = "normal", percent;
  int number = 3;
  bool reads = false, long_form = false;
};

Asked read(std::vector<std::string> words, Bound& bound) {
  words.insert(words.begin(), "mhp");
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  return read_command_line(static_cast<int>(argv.size()), argv.data(), [&bound](Command& program) {
    Command group = program.add("group", "a group", "");
    Command command = group.add("save", "a command", "Example:\n  mhp group save");
    command.needs("path", bound.paths, "Where from");
    command.takes("--tag", bound.tags, "");
    command.takes("--level", bound.level, "");
    command.takes("--number", bound.number, 1, 19, "");
    command.takes_with_value_or_without("--read-data", bound.reads, bound.percent, "");
    command.flag("-l,--long", bound.long_form, "");
    command.runs([](Session&) -> Task<int> { co_return kDone; });
  });
}

TEST(CommandLine, BindsWhatIsGiven) {
  Bound bound;
  const Asked asked = read({"group", "save", "a", "b", "--tag", "x", "c", "--tag=y", "-l", "--json", "--state", "s",
                            "--read-data", "--number", "19"},
                           bound);
  EXPECT_TRUE(asked.work);
  EXPECT_EQ(asked.command, "mhp group save");
  EXPECT_EQ(bound.paths, (std::vector<std::string>{"a", "b", "c"}));
  EXPECT_EQ(bound.tags, (std::vector<std::string>{"x", "y"}));
  EXPECT_EQ(bound.level, "normal");
  EXPECT_EQ(bound.number, 19);
  EXPECT_TRUE(bound.long_form && bound.reads && bound.percent.empty());
  EXPECT_TRUE(asked.out.json && !asked.out.quiet);
  EXPECT_EQ(asked.state_folder, "s");
  EXPECT_EQ(asked.out.state_folder, "s");
}

TEST(CommandLine, ACommandMayRunAloneOrByOneBelowIt) {
  const auto ran = [](std::vector<std::string> words) {
    words.insert(words.begin(), "mhp");
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    std::string name;
    const Asked asked = read_command_line(static_cast<int>(argv.size()), argv.data(), [&name](Command& program) {
      Command members = program.add("members", "who is in", "");
      Command remove = members.add("remove", "takes one out", "");
      remove.needs("name", name, "Whom");
      remove.runs([](Session&) -> Task<int> { co_return 7; });
      members.runs_alone_too([](Session&) -> Task<int> { co_return 8; });
    });
    return asked.work ? asked.command : "refused";
  };
  EXPECT_EQ(ran({"members"}), "mhp members");
  EXPECT_EQ(ran({"members", "remove", "Eve"}), "mhp members remove");
  EXPECT_EQ(ran({"members", "remove"}), "refused");
  EXPECT_EQ(ran({"members", "remov", "Eve"}), "refused");
}

TEST(CommandLine, AValueMayBeLeftOut) {
  Bound without, with;
  EXPECT_TRUE(read({"group", "save", "a"}, without).work);
  EXPECT_FALSE(without.reads);
  EXPECT_TRUE(read({"group", "save", "a", "--read-data=10"}, with).work);
  EXPECT_TRUE(with.reads);
  EXPECT_EQ(with.percent, "10");
}

TEST(CommandLine, WrongUsageIsRefused) {
  const std::vector<std::vector<std::string>> wrong = {{},
                                                       {"group"},
                                                       {"group", "save"},
                                                       {"grop"},
                                                       {"group", "sav", "x"},
                                                       {"group", "save", "a", "--number", "20"},
                                                       {"group", "save", "a", "--no-such"},
                                                       {"group", "save", "a", "--level"}};
  for (const auto& words : wrong) {
    Bound bound;
    const Asked asked = read(words, bound);
    EXPECT_FALSE(asked.work);
    EXPECT_EQ(asked.exit_code, kUsage);
  }
}

TEST(CommandLine, WhatIsWrongIsSaidInASentence) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> said = {
      {{}, "'mhp' needs to be told what to do"},
      {{"group"}, "'mhp group' needs to be told what to do"},
      {{"group", "save"}, "'mhp group save' needs PATH (Where from)"},
      {{"group", "save", "a", "--number", "20"}, "--number takes a number from 1 to 19, not '20'"},
      {{"group", "save", "a", "--number", "many"}, "--number takes a number from 1 to 19, not 'many'"},
      {{"group", "save", "a", "--no-such"}, "'mhp group save' has no option '--no-such'"},
      {{"group", "save", "a", "--level"}, "--level needs a value"},
      {{"group", "save", "a", "--level", "x", "--level", "y"}, "--level may be given only once"}};
  for (const auto& [words, sentence] : said) {
    Bound bound;
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(read(words, bound).exit_code, kUsage);
    EXPECT_TRUE(::testing::internal::GetCapturedStderr().starts_with("mhp: " + sentence + "\n")) << sentence;
  }
}

TEST(CommandLine, NearestWord) {
  const std::vector<std::string> known = {"backup", "snapshots", "ls", "find", "diff"};
  EXPECT_EQ(nearest_word("bakup", known), "backup");
  EXPECT_EQ(nearest_word("snapshot", known), "snapshots");
  EXPECT_EQ(nearest_word("backpu", known), "backup");
  EXPECT_EQ(nearest_word("frobnicate", known), "");
  EXPECT_EQ(nearest_word("", known), "");
}

}  // namespace
}  // namespace mhp::app
