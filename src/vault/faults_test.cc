// Every call of the disk fails once in a backup, a repair, a recovery and a restore, or the power goes there: an error
// or true success, and what was acknowledged stays whole.
#include <gtest/gtest.h>

#include <unordered_set>

#include "base/test_run.h"
#include "platform/testing/fingerprint.h"
#include "vault/testing/scene.h"

namespace mhp::vault {
namespace {

using testing::Files;
using testing::Scene;

struct CallFault {
  Errc with;
  bool short_write;
};
constexpr std::array kCallFaults{CallFault{Errc::unavailable, false}, CallFault{Errc::full, true},
                                 CallFault{Errc::exhausted, false}, CallFault{Errc::unavailable, true},
                                 CallFault{Errc::full, false}};

/// As World::recover, where any call may fail: from one home first, then with the records of all.
Result<void> try_recover(testing::World& world, const std::string& computer, unsigned from_home) {
  auto& platform = world.platform();
  const std::string path = world.home_path(from_home);
  MHP_TRY(const HomeId id, home::folder_home_id(platform.disk(), path));
  MHP_TRY(auto first, home::open_folder_home(platform, path, id, {}));
  std::vector<home::Home*> at_hand{first.get()};
  auto seen = world.run(seen_records(at_hand, world.root().vault()));
  if (seen.records.empty()) return fail(Errc::not_found, "the home gives no record");
  MHP_TRY(OpenRecord record, join_records(seen.records, world.root()));
  first.reset();
  {
    const auto all = world.members(record.content.homes);
    at_hand.clear();
    for (const auto& member : all) {
      if (member.home) at_hand.push_back(member.home.get());
    }
    seen = world.run(seen_records(at_hand, world.root().vault()));
    if (seen.records.empty()) return fail(Errc::not_found, "the homes give no record");
    MHP_TRY(record, join_records(seen.records, world.root()));
  }
  world.settle();
  State state(platform.disk(), world.state_path(computer));
  const Device device = make_device(world.root().vault(), platform.random());
  dispersal::HomeSet homes(platform, world.root().vault(), world.members(record.content.homes));
  std::vector<wire::SeenHead> heads;
  {
    MHP_TRY(auto vault, world.run(Vault::open(platform, homes, state, device, record)));
    heads = vault->believed_heads();
  }
  MHP_TRY(OpenRecord next,
          recovered_record(record, world.root(), device, heads, platform.random(), platform.clock().unix_ns()));
  MHP_TRY_VOID(state.create(device, next));
  auto took = world.run(publish_records(homes, next));
  if (took.empty()) return fail(Errc::unavailable, "no home took the record");
  return {};
}

/// What is tried: gives what it said, and expects of a success that it is one.
using Attempt = Result<void> (*)(Scene& scene, std::vector<Files>& begun);

Result<void> backup(Scene& scene, std::vector<Files>& begun) {
  begun.push_back(testing::few_files(scene.world));
  auto done = testing::save(scene.world, "a", begun.back());
  if (!done) return pass(done);
  scene.saved.push_back(begun.back());
  return {};
}

/// What a repair says truly while no home answers any more, and never because of one fault.
constexpr const char* kUnrestorable = "some segments cannot be restored now";

Result<void> repair(Scene& scene, std::vector<Files>&) {
  MHP_TRY(auto session, scene.world.open("a"));
  auto done = scene.world.run(session.vault->repair(true, {}, false, {}));
  if (!done) return pass(done);
  if (done->unrestorable > 0) return fail(Errc::unavailable, kUnrestorable);
  return {};
}

Result<void> recover(Scene& scene, std::vector<Files>&) { return try_recover(scene.world, "b", 0); }

Result<void> restore(Scene& scene, std::vector<Files>&) {
  MHP_TRY(auto session, scene.world.open("a"));
  EXPECT_EQ(session.vault->snapshots().size(), scene.saved.size());
  for (std::size_t i = 0; i < session.vault->snapshots().size(); ++i) {
    auto back = scene.world.run(testing::read_back(*session.vault, session.vault->snapshots()[i]));
    if (!back) return pass(back);
    EXPECT_TRUE(*back == scene.saved[i]) << "wrong bytes";
  }
  return {};
}

/// All is there, as computer "a" sees it; where "a" may have been shut out, as one that recovers now.
std::string check_whole(Scene& scene, Attempt attempt, const std::vector<Files>& begun) {
  if (attempt != recover) return scene.check_all("a", begun);
  scene.world.lose_computer("c");
  auto recovered = try_recover(scene.world, "c", 1);
  if (!recovered) return "no recovery afterwards: " + recovered.error().detail;
  return scene.check_all("c", begun);
}

/// One attempt with a fault at call `call`. False where it was over before.
bool survives(Scene& scene, Attempt attempt, std::uint64_t call, const CallFault& fault) {
  scene.reset();
  std::vector<Files> begun = scene.saved;
  platform::DiskFaults faults;
  faults.fail_call = scene.disk().calls() + call;
  faults.fail_with = fault.with;
  faults.short_write = fault.short_write;
  scene.disk().set_faults(faults);
  auto done = attempt(scene, begun);
  scene.world.settle();
  const bool came = scene.disk().calls() >= faults.fail_call;
  if (!done) {
    EXPECT_TRUE(done.error().code != Errc::corrupt && done.error().code != Errc::denied)
        << "a failing disk is taken for damage or fraud: " << done.error().detail;
    EXPECT_NE(done.error().detail, kUnrestorable);
  }
  scene.disk().set_faults({});
  if (call % 4 == 0) EXPECT_EQ(check_whole(scene, attempt, begun), "");
  scene.world.cut_power(call);
  EXPECT_EQ(check_whole(scene, attempt, begun), "") << "after a power cut";
  return came;
}

void at_every_call(const char* what, Scene& scene, Attempt attempt) {
  const std::uint64_t seed = test_run::seed();
  std::uint64_t tried = 0;
  bool came = true;
  // All strides together try every way: 8 and the number of ways have no divisor in common.
  for (std::uint64_t call = 1; came && !::testing::Test::HasFailure(); call += test_run::stride()) {
    // Each call fails one way after the other; in the long run in every way.
    for (std::size_t way = 0; way < kCallFaults.size(); ++way) {
      if (!test_run::is_long() && way != call % kCallFaults.size()) continue;
      SCOPED_TRACE(std::string(what) + ": call " + std::to_string(call) + " fails with " +
                   to_string(kCallFaults[way].with) + (kCallFaults[way].short_write ? ", short write" : "") +
                   "; repeat with MHP_SEED=" + std::to_string(seed));
      came = survives(scene, attempt, call, kCallFaults[way]);
      tried += came;
    }
  }
  EXPECT_GT(tried, test_run::stride() == 1 ? 5u : 0u);
  test_run::tried_of_sweep(6, std::string("faults injected into ") + what, tried, seed);
}

/// The power goes at call `call`; the disk is in `cuts` states drawn from what was not synced. False where it was over.
bool survives_cuts(Scene& scene, Attempt attempt, std::uint64_t call, std::uint64_t cuts,
                   std::unordered_set<std::uint64_t>& states) {
  bool came = true;
  for (std::uint64_t cut = 0; cut < cuts && came; ++cut) {
    scene.reset();
    std::vector<Files> begun = scene.saved;
    platform::DiskFaults faults;
    faults.fail_call = scene.disk().calls() + call;
    faults.fail_ever_after = true;
    scene.disk().set_faults(faults);
    (void)attempt(scene, begun);
    scene.world.settle();
    came = scene.disk().calls() >= faults.fail_call;
    const std::uint64_t seed = (call + cut) % 4 == 0 ? 0 : call * 1000 + cut;
    scene.world.cut_power(seed);
    states.insert(platform::testing::fingerprint(scene.disk()));
    EXPECT_EQ(check_whole(scene, attempt, begun), "") << "call " << call << ", cut seed " << seed;
    if (::testing::Test::HasFailure()) return false;
  }
  return came;
}

void cut_at_every_call(const char* what, Scene& scene, Attempt attempt) {
  const std::uint64_t seed = test_run::seed();
  SCOPED_TRACE(std::string(what) + "; repeat with MHP_SEED=" + std::to_string(seed));
  std::unordered_set<std::uint64_t> states;
  const std::uint64_t cuts = test_run::is_long() ? 1000 : 1;
  for (std::uint64_t call = 1; survives_cuts(scene, attempt, call, cuts, states); call += test_run::stride()) {
  }
  test_run::tried_of_sweep(5, std::string("distinct power-cut states of ") + what, states.size(), seed);
}

struct SceneWithASnapshot : Scene {
  SceneWithASnapshot() : Scene(test_run::seed(), 3) {
    save_files(testing::few_files(world));
    keep();
  }
};

/// A home is lost, and a new one has joined.
struct SceneToRepair : Scene {
  SceneToRepair() : Scene(test_run::seed(), 4) {
    save_files(testing::few_files(world));
    save_files(testing::few_files(world));
    world.lose_home(1);
    world.add_home("a");
    keep();
  }
};

TEST(PowerCuts, AtEveryCallOfARepair) {
  SceneToRepair scene;
  cut_at_every_call("a repair", scene, repair);
}

TEST(PowerCuts, AtEveryCallOfARecovery) {
  SceneWithASnapshot scene;
  cut_at_every_call("a recovery", scene, recover);
}

TEST(Faults, AtEveryCallOfABackup) {
  SceneWithASnapshot scene;
  at_every_call("a backup", scene, backup);
}

TEST(Faults, AtEveryCallOfARepair) {
  SceneToRepair scene;
  at_every_call("a repair", scene, repair);
}

TEST(Faults, AtEveryCallOfARecovery) {
  SceneWithASnapshot scene;
  at_every_call("a recovery", scene, recover);
}

TEST(Faults, AtEveryCallOfARestore) {
  SceneWithASnapshot scene;
  at_every_call("a restore's reading", scene, restore);
}

}  // namespace
}  // namespace mhp::vault
