// Which homes of clouds a vault uses: decided from rosters alone.
#include "app/cloud_homes.h"

#include <gtest/gtest.h>

#include "cloud/test_cloud.h"
#include "dispersal/plan.h"

namespace mhp::app {
namespace {

using cloud::Person;

class CloudHomes : public ::testing::Test {
 protected:
  CloudHomes() { primitives::init_sodium(); }

  CloudNow known() const { return {.cloud = cloud_.roster.cloud(), .self = ann_.id(), .view = cloud_.roster.view()}; }
  HomesNow now(std::vector<wire::HomeEntry> homes = {}) const {
    HomesNow out;
    out.homes = std::move(homes);
    out.clouds.push_back(known());
    return out;
  }
  static std::set<HomeId> ids(const HomesDecided& decided) {
    std::set<HomeId> out;
    for (const wire::HomeEntry& home : decided.homes) out.insert(home.id);
    return out;
  }
  static const wire::HomeEntry& entry_of(const HomesDecided& decided, const Person& person) {
    return *std::ranges::find(decided.homes, person.home_id(), &wire::HomeEntry::id);
  }
  static std::array<std::byte, 32> bytes_of(ByteView id) {
    std::array<std::byte, 32> out;
    std::copy_n(id.begin(), out.size(), out.begin());
    return out;
  }

