// Which addresses are public, who can be a relay, and who may use it.
#include "cloud/reach.h"

#include "cloud/claim.h"
#include "cloud/test_cloud.h"
#include "platform/memory/memory_platform.h"

namespace mhp::cloud {
namespace {

TEST(Reach, KnowsPublicAddresses) {
  for (const char* yes : {"203.0.113.7:7070", "ann.example.org:7070", "[2001:db8::1]:7070", "172.32.0.1:1",
                          "100.128.0.1:1", "11.0.0.1", "192.169.0.1:7070"})
    EXPECT_TRUE(is_public_address(yes)) << yes;
  for (const char* no : {"10.0.0.2:7070", "172.16.0.1:7070", "172.31.255.255:1", "192.168.1.2:7070", "127.0.0.1:7070",
                         "100.64.0.1:1", "169.254.1.1:1", "[fd00::1]:7070", "[fe80::1]:7070", "[::1]:7070",
                         "localhost:7070", "attic.local:7070", "0.0.0.0:1", "", "not an address at all"})
    EXPECT_FALSE(is_public_address(no)) << no;
}

class Reaching : public ::testing::Test {
 protected:
  void SetUp() override {
    cloud_.let_in(ann_, ben_);
    cloud_.let_in(ann_, cat_);
    cloud_.tell_address(ann_, "203.0.113.1:7070");
    cloud_.tell_address(ben_, "10.1.0.2:7070");
    cloud_.tell_address(cat_, "10.2.0.2:7070");
    ASSERT_TRUE(book_.add(cloud_.roster));
  }
  std::vector<HomeId> homes_of(const std::vector<net::Relay>& relays) {
    std::vector<HomeId> out;
    for (const net::Relay& relay : relays) out.push_back(relay.home);
    return out;
  }
  platform::MemoryPlatform machine_{1};
  Person ann_{"Ann"}, ben_{"Ben"}, cat_{"Cat"}, eve_{"Eve"};
  Cloud cloud_{ann_};
  Book book_{machine_.disk(), "/clouds"};
};

TEST_F(Reaching, HomesWithPublicAddressesAreRelaysForTheOthers) {
  CloudReach ben(book_, ben_.home_id()), ann(book_, ann_.home_id());
  EXPECT_EQ(homes_of(ben.relays_for(cat_.home_id())), std::vector<HomeId>{ann_.home_id()});
  EXPECT_EQ(homes_of(ben.relays_to_wait_at(false)), std::vector<HomeId>{ann_.home_id()});
  EXPECT_TRUE(ann.relays_to_wait_at(false).empty()) << "there is no other";
  EXPECT_TRUE(ben.relays_to_wait_at(true).empty()) << "it can be reached itself";
  EXPECT_EQ(homes_of(ann.relays_for(cat_.home_id())), std::vector<HomeId>{ann_.home_id()})
      << "what runs beside its mhp up calls through that";
  EXPECT_TRUE(ann.relays_for(ann_.home_id()).empty());
  EXPECT_TRUE(ben.relays_for(eve_.home_id()).empty());
}

TEST_F(Reaching, MembersOfOneCloudMayWaitAndCall) {
  CloudReach ann(book_, ann_.home_id());
  EXPECT_TRUE(ann.may_wait(cat_.home_id()));
  EXPECT_TRUE(ann.may_call(ben_.home_id(), cat_.home_id()));
  EXPECT_FALSE(ann.may_wait(eve_.home_id()));
  EXPECT_FALSE(ann.may_call(eve_.home_id(), cat_.home_id()));
  EXPECT_FALSE(ann.may_call(ben_.home_id(), eve_.home_id()));
  cloud_.remove(ann_, cat_);
  const auto statements = cloud_.roster.statements();
  ASSERT_TRUE(book_.merge(cloud_.roster.cloud(), statements.statements));
  EXPECT_FALSE(ann.may_wait(cat_.home_id()));
  EXPECT_FALSE(ann.may_call(ben_.home_id(), cat_.home_id()));
}

TEST_F(Reaching, WhoShowsAMembersKeyMayCallFromAComputerThatNobodyKnows) {
  CloudReach ann(book_, ann_.home_id());
  net::Peer fresh{.id = eve_.home_id(), .key = eve_.home.public_key()};
  fresh.exporter.fill(std::byte{5});
  const net::Peer here{.id = ann_.home_id(), .exporter = fresh.exporter};
  const CloudId cloud = cloud_.roster.cloud();
  const Bytes claim = make_claim(cloud, ben_.key, here);
  EXPECT_EQ(ann.may_call_by(fresh, claim, cat_.home_id()), net::CallRight::member);
  EXPECT_EQ(ann.may_call_by(fresh, make_claim(cloud, ben_.device, here), cat_.home_id()), net::CallRight::member);
  EXPECT_EQ(ann.may_call_by(fresh, claim, eve_.home_id()), net::CallRight::none) << "no home of the cloud";
  EXPECT_EQ(ann.may_call_by(fresh, make_claim(cloud, eve_.key, here), cat_.home_id()), net::CallRight::none)
      << "no member's key";
  EXPECT_EQ(ann.may_call_by(fresh, {}, cat_.home_id()), net::CallRight::none);
  net::Peer elsewhere = fresh;
  elsewhere.exporter.fill(std::byte{6});
  EXPECT_EQ(ann.may_call_by(elsewhere, claim, cat_.home_id()), net::CallRight::none) << "seen on another connection";
  EXPECT_EQ(CloudReach(book_, cat_.home_id()).may_call_by(fresh, claim, ann_.home_id()), net::CallRight::none)
      << "made for another relay";
  // A computer of the member's that was taken out may be in a thief's hands, with that key.
  net::Peer stolen = fresh;
  stolen.id = ben_.home_id();
  stolen.key = ben_.home.public_key();
  cloud_.say(ben_, cloud_.roster.removal(wire::Removal::What::key, ben_.id(), ben_.home_key()));
  ASSERT_TRUE(book_.merge(cloud, cloud_.roster.statements().statements));
  EXPECT_EQ(ann.may_call_by(stolen, claim, cat_.home_id()), net::CallRight::none);
  EXPECT_EQ(ann.may_call_by(fresh, claim, cat_.home_id()), net::CallRight::member);
  cloud_.remove(ann_, ben_);
  ASSERT_TRUE(book_.merge(cloud, cloud_.roster.statements().statements));
  EXPECT_EQ(ann.may_call_by(fresh, claim, cat_.home_id()), net::CallRight::former) << "has back what was saved";
  EXPECT_EQ(ann.may_call_by(fresh, claim, eve_.home_id()), net::CallRight::none) << "from homes of that cloud only";
  EXPECT_EQ(ann.may_call_by(stolen, claim, cat_.home_id()), net::CallRight::none) << "that one stays out";
}

TEST_F(Reaching, WhoComesBackKnowsTheRelaysAndClaimsToBeTheMember) {
  Book none(machine_.disk(), "/nothing");
  CloudReach back(none, eve_.home_id());
  EXPECT_TRUE(back.relays_for(cat_.home_id()).empty());
  const net::Peer relay{.id = ann_.home_id()};
  EXPECT_TRUE(back.claim_for(relay, cat_.home_id()).empty());
  back.come_back_as({std::make_shared<const Roster>(cloud_.roster), ben_.key});
  EXPECT_TRUE(back.is_coming_back_to(cloud_.roster.cloud()));
  EXPECT_TRUE(back.is_known(cat_.home_id()));
  EXPECT_EQ(homes_of(back.relays_for(cat_.home_id())), std::vector<HomeId>{ann_.home_id()});
  EXPECT_TRUE(back.relays_to_wait_at(false).empty()) << "nobody calls it";
  const net::Peer fresh{.id = eve_.home_id(), .key = eve_.home.public_key()};
  EXPECT_EQ(CloudReach(book_, ann_.home_id()).may_call_by(fresh, back.claim_for(relay, cat_.home_id()), cat_.home_id()),
            net::CallRight::member);
  EXPECT_TRUE(back.claim_for(relay, eve_.home_id()).empty());
  EXPECT_TRUE(back.claim_for({.id = eve_.home_id()}, cat_.home_id()).empty());
}

TEST_F(Reaching, TheVaultsListNamesRelaysWhereNoRosterDoes) {
  Book none(machine_.disk(), "/nothing");
  CloudReach back(none, eve_.home_id());
  const CloudId cloud = cloud_.roster.cloud();
  back.set_listed({{ann_.home_id(), {cloud, {"203.0.113.1:7070"}}},
                   {ben_.home_id(), {cloud, {"10.1.0.2:7070"}}},
                   {cat_.home_id(), {cloud, {"10.2.0.2:7070"}}}});
  const net::Peer relay{.id = ann_.home_id()};
  EXPECT_TRUE(back.relays_for(cat_.home_id()).empty()) << "none would pass a stranger on";
  EXPECT_TRUE(back.claim_for(relay, cat_.home_id()).empty());
  back.speak_as(cloud, ben_.key);
  EXPECT_EQ(homes_of(back.relays_for(cat_.home_id())), std::vector<HomeId>{ann_.home_id()});
  EXPECT_FALSE(back.claim_for(relay, cat_.home_id()).empty());
  EXPECT_TRUE(back.claim_for(relay, eve_.home_id()).empty());
  EXPECT_TRUE(back.relays_for(eve_.home_id()).empty());
}

TEST_F(Reaching, APublicAddressIsNoReasonNotToWait) {
  cloud_.tell_address(ben_, "[2001:db8:2:1::7]:7070");
  cloud_.tell_address(cat_, "[2001:db8:2:2::7]:7070");
  ASSERT_TRUE(book_.merge(cloud_.roster.cloud(), cloud_.roster.statements().statements));
  CloudReach ben(book_, ben_.home_id());
  std::map<HomeId, bool> near;
  for (const net::Relay& relay : ben.relays_to_wait_at(false)) near[relay.home] = relay.is_near;
  EXPECT_EQ(near, (std::map<HomeId, bool>{{ann_.home_id(), false}, {cat_.home_id(), true}}));
}

TEST(Reach, KnowsWhoIsInOneNetwork) {
  EXPECT_EQ(site_of("203.0.113.7"), site_of("203.0.1.2"));
  EXPECT_NE(site_of("203.0.113.7"), site_of("203.1.113.7"));
  EXPECT_EQ(site_of("2001:db8:2::7"), site_of("2001:0db8:0002:ffff::1"));
  EXPECT_NE(site_of("2001:db8:2::7"), site_of("2001:db8:3::7"));
  EXPECT_EQ(site_of("ann.example.org"), "ann.example.org");
}

class BeingReached : public Reaching {
 protected:
  static Task<int> sleep(platform::Clock& clock, std::chrono::nanoseconds time) {
    co_await clock.sleep(time);
    co_return 0;
  }
  void pass(std::chrono::nanoseconds time) { machine_.run(sleep(machine_.clock(), time)); }
  /// Whether that makes a home with this address a reached one.
  bool shows(const std::string& own, const HomeId& who, const std::string& from) {
    cloud_.tell_address(ann_, own);
    EXPECT_TRUE(book_.merge(cloud_.roster.cloud(), cloud_.roster.statements().statements));
    Reachable reachable(machine_.clock(), book_, ann_.home_id());
    reachable.came(who, from);
    return reachable.is_reached();
  }
};

TEST_F(BeingReached, IsShownByAHomeOfItsCloudsFromAnotherNetworkOverIPv4) {
  const std::string own = "203.0.113.1:7070";
  EXPECT_TRUE(shows(own, ben_.home_id(), "198.51.100.7"));
  EXPECT_TRUE(shows("ann.example.org:7070", ben_.home_id(), "198.51.100.7"));
  EXPECT_FALSE(shows(own, eve_.home_id(), "198.51.100.7")) << "a stranger";
  EXPECT_FALSE(shows(own, ann_.home_id(), "198.51.100.7")) << "itself";
  for (const char* near : {"203.0.113.9", "203.0.2.1", "10.0.0.3", "192.168.1.4", "100.64.1.1", "127.0.0.1",
                           "fe80::1%eth0", "fd00::2", "memory"})
    EXPECT_FALSE(shows(own, ben_.home_id(), near)) << near;
  EXPECT_FALSE(shows(own, ben_.home_id(), "2001:db8:7::1")) << "who has IPv4 alone may not get in";
  EXPECT_FALSE(shows("10.0.0.2:7070", ben_.home_id(), "198.51.100.7")) << "where, nobody is told";
  EXPECT_FALSE(shows("[2001:db8:1::2]:7070", ben_.home_id(), "198.51.100.7"));
}

TEST_F(BeingReached, CountsForSomeDaysAndAtTheSameAddressesAlone) {
  Reachable reachable(machine_.clock(), book_, ann_.home_id());
  EXPECT_FALSE(reachable.is_reached());
  reachable.came(ben_.home_id(), "198.51.100.7");
  EXPECT_TRUE(reachable.is_reached());
  Reachable again(machine_.clock(), book_, ann_.home_id());
  again.recall(reachable.last());
  EXPECT_TRUE(again.is_reached()) << "after the next start";
  pass(Reachable::kVisitCounts - std::chrono::seconds(1));
  EXPECT_TRUE(reachable.is_reached());
  pass(std::chrono::seconds(1));
  EXPECT_FALSE(reachable.is_reached());
  reachable.came(cat_.home_id(), "198.51.100.8");
  EXPECT_TRUE(reachable.is_reached());
  cloud_.tell_address(ann_, "203.0.113.2:7070");
  ASSERT_TRUE(book_.merge(cloud_.roster.cloud(), cloud_.roster.statements().statements));
  EXPECT_FALSE(reachable.is_reached()) << "it is somewhere else now";
  reachable.recall(
      Reachable::Visit{machine_.clock().unix_ns() / 1'000'000'000 + 3600, ben_.home_id(), {"203.0.113.2"}});
  EXPECT_FALSE(reachable.is_reached()) << "a clock that was wrong";
}

TEST_F(Reaching, LooksForMembersOnly) {
  CloudReach ben(book_, ben_.home_id());
  EXPECT_EQ(ben.clouds(), std::vector<CloudId>{cloud_.roster.cloud()});
  EXPECT_TRUE(ben.is_known(cat_.home_id()));
  EXPECT_FALSE(ben.is_known(eve_.home_id()));
}

}  // namespace
}  // namespace mhp::cloud
