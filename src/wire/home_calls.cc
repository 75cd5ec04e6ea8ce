// The messages of the home protocol to bytes and back: limits first, then columns that fit each other.
#include "wire/home_calls.h"

#include <wire/home_calls.pb.h>

#include "wire/home_log.h"
#include "wire/impl/proto.h"

namespace mhp::wire {
namespace {

constexpr std::uint64_t kSmallBytes = 512;
constexpr std::uint64_t kMaxHeldCardBytes = kMaxCardBytes + 512;
constexpr std::uint64_t kMaxHeldPageBytes = kMaxPageSegments * (32 + 5 + 2 + kMaxRows + 1) + 256;
constexpr std::uint64_t kMaxScrubBytes = kMaxScrubBad * 33 + 256;
constexpr std::uint64_t kMaxChainBytes = kMaxChainHeads * (kMaxHeadBytes + 4) + 64;

std::string row_field(const std::vector<std::uint8_t>& rows) { return std::string(rows.begin(), rows.end()); }

/// Rows rise and are below kMaxRows. Errors: invalid.
Result<std::vector<std::uint8_t>> take_rows(std::string_view field, const char* what) {
  std::vector<std::uint8_t> out(field.begin(), field.end());
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (out[i] >= kMaxRows || (i > 0 && out[i] <= out[i - 1])) return impl::bad(what, "its rows do not rise");
  }
  return out;
}

/// At most `limit` rising ids, one after the other. Errors: invalid.
template <class IdType>
Result<std::vector<IdType>> take_ids(const std::string& column, std::size_t limit, const char* what) {
  const std::size_t count = column.size() / IdType::kSizeBytes;
  if (column.size() % IdType::kSizeBytes != 0) return impl::bad(what, "an id is not 32 bytes long");
  if (count > limit) return impl::bad(what, "too many ids");
  std::vector<IdType> out;
  out.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const auto id = impl::id_at<IdType>(column, i);
    if (i > 0 && id <= out.back()) return impl::bad(what, "its ids do not rise");
    out.push_back(id);
  }
  return out;
}

Result<Bytes> take_signed(const std::string& field, std::uint64_t limit_bytes, const char* what) {
  if (field.empty() || field.size() > limit_bytes) return impl::bad(what, "a signed part has a wrong length");
  return to_bytes(as_bytes(field));
}

}  // namespace

Bytes encode(const SessionClaim& claim) {
  auto message = impl::make<proto::SessionClaim>();
  message.set_vault(impl::to_field(claim.vault.bytes()));
  message.set_home(impl::to_field(claim.home.bytes()));
  message.set_exporter(impl::to_field(claim.exporter));
  return impl::serialize(message);
}

Result<SessionClaim> parse_session_claim(ByteView bytes) {
  const impl::Bounds bounds{.what = "session claim", .bytes = kSmallBytes};
  MHP_TRY(const auto message, impl::read<proto::SessionClaim>(bytes, bounds));
  SessionClaim out;
  MHP_TRY(out.vault, impl::take_id<VaultId>(message.vault(), bounds.what));
  MHP_TRY(out.home, impl::take_id<HomeId>(message.home(), bounds.what));
  MHP_TRY(out.exporter, impl::take_array<32>(message.exporter(), bounds.what));
  return out;
}

Bytes encode(const SessionProof& proof) {
  auto message = impl::make<proto::SessionProof>();
  message.set_claim(impl::to_field(proof.signed_claim));
  message.set_identity(impl::to_field(proof.identity));
  message.set_certificate(impl::to_field(proof.certificate));
  return impl::serialize(message);
}

Result<SessionProof> parse_session_proof(ByteView bytes) {
  const impl::Bounds bounds{.what = "session proof", .bytes = kMaxSessionProofBytes};
  MHP_TRY(const auto message, impl::read<proto::SessionProof>(bytes, bounds));
  SessionProof out;
  MHP_TRY(out.signed_claim, take_signed(message.claim(), kMaxCertificateBytes, bounds.what));
  MHP_TRY(out.identity, impl::take_array<32>(message.identity(), bounds.what));
  if (message.certificate().size() > kMaxCertificateBytes) return impl::bad(bounds.what, "its certificate is too long");
  out.certificate = to_bytes(as_bytes(message.certificate()));
  return out;
}

