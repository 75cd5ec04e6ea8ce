// Members and computers that are taken out, over TLS in a network of memory: that counts, they are told, and may
// answer.
#include <gtest/gtest.h>

#include <algorithm>

#include "cloud/claim.h"
#include "cloud/testing/computers.h"
#include "wire/cloud_calls.h"

namespace mhp::cloud {
namespace {

using namespace std::chrono_literals;
using namespace testing;

Task<> remove_within_one_exchange(Computers& all) {
  Computer& ann = all["Ann"];
  Computer& ben = all["Ben"];
  Computer& emil = all["Emil"];
  const CloudId cloud = ann.found();
  co_await let_in(ben, ann.invite(cloud, 1));
  co_await let_in(emil, ann.invite(cloud, 2));
  co_await settle(all, cloud);
  EXPECT_TRUE(co_await ask(emil, ben, digest_of(cloud)));
  const auto connection = co_await call_to(emil, ben);
  ann.say(cloud, ann.removal_of(cloud, emil));
  EXPECT_TRUE(co_await ask(emil, ben, digest_of(cloud))) << "Ben has not heard of it";
  const auto telling = co_await call_to(ann, ben);
  auto exchanging = exchange(ann.machine, ann.book, cloud, **telling, kLimit);
  EXPECT_EQ((co_await std::move(exchanging))->given, 1U);
  // On the connection that is up, and on a new one.
  EXPECT_TRUE((*connection)->is_up());
  auto again = (*connection)->call(digest_of(cloud), kLimit);
  EXPECT_EQ((co_await std::move(again)).error().code, Errc::denied);
  net::Request vault{net::Method::get, "/v1/vaults/" + cloud.hex() + "/usage"};
  EXPECT_EQ((co_await ask(emil, ben, vault)).error().code, Errc::denied);
  co_await emil.go_down();
  emil.go_up();
  EXPECT_EQ((co_await ask(emil, ben, digest_of(cloud))).error().code, Errc::denied);
  // Invited again, the same computer comes back for a new member.
  const wire::Invitation again_in = ann.invite(cloud, 3);
  Newcomer anew = emil.newcomer();
  const primitives::SigningKey key = test_key("Emil, once more");
  Newcomer once_more{
      .member = key, .name = "Emil", .home = anew.home, .home_name = "attic", .addresses = anew.addresses};
  co_await all.clock().sleep(1h);  // after a failure a home is left alone for a while
  auto joining = join(emil.machine, emil.book, *emil.net, again_in, once_more, kLimit);
  const auto joined = co_await std::move(joining);
  EXPECT_TRUE(joined) << (joined ? "" : joined.error().detail);
  EXPECT_TRUE(co_await ask(emil, ann, digest_of(cloud)));
}

TEST(Removal, CountsWithinOneExchange) {
  Computers all({"Ann", "Ben", "Emil"});
  while_up(all, remove_within_one_exchange);
}

/// It is a member's, and knows his key; he stays.
Task<> take_out_a_computer(Computers& all) {
  Computer& ann = all["Ann"];
  Computer& emil = all["Emil"];
  const CloudId cloud = ann.found();
  co_await let_in(emil, ann.invite(cloud, 1));
  const auto caller = co_await call_to(emil, ann);
  auto showing = show_membership(cloud, emil.person.key, **caller, kLimit);
  EXPECT_TRUE(co_await std::move(showing));
  ann.say(cloud, ann.roster(cloud)->removal(wire::Removal::What::key, emil.person.id(), emil.person.home_key()));
  EXPECT_TRUE(ann.view(cloud).members.contains(emil.person.id()));
  EXPECT_FALSE(ann.book.has_home(emil.id()));
  EXPECT_TRUE(ann.service.belongings(emil.id()).empty());
  EXPECT_EQ(ann.service.who({.id = emil.id(), .key = emil.person.home.public_key()}), Who::taken_out);
  auto asking = (*caller)->call(digest_of(cloud), kLimit);
  EXPECT_EQ((co_await std::move(asking)).error().code, Errc::denied) << "also on a connection that is up";
  co_await emil.go_down();
  emil.go_up();
  const auto again = co_await call_to(emil, ann);
  auto showing_again = show_membership(cloud, emil.person.key, **again, kLimit);
  EXPECT_EQ((co_await std::move(showing_again)).error().code, Errc::denied);
  const Bytes back = emil.roster(cloud)->say(emil.person.key, emil.person.id(),
                                             wire::HomeKey{emil.person.home_key(), "back", 1, false});
  EXPECT_TRUE(ann.book.merge(cloud, std::span(&back, 1)));
  EXPECT_FALSE(ann.book.has_home(emil.id())) << "its key never comes back as his";
  const auto from_new = co_await call_to(all["New"], ann);
  auto showing_new = show_membership(cloud, emil.person.key, **from_new, kLimit);
  EXPECT_TRUE(co_await std::move(showing_new)) << "he has another computer";
}

TEST(Removal, OfAComputerLeavesItsOwnerIn) {
  Computers all({"Ann", "Emil", "New"});
  while_up(all, take_out_a_computer);
}

Asker asker_of(const Computer& who) { return {.member = who.person.key, .computer = who.person.home_key()}; }

/// As a computer that is up does.
Task<> speak_with_all(Computer& who, CloudId cloud) {
  co_await who.machine.clock().sleep(10s);
  auto spreading = spread(who.machine, who.book, cloud, *who.net, who.id(), Spread{.asker = asker_of(who)});
  (void)co_await std::move(spreading);
}

/// Those that are not in `told` hear that they are out.
Task<std::size_t> tell_all_former(Computer& who, CloudId cloud) {
  std::set<HomeId> told;
  auto telling = tell_former(who.machine, who.book, cloud, *who.net, who.id(), Spread{.asker = asker_of(who)}, told);
  co_await std::move(telling);
  co_return told.size();
}

bool is_out(Computer& who, const CloudId& cloud) {
  return !who.roster(cloud)->taken_out(who.person.id(), who.person.home_key()).empty();
}

/// Also with a roster whose digest is longer than a stranger may send.
Task<> hear_of_a_removal(Computers& all) {
  Computer& ann = all["Ann"];
  Computer& emil = all["Emil"];
  const CloudId cloud = ann.found();
  co_await let_in(all["Ben"], ann.invite(cloud, 1));
  co_await let_in(emil, ann.invite(cloud, 2));
  for (std::uint64_t i = 0; i < 600; ++i) (void)ann.invite(cloud, 100 + i);
  co_await settle(all, cloud);
  const std::size_t known = emil.roster(cloud)->statements().statements.size();
  EXPECT_GT(known, 600U);
  ann.say(cloud, ann.removal_of(cloud, emil));
  ann.say(cloud, wire::RuleChange{{.members_invite = true}});
  co_await settle(all, cloud);
  EXPECT_FALSE(is_out(emil, cloud));
  co_await speak_with_all(emil, cloud);
  EXPECT_TRUE(is_out(emil, cloud));
  EXPECT_EQ(emil.roster(cloud)->statements().statements.size(), known + 1) << "of what came later nothing";
  EXPECT_FALSE(emil.view(cloud).rules.members_invite);
  // Nobody else is told anything, and nothing else is taken from him.
  const auto caller = co_await call_to(all["Ben"], ann);
  auto hearing = hear_removal(all["Ben"].machine, all["Ben"].book, cloud, asker_of(all["Ben"]), **caller, kLimit);
  EXPECT_EQ((co_await std::move(hearing)).error().code, Errc::denied);
  const auto stranger = co_await call_to(all["Stranger"], ann);
  const KeyId computer = all["Stranger"].person.home_key();
  for (const bool removed : {true, false}) {  // who has nothing but his key
    const Asker asker{.member = removed ? emil.person.key : all["Ben"].person.key, .computer = computer};
    auto looking = look_why_out(all["Stranger"].machine, cloud, asker, **stranger, kLimit);
    const auto why = co_await std::move(looking);
    EXPECT_EQ(why.has_value(), removed);
    if (!why) EXPECT_EQ(why.error().code, Errc::denied);
    if (why) EXPECT_EQ(why->taken_out(emil.person.id(), computer).at(0).by, ann.person.id());
    if (why) EXPECT_TRUE(why->view().homes.empty()) << "of who is in it is said what that rests on";
  }
  const wire::CloudClaim claim{cloud, ann.id(), (*stranger)->peer().exporter};
  for (const auto& key : {all["Stranger"].person.key, emil.person.device}) {
    Bytes body = wire::encode(wire::sign(key, wire::kSignCloudClaim, wire::encode(claim)));
    auto asking = (*stranger)->call(to_request({CloudCall::removal, cloud}, std::move(body)), kLimit);
    EXPECT_EQ((co_await std::move(asking)).error().code, Errc::denied);
  }
}

TEST(Removal, IsToldToWhomItIsAbout) {
  Computers all({"Ann", "Ben", "Emil", "Stranger"});
  while_up(all, hear_of_a_removal);
}

Task<> call_into(net::Caller& caller, net::Request request, Result<Bytes>& into) {
  auto calling = caller.call(std::move(request), kLimit);
  into = co_await std::move(calling);
}

/// On one connection, of two clouds that it is out of, while the one or the other is still looked up.
Task<> ask_of_two_clouds(Computers& all) {
  Computer& ann = all["Ann"];
  Computer& emil = all["Emil"];
  const CloudId first = ann.found(), second = ann.found({.open = true});
  for (const CloudId& cloud : {first, second}) {
    co_await let_in(emil, ann.invite(cloud, cloud == first ? 1 : 2));
    co_await settle(all, cloud);
    ann.say(cloud, ann.removal_of(cloud, emil));
  }
  co_await all.clock().sleep(10s);
  const auto caller = co_await call_to(emil, ann);
  const auto removal = [&](const CloudId& cloud) {
    return to_request({CloudCall::removal, cloud}, make_claim(cloud, emil.person.key, (*caller)->peer()));
  };
  auto asking = (*caller)->call(removal(first), kLimit);
  EXPECT_TRUE(co_await std::move(asking));
  std::vector<Result<Bytes>> answers(4, fail(Errc::not_found, "nothing yet"));
  platform::Nursery together(emil.machine.executor());
  together.start(call_into(**caller, removal(second), answers[0]));
  together.start(call_into(**caller, digest_of(first), answers[1]));
  together.start(call_into(**caller, removal(second), answers[2]));
  together.start(call_into(**caller, digest_of(first), answers[3]));
  co_await together.join();
  for (const std::size_t told : {0U, 2U}) EXPECT_TRUE(answers[told]) << told;
  for (const std::size_t asked : {1U, 3U}) {
    EXPECT_EQ(answers[asked].error().code, Errc::denied);
    EXPECT_NE(answers[asked].error().detail.find("no more to say"), std::string::npos)
        << "of the first cloud he may still ask: " << answers[asked].error().detail;
  }
}

TEST(Removal, OfTwoCloudsIsToldOnOneConnection) {
  Computers all({"Ann", "Emil"});
  while_up(all, ask_of_two_clouds);
}

Task<> flood_from_outside(Computers& all) {
  Computer& ann = all["Ann"];
  Computer& emil = all["Emil"];
  const CloudId cloud = ann.found();
  co_await let_in(emil, ann.invite(cloud, 1, wire::Role::admin));
  co_await settle(all, cloud);
  ann.say(cloud, ann.removal_of(cloud, emil));
  const auto before = ann.roster(cloud)->statements();
  co_await all.clock().sleep(10s);
  const auto caller = co_await call_to(emil, ann);
  const auto put = [&](std::vector<Bytes> said) {
    return to_request({CloudCall::put_roster, cloud}, wire::encode(wire::Statements{std::move(said)}));
  };
  std::vector<Bytes> one{emil.roster(cloud)->say(emil.person.key, emil.person.id(), wire::RuleChange{{.open = true}})};
  auto too_early = (*caller)->call(put(one), kLimit);
  EXPECT_EQ((co_await std::move(too_early)).error().code, Errc::denied) << "he has not shown who he is";
  const Bytes removal = emil.roster(cloud)->say(emil.person.key, emil.person.id(), emil.removal_of(cloud, ann));
  auto hearing = hear_removal(emil.machine, emil.book, cloud, asker_of(emil), **caller, kLimit);
  const auto heard = co_await std::move(hearing);
  EXPECT_TRUE(heard && *heard);
  auto idle = (*caller)->call(put({one[0], removal}), kLimit);
  EXPECT_EQ((co_await std::move(idle)).error().code, Errc::denied) << "it does not count";
  auto many = (*caller)->call(put(std::vector<Bytes>(65, removal)), kLimit);
  EXPECT_EQ((co_await std::move(many)).error().code, Errc::denied);
  auto asking = (*caller)->call(digest_of(cloud), kLimit);
  EXPECT_EQ((co_await std::move(asking)).error().code, Errc::denied) << "he reads nothing";
  EXPECT_EQ(ann.roster(cloud)->statements(), before);
}

TEST(Removal, OpensNothingToAFlood) {
  Computers all({"Ann", "Emil"});
  while_up(all, flood_from_outside);
}

/// Ben, whom Ann promoted, removes her; all believe him until she answers.
Task<> fight_back(Computers& all) {
  Computer& ann = all["Ann"];
  Computer& ben = all["Ben"];
  const CloudId cloud = ann.found();
  for (std::uint64_t i = 0; const char* name : {"Ben", "Dora", "Emil"})
    co_await let_in(all[name], ann.invite(cloud, ++i));
  ann.say(cloud, wire::Promotion{ben.person.id()});
  co_await settle(all, cloud);
  ben.say(cloud, ben.removal_of(cloud, ann));
  co_await settle(all, cloud);
  EXPECT_FALSE(all["Dora"].view(cloud).members.contains(ann.person.id()));
  EXPECT_FALSE(is_out(ann, cloud)) << "she has not heard of it";
  co_await speak_with_all(ann, cloud);
  EXPECT_TRUE(is_out(ann, cloud));
  ann.say(cloud, ann.roster(cloud)->removal_in_answer(ann.person.id(), ben.person.id()));
  EXPECT_FALSE(is_out(ann, cloud));
  ann.say(cloud, wire::RuleChange{{.members_invite = true}});
  co_await speak_with_all(ann, cloud);
  co_await settle(all, cloud);
  expect_same(all, cloud, {"Ann", "Dora", "Emil"});
  EXPECT_TRUE(all["Dora"].view(cloud).is_admin(ann.person.id()));
  EXPECT_TRUE(all["Dora"].view(cloud).rules.members_invite) << "what she says counts as before";
  EXPECT_FALSE(all["Emil"].view(cloud).members.contains(ben.person.id()));
  EXPECT_FALSE(is_out(ben, cloud));
  co_await speak_with_all(ben, cloud);
  EXPECT_TRUE(is_out(ben, cloud)) << "he hears it from those that he takes for his";
}

TEST(Removal, OfTheFounderIsTakenBackEverywhere) {
  Computers all({"Ann", "Ben", "Dora", "Emil"});
  while_up(all, fight_back);
}

/// Nobody else is left: each would speak with nobody of the other side.
Task<> fight_alone(Computers& all) {
  Computer& ann = all["Ann"];
  Computer& ben = all["Ben"];
  const CloudId cloud = ann.found();
  co_await let_in(ben, ann.invite(cloud, 1, wire::Role::admin));
  co_await settle(all, cloud);
  all.world.wires().cut(ann.machine.address(), ben.machine.address());
  ben.say(cloud, ben.removal_of(cloud, ann));
  ann.say(cloud, ann.removal_of(cloud, ben));
  all.world.wires().mend(ann.machine.address(), ben.machine.address());
  co_await all.clock().sleep(1h);
  co_await speak_with_all(ann, cloud);
  EXPECT_TRUE(ben.view(cloud).members.contains(ben.person.id()));
  // Either may be the one who tells.
  EXPECT_EQ(co_await tell_all_former(ben, cloud), 1U);
  EXPECT_EQ(ann.view(cloud), ben.view(cloud));
  EXPECT_TRUE(is_out(ben, cloud) && !is_out(ann, cloud));
  EXPECT_EQ(co_await tell_all_former(ann, cloud), 1U) << "so he would have heard it from her";
  EXPECT_EQ(ann.view(cloud), ben.view(cloud));
}

TEST(Removal, IsToldToFormerHomesWhereNobodyElseIsLeft) {
  Computers all({"Ann", "Ben"});
  while_up(all, fight_alone);
}

Task<> hear_of_a_computer(Computers& all) {
  Computer& ann = all["Ann"];
  Computer& emil = all["Emil"];
  const CloudId cloud = ann.found();
  co_await let_in(emil, ann.invite(cloud, 1));
  co_await settle(all, cloud);
  ann.say(cloud, ann.roster(cloud)->removal(wire::Removal::What::key, emil.person.id(), emil.person.home_key()));
  co_await speak_with_all(emil, cloud);
  const auto removals = emil.roster(cloud)->taken_out(emil.person.id(), emil.person.home_key());
  EXPECT_EQ(removals.size(), 1U);
  EXPECT_TRUE(removals[0].by == ann.person.id() && removals[0].what == wire::Removal::What::key);
  EXPECT_TRUE(emil.view(cloud).members.contains(emil.person.id()));
  EXPECT_FALSE(emil.book.has_home(emil.id()));
}

/// With a stolen computer comes its owner's key, an admin's: where only the computer was taken out, what it says since
/// changes nothing.
Task<> plead_by_a_stolen_computer(Computers& all) {
  Computer& ann = all["Ann"];
  Computer& ben = all["Ben"];
  Computer& dan = all["Dan"];
  const CloudId cloud = ann.found();
  co_await let_in(ben, ann.invite(cloud, 1));
  co_await let_in(dan, ann.invite(cloud, 2));
  for (const Computer* one : {&ben, &dan}) ann.say(cloud, wire::Promotion{one->person.id()});
  co_await settle(all, cloud);
  dan.say(cloud, dan.roster(cloud)->removal(wire::Removal::What::key, ben.person.id(), ben.person.home_key()));
  co_await settle(all, cloud);
  ben.say(cloud, ben.roster(cloud)->removal_in_answer(ben.person.id(), dan.person.id()));
  co_await speak_with_all(ben, cloud);
  co_await settle(all, cloud);
  for (const Computer* one : {&ann, &dan}) {
    EXPECT_TRUE(one->view(cloud).members.contains(dan.person.id()));
    EXPECT_FALSE(one->book.has_home(ben.id()));
  }
}

TEST(Removal, OfAComputerIsNotTakenBackByIt) {
  Computers all({"Ann", "Ben", "Dan"});
  while_up(all, plead_by_a_stolen_computer);
}

TEST(Removal, OfAComputerIsToldToIt) {
  Computers all({"Ann", "Emil"});
  while_up(all, hear_of_a_computer);
}

}  // namespace
}  // namespace mhp::cloud
