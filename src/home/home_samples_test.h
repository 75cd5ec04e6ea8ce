// An owner, segments and records made from numbers, for the tests of homes.
#pragma once

#include <algorithm>
#include <random>

#include "base/check.h"
#include "wire/card.h"
#include "wire/fragment.h"
#include "wire/head.h"
#include "wire/record.h"
#include "wire/signed.h"
#include "wire/tombstone.h"
#include "wire/vault_record.h"

namespace mhp::home::samples {

/// Any bytes, the same for the same seed.
inline Bytes bytes_of(std::uint64_t seed, std::size_t size) {
  std::mt19937_64 random(seed);
  Bytes out(size);
  for (std::byte& b : out) b = static_cast<std::byte>(random());
  return out;
}

template <class Array>
Array array_of(std::uint64_t seed) {
  Array out;
  const Bytes bytes = bytes_of(seed, out.size());
  std::copy(bytes.begin(), bytes.end(), out.begin());
  return out;
}

/// A vault's identity and one device of it.
struct Owner {
  explicit Owner(std::uint64_t seed)
      : identity(array_of<primitives::Key>(seed * 2)),
        key(array_of<primitives::Key>(seed * 2 + 1)),
        vault(wire::vault_id_of(identity.public_key())),
        device(DeviceId::from_array(key.public_key())) {}
  primitives::SigningKey identity;
  primitives::SigningKey key;
  VaultId vault;
  DeviceId device;

  Bytes certificate(const DeviceId& of) const {
    const wire::DeviceCertificate certificate{.vault = vault, .device = of, .x25519 = {}, .created_ns = 1};
    return wire::encode(wire::sign(identity, wire::kSignDevice, wire::encode(certificate)));
  }
  Bytes revocation(const DeviceId& of, std::uint64_t last_good_seq, const HeadHash& last_good) const {
    const wire::Revocation revocation{
        .vault = vault, .device = of, .last_good_seq = last_good_seq, .last_good = last_good, .time_ns = 2};
    return wire::encode(wire::sign(identity, wire::kSignRevocation, wire::encode(revocation)));
  }
  wire::VaultRecord record(std::uint64_t version) const {
    wire::VaultRecord record;
    record.vault = vault;
    record.device = device;
    record.version = version;
    record.epoch = 1;
    record.identity = identity.public_key();
    record.devices.push_back(certificate(device));
    record.sealed_private = bytes_of(version, 100);
    return record;
  }
  static Bytes signed_by(const primitives::SigningKey& signer, const wire::VaultRecord& record) {
    return wire::encode(wire::sign(signer, wire::kSignVaultRecord, wire::encode(record)));
  }
  Bytes signed_record(std::uint64_t version) const { return signed_by(key, record(version)); }
  /// The first record of another device, which this identity has enrolled. `revocations` are in it.
  Bytes record_of(const Owner& other, std::vector<Bytes> revocations = {}) const {
    wire::VaultRecord out = record(1);
    out.device = other.device;
    out.devices.push_back(certificate(other.device));
    out.revocations = std::move(revocations);
    return signed_by(other.key, out);
  }

  /// By its device, or by whoever `signer` is; `segments` in any order.
  Bytes tombstone(std::vector<SegmentId> segments) const { return tombstone_by(key, std::move(segments)); }
  Bytes tombstone_by(const primitives::SigningKey& signer, std::vector<SegmentId> segments) const {
    std::ranges::sort(segments);
    const wire::Tombstone tombstone{vault, DeviceId::from_array(signer.public_key()), 3, std::move(segments)};
    return wire::encode(wire::sign(signer, wire::kSignTombstone, wire::encode(tombstone)));
  }
  Bytes reprieve(std::vector<SegmentId> segments) const { return reprieve_by(key, std::move(segments)); }
  Bytes reprieve_by(const primitives::SigningKey& signer, std::vector<SegmentId> segments) const {
    std::ranges::sort(segments);
    const wire::Reprieve reprieve{vault, DeviceId::from_array(signer.public_key()), 4, std::move(segments)};
    return wire::encode(wire::sign(signer, wire::kSignReprieve, wire::encode(reprieve)));
  }

  /// Heads first...last of this device, linked; `history` makes another history. They name vault record `record`.
  std::vector<Bytes> heads(std::uint64_t first, std::uint64_t last, std::uint64_t history = 0,
                           const RecordHash& record = RecordHash::from_array(array_of<RecordHash::Array>(7))) const {
    std::vector<Bytes> out;
    HeadHash previous;
    for (std::uint64_t seq = 1; seq <= last; ++seq) {
      wire::Head head;
      head.epoch = 1;
      head.vault_record_version = 1;
      head.vault = vault;
      head.device = device;
      head.seq = seq;
      head.previous = previous;
      head.vault_record = record;
      head.time_ns = static_cast<std::int64_t>(seq);
      head.sealed_root = bytes_of(seq + history * 1000, 80);
      const Bytes bytes = wire::encode(wire::sign(key, wire::kSignHead, wire::encode(head)));
      previous = HeadHash::from_array(primitives::blake3(bytes));
      if (seq >= first) out.push_back(bytes);
    }
    return out;
  }
};

struct Segment {
  wire::Card card;
  std::vector<Bytes> fragments;  // by row
};

/// A segment of `n` rows of `row_bytes` each, of any bytes: homes do not decode.
inline Segment make_segment(const Owner& owner, std::uint64_t seed, unsigned n = 4, std::uint32_t row_bytes = 3000) {
  Segment out;
  out.card.segment = SegmentId::from_array(array_of<SegmentId::Array>(seed + 1'000'000));
  out.card.vault = owner.vault;
  out.card.k = 2;
  out.card.sealed_bytes = 2ull * row_bytes;
  out.card.row_bytes = row_bytes;
  out.card.minimum_hold_s = 30 * 86'400;
  for (unsigned row = 0; row < n; ++row) {
    Bytes fragment(wire::fragment_bytes(row_bytes));
    const Bytes payload = bytes_of(seed * 256 + row, row_bytes);
    std::ranges::copy(payload, fragment.end() - row_bytes);
    wire::FragmentHeader header;
    header.row = static_cast<std::uint8_t>(row);
    header.k = static_cast<std::uint8_t>(out.card.k);
    header.row_bytes = row_bytes;
    header.sealed_bytes = out.card.sealed_bytes;
    header.segment = out.card.segment;
    out.card.fragments.push_back(
        wire::finish_fragment(header, array_of<primitives::Hash>(seed * 256 + row + 9), fragment));
    out.fragments.push_back(std::move(fragment));
  }
  return out;
}

inline Bytes signed_card(const Owner& owner, const wire::Card& card) {
  return wire::encode(wire::sign(owner.key, wire::kSignCard, wire::encode(card)));
}

/// The record of some rows of a segment.
inline AlignedBuffer make_record(const Owner& owner, const Segment& segment, std::vector<std::uint8_t> rows) {
  wire::RecordFront front = wire::plan_record(owner.vault, segment.card.segment, rows, segment.fragments.at(0).size(),
                                              wire::signed_card_capacity(segment.card.n()));
  front.card_version = segment.card.version;
  front.signed_card = signed_card(owner, segment.card);
  AlignedBuffer record(front.record_bytes);
  for (const wire::RecordRow& row : front.rows)
    std::ranges::copy(segment.fragments.at(row.row), record.bytes().begin() + row.offset);
  wire::write_record_front(front, record.bytes());
  return record;
}

}  // namespace mhp::home::samples
