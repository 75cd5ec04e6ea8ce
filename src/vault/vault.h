// Vault: everything one owner has stored. Reads chunks, lists snapshots, writes new ones; knows keys and no homes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "dispersal/home_set.h"
#include "platform/platform.h"
#include "vault/keys.h"
#include "vault/state.h"
#include "wire/index.h"

namespace mhp::vault {

/// Where a chunk lies.
struct ChunkPlace {
  std::uint32_t segment = 0;  // number in this Vault's index, not stable over runs
  std::uint32_t bundle = 0;
  std::uint32_t offset = 0;  // in the bundle's plain bytes
  std::uint32_t bytes = 0;
};

/// A segment (or some of its bundles), decrypted and checked. Bundles are decompressed when asked for. Safe from
/// several threads once fetched.
class OpenSegment {
 public:
  virtual ~OpenSegment() = default;
  /// Plain bytes of one bundle that was fetched, in the segment, or in `room` where they had to be decompressed (which
  /// may be used again for the next). CPU. Errors: corrupt, not_found (bundle was not fetched).
  virtual Result<ByteView> bundle(std::uint32_t number, Bytes& room) const = 0;
};

/// One worker's open segment. Not for two threads at once; CPU only, so it runs in a worker.
class Packer {
 public:
  virtual ~Packer() = default;
  /// True where the next chunk of `bytes` fits without sealing first. May compress what is gathered, to find out.
  virtual bool fits(std::size_t bytes) = 0;
  /// Stores a chunk (1 B to 4 MiB; it must fit): hashes, finds doubles, compresses when a bundle is full. Returns its
  /// id.
  virtual ChunkId add(ByteView chunk) = 0;
  /// True where nothing has been added since the last seal.
  virtual bool empty() const = 0;
  /// Takes over all that `other`, of the same writer, has; false, and nothing moves, where it does not fit.
  virtual bool take_in(Packer& other) = 0;
};

/// A sealed, coded and signed segment on its way to the homes.
struct FinishedSegment {
  wire::IndexedSegment indexed;
  dispersal::EncodedSegment encoded;
};

struct WriteTotals {
  std::uint64_t new_bytes = 0;     // plain bytes of chunks that were not there before
  std::uint64_t packed_bytes = 0;  // the same after compression, before padding and coding
  std::uint64_t stored_bytes = 0;  // bytes put on homes in all
  std::uint64_t segments = 0;
};

struct Committed {
  SnapshotId snapshot;
  WriteTotals totals;
  unsigned homes = 0;  // that have the new head
  int margin = 0;      // worst case over the segments written now
};

/// One write session; holds the vault's lock. Destroying it without finish() leaves earlier snapshots as they were;
/// segments that were durable are adopted by the next session.
class Writer {
 public:
  virtual ~Writer() = default;
  virtual std::unique_ptr<Packer> new_packer() = 0;
  /// CPU: seals what the packer has, codes it, signs its card. The packer is empty after it. The packer must not be
  /// empty.
  virtual FinishedSegment seal(Packer& packer) = 0;
  /// Sends it to the homes; makes durable by groups (256 MiB or 5 s) and notes it in the journal.
  /// Errors: unavailable, full (fewer than k rows could be placed).
  virtual Task<Result<void>> store(FinishedSegment segment) = 0;
  /// Rows durable, then index, then head. After it returned the snapshot is there. `record.id` is drawn here.
  /// Errors: as store; busy when another device's head came between (try again).
  virtual Task<Result<Committed>> finish(wire::SnapshotRecord record) = 0;
  virtual WriteTotals totals() const = 0;
  /// Segments of an interrupted session that were found and taken over, for the message.
  virtual std::uint64_t adopted_segments() const = 0;
};

struct CheckProgress {
  std::uint64_t segments_done = 0;
  std::uint64_t segments = 0;
};
using Progress = std::function<void(const CheckProgress&)>;

/// What a check found of one home.
struct HomeRows {
  HomeId home;
  /// Rows that it lacks by the plan, of the segments that lack rows; all of its share while it is away.
  std::uint64_t missing = 0;
  std::uint64_t bad = 0;
};

/// What is not so in parts of the index that one device wrote. It may have copied it with the small parts of another,
/// or have made rows of another's part again: who said it first the homes do not tell.
struct FalseClaims {
  DeviceId device;
  std::string computer{};  // its name in its newest snapshot; empty: it has none
  std::uint64_t claims = 0;
};

/// What this device has proven, and other devices left out of the index with something false in its place. It is listed
/// again.
struct Displaced {
  std::uint64_t segments = 0;
  std::vector<FalseClaims> by{};
};

struct CheckReport {
  std::uint64_t segments = 0;
  std::uint64_t rows_expected = 0;
  std::uint64_t rows_missing = 0;  // that cards list and no reachable home holds
  std::uint64_t rows_bad = 0;      // read and found wrong, now or by an earlier check that nothing has repaired since
  std::uint64_t unrestorable = 0;  // segments with fewer than k good rows
  std::uint64_t mendable = 0;  // of these, that repair() makes whole: of their rows only the cards beside have changed
  /// Segments that were read and hold something else than they say: the device that sealed them is faulty, or in wrong
  /// hands. What they should hold counts as gone, unless it lies elsewhere too.
  std::uint64_t untrue = 0;
  /// What the index says of segments that were read, and is not so, though they are as they say themselves. What only
  /// such a word names counts as gone; the next write lists these segments by their own word.
  std::uint64_t false_claims = 0;
  std::vector<FalseClaims> false_claims_by;  // whose parts of the index say so, as far as that is known
  std::uint64_t bytes_read = 0;
  int margin = 0;                 // worst case over all segments
  unsigned homes = 0;             // that hold good rows of them
  std::uint64_t condemned = 0;    // segments that are needed and that a home was told may go; it is told otherwise now
  std::vector<HomeId> homes_bad;  // that gave wrong bytes, or hold bad rows
  /// That answer and lack the newest vault records or heads, or have them damaged: alone they bring nothing back.
  std::vector<HomeId> homes_lacking;
  std::vector<HomeRows> rows_by_home;  // of every home, in the order of the set
};

struct RepairReport {
  std::uint64_t segments = 0;
  std::uint64_t segments_changed = 0;
  std::uint64_t rows_made = 0;
  std::uint64_t bytes_stored = 0;
  std::uint64_t unrestorable = 0;
  int margin_before = 0;
  int margin = 0;
  unsigned homes = 0;          // that hold rows in the end
  bool two_histories = false;  // of a device, on homes that therefore cannot be given all heads
  /// That got the newest vault records or heads, which they lacked or had damaged, or had former records damaged.
  unsigned homes_mended = 0;
  /// That are there, but did not take all that they were to get, or do not even say what they hold: what was theirs is
  /// on the others as far as these took it.
  std::vector<HomeId> refusing;
};

struct WriteOptions {
  int compression_level = 1;          // zstd, 1 to 19
  std::size_t segment_bytes = 8_MiB;  // target plaintext size, at most 16 MiB
  /// Directories of durable segments that are held in memory before they go into the index.
  std::size_t unlisted_bytes = 8_MiB;
  /// Other devices may have moved what this one had proven: so much of what they put in its place is read and compared,
  /// so that it need not stay there too. What would be more stays, till a later session.
  std::uint64_t reread_bytes = 256_MiB;
};

/// How much of the newest state has to be there.
struct OpenHow {
  /// Of any device, not only of those shut out, the newest head that CAN be followed is taken. For recovery.
  bool newest_readable = false;
  /// Nothing that homes took later than this (Unix seconds, by their clocks): for vaults that an enemy wrote to.
  std::optional<std::int64_t> as_of_s = {};
  /// What devices that are shut out saved after that, too, unless it is distrusted.
  bool with_late = false;
  /// Whoever opens it holds the lock of the state folder, and keeps it while the vault is there.
  bool is_locked = false;
};

/// What a device that is shut out saved after its last good state, as far as the homes' clocks tell: not shown.
struct LateState {
  DeviceId device;
  std::int64_t newest_ns = 0;
  std::vector<std::size_t> members = {};  // that have it
};

/// A device whose newest believed head cannot be followed: parts of its index are on no home at hand, or it is locked.
struct UnreadHead {
  DeviceId device;
  std::optional<std::int64_t> newest_ns = {};  // where any home shows it
  std::optional<std::int64_t> used_ns = {};    // of the head that is used instead
  std::string reason = {};
  std::vector<std::size_t> members = {};  // that show the newest head
  bool is_locked = false;                 // sealed with keys of another recovery: the phrase opens both
};

/// The newest of a device that one home shows and no other: it goes where that home goes.
struct LoneHead {
  DeviceId device;
  std::int64_t newest_ns = 0;
  /// Homes take it from no other: it comes to them only as a part of what another device saves next.
  bool stays = false;
};

/// A device whose newest vault record is false or damaged on all homes at hand, so that one from before counts.
struct OlderRecord {
  DeviceId device;
  std::int64_t used_ns = 0;          // when the one was made that counts
  std::vector<std::size_t> members;  // where it is so
};

/// As what a chunk is needed: a reader goes on from it in each of these ways once.
enum class ChunkRole : std::uint8_t { content, page_list, page, chunk_list };

struct CollectOptions {
  std::vector<SnapshotId> forget{};  // snapshots that shall not be listed any more
  bool repack = true;                // false: only segments in which nothing is needed go
  bool dry_run = false;              // counts, changes nothing
  WriteOptions write{};
};

/// What was (with dry_run: would be) given up.
struct Collected {
  std::uint64_t forgotten = 0;           // snapshots
  std::uint64_t segments = 0;            // of content, before
  std::uint64_t segments_dropped = 0;    // nothing in them is needed
  std::uint64_t segments_repacked = 0;   // little in them is needed: it was moved together
  std::uint64_t moved_bytes = 0;         // plain, of the chunks that were moved
  std::uint64_t dead_bytes = 0;          // of content segments that go, by their size classes, less what was moved
  std::uint64_t stored_bytes = 0;        // put on homes in all
  std::uint64_t segments_condemned = 0;  // that any home was told now may go, old index segments among them
  std::uint64_t segments_unknown = 0;    // perhaps of another device's backup under way: left alone
  std::uint64_t segments_purged = 0;     // by homes, now: their hold was over. One in several homes counts each time
  std::uint64_t freed_bytes = 0;         // by that
  bool is_all_moved = true;              // false: homes were away, so what is left in nearly empty segments stays there
  std::string held_back{};               // why nothing could be collected; empty: it could
  std::vector<std::string> problems{};   // of homes, a line each
};

/// Forgets snapshots and gives space back: first every chunk that a staying snapshot needs is marked, then finish()
/// sweeps. Holds the vault's lock.
class Collector {
 public:
  virtual ~Collector() = default;
  /// Snapshots that have to be marked: all over all devices but the forgotten ones.
  virtual const std::vector<wire::SnapshotRecord>& staying() const = 0;
  /// True for the first call with this chunk and role. Errors: corrupt (it is in no segment: nothing may be collected).
  virtual Result<bool> mark(const ChunkId& chunk, ChunkRole role) = 0;
  /// Moves what is left in nearly empty segments, publishes an index without what is dead, and only then tells homes
  /// what may go. `problem`: why marking came to no end; then the snapshots are forgotten and nothing is collected.
  /// Errors: as Writer::finish().
  virtual Task<Result<Collected>> finish(std::optional<Error> problem, Progress progress) = 0;
};

class Vault {
 public:
  virtual ~Vault() = default;
  /// Reads heads from the homes, checks them (signatures, order, forks, rollback against what was seen) and loads the
  /// index, from the local cache as far as it is there. Homes that lie are reported to `homes`. Borrows all; they must
  /// live longer. Errors: unavailable (too few homes for the index), corrupt, denied.
  static Task<Result<std::unique_ptr<Vault>>> open(platform::Platform& platform, dispersal::HomeSet& homes,
                                                   State& state, const Device& device, const OpenRecord& record,
                                                   OpenHow how = {});