Bytes encode(const HeldCard& held) {
  auto message = impl::make<proto::HeldSegment>();
  message.set_card(impl::to_field(held.signed_card));
  message.set_rows(row_field(held.rows));
  return impl::serialize(message);
}

Result<HeldCard> parse_held_card(ByteView bytes) {
  const impl::Bounds bounds{.what = "held segment", .bytes = kMaxHeldCardBytes};
  MHP_TRY(const auto message, impl::read<proto::HeldSegment>(bytes, bounds));
  HeldCard out;
  MHP_TRY(out.signed_card, take_signed(message.card(), kMaxCardBytes, bounds.what));
  MHP_TRY(out.rows, take_rows(message.rows(), bounds.what));
  return out;
}

Bytes encode(const HeldPage& page) {
  auto message = impl::make<proto::HeldPage>();
  for (const HeldPage::Segment& held : page.segments) {
    impl::append(*message.mutable_segments(), held.segment.bytes());
    message.add_card_versions(held.card_version);
    message.add_row_counts(static_cast<std::uint32_t>(held.rows.size()));
    message.mutable_rows()->append(row_field(held.rows));
    message.mutable_condemned()->push_back(held.condemned ? '\1' : '\0');
  }
  message.set_more(page.more);
  return impl::serialize(message);
}

Result<HeldPage> parse_held_page(ByteView bytes) {
  const impl::Bounds bounds{.what = "held page", .bytes = kMaxHeldPageBytes, .fields = 2 * kMaxPageSegments + 16};
  MHP_TRY(const auto message, impl::read<proto::HeldPage>(bytes, bounds));
  MHP_TRY(const auto ids, take_ids<SegmentId>(message.segments(), kMaxPageSegments, bounds.what));
  const bool fits = static_cast<std::size_t>(message.card_versions_size()) == ids.size() &&
                    static_cast<std::size_t>(message.row_counts_size()) == ids.size() &&
                    message.condemned().size() == ids.size();
  if (!fits) return impl::bad(bounds.what, "columns of different lengths");
  std::string_view rows = message.rows();
  HeldPage out{.segments = {}, .more = message.more()};
  out.segments.reserve(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::uint32_t count = message.row_counts(static_cast<int>(i));
    const char condemned = message.condemned()[i];
    if (count > rows.size() || condemned < 0 || condemned > 1) return impl::bad(bounds.what, "its columns do not fit");
    HeldPage::Segment held{ids[i], message.card_versions(static_cast<int>(i)), {}, condemned == 1};
    MHP_TRY(held.rows, take_rows(rows.substr(0, count), bounds.what));
    rows.remove_prefix(count);
    out.segments.push_back(std::move(held));
  }
  if (!rows.empty()) return impl::bad(bounds.what, "rows of no segment");
  if (out.more && out.segments.empty()) return impl::bad(bounds.what, "an empty page before others");
  return out;
}

Bytes encode(const VaultUsage& usage) {
  auto message = impl::make<proto::VaultUsage>();
  message.set_used_bytes(usage.used_bytes);
  message.set_free_bytes(usage.free_bytes);
  message.set_condemned_bytes(usage.condemned_bytes);
  if (usage.next_due_ns) message.set_next_due_ns(*usage.next_due_ns);
  return impl::serialize(message);
}

Result<VaultUsage> parse_vault_usage(ByteView bytes) {
  const impl::Bounds bounds{.what = "usage", .bytes = kSmallBytes};
  MHP_TRY(const auto message, impl::read<proto::VaultUsage>(bytes, bounds));
  VaultUsage out{message.used_bytes(), message.free_bytes(), message.condemned_bytes(), {}};
  if (message.has_next_due_ns()) out.next_due_ns = message.next_due_ns();
  return out;
}

