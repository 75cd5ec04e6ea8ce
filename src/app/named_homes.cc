// Homes that are named by who has no list of them: folders, addresses of computers, codes of invitations.
#include "app/named_homes.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "app/network.h"
#include "app/text.h"
#include "cloud/exchange.h"
#include "home/folder_home.h"
#include "wire/invitation.h"

namespace mhp::app {
namespace {

Result<NamedHome> look_at(platform::Disk& disk, const std::string& folder) {
  NamedHome named;
  MHP_TRY(named.path, disk.absolute(folder));
  MHP_TRY(named.id, home::folder_home_id(disk, named.path));
  return named;
}

/// Whoever answers: whether it has something of the vault, its records prove.
Task<Result<NamedHome>> look_at_computer(Session& session, std::string text) {
  auto address = platform::parse_host_and_port(text, cloud::kUsualPort);
  if (!address || address->port == 0)
    co_return fail(Errc::usage,
                   fmt::format("--from takes HOST:PORT, or a code of 'mhp invite', not '{}'", printable(text)));
  MHP_CO_TRY(Network * network, network_of(session));
  auto asking = network->who_answers(std::move(*address), kPathLimit);
  const auto id = co_await std::move(asking);
  if (!id) {
    co_return fail(Errc::unavailable, Subject::homes,
                   fmt::format("{}: no home answers there ({})", text, id.error().detail));
  }
  co_return NamedHome{.id = *id, .addresses = {std::move(text)}};
}

/// `there` and `why` are borrowed: the caller joins.
Task<> look_at_invited(Network& network, wire::InvitedHome home, std::vector<NamedHome>& there, std::string& why) {
  auto reaching = network.others().reach(home.home, cloud::addresses_of(home.addresses));
  const auto caller = co_await std::move(reaching);
  if (!caller) why = caller.error().detail;
  if (caller) there.push_back({.id = home.home, .addresses = std::move(home.addresses), .is_invited = true});
}

/// The homes that an invitation names, as far as they answer. It is used up or expired, or not: it says where they are.
Task<Result<std::vector<NamedHome>>> look_at_code(Session& session, wire::Invitation invitation) {
  MHP_CO_TRY(Network * network, network_of(session));
  std::vector<NamedHome> there;
  std::string why;
  platform::Nursery all(session.platform.executor());
  for (wire::InvitedHome& home : invitation.homes) all.start(look_at_invited(*network, std::move(home), there, why));
  co_await all.join();
  if (there.empty())
    co_return fail(Errc::unavailable, Subject::homes, fmt::format("no home that the code names answers ({})", why));
  co_return there;
}

/// Of an address, or a code.
Task<Result<std::vector<NamedHome>>> look_at_computers(Session& session, std::string text) {
  auto invitation = wire::invitation_of(text);
  if (invitation) {
    auto looking = look_at_code(session, std::move(*invitation));
    co_return co_await std::move(looking);
  }
  if (text.starts_with("mhp1-")) co_return fail(Errc::usage, Subject::cloud, "--from: " + invitation.error().detail);
  MHP_CO_TRY(NamedHome home, co_await look_at_computer(session, std::move(text)));
  std::vector<NamedHome> one = {std::move(home)};
  co_return one;
}

/// Where it was named is where it is tried first.
void set_first(std::vector<std::string>& addresses, const std::vector<std::string>& named) {
  std::erase_if(addresses, [&](const auto& one) { return std::ranges::find(named, one) != named.end(); });
  addresses.insert(addresses.begin(), named.begin(), named.end());
  if (addresses.size() > wire::kMaxHomeAddresses) addresses.resize(wire::kMaxHomeAddresses);
}

}  // namespace

Task<Result<std::vector<NamedHome>>> find_named(Session& session, std::vector<std::string> folders,
                                                std::vector<std::string> computers) {
  std::vector<NamedHome> named;
  std::vector<Error> problems;
  for (const std::string& computer : computers) {
    auto homes = co_await look_at_computers(session, computer);
    if (!homes && homes.error().code != Errc::unavailable) co_return pass(homes);
    if (homes) std::ranges::move(*homes, std::back_inserter(named));
    if (!homes) problems.push_back(std::move(homes.error()));
  }
  for (const std::string& folder : folders) {
    auto job = [&disk = session.platform.disk(), folder] { return look_at(disk, folder); };
    auto home = co_await on_path(session, folder, std::move(job));
    if (!home) {
      // There is no home to begin with: too few are reachable.
      const bool away = home.error().code == Errc::not_found || home.error().code == Errc::timed_out;
      if (away) home.error().subject = Subject::homes;
      if (home.error().code == Errc::exhausted) co_return pass(home);
      problems.push_back(std::move(home.error()));
    } else {
      named.push_back(std::move(*home));
    }
  }
  if (named.empty() && !problems.empty()) co_return tl::unexpected<Error>(std::move(problems.front()));
  for (const Error& problem : problems) {
    if (!session.out.mute) session.out.note(printable(problem.detail) + ": recovery goes on without this one");
  }
  co_return named;
}

wire::HomeEntry entry_of(const NamedHome& named) {
  wire::HomeEntry entry{.id = named.id, .name = last_part(named.path), .path = named.path};
  if (named.addresses.empty()) return entry;
  entry.name = named.addresses.front();
  entry.kind = wire::HomeKind::computer;
  entry.addresses = named.addresses;
  return entry;
}

std::vector<wire::HomeEntry> with_named(std::vector<wire::HomeEntry> entries, const std::vector<NamedHome>& named) {
  for (const NamedHome& home : named) {
    const auto known = std::ranges::find(entries, home.id, &wire::HomeEntry::id);
    if (known == entries.end()) {
      if (home.is_invited) continue;
      if (entries.size() == wire::kMaxHomes) entries.erase(entries.begin());  // a full list locks out none that is here
      entries.push_back(entry_of(home));
    } else if (home.addresses.empty()) {
      known->path = home.path;
    } else {
      set_first(known->addresses, home.addresses);
    }
  }
  return entries;
}

std::string place_of(const NamedHome& home) { return home.addresses.empty() ? home.path : home.addresses.front(); }

}  // namespace mhp::app
