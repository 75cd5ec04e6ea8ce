// A device's snapshots have numbers, so that one wrong clock cannot make an old one the newest.
#include "vault/snapshot_order.h"

#include <algorithm>
#include <climits>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <tuple>

namespace mhp::vault {
namespace {

std::int64_t latest_believed(std::int64_t now_ns) {
  return now_ns > INT64_MAX - kClockTolerance.count() ? INT64_MAX : now_ns + kClockTolerance.count();
}

/// By number first. Where a device has two histories, which both go on from one number, its numbers say nothing any
/// more from there on, and its clock has to: but for times in the future, which count as the earlier one of the number
/// before.
void sort_own(std::vector<wire::SnapshotRecord>& own, std::int64_t now_ns) {
  std::ranges::sort(own, {}, [](const auto& one) { return std::tuple(one.head_seq, one.time_ns, one.id); });
  auto parted = std::ranges::adjacent_find(
      own, [](const auto& a, const auto& b) { return a.head_seq != 0 && a.head_seq == b.head_seq; });
  if (parted == own.end()) return;
  std::int64_t latest = latest_believed(now_ns);
  if (std::ranges::min(own, {}, &wire::SnapshotRecord::time_ns).time_ns > latest) latest = INT64_MAX;
  std::map<SnapshotId, std::int64_t> counted;
  std::int64_t before = INT64_MIN;
  for (auto one = parted; one != own.end();) {
    std::int64_t least = INT64_MAX;
    const std::uint64_t number = one->head_seq;
    for (; one != own.end() && one->head_seq == number; ++one) {
      const std::int64_t time = one->time_ns > latest ? before : one->time_ns;
      counted[one->id] = time;
      least = std::min(least, time);
    }
    before = least;
  }
  std::ranges::sort(parted, own.end(), {},
                    [&](const auto& one) { return std::tuple(counted[one.id], one.head_seq, one.id); });
}

}  // namespace

bool is_in_future(const wire::SnapshotRecord& snapshot, std::int64_t now_ns) {
  return snapshot.time_ns > latest_believed(now_ns);
}

/// A largest number of times that never fall, none of them after `latest`: those are believed. Of several such choices
/// the later times: clocks that lost their time go back.
static std::vector<bool> longest_rising(const std::vector<std::int64_t>& times, std::int64_t latest) {
  std::vector<std::size_t> starts;  // of the rising runs of each length that one which begins latest
  std::vector<std::size_t> next(times.size(), SIZE_MAX);
  for (std::size_t i = times.size(); i-- > 0;) {
    if (times[i] > latest) continue;
    const auto at = std::ranges::partition_point(starts, [&](std::size_t start) { return times[start] >= times[i]; });
    if (at != starts.begin()) next[i] = *std::prev(at);
    if (at == starts.end())
      starts.push_back(i);
    else
      *at = i;
  }
  std::vector<bool> out(times.size());
  for (std::size_t i = starts.empty() ? SIZE_MAX : starts.back(); i != SIZE_MAX; i = next[i]) out[i] = true;
  return out;
}

/// By how much a clock went on, as wrong as it was.
static std::uint64_t step_to(std::span<const std::int64_t> told, std::size_t i) {
  if (i == 0 || told[i] <= told[i - 1]) return 0;
  return static_cast<std::uint64_t>(told[i]) - static_cast<std::uint64_t>(told[i - 1]);
}

/// What lies between two believed times: as far after the first as its own clock has gone on.
static void place_between(std::span<const std::int64_t> told, std::int64_t first, std::int64_t last,
                          std::span<PlausibleTime> out) {
  const std::uint64_t room = static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(first);
  std::uint64_t gone = 0;
  for (std::size_t i = 0; i < told.size(); ++i) {
    gone += std::min(step_to(told, i), room - gone);
    out[i] = {.ns = static_cast<std::int64_t>(static_cast<std::uint64_t>(first) + gone), .is_believed = false};
  }
}

/// Where those before the first believed time begin, so that the last of them is there.
static std::int64_t start_before(std::span<const std::int64_t> told, std::int64_t last) {
  const std::uint64_t room = static_cast<std::uint64_t>(last) - static_cast<std::uint64_t>(INT64_MIN);
  std::uint64_t long_ago = 0;
  for (std::size_t i = 0; i < told.size(); ++i) long_ago += std::min(step_to(told, i), room - long_ago);
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(last) - long_ago);
}

std::vector<PlausibleTime> plausible_times(const std::vector<std::int64_t>& times, std::int64_t now_ns) {
  if (times.empty()) return {};
  std::int64_t latest = latest_believed(now_ns);
  if (std::ranges::min(times) > latest) latest = INT64_MAX;
  const std::vector<bool> believed = longest_rising(times, latest);
  std::vector<PlausibleTime> out(times.size());
  std::optional<std::int64_t> before;
  for (std::size_t i = 0; i < times.size();) {
    std::size_t end = i;
    while (end < times.size() && !believed[end]) ++end;
    const std::int64_t after = end < times.size() ? times[end] : std::max(before.value_or(latest), latest);
    const auto told = std::span(times).subspan(i, end - i);
    place_between(told, before ? *before : start_before(told, after), after, std::span(out).subspan(i, end - i));
    if (end == times.size()) break;
    out[end] = {.ns = times[end], .is_believed = true};
    before = times[end];
    i = end + 1;
  }
  return out;
}

void sort_snapshots(std::vector<wire::SnapshotRecord>& snapshots, std::int64_t now_ns) {
  std::map<DeviceId, std::vector<wire::SnapshotRecord>> by_device;
  for (auto& snapshot : snapshots) by_device[snapshot.device].push_back(std::move(snapshot));
  struct Placed {
    std::int64_t time_ns;
    DeviceId device;
    std::size_t number;
    wire::SnapshotRecord* snapshot;
  };
  std::vector<Placed> order;
  for (auto& [device, own] : by_device) {
    sort_own(own, now_ns);
    std::vector<std::int64_t> told;
    for (const auto& snapshot : own) told.push_back(snapshot.time_ns);
    const std::vector<PlausibleTime> times = plausible_times(told, now_ns);
    for (std::size_t i = 0; i < own.size(); ++i) order.push_back({times[i].ns, device, i, &own[i]});
  }
  std::ranges::sort(order, {}, [](const Placed& one) { return std::tuple(one.time_ns, one.device, one.number); });
  snapshots.clear();
  for (const Placed& placed : order) snapshots.push_back(std::move(*placed.snapshot));
}

}  // namespace mhp::vault
