// Who asks is looked at for each request; then the book, the host's signature, or the home says what there is to say.
#include "cloud/cloud_service.h"

#include <algorithm>

#include "cloud/claim.h"
#include "cloud/cloud_routes.h"
#include "cloud/invitation.h"
#include "wire/cloud_calls.h"

namespace mhp::cloud {
namespace {

constexpr std::string_view kVaults = "/v1/vaults/";
constexpr std::int64_t kNsPerS = 1'000'000'000;
constexpr std::size_t kMostOfTakenOut = 64;  // statements that one who was taken out may say at once

/// A key that a connection has shown to hold, for a cloud.
struct Guest {
  CloudId cloud;
  KeyId key;
  KeyId computer;  // the connection's
};

std::optional<MemberId> member_of(const Book& book, const Guest& guest) {
  const RosterPointer roster = book.find(guest.cloud);
  return roster ? speaks_for(roster->view(), guest.key, guest.computer) : std::nullopt;
}

bool is_present(const Book& book, const Guest& guest) { return member_of(book, guest).has_value(); }

/// By which removals the member with this key, or its computer, is out.
std::vector<TakenOut> removals_of(const Book& book, const Guest& guest) {
  const RosterPointer roster = book.find(guest.cloud);
  return roster ? roster->taken_out(MemberId::from_bytes(guest.key.bytes()), guest.computer) : std::vector<TakenOut>();
}

}  // namespace

struct CloudService::State {
  State(platform::Platform& machine, Book& rosters, const primitives::SigningKey& own, HomeService* vaults)
      : platform(machine),
        book(rosters),
        key(own),
        id(primitives::home_id_of(own.public_key())),
        home(vaults),
        joins(machine.executor(), 1),
        merges(machine.executor(), 1),
        pleas(machine.executor(), 1) {}

  Standing standing(const net::Peer& who) const {
    if (book.has_home(who.id)) return Standing::member;
    const auto [first, last] = guests.equal_range(who.id);
    for (auto guest = first; guest != last; ++guest)
      if (is_present(book, guest->second)) return Standing::member;
    if (home != nullptr && home->is_known(who.id)) return Standing::member;
    return taken_out.contains(who.exporter) ? Standing::known : Standing::stranger;
  }

  platform::Platform& platform;
  Book& book;
  const primitives::SigningKey key;
  const HomeId id;
  HomeService* const home;
  platform::Semaphore joins;            // one at a time, so that no ticket is used twice here
  platform::Semaphore merges;           // one at a time: others' signatures get one worker
  platform::Semaphore pleas;            // of those who were taken out, likewise, so that no member waits for them
  std::multimap<HomeId, Guest> guests;  // by the connections' computers
  /// By the connections on which they have shown that, each of a cloud of this computer.
  std::map<std::array<std::byte, 32>, std::map<CloudId, Guest>> taken_out;
};

namespace {

using State = CloudService::State;

/// Of the book's own troubles others learn no more than what they can do.
Result<void> told(const Result<Merged>& done) {
  if (done) return {};
  const bool is_full = done.error().code == Errc::full;
  return fail(is_full ? Errc::full : Errc::unavailable, "this computer cannot write its roster now");
}

/// One connection.
class CloudConnection : public net::Served {
 public:
  CloudConnection(State& state, net::Peer peer) : state_(state), peer_(std::move(peer)) {}
  ~CloudConnection() override {
    for (const auto& place : sessions_) state_.guests.erase(place);
    state_.taken_out.erase(peer_.exporter);
  }

  Task<net::Reply> answer(net::Request request) override {
    const auto standing = state_.standing(peer_);
    if (request.path.starts_with(kVaults)) {
      if (state_.home == nullptr) co_return net::error_reply({Errc::denied, "this computer lends no space"});
      if (!vaults_) vaults_ = state_.home->serve(peer_);
      auto answering = vaults_->answer(std::move(request));
      co_return co_await std::move(answering);
    }
    auto asking = ask(std::move(request), standing == net::Service::Standing::member);
    auto body = co_await std::move(asking);
    if (!body) co_return net::error_reply(body.error());
    co_return net::Reply{200, std::move(*body)};
  }

