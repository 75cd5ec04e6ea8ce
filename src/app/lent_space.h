// What the home of this computer lends to whom: by the rosters of its clouds, and whose the vaults are that it keeps.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "app/vault_owners.h"
#include "cloud/book.h"
#include "cloud/home_service.h"

namespace mhp::app {

class LentSpace {
 public:
  /// In which clouds a computer that asks is, and as whom.
  using Belongings = std::function<std::vector<cloud::Book::Belonging>(const HomeId&)>;
  struct Home {
    HomeId id{};
    std::uint64_t lend_bytes = 0;
  };
  /// `owners_file`: as in VaultOwners. `book` outlives it.
  LentSpace(platform::Disk& disk, std::string owners_file, const cloud::Book& book, Home home, Belongings belongings);

  /// Answers of this for a HomeService that lives no longer; the rest of `lending` stays as it is.
  void answer_for(cloud::Lending& lending);

  /// The most that any cloud which both are in allows.
  std::uint64_t quota_bytes(const HomeId& peer) const;
  /// By which rule that is nothing; empty where it is something, or by none.
  std::string why_nothing(const HomeId& peer) const;
  std::vector<VaultId> counted_with(const HomeId& peer, const VaultId& vault) const;
  Result<void> note_owner(const HomeId& peer, const VaultId& vault);
  /// By the rules of its owners' clouds; where they are not known, by the longest of any cloud that this computer is
  /// in.
  std::uint64_t least_hold_s(const VaultId& vault) const;
  /// To be called when a roster has changed. Errors: those of the disk.
  Result<void> follow_rules();
  bool was_damaged() const { return owners_.was_damaged(); }

 private:
  /// A cloud that this computer and the one that asks are both in.
  struct Shared {
    cloud::RosterPointer roster;
    MemberId own;
    MemberId asking;
  };
  std::vector<Shared> shared_with(const HomeId& peer) const;

  const cloud::Book& book_;
  const Home home_;
  const Belongings belongings_;
  VaultOwners owners_;
};

}  // namespace mhp::app
