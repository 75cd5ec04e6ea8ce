// A member who lends less than a cloud asks of each: homes of others take nothing from it. What it is told.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "cloud/roster.h"

namespace mhp::app {

/// How far a member is from what the rule asks.
struct TooLittle {
  std::string cloud{};  // its name
  std::uint64_t floor_bytes = 0;
  std::uint64_t lent_bytes = 0;  // by all its homes there
  friend bool operator==(const TooLittle&, const TooLittle&) = default;
};

/// Nothing: it lends enough, or is not in the cloud. Pure.
std::optional<TooLittle> too_little_of(const cloud::View& view, const MemberId& member);
/// The same, were `bytes` lent by this home of the member.
std::optional<TooLittle> too_little_with(const cloud::View& view, const MemberId& member, const HomeId& home,
                                         std::uint64_t bytes);
/// The rule and what it means, and what to run on a computer that lends `here_bytes` of what the member lends.
std::string too_little_sentence(const TooLittle& one, std::uint64_t here_bytes);
/// The same for the member, by another's home: it does not know at which computer he sits.
std::string too_little_reason(const TooLittle& one);
/// As --lend takes it: not less than these bytes, and not much more.
std::string lend_argument(std::uint64_t bytes);

}  // namespace mhp::app
