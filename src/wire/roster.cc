// The roster's statements to bytes and back.
#include "wire/roster.h"

#include <wire/roster.pb.h>

#include "wire/impl/proto.h"

namespace mhp::wire {
namespace {

constexpr const char* kStatement = "roster statement";
constexpr std::uint64_t kMaxDigestBytes = 8 * kMaxRosterStatements + 1_KiB;
constexpr std::uint64_t kMaxJoinRequestBytes = 1_KiB;

Result<std::string> take_name(const std::string& field, bool may_be_empty = false) {
  if (field.size() > kMaxNameBytes || impl::has_nul(field))
    return impl::bad(kStatement, "a name is too long, or no text");
  if (field.empty() && !may_be_empty) return impl::bad(kStatement, "a name is missing");
  return field;
}

Result<Role> take_role(std::uint32_t number) {
  if (number != 1 && number != 2) return impl::bad(kStatement, "no such role");
  return static_cast<Role>(number);
}

void to_proto(const Rules& rules, proto::CloudRules& out) {
  out.set_open(rules.open);
  out.set_members_invite(rules.members_invite);
  out.set_lend_floor_bytes(rules.lend_floor_bytes);
  out.set_take_percent(rules.take_percent);
  out.set_minimum_hold_s(rules.minimum_hold_s);
}

Result<Rules> take(const proto::CloudRules& message) {
  if (message.minimum_hold_s() > kMaxHoldS) return impl::bad(kStatement, "the minimum hold is too long");
  return Rules{.open = message.open(),
               .members_invite = message.members_invite(),
               .lend_floor_bytes = message.lend_floor_bytes(),
               .take_percent = message.take_percent(),
               .minimum_hold_s = message.minimum_hold_s()};
}

void put(const Founding& act, proto::RosterStatement& out) {
  auto& message = *out.mutable_founding();
  message.set_name(act.name);
  message.set_founder_name(act.founder_name);
  to_proto(act.rules, *message.mutable_rules());
  message.set_time_ns(act.time_ns);
  message.set_salt(impl::to_field(act.salt));
}

Result<Act> take(const proto::Founding& message) {
  Founding act{.time_ns = message.time_ns()};
  MHP_TRY(act.name, take_name(message.name()));
  MHP_TRY(act.founder_name, take_name(message.founder_name()));
  MHP_TRY(act.rules, take(message.rules()));
  MHP_TRY(act.salt, impl::take_array<16>(message.salt(), kStatement));
  return act;
}

void put(const Ticket& act, proto::RosterStatement& out) {
  auto& message = *out.mutable_ticket();
  message.set_ticket(impl::to_field(act.ticket.bytes()));
  message.set_role(static_cast<std::uint32_t>(act.role));
  message.set_expires_ns(act.expires_ns);
  message.set_lend_bytes(act.lend_bytes);
  message.set_for_name(act.for_name);
}

Result<Act> take(const proto::Ticket& message) {
  Ticket act{.expires_ns = message.expires_ns(), .lend_bytes = message.lend_bytes()};
  MHP_TRY(act.ticket, impl::take_id<TicketId>(message.ticket(), kStatement));
  if (act.ticket.is_zero()) return impl::bad(kStatement, "a ticket of zeros");
  MHP_TRY(act.role, take_role(message.role()));
  MHP_TRY(act.for_name, take_name(message.for_name(), true));
  return act;
}

void to_proto(const Admission& act, proto::Admission& message) {
  message.set_member(impl::to_field(act.member.bytes()));
  message.set_name(act.name);
  message.set_inviter(impl::to_field(act.inviter.bytes()));
  message.set_ticket(impl::to_field(act.ticket.bytes()));
  message.set_proof(impl::to_field(act.proof));
}

void put(const Admission& act, proto::RosterStatement& out) { to_proto(act, *out.mutable_admission()); }

Result<Admission> take_admission(const proto::Admission& message) {
  Admission act;
  MHP_TRY(act.member, impl::take_id<MemberId>(message.member(), kStatement));
  MHP_TRY(act.name, take_name(message.name()));
  MHP_TRY(act.inviter, impl::take_id<MemberId>(message.inviter(), kStatement));
  MHP_TRY(act.ticket, impl::take_id<TicketId>(message.ticket(), kStatement));
  MHP_TRY(act.proof, impl::take_array<64>(message.proof(), kStatement));
  const bool none = act.ticket.is_zero();
  if (none != act.inviter.is_zero() || (none && act.proof != primitives::Signature{}))
    return impl::bad(kStatement, "half a ticket");
  return act;
}

Result<Act> take(const proto::Admission& message) {
  MHP_TRY(Admission act, take_admission(message));
  return act;
}

void put(const DeviceKey& act, proto::RosterStatement& out) {
  out.mutable_device()->set_device(impl::to_field(act.device.bytes()));
  out.mutable_device()->set_name(act.name);
}

Result<Act> take(const proto::DeviceKey& message) {
  DeviceKey act;
  MHP_TRY(act.device, impl::take_id<KeyId>(message.device(), kStatement));
  MHP_TRY(act.name, take_name(message.name()));
  return act;
}

void put(const HomeKey& act, proto::RosterStatement& out) {
  auto& message = *out.mutable_home();
  message.set_key(impl::to_field(act.key.bytes()));
  message.set_name(act.name);
  message.set_lend_bytes(act.lend_bytes);
  message.set_anchor(act.anchor);
}

Result<Act> take(const proto::HomeKey& message) {
  HomeKey act{.lend_bytes = message.lend_bytes(), .anchor = message.anchor()};
  MHP_TRY(act.key, impl::take_id<KeyId>(message.key(), kStatement));
  MHP_TRY(act.name, take_name(message.name()));
  return act;
}

void put(const HomeAddresses& act, proto::RosterStatement& out) {
  auto& message = *out.mutable_addresses();
  for (const std::string& address : act.addresses) message.add_addresses(address);
}

Result<Act> take(const proto::HomeAddresses& message) {
  if (message.addresses_size() > static_cast<int>(kMaxHomeAddresses))
    return impl::bad(kStatement, "too many addresses");
  HomeAddresses act;
  for (const std::string& field : message.addresses()) {
    MHP_TRY(std::string address, take_name(field));
    act.addresses.push_back(std::move(address));
  }
  return act;
}

void put(const Promotion& act, proto::RosterStatement& out) {
  out.mutable_promotion()->set_member(impl::to_field(act.member.bytes()));
}

Result<Act> take(const proto::Promotion& message) {
  Promotion act;
  MHP_TRY(act.member, impl::take_id<MemberId>(message.member(), kStatement));
  return act;
}

void put(const RuleChange& act, proto::RosterStatement& out) {
  to_proto(act.rules, *out.mutable_rules()->mutable_rules());
}

Result<Act> take(const proto::RuleChange& message) {
  RuleChange act;
  MHP_TRY(act.rules, take(message.rules()));
  return act;
}

void put(const Removal& act, proto::RosterStatement& out) {
  auto& message = *out.mutable_removal();
  message.set_what(static_cast<std::uint32_t>(act.what));
  message.set_member(impl::to_field(act.member.bytes()));
  message.set_key(impl::to_field(act.key.bytes()));
  message.mutable_kept()->reserve(32 * act.kept.size());
  for (const StatementId& id : act.kept) impl::append(*message.mutable_kept(), id.bytes());
}

Result<Act> take(const proto::Removal& message) {
  Removal act;
  if (message.what() < 1 || message.what() > 3) return impl::bad(kStatement, "no such removal");
  act.what = static_cast<Removal::What>(message.what());
  MHP_TRY(act.member, impl::take_id<MemberId>(message.member(), kStatement));
  MHP_TRY(act.key, impl::take_id<KeyId>(message.key(), kStatement));
  if (act.key.is_zero() == (act.what == Removal::What::key)) return impl::bad(kStatement, "a removal of no key");
  const std::size_t count = message.kept().size() / 32;
  if (message.kept().size() % 32 != 0 || count > kMaxKept) return impl::bad(kStatement, "number of statements kept");
  act.kept.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto id = impl::id_at<StatementId>(message.kept(), i);
    if (i > 0 && id <= act.kept.back()) return impl::bad(kStatement, "what it keeps does not rise");
    act.kept.push_back(id);
  }
  return act;
}

Result<Act> take_act(const proto::RosterStatement& message) {
  switch (message.act_case()) {
    case proto::RosterStatement::kFounding:
      return take(message.founding());
    case proto::RosterStatement::kTicket:
      return take(message.ticket());
    case proto::RosterStatement::kAdmission:
      return take(message.admission());
    case proto::RosterStatement::kDevice:
      return take(message.device());
    case proto::RosterStatement::kHome:
      return take(message.home());
    case proto::RosterStatement::kAddresses:
      return take(message.addresses());
    case proto::RosterStatement::kPromotion:
      return take(message.promotion());
    case proto::RosterStatement::kRules:
      return take(message.rules());
    case proto::RosterStatement::kRemoval:
      return take(message.removal());
    case proto::RosterStatement::ACT_NOT_SET:
      break;
  }
  return impl::bad(kStatement, "says nothing that is known here");
}

}  // namespace

