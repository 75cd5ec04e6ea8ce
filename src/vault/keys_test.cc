// Who may read and sign, and who is refused.
#include "vault/keys.h"

#include <gtest/gtest.h>

#include <set>

#include "primitives/aead/box.h"
#include "primitives/hash/blake3.h"
#include "vault/impl/record_contexts.h"
#include "vault/testing/world.h"

namespace mhp::vault {
namespace {

class Keys : public ::testing::Test {
 protected:
  Keys() { primitives::init_sodium(); }

  platform::MemoryPlatform platform_{testing::seed_of_run()};
  platform::Random& random_ = platform_.random();
  Root root_{random_.array<32>()};
  Device device_ = make_device(root_.vault(), random_);
  OpenRecord first_ = make_first_record(root_, device_, content(), random_, 1000);

  static wire::VaultPrivate content() {
    wire::VaultPrivate out;
    out.name = "Ann";
    return out;
  }
  /// `first_` with changes, signed by a key.
  Bytes signed_again(const wire::VaultRecord& record, const primitives::SigningKey& key) {
    return wire::encode(wire::sign(key, wire::kSignVaultRecord, wire::encode(record)));
  }
  Result<OpenRecord> open(const Bytes& bytes, const Device& device) { return join_records({bytes}, device); }
  Result<OpenRecord> open(const Bytes& bytes, const Root& root) { return join_records({bytes}, root); }
  /// As a recovery that sees this record alone.
  OpenRecord recovered(const OpenRecord& from, const Device& device, Earlier earlier = Earlier::shut_out) {
    auto next = recovered_record(from, root_, device, {}, random_, ++now_ns_, earlier);
    EXPECT_TRUE(next) << next.error().detail;
    return next ? *next : from;
  }
  OpenRecord changed(const OpenRecord& from, const Device& device, const std::string& name) {
    wire::VaultPrivate content = from.content;
    content.name = name;
    auto next = next_record(from, device, content, random_, ++now_ns_);
    EXPECT_TRUE(next) << next.error().detail;
    return next ? *next : from;
  }
  OpenRecord with_home(const OpenRecord& from, const Device& device, std::uint8_t number) {
    wire::VaultPrivate content = from.content;
    wire::HomeEntry home;
    home.id = home_id(number);
    home.path = "/" + std::to_string(number);
    content.homes.push_back(home);
    auto next = next_record(from, device, content, random_, ++now_ns_);
    EXPECT_TRUE(next) << next.error().detail;
    return next ? *next : from;
  }
  static HomeId home_id(std::uint8_t number) {
    HomeId::Array bytes{};
    bytes[0] = std::byte{number};
    return HomeId::from_array(bytes);
  }
  static std::set<HomeId> homes(const OpenRecord& record) {
    std::set<HomeId> out;
    for (const auto& home : record.content.homes) out.insert(home.id);
    return out;
  }
  /// What the holder of a device's keys can sign: a newer record of it with other keys.
  OpenRecord forged(const OpenRecord& from, const Device& device) {
    OpenRecord evil = from;
    for (wire::EpochKey& key : evil.keys.epochs) {
      key.data_key = random_.array<32>();
      key.record_key = random_.array<32>();
    }
    evil.keys.dedup_secret = random_.array<32>();
    return changed(evil, device, "evil");
  }
  static std::set<Bytes> records(const OpenRecord& record) {
    std::set<Bytes> out;
    for (const auto& one : record.records) out.insert(one.signed_record);
    return out;
  }
  /// Whether a key is believed, or at least kept.
  static bool has_all_keys(const OpenRecord& record, const wire::VaultKeys& keys) {
    return std::ranges::all_of(keys.epochs, [&](const wire::EpochKey& key) {
      return std::ranges::any_of(keys_of_epoch(record, key.epoch), [&](const auto* one) { return *one == key; });
    });
  }
  std::int64_t now_ns_ = 2000;
};

TEST_F(Keys, AStolenDevicesNewerRecordTakesNoKeyAway) {
  const Device other = make_device(root_.vault(), random_);
  const OpenRecord enrolled = recovered(first_, other, Earlier::keep);
  // Whether or not it has a wrap for the other one.
  auto knowing = join_records({first_.signed_bytes, enrolled.signed_bytes}, device_);
  ASSERT_TRUE(knowing);
  const OpenRecord unknowing_evil = forged(first_, device_);
  const OpenRecord evil = forged(*knowing, device_);
  for (const OpenRecord* one : {&unknowing_evil, &evil}) {
    auto by_other = join_records({first_.signed_bytes, enrolled.signed_bytes, one->signed_bytes}, other);
    ASSERT_TRUE(by_other) << by_other.error().detail;
    EXPECT_EQ(by_other->keys, enrolled.keys);
    EXPECT_TRUE(records(*by_other) == (std::set<Bytes>{first_.signed_bytes, enrolled.signed_bytes}));
    EXPECT_EQ(by_other->refused.size(), one == &evil ? 1u : 0u);
  }
  const std::vector<Bytes> seen{first_.signed_bytes, enrolled.signed_bytes, evil.signed_bytes};
  // The thief has one voice: another device's word and his own earlier one are against him.
  auto by_phrase = join_records(seen, root_);
  ASSERT_TRUE(by_phrase) << by_phrase.error().detail;
  EXPECT_EQ(by_phrase->keys.epochs[0], enrolled.keys.epochs[0]);
  EXPECT_EQ(by_phrase->keys.dedup_secret, enrolled.keys.dedup_secret);
  EXPECT_TRUE(has_all_keys(*by_phrase, enrolled.keys));  // one says so and one not: what was sealed will show
  // Of the evil record and that of another device alone too.
  by_phrase = join_records({evil.signed_bytes, enrolled.signed_bytes}, root_);
  ASSERT_TRUE(by_phrase);
  EXPECT_TRUE(has_all_keys(*by_phrase, enrolled.keys));
}

TEST_F(Keys, OfOneDeviceAloneEveryKeyIsKept) {
  const OpenRecord evil = forged(forged(first_, device_), device_);
  auto joined = join_records({evil.signed_bytes, first_.signed_bytes}, root_);
  ASSERT_TRUE(joined) << joined.error().detail;
  for (const OpenRecord* one : {static_cast<const OpenRecord*>(&first_), &evil}) {
    EXPECT_TRUE(has_all_keys(*joined, one->keys));
    EXPECT_TRUE(is_id_of(*joined, ChunkId::from_array(primitives::blake3_keyed(one->keys.dedup_secret, {})), {}));
  }
  // What is not decided is carried along by who recovers, and by all its later records.
  const Device fresh = make_device(root_.vault(), random_);
  OpenRecord next = recovered(*joined, fresh);
  for (int i = 0; i < 2; ++i) {
    auto alone = open(next.signed_bytes, fresh);
    ASSERT_TRUE(alone) << alone.error().detail;
    EXPECT_FALSE(alone->is_due);
    EXPECT_EQ(alone->keys, next.keys);
    EXPECT_EQ(alone->others.epochs.size(), 1u);
    EXPECT_TRUE(has_all_keys(*alone, first_.keys) && has_all_keys(*alone, evil.keys));
    next = changed(*alone, fresh, "later");
  }
}

TEST_F(Keys, ADeviceKnowsItsOwnWrapsAgain) {
  const OpenRecord second = changed(first_, device_, "Bea");
  EXPECT_FALSE(open(second.signed_bytes, device_)->is_due);
  EXPECT_FALSE(join_records({second.signed_bytes, second.signed_bytes}, device_)->is_due) << "from two homes";
  wire::VaultRecord evil = second.record;
  evil.wraps.front() = forged(first_, device_).record.wraps.front();
  ASSERT_TRUE(evil.wraps.front().for_recovery);
  const Bytes bytes = signed_again(evil, device_.signing);
  auto own = open(bytes, device_);
  ASSERT_TRUE(own) << own.error().detail;
  EXPECT_EQ(own->keys, first_.keys);
  EXPECT_TRUE(own->is_due);
  const OpenRecord next = changed(*own, device_, "Cleo");
  EXPECT_FALSE(open(next.signed_bytes, device_)->is_due);
  EXPECT_EQ(open(next.signed_bytes, root_)->keys, first_.keys);
}

TEST_F(Keys, ManyClaimsFillNoRecord) {
  std::vector<Bytes> seen{first_.signed_bytes};
  OpenRecord evil = first_;
  for (int i = 0; i < 40; ++i) {
    evil = forged(evil, device_);
    seen.push_back(evil.signed_bytes);
  }
  auto joined = join_records(seen, root_);
  ASSERT_TRUE(joined);
  EXPECT_EQ(joined->others.epochs.size(), 40u);
  const Device fresh = make_device(root_.vault(), random_);
  const OpenRecord next = recovered(*joined, fresh);
  EXPECT_LE(next.record.wraps.size(), 2 * (1 + kMaxCarriedKeys));
  EXPECT_TRUE(open(next.signed_bytes, fresh));
}

/// Numbers that nobody ever wrote with, some of them the highest there are.
TEST_F(Keys, HoweverManyEpochsADeviceClaimsOneCanRecoverAndWrite) {
  const Device other = make_device(root_.vault(), random_);
  const OpenRecord enrolled = recovered(first_, other, Earlier::keep);
  std::vector<Bytes> seen{first_.signed_bytes, enrolled.signed_bytes};
  OpenRecord evil = first_;
  for (std::uint32_t record = 0; record < 3; ++record) {
    evil.keys.epochs = first_.keys.epochs;
    for (std::uint32_t i = 1; i < wire::kMaxEpochs; ++i) {
      const std::uint32_t number = i % 2 == 0 ? 10 + 1000 * record + i : ~0u - 1000 * record - i + 1;
      evil.keys.epochs.push_back({.epoch = number, .data_key = random_.array<32>(), .record_key = {}});
    }
    std::ranges::sort(evil.keys.epochs, {}, &wire::EpochKey::epoch);
    evil = changed(evil, device_, "evil");
    seen.push_back(evil.signed_bytes);
  }
  auto by_other = join_records(seen, other);
  ASSERT_TRUE(by_other) << by_other.error().detail;
  EXPECT_LE(by_other->keys.epochs.size(), wire::kMaxEpochs);
  EXPECT_TRUE(has_all_keys(*by_other, enrolled.keys));
  const OpenRecord own = changed(*by_other, other, "goes on");
  EXPECT_TRUE(has_all_keys(*open(own.signed_bytes, root_), enrolled.keys));

  auto by_phrase = join_records(seen, root_);
  ASSERT_TRUE(by_phrase) << by_phrase.error().detail;
  EXPECT_TRUE(std::ranges::includes(by_phrase->keys.epochs, enrolled.keys.epochs, {}, &wire::EpochKey::epoch,
                                    &wire::EpochKey::epoch));
  const Device fresh = make_device(root_.vault(), random_);
  const OpenRecord next = recovered(*by_phrase, fresh);
  auto reopened = open(next.signed_bytes, fresh);
  ASSERT_TRUE(reopened) << reopened.error().detail;
  EXPECT_TRUE(has_all_keys(*reopened, enrolled.keys));
  EXPECT_EQ(writing_key(*reopened), writing_key(next));
  EXPECT_FALSE(reopened->is_due);
}

TEST_F(Keys, RecoveriesBeyondWhatOneRecordHasRoomForLoseNoKey) {
  OpenRecord last = first_;
  wire::VaultKeys all = first_.keys;
  Device device = device_;
  for (unsigned i = 0; i < wire::kMaxEpochs + 3; ++i) {
    device = make_device(root_.vault(), random_);
    last.record.devices.clear();  // what a few hundred certificates need is not what is looked at
    last.record.revocations.clear();
    last = recovered(last, device);
    all.epochs.push_back(writing_key(last));
  }
  auto opened = open(last.signed_bytes, root_);
  ASSERT_TRUE(opened) << opened.error().detail;
  EXPECT_TRUE(has_all_keys(*opened, all));
  const OpenRecord next = changed(*open(last.signed_bytes, device), device, "Cleo");
  EXPECT_TRUE(has_all_keys(*open(next.signed_bytes, root_), all));
}

TEST_F(Keys, ARecordThatGivesFewerKeysReplacesNone) {
  const Device other = make_device(root_.vault(), random_);
  const Device third = make_device(root_.vault(), random_);
  const OpenRecord a = recovered(first_, other, Earlier::keep);
  const OpenRecord b = recovered(a, third, Earlier::keep);
  OpenRecord fewer = b;
  fewer.keys.epochs.erase(fewer.keys.epochs.begin());
  fewer = changed(fewer, third, "fewer");
  auto joined = join_records({a.signed_bytes, b.signed_bytes, fewer.signed_bytes}, other);
  ASSERT_TRUE(joined) << joined.error().detail;
  EXPECT_TRUE(records(*joined).contains(b.signed_bytes));
  EXPECT_EQ(joined->refused, std::vector<RecordHash>{fewer.hash});
  // An honest newer one does.
  const OpenRecord newer = changed(b, third, "newer");
  joined = join_records({a.signed_bytes, b.signed_bytes, newer.signed_bytes}, other);
  EXPECT_TRUE(records(*joined).contains(newer.signed_bytes));
  EXPECT_TRUE(joined->refused.empty());
}

TEST_F(Keys, WhatOthersRecordsGiveIsTakenIntoTheOwnOne) {
  const Device other = make_device(root_.vault(), random_);
  const OpenRecord enrolled = recovered(first_, other, Earlier::keep);
  auto joined = join_records({first_.signed_bytes, enrolled.signed_bytes}, device_);
  ASSERT_TRUE(joined);
  EXPECT_TRUE(joined->is_due);  // the epoch of the recovery is in the other's record alone
  const OpenRecord next = changed(*joined, device_, "Bea");
  auto again = join_records({next.signed_bytes, enrolled.signed_bytes}, device_);
  ASSERT_TRUE(again);
  EXPECT_FALSE(again->is_due);
  EXPECT_EQ(open(next.signed_bytes, root_)->keys.epochs.size(), 2u);
}

TEST_F(Keys, WhatCameAfterADateTakesNoHomeAway) {
  const OpenRecord before = with_home(first_, device_, 1);
  wire::VaultPrivate content = before.content;
  content.homes.clear();
  auto removed = next_record(before, device_, content, random_, ++now_ns_);
  ASSERT_TRUE(removed);
  const OpenRecord after = with_home(*removed, device_, 2);
  const std::vector<Bytes> seen{before.signed_bytes, removed->signed_bytes, after.signed_bytes};
  EXPECT_EQ(homes(*join_records(seen, root_)), std::set<HomeId>{home_id(2)});
  EXPECT_EQ(homes(*join_records(seen, root_, {removed->hash, after.hash})), (std::set<HomeId>{home_id(1), home_id(2)}));
  EXPECT_EQ(homes(*join_records(seen, root_, {before.hash, removed->hash, after.hash})), std::set<HomeId>{home_id(2)});
}

TEST_F(Keys, TwoRecordsOfOneVersionAreBothRead) {
  const OpenRecord a = with_home(first_, device_, 1);
  const OpenRecord b = with_home(first_, device_, 2);
  ASSERT_EQ(a.record.version, b.record.version);
  const std::set<HomeId> both{home_id(1), home_id(2)};
  EXPECT_EQ(homes(*join_records({a.signed_bytes, b.signed_bytes}, root_)), both);
  auto own = join_records({b.signed_bytes, a.signed_bytes}, device_);
  ASSERT_TRUE(own);
  EXPECT_EQ(homes(*own), both);
  EXPECT_TRUE(own->is_due);
  const OpenRecord next = changed(*own, device_, "Bea");
  EXPECT_EQ(next.record.version, a.record.version + 1);
  EXPECT_EQ(homes(*open(next.signed_bytes, root_)), both);
  EXPECT_FALSE(join_records({a.signed_bytes, b.signed_bytes, next.signed_bytes}, device_)->is_due);
}

TEST_F(Keys, HomesOfAComputerThatIsShutOutAreNamedNotListed) {
  const OpenRecord before = with_home(first_, device_, 1);
  const Device fresh = make_device(root_.vault(), random_);
  const OpenRecord added = with_home(before, device_, 2);
  const OpenRecord found = recovered(before, fresh);  // has not seen that
  const OpenRecord after = with_home(added, device_, 3);
  for (const bool is_phrase : {false, true}) {
    const std::vector<Bytes> seen{after.signed_bytes, added.signed_bytes, found.signed_bytes};
    auto joined = is_phrase ? join_records(seen, root_) : join_records(seen, fresh);
    ASSERT_TRUE(joined) << joined.error().detail;
    EXPECT_EQ(homes(*joined), std::set<HomeId>{home_id(1)});
    ASSERT_EQ(joined->former_homes.size(), 1u);
    EXPECT_EQ(joined->former_homes[0].id, home_id(2));
  }
  // A home that was taken off the list is none of them.
  const OpenRecord with = with_home(found, fresh, 2);
  wire::VaultPrivate content = with.content;
  std::erase_if(content.homes, [](const auto& home) { return home.id == home_id(2); });
  auto without = next_record(with, fresh, content, random_, ++now_ns_);
  ASSERT_TRUE(without);
  EXPECT_TRUE(join_records({added.signed_bytes, without->signed_bytes}, fresh)->former_homes.empty());
}

TEST_F(Keys, WhereAllAreShutOutTheNewestWordOfEachCounts) {
  const Device other = make_device(root_.vault(), random_);
  const OpenRecord enrolled = recovered(first_, other, Earlier::keep);
  const OpenRecord a = with_home(first_, device_, 1);
  const OpenRecord b = with_home(enrolled, other, 2);
  auto phrase = join_records({a.signed_bytes, b.signed_bytes}, root_);
  ASSERT_TRUE(phrase);
  // Of the record of who shut them out nothing opens.
  const Device last = make_device(root_.vault(), random_);
  wire::VaultRecord closed = recovered(*phrase, last).record;
  closed.wraps.clear();
  closed.sealed_private = Bytes(64);
  auto joined = join_records({a.signed_bytes, b.signed_bytes, signed_again(closed, last.signing)}, root_);
  ASSERT_TRUE(joined) << joined.error().detail;
  EXPECT_EQ(homes(*joined), (std::set<HomeId>{home_id(1), home_id(2)}));
}

TEST_F(Keys, ASecondHistoryOfADeviceThatIsShutOutIsCalledGoodToo) {
  auto head = [&](std::uint64_t seq) {
    return wire::SeenHead{.device = device_.id, .seq = seq, .hash = HeadHash::from_array(random_.array<32>())};
  };
  const wire::SeenHead good = head(7);
  auto once = recovered_record(first_, root_, make_device(root_.vault(), random_), {good}, random_, 2000);
  ASSERT_TRUE(once);
  for (const std::uint64_t seq : {7u, 5u, 9u}) {
    auto twice = recovered_record(*once, root_, make_device(root_.vault(), random_), {good, head(seq)}, random_, 5000);
    ASSERT_TRUE(twice);
    const auto revoked = revocations_of(twice->record);
    EXPECT_EQ(std::ranges::count(revoked, device_.id, &wire::Revocation::device), 2) << seq;
  }
  // A home that is only behind shows no other history.
  auto behind = recovered_record(*once, root_, make_device(root_.vault(), random_), {head(5)}, random_, 5000);
  ASSERT_TRUE(behind);
  EXPECT_EQ(std::ranges::count(revocations_of(behind->record), device_.id, &wire::Revocation::device), 1);
}

TEST_F(Keys, PhraseGivesTheSameKeysAlways) {
  primitives::Key entropy{};
  Root root(entropy);
  EXPECT_EQ(to_hex(root.identity().public_key()), to_hex(Root(entropy).identity().public_key()));
  EXPECT_EQ(root.vault(), vault_id_of(root.identity().public_key()));
  entropy[31] = std::byte{1};
  EXPECT_NE(Root(entropy).vault(), root.vault());
}

TEST_F(Keys, DeviceAndPhraseOpenTheRecord) {
  auto by_device = open(first_.signed_bytes, device_);
  auto by_phrase = open(first_.signed_bytes, root_);
  ASSERT_TRUE(by_device && by_phrase);
  EXPECT_EQ(by_device->content.name, "Ann");
  EXPECT_EQ(by_device->keys, first_.keys);
  EXPECT_EQ(by_phrase->keys, first_.keys);
  EXPECT_EQ(by_device->hash, first_.hash);
  EXPECT_EQ(by_phrase->record.version, 0u);  // who recovers has none of its own yet
}

TEST_F(Keys, AnotherPhraseOrDeviceIsRefused) {
  Root other(random_.array<32>());
  auto by_phrase = open(first_.signed_bytes, other);
  ASSERT_FALSE(by_phrase);
  EXPECT_EQ(by_phrase.error().code, Errc::denied);
  auto by_device = open(first_.signed_bytes, make_device(root_.vault(), random_));
  ASSERT_FALSE(by_device);
  EXPECT_EQ(by_device.error().code, Errc::corrupt);  // it has no record of its own
}

TEST_F(Keys, EveryFlippedByteIsNoticed) {
  for (std::size_t at = 0; at < first_.signed_bytes.size(); at += 7) {
    Bytes bytes = first_.signed_bytes;
    bytes[at] ^= std::byte{1};
    auto opened = open(bytes, device_);
    EXPECT_FALSE(opened && opened->hash == first_.hash) << at;
    if (opened) EXPECT_EQ(opened->record, first_.record) << at;  // at most the envelope's own coding differs
  }
}

TEST_F(Keys, AWrapForAStrangerIsRefused) {
  Device stranger = make_device(root_.vault(), random_);
  wire::VaultRecord record = first_.record;
  wire::KeyWrap wrap = record.wraps.back();
  wrap.recipient = primitives::x25519_public(stranger.secret.x25519_secret);
  record.wraps.push_back(wrap);
  auto checked = check_record(signed_again(record, device_.signing), root_.vault());
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, Errc::denied);
}

TEST_F(Keys, AnotherRecoveryKeyIsNoticedByThePhrase) {
  wire::VaultRecord record = first_.record;
  Device stranger = make_device(root_.vault(), random_);
  record.recovery_x25519 = primitives::x25519_public(stranger.secret.x25519_secret);
  record.wraps.erase(record.wraps.begin());
  EXPECT_FALSE(open(signed_again(record, device_.signing), root_));
  // Of two devices one lies: the other's record is enough, and what the liar would have the keys sealed to is not used.
  const OpenRecord good = recovered(first_, stranger, Earlier::keep);
  record.version = 7;
  auto both = join_records({signed_again(record, device_.signing), good.signed_bytes}, root_);
  ASSERT_TRUE(both) << both.error().detail;
  EXPECT_EQ(both->record.recovery_x25519, root_.recovery_public());
}

TEST_F(Keys, AWrapServesOneRoleEpochAndVaultOnly) {
  wire::VaultRecord record = first_.record;
  for (wire::KeyWrap& wrap : record.wraps) ++wrap.epoch;
  EXPECT_FALSE(open(signed_again(record, device_.signing), device_));
  record = first_.record;
  for (wire::KeyWrap& wrap : record.wraps) wrap.for_recovery = !wrap.for_recovery;
  EXPECT_FALSE(open(signed_again(record, device_.signing), device_));
  EXPECT_FALSE(open(signed_again(record, device_.signing), root_));
}

TEST_F(Keys, OfSeveralWrapsTheNewestThatOpensCounts) {
  Device other = make_device(root_.vault(), random_);
  wire::VaultRecord record = recovered(first_, other, Earlier::keep).record;
  record.wraps.insert(record.wraps.begin(), first_.record.wraps.begin(), first_.record.wraps.end());
  EXPECT_EQ(open(signed_again(record, other.signing), root_)->keys.epochs.size(), 2u);
  wire::KeyWrap broken = record.wraps[0];
  broken.epoch = ~0u;
  record.wraps.push_back(broken);
  EXPECT_EQ(open(signed_again(record, other.signing), root_)->keys.epochs.size(), 2u);
}

TEST_F(Keys, TwoRecoveriesThatDoNotSeeEachOtherComeTogether) {
  const Device one = make_device(root_.vault(), random_);
  const Device two = make_device(root_.vault(), random_);
  const OpenRecord a = recovered(first_, one);
  const OpenRecord b = recovered(first_, two);
  EXPECT_NE(a.epoch, b.epoch);
  for (const OpenRecord& record : {a, b}) {
    EXPECT_GT(record.epoch, 1u);
    EXPECT_LE(record.epoch, 1u + wire::kMaxEpochStep);
  }
  const std::vector<Bytes> all{first_.signed_bytes, a.signed_bytes, b.signed_bytes};
  // Each has the other's certificate and revocation, and not its keys.
  auto seen_by_one = join_records(all, one);
  ASSERT_TRUE(seen_by_one) << seen_by_one.error().detail;
  EXPECT_EQ(seen_by_one->keys.epochs.size(), 2u);
  EXPECT_EQ(seen_by_one->epoch, a.epoch);
  EXPECT_EQ(devices_of(seen_by_one->record).size(), 3u);
  EXPECT_EQ(revocations_of(seen_by_one->record).size(), 2u);
  EXPECT_EQ(seen_by_one->records.size(), 2u);  // the first device is shut out: nobody is given its record
  // The phrase has all keys, and who recovers then too.
  auto phrase = join_records(all, root_);
  ASSERT_TRUE(phrase) << phrase.error().detail;
  EXPECT_EQ(phrase->keys.epochs.size(), 3u);
  const Device three = make_device(root_.vault(), random_);
  const OpenRecord c = recovered(*phrase, three);
  EXPECT_EQ(c.keys.epochs.size(), 4u);
  EXPECT_EQ(open(c.signed_bytes, three)->keys.epochs.size(), 4u);
  EXPECT_GT(c.epoch, std::max(a.epoch, b.epoch));
}

TEST_F(Keys, KeysOfADeviceThatWasShutOutUnreadAreReadLater) {
  const Device one = make_device(root_.vault(), random_);
  const Device two = make_device(root_.vault(), random_);
  const OpenRecord a = recovered(first_, one);
  const OpenRecord b = recovered(first_, two);
  // Two has seen the certificate of one; a third recovery sees only what two wrote then.
  auto by_two = join_records({b.signed_bytes, a.signed_bytes}, two);
  ASSERT_TRUE(by_two);
  const OpenRecord later = changed(*by_two, two, "Bea");
  auto found = open(later.signed_bytes, root_);
  ASSERT_TRUE(found);
  const OpenRecord c = recovered(*found, make_device(root_.vault(), random_));
  ASSERT_NE(highest_of(revocations_of(c.record), one.id), nullptr);
  auto all = join_records({c.signed_bytes, a.signed_bytes}, root_);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->epoch, c.epoch);
  EXPECT_TRUE(std::ranges::any_of(all->keys.epochs, [&](const auto& key) { return key.epoch == a.epoch; }));
}

