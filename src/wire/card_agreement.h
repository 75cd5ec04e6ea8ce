// Whether two cards of one segment can both be true.
#pragma once

#include "wire/card.h"

namespace mhp::wire {

/// True where a row, a size or the key epoch differs: one of the two is not the owner's. A later version only adds
/// rows.
bool contradict(const Card& a, const Card& b);

}  // namespace mhp::wire
