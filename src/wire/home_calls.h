// What computers say to a home that is another computer, beside plain bytes (docs/protocol/home.md).
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "wire/limits.h"
#include "wire/signed.h"

namespace mhp::wire {

constexpr std::string_view kSignSession = "mhp 1 session";

constexpr std::size_t kMaxPageSegments = 1000;         // of one listing
constexpr std::size_t kMaxScrubSegments = 32;          // re-hashed by one request
constexpr std::size_t kMaxScrubBad = 32 * kMaxRows;    // reported by one
constexpr std::size_t kMaxChainHeads = 256;            // given in one request
constexpr std::size_t kMaxPageHeads = 4096;            // of one page
constexpr std::uint64_t kMaxHeadsPageBytes = 2_MiB;    // encoded; the heads of one device always fit
constexpr std::uint64_t kMaxRecordsPageBytes = 4_MiB;  // encoded; one record always fits
constexpr std::uint64_t kMaxReadBytes = 4_MiB;         // of a fragment, by one request
constexpr std::uint64_t kMaxPutBytes = 32_MiB;         // a record; greater ones go in parts of fewer rows
constexpr std::size_t kMaxSessionVaults = 16;          // that one connection may act for
constexpr std::uint64_t kMaxSessionProofBytes = 4_KiB;

/// "On this connection, to this home, I act for this vault": signed, it is of no use anywhere else.
struct SessionClaim {
  VaultId vault{};
  HomeId home{};
  std::array<std::byte, 32> exporter{};  // net::Peer::exporter
  friend bool operator==(const SessionClaim&, const SessionClaim&) = default;
};

/// With what proves the signer to a home that does not hold the vault's record yet.
struct SessionProof {
  Bytes signed_claim{};
  primitives::PublicKey identity{};
  Bytes certificate{};  // signed, of the device that signs the claim; empty where the identity does
  friend bool operator==(const SessionProof&, const SessionProof&) = default;
};

/// As home::Holding.
struct HeldCard {
  Bytes signed_card{};
  std::vector<std::uint8_t> rows{};  // rising
  friend bool operator==(const HeldCard&, const HeldCard&) = default;
};

/// As home::HeldPage.
struct HeldPage {
  struct Segment {
    SegmentId segment{};
    std::uint32_t card_version = 0;
    std::vector<std::uint8_t> rows{};  // rising
    bool condemned = false;
    friend bool operator==(const Segment&, const Segment&) = default;
  };
  std::vector<Segment> segments{};  // rising, at most kMaxPageSegments
  bool more = false;                // then there is one at least
  friend bool operator==(const HeldPage&, const HeldPage&) = default;
};

/// As home::Usage, of one vault; `free_bytes` is what it may still take here.
struct VaultUsage {
  std::uint64_t used_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t condemned_bytes = 0;
  std::optional<std::int64_t> next_due_ns{};
  friend bool operator==(const VaultUsage&, const VaultUsage&) = default;
};

/// As home::CollectReport, of the whole home; of its problems only the number.
struct CollectResult {
  std::uint64_t segments_purged = 0;
  std::uint64_t bytes_freed = 0;
  std::uint64_t condemned_segments = 0;
  std::uint64_t waiting_bytes = 0;
  std::optional<std::int64_t> next_due_ns{};
  std::uint32_t problems = 0;
  friend bool operator==(const CollectResult&, const CollectResult&) = default;
};

/// As home::ScrubReport, of at most kMaxScrubSegments segments.
struct ScrubResult {
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  std::vector<std::pair<SegmentId, std::uint8_t>> bad{};  // at most kMaxScrubBad
  SegmentId last{};                                       // the next part comes after it
  bool more = false;
  friend bool operator==(const ScrubResult&, const ScrubResult&) = default;
};

/// As home::Home::DeviceRecord, of some devices.
struct VaultRecordsPage {
  struct Device {
    DeviceId device{};
    Bytes signed_record{};  // empty: what is held is damaged
    friend bool operator==(const Device&, const Device&) = default;
  };
  std::vector<Device> devices{};  // rising; at most kMaxDevices
  bool more = false;              // then there is one at least
  friend bool operator==(const VaultRecordsPage&, const VaultRecordsPage&) = default;
};

/// One of home::FormerRecords. Times are Unix seconds, -kMaxReceivedS to kMaxReceivedS.
struct FormerRecordReply {
  Bytes signed_record{};
  std::int64_t taken_s = 0;
  std::int64_t replaced_s = 0;
  std::int64_t since_s = 0;  // of the one that is in its place now
  bool more = false;
  friend bool operator==(const FormerRecordReply&, const FormerRecordReply&) = default;
};

struct HeadChain {
  std::vector<Bytes> heads{};  // signed, rising; 1 to kMaxChainHeads
  friend bool operator==(const HeadChain&, const HeadChain&) = default;
};

/// As home::Home::DeviceHeads, of some devices.
struct HeadsPage {
  struct Device {
    DeviceId device{};
    std::vector<Bytes> heads{};              // signed, rising; empty: what is held is damaged
    std::vector<std::int64_t> received_s{};  // of each
    friend bool operator==(const Device&, const Device&) = default;
  };
  std::vector<Device> devices{};  // rising; at most kMaxDevices
  bool more = false;              // then there is one at least
  friend bool operator==(const HeadsPage&, const HeadsPage&) = default;
};

Bytes encode(const SessionClaim&);
Bytes encode(const SessionProof&);
Bytes encode(const HeldCard&);
Bytes encode(const HeldPage&);
Bytes encode(const VaultUsage&);
Bytes encode(const CollectResult&);
Bytes encode(const ScrubResult&);
Bytes encode(const VaultRecordsPage&);
Bytes encode(const FormerRecordReply&);
Bytes encode(const HeadChain&);
Bytes encode(const HeadsPage&);
/// Each checks every bound that is named above. Errors: invalid.
Result<SessionClaim> parse_session_claim(ByteView bytes);
Result<SessionProof> parse_session_proof(ByteView bytes);
Result<HeldCard> parse_held_card(ByteView bytes);
Result<HeldPage> parse_held_page(ByteView bytes);
Result<VaultUsage> parse_vault_usage(ByteView bytes);
Result<CollectResult> parse_collect_result(ByteView bytes);
Result<ScrubResult> parse_scrub_result(ByteView bytes);
Result<VaultRecordsPage> parse_vault_records_page(ByteView bytes);
Result<FormerRecordReply> parse_former_record_reply(ByteView bytes);
Result<HeadChain> parse_head_chain(ByteView bytes);
Result<HeadsPage> parse_heads_page(ByteView bytes);

}  // namespace mhp::wire
