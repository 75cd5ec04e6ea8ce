// The power goes at every call that writes the state folder: each file is what it was or what it was to be, no less.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <unordered_set>

#include "base/test_run.h"
#include "platform/memory/memory_platform.h"
#include "platform/testing/fingerprint.h"
#include "vault/state.h"

namespace mhp::vault {
namespace {

using platform::MemoryDisk;

constexpr const char* kFolder = "/state";
constexpr std::size_t kSteps = 12;  // each call of them is cut off once: a run costs the square of it

/// What a file may hold: the last value that was acknowledged and, after a failure, also the one on its way.
template <class T>
class Slot {
 public:
  explicit Slot(T first) : may_be_{std::move(first)} {}
  void wrote(const Result<void>& result, T value) {
    if (result) may_be_.clear();
    may_be_.push_back(std::move(value));
  }
  bool allows(const T& value) const { return std::ranges::find(may_be_, value) != may_be_.end(); }
  const T& newest() const { return may_be_.back(); }

 private:
  std::vector<T> may_be_;
};

class Values {
 public:
  explicit Values(std::uint64_t seed) : random_(seed) {}
  std::size_t below(std::size_t end) { return random_() % end; }
  /// Some fit a sector of 512 bytes, some take several blocks.
  Bytes bytes() {
    Bytes out(1 + below(below(3) == 0 ? 9000 : 300));
    for (std::byte& b : out) b = static_cast<std::byte>(random_());
    return out;
  }
  template <class Id>
  Id id() {
    typename Id::Array out;
    for (std::byte& b : out) b = static_cast<std::byte>(random_());
    return Id::from_array(out);
  }
  wire::SeenHeads seen() {
    wire::SeenHeads out;
    for (std::size_t i = below(4); i > 0; --i) out.heads.push_back({id<DeviceId>(), 1 + below(100), id<HeadHash>()});
    return out;
  }
  std::vector<wire::JournalEntry> entries() {
    std::vector<wire::JournalEntry> out(1 + below(3));
    for (auto& [segment] : out) {
      segment.segment = id<SegmentId>();
      segment.plain_bytes = 64 << 10;
      segment.epoch = 1;
      segment.directory.bundles.push_back({.offset = 0, .stored_bytes = 9, .plain_bytes = 9, .compressed = false});
      for (std::size_t i = 1 + below(40); i > 0; --i) {
        segment.directory.chunks.push_back({.id = id<ChunkId>(), .bundle = 0, .offset = 0, .bytes = 9});
      }
    }
    return out;
  }

 private:
  std::mt19937_64 random_;
};

using Journal = std::vector<wire::JournalEntry>;

/// Random calls on a state folder; keeps book of what was acknowledged.
class Driver {
 public:
  Driver(MemoryDisk& disk, std::uint64_t seed)
      : values_(seed),
        machine_(seed),
        state_(disk, kFolder),
        device_(make_device(values_.id<VaultId>(), machine_.random())) {}

  void run() {
    const Bytes bytes = values_.bytes();
    const auto created = state_.create(device_, records(bytes));
    is_there_ = created.has_value();
    record_ = Slot<Bytes>(bytes);
    copy_ = record_;
    if (!is_there_) return;
    for (std::size_t i = 0; i < kSteps; ++i) step();
  }

  /// "" where all that was acknowledged is in `disk`, and nothing that was never written.
  std::string check(MemoryDisk& disk) const {
    State state(disk, kFolder);
    const auto there = state.exists();
    if (!there) return "exists: " + there.error().detail;
    if (!*there) return is_there_ ? "the vault is gone" : "";
    const auto device = state.device();
    if (!device || device->secret != device_.secret) return "device";
    const auto known = state.records();
    if (!known || known->size() != 1 || !record_.allows(known->front())) return "vault records";
    const auto copy = state.records_copy();
    if (!copy || copy->size() != 1 || !copy_.allows(copy->front())) return "copy of the vault records";
    const auto seen = state.seen();
    if (!seen || !seen_.allows(*seen)) return "seen heads";
    const auto heads = state.own_heads();
    if (!heads || !heads_.allows(*heads)) return "own heads";
    return check_journal(state);
  }

