// `mhp forget`: snapshots go from the list, by name or by rules, and homes give their space back.
#include "snapshot/forget.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/commands/commands.h"
#include "app/notes.h"
#include "app/progress.h"
#include "app/text.h"
#include "snapshot/retention.h"
#include "snapshot/scan.h"
#include "snapshot/tree.h"

namespace mhp::app {

namespace {

struct ForgetArgs {
  int wait_minutes = kWaitMinutes;
  std::vector<std::string> names;
  snapshot::KeepRules rules;
  std::string within;
  std::string group_by = "host,paths";
  snapshot::SnapshotFilter filter;
  bool remove_all = false;  // a group may lose all its snapshots
  bool collect_only = false;
  bool no_repack = false;
  bool dry_run = false;
};

/// What was chosen, and why.
struct Choice {
  std::vector<snapshot::SnapshotGroup> groups;  // of rules
  std::vector<wire::SnapshotRecord> forget;
};

constexpr const char* kHowToChoose =
    "Name snapshots ('mhp snapshots' lists them), or say what to keep, as in 'mhp forget --keep-daily 7 --keep-weekly "
    "5 --keep-monthly 12'. With --dry-run it only says what would go.";

bool has_filter(const snapshot::SnapshotFilter& filter) {
  return !filter.hosts.empty() || !filter.tags.empty() || !filter.paths.empty();
}

/// Errors: usage.
Result<void> check_usage(const ForgetArgs& args) {
  const bool by_rules = args.rules.any();
  if (args.collect_only && (by_rules || !args.names.empty()))
    return fail(Errc::usage, "--collect-only forgets nothing: leave the snapshots and rules out");
  if (!args.names.empty() && (by_rules || has_filter(args.filter)))
    return fail(Errc::usage, "either snapshots are named, or rules choose them");
  if (!args.collect_only && args.names.empty() && !by_rules)
    return fail(Errc::usage, "nothing says which snapshots to forget");
  return {};
}

/// Errors: usage, not_found.
Result<Choice> choose(const ForgetArgs& args, const std::vector<wire::SnapshotRecord>& snapshots, std::int64_t now_ns) {
  Choice choice;
  for (const std::string& name : args.names) {
    MHP_TRY(wire::SnapshotRecord chosen, snapshot::choose_snapshot(snapshots, name));
    if (std::ranges::find(choice.forget, chosen.id, &wire::SnapshotRecord::id) == choice.forget.end())
      choice.forget.push_back(std::move(chosen));
  }
  if (!args.rules.any()) return choice;
  MHP_TRY(const snapshot::Grouping grouping, snapshot::parse_grouping(args.group_by));
  choice.groups = snapshot::apply_rules(snapshots, args.filter, grouping, args.rules, local_seconds, now_ns);
  for (const auto& group : choice.groups) {
    if (!args.remove_all && std::ranges::none_of(group.decisions, &snapshot::Decision::keep))
      return fail(Errc::usage, "these rules keep none of the snapshots of a group (the newest is " +
                                   group.decisions.front().snapshot.id.short_hex() + "): nothing was forgotten");
    for (const auto& decision : group.decisions) {
      if (!decision.keep()) choice.forget.push_back(decision.snapshot);
    }
  }
  return choice;
}

/// A rule in a script that fits nothing would forget nothing for ever, or keep nothing that it was to keep.
void note_what_fits_nothing(const Session& session, const ForgetArgs& args,
                            const std::vector<wire::SnapshotRecord>& snapshots) {
  if (session.out.mute) return;
  const auto note = [&](const char* option, const std::vector<std::string>& wanted, auto has) {
    for (const std::string& one : wanted)
      if (std::ranges::none_of(snapshots, [&](const wire::SnapshotRecord& snapshot) { return has(snapshot, one); }))
        session.out.note(fmt::format("{} '{}' fits no snapshot", option, printable(one)));
  };
  const auto is_in = [](const std::vector<std::string>& list, const std::string& one) {
    return std::ranges::find(list, one) != list.end();
  };
  note("--keep-tag", args.rules.tags, [&](const auto& snapshot, const auto& tag) { return is_in(snapshot.tags, tag); });
  note("--tag", args.filter.tags, [&](const auto& snapshot, const auto& tag) { return is_in(snapshot.tags, tag); });
  note("--path", args.filter.paths,
       [&](const auto& snapshot, const auto& path) { return is_in(snapshot.paths, path); });
  note("--host", args.filter.hosts, [](const auto& snapshot, const auto& host) { return snapshot.host == host; });
}

std::string joined(const std::vector<std::string>& words, const char* between) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : between) + printable(word);
  return out;
}