Bytes encode(const Statement& statement) {
  auto message = impl::make<proto::RosterStatement>();
  message.set_cloud(impl::to_field(statement.cloud.bytes()));
  message.set_member(impl::to_field(statement.member.bytes()));
  message.set_at(statement.at);
  std::visit([&message](const auto& act) { put(act, message); }, statement.act);
  return impl::serialize(message);
}

Result<Statement> parse_statement(ByteView bytes) {
  const impl::Bounds bounds{.what = kStatement, .bytes = kMaxStatementBytes};
  MHP_TRY(const auto message, impl::read<proto::RosterStatement>(bytes, bounds));
  Statement out;
  MHP_TRY(out.cloud, impl::take_id<CloudId>(message.cloud(), kStatement));
  MHP_TRY(out.member, impl::take_id<MemberId>(message.member(), kStatement));
  out.at = message.at();
  if (out.at == 0 || out.at > kMaxAt) return impl::bad(kStatement, "no such place in the order");
  MHP_TRY(out.act, take_act(message));
  if (out.cloud.is_zero() != std::holds_alternative<Founding>(out.act)) return impl::bad(kStatement, "of no cloud");
  return out;
}

StatementId statement_id(const Signed& envelope) {
  auto hash = primitives::Blake3::derived("mhp 1 roster statement id");
  hash.update(envelope.signer).update(envelope.body);
  return StatementId::from_array(hash.finish());
}

