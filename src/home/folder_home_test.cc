// A folder home by the contract of every home, and what is its own: identity, lock, space, readers beside a writer.
#include "home/folder_home.h"

#include <gtest/gtest.h>

#include <mutex>

#include "home/home_contract_test.h"
#include "platform/posix/temp_folder.h"

namespace mhp::home {
namespace {

using platform::DiskFaults;
using platform::MemoryPlatform;

/// A folder home at `path` of any machine.
class FolderWorld : public HomeWorld {
 public:
  FolderWorld(std::unique_ptr<platform::Platform> machine, std::string path)
      : machine_(std::move(machine)), path_(std::move(path)) {
    const auto made = create_folder_home(machine_->disk(), machine_->random(), path_);
    EXPECT_TRUE(made) << made.error().detail;
    if (made) id_ = *made;
  }
  platform::Platform& machine() override { return shifted_; }
  platform::Platform& true_machine() { return *machine_; }
  void shift_clock(std::chrono::nanoseconds by) override { shifted_.clock().by += by; }
  std::unique_ptr<Home> open() override { return open_with({}); }
  std::unique_ptr<SharedHome> open_with(const FolderLimits& limits) {
    auto home = open_folder_home(shifted_, path_, id_, limits);
    EXPECT_TRUE(home) << home.error().detail;
    return home ? std::move(*home) : nullptr;
  }
  const HomeId& id() const { return id_; }
  const std::string& path() const { return path_; }

 private:
  std::unique_ptr<platform::Platform> machine_;
  ShiftedMachine shifted_{*machine_};
  const std::string path_;
  HomeId id_;
};

std::unique_ptr<FolderWorld> memory_world() {
  return std::make_unique<FolderWorld>(std::make_unique<MemoryPlatform>(1), "/home");
}

/// On a real disk, with real threads.
class RealWorld : public HomeWorld {
 public:
  platform::Platform& machine() override { return world_.machine(); }
  void shift_clock(std::chrono::nanoseconds by) override { world_.shift_clock(by); }
  std::unique_ptr<Home> open() override { return world_.open(); }
  FolderWorld& folder() { return world_; }

 private:
  platform::TempFolder temp_;
  FolderWorld world_{platform::make_posix_platform(), temp_.path() + "/home"};
};

INSTANTIATE_TEST_SUITE_P(FolderInMemory, HomeContract, testing::Values(MakeHomeWorld(memory_world)),
                         [](const auto&) { return "memory"; });
INSTANTIATE_TEST_SUITE_P(FolderOnDisk, HomeContract,
                         testing::Values(MakeHomeWorld([] { return std::make_unique<RealWorld>(); })),
                         [](const auto&) { return "posix"; });

Result<void> put(FolderWorld& world, Home& home, const samples::Owner& owner, const samples::Segment& segment,
                 std::vector<std::uint8_t> rows) {
  AlignedBuffer record = samples::make_record(owner, segment, std::move(rows));
  return platform::run_task(world.machine(), home.put(record.bytes()));
}

TEST(FolderHome, TakesNoFolderThatHoldsOtherThings) {
  MemoryPlatform machine(1);
  auto& disk = machine.disk();
  ASSERT_TRUE(disk.make_folder("/photos/2020"));
  const auto refused = create_folder_home(disk, machine.random(), "/photos");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::usage);
  EXPECT_EQ(create_folder_home(disk, machine.random(), "/nowhere/home").error().code, Errc::not_found);
  ASSERT_TRUE(disk.make_folder("/drive/lost+found"));
  const auto made = create_folder_home(disk, machine.random(), "/drive");
  ASSERT_TRUE(made) << made.error().detail;
  const auto again = create_folder_home(disk, machine.random(), "/drive");
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, *made);
  EXPECT_EQ(*folder_home_id(disk, "/drive"), *made);
}

TEST(FolderHome, MayBeMadeWithTheIdOfItsKey) {
  MemoryPlatform machine(1);
  auto& disk = machine.disk();
  const HomeId id = HomeId::from_array(samples::array_of<HomeId::Array>(7));
  ASSERT_TRUE(create_folder_home(disk, machine.random(), "/home", id));
  EXPECT_EQ(*folder_home_id(disk, "/home"), id);
  EXPECT_TRUE(create_folder_home(disk, machine.random(), "/home", id));
  const auto other = create_folder_home(disk, machine.random(), "/home", HomeId());
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, Errc::usage);
  EXPECT_EQ(*create_folder_home(disk, machine.random(), "/home"), id);
}

