// A home over a connection in memory: by the contract of every home, over bad connections, and from one that lies.
#include "cloud/remote_home.h"

#include <gtest/gtest.h>

#include "base/test_run.h"
#include "cloud/home_service.h"
#include "cloud/testing/home_over_network.h"
#include "cloud/testing/loopback.h"
#include "home/folder_home.h"
#include "home/home_contract_test.h"
#include "platform/memory/memory_platform.h"

namespace mhp::cloud {
namespace {

using home::Home;
using home::samples::Owner;
using platform::MemoryPlatform;
using testing::Loopback;
using testing::Way;

const HomeId kServedHome = HomeId::from_array(home::samples::array_of<HomeId::Array>(77));
const HomeId kAsking = HomeId::from_array(home::samples::array_of<HomeId::Array>(78));

VaultKey identity_of(const Owner& owner) { return {owner.vault, owner.identity, owner.identity.public_key()}; }
VaultKey device_of(const Owner& owner) {
  return {owner.vault, owner.key, owner.identity.public_key(), owner.certificate(owner.device)};
}

/// One machine with a folder home, a service over it, and as many connections to it as are asked for.
class RemoteWorld : public home::HomeWorld {
 public:
  explicit RemoteWorld(std::vector<VaultKey> keys) : keys_(std::move(keys)) {
    EXPECT_TRUE(home::create_folder_home(machine().disk(), machine().random(), "/home", kServedHome));
    start();
  }
  ~RemoteWorld() override { stop(); }

  platform::Platform& machine() override { return shifted_; }
  void shift_clock(std::chrono::nanoseconds by) override { shifted_.clock().by += by; }
  std::unique_ptr<Home> open() override {
    stop();
    start();
    return connect();
  }
  std::unique_ptr<Home> connect() { return connect_with(keys_); }
  std::unique_ptr<Home> connect_with(std::vector<VaultKey> keys) {
    return make_remote_home(machine(), kServedHome, std::make_unique<ToService>(*this), std::move(keys), {});
  }
  platform::MemoryDisk& disk() { return true_machine_.memory_disk(); }
  Way& way() { return *way_; }
  std::uint64_t connections() const { return connections_; }
  std::uint64_t quota_bytes = 1_GiB;
  bool restarts = false;  // the serving computer, before the next connection: what was not committed is gone

 private:
  class ToService : public Line {
   public:
    explicit ToService(RemoteWorld& world) : world_(world) {}
    Task<Result<std::shared_ptr<net::Caller>>> reach() override {
      if (std::exchange(world_.restarts, false)) {
        world_.stop();
        world_.start();
      }
      const std::uint64_t connection = ++world_.connections_;
      auto served = world_.service_->serve(testing::seen_as(kAsking, connection));
      auto& machine = world_.machine();
      auto caller = std::make_shared<Loopback>(machine, testing::seen_as(kServedHome, connection), std::move(served),
                                               world_.way_);
      world_.callers_.push_back(caller);
      co_return caller;
    }

   private:
    RemoteWorld& world_;
  };

  void start() {
    auto opened = home::open_folder_home(shifted_, "/home", kServedHome, {});
    EXPECT_TRUE(opened) << opened.error().detail;
    home_ = std::move(*opened);
    Lending lending;
    lending.who = [](const net::Peer& peer) { return peer.id == kAsking ? Who::member : Who::stranger; };
    lending.quota_bytes = [this](const net::Peer&, const VaultId&) { return quota_bytes; };
    lending.between_collects = std::chrono::nanoseconds(0);
    service_ = std::make_unique<HomeService>(shifted_, *home_, std::move(lending));
  }
  void stop() {
    for (const auto& caller : callers_) {
      if (const auto one = caller.lock()) one->end();
    }
    callers_.clear();
    service_.reset();
    home_.reset();
  }

