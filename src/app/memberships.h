// In which clouds the owner of this vault is, as whom, and what commands about clouds begin with.
#pragma once

#include <string>
#include <vector>

#include "app/out_of.h"
#include "app/session.h"
#include "cloud/book.h"
#include "cloud/exchange.h"

namespace mhp::app {

/// The owner as a member of one cloud. The key is in the vault's sealed record: all of the owner's computers have it,
/// and the 24 words bring it back.
struct Membership {
  CloudId cloud;
  primitives::SigningKey key;
  std::string name;
  MemberId member() const { return cloud::as_member(key.public_key()); }
};

/// As the state folder has them; no home is asked. Errors: not_found (no vault here), corrupt.
Result<std::vector<Membership>> memberships_of(Session& session);

/// Makes the membership durable here and on the homes that answer; the vault's lock is taken. One that is there
/// already stays as it is. Errors: those of the state folder.
Task<Result<void>> keep_membership(Session& session, CloudId cloud, primitives::Key secret, std::string name);
/// Another key in it, for who was removed with the one that is there: that is given up.
Task<Result<void>> renew_membership(Session& session, CloudId cloud, primitives::Key secret, std::string name);
/// Another name in it, for who is not let in yet. Errors: those of the state folder.
Task<Result<void>> rename_membership(Session& session, CloudId cloud, std::string name);
/// Takes it out.
Task<Result<void>> drop_membership(Session& session, CloudId cloud);

/// The rosters of this computer's clouds, in the state folder, read.
Task<Result<std::unique_ptr<cloud::Book>>> open_book(Session& session);

/// What became of a cloud whose roster this computer lacked.
struct CameBack {
  std::string as;     // what the owner is called there
  std::string cloud;  // its name, where it is known
  std::size_t homes_told = 0;
  std::vector<std::string> own_homes = {};  // of the owner's there, that this vault never used: taken off its list
  std::string problem = {};                 // why it is not back; empty: it is, or `out`
  std::optional<OutOf> out = {};            // the owner, or this computer, was taken out of it: for good
};
/// A computer that is new has no rosters (`mhp recover`), and they can get lost: where one is missing it is asked for
/// at the computers on the vault's list of homes, which are shown the member's key; and this computer is named in it,
/// as one that lends nothing yet, so that homes of the cloud take it for the member's. A home there that is the owner's
/// and that the vault never used is that of the computer which is lost: it is taken off the list. Where no home could
/// be told, the roster is not kept, and it is all to be done again. Nothing where none is missing. Errors: those of the
/// state folder.
Task<Result<std::vector<CameBack>>> find_rosters(Session& session, cloud::Book& book);
/// The same on the way, once in a run of a command that opens the vault: who recovered may have been cut off. Says what
/// became of it. Asks nobody where no roster is missing.
Task<> return_to_clouds(Session& session);
/// For who recovers, before anything is kept: asks computers on the vault's list for the rosters of its clouds, showing
/// them the members' keys, so that homes behind routers are reached through relays from then on. Where none answers
/// they are reached without. Who was removed is told so.
Task<> look_into_clouds(Session& session, std::vector<wire::Membership> memberships,
                        std::vector<wire::HomeEntry> entries);
/// What a computer of a member is called that nobody named: "Ann's computer", and where another of hers is called that
/// "Ann's computer 2".
std::string usual_home_name(const cloud::View& view, const MemberId& member, const std::string& owner);
/// Where there is a `problem`: what it means, for the person.
std::string cannot_come_back(const CameBack& one);

/// As whom this computer asks homes of a cloud why they refuse it. Nothing: the owner is not in it.
std::optional<cloud::Asker> asker_in(Session& session, const CloudId& cloud);
/// Whether the owner or this computer is out of it, by what is known here.
std::optional<OutOf> out_of(Session& session, const Membership& membership, const cloud::Roster& roster);

/// One of the clouds, with its roster.
struct ChosenCloud {
  Membership membership;
  cloud::RosterPointer roster;
  const cloud::View& view() const { return roster->view(); }
};
/// By name or the first letters of its id; the only one where `which` is empty. Errors: not_found, usage (several).
Result<ChosenCloud> choose_cloud(const std::vector<Membership>& memberships, const cloud::Book& book,
                                 const std::string& which);

/// What every command on one cloud begins with: rosters that are missing are looked for.
struct AtCloud {
  std::unique_ptr<cloud::Book> book;
  ChosenCloud chosen;
  const cloud::View& view() const { return chosen.view(); }
};
/// Where the owner or this computer is out of that cloud, it is told. Errors: as choose_cloud(), and those of the state
/// folder.
Task<Result<AtCloud>> at_cloud(Session& session, std::string which);

/// Says `act` as the owner: it is durable here, and told to the homes of the cloud that answer, those that it removes
/// among them: how many others did. `at` gets the new roster. Errors: denied, with `refused` for the person, where it
/// does not count, and where homes said that the owner or this computer is out.
Task<Result<std::size_t>> say(Session& session, AtCloud& at, wire::Act act, std::string refused);
/// The same for several at once, each of which may count only with the others.
Task<Result<std::size_t>> say_all(Session& session, AtCloud& at, std::vector<wire::Act> acts, std::string refused);

/// For who has just joined: speaks with the homes of the cloud until all that answer know this computer, for some
/// seconds at most. The home that let it in tells them, too.
Task<> tell_homes(Session& session, cloud::Book& book, CloudId cloud);

/// A member by name or the first letters of its id. Errors: not_found, usage (several).
Result<MemberId> choose_member(const cloud::View& view, const std::string& which);

const char* role_name(wire::Role role);

/// What a member is called, with the first letters of its id where another one is called the same.
std::string member_name(const cloud::View& view, const MemberId& member);

/// The four words that whoever let a member in compares with it; empty where there was no invitation (the founder).
std::string joining_words(const cloud::Roster& roster, const MemberId& member);

/// What to do about an error of a command on clouds, in a person's words.
std::string cloud_hint(const Error& error);

}  // namespace mhp::app
