// Who asks is looked at for each request; then the book, the host's signature, or the home says what there is to say.
#include "cloud/cloud_service.h"

#include <algorithm>

#include "cloud/cloud_routes.h"
#include "cloud/invitation.h"
#include "wire/cloud_calls.h"

namespace mhp::cloud {
namespace {

constexpr std::string_view kVaults = "/v1/vaults/";
constexpr std::int64_t kNsPerS = 1'000'000'000;

/// A key that a connection has shown to hold, for a cloud.
struct Guest {
  CloudId cloud;
  KeyId key;
  KeyId computer;  // the connection's
};

/// For which member of a cloud a key speaks: its own, or a device's. Nothing: for none.
std::optional<MemberId> speaker(const View& view, const KeyId& key) {
  const MemberId own = MemberId::from_bytes(key.bytes());
  if (view.members.contains(own)) return own;
  for (const auto& [id, member] : view.members)
    if (member.devices.contains(key)) return id;
  return std::nullopt;
}

/// Not on a computer of the member's that was taken out of the cloud.
std::optional<MemberId> member_of(const Book& book, const Guest& guest) {
  const RosterPointer roster = book.find(guest.cloud);
  const auto member = roster ? speaker(roster->view(), guest.key) : std::nullopt;
  if (member && roster->view().removed_keys.contains({guest.computer, *member})) return std::nullopt;
  return member;
}

bool is_present(const Book& book, const Guest& guest) { return member_of(book, guest).has_value(); }

/// Whether anybody may be let in now: then also who was removed must be heard.
bool may_join(const View& view, std::int64_t now_ns) {
  const auto is_valid = [now_ns](const auto& entry) { return entry.second.ticket.expires_ns > now_ns; };
  return view.rules.open || std::ranges::any_of(view.tickets, is_valid);
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
        merges(machine.executor(), 1) {}

  Standing standing(const HomeId& who) const {
    if (book.has_home(who)) return Standing::member;
    const auto [first, last] = guests.equal_range(who);
    for (auto guest = first; guest != last; ++guest)
      if (is_present(book, guest->second)) return Standing::member;
    if (home != nullptr) return home->is_known(who) ? Standing::member : Standing::stranger;
    return book.is_removed(who) && !is_open_to_any() ? Standing::refused : Standing::stranger;
  }
  bool is_open_to_any() const {
    const std::int64_t now_ns = platform.clock().unix_ns();
    const auto is_open = [&](const CloudId& cloud) {
      const RosterPointer roster = book.find(cloud);
      return roster && may_join(roster->view(), now_ns);
    };
    return std::ranges::any_of(book.clouds(), is_open);
  }

  platform::Platform& platform;
  Book& book;
  const primitives::SigningKey key;
  const HomeId id;
  HomeService* const home;
  platform::Semaphore joins;            // one at a time, so that no ticket is used twice here
  platform::Semaphore merges;           // one at a time: others' signatures get one worker
  std::multimap<HomeId, Guest> guests;  // by the connections' computers
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
  }

  Task<net::Reply> answer(net::Request request) override {
    const auto standing = state_.standing(peer_.id);
    if (standing == net::Service::Standing::refused)
      co_return net::error_reply({Errc::denied, "this computer was removed from the cloud"});
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
  Result<KeyId> claimed_by(const CloudId& cloud, ByteView signed_claim) const;
  bool is_of(const CloudId& cloud) const;
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
  const bool may_be_anyone = asked && (asked->call == CloudCall::session || asked->call == CloudCall::join);
  if (!is_member && !may_be_anyone) co_return fail(Errc::denied, "this computer is not known here");
  if (!asked) co_return tl::unexpected<Error>(asked.error());
  (void)co_await state_.book.refresh_aside(state_.platform);  // what is damaged or away is not found below
  if (!may_be_anyone && !is_of(asked->cloud))
    co_return fail(Errc::denied, "this computer is not of this cloud, as far as is known here");
  switch (asked->call) {
    case CloudCall::session:
      co_return co_await open_session(asked->cloud, std::move(request.body));
    case CloudCall::join:
      co_return co_await join(asked->cloud, std::move(request.body));
    case CloudCall::ask_roster:
      co_return co_await tell_roster(asked->cloud, std::move(request.body));
    case CloudCall::put_roster:
      co_return co_await take_roster(asked->cloud, std::move(request.body));
  }
  co_return fail(Errc::not_found, "no such path");
}

/// The key that signed a claim of this cloud, to this home, on this very connection. Errors: invalid, denied.
Result<KeyId> CloudConnection::claimed_by(const CloudId& cloud, ByteView signed_claim) const {
  MHP_TRY(const auto envelope, wire::parse_signed(signed_claim, wire::kMaxCloudClaimBytes));
  if (!wire::verify(envelope, wire::kSignCloudClaim)) return fail(Errc::denied, "a claim with a wrong signature");
  MHP_TRY(const auto claim, wire::parse_cloud_claim(envelope.body));
  if (claim != wire::CloudClaim{cloud, state_.id, peer_.exporter})
    return fail(Errc::denied, "a claim that was made for another connection, home or cloud");
  return as_key(envelope.signer);
}

Task<Result<Bytes>> CloudConnection::open_session(CloudId cloud, Bytes body) {
  MHP_CO_TRY(const KeyId key, claimed_by(cloud, body));
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
  MHP_CO_TRY(const KeyId key, claimed_by(cloud, call.signed_claim));
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

}  // namespace

CloudService::CloudService(platform::Platform& platform, Book& book, const primitives::SigningKey& home_key,
                           HomeService* home)
    : state_(std::make_unique<State>(platform, book, home_key, home)) {}

CloudService::~CloudService() = default;

net::Service::Standing CloudService::standing(const net::Peer& peer) { return state_->standing(peer.id); }

std::vector<Book::Belonging> CloudService::belongings(const HomeId& peer) const {
  std::vector<Book::Belonging> all = state_->book.belongings(peer);
  const auto [first, last] = state_->guests.equal_range(peer);
  for (auto guest = first; guest != last; ++guest) {
    const auto member = member_of(state_->book, guest->second);
    if (member) all.push_back({guest->second.cloud, *member});
  }
  return all;
}

std::unique_ptr<net::Served> CloudService::serve(const net::Peer& peer) {
  return std::make_unique<CloudConnection>(*state_, peer);
}

}  // namespace mhp::cloud
