// Derives keys from the phrase; makes and checks vault records.
#include "vault/keys.h"

#include <algorithm>

#include "base/check.h"
#include "primitives/aead/box.h"
#include "primitives/hash/blake3.h"
#include "vault/impl/gone.h"
#include "vault/impl/record_contexts.h"

namespace mhp::vault {
namespace {

using impl::Role;
using primitives::Key;
using primitives::PublicKey;

wire::EpochKey new_epoch(std::uint32_t number, platform::Random& random) {
  return {.epoch = number, .data_key = random.array<32>(), .record_key = random.array<32>()};
}

Bytes certify(const Root& root, const Device& device, std::int64_t now_ns) {
  wire::DeviceCertificate certificate;
  certificate.vault = root.vault();
  certificate.device = device.id;
  certificate.x25519 = primitives::x25519_public(device.secret.x25519_secret);
  certificate.created_ns = now_ns;
  return wire::encode(wire::sign(root.identity(), wire::kSignDevice, wire::encode(certificate)));
}

/// A statement of the identity about one device: its body, or nothing where the signature is not the identity's.
std::optional<Bytes> identity_statement(ByteView bytes, std::string_view context, const PublicKey& identity) {
  auto envelope = wire::parse_signed(bytes, wire::kMaxCertificateBytes);
  if (!envelope || envelope->signer != identity || !wire::verify(*envelope, context)) return std::nullopt;
  return std::move(envelope->body);
}

/// Keys go to the recovery key and to enrolled devices, to nobody else.
bool wraps_are_for_members(const wire::VaultRecord& record, const std::vector<wire::DeviceCertificate>& devices) {
  return std::ranges::all_of(record.wraps, [&](const wire::KeyWrap& wrap) {
    if (wrap.for_recovery) return wrap.recipient == record.recovery_x25519;
    return std::ranges::any_of(devices, [&](const auto& device) { return device.x25519 == wrap.recipient; });
  });
}

/// Devices that are certified and not revoked.
std::vector<wire::DeviceCertificate> standing_devices(const wire::VaultRecord& record) {
  std::vector<wire::DeviceCertificate> standing = devices_of(record);
  const auto revocations = revocations_of(record);
  std::erase_if(standing, [&](const auto& certificate) { return highest_of(revocations, certificate.device); });
  return standing;
}

/// Sets of keys, as many as are carried, no two of one epoch in a set: each is wrapped like the vault's keys.
std::vector<wire::VaultKeys> in_sets(const OtherKeys& others, const wire::VaultKeys& believed) {
  std::vector<wire::VaultKeys> sets;
  auto set = [&](std::size_t number) -> wire::VaultKeys& {
    while (sets.size() <= number) {
      wire::VaultKeys& added = sets.emplace_back();
      added.dedup_secret = believed.dedup_secret;
      added.chunker_secret = believed.chunker_secret;
    }
    return sets[number];
  };
  for (const wire::EpochKey& key : others.epochs) {
    if (key.epoch >= believed.epochs.back().epoch) continue;  // make_wraps() would leave out all of its set
    const auto has_room = [&](std::size_t number) {
      const auto& epochs = set(number).epochs;
      return epochs.size() < wire::kMaxEpochs &&
             std::ranges::find(epochs, key.epoch, &wire::EpochKey::epoch) == epochs.end();
    };
    std::size_t number = 0;
    while (number < kMaxCarriedKeys && !has_room(number)) ++number;
    if (number < kMaxCarriedKeys) set(number).epochs.push_back(key);
  }
  for (std::size_t i = 0; i < others.secrets.size(); ++i) {
    set(i).dedup_secret = others.secrets[i].dedup;
    set(i).chunker_secret = others.secrets[i].chunker;
  }
  for (wire::VaultKeys& one : sets) {
    if (one.epochs.empty()) one.epochs.push_back(believed.epochs.front());
    std::ranges::sort(one.epochs, {}, &wire::EpochKey::epoch);
  }
  if (sets.size() > kMaxCarriedKeys) sets.resize(kMaxCarriedKeys);
  return sets;
}

/// Of the keys and of what is carried along, for all who may know them.
Result<std::vector<wire::KeyWrap>> make_wraps(const OpenRecord& all, const Device& device) {
  const Key& own = device.secret.x25519_secret;
  const wire::VaultRecord& record = all.record;
  std::vector<wire::VaultKeys> sets{all.keys};
  // A reader that takes one wrap takes that of the highest epoch.
  std::ranges::copy_if(all.carried, std::back_inserter(sets), [&](const wire::VaultKeys& keys) {
    return keys.epochs.back().epoch < all.keys.epochs.back().epoch;
  });
  std::vector<wire::KeyWrap> wraps;
  for (const wire::VaultKeys& keys : sets) {
    MHP_TRY(auto for_recovery, impl::wrap_keys(keys, record.vault, Role::recovery, record.recovery_x25519, own));
    wraps.push_back(std::move(for_recovery));
    for (const auto& standing : standing_devices(record)) {
      MHP_TRY(auto for_device, impl::wrap_keys(keys, record.vault, Role::device, standing.x25519, own));
      wraps.push_back(std::move(for_device));
    }
  }
  return wraps;
}

/// The next record of `device` with all that is in `all`, for all who may know it. Errors: invalid, where nobody could
/// read it (too much for the bounds of the format); denied, where this device may not sign.
Result<OpenRecord> signed_record(OpenRecord all, const Device& device, platform::Random& random, std::int64_t now_ns) {
  if (all.keys.epochs.size() > wire::kMaxEpochs) return fail(Errc::invalid, "the vault was recovered too often");
  wire::VaultRecord& record = all.record;
  if (record.version == UINT64_MAX) return fail(Errc::invalid, "this computer has used up the versions of its record");
  record.device = device.id;
  ++record.version;
  record.time_ns = now_ns;
  record.epoch = all.epoch;
  auto nonce = random.array<24>();
  Bytes plain = wire::encode(all.content);
  if (auto readable = wire::parse_vault_private(plain); !readable) {
    wipe(plain);
    return pass(readable);
  }
  record.sealed_private =
      primitives::seal_box(writing_key(all).record_key, nonce, impl::private_context(record), plain);
  wipe(plain);
  for (;;) {
    MHP_TRY(record.wraps, make_wraps(all, device));
    all.signed_bytes = wire::encode(wire::sign(device.signing, wire::kSignVaultRecord, wire::encode(record)));
    auto checked = check_record(all.signed_bytes, record.vault);
    if (checked) break;
    if (all.carried.empty()) return pass(checked);
    all.carried.pop_back();  // there is no room for all that was ever claimed
  }
  all.hash = RecordHash::from_array(primitives::blake3(all.signed_bytes));
  all.is_due = false;
  const auto revocations = revocations_of(record);
  std::erase_if(all.records,
                [&](const auto& other) { return other.device == device.id || highest_of(revocations, other.device); });
  all.records.push_back({.device = device.id, .signed_record = all.signed_bytes});
  std::ranges::sort(all.records, {}, &home::Home::DeviceRecord::device);
  return all;
}

/// Two recoveries that do not see each other draw different ones.
std::uint32_t draw_epoch(const OpenRecord& current, platform::Random& random) {
  // A device that was stolen may have used up the numbers: then any that is free will do.
  const bool is_used_up = current.epoch > ~0u - 2 * wire::kMaxEpochStep;
  const std::uint32_t after = is_used_up ? 0 : current.epoch;
  for (;;) {
    const auto drawn = impl::from_little_endian<std::uint32_t>(random.array<4>());
    const std::uint32_t epoch = after + 1 + drawn % wire::kMaxEpochStep;
    if (keys_of_epoch(current, epoch).empty()) return epoch;
  }
}

}  // namespace

namespace impl {

Result<wire::KeyWrap> wrap_keys(const wire::VaultKeys& keys, const VaultId& vault, Role role,
                                const PublicKey& recipient, const Key& own) {
  wire::KeyWrap wrap;
  wrap.recipient = recipient;
  wrap.epoch = keys.epochs.back().epoch;
  wrap.for_recovery = role == Role::recovery;
  const Bytes context = wrap_context(role, vault, wrap.epoch);
  Bytes plain = wire::encode(keys);
  // Of all that goes into the box: no two boxes have one key.
  Key base = primitives::blake3_derive("mhp 1 wrap one-time key", own);
  Bytes all = joined({context, recipient, plain});
  Key one_time = primitives::blake3_keyed(base, all);
  auto sealed = primitives::seal_to(recipient, one_time, context, plain);
  for (Key* key : {&base, &one_time}) wipe(*key);
  for (Bytes* bytes : {&all, &plain}) wipe(*bytes);
  if (!sealed) return pass(sealed);
  wrap.sealed = std::move(*sealed);
  return wrap;
}

}  // namespace impl

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

const wire::EpochKey& writing_key(const OpenRecord& record) {
  auto key = std::ranges::find(record.keys.epochs, record.epoch, &wire::EpochKey::epoch);
  MHP_CHECK(key != record.keys.epochs.end());
  return *key;
}

std::vector<const wire::EpochKey*> keys_of_epoch(const OpenRecord& record, std::uint32_t epoch) {
  std::vector<const wire::EpochKey*> out;
  for (const auto* keys : {&record.keys.epochs, &record.others.epochs}) {
    for (const wire::EpochKey& key : *keys) {
      if (key.epoch == epoch) out.push_back(&key);
    }
  }
  return out;
}

bool is_id_of(const OpenRecord& record, const ChunkId& id, ByteView bytes) {
  auto fits = [&](const Key& secret) { return ChunkId::from_array(primitives::blake3_keyed(secret, bytes)) == id; };
  return fits(record.keys.dedup_secret) ||
         std::ranges::any_of(record.others.secrets, [&](const Secrets& one) { return fits(one.dedup); });
}

OpenRecord make_first_record(const Root& root, const Device& device, wire::VaultPrivate content,
                             platform::Random& random, std::int64_t now_ns) {
  OpenRecord first;
  first.epoch = 1;
  first.keys.epochs.push_back(new_epoch(first.epoch, random));
  first.keys.dedup_secret = random.array<32>();
  first.keys.chunker_secret = random.array<32>();
  first.content = with_times({}, std::move(content), now_ns);
  first.record.vault = root.vault();
  first.record.identity = root.identity().public_key();
  first.record.recovery_x25519 = root.recovery_public();
  first.record.devices.push_back(certify(root, device, now_ns));
  auto record = signed_record(std::move(first), device, random, now_ns);
  MHP_CHECK(record);  // all that is in it was made here
  return std::move(*record);
}

Result<OpenRecord> next_record(const OpenRecord& current, const Device& device, wire::VaultPrivate content,
                               platform::Random& random, std::int64_t now_ns) {
  OpenRecord next = current;
  next.content = with_times(current.content, std::move(content), now_ns);
  return signed_record(std::move(next), device, random, now_ns);
}

namespace {

/// Times for what is there and in what it differs from before, and what is gone of it. `Gone` names its id `gone_id`.
template <class There, class Gone, class IdType>
class Changes {
 public:
  Changes(IdType There::* id, IdType Gone::* gone_id, std::int64_t now_ns)
      : id_(id), gone_id_(gone_id), now_ns_(now_ns) {}

