// `mhp cloud new | list | show | policy`: founding a cloud, and its rules. (`cloud leave`: leave.cc.)
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "app/commands/commands.h"
#include "app/lend_floor.h"
#include "app/memberships.h"
#include "app/text.h"
#include "cloud/exchange.h"
#include "cloud/quota.h"

namespace mhp::app {

namespace {

constexpr std::uint64_t kDayS = 86'400;
constexpr std::uint64_t kLeastHoldDays = 30;  // for so long homes keep what is deleted in any cloud, and in none

/// Rules as a person gives them; what is empty stays as it is.
struct RuleArgs {
  std::string who_invites;  // "admins", "members"
  std::string lend_floor;
  std::string take;  // percent of what a member lends; "any"
  std::string hold;  // days
};

void take_rules(Command& command, RuleArgs& rules) {
  command.takes("--who-invites", rules.who_invites, "Who may invite: admins or members");
  command.takes(
      "--lend-floor", rules.lend_floor,
      "What each member lends at least, e.g. 50G: homes take nothing new from who lends less; 0: no such rule");
  command.takes("--take", rules.take,
                "A member may store about so many percent of what it lends, on all homes together; 'any': no bound");
  command.takes(
      "--hold", rules.hold,
      "Days for which homes keep what is deleted from now on, not even its owner can change that (30 or more)");
}

Result<std::uint64_t> parse_count(const std::string& text, std::uint64_t most, const std::string& what) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > most)
    return fail(Errc::usage, fmt::format("{} is a whole number, at most {}, not '{}'", what, most, printable(text)));
  return value;
}

Result<wire::Rules> with_rules(wire::Rules rules, const RuleArgs& args) {
  if (!args.who_invites.empty()) {
    if (args.who_invites != "admins" && args.who_invites != "members")
      return fail(Errc::usage, "--who-invites is 'admins' or 'members'");
    rules.members_invite = args.who_invites == "members";
  }
  if (!args.lend_floor.empty()) {
    MHP_TRY(rules.lend_floor_bytes, parse_size(args.lend_floor));
  }
  if (args.take == "any") {
    rules.take_percent = 0;
  } else if (!args.take.empty()) {
    MHP_TRY(const std::uint64_t percent, parse_count(args.take, 1'000'000, "--take"));
    if (percent == 0) return fail(Errc::usage, "--take 0 would let nobody store anything: 'any' means without a bound");
    rules.take_percent = static_cast<std::uint32_t>(percent);
  }
  if (!args.hold.empty()) {
    MHP_TRY(const std::uint64_t days, parse_count(args.hold, wire::kMaxHoldS / kDayS, "--hold"));
    if (days < kLeastHoldDays)
      return fail(Errc::usage, fmt::format("--hold is {} days at least: for so long homes keep what is deleted anyhow",
                                           kLeastHoldDays));
    rules.minimum_hold_s = days * kDayS;
  }
  return rules;
}

/// As homes go by it: a cloud may have been made by a program that allowed less.
std::uint64_t hold_days(const wire::Rules& rules) { return std::max(rules.minimum_hold_s / kDayS, kLeastHoldDays); }

nlohmann::json rules_json(const wire::Rules& rules) {
  return {{"open", rules.open},
          {"who_invites", rules.members_invite ? "members" : "admins"},
          {"lend_floor_bytes", rules.lend_floor_bytes},
          {"take_percent", rules.take_percent},
          {"hold_days", hold_days(rules)}};
}

std::string rules_text(const wire::Rules& rules) {
  const std::string take = rules.take_percent == 0 ? "as much as others lend"
                                                   : fmt::format("about {} % of what it lends", rules.take_percent);
  return fmt::format("{}; {} invite; each lends {}; a member may store {}; nothing is deleted before {} days are over",
                     rules.open ? "open to everyone" : "private", rules.members_invite ? "all members" : "admins",
                     rules.lend_floor_bytes == 0 ? "what it likes" : "at least " + format_bytes(rules.lend_floor_bytes),
                     take, hold_days(rules));
}

// ---- new ----

struct NewArgs {
  std::string name;
  std::string as;
  RuleArgs rules;
  bool dry_run = false;
};

struct NewDone {
  CloudId cloud{};
  std::string name;
  std::string as;
  wire::Rules rules;
};