void show_choice(const Session& session, const Choice& choice, bool dry_run) {
  const char* goes = dry_run ? "would go" : "goes";
  for (const auto& group : choice.groups) {
    session.out.say(fmt::format("{}{}{}{}:", printable(group.host), group.host.empty() ? "" : " ",
                                joined(group.paths, " "),
                                group.tags.empty() ? "" : " [" + joined(group.tags, " ") + "]"));
    for (const auto& decision : group.decisions) {
      const auto& snapshot = decision.snapshot;
      session.out.say(fmt::format("  {}  {}  {}", snapshot.id.short_hex(), format_time(snapshot.time_ns),
                                  decision.keep() ? "stays: " + joined(decision.reasons, ", ") : goes));
    }
  }
  if (!choice.groups.empty()) return;
  for (const auto& snapshot : choice.forget)
    session.out.say(fmt::format("  {}  {}  {}", snapshot.id.short_hex(), format_time(snapshot.time_ns), goes));
}

nlohmann::json json_choice(const Choice& choice) {
  nlohmann::json kept = nlohmann::json::array();
  nlohmann::json forgotten = nlohmann::json::array();
  for (const auto& snapshot : choice.forget) forgotten.push_back(snapshot.id.hex());
  for (const auto& group : choice.groups) {
    for (const auto& decision : group.decisions) {
      if (!decision.keep()) continue;
      nlohmann::json reasons = nlohmann::json::array();
      for (const std::string& reason : decision.reasons) reasons.push_back(json_text(reason));
      kept.push_back({{"id", decision.snapshot.id.hex()}, {"reasons", reasons}});
    }
  }
  return {{"forgotten", forgotten}, {"kept", kept}};
}

void show_collected(const Session& session, const ForgetArgs& args, const vault::Collected& done, const Trash& trash) {
  const char* would = args.dry_run ? "Would forget" : "Forgot";
  if (done.forgotten > 0 || !args.collect_only)
    session.out.say(fmt::format("{} {}.", would, plural(done.forgotten, "snapshot", "snapshots")));
  if (!done.held_back.empty()) return;
  session.out.say(
      fmt::format("{} of what was saved {} needed any more ({} of {} segments).{}", format_bytes(done.dead_bytes),
                  args.dry_run ? "would not be" : "are not",
                  format_count(done.segments_dropped + done.segments_repacked), format_count(done.segments),
                  done.segments_repacked == 0
                      ? ""
                      : fmt::format(" {} that {} needed {} stored again for that.", format_bytes(done.moved_bytes),
                                    args.dry_run ? "are" : "is", args.dry_run ? "would be" : "were")));
  if (done.segments_unknown > 0)
    session.out.say(fmt::format("{} that no snapshot names may be of another computer's backup under way: left alone.",
                                plural(done.segments_unknown, "segment", "segments")));
  if (done.freed_bytes > 0) session.out.say(fmt::format("Homes gave {} back now.", format_bytes(done.freed_bytes)));
  if (!args.dry_run) session.out.say(trash_sentence(trash, session.platform.clock().unix_ns()));
}

}  // namespace

static Task<int> show_forgotten(Session& session, const ForgetArgs& args, const Choice& choice, Opened& opened,
                                const vault::Collected& done) {
  const Trash trash = co_await trash_of(*opened.homes);
  nlohmann::json object = json_choice(choice);
  object.update({{"segments", done.segments},
                 {"segments_dropped", done.segments_dropped},
                 {"segments_repacked", done.segments_repacked},
                 {"moved_bytes", done.moved_bytes},
                 {"dead_bytes", done.dead_bytes},
                 {"stored_bytes", done.stored_bytes},
                 {"segments_condemned", done.segments_condemned},
                 {"segments_unknown", done.segments_unknown},
                 {"freed_bytes", done.freed_bytes},
                 {"condemned_bytes", trash.condemned_bytes},
                 {"next_due", json_time(trash.next_due_ns)},
                 {"all_moved", done.is_all_moved},
                 {"held_back", json_text(done.held_back)},
                 {"dry_run", args.dry_run}});
  if (!args.dry_run) session.out.done = plural(done.forgotten, "snapshot was", "snapshots were") + " forgotten";
  session.out.result(object);
  show_collected(session, args, done, trash);
  for (const std::string& problem : done.problems) session.out.note(printable(problem));
  if (!done.is_all_moved && !session.out.mute)
    session.out.note(
        "Some homes are away or take nothing, so nothing was moved together: what stays would be on fewer homes. "
        "'mhp forget --collect-only' does it when they are back.");
  if (done.held_back.empty() && done.problems.empty()) co_return kDone;
  if (done.held_back.empty()) {
    session.out.note(
        "These homes could not give all back that is due; what is stored stays, and 'mhp forget "
        "--collect-only' tries again.");
    co_return kPartly;
  }
  session.out.note(
      fmt::format("No space was given back: {}. What is stored stays; 'mhp forget --collect-only' tries "
                  "again.",
                  printable(done.held_back)));
  co_return kPartly;
}

