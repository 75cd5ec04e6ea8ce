// Files of vaults in a home: each replaced as a whole, and synced before it is acknowledged.
#include "home/impl/vault_files.h"

#include <algorithm>

#include "home/impl/vault_rules.h"

namespace mhp::home::impl {
namespace {

constexpr std::string_view kRecordPrefix = "record-";
constexpr std::string_view kHeadsPrefix = "heads-";
constexpr std::string_view kFormerPrefix = "former-";

template <class AnyId>
std::optional<AnyId> id_in_name(std::string_view hex) {
  Bytes bytes;
  if (hex.size() != 2 * AnyId::kSizeBytes || !from_hex(hex, bytes)) return std::nullopt;
  const AnyId id = AnyId::from_bytes(bytes);
  return id.hex() == hex ? std::optional(id) : std::nullopt;
}

/// The new content is durable before the damaged one moves: a full disk changes nothing.
Result<void> put_in_place(platform::Disk& disk, const std::string& path, const std::string& aside, ByteView content) {
  const std::string fresh = path + ".fresh";
  MHP_TRY_VOID(platform::replace_file(disk, fresh, content));
  auto done = disk.rename(path, aside);
  if (done) done = disk.rename(fresh, path);
  if (!done) {
    (void)disk.remove(fresh);  // best effort: it is overwritten the next time
    return done;
  }
  return disk.sync_folder(platform::parent_of(path));
}

}  // namespace

Result<void> replace_damaged(platform::Disk& disk, const std::string& path, ByteView content) {
  constexpr int kMaxAside = 100;
  for (int number = 1; number <= kMaxAside; ++number) {
    const std::string aside = path + ".damaged-" + std::to_string(number);
    const auto taken = disk.info(aside);
    if (taken) continue;
    if (taken.error().code != Errc::not_found) return tl::unexpected<Error>(taken.error());
    return put_in_place(disk, path, aside, content);
  }
  return fail(Errc::full, path + ": damaged again; " + std::to_string(kMaxAside) + " were set aside already");
}

std::string VaultFiles::record_path(const VaultId& vault, const DeviceId& device) const {
  return folder(vault) + "/" + std::string(kRecordPrefix) + device.hex();
}

std::string VaultFiles::heads_path(const VaultId& vault, const DeviceId& device) const {
  return folder(vault) + "/" + std::string(kHeadsPrefix) + device.hex();
}

std::string VaultFiles::former_path(const VaultId& vault, const DeviceId& device) const {
  return folder(vault) + "/" + std::string(kFormerPrefix) + device.hex();
}

/// Never makes a home's own folders: where they are missing, the drive is gone and this is the empty place it was
/// mounted on.
Result<void> VaultFiles::make_vault_folder(const VaultId& vault) {
  if (!disk_.info(folder())) return fail(Errc::unavailable, home_path_ + ": the home is away");
  MHP_TRY_VOID(disk_.make_folder(folder(vault)));
  return disk_.sync_folder(folder());
}

/// A file that is there and cannot be read, twice, is as good as damaged, unless all of the home cannot be read.
Result<Bytes> VaultFiles::read(const std::string& path, std::uint64_t limit_bytes) {
  auto is_settled = [](const Result<Bytes>& bytes) {
    return bytes || bytes.error().code == Errc::exhausted || bytes.error().code == Errc::not_found;
  };
  auto bytes = platform::read_file(disk_, path, limit_bytes);
  if (!is_settled(bytes)) bytes = platform::read_file(disk_, path, limit_bytes);
  if (bytes || bytes.error().code == Errc::exhausted) return bytes;
  if (!disk_.list(folder())) return fail(Errc::unavailable, home_path_ + ": the home is away");
  if (bytes.error().code == Errc::not_found) return bytes;
  return fail(Errc::corrupt, path + ": cannot be read: " + bytes.error().detail);
}

/// Of which devices there is a file with this prefix. Errors: not_found where nothing of this vault is here.
Result<std::vector<DeviceId>> VaultFiles::devices_in(const VaultId& vault, std::string_view prefix) {
  auto names = disk_.list(folder(vault));
  if (!names) {
    if (names.error().code == Errc::not_found && !disk_.info(folder())) names.error().code = Errc::unavailable;
    return pass(names);
  }
  std::vector<DeviceId> out;
  for (const std::string& name : *names) {
    if (!name.starts_with(prefix)) continue;
    if (const auto device = id_in_name<DeviceId>(std::string_view(name).substr(prefix.size()))) out.push_back(*device);
  }
  return out;
}

Result<Bytes> VaultFiles::held_record(const VaultId& vault, const DeviceId& device) {
  auto bytes = read(record_path(vault, device), wire::kMaxVaultRecordBytes);
  if (!bytes) return bytes;
  const auto proven = prove_record(*bytes);
  if (!proven || proven->record.vault != vault || proven->record.device != device)
    return fail(Errc::corrupt, home_path_ + ": the vault record of device " + device.short_hex() + " has changed");
  return bytes;
}

Result<std::vector<Home::DeviceRecord>> VaultFiles::records(const VaultId& vault) {
  MHP_TRY(std::vector<DeviceId> devices, devices_in(vault, kRecordPrefix));
  // Where the newest is lost and those before it are there, it is damaged, not unknown.
  MHP_TRY(const std::vector<DeviceId> with_former, devices_in(vault, kFormerPrefix));
  for (const DeviceId& device : with_former) {
    if (std::ranges::find(devices, device) == devices.end()) devices.push_back(device);
  }
  std::vector<Home::DeviceRecord> out;
  for (const DeviceId& device : devices) {
    auto record = held_record(vault, device);
    const bool is_lost = !record && record.error().code == Errc::not_found;
    if (is_lost && std::ranges::find(with_former, device) == with_former.end()) continue;  // set aside just now
    if (!record && !is_lost && record.error().code != Errc::corrupt) return pass(record);
    out.push_back({.device = device, .signed_record = record ? std::move(*record) : Bytes()});
  }
  return out;
}

Result<Members> VaultFiles::members(const VaultId& vault) {
  MHP_TRY(const auto held, records(vault));
  Members members;
  for (const Home::DeviceRecord& one : held) {
    const auto proven = prove_record(one.signed_record);
    if (proven) members.join(*proven);
  }
  if (!members.devices.empty()) return members;
  if (held.empty()) return fail(Errc::not_found, home_path_ + ": no vault record of " + vault.short_hex());
  return fail(Errc::corrupt, home_path_ + ": the vault records of " + vault.short_hex() + " have changed");
}

Result<std::vector<DeviceId>> VaultFiles::damaged(const VaultId& vault) {
  MHP_TRY(const auto held, records(vault));
  MHP_TRY(const Members known, members(vault));
  std::vector<DeviceId> out;
  for (const Home::DeviceRecord& one : held) {
    if (one.signed_record.empty() && !known.is_revoked(one.device)) out.push_back(one.device);
  }
  return out;
}

Result<void> VaultFiles::put_record(ByteView signed_record, std::int64_t now_s) {
  MHP_TRY(const ProvenRecord next, prove_record(signed_record));
  const VaultId& vault = next.record.vault;
  const std::string path = record_path(vault, next.record.device);
  auto held = held_record(vault, next.record.device);
  const bool is_damaged = !held && held.error().code == Errc::corrupt;
  if (!held && !is_damaged && held.error().code != Errc::not_found) return pass(held);
  // The same again: it may be here from a call that failed, or was killed, just before the end.
  if (held && std::ranges::equal(*held, signed_record)) {
    MHP_TRY_VOID(mend_former(vault, next.record.device, *held, now_s));
    return disk_.sync_folder(folder(vault));
  }
  auto known = members(vault);
  const bool knows_none = !known && (known.error().code == Errc::not_found || known.error().code == Errc::corrupt);
  if (!known && !knows_none) return pass(known);
  const auto before = held ? prove_record(*held) : Result<ProvenRecord>(pass(held));
  const auto heads =
      held ? Result<wire::HeadsFile>(fail(Errc::not_found, "not asked for")) : held_heads(vault, next.record.device);
  const bool is_named = heads && is_named_by(heads->chain, signed_record);
  MHP_TRY_VOID(may_be_kept(known ? *known : Members(), before ? &*before : nullptr, next, is_named));
  if (is_damaged) return replace_damaged(disk_, path, signed_record);
  if (!held) {
    MHP_TRY_VOID(make_vault_folder(vault));
    MHP_TRY(const auto devices, devices_in(vault, kRecordPrefix));
    if (devices.size() >= wire::kMaxDevices) return fail(Errc::full, "records of too many devices");
  }
  if (held) {  // first: whatever happens in between, one of the two files has it
    MHP_TRY_VOID(keep_as_former(vault, next.record.device, std::move(*held), now_s));
  }
  return platform::replace_file(disk_, path, signed_record);
}

Result<wire::FormerRecordsFile> VaultFiles::held_former(const VaultId& vault, const DeviceId& device) {
  MHP_TRY(const Bytes bytes, read(former_path(vault, device), wire::kMaxFormerRecordsBytes));
  auto file = wire::parse_former_records_file(bytes);
  if (!file || file->vault != vault || file->device != device)
    return fail(Errc::corrupt, home_path_ + ": the former records of device " + device.short_hex() + " have changed");
  return file;
}

std::vector<wire::FormerRecord> VaultFiles::salvaged_former(const VaultId& vault, const DeviceId& device) {
  const auto bytes = read(former_path(vault, device), wire::kMaxFormerRecordsBytes);
  std::vector<wire::FormerRecord> out;
  if (bytes) out = wire::salvage_former_records(*bytes);
  std::erase_if(out, [&](const wire::FormerRecord& one) {
    const auto proven = prove_record(one.signed_bytes);
    return !proven || proven->record.vault != vault || proven->record.device != device;
  });
  return out;
}

Result<void> VaultFiles::mend_former(const VaultId& vault, const DeviceId& device, const Bytes& held,
                                     std::int64_t now_s) {
  const auto known = held_former(vault, device);
  if (known || known.error().code != Errc::corrupt) return {};
  wire::FormerRecordsFile file{.vault = vault, .device = device, .records = salvaged_former(vault, device)};
  if (file.records.empty()) add_former(file, held, now_s);
  return replace_damaged(disk_, former_path(vault, device), wire::encode(file));
}

Result<void> VaultFiles::keep_as_former(const VaultId& vault, const DeviceId& device, Bytes held, std::int64_t now_s) {
  auto known = held_former(vault, device);
  const bool is_damaged = !known && known.error().code == Errc::corrupt;
  if (!known && !is_damaged && known.error().code != Errc::not_found) return pass(known);
  wire::FormerRecordsFile file{.vault = vault, .device = device};
  if (known) file = std::move(*known);
  if (is_damaged) file.records = salvaged_former(vault, device);
  add_former(file, std::move(held), now_s);
  const Bytes content = wire::encode(file);
  const std::string path = former_path(vault, device);
  return is_damaged ? replace_damaged(disk_, path, content) : platform::replace_file(disk_, path, content);
}

Result<FormerRecords> VaultFiles::former_records(const VaultId& vault, const DeviceId& device) {
  MHP_TRY(wire::FormerRecordsFile file, held_former(vault, device));
  FormerRecords out{.since_s = file.since_s};
  for (wire::FormerRecord& one : file.records)
    out.records.push_back({std::move(one.signed_bytes), one.taken_s, one.replaced_s});
  return out;
}

Result<std::vector<VaultId>> VaultFiles::vaults() {
  auto names = disk_.list(folder());
  if (!names) {
    if (names.error().code == Errc::not_found) names.error().code = Errc::unavailable;
    return pass(names);
  }
  std::vector<VaultId> out;
  for (const std::string& name : *names) {
    const auto vault = id_in_name<VaultId>(name);
    if (!vault) continue;
    const auto devices = devices_in(*vault, kRecordPrefix);
    const auto former = devices_in(*vault, kFormerPrefix);
    if ((devices && !devices->empty()) || (former && !former->empty())) out.push_back(*vault);
  }
  return out;
}

Result<wire::HeadsFile> VaultFiles::held_heads(const VaultId& vault, const DeviceId& device) {
  MHP_TRY(const Bytes bytes, read(heads_path(vault, device), wire::kMaxHeadsFileBytes));
  auto file = wire::parse_heads_file(bytes);
  if (!file || file->vault != vault || file->device != device)
    return fail(Errc::corrupt, home_path_ + ": the heads of device " + device.short_hex() + " have changed");
  return file;
}

Result<void> VaultFiles::put_heads(const VaultId& vault, const DeviceId& device, std::vector<Bytes> chain,
                                   std::int64_t now_s) {
  auto known_members = members(vault);
  if (!known_members && known_members.error().code == Errc::not_found)
    return fail(Errc::denied, "heads of a vault whose record is not held");
  if (!known_members) return pass(known_members);
  auto held = held_heads(vault, device);
  if (!held && held.error().code != Errc::not_found && held.error().code != Errc::corrupt) return pass(held);
  const std::vector<wire::HeldHead> known = held ? held->chain : std::vector<wire::HeldHead>();
  MHP_TRY(std::vector<wire::HeldHead> joined, join_heads(*known_members, device, known, std::move(chain), now_s));
  if (held && joined == known) return disk_.sync_folder(folder(vault));  // as with records
  const Bytes content = wire::encode(wire::HeadsFile{vault, device, std::move(joined)});
  const std::string path = heads_path(vault, device);
  const bool is_damaged = !held && held.error().code == Errc::corrupt;
  return is_damaged ? replace_damaged(disk_, path, content) : platform::replace_file(disk_, path, content);
}

Result<std::vector<Home::DeviceHeads>> VaultFiles::heads(const VaultId& vault) {
  MHP_TRY(const std::vector<DeviceId> devices, devices_in(vault, kHeadsPrefix));
  std::vector<Home::DeviceHeads> out;
  for (const DeviceId& device : devices) {
    auto file = held_heads(vault, device);
    if (!file && file.error().code == Errc::not_found) continue;  // set aside just now
    if (!file && file.error().code != Errc::corrupt) return pass(file);
    Home::DeviceHeads& shown = out.emplace_back();
    shown.device = device;
    if (!file) continue;  // damaged: said by an empty chain, as other homes have it
    for (wire::HeldHead& head : file->chain) {
      shown.chain.push_back(std::move(head.signed_bytes));
      shown.received_s.push_back(head.received_s);
    }
  }
  return out;
}

}  // namespace mhp::home::impl
