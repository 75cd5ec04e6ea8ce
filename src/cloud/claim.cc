// Claims: signed for one cloud, one home and one connection.
#include "cloud/claim.h"

namespace mhp::cloud {

Bytes make_claim(const CloudId& cloud, const primitives::SigningKey& key, const net::Peer& there) {
  const wire::CloudClaim claim{cloud, there.id, there.exporter};
  return wire::encode(wire::sign(key, wire::kSignCloudClaim, wire::encode(claim)));
}

Result<KeyId> claimed_by(const wire::CloudClaim& here, ByteView signed_claim) {
  MHP_TRY(const auto envelope, wire::parse_signed(signed_claim, wire::kMaxCloudClaimBytes));
  if (!wire::verify(envelope, wire::kSignCloudClaim)) return fail(Errc::denied, "a claim with a wrong signature");
  MHP_TRY(const auto claim, wire::parse_cloud_claim(envelope.body));
  if (claim != here) return fail(Errc::denied, "a claim that was made for another connection, home or cloud");
  return as_key(envelope.signer);
}

static std::optional<MemberId> speaker(const View& view, const KeyId& key) {
  const MemberId own = MemberId::from_bytes(key.bytes());
  if (view.members.contains(own)) return own;
  for (const auto& [id, member] : view.members)
    if (member.devices.contains(key)) return id;
  return std::nullopt;
}

std::optional<MemberId> speaks_for(const View& view, const KeyId& key, const KeyId& computer) {
  const auto member = speaker(view, key);
  if (member && view.removed_keys.contains({computer, *member})) return std::nullopt;
  return member;
}

bool is_former_member(const View& view, const KeyId& key, const KeyId& computer) {
  const MemberId member = MemberId::from_bytes(key.bytes());
  return view.removed.contains(member) && !view.removed_keys.contains({computer, member});
}

}  // namespace mhp::cloud
