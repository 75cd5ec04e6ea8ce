// Cards are compared row by row.
#include "wire/card_agreement.h"

#include <algorithm>
#include <tuple>

namespace mhp::wire {

bool contradict(const Card& a, const Card& b) {
  if (std::tie(a.k, a.epoch, a.sealed_bytes, a.row_bytes) != std::tie(b.k, b.epoch, b.sealed_bytes, b.row_bytes)) {
    return true;
  }
  const auto both = static_cast<std::ptrdiff_t>(std::min(a.n(), b.n()));
  return !std::equal(a.fragments.begin(), a.fragments.begin() + both, b.fragments.begin());
}

}  // namespace mhp::wire
