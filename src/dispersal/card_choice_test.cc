// The card that most homes agree with is believed; versions grow by rows only.
#include "dispersal/card_choice.h"

#include <gtest/gtest.h>

namespace mhp::dispersal {
namespace {

/// Rows named by `ids`, a letter each.
wire::Card card(std::uint32_t version, std::string_view ids) {
  wire::Card out{.version = version, .k = 2, .epoch = 1, .sealed_bytes = 100, .row_bytes = 50};
  for (const char id : ids) {
    FragmentId::Array bytes{};
    bytes.fill(static_cast<std::byte>(id));
    out.fragments.push_back(FragmentId::from_array(bytes));
  }
  return out;
}

using Order = std::vector<std::size_t>;

TEST(CardChoice, ALaterVersionAddsRowsAndCounts) {
  const wire::Card first = card(1, "abcd");
  const wire::Card grown = card(2, "abcdef");
  EXPECT_FALSE(contradict(first, grown));
  EXPECT_EQ(cards_to_try({{&first, 5}, {&grown, 1}}), Order{1});
  EXPECT_EQ(cards_to_try({{&grown, 1}, {&first, 5}}), Order{0});
}

TEST(CardChoice, AHighVersionOfOneHomeProvesNothing) {
  const wire::Card first = card(1, "abcd");
  const wire::Card grown = card(2, "abcde");
  const wire::Card forged = card(1'000'000, "wxyz");
  EXPECT_TRUE(contradict(first, forged));
  EXPECT_EQ(cards_to_try({{&forged, 1}, {&first, 2}}), (Order{1, 0}));
  EXPECT_EQ(cards_to_try({{&forged, 2}, {&first, 2}, {&grown, 1}}), (Order{2, 0}));
  const wire::Card extended = card(1'000'000, "abcdz");  // right so far as most homes know, and wrong beyond
  EXPECT_EQ(cards_to_try({{&extended, 1}, {&first, 2}, {&grown, 2}}), (Order{2, 0}));
}

TEST(CardChoice, WhereHomesAreEvenBothAreTried) {
  const wire::Card first = card(1, "abcd");
  const wire::Card forged = card(7, "wxyz");
  EXPECT_EQ(cards_to_try({{&first, 1}, {&forged, 1}}), (Order{1, 0}));
  EXPECT_TRUE(cards_to_try({}).empty());
}

TEST(CardChoice, SizesAndEpochMustAgree) {
  const wire::Card first = card(1, "abcd");
  for (auto change : {+[](wire::Card& c) { c.k = 3; }, +[](wire::Card& c) { c.epoch = 2; },
                      +[](wire::Card& c) { c.sealed_bytes = 99; }, +[](wire::Card& c) { c.row_bytes = 51; }}) {
    wire::Card other = card(2, "abcd");
    change(other);
    EXPECT_TRUE(contradict(first, other));
  }
}

}  // namespace
}  // namespace mhp::dispersal