  MemoryPlatform true_machine_{1};
  home::ShiftedMachine shifted_{true_machine_};
  const std::vector<VaultKey> keys_;
  std::unique_ptr<home::SharedHome> home_;
  std::unique_ptr<HomeService> service_;
  const std::shared_ptr<Way> way_ = std::make_shared<Way>();
  std::vector<std::weak_ptr<Loopback>> callers_;
  std::uint64_t connections_ = 0;
};

template <class Kind>
std::unique_ptr<Kind> contract_world() {
  primitives::init_sodium();
  std::vector<VaultKey> keys;
  for (const std::uint64_t seed : {1U, 2U, 5U, 9U}) keys.push_back(identity_of(Owner(seed)));
  return std::make_unique<Kind>(std::move(keys));
}

}  // namespace
}  // namespace mhp::cloud

namespace mhp::home {
INSTANTIATE_TEST_SUITE_P(RemoteInMemory, HomeContract,
                         ::testing::Values(MakeHomeWorld([] { return cloud::contract_world<cloud::RemoteWorld>(); })),
                         [](const auto&) { return "memory"; });
using cloud::testing::HomeOverNetwork;
INSTANTIATE_TEST_SUITE_P(RemoteOverTls, HomeContract,
                         ::testing::Values(MakeHomeWorld([] { return cloud::contract_world<HomeOverNetwork>(); })),
                         [](const auto&) { return "tls"; });
}  // namespace mhp::home

namespace mhp::cloud {
namespace {

class Remote : public ::testing::Test {
 protected:
  void SetUp() override {
    primitives::init_sodium();
    world_ = std::make_unique<RemoteWorld>(std::vector<VaultKey>{device_of(owner_)});
    home_ = world_->connect();
  }
  void TearDown() override {
    home_.reset();
    world_.reset();
  }
  template <class T>
  T run(Task<T> task) {
    return platform::run_task(world_->machine(), std::move(task));
  }
  Result<void> put(const home::samples::Segment& segment, std::vector<std::uint8_t> rows) {
    AlignedBuffer record = home::samples::make_record(owner_, segment, std::move(rows));
    return run(home_->put(record.bytes(), nullptr));
  }
  template <class T>
  static Errc code_of(const Result<T>& result) {
    return result ? Errc{} : result.error().code;
  }

