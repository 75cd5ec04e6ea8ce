// The fixed layout of a record, and where its parts stand.
#include "wire/record.h"

#include "base/check.h"
#include "wire/fragment.h"
#include "wire/impl/fixed.h"

namespace mhp::wire {
namespace {

// docs/formats/home-record.md
constexpr std::string_view kRecordMagic{"mhprec\0\0", 8};
constexpr std::string_view kHashContext = "mhp 1 record front";
constexpr std::size_t kRecordFormatAt = 8;
constexpr std::size_t kRecordRowCountAt = 10;
constexpr std::size_t kRecordCardVersionAt = 12;
constexpr std::size_t kRecordBytesAt = 16;
constexpr std::size_t kRecordFrontBytesAt = 20;
constexpr std::size_t kRecordCardBytesAt = 24;
constexpr std::size_t kRecordZeroAt = 28;
constexpr std::size_t kRecordVaultAt = 32;
constexpr std::size_t kRecordSegmentAt = 64;
constexpr std::size_t kRecordHashAt = 96;
constexpr std::size_t kRecordStampAt = 128;
constexpr std::size_t kRecordUnusedAt = 160;
constexpr std::size_t kRowEntryBytes = 12;  // row (1), zero (3), offset (4), bytes (4)
constexpr std::size_t kFragmentAlignment = 64;
constexpr std::uint64_t kMaxFrontBytes =
    round_up(RecordFront::kHeaderBytes + kMaxRows * kRowEntryBytes + kMaxCardBytes, kFragmentAlignment);
constexpr std::uint64_t kMaxFragmentBytes = fragment_bytes(kMaxRowBytes);

tl::unexpected<Error> bad_record(const std::string& why) { return fail(Errc::invalid, "record: " + why); }

std::size_t card_offset(std::size_t rows) { return RecordFront::kHeaderBytes + rows * kRowEntryBytes; }

/// Over the whole front, with the places of the hash and of the stamp left out.
primitives::Hash hash_front(ByteView front) {
  auto hash = primitives::Blake3::derived(kHashContext);
  hash.update(front.first(kRecordHashAt)).update(front.subspan(kRecordUnusedAt));
  return hash.finish();
}

/// Fragments in the order of the table, 64-byte aligned, apart from each other, inside the record.
Result<void> read_rows(ByteView bytes, std::size_t count, RecordFront& front) {
  std::array<bool, 256> seen{};
  std::uint64_t free_from = front.front_bytes;
  front.rows.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const ByteView entry = bytes.subspan(card_offset(i), kRowEntryBytes);
    RecordRow row;
    row.row = impl::get<std::uint8_t>(entry, 0);
    row.offset = impl::get<std::uint32_t>(entry, 4);
    row.bytes = impl::get<std::uint32_t>(entry, 8);
    if (!impl::all_zero(entry.subspan(1, 3))) return bad_record("unused bytes are not zero");
    if (row.row >= kMaxRows || std::exchange(seen[row.row], true)) return bad_record("row number");
    if (row.offset % kFragmentAlignment != 0 || row.offset < free_from) return bad_record("a fragment is out of place");
    if (row.bytes == 0 || row.bytes > kMaxFragmentBytes) return bad_record("length of a fragment");
    free_from = std::uint64_t{row.offset} + row.bytes;
    if (free_from > front.record_bytes) return bad_record("a fragment passes the end");
    front.rows.push_back(row);
  }
  return {};
}

}  // namespace

RecordFront plan_record(const VaultId& vault, const SegmentId& segment, std::span<const std::uint8_t> rows,
                        std::uint64_t fragment_bytes, std::size_t card_capacity) {
  MHP_CHECK(rows.size() <= kMaxRows && card_capacity <= kMaxCardBytes && fragment_bytes <= kMaxFragmentBytes);
  RecordFront front;
  front.vault = vault;
  front.segment = segment;
  std::uint64_t at = round_up(card_offset(rows.size()) + card_capacity, kFragmentAlignment);
  front.front_bytes = static_cast<std::uint32_t>(at);
  const std::uint64_t total =
      round_up(at + rows.size() * round_up(fragment_bytes, kFragmentAlignment), kRecordAlignment);
  MHP_CHECK(total <= kMaxRecordBytes);
  front.record_bytes = static_cast<std::uint32_t>(total);
  front.rows.reserve(rows.size());
  for (const std::uint8_t row : rows) {
    front.rows.push_back(
        {.row = row, .offset = static_cast<std::uint32_t>(at), .bytes = static_cast<std::uint32_t>(fragment_bytes)});
    at += round_up(fragment_bytes, kFragmentAlignment);
  }
  return front;
}