TEST(FolderHome, TellsTwoVaultsWithOneSegmentApart) {
  primitives::init_sodium();
  auto world = memory_world();
  const samples::Owner owner(1);
  const samples::Owner stranger(2);
  const auto segment = samples::make_segment(owner, 1);
  auto claimed = samples::make_segment(stranger, 1, 4, 12'000);
  claimed.card.version = 9;
  ASSERT_EQ(claimed.card.segment, segment.card.segment);
  auto home = world->open_with({});
  ASSERT_TRUE(put(*world, *home, owner, segment, {0, 1}));
  ASSERT_TRUE(put(*world, *home, stranger, claimed, {1, 2}));
  ASSERT_TRUE(platform::run_task(world->machine(), home->commit()));
  const auto run = [&](auto task) { return platform::run_task(world->machine(), std::move(task)); };
  for (int opening = 0; opening < 2; ++opening) {
    const SegmentId id = segment.card.segment;
    EXPECT_EQ(run(home->find_of(owner.vault, id))->rows, (std::vector<std::uint8_t>{0, 1}));
    EXPECT_EQ(run(home->find_of(stranger.vault, id))->rows, (std::vector<std::uint8_t>{1, 2}));
    EXPECT_EQ(run(home->find_of(stranger.vault, id))->signed_card, samples::signed_card(stranger, claimed.card));
    EXPECT_EQ(*run(home->read_of(owner.vault, id, 1, 0, 1_MiB)), segment.fragments[1]);
    EXPECT_EQ(*run(home->read_of(stranger.vault, id, 1, 0, 1_MiB)), claimed.fragments[1]);
    EXPECT_EQ(run(home->read_of(owner.vault, id, 2, 0, 1_MiB)).error().code, Errc::not_found);
    EXPECT_EQ(*run(home->read(id, 1, 0, 1_MiB)), segment.fragments[1]);  // nobody said whose: who came first
    for (const samples::Owner* one : {&owner, &stranger}) {
      EXPECT_EQ(run(home->list(one->vault, {}, 10))->segments.size(), 1U);
      EXPECT_EQ(run(home->scrub(one->vault, 100, 1))->rows, 2U);
      EXPECT_TRUE(run(home->scrub(one->vault, 100, 1))->bad.empty());
    }
    EXPECT_LT(run(home->usage_of(owner.vault))->used_bytes, run(home->usage_of(stranger.vault))->used_bytes);
    home.reset();
    home = world->open_with({});
  }
}

/// What a cloud's rule asks for beyond the cards.
TEST(FolderHome, HoldsAsLongAsItIsToldTo) {
  constexpr std::uint64_t kDayS = 86'400;
  const auto world = memory_world();
  auto home = world->open_with({});
  const samples::Owner owner(1);
  ASSERT_TRUE(platform::run_task(world->machine(), home->put_vault_record(owner.signed_record(1))));
  std::vector<samples::Segment> segments;
  for (std::uint64_t i = 0; i < 3; ++i) segments.push_back(samples::make_segment(owner, i));
  for (const samples::Segment& segment : segments) ASSERT_TRUE(put(*world, *home, owner, segment, {0, 1}));
  ASSERT_TRUE(platform::run_task(world->machine(), home->commit()));
  const auto condemn = [&](std::size_t which, std::uint64_t days) {
    auto condemning = home->condemn(owner.tombstone({segments[which].card.segment}), days * kDayS);
    ASSERT_TRUE(platform::run_task(world->machine(), std::move(condemning)));
  };
  const auto purged_after = [&](int days) {
    std::uint64_t purged = 0;
    for (int day = 0; day < days; ++day) {
      world->shift_clock(std::chrono::hours(24));
      const auto report = platform::run_task(world->machine(), home->collect());
      EXPECT_TRUE(report);
      if (report) purged += report->segments_purged;
    }
    return purged;
  };
  ASSERT_EQ(segments[0].card.minimum_hold_s, 30 * kDayS);
  condemn(0, 60);
  condemn(1, 0);
  condemn(2, 10);   // shorter than the card's: that one counts
  condemn(0, 0);    // neither shortens
  condemn(1, 365);  // nor makes longer what is condemned already
  EXPECT_EQ(purged_after(29), 0U);
  home.reset();
  home = world->open_with({});
  EXPECT_EQ(purged_after(2), 2U);
  EXPECT_EQ(purged_after(28), 0U);
  EXPECT_EQ(purged_after(2), 1U);
}

TEST(FolderHome, KnowsAwayFromDamagedFromAnother) {
  auto world = memory_world();
  auto& disk = static_cast<MemoryPlatform&>(world->true_machine()).memory_disk();
  EXPECT_EQ(folder_home_id(disk, "/other").error().code, Errc::not_found);
  const auto another = open_folder_home(world->machine(), "/home", HomeId(), {});
  ASSERT_FALSE(another);
  EXPECT_EQ(another.error().code, Errc::invalid);
  disk.flip_bit("/home/mhp-home", 200);
  EXPECT_EQ(folder_home_id(disk, "/home").error().code, Errc::corrupt);
  EXPECT_EQ(create_folder_home(disk, world->machine().random(), "/home").error().code, Errc::corrupt);
  ASSERT_TRUE(disk.remove("/home/mhp-home"));
  EXPECT_EQ(open_folder_home(world->machine(), "/home", world->id(), {}).error().code, Errc::not_found);
}

/// A machine whose lanes made now hang: their jobs never run.
class HangingMachine : public MemoryPlatform {
 public:
  HangingMachine() : MemoryPlatform(1) {}
  bool hangs = false;
  std::unique_ptr<platform::WorkerPool> make_lane() override {
    if (!hangs) return MemoryPlatform::make_lane();
    return std::make_unique<Stuck>();
  }

 private:
  class Stuck : public platform::WorkerPool {
   public:
    std::size_t threads() const override { return 1; }
    void post(std::function<void()>) override {}
  };
};

struct Opening {
  std::vector<std::string> problems;
  std::vector<bool> open;
};

Task<> open_one(platform::Platform& machine, FolderAddress address, Opening& out) {
  auto reached = co_await reach_folder_home(machine, address, std::chrono::seconds(10));
  out.open.push_back(reached.has_value());
  if (!reached) out.problems.push_back(reached.error().detail);
}

/// Five homes at once, the first two on drives that hang.
Task<Opening> open_all(HangingMachine& machine, std::vector<FolderAddress> addresses) {
  Opening out;
  platform::Nursery hanging(machine.executor());
  platform::Nursery rest(machine.executor());
  machine.hangs = true;
  for (std::size_t i = 0; i < 2; ++i) hanging.start(open_one(machine, addresses[i], out));
  co_await machine.clock().sleep(std::chrono::seconds(1));
  machine.hangs = false;
  for (std::size_t i = 2; i < addresses.size(); ++i) rest.start(open_one(machine, addresses[i], out));
  co_await rest.join();
  co_await hanging.join();
  co_return out;
}

TEST(FolderHome, AHangingDriveHoldsUpNoOther) {
  HangingMachine machine;
  std::vector<FolderAddress> addresses;
  for (int i = 0; i < 5; ++i) {
    const std::string path = "/home" + std::to_string(i);
    const auto made = create_folder_home(machine.disk(), machine.random(), path);
    ASSERT_TRUE(made);
    addresses.push_back({.path = path, .id = *made, .limits = {}, .same_disk = true});
  }
  const auto before = machine.clock().steady();
  const Opening out = platform::run_task(machine, open_all(machine, addresses));
  EXPECT_EQ(out.open, (std::vector<bool>{true, true, true, false, false}));
  EXPECT_EQ(out.problems, (std::vector<std::string>{"/home0: does not answer", "/home1: does not answer"}));
  EXPECT_EQ(machine.clock().steady() - before, std::chrono::seconds(10));
}

TEST(FolderHome, GivesNoNewIdentityToOldData) {
  primitives::init_sodium();
  auto world = memory_world();
  const samples::Owner owner(1);
  auto home = world->open();
  ASSERT_TRUE(put(*world, *home, owner, samples::make_segment(owner, 1), {0}));
  ASSERT_TRUE(platform::run_task(world->machine(), home->commit()));
  home.reset();
  ASSERT_TRUE(world->machine().disk().remove("/home/mhp-home"));
  EXPECT_EQ(create_folder_home(world->machine().disk(), world->machine().random(), "/home").error().code, Errc::usage);
}

TEST(FolderHome, SecondWriterIsToldWhoHoldsIt) {
  primitives::init_sodium();
  RealWorld real;
  FolderWorld& world = real.folder();
  const samples::Owner owner(1);
  auto first = world.open();
  auto second = world.open();  // flock is per open file: the same as another process
  ASSERT_TRUE(put(world, *first, owner, samples::make_segment(owner, 1), {0}));
  const auto refused = put(world, *second, owner, samples::make_segment(owner, 2), {0});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::busy);
  EXPECT_NE(refused.error().detail.find("held by mhp, process "), std::string::npos) << refused.error().detail;
  first.reset();
  EXPECT_TRUE(put(world, *second, owner, samples::make_segment(owner, 2), {0}));
}

