// A vault's life by chance: backups, some killed, homes away, back, set back or damaged, computers lost. Whatever
// margin the check says, losing any that many homes and the computer leaves every acknowledged snapshot restorable.
#include <gtest/gtest.h>

#include <random>

#include "base/test_run.h"
#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

using testing::back_up;
using testing::Files;
using testing::read_back;
using testing::World;

class MarginWalk {
 public:
  MarginWalk(std::uint64_t seed, unsigned homes) : random_(seed), world_(seed, homes) { world_.init(computer_); }

  void step() {
    switch (random_() % 12) {
      case 0:
      case 1:
      case 2:
        return back_up_whole();
      case 3:
      case 4:
        return back_up_killed();
      case 5:
        return world_.lose_home(any_home());  // away: what it has stays as it is
      case 6:
      case 7:
        return bring_one_back();
      case 8:
        return set_one_back();
      case 9:
        return damage_one();
      case 10:
        return repair();
      default:
        return move_to_another_computer();
    }
  }

  /// Loses as many homes as the check says may be lost, and the computer, in a copy of the world.
  void probe() {
    std::optional<int> margin = margin_now();
    if (!margin) return;
    ++probes;
    margins += static_cast<unsigned>(*margin);
    world_.settle();
    auto spare = world_.platform().memory_disk().after_power_cut(0);
    world_.cut_power(0);
    std::vector<unsigned> reachable = those_there();
    std::shuffle(reachable.begin(), reachable.end(), random_);
    reachable.resize(static_cast<std::size_t>(*margin));
    for (unsigned home : reachable) world_.lose_home(home);
    recover_and_compare("probe", *margin);
    for (unsigned home : reachable) world_.find_home(home);
    world_.settle();
    world_.platform().set_disk(std::move(spare));
  }

  unsigned probes = 0;
  unsigned margins = 0;
  unsigned recoveries = 0;
  unsigned partly = 0;

 private:
  unsigned any_home() { return static_cast<unsigned>(random_() % world_.homes()); }

  std::vector<unsigned> those_there() const {
    std::vector<unsigned> there;
    for (unsigned i = 0; i < world_.homes(); ++i) {
      if (!world_.is_lost(i)) there.push_back(i);
    }
    return there;
  }

