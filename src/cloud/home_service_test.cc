// Who is given what by a home that serves others: sessions, revocations, replays, quotas.
#include "cloud/home_service.h"

#include <gtest/gtest.h>

#include <map>

#include "cloud/testing/loopback.h"
#include "home/folder_home.h"
#include "home/home_samples_test.h"
#include "platform/memory/memory_platform.h"

namespace mhp::cloud {
namespace {

using home::samples::Owner;
using testing::seen_as;

const HomeId kServing = HomeId::from_array(home::samples::array_of<HomeId::Array>(77));
const HomeId kMember = HomeId::from_array(home::samples::array_of<HomeId::Array>(78));
const HomeId kStranger = HomeId::from_array(home::samples::array_of<HomeId::Array>(79));

HomeAsk ask_of(HomeCall call, const VaultId& vault) {
  HomeAsk ask;
  ask.call = call;
  ask.vault = vault;
  return ask;
}

wire::SessionProof proof_by(const primitives::SigningKey& key, const Owner& owner, const wire::SessionClaim& claim) {
  return {wire::encode(wire::sign(key, wire::kSignSession, wire::encode(claim))), owner.identity.public_key(),
          owner.certificate(DeviceId::from_array(key.public_key()))};
}

class Service : public ::testing::Test {
 protected:
  void SetUp() override {
    primitives::init_sodium();
    ASSERT_TRUE(home::create_folder_home(machine_.disk(), machine_.random(), "/home", kServing));
    auto opened = home::open_folder_home(machine_, "/home", kServing, {});
    ASSERT_TRUE(opened);
    home_ = std::move(*opened);
    Lending lending;
    lending.who = [this](const net::Peer& peer) { return peer.id == kMember ? who_ : Who::stranger; };
    lending.quota_bytes = [this](const net::Peer& peer, const VaultId&) {
      return peer.id == kMember ? quota_bytes_ : 0;
    };
    lending.why_nothing = [this](const net::Peer&) { return why_nothing_; };
    lending.counted_with = [this](const net::Peer&, const VaultId&) { return counted_with_; };
    lending.note_owner = [this](const net::Peer& peer, const VaultId& vault) -> Result<void> {
      if (!can_note_) return fail(Errc::unavailable, "its disk is full");
      noted_.emplace_back(peer.id, vault);
      return {};
    };
    lending.least_hold_s = [this](const VaultId& vault) { return vault == owner_.vault ? least_hold_s_ : 0; };
    service_ = std::make_unique<HomeService>(machine_, *home_, std::move(lending));
  }

