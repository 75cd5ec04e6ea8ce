// The homes of one vault as one store: sends records out, gathers segments back, names the homes that fail or lie.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "dispersal/encode.h"
#include "dispersal/plan.h"
#include "home/home.h"
#include "platform/platform.h"
#include "primitives/sign/sign.h"
#include "wire/card.h"

namespace mhp::dispersal {

enum class TroubleKind {
  away,
  busy,  // another process writes to it
  full,
  read_only,  // it takes nothing from this user
  failed,
  slow,
  wrong_bytes,
  wrong_card,
  old_heads,
  forked_heads,
  wrong_record,
  damaged,
  refused,  // a computer does not let this one, or its owner, store anything
  bad_rows  // it says so itself: it has read what it holds
};

/// What a home did wrong, to be told to the owner; at most one of each kind per home is kept.
struct Trouble {
  HomeId home;
  std::string name;
  TroubleKind kind;
  std::string detail;  // for a person
  std::uint64_t count = 1;
};
/// True where it is bad, not merely away or slow: wrong bytes, cards, heads.
bool is_lie(TroubleKind kind);
/// True where the home took nothing more from then on, or cannot: it was away, busy, full, write-protected or failed,
/// or it refuses.
bool refuses_writes(TroubleKind kind);
/// For people: "wrong bytes", "away" ...
const char* to_string(TroubleKind kind);

/// A home as the set sees it.
struct Member {
  HomeId id;
  std::string name;
  std::unique_ptr<home::Home> home;  // null: away
  std::string away_reason;
  Errc away_code = Errc::unavailable;
  std::uint32_t domain = 0;  // homes on one disk share it
  std::uint32_t owner = 0;   // 0: the vault's owner; else a number for each other person who lends a home
  bool counts = true;        // false: shares the source's disk, or is on its way out
  bool read_only = false;    // seen when it was opened: nothing can be written to it
  bool is_computer = false;  // another one, over the network: nobody mounts it
  bool refuses = false;      // takes nothing from this computer, which was taken out of its cloud; it can be read
  /// How long it took till it was there; a second where nobody looked at the clock.
  std::chrono::duration<std::uint32_t, std::milli> reached_in{1000};
  /// False for a home that is not to be used here (usage): nobody misses it.
  bool is_wanted() const { return home != nullptr || away_code != Errc::usage; }
};

/// Owners of some of them, in that order, as make_plan() takes them.
std::vector<std::uint32_t> owners_of(const std::vector<Member>& members, const std::vector<std::size_t>& which);

/// Where the rows of a segment are now.
struct Holder {
  std::size_t member = 0;
  std::vector<std::uint8_t> rows;
  std::uint32_t card_version = 0;
};
struct Located {
  wire::Card card;  // the highest version with a good signature
  Bytes signed_card;
  std::vector<Holder> holders;
};

/// What was read: sealed bytes [offset, offset + bytes) and, where asked for, the salts. The bytes stay where the rows
/// were read to: a copy of them in one piece would cost as much memory again.
class Gathered {
 public:
  Gathered(wire::Card the_card, std::vector<ByteView> places, std::vector<Bytes> rows);
  Gathered(Gathered&&) = default;
  Gathered& operator=(Gathered&&) = default;
  Gathered(const Gathered&) = delete;  // its places would lie in the other's rows
  Gathered& operator=(const Gathered&) = delete;

  wire::Card card;
  std::vector<primitives::Hash> salts;

  /// The sealed bytes: places, one after the other.
  std::span<const ByteView> places() const { return places_; }
  std::uint64_t sealed_bytes() const { return sealed_bytes_; }
  /// A copy in one piece.
  Bytes sealed() const;
  /// Takes away up to `bytes` from the start, and returns a copy of them.
  Bytes take_front(std::size_t bytes);

 private:
  std::vector<ByteView> places_;
  std::vector<Bytes> rows_;
  std::uint64_t sealed_bytes_ = 0;
};

/// A row of a segment that a home listed and then did not give, or gave with other bytes.
struct WrongRow {
  std::size_t member = 0;
  SegmentId segment;
  std::uint8_t row = 0;
};

/// Told that a home is waited for, and who is writing to it.
using WaitsFor = std::function<void(const Member& home, const std::string& holder)>;

struct PutReport {
  std::vector<RowsFor> placed;  // rows that were accepted, by member
  unsigned rows = 0;
};

/// One vault's homes. On the loop; calls may overlap. "Members" are indexes into members().
class HomeSet {
 public:
  HomeSet(platform::Platform& platform, VaultId vault, std::vector<Member> members);
  ~HomeSet();

