// Bounds of a folder home, and the words in which a full one is told.
#include "home/impl/space_bound.h"

#include <algorithm>
#include <array>

namespace mhp::home::impl {

std::string human_bytes(std::uint64_t bytes) {
  static constexpr std::array<const char*, 6> kUnits = {"bytes", "kB", "MB", "GB", "TB", "PB"};
  std::size_t unit = 0;
  std::uint64_t scale = 1;
  while (unit + 1 < kUnits.size() && bytes / scale >= 1000) {
    scale *= 1000;
    ++unit;
  }
  std::string out = std::to_string(bytes / scale);
  if (unit > 0) out += "." + std::to_string(bytes % scale * 10 / scale);
  return out + " " + kUnits[unit];
}

Result<void> SpaceBound::ask() {
  MHP_TRY(const platform::SpaceInfo space, disk_.space(path_));
  free_ = space.free_bytes;
  written_ = 0;
  asked_ = true;
  return {};
}

Result<void> SpaceBound::check(std::uint64_t used, std::uint64_t bytes) {
  if (limits_.max_used_bytes != 0 && used + bytes > limits_.max_used_bytes) {
    return fail(Errc::full,
                path_ + " holds " + human_bytes(used) + " and may hold " + human_bytes(limits_.max_used_bytes));
  }
  const auto fits = [&] { return free_ >= limits_.min_free_bytes + written_ + bytes; };
  if (asked_ && written_ < kAskEveryBytes && fits()) return {};
  MHP_TRY_VOID(ask());
  if (fits()) return {};
  return fail(Errc::full, path_ + " has " + human_bytes(free_) + " left and keeps " +
                              human_bytes(limits_.min_free_bytes) + " free");
}

Result<std::uint64_t> SpaceBound::room(std::uint64_t used) const {
  MHP_TRY(const platform::SpaceInfo space, disk_.space(path_));
  std::uint64_t room = space.free_bytes - std::min(space.free_bytes, limits_.min_free_bytes);
  if (limits_.max_used_bytes != 0)
    room = std::min(room, limits_.max_used_bytes - std::min(used, limits_.max_used_bytes));
  return room;
}

}  // namespace mhp::home::impl
