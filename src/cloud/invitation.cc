// Tickets from secrets, and the questions a home asks before it lets anyone in.
#include "cloud/invitation.h"

#include <algorithm>

#include "primitives/phrase/phrase.h"

namespace mhp::cloud {
namespace {

constexpr std::int64_t kNsPerSecond = 1'000'000'000;

/// The cloud is in it, so that one secret in two clouds would still be two tickets.
primitives::SigningKey ticket_key(const CloudId& cloud, const wire::Invitation::Secret& secret) {
  Bytes material = to_bytes(cloud.bytes());
  material.insert(material.end(), secret.begin(), secret.end());
  primitives::Key seed = primitives::blake3_derive("mhp 1 ticket key", material);
  primitives::SigningKey key(seed);
  wipe(material);
  wipe(seed);
  return key;
}

/// Admins' homes that can be reached: the inviter's first, then those that are always on.
std::vector<wire::InvitedHome> doors(const View& view, const MemberId& inviter) {
  std::vector<std::pair<HomeId, const Home*>> found;
  for (const auto& [id, home] : view.homes)
    if (view.is_admin(home.member) && !home.addresses.empty()) found.emplace_back(id, &home);
  std::ranges::sort(found, {}, [&inviter](const auto& one) {
    return std::pair((one.second->member == inviter ? 0 : 2) + (one.second->anchor ? 0 : 1), one.first);
  });
  std::vector<wire::InvitedHome> out;
  for (const auto& [id, home] : found) {
    if (out.size() == wire::kMaxInvitedHomes) break;
    out.push_back({id, home->addresses});
    out.back().addresses.resize(std::min<std::size_t>(home->addresses.size(), wire::kMaxInvitedAddresses));
  }
  return out;
}

bool may_invite(const View& view, const MemberId& inviter, wire::Role role) {
  if (view.is_admin(inviter)) return true;
  return view.members.contains(inviter) && view.rules.members_invite && role == wire::Role::member;
}

/// Ticket, time and use. The proof is not looked at here.
Result<void> check_ticket(const View& view, const wire::Admission& request, std::int64_t now_s) {
  if (request.ticket.is_zero()) {
    if (view.rules.open) return {};
    return fail(Errc::denied, "this cloud is private: an invitation is needed");
  }
  const auto found = view.tickets.find({request.inviter, request.ticket});
  if (found == view.tickets.end())
    return fail(Errc::not_found, "this invitation is not known here; whoever gave it may have left the cloud");
  const Ticket& ticket = found->second;
  if (ticket.used_by) return fail(Errc::denied, "this invitation was used already: each lets one person in");
  if (now_s >= ticket.ticket.expires_ns / kNsPerSecond) return fail(Errc::denied, "this invitation has expired");
  if (!may_invite(view, request.inviter, ticket.ticket.role))
    return fail(Errc::denied, "whoever gave this invitation may not invite any more");
  return {};
}

/// The same check that everyone makes of the statement, here with words for the joiner.
bool is_proven(const wire::JoinRequest& request) {
  if (request.admission.ticket.is_zero()) return true;
  primitives::PublicKey key;
  std::ranges::copy(request.admission.ticket.bytes(), key.begin());
  return primitives::verify(key, wire::kSignTicket, wire::proof_of_ticket(request.cloud, request.admission),
                            request.admission.proof);
}

}  // namespace

Result<Invited> invite(const View& view, const CloudId& cloud, const Wish& wish,
                       const wire::Invitation::Secret& secret) {
  if (!may_invite(view, wish.inviter, wish.role)) return fail(Errc::denied, "only an admin of the cloud may invite");
  if (wish.expires_s <= 0 || wish.expires_s > INT64_MAX / kNsPerSecond)
    return fail(Errc::usage, "no such time to expire");
  Invited out;
  out.invitation = {cloud, wish.inviter, secret, wish.expires_s, wish.role, wish.lend_bytes, doors(view, wish.inviter)};
  if (out.invitation.homes.empty())
    return fail(Errc::unavailable, "no home of an admin has an address: nobody could be let in");
  out.ticket = {ticket_of(out.invitation), wish.role, wish.expires_s * kNsPerSecond, wish.lend_bytes, wish.for_name};
  return out;
}

TicketId ticket_of(const wire::Invitation& invitation) {
  return TicketId::from_array(ticket_key(invitation.cloud, invitation.secret).public_key());
}

Result<wire::JoinRequest> ask_to_join(const wire::Invitation& invitation, const MemberId& joiner, std::string name,
                                      std::int64_t now_s) {
  if (now_s >= invitation.expires_s) return fail(Errc::denied, "this invitation has expired: ask for a new one");
  const primitives::SigningKey key = ticket_key(invitation.cloud, invitation.secret);
  wire::JoinRequest out{.cloud = invitation.cloud, .admission = {}};
  out.admission.member = joiner;
  out.admission.name = std::move(name);
  out.admission.inviter = invitation.inviter;
  out.admission.ticket = TicketId::from_array(key.public_key());
  out.admission.proof = key.sign(wire::kSignTicket, wire::proof_of_ticket(out.cloud, out.admission));
  return out;
}

Result<Answer> answer(const Roster& roster, const MemberId& host, const wire::JoinRequest& request,
                      std::int64_t now_s) {
  const View& view = roster.view();
  const wire::Admission& admission = request.admission;
  if (request.cloud != roster.cloud()) return fail(Errc::invalid, "this invitation is for another cloud");
  if (!view.is_admin(host))
    return fail(Errc::not_found, "this home is not an admin's: another one of the cloud admits");
  if (!is_proven(request)) return fail(Errc::denied, "the proof does not fit the invitation");
  if (view.removed.contains(admission.member))
    return fail(
        Errc::denied,
        "this member was removed from the cloud: it may join as a new one, once it has left ('mhp cloud leave')");
  if (view.members.contains(admission.member)) {
    const auto ticket = view.tickets.find({admission.inviter, admission.ticket});
    const bool same = ticket != view.tickets.end() && ticket->second.used_by == admission.member;
    if (same || (admission.ticket.is_zero() && view.rules.open))
      return Answer::already;  // asked again: an answer was lost
    return fail(Errc::usage, "this member is in the cloud already: the code is still good, for somebody else");
  }
  MHP_TRY_VOID(check_ticket(view, admission, now_s));
  // With the invitation alone anybody learns who is in. Two of one name nobody could tell apart.
  const auto is_same = [&](const auto& one) { return one.second.name == admission.name; };
  if (std::ranges::any_of(view.members, is_same))
    return fail(Errc::usage, "somebody in the cloud is called '" + admission.name +
                                 "' already: join with another name (--as NAME); the code is still good");
  if (view.members.size() >= wire::kMaxMembers) return fail(Errc::full, "the cloud has as many members as it may have");
  return Answer::admit;
}

std::string four_words(const MemberId& joiner, const HomeId& host, const TicketId& ticket) {
  auto hash = primitives::Blake3::derived("mhp 1 four words");
  hash.update(joiner.bytes()).update(host.bytes()).update(ticket.bytes());
  return primitives::words_of(hash.finish(), 4);
}

}  // namespace mhp::cloud
