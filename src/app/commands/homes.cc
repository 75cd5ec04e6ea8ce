// `mhp homes [remove HOME]`: which homes of a cloud can be reached, and taking out a computer that is lost.
#include <fmt/format.h>

#include <algorithm>

#include "app/commands/commands.h"
#include "app/members.h"
#include "app/memberships.h"
#include "app/network.h"
#include "app/text.h"
#include "cloud/exchange.h"

namespace mhp::app {

namespace {

struct HomesArgs {
  std::string cloud;
  bool verbose = false;
};

std::string home_line(const cloud::View& view, const HomeId& id, const cloud::Home& home, const std::string& state) {
  return fmt::format("  {}  {:<20} of {:<12} {:>9} lent   {}{}", id.short_hex(), printable(home.name),
                     printable(member_name(view, home.member)), format_bytes(home.lend_bytes), state,
                     home.anchor ? ", always on" : "");
}

/// In words, what became of a way that was tried.
std::string way_result(const net::TriedWay& way) {
  return way.taken     ? "answers"
         : way.failure ? way.failure->detail
         : way.begun   ? "no answer before another way was found"
                       : "not needed";
}

nlohmann::json json_ways(const std::vector<net::TriedWay>& ways) {
  nlohmann::json list = nlohmann::json::array();
  for (const net::TriedWay& way : ways)
    list.push_back({{"way", json_text(way.name)},
                    {"relayed", way.relayed},
                    {"local", way.local},
                    {"taken", way.taken},
                    {"result", json_text(way_result(way))}});
  return list;
}

/// What is known of a way before it is tried.
std::string standing_words(const net::TriedWay& way) {
  using Standing = net::Dialed::Standing;
  if (way.local) return " (this network)";
  switch (way.standing) {
    case Standing::reached:
      return " (was reached before)";
    case Standing::fails_now:
      return " (was reached before, not lately)";
    case Standing::fails:
      return " (not reached so far, tried last)";
    case Standing::unknown:
      return "";
  }
  return "";
}

/// Whether others need a relay to this computer.
std::string own_reach(std::int64_t now_ns, const cloud::Reachable& reachable) {
  const auto& last = reachable.last();
  if (!reachable.is_reached() || !last)
    return "no home has connected to it from another network lately: with 'mhp up' it waits at relays";
  const std::int64_t ago_s = now_ns / 1'000'000'000 - last->at_s;
  return fmt::format("reached directly from another network, {} ago by home {}: it needs no relay",
                     plural(static_cast<std::uint64_t>(ago_s / 3600), "hour", "hours"), last->by.short_hex());
}

/// What became of speaking with each home just now, an empty detail where it went well; the rosters are exchanged on
/// the way.
Task<std::map<HomeId, Error>> try_all(Session& session, AtCloud& at, Network& net) {
  std::map<HomeId, Error> states;
  const cloud::Spread how{.limit = std::chrono::seconds(5), .asker = asker_in(session, at.chosen.membership.cloud)};
  const auto spoken =
      co_await cloud::spread(session.platform, *at.book, at.chosen.membership.cloud, net.others(), net.id(), how);
  for (const cloud::Spoken& one : spoken)
    states.emplace(one.home, one.exchanged ? Error{Errc(), ""} : one.exchanged.error());
  at.chosen.roster = at.book->find(at.chosen.membership.cloud);
  co_return states;
}

Task<int> run_homes(Session& session, HomesArgs args) {
  auto at = co_await at_cloud(session, args.cloud);
  if (!at) co_return session.out.fail(at.error(), cloud_hint(at.error()));
  auto net = network_of(session);
  if (!net) co_return session.out.fail(net.error(), cloud_hint(net.error()));
  const auto failures = co_await try_all(session, *at, **net);
  const auto out = out_of(session, at->chosen.membership, *at->chosen.roster);
  if (out && session.told_out.insert(out->cloud).second) session.out.note(out_sentence(*out));
  nlohmann::json list = nlohmann::json::array();
  session.out.say(fmt::format("Cloud '{}':", printable(at->view().name)));
  for (const auto& [id, home] : at->view().homes) {
    const bool is_own = id == (*net)->id();
    const auto tried = failures.find(id);
    std::string state = "never up";
    if (tried != failures.end())
      state = tried->second.detail.empty() ? "up" : tried->second.code == Errc::denied ? "refuses" : "away";
    const bool relayed = state == "up" && (*net)->others().is_relayed(id);
    if (is_own) state = "this computer";
    const std::string reason = tried == failures.end() ? "" : tried->second.detail;
    list.push_back({{"id", id.hex()},
                    {"name", json_text(home.name)},
                    {"member", home.member.hex()},
                    {"state", state},
                    {"relayed", relayed},
                    {"lend_bytes", home.lend_bytes},
                    {"anchor", home.anchor},
                    {"addresses", json_texts(home.addresses)},
                    {"reason", json_text(reason)}});
    const auto ways = (*net)->others().tried(id);
    if (args.verbose) list.back()["tried"] = json_ways(ways);
    std::string said = relayed ? "up, through a relay" : state;
    if (state == "never up") said = kNeverUp;
    session.out.say(home_line(at->view(), id, home, said));
    if (!args.verbose) continue;
    for (const net::TriedWay& way : ways)
      session.out.say(
          fmt::format("            {}{}: {}", printable(way.name), standing_words(way), printable(way_result(way))));
    if (is_own) session.out.say("            " + own_reach(session.platform.clock().unix_ns(), (*net)->reachable()));
    if (!reason.empty()) session.out.say("            " + printable(reason));
  }
  session.out.result({{"cloud", json_text(at->view().name)}, {"homes", list}, {"taken_out", json_out(out)}});
  co_return kDone;
}

// ---- remove ----

struct TakeOutArgs {
  std::string home;
  std::string cloud;
  bool dry_run = false;
};

/// By name or the first letters of its id; of several of that name `own`, this computer, is not the one. Errors:
/// not_found, usage (several).
Result<HomeId> choose_home(const cloud::View& view, const std::string& which, const HomeId& own) {
  std::vector<HomeId> fitting;
  for (const auto& [id, home] : view.homes) {
    if (home.name == which || (which.size() >= 4 && id.hex().starts_with(which))) fitting.push_back(id);
  }
  if (fitting.size() > 1) std::erase(fitting, own);
  if (fitting.empty())
    return fail(Errc::not_found, Subject::cloud, fmt::format("no home of it is called '{}'", printable(which)));
  if (fitting.size() == 1) return fitting.front();
  std::string ids;
  for (const HomeId& id : fitting) ids += (ids.empty() ? "" : ", ") + id.short_hex();
  return fail(
      Errc::usage, Subject::cloud,
      fmt::format("several homes are called '{}' ({}): say the first letters of the id, as 'mhp homes' shows them",
                  printable(which), ids));
}

struct Removed {
  HomeId id;
  std::string name;
  std::string member;
  bool is_own = false;  // the member is who takes it out
  std::size_t told = 0;
};

/// Its key speaks for its member no more, for good; the member stays.
Task<Result<Removed>> do_remove(Session& session, TakeOutArgs args) {
  MHP_CO_TRY(AtCloud at, co_await at_cloud(session, args.cloud));
  MHP_CO_TRY(Network* const net, network_of(session));
  MHP_CO_TRY(const HomeId id, choose_home(at.view(), args.home, net->id()));
  const cloud::Home home = at.view().homes.at(id);
  const MemberId self = at.chosen.membership.member();
  if (id == net->id())
    co_return fail(
        Errc::usage, Subject::cloud,
        "that is this computer: 'mhp cloud leave' takes you out of the cloud, 'mhp up --lend 0' lends nothing");
  const std::string refused = "only its owner or an admin of the cloud may take a computer out of it";
  if (home.member != self && !at.view().is_admin(self)) co_return fail(Errc::denied, Subject::cloud, refused);
  Removed done{
      .id = id, .name = home.name, .member = member_name(at.view(), home.member), .is_own = home.member == self};
  if (args.dry_run) co_return done;
  const wire::Removal removal = at.chosen.roster->removal(wire::Removal::What::key, home.member, home.key);
  MHP_CO_TRY(done.told, co_await say(session, at, removal, refused));
  co_return done;
}

Task<int> run_take_out(Session& session, TakeOutArgs args) {
  const auto done = co_await do_remove(session, args);
  if (!done) co_return session.out.fail(done.error(), cloud_hint(done.error()));
  session.out.result({{"id", done->id.hex()},
                      {"name", json_text(done->name)},
                      {"member", json_text(done->member)},
                      {"homes_told", done->told},
                      {"dry_run", args.dry_run}});
  session.out.say(fmt::format("{} home '{}' ({}) of {}, for good{}", args.dry_run ? "Would take out" : "Took out",
                              printable(done->name), done->id.short_hex(), printable(done->member),
                              args.dry_run ? ". Nothing was changed."
                                           : fmt::format("; {} told.", plural(done->told, "home was", "homes were"))));
  if (args.dry_run) co_return kDone;
  session.out.say(
      "What it held for you is made again on others by the next backup, or at once by 'mhp repair', and it goes off "
      "your list of homes with that. Should that "
      "computer be found, it comes in again with 'mhp recover --state NEW-FOLDER' and the 24 words, as a new one.");
  session.out.say(
      done->is_own
          ? "The cloud's homes let it read what they hold of yours, and change nothing. It still has the keys of your "
            "vault: where it was stolen, shut it out with 'mhp recover --state NEW-FOLDER' and your 24 words."
          : fmt::format(
                "The cloud's homes let it read what they hold of {0}'s, and change nothing. It still has the "
                "keys of that vault: where it was stolen, {0} shuts it out with 'mhp recover' and the 24 words.",
                printable(done->member)));
  co_return kDone;
}

}  // namespace

void add_homes(Command& program) {
  auto args = std::make_shared<HomesArgs>();
  Command command =
      program.add("homes", "The homes of your cloud, and whether they can be reached",
                  "Examples:\n  mhp homes\n  mhp homes --verbose    (each address that was tried, and why it failed)\n"
                  "  mhp homes remove \"Ann's computer\"");
  command.takes("--cloud", args->cloud, "Which cloud, where you are in several");
  command.flag("-v,--verbose", args->verbose, "Show addresses, and why a home cannot be reached");
  auto remove = std::make_shared<TakeOutArgs>();
  Command remove_command =
      command.add("remove", "Take a computer that is lost out of the cloud, for good; its owner stays",
                  "Example:\n  mhp homes remove \"Ann's computer\"\nIts owner may, and every admin.");
  remove_command.needs("home", remove->home, "Its name or the first letters of its id");
  remove_command.flag("--dry-run", remove->dry_run, "Say what would be taken out, change nothing");
  remove_command.runs([remove, args](Session& session) {
    remove->cloud = args->cloud;
    return run_take_out(session, *remove);
  });
  command.runs_alone_too([args](Session& session) { return run_homes(session, *args); });
}

}  // namespace mhp::app
