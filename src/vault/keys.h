// Who may read and sign: what comes from the phrase, what a device has of its own, and the vault's keys.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "home/home.h"
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

/// Of the vault, as a record gives them.
struct Secrets {
  primitives::Key dedup{};
  primitives::Key chunker{};
  friend bool operator==(const Secrets&, const Secrets&) = default;
};

/// What genuine records say of the keys beside what is believed, the likeliest first: a device has written something
/// false, and only what was sealed shows which. Nothing that one of them opens is given up.
struct OtherKeys {
  std::vector<wire::EpochKey> epochs{};
  std::vector<Secrets> secrets{};
  bool empty() const { return epochs.empty() && secrets.empty(); }
};

/// Sets of other keys that a record carries along for who cannot see the records that they are from.
constexpr std::size_t kMaxCarriedKeys = 8;

/// The vault records of all devices at hand, joined; opened as far as they open.
struct OpenRecord {
  /// This device's own newest (version 0: it has none yet), with the certificates and revocations of all.
  wire::VaultRecord record;
  wire::VaultPrivate content;  // of each home, and of the name and level, the newest change
  wire::VaultKeys keys;        // of every epoch that opens
  OtherKeys others;
  std::uint32_t epoch = 0;  // to write with
  /// What is kept here and given to homes: of each device that is not shut out the newest record that takes no key
  /// away.
  std::vector<home::Home::DeviceRecord> records;
  /// Genuine records that are not passed on, nor counted as their device's: they do not open, give other keys or fewer,
  /// or have a version that no computer reaches.
  std::vector<RecordHash> refused;
  /// Homes that only devices which are shut out name, as they did when they were: not of the vault, but to be asked.
  std::vector<wire::HomeEntry> former_homes;
  /// Sets of other keys in its own record.
  std::vector<wire::VaultKeys> carried;
  /// Its own record lacks keys, or there are two of one version: the next is to be written before anything is saved.
  bool is_due = false;
  Bytes signed_bytes;  // of its own
  RecordHash hash;
};
const wire::EpochKey& writing_key(const OpenRecord& record);
/// All that claim to be of an epoch, the believed one first.
std::vector<const wire::EpochKey*> keys_of_epoch(const OpenRecord& record, std::uint32_t epoch);
/// True where `id` is that of `bytes`, by the secret that is believed or by another.
bool is_id_of(const OpenRecord& record, const ChunkId& id, ByteView bytes);

/// First record of a new vault, version 1: keys drawn, signed by the device, wrapped for recovery and the device.
OpenRecord make_first_record(const Root& root, const Device& device, wire::VaultPrivate content,
                             platform::Random& random, std::int64_t now_ns);
/// The device's next version with other content.
Result<OpenRecord> next_record(const OpenRecord& current, const Device& device, wire::VaultPrivate content,
                               platform::Random& random, std::int64_t now_ns);
/// What becomes of a vault's earlier devices when it is recovered.
enum class Earlier {
  shut_out,
  distrusted,  // shut out, and what they saved after the last good heads is an enemy's
  keep
};
/// After recovery: the first record of `device`, which the root enrols; a new epoch begins. Earlier devices are revoked
/// at the given last good heads and get no key any more, or (keep) stay and get the new epoch's key too, but for those
/// with two last good heads.
/// Of devices that were shut out before, later good heads are named too.
Result<OpenRecord> recovered_record(const OpenRecord& current, const Root& root, const Device& device,
                                    const std::vector<wire::SeenHead>& last_good, platform::Random& random,
                                    std::int64_t now_ns, Earlier earlier = Earlier::shut_out);
/// `after` with times for all in which it differs from `before`, each later than the one it replaces; what is missing
/// in it is noted as removed.
wire::VaultPrivate with_times(const wire::VaultPrivate& before, wire::VaultPrivate after, std::int64_t now_ns);

/// Checks signatures, that the record is this vault's, and that its author may write one; `denied` where not.
Result<wire::VaultRecord> check_record(ByteView signed_bytes, const VaultId& vault);
/// Of one device several, where recoveries did not see each other.
std::vector<wire::Revocation> revocations_of(const wire::VaultRecord& record);
/// Whose last good head is the highest: what a home keeps of that device. Null where it is not revoked.
const wire::Revocation* highest_of(const std::vector<wire::Revocation>& revocations, const DeviceId& device);
std::vector<wire::DeviceCertificate> devices_of(const wire::VaultRecord& record);
/// What proves to others that a device is the vault's, signed by the identity; empty where there is none.
Bytes signed_certificate_of(const wire::VaultRecord& record, const DeviceId& device);
/// Whose signature makes a card: the identity, and every device that was ever enrolled. A device that was shut out
/// signed cards of segments that are still needed.
std::vector<primitives::PublicKey> card_signers(const wire::VaultRecord& record);

/// Joins what was seen, signed, several of a device too; what is not genuine is passed over. Of devices that any record
/// revokes only the certificates and revocations count, and keys, to read with. Errors: denied (the device is shut out;
/// nothing is genuine, or for this key), corrupt (the device's own record is missing or does not open). `late`: came
/// after the date that is asked for: keys are taken from them, and of homes and clouds only what no other knows.
Result<OpenRecord> join_records(const std::vector<Bytes>& seen, const Device& device);
Result<OpenRecord> join_records(const std::vector<Bytes>& seen, const Root& root,
                                const std::set<RecordHash>& late = {});

}  // namespace mhp::vault
