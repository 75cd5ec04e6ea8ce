// Who counts as one owner: members, and those who share a network.
#include "app/owners.h"

#include <gtest/gtest.h>

namespace mhp::app {
namespace {

wire::HomeEntry home_of(unsigned char member, std::vector<std::string> addresses) {
  wire::HomeEntry entry;
  entry.member[0] = std::byte{member};
  entry.addresses = std::move(addresses);
  return entry;
}

using Numbers = std::vector<std::uint32_t>;

TEST(Owners, AreMembers) {
  EXPECT_EQ(owner_numbers(std::vector{home_of(0, {}), home_of(7, {}), home_of(5, {}), home_of(7, {}), home_of(0, {})}),
            (Numbers{0, 1, 2, 1, 0}));
}

TEST(Owners, OfOneNetworkAreOne) {
  const std::vector homes{home_of(1, {"10.0.0.2:7070", "198.51.100.7:7070"}),
                          home_of(2, {"192.0.2.9:7070"}),
                          home_of(3, {"198.51.100.7:7071"}),
                          home_of(4, {"[2001:db8:1:200::5]:7070"}),
                          home_of(5, {"192.0.2.1:1", "[2001:db8:1:2ff::9]:7070"}),
                          home_of(0, {"198.51.100.7:9"})};
  EXPECT_EQ(owner_numbers(homes), (Numbers{1, 2, 1, 3, 3, 0})) << "but the owner's own is his own";
}

TEST(Owners, OfOneHouseWhereThereIsNoOtherStayApart) {
  const std::vector homes{home_of(1, {"198.51.100.7:1"}), home_of(2, {"198.51.100.7:2"}),
                          home_of(3, {"198.51.100.7:3"}), home_of(4, {"198.51.100.8:1"})};
  EXPECT_EQ(owner_numbers(homes), (Numbers{1, 2, 3, 4}));
}

TEST(Owners, NetworksAreKnownFromPublicAddresses) {
  EXPECT_EQ(network_of("[2001:db8:1:200::5]:7070"), network_of("[2001:db8:1:2ff::]:1"));
  EXPECT_NE(network_of("[2001:db8:1:200::5]:7070"), network_of("[2001:db8:1:300::5]:7070"));
  EXPECT_EQ(network_of("198.51.100.7:1"), network_of("198.51.100.7:2"));
  EXPECT_NE(network_of("198.51.100.7:1"), network_of("198.51.100.8:1"));
  for (const char* unknown : {"10.0.0.1:7070", "[fe80::1]:7070", "ann.example.org:7070", "192.168.1.2:7070", ""})
    EXPECT_EQ(network_of(unknown), "") << unknown;
}

}  // namespace
}  // namespace mhp::app
