// The files of a folder home itself: identity, log header, commit mark, index, heads, former vault records
// (docs/formats/folder-home.md).
#pragma once

#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "primitives/hash/blake3.h"
#include "wire/limits.h"
#include "wire/record.h"

namespace mhp::wire {

constexpr std::size_t kLogBlockBytes = 4096;         // a log header, a commit mark
constexpr std::uint64_t kMaxLogBytes = 1_GiB;        // of one log
constexpr std::uint64_t kMaxHomeIndexBytes = 1_GiB;  // a bigger home is scanned instead
constexpr std::uint64_t kMaxHeadsFileBytes = 512_KiB;
constexpr std::uint64_t kMaxFormerRecordsBytes = 33_MiB;  // file of them, of one device
/// Unix seconds, the year 2255: the last time at which a home may say that it took something. In nanoseconds it fits.
constexpr std::int64_t kMaxReceivedS = 9'000'000'000;
/// The first such time is as long before 1970.
constexpr bool is_home_time(std::int64_t unix_s) { return unix_s >= -kMaxReceivedS && unix_s <= kMaxReceivedS; }
constexpr std::uint64_t kMaxCondemnedFileBytes = 256_MiB;  // five million segments
static_assert(kMaxHeadsFileBytes > kMaxHeadsHeld * (kMaxHeadBytes + 12) + 256);
static_assert(kMaxFormerRecordsBytes > kMaxFormerRecords * (kMaxVaultRecordBytes + 20) + 256);

using LogBlock = std::span<std::byte, kLogBlockBytes>;

/// `mhp-home`: makes a folder a home.
struct HomeFile {
  static constexpr std::size_t kSizeBytes = 128;
  HomeId home;
  primitives::Key log_key{};  // of all stamps in its logs; never leaves the folder
  friend bool operator==(const HomeFile&, const HomeFile&) = default;
};
Bytes encode(const HomeFile& file);
/// Errors: invalid, corrupt (hash).
Result<HomeFile> parse_home_file(ByteView bytes);
/// True where it is whole and of another format: every format of it begins with the magic and its number and ends with
/// the same hash over all before (docs/formats/folder-home.md). Damage is something else.
bool is_of_other_format(ByteView home_file);

/// Block 0 of a log. Says what the file is, and all that `mhp-home` says: a damaged one can be made again from any log.
/// Scanning does not depend on it.
struct LogHeader {
  HomeId home;
  std::uint32_t log = 0;
  primitives::Key log_key{};
  friend bool operator==(const LogHeader&, const LogHeader&) = default;
};
void write_log_header(const LogHeader& header, LogBlock out);
/// `block`: 4096 bytes. Errors: invalid, corrupt.
Result<LogHeader> parse_log_header(ByteView block);

/// Where in a home's logs something stands. Bound into stamps, so that bytes count only where they were written.
struct LogPlace {
  std::uint32_t log = 0;
  std::uint64_t offset = 0;
  friend bool operator==(const LogPlace&, const LogPlace&) = default;
};

/// The stamp of a record: BLAKE3 keyed with the home's log key, over front hash || log number || offset.
primitives::Hash stamp_of_record(const primitives::Key& log_key, const primitives::Hash& front_hash, LogPlace place);

/// One block after the records it covers: all of them were written, by one commit.
struct CommitMark {
  std::uint64_t seq = 0;    // of this log: 1, 2, 3 ...
  std::uint64_t begin = 0;  // first byte covered; the last one is before the mark itself
  std::uint32_t records = 0;
  bool recheck = false;             // what it covers came out of a crash damaged: re-hash it before believing it
  primitives::Hash records_hash{};  // BLAKE3 over the front hashes in order
  friend bool operator==(const CommitMark&, const CommitMark&) = default;
};
void write_commit_mark(const CommitMark& mark, const primitives::Key& log_key, LogPlace place, LogBlock out);
/// What tells a mark from another in the same place: the hash of what is looked at of its block (4096 bytes).
primitives::Hash hash_of_mark(ByteView block);
/// Errors: invalid (no mark, or one of another place or home).
Result<CommitMark> parse_commit_mark(ByteView block, const primitives::Key& log_key, LogPlace place);

/// What the index knows of one record.
struct IndexedRecord {
  SegmentId segment;
  std::uint32_t vault = 0;  // into HomeIndex::vaults
  std::uint32_t card_version = 0;
  LogPlace place;
  std::uint32_t record_bytes = 0;
  std::uint32_t front_bytes = 0;
  std::vector<RecordRow> rows;
  friend bool operator==(const IndexedRecord&, const IndexedRecord&) = default;
};

/// File `index`: what a scan of the logs up to `end` of each would find. A cache.
struct HomeIndex {
  struct Log {
    std::uint32_t log = 0;
    std::uint64_t end = 0;  // after its last acknowledged mark
    std::uint64_t seq = 0;  // of that mark, 0 where there is none yet
    primitives::Hash
        mark{};  // hash_of_mark() of the block before `end`, zeros where there is none: another log has another
    friend bool operator==(const Log&, const Log&) = default;
  };
  HomeId home;
  std::vector<Log> logs;  // rising
  std::vector<VaultId> vaults;
  std::vector<IndexedRecord> records;  // in order of arrival
  friend bool operator==(const HomeIndex&, const HomeIndex&) = default;
};
Bytes encode(const HomeIndex& index);
/// Checks the hash, that every record lies inside its log's end, every row inside its record. Errors: invalid, corrupt.
Result<HomeIndex> parse_home_index(ByteView bytes);

/// A signed head, and when the home took it, by the home's own clock.
struct HeldHead {
  Bytes signed_bytes;
  std::int64_t received_s = 0;  // Unix time, -kMaxReceivedS to kMaxReceivedS
  friend bool operator==(const HeldHead&, const HeldHead&) = default;
};

/// File `heads-<device>`: the newest heads of one device, and older ones by the day.
struct HeadsFile {
  VaultId vault;
  DeviceId device;
  std::vector<HeldHead> chain;  // rising; 1 to kMaxHeadsHeld
  friend bool operator==(const HeadsFile&, const HeadsFile&) = default;
};
Bytes encode(const HeadsFile& file);
/// Errors: invalid, corrupt.
Result<HeadsFile> parse_heads_file(ByteView bytes);

/// A vault record that a newer one of its device has replaced. Times by the home's own clock, Unix seconds,
/// -kMaxReceivedS to kMaxReceivedS.
struct FormerRecord {
  Bytes signed_bytes;
  std::int64_t taken_s = 0;  // when it took its place; 0: not known
  std::int64_t replaced_s = 0;
  friend bool operator==(const FormerRecord&, const FormerRecord&) = default;
};

/// File `former-<device>`: of each day on which records of the device were replaced the first.
struct FormerRecordsFile {
  VaultId vault;
  DeviceId device;
  std::int64_t since_s = 0;             // when the one that is in its place now came; a time as above
  std::vector<FormerRecord> records{};  // in the order in which they were replaced; 1 to kMaxFormerRecords
  friend bool operator==(const FormerRecordsFile&, const FormerRecordsFile&) = default;
};
Bytes encode(const FormerRecordsFile& file);
/// Errors: invalid, corrupt.
Result<FormerRecordsFile> parse_former_records_file(ByteView bytes);
/// What can still be told apart in a damaged one, proven by nothing: whoever takes it proves each record. When they
/// were taken is not known.
std::vector<FormerRecord> salvage_former_records(ByteView bytes);

/// File `condemned`: the segments of a vault that a tombstone names, and how long each has been held since.
struct CondemnedFile {
  struct Entry {
    SegmentId segment;
    std::uint64_t held_ns = 0;  // of the hold: what has passed
    std::uint64_t hold_ns = 0;  // the minimum hold; not the remainder
    std::uint32_t signer = 0;   // of the tombstone, into `signers`
    friend bool operator==(const Entry&, const Entry&) = default;
  };
  HomeId home;
  VaultId vault;
  std::int64_t visited_ns = 0;    // when held_ns was last added to
  bool stepped_back = false;      // the clock was set back, and no day or more has passed since
  std::vector<DeviceId> signers;  // each once: devices, or the identity key
  std::vector<Entry> entries;     // by rising segment
  friend bool operator==(const CondemnedFile&, const CondemnedFile&) = default;
};
Bytes encode(const CondemnedFile& file);
/// Errors: invalid, corrupt.
Result<CondemnedFile> parse_condemned_file(ByteView bytes);

}  // namespace mhp::wire
