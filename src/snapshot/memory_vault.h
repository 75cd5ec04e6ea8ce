// A vault of memory for this room's tests: real chunk ids, segments and bundles, no homes and no keys.
#pragma once

#include <map>
#include <mutex>
#include <set>

#include "vault/vault.h"
#include "wire/tree_page.h"

namespace mhp::snapshot {

class MemoryVault : public vault::Vault {
 public:
  explicit MemoryVault(std::uint64_t seed);

  // What tests look at and do.
  std::size_t chunks() const { return places_.size(); }
  std::size_t segments() const { return segments_.size(); }
  std::uint64_t fetches() const { return fetches_; }
  std::uint64_t reads() const { return reads_; }
  /// Its bundles cannot be had any more.
  void lose_segment(std::uint32_t number) { lost_.insert(number); }
  /// Its chunks lie in another segment too from now on, a new one.
  void copy_segment(std::uint32_t number);
  /// One bit of the chunk is wrong from now on.
  void damage(const ChunkId& chunk);
  void forget(const ChunkId& chunk) { places_.erase(chunk); }
  void forget_snapshots() { snapshots_.clear(); }
  /// The next store() fails with `full`.
  void fail_store() { fail_store_ = true; }
  /// What the last collector marked, by role.
  const std::map<vault::ChunkRole, std::set<ChunkId>>& marked() const { return marked_; }
  /// Stores bytes as a chunk of its own, and a snapshot made by hand.
  ChunkId put(ByteView bytes);
  wire::SnapshotRecord put_snapshot(const std::vector<wire::TreePage>& pages,
                                    const std::vector<std::string>& first_paths);

  dispersal::HomeSet& homes() override;
  const vault::OpenRecord& record() const override { return record_; }
  const wire::VaultKeys& keys() const override { return keys_; }
  dispersal::Level level() const override { return {}; }
  const std::vector<wire::SnapshotRecord>& snapshots() const override { return snapshots_; }
  NewestHead newest_head() const override { return {}; }
  std::vector<wire::SeenHead> believed_heads() const override { return {}; }
  const std::vector<vault::UnreadHead>& unread_heads() const override { return unread_; }
  const std::vector<vault::LateState>& late_states() const override { return late_; }
  std::vector<vault::LoneHead> shown_only_by(std::size_t) const override { return {}; }
  std::vector<vault::OlderRecord> older_records() const override { return {}; }
  const std::vector<std::string>& damaged_files() const override { return damaged_files_; }
  bool is_forked() const override { return false; }
  bool joins_histories() const override { return false; }
  std::optional<std::int64_t> newest_receipt_s() const override { return std::nullopt; }
  bool has(const ChunkId& chunk) const override;
  Result<vault::ChunkPlace> place_of(const ChunkId& chunk) const override;
  Result<vault::ChunkPlace> other_place_of(const ChunkId& chunk,
                                           const std::vector<std::uint32_t>& without) const override;
  Task<Result<std::shared_ptr<const vault::OpenSegment>>> fetch(std::uint32_t segment,
                                                                std::vector<std::uint32_t> bundles) override;
  Task<Result<Bytes>> read(ChunkId chunk) override;
  Task<Result<std::unique_ptr<vault::Writer>>> begin_write(const vault::WriteOptions& options) override;
  Task<Result<std::unique_ptr<vault::Collector>>> begin_collect(vault::CollectOptions options) override;
  std::uint64_t reprieved_segments() const override { return 0; }
  const vault::Displaced& displaced() const override { return displaced_; }
  Task<> collect_due(vault::Collected&) override { co_return; }
  Task<Result<std::uint64_t>> reprieve_all(const primitives::SigningKey&) override { co_return 0; }
  Task<Result<vault::CheckReport>> check(unsigned, vault::Progress) override;
  Task<Result<vault::CheckReport>> standing() override;
  Task<Result<vault::RepairReport>> repair(bool, std::vector<std::size_t>, bool, vault::Progress) override;

 private:
  friend class TestCollector;
  friend class TestPacker;
  friend class TestWriter;
  using Bundles = std::vector<Bytes>;
  mutable std::mutex mutex_;
  vault::OpenRecord record_;
  wire::VaultKeys keys_;
  std::vector<wire::SnapshotRecord> snapshots_;
  std::map<ChunkId, vault::ChunkPlace> places_;  // of segments that were sealed
  std::multimap<ChunkId, vault::ChunkPlace> copies_;
  std::set<ChunkId> added_;
  std::vector<Bundles> segments_;
  std::set<std::uint32_t> lost_;
  std::uint64_t fetches_ = 0;
  std::uint64_t reads_ = 0;
  bool fail_store_ = false;
  std::vector<vault::UnreadHead> unread_;   // none
  std::vector<vault::LateState> late_;      // none
  std::vector<std::string> damaged_files_;  // none
  vault::Displaced displaced_;              // nothing
  std::map<vault::ChunkRole, std::set<ChunkId>> marked_;
};

}  // namespace mhp::snapshot
