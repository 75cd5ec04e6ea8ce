// The plan: of all row counts that a level allows for a number of homes, the one that survives the most losses.
#include "dispersal/plan.h"

#include <algorithm>
#include <array>
#include <bitset>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

#include "base/check.h"

namespace mhp::dispersal {
namespace {

using RowSet = std::bitset<256>;

/// Row counts that a level may choose from.
struct Range {
  unsigned least;
  unsigned most;
};

Range range_of(Level level, unsigned homes) {
  // One to three homes leave no choice: a copy, two sealed mirrors, and six rows each (fewer than k, and not more than
  // n - k).
  if (homes == 1) return {12, 12};
  if (homes == 2) return {24, 24};
  if (homes == 3) return {18, 18};
  switch (level) {
    case Level::thrifty:
      return homes > 20 ? Range{20, 24} : Range{16, 20};
    case Level::strong:
      return homes >= 19 ? Range{36, 48} : Range{24, 36};
    case Level::normal:
      break;
  }
  if (homes == 4) return {24, 24};
  if (homes == 5) return {20, 20};
  if (homes <= 9) return {18, 24};
  return homes <= 18 ? Range{24, 30} : Range{30, 36};
}

/// `n` rows as evenly as possible over `homes`, falling.
std::vector<unsigned> spread(unsigned n, unsigned homes) {
  std::vector<unsigned> rows(homes, n / homes);
  for (unsigned i = 0; i < n % homes; ++i) ++rows[i];
  return rows;
}

/// How many of the homes at the front may go with k rows left. `rows` falling.
unsigned margin_of_falling(const std::vector<unsigned>& rows, unsigned n, unsigned k) {
  unsigned lost = 0;
  while (lost < rows.size() && n >= k + rows[lost]) n -= rows[lost++];
  return lost;
}

/// Rows by position, dealt one after the other from `start` on, past owners that have all they may. `owner_of` empty:
/// no bounds.
std::vector<std::vector<std::uint8_t>> deal(unsigned n, unsigned k, unsigned homes,
                                            std::span<const std::uint32_t> owner_of, std::size_t start) {
  std::vector<std::vector<std::uint8_t>> rows(homes);
  std::vector<unsigned> given(homes, 0);  // by owner
  const unsigned most = most_of_one(n, k);
  std::size_t at = start;
  for (unsigned row = 0; row < n; ++row) {
    for (unsigned passed = 0; !owner_of.empty() && given[owner_of[at]] == most; ++passed) {
      MHP_CHECK(passed < homes);
      at = (at + 1) % homes;
    }
    rows[at].push_back(static_cast<std::uint8_t>(row));
    if (!owner_of.empty()) ++given[owner_of[at]];
    at = (at + 1) % homes;
  }
  return rows;
}

/// How many rows the positions get, falling.
std::vector<unsigned> sizes_of(const std::vector<std::vector<std::uint8_t>>& rows) {
  std::vector<unsigned> sizes;
  for (const auto& of_one : rows) sizes.push_back(static_cast<unsigned>(of_one.size()));
  std::sort(sizes.begin(), sizes.end(), std::greater<>());
  return sizes;
}

/// The best plan of a range; n is 0 where none is allowed.
Plan best_of(const Range& range, unsigned homes, unsigned owners, const std::vector<std::uint32_t>& owner_of) {
  Plan best;
  for (unsigned n = range.least; n <= range.most; ++n) {
    const unsigned most = most_of_one(n, kNeed);
    if (!owner_of.empty() && owners * most < n) continue;
    std::vector<unsigned> rows = owner_of.empty() ? spread(n, homes) : sizes_of(deal(n, kNeed, homes, owner_of, 0));
    if (homes >= 3 && rows[0] > most) continue;
    const unsigned margin = margin_of_falling(rows, n, kNeed);
    if (best.n != 0 && margin <= best.margin) continue;
    best = Plan{.homes = homes,
                .k = kNeed,
                .n = n,
                .margin = margin,
                .rows_per_home = std::move(rows),
                .owners = owners,
                .owner_of = owner_of};
  }
  return best;
}

/// Owners by position, numbered from 0 as they are met; each home of the vault's owner is one.
std::vector<std::uint32_t> numbered(std::span<const std::uint32_t> owners, unsigned& count) {
  std::map<std::uint32_t, std::uint32_t> numbers;
  std::vector<std::uint32_t> out;
  count = 0;
  for (const std::uint32_t owner : owners) {
    const auto [at, fresh] = numbers.try_emplace(owner, count);
    if (owner == 0) at->second = count;
    if (owner == 0 || fresh) ++count;
    out.push_back(at->second);
  }
  return out;
}

}  // namespace

const char* to_string(Level level) {
  switch (level) {
    case Level::thrifty:
      return "thrifty";
    case Level::normal:
      return "normal";
    case Level::strong:
      return "strong";
  }
  return "normal";
}

Result<Level> parse_level(std::string_view text) {
  for (Level level : {Level::thrifty, Level::normal, Level::strong}) {
    if (text == to_string(level)) return level;
  }
  return fail(Errc::usage, "level is thrifty, normal or strong, not \"" + std::string(text) + "\"");
}

Plan make_plan(Level level, unsigned usable_homes) {
  MHP_CHECK(usable_homes >= 1);
  const unsigned homes = std::min(usable_homes, kMaxHomesPerSegment);
  const Plan best = best_of(range_of(level, homes), homes, homes, {});
  MHP_CHECK(best.n != 0);
  return best;
}

Plan make_plan(Level level, std::span<const std::uint32_t> owners) {
  MHP_CHECK(!owners.empty());
  const auto homes = static_cast<unsigned>(std::min<std::size_t>(owners.size(), kMaxHomesPerSegment));
  unsigned count = 0;
  const std::vector<std::uint32_t> owner_of = numbered(owners.first(homes), count);
  if (count == homes || count < 3) {
    Plan plan = make_plan(level, homes);
    plan.owners = count;
    return plan;
  }
  // What the bounds leave of a plan for all the homes may cost more than one for fewer, and save no more of them.
  Plan best;
  for (unsigned as_if = count; as_if <= homes; ++as_if) {
    Plan plan = best_of(range_of(level, as_if), homes, count, owner_of);
    if (plan.n == 0) continue;
    const bool is_better = plan.margin > best.margin || (plan.margin == best.margin && plan.n < best.n);
    if (best.n == 0 || is_better) best = std::move(plan);
  }
  if (best.n == 0) best = best_of(range_of(level, 3), homes, count, owner_of);  // six rows of three owners always fit
  MHP_CHECK(best.n != 0);
  return best;
}

std::vector<std::vector<std::uint8_t>> place(const Plan& plan, const SegmentId& segment) {
  MHP_CHECK(plan.homes >= 1 && plan.n <= 255);
  return deal(plan.n, plan.k, plan.homes, plan.owner_of, IdHash{}(segment) % plan.homes);
}

Parts parts_of(const Plan& plan) {
  Parts parts;
  for (unsigned i = 0; i < plan.homes; ++i) parts.owner.push_back(plan.owner_of.empty() ? i : plan.owner_of[i]);
  std::vector<unsigned> homes_of(plan.homes, 0);  // by owner
  for (const std::size_t owner : parts.owner) ++homes_of[owner];
  const unsigned most = plan.owner_of.empty() ? plan.n : most_of_one(plan.n, plan.k);
  const auto all_at = [&](unsigned each) {
    unsigned rows = 0;
    for (const unsigned homes : homes_of) rows += std::min(most, homes * each);
    return rows;
  };
  unsigned each = 0;  // so many rows for every home whose owner may have them
  while (each < plan.n && all_at(each + 1) <= plan.n) ++each;
  parts.more = {plan.n - all_at(each)};
  std::vector<std::size_t> pools(plan.homes, 0);  // by owner
  for (std::size_t owner = 0; owner < plan.homes; ++owner) {
    const unsigned homes = homes_of[owner];
    const bool is_full = homes * each > most;
    if (is_full) pools[owner] = parts.more.size();
    if (is_full) parts.more.push_back(most % homes);
    parts.most_more.push_back(is_full ? most % homes : most - homes * each);
  }
  for (const std::size_t owner : parts.owner) {
    const bool is_full = pools[owner] != 0;
    parts.least.push_back(is_full ? most / homes_of[owner] : each);
    parts.pool_of.push_back(pools[owner]);
  }
  return parts;
}

namespace {

/// The rows of each domain that counts.
std::vector<RowSet> counting_domains(std::span<const RowsAt> homes) {
  std::map<std::uint32_t, RowSet> domains;
  for (const RowsAt& home : homes) {
    if (!home.counts) continue;
    for (std::uint8_t row : home.rows) domains[home.domain].set(row);
  }
  std::vector<RowSet> out;
  for (const auto& [domain, rows] : domains) out.push_back(rows);
  return out;
}

std::size_t distinct(std::span<const RowSet> domains) {
  RowSet all;
  for (const RowSet& rows : domains) all |= rows;
  return all.count();
}

/// Gives each row to one of its holders so that no other way of giving is more even: for every m, the m largest loads
/// sum up to as little as they can. @source optimal semi-matching: Harvey, Ladner, Lovasz, Tamir, 2003 (one augmenting
/// search a row).
class EvenShares {
 public:
  explicit EvenShares(std::span<const RowSet> domains) : domains_(domains), loads_(domains.size()) {
    for (std::size_t row = 0; row < owner_.size(); ++row) add(row);
  }
  const std::vector<std::size_t>& loads() const { return loads_; }

