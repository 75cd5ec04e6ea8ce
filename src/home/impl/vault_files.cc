// Files of vaults in a home: each replaced as a whole, and synced before it is acknowledged.
#include "home/impl/vault_files.h"

#include <algorithm>

#include "home/impl/vault_rules.h"

namespace mhp::home::impl {
namespace {

constexpr std::string_view kHeadsPrefix = "heads-";

template <class AnyId>
std::optional<AnyId> id_in_name(std::string_view hex) {
  Bytes bytes;
  if (hex.size() != 2 * AnyId::kSizeBytes || !from_hex(hex, bytes)) return std::nullopt;
  const AnyId id = AnyId::from_bytes(bytes);
  return id.hex() == hex ? std::optional(id) : std::nullopt;
}

}  // namespace

std::string VaultFiles::heads_path(const VaultId& vault, const DeviceId& device) const {
  return folder(vault) + "/" + std::string(kHeadsPrefix) + device.hex();
}

/// Never makes a home's own folders: where they are missing, the drive is gone and this is the empty place it was
/// mounted on.
Result<void> VaultFiles::make_vault_folder(const VaultId& vault) {
  if (!disk_.info(folder())) return fail(Errc::unavailable, home_path_ + ": the home is away");
  MHP_TRY_VOID(disk_.make_folder(folder(vault)));
  return disk_.sync_folder(folder());
}

Result<Bytes> VaultFiles::record(const VaultId& vault) {
  auto bytes = platform::read_file(disk_, record_path(vault), wire::kMaxVaultRecordBytes);
  if (!bytes) {
    if (bytes.error().code == Errc::not_found && !disk_.info(folder()))
      return fail(Errc::unavailable, home_path_ + ": the home is away");
    return bytes;
  }
  const auto proven = prove_record(*bytes);
  if (!proven || proven->record.vault != vault)
    return fail(Errc::corrupt, home_path_ + ": the vault record of " + vault.short_hex() + " has changed");
  return bytes;
}

Result<void> VaultFiles::put_record(ByteView signed_record) {
  MHP_TRY(const ProvenRecord next, prove_record(signed_record));
  const VaultId vault = next.record.vault;
  auto held = record(vault);
  if (held) {
    // The same again: it may be here from a call that failed, or was killed, just before the end.
    if (std::ranges::equal(*held, signed_record)) return disk_.sync_folder(folder(vault));
    MHP_TRY(const ProvenRecord before, prove_record(*held));
    MHP_TRY_VOID(may_follow(before, next));
  } else if (held.error().code != Errc::not_found && held.error().code != Errc::corrupt) {
    return pass(held);  // a damaged one is replaced; one that may be there but cannot be read is not
  }
  if (!held) {
    MHP_TRY_VOID(make_vault_folder(vault));
  }
  return platform::replace_file(disk_, record_path(vault), signed_record);
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
    if (vault && disk_.info(record_path(*vault))) out.push_back(*vault);
  }
  return out;
}

Result<wire::HeadsFile> VaultFiles::held_heads(const VaultId& vault, const DeviceId& device) {
  MHP_TRY(const Bytes bytes, platform::read_file(disk_, heads_path(vault, device), wire::kMaxHeadsFileBytes));
  auto file = wire::parse_heads_file(bytes);
  if (!file || file->vault != vault || file->device != device)
    return fail(Errc::corrupt, home_path_ + ": the heads of device " + device.short_hex() + " have changed");
  return file;
}

Result<void> VaultFiles::put_heads(const VaultId& vault, const DeviceId& device, std::vector<Bytes> chain) {
  auto record_bytes = record(vault);
  if (!record_bytes) {
    const bool is_missing = record_bytes.error().code == Errc::not_found;
    if (is_missing) return fail(Errc::denied, "heads of a vault whose record is not held");
    return pass(record_bytes);
  }
  MHP_TRY(const ProvenRecord proven, prove_record(*record_bytes));
  auto held = held_heads(vault, device);
  if (!held && held.error().code != Errc::not_found && held.error().code != Errc::corrupt) return pass(held);
  const std::vector<Bytes> known = held ? held->chain : std::vector<Bytes>();
  MHP_TRY(std::vector<Bytes> joined, join_heads(proven, device, known, std::move(chain)));
  if (held && joined == known) return disk_.sync_folder(folder(vault));  // as with records
  return platform::replace_file(disk_, heads_path(vault, device), wire::encode({vault, device, std::move(joined)}));
}

Result<std::vector<Home::DeviceHeads>> VaultFiles::heads(const VaultId& vault) {
  auto names = disk_.list(folder(vault));
  if (!names) {
    if (names.error().code == Errc::not_found && !disk_.info(folder())) names.error().code = Errc::unavailable;
    return pass(names);
  }
  std::vector<Home::DeviceHeads> out;
  std::optional<Error> damage;
  for (const std::string& name : *names) {
    if (!name.starts_with(kHeadsPrefix)) continue;
    const auto device = id_in_name<DeviceId>(std::string_view(name).substr(kHeadsPrefix.size()));
    if (!device) continue;
    auto file = held_heads(vault, *device);
    if (file) {
      out.push_back({*device, std::move(file->chain)});
    } else {
      damage = std::move(file.error());
    }
  }
  // The whole ones are worth more than the news that one is damaged: other homes have that one.
  if (out.empty() && damage) return tl::unexpected<Error>(std::move(*damage));
  return out;
}

}  // namespace mhp::home::impl
