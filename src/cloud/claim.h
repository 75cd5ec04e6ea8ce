// What a computer that no roster names shows on a connection: that it has the key of a member.
#pragma once

#include <optional>

#include "cloud/roster.h"
#include "net/call.h"
#include "wire/cloud_calls.h"

namespace mhp::cloud {

/// By `key`, to `there`, about `cloud`; good on that connection alone. As long as kMaxCloudClaimBytes at most.
Bytes make_claim(const CloudId& cloud, const primitives::SigningKey& key, const net::Peer& there);

/// The key that signed a claim which says exactly `here`: this cloud, this home, this very connection. Errors: invalid,
/// denied.
Result<KeyId> claimed_by(const wire::CloudClaim& here, ByteView signed_claim);

/// For which member a key speaks on the connection of `computer`: its own, or a device's. Nothing: for none, or its
/// member's computer was taken out of the cloud.
std::optional<MemberId> speaks_for(const View& view, const KeyId& key, const KeyId& computer);

/// Whether it is the key of one who was removed, or has left, and speaks on the connection of a computer that was not
/// taken out before.
bool is_former_member(const View& view, const KeyId& key, const KeyId& computer);

}  // namespace mhp::cloud
