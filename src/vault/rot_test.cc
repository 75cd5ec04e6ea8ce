// Damage to what a home holds: reading every row finds all of it, reading works around it, repair makes it whole.
#include <gtest/gtest.h>

#include <random>

#include "base/test_run.h"
#include "vault/testing/scene.h"
#include "wire/fragment.h"

namespace mhp::vault {
namespace {

using testing::Files;
using testing::Scene;

constexpr unsigned kRottingHomes = 4;
constexpr std::size_t kDamagesInARound = 20;

/// Where a fragment lies in a home.
struct Place {
  std::string path;
  std::size_t offset;
  Bytes bytes;
};

class Rot {
 public:
  explicit Rot(std::uint64_t seed) : random_(seed), scene_(seed, kRottingHomes) {
    for (int i = 0; i < 3; ++i) scene_.save_files(testing::few_files(scene_.world));
    scene_.keep();
  }

  /// Some damages on one home: all is found, and nothing of it is served.
  void round(std::uint64_t number) {
    scene_.reset();
    const auto home = static_cast<unsigned>(random_() % kRottingHomes);
    const std::string logs = scene_.world.home_path(home) + "/logs";
    const std::vector<Place> before = fragments_in(logs);
    ASSERT_GT(before.size(), 10u);
    for (std::size_t i = 0; i < kDamagesInARound; ++i) damage(logs);
    const std::size_t hit = count_hit(before);
    fragments_hit += hit;

    auto session = scene_.world.open("a");
    ASSERT_TRUE(session) << session.error().detail;
    auto report = scene_.world.run(session->vault->check(100, {}));
    ASSERT_TRUE(report) << report.error().detail;
    EXPECT_GE(report->rows_missing + report->rows_bad, hit) << "damage that check --read-data does not find";
    EXPECT_EQ(report->unrestorable, 0u);
    session = fail(Errc::unavailable, "closed");
    EXPECT_EQ(scene_.check_all("a", scene_.saved), "");
    if (number % 10 == 0) repair();
  }

  std::uint64_t fragments_hit = 0;

 private:
  void repair() {
    auto session = scene_.world.open("a");
    ASSERT_TRUE(session);
    auto done = scene_.world.run(session->vault->repair(true, {}, false, {}));
    ASSERT_TRUE(done) << done.error().detail;
    auto report = scene_.world.run(session->vault->check(100, {}));
    ASSERT_TRUE(report);
    EXPECT_EQ(report->rows_missing + report->rows_bad, 0u) << "after the repair";
  }

  std::vector<std::string> files_in(const std::string& folder) {
    auto names = scene_.disk().list(folder);
    std::vector<std::string> out;
    if (names) {
      for (const std::string& name : *names) out.push_back(folder + "/" + name);
    }
    return out;
  }
  Bytes content_of(const std::string& path) {
    auto bytes = platform::read_file(scene_.disk(), path, 1_GiB);
    return bytes ? *bytes : Bytes();
  }

  /// Found by what stands at their start, whatever the records around them say.
  std::vector<Place> fragments_in(const std::string& folder) {
    std::vector<Place> out;
    for (const std::string& path : files_in(folder)) {
      const Bytes content = content_of(path);
      for (std::size_t at = 0; at + wire::FragmentHeader::kSizeBytes <= content.size(); at += 64) {
        auto header = wire::parse_fragment_header(ByteView(content).subspan(at, wire::FragmentHeader::kSizeBytes));
        if (!header) continue;
        const auto bytes = ByteView(content).subspan(at, wire::fragment_bytes(header->row_bytes));
        out.push_back({path, at, to_bytes(bytes)});
      }
    }
    return out;
  }

  std::size_t count_hit(const std::vector<Place>& before) {
    std::size_t hit = 0;
    std::map<std::string, Bytes> now;
    for (const Place& place : before) {
      if (!now.contains(place.path)) now[place.path] = content_of(place.path);
      const Bytes& content = now[place.path];
      const bool there = place.offset + place.bytes.size() <= content.size() &&
                         std::equal(place.bytes.begin(), place.bytes.end(),
                                    content.begin() + static_cast<std::ptrdiff_t>(place.offset));
      hit += !there;
    }
    return hit;
  }