Task<Result<NewDone>> do_new(Session& session, NewArgs args) {
  if (args.name.empty() || args.name.size() > wire::kMaxNameBytes)
    co_return fail(Errc::usage, "a cloud's name has 1 to 255 bytes");
  MHP_CO_TRY(const Opened opened, open_records(session));
  NewDone done{.name = args.name, .as = args.as.empty() ? opened.record->content.name : args.as, .rules = {}};
  if (done.as.empty()) co_return fail(Errc::usage, "say what you are called in it, with --as NAME");
  done.rules.take_percent = 0;
  done.rules.minimum_hold_s = kLeastHoldDays * kDayS;
  MHP_CO_TRY(done.rules, with_rules(done.rules, args.rules));
  MHP_CO_TRY(const auto book, co_await open_book(session));
  for (const CloudId& one : book->clouds()) {
    const cloud::RosterPointer roster = book->find(one);
    if (roster && roster->view().name == args.name)
      co_return fail(Errc::usage, Subject::cloud, "you are in a cloud of this name already");
  }
  if (args.dry_run) co_return done;
  platform::Random& random = session.platform.random();
  const primitives::Key secret = random.array<32>();
  const primitives::SigningKey key(secret);
  const wire::Founding founding{args.name, done.as, done.rules, session.platform.clock().unix_ns(), random.array<16>()};
  MHP_CO_TRY(cloud::Roster roster, cloud::Roster::found(cloud::found_cloud(key, founding)));
  done.cloud = roster.cloud();
  MHP_CO_TRY_VOID(co_await keep_membership(session, done.cloud, secret, done.as));  // the key first: it is all of it
  MHP_CO_TRY_VOID(co_await book->add_aside(session.platform, std::move(roster)));
  co_return done;
}

Task<int> run_new(Session& session, NewArgs args) {
  auto done = co_await do_new(session, args);
  if (!done) co_return session.out.fail(done.error(), cloud_hint(done.error()));
  session.out.result({{"id", args.dry_run ? nlohmann::json() : nlohmann::json(done->cloud.hex())},
                      {"name", json_text(done->name)},
                      {"as", json_text(done->as)},
                      {"dry_run", args.dry_run},
                      {"rules", rules_json(done->rules)}});
  session.out.say(fmt::format("{} cloud '{}', with you in it as '{}'.", args.dry_run ? "Would make" : "Made",
                              printable(done->name), printable(done->as)));
  session.out.say("Rules: " + rules_text(done->rules) + ".");
  session.out.say("Next: run 'mhp up' on this computer and leave it running, then 'mhp invite' for each who may join.");
  co_return kDone;
}

// ---- list, show ----

/// What a member's computers lend, and whether that is what the rule asks.
struct OwnLending {
  std::uint64_t bytes = 0;
  std::optional<TooLittle> too_little;
};

OwnLending own_lending(const cloud::View& view, const MemberId& self) {
  return {cloud::lent_by(view, self), too_little_of(view, self)};
}

/// By this computer, of what its owner lends.
std::uint64_t lent_here(const Session& session, const cloud::View& view) {
  primitives::PublicKey own{};
  std::ranges::copy(known_own_key(session).bytes(), own.begin());
  const auto home = view.homes.find(primitives::home_id_of(own));
  return home == view.homes.end() ? 0 : home->second.lend_bytes;
}

void note_too_little(const Session& session, const cloud::View& view, const OwnLending& lending) {
  if (lending.too_little) session.out.note(too_little_sentence(*lending.too_little, lent_here(session, view)));
}

/// An invitation that nobody has used yet, and that is still good.
struct OpenInvitation {
  const MemberId* inviter;
  const wire::Ticket* ticket;
};

std::vector<OpenInvitation> open_invitations(const cloud::View& view, std::int64_t now_ns) {
  std::vector<OpenInvitation> out;
  for (const auto& [key, one] : view.tickets)
    if (!one.used_by && one.ticket.expires_ns > now_ns) out.push_back({&key.first, &one.ticket});
  std::ranges::sort(out, {}, [](const OpenInvitation& one) { return one.ticket->expires_ns; });
  return out;
}

