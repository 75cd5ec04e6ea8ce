// Of which members the vaults are that this home keeps, as their computers have shown by storing something of them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cloud/roster.h"
#include "platform/platform.h"

namespace mhp::app {

/// As a member of one cloud. A vault may be of several: its owner is in several clouds, or was removed and joined anew.
struct VaultOwner {
  CloudId cloud{};
  MemberId member{};
  std::uint64_t least_hold_s = 0;  // the cloud's rule, as it was last while the member was in it
  friend bool operator==(const VaultOwner&, const VaultOwner&) = default;
};
using OwnersByVault = std::map<VaultId, std::vector<VaultOwner>>;

/// As the file keeps it. Errors of reading: corrupt.
std::string to_text(const OwnersByVault& owners);
Result<OwnersByVault> parse_vault_owners(std::string_view text);

/// In memory, and in a file that is written anew after each change; those are rare. One thread.
class VaultOwners {
 public:
  static constexpr std::size_t kMaxOfMember = 64;  // vaults of one member here
  static constexpr std::size_t kMaxOwners = 65'536;

  /// `file`: where it remembers. A damaged one is like an empty one: was_damaged().
  VaultOwners(platform::Disk& disk, std::string file);

  /// Durable when it returns, with the hold. Errors: full (too many vaults of that member, or of all), those of the
  /// disk; then nothing was noted.
  Result<void> note(const VaultId& vault, const VaultOwner& owner);
  /// The rule of a cloud is another now: it holds for the vaults of those who are in it. Errors: those of the disk;
  /// then it holds in memory all the same.
  Result<void> follow(const CloudId& cloud, const cloud::View& view);

  std::vector<VaultId> vaults_of(const CloudId& cloud, const MemberId& member) const;
  /// The longest of its owners'; nothing where it has none.
  std::optional<std::uint64_t> least_hold_s(const VaultId& vault) const;
  bool was_damaged() const { return was_damaged_; }

 private:
  Result<void> save() const;

  platform::Disk& disk_;
  const std::string file_;
  OwnersByVault owners_;
  bool was_damaged_ = false;
};

}  // namespace mhp::app
