// How much of its space a home lends to whom: pure.
#pragma once

#include "cloud/roster.h"

namespace mhp::cloud {

/// On so many of others' homes a vault's rows lie at most: more of them do not make a member's share of each smaller.
constexpr std::uint64_t kMostSharing = 36;

/// What all homes of a member lend in the cloud together.
std::uint64_t lent_by(const View& view, const MemberId& member);

/// Whether a member lends less than the cloud's rule asks of each: others' homes take no rows from it.
bool lends_too_little(const View& view, const MemberId& member);

/// Bytes that one member's vaults together may have at a home of `host` that lends `lend_bytes`, by the rules of their
/// cloud: all of it for the host's own; nothing for who lends too little; else its share of what the member may take in
/// the whole cloud, which is what it lends times take_percent (0: no such rule). A share is twice the even one, since
/// some homes are full, or away; so all together take twice as much at most, or four times where some members have many
/// more homes than others (or there are more than kMostSharing). Nothing where one of the two is not in the cloud.
std::uint64_t quota_bytes(const View& view, const MemberId& host, const MemberId& member, std::uint64_t lend_bytes);

}  // namespace mhp::cloud
