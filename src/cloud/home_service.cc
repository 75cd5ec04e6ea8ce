// Requests to calls of the home: who asks is looked at first, then how much, and then it is done.
#include "cloud/home_service.h"

#include <algorithm>
#include <map>

#include "wire/record.h"
#include "wire/tombstone.h"
#include "wire/vault_record.h"

namespace mhp::cloud {

struct HomeService::State {
  State(platform::Platform& machine, home::SharedHome& served, Lending rules)
      : platform(machine),
        home(served),
        lending(std::move(rules)),
        puts(machine.executor(), lending.puts_at_once),
        scrubs(machine.executor(), 1) {}

  Task<Result<HeldSpeakers>> speakers(VaultId vault);

  platform::Platform& platform;
  home::SharedHome& home;
  const Lending lending;
  platform::Semaphore puts;
  platform::Semaphore scrubs;
  std::map<VaultId, std::uint64_t> arriving_bytes;  // of records that are being put
  std::map<HomeId, std::size_t> known;              // connections that speak for a vault that is held
  bool collecting = false;
  std::optional<std::chrono::nanoseconds> collected;  // when the last one ended

  struct Remembered {
    std::uint64_t record_changes = 0;
    HeldSpeakers speakers;
  };
  std::map<VaultId, Remembered> remembered;
};

/// Who speaks for a vault by the records that are held; null where none is. Remembered until one may have changed.
Task<Result<HeldSpeakers>> HomeService::State::speakers(VaultId vault) {
  constexpr std::size_t kMaxRemembered = 256;
  const std::uint64_t changes = home.record_changes();  // before it is read: what is newer counts as not remembered
  const auto before = remembered.find(vault);
  if (before != remembered.end() && before->second.record_changes == changes) co_return before->second.speakers;
  const auto records = co_await home.vault_records(vault);
  const bool is_unknown = records ? records->empty() : records.error().code == Errc::not_found;
  if (is_unknown) co_return HeldSpeakers();
  if (!records) co_return tl::unexpected<Error>(records.error());
  auto held = std::make_shared<const home::Speakers>(home::speakers_of(vault, *records));
  if (remembered.size() >= kMaxRemembered) remembered.clear();
  remembered[vault] = {changes, held};
  co_return held;
}

namespace {

/// Counts while it lives.
class Counted {
 public:
  Counted(std::map<VaultId, std::uint64_t>& in, const VaultId& vault, std::uint64_t bytes)
      : in_(in), vault_(vault), bytes_(bytes) {
    in_[vault_] += bytes_;
  }
  ~Counted() {
    if ((in_[vault_] -= bytes_) == 0) in_.erase(vault_);
  }
  Counted(const Counted&) = delete;
  Counted& operator=(const Counted&) = delete;

 private:
  std::map<VaultId, std::uint64_t>& in_;
  const VaultId vault_;
  const std::uint64_t bytes_;
};

/// True while it lives.
class Flag {
 public:
  explicit Flag(bool& flag) : flag_(flag) { flag_ = true; }
  ~Flag() { flag_ = false; }
  Flag(const Flag&) = delete;
  Flag& operator=(const Flag&) = delete;