CloudId cloud_id_of(const StatementId& founding) { return CloudId::from_bytes(founding.bytes()); }

Bytes encode(const Statements& statements) {
  auto message = impl::make<proto::RosterStatements>();
  for (const Bytes& one : statements.statements) message.add_statements(impl::to_field(one));
  return impl::serialize(message);
}

Result<Statements> parse_statements(ByteView bytes) {
  const impl::Bounds bounds{.what = "roster",
                            .bytes = kMaxRosterBytes + 8 * kMaxRosterStatements + 1_KiB,
                            .fields = kMaxRosterStatements + 1};
  MHP_TRY(const auto message, impl::read<proto::RosterStatements>(bytes, bounds));
  Statements out;
  out.statements.reserve(static_cast<std::size_t>(message.statements_size()));
  std::uint64_t total = 0;
  for (const std::string& one : message.statements()) {
    total += one.size();
    if (one.size() > kMaxStatementBytes || total > kMaxRosterBytes) return impl::bad(bounds.what, "too long");
    out.statements.push_back(to_bytes(as_bytes(one)));
  }
  return out;
}

Bytes encode(const RosterDigest& digest) {
  auto message = impl::make<proto::RosterDigest>();
  message.set_cloud(impl::to_field(digest.cloud.bytes()));
  for (const auto& id : digest.ids) impl::append(*message.mutable_ids(), id);
  return impl::serialize(message);
}

Result<RosterDigest> parse_roster_digest(ByteView bytes) {
  const impl::Bounds bounds{.what = "roster digest", .bytes = kMaxDigestBytes};
  MHP_TRY(const auto message, impl::read<proto::RosterDigest>(bytes, bounds));
  RosterDigest out;
  MHP_TRY(out.cloud, impl::take_id<CloudId>(message.cloud(), bounds.what));
  constexpr std::size_t kShort = sizeof(RosterDigest::ShortId);
  const ByteView column = as_bytes(message.ids());
  if (column.size() % kShort != 0 || column.size() / kShort > kMaxRosterStatements)
    return impl::bad(bounds.what, "number of ids");
  out.ids.resize(column.size() / kShort);
  for (std::size_t i = 0; i < out.ids.size(); ++i) {
    std::ranges::copy(column.subspan(i * kShort, kShort), out.ids[i].begin());
    if (i > 0 && out.ids[i] <= out.ids[i - 1]) return impl::bad(bounds.what, "its ids do not rise");
  }
  return out;
}

Bytes encode(const JoinRequest& request) {
  auto message = impl::make<proto::JoinRequest>();
  message.set_cloud(impl::to_field(request.cloud.bytes()));
  to_proto(request.admission, *message.mutable_admission());
  return impl::serialize(message);
}

Result<JoinRequest> parse_join_request(ByteView bytes) {
  const impl::Bounds bounds{.what = "join request", .bytes = kMaxJoinRequestBytes};
  MHP_TRY(const auto message, impl::read<proto::JoinRequest>(bytes, bounds));
  JoinRequest out;
  MHP_TRY(out.cloud, impl::take_id<CloudId>(message.cloud(), bounds.what));
  MHP_TRY(out.admission, take_admission(message.admission()));
  return out;
}

Bytes proof_of_ticket(const CloudId& cloud, const Admission& admission) {
  Bytes out;
  const auto add = [&out](ByteView bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); };
  add(cloud.bytes());
  add(admission.inviter.bytes());
  add(admission.member.bytes());
  add(as_bytes(admission.name));
  return out;
}

}  // namespace mhp::wire
