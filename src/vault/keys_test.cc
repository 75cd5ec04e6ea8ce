// Who may read and sign, and who is refused.
#include "vault/keys.h"

#include <gtest/gtest.h>

#include "primitives/aead/box.h"
#include "primitives/hash/blake3.h"
#include "vault/impl/context.h"
#include "vault/impl/home_calls.h"
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
};

TEST_F(Keys, PhraseGivesTheSameKeysAlways) {
  primitives::Key entropy{};
  Root root(entropy);
  EXPECT_EQ(to_hex(root.identity().public_key()), to_hex(Root(entropy).identity().public_key()));
  EXPECT_EQ(root.vault(), vault_id_of(root.identity().public_key()));
  entropy[31] = std::byte{1};
  EXPECT_NE(Root(entropy).vault(), root.vault());
}

TEST_F(Keys, DeviceAndPhraseOpenTheRecord) {
  auto by_device = open_record(first_.signed_bytes, device_);
  auto by_phrase = open_record(first_.signed_bytes, root_);
  ASSERT_TRUE(by_device && by_phrase);
  EXPECT_EQ(by_device->content.name, "Ann");
  EXPECT_EQ(by_device->keys, first_.keys);
  EXPECT_EQ(by_phrase->keys, first_.keys);
  EXPECT_EQ(by_phrase->hash, first_.hash);
}

TEST_F(Keys, AnotherPhraseOrDeviceIsRefused) {
  Root other(random_.array<32>());
  auto by_phrase = open_record(first_.signed_bytes, other);
  ASSERT_FALSE(by_phrase);
  EXPECT_EQ(by_phrase.error().code, Errc::denied);
  auto by_device = open_record(first_.signed_bytes, make_device(root_.vault(), random_));
  ASSERT_FALSE(by_device);
  EXPECT_EQ(by_device.error().code, Errc::denied);
}

TEST_F(Keys, EveryFlippedByteIsNoticed) {
  for (std::size_t at = 0; at < first_.signed_bytes.size(); at += 7) {
    Bytes bytes = first_.signed_bytes;
    bytes[at] ^= std::byte{1};
    auto opened = open_record(bytes, device_);
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
  for (const primitives::SigningKey& key : {root_.identity(), device_.signing}) {
    auto checked = check_record(signed_again(record, key), root_.vault(), {});
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, Errc::denied);
  }
}

TEST_F(Keys, AnotherRecoveryKeyIsNoticedByThePhrase) {
  wire::VaultRecord record = first_.record;
  Device stranger = make_device(root_.vault(), random_);
  record.recovery_x25519 = primitives::x25519_public(stranger.secret.x25519_secret);
  EXPECT_FALSE(open_record(signed_again(record, device_.signing), root_));
}

TEST_F(Keys, AWrapServesOneRoleEpochAndVaultOnly) {
  wire::VaultRecord record = first_.record;
  for (wire::KeyWrap& wrap : record.wraps) ++wrap.epoch;
  EXPECT_FALSE(open_record(signed_again(record, root_.identity()), device_));
  record = first_.record;
  for (wire::KeyWrap& wrap : record.wraps) wrap.for_recovery = !wrap.for_recovery;
  EXPECT_FALSE(open_record(signed_again(record, root_.identity()), device_));
  EXPECT_FALSE(open_record(signed_again(record, root_.identity()), root_));
}

TEST_F(Keys, OfSeveralWrapsTheNewestThatOpensCounts) {
  auto next = recovered_record(first_, root_, make_device(root_.vault(), random_), {}, random_, 2000, Earlier::keep);
  ASSERT_TRUE(next) << next.error().detail;
  wire::VaultRecord record = next->record;
  record.wraps.insert(record.wraps.begin(), first_.record.wraps.begin(), first_.record.wraps.end());
  EXPECT_EQ(open_record(signed_again(record, root_.identity()), device_)->keys.epochs.size(), 2u);
  EXPECT_EQ(open_record(signed_again(record, root_.identity()), root_)->keys.epochs.size(), 2u);
  wire::KeyWrap broken = record.wraps[1];
  broken.epoch = 9;
  record.wraps.push_back(broken);
  EXPECT_EQ(open_record(signed_again(record, root_.identity()), device_)->keys.epochs.size(), 2u);
}

