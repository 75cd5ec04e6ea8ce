// Memberships live in the vault's record, rosters in files beside it.
#include "app/memberships.h"
#include "app/notes.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "app/network.h"
#include "app/text.h"
#include "base/check.h"
#include "cloud/computer.h"
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
  without_index.writes = true;
  MHP_CO_TRY(Opened opened, co_await open_vault(session, without_index));
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

/// With what `change` makes of the membership, where it is there.
template <class F>
static Task<Result<void>> change_membership(Session& session, CloudId cloud, F change) {
  const auto change_it = [cloud, change](wire::VaultPrivate& content) {
    const auto known = std::ranges::find(content.clouds, cloud, &wire::Membership::cloud);
    if (known == content.clouds.end()) return false;
    change(*known);
    return true;
  };
  co_return co_await change_record(session, change_it);
}

Task<Result<void>> renew_membership(Session& session, CloudId cloud, primitives::Key secret, std::string name) {
  const auto renew = [secret, name](wire::Membership& one) {
    one.member_secret = secret;
    one.name = name;
  };
  co_return co_await change_membership(session, cloud, renew);
}

Task<Result<void>> rename_membership(Session& session, CloudId cloud, std::string name) {
  const auto rename = [name](wire::Membership& one) { one.name = name; };
  co_return co_await change_membership(session, cloud, rename);
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

namespace {

/// Looking for one roster at several computers at once.
struct Search {
  Session& session;
  Network& network;
  cloud::Book& book;
  const Membership& membership;
  platform::Semaphore turn;  // whoever has answered: one after the other
  platform::Nursery all;
  std::size_t open = 0;           // computers that are still asked
  std::optional<OutOf> out = {};  // by the word of one that takes the owner, or this computer, for out
  std::string problem = "no computer of it is on the vault's list of homes";
};

/// Why a home does not take the owner for a member: what it says of that proves itself. `caller` is borrowed.
Task<std::optional<OutOf>> why_out(Session& session, CloudId cloud, primitives::SigningKey member,
                                   net::Caller& caller) {
  MHP_CHECK(session.network != nullptr);
  const KeyId computer = cloud::as_key(session.network->key().public_key());
  auto asking =
      cloud::look_why_out(session.platform, cloud, {.member = member, .computer = computer}, caller, kPathLimit);
  const auto roster = co_await std::move(asking);
  co_return roster ? out_of(*roster, member, computer) : std::nullopt;
}

Task<> ask_reached(Search& search, net::Caller& caller) {
  co_await search.turn.take();
  const platform::Permit permit(search.turn);
  const Membership& membership = search.membership;
  if (search.book.find(membership.cloud)) co_return;
  auto coming =
      cloud::come_back(search.session.platform, search.book, membership.cloud, membership.key, caller, kPathLimit);
  const auto came = co_await std::move(coming);
  if (came) search.all.cancel();  // the others are not needed
  if (came) co_return;
  search.problem = came.error().detail;
  if (came.error().code != Errc::denied) co_return;
  auto asking = why_out(search.session, membership.cloud, membership.key, caller);
  search.out = co_await std::move(asking);
}

Task<> ask_home(Search& search, wire::HomeEntry entry) {
  auto reaching = search.network.others().reach(entry.id, cloud::addresses_of(entry.addresses));
  const auto caller = co_await std::move(reaching);
  if (caller) {
    auto asking = ask_reached(search, **caller);
    co_await std::move(asking);
  } else {
    search.problem = caller.error().detail;
  }
  if (--search.open == 0) search.all.cancel();
}

/// A command that only looks for it on its way does not wait for long.
Task<> end_search(Search& search) {
  co_await search.session.platform.clock().sleep(kPathLimit);
  search.all.cancel();
}

/// Says that this computer is the member's, where the roster does not say so, and tells all homes.
Task<Result<CameBack>> show_up(Search& search, primitives::SigningKey own) {
  const Membership& membership = search.membership;
  const HomeId id = primitives::home_id_of(own.public_key());
  cloud::RosterPointer roster = search.book.find(membership.cloud);
  CameBack back{.as = membership.name, .cloud = roster->view().name};
  const bool is_new = !roster->view().homes.contains(id);
  if (is_new) {
    const std::string name = usual_home_name(roster->view(), membership.member(), membership.name);
    const wire::HomeKey home{cloud::as_key(own.public_key()), name, 0, false};
    std::vector<Bytes> said = {roster->say(membership.key, membership.member(), home),
                               roster->say(own, membership.member(), wire::HomeAddresses{})};
    MHP_CO_TRY_VOID(co_await search.book.merge_aside(search.session.platform, membership.cloud, std::move(said)));
    roster = search.book.find(membership.cloud);
  }
  MHP_CO_TRY(const Opened known, open_records(search.session));
  std::set<HomeId> former;
  for (const auto& [other, home] : roster->view().homes) {
    const bool is_own = other != id && home.member == membership.member() && home.lend_bytes > 0;
    const auto& listed = known.record->content.homes;
    if (!is_own || std::ranges::find(listed, other, &wire::HomeEntry::id) != listed.end()) continue;
    former.insert(other);
    back.own_homes.push_back(home.name);
  }
  cloud::Spread how{.limit = kPathLimit, .shows = membership.key};
  auto spreading = cloud::spread(search.session.platform, search.book, membership.cloud, search.network.others(), id,
                                 std::move(how));
  std::string why = "none has an address";
  for (const cloud::Spoken& one : co_await std::move(spreading)) {
    back.homes_told += one.exchanged ? 1 : 0;
    if (!one.exchanged) why = one.exchanged.error().detail;
  }
  if (is_new && back.homes_told == 0) {
    // Else it would take itself for one of that cloud, where nobody has heard of it; without a roster it tries again.
    MHP_CO_TRY_VOID(search.book.drop(membership.cloud));
    back.problem = fmt::format("no home of '{}' has heard of this computer yet ({})", roster->view().name, why);
    co_return back;
  }
  if (former.empty()) co_return back;
  // Else rows would be planned on it that never come to be.
  const auto leave_out = [former](wire::VaultPrivate& content) {
    return std::erase_if(content.homes, [&](const wire::HomeEntry& one) { return former.contains(one.id); }) > 0;
  };
  MHP_CO_TRY_VOID(co_await change_record(search.session, leave_out));
  co_return back;
}

/// A computer that may be of this cloud.
bool may_be_of(const wire::HomeEntry& entry, const CloudId& cloud) {
  const std::array<std::byte, 32> none{};
  const bool may_be_there = entry.cloud == none || CloudId::from_array(entry.cloud) == cloud;
  return entry.kind == wire::HomeKind::computer && may_be_there && !entry.addresses.empty();
}

Task<Result<CameBack>> find_roster(Session& session, cloud::Book& book, Membership membership,
                                   std::vector<wire::HomeEntry> entries) {
  MHP_CO_TRY(Network* const network, network_of(session));
  const auto executor = session.platform.executor();
  Search search{session, *network, book, membership, platform::Semaphore(executor, 1), platform::Nursery(executor)};
  network->reach().speak_as(membership.cloud, membership.key);
  std::erase_if(entries, [&](const wire::HomeEntry& entry) { return !may_be_of(entry, membership.cloud); });
  search.open = entries.size();
  for (wire::HomeEntry& entry : entries) search.all.start(ask_home(search, std::move(entry)));
  if (search.open > 0) search.all.start(end_search(search));
  co_await search.all.join();
  if (!book.find(membership.cloud) && search.out)
    co_return CameBack{.as = membership.name, .cloud = search.out->name, .out = search.out};
  if (!book.find(membership.cloud)) co_return CameBack{.as = membership.name, .cloud = "", .problem = search.problem};
  MHP_CO_TRY(auto seed, cloud::computer_seed(session.platform.disk(), session.platform.random(), session.state_folder));
  primitives::SigningKey own(seed);
  wipe(seed);
  co_return co_await show_up(search, std::move(own));
}

/// Once one has shown its roster, so long for the others: one alone may show less than there is.
constexpr std::chrono::seconds kOthersToo{2};

/// Looking into one cloud at several computers at once. All borrowed.
struct Look {
  Session& session;
  Network& network;
  const wire::Membership& as;
  platform::Nursery all;
  std::size_t open = 0;  // computers that are still asked
};

Task<> end_look(Look& look) {
  co_await look.session.platform.clock().sleep(kOthersToo);
  look.all.cancel();
}

Task<> ask_for_roster(Look& look, const wire::HomeEntry& entry) {
  auto reaching = look.network.others().reach(entry.id, cloud::addresses_of(entry.addresses));
  const auto caller = co_await std::move(reaching);
  if (!caller) co_return;
  Session& session = look.session;
  const primitives::SigningKey key(look.as.member_secret);
  auto looking = cloud::look_in(session.platform, look.as.cloud, key, **caller, kPathLimit);
  auto roster = co_await std::move(looking);
  if (!roster && roster.error().code == Errc::denied) {
    auto asking = why_out(session, look.as.cloud, key, **caller);
    const auto out = co_await std::move(asking);
    if (out && !session.out.mute && session.told_out.insert(out->cloud).second) session.out.note(out_sentence(*out));
  }
  if (!roster) co_return;
  if (!look.network.reach().is_coming_back_to(look.as.cloud)) look.all.start(end_look(look));
  look.network.reach().come_back_as({std::make_shared<const cloud::Roster>(std::move(*roster)), key});
}

Task<> look_in_at(Look& look, wire::HomeEntry entry) {
  auto asking = ask_for_roster(look, entry);
  co_await std::move(asking);
  if (--look.open == 0) look.all.cancel();
}

/// All borrowed: the caller joins.
Task<> look_into_cloud(Session& session, Network& network, const wire::Membership& as,
                       const std::vector<wire::HomeEntry>& entries) {
  Look look{session, network, as, platform::Nursery(session.platform.executor())};
  std::vector<wire::HomeEntry> asked;
  std::ranges::copy_if(entries, std::back_inserter(asked),
                       [&](const wire::HomeEntry& entry) { return may_be_of(entry, as.cloud); });
  look.open = asked.size();
  for (wire::HomeEntry& entry : asked) look.all.start(look_in_at(look, std::move(entry)));
  co_await look.all.join();
}

}  // namespace

Task<> look_into_clouds(Session& session, std::vector<wire::Membership> memberships,
                        std::vector<wire::HomeEntry> entries) {
  platform::Nursery all(session.platform.executor());
  for (const wire::Membership& one : memberships) {
    const auto may_know = [&one](const wire::HomeEntry& entry) { return may_be_of(entry, one.cloud); };
    if (std::ranges::none_of(entries, may_know)) continue;
    const auto network = network_of(session);
    if (network && !(*network)->reach().is_coming_back_to(one.cloud))
      all.start(look_into_cloud(session, **network, one, entries));
  }
  co_await all.join();
}

Task<> return_to_clouds(Session& session) {
  const bool is_inside = session.is_guest || session.has_looked_for_clouds || session.connections == nullptr;
  const auto opened = is_inside ? fail(Errc::canceled, "not now") : open_records(session);
  if (!opened) co_return;  // what is done next says why
  const auto book = co_await open_book(session);
  if (!book) co_return;
  const wire::VaultPrivate& content = opened->record->content;
  const bool is_lost = std::ranges::any_of(content.clouds, [&](const wire::Membership& one) {
    const auto may_know = [&one](const wire::HomeEntry& entry) { return may_be_of(entry, one.cloud); };
    return (*book)->find(one.cloud) == nullptr && std::ranges::any_of(content.homes, may_know);
  });
  if (!is_lost) co_return;
  auto finding = find_rosters(session, **book);
  const auto found = co_await std::move(finding);
  for (const CameBack& one : found ? *found : std::vector<CameBack>()) {
    if (session.out.mute) co_return;
    if (one.out && session.told_out.insert(one.out->cloud).second) session.out.note(out_sentence(*one.out));
    if (!one.problem.empty()) session.out.note(cannot_come_back(one));
  }
}

Task<Result<std::vector<CameBack>>> find_rosters(Session& session, cloud::Book& book) {
  session.has_looked_for_clouds = true;
  MHP_CO_TRY(const auto memberships, memberships_of(session));
  std::vector<CameBack> out;
  for (const Membership& membership : memberships) {
    if (book.find(membership.cloud)) continue;
    MHP_CO_TRY(const Opened opened, open_records(session));
    auto finding = find_roster(session, book, membership, opened.record->content.homes);
    MHP_CO_TRY(CameBack back, co_await std::move(finding));
    out.push_back(std::move(back));
  }
  co_return out;
}

std::optional<cloud::Asker> asker_in(Session& session, const CloudId& cloud) {
  const auto memberships = memberships_of(session);
  if (!memberships) return std::nullopt;
  const auto own = std::ranges::find(*memberships, cloud, &Membership::cloud);
  if (own == memberships->end()) return std::nullopt;
  if (session.network) session.network->reach().speak_as(cloud, own->key);
  return cloud::Asker{.member = own->key, .computer = known_own_key(session)};
}

std::optional<OutOf> out_of(Session& session, const Membership& membership, const cloud::Roster& roster) {
  return not_in(roster, membership.key, known_own_key(session));
}

static std::string names_of(const std::vector<ChosenCloud>& clouds) {
  std::string names;
  for (const ChosenCloud& one : clouds)
    names += fmt::format("{}'{}'", names.empty() ? "" : ", ", printable(one.roster->view().name));
  return names;
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
  if (fitting.empty() && !memberships.empty() && book.clouds().size() < memberships.size())
    return fail(Errc::unavailable, Subject::cloud, "who is in your cloud is not known on this computer yet");
  if (fitting.empty() && which.empty()) return fail(Errc::not_found, Subject::cloud, "you are in no cloud yet");
  if (fitting.empty())
    return fail(Errc::not_found, Subject::cloud, fmt::format("you are in no cloud called '{}'", printable(which)));
  if (fitting.size() > 1)
    return fail(Errc::usage, Subject::cloud,
                which.empty()
                    ? fmt::format("you are in several clouds: say which, by its name ({})", names_of(fitting))
                    : fmt::format("several clouds are called '{}': say the first letters of its id", printable(which)));
  return fitting.front();
}

std::string usual_home_name(const cloud::View& view, const MemberId& member, const std::string& owner) {
  const auto is_taken = [&](const std::string& name) {
    return std::ranges::any_of(
        view.homes, [&](const auto& known) { return known.second.member == member && known.second.name == name; });
  };
  const std::string first = owner + "'s computer";
  std::string name = first;
  for (unsigned number = 2; is_taken(name); ++number) name = fmt::format("{} {}", first, number);
  return name;
}

std::string cannot_come_back(const CameBack& one) {
  return fmt::format(
      "This computer is not back yet in the cloud where you are '{}': {}. Until it is, homes behind routers may not be "
      "reached. Every command that asks your homes tries it again, 'mhp homes' for one: run it when computers of that "
      "cloud are on.",
      printable(one.as), printable(one.problem));
}

Task<Result<AtCloud>> at_cloud(Session& session, std::string which) {
  MHP_CO_TRY(const auto memberships, memberships_of(session));
  MHP_CO_TRY(auto book, co_await open_book(session));
  MHP_CO_TRY(const auto came_back, co_await find_rosters(session, *book));
  for (const CameBack& one : came_back) {
    if (one.out && session.told_out.insert(one.out->cloud).second) session.out.note(out_sentence(*one.out));
    if (!one.problem.empty()) session.out.note(cannot_come_back(one));
  }
  MHP_CO_TRY(ChosenCloud chosen, choose_cloud(memberships, *book, which));
  const auto out = out_of(session, chosen.membership, *chosen.roster);
  if (out && session.told_out.insert(out->cloud).second) session.out.note(out_sentence(*out));
  co_return AtCloud{std::move(book), std::move(chosen)};
}

Task<Result<std::size_t>> say(Session& session, AtCloud& at, wire::Act act, std::string refused) {
  std::vector<wire::Act> acts;
  acts.push_back(std::move(act));
  auto saying = say_all(session, at, std::move(acts), std::move(refused));
  co_return co_await std::move(saying);
}

Task<Result<std::size_t>> say_all(Session& session, AtCloud& at, std::vector<wire::Act> acts, std::string refused) {
  const Membership& membership = at.chosen.membership;
  const auto known_out = out_of(session, membership, *at.chosen.roster);
  if (known_out && known_out->is_computer) {  // nobody would hear it, and it would count here alone
    session.told_out.insert(known_out->cloud);
    co_return fail(Errc::denied, Subject::cloud, out_sentence(*known_out));
  }
  std::vector<Bytes> statements;
  for (wire::Act& act : acts)
    statements.push_back(at.chosen.roster->say(membership.key, membership.member(), std::move(act)));
  MHP_CO_TRY(const cloud::Merged merged,
             co_await at.book->merge_aside(session.platform, membership.cloud, std::move(statements)));
  if (!merged.refused.empty() || !merged.idle.empty()) co_return fail(Errc::denied, Subject::cloud, refused);
  std::set<HomeId> told;  // of those that had been taken out before
  for (const auto& [id, home] : at.view().former_homes) told.insert(id);
  at.chosen.roster = at.book->find(membership.cloud);
  MHP_CO_TRY(Network* const net, network_of(session));
  const cloud::Spread how{.asker = asker_in(session, membership.cloud)};
  const auto spoken =
      co_await cloud::spread(session.platform, *at.book, membership.cloud, net->others(), net->id(), how);
  auto telling = cloud::tell_former(session.platform, *at.book, membership.cloud, net->others(), net->id(), how, told);
  co_await std::move(telling);
  at.chosen.roster = at.book->find(membership.cloud);
  const auto out = out_of(session, membership, *at.chosen.roster);
  if (out && (out->is_computer || !out->by.empty())) {  // else it was said right now: the owner leaves
    session.told_out.insert(out->cloud);
    co_return fail(Errc::denied, Subject::cloud, out_sentence(*out));
  }
  co_return static_cast<std::size_t>(
      std::ranges::count_if(spoken, [](const cloud::Spoken& one) { return one.exchanged.has_value(); }));
}

namespace {

constexpr std::size_t kTold = 64;  // homes: more than a vault uses

bool is_denied(const cloud::Spoken& one) { return !one.exchanged && one.exchanged.error().code == Errc::denied; }

/// Until none of those that answer refuses. All borrowed: the caller joins.
Task<> spread_all(Session& session, cloud::Book& book, CloudId cloud, Network& net, platform::Nursery& both) {
  for (;;) {
    auto spreading =
        cloud::spread(session.platform, book, cloud, net.others(), net.id(), {.most = kTold, .limit = kPathLimit});
    if (std::ranges::none_of(co_await std::move(spreading), is_denied)) break;
    co_await session.platform.clock().sleep(std::chrono::milliseconds(300));
  }
  both.cancel();
}

Task<> stop_spreading(Session& session, platform::Nursery& both) {
  constexpr std::chrono::seconds kTellLimit{5};
  co_await session.platform.clock().sleep(kTellLimit);
  both.cancel();
}

}  // namespace

Task<> tell_homes(Session& session, cloud::Book& book, CloudId cloud) {
  const auto net = network_of(session);
  if (!net) co_return;
  platform::Nursery both(session.platform.executor());
  both.start(spread_all(session, book, cloud, **net, both));
  both.start(stop_spreading(session, both));
  co_await both.join();
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

const char* role_name(wire::Role role) { return role == wire::Role::admin ? "admin" : "member"; }

std::string member_name(const cloud::View& view, const MemberId& member) {
  const auto found = view.members.find(member);
  if (found == view.members.end()) return "?";
  const std::string& name = found->second.name;
  const auto same = std::ranges::count_if(view.members, [&](const auto& one) { return one.second.name == name; });
  return same > 1 ? fmt::format("{} ({})", name, member.short_hex()) : name;
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
