// Invitations: bytes and codes round trip; a code stands what people do to it, and shows every slip.
#include "wire/invitation.h"

#include <wire/roster.pb.h>

#include "base/test_run.h"
#include "wire/golden_support.h"
#include "wire/test_support.h"

namespace mhp::wire {
namespace {

Invitation invitation(samples::Random& random) {
  Invitation out{.cloud = random.id<CloudId>(), .inviter = random.id<MemberId>(), .secret = {}};
  std::ranges::copy(random.bytes(16), out.secret.begin());
  out.expires_s = random.number<std::int64_t>(1ull << 33);
  out.role = random.flip() ? Role::admin : Role::member;
  out.lend_bytes = random.below(1ull << 50);
  for (std::uint64_t homes = 1 + random.below(kMaxInvitedHomes); homes > 0; --homes) {
    out.homes.push_back({random.id<HomeId>(), {}});
    for (std::uint64_t i = random.below(kMaxInvitedAddresses + 1); i > 0; --i)
      out.homes.back().addresses.push_back("home" + std::to_string(random.below(1000)) + ".example:7070");
  }
  return out;
}

TEST(Invitation, RoundTripsAsBytes) { expect_round_trips("Invitation", invitation, parse_invitation); }

TEST(Invitation, RoundTripsAsACode) {
  for (std::uint64_t round = 0; round < 200; ++round) {
    samples::Random random(test_seed() + round);
    const Invitation given = invitation(random);
    const auto again = invitation_of(code_of(given));
    ASSERT_TRUE(again) << again.error().detail;
    ASSERT_EQ(*again, given);
  }
}

TEST(Invitation, GuardsItsFormat) {
  samples::Random random(1);
  expect_guards_format(message_of<proto::Invitation>(invitation(random)), parse_invitation, kMaxInvitationBytes);
}

TEST(Invitation, RefusesEachBound) {
  samples::Random random(2);
  const auto good = message_of<proto::Invitation>(invitation(random));
  const auto expect_bad = [](const proto::Invitation& message, const std::string& words) {
    expect_refused(parse_invitation(impl::serialize(message)), Errc::invalid, words);
  };
  auto message = good;
  message.clear_homes();
  expect_bad(message, "number of homes");
  while (message.homes_size() <= static_cast<int>(kMaxInvitedHomes)) *message.add_homes() = good.homes(0);
  expect_bad(message, "number of homes");
  message = good;
  for (unsigned i = 0; i <= kMaxInvitedAddresses; ++i) message.mutable_homes(0)->add_addresses("a:1");
  expect_bad(message, "too many addresses");
  message = good;
  message.mutable_homes(0)->clear_addresses();
  message.mutable_homes(0)->add_addresses("");
  expect_bad(message, "address is empty");
  message = good;
  message.set_role(0);
  expect_bad(message, "no such role");
  message = good;
  message.set_secret("short");
  expect_bad(message, "wrong length");
  message = good;
  message.set_expires_s(UINT64_MAX);
  expect_bad(message, "its end");
}

TEST(Invitation, ACodeStandsSpacesDashesAndCase) {
  samples::Random random(3);
  const Invitation given = invitation(random);
  std::string changed;
  for (const char letter : code_of(given)) {
    if (letter == '-') {
      changed += random.flip() ? "\r\n " : "";
    } else {
      changed += random.flip() ? static_cast<char>(std::toupper(letter)) : letter;
      if (letter == '0' && random.flip()) changed.back() = 'O';
      if (letter == '1' && random.flip()) changed.back() = random.flip() ? 'l' : 'I';
      if (random.below(7) == 0) changed += " - ";
    }
  }
  const auto again = invitation_of(changed);
  ASSERT_TRUE(again) << again.error().detail << "\n" << changed;
  EXPECT_EQ(*again, given);
}

/// Every letter changed to every other one, left out, doubled, and swapped with its neighbour.
TEST(Invitation, OneSlipIsNoticed) {
  samples::Random random(4);
  Invitation given = invitation(random);
  given.homes.resize(1);
  const std::string code = code_of(given);
  std::uint64_t slips = 0;
  const auto expect_noticed = [&](const std::string& slip) {
    const auto read = invitation_of(slip);
    ++slips;
    EXPECT_FALSE(read) << slip;
    if (!read) EXPECT_EQ(read.error().code, Errc::invalid);
  };
  for (std::size_t at = 0; at < code.size(); ++at) {
    if (code[at] == '-') continue;
    for (const char other : std::string_view("0123456789abcdefghjkmnpqrstvwxyz")) {
      if (other == code[at]) continue;
      std::string slip = code;
      slip[at] = other;
      expect_noticed(slip);
    }
    expect_noticed(std::string(code).erase(at, 1));
    expect_noticed(std::string(code).insert(at, 1, code[at]));
    const std::size_t next = at + 1 < code.size() && code[at + 1] == '-' ? at + 2 : at + 1;
    if (next >= code.size() || code[next] == code[at]) continue;
    std::string slip = code;
    std::swap(slip[at], slip[next]);
    expect_noticed(slip);
  }
  test_run::tried(19, "slips of one letter in an invitation", slips, 4);
}

TEST(Invitation, WhatIsNoCodeIsSaid) {
  expect_refused(invitation_of(""), Errc::invalid, "begins with mhp1");
  expect_refused(invitation_of("mhp2-00000"), Errc::invalid, "begins with mhp1");
  expect_refused(invitation_of("mhp1-"), Errc::invalid, "letters are missing");
  expect_refused(invitation_of("mhp1-ab!cd"), Errc::invalid, "sign 7 is never in a code");
  expect_refused(invitation_of("mhp1-aucd"), Errc::invalid, "sign 6 is never in a code");
  expect_refused(invitation_of("mhp1-\xc3\xa9"), Errc::invalid, "never in a code");
  expect_refused(invitation_of("mhp1-" + std::string(100, '0')), Errc::invalid, "wrong, missing or out of place");
  expect_refused(invitation_of(std::string(kMaxInvitationLetters + 1, '0')), Errc::invalid, "too long");
}

TEST(Golden, Invitation) {
  Invitation given{.cloud = {}, .inviter = {}, .secret = {}, .expires_s = 1'767'225'600, .role = Role::admin};
  CloudId::Array bytes;
  bytes.fill(std::byte{1});
  given.cloud = CloudId::from_array(bytes);
  bytes.fill(std::byte{2});
  given.inviter = MemberId::from_array(bytes);
  given.secret.fill(std::byte{3});
  given.lend_bytes = 50'000'000'000;
  bytes.fill(std::byte{4});
  given.homes = {{HomeId::from_array(bytes), {"192.0.2.1:7070", "[2001:db8::1]:7070"}}};
  bytes.fill(std::byte{5});
  given.homes.push_back({HomeId::from_array(bytes), {}});
  expect_golden("invitation", given, parse_invitation);
  const std::string code = code_of(given);
  EXPECT_EQ(as_text(golden("invitation_code", as_bytes(code))), code);
}

}  // namespace
}  // namespace mhp::wire
