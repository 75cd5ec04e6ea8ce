// The index in files finds what the index in memory finds, and damage is noticed.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "platform/memory/memory_platform.h"
#include "vault/impl/context.h"
#include "vault/impl/index_loader.h"
#include "vault/testing/world.h"

namespace mhp::vault::impl {
namespace {

/// So small that a few hundred chunks make many runs.
constexpr IndexLimits kSmall{.young_chunks = 10, .chunks_of_run = 100, .runs = 3, .growth = 3};

class IndexFiles : public ::testing::Test {
 protected:
  std::uint64_t draw(std::uint64_t below) { return from_little_endian<std::uint64_t>(random_.array<8>()) % below; }

  wire::IndexedSegment segment(std::size_t chunks) {
    wire::IndexedSegment out{.segment = SegmentId::from_array(random_.array<32>()), .plain_bytes = 64 << 10};
    out.epoch = static_cast<std::uint32_t>(1 + draw(3));
    auto bundles = static_cast<std::uint32_t>(1 + draw(5));
    for (std::uint32_t i = 0; i < bundles; ++i) {
      out.directory.bundles.push_back(
          {.offset = i * 1000, .stored_bytes = 900 + i, .plain_bytes = 900 + 2 * i, .compressed = i > 0});
    }
    for (std::size_t i = 0; i < chunks; ++i) {
      wire::ChunkEntry entry{.id = ChunkId::from_array(random_.array<32>()),
                             .bundle = static_cast<std::uint32_t>(draw(bundles)),
                             .offset = static_cast<std::uint32_t>(draw(800))};
      entry.bytes = static_cast<std::uint32_t>(1 + draw(100));
      out.directory.chunks.push_back(entry);
    }
    return out;
  }

  /// A part with a name of its own; `big`: it stays, as far as the loader knows.
  void add_part(bool big, std::vector<wire::IndexedSegment> segments) {
    KnownPart known{.ref = {.segment = {}, .chunk = ChunkId::from_array(random_.array<32>())}};
    encoded_[known.ref.chunk] = big ? kSmallPartBytes : 1000;
    content_[known.ref.chunk] = wire::IndexPart{.segments = std::move(segments)};
    parts_.push_back(known);
  }
  void add_parts(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      std::vector<wire::IndexedSegment> segments;
      for (std::size_t j = draw(4); j > 0; --j) segments.push_back(segment(1 + draw(60)));
      add_part(draw(4) != 0, std::move(segments));
    }
  }

  /// Loads all; how many parts had to be given to the loader.
  std::size_t load(const IndexLimits& limits = kSmall) {
    for (KnownPart& part : parts_) part.bytes = 0;
    IndexLoader loader(state_, limits);
    std::vector<std::size_t> missing = loader.begin(parts_);
    for (std::size_t i : missing) {
      parts_[i].bytes = encoded_[parts_[i].ref.chunk];
      EXPECT_TRUE(loader.take(parts_[i], content_[parts_[i].ref.chunk]));
    }
    auto index = loader.end();
    EXPECT_TRUE(index);
    if (index) index_ = std::move(*index);
    for (const KnownPart& part : parts_) EXPECT_EQ(part.bytes, encoded_[part.ref.chunk]);
    return missing.size();
  }

  /// Every chunk of every part is found where one of them has it, and nothing else.
  void expect_all() {
    std::map<ChunkId, std::vector<std::pair<SegmentId, wire::ChunkEntry>>> places;
    std::map<SegmentId, wire::IndexedSegment> segments;
    for (const KnownPart& part : parts_) {
      for (const auto& segment : content_[part.ref.chunk].segments) {
        segments.emplace(segment.segment, segment);
        for (const auto& chunk : segment.directory.chunks) places[chunk.id].emplace_back(segment.segment, chunk);
      }
    }
    std::set<std::uint64_t> numbers;
    for (const auto& [id, wanted] : places) {
      auto found = index_.find(id);
      ASSERT_TRUE(found);
      EXPECT_TRUE(index_.can_refer_to(id));
      EXPECT_LT(found->number, index_.chunk_numbers());
      EXPECT_TRUE(numbers.insert(found->number).second);
      auto segment = index_.segment(found->place.segment);
      ASSERT_TRUE(segment);
      const wire::IndexedSegment& whole = segments.at(segment->id);
      EXPECT_EQ(segment->bundles, whole.directory.bundles);
      EXPECT_EQ(segment->plain_bytes, whole.plain_bytes);
      EXPECT_EQ(segment->epoch, whole.epoch);
      wire::ChunkEntry entry{.id = id, .bundle = found->place.bundle, .offset = found->place.offset};
      entry.bytes = found->place.bytes;
      EXPECT_NE(std::ranges::find(wanted, std::pair(segment->id, entry)), wanted.end());
    }
    for (int i = 0; i < 100; ++i) EXPECT_FALSE(index_.find(ChunkId::from_array(random_.array<32>())));
    expect_enumeration(places.size(), segments);
  }

