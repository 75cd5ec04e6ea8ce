// The plan: how many rows on how many homes, what it costs and what may be lost. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/result.h"

namespace mhp::dispersal {

enum class Level : std::uint8_t { thrifty = 0, normal = 1, strong = 2 };
const char* to_string(Level level);
Result<Level> parse_level(std::string_view text);

constexpr unsigned kNeed = 12;  // k
constexpr unsigned kMaxHomesPerSegment = 36;

struct Plan {
  unsigned homes = 0;  // used, at most 36
  unsigned k = kNeed;
  unsigned n = 0;
  unsigned margin = 0;                  // homes that may be lost, worst case (most rows first)
  std::vector<unsigned> rows_per_home;  // as even as possible, falling; sums to n
  unsigned owners = 0;                  // of these homes; each home of the vault's owner counts as one
  /// By position, numbered from 0, where somebody has several of the homes and so gets no more rows than most_of_one().
  /// Else empty: each has one, or there are too few owners to disperse anything.
  std::vector<std::uint32_t> owner_of;
  double expansion() const { return static_cast<double>(n) / k; }
  /// One factor only: some home, or the homes of one person together, could be k rows.
  bool sealed_mirror() const { return owners <= 2; }
  friend bool operator==(const Plan&, const Plan&) = default;
};

/// The most rows that one home, and all homes of one other person together, get of a segment where there are at least
/// three owners: fewer than k (it could read with a stolen key), and not more than n - k (it could destroy).
constexpr unsigned most_of_one(unsigned n, unsigned k) { return n - k < k - 1 ? n - k : k - 1; }

/// The plan for `usable_homes` (1 to 255; more than 36 are capped) at a level. Table: docs/design.md.
Plan make_plan(Level level, unsigned usable_homes);
/// The same for homes of several people. `owners`: of each home, in order; 0: the vault's owner, whose homes each count
/// as one, else a number for each other person. Where nobody else has more than one, it is the plan for their number.
Plan make_plan(Level level, std::span<const std::uint32_t> owners);

/// Which rows each of plan.homes positions gets of one segment. Rotates by the segment's id so that reading and the odd
/// rows spread evenly. Every row 0..n-1 exactly once.
std::vector<std::vector<std::uint8_t>> place(const Plan& plan, const SegmentId& segment);

/// What all placements of a plan have in common: whichever homes get the rows that do not come out even.
struct Parts {
  std::vector<unsigned> least;       // rows by position
  std::vector<std::size_t> pool_of;  // by position: which of `more` its further row, at most one, comes from
  std::vector<unsigned> more;        // rows that are left, by pool
  std::vector<std::size_t> owner;    // by position
  std::vector<unsigned> most_more;   // of these, by owner
};
Parts parts_of(const Plan& plan);

/// One home's part in a segment's safety.
struct RowsAt {
  std::uint32_t domain = 0;  // homes of one domain (disk) are lost together
  bool counts = true;        // false: on the source's own disk
  std::vector<std::uint8_t> rows;
};
/// How many domains may be lost in the worst case with `k` distinct rows left: exact for rows held once, a safe lower
/// bound where rows are held twice. 0 also where nothing may be lost; -1 where fewer than k distinct rows are there at
/// all.
int margin_of(std::span<const RowsAt> homes, unsigned k);

/// Chance that at least k rows can be read when each home is up with probability `up` independently.
double restore_chance(const Plan& plan, double up);

}  // namespace mhp::dispersal