 private:
  bool& flag_;
};

std::uint64_t longest_body(HomeCall call) {
  switch (call) {
    case HomeCall::session:
      return wire::kMaxSessionProofBytes;
    case HomeCall::put_vault_record:
      return wire::kMaxVaultRecordBytes;
    case HomeCall::put_heads:
      return wire::kMaxChainHeads * (wire::kMaxHeadBytes + 4) + 64;
    case HomeCall::tombstone:
    case HomeCall::reprieve:
      return wire::kMaxTombstoneBytes;
    case HomeCall::put:
      return wire::kMaxPutBytes;
    default:
      return 0;
  }
}

Result<Bytes> empty_or(Result<void> done) {
  if (!done) return pass(done);
  return Bytes();
}

/// Devices after `after`, as many as fit a page; one always does.
wire::HeadsPage page_of(std::vector<home::Home::DeviceHeads> all, const DeviceId& after) {
  constexpr std::uint64_t kOverhead = 64;
  std::ranges::sort(all, {}, &home::Home::DeviceHeads::device);
  wire::HeadsPage page;
  std::uint64_t bytes = kOverhead;
  std::size_t heads = 0;
  for (auto& one : all) {
    if (one.device <= after) continue;
    std::uint64_t more_bytes = kOverhead;
    for (const Bytes& head : one.chain) more_bytes += head.size() + kOverhead;
    const bool fits = bytes + more_bytes <= wire::kMaxHeadsPageBytes && heads + one.chain.size() <= wire::kMaxPageHeads;
    if (!page.devices.empty() && (!fits || page.devices.size() == wire::kMaxDevices)) {
      page.more = true;
      break;
    }
    bytes += more_bytes;
    heads += one.chain.size();
    page.devices.push_back({one.device, std::move(one.chain), std::move(one.received_s)});
  }
  return page;
}

/// The same of vault records.
wire::VaultRecordsPage page_of(std::vector<home::Home::DeviceRecord> all, const DeviceId& after) {
  constexpr std::uint64_t kOverhead = 64;
  std::ranges::sort(all, {}, &home::Home::DeviceRecord::device);
  wire::VaultRecordsPage page;
  std::uint64_t bytes = kOverhead;
  for (auto& one : all) {
    if (one.device <= after) continue;
    bytes += one.signed_record.size() + kOverhead;
    const bool fits = bytes <= wire::kMaxRecordsPageBytes && page.devices.size() < wire::kMaxDevices;
    if (!page.devices.empty() && !fits) {
      page.more = true;
      break;
    }
    page.devices.push_back({one.device, std::move(one.signed_record)});
  }
  return page;
}

/// One connection.
class HomeConnection : public net::Served {
 public:
  HomeConnection(HomeService::State& state, net::Peer peer) : state_(state), peer_(std::move(peer)) {}
  ~HomeConnection() override {
    if (is_known_ && --state_.known[peer_.id] == 0) state_.known.erase(peer_.id);
  }

  Task<net::Reply> answer(net::Request request) override {
    auto body = co_await ask(std::move(request));
    if (!body) co_return net::error_reply(body.error());
    co_return net::Reply{200, std::move(*body)};
  }

 private:
  Task<Result<Bytes>> ask(net::Request request) {
    MHP_CO_TRY(const HomeAsk asked, parse_ask(request.method, request.path));
    if (request.body.size() > longest_body(asked.call)) co_return fail(Errc::invalid, "the request is too long");
    MHP_CO_TRY(const HeldSpeakers held, co_await state_.speakers(asked.vault));
    const auto proved = sessions_.find(asked.vault);
    Shown shown{.computer = state_.lending.who(peer_), .speaks = false};
    shown.speaks = proved != sessions_.end() && speaks(proved->second, asked.vault, held);
    MHP_CO_TRY_VOID(may(shown, asked.call));
    const bool is_member = shown.computer == Who::member;
    if (asked.call == HomeCall::session) co_return open_session(asked, request.body, held, is_member);
    co_return co_await perform(asked, std::move(request.body));
  }

  Task<Result<Bytes>> perform(HomeAsk ask, Bytes body);
  Task<Result<Bytes>> perform_rare(HomeAsk ask, Bytes body);
  Result<Bytes> open_session(const HomeAsk& ask, ByteView body, const HeldSpeakers& held, bool is_member);
  Task<Result<Bytes>> vault_records(HomeAsk ask);
  Task<Result<Bytes>> put_vault_record(HomeAsk ask, Bytes body);
  Task<Result<Bytes>> former_record(HomeAsk ask);
  Task<Result<Bytes>> put_heads(HomeAsk ask, Bytes body);
  Task<Result<Bytes>> heads(HomeAsk ask);
  Task<Result<Bytes>> condemn(HomeAsk ask, Bytes body);
  Task<Result<Bytes>> list(HomeAsk ask);
  Task<Result<Bytes>> find(HomeAsk ask);
  Task<Result<Bytes>> put(HomeAsk ask, Bytes body);
  Task<Result<void>> check_quota(const wire::RecordFront& front);
  Task<Result<std::uint64_t>> used_with(VaultId vault);
  tl::unexpected<Error> lends_nothing() const;
  Task<Result<Bytes>> commit();
  Task<Result<Bytes>> collect();
  Task<Result<Bytes>> usage(HomeAsk ask);
  Task<Result<Bytes>> scrub(HomeAsk ask);

