// One write session: segments to the homes in groups, then the index, then the head.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <optional>

#include "vault/impl/sealer.h"
#include "vault/impl/vault_impl.h"

namespace mhp::vault::impl {

/// Upper bound of what a segment takes in an index part.
std::size_t part_bytes_of(const wire::IndexedSegment& segment);

/// Sends finished segments and makes them durable by groups. On the loop; store() may overlap, the rest may not.
class Outbox {
 public:
  explicit Outbox(VaultImpl& vault) : vault_(vault), last_commit_(vault.platform_.clock().steady()) {}

  /// Errors: unavailable, full.
  Task<Result<void>> store(FinishedSegment segment);
  /// Makes everything stored so far durable. No store() may be running.
  Task<Result<void>> commit();
  /// Segments of content that are durable on at least k rows, in order, and were not taken yet.
  std::vector<wire::IndexedSegment> take_durable();
  /// Upper bound of what these take in the index.
  std::size_t durable_bytes() const { return durable_bytes_; }
  bool idle() const { return pending_.empty() && running_ == 0 && !committing_; }
  /// Worst case over the durable segments; nothing where there is none.
  std::optional<int> margin() const { return margin_; }
  std::uint64_t stored_bytes() const { return stored_bytes_; }
  std::uint64_t segments() const { return segments_; }

 private:
  static constexpr std::uint64_t kGroupBytes = 256_MiB;
  static constexpr auto kGroupTime = std::chrono::seconds(5);

  struct Pending {
    wire::IndexedSegment indexed;
    std::vector<dispersal::RowsFor> placed;
    unsigned k = 0;
  };

  Task<Result<void>> commit_group();
  Task<Result<void>> settle(std::vector<Pending> group);
  Task<Result<void>> note(std::vector<wire::IndexedSegment> segments);

  VaultImpl& vault_;
  std::vector<Pending> pending_;
  std::vector<wire::IndexedSegment> durable_;
  std::size_t durable_bytes_ = 0;
  std::uint64_t pending_bytes_ = 0;
  std::chrono::nanoseconds last_commit_;
  std::size_t running_ = 0;
  bool committing_ = false;
  std::optional<Error> failed_;  // a segment that could not be kept: nothing may refer to it
  std::optional<int> margin_;
  std::uint64_t stored_bytes_ = 0;
  std::uint64_t segments_ = 0;
};

using SegmentIds = std::unordered_set<SegmentId, IdHash>;

/// What a new head changes.
struct IndexChange {
  std::vector<wire::IndexedSegment> segments{};    // listed from now on
  std::optional<wire::SnapshotRecord> snapshot{};  // a new one
  std::vector<SnapshotId> forgotten{};             // listed no more
  SegmentIds dropped{};                            // leave the index: no chunk that is needed has its place there
};

/// Puts index objects into segments of their own.
class IndexSession {
 public:
  IndexSession(VaultImpl& vault, const Sealer& sealer, Outbox& outbox, const PackerParts& parts)
      : vault_(vault), sealer_(sealer), outbox_(outbox), packer_(parts), id_(sealer.draw_id()) {}

  struct Layout {
    wire::RootRef root;
    std::vector<KnownPart> parts;
    std::vector<KnownPart> snapshot_parts;
  };
  /// Parts for segments of a session that goes on, so that it need not remember them. One call at a time.
  Task<Result<void>> list_early(std::vector<wire::IndexedSegment> segments);
  bool has_early_parts() const { return !early_parts_.empty(); }
  /// Parts for the new segments, small ones merged, snapshots with the new one, and the top; all durable when it
  /// returns.
  Task<Result<Layout>> write(const IndexChange& change);

