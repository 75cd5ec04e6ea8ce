// The index: segments with their bundles, and where every chunk lies; what is old in files, what is new in memory.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "vault/impl/chunk_table.h"
#include "vault/impl/index_run.h"
#include "wire/index.h"

namespace mhp::vault::impl {

/// Segments and chunks that were taken up one by one and are held in memory.
class YoungIndex {
 public:
  /// Takes a segment up; a claim that is known already is left as it is. Of a chunk that lies in two segments the place
  /// taken up last comes first: it was stored again because the first was gone. Errors: corrupt (a chunk has a place
  /// that chunks cannot have).
  Result<void> add(const wire::IndexedSegment& segment);
  const std::vector<IndexedPlace>& segments() const { return segments_; }
  /// One for each claim.
  std::vector<std::uint32_t> numbers_of(const SegmentId& id) const;
  const ChunkTable& chunks() const { return chunks_; }
  /// Places that chunks() has newer ones for; few.
  const std::vector<ChunkSlot>& older() const { return older_; }
  /// Positions in older(), the newest last.
  std::span<const std::uint32_t> older_of(const ChunkId& id) const;
  /// Of all chunks.
  std::size_t places() const { return chunks_.size() + older_.size(); }

 private:
  std::vector<IndexedPlace> segments_;
  std::unordered_multimap<SegmentId, std::uint32_t, IdHash> numbers_;
  std::unordered_set<ClaimId, IdHash> claims_;
  ChunkTable chunks_;
  std::vector<ChunkSlot> older_;
  std::unordered_map<ChunkId, std::vector<std::uint32_t>, IdHash> older_of_;
};

/// Reading from several threads at once is fine while nobody adds. A segment may have several numbers and a chunk
/// several places (parts of two devices; stored again because the first place was gone; one device says what is not
/// so): any may be used, but for those by a claim that is known to be false, and those in segments that are not gone
/// come first. Numbers stay the same until a run is added.
class Index {
 public:
  /// Chunks of runs that are held whole while a backup asks for each of its chunks: 66 MB.
  static constexpr std::uint64_t kLoadedChunks = 1'500'000;

  /// Where a chunk lies, with a number of it below chunk_numbers(): a bit for each says which are in use. A chunk with
  /// several places has several numbers; find() always gives the same one while nobody adds and nothing goes.
  struct Found {
    ChunkPlace place;
    std::uint64_t number = 0;
  };

  /// As YoungIndex::add.
  Result<void> add(const wire::IndexedSegment& segment);
  /// Only while nothing was added by add().
  void add_run(std::unique_ptr<IndexRun> run);
  /// Segments beside those of the runs; instead of those that were added.
  void set_young(YoungIndex young) { young_ = std::move(young); }
  /// Before many questions: loads what makes them quick, 12 bits a chunk and the smaller runs whole.
  void prepare_questions();
  /// Gives that memory back.
  void end_questions();

  std::optional<Found> find(const ChunkId& id) const;
  /// A place in none of these segments.
  std::optional<ChunkPlace> find_other(const ChunkId& id, const std::vector<std::uint32_t>& without) const;
  /// All places, in the order in which they are to be tried; one of each number.
  std::vector<Found> places(const ChunkId& id) const;
  /// All of them, also by claims that are known to be false.
  std::vector<Found> named_places(const ChunkId& id) const;
  /// True where a chunk is there and can be relied on. Where that is only by a claim of which nothing is known, this is
  /// remembered: see relied_on().
  bool can_refer_to(const ChunkId& id) const;
  bool has_segment(const SegmentId& id) const;
  /// Errors: corrupt, those of the disk. `number` is below segment_numbers().
  Result<IndexedPlace> segment(std::uint32_t number) const;
  /// The segments of which too few rows are at hand; all others can be relied on.
  void set_gone(const std::unordered_set<SegmentId, IdHash>& gone);
  bool is_gone(std::uint32_t segment) const { return !gone_.empty() && gone_.contains(segment); }
  /// What is known of the claims at hand now. Not while others read. Errors: as each_segment().
  Result<void> set_trust(const KnownClaims& known);
  /// Of one, after that. Not while others read.
  void note_trust(std::uint32_t segment, Trust trust) { trust_[segment] = trust; }
  /// Errors: as each_segment().
  Result<std::unordered_set<ClaimId, IdHash>> claims() const;
  Trust trust(std::uint32_t segment) const { return segment < trust_.size() ? trust_[segment] : Trust::unknown; }
  /// Numbers of segments that can_refer_to() relied on, unknown as they are, since set_trust().
  std::vector<std::uint32_t> relied_on() const;
  /// A file that answers were read from is damaged: what was not found may be there. It is made anew by the next open.
  bool damaged() const;

  // All of it, in memory that does not grow with it. Errors: corrupt, those of the disk.
  std::uint32_t segment_numbers() const { return young_base_ + static_cast<std::uint32_t>(young_.segments().size()); }
  std::uint64_t chunk_numbers() const {
    return young_chunk_base_ + young_.chunks().slots().size() + young_.older().size();
  }
  Result<void> each_segment(const std::function<void(std::uint32_t number, const SegmentId& id)>& visit) const;
  /// Each place of each chunk; `slot.segment` is a number of this index.
  Result<void> each_chunk(const std::function<void(std::uint64_t number, const ChunkSlot& slot)>& visit) const;

  const YoungIndex& young() const { return young_; }
  const std::vector<std::unique_ptr<IndexRun>>& runs() const { return runs_; }

 private:
  struct Base {
    std::uint32_t segment = 0;
    std::uint64_t chunk = 0;
  };
  /// Calls `take` for each place until it returns true.
  template <class Take>
  void each_named_place(const ChunkId& id, Take take) const;
  /// The same without those by claims that are known to be false.
  template <class Take>
  void each_place(const ChunkId& id, Take take) const;
  Result<void> each_slot(const std::function<void(std::uint32_t number, const SegmentSlot& slot)>& visit) const;

  std::vector<std::unique_ptr<IndexRun>> runs_;
  std::vector<Base> bases_;  // numbers of each run's first segment and chunk
  std::uint32_t young_base_ = 0;
  std::uint64_t young_chunk_base_ = 0;
  YoungIndex young_;
  std::unordered_set<std::uint32_t> gone_;
  std::vector<Trust> trust_;  // by segment number; empty where nobody asked
  mutable std::unique_ptr<std::atomic<bool>[]> relied_on_;
};

}  // namespace mhp::vault::impl
