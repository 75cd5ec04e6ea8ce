// A vault with fake homes under a simulated clock: makes segments, stores them, gathers them back.
#pragma once

#include <memory>
#include <random>

#include "dispersal/home_set.h"
#include "dispersal/testing/fake_home.h"
#include "dispersal/testing/seeds.h"
#include "platform/memory/memory_platform.h"
#include "wire/signed.h"

namespace mhp::dispersal::testing {

template <class T>
T random_id(std::mt19937_64& random) {
  typename T::Array bytes;
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  return T::from_array(bytes);
}

/// Ciphertext and salts of a made-up segment, to compare with.
struct Sample {
  SegmentId id;
  unsigned k = kNeed;
  Bytes sealed;
  std::vector<primitives::Hash> salts;
  SealedSegment segment(const VaultId& vault) const {
    return {.id = id, .vault = vault, .epoch = 1, .k = k, .sealed = sealed, .salts = salts};
  }
};

inline Sample make_sample(std::mt19937_64& random, std::size_t bytes, unsigned k = kNeed) {
  Sample sample{.id = random_id<SegmentId>(random), .k = k, .sealed = Bytes(bytes), .salts = {}};
  for (std::byte& byte : sample.sealed) byte = static_cast<std::byte>(random());
  for (unsigned i = 0; i < k; ++i) {
    primitives::Hash salt;
    for (std::byte& byte : salt) byte = static_cast<std::byte>(random());
    sample.salts.push_back(salt);
  }
  return sample;
}

class World {
 public:
  explicit World(std::size_t homes, std::uint64_t seed = seed_of_run()) : random(seed), platform_(seed) {
    primitives::init_sodium();
    key_ = std::make_unique<primitives::SigningKey>(platform_.random().array<32>());
    vault_ = random_id<VaultId>(random);
    for (std::size_t i = 0; i < homes; ++i) add_home();
    open();
  }

  std::mt19937_64 random;

  void add_home() {
    names_.push_back(random_id<HomeId>(random));
    stores_.push_back(std::make_unique<FakeHome>(platform_, names_.back()));
    away_.push_back(false);
    disks_.push_back(static_cast<std::uint32_t>(disks_.size()));
    reached_in_.push_back(1s);
  }
  void set_away(std::size_t home, bool away) { away_[home] = away; }
  /// From the next open() on; each has a disk of its own, with its own number, until then.
  void set_disk(std::size_t home, std::uint32_t disk) { disks_[home] = disk; }
  /// From the next open() on: as long as it took to reach it.
  void set_reached_in(std::size_t home, std::chrono::duration<std::uint32_t, std::milli> time) {
    reached_in_[home] = time;
  }
  /// A new run of the program: the homes that are not away, nothing remembered.
  void open() {
    std::vector<Member> members;
    for (std::size_t i = 0; i < stores_.size(); ++i) {
      members.push_back({.id = names_[i],
                         .name = name(i),
                         .home = nullptr,
                         .away_reason = "not plugged in",
                         .domain = disks_[i],
                         .counts = true,
                         .reached_in = reached_in_[i]});
      if (!away_[i]) members.back().home = std::make_unique<Door>(*stores_[i]);
    }
    set_ = std::make_unique<HomeSet>(platform_, vault_, std::move(members));
    set_->trust({key_->public_key()});
  }

  static std::string name(std::size_t home) { return "Drive " + std::to_string(home); }
  FakeHome& home(std::size_t i) { return *stores_[i]; }
  /// For a set of the test's own.
  std::unique_ptr<home::Home> door(std::size_t i) { return std::make_unique<Door>(*stores_[i]); }
  std::size_t homes() const { return stores_.size(); }
  HomeSet& set() { return *set_; }
  platform::MemoryPlatform& platform() { return platform_; }
  const VaultId& vault() const { return vault_; }
  const primitives::SigningKey& key() const { return *key_; }

  void sign(EncodedSegment& encoded) { attach_card(encoded, signed_card(encoded.card)); }
  Bytes signed_card(const wire::Card& card) {
    return wire::encode(wire::sign(*key_, wire::kSignCard, wire::encode(card)));
  }

