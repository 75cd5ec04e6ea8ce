// `mhp members [remove NAME | promote NAME]`: who is in a cloud.
#include <fmt/format.h>

#include "app/commands/commands.h"
#include "app/memberships.h"
#include "app/text.h"

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

struct RemoveMemberArgs {
  std::string member;
  std::string cloud;
  bool dry_run = false;
};

Task<int> run_remove_member(Session& session, RemoveMemberArgs args) {
  auto at = co_await at_cloud(session, args.cloud);
  if (!at) co_return session.out.fail(at.error(), cloud_hint(at.error()));
  const auto member = choose_member(at->view(), args.member);
  if (!member) co_return session.out.fail(member.error(), cloud_hint(member.error()));
  const std::string name = member_name(at->view(), *member);
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
  Command remove_command = members.add("remove", "Take a member and its homes out of the cloud, for good",
                                       "Example:\n  mhp members remove Eve");
  remove_command.needs("member", remove->member, "Its name or the first letters of its id");
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
