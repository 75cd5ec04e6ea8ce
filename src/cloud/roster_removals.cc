// Who was taken out, by whom, and the statements that show it to the one it is about.
#include <algorithm>

#include "cloud/impl/grounds.h"
#include "cloud/roster.h"

namespace mhp::cloud {
namespace {

using wire::Removal;

const Removal* removal_in(const impl::Fact& fact) { return std::get_if<Removal>(&fact.statement.act); }

bool takes_out(const Removal& removal, const MemberId& member, const KeyId& computer) {
  if (removal.member != member) return false;
  return removal.what == Removal::What::member ||
         (removal.what == Removal::What::key && !computer.is_zero() && removal.key == computer);
}

}  // namespace

std::vector<TakenOut> Roster::taken_out(const MemberId& member, const KeyId& computer) const {
  std::vector<const impl::Fact*> found;
  for (const StatementId& id : counting_) {
    const impl::Fact& fact = entries_.at(id).fact;
    const Removal* removal = removal_in(fact);
    if (removal != nullptr && takes_out(*removal, member, computer)) found.push_back(&fact);
  }
  std::ranges::sort(found, [](const auto* a, const auto* b) { return impl::before(*a, *b); });
  std::vector<TakenOut> out;
  for (const impl::Fact* fact : found) out.push_back({fact->id, fact->statement.member, removal_in(*fact)->what});
  return out;
}

wire::Removal Roster::removal_in_answer(const MemberId& self, const MemberId& other) const {
  Removal out = removal(Removal::What::member, other);
  std::erase_if(out.kept, [&](const StatementId& id) {
    const Removal* said = removal_in(entries_.at(id).fact);
    return said != nullptr && said->member == self && said->what != Removal::What::key;  // a thief may have that one
  });
  return out;
}

namespace {

/// What decides whose words count where some do not: all removals, and the admissions by tickets that several used.
std::set<std::size_t> disputes(const impl::Facts& facts) {
  std::map<std::pair<MemberId, TicketId>, std::vector<std::size_t>> uses;
  std::set<std::size_t> out;
  for (std::size_t place = 0; place < facts.size(); ++place) {
    const auto* admission = std::get_if<wire::Admission>(&facts[place]->statement.act);
    if (admission != nullptr && !admission->ticket.is_zero())
      uses[{admission->inviter, admission->ticket}].push_back(place);
    if (removal_in(*facts[place]) != nullptr) out.insert(place);
  }
  for (const auto& [ticket, places] : uses)
    if (places.size() > 1) out.insert(places.begin(), places.end());
  return out;
}

/// Whether `removals` are in effect also for who knows all but the others in effect (`all_removals`) that are not
/// `given`.
bool hold_without(const impl::Facts& facts, const std::set<std::size_t>& all_removals,
                  const std::set<std::size_t>& given, const std::set<std::size_t>& removals) {
  impl::Facts known;
  std::set<const impl::Fact*> wanted;
  for (std::size_t place = 0; place < facts.size(); ++place) {
    if (!all_removals.contains(place) || given.contains(place)) known.push_back(facts[place]);
    if (removals.contains(place)) wanted.insert(facts[place]);
  }
  const impl::Judgement judgement = impl::judge(known);
  const auto held = std::ranges::count_if(judgement.held, [&](std::size_t at) { return wanted.contains(known[at]); });
  return static_cast<std::size_t>(held) == wanted.size();
}

}  // namespace

wire::Statements Roster::grounds_of(const std::vector<TakenOut>& removals) const {
  const impl::Facts facts = facts_of(entries_);
  std::vector<bool> counts(facts.size());
  std::set<std::size_t> wanted;
  std::set<std::size_t> counting_removals;
  bool is_any_idle = false;
  for (std::size_t place = 0; place < facts.size(); ++place) {
    counts[place] = counting_.contains(facts[place]->id);
    if (removal_in(*facts[place]) == nullptr) continue;
    if (counts[place]) counting_removals.insert(place);
    is_any_idle = is_any_idle || !counts[place];
    if (std::ranges::find(removals, facts[place]->id, &TakenOut::id) != removals.end()) wanted.insert(place);
  }
  std::set<std::size_t> given = impl::grounds_of(facts, counts, {wanted.begin(), wanted.end()});
  if (is_any_idle && !hold_without(facts, counting_removals, given, wanted)) {
    const std::set<std::size_t> all = disputes(facts);
    given = impl::grounds_of(facts, std::vector<bool>(facts.size(), true), {all.begin(), all.end()});
  }
  wire::Statements out;
  for (const std::size_t place : given) out.statements.push_back(entries_.at(facts[place]->id).encoded);
  return out;
}

wire::Statements Roster::answer_to(const wire::Statements& removals) const {
  std::set<StatementId> heard;
  std::set<MemberId> who;
  for (const Bytes& encoded : removals.statements) {
    const auto envelope = wire::parse_signed(encoded, wire::kMaxStatementBytes);
    if (!envelope) continue;
    const auto [id, is_new] = heard.insert(wire::statement_id(*envelope));
    const auto known = entries_.find(*id);
    if (is_new && known != entries_.end() && removal_in(known->second.fact) != nullptr)
      who.insert(known->second.fact.statement.member);
  }
  std::vector<TakenOut> answer;
  for (const MemberId& one : who) {
    for (const TakenOut& removal : taken_out(one, {}))
      if (!heard.contains(removal.id)) answer.push_back(removal);
  }
  wire::Statements out;
  if (answer.empty()) return out;
  for (Bytes& encoded : grounds_of(answer).statements) {
    const auto envelope = wire::parse_signed(encoded, wire::kMaxStatementBytes);
    if (!heard.contains(wire::statement_id(*envelope))) out.statements.push_back(std::move(encoded));
  }
  return out;
}

std::vector<Bytes> Roster::that_count(std::span<const Bytes> statements) const {
  Roster with = *this;
  const Merged merged = with.merge(statements);
  const std::set<StatementId> fresh(merged.fresh.begin(), merged.fresh.end());
  std::vector<Bytes> out;
  for (const StatementId& id : fresh)
    if (with.counting_.contains(id)) out.push_back(with.entries_.at(id).encoded);
  return out;
}

std::string Roster::name_of(const MemberId& member) const {
  const auto present = view_.members.find(member);
  if (present != view_.members.end()) return present->second.name;
  const impl::Fact* first = nullptr;
  for (const StatementId& id : counting_) {
    const impl::Fact& fact = entries_.at(id).fact;
    const auto* admission = std::get_if<wire::Admission>(&fact.statement.act);
    const bool is_founder =
        std::holds_alternative<wire::Founding>(fact.statement.act) && fact.statement.member == member;
    if (is_founder) return std::get<wire::Founding>(fact.statement.act).founder_name;
    if (admission == nullptr || admission->member != member) continue;
    if (first == nullptr || impl::before(fact, *first)) first = &fact;
  }
  return first == nullptr ? "" : std::get<wire::Admission>(first->statement.act).name;
}

}  // namespace mhp::cloud
