// Forgetting and giving space back: mark, sweep, move together, and tell homes what may go.
#pragma once

#include "vault/impl/collect_plan.h"
#include "vault/impl/writer.h"

namespace mhp::vault::impl {

class CollectorImpl : public Collector {
 public:
  /// `writer` holds the lock; null where nothing is to be changed.
  CollectorImpl(VaultImpl& vault, std::unique_ptr<WriterImpl> writer, CollectOptions options);

  const std::vector<wire::SnapshotRecord>& staying() const override { return staying_; }
  Result<bool> mark(const ChunkId& chunk, ChunkRole role) override;
  Task<Result<Collected>> finish(std::optional<Error> problem, Progress progress) override;

 private:
  /// What is known of each segment after marking, each once; a segment may have several numbers in the index.
  struct Sweep {
    std::vector<SegmentId> ids{};
    std::vector<SegmentUse> uses{};
    std::vector<SegmentFate> fates{};
    std::vector<std::uint32_t> entry_of{};  // by segment number
    bool is_all_moved = true;               // see Collected
  };
  /// A chunk that moves.
  struct Moving {
    std::uint32_t bundle = 0;
    std::uint32_t offset = 0;
    std::uint32_t bytes = 0;
    ChunkId id;
  };
  using MovingOf = std::map<std::uint32_t, std::vector<Moving>>;  // by segment number

  /// Places of a chunk that have to stay, if it is needed: one that is proven, else all that any index names.
  std::vector<Index::Found> staying_places(const ChunkId& chunk) const;
  /// True where a place of the chunk stays in a segment that is kept.
  bool is_kept_elsewhere(const Sweep& sweep, const ChunkId& chunk) const;
  /// Nothing goes before each segment was asked that what stays relies on. Why nothing can; empty: it can.
  Task<Result<std::string>> confirm_needed(const Sweep& sweep);
  bool is_live(std::uint64_t number) const { return number < marks_.size() && marks_[number] != 0; }
  bool may_move() const;
  std::string why_not() const;
  Result<Sweep> sweep() const;
  void count(const Sweep& sweep);
  Task<Result<void>> repack(const Sweep& sweep);
  Task<Result<void>> move_group(const Sweep& sweep, std::size_t from, std::size_t to, SegmentPacker& packer);
  Task<Result<void>> move_segment(const Sweep& sweep, std::uint32_t number, std::vector<Moving> chunks,
                                  SegmentPacker& packer);
  Task<Result<void>> move_bundle(const Sweep& sweep, const OpenSegment& segment, std::span<const Moving> chunks,
                                 SegmentPacker& packer);
  Task<Result<void>> store(SegmentPacker& packer);

  VaultImpl& vault_;
  std::unique_ptr<WriterImpl> writer_;
  const CollectOptions options_;
  std::vector<wire::SnapshotRecord> staying_;
  std::vector<std::uint8_t> marks_;  // by chunk number: a bit for each role
  Collected report_;
  Progress progress_;
  CheckProgress done_;
};

}  // namespace mhp::vault::impl
