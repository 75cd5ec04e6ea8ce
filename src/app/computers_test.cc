// A vault whose homes are other computers, over a network in memory: saved, looked at, repaired, and brought back.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "app/commands/commands.h"
#include "app/compare_trees.h"
#include "cloud/book.h"
#include "cloud/computer.h"
#include "cloud/home_service.h"
#include "cloud/test_cloud.h"
#include "home/folder_home.h"
#include "net/server.h"
#include "net/testing/station.h"
#include "platform/memory/memory_platform.h"
#include "platform/posix/temp_folder.h"

namespace mhp::app {
namespace {

constexpr std::uint16_t kPort = 7070;

/// A computer that lends a home to everybody.
class Lender final : public net::Service {
 public:
  Lender(platform::MemoryWorld& world, unsigned number)
      : number_(100 + number), machine_(world), computer_(machine_, number_) {
    const HomeId id = computer_.identity.id();
    EXPECT_TRUE(home::create_folder_home(machine_.disk(), machine_.random(), "/home", id));
    home_ = std::move(*home::open_folder_home(machine_, "/home", id, {}));
    cloud::Lending lending;
    lending.who = [](const net::Peer&) { return cloud::Who::member; };
    lending.quota_bytes = [](const net::Peer&, const VaultId&) { return std::uint64_t{1_GiB}; };
    service_ = std::make_unique<cloud::HomeService>(machine_, *home_, std::move(lending));
  }
  Standing standing(const net::Peer&) override { return Standing::member; }
  std::unique_ptr<net::Served> serve(const net::Peer& peer) override { return service_->serve(peer); }

  Task<> run() {
    std::vector<std::unique_ptr<platform::Listener>> listeners;
    listeners.push_back(std::move(*machine_.network().listen({machine_.address(), kPort})));
    server_ = std::make_unique<net::Server>(computer_.station, *this);
    auto running = server_->run(std::move(listeners));
    co_await std::move(running);
  }
  void stop() { server_->stop({}); }
  primitives::SigningKey key() const { return primitives::SigningKey(net::testing::key_of(number_)); }
  KeyId key_id() const { return cloud::as_key(computer_.identity.public_key()); }
  std::string place() const { return fmt::format("{}:{}", machine_.address(), kPort); }
  const std::string& address() const { return machine_.address(); }
  wire::HomeEntry entry(unsigned number) const {
    wire::HomeEntry entry{.id = computer_.identity.id(), .name = fmt::format("computer {}", number)};
    entry.kind = wire::HomeKind::computer;
    entry.member = computer_.identity.public_key();
    entry.addresses = {place()};
    return entry;
  }

