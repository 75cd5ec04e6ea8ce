// Tables of patterns and what they fit.
#include "snapshot/pattern.h"

#include <gtest/gtest.h>

#include "snapshot/tree.h"

namespace mhp::snapshot {
namespace {

struct GlobCase {
  const char* pattern;
  const char* path;
  bool fits;
};

TEST(Glob, FitsAsGitignoreSays) {
  constexpr GlobCase kCases[] = {
      {"a", "a", true},
      {"a", "b/a", true},
      {"a", "ab", false},
      {"a", "a/b", false},
      {"*.o", "x.o", true},
      {"*.o", "d/x.o", true},
      {"*.o", "x.oo", false},
      {"*.o", ".o", true},
      {"*", "anything", true},
      {"a*b*c", "axxbyybzc", true},
      {"a*b*c", "axxbyybzd", false},
      {"?", "x", true},
      {"?", "", false},
      {"a?c", "a/c", false},
      {"/a", "a", true},
      {"/a", "b/a", false},
      {"/*.c", "x.c", true},
      {"/*.c", "d/x.c", false},
      {"a/b", "a/b", true},
      {"a/b", "x/a/b", false},
      {"a/*", "a/b", true},
      {"a/*", "a/b/c", false},
      {"**/a", "a", true},
      {"**/a", "x/y/a", true},
      {"**/a/b", "x/a/b", true},
      {"**/a/b", "a/b", true},
      {"a/**", "a", false},
      {"a/**", "a/x", true},
      {"a/**", "a/x/y", true},
      {"a/**/b", "a/b", true},
      {"a/**/b", "a/x/y/b", true},
      {"a/**/b", "a/x/y/c", false},
      {"a/**/**/b", "a/b", true},
      {"a**b", "axxb", true},
      {"a**b", "a/b", false},
      {"a/b**", "a/bcd", true},
      {"[abc]", "b", true},
      {"[abc]", "d", false},
      {"[a-c]", "b", true},
      {"[!a-c]", "b", false},
      {"[!a-c]", "d", true},
      {"[^a]", "b", true},
      {"[]]", "]", true},
      {"[]-]", "-", true},
      {"[a-]", "-", true},
      {"[[:digit:]]x", "7x", true},
      {"[[:digit:]]x", "ax", false},
      {"[[:nonsense:]]", "a", false},
      {"[ab", "a", false},
      {"[\\]]", "]", true},
      {"\\*", "*", true},
      {"\\*", "x", false},
      {"\\a", "a", true},
      {"a\\", "a\\", true},
      {"a/", "a", true},
      {"", "a", false},
      {"/", "a", false},
      {"\xff*", "\xff\xfe", true},
      {"foo/**/bar/*.c", "foo/a/bar/b/bar/x.c", true},
      {"**/x/**", "a/x/b", true},
      {"**/x/**", "a/x", false},
      {"**", "a/b", true},
  };
  for (const GlobCase& one : kCases)
    EXPECT_EQ(Glob(one.pattern).matches(one.path), one.fits) << "pattern " << one.pattern << " path " << one.path;
}

TEST(Glob, ManyStarsTakeNoLongTime) {
  std::string pattern, path(4000, 'a');
  for (int i = 0; i < 500; ++i) pattern += "a*";
  EXPECT_FALSE(Glob(pattern + "b").matches(path));
  std::string folders, deep;
  for (int i = 0; i < 200; ++i) folders += "**/a/";
  for (int i = 0; i < 500; ++i) deep += "a/";
  EXPECT_FALSE(Glob(folders + "b").matches(deep + "c"));
}

TEST(IgnoreLines, TellsWhichLinesFittedNothing) {
  IgnoreLines lines;
  lines.add_text("# a comment\n*.tmp\n!keep.tmp\ncache/\n*.tnp\n");
  EXPECT_TRUE(lines.ignores("a/b.tmp", false));
  EXPECT_FALSE(lines.ignores("a/cache", false));
  EXPECT_EQ(lines.unused(), (std::vector<std::string>{"!keep.tmp", "cache/", "*.tnp"}));
  EXPECT_FALSE(lines.ignores("keep.tmp", false));
  EXPECT_TRUE(lines.ignores("a/cache", true));
  EXPECT_EQ(lines.unused(), std::vector<std::string>{"*.tnp"});
}

TEST(IgnoreLines, TheLastLineThatFitsDecides) {
  IgnoreLines lines;
  lines.add_text(
      "# a comment\n\n*.log\n!keep.log\n/build/\ncache/\n\\#odd\n\\!odd\ntrailing  \nescaped\\ "
      "\nwindows\r\n*.tmp\n!*.tmp\n*.tmp");
  struct Case {
    const char* path;
    bool is_folder;
    bool ignored;
  };
  constexpr Case kCases[] = {
      {"x.log", false, true},   {"a/x.log", false, true},   {"keep.log", false, false},    {"build", true, true},
      {"build", false, false},  {"src/build", true, false}, {"src/cache", true, true},     {"src/cache", false, false},
      {"#odd", false, true},    {"!odd", false, true},      {"trailing", false, true},     {"escaped ", false, true},
      {"windows", false, true}, {"a.tmp", false, true},     {"# a comment", false, false},
  };
  for (const Case& one : kCases) EXPECT_EQ(lines.ignores(one.path, one.is_folder), one.ignored) << one.path;
}

TEST(Matches, TakesPathsWithAndWithoutTheFirstSlash) {
  EXPECT_TRUE(matches("*.jpg", "home/ann/a.jpg"));
  EXPECT_TRUE(matches("/home/*/a.jpg", "home/ann/a.jpg"));
  EXPECT_TRUE(matches("home/**/a.jpg", "/home/ann/x/a.jpg"));
  EXPECT_FALSE(matches("/home/a.jpg", "home/ann/a.jpg"));
}

}  // namespace
}  // namespace mhp::snapshot
