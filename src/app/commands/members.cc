// `mhp members [remove NAME | promote NAME]`: who is in a cloud.
#include <fmt/format.h>

#include "app/commands/commands.h"
#include "app/memberships.h"
#include "app/text.h"

namespace mhp::app {

namespace {

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
                    {"role", role_name(member.role)},
                    {"own", is_own},
                    {"homes", share.homes},
                    {"lend_bytes", share.lend_bytes},
                    {"words", words}});
    session.out.say(fmt::format("  {}  {:<16} {:<6} {:>8}, {:>9} lent   {}{}", id.short_hex(), printable(member.name),
                                role_name(member.role), plural(share.homes, "home", "homes"),
                                format_bytes(share.lend_bytes), words, is_own ? "  (you)" : ""));
  }
  session.out.result({{"cloud", json_text(at->view().name)},
                      {"members", list},
                      {"taken_out", json_out(out_of(session, at->chosen.membership, *at->chosen.roster))}});
  co_return kDone;
}

struct RemoveMemberArgs {
  std::vector<std::string> members;
  std::string cloud;
  bool dry_run = false;
};

struct RemovedMember {
  MemberId id;
  std::string name;
  Share share;
};

struct RemoveDone {
  std::string cloud;
  std::vector<RemovedMember> members;
  std::size_t told = 0;
  bool was_out = false;  // who removes
};

/// Who was removed may remove only where that takes it back. Errors: denied.
Result<void> check_may_answer(const ChosenCloud& chosen, const std::set<MemberId>& members) {
  const cloud::View& view = chosen.view();
  if (view.members.contains(chosen.membership.member())) return {};
  if (can_answer(*chosen.roster, chosen.membership.key, members)) return {};
  std::string names;
  for (const MemberId& member : members)
    names += fmt::format("{}'{}'", names.empty() ? "" : ", ", printable(member_name(view, member)));
  return fail(
      Errc::denied, Subject::cloud,
      fmt::format("you are not in the cloud '{}' any more, and removing {} would not bring you back: that counts "
                  "only against all who removed you, and from who is closer to the founder than they are",
                  printable(view.name), names));
}

Task<Result<RemoveDone>> do_remove_members(Session& session, RemoveMemberArgs args) {
  MHP_CO_TRY(AtCloud at, co_await at_cloud(session, args.cloud));
  const MemberId self = at.chosen.membership.member();
  RemoveDone done{.cloud = at.view().name, .members = {}};
  std::set<MemberId> ids;
  for (const std::string& which : args.members) {
    MHP_CO_TRY(const MemberId member, choose_member(at.view(), which));
    if (member == self) co_return fail(Errc::usage, Subject::cloud, "that is you: 'mhp cloud leave' takes you out");
    if (ids.insert(member).second)
      done.members.push_back({member, member_name(at.view(), member), share_of(at.view(), member)});
  }
  MHP_CO_TRY_VOID(check_may_answer(at.chosen, ids));
  done.was_out = out_of(session, at.chosen.membership, *at.chosen.roster).has_value();
  if (args.dry_run) co_return done;
  std::vector<wire::Act> removals;
  for (const MemberId& member : ids) removals.push_back(at.chosen.roster->removal_in_answer(self, member));
  auto saying = say_all(session, at, std::move(removals), "only an admin of the cloud may remove members");
  MHP_CO_TRY(done.told, co_await std::move(saying));
  co_return done;
}

Task<int> run_remove_member(Session& session, RemoveMemberArgs args) {
  const auto done = co_await do_remove_members(session, args);
  if (!done) co_return session.out.fail(done.error(), cloud_hint(done.error()));
  nlohmann::json list = nlohmann::json::array();
  std::size_t homes = 0;
  for (const RemovedMember& one : done->members) {
    list.push_back({{"id", one.id.hex()}, {"name", json_text(one.name)}, {"homes", one.share.homes}});
    homes += one.share.homes;
    session.out.say(fmt::format("{} '{}' from the cloud '{}', with {}.", args.dry_run ? "Would remove" : "Removed",
                                printable(one.name), printable(done->cloud), plural(one.share.homes, "home", "homes")));
  }
  session.out.result({{"members", list},
                      {"homes", homes},
                      {"homes_told", done->told},
                      {"took_back", done->was_out},
                      {"dry_run", args.dry_run}});
  if (!args.dry_run) session.out.say(fmt::format("{} told.", plural(done->told, "home was", "homes were")));
  if (done->was_out) session.out.say(fmt::format("You {} in the cloud as before.", args.dry_run ? "would be" : "are"));
  if (homes > 0)
    session.out.say(
        "What those homes held for you is made again on others by the next backup, or at once by 'mhp repair'.");
  co_return kDone;
}

// ---- promote ----

struct PromoteArgs {
  std::string member;
  std::string cloud;
  bool dry_run = false;
};

Task<int> run_promote(Session& session, PromoteArgs args) {
  auto at = co_await at_cloud(session, args.cloud);
  if (!at) co_return session.out.fail(at.error(), cloud_hint(at.error()));
  const auto member = choose_member(at->view(), args.member);
  if (!member) co_return session.out.fail(member.error(), cloud_hint(member.error()));
  const std::string name = member_name(at->view(), *member);
  const bool was_admin = at->view().is_admin(*member);
  std::size_t told = 0;
  if (!args.dry_run && !was_admin) {
    const auto said =
        co_await say(session, *at, wire::Promotion{*member}, "only an admin of the cloud may make others admins");
    if (!said) co_return session.out.fail(said.error(), cloud_hint(said.error()));
    told = *said;
  }
  session.out.result({{"id", member->hex()},
                      {"name", json_text(name)},
                      {"was_admin", was_admin},
                      {"homes_told", told},
                      {"dry_run", args.dry_run}});
  session.out.say(fmt::format("'{}' {} of the cloud '{}'.", printable(name),
                              was_admin      ? "is an admin already"
                              : args.dry_run ? "would become an admin"
                                             : "is now an admin",
                              printable(at->view().name)));
  if (!was_admin) session.out.say("An admin lets people in and takes them out, for good: make few.");
  co_return kDone;
}

}  // namespace

void add_members(Command& program) {
  Command members = program.add("members", "Who is in your cloud",
                                "Examples:\n  mhp members\n  mhp members remove Eve\n"
                                "The four words are those that the member saw when it joined.");
  auto which = std::make_shared<std::string>();
  members.takes("--cloud", *which, "Which cloud, where you are in several");
  auto remove = std::make_shared<RemoveMemberArgs>();
  Command remove_command = members.add("remove", "Take members and their homes out of the cloud, for good",
                                       "Example:\n  mhp members remove Eve");
  remove_command.needs("member", remove->members, "Names, or the first letters of ids");
  remove_command.flag("--dry-run", remove->dry_run, "Say who would be removed, change nothing");
  remove_command.runs([remove, which](Session& session) {
    remove->cloud = *which;
    return run_remove_member(session, *remove);
  });
  auto promote = std::make_shared<PromoteArgs>();
  Command promote_command = members.add("promote", "Make a member an admin", "Example:\n  mhp members promote Ben");
  promote_command.needs("member", promote->member, "Its name or the first letters of its id");
  promote_command.flag("--dry-run", promote->dry_run, "Say who would be promoted, change nothing");
  promote_command.runs([promote, which](Session& session) {
    promote->cloud = *which;
    return run_promote(session, *promote);
  });
  members.runs_alone_too([which](Session& session) { return run_members(session, *which); });
}

}  // namespace mhp::app
