// Statements of a roster: round trip of every kind, each bound refused, golden bytes.
#include "wire/roster.h"

#include <wire/roster.pb.h>

#include "wire/golden_support.h"
#include "wire/test_support.h"

namespace mhp::wire {
namespace {

constexpr std::size_t kKinds = std::variant_size_v<Act>;

std::string name(samples::Random& random) { return "name " + std::to_string(random.below(1000)); }

Rules rules(samples::Random& random) {
  return {random.flip(), random.flip(), random.below(1ull << 60), random.number<std::uint32_t>(1000),
          random.below(kMaxHoldS + 1)};
}

std::vector<StatementId> ids(samples::Random& random, std::uint64_t count) {
  std::vector<StatementId> out;
  for (std::uint64_t i = 0; i < count; ++i) out.push_back(random.id<StatementId>());
  std::ranges::sort(out);
  return out;
}

Admission admission(samples::Random& random) {
  Admission out{.member = random.id<MemberId>(), .name = name(random)};
  if (random.flip()) return out;
  out.inviter = random.id<MemberId>();
  out.ticket = random.id<TicketId>();
  std::ranges::copy(random.bytes(64), out.proof.begin());
  return out;
}

Act act(samples::Random& random, std::size_t kind) {
  const Role role = random.flip() ? Role::admin : Role::member;
  switch (kind) {
    case 0: {
      Founding out{name(random), name(random), rules(random), random.time(), {}};
      std::ranges::copy(random.bytes(16), out.salt.begin());
      return out;
    }
    case 1:
      return Ticket{random.id<TicketId>(), role, random.time(), random.below(1ull << 60), random.flip() ? "" : "Ben"};
    case 2:
      return admission(random);
    case 3:
      return DeviceKey{random.id<KeyId>(), name(random)};
    case 4:
      return HomeKey{random.id<KeyId>(), name(random), random.below(1ull << 50), random.flip()};
    case 5:
      return HomeAddresses{std::vector<std::string>(random.below(kMaxHomeAddresses + 1), "192.0.2.1:7070")};
    case 6:
      return Promotion{random.id<MemberId>()};
    case 7:
      return RuleChange{rules(random)};
    default:
      break;
  }
  Removal out{static_cast<Removal::What>(1 + random.below(3)), random.id<MemberId>(), {}, ids(random, random.below(9))};
  if (out.what == Removal::What::key) out.key = random.id<KeyId>();
  return out;
}

Statement statement_of(samples::Random& random, std::size_t kind) {
  Statement out{random.id<CloudId>(), random.id<MemberId>(), 1 + random.below(kMaxAt), act(random, kind)};
  if (kind == 0) out.cloud = {};
  return out;
}

Statement statement(samples::Random& random) { return statement_of(random, random.below(kKinds)); }

TEST(Roster, StatementsRoundTrip) {
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    samples::Random random(kind);
    EXPECT_EQ(statement_of(random, kind).act.index(), kind);
    expect_round_trips("Statement", [kind](auto& with) { return statement_of(with, kind); }, parse_statement, 50);
  }
}

TEST(Roster, WhatIsExchangedRoundTrips) {
  expect_round_trips(
      "Statements",
      [](samples::Random& random) {
        Statements out;
        for (std::uint64_t i = random.below(20); i > 0; --i) out.statements.push_back(random.bytes(random.below(300)));
        return out;
      },
      parse_statements);
  expect_round_trips(
      "RosterDigest",
      [](samples::Random& random) {
        RosterDigest out{.cloud = random.id<CloudId>()};
        for (const StatementId& id : ids(random, random.below(50))) {
          out.ids.emplace_back();
          std::ranges::copy_n(id.bytes().begin(), 8, out.ids.back().begin());
        }
        return out;
      },
      parse_roster_digest);
  expect_round_trips(
      "JoinRequest", [](samples::Random& random) { return JoinRequest{random.id<CloudId>(), admission(random)}; },
      parse_join_request);
}

TEST(Roster, GuardsItsFormat) {
  samples::Random random(1);
  expect_guards_format(message_of<proto::RosterStatement>(statement(random)), parse_statement, kMaxStatementBytes);
  expect_guards_format(message_of<proto::RosterDigest>(RosterDigest{.cloud = random.id<CloudId>()}),
                       parse_roster_digest, 8 * kMaxRosterStatements + 1_KiB);
  expect_guards_format(message_of<proto::JoinRequest>(JoinRequest{random.id<CloudId>(), admission(random)}),
                       parse_join_request, 1_KiB);
}

proto::RosterStatement message_of_kind(std::size_t kind) {
  samples::Random random(7);
  return message_of<proto::RosterStatement>(statement_of(random, kind));
}

void expect_bad(const proto::RosterStatement& message, const std::string& words) {
  expect_refused(parse_statement(impl::serialize(message)), Errc::invalid, words);
}

TEST(Roster, RefusesWhatNoStatementSays) {
  auto message = message_of_kind(6);
  message.set_at(0);
  expect_bad(message, "place in the order");
  message.set_at(kMaxAt + 1);
  expect_bad(message, "place in the order");
  message.set_at(kMaxAt);
  EXPECT_TRUE(parse_statement(impl::serialize(message)));
  message.clear_act();
  expect_bad(message, "says nothing");
  message = message_of_kind(6);
  message.clear_member();
  expect_bad(message, "32 bytes");
  message = message_of_kind(6);
  message.set_cloud(std::string(32, '\0'));
  expect_bad(message, "of no cloud");
  message = message_of_kind(0);
  message.set_cloud(std::string(32, 'x'));
  expect_bad(message, "of no cloud");
}

TEST(Roster, RefusesEachBound) {
  auto message = message_of_kind(0);
  message.mutable_founding()->mutable_rules()->set_minimum_hold_s(kMaxHoldS + 1);
  expect_bad(message, "minimum hold");
  message = message_of_kind(0);
  message.mutable_founding()->clear_salt();
  expect_bad(message, "wrong length");
  message = message_of_kind(1);
  message.mutable_ticket()->set_role(3);
  expect_bad(message, "no such role");
  message = message_of_kind(1);
  message.mutable_ticket()->set_ticket(std::string(32, '\0'));
  expect_bad(message, "ticket of zeros");
  message = message_of_kind(2);
  message.mutable_admission()->set_inviter(std::string(32, '\0'));
  message.mutable_admission()->set_ticket(std::string(32, 'x'));
  expect_bad(message, "half a ticket");
  message.mutable_admission()->set_ticket(std::string(32, '\0'));
  message.mutable_admission()->set_proof(std::string(64, 'x'));
  expect_bad(message, "half a ticket");
  message = message_of_kind(3);
  message.mutable_device()->set_name("");
  expect_bad(message, "name is missing");
  message.mutable_device()->set_name(std::string(kMaxNameBytes + 1, 'x'));
  expect_bad(message, "too long");
  message.mutable_device()->set_name(std::string("a\0b", 3));
  expect_bad(message, "no text");
  message = message_of_kind(5);
  message.mutable_addresses()->clear_addresses();
  for (unsigned i = 0; i <= kMaxHomeAddresses; ++i) message.mutable_addresses()->add_addresses("a:1");
  expect_bad(message, "too many addresses");
  message = message_of_kind(8);
  message.mutable_removal()->set_what(4);
  expect_bad(message, "no such removal");
  message = message_of_kind(8);
  message.mutable_removal()->set_what(1);
  message.mutable_removal()->set_key(std::string(32, 'x'));
  expect_bad(message, "removal of no key");
  message.mutable_removal()->set_what(3);
  message.mutable_removal()->set_kept(std::string(64, 'x'));
  expect_bad(message, "does not rise");
  message.mutable_removal()->set_kept(std::string(31, 'x'));
  expect_bad(message, "number of statements");
}

TEST(Roster, TheLongestStatementFitsItsLimit) {
  primitives::init_sodium();
  samples::Random random(3);
  Statement longest = statement_of(random, 8);
  std::get<Removal>(longest.act).kept = ids(random, kMaxKept);
  const primitives::SigningKey key(random.array());
  EXPECT_LE(encode(sign(key, kSignStatement, encode(longest))).size(), kMaxStatementBytes);
  EXPECT_TRUE(parse_statement(encode(longest)));
  std::get<Removal>(longest.act).kept = ids(random, kMaxKept + 1);
  expect_refused(parse_statement(encode(longest)), Errc::invalid, "");
}

TEST(Roster, AnIdIsOfSignerAndBodyOnly) {
  primitives::init_sodium();
  samples::Random random(4);
  const primitives::SigningKey key(random.array());
  Signed envelope = sign(key, kSignStatement, encode(statement(random)));
  const StatementId id = statement_id(envelope);
  envelope.signature[0] ^= std::byte{1};
  EXPECT_EQ(statement_id(envelope), id);
  envelope.signer[0] ^= std::byte{1};
  EXPECT_NE(statement_id(envelope), id);
}

/// One of each kind, its values counting up.
TEST(Golden, Roster) {
  const Rules some_rules{.open = true,
                         .members_invite = true,
                         .lend_floor_bytes = 50'000'000'000,
                         .take_percent = 80,
                         .minimum_hold_s = 2'592'000};
  Founding founding{"Lindenweg", "Ann", some_rules, kTime, {}};
  founding.salt.fill(std::byte{9});
  Admission admitted{id<MemberId>(1), "Ben", id<MemberId>(2), id<TicketId>(3), {}};
  admitted.proof.fill(std::byte{5});
  const std::pair<const char*, Act> acts[] = {
      {"roster_founding", founding},
      {"roster_ticket", Ticket{id<TicketId>(3), Role::admin, kTime, 50'000'000'000, "Ben"}},
      {"roster_admission", admitted},
      {"roster_device_key", DeviceKey{id<KeyId>(4), "laptop"}},
      {"roster_home_key", HomeKey{id<KeyId>(5), "attic", 100'000'000'000, true}},
      {"roster_home_addresses", HomeAddresses{{"192.0.2.1:7070", "[2001:db8::1]:7070"}}},
      {"roster_promotion", Promotion{id<MemberId>(1)}},
      {"roster_rule_change", RuleChange{{.take_percent = 100}}},
      {"roster_removal",
       Removal{Removal::What::key, id<MemberId>(2), id<KeyId>(4), {id<StatementId>(6), id<StatementId>(7)}}}};
  std::uint64_t at = 300;
  for (const auto& [kind, one] : acts) {
    const CloudId cloud = std::holds_alternative<Founding>(one) ? CloudId() : id<CloudId>(8);
    expect_golden(kind, Statement{cloud, id<MemberId>(2), at++, one}, parse_statement);
  }
  expect_golden("roster_statements", Statements{{Bytes(3, std::byte{1}), Bytes(2, std::byte{2})}}, parse_statements);
  expect_golden("roster_digest", RosterDigest{id<CloudId>(8), {{std::byte{1}}, {std::byte{2}}}}, parse_roster_digest);
  expect_golden("join_request", JoinRequest{id<CloudId>(8), admitted}, parse_join_request);
}

}  // namespace
}  // namespace mhp::wire
