// Clouds of several computers over TLS in a network of memory: joining, exchanging, and strangers.
#include <gtest/gtest.h>

#include <algorithm>

#include "cloud/cloud_routes.h"
#include "cloud/network_line.h"
#include "cloud/testing/computers.h"
#include "net/dial.h"
#include "wire/calls.h"
#include "wire/cloud_calls.h"

namespace mhp::cloud {
namespace {

using namespace std::chrono_literals;
using namespace testing;

Task<> join_and_compare(Computers& all) {
  Computer& ann = all["Ann"];
  Computer& emil = all["Emil"];
  const CloudId cloud = ann.found();
  const wire::Invitation invitation = ann.invite(cloud, 1);
  const Joined joined = co_await let_in(emil, invitation);
  EXPECT_EQ(joined.let_in_by, ann.id());
  EXPECT_EQ(joined.member, emil.person.id());
  const HomeId signer = ann.id();
  EXPECT_EQ(joined.words, four_words(emil.person.id(), signer, ticket_of(invitation)));
  EXPECT_EQ(as_key(ann.person.home.public_key()), ann.roster(cloud)->admitted_by(emil.person.id()));
  expect_same(all, cloud, {"Ann", "Emil"});
  EXPECT_EQ(joined.roster, emil.roster(cloud));
  const View& view = ann.view(cloud);
  EXPECT_EQ(view.members.at(emil.person.id()).devices, std::set{emil.person.device_key()});
  EXPECT_EQ(view.homes.at(emil.id()).addresses, std::vector{emil.address()});
  EXPECT_EQ(view.homes.at(emil.id()).lend_bytes, 50'000'000'000U);
  // Again, as after a lost answer: nothing is said twice.
  const auto before = ann.roster(cloud)->statements();
  const Joined again = co_await let_in(emil, invitation);
  EXPECT_EQ(again.words, joined.words);
  EXPECT_EQ(ann.roster(cloud)->statements(), before);
}

TEST(Joining, GivesBothTheSameRosterAndTheSameWords) {
  Computers all({"Ann", "Emil"});
  while_up(all, join_and_compare);
}

Task<> join_by_another_admin(Computers& all) {
  const CloudId cloud = all["Ann"].found();
  co_await let_in(all["Ben"], all["Ann"].invite(cloud, 1, wire::Role::admin));
  co_await let_in(all["Dora"], all["Ann"].invite(cloud, 2));
  co_await settle(all, cloud);
  const wire::Invitation invitation = all["Ann"].invite(cloud, 3);
  co_await settle(all, cloud);
  co_await all["Ann"].go_down();
  const Joined joined = co_await let_in(all["Emil"], invitation);
  EXPECT_EQ(joined.let_in_by, all["Ben"].id());
  all["Ann"].go_up();
  co_await settle(all, cloud);
  expect_same(all, cloud, {"Ann", "Ben", "Dora", "Emil"});
  EXPECT_TRUE(all["Ann"].view(cloud).members.contains(all["Emil"].person.id()));
}

TEST(Joining, AnyAdminsHomeLetsInWhenTheInvitersIsOff) {
  Computers all({"Ann", "Ben", "Dora", "Emil"});
  while_up(all, join_by_another_admin);
}

Task<> be_refused(Computers& all) {
  Computer& ann = all["Ann"];
  Computer& emil = all["Emil"];
  const CloudId cloud = ann.found();
  co_await let_in(all["Ben"], ann.invite(cloud, 1, wire::Role::admin));
  const wire::Invitation invitation = ann.invite(cloud, 2);
  co_await settle(all, cloud);
  EXPECT_EQ(invitation.homes.size(), 2U);

  wire::Invitation guessed = invitation;
  guessed.secret[3] ^= std::byte{1};
  expect_error(co_await try_join(emil, guessed), Errc::not_found, "this invitation is not known here");
  wire::Invitation elsewhere = invitation;
  elsewhere.cloud = CloudId::from_bytes(Bytes(32, std::byte{5}));
  expect_error(co_await try_join(emil, elsewhere), Errc::not_found, "not in the cloud of this invitation");
  wire::Invitation forged = invitation;
  forged.inviter = all["Ben"].person.id();
  expect_error(co_await try_join(emil, forged), Errc::not_found, "not known here");
  EXPECT_TRUE(emil.book.clouds().empty());

  co_await let_in(all["Fay"], invitation);
  expect_error(co_await try_join(emil, invitation), Errc::denied, "used already");
  const wire::Invitation late = ann.invite(cloud, 3);
  co_await settle(all, cloud);
  co_await all.clock().sleep(25h);
  expect_error(co_await try_join(emil, late), Errc::denied, "has expired");
  wire::Invitation later = late;  // as somebody with a wrong clock would read it
  later.expires_s += 1'000'000;
  expect_error(co_await try_join(emil, later), Errc::denied, "has expired");
  for (const char* name : {"Ann", "Ben"}) EXPECT_EQ(all[name].view(cloud).members.size(), 3U) << name;
}

TEST(Joining, IsRefusedInWordsForAPerson) {
  Computers all({"Ann", "Ben", "Emil", "Fay"});
  while_up(all, be_refused);
}

Task<> reach_nobody(Computers& all) {
  const CloudId cloud = all["Ann"].found();
  co_await let_in(all["Ben"], all["Ann"].invite(cloud, 1, wire::Role::admin));
  const wire::Invitation invitation = all["Ann"].invite(cloud, 2);
  co_await all["Ann"].go_down();
  all.world.wires().unplug(all["Ben"].machine.address());
  const auto joined = co_await try_join(all["Emil"], invitation);
  expect_error(joined, Errc::unavailable, "no home of the invitation could be reached: ");
  for (const char* name : {"Ann", "Ben"}) {
    expect_error(joined, Errc::unavailable, all[name].id().short_hex() + " is not reached");
    expect_error(joined, Errc::unavailable, all[name].machine.address());
  }
  all.world.wires().plug_in(all["Ben"].machine.address());
  // Ben's home has not heard of the invitation.
  expect_error(co_await try_join(all["Fay"], invitation), Errc::not_found, "; not reached: ");
}

TEST(Joining, TellsOfEachHomeWhyItWasNotReached) {
  Computers all({"Ann", "Ben", "Emil", "Fay"});
  while_up(all, reach_nobody);
}

/// The secret, and what only its holder can make, is in no file, no error and no other's book.
Task<> keep_the_secret(Computers& all) {
  const CloudId cloud = all["Ann"].found();
  const wire::Invitation invitation = all["Ann"].invite(cloud, 1);
  const auto holds_secret = [&](ByteView bytes) {
    return !std::ranges::search(bytes, std::span(invitation.secret).first<8>()).empty();
  };
  co_await let_in(all["Emil"], invitation);
  const auto refused = co_await try_join(all["Fay"], invitation);
  EXPECT_FALSE(holds_secret(as_bytes(refused.error().detail)));
  const std::string in_hex = to_hex(invitation.secret);
  EXPECT_EQ(refused.error().detail.find(in_hex.substr(0, 8)), std::string::npos);
  for (const char* name : {"Ann", "Emil"}) {
    platform::MemoryDisk& disk = all[name].machine.memory_disk();
    const auto files = disk.list("/state/clouds");
    EXPECT_TRUE(files && files->size() >= 2);
    for (const std::string& file : *files)
      EXPECT_FALSE(holds_secret(*platform::read_file(disk, "/state/clouds/" + file, 5_MiB))) << file;
  }
  EXPECT_TRUE(holds_secret(wire::encode(invitation))) << "the search finds what is there";
}

TEST(Joining, LeavesNoSecretAnywhere) {
  Computers all({"Ann", "Emil", "Fay"});
  while_up(all, keep_the_secret);
}

Task<> join_twice_at_once(Computer& who, wire::Invitation invitation, std::size_t& good) {
  auto joining = try_join(who, std::move(invitation));
  if (co_await std::move(joining)) ++good;
}

Task<> race_for_one_ticket(Computers& all) {
  const CloudId cloud = all["Ann"].found();
  const wire::Invitation invitation = all["Ann"].invite(cloud, 1);
  std::size_t good = 0;
  platform::Nursery scope(all.world.executor());
  for (const char* name : {"Emil", "Fay", "Gus"}) scope.start(join_twice_at_once(all[name], invitation, good));
  co_await scope.join();
  EXPECT_EQ(good, 1U);
  EXPECT_EQ(all["Ann"].view(cloud).members.size(), 2U);
}

TEST(Joining, OfSeveralAtOnceOneIsLetIn) {
  Computers all({"Ann", "Emil", "Fay", "Gus"});
  while_up(all, race_for_one_ticket);
}

/// A join call as Emil would send it, by keys and over a connection of the test's choice.
Task<Errc> call_join(Computer& from, Computer& to, wire::JoinRequest request, primitives::SigningKey key,
                     std::byte exporter_change = {}) {
  co_await from.machine.clock().sleep(10s);
  auto calling = call_to(from, to);
  const auto caller = co_await std::move(calling);
  if (!caller) co_return caller.error().code;
  wire::CloudClaim claim{request.cloud, to.id(), (*caller)->peer().exporter};
  claim.exporter[0] ^= exporter_change;
  const auto envelope = wire::sign(key, wire::kSignCloudClaim, wire::encode(claim));
  const wire::JoinCall call{request, wire::encode(envelope)};
  auto reply = (*caller)->call(to_request({CloudCall::join, request.cloud}, wire::encode(call)), kLimit);
  const auto got = co_await std::move(reply);
  co_return got ? Errc{} : got.error().code;
}

/// Whoever has read a roster has all admissions, with their proofs.
Task<> replay_an_admission(Computers& all) {
  Computer& ann = all["Ann"];
  Computer& thief = all["Thief"];
  const CloudId cloud = ann.found();
  const wire::Invitation invitation = ann.invite(cloud, 1);
  const auto request = *ask_to_join(invitation, all["Emil"].person.id(), "Emil", kNowS);
  co_await let_in(all["Emil"], invitation);
  EXPECT_EQ(co_await call_join(thief, ann, request, thief.person.key), Errc::denied);
  EXPECT_EQ(co_await call_join(thief, ann, request, all["Emil"].person.key, std::byte{1}), Errc::denied);
  wire::JoinRequest renamed = request;
  renamed.admission.member = thief.person.id();
  EXPECT_EQ(co_await call_join(thief, ann, renamed, thief.person.key), Errc::denied);
  EXPECT_EQ((co_await ask(thief, ann, digest_of(cloud))).error().code, Errc::denied);
}

TEST(Joining, WhatIsReplayedOpensNothing) {
  Computers all({"Ann", "Emil", "Thief"});
  while_up(all, replay_an_admission);
}

Task<> heal_a_partition(Computers& all) {
  const std::vector<std::string> names{"Ann", "Ben", "Dora", "Emil", "Fay"};
  const CloudId cloud = all["Ann"].found();
  for (std::size_t i = 1; i < names.size(); ++i)
    co_await let_in(all[names[i]], all["Ann"].invite(cloud, i, i == 2 ? wire::Role::admin : wire::Role::member));
  co_await settle(all, cloud);
  expect_same(all, cloud, names);
  for (const char* here : {"Ann", "Ben"})
    for (const char* there : {"Dora", "Emil", "Fay", "Gus"})
      all.world.wires().cut(all[here].machine.address(), all[there].machine.address());
  all["Ann"].say(cloud, all["Ann"].removal_of(cloud, all["Fay"]));
  all["Ben"].say(cloud, all["Ben"].person.home, wire::HomeAddresses{{all["Ben"].address(), "ben.example:1"}});
  all["Dora"].say(cloud, wire::RuleChange{{.members_invite = true}});
  const wire::Invitation invitation = all["Dora"].invite(cloud, 10);
  co_await let_in(all["Gus"], invitation);
  co_await settle(all, cloud);
  expect_same(all, cloud, {"Ann", "Ben"});
  expect_same(all, cloud, {"Dora", "Emil", "Fay", "Gus"});
  EXPECT_NE(all["Ann"].view(cloud), all["Dora"].view(cloud));
  for (const char* here : {"Ann", "Ben"})
    for (const char* there : {"Dora", "Emil", "Fay", "Gus"})
      all.world.wires().mend(all[here].machine.address(), all[there].machine.address());
  co_await all.clock().sleep(1h);
  co_await settle(all, cloud);
  expect_same(all, cloud, {"Ann", "Ben", "Dora", "Emil", "Gus"});
  const View& view = all["Emil"].view(cloud);
  EXPECT_FALSE(view.members.contains(all["Fay"].person.id()));
  EXPECT_TRUE(view.members.contains(all["Gus"].person.id()));
  EXPECT_TRUE(view.rules.members_invite);
  EXPECT_EQ(view.homes.at(all["Ben"].id()).addresses.size(), 2U);
}

TEST(Exchange, HealsAPartition) {
  Computers all({"Ann", "Ben", "Dora", "Emil", "Fay", "Gus"});
  while_up(all, heal_a_partition);
}

Task<> heal_a_damaged_book(Computers& all) {
  Computer& ann = all["Ann"];
  const CloudId cloud = ann.found();
  co_await let_in(all["Ben"], ann.invite(cloud, 1));
  const std::string path = "/state/clouds/" + cloud.hex();
  for (const char* suffix : {"", ".copy"})
    EXPECT_TRUE(platform::replace_file(ann.machine.disk(), path + suffix, Bytes(7)));
  Book book(ann.machine.disk(), "/state/clouds");
  EXPECT_EQ(book.refresh().error().code, Errc::corrupt);
  const auto caller = co_await call_to(ann, all["Ben"]);
  auto exchanging = exchange(ann.machine, book, cloud, **caller, kLimit);
  const auto exchanged = co_await std::move(exchanging);
  EXPECT_TRUE(exchanged && exchanged->taken > 0 && exchanged->given == 0);
  EXPECT_EQ(book.find(cloud)->statements(), all["Ben"].roster(cloud)->statements());
  EXPECT_TRUE(book.refresh());
  auto unknown = exchange(ann.machine, book, CloudId(), **caller, kLimit);
  EXPECT_EQ((co_await std::move(unknown)).error().code, Errc::not_found);
}

TEST(Exchange, MakesADamagedBookWhole) {
  Computers all({"Ann", "Ben"});
  while_up(all, heal_a_damaged_book);
}

/// Whoever of a cloud is a member is not of another one that the same computer is in.
Task<> keep_clouds_apart(Computers& all) {
  Computer& ann = all["Ann"];
  Computer& ben = all["Ben"];
  const CloudId one = ann.found();
  const CloudId other = ann.found({.open = true});
  EXPECT_NE(one, other);
  co_await let_in(ben, ann.invite(one, 1));
  EXPECT_TRUE(co_await ask(ben, ann, digest_of(one)));
  EXPECT_EQ((co_await ask(ben, ann, digest_of(other))).error().code, Errc::denied);
  EXPECT_EQ((co_await ask(ben, ann, digest_of(CloudId()))).error().code, Errc::denied);
  const auto statements = wire::encode(ann.roster(other)->statements());
  const auto put = [&](const CloudId& cloud) { return to_request({CloudCall::put_roster, cloud}, statements); };
  EXPECT_EQ((co_await ask(ben, ann, put(other))).error().code, Errc::denied);
  const auto before = ann.roster(one)->statements();
  EXPECT_TRUE(co_await ask(ben, ann, put(one))) << "those of another cloud are passed over";
  EXPECT_EQ(ann.roster(one)->statements(), before);
  const net::Request nothing{net::Method::get, "/v1/else"};
  EXPECT_EQ((co_await ask(ben, ann, nothing)).error().code, Errc::not_found);
  net::Request wrong = digest_of(one);
  wrong.body = wire::encode(wire::RosterDigest{other, {}});
  EXPECT_EQ((co_await ask(ben, ann, wrong)).error().code, Errc::invalid);
  wrong.body = Bytes(100);
  EXPECT_EQ((co_await ask(ben, ann, wrong)).error().code, Errc::invalid);
}

TEST(Exchange, KeepsCloudsApart) {
  Computers all({"Ann", "Ben"});
  while_up(all, keep_clouds_apart);
}

Task<> try_as_a_stranger(Computers& all) {
  Computer& ann = all["Ann"];
  Computer& stranger = all["Stranger"];
  const CloudId cloud = ann.found();
  (void)ann.invite(cloud, 1);
  std::vector<std::string> paths{"/", "/v1", "/v1/", "/v1/clouds", "/v1/clouds/", "/v1/else", "/v2/clouds/x"};
  for (const char* end : {"", "/", "/roster", "/session", "/join", "/else", "/roster?a=b"})
    paths.push_back("/v1/clouds/" + cloud.hex() + end);
  for (const char* end : {"", "/session", "/usage", "/segments", "/vault-records", "/records", "/commit"})
    paths.push_back("/v1/vaults/" + cloud.hex() + end);
  for (const std::string& path : paths) {
    for (const auto method : {net::Method::get, net::Method::put, net::Method::post}) {
      for (const std::size_t size : {std::size_t{0}, std::size_t{100}}) {
        co_await all.clock().sleep(10s);  // the connection before this one is over
        const net::Request request{method, path, Bytes(size, std::byte{7})};
        const auto reply = co_await ask(stranger, ann, request);
        EXPECT_FALSE(reply) << path;
        const bool may_ask = path.ends_with("/session") || path.ends_with("/join");
        const Errc code = reply ? Errc{} : reply.error().code;
        EXPECT_TRUE(code == Errc::denied || (may_ask && code == Errc::invalid)) << path << ": " << to_string(code);
      }
    }
  }
  // What is longer than a stranger may send ends the connection.
  co_await all.clock().sleep(10s);
  const net::Request request{net::Method::post, "/v1/clouds/" + cloud.hex() + "/join", Bytes(8000)};
  const auto long_one = co_await ask(stranger, ann, request);
  EXPECT_FALSE(long_one);
  auto spreading = spread(stranger.machine, stranger.book, cloud, *stranger.net, stranger.id(), {});
  EXPECT_TRUE((co_await std::move(spreading)).empty());
}

TEST(Strangers, AreDeniedEverything) {
  Computers all({"Ann", "Stranger"});
  while_up(all, try_as_a_stranger);
}

/// As the member whose computer `as` is, in its own book alone.
void name_itself(Computer& fresh, Computer& as, const CloudId& cloud) {
  EXPECT_TRUE(fresh.book.add(*Roster::open(cloud, as.roster(cloud)->statements())));
  const MemberId member = as.person.id();
  const wire::HomeKey key{fresh.person.home_key(), "new", 1, false};
  const Bytes home = fresh.roster(cloud)->say(as.person.key, member, key);
  EXPECT_EQ(fresh.book.merge(cloud, std::span(&home, 1))->fresh.size(), 1U);
  const Bytes at = fresh.roster(cloud)->say(fresh.person.home, member, wire::HomeAddresses{{fresh.address()}});
  EXPECT_EQ(fresh.book.merge(cloud, std::span(&at, 1))->fresh.size(), 1U);
}

/// A member on a computer that no roster names yet.
Task<> come_back_on_a_new_computer(Computers& all) {
  Computer& ann = all["Ann"];
  Computer& fresh = all["New"];
  const CloudId cloud = ann.found();
  co_await let_in(all["Emil"], ann.invite(cloud, 1));
  const auto caller = co_await call_to(fresh, ann);
  auto before = (*caller)->call(digest_of(cloud), kLimit);
  EXPECT_EQ((co_await std::move(before)).error().code, Errc::denied);
  auto wrong = show_membership(cloud, fresh.person.key, **caller, kLimit);
  EXPECT_EQ((co_await std::move(wrong)).error().code, Errc::denied);
  EXPECT_TRUE(ann.service.belongings(fresh.id()).empty());
  auto showing = show_membership(cloud, all["Emil"].person.device, **caller, kLimit);
  EXPECT_TRUE(co_await std::move(showing));
  const std::vector<Book::Belonging> emils{{cloud, all["Emil"].person.id()}};
  EXPECT_EQ(ann.service.belongings(fresh.id()), emils) << "it is lent what Emil is";
  name_itself(fresh, all["Emil"], cloud);
  auto exchanging = exchange(fresh.machine, fresh.book, cloud, **caller, kLimit);
  EXPECT_EQ((co_await std::move(exchanging))->given, 2U);
  EXPECT_TRUE(ann.book.has_home(fresh.id()));
  co_await fresh.go_down();
  fresh.go_up();
  EXPECT_TRUE(co_await ask(fresh, ann, digest_of(cloud))) << "its home is known now";
}

TEST(Members, ShowWhoTheyAreOnANewComputer) {
  Computers all({"Ann", "Emil", "New"});
  while_up(all, come_back_on_a_new_computer);
}

/// Who came back was cut off before any home had heard of it.
Task<> tell_what_nobody_has_heard(Computers& all) {
  Computer& fresh = all["New"];
  const CloudId cloud = all["Ann"].found();
  co_await let_in(all["Emil"], all["Ann"].invite(cloud, 1));
  co_await settle(all, cloud);
  name_itself(fresh, all["Emil"], cloud);
  for (const bool shows : {false, true}) {
    co_await all.clock().sleep(10s);
    Spread how;
    if (shows) how.asker = Asker{.member = all["Emil"].person.key, .computer = fresh.person.home_key()};
    auto spreading = spread(fresh.machine, fresh.book, cloud, *fresh.net, fresh.id(), how);
    const auto spoken = co_await std::move(spreading);
    EXPECT_EQ(spoken.size(), 2U);
    for (const Spoken& one : spoken) EXPECT_EQ(one.exchanged.has_value(), shows);
    for (const char* name : {"Ann", "Emil"}) EXPECT_EQ(all[name].book.has_home(fresh.id()), shows) << name;
  }
}

TEST(Members, AreHeardOfInTheEnd) {
  Computers all({"Ann", "Emil", "New"});
  while_up(all, tell_what_nobody_has_heard);
}

Task<> follow_the_news(Computers& all) {
  const std::vector<std::string> names{"Ann", "Ben", "Dora", "Emil", "Fay", "Gus"};
  const CloudId cloud = all["Ann"].found();
  for (std::size_t i = 1; i < names.size(); ++i) co_await let_in(all[names[i]], all["Ann"].invite(cloud, i));
  std::map<std::string, Contacts> contacts;
  platform::Nursery scope(all.world.executor());
  const Rhythm rhythm{.look = 10s};
  co_await all["Gus"].go_down();
  for (const std::string& name : names) {
    Computer& one = all[name];
    if (name == "Gus") continue;
    scope.start(keep_in_touch(one.machine, one.book, *one.net, one.id(), rhythm, contacts[name]));
  }
  co_await all.clock().sleep(30s);
  expect_same(all, cloud, {"Ann", "Ben", "Dora", "Emil", "Fay"});
  // Another process of Emil's computer says something.
  Book other(all["Emil"].machine.disk(), "/state/clouds");
  EXPECT_TRUE(other.refresh());
  const Bytes said = other.find(cloud)->say(all["Emil"].person.home, all["Emil"].person.id(),
                                            wire::HomeAddresses{{all["Emil"].address(), "emil.example:1"}});
  EXPECT_EQ(other.merge(cloud, std::span(&said, 1))->fresh.size(), 1U);
  co_await all.clock().sleep(30s);
  expect_same(all, cloud, {"Ann", "Ben", "Dora", "Emil", "Fay"});
  EXPECT_EQ(all["Fay"].view(cloud).homes.at(all["Emil"].id()).addresses.size(), 2U);
  const Contact& gus = contacts["Ann"].at({cloud, all["Gus"].id()});
  EXPECT_TRUE(gus.reached_ns == 0 && gus.tried_ns > 0 && !gus.failure.empty());
  const Contact& ben = contacts["Ann"].at({cloud, all["Ben"].id()});
  EXPECT_TRUE(ben.reached_ns > 0 && ben.failure.empty());
  // Whoever was away hears of it from one of those who speak with some from time to time.
  all["Gus"].go_up();
  co_await all.clock().sleep(1h);
  expect_same(all, cloud, names);
  scope.cancel();
  co_await scope.join();
}

TEST(KeepingInTouch, BringsNewsToAll) {
  Computers all({"Ann", "Ben", "Dora", "Emil", "Fay", "Gus"});
  while_up(all, follow_the_news);
}

/// Answers a join as a home that lies.
class Liar : public net::Service {
 public:
  explicit Liar(Bytes answer) : answer_(std::move(answer)) {}
  Standing standing(const net::Peer&) override { return Standing::member; }
  std::unique_ptr<net::Served> serve(const net::Peer&) override { return std::make_unique<One>(answer_); }

 private:
  class One : public net::Served {
   public:
    explicit One(const Bytes& answer) : answer_(answer) {}
    Task<net::Reply> answer(net::Request) override { co_return net::Reply{200, answer_}; }

   private:
    const Bytes& answer_;
  };
  const Bytes answer_;
};

Task<> hear_lies(Computers& all) {
  Computer& ann = all["Ann"];
  const CloudId cloud = ann.found();
  const wire::Invitation invitation = ann.invite(cloud, 1);
  const CloudId other = ann.found({.open = true});
  Roster without = *ann.roster(cloud);
  Roster by_herself = without;  // Ann's own key admits, not her home's
  const auto request = *ask_to_join(invitation, all["Emil"].person.id(), "Emil", kNowS);
  take(by_herself, by_herself.say(ann.person.key, ann.person.id(), request.admission));
  const std::vector<std::pair<Bytes, std::string>> lies{
      {Bytes(10), "no roster"},
      {wire::encode(wire::Statements{}), "of another cloud"},
      {wire::encode(ann.roster(other)->statements()), "of another cloud"},
      {wire::encode(without.statements()), "without the new member"},
      {wire::encode(by_herself.statements()), "not of the invitation"}};
  co_await ann.go_down();
  for (const auto& [lie, words] : lies) {
    Liar liar(lie);
    net::Server lying(ann.station, liar);
    platform::Nursery scope(all.world.executor());
    std::vector<std::unique_ptr<platform::Listener>> listeners;
    listeners.push_back(std::move(*ann.machine.network().listen({"0.0.0.0", testing::kPort})));
    scope.start(lying.run(std::move(listeners)));
    co_await all.clock().sleep(1h);
    expect_error(co_await try_join(all["Emil"], invitation), Errc::unavailable, words);
    EXPECT_TRUE(all["Emil"].book.clouds().empty());
    lying.stop(0s);
    co_await scope.join();
  }
}

TEST(Joining, BelievesNoHomeMoreThanTheInvitation) {
  Computers all({"Ann", "Emil"});
  while_up(all, hear_lies);
}

/// Takes connections and never says a word.
class Hanging : public net::Service {
 public:
  explicit Hanging(platform::Clock& clock) : clock_(clock) {}
  Standing standing(const net::Peer&) override { return Standing::member; }
  std::unique_ptr<net::Served> serve(const net::Peer&) override { return std::make_unique<One>(clock_); }

 private:
  class One : public net::Served {
   public:
    explicit One(platform::Clock& clock) : clock_(clock) {}
    Task<net::Reply> answer(net::Request) override {
      co_await clock_.sleep(24h);
      co_return net::Reply{500, {}};
    }

   private:
    platform::Clock& clock_;
  };
  platform::Clock& clock_;
};

Task<> count(std::size_t& times) {
  ++times;
  co_return;
}

/// Once for each connection, and only where the home says no.
Task<> ask_why_one_is_refused(Computers& all) {
  Computer& ann = all["Ann"];
  Computer& emil = all["Emil"];
  const CloudId cloud = ann.found();
  co_await let_in(emil, ann.invite(cloud, 1));
  std::size_t times = 0;
  const WhenRefused refused = [&times](const MemberKey&, net::Caller&) { return count(times); };
  const std::vector<net::Address> addresses{{ann.machine.address(), testing::kPort}};
  for (const std::size_t wanted : {std::size_t{0}, std::size_t{1}}) {
    const auto line = make_network_line(*emil.net, ann.id(), addresses, MemberKey{cloud, emil.person.key}, refused);
    for (int i = 0; i < 2; ++i) {
      auto reaching = line->reach();
      EXPECT_TRUE(co_await std::move(reaching));
    }
    EXPECT_EQ(times, wanted);
    if (wanted == 0) ann.say(cloud, ann.removal_of(cloud, emil));
  }
}

TEST(Members, AskWhyTheyAreRefused) {
  Computers all({"Ann", "Emil"});
  while_up(all, ask_why_one_is_refused);
}

Task<> show_to_one_that_hangs(Computers& all) {
  Computer& ann = all["Ann"];
  Computer& emil = all["Emil"];
  const CloudId cloud = ann.found();
  co_await ann.go_down();
  Hanging hanging(all.clock());
  net::Server silent(ann.station, hanging);
  platform::Nursery scope(all.world.executor());
  std::vector<std::unique_ptr<platform::Listener>> listeners;
  listeners.push_back(std::move(*ann.machine.network().listen({"0.0.0.0", testing::kPort})));
  scope.start(silent.run(std::move(listeners)));
  std::vector<net::Address> addresses{{ann.machine.address(), testing::kPort}};
  MemberKey as{cloud, emil.person.key};
  const auto line = make_network_line(*emil.net, ann.id(), std::move(addresses), std::move(as));
  const auto before = all.clock().steady();
  auto reaching = line->reach();
  EXPECT_TRUE(co_await std::move(reaching));  // what is asked for next will tell
  EXPECT_GE(all.clock().steady() - before, 500ms);
  EXPECT_LT(all.clock().steady() - before, 1s);
  silent.stop(0s);
  scope.cancel();
  co_await scope.join();
}

TEST(Members, WaitNotLongForOneWhoHangs) {
  Computers all({"Ann", "Emil"});
  while_up(all, show_to_one_that_hangs);
}

}  // namespace
}  // namespace mhp::cloud
