// A vault's life from one seed: segments come, homes leave, lie, rot, hang, come back; repair keeps the margin. At
// every step what was acknowledged is read back bit-exact or with an error that the losses explain, and only the guilty
// are called liars.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/test_run.h"
#include "dispersal/home_set.h"
#include "dispersal/testing/world.h"

namespace mhp::dispersal {
namespace {

using testing::FakeHome;
using testing::Faults;
using testing::make_sample;
using testing::Sample;
using testing::World;

class Life {
 public:
  explicit Life(std::uint64_t seed) : world_(3 + seed % 10, seed), level_(static_cast<Level>(seed % 3)) {}

  void live(int steps) {
    for (int step = 0; step < steps && !::testing::Test::HasFailure(); ++step) {
      SCOPED_TRACE("step " + std::to_string(step));
      switch (world_.random() % 8) {
        case 0:
        case 1:
          store();
          break;
        case 2:
          hurt_one();
          break;
        case 3:
          heal_all();
          break;
        case 4:
          rot();
          break;
        case 5:
          repair_all();
          break;
        case 6:
          lose_one_for_ever();
          break;
        default:
          break;
      }
      read_some();
      only_the_guilty_are_called_liars();
    }
    heal_all();
    repair_all();
    for (const Sample& sample : samples_) read(sample, /*must_work=*/true);
    EXPECT_FALSE(samples_.empty());
  }

