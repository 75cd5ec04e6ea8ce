// What a home lends by the rules of its clouds, and for how long it holds what their members let go.
#include "app/lent_space.h"

#include <gtest/gtest.h>

#include "app/lend_floor.h"
#include "app/text.h"
#include "cloud/test_cloud.h"
#include "platform/memory/memory_platform.h"

namespace mhp::app {
namespace {

using cloud::Person;

constexpr std::uint64_t kLends = 50'000'000'000;  // each home of a Person
constexpr std::uint64_t kDayS = 86'400;

VaultId vault_no(unsigned number) {
  VaultId::Array bytes{};
  bytes[0] = static_cast<std::byte>(number);
  return VaultId::from_array(bytes);
}

wire::Rules hold_of(std::uint64_t days, std::uint64_t floor_bytes = 0) {
  return {.lend_floor_bytes = floor_bytes, .take_percent = 0, .minimum_hold_s = days * kDayS};
}

/// Ann's home, in one cloud with Ben and in another with Ben, too, who has another key there.
class Lent : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(machine_.disk().make_folder("/state"));
    lindenweg_.let_in(ann(), cloud::ben());
    keep(lindenweg_);
  }
  static const Person& ann() { return cloud::ann(); }
  void keep(const cloud::Cloud& cloud) { ASSERT_TRUE(book_.add(cloud.roster)); }
  void rule(cloud::Cloud& cloud, const wire::Rules& rules) {
    cloud.say(ann(), wire::RuleChange{rules});
    keep(cloud);
  }
  LentSpace open(std::uint64_t lend_bytes = kLends) {
    return {machine_.disk(), "/state/owners", book_, {ann().home_id(), lend_bytes}, [this](const HomeId& peer) {
              return book_.belongings(peer);
            }};
  }
  static const HomeId& ben() {
    static const HomeId id = cloud::ben().home_id();
    return id;
  }

  platform::MemoryPlatform machine_{1};
  cloud::Book book_{machine_.disk(), "/state/clouds"};
  cloud::Cloud lindenweg_{ann(), hold_of(30)};
};

TEST_F(Lent, HoldsAsLongAsTheRuleOfTheOwnersCloud) {
  LentSpace space = open();
  ASSERT_TRUE(space.note_owner(ben(), vault_no(1)));
  EXPECT_EQ(space.least_hold_s(vault_no(1)), 30 * kDayS);
  rule(lindenweg_, hold_of(90));
  ASSERT_TRUE(space.follow_rules());
  EXPECT_EQ(space.least_hold_s(vault_no(1)), 90 * kDayS);
  rule(lindenweg_, hold_of(60));
  ASSERT_TRUE(space.follow_rules());
  EXPECT_EQ(space.least_hold_s(vault_no(1)), 60 * kDayS) << "for what is let go from then on";
}

TEST_F(Lent, KeepsTheRuleOfWhoWasRemoved) {
  {
    LentSpace space = open();
    ASSERT_TRUE(space.note_owner(ben(), vault_no(1)));
    rule(lindenweg_, hold_of(90));
    ASSERT_TRUE(space.follow_rules());
    lindenweg_.remove(ann(), cloud::ben());
    rule(lindenweg_, hold_of(30));
    ASSERT_TRUE(space.follow_rules());
    EXPECT_EQ(space.least_hold_s(vault_no(1)), 90 * kDayS);
  }
  EXPECT_EQ(open().least_hold_s(vault_no(1)), 90 * kDayS) << "after a restart, too";
  ASSERT_TRUE(book_.drop(lindenweg_.roster.cloud()));
  EXPECT_EQ(open().least_hold_s(vault_no(1)), 90 * kDayS) << "and where this computer has left that cloud";
}

TEST_F(Lent, OfTwoCloudsTheLongestHoldCounts) {
  cloud::Cloud work(ann(), hold_of(120));
  work.let_in(ann(), cloud::ben());
  keep(work);
  LentSpace space = open();
  ASSERT_TRUE(space.note_owner(ben(), vault_no(1)));
  EXPECT_EQ(space.least_hold_s(vault_no(1)), 120 * kDayS);
  rule(lindenweg_, hold_of(365));
  ASSERT_TRUE(space.follow_rules());
  EXPECT_EQ(space.least_hold_s(vault_no(1)), 365 * kDayS);
  EXPECT_EQ(space.least_hold_s(vault_no(2)), 365 * kDayS) << "whose owner nobody knows";
}

