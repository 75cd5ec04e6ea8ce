// The names of things: 32 bytes each, of types that cannot be mixed up.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstring>
#include <functional>

#include "base/bytes.h"

namespace mhp {

/// A 32-byte name whose meaning is its tag. No implicit conversion: every crossing is visible in a diff.
template <class Tag>
class Id {
 public:
  static constexpr std::size_t kSizeBytes = 32;
  using Array = std::array<std::byte, kSizeBytes>;
  constexpr Id() = default;
  static constexpr Id from_array(const Array& bytes) { return Id(bytes); }
  /// `bytes` must be exactly 32 long.
  static Id from_bytes(ByteView bytes) {
    Id id;
    std::copy_n(bytes.begin(), kSizeBytes, id.bytes_.begin());
    return id;
  }
  constexpr std::span<const std::byte, kSizeBytes> bytes() const { return bytes_; }
  std::string hex() const { return to_hex(bytes_); }
  /// The first 8 hexadecimal digits, for people.
  std::string short_hex() const { return hex().substr(0, 8); }
  constexpr bool is_zero() const { return *this == Id(); }
  friend constexpr auto operator<=>(const Id&, const Id&) = default;

 private:
  constexpr explicit Id(const Array& bytes) : bytes_(bytes) {}
  Array bytes_{};
};

using HomeId = Id<struct HomeIdTag>;            // a drive, folder or computer that keeps fragments
using VaultId = Id<struct VaultIdTag>;          // the owner's locator, derived from the phrase; tells nothing else
using DeviceId = Id<struct DeviceIdTag>;        // a device's Ed25519 public key
using SegmentId = Id<struct SegmentIdTag>;      // random, drawn at seal time
using FragmentId = Id<struct FragmentIdTag>;    // one coded row of a segment: root of its Merkle tree
using ChunkId = Id<struct ChunkIdTag>;          // keyed hash of a chunk's content; never leaves the owner in clear
using SnapshotId = Id<struct SnapshotIdTag>;    // random
using HeadHash = Id<struct HeadHashTag>;        // BLAKE3 of a signed head's bytes
using RecordHash = Id<struct RecordHashTag>;    // BLAKE3 of a signed vault record's bytes
using CloudId = Id<struct CloudIdTag>;          // the hash of a cloud's founding statement
using MemberId = Id<struct MemberIdTag>;        // a member's Ed25519 public key in its clouds
using KeyId = Id<struct KeyIdTag>;              // any Ed25519 public key that speaks for a member
using TicketId = Id<struct TicketIdTag>;        // the public key of an invitation's secret
using StatementId = Id<struct StatementIdTag>;  // hash of a statement of a roster: its signer and its body

/// For unordered containers: ids are already uniform, so eight of their bytes are a hash.
struct IdHash {
  template <class Tag>
  std::size_t operator()(const Id<Tag>& id) const {
    std::size_t h;
    std::memcpy(&h, id.bytes().data(), sizeof h);
    return h;
  }
};

}  // namespace mhp
