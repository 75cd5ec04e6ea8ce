// `mhp restore`: brings a snapshot back. Exit codes: 0 all back; of what is missing each is listed: 4 too few homes, 5
// damaged, 3 else.
#include <fmt/format.h>

#include "app/commands/commands.h"
#include "app/progress.h"
#include "app/text.h"
#include "snapshot/tree.h"

namespace mhp::app {

std::pair<std::string, std::string> split_snapshot_path(const std::string& text) {
  const std::size_t colon = text.find(':');
  return colon == std::string::npos ? std::pair(text, std::string())
                                    : std::pair(text.substr(0, colon), text.substr(colon + 1));
}

std::string entry_path(std::string path) {
  while (!path.empty() && path.front() == '/') path.erase(path.begin());
  while (!path.empty() && path.back() == '/') path.pop_back();
  return path;
}

Task<Result<snapshot::RestoreReport>> do_restore(Session& session, RestoreArgs args, snapshot::Counters& counters) {
  MHP_CO_TRY(Opened opened, co_await open_vault(session, {}));
  MHP_CO_TRY(const wire::SnapshotRecord chosen, snapshot::choose_snapshot(opened.vault->snapshots(), args.snapshot));
  counters.files_total = chosen.files;
  counters.bytes_total = args.path.empty() ? chosen.bytes : 0;
  if (!args.path.empty()) counters.files_total = 0;
  snapshot::RestoreOptions options{.snapshot = chosen, .path = args.path, .to = args.to, .dry_run = args.dry_run};
  auto report = co_await snapshot::restore(session.platform, *opened.vault, options, counters);
  name_troubles(session, *opened.homes);
  co_return report;
}

static void show_report(Session& session, const RestoreArgs& args, const snapshot::RestoreReport& report,
                        double seconds) {
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
                      {"dry_run", args.dry_run}});
  if (session.out.json) return;
  for (const auto& error : report.errors)
    session.out.note(fmt::format("not brought back: {}: {}", printable(error.path), printable(error.reason)));
  for (const auto& warning : report.warnings)
    session.out.note(fmt::format("{}: {}", printable(warning.path), printable(warning.reason)));
  session.out.say(fmt::format("{} {}, {}, in {}, to {}.", args.dry_run ? "Would bring back" : "Brought back",
                              plural(report.files, "file", "files"), format_bytes(report.bytes),
                              format_seconds(seconds), printable(args.to)));
}

/// 0 all back; the code of the gravest reason where homes were too few or bytes damaged; 3 for all others.
static int exit_code(Session& session, const snapshot::RestoreReport& report) {
  if (report.errors.empty()) return kDone;
  const Errc worst = report.worst.value_or(Errc::not_found);
  if (worst != Errc::unavailable && worst != Errc::timed_out && worst != Errc::corrupt) return kPartly;
  const Error error{
      worst, fmt::format("{} not brought back, the first: {}", plural(report.errors.size(), "file was", "files were"),
                         report.errors.front().reason)};
  return session.out.fail(
      error, "What could be brought back is whole. Connect the homes that are away and restore into another folder.");
}

static Task<int> run_restore(Session& session, RestoreArgs args) {
  const auto start = session.platform.clock().steady();
  snapshot::Counters counters;
  ProgressLine progress(session, TransferLine(session.platform.clock(), counters, "bringing back"));
  auto report = co_await do_restore(session, args, counters);
  co_await progress.stop();
  if (!report) {
    const Error& error = report.error();
    const bool target_taken = error.code == Errc::busy;
    co_return session.out.fail(
        error, target_taken ? "Choose a folder with --to that is empty or does not exist." : hint_for(error),
        target_taken ? kUsage : exit_code_of(error.code));
  }
  show_report(session, args, *report, std::chrono::duration<double>(session.platform.clock().steady() - start).count());
  co_return exit_code(session, *report);
}

void add_restore(CLI::App& app, Work& work) {
  auto args = std::make_shared<RestoreArgs>();
  CLI::App* command = app.add_subcommand("restore", "Bring a snapshot, or a path in it, back to this computer");
  command
      ->add_option("snapshot", args->snapshot,
                   "An id, the first letters of one, or 'latest'; with :PATH only that folder or file")
      ->required();
  command->add_option("--to", args->to, "Folder to fill; must be empty or absent")->required();
  command->add_flag("--dry-run", args->dry_run, "Say what would come back, write nothing");
  command->footer(
      "Examples:\n  mhp restore latest --to /tmp/back              keeps the snapshot's paths below it\n"
      "  mhp restore 3f2a:/home/ann/Photos --to ~/Photos   puts the folder's content there");
  command->callback([args, &work] {
    const auto [snapshot, path] = split_snapshot_path(args->snapshot);
    args->snapshot = snapshot;
    args->path = path;
    work = [args](Session& session) { return run_restore(session, *args); };
  });
}

}  // namespace mhp::app
