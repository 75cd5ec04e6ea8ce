// Asks every home for its vault records and heads, and gives homes what they lack.
#pragma once

#include <optional>
#include <vector>

#include "vault/impl/heads.h"

namespace mhp::vault::impl {

/// What one member shows of a vault.
struct HomeView {
  bool answered = false;
  std::vector<home::Home::DeviceRecord> records;  // not checked
  std::vector<home::Home::DeviceHeads> heads;     // not checked
  /// What it has of a device.
  enum class Holding : std::uint8_t { lacks, has, has_false };
  /// `has`: this record of `all`, or a newer one that is genuine: who has joined that will give it to all. `has_false`:
  /// a genuine one in its place that is refused; the home takes no older one.
  Holding holding(const home::Home::DeviceRecord& record, const OpenRecord& all) const;
};

/// True where a member shows this head of a device, the newest or an older one.
bool shows(const HomeView& view, const DeviceId& device, const Bytes& signed_head);

/// A record that is genuine, and is not passed on.
bool is_refused(const home::Home::DeviceRecord& held, const OpenRecord& all);

/// By member. Homes that fail, or do not answer within a time limit where there is a clock, are reported to `homes`.
Task<std::vector<HomeView>> ask_homes(dispersal::HomeSet& homes, VaultId vault, platform::Clock* clock);

/// By member: devices whose former vault records it keeps in a damaged file. Who does not answer in time says nothing.
Task<std::vector<std::vector<DeviceId>>> ask_damaged_former(dispersal::HomeSet& homes, VaultId vault,
                                                            const std::vector<HomeView>& views, platform::Clock* clock);

std::vector<ShownHeads> shown_heads(const std::vector<HomeView>& views);

/// Gives one home the records that it lacks, then the heads of each device that it lacks; all homes at once. `views` is
/// brought up to date. `former`: records of who is shut out, for homes that have none of these devices, as far as they
/// take them. Members that have all now.
Task<std::vector<std::size_t>> bring_up_to_date(dispersal::HomeSet& homes, std::vector<HomeView>& views,
                                                const OpenRecord& record, const std::vector<BelievedDevice>& devices,
                                                const std::vector<home::Home::DeviceRecord>& former,
                                                platform::Clock* clock);

}  // namespace mhp::vault::impl