static Task<int> run_forget(Session& session, ForgetArgs args) {
  if (!args.within.empty()) {
    const auto span = snapshot::parse_span(args.within);
    if (!span) co_return session.out.fail(span.error(), kHowToChoose);
    args.rules.within = *span;
  }
  const auto usage = check_usage(args);
  if (!usage) co_return session.out.fail(usage.error(), kHowToChoose);
  for (std::string& path : args.filter.paths) {  // as a backup notes it; another computer's may not be here
    const auto normal = snapshot::normal_paths(session.platform.disk(), {path});
    if (normal) path = normal->front();
  }
  session.patience = std::chrono::minutes(args.wait_minutes);
  session.uses_reserve = true;
  OpenOptions how;
  how.writes = !args.dry_run;
  auto opened = co_await open_vault(session, how);
  if (!opened) co_return session.out.fail(opened.error(), hint_for(opened.error()));
  const auto choice = choose(args, opened->vault->snapshots(), session.platform.clock().unix_ns());
  note_wrong_clocks(session, opened->vault->snapshots());
  note_what_fits_nothing(session, args, opened->vault->snapshots());
  if (!choice) {
    const bool by_name = !args.names.empty();
    const std::string hint =
        by_name ? hint_for(choice.error()) : "With --allow-remove-all a group may lose all its snapshots.";
    co_return session.out.fail(choice.error(), hint);
  }
  show_choice(session, *choice, args.dry_run);
  vault::CollectOptions options;
  for (const auto& snapshot : choice->forget) options.forget.push_back(snapshot.id);
  options.repack = !args.no_repack;
  options.dry_run = args.dry_run;
  snapshot::ForgetProgress state;
  ProgressLine progress(session, [&state] {
    if (state.moving.segments > 0)
      return fmt::format("moving together {} of {} segments", state.moving.segments_done, state.moving.segments);
    return fmt::format("following {} of {} snapshots", state.snapshots_done, state.snapshots);
  });
  const auto done = co_await snapshot::forget(session.platform, *opened->vault, std::move(options), state);
  co_await progress.stop();
  report_away(*opened->homes);
  name_troubles(session, *opened->homes);
  name_reprieved(session, *opened->vault);
  if (!done) {
    const bool full = done.error().code == Errc::full;
    co_return session.out.fail(done.error(), full ? "Nothing was forgotten. With --no-repack less has to be stored "
                                                    "before space is given back."
                                                  : hint_for(done.error()));
  }
  co_return co_await show_forgotten(session, args, *choice, *opened, *done);
}

void add_forget(Command& program) {
  auto args = std::make_shared<ForgetArgs>();
  Command command = program.add(
      "forget", "Forget snapshots, and let homes give their space back",
      "Examples:\n  mhp forget --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --dry-run\n  mhp forget 3f2a\n"
      "Homes keep what is forgotten for 30 days more, so that no thief of this computer can destroy it at once. Until "
      "then 'mhp recover --as-of DATE --state NEW-FOLDER --home DIR' brings the vault back as it was on that day: with "
      "the 24 words, without what was saved since, and it shuts this computer out.\nRules hold for each group of "
      "snapshots of one host and the same paths; what any rule keeps stays.\n"
      "Exit codes: 0 done; 3 forgotten, but no space given back (said why); 4 too few homes");
  constexpr int kMost = 1'000'000;
  snapshot::KeepRules& rules = args->rules;
  command.takes("snapshot", args->names, "Ids, or first letters of them");
  command.takes("--keep-last", rules.last, snapshot::KeepRules::kAll, kMost, "Keep so many of the newest (-1: all)");
  command.takes("--keep-hourly", rules.hourly, snapshot::KeepRules::kAll, kMost, "Keep the newest of so many hours");
  command.takes("--keep-daily", rules.daily, snapshot::KeepRules::kAll, kMost, "... of so many days");
  command.takes("--keep-weekly", rules.weekly, snapshot::KeepRules::kAll, kMost, "... of so many weeks");
  command.takes("--keep-monthly", rules.monthly, snapshot::KeepRules::kAll, kMost, "... of so many months");
  command.takes("--keep-yearly", rules.yearly, snapshot::KeepRules::kAll, kMost, "... of so many years");
  command.takes("--keep-within", args->within, "Keep all of this time before the newest, as in 1y6m14d3h");
  command.takes("--keep-tag", rules.tags, "Keep all with this tag (may be given again)");
  command.takes("--host", args->filter.hosts, "Only snapshots of this computer (may be given again)");
  command.takes("--tag", args->filter.tags, "Only snapshots with this tag (may be given again)");
  command.takes("--path", args->filter.paths, "Only snapshots of this path (may be given again)");
  command.takes("--group-by", args->group_by, "What makes a group: host, paths, tags");
  command.flag("--allow-remove-all", args->remove_all, "A group may lose all its snapshots");
  command.flag("--collect-only", args->collect_only, "Forget nothing; give back what was forgotten before");
  command.flag("--no-repack", args->no_repack, "Move nothing together: slower to become small, but needs no space");
  takes_wait(command, args->wait_minutes);
  command.flag("--dry-run", args->dry_run, "Say what would go, change nothing");
  command.runs([args](Session& session) { return run_forget(session, *args); });
}

}  // namespace mhp::app
