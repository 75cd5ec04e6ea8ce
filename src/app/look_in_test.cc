// Who recovers asks several computers who is in a cloud: one that answers first and knows little is not the last word.
#include <gtest/gtest.h>

#include "app/memberships.h"
#include "app/network.h"
#include "cloud/testing/computers.h"

namespace mhp::app {
namespace {

using namespace std::chrono_literals;
namespace people = cloud::testing;

wire::HomeEntry entry_of_computer(const people::Computer& computer, const CloudId& cloud) {
  wire::HomeEntry entry{.id = computer.id(), .name = computer.person.name};
  entry.kind = wire::HomeKind::computer;
  entry.addresses = {computer.address()};
  std::ranges::copy(cloud.bytes(), entry.cloud.begin());
  return entry;
}

/// Old was away when Ben and Cat came in, and answers sooner than Ben.
Task<> hear_both(people::Computers& all) {
  people::Computer& ann = all["Ann"];
  people::Computer& old = all["Old"];
  people::Computer& ben = all["Ben"];
  const CloudId cloud = ann.found();
  co_await people::let_in(old, ann.invite(cloud, 1));
  co_await people::let_in(all["Emil"], ann.invite(cloud, 2));
  co_await people::settle(all, cloud);
  co_await old.go_down();
  co_await people::let_in(ben, ann.invite(cloud, 3));
  co_await people::let_in(all["Cat"], ann.invite(cloud, 4));
  co_await people::settle(all, cloud);
  platform::MemoryPlatform fresh(all.world);
  const platform::MemoryLink slow{.latency = 100ms};
  all.world.wires().set_link(ben.machine.address(), fresh.address(), slow);
  co_await ann.go_down();
  co_await all["Cat"].go_down();
  old.go_up();
  EXPECT_FALSE(old.view(cloud).homes.contains(ben.id()));

  platform::Nursery connections(fresh.executor());
  Session session{.platform = fresh, .out = {}, .state_folder = "/state"};
  session.out.mute = session.out.quiet = true;
  session.is_guest = true;
  session.connections = &connections;
  wire::Membership emil{.cloud = cloud, .member_secret = people::test_seed_of("Emil"), .name = "Emil"};
  std::vector<wire::HomeEntry> entries = {entry_of_computer(old, cloud), entry_of_computer(ben, cloud)};
  const auto began = all.clock().steady();
  auto looking = look_into_clouds(session, {emil}, entries);
  co_await std::move(looking);
  EXPECT_LT(all.clock().steady() - began, 5s);
  EXPECT_TRUE(session.network != nullptr && session.network->reach().is_coming_back_to(cloud));
  EXPECT_TRUE(session.network->reach().is_known(old.id()));
  EXPECT_TRUE(session.network->reach().is_known(all["Cat"].id())) << "by Ben's word, who was slower";
  session.network.reset();
  connections.cancel();
  co_await connections.join();
}

TEST(LookIntoClouds, HearsOthersThanTheFirst) {
  people::Computers all({"Ann", "Old", "Ben", "Cat", "Emil"});
  people::while_up(all, hear_both);
}

}  // namespace
}  // namespace mhp::app
