// Record: what one home keeps of one segment: the card and all rows it holds, as one unit, the same on the way and on
// disk.
#pragma once

#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "primitives/hash/blake3.h"
#include "wire/limits.h"

namespace mhp::wire {

constexpr std::size_t kRecordAlignment = 4096;

struct RecordRow {
  std::uint8_t row = 0;
  std::uint32_t offset = 0;  // of the fragment, from the start of the record
  std::uint32_t bytes = 0;
  friend bool operator==(const RecordRow&, const RecordRow&) = default;
};

/// record = front (fixed header of 192 bytes, row table, signed card, zeros to front_bytes) || fragments || zeros to
/// 4096. The header holds a hash of the front, and 32 bytes that only the keeping home fills in (its stamp; not part of
/// the hash).
struct RecordFront {
  static constexpr std::size_t kHeaderBytes = 192;
  VaultId vault{};
  SegmentId segment{};
  std::uint32_t card_version = 0;
  std::uint32_t record_bytes = 0;  // all of it; a multiple of 4096
  std::uint32_t front_bytes = 0;   // a multiple of 64
  std::vector<RecordRow> rows{};   // may be empty: a record that only brings a newer card
  Bytes signed_card{};
  friend bool operator==(const RecordFront&, const RecordFront&) = default;
};

/// Lays out a record for rows of fragment length `fragment_bytes` each, with room for a signed card of up to
/// `card_capacity`.
RecordFront plan_record(const VaultId& vault, const SegmentId& segment, std::span<const std::uint8_t> rows,
                        std::uint64_t fragment_bytes, std::size_t card_capacity);
/// Writes the front (with signed_card and card_version filled in) and zeroes the tail of `record`; fragments are
/// already in place.
void write_record_front(const RecordFront& front, MutableBytes record);
/// Needs only the first front_bytes of a record (record_bytes may be more than is given). Checks the hash and every
/// bound. Errors: invalid (not a record), corrupt (hash). `need_more` asks: Errc::unavailable when `bytes` is shorter
/// than the front.
Result<RecordFront> parse_record_front(ByteView bytes);
/// Total and front length from the first 192 bytes, unchecked but within bounds; for scanning a log. Errors: invalid.
struct RecordLengths {
  std::uint32_t record_bytes = 0;
  std::uint32_t front_bytes = 0;
};
Result<RecordLengths> peek_record(ByteView header);
/// The hash of the front, as in the header.
primitives::Hash record_front_hash(ByteView header);
/// The home's own 32 bytes in the header.
std::span<std::byte, 32> record_stamp(MutableBytes record);
std::span<const std::byte, 32> record_stamp(ByteView record);

}  // namespace mhp::wire
