// Signatures first, then whose they are.
#include "cloud/home_rights.h"

#include "wire/vault_record.h"

namespace mhp::cloud {
namespace {

/// Errors: invalid, denied.
Result<void> check_certificate(const wire::SessionProof& proof, const VaultId& vault,
                               const primitives::PublicKey& device) {
  if (wire::vault_id_of(proof.identity) != vault) return fail(Errc::denied, "a proof by another vault's identity");
  MHP_TRY(const auto envelope, wire::parse_signed(proof.certificate, wire::kMaxCertificateBytes));
  if (envelope.signer != proof.identity || !wire::verify(envelope, wire::kSignDevice))
    return fail(Errc::denied, "a device certificate that the identity did not sign");
  MHP_TRY(const auto certificate, wire::parse_device_certificate(envelope.body));
  if (certificate.vault != vault || certificate.device != DeviceId::from_array(device))
    return fail(Errc::denied, "a certificate of another vault or device");
  return {};
}

}  // namespace

bool only_reads(HomeCall call) {
  switch (call) {
    case HomeCall::session:
    case HomeCall::vault_records:
    case HomeCall::former_record:
    case HomeCall::heads:
    case HomeCall::list:
    case HomeCall::find:
    case HomeCall::read:
    case HomeCall::usage:
    case HomeCall::scrub:
    case HomeCall::known_bad:
      return true;
    case HomeCall::put_vault_record:
    case HomeCall::put_heads:
    case HomeCall::tombstone:
    case HomeCall::reprieve:
    case HomeCall::put:
    case HomeCall::commit:
    case HomeCall::collect:
      return false;
  }
  return false;
}

Result<void> may(const Shown& shown, HomeCall call) {
  if (shown.computer == Who::taken_out && !only_reads(call))
    return fail(Errc::denied, "this computer was taken out of the cloud: what is here it may read, and not change");
  if (call == HomeCall::session || shown.speaks) return {};
  if (call == HomeCall::put_vault_record && shown.computer == Who::member) return {};
  return fail(Errc::denied, "this connection has not shown that it may act for this vault");
}

bool speaks(const primitives::PublicKey& key, const VaultId& vault, const HeldSpeakers& held) {
  if (wire::vault_id_of(key) == vault) return true;
  return held == nullptr || held->has(key) || !held->is_revoked(key);
}

Result<primitives::PublicKey> prove_session(const wire::SessionProof& proof, const wire::SessionClaim& here,
                                            const HeldSpeakers& held) {
  MHP_TRY(const auto envelope, wire::parse_signed(proof.signed_claim, wire::kMaxCertificateBytes));
  if (!wire::verify(envelope, wire::kSignSession)) return fail(Errc::denied, "a proof with a wrong signature");
  MHP_TRY(const auto claim, wire::parse_session_claim(envelope.body));
  if (claim != here) return fail(Errc::denied, "a proof that was made for another connection, home or vault");
  const bool is_identity = wire::vault_id_of(envelope.signer) == here.vault;
  const bool is_known = is_identity || (held != nullptr && held->has(envelope.signer));
  if (!is_known && held != nullptr && (held->devices.empty() || held->is_revoked(envelope.signer)))
    return fail(Errc::denied, "a proof by a device that this vault has revoked, or that cannot be told from one");
  if (!is_known) {
    MHP_TRY_VOID(check_certificate(proof, here.vault, envelope.signer));
  }
  return envelope.signer;
}

}  // namespace mhp::cloud
