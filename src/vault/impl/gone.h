// What a vault record remembers of homes that were removed and of clouds that were left, within its bounds.
#pragma once

#include <algorithm>
#include <functional>
#include <utility>

#include "wire/vault_record.h"

namespace mhp::vault::impl {

/// The newest first, and no more than the format allows: of clouds, and of all that came with them, what programs read
/// that know of no clouds (docs/formats/vault-record.md).
inline void fit_what_is_gone(wire::VaultPrivate& content) {
  std::ranges::sort(content.left_clouds, std::greater(),
                    [](const auto& one) { return std::pair(one.changed_ns, one.cloud); });
  if (content.left_clouds.size() > wire::kMaxLeftClouds) content.left_clouds.resize(wire::kMaxLeftClouds);
  std::ranges::sort(content.removed, std::greater(), [](const auto& one) { return std::pair(one.changed_ns, one.id); });
  const std::size_t of_clouds = content.clouds.size() + content.left_clouds.size();
  const std::size_t room = wire::kMaxRemovedHomes - std::min<std::size_t>(of_clouds, wire::kMaxRemovedHomes);
  if (content.removed.size() > room) content.removed.resize(room);
}

}  // namespace mhp::vault::impl
