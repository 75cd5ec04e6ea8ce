// Removals told to those they are about: what proves them, what answers them, and what is taken from who is out.
#include <algorithm>

#include "cloud/test_cloud.h"

namespace mhp::cloud {
namespace {

using wire::Removal;

Merged take_all(Roster& roster, const wire::Statements& statements) { return roster.merge(statements.statements); }

std::vector<TakenOut> against(const Roster& roster, const Person& person) {
  return roster.taken_out(person.id(), person.home_key());
}

/// The kinds of act, rising.
std::vector<std::size_t> acts_in(const wire::Statements& statements) {
  std::vector<std::size_t> out;
  for (const Bytes& encoded : statements.statements)
    out.push_back(wire::parse_statement(wire::parse_signed(encoded, encoded.size())->body)->act.index());
  std::ranges::sort(out);
  return out;
}

/// Ann founded, Ben is an admin by promotion, Cem and Dora are members.
class Removals : public ::testing::Test {
 protected:
  Removals() {
    cloud_.let_in(ann(), ben());
    cloud_.let_in(ann(), cem());
    cloud_.let_in(ann(), dora());
    cloud_.say(ann(), wire::Promotion{ben().id()});
  }
  Cloud cloud_{ann()};
};

TEST_F(Removals, AreProvedByWhatTheyRestOnAndNothingElse) {
  Roster of_cem = cloud_.roster;
  cloud_.remove(ben(), cem());
  cloud_.say(ann(), wire::RuleChange{{.open = true}});
  cloud_.let_in(ben(), emil());
  const auto removals = against(cloud_.roster, cem());
  ASSERT_EQ(removals.size(), 1U);
  EXPECT_EQ(removals[0].by, ben().id());
  EXPECT_EQ(removals[0].what, Removal::What::member);
  const wire::Statements grounds = cloud_.roster.grounds_of(removals);
  // The founding; Ben's ticket, Ann's home that let him in, his admission and promotion; the removal.
  EXPECT_EQ(acts_in(grounds), (std::vector<std::size_t>{0, 1, 2, 4, 6, 8}));
  const auto before = of_cem.statements().statements.size();
  take_all(of_cem, grounds);
  EXPECT_EQ(of_cem.statements().statements.size(), before + 1);
  EXPECT_EQ(against(of_cem, cem()), removals);
  EXPECT_EQ(of_cem.name_of(ben().id()), "Ben");
  EXPECT_TRUE(of_cem.view().members.contains(dora().id()) && !of_cem.view().members.contains(emil().id()));
  EXPECT_TRUE(against(of_cem, dora()).empty());
}

TEST_F(Removals, OfAComputerNameIt) {
  cloud_.say(ben(), cloud_.roster.removal(Removal::What::key, cem().id(), cem().home_key()));
  const auto removals = against(cloud_.roster, cem());
  ASSERT_EQ(removals.size(), 1U);
  EXPECT_EQ(removals[0].what, Removal::What::key);
  EXPECT_TRUE(cloud_.roster.taken_out(cem().id(), cem().device_key()).empty());
  EXPECT_TRUE(cloud_.roster.taken_out(cem().id(), {}).empty());
  EXPECT_EQ(cloud_.roster.view().former_homes.at(cem().home_id()).addresses,
            std::vector<std::string>{"Cem.example:7070"});
}

TEST_F(Removals, OfTheFounderAreAnswered) {
  Roster of_ann = cloud_.roster;
  cloud_.remove(ben(), ann());
  EXPECT_FALSE(cloud_.has(ann()));
  take_all(of_ann, cloud_.roster.grounds_of(against(cloud_.roster, ann())));
  ASSERT_EQ(against(of_ann, ann()).size(), 1U);
  EXPECT_TRUE(cloud_.roster.answer_to(of_ann.statements()).statements.empty()) << "nothing is to be said yet";
  // As usual it would keep Ben's removal of her, and so be of no effect.
  const Bytes kept = of_ann.say(ann().key, ann().id(), of_ann.removal(Removal::What::member, ben().id()));
  Roster idle = of_ann;
  EXPECT_EQ(take(idle, kept).idle.size(), 1U);
  const Bytes answer = of_ann.say(ann().key, ann().id(), of_ann.removal_in_answer(ann().id(), ben().id()));
  EXPECT_TRUE(take(of_ann, answer).idle.empty());
  EXPECT_TRUE(of_ann.view().is_admin(ann().id()) && !of_ann.view().members.contains(ben().id()));
  EXPECT_TRUE(of_ann.view().members.contains(cem().id())) << "what Ben did else stands";
  // The others hear of it by what answers the removal that they tell her.
  const wire::Statements told = of_ann.answer_to(cloud_.roster.grounds_of(against(cloud_.roster, ann())));
  EXPECT_EQ(told.statements, std::vector<Bytes>{answer});
  EXPECT_EQ(cloud_.roster.that_count(told.statements), std::vector<Bytes>{answer});
  take_all(cloud_.roster, told);
  EXPECT_EQ(cloud_.roster.view(), of_ann.view());
  EXPECT_TRUE(cloud_.roster.answer_to(told).statements.empty());
}

TEST_F(Removals, BetweenEqualsPutBothOut) {
  cloud_.say(ann(), wire::Promotion{cem().id()});
  Roster of_ben = cloud_.roster;
  take(of_ben, of_ben.say(ben().key, ben().id(), of_ben.removal(Removal::What::member, cem().id())));
  cloud_.remove(cem(), ben());
  const wire::Statements told = cloud_.roster.grounds_of(against(cloud_.roster, ben()));
  take_all(of_ben, told);
  EXPECT_EQ(against(of_ben, ben()).size(), 1U);
  const wire::Statements answer = of_ben.answer_to(told);
  EXPECT_EQ(cloud_.roster.that_count(answer.statements).size(), 1U) << "he is out, and so is Cem";
  take_all(cloud_.roster, answer);
  EXPECT_TRUE(!cloud_.has(ben()) && !cloud_.has(cem()));
  EXPECT_EQ(cloud_.roster.view(), of_ben.view());
}

TEST_F(Removals, LeaveNothingToSayToWhoIsOut) {
  Roster of_ben = cloud_.roster;
  cloud_.remove(ann(), ben());
  std::vector<Bytes> said;
  for (const wire::Act& act :
       {wire::Act{of_ben.removal_in_answer(ben().id(), ann().id())}, wire::Act{wire::RuleChange{{.open = true}}},
        wire::Act{wire::Promotion{cem().id()}}, wire::Act{wire::HomeKey{ben().home_key(), "x", 1, true}}}) {
    said.push_back(of_ben.say(ben().key, ben().id(), act));
    take(of_ben, said.back());
  }
  EXPECT_TRUE(cloud_.roster.that_count(said).empty());
}

TEST_F(Removals, ThatHoldByOthersComeWithThese) {
  // Dora's removal of Ben holds, since Ann took Cem out, whose removal of her is not kept. Ben knows of Cem's alone.
  cloud_.say(ann(), wire::Promotion{cem().id()});
  cloud_.say(ann(), wire::Promotion{dora().id()});
  Removal of_cem = cloud_.removal_of(cem());
  const Bytes by_cem = cloud_.roster.say(cem().key, cem().id(), cloud_.removal_of(dora()));
  Roster of_ben = cloud_.roster;
  take(of_ben, by_cem);
  cloud_.say(ann(), of_cem);
  EXPECT_EQ(take(cloud_.roster, by_cem).idle.size(), 1U);
  cloud_.remove(dora(), ben());
  take_all(of_ben, cloud_.roster.grounds_of(against(cloud_.roster, ben())));
  EXPECT_EQ(against(of_ben, ben()).size(), 1U);
}

/// Two admins, each of whom has seen that the other one is there.
TEST_F(Removals, OfOneselfMayKeepAPromotionForWhenNobodyElseIsLeft) {
  const Roster before = cloud_.roster;
  const auto by_ann = before.farewell(ann().key, ann().id(), cem().id());
  const auto by_ben = before.farewell(ben().key, ben().id(), dora().id());
  ASSERT_TRUE(take(cloud_.roster, before.say(ann().key, ann().id(), by_ann.removal)).idle.empty());
  EXPECT_TRUE(cloud_.is_admin(ben())) << "he carries the cloud on";
  EXPECT_EQ(take(cloud_.roster, before.say(ben().key, ben().id(), by_ben.removal)).fresh.size(), 1U);
  EXPECT_FALSE(cloud_.has(ann()) || cloud_.has(ben()));
  EXPECT_FALSE(cloud_.is_admin(cem()) || cloud_.is_admin(dora()));
  // What somebody says who has left does not count, unless the leaving keeps it.
  const Bytes another = before.say(ann().key, ann().id(), wire::Promotion{dora().id()});
  EXPECT_EQ(take(cloud_.roster, another).idle.size(), 1U);
  EXPECT_EQ(cloud_.roster.that_count(std::span(&by_ann.promotion, 1)).size(), 1U) << "a home takes it from her";
  EXPECT_TRUE(take(cloud_.roster, by_ann.promotion).idle.empty());
  EXPECT_TRUE(cloud_.is_admin(cem()) && !cloud_.is_admin(dora()) && !cloud_.has(ann()));
  // Whichever of them hears of the other first, and both.
  Roster other_order = before;
  for (const Bytes& one :
       {by_ben.promotion, by_ann.promotion, another, before.say(ben().key, ben().id(), by_ben.removal),
        before.say(ann().key, ann().id(), by_ann.removal)})
    (void)take(other_order, one);
  EXPECT_TRUE(other_order.view().is_admin(cem().id()) && other_order.view().is_admin(dora().id()));
  (void)take(cloud_.roster, by_ben.promotion);
  EXPECT_EQ(cloud_.roster.view(), other_order.view());
}

TEST_F(Removals, DoNotKeepAHomeFromComingBackForANewMember) {
  for (int i = 0; i < 40; ++i) cloud_.tell_address(cem(), std::to_string(i) + ":1");
  cloud_.remove(ben(), cem());
  const Person again("Cem, once more");
  const auto request = ask_to_join(cloud_.invite(ann()), again.id(), "Cem", kNowS);
  ASSERT_TRUE(request);
  cloud_.say(ann().home, ann().id(), request->admission);
  cloud_.say(again, wire::HomeKey{cem().home_key(), "Cem's attic", 1, false});
  cloud_.say(cem().home, again.id(), wire::HomeAddresses{{"new:1"}});
  ASSERT_TRUE(cloud_.roster.view().homes.contains(cem().home_id()));
  EXPECT_EQ(cloud_.roster.view().homes.at(cem().home_id()).member, again.id());
  EXPECT_FALSE(cloud_.roster.view().former_homes.contains(cem().home_id()));
}

}  // namespace
}  // namespace mhp::cloud
