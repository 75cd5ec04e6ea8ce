// The commands: each adds itself to the command line, and what it does can be called by others (the demo, tests).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/command_line.h"
#include "app/memberships.h"
#include "app/notes.h"
#include "app/session.h"
#include "app/trash.h"
#include "snapshot/backup.h"
#include "snapshot/restore.h"

namespace mhp::app {

void add_init(Command& program);
void add_recover(Command& program);
void add_home(Command& program);
void add_backup(Command& program);
void add_snapshots(Command& program);
void add_ls(Command& program);
void add_find(Command& program);
void add_diff(Command& program);
void add_restore(Command& program);
void add_forget(Command& program);
void add_status(Command& program);
void add_check(Command& program);
void add_repair(Command& program);
void add_demo(Command& program);
void add_cloud(Command& program);
void add_leave(Command& cloud);  // below `cloud`
void add_invite(Command& program);
void add_join(Command& program);
void add_members(Command& program);
void add_homes(Command& program);
void add_up(Command& program);
void add_lab(Command& program);

// --- What commands do, without saying it ---

struct InitArgs {
  std::string name;
  std::string level = "normal";
  std::string phrase_file;
  std::string sheet_file;
  bool dry_run = false;
  bool show_phrase = false;  // on standard output, before anything is made
  bool tells_later = false;  // every run says where phrase_file is, until one has said it in its answer
};
struct InitDone {
  VaultId vault;
  std::string phrase;
};
/// Makes keys, vault record and state folder. The phrase is written to phrase_file where one is given, else it is in
/// the answer. With dry_run nothing is made, and the answer is empty.
Task<Result<InitDone>> do_init(Session& session, InitArgs args);

struct HomeAddArgs {
  std::string path;
  std::string name;
  std::string max_used;
  std::string min_free;
  bool same_disk = false;
  bool dry_run = false;
  int wait_minutes = kWaitMinutes;
};
struct HomeAdded {
  wire::HomeEntry entry;         // with dry_run its id is empty where a home would be made
  bool known = false;            // a home of this vault at a new path
  std::string shares_disk_with;  // another home's name; empty: a disk of its own
  std::size_t homes = 0;
};
Task<Result<HomeAdded>> do_home_add(Session& session, HomeAddArgs args);

/// Signs and keeps a new list of homes, then tells every reachable home, those of the new list included.
Task<Result<void>> change_homes(Session& session, Opened& opened, std::vector<wire::HomeEntry> entries);

struct BackupArgs {
  snapshot::BackupOptions options;
};
/// Homes that take what is saved now.
struct GoesTo {
  std::string cloud;  // its name; empty: the owner's own, or one that is in no cloud
  std::size_t homes = 0;
};
struct BackupDone {
  snapshot::BackupReport report;
  vault::CheckReport after;       // of the whole vault
  std::uint64_t freed_bytes = 0;  // of what was forgotten: homes gave it back
  std::uint64_t spread_rows = 0;  // rows that homes lacked and were given
  std::size_t homes = 0, homes_reachable = 0;
  unsigned planned_margin = 0;
  int repairable_margin = 0;  // on the homes that answer
  std::vector<GoesTo> goes_to;
  std::vector<dispersal::Trouble> left_out;  // homes that were away, full, write-protected, in use, or failed
};
Task<Result<BackupDone>> do_backup(Session& session, BackupArgs args, snapshot::Counters& counters);

struct RecoverArgs {
  std::string phrase;
  std::vector<std::string> homes;      // folders
  std::vector<std::string> from = {};  // computers that serve a home: "HOST:PORT"
  bool keep_devices = false;
  bool with_late = false;                    // what computers that were shut out saved after that, too
  bool ignore_clock = false;                 // go on where this computer's clock is behind what homes have seen
  std::optional<std::int64_t> as_of_s = {};  // Unix time: nothing that homes took later
  bool dry_run = false;                      // finds the vault and its homes, reads and changes nothing more
};
/// Homes that only former computers list.
struct Former {
  std::vector<wire::HomeEntry> read, away;
};
struct RecoverDone {
  std::string name;
  Former former;
  std::size_t homes = 0, homes_reachable = 0;
  std::size_t snapshots = 0;
  vault::Vault::NewestHead newest;
  std::vector<vault::UnreadHead> unread;  // newer states that cannot be read from the homes at hand
  std::vector<std::string> ahead;         // names of the homes that show them
  std::vector<std::string> late = {};  // what is not taken in since it came after a computer was shut out: a line each
  std::vector<std::string> older_records = {};  // computers whose newest vault record is not believed: a line each
  std::size_t homes_written = 0;                // that took the new vault record
  Errc why_not_written = Errc::unavailable;     // where none did: as HomeSet::took_too_little()
  std::uint64_t reprieved = 0;                  // segments that homes had been told to delete
  std::vector<CameBack> clouds = {};            // that the owner is in
};
Task<Result<RecoverDone>> do_recover(Session& session, RecoverArgs args);

struct RestoreArgs {
  std::string snapshot = "latest";
  std::string path;  // empty: all of it
  std::string to;
  bool dry_run = false;
  bool no_sync = false;  // does not wait for the disk
};
struct RestoreDone : snapshot::RestoreReport {
  std::vector<vault::UnreadHead> unread;  // states that are not shown now
  bool may_lack_newest = false;           // and one of them may have what was asked for
};
Task<Result<RestoreDone>> do_restore(Session& session, RestoreArgs args, snapshot::Counters& counters);

struct RepairDone : vault::RepairReport {
  std::vector<HomeId> not_counted = {};  // homes that are there, and no help in the margin: why_not_counted()
};
Task<Result<RepairDone>> do_repair(Session& session, bool read_all, bool dry_run, vault::Progress progress);

/// "SNAPSHOT:PATH" at the first ':'. Errors: usage (nothing before the ':').
Result<std::pair<std::string, std::string>> split_snapshot_path(const std::string& text);
/// How a path is written in a snapshot: without the leading "/".
std::string entry_path(std::string path);

}  // namespace mhp::app
