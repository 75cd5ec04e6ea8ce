// Rounds over a home's vaults in simulated months: everything is read, at a steady rate, also by a program that is
// started again and again; what is damaged is told of.
#include "app/steady_scrub.h"

#include <gtest/gtest.h>

#include "home/folder_home.h"
#include "home/home_samples_test.h"
#include "platform/memory/memory_platform.h"

namespace mhp::app {
namespace {

using namespace std::chrono_literals;
namespace samples = home::samples;

constexpr auto kDay = std::chrono::hours(24);

class Scrubbing : public ::testing::Test {
 protected:
  void SetUp() override {
    primitives::init_sodium();
    platform::Disk& disk = platform_.disk();
    ASSERT_TRUE(disk.make_folder("/state"));
    const HomeId id = *home::create_folder_home(disk, platform_.random(), "/home");
    home_ = std::move(*home::open_folder_home(platform_, "/home", id, {}));
  }
  template <class T>
  T run(Task<Result<T>> task) {
    auto done = platform::run_task(platform_, std::move(task));
    EXPECT_TRUE(done) << done.error().detail;
    return done ? std::move(*done) : T{};
  }
  void store(std::uint64_t owner, unsigned segments) {
    const samples::Owner who(owner);
    ASSERT_TRUE(platform::run_task(platform_, home_->put_vault_record(who.signed_record(1))));
    for (unsigned i = 0; i < segments; ++i) {
      AlignedBuffer record = samples::make_record(who, samples::make_segment(who, owner * 1000 + i), {0, 1});
      ASSERT_TRUE(platform::run_task(platform_, home_->put(record.bytes())));
    }
    ASSERT_TRUE(platform::run_task(platform_, home_->commit()));
  }
  SteadyScrub scrub(const ScrubPace& pace = {}) { return {platform_, *home_, found_, "/state/scrub.json", pace}; }

  /// Steps and pauses until a round is over. The steps; `took`: simulated time.
  std::vector<ScrubStep> one_round(SteadyScrub& scrub, std::chrono::nanoseconds& took) {
    const auto start = platform_.clock().steady();
    std::vector<ScrubStep> steps;
    constexpr std::size_t kMost = 1000;
    while (steps.size() < kMost && (steps.empty() || !steps.back().finished)) {
      steps.push_back(run(scrub.step()));
      sleep(steps.back().pause);
    }
    took = platform_.clock().steady() - start;
    EXPECT_LT(steps.size(), kMost) << "a round does not end";
    return steps;
  }
  void sleep(std::chrono::nanoseconds time) {
    struct Asleep {
      static Task<int> in(platform::Platform& platform, std::chrono::nanoseconds time) {
        co_await platform.clock().sleep(time);
        co_return 0;
      }
    };
    platform::run_task(platform_, Asleep::in(platform_, time));
  }
  void damage() {
    const auto logs = platform_.disk().list("/home/logs");
    ASSERT_TRUE(logs);
    for (const std::string& log : *logs) {
      const std::string path = "/home/logs/" + log;
      const std::uint64_t bytes = platform_.disk().info(path)->size;
      for (std::uint64_t at = 5000; at < bytes; at += 4096) platform_.memory_disk().flip_bit(path, at * 8);
    }
  }

