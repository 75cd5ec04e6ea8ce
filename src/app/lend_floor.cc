// Sums, and sentences of them.
#include "app/lend_floor.h"

#include <fmt/format.h>

#include "app/text.h"
#include "cloud/quota.h"

namespace mhp::app {

std::optional<TooLittle> too_little_of(const cloud::View& view, const MemberId& member) {
  if (!view.members.contains(member) || !cloud::lends_too_little(view, member)) return std::nullopt;
  return TooLittle{view.name, view.rules.lend_floor_bytes, cloud::lent_by(view, member)};
}

std::optional<TooLittle> too_little_with(const cloud::View& view, const MemberId& member, const HomeId& home,
                                         std::uint64_t bytes) {
  cloud::View then = view;
  cloud::Home& own = then.homes[home];
  own.member = member;
  own.lend_bytes = bytes;
  return too_little_of(then, member);
}

std::string lend_argument(std::uint64_t bytes) {
  constexpr std::uint64_t kKilo = 1000;
  constexpr std::uint64_t kMega = kKilo * kKilo;
  constexpr std::uint64_t kGiga = kMega * kKilo;
  constexpr std::uint64_t kMuch = 10;
  const auto in = [bytes](std::uint64_t unit, const char* name) {
    return fmt::format("{}{}", bytes / unit + (bytes % unit == 0 ? 0 : 1), name);
  };
  if (bytes >= kMuch * kGiga || (bytes > 0 && bytes % kGiga == 0)) return in(kGiga, "G");
  return bytes >= kMuch * kMega || (bytes > 0 && bytes % kMega == 0) ? in(kMega, "M") : in(kKilo, "k");
}

std::string too_little_reason(const TooLittle& one) {
  return fmt::format(
      "in the cloud '{}' each member lends at least {}, and its computers there lend {}: its homes take nothing new "
      "from it until one of them lends {} more ('mhp up --lend')",
      printable(one.cloud), format_bytes(one.floor_bytes), format_bytes(one.lent_bytes),
      format_bytes(one.floor_bytes - one.lent_bytes));
}

std::string too_little_sentence(const TooLittle& one, std::uint64_t here_bytes) {
  return fmt::format(
      "In the cloud '{}' each member lends at least {}, and your computers there lend {}: its homes take nothing new "
      "from you. What they hold stays, and you can read it. To lend enough: 'mhp up --lend {}' on this computer.",
      printable(one.cloud), format_bytes(one.floor_bytes), format_bytes(one.lent_bytes),
      lend_argument(here_bytes + (one.floor_bytes - one.lent_bytes)));
}

}  // namespace mhp::app