  const Owner owner_{1};
  std::unique_ptr<RemoteWorld> world_;
  std::unique_ptr<Home> home_;
};

/// Five rows of 8 MB make a record that is longer than one request may be.
TEST_F(Remote, BigRecordsGoInPartsAndBigRowsComeInPieces) {
  const auto segment = home::samples::make_segment(owner_, 1, 5, 8'000'000);
  ASSERT_TRUE(put(segment, {0, 1, 2, 3, 4}));
  ASSERT_TRUE(run(home_->commit()));
  const auto held = run(home_->find(segment.card.segment));
  ASSERT_TRUE(held) << held.error().detail;
  EXPECT_EQ(held->rows, (std::vector<std::uint8_t>{0, 1, 2, 3, 4}));
  EXPECT_EQ(held->signed_card, home::samples::signed_card(owner_, segment.card));
  const auto bytes = run(home_->read(segment.card.segment, 2, 0, UINT32_MAX));
  ASSERT_TRUE(bytes) << bytes.error().detail;
  EXPECT_TRUE(*bytes == segment.fragments[2]);
  const auto part = run(home_->read(segment.card.segment, 4, 1'000'001, 6'000'000));
  ASSERT_TRUE(part);
  EXPECT_TRUE(std::ranges::equal(*part, ByteView(segment.fragments[4]).subspan(1'000'001, 6'000'000)));
}

TEST_F(Remote, AReadGoesOnWhereTheConnectionWasLost) {
  const auto segment = home::samples::make_segment(owner_, 1, 2, 8'000'000);
  ASSERT_TRUE(put(segment, {1}));
  ASSERT_TRUE(run(home_->commit()));
  world_->way().calls = 1;
  const std::uint64_t before = world_->way().answered;
  const auto bytes = run(home_->read(segment.card.segment, 1, 0, UINT32_MAX));
  ASSERT_TRUE(bytes) << bytes.error().detail;
  EXPECT_TRUE(*bytes == segment.fragments[1]);
  EXPECT_EQ(world_->connections(), 2U);
  EXPECT_EQ(world_->way().answered - before, 4U);  // of two pieces the second twice, and who is asking
}

TEST_F(Remote, NothingIsCalledDurableThatARestartForgot) {
  const auto segment = home::samples::make_segment(owner_, 1);
  ASSERT_TRUE(put(segment, {0}));
  world_->restarts = true;
  world_->way().calls = 0;
  EXPECT_TRUE(run(home_->usage()));  // over another connection, to what has forgotten the put
  EXPECT_EQ(code_of(run(home_->commit())), Errc::unavailable);
  EXPECT_EQ(code_of(run(home_->find(segment.card.segment))), Errc::not_found);
  ASSERT_TRUE(put(segment, {0}));
  ASSERT_TRUE(run(home_->commit()));
  EXPECT_TRUE(run(home_->find(segment.card.segment)));
}

TEST_F(Remote, APutOnALostConnectionIsInDoubtAlsoWhereAnotherFollows) {
  ASSERT_TRUE(put(home::samples::make_segment(owner_, 1), {0}));
  world_->way().calls = 0;
  EXPECT_TRUE(run(home_->usage()));
  ASSERT_TRUE(put(home::samples::make_segment(owner_, 2), {0}));
  EXPECT_EQ(code_of(run(home_->commit())), Errc::unavailable);
  ASSERT_TRUE(put(home::samples::make_segment(owner_, 1), {0}));
  EXPECT_TRUE(run(home_->commit()));
}

TEST_F(Remote, AFailedCommitThatAnotherAskedForIsToldToAllWhoPut) {
  const auto segment = home::samples::make_segment(owner_, 1);
  auto other = world_->connect();
  ASSERT_TRUE(run(home_->put_vault_record(owner_.signed_record(1))));
  AlignedBuffer record = home::samples::make_record(owner_, home::samples::make_segment(owner_, 2), {0});
  ASSERT_TRUE(put(segment, {0}));
  ASSERT_TRUE(run(other->put(record.bytes(), nullptr)));
  world_->disk().set_faults({.fail_call = world_->disk().calls() + 1});
  EXPECT_FALSE(run(other->commit()));
  world_->disk().set_faults({});
  EXPECT_EQ(code_of(run(home_->commit())), Errc::unavailable);
  EXPECT_EQ(code_of(run(home_->find(segment.card.segment))), Errc::not_found);
  ASSERT_TRUE(put(segment, {0}));
  EXPECT_TRUE(run(home_->commit()));
  other.reset();
}

TEST_F(Remote, WaitsNoLongerThanItsLimit) {
  world_->way().hangs = true;
  const auto before = world_->machine().clock().steady();
  EXPECT_EQ(code_of(run(home_->usage())), Errc::timed_out);
  EXPECT_EQ(world_->machine().clock().steady() - before, RemoteLimits().answer);
  world_->way().hangs = false;
  EXPECT_TRUE(run(home_->usage()));
}

TEST_F(Remote, AsksForNoVaultWithoutAKey) {
  const Owner other(2);
  EXPECT_EQ(code_of(run(home_->vault_records(other.vault))), Errc::denied);
  EXPECT_EQ(code_of(run(home_->heads(other.vault))), Errc::denied);
  EXPECT_EQ(world_->connections(), 0U);
}

TEST_F(Remote, ADeviceThatTheHomeDoesNotKnowYetComesInByItsCertificate) {
  ASSERT_TRUE(run(home_->put_vault_record(owner_.signed_record(1))));
  const Owner fresh(6);
  const VaultKey key{owner_.vault, fresh.key, owner_.identity.public_key(), owner_.certificate(fresh.device)};
  auto home = world_->connect_with({key});
  EXPECT_EQ(run(home->vault_records(owner_.vault))->size(), 1U);
  ASSERT_TRUE(run(home->put_vault_record(owner_.record_of(fresh))));
  EXPECT_EQ(run(home->vault_records(owner_.vault))->size(), 2U);
  home.reset();
}

TEST_F(Remote, ADeviceThatCannotShowItsCertificatePutsItsOwnRecord) {
  ASSERT_TRUE(run(home_->put_vault_record(owner_.signed_record(1))));
  const Owner fresh(6);
  const VaultKey key{owner_.vault, fresh.key, owner_.identity.public_key(), owner_.certificate(owner_.device)};
  auto home = world_->connect_with({key});
  EXPECT_EQ(code_of(run(home->vault_records(owner_.vault))), Errc::denied);
  EXPECT_EQ(code_of(run(home->put_vault_record(owner_.signed_record(1)))), Errc{});  // held already
  EXPECT_EQ(code_of(run(home->vault_records(owner_.vault))), Errc::denied);
  ASSERT_TRUE(run(home->put_vault_record(owner_.record_of(fresh))));
  const auto records = run(home->vault_records(owner_.vault));
  ASSERT_TRUE(records) << records.error().detail;
  EXPECT_EQ(records->size(), 2U);
  home.reset();
}

TEST_F(Remote, AnotherHomeInItsPlaceIsNotAsked) {
  class Elsewhere : public Line {
   public:
    explicit Elsewhere(platform::Platform& platform) : platform_(platform) {}
    Task<Result<std::shared_ptr<net::Caller>>> reach() override {
      co_return std::make_shared<Loopback>(platform_, testing::seen_as(kAsking, 1), nullptr, std::make_shared<Way>());
    }

   private:
    platform::Platform& platform_;
  };
  auto& machine = world_->machine();
  const auto home =
      make_remote_home(machine, kServedHome, std::make_unique<Elsewhere>(machine), {device_of(owner_)}, {});
  EXPECT_EQ(code_of(run(home->usage())), Errc::denied);
}

/// Answers the first request as it should be (the session), then with any bytes: random ones, or good ones spoilt.
class LyingHome : public net::Served {
 public:
  LyingHome(std::uint64_t seed, std::vector<Bytes> good) : random_(seed), good_(std::move(good)) {}
  Task<net::Reply> answer(net::Request request) override {
    if (request.path.ends_with("/session")) co_return net::Reply{};
    net::Reply reply;
    if (random_() % 16 == 0) reply.status = static_cast<unsigned>(random_() % 600);
    reply.body = random_() % 4 == 0 ? home::samples::bytes_of(random_(), random_() % 5000) : spoilt();
    co_return reply;
  }