TEST_F(Keys, WhoIsShutOutDoesNotSayWithWhichKeyOthersWrite) {
  OpenRecord evil = first_;
  evil.epoch = ~0u;
  evil.keys.epochs.push_back({.epoch = ~0u, .data_key = random_.array<32>(), .record_key = random_.array<32>()});
  evil = changed(evil, device_, "mine");
  auto found = open(evil.signed_bytes, root_);
  ASSERT_TRUE(found) << found.error().detail;
  const Device fresh = make_device(root_.vault(), random_);
  const OpenRecord next = recovered(*found, fresh);
  EXPECT_LT(next.epoch, ~0u);
  auto after = join_records({evil.signed_bytes, next.signed_bytes}, fresh);
  ASSERT_TRUE(after);
  EXPECT_EQ(after->epoch, next.epoch);
}

TEST_F(Keys, ChangesOfTwoDevicesAreJoined) {
  const Device other = make_device(root_.vault(), random_);
  const OpenRecord base = with_home(first_, device_, 1);
  const OpenRecord enrolled = recovered(base, other, Earlier::keep);
  auto as_first = join_records({base.signed_bytes, enrolled.signed_bytes}, device_);
  ASSERT_TRUE(as_first) << as_first.error().detail;
  EXPECT_EQ(as_first->epoch, enrolled.epoch);
  // Each adds a home without the other's knowledge, one takes the first off the list and the other renames the vault.
  const OpenRecord a = with_home(*as_first, device_, 2);
  OpenRecord b = with_home(enrolled, other, 3);
  wire::VaultPrivate without = b.content;
  std::erase_if(without.homes, [](const auto& home) { return home.id == home_id(1); });
  auto removed = next_record(b, other, without, random_, ++now_ns_);
  ASSERT_TRUE(removed);
  const OpenRecord named = changed(a, device_, "Bea");
  for (const Device* device : {static_cast<const Device*>(&device_), &other}) {
    auto joined = join_records({named.signed_bytes, removed->signed_bytes}, *device);
    ASSERT_TRUE(joined) << joined.error().detail;
    EXPECT_EQ(homes(*joined), (std::set<HomeId>{home_id(2), home_id(3)}));
    EXPECT_EQ(joined->content.name, "Bea");
    ASSERT_EQ(joined->content.removed.size(), 1u);
    // What was removed can be added again, and that is the newest word.
    const OpenRecord again = with_home(*joined, *device, 1);
    auto last = join_records({named.signed_bytes, removed->signed_bytes, again.signed_bytes}, *device);
    ASSERT_TRUE(last);
    EXPECT_TRUE(homes(*last).contains(home_id(1)));
    EXPECT_TRUE(last->content.removed.empty());
  }
}