 private:
  Task<Result<KnownPart>> put(Bytes object);
  Task<Result<void>> flush();
  Task<Result<std::vector<KnownPart>>> put_parts(std::vector<wire::IndexedSegment> segments);
  Task<Result<std::vector<KnownPart>>> put_snapshots(const IndexChange& change);
  /// Those that another device may not have heard of yet.
  std::vector<wire::ForgottenSnapshot> still_needed(std::vector<wire::ForgottenSnapshot> forgotten) const;
  /// Takes parts out of `kept` to write them anew: those whose segments cannot be brought back (a copy is in the cache,
  /// or this vault would not be open), and where asked small ones if there are too many.
  std::vector<wire::PhysicalRef> take_out(std::vector<KnownPart>& kept, bool some_small) const;
  /// Takes parts out of `kept` and writes what stays of them anew, with the new segments: as take_out(), and those that
  /// list a segment that is dropped. Some of them in memory at a time.
  Task<Result<std::vector<KnownPart>>> rewrite_parts(std::vector<KnownPart>& kept, const IndexChange& change);
  using ClaimIds = std::unordered_set<ClaimId, IdHash>;
  static Result<std::vector<wire::IndexedSegment>> staying_of(const Bytes& object, const SegmentIds& dropped,
                                                              ClaimIds& taken);
  /// Takes parts out of `kept` that list any of these segments.
  Task<Result<std::vector<wire::PhysicalRef>>> take_out_with(std::vector<KnownPart>& kept, const SegmentIds& segments);
  Task<Result<wire::SnapshotPart>> take_snapshots(std::vector<KnownPart>& kept);
  bool is_gone(const KnownPart& part) const;

  VaultImpl& vault_;
  const Sealer& sealer_;
  Outbox& outbox_;
  SegmentPacker packer_;
  SegmentId id_;  // of the segment being filled
  std::vector<KnownPart> early_parts_;
};

class WriterImpl : public Writer {
 public:
  WriterImpl(VaultImpl& vault, std::unique_ptr<platform::FileLock> lock, const WriteOptions& options);

  std::unique_ptr<Packer> new_packer() override;
  FinishedSegment seal(Packer& packer) override;
  Task<Result<void>> store(FinishedSegment segment) override;
  Task<Result<Committed>> finish(wire::SnapshotRecord record) override;
  WriteTotals totals() const override;
  std::uint64_t adopted_segments() const override { return adopted_; }
  void set_adopted(std::uint64_t segments) { adopted_ = segments; }

  // What collecting uses of a writer.
  Outbox& outbox() { return outbox_; }
  /// For chunks that are moved: whatever the vault has, they are stored.
  std::unique_ptr<SegmentPacker> new_moving_packer();
  /// The end of a session without a new snapshot: as finish(), but of `change`, to which what is durable is added.
  Task<Result<Committed>> finish(IndexChange change);

 private:
  PackerParts packer_parts(bool index) const;
  /// What was not stored because it is there already has to be there by more than another device's word.
  Task<Result<void>> confirm_reliance();
  Task<Result<void>> publish(const IndexChange& change, Committed& out);
  Task<Result<void>> take_up(const std::vector<wire::IndexedSegment>& segments);
  /// The number that this device's next head gets.
  std::uint64_t next_seq() const;
  Result<CheckedHead> make_head(const wire::RootRef& root);

  VaultImpl& vault_;
  std::unique_ptr<platform::FileLock> lock_;
  const WriteOptions options_;
  const dispersal::Plan plan_;
  const Sealer sealer_;
  SessionChunks session_;
  Outbox outbox_;
  IndexSession index_session_;
  bool listing_ = false;
  std::atomic<std::uint64_t> new_bytes_{0};
  std::atomic<std::uint64_t> packed_bytes_{0};
  std::mutex claims_mutex_;
  std::vector<ClaimId> own_claims_;  // of segments that were sealed in this session
  std::uint64_t adopted_ = 0;
  bool finished_ = false;
};

/// Segments that are durable on the homes and in no believed index, found by the journal, or without one by asking the
/// homes. They are in the vault's index afterwards. Their number.
Task<Result<std::uint64_t>> adopt_segments(VaultImpl& vault, const dispersal::Plan& plan);

}  // namespace mhp::vault::impl