TEST(FolderHome, LockSaysWhoTookIt) {
  primitives::init_sodium();
  RealWorld real;
  FolderWorld& world = real.folder();
  const samples::Owner owner(1);
  auto first = world.open();
  auto second = world.open();
  ASSERT_TRUE(platform::run_task(world.machine(), first->begin_writing("mhp backup of computer 12ab")));
  EXPECT_TRUE(platform::run_task(world.machine(), first->begin_writing("the same once more")));
  const auto refused = platform::run_task(world.machine(), second->begin_writing("another"));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::busy);
  EXPECT_NE(refused.error().detail.find("held by mhp backup of computer 12ab, process "), std::string::npos)
      << refused.error().detail;
  first.reset();
  EXPECT_TRUE(platform::run_task(world.machine(), second->begin_writing("another")));
  EXPECT_TRUE(put(world, *second, owner, samples::make_segment(owner, 2), {0}));
}

TEST(FolderHome, ReaderSeesCommitsOfAWriter) {
  primitives::init_sodium();
  for (const bool on_disk : {false, true}) {
    std::unique_ptr<RealWorld> real = on_disk ? std::make_unique<RealWorld>() : nullptr;
    std::unique_ptr<FolderWorld> memory = on_disk ? nullptr : memory_world();
    FolderWorld& world = on_disk ? real->folder() : *memory;
    const samples::Owner owner(1);
    const auto segment = samples::make_segment(owner, 1);
    auto writer = world.open();
    auto reader = world.open();
    ASSERT_TRUE(put(world, *writer, owner, segment, {0, 1}));
    const auto before = platform::run_task(world.machine(), reader->find(segment.card.segment));
    ASSERT_FALSE(before);
    EXPECT_EQ(before.error().code, Errc::not_found);  // not committed: not there for others
    ASSERT_TRUE(platform::run_task(world.machine(), writer->commit()));
    const auto after = platform::run_task(world.machine(), reader->find(segment.card.segment));
    ASSERT_TRUE(after) << after.error().detail;
    EXPECT_EQ(after->rows, (std::vector<std::uint8_t>{0, 1}));
    const auto bytes = platform::run_task(world.machine(), reader->read(segment.card.segment, 1, 0, 1 << 20));
    ASSERT_TRUE(bytes);
    EXPECT_EQ(*bytes, segment.fragments[1]);
  }
}

