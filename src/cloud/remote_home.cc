// Calls of a home as requests, over connections that may be lost at any time to a computer that may say anything.
#include "cloud/remote_home.h"

#include <algorithm>
#include <optional>
#include <set>

#include "cloud/home_routes.h"
#include "wire/card.h"
#include "wire/fragment.h"
#include "wire/record.h"
#include "wire/tombstone.h"
#include "wire/vault_record.h"

namespace mhp::cloud {
namespace {

constexpr std::uint64_t kMaxHeadsBytes = 16_MiB;         // of all devices together
constexpr std::uint64_t kMaxVaultRecordsBytes = 64_MiB;  // the same
constexpr std::size_t kMaxBadRows = 1'000'000;           // reported by one scrub

/// A connection, and what has been shown on it.
struct Link {
  std::shared_ptr<net::Caller> caller;
  std::set<VaultId> sessions = {};
};
using LinkPointer = std::shared_ptr<Link>;

HomeAsk about_vault(HomeCall call, const VaultId& vault) {
  HomeAsk ask;
  ask.call = call;
  ask.vault = vault;
  return ask;
}

HomeAsk about_segment(HomeCall call, const VaultId& vault, const SegmentId& segment) {
  HomeAsk ask = about_vault(call, vault);
  ask.segment = segment;
  return ask;
}

tl::unexpected<Error> lied(const char* what) {
  return fail(Errc::invalid, Subject::home, std::string("a home answered with ") + what);
}

Result<void> without_body(Result<Bytes> reply) {
  if (!reply) return pass(reply);
  if (!reply->empty()) return lied("something where nothing was asked for");
  return {};
}

/// The record of some of the rows of another.
Bytes part_of(const wire::RecordFront& front, ByteView record, std::span<const wire::RecordRow> rows) {
  std::vector<std::uint8_t> numbers;
  for (const wire::RecordRow& row : rows) numbers.push_back(row.row);
  wire::RecordFront part =
      wire::plan_record(front.vault, front.segment, numbers, rows.front().bytes, front.signed_card.size());
  part.card_version = front.card_version;
  part.signed_card = front.signed_card;
  Bytes out(part.record_bytes);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const ByteView fragment = record.subspan(rows[i].offset, rows[i].bytes);
    std::ranges::copy(fragment, out.begin() + part.rows[i].offset);
  }
  wire::write_record_front(part, out);
  return out;
}

template <class Value>
Result<VaultId> vault_in(ByteView bytes, std::uint64_t limit_bytes, Result<Value> (*parse)(ByteView)) {
  MHP_TRY(const auto envelope, wire::parse_signed(bytes, limit_bytes));
  MHP_TRY(const Value value, parse(envelope.body));
  return value.vault;
}

class RemoteHome : public home::Home {
 public:
  RemoteHome(platform::Platform& platform, const HomeId& id, std::unique_ptr<Line> line, std::vector<VaultKey> keys,
             const RemoteLimits& limits)
      : id_(id), line_(std::move(line)), keys_(std::move(keys)), limits_(limits), opening_(platform.executor(), 1) {}

  const HomeId& id() const override { return id_; }
  Task<Result<void>> put(MutableBytes record, std::shared_ptr<void> owner) override;
  Task<Result<void>> commit() override;
  Task<Result<home::Holding>> find(SegmentId segment) override;
  Task<Result<std::pair<SegmentId, std::uint8_t>>> find_fragment(FragmentId fragment) override;
  Task<Result<home::HeldPage>> list(VaultId vault, SegmentId after, std::size_t limit) override;
  Task<Result<Bytes>> read(SegmentId segment, std::uint8_t row, std::uint64_t offset, std::uint64_t bytes) override;
  Task<Result<void>> put_vault_record(Bytes signed_record) override;
  Task<Result<std::vector<DeviceRecord>>> vault_records(VaultId vault) override;
  Task<Result<home::FormerRecords>> former_records(VaultId vault, DeviceId device) override;
  Task<Result<std::vector<VaultId>>> vaults() override;
  Task<Result<void>> put_heads(VaultId vault, DeviceId device, std::vector<Bytes> chain) override;
  Task<Result<std::vector<DeviceHeads>>> heads(VaultId vault) override;
  Task<Result<void>> put_tombstone(Bytes signed_tombstone) override;
  Task<Result<void>> put_reprieve(Bytes signed_reprieve) override;
  Task<Result<home::CollectReport>> collect() override;
  Task<Result<home::Usage>> usage() override;
  Task<Result<home::ScrubReport>> scrub(VaultId vault, unsigned percent, std::uint64_t seed) override;
  Task<Result<std::vector<BadRow>>> known_bad(VaultId vault) override;

