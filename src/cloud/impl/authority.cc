// Rights grow from the founder; removals cut what their signers had not seen; of circles the most senior hold.
#include "cloud/impl/authority.h"

#include <algorithm>
#include <climits>
#include <tuple>
#include <unordered_map>

#include "base/check.h"

namespace mhp::cloud::impl {
namespace {

using wire::Removal;
using wire::Role;

KeyId as_key(const MemberId& member) { return KeyId::from_bytes(member.bytes()); }

/// With what a statement's signer speaks for its member. A later one may all that an earlier one may.
enum class Voice { none, home, device, member };

Voice voice_of(const Fact& fact, const Grants& grants) {
  const MemberId& member = fact.statement.member;
  if (!grants.members.contains(member)) return Voice::none;
  if (fact.signer == as_key(member)) return Voice::member;
  if (grants.devices.contains({fact.signer, member})) return Voice::device;
  if (grants.homes.contains({fact.signer, member})) return Voice::home;
  return Voice::none;
}

/// Who speaks, as each kind of act asks for it.
struct Speaker {
  const Fact& fact;
  const Grants& grants;
  Voice voice;
  bool admin;

  const char* operator()(const wire::Founding&) const { return nullptr; }  // its hash is the cloud's id
  const char* operator()(const wire::Ticket& ticket) const {
    if (voice < Voice::device) return "a home's key gives no tickets";
    return admin || ticket.role == Role::member ? nullptr : "only an admin invites an admin";
  }
  const char* operator()(const wire::Admission& admission) const {
    if (!admin) return "only an admin admits";
    const bool known = admission.ticket.is_zero() || grants.tickets.contains({admission.inviter, admission.ticket});
    return known ? nullptr : "no such ticket";
  }
  const char* operator()(const wire::DeviceKey&) const {
    return voice == Voice::member ? nullptr : "only the member's own key enrolls a device";
  }
  const char* operator()(const wire::HomeKey&) const {
    return voice >= Voice::device ? nullptr : "a home's key enrolls no homes";
  }
  const char* operator()(const wire::HomeAddresses&) const {
    return voice == Voice::home ? nullptr : "only a home tells its addresses";
  }
  const char* operator()(const wire::Promotion& promotion) const {
    if (!admin || voice < Voice::device) return "only an admin promotes";
    return grants.members.contains(promotion.member) ? nullptr : "not a member";
  }
  const char* operator()(const wire::RuleChange&) const {
    return admin && voice >= Voice::device ? nullptr : "only an admin changes the rules";
  }
  const char* operator()(const Removal& removal) const {
    const MemberId& member = fact.statement.member;
    if (removal.member != member) return admin && voice >= Voice::device ? nullptr : "only an admin removes others";
    // A device may be stolen: it takes out homes, but not the member or its other devices.
    const bool own_home = removal.what == Removal::What::key && grants.homes.contains({removal.key, member});
    const bool may = voice == Voice::member || (voice == Voice::device && own_home);
    return may ? nullptr : "only a member's own key leaves, or takes out its devices";
  }
};

const Removal& removal_at(const Facts& facts, std::size_t place) {
  return std::get<Removal>(facts[place]->statement.act);
}

/// What removals in effect leave of a statement's right to be heard.
enum class Standing { full, demoted, cut };

/// True where `removal` has its effect on `fact`: it is about its member (and key), and does not keep it. Who leaves
/// does not take that back by leaving.
bool reaches(const Removal& removal, const Fact& fact) {
  if (std::holds_alternative<wire::Founding>(fact.statement.act)) return false;
  if (&removal == std::get_if<Removal>(&fact.statement.act)) return false;
  if (removal.member != fact.statement.member) return false;
  if (removal.what == Removal::What::key && removal.key != fact.signer) return false;
  return !std::ranges::binary_search(removal.kept, fact.id);
}

std::vector<Standing> standings(const Facts& facts, const std::set<std::size_t>& held) {
  std::unordered_multimap<MemberId, const Removal*, IdHash> by_member;
  for (const std::size_t place : held) {
    const Removal& removal = removal_at(facts, place);
    by_member.emplace(removal.member, &removal);
  }
  std::vector<Standing> out(facts.size(), Standing::full);
  for (std::size_t place = 0; place < facts.size() && !held.empty(); ++place) {
    const auto [first, last] = by_member.equal_range(facts[place]->statement.member);
    for (auto at = first; at != last; ++at) {
      if (!reaches(*at->second, *facts[place])) continue;
      const bool rights_only = at->second->what == Removal::What::admin_rights;
      out[place] = std::max(out[place], rights_only ? Standing::demoted : Standing::cut);
    }
  }
  return out;
}

/// Of each ticket, the one admission that counts.
using Uses = std::map<std::pair<MemberId, TicketId>, std::size_t>;

const wire::Admission* with_ticket(const Fact& fact) {
  const auto* admission = std::get_if<wire::Admission>(&fact.statement.act);
  return admission != nullptr && !admission->ticket.is_zero() ? admission : nullptr;
}

/// All that counts, from the founding on, until nothing more does.
Grants settle(const Facts& facts, const std::vector<Standing>& standing, const Uses* uses) {
  Grants grants;
  grants.counts.resize(facts.size());
  for (bool grew = true; grew;) {
    grew = false;
    for (std::size_t place = 0; place < facts.size(); ++place) {
      const Fact& fact = *facts[place];
      if (grants.counts[place] || standing[place] == Standing::cut) continue;
      if (objection(fact, grants, standing[place] == Standing::demoted) != nullptr) continue;
      const wire::Admission* used = uses != nullptr ? with_ticket(fact) : nullptr;
      if (used != nullptr && uses->at({used->inviter, used->ticket}) != place) continue;
      grants.counts[place] = true;
      grant(fact, grants);
      grew = true;
    }
  }
  return grants;
}

/// What counts with just these removals in effect, each ticket used once: by the first of the admissions that would
/// count, were they all allowed.
Grants settle(const Facts& facts, const std::set<std::size_t>& held) {
  const std::vector<Standing> standing = standings(facts, held);
  Grants grants = settle(facts, standing, nullptr);
  Uses uses;
  bool twice = false;
  for (std::size_t place = 0; place < facts.size(); ++place) {
    const wire::Admission* admission = grants.counts[place] ? with_ticket(*facts[place]) : nullptr;
    if (admission == nullptr) continue;
    const auto [use, first] = uses.try_emplace({admission->inviter, admission->ticket}, place);
    if (!first && before(*facts[place], *facts[use->second])) use->second = place;
    twice = twice || !first;
  }
  return twice ? settle(facts, standing, &uses) : grants;
}

std::set<std::size_t> counting(const std::set<std::size_t>& removals, const Grants& grants) {
  std::set<std::size_t> out;
  for (const std::size_t place : removals)
    if (grants.counts[place]) out.insert(place);
  return out;
}

/// attacks[a][b]: with removal a in effect, removal b does not count.
using Attacks = std::vector<std::vector<bool>>;

Attacks attacks_among(const Facts& facts, const std::set<std::size_t>& held, const Grants& now,
                      const std::vector<std::size_t>& pending) {
  Attacks out(pending.size(), std::vector<bool>(pending.size()));
  for (std::size_t a = 0; a < pending.size(); ++a) {
    const Removal& removal = removal_at(facts, pending[a]);
    bool cuts = false;
    for (std::size_t place = 0; place < facts.size() && !cuts; ++place)
      cuts = now.counts[place] && reaches(removal, *facts[place]);
    if (!cuts) continue;  // spares the work below for all but removals of those who did something
    std::set<std::size_t> with = held;
    with.insert(pending[a]);
    const Grants then = settle(facts, with);
    for (std::size_t b = 0; b < pending.size(); ++b) out[a][b] = !then.counts[pending[b]];
  }
  return out;
}

/// All that `from` attacks, and these attack, and so on; or, backward, all that attack it so. `from` is among them.
std::vector<bool> reached(const Attacks& attacks, std::size_t from, bool backward) {
  std::vector<bool> out(attacks.size());
  std::vector<std::size_t> open{from};
  out[from] = true;
  while (!open.empty()) {
    const std::size_t at = open.back();
    open.pop_back();
    for (std::size_t to = 0; to < attacks.size(); ++to) {
      if (out[to] || !(backward ? attacks[to][at] : attacks[at][to])) continue;
      out[to] = true;
      open.push_back(to);
    }
  }
  return out;
}

/// How many admins stand between each admin and the founder, himself counted.
std::map<MemberId, unsigned> ranks(const Facts& facts, const Grants& grants) {
  std::map<MemberId, unsigned> out;
  for (bool moved = true; moved;) {
    moved = false;
    const auto stand_below = [&](const MemberId& member, const MemberId& above) {
      const auto from = out.find(above);
      if (from == out.end()) return;
      const auto [at, first] = out.try_emplace(member, from->second + 1);
      moved = moved || first || at->second > from->second + 1;
      at->second = std::min(at->second, from->second + 1);
    };
    for (std::size_t place = 0; place < facts.size(); ++place) {
      const wire::Statement& statement = facts[place]->statement;
      if (!grants.counts[place]) continue;
      if (std::holds_alternative<wire::Founding>(statement.act)) moved |= out.try_emplace(statement.member, 0).second;
      if (const auto* up = std::get_if<wire::Promotion>(&statement.act); up != nullptr)
        stand_below(up->member, statement.member);
      const wire::Admission* admission = with_ticket(*facts[place]);
      if (admission != nullptr && grants.tickets.at({admission->inviter, admission->ticket}) == Role::admin)
        stand_below(admission->member, admission->inviter);
    }
  }
  return out;
}

/// What becomes of removals none of which is safe from the others.
struct Front {
  std::set<std::size_t> held;
  std::set<std::size_t> fallen;  // take away what they stand on themselves
};

/// Of a circle that no removal outside it attacks, those by the admins closest to the founder are held.
Front front_of(const Facts& facts, const std::set<std::size_t>& held, const std::set<std::size_t>& pending_set) {
  const std::vector<std::size_t> pending(pending_set.begin(), pending_set.end());
  const Grants now = settle(facts, held);
  const Attacks attacks = attacks_among(facts, held, now, pending);
  Front out;
  for (std::size_t i = 0; i < pending.size(); ++i)
    if (attacks[i][i]) out.fallen.insert(pending[i]);
  if (!out.fallen.empty()) return out;

  std::vector<bool> circle;
  for (std::size_t one = 0; one < pending.size();) {
    circle = reached(attacks, one, true);
    const std::vector<bool> attacked = reached(attacks, one, false);
    one = 0;  // next: one that attacks the circle and is not attacked back, so is closer to the front
    while (one < pending.size() && (!circle[one] || attacked[one])) ++one;
  }
  const std::map<MemberId, unsigned> rank = ranks(facts, now);
  const auto rank_of = [&](std::size_t place) {
    const auto found = rank.find(facts[place]->statement.member);
    return found == rank.end() ? UINT_MAX : found->second;  // no admin: it leaves, or takes out a key of its own
  };
  unsigned first = UINT_MAX;
  for (std::size_t i = 0; i < pending.size(); ++i)
    if (circle[i]) first = std::min(first, rank_of(pending[i]));
  for (std::size_t i = 0; i < pending.size(); ++i)
    if (circle[i] && rank_of(pending[i]) == first) out.held.insert(pending[i]);
  return out;
}

}  // namespace

void grant(const Fact& fact, Grants& grants) {
  const MemberId& speaker = fact.statement.member;
  const auto raise = [](Role& role, Role to) { role = std::max(role, to); };
  if (const auto* founding = std::get_if<wire::Founding>(&fact.statement.act); founding != nullptr) {
    grants.members[speaker] = Role::admin;
  } else if (const auto* ticket = std::get_if<wire::Ticket>(&fact.statement.act); ticket != nullptr) {
    raise(grants.tickets[{speaker, ticket->ticket}], ticket->role);
  } else if (const auto* admission = std::get_if<wire::Admission>(&fact.statement.act); admission != nullptr) {
    const auto found = grants.tickets.find({admission->inviter, admission->ticket});
    raise(grants.members[admission->member], found == grants.tickets.end() ? Role::member : found->second);
  } else if (const auto* device = std::get_if<wire::DeviceKey>(&fact.statement.act); device != nullptr) {
    grants.devices.insert({device->device, speaker});
  } else if (const auto* home = std::get_if<wire::HomeKey>(&fact.statement.act); home != nullptr) {
    grants.homes.insert({home->key, speaker});
  } else if (const auto* promotion = std::get_if<wire::Promotion>(&fact.statement.act); promotion != nullptr) {
    raise(grants.members[promotion->member], Role::admin);
  }
}

bool before(const Fact& a, const Fact& b) { return std::tie(a.statement.at, a.id) < std::tie(b.statement.at, b.id); }

const char* objection(const Fact& fact, const Grants& grants, bool demoted) {
  if (std::holds_alternative<wire::Founding>(fact.statement.act)) return nullptr;
  const Voice voice = voice_of(fact, grants);
  if (voice == Voice::none) return "its signer is not of this cloud";
  const bool admin = grants.members.at(fact.statement.member) == Role::admin && !demoted;
  return std::visit(Speaker{fact, grants, voice, admin}, fact.statement.act);
}

Grants ever_granted(const Facts& facts) {
  return settle(facts, std::vector<Standing>(facts.size(), Standing::full), nullptr);
}

Judgement judge(const Facts& facts) {
  std::set<std::size_t> held;
  std::set<std::size_t> pending;
  for (std::size_t place = 0; place < facts.size(); ++place)
    if (std::holds_alternative<Removal>(facts[place]->statement.act)) pending.insert(place);
  pending = counting(pending, settle(facts, held));
  while (!pending.empty()) {
    std::set<std::size_t> all = held;
    all.insert(pending.begin(), pending.end());
    Front front{.held = counting(pending, settle(facts, all)), .fallen = {}};
    if (front.held.empty()) front = front_of(facts, held, pending);
    MHP_CHECK(!front.held.empty() || !front.fallen.empty());
    held.insert(front.held.begin(), front.held.end());
    std::erase_if(pending, [&](std::size_t one) { return held.contains(one) || front.fallen.contains(one); });
    if (!pending.empty()) pending = counting(pending, settle(facts, held));
  }
  Judgement out{.grants = settle(facts, held), .held = held};
  for (std::size_t place = 0; place < facts.size(); ++place)
    if (std::holds_alternative<Removal>(facts[place]->statement.act)) out.grants.counts[place] = held.contains(place);
  return out;
}

}  // namespace mhp::cloud::impl
