// A device's snapshots have numbers, so that one wrong clock cannot make an old one the newest.
#include "vault/snapshot_order.h"

#include <algorithm>
#include <climits>
#include <map>
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

std::vector<std::int64_t> plausible_times(const std::vector<std::int64_t>& times, std::int64_t now_ns) {
  if (times.empty()) return {};
  std::int64_t last = times.back();
  const std::int64_t latest = latest_believed(now_ns);
  if (last > latest && std::ranges::min(times) <= latest) last = latest;
  std::vector<std::int64_t> out;
  std::int64_t so_far = INT64_MIN;
  for (std::int64_t time : times) {
    if (time <= last) so_far = std::max(so_far, time);
    out.push_back(so_far);
  }
  auto first = std::ranges::find_if(out, [](std::int64_t time) { return time != INT64_MIN; });
  std::fill(out.begin(), first, *first);  // there is one: the last, or the least of all
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
    std::vector<std::int64_t> times;
    for (const auto& snapshot : own) times.push_back(snapshot.time_ns);
    times = plausible_times(times, now_ns);
    for (std::size_t i = 0; i < own.size(); ++i) order.push_back({times[i], device, i, &own[i]});
  }
  std::ranges::sort(order, {}, [](const Placed& one) { return std::tuple(one.time_ns, one.device, one.number); });
  snapshots.clear();
  for (const Placed& placed : order) snapshots.push_back(std::move(*placed.snapshot));
}

}  // namespace mhp::vault
