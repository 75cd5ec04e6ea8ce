// Home: one place that keeps records, vault records and heads for vaults. Kinds differ, this contract does not.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "platform/task.h"

namespace mhp::home {

/// What a home holds of one segment.
struct Holding {
  Bytes signed_card;               // the highest version it has
  std::vector<std::uint8_t> rows;  // rising
};

struct HeldSegment {
  SegmentId segment;
  std::uint32_t card_version = 0;
  std::vector<std::uint8_t> rows;
  bool condemned = false;  // by a tombstone: still readable, but it will go when its minimum hold is over
};

struct HeldPage {
  std::vector<HeldSegment> segments;  // by rising segment id
  bool more = false;
};

struct Usage {
  std::uint64_t used_bytes = 0;             // by this home
  std::uint64_t free_bytes = 0;             // what it may still take: by its own bound and the disk's free space
  std::uint64_t condemned_bytes = 0;        // of used_bytes: what tombstones name
  std::optional<std::int64_t> next_due_ns;  // when the hold of the first of it ends, if the home is visited often
};

/// A row that was to be kept and does not fit its card any more.
struct DamagedRow {
  VaultId vault;
  SegmentId segment;
  std::uint8_t row = 0;
  friend bool operator==(const DamagedRow&, const DamagedRow&) = default;
};

struct CollectReport {
  std::uint64_t segments_purged = 0;
  std::uint64_t bytes_freed = 0;            // on the disk
  std::uint64_t condemned_segments = 0;     // still here
  std::uint64_t waiting_bytes = 0;          // of them: the hold is over, but what lies beside them is worth more
  std::optional<std::int64_t> next_due_ns;  // as in Usage
  std::vector<std::string> problems;        // why something was not purged or given back: a line each, for a person
  std::vector<DamagedRow> damaged{};        // where that was the reason; what a home on another computer does not tell
};

struct ScrubReport {
  std::uint64_t rows = 0;
  std::uint64_t bytes = 0;
  std::vector<std::pair<SegmentId, std::uint8_t>> bad;
};

/// Vault records of one device that newer ones have replaced. Times by the home's own clock, Unix seconds.
struct FormerRecords {
  struct One {
    Bytes signed_record;
    std::int64_t taken_s = 0;  // when it came; 0: not known
    std::int64_t replaced_s = 0;
    friend bool operator==(const One&, const One&) = default;
  };
  std::int64_t since_s = 0;    // when the one came that is in their place now
  std::vector<One> records{};  // in the order in which they were replaced
};

/// Contract (home_contract_test.h runs it on each kind): what was put is durable when commit() returns; what is read is
/// what was put or an error; a second put of the same rows is a no-op; a home never holds a key. Called from the loop;
/// calls may overlap. Errors everywhere: unavailable (away, I/O), denied, full (bounds reached; nothing of this call is
/// kept).
class Home {
 public:
  virtual ~Home() = default;
  virtual const HomeId& id() const = 0;

  /// Appends a record in wire layout (wire/record.h). `record` starts on a 4 KiB boundary, is alive and untouched until
  /// done; the home writes its stamp into it. Durable only after commit(), but found and read here at once. Rows that
  /// are held are read back first: where they are damaged the new copy takes their place. With an `owner`, which keeps
  /// `record` alive, the call may be given up: a drive that hangs then holds on to it. Errors: invalid, full.
  virtual Task<Result<void>> put(MutableBytes record, std::shared_ptr<void> owner = nullptr) = 0;
  /// Makes durable all that was put before the call. After an error nothing put since the last good commit is kept.
  virtual Task<Result<void>> commit() = 0;

  /// Errors: not_found; corrupt where no card of it can be read.
  virtual Task<Result<Holding>> find(SegmentId segment) = 0;
  /// Which row of which segment a fragment is. Errors: not_found. May be slow: for checks and tools.
  virtual Task<Result<std::pair<SegmentId, std::uint8_t>>> find_fragment(FragmentId fragment) = 0;
  /// Segments of a vault with id greater than `after`, at most `limit`.
  virtual Task<Result<HeldPage>> list(VaultId vault, SegmentId after, std::size_t limit) = 0;
  /// Bytes of a held fragment (header, salt, leaf hashes, payload) from `offset`; fewer only at its end. Not checked
  /// against its id: the caller does. May be given up at any time, as may every call that does not write: a canceled
  /// one returns at once even where a disk hangs. Errors: not_found; invalid where `offset` is behind the end; corrupt
  /// where the record is cut short.
  virtual Task<Result<Bytes>> read(SegmentId segment, std::uint8_t row, std::uint64_t offset, std::uint64_t bytes) = 0;