  Result<PutReport> store(const Sample& sample, Level level = Level::normal) {
    const std::vector<RowsFor> wanted = set_->place_new(set_->plan(level), sample.id);
    return store(sample, wanted, nullptr);
  }
  Result<PutReport> store(const Sample& sample, const std::vector<RowsFor>& wanted, const wire::Card* known) {
    EncodedSegment encoded = encode(sample.segment(vault_), wanted, known, set_->buffers());
    sign(encoded);
    return run(set_->put(std::move(encoded)));
  }
  template <class T>
  T run(Task<T> task) {
    const auto before = platform_.clock().steady();
    T out = platform::run_task(platform_, std::move(task));
    took = platform_.clock().steady() - before;
    return out;
  }
  Result<Gathered> gather(const Sample& sample, std::uint64_t offset = 0, std::uint64_t bytes = 0,
                          bool with_salts = true) {
    return run(set_->gather(sample.id, offset, bytes, with_salts));
  }
  /// How often a trouble was told, over all homes or of one.
  std::uint64_t told(TroubleKind kind) const { return told_of(kind, nullptr); }
  std::uint64_t told(TroubleKind kind, std::size_t home) const { return told_of(kind, &names_[home]); }

  std::chrono::nanoseconds took{};  // the last run, simulated

 private:
  /// A set owns its homes for one run; what they keep lives on.
  class Door : public home::Home {
   public:
    explicit Door(FakeHome& to) : to_(to) {}
    const HomeId& id() const override { return to_.id(); }
    Task<Result<void>> begin_writing(std::string who) override { return to_.begin_writing(std::move(who)); }
    Task<Result<void>> put(MutableBytes record, std::shared_ptr<void> owner) override {
      return to_.put(record, std::move(owner));
    }
    Task<Result<void>> commit() override { return to_.commit(); }
    Task<Result<home::Holding>> find(SegmentId segment) override { return to_.find(segment); }
    Task<Result<std::pair<SegmentId, std::uint8_t>>> find_fragment(FragmentId id) override {
      return to_.find_fragment(id);
    }
    Task<Result<home::HeldPage>> list(VaultId vault, SegmentId after, std::size_t limit) override {
      return to_.list(vault, after, limit);
    }
    Task<Result<Bytes>> read(SegmentId segment, std::uint8_t row, std::uint64_t offset, std::uint64_t bytes) override {
      return to_.read(segment, row, offset, bytes);
    }
    Task<Result<void>> put_vault_record(Bytes record) override { return to_.put_vault_record(std::move(record)); }
    Task<Result<std::vector<DeviceRecord>>> vault_records(VaultId vault) override { return to_.vault_records(vault); }
    Task<Result<home::FormerRecords>> former_records(VaultId vault, DeviceId device) override {
      return to_.former_records(vault, device);
    }
    Task<Result<std::vector<VaultId>>> vaults() override { return to_.vaults(); }
    Task<Result<void>> put_heads(VaultId vault, DeviceId device, std::vector<Bytes> chain) override {
      return to_.put_heads(vault, device, std::move(chain));
    }
    Task<Result<std::vector<DeviceHeads>>> heads(VaultId vault) override { return to_.heads(vault); }
    Task<Result<void>> put_tombstone(Bytes bytes) override { return to_.put_tombstone(std::move(bytes)); }
    Task<Result<void>> put_reprieve(Bytes bytes) override { return to_.put_reprieve(std::move(bytes)); }
    Task<Result<home::CollectReport>> collect() override { return to_.collect(); }
    Task<Result<home::Usage>> usage() override { return to_.usage(); }
    Task<Result<home::ScrubReport>> scrub(VaultId vault, unsigned percent, std::uint64_t seed) override {
      return to_.scrub(vault, percent, seed);
    }

   private:
    FakeHome& to_;
  };

  std::uint64_t told_of(TroubleKind kind, const HomeId* home) const {
    std::uint64_t count = 0;
    for (const Trouble& trouble : set_->troubles()) {
      if (trouble.kind == kind && (home == nullptr || trouble.home == *home)) count += trouble.count;
    }
    return count;
  }

  platform::MemoryPlatform platform_;
  std::unique_ptr<primitives::SigningKey> key_;
  VaultId vault_;
  std::vector<HomeId> names_;
  std::vector<std::unique_ptr<FakeHome>> stores_;
  std::vector<bool> away_;
  std::vector<std::uint32_t> disks_;
  std::vector<std::chrono::duration<std::uint32_t, std::milli>> reached_in_;
  std::unique_ptr<HomeSet> set_;
};

}  // namespace mhp::dispersal::testing