TEST_F(Keys, CloudsOfTwoDevicesAreJoined) {
  const auto cloud = [](std::uint8_t number) { return CloudId::from_bytes(home_id(number).bytes()); };
  const auto with_clouds = [&](const OpenRecord& from, const Device& device, std::vector<wire::Membership> clouds) {
    wire::VaultPrivate content = from.content;
    content.clouds = std::move(clouds);
    auto next = next_record(from, device, content, random_, ++now_ns_);
    EXPECT_TRUE(next) << next.error().detail;
    return next ? *next : from;
  };
  const wire::Membership one{.cloud = cloud(1), .member_secret = random_.array<32>(), .name = "Ann", .later = ""};
  const wire::Membership two{.cloud = cloud(2), .member_secret = random_.array<32>(), .name = "A. Berg", .later = ""};
  const Device other = make_device(root_.vault(), random_);
  const OpenRecord base = with_clouds(first_, device_, {one});
  const OpenRecord enrolled = recovered(base, other, Earlier::keep);
  EXPECT_EQ(open(enrolled.signed_bytes, root_)->content.clouds[0].member_secret, one.member_secret);
  // One leaves the cloud, the other joins a second one without the other's knowledge.
  auto as_first = join_records({base.signed_bytes, enrolled.signed_bytes}, device_);
  ASSERT_TRUE(as_first);
  const OpenRecord left = with_clouds(*as_first, device_, {});
  const OpenRecord joins = with_clouds(enrolled, other, {enrolled.content.clouds[0], two});
  EXPECT_EQ(joins.content.clouds[0].changed_ns, base.content.clouds[0].changed_ns);
  auto joined = join_records({left.signed_bytes, joins.signed_bytes}, other);
  ASSERT_TRUE(joined) << joined.error().detail;
  ASSERT_EQ(joined->content.clouds.size(), 1u);
  EXPECT_EQ(joined->content.clouds[0].member_secret, two.member_secret);
  ASSERT_EQ(joined->content.left_clouds.size(), 1u);
  EXPECT_EQ(joined->content.left_clouds[0].cloud, one.cloud);
  // Who joins again is in again.
  const OpenRecord again = with_clouds(*joined, other, {joined->content.clouds[0], one});
  auto last = join_records({left.signed_bytes, again.signed_bytes}, device_);
  ASSERT_TRUE(last);
  EXPECT_EQ(last->content.clouds.size(), 2u);
  EXPECT_TRUE(last->content.left_clouds.empty());
}

