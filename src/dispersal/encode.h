// From a sealed segment to records for homes: pure sums on buffers, run in workers.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "primitives/hash/blake3.h"
#include "wire/card.h"
#include "wire/record.h"

namespace mhp::dispersal {

/// Big aligned buffers that are used again and again, so that memory stays bounded and touched once. Thread-safe.
class BufferPool {
 public:
  /// At least `bytes` long; contents undefined.
  AlignedBuffer take(std::size_t bytes);
  void give(AlignedBuffer buffer);

 private:
  static constexpr std::size_t kMaxKept = 160;
  std::mutex mutex_;
  std::vector<AlignedBuffer> free_;
};

/// Ciphertext and salts, as the vault hands them over. Borrowed.
struct SealedSegment {
  SegmentId id;
  VaultId vault;
  std::uint32_t epoch = 0;
  unsigned k = 0;
  ByteView sealed;                          // sealed_bytes long
  std::span<const primitives::Hash> salts;  // k
};

/// ceil(sealed_bytes / k).
std::uint32_t row_bytes_of(std::uint64_t sealed_bytes, unsigned k);

/// What all rows of a segment say of it.
struct SegmentFacts {
  SegmentId id;
  VaultId vault;
  std::uint32_t epoch = 0;
  unsigned k = 0;
  std::uint64_t sealed_bytes = 0;
};

/// A record on its way to one home.
struct Shipment {
  std::size_t home = 0;  // index in the HomeSet
  wire::RecordFront front;
  AlignedBuffer buffer;  // front.record_bytes are used
};

struct EncodedSegment {
  wire::Card card;  // complete, unsigned; fragment ids of rows that were not computed are taken from `known`
  std::vector<Shipment> shipments;
};

/// Rows for one home.
struct RowsFor {
  std::size_t home = 0;
  std::vector<std::uint8_t> rows;
};

/// Codes and lays out records: every row in `wanted`, rows computed once even where several homes get them.
/// @param known  the card so far, when rows are added to a segment that is already on homes (version rises only if ids
/// are added);
///               null for a new one, where wanted must hold every row 0..n-1.
EncodedSegment encode(const SealedSegment& segment, std::span<const RowsFor> wanted, const wire::Card* known,
                      BufferPool& buffers);

/// A new segment whose records are laid out before it is sealed, so that what is sealed goes straight to its place:
/// what encode() does, without a copy of the whole segment beside the records.
class NewSegment {
 public:
  /// `wanted` holds every row 0..n-1. The buffers go back to `buffers` where this ends without encode().
  NewSegment(const SegmentFacts& facts, std::span<const RowsFor> wanted, BufferPool& buffers);
  ~NewSegment();
  NewSegment(const NewSegment&) = delete;
  NewSegment& operator=(const NewSegment&) = delete;

  /// Where the sealed bytes belong: the data rows in order, sealed_bytes long together, uninitialised.
  std::span<const MutableBytes> places() const;
  /// Codes what was filled in, once. `salts`: k.
  EncodedSegment encode(std::span<const primitives::Hash> salts);

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

/// Puts the signed card into all records: after this they are ready to go.
void attach_card(EncodedSegment& encoded, ByteView signed_card);

}  // namespace mhp::dispersal
