// Memberships live in the vault's record, rosters in files beside it.
#include "app/memberships.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/network.h"
#include "app/text.h"
#include "cloud/exchange.h"
#include "cloud/invitation.h"

namespace mhp::app {

Result<std::vector<Membership>> memberships_of(Session& session) {
  MHP_TRY(const Opened opened, open_records(session));
  std::vector<Membership> out;
  for (const wire::Membership& one : opened.record->content.clouds)
    out.push_back({one.cloud, primitives::SigningKey(one.member_secret), one.name});
  return out;
}

/// The next version of this computer's record, with what `change` makes of its content.
template <class F>
static Task<Result<void>> change_record(Session& session, F change) {
  OpenOptions without_index;
  without_index.read_index = false;
  MHP_CO_TRY(Opened opened, co_await open_vault(session, without_index));
  MHP_CO_TRY(const auto lock, opened.state->lock(session.command));
  wire::VaultPrivate content = opened.record->content;
  if (!change(content)) co_return Result<void>();
  auto next = vault::next_record(*opened.record, *opened.device, std::move(content), session.platform.random(),
                                 session.platform.clock().unix_ns());
  if (!next) co_return pass(next);
  MHP_CO_TRY_VOID(opened.state->set_records(*next));
  // Homes that are away get it with the next backup.
  (void)co_await vault::publish_records(*opened.homes, *next, &session.platform.clock());
  co_return Result<void>();
}

Task<Result<void>> keep_membership(Session& session, CloudId cloud, primitives::Key secret, std::string name) {
  const auto add = [cloud, secret, name](wire::VaultPrivate& content) {
    const auto known = std::ranges::find(content.clouds, cloud, &wire::Membership::cloud);
    if (known != content.clouds.end()) return false;
    wire::Membership& one = content.clouds.emplace_back();
    one.cloud = cloud;
    one.member_secret = secret;
    one.name = name;
    return true;
  };
  co_return co_await change_record(session, add);
}

Task<Result<void>> drop_membership(Session& session, CloudId cloud) {
  const auto drop = [cloud](wire::VaultPrivate& content) {
    return std::erase_if(content.clouds, [cloud](const wire::Membership& one) { return one.cloud == cloud; }) > 0;
  };
  co_return co_await change_record(session, drop);
}

Task<Result<std::unique_ptr<cloud::Book>>> open_book(Session& session) {
  auto book = std::make_unique<cloud::Book>(session.platform.disk(), session.state_folder + "/clouds", session.command);
  MHP_CO_TRY_VOID(co_await book->refresh_aside(session.platform));
  co_return book;
}

Result<ChosenCloud> choose_cloud(const std::vector<Membership>& memberships, const cloud::Book& book,
                                 const std::string& which) {
  std::vector<ChosenCloud> fitting;
  for (const Membership& one : memberships) {
    const cloud::RosterPointer roster = book.find(one.cloud);
    if (!roster) continue;
    const bool by_id = which.size() >= 4 && one.cloud.hex().starts_with(which);
    if (which.empty() || by_id || roster->view().name == which) fitting.push_back({one, roster});
  }
  if (fitting.empty() && which.empty()) return fail(Errc::not_found, Subject::cloud, "you are in no cloud yet");
  if (fitting.empty())
    return fail(Errc::not_found, Subject::cloud, fmt::format("you are in no cloud called '{}'", printable(which)));
  if (fitting.size() > 1)
    return fail(Errc::usage, Subject::cloud,
                which.empty()
                    ? "you are in several clouds: say which with --cloud NAME"
                    : fmt::format("several clouds are called '{}': say the first letters of its id", printable(which)));
  return fitting.front();
}

Task<Result<AtCloud>> at_cloud(Session& session, std::string which) {
  MHP_CO_TRY(const auto memberships, memberships_of(session));
  MHP_CO_TRY(auto book, co_await open_book(session));
  MHP_CO_TRY(ChosenCloud chosen, choose_cloud(memberships, *book, which));
  co_return AtCloud{std::move(book), std::move(chosen)};
}

Task<Result<std::size_t>> say(Session& session, AtCloud& at, wire::Act act, std::string refused) {
  const Membership& membership = at.chosen.membership;
  std::vector<Bytes> statements = {at.chosen.roster->say(membership.key, membership.member(), std::move(act))};
  MHP_CO_TRY(const cloud::Merged merged,
             co_await at.book->merge_aside(session.platform, membership.cloud, std::move(statements)));
  if (!merged.refused.empty() || !merged.idle.empty()) co_return fail(Errc::denied, Subject::cloud, refused);
  at.chosen.roster = at.book->find(membership.cloud);
  MHP_CO_TRY(Network* const net, network_of(session));
  const auto spoken =
      co_await cloud::spread(session.platform, *at.book, membership.cloud, net->others(), net->id(), {});
  co_return static_cast<std::size_t>(
      std::ranges::count_if(spoken, [](const cloud::Spoken& one) { return one.exchanged.has_value(); }));
}

Result<MemberId> choose_member(const cloud::View& view, const std::string& which) {
  std::vector<MemberId> fitting;
  for (const auto& [id, member] : view.members) {
    if (member.name == which || (which.size() >= 4 && id.hex().starts_with(which))) fitting.push_back(id);
  }
  if (fitting.empty())
    return fail(Errc::not_found, Subject::cloud, fmt::format("no member is called '{}'", printable(which)));
  if (fitting.size() > 1)
    return fail(Errc::usage, Subject::cloud,
                fmt::format("several members are called '{}': say the first letters of the id", printable(which)));
  return fitting.front();
}

std::string joining_words(const cloud::Roster& roster, const MemberId& member) {
  const std::optional<KeyId> host = roster.admitted_by(member);
  const auto& tickets = roster.view().tickets;
  const auto used = std::ranges::find_if(tickets, [&member](const auto& one) { return one.second.used_by == member; });
  if (!host || used == tickets.end()) return "";
  primitives::PublicKey key{};
  std::ranges::copy(host->bytes(), key.begin());
  return cloud::four_words(member, primitives::home_id_of(key), used->first.second);
}

std::string cloud_hint(const Error& error) {
  if (error.subject == Subject::vault && error.code == Errc::not_found)
    return "Begin with 'mhp init', or with 'mhp join CODE' if somebody invited you.";
  if (error.subject != Subject::cloud) return hint_for(error);
  switch (error.code) {
    case Errc::not_found:
      return "'mhp cloud list' shows the clouds you are in, 'mhp members' who is in them. 'mhp cloud new NAME' makes "
             "one, 'mhp join CODE' lets you into another's.";
    case Errc::unavailable:
      return "Is 'mhp up' running there, and can that computer be reached from here? 'mhp homes --verbose' shows each "
             "address that was tried.";
    default:
      return "";
  }
}

}  // namespace mhp::app
