// Words for people: sizes, counts, and names that must not steer a terminal.
#include "app/text.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "app/sheet.h"
#include "base/test_run.h"

namespace mhp::app {
namespace {

TEST(Text, SaysHowManyMayBeLost) {
  EXPECT_EQ(format_margin(2), "any 2 may be lost");
  EXPECT_EQ(format_margin(1), "any 1 may be lost");
  EXPECT_EQ(format_margin(0), "none may be lost");
  EXPECT_EQ(format_margin(-1), "none may be lost");
}

TEST(Text, CountsAndSizes) {
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(12431), "12,431");
  EXPECT_EQ(format_count(1234567), "1,234,567");
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(3'100'000'000), "3.1 GB");
  EXPECT_EQ(format_bytes(476'000'000), "476 MB");
  EXPECT_EQ(format_bytes(999'960), "1.0 MB");
  EXPECT_EQ(plural(1, "file", "files"), "1 file");
  EXPECT_EQ(plural(2, "file", "files"), "2 files");
}

TEST(Text, SizesAreRead) {
  EXPECT_EQ(*parse_size("200G"), 200'000'000'000u);
  EXPECT_EQ(*parse_size("1.5 GiB"), 1'610'612'736u);
  EXPECT_EQ(*parse_size("4096"), 4096u);
  for (const char* bad : {"", "G", "-1", "12X", "1e99T", "1GBB"}) EXPECT_FALSE(parse_size(bad)) << bad;
}

TEST(Text, TimesAreRead) {
  EXPECT_EQ(*parse_duration("90s"), 90);
  EXPECT_EQ(*parse_duration("30m"), 1800);
  EXPECT_EQ(*parse_duration("24h"), 86'400);
  EXPECT_EQ(*parse_duration("7d"), 604'800);
  for (const char* bad : {"", "h", "0h", "-1h", "24", "24 h", "1w", "1.5h", "9999999d", "99999999999999999999s"})
    EXPECT_FALSE(parse_duration(bad)) << bad;
}

TEST(Text, NamesCannotSteerTheTerminal) {
  EXPECT_EQ(printable("plain.txt"), "plain.txt");
  EXPECT_EQ(printable("gr\xC3\xBC\xC3\x9F"), "gr\xC3\xBC\xC3\x9F");
  EXPECT_EQ(printable("a\x1b[31mb"), "a\\x1b[31mb");
  EXPECT_EQ(printable("\xFF\n"), "\\xff\\x0a");
  EXPECT_EQ(printable("\xE2\x80\xAE"), "\\xe2\\x80\\xae");
  EXPECT_EQ(printable("\xC2\x9B"), "\\xc2\\x9b");
  EXPECT_FALSE(is_utf8("\xC0\xAF"));
  EXPECT_FALSE(is_utf8("\xED\xA0\x80"));
  EXPECT_TRUE(is_utf8("\xF0\x9F\x98\x80"));
}

TEST(Text, AnyBytesAsNameSizeOrSheet) {
  const std::uint64_t seed = test_run::seed();
  std::mt19937_64 random(seed);
  constexpr std::string_view kPieces[] = {"1",    "9.5",      "e",       "GiB",      "k",  " ",    "-",
                                          "inf",  "nan",      "\x1b[2J", "\n",       "\\", "\xC2", "\xE2\x80",
                                          "\xAE", "\xF0\x9F", "\x80",    "<script>", "\"", "\xFF", "a"};
  const std::uint64_t rounds = test_run::is_long() ? 5'000'000 : 50'000;
  for (std::uint64_t i = 0; i < rounds && !HasFailure(); ++i) {
    SCOPED_TRACE("round " + std::to_string(i) + ", MHP_SEED=" + std::to_string(seed));
    std::string text;
    for (std::size_t n = random() % 8; n > 0; --n) text += kPieces[random() % std::size(kPieces)];
    if (random() % 4 == 0) text.insert(random() % (text.size() + 1), 1, static_cast<char>(random()));
    const std::string shown = printable(text);
    EXPECT_TRUE(is_utf8(shown));
    EXPECT_TRUE(std::ranges::none_of(shown, [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; }));
    EXPECT_EQ(printable(shown), shown);
    const auto bytes = parse_size(text);
    if (bytes) EXPECT_EQ(*parse_size(std::to_string(*bytes)), *bytes) << text;
    if (!bytes) EXPECT_EQ(bytes.error().code, Errc::usage);
    if (i % 100 == 0) {
      EXPECT_EQ(recovery_sheet(text, VaultId(), "abandon ability", true).find("<script"), std::string::npos);
    }
  }
  test_run::tried(15, "random words of the command line", rounds, seed);
}

TEST(Text, Times) {
  EXPECT_EQ(format_rfc3339(1'700'000'000'000'000'000), "2023-11-14T22:13:20Z");
  EXPECT_EQ(format_seconds(4.24), "4.2 s");
  EXPECT_EQ(format_seconds(200), "3 min 20 s");
  EXPECT_EQ(format_seconds(7500), "2 h 5 min");
}

TEST(Text, ReadsDates) {
  EXPECT_EQ(parse_date("1970-01-01"), 86'399);
  EXPECT_EQ(parse_date("2026-11-22"), 1'795'391'999);
  EXPECT_EQ(parse_date("2026-11-22T14:04:05Z"), 1'795'356'245);
  EXPECT_EQ(format_rfc3339(*parse_date("2024-02-29T23:59:59Z") * 1'000'000'000), "2024-02-29T23:59:59Z");
  for (const char* bad : {"", "yesterday", "2026-13-01", "2026-02-29", "2026-11-22T24:00:00Z", "2026-11-22T14:04:05",
                          "2026-11-22 14:04:05Z", "2026-11-2", "-026-11-22"}) {
    const auto date = parse_date(bad);
    ASSERT_FALSE(date) << bad;
    EXPECT_EQ(date.error().code, Errc::usage) << bad;
  }
}

}  // namespace
}  // namespace mhp::app
