// `mhp cloud leave`: what its homes hold for the owner goes to others first, or nobody leaves.
#include <fmt/format.h>

#include <algorithm>

#include "app/cloud_homes.h"
#include "app/commands/commands.h"
#include "app/hand_over.h"
#include "app/network.h"
#include "app/notes.h"
#include "app/text.h"
#include "cloud/exchange.h"
#include "vault/give_up.h"

namespace mhp::app {
namespace {

constexpr std::chrono::seconds kHearLimit{10};

struct LeaveArgs {
  std::string cloud;
  int wait_minutes = kWaitMinutes;
  bool lost = false;
  bool dry_run = false;
};

/// What becomes of what the cloud's homes hold of the owner's vault.
struct Moved {
  std::vector<std::string> homes = {};  // names
  std::size_t given_up = 0;             // of them, told that they may delete it
  HandedOver handed = {};
  bool is_nothing_saved = false;
};

struct LeaveDone {
  CloudId cloud;
  std::string name;
  bool is_last = false;                      // member
  std::size_t told = 0;                      // homes
  std::optional<std::string> promoted = {};  // by the last word of the last admin; empty: nobody could be
  std::optional<Moved> moved = {};           // nothing: none of its homes is on the list, or nobody looked (--lost)
};

/// Members other than the owner, and whether an admin is among them.
struct Others {
  std::size_t count = 0;
  bool has_admin = false;
};
Others others_in(const ChosenCloud& chosen) {
  Others out;
  for (const auto& [id, member] : chosen.view().members) {
    if (id == chosen.membership.member()) continue;
    ++out.count;
    out.has_admin = out.has_admin || member.role == wire::Role::admin;
  }
  return out;
}

/// Who invites, and takes people out, has to be there. Errors: denied.
Result<void> check_has_other_admin(const ChosenCloud& chosen) {
  const Others others = others_in(chosen);
  const bool is_last_admin = chosen.view().is_admin(chosen.membership.member()) && !others.has_admin;
  if (!is_last_admin || others.count == 0) return {};
  return fail(Errc::denied, Subject::cloud,
              fmt::format("you stay in the cloud '{}': you are its only admin, and without one nobody could be invited "
                          "or taken out any more",
                          printable(chosen.view().name)));
}

/// Leaving is said by a computer that is heard. Errors: denied.
Result<void> check_is_heard(Session& session, const AtCloud& at) {
  const auto out = out_of(session, at.chosen.membership, *at.chosen.roster);
  if (!out || !out->is_computer) return {};
  return fail(Errc::denied, Subject::cloud,
              fmt::format("you stay in the cloud '{}': this computer was taken out of it by {}, and what it says there "
                          "is not heard",
                          printable(out->name), names_of_removers(*out)));
}

/// Hears what the cloud says now, from a computer that will hear who leaves: of an admin that of another admin, who
/// carries the cloud on. Whoever has left has no roster to tell of it later. Who is to be an admin where all of these
/// leave at the same moment: the first by id of those whose computers answer; nothing where none does, or the owner is
/// no admin. Errors: denied (the only admin), unavailable.
Task<Result<std::optional<MemberId>>> may_leave(Session& session, AtCloud& at, bool is_forced) {
  const MemberId self = at.chosen.membership.member();
  const CloudId cloud = at.chosen.membership.cloud;
  MHP_CO_TRY_VOID(check_is_heard(session, at));
  MHP_CO_TRY(Network* const net, network_of(session));
  const auto spoken = co_await cloud::spread(session.platform, *at.book, cloud, net->others(), net->id(),
                                             {.limit = kHearLimit, .asker = asker_in(session, cloud)});
  at.chosen.roster = at.book->find(cloud);
  MHP_CO_TRY_VOID(check_is_heard(session, at));
  const cloud::View& view = at.view();
  const bool is_admin = view.is_admin(self);
  const auto carries_on = [&](const cloud::Spoken& one) {
    const auto home = view.homes.find(one.home);
    return one.exchanged && home != view.homes.end() && home->second.member != self &&
           (!is_admin || view.is_admin(home->second.member));
  };
  MHP_CO_TRY_VOID(check_has_other_admin(at.chosen));
  std::optional<MemberId> successor;
  for (const cloud::Spoken& one : spoken) {
    const auto home = view.homes.find(one.home);
    if (!is_admin || !one.exchanged || home == view.homes.end()) continue;
    const MemberId& member = home->second.member;
    if (member != self && !view.is_admin(member) && (!successor || member < *successor)) successor = member;
  }
  if (is_forced || !view.members.contains(self) || others_in(at.chosen).count == 0) co_return successor;
  if (std::ranges::any_of(spoken, carries_on)) co_return successor;
  co_return fail(Errc::unavailable, Subject::cloud,
                 fmt::format("you stay in the cloud '{}': no computer of another {} answers, and one has to hear of it",
                             printable(view.name), is_admin ? "admin" : "member"));
}

/// The homes that go with the cloud, on the list of an opened vault.
Result<std::vector<std::size_t>> members_of(const Session& session, const Opened& opened, const CloudId& cloud) {
  MHP_TRY(const std::set<HomeId> leaving, leaving_without(session, opened, cloud));
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < opened.homes->members().size(); ++i)
    if (leaving.contains(opened.homes->members()[i].id)) out.push_back(i);
  return out;
}

/// Errors: unavailable.
Result<void> check_others_are_there(const Opened& opened, const Going& going, const vault::CheckReport& standing) {
  const bool is_all = going.members.size() == opened.homes->members().size();
  if (!is_all || standing.segments == 0) return {};
  return fail(Errc::unavailable, Subject::homes,
              fmt::format("{}: all homes of your vault are in it, nothing else would hold what is saved. Add another "
                          "first ('mhp home add DIR'). (--lost {} all the same.)",
                          going.stays, going.forced));
}

/// They are told that all of it may go, and leave the list: as with 'mhp home remove'.
Task<Result<void>> take_off(Session& session, Opened& opened, std::vector<std::size_t> members, Moved& moved) {
  const vault::Word word{opened.record->record.vault, *opened.device, session.platform.clock().unix_ns()};
  std::set<HomeId> gone;
  for (const std::size_t member : members) {
    gone.insert(opened.homes->members()[member].id);
    if (!opened.homes->members()[member].home) continue;
    const auto told = co_await vault::give_up(*opened.homes, member, word);
    moved.given_up += told ? 1 : 0;
  }
  *opened.record = opened.vault->record();  // it may have written the next one
  opened.vault.reset();
  auto entries = opened.record->content.homes;
  std::erase_if(entries, [&](const wire::HomeEntry& entry) { return gone.contains(entry.id); });
  co_return co_await change_homes(session, opened, std::move(entries));
}

/// What is there of the vault on the cloud's homes goes to the others. Nothing: it has none of them. Errors: as
/// hand_over().
Task<Result<std::optional<Moved>>> move_out(Session& session, ChosenCloud chosen, bool dry_run) {
  MHP_CO_TRY(const Opened known, open_records(session));
  const auto& listed = known.record->content.homes;
  const auto is_there = [&](const wire::HomeEntry& home) {
    return home.kind == wire::HomeKind::computer && CloudId::from_array(home.cloud) == chosen.membership.cloud;
  };
  if (std::ranges::none_of(listed, is_there)) co_return std::nullopt;
  OpenOptions options;
  options.writes = !dry_run;
  options.keeps_homes = !dry_run;
  options.weighs_homes = true;
  MHP_CO_TRY(Opened opened, co_await open_vault(session, options));
  MHP_CO_TRY(auto members, members_of(session, opened, chosen.membership.cloud));
  if (members.empty()) co_return std::nullopt;
  const Going going{.members = members,
                    .stays = fmt::format("you stay in the cloud '{}'", printable(chosen.view().name)),
                    .forced = "leaves it"};
  Moved moved;
  for (const std::size_t member : members) moved.homes.push_back(opened.homes->members()[member].name);
  MHP_CO_TRY(const vault::CheckReport standing, co_await opened.vault->standing());
  MHP_CO_TRY_VOID(check_others_are_there(opened, going, standing));
  moved.is_nothing_saved = standing.segments == 0 && opened.vault->unread_heads().empty();
  if (!moved.is_nothing_saved || members.size() < opened.homes->members().size()) {
    MHP_CO_TRY(moved.handed, co_await hand_over(session, opened, going, dry_run));
  }
  if (dry_run) co_return moved;
  MHP_CO_TRY_VOID(co_await take_off(session, opened, std::move(members), moved));
  co_return moved;
}

/// Says that the owner leaves. Where it turns out that all other admins have left at the same moment, who were to carry
/// the cloud on, somebody else is made one: who leaves later can still say that. Errors: as say().
Task<Result<void>> say_farewell(Session& session, AtCloud& at, std::optional<MemberId> successor, LeaveDone& done) {
  const Membership membership = at.chosen.membership;
  const MemberId self = membership.member();
  const bool was_admin = at.view().is_admin(self);
  cloud::Roster::Farewell words{.removal = at.chosen.roster->removal(wire::Removal::What::member, self),
                                .promotion = {}};
  if (successor) words = at.chosen.roster->farewell(membership.key, self, *successor);
  MHP_CO_TRY(done.told, co_await say(session, at, words.removal, "the roster does not take it"));
  if (!was_admin) co_return Result<void>();
  (void)co_await at.book->refresh_aside(session.platform);  // the others' words may have come to 'mhp up'
  at.chosen.roster = at.book->find(membership.cloud);
  const Others others = others_in(at.chosen);
  if (others.count == 0 || others.has_admin) co_return Result<void>();
  done.promoted = "";
  if (!successor || !at.view().members.contains(*successor)) co_return Result<void>();
  MHP_CO_TRY(Network* const net, network_of(session));
  const cloud::Spread how{.limit = kHearLimit, .asker = asker_in(session, membership.cloud)};
  auto pleading = cloud::plead(session.platform, *at.book, membership.cloud, net->others(), net->id(), how,
                               wire::Statements{{words.promotion}});
  if (co_await std::move(pleading) > 0) done.promoted = member_name(at.view(), *successor);
  co_return Result<void>();
}

Task<Result<LeaveDone>> do_leave(Session& session, LeaveArgs args) {
  MHP_CO_TRY(AtCloud at, co_await at_cloud(session, args.cloud));
  const Membership membership = at.chosen.membership;
  MHP_CO_TRY(const auto successor, co_await may_leave(session, at, args.lost));
  LeaveDone done{.cloud = membership.cloud, .name = at.view().name, .is_last = others_in(at.chosen).count == 0};
  if (!args.lost) {
    auto moving = move_out(session, at.chosen, args.dry_run);
    MHP_CO_TRY(done.moved, co_await std::move(moving));
  }
  if (args.dry_run) co_return done;
  if (at.view().members.contains(membership.member())) {  // else it was removed, and has nothing to say
    MHP_CO_TRY_VOID(co_await say_farewell(session, at, successor, done));
  }
  session.told_out.insert(membership.cloud);  // by this very command
  MHP_CO_TRY_VOID(co_await drop_membership(session, membership.cloud));
  MHP_CO_TRY_VOID(co_await at.book->drop_aside(session.platform, membership.cloud));
  co_return done;
}

std::string leave_hint(const Error& error) {
  // Said in check_is_heard().
  if (error.subject == Subject::cloud && error.detail.find(" is not heard") != std::string::npos)
    return "Leave from a computer of yours that is in it. Where there is none, come in again as said above, then leave "
           "with that new state folder: 'mhp --state NEW-FOLDER cloud leave'.";
  if (error.subject == Subject::cloud && error.code == Errc::denied)
    return "Make another member an admin first: 'mhp members promote NAME'. Then leave.";
  if (error.subject == Subject::cloud && error.code == Errc::unavailable)
    return "Try again when one is on: 'mhp homes' shows which are. With --lost you leave all the same.";
  if (error.subject == Subject::home && error.code == Errc::denied) return "Run 'mhp backup', then leave.";
  // Said in check_all_is_seen().
  if (error.subject == Subject::homes && error.detail.find(" is away, so nobody can see") != std::string::npos)
    return "Try again when it is there. Where it is lost for good, take it off your list first ('mhp home remove NAME "
           "--lost', of a cloud also 'mhp homes remove NAME'), let 'mhp repair' make again what it held, then leave.";
  return error.subject == Subject::homes ? hint_for(error, true) : cloud_hint(error);
}

/// What is now true of the owner's own backups.
void say_what_moved(const Session& session, const LeaveArgs& args, const LeaveDone& done) {
  if (args.lost) {
    session.out.say(
        "Nothing was handed over. What its homes hold for you does not count any more; they give it back to you, and "
        "'mhp repair' makes it again on your other homes.");
    return;
  }
  if (!done.moved || done.moved->is_nothing_saved)
    return session.out.say("Nothing that you have saved is on homes of that cloud.");
  const vault::RepairReport& report = done.moved->handed.report;
  const int before = std::max(done.moved->handed.margin_before, 0);
  const int now = std::max(report.margin, 0);
  const std::string made = args.dry_run ? "would be" : fmt::format("({}) were", format_bytes(report.bytes_stored));
  session.out.say(fmt::format("{} {} made on your other homes. Of them {}.", plural(report.rows_made, "row", "rows"),
                              made, format_margin(report.margin)));
  if (now < before) {
    session.out.note(fmt::format("That is less safe than before: with the cloud's homes {}; without them {}.{}",
                                 format_margin(before), format_margin(now),
                                 now == 0 ? " Add another home with 'mhp home add DIR'." : ""));
  }
  if (args.dry_run) return;
  session.out.say(
      fmt::format("{} of the cloud's {} told that what they hold for you may go, after 30 days; until then "
                  "they give it back to you.",
                  done.moved->given_up, plural(done.moved->homes.size(), "home was", "homes were")));
}

/// Where all admins left at once.
void say_who_carries_on(const Session& session, const LeaveDone& done) {
  const std::string before = fmt::format("All other admins of '{}' left at the same moment", printable(done.name));
  session.out.note(done.promoted->empty()
                       ? before +
                             ", and nobody who stays could be made one: nobody is invited there, or taken out, any "
                             "more."
                       : fmt::format("{}: '{}' is its admin now.", before, printable(*done.promoted)));
}

Task<int> run_leave(Session& session, LeaveArgs args) {
  session.patience = std::chrono::minutes(args.wait_minutes);
  const auto done = co_await do_leave(session, args);
  if (!done) co_return session.out.fail(done.error(), leave_hint(done.error()));
  if (!args.dry_run) session.out.done = "the cloud was left";
  const HandedOver handed = done->moved ? done->moved->handed : HandedOver{};
  const bool is_known = done->moved && !done->moved->is_nothing_saved;
  session.out.result(
      {{"id", done->cloud.hex()},
       {"name", json_text(done->name)},
       {"dry_run", args.dry_run},
       {"homes_told", done->told},
       {"ended", done->is_last},
       {"promoted", done->promoted ? json_text(*done->promoted) : nlohmann::json()},
       {"homes", done->moved ? json_texts(done->moved->homes) : nlohmann::json::array()},
       {"given_up", done->moved ? done->moved->given_up : 0},
       {"rows_made", handed.report.rows_made},
       {"stored_bytes", handed.report.bytes_stored},
       {"margin_before", is_known ? nlohmann::json(std::max(handed.margin_before, 0)) : nlohmann::json()},
       {"margin", is_known ? nlohmann::json(std::max(handed.report.margin, 0)) : nlohmann::json()}});
  session.out.say(
      fmt::format("{} the cloud '{}'{}", args.dry_run ? "Would leave" : "You have left", printable(done->name),
                  args.dry_run ? "." : fmt::format("; {} told.", plural(done->told, "home was", "homes were"))));
  if (done->is_last)
    session.out.say(fmt::format("You {} its last member: it {}.", args.dry_run ? "are" : "were",
                                args.dry_run ? "would end with that" : "has ended"));
  if (done->promoted) say_who_carries_on(session, *done);
  say_what_moved(session, args, *done);
  co_return kDone;
}

}  // namespace

void add_leave(Command& cloud) {
  auto leave = std::make_shared<LeaveArgs>();
  Command command = cloud.add("leave", "Hand over what its homes hold for you, then leave a cloud",
                              "Example:\n  mhp cloud leave Family\nExit codes: 0 done; 1 a backup has to come first; 4 "
                              "you stay: something would be lost, or cannot be seen; 5 its only admin cannot leave "
                              "others behind, nor anybody from a computer that was taken out");
  command.takes("cloud", leave->cloud, "Its name or the first letters of its id");
  command.flag("--lost", leave->lost, "Leave without handing anything over");
  takes_wait(command, leave->wait_minutes);
  command.flag("--dry-run", leave->dry_run, "Say what leaving would mean, change nothing");
  command.runs([leave](Session& session) { return run_leave(session, *leave); });
}

}  // namespace mhp::app