  virtual dispersal::HomeSet& homes() = 0;
  /// The records as homes and this computer have them now: newer than the one that open() was given, where this device
  /// wrote one or keys were tried.
  virtual const OpenRecord& record() const = 0;
  virtual const wire::VaultKeys& keys() const = 0;
  virtual dispersal::Level level() const = 0;
  /// Over all devices, oldest first: see snapshot_order.h.
  virtual const std::vector<wire::SnapshotRecord>& snapshots() const = 0;
  /// Newest head that is believed, its time, and how many reachable homes agree; for recovery's message.
  struct NewestHead {
    std::int64_t time_ns = 0;
    unsigned homes_agree = 0;
    unsigned homes_answered = 0;
  };
  virtual NewestHead newest_head() const = 0;
  /// Highest believed head of each device; of one with two histories that of each.
  virtual std::vector<wire::SeenHead> believed_heads() const = 0;
  /// What is not shown because it cannot be read now. It stays where it is, and is shown when the homes are back.
  virtual const std::vector<UnreadHead>& unread_heads() const = 0;
  virtual const std::vector<LateState>& late_states() const = 0;
  /// Files of the state folder that were found damaged, each with what is used instead.
  virtual const std::vector<std::string>& damaged_files() const = 0;
  /// This device signed two histories: its state was put back from an older copy. It must not write on.
  virtual bool is_forked() const = 0;
  /// A device that is shut out signed two histories, and no top was made from both yet: the next one is.
  virtual bool joins_histories() const = 0;
  /// When a home took a head last of those that are believed, by its own clock (Unix seconds): of one head the earliest
  /// that any home says.
  virtual std::optional<std::int64_t> newest_receipt_s() const = 0;

