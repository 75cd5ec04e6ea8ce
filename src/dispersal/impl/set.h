// What a HomeSet knows of its homes, shared by the operations on it.
#pragma once

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "dispersal/home_set.h"
#include "dispersal/impl/course.h"
#include "wire/fragment.h"

namespace mhp::dispersal::impl {

/// Waits on homes: none is without a bound.
constexpr Nanoseconds kLeastHedge =
    std::chrono::milliseconds(150);                           // no other home is asked before, where others were quick
constexpr Nanoseconds kBlindHedge = std::chrono::seconds(1);  // the same where none has answered yet: drives spin up
constexpr Nanoseconds kSlow = std::chrono::seconds(2);        // an answer after this is told to the owner
/// As long as the slowest drive that is of use needs for what it was given since its last commit (it may all lie in a
/// cache that a sync has to empty), and a minute in which nothing moves.
constexpr Nanoseconds kWriteStall = std::chrono::seconds(60);
constexpr std::uint64_t kLeastWriteBytesPerSecond = 512 << 10;
/// Where most homes have taken their parts of a segment, or made durable what they have, the rest are waited for so
/// many times as long as the slowest of those took, and at least so long.
constexpr int kWritePatienceTimes = 8;
constexpr Nanoseconds kLeastFairWrite = std::chrono::seconds(2);
/// See HomeSet::fair_time().
constexpr int kFairTimes = 8;
constexpr Nanoseconds kLeastFair = std::chrono::milliseconds(500);
constexpr Nanoseconds kMostFair = std::chrono::seconds(2);

/// Then a call of a home counts as failed.
struct Patience {
  Nanoseconds further{};  // for all; see HomeSet::allow_longer
  /// A read, or a question.
  Nanoseconds read() const { return further + std::chrono::seconds(30); }
  /// What one home has of one segment, where another can be asked too.
  Nanoseconds find(Nanoseconds fair) const { return further + 4 * fair; }
  /// A page of a list.
  Nanoseconds list() const { return further + std::chrono::minutes(2); }
  /// A put or commit of a home that was given so much since its last commit.
  Nanoseconds write(std::uint64_t given_bytes) const {
    return further + kWriteStall + std::chrono::seconds(given_bytes / kLeastWriteBytesPerSecond);
  }
};
/// After a fault a home is asked last for so long; twice as long after each further one, up to the second.
constexpr Nanoseconds kSuspicion = std::chrono::seconds(30);
constexpr Nanoseconds kLongestSuspicion = std::chrono::minutes(10);
constexpr std::size_t kRecentReads = 64;  // whose times are remembered: how long a read may fairly take
/// Of what homes have taken since their last commit, where most have made theirs durable already.
constexpr std::uint64_t kFairCommitBytesPerSecond = 2 << 20;

/// Wrong rows that wait to be taken; what comes after that is found again by the next reading.
constexpr std::size_t kMaxWrongRows = 10'000;

struct Standing {
  bool no_writes = false;         // failed, full or away during this run
  bool dirty = false;             // written to since its last commit
  std::uint64_t given_bytes = 0;  // since then, also what is still on its way
  std::uint64_t taken_bytes = 0;  // since then
  Nanoseconds suspect_until{};    // by the steady clock; others are preferred until then
  Nanoseconds suspicion{};        // how long the last one was for
};

struct Set {
  Set(platform::Platform& machine, const VaultId& of, std::vector<Member> all)
      : platform(machine), vault(of), members(std::move(all)), standings(members.size()) {}

  platform::Platform& platform;
  VaultId vault;
  std::vector<Member> members;
  std::vector<Standing> standings;                    // by member
  std::vector<std::unique_ptr<home::Home>> given_up;  // calls to them may be under way
  std::set<primitives::PublicKey> trusted;
  std::vector<Trouble> troubles;
  std::vector<WrongRow> wrong_rows;       // not taken yet, see HomeSet
  std::set<SegmentId> unreadable;         // see HomeSet::could_not_read
  std::optional<Error> exhausted;         // what failed here and not at a home
  std::vector<Nanoseconds> recent_reads;  // the last ones, in no order
  std::size_t next_read = 0;              // which of them goes first
  Patience patience;
  std::shared_ptr<BufferPool> buffers = std::make_shared<BufferPool>();  // shared with drives that hang in a put