nlohmann::json json_invitations(const cloud::View& view, const std::vector<OpenInvitation>& all) {
  nlohmann::json list = nlohmann::json::array();
  for (const OpenInvitation& one : all)
    list.push_back({{"for", json_text(one.ticket->for_name)},
                    {"by", json_text(member_name(view, *one.inviter))},
                    {"role", role_name(one.ticket->role)},
                    {"expires", format_rfc3339(one.ticket->expires_ns)},
                    {"lend_bytes", one.ticket->lend_bytes}});
  return list;
}

void say_invitations(const Session& session, const cloud::View& view, const std::vector<OpenInvitation>& all) {
  if (!all.empty()) session.out.say("Invitations that nobody has used yet:");
  for (const OpenInvitation& one : all) {
    const std::string& name = one.ticket->for_name;
    session.out.say(fmt::format(
        "  {} by '{}', until {}{}{}", name.empty() ? "for nobody by name," : fmt::format("for '{}',", printable(name)),
        printable(member_name(view, *one.inviter)), format_time(one.ticket->expires_ns),
        one.ticket->role == wire::Role::admin ? ", as an admin" : "",
        one.ticket->lend_bytes == 0 ? "" : fmt::format(", hoping for {}", format_bytes(one.ticket->lend_bytes))));
  }
}

Task<int> run_list(Session& session) {
  auto memberships = memberships_of(session);
  if (!memberships) co_return session.out.fail(memberships.error(), cloud_hint(memberships.error()));
  auto book = co_await open_book(session);
  if (!book) co_return session.out.fail(book.error(), cloud_hint(book.error()));
  nlohmann::json list = nlohmann::json::array();
  for (const Membership& one : *memberships) {
    const cloud::RosterPointer roster = (*book)->find(one.cloud);
    const std::string name = roster ? roster->view().name : "";
    const auto out = roster ? out_of(session, one, *roster) : std::nullopt;
    if (out && session.told_out.insert(one.cloud).second) session.out.note(out_sentence(*out));
    list.push_back({{"id", one.cloud.hex()},
                    {"name", json_text(name)},
                    {"as", json_text(one.name)},
                    {"known", roster != nullptr},
                    {"taken_out", json_out(out)},
                    {"members", roster ? roster->view().members.size() : 0},
                    {"homes", roster ? roster->view().homes.size() : 0}});
    session.out.say(roster
                        ? fmt::format("{}  {:<20} you {} '{}'; {}, {}", one.cloud.short_hex(), printable(name),
                                      out && !out->is_computer ? "were" : "are", printable(one.name),
                                      plural(roster->view().members.size(), "member", "members"),
                                      plural(roster->view().homes.size(), "home", "homes"))
                        : fmt::format("{}  you are '{}'; who else is in it is not known on this computer yet: 'mhp up' "
                                      "finds out",
                                      one.cloud.short_hex(), printable(one.name)));
  }
  if (memberships->empty())
    session.out.say(
        "You are in no cloud yet. 'mhp cloud new NAME' makes one, 'mhp join CODE' lets you into another's.");
  session.out.result({{"clouds", list}});
  co_return kDone;
}

Task<int> run_show(Session& session, std::string which) {
  auto at = co_await at_cloud(session, which);
  if (!at) co_return session.out.fail(at.error(), cloud_hint(at.error()));
  const cloud::View& view = at->chosen.view();
  std::uint64_t lent = 0;
  for (const auto& [id, home] : view.homes) lent += home.lend_bytes;
  const OwnLending lending = own_lending(view, at->chosen.membership.member());
  const auto invitations = open_invitations(view, session.platform.clock().unix_ns());
  session.out.result({{"id", at->chosen.membership.cloud.hex()},
                      {"name", json_text(view.name)},
                      {"as", json_text(at->chosen.membership.name)},
                      {"rules", rules_json(view.rules)},
                      {"members", view.members.size()},
                      {"homes", view.homes.size()},
                      {"lend_bytes", lent},
                      {"own_lend_bytes", lending.bytes},
                      {"lends_too_little", lending.too_little.has_value()},
                      {"invitations", json_invitations(view, invitations)},
                      {"taken_out", json_out(out_of(session, at->chosen.membership, *at->chosen.roster))}});
  const bool is_in = view.members.contains(at->chosen.membership.member());
  session.out.say(fmt::format("Cloud '{}' ({}): {}, {} that lend {}. You {} '{}'.", printable(view.name),
                              at->chosen.membership.cloud.short_hex(), plural(view.members.size(), "member", "members"),
                              plural(view.homes.size(), "home", "homes"), format_bytes(lent), is_in ? "are" : "were",
                              printable(at->chosen.membership.name)));
  session.out.say("Rules: " + rules_text(view.rules) + ".");
  say_invitations(session, view, invitations);
  note_too_little(session, view, lending);
  co_return kDone;
}