  /// False also where the last write session, check() or standing() found that its segment cannot be read now.
  virtual bool has(const ChunkId& chunk) const = 0;
  /// Errors: not_found.
  virtual Result<ChunkPlace> place_of(const ChunkId& chunk) const = 0;
  /// A place in none of these segments: for where those do not give the chunk. Few chunks have several (two devices
  /// stored it at one time, or it was stored again while its segment seemed lost). Errors: not_found.
  virtual Result<ChunkPlace> other_place_of(const ChunkId& chunk, const std::vector<std::uint32_t>& without) const = 0;
  /// Fetches a segment's bundles (all where `bundles` is empty). Errors: unavailable, corrupt.
  virtual Task<Result<std::shared_ptr<const OpenSegment>>> fetch(std::uint32_t segment,
                                                                 std::vector<std::uint32_t> bundles) = 0;
  /// One chunk, from any of its places, checked against its id; keeps a small cache of bundles. Errors: not_found,
  /// unavailable, corrupt.
  virtual Task<Result<Bytes>> read(ChunkId chunk) = 0;

  virtual Task<Result<std::unique_ptr<Writer>>> begin_write(const WriteOptions& options) = 0;

  /// Errors: busy; not_found (a snapshot that is not there).
  virtual Task<Result<std::unique_ptr<Collector>>> begin_collect(CollectOptions options) = 0;
  /// Segments that the believed heads need, that homes were told may go, and that were taken back since this vault was
  /// opened: another device forgot something while this one used it, or somebody wants to destroy.
  virtual std::uint64_t reprieved_segments() const = 0;
  /// Found by begin_write() and begin_collect().
  virtual const Displaced& displaced() const = 0;
  /// Homes give back what is due: only those whose condemned segments were compared with what is needed, which
  /// begin_write() and begin_collect() do. Adds to `report`.
  virtual Task<> collect_due(Collected& report) = 0;
  /// Takes back, signed by `identity`, what any home was told may go and the believed heads need: after a recovery.
  /// The number of segments. Errors: those of the index.
  virtual Task<Result<std::uint64_t>> reprieve_all(const primitives::SigningKey& identity) = 0;

