// One row, or a part of it, from one home, checked against the card before anybody sees it.
#include <algorithm>

#include "dispersal/impl/set.h"

namespace mhp::dispersal::impl {
namespace {

using primitives::kLeafBytes;

/// Below this a part of a row is read together with the front: a second request costs more than the bytes between.
constexpr std::uint64_t kJoinBytes = 128_KiB;
/// Below this hashing stays on the loop: a trip to a worker costs more.
constexpr std::size_t kInlineBytes = 32_KiB;

Error wrong(std::uint8_t row, const std::string& why) {
  return Error{Errc::corrupt, "row " + std::to_string(row) + ": " + why};
}

/// Reads exactly `bytes`.
Task<Result<Bytes>> read_exactly(home::Home& home, const wire::Card& card, std::uint8_t row, std::uint64_t offset,
                                 std::uint64_t bytes) {
  Result<Bytes> got = co_await home.read(card.segment, row, offset, bytes);
  if (got && got->size() != bytes) co_return tl::unexpected<Error>(wrong(row, "its length is wrong"));
  co_return got;
}

Result<wire::FragmentFront> check_front(ByteView bytes, const wire::Card& card, std::uint8_t row) {
  Result<wire::FragmentFront> front = wire::parse_fragment_front(bytes, card.fragments[row]);
  if (!front) return tl::unexpected<Error>(wrong(row, front.error().detail));
  const wire::FragmentHeader& header = front->header;
  if (header.segment != card.segment || header.row != row || header.k != card.k || header.epoch != card.epoch ||
      header.row_bytes != card.row_bytes || header.sealed_bytes != card.sealed_bytes) {
    // The id is the card's: whoever wrote both is at fault, not this home.
    return fail(Errc::invalid,
                "row " + std::to_string(row) + " of segment " + card.segment.short_hex() + " contradicts its card");
  }
  return front;
}

Result<void> check(Fetched& got, const wire::Card& card, std::uint8_t row, bool has_front, ByteView payload) {
  if (has_front) {
    const ByteView front = ByteView(got.bytes).first(wire::fragment_payload_offset(card.row_bytes));
    MHP_TRY(got.front, check_front(front, card, row));
  }
  if (payload.empty()) return {};
  const Result<void> fine = wire::check_payload(got.front, got.first_leaf + 1, payload);
  if (!fine) return tl::unexpected<Error>(wrong(row, fine.error().detail));
  return {};
}

}  // namespace

Task<Result<Fetched>> fetch_row(Set& set, home::Home& home, const wire::Card& card, std::uint8_t row,
                                std::uint32_t first_leaf, std::uint32_t end_leaf, const wire::FragmentFront* front) {
  const std::uint64_t payload_offset = wire::fragment_payload_offset(card.row_bytes);
  const std::uint64_t to = std::min<std::uint64_t>(card.row_bytes, std::uint64_t{end_leaf} * kLeafBytes);
  Fetched got{.front = {}, .first_leaf = first_leaf, .end_leaf = end_leaf, .bytes = {}, .payload_at = 0};
  if (front != nullptr) {
    got.front = *front;
  } else if (first_leaf < end_leaf && first_leaf * kLeafBytes > kJoinBytes) {
    MHP_CO_TRY(got.bytes, co_await read_exactly(home, card, row, 0, payload_offset));
    MHP_CO_TRY_VOID(check(got, card, row, /*has_front=*/true, {}));
    front = &got.front;
  }
  bool has_front = false;
  if (front == nullptr) {
    has_front = true;
    got.first_leaf = 0;
    got.payload_at = payload_offset;
    MHP_CO_TRY(got.bytes, co_await read_exactly(home, card, row, 0, payload_offset + to));
  } else {
    const std::uint64_t from = std::uint64_t{first_leaf} * kLeafBytes;
    MHP_CO_TRY(got.bytes, co_await read_exactly(home, card, row, payload_offset + from, to - from));
  }
  const ByteView payload = ByteView(got.bytes).subspan(got.payload_at);
  auto job = [&] { return check(got, card, row, has_front, payload); };
  if (got.bytes.size() <= kInlineBytes) {
    MHP_CO_TRY_VOID(job());
  } else {
    MHP_CO_TRY_VOID(co_await set.platform.workers().run(job));
  }
  co_return std::move(got);
}

}  // namespace mhp::dispersal::impl
