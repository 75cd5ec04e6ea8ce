// Buckets of time, from the newest snapshot to the oldest.
#include "snapshot/retention.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <climits>
#include <map>
#include <tuple>
#include <utility>

#include "vault/snapshot_order.h"

namespace mhp::snapshot {
namespace {

using std::chrono::days;
using std::chrono::hours;
using std::chrono::seconds;
using std::chrono::sys_days;
using std::chrono::year_month_day;
using LocalTime = std::chrono::sys_seconds;  // of the clock on the wall

constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr unsigned kMaxSpanNumber = 100'000;

LocalTime local_time(std::int64_t time_ns, const ToLocal& to_local) {
  std::int64_t unix_s = time_ns / kNsPerSecond - (time_ns % kNsPerSecond < 0 ? 1 : 0);
  return LocalTime(seconds(to_local(unix_s)));
}

/// The Monday of its week: weeks that pass a new year are whole.
sys_days week_of(sys_days day) { return day - (std::chrono::weekday(day) - std::chrono::Monday); }

/// A name for the hour, day ... that a time lies in.
using Bucket = std::int64_t (*)(LocalTime);
std::int64_t each(LocalTime) { return 0; }
std::int64_t hour_of(LocalTime time) { return floor<hours>(time).time_since_epoch().count(); }
std::int64_t day_of(LocalTime time) { return floor<days>(time).time_since_epoch().count(); }
std::int64_t monday_of(LocalTime time) { return week_of(floor<days>(time)).time_since_epoch().count(); }
std::int64_t year_of(LocalTime time) { return static_cast<int>(year_month_day(floor<days>(time)).year()); }
std::int64_t month_of(LocalTime time) {
  year_month_day date(floor<days>(time));
  return static_cast<int>(date.year()) * 12ll + static_cast<unsigned>(date.month());
}

LocalTime before(LocalTime time, const Span& span) {
  sys_days day = floor<days>(time);
  auto of_day = time - day;
  year_month_day date(day);
  date -= std::chrono::years(static_cast<int>(span.years));
  date -= std::chrono::months(static_cast<int>(span.months));
  if (!date.ok()) date = date.year() / date.month() / std::chrono::last;  // 31 March, a month before: 28 February
  return sys_days(date) + of_day - days(span.days) - hours(span.hours);
}

bool has_any(const std::vector<std::string>& wanted, const std::vector<std::string>& there) {
  return std::ranges::any_of(wanted, [&](const auto& one) { return std::ranges::find(there, one) != there.end(); });
}

bool fits(const wire::SnapshotRecord& snapshot, const SnapshotFilter& filter) {
  if (!filter.hosts.empty() && std::ranges::find(filter.hosts, snapshot.host) == filter.hosts.end()) return false;
  if (!filter.tags.empty() && !has_any(filter.tags, snapshot.tags)) return false;
  return std::ranges::all_of(
      filter.paths, [&](const auto& path) { return std::ranges::find(snapshot.paths, path) != snapshot.paths.end(); });
}

/// When it was made, by the clock on the wall.
struct Made {
  LocalTime time;
  LocalTime told;           // what that clock said
  bool is_believed = true;  // false: the time is a guess
};

/// One rule on its way from the newest to the oldest.
struct Counter {
  const char* reason;
  int left;
  Bucket bucket;
  std::optional<std::int64_t> last{};
  std::optional<std::int64_t> last_guessed{};

