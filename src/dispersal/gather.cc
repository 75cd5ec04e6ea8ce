// Reads a range of a segment from the fastest homes: data rows first, another for each that is missing, bad or slow.
#include <algorithm>
#include <array>
#include <tuple>

#include "base/check.h"
#include "dispersal/impl/set.h"
#include "primitives/erasure/row_code.h"

namespace mhp::dispersal::impl {
namespace {

using primitives::Hash;
using primitives::kLeafBytes;

constexpr unsigned kMaxAttempts = 3;  // reads of one row from a home that gave it before: more columns are asked for

/// Payload leaves [first, end) of a row: columns [first * 64 KiB, end * 64 KiB), as far as the row goes.
struct Leaves {
  std::uint32_t first = 0;
  std::uint32_t end = 0;
  bool empty() const { return first >= end; }
  bool cover(const Leaves& other) const { return other.empty() || (first <= other.first && other.end <= end); }
};

/// The smallest range that covers both.
Leaves hull(const Leaves& a, const Leaves& b) {
  if (a.empty()) return b;
  if (b.empty()) return a;
  return {std::min(a.first, b.first), std::max(a.end, b.end)};
}

struct Row {
  std::uint8_t number = 0;
  std::vector<std::size_t> untried;  // holders that have not been asked for it
  Leaves wanted;                     // of a data row: what the answer needs of it
  std::optional<Fetched> got;        // checked
  std::size_t from = 0;              // who gave it
  unsigned attempts = 0;

  Leaves have() const { return got ? Leaves{got->first_leaf, got->end_leaf} : Leaves{}; }
  bool covers(const Leaves& leaves) const { return got && have().cover(leaves); }
  bool satisfied() const { return wanted.empty() || covers(wanted); }
};

/// One request under way.
struct Read {
  std::size_t row = 0;  // index in rows_
  std::size_t member = 0;
  Leaves leaves;
  Nanoseconds started{};
  bool late = false;  // others are asked instead; it may still come
  bool over = false;  // came, failed or was given up
};

class Gatherer {
 public:
  Gatherer(Set& set, const Located& located, std::uint64_t offset, std::uint64_t bytes, bool with_salts)
      : set_(set),
        card_(located.card),
        offset_(offset),
        bytes_(bytes),
        with_salts_(with_salts),
        course_(set.platform),
        load_(set.members.size()),
        is_late_(set.members.size()) {
    rows_.resize(card_.n());
    for (std::size_t i = 0; i < rows_.size(); ++i) rows_[i].number = static_cast<std::uint8_t>(i);
    for (const Holder& holder : located.holders) {
      if (holder.member >= set.members.size() || set.members[holder.member].home == nullptr) continue;
      for (std::uint8_t row : holder.rows) {
        if (row < rows_.size()) rows_[row].untried.push_back(holder.member);
      }
    }
    for (std::uint64_t row = offset / card_.row_bytes; row * card_.row_bytes < offset + bytes; ++row) {
      const auto [from, to] = columns_of(row);
      rows_[row].wanted = {static_cast<std::uint32_t>(from / kLeafBytes),
                           static_cast<std::uint32_t>((to + kLeafBytes - 1) / kLeafBytes)};
    }
  }

  /// `wrong`: grows by the rows that homes gave wrong by this card.
  Task<Result<Gathered>> run(std::vector<WrongRow>& wrong) {
    co_await course_.run(read_enough());
    name_the_slow();
    for (const auto& [member, row] : wrong_) wrong.push_back({.member = member, .segment = card_.segment, .row = row});
    if (!complete()) co_return too_few();
    auto job = [this] { return assemble(); };
    Result<Gathered> made = co_await set_.platform.workers().run(job);
    co_return made;
  }

 private:
  // ---- reading ----

  Task<> read_enough() {
    for (;;) {
      judge_the_late();
      if (complete()) break;
      start_reads();
      const bool waiting = std::any_of(reads_.begin(), reads_.end(), [](const Read& read) { return !read.over; });
      if (!waiting) break;
      course_.wake_at(next_deadline());
      co_await course_.next();
    }
  }