  Files some() {
    Files files;
    files["file " + std::to_string(random_() % 5)] = world_.noise(1 + random_() % 3'000);
    return files;
  }

  /// Nothing where not all can be brought back now: then nothing is promised.
  std::optional<int> margin_now() {
    auto session = world_.open(computer_);
    if (!session) return std::nullopt;
    auto report = world_.run(session->vault->check(0, {}));
    if (!report || report->unrestorable > 0 || report->margin < 0) return std::nullopt;
    return report->margin;
  }

  void back_up_whole() {
    Files files = some();
    auto session = world_.open(computer_);
    if (!session) return;
    auto done = world_.run(back_up(world_.platform(), *session->vault, files));
    if (done) acknowledged_.push_back(std::move(files));
  }

  void back_up_killed() {
    world_.settle();
    platform::DiskFaults faults;
    faults.fail_call = world_.platform().memory_disk().calls() + 1 + random_() % 150;
    faults.fail_ever_after = true;
    world_.platform().memory_disk().set_faults(faults);
    back_up_whole();
    world_.cut_power(random_() % 4);
    world_.platform().memory_disk().set_faults({});
  }

  void bring_one_back() {
    for (unsigned i = 0; i < world_.homes(); ++i) {
      if (!world_.is_lost(i)) continue;
      world_.find_home(i);
      return;
    }
  }

  /// To the copy that was made the last time, of which a new one is made.
  void set_one_back() {
    world_.settle();
    unsigned home = any_home();
    Files now = world_.copy_home(home);
    if (copies_.contains(home)) world_.set_home_back(home, copies_[home]);
    copies_[home] = std::move(now);
  }

  void damage_one() {
    world_.settle();
    auto& disk = world_.platform().memory_disk();
    Files files = world_.copy_home(any_home());
    std::erase_if(files, [](const auto& file) { return file.first.find("/vaults/") == std::string::npos; });
    if (files.empty()) return;
    auto chosen = std::next(files.begin(), static_cast<std::ptrdiff_t>(random_() % files.size()));
    if (!chosen->second.empty()) disk.flip_bit(chosen->first, random_() % (8 * chosen->second.size()));
  }

  void repair() {
    auto session = world_.open(computer_);
    if (session) (void)world_.run(session->vault->repair(random_() % 2 == 0, {}, false, {}));
  }

  void move_to_another_computer() {
    std::optional<int> margin = margin_now();
    world_.settle();
    if (margin) {
      recover_and_compare("recover", 0);
      return;
    }
    world_.lose_computer(computer_);
    computer_ = "computer " + std::to_string(++recoveries);
    auto unread = world_.try_recover(computer_);
    if (!unread) {  // nothing at all to be had: a new life
      for (unsigned i = 0; i < world_.homes(); ++i) world_.find_home(i);
      unread = world_.try_recover(computer_);
    }
    ASSERT_TRUE(unread) << unread.error().detail;
    partly += !unread->empty();
    keep_what_is_shown();
  }

  void recover_and_compare(const std::string& what, int margin) {
    SCOPED_TRACE(what + ", margin " + std::to_string(margin) + ", " + std::to_string(those_there().size()) +
                 " homes left");
    if (what == "recover") world_.lose_computer(computer_);
    const std::string fresh = what == "probe" ? "probe" : "computer " + std::to_string(++recoveries);
    auto unread = world_.try_recover(fresh);
    ASSERT_TRUE(unread) << unread.error().detail;
    auto found = shown(fresh);
    for (const Files& files : acknowledged_)
      EXPECT_TRUE(std::ranges::find(found, files) != found.end()) << "an acknowledged snapshot is lost";
    if (what == "recover") computer_ = fresh;
  }

  std::vector<Files> shown(const std::string& computer) {
    std::vector<Files> found;
    auto session = world_.open(computer);
    EXPECT_TRUE(session) << session.error().detail;
    if (!session) return found;
    for (const auto& snapshot : session->vault->snapshots()) {
      auto back = world_.run(read_back(*session->vault, snapshot));
      if (back) found.push_back(std::move(*back));
    }
    return found;
  }

  /// After a recovery without promise: what came back counts from now on.
  void keep_what_is_shown() {
    auto found = shown(computer_);
    std::erase_if(acknowledged_, [&](const Files& files) { return std::ranges::find(found, files) == found.end(); });
  }

  std::mt19937_64 random_;
  World world_;
  std::string computer_ = "computer 0";
  std::vector<Files> acknowledged_;
  std::map<unsigned, Files> copies_;
};

TEST(RandomWalk, TheMarginIsNeverLessThanSaid) {
  const std::uint64_t first = testing::seed_of_run();
  const std::uint64_t lives = std::getenv("MHP_SEED") != nullptr ? 1
                              : test_run::is_long()              ? 300
                              : test_run::stride() > 1           ? 2
                                                                 : 12;
  unsigned probes = 0, margins = 0, recoveries = 0, partly = 0;
  for (std::uint64_t seed = first; seed < first + lives; ++seed) {
    SCOPED_TRACE("MHP_SEED=" + std::to_string(seed));
    MarginWalk walk(seed, 2 + static_cast<unsigned>(seed % 5));
    for (int i = 0; i < 40 && !HasFailure(); ++i) {
      SCOPED_TRACE("step " + std::to_string(i));
      walk.step();
      walk.probe();
    }
    probes += walk.probes;
    margins += walk.margins;
    recoveries += walk.recoveries;
    partly += walk.partly;
    if (HasFailure()) break;
  }
  std::printf("%llu lives, %u probes with %u homes lost, %u recoveries, %u of them to an older state\n",
              static_cast<unsigned long long>(lives), probes, margins, recoveries, partly);
  if (lives > 2) {
    EXPECT_GT(probes, 200u);
    EXPECT_GT(margins, 100u);
  }
}

}  // namespace
}  // namespace mhp::vault
