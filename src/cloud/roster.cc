// Merging statements, keeping the set small, and the view that follows from it.
#include "cloud/roster.h"

#include <algorithm>
#include <tuple>

#include "base/check.h"

namespace mhp::cloud {
namespace {

using impl::Fact;
using impl::Facts;
using wire::Removal;

template <class Kind>
const Kind* as(const Fact& fact) {
  return std::get_if<Kind>(&fact.statement.act);
}

/// Zeros where there is but one; tickets and admissions never replace each other, so that no right goes with a
/// statement that is left out.
struct SubjectOf {
  KeyId statement;
  KeyId operator()(const wire::Founding&) const { return {}; }
  KeyId operator()(const wire::Ticket&) const { return statement; }
  KeyId operator()(const wire::Admission&) const { return statement; }
  KeyId operator()(const wire::DeviceKey& act) const { return act.device; }
  KeyId operator()(const wire::HomeKey& act) const { return act.key; }
  KeyId operator()(const wire::HomeAddresses&) const { return {}; }
  KeyId operator()(const wire::Promotion& act) const { return as_key(act.member); }
  KeyId operator()(const wire::RuleChange&) const { return {}; }
  KeyId operator()(const Removal& act) const { return act.key; }
};

/// Statements that replace each other: the same signer's on the same matter.
auto matter_of(const Fact& fact) {
  const auto* removal = as<Removal>(fact);
  const MemberId speaker = as<wire::HomeAddresses>(fact) != nullptr ? MemberId() : fact.statement.member;
  const MemberId removed = removal == nullptr ? MemberId() : removal->member;
  return std::tuple(fact.signer, fact.statement.act.index(), removal == nullptr ? Removal::What() : removal->what,
                    speaker, removed, std::visit(SubjectOf{KeyId::from_bytes(fact.id.bytes())}, fact.statement.act));
}

bool proof_fits(const Fact& fact) {
  const auto* admission = as<wire::Admission>(fact);
  if (admission == nullptr || admission->ticket.is_zero()) return true;
  primitives::PublicKey ticket;
  std::ranges::copy(admission->ticket.bytes(), ticket.begin());
  return primitives::verify(ticket, wire::kSignTicket, wire::proof_of_ticket(fact.statement.cloud, *admission),
                            admission->proof);
}

/// Builds the view from what counts.
class Viewer {
 public:
  Viewer(const Facts& facts, const impl::Judgement& judgement) : facts_(facts), judgement_(judgement) {}

  View view() {
    for (const std::size_t place : judgement_.held) {
      const Removal& removal = *as<Removal>(*facts_[place]);
      if (removal.what == Removal::What::member) out_.removed.insert(removal.member);
      if (removal.what == Removal::What::admin_rights) demoted_.insert(removal.member);
      if (removal.what == Removal::What::key) out_.removed_keys.insert({removal.key, removal.member});
    }
    for (std::size_t place = 0; place < facts_.size(); ++place)
      if (judgement_.grants.counts[place]) counting_.push_back(facts_[place]);
    std::ranges::sort(counting_, [](const Fact* a, const Fact* b) { return impl::before(*a, *b); });
    for (const Fact* fact : counting_) add_member(*fact);
    for (const Fact* fact : counting_) add_rest(*fact);
    for (const Fact* fact : counting_) add_addresses(*fact);
    std::erase_if(out_.homes, [](const auto& home) { return home.second.key.is_zero(); });
    for (const Fact* fact : facts_) add_former_home(*fact);
    return std::move(out_);
  }

 private:
  bool is_present(const MemberId& member) const { return out_.members.contains(member); }

  void add_member(const Fact& fact) {
    const auto* founding = as<wire::Founding>(fact);
    const auto* admission = as<wire::Admission>(fact);
    if (founding == nullptr && admission == nullptr) return;
    const MemberId id = founding != nullptr ? fact.statement.member : admission->member;
    if (founding != nullptr) out_.name = founding->name;
    if (founding != nullptr) out_.rules = founding->rules;
    if (out_.removed.contains(id)) return;
    const wire::Role role = demoted_.contains(id) ? wire::Role::member : judgement_.grants.members.at(id);
    out_.members.try_emplace(id, Member{founding != nullptr ? founding->founder_name : admission->name, role, {}});
  }