  /// Keeps the signed vault record beside those of other devices if it proves itself (identity hashes to its vault id;
  /// signed by its author, whom it certifies), no record held revokes its author, and its version is higher than that
  /// of its author's record held (but see wire::takes_place_of). Durable when it returns. The same bytes again change
  /// nothing, but a damaged file of former records is set aside for what is whole in it. What it replaces is kept for a
  /// while. Of who is revoked it takes the one that a head of his names which is held, where it holds none. Errors:
  /// denied (signature, revoked), invalid (not newer, or far above), full (records of wire::kMaxDevices are held).
  virtual Task<Result<void>> put_vault_record(Bytes signed_record) = 0;
  struct DeviceRecord {
    DeviceId device;           // the author
    Bytes signed_record = {};  // empty: what is held is damaged; the next put sets it aside
    friend bool operator==(const DeviceRecord&, const DeviceRecord&) = default;
  };
  /// The newest of each device. What they certify and revoke together decides whose heads and tombstones count. Errors:
  /// not_found where nothing of this vault is held.
  virtual Task<Result<std::vector<DeviceRecord>>> vault_records(VaultId vault) = 0;
  /// Of the records of a device that newer ones have replaced, what it keeps: of each day, by its own clock, the first
  /// that was replaced on it, which was in force when the day began, for wire::kMaxFormerRecords such days. So
  /// nobody who signs in that device's name, however much, pushes out within a month what stood before he began.
  /// Errors: not_found (none was replaced); corrupt (the file is damaged; the next put sets it aside).
  virtual Task<Result<FormerRecords>> former_records(VaultId vault, DeviceId device) = 0;
  virtual Task<Result<std::vector<VaultId>>> vaults() = 0;

  /// Takes signed heads of one device, rising; where two follow each other they must link. The first that is newer than
  /// what is held must be the held newest + 1 with the matching hash, or there is none yet, or the last run without
  /// gaps is at least 64 long (a home that was away for so long cannot be given more). Refuses another head with a held
  /// seq (denied: a fork). The device must be certified in a held vault record; heads after the last good one of its
  /// revocations are refused. Keeps the newest 64 and, of the last 12 hours and of the last days on which it got any,
  /// the newest of each, 96 in all; notes when it got them. Damaged files are set aside, never removed. Durable when it
  /// returns. Errors: denied, invalid (a gap).
  virtual Task<Result<void>> put_heads(VaultId vault, DeviceId device, std::vector<Bytes> chain) = 0;
  struct DeviceHeads {
    DeviceId device;
    std::vector<Bytes> chain = {};              // rising, signed; may have gaps. Empty: what is held is damaged
    std::vector<std::int64_t> received_s = {};  // of each: when the home took it, by its own clock (Unix seconds)
  };
  virtual Task<Result<std::vector<DeviceHeads>>> heads(VaultId vault) = 0;

  /// Condemns what it holds of the segments that a signed tombstone names (wire/tombstone.h; what it does not hold is
  /// passed over): they stay as they are till their minimum hold has passed since this call; then collect() may purge
  /// them. A second tombstone neither restarts nor shortens the hold. Signed by a device that is certified in a held
  /// vault record and revoked in none, or by the identity. What a device condemned that is revoked later is not purged
  /// unless another signer condemns it again (and then from the start). A put() of a record of a condemned segment
  /// is, with its commit(), a reprieve: what was acknowledged stays. Durable when it returns. Errors: denied
  /// (signature, no vault record), invalid.
  virtual Task<Result<void>> put_tombstone(Bytes signed_tombstone) = 0;
  /// Takes tombstones of these segments back, whoever gave them: they are as before, and a later tombstone begins a new
  /// hold. The same signers; durable when it returns; the same errors.
  virtual Task<Result<void>> put_reprieve(Bytes signed_reprieve) = 0;
  /// Purges condemned segments whose hold is over and gives their space back to the disk, as far as that is worth the
  /// writing (waiting_bytes is what was not). Each call, like each first writing call of an opened home, adds the time
  /// since the one before to the holds, at most 10 days and at most a third of the hold: one visit by a clock that is
  /// ahead ends none. Commits what was put. Errors: busy; those of commit().
  virtual Task<Result<CollectReport>> collect() = 0;

  virtual Task<Result<Usage>> usage() = 0;
  /// Re-hashes the rows it holds of `vault`: all, or those of a random `percent`, drawn by `seed`.
  virtual Task<Result<ScrubReport>> scrub(VaultId vault, unsigned percent, std::uint64_t seed) = 0;

  using BadRow = std::pair<SegmentId, std::uint8_t>;
  /// Rows of `vault` that it has found damaged when it read what it holds, unasked, and that nobody has put again
  /// since; rising. A home that does not read by itself has none to tell of.
  virtual Task<Result<std::vector<BadRow>>> known_bad(VaultId vault) {
    (void)vault;
    co_return std::vector<BadRow>();
  }

  /// Of the rows that it gives of a segment those, rising, that it would not find any more if it lost its index, since
  /// what says of them what they are has changed. A home that looks after this by itself has none to tell of. Errors:
  /// not_found, unavailable.
  virtual Task<Result<std::vector<std::uint8_t>>> rows_at_risk(SegmentId segment) {
    (void)segment;
    co_return std::vector<std::uint8_t>();
  }

  /// Takes the lock of a home that lets one program write at a time, as its first writing call would; it is kept till
  /// the object goes. `who` is for those who wait for it: the lock says it. Nothing to do where writers may come
  /// together. Errors: busy; the detail says who holds it.
  virtual Task<Result<void>> begin_writing(std::string who) {
    (void)who;
    co_return Result<void>();
  }
};

}  // namespace mhp::home
