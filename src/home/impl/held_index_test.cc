// What the index of a home's logs says of records that do not count.
#include "home/impl/held_index.h"

#include <gtest/gtest.h>

namespace mhp::home::impl {
namespace {

TEST(HeldIndex, WhatIsSetAsideCountsInNoAnswer) {
  HeldIndex index;
  const HeldKey key{};
  const auto add = [&](std::uint64_t offset, std::uint32_t version, std::vector<std::uint8_t> rows) {
    FoundRecord record;
    record.place = {1, offset};
    record.record_bytes = 8192;
    record.front_bytes = 256;
    record.card_version = version;
    for (const std::uint8_t row : rows) record.rows.push_back({row, 4096, 64});
    index.add(record);
  };
  add(4096, 1, {0, 1, 2});
  add(12'288, 9, {2, 3, 4});
  EXPECT_EQ(index.row_numbers(key), (std::vector<std::uint8_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(index.to_judge(key).size(), 2U);
  const std::vector<wire::LogPlace> aside{{1, 12'288}};
  index.note_judged(key, aside);
  EXPECT_TRUE(index.to_judge(key).empty());
  EXPECT_EQ(index.row_numbers(key), (std::vector<std::uint8_t>{0, 1, 2}));
  EXPECT_EQ(index.rows(key).size(), 3U);
  EXPECT_FALSE(index.row(key, 3));
  EXPECT_EQ(index.row(key, 2)->place, (wire::LogPlace{1, 8192}));
  EXPECT_EQ(index.card_version(key), 1U);
  EXPECT_EQ(index.fronts(key).size(), 1U);
}

}  // namespace
}  // namespace mhp::home::impl
