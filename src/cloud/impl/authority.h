// Whose statements count: a pure function of a set of statements. The rule: docs/decisions/0025-roster-merge.md.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/ids.h"
#include "wire/roster.h"

namespace mhp::cloud::impl {

/// A statement whose signature (and, in an admission, the ticket's proof) was checked.
struct Fact {
  StatementId id{};
  KeyId signer{};
  wire::Statement statement{};
};
/// All of a roster, rising by id; borrowed.
using Facts = std::vector<const Fact*>;

/// What the statements that count give, and which these are.
struct Grants {
  std::map<MemberId, wire::Role> members;  // the highest role each was given
  std::set<std::pair<KeyId, MemberId>> devices;
  std::set<std::pair<KeyId, MemberId>> homes;
  std::map<std::pair<MemberId, TicketId>, wire::Role> tickets;  // by inviter
  std::vector<bool> counts;                                     // by place in the facts
};

/// As if nothing were ever removed and tickets served any number of times: grows with the set, whatever comes.
Grants ever_granted(const Facts& facts);
/// Why `fact` does not count where `grants` is all there is; null where it does. `demoted`: its admin's rights are
/// gone.
const char* objection(const Fact& fact, const Grants& grants, bool demoted = false);
/// Adds what a statement that counts gives.
void grant(const Fact& fact, Grants& grants);

/// The outcome: what counts (of removals those in effect), and which removals these are (places in the facts).
struct Judgement {
  Grants grants;
  std::set<std::size_t> held;
};
Judgement judge(const Facts& facts);

/// Earlier in the order that all agree on: by `at`, then by id.
bool before(const Fact& a, const Fact& b);

}  // namespace mhp::cloud::impl
