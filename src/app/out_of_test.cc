// Who is out of a cloud is told by whom, and what helps: decided from rosters alone.
#include "app/out_of.h"

#include "cloud/test_cloud.h"

namespace mhp::app {
namespace {

using cloud::ann;
using cloud::ben;
using cloud::cem;
using cloud::Person;

class Out : public ::testing::Test {
 protected:
  Out() {
    cloud_.let_in(ann(), ben());
    cloud_.let_in(ann(), cem());
    cloud_.say(ann(), wire::Promotion{ben().id()});
  }
  std::optional<OutOf> of(const Person& person) const { return out_of(cloud_.roster, person.key, person.home_key()); }
  static bool says(const OutOf& out, const std::string& words) {
    return out_sentence(out).find(words) != std::string::npos;
  }
  cloud::Cloud cloud_{ann()};
};

TEST_F(Out, IsNobodyWhoIsIn) {
  for (const Person* one : {&ann(), &ben(), &cem()}) EXPECT_FALSE(of(*one));
  EXPECT_FALSE(of(cloud::dora()));
  EXPECT_EQ(json_out(std::nullopt), nullptr);
}

TEST_F(Out, IsWhoWasRemoved) {
  cloud_.remove(ben(), cem());
  const auto out = of(cem());
  ASSERT_TRUE(out);
  EXPECT_EQ(out->by, std::vector<std::string>{"Ben"});
  EXPECT_FALSE(out->is_computer || out->can_answer);
  EXPECT_TRUE(says(*out, "removed from the cloud 'Lindenweg' by 'Ben'") && says(*out, "ask for a new code"));
  EXPECT_FALSE(says(*out, "members remove"));
  EXPECT_EQ(json_out(out)["what"], "member");
}

TEST_F(Out, TheFounderCanAnswer) {
  cloud_.remove(ben(), ann());
  const auto out = of(ann());
  ASSERT_TRUE(out && out->can_answer);
  EXPECT_TRUE(says(*out, "'mhp members remove " + ben().id().hex().substr(0, 8) + "' takes 'Ben' out"));
  EXPECT_TRUE(can_answer(cloud_.roster, ann().key, {ben().id()}));
  EXPECT_FALSE(can_answer(cloud_.roster, ann().key, {cem().id()})) << "he has done nothing";
  cloud_.say(ann(), cloud_.roster.removal_in_answer(ann().id(), ben().id()));
  EXPECT_FALSE(of(ann()));
  ASSERT_TRUE(of(ben()));
  EXPECT_FALSE(of(ben())->can_answer);
}

TEST_F(Out, TheFounderCanAnswerSeveralTogether) {
  cloud_.say(ann(), wire::Promotion{cem().id()});
  const Bytes by_cem = cloud_.roster.say(cem().key, cem().id(), cloud_.removal_of(ann()));
  cloud_.remove(ben(), ann());
  ASSERT_TRUE(take(cloud_.roster, by_cem).idle.empty());
  const auto out = of(ann());
  ASSERT_TRUE(out && out->can_answer && out->by.size() == 2);
  EXPECT_FALSE(can_answer(cloud_.roster, ann().key, {ben().id()})) << "Cem's stands";
  for (const Person* one : {&ben(), &cem()}) EXPECT_TRUE(says(*out, " " + one->id().hex().substr(0, 8)));
}

TEST_F(Out, AnEqualCannot) {
  cloud_.say(ann(), wire::Promotion{cem().id()});
  cloud_.remove(cem(), ben());
  ASSERT_TRUE(of(ben()));
  EXPECT_FALSE(of(ben())->can_answer) << "both would be out";
}

TEST_F(Out, IsAComputerThatWasTakenOut) {
  cloud_.say(ann(), cloud_.roster.removal(wire::Removal::What::key, cem().id(), cem().home_key()));
  const auto out = of(cem());
  ASSERT_TRUE(out && out->is_computer);
  EXPECT_TRUE(says(*out, "This computer was taken out") && says(*out, "mhp recover --state NEW-FOLDER"));
  EXPECT_FALSE(out_of(cloud_.roster, cem().key, cem().device_key())) << "on another computer he is in";
}

TEST_F(Out, IsWhoHasANewKeyThatNoHomeHasTaken) {
  cloud_.remove(ann(), cem());
  const primitives::SigningKey anew(primitives::Key{std::byte{9}});
  EXPECT_FALSE(out_of(cloud_.roster, anew, cem().home_key()));
  const auto out = not_in(cloud_.roster, anew, cem().home_key());
  ASSERT_TRUE(out && out->is_joining);
  EXPECT_TRUE(says(*out, "You are not in the cloud") && says(*out, "Run 'mhp join' again"));
  EXPECT_FALSE(not_in(cloud_.roster, ben().key, ben().home_key())) << "he is in";
}

TEST_F(Out, IsWhoLeftElsewhere) {
  cloud_.say(cem(), cloud_.roster.removal(wire::Removal::What::member, cem().id()));
  const auto out = of(cem());
  ASSERT_TRUE(out && out->by.empty());
  EXPECT_TRUE(says(*out, "from another computer of yours"));
}

}  // namespace
}  // namespace mhp::app
