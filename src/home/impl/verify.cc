// Fragments read back and held against their card.
#include "home/impl/verify.h"

#include "wire/fragment.h"
#include "wire/signed.h"

namespace mhp::home::impl {
namespace {

tl::unexpected<Error> damaged(const SegmentId& segment, const char* why) {
  return fail(Errc::corrupt, "segment " + segment.short_hex() + ": " + why);
}

Result<void> read_all(platform::File& file, std::uint64_t offset, MutableBytes out, const SegmentId& segment) {
  MHP_TRY(const std::size_t got, file.read_at(offset, out));
  if (got != out.size()) return damaged(segment, "its record is cut short");
  return {};
}

}  // namespace

Result<wire::RecordFront> read_front(platform::File& file, const FrontPlace& place, const SegmentId& segment) {
  Bytes bytes(place.bytes);
  MHP_TRY_VOID(read_all(file, place.place.offset, bytes, segment));
  auto front = wire::parse_record_front(bytes);
  if (!front) return damaged(segment, "the front of its record has changed");
  if (front->segment != segment) return damaged(segment, "another segment stands in its place");
  return front;
}

Result<wire::Card> card_in(const wire::RecordFront& front) {
  const auto envelope = wire::parse_signed(front.signed_card, wire::kMaxCardBytes);
  if (!envelope) return damaged(front.segment, "its card is no signed card");
  auto card = wire::parse_card(envelope->body);
  if (!card) return damaged(front.segment, "its card does not parse");
  if (card->segment != front.segment || card->vault != front.vault || card->version != front.card_version)
    return damaged(front.segment, "its card is of something else");
  return card;
}

Result<void> check_fragment(ByteView fragment, std::uint8_t row, const wire::Card& card) {
  if (row >= card.n() || fragment.size() != wire::fragment_bytes(card.row_bytes))
    return damaged(card.segment, "a row that is not in its card");
  const std::uint64_t payload_at = wire::fragment_payload_offset(card.row_bytes);
  const auto front = wire::parse_fragment_front(fragment.first(payload_at), card.fragments[row]);
  if (!front) return damaged(card.segment, "a row's front has changed");
  if (!wire::check_payload(*front, 1, fragment.subspan(payload_at))) return damaged(card.segment, "a row has changed");
  return {};
}

Result<void> check_row(platform::File& file, const RowPlace& row, const wire::Card& card) {
  if (row.row >= card.n() || row.bytes != wire::fragment_bytes(card.row_bytes))
    return damaged(card.segment, "a row that is not in its card");
  Bytes fragment(row.bytes);
  MHP_TRY_VOID(read_all(file, row.place.offset, fragment, card.segment));
  return check_fragment(fragment, row.row, card);
}

bool drop_bad_rows(platform::File& file, std::span<FoundRecord> records) {
  bool whole = true;
  for (FoundRecord& record : records) {
    const auto front = read_front(file, {record.place, record.front_bytes, record.card_version}, record.segment);
    const auto card = front ? card_in(*front) : Result<wire::Card>(fail(Errc::corrupt, "no front"));
    const auto is_bad = [&](const wire::RecordRow& row) {
      const RowPlace place{row.row, {record.place.log, record.place.offset + row.offset}, row.bytes};
      return !card || !check_row(file, place, *card);
    };
    if (std::erase_if(record.rows, is_bad) > 0) whole = false;
  }
  return whole;
}

}  // namespace mhp::home::impl
