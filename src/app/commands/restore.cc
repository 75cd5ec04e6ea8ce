// `mhp restore`: brings a snapshot back. Exit codes: 0 all back; of what is missing each is listed: 4 too few homes, 5
// damaged, 3 else.
#include <fmt/format.h>

#include "app/commands/commands.h"
#include "app/limits.h"
#include "app/notes.h"
#include "app/progress.h"
#include "app/text.h"
#include "snapshot/tree.h"

namespace mhp::app {

Result<std::pair<std::string, std::string>> split_snapshot_path(const std::string& text) {
  const std::size_t colon = text.find(':');
  if (text.empty() || colon == 0)
    return fail(Errc::usage, Subject::snapshot, fmt::format("'{}' names no snapshot", text));
  if (colon == std::string::npos) return std::pair(text, std::string());
  return std::pair(text.substr(0, colon), text.substr(colon + 1));
}

/// True for a link whose target is not there: no folder can be made under its name.
static bool is_dangling_link(platform::Platform& platform, const std::string& path) {
  const auto whole = platform.disk().absolute(path);
  if (!whole) return false;
  const auto place = platform.trees().source(*whole);
  if (!place || place->name.empty()) return false;
  const auto info = place->folder->info_of(place->name);
  return info && info->kind == platform::NodeKind::symlink;
}

/// What the real restore would refuse, before anything is fetched. Errors: busy (not empty), usage (no folder).
static Result<void> check_target(platform::Platform& platform, const std::string& path) {
  const auto there = platform.disk().info(path);
  if (!there && is_dangling_link(platform, path))
    return fail(Errc::usage, Subject::target, path + ": is a link to something that is not there");
  if (!there) return {};
  if (!there->is_folder) return fail(Errc::usage, Subject::target, path + ": exists and is no folder");
  MHP_TRY(const auto names, about(Subject::target, platform.disk().list(path)));
  if (!names.empty()) return fail(Errc::busy, Subject::target, path + ": is not empty");
  return {};
}

/// What lies in a home or in the state folder is taken for a part of it by people and programs. Errors: usage.
static Task<Result<void>> check_outside_own(Session& session, const Opened& opened, std::string to) {
  if (to.empty()) co_return fail(Errc::usage, Subject::target, "an empty path is no folder");
  auto resolve = [&disk = session.platform.disk(), to] { return disk.absolute(to); };
  const auto target = co_await on_path(session, to, std::move(resolve));
  if (!target) co_return fail(target.error().code, Subject::target, target.error().detail);
  const auto state = session.platform.disk().absolute(session.state_folder);
  if (state && is_within(*target, *state))
    co_return fail(Errc::usage, Subject::target, to + ": lies in the state folder");
  for (const wire::HomeEntry& entry : opened.record->content.homes) {
    if (is_within(*target, entry.path))
      co_return fail(Errc::usage, Subject::target,
                     fmt::format("{}: lies in home '{}' ({})", to, entry.name, entry.path));
  }
  co_return Result<void>();
}

/// A snapshot that was taken in part brings back a part.
static void say_if_partial(const Session& session, const wire::SnapshotRecord& snapshot) {
  if (snapshot.unreadable == 0 || session.out.mute) return;
  session.out.note(fmt::format("Snapshot {} was taken in part: {} could not be read then and cannot be in it.",
                               snapshot.id.short_hex(),
                               plural(snapshot.unreadable, "file or folder", "files or folders")));
}

std::string entry_path(std::string path) {
  while (!path.empty() && path.front() == '/') path.erase(path.begin());
  while (!path.empty() && path.back() == '/') path.pop_back();
  return path;
}

Task<Result<RestoreDone>> do_restore(Session& session, RestoreArgs args, snapshot::Counters& counters) {
  OpenOptions how;
  how.only_reads = true;
  MHP_CO_TRY(Opened opened, co_await open_vault(session, how));
  MHP_CO_TRY_VOID(co_await check_outside_own(session, opened, args.to));
  auto check = [&platform = session.platform, to = args.to] { return check_target(platform, to); };
  MHP_CO_TRY_VOID(co_await on_path(session, args.to, std::move(check)));
  MHP_CO_TRY(const wire::SnapshotRecord chosen, snapshot::choose_snapshot(opened.vault->snapshots(), args.snapshot));
  counters.files_total = chosen.files;
  counters.bytes_total = args.path.empty() ? chosen.bytes : 0;
  if (!args.path.empty()) counters.files_total = 0;
  snapshot::RestoreOptions options{
      .snapshot = chosen, .path = args.path, .to = args.to, .dry_run = args.dry_run, .sync = !args.no_sync};
  auto report = co_await snapshot::restore(session.platform, *opened.vault, options, counters);
  name_troubles(session, *opened.homes);
  if (!report) co_return pass(report);
  say_if_partial(session, chosen);
  RestoreDone done{std::move(*report), opened.vault->unread_heads(), may_lack_newest(opened, args.snapshot)};
  co_return done;
}

static void show_report(Session& session, const RestoreArgs& args, const RestoreDone& report, double seconds) {
  nlohmann::json errors = nlohmann::json::array();
  for (const auto& error : report.errors)
    errors.push_back({{"path", json_text(error.path)}, {"reason", json_text(error.reason)}});
  nlohmann::json warnings = nlohmann::json::array();
  for (const auto& warning : report.warnings)
    warnings.push_back({{"path", json_text(warning.path)}, {"reason", json_text(warning.reason)}});
  session.out.result({{"files", report.files},
                      {"bytes", report.bytes},
                      {"folders", report.folders},
                      {"errors", errors},
                      {"warnings", warnings},
                      {"unread", json_unread(report.unread)},
                      {"dry_run", args.dry_run}});
  if (session.out.json) return;
  for (const auto& error : report.errors)
    session.out.note(fmt::format("not brought back: {}: {}", printable(error.path), printable(error.reason)));
  note_warnings(session, report.warnings);
  const std::string what = fmt::format("{}, {}", plural(report.files, "file", "files"), format_bytes(report.bytes));
  if (args.dry_run) {
    session.out.say(fmt::format("Would bring back {}, to {}. Nothing was written.", what, printable(args.to)));
  } else {
    session.out.say(fmt::format("Brought back {}, in {}, to {}.", what, format_seconds(seconds), printable(args.to)));
  }
}

/// 0 all back; the code of the gravest reason where homes were too few or bytes damaged; 3 for all others, and where
/// the newest was asked for and there may be a newer one.
static int exit_code(Session& session, const RestoreDone& report) {
  if (report.errors.empty()) return report.may_lack_newest ? kPartly : kDone;
  const Errc worst = report.worst ? report.worst->code : Errc::not_found;
  const bool of_homes = worst == Errc::unavailable || worst == Errc::timed_out || worst == Errc::corrupt;
  if (!of_homes || report.worst->subject == Subject::target) return kPartly;
  const Error error{worst,
                    fmt::format("{} not brought back, the first: {}",
                                plural(report.errors.size(), "file was", "files were"), report.errors.front().reason),
                    report.worst->subject};
  const char* next = worst == Errc::corrupt
                         ? "What could be brought back is whole. 'mhp check --read-data' finds what is damaged; a "
                           "home that was taken off the list may still have it ('mhp home add DIR')."
                         : "What could be brought back is whole. Connect the homes that are away and restore into "
                           "another folder.";
  return session.out.fail(error, next);
}

static Task<int> run_restore(Session& session, RestoreArgs args) {
  auto named = split_snapshot_path(args.snapshot);
  if (!named) co_return session.out.fail(named.error(), hint_for(named.error()));
  std::tie(args.snapshot, args.path) = std::move(*named);
  const auto start = session.platform.clock().steady();
  snapshot::Counters counters;
  ProgressLine progress(session, TransferLine(session.platform.clock(), counters, "bringing back"));
  auto report = co_await do_restore(session, args, counters);
  co_await progress.stop();
  if (!report) {
    const Error& error = report.error();
    const bool taken = error.subject == Subject::target && error.code == Errc::busy;
    co_return taken ? session.out.fail(error, hint_for(error), kUsage) : session.out.fail(error, hint_for(error));
  }
  if (!args.dry_run) session.out.done = plural(report->files, "file was", "files were") + " brought back";
  show_report(session, args, *report, std::chrono::duration<double>(session.platform.clock().steady() - start).count());
  co_return exit_code(session, *report);
}

void add_restore(Command& program) {
  auto args = std::make_shared<RestoreArgs>();
  args->snapshot.clear();
  Command command = program.add(
      "restore", "Bring a snapshot, or a path in it, back to this computer",
      "Examples:\n  mhp restore latest --to /tmp/back              keeps the snapshot's paths below it\n"
      "  mhp restore 3f2a:/home/ann/Photos --to ~/Photos   puts the folder's content there\n"
      "Exit codes: 0 all back; 3 some files not, each named, or there is a newer snapshot that cannot be read "
      "now; 4 too few homes; 5 damaged");
  command.needs("snapshot", args->snapshot,
                "An id, the first letters of one, or 'latest'; with :PATH only that folder or file");
  command.needs("--to", args->to, "Folder to fill; must be empty or absent");
  command.flag("--dry-run", args->dry_run, "Say what would come back, write nothing");
  command.flag("--no-sync", args->no_sync, "Do not wait until the disk has it all: a power cut may then lose files");
  auto limits = std::make_shared<LimitArgs>();
  add_limits(command, *limits);
  command.runs([args, limits](Session& session) {
    return run_within_limits(session, *limits, [args](Session& s) { return run_restore(s, *args); });
  });
}

}  // namespace mhp::app