  Task<> read_one(std::size_t index) {
    const std::size_t member = reads_[index].member;
    Row& row = rows_[reads_[index].row];
    const Leaves leaves = reads_[index].leaves;
    const bool knows_front = row.got.has_value();
    wire::FragmentFront front;
    if (knows_front) front = row.got->front;
    Result<Fetched> got = co_await fetch_row(set_, *set_.members[member].home, card_, row.number, leaves.first,
                                             leaves.end, knows_front ? &front : nullptr);
    Read& read = reads_[index];  // the vector may have grown meanwhile
    --load_[member];
    const Nanoseconds took = course_.now() - read.started;
    const bool given_up = std::exchange(read.over, true);
    if (!got) {
      note_failure(member, row.number, got.error());
      co_return;
    }
    if (!given_up) finished_.push_back(took);
    set_.note_read(took);
    if (took >= kSlow) note_slow(member, took);
    if (!row.got || got->end_leaf - got->first_leaf >= row.have().end - row.have().first) {
      row.got = std::move(*got);
      row.from = member;
    }
  }

  void note_failure(std::size_t member, std::uint8_t row, const Error& error) {
    if (error.code == Errc::invalid) return;  // the card's fault, see fetch.cc
    const bool lie = error.code == Errc::corrupt || error.code == Errc::not_found;
    const std::string where = error.code == Errc::not_found ? "it lacks a row it said it has: " : "";
    const std::string detail = "segment " + card_.segment.short_hex() + ": " + where + error.detail;
    if (!lie) set_.suspect(member);
    if (!lie) return set_.report_failure(member, Error{error.code, detail});
    set_.distrust(member);
    wrong_.emplace_back(member, row);
    set_.report(member, TroubleKind::wrong_bytes, detail);
  }

  void note_slow(std::size_t member, Nanoseconds took) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
    set_.report(member, TroubleKind::slow, "a read took more than " + std::to_string(ms) + " ms");
  }

  void judge_the_late() {
    const Nanoseconds now = course_.now();
    const Nanoseconds fair = hedge_delay(finished_, set_.recent_reads);
    for (Read& read : reads_) {
      if (read.over) continue;
      if (now >= read.started + fair) read.late = is_late_[read.member] = true;
      if (now < read.started + set_.patience.read()) continue;
      read.over = true;
      note_slow(read.member, now - read.started);
      set_.suspect(read.member);
    }
  }

  Nanoseconds next_deadline() {
    const Nanoseconds fair = hedge_delay(finished_, set_.recent_reads);
    Nanoseconds next = Nanoseconds::max();
    for (const Read& read : reads_) {
      if (!read.over) next = std::min(next, read.started + (read.late ? set_.patience.read() : fair));
    }
    return next;
  }

  /// Late when all is there: another home was asked in their place, or could have been.
  void name_the_slow() {
    for (const Read& read : reads_) {
      if (read.over || !read.late) continue;
      note_slow(read.member, course_.now() - read.started);
      set_.suspect(read.member);
    }
  }

  // ---- what is needed ----

  /// A read of the row that is under way, in time, and will cover `leaves`.
  bool expected(std::size_t row, const Leaves& leaves) const {
    return std::any_of(reads_.begin(), reads_.end(), [&](const Read& read) {
      return read.row == row && !read.over && !read.late && read.leaves.cover(leaves);
    });
  }

