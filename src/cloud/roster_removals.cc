// Who was taken out, by whom, and the statements that show it to the one it is about.
#include <algorithm>
#include <iterator>

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

Roster::Farewell Roster::farewell(const primitives::SigningKey& key, const MemberId& self,
                                  const MemberId& successor) const {
  Farewell out{.removal = removal(Removal::What::member, self),
               .promotion = say(key, self, wire::Promotion{successor})};
  const auto envelope = wire::parse_signed(out.promotion, wire::kMaxStatementBytes);
  auto& kept = out.removal.kept;
  if (kept.size() == wire::kMaxKept) kept.pop_back();
  const StatementId id = wire::statement_id(*envelope);
  kept.insert(std::ranges::lower_bound(kept, id), id);
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

/// What follows for who knows only some of the facts.
class Partial {
 public:
  Partial(const impl::Facts& facts, const std::set<std::size_t>& known) : places_(known.begin(), known.end()) {
    for (const std::size_t place : places_) known_.push_back(facts[place]);
    judgement_ = impl::judge(known_);
    for (const std::size_t at : judgement_.held) held_.insert(places_[at]);
  }
  /// Removals in effect, by their places among all facts.
  const std::set<std::size_t>& held() const { return held_; }
  bool holds(const std::set<std::size_t>& removals) const { return std::ranges::includes(held_, removals); }
  /// Who carries these removals: their signers, who made those what they are, and so on.
  std::set<MemberId> carriers_of(const std::set<std::size_t>& removals) const {
    std::vector<std::size_t> wanted;
    for (std::size_t at = 0; at < places_.size(); ++at)
      if (removals.contains(places_[at])) wanted.push_back(at);
    std::set<MemberId> out;
    for (const std::size_t at : impl::grounds_of(known_, judgement_.grants.counts, wanted))
      out.insert(known_[at]->statement.member);
    return out;
  }

 private:
  const std::vector<std::size_t> places_;
  impl::Facts known_;
  impl::Judgement judgement_;
  std::set<std::size_t> held_;
};

std::set<std::size_t> joined(std::set<std::size_t> one, const std::set<std::size_t>& other) {
  one.insert(other.begin(), other.end());
  return one;
}

std::set<std::size_t> grounds_of(const impl::Facts& facts, const std::vector<bool>& counts,
                                 const std::set<std::size_t>& wanted) {
  return impl::grounds_of(facts, counts, {wanted.begin(), wanted.end()});
}

/// All that is disputed, with what it rests on, whether that counts or not.
std::set<std::size_t> all_disputes(const impl::Facts& facts) {
  return grounds_of(facts, std::vector<bool>(facts.size(), true), disputes(facts));
}

}  // namespace

Roster::Dispute Roster::dispute_about(const std::vector<TakenOut>& removals) const {
  Dispute out{.facts = facts_of(entries_), .counts = {}, .wanted = {}, .in_effect = {}};
  for (std::size_t place = 0; place < out.facts.size(); ++place) {
    const StatementId& id = out.facts[place]->id;
    out.counts.push_back(counting_.contains(id));
    if (removal_in(*out.facts[place]) == nullptr) continue;
    if (out.counts[place]) out.in_effect.insert(place);
    if (!out.counts[place]) out.is_any_idle = true;
    if (std::ranges::find(removals, id, &TakenOut::id) != removals.end()) out.wanted.insert(place);
  }
  return out;
}

/// For who knows all but the other removals in effect.
std::set<std::size_t> Roster::told_of(const Dispute& about) {
  const std::set<std::size_t> grounds = cloud::grounds_of(about.facts, about.counts, about.wanted);
  if (!about.is_any_idle) return grounds;
  std::set<std::size_t> known;
  for (std::size_t place = 0; place < about.facts.size(); ++place)
    if (!about.in_effect.contains(place) || grounds.contains(place)) known.insert(place);
  return Partial(about.facts, known).holds(about.wanted) ? grounds : all_disputes(about.facts);
}

wire::Statements Roster::encoded_at(const impl::Facts& facts, const std::set<std::size_t>& places) const {
  wire::Statements out;
  for (const std::size_t place : places) out.statements.push_back(entries_.at(facts[place]->id).encoded);
  return out;
}

wire::Statements Roster::grounds_of(const std::vector<TakenOut>& removals) const {
  const Dispute about = dispute_about(removals);
  return encoded_at(about.facts, told_of(about));
}

wire::Statements Roster::further_grounds_of(const std::vector<TakenOut>& removals,
                                            const wire::RosterDigest& known) const {
  const Dispute about = dispute_about(removals);
  const wire::Statements missing = missing_of(known);
  std::set<StatementId> unknown;
  for (const Bytes& encoded : missing.statements)
    unknown.insert(wire::statement_id(*wire::parse_signed(encoded, wire::kMaxStatementBytes)));
  std::set<std::size_t> at_hand = told_of(about);
  for (std::size_t place = 0; place < about.facts.size(); ++place)
    if (!unknown.contains(about.facts[place]->id)) at_hand.insert(place);
  std::set<std::size_t> given;
  for (;;) {
    const Partial theirs(about.facts, joined(at_hand, given));
    if (theirs.holds(about.wanted)) return encoded_at(about.facts, given);
    std::set<std::size_t> wrong;  // in effect there, and not here
    std::ranges::set_difference(theirs.held(), about.in_effect, std::inserter(wrong, wrong.end()));
    const std::set<MemberId> who = theirs.carriers_of(wrong);
    std::set<std::size_t> overruling;
    for (const std::size_t place : about.in_effect)
      if (who.contains(removal_in(*about.facts[place])->member)) overruling.insert(place);
    std::set<std::size_t> more = cloud::grounds_of(about.facts, about.counts, overruling);
    const auto is_news = [&](const std::set<std::size_t>& places) {
      return !std::ranges::includes(joined(at_hand, given), places);
    };
    if (!is_news(more)) more = cloud::grounds_of(about.facts, about.counts, about.in_effect);
    if (!is_news(more)) more = all_disputes(about.facts);
    if (!is_news(more)) return encoded_at(about.facts, given);
    for (const std::size_t place : more)
      if (!at_hand.contains(place)) given.insert(place);
  }
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