  bool takes(const Made& made, bool oldest) {
    if (left == 0) return false;
    const std::int64_t now = bucket(made.is_believed ? made.time : made.told);
    const bool counts_each = bucket == each;
    // Who knew no time takes nobody's place: of each hour or day of such a clock the newest stays beside the others.
    if (!counts_each && !made.is_believed) return std::exchange(last_guessed, now) != now || oldest;
    if (!counts_each && last == now && !oldest) return false;
    if (!counts_each && last == now) return left > 0;  // the oldest stays where the rule is not used up
    last = now;
    if (left > 0) --left;
    return true;
  }
};

/// Of each decision, newest first: what the clock on the wall can have shown when it was made.
std::vector<Made> local_times(const SnapshotGroup& group, const ToLocal& to_local, std::int64_t now_ns) {
  std::vector<std::int64_t> times;
  for (const Decision& decision : group.decisions) times.push_back(decision.snapshot.time_ns);
  std::ranges::reverse(times);
  std::vector<Made> out;
  const std::vector<vault::PlausibleTime> plausible = vault::plausible_times(times, now_ns);
  for (std::size_t i = 0; i < times.size(); ++i)
    out.push_back({local_time(plausible[i].ns, to_local), local_time(times[i], to_local), plausible[i].is_believed});
  std::ranges::reverse(out);
  return out;
}

void decide(SnapshotGroup& group, const KeepRules& rules, const ToLocal& to_local, std::int64_t now_ns) {
  std::array<Counter, 6> counters{{{"last snapshot", rules.last, each},
                                   {"hourly snapshot", rules.hourly, hour_of},
                                   {"daily snapshot", rules.daily, day_of},
                                   {"weekly snapshot", rules.weekly, monday_of},
                                   {"monthly snapshot", rules.monthly, month_of},
                                   {"yearly snapshot", rules.yearly, year_of}}};
  std::ranges::reverse(group.decisions);
  const std::vector<Made> times = local_times(group, to_local, now_ns);
  for (std::size_t i = 0; i < group.decisions.size(); ++i) {
    Decision& decision = group.decisions[i];
    bool oldest = &decision == &group.decisions.back();
    for (Counter& counter : counters) {
      if (counter.takes(times[i], oldest)) decision.reasons.emplace_back(counter.reason);
    }
    const bool within = rules.within && times[i].time >= before(times.front().time, *rules.within);
    if (within) decision.reasons.emplace_back("within the time to keep");
    for (const std::string& tag : rules.tags) {
      if (has_any({tag}, decision.snapshot.tags)) decision.reasons.push_back("tag " + tag);
    }
  }
}

}  // namespace

bool KeepRules::any() const {
  bool counted = last != 0 || hourly != 0 || daily != 0 || weekly != 0 || monthly != 0 || yearly != 0;
  return counted || within.has_value() || !tags.empty();
}

Result<Span> parse_span(const std::string& text) {
  Span span;
  std::array<std::pair<char, unsigned*>, 4> units{
      {{'y', &span.years}, {'m', &span.months}, {'d', &span.days}, {'h', &span.hours}}};
  auto wrong = [&text] { return fail(Errc::usage, text + ": not a time to keep; write it like 1y6m14d3h"); };
  std::size_t at = 0, unit = 0;
  while (at < text.size()) {
    std::uint64_t number = 0;
    std::size_t first = at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at) {
      number = number * 10 + static_cast<unsigned>(text[at] - '0');
      if (number > kMaxSpanNumber) return wrong();
    }
    if (at == first || at == text.size()) return wrong();
    while (unit < units.size() && units[unit].first != text[at]) ++unit;
    if (unit == units.size()) return wrong();
    *units[unit++].second = static_cast<unsigned>(number);
    ++at;
  }
  if (text.empty()) return wrong();
  return span;
}

Result<Grouping> parse_grouping(const std::string& text) {
  Grouping out{.host = false, .paths = false, .tags = false};
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = std::min(text.find(',', at), text.size());
    std::string word = text.substr(at, end - at);
    bool* field = word == "host" ? &out.host : word == "paths" ? &out.paths : word == "tags" ? &out.tags : nullptr;
    if (field == nullptr) return fail(Errc::usage, "'" + word + "': snapshots are grouped by host, paths and tags");
    *field = true;
    at = end + 1;
  }
  return out;
}

std::vector<SnapshotGroup> apply_rules(const std::vector<wire::SnapshotRecord>& snapshots, const SnapshotFilter& filter,
                                       const Grouping& grouping, const KeepRules& rules, const ToLocal& to_local,
                                       std::int64_t now_ns) {
  using Key = std::tuple<std::string, std::vector<std::string>, std::vector<std::string>>;
  std::map<Key, SnapshotGroup> groups;
  for (const wire::SnapshotRecord& snapshot : snapshots) {
    if (!fits(snapshot, filter)) continue;
    Key key;
    if (grouping.host) std::get<0>(key) = snapshot.host;
    if (grouping.paths) std::get<1>(key) = snapshot.paths;
    if (grouping.tags) std::get<2>(key) = snapshot.tags;
    std::ranges::sort(std::get<1>(key));
    std::ranges::sort(std::get<2>(key));
    SnapshotGroup& group = groups[key];
    std::tie(group.host, group.paths, group.tags) = key;
    group.decisions.push_back({.snapshot = snapshot, .reasons = {}});
  }
  std::vector<SnapshotGroup> out;
  for (auto& [key, group] : groups) {
    decide(group, rules, to_local, now_ns);
    out.push_back(std::move(group));
  }
  return out;
}

}  // namespace mhp::snapshot
