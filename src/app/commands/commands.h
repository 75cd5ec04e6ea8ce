// The commands: each adds itself to the command line, and what it does can be called by others (the demo, tests).
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "app/session.h"
#include "snapshot/backup.h"
#include "snapshot/restore.h"

namespace mhp::app {

/// Set by the command that was chosen; main runs it on the loop and ends with its exit code.
using Work = std::function<Task<int>(Session&)>;

void add_init(CLI::App& app, Work& work);
void add_recover(CLI::App& app, Work& work);
void add_home(CLI::App& app, Work& work);
void add_backup(CLI::App& app, Work& work);
void add_snapshots(CLI::App& app, Work& work);
void add_ls(CLI::App& app, Work& work);
void add_find(CLI::App& app, Work& work);
void add_diff(CLI::App& app, Work& work);
void add_restore(CLI::App& app, Work& work);
void add_status(CLI::App& app, Work& work);
void add_check(CLI::App& app, Work& work);
void add_repair(CLI::App& app, Work& work);
void add_demo(CLI::App& app, Work& work);

// --- What commands do, without saying it
// -----------------------------------------------------------------------------------

struct InitArgs {
  std::string name;
  std::string level = "normal";
  std::string phrase_file;
  std::string sheet_file;
};
struct InitDone {
  VaultId vault;
  std::string phrase;
};
/// Makes keys, vault record and state folder. The phrase is written to phrase_file where one is given, else it is in
/// the answer.
Task<Result<InitDone>> do_init(Session& session, InitArgs args);

struct HomeAddArgs {
  std::string path;
  std::string name;
  std::string max_used;
  std::string min_free;
  bool same_disk = false;
};
struct HomeAdded {
  wire::HomeEntry entry;
  bool known = false;            // a home of this vault at a new path
  std::string shares_disk_with;  // another home's name; empty: a disk of its own
  std::size_t homes = 0;
};
Task<Result<HomeAdded>> do_home_add(Session& session, HomeAddArgs args);

struct BackupArgs {
  snapshot::BackupOptions options;
};
struct BackupDone {
  snapshot::BackupReport report;
  vault::CheckReport after;       // of the whole vault
  std::uint64_t spread_rows = 0;  // rows of earlier snapshots that new homes were given
  std::uint64_t adopted = 0;
  std::size_t homes = 0, homes_reachable = 0;
  unsigned planned_margin = 0;
};
Task<Result<BackupDone>> do_backup(Session& session, BackupArgs args, snapshot::Counters& counters);

struct RecoverArgs {
  std::string phrase;
  std::vector<std::string> homes;  // folders
  bool keep_devices = false;
};
struct RecoverDone {
  std::string name;
  std::size_t homes = 0, homes_reachable = 0;
  std::size_t snapshots = 0;
  vault::Vault::NewestHead newest;
};
Task<Result<RecoverDone>> do_recover(Session& session, RecoverArgs args);

struct RestoreArgs {
  std::string snapshot = "latest";
  std::string path;
  std::string to;
  bool dry_run = false;
};
Task<Result<snapshot::RestoreReport>> do_restore(Session& session, RestoreArgs args, snapshot::Counters& counters);

Task<Result<vault::RepairReport>> do_repair(Session& session, bool read_all, bool dry_run, vault::Progress progress);

/// "SNAPSHOT:PATH" at the first ':'.
std::pair<std::string, std::string> split_snapshot_path(const std::string& text);
/// How a path is written in a snapshot: without the leading "/".
std::string entry_path(std::string path);

}  // namespace mhp::app
