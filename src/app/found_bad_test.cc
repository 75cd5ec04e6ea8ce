// What is remembered of damaged rows: until they are put again, found whole, or no longer held; over restarts.
#include "app/found_bad.h"

#include <gtest/gtest.h>

#include "platform/memory/memory_platform.h"

namespace mhp::app {
namespace {

template <class IdType>
IdType id_of(unsigned number) {
  Bytes bytes(IdType::kSizeBytes);
  bytes[0] = static_cast<std::byte>(number);
  return IdType::from_bytes(bytes);
}

class Found : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(platform_.disk().make_folder("/state")); }
  FoundBad open() { return {platform_.disk(), "/state/found"}; }
  static std::vector<std::pair<SegmentId, std::uint8_t>> of(const FoundBad& found, unsigned vault) {
    return found.page(id_of<VaultId>(vault), {}).bad;
  }

  platform::MemoryPlatform platform_{1};
  const VaultId one_ = id_of<VaultId>(1);
  const SegmentId a_ = id_of<SegmentId>(1), b_ = id_of<SegmentId>(2), c_ = id_of<SegmentId>(3);
};

TEST_F(Found, StaysTillTheRowsArePutAgain) {
  {
    FoundBad found = open();
    ASSERT_TRUE(found.note(one_, {}, a_, {3, 1}));
    ASSERT_TRUE(found.note(id_of<VaultId>(2), {}, a_, {5}));
  }
  FoundBad found = open();
  using Rows = std::vector<std::pair<SegmentId, std::uint8_t>>;
  EXPECT_EQ(of(found, 1), (Rows{{a_, 1}, {a_, 3}}));
  EXPECT_EQ(of(found, 2), (Rows{{a_, 5}})) << "each sees its own";
  EXPECT_EQ(of(found, 3), Rows{});
  ASSERT_TRUE(found.were_put(one_, a_, std::vector<std::uint8_t>{1, 2}));
  EXPECT_EQ(of(open(), 1), (Rows{{a_, 3}}));
  ASSERT_TRUE(found.were_put(one_, a_, std::vector<std::uint8_t>{3}));
  EXPECT_EQ(of(open(), 1), Rows{});
  EXPECT_EQ(open().rows(), 1U);
}

TEST_F(Found, FollowsWhatALaterReadingSays) {
  FoundBad found = open();
  for (const auto& [after, segment] : {std::pair(SegmentId(), a_), std::pair(a_, b_), std::pair(b_, c_)})
    ASSERT_TRUE(found.note(one_, after, segment, {0}));
  ASSERT_TRUE(found.note(one_, {}, a_, {0})) << "what was there before it is forgotten: nothing";
  EXPECT_EQ(found.rows(), 3U);
  ASSERT_TRUE(found.note(one_, {}, a_, {}));
  EXPECT_EQ(found.rows(), 2U) << "it was whole this time";
  ASSERT_TRUE(found.note(one_, a_, c_, {0, 1}));
  EXPECT_EQ(found.rows(), 2U) << "b is not held any more";
  ASSERT_TRUE(found.note_end(one_, a_));
  EXPECT_EQ(found.rows(), 0U);
  ASSERT_TRUE(found.note(one_, {}, a_, {0}));
  ASSERT_TRUE(found.keep_only({id_of<VaultId>(2)}));
  EXPECT_EQ(open().rows(), 0U);
}

TEST_F(Found, IsGivenInPages) {
  FoundBad found = open();
  std::vector<std::uint8_t> all(wire::kMaxRows);
  for (std::size_t row = 0; row < all.size(); ++row) all[row] = static_cast<std::uint8_t>(row);
  constexpr unsigned kSegments = 40;
  for (unsigned i = 1; i <= kSegments; ++i)
    ASSERT_TRUE(found.note(one_, id_of<SegmentId>(i - 1), id_of<SegmentId>(i), all));
  std::size_t rows = 0;
  SegmentId after;
  for (bool more = true; more;) {
    const wire::ScrubResult page = found.page(one_, after);
    ASSERT_TRUE(wire::parse_scrub_result(wire::encode(page)));
    rows += page.bad.size();
    after = page.last;
    more = page.more;
  }
  EXPECT_EQ(rows, kSegments * all.size());
}

TEST_F(Found, ADamagedFileIsLikeAnEmptyOne) {
  for (const char* text :
       {"", "{}", "{\"bad\": [1]}", "{\"bad\": [{\"vault\": \"00\", \"segment\": \"\", \"rows\": [1]}]}"}) {
    ASSERT_TRUE(platform::replace_file(platform_.disk(), "/state/found", as_bytes(text)));
    EXPECT_EQ(open().rows(), 0U) << text;
    EXPECT_EQ(parse_found_bad(text).error().code, Errc::corrupt) << text;
  }
}

}  // namespace
}  // namespace mhp::app
