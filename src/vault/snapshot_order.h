// In which order snapshots were made, also where a computer's clock was wrong.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "wire/index.h"

namespace mhp::vault {

/// Clocks of several computers may differ by so much before a time counts as in the future.
constexpr std::chrono::nanoseconds kClockTolerance = std::chrono::hours(24);

/// True where no computer with a right clock can have made it by `now_ns`.
bool is_in_future(const wire::SnapshotRecord& snapshot, std::int64_t now_ns);

struct PlausibleTime {
  std::int64_t ns = 0;
  bool is_believed = true;  // false: the clock was wrong, and this is a guess
  friend bool operator==(const PlausibleTime&, const PlausibleTime&) = default;
};

/// What the times can have been of snapshots that were made one after the other: never falling, and none after
/// `now_ns`. Of times that contradict each other most are believed; one that is not lies between its believed
/// neighbours, as far after the earlier as the wrong clock went on meanwhile. Where all are after `now_ns` it is the
/// clock of now that is wrong, and is not asked.
std::vector<PlausibleTime> plausible_times(const std::vector<std::int64_t>& times, std::int64_t now_ns);

/// Oldest first: those of one device as it made them, whatever its clock said; over devices, and of a device with two
/// histories over both from where they part, by plausible time.
void sort_snapshots(std::vector<wire::SnapshotRecord>& snapshots, std::int64_t now_ns);

}  // namespace mhp::vault