  template <class Has>
  std::size_t count_rows(Has has) const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < rows_.size(); ++i) count += has(i) ? 1 : 0;
    return count;
  }

  /// Columns that must be there of k rows because wanted rows are not coming; empty where all are.
  template <class Coming>
  Leaves to_decode(Coming coming) const {
    Leaves all;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (!rows_[i].satisfied() && !coming(i)) all = hull(all, rows_[i].wanted);
    }
    return all;
  }

  bool complete() const {
    const Leaves columns = to_decode([](std::size_t) { return false; });
    if (!columns.empty() && count_rows([&](std::size_t i) { return rows_[i].covers(columns); }) < card_.k) return false;
    return !with_salts_ || count_rows([&](std::size_t i) { return rows_[i].got.has_value(); }) >= card_.k;
  }

  void start_reads() {
    read_wanted();
    const Leaves columns = to_decode([this](std::size_t i) { return expected(i, rows_[i].wanted); });
    if (!columns.empty()) read_until_k(columns);
    if (with_salts_) read_until_k({});
  }

  /// Each wanted row from a holder that was not asked yet. A row that only a suspect has is left for the others to make
  /// up.
  void read_wanted() {
    const bool enough_without =
        count_rows([this](std::size_t i) {
          return rows_[i].got || std::any_of(rows_[i].untried.begin(), rows_[i].untried.end(),
                                             [this](std::size_t member) { return !is_doubtful(member); });
        }) >= card_.k;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      Row& row = rows_[i];
      if (row.satisfied() || row.untried.empty() || expected(i, row.wanted)) continue;
      if (enough_without && is_doubtful(best_holder(row))) continue;
      start(i, row.wanted);
    }
  }

  /// Further rows until k cover `columns` or are on their way to.
  void read_until_k(const Leaves& columns) {
    auto counts = [&](std::size_t i) { return rows_[i].covers(columns) || expected(i, columns); };
    while (count_rows(counts) < card_.k) {
      std::optional<std::size_t> best;
      for (std::size_t i = 0; i < rows_.size(); ++i) {
        if (counts(i) || !can_read(rows_[i])) continue;
        if (!best || rank(rows_[i]) < rank(rows_[*best])) best = i;
      }
      if (!best) return;
      start(*best, columns);
    }
  }

  bool is_doubtful(std::size_t member) const { return is_late_[member] || set_.is_suspect(member); }

  bool can_read(const Row& row) const { return (row.got && row.attempts < kMaxAttempts) || !row.untried.empty(); }

  std::size_t best_holder(const Row& row) const {
    return *std::min_element(row.untried.begin(), row.untried.end(), [this](std::size_t a, std::size_t b) {
      return std::tuple(is_doubtful(a), load_[a]) < std::tuple(is_doubtful(b), load_[b]);
    });
  }

  /// Who would be asked for a row; one that gave it before is asked again for more columns.
  std::size_t next_holder(const Row& row) const {
    return row.got && row.attempts < kMaxAttempts ? row.from : best_holder(row);
  }

  /// Lower is better: trusted homes, idle homes, data rows.
  std::tuple<bool, std::size_t, std::uint8_t> rank(const Row& row) const {
    const std::size_t member = next_holder(row);
    return {is_doubtful(member), load_[member], row.number};
  }

  void start(std::size_t index, const Leaves& leaves) {
    Row& row = rows_[index];
    const std::size_t member = next_holder(row);
    std::erase(row.untried, member);
    ++row.attempts;
    ++load_[member];
    Leaves all = hull(leaves, row.have());
    if (!row.satisfied()) all = hull(all, row.wanted);
    reads_.push_back({.row = index, .member = member, .leaves = all, .started = course_.now()});
    course_.start(read_one(reads_.size() - 1));
  }

  /// Who can help is said first: homes that are away. Where none is, and what the others gave is wrong, it is damaged.
  tl::unexpected<Error> too_few() const {
    const std::size_t found = count_rows([this](std::size_t i) { return rows_[i].got.has_value(); });
    const std::string count = "segment " + card_.segment.short_hex() + " needs " + std::to_string(card_.k) + " rows, " +
                              std::to_string(found) + " found";
    const std::vector<std::string> away = set_.names_away();
    if (!away.empty()) {
      return set_.too_few(homes_needed(away, found) + " (" + count + set_.troubles_in_words(/*without_away=*/true) +
                          ")");
    }
    const std::string all = count + set_.troubles_in_words();
    const bool may_come = set_.has_trouble(TroubleKind::failed) || set_.has_trouble(TroubleKind::slow) ||
                          set_.has_trouble(TroubleKind::away) || set_.exhausted;
    if (!wrong_.empty() && !may_come)
      return fail(Errc::corrupt, all + "; no home is away: the others are damaged or lost");
    return set_.too_few(all);
  }

  /// As far as a plan tells that gives each home as many rows.
  std::string homes_needed(const std::vector<std::string>& away, std::size_t found) const {
    const std::size_t share = (card_.n() + set_.members.size() - 1) / set_.members.size();
    const std::size_t lacking = card_.k - std::min<std::size_t>(found, card_.k - 1);
    const std::size_t needed = std::min(away.size(), (lacking + share - 1) / share);
    std::string names;
    for (const std::string& name : away) names += (names.empty() ? "" : ", ") + name;
    if (away.size() == 1) return "one more home is needed: " + names;
    if (needed == away.size()) return "these homes are needed as well: " + names;
    return (needed == 1 ? "one more of these homes is" : std::to_string(needed) + " more of these homes are") +
           " needed: " + names;
  }

  // ---- the answer ----

  /// Columns of data row `row` that the answer needs.
  std::pair<std::uint64_t, std::uint64_t> columns_of(std::uint64_t row) const {
    const std::uint64_t start = row * card_.row_bytes;
    return {offset_ > start ? offset_ - start : 0, std::min<std::uint64_t>(card_.row_bytes, offset_ + bytes_ - start)};
  }

  /// Column `column` of a row that was read.
  static const std::byte* at(const Row& row, std::uint64_t column) {
    return row.got->bytes.data() + row.got->payload_at + (column - row.got->first_leaf * std::uint64_t{kLeafBytes});
  }

  /// Runs in a worker, when nothing else touches this any more. The rows that are in the answer go with it.
  Result<Gathered> assemble() {
    std::vector<Hash> salts;
    if (with_salts_) {
      MHP_TRY(salts, decode_salts());
    }
    MHP_TRY(Decoded decoded, decode());
    std::vector<ByteView> places;
    std::vector<Bytes> kept;
    auto next = decoded.rows.begin();
    for (Row& row : rows_) {
      if (row.wanted.empty()) continue;
      const auto [from, to] = columns_of(row.number);
      const bool came = row.satisfied();
      places.emplace_back(came ? at(row, from) : next->data() + (from - decoded.from), to - from);
      kept.push_back(std::move(came ? row.got->bytes : *next++));
    }
    Gathered out(card_, std::move(places), std::move(kept));
    out.salts = std::move(salts);
    return out;
  }

  /// Wanted rows that did not come, in order, from one column on.
  struct Decoded {
    std::uint64_t from = 0;
    std::vector<Bytes> rows;
  };

  Result<Decoded> decode() const {
    std::vector<std::uint8_t> lost;
    for (const Row& row : rows_) {
      if (!row.satisfied()) lost.push_back(row.number);
    }
    if (lost.empty()) return Decoded();
    const Leaves leaves = to_decode([](std::size_t) { return false; });
    const std::uint64_t from = std::uint64_t{leaves.first} * kLeafBytes;
    const std::uint64_t to = std::min<std::uint64_t>(card_.row_bytes, std::uint64_t{leaves.end} * kLeafBytes);
    std::vector<std::uint8_t> have;
    std::vector<const std::byte*> in;
    for (const Row& row : rows_) {
      if (have.size() == card_.k || !row.covers(leaves)) continue;
      have.push_back(row.number);
      in.push_back(at(row, from));
    }
    MHP_TRY(const primitives::RowCode code, primitives::RowCode::make(have, lost));
    Decoded made{.from = from, .rows = std::vector<Bytes>(lost.size(), Bytes(to - from))};
    std::vector<std::byte*> out;
    for (Bytes& row : made.rows) out.push_back(row.data());
    code.apply(to - from, in, out);
    return made;
  }

  Result<std::vector<Hash>> decode_salts() const {
    std::vector<std::uint8_t> have;
    std::vector<const std::byte*> in;
    for (const Row& row : rows_) {
      if (have.size() == card_.k || !row.got) continue;
      have.push_back(row.number);
      in.push_back(row.got->front.salt.data());
    }
    std::vector<std::uint8_t> want(card_.k);
    for (std::size_t i = 0; i < want.size(); ++i) want[i] = static_cast<std::uint8_t>(i);
    MHP_TRY(const primitives::RowCode code, primitives::RowCode::make(have, want));
    std::vector<Hash> salts(card_.k);
    std::vector<std::byte*> made;
    for (Hash& salt : salts) made.push_back(salt.data());
    code.apply(sizeof(Hash), in, made);
    return salts;
  }

  Set& set_;
  const wire::Card& card_;
  const std::uint64_t offset_;
  const std::uint64_t bytes_;
  const bool with_salts_;
  std::vector<std::pair<std::size_t, std::uint8_t>> wrong_;  // member, row
  Course course_;
  std::vector<Row> rows_;  // by number
  std::vector<Read> reads_;
  std::vector<std::size_t> load_;  // reads under way, by member
  std::vector<bool> is_late_;      // by member: it kept this gathering waiting
  std::vector<Nanoseconds> finished_;
};

}  // namespace

Task<Result<Gathered>> gather(Set& set, const Located& located, std::uint64_t offset, std::uint64_t bytes,
                              bool with_salts, std::vector<WrongRow>& wrong) {
  Gatherer gatherer(set, located, offset, bytes, with_salts);
  Result<Gathered> got = co_await gatherer.run(wrong);
  co_return got;
}

}  // namespace mhp::dispersal::impl