  std::unique_ptr<net::Served> connect(const HomeId& id, std::uint64_t connection) {
    return service_->serve(seen_as(id, connection));
  }
  static wire::SessionClaim claim(const VaultId& vault, std::uint64_t connection) {
    return {vault, kServing, seen_as(kServing, connection).exporter};
  }
  Result<Bytes> ask(net::Served& at, const HomeAsk& what, Bytes body = {}) {
    net::Request request = to_request(what, std::move(body));
    return testing::body_of(platform::run_task(machine_, at.answer(std::move(request))));
  }
  Errc code(net::Served& at, const HomeAsk& what, Bytes body = {}) {
    const auto reply = ask(at, what, std::move(body));
    return reply ? Errc{} : reply.error().code;
  }
  Errc open(net::Served& at, const primitives::SigningKey& key, const Owner& owner, const wire::SessionClaim& claimed) {
    return code(at, ask_of(HomeCall::session, claimed.vault), wire::encode(proof_by(key, owner, claimed)));
  }
  Bytes record_of(const Owner& owner, const home::samples::Segment& segment) {
    AlignedBuffer record = home::samples::make_record(owner, segment, {0, 1});
    return to_bytes(record.bytes());
  }
  /// The owner's record, heads and one segment are here.
  void fill() {
    auto at = connect(kMember, 1000);
    const VaultId vault = owner_.vault;
    ASSERT_EQ(code(*at, ask_of(HomeCall::put_vault_record, vault), owner_.signed_record(1)), Errc{});
    ASSERT_EQ(open(*at, owner_.key, owner_, claim(vault, 1000)), Errc{});
    HomeAsk heads = ask_of(HomeCall::put_heads, vault);
    heads.device = owner_.device;
    ASSERT_EQ(code(*at, heads, wire::encode(wire::HeadChain{owner_.heads(1, 3)})), Errc{});
    ASSERT_EQ(code(*at, ask_of(HomeCall::put, vault), record_of(owner_, segment_)), Errc{});
    ASSERT_EQ(code(*at, ask_of(HomeCall::commit, vault)), Errc{});
  }
  /// Everything that tells or changes something of a vault is refused, but a vault record, which proves itself.
  void expect_shut(net::Served& at, const VaultId& vault) {
    for (const HomeCall call :
         {HomeCall::vault_records, HomeCall::heads, HomeCall::put_heads, HomeCall::tombstone, HomeCall::reprieve,
          HomeCall::list, HomeCall::find, HomeCall::read, HomeCall::put, HomeCall::commit, HomeCall::collect,
          HomeCall::usage, HomeCall::scrub, HomeCall::known_bad}) {
      HomeAsk what = ask_of(call, vault);
      what.segment = segment_.card.segment;
      Bytes body;
      if (call == HomeCall::put) body = record_of(owner_, segment_);
      EXPECT_EQ(code(at, what, body), Errc::denied) << static_cast<int>(call);
    }
  }
  std::vector<wire::VaultRecordsPage::Device> records(net::Served& at) {
    const auto reply = ask(at, ask_of(HomeCall::vault_records, owner_.vault));
    EXPECT_TRUE(reply) << reply.error().detail;
    const auto page = wire::parse_vault_records_page(reply ? *reply : Bytes());
    EXPECT_TRUE(page);
    return page ? page->devices : std::vector<wire::VaultRecordsPage::Device>();
  }
  Errc read(net::Served& at) {
    HomeAsk what = ask_of(HomeCall::read, owner_.vault);
    what.segment = segment_.card.segment;
    return code(at, what);
  }

