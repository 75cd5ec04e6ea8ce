// Who may read and sign: what comes from the phrase, what a device has of its own, and the vault's keys.
#pragma once

#include <optional>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "platform/platform.h"
#include "primitives/sign/sign.h"
#include "wire/signed.h"
#include "wire/state.h"
#include "wire/vault_record.h"

namespace mhp::vault {

/// What the 24 words give. Lives in memory during init and recover only; wiped when it goes.
class Root {
 public:
  explicit Root(const primitives::Key& entropy);
  ~Root();
  const primitives::SigningKey& identity() const { return identity_; }
  const primitives::Key& recovery_secret() const { return recovery_secret_; }
  primitives::PublicKey recovery_public() const;
  VaultId vault() const { return vault_; }

 private:
  primitives::SigningKey identity_;
  primitives::Key recovery_secret_;
  VaultId vault_;
};

VaultId vault_id_of(const primitives::PublicKey& identity);

/// This device's keys, opened.
struct Device {
  wire::DeviceSecret secret;
  primitives::SigningKey signing;
  DeviceId id;
};
Device make_device(const VaultId& vault, platform::Random& random);
Device open_device(const wire::DeviceSecret& secret);

/// A vault record that was checked and opened.
struct OpenRecord {
  wire::VaultRecord record;
  wire::VaultPrivate content;
  wire::VaultKeys keys;
  Bytes signed_bytes;
  RecordHash hash;
};

/// First record of a new vault: version 1, keys drawn, signed by the identity, wrapped for recovery and the device.
OpenRecord make_first_record(const Root& root, const Device& device, wire::VaultPrivate content,
                             platform::Random& random, std::int64_t now_ns);
/// Next version with other content, signed by the device.
Result<OpenRecord> next_record(const OpenRecord& current, const Device& device, wire::VaultPrivate content,
                               platform::Random& random, std::int64_t now_ns);
/// What becomes of a vault's earlier devices when it is recovered.
enum class Earlier { shut_out, keep };
/// After recovery: next version signed by the identity: `device` is enrolled, a new epoch begins. Earlier devices are
/// revoked at the given last good heads and get no key any more, or (keep) stay and get the new epoch's key too.
/// `unread`: devices whose last good head could not be followed; only of the others the new device has all they had.
Result<OpenRecord> recovered_record(const OpenRecord& current, const Root& root, const Device& device,
                                    const std::vector<wire::SeenHead>& last_good, platform::Random& random,
                                    std::int64_t now_ns, Earlier earlier = Earlier::shut_out,
                                    const std::vector<DeviceId>& unread = {});

/// Checks signatures and that the record is this vault's; `denied` where not. `revoked`: devices known to be revoked by
/// any record seen.
Result<wire::VaultRecord> check_record(ByteView signed_bytes, const VaultId& vault,
                                       const std::vector<DeviceId>& revoked);
/// Devices that a genuine record revokes.
std::vector<wire::Revocation> revocations_of(const wire::VaultRecord& record);
std::vector<wire::DeviceCertificate> devices_of(const wire::VaultRecord& record);
/// Whose signature makes a card: the identity, and every device that was ever enrolled. A device that was shut out
/// signed cards of segments that are still needed.
std::vector<primitives::PublicKey> card_signers(const wire::VaultRecord& record);
/// Opens with the device's or the recovery key. Errors: denied (not wrapped for this key: the device was revoked),
/// corrupt.
Result<OpenRecord> open_record(ByteView signed_bytes, const Device& device);
Result<OpenRecord> open_record(ByteView signed_bytes, const Root& root);

}  // namespace mhp::vault
