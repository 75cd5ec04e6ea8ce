// A sorted file of chunks and their places, made from parts of the index: what a big index needs no memory for.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vault/impl/block_file.h"
#include "vault/impl/chunk_table.h"
#include "vault/impl/claims.h"
#include "wire/index.h"

namespace mhp::vault::impl {

/// A segment as the index has it, by one claim.
struct IndexedPlace {
  SegmentId id;
  ClaimId claim;
  std::uint32_t plain_bytes = 0;
  std::uint32_t epoch = 0;
  std::vector<wire::Bundle> bundles;
};

/// An index part that a run was made from.
struct RunPart {
  ChunkId part;
  std::uint64_t bytes = 0;  // encoded
};

/// Says "surely not" of most ids that are not there, from memory: 12 bits an id, wrong for 1 % of them.
class IdFilter {
 public:
  /// For so many ids.
  explicit IdFilter(std::uint64_t ids);
  void add(const ChunkId& id);
  bool may_have(const ChunkId& id) const;
  ByteView bytes() const { return std::as_bytes(std::span(lines_)); }
  MutableBytes bytes() { return std::as_writable_bytes(std::span(lines_)); }

 private:
  using Line = std::array<std::uint32_t, 8>;  // one bit of each word belongs to an id
  static std::uint64_t lines_for(std::uint64_t ids) { return ids * 12 / 256 + 1; }
  std::size_t line_of(const ChunkId& id) const;
  std::vector<Line> lines_;
};

/// One such file, open. Memory: 8 bytes for 92 chunks, and what prepare_questions() loads. The file is a cache: what is
/// damaged in it is noticed when it is read, counts as not there, and takes the file away, so that the next to open the
/// vault makes a new one. Reading is safe from several threads. Blocking, mostly one read of 4 KiB.
class IndexRun {
  struct OnlyOpen {};  // so that make_unique works for open() and for nobody else

 public:
  IndexRun(OnlyOpen, platform::Disk& disk, std::string path, std::unique_ptr<platform::File> file)
      : disk_(disk), path_(std::move(path)), file_(std::move(file)) {}
  /// Errors: corrupt (not whole, of another version), not_found, those of the disk.
  static Result<std::unique_ptr<IndexRun>> open(platform::Disk& disk, const std::string& path);

  const std::string& path() const { return path_; }
  const std::vector<RunPart>& parts() const { return parts_; }
  std::uint64_t chunks() const { return chunks_.records; }
  std::uint32_t segments() const { return static_cast<std::uint32_t>(segments_.records); }

  /// Calls `take(number in the run, slot)` for each place of a chunk until it returns true.
  template <class Take>
  void find(const ChunkId& id, Take take) const;
  /// Errors: corrupt, those of the disk. `number` is below segments().
  Result<IndexedPlace> segment(std::uint32_t number) const;
  /// The numbers of a segment in this run: one for each claim.
  std::vector<std::uint32_t> numbers_of(const SegmentId& id) const;
  /// Loads the filter, and where asked the whole table of chunks. Where that fails, only time is lost.
  void prepare_questions(bool whole);
  /// Gives that memory back.
  void end_questions();
  /// Something that was read is damaged: its file is taken away.
  void note_damage() const;
  bool damaged() const { return damaged_; }

  /// From any chunk or segment on, in order of ids. The run must outlive them.
  BlockCursor chunk_cursor(std::uint64_t first = 0) const { return {*file_, chunks_, first}; }
  BlockCursor segment_cursor() const { return {*file_, segments_}; }
  BlockCursor bundle_cursor() const { return {*file_, bundles_}; }

 private:
  Result<void> read_header();
  Result<void> read_lists(std::uint64_t at, std::uint64_t parts, std::uint64_t sum);
  /// Blocks of a table in which an id that begins so may lie: [first, second).
  static std::pair<std::uint64_t, std::uint64_t> blocks_of(const std::vector<std::uint64_t>& fences,
                                                           std::uint64_t prefix);
  const Block* block(const Table& table, std::uint64_t number, Block& buffer) const;

