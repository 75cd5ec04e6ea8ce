// The rules of vault records and heads, with every signature checked.
#include "home/impl/vault_rules.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "wire/head.h"
#include "wire/signed.h"

namespace mhp::home::impl {
namespace {

constexpr std::size_t kMaxChain = 4096;  // heads in one call

/// What the identity key signed under `context`. Errors: denied, invalid.
Result<Bytes> signed_by(const primitives::PublicKey& key, ByteView bytes, std::string_view context) {
  MHP_TRY(wire::Signed envelope, wire::parse_signed(bytes, wire::kMaxCertificateBytes));
  if (envelope.signer != key || !wire::verify(envelope, context))
    return fail(Errc::denied, "a statement in the vault record is not signed by its identity");
  return std::move(envelope.body);
}

Result<void> read_statements(ProvenRecord& proven) {
  const wire::VaultRecord& record = proven.record;
  for (const Bytes& bytes : record.devices) {
    MHP_TRY(const Bytes body, signed_by(record.identity, bytes, wire::kSignDevice));
    MHP_TRY(const wire::DeviceCertificate certificate, wire::parse_device_certificate(body));
    if (certificate.vault != record.vault) return fail(Errc::denied, "a device certificate of another vault");
    proven.devices.push_back(certificate.device);
  }
  for (const Bytes& bytes : record.revocations) {
    MHP_TRY(const Bytes body, signed_by(record.identity, bytes, wire::kSignRevocation));
    MHP_TRY(const wire::Revocation revocation, wire::parse_revocation(body));
    if (revocation.vault != record.vault) return fail(Errc::denied, "a revocation of another vault");
    proven.revocations.push_back(revocation);
  }
  return {};
}

struct ParsedHead {
  wire::Head head;
  HeadHash hash;
};

HeadHash hash_of(ByteView signed_head) { return HeadHash::from_array(primitives::blake3(signed_head)); }

Result<ParsedHead> parse_signed_head(ByteView bytes, const VaultId& vault, const DeviceId& device) {
  MHP_TRY(const wire::Signed envelope, wire::parse_signed(bytes, wire::kMaxHeadBytes));
  MHP_TRY(wire::Head head, wire::parse_head(envelope.body));
  if (head.vault != vault || head.device != device) return fail(Errc::denied, "a head of another vault or device");
  if (!std::ranges::equal(envelope.signer, device.bytes()) || !wire::verify(envelope, wire::kSignHead))
    return fail(Errc::denied, "a head that its device did not sign");
  return ParsedHead{std::move(head), hash_of(bytes)};
}

/// Seq rises; where it rises by one, each names the one before by its hash.
Result<void> check_links(const std::vector<ParsedHead>& chain) {
  const wire::Head& first = chain.front().head;
  if (first.seq == 0 || (first.seq == 1) != first.previous.is_zero())
    return fail(Errc::invalid, "head 1, and only it, has none before it");
  for (std::size_t i = 1; i < chain.size(); ++i) {
    const wire::Head& head = chain[i].head;
    if (head.seq <= chain[i - 1].head.seq) return fail(Errc::invalid, "heads that do not rise");
    if (head.seq == chain[i - 1].head.seq + 1 && head.previous != chain[i - 1].hash)
      return fail(Errc::denied, "a head that does not follow the one before it");
  }
  return {};
}

/// Nothing after the highest last good head, and in the place of a last good head one that a revocation names.
Result<void> check_revocations(const Members& members, const DeviceId& device, const std::vector<ParsedHead>& chain) {
  if (!members.is_revoked(device)) return {};
  std::set<std::pair<std::uint64_t, HeadHash>> last_good;
  for (const wire::Revocation& revocation : members.revocations) {
    if (revocation.device == device) last_good.emplace(revocation.last_good_seq, revocation.last_good);
  }
  for (const ParsedHead& entry : chain) {
    const auto same = last_good.lower_bound({entry.head.seq, HeadHash()});
    const bool is_named_place = same != last_good.end() && same->first == entry.head.seq;
    if (same == last_good.end() || (is_named_place && !last_good.contains({entry.head.seq, entry.hash})))
      return fail(Errc::denied, "device " + device.short_hex() + " is revoked: head " + std::to_string(entry.head.seq) +
                                    " is not believed");
  }
  return {};
}

/// Where heads of both are held, they must be the same; where one follows another, it must link.
Result<void> check_against_held(const std::vector<ParsedHead>& chain, const std::vector<ParsedHead>& held) {
  std::map<std::uint64_t, const ParsedHead*> by_seq;
  for (const ParsedHead& entry : held) by_seq[entry.head.seq] = &entry;
  auto at = [&](std::uint64_t seq) { return by_seq.contains(seq) ? by_seq[seq] : nullptr; };
  for (const ParsedHead& entry : chain) {
    const ParsedHead* same = at(entry.head.seq);
    const ParsedHead* before = at(entry.head.seq - 1);
    const ParsedHead* after = at(entry.head.seq + 1);
    if (same != nullptr && entry.hash != same->hash)
      return fail(Errc::denied, "a fork: another head " + std::to_string(entry.head.seq) + " is held");
    if ((before != nullptr && entry.head.previous != before->hash) ||
        (after != nullptr && after->head.previous != entry.hash))
      return fail(Errc::denied, "a fork: head " + std::to_string(entry.head.seq) + " does not link to the held one");
  }
  return {};
}

/// Homes keep no more than kMaxHeadsKept without gaps: who was away for longer is handed all there is, and the gap is
/// let pass.
Result<void> check_gap(const std::vector<ParsedHead>& chain, std::uint64_t newest_held) {
  const auto first = std::ranges::find_if(chain, [&](const auto& entry) { return entry.head.seq > newest_held; });
  if (first == chain.end() || first->head.seq == newest_held + 1) return {};
  std::size_t run = 1;
  while (run < chain.size() && chain[chain.size() - run].head.seq == chain[chain.size() - run - 1].head.seq + 1) ++run;
  if (run >= wire::kMaxHeadsKept) return {};
  return fail(Errc::invalid, "heads " + std::to_string(newest_held + 1) + " to " + std::to_string(first->head.seq - 1) +
                                 " are missing before this chain");
}

/// As far as a home may say it.
std::int64_t home_time(std::int64_t unix_s) { return std::clamp<std::int64_t>(unix_s, 0, wire::kMaxReceivedS); }

constexpr std::int64_t kHour = 60 * 60;
constexpr std::int64_t kDay = 24 * kHour;

/// Which day, or hour, since 1970.
std::int64_t number_of(std::int64_t unix_s, std::int64_t span_s) {
  return unix_s >= 0 ? unix_s / span_s : -((-unix_s + span_s - 1) / span_s);
}
std::int64_t day_of(std::int64_t unix_s) { return number_of(unix_s, kDay); }
std::int64_t hour_of(std::int64_t unix_s) { return number_of(unix_s, kHour); }

/// The newest, and of each hour and day before them the newest of it: so that many heads of one evil hour do not push
/// out the last good one.
std::vector<wire::HeldHead> thinned_out(std::map<std::uint64_t, wire::HeldHead> all) {
  constexpr std::int64_t kHours = 12;  // counted from the newest; they leave room for twenty days
  std::vector<wire::HeldHead> kept;
  std::set<std::int64_t> days;
  std::set<std::int64_t> hours;
  std::optional<std::int64_t> newest_hour;
  std::size_t newest_left = wire::kMaxHeadsKept;
  for (auto entry = all.rbegin(); entry != all.rend() && kept.size() < wire::kMaxHeadsHeld; ++entry) {
    const std::int64_t hour = hour_of(entry->second.received_s);
    const bool is_newest_of_day = days.insert(day_of(entry->second.received_s)).second;
    if (!newest_hour) newest_hour = hour;
    // What a clock that was wrong put after the newest is passed over, or it would end this for as long as it is kept.
    const bool is_near = hour <= *newest_hour && hour > *newest_hour - kHours;
    const bool is_newest_of_hour = hours.insert(hour).second && is_near;
    if (newest_left == 0 && !is_newest_of_day && !is_newest_of_hour) continue;
    if (newest_left > 0) --newest_left;
    kept.push_back(std::move(entry->second));
  }
  std::ranges::reverse(kept);
  return kept;
}

}  // namespace

void Members::join(const ProvenRecord& proven) {
  vault = proven.record.vault;
  identity = proven.record.identity;
  devices.insert(proven.devices.begin(), proven.devices.end());
  for (const wire::Revocation& revocation : proven.revocations) {
    if (std::ranges::find(revocations, revocation) == revocations.end()) revocations.push_back(revocation);
  }
}

bool Members::is_revoked(const DeviceId& device) const {
  return std::ranges::find(revocations, device, &wire::Revocation::device) != revocations.end();
}

bool Members::may_sign(const DeviceId& key) const {
  if (std::ranges::equal(key.bytes(), identity)) return true;
  return devices.contains(key) && !is_revoked(key);
}

Result<ProvenRecord> prove_record(ByteView signed_record) {
  MHP_TRY(const wire::Signed envelope, wire::parse_signed(signed_record, wire::kMaxVaultRecordBytes));
  ProvenRecord proven;
  MHP_TRY(proven.record, wire::parse_vault_record(envelope.body));
  if (proven.record.vault != wire::vault_id_of(proven.record.identity))
    return fail(Errc::denied, "a vault record whose identity is not its vault's");
  if (!wire::verify(envelope, wire::kSignVaultRecord)) return fail(Errc::denied, "a vault record with a bad signature");
  MHP_TRY_VOID(read_statements(proven));
  const DeviceId& author = proven.record.device;
  if (!std::ranges::equal(envelope.signer, author.bytes()))
    return fail(Errc::denied, "a vault record that its author did not sign");
  const bool is_certified = std::ranges::find(proven.devices, author) != proven.devices.end();
  const bool is_revoked =
      std::ranges::find(proven.revocations, author, &wire::Revocation::device) != proven.revocations.end();
  if (!is_certified || is_revoked)
    return fail(Errc::denied, "a vault record of a device that is not certified in it, or revoked");
  return proven;
}

Result<void> may_be_kept(const Members& members, const ProvenRecord* held, const ProvenRecord& next, bool is_named) {
  const DeviceId& author = next.record.device;
  if (members.is_revoked(author) && !(held == nullptr && is_named))
    return fail(Errc::denied, "device " + author.short_hex() + " is shut out");
  if (held == nullptr || wire::takes_place_of(next.record.version, held->record.version)) return {};
  return fail(Errc::invalid, "vault record " + std::to_string(next.record.version) + " of device " +
                                 author.short_hex() + " does not follow the one held, " +
                                 std::to_string(held->record.version));
}

bool is_named_by(std::span<const wire::HeldHead> heads, ByteView signed_record) {
  const RecordHash hash = RecordHash::from_array(primitives::blake3(signed_record));
  return std::ranges::any_of(heads, [&](const wire::HeldHead& one) {
    auto envelope = wire::parse_signed(one.signed_bytes, wire::kMaxHeadBytes);
    const auto head = envelope ? wire::parse_head(envelope->body) : Result<wire::Head>(pass(envelope));
    return head && head->vault_record == hash;
  });
}

void add_former(wire::FormerRecordsFile& file, Bytes held, std::int64_t now_s) {
  const std::int64_t at_s = home_time(now_s);
  const bool is_of_new_day = std::ranges::none_of(
      file.records, [&](const wire::FormerRecord& one) { return day_of(one.replaced_s) == day_of(at_s); });
  if (is_of_new_day) {
    wire::FormerRecord former{.signed_bytes = std::move(held), .taken_s = file.since_s, .replaced_s = at_s};
    // One that was in force again is as young as this day, or false ones in turn with it would push it out.
    const auto known = std::ranges::find(file.records, former.signed_bytes, &wire::FormerRecord::signed_bytes);
    if (known != file.records.end()) {
      former.taken_s = known->taken_s;
      file.records.erase(known);
    }
    file.records.push_back(std::move(former));
  }
  if (file.records.size() > wire::kMaxFormerRecords) file.records.erase(file.records.begin());
  file.since_s = at_s;
}

namespace {

template <class Value>
Result<Value> prove(const Members& members, ByteView bytes, std::string_view context,
                    Result<Value> (*parse)(ByteView)) {
  MHP_TRY(const wire::Signed envelope, wire::parse_signed(bytes, wire::kMaxTombstoneBytes));
  MHP_TRY(Value value, parse(envelope.body));
  if (value.vault != members.vault || !std::ranges::equal(envelope.signer, value.device.bytes()))
    return fail(Errc::denied, "a tombstone or reprieve of another vault or signer");
  if (!wire::verify(envelope, context)) return fail(Errc::denied, "a tombstone or reprieve with a wrong signature");
  if (!members.may_sign(value.device)) {
    return fail(Errc::denied, "a tombstone or reprieve by device " + value.device.short_hex() +
                                  ", which is not certified, or revoked");
  }
  return value;
}

template <class Value>
Result<VaultId> vault_in(ByteView bytes, Result<Value> (*parse)(ByteView)) {
  MHP_TRY(const wire::Signed envelope, wire::parse_signed(bytes, wire::kMaxTombstoneBytes));
  MHP_TRY(const Value value, parse(envelope.body));
  return value.vault;
}

}  // namespace

Result<wire::Tombstone> prove_tombstone(const Members& members, ByteView bytes) {
  return prove(members, bytes, wire::kSignTombstone, wire::parse_tombstone);
}

Result<wire::Reprieve> prove_reprieve(const Members& members, ByteView bytes) {
  return prove(members, bytes, wire::kSignReprieve, wire::parse_reprieve);
}

Result<VaultId> vault_of_tombstone(ByteView bytes) { return vault_in(bytes, wire::parse_tombstone); }
Result<VaultId> vault_of_reprieve(ByteView bytes) { return vault_in(bytes, wire::parse_reprieve); }

Result<std::vector<wire::HeldHead>> join_heads(const Members& members, const DeviceId& device,
                                               std::span<const wire::HeldHead> held, std::vector<Bytes> chain,
                                               std::int64_t now_s) {
  if (chain.empty() || chain.size() > kMaxChain) return fail(Errc::invalid, "number of heads in the chain");
  if (!members.devices.contains(device))
    return fail(Errc::denied, "device " + device.short_hex() + " is not certified here");
  std::vector<ParsedHead> parsed;
  for (const Bytes& bytes : chain) {
    MHP_TRY(ParsedHead head, parse_signed_head(bytes, members.vault, device));
    parsed.push_back(std::move(head));
  }
  MHP_TRY_VOID(check_links(parsed));
  MHP_TRY_VOID(check_revocations(members, device, parsed));
  std::vector<ParsedHead> known;
  std::map<std::uint64_t, wire::HeldHead> all;
  for (const wire::HeldHead& entry : held) {
    MHP_TRY(ParsedHead head, parse_signed_head(entry.signed_bytes, members.vault, device));
    all[head.head.seq] = entry;
    known.push_back(std::move(head));
  }
  if (!known.empty()) {
    MHP_TRY_VOID(check_against_held(parsed, known));
    MHP_TRY_VOID(check_gap(parsed, known.back().head.seq));
  }
  const std::int64_t taken_s = home_time(now_s);
  for (std::size_t i = 0; i < chain.size(); ++i)
    all.try_emplace(parsed[i].head.seq, wire::HeldHead{std::move(chain[i]), taken_s});
  return thinned_out(std::move(all));
}

}  // namespace mhp::home::impl
