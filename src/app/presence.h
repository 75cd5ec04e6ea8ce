// How often homes of clouds were there when this computer's `mhp up` spoke with them: which of them a vault takes
// first.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/result.h"
#include "platform/disk.h"

namespace mhp::app {

struct Presence {
  std::uint32_t asked = 0;
  std::uint32_t there = 0;  // of these times
  friend bool operator==(const Presence&, const Presence&) = default;
};
using Presences = std::map<HomeId, Presence>;

/// What is long ago counts less and less.
void note_asked(Presences& presences, const HomeId& home, bool was_there);

/// In the order in which homes are wanted. Whoever was asked a few times only is between the others.
enum class Attendance : unsigned char { mostly, unknown, rarely };
Attendance attendance_of(const Presences& presences, const HomeId& home);

/// As the file keeps it. Errors of reading: corrupt.
std::string to_text(const Presences& presences);
Result<Presences> parse_presences(std::string_view text);

/// File `presence` of the state folder. A missing or damaged one is like an empty one: it is found out anew.
Presences read_presences(platform::Disk& disk, const std::string& state_folder);
/// Errors: those of the disk.
Result<void> keep_presences(platform::Disk& disk, const std::string& state_folder, const Presences& presences);

}  // namespace mhp::app