  /// Later ones replace earlier ones.
  void add_rest(const Fact& fact) {
    const MemberId& speaker = fact.statement.member;
    if (const auto* change = as<wire::RuleChange>(fact); change != nullptr) out_.rules = change->rules;
    if (const auto* ticket = as<wire::Ticket>(fact); ticket != nullptr && is_present(speaker))
      out_.tickets[{speaker, ticket->ticket}].ticket = *ticket;
    if (const auto* device = as<wire::DeviceKey>(fact); device != nullptr && is_present(speaker))
      if (!out_.removed_keys.contains({device->device, speaker})) out_.members[speaker].devices.insert(device->device);
    if (const auto* home = as<wire::HomeKey>(fact); home != nullptr && is_present(speaker))
      if (!out_.removed_keys.contains({home->key, speaker})) homes_[{home->key, speaker}] = home;
  }

  /// A home is there when its own key says whose it is.
  void add_addresses(const Fact& fact) {
    if (const auto* admission = as<wire::Admission>(fact); admission != nullptr && !admission->ticket.is_zero()) {
      const auto ticket = out_.tickets.find({admission->inviter, admission->ticket});
      if (ticket != out_.tickets.end()) ticket->second.used_by = admission->member;
    }
    const auto* said = as<wire::HomeAddresses>(fact);
    const auto home = said == nullptr ? homes_.end() : homes_.find({fact.signer, fact.statement.member});
    if (home == homes_.end()) return;
    primitives::PublicKey key;
    std::ranges::copy(fact.signer.bytes(), key.begin());
    const wire::HomeKey& entry = *home->second;
    out_.homes[primitives::home_id_of(key)] =
        Home{entry.key, fact.statement.member, entry.name, entry.lend_bytes, entry.anchor, said->addresses};
  }

  /// Whether it counts or not: but only its own key says whose it was, so that nobody can name another's home.
  void add_former_home(const Fact& fact) {
    const auto* said = as<wire::HomeAddresses>(fact);
    const MemberId& speaker = fact.statement.member;
    if (said == nullptr) return;
    if (!out_.removed.contains(speaker) && !out_.removed_keys.contains({fact.signer, speaker})) return;
    primitives::PublicKey key;
    std::ranges::copy(fact.signer.bytes(), key.begin());
    const HomeId home = primitives::home_id_of(key);
    if (!out_.homes.contains(home))
      out_.former_homes[home] = Home{.key = fact.signer, .member = speaker, .addresses = said->addresses};
  }

