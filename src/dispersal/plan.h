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
  double expansion() const { return static_cast<double>(n) / k; }
  bool sealed_mirror() const { return homes <= 2; }  // one factor only: each home could be k rows
  friend bool operator==(const Plan&, const Plan&) = default;
};

/// The plan for `usable_homes` (1 to 255; more than 36 are capped) at a level. Table: docs/design.md.
Plan make_plan(Level level, unsigned usable_homes);

/// Which rows each of plan.homes positions gets of one segment. Rotates by the segment's id so that reading and the odd
/// rows spread evenly. Every row 0..n-1 exactly once.
std::vector<std::vector<std::uint8_t>> place(const Plan& plan, const SegmentId& segment);

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