 private:
  Bytes spoilt() {
    Bytes out = good_[random_() % good_.size()];
    for (std::uint64_t changes = random_() % 4; changes > 0 && !out.empty(); --changes)
      out[random_() % out.size()] = static_cast<std::byte>(random_());
    if (random_() % 4 == 0) out.resize(random_() % (out.size() + 1));
    return out;
  }

  std::mt19937_64 random_;
  const std::vector<Bytes> good_;
};

class ToLyingHome : public Line {
 public:
  ToLyingHome(platform::Platform& platform, std::uint64_t seed, std::vector<Bytes> good)
      : platform_(platform), seed_(seed), good_(std::move(good)) {}
  Task<Result<std::shared_ptr<net::Caller>>> reach() override {
    auto served = std::make_unique<LyingHome>(seed_, good_);
    co_return std::make_shared<Loopback>(platform_, testing::seen_as(kServedHome, 1), std::move(served),
                                         std::make_shared<Way>());
  }

 private:
  platform::Platform& platform_;
  const std::uint64_t seed_;
  const std::vector<Bytes> good_;
};

/// One of each reply.
std::vector<Bytes> good_replies(const Owner& owner) {
  const auto segment = home::samples::make_segment(owner, 1);
  const SegmentId id = segment.card.segment;
  wire::HeadsPage heads{{{owner.device, owner.heads(1, 5), {1, 2, 3, 4, 5}}}, false};
  wire::ScrubResult scrub{.rows = 3, .bytes = 4, .bad = {{id, std::uint8_t{1}}}, .last = id, .more = true};
  return {Bytes(),
          wire::encode(wire::HeldCard{home::samples::signed_card(owner, segment.card), {0, 2}}),
          wire::encode(wire::HeldPage{{{id, 1, {0, 1}, false}}, true}),
          wire::encode(wire::VaultUsage{1, 2, 3, 4}),
          wire::encode(wire::CollectResult{1, 2, 3, 4, 5, 6}),
          wire::encode(scrub),
          wire::encode(heads),
          wire::encode(wire::VaultRecordsPage{{{owner.device, owner.signed_record(1)}}, false}),
          home::samples::bytes_of(1, 4000)};
}

/// What is held to: no crash, and nothing longer than was asked for.
Task<std::uint64_t> ask_everything(Home& home, const Owner& owner) {
  const auto segment = home::samples::make_segment(owner, 1);
  const SegmentId id = segment.card.segment;
  std::uint64_t good = 0;
  AlignedBuffer record = home::samples::make_record(owner, segment, {0, 1});
  good += (co_await home.put(record.bytes(), nullptr)).has_value();
  good += (co_await home.commit()).has_value();
  good += (co_await home.find(id)).has_value();
  good += (co_await home.find_fragment(segment.card.fragments[0])).has_value();
  const auto page = co_await home.list(owner.vault, {}, 10);
  if (page) EXPECT_LE(page->segments.size(), 10U);
  const auto bytes = co_await home.read(id, 0, 0, 1000);
  if (bytes) EXPECT_LE(bytes->size(), 1000U);
  good += page.has_value();
  good += bytes.has_value();
  good += (co_await home.put_vault_record(owner.signed_record(1))).has_value();
  const auto records = co_await home.vault_records(owner.vault);
  if (records) EXPECT_LE(records->size(), wire::kMaxDevices);
  good += records.has_value();
  good += (co_await home.vaults()).has_value();
  good += (co_await home.put_heads(owner.vault, owner.device, owner.heads(1, 2))).has_value();
  const auto heads = co_await home.heads(owner.vault);
  if (heads) EXPECT_LE(heads->size(), wire::kMaxDevices);
  good += heads.has_value();
  std::vector<SegmentId> ids{id};
  good += (co_await home.put_tombstone(owner.tombstone(ids))).has_value();
  good += (co_await home.put_reprieve(owner.reprieve(ids))).has_value();
  good += (co_await home.collect()).has_value();
  good += (co_await home.usage()).has_value();
  good += (co_await home.scrub(owner.vault, 100, 1)).has_value();
  co_return good;
}

TEST_F(Remote, ALiarIsAnErrorOrALieNeverACrash) {
  const std::vector<Bytes> replies = good_replies(owner_);
  const std::uint64_t first = test_run::seed();
  const std::uint64_t rounds = test_run::is_long() ? 5000 : 150;
  std::uint64_t good = 0;
  for (std::uint64_t seed = first; seed < first + rounds; ++seed) {
    SCOPED_TRACE("MHP_SEED=" + std::to_string(seed));
    auto& machine = world_->machine();
    auto line = std::make_unique<ToLyingHome>(machine, seed, replies);
    const auto home = make_remote_home(machine, kServedHome, std::move(line), {device_of(owner_)}, {});
    good += run(ask_everything(*home, owner_));
  }
  EXPECT_GT(good, 0U);               // some lies are well formed
  EXPECT_LT(good, 16 * rounds / 2);  // most are not
}

}  // namespace
}  // namespace mhp::cloud