  const Person ann_{"Ann"}, ben_{"Ben"}, eve_{"Eve"};
  cloud::Cloud cloud_{ann_};
};

TEST_F(CloudHomes, AreTakenOnTheListWithAllThatIsKnownOfThem) {
  cloud_.let_in(ann_, ben_);
  HomesNow from = now();
  from.here = ann_.home_id();
  const HomesDecided decided = decide_homes(from);
  EXPECT_EQ(ids(decided), std::set<HomeId>{ben_.home_id()});  // the one of this computer is not used
  const wire::HomeEntry& home = entry_of(decided, ben_);
  EXPECT_EQ(home.kind, wire::HomeKind::computer);
  EXPECT_EQ(home.name, "Ben's attic");
  EXPECT_EQ(home.member, bytes_of(ben_.id().bytes()));
  EXPECT_EQ(home.cloud, bytes_of(cloud_.roster.cloud().bytes()));
  EXPECT_EQ(home.addresses, std::vector<std::string>{"Ben.example:7070"});
  EXPECT_TRUE(decided.leaving.empty());
  from.homes = decided.homes;
  EXPECT_EQ(decide_homes(from), decided);
}

/// The list is that of all of the owner's computers.
TEST_F(CloudHomes, ThatRefuseThisComputerStayOnTheListAndAreNotPlannedOn) {
  cloud_.let_in(ann_, ben_);
  HomesNow from = now();
  from.here = ann_.home_id();
  from.homes = decide_homes(from).homes;
  EXPECT_TRUE(decide_homes(from).refusing.empty());
  cloud_.let_in(ann_, eve_);  // the others know more of the cloud
  from.clouds = {known()};
  from.clouds[0].refuses_here = true;
  const HomesDecided decided = decide_homes(from);
  EXPECT_EQ(ids(decided), std::set<HomeId>{ben_.home_id()});
  EXPECT_EQ(decided.refusing, std::set<HomeId>{ben_.home_id()});
  EXPECT_TRUE(decided.leaving.empty());
  cloud::Cloud second(ann_);  // of which this computer is not out
  second.let_in(ann_, ben_);
  from.clouds.push_back({.cloud = second.roster.cloud(), .self = ann_.id(), .view = second.roster.view()});
  EXPECT_TRUE(decide_homes(from).refusing.empty()) << "it takes what a member of the other cloud gives it";
}

TEST_F(CloudHomes, OfOtherComputersOfOnesOwnAreOnesOwn) {
  const HomesDecided decided = decide_homes(now());
  EXPECT_EQ(ids(decided), std::set<HomeId>{ann_.home_id()});
  EXPECT_EQ(entry_of(decided, ann_).member, (std::array<std::byte, 32>{}));
}

TEST_F(CloudHomes, MoveWhereTheRosterSays) {
  cloud_.let_in(ann_, ben_);
  HomesNow from = now(decide_homes(now()).homes);
  std::ranges::find(from.homes, ben_.home_id(), &wire::HomeEntry::id)->name = "attic";
  cloud_.tell_address(ben_, "192.0.2.7:7070");
  from.clouds = {known()};
  const HomesDecided decided = decide_homes(from);
  EXPECT_EQ(entry_of(decided, ben_).addresses, std::vector<std::string>{"192.0.2.7:7070"});
  EXPECT_EQ(entry_of(decided, ben_).name, "attic");  // what the owner calls it stays
}

TEST_F(CloudHomes, LeaveWithWhoLendsThem) {
  cloud_.let_in(ann_, ben_);
  cloud_.let_in(ann_, eve_);
  HomesNow from = now(decide_homes(now()).homes);
  cloud_.remove(ann_, eve_);
  cloud_.say(ben_, wire::HomeKey{ben_.home_key(), "Ben's attic", 0, false});
  from.clouds = {known()};
  const HomesDecided decided = decide_homes(from);
  EXPECT_EQ(decided.homes, from.homes);  // on the list until what they hold is elsewhere
  EXPECT_EQ(decided.leaving, (std::set<HomeId>{ben_.home_id(), eve_.home_id()}));
}

TEST_F(CloudHomes, AllLeaveWhenTheOwnerDoes) {
  cloud_.let_in(ann_, ben_);
  HomesNow from = now(decide_homes(now()).homes);
  from.clouds.clear();
  EXPECT_TRUE(decide_homes(from).leaving.empty());  // a roster that is not at hand says nothing
  from.left.insert(cloud_.roster.cloud());
  EXPECT_EQ(decide_homes(from).leaving.size(), 2u);
  from.left.clear();
  from.clouds = {known()};
  from.clouds[0].self = Person("Nobody").id();
  EXPECT_EQ(decide_homes(from).leaving.size(), 2u);
}

TEST_F(CloudHomes, ThatTheOwnerTookOffTheListStayOff) {
  cloud_.let_in(ann_, ben_);
  HomesNow from = now();
  from.removed = {{.id = ben_.home_id(), .changed_ns = 1}};
  EXPECT_EQ(ids(decide_homes(from)), std::set<HomeId>{ann_.home_id()});
}

TEST_F(CloudHomes, ThatWereTakenOffBeforeHeJoinedAgainComeBack) {
  cloud_.let_in(ann_, ben_);
  HomesNow from = now();
  from.removed = {{.id = ben_.home_id(), .changed_ns = 5}};
  from.clouds[0].joined_ns = 4;
  EXPECT_FALSE(ids(decide_homes(from)).contains(ben_.home_id()));
  from.clouds[0].joined_ns = 6;
  EXPECT_TRUE(ids(decide_homes(from)).contains(ben_.home_id()));
}

TEST_F(CloudHomes, ThatWereTakenOffAreFoundByName) {
  cloud_.let_in(ann_, ben_);
  cloud_.let_in(ann_, eve_);
  HomesNow from = now();
  from.removed = {{.id = ben_.home_id(), .changed_ns = 1}};
  from.homes = decide_homes(from).homes;
  for (const std::string& which : {std::string("Ben's attic"), ben_.home_id().hex().substr(0, 8)}) {
    const auto found = lent_home(from, which);
    ASSERT_TRUE(found && *found) << which;
    EXPECT_EQ((*found)->id, ben_.home_id());
    EXPECT_EQ((*found)->addresses, std::vector<std::string>{"Ben.example:7070"});
    EXPECT_EQ((*found)->cloud, bytes_of(cloud_.roster.cloud().bytes()));
  }
  EXPECT_FALSE(*lent_home(from, "Eve's attic"));  // on the list
  EXPECT_FALSE(*lent_home(from, "attic"));
  cloud_.say(eve_, wire::HomeKey{eve_.home_key(), "Ben's attic", 1, false});
  from.homes.clear();
  from.clouds = {known()};
  EXPECT_EQ(lent_home(from, "Ben's attic").error().code, Errc::usage);
  from.here = eve_.home_id();
  EXPECT_TRUE(*lent_home(from, "Ben's attic"));  // that of this computer is not meant
}

TEST_F(CloudHomes, ThatHaveNeverBeenUpAreNotPlannedOn) {
  cloud_.let_in(ann_, ben_);
  HomesNow from = now();
  from.clouds[0].view.homes[ben_.home_id()].addresses.clear();
  const HomesDecided decided = decide_homes(from);
  EXPECT_EQ(ids(decided), std::set<HomeId>{ann_.home_id()});
  EXPECT_EQ(decided.never_up, std::vector<std::string>{"Ben's attic"});
  from.homes = decided.homes;
  from.clouds = {known()};  // now it was
  EXPECT_EQ(ids(decide_homes(from)), (std::set<HomeId>{ann_.home_id(), ben_.home_id()}));
  EXPECT_TRUE(decide_homes(from).never_up.empty());
}

TEST_F(CloudHomes, FoldersAreNobodysBusiness) {
  wire::HomeEntry folder{.id = Person("a drive").home_id(), .name = "drive", .path = "/media/drive"};
  wire::HomeEntry named{.id = Person("a friend").home_id(), .name = "friend", .kind = wire::HomeKind::computer};
  const HomesDecided decided = decide_homes(now({folder, named}));
  EXPECT_EQ(decided.homes.size(), 3u);
  EXPECT_EQ(decided.homes[0], folder);
  EXPECT_EQ(decided.homes[1], named);
  EXPECT_TRUE(decided.leaving.empty());
}

TEST_F(CloudHomes, OfManyEachMemberLendsOneBeforeAnyLendsTwo) {
  HomesNow from = now();
  cloud::View& view = from.clouds[0].view;
  view.homes.clear();
  for (int member = 0; member < 30; ++member) {
    const Person person("member " + std::to_string(member));
    view.members[person.id()] = {.name = person.name};
    for (int i = 0; i < 3; ++i) {
      const Person computer(person.name + " " + std::to_string(i));
      view.homes[computer.home_id()] = {
          .member = person.id(), .name = computer.name, .lend_bytes = 1, .addresses = {"192.0.2.1"}};
    }
  }
  const HomesDecided decided = decide_homes(from);
  EXPECT_EQ(decided.homes.size(), dispersal::kMaxHomesPerSegment);
  std::map<std::array<std::byte, 32>, int> of_member;
  for (const wire::HomeEntry& home : decided.homes) ++of_member[home.member];
  EXPECT_EQ(of_member.size(), 30u);
  for (const auto& [member, homes] : of_member) EXPECT_LE(homes, 2);
  // Another vault has another order.
  from.vault = VaultId::from_array(cloud::test_key("vault").public_key());
  EXPECT_NE(ids(decide_homes(from)), ids(decided));
}

/// More than a vault takes, each of another member; every third was asked often and was there, every third never.
TEST_F(CloudHomes, ThatWereMostlyThereAreTakenFirst) {
  HomesNow from = now();
  from.here = ann_.home_id();
  cloud::View& view = from.clouds[0].view;
  std::map<HomeId, Attendance> wanted;
  for (unsigned i = 0; i < 2 * dispersal::kMaxHomesPerSegment; ++i) {
    const Person person("person " + std::to_string(i));
    view.members[person.id()] = {.name = person.name};
    view.homes[person.home_id()] = {.member = person.id(), .lend_bytes = 1, .addresses = {"192.0.2.1"}};
    wanted[person.home_id()] = i % 3 == 0 ? Attendance::mostly : i % 3 == 1 ? Attendance::unknown : Attendance::rarely;
    for (unsigned times = 0; i % 3 != 1 && times < 40; ++times)
      note_asked(from.presences, person.home_id(), i % 3 == 0 && times % 8 != 0);
  }
  std::map<Attendance, unsigned> taken;
  for (const HomeId& home : ids(decide_homes(from))) ++taken[wanted[home]];
  EXPECT_EQ(taken[Attendance::mostly], 24U) << "each of these";
  EXPECT_EQ(taken[Attendance::unknown], 12U);
  EXPECT_EQ(taken[Attendance::rarely], 0U);
}

TEST_F(CloudHomes, OfOneNameAreToldApart) {
  HomesNow from = now();
  cloud::View& view = from.clouds[0].view;
  for (const std::string& name : {"Ben", "Eve", "Bea"}) {
    const Person person(name);
    view.members[person.id()] = {.name = "B"};
    view.homes[person.home_id()] = {
        .member = person.id(), .name = "laptop", .lend_bytes = 1, .addresses = {"192.0.2.1"}};
  }
  std::set<std::string> names;
  for (const wire::HomeEntry& home : decide_homes(from).homes) names.insert(home.name);
  EXPECT_EQ(names.size(), 4u);
}

}  // namespace
}  // namespace mhp::app
