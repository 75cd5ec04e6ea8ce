// The power goes at every call that writes the book: what was acknowledged is there, and every file can be read.
#include <gtest/gtest.h>

#include <random>
#include <unordered_set>

#include "base/test_run.h"
#include "cloud/book.h"
#include "cloud/test_cloud.h"
#include "platform/memory/memory_platform.h"
#include "platform/testing/fingerprint.h"

namespace mhp::cloud {
namespace {

using platform::MemoryDisk;

constexpr const char* kFolder = "/state/clouds";
constexpr std::size_t kSteps = 12;

/// Two clouds as their members see them, made once: signatures cost more than all the rest.
struct Script {
  Script() {
    for (const char* name : {"Ann", "Ben"}) {
      const Person founder(name);
      Cloud cloud(founder);
      clouds.push_back(cloud.roster);
      news.emplace_back();
      for (std::size_t i = 0; i < kSteps; ++i) {
        const auto before = cloud.roster.digest();
        cloud.let_in(founder, Person(std::string(name) + std::to_string(i)));
        news.back().push_back(cloud.roster.missing_of(before).statements);
      }
    }
  }
  std::vector<Roster> clouds;
  std::vector<std::vector<std::vector<Bytes>>> news;  // by cloud and step
};

const Script& script() {
  static const Script made;
  return made;
}

/// Random calls on a book; keeps account of what was acknowledged.
class Driver {
 public:
  Driver(MemoryDisk& disk, std::uint64_t seed) : random_(seed), books_{Book(disk, kFolder), Book(disk, kFolder)} {}

  void run() {
    for (std::size_t i = 0; i < kSteps; ++i) step();
  }

  /// "" where all that was acknowledged is in `disk`.
  std::string check(MemoryDisk& disk) const {
    Book book(disk, kFolder);
    const auto refreshed = book.refresh();
    if (!refreshed) return refreshed.error().detail;
    for (std::size_t i = 0; i < 2; ++i) {
      const RosterPointer found = book.find(script().clouds[i].cloud());
      if (is_in_[i] && !may_be_gone_[i] && !found) return "a cloud is gone";
      if (!is_in_[i] && !may_be_there_[i] && found) return "a cloud that was left is back";
      if (!found || !is_in_[i]) continue;
      for (const Bytes& statement : said_[i]) {
        Roster with = *found;
        if (!take(with, statement).fresh.empty()) return "a statement is gone";
      }
    }
    return "";
  }

 private:
  void step() {
    const std::size_t i = random_() % 2;
    const Roster& roster = script().clouds[i];
    Book& book = books_[random_() % 2];
    if (!is_in_[i]) {
      may_be_there_[i] = true;
      if (!book.add(roster)) return;
      is_in_[i] = true;
      may_be_gone_[i] = false;
      said_[i] = roster.statements().statements;
      return;
    }
    if (random_() % 8 == 0) {
      may_be_gone_[i] = true;
      if (!book.drop(roster.cloud())) return;
      is_in_[i] = may_be_there_[i] = false;
      said_[i].clear();
      next_[i] = 0;
      return;
    }
    const auto& statements = script().news[i][next_[i]];
    if (!book.merge(roster.cloud(), statements)) return;
    said_[i].insert(said_[i].end(), statements.begin(), statements.end());
    next_[i] += 1;
  }

  std::mt19937_64 random_;
  std::array<Book, 2> books_;  // as of two processes
  std::array<bool, 2> is_in_{};
  std::array<bool, 2> may_be_gone_{};
  std::array<bool, 2> may_be_there_{};
  std::array<std::vector<Bytes>, 2> said_;
  std::array<std::size_t, 2> next_{};
};

/// Runs until call `at_call` of the disk and looks at `cuts` states the disk may be in then. False where the run was
/// over before.
bool expect_survives(std::uint64_t seed, std::uint64_t at_call, std::uint64_t cuts,
                     std::unordered_set<std::uint64_t>& states) {
  MemoryDisk disk;
  disk.set_faults({.fail_call = at_call, .fail_ever_after = true, .short_write = at_call % 2 == 0});
  Driver driver(disk, seed);
  driver.run();
  for (std::uint64_t cut = 0; cut < cuts; ++cut) {
    const std::uint64_t cut_seed = cut == 0 ? 0 : seed * 1'000'003 + at_call * 101 + cut;
    const auto after = disk.after_power_cut(cut_seed);
    if (!states.insert(platform::testing::fingerprint(*after)).second) continue;
    const std::string problem = driver.check(*after);
    EXPECT_EQ(problem, "") << "call " << at_call << ", cut seed " << cut_seed << "; repeat with MHP_SEED=" << seed;
    if (!problem.empty()) return false;
  }
  return disk.calls() >= at_call;
}

TEST(BookPowerCut, WhatWasAcknowledgedIsThere) {
  const std::uint64_t first = test_run::seed();
  const std::size_t wanted = (test_run::is_long() ? 100'000 : 800) / test_run::stride();
  std::unordered_set<std::uint64_t> states;
  for (std::uint64_t seed = first; states.size() < wanted && !HasFailure(); ++seed) {
    for (std::uint64_t call = 1; states.size() < wanted && expect_survives(seed, call, 12, states); ++call) {
    }
  }
  test_run::tried_of_sweep(5, "distinct power-cut states of a book of rosters", states.size(), first);
}

/// One call fails, and then the disk is as it was: nothing is lost, and the next call does all of it.
TEST(BookPowerCut, AFailedWriteCanBeDoneAgain) {
  const Roster& roster = script().clouds[0];
  bool is_over = false;
  for (std::uint64_t call = 1; !is_over; ++call) {
    MemoryDisk disk;
    Book book(disk, kFolder);
    ASSERT_TRUE(book.add(roster));
    disk.set_faults({.fail_call = disk.calls() + call, .fail_with = call % 2 == 0 ? Errc::full : Errc::unavailable});
    const auto merged = book.merge(roster.cloud(), script().news[0][0]);
    is_over = merged.has_value();
    if (!merged) EXPECT_EQ(merged.error().subject, Subject::state);
    disk.set_faults({});
    ASSERT_TRUE(book.merge(roster.cloud(), script().news[0][0])) << call;
    Book other(disk, kFolder);
    ASSERT_TRUE(other.refresh());
    EXPECT_EQ(other.find(roster.cloud())->statements(), book.find(roster.cloud())->statements());
    const auto copy = platform::read_file(disk, std::string(kFolder) + "/" + roster.cloud().hex() + ".copy", 5_MiB);
    ASSERT_TRUE(copy);
    const auto parsed = wire::parse_statements(*copy);
    EXPECT_TRUE(parsed && *parsed == book.find(roster.cloud())->statements()) << call;
  }
}

}  // namespace
}  // namespace mhp::cloud