 private:
  void step() {
    switch (values_.below(6)) {
      case 0:
        return set_record();
      case 1: {
        const wire::SeenHeads seen = values_.seen();
        return seen_.wrote(state_.set_seen(seen), seen);
      }
      case 2: {
        std::vector<Bytes> heads = heads_.newest();
        heads.push_back(values_.bytes());
        return heads_.wrote(state_.set_own_heads(heads), heads);
      }
      case 3:
        if (values_.below(4) > 0) break;
        if (!state_.clear_journal()) return (void)(journal_may_be_empty_ = true);
        has_journal_ = true;
        journal_.clear();
        acknowledged_entries_ = 0;
        return;
      default:
        break;
    }
    append();
  }

  static OpenRecord records(const Bytes& bytes) {
    OpenRecord out;
    out.records.push_back({.device = {}, .signed_record = bytes});
    return out;
  }

  void set_record() {
    const Bytes bytes = values_.bytes();
    const auto written = state_.set_records(records(bytes));
    record_.wrote(written, bytes);
    copy_.wrote(written, bytes);
  }

  void append() {
    const Journal entries = values_.entries();
    if (state_.append_journal(entries)) {
      acknowledged_entries_ = journal_.size() + entries.size();
      has_journal_ = true;
    }
    journal_.insert(journal_.end(), entries.begin(), entries.end());
  }

  /// The acknowledged entries, then some of those on their way, in order.
  std::string check_journal(const State& state) const {
    const auto journal = state.journal();
    if (!journal) return has_journal_ || journal.error().code != Errc::not_found ? "journal" : "";
    if (journal->empty() && journal_may_be_empty_) return "";
    const std::size_t least = std::min(acknowledged_entries_, journal_.size());
    const bool is_prefix =
        journal->size() <= journal_.size() && std::equal(journal->begin(), journal->end(), journal_.begin());
    return is_prefix && journal->size() >= least ? "" : "entries of the journal";
  }

  Values values_;
  platform::MemoryPlatform machine_;
  State state_;
  Device device_;
  bool is_there_ = false;
  Slot<Bytes> record_{Bytes()}, copy_{Bytes()};
  Slot<wire::SeenHeads> seen_{wire::SeenHeads()};
  Slot<std::vector<Bytes>> heads_{std::vector<Bytes>()};
  Journal journal_;  // acknowledged ones, then those whose writing failed
  std::size_t acknowledged_entries_ = 0;
  bool has_journal_ = false;
  bool journal_may_be_empty_ = false;
};

/// Runs until call `at_call` of the disk and looks at `cuts` states the disk may be in then. False where the run was
/// over before.
bool expect_survives(std::uint64_t seed, std::uint64_t at_call, std::uint64_t cuts,
                     std::unordered_set<std::uint64_t>& states) {
  MemoryDisk disk;
  disk.set_faults({.fail_call = at_call, .fail_ever_after = true, .short_write = at_call % 2 == 0});
  Driver driver(disk, seed);
  driver.run();
  std::unordered_set<std::uint64_t> seen;  // of this call: what was acknowledged is the same for all of them
  for (std::uint64_t cut = 0; cut < cuts; ++cut) {
    const std::uint64_t cut_seed = cut == 0 ? 0 : seed * 1'000'003 + at_call * 101 + cut;
    const auto after = disk.after_power_cut(cut_seed);
    const std::uint64_t print = platform::testing::fingerprint(*after);
    states.insert(print);
    if (!seen.insert(print).second) continue;
    const std::string problem = driver.check(*after);
    EXPECT_EQ(problem, "") << "call " << at_call << ", cut seed " << cut_seed << "; repeat with MHP_SEED=" << seed;
    if (!problem.empty()) return false;
  }
  return disk.calls() >= at_call;
}

TEST(StatePowerCut, WhatWasAcknowledgedIsThere) {
  const std::uint64_t first = test_run::seed();
  const std::size_t wanted = (test_run::is_long() ? 1'000'000 : 10'000) / test_run::stride();
  std::unordered_set<std::uint64_t> states;
  for (std::uint64_t seed = first; states.size() < wanted && !HasFailure(); ++seed) {
    for (std::uint64_t call = 1; states.size() < wanted && expect_survives(seed, call, 12, states); ++call) {
    }
  }
  test_run::tried_of_sweep(5, "distinct power-cut states of a state folder", states.size(), first);
}

}  // namespace
}  // namespace mhp::vault
