// Who may have how much of a home.
#include "cloud/quota.h"

#include "cloud/test_cloud.h"

namespace mhp::cloud {
namespace {

constexpr std::uint64_t kLends = 50'000'000'000;  // each home of a Person

class Quota : public ::testing::Test {
 protected:
  std::uint64_t of(const Person& member, std::uint64_t lend_bytes) const {
    return quota_bytes(cloud_.roster.view(), ann_.id(), member.id(), lend_bytes);
  }
  void set_rule(std::uint32_t take_percent) { cloud_.say(ann_, wire::RuleChange{{.take_percent = take_percent}}); }
  Person ann_{"Ann"}, ben_{"Ben"}, eve_{"Eve"};
  Cloud cloud_{ann_};
};

TEST_F(Quota, OwnVaultsMayHaveAll) { EXPECT_EQ(of(ann_, kLends), kLends); }

TEST_F(Quota, OthersTakeWhatTheyGive) {
  cloud_.let_in(ann_, ben_);
  EXPECT_EQ(of(ben_, kLends), kLends);
  EXPECT_EQ(of(ben_, 10 * kLends), kLends);
  set_rule(50);
  EXPECT_EQ(of(ben_, 10 * kLends), kLends / 2);
  set_rule(4'000'000'000);
  EXPECT_EQ(of(ben_, 10 * kLends), 10 * kLends) << "no overflow, and never more than is lent";
}

TEST_F(Quota, ZeroMeansNoRule) {
  cloud_.let_in(ann_, ben_);
  set_rule(0);
  EXPECT_EQ(of(ben_, 10 * kLends), 10 * kLends);
}

TEST_F(Quota, WhatAMemberMayTakeIsSharedOutAmongHomes) {
  cloud_.let_in(ann_, ben_);
  EXPECT_EQ(of(ben_, 10 * kLends), kLends) << "one home may take all";
  cloud_.let_in(ann_, eve_);
  EXPECT_EQ(of(ben_, 10 * kLends), kLends) << "with two homes each may: they are mirrors";
  for (const Person* one : {&cem(), &dora(), &emil(), &fay()}) cloud_.let_in(ann_, *one);
  EXPECT_EQ(of(ben_, 10 * kLends), 2 * kLends / 6);
  EXPECT_EQ(of(ben_, kLends / 10), kLends / 10) << "never more than is lent";
  const View& view = cloud_.roster.view();
  std::uint64_t all = 0;
  for (const auto& [id, home] : view.homes)
    if (home.member != ben_.id()) all += quota_bytes(view, home.member, ben_.id(), home.lend_bytes);
  EXPECT_LE(all, 2 * kLends) << "in the whole cloud";
  EXPECT_GE(all, kLends) << "and it finds place for what it may store";
}

TEST_F(Quota, NobodyMakesTheShareAtAnothersHomeSmallByManyHomes) {
  cloud_.let_in(ann_, ben_);
  cloud_.let_in(ann_, eve_);
  ASSERT_EQ(of(ben_, 10 * kLends), kLends);
  const auto add_home = [&](int number) {
    const primitives::SigningKey key = test_key("Eve's home " + std::to_string(number));
    cloud_.say(eve_, wire::HomeKey{as_key(key.public_key()), "another", 1, false});
    cloud_.say(key, eve_.id(), wire::HomeAddresses{{"eve.example:7070"}});
  };
  for (int number = 0; number < 40; ++number) add_home(number);
  ASSERT_EQ(cloud_.roster.view().homes.size(), 43U);
  EXPECT_EQ(of(ben_, 10 * kLends), kLends) << "at Ann's";
  EXPECT_EQ(quota_bytes(cloud_.roster.view(), eve_.id(), ben_.id(), kLends), 2 * kLends / kMostSharing) << "at Eve's";
}

TEST_F(Quota, WhoLendsLessThanTheFloorTakesNothing) {
  cloud_.let_in(ann_, ben_);
  cloud_.say(ann_, wire::RuleChange{{.lend_floor_bytes = kLends, .take_percent = 0}});
  EXPECT_FALSE(lends_too_little(cloud_.roster.view(), ben_.id()));
  EXPECT_EQ(of(ben_, kLends), kLends);
  cloud_.say(ann_, wire::RuleChange{{.lend_floor_bytes = kLends + 1, .take_percent = 0}});
  EXPECT_TRUE(lends_too_little(cloud_.roster.view(), ben_.id()));
  EXPECT_EQ(of(ben_, kLends), 0U);
  EXPECT_EQ(quota_bytes(cloud_.roster.view(), ben_.id(), ann_.id(), kLends), 0U) << "the founder's too";
  EXPECT_EQ(of(ann_, kLends), kLends) << "at her own home";
  const primitives::SigningKey second = test_key("Ben's second home");
  cloud_.say(ben_, wire::HomeKey{as_key(second.public_key()), "cellar", 1, false});
  cloud_.say(second, ben_.id(), wire::HomeAddresses{{"ben.example:7071"}});
  EXPECT_EQ(lent_by(cloud_.roster.view(), ben_.id()), kLends + 1);
  EXPECT_EQ(of(ben_, kLends), kLends) << "his homes count together";
}

TEST_F(Quota, NothingForStrangersAndRemoved) {
  EXPECT_EQ(of(eve_, kLends), 0U);
  cloud_.let_in(ann_, ben_);
  cloud_.remove(ann_, ben_);
  EXPECT_EQ(of(ben_, kLends), 0U);
}

}  // namespace
}  // namespace mhp::cloud
