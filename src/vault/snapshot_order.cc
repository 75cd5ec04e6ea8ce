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
    std::ranges::sort(own, {}, [](const auto& one) { return std::tuple(one.head_seq, one.time_ns, one.id); });
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
