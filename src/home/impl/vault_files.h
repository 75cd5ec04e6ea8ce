// What a folder home keeps of each vault beside its records: the vault records, former ones too, and the heads of its
// devices.
#pragma once

#include "home/home.h"
#include "home/impl/vault_rules.h"
#include "platform/disk.h"
#include "wire/home_log.h"
#include "wire/vault_record.h"

namespace mhp::home::impl {

/// Gives a damaged file another name, `path`.damaged-N with the first N from 1 that is free, and puts `content` in its
/// place. Nothing is removed. Errors: full (100 have been set aside), those of the disk.
Result<void> replace_damaged(platform::Disk& disk, const std::string& path, ByteView content);

/// Blocking. Reads may come from any thread; writing calls from one thread at a time, by who holds the home's lock.
/// Contracts as in Home.
class VaultFiles {
 public:
  VaultFiles(platform::Disk& disk, std::string home_path) : disk_(disk), home_path_(std::move(home_path)) {}

  /// `now_s`: Unix time of this home's clock.
  Result<void> put_record(ByteView signed_record, std::int64_t now_s);
  Result<std::vector<Home::DeviceRecord>> records(const VaultId& vault);
  /// By all records that can be read. Errors: not_found (none is held), corrupt (none can be read).
  Result<Members> members(const VaultId& vault);
  /// Devices whose record is damaged and that are not revoked in any other: what it says is missing in members().
  Result<std::vector<DeviceId>> damaged(const VaultId& vault);
  Result<std::vector<VaultId>> vaults();
  Result<FormerRecords> former_records(const VaultId& vault, const DeviceId& device);
  Result<void> put_heads(const VaultId& vault, const DeviceId& device, std::vector<Bytes> chain, std::int64_t now_s);
  Result<std::vector<Home::DeviceHeads>> heads(const VaultId& vault);

 private:
  std::string folder() const { return home_path_ + "/vaults"; }
  std::string folder(const VaultId& vault) const { return folder() + "/" + vault.hex(); }
  std::string record_path(const VaultId& vault, const DeviceId& device) const;
  std::string heads_path(const VaultId& vault, const DeviceId& device) const;
  std::string former_path(const VaultId& vault, const DeviceId& device) const;
  Result<void> make_vault_folder(const VaultId& vault);
  Result<std::vector<DeviceId>> devices_in(const VaultId& vault, std::string_view prefix);
  Result<Bytes> held_record(const VaultId& vault, const DeviceId& device);
  Result<wire::FormerRecordsFile> held_former(const VaultId& vault, const DeviceId& device);
  /// Of a damaged one what proves itself.
  std::vector<wire::FormerRecord> salvaged_former(const VaultId& vault, const DeviceId& device);
  /// Where it is damaged, it is set aside; what proves itself in it, or else the one that is held, is kept anew.
  Result<void> mend_former(const VaultId& vault, const DeviceId& device, const Bytes& held, std::int64_t now_s);
  Result<void> keep_as_former(const VaultId& vault, const DeviceId& device, Bytes held, std::int64_t now_s);
  Result<wire::HeadsFile> held_heads(const VaultId& vault, const DeviceId& device);
  Result<Bytes> read(const std::string& path, std::uint64_t limit_bytes);

  platform::Disk& disk_;
  const std::string home_path_;
};

}  // namespace mhp::home::impl
