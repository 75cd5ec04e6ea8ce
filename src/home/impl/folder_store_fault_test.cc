// Power cuts and failing disks: what a home acknowledged is there, bit-exact, and what it claims is true.
#include <gtest/gtest.h>

#include <unordered_set>

#include "base/test_run.h"
#include "home/impl/store_world_test.h"
#include "platform/testing/fingerprint.h"

namespace mhp::home::impl {
namespace {

using platform::DiskFaults;
using platform::MemoryDisk;

constexpr std::size_t kSteps = 30;

/// The state goes on living: it takes new segments, and a scan without the index finds the same.
std::string check_life_goes_on(MemoryDisk& disk, Acknowledged acknowledged, std::uint64_t seed) {
  {
    auto store = open_store(disk);
    const std::size_t segment = seed % Stock::kSegments;
    AlignedBuffer record = Stock::get().record(segment, {0, 1, 2, 3});
    if (auto put = store->put(record.bytes()); !put) return "put afterwards: " + put.error().detail;
    if (auto done = store->commit(); !done) return "commit afterwards: " + done.error().detail;
    for (std::uint8_t row = 0; row < Stock::kRows; ++row) acknowledged.committed.emplace(segment, row);
    if (auto problem = check_state(*store, acknowledged); !problem.empty()) return "then: " + problem;
    if (seed % 2 == 0) store->close();
  }
  const auto cut = disk.after_power_cut(seed + 1);
  (void)cut->remove(std::string(kPath) + "/index");
  auto store = open_store(*cut);
  const auto problem = check_state(*store, acknowledged);
  return problem.empty() ? problem : "then, without the index: " + problem;
}

/// How many calls that can fail a run makes.
std::uint64_t calls_of_run(std::uint64_t seed) {
  MemoryDisk disk;
  const wire::HomeFile identity = make_home(disk);
  const std::uint64_t before = disk.calls();
  Driver(disk, identity, seed).run(kSteps);
  return disk.calls() - before;
}

struct Crash {
  std::uint64_t run_seed = 0;
  std::uint64_t at_call = 0;  // of the run; from there on nothing works
  bool short_write = false;
};

using States = std::unordered_set<std::uint64_t>;  // a disk's fingerprint, with how much was acknowledged

std::uint64_t state_of(MemoryDisk& disk, const Acknowledged& acknowledged) {
  std::uint64_t out = platform::testing::fingerprint(disk);
  for (const std::size_t count : {acknowledged.committed.size(), acknowledged.vault_records, acknowledged.heads})
    out = (out ^ count) * 0x9E3779B97F4A7C15;
  return out;
}

/// Runs into the crash, then looks at `cuts` states the disk may be in, and adds them to `states`.
void expect_survives(const Crash& crash, std::uint64_t cuts, States& states) {
  MemoryDisk disk;
  const wire::HomeFile identity = make_home(disk);
  DiskFaults faults;
  faults.fail_call = disk.calls() + crash.at_call;
  faults.fail_ever_after = true;
  faults.short_write = crash.short_write;
  disk.set_faults(faults);
  Driver driver(disk, identity, crash.run_seed);
  driver.run(kSteps);
  constexpr int kBored = 3;  // little is un-synced here: the cuts give the same again and again
  int seen_again = 0;
  for (std::uint64_t cut = 0; cut < cuts; ++cut) {
    const std::uint64_t cut_seed = cut == 0 ? 0 : crash.run_seed * 1000 + crash.at_call * 7 + cut;
    const auto after = disk.after_power_cut(cut_seed);
    if (!states.insert(state_of(*after, driver.acknowledged())).second) {  // seen before
      if (++seen_again == kBored) return;
      continue;
    }
    std::string problem;
    {
      auto store = open_store(*after);
      problem = check_state(*store, driver.acknowledged());
    }
    if (problem.empty() && cut % 4 == 0) problem = check_life_goes_on(*after, driver.acknowledged(), cut_seed);
    if (problem.empty()) continue;
    ADD_FAILURE() << problem << "\n  run seed " << crash.run_seed << ", call " << crash.at_call << ", cut seed "
                  << cut_seed << (crash.short_write ? ", short write" : "")
                  << "; repeat with MHP_SEED=" << crash.run_seed;
    return;
  }
}

TEST(FolderStorePowerCut, WhatWasAcknowledgedIsThere) {
  const std::size_t wanted = 20'000 * long_factor() / test_run::stride();
  constexpr std::uint64_t kCuts = 12;
  States states;
  const std::uint64_t first = seed_or(1);
  for (std::uint64_t seed = first; states.size() < wanted && !HasFailure(); ++seed) {
    const std::uint64_t calls = calls_of_run(seed);
    for (std::uint64_t call = 1; call <= calls + 1 && states.size() < wanted && !HasFailure(); ++call)
      expect_survives({seed, call, call % 2 == 0}, kCuts, states);
  }
  test_run::tried_of_sweep(5, "distinct power-cut states of a home", states.size(), first);
}

/// One call fails, all others work: errors are told, nothing told "done" is lost, the store goes on.
void expect_rides_out(std::uint64_t seed, std::uint64_t at_call, Errc with, bool short_write) {
  MemoryDisk disk;
  const wire::HomeFile identity = make_home(disk);
  DiskFaults faults;
  faults.fail_call = disk.calls() + at_call;
  faults.fail_with = with;
  faults.short_write = short_write;
  disk.set_faults(faults);
  Driver driver(disk, identity, seed);
  driver.run(kSteps);
  disk.set_faults({});
  std::string problem = check_state(driver.store(), driver.acknowledged());
  for (const std::uint64_t cut_seed : {std::uint64_t{0}, seed + at_call, seed + at_call * 3 + 1}) {
    if (!problem.empty()) break;
    const auto after = disk.after_power_cut(cut_seed);
    auto store = open_store(*after);
    problem = check_state(*store, driver.acknowledged());
    if (problem.empty() && cut_seed == 0) {
      store.reset();
      problem = check_life_goes_on(*after, driver.acknowledged(), seed);
    }
  }
  EXPECT_EQ(problem, "") << "run seed " << seed << ", call " << at_call << ", " << to_string(with)
                         << (short_write ? ", short write" : "") << "; repeat with MHP_SEED=" << seed;
}

TEST(FolderStoreFaults, EveryCallMayFailOnce) {
  const std::uint64_t first = seed_or(1);
  const std::uint64_t runs = 4 * long_factor();
  std::uint64_t faults = 0;
  for (std::uint64_t seed = first; seed < first + runs && !HasFailure(); ++seed) {
    const std::uint64_t calls = calls_of_run(seed);
    for (std::uint64_t call = 1 + seed % test_run::stride(); call <= calls && !HasFailure();
         call += test_run::stride()) {
      faults += 2;
      expect_rides_out(seed, call, Errc::unavailable, call % 2 == 0);
      expect_rides_out(seed, call, Errc::full, call % 2 == 1);
    }
  }
  test_run::tried_of_sweep(6, "faults injected into a home", faults, first);
}

TEST(FolderStoreFaults, AFailedCommitForgetsWhatItCovered) {
  const Stock& stock = Stock::get();
  MemoryDisk disk;
  make_home(disk);
  auto store = open_store(disk);
  AlignedBuffer kept = stock.record(1, {0, 1});
  ASSERT_TRUE(store->put(kept.bytes()));
  ASSERT_TRUE(store->commit());
  AlignedBuffer lost = stock.record(2, {0});
  ASSERT_TRUE(store->put(lost.bytes()));
  disk.set_faults({.fail_call = disk.calls() + 1, .fail_ever_after = true});
  EXPECT_FALSE(store->commit());
  EXPECT_EQ(store->log().find(stock.segments[2].card.segment).error().code, Errc::not_found);
  EXPECT_FALSE(store->put(lost.bytes()));  // the disk is still broken
  disk.set_faults({});
  EXPECT_TRUE(store->log().find(stock.segments[1].card.segment));
  ASSERT_TRUE(store->put(lost.bytes()));
  ASSERT_TRUE(store->commit());
  const auto after = disk.after_power_cut(0);
  Rows claimed;
  EXPECT_EQ(check_claims(*open_store(*after), claimed), "");
  EXPECT_EQ(claimed, (Rows{{1, 0}, {1, 1}, {2, 0}}));
}

TEST(FolderStoreFaults, AFullDiskKeepsWhatIsThere) {
  const Stock& stock = Stock::get();
  for (std::uint64_t capacity = 20'000; capacity < 140'000; capacity += 1'111) {
    MemoryDisk disk;
    make_home(disk);
    disk.set_faults({.capacity_bytes = capacity});
    auto store = open_store(disk);
    Acknowledged acknowledged;
    bool was_full = false;
    for (std::size_t i = 0; i < Stock::kSegments; ++i) {
      AlignedBuffer record = stock.record(i, {0, 1});
      const auto put = store->put(record.bytes());
      const auto done = put ? store->commit() : put;
      if (done) {
        acknowledged.committed.merge(Rows{{i, std::uint8_t{0}}, {i, std::uint8_t{1}}});
      } else {
        was_full = true;
        EXPECT_EQ(done.error().code, Errc::full) << done.error().detail;
      }
    }
    EXPECT_EQ(check_state(*store, acknowledged), "") << capacity;
    if (capacity < 100'000) EXPECT_TRUE(was_full) << capacity;
    const auto after = disk.after_power_cut(0);
    after->set_faults({});
    EXPECT_EQ(check_life_goes_on(*after, acknowledged, capacity), "") << capacity;
  }
}

}  // namespace
}  // namespace mhp::home::impl
