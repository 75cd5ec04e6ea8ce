// What `mhp up` was told last: how much this computer lends, where its home lies, where it listens, how fast it sends.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "platform/disk.h"
#include "platform/limited_network.h"

namespace mhp::app {

/// Kept in the file `up.json` of the state folder, which people may edit while `mhp up` does not run.
struct UpSettings {
  std::uint64_t lend_bytes = 0;             // 0: this computer lends nothing
  std::string home;                         // folder of the home; absolute
  std::string name;                         // of the home, as others see it
  std::string listen;                       // "HOST:PORT"
  std::vector<std::string> addresses = {};  // "HOST:PORT" that others can reach beside those that are found
  bool anchor = false;                      // always on
  std::string metrics = {};                 // "HOST:PORT" where counts are served; empty: nowhere
  platform::NetworkLimits limits = {};      // of this computer: commands keep to them too, each by itself
  friend bool operator==(const UpSettings&, const UpSettings&) = default;
};

/// Where a computer listens that was not told.
inline constexpr const char* kUsualListen = "[::]:7070";

std::string up_settings_path(const std::string& state_folder);
/// Errors: not_found (none were kept), corrupt (names the file and what is wrong in it), those of the disk.
Result<UpSettings> read_up_settings(platform::Disk& disk, const std::string& state_folder);
/// Durable. Errors: those of the disk.
Result<void> keep_up_settings(platform::Disk& disk, const std::string& state_folder, const UpSettings& settings);

/// What a computer lends that was not told: a tenth of the free space of its disk, in whole gigabytes.
std::uint64_t default_lend_bytes(const platform::SpaceInfo& space);
/// What stays free on the disk of a home that is lent: a tenth of it.
std::uint64_t lent_min_free_bytes(const platform::SpaceInfo& space);

}  // namespace mhp::app
