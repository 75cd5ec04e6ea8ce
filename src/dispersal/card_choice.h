// Which of several cards of one segment to believe. Pure.
#pragma once

#include <vector>

#include "wire/card_agreement.h"

namespace mhp::dispersal {

/// A card with a good signature, and how many homes show it.
struct ShownCard {
  const wire::Card* card = nullptr;
  std::size_t homes = 0;
};

/// Indexes of `shown`, the one to believe first; the others, in order, contradict all that stand before them. Whoever
/// has the key of a device that was shut out can still sign cards: a high version alone proves nothing. So the card
/// that most homes agree with counts, in the highest version that agrees with it. Where homes are even (two homes, one
/// lies), a reader tries the next.
std::vector<std::size_t> cards_to_try(const std::vector<ShownCard>& shown);

}  // namespace mhp::dispersal
