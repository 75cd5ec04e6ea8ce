// The messages about rosters: round trip, golden bytes, and each bound refused.
#include "wire/cloud_calls.h"

#include <wire/cloud_calls.pb.h>

#include "wire/golden_support.h"
#include "wire/test_support.h"

namespace mhp::wire {
namespace {

CloudClaim claim(samples::Random& random) { return {random.id<CloudId>(), random.id<HomeId>(), random.array()}; }

JoinCall join_call(samples::Random& random) {
  JoinCall out{.request = {.cloud = random.id<CloudId>(), .admission = {}}, .signed_claim = {}};
  out.request.admission.member = random.id<MemberId>();
  out.request.admission.name = "Emil";
  if (random.flip()) {
    out.request.admission.inviter = random.id<MemberId>();
    out.request.admission.ticket = random.id<TicketId>();
    std::ranges::copy(random.bytes(64), out.request.admission.proof.begin());
  }
  out.signed_claim = random.bytes(1 + random.below(300));
  return out;
}

RosterNews news(samples::Random& random) {
  RosterNews out{.digest = {.cloud = random.id<CloudId>(), .ids = {}}, .statements = {}};
  for (std::uint64_t i = random.below(20); i > 0; --i) {
    RosterDigest::ShortId id;
    std::ranges::copy(random.bytes(id.size()), id.begin());
    out.digest.ids.push_back(id);
  }
  std::ranges::sort(out.digest.ids);
  for (std::uint64_t i = random.below(20); i > 0; --i) out.statements.push_back(random.bytes(random.below(400)));
  return out;
}

TEST(CloudCalls, RoundTrips) {
  expect_round_trips("CloudClaim", claim, parse_cloud_claim);
  expect_round_trips("JoinCall", join_call, parse_join_call);
  expect_round_trips("RosterNews", news, parse_roster_news);
}

TEST(CloudCalls, GuardTheirFormat) {
  samples::Random random(1);
  expect_guards_format(message_of<proto::CloudClaim>(claim(random)), parse_cloud_claim, 512);
  expect_guards_format(message_of<proto::JoinCall>(join_call(random)), parse_join_call, kMaxJoinCallBytes);
  const std::uint64_t limit_bytes = kMaxRosterBytes + 16 * kMaxRosterStatements + 2_KiB;
  expect_guards_format(message_of<proto::RosterNews>(news(random)), parse_roster_news, limit_bytes);
}

TEST(CloudCalls, RefuseWhatIsOutOfBounds) {
  samples::Random random(2);
  const auto spoilt_call = [&](auto spoil) {
    auto message = message_of<proto::JoinCall>(join_call(random));
    spoil(message);
    return parse_join_call(impl::serialize(message));
  };
  ASSERT_TRUE(spoilt_call([](auto&) {}));
  expect_refused(spoilt_call([](auto& m) { m.clear_claim(); }), Errc::invalid, "wrong length");
  expect_refused(spoilt_call([](auto& m) { m.mutable_claim()->resize(kMaxCloudClaimBytes + 1); }), Errc::invalid,
                 "wrong length");
  expect_refused(spoilt_call([](auto& m) { m.clear_request(); }), Errc::invalid, "join request");
  expect_refused(spoilt_call([](auto& m) { m.mutable_request()->pop_back(); }), Errc::invalid, "join request");
  const auto spoilt_news = [&](auto spoil) {
    auto message = message_of<proto::RosterNews>(news(random));
    spoil(message);
    return parse_roster_news(impl::serialize(message));
  };
  ASSERT_TRUE(spoilt_news([](auto&) {}));
  expect_refused(spoilt_news([](auto& m) { m.clear_digest(); }), Errc::invalid, "roster digest");
  expect_refused(spoilt_news([](auto& m) { m.add_statements(std::string(kMaxStatementBytes + 1, 'a')); }),
                 Errc::invalid, "too long");
  const auto add_many = [](auto& m) {
    for (unsigned i = 0; i <= kMaxRosterStatements; ++i) m.add_statements("a");
  };
  expect_refused(spoilt_news(add_many), Errc::invalid, "too many");
  const auto add_long = [](auto& m) {
    for (std::uint64_t bytes = 0; bytes <= kMaxRosterBytes; bytes += 128_KiB)
      m.add_statements(std::string(128_KiB, 'a'));
  };
  expect_refused(spoilt_news(add_long), Errc::invalid, "too long");
}

TEST(CloudCalls, TheLongestFitTheirLimits) {
  samples::Random random(3);
  JoinCall call = join_call(random);
  call.request.admission.name = std::string(kMaxNameBytes, 'n');
  call.request.admission.inviter = random.id<MemberId>();
  call.request.admission.ticket = random.id<TicketId>();
  call.signed_claim = random.bytes(kMaxCloudClaimBytes);
  EXPECT_TRUE(parse_join_call(encode(call)));
  RosterNews all = news(random);
  all.digest.ids.resize(kMaxRosterStatements);
  for (std::size_t i = 0; i < all.digest.ids.size(); ++i) {
    all.digest.ids[i] = {};
    all.digest.ids[i][0] = static_cast<std::byte>(i >> 8);
    all.digest.ids[i][1] = static_cast<std::byte>(i);
  }
  all.statements.assign(kMaxRosterStatements, Bytes(kMaxRosterBytes / kMaxRosterStatements));
  EXPECT_TRUE(parse_roster_news(encode(all)));
}

TEST(CloudCalls, Golden) {
  const Bytes some{std::byte{1}, std::byte{2}, std::byte{3}};
  CloudClaim claimed{id<CloudId>(1), id<HomeId>(2), {}};
  std::ranges::copy(id<CloudId>(3).bytes(), claimed.exporter.begin());
  expect_golden("cloud_claim", claimed, parse_cloud_claim);
  JoinCall call{.request = {.cloud = id<CloudId>(1), .admission = {}}, .signed_claim = some};
  call.request.admission = {id<MemberId>(4), "Emil", id<MemberId>(5), id<TicketId>(6), {}};
  call.request.admission.proof.fill(std::byte{7});
  expect_golden("join_call", call, parse_join_call);
  RosterNews told{.digest = {.cloud = id<CloudId>(1), .ids = {}}, .statements = {some, some}};
  told.digest.ids.resize(2);
  told.digest.ids[1].fill(std::byte{8});
  expect_golden("roster_news", told, parse_roster_news);
}

}  // namespace
}  // namespace mhp::wire
