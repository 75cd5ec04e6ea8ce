// The roster's signed statements: who and what belongs to a cloud, and what others exchange of them.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "wire/limits.h"
#include "wire/signed.h"

namespace mhp::wire {

enum class Role : std::uint8_t { member = 1, admin = 2 };

/// What all of a cloud agree to. Names and addresses everywhere in this file: at most kMaxNameBytes, no NUL.
struct Rules {
  bool open = false;                   // strangers may join without a ticket
  bool members_invite = false;         // else admins only
  std::uint64_t lend_floor_bytes = 0;  // what a member lends at least
  std::uint32_t take_percent = 100;    // a member may take this much of what it lends
  std::uint64_t minimum_hold_s = 0;    // at most kMaxHoldS
  friend bool operator==(const Rules&, const Rules&) = default;
};

/// The first statement: makes the cloud, and its signer the first admin. The cloud's id is this statement's id.
struct Founding {
  std::string name{};
  std::string founder_name{};
  Rules rules{};
  std::int64_t time_ns = 0;
  std::array<std::byte, 16> salt{};  // so that no two clouds are one
  friend bool operator==(const Founding&, const Founding&) = default;
};

/// One person may join who knows the secret behind `ticket`.
struct Ticket {
  TicketId ticket{};
  Role role = Role::member;
  std::int64_t expires_ns = 0;
  std::uint64_t lend_bytes = 0;  // a hint: what the inviter hopes for
  std::string for_name{};        // may be empty
  friend bool operator==(const Ticket&, const Ticket&) = default;
};

/// A new member. The joiner fills in all of it; an admin's key makes it a statement.
struct Admission {
  MemberId member{};
  std::string name{};
  MemberId inviter{};             // zeros, as the two below, where there is no ticket
  TicketId ticket{};              //
  primitives::Signature proof{};  // by the ticket's key over proof_of_ticket()
  friend bool operator==(const Admission&, const Admission&) = default;
};

/// A key of a member's device: it speaks for the member.
struct DeviceKey {
  KeyId device{};
  std::string name{};
  friend bool operator==(const DeviceKey&, const DeviceKey&) = default;
};

/// A home of a member. Its key may admit and tell its addresses, no more.
struct HomeKey {
  KeyId key{};  // its HomeId is the hash of this
  std::string name{};
  std::uint64_t lend_bytes = 0;
  bool anchor = false;  // always on
  friend bool operator==(const HomeKey&, const HomeKey&) = default;
};

/// Where a home can be reached, by itself; `at` is its counter. Speaking for the member it also says whose home it is.
struct HomeAddresses {
  std::vector<std::string> addresses{};  // "HOST:PORT", best first; at most kMaxHomeAddresses; none: by no address
  friend bool operator==(const HomeAddresses&, const HomeAddresses&) = default;
};

/// A member becomes an admin.
struct Promotion {
  MemberId member{};
  friend bool operator==(const Promotion&, const Promotion&) = default;
};

struct RuleChange {
  Rules rules{};
  friend bool operator==(const RuleChange&, const RuleChange&) = default;
};

/// Takes a member (also oneself: to leave), a member's rights as an admin, or a device's or home's key out, for good.
/// Of what was said by or with it, only `kept` counts: what the signer knew of and lets stand.
struct Removal {
  enum class What : std::uint8_t { member = 1, admin_rights = 2, key = 3 };
  What what = What::member;
  MemberId member{};                // whom it is about
  KeyId key{};                      // what it takes out of this member's keys; zeros where it is no key
  std::vector<StatementId> kept{};  // rising; at most kMaxKept
  friend bool operator==(const Removal&, const Removal&) = default;
};

using Act =
    std::variant<Founding, Ticket, Admission, DeviceKey, HomeKey, HomeAddresses, Promotion, RuleChange, Removal>;

/// The body of a statement. Signed (kSignStatement) by a key that speaks for `member`.
struct Statement {
  CloudId cloud{};       // zeros in the founding statement
  MemberId member{};     // for whom
  std::uint64_t at = 1;  // 1 to kMaxAt; above all `at` that the signer knew of: of two that exclude each other the
                         // higher counts (of admissions with one ticket: the lower)
  Act act{};
  friend bool operator==(const Statement&, const Statement&) = default;
};

Bytes encode(const Statement& statement);
/// Errors: invalid.
Result<Statement> parse_statement(ByteView bytes);
/// Hash of signer and body, not of the signature: one thing said twice is one statement.
StatementId statement_id(const Signed& envelope);
CloudId cloud_id_of(const StatementId& founding);

/// Many statements, each an encoded Signed: a roster on disk, or what one home sends another.
struct Statements {
  std::vector<Bytes> statements{};  // at most kMaxRosterStatements, kMaxRosterBytes
  friend bool operator==(const Statements&, const Statements&) = default;
};
Bytes encode(const Statements& statements);
/// Errors: invalid.
Result<Statements> parse_statements(ByteView bytes);

/// What a roster holds, in 8 bytes a statement.
struct RosterDigest {
  using ShortId = std::array<std::byte, 8>;  // the first bytes of a StatementId
  CloudId cloud{};
  std::vector<ShortId> ids{};  // rising, each once; at most kMaxRosterStatements
  friend bool operator==(const RosterDigest&, const RosterDigest&) = default;
};
Bytes encode(const RosterDigest& digest);
/// Errors: invalid.
Result<RosterDigest> parse_roster_digest(ByteView bytes);

/// Asks a home of the cloud to be admitted.
struct JoinRequest {
  CloudId cloud{};
  Admission admission{};
  friend bool operator==(const JoinRequest&, const JoinRequest&) = default;
};
Bytes encode(const JoinRequest& request);
/// Errors: invalid.
Result<JoinRequest> parse_join_request(ByteView bytes);
/// What the ticket's key signs (kSignTicket): this member, by this name, into this cloud, by this inviter.
Bytes proof_of_ticket(const CloudId& cloud, const Admission& admission);

}  // namespace mhp::wire
