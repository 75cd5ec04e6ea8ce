// Homes vote.
#include "dispersal/card_choice.h"

#include <algorithm>
#include <tuple>

namespace mhp::dispersal {

/// True where another card that agrees with it names more: then that one stands for both.
static bool is_outgrown(const wire::Card& card, const std::vector<ShownCard>& shown) {
  return std::ranges::any_of(shown, [&](const ShownCard& other) {
    return other.card->version > card.version && !contradict(card, *other.card);
  });
}

std::vector<std::size_t> cards_to_try(const std::vector<ShownCard>& shown) {
  std::vector<std::size_t> agreeing(shown.size());
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < shown.size(); ++i) {
    if (!is_outgrown(*shown[i].card, shown)) order.push_back(i);
    for (const ShownCard& other : shown) {
      if (!contradict(*shown[i].card, *other.card)) agreeing[i] += other.homes;
    }
  }
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    return std::tuple(agreeing[a], shown[a].card->version, shown[a].homes, b) >
           std::tuple(agreeing[b], shown[b].card->version, shown[b].homes, a);
  });
  std::vector<std::size_t> chosen;
  for (const std::size_t i : order) {
    const bool other = std::ranges::all_of(
        chosen, [&](std::size_t earlier) { return contradict(*shown[i].card, *shown[earlier].card); });
    if (other) chosen.push_back(i);
  }
  return chosen;
}

}  // namespace mhp::dispersal