 private:
  void store() {
    Sample sample = make_sample(world_.random, 1 + world_.random() % 100'000);
    const auto put = world_.store(sample, level_);
    const auto durable = world_.run(world_.set().commit());
    if (!put) return;
    std::vector<RowsFor> kept;
    for (const RowsFor& rows : put->placed) {
      if (std::find(durable.begin(), durable.end(), rows.home) != durable.end()) kept.push_back(rows);
    }
    if (world_.set().margin_of(kept, sample.k) >= 0) samples_.push_back(std::move(sample));  // acknowledged
  }

  /// Homes at fault, beside those lost for ever: at most what every segment can bear.
  std::size_t bad_homes() const { return bad_.size(); }
  int least_margin() {
    int least = 100;
    for (const Sample& sample : samples_) least = std::min(least, margin(sample));
    return samples_.empty() ? 0 : least;
  }
  /// By what the homes really have, rotten rows not counted.
  int margin(const Sample& sample) {
    std::vector<RowsAt> at;
    for (std::size_t i = 0; i < world_.homes(); ++i) {
      RowsAt rows{.domain = static_cast<std::uint32_t>(i), .counts = true, .rows = {}};
      const auto held = world_.home(i).held.find(sample.id);
      if (held == world_.home(i).held.end()) continue;
      for (const auto& [row, bytes] : held->second.rows) {
        if (!rotten_.contains({i, sample.id, row})) rows.rows.push_back(row);
      }
      at.push_back(std::move(rows));
    }
    return margin_of(at, sample.k);
  }

  std::size_t any_home() { return world_.random() % world_.homes(); }

  void hurt_one() {
    const std::size_t home = any_home();
    if (lost_.contains(home)) return;
    Faults& faults = world_.home(home).faults;
    bad_.insert(home);
    switch (world_.random() % 9) {
      case 0:
        faults.hangs = true;
        break;
      case 1:
        faults.hangs_on_reads = true;
        break;
      case 2:
        faults.fails = true;
        break;
      case 3:
        faults.full = true;
        break;
      case 4:
        faults.flips = true;
        break;
      case 5:
        faults.cuts = true;
        break;
      case 6:
        faults.forges_card = true;
        break;
      case 7:
        faults.read_delay = std::chrono::milliseconds(world_.random() % 5000);
        break;
      default:
        faults.forgets_rows = true;
        break;
    }
    if (faults.flips || faults.cuts || faults.forges_card || faults.forgets_rows) liars_.insert(home);
  }

  void heal_all() {
    for (std::size_t i = 0; i < world_.homes(); ++i) {
      if (!lost_.contains(i)) world_.home(i).faults = Faults();
    }
    bad_.clear();
    world_.open();
  }

  void rot() {
    if (samples_.empty() || least_margin() < 1) return;
    const std::size_t home = any_home();
    auto at = world_.home(home).held.begin();
    if (at == world_.home(home).held.end()) return;
    std::advance(at, static_cast<std::ptrdiff_t>(world_.random() % world_.home(home).held.size()));
    if (at->second.rows.empty()) return;
    auto row = at->second.rows.begin();
    std::advance(row, static_cast<std::ptrdiff_t>(world_.random() % at->second.rows.size()));
    row->second[world_.random() % row->second.size()] ^= static_cast<std::byte>(1u << world_.random() % 8);
    rotten_.insert({home, at->first, row->first});
    liars_.insert(home);
  }

  /// Never more than the segments can bear: what is left must be enough to repair.
  void lose_one_for_ever() {
    if (samples_.empty() || least_margin() < 1 || lost_.size() + 3 >= world_.homes()) return;
    const std::size_t home = any_home();
    if (!lost_.insert(home).second) return;
    world_.home(home).held.clear();
    world_.home(home).faults = Faults();
    world_.set_away(home, true);
    bad_.erase(home);
    if (world_.random() % 2 == 0) world_.add_home();
    world_.open();
  }

  void repair_all() {
    if (!bad_.empty()) return;
    std::vector<std::size_t> usable;
    for (std::size_t i = 0; i < world_.homes(); ++i) {
      if (!lost_.contains(i)) usable.push_back(i);
    }
    for (const Sample& sample : samples_) {
      SCOPED_TRACE("repair of " + sample.id.short_hex());
      repair(sample, usable);
      ASSERT_GE(margin(sample), static_cast<int>(make_plan(level_, static_cast<unsigned>(usable.size())).margin));
    }
    ASSERT_EQ(world_.run(world_.set().commit()).size(), dirty_.size());
    dirty_.clear();
  }

  void repair(const Sample& sample, const std::vector<std::size_t>& usable) {
    auto located = world_.run(world_.set().locate(sample.id));
    ASSERT_TRUE(located) << located.error().detail;
    for (Holder& holder : located->holders) {
      const auto bad = world_.run(world_.set().verify_rows(holder.member, *located));
      ASSERT_TRUE(bad) << bad.error().detail;
      for (std::uint8_t row : *bad) {
        ASSERT_TRUE(rotten_.contains({holder.member, sample.id, row}));
        std::erase(holder.rows, row);
      }
    }
    const auto wanted = plan_repair(located->holders, usable, level_, located->card.n(), sample.id);
    if (wanted.empty()) return;
    const auto got = world_.run(world_.set().gather(*located, 0, 0, true));
    ASSERT_TRUE(got) << got.error().detail;
    const Bytes sealed = got->sealed();
    ASSERT_EQ(sealed, sample.sealed);
    const SealedSegment segment{.id = sample.id,
                                .vault = world_.vault(),
                                .epoch = got->card.epoch,
                                .k = got->card.k,
                                .sealed = sealed,
                                .salts = got->salts};
    EncodedSegment encoded = encode(segment, wanted, &located->card, world_.set().buffers());
    world_.sign(encoded);
    const PutReport put = world_.run(world_.set().put_more(std::move(encoded)));
    ASSERT_EQ(put.placed.size(), wanted.size());
    for (const RowsFor& rows : wanted) {
      dirty_.insert(rows.home);
      for (std::uint8_t row : rows.rows) rotten_.erase({rows.home, sample.id, row});
    }
  }

  void read_some() {
    for (std::size_t i = 0; i < 2 && !samples_.empty(); ++i) {
      const Sample& sample = samples_[world_.random() % samples_.size()];
      read(sample, static_cast<int>(bad_homes()) <= margin(sample));
    }
  }

  void read(const Sample& sample, bool must_work) {
    const std::uint64_t offset = world_.random() % sample.sealed.size();
    const bool all = world_.random() % 2 == 0;
    const std::uint64_t bytes = all ? 0 : 1 + world_.random() % (sample.sealed.size() - offset);
    const auto got = world_.gather(sample, offset, bytes, world_.random() % 2 == 0);
    EXPECT_LE(world_.took, std::chrono::minutes(3));
    if (!got) {
      EXPECT_FALSE(must_work) << got.error().detail;
      const bool is_said = got.error().code == Errc::unavailable || got.error().code == Errc::not_found ||
                           got.error().code == Errc::corrupt;  // none is away
      EXPECT_TRUE(is_said) << got.error().detail;
      return;
    }
    const std::size_t size = all ? sample.sealed.size() - offset : bytes;
    const Bytes sealed = got->sealed();
    ASSERT_EQ(sealed.size(), size);
    ASSERT_TRUE(std::equal(sealed.begin(), sealed.end(), sample.sealed.begin() + static_cast<std::ptrdiff_t>(offset)));
    if (!got->salts.empty()) {
      ASSERT_EQ(got->salts, sample.salts);
    }
  }

  void only_the_guilty_are_called_liars() {
    for (const Trouble& trouble : world_.set().troubles()) {
      if (!is_lie(trouble.kind)) continue;
      const auto& members = world_.set().members();
      const auto at =
          std::find_if(members.begin(), members.end(), [&](const Member& m) { return m.id == trouble.home; });
      ASSERT_TRUE(liars_.contains(static_cast<std::size_t>(at - members.begin())))
          << trouble.name << ": " << trouble.detail;
    }
  }

  World world_;
  Level level_;
  std::vector<Sample> samples_;  // acknowledged
  std::set<std::size_t> bad_;    // at fault now
  std::set<std::size_t> lost_;
  std::set<std::size_t> liars_;  // ever
  std::set<std::size_t> dirty_;
  std::set<std::tuple<std::size_t, SegmentId, std::uint8_t>> rotten_;
};

TEST(HomeSetSim, WhatWasAcknowledgedComesBackOrTheLossesExplainIt) {
  const std::uint64_t first = testing::seed_of_run();
  for (std::uint64_t seed = first; seed < first + 24 / test_run::stride(); ++seed) {
    SCOPED_TRACE("repeat with MHP_SEED=" + std::to_string(seed));
    Life(seed).live(50);
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace mhp::dispersal