 private:
  Task<Result<Bytes>> ask(net::Request request, bool is_member);
  Task<Result<Bytes>> open_session(CloudId cloud, Bytes body);
  Task<Result<Bytes>> join(CloudId cloud, Bytes body);
  Task<Result<Bytes>> admit(CloudId cloud, wire::JoinRequest request);
  Task<Result<Bytes>> tell_roster(CloudId cloud, Bytes body);
  Task<Result<Bytes>> take_roster(CloudId cloud, Bytes body);
  Task<Result<Bytes>> tell_removal(CloudId cloud, Bytes body);
  Task<Result<Bytes>> tell_further(CloudId cloud, Bytes body);
  Task<Result<Bytes>> take_plea(CloudId cloud, Bytes body);
  Result<KeyId> claimed_here(const CloudId& cloud, ByteView signed_claim) const;
  bool is_of(const CloudId& cloud) const;
  bool was_of(const CloudId& cloud) const;
  std::optional<Guest> told_removals(const CloudId& cloud) const;
  void remember(const CloudId& cloud, const KeyId& key);

  State& state_;
  const net::Peer peer_;
  std::unique_ptr<net::Served> vaults_;
  std::vector<std::multimap<HomeId, Guest>::iterator> sessions_;  // of this connection
};

/// Whether this connection's computer, or who speaks on it, is of the cloud now.
bool CloudConnection::is_of(const CloudId& cloud) const {
  const RosterPointer roster = state_.book.find(cloud);
  if (!roster) return false;
  if (roster->view().homes.contains(peer_.id)) return true;
  return std::ranges::any_of(sessions_, [&](const auto& place) {
    return place->second.cloud == cloud && is_present(state_.book, place->second);
  });
}

/// Whether it has shown that its member was removed, and is out still. Where only its computer was taken out, a thief
/// may have it, and the member's key with it: it is told so, and not heard.
bool CloudConnection::was_of(const CloudId& cloud) const {
  const std::optional<Guest> guest = told_removals(cloud);
  return guest && std::ranges::any_of(removals_of(state_.book, *guest),
                                      [](const TakenOut& one) { return one.what == wire::Removal::What::member; });
}

/// Who has asked on this connection by which removals it is out of the cloud, and was told.
std::optional<Guest> CloudConnection::told_removals(const CloudId& cloud) const {
  const auto here = state_.taken_out.find(peer_.exporter);
  if (here == state_.taken_out.end()) return std::nullopt;
  const auto found = here->second.find(cloud);
  return found == here->second.end() ? std::nullopt : std::optional(found->second);
}

void CloudConnection::remember(const CloudId& cloud, const KeyId& key) {
  for (const auto& place : sessions_) {
    if (place->second.cloud != cloud) continue;
    place->second.key = key;
    return;
  }
  sessions_.push_back(state_.guests.emplace(peer_.id, Guest{cloud, key, as_key(peer_.key)}));
}

Task<Result<Bytes>> CloudConnection::ask(net::Request request, bool is_member) {
  const auto asked = parse_cloud_ask(request.method, request.path);
  const bool may_be_anyone = asked && (asked->call == CloudCall::session || asked->call == CloudCall::join ||
                                       asked->call == CloudCall::removal);
  const bool is_plea = asked && asked->call == CloudCall::put_roster && was_of(asked->cloud);
  const bool is_doubt = asked && asked->call == CloudCall::ask_roster && told_removals(asked->cloud).has_value();
  if (!is_member && !may_be_anyone && !is_plea && !is_doubt)
    co_return fail(Errc::denied, "this computer is not known here");
  if (!asked) co_return tl::unexpected<Error>(asked.error());
  (void)co_await state_.book.refresh_aside(state_.platform);  // what is damaged or away is not found below
  if (!may_be_anyone && !is_of(asked->cloud)) {
    if (is_plea) co_return co_await take_plea(asked->cloud, std::move(request.body));
    if (is_doubt) co_return co_await tell_further(asked->cloud, std::move(request.body));
    co_return fail(Errc::denied, "this computer is not of this cloud, as far as is known here");
  }
  switch (asked->call) {
    case CloudCall::session:
      co_return co_await open_session(asked->cloud, std::move(request.body));
    case CloudCall::join:
      co_return co_await join(asked->cloud, std::move(request.body));
    case CloudCall::ask_roster:
      co_return co_await tell_roster(asked->cloud, std::move(request.body));
    case CloudCall::put_roster:
      co_return co_await take_roster(asked->cloud, std::move(request.body));
    case CloudCall::removal:
      co_return co_await tell_removal(asked->cloud, std::move(request.body));
  }
  co_return fail(Errc::not_found, "no such path");
}

/// The key that signed a claim of this cloud, to this home, on this very connection. Errors: invalid, denied.
Result<KeyId> CloudConnection::claimed_here(const CloudId& cloud, ByteView signed_claim) const {
  return claimed_by({cloud, state_.id, peer_.exporter}, signed_claim);
}

Task<Result<Bytes>> CloudConnection::open_session(CloudId cloud, Bytes body) {
  MHP_CO_TRY(const KeyId key, claimed_here(cloud, body));
  if (!is_present(state_.book, Guest{cloud, key, as_key(peer_.key)}))
    co_return fail(
        Errc::denied,
        "this key is no member's of this cloud, or this computer was taken out of it, as far as is known here");
  remember(cloud, key);
  co_return Bytes();
}

Task<Result<Bytes>> CloudConnection::join(CloudId cloud, Bytes body) {
  MHP_CO_TRY(wire::JoinCall call, wire::parse_join_call(body));
  if (call.request.cloud != cloud) co_return fail(Errc::invalid, "this invitation is for another cloud");
  MHP_CO_TRY(const KeyId key, claimed_here(cloud, call.signed_claim));
  if (key != as_key(call.request.admission.member))
    co_return fail(Errc::denied, "a claim that the new member did not sign");
  co_await state_.joins.take();
  const platform::Permit permit(state_.joins);
  MHP_CO_TRY(Bytes all, co_await admit(cloud, std::move(call.request)));
  remember(cloud, key);
  co_return all;
}

/// `joins` is held.
Task<Result<Bytes>> CloudConnection::admit(CloudId cloud, wire::JoinRequest request) {
  RosterPointer roster = state_.book.find(cloud);
  if (!roster) co_return fail(Errc::not_found, "this home is not in the cloud of this invitation");
  const auto own = roster->view().homes.find(state_.id);
  const MemberId host = own == roster->view().homes.end() ? MemberId() : own->second.member;
  const std::int64_t now_s = state_.platform.clock().unix_ns() / kNsPerS;
  MHP_CO_TRY(const Answer given, cloud::answer(*roster, host, request, now_s));
  if (given == Answer::admit) {
    const MemberId member = request.admission.member;
    std::vector<Bytes> statement{roster->say(state_.key, host, std::move(request.admission))};
    MHP_CO_TRY_VOID(told(co_await state_.book.merge_aside(state_.platform, cloud, std::move(statement))));
    roster = state_.book.find(cloud);
    if (!roster || !roster->view().members.contains(member))
      co_return fail(Errc::unavailable, "the roster has changed meanwhile: ask again");
  }
  co_return wire::encode(roster->statements());
}

Task<Result<Bytes>> CloudConnection::tell_roster(CloudId cloud, Bytes body) {
  MHP_CO_TRY(const auto digest, wire::parse_roster_digest(body));
  if (digest.cloud != cloud) co_return fail(Errc::invalid, "a digest of another cloud");
  const RosterPointer roster = state_.book.find(cloud);
  co_return wire::encode(wire::RosterNews{roster->digest(), roster->missing_of(digest).statements});
}

Task<Result<Bytes>> CloudConnection::take_roster(CloudId cloud, Bytes body) {
  MHP_CO_TRY(auto statements, wire::parse_statements(body));
  co_await state_.merges.take();
  const platform::Permit permit(state_.merges);
  auto merging = state_.book.merge_aside(state_.platform, cloud, std::move(statements.statements));
  MHP_CO_TRY_VOID(told(co_await std::move(merging)));
  co_return Bytes();
}

/// To who was taken out: the removals, and what they rest on. Nothing that came after.
Task<Result<Bytes>> CloudConnection::tell_removal(CloudId cloud, Bytes body) {
  MHP_CO_TRY(const KeyId key, claimed_here(cloud, body));
  const Guest guest{cloud, key, as_key(peer_.key)};
  const RosterPointer roster = state_.book.find(cloud);
  const auto removals = removals_of(state_.book, guest);
  if (removals.empty())
    co_return fail(Errc::denied, "neither this member nor this computer was taken out of it, as far as is known here");
  state_.taken_out[peer_.exporter].insert_or_assign(cloud, guest);
  co_await state_.pleas.take();
  const platform::Permit permit(state_.pleas);
  const auto look = [&] { return wire::encode(roster->grounds_of(removals)); };
  co_return co_await state_.platform.workers().run(look);
}

/// To whom what it was told does not hold, by what it knows: what overrules that, and no more.
Task<Result<Bytes>> CloudConnection::tell_further(CloudId cloud, Bytes body) {
  MHP_CO_TRY(const auto digest, wire::parse_roster_digest(body));
  if (digest.cloud != cloud) co_return fail(Errc::invalid, "a digest of another cloud");
  const std::optional<Guest> guest = told_removals(cloud);
  if (!guest) co_return fail(Errc::denied, "there is no more to say of these removals");
  co_await state_.pleas.take();
  const platform::Permit permit(state_.pleas);
  const RosterPointer roster = state_.book.find(cloud);
  const auto removals = removals_of(state_.book, *guest);
  const auto look = [&] { return roster->further_grounds_of(removals, digest).statements; };
  std::vector<Bytes> further;
  if (roster && !removals.empty()) further = co_await state_.platform.workers().run(look);
  if (further.empty()) co_return fail(Errc::denied, "there is no more to say of these removals");
  co_return wire::encode(wire::RosterNews{{cloud, {}}, std::move(further)});
}

/// From who was taken out is taken what counts all the same: a removal by somebody closer to the founder, say. So
/// nobody is kept from saying that, and nobody fills the roster who has nothing to say any more.
Task<Result<Bytes>> CloudConnection::take_plea(CloudId cloud, Bytes body) {
  MHP_CO_TRY(const auto statements, wire::parse_statements(body));
  if (statements.statements.size() > kMostOfTakenOut)
    co_return fail(Errc::denied, "so much is taken from nobody who was taken out");
  co_await state_.pleas.take();
  const platform::Permit permit(state_.pleas);
  const RosterPointer roster = state_.book.find(cloud);
  if (!roster) co_return fail(Errc::not_found, "this home is not in this cloud any more");
  const auto look = [&] { return roster->that_count(statements.statements); };
  std::vector<Bytes> counting = co_await state_.platform.workers().run(look);
  if (counting.empty()) co_return fail(Errc::denied, "nothing of that counts here");
  auto merging = state_.book.merge_aside(state_.platform, cloud, std::move(counting));
  MHP_CO_TRY_VOID(told(co_await std::move(merging)));
  co_return Bytes();
}

}  // namespace

CloudService::CloudService(platform::Platform& platform, Book& book, const primitives::SigningKey& home_key,
                           HomeService* home)
    : state_(std::make_unique<State>(platform, book, home_key, home)) {}

CloudService::~CloudService() = default;

net::Service::Standing CloudService::standing(const net::Peer& peer) { return state_->standing(peer); }

std::vector<Book::Belonging> CloudService::belongings(const HomeId& peer) const {
  std::vector<Book::Belonging> all = state_->book.belongings(peer);
  const auto [first, last] = state_->guests.equal_range(peer);
  for (auto guest = first; guest != last; ++guest) {
    const auto member = member_of(state_->book, guest->second);
    if (member) all.push_back({guest->second.cloud, *member});
  }
  return all;
}

Who CloudService::who(const net::Peer& peer) const {
  if (!belongings(peer.id).empty()) return Who::member;
  return state_->book.was_taken_out(as_key(peer.key)) ? Who::taken_out : Who::stranger;
}

std::unique_ptr<net::Served> CloudService::serve(const net::Peer& peer) {
  return std::make_unique<CloudConnection>(*state_, peer);
}

}  // namespace mhp::cloud