 private:
  const VaultKey* key_of(const VaultId& vault) const;
  Task<Result<LinkPointer>> connected();
  Task<Result<LinkPointer>> any_link();
  Task<Result<LinkPointer>> link_for(VaultId vault);
  Task<Result<void>> open_session(Link& link, const VaultKey& key);
  Task<Result<Bytes>> ask(HomeAsk ask, ByteView body, std::chrono::nanoseconds limit, LinkPointer* used = nullptr);
  Task<Result<Bytes>> simply(HomeAsk ask);
  Task<Result<void>> put_part(VaultId vault, ByteView record);
  Task<Result<home::Holding>> find_in(VaultId vault, SegmentId segment);
  Task<Result<Bytes>> read_in(VaultId vault, SegmentId segment, std::uint8_t row, std::uint64_t offset,
                              std::uint64_t bytes);
  Task<Result<std::optional<std::uint8_t>>> row_of(VaultId vault, SegmentId segment, FragmentId fragment);

  const HomeId id_;
  const std::unique_ptr<Line> line_;
  const std::vector<VaultKey> keys_;
  const RemoteLimits limits_;
  platform::Semaphore opening_;  // one connection, one session at a time
  LinkPointer link_;

  /// What was put and no commit has covered.
  struct Pending {
    LinkPointer link;  // that it went over
    VaultId vault;
    bool in_doubt = false;  // some of it went over another one
  };
  std::optional<Pending> pending_;
  std::uint64_t puts_ = 0;  // that were answered
};

const VaultKey* RemoteHome::key_of(const VaultId& vault) const {
  const auto key = std::ranges::find(keys_, vault, &VaultKey::vault);
  return key == keys_.end() ? nullptr : &*key;
}

Task<Result<LinkPointer>> RemoteHome::any_link() {
  co_await opening_.take();
  const platform::Permit permit(opening_);
  co_return co_await connected();
}

/// A connection that is up. `opening_` is held.
Task<Result<LinkPointer>> RemoteHome::connected() {
  if (link_ && link_->caller->is_up()) co_return link_;
  MHP_CO_TRY(auto caller, co_await line_->reach());
  if (caller->peer().id != id_) co_return fail(Errc::denied, "another home answers in the place of " + id_.short_hex());
  link_ = std::make_shared<Link>(Link{std::move(caller)});
  co_return link_;
}

/// A connection that is up and on which `vault` may be asked about.
Task<Result<LinkPointer>> RemoteHome::link_for(VaultId vault) {
  const auto is_ready = [&] { return link_ && link_->caller->is_up() && link_->sessions.contains(vault); };
  if (is_ready()) co_return link_;
  const VaultKey* key = key_of(vault);
  if (key == nullptr) co_return fail(Errc::denied, "no key of vault " + vault.short_hex() + " to ask a home with");
  co_await opening_.take();
  const platform::Permit permit(opening_);
  if (is_ready()) co_return link_;
  MHP_CO_TRY(const LinkPointer link, co_await connected());
  MHP_CO_TRY_VOID(co_await open_session(*link, *key));
  co_return link;
}

Task<Result<void>> RemoteHome::open_session(Link& link, const VaultKey& key) {
  const wire::SessionClaim claim{key.vault, id_, link.caller->peer().exporter};
  const wire::Signed envelope = wire::sign(key.key, wire::kSignSession, wire::encode(claim));
  const wire::SessionProof proof{wire::encode(envelope), key.identity, key.certificate};
  net::Request request = to_request(about_vault(HomeCall::session, key.vault), wire::encode(proof));
  MHP_CO_TRY_VOID(without_body(co_await link.caller->call(std::move(request), limits_.answer)));
  link.sessions.insert(key.vault);
  co_return Result<void>();
}

/// `body` is borrowed till the reply. `used`: over which connection the reply came.
Task<Result<Bytes>> RemoteHome::ask(HomeAsk ask, ByteView body, std::chrono::nanoseconds limit, LinkPointer* used) {
  for (unsigned lost = 0;; ++lost) {
    auto link = co_await link_for(ask.vault);
    if (!link) co_return about(Subject::home, Result<Bytes>(pass(link)));
    net::Request request = to_request(ask, to_bytes(body));
    auto reply = co_await (*link)->caller->call(std::move(request), limit);
    const bool is_lost = !reply && reply.error().code == Errc::unavailable && !(*link)->caller->is_up();
    if (is_lost && lost < limits_.reconnects) continue;
    if (used != nullptr) *used = *link;
    co_return about(Subject::home, std::move(reply));
  }
}

Task<Result<Bytes>> RemoteHome::simply(HomeAsk what) { return ask(what, {}, limits_.answer); }

/// Rows that are too much for one request go in several: a home joins them.
Task<Result<void>> RemoteHome::put(MutableBytes record, std::shared_ptr<void> owner) {
  (void)owner;  // kept till the end: each request is given a copy of its part
  const auto front = wire::parse_record_front(record);
  if (!front) co_return fail(Errc::invalid, "put: " + front.error().detail);
  if (front->record_bytes != record.size()) co_return fail(Errc::invalid, "put: a record of another length");
  if (record.size() <= wire::kMaxPutBytes) co_return co_await put_part(front->vault, record);
  std::span<const wire::RecordRow> rows = front->rows;
  while (!rows.empty()) {
    const std::uint64_t each = rows.front().bytes;
    if (each > wire::fragment_bytes(wire::kMaxRowBytes)) co_return fail(Errc::invalid, "put: a row that is too long");
    std::size_t count = 1;
    const auto fits = [&] { return front->front_bytes + (count + 1) * (each + 64) + 4096 <= wire::kMaxPutBytes; };
    while (count < rows.size() && rows[count].bytes == each && fits()) ++count;
    const Bytes part = part_of(*front, record, rows.first(count));
    MHP_CO_TRY_VOID(co_await put_part(front->vault, part));
    rows = rows.subspan(count);
  }
  co_return Result<void>();
}

Task<Result<void>> RemoteHome::put_part(VaultId vault, ByteView record) {
  LinkPointer link;
  const HomeAsk what = about_vault(HomeCall::put, vault);
  MHP_CO_TRY_VOID(without_body(co_await ask(what, record, limits_.bulk, &link)));
  puts_ += 1;
  const bool in_doubt = pending_ && (pending_->in_doubt || pending_->link != link);
  pending_ = Pending{link, vault, in_doubt};
  co_return Result<void>();
}

/// A home that was started anew since a put has forgotten it, and would say so of none: so only the connection that a
/// put went over can make it durable.
Task<Result<void>> RemoteHome::commit() {
  if (!pending_) co_return Result<void>();
  const Pending pending = *pending_;
  const std::uint64_t puts = puts_;
  Result<void> done = fail(Errc::unavailable, Subject::home, "the connection was lost: what was put is not safe");
  if (!pending.in_doubt && pending.link->caller->is_up()) {
    net::Request request = to_request(about_vault(HomeCall::commit, pending.vault), {});
    done = without_body(co_await pending.link->caller->call(std::move(request), limits_.bulk));
  }
  if (puts == puts_) pending_.reset();
  co_return about(Subject::home, std::move(done));
}

Task<Result<home::Holding>> RemoteHome::find_in(VaultId vault, SegmentId segment) {
  MHP_CO_TRY(const Bytes reply, co_await simply(about_segment(HomeCall::find, vault, segment)));
  MHP_CO_TRY(auto held, wire::parse_held_card(reply));
  co_return home::Holding{std::move(held.signed_card), std::move(held.rows)};
}

Task<Result<home::Holding>> RemoteHome::find(SegmentId segment) {
  for (const VaultKey& key : keys_) {
    auto held = co_await find_in(key.vault, segment);
    if (held || held.error().code != Errc::not_found) co_return held;
  }
  co_return fail(Errc::not_found, "segment " + segment.short_hex() + " is not held there");
}

/// In pieces, so that a lost connection costs no more than one.
Task<Result<Bytes>> RemoteHome::read_in(VaultId vault, SegmentId segment, std::uint8_t row, std::uint64_t offset,
                                        std::uint64_t bytes) {
  HomeAsk what = about_segment(HomeCall::read, vault, segment);
  what.row = row;
  Bytes out;
  while (out.size() < bytes) {
    what.offset = offset + out.size();
    what.bytes = std::min<std::uint64_t>(bytes - out.size(), wire::kMaxReadBytes);
    MHP_CO_TRY(Bytes piece, co_await ask(what, {}, limits_.bulk));
    if (piece.size() > what.bytes) co_return lied("more bytes than were asked for");
    const bool is_last = piece.size() < what.bytes;
    if (out.empty()) {
      out = std::move(piece);
    } else {
      out.insert(out.end(), piece.begin(), piece.end());
    }
    if (is_last) break;
  }
  co_return out;
}

Task<Result<Bytes>> RemoteHome::read(SegmentId segment, std::uint8_t row, std::uint64_t offset, std::uint64_t bytes) {
  constexpr std::uint64_t kLongest = wire::fragment_bytes(wire::kMaxRowBytes);
  if (row >= wire::kMaxRows || offset > kLongest) co_return fail(Errc::invalid, "read behind the end of a fragment");
  const std::uint64_t wanted = std::min(bytes, kLongest);
  for (const VaultKey& key : keys_) {
    auto read = co_await read_in(key.vault, segment, row, offset, wanted);
    if (read || read.error().code != Errc::not_found) co_return read;
  }
  co_return fail(Errc::not_found, "segment " + segment.short_hex() + " is not held there");
}

Task<Result<home::HeldPage>> RemoteHome::list(VaultId vault, SegmentId after, std::size_t limit) {
  HomeAsk what = about_segment(HomeCall::list, vault, after);
  what.limit = std::clamp<std::size_t>(limit, 1, wire::kMaxPageSegments);
  MHP_CO_TRY(const Bytes reply, co_await simply(what));
  MHP_CO_TRY(auto page, wire::parse_held_page(reply));
  if (page.segments.size() > what.limit || (!page.segments.empty() && page.segments.front().segment <= after))
    co_return lied("segments that were not asked for");
  home::HeldPage out{.segments = {}, .more = page.more};
  out.segments.reserve(page.segments.size());
  for (auto& held : page.segments)
    out.segments.push_back({held.segment, held.card_version, std::move(held.rows), held.condemned});
  co_return out;
}

/// Which of the held rows of a segment a fragment is.
Task<Result<std::optional<std::uint8_t>>> RemoteHome::row_of(VaultId vault, SegmentId segment, FragmentId fragment) {
  const auto held = co_await find_in(vault, segment);
  if (!held && held.error().code != Errc::not_found && held.error().code != Errc::corrupt)
    co_return tl::unexpected<Error>(held.error());
  if (!held) co_return std::nullopt;
  const auto envelope = wire::parse_signed(held->signed_card, wire::kMaxCardBytes);
  if (!envelope) co_return std::nullopt;
  const auto card = wire::parse_card(envelope->body);
  if (!card || card->segment != segment) co_return std::nullopt;
  for (const std::uint8_t row : held->rows) {
    if (row < card->n() && card->fragments[row] == fragment) co_return row;
  }
  co_return std::nullopt;
}

Task<Result<std::pair<SegmentId, std::uint8_t>>> RemoteHome::find_fragment(FragmentId fragment) {
  for (const VaultKey& key : keys_) {
    SegmentId after;
    for (bool more = true; more;) {
      MHP_CO_TRY(const home::HeldPage page, co_await list(key.vault, after, wire::kMaxPageSegments));
      for (const home::HeldSegment& held : page.segments) {
        MHP_CO_TRY(const auto row, co_await row_of(key.vault, held.segment, fragment));
        if (row) co_return std::pair(held.segment, *row);
      }
      more = page.more;
      if (more) after = page.segments.back().segment;
    }
  }
  co_return fail(Errc::not_found, "fragment " + fragment.short_hex() + " is not held there");
}

Task<Result<void>> RemoteHome::put_vault_record(Bytes signed_record) {
  MHP_CO_TRY(const VaultId vault, vault_in(signed_record, wire::kMaxVaultRecordBytes, wire::parse_vault_record));
  const HomeAsk what = about_vault(HomeCall::put_vault_record, vault);
  auto done = without_body(co_await ask(what, signed_record, limits_.answer));
  if (done || done.error().code != Errc::denied || key_of(vault) == nullptr) co_return done;
  // It may not know this device yet. What it may say then is that very record.
  MHP_CO_TRY(const LinkPointer link, co_await any_link());
  net::Request request = to_request(what, std::move(signed_record));
  done = without_body(co_await link->caller->call(std::move(request), limits_.answer));
  co_return about(Subject::home, std::move(done));
}

Task<Result<std::vector<home::Home::DeviceRecord>>> RemoteHome::vault_records(VaultId vault) {
  std::vector<DeviceRecord> out;
  std::uint64_t bytes = 0;
  HomeAsk what = about_vault(HomeCall::vault_records, vault);
  for (bool more = true; more;) {
    MHP_CO_TRY(const Bytes reply, co_await ask(what, {}, limits_.bulk));
    MHP_CO_TRY(auto page, wire::parse_vault_records_page(reply));
    bytes += reply.size();
    if (!page.devices.empty() && page.devices.front().device <= what.device)
      co_return lied("vault records that it gave before");
    if (out.size() + page.devices.size() > wire::kMaxDevices || bytes > kMaxVaultRecordsBytes)
      co_return lied("too many vault records");
    for (auto& one : page.devices) out.push_back({one.device, std::move(one.signed_record)});
    more = page.more;
    if (more) what.device = out.back().device;
  }
  if (out.empty()) co_return fail(Errc::not_found, "no vault record of " + vault.short_hex() + " is held there");
  co_return out;
}

Task<Result<home::FormerRecords>> RemoteHome::former_records(VaultId vault, DeviceId device) {
  home::FormerRecords out;
  HomeAsk what = about_vault(HomeCall::former_record, vault);
  what.device = device;
  for (bool more = true; more; ++what.number) {
    if (what.number == wire::kMaxFormerRecords) co_return lied("too many former records");
    MHP_CO_TRY(const Bytes reply, co_await simply(what));
    MHP_CO_TRY(auto one, wire::parse_former_record_reply(reply));
    out.since_s = one.since_s;
    out.records.push_back({std::move(one.signed_record), one.taken_s, one.replaced_s});
    more = one.more;
  }
  co_return out;
}

Task<Result<std::vector<VaultId>>> RemoteHome::vaults() {
  std::vector<VaultId> out;
  for (const VaultKey& key : keys_) {
    const auto records = co_await vault_records(key.vault);
    if (records) out.push_back(key.vault);
    if (!records && records.error().code != Errc::not_found) co_return tl::unexpected<Error>(records.error());
  }
  std::ranges::sort(out);
  co_return out;
}

Task<Result<void>> RemoteHome::put_heads(VaultId vault, DeviceId device, std::vector<Bytes> chain) {
  if (chain.empty() || chain.size() > wire::kMaxChainHeads)
    co_return fail(Errc::invalid, "number of heads in the chain");
  for (const Bytes& head : chain) {
    if (head.size() > wire::kMaxHeadBytes) co_return fail(Errc::invalid, "a head that is too long");
  }
  HomeAsk what = about_vault(HomeCall::put_heads, vault);
  what.device = device;
  const Bytes body = wire::encode(wire::HeadChain{std::move(chain)});
  co_return without_body(co_await ask(what, body, limits_.answer));
}

Task<Result<std::vector<home::Home::DeviceHeads>>> RemoteHome::heads(VaultId vault) {
  std::vector<DeviceHeads> out;
  std::uint64_t bytes = 0;
  HomeAsk what = about_vault(HomeCall::heads, vault);
  for (bool more = true; more;) {
    MHP_CO_TRY(const Bytes reply, co_await simply(what));
    MHP_CO_TRY(auto page, wire::parse_heads_page(reply));
    bytes += reply.size();
    if (!page.devices.empty() && page.devices.front().device <= what.device)
      co_return lied("heads that it gave before");
    if (out.size() + page.devices.size() > wire::kMaxDevices || bytes > kMaxHeadsBytes)
      co_return lied("too many heads");
    for (auto& one : page.devices) out.push_back({one.device, std::move(one.heads), std::move(one.received_s)});
    more = page.more;
    if (more) what.device = out.back().device;
  }
  co_return out;
}

Task<Result<void>> RemoteHome::put_tombstone(Bytes signed_tombstone) {
  MHP_CO_TRY(const VaultId vault, vault_in(signed_tombstone, wire::kMaxTombstoneBytes, wire::parse_tombstone));
  const HomeAsk what = about_vault(HomeCall::tombstone, vault);
  co_return without_body(co_await ask(what, signed_tombstone, limits_.answer));
}

Task<Result<void>> RemoteHome::put_reprieve(Bytes signed_reprieve) {
  MHP_CO_TRY(const VaultId vault, vault_in(signed_reprieve, wire::kMaxTombstoneBytes, wire::parse_reprieve));
  const HomeAsk what = about_vault(HomeCall::reprieve, vault);
  co_return without_body(co_await ask(what, signed_reprieve, limits_.answer));
}

Task<Result<home::CollectReport>> RemoteHome::collect() {
  if (keys_.empty()) co_return fail(Errc::denied, "no key of any vault to ask a home with");
  MHP_CO_TRY_VOID(co_await commit());
  const HomeAsk what = about_vault(HomeCall::collect, keys_.front().vault);
  MHP_CO_TRY(const Bytes reply, co_await ask(what, {}, limits_.work));
  MHP_CO_TRY(const auto result, wire::parse_collect_result(reply));
  home::CollectReport report{result.segments_purged, result.bytes_freed, result.condemned_segments,
                             result.waiting_bytes,   result.next_due_ns, {}};
  if (result.problems > 0)
    report.problems.push_back("home " + id_.short_hex() + " says that it could not give back everything");
  co_return report;
}

Task<Result<home::Usage>> RemoteHome::usage() {
  home::Usage sum;
  sum.free_bytes = keys_.empty() ? 0 : UINT64_MAX;
  for (const VaultKey& key : keys_) {
    MHP_CO_TRY(const Bytes reply, co_await simply(about_vault(HomeCall::usage, key.vault)));
    MHP_CO_TRY(const auto usage, wire::parse_vault_usage(reply));
    sum.used_bytes += usage.used_bytes;
    sum.free_bytes = std::min(sum.free_bytes, usage.free_bytes);
    sum.condemned_bytes += usage.condemned_bytes;
    if (usage.next_due_ns) sum.next_due_ns = std::min(sum.next_due_ns.value_or(INT64_MAX), *usage.next_due_ns);
  }
  co_return sum;
}

Task<Result<home::ScrubReport>> RemoteHome::scrub(VaultId vault, unsigned percent, std::uint64_t seed) {
  HomeAsk what = about_vault(HomeCall::scrub, vault);
  what.percent = std::min(percent, 100U);
  what.seed = seed;
  home::ScrubReport sum;
  for (bool more = true; more;) {
    MHP_CO_TRY(const Bytes reply, co_await ask(what, {}, limits_.work));
    MHP_CO_TRY(const auto part, wire::parse_scrub_result(reply));
    sum.rows += part.rows;
    sum.bytes += part.bytes;
    sum.bad.insert(sum.bad.end(), part.bad.begin(), part.bad.end());
    if (part.more && part.last <= what.segment) co_return lied("a part of a scrub that it gave before");
    if (sum.bad.size() > kMaxBadRows) co_return lied("too many bad rows");
    what.segment = part.last;
    more = part.more;
  }
  co_return sum;
}

/// A home that does not know the question has none to tell of.
Task<Result<std::vector<home::Home::BadRow>>> RemoteHome::known_bad(VaultId vault) {
  HomeAsk what = about_vault(HomeCall::known_bad, vault);
  std::vector<BadRow> out;
  for (bool more = true; more;) {
    const auto reply = co_await simply(what);
    if (!reply && reply.error().code == Errc::not_found) co_return out;
    if (!reply) co_return tl::unexpected<Error>(reply.error());
    MHP_CO_TRY(const auto page, wire::parse_scrub_result(*reply));
    const bool is_new = page.bad.empty() || page.bad.front().first > what.segment;
    if (!std::ranges::is_sorted(page.bad) || !is_new || (page.more && page.last <= what.segment))
      co_return lied("bad rows that it gave before");
    out.insert(out.end(), page.bad.begin(), page.bad.end());
    if (out.size() > kMaxBadRows) co_return lied("too many bad rows");
    what.segment = page.last;
    more = page.more;
  }
  co_return out;
}

}  // namespace

std::unique_ptr<home::Home> make_remote_home(platform::Platform& platform, const HomeId& id, std::unique_ptr<Line> line,
                                             std::vector<VaultKey> keys, const RemoteLimits& limits) {
  return std::make_unique<RemoteHome>(platform, id, std::move(line), std::move(keys), limits);
}

}  // namespace mhp::cloud
