// Writing to homes: who else writes, the rows of one segment, making them durable. Who is slow is left behind.
#include <algorithm>
#include <bitset>
#include <set>
#include <utility>

#include "dispersal/impl/set.h"
#include "platform/round.h"

namespace mhp::dispersal {

namespace {

using impl::Nanoseconds;

constexpr Nanoseconds kLockLimit = std::chrono::seconds(20);  // a drive may have to start turning
constexpr Nanoseconds kBetweenAsks = std::chrono::milliseconds(100);

std::string in_seconds(Nanoseconds time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count()) + " seconds";
}

/// All borrowed: the caller awaits it. The refusal, where somebody else writes to the home till `until`, or it hangs.
/// What else keeps it from being written to the first write will say.
Task<std::optional<Error>> take_lock(impl::Set& set, const Member& member, const std::string& who, Nanoseconds until,
                                     const WaitsFor& waits) {
  for (bool is_told = false;; is_told = true) {
    Task<Result<void>> ask = member.home->begin_writing(who);
    const std::optional<Result<void>> done = co_await impl::within(set.platform, kLockLimit, std::move(ask));
    if (!done) co_return Error{Errc::timed_out, "did not answer within " + in_seconds(kLockLimit)};
    if (*done || done->error().code != Errc::busy) co_return std::nullopt;
    if (set.platform.clock().steady() >= until) co_return done->error();
    if (!is_told) waits(member, done->error().detail);
    co_await set.platform.clock().sleep(kBetweenAsks);
  }
}

}  // namespace

Task<> HomeSet::begin_writing(std::string who, std::chrono::nanoseconds patience, WaitsFor waits) {
  const Nanoseconds until = state_->platform.clock().steady() + patience;
  std::vector<std::size_t> in_order;
  for (std::size_t i = 0; i < state_->members.size(); ++i) {
    if (takes_writes(i)) in_order.push_back(i);
  }
  std::ranges::sort(in_order, {}, [this](std::size_t member) { return state_->members[member].id; });
  for (const std::size_t member : in_order) {
    const auto refused = co_await take_lock(*state_, state_->members[member], who, until, waits);
    if (refused) state_->report_failure(member, *refused);
  }
}

namespace {

/// The records of one segment; their buffers go back to the pool however the sending ends.
struct Load {
  BufferPool& pool;
  EncodedSegment encoded;
  ~Load() {
    for (Shipment& shipment : encoded.shipments) pool.give(std::move(shipment.buffer));
  }
};

/// A buffer that a home works on: it goes back to the pool when the home is done with it, even where nobody waits.
struct Lent {
  Lent(std::shared_ptr<BufferPool> of, AlignedBuffer bytes) : pool(std::move(of)), buffer(std::move(bytes)) {}
  Lent(const Lent&) = delete;
  Lent& operator=(const Lent&) = delete;
  ~Lent() { pool->give(std::move(buffer)); }

  std::shared_ptr<BufferPool> pool;
  AlignedBuffer buffer;
};

/// One segment on its way to homes.
struct PutState {
  impl::Set& set;
  platform::Nursery& nursery;
  Nanoseconds began;
  unsigned enough = 0;  // rows on homes, from which on the rest are not waited for without end
  PutReport report = {};
  std::bitset<256> rows = {};
  std::set<std::size_t> under_way = {};
  unsigned alarms = 0;

  Nanoseconds took() const { return set.platform.clock().steady() - began; }
  void start(Shipment& shipment);
  void done_with(std::size_t member);
};

/// Nothing where another home came to its end meanwhile: then a later alarm counts.
Task<> leave_behind_after(Nanoseconds time, PutState& out, unsigned alarm) {
  co_await out.set.platform.clock().sleep(time);
  if (alarm == out.alarms) out.nursery.cancel();
}

void PutState::done_with(std::size_t member) {
  under_way.erase(member);
  if (under_way.empty()) return nursery.cancel();  // an alarm
  if (rows.count() < enough) return;
  const Nanoseconds now = took();
  const Nanoseconds fair = std::max(impl::kLeastFairWrite, impl::kWritePatienceTimes * now);
  nursery.start(leave_behind_after(fair - now, *this, ++alarms));
}

std::string in_milliseconds(Nanoseconds time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(time).count()) + " ms";
}

Task<> put_record(Shipment& shipment, PutState& out) {
  impl::Set& set = out.set;
  const std::size_t member = shipment.home;
  const std::size_t bytes = shipment.front.record_bytes;
  set.standings[member].given_bytes += bytes;
  const Nanoseconds patience = set.patience.write(set.standings[member].given_bytes);
  auto lent = std::make_shared<Lent>(set.buffers, std::exchange(shipment.buffer, AlignedBuffer()));
  const MutableBytes record = lent->buffer.bytes().first(bytes);
  Task<Result<void>> put = set.members[member].home->put(record, std::move(lent));
  std::optional<Result<void>> done = co_await impl::within(set.platform, patience, std::move(put));
  if (!done) {
    set.report(member, TroubleKind::failed, "took no record within " + in_seconds(patience));
    co_return;
  }
  if (!*done) {
    set.report_failure(member, done->error());
    co_return;
  }
  set.standings[member].dirty = true;
  set.standings[member].taken_bytes += bytes;
  RowsFor placed{.home = member, .rows = {}};
  for (const wire::RecordRow& row : shipment.front.rows) {
    placed.rows.push_back(row.row);
    out.rows.set(row.row);
  }
  out.report.placed.push_back(std::move(placed));
}

