// `mhp members [remove NAME]` and `mhp homes`: who is in a cloud, and which of its homes can be reached.
#include <fmt/format.h>

#include <algorithm>

#include "app/commands/commands.h"
#include "app/memberships.h"
#include "app/network.h"
#include "app/text.h"
#include "cloud/exchange.h"

namespace mhp::app {

namespace {

const char* to_string(wire::Role role) { return role == wire::Role::admin ? "admin" : "member"; }

struct Share {
  std::size_t homes = 0;
  std::uint64_t lend_bytes = 0;
};
Share share_of(const cloud::View& view, const MemberId& member) {
  Share share;
  for (const auto& [id, home] : view.homes) {
    if (home.member != member) continue;
    ++share.homes;
    share.lend_bytes += home.lend_bytes;
  }
  return share;
}

Task<int> run_members(Session& session, std::string which) {
  auto at = co_await at_cloud(session, which);
  if (!at) co_return session.out.fail(at.error(), cloud_hint(at.error()));
  nlohmann::json list = nlohmann::json::array();
  session.out.say(fmt::format("Cloud '{}':", printable(at->view().name)));
  for (const auto& [id, member] : at->view().members) {
    const Share share = share_of(at->view(), id);
    const std::string words = joining_words(*at->chosen.roster, id);
    const bool is_own = id == at->chosen.membership.member();
    list.push_back({{"id", id.hex()},
                    {"name", json_text(member.name)},
                    {"role", to_string(member.role)},
                    {"own", is_own},
                    {"homes", share.homes},
                    {"lend_bytes", share.lend_bytes},
                    {"words", words}});
    session.out.say(fmt::format("  {}  {:<16} {:<6} {:>8}, {:>9} lent   {}{}", id.short_hex(), printable(member.name),
                                to_string(member.role), plural(share.homes, "home", "homes"),
                                format_bytes(share.lend_bytes), words, is_own ? "  (you)" : ""));
  }
  session.out.result({{"cloud", json_text(at->view().name)}, {"members", list}});
  co_return kDone;
}

struct RemoveArgs {
  std::string member;
  std::string cloud;
  bool dry_run = false;
};

Task<int> run_remove(Session& session, RemoveArgs args) {
  auto at = co_await at_cloud(session, args.cloud);
  if (!at) co_return session.out.fail(at.error(), cloud_hint(at.error()));
  const auto member = choose_member(at->view(), args.member);
  if (!member) co_return session.out.fail(member.error(), cloud_hint(member.error()));
  const std::string name = at->view().members.at(*member).name;
  const Share share = share_of(at->view(), *member);
  if (*member == at->chosen.membership.member())
    co_return session.out.fail({Errc::usage, "that is you: 'mhp cloud leave' takes you out", Subject::cloud});
  std::size_t told = 0;
  if (!args.dry_run) {
    const wire::Removal removal = at->chosen.roster->removal(wire::Removal::What::member, *member);
    const auto said = co_await say(session, *at, removal, "only an admin of the cloud may remove members");
    if (!said) co_return session.out.fail(said.error(), cloud_hint(said.error()));
    told = *said;
  }
  session.out.result({{"id", member->hex()},
                      {"name", json_text(name)},
                      {"homes", share.homes},
                      {"homes_told", told},
                      {"dry_run", args.dry_run}});
  session.out.say(fmt::format("{} '{}' from the cloud '{}', with {}; {} told.",
                              args.dry_run ? "Would remove" : "Removed", printable(name), printable(at->view().name),
                              plural(share.homes, "home", "homes"), plural(told, "home was", "homes were")));
  if (share.homes > 0)
    session.out.say(
        "What those homes held for you is made again on others by the next backup, or at once by 'mhp repair'.");
  co_return kDone;
}

// ---- homes ----

struct HomesArgs {
  std::string cloud;
  bool verbose = false;
};

std::string home_line(const cloud::View& view, const HomeId& id, const cloud::Home& home, const std::string& state) {
  const auto member = view.members.find(home.member);
  return fmt::format("  {}  {:<20} of {:<12} {:>9} lent   {}{}", id.short_hex(), printable(home.name),
                     member == view.members.end() ? "?" : printable(member->second.name), format_bytes(home.lend_bytes),
                     state, home.anchor ? ", always on" : "");
}

/// What became of speaking with each home just now; the rosters are exchanged on the way.
Task<std::map<HomeId, std::string>> try_all(Session& session, AtCloud& at, Network& net) {
  std::map<HomeId, std::string> states;
  const cloud::Spread how{.limit = std::chrono::seconds(5)};
  const auto spoken =
      co_await cloud::spread(session.platform, *at.book, at.chosen.membership.cloud, net.others(), net.id(), how);
  for (const cloud::Spoken& one : spoken) states[one.home] = one.exchanged ? "" : one.exchanged.error().detail;
  at.chosen.roster = at.book->find(at.chosen.membership.cloud);
  co_return states;
}

Task<int> run_homes(Session& session, HomesArgs args) {
  auto at = co_await at_cloud(session, args.cloud);
  if (!at) co_return session.out.fail(at.error(), cloud_hint(at.error()));
  auto net = network_of(session);
  if (!net) co_return session.out.fail(net.error(), cloud_hint(net.error()));
  const auto failures = co_await try_all(session, *at, **net);
  nlohmann::json list = nlohmann::json::array();
  session.out.say(fmt::format("Cloud '{}':", printable(at->view().name)));
  for (const auto& [id, home] : at->view().homes) {
    const bool is_own = id == (*net)->id();
    const auto tried = failures.find(id);
    std::string state = "never up";
    if (tried != failures.end()) state = tried->second.empty() ? "up" : "away";
    const bool relayed = state == "up" && (*net)->others().is_relayed(id);
    if (is_own) state = "this computer";
    const std::string reason = tried == failures.end() ? "" : tried->second;
    list.push_back({{"id", id.hex()},
                    {"name", json_text(home.name)},
                    {"member", home.member.hex()},
                    {"state", state},
                    {"relayed", relayed},
                    {"lend_bytes", home.lend_bytes},
                    {"anchor", home.anchor},
                    {"addresses", json_texts(home.addresses)},
                    {"reason", json_text(reason)}});
    std::string said = relayed ? "up, through a relay" : state;
    if (state == "never up") said = kNeverUp;
    session.out.say(home_line(at->view(), id, home, said));
    if (!args.verbose) continue;
    for (const net::TriedWay& way : (*net)->others().tried(id)) {
      const std::string result = way.taken ? "answers" : way.failure ? way.failure->detail : "not needed";
      session.out.say(fmt::format("            {}{}: {}", printable(way.name), way.local ? " (this network)" : "",
                                  printable(result)));
    }
    if (!reason.empty()) session.out.say("            " + printable(reason));
  }
  session.out.result({{"cloud", json_text(at->view().name)}, {"homes", list}});
  co_return kDone;
}

}  // namespace

void add_members(Command& program) {
  Command members = program.add("members", "Who is in your cloud",
                                "Examples:\n  mhp members\n  mhp members remove Eve\n"
                                "The four words are those that the member saw when it joined.");
  auto which = std::make_shared<std::string>();
  members.takes("--cloud", *which, "Which cloud, where you are in several");
  auto remove = std::make_shared<RemoveArgs>();
  Command remove_command = members.add("remove", "Take a member and its homes out of the cloud, for good",
                                       "Example:\n  mhp members remove Eve");
  remove_command.needs("member", remove->member, "Its name or the first letters of its id");
  remove_command.flag("--dry-run", remove->dry_run, "Say who would be removed, change nothing");
  remove_command.runs([remove, which](Session& session) {
    remove->cloud = *which;
    return run_remove(session, *remove);
  });
  members.runs_alone_too([which](Session& session) { return run_members(session, *which); });
}

void add_homes(Command& program) {
  auto args = std::make_shared<HomesArgs>();
  Command command =
      program.add("homes", "The homes of your cloud, and whether they can be reached",
                  "Examples:\n  mhp homes\n  mhp homes --verbose    (each address that was tried, and why it failed)");
  command.takes("--cloud", args->cloud, "Which cloud, where you are in several");
  command.flag("-v,--verbose", args->verbose, "Show addresses, and why a home cannot be reached");
  command.runs([args](Session& session) { return run_homes(session, *args); });
}

}  // namespace mhp::app
