// Homes that the owner's clouds lend: from what their rosters say to the vault's list of homes.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "app/presence.h"
#include "app/session.h"
#include "cloud/roster.h"
#include "wire/vault_record.h"

namespace mhp::app {

/// A cloud that the vault's owner is in, as its roster is known on this computer.
struct CloudNow {
  CloudId cloud;
  MemberId self;  // the owner there
  cloud::View view;
  std::int64_t joined_ns = INT64_MIN;  // what was taken off the list before that may come back
  bool refuses_here = false;           // this computer alone was taken out: its homes take nothing from it
};

/// What is decided on.
struct HomesNow {
  VaultId vault;
  std::vector<wire::HomeEntry> homes;
  std::vector<wire::RemovedHome> removed;
  std::set<CloudId> left;             // clouds
  std::optional<HomeId> here;         // this computer's own home
  std::vector<CloudNow> clouds = {};  // those whose roster is at hand
  Presences presences = {};           // as far as this computer has measured
};

struct HomesDecided {
  std::vector<wire::HomeEntry> homes;  // the list as it is to be, those that leave with it
  std::set<HomeId> leaving;            // no longer lent: nothing is planned on them, and what they hold goes to others
  std::set<HomeId> refusing = {};      // lent to the owner's other computers: nothing is planned on them from here
  std::vector<std::string> never_up = {};  // lent, but no address of them was ever told: not on the list
  friend bool operator==(const HomesDecided&, const HomesDecided&) = default;
};

/// Of homes that are lent in the clouds as many as a segment can have rows on: first those of the owner's other
/// computers, then of each member one, of each a second, and so on; of these those that were mostly there when this
/// computer asked them before the others, else in an order of this vault's own. Who was rarely there comes last. Those
/// that the owner took off the list since he joined, and that of this computer, are not added, nor those that have
/// never been up, nor those that refuse this computer. Homes of clouds whose roster is not at hand stay as they are,
/// and so do those that refuse: the list is that of all computers. Pure; what it decided it decides again.
HomesDecided decide_homes(const HomesNow& now);

/// A home that is lent in one of the clouds and is not on the list, also one that the owner took off it: by its name,
/// or the first letters of its id. Nothing: there is none. Pure. Errors: usage (several).
Result<std::optional<wire::HomeEntry>> lent_home(const HomesNow& now, const std::string& which);
/// The same by what this computer knows now. Errors: also those of the rosters' files.
Result<std::optional<wire::HomeEntry>> find_lent_home(const Session& session, const Opened& opened,
                                                      const std::string& which);

/// Homes on the list that would not be lent any more if the owner were not in `cloud`, by what this computer knows now;
/// those that leave already are among them. Errors: those of the rosters' files.
Result<std::set<HomeId>> leaving_without(const Session& session, const Opened& opened, const CloudId& cloud);

/// Brings the list of an opened vault up to what its clouds' rosters say on this computer. `keep`: it is also signed
/// and kept, to be given to homes by whatever writes to them (the state folder's lock is held); else it is only used in
/// this run. Blocking, shortly. Errors: those of the state folder; but a roster that cannot be read is only told of:
/// then its homes stay as they are.
Result<void> follow_clouds(const Session& session, Opened& opened, bool keep);

}  // namespace mhp::app