  platform::Disk& disk_;
  std::string path_;
  std::unique_ptr<platform::File> file_;
  std::vector<RunPart> parts_;
  Table chunks_, segments_, bundles_;
  std::vector<std::uint64_t> chunk_fences_, segment_fences_;  // how the first id of each block begins
  std::uint64_t filter_ids_ = 0, filter_at_ = 0;
  std::uint64_t filter_sum_ = 0;
  std::unique_ptr<IdFilter> filter_;
  std::vector<Block> loaded_;  // of the chunks; empty where they are read as asked for
  mutable std::atomic<bool> damaged_ = false;
};

/// A segment in a run's file; its bundles follow each other in a table of their own.
struct SegmentSlot {
  SegmentId id;
  ClaimId claim;
  std::uint32_t plain_bytes = 0;
  std::uint32_t epoch = 0;
  std::uint32_t first_bundle = 0;
  std::uint32_t bundles = 0;
};

struct BundleSlot {
  std::uint32_t offset = 0;
  std::uint32_t stored_bytes = 0;  // the highest bit: compressed
  std::uint32_t plain_bytes = 0;
};

/// How an id begins, as a number in the order of ids.
std::uint64_t prefix_of(ByteView id);

template <class Take>
void IndexRun::find(const ChunkId& id, Take take) const {
  if (filter_ && !filter_->may_have(id)) return;
  auto [first, end] = blocks_of(chunk_fences_, prefix_of(id.bytes()));
  for (std::uint64_t number = first; number < end; ++number) {
    Block buffer;
    const Block* content = block(chunks_, number, buffer);
    if (content == nullptr) return;
    std::uint64_t begin = number * chunks_.per_block();
    std::uint64_t count = std::min(chunks_.per_block(), chunks_.records - begin);
    auto slot_at = [&](std::uint64_t i) {
      return record_at<ChunkSlot>(ByteView(*content).subspan(i * sizeof(ChunkSlot), sizeof(ChunkSlot)));
    };
    std::uint64_t low = 0;
    for (std::uint64_t high = count; low < high;) {
      std::uint64_t middle = (low + high) / 2;
      bool before = std::memcmp(content->data() + middle * sizeof(ChunkSlot), id.bytes().data(), 32) < 0;
      (before ? low : high) = before ? middle + 1 : middle;
    }
    for (; low < count; ++low) {
      ChunkSlot slot = slot_at(low);
      if (slot.id != id) break;
      if (slot.segment >= segments()) return note_damage();
      if (take(begin + low, slot)) return;
    }
  }
}

/// Writes a run: all segments in rising order of ids, the bundles of all these in the same order, then all chunks in
/// rising order of ids.
class RunWriter {
  struct OnlyCreate {};

 public:
  RunWriter(OnlyCreate, platform::Disk& disk, std::string path, std::unique_ptr<platform::File> file,
            std::uint64_t chunks);
  /// `chunks`: at least as many as will come.
  static Result<std::unique_ptr<RunWriter>> create(platform::Disk& disk, const std::string& path, std::uint64_t chunks);
  /// Its `first_bundle` follows from the segments before.
  Result<void> add(SegmentSlot segment);
  Result<void> add(const BundleSlot& bundle);
  Result<void> add(const ChunkSlot& chunk);
  /// Durable under its name, whole or not at all.
  Result<std::unique_ptr<IndexRun>> finish(std::vector<RunPart> parts);
  ~RunWriter();

 private:
  /// Ends the table before and begins `table`, where that was not done yet.
  Result<void> begin(Table& table, std::size_t record_bytes);
  Result<void> end_open();
  Result<void> write_end(const std::vector<RunPart>& parts);

  platform::Disk& disk_;
  std::string path_;
  std::string fresh_;
  std::unique_ptr<platform::File> file_;
  BlockWriter blocks_;
  std::uint64_t filter_ids_;
  IdFilter filter_;
  Table chunks_, segments_, bundles_;
  Table* open_ = nullptr;
  std::vector<std::uint64_t> chunk_fences_, segment_fences_;
  std::uint32_t bundles_told_ = 0;  // of the segments so far
  bool finished_ = false;
};

BundleSlot slot_of(const wire::Bundle& bundle);

/// One run out of several; of equal chunks those of an earlier run come first. Their files stay.
Result<std::unique_ptr<IndexRun>> merge_runs(platform::Disk& disk, const std::string& path,
                                             const std::vector<const IndexRun*>& runs);

}  // namespace mhp::vault::impl
