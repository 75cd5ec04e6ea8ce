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

TEST_F(Quota, NothingForStrangersAndRemoved) {
  EXPECT_EQ(of(eve_, kLends), 0U);
  cloud_.let_in(ann_, ben_);
  cloud_.remove(ann_, ben_);
  EXPECT_EQ(of(ben_, kLends), 0U);
}

}  // namespace
}  // namespace mhp::cloud