TEST_F(Keys, OfTwoRecordsWithOneVersionAllTakeTheSame) {
  Device other = make_device(root_.vault(), random_);
  auto both = recovered_record(first_, root_, other, {}, random_, 2000, Earlier::keep);
  ASSERT_TRUE(both) << both.error().detail;
  auto a = next_record(*both, device_, content(), random_, 3000);
  auto b = next_record(*both, other, content(), random_, 3000);
  ASSERT_TRUE(a && b);
  ASSERT_EQ(a->record.version, b->record.version);
  const ByteView higher = a->hash > b->hash ? a->signed_bytes : b->signed_bytes;
  for (const std::vector<ByteView>& seen : {std::vector<ByteView>{both->signed_bytes, a->signed_bytes, b->signed_bytes},
                                            {b->signed_bytes, a->signed_bytes}}) {
    const auto chosen = impl::choose_record(seen, root_.vault());
    ASSERT_TRUE(chosen.index);
    EXPECT_TRUE(std::ranges::equal(seen[*chosen.index], higher));
  }
}

TEST_F(Keys, NoRecordIsMadeThatNobodyCouldRead) {
  OpenRecord full = first_;
  full.record.devices.resize(wire::kMaxDevices, full.record.devices.front());
  auto next = recovered_record(full, root_, make_device(root_.vault(), random_), {}, random_, 2000, Earlier::keep);
  ASSERT_FALSE(next);
  EXPECT_NE(next.error().detail.find("too many devices"), std::string::npos) << next.error().detail;
}

TEST_F(Keys, AStrangersSignatureIsRefused) {
  Device stranger = make_device(root_.vault(), random_);
  auto checked = check_record(signed_again(first_.record, stranger.signing), root_.vault(), {});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, Errc::denied);
}

TEST_F(Keys, ADeviceSignsTheNextRecord) {
  wire::VaultPrivate changed = content();
  changed.name = "Bea";
  auto next = next_record(first_, device_, changed, random_, 2000);
  ASSERT_TRUE(next);
  EXPECT_EQ(next->record.version, 2u);
  EXPECT_EQ(open_record(next->signed_bytes, device_)->content.name, "Bea");
  EXPECT_EQ(open_record(next->signed_bytes, root_)->content.name, "Bea");
  EXPECT_FALSE(next_record(first_, make_device(root_.vault(), random_), changed, random_, 2000));
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
  EXPECT_TRUE(open_record(next->signed_bytes, fresh));
  EXPECT_TRUE(open_record(next->signed_bytes, root_));
  auto lost = open_record(next->signed_bytes, device_);
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Errc::denied);
  // What it knew of old opens neither new segments nor new lists of homes.
  EXPECT_NE(next->keys.epochs[1].data_key, first_.keys.epochs[0].data_key);
  EXPECT_NE(next->keys.epochs[1].record_key, first_.keys.epochs[0].record_key);
  Bytes context =
      impl::joined({as_bytes("mhp 1 vault private"), root_.vault().bytes(), impl::little_endian(next->record.version)});
  EXPECT_TRUE(primitives::open_box(next->keys.epochs[1].record_key, context, next->record.sealed_private));
  EXPECT_FALSE(primitives::open_box(first_.keys.epochs[0].record_key, context, next->record.sealed_private));
  // What the lost device signs from now on is not believed, with or without its revocation inside.
  EXPECT_FALSE(check_record(signed_again(next->record, device_.signing), root_.vault(), {}));
  EXPECT_TRUE(check_record(first_.signed_bytes, root_.vault(), {device_.id}));  // the identity signed this one
  auto stale = next_record(first_, device_, content(), random_, 3000);
  ASSERT_TRUE(stale);
  EXPECT_FALSE(check_record(stale->signed_bytes, root_.vault(), {device_.id}));
}

}  // namespace
}  // namespace mhp::vault