  void apply(const std::vector<There>& before, std::vector<There>& after, std::vector<Gone>& gone) const {
    for (There& one : after) {
      const auto known = std::ranges::find(before, one.*id_, id_);
      const auto left = std::ranges::find(gone, one.*id_, gone_id_);
      std::int64_t before_ns = known != before.end() ? known->changed_ns : INT64_MIN;
      one.changed_ns = before_ns;
      if (known != before.end() && one == *known) continue;
      if (left != gone.end()) {
        before_ns = std::max(before_ns, left->changed_ns);
        gone.erase(left);
      }
      one.changed_ns = later_than(before_ns, now_ns_);
    }
    for (const There& one : before) {
      if (std::ranges::find(after, one.*id_, id_) != after.end()) continue;
      Gone& left = gone.emplace_back();
      left.*gone_id_ = one.*id_;
      left.changed_ns = later_than(one.changed_ns, now_ns_);
    }
  }
  static std::int64_t later_than(std::int64_t time_ns, std::int64_t now_ns) {
    return std::max(now_ns, time_ns == INT64_MAX ? time_ns : time_ns + 1);
  }

 private:
  IdType There::* id_;
  IdType Gone::* gone_id_;
  std::int64_t now_ns_;
};

}  // namespace

wire::VaultPrivate with_times(const wire::VaultPrivate& before, wire::VaultPrivate after, std::int64_t now_ns) {
  const Changes homes(&wire::HomeEntry::id, &wire::RemovedHome::id, now_ns);
  const Changes clouds(&wire::Membership::cloud, &wire::LeftCloud::cloud, now_ns);
  if (after.name != before.name) after.name_changed_ns = homes.later_than(before.name_changed_ns, now_ns);
  if (after.level != before.level) after.level_changed_ns = homes.later_than(before.level_changed_ns, now_ns);
  after.removed = before.removed;
  homes.apply(before.homes, after.homes, after.removed);
  after.left_clouds = before.left_clouds;
  clouds.apply(before.clouds, after.clouds, after.left_clouds);
  impl::fit_what_is_gone(after);
  return after;
}

static void add_revocation(wire::VaultRecord& record, const Root& root, const wire::Revocation& revocation) {
  Bytes body = wire::encode(revocation);
  record.revocations.push_back(wire::encode(wire::sign(root.identity(), wire::kSignRevocation, std::move(body))));
}

/// Revokes a device at its last good head; where it has two histories, at that of each.
static void revoke(wire::VaultRecord& record, const Root& root, const DeviceId& device,
                   const std::vector<wire::SeenHead>& last_good, std::int64_t now_ns, bool distrusted) {
  wire::Revocation revocation{.vault = record.vault, .device = device, .time_ns = now_ns, .distrusted = distrusted};
  bool is_named = false;
  for (const wire::SeenHead& good : last_good) {
    if (good.device != device) continue;
    revocation.last_good_seq = good.seq;
    revocation.last_good = good.hash;
    add_revocation(record, root, revocation);
    is_named = true;
  }
  if (!is_named) add_revocation(record, root, revocation);
}

/// Of devices that are shut out already: what they saved later, or in a second history, is good too. They are shut out
/// since when they were: what a home took between then and now is not made good by it.
static void raise_last_good(wire::VaultRecord& record, const Root& root, const std::vector<wire::SeenHead>& last_good) {
  const auto before = revocations_of(record);
  for (const wire::SeenHead& good : last_good) {
    std::optional<wire::Revocation> raised;
    bool is_covered = false;
    // Of one history a higher number covers a lower one; of two each is named.
    const bool is_split = std::ranges::count(last_good, good.device, &wire::SeenHead::device) > 1;
    for (const wire::Revocation& one : before) {
      if (one.device != good.device) continue;
      const bool is_named = one.last_good_seq == good.seq && one.last_good == good.hash;
      is_covered = is_covered || is_named || (!is_split && one.last_good_seq > good.seq);
      const std::int64_t time_ns = raised ? std::max(raised->time_ns, one.time_ns) : one.time_ns;
      raised = {.vault = record.vault,
                .device = good.device,
                .last_good_seq = good.seq,
                .last_good = good.hash,
                .time_ns = time_ns};
    }
    if (raised && !is_covered) add_revocation(record, root, *raised);
  }
}

Result<OpenRecord> recovered_record(const OpenRecord& current, const Root& root, const Device& device,
                                    const std::vector<wire::SeenHead>& last_good, platform::Random& random,
                                    std::int64_t now_ns, Earlier earlier) {
  if (current.record.vault != root.vault()) return fail(Errc::denied, "the phrase is another vault's");
  OpenRecord next = current;
  const bool distrusted = earlier == Earlier::distrusted;
  if (!distrusted) raise_last_good(next.record, root, last_good);
  // Whoever was shut out before, at more than is good now, is shut out again.
  const auto shut_out = distrusted ? devices_of(current.record) : standing_devices(current.record);
  for (const auto& one : shut_out) {
    // One with two histories writes on in neither, so it cannot stay.
    const bool is_split = std::ranges::count(last_good, one.device, &wire::SeenHead::device) > 1;
    if (earlier != Earlier::keep || is_split) revoke(next.record, root, one.device, last_good, now_ns, distrusted);
  }
  next.record.version = 0;
  next.record.recovery_x25519 = root.recovery_public();
  next.record.devices.push_back(certify(root, device, now_ns));
  if (next.keys.epochs.size() >= wire::kMaxEpochs) {  // room for the new one; the oldest is carried along
    next.others.epochs.insert(next.others.epochs.begin(), next.keys.epochs.front());
    next.keys.epochs.erase(next.keys.epochs.begin());
  }
  next.epoch = draw_epoch(current, random);
  next.keys.epochs.push_back(new_epoch(next.epoch, random));
  std::ranges::sort(next.keys.epochs, {}, &wire::EpochKey::epoch);
  next.carried = in_sets(next.others, next.keys);
  return signed_record(std::move(next), device, random, now_ns);
}

const wire::Revocation* highest_of(const std::vector<wire::Revocation>& revocations, const DeviceId& device) {
  const wire::Revocation* highest = nullptr;
  for (const wire::Revocation& one : revocations) {
    const bool is_higher = highest == nullptr || std::pair(one.last_good_seq, one.time_ns) >
                                                     std::pair(highest->last_good_seq, highest->time_ns);
    if (one.device == device && is_higher) highest = &one;
  }
  return highest;
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

/// Nothing where `bytes` is not the identity's word on a device of this vault.
static std::optional<wire::DeviceCertificate> certificate_in(const wire::VaultRecord& record, const Bytes& bytes) {
  const auto body = identity_statement(bytes, wire::kSignDevice, record.identity);
  if (!body) return std::nullopt;
  auto certificate = wire::parse_device_certificate(*body);
  if (!certificate || certificate->vault != record.vault) return std::nullopt;
  return std::move(*certificate);
}

Bytes signed_certificate_of(const wire::VaultRecord& record, const DeviceId& device) {
  for (const Bytes& bytes : record.devices) {
    const auto certificate = certificate_in(record, bytes);
    if (certificate && certificate->device == device) return bytes;
  }
  return {};
}

std::vector<wire::DeviceCertificate> devices_of(const wire::VaultRecord& record) {
  std::vector<wire::DeviceCertificate> out;
  for (const Bytes& bytes : record.devices) {
    auto certificate = certificate_in(record, bytes);
    if (certificate) out.push_back(std::move(*certificate));
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

Result<wire::VaultRecord> check_record(ByteView signed_bytes, const VaultId& vault) {
  MHP_TRY(wire::Signed envelope, wire::parse_signed(signed_bytes, wire::kMaxVaultRecordBytes));
  if (!wire::verify(envelope, wire::kSignVaultRecord)) return fail(Errc::denied, "vault record: bad signature");
  MHP_TRY(wire::VaultRecord record, wire::parse_vault_record(envelope.body));
  if (record.vault != vault || vault_id_of(record.identity) != vault) {
    return fail(Errc::denied, "vault record: of another vault");
  }
  if (DeviceId::from_array(envelope.signer) != record.device) {
    return fail(Errc::denied, "vault record: not signed by its author");
  }
  auto devices = devices_of(record);
  if (!wraps_are_for_members(record, devices)) {
    return fail(Errc::denied, "vault record: keys are wrapped for a stranger");
  }
  if (std::ranges::find(devices, record.device, &wire::DeviceCertificate::device) == devices.end()) {
    return fail(Errc::denied, "vault record: of a device that is not enrolled");
  }
  if (highest_of(revocations_of(record), record.device) != nullptr) {
    return fail(Errc::denied, "vault record: of a device that it revokes");
  }
  return record;
}

}  // namespace mhp::vault