  void write(const std::string& path, ByteView content) {
    ASSERT_TRUE(platform::replace_file(scene_.disk(), path, content));
  }

  /// A flipped bit mostly; else a file cut, two blocks exchanged, a stretch of zeros, or a file gone.
  void damage(const std::string& logs) {
    const auto files = files_in(logs);
    if (files.empty()) return;
    const std::string& path = files[random_() % files.size()];
    Bytes content = content_of(path);
    if (content.empty()) return;
    const std::uint64_t kind = random_() % 40;
    const std::size_t at = random_() % content.size();
    if (kind == 0) return (void)scene_.disk().remove(path);
    if (kind == 1) {
      content.resize(at);
    } else if (kind == 2) {
      std::fill_n(content.begin() + static_cast<std::ptrdiff_t>(at),
                  std::min<std::size_t>(content.size() - at, 1 + random_() % 9000), std::byte{0});
    } else if (kind == 3) {
      const std::size_t blocks = content.size() / 4096;
      if (blocks < 2) return;
      const auto one = content.begin() + static_cast<std::ptrdiff_t>(random_() % blocks * 4096);
      std::swap_ranges(one, one + 4096, content.begin() + static_cast<std::ptrdiff_t>(random_() % blocks * 4096));
    } else {
      return scene_.disk().flip_bit(path, random_() % (content.size() * 8));
    }
    write(path, content);
  }

  std::mt19937_64 random_;
  Scene scene_;
};

TEST(Rot, IsFoundAndWorkedAround) {
  const std::uint64_t seed = test_run::seed();
  const std::uint64_t rounds = (test_run::is_long() ? 10'000 : 100) / test_run::stride();
  Rot rot(seed);
  for (std::uint64_t i = 0; i < rounds && !::testing::Test::HasFailure(); ++i) {
    SCOPED_TRACE("round " + std::to_string(i) + ", repeat with MHP_SEED=" + std::to_string(seed));
    rot.round(i);
  }
  EXPECT_GT(rot.fragments_hit, rounds);
  test_run::tried_of_sweep(7, "damages to a home of a vault", rounds * kDamagesInARound, seed);
}

/// By another home's card and the home's index such rows are whole: until the index is lost, or nobody else has a card.
TEST(Rot, OfCardsInMostHomesIsFoundByACheckThatReadsAndMended) {
  Scene scene(test_run::seed(), kRottingHomes);
  scene.save_files(testing::few_files(scene.world));
  constexpr std::uint64_t kInFirstFront = 4096 + 4;
  for (unsigned home = 1; home < kRottingHomes; ++home)
    scene.disk().flip_bit(scene.world.home_path(home) + "/logs/00000001.log", 8 * kInFirstFront);
  {
    auto session = scene.world.open("a");
    ASSERT_TRUE(session);
    const auto report = scene.world.run(session->vault->check(100, {}));
    ASSERT_TRUE(report) << report.error().detail;
    EXPECT_GE(report->rows_bad, 3 * 6u);
    const auto done = scene.world.run(session->vault->repair(true, {}, false, {}));
    ASSERT_TRUE(done) << done.error().detail;
  }
  for (unsigned home = 0; home < kRottingHomes; ++home)
    ASSERT_TRUE(scene.disk().remove(scene.world.home_path(home) + "/index"));
  auto session = scene.world.open("a");
  ASSERT_TRUE(session);
  const auto report = scene.world.run(session->vault->check(100, {}));
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_EQ(report->rows_missing + report->rows_bad, 0u);
  session = fail(Errc::unavailable, "closed");
  EXPECT_EQ(scene.check_all("a", scene.saved), "");
}

}  // namespace
}  // namespace mhp::vault
