// Inviting and being let in: who may, when, and what both sides compare. The text of an invitation: wire/invitation.h.
#pragma once

#include "base/result.h"
#include "cloud/roster.h"
#include "wire/invitation.h"

namespace mhp::cloud {

/// What an inviter asks for.
struct Wish {
  MemberId inviter{};
  wire::Role role = wire::Role::member;
  std::int64_t expires_s = 0;    // since 1970
  std::uint64_t lend_bytes = 0;  // a hint; 0: none
  std::string for_name{};        // may be empty
};

/// `ticket` goes into the roster, by the inviter; the invitation to the person, by a safe way, and nowhere else.
struct Invited {
  wire::Ticket ticket{};
  wire::Invitation invitation{};
};

/// `secret`: random, never used before. Errors: denied (may not invite, or not this role); usage (time); unavailable
/// (no admin's home has an address, so that nobody could be let in).
Result<Invited> invite(const View& view, const CloudId& cloud, const Wish& wish,
                       const wire::Invitation::Secret& secret);

/// What the joiner sends a home once TLS has proved that it is one of the invitation's. The secret stays here: its key
/// signs. Errors: denied (expired).
Result<wire::JoinRequest> ask_to_join(const wire::Invitation& invitation, const MemberId& joiner, std::string name,
                                      std::int64_t now_s);
/// The ticket that an invitation's secret is for.
TicketId ticket_of(const wire::Invitation& invitation);

/// What a home of an admin answers: sign request.admission (`admit`), or nothing, since that was done (`already`).
enum class Answer { admit, already };
/// `host`: whose home this is. Errors, each with words for the joiner: invalid (for another cloud), not_found (ticket
/// not known, or this home may not admit: ask another home), denied (forged, expired, used, removed before, private),
/// usage (a name that another member has, or in the cloud already: nothing is wrong with the invitation), full (as many
/// members as a cloud may have).
Result<Answer> answer(const Roster& roster, const MemberId& host, const wire::JoinRequest& request, std::int64_t now_s);

/// Four words (44 bits) that both see: the joiner, and whoever looks at the new member in the roster. `host`: the home
/// that let the joiner in, as TLS proved it; in the roster the one whose key signed the admission (admitted_by()).
std::string four_words(const MemberId& joiner, const HomeId& host, const TicketId& ticket);

}  // namespace mhp::cloud
