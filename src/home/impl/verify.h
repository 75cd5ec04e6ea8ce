// Re-hashes what stands in a log against the ids in its card.
#pragma once

#include <span>

#include "home/impl/held_index.h"
#include "platform/disk.h"
#include "wire/card.h"

namespace mhp::home::impl {

/// The front of the record at `place`, its hash checked. Errors: corrupt (damaged, cut short), unavailable.
Result<wire::RecordFront> read_front(platform::File& file, const FrontPlace& place, const SegmentId& segment);

/// The card in a front: parsed, for the segment it stands with. Its signature is the reader's question. Errors:
/// corrupt.
Result<wire::Card> card_in(const wire::RecordFront& front);

/// Errors: corrupt (not row `row` of `card`).
Result<void> check_fragment(ByteView fragment, std::uint8_t row, const wire::Card& card);
/// Errors: corrupt (bytes differ from the card, cut short, no such row in the card), unavailable.
Result<void> check_row(platform::File& file, const RowPlace& row, const wire::Card& card);

/// Takes out of `records`, which stand in `file`, every row that is not whole. True where all were.
bool drop_bad_rows(platform::File& file, std::span<FoundRecord> records);

}  // namespace mhp::home::impl