Bytes encode(const CollectResult& result) {
  auto message = impl::make<proto::CollectResult>();
  message.set_segments_purged(result.segments_purged);
  message.set_bytes_freed(result.bytes_freed);
  message.set_condemned_segments(result.condemned_segments);
  message.set_waiting_bytes(result.waiting_bytes);
  if (result.next_due_ns) message.set_next_due_ns(*result.next_due_ns);
  message.set_problems(result.problems);
  return impl::serialize(message);
}

Result<CollectResult> parse_collect_result(ByteView bytes) {
  const impl::Bounds bounds{.what = "collect result", .bytes = kSmallBytes};
  MHP_TRY(const auto message, impl::read<proto::CollectResult>(bytes, bounds));
  CollectResult out{
      message.segments_purged(), message.bytes_freed(), message.condemned_segments(), message.waiting_bytes(), {},
      message.problems()};
  if (message.has_next_due_ns()) out.next_due_ns = message.next_due_ns();
  return out;
}

Bytes encode(const ScrubResult& result) {
  auto message = impl::make<proto::ScrubResult>();
  message.set_rows(result.rows);
  message.set_bytes(result.bytes);
  for (const auto& [segment, row] : result.bad) {
    impl::append(*message.mutable_bad_segments(), segment.bytes());
    message.mutable_bad_rows()->push_back(static_cast<char>(row));
  }
  message.set_last(impl::to_field(result.last.bytes()));
  message.set_more(result.more);
  return impl::serialize(message);
}

Result<ScrubResult> parse_scrub_result(ByteView bytes) {
  const impl::Bounds bounds{.what = "scrub result", .bytes = kMaxScrubBytes};
  MHP_TRY(const auto message, impl::read<proto::ScrubResult>(bytes, bounds));
  const std::string& rows = message.bad_rows();
  if (rows.size() > kMaxScrubBad || message.bad_segments().size() != rows.size() * SegmentId::kSizeBytes)
    return impl::bad(bounds.what, "columns of different lengths");
  ScrubResult out{.rows = message.rows(), .bytes = message.bytes(), .bad = {}, .last = {}, .more = message.more()};
  out.bad.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    out.bad.emplace_back(impl::id_at<SegmentId>(message.bad_segments(), i), static_cast<std::uint8_t>(rows[i]));
  MHP_TRY(out.last, impl::take_id<SegmentId>(message.last(), bounds.what));
  return out;
}

Bytes encode(const VaultRecordsPage& page) {
  auto message = impl::make<proto::VaultRecordsPage>();
  for (const VaultRecordsPage::Device& device : page.devices) {
    impl::append(*message.mutable_devices(), device.device.bytes());
    message.add_records(impl::to_field(device.signed_record));
  }
  message.set_more(page.more);
  return impl::serialize(message);
}

Result<VaultRecordsPage> parse_vault_records_page(ByteView bytes) {
  const impl::Bounds bounds{.what = "vault records page", .bytes = kMaxRecordsPageBytes, .fields = kMaxDevices + 16};
  MHP_TRY(const auto message, impl::read<proto::VaultRecordsPage>(bytes, bounds));
  MHP_TRY(const auto ids, take_ids<DeviceId>(message.devices(), kMaxDevices, bounds.what));
  if (static_cast<std::size_t>(message.records_size()) != ids.size())
    return impl::bad(bounds.what, "columns of different lengths");
  VaultRecordsPage out{.devices = {}, .more = message.more()};
  out.devices.reserve(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::string& record = message.records(static_cast<int>(i));
    if (record.size() > kMaxVaultRecordBytes) return impl::bad(bounds.what, "a vault record is too long");
    out.devices.push_back({ids[i], to_bytes(as_bytes(record))});
  }
  if (out.more && out.devices.empty()) return impl::bad(bounds.what, "an empty page before others");
  return out;
}

Bytes encode(const FormerRecordReply& reply) {
  auto message = impl::make<proto::FormerRecord>();
  message.set_record(impl::to_field(reply.signed_record));
  message.set_taken_s(reply.taken_s);
  message.set_replaced_s(reply.replaced_s);
  message.set_since_s(reply.since_s);
  message.set_more(reply.more);
  return impl::serialize(message);
}