  HomeService::State& state_;
  const net::Peer peer_;
  std::map<VaultId, primitives::PublicKey> sessions_;  // who has proved to be asking
  bool is_known_ = false;
  std::uint64_t puts_ = 0;                  // that were answered
  std::optional<std::uint64_t> put_since_;  // losses of the home before the first put that no commit has covered
};

Task<Result<Bytes>> HomeConnection::perform(HomeAsk ask, Bytes body) {
  switch (ask.call) {
    case HomeCall::list:
      co_return co_await list(ask);
    case HomeCall::find:
      co_return co_await find(ask);
    case HomeCall::read:
      co_return co_await state_.home.read_of(ask.vault, ask.segment, ask.row, ask.offset, ask.bytes);
    case HomeCall::put:
      co_return co_await put(ask, std::move(body));
    case HomeCall::commit:
      co_return co_await commit();
    default:
      co_return co_await perform_rare(ask, std::move(body));
  }
}

Task<Result<Bytes>> HomeConnection::perform_rare(HomeAsk ask, Bytes body) {
  switch (ask.call) {
    case HomeCall::vault_records:
      co_return co_await vault_records(ask);
    case HomeCall::put_vault_record:
      co_return co_await put_vault_record(ask, std::move(body));
    case HomeCall::former_record:
      co_return co_await former_record(ask);
    case HomeCall::heads:
      co_return co_await heads(ask);
    case HomeCall::put_heads:
      co_return co_await put_heads(ask, std::move(body));
    case HomeCall::tombstone:
    case HomeCall::reprieve:
      co_return co_await condemn(ask, std::move(body));
    case HomeCall::collect:
      co_return co_await collect();
    case HomeCall::usage:
      co_return co_await usage(ask);
    case HomeCall::scrub:
      co_return co_await scrub(ask);
    case HomeCall::known_bad:
      co_return wire::encode(state_.lending.known_bad ? state_.lending.known_bad(ask.vault, ask.segment)
                                                      : wire::ScrubResult{});
    default:
      co_return fail(Errc::not_found, "no such path");
  }
}

Result<Bytes> HomeConnection::open_session(const HomeAsk& ask, ByteView body, const HeldSpeakers& held,
                                           bool is_member) {
  MHP_TRY(const wire::SessionProof proof, wire::parse_session_proof(body));
  const wire::SessionClaim here{ask.vault, state_.home.id(), peer_.exporter};
  MHP_TRY(const primitives::PublicKey key, prove_session(proof, here, held));
  if (held == nullptr && !is_member) return fail(Errc::not_found, "nothing of this vault is held here");
  if (!sessions_.contains(ask.vault) && sessions_.size() == wire::kMaxSessionVaults)
    return fail(Errc::invalid, "this connection acts for too many vaults");
  sessions_[ask.vault] = key;
  if (held != nullptr && !std::exchange(is_known_, true)) state_.known[peer_.id] += 1;
  return Bytes();
}

Task<Result<Bytes>> HomeConnection::vault_records(HomeAsk ask) {
  MHP_CO_TRY(auto all, co_await state_.home.vault_records(ask.vault));
  co_return wire::encode(page_of(std::move(all), ask.device));
}

Task<Result<Bytes>> HomeConnection::put_vault_record(HomeAsk ask, Bytes body) {
  MHP_CO_TRY(const auto envelope, wire::parse_signed(body, wire::kMaxVaultRecordBytes));
  MHP_CO_TRY(const auto record, wire::parse_vault_record(envelope.body));
  if (record.vault != ask.vault) co_return fail(Errc::denied, "a record of another vault");
  MHP_CO_TRY(const HeldSpeakers held, co_await state_.speakers(ask.vault));
  if (held == nullptr && state_.lending.quota_bytes(peer_, ask.vault) == 0) co_return lends_nothing();
  co_return empty_or(co_await state_.home.put_vault_record(std::move(body)));
}

Task<Result<Bytes>> HomeConnection::former_record(HomeAsk ask) {
  MHP_CO_TRY(auto former, co_await state_.home.former_records(ask.vault, ask.device));
  if (ask.number >= former.records.size()) co_return fail(Errc::not_found, "no such former record is held here");
  home::FormerRecords::One& one = former.records[ask.number];
  const bool more = ask.number + 1 < former.records.size();
  co_return wire::encode(
      wire::FormerRecordReply{std::move(one.signed_record), one.taken_s, one.replaced_s, former.since_s, more});
}

Task<Result<Bytes>> HomeConnection::heads(HomeAsk ask) {
  MHP_CO_TRY(auto all, co_await state_.home.heads(ask.vault));
  co_return wire::encode(page_of(std::move(all), ask.device));
}

Task<Result<Bytes>> HomeConnection::put_heads(HomeAsk ask, Bytes body) {
  MHP_CO_TRY(wire::HeadChain chain, wire::parse_head_chain(body));
  co_return empty_or(co_await state_.home.put_heads(ask.vault, ask.device, std::move(chain.heads)));
}

Task<Result<Bytes>> HomeConnection::condemn(HomeAsk ask, Bytes body) {
  MHP_CO_TRY(const auto envelope, wire::parse_signed(body, wire::kMaxTombstoneBytes));
  VaultId named;
  if (ask.call == HomeCall::tombstone) {
    MHP_CO_TRY(const auto tombstone, wire::parse_tombstone(envelope.body));
    named = tombstone.vault;
  } else {
    MHP_CO_TRY(const auto reprieve, wire::parse_reprieve(envelope.body));
    named = reprieve.vault;
  }
  if (named != ask.vault) co_return fail(Errc::denied, "a tombstone or reprieve of another vault");
  if (ask.call == HomeCall::tombstone) {
    const Lending& lending = state_.lending;
    if (lending.note_owner) {
      MHP_CO_TRY_VOID(lending.note_owner(peer_, ask.vault));
    }
    const std::uint64_t least_s = lending.least_hold_s ? lending.least_hold_s(ask.vault) : 0;
    co_return empty_or(co_await state_.home.condemn(std::move(body), least_s));
  }
  co_return empty_or(co_await state_.home.put_reprieve(std::move(body)));
}

Task<Result<Bytes>> HomeConnection::list(HomeAsk ask) {
  MHP_CO_TRY(auto held, co_await state_.home.list(ask.vault, ask.segment, ask.limit));
  wire::HeldPage page{.segments = {}, .more = held.more};
  for (home::HeldSegment& one : held.segments)
    page.segments.push_back({one.segment, one.card_version, std::move(one.rows), one.condemned});
  co_return wire::encode(page);
}

Task<Result<Bytes>> HomeConnection::find(HomeAsk ask) {
  MHP_CO_TRY(auto held, co_await state_.home.find_of(ask.vault, ask.segment));
  co_return wire::encode(wire::HeldCard{std::move(held.signed_card), std::move(held.rows)});
}

tl::unexpected<Error> HomeConnection::lends_nothing() const {
  const std::string why = state_.lending.why_nothing ? state_.lending.why_nothing(peer_) : "";
  return fail(Errc::denied, "this home lends this vault nothing" + (why.empty() ? "" : ": " + why));
}

/// Bytes of a vault's records and of those that count with it, with what is under way.
Task<Result<std::uint64_t>> HomeConnection::used_with(VaultId vault) {
  std::vector<VaultId> all = {vault};
  if (state_.lending.counted_with)
    std::ranges::copy(state_.lending.counted_with(peer_, vault), std::back_inserter(all));
  std::uint64_t used = 0;
  for (const VaultId& one : all) {
    MHP_CO_TRY(const auto usage, co_await state_.home.usage_of(one));
    const auto arriving = state_.arriving_bytes.find(one);
    used += usage.used_bytes + (arriving == state_.arriving_bytes.end() ? 0 : arriving->second);
  }
  co_return used;
}

/// What is put again takes no space, also where there is none left. Errors: full, denied.
Task<Result<void>> HomeConnection::check_quota(const wire::RecordFront& front) {
  const std::uint64_t quota_bytes = state_.lending.quota_bytes(peer_, front.vault);
  if (quota_bytes == 0) co_return lends_nothing();
  if (state_.lending.note_owner) {
    MHP_CO_TRY_VOID(state_.lending.note_owner(peer_, front.vault));
  }
  MHP_CO_TRY(const std::uint64_t used, co_await used_with(front.vault));
  if (used + front.record_bytes <= quota_bytes) co_return Result<void>();
  const auto held = co_await state_.home.find_of(front.vault, front.segment);
  const auto is_held = [&](const wire::RecordRow& row) { return std::ranges::binary_search(held->rows, row.row); };
  if (held && held->signed_card == front.signed_card && std::ranges::all_of(front.rows, is_held))
    co_return Result<void>();
  co_return fail(Errc::full, "its owner has " + std::to_string(used) + " of " + std::to_string(quota_bytes) +
                                 " bytes that this home lends to one member");
}

Task<Result<Bytes>> HomeConnection::put(HomeAsk ask, Bytes body) {
  const auto parsed = wire::parse_record_front(body);
  if (!parsed) co_return fail(Errc::invalid, parsed.error().detail);
  const wire::RecordFront& front = *parsed;
  if (front.record_bytes != body.size()) co_return fail(Errc::invalid, "a record of another length");
  if (front.vault != ask.vault) co_return fail(Errc::denied, "a record of another vault");
  co_await state_.puts.take();
  const platform::Permit permit(state_.puts);
  MHP_CO_TRY_VOID(co_await check_quota(front));
  const Counted counted(state_.arriving_bytes, front.vault, front.record_bytes);
  auto record = std::make_shared<AlignedBuffer>(body.size());
  std::ranges::copy(body, record->bytes().begin());
  Bytes().swap(body);
  const std::uint64_t losses = state_.home.losses();
  const MutableBytes bytes = record->bytes();
  MHP_CO_TRY_VOID(co_await state_.home.put(bytes, std::move(record)));
  if (state_.lending.was_put) state_.lending.was_put(front);
  puts_ += 1;
  put_since_ = std::min(put_since_.value_or(losses), losses);
  co_return Bytes();
}

/// The home's commit is for all who put. Where one that another asked for has failed since, what was put here is gone,
/// though this one may go well. A commit that is given up has told nobody: the next one looks again.
Task<Result<Bytes>> HomeConnection::commit() {
  const std::uint64_t puts = puts_;
  const auto done = co_await state_.home.commit();
  const bool is_lost = put_since_ && *put_since_ != state_.home.losses();
  if (puts == puts_) put_since_.reset();
  if (!done) co_return tl::unexpected<Error>(done.error());
  if (is_lost) co_return fail(Errc::unavailable, "a commit has failed: nothing since the last good one is kept");
  co_return Bytes();
}

Task<Result<Bytes>> HomeConnection::collect() {
  const auto now = [this] { return state_.platform.clock().steady(); };
  const bool is_soon = state_.collected && now() - *state_.collected < state_.lending.between_collects;
  if (state_.collecting || is_soon) co_return fail(Errc::busy, "this home has collected just now, or does");
  const Flag collecting(state_.collecting);
  MHP_CO_TRY(const auto report, co_await state_.home.collect());
  state_.collected = now();
  const wire::CollectResult result{report.segments_purged,    report.bytes_freed,
                                   report.condemned_segments, report.waiting_bytes,
                                   report.next_due_ns,        static_cast<std::uint32_t>(report.problems.size())};
  co_return wire::encode(result);
}

Task<Result<Bytes>> HomeConnection::usage(HomeAsk ask) {
  MHP_CO_TRY(const auto usage, co_await state_.home.usage_of(ask.vault));
  const std::uint64_t quota_bytes = state_.lending.quota_bytes(peer_, ask.vault);
  MHP_CO_TRY(const std::uint64_t used, co_await used_with(ask.vault));
  const std::uint64_t left = quota_bytes - std::min(quota_bytes, used);
  const wire::VaultUsage answer{usage.used_bytes, std::min(usage.free_bytes, left), usage.condemned_bytes,
                                usage.next_due_ns};
  co_return wire::encode(answer);
}

Task<Result<Bytes>> HomeConnection::scrub(HomeAsk ask) {
  co_await state_.scrubs.take();
  const platform::Permit permit(state_.scrubs);
  const auto percent = static_cast<unsigned>(ask.percent);
  auto scrubbing = state_.home.scrub_some(ask.vault, ask.segment, wire::kMaxScrubSegments, percent, ask.seed);
  MHP_CO_TRY(auto page, co_await std::move(scrubbing));
  co_return wire::encode(
      wire::ScrubResult{page.report.rows, page.report.bytes, std::move(page.report.bad), page.last, page.more});
}

}  // namespace

HomeService::HomeService(platform::Platform& platform, home::SharedHome& home, Lending lending)
    : state_(std::make_unique<State>(platform, home, std::move(lending))) {}

HomeService::~HomeService() = default;

std::unique_ptr<net::Served> HomeService::serve(const net::Peer& peer) {
  return std::make_unique<HomeConnection>(*state_, peer);
}

bool HomeService::is_known(const HomeId& peer) const { return state_->known.contains(peer); }

}  // namespace mhp::cloud