  void report(std::size_t member, TroubleKind kind, std::string detail);
  void note_wrong(const std::vector<WrongRow>& rows);
  /// Of how reading a segment ended.
  void note_readable(const SegmentId& segment, const Result<Gathered>& got) {
    if (got) unreadable.erase(segment);
    if (!got && got.error().code == Errc::corrupt) unreadable.insert(segment);
  }
  /// A call to a home failed: reports it, and remembers where it was this computer that was exhausted.
  void report_failure(std::size_t member, const Error& error);
  /// See HomeSet.
  tl::unexpected<Error> too_few(std::string detail) const;
  tl::unexpected<Error> took_too_little(std::string detail) const;
  /// It failed, or was slow.
  void suspect(std::size_t member);
  /// It gave wrong bytes: asked last for as long as this set lives.
  void distrust(std::size_t member) { standings[member].suspect_until = Nanoseconds::max(); }
  /// It has what the others had long taken not yet, and gets nothing more.
  void leave_behind(std::size_t member, std::string detail);
  void note_read(Nanoseconds took);
  bool is_suspect(std::size_t member) const { return standings[member].suspect_until > platform.clock().steady(); }
  /// "; away: Drive A, Drive B; slow: Drive C", empty where there is no trouble; `without_away`: of the others only.
  std::string troubles_in_words(bool without_away = false) const;
  /// Homes that are not there, or gave no answer in time.
  std::vector<std::string> names_away() const;
  bool has_trouble(TroubleKind kind) const {
    return std::ranges::find(troubles, kind, &Trouble::kind) != troubles.end();
  }
  /// A home's name, with its id where several have that name.
  std::string called(const Trouble& trouble) const { return called(trouble.name, trouble.home); }
  std::string called(const std::string& name, const HomeId& id) const;
};

/// How long to wait for a request before another home is asked: twice the median of what finished; where nothing has
/// yet, twice as long as nine of ten recent ones took. Sorts both.
Nanoseconds hedge_delay(std::vector<Nanoseconds>& finished, std::vector<Nanoseconds>& recent);

/// `patient`: waits for every home (within bounds), to know all rows; else stops when the segment can be read and the
/// rest are slow. Never empty: the first is to be believed, the others where that one cannot be read (card_choice.h).
/// Where cards contradict each other, the first half has each with the homes that agree with it, the second with all
/// homes.
Task<Result<std::vector<Located>>> locate(Set& set, SegmentId segment, bool patient);
/// Range checked by the caller. `located` must live until it is done. `wrong`: grows by rows that homes gave wrong, if
/// it is the right card. Errors: too_few(); corrupt where no home is away and what the others gave is wrong.
Task<Result<Gathered>> gather(Set& set, const Located& located, std::uint64_t offset, std::uint64_t bytes,
                              bool with_salts, std::vector<WrongRow>& wrong);

/// A part of a fragment, checked.
struct Fetched {
  wire::FragmentFront front;
  std::uint32_t first_leaf = 0;  // of the payload, from 0
  std::uint32_t end_leaf = 0;
  Bytes bytes;
  std::size_t payload_at = 0;  // where the payload of first_leaf starts in bytes
};
/// Payload leaves [first_leaf, end_leaf) of a row, and more where that saves a read; only the front where there are
/// none.
/// @param front  known already, or null.  `home` and `card` must live until it is done.
/// Errors: as Home::read; corrupt where the bytes are not the card's; timed_out.
Task<Result<Fetched>> fetch_row(Set& set, home::Home& home, const wire::Card& card, std::uint8_t row,
                                std::uint32_t first_leaf, std::uint32_t end_leaf, const wire::FragmentFront* front);

}  // namespace mhp::dispersal::impl

namespace mhp::dispersal {

struct HomeSet::State : impl::Set {
  using Set::Set;
};

}  // namespace mhp::dispersal
