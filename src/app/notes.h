// What is said beside a command's own answer: of homes, of states that are not shown, alarms, and what to do. Notes go
// to standard error, and nowhere for `--quiet`.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "app/session.h"

namespace mhp::app {

/// Why a home does not count in the margin, though it is there; empty where it does.
std::string why_not_counted(const Opened& opened, std::size_t member);
/// Says so of each, on standard error.
void note_not_counted(const Session& session, const Opened& opened);
/// Each state that is there and not shown, with the reason, on standard error.
void note_what_is_not_shown(const Session& session, const Opened& opened);
/// The same for scripts.
nlohmann::json json_unread(const std::vector<vault::UnreadHead>& unread);
nlohmann::json json_late(const Opened& opened);
nlohmann::json json_former(const std::vector<wire::HomeEntry>& homes);
/// What to do about a home that only a former computer lists.
std::string about_former_home(const wire::HomeEntry& home);
/// True where what is asked for ("": all snapshots) may be in a state that cannot be read now: the answer is a part.
bool may_lack_newest(const Opened& opened, const std::string& snapshot = "");

/// Snapshots with a time that this computer's clock has not reached, by more than clocks differ.
std::uint64_t count_in_future(const Session& session, const std::vector<wire::SnapshotRecord>& snapshots);
/// Says so where snapshots bear a time in the future: a clock was wrong when they were made, or is now.
void note_wrong_clocks(const Session& session, const std::vector<wire::SnapshotRecord>& snapshots);

/// "'A', 'B'", for people.
std::string names_of_members(const dispersal::HomeSet& homes, const std::vector<std::size_t>& members);

/// Says so where every home that answered shows less than this computer has seen.
void note_set_back(const Session& session, const dispersal::HomeSet& homes);
/// From which clouds the owner, or this computer, was taken out, and what follows; once in a run.
void note_out(Session& session, const Opened& opened);

/// Names each home that was away, failed or lied, on standard error. True where any lied.
bool name_troubles(const Session& session, const dispersal::HomeSet& homes);

/// Whether homes that answer do not let this computer read: it may have been shut out by a recovery.
bool says_shut_out(const Error& error);
/// What to do about an error of a command on the vault, in a person's words. `writes`: it was about to store something,
/// so one more home could help.
std::string hint_for(const Error& error, bool writes = false);

/// Warnings on files, each reason once: "a: not set: owner" and how many others have it.
void note_warnings(const Session& session, const std::vector<snapshot::SourceError>& warnings);

/// ", in parts that device 1234abcd (computer laptop) wrote, copied or repaired", several with commas; empty where
/// nobody is known.
std::string in_whose_parts(const std::vector<vault::FalseClaims>& makers);

/// An alarm, on standard error, where what is needed had been condemned on homes, or left out of the index for
/// something false.
void name_reprieved(const Session& session, const vault::Vault& vault);

}  // namespace mhp::app
