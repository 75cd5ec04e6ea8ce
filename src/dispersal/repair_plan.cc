// Which rows are to be made for whom so that a segment follows the plan again.
#include <algorithm>
#include <array>
#include <bitset>
#include <map>
#include <numeric>
#include <span>

#include "base/check.h"
#include "dispersal/home_set.h"

namespace mhp::dispersal {
namespace {

using RowSet = std::bitset<256>;
constexpr unsigned kRows = 255;  // row numbers 0..254

/// Fills the places of the plan with rows that are there: each row in one place only, because a row on two homes keeps
/// only one of them safe. Augmenting paths, as for bipartite matching; at most 255 rows and 36 members.
class Places {
 public:
  explicit Places(const std::vector<RowSet>& held) : held_(held) { owner_.fill(kNone); }

  /// One more row for member `at`, others changing theirs where that helps; false where there is none for it.
  bool fill(std::size_t at) {
    RowSet seen;
    return fill(at, seen);
  }

 private:
  static constexpr std::size_t kNone = SIZE_MAX;

  bool fill(std::size_t at, RowSet& seen) {
    for (std::size_t row = 0; row < kRows; ++row) {
      if (!held_[at][row] || seen[row] || owner_[row] == at) continue;
      seen.set(row);
      if (owner_[row] != kNone && !fill(owner_[row], seen)) continue;
      owner_[row] = at;
      return true;
    }
    return false;
  }

  const std::vector<RowSet>& held_;
  std::array<std::size_t, kRows> owner_;
};

/// How many rows each member lacks. Those that hold enough for one of the larger parts get it; what is left of the
/// larger parts goes by `order`. So a segment that follows the plan in any way lacks nothing.
std::vector<unsigned> missing_rows(const Plan& plan, const std::vector<RowSet>& held,
                                   const std::vector<std::size_t>& order) {
  Places places(held);
  std::vector<unsigned> missing(held.size(), 0);
  Parts parts = parts_of(plan);
  for (unsigned i = 0; i < plan.homes; ++i) {
    for (unsigned row = 0; row < parts.least[i]; ++row) missing[order[i]] += places.fill(order[i]) ? 0 : 1;
  }
  const auto may_have_more = [&](unsigned i) {
    return parts.more[parts.pool_of[i]] > 0 && parts.most_more[parts.owner[i]] > 0;
  };
  const auto take_one_more = [&](unsigned i) {
    --parts.more[parts.pool_of[i]];
    --parts.most_more[parts.owner[i]];
  };
  std::vector<unsigned> rest;
  for (unsigned i = 0; i < plan.homes; ++i) {
    if (may_have_more(i) && missing[order[i]] == 0 && places.fill(order[i]))
      take_one_more(i);
    else
      rest.push_back(i);
  }
  for (const unsigned i : rest) {
    if (!may_have_more(i)) continue;
    take_one_more(i);
    ++missing[order[i]];
  }
  return missing;
}

/// What other people hold on all their homes together. The plan keeps them from k rows; but some have more than their
/// part by it, as when others were given rows of a home that came back.
class OwnersRows {
 public:
  /// `owners`: by place in `held`; empty: there are no others.
  OwnersRows(const Plan& plan, const std::vector<RowSet>& held, std::span<const std::uint32_t> owners)
      : k_(plan.k), owners_(plan.owner_of.empty() ? std::span<const std::uint32_t>() : owners) {
    for (std::size_t at = 0; at < owners_.size(); ++at) rows_[owners_[at]] |= held[at];
  }
  bool has_room(std::size_t at) const {
    if (owners_.empty() || owners_[at] == 0) return true;
    return rows_.at(owners_[at]).count() + 1 < k_;
  }
  void add(std::size_t at, std::uint8_t row) {
    if (!owners_.empty()) rows_[owners_[at]].set(row);
  }

 private:
  unsigned k_;
  std::span<const std::uint32_t> owners_;
  std::map<std::uint32_t, RowSet> rows_;
};

/// Row numbers in the order in which they are given out: lost ones, new ones, at last those that only members
/// outside the plan hold.
std::vector<std::uint8_t> free_rows(const RowSet& held, const RowSet& held_in_plan, unsigned known_rows) {
  std::vector<std::uint8_t> rows;
  auto add = [&rows](unsigned from, unsigned to, const RowSet& without) {
    for (unsigned row = from; row < to; ++row) {
      if (!without[row]) rows.push_back(static_cast<std::uint8_t>(row));
    }
  };
  add(0, known_rows, held);
  add(known_rows, kRows, held);
  add(0, kRows, held_in_plan | ~held);
  return rows;
}

}  // namespace

std::vector<RowsFor> plan_repair(const std::vector<Holder>& holders, const std::vector<std::size_t>& usable,
                                 Level level, unsigned known_rows, const SegmentId& segment,
                                 std::span<const std::uint32_t> owners) {
  MHP_CHECK(known_rows <= kRows && (owners.empty() || owners.size() == usable.size()));
  if (usable.empty()) return {};
  RowSet held_by_any;
  std::vector<RowSet> held(usable.size());
  RowSet held_in_plan;
  for (const Holder& holder : holders) {
    const auto at = static_cast<std::size_t>(std::find(usable.begin(), usable.end(), holder.member) - usable.begin());
    for (std::uint8_t row : holder.rows) {
      held_by_any.set(row);
      if (at == usable.size()) continue;
      held[at].set(row);
      held_in_plan.set(row);
    }
  }
  // Who holds most keeps the largest part; among equals the segment's id decides, so that odd rows spread.
  const std::size_t count = usable.size();
  const std::size_t start = IdHash{}(segment) % count;
  std::vector<std::size_t> order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (held[a].count() != held[b].count()) return held[a].count() > held[b].count();
    return (a + start) % count < (b + start) % count;
  });

  std::vector<std::uint32_t> in_order;
  for (const std::size_t at : order) in_order.push_back(owners.empty() ? 0 : owners[at]);
  const Plan plan = make_plan(level, in_order);
  const std::vector<unsigned> missing = missing_rows(plan, held, order);
  const std::vector<std::uint8_t> rows = free_rows(held_by_any, held_in_plan, known_rows);
  auto next = rows.begin();
  OwnersRows of_owners(plan, held, owners);
  std::vector<RowsFor> wanted;
  for (std::size_t at : order) {
    RowsFor give{.home = usable[at], .rows = {}};
    for (unsigned i = 0; i < missing[at] && next != rows.end() && of_owners.has_room(at); ++i) {
      of_owners.add(at, *next);
      give.rows.push_back(*next++);
    }
    if (!give.rows.empty()) wanted.push_back(std::move(give));
  }
  return wanted;
}

}  // namespace mhp::dispersal
