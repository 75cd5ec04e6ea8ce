// Repair over random histories of loss: the plan's margin comes back, numbers stay bounded, whole segments are left
// alone.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <set>

#include "base/test_run.h"
#include "dispersal/home_set.h"
#include "dispersal/testing/world.h"

namespace mhp::dispersal {
namespace {

using testing::random_id;

/// Who holds what of one segment, by member; what repair does to it is done here without bytes.
struct History {
  SegmentId segment;
  Level level = Level::normal;
  std::map<std::size_t, std::set<std::uint8_t>> held;
  unsigned known_rows = 0;
  std::size_t next_member = 0;
  std::map<std::size_t, std::uint32_t> owner = {};  // by member; the others are the vault owner's own

  std::vector<Holder> holders() const {
    std::vector<Holder> out;
    for (const auto& [member, rows] : held)
      out.push_back({.member = member, .rows = {rows.begin(), rows.end()}, .card_version = 1});
    return out;
  }
  std::vector<std::size_t> members() const {
    std::vector<std::size_t> out;
    for (const auto& [member, rows] : held) out.push_back(member);
    return out;
  }
  std::vector<std::uint32_t> owners() const {
    std::vector<std::uint32_t> out;
    for (const std::size_t member : members()) out.push_back(owner.contains(member) ? owner.at(member) : 0);
    return out;
  }
  std::vector<RowsFor> wanted() const {
    return plan_repair(holders(), members(), level, known_rows, segment, owners());
  }
  /// Distinct rows on all homes of an owner.
  std::size_t rows_of(std::uint32_t who) const {
    std::set<std::uint8_t> rows;
    for (const auto& [member, of_it] : held) {
      if (owner.contains(member) && owner.at(member) == who) rows.insert(of_it.begin(), of_it.end());
    }
    return rows.size();
  }
  std::size_t repair() {
    std::size_t made = 0;
    for (const RowsFor& give : wanted()) {
      for (std::uint8_t row : give.rows) {
        EXPECT_FALSE(held[give.home].contains(row));
        // A card lists rows without gaps: a new number is the next one.
        EXPECT_LE(row, known_rows);
        known_rows = std::max(known_rows, row + 1u);
        held[give.home].insert(row);
        ++made;
      }
    }
    return made;
  }
  int margin() const {
    std::vector<RowsAt> at;
    for (const auto& [member, rows] : held) {
      at.push_back({.domain = static_cast<std::uint32_t>(member), .counts = true, .rows = {rows.begin(), rows.end()}});
    }
    return margin_of(at, kNeed);
  }
  void join(std::size_t homes) {
    while (homes-- > 0) held[next_member++] = {};
  }
};

TEST(RepairPlan, AFreshSegmentIsPlacedAsPlannedAndThenLeftAlone) {
  std::mt19937_64 random(testing::seed_of_run());
  for (Level level : {Level::thrifty, Level::normal, Level::strong}) {
    for (unsigned homes = 1; homes <= 40; ++homes) {
      const Plan plan = make_plan(level, homes);
      History history{.segment = random_id<SegmentId>(random), .level = level, .held = {}};
      history.join(homes);
      EXPECT_EQ(history.repair(), plan.n) << homes;
      EXPECT_EQ(history.margin(), static_cast<int>(plan.margin)) << homes;
      EXPECT_TRUE(history.wanted().empty()) << homes;
    }
  }
}

TEST(RepairPlan, LeavesANewPlacementAlone) {
  std::mt19937_64 random(testing::seed_of_run());
  for (unsigned homes = 1; homes <= 36; ++homes) {
    const Plan plan = make_plan(Level::normal, homes);
    History history{.segment = random_id<SegmentId>(random), .held = {}, .known_rows = plan.n};
    for (auto& rows : place(plan, history.segment)) history.held[history.next_member++] = {rows.begin(), rows.end()};
    EXPECT_TRUE(history.wanted().empty()) << homes;
  }
}

TEST(RepairPlan, RestoresTheMarginOverRandomHistories) {
  const std::uint64_t seed = testing::seed_of_run();
  for (std::uint64_t run = 0; run < 64 / test_run::stride(); ++run) {
    SCOPED_TRACE("MHP_SEED=" + std::to_string(seed) + " run " + std::to_string(run));
    std::mt19937_64 random(seed * 1000 + run);
    History history{.segment = random_id<SegmentId>(random), .level = static_cast<Level>(random() % 3), .held = {}};
    history.join(1 + random() % 24);
    history.repair();
    std::map<std::size_t, std::set<std::uint8_t>> asleep;  // homes that are away and come back with what they had
    for (int round = 0; round < 50; ++round) {
      const int may_go = history.margin();
      for (std::size_t going = random() % static_cast<std::size_t>(may_go + 1); going > 0 && history.held.size() > 1;
           --going) {
        auto at = history.held.begin();
        std::advance(at, static_cast<std::ptrdiff_t>(random() % history.held.size()));
        if (random() % 2 == 0) asleep.insert(*at);
        history.held.erase(at);
      }
      ASSERT_GE(history.margin(), 0) << "lost with " << history.held.size() << " homes left";
      if (history.held.size() < 30) history.join(random() % 4);
      while (!asleep.empty() && random() % 3 == 0) {
        history.held.insert(asleep.extract(asleep.begin()));
      }
      if (history.held.size() > 36) break;
      history.repair();
      const Plan plan = make_plan(history.level, static_cast<unsigned>(history.held.size()));
      ASSERT_GE(history.margin(), static_cast<int>(plan.margin)) << "round " << round;
      ASSERT_TRUE(history.wanted().empty()) << "round " << round;
      ASSERT_LE(history.known_rows, 255u);
    }
  }
}

TEST(RepairPlan, DoubleRowsKeepOneHomeSafeOnly) {
  // Two homes with the same twelve rows: losing the third would be fine, losing both twins must be too where the plan
  // says so.
  History history{.segment = SegmentId(), .held = {}, .known_rows = 24};
  history.join(4);
  for (std::uint8_t row = 0; row < 6; ++row) {
    history.held[0].insert(row);
    history.held[1].insert(row);
    history.held[2].insert(static_cast<std::uint8_t>(row + 6));
    history.held[3].insert(static_cast<std::uint8_t>(row + 12));
  }
  EXPECT_EQ(history.margin(), 1);
  EXPECT_EQ(history.repair(), 6u);
  EXPECT_EQ(history.margin(), 2);
  EXPECT_EQ(history.known_rows, 24u);  // rows 18..23 nobody held
}

TEST(RepairPlan, ANewHomeAtACloudOfSixGetsItsShareAndOthersKeepTheirs) {
  const Plan plan = make_plan(Level::normal, 6);
  History history{.segment = SegmentId(), .held = {}, .known_rows = plan.n};
  for (auto& rows : place(plan, history.segment)) history.held[history.next_member++] = {rows.begin(), rows.end()};
  history.join(1);
  const std::vector<RowsFor> wanted = history.wanted();
  ASSERT_EQ(wanted.size(), 1u);
  EXPECT_EQ(wanted[0].home, 6u);
  EXPECT_EQ(wanted[0].rows, (std::vector<std::uint8_t>{24, 25, 26}));
}

TEST(RepairPlan, RowsOfMembersOutsideThePlanAreNotGivenAgainWhileThereAreOthers) {
  std::vector<Holder> holders{{.member = 9, .rows = {}, .card_version = 1}};
  for (std::uint8_t row = 0; row < 24; ++row) holders[0].rows.push_back(row);
  const auto wanted = plan_repair(holders, {0, 1, 2}, Level::normal, 24, SegmentId());
  std::set<std::uint8_t> rows;
  for (const RowsFor& give : wanted) rows.insert(give.rows.begin(), give.rows.end());
  EXPECT_EQ(rows.size(), 18u);
  EXPECT_EQ(*rows.begin(), 24);
  EXPECT_TRUE(plan_repair(holders, {}, Level::normal, 24, SegmentId()).empty());
}

/// `homes`, most of them of a few other people.
void join_with_owners(History& history, std::mt19937_64& random, std::size_t homes) {
  for (; homes > 0; --homes) {
    if (random() % 3 > 0) history.owner[history.next_member] = static_cast<std::uint32_t>(1 + random() % 5);
    history.join(1);
  }
}

TEST(RepairPlanOfOwners, NewPlacementsAreAsPlannedAndThenLeftAlone) {
  std::mt19937_64 random(testing::seed_of_run());
  for (std::uint64_t round = 0; round < 600 / test_run::stride(); ++round) {
    History fresh{.segment = random_id<SegmentId>(random), .level = static_cast<Level>(random() % 3), .held = {}};
    join_with_owners(fresh, random, 1 + random() % 36);
    const Plan plan = make_plan(fresh.level, fresh.owners());
    History placed = fresh;
    placed.known_rows = plan.n;
    std::size_t member = 0;
    for (auto& rows : place(plan, placed.segment)) placed.held[member++] = {rows.begin(), rows.end()};
    EXPECT_TRUE(placed.wanted().empty());
    EXPECT_EQ(fresh.repair(), plan.n);
    EXPECT_EQ(fresh.margin(), static_cast<int>(plan.margin));
    for (std::uint32_t who = 1; !plan.sealed_mirror() && who <= 5; ++who)
      EXPECT_LE(fresh.rows_of(who), most_of_one(plan.n, plan.k));
    EXPECT_TRUE(fresh.wanted().empty());
  }
}

/// People come and go, and come back with what they had: nobody is ever given what makes k rows of it.
TEST(RepairPlanOfOwners, NobodyIsGivenEnoughToReadOverRandomHistories) {
  std::mt19937_64 random(testing::seed_of_run());
  for (std::uint64_t round = 0; round < 150 / test_run::stride(); ++round) {
    History history{.segment = random_id<SegmentId>(random), .level = static_cast<Level>(random() % 3), .held = {}};
    join_with_owners(history, random, 4 + random() % 20);
    std::map<std::size_t, std::set<std::uint8_t>> away;
    for (int step = 0; step < 12; ++step) {
      const Plan plan = make_plan(history.level, history.owners());
      std::map<std::uint32_t, std::size_t> before;
      for (std::uint32_t who = 1; who <= 5; ++who) before[who] = history.rows_of(who);
      history.repair();
      for (std::uint32_t who = 1; !plan.sealed_mirror() && !plan.owner_of.empty() && who <= 5; ++who) {
        EXPECT_LT(history.rows_of(who), std::max<std::size_t>(plan.k, before[who] + 1));
      }
      if (away.empty()) EXPECT_GE(history.margin(), plan.sealed_mirror() ? 0 : 1);
      if (random() % 2 == 0 && !away.empty()) {
        history.held.insert(away.extract(away.begin()));
      } else if (history.held.size() > 5) {
        auto gone = history.held.begin();
        std::advance(gone, random() % history.held.size());
        away.insert(history.held.extract(gone));
      }
      if (random() % 4 == 0) join_with_owners(history, random, 1);
    }
  }
}

}  // namespace
}  // namespace mhp::dispersal
