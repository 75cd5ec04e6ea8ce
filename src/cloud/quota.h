// How much of its space a home lends to whom: pure.
#pragma once

#include "cloud/roster.h"

namespace mhp::cloud {

/// Bytes that one member's vault may have at a home of `host` that lends `lend_bytes`, by the rules of their cloud:
/// all of it for the host's own; else not more than what the member lends itself, times take_percent (0: no such rule).
/// Nothing where one of the two is not in the cloud.
std::uint64_t quota_bytes(const View& view, const MemberId& host, const MemberId& member, std::uint64_t lend_bytes);

}  // namespace mhp::cloud