TEST_F(Keys, WhatIsRememberedAsGoneKeepsWithinTheFormat) {
  OpenRecord full = first_;
  for (unsigned i = 0; i < wire::kMaxRemovedHomes; ++i)
    full.content.removed.push_back({.id = HomeId::from_array(random_.array<32>()), .changed_ns = i});
  wire::VaultPrivate content = full.content;
  content.clouds.assign(wire::kMaxClouds, {});
  for (auto& cloud : content.clouds) cloud.cloud = CloudId::from_array(random_.array<32>());
  const auto next = next_record(full, device_, content, random_, ++now_ns_);
  ASSERT_TRUE(next) << next.error().detail;
  EXPECT_EQ(next->content.removed.size(), wire::kMaxRemovedHomes - wire::kMaxClouds);
  EXPECT_EQ(next->content.removed[0].changed_ns, wire::kMaxRemovedHomes - 1);
  content.clouds.resize(wire::kMaxClouds + 1);
  EXPECT_FALSE(next_record(full, device_, content, random_, ++now_ns_));
}

TEST_F(Keys, ADeviceThatWasNotKnownYetIsReadAllTheSame) {
  // The first device changes its list before it has heard of the second: keys are not wrapped for that one, which has
  // them from its own record.
  const Device other = make_device(root_.vault(), random_);
  const OpenRecord enrolled = recovered(first_, other, Earlier::keep);
  const OpenRecord a = with_home(first_, device_, 9);
  auto joined = join_records({enrolled.signed_bytes, a.signed_bytes}, other);
  ASSERT_TRUE(joined) << joined.error().detail;
  EXPECT_EQ(homes(*joined), std::set<HomeId>{home_id(9)});
  EXPECT_EQ(joined->epoch, enrolled.epoch);
}