TEST(FolderHome, KeepsItsBounds) {
  primitives::init_sodium();
  auto world = memory_world();
  const samples::Owner owner(1);
  const auto small = samples::make_segment(owner, 1);
  {
    auto home = world->open_with({.max_used_bytes = 30'000, .min_free_bytes = 0});
    ASSERT_TRUE(put(*world, *home, owner, small, {0}));
    const auto refused = put(*world, *home, owner, samples::make_segment(owner, 2, 4, 20'000), {0});
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::full);
    EXPECT_NE(refused.error().detail.find("may hold 30.0 kB"), std::string::npos) << refused.error().detail;
    ASSERT_TRUE(platform::run_task(world->machine(), home->commit()));  // what was put stays
    const auto usage = platform::run_task(world->machine(), home->usage());
    ASSERT_TRUE(usage);
    EXPECT_LE(usage->used_bytes + usage->free_bytes, 30'000U);
  }
  auto& disk = static_cast<MemoryPlatform&>(world->true_machine()).memory_disk();
  disk.set_faults({.capacity_bytes = 10'000'000});
  auto home = world->open_with({.max_used_bytes = 0, .min_free_bytes = 9'999'000});
  EXPECT_TRUE(platform::run_task(world->machine(), home->find(small.card.segment)));
  const auto refused = put(*world, *home, owner, samples::make_segment(owner, 2), {0});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::full);
  EXPECT_NE(refused.error().detail.find("left and keeps 9.9 MB free"), std::string::npos) << refused.error().detail;
}

TEST(FolderHome, DefaultReserve) {
  EXPECT_EQ(default_min_free(1'000'000'000'000, false), 50'000'000'000U);
  EXPECT_EQ(default_min_free(20'000'000'000, false), 5'000'000'000U);
  EXPECT_EQ(default_min_free(1'000'000'000'000, true), 256_MiB);
  EXPECT_EQ(default_min_free(1'000'000'000, true), 10'000'000U);
}

Task<> read_some(Home& from, SegmentId segment, bool& finished) {
  const auto bytes = co_await from.read(segment, 0, 0, 100);
  finished = bytes.has_value();
}

Task<bool> read_and_give_up(platform::Platform& machine, Home& home, SegmentId segment) {
  bool finished = false;
  platform::Nursery scope(machine.executor());
  scope.start(read_some(home, segment, finished));
  for (int i = 0; i < 2; ++i) co_await asio::post(asio::use_awaitable);  // the read is on its way
  scope.cancel();
  co_await scope.join();
  co_return finished;
}

/// A disk whose reads of logs wait until they may go on.
class SlowDisk : public platform::Disk {
 public:
  explicit SlowDisk(platform::Disk& disk) : disk_(disk) {}
  void hold() { held_.lock(); }
  void let_go() { held_.unlock(); }

  Result<std::unique_ptr<platform::File>> open(const std::string& path, platform::Open how) override {
    if (how == platform::Open::read && path.ends_with(".log")) std::lock_guard wait(held_);
    return disk_.open(path, how);
  }
  Result<void> make_folder(const std::string& path) override { return disk_.make_folder(path); }
  Result<void> sync_folder(const std::string& path) override { return disk_.sync_folder(path); }
  Result<void> rename(const std::string& from, const std::string& to) override { return disk_.rename(from, to); }
  Result<void> remove(const std::string& path) override { return disk_.remove(path); }
  Result<std::vector<std::string>> list(const std::string& path) override { return disk_.list(path); }
  Result<platform::PathInfo> info(const std::string& path) override { return disk_.info(path); }
  Result<platform::SpaceInfo> space(const std::string& path) override { return disk_.space(path); }
  Result<std::unique_ptr<platform::FileLock>> lock(const std::string& path, const std::string& note) override {
    return disk_.lock(path, note);
  }
  Result<std::string> absolute(const std::string& path) override { return disk_.absolute(path); }

 private:
  platform::Disk& disk_;
  std::mutex held_;
};

/// The real machine with that disk.
class SlowMachine : public platform::Platform {
 public:
  platform::Clock& clock() override { return real_->clock(); }
  platform::Random& random() override { return real_->random(); }
  SlowDisk& disk() override { return disk_; }
  platform::Trees& trees() override { return real_->trees(); }
  platform::Network& network() override { return real_->network(); }
  platform::WorkerPool& workers() override { return real_->workers(); }
  std::unique_ptr<platform::WorkerPool> make_lane() override { return real_->make_lane(); }
  asio::any_io_executor executor() override { return real_->executor(); }
  int run(Task<int> main) override { return real_->run(std::move(main)); }

 private:
  std::unique_ptr<platform::Platform> real_ = platform::make_posix_platform();
  SlowDisk disk_{real_->disk()};
};

TEST(FolderHome, ACanceledReadReturnsWhileTheDiskHangs) {
  primitives::init_sodium();
  platform::TempFolder temp;
  auto machine = std::make_unique<SlowMachine>();
  SlowDisk& disk = machine->disk();
  FolderWorld world(std::move(machine), temp.path() + "/home");
  const samples::Owner owner(1);
  const auto segment = samples::make_segment(owner, 1);
  auto home = world.open();
  ASSERT_TRUE(put(world, *home, owner, segment, {0}));
  ASSERT_TRUE(platform::run_task(world.machine(), home->commit()));
  disk.hold();
  EXPECT_FALSE(platform::run_task(world.machine(), read_and_give_up(world.machine(), *home, segment.card.segment)));
  disk.let_go();
  bool finished = false;
  auto again = home->read(segment.card.segment, 0, 0, 100);
  finished = platform::run_task(world.machine(), std::move(again)).has_value();
  EXPECT_TRUE(finished);
}

TEST(FolderHome, ACanceledReadLeavesNothingBehind) {
  primitives::init_sodium();
  auto world = memory_world();
  const samples::Owner owner(1);
  const auto segment = samples::make_segment(owner, 1);
  auto home = world->open();
  ASSERT_TRUE(put(*world, *home, owner, segment, {0}));
  (void)platform::run_task(world->machine(), read_and_give_up(world->machine(), *home, segment.card.segment));
  home.reset();  // with the job of that read perhaps still to run
  const auto again = world->open();
  const auto held = platform::run_task(world->machine(), again->find(segment.card.segment));
  ASSERT_FALSE(held);  // it was put, not committed
  EXPECT_EQ(held.error().code, Errc::not_found);
}

}  // namespace
}  // namespace mhp::home
