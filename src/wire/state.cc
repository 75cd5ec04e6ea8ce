// A device's own files to bytes and back; the journal survives a torn end.
#include "wire/state.h"

#include <wire/state.pb.h>

#include <optional>

#include "base/check.h"
#include "wire/impl/directory.h"
#include "wire/impl/fixed.h"

namespace mhp::wire {
namespace {

constexpr std::size_t kFrameBytes = 4 + 32;  // length, hash
constexpr std::size_t kRowMaskBytes = 32;

Result<JournalEntry> parse_entry(ByteView bytes) {
  const impl::Bounds bounds{.what = "journal", .bytes = kMaxIndexObjectBytes};
  MHP_TRY(const auto message, impl::read<proto::JournalEntry>(bytes, bounds));
  JournalEntry entry;
  MHP_TRY(entry.segment, impl::from_proto(message.segment()));
  return entry;
}

Bytes framed(ByteView body) {
  Bytes out(kFrameBytes + body.size());
  impl::put(out, 0, static_cast<std::uint32_t>(body.size()));
  impl::put_bytes(out, 4, primitives::blake3(body));
  impl::put_bytes(out, kFrameBytes, body);
  return out;
}

/// What the frame at the start of `bytes` holds; nothing where it is cut off, too long or damaged.
std::optional<ByteView> unframed(ByteView bytes, std::uint64_t limit) {
  if (bytes.size() < kFrameBytes) return std::nullopt;
  const std::size_t length = impl::get<std::uint32_t>(bytes, 0);
  if (length > limit || length > bytes.size() - kFrameBytes) return std::nullopt;
  const ByteView body = bytes.subspan(kFrameBytes, length);
  if (!std::ranges::equal(primitives::blake3(body), bytes.subspan(4, 32))) return std::nullopt;
  return body;
}

}  // namespace

Bytes encode(const DeviceSecret& secret) {
  auto message = impl::make<proto::DeviceSecret>();
  message.set_vault(impl::to_field(secret.vault.bytes()));
  message.set_signing_seed(secret.signing_seed.data(), secret.signing_seed.size());
  message.set_x25519_secret(secret.x25519_secret.data(), secret.x25519_secret.size());
  Bytes out = impl::serialize(message);
  impl::wipe_field(message.mutable_signing_seed());
  impl::wipe_field(message.mutable_x25519_secret());
  return out;
}

Bytes encode(const ComputerSecret& secret) {
  auto message = impl::make<proto::ComputerSecret>();
  message.set_seed(secret.seed.data(), secret.seed.size());
  Bytes body = impl::serialize(message);
  impl::wipe_field(message.mutable_seed());
  Bytes out = framed(body);
  wipe(body);
  return out;
}

Bytes encode(const KnownRecords& known) {
  auto message = impl::make<proto::KnownRecords>();
  for (const Bytes& record : known.records) message.add_records(impl::to_field(record));
  return impl::serialize(message);
}

Bytes encode(const SeenHeads& seen) {
  auto message = impl::make<proto::SeenHeads>();
  for (const SeenHead& head : seen.heads) {
    impl::append(*message.mutable_device(), head.device.bytes());
    message.add_seq(head.seq);
    impl::append(*message.mutable_hash(), head.hash.bytes());
  }
  return impl::serialize(message);
}

Bytes encode(const TakenHeads& taken) {
  auto message = impl::make<proto::TakenHeads>();
  for (const TakenHead& head : taken.heads) {
    impl::append(*message.mutable_home(), head.home.bytes());
    message.add_seq(head.seq);
    impl::append(*message.mutable_hash(), head.hash.bytes());
  }
  return impl::serialize(message);
}

Bytes encode(const BadRows& bad) {
  auto message = impl::make<proto::BadRows>();
  for (const BadHolding& holding : bad.holdings) {
    impl::append(*message.mutable_home(), holding.home.bytes());
    impl::append(*message.mutable_segment(), holding.segment.bytes());
    std::array<std::byte, kRowMaskBytes> mask{};
    for (std::size_t row = 0; row < holding.rows.size(); ++row) {
      if (holding.rows[row]) mask[row / 8] |= static_cast<std::byte>(1u << (row % 8));
    }
    impl::append(*message.mutable_rows(), mask);
  }
  return impl::serialize(message);
}

Bytes encode(const UnlistedSeen& seen) {
  auto message = impl::make<proto::UnlistedSeen>();
  for (const UnlistedSegment& one : seen.segments) {
    impl::append(*message.mutable_segment(), one.segment.bytes());
    message.add_first_seen_ns(one.first_seen_ns);
  }
  return impl::serialize(message);
}

Bytes encode(const JournalEntry& entry) {
  auto message = impl::make<proto::JournalEntry>();
  impl::to_proto(entry.segment, *message.mutable_segment());
  const Bytes body = impl::serialize(message);
  MHP_CHECK(body.size() <= kMaxIndexObjectBytes);  // its directory has been inside a segment
  return framed(body);
}

Result<DeviceSecret> parse_device_secret(ByteView bytes) {
  const impl::Bounds bounds{.what = "device secret", .bytes = kMaxStateBytes};
  MHP_TRY(auto message, impl::read<proto::DeviceSecret>(bytes, bounds));
  DeviceSecret out;
  MHP_TRY(out.vault, impl::take_id<VaultId>(message.vault(), bounds.what));
  MHP_TRY(out.signing_seed, impl::take_array<32>(message.signing_seed(), bounds.what));
  MHP_TRY(out.x25519_secret, impl::take_array<32>(message.x25519_secret(), bounds.what));
  impl::wipe_field(message.mutable_signing_seed());
  impl::wipe_field(message.mutable_x25519_secret());
  return out;
}

Result<ComputerSecret> parse_computer_secret(ByteView bytes) {
  const impl::Bounds bounds{.what = "this computer's key", .bytes = kMaxStateBytes};
  const auto body = unframed(bytes, kMaxStateBytes);
  if (!body || body->size() + kFrameBytes != bytes.size()) return impl::bad(bounds.what, "cut off or changed");
  MHP_TRY(auto message, impl::read<proto::ComputerSecret>(*body, bounds));
  ComputerSecret out;
  MHP_TRY(out.seed, impl::take_array<32>(message.seed(), bounds.what));
  impl::wipe_field(message.mutable_seed());
  return out;
}

Result<KnownRecords> parse_known_records(ByteView bytes) {
  const impl::Bounds bounds{.what = "vault records", .bytes = kMaxKnownRecordsBytes, .fields = kMaxDevices + 16};
  MHP_TRY(const auto message, impl::read<proto::KnownRecords>(bytes, bounds));
  if (message.records_size() > static_cast<int>(kMaxDevices)) return impl::bad(bounds.what, "too many");
  KnownRecords out;
  for (const std::string& record : message.records()) {
    if (record.size() > kMaxVaultRecordBytes) return impl::bad(bounds.what, "one is too long");
    out.records.push_back(to_bytes(as_bytes(record)));
  }
  return out;
}

/// How many entries two columns of ids and one of numbers have. Errors: invalid.
static Result<std::size_t> count_heads(const impl::Bounds& bounds, const std::string& ids, int numbers,
                                       const std::string& hashes) {
  const auto count = static_cast<std::size_t>(numbers);
  if (count > kMaxSeenHeads) return impl::bad(bounds.what, "too many");
  if (ids.size() != 32 * count || hashes.size() != 32 * count)
    return impl::bad(bounds.what, "columns differ in length");
  return count;
}

Result<TakenHeads> parse_taken_heads(ByteView bytes) {
  const impl::Bounds bounds{.what = "taken heads", .bytes = kMaxStateBytes};
  MHP_TRY(const auto message, impl::read<proto::TakenHeads>(bytes, bounds));
  MHP_TRY(const std::size_t count, count_heads(bounds, message.home(), message.seq_size(), message.hash()));
  TakenHeads out;
  out.heads.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    out.heads.push_back({.home = impl::id_at<HomeId>(message.home(), i),
                         .seq = message.seq(static_cast<int>(i)),
                         .hash = impl::id_at<HeadHash>(message.hash(), i)});
  }
  return out;
}

