// Two times for each home, and what follows from them.
#include "net/dialed.h"

#include <algorithm>

namespace mhp::net {
namespace {

std::int64_t latest(const Dialed::Times& times) { return std::max(times.reached_s, times.failed_s); }

/// The one of which nothing was heard for the longest time.
void forget_oldest(Dialed::All& all) {
  all.erase(std::ranges::min_element(all, {}, [](const auto& entry) { return latest(entry.second); }));
}

}  // namespace

std::int64_t Dialed::now_s() const { return clock_.unix_ns() / 1'000'000'000; }

void Dialed::note(const HomeId& home, std::int64_t Times::* which) {
  const Standing before = standing(home);
  Times& times = all_[home];
  const bool is_old = times.*which + kNoted.count() <= now_s();
  times.*which = now_s();
  if (which == &Times::reached_s) times.failed_s = 0;
  is_news_ = is_news_ || is_old || standing(home) != before;
  if (all_.size() > kMostHomes) forget_oldest(all_);
}

void Dialed::note_reached(const HomeId& home) { note(home, &Times::reached_s); }

void Dialed::note_failed(const HomeId& home) { note(home, &Times::failed_s); }

Dialed::Standing Dialed::standing(const HomeId& home) const {
  const auto found = all_.find(home);
  if (found == all_.end()) return Standing::unknown;
  const auto counts = [now = now_s()](std::int64_t at_s, std::chrono::seconds lasts) {
    return at_s > 0 && at_s <= now && now - at_s < lasts.count();
  };
  const bool is_reached = counts(found->second.reached_s, kReachedCounts);
  const bool fails = counts(found->second.failed_s, kFailedCounts);
  if (is_reached) return fails ? Standing::fails_now : Standing::reached;
  return fails ? Standing::fails : Standing::unknown;
}

bool Dialed::was_reached_since(const HomeId& home, std::int64_t since_s) const {
  const auto found = all_.find(home);
  return found != all_.end() && found->second.reached_s >= since_s;
}

void Dialed::recall(const All& others) {
  const std::int64_t now = now_s();
  for (const auto& [home, theirs] : others) {
    if (latest(theirs) > now) continue;
    Times& own = all_[home];
    own.reached_s = std::max(own.reached_s, theirs.reached_s);
    own.failed_s = std::max(own.failed_s, theirs.failed_s);
    if (own.failed_s <= own.reached_s) own.failed_s = 0;
    if (own == Times{}) all_.erase(home);
  }
  while (all_.size() > kMostHomes) forget_oldest(all_);
  is_news_ = false;
}

}  // namespace mhp::net
