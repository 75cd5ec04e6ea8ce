// Derives keys from the phrase; makes, checks and opens vault records.
#include "vault/keys.h"

#include <algorithm>

#include "base/check.h"
#include "primitives/aead/box.h"
#include "primitives/hash/blake3.h"
#include "vault/impl/context.h"

namespace mhp::vault {
namespace {

using impl::joined;
using impl::little_endian;
using primitives::Key;
using primitives::PublicKey;

enum class Role { recovery, device };

Bytes wrap_context(Role role, const VaultId& vault, std::uint32_t epoch) {
  std::string_view purpose = role == Role::recovery ? "mhp 1 wrap recovery" : "mhp 1 wrap device";
  return joined({as_bytes(purpose), vault.bytes(), little_endian(epoch)});
}

Bytes private_context(const VaultId& vault, std::uint64_t version) {
  return joined({as_bytes("mhp 1 vault private"), vault.bytes(), little_endian(version)});
}

wire::EpochKey new_epoch(std::uint32_t number, platform::Random& random) {
  return {.epoch = number, .data_key = random.array<32>(), .record_key = random.array<32>()};
}

const wire::EpochKey& newest_epoch(const wire::VaultKeys& keys) {
  MHP_CHECK(!keys.epochs.empty());
  return keys.epochs.back();
}

/// Errors: invalid where the recipient is no usable key.
Result<wire::KeyWrap> wrap_keys(const wire::VaultKeys& keys, const VaultId& vault, Role role,
                                const PublicKey& recipient, platform::Random& random) {
  wire::KeyWrap wrap;
  wrap.recipient = recipient;
  wrap.epoch = newest_epoch(keys).epoch;
  wrap.for_recovery = role == Role::recovery;
  Key ephemeral = random.array<32>();
  Bytes plain = wire::encode(keys);
  auto sealed = primitives::seal_to(recipient, ephemeral, wrap_context(role, vault, wrap.epoch), plain);
  wipe(ephemeral);
  wipe(plain);
  if (!sealed) return pass(sealed);
  wrap.sealed = std::move(*sealed);
  return wrap;
}

Bytes certify(const Root& root, const Device& device, std::int64_t now_ns) {
  wire::DeviceCertificate certificate;
  certificate.vault = root.vault();
  certificate.device = device.id;
  certificate.x25519 = primitives::x25519_public(device.secret.x25519_secret);
  certificate.created_ns = now_ns;
  return wire::encode(wire::sign(root.identity(), wire::kSignDevice, wire::encode(certificate)));
}

Bytes seal_private(const wire::VaultRecord& record, const wire::VaultKeys& keys, const wire::VaultPrivate& content,
                   platform::Random& random) {
  auto nonce = random.array<24>();
  Bytes context = private_context(record.vault, record.version);
  return primitives::seal_box(newest_epoch(keys).record_key, nonce, context, wire::encode(content));
}

OpenRecord signed_by(const primitives::SigningKey& signer, wire::VaultRecord record, wire::VaultPrivate content,
                     wire::VaultKeys keys) {
  OpenRecord out;
  out.signed_bytes = wire::encode(wire::sign(signer, wire::kSignVaultRecord, wire::encode(record)));
  out.hash = RecordHash::from_array(primitives::blake3(out.signed_bytes));
  out.record = std::move(record);
  out.content = std::move(content);
  out.keys = std::move(keys);
  return out;
}

/// A statement of the identity about one device: its body, or nothing where the signature is not the identity's.
std::optional<Bytes> identity_statement(ByteView bytes, std::string_view context, const PublicKey& identity) {
  auto envelope = wire::parse_signed(bytes, wire::kMaxCertificateBytes);
  if (!envelope || envelope->signer != identity || !wire::verify(*envelope, context)) return std::nullopt;
  return std::move(envelope->body);
}

bool contains(const std::vector<DeviceId>& ids, const DeviceId& id) { return std::ranges::find(ids, id) != ids.end(); }

/// Keys go to the recovery key and to enrolled devices, to nobody else.
bool wraps_are_for_members(const wire::VaultRecord& record, const std::vector<wire::DeviceCertificate>& devices) {
  return std::ranges::all_of(record.wraps, [&](const wire::KeyWrap& wrap) {
    if (wrap.for_recovery) return wrap.recipient == record.recovery_x25519;
    return std::ranges::any_of(devices, [&](const auto& device) { return device.x25519 == wrap.recipient; });
  });
}

Result<wire::VaultKeys> open_wrap(const wire::KeyWrap& wrap, ByteView context, const Key& secret) {
  auto plain = primitives::open_from(secret, context, wrap.sealed);
  if (!plain) return fail(Errc::corrupt, "vault record: the key wrap for this key does not open");
  auto keys = wire::parse_vault_keys(*plain);
  wipe(*plain);
  if (!keys) return pass(keys);
  if (keys->epochs.empty() || newest_epoch(*keys).epoch != wrap.epoch) {
    return fail(Errc::corrupt, "vault record: the key wrap names another epoch than it holds");
  }
  return keys;
}

/// Of several the one of the highest epoch that opens: old and new keys stand side by side while they change.
Result<wire::VaultKeys> unwrap(const wire::VaultRecord& record, Role role, const Key& secret) {
  PublicKey own = primitives::x25519_public(secret);
  std::vector<const wire::KeyWrap*> wraps;
  for (const wire::KeyWrap& wrap : record.wraps) {
    if (wrap.recipient == own && wrap.for_recovery == (role == Role::recovery)) wraps.push_back(&wrap);
  }
  std::ranges::sort(wraps, std::greater(), &wire::KeyWrap::epoch);
  auto keys = role == Role::recovery
                  ? Result<wire::VaultKeys>(fail(Errc::denied, "the vault's keys are not wrapped for this phrase"))
                  : fail(Errc::denied, Subject::vault,
                         "this computer is shut out of the vault: its keys do not open it any more");
  for (const wire::KeyWrap* wrap : wraps) {
    keys = open_wrap(*wrap, wrap_context(role, record.vault, wrap->epoch), secret);
    if (keys) break;
  }
  return keys;
}

Result<OpenRecord> open_with(ByteView signed_bytes, const VaultId& vault, Role role, const Key& secret) {
  MHP_TRY(wire::VaultRecord record, check_record(signed_bytes, vault, {}));
  MHP_TRY(wire::VaultKeys keys, unwrap(record, role, secret));
  Bytes context = private_context(record.vault, record.version);
  auto plain = primitives::open_box(newest_epoch(keys).record_key, context, record.sealed_private);
  if (!plain) return fail(Errc::corrupt, "vault record: its private part does not open");
  MHP_TRY(wire::VaultPrivate content, wire::parse_vault_private(*plain));
  OpenRecord out;
  out.signed_bytes = to_bytes(signed_bytes);
  out.hash = RecordHash::from_array(primitives::blake3(signed_bytes));
  out.record = std::move(record);
  out.content = std::move(content);
  out.keys = std::move(keys);
  return out;
}

}  // namespace

VaultId vault_id_of(const PublicKey& identity) { return wire::vault_id_of(identity); }

Root::Root(const Key& entropy)
    : identity_(primitives::blake3_derive("mhp 1 identity key", entropy)),
      recovery_secret_(primitives::blake3_derive("mhp 1 recovery key", entropy)),
      vault_(vault_id_of(identity_.public_key())) {}

Root::~Root() { wipe(recovery_secret_); }

PublicKey Root::recovery_public() const { return primitives::x25519_public(recovery_secret_); }

Device make_device(const VaultId& vault, platform::Random& random) {
  wire::DeviceSecret secret;
  secret.vault = vault;
  secret.signing_seed = random.array<32>();
  secret.x25519_secret = random.array<32>();
  return open_device(secret);
}

Device open_device(const wire::DeviceSecret& secret) {
  primitives::SigningKey signing(secret.signing_seed);
  DeviceId id = DeviceId::from_array(signing.public_key());
  return Device{secret, signing, id};
}

OpenRecord make_first_record(const Root& root, const Device& device, wire::VaultPrivate content,
                             platform::Random& random, std::int64_t now_ns) {
  wire::VaultKeys keys;
  keys.epochs.push_back(new_epoch(1, random));
  keys.dedup_secret = random.array<32>();
  keys.chunker_secret = random.array<32>();

  wire::VaultRecord record;
  record.vault = root.vault();
  record.version = 1;
  record.identity = root.identity().public_key();
  record.recovery_x25519 = root.recovery_public();
  record.devices.push_back(certify(root, device, now_ns));
  PublicKey own = primitives::x25519_public(device.secret.x25519_secret);
  auto for_recovery = wrap_keys(keys, root.vault(), Role::recovery, record.recovery_x25519, random);
  auto for_device = wrap_keys(keys, root.vault(), Role::device, own, random);
  MHP_CHECK(for_recovery && for_device);  // both keys were made here
  record.wraps = {*for_recovery, *for_device};
  record.time_ns = now_ns;
  record.sealed_private = seal_private(record, keys, content, random);
  return signed_by(root.identity(), std::move(record), std::move(content), std::move(keys));
}

Result<OpenRecord> next_record(const OpenRecord& current, const Device& device, wire::VaultPrivate content,
                               platform::Random& random, std::int64_t now_ns) {
  wire::VaultRecord record = current.record;
  ++record.version;
  record.time_ns = now_ns;
  record.sealed_private = seal_private(record, current.keys, content, random);
  OpenRecord next = signed_by(device.signing, std::move(record), std::move(content), current.keys);
  auto checked = check_record(next.signed_bytes, current.record.vault, {});
  if (!checked) return pass(checked);  // this device may not sign
  return next;
}

/// Devices that are certified and not revoked.
static std::vector<wire::DeviceCertificate> standing_devices(const wire::VaultRecord& record) {
  std::vector<DeviceId> revoked;
  for (const auto& revocation : revocations_of(record)) revoked.push_back(revocation.device);
  std::vector<wire::DeviceCertificate> standing = devices_of(record);
  std::erase_if(standing, [&](const auto& certificate) { return contains(revoked, certificate.device); });
  return standing;
}

static void revoke(wire::VaultRecord& record, const Root& root, const DeviceId& device,
                   const std::vector<wire::SeenHead>& last_good, std::int64_t now_ns) {
  wire::Revocation revocation;
  revocation.vault = record.vault;
  revocation.device = device;
  auto good = std::ranges::find(last_good, device, &wire::SeenHead::device);
  if (good != last_good.end()) {
    revocation.last_good_seq = good->seq;
    revocation.last_good = good->hash;
  }
  revocation.time_ns = now_ns;
  Bytes body = wire::encode(revocation);
  record.revocations.push_back(wire::encode(wire::sign(root.identity(), wire::kSignRevocation, std::move(body))));
}

Result<OpenRecord> recovered_record(const OpenRecord& current, const Root& root, const Device& device,
                                    const std::vector<wire::SeenHead>& last_good, platform::Random& random,
                                    std::int64_t now_ns, Earlier earlier, const std::vector<DeviceId>& unread) {
  if (current.record.vault != root.vault()) return fail(Errc::denied, "the phrase is another vault's");
  wire::VaultRecord record = current.record;
  if (earlier == Earlier::shut_out) {
    for (const auto& standing : standing_devices(record)) {
      // The time of the new device's certificate says: it has read all of it (docs/formats/vault-record.md).
      std::int64_t time_ns = contains(unread, standing.device) ? now_ns - 1 : now_ns;
      revoke(record, root, standing.device, last_good, time_ns);
    }
  }
  ++record.version;
  record.time_ns = now_ns;
  record.recovery_x25519 = root.recovery_public();  // whatever a device may have written there
  record.devices.push_back(certify(root, device, now_ns));

  wire::VaultKeys keys = current.keys;
  keys.epochs.push_back(new_epoch(newest_epoch(keys).epoch + 1, random));
  MHP_TRY(auto for_recovery, wrap_keys(keys, record.vault, Role::recovery, root.recovery_public(), random));
  record.wraps = {std::move(for_recovery)};
  for (const auto& standing : standing_devices(record)) {
    MHP_TRY(auto for_device, wrap_keys(keys, record.vault, Role::device, standing.x25519, random));
    record.wraps.push_back(std::move(for_device));
  }
  wire::VaultPrivate content = current.content;
  record.sealed_private = seal_private(record, keys, content, random);
  OpenRecord next = signed_by(root.identity(), std::move(record), std::move(content), std::move(keys));
  // Nobody could read one beyond the bounds of the format: the 257th device, say.
  MHP_TRY_VOID(check_record(next.signed_bytes, root.vault(), {}));
  return next;
}

std::vector<primitives::PublicKey> card_signers(const wire::VaultRecord& record) {
  std::vector<primitives::PublicKey> signers{record.identity};
  for (const auto& device : devices_of(record)) {
    primitives::PublicKey key;
    std::ranges::copy(device.device.bytes(), key.begin());
    signers.push_back(key);
  }
  return signers;
}

std::vector<wire::DeviceCertificate> devices_of(const wire::VaultRecord& record) {
  std::vector<wire::DeviceCertificate> out;
  for (const Bytes& bytes : record.devices) {
    auto body = identity_statement(bytes, wire::kSignDevice, record.identity);
    if (!body) continue;
    auto certificate = wire::parse_device_certificate(*body);
    if (certificate && certificate->vault == record.vault) out.push_back(std::move(*certificate));
  }
  return out;
}

std::vector<wire::Revocation> revocations_of(const wire::VaultRecord& record) {
  std::vector<wire::Revocation> out;
  for (const Bytes& bytes : record.revocations) {
    auto body = identity_statement(bytes, wire::kSignRevocation, record.identity);
    if (!body) continue;
    auto revocation = wire::parse_revocation(*body);
    if (revocation && revocation->vault == record.vault) out.push_back(std::move(*revocation));
  }
  return out;
}

Result<wire::VaultRecord> check_record(ByteView signed_bytes, const VaultId& vault,
                                       const std::vector<DeviceId>& revoked) {
  MHP_TRY(wire::Signed envelope, wire::parse_signed(signed_bytes, wire::kMaxVaultRecordBytes));
  if (!wire::verify(envelope, wire::kSignVaultRecord)) return fail(Errc::denied, "vault record: bad signature");
  MHP_TRY(wire::VaultRecord record, wire::parse_vault_record(envelope.body));
  if (record.vault != vault || vault_id_of(record.identity) != vault) {
    return fail(Errc::denied, "vault record: of another vault");
  }
  auto devices = devices_of(record);
  if (!wraps_are_for_members(record, devices)) {
    return fail(Errc::denied, "vault record: keys are wrapped for a stranger");
  }
  if (envelope.signer == record.identity) return record;
  DeviceId signer = DeviceId::from_array(envelope.signer);
  bool enrolled = std::ranges::any_of(devices, [&](const auto& device) { return device.device == signer; });
  if (!enrolled) return fail(Errc::denied, "vault record: signed by a device that is not enrolled");
  bool gone = std::ranges::any_of(revocations_of(record), [&](const auto& known) { return known.device == signer; });
  if (gone || contains(revoked, signer)) return fail(Errc::denied, "vault record: signed by a revoked device");
  return record;
}

Result<OpenRecord> open_record(ByteView signed_bytes, const Device& device) {
  return open_with(signed_bytes, device.secret.vault, Role::device, device.secret.x25519_secret);
}

Result<OpenRecord> open_record(ByteView signed_bytes, const Root& root) {
  MHP_TRY(OpenRecord record, open_with(signed_bytes, root.vault(), Role::recovery, root.recovery_secret()));
  if (record.record.recovery_x25519 != root.recovery_public()) {
    return fail(Errc::denied, "vault record: names another recovery key than the phrase gives");
  }
  return record;
}

}  // namespace mhp::vault
