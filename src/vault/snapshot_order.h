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

/// What the times can have been of snapshots that were made one after the other: never falling, and none after the
/// last or after `now_ns`. A time that the order contradicts becomes that of the one before it (of the next, where
/// there is none). Where all are after `now_ns` it is the clock of now that is wrong, and is not asked.
std::vector<std::int64_t> plausible_times(const std::vector<std::int64_t>& times, std::int64_t now_ns);

/// Oldest first: those of one device as it made them, whatever its clock said; over devices, and of a device with two
/// histories over both from where they part, by plausible time.
void sort_snapshots(std::vector<wire::SnapshotRecord>& snapshots, std::int64_t now_ns);

}  // namespace mhp::vault