  const std::vector<Member>& members() const;
  std::size_t reachable() const;
  /// Wanted, and away.
  std::size_t missing() const;
  /// On how many homes something is that lies on these members: those that count; where none of these does, those that
  /// do not refuse.
  std::size_t number_counting(const std::set<std::size_t>& holding) const;
  /// Keys whose cards are believed: the vault's identity and all its certified devices.
  void trust(std::vector<primitives::PublicKey> signers);
  /// It does not count in the margin from now on, and nothing more is planned on it.
  void discount(std::size_t member);
  /// A home that failed during this run is not asked again for writing.
  void report(std::size_t member, TroubleKind kind, std::string detail);
  /// The same of a call that failed; the kind follows from the code.
  void report_failure(std::size_t member, const Error& error);
  /// A home that did not answer in time is away from now on, so that its silence is waited for once. Calls to it that
  /// are under way go on.
  void give_up(std::size_t member, std::string reason = "does not answer");
  /// The least that the rest is waited for where most homes have answered a question: eight times as long as it took to
  /// reach the slowest of those at hand, 1/2 to 2 seconds.
  std::chrono::nanoseconds fair_time() const;
  const std::vector<Trouble>& troubles() const;
  /// What reading has found wrong since the last call: whoever remembers which rows are bad takes it from here.
  std::vector<WrongRow> take_wrong_rows();
  /// Takes the locks of the homes at hand that let one program write at a time, one after the other in the order of
  /// their ids, and keeps them: of those who take them in one order nobody waits for who waits for him. `who`: for
  /// others who wait. Where somebody else writes to a home it is asked again and again until `patience`, which is for
  /// all of them, is over; `waits` is told once of each. One that is in use even then is reported as busy.
  Task<> begin_writing(std::string who, std::chrono::nanoseconds patience, WaitsFor waits);
  /// False where it is away or write-protected, refuses, or took nothing more during this run.
  bool takes_writes(std::size_t member) const;
  /// What kept a home from being opened or used and was this computer's own lack of open files or memory.
  const std::optional<Error>& exhausted() const;
  /// All bounds on waiting become longer by so much: the way to homes is slow by choice.
  void allow_longer(std::chrono::nanoseconds further);
  /// The errors, with the homes as their subject, where too few of them could be read (unavailable), or took what they
  /// were given (the code is what a person can do something about: full, busy, denied for write-protected or refusing,
  /// else unavailable). Both: exhausted where that was this computer's own lack.
  tl::unexpected<Error> too_few(std::string detail) const;
  tl::unexpected<Error> took_too_little(std::string detail) const;
  BufferPool& buffers();

  /// Plan and placement of a new segment over ALL members that count in the margin, away ones too (their rows are left
  /// out when putting); over all that do not refuse where none counts. Of more than 36 the first 36.
  /// Without those of `without`: as if they had gone already.
  Plan plan(Level level, const std::vector<std::size_t>& without = {}) const;
  std::vector<RowsFor> place_new(const Plan& plan, const SegmentId& segment) const;
  /// Rows that members lack of a segment by that plan, away ones too, as far as `located` knows.
  std::vector<RowsFor> lacking(const Located& located, Level level) const;
  /// The margin that a repair can reach now: of the plan over the members that answer. Less than that plan's own margin
  /// where homes share a disk; 0 where none answers.
  int repairable_margin(Level level) const;

  /// Sends the records, all homes in parallel; buffers go back to the pool. Homes that fail are reported and left out.
  /// Errors: took_too_little() when fewer than k distinct rows were accepted.
  Task<Result<PutReport>> put(EncodedSegment encoded);
  /// The same for rows or cards that are added to a segment that homes have already: any number of them is fine.
  Task<PutReport> put_more(EncodedSegment encoded);
  /// Makes durable on every home that was written to since its last commit. The members that did; a failed one is
  /// reported.
  Task<std::vector<std::size_t>> commit();

  /// What one member holds of a segment. Errors: unavailable where it is away; timed_out: it is named, and suspect;
  /// those of Home.
  Task<Result<home::Holding>> find(std::size_t member, SegmentId segment);
  /// It failed, was slow, or gave wrong bytes: who can ask another home asks it last.
  bool is_suspect(std::size_t member) const;
  /// Cards and rows of a segment over all reachable homes. Errors: not_found (no home has a good card), unavailable
  /// (none reachable).
  Task<Result<Located>> locate(SegmentId segment);
  /// Reads a range of the sealed bytes (to its end where `bytes` is 0), from the fastest homes: data rows first,
  /// another row for each that is missing, bad or slow; every byte is checked against the card. Errors: unavailable
  /// with "needs k rows, r found" naming the homes that are away; corrupt (none is away, and others gave wrong bytes);
  /// not_found.
  Task<Result<Gathered>> gather(SegmentId segment, std::uint64_t offset, std::uint64_t bytes, bool with_salts);
  Task<Result<Gathered>> gather(const Located& located, std::uint64_t offset, std::uint64_t bytes, bool with_salts);

  /// True where the last gather() of it came to nothing although no home is away that could help: what homes list of it
  /// is worth nothing, whichever of them is at fault.
  bool could_not_read(const SegmentId& segment) const;

  /// All segments of the vault that a member holds, in pages behind the scenes.
  Task<Result<std::vector<home::HeldSegment>>> list(std::size_t member);

  /// Checks the bytes of every row that a member holds of a segment against the card, and that its own card is there.
  /// Bad rows.
  Task<Result<std::vector<std::uint8_t>>> verify_rows(std::size_t member, const Located& located);

  /// The worst-case number of homes that may be lost for this placement of one segment.
  int margin_of(const std::vector<RowsFor>& placed, unsigned k) const;
  int margin_of(const Located& located) const;

 private:
  Task<Result<Gathered>> gather_by(const Located& located, std::uint64_t offset, std::uint64_t bytes, bool with_salts,
                                   std::vector<WrongRow>& wrong);
  Task<std::vector<std::uint8_t>> rows_at_risk(std::size_t member, SegmentId segment, std::vector<std::uint8_t> rows);

  struct State;
  std::unique_ptr<State> state_;
};

/// What is to be made so that a segment follows the plan on the homes at hand. Pure.
/// @param holders  rows that are there and good, by member;  usable: members to plan on, in order;
/// owners: of these, as make_plan() takes them; empty: all of them are the vault owner's own.
/// Rows that nobody holds are given first, then new numbers up to 254. Never takes a row away. Empty: nothing to do.
std::vector<RowsFor> plan_repair(const std::vector<Holder>& holders, const std::vector<std::size_t>& usable,
                                 Level level, unsigned known_rows, const SegmentId& segment,
                                 std::span<const std::uint32_t> owners = {});

}  // namespace mhp::dispersal
