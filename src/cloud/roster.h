// The roster: a set of signed statements, and what follows from it; the same for everyone who has the same set.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "cloud/impl/authority.h"
#include "wire/roster.h"

namespace mhp::cloud {

struct Member {
  std::string name{};
  wire::Role role = wire::Role::member;
  std::set<KeyId> devices{};
  friend bool operator==(const Member&, const Member&) = default;
};

/// A home that its member and its own key both name.
struct Home {
  KeyId key{};
  MemberId member{};
  std::string name{};
  std::uint64_t lend_bytes = 0;
  bool anchor = false;
  std::vector<std::string> addresses{};
  friend bool operator==(const Home&, const Home&) = default;
};

struct Ticket {
  wire::Ticket ticket{};
  std::optional<MemberId> used_by{};
  friend bool operator==(const Ticket&, const Ticket&) = default;
};

/// What a roster says now. Who is not in it has no rights.
struct View {
  std::string name{};
  wire::Rules rules{};
  std::map<MemberId, Member> members{};
  std::map<HomeId, Home> homes{};
  std::map<std::pair<MemberId, TicketId>, Ticket> tickets{};  // of present members, by inviter
  std::set<MemberId> removed{};                               // who never comes back
  std::map<HomeId, Home> former_homes{};                // that were theirs, or were taken out: key, member, addresses
  std::set<std::pair<KeyId, MemberId>> removed_keys{};  // taken out, with whose they were: never back as theirs
  bool is_admin(const MemberId& member) const;
  friend bool operator==(const View&, const View&) = default;
};

struct Refusal {
  StatementId id{};  // zeros where it could not be read
  std::string why{};
};

/// What became of statements that were merged. Those that were there already are in none of the lists.
struct Merged {
  std::vector<StatementId> fresh{};  // taken in
  std::vector<StatementId> idle{};   // of these, those that do not count: a removal cut them, the ticket was used, ...
  std::vector<Refusal>
      refused{};  // not taken in; where it may be good one day, it is sent again with the next exchange
};

/// A removal in effect, by which a member or one of its computers is out.
struct TakenOut {
  StatementId id{};
  MemberId by{};  // who said it: oneself where one has left
  wire::Removal::What what = wire::Removal::What::member;
  friend bool operator==(const TakenOut&, const TakenOut&) = default;
};

/// A value. Merging in any order, and any number of times, gives the same roster; the rule is in
/// docs/decisions/0025-roster-merge.md. Checking a signature takes about 0.1 ms: merge many off the loop.
class Roster {
 public:
  /// The cloud that `founding`, an encoded Signed, makes. Errors: invalid, denied (bad signature).
  static Result<Roster> found(ByteView founding);
  /// From a set that has the founding of `cloud` in it. Errors: as found(); not_found (no founding).
  static Result<Roster> open(const CloudId& cloud, const wire::Statements& statements);

  /// `statements`: each an encoded Signed.
  Merged merge(std::span<const Bytes> statements);
  const View& view() const { return view_; }
  const CloudId& cloud() const { return cloud_; }
  /// Everything, rising by id.
  wire::Statements statements() const;
  wire::RosterDigest digest() const;
  /// What whoever sent `other` does not have.
  wire::Statements missing_of(const wire::RosterDigest& other) const;

  /// A new statement, encoded, by `key` speaking for `member`; to be merged like any other (it may be refused).
  Bytes say(const primitives::SigningKey& key, const MemberId& member, wire::Act act) const;
  /// A removal that keeps all that counts now. Where its signer wants less to stand, it takes it out of `kept`.
  /// `key`: only where `what` is one.
  wire::Removal removal(wire::Removal::What what, const MemberId& member, const KeyId& key = {}) const;
  /// The same of `other`, but what it said against `self` is not kept: so `self` may take back that it was removed.
  wire::Removal removal_in_answer(const MemberId& self, const MemberId& other) const;
  /// What an admin says who leaves: the removal of himself; and a promotion of `successor`, encoded, that counts after
  /// it as well. That one is to be said only where nobody else is an admin any more, since he left at the same moment.
  struct Farewell {
    wire::Removal removal;
    Bytes promotion;
  };
  Farewell farewell(const primitives::SigningKey& key, const MemberId& self, const MemberId& successor) const;
  /// The removals in effect of `member`, or of its key `computer`; in the order that all agree on. Empty: it is in, or
  /// never was.
  std::vector<TakenOut> taken_out(const MemberId& member, const KeyId& computer) const;
  /// These removals, which must be in effect, with the statements that they need to count, and no others. Where they
  /// hold only since other removals do not, all removals are given, with what they rest on.
  wire::Statements grounds_of(const std::vector<TakenOut>& removals) const;
  /// What somebody lacks who knows `known` and has been told grounds_of(removals), and to whom these do not hold: by
  /// what those are overruled whom he believes against them. Empty: nothing.
  wire::Statements further_grounds_of(const std::vector<TakenOut>& removals, const wire::RosterDigest& known) const;
  /// What whoever sent `removals` has to hear if they do not hold here: the removals in effect of those who said them,
  /// with their grounds; without what is in `removals`.
  wire::Statements answer_to(const wire::Statements& removals) const;
  /// Of `statements` those that would count here, were all of them merged.
  std::vector<Bytes> that_count(std::span<const Bytes> statements) const;
  /// What anybody was called, also who is out; empty where nobody was.
  std::string name_of(const MemberId& member) const;
  /// Whose key put the member in (its admission's signer), for four_words(); nothing for founder and strangers.
  std::optional<KeyId> admitted_by(const MemberId& member) const;

 private:
  struct Entry {
    Bytes encoded;
    impl::Fact fact;
  };
  using Entries = std::map<StatementId, Entry>;
  /// Removals that somebody wants to see the reasons of, and what is to be known of the others.
  struct Dispute {
    impl::Facts facts;  // all
    std::vector<bool> counts;
    std::set<std::size_t> wanted;     // places of these removals
    std::set<std::size_t> in_effect;  // of all removals that are
    bool is_any_idle = false;         // of the other removals
  };
  Dispute dispute_about(const std::vector<TakenOut>& removals) const;
  static std::set<std::size_t> told_of(const Dispute& about);
  wire::Statements encoded_at(const impl::Facts& facts, const std::set<std::size_t>& places) const;
  static Result<Entry> read(ByteView encoded);
  static impl::Facts facts_of(const Entries& entries);
  static void compact(Entries& entries, const impl::Grants& ever);
  static void fit(Entries& entries);
  void judge();

  CloudId cloud_{};
  Entries entries_;
  View view_;
  std::set<StatementId> counting_;
};

/// The statement that makes a cloud, encoded; `founder` becomes its first admin.
Bytes found_cloud(const primitives::SigningKey& founder, wire::Founding founding);

inline KeyId as_key(const primitives::PublicKey& key) { return KeyId::from_array(key); }
inline KeyId as_key(const MemberId& member) { return KeyId::from_bytes(member.bytes()); }
inline MemberId as_member(const primitives::PublicKey& key) { return MemberId::from_array(key); }

}  // namespace mhp::cloud
