// Brings segments back from the homes and opens them: whole, in parts, or one object of them.
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "dispersal/home_set.h"
#include "platform/platform.h"
#include "vault/impl/segment_seal.h"
#include "vault/vault.h"
#include "wire/index.h"

namespace mhp::vault::impl {

/// A run of plain bytes of a segment.
struct PlainPart {
  std::uint64_t offset = 0;
  AlignedBuffer bytes;  // as long as the part; not a vector, which would write zeros first
};

struct Range {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

/// Errors: not_found where no part holds all of it.
Result<ByteView> find_plain(const std::vector<PlainPart>& parts, const Range& range);

/// The bytes of a segment that were fetched, and its bundles.
class FetchedSegment : public OpenSegment {
 public:
  FetchedSegment(std::vector<PlainPart> parts, std::vector<wire::Bundle> bundles)
      : parts_(std::move(parts)), bundles_(std::move(bundles)) {}
  Result<ByteView> bundle(std::uint32_t number, Bytes& room) const override;

 private:
  std::vector<PlainPart> parts_;
  std::vector<wire::Bundle> bundles_;
};

/// On the loop; calls may overlap. Borrows all; they outlive it.
class SegmentReader {
 public:
  SegmentReader(platform::Platform& platform, dispersal::HomeSet& homes, State& state, const OpenRecord& record)
      : platform_(platform), homes_(homes), state_(state), record_(record) {}

  /// Plain bytes of these ranges, widened to whole frames and joined where they nearly touch; all of it where they are
  /// none. `plain_bytes`: the segment's length, as the index has it. Errors: unavailable, corrupt.
  Task<Result<std::vector<PlainPart>>> read(SegmentId segment, std::uint64_t plain_bytes, std::vector<Range> ranges);

  /// A whole segment with its own directory, for what no index names.
  struct Opened {
    wire::Card card;
    PlainPart plain;
    wire::SegmentDirectory directory;
  };
  Task<Result<Opened>> open(SegmentId segment);
  /// Chunks of a segment that no index names, checked against their ids. Errors: unavailable, corrupt.
  Task<Result<std::vector<Bytes>>> objects(SegmentId segment, std::vector<ChunkId> chunks);

  /// What a segment says of itself, from its end alone: mostly one frame of it. Errors: as read().
  Task<Result<wire::IndexedSegment>> own_word(SegmentId segment);

  /// Which of the keys that are of its epoch open a segment; all of them give the same data key. Errors: as read().
  Task<Result<std::vector<wire::EpochKey>>> keys_that_open(SegmentId segment);

 private:
  static constexpr std::size_t kMaxKeysKept = 4096;

  Task<Result<dispersal::Gathered>> gather(SegmentId segment, std::uint64_t offset, std::uint64_t bytes,
                                           bool with_salts);
  Task<Result<wire::IndexedSegment>> word_at_end(SegmentId segment);
  /// Takes the commitment off its front.
  Result<SegmentKey> make_key(dispersal::Gathered& front);
  Task<Result<SegmentKey>> key_of(SegmentId segment);
  Task<Result<PlainPart>> open_whole(dispersal::Gathered& gathered);
  Task<Result<PlainPart>> read_frames(SegmentId segment, std::uint64_t plain_bytes, SegmentKey key, std::uint32_t first,
                                      std::uint32_t count);
  /// Takes what was asked for where it is all there.
  Task<Result<PlainPart>> open_frames(dispersal::Gathered gathered, std::uint64_t plain_bytes, SegmentKey key,
                                      std::uint32_t first, std::uint32_t count);
  Task<Result<PlainPart>> read_end(const dispersal::Located& located, std::uint64_t plain_bytes, SegmentKey key,
                                   std::uint64_t from);
  /// With the commitment that its front begins with.
  Result<void> check_front(const dispersal::Gathered& front) const;

  platform::Platform& platform_;
  dispersal::HomeSet& homes_;
  State& state_;  // remembers what homes gave wrong
  const OpenRecord& record_;
  std::unordered_map<SegmentId, SegmentKey, IdHash> kept_keys_;
};

}  // namespace mhp::vault::impl