TEST_F(Keys, ALaterChangeWinsWhateverTheClocks) {
  const OpenRecord in_future = [&] {
    now_ns_ = 1'000'000'000'000;
    return with_home(first_, device_, 1);
  }();
  now_ns_ = 5000;
  wire::VaultPrivate content = in_future.content;
  content.homes[0].name = "renamed";
  auto next = next_record(in_future, device_, content, random_, now_ns_);
  ASSERT_TRUE(next);
  EXPECT_GT(next->content.homes[0].changed_ns, in_future.content.homes[0].changed_ns);
}

TEST_F(Keys, NoRecordIsMadeThatNobodyCouldRead) {
  OpenRecord full = first_;
  full.record.devices.resize(wire::kMaxDevices, full.record.devices.front());
  auto next = recovered_record(full, root_, make_device(root_.vault(), random_), {}, random_, 2000, Earlier::keep);
  ASSERT_FALSE(next);
  EXPECT_NE(next.error().detail.find("too many devices"), std::string::npos) << next.error().detail;
}

TEST_F(Keys, AnothersSignatureIsRefused) {
  Device stranger = make_device(root_.vault(), random_);
  for (const primitives::SigningKey& key : {stranger.signing, root_.identity()}) {
    auto checked = check_record(signed_again(first_.record, key), root_.vault());
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, Errc::denied);
  }
  wire::VaultRecord other = first_.record;
  other.device = stranger.id;
  EXPECT_EQ(check_record(signed_again(other, stranger.signing), root_.vault()).error().code, Errc::denied);
}