Task<> put_one(Shipment& shipment, PutState& out) {
  co_await put_record(shipment, out);
  out.done_with(shipment.home);
}

void PutState::start(Shipment& shipment) {
  under_way.insert(shipment.home);
  nursery.start(put_one(shipment, *this));
}

/// Half of the spare rows may be lacking when homes are left behind: 'mhp repair' makes them again.
unsigned enough_rows(const wire::Card& card) { return card.n() - (card.n() - card.k) / 2; }

}  // namespace

Task<PutReport> HomeSet::put_more(EncodedSegment encoded) {
  Load load{.pool = *state_->buffers, .encoded = std::move(encoded)};
  platform::Nursery nursery(state_->platform.executor());
  PutState out{.set = *state_,
               .nursery = nursery,
               .began = state_->platform.clock().steady(),
               .enough = enough_rows(load.encoded.card)};
  for (Shipment& shipment : load.encoded.shipments) {
    const Member& member = state_->members.at(shipment.home);
    if (member.home == nullptr)
      report(shipment.home, TroubleKind::away, member.away_reason);
    else if (member.refuses)
      report(shipment.home, TroubleKind::refused, "takes nothing from this computer, which was taken out");
    else if (!state_->standings[shipment.home].no_writes)
      out.start(shipment);
  }
  co_await nursery.join();
  for (const std::size_t member : out.under_way) {
    state_->leave_behind(member, "took no record within " + in_milliseconds(out.took()) +
                                     ", when the other homes had long taken theirs");
  }
  out.report.rows = static_cast<unsigned>(out.rows.count());
  std::sort(out.report.placed.begin(), out.report.placed.end(),
            [](const RowsFor& a, const RowsFor& b) { return a.home < b.home; });
  co_return std::move(out.report);
}

Task<Result<PutReport>> HomeSet::put(EncodedSegment encoded) {
  const unsigned k = encoded.card.k;
  PutReport report = co_await put_more(std::move(encoded));
  if (report.rows >= k && !state_->exhausted) co_return report;
  co_return state_->took_too_little("needs " + std::to_string(k) + " rows on homes, " + std::to_string(report.rows) +
                                    " were taken" + state_->troubles_in_words());
}

namespace {

Task<> commit_one(impl::Set& set, std::size_t member, std::vector<std::size_t>& durable, std::set<std::size_t>& asked,
                  platform::Round& round) {
  const std::uint64_t given_bytes = std::exchange(set.standings[member].given_bytes, 0);
  const Nanoseconds patience = set.patience.write(given_bytes);
  Task<Result<void>> commit = set.members[member].home->commit();
  std::optional<Result<void>> done = co_await impl::within(set.platform, patience, std::move(commit));
  if (!done)
    set.report(member, TroubleKind::failed, "made nothing durable within " + in_seconds(patience));
  else if (!*done)
    set.report_failure(member, done->error());
  else
    durable.push_back(member);
  asked.erase(member);
  round.done(done && *done);
}

}  // namespace

Task<std::vector<std::size_t>> HomeSet::commit() {
  std::vector<std::size_t> durable;
  std::set<std::size_t> asked;
  std::uint64_t most_taken = 0;
  for (std::size_t i = 0; i < state_->members.size(); ++i) {
    impl::Standing& standing = state_->standings[i];
    const bool is_dirty = std::exchange(standing.dirty, false);  // a put from now on asks for a commit of its own
    if (!is_dirty || state_->members[i].home == nullptr) continue;
    asked.insert(i);
    most_taken = std::max(most_taken, std::exchange(standing.taken_bytes, 0));
  }
  const Nanoseconds least = state_->patience.further + impl::kLeastFairWrite +
                            std::chrono::seconds(most_taken / impl::kFairCommitBytesPerSecond);
  platform::Nursery nursery(state_->platform.executor());
  platform::Round round(nursery, asked.size(),
                        {&state_->platform.clock(), asked.size(), least, impl::kWritePatienceTimes});
  for (const std::size_t member : asked) nursery.start(commit_one(*state_, member, durable, asked, round));
  co_await nursery.join();
  for (const std::size_t member : asked) {
    state_->leave_behind(member, "made nothing durable within " + in_milliseconds(round.took()) +
                                     ", when the other homes had long done so");
  }
  std::sort(durable.begin(), durable.end());
  co_return durable;
}

}  // namespace mhp::dispersal
