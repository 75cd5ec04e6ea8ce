// Asks every home for its vault record and heads, and gives homes what they lack.
#pragma once

#include <optional>
#include <vector>

#include "vault/impl/heads.h"

namespace mhp::vault::impl {

/// What one member shows of a vault.
struct HomeView {
  bool answered = false;
  std::optional<std::string> damage;           // why the vault record it holds cannot be read
  std::optional<Bytes> record;                 // not checked
  std::vector<home::Home::DeviceHeads> heads;  // not checked
};

/// By member. Homes that fail, or do not answer within a time limit where there is a clock, are reported to `homes`.
Task<std::vector<HomeView>> ask_homes(dispersal::HomeSet& homes, VaultId vault, platform::Clock* clock);

std::vector<ShownHeads> shown_heads(const std::vector<HomeView>& views);

/// The highest version that is genuine, over all bytes at hand, of the homes or this computer, and of two with one
/// version the one with the higher hash; a device that any genuine record revokes may not have signed it. Null where
/// none is genuine. `refused`: indexes of those that are not.
struct NewestRecord {
  std::optional<std::size_t> index;
  std::uint64_t version = 0;
  std::vector<std::size_t> refused;
};
NewestRecord choose_record(const std::vector<ByteView>& records, const VaultId& vault);

/// Gives one home the record, if it lacks it, and the heads of each device that it lacks; all homes at once.
/// `views` is brought up to date. Members that have both now.
Task<std::vector<std::size_t>> bring_up_to_date(dispersal::HomeSet& homes, std::vector<HomeView>& views,
                                                ByteView signed_record, const std::vector<BelievedDevice>& devices,
                                                platform::Clock* clock);

}  // namespace mhp::vault::impl