// ---- policy ----

struct PolicyArgs {
  std::string cloud;
  RuleArgs rules;
  bool dry_run = false;
};

/// Whose backups the cloud's homes take no more.
void say_who_lends_too_little(const Session& session, const cloud::View& view) {
  std::string names;
  for (const auto& [id, member] : view.members)
    if (too_little_of(view, id))
      names += fmt::format("{}'{}'", names.empty() ? "" : ", ", printable(member_name(view, id)));
  if (!names.empty())
    session.out.say("Less than that is lent by " + names +
                    ": homes take nothing new from them, and keep what is there.");
}

Task<int> run_policy(Session& session, PolicyArgs args) {
  auto at = co_await at_cloud(session, args.cloud);
  if (!at) co_return session.out.fail(at.error(), cloud_hint(at.error()));
  const wire::Rules before = at->chosen.view().rules;
  const auto rules = with_rules(before, args.rules);
  if (!rules) co_return session.out.fail(rules.error(), cloud_hint(rules.error()));
  std::size_t told = 0;
  if (*rules != before && !args.dry_run) {
    const auto said =
        co_await say(session, *at, wire::RuleChange{*rules}, "only an admin of the cloud may change its rules");
    if (!said) co_return session.out.fail(said.error(), cloud_hint(said.error()));
    told = *said;
  }
  session.out.result({{"rules", rules_json(*rules)}, {"changed", *rules != before}, {"homes_told", told}});
  session.out.say("Rules: " + rules_text(*rules) + ".");
  if (*rules != before && args.dry_run) session.out.say("Nothing was changed.");
  if (*rules != before && !args.dry_run)
    session.out.say(
        fmt::format("{} told at once; the others hear of it from them.", plural(told, "home was", "homes were")));
  cloud::View then = at->view();
  then.rules = *rules;
  say_who_lends_too_little(session, then);
  note_too_little(session, then, own_lending(then, at->chosen.membership.member()));
  co_return kDone;
}

}  // namespace

void add_cloud(Command& program) {
  Command cloud = program.add("cloud", "Clouds: people's computers that keep each other's backups",
                              "Examples:\n  mhp cloud new Family\n  mhp cloud show\n  mhp cloud policy --take 100\n"
                              "See also 'mhp invite --help', 'mhp join --help' and 'mhp up --help'.");
  auto found = std::make_shared<NewArgs>();
  Command found_command =
      cloud.add("new", "Make a cloud, with you as its first admin", "Example:\n  mhp cloud new Family");
  found_command.needs("name", found->name, "What it is called");
  found_command.takes("--as", found->as, "What you are called in it (default: the name you gave to 'mhp init')");
  take_rules(found_command, found->rules);
  found_command.flag("--dry-run", found->dry_run, "Say what would be made, make nothing");
  found_command.runs([found](Session& session) { return run_new(session, *found); });

  cloud.add("list", "Show the clouds you are in", "Example:\n  mhp cloud list --json").runs(run_list);

  auto which = std::make_shared<std::string>();
  Command show = cloud.add("show", "Show a cloud and its rules", "Example:\n  mhp cloud show Family");
  show.takes("cloud", *which, "Its name or the first letters of its id (needed where you are in several)");
  show.runs([which](Session& session) { return run_show(session, *which); });

  auto policy = std::make_shared<PolicyArgs>();
  Command policy_command =
      cloud.add("policy", "Show or change the rules of a cloud", "Example:\n  mhp cloud policy Family --take 200");
  policy_command.takes("cloud", policy->cloud, "Its name or the first letters of its id");
  take_rules(policy_command, policy->rules);
  policy_command.flag("--dry-run", policy->dry_run, "Say what the rules would be, change nothing");
  policy_command.runs([policy](Session& session) { return run_policy(session, *policy); });

  add_leave(cloud);
}

}  // namespace mhp::app
