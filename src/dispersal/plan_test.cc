// The plan for every number of homes and level, and the margin against counting all losses.
#include "dispersal/plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdio>
#include <fstream>
#include <functional>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <sstream>
#include <string>

#include "base/test_run.h"
#include "dispersal/testing/seeds.h"

namespace mhp::dispersal {
namespace {

constexpr Level kLevels[] = {Level::thrifty, Level::normal, Level::strong};

SegmentId segment_of(std::uint64_t number) {
  SegmentId::Array bytes{};
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::byte>(number >> (8 * i));
  return SegmentId::from_array(bytes);
}

struct Expected {
  Level level;
  unsigned homes, n, margin;
};

TEST(Plan, SaysWhatTheDesignSays) {
  const Expected table[] = {
      {Level::normal, 1, 12, 0},    {Level::normal, 2, 24, 1},   {Level::normal, 3, 18, 1},
      {Level::normal, 4, 24, 2},    {Level::normal, 5, 20, 2},   {Level::normal, 6, 24, 3},
      {Level::normal, 7, 21, 3},    {Level::normal, 8, 24, 4},   {Level::normal, 9, 24, 4},
      {Level::normal, 10, 30, 6},   {Level::normal, 20, 36, 12}, {Level::normal, 36, 36, 24},
      {Level::normal, 255, 36, 24}, {Level::thrifty, 10, 20, 4}, {Level::thrifty, 5, 20, 2},
      {Level::strong, 10, 30, 6},
  };
  for (const Expected& want : table) {
    const Plan plan = make_plan(want.level, want.homes);
    EXPECT_EQ(plan.n, want.n) << to_string(want.level) << " " << want.homes;
    EXPECT_EQ(plan.margin, want.margin) << to_string(want.level) << " " << want.homes;
  }
  EXPECT_EQ(make_plan(Level::thrifty, 10).rows_per_home, std::vector<unsigned>(10, 2));
  EXPECT_TRUE(make_plan(Level::strong, 2).sealed_mirror());
  EXPECT_FALSE(make_plan(Level::normal, 3).sealed_mirror());
}

/// "16, 1.33, **1**" of the table in docs/design.md: rows and margin.
void expect_cell(const std::string& cell, Level level, unsigned homes) {
  const Plan plan = make_plan(level, homes);
  unsigned n = 0;
  double expansion = 0;
  unsigned margin = 0;
  if (cell.find("the same") != std::string::npos) {
    EXPECT_EQ(plan, make_plan(Level::thrifty, homes)) << homes;
    return;
  }
  ASSERT_EQ(std::sscanf(cell.c_str(), " %u, %lf, **%u**", &n, &expansion, &margin), 3) << cell;
  EXPECT_EQ(plan.n, n) << to_string(level) << " " << homes;
  EXPECT_EQ(plan.margin, margin) << to_string(level) << " " << homes;
  EXPECT_NEAR(plan.expansion(), expansion, 0.006) << to_string(level) << " " << homes;
}

TEST(Plan, TheTableInTheDesignIsTrue) {
  std::ifstream design("docs/design.md");  // tests run in the project's folder
  int rows = 0;
  for (std::string line; std::getline(design, line);) {
    std::istringstream cells(line);
    std::string cell;
    unsigned homes = 0;
    if (!std::getline(cells, cell, '|') || !std::getline(cells, cell, '|')) continue;
    if (std::sscanf(cell.c_str(), " %u", &homes) != 1 || line.find("**") == std::string::npos) continue;
    ++rows;
    for (Level level : kLevels) {
      std::getline(cells, cell, '|');
      expect_cell(cell, level, homes);
    }
  }
  EXPECT_GE(rows, 8);
}

TEST(Plan, KeepsItsPromisesForEveryNumberOfHomes) {
  for (Level level : kLevels) {
    for (unsigned homes = 1; homes <= 255; ++homes) {
      const Plan plan = make_plan(level, homes);
      ASSERT_EQ(plan.homes, std::min(homes, kMaxHomesPerSegment));
      ASSERT_EQ(plan.rows_per_home.size(), plan.homes);
      ASSERT_EQ(std::accumulate(plan.rows_per_home.begin(), plan.rows_per_home.end(), 0u), plan.n);
      ASSERT_TRUE(std::is_sorted(plan.rows_per_home.rbegin(), plan.rows_per_home.rend()));
      ASSERT_LE(plan.rows_per_home.front() - plan.rows_per_home.back(), 1u);
      ASSERT_GE(plan.n, plan.k);
      ASSERT_LE(plan.n, 255u);
      if (homes >= 3) {
        ASSERT_LT(plan.rows_per_home.front(), plan.k);
        ASSERT_LE(plan.rows_per_home.front(), plan.n - plan.k);
      }
      ASSERT_TRUE(homes == 1 || plan.margin >= 1) << to_string(level) << " " << homes;
      ASSERT_EQ(plan, make_plan(level, homes));
    }
  }
}

TEST(Plan, MoreHomesNeverLowerTheMarginMuchAndLevelsAreInOrder) {
  for (unsigned homes = 1; homes <= 60; ++homes) {
    const Plan thrifty = make_plan(Level::thrifty, homes);
    const Plan normal = make_plan(Level::normal, homes);
    const Plan strong = make_plan(Level::strong, homes);
    EXPECT_LE(thrifty.n, normal.n) << homes;
    EXPECT_LE(normal.n, strong.n) << homes;
    EXPECT_LE(thrifty.margin, normal.margin) << homes;
    EXPECT_LE(normal.margin, strong.margin) << homes;
    EXPECT_LE(normal.margin, make_plan(Level::normal, homes + 1).margin) << homes;
  }
}

TEST(Plan, PlacesEveryRowOnceAsThePlanSays) {
  for (Level level : kLevels) {
    for (unsigned homes : {1u, 2u, 3u, 5u, 7u, 9u, 10u, 19u, 30u, 36u, 100u}) {
      const Plan plan = make_plan(level, homes);
      for (std::uint64_t id = 0; id < 40; ++id) {
        const auto rows = place(plan, segment_of(id * 0x9E3779B97F4A7C15u));
        ASSERT_EQ(rows.size(), plan.homes);
        std::vector<unsigned> counts;
        std::set<unsigned> all;
        for (const auto& at : rows) {
          counts.push_back(static_cast<unsigned>(at.size()));
          all.insert(at.begin(), at.end());
        }
        std::sort(counts.rbegin(), counts.rend());
        ASSERT_EQ(counts, plan.rows_per_home);
        ASSERT_EQ(all.size(), plan.n);
        ASSERT_EQ(*all.rbegin(), plan.n - 1);
      }
    }
  }
}

TEST(Plan, SpreadsDataRowsOverHomes) {
  const Plan plan = make_plan(Level::normal, 7);
  std::vector<unsigned> data(plan.homes);
  for (std::uint64_t id = 0; id < 700; ++id) {
    const auto rows = place(plan, segment_of(id));
    for (std::size_t home = 0; home < rows.size(); ++home) {
      data[home] +=
          static_cast<unsigned>(std::count_if(rows[home].begin(), rows[home].end(), [](auto r) { return r < kNeed; }));
    }
  }
  for (unsigned count : data) EXPECT_EQ(count, 700 * kNeed / 7);
}

/// All subsets: the largest m such that every loss of m domains leaves k rows on homes that count.
int margin_by_counting(const std::vector<RowsAt>& homes, unsigned k) {
  std::set<std::uint8_t> everywhere;
  std::set<std::uint32_t> names;
  for (const RowsAt& home : homes) {
    everywhere.insert(home.rows.begin(), home.rows.end());
    if (home.counts && !home.rows.empty()) names.insert(home.domain);
  }
  if (everywhere.size() < k) return -1;
  const std::vector<std::uint32_t> domains(names.begin(), names.end());
  int fewest = static_cast<int>(domains.size()) + 1;
  for (std::uint32_t lost = 0; lost < (1u << domains.size()); ++lost) {
    std::set<std::uint8_t> left;
    for (const RowsAt& home : homes) {
      const auto at = std::find(domains.begin(), domains.end(), home.domain) - domains.begin();
      if (home.counts && !home.rows.empty() && !((lost >> at) & 1)) left.insert(home.rows.begin(), home.rows.end());
    }
    if (left.size() < k) fewest = std::min(fewest, std::popcount(lost));
  }
  return std::max(0, fewest - 1);
}

TEST(Margin, IsThePlansForItsOwnPlacement) {
  for (Level level : kLevels) {
    for (unsigned homes = 1; homes <= 40; ++homes) {
      const Plan plan = make_plan(level, homes);
      std::vector<RowsAt> at;
      for (auto& rows : place(plan, segment_of(homes))) {
        at.push_back({.domain = static_cast<std::uint32_t>(at.size()), .counts = true, .rows = rows});
      }
      EXPECT_EQ(margin_of(at, plan.k), static_cast<int>(plan.margin)) << to_string(level) << " " << homes;
      if (homes <= 10) {
        EXPECT_EQ(margin_by_counting(at, plan.k), static_cast<int>(plan.margin)) << homes;
      }
    }
  }
}

TEST(Margin, IsExactForRandomPlacements) {
  const std::uint64_t seed = testing::seed_of_run();
  std::mt19937_64 random(seed);
  for (int round = 0; round < 400; ++round) {
    const unsigned k = 2 + static_cast<unsigned>(random() % 6);
    std::vector<RowsAt> at(1 + random() % 8);
    for (RowsAt& home : at) {
      home.domain = static_cast<std::uint32_t>(random() % 7);
      home.counts = random() % 6 != 0;
      const std::size_t rows = random() % 6;
      for (std::size_t i = 0; i < rows; ++i) home.rows.push_back(static_cast<std::uint8_t>(random() % 20));
    }
    ASSERT_EQ(margin_of(at, k), margin_by_counting(at, k)) << "seed " << seed << " round " << round;
  }
}

TEST(Margin, IsASafeBoundForManyDomainsWithDoubles) {
  const std::uint64_t seed = testing::seed_of_run();
  std::mt19937_64 random(seed);
  for (int round = 0; round < 200; ++round) {
    std::vector<RowsAt> at(17 + random() % 20);
    for (std::size_t i = 0; i < at.size(); ++i) {
      at[i].domain = static_cast<std::uint32_t>(i);
      for (int r = 0; r < 2; ++r) at[i].rows.push_back(static_cast<std::uint8_t>(random() % 36));
    }
    const int margin = margin_of(at, kNeed);
    ASSERT_GE(margin, 0);
    for (int attempt = 0; attempt < 200; ++attempt) {
      std::shuffle(at.begin(), at.end(), random);
      std::set<std::uint8_t> left;
      for (std::size_t i = static_cast<std::size_t>(margin); i < at.size(); ++i)
        left.insert(at[i].rows.begin(), at[i].rows.end());
      ASSERT_GE(left.size(), kNeed) << "seed " << seed << " round " << round;
    }
  }
}

TEST(Margin, OfHomesThatDoNotCountIsNoneButTheyRestore) {
  std::vector<RowsAt> at{{.domain = 0, .counts = false, .rows = {0, 1, 2}}, {.domain = 1, .counts = true, .rows = {3}}};
  EXPECT_EQ(margin_of(at, 3), 0);
  EXPECT_EQ(margin_of(at, 5), -1);
  EXPECT_EQ(margin_of({}, 1), -1);
}

TEST(Plan, ChanceOfRestore) {
  EXPECT_NEAR(restore_chance(make_plan(Level::normal, 1), 0.9), 0.9, 1e-12);
  EXPECT_NEAR(restore_chance(make_plan(Level::normal, 2), 0.9), 0.99, 1e-12);
  EXPECT_NEAR(restore_chance(make_plan(Level::normal, 3), 0.9), 0.972, 1e-12);  // 2 of 3
  EXPECT_NEAR(restore_chance(make_plan(Level::normal, 10), 1.0), 1.0, 1e-12);
  EXPECT_NEAR(restore_chance(make_plan(Level::normal, 10), 0.0), 0.0, 1e-12);
  EXPECT_GT(restore_chance(make_plan(Level::normal, 10), 0.9), 0.9998);  // 4 of 10
}

TEST(Level, Names) {
  for (Level level : kLevels) EXPECT_EQ(*parse_level(to_string(level)), level);
  EXPECT_EQ(parse_level("Normal").error().code, Errc::usage);
}

/// Homes of up to `people` others among up to 40, some of them the vault owner's own.
std::vector<std::uint32_t> random_owners(std::mt19937_64& random) {
  std::vector<std::uint32_t> owners(1 + random() % 40);
  const std::uint64_t people = 1 + random() % 8;
  for (std::uint32_t& owner : owners) owner = random() % 4 == 0 ? 0 : static_cast<std::uint32_t>(1 + random() % people);
  return owners;
}

std::size_t count_owners(std::span<const std::uint32_t> owners) {
  const std::set<std::uint32_t> others(owners.begin(), owners.end());
  const auto own = static_cast<std::size_t>(std::ranges::count(owners, 0u));
  return own + others.size() - (others.contains(0) ? 1 : 0);
}

TEST(PlanOfOwners, IsThatOfTheHomesWhereNobodyHasTwo) {
  for (Level level : kLevels) {
    for (unsigned homes = 1; homes <= 255; ++homes) {
      std::vector<std::uint32_t> owners(homes, 0);
      EXPECT_EQ(make_plan(level, owners), make_plan(level, homes)) << homes;
      for (unsigned i = homes / 2; i < homes; ++i) owners[i] = 1 + i;
      EXPECT_EQ(make_plan(level, owners), make_plan(level, homes)) << homes;
    }
  }
}

TEST(PlanOfOwners, WithFewerThanThreeThereIsNoDispersal) {
  const std::vector<std::vector<std::uint32_t>> few = {{7, 7, 7, 7}, {0, 7, 7, 7}, {5, 7, 7, 5, 7}, {0, 0}, {5, 0}};
  for (const auto& owners : few) {
    const Plan plan = make_plan(Level::normal, owners);
    EXPECT_TRUE(plan.sealed_mirror());
    Plan of_homes = make_plan(Level::normal, static_cast<unsigned>(owners.size()));
    of_homes.owners = plan.owners;
    EXPECT_EQ(plan, of_homes);
  }
  EXPECT_FALSE(make_plan(Level::normal, std::vector<std::uint32_t>{0, 0, 7, 7}).sealed_mirror());
}

TEST(PlanOfOwners, OneWithManyHomesGetsNoMoreThanOneMay) {
  // Two homes of one's own and three of a neighbour: six rows each, whatever the level's table has for five homes.
  const Plan plan = make_plan(Level::normal, std::vector<std::uint32_t>{0, 0, 7, 7, 7});
  EXPECT_EQ(plan.n, 18u);
  EXPECT_EQ(plan.margin, 1u);
  EXPECT_EQ(plan.rows_per_home, (std::vector<unsigned>{6, 6, 2, 2, 2}));
}

/// Every promise, for every size: whoever wants to read or to destroy has to rob or to persuade two people.
TEST(PlanOfOwners, KeepsItsPromisesForAllSizes) {
  std::mt19937_64 random(testing::seed_of_run());
  for (std::uint64_t round = 0; round < 1500 / test_run::stride(); ++round) {
    const std::vector<std::uint32_t> owners = random_owners(random);
    const std::span<const std::uint32_t> used = std::span(owners).first(std::min<std::size_t>(owners.size(), 36));
    for (Level level : kLevels) {
      const Plan plan = make_plan(level, owners);
      ASSERT_EQ(plan.homes, used.size());
      ASSERT_EQ(plan.owners, count_owners(used));
      ASSERT_EQ(std::accumulate(plan.rows_per_home.begin(), plan.rows_per_home.end(), 0u), plan.n);
      const auto placed = place(plan, segment_of(random()));
      std::map<std::uint32_t, unsigned> of_owner;
      std::multiset<unsigned, std::greater<>> sizes;
      std::set<std::uint8_t> rows;
      std::vector<RowsAt> at;
      for (std::uint32_t i = 0; i < placed.size(); ++i) {
        of_owner[used[i] == 0 ? 1000 + i : used[i]] += static_cast<unsigned>(placed[i].size());
        sizes.insert(static_cast<unsigned>(placed[i].size()));
        rows.insert(placed[i].begin(), placed[i].end());
        at.push_back({.domain = i, .counts = true, .rows = placed[i]});
      }
      ASSERT_EQ(rows.size(), plan.n);
      ASSERT_EQ(*rows.rbegin(), plan.n - 1);
      ASSERT_TRUE(std::ranges::equal(sizes, plan.rows_per_home));
      ASSERT_EQ(margin_of(at, plan.k), static_cast<int>(plan.margin));
      if (plan.sealed_mirror()) continue;
      ASSERT_GE(plan.margin, 1u);
      for (const auto& [owner, count] : of_owner) ASSERT_LE(count, most_of_one(plan.n, plan.k));
    }
  }
}

}  // namespace
}  // namespace mhp::dispersal