  const Owner owner_{1};
  const home::samples::Segment segment_ = home::samples::make_segment(owner_, 1);
  std::uint64_t quota_bytes_ = 1_MiB;
  Who who_ = Who::member;  // kMember
  std::string why_nothing_;
  std::vector<VaultId> counted_with_;
  std::vector<std::pair<HomeId, VaultId>> noted_;
  bool can_note_ = true;
  std::uint64_t least_hold_s_ = 0;
  platform::MemoryPlatform machine_{1};
  std::unique_ptr<home::SharedHome> home_;
  std::unique_ptr<HomeService> service_;
};

TEST_F(Service, GivesNothingWithoutASession) {
  fill();
  const auto member = connect(kMember, 1);
  expect_shut(*member, owner_.vault);
  const auto stranger = connect(kStranger, 2);
  expect_shut(*stranger, owner_.vault);
  const auto put = ask_of(HomeCall::put_vault_record, owner_.vault);
  EXPECT_EQ(code(*stranger, put, owner_.signed_record(2)), Errc::denied);
}

TEST_F(Service, GivesItsDevicesWhatIsTheirs) {
  fill();
  const auto at = connect(kMember, 1);
  ASSERT_EQ(open(*at, owner_.key, owner_, claim(owner_.vault, 1)), Errc{});
  EXPECT_EQ(read(*at), Errc{});
  EXPECT_EQ(records(*at), (std::vector{wire::VaultRecordsPage::Device{owner_.device, owner_.signed_record(1)}}));
  const auto heads = wire::parse_heads_page(*ask(*at, ask_of(HomeCall::heads, owner_.vault)));
  ASSERT_TRUE(heads);
  EXPECT_EQ(heads->devices.at(0).heads, owner_.heads(1, 3));
  const auto page = wire::parse_held_page(*ask(*at, ask_of(HomeCall::list, owner_.vault)));
  ASSERT_TRUE(page);
  EXPECT_EQ(page->segments.size(), 1U);
}

TEST_F(Service, AVaultsDeviceIsNobodyInAnotherVault) {
  fill();
  const Owner other(2);
  const auto at = connect(kMember, 1);
  ASSERT_EQ(open(*at, other.key, other, claim(other.vault, 1)), Errc{});
  expect_shut(*at, owner_.vault);
  // Neither by his key for the owner's vault, with his own certificate and identity or one that he made.
  EXPECT_EQ(open(*at, other.key, other, claim(owner_.vault, 1)), Errc::denied);
  EXPECT_EQ(open(*at, other.identity, other, claim(owner_.vault, 1)), Errc::denied);
  expect_shut(*at, owner_.vault);
  // Nor in his own vault's name: he may keep a record of the same segment there, but sees what is his.
  home::samples::Segment same = home::samples::make_segment(other, 1, 4, 2000);
  ASSERT_EQ(same.card.segment, segment_.card.segment);
  EXPECT_EQ(code(*at, ask_of(HomeCall::put, other.vault), record_of(owner_, segment_)), Errc::denied);
  HomeAsk find = ask_of(HomeCall::find, other.vault);
  find.segment = segment_.card.segment;
  EXPECT_EQ(code(*at, find), Errc::not_found);
  ASSERT_EQ(code(*at, ask_of(HomeCall::put, other.vault), record_of(other, same)), Errc{});
  ASSERT_EQ(code(*at, ask_of(HomeCall::commit, other.vault)), Errc{});
  EXPECT_EQ(code(*at, find), Errc{});
  const auto owners = connect(kMember, 3);
  ASSERT_EQ(open(*owners, owner_.key, owner_, claim(owner_.vault, 3)), Errc{});
  HomeAsk read = ask_of(HomeCall::read, owner_.vault);
  read.segment = segment_.card.segment;
  EXPECT_EQ(*ask(*owners, read), segment_.fragments[0]);
  read.vault = other.vault;
  EXPECT_EQ(*ask(*at, read), same.fragments[0]);
}

TEST_F(Service, ARevokedDeviceIsShutOutAtOnce) {
  fill();
  const auto thief = connect(kMember, 1);
  ASSERT_EQ(open(*thief, owner_.key, owner_, claim(owner_.vault, 1)), Errc{});
  ASSERT_EQ(read(*thief), Errc{});
  const auto recovering = connect(kStranger, 2);
  EXPECT_FALSE(service_->is_known(kStranger));
  ASSERT_EQ(open(*recovering, owner_.identity, owner_, claim(owner_.vault, 2)), Errc{});
  EXPECT_TRUE(service_->is_known(kStranger));
  const Owner fresh(6);
  const Bytes revoking = owner_.record_of(fresh, {owner_.revocation(owner_.device, 0, {})});
  ASSERT_EQ(code(*recovering, ask_of(HomeCall::put_vault_record, owner_.vault), revoking), Errc{});
  expect_shut(*thief, owner_.vault);
  EXPECT_EQ(code(*thief, ask_of(HomeCall::put_vault_record, owner_.vault), owner_.signed_record(2)), Errc::denied);
  EXPECT_EQ(open(*thief, owner_.key, owner_, claim(owner_.vault, 1)), Errc::denied);
  EXPECT_EQ(read(*recovering), Errc{});
}

/// Enrolled while this home was away: no record here certifies it, and none of those that do may ever come back.
TEST_F(Service, ADeviceThatNoRecordNamesComesInByItsCertificate) {
  fill();
  const Owner fresh(6);
  const auto put = ask_of(HomeCall::put_vault_record, owner_.vault);
  const auto stranger = connect(kStranger, 2);
  EXPECT_EQ(code(*stranger, put, owner_.record_of(fresh)), Errc::denied);
  const auto at = connect(kMember, 1);
  ASSERT_EQ(open(*at, fresh.key, owner_, claim(owner_.vault, 1)), Errc{});
  EXPECT_EQ(read(*at), Errc{});
  const Owner gone(8);
  ASSERT_EQ(code(*at, put, owner_.record_of(fresh, {owner_.revocation(gone.device, 0, {})})), Errc{});
  EXPECT_EQ(records(*at).size(), 2U);
  const auto late = connect(kMember, 3);
  EXPECT_EQ(open(*late, gone.key, owner_, claim(owner_.vault, 3)), Errc::denied);
}

TEST_F(Service, WhatAnyRecordRevokesIsShutOut) {
  fill();
  const Owner second(6);
  const Owner third(7);
  const auto put = ask_of(HomeCall::put_vault_record, owner_.vault);
  const auto at = connect(kMember, 1);
  ASSERT_EQ(code(*at, put, owner_.record_of(second)), Errc{});
  ASSERT_EQ(open(*at, second.key, owner_, claim(owner_.vault, 1)), Errc{});
  const auto other = connect(kMember, 2);
  ASSERT_EQ(open(*other, owner_.key, owner_, claim(owner_.vault, 2)), Errc{});
  ASSERT_EQ(code(*other, put, owner_.record_of(third, {owner_.revocation(second.device, 0, {})})), Errc{});
  expect_shut(*at, owner_.vault);
  EXPECT_EQ(read(*other), Errc{});
  ASSERT_EQ(open(*at, third.key, owner_, claim(owner_.vault, 1)), Errc{});
  EXPECT_EQ(read(*at), Errc{});
}

TEST_F(Service, RecordsComeInPages) {
  fill();
  const auto at = connect(kMember, 1);
  const auto put = ask_of(HomeCall::put_vault_record, owner_.vault);
  std::map<DeviceId, Bytes> wanted{{owner_.device, owner_.signed_record(1)}};
  for (const std::uint64_t seed : {6U, 7U, 8U, 9U, 10U, 11U}) {
    const Owner other(seed);
    wire::VaultRecord big = owner_.record(1);
    big.device = other.device;
    big.devices.push_back(owner_.certificate(other.device));
    for (int wraps = 0; wraps < 40; ++wraps) big.wraps.push_back({{}, Bytes(24'000), 1, false});
    wanted[other.device] = Owner::signed_by(other.key, big);
    ASSERT_EQ(code(*at, put, wanted[other.device]), Errc{});
  }
  ASSERT_EQ(open(*at, owner_.key, owner_, claim(owner_.vault, 1)), Errc{});
  std::map<DeviceId, Bytes> got;
  HomeAsk what = ask_of(HomeCall::vault_records, owner_.vault);
  int pages = 0;
  for (bool more = true; more; ++pages) {
    const auto page = wire::parse_vault_records_page(*ask(*at, what));
    ASSERT_TRUE(page);
    for (const auto& one : page->devices) got[one.device] = one.signed_record;
    more = page->more;
    if (more) what.device = page->devices.back().device;
  }
  EXPECT_EQ(pages, 2);
  EXPECT_EQ(got, wanted);
}

TEST_F(Service, AProofIsOfNoUseElsewhere) {
  fill();
  const auto here = connect(kMember, 1);
  const wire::SessionProof proof = proof_by(owner_.key, owner_, claim(owner_.vault, 1));
  const auto there = connect(kMember, 2);
  EXPECT_EQ(code(*there, ask_of(HomeCall::session, owner_.vault), wire::encode(proof)), Errc::denied);
  const Owner other(2);
  EXPECT_EQ(code(*here, ask_of(HomeCall::session, other.vault), wire::encode(proof)), Errc::denied);
  wire::SessionClaim elsewhere = claim(owner_.vault, 1);
  elsewhere.home = kMember;  // a home that hands on what it was shown
  EXPECT_EQ(open(*here, owner_.key, owner_, elsewhere), Errc::denied);
  wire::SessionProof forged = proof;
  forged.signed_claim.back() ^= std::byte{1};
  EXPECT_EQ(code(*here, ask_of(HomeCall::session, owner_.vault), wire::encode(forged)), Errc::denied);
  // A signature of the same bytes for another purpose.
  const wire::Signed head = wire::sign(owner_.key, wire::kSignHead, wire::encode(claim(owner_.vault, 1)));
  forged.signed_claim = wire::encode(head);
  EXPECT_EQ(code(*here, ask_of(HomeCall::session, owner_.vault), wire::encode(forged)), Errc::denied);
  EXPECT_EQ(code(*here, ask_of(HomeCall::session, owner_.vault), Bytes(10)), Errc::invalid);
  expect_shut(*here, owner_.vault);
  EXPECT_EQ(code(*here, ask_of(HomeCall::session, owner_.vault), wire::encode(proof)), Errc{});
}

TEST_F(Service, TheFirstRecordProvesItself) {
  const auto at = connect(kMember, 1);
  const auto put = ask_of(HomeCall::put_vault_record, owner_.vault);
  const Owner thief(5);
  EXPECT_EQ(code(*at, put, Owner::signed_by(thief.key, owner_.record(1))), Errc::denied);
  EXPECT_EQ(code(*at, put, thief.signed_record(1)), Errc::denied);  // of another vault than the path
  const auto stranger = connect(kStranger, 2);
  EXPECT_EQ(code(*stranger, put, owner_.signed_record(1)), Errc::denied);
  EXPECT_EQ(code(*at, put, owner_.signed_record(2)), Errc{});
  EXPECT_EQ(code(*at, put, owner_.signed_record(1)), Errc::invalid);
}

TEST_F(Service, BeforeThereIsARecordTheIdentitysWordCounts) {
  const Owner other(2);
  const auto at = connect(kMember, 1);
  wire::SessionProof proof = proof_by(owner_.key, other, claim(owner_.vault, 1));  // certified by another
  const auto session = ask_of(HomeCall::session, owner_.vault);
  EXPECT_EQ(code(*at, session, wire::encode(proof)), Errc::denied);
  proof.identity = owner_.identity.public_key();
  EXPECT_EQ(code(*at, session, wire::encode(proof)), Errc::denied);
  EXPECT_EQ(open(*at, owner_.key, owner_, claim(owner_.vault, 1)), Errc{});
  EXPECT_EQ(code(*at, ask_of(HomeCall::put, owner_.vault), record_of(owner_, segment_)), Errc{});
  const auto stranger = connect(kStranger, 2);
  EXPECT_EQ(open(*stranger, owner_.identity, owner_, claim(owner_.vault, 2)), Errc::not_found);
  EXPECT_FALSE(service_->is_known(kStranger));
  // A record without that device changes nothing, one that revokes it ends it.
  const Owner fresh(6);
  wire::VaultRecord without = owner_.record(1);
  without.device = fresh.device;
  without.devices = {owner_.certificate(fresh.device)};
  const auto put = ask_of(HomeCall::put_vault_record, owner_.vault);
  ASSERT_EQ(code(*at, put, Owner::signed_by(fresh.key, without)), Errc{});
  EXPECT_EQ(records(*at).size(), 1U);
  const Owner third(7);
  ASSERT_EQ(code(*at, put, owner_.record_of(third, {owner_.revocation(owner_.device, 0, {})})), Errc{});
  expect_shut(*at, owner_.vault);
}

TEST_F(Service, AVaultHasWhatItIsLentAndNoMore) {
  fill();
  const auto at = connect(kMember, 1);
  ASSERT_EQ(open(*at, owner_.key, owner_, claim(owner_.vault, 1)), Errc{});
  const auto usage = [&] { return *wire::parse_vault_usage(*ask(*at, ask_of(HomeCall::usage, owner_.vault))); };
  const Bytes first = record_of(owner_, segment_);
  const Bytes second = record_of(owner_, home::samples::make_segment(owner_, 2));
  EXPECT_EQ(usage().used_bytes, first.size());
  EXPECT_EQ(usage().free_bytes, 1_MiB - first.size());
  quota_bytes_ = first.size() + second.size() - 1;
  const auto put = ask_of(HomeCall::put, owner_.vault);
  const auto refused = ask(*at, put, second);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::full);
  EXPECT_NE(refused.error().detail.find("that this home lends to one member"), std::string::npos)
      << refused.error().detail;
  quota_bytes_ += 1;
  EXPECT_EQ(code(*at, put, second), Errc{});
  EXPECT_EQ(usage().free_bytes, 0U);
  EXPECT_EQ(code(*at, put, first), Errc{});  // takes nothing
  EXPECT_EQ(code(*at, put, record_of(owner_, home::samples::make_segment(owner_, 3))), Errc::full);
  quota_bytes_ = 0;
  EXPECT_EQ(code(*at, put, first), Errc::denied);
  EXPECT_EQ(read(*at), Errc{});  // what is here can still be had
}

TEST_F(Service, VaultsOfOneMemberHaveOneQuota) {
  fill();
  const Owner second(2);
  const auto at = connect(kMember, 1);
  ASSERT_EQ(open(*at, second.key, second, claim(second.vault, 1)), Errc{});
  const Bytes record = record_of(second, home::samples::make_segment(second, 2));
  const std::uint64_t used = record_of(owner_, segment_).size();
  const auto usage = [&] { return *wire::parse_vault_usage(*ask(*at, ask_of(HomeCall::usage, second.vault))); };
  quota_bytes_ = used + record.size() - 1;
  EXPECT_EQ(usage().free_bytes, quota_bytes_);
  counted_with_ = {owner_.vault};
  EXPECT_EQ(usage().free_bytes, record.size() - 1);
  EXPECT_EQ(usage().used_bytes, 0U) << "this vault's alone";
  EXPECT_EQ(code(*at, ask_of(HomeCall::put, second.vault), record), Errc::full);
  quota_bytes_ += 1;
  EXPECT_EQ(code(*at, ask_of(HomeCall::put, second.vault), record), Errc{});
}

TEST_F(Service, SaysWhyItLendsNothing) {
  fill();
  const auto at = connect(kMember, 1);
  ASSERT_EQ(open(*at, owner_.key, owner_, claim(owner_.vault, 1)), Errc{});
  quota_bytes_ = 0;
  why_nothing_ = "each member lends something";
  const auto refused = ask(*at, ask_of(HomeCall::put, owner_.vault), record_of(owner_, segment_));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::denied);
  EXPECT_TRUE(refused.error().detail.ends_with("nothing: each member lends something")) << refused.error().detail;
  EXPECT_EQ(read(*at), Errc{}) << "what is stored can be had";
  const Owner fresh(9);
  const auto record = ask(*at, ask_of(HomeCall::put_vault_record, fresh.vault), fresh.signed_record(1));
  ASSERT_FALSE(record);
  EXPECT_TRUE(record.error().detail.ends_with("nothing: each member lends something")) << record.error().detail;
}

TEST_F(Service, NotesWhoseAVaultIsBeforeItTakesAnything) {
  fill();
  EXPECT_EQ(noted_, (std::vector<std::pair<HomeId, VaultId>>{{kMember, owner_.vault}}));
  const auto at = connect(kMember, 1);
  ASSERT_EQ(open(*at, owner_.key, owner_, claim(owner_.vault, 1)), Errc{});
  can_note_ = false;
  const Bytes record = record_of(owner_, home::samples::make_segment(owner_, 2));
  EXPECT_EQ(code(*at, ask_of(HomeCall::put, owner_.vault), record), Errc::unavailable);
  EXPECT_EQ(code(*at, ask_of(HomeCall::tombstone, owner_.vault), owner_.tombstone({segment_.card.segment})),
            Errc::unavailable);
  EXPECT_EQ(read(*at), Errc{});
}

TEST_F(Service, HoldsWhatIsLetGoAsLongAsTheRuleSays) {
  fill();
  const auto at = connect(kStranger, 1);  // a thief of the vault's keys is of no cloud
  ASSERT_EQ(open(*at, owner_.key, owner_, claim(owner_.vault, 1)), Errc{});
  least_hold_s_ = 90 * 86'400;
  ASSERT_EQ(code(*at, ask_of(HomeCall::tombstone, owner_.vault), owner_.tombstone({segment_.card.segment})), Errc{});
  const auto usage = platform::run_task(machine_, home_->usage_of(owner_.vault));
  ASSERT_TRUE(usage && usage->next_due_ns);
  EXPECT_EQ(*usage->next_due_ns, machine_.clock().unix_ns() + 90 * 86'400 * 1'000'000'000LL);
}

Task<> put_one(net::Served& at, net::Request request, unsigned& taken) {
  const auto reply = co_await at.answer(std::move(request));
  if (reply.status == 200) ++taken;
}

Task<unsigned> put_all(platform::Platform& machine, net::Served& at, std::vector<net::Request> requests) {
  unsigned taken = 0;
  platform::Nursery scope(machine.executor());
  for (net::Request& request : requests) scope.start(put_one(at, std::move(request), taken));
  co_await scope.join();
  co_return taken;
}

TEST_F(Service, PutsAtOnceDoNotPassTheQuotaTogether) {
  const auto at = connect(kMember, 1);
  ASSERT_EQ(open(*at, owner_.key, owner_, claim(owner_.vault, 1)), Errc{});
  std::vector<net::Request> requests;
  for (std::uint64_t i = 0; i < 10; ++i) {
    Bytes record = record_of(owner_, home::samples::make_segment(owner_, i));
    quota_bytes_ = 3 * record.size();
    requests.push_back(to_request(ask_of(HomeCall::put, owner_.vault), std::move(record)));
  }
  const unsigned taken = platform::run_task(machine_, put_all(machine_, *at, std::move(requests)));
  EXPECT_GE(taken, 1U);
  EXPECT_LE(taken, 3U);
  EXPECT_LE(platform::run_task(machine_, home_->usage_of(owner_.vault))->used_bytes, quota_bytes_);
}

/// Who has a stolen computer has the vault's keys with it: by these alone it could have all deleted.
TEST_F(Service, AComputerThatWasTakenOutReadsAndChangesNothing) {
  fill();
  const auto at = connect(kMember, 1);
  ASSERT_EQ(open(*at, owner_.key, owner_, claim(owner_.vault, 1)), Errc{});
  who_ = Who::taken_out;  // also on a connection that is up
  const auto ask_for = [&](HomeCall call) {
    HomeAsk what = ask_of(call, owner_.vault);
    what.device = owner_.device;
    if (call == HomeCall::vault_records || call == HomeCall::heads) what.device = {};
    const bool is_page = call == HomeCall::list || call == HomeCall::scrub || call == HomeCall::known_bad;
    if (!is_page) what.segment = segment_.card.segment;
    return what;
  };
  const std::map<HomeCall, Bytes> changes{{HomeCall::put_vault_record, owner_.signed_record(2)},
                                          {HomeCall::put_heads, wire::encode(wire::HeadChain{owner_.heads(4, 4)})},
                                          {HomeCall::tombstone, owner_.tombstone({segment_.card.segment})},
                                          {HomeCall::reprieve, owner_.reprieve({segment_.card.segment})},
                                          {HomeCall::put, record_of(owner_, home::samples::make_segment(owner_, 2))},
                                          {HomeCall::commit, {}},
                                          {HomeCall::collect, {}}};
  for (const auto& [call, body] : changes) {
    EXPECT_FALSE(only_reads(call));
    EXPECT_EQ(code(*at, ask_for(call), body), Errc::denied) << static_cast<int>(call);
  }
  for (const HomeCall call : {HomeCall::vault_records, HomeCall::heads, HomeCall::list, HomeCall::find, HomeCall::read,
                              HomeCall::usage, HomeCall::scrub, HomeCall::known_bad}) {
    EXPECT_TRUE(only_reads(call));
    EXPECT_EQ(code(*at, ask_for(call)), Errc{}) << static_cast<int>(call);
  }
  EXPECT_EQ(code(*at, ask_for(HomeCall::former_record)), Errc::not_found) << "there is none";
  const auto anew = connect(kMember, 2);
  EXPECT_EQ(code(*anew, ask_for(HomeCall::put_vault_record), owner_.signed_record(2)), Errc::denied);
  ASSERT_EQ(open(*anew, owner_.identity, owner_, claim(owner_.vault, 2)), Errc{}) << "by the phrase, too";
  EXPECT_EQ(code(*anew, ask_for(HomeCall::tombstone), changes.at(HomeCall::tombstone)), Errc::denied);
  EXPECT_EQ(read(*anew), Errc{});
  who_ = Who::stranger;  // a removed member's, say: what is here is his own
  for (const auto& [call, body] : changes) {
    const Errc wanted = call == HomeCall::put ? Errc::denied : Errc{};  // he is lent nothing
    quota_bytes_ = 0;
    EXPECT_EQ(code(*at, ask_for(call), body), wanted) << static_cast<int>(call);
  }
}

TEST_F(Service, RefusesWhatIsTooLongOrNoRequest) {
  const auto at = connect(kMember, 1);
  ASSERT_EQ(open(*at, owner_.key, owner_, claim(owner_.vault, 1)), Errc{});
  EXPECT_EQ(code(*at, ask_of(HomeCall::usage, owner_.vault), Bytes(1)), Errc::invalid);
  EXPECT_EQ(code(*at, ask_of(HomeCall::put, owner_.vault), Bytes(wire::kMaxPutBytes + 1)), Errc::invalid);
  EXPECT_EQ(code(*at, ask_of(HomeCall::put, owner_.vault), Bytes(4096)), Errc::invalid);
  EXPECT_EQ(code(*at, ask_of(HomeCall::put, owner_.vault)), Errc::invalid);
  EXPECT_EQ(code(*at, ask_of(HomeCall::put_heads, owner_.vault), Bytes(3)), Errc::invalid);
  EXPECT_EQ(code(*at, ask_of(HomeCall::tombstone, owner_.vault), Bytes(3)), Errc::invalid);
  const auto reply = testing::body_of(platform::run_task(machine_, at->answer({net::Method::get, "/v1/else", {}})));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code, Errc::not_found);
}

TEST_F(Service, CollectsNotTooOften) {
  fill();
  const auto at = connect(kMember, 1);
  ASSERT_EQ(open(*at, owner_.key, owner_, claim(owner_.vault, 1)), Errc{});
  EXPECT_EQ(code(*at, ask_of(HomeCall::collect, owner_.vault)), Errc{});
  EXPECT_EQ(code(*at, ask_of(HomeCall::collect, owner_.vault)), Errc::busy);
}

TEST_F(Service, WhereAllRecordsAreDamagedOnlyTheIdentityIsLetIn) {
  fill();
  const std::string path = "/home/vaults/" + owner_.vault.hex() + "/record-" + owner_.device.hex();
  machine_.memory_disk().flip_bit(path, 3000);
  Lending lending;
  lending.who = [](const net::Peer&) { return Who::member; };
  lending.quota_bytes = [](const net::Peer&, const VaultId&) { return 1_MiB; };
  service_ = std::make_unique<HomeService>(machine_, *home_, std::move(lending));  // that remembers nothing
  const auto device = connect(kMember, 1);
  EXPECT_EQ(open(*device, owner_.key, owner_, claim(owner_.vault, 1)), Errc::denied);
  const auto identity = connect(kMember, 2);
  ASSERT_EQ(open(*identity, owner_.identity, owner_, claim(owner_.vault, 2)), Errc{});
  EXPECT_EQ(records(*identity), (std::vector{wire::VaultRecordsPage::Device{owner_.device, {}}}));
  EXPECT_EQ(code(*identity, ask_of(HomeCall::put_vault_record, owner_.vault), owner_.signed_record(2)), Errc{});
  EXPECT_EQ(open(*device, owner_.key, owner_, claim(owner_.vault, 1)), Errc{});
}

}  // namespace
}  // namespace mhp::cloud