 private:
  static constexpr std::size_t kNone = SIZE_MAX;

  void add(std::size_t row) {
    std::vector<std::size_t> moved(domains_.size(), kNone);  // the row that would come to a domain
    std::vector<std::size_t> reached;
    auto reach = [&](std::size_t through) {
      for (std::size_t at = 0; at < domains_.size(); ++at) {
        if (!domains_[at][through] || moved[at] != kNone) continue;
        moved[at] = through;
        reached.push_back(at);
      }
    };
    reach(row);
    for (std::size_t i = 0; i < reached.size(); ++i) {
      for (std::size_t other = 0; other < row; ++other) {
        if (owner_[other] == reached[i]) reach(other);
      }
    }
    owner_[row] = kNone;
    if (reached.empty()) return;
    std::size_t at = *std::min_element(reached.begin(), reached.end(),
                                       [this](std::size_t a, std::size_t b) { return loads_[a] < loads_[b]; });
    ++loads_[at];
    while (at != kNone) at = std::exchange(owner_[moved[at]], at);
  }

  std::span<const RowSet> domains_;
  std::vector<std::size_t> loads_;        // by domain
  std::array<std::size_t, 255> owner_{};  // by row; only of rows added already
};

/// A lower bound of the margin: a row held by several may survive, but is counted as lost with the one it was given to.
/// Exact where every row is held once.
int margin_by_shares(std::span<const RowSet> domains, std::size_t rows, unsigned k) {
  std::vector<std::size_t> loads = EvenShares(domains).loads();
  std::sort(loads.begin(), loads.end(), std::greater<>());
  int margin = 0;
  for (std::size_t load : loads) {
    if (rows - load < k) break;
    rows -= load;
    ++margin;
  }
  return margin;
}

/// True where some `count` of the domains from `from` on, lost beside `kept`'s absence, leave fewer than k rows.
/// `kept` holds the rows of domains already decided to stay.
bool can_break(std::span<const RowSet> domains, std::size_t from, std::size_t count, const RowSet& kept, unsigned k) {
  if (kept.count() >= k) return false;
  if (count == domains.size() - from) return true;
  if (count > 0 && can_break(domains, from + 1, count - 1, kept, k)) return true;
  return can_break(domains, from + 1, count, kept | domains[from], k);
}

}  // namespace

int margin_of(std::span<const RowsAt> homes, unsigned k) {
  constexpr std::size_t kMaxSearched = 16;  // domains: at most 2^16 choices
  RowSet all;
  for (const RowsAt& home : homes) {
    for (std::uint8_t row : home.rows) all.set(row);
  }
  if (all.count() < k) return -1;
  const std::vector<RowSet> domains = counting_domains(homes);
  const std::size_t rows = distinct(domains);
  if (rows < k) return 0;
  int margin = margin_by_shares(domains, rows, k);
  const auto held = std::accumulate(domains.begin(), domains.end(), std::size_t{0},
                                    [](std::size_t sum, const RowSet& domain) { return sum + domain.count(); });
  if (held == rows || domains.size() > kMaxSearched) return margin;
  while (!can_break(domains, 0, static_cast<std::size_t>(margin) + 1, RowSet(), k)) ++margin;
  return margin;
}

double restore_chance(const Plan& plan, double up) {
  std::vector<double> chance(plan.n + 1, 0.0);  // of having so many rows from the homes seen so far
  chance[0] = 1.0;
  for (unsigned rows : plan.rows_per_home) {
    std::vector<double> next(plan.n + 1, 0.0);
    for (std::size_t have = 0; have <= plan.n; ++have) {
      next[have] += chance[have] * (1.0 - up);
      if (have + rows <= plan.n) next[have + rows] += chance[have] * up;
    }
    chance = std::move(next);
  }
  return std::min(1.0, std::accumulate(chance.begin() + plan.k, chance.end(), 0.0));
}

}  // namespace mhp::dispersal
