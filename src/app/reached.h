// What this computer has learned of who reaches whom, kept from one run to the next in a file.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "cloud/reach.h"
#include "net/dialed.h"
#include "platform/disk.h"

namespace mhp::app {

struct ReachKnown {
  std::optional<cloud::Reachable::Visit> visit{};  // of this computer, by another
  net::Dialed::All homes{};                        // by this computer
  friend bool operator==(const ReachKnown&, const ReachKnown&) = default;
};

/// As the file keeps it. Errors of reading: corrupt.
std::string to_text(const ReachKnown& reached);
Result<ReachKnown> parse_reached(std::string_view text);

/// The file `reached.json` of the state folder; empty where it is lost or damaged.
ReachKnown read_reached(platform::Disk& disk, const std::string& state_folder);
/// Errors: those of the disk.
Result<void> keep_reached(platform::Disk& disk, const std::string& state_folder, const ReachKnown& reached);

}  // namespace mhp::app
