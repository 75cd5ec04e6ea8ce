// Card: the owner's signed description of a segment, readable by homes; tells nothing of the content.
#pragma once

#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "wire/limits.h"

namespace mhp::wire {

struct Card {
  SegmentId segment{};
  VaultId vault{};
  std::uint32_t version = 1;  // rises when rows are added; homes and readers keep the highest
  std::uint32_t k = 0;        // rows needed
  std::uint32_t epoch = 0;    // which data key
  std::uint64_t sealed_bytes = 0;
  std::uint32_t row_bytes = 0;          // payload of a fragment: ceil(sealed_bytes / k)
  std::uint64_t minimum_hold_s = 0;     // after a deletion is asked for
  std::vector<FragmentId> fragments{};  // by row number: 0..n-1; at most 255, at least k
  std::uint32_t n() const { return static_cast<std::uint32_t>(fragments.size()); }
  friend bool operator==(const Card&, const Card&) = default;
};

Bytes encode(const Card& card);
/// Checks every bound and that row_bytes fits sealed_bytes and k. Errors: invalid.
Result<Card> parse_card(ByteView bytes);
/// Upper bound of a signed card with n rows.
constexpr std::size_t signed_card_capacity(std::size_t n) { return 384 + 32 * n; }

}  // namespace mhp::wire
