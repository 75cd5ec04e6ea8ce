// Which snapshots stay, and why: the rules of `forget`. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "wire/index.h"

namespace mhp::snapshot {

/// A span as people write it, "1y6m14d3h": years, months, days, hours. Months are those of the calendar.
struct Span {
  unsigned years = 0;
  unsigned months = 0;
  unsigned days = 0;
  unsigned hours = 0;
};
/// Errors: usage.
Result<Span> parse_span(const std::string& text);

/// What to keep of each group of snapshots. A number is how many of the newest; kAll: every one.
struct KeepRules {
  static constexpr int kAll = -1;
  int last = 0;
  int hourly = 0;  // of each hour, day ... the newest
  int daily = 0;
  int weekly = 0;
  int monthly = 0;
  int yearly = 0;
  std::optional<Span> within{};     // before the newest of the group
  std::vector<std::string> tags{};  // any of them
  /// Without a rule nothing is chosen to go.
  bool any() const;
};

/// Which snapshots the rules are for: those with any of the hosts, any of the tags and all of the paths. Empty: all.
struct SnapshotFilter {
  std::vector<std::string> hosts{};
  std::vector<std::string> tags{};
  std::vector<std::string> paths{};
};

/// By what snapshots are told apart: the rules hold for each group of its own.
struct Grouping {
  bool host = true;
  bool paths = true;
  bool tags = false;
};
/// "host,paths", "tags", "". Errors: usage.
Result<Grouping> parse_grouping(const std::string& text);

struct Decision {
  wire::SnapshotRecord snapshot{};
  std::vector<std::string> reasons{};  // "daily snapshot"; none: it goes
  bool keep() const { return !reasons.empty(); }
};

struct SnapshotGroup {
  std::string host{};
  std::vector<std::string> paths{};
  std::vector<std::string> tags{};
  std::vector<Decision> decisions{};  // newest first
};

/// Unix seconds to seconds of the clock on the wall, as if that were UTC: hours and days are those that people see.
using ToLocal = std::function<std::int64_t(std::int64_t)>;

/// `snapshots`: oldest first, as the vault lists them. A time that their order contradicts, or that is after `now_ns`,
/// is not believed (vault/snapshot_order.h): a wrong clock must not let right snapshots go.
/// Groups by rising host, paths, tags. Where a rule is not used up, the oldest snapshot stays for it.
std::vector<SnapshotGroup> apply_rules(const std::vector<wire::SnapshotRecord>& snapshots, const SnapshotFilter& filter,
                                       const Grouping& grouping, const KeepRules& rules, const ToLocal& to_local,
                                       std::int64_t now_ns);

}  // namespace mhp::snapshot