void write_record_front(const RecordFront& front, MutableBytes record) {
  const std::size_t card_at = card_offset(front.rows.size());
  MHP_CHECK(record.size() == front.record_bytes && front.front_bytes <= record.size());
  MHP_CHECK(card_at + front.signed_card.size() <= front.front_bytes);
  const MutableBytes head = record.first(front.front_bytes);
  std::ranges::fill(head, std::byte{0});
  impl::put_bytes(head, 0, as_bytes(kRecordMagic));
  impl::put(head, kRecordFormatAt, kFormat);
  impl::put(head, kRecordRowCountAt, static_cast<std::uint16_t>(front.rows.size()));
  impl::put(head, kRecordCardVersionAt, front.card_version);
  impl::put(head, kRecordBytesAt, front.record_bytes);
  impl::put(head, kRecordFrontBytesAt, front.front_bytes);
  impl::put(head, kRecordCardBytesAt, static_cast<std::uint32_t>(front.signed_card.size()));
  impl::put_bytes(head, kRecordVaultAt, front.vault.bytes());
  impl::put_bytes(head, kRecordSegmentAt, front.segment.bytes());
  std::size_t free_from = front.front_bytes;
  for (std::size_t i = 0; i < front.rows.size(); ++i) {
    const RecordRow& row = front.rows[i];
    const MutableBytes entry = head.subspan(card_offset(i), kRowEntryBytes);
    impl::put(entry, 0, row.row);
    impl::put(entry, 4, row.offset);
    impl::put(entry, 8, row.bytes);
    // Gaps are zeroed too: what stood in this buffer before must not reach a home.
    std::ranges::fill(record.subspan(free_from, row.offset - free_from), std::byte{0});
    free_from = std::size_t{row.offset} + row.bytes;
  }
  std::ranges::fill(record.subspan(free_from), std::byte{0});
  impl::put_bytes(head, card_at, front.signed_card);
  impl::put_bytes(head, kRecordHashAt, hash_front(head));
}

Result<RecordLengths> peek_record(ByteView header) {
  if (header.size() < RecordFront::kHeaderBytes) return bad_record("a header has 192 bytes");
  if (as_text(header.first(kRecordMagic.size())) != kRecordMagic) return bad_record("not a record");
  const std::string foreign = impl::foreign_format(impl::get<std::uint16_t>(header, kRecordFormatAt));
  if (!foreign.empty()) return bad_record(foreign);
  RecordLengths out;
  out.record_bytes = impl::get<std::uint32_t>(header, kRecordBytesAt);
  out.front_bytes = impl::get<std::uint32_t>(header, kRecordFrontBytesAt);
  if (out.front_bytes % kFragmentAlignment != 0 || out.front_bytes < RecordFront::kHeaderBytes ||
      out.front_bytes > kMaxFrontBytes)
    return bad_record("length of its front");
  if (out.record_bytes % kRecordAlignment != 0 || out.record_bytes < out.front_bytes ||
      out.record_bytes > kMaxRecordBytes)
    return bad_record("length");
  return out;
}

Result<RecordFront> parse_record_front(ByteView bytes) {
  if (bytes.size() < RecordFront::kHeaderBytes) return fail(Errc::unavailable, "record: less than its header is here");
  MHP_TRY(const RecordLengths lengths, peek_record(bytes));
  if (bytes.size() < lengths.front_bytes) return fail(Errc::unavailable, "record: less than its front is here");
  bytes = bytes.first(lengths.front_bytes);
  if (!std::ranges::equal(hash_front(bytes), bytes.subspan(kRecordHashAt, 32)))
    return fail(Errc::corrupt, "record: its front has changed");
  RecordFront front;
  front.record_bytes = lengths.record_bytes;
  front.front_bytes = lengths.front_bytes;
  front.card_version = impl::get<std::uint32_t>(bytes, kRecordCardVersionAt);
  front.vault = VaultId::from_bytes(bytes.subspan(kRecordVaultAt, 32));
  front.segment = SegmentId::from_bytes(bytes.subspan(kRecordSegmentAt, 32));
  const std::size_t rows = impl::get<std::uint16_t>(bytes, kRecordRowCountAt);
  const std::size_t card_bytes = impl::get<std::uint32_t>(bytes, kRecordCardBytesAt);
  if (!impl::all_zero(bytes.subspan(kRecordZeroAt, 4)) || !impl::all_zero(bytes.subspan(kRecordUnusedAt, 32)))
    return bad_record("unused bytes are not zero");
  if (rows > kMaxRows) return bad_record("too many rows");
  const std::size_t card_at = card_offset(rows);
  if (card_bytes > kMaxCardBytes || card_at + card_bytes > bytes.size()) return bad_record("length of its card");
  if (!impl::all_zero(bytes.subspan(card_at + card_bytes))) return bad_record("unused bytes are not zero");
  MHP_TRY_VOID(read_rows(bytes, rows, front));
  front.signed_card = to_bytes(bytes.subspan(card_at, card_bytes));
  return front;
}

primitives::Hash record_front_hash(ByteView header) {
  MHP_CHECK(header.size() >= RecordFront::kHeaderBytes);
  primitives::Hash hash;
  std::ranges::copy(header.subspan(kRecordHashAt, 32), hash.begin());
  return hash;
}

std::span<std::byte, 32> record_stamp(MutableBytes record) {
  MHP_CHECK(record.size() >= RecordFront::kHeaderBytes);
  return record.subspan<kRecordStampAt, 32>();
}

std::span<const std::byte, 32> record_stamp(ByteView record) {
  MHP_CHECK(record.size() >= RecordFront::kHeaderBytes);
  return record.subspan<kRecordStampAt, 32>();
}

}  // namespace mhp::wire