TEST_F(Lent, ADamagedFileShortensNoHold) {
  rule(lindenweg_, hold_of(90));
  ASSERT_TRUE(open().note_owner(ben(), vault_no(1)));
  ASSERT_TRUE(platform::replace_file(machine_.disk(), "/state/owners", as_bytes("{\"owners\": 7}")));
  LentSpace space = open();
  EXPECT_TRUE(space.was_damaged());
  EXPECT_EQ(space.least_hold_s(vault_no(1)), 90 * kDayS);
  ASSERT_TRUE(space.note_owner(ben(), vault_no(2)));
  EXPECT_FALSE(open().was_damaged()) << "written anew";
}

TEST_F(Lent, VaultsOfOneMemberCountTogether) {
  LentSpace space = open();
  lindenweg_.let_in(ann(), cloud::cem());
  keep(lindenweg_);
  ASSERT_TRUE(space.note_owner(ben(), vault_no(1)));
  ASSERT_TRUE(space.note_owner(ben(), vault_no(2)));
  ASSERT_TRUE(space.note_owner(cloud::cem().home_id(), vault_no(3)));
  EXPECT_EQ(space.counted_with(ben(), vault_no(1)), std::vector{vault_no(2)});
  EXPECT_EQ(space.counted_with(ben(), vault_no(4)), (std::vector{vault_no(1), vault_no(2)})) << "that is new";
  EXPECT_EQ(space.counted_with(cloud::cem().home_id(), vault_no(3)), std::vector<VaultId>{});
  EXPECT_EQ(open().counted_with(ben(), vault_no(1)), std::vector{vault_no(2)}) << "after a restart";
}

TEST_F(Lent, OneMemberHasABoundedNumberOfVaults) {
  LentSpace space = open();
  for (unsigned number = 0; number < VaultOwners::kMaxOfMember; ++number)
    ASSERT_TRUE(space.note_owner(ben(), vault_no(number)));
  const auto more = space.note_owner(ben(), vault_no(200));
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Errc::full);
  EXPECT_TRUE(space.note_owner(ben(), vault_no(3))) << "that is known";
}

TEST_F(Lent, NothingToWhoLendsTooLittleAndItSaysSo) {
  LentSpace space = open();
  EXPECT_EQ(space.quota_bytes(ben()), kLends);
  EXPECT_EQ(space.why_nothing(ben()), "");
  rule(lindenweg_, hold_of(30, 2 * kLends));
  EXPECT_EQ(space.quota_bytes(ben()), 0U);
  EXPECT_NE(space.why_nothing(ben()).find("at least 100 GB, and its computers there lend 50.0 GB"), std::string::npos)
      << space.why_nothing(ben());
  cloud::Cloud work(ann(), hold_of(31));
  work.let_in(ann(), cloud::ben());
  keep(work);
  EXPECT_EQ(space.quota_bytes(ben()), kLends) << "another cloud that both are in has no such rule";
  EXPECT_EQ(space.why_nothing(ben()), "");
}

TEST_F(Lent, SaysWhatToRun) {
  rule(lindenweg_, hold_of(30, 60'000'000'000));
  const cloud::View& view = lindenweg_.roster.view();
  const auto now = too_little_of(view, cloud::ben().id());
  ASSERT_TRUE(now);
  EXPECT_EQ(now->lent_bytes, kLends);
  EXPECT_NE(too_little_sentence(*now, kLends).find("'mhp up --lend 60G'"), std::string::npos);
  EXPECT_NE(too_little_sentence(*now, 0).find("'mhp up --lend 10G'"), std::string::npos) << "beside another computer";
  EXPECT_FALSE(too_little_with(view, cloud::ben().id(), ben(), 60'000'000'000));
  EXPECT_TRUE(too_little_with(view, cloud::ben().id(), ben(), 59'999'999'999));
  EXPECT_FALSE(too_little_with(view, cloud::ben().id(), cloud::dora().home_id(), 10'000'000'000)) << "one home more";
  EXPECT_FALSE(too_little_of(view, cloud::fay().id()));
}

TEST(LendArgument, IsNotLessAndIsRead) {
  for (const std::uint64_t bytes : {0ull, 1ull, 999ull, 1'000'000ull, 10'000'001ull, 1'000'000'000ull, 1'500'000'000ull,
                                    12'345'678'901ull, 50'000'000'000ull}) {
    const auto read = parse_size(lend_argument(bytes));
    ASSERT_TRUE(read) << lend_argument(bytes);
    EXPECT_GE(*read, bytes);
    EXPECT_LE(*read, bytes + bytes / 10 + 1000);
  }
  EXPECT_EQ(lend_argument(50'000'000'000), "50G");
}

}  // namespace
}  // namespace mhp::app