Result<FormerRecordReply> parse_former_record_reply(ByteView bytes) {
  const impl::Bounds bounds{.what = "former record", .bytes = kMaxVaultRecordBytes + kSmallBytes};
  MHP_TRY(const auto message, impl::read<proto::FormerRecord>(bytes, bounds));
  FormerRecordReply out{.taken_s = message.taken_s(),
                        .replaced_s = message.replaced_s(),
                        .since_s = message.since_s(),
                        .more = message.more()};
  MHP_TRY(out.signed_record, take_signed(message.record(), kMaxVaultRecordBytes, bounds.what));
  for (const std::int64_t time_s : {out.taken_s, out.replaced_s, out.since_s}) {
    if (!is_home_time(time_s)) return impl::bad(bounds.what, "a time");
  }
  return out;
}

Bytes encode(const HeadChain& chain) {
  auto message = impl::make<proto::HeadChain>();
  for (const Bytes& head : chain.heads) message.add_heads(impl::to_field(head));
  return impl::serialize(message);
}

Result<HeadChain> parse_head_chain(ByteView bytes) {
  const impl::Bounds bounds{.what = "head chain", .bytes = kMaxChainBytes, .fields = kMaxChainHeads + 16};
  MHP_TRY(const auto message, impl::read<proto::HeadChain>(bytes, bounds));
  const auto count = static_cast<std::size_t>(message.heads_size());
  if (count == 0 || count > kMaxChainHeads) return impl::bad(bounds.what, "number of heads");
  HeadChain out;
  out.heads.reserve(count);
  for (const std::string& head : message.heads()) {
    MHP_TRY(Bytes one, take_signed(head, kMaxHeadBytes, bounds.what));
    out.heads.push_back(std::move(one));
  }
  return out;
}

Bytes encode(const HeadsPage& page) {
  auto message = impl::make<proto::HeadsPage>();
  for (const HeadsPage::Device& device : page.devices) {
    impl::append(*message.mutable_devices(), device.device.bytes());
    message.add_head_counts(static_cast<std::uint32_t>(device.heads.size()));
    for (const Bytes& head : device.heads) message.add_heads(impl::to_field(head));
    for (const std::int64_t received_s : device.received_s) message.add_received_s(received_s);
  }
  message.set_more(page.more);
  return impl::serialize(message);
}

Result<HeadsPage> parse_heads_page(ByteView bytes) {
  constexpr std::size_t kFields = 2 * kMaxPageHeads + kMaxDevices + 16;
  const impl::Bounds bounds{.what = "heads page", .bytes = kMaxHeadsPageBytes, .fields = kFields};
  MHP_TRY(const auto message, impl::read<proto::HeadsPage>(bytes, bounds));
  MHP_TRY(const auto ids, take_ids<DeviceId>(message.devices(), kMaxDevices, bounds.what));
  const int heads = message.heads_size();
  if (static_cast<std::size_t>(message.head_counts_size()) != ids.size() || message.received_s_size() != heads)
    return impl::bad(bounds.what, "columns of different lengths");
  HeadsPage out{.devices = {}, .more = message.more()};
  int at = 0;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const std::uint32_t count = message.head_counts(static_cast<int>(i));
    if (count > kMaxHeadsHeld || count > static_cast<std::uint32_t>(heads - at))
      return impl::bad(bounds.what, "its columns do not fit");
    HeadsPage::Device device{ids[i], {}, {}};
    for (const int end = at + static_cast<int>(count); at < end; ++at) {
      MHP_TRY(Bytes one, take_signed(message.heads(at), kMaxHeadBytes, bounds.what));
      device.heads.push_back(std::move(one));
      if (!is_home_time(message.received_s(at))) return impl::bad(bounds.what, "a time of receipt");
      device.received_s.push_back(message.received_s(at));
    }
    out.devices.push_back(std::move(device));
  }
  if (at != heads) return impl::bad(bounds.what, "heads of no device");
  if (out.more && out.devices.empty()) return impl::bad(bounds.what, "an empty page before others");
  return out;
}

}  // namespace mhp::wire
