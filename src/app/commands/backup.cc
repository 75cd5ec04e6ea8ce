// `mhp backup`: folders go out in fragments.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>

#include "app/commands/commands.h"
#include "app/limits.h"
#include "app/members.h"
#include "app/notes.h"
#include "app/progress.h"
#include "app/text.h"

namespace mhp::app {

static std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

/// The state folder and own folder homes, so that a backup never swallows itself.
static Task<> leave_out_own_folders(Session& session, const Opened& opened, snapshot::ScanOptions& scan) {
  std::vector<std::string> own = {session.state_folder};
  for (const wire::HomeEntry& entry : opened.record->content.homes) own.push_back(entry.path);
  for (const auto& info : co_await infos_of_paths(session, std::move(own))) {
    if (info) scan.leave_out.emplace_back(info->device, info->inode);
  }
}

/// Which own folder holds `path`, in words; empty where none does.
static std::string own_folder_of(const std::string& path, const std::string& state, const Opened& opened) {
  if (is_within(path, state)) return "the state folder";
  for (const wire::HomeEntry& entry : opened.record->content.homes) {
    if (is_within(path, entry.path)) return fmt::format("home '{}'", entry.name);
  }
  return "";
}

/// Says which of the paths that were named are left out as own folders. Errors: usage where all of them are.
static Result<void> say_left_out(const Session& session, const Opened& opened, const snapshot::ScanOptions& scan) {
  platform::Disk& disk = session.platform.disk();
  MHP_TRY(const std::vector<std::string> paths, snapshot::normal_paths(disk, scan.paths));
  MHP_TRY(const std::string state, disk.absolute(session.state_folder));
  std::vector<std::string> left_out;
  for (const std::string& path : paths) {
    const std::string own = own_folder_of(path, state, opened);
    if (!own.empty()) left_out.push_back(fmt::format("{} ({})", path, own));
  }
  if (left_out.size() == paths.size()) {
    return fail(Errc::usage, Subject::source,
                fmt::format("nothing is left to save: a backup leaves out its own homes and state folder, and so {}",
                            fmt::join(left_out, ", ")));
  }
  if (session.out.mute) return {};
  for (const std::string& path : left_out)
    session.out.note(fmt::format("left out, as a backup does not save itself: {}", printable(path)));
  return {};
}

/// Whose homes take what is saved now: the owner's own drives first, then his clouds.
static std::vector<GoesTo> where_it_goes(const Opened& opened) {
  std::map<CloudId, std::size_t> counts;
  const std::vector<wire::HomeEntry>& entries = opened.record->content.homes;
  for (std::size_t i = 0; i < entries.size(); ++i)
    if (opened.homes->takes_writes(i) && opened.homes->members()[i].counts)
      ++counts[entries[i].kind == wire::HomeKind::computer ? CloudId::from_array(entries[i].cloud) : CloudId()];
  std::vector<GoesTo> out;
  for (const auto& [cloud, homes] : counts) {
    const auto name = opened.cloud_names.find(cloud);
    const bool is_own = cloud == CloudId();
    out.push_back({is_own ? "" : name == opened.cloud_names.end() ? cloud.short_hex() : name->second, homes});
  }
  return out;
}

/// It took nothing more from some point on; one that is slow may have been left behind.
static bool is_left_out(const dispersal::HomeSet& homes, const dispersal::Trouble& trouble) {
  if (trouble.kind != dispersal::TroubleKind::slow) return dispersal::refuses_writes(trouble.kind);
  const auto slow = std::ranges::find(homes.members(), trouble.home, &dispersal::Member::id);
  return slow->home != nullptr && !homes.takes_writes(static_cast<std::size_t>(slow - homes.members().begin()));
}

/// After a backup: what the whole vault stands at, and rows that homes lack: those that have joined since get theirs,
/// and what a home refused goes to the others.
static Task<Result<void>> settle(Opened& opened, BackupDone& done) {
  const vault::Progress silent = [](const vault::CheckProgress&) {};
  MHP_CO_TRY(done.after, co_await opened.vault->standing());
  const bool all_there = opened.homes->missing() == 0;
  // What is in use by another mhp will take its rows next time: nothing is to be put elsewhere for it.
  const bool in_use = std::ranges::find(opened.homes->troubles(), dispersal::TroubleKind::busy,
                                        &dispersal::Trouble::kind) != opened.homes->troubles().end();
  // Nor for one that is slow: 'mhp repair' waits for it.
  const bool left_behind = std::ranges::any_of(opened.homes->troubles(), [&](const dispersal::Trouble& trouble) {
    return trouble.kind == dispersal::TroubleKind::slow && is_left_out(*opened.homes, trouble);
  });
  if (!all_there || in_use || left_behind || done.after.margin >= static_cast<int>(done.planned_margin))
    co_return Result<void>();
  MHP_CO_TRY(const vault::RepairReport repaired, co_await opened.vault->repair(false, {}, false, silent));
  done.spread_rows = repaired.rows_made;
  done.after.margin = repaired.margin;
  done.after.homes = repaired.homes;
  co_return Result<void>();
}

static Task<Result<void>> store_snapshot(Session& session, const BackupArgs& args, Opened& opened, BackupDone& done,
                                         snapshot::Counters& counters) {
  snapshot::BackupOptions options = args.options;
  MHP_CO_TRY_VOID(say_left_out(session, opened, options.scan));
  co_await leave_out_own_folders(session, opened, options.scan);
  const dispersal::HomeSet& homes = *opened.homes;
  done.homes = homes.reachable() + homes.missing();
  done.homes_reachable = homes.reachable();
  done.planned_margin = homes.plan(opened.vault->level()).margin;
  done.repairable_margin = homes.repairable_margin(opened.vault->level());
  done.goes_to = where_it_goes(opened);
  MHP_CO_TRY(done.report, co_await snapshot::backup(session.platform, *opened.vault, options, counters));
  if (options.dry_run) {  // what it would come to is not known; what is there now is
    const vault::Progress silent = [](const vault::CheckProgress&) {};
    MHP_CO_TRY(done.after, co_await opened.vault->check(0, silent));
  } else {
    MHP_CO_TRY_VOID(co_await settle(opened, done));
  }
  co_return Result<void>();
}

/// The clock stands before what was saved already: which of the two is wrong nobody here can know.
static void note_clock_behind(const Session& session, const std::vector<wire::SnapshotRecord>& snapshots) {
  constexpr std::int64_t kToBeSaid = 60'000'000'000;  // below a minute it is only that clocks differ
  if (snapshots.empty() || session.out.mute) return;
  const std::int64_t now = session.platform.clock().unix_ns();
  const std::int64_t newest = snapshots.back().time_ns;
  if (now >= newest - kToBeSaid) return;
  session.out.note(
      fmt::format("the clock of this computer says {}, before the newest snapshot's time ({}): it is wrong now, or it "
                  "was wrong then. This snapshot is the newest all the same. Set the clock if it is wrong.",
                  format_time(now), format_time(newest)));
}

Task<Result<BackupDone>> do_backup(Session& session, BackupArgs args, snapshot::Counters& counters) {
  for (const std::string& tag : args.options.tags)
    if (tag.find(',') != std::string::npos)
      co_return fail(Errc::usage, fmt::format("--tag '{}': a tag has no comma; give --tag once for each", tag));
  if (args.options.host.empty()) args.options.host = host_name();
  OpenOptions open_options;
  open_options.sources = args.options.scan.paths;
  open_options.writes = !args.options.dry_run;
  open_options.keeps_homes = !args.options.dry_run;
  MHP_CO_TRY(Opened opened, co_await open_vault(session, open_options));
  note_clock_behind(session, opened.vault->snapshots());
  BackupDone done;
  const auto stored = co_await store_snapshot(session, args, opened, done, counters);
  if (stored && !args.options.dry_run) {
    vault::Collected due;
    co_await opened.vault->collect_due(due);
    done.freed_bytes = due.freed_bytes;
  }
  report_away(*opened.homes);
  name_troubles(session, *opened.homes);
  name_reprieved(session, *opened.vault);
  std::ranges::copy_if(opened.homes->troubles(), std::back_inserter(done.left_out),
                       [&](const dispersal::Trouble& trouble) { return is_left_out(*opened.homes, trouble); });
  if (!stored) co_return tl::unexpected<Error>(stored.error());
  co_return done;
}

static nlohmann::json json_errors(const std::vector<snapshot::SourceError>& errors) {
  nlohmann::json list = nlohmann::json::array();
  for (const snapshot::SourceError& error : errors)
    list.push_back({{"path", json_text(error.path)}, {"reason", json_text(error.reason)}});
  return list;
}

static nlohmann::json json_homes(const std::vector<dispersal::Trouble>& troubles) {
  nlohmann::json list = nlohmann::json::array();
  for (const dispersal::Trouble& trouble : troubles) {
    list.push_back({{"id", trouble.home.hex()},
                    {"name", json_text(trouble.name)},
                    {"state", dispersal::to_string(trouble.kind)},
                    {"reason", json_text(trouble.detail)}});
  }
  return list;
}

static nlohmann::json json_goes_to(const BackupDone& done) {
  nlohmann::json list = nlohmann::json::array();
  for (const GoesTo& one : done.goes_to) list.push_back({{"cloud", json_text(one.cloud)}, {"homes", one.homes}});
  return list;
}

static void show_json(Session& session, const BackupDone& done, bool dry_run) {
  const vault::Committed& committed = done.report.committed;
  nlohmann::json object = {{"files", done.report.snapshot.files},
                           {"bytes", done.report.snapshot.bytes},
                           {"new_bytes", committed.totals.new_bytes},
                           {"packed_bytes", committed.totals.packed_bytes},
                           {"stored_bytes", committed.totals.stored_bytes},
                           {"homes", done.after.homes},
                           {"margin", std::max(done.after.margin, 0)},
                           {"files_new", done.report.files_new},
                           {"files_changed", done.report.files_changed},
                           {"files_unchanged", done.report.files_unchanged},
                           {"freed_bytes", done.freed_bytes},
                           {"adopted_segments", done.report.adopted_segments},
                           {"errors", json_errors(done.report.errors)},
                           {"left_out", json_homes(done.left_out)},
                           {"goes_to", json_goes_to(done)},
                           {"warnings", json_errors(done.report.warnings)},
                           {"unused_excludes", json_texts(done.report.unused_excludes)}};
  if (!dry_run) object["snapshot"] = committed.snapshot.hex();
  if (dry_run) object["dry_run"] = true;
  session.out.result(object);
}

static std::string safety_sentence(const BackupDone& done) {
  // Where only what was saved before lacks something, it is said below: what was saved now is as safe as it is.
  const bool older_at_fault = done.after.unrestorable > 0 && done.report.committed.margin >= 1;
  if (older_at_fault) {
    return fmt::format("on {}, {} (of this snapshot)", plural(done.report.committed.homes, "home", "homes"),
                       format_margin(done.report.committed.margin));
  }
  const char* not_yet = done.after.margin >= 1 ? "" : "not safe yet: ";
  return fmt::format("{}on {}, {}", not_yet, plural(done.after.homes, "home", "homes"),
                     format_margin(done.after.margin));
}

/// Nothing for who is in no cloud.
static void say_where_it_goes(Session& session, const BackupDone& done, bool dry_run) {
  const bool is_own_only = done.goes_to.empty() || (done.goes_to.size() == 1 && done.goes_to.front().cloud.empty());
  if (is_own_only) return;
  std::string where;
  for (const GoesTo& one : done.goes_to)
    where += fmt::format("{}{} {}", where.empty() ? "" : ", ", plural(one.homes, "home", "homes"),
                         one.cloud.empty() ? "of your own" : fmt::format("of the cloud '{}'", printable(one.cloud)));
  session.out.say(fmt::format("{}: {}.", dry_run ? "It would go to" : "It went to", where));
}

static void show_text(Session& session, const BackupDone& done, double seconds, bool dry_run) {
  const snapshot::BackupReport& report = done.report;
  for (const auto& error : report.errors)
    session.out.note(fmt::format("not saved: {}: {}", printable(error.path), printable(error.reason)));
  note_warnings(session, report.warnings);
  for (const std::string& pattern : report.unused_excludes)
    session.out.note(fmt::format("exclude pattern '{}' fitted nothing", printable(pattern)));
  if (dry_run) {
    session.out.say(fmt::format("Would save {}, {}: {} new, {} changed, {} unchanged. Nothing was stored.",
                                plural(report.snapshot.files, "file", "files"), format_bytes(report.snapshot.bytes),
                                format_count(report.files_new), format_count(report.files_changed),
                                format_count(report.files_unchanged)));
    say_where_it_goes(session, done, dry_run);
    return;
  }
  const vault::WriteTotals& totals = report.committed.totals;
  session.out.say(fmt::format("{}, {}: {}.", plural(report.snapshot.files, "file", "files"),
                              format_bytes(report.snapshot.bytes), safety_sentence(done)));
  if (!done.left_out.empty()) {
    std::string who;
    for (const dispersal::Trouble& trouble : done.left_out)
      who += fmt::format("{}'{}' ({})", who.empty() ? "" : ", ", printable(trouble.name),
                         dispersal::to_string(trouble.kind));
    session.out.say("Left out: " + who + ".");
  }
  say_where_it_goes(session, done, dry_run);
  session.out.say(fmt::format(
      "Snapshot {} in {}: {} new, {} changed, {} unchanged; {} of new content, {} after compression, {} stored on "
      "homes.",
      report.committed.snapshot.short_hex(), format_seconds(seconds), format_count(report.files_new),
      format_count(report.files_changed), format_count(report.files_unchanged), format_bytes(totals.new_bytes),
      format_bytes(totals.packed_bytes), format_bytes(totals.stored_bytes)));
  if (report.adopted_segments > 0) {
    session.out.say(fmt::format("It went on from an interrupted backup: {} there already.",
                                plural(report.adopted_segments, "segment was", "segments were")));
  }
  if (done.freed_bytes > 0)
    session.out.say(fmt::format("Homes gave {} of what was forgotten back.", format_bytes(done.freed_bytes)));
  if (done.spread_rows > 0)
    session.out.say(fmt::format("Homes that lacked rows of the vault were given them: {}.",
                                plural(done.spread_rows, "row", "rows")));
  if (done.after.unrestorable > 0) {
    session.out.say(
        fmt::format("Of earlier snapshots, {} cannot be brought back from the homes that answer; this one can.",
                    plural(done.after.unrestorable, "segment", "segments")));
  } else if (done.homes <= 1) {
    session.out.say("Add another home with 'mhp home add DIR'.");
  } else if (done.after.margin < 1 && done.homes_reachable < done.homes) {
    session.out.say(fmt::format(
        "Connect the homes that are away{}. One that is lost for good goes off the list with 'mhp home remove NAME "
        "--lost': then backups do without it.",
        done.repairable_margin >= 1 ? ", or run 'mhp repair' after each backup until they are back" : ""));
  }
}

/// 0 done; 3 some files unreadable; 4 homes were away, full or failed, and no further one may be lost now.
static int exit_code(const BackupDone& done, bool dry_run) {
  if (!dry_run && !done.left_out.empty() && done.planned_margin >= 1 && done.after.margin < 1) return kTooFew;
  return done.report.errors.empty() ? kDone : kPartly;
}

static Task<int> run_backup(Session& session, BackupArgs args) {
  const platform::Clock& clock = session.platform.clock();
  const auto start = clock.steady();
  snapshot::Counters counters;
  ProgressLine progress(session, TransferLine(session.platform.clock(), counters, "saving"));
  auto done = co_await do_backup(session, args, counters);
  co_await progress.stop();
  if (!done) {
    co_return session.out.fail(done.error(), hint_for(done.error(), true));
  }
  const bool dry_run = args.options.dry_run;
  if (!dry_run) session.out.done = fmt::format("snapshot {} was made", done->report.committed.snapshot.short_hex());
  if (session.out.json) {
    show_json(session, *done, dry_run);
  } else {
    show_text(session, *done, std::chrono::duration<double>(clock.steady() - start).count(), dry_run);
  }
  co_return exit_code(*done, dry_run);
}

void add_backup(Command& program) {
  struct Given {
    BackupArgs args;
    LimitArgs limits;
    int wait_minutes = kWaitMinutes;
    bool caches_too = false;
  };
  auto given = std::make_shared<Given>();
  snapshot::BackupOptions& options = given->args.options;
  Command command = program.add(
      "backup", "Save files and folders as a new snapshot",
      "Examples:\n  mhp backup ~/Photos ~/Documents\n  mhp backup / -x --exclude '*.tmp' --exclude /var/cache\n"
      "Exit codes: 0 done; 3 some files could not be read, each named; 4 too few homes");
  command.needs("path", options.scan.paths, "Files and folders");
  command.takes("-e,--exclude", options.scan.excludes,
                "Leave out what fits this pattern (as in .gitignore; may be given again)");
  command.takes("--exclude-file", options.scan.exclude_files, "Leave out what fits the patterns in this file");
  command.flag("-x,--one-file-system", options.scan.one_file_system, "Do not go into other mounted disks");
  command.flag("--no-exclude-caches", given->caches_too, "Save folders marked by CACHEDIR.TAG too");
  command.takes("--tag", options.tags, "A word to find the snapshot by (may be given again)");
  command.takes("--host", options.host, "Name of this computer in the snapshot");
  command.flag("--full-read", options.full_read, "Read every file again, even where its times did not change");
  takes_wait(command, given->wait_minutes);
  command.flag("--dry-run", options.dry_run, "Say what would be saved, store nothing");
  add_limits(command, given->limits);
  command.takes("--compression", options.write.compression_level, 1, 19, "zstd level, 1 (fast) to 19");
  command.runs([given](Session& session) {
    given->args.options.scan.exclude_caches = !given->caches_too;
    session.patience = std::chrono::minutes(given->wait_minutes);
    return run_within_limits(session, given->limits, [given](Session& s) { return run_backup(s, given->args); });
  });
}

}  // namespace mhp::app
