// What counts in a roster: rights, removals and circles of them, replacement, exchange and size.
#include "cloud/roster.h"

#include <algorithm>

#include "base/test_run.h"
#include "cloud/test_cloud.h"

namespace mhp::cloud {
namespace {

using wire::Removal;
using wire::Role;

/// Ann founded it; Ben and Cem are admins by her invitation, Dora a member.
Cloud family() {
  Cloud cloud(ann());
  cloud.let_in(ann(), ben(), Role::admin);
  cloud.let_in(ann(), cem(), Role::admin);
  cloud.let_in(ann(), dora());
  return cloud;
}

std::uint64_t bytes_of(const Roster& roster) {
  std::uint64_t out = 0;
  for (const Bytes& one : roster.statements().statements) out += one.size();
  return out;
}

TEST(Roster, ShowsWhoAndWhatIsInIt) {
  const Cloud cloud = family();
  const View& view = cloud.roster.view();
  EXPECT_EQ(view.name, "Lindenweg");
  EXPECT_EQ(view.members.size(), 4u);
  EXPECT_TRUE(view.is_admin(ann().id()) && view.is_admin(ben().id()) && view.is_admin(cem().id()));
  EXPECT_FALSE(view.is_admin(dora().id()));
  EXPECT_EQ(view.members.at(dora().id()).devices, std::set{dora().device_key()});
  ASSERT_TRUE(view.homes.contains(dora().home_id()));
  const auto& home = view.homes.at(dora().home_id());
  EXPECT_EQ(home.member, dora().id());
  EXPECT_EQ(home.name, "Dora's attic");
  EXPECT_EQ(home.addresses, std::vector<std::string>{"Dora.example:7070"});
  EXPECT_EQ(cloud.roster.admitted_by(dora().id()), ann().home_key());
  EXPECT_EQ(cloud.roster.admitted_by(ann().id()), std::nullopt);
}

TEST(Roster, IsReadBackFromItsStatements) {
  const Cloud cloud = family();
  const auto again = Roster::open(cloud.roster.cloud(), cloud.roster.statements());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->view(), cloud.roster.view());
  EXPECT_EQ(again->statements(), cloud.roster.statements());
  wire::Statements without = cloud.roster.statements();
  std::erase_if(without.statements, [&](const Bytes& one) {
    return wire::cloud_id_of(wire::statement_id(*wire::parse_signed(one, one.size()))) == cloud.roster.cloud();
  });
  EXPECT_EQ(Roster::open(cloud.roster.cloud(), without).error().code, Errc::not_found);
}

TEST(Roster, RefusesWhatIsNotSignedByItsOwn) {
  Cloud cloud = family();
  EXPECT_EQ(cloud.refused(person("Eve").key, person("Eve"), wire::RuleChange{}), "its signer is not of this cloud");
  EXPECT_EQ(cloud.refused(person("Eve").key, ann(), wire::RuleChange{}), "its signer is not of this cloud");
  Bytes changed = cloud.roster.say(ann().key, ann().id(), wire::RuleChange{});
  changed[changed.size() - 5] ^= std::byte{1};
  EXPECT_EQ(take(cloud.roster, changed).refused.at(0).why, "roster: the signature is not good");
  EXPECT_EQ(take(cloud.roster, Bytes(10)).refused.size(), 1u);
  const Cloud other(person("Otto"));
  EXPECT_EQ(take(cloud.roster, other.roster.say(ann().key, ann().id(), wire::RuleChange{})).refused.at(0).why,
            "of another cloud");
  EXPECT_EQ(take(cloud.roster, other.roster.statements().statements[0]).fresh.size(), 0u);
  EXPECT_EQ(Roster::found(changed).error().code, Errc::denied);
  EXPECT_EQ(Roster::found(cloud.roster.say(ann().key, ann().id(), wire::RuleChange{})).error().code, Errc::invalid);
}

TEST(Roster, AMemberIsNoAdmin) {
  Cloud cloud = family();
  EXPECT_EQ(cloud.refused(dora().key, dora(), wire::RuleChange{}), "only an admin changes the rules");
  EXPECT_EQ(cloud.refused(dora().key, dora(), wire::Promotion{dora().id()}), "only an admin promotes");
  EXPECT_EQ(cloud.refused(dora().key, dora(), cloud.removal_of(ben())), "only an admin removes others");
  EXPECT_EQ(cloud.refused(dora().key, dora(), wire::Admission{person("Eve").id(), "Eve"}), "only an admin admits");
  EXPECT_EQ(cloud.refused(dora().key, dora(), wire::Ticket{TicketId::from_bytes(ann().id().bytes()), Role::admin}),
            "only an admin invites an admin");
  EXPECT_EQ(cloud.refused(ann().key, ann(), wire::Promotion{person("Eve").id()}), "not a member");
  cloud.say(ann(), wire::Promotion{dora().id()});
  EXPECT_TRUE(cloud.is_admin(dora()));
  cloud.say(dora(), wire::RuleChange{{.take_percent = 50}});
  EXPECT_EQ(cloud.roster.view().rules.take_percent, 50u);
}

TEST(Roster, DevicesAndHomesSpeakWithinBounds) {
  Cloud cloud = family();
  const KeyId other = as_key(person("Eve").id());
  EXPECT_EQ(cloud.refused(ann().device, ann(), wire::DeviceKey{other, "x"}),
            "only the member's own key enrolls a device");
  EXPECT_EQ(cloud.refused(ann().home, ann(), wire::HomeKey{other, "x"}), "a home's key enrolls no homes");
  EXPECT_EQ(cloud.refused(ann().home, ann(), wire::RuleChange{}), "only an admin changes the rules");
  EXPECT_EQ(cloud.refused(ann().home, ann(), wire::Promotion{dora().id()}), "only an admin promotes");
  EXPECT_EQ(cloud.refused(ann().home, ann(), cloud.removal_of(dora())), "only an admin removes others");
  EXPECT_EQ(cloud.refused(ann().home, ann(), wire::Ticket{TicketId::from_bytes(other.bytes())}),
            "a home's key gives no tickets");
  EXPECT_EQ(cloud.refused(ann().key, ann(), wire::HomeAddresses{{"a:1"}}), "only a home tells its addresses");
  EXPECT_EQ(cloud.refused(dora().home, dora(), wire::Admission{person("Eve").id(), "Eve"}), "only an admin admits");
  // A stolen device of an admin does not lock its owner out.
  const std::string own_key_only = "only a member's own key leaves, or takes out its devices";
  EXPECT_EQ(cloud.refused(ann().device, ann(), cloud.removal_of(ann())), own_key_only);
  const Removal of_device = cloud.roster.removal(Removal::What::key, ann().id(), ann().device_key());
  EXPECT_EQ(cloud.refused(ann().device, ann(), of_device), own_key_only);
  // Nobody takes out another's key by calling it his own.
  cloud.say(dora(), wire::DeviceKey{ann().device_key(), "mine"});
  cloud.say(dora(), cloud.roster.removal(Removal::What::key, dora().id(), ann().device_key()));
  EXPECT_EQ(cloud.roster.view().members.at(ann().id()).devices.size(), 1u);
  cloud.say(ann().device, ann().id(), wire::Promotion{dora().id()});
  EXPECT_TRUE(cloud.is_admin(dora()));
}

TEST(Roster, AHomeSaysItselfWhoseItIs) {
  Cloud cloud = family();
  cloud.say(ben(), wire::HomeKey{dora().home_key(), "mine now", 1, true});
  EXPECT_EQ(cloud.roster.view().homes.at(dora().home_id()).member, dora().id());
  cloud.say(dora().home, ben().id(), wire::HomeAddresses{{"b:1"}});
  EXPECT_EQ(cloud.roster.view().homes.at(dora().home_id()).member, ben().id());
  EXPECT_EQ(cloud.roster.view().homes.at(dora().home_id()).name, "mine now");
}

TEST(Roster, WhatARemovedMemberSaysDoesNotCount) {
  Cloud cloud = family();
  cloud.let_in(ben(), person("Emil"));
  Cloud behind = cloud;  // does not hear of the removal
  cloud.remove(ann(), ben());
  EXPECT_FALSE(cloud.has(ben()));
  EXPECT_FALSE(cloud.roster.view().homes.contains(ben().home_id()));
  EXPECT_TRUE(cloud.has(person("Emil"))) << "what was known of Ben's acts stays";
  EXPECT_EQ(cloud.refused(ben().key, ben(), wire::Promotion{dora().id()}), "idle");
  EXPECT_EQ(cloud.refused(ben().device, ben(), cloud.removal_of(cem())), "idle");
  EXPECT_TRUE(cloud.has(cem()) && !cloud.is_admin(dora()));

  behind.let_in(ben(), person("Fay"));  // at the same time, as far as anyone can tell
  EXPECT_TRUE(behind.has(person("Fay")));
  exchange(cloud.roster, behind.roster);
  EXPECT_EQ(cloud.roster.view(), behind.roster.view());
  EXPECT_FALSE(cloud.has(person("Fay"))) << "a removal wins over what the removed one did unseen";
  EXPECT_TRUE(cloud.has(person("Emil")));
}

TEST(Roster, WhoWasRemovedStaysOut) {
  Cloud cloud = family();
  cloud.remove(ann(), dora());
  cloud.say(cem().home, cem().id(), wire::Admission{dora().id(), "Dora"});
  EXPECT_FALSE(cloud.has(dora()));
  cloud.remove(cem(), cem());  // leaves
  EXPECT_FALSE(cloud.has(cem()));
  EXPECT_EQ(cloud.roster.view().members.size(), 2u);
}

/// Two replicas of one family; what each says, neither has heard from the other.
struct Split {
  Cloud one = family();
  Cloud two = one;
  void meet() {
    exchange(one.roster, two.roster);
    EXPECT_EQ(one.roster.view(), two.roster.view());
    EXPECT_EQ(one.roster.statements(), two.roster.statements());
  }
};

TEST(Roster, TwoAdminsRemoveEachOtherAndBothAreOut) {
  Split split;
  split.one.remove(ben(), cem());
  split.two.remove(cem(), ben());
  split.meet();
  EXPECT_FALSE(split.one.has(ben()) || split.one.has(cem()));
  EXPECT_TRUE(split.one.has(ann()) && split.one.has(dora()));
}

TEST(Roster, ThreeAdminsRemoveEachOtherInACircle) {
  Split split;
  split.one.let_in(ann(), person("Emil"), Role::admin);
  exchange(split.one.roster, split.two.roster);
  Cloud three = split.one;
  split.one.remove(ben(), cem());
  split.two.remove(cem(), person("Emil"));
  three.remove(person("Emil"), ben());
  exchange(split.two.roster, three.roster);
  split.meet();
  EXPECT_FALSE(split.one.has(ben()) || split.one.has(cem()) || split.one.has(person("Emil")));
  EXPECT_TRUE(split.one.has(ann()));
}

/// Takes the admission of `person` out of what a removal keeps.
void forget_admission(const Roster& roster, const Person& person, Removal& removal) {
  for (const Bytes& one : roster.statements().statements) {
    const auto envelope = wire::parse_signed(one, one.size());
    const auto statement = wire::parse_statement(envelope->body);
    const auto* admission = std::get_if<wire::Admission>(&statement->act);
    if (admission != nullptr && admission->member == person.id())
      std::erase(removal.kept, wire::statement_id(*envelope));
  }
}

TEST(Roster, ARemovedAdminTakesNobodyWithHim) {
  Split split;
  split.one.remove(ann(), ben());
  // Ben claims not to have heard of it, and would have nothing stand of what Ann did for Dora.
  split.two.say(ben(), split.two.removal_of(cem()));
  Removal revenge = split.two.removal_of(ann());
  forget_admission(split.two.roster, dora(), revenge);
  split.two.say(ben(), revenge);
  EXPECT_FALSE(split.two.has(ann()) || split.two.has(cem()) || split.two.has(dora()));
  split.meet();
  EXPECT_FALSE(split.one.has(ben()));
  EXPECT_TRUE(split.one.has(ann()) && split.one.has(cem()) && split.one.has(dora())) << "Ann is the founder";
}

TEST(Roster, NobodySawsOffTheBranchHeSitsOn) {
  Cloud cloud = family();
  const View before = cloud.roster.view();
  EXPECT_EQ(cloud.refused(ben().key, ben(), Removal{Removal::What::member, ann().id(), {}, {}}), "idle");
  EXPECT_EQ(cloud.roster.view(), before);
}

TEST(Roster, AmongEqualsOnlyTheRemoverGoesToo) {
  Split split;
  split.one.remove(cem(), ben());
  split.two.say(ben(), split.two.removal_of(cem()));
  split.two.say(ben(), split.two.removal_of(dora()));
  split.two.say(ben(), wire::Promotion{dora().id()});
  split.meet();
  EXPECT_FALSE(split.one.has(ben()) || split.one.has(cem()));
  EXPECT_TRUE(split.one.has(dora()) && !split.one.is_admin(dora()));
}

TEST(Roster, APuppetDoesNotSaveItsMaster) {
  Split split;
  split.one.remove(cem(), ben());
  split.two.say(ben(), wire::Promotion{dora().id()});
  split.two.remove(dora(), cem());
  split.meet();
  EXPECT_FALSE(split.one.has(ben()));
  EXPECT_TRUE(split.one.has(cem()) && split.one.has(dora()) && !split.one.is_admin(dora()));
}

TEST(Roster, ARemovalThatWasSeenHoldsAfterItsSignerIsRemoved) {
  Split split;
  split.one.remove(ben(), dora());
  split.two.remove(ben(), cem());
  split.one.remove(ann(), ben());  // has seen the first, not the second
  split.meet();
  EXPECT_FALSE(split.one.has(ben()) || split.one.has(dora()));
  EXPECT_TRUE(split.one.has(cem()));
}

TEST(Roster, ADemotedAdminIsAMemberForGood) {
  Split split;
  split.one.say(ann(), split.one.roster.removal(Removal::What::admin_rights, ben().id()));
  EXPECT_TRUE(split.one.has(ben()) && !split.one.is_admin(ben()));
  EXPECT_EQ(split.one.refused(ben().key, ben(), wire::RuleChange{}), "idle");
  split.one.tell_address(ben(), "new.example:1");
  EXPECT_EQ(split.one.roster.view().homes.at(ben().home_id()).addresses[0], "new.example:1");
  split.one.say(cem(), wire::Promotion{ben().id()});
  EXPECT_FALSE(split.one.is_admin(ben()));
  split.two.remove(ben(), dora());
  split.meet();
  EXPECT_TRUE(split.one.has(dora()));
}

TEST(Roster, AStolenDeviceIsTakenOut) {
  Split split;
  split.one.say(ben().device, ben().id(), wire::Ticket{TicketId::from_bytes(ann().id().bytes())});
  split.one.say(ben(), split.one.roster.removal(Removal::What::key, ben().id(), ben().device_key()));
  EXPECT_TRUE(split.one.roster.view().members.at(ben().id()).devices.empty());
  EXPECT_EQ(split.one.roster.view().tickets.size(), 4u) << "what was known of it stays";
  split.two.say(ben().device, ben().id(), wire::Promotion{dora().id()});
  split.meet();
  EXPECT_TRUE(split.one.has(ben()) && split.one.is_admin(ben()) && !split.one.is_admin(dora()));
  split.one.say(dora().device, dora().id(),
                split.one.roster.removal(Removal::What::key, dora().id(), dora().home_key()));
  EXPECT_FALSE(split.one.roster.view().homes.contains(dora().home_id()));
}

TEST(Roster, ASecondAdmissionTakesNothingAway) {
  Split split;
  split.one.let_in(ann(), person("Emil"), Role::admin);
  split.two.invite(ann());
  split.two.let_in(ann(), person("Emil"));
  split.meet();
  EXPECT_TRUE(split.one.is_admin(person("Emil")));
}

TEST(Roster, TheLaterRuleHolds) {
  Split split;
  split.one.say(ben(), wire::RuleChange{{.take_percent = 10}});
  split.one.say(ann(), wire::RuleChange{{.take_percent = 20}});
  split.two.say(cem(), wire::RuleChange{{.take_percent = 30}});
  split.meet();
  EXPECT_EQ(split.one.roster.view().rules.take_percent, 20u);
}

/// Ben's rule was let stand; a later one of his, made when he was out, must not push it aside.
TEST(Roster, WhatARemovalKeepsIsNotReplaced) {
  Split split;
  split.one.say(ben(), wire::RuleChange{{.take_percent = 10}});
  exchange(split.one.roster, split.two.roster);
  split.one.remove(ann(), ben());
  split.two.say(ben(), wire::RuleChange{{.take_percent = 99}});
  split.meet();
  EXPECT_EQ(split.one.roster.view().rules.take_percent, 10u);
}

TEST(Roster, TenThousandAddressesTakeThePlaceOfOne) {
  Cloud cloud = family();
  const std::uint64_t bytes_before = bytes_of(cloud.roster);
  const std::size_t count_before = cloud.roster.statements().statements.size();
  const auto many = static_cast<unsigned>(10'000 / test_run::stride());
  std::vector<Bytes> said;
  for (unsigned i = 0; i < many; ++i) {
    said.push_back(cloud.roster.say(dora().home, dora().id(), wire::HomeAddresses{{std::to_string(i) + ":1"}}));
    ASSERT_EQ(take(cloud.roster, said.back()).fresh.size(), 1u);
  }
  EXPECT_EQ(cloud.roster.statements().statements.size(), count_before);
  EXPECT_LT(bytes_of(cloud.roster), bytes_before + 100);
  EXPECT_EQ(cloud.roster.view().homes.at(dora().home_id()).addresses[0], std::to_string(many - 1) + ":1");
  const Merged older = take(cloud.roster, said[many / 2]);
  EXPECT_TRUE(older.fresh.empty());
  EXPECT_EQ(older.refused.size(), 1u);
  Cloud reversed = family();
  std::ranges::reverse(said);
  said.resize(300);
  reversed.roster.merge(said);
  EXPECT_EQ(reversed.roster.view(), cloud.roster.view());
}

TEST(Roster, AMemberTakesUpLittleRoomInAnyOrder) {
  Cloud cloud = family();
  std::vector<Bytes> said;
  for (unsigned i = 0; i < 400; ++i) {
    const Person home("home " + std::to_string(i));
    said.push_back(cloud.roster.say(dora().key, dora().id(), wire::HomeKey{as_key(home.id()), "x"}));
  }
  Cloud other = cloud;
  cloud.roster.merge(said);
  std::ranges::reverse(said);
  for (const Bytes& one : said) take(other.roster, one);
  const auto of_dora = std::ranges::count_if(cloud.roster.statements().statements, [](const Bytes& one) {
    const auto envelope = wire::parse_signed(one, one.size());
    return wire::parse_statement(envelope->body)->member == dora().id();
  });
  EXPECT_EQ(static_cast<std::size_t>(of_dora), wire::kMaxMemberStatements);
  EXPECT_EQ(cloud.roster.statements(), other.roster.statements());
}

/// An admin who fills the roster up is removed, and there is room again.
TEST(Roster, WhatDoesNotCountGoesFirst) {
  Cloud cloud = family();
  const Bytes spare = cloud.roster.say(ann().key, ann().id(), cloud.removal_of(dora()));
  unsigned key = 0;
  for (const Person* flooder : {&ben(), &cem()}) {
    std::vector<Bytes> flood;
    for (unsigned i = 0; i < 20; ++i) {
      Removal removal{Removal::What::member, Person("flood " + std::to_string(++key)).id(), {}, {}};
      for (unsigned kept = 0; kept < wire::kMaxKept; ++kept) {
        StatementId::Array id{};
        id[0] = static_cast<std::byte>(kept >> 8);
        id[1] = static_cast<std::byte>(kept & 0xff);
        removal.kept.push_back(StatementId::from_array(id));
      }
      flood.push_back(cloud.roster.say(flooder->key, flooder->id(), std::move(removal)));
    }
    cloud.roster.merge(flood);
  }
  EXPECT_LE(bytes_of(cloud.roster), wire::kMaxRosterBytes);
  EXPECT_GT(bytes_of(cloud.roster), wire::kMaxRosterBytes - 300_KiB);
  EXPECT_TRUE(cloud.has(dora()) && cloud.has(ann()));
  cloud.say(ann(), Removal{Removal::What::member, ben().id(), {}, {}});
  cloud.say(ann(), Removal{Removal::What::member, cem().id(), {}, {}});
  EXPECT_EQ(take(cloud.roster, spare).fresh.size(), 1u);
  EXPECT_EQ(cloud.roster.view().members.size(), 1u);
  EXPECT_LE(bytes_of(cloud.roster), wire::kMaxRosterBytes);
}

TEST(Roster, OnlyWhatIsMissingIsSent) {
  Split split;
  EXPECT_TRUE(split.one.roster.missing_of(split.two.roster.digest()).statements.empty());
  split.one.tell_address(dora(), "new:1");
  split.one.say(ann(), wire::Promotion{dora().id()});
  EXPECT_EQ(split.one.roster.missing_of(split.two.roster.digest()).statements.size(), 2u);
  EXPECT_EQ(split.two.roster.missing_of(split.one.roster.digest()).statements.size(), 1u) << "the old address";
  split.meet();
  EXPECT_FALSE(exchange(split.one.roster, split.two.roster));
  const Cloud other(person("Otto"));
  EXPECT_TRUE(split.one.roster.missing_of(other.roster.digest()).statements.empty());
}

}  // namespace
}  // namespace mhp::cloud