Result<SeenHeads> parse_seen_heads(ByteView bytes) {
  const impl::Bounds bounds{.what = "seen heads", .bytes = kMaxStateBytes};
  MHP_TRY(const auto message, impl::read<proto::SeenHeads>(bytes, bounds));
  MHP_TRY(const std::size_t count, count_heads(bounds, message.device(), message.seq_size(), message.hash()));
  SeenHeads out;
  out.heads.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    out.heads.push_back({.device = impl::id_at<DeviceId>(message.device(), i),
                         .seq = message.seq(static_cast<int>(i)),
                         .hash = impl::id_at<HeadHash>(message.hash(), i)});
  }
  return out;
}

Result<BadRows> parse_bad_rows(ByteView bytes) {
  const impl::Bounds bounds{.what = "bad rows", .bytes = kMaxBadRowsBytes};
  MHP_TRY(const auto message, impl::read<proto::BadRows>(bytes, bounds));
  const std::size_t count = message.rows().size() / kRowMaskBytes;
  if (count > kMaxBadHoldings) return impl::bad(bounds.what, "too many");
  const bool even = message.rows().size() == kRowMaskBytes * count;
  if (!even || message.home().size() != 32 * count || message.segment().size() != 32 * count)
    return impl::bad(bounds.what, "columns differ in length");
  BadRows out;
  out.holdings.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    BadHolding holding{.home = impl::id_at<HomeId>(message.home(), i),
                       .segment = impl::id_at<SegmentId>(message.segment(), i)};
    for (std::size_t row = 0; row < holding.rows.size(); ++row) {
      const auto byte = static_cast<unsigned char>(message.rows()[kRowMaskBytes * i + row / 8]);
      holding.rows[row] = (byte >> (row % 8) & 1u) != 0;
    }
    if (holding.rows.none() || holding.rows[255]) return impl::bad(bounds.what, "no such rows");
    out.holdings.push_back(holding);
  }
  return out;
}

Result<UnlistedSeen> parse_unlisted_seen(ByteView bytes) {
  const impl::Bounds bounds{.what = "unlisted segments", .bytes = kMaxUnlistedBytes};
  MHP_TRY(const auto message, impl::read<proto::UnlistedSeen>(bytes, bounds));
  const auto count = static_cast<std::size_t>(message.first_seen_ns_size());
  if (count > kMaxUnlisted) return impl::bad(bounds.what, "too many");
  if (message.segment().size() != 32 * count) return impl::bad(bounds.what, "columns differ in length");
  UnlistedSeen out;
  out.segments.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    out.segments.push_back({.segment = impl::id_at<SegmentId>(message.segment(), i),
                            .first_seen_ns = message.first_seen_ns(static_cast<int>(i))});
  }
  return out;
}

std::vector<JournalEntry> parse_journal(ByteView bytes) {
  std::vector<JournalEntry> entries;
  while (const auto body = unframed(bytes, kMaxIndexObjectBytes)) {
    auto entry = parse_entry(*body);
    if (!entry) break;
    entries.push_back(std::move(*entry));
    bytes = bytes.subspan(kFrameBytes + body->size());
  }
  return entries;
}

}  // namespace mhp::wire