TEST_F(Keys, ADeviceSignsTheNextRecord) {
  wire::VaultPrivate changed = content();
  changed.name = "Bea";
  auto next = next_record(first_, device_, changed, random_, 2000);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->record.version, 2u);
  EXPECT_EQ(open(next->signed_bytes, device_)->content.name, "Bea");
  EXPECT_EQ(open(next->signed_bytes, root_)->content.name, "Bea");
  EXPECT_FALSE(next_record(first_, make_device(root_.vault(), random_), changed, random_, 2000));
}

TEST_F(Keys, ALaterGoodHeadDoesNotMakeGoodWhatHomesTookSinceTheDeviceWasShutOut) {
  const auto good_up_to = [&](std::uint64_t seq) {
    return std::vector<wire::SeenHead>{
        {.device = device_.id, .seq = seq, .hash = HeadHash::from_array(random_.array<32>())}};
  };
  auto once = recovered_record(first_, root_, make_device(root_.vault(), random_), good_up_to(7), random_, 2000);
  ASSERT_TRUE(once);
  auto twice = recovered_record(*once, root_, make_device(root_.vault(), random_), good_up_to(9), random_, 5000);
  ASSERT_TRUE(twice);
  const auto revoked = revocations_of(twice->record);
  const wire::Revocation* highest = highest_of(revoked, device_.id);
  ASSERT_NE(highest, nullptr);
  EXPECT_EQ(highest->last_good_seq, 9u);
  EXPECT_EQ(highest->time_ns, 2000);
}