  /// Counts rows of every live segment on the reachable homes; `read_percent` of segments are read and verified row by
  /// row (0: none).
  virtual Task<Result<CheckReport>> check(unsigned read_percent, Progress progress) = 0;
  /// The same counts from what homes list, without reading a card where all is there as planned: for every day.
  virtual Task<Result<CheckReport>> standing() = 0;
  /// Re-makes lost rows and those known to be bad (`read_all`: reads every row first), gives new homes their rows,
  /// vault records and heads. Homes that do not answer count as lost; what a home refuses (it is full, write-protected,
  /// fails) is planned again on the others. `without`: members that get nothing and whose rows
  /// do not count (about to be removed). Holds the lock. `dry_run`: counts what would be made, changes nothing.
  virtual Task<Result<RepairReport>> repair(bool read_all, std::vector<std::size_t> without, bool dry_run,
                                            Progress progress) = 0;

  /// Heads that count, or are late and not taken in, and that of the homes at hand this one alone shows; not those that
  /// a top which is followed was made from. As homes show them after the last repair().
  virtual std::vector<LoneHead> shown_only_by(std::size_t member) const = 0;
  /// As homes showed it when the vault was opened.
  virtual std::vector<OlderRecord> older_records() const = 0;
};

/// Gives every reachable home all vault records, and the heads it lacks. Members that took them.
/// `clock`: homes that do not answer in time are given up; without one a home that hangs is waited for.
Task<std::vector<std::size_t>> publish_records(dispersal::HomeSet& homes, const OpenRecord& record,
                                               platform::Clock* clock = nullptr);

/// What homes at hand show of a vault, unchecked.
struct SeenRecords {
  std::vector<Bytes> records{};  // signed, each once
  /// When a home first took one, by its own clock (Unix seconds), as far as any says so.
  std::map<RecordHash, std::int64_t> taken_s{};
  std::size_t damaged = 0;            // files of them that cannot be read
  std::vector<std::size_t> silent{};  // which of the homes did not answer in time
  /// Which of the others did not say what they keep, and why. Who keeps nothing has said so.
  std::map<std::size_t, Error> failed{};

  void take(Bytes signed_record, std::int64_t at_s);  // 0: not known
  /// The records of others, and when they were taken.
  void take_all(const SeenRecords& others);
  std::set<RecordHash> taken_after(std::int64_t unix_s) const;
};
/// Whether homes are asked for records that newer ones have replaced, too: a stolen computer may have written those.
enum class Ask : std::uint8_t { newest, former_too };
/// `clock` as above; the rest is waited for `least` at least where most have answered. Null among the homes: one that
/// is away.
Task<SeenRecords> seen_records(const std::vector<home::Home*>& homes, const VaultId& vault,
                               platform::Clock* clock = nullptr, Ask what = Ask::newest,
                               std::chrono::nanoseconds least = std::chrono::seconds(2));

}  // namespace mhp::vault
