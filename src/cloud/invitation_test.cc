// Invitations from the inviter's wish to the new member, and each reason to refuse one.
#include "cloud/invitation.h"

#include <algorithm>

#include "cloud/test_cloud.h"

namespace mhp::cloud {
namespace {

using wire::Role;

Cloud pair(const wire::Rules& rules = {}) {
  Cloud cloud(ann(), rules);
  cloud.let_in(ann(), ben(), Role::admin);
  cloud.let_in(ann(), dora());
  return cloud;
}

wire::JoinRequest request_of(const wire::Invitation& invitation, const Person& joiner) {
  return *ask_to_join(invitation, joiner.id(), joiner.name, kNowS);
}

void expect_denied(const Result<Answer>& given, const std::string& words, Errc code = Errc::denied) {
  ASSERT_FALSE(given) << "not refused: " << words;
  EXPECT_EQ(given.error().code, code);
  EXPECT_NE(given.error().detail.find(words), std::string::npos) << given.error().detail;
}

TEST(Invitation, LetsOnePersonInByAnyAdminsHome) {
  Cloud cloud = pair();
  const auto invitation = wire::invitation_of(wire::code_of(cloud.invite(ann())));
  ASSERT_TRUE(invitation);
  ASSERT_EQ(invitation->homes.size(), 2u) << "Dora's home admits nobody";
  EXPECT_EQ(invitation->homes[0].home, ann().home_id()) << "the inviter's first";
  EXPECT_EQ(invitation->homes[1].home, ben().home_id());
  EXPECT_EQ(invitation->homes[1].addresses, std::vector<std::string>{"Ben.example:7070"});

  const auto request = request_of(*invitation, emil());
  EXPECT_EQ(answer(cloud.roster, ben().id(), request, kNowS), Answer::admit);
  cloud.say(ben().home, ben().id(), request.admission);
  EXPECT_TRUE(cloud.has(emil()) && !cloud.is_admin(emil()));
  EXPECT_EQ(cloud.roster.view().tickets.at({ann().id(), request.admission.ticket}).used_by, emil().id());
  EXPECT_EQ(answer(cloud.roster, ben().id(), request, kNowS + 100'000), Answer::already) << "an answer may be lost";

  const std::string seen_by_joiner = four_words(emil().id(), ben().home_id(), ticket_of(*invitation));
  primitives::PublicKey signer;
  std::ranges::copy(cloud.roster.admitted_by(emil().id())->bytes(), signer.begin());
  EXPECT_EQ(four_words(emil().id(), primitives::home_id_of(signer), request.admission.ticket), seen_by_joiner);
  EXPECT_EQ(std::ranges::count(seen_by_joiner, ' '), 3);
  EXPECT_NE(four_words(fay().id(), ben().home_id(), ticket_of(*invitation)), seen_by_joiner);
}

TEST(Invitation, IsRefusedWithAClearWord) {
  Cloud cloud = pair();
  const wire::Invitation invitation = cloud.invite(ann());
  const wire::JoinRequest good = request_of(invitation, emil());
  ASSERT_EQ(answer(cloud.roster, ann().id(), good, kNowS), Answer::admit);

  expect_denied(answer(cloud.roster, ann().id(), good, invitation.expires_s), "has expired");
  EXPECT_EQ(ask_to_join(invitation, emil().id(), "Emil", invitation.expires_s).error().code, Errc::denied);
  expect_denied(answer(cloud.roster, dora().id(), good, kNowS), "not an admin's", Errc::not_found);
  const Cloud other(dora());
  expect_denied(answer(other.roster, dora().id(), good, kNowS), "another cloud", Errc::invalid);

  wire::JoinRequest forged = good;
  forged.admission.member = fay().id();  // replayed by someone who saw it
  expect_denied(answer(cloud.roster, ann().id(), forged, kNowS), "proof does not fit");
  EXPECT_EQ(cloud.refused(ann().home, ann(), forged.admission), "roster: an admission's proof does not fit its ticket");
  forged = good;
  forged.admission.name = "Ann";
  expect_denied(answer(cloud.roster, ann().id(), forged, kNowS), "proof does not fit");
  forged = good;
  forged.admission.inviter = ben().id();
  expect_denied(answer(cloud.roster, ann().id(), forged, kNowS), "proof does not fit");
  wire::Invitation guessed = invitation;
  guessed.secret[0] ^= std::byte{1};
  expect_denied(answer(cloud.roster, ann().id(), request_of(guessed, emil()), kNowS), "not known", Errc::not_found);
  wire::Admission plain{.member = emil().id(), .name = "Emil"};
  expect_denied(answer(cloud.roster, ann().id(), {cloud.roster.cloud(), plain}, kNowS), "an invitation is needed");

  cloud.say(ann().home, ann().id(), good.admission);
  expect_denied(answer(cloud.roster, ben().id(), request_of(invitation, fay()), kNowS), "used already");
  expect_denied(answer(cloud.roster, ben().id(), request_of(cloud.invite(ben()), emil()), kNowS),
                "in the cloud already", Errc::usage);
  cloud.remove(ann(), emil());
  expect_denied(answer(cloud.roster, ann().id(), good, kNowS), "was removed");
}

TEST(Invitation, LetsInNoSecondOneOfTheSameName) {
  Cloud cloud = pair();
  const wire::Invitation invitation = cloud.invite(ann());
  const auto asked = ask_to_join(invitation, emil().id(), cloud.roster.view().members.at(ben().id()).name, kNowS);
  ASSERT_TRUE(asked);
  expect_denied(answer(cloud.roster, ann().id(), *asked, kNowS), "another name", Errc::usage);
  EXPECT_EQ(answer(cloud.roster, ann().id(), request_of(invitation, emil()), kNowS), Answer::admit)
      << "the invitation is still good";
}

TEST(Invitation, GoesWithItsInviter) {
  Cloud cloud = pair();
  const wire::JoinRequest by_ben = request_of(cloud.invite(ben(), Role::admin), emil());
  Cloud behind = cloud;
  cloud.say(ann(), cloud.roster.removal(wire::Removal::What::admin_rights, ben().id()));
  expect_denied(answer(cloud.roster, ann().id(), by_ben, kNowS), "may not invite any more");
  cloud.remove(ann(), ben());
  expect_denied(answer(cloud.roster, ann().id(), by_ben, kNowS), "may have left", Errc::not_found);
  // A home that has not heard of it lets him in. The ticket was known to who removed Ben, so he stays.
  EXPECT_EQ(answer(behind.roster, ann().id(), by_ben, kNowS), Answer::admit);
  behind.say(ann().home, ann().id(), by_ben.admission);
  exchange(cloud.roster, behind.roster);
  EXPECT_TRUE(cloud.has(emil()) && !cloud.has(ben()));
  EXPECT_EQ(cloud.roster.view(), behind.roster.view());
}

TEST(Invitation, TwoHomesApartLetTwoInAndTheFirstStays) {
  for (const bool ann_first : {true, false}) {
    Cloud one = pair();
    const wire::Invitation invitation = one.invite(ann());
    Cloud two = one;
    (ann_first ? two : one).say(ann(), wire::RuleChange{});  // so that one comes later in the order
    one.say(ann().home, ann().id(), request_of(invitation, emil()).admission);
    two.say(ben().home, ben().id(), request_of(invitation, fay()).admission);
    EXPECT_TRUE(one.has(emil()) && two.has(fay()));
    exchange(one.roster, two.roster);
    EXPECT_EQ(one.roster.view(), two.roster.view());
    EXPECT_EQ(one.has(emil()), ann_first);
    EXPECT_EQ(one.has(fay()), !ann_first);
    EXPECT_EQ(one.roster.view().tickets.at({ann().id(), ticket_of(invitation)}).used_by,
              ann_first ? emil().id() : fay().id());
  }
}

TEST(Invitation, MembersInviteWhereTheRulesSaySo) {
  Cloud cloud = pair();
  const Wish wish{.inviter = dora().id(), .expires_s = kNowS + 10};
  EXPECT_EQ(invite(cloud.roster.view(), cloud.roster.cloud(), wish, test_secret(1000)).error().code, Errc::denied);
  cloud.say(ann(), wire::RuleChange{{.members_invite = true}});
  const wire::Invitation invitation = cloud.invite(dora());
  Wish for_admin = wish;
  for_admin.role = Role::admin;
  EXPECT_EQ(invite(cloud.roster.view(), cloud.roster.cloud(), for_admin, test_secret(1001)).error().code, Errc::denied);
  EXPECT_EQ(answer(cloud.roster, ann().id(), request_of(invitation, emil()), kNowS), Answer::admit);
  cloud.say(ann().home, ann().id(), request_of(invitation, emil()).admission);
  cloud.say(ann(), wire::RuleChange{});
  EXPECT_TRUE(cloud.has(emil())) << "a rule changes nothing that was";
  expect_denied(answer(cloud.roster, ann().id(), request_of(invitation, fay()), kNowS), "used already");
}

TEST(Invitation, AnOpenCloudNeedsNone) {
  Cloud cloud = pair({.open = true});
  const wire::JoinRequest request{cloud.roster.cloud(), {.member = emil().id(), .name = "Emil"}};
  EXPECT_EQ(answer(cloud.roster, ann().id(), request, kNowS), Answer::admit);
  cloud.say(ann().home, ann().id(), request.admission);
  EXPECT_TRUE(cloud.has(emil()));
  EXPECT_EQ(answer(cloud.roster, ann().id(), request, kNowS), Answer::already);
}

TEST(Invitation, WithoutAHomeToAskThereIsNone) {
  const Roster roster = *Roster::found(found_cloud(ann().key, {"Lindenweg", "Ann", {}, kNowS, {}}));
  const Wish wish{.inviter = ann().id(), .expires_s = kNowS + 10};
  EXPECT_EQ(invite(roster.view(), roster.cloud(), wish, test_secret(1)).error().code, Errc::unavailable);
  EXPECT_EQ(
      invite(roster.view(), roster.cloud(), {.inviter = ann().id(), .expires_s = -1}, test_secret(1)).error().code,
      Errc::usage);
}

/// Neither the secret nor the seed of its key is in anything that is stored or sent.
TEST(Invitation, ItsSecretStaysWithTheTwo) {
  Cloud cloud = pair();
  const wire::Invitation invitation = cloud.invite(ann());
  const wire::JoinRequest request = request_of(invitation, emil());
  cloud.say(ben().home, ben().id(), request.admission);
  std::vector<Bytes> seen = cloud.roster.statements().statements;
  seen.push_back(wire::encode(request));
  seen.push_back(wire::encode(cloud.roster.digest()));
  seen.push_back(to_bytes(as_bytes(answer(cloud.roster, dora().id(), request, kNowS).error().detail)));
  Bytes material = to_bytes(invitation.cloud.bytes());
  material.insert(material.end(), invitation.secret.begin(), invitation.secret.end());
  const auto seed = primitives::blake3_derive("mhp 1 ticket key", material);
  for (const Bytes& one : seen) {
    EXPECT_TRUE(std::ranges::search(one, std::span(invitation.secret).first<8>()).empty());
    EXPECT_TRUE(std::ranges::search(one, std::span(invitation.secret).last<8>()).empty());
    EXPECT_TRUE(std::ranges::search(one, std::span(seed).first<8>()).empty());
  }
  const Bytes encoded = wire::encode(invitation);
  EXPECT_FALSE(std::ranges::search(encoded, invitation.secret).empty()) << "the search finds what is there";
}

}  // namespace
}  // namespace mhp::cloud