  const Facts& facts_;
  const impl::Judgement& judgement_;
  std::vector<const Fact*> counting_;
  std::set<MemberId> demoted_;
  std::map<std::pair<KeyId, MemberId>, const wire::HomeKey*> homes_;
  View out_;
};

}  // namespace

bool View::is_admin(const MemberId& member) const {
  const auto found = members.find(member);
  return found != members.end() && found->second.role == wire::Role::admin;
}

Result<Roster::Entry> Roster::read(ByteView encoded) {
  MHP_TRY(const wire::Signed envelope, wire::parse_signed(encoded, wire::kMaxStatementBytes));
  Entry entry{.encoded = wire::encode(envelope), .fact = {}};
  entry.fact.id = wire::statement_id(envelope);
  entry.fact.signer = as_key(envelope.signer);
  MHP_TRY(entry.fact.statement, wire::parse_statement(envelope.body));
  if (!wire::verify(envelope, wire::kSignStatement)) return fail(Errc::denied, "roster: the signature is not good");
  if (!proof_fits(entry.fact)) return fail(Errc::denied, "roster: an admission's proof does not fit its ticket");
  return entry;
}

Result<Roster> Roster::found(ByteView founding) {
  MHP_TRY(Entry entry, read(founding));
  if (as<wire::Founding>(entry.fact) == nullptr || entry.fact.signer != as_key(entry.fact.statement.member))
    return fail(Errc::invalid, "roster: not the founding of a cloud");
  Roster out;
  out.cloud_ = wire::cloud_id_of(entry.fact.id);
  const StatementId id = entry.fact.id;
  out.entries_.emplace(id, std::move(entry));
  out.judge();
  return out;
}

Result<Roster> Roster::open(const CloudId& cloud, const wire::Statements& statements) {
  for (const Bytes& encoded : statements.statements) {
    const auto envelope = wire::parse_signed(encoded, wire::kMaxStatementBytes);
    if (!envelope || wire::cloud_id_of(wire::statement_id(*envelope)) != cloud) continue;
    MHP_TRY(Roster out, found(encoded));
    out.merge(statements.statements);
    return out;
  }
  return fail(Errc::not_found, "roster: the founding of this cloud is not in it");
}

impl::Facts Roster::facts_of(const Entries& entries) {
  Facts out;
  out.reserve(entries.size());
  for (const auto& [id, entry] : entries) out.push_back(&entry.fact);
  return out;
}

Merged Roster::merge(std::span<const Bytes> statements) {
  Merged out;
  std::set<StatementId> offered;
  for (const Bytes& encoded : statements) {
    const auto envelope = wire::parse_signed(encoded, wire::kMaxStatementBytes);
    if (envelope && entries_.contains(wire::statement_id(*envelope))) continue;  // spares the signature
    auto entry = read(encoded);
    if (!entry) {
      out.refused.push_back({{}, entry.error().detail});
      continue;
    }
    const StatementId id = entry->fact.id;
    if (entry->fact.statement.cloud != cloud_) {
      out.refused.push_back({id, "of another cloud"});
    } else if (entries_.emplace(id, std::move(*entry)).second) {
      offered.insert(id);
    }
  }
  if (offered.empty()) return out;

  const Facts facts = facts_of(entries_);
  const impl::Grants ever = impl::ever_granted(facts);
  for (std::size_t place = 0; place < facts.size(); ++place) {
    const StatementId id = facts[place]->id;  // a copy: its entry may go
    if (ever.counts[place] || !offered.contains(id)) continue;
    out.refused.push_back({id, impl::objection(*facts[place], ever)});
    offered.erase(id);
    entries_.erase(id);
  }
  compact(entries_, ever);
  fit(entries_);
  judge();
  for (const StatementId& id : offered) {
    if (!entries_.contains(id)) {
      out.refused.push_back({id, "a newer one replaces it, or the roster is full"});
      continue;
    }
    out.fresh.push_back(id);
    if (!counting_.contains(id)) out.idle.push_back(id);
  }
  return out;
}

/// Of statements on one matter the newest stays; of one member's as many of the earliest as a member or an admin may
/// have. What another's removal keeps stays in any case, or else whom it removed could replace it afterwards.
void Roster::compact(Entries& entries, const impl::Grants& ever) {
  std::map<decltype(matter_of(std::declval<Fact>())), const Fact*> newest;
  for (const auto& [id, entry] : entries) {
    const Fact*& fact = newest.try_emplace(matter_of(entry.fact), &entry.fact).first->second;
    if (impl::before(*fact, entry.fact)) fact = &entry.fact;
  }
  std::map<MemberId, std::vector<const Fact*>> by_member;
  for (const auto& [matter, fact] : newest) by_member[fact->statement.member].push_back(fact);
  std::vector<const Fact*> staying;
  for (auto& [member, facts] : by_member) {
    const auto role = ever.members.find(member);
    const bool admin = role != ever.members.end() && role->second == wire::Role::admin;
    std::size_t count = admin ? wire::kMaxAdminStatements : wire::kMaxMemberStatements;
    std::uint64_t bytes = admin ? wire::kMaxAdminBytes : wire::kMaxMemberBytes;
    std::ranges::sort(facts, [](const Fact* a, const Fact* b) { return impl::before(*a, *b); });
    for (const Fact* fact : facts) {
      const std::uint64_t size = entries.at(fact->id).encoded.size();
      if (count == 0 || size > bytes) break;
      --count;
      bytes -= size;
      staying.push_back(fact);
    }
  }
  std::set<StatementId> stay;
  while (!staying.empty()) {
    const Fact& fact = *staying.back();
    staying.pop_back();
    const auto* removal = stay.insert(fact.id).second ? as<Removal>(fact) : nullptr;
    if (removal == nullptr || removal->member == fact.statement.member) continue;
    for (const StatementId& kept : removal->kept) {
      const auto found = entries.find(kept);
      if (found != entries.end() && found->second.fact.statement.member == removal->member)
        staying.push_back(&found->second.fact);
    }
  }
  std::erase_if(entries, [&stay](const auto& entry) { return !stay.contains(entry.first); });
}

/// Over the limits, what does not count goes first, then what members said before what admins said, the latest first.
void Roster::fit(Entries& entries) {
  std::uint64_t bytes = 0;
  for (const auto& [id, entry] : entries) bytes += entry.encoded.size();
  if (bytes <= wire::kMaxRosterBytes && entries.size() <= wire::kMaxRosterStatements) return;
  const Facts facts = facts_of(entries);
  const impl::Judgement judgement = impl::judge(facts);
  std::vector<std::size_t> order(facts.size());
  for (std::size_t place = 0; place < order.size(); ++place) order[place] = place;
  const auto weight = [&](std::size_t place) {
    const auto member = judgement.grants.members.find(facts[place]->statement.member);
    const bool admin = member != judgement.grants.members.end() && member->second == wire::Role::admin;
    return judgement.grants.counts[place] ? (admin ? 0 : 1) : 2;
  };
  std::ranges::sort(order, [&](std::size_t a, std::size_t b) {
    const int difference = weight(a) - weight(b);
    return difference != 0 ? difference < 0 : impl::before(*facts[a], *facts[b]);
  });
  std::set<StatementId> stay;
  bytes = 0;
  for (const std::size_t place : order) {
    bytes += entries.at(facts[place]->id).encoded.size();
    if (bytes > wire::kMaxRosterBytes || stay.size() == wire::kMaxRosterStatements) break;
    stay.insert(facts[place]->id);
  }
  std::erase_if(entries, [&stay](const auto& entry) { return !stay.contains(entry.first); });
}

void Roster::judge() {
  const Facts facts = facts_of(entries_);
  const impl::Judgement judgement = impl::judge(facts);
  counting_.clear();
  for (std::size_t place = 0; place < facts.size(); ++place)
    if (judgement.grants.counts[place]) counting_.insert(facts[place]->id);
  view_ = Viewer(facts, judgement).view();
}

wire::Statements Roster::statements() const {
  wire::Statements out;
  for (const auto& [id, entry] : entries_) out.statements.push_back(entry.encoded);
  return out;
}

namespace {

wire::RosterDigest::ShortId short_of(const StatementId& id) {
  wire::RosterDigest::ShortId out;
  std::copy_n(id.bytes().begin(), out.size(), out.begin());
  return out;
}

}  // namespace

wire::RosterDigest Roster::digest() const {
  wire::RosterDigest out{.cloud = cloud_};
  for (const auto& [id, entry] : entries_) out.ids.push_back(short_of(id));
  const auto [first, last] = std::ranges::unique(out.ids);
  out.ids.erase(first, last);
  return out;
}

wire::Statements Roster::missing_of(const wire::RosterDigest& other) const {
  wire::Statements out;
  if (other.cloud != cloud_) return out;
  for (const auto& [id, entry] : entries_)
    if (!std::ranges::binary_search(other.ids, short_of(id))) out.statements.push_back(entry.encoded);
  return out;
}

Bytes Roster::say(const primitives::SigningKey& key, const MemberId& member, wire::Act act) const {
  // Above what this key said, whether it counts or not (it may have spoken for who is out, and is replaced); above what
  // the member said, and what admins said that comes in an order. Others' numbers may be anything.
  std::uint64_t at = 1;
  for (const auto& [id, entry] : entries_) {
    const Fact& fact = entry.fact;
    const bool ordered = as<wire::Admission>(fact) != nullptr || as<wire::RuleChange>(fact) != nullptr;
    const bool counts_here = counting_.contains(id) && (ordered || fact.statement.member == member);
    if (counts_here || fact.signer == as_key(key.public_key())) at = std::max(at, fact.statement.at);
  }
  const wire::Statement statement{cloud_, member, std::min(at + 1, wire::kMaxAt), std::move(act)};
  return wire::encode(wire::sign(key, wire::kSignStatement, wire::encode(statement)));
}

Removal Roster::removal(Removal::What what, const MemberId& member, const KeyId& key) const {
  Removal out{.what = what, .member = member, .key = key, .kept = {}};
  for (const StatementId& id : counting_) {
    const Fact& fact = entries_.at(id).fact;
    if (fact.statement.member != member || (what == Removal::What::key && fact.signer != key)) continue;
    if (as<wire::HomeAddresses>(fact) != nullptr || as<wire::Founding>(fact) != nullptr) continue;
    if (out.kept.size() < wire::kMaxKept) out.kept.push_back(id);
  }
  return out;
}

std::optional<KeyId> Roster::admitted_by(const MemberId& member) const {
  const Fact* first = nullptr;
  for (const StatementId& id : counting_) {
    const Fact& fact = entries_.at(id).fact;
    const auto* admission = as<wire::Admission>(fact);
    if (admission == nullptr || admission->member != member) continue;
    if (first == nullptr || impl::before(fact, *first)) first = &fact;
  }
  return first == nullptr ? std::nullopt : std::optional(first->signer);
}

Bytes found_cloud(const primitives::SigningKey& founder, wire::Founding founding) {
  const wire::Statement statement{{}, as_member(founder.public_key()), 1, std::move(founding)};
  return wire::encode(wire::sign(founder, wire::kSignStatement, wire::encode(statement)));
}

}  // namespace mhp::cloud
