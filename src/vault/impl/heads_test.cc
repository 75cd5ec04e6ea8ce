// Old, forked, foreign and revoked heads: what is believed, and who is named.
#include "vault/impl/heads.h"

#include <gtest/gtest.h>

#include <set>

#include "platform/memory/memory_platform.h"
#include "primitives/hash/blake3.h"
#include "vault/testing/world.h"

namespace mhp::vault::impl {
namespace {

using dispersal::TroubleKind;

class Heads : public ::testing::Test {
 protected:
  Heads() {
    primitives::init_sodium();
    open_ = make_first_record(root_, device_, {}, random_, 1);
    record_ = open_.record;
  }

  /// Heads `first`..`last` after `chain`; `salt` makes another history.
  std::vector<Bytes> grow(std::vector<Bytes> chain, unsigned heads, std::uint8_t salt = 0, const Device* by = nullptr) {
    const Device& device = by != nullptr ? *by : device_;
    for (unsigned i = 0; i < heads; ++i) {
      wire::Head head;
      head.epoch = 1;
      head.vault_record_version = 1;
      head.vault = root_.vault();
      head.device = device.id;
      head.seq = chain.size() + 1;
      if (!chain.empty()) head.previous = HeadHash::from_array(primitives::blake3(chain.back()));
      head.time_ns = static_cast<std::int64_t>(head.seq * 1000 + salt);
      head.sealed_root = Bytes(128, std::byte{salt});
      chain.push_back(wire::encode(wire::sign(device.signing, wire::kSignHead, wire::encode(head))));
    }
    return chain;
  }
  ShownHeads home(std::size_t member, std::vector<Bytes> chain) {
    return {.member = member,
            .record_versions = {{device_.id, 1}},
            .devices = {{.device = device_.id, .chain = std::move(chain), .received_s = {}}}};
  }
  HeadsView judge(const std::vector<ShownHeads>& shown, const std::vector<Bytes>& own = {},
                  const wire::SeenHeads& seen = {}, bool with_late = false) {
    return judge_heads(record_, shown, {.device = device_.id, .chain = own}, seen, with_late);
  }
  wire::SeenHeads seen(const std::vector<Bytes>& chain, std::uint64_t seq) {
    return {.heads = {
                {.device = device_.id, .seq = seq, .hash = HeadHash::from_array(primitives::blake3(chain[seq - 1]))}}};
  }

  /// The record after a recovery that calls `good` the last good heads, joined with what was said before.
  void recover(const std::vector<wire::SeenHead>& good, std::int64_t time_s = 1, Earlier earlier = Earlier::shut_out) {
    const std::int64_t now_ns = time_s * 1'000'000'000 + 500'000'000;
    auto next = recovered_record(open_, root_, make_device(root_.vault(), random_), good, random_, now_ns, earlier);
    ASSERT_TRUE(next) << next.error().detail;
    open_ = std::move(*next);
    record_ = open_.record;
  }
  std::vector<std::uint64_t> believed(const HeadsView& view) {
    std::vector<std::uint64_t> numbers;
    for (const BelievedDevice& device : view.devices) numbers.push_back(device.newest().head.seq);
    return numbers;
  }

  static std::vector<std::size_t> late_members(const HeadsView& view) {
    std::vector<std::size_t> out;
    for (const LateHeads::Shown& one : view.late.at(0).shown) out.push_back(one.member);
    return out;
  }
  /// A home that took all of them at one time.
  ShownHeads home_at(std::size_t member, std::vector<Bytes> chain, std::int64_t received_s) {
    ShownHeads shown = home(member, std::move(chain));
    shown.devices[0].received_s.assign(shown.devices[0].chain.size(), received_s);
    return shown;
  }

