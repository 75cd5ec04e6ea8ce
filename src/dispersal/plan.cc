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

/// With three homes and more none may hold k rows (it could read with a stolen key) or more than n - k (it could
/// destroy).
bool allowed(const std::vector<unsigned>& rows, unsigned n, unsigned k) {
  return rows.size() < 3 || (rows[0] < k && rows[0] <= n - k);
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
  const Range range = range_of(level, homes);
  Plan best;
  for (unsigned n = range.least; n <= range.most; ++n) {
    const std::vector<unsigned> rows = spread(n, homes);
    if (!allowed(rows, n, kNeed)) continue;
    const unsigned margin = margin_of_falling(rows, n, kNeed);
    if (best.n != 0 && margin <= best.margin) continue;
    best = Plan{.homes = homes, .k = kNeed, .n = n, .margin = margin, .rows_per_home = rows};
  }
  MHP_CHECK(best.n != 0);
  return best;
}

std::vector<std::vector<std::uint8_t>> place(const Plan& plan, const SegmentId& segment) {
  MHP_CHECK(plan.homes >= 1 && plan.n <= 255);
  std::vector<std::vector<std::uint8_t>> rows(plan.homes);
  const std::size_t start = IdHash{}(segment) % plan.homes;
  for (unsigned row = 0; row < plan.n; ++row) {
    rows[(start + row) % plan.homes].push_back(static_cast<std::uint8_t>(row));
  }
  return rows;
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