 private:
  const unsigned number_;
  platform::MemoryPlatform machine_;
  net::testing::Computer computer_;
  std::unique_ptr<home::SharedHome> home_;
  std::unique_ptr<cloud::HomeService> service_;
  std::unique_ptr<net::Server> server_;
};

class Computers : public ::testing::Test {
 public:
  Computers() {
    primitives::init_sodium();
    for (unsigned i = 0; i < 4; ++i) lenders_.push_back(std::make_unique<Lender>(world_, i));
    std::ofstream(source_.path() + "/letter.txt") << "Dear Ben,";
    std::ofstream(source_.path() + "/numbers.bin") << std::string(3'000'000, '7');
  }
  static Session session_on(platform::Platform& machine) {
    Session session{.platform = machine, .out = {}, .state_folder = "/state"};
    session.out.mute = session.out.quiet = true;
    return session;
  }
  /// While all lenders serve.
  void run(std::function<Task<int>(Session&)> work, Session& session) {
    EXPECT_EQ(world_.run(run_all(*this, std::move(work), session)), kDone);
  }
  bool has_key(platform::Platform& machine) { return machine.disk().info("/state/computer").has_value(); }
  /// What nothing compresses.
  static std::string noise(std::size_t bytes) {
    std::mt19937 generator(1);
    std::string out(bytes, '\0');
    for (char& c : out) c = static_cast<char>(generator());
    return out;
  }
  std::string text_of(const std::string& path) {
    std::ifstream in(path);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  platform::MemoryWorld world_{1};
  platform::MemoryPlatform own_{world_};
  platform::MemoryPlatform other_{world_};
  std::vector<std::unique_ptr<Lender>> lenders_;
  platform::TempFolder source_;
  platform::TempFolder target_;

 private:
  static Task<> run_work(Computers& test, std::function<Task<int>(Session&)> work, Session& session, int& code) {
    auto running = run_command(std::move(work), session);
    code = co_await std::move(running);
    for (auto& lender : test.lenders_) lender->stop();
  }
  static Task<int> run_all(Computers& test, std::function<Task<int>(Session&)> work, Session& session) {
    int code = -1;
    platform::Nursery all(session.platform.executor());
    for (auto& lender : test.lenders_) all.start(lender->run());
    all.start(run_work(test, std::move(work), session, code));
    co_await all.join();
    co_return code;
  }
};

/// A vault with these homes. Its phrase.
Task<std::string> make_vault(Session& session, std::vector<wire::HomeEntry> homes) {
  InitArgs args;
  args.name = "Ann";
  auto made = co_await do_init(session, std::move(args));
  EXPECT_TRUE(made);
  OpenOptions without_index;
  without_index.read_index = false;
  auto opened = co_await open_vault(session, std::move(without_index));
  EXPECT_TRUE(opened);
  const auto changed = co_await change_homes(session, *opened, std::move(homes));
  EXPECT_TRUE(changed) << (changed ? "" : changed.error().detail);
  co_return made->phrase;
}

Task<BackupDone> back_up(Session& session, std::string path) {
  BackupArgs args;
  args.options.scan.paths = {std::move(path)};
  args.options.host = "here";
  snapshot::Counters counters;
  auto done = co_await do_backup(session, std::move(args), counters);
  EXPECT_TRUE(done) << (done ? "" : done.error().detail);
  co_return done ? std::move(*done) : BackupDone();
}

Task<std::size_t> bring_back(Session& session, std::string to) {
  RestoreArgs args;
  args.to = std::move(to);
  args.no_sync = true;
  snapshot::Counters counters;
  auto report = co_await do_restore(session, std::move(args), counters);
  EXPECT_TRUE(report) << (report ? "" : report.error().detail);
  co_return report ? report->errors.size() : 1;
}

TEST_F(Computers, KeepAVaultAndBringItBackToANewComputer) {
  std::string phrase;
  std::vector<wire::HomeEntry> homes;
  for (unsigned i = 0; i < lenders_.size(); ++i) homes.push_back(lenders_[i]->entry(i));
  struct Work {
    static Task<int> save(Session& session, Computers& test, std::vector<wire::HomeEntry> homes, std::string path,
                          std::string& phrase) {
      phrase = co_await make_vault(session, std::move(homes));
      const BackupDone done = co_await back_up(session, std::move(path));
      EXPECT_EQ(done.homes_reachable, 4u);
      EXPECT_EQ(done.after.margin, 2);
      EXPECT_TRUE(done.left_out.empty());
      EXPECT_TRUE(test.has_key(session.platform));
      co_return kDone;
    }
    static Task<int> recover(Session& session, Computers& test, std::string phrase, std::string from, std::string to) {
      RecoverArgs args;
      args.phrase = std::move(phrase);
      args.from = {std::move(from)};
      const auto done = co_await do_recover(session, std::move(args));
      EXPECT_TRUE(done) << (done ? "" : done.error().detail);
      if (!done) co_return kFailed;
      EXPECT_EQ(done->snapshots, 1u);
      EXPECT_EQ(done->homes_reachable, 4u);
      EXPECT_EQ(done->homes_written, 4u);
      EXPECT_FALSE(test.has_key(session.platform));  // a guest leaves no name
      const std::size_t errors = co_await bring_back(session, std::move(to));
      EXPECT_EQ(errors, 0u);
      co_return kDone;
    }
  };
  Session session = session_on(own_);
  run([&](Session& at) { return Work::save(at, *this, homes, source_.path(), phrase); }, session);
  Session fresh = session_on(other_);
  const std::string to = target_.path() + "/back";
  run([&](Session& at) { return Work::recover(at, *this, phrase, lenders_[2]->place(), to); }, fresh);
  EXPECT_EQ(text_of(to + source_.path() + "/letter.txt"), "Dear Ben,");
}

TEST_F(Computers, ThatAreAwayAreNamedAndDoneWithout) {
  std::vector<wire::HomeEntry> homes;
  for (unsigned i = 0; i < lenders_.size(); ++i) homes.push_back(lenders_[i]->entry(i));
  struct Work {
    static Task<int> save(Session& session, Computers& test, std::vector<wire::HomeEntry> homes, std::string path) {
      co_await make_vault(session, std::move(homes));
      session.network.reset();  // as the next command: it has no connections yet
      test.world_.wires().unplug(test.lenders_[1]->address());
      const BackupDone done = co_await back_up(session, path);
      EXPECT_EQ(done.homes_reachable, 3u);
      EXPECT_EQ(done.left_out.size(), 1u);
      if (!done.left_out.empty()) {
        EXPECT_NE(done.left_out[0].detail.find(test.lenders_[1]->address()), std::string::npos)
            << done.left_out[0].detail;
      }
      test.world_.wires().plug_in(test.lenders_[1]->address());
      session.silent.clear();
      co_await session.platform.clock().sleep(std::chrono::minutes(10));  // what was away is left alone for a while
      const vault::Progress silent = [](const vault::CheckProgress&) {};
      const auto repaired = co_await do_repair(session, false, false, silent);
      EXPECT_TRUE(repaired);
      if (repaired) EXPECT_EQ(repaired->margin, 2);
      co_return kDone;
    }
  };
  Session session = session_on(own_);
  run([&](Session& at) { return Work::save(at, *this, homes, source_.path()); }, session);
}

TEST_F(Computers, AreNotAskedForWhereAllHomesAreFolders) {
  struct Work {
    static Task<int> save(Session& session, Computers& test, std::string path) {
      co_await make_vault(session, {});
      HomeAddArgs args;
      args.path = "/drive";
      const auto added = co_await do_home_add(session, std::move(args));
      EXPECT_TRUE(added) << (added ? "" : added.error().detail);
      co_await back_up(session, path);
      EXPECT_FALSE(test.has_key(session.platform));
      EXPECT_EQ(session.network, nullptr);
      co_return kDone;
    }
  };
  Session session = session_on(own_);
  run([&](Session& at) { return Work::save(at, *this, source_.path()); }, session);
}

/// Its own home is no help where this computer is lost.
TEST_F(Computers, OnesOwnIsNotUsed) {
  struct Work {
    static Task<int> save(Session& session, std::vector<wire::HomeEntry> homes, std::string path) {
      const auto seed = cloud::computer_seed(session.platform.disk(), session.platform.random(), session.state_folder);
      EXPECT_TRUE(seed);
      wire::HomeEntry own{.id = cloud::computer_id(*seed), .name = "here", .kind = wire::HomeKind::computer};
      own.addresses = {"127.0.0.1:7070"};
      homes.push_back(own);
      co_await make_vault(session, std::move(homes));
      const BackupDone done = co_await back_up(session, path);
      EXPECT_EQ(done.homes, 4u);
      EXPECT_EQ(done.after.margin, 2);
      EXPECT_TRUE(done.left_out.empty());
      co_return kDone;
    }
  };
  std::vector<wire::HomeEntry> homes;
  for (unsigned i = 0; i < lenders_.size(); ++i) homes.push_back(lenders_[i]->entry(i));
  Session session = session_on(own_);
  run([&](Session& at) { return Work::save(at, homes, source_.path()); }, session);
}

constexpr std::uint64_t kRate = 50'000;
constexpr std::size_t kBytes = 8'000'000;

/// So slow that each segment takes longer than homes are waited for at full speed.
TEST_F(Computers, GetNoMoreBytesASecondThanTheLimit) {
  std::vector<wire::HomeEntry> homes;
  for (unsigned i = 0; i < lenders_.size(); ++i) homes.push_back(lenders_[i]->entry(i));
  std::ofstream(source_.path() + "/noise") << noise(kBytes);
  struct Work {
    static Task<int> save_and_bring_back(Session& session, std::vector<wire::HomeEntry> homes, std::string path,
                                         std::string to) {
      platform::Clock& clock = session.platform.clock();
      const platform::RateSchedule slow{.periods = {}, .otherwise = {kRate}};
      session.limits = platform::NetworkLimits{.up = slow, .down = slow};
      (void)co_await make_vault(session, std::move(homes));
      const net::Counts& counts = session.network->station().traffic.counts;
      const auto start = clock.steady();
      const std::uint64_t sent_before = counts.bytes_out;
      const BackupDone done = co_await back_up(session, std::move(path));
      EXPECT_TRUE(done.left_out.empty());
      EXPECT_EQ(done.after.margin, 2);
      expect_at_rate(counts.bytes_out - sent_before, clock.steady() - start);
      EXPECT_GE(counts.bytes_out - sent_before, 2 * kBytes);  // 12 rows of 24
      const auto middle = clock.steady();
      const std::uint64_t got_before = counts.bytes_in;
      const std::size_t errors = co_await bring_back(session, std::move(to));
      EXPECT_EQ(errors, 0u);
      EXPECT_GE(counts.bytes_in - got_before, kBytes);
      expect_at_rate(counts.bytes_in - got_before, clock.steady() - middle);
      co_return kDone;
    }
    static void expect_at_rate(std::uint64_t bytes, std::chrono::nanoseconds took) {
      const double seconds = std::chrono::duration<double>(took).count();
      const double wanted = static_cast<double>(bytes) / kRate;
      EXPECT_GE(seconds, 0.95 * wanted);
      EXPECT_LE(seconds, 1.25 * wanted);
    }
  };
  Session session = session_on(own_);
  run([&](Session& at) { return Work::save_and_bring_back(at, homes, source_.path(), target_.path() + "/back"); },
      session);
}

/// A member lends one of the computers, and nothing else.
void lend(cloud::Cloud& cloud, const cloud::Person& person, const Lender& lender) {
  cloud.say(person, wire::HomeKey{person.home_key(), "attic", 0, false});
  cloud.say(person, wire::HomeKey{lender.key_id(), person.name + "'s computer", 1_GiB, false});
  cloud.say(lender.key(), person.id(), wire::HomeAddresses{{lender.place()}});
}

/// As after `mhp join`: the vault's record names the cloud, and this computer has its roster.
Task<> make_vault_in(Session& session, const cloud::Cloud& cloud, const cloud::Person& owner) {
  co_await make_vault(session, {});
  OpenOptions without_index;
  without_index.read_index = false;
  auto opened = co_await open_vault(session, std::move(without_index));
  EXPECT_TRUE(opened);
  wire::VaultPrivate content = opened->record->content;
  const auto seed = primitives::blake3_derive("mhp test key", as_bytes(owner.name));
  content.clouds.push_back({.cloud = cloud.roster.cloud(), .member_secret = seed, .name = owner.name});
  const auto next = vault::next_record(*opened->record, *opened->device, std::move(content), session.platform.random(),
                                       session.platform.clock().unix_ns());
  EXPECT_TRUE(next && opened->state->set_records(*next));
  cloud::Book book(session.platform.disk(), session.state_folder + "/clouds");
  EXPECT_TRUE(book.refresh() && book.add(cloud.roster));
}

TEST_F(Computers, OfACloudAreUsedAsItsRosterSays) {
  struct Work {
    static Task<std::size_t> count_homes(Session& session) {
      OpenOptions without_index;
      without_index.read_index = false;
      const auto opened = co_await open_vault(session, std::move(without_index));
      EXPECT_TRUE(opened);
      co_return opened ? opened->record->content.homes.size() : 0;
    }
    static Task<int> save(Session& session, Computers& test, std::string path) {
      const cloud::Person ann("Ann");
      cloud::Cloud cloud(ann);
      cloud.say(ann, wire::HomeKey{ann.home_key(), "attic", 0, false});
      std::vector<cloud::Person> members;
      for (const auto& lender : test.lenders_) {
        members.emplace_back("member " + std::to_string(members.size()));
        cloud.let_in(ann, members.back());
        lend(cloud, members.back(), *lender);
      }
      co_await make_vault_in(session, cloud, ann);
      const BackupDone done = co_await back_up(session, path);
      EXPECT_EQ(done.homes_reachable, 4u);
      EXPECT_EQ(done.after.margin, 2);
      // Who is removed is planned without; repair hands over what is there.
      cloud.remove(ann, members[1]);
      cloud::Book book(session.platform.disk(), session.state_folder + "/clouds");
      EXPECT_TRUE(book.refresh() && book.add(cloud.roster));
      const vault::Progress silent = [](const vault::CheckProgress&) {};
      const auto repaired = co_await do_repair(session, false, false, silent);
      EXPECT_TRUE(repaired) << (repaired ? "" : repaired.error().detail);
      if (repaired) EXPECT_GE(repaired->margin, 1);
      const std::size_t homes = co_await count_homes(session);
      EXPECT_EQ(homes, 3u);
      co_return kDone;
    }
  };
  Session session = session_on(own_);
  run([&](Session& at) { return Work::save(at, *this, source_.path()); }, session);
}

}  // namespace
}  // namespace mhp::app
