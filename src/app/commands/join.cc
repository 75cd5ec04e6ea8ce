// `mhp invite` and `mhp join`: one code lets one person into a cloud.
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "app/commands/commands.h"
#include "app/lend_floor.h"
#include "app/memberships.h"
#include "app/network.h"
#include "app/phrase_place.h"
#include "app/sheet.h"
#include "app/text.h"
#include "app/up_settings.h"
#include "cloud/invitation.h"
#include "cloud/join.h"
#include "cloud/reach.h"

namespace mhp::app {

namespace {

constexpr std::int64_t kNsPerS = 1'000'000'000;
constexpr std::chrono::seconds kRequestLimit{20};
constexpr std::size_t kAskedWhetherIn = 8;  // homes

// ---- invite ----

struct InviteArgs {
  std::string cloud;
  std::string for_name;
  std::string role = "member";
  std::string expires = "24h";
  std::string lend;
  bool wait = false;
  bool dry_run = false;
};

struct InviteDone {
  std::string cloud;
  std::string code;
  std::int64_t expires_s = 0;
  TicketId ticket{};
  wire::Role role = wire::Role::member;
  std::uint64_t lend_bytes = 0;  // that is hoped for
  std::size_t homes = 0;         // any of them can let the guest in
  std::size_t homes_told = 0;
  bool is_local = false;  // nobody outside of the local network can use it
};

Result<wire::Role> parse_role(const std::string& text) {
  if (text == "member") return wire::Role::member;
  if (text == "admin") return wire::Role::admin;
  return fail(Errc::usage, fmt::format("a role is 'member' or 'admin', not '{}'", printable(text)));
}

/// By its addresses, as far as they tell. On one computer, to try things on, all can.
bool can_be_dialed(const wire::InvitedHome& home) {
  return std::ranges::any_of(home.addresses, [](const std::string& address) {
    return cloud::is_public_address(address) || address.starts_with("127.") || address.starts_with("[::1]");
  });
}

Task<Result<InviteDone>> do_invite(Session& session, AtCloud& at, InviteArgs args) {
  cloud::Wish wish{.inviter = at.chosen.membership.member()};
  MHP_CO_TRY(wish.role, parse_role(args.role));
  MHP_CO_TRY(const std::int64_t lasts_s, parse_duration(args.expires));
  wish.expires_s = session.platform.clock().unix_ns() / kNsPerS + lasts_s;
  if (!args.lend.empty()) {
    MHP_CO_TRY(wish.lend_bytes, parse_size(args.lend));
  }
  wish.for_name = args.for_name;
  if (!at.view().members.contains(wish.inviter))
    co_return fail(Errc::denied, Subject::cloud, "you are not in this cloud any more: you cannot invite into it");
  if (wish.for_name.size() > wire::kMaxNameBytes) co_return fail(Errc::usage, "a name has at most 255 bytes");
  wire::Invitation::Secret secret = session.platform.random().array<16>();
  auto invited = cloud::invite(at.view(), at.chosen.membership.cloud, wish, secret);
  wipe(secret);
  if (!invited) co_return about(Subject::cloud, Result<InviteDone>(pass(invited)));
  InviteDone done{.cloud = at.view().name,
                  .code = "",
                  .expires_s = wish.expires_s,
                  .ticket = invited->ticket.ticket,
                  .role = wish.role,
                  .lend_bytes = wish.lend_bytes,
                  .homes = invited->invitation.homes.size(),
                  .is_local = std::ranges::none_of(invited->invitation.homes, can_be_dialed)};
  if (args.dry_run) co_return done;
  done.code = wire::code_of(invited->invitation);
  MHP_CO_TRY(done.homes_told, co_await say(session, at, invited->ticket, "you may not invite"));
  co_return done;
}

void note_local(const Session& session, const InviteDone& done) {
  if (!done.is_local || session.out.mute) return;
  session.out.note(
      "Only who is in the same local network can use this code: no admin's home has a public address. Elsewhere it "
      "works "
      "once an admin's computer can be dialed ('mhp up --address HOST:PORT' where a router passes a port on), or a "
      "member with a public address is an admin ('mhp members promote NAME').");
}

std::string invite_hint(const Error& error) {
  if (error.subject == Subject::cloud && error.code == Errc::unavailable)
    return "Run 'mhp up' on this computer and leave it running: the guest's computer has to reach one of an admin.";
  return cloud_hint(error);
}

/// Until somebody has used it, or it has expired.
Task<std::optional<MemberId>> wait_for_guest(Session& session, AtCloud& at, const InviteDone& done) {
  const CloudId cloud = at.chosen.membership.cloud;
  Network* const net = *network_of(session);
  while (session.platform.clock().unix_ns() / kNsPerS < done.expires_s) {
    co_await session.platform.clock().sleep(std::chrono::seconds(2));
    (void)co_await at.book->refresh_aside(session.platform);
    const cloud::Spread some{.most = 3, .asker = asker_in(session, cloud)};
    (void)co_await cloud::spread(session.platform, *at.book, cloud, net->others(), net->id(), some);
    at.chosen.roster = at.book->find(cloud);
    const auto& tickets = at.view().tickets;
    const auto found = tickets.find({at.chosen.membership.member(), done.ticket});
    if (found != tickets.end() && found->second.used_by) co_return found->second.used_by;
  }
  co_return std::nullopt;
}

/// 0: it is none.
std::size_t columns_of_terminal() {
  winsize size{};
  const bool is_terminal = isatty(STDOUT_FILENO) == 1 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;
  return is_terminal ? size.ws_col : 0;
}

/// Of a picture of characters that are three bytes each, or one.
std::size_t width_of(const std::string& picture) {
  const auto line = std::string_view(picture).substr(0, picture.find('\n'));
  return static_cast<std::size_t>(std::ranges::count_if(line, [](char one) { return (one & 0xC0) != 0x80; }));
}

void show_code(const Session& session, const InviteDone& done) {
  session.out.say(
      fmt::format("Give this code to whom you invite, by a way that nobody else reads. It lets one person "
                  "into '{}', once, until {}:\n\n{}\n",
                  printable(done.cloud), format_time(done.expires_s * kNsPerS), done.code));
  if (const std::string qr = qr_code_text(done.code); width_of(qr) <= columns_of_terminal()) session.out.say(qr);
  session.out.say("There, 'mhp join' asks for it. This computer may sleep meanwhile if another admin's home is up.");
}

int show_invite_dry_run(const Session& session, const InviteArgs& args, const InviteDone& done) {
  note_local(session, done);
  session.out.result({{"dry_run", true},
                      {"cloud", json_text(done.cloud)},
                      {"for", json_text(args.for_name)},
                      {"role", role_name(done.role)},
                      {"expires", format_rfc3339(done.expires_s * kNsPerS)},
                      {"lend_bytes", done.lend_bytes},
                      {"homes", done.homes}});
  session.out.say(fmt::format(
      "Would make a code that lets one person{} into '{}'{}, once, until {}; {} can let him or her in. Nothing was "
      "changed.",
      args.for_name.empty() ? "" : fmt::format(" ('{}')", printable(args.for_name)), printable(done.cloud),
      done.role == wire::Role::admin ? " as an admin" : "", format_time(done.expires_s * kNsPerS),
      plural(done.homes, "home", "homes")));
  return kDone;
}

Task<int> run_invite(Session& session, InviteArgs args) {
  auto at = co_await at_cloud(session, args.cloud);
  if (!at) co_return session.out.fail(at.error(), cloud_hint(at.error()));
  auto done = co_await do_invite(session, *at, args);
  if (!done) co_return session.out.fail(done.error(), invite_hint(done.error()));
  if (args.dry_run) co_return show_invite_dry_run(session, args, *done);
  session.out.result({{"code", done->code},
                      {"cloud", json_text(done->cloud)},
                      {"for", json_text(args.for_name)},
                      {"role", role_name(done->role)},
                      {"expires", format_rfc3339(done->expires_s * kNsPerS)},
                      {"lend_bytes", done->lend_bytes},
                      {"homes_told", done->homes_told}});
  show_code(session, *done);
  note_local(session, *done);
  if (!args.wait) {
    session.out.say("'mhp members' shows who came, with four words to compare.");
    co_return kDone;
  }
  (void)session.out.flush();
  session.out.say("Waiting for the guest (Ctrl-C ends the waiting; the code stays good) ...");
  (void)session.out.flush();
  const auto guest = co_await wait_for_guest(session, *at, *done);
  if (!guest) co_return session.out.fail({Errc::timed_out, "nobody used the code before it expired"});
  const std::string name = at->view().members.at(*guest).name;
  const std::string words = joining_words(*at->chosen.roster, *guest);
  session.out.result({{"member", guest->hex()}, {"name", json_text(name)}, {"words", words}});
  session.out.say(fmt::format("'{}' is in. Both of you see these four words: {}", printable(name), words));
  co_return kDone;
}

// ---- join ----

struct JoinArgs {
  std::string code;
  std::string as;
  std::string lend;
  std::string home_name;
  std::string phrase_file;
  bool dry_run = false;
};

struct JoinDone {
  std::string cloud;
  std::string as;
  std::string words;
  std::string phrase_file;  // where the words of a vault that was made on the way are; empty: the owner knows
  std::uint64_t lend_bytes = 0;
  MemberId member{};
  bool was_out = false;  // removed before: with another key than now
  wire::Invitation invitation{};
  std::optional<TooLittle> too_little{};  // is lent for the cloud's rule
};

std::string ask_code() {
  if (isatty(STDIN_FILENO) == 1) fmt::print(stderr, "The code of the invitation, then Enter:\n");
  std::string line;
  std::getline(std::cin, line);
  return line;
}

/// A vault for who has none yet; its words go into a file, since a code may be used where nobody looks at the screen.
/// It is there before the code is used, since the new member's key is kept in it: where the join is refused, it stays,
/// and so does the note on where its words are. Where they are, if the owner has not been told yet.
Task<Result<std::string>> make_identity(Session& session, JoinArgs args) {
  vault::State state(session.platform.disk(), session.state_folder, session.command);
  MHP_CO_TRY(const bool there, state.exists());
  if (there) co_return phrase_place(session).value_or("");
  InitArgs init;
  init.name = args.as;
  init.phrase_file = args.phrase_file.empty() ? session.state_folder + "-recovery-phrase.txt" : args.phrase_file;
  init.tells_later = true;
  MHP_CO_TRY_VOID(session.platform.disk().make_folder(platform::parent_of(init.phrase_file)));
  MHP_CO_TRY(const InitDone made, co_await do_init(session, init));
  co_return init.phrase_file;
}

/// The key of the member to be: the one that was kept when this code was tried before, by this name now, or a new one.
/// `is_in`: it is a member, with the name that it has.
Task<Result<Membership>> member_to_be(Session& session, CloudId cloud, std::string name, bool is_in) {
  const auto find = [&session, cloud]() -> Result<std::optional<Membership>> {
    MHP_TRY(const auto memberships, memberships_of(session));
    const auto known = std::ranges::find(memberships, cloud, &Membership::cloud);
    if (known == memberships.end()) return std::optional<Membership>();
    return std::optional(*known);
  };
  MHP_CO_TRY(auto known, find());
  if (known && (known->name == name || is_in)) co_return *known;
  if (known) {
    MHP_CO_TRY_VOID(co_await rename_membership(session, cloud, std::move(name)));
    MHP_CO_TRY(known, find());
    if (known) co_return *known;
    co_return fail(Errc::not_found, Subject::cloud, "another computer of yours has left this cloud just now");
  }
  primitives::Key secret = session.platform.random().array<32>();
  auto kept = co_await keep_membership(session, cloud, secret, std::move(name));
  wipe(secret);
  if (!kept) co_return pass(kept);
  MHP_CO_TRY(known, find());
  if (!known) co_return fail(Errc::corrupt, Subject::state, "the membership was written and is not there");
  co_return *known;
}

/// A cloud that this computer knows already: whether the owner was removed from it. Where nothing is known of that,
/// homes are asked.
Task<Result<std::optional<OutOf>>> is_out(Session& session, cloud::Book& book, CloudId cloud) {
  MHP_CO_TRY(const auto memberships, memberships_of(session));
  const auto own = std::ranges::find(memberships, cloud, &Membership::cloud);
  if (own != memberships.end() && !book.find(cloud)) {  // who was removed and has recovered has no roster
    MHP_CO_TRY(const auto came_back, co_await find_rosters(session, book));
    for (const CameBack& one : came_back)
      if (one.out && one.out->cloud == cloud) co_return one.out;
  }
  if (own == memberships.end() || !book.find(cloud)) co_return std::nullopt;
  if (!out_of(session, *own, *book.find(cloud))) {
    MHP_CO_TRY(Network* const net, network_of(session));
    const cloud::Spread how{.most = kAskedWhetherIn, .limit = kRequestLimit, .asker = asker_in(session, cloud)};
    (void)co_await cloud::spread(session.platform, book, cloud, net->others(), net->id(), how);
  }
  co_return out_of(session, *own, *book.find(cloud));
}

/// A new key for who was removed: the old one is out for good. Errors: usage, where there is a better way.
Task<Result<void>> begin_anew(Session& session, const OutOf& out, std::string as) {
  if (out.is_joining) co_return Result<void>();  // the new key waits for a home that takes it
  if (out.is_computer || out.can_answer)
    co_return fail(
        Errc::usage, Subject::cloud,
        out_sentence(out) + (out.can_answer ? " (To join as a new member all the same, leave it first.)" : ""));
  MHP_CO_TRY(const auto memberships, memberships_of(session));
  const auto own = std::ranges::find(memberships, out.cloud, &Membership::cloud);
  if (own == memberships.end()) co_return Result<void>();
  primitives::Key secret = session.platform.random().array<32>();
  auto renewed = co_await renew_membership(session, out.cloud, secret, as.empty() ? own->name : as);
  wipe(secret);
  co_return renewed;
}

/// What `mhp up` will lend: what is said now, what was said before, or a tenth of what is free.
Result<UpSettings> lending_of(Session& session, const JoinArgs& args) {
  platform::Disk& disk = session.platform.disk();
  auto kept = read_up_settings(disk, session.state_folder);
  if (!kept && kept.error().code != Errc::not_found) return kept;
  UpSettings settings = kept ? *kept : UpSettings{};
  MHP_TRY(const std::string state, disk.absolute(session.state_folder));
  if (settings.home.empty()) settings.home = state + "/home";
  if (settings.listen.empty()) settings.listen = kUsualListen;
  if (!args.home_name.empty()) settings.name = args.home_name;
  if (!args.lend.empty()) {
    MHP_TRY(settings.lend_bytes, parse_size(args.lend));
  } else if (!kept) {
    std::string there = state;  // or will be
    while (there.size() > 1 && !disk.info(there)) there = platform::parent_of(there);
    MHP_TRY(const platform::SpaceInfo space, disk.space(there));
    settings.lend_bytes = default_lend_bytes(space);
  }
  return settings;
}

/// By this very code it may be: then the answer was lost, and is given again. Errors: usage.
Result<void> check_is_no_member(const cloud::Roster& roster, const Membership& self, const wire::Invitation& by) {
  const cloud::View& view = roster.view();
  const auto ticket = view.tickets.find({by.inviter, cloud::ticket_of(by)});
  const bool by_this_code = ticket != view.tickets.end() && ticket->second.used_by == self.member();
  if (!view.members.contains(self.member()) || by_this_code) return {};
  return fail(Errc::usage, Subject::cloud,
              fmt::format("you are in the cloud '{}' already, as '{}': the code is still good, for somebody else",
                          printable(view.name), printable(self.name)));
}

Task<Result<JoinDone>> do_join(Session& session, JoinArgs args) {
  auto invitation = wire::invitation_of(args.code);
  if (!invitation) co_return about(Subject::cloud, Result<JoinDone>(pass(invitation)));
  if (session.platform.clock().unix_ns() / kNsPerS >= invitation->expires_s)
    co_return fail(Errc::denied, Subject::cloud, "this invitation has expired: ask for a new one");
  JoinDone done;
  done.invitation = *invitation;
  if (args.dry_run) {
    MHP_CO_TRY(const UpSettings would, lending_of(session, args));
    done.lend_bytes = would.lend_bytes;
    co_return done;
  }
  MHP_CO_TRY(done.phrase_file, co_await make_identity(session, args));
  MHP_CO_TRY(const Opened opened, open_records(session));
  done.as = args.as.empty() ? opened.record->content.name : args.as;
  if (done.as.empty()) co_return fail(Errc::usage, "say what you are called in the cloud, with --as NAME");
  MHP_CO_TRY(const auto book, co_await open_book(session));
  MHP_CO_TRY(const auto out, co_await is_out(session, *book, invitation->cloud));
  if (out) {
    MHP_CO_TRY_VOID(co_await begin_anew(session, *out, args.as));
    done.was_out = true;
  }
  const cloud::RosterPointer before = book->find(invitation->cloud);
  MHP_CO_TRY(const Membership membership,
             co_await member_to_be(session, invitation->cloud, done.as, before != nullptr));
  if (before) {
    MHP_CO_TRY_VOID(check_is_no_member(*before, membership, *invitation));
  }
  done.as = membership.name;
  MHP_CO_TRY(UpSettings settings, lending_of(session, args));
  MHP_CO_TRY_VOID(keep_up_settings(session.platform.disk(), session.state_folder, settings));
  if (settings.name.empty()) settings.name = done.as + "'s computer";  // kept once the cloud has taken it
  MHP_CO_TRY(Network* const net, network_of(session));
  cloud::Newcomer newcomer{.member = membership.key, .home = net->key()};
  newcomer.name = membership.name;
  newcomer.home_name = settings.name;
  newcomer.lend_bytes = settings.lend_bytes;
  newcomer.anchor = settings.anchor;
  auto joined = co_await cloud::join(session.platform, *book, net->others(), *invitation, newcomer, kRequestLimit);
  if (!joined) co_return about(Subject::cloud, Result<JoinDone>(pass(joined)));
  MHP_CO_TRY_VOID(keep_up_settings(session.platform.disk(), session.state_folder, settings));
  // Only the home that let it in knows of it: the others would refuse what is saved before they have heard it.
  auto telling = tell_homes(session, *book, invitation->cloud);
  co_await std::move(telling);
  done.cloud = joined->roster->view().name;
  done.too_little = too_little_of(joined->roster->view(), joined->member);
  done.words = joined->words;
  done.member = joined->member;
  done.lend_bytes = settings.lend_bytes;
  co_return done;
}

std::string join_hint(const Error& error) {
  if (error.subject != Subject::cloud) return cloud_hint(error);
  switch (error.code) {
    case Errc::invalid:
      return "Copy the whole code again: a letter is missing or wrong.";
    case Errc::unavailable:
    case Errc::timed_out:
      return "Is the computer of whoever invited you on, with 'mhp up' running? Try again later with the same code.";
    case Errc::usage:
      return "";
    default:
      return "Ask whoever invited you for a new code ('mhp invite').";
  }
}

/// What the inviter hopes for, and whether this computer lends that much.
void say_hope(const Session& session, const JoinDone& done) {
  const std::uint64_t hoped = done.invitation.lend_bytes;
  if (hoped == 0) return;
  session.out.say(fmt::format(
      "Whoever invited you hopes that you lend {}; this computer lends {}{}", format_bytes(hoped),
      format_bytes(done.lend_bytes),
      done.lend_bytes < hoped ? fmt::format(": 'mhp up --lend {}' lends as much.", lend_argument(hoped)) : "."));
}

/// Nothing that would let somebody else in.
int show_join_dry_run(const Session& session, const JoinDone& done) {
  const wire::Invitation& code = done.invitation;
  session.out.result({{"dry_run", true},
                      {"cloud_id", code.cloud.hex()},
                      {"role", role_name(code.role)},
                      {"expires", format_rfc3339(code.expires_s * kNsPerS)},
                      {"homes", code.homes.size()},
                      {"lend_bytes", done.lend_bytes},
                      {"lend_hoped_bytes", code.lend_bytes}});
  session.out.say(fmt::format(
      "The code is whole and good until {}: it lets one person into the cloud {}, as {}; {} can do so. Its "
      "name is told once you are in.",
      format_time(code.expires_s * kNsPerS), code.cloud.short_hex(),
      code.role == wire::Role::admin ? "an admin" : "a member", plural(code.homes.size(), "home", "homes")));
  say_hope(session, done);
  session.out.say("Nothing was sent or changed.");
  return kDone;
}

Task<int> run_join(Session& session, JoinArgs args) {
  if (args.code.empty() || args.code == "-") args.code = ask_code();
  session.told_words = true;  // below
  auto done = co_await do_join(session, args);
  if (!done) {
    const auto place = phrase_place(session);
    if (place) session.out.note(phrase_place_sentence(*place));
    co_return session.out.fail(done.error(), join_hint(done.error()));
  }
  if (args.dry_run) co_return show_join_dry_run(session, *done);
  session.out.done = "you are in the cloud '" + done->cloud + "'";
  session.out.result({{"cloud", json_text(done->cloud)},
                      {"as", json_text(done->as)},
                      {"member", done->member.hex()},
                      {"words", done->words},
                      {"role", role_name(done->invitation.role)},
                      {"lend_bytes", done->lend_bytes},
                      {"lend_hoped_bytes", done->invitation.lend_bytes},
                      {"lends_too_little", done->too_little.has_value()},
                      {"was_removed", done->was_out},
                      {"phrase_file", json_text(done->phrase_file)}});
  session.out.say(fmt::format("You are in the cloud '{}', as '{}'{}.", printable(done->cloud), printable(done->as),
                              done->invitation.role == wire::Role::admin ? ", an admin" : ""));
  if (done->was_out)
    session.out.say(
        "You had been removed: that counts for the member you were. You are a new one now, with a new key.");
  session.out.say(fmt::format("Whoever invited you sees the same four words: {}", done->words));
  if (!done->phrase_file.empty()) {
    const std::string sentence = phrase_place_sentence(done->phrase_file);
    if (session.out.quiet && !session.out.json) session.out.note(sentence);
    session.out.say(sentence);
  }
  say_hope(session, *done);
  if (done->too_little) session.out.note(too_little_sentence(*done->too_little, done->lend_bytes));
  session.out.say(
      fmt::format("Next: run 'mhp up' and leave it running (it lends {}), and save something with 'mhp backup "
                  "PATH'.",
                  format_bytes(done->lend_bytes)));
  if (session.out.flush()) forget_phrase_place(session);
  co_return kDone;
}

}  // namespace

void add_invite(Command& program) {
  auto args = std::make_shared<InviteArgs>();
  Command command = program.add("invite", "Make a code that lets one person into your cloud",
                                "Examples:\n  mhp invite --for Ben\n  mhp invite --role admin --expires 7d --wait");
  command.takes("--cloud", args->cloud, "Which cloud, where you are in several");
  command.takes("--for", args->for_name, "Whom it is for: a note, which 'mhp cloud show' shows to all members");
  command.takes("--role", args->role, "member, or admin: may invite, remove and change the rules");
  command.takes("--expires", args->expires, "How long it is good for: 30m, 24h, 7d");
  command.takes("--lend", args->lend, "How much space you hope for, e.g. 50G: 'mhp join' says so there");
  command.flag("--wait", args->wait, "Wait until it is used, and show the four words to compare");
  command.flag("--dry-run", args->dry_run, "Say what the code would be good for, make none");
  command.runs([args](Session& session) { return run_invite(session, *args); });
}

void add_join(Command& program) {
  auto args = std::make_shared<JoinArgs>();
  Command command =
      program.add("join", "Join a cloud with the code of an invitation",
                  "Examples:\n  mhp join                  (asks for the code)\n"
                  "  mhp join - --lend 50G --as Ben < code.txt\n"
                  "Exit codes: 0 you are in; 2 another name is needed, or you are in already; 4 nobody could be "
                  "reached; 5 the code is wrong, used or expired");
  command.takes("code", args->code, "The code; '-' reads it from standard input, as without it");
  command.takes("--as", args->as, "What you are called in the cloud (default: the name of your vault)");
  command.takes("--lend", args->lend,
                "How much space this computer will lend, e.g. 50G (default: a tenth of what is free)");
  command.takes("--home-name", args->home_name, "What the others call this computer");
  command.takes("--phrase-file", args->phrase_file,
                "Where the 24 words of a vault that is made on the way go (default: beside the state folder)");
  command.flag("--dry-run", args->dry_run, "Look at the code, send and change nothing");
  command.runs([args](Session& session) { return run_join(session, *args); });
}

}  // namespace mhp::app
