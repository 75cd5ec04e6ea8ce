// Forgetting among crashes, absent homes and other devices: a random walk beside a model, and a power cut at every
// call.
#include <gtest/gtest.h>

#include <random>

#include "base/test_run.h"
#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

using testing::back_up;
using testing::Files;
using testing::forget;
using testing::read_back;
using testing::World;
using namespace std::chrono_literals;

constexpr auto kOneDay = 24h;

/// Everything that is listed restores to something that was saved, and everything in `must` is listed.
void expect_all(World& world, const std::string& computer, const std::vector<Files>& must,
                const std::vector<Files>& may) {
  auto session = world.open(computer);
  ASSERT_TRUE(session) << session.error().detail;
  std::vector<Files> found;
  for (const auto& snapshot : session->vault->snapshots()) {
    auto back = world.run(read_back(*session->vault, snapshot));
    ASSERT_TRUE(back) << back.error().detail;
    found.push_back(std::move(*back));
  }
  for (const Files& files : must)
    EXPECT_TRUE(std::ranges::find(found, files) != found.end()) << "an acknowledged snapshot is lost";
  for (const Files& files : found)
    EXPECT_TRUE(std::ranges::find(may, files) != may.end()) << "a snapshot that nobody made";
}

// --- Power cuts ---

/// One life: two snapshots; the first is forgotten, which moves what the second needs of it; the power goes at disk
/// call `cut_at`; then all goes on, past the hold. False where forgetting was over before.
bool forget_once(std::uint64_t seed, std::uint64_t cut_at) {
  SCOPED_TRACE("MHP_SEED=" + std::to_string(testing::seed_of_run()) + " cut at call " + std::to_string(cut_at));
  World world(testing::seed_of_run(), 3);
  world.init("a");
  Files stays{{"stays", world.noise(9'000)}, {"too", world.noise(70'000)}};
  Files goes = stays;
  goes["goes"] = world.noise(900'000);
  auto save = [&](const Files& files) {
    auto session = world.open("a");
    EXPECT_TRUE(session);
    return world.run(back_up(world.platform(), *session->vault, files)).has_value();
  };
  EXPECT_TRUE(save(goes) && save(stays));
  world.settle();
  platform::DiskFaults faults;
  faults.fail_call = world.platform().memory_disk().calls() + cut_at;
  faults.fail_ever_after = true;
  world.platform().memory_disk().set_faults(faults);
  bool forgotten = false;
  {
    auto done = forget(world, "a", {0});
    forgotten = done.has_value();
  }
  world.settle();
  bool cut = world.platform().memory_disk().calls() >= faults.fail_call;
  world.cut_power(seed);
  expect_all(world, "a", {stays}, forgotten ? std::vector{stays} : std::vector{stays, goes});
  Files more{{"more", world.noise(5'000)}};
  EXPECT_TRUE(save(more));
  for (int visit = 0; visit < 5 && cut_at % 8 == 0; ++visit) {
    world.pass_time(9 * kOneDay);
    auto done = forget(world, "a", {});
    EXPECT_TRUE(done) << done.error().detail;
  }
  expect_all(world, "a", {stays, more}, {stays, goes, more});
  return cut;
}

TEST(CollectPowerCut, AtEveryCallOfAForget) {
  std::uint64_t seed = testing::seed_of_run();
  unsigned lives = 0;
  bool cut = true;
  const std::uint64_t step = test_run::stride();
  for (std::uint64_t call = 1; cut && !::testing::Test::HasFailure(); call += step) {
    cut = forget_once(call % 4 == 0 ? 0 : seed * 1000 + call, call);
    ++lives;
  }
  test_run::tried_of_sweep(5, "power cuts in a forget, with the next backup", lives, seed);
  EXPECT_GT(lives, 90 / test_run::stride());
}

// --- A random walk ---

/// What must be true of a vault that two devices use, whatever they and the machine do.
class Walk {
 public:
  explicit Walk(std::uint64_t seed) : random_(seed), world_(seed, 5) {
    world_.init("a");
    save("a");
    world_.recover("b", 0, Earlier::keep);
  }

  void step() {
    std::string who = below(2) == 0 ? "a" : "b";
    switch (below(12)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return save(who);
      case 4:
      case 5:
      case 6:
        return forget_some(who);
      case 7:
        return interrupt(who);
      case 8:
        return crash(who);
      case 9:
        return repair(who);
      case 10:
        return lose_or_find();
      default:
        return world_.pass_time(below(12) * kOneDay);
    }
  }

  /// Both see the same, all of it.
  void expect_whole() {
    for (const char* who : {"a", "b"}) {
      auto session = world_.open(who);
      ASSERT_TRUE(session) << session.error().detail;
      std::map<SnapshotId, Files> found;
      for (const auto& snapshot : session->vault->snapshots()) {
        auto back = world_.run(read_back(*session->vault, snapshot));
        ASSERT_TRUE(back) << who << " " << snapshot.id.short_hex() << ": " << back.error().detail;
        found[snapshot.id] = std::move(*back);
      }
      for (const auto& [id, files] : saved_)
        EXPECT_TRUE(found.contains(id) && found[id] == files) << who << " lacks " << id.short_hex();
      for (const auto& [id, files] : found)
        EXPECT_TRUE(saved_.contains(id) || unsure_.contains(id)) << who << " shows " << id.short_hex();
    }
  }

  /// All homes there, both devices do their part for long enough: what is on the disks is near to what is needed.
  void expect_small() {
    away_.reset();
    for (unsigned home = 0; home < 5; ++home) world_.find_home(home);
    for (int visit = 0; visit < 14; ++visit) {
      world_.pass_time(9 * kOneDay);
      for (const char* who : {"a", "b"}) {
        auto done = forget(world_, who, {});
        ASSERT_TRUE(done) << done.error().detail;
        EXPECT_EQ(done->held_back, "");
      }
    }
    std::uint64_t live = 0;
    std::set<Bytes> once;
    for (const auto& [id, files] : saved_) {
      for (const auto& [name, content] : files) {
        if (once.insert(content).second) live += content.size();
      }
    }
    // 20 rows of 12; segments and logs may be half empty; each row is a record of whole blocks.
    std::uint64_t bound = 7 * live + 5 * 6_MiB;
    EXPECT_LT(world_.used_bytes(), bound) << live << " bytes are live";
  }

  std::size_t snapshots() const { return saved_.size(); }

 private:
  std::uint64_t below(std::uint64_t bound) { return random_() % bound; }

  Files some_files() {
    Files files;
    // Often what an earlier snapshot had, also one that is forgotten.
    for (std::uint64_t i = 1 + below(4); i > 0; --i) {
      bool old = !contents_.empty() && below(2) == 0;
      if (!old) contents_.push_back(world_.noise(1 + below(below(4) == 0 ? 3'000'000 : 60'000)));
      files["file " + std::to_string(i)] = old ? contents_[below(contents_.size())] : contents_.back();
    }
    return files;
  }

  void save(const std::string& who) {
    Files files = some_files();
    auto session = world_.open(who);
    if (!session) return;
    auto before = listed(*session->vault);
    auto saved = world_.run(back_up(world_.platform(), *session->vault, files));
    if (saved) saved_[saved->snapshot] = files;
    if (!saved) note_unsure(*session->vault, before);
  }

  static std::set<SnapshotId> listed(const Vault& vault) {
    std::set<SnapshotId> out;
    for (const auto& snapshot : vault.snapshots()) out.insert(snapshot.id);
    return out;
  }
  void note_unsure(const Vault& vault, const std::set<SnapshotId>& before) {
    for (const auto& snapshot : vault.snapshots()) {
      if (!before.contains(snapshot.id)) unsure_.insert(snapshot.id);
    }
  }

  void forget_some(const std::string& who) {
    auto session = world_.open(who);
    if (!session) return;
    CollectOptions options;
    for (const auto& snapshot : session->vault->snapshots()) {
      if (below(4) == 0) options.forget.push_back(snapshot.id);
    }
    for (const SnapshotId& id : options.forget) {
      saved_.erase(id);
      unsure_.insert(id);  // an attempt that fails may leave it
    }
    options.repack = below(4) != 0;
    (void)world_.run(forget(*session->vault, options));
  }

  void interrupt(const std::string& who) {
    auto session = world_.open(who);
    if (!session) return;
    (void)world_.run(testing::back_up_without_end(world_.platform(), *session->vault, some_files()));
    if (below(2) == 0) world_.run(session->homes->commit());
  }

  /// A backup or forget in which the disk fails from some call on, and then the power goes.
  void crash(const std::string& who) {
    world_.settle();
    platform::DiskFaults faults;
    faults.fail_call = world_.platform().memory_disk().calls() + 1 + below(600);
    faults.fail_ever_after = true;
    world_.platform().memory_disk().set_faults(faults);
    if (below(2) == 0) {
      crash_backup(who);
    } else {
      forget_some(who);
    }
    world_.cut_power(below(3) == 0 ? 0 : 1 + below(1'000'000));
  }
  void crash_backup(const std::string& who) {
    Files files = some_files();
    auto session = world_.open(who);
    if (!session) return;
    auto before = listed(*session->vault);
    auto saved = world_.run(back_up(world_.platform(), *session->vault, files));
    if (saved) saved_[saved->snapshot] = files;
    note_unsure(*session->vault, before);
  }

  void repair(const std::string& who) {
    auto session = world_.open(who);
    if (session) (void)world_.run(session->vault->repair(false, {}, false, Progress()));
  }

  /// At most one home is away at a time: with more a backup may go by that the other device cannot know of.
  void lose_or_find() {
    if (away_) {
      world_.find_home(*away_);
      away_.reset();
      return;
    }
    away_ = static_cast<unsigned>(below(5));
    world_.lose_home(*away_);
  }

  std::mt19937_64 random_;
  World world_;
  std::map<SnapshotId, Files> saved_;  // acknowledged, and nobody asked to forget them
  std::set<SnapshotId> unsure_;        // may be there or not
  std::vector<Bytes> contents_;
  std::optional<unsigned> away_;
};

TEST(CollectWalk, WhatIsSavedIsThereAndWhatIsForgottenGoes) {
  std::uint64_t seed = testing::seed_of_run();
  const unsigned walks = test_run::is_long() ? 100 : test_run::stride() > 1 ? 1 : 8;
  std::size_t snapshots = 0;
  for (unsigned i = 0; i < walks && !HasFailure(); ++i) {
    SCOPED_TRACE("MHP_SEED=" + std::to_string(seed) + " walk " + std::to_string(i));
    Walk walk(seed * 1000 + i);
    for (int step = 0; step < 40 && !HasFailure(); ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      walk.step();
      if (step % 8 == 7) walk.expect_whole();
    }
    walk.expect_small();
    walk.expect_whole();
    snapshots += walk.snapshots();
  }
  std::printf("%u walks, %zu snapshots in the end, MHP_SEED=%llu\n", walks, snapshots,
              static_cast<unsigned long long>(seed));
  EXPECT_GT(snapshots, walks);
}

}  // namespace
}  // namespace mhp::vault
