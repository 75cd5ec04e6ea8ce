// What goes in comes back: over sessions, devices, lost homes and a lost computer.
#include "vault/vault.h"

#include <gtest/gtest.h>

#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

using testing::back_up;
using testing::Files;
using testing::read_back;
using testing::Session;
using testing::World;

Files some_files(World& world) {
  Files files;
  for (int i = 0; i < 40; ++i) files["small " + std::to_string(i)] = world.noise(static_cast<std::size_t>(1 + i * 97));
  files["text"] = Bytes(300'000, std::byte{'a'});
  files["middle"] = world.noise(700'000);
  files["large"] = world.noise(9'000'000);
  files["empty"] = {};
  return files;
}

/// EXPECTs that the newest snapshot that `computer` sees is `files`.
void expect_newest(World& world, const std::string& computer, const Files& files) {
  auto session = world.open(computer);
  ASSERT_TRUE(session) << session.error().detail;
  ASSERT_FALSE(session->vault->snapshots().empty());
  auto back = world.run(read_back(*session->vault, session->vault->snapshots().back()));
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_TRUE(*back == files);
}

Result<Committed> save(World& world, const std::string& computer, const Files& files) {
  MHP_TRY(Session session, world.open(computer));
  return world.run(back_up(world.platform(), *session.vault, files));
}

TEST(Vault, IsEmptyAtFirst) {
  World world(testing::seed_of_run());
  world.init("a");
  auto session = world.open("a");
  ASSERT_TRUE(session) << session.error().detail;
  EXPECT_TRUE(session->vault->snapshots().empty());
  EXPECT_EQ(session->vault->newest_head().homes_answered, 6u);
  EXPECT_TRUE(session->homes->troubles().empty());
}

TEST(Vault, GivesBackWhatItTook) {
  World world(testing::seed_of_run());
  world.init("a");
  Files files = some_files(world);
  auto committed = save(world, "a", files);
  ASSERT_TRUE(committed) << committed.error().detail;
  EXPECT_EQ(committed->homes, 6u);
  EXPECT_EQ(committed->margin, 3);
  EXPECT_GT(committed->totals.new_bytes, 9'700'000u);
  EXPECT_LT(committed->totals.packed_bytes, committed->totals.new_bytes);
  expect_newest(world, "a", files);
}

}  // namespace
}  // namespace mhp::vault
