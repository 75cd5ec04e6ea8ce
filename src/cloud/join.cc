// One home after the other is asked; what it gives is believed only as far as the invitation goes.
#include "cloud/join.h"

#include <algorithm>

#include "cloud/cloud_routes.h"
#include "wire/cloud_calls.h"

namespace mhp::cloud {
namespace {

/// Who was asked, and why that was not the end of it.
struct Tried {
  HomeId home;
  Error why;
};

std::string words_of(const std::vector<Tried>& all) {
  std::string out;
  for (const Tried& one : all) {
    const std::string name = one.home.short_hex();
    const bool is_named = one.why.detail.starts_with(name);
    out += (out.empty() ? "" : "; ") + (is_named ? "" : name + ": ") + one.why.detail;
  }
  return out;
}

/// Where no home has let the newcomer in.
tl::unexpected<Error> nobody(const std::vector<Tried>& unreached, const std::vector<Tried>& unwilling) {
  if (unwilling.empty())
    return fail(Errc::unavailable, "no home of the invitation could be reached: " + words_of(unreached));
  const bool knows_none =
      std::ranges::all_of(unwilling, [](const Tried& one) { return one.why.code == Errc::not_found; });
  std::string detail = "no home of the invitation lets you in: " + words_of(unwilling);
  if (!unreached.empty()) detail += "; not reached: " + words_of(unreached);
  return fail(knows_none ? Errc::not_found : Errc::unavailable, std::move(detail));
}

/// What a home gave, held against the invitation. Errors: invalid, denied.
Result<Roster> look_through(const wire::Invitation& invitation, const wire::Admission& asked, ByteView reply) {
  const auto statements = wire::parse_statements(reply);
  if (!statements) return fail(Errc::invalid, "answered with something that is no roster");
  auto roster = Roster::open(invitation.cloud, *statements);
  if (!roster) return fail(Errc::denied, "answered with the roster of another cloud");
  const View& view = roster->view();
  const auto ticket = view.tickets.find({invitation.inviter, asked.ticket});
  if (ticket == view.tickets.end()) return fail(Errc::denied, "answered with a roster without this invitation");
  if (ticket->second.used_by != asked.member || !view.members.contains(asked.member))
    return fail(Errc::denied, "answered with a roster without the new member");
  const auto signer = roster->admitted_by(asked.member);
  const auto is_signer = [&](const wire::InvitedHome& one) {
    primitives::PublicKey key{};
    if (signer) std::ranges::copy(signer->bytes(), key.begin());
    return one.home == primitives::home_id_of(key);
  };
  if (std::ranges::none_of(invitation.homes, is_signer))
    return fail(Errc::denied, "answered with an admission by a home that is not of the invitation");
  return std::move(*roster);
}

HomeId admitting_home(const Roster& roster, const MemberId& member) {
  primitives::PublicKey key{};
  if (const auto signer = roster.admitted_by(member)) std::ranges::copy(signer->bytes(), key.begin());
  return primitives::home_id_of(key);
}

/// What the roster does not say yet of the newcomer's device, home and addresses.
std::vector<Bytes> introduction(Roster roster, const Newcomer& who) {
  const MemberId member = as_member(who.member.public_key());
  const KeyId home_key = as_key(who.home.public_key());
  const HomeId home_id = primitives::home_id_of(who.home.public_key());
  std::vector<Bytes> out;
  const auto say = [&](const primitives::SigningKey& key, wire::Act act) {
    out.push_back(roster.say(key, member, std::move(act)));
    roster.merge(std::span(&out.back(), 1));
  };
  const auto found = roster.view().members.find(member);
  const bool has_device =
      !who.device || (found != roster.view().members.end() && found->second.devices.contains(*who.device));
  if (!has_device) say(who.member, wire::DeviceKey{*who.device, who.device_name});
  const Home wanted{home_key, member, who.home_name, who.lend_bytes, who.anchor, who.addresses};
  const auto home = roster.view().homes.find(home_id);
  if (home != roster.view().homes.end() && home->second == wanted) return out;
  say(who.member, wire::HomeKey{home_key, who.home_name, who.lend_bytes, who.anchor});
  say(who.home, wire::HomeAddresses{who.addresses});
  return out;
}

/// A join that is under way.
struct Joining {
  platform::Platform& platform;
  Book& book;
  net::Peers& net;
  const wire::Invitation& invitation;
  const Newcomer& newcomer;
  const wire::JoinRequest request;
  const std::chrono::nanoseconds limit;
};

/// Asks one home, which then has let the newcomer in. Errors: those of a call; what it said; what it gave wrong.
Task<Result<Roster>> ask(Joining& joining, net::Caller& caller) {
  const CloudId& cloud = joining.invitation.cloud;
  const wire::CloudClaim claim{cloud, caller.peer().id, caller.peer().exporter};
  const auto envelope = wire::sign(joining.newcomer.member, wire::kSignCloudClaim, wire::encode(claim));
  const wire::JoinCall call{joining.request, wire::encode(envelope)};
  net::Request request = to_request({CloudCall::join, cloud}, wire::encode(call));
  MHP_CO_TRY(const Bytes reply, co_await caller.call(std::move(request), joining.limit));
  const auto look = [&] { return look_through(joining.invitation, joining.request.admission, reply); };
  auto looked = co_await joining.platform.workers().run(look);
  // A home that lies is like one that is not there: the next one may be honest.
  if (!looked) co_return fail(Errc::invalid, looked.error().detail);
  co_return looked;
}

Task<Result<Joined>> settle(Joining& joining, Roster roster, net::Caller& caller) {
  const CloudId cloud = roster.cloud();
  const wire::Admission& asked = joining.request.admission;
  Joined out{.roster = nullptr, .member = asked.member, .let_in_by = admitting_home(roster, asked.member), .words = {}};
  out.words = four_words(asked.member, out.let_in_by, asked.ticket);
  std::vector<Bytes> said = introduction(roster, joining.newcomer);
  MHP_CO_TRY_VOID(co_await joining.book.add_aside(joining.platform, std::move(roster)));
  MHP_CO_TRY_VOID(co_await joining.book.merge_aside(joining.platform, cloud, std::move(said)));
  auto exchanging = exchange(joining.platform, joining.book, cloud, caller, joining.limit);
  (void)co_await std::move(exchanging);  // whoever is in can do it again at any time
  out.roster = joining.book.find(cloud);
  co_return out;
}

}  // namespace

Task<Result<Joined>> join(platform::Platform& platform, Book& book, net::Peers& net, wire::Invitation invitation,
                          Newcomer newcomer, std::chrono::nanoseconds limit) {
  const MemberId member = as_member(newcomer.member.public_key());
  const std::int64_t now_s = platform.clock().unix_ns() / 1'000'000'000;
  MHP_CO_TRY(auto request, ask_to_join(invitation, member, newcomer.name, now_s));
  Joining joining{platform, book, net, invitation, newcomer, std::move(request), limit};
  std::vector<Tried> unreached;
  std::vector<Tried> unwilling;
  for (const wire::InvitedHome& one : invitation.homes) {
    auto reaching = net.reach(one.home, addresses_of(one.addresses));
    auto caller = co_await std::move(reaching);
    if (!caller) {
      unreached.push_back({one.home, std::move(caller.error())});
      continue;
    }
    auto asking = ask(joining, **caller);
    auto roster = co_await std::move(asking);
    if (roster) {
      auto settling = settle(joining, std::move(*roster), **caller);
      co_return co_await std::move(settling);
    }
    const Errc code = roster.error().code;
    // No other home may say anything else: it would let in two by one invitation.
    if (code == Errc::denied || code == Errc::full || code == Errc::usage)
      co_return tl::unexpected<Error>(std::move(roster.error()));
    const bool is_lost = code == Errc::unavailable || code == Errc::timed_out;
    (is_lost ? unreached : unwilling).push_back({one.home, std::move(roster.error())});
  }
  co_return nobody(unreached, unwilling);
}

}  // namespace mhp::cloud
