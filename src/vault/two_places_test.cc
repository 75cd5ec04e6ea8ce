// A chunk that lies in two segments comes from the other one where the first is beyond repair.
#include <gtest/gtest.h>

#include "vault/impl/vault_impl.h"
#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

using testing::Files;
using testing::World;

/// The segments that hold a chunk, as `computer` sees it.
std::vector<SegmentId> segments_of(World& world, const std::string& computer, const ChunkId& chunk) {
  auto session = world.open(computer);
  EXPECT_TRUE(session) << session.error().detail;
  auto& vault = static_cast<impl::VaultImpl&>(*session->vault);
  std::vector<SegmentId> out;
  std::vector<std::uint32_t> numbers;
  for (auto place = vault.place_of(chunk); place; place = vault.other_place_of(chunk, numbers)) {
    numbers.push_back(place->segment);
    out.push_back(vault.index_.segment(place->segment)->id);
  }
  return out;
}

TEST(TwoPlaces, WhatOneSegmentDoesNotGiveComesFromTheOther) {
  for (std::size_t first : {0u, 1u}) {
    World world(testing::seed_of_run());
    world.init("a");
    ASSERT_TRUE(testing::save(world, "a", testing::few_files(world)));
    world.recover("b", 0, Earlier::keep);
    ASSERT_TRUE(testing::save(world, "b", testing::few_files(world)));  // a new computer takes over what it finds
    const Files files = testing::few_files(world);
    {
      auto beside = world.open("b");  // it does not see what "a" stores meanwhile
      ASSERT_TRUE(beside) << beside.error().detail;
      ASSERT_TRUE(testing::save(world, "a", files));
      auto saved = world.run(testing::back_up(world.platform(), *beside->vault, files));
      ASSERT_TRUE(saved) << saved.error().detail;
      EXPECT_GT(saved->totals.new_bytes, 70'000u);
    }
    auto list = [&] {
      auto session = world.open("a");
      EXPECT_TRUE(session);
      return session->vault->snapshots().back().page_list;
    }();
    const std::vector<SegmentId> segments = segments_of(world, "a", list);
    ASSERT_EQ(segments.size(), 2u);
    world.spoil_segment(segments[first]);
    for (const char* computer : {"a", "b"}) {
      testing::expect_snapshot(world, computer, 2, files);
      testing::expect_snapshot(world, computer, 3, files);
    }
    world.spoil_segment(segments[1 - first]);
    auto session = world.open("a");
    ASSERT_TRUE(session);
    EXPECT_FALSE(world.run(testing::read_back(*session->vault, session->vault->snapshots().back())));
  }
}

}  // namespace
}  // namespace mhp::vault
