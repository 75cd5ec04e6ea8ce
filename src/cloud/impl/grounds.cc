// Rights grow from the founding once more, and it is noted which statement gave each of them first.
#include "cloud/impl/grounds.h"

#include <tuple>

namespace mhp::cloud::impl {
namespace {

/// Places of the statements that gave something first.
struct Givers {
  std::map<MemberId, std::size_t> members;
  std::map<MemberId, std::size_t> admins;
  std::map<std::pair<KeyId, MemberId>, std::size_t> devices;
  std::map<std::pair<KeyId, MemberId>, std::size_t> homes;
  std::map<std::tuple<MemberId, TicketId, wire::Role>, std::size_t> tickets;
};

/// `grants`: with what the statement at `place` gave.
void note(const Fact& fact, std::size_t place, const Grants& grants, Givers& givers) {
  const MemberId& speaker = fact.statement.member;
  const auto raised = [&](const MemberId& member) {
    givers.members.try_emplace(member, place);
    if (grants.members.at(member) == wire::Role::admin) givers.admins.try_emplace(member, place);
  };
  if (std::holds_alternative<wire::Founding>(fact.statement.act)) raised(speaker);
  if (const auto* admission = std::get_if<wire::Admission>(&fact.statement.act)) raised(admission->member);
  if (const auto* promotion = std::get_if<wire::Promotion>(&fact.statement.act)) raised(promotion->member);
  if (const auto* device = std::get_if<wire::DeviceKey>(&fact.statement.act))
    givers.devices.try_emplace({device->device, speaker}, place);
  if (const auto* home = std::get_if<wire::HomeKey>(&fact.statement.act))
    givers.homes.try_emplace({home->key, speaker}, place);
  if (const auto* ticket = std::get_if<wire::Ticket>(&fact.statement.act))
    givers.tickets.try_emplace({speaker, ticket->ticket, ticket->role}, place);
}

Givers givers_of(const Facts& facts, const std::vector<bool>& counts) {
  Givers givers;
  Grants grants;
  std::vector<bool> done(facts.size());
  for (bool grew = true; grew;) {
    grew = false;
    for (std::size_t place = 0; place < facts.size(); ++place) {
      if (done[place] || !counts[place] || objection(*facts[place], grants) != nullptr) continue;
      done[place] = true;
      grew = true;
      grant(*facts[place], grants);
      note(*facts[place], place, grants, givers);
    }
  }
  return givers;
}

template <class Map>
void want(const Map& givers, const typename Map::key_type& key, std::vector<std::size_t>& open) {
  const auto found = givers.find(key);
  if (found != givers.end()) open.push_back(found->second);
}

/// What a statement rests on, as far as any gave it: with what its signer speaks, and what its act is about.
void want_what_carries(const Fact& fact, const Givers& givers, std::vector<std::size_t>& open) {
  const MemberId& speaker = fact.statement.member;
  want(givers.members, speaker, open);
  want(givers.admins, speaker, open);
  want(givers.devices, {fact.signer, speaker}, open);
  want(givers.homes, {fact.signer, speaker}, open);
  if (const auto* admission = std::get_if<wire::Admission>(&fact.statement.act)) {
    for (const wire::Role role : {wire::Role::member, wire::Role::admin})
      want(givers.tickets, {admission->inviter, admission->ticket, role}, open);
  }
  if (const auto* promotion = std::get_if<wire::Promotion>(&fact.statement.act))
    want(givers.members, promotion->member, open);
  if (const auto* removal = std::get_if<wire::Removal>(&fact.statement.act); removal && removal->member == speaker)
    want(givers.homes, {removal->key, speaker}, open);
}

}  // namespace

std::set<std::size_t> grounds_of(const Facts& facts, const std::vector<bool>& counts, std::vector<std::size_t> wanted) {
  const Givers givers = givers_of(facts, counts);
  std::set<std::size_t> out;
  while (!wanted.empty()) {
    const std::size_t place = wanted.back();
    wanted.pop_back();
    if (out.insert(place).second) want_what_carries(*facts[place], givers, wanted);
  }
  return out;
}

}  // namespace mhp::cloud::impl
