// The vault record and all inside it to bytes and back; secrets leave no copies behind.
#include "wire/vault_record.h"

#include <wire/sealed.pb.h>
#include <wire/visible.pb.h>

#include "base/check.h"
#include "wire/impl/proto.h"

namespace mhp::wire {
namespace {

/// The highest of dispersal::Level; a new level means a new format number here.
constexpr std::uint32_t kMaxLevel = 2;
constexpr std::uint32_t kMaxHomeKind = 255;
// The highest numbers of fields that this program knows.
constexpr std::uint32_t kLastOfHomeEntry = proto::HomeEntry::kChangedNsFieldNumber;
constexpr std::uint32_t kLastOfMembership = proto::Membership::kChangedNsFieldNumber;
constexpr std::uint32_t kLastOfVaultPrivate = proto::VaultPrivate::kLeftCloudsFieldNumber;
constexpr std::uint32_t kLastOfVaultRecord = proto::VaultRecord::kEpochFieldNumber;

Result<std::vector<Bytes>> take_signed_list(const google::protobuf::RepeatedPtrField<std::string>& list,
                                            unsigned limit) {
  if (list.size() > static_cast<int>(limit)) return impl::bad("vault record", "too many devices or revocations");
  std::vector<Bytes> out;
  out.reserve(static_cast<std::size_t>(list.size()));
  for (const std::string& field : list) {
    if (field.size() > kMaxCertificateBytes) return impl::bad("vault record", "a certificate is too long");
    out.push_back(to_bytes(as_bytes(field)));
  }
  return out;
}

Result<KeyWrap> take_wrap(const proto::KeyWrap& message) {
  KeyWrap wrap;
  MHP_TRY(wrap.recipient, impl::take_array<32>(message.recipient(), "key wrap"));
  if (message.sealed().size() > kMaxWrapBytes) return impl::bad("key wrap", "too long");
  wrap.sealed = to_bytes(as_bytes(message.sealed()));
  wrap.epoch = message.epoch();
  wrap.for_recovery = message.for_recovery();
  return wrap;
}

/// An id that may be missing. Zeros stand for that in memory, so they are refused in bytes.
Result<std::array<std::byte, 32>> take_optional_id(const std::string& field, const char* what) {
  if (field.empty()) return std::array<std::byte, 32>{};
  MHP_TRY(const auto id, impl::take_array<32>(field, what));
  if (id == std::array<std::byte, 32>{}) return impl::bad(what, "an id of zeros");
  return id;
}

Result<HomeEntry> take_home(const proto::HomeEntry& message) {
  constexpr const char* kWhat = "home entry";
  HomeEntry home;
  MHP_TRY(home.id, impl::take_id<HomeId>(message.id(), kWhat));
  if (message.name().size() > kMaxNameBytes || impl::has_nul(message.name())) return impl::bad(kWhat, "name");
  if (message.path().size() > kMaxPathBytes || impl::has_nul(message.path())) return impl::bad(kWhat, "path");
  if (message.kind() == 0 || message.kind() > kMaxHomeKind) return impl::bad(kWhat, "no kind");
  if (message.addresses_size() > static_cast<int>(kMaxHomeAddresses)) return impl::bad(kWhat, "too many addresses");
  for (const std::string& address : message.addresses()) {
    if (address.empty() || address.size() > kMaxAddressBytes || impl::has_nul(address))
      return impl::bad(kWhat, "address");
    home.addresses.push_back(address);
  }
  MHP_TRY(home.member, take_optional_id(message.member(), kWhat));
  MHP_TRY(home.cloud, take_optional_id(message.cloud(), kWhat));
  home.name = message.name();
  home.path = message.path();
  home.kind = static_cast<HomeKind>(message.kind());
  home.same_disk = message.same_disk();
  home.max_used_bytes = message.max_used_bytes();
  home.min_free_bytes = message.min_free_bytes();
  home.changed_ns = message.changed_ns();
  MHP_TRY(home.later, impl::later_fields(message, kLastOfHomeEntry, kWhat));
  return home;
}

Result<Membership> take_membership(const proto::Membership& message) {
  constexpr const char* kWhat = "membership";
  Membership out;
  MHP_TRY(out.cloud, impl::take_id<CloudId>(message.cloud(), kWhat));
  MHP_TRY(out.member_secret, impl::take_array<32>(message.member_secret(), kWhat));
  if (message.name().size() > kMaxNameBytes || impl::has_nul(message.name())) return impl::bad(kWhat, "name");
  out.name = message.name();
  out.changed_ns = message.changed_ns();
  MHP_TRY(out.later, impl::later_fields(message, kLastOfMembership, kWhat));
  return out;
}

Result<void> take_clouds(const proto::VaultPrivate& message, VaultPrivate& out) {
  constexpr const char* kWhat = "private vault data";
  if (message.clouds_size() > static_cast<int>(kMaxClouds)) return impl::bad(kWhat, "too many clouds");
  if (message.left_clouds_size() > static_cast<int>(kMaxLeftClouds)) return impl::bad(kWhat, "too many clouds left");
  for (const proto::Membership& field : message.clouds()) {
    MHP_TRY(Membership cloud, take_membership(field));
    out.clouds.push_back(std::move(cloud));
  }
  for (const proto::LeftCloud& field : message.left_clouds()) {
    LeftCloud cloud{.changed_ns = field.changed_ns()};
    MHP_TRY(cloud.cloud, impl::take_id<CloudId>(field.cloud(), kWhat));
    out.left_clouds.push_back(cloud);
  }
  return {};
}

/// What was in a message is secret, too.
void wipe_secrets(proto::VaultPrivate& message) {
  for (proto::Membership& cloud : *message.mutable_clouds()) impl::wipe_field(cloud.mutable_member_secret());
}

}  // namespace

VaultId vault_id_of(const primitives::PublicKey& identity) {
  return VaultId::from_array(primitives::blake3_derive("mhp 1 vault id", identity));
}

Bytes encode(const DeviceCertificate& certificate) {
  auto message = impl::make<proto::DeviceCertificate>();
  message.set_vault(impl::to_field(certificate.vault.bytes()));
  message.set_device(impl::to_field(certificate.device.bytes()));
  message.set_x25519(impl::to_field(certificate.x25519));
  message.set_created_ns(certificate.created_ns);
  return impl::serialize(message);
}

Bytes encode(const Revocation& revocation) {
  auto message = impl::make<proto::Revocation>();
  message.set_vault(impl::to_field(revocation.vault.bytes()));
  message.set_device(impl::to_field(revocation.device.bytes()));
  message.set_last_good_seq(revocation.last_good_seq);
  message.set_last_good(impl::to_field(revocation.last_good.bytes()));
  message.set_time_ns(revocation.time_ns);
  message.set_distrusted(revocation.distrusted);
  return impl::serialize(message);
}

Bytes encode(const VaultRecord& record) {
  auto message = impl::make<proto::VaultRecord>();
  message.set_vault(impl::to_field(record.vault.bytes()));
  message.set_version(record.version);
  message.set_identity(impl::to_field(record.identity));
  message.set_recovery_x25519(impl::to_field(record.recovery_x25519));
  for (const Bytes& device : record.devices) message.add_devices(impl::to_field(device));
  for (const Bytes& revocation : record.revocations) message.add_revocations(impl::to_field(revocation));
  for (const KeyWrap& wrap : record.wraps) {
    proto::KeyWrap& out = *message.add_wraps();
    out.set_recipient(impl::to_field(wrap.recipient));
    out.set_sealed(impl::to_field(wrap.sealed));
    out.set_epoch(wrap.epoch);
    out.set_for_recovery(wrap.for_recovery);
  }
  message.set_sealed_private(impl::to_field(record.sealed_private));
  message.set_time_ns(record.time_ns);
  message.set_device(impl::to_field(record.device.bytes()));
  message.set_epoch(record.epoch);
  MHP_CHECK(message.MergeFromString(record.later));
  return impl::serialize(message);
}

Bytes encode(const VaultKeys& keys) {
  auto message = impl::make<proto::VaultKeys>();
  message.mutable_data_keys()->reserve(32 * keys.epochs.size());  // no copies of keys left behind by growth
  message.mutable_record_keys()->reserve(32 * keys.epochs.size());
  for (const EpochKey& epoch : keys.epochs) {
    message.add_epochs(epoch.epoch);
    impl::append(*message.mutable_data_keys(), epoch.data_key);
    impl::append(*message.mutable_record_keys(), epoch.record_key);
  }
  message.set_dedup_secret(keys.dedup_secret.data(), keys.dedup_secret.size());
  message.set_chunker_secret(keys.chunker_secret.data(), keys.chunker_secret.size());
  Bytes out = impl::serialize(message);
  for (std::string* secret : {message.mutable_data_keys(), message.mutable_dedup_secret(),
                              message.mutable_chunker_secret(), message.mutable_record_keys()})
    impl::wipe_field(secret);
  return out;
}

Bytes encode(const VaultPrivate& vault) {
  auto message = impl::make<proto::VaultPrivate>();
  message.set_name(vault.name);
  message.set_level(vault.level);
  for (const HomeEntry& home : vault.homes) {
    proto::HomeEntry& out = *message.add_homes();
    out.set_id(impl::to_field(home.id.bytes()));
    out.set_name(home.name);
    out.set_kind(static_cast<std::uint32_t>(home.kind));
    out.set_path(home.path);
    out.set_same_disk(home.same_disk);
    out.set_max_used_bytes(home.max_used_bytes);
    out.set_min_free_bytes(home.min_free_bytes);
    constexpr std::array<std::byte, 32> kNone{};
    if (home.member != kNone) out.set_member(impl::to_field(home.member));
    if (home.cloud != kNone) out.set_cloud(impl::to_field(home.cloud));
    for (const std::string& address : home.addresses) out.add_addresses(address);
    out.set_changed_ns(home.changed_ns);
    MHP_CHECK(out.MergeFromString(home.later));
  }
  message.set_name_changed_ns(vault.name_changed_ns);
  message.set_level_changed_ns(vault.level_changed_ns);
  for (const RemovedHome& home : vault.removed) {
    proto::RemovedHome& out = *message.add_removed();
    out.set_id(impl::to_field(home.id.bytes()));
    out.set_changed_ns(home.changed_ns);
  }
  for (const Membership& cloud : vault.clouds) {
    proto::Membership& out = *message.add_clouds();
    out.set_cloud(impl::to_field(cloud.cloud.bytes()));
    out.set_member_secret(cloud.member_secret.data(), cloud.member_secret.size());
    out.set_name(cloud.name);
    out.set_changed_ns(cloud.changed_ns);
    MHP_CHECK(out.MergeFromString(cloud.later));
  }
  for (const LeftCloud& cloud : vault.left_clouds) {
    proto::LeftCloud& out = *message.add_left_clouds();
    out.set_cloud(impl::to_field(cloud.cloud.bytes()));
    out.set_changed_ns(cloud.changed_ns);
  }
  MHP_CHECK(message.MergeFromString(vault.later));
  Bytes bytes = impl::serialize(message);
  wipe_secrets(message);
  return bytes;
}

Result<DeviceCertificate> parse_device_certificate(ByteView bytes) {
  const impl::Bounds bounds{.what = "device certificate", .bytes = kMaxCertificateBytes};
  MHP_TRY(const auto message, impl::read<proto::DeviceCertificate>(bytes, bounds));
  DeviceCertificate out;
  MHP_TRY(out.vault, impl::take_id<VaultId>(message.vault(), bounds.what));
  MHP_TRY(out.device, impl::take_id<DeviceId>(message.device(), bounds.what));
  MHP_TRY(out.x25519, impl::take_array<32>(message.x25519(), bounds.what));
  out.created_ns = message.created_ns();
  return out;
}

Result<Revocation> parse_revocation(ByteView bytes) {
  const impl::Bounds bounds{.what = "revocation", .bytes = kMaxCertificateBytes};
  MHP_TRY(const auto message, impl::read<proto::Revocation>(bytes, bounds));
  Revocation out;
  MHP_TRY(out.vault, impl::take_id<VaultId>(message.vault(), bounds.what));
  MHP_TRY(out.device, impl::take_id<DeviceId>(message.device(), bounds.what));
  MHP_TRY(out.last_good, impl::take_id<HeadHash>(message.last_good(), bounds.what));
  out.last_good_seq = message.last_good_seq();
  out.time_ns = message.time_ns();
  out.distrusted = message.distrusted();
  if ((out.last_good_seq == 0) != out.last_good.is_zero()) return impl::bad(bounds.what, "last good head");
  return out;
}

Result<VaultRecord> parse_vault_record(ByteView bytes) {
  constexpr std::size_t kMaxFields = kMaxWraps + kMaxDevices + kMaxRevocations + 64;
  const impl::Bounds bounds{.what = "vault record", .bytes = kMaxVaultRecordBytes, .fields = kMaxFields};
  MHP_TRY(const auto message, impl::read<proto::VaultRecord>(bytes, bounds));
  VaultRecord out;
  MHP_TRY(out.vault, impl::take_id<VaultId>(message.vault(), bounds.what));
  MHP_TRY(out.identity, impl::take_array<32>(message.identity(), bounds.what));
  MHP_TRY(out.recovery_x25519, impl::take_array<32>(message.recovery_x25519(), bounds.what));
  out.version = message.version();
  out.time_ns = message.time_ns();
  out.epoch = message.epoch();
  MHP_TRY(out.device, impl::take_id<DeviceId>(message.device(), bounds.what));
  if (out.version == 0) return impl::bad(bounds.what, "version 0");
  if (out.epoch == 0) return impl::bad(bounds.what, "epoch 0");
  MHP_TRY(out.devices, take_signed_list(message.devices(), kMaxDevices));
  MHP_TRY(out.revocations, take_signed_list(message.revocations(), kMaxRevocations));
  if (message.wraps_size() > static_cast<int>(kMaxWraps)) return impl::bad(bounds.what, "too many key wraps");
  for (const proto::KeyWrap& field : message.wraps()) {
    MHP_TRY(KeyWrap wrap, take_wrap(field));
    out.wraps.push_back(std::move(wrap));
  }
  if (message.sealed_private().size() > kMaxSealedPrivateBytes)
    return impl::bad(bounds.what, "private part is too long");
  out.sealed_private = to_bytes(as_bytes(message.sealed_private()));
  MHP_TRY(out.later, impl::later_fields(message, kLastOfVaultRecord, bounds.what));
  return out;
}

namespace {

Result<VaultKeys> take_keys(const proto::VaultKeys& message) {
  constexpr const char* kWhat = "vault keys";
  VaultKeys out;
  const auto count = static_cast<std::size_t>(message.epochs_size());
  if (count > kMaxEpochs) return impl::bad(kWhat, "too many epochs");
  if (message.data_keys().size() != 32 * count || message.record_keys().size() != 32 * count)
    return impl::bad(kWhat, "columns differ in length");
  out.epochs.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    EpochKey epoch{.epoch = message.epochs(static_cast<int>(i))};
    std::memcpy(epoch.data_key.data(), message.data_keys().data() + 32 * i, 32);
    std::memcpy(epoch.record_key.data(), message.record_keys().data() + 32 * i, 32);
    if (i > 0 && epoch.epoch <= out.epochs.back().epoch) return impl::bad(kWhat, "epochs do not rise");
    out.epochs.push_back(epoch);
  }
  MHP_TRY(out.dedup_secret, impl::take_array<32>(message.dedup_secret(), kWhat));
  MHP_TRY(out.chunker_secret, impl::take_array<32>(message.chunker_secret(), kWhat));
  return out;
}

}  // namespace

