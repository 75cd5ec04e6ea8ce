// What a device keeps for itself in its state folder: its secret, and what it has seen.
#pragma once

#include <bitset>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "primitives/hash/blake3.h"
#include "wire/index.h"
#include "wire/limits.h"

namespace mhp::wire {

/// File `device`: 0600. Losing it costs a new device, never data.
struct DeviceSecret {
  VaultId vault{};
  primitives::Key signing_seed{};
  primitives::Key x25519_secret{};
  friend bool operator==(const DeviceSecret&, const DeviceSecret&) = default;
};

/// File `computer`: 0600, framed as an entry of the journal. The key that this computer shows to others in the network.
struct ComputerSecret {
  primitives::Key seed{};  // of an Ed25519 key
  friend bool operator==(const ComputerSecret&, const ComputerSecret&) = default;
};

/// File `vault-records`: the newest vault record of each device, signed, as far as this one has seen them.
struct KnownRecords {
  std::vector<Bytes> records{};  // at most kMaxDevices
  friend bool operator==(const KnownRecords&, const KnownRecords&) = default;
};

/// File `seen`: the highest head of each device that this computer has believed; an older answer is a rollback.
struct SeenHeads {
  std::vector<SeenHead> heads{};
  friend bool operator==(const SeenHeads&, const SeenHeads&) = default;
};

/// File `taken`: of each home the newest of this computer's own heads that it is known to have taken.
struct TakenHead {
  HomeId home{};
  std::uint64_t seq = 0;
  HeadHash hash{};
  friend bool operator==(const TakenHead&, const TakenHead&) = default;
};
struct TakenHeads {
  std::vector<TakenHead> heads{};  // at most kMaxSeenHeads
  friend bool operator==(const TakenHeads&, const TakenHeads&) = default;
};

/// File `bad-rows`: rows that were read and found wrong, and have not been read whole or made again since.
struct BadHolding {
  HomeId home{};
  SegmentId segment{};
  std::bitset<256> rows{};  // at least one; 255 is none
  friend bool operator==(const BadHolding&, const BadHolding&) = default;
};
struct BadRows {
  std::vector<BadHolding> holdings{};  // at most kMaxBadHoldings
  friend bool operator==(const BadRows&, const BadRows&) = default;
};

/// File `unlisted`: segments that homes hold and no head names, and when this computer saw them first.
struct UnlistedSegment {
  SegmentId segment{};
  std::int64_t first_seen_ns = 0;
  friend bool operator==(const UnlistedSegment&, const UnlistedSegment&) = default;
};
struct UnlistedSeen {
  std::vector<UnlistedSegment> segments{};  // at most kMaxUnlisted
  friend bool operator==(const UnlistedSeen&, const UnlistedSeen&) = default;
};

/// One entry of the file `journal`: a segment whose rows are durable on homes and that no head names yet.
/// Each is framed as length (4 bytes, little endian) || BLAKE3 (32) || bytes; a torn last entry is dropped.
struct JournalEntry {
  IndexedSegment segment{};
  friend bool operator==(const JournalEntry&, const JournalEntry&) = default;
};

Bytes encode(const DeviceSecret&);
Bytes encode(const ComputerSecret&);  // with its frame
Bytes encode(const KnownRecords&);
Bytes encode(const SeenHeads&);
Bytes encode(const TakenHeads&);
Bytes encode(const BadRows&);
Bytes encode(const UnlistedSeen&);
Bytes encode(const JournalEntry&);  // with its frame
Result<DeviceSecret> parse_device_secret(ByteView bytes);
Result<ComputerSecret> parse_computer_secret(ByteView bytes);
Result<KnownRecords> parse_known_records(ByteView bytes);
Result<SeenHeads> parse_seen_heads(ByteView bytes);
Result<TakenHeads> parse_taken_heads(ByteView bytes);
Result<BadRows> parse_bad_rows(ByteView bytes);
Result<UnlistedSeen> parse_unlisted_seen(ByteView bytes);
/// All whole entries from the start; what follows the first broken one is dropped.
std::vector<JournalEntry> parse_journal(ByteView bytes);

}  // namespace mhp::wire