  void expect_enumeration(std::size_t chunks, const std::map<SegmentId, wire::IndexedSegment>& segments) {
    std::set<SegmentId> told;
    auto see_segment = [&](std::uint32_t number, const SegmentId& id) {
      EXPECT_LT(number, index_.segment_numbers());
      EXPECT_TRUE(segments.contains(id));
      EXPECT_TRUE(index_.has_segment(id));
      told.insert(id);
    };
    ASSERT_TRUE(index_.each_segment(see_segment));
    EXPECT_EQ(told.size(), segments.size());
    std::set<ChunkId> seen;
    auto see_chunk = [&](std::uint64_t number, const ChunkSlot& slot) {
      seen.insert(slot.id);
      EXPECT_LT(slot.segment, index_.segment_numbers());
      auto found = index_.find(slot.id);
      ASSERT_TRUE(found);
      if (found->place.segment == slot.segment) EXPECT_EQ(found->number, number);
    };
    ASSERT_TRUE(index_.each_chunk(see_chunk));
    EXPECT_EQ(seen.size(), chunks);
  }

  std::vector<std::string> files() {
    auto names = platform_.disk().list(state_.cache_folder());
    return names ? *names : std::vector<std::string>();
  }

  platform::MemoryPlatform platform_{testing::seed_of_run()};
  platform::Random& random_ = platform_.random();
  State state_{platform_.disk(), "/state"};
  std::vector<KnownPart> parts_;
  std::map<ChunkId, wire::IndexPart> content_;
  std::map<ChunkId, std::size_t> encoded_;
  Index index_;
};

TEST_F(IndexFiles, FindWhatThePartsHold) {
  EXPECT_EQ(load(), 0u);
  expect_all();
  for (int round = 0; round < 6; ++round) {
    add_parts(1 + draw(8));
    load();
    expect_all();
    index_.prepare_questions();
    expect_all();
  }
  EXPECT_FALSE(index_.runs().empty());
  EXPECT_LE(index_.runs().size(), 2 * kSmall.runs);
  for (const auto& name : files()) EXPECT_TRUE(IndexLoader::is_run(name) && !name.ends_with(".new")) << name;
}

TEST_F(IndexFiles, NothingIsReadTwice) {
  add_parts(40);
  EXPECT_EQ(load(), 40u);
  EXPECT_LE(index_.young().chunks().size(), kSmall.young_chunks);
  std::size_t again = load();
  EXPECT_LT(again, 5u);  // what was too little for a file
  expect_all();
  add_part(true, {segment(30)});
  EXPECT_EQ(load(), again + 1);
  expect_all();
}

TEST_F(IndexFiles, PartsThatAreNoLongerListedAreNotServed) {
  add_parts(30);
  load();
  while (parts_.size() > 5) {
    for (int i = 0; i < 5; ++i) parts_.erase(parts_.begin() + static_cast<std::ptrdiff_t>(draw(parts_.size())));
    load();
    expect_all();
  }
}

TEST_F(IndexFiles, OfAChunkWithTwoPlacesTheOneThatIsNotGoneCounts) {
  wire::IndexedSegment first = segment(50), second = segment(50);
  for (std::size_t i = 0; i < 50; ++i) second.directory.chunks[i].id = first.directory.chunks[i].id;
  add_part(true, {first});
  load();
  add_part(draw(2) == 0, {second});
  load();
  expect_all();
  for (const SegmentId& gone : {first.segment, second.segment}) {
    index_.set_gone({gone});
    for (const auto& chunk : first.directory.chunks) {
      EXPECT_TRUE(index_.can_refer_to(chunk.id));
      EXPECT_NE(index_.segment(index_.find(chunk.id)->place.segment)->id, gone);
    }
  }
  index_.set_gone({first.segment, second.segment});
  for (const auto& chunk : first.directory.chunks) {
    EXPECT_FALSE(index_.can_refer_to(chunk.id));
    EXPECT_TRUE(index_.find(chunk.id));
  }
}

TEST_F(IndexFiles, EveryPlaceOfAChunkIsFound) {
  for (const IndexLimits& limits : {kSmall, IndexLimits{}}) {  // in files, in memory
    wire::IndexedSegment first = segment(50), second = segment(50);
    for (std::size_t i = 0; i < 50; ++i) second.directory.chunks[i].id = first.directory.chunks[i].id;
    parts_.clear();
    add_part(true, {first});
    add_part(true, {second});
    load(limits);
    for (const auto& chunk : first.directory.chunks) {
      auto one = index_.find(chunk.id);
      ASSERT_TRUE(one);
      auto other = index_.find_other(chunk.id, {one->place.segment});
      ASSERT_TRUE(other);
      std::set<SegmentId> found{index_.segment(one->place.segment)->id, index_.segment(other->segment)->id};
      EXPECT_EQ(found, (std::set{first.segment, second.segment}));
      EXPECT_FALSE(index_.find_other(chunk.id, {one->place.segment, other->segment}));
    }
  }
}

/// A damaged file says so, or what was damaged does not matter; it never gives a wrong place.
TEST_F(IndexFiles, DamageIsNoticedAndMadeGood) {
  add_parts(12);
  for (int round = 0; round < 60; ++round) {
    load();
    std::vector<std::string> names = files();
    ASSERT_FALSE(names.empty());
    std::string path = state_.cache_folder() + "/" + names[draw(names.size())];
    auto size = platform_.disk().info(path);
    ASSERT_TRUE(size);
    if (draw(4) == 0) {
      auto file = platform_.disk().open(path, platform::Open::write);
      ASSERT_TRUE(file);
      ASSERT_TRUE((*file)->truncate(draw(size->size)));
    } else {
      platform_.memory_disk().flip_bit(path, draw(size->size * 8));
    }
    bool before = draw(2) == 0;  // damaged while it is open, or opened damaged
    if (!before) load();
    if (draw(2) == 0) index_.prepare_questions();
    for (const KnownPart& part : parts_) {
      for (const auto& segment : content_[part.ref.chunk].segments) {
        for (const auto& chunk : segment.directory.chunks) {
          auto found = index_.find(chunk.id);
          if (!found) {
            EXPECT_TRUE(index_.damaged());
            continue;
          }
          auto place = index_.segment(found->place.segment);
          if (!place) continue;
          EXPECT_EQ(place->id, segment.segment);
          EXPECT_EQ(place->bundles, segment.directory.bundles);
          EXPECT_EQ(found->place.offset, chunk.offset);
        }
      }
    }
    auto listed = index_.each_chunk([](std::uint64_t, const ChunkSlot&) {});
    auto segments = index_.each_segment([](std::uint32_t, const SegmentId&) {});
    if (!listed || !segments) EXPECT_TRUE(index_.damaged());
    load();
    index_.prepare_questions();  // reads the filters, which nothing else does
    if (index_.damaged()) load();
    expect_all();
    if (HasFatalFailure()) return;
  }
}

/// A disk that takes nothing: all stays in memory.
TEST_F(IndexFiles, AFullDiskCostsMemoryOnly) {
  platform_.memory_disk().set_faults({.capacity_bytes = 3000});
  add_parts(40);
  EXPECT_EQ(load(), 40u);
  EXPECT_TRUE(index_.runs().empty());
  expect_all();
  EXPECT_EQ(load(), 40u);
}

}  // namespace
}  // namespace mhp::vault::impl