Result<VaultKeys> parse_vault_keys(ByteView bytes) {
  MHP_TRY(auto message, impl::read<proto::VaultKeys>(bytes, {.what = "vault keys", .bytes = kMaxVaultKeysBytes}));
  Result<VaultKeys> out = take_keys(message);
  for (std::string* secret : {message.mutable_data_keys(), message.mutable_dedup_secret(),
                              message.mutable_chunker_secret(), message.mutable_record_keys()})
    impl::wipe_field(secret);
  return out;
}

namespace {

Result<VaultPrivate> take_private(const proto::VaultPrivate& message) {
  constexpr const char* kWhat = "private vault data";
  VaultPrivate out;
  if (message.name().size() > kMaxNameBytes || impl::has_nul(message.name())) return impl::bad(kWhat, "name");
  if (message.level() > kMaxLevel) return impl::bad(kWhat, "unknown level");
  if (message.homes_size() > static_cast<int>(kMaxHomes)) return impl::bad(kWhat, "too many homes");
  out.name = message.name();
  out.level = static_cast<std::uint8_t>(message.level());
  for (const proto::HomeEntry& field : message.homes()) {
    MHP_TRY(HomeEntry home, take_home(field));
    out.homes.push_back(std::move(home));
  }
  out.name_changed_ns = message.name_changed_ns();
  out.level_changed_ns = message.level_changed_ns();
  if (message.removed_size() > static_cast<int>(kMaxRemovedHomes)) return impl::bad(kWhat, "too many removed homes");
  for (const proto::RemovedHome& field : message.removed()) {
    RemovedHome home{.changed_ns = field.changed_ns()};
    MHP_TRY(home.id, impl::take_id<HomeId>(field.id(), kWhat));
    out.removed.push_back(home);
  }
  MHP_TRY_VOID(take_clouds(message, out));
  MHP_TRY(out.later, impl::later_fields(message, kLastOfVaultPrivate, kWhat));
  return out;
}

}  // namespace

Result<VaultPrivate> parse_vault_private(ByteView bytes) {
  // No more fields than programs read that knew of no clouds: who writes forgets homes that were removed, for clouds.
  constexpr std::size_t kMaxFields = kMaxHomes + kMaxRemovedHomes + 16;
  const impl::Bounds bounds{.what = "private vault data", .bytes = kMaxSealedPrivateBytes, .fields = kMaxFields};
  MHP_TRY(auto message, impl::read<proto::VaultPrivate>(bytes, bounds));
  Result<VaultPrivate> out = take_private(message);
  wipe_secrets(message);
  return out;
}

}  // namespace mhp::wire
