// `mhp status | check | repair`: how safe the vault is, measured, and making it whole.
#include <fmt/format.h>

#include <algorithm>

#include "app/commands/commands.h"
#include "app/limits.h"
#include "app/members.h"
#include "app/notes.h"
#include "app/progress.h"
#include "app/text.h"
#include "snapshot/tree.h"
#include "vault/give_up.h"

namespace mhp::app {

namespace {

/// safe: any one home may be lost. help: something cannot be brought back now, or is not even shown, or homes are
/// missing, or damaged, so that nothing more may be lost. `unread`: computers whose newest state cannot be read.
const char* state_word(const vault::CheckReport& report, bool homes_missing, bool has_snapshots,
                       unsigned planned_margin, std::size_t unread) {
  if (report.unrestorable > 0 || unread > 0) return "help";
  if (!has_snapshots) return "not_yet";
  if (report.margin >= 1) return "safe";
  const bool was_safe = (homes_missing || report.rows_bad > 0) && planned_margin >= 1;
  return was_safe ? "help" : "not_yet";
}

std::string state_sentence(const std::string& state, const vault::CheckReport& report, bool has_snapshots,
                           std::size_t unread) {
  const std::string homes = plural(report.homes, "home", "homes");
  if (state == "safe") return fmt::format("SAFE: everything is on {}, {}.", homes, format_margin(report.margin));
  if (report.unrestorable > 0) {
    return fmt::format(
        "HELP: {} of {} segments cannot be brought back from the homes that answer ('mhp check' says which files).",
        format_count(report.unrestorable), format_count(report.segments));
  }
  if (unread > 0) {
    return fmt::format("HELP: what {} saved last cannot be read now. All else is on {}, {}.",
                       plural(unread, "computer", "computers"), homes, format_margin(report.margin));
  }
  if (state == "help")
    return fmt::format("HELP: homes are {}; everything can be brought back, but no further home may be lost.",
                       report.rows_bad > 0 ? "damaged or missing" : "missing");
  if (!has_snapshots) return "NOT YET: nothing is saved yet.";
  return fmt::format("NOT YET: everything is on {}, none may be lost.", homes);
}

/// Where less may be lost than the plan for these homes has: what would change that. 'repair' only where it would.
std::string advice(const vault::CheckReport& report, const dispersal::HomeSet& homes, int planned, int repairable) {
  if (report.segments == 0 || report.unrestorable > 0 || report.margin >= planned) return "";
  const bool some_away = homes.missing() > 0;
  const bool repair_helps = report.margin < repairable;
  std::string how = "homes on one disk, with each other or with what is saved, are lost together: add homes on others";
  if (repair_helps) how = "run 'mhp repair'";
  if (some_away) how = "connect the homes that are away";
  if (some_away && repair_helps)
    how += fmt::format(", or run 'mhp repair' to do without them: then {}", format_margin(repairable));
  if (some_away) how += ". One that is lost for good goes off the list with 'mhp home remove NAME --lost'";
  return fmt::format("Planned is that {}: {}.", format_margin(planned), how);
}

/// "-" where a home did not say.
std::string space_text(const nlohmann::json& bytes) {
  return bytes.is_null() ? "-" : format_bytes(bytes.get<std::uint64_t>());
}

/// Homes with their space; "away" where they do not answer, "lacking" where the newest vault record or heads are not
/// there, or damaged, "bad_rows" where some of what they hold was found wrong, "refuses" where they take nothing from
/// this computer. Sums up in `trash` what they will give back. All but this outlive it.
Task<nlohmann::json> homes_json(const Opened& opened, const vault::CheckReport& report, Trash& trash) {
  const dispersal::HomeSet& homes = *opened.homes;
  nlohmann::json list = nlohmann::json::array();
  for (std::size_t i = 0; i < homes.members().size(); ++i) {
    const dispersal::Member& member = homes.members()[i];
    const std::uint64_t rows_bad = i < report.rows_by_home.size() ? report.rows_by_home[i].bad : 0;
    nlohmann::json object = {{"id", member.id.hex()}, {"name", json_text(member.name)}, {"state", "away"},
                             {"used_bytes", nullptr}, {"free_bytes", nullptr},          {"counts", member.counts},
                             {"rows_bad", rows_bad},  {"condemned_bytes", nullptr},     {"next_due", nullptr}};
    if (member.away_code == Errc::corrupt) object["state"] = "damaged";
    if (!member.is_wanted()) object["state"] = member.away_reason == kNeverUp ? "never_up" : "here";
    if (member.home) {
      const auto usage = co_await member.home->usage();
      object["state"] = usage ? "ok" : "failed";
      const bool lacking = std::ranges::find(report.homes_lacking, member.id) != report.homes_lacking.end();
      if (usage && opened.refusing.contains(member.id)) object["state"] = "refuses";
      if (usage && rows_bad > 0) object["state"] = "bad_rows";
      if (usage && lacking) object["state"] = "lacking";
      if (usage) object["used_bytes"] = usage->used_bytes;
      if (usage) object["free_bytes"] = usage->free_bytes;
      if (usage) object["condemned_bytes"] = usage->condemned_bytes;
      if (usage) object["next_due"] = json_time(usage->next_due_ns);
      if (usage) add_to(trash, *usage);
    }
    list.push_back(std::move(object));
  }
  co_return list;
}

void show_homes(const Session& session, const Opened& opened, const nlohmann::json& list) {
  const bool is_new = opened.vault != nullptr && opened.vault->snapshots().empty();
  for (std::size_t i = 0; i < list.size(); ++i) {
    const dispersal::Member& member = opened.homes->members()[i];
    const std::string state = list[i]["state"];
    const std::string why_not = why_not_counted(opened, i);
    session.out.say(fmt::format("  {}  {:<16} {:<6} {:>9} used, {:>9} free{}", member.id.short_hex(),
                                printable(member.name),
                                state == "bad_rows"            ? "damaged"
                                : state == "lacking" && is_new ? "new"
                                                               : state,
                                space_text(list[i]["used_bytes"]), space_text(list[i]["free_bytes"]),
                                why_not.empty() ? "" : "  (" + why_not + ")"));
    if (state == "lacking" && is_new)
      session.out.say("            has nothing of this vault yet: the first 'mhp backup' gives it all that it needs");
    else if (state == "lacking")
      session.out.say("            brings nothing back alone: its vault record or heads are old, missing or damaged");
    const std::uint64_t bad = list[i]["rows_bad"];
    if (bad > 0) {
      session.out.say(fmt::format("            {} on it found wrong when they were read: 'mhp repair' makes them again",
                                  plural(bad, "row was", "rows were")));
    }
    if (!member.away_reason.empty()) session.out.say("            " + printable(member.away_reason));
  }
  for (const std::string& name : opened.never_up) {
    session.out.say(
        fmt::format("  '{}' {}: nothing is planned on it until it is ('mhp up' there).", printable(name), kNeverUp));
  }
}

nlohmann::json json_all_out(const Opened& opened) {
  nlohmann::json list = nlohmann::json::array();
  for (const OutOf& out : opened.out) list.push_back(json_out(out));
  return list;
}

const char* mirror_words(const dispersal::Plan& plan) {
  if (!plan.sealed_mirror()) return "";
  if (plan.homes <= 2) return " (sealed whole copies: there is no dispersal with so few homes)";
  return " (sealed, and all of it with one person: there is dispersal only with homes of three owners)";
}

}  // namespace

/// A vault whose index cannot be read still has homes to show, and a state: HELP.
static Task<int> show_unreadable(Session& session, const Error& problem) {
  OpenOptions without_index;
  without_index.read_index = false;
  auto opened = co_await open_vault(session, without_index);
  if (!opened) co_return session.out.fail(opened.error(), hint_for(opened.error()));
  const vault::CheckReport nothing_known;
  Trash trash;
  const nlohmann::json list = co_await homes_json(*opened, nothing_known, trash);
  const bool no_homes = list.empty();
  session.out.result({{"state", no_homes ? "not_yet" : "help"},
                      {"margin", 0},
                      {"homes", list},
                      {"snapshots", 0},
                      {"taken_out", json_all_out(*opened)},
                      {"reason", json_text(problem.detail)}});
  session.out.say(no_homes ? "NOT YET: the vault has no home. Add a folder or drive with 'mhp home add DIR', or invite "
                             "somebody into your cloud ('mhp cloud new NAME', 'mhp invite')."
                           : "HELP: the vault cannot be read: " + printable(problem.detail));
  show_homes(session, *opened, list);
  if (!no_homes && says_shut_out(problem)) session.out.say(hint_for(problem));
  co_return no_homes ? kDone : kFailed;
}

/// What to do about less safety than these homes could give.
static std::string what_now(const Opened& opened, const vault::CheckReport& report, unsigned planned_margin) {
  if (opened.vault->joins_histories()) {
    return "What a former computer saved last is on some homes only: the next 'mhp backup' brings it to all of them.";
  }
  if (!opened.leaving.empty() && opened.leaving.size() == opened.homes->members().size()) {
    return "None of these homes is lent to you any more: add others ('mhp home add DIR'), then 'mhp repair' hands over "
           "to them what these hold.";
  }
  const int repairable = opened.homes->repairable_margin(opened.vault->level());
  return advice(report, *opened.homes, static_cast<int>(planned_margin), repairable);
}

static Task<int> run_status(Session& session) {
  OpenOptions options;
  options.only_reads = true;
  options.weighs_homes = true;
  auto opened = co_await open_vault(session, options);
  if (!opened) {
    const Error& error = opened.error();
    const bool damaged = error.code == Errc::corrupt && error.subject == Subject::none;
    if (error.code == Errc::unavailable || damaged) co_return co_await show_unreadable(session, opened.error());
    co_return session.out.fail(opened.error(), hint_for(opened.error()));
  }
  dispersal::HomeSet& homes = *opened->homes;
  const auto report = co_await opened->vault->standing();
  if (!report) co_return session.out.fail(report.error(), hint_for(report.error()));
  const dispersal::Plan plan = homes.plan(opened->vault->level());
  const bool has_snapshots = !opened->vault->snapshots().empty();
  const std::size_t unread = opened->vault->unread_heads().size();
  const bool homes_missing = homes.missing() > 0;
  const std::string state = state_word(*report, homes_missing, has_snapshots, plan.margin, unread);
  Trash trash;
  const nlohmann::json list = co_await homes_json(*opened, *report, trash);
  const auto& newest = opened->vault->snapshots();
  session.out.result({{"state", state},
                      {"margin", std::max(report->margin, 0)},
                      {"planned_margin", plan.margin},
                      {"level", dispersal::to_string(opened->vault->level())},
                      {"k", plan.k},
                      {"n", plan.n},
                      {"expansion", plan.expansion()},
                      {"snapshots", newest.size()},
                      {"snapshots_in_future", count_in_future(session, newest)},
                      {"segments", report->segments},
                      {"condemned_bytes", trash.condemned_bytes},
                      {"next_due", json_time(trash.next_due_ns)},
                      {"newest", has_snapshots ? format_rfc3339(newest.back().time_ns) : ""},
                      {"unread", json_unread(opened->vault->unread_heads())},
                      {"former_homes", json_former(opened->vault->record().former_homes)},
                      {"late", json_late(*opened)},
                      {"never_up", json_texts(opened->never_up)},
                      {"taken_out", json_all_out(*opened)},
                      {"homes", list}});
  session.out.say(state_sentence(state, *report, has_snapshots, unread));
  const std::string next = what_now(*opened, *report, plan.margin);
  if (!next.empty()) session.out.say(next);
  if (has_snapshots) {
    session.out.say(fmt::format("{}, the newest of {}.", plural(newest.size(), "snapshot", "snapshots"),
                                format_time(newest.back().time_ns)));
  }
  session.out.say(
      fmt::format("Level {}: any {} of {} fragments bring a segment back, {:.2f} bytes are stored for each byte{}.",
                  dispersal::to_string(opened->vault->level()), plan.k, plan.n, plan.expansion(), mirror_words(plan)));
  if (plan.homes == 3) session.out.say("Three homes are a backup, not an archive: more homes make it one.");
  note_wrong_clocks(session, newest);
  if (trash.condemned_bytes > 0) session.out.say(trash_sentence(trash, session.platform.clock().unix_ns()));
  show_homes(session, *opened, list);
  name_troubles(session, homes);
  name_reprieved(session, *opened->vault);
  co_return state == "help" ? kFailed : kDone;
}

struct CheckArgs {
  std::string read_data;
  LimitArgs limits;
  bool reads = false;
};

/// "10", "10%", "" -> percent. Errors: invalid.
static Result<unsigned> parse_percent(const std::string& text) {
  if (text.empty()) return 100u;
  std::string digits = text.ends_with('%') ? text.substr(0, text.size() - 1) : text;
  const bool number =
      !digits.empty() && digits.size() <= 3 && std::ranges::all_of(digits, [](char c) { return c >= '0' && c <= '9'; });
  const unsigned percent = number ? static_cast<unsigned>(std::stoul(digits)) : 0;
  if (percent < 1 || percent > 100)
    return fail(Errc::usage, fmt::format("--read-data takes 1 to 100 percent, not '{}'", printable(text)));
  return percent;
}

static std::string check_line(const vault::CheckProgress& progress) {
  return fmt::format("{} of {} segments", format_count(progress.segments_done), format_count(progress.segments));
}

/// Every home with the rows that are missing or bad on it.
static nlohmann::json rows_by_home(const vault::CheckReport& report, const dispersal::HomeSet& homes) {
  nlohmann::json list = nlohmann::json::array();
  for (std::size_t i = 0; i < report.rows_by_home.size(); ++i) {
    const dispersal::Member& member = homes.members()[i];
    list.push_back({{"id", member.id.hex()},
                    {"name", json_text(member.name)},
                    {"away", member.home == nullptr},
                    {"counts", member.counts},
                    {"rows_missing", report.rows_by_home[i].missing},
                    {"rows_bad", report.rows_by_home[i].bad}});
  }
  return list;
}

static void say_rows_by_home(const Session& session, const vault::CheckReport& report,
                             const dispersal::HomeSet& homes) {
  for (std::size_t i = 0; i < report.rows_by_home.size(); ++i) {
    const vault::HomeRows& rows = report.rows_by_home[i];
    const dispersal::Member& member = homes.members()[i];
    if (rows.missing + rows.bad == 0) continue;
    session.out.say(fmt::format("  {}  {:<16} {}, {} bad{}", member.id.short_hex(), printable(member.name),
                                plural(rows.missing, "row missing", "rows missing"), format_count(rows.bad),
                                member.home ? "" : " (away)"));
  }
}

static nlohmann::json json_lost(const std::vector<snapshot::LostFiles>& lost) {
  nlohmann::json list = nlohmann::json::array();
  for (const snapshot::LostFiles& one : lost)
    list.push_back({{"snapshot", one.snapshot.id.hex()},
                    {"files", one.files},
                    {"first", one.files == 0 ? nlohmann::json() : json_text("/" + one.first)}});
  return list;
}

/// Which snapshots and files a person has to do without for now.
static void say_lost(const Session& session, const std::vector<snapshot::LostFiles>& lost) {
  if (lost.empty()) return session.out.say("No file of any snapshot is touched by that.");
  for (const snapshot::LostFiles& one : lost) {
    const std::string what = one.files == 0 ? "its list of files cannot be read"
                                            : fmt::format("{} of {} cannot be brought back, the first: {}",
                                                          plural(one.files, "file", "files"),
                                                          format_count(one.snapshot.files), printable("/" + one.first));
    session.out.say(fmt::format("  {}  {}  {}", one.snapshot.id.short_hex(), format_time(one.snapshot.time_ns), what));
  }
}

/// The exit code where all rows that are known of are there.
static int show_whole(const Session& session, const vault::CheckReport& report, const std::string& read,
                      std::size_t unread) {
  session.out.say(fmt::format("{}: {}, {} on {}, {}.{}", unread == 0 ? "Whole" : "Whole are",
                              plural(report.segments, "segment", "segments"),
                              plural(report.rows_expected, "row", "rows"), plural(report.homes, "home", "homes"),
                              format_margin(report.margin), read));
  if (unread == 0) return kDone;
  session.out.say(fmt::format("But what {} saved last cannot be read now: nobody knows what is there of it.",
                              plural(unread, "computer", "computers")));
  return kTooFew;
}

/// What other computers wrote and is not so: nothing of it is the homes' fault.
static void say_untrue(const Session& session, const vault::CheckReport& report) {
  if (report.untrue > 0)
    session.out.say(
        fmt::format("{} hold something else than they say: the computer that wrote them is faulty, or in "
                    "wrong hands. The next backup stores anew what it has of them.",
                    plural(report.untrue, "segment", "segments")));
  if (report.false_claims == 0) return;
  session.out.say(fmt::format(
      "The index has {}{}: the computer that wrote that is faulty, or in wrong hands. Nothing relies on it now; the "
      "next backup stores anew what it has of that, and sets the index right.",
      plural(report.false_claims, "false entry", "false entries"), in_whose_parts(report.false_claims_by)));
}

static int show_mendable(const Session& session, const vault::CheckReport& report) {
  session.out.say(
      fmt::format("{} cannot be brought back as they are: only the cards beside their rows have changed, and 'mhp "
                  "repair' makes them whole again.",
                  plural(report.unrestorable, "segment", "segments")));
  return kFailed;
}

static nlohmann::json json_false_claims(const vault::CheckReport& report) {
  nlohmann::json list = nlohmann::json::array();
  for (const vault::FalseClaims& one : report.false_claims_by)
    list.push_back({{"device", one.device.hex()}, {"computer", json_text(one.computer)}, {"segments", one.claims}});
  return list;
}

static int show_check(Session& session, const vault::CheckReport& report, const Opened& opened,
                      const std::vector<snapshot::LostFiles>& lost, double seconds) {
  const dispersal::HomeSet& homes = *opened.homes;
  const std::size_t unread = opened.vault->unread_heads().size();
  nlohmann::json bad = nlohmann::json::array();
  for (const HomeId& home : report.homes_bad) bad.push_back(home.hex());
  nlohmann::json lacking = nlohmann::json::array();
  for (const HomeId& home : report.homes_lacking) lacking.push_back(home.hex());
  const bool homes_are_whole = report.rows_bad == 0 && report.rows_missing == 0 && report.unrestorable == 0 &&
                               report.homes_bad.empty() && report.homes_lacking.empty();
  const bool whole = homes_are_whole && report.untrue == 0 && report.false_claims == 0;
  session.out.result({{"ok", whole && unread == 0},
                      {"segments", report.segments},
                      {"rows", report.rows_expected},
                      {"rows_missing", report.rows_missing},
                      {"rows_bad", report.rows_bad},
                      {"unrestorable", report.unrestorable},
                      {"mendable", report.mendable},
                      {"untrue", report.untrue},
                      {"false_claims", report.false_claims},
                      {"false_claims_by", json_false_claims(report)},
                      {"snapshots_damaged", json_lost(lost)},
                      {"homes_bad", bad},
                      {"homes_lacking", lacking},
                      {"homes", rows_by_home(report, homes)},
                      {"margin", std::max(report.margin, 0)},
                      {"condemned", report.condemned},
                      {"unread", json_unread(opened.vault->unread_heads())},
                      {"late", json_late(opened)},
                      {"bytes_read", report.bytes_read}});
  const std::string read = report.bytes_read > 0 ? fmt::format(" {} were read and verified in {}.",
                                                               format_bytes(report.bytes_read), format_seconds(seconds))
                                                 : "";
  if (whole) return show_whole(session, report, read, unread);
  session.out.say(fmt::format("{} of {} rows are missing, {} are bad.{}", format_count(report.rows_missing),
                              format_count(report.rows_expected), format_count(report.rows_bad), read));
  say_rows_by_home(session, report, homes);
  say_untrue(session, report);
  if (!lost.empty() && report.unrestorable == 0) {
    say_lost(session, lost);
    return kTooFew;
  }
  if (report.unrestorable > 0 && report.mendable == report.unrestorable) return show_mendable(session, report);
  if (report.unrestorable > 0) {
    const bool some_away = homes.missing() > 0;
    const std::string mends = report.mendable == 0 ? ""
                                                   : fmt::format(" 'mhp repair' makes {} of them whole again.",
                                                                 format_count(report.mendable));
    session.out.say(fmt::format("{} of {} segments cannot be brought back from the homes that answer.{} {}",
                                format_count(report.unrestorable), format_count(report.segments), mends,
                                some_away
                                    ? "Connect those that are away."
                                    : "No home is away: what these hold is damaged. A home that was taken off the "
                                      "list may still have it ('mhp home add DIR'); all else can be restored."));
    say_lost(session, lost);
    return kTooFew;
  }
  if (!report.homes_lacking.empty()) {
    session.out.say(
        fmt::format("The vault record or heads of {} are old, missing or damaged: alone they bring nothing back.",
                    plural(report.homes_lacking.size(), "home", "homes")));
  }
  session.out.say(fmt::format("{} can be brought back; of the homes that answer {}.{}",
                              unread == 0 ? "Everything" : "Everything that is shown", format_margin(report.margin),
                              homes_are_whole ? "" : " 'mhp repair' makes it whole again."));
  return unread == 0 ? kFailed : kTooFew;
}

static Task<int> run_check(Session& session, CheckArgs args) {
  unsigned percent = 0;
  if (args.reads) {
    const auto parsed = parse_percent(args.read_data);
    if (!parsed) co_return session.out.fail(parsed.error(), "Example: mhp check --read-data=10");
    percent = *parsed;
  }
  OpenOptions options;
  options.only_reads = true;
  options.weighs_homes = true;
  auto opened = co_await open_vault(session, options);
  if (!opened) co_return session.out.fail(opened.error(), hint_for(opened.error()));
  vault::CheckProgress state;
  ProgressLine progress(session, [&state] { return "checking " + check_line(state); });
  const vault::Progress note = [&state](const vault::CheckProgress& now) { state = now; };
  const auto start = session.platform.clock().steady();
  const auto report = co_await opened->vault->check(percent, note);
  co_await progress.stop();
  report_away(*opened->homes);
  name_troubles(session, *opened->homes);
  note_not_counted(session, *opened);
  name_reprieved(session, *opened->vault);
  if (!report) co_return session.out.fail(report.error(), hint_for(report.error()));
  std::vector<snapshot::LostFiles> lost;
  if (report->unrestorable + report->untrue + report->false_claims > 0)
    lost = co_await snapshot::lost_files(*opened->vault);
  co_return show_check(session, *report, *opened, lost,
                       std::chrono::duration<double>(session.platform.clock().steady() - start).count());
}

/// Homes that are no longer lent go off the list once the others hold all that is needed, as with 'mhp home remove'.
static Task<Result<void>> take_off_leaving(Session& session, Opened& opened, vault::RepairReport report) {
  const std::vector<std::size_t> leaving = members_leaving(opened);
  const int planned = static_cast<int>(opened.homes->plan(opened.vault->level(), leaving).margin);
  const bool shows_alone =
      std::ranges::any_of(leaving, [&](std::size_t member) { return !opened.vault->shown_only_by(member).empty(); });
  const bool has_others = leaving.size() < opened.homes->members().size() || report.segments == 0;
  const bool is_handed_over = has_others && !shows_alone && opened.vault->unread_heads().empty() &&
                              report.unrestorable == 0 && report.margin >= 0 &&
                              (report.refusing.empty() || report.margin >= planned);
  const std::string names = names_of_members(*opened.homes, leaving);
  if (!is_handed_over) {
    session.out.note(fmt::format(
        "no longer lent to you, and kept on the list until the other homes hold what is on them: {}", names));
    co_return Result<void>();
  }
  const vault::Word word{opened.record->record.vault, *opened.device, session.platform.clock().unix_ns()};
  for (const std::size_t member : leaving) {  // so that their owners have the space back one day
    if (opened.homes->members()[member].home) (void)co_await vault::give_up(*opened.homes, member, word);
  }
  *opened.record = opened.vault->record();  // it may have written the next one
  opened.vault.reset();
  auto entries = opened.record->content.homes;
  std::erase_if(entries, [&](const wire::HomeEntry& entry) { return opened.leaving.contains(entry.id); });
  MHP_CO_TRY_VOID(co_await change_homes(session, opened, std::move(entries)));
  if (!session.out.mute) session.out.note(fmt::format("no longer lent to you, and now off the list: {}", names));
  co_return Result<void>();
}

/// Errors: unavailable where all homes are of clouds that the owner, or this computer, is out of.
static Result<void> check_somebody_takes(const Opened& opened) {
  const auto takes_nothing = [&](const dispersal::Member& home) {
    return opened.leaving.contains(home.id) || opened.refusing.contains(home.id);
  };
  if (opened.vault->snapshots().empty() || !std::ranges::all_of(opened.homes->members(), takes_nothing)) return {};
  return fail(Errc::unavailable, Subject::homes, "none of your homes takes anything from here any more");
}

Task<Result<RepairDone>> do_repair(Session& session, bool read_all, bool dry_run, vault::Progress progress) {
  OpenOptions options;
  options.weighs_homes = true;
  options.writes = !dry_run;
  options.keeps_homes = !dry_run;
  MHP_CO_TRY(Opened opened, co_await open_vault(session, options));
  MHP_CO_TRY_VOID(check_somebody_takes(opened));
  const std::vector<std::size_t> leaving = members_leaving(opened);
  auto report = co_await opened.vault->repair(read_all, leaving, dry_run, std::move(progress));
  report_away(*opened.homes);
  name_troubles(session, *opened.homes);
  if (!report) co_return pass(report);
  note_not_counted(session, opened);
  RepairDone done{*report};
  for (std::size_t i = 0; i < opened.homes->members().size(); ++i)
    if (!why_not_counted(opened, i).empty()) done.not_counted.push_back(opened.homes->members()[i].id);
  if (!dry_run && !leaving.empty()) {
    MHP_CO_TRY_VOID(co_await take_off_leaving(session, opened, *report));
  }
  co_return done;
}

struct RepairArgs {
  LimitArgs limits;
  int wait_minutes = kWaitMinutes;
  bool read_all = false;
  bool dry_run = false;
};

/// How many bytes it would be is not known before they are made.
static void say_rows_made(const Session& session, const vault::RepairReport& report, bool dry_run) {
  const std::string rows = plural(report.rows_made, "row", "rows");
  if (report.rows_made == 0) return session.out.say(dry_run ? "Would make no row." : "Made no row.");
  session.out.say(fmt::format("{} for {} of {} segments.",
                              dry_run ? fmt::format("Where all homes take theirs, would make {}", rows)
                                      : fmt::format("Made {} ({})", rows, format_bytes(report.bytes_stored)),
                              format_count(report.segments_changed), format_count(report.segments)));
}

static std::string repair_hint(const Error& error) {
  if (error.detail.find("takes anything from here any more") == std::string::npos) return hint_for(error);
  return "Add one with 'mhp home add DIR': then 'mhp repair' puts there what these hold for you, and give back.";
}

static Task<int> run_repair(Session& session, RepairArgs args) {
  session.patience = std::chrono::minutes(args.wait_minutes);
  vault::CheckProgress state;
  ProgressLine progress(session, [&state] { return "repairing " + check_line(state); });
  auto report = co_await do_repair(session, args.read_all, args.dry_run,
                                   [&state](const vault::CheckProgress& now) { state = now; });
  co_await progress.stop();
  if (!report) co_return session.out.fail(report.error(), repair_hint(report.error()));
  if (!args.dry_run) session.out.done = plural(report->rows_made, "row was", "rows were") + " made";
  nlohmann::json refusing = nlohmann::json::array();
  for (const HomeId& home : report->refusing) refusing.push_back(home.hex());
  nlohmann::json not_counted = nlohmann::json::array();
  for (const HomeId& home : report->not_counted) not_counted.push_back(home.hex());
  session.out.result({{"segments", report->segments},
                      {"segments_changed", report->segments_changed},
                      {"rows_made", report->rows_made},
                      {"stored_bytes", report->bytes_stored},
                      {"unrestorable", report->unrestorable},
                      {"margin_before", std::max(report->margin_before, 0)},
                      {"margin", std::max(report->margin, 0)},
                      {"homes", report->homes},
                      {"homes_refusing", refusing},
                      {"homes_not_counted", not_counted},
                      {"homes_mended", report->homes_mended},
                      {"dry_run", args.dry_run}});
  say_rows_made(session, *report, args.dry_run);
  if (report->homes_mended > 0) {
    session.out.say(fmt::format("{} the vault records and heads that they lacked, or had damaged: {}.",
                                args.dry_run ? "Would give homes" : "Gave homes",
                                plural(report->homes_mended, "home", "homes")));
  }
  if (report->unrestorable > 0) {
    session.out.say(fmt::format("{} cannot be made again: too few rows are left on the homes that answer.",
                                plural(report->unrestorable, "segment", "segments")));
    co_return kTooFew;
  }
  session.out.say(fmt::format("Everything {} on {}, {} ({}: {}).", args.dry_run ? "would be" : "is",
                              plural(report->homes, "home", "homes"), format_margin(report->margin),
                              args.dry_run ? "now" : "before", std::max(report->margin_before, 0)));
  if (args.dry_run) co_return kDone;
  if (report->two_histories) {
    const Error split{Errc::unavailable, "homes hold two histories of one computer, and cannot take the other's",
                      Subject::homes};
    co_return session.out.fail(split, "They come together as said above; then run 'mhp repair' again.", kFailed);
  }
  if (report->refusing.empty()) co_return kDone;
  const Error refused{Errc::unavailable,
                      fmt::format("not all is where it should be: {} did not take what it was to get",
                                  plural(report->refusing.size(), "home", "homes")),
                      Subject::homes};
  co_return session.out.fail(
      refused,
      "Each is named above, with the reason; what was theirs was put on the others as far as they took it. "
      "Mend them or take them off the list ('mhp home remove'), then run 'mhp repair' again.",
      kFailed);
}

void add_status(Command& program) {
  program
      .add("status", "Is it safe? How many homes may be lost, which are there",
           "Example:\n  mhp status\nExit codes: 0 safe, or not yet; 1 HELP: a home is missing that is needed, or "
           "something saved cannot be read now")
      .runs(run_status);
}

void add_check(Command& program) {
  auto args = std::make_shared<CheckArgs>();
  Command command = program.add("check", "Count every fragment on the homes, and read them where asked",
                                "Example:\n  mhp check --read-data=10\nExit codes: 0 whole; 1 rows bad or missing, all "
                                "restorable; 4 not restorable");
  command.takes_with_value_or_without("--read-data", args->reads, args->read_data,
                                      "Read and verify all, or this percentage of, the segments");
  add_limits(command, args->limits);
  command.runs([args](Session& session) {
    return run_within_limits(session, args->limits, [args](Session& s) { return run_check(s, *args); });
  });
}

void add_repair(Command& program) {
  auto args = std::make_shared<RepairArgs>();
  Command command =
      program.add("repair", "Make lost and bad fragments again; give new homes their share",
                  "Homes that do not answer are treated as lost.\nExample:\n  mhp repair --read-data\nExit "
                  "codes: 0 done; 1 a home did not take what it was to get; 4 some cannot be made again");
  command.flag("--read-data", args->read_all, "Read every fragment first, to find the bad ones");
  takes_wait(command, args->wait_minutes);
  command.flag("--dry-run", args->dry_run, "Say what would be made, change nothing");
  add_limits(command, args->limits);
  command.runs([args](Session& session) {
    return run_within_limits(session, args->limits, [args](Session& s) { return run_repair(s, *args); });
  });
}

}  // namespace mhp::app
