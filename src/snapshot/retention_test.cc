// Which snapshots stay: each rule alone, rules together, groups, filters, the calendar's corners.
#include "snapshot/retention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>

namespace mhp::snapshot {
namespace {

using namespace std::chrono;

std::int64_t utc(std::int64_t unix_s) { return unix_s; }

/// "2026-03-31 14:05"
wire::SnapshotRecord at(const std::string& text, std::string host = "attic", std::vector<std::string> tags = {}) {
  auto number = [&](std::size_t from, std::size_t length) { return std::stoi(text.substr(from, length)); };
  auto day = sys_days(year(number(0, 4)) / number(5, 2) / number(8, 2));
  auto time = day + hours(number(11, 2)) + minutes(number(14, 2));
  wire::SnapshotRecord out;
  out.time_ns = duration_cast<nanoseconds>(time.time_since_epoch()).count();
  out.host = std::move(host);
  out.paths = {"/home"};
  out.tags = std::move(tags);
  return out;
}

std::string name_of(const wire::SnapshotRecord& snapshot) {
  auto minute = floor<minutes>(sys_time<nanoseconds>(nanoseconds(snapshot.time_ns)));
  year_month_day date(floor<days>(minute));
  auto of_day = minute - floor<days>(minute);
  std::array<char, 32> out{};
  std::snprintf(out.data(), out.size(), "%02u-%02u %02d:%02d", static_cast<unsigned>(date.month()),
                static_cast<unsigned>(date.day()), static_cast<int>(of_day / 1h), static_cast<int>(of_day / 1min % 60));
  return out.data();
}

constexpr std::int64_t kNow = 2'000'000'000'000'000'000;  // 2033: after all of them

std::vector<wire::SnapshotRecord> oldest_first(std::vector<wire::SnapshotRecord> snapshots) {
  std::ranges::sort(snapshots, {}, &wire::SnapshotRecord::time_ns);
  return snapshots;
}

std::vector<std::string> kept(const std::vector<wire::SnapshotRecord>& snapshots, const KeepRules& rules,
                              const ToLocal& to_local = utc) {
  std::vector<std::string> out;
  for (const auto& group : apply_rules(oldest_first(snapshots), {}, {}, rules, to_local, kNow)) {
    for (const auto& decision : group.decisions) {
      if (decision.keep()) out.push_back(name_of(decision.snapshot));
    }
  }
  return out;
}

using Names = std::vector<std::string>;

TEST(Retention, LastKeepsTheNewest) {
  std::vector<wire::SnapshotRecord> all{at("2026-01-01 10:00"), at("2026-01-03 10:00"), at("2026-01-02 10:00")};
  EXPECT_EQ(kept(all, {.last = 2}), (Names{"01-03 10:00", "01-02 10:00"}));
  EXPECT_EQ(kept(all, {.last = 9}).size(), 3u);
  EXPECT_EQ(kept(all, {.last = KeepRules::kAll}).size(), 3u);
  EXPECT_EQ(kept(all, {}).size(), 0u);
}

/// Oldest first, as they were made: what the clock said is another matter.
std::vector<std::string> kept_in_order(const std::vector<wire::SnapshotRecord>& made, const KeepRules& rules,
                                       std::int64_t now_ns = kNow) {
  std::vector<std::string> out;
  for (const auto& group : apply_rules(made, {}, {}, rules, utc, now_ns)) {
    for (const auto& decision : group.decisions) {
      if (decision.keep()) out.push_back(name_of(decision.snapshot));
    }
  }
  return out;
}

TEST(Retention, AClockThatWasAheadOnceLetsNoRightSnapshotGo) {
  const std::vector<wire::SnapshotRecord> made{at("2026-01-01 10:00"), at("2040-11-23 10:00"), at("2026-01-02 10:00"),
                                               at("2026-01-03 10:00"), at("2026-01-04 10:00")};
  EXPECT_EQ(kept_in_order(made, {.last = 1}), (Names{"01-04 10:00"}));
  EXPECT_EQ(kept_in_order(made, {.daily = 3}), (Names{"01-04 10:00", "01-03 10:00", "01-02 10:00"}));
  EXPECT_EQ(kept_in_order(made, {.within = Span{.days = 1}}), (Names{"01-04 10:00", "01-03 10:00"}));
}

TEST(Retention, AClockThatWasBehindOnceLetsNoRightSnapshotGo) {
  const std::vector<wire::SnapshotRecord> made{at("2026-01-01 10:00"), at("2026-01-02 10:00"), at("1990-01-01 10:00"),
                                               at("2026-01-03 10:00")};
  EXPECT_EQ(kept_in_order(made, {.within = Span{.days = 1}}), (Names{"01-03 10:00", "01-01 10:00", "01-02 10:00"}));
  EXPECT_EQ(kept_in_order(made, {.last = 2}), (Names{"01-03 10:00", "01-01 10:00"}));
}

TEST(Retention, TheNewestUnderAClockThatIsBehindLetsNoRightSnapshotGo) {
  std::vector<wire::SnapshotRecord> made;
  for (const char* time : {"2026-01-11 10:00", "2026-01-12 10:00", "2026-01-13 10:00", "2026-01-14 10:00",
                           "2026-01-15 10:00", "1970-01-02 00:00"})
    made.push_back(at(time));
  EXPECT_EQ(kept_in_order(made, {.daily = 7}).size(), 6u);
  EXPECT_EQ(kept_in_order(made, {.daily = 3}), (Names{"01-02 00:00", "01-15 10:00", "01-14 10:00", "01-13 10:00"}))
      << "it takes nobody's place";
  made.back() = at("2026-01-13 10:00");
  EXPECT_EQ(kept_in_order(made, {.daily = 7}).size(), 6u);
}

TEST(Retention, ByTheClockThatIsBehindNoneGoes) {
  std::vector<wire::SnapshotRecord> made;
  for (const char* time : {"2026-01-11 10:00", "2026-01-12 10:00", "2026-01-13 10:00", "2026-01-14 10:00",
                           "2026-01-15 10:00", "2026-01-16 10:00", "2026-01-13 10:30"})
    made.push_back(at(time));
  EXPECT_EQ(kept_in_order(made, {.daily = 7}, made.back().time_ns).size(), 7u);
}

TEST(Retention, AClockThatWasAheadForDaysLetsNoneOfThemGo) {
  std::vector<wire::SnapshotRecord> made;
  for (const char* time : {"2026-11-01 10:00", "2026-11-02 10:00", "2040-12-03 10:00", "2040-12-04 10:00",
                           "2040-12-05 10:00", "2026-11-06 10:00", "2026-11-07 10:00"})
    made.push_back(at(time));
  EXPECT_EQ(kept_in_order(made, {.daily = 14}).size(), 7u);
}

TEST(Retention, OfWrongTimesOnlyTheNewestOfADayStays) {
  std::vector<wire::SnapshotRecord> made{at("2026-10-30 10:00"), at("2026-11-01 10:00")};
  for (int i = 0; i < 30; ++i) made.push_back(at("1970-01-01 00:01"));  // a computer that never knows the time
  made.push_back(at("2026-11-03 10:00"));
  EXPECT_EQ(kept_in_order(made, {.daily = 14}).size(), 4u);
}

TEST(Retention, TheNewestUnderAClockThatIsAheadDoesNotMoveWhatIsKeptWithin) {
  const std::vector<wire::SnapshotRecord> made{at("2026-01-01 10:00"), at("2026-01-02 10:00"), at("2040-11-23 10:00")};
  EXPECT_EQ(kept_in_order(made, {.within = Span{.days = 2}}).size(), 3u);
}

TEST(Retention, OfEachBucketTheNewest) {
  std::vector<wire::SnapshotRecord> all;
  for (const char* time : {"2026-03-01 10:00", "2026-03-01 10:40", "2026-03-01 11:00", "2026-03-02 09:00",
                           "2026-03-02 23:59", "2026-03-03 00:00", "2026-03-09 12:00"})
    all.push_back(at(time));
  EXPECT_EQ(kept(all, {.daily = 2}), (Names{"03-09 12:00", "03-03 00:00"}));
  EXPECT_EQ(kept(all, {.daily = 3}), (Names{"03-09 12:00", "03-03 00:00", "03-02 23:59"}));
  EXPECT_EQ(kept(all, {.hourly = 4}), (Names{"03-09 12:00", "03-03 00:00", "03-02 23:59", "03-02 09:00"}));
  // 1 March 2026 is a Sunday: its week ends with it. Two weeks are wanted and three are there.
  EXPECT_EQ(kept(all, {.weekly = 2}), (Names{"03-09 12:00", "03-03 00:00"}));
  EXPECT_EQ(kept(all, {.weekly = 3}), (Names{"03-09 12:00", "03-03 00:00", "03-01 11:00"}));
}

TEST(Retention, TheOldestStaysWhereARuleIsNotUsedUp) {
  std::vector<wire::SnapshotRecord> all{at("2026-03-01 08:00"), at("2026-03-01 10:00"), at("2026-03-20 10:00")};
  EXPECT_EQ(kept(all, {.monthly = 12}), (Names{"03-20 10:00", "03-01 08:00"}));
  EXPECT_EQ(kept(all, {.monthly = 1}), (Names{"03-20 10:00"}));
  EXPECT_EQ(kept(all, {.yearly = KeepRules::kAll}), (Names{"03-20 10:00"}));
}

TEST(Retention, AWeekThatPassesANewYearIsOne) {
  std::vector<wire::SnapshotRecord> all{at("2025-12-21 10:00"), at("2025-12-29 10:00"), at("2026-01-03 10:00")};
  EXPECT_EQ(kept(all, {.weekly = 1}), (Names{"01-03 10:00"}));
  EXPECT_EQ(kept(all, {.weekly = 2}), (Names{"01-03 10:00", "12-21 10:00"}));
}

TEST(Retention, DaysAreThoseOfTheWall) {
  std::vector<wire::SnapshotRecord> all{at("2026-03-01 22:30"), at("2026-03-01 23:30")};
  ToLocal berlin = [](std::int64_t unix_s) { return unix_s + 3600; };
  EXPECT_EQ(kept(all, {.daily = 1}), (Names{"03-01 23:30"}));
  EXPECT_EQ(kept(all, {.daily = 2}, berlin).size(), 2u);
}

TEST(Retention, Within) {
  std::vector<wire::SnapshotRecord> all{at("2025-02-28 09:59"), at("2025-02-28 10:00"), at("2026-03-30 10:00"),
                                        at("2026-03-31 10:00")};
  auto within = [&](const char* text) {
    auto span = parse_span(text);
    EXPECT_TRUE(span) << text;
    KeepRules rules;
    rules.within = *span;
    return kept(all, rules).size();
  };
  EXPECT_EQ(within("23h"), 1u);
  EXPECT_EQ(within("1d"), 2u);
  EXPECT_EQ(within("1y1m"), 3u);  // of the 31st: the last of February
  EXPECT_EQ(within("1y1m1h"), 4u);
}

TEST(Retention, SpansThatMakeNoSense) {
  for (const char* text : {"", "d", "3", "3w", "1d1y", "1d2d", "-1d", "999999999999d", "1 d"})
    EXPECT_FALSE(parse_span(text)) << text;
}

TEST(Retention, TagsAndReasons) {
  std::vector<wire::SnapshotRecord> all{at("2026-01-01 10:00", "attic", {"tax", "keep"}), at("2026-01-02 10:00"),
                                        at("2026-01-03 10:00")};
  auto groups = apply_rules(all, {}, {}, {.last = 1, .daily = 1, .tags = {"tax"}}, utc, kNow);
  ASSERT_EQ(groups.size(), 1u);
  const auto& decisions = groups[0].decisions;
  EXPECT_EQ(decisions[0].reasons, (Names{"last snapshot", "daily snapshot"}));
  EXPECT_FALSE(decisions[1].keep());
  EXPECT_EQ(decisions[2].reasons, (Names{"tag tax"}));
}

TEST(Retention, GroupsAndFilters) {
  std::vector<wire::SnapshotRecord> all{at("2026-01-01 10:00", "attic"), at("2026-01-02 10:00", "attic", {"x"}),
                                        at("2026-01-03 10:00", "cellar"), at("2026-01-04 10:00", "cellar")};
  all[3].paths = {"/etc"};
  KeepRules one{.last = 1};
  EXPECT_EQ(apply_rules(all, {}, {}, one, utc, kNow).size(), 3u);
  EXPECT_EQ(apply_rules(all, {}, *parse_grouping("host"), one, utc, kNow).size(), 2u);
  EXPECT_EQ(apply_rules(all, {}, *parse_grouping(""), one, utc, kNow).size(), 1u);
  EXPECT_EQ(apply_rules(all, {}, *parse_grouping("host,paths,tags"), one, utc, kNow).size(), 4u);
  EXPECT_FALSE(parse_grouping("hosts"));
  EXPECT_FALSE(parse_grouping("host,,paths"));
  auto only = [&](const SnapshotFilter& filter) {
    std::size_t found = 0;
    for (const auto& group : apply_rules(all, filter, {}, one, utc, kNow)) found += group.decisions.size();
    return found;
  };
  EXPECT_EQ(only({.hosts = {"attic"}}), 2u);
  EXPECT_EQ(only({.hosts = {"attic", "cellar"}}), 4u);
  EXPECT_EQ(only({.tags = {"x", "y"}}), 1u);
  EXPECT_EQ(only({.paths = {"/etc"}}), 1u);
  EXPECT_EQ(only({.paths = {"/etc", "/home"}}), 0u);
}

}  // namespace
}  // namespace mhp::snapshot