  platform::MemoryPlatform platform_{1};
  FoundBad found_{platform_.disk(), "/state/found-bad.json"};
  std::unique_ptr<home::SharedHome> home_;
};

TEST_F(Scrubbing, ReadsEverythingOfAllVaultsOnceInAMonth) {
  store(1, 20);
  store(2, 1);
  store(3, 9);
  auto scrub = this->scrub();
  for (int round = 0; round < 3; ++round) {
    std::chrono::nanoseconds took{};
    const auto steps = one_round(scrub, took);
    EXPECT_EQ(steps.back().finished->rows, 60U);
    EXPECT_EQ(steps.back().finished->bad, 0U);
    if (round == 0) continue;  // the next begins with a wait for the end of this one's month
    EXPECT_GT(took, 29 * kDay);
    EXPECT_LT(took, 31 * kDay);
  }
}

TEST_F(Scrubbing, GoesOnWhereItWasAfterARestart) {
  store(1, 6);
  store(2, 6);
  std::uint64_t rows = 0;
  std::optional<ScrubRound> finished;
  for (int start = 0; start < 100 && !finished; ++start) {
    auto scrub = this->scrub();
    const ScrubStep step = run(scrub.step());
    finished = step.finished;
    if (!finished) rows = scrub.round().rows;
    sleep(2min);  // more than what is not written at once
  }
  ASSERT_TRUE(finished);
  EXPECT_EQ(rows, 24U);
  EXPECT_EQ(finished->rows, 24U);
}

TEST_F(Scrubbing, ALostOrDamagedPlaceMeansFromTheBeginning) {
  store(1, 4);
  ASSERT_TRUE(platform::replace_file(platform_.disk(), "/state/scrub.json", as_bytes("{\"began_s\": 1}")));
  auto scrub = this->scrub();
  std::chrono::nanoseconds took{};
  EXPECT_EQ(one_round(scrub, took).back().finished->rows, 8U);
}

TEST_F(Scrubbing, TellsOfDamagedRowsAndLeavesThemToTheOwner) {
  store(1, 8);
  damage();
  auto scrub = this->scrub();
  std::chrono::nanoseconds took{};
  std::size_t told = 0;
  const auto steps = one_round(scrub, took);
  for (const ScrubStep& step : steps) {
    told += step.bad.size();
    for (const auto& bad : step.bad) EXPECT_EQ(bad.vault, samples::Owner(1).vault);
  }
  EXPECT_GT(told, 0U);
  EXPECT_EQ(steps.back().finished->bad, told);
  EXPECT_EQ(run(home_->scrub(samples::Owner(1).vault, 100, 0)).bad.size(), told);  // as its owner is told who asks
  EXPECT_EQ(found_.page(samples::Owner(1).vault, {}).bad.size(), told) << "and without asking";
}

TEST_F(Scrubbing, AnEmptyHomeIsNotAskedAgainAndAgain) {
  auto scrub = this->scrub();
  const ScrubStep first = run(scrub.step());
  EXPECT_TRUE(first.finished);
  EXPECT_GE(first.pause, 1h);
}

TEST_F(Scrubbing, AClockThatWasYearsAheadPutsItOffForAMonthAtMost) {
  store(1, 2);
  ScrubRound ahead;
  ahead.began_s = platform_.clock().unix_ns() / 1'000'000'000 + 10 * 365 * 86'400;
  ASSERT_TRUE(platform::replace_file(platform_.disk(), "/state/scrub.json", as_bytes(to_text(ahead))));
  auto scrub = this->scrub();
  std::chrono::nanoseconds took{};
  EXPECT_EQ(one_round(scrub, took).back().finished->rows, 4U);
  EXPECT_LT(took, 61 * kDay);
}

TEST(ScrubPause, SpreadsWhatIsLeftOverTheTimeThatIsLeft) {
  const ScrubPace pace{.round = 1000s, .most_bytes_per_second = 100, .longest_pause = 500s};
  EXPECT_EQ(scrub_pause(pace, 10, 100, 1000s), 100s);
  EXPECT_EQ(scrub_pause(pace, 10, 100, 0s), 100ms);  // late: as fast as it may
  EXPECT_EQ(scrub_pause(pace, 1000, 100'000, 500s), 10s);
  EXPECT_EQ(scrub_pause(pace, 100, 100, 1000s), 500s);  // never longer than this
  EXPECT_EQ(scrub_pause(pace, 0, 0, 1000s), 0s);
}

TEST(ScrubRound, ComesBackFromItsText) {
  const ScrubRound round{.began_s = -5,
                         .vault = VaultId::from_array(samples::array_of<VaultId::Array>(1)),
                         .segment = SegmentId::from_array(samples::array_of<SegmentId::Array>(2)),
                         .rows = 3,
                         .bytes = 1ull << 60,
                         .bad = 1};
  EXPECT_EQ(*parse_scrub_round(to_text(round)), round);
  for (const char* wrong : {"", "{}", "[]", "7", R"({"began_s": 1, "vault": "ab"})", "nonsense"})
    EXPECT_EQ(parse_scrub_round(wrong).error().code, Errc::corrupt) << wrong;
}

}  // namespace
}  // namespace mhp::app