  platform::MemoryPlatform platform_{testing::seed_of_run()};
  platform::Random& random_ = platform_.random();
  Root root_{random_.array<32>()};
  Device device_ = make_device(root_.vault(), random_);
  OpenRecord open_;
  wire::VaultRecord record_;
};

TEST_F(Heads, AHomeThatHoldsBackTheRecordItsHeadsNameIsNamed) {
  auto chain = grow({}, 2);
  ShownHeads withheld = home(1, chain);
  withheld.record_versions[device_.id] = 0;
  HeadsView view = judge({home(0, chain), withheld});
  ASSERT_EQ(view.findings.size(), 1u);
  EXPECT_EQ(view.findings[0].member, 1u);
  EXPECT_EQ(view.findings[0].kind, dispersal::TroubleKind::wrong_record);
}

TEST_F(Heads, TheHighestIsBelieved) {
  auto chain = grow({}, 7);
  std::vector<Bytes> old(chain.begin(), chain.begin() + 5);
  auto view = judge({home(0, chain), home(1, old), home(2, chain)});
  ASSERT_EQ(view.devices.size(), 1u);
  EXPECT_EQ(view.devices[0].newest().head.seq, 7u);
  EXPECT_EQ(view.devices[0].homes_agree, 2u);
  ASSERT_EQ(view.findings.size(), 1u);
  EXPECT_EQ(view.findings[0].member, 1u);
  EXPECT_EQ(view.findings[0].kind, TroubleKind::old_heads);
  EXPECT_EQ(view.findings[0].detail, "has head 5 of 7 (it may have been away)");
}

TEST_F(Heads, AHomeThatLostItsHeadsIsNamedAFreshOneIsNot) {
  auto chain = grow({}, 3);
  ShownHeads empty{.member = 1, .record_versions = {{device_.id, 1}}, .devices = {}};
  ShownHeads fresh{.member = 2, .record_versions = {}, .devices = {}};
  auto view = judge({home(0, chain), empty, fresh});
  ASSERT_EQ(view.findings.size(), 1u);
  EXPECT_EQ(view.findings[0].member, 1u);
  EXPECT_EQ(view.findings[0].kind, TroubleKind::old_heads);
}

TEST_F(Heads, ARollbackOfAllHomesIsNamed) {
  auto chain = grow({}, 7);
  std::vector<Bytes> old(chain.begin(), chain.begin() + 5);
  auto view = judge({home(0, old), home(1, old)}, {}, seen(chain, 7));
  ASSERT_EQ(view.devices.size(), 1u);
  EXPECT_EQ(view.devices[0].newest().head.seq, 5u);
  ASSERT_EQ(view.findings.size(), 2u);
  for (const auto& finding : view.findings) {
    EXPECT_EQ(finding.kind, TroubleKind::old_heads);
    EXPECT_EQ(finding.detail, "shows an older state than this computer has seen");
  }
  // With this device's own copy nothing is lost, and the homes are named all the same.
  view = judge({home(0, old), home(1, old)}, chain, seen(chain, 7));
  EXPECT_EQ(view.devices[0].newest().head.seq, 7u);
  EXPECT_EQ(view.devices[0].homes_agree, 0u);
  EXPECT_EQ(view.findings.size(), 2u);
}

TEST_F(Heads, AForkIsNamedAndWhatWasSeenIsBelieved) {
  auto common = grow({}, 4);
  auto ours = grow(common, 1, 1);
  auto theirs = grow(common, 3, 2);
  auto view = judge({home(0, ours), home(1, theirs), home(2, theirs)}, {}, seen(ours, 5));
  ASSERT_EQ(view.devices.size(), 1u);
  EXPECT_EQ(view.devices[0].newest().signed_bytes, ours.back());
  ASSERT_EQ(view.findings.size(), 2u);
  for (const auto& finding : view.findings) {
    EXPECT_EQ(finding.kind, TroubleKind::forked_heads);
    EXPECT_NE(finding.member, 0u);
  }
  // Who has seen nothing goes by the majority.
  auto even = grow(common, 1, 3);
  view = judge({home(0, ours), home(1, even), home(2, even)});
  EXPECT_EQ(view.devices[0].newest().signed_bytes, even.back());
  ASSERT_EQ(view.findings.size(), 1u);
  EXPECT_EQ(view.findings[0].member, 0u);
}

TEST_F(Heads, AnEndInAGapIsAHistoryOfItsOwnUntilATopSaysElse) {
  const auto common = grow({}, 3);
  const auto chain = grow(common, 77);
  const auto theirs = grow(common, 5, 1);
  auto thinned = chain;
  thinned.erase(thinned.begin() + 3, thinned.begin() + 20);
  auto view = judge({home(0, thinned), home(1, theirs)});
  ASSERT_EQ(view.branches.size(), 1u);
  EXPECT_EQ(view.branches[0].newest().signed_bytes, theirs.back());
  EXPECT_FALSE(view.branches[0].contradicts);
  EXPECT_EQ(view.branches[0].members, std::vector<std::size_t>{1});
  EXPECT_TRUE(view.devices[0].forked);
  EXPECT_EQ(view.devices[0].chain.size(), thinned.size()) << "nothing of the other was taken in";

  settle_branches(view, [](const BelievedDevice&) { return false; });
  EXPECT_EQ(view.branches.size(), 1u);
  settle_branches(view, [](const BelievedDevice&) { return true; });
  EXPECT_TRUE(view.branches.empty());
  EXPECT_FALSE(view.devices[0].forked);
  EXPECT_EQ(heads_after(view.devices[0].chain, 8).front(), thinned[3]) << "the home can be given the rest";

  // Who has the heads in between sees the contradiction, in any order; no top talks it away.
  view = judge({home(0, thinned), home(1, theirs)}, chain);
  ASSERT_EQ(view.branches.size(), 1u);
  EXPECT_TRUE(view.branches[0].contradicts);
  settle_branches(view, [](const BelievedDevice&) { return true; });
  EXPECT_EQ(view.branches.size(), 1u);
}

TEST_F(Heads, WhoIsOnlyBehindIsNoHistoryOfItsOwn) {
  const auto chain = grow({}, 80);
  auto thinned = chain;
  thinned.erase(thinned.begin() + 3, thinned.begin() + 20);
  const auto first = [&](std::size_t heads) {
    return std::vector<Bytes>(chain.begin(), chain.begin() + static_cast<std::ptrdiff_t>(heads));
  };
  for (const std::size_t held : {3u, 20u, 21u, 79u}) {  // 20: the one before the gap's end, which names it
    EXPECT_TRUE(judge({home(0, thinned), home(1, first(held))}).branches.empty()) << held;
  }
  EXPECT_EQ(judge({home(0, thinned), home(1, first(10))}).branches.size(), 1u);
  EXPECT_TRUE(judge({home(0, thinned), home(1, first(10))}, chain).branches.empty());
  EXPECT_TRUE(judge({home(0, thinned), home(1, first(10)), home(2, first(25))}).branches.empty())
      << "by way of another";
}

TEST_F(Heads, AHugeNumberThatARecoveryNamedMakesNoLaterHeadGood) {
  const auto good = grow({}, 3);
  const auto later = grow(good, 3);
  wire::Head head;
  head.epoch = 1;
  head.vault_record_version = 1;
  head.vault = root_.vault();
  head.device = device_.id;
  head.seq = 1'000'000;
  head.previous = HeadHash::from_array(primitives::blake3(later.back()));
  head.sealed_root = Bytes(128);
  const Bytes huge = wire::encode(wire::sign(device_.signing, wire::kSignHead, wire::encode(head)));
  recover({{.device = device_.id, .seq = head.seq, .hash = HeadHash::from_array(primitives::blake3(huge))}}, 1000);

  auto with_huge = later;
  with_huge.push_back(huge);
  auto evil = home(0, with_huge), other = home(1, later);
  evil.devices[0].received_s = {500, 500, 500, 2000, 2000, 2000, 900};
  other.devices[0].received_s = {500, 500, 500, 2000, 2000, 2000};
  const auto view = judge({evil, other});
  ASSERT_EQ(view.devices.size(), 1u);
  ASSERT_EQ(view.devices[0].chain.size(), 4u) << "the first three, and the one that was named";
  EXPECT_EQ(view.devices[0].chain[2].signed_bytes, good.back());
  EXPECT_EQ(view.devices[0].newest().signed_bytes, huge);
  ASSERT_EQ(view.late.size(), 1u);
  EXPECT_EQ(view.late[0].shown[0].member, 1u);
  EXPECT_EQ(view.late[0].shown[0].head.seq, 6u);
}

TEST_F(Heads, WhatARecoveryCalledGoodAndNoHomeShowsIsHidden) {
  const auto chain = grow({}, 5);
  recover(seen(chain, 5).heads);
  const auto view = judge({home(0, {chain.begin(), chain.begin() + 3})});
  ASSERT_EQ(view.hidden.size(), 1u);
  EXPECT_EQ(view.hidden[0].missed, seen(chain, 5).heads);
  EXPECT_TRUE(judge({home(0, chain)}).hidden.empty());
}

TEST_F(Heads, HeadsOfADeviceThatNoRecordNamesAreHiddenAndTheirHomeIsNamed) {
  const Device stranger = make_device(root_.vault(), random_);
  ShownHeads shown = home(0, grow({}, 2));
  shown.devices.push_back({.device = stranger.id, .chain = grow({}, 2, 0, &stranger), .received_s = {}});
  const auto view = judge({shown});
  ASSERT_EQ(view.hidden.size(), 1u);
  EXPECT_EQ(view.hidden[0].device, stranger.id);
  EXPECT_TRUE(view.hidden[0].is_unnamed);
  EXPECT_EQ(view.hidden[0].members, std::vector<std::size_t>{0});
  ASSERT_EQ(view.findings.size(), 1u);
  EXPECT_EQ(view.findings[0].kind, TroubleKind::wrong_record);
  // What is not signed by it is nobody's.
  shown.devices.back().chain = grow({}, 2);
  EXPECT_TRUE(judge({shown}).hidden.empty());
}

TEST_F(Heads, WhatWasSeenAndIsNotShownIsHidden) {
  const auto chain = grow({}, 7);
  const std::vector<Bytes> old(chain.begin(), chain.begin() + 5);
  const auto other = grow(old, 3, 1);
  const ShownHeads nothing{.member = 0, .record_versions = {{device_.id, 1}}, .devices = {}};
  for (const ShownHeads& shown : {nothing, home(0, old), home(0, other)}) {
    const auto view = judge({shown}, {}, seen(chain, 7));
    ASSERT_EQ(view.hidden.size(), 1u);
    EXPECT_EQ(view.hidden[0].missed, seen(chain, 7).heads);
  }
  EXPECT_TRUE(judge({home(0, chain)}, {}, seen(chain, 7)).hidden.empty());
  EXPECT_TRUE(judge({home(0, chain)}, {}, seen(chain, 5)).hidden.empty());
  EXPECT_TRUE(judge({nothing}, chain, seen(chain, 7)).hidden.empty()) << "its own copy";
  EXPECT_TRUE(judge({nothing}).hidden.empty());

  const auto damaged = judge({home(3, {}), nothing});
  ASSERT_EQ(damaged.hidden.size(), 1u);
  EXPECT_EQ(damaged.hidden[0].members, std::vector<std::size_t>{3});
  EXPECT_TRUE(judge({home(3, {}), home(0, chain)}).hidden.empty()) << "another home has them";
}

TEST_F(Heads, ForgedHeadsAreNotBelieved) {
  auto chain = grow({}, 3);
  auto forged = chain;
  forged.back()[forged.back().size() - 1] ^= std::byte{1};
  auto view = judge({home(0, chain), home(1, forged)});
  EXPECT_EQ(view.devices[0].newest().head.seq, 3u);
  EXPECT_TRUE(std::ranges::any_of(view.findings, [](const auto& finding) {
    return finding.member == 1 && finding.kind == TroubleKind::wrong_bytes;
  }));
  // A head in the middle that is not what the next one names.
  auto swapped = chain;
  swapped[1] = grow(std::vector<Bytes>{chain[0]}, 1, 9).back();
  view = judge({home(0, chain), home(1, swapped)});
  EXPECT_EQ(view.findings.empty(), false);
  EXPECT_EQ(view.devices[0].newest().signed_bytes, chain.back());
  // Of a device that nobody enrolled.
  Device stranger = make_device(root_.vault(), random_);
  ShownHeads foreign{.member = 0,
                     .record_versions = {{device_.id, 1}},
                     .devices = {{.device = stranger.id, .chain = grow({}, 2, 0, &stranger)}}};
  EXPECT_TRUE(judge({foreign}).devices.empty());
}

TEST_F(Heads, ARevokedDeviceIsBelievedUpToItsLastGoodHead) {
  auto chain = grow({}, 6);
  OpenRecord first = make_first_record(root_, device_, {}, random_, 1);
  std::vector<wire::SeenHead> good = seen(chain, 4).heads;
  Device fresh = make_device(root_.vault(), random_);
  auto next = recovered_record(first, root_, fresh, good, random_, 2);
  ASSERT_TRUE(next);
  record_ = next->record;
  auto view = judge({home(0, chain)});
  ASSERT_EQ(view.devices.size(), 1u);
  EXPECT_TRUE(view.devices[0].revoked);
  EXPECT_EQ(view.devices[0].newest().head.seq, 4u);
  auto other = grow({}, 6, 5);
  EXPECT_TRUE(judge({home(0, other)}).devices.empty());
}

TEST_F(Heads, OfTwoRecoveriesTheHigherLastGoodHeadCounts) {
  auto chain = grow({}, 6);
  OpenRecord first = make_first_record(root_, device_, {}, random_, 1);
  auto low = recovered_record(first, root_, make_device(root_.vault(), random_), seen(chain, 2).heads, random_, 2);
  auto high = recovered_record(first, root_, make_device(root_.vault(), random_), seen(chain, 4).heads, random_, 3);
  ASSERT_TRUE(low && high);
  auto both = join_records({low->signed_bytes, high->signed_bytes}, root_);
  ASSERT_TRUE(both) << both.error().detail;
  record_ = both->record;
  auto view = judge({home(0, chain)});
  ASSERT_EQ(view.devices.size(), 1u);
  EXPECT_EQ(view.devices[0].newest().head.seq, 4u);
  EXPECT_TRUE(judge({home(0, grow({}, 6, 5))}).devices.empty());
}

TEST_F(Heads, BothHistoriesOfAComputerWhoseStateWasPutBackAreFollowed) {
  auto common = grow({}, 4);
  auto ours = grow(common, 1, 1);
  auto theirs = grow(common, 3, 2);
  std::vector<Bytes> theirs_older(theirs.begin(), theirs.end() - 1);
  for (const auto& shown : {std::vector{home(0, ours), home(1, theirs_older), home(2, theirs)},
                            std::vector{home(2, theirs), home(1, theirs_older), home(0, ours)}}) {
    auto view = judge(shown, ours, seen(ours, 5));
    ASSERT_EQ(view.devices.size(), 1u);
    EXPECT_EQ(view.devices[0].newest().signed_bytes, ours.back());
    EXPECT_TRUE(view.devices[0].forked);
    ASSERT_EQ(view.branches.size(), 1u);
    EXPECT_EQ(view.branches[0].device, device_.id);
    EXPECT_EQ(view.branches[0].newest().signed_bytes, theirs.back());
  }
  // Three histories are three; one that is only behind is none.
  auto third = grow(common, 2, 3);
  auto view = judge({home(0, ours), home(1, theirs), home(2, third), home(3, common)});
  EXPECT_EQ(view.branches.size(), 2u);
  view = judge({home(0, ours), home(1, common)});
  EXPECT_TRUE(view.branches.empty());
  EXPECT_FALSE(view.devices[0].forked);
}

TEST_F(Heads, ARecoveryTakesInBothHistoriesAndNobodyIsBlamed) {
  auto common = grow({}, 4);
  auto ours = grow(common, 1, 1);
  auto theirs = grow(common, 3, 2);
  std::vector<wire::SeenHead> both = seen(ours, 5).heads;
  both.push_back(seen(theirs, 7).heads[0]);
  for (const Earlier earlier : {Earlier::shut_out, Earlier::distrusted}) {
    recover(both, 1000, earlier);
    std::vector<ShownHeads> shown{home(0, ours), home(1, theirs), home(2, grow(theirs, 1, 4))};
    for (ShownHeads& one : shown) one.devices[0].received_s.assign(one.devices[0].chain.size(), 900);
    shown[2].devices[0].received_s.back() = 2000;
    auto view = judge(shown);
    ASSERT_EQ(view.devices.size(), 1u);
    EXPECT_EQ(view.devices[0].newest().signed_bytes, theirs.back());
    ASSERT_EQ(view.branches.size(), 1u);
    EXPECT_EQ(view.branches[0].newest().signed_bytes, ours.back());
    EXPECT_TRUE(view.findings.empty());
    ASSERT_EQ(view.late.size(), 1u);
    EXPECT_EQ(late_members(view), std::vector<std::size_t>{2});
  }
}

TEST_F(Heads, WhatCameAfterARevocationIsToldOfAndCanBeTakenIn) {
  auto chain = grow({}, 6);
  recover(seen(chain, 4).heads);
  std::vector<Bytes> good(chain.begin(), chain.begin() + 4);
  auto view = judge({home(0, chain), home(1, good)});
  EXPECT_EQ(believed(view), std::vector<std::uint64_t>{4});
  ASSERT_EQ(view.late.size(), 1u);
  EXPECT_EQ(view.late[0].device, device_.id);
  EXPECT_EQ(late_members(view), std::vector<std::size_t>{0});
  EXPECT_EQ(view.late[0].shown[0].time_ns, 6000);
  EXPECT_FALSE(view.late[0].distrusted);
  EXPECT_TRUE(view.findings.empty());
  // The computer's own copy of its heads is no home's.
  EXPECT_TRUE(judge({home(1, good)}, chain).late.empty());
  view = judge({home(0, chain), home(1, good)}, {}, {}, true);
  EXPECT_EQ(believed(view), std::vector<std::uint64_t>{6});
  EXPECT_TRUE(view.late.empty());
  // Once taken in by a recovery it is good, whoever asks.
  recover(seen(chain, 6).heads);
  view = judge({home(0, chain), home(1, good)});
  EXPECT_EQ(believed(view), std::vector<std::uint64_t>{6});
  EXPECT_TRUE(view.late.empty());
}

TEST_F(Heads, AnotherHistoryThanTheLastGoodOneIsLate) {
  auto common = grow({}, 2);
  auto good = grow(common, 2, 1);
  auto other = grow(common, 3, 2);
  recover(seen(good, 4).heads);
  auto view = judge({home(0, good), home(1, other)});
  EXPECT_EQ(believed(view), std::vector<std::uint64_t>{4});
  EXPECT_TRUE(view.branches.empty());
  ASSERT_EQ(view.late.size(), 1u);
  EXPECT_EQ(late_members(view), std::vector<std::size_t>{1});
  view = judge({home(0, good), home(1, other)}, {}, {}, true);
  EXPECT_EQ(view.devices.size() + view.branches.size(), 2u);
}

TEST_F(Heads, AHistoryBelowTheLastGoodHeadIsLateWhereItCameAfterTheRevocation) {
  auto common = grow({}, 2);
  auto good = grow(common, 3, 1);
  auto thief = grow(common, 1, 2);
  for (const Earlier earlier : {Earlier::shut_out, Earlier::distrusted}) {
    recover(seen(good, 5).heads, 1000, earlier);
    auto stolen = home_at(1, thief, 2000);
    stolen.devices[0].received_s = {900, 900, 2000};
    auto view = judge({home_at(0, good, 900), stolen});
    EXPECT_EQ(believed(view), std::vector<std::uint64_t>{5});
    EXPECT_TRUE(view.branches.empty());
    EXPECT_EQ(late_members(view), std::vector<std::size_t>{1});
    EXPECT_EQ(view.late[0].distrusted, earlier == Earlier::distrusted);
    // A home that was only given the good ones later is not to blame.
    view = judge({home_at(0, good, 900), home_at(2, {good.begin(), good.begin() + 4}, 2000), stolen});
    EXPECT_EQ(late_members(view), std::vector<std::size_t>{1});
    // What a home took in time is a history of the owner's.
    view = judge({home_at(0, good, 900), home_at(1, thief, 900)});
    EXPECT_EQ(view.branches.size(), 1u);
    EXPECT_TRUE(view.late.empty());
  }
}

TEST_F(Heads, WhatAnotherHomeTookInTimeIsNotLate) {
  auto chain = grow({}, 3);
  recover(seen(chain, 1).heads, 1000);
  auto view = judge({home_at(0, chain, 900), home_at(1, chain, 2000)});
  EXPECT_EQ(believed(view), std::vector<std::uint64_t>{3});
  EXPECT_TRUE(view.late.empty());
  view = judge({home_at(0, chain, 900), home_at(1, grow(chain, 1), 2000)});
  EXPECT_EQ(late_members(view), std::vector<std::size_t>{1});
}

TEST_F(Heads, WhatTheOwnerDistrustsStaysOut) {
  auto chain = grow({}, 6);
  recover(seen(chain, 6).heads);  // as things are: the enemy's state is called good
  EXPECT_EQ(believed(judge({home(0, chain)})), std::vector<std::uint64_t>{6});
  recover(seen(chain, 4).heads, 1, Earlier::distrusted);
  for (const bool with_late : {false, true}) {
    auto view = judge({home(0, chain)}, {}, {}, with_late);
    EXPECT_EQ(believed(view), std::vector<std::uint64_t>{4});
    ASSERT_EQ(view.late.size(), 1u);
    EXPECT_TRUE(view.late[0].distrusted);
  }
  recover(seen(chain, 6).heads);  // no later recovery makes it good again
  EXPECT_EQ(believed(judge({home(0, chain)})), std::vector<std::uint64_t>{4});
  recover(seen(chain, 5).heads, 1, Earlier::distrusted);  // nor one that goes back less far
  EXPECT_EQ(believed(judge({home(0, chain)})), std::vector<std::uint64_t>{4});
  recover(seen(chain, 2).heads, 1, Earlier::distrusted);
  EXPECT_EQ(believed(judge({home(0, chain)})), std::vector<std::uint64_t>{2});
}

TEST_F(Heads, AReceiptInTheSecondOfTheRevocationCountsAsBeforeIt) {
  auto chain = grow({}, 6);
  recover(seen(chain, 3).heads, 400);
  ShownHeads shown = home(0, chain);
  shown.devices[0].received_s = {100, 200, 300, 399, 400, 401};
  auto view = judge({shown});
  EXPECT_EQ(believed(view), std::vector<std::uint64_t>{5});
  EXPECT_EQ(view.late.size(), 1u);
  shown.devices[0].received_s = {100, 200, 300, 401, 401, 401};
  EXPECT_EQ(believed(judge({shown})), std::vector<std::uint64_t>{3});
}

TEST_F(Heads, OnlyWhatAHomeLacksIsSent) {
  auto chain = check_chain(grow({}, 5), root_.vault(), device_.id);
  ASSERT_TRUE(chain);
  EXPECT_EQ(heads_after(*chain, 3).size(), 2u);
  EXPECT_EQ(heads_after(*chain, 5).size(), 0u);
  EXPECT_EQ(heads_after(*chain, 0).size(), 5u);
}

TEST_F(Heads, ChainsWithGapsCompleteEachOther) {
  auto chain = grow({}, 9);
  auto without = [&](std::set<std::size_t> missing) {
    std::vector<Bytes> out;
    for (std::size_t i = 0; i < chain.size(); ++i) {
      if (!missing.contains(i)) out.push_back(chain[i]);
    }
    return out;
  };
  auto view = judge({home(0, without({1, 2, 3})), home(1, without({0, 3, 8}))});
  ASSERT_EQ(view.devices.size(), 1u);
  EXPECT_EQ(view.devices[0].chain.size(), 8u);  // only the fourth is nowhere
  EXPECT_EQ(view.devices[0].members, std::vector<std::size_t>{0});
  auto forged = without({3});
  forged[2].back() ^= std::byte{1};  // the last before the gap: no later signature covers it
  EXPECT_FALSE(check_chain(forged, root_.vault(), device_.id));
}

TEST_F(Heads, AHomeWithDamagedHeadsIsNamedAndDoesNotAgree) {
  auto chain = grow({}, 2);
  auto view = judge({home(0, chain), home(1, {})});
  ASSERT_EQ(view.devices.size(), 1u);
  EXPECT_EQ(view.devices[0].members, std::vector<std::size_t>{0});
  ASSERT_EQ(view.findings.size(), 1u);
  EXPECT_EQ(view.findings[0].kind, dispersal::TroubleKind::damaged);
  EXPECT_EQ(view.findings[0].member, 1u);
}

TEST_F(Heads, AsOfATimeGoesByTheHomesAndNotByTheDevice) {
  auto chain = grow({}, 4);
  ShownHeads first = home(0, chain);
  first.devices[0].received_s = {100, 200, 300, 400};
  ShownHeads late = home(1, chain);
  late.devices[0].received_s = {350, 350, 350, 400};
  auto view = judge({late, first});
  keep_as_of(view, 299);
  ASSERT_EQ(view.devices.size(), 1u);
  EXPECT_EQ(view.devices[0].newest().head.seq, 2u);
  keep_as_of(view, 99);
  EXPECT_TRUE(view.devices.empty());
}

}  // namespace
}  // namespace mhp::vault::impl
