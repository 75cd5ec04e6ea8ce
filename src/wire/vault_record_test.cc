// The vault record and what is in it: round trips, and each bound refused.
#include "wire/vault_record.h"

#include <wire/sealed.pb.h>
#include <wire/visible.pb.h>

#include "wire/test_support.h"

namespace mhp::wire {
namespace {

TEST(VaultRecord, RoundTrips) { expect_round_trips("VaultRecord", samples::vault_record, parse_vault_record); }
TEST(VaultKeys, RoundTrips) { expect_round_trips("VaultKeys", samples::vault_keys, parse_vault_keys); }
TEST(VaultPrivate, RoundTrips) { expect_round_trips("VaultPrivate", samples::vault_private, parse_vault_private); }
TEST(DeviceCertificate, RoundTrips) {
  expect_round_trips("DeviceCertificate", samples::device_certificate, parse_device_certificate);
}
TEST(Revocation, RoundTrips) { expect_round_trips("Revocation", samples::revocation, parse_revocation); }

TEST(VaultRecord, GuardsFormats) {
  samples::Random random(1);
  expect_guards_format(message_of<proto::VaultRecord>(samples::vault_record(random)), parse_vault_record,
                       kMaxVaultRecordBytes);
  expect_guards_format(message_of<proto::VaultKeys>(samples::vault_keys(random)), parse_vault_keys, kMaxVaultKeysBytes);
  expect_guards_format(message_of<proto::VaultPrivate>(samples::vault_private(random)), parse_vault_private,
                       kMaxSealedPrivateBytes);
  expect_guards_format(message_of<proto::DeviceCertificate>(samples::device_certificate(random)),
                       parse_device_certificate, kMaxCertificateBytes);
  expect_guards_format(message_of<proto::Revocation>(samples::revocation(random)), parse_revocation,
                       kMaxCertificateBytes);
}

TEST(VaultRecord, RefusesEachBound) {
  samples::Random random(2);
  const VaultRecord good = samples::vault_record(random);
  const auto refused = [&](auto spoil, const char* words) {
    VaultRecord bad = good;
    spoil(bad);
    expect_refused(parse_vault_record(encode(bad)), Errc::invalid, words);
  };
  refused([](VaultRecord& r) { r.version = 0; }, "version 0");
  refused([](VaultRecord& r) { r.epoch = 0; }, "epoch 0");
  refused([](VaultRecord& r) { r.devices.resize(kMaxDevices + 1); }, "too many devices");
  refused([](VaultRecord& r) { r.revocations.resize(kMaxRevocations + 1); }, "too many devices");
  refused([](VaultRecord& r) { r.devices.assign(1, Bytes(kMaxCertificateBytes + 1)); }, "certificate");
  refused([](VaultRecord& r) { r.wraps.resize(kMaxWraps + 1); }, "key wraps");
  refused([](VaultRecord& r) { r.wraps.assign(1, KeyWrap{.sealed = Bytes(kMaxWrapBytes + 1)}); }, "key wrap: too long");
  refused([](VaultRecord& r) { r.sealed_private.resize(kMaxSealedPrivateBytes + 1); }, "private");
  refused([](VaultRecord& r) { r.wraps.resize(kMaxWraps + kMaxDevices + kMaxRevocations + 64); }, "too many fields");
}

TEST(VaultKeys, RefusesEachBound) {
  samples::Random random(3);
  VaultKeys keys = samples::vault_keys(random);
  keys.epochs.assign(2, EpochKey{.epoch = 7});
  expect_refused(parse_vault_keys(encode(keys)), Errc::invalid, "do not rise");
  keys.epochs.assign(kMaxEpochs + 1, {});
  expect_refused(parse_vault_keys(encode(keys)), Errc::invalid, "too many epochs");
  keys.epochs.clear();
  for (std::uint32_t i = 0; i < kMaxEpochs; ++i) keys.epochs.push_back({.epoch = ~0u - kMaxEpochs + i});
  EXPECT_TRUE(parse_vault_keys(encode(keys)));
  auto message = message_of<proto::VaultKeys>(keys);
  message.mutable_data_keys()->pop_back();
  expect_refused(parse_vault_keys(impl::serialize(message)), Errc::invalid, "columns");
}

TEST(VaultPrivate, RefusesEachBound) {
  samples::Random random(4);
  VaultPrivate good = samples::vault_private(random);
  good.homes.assign(1, HomeEntry{.name = "usb", .path = "/media/usb"});
  ASSERT_TRUE(parse_vault_private(encode(good)));
  const auto refused = [&](auto spoil, const char* words) {
    VaultPrivate bad = good;
    spoil(bad);
    expect_refused(parse_vault_private(encode(bad)), Errc::invalid, words);
  };
  refused([](VaultPrivate& v) { v.name.resize(kMaxNameBytes + 1, 'x'); }, "name");
  refused([](VaultPrivate& v) { v.name = std::string(1, '\0'); }, "name");
  refused([](VaultPrivate& v) { v.level = 3; }, "level");
  refused([](VaultPrivate& v) { v.homes.resize(kMaxHomes + 1); }, "too many");
  refused([](VaultPrivate& v) { v.removed.resize(kMaxRemovedHomes + 1); }, "too many removed");
  refused([](VaultPrivate& v) { v.homes[0].kind = static_cast<HomeKind>(0); }, "no kind");
  refused([](VaultPrivate& v) { v.homes[0].path.resize(kMaxPathBytes + 1, 'x'); }, "path");
  refused([](VaultPrivate& v) { v.homes[0].addresses.assign(kMaxHomeAddresses + 1, "[::1]:1"); }, "too many addresses");
  refused([](VaultPrivate& v) { v.homes[0].addresses = {std::string(kMaxAddressBytes + 1, 'x')}; }, "address");
  refused([](VaultPrivate& v) { v.homes[0].addresses = {""}; }, "address");
  refused([](VaultPrivate& v) { v.homes[0].addresses = {std::string("a\0:1", 4)}; }, "address");
  good.homes[0].addresses.assign(kMaxHomeAddresses, std::string(kMaxAddressBytes, 'x'));
  good.homes[0].kind = static_cast<HomeKind>(255);
  EXPECT_EQ(*parse_vault_private(encode(good)), good);
}

TEST(VaultPrivate, RefusesIdsThatAreNone) {
  VaultPrivate vault;
  vault.homes.assign(1, HomeEntry{.name = "attic", .kind = HomeKind::computer});
  const auto refused = [&](auto spoil, const char* words) {
    auto message = message_of<proto::VaultPrivate>(vault);
    spoil(*message.mutable_homes(0));
    expect_refused(parse_vault_private(impl::serialize(message)), Errc::invalid, words);
  };
  refused([](proto::HomeEntry& home) { home.set_member(std::string(31, 'm')); }, "wrong length");
  refused([](proto::HomeEntry& home) { home.set_cloud(std::string(33, 'c')); }, "wrong length");
  refused([](proto::HomeEntry& home) { home.set_member(std::string(32, '\0')); }, "an id of zeros");
  refused([](proto::HomeEntry& home) { home.set_kind(256); }, "no kind");
}

TEST(VaultPrivate, RefusesEachBoundOfClouds) {
  VaultPrivate good;
  good.clouds.assign(kMaxClouds, Membership{.name = std::string(kMaxNameBytes, 'x')});
  good.left_clouds.assign(kMaxLeftClouds, LeftCloud{});
  ASSERT_EQ(*parse_vault_private(encode(good)), good);
  const auto refused = [&](auto spoil, const char* words) {
    VaultPrivate bad = good;
    spoil(bad);
    expect_refused(parse_vault_private(encode(bad)), Errc::invalid, words);
  };
  refused([](VaultPrivate& v) { v.clouds.resize(kMaxClouds + 1); }, "too many clouds");
  refused([](VaultPrivate& v) { v.left_clouds.resize(kMaxLeftClouds + 1); }, "too many clouds left");
  refused([](VaultPrivate& v) { v.clouds[0].name += 'x'; }, "membership: name");
  refused([](VaultPrivate& v) { v.clouds[0].name = std::string(1, '\0'); }, "membership: name");
  auto message = message_of<proto::VaultPrivate>(good);
  message.mutable_clouds(0)->mutable_member_secret()->pop_back();
  expect_refused(parse_vault_private(impl::serialize(message)), Errc::invalid, "wrong length");
  message = message_of<proto::VaultPrivate>(good);
  message.mutable_left_clouds(0)->mutable_cloud()->pop_back();
  expect_refused(parse_vault_private(impl::serialize(message)), Errc::invalid, "not 32 bytes");
}

/// Programs that know of no clouds read no more fields than so many, and keep those of clouds as they are.
TEST(VaultPrivate, WithCloudsIsReadByProgramsOfBefore) {
  constexpr int kMostFieldsOfBefore = 255 + 1024 + 16;
  VaultPrivate full{.name = "Ann", .level = 1, .name_changed_ns = 1, .level_changed_ns = 1};
  full.homes.resize(kMaxHomes);
  full.clouds.resize(kMaxClouds);
  full.left_clouds.resize(kMaxLeftClouds);
  full.removed.resize(kMaxRemovedHomes - kMaxClouds - kMaxLeftClouds);
  EXPECT_LE(5 + full.homes.size() + full.removed.size() + full.clouds.size() + full.left_clouds.size(),
            static_cast<std::size_t>(kMostFieldsOfBefore));
  EXPECT_EQ(*parse_vault_private(encode(full)), full);
}

/// Another device may run a newer program: what this one does not know, it must not lose when it writes the record.
TEST(VaultRecord, FieldsOfANewerProgramAreWrittenBack) {
  samples::Random random(5);
  const auto field_60 = [](auto& message) { ASSERT_TRUE(message.MergeFromString("\xe2\x03\x03new")); };
  auto vault = message_of<proto::VaultPrivate>(VaultPrivate{.name = "Ann", .homes = {HomeEntry{}, HomeEntry{}}});
  field_60(vault);
  field_60(*vault.mutable_homes(1));
  const Bytes bytes = impl::serialize(vault);
  const auto parsed = parse_vault_private(bytes);
  ASSERT_TRUE(parsed) << parsed.error().detail;
  EXPECT_EQ(parsed->later.size(), 6u);
  EXPECT_EQ(parsed->homes[0].later, "");
  EXPECT_EQ(encode(*parsed), bytes);
  auto record = message_of<proto::VaultRecord>(samples::vault_record(random));
  field_60(record);
  EXPECT_EQ(encode(*parse_vault_record(impl::serialize(record))), impl::serialize(record));
}

TEST(VaultRecord, IdOfAnIdentity) {
  const primitives::PublicKey identity{};
  EXPECT_EQ(vault_id_of(identity), VaultId::from_array(primitives::blake3_derive("mhp 1 vault id", identity)));
}

TEST(VaultRecord, TheNewerVersionCountsUnlessItIsFarAbove) {
  constexpr std::uint64_t kStep = kMaxVersionStep;
  for (const std::uint64_t held : {std::uint64_t{1}, std::uint64_t{7}, 5 * kStep}) {
    EXPECT_FALSE(takes_place_of(held, held));
    EXPECT_TRUE(takes_place_of(held + 1, held));
    EXPECT_FALSE(takes_place_of(held, held + 1));
    EXPECT_TRUE(takes_place_of(held + kStep - 1, held));
    EXPECT_FALSE(takes_place_of(held, held + kStep - 1));
    for (const std::uint64_t far : {held + kStep, UINT64_MAX}) {
      EXPECT_FALSE(takes_place_of(far, held));
      EXPECT_TRUE(takes_place_of(held, far));
    }
  }
}

}  // namespace
}  // namespace mhp::wire