TEST_F(Keys, RecoveryRevokesEarlierDevicesAndStartsAnEpoch) {
  Device fresh = make_device(root_.vault(), random_);
  std::vector<wire::SeenHead> heads{
      {.device = device_.id, .seq = 7, .hash = HeadHash::from_array(random_.array<32>())}};
  auto next = recovered_record(first_, root_, fresh, heads, random_, 2000);
  ASSERT_TRUE(next);
  auto revoked = revocations_of(next->record);
  ASSERT_EQ(revoked.size(), 1u);
  EXPECT_EQ(revoked[0].device, device_.id);
  EXPECT_EQ(revoked[0].last_good_seq, 7u);
  EXPECT_EQ(revoked[0].last_good, heads[0].hash);
  EXPECT_EQ(next->keys.epochs.size(), 2u);
  EXPECT_EQ(next->keys.dedup_secret, first_.keys.dedup_secret);
  EXPECT_TRUE(open(next->signed_bytes, fresh));
  EXPECT_TRUE(open(next->signed_bytes, root_));
  auto lost = join_records({first_.signed_bytes, next->signed_bytes}, device_);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Errc::denied);
  for (const wire::KeyWrap& wrap : next->record.wraps)
    EXPECT_NE(wrap.recipient, primitives::x25519_public(device_.secret.x25519_secret));
  // What it knew of old opens neither new segments nor new lists of homes.
  EXPECT_NE(next->keys.epochs[1].data_key, first_.keys.epochs[0].data_key);
  EXPECT_NE(next->keys.epochs[1].record_key, first_.keys.epochs[0].record_key);
  Bytes context = impl::private_context(next->record);
  EXPECT_TRUE(primitives::open_box(next->keys.epochs[1].record_key, context, next->record.sealed_private));
  EXPECT_FALSE(primitives::open_box(first_.keys.epochs[0].record_key, context, next->record.sealed_private));
  // What the lost device signs from now on is not believed.
  wire::VaultRecord forged = next->record;
  forged.device = device_.id;
  EXPECT_FALSE(check_record(signed_again(forged, device_.signing), root_.vault()));
  auto stale = next_record(first_, device_, content(), random_, 3000);
  ASSERT_TRUE(stale);
  auto joined = join_records({next->signed_bytes, stale->signed_bytes}, fresh);
  ASSERT_TRUE(joined);
  EXPECT_EQ(joined->records.size(), 1u);
}

}  // namespace
}  // namespace mhp::vault
