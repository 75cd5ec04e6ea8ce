// The homes of one vault as one store: writing, listing, checking, and what is told of homes that fail.
#include "dispersal/home_set.h"

#include <algorithm>
#include <bitset>
#include <set>
#include <utility>

#include "base/check.h"
#include "dispersal/card_choice.h"
#include "dispersal/impl/set.h"
#include "platform/round.h"

namespace mhp::dispersal {

struct HomeSet::State : impl::Set {
  using Set::Set;
};

bool is_lie(TroubleKind kind) {
  switch (kind) {
    case TroubleKind::wrong_bytes:
    case TroubleKind::wrong_card:
    case TroubleKind::old_heads:
    case TroubleKind::forked_heads:
    case TroubleKind::wrong_record:
    case TroubleKind::damaged:
      return true;
    default:
      return false;
  }
}

bool refuses_writes(TroubleKind kind) { return kind <= TroubleKind::failed || kind == TroubleKind::refused; }

const char* to_string(TroubleKind kind) {
  switch (kind) {
    case TroubleKind::away:
      return "away";
    case TroubleKind::busy:
      return "in use";
    case TroubleKind::full:
      return "full";
    case TroubleKind::read_only:
      return "write-protected";
    case TroubleKind::refused:
      return "refuses";
    case TroubleKind::failed:
      return "failed";
    case TroubleKind::slow:
      return "slow";
    case TroubleKind::wrong_bytes:
      return "wrong bytes";
    case TroubleKind::wrong_card:
      return "wrong card";
    case TroubleKind::old_heads:
      return "old heads";
    case TroubleKind::forked_heads:
      return "forked heads";
    case TroubleKind::wrong_record:
      return "wrong vault record";
    case TroubleKind::damaged:
      return "damaged";
    case TroubleKind::bad_rows:
      return "damaged rows";
  }
  return "failed";
}

namespace impl {

void Set::report(std::size_t member, TroubleKind kind, std::string detail) {
  const Member& who = members.at(member);
  if (refuses_writes(kind)) standings[member].no_writes = true;
  if (kind == TroubleKind::away && !who.is_wanted()) return;
  for (Trouble& known : troubles) {
    if (known.home != who.id || known.kind != kind) continue;
    ++known.count;
    return;
  }
  troubles.push_back({.home = who.id, .name = who.name, .kind = kind, .detail = std::move(detail)});
}

/// A home that refuses because of rules (a revoked device, say) is `denied` too, but not about itself; a computer's
/// `denied` is always its word on who may store there.
static TroubleKind kind_of(const Member& of, const Error& error) {
  if (error.code == Errc::full) return TroubleKind::full;
  if (error.code == Errc::busy) return TroubleKind::busy;
  const bool of_home = error.code == Errc::denied && error.subject == Subject::home;
  if (!of_home) return TroubleKind::failed;
  return of.is_computer ? TroubleKind::refused : TroubleKind::read_only;
}

void Set::report_failure(std::size_t member, const Error& error) {
  if (error.code == Errc::exhausted) exhausted = error;
  report(member, kind_of(members.at(member), error), error.detail);
}

void Set::note_wrong(const std::vector<WrongRow>& rows) {
  for (const WrongRow& row : rows) {
    if (wrong_rows.size() < kMaxWrongRows) wrong_rows.push_back(row);
  }
}

tl::unexpected<Error> Set::too_few(std::string detail) const {
  if (exhausted) return tl::unexpected<Error>(*exhausted);
  return fail(Errc::unavailable, Subject::homes, std::move(detail));
}

tl::unexpected<Error> Set::took_too_little(std::string detail) const {
  if (exhausted) return tl::unexpected<Error>(*exhausted);
  Errc code = Errc::unavailable;
  for (const auto& [kind, reason] :
       {std::pair(TroubleKind::refused, Errc::denied), std::pair(TroubleKind::read_only, Errc::denied),
        std::pair(TroubleKind::busy, Errc::busy), std::pair(TroubleKind::full, Errc::full)}) {
    if (std::ranges::find(troubles, kind, &Trouble::kind) != troubles.end()) code = reason;
  }
  return fail(code, Subject::homes, std::move(detail));
}

std::string Set::called(const std::string& name, const HomeId& id) const {
  const auto of_that_name = std::ranges::count(members, name, &Member::name);
  return of_that_name > 1 ? name + " (" + id.short_hex() + ")" : name;
}

std::vector<std::string> Set::names_away() const {
  std::vector<std::string> names;
  for (const Member& member : members) {
    if (!member.home && member.is_wanted()) names.push_back(called(member.name, member.id));
  }
  return names;
}

std::string Set::troubles_in_words(bool without_away) const {
  std::string words;
  for (int kind = 0; kind <= static_cast<int>(TroubleKind::refused); ++kind) {
    const auto now = static_cast<TroubleKind>(kind);
    if (without_away && now == TroubleKind::away) continue;
    const char* before = "";
    for (const Trouble& trouble : troubles) {
      if (trouble.kind != now) continue;
      words += *before == 0 ? std::string("; ") + to_string(now) + ": " : before;
      words += called(trouble);
      before = ", ";
    }
  }
  return words;
}

void Set::suspect(std::size_t member) {
  Standing& standing = standings[member];
  const Nanoseconds now = platform.clock().steady();
  if (standing.suspect_until == Nanoseconds::max()) return;
  if (standing.suspect_until <= now)
    standing.suspicion = std::clamp(2 * standing.suspicion, kSuspicion, kLongestSuspicion);
  standing.suspect_until = now + standing.suspicion;
}

void Set::leave_behind(std::size_t member, std::string detail) {
  report(member, TroubleKind::slow, std::move(detail) + ": it gets nothing more in this run");
  standings[member].no_writes = true;
}

void Set::note_read(Nanoseconds took) {
  if (recent_reads.size() < kRecentReads) return recent_reads.push_back(took);
  recent_reads[next_read] = took;
  next_read = (next_read + 1) % kRecentReads;
}

static Nanoseconds nth(std::vector<Nanoseconds>& times, std::size_t which) {
  const auto at = times.begin() + static_cast<std::ptrdiff_t>(which);
  std::nth_element(times.begin(), at, times.end());
  return *at;
}

Nanoseconds hedge_delay(std::vector<Nanoseconds>& finished, std::vector<Nanoseconds>& recent) {
  if (!finished.empty()) return std::max(kLeastHedge, 2 * nth(finished, finished.size() / 2));
  return recent.empty() ? kBlindHedge : std::max(kLeastHedge, 2 * nth(recent, recent.size() * 9 / 10));
}

}  // namespace impl

Gathered::Gathered(wire::Card the_card, std::vector<ByteView> places, std::vector<Bytes> rows)
    : card(std::move(the_card)), places_(std::move(places)), rows_(std::move(rows)) {
  for (const ByteView place : places_) sealed_bytes_ += place.size();
}

Bytes Gathered::sealed() const {
  Bytes out;
  out.reserve(sealed_bytes_);
  for (const ByteView place : places_) out.insert(out.end(), place.begin(), place.end());
  return out;
}

Bytes Gathered::take_front(std::size_t bytes) {
  Bytes front;
  for (ByteView& place : places_) {
    const std::size_t here = std::min(bytes - front.size(), place.size());
    front.insert(front.end(), place.begin(), place.begin() + static_cast<std::ptrdiff_t>(here));
    place = place.subspan(here);
  }
  sealed_bytes_ -= front.size();
  return front;
}

HomeSet::HomeSet(platform::Platform& platform, VaultId vault, std::vector<Member> members)
    : state_(std::make_unique<State>(platform, vault, std::move(members))) {
  for (const Member& member : state_->members) {
    if (member.away_code == Errc::exhausted) state_->exhausted = Error{member.away_code, member.away_reason};
  }
}
HomeSet::~HomeSet() = default;

const std::vector<Member>& HomeSet::members() const { return state_->members; }
const std::vector<Trouble>& HomeSet::troubles() const { return state_->troubles; }
std::vector<WrongRow> HomeSet::take_wrong_rows() { return std::exchange(state_->wrong_rows, {}); }
const std::optional<Error>& HomeSet::exhausted() const { return state_->exhausted; }
void HomeSet::allow_longer(std::chrono::nanoseconds further) { state_->patience.further = further; }
tl::unexpected<Error> HomeSet::too_few(std::string detail) const { return state_->too_few(std::move(detail)); }
tl::unexpected<Error> HomeSet::took_too_little(std::string detail) const {
  return state_->took_too_little(std::move(detail));
}
BufferPool& HomeSet::buffers() { return *state_->buffers; }

void HomeSet::give_up(std::size_t member, std::string reason) {
  Member& silent = state_->members.at(member);
  if (silent.home) state_->given_up.push_back(std::move(silent.home));
  silent.away_reason = std::move(reason);
  silent.away_code = Errc::timed_out;
  report(member, TroubleKind::away, silent.away_reason);
}

std::chrono::nanoseconds HomeSet::fair_time() const {
  impl::Nanoseconds slowest{};
  for (const Member& member : state_->members) {
    if (member.home) slowest = std::max<impl::Nanoseconds>(slowest, member.reached_in);
  }
  return std::clamp<impl::Nanoseconds>(impl::kFairTimes * slowest, impl::kLeastFair, impl::kMostFair);
}

bool HomeSet::takes_writes(std::size_t member) const {
  const Member& who = state_->members.at(member);
  return who.home != nullptr && !who.read_only && !who.refuses && !state_->standings[member].no_writes;
}

std::size_t HomeSet::reachable() const {
  return static_cast<std::size_t>(
      std::count_if(state_->members.begin(), state_->members.end(), [](const Member& m) { return m.home != nullptr; }));
}

std::size_t HomeSet::missing() const {
  const auto is_missing = [](const Member& m) { return m.home == nullptr && m.is_wanted(); };
  return static_cast<std::size_t>(std::count_if(state_->members.begin(), state_->members.end(), is_missing));
}

std::size_t HomeSet::number_counting(const std::set<std::size_t>& holding) const {
  const auto counts = [this](std::size_t member) { return state_->members[member].counts; };
  const auto takes = [this](std::size_t member) { return !state_->members[member].refuses; };
  const auto counting = static_cast<std::size_t>(std::ranges::count_if(holding, counts));
  return counting > 0 ? counting : static_cast<std::size_t>(std::ranges::count_if(holding, takes));
}

void HomeSet::trust(std::vector<primitives::PublicKey> signers) {
  state_->trusted.insert(signers.begin(), signers.end());
}

void HomeSet::discount(std::size_t member) { state_->members.at(member).counts = false; }

void HomeSet::report_failure(std::size_t member, const Error& error) { state_->report_failure(member, error); }

void HomeSet::report(std::size_t member, TroubleKind kind, std::string detail) {
  state_->report(member, kind, std::move(detail));
}

namespace {

constexpr impl::Nanoseconds kLockLimit = std::chrono::seconds(20);  // a drive may have to start turning
constexpr impl::Nanoseconds kBetweenAsks = std::chrono::milliseconds(100);

std::string in_seconds(impl::Nanoseconds time) {
  return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(time).count()) + " seconds";
}

/// All borrowed: the caller awaits it. The refusal, where somebody else writes to the home till `until`, or it hangs.
/// What else keeps it from being written to the first write will say.
Task<std::optional<Error>> take_lock(impl::Set& set, const Member& member, const std::string& who,
                                     impl::Nanoseconds until, const WaitsFor& waits) {
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
  const impl::Nanoseconds until = state_->platform.clock().steady() + patience;
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

/// Members a new segment is planned on: those that count; where none does, those that take something all the same. All
/// where each refuses: then the first put says so.
std::vector<std::size_t> planned_on(const std::vector<Member>& members) {
  std::vector<std::size_t> counting;
  std::vector<std::size_t> taking;
  std::vector<std::size_t> all;
  for (std::size_t i = 0; i < members.size(); ++i) {
    all.push_back(i);
    if (members[i].counts) counting.push_back(i);
    if (!members[i].refuses) taking.push_back(i);
  }
  if (!counting.empty()) return counting;
  return taking.empty() ? all : taking;
}

}  // namespace

std::vector<std::uint32_t> owners_of(const std::vector<Member>& members, const std::vector<std::size_t>& which) {
  std::vector<std::uint32_t> owners;
  for (const std::size_t member : which) owners.push_back(members.at(member).owner);
  return owners;
}

Plan HomeSet::plan(Level level, const std::vector<std::size_t>& without) const {
  std::vector<std::size_t> usable = planned_on(state_->members);
  std::erase_if(usable, [&](std::size_t member) { return std::ranges::find(without, member) != without.end(); });
  if (usable.empty()) return make_plan(level, 1);
  return make_plan(level, owners_of(state_->members, usable));
}

std::vector<RowsFor> HomeSet::place_new(const Plan& plan, const SegmentId& segment) const {
  const std::vector<std::size_t> usable = planned_on(state_->members);
  MHP_CHECK(plan.homes <= usable.size());
  std::vector<RowsFor> wanted;
  std::size_t at = 0;
  for (auto& rows : place(plan, segment)) {
    if (!rows.empty()) wanted.push_back({.home = usable[at], .rows = std::move(rows)});
    ++at;
  }
  return wanted;
}

std::vector<RowsFor> HomeSet::lacking(const Located& located, Level level) const {
  const std::vector<std::size_t> usable = planned_on(state_->members);
  return plan_repair(located.holders, usable, level, located.card.n(), located.card.segment,
                     owners_of(state_->members, usable));
}

int HomeSet::repairable_margin(Level level) const {
  std::vector<std::size_t> usable = planned_on(state_->members);
  std::erase_if(usable, [this](std::size_t member) { return state_->members[member].home == nullptr; });
  if (usable.empty()) return 0;
  usable.resize(std::min<std::size_t>(usable.size(), kMaxHomesPerSegment));
  std::vector<RowsFor> placed;
  for (auto& rows : place(make_plan(level, owners_of(state_->members, usable)), SegmentId())) {
    placed.push_back({.home = usable[placed.size()], .rows = std::move(rows)});
  }
  return margin_of(placed, kNeed);
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

using impl::Nanoseconds;

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

Task<Result<home::Holding>> HomeSet::find(std::size_t member, SegmentId segment) {
  home::Home* home = state_->members.at(member).home.get();
  if (home == nullptr) co_return fail(Errc::unavailable, state_->members[member].name + " is away");
  Task<Result<home::Holding>> ask = home->find(segment);
  std::optional<Result<home::Holding>> found =
      co_await impl::within(state_->platform, state_->patience.find(fair_time()), std::move(ask));
  if (found) co_return std::move(*found);
  report(member, TroubleKind::slow, "did not say in time what it holds");
  state_->suspect(member);
  co_return fail(Errc::timed_out, state_->members[member].name + " does not say what it holds");
}

bool HomeSet::is_suspect(std::size_t member) const { return state_->is_suspect(member); }

Task<Result<Located>> HomeSet::locate(SegmentId segment) {
  MHP_CO_TRY(std::vector<Located> found, co_await impl::locate(*state_, segment, /*patient=*/true));
  co_return std::move(found[found.size() / 2]);  // the card to believe, with the rows of all homes
}

/// What could be read is the owner's: the homes with another card are not.
static void name_who_contradicts(impl::Set& set, const wire::Card& right, const std::vector<Located>& found) {
  for (std::size_t i = 0; i < found.size() / 2; ++i) {  // each card with the homes that agree with it
    if (!contradict(found[i].card, right)) continue;
    for (const Holder& holder : found[i].holders) {
      set.report(holder.member, TroubleKind::wrong_card,
                 "its card of segment " + right.segment.short_hex() + " contradicts the one that fits the rows");
    }
  }
}

/// Another card, or homes that have not answered yet, may give what is missing.
static bool may_come_otherwise(const Error& error) {
  return error.code == Errc::unavailable || error.code == Errc::corrupt;
}

Task<Result<Gathered>> HomeSet::gather(SegmentId segment, std::uint64_t offset, std::uint64_t bytes, bool with_salts) {
  MHP_CO_TRY(const std::vector<Located> quick, co_await impl::locate(*state_, segment, /*patient=*/false));
  Result<Gathered> got = co_await gather(quick.front(), offset, bytes, with_salts);
  if (got || !may_come_otherwise(got.error())) co_return got;
  // The rows of homes that had no time to answer may be what is missing, or the card is not the right one.
  MHP_CO_TRY(const std::vector<Located> all, co_await impl::locate(*state_, segment, /*patient=*/true));
  std::vector<WrongRow> wrong;
  for (const Located& located : all) {
    wrong.clear();
    got = co_await gather_by(located, offset, bytes, with_salts, wrong);
    if (got) name_who_contradicts(*state_, located.card, all);
    if (got || !may_come_otherwise(got.error())) break;
  }
  // By a card that nothing can be read with nobody is judged, where there are others.
  if (got || all.size() == 1) state_->note_wrong(wrong);
  state_->note_readable(segment, got);
  co_return got;
}

Task<Result<Gathered>> HomeSet::gather(const Located& located, std::uint64_t offset, std::uint64_t bytes,
                                       bool with_salts) {
  std::vector<WrongRow> wrong;
  Result<Gathered> got = co_await gather_by(located, offset, bytes, with_salts, wrong);
  if (got) state_->note_wrong(wrong);
  state_->note_readable(located.card.segment, got);
  co_return got;
}

bool HomeSet::could_not_read(const SegmentId& segment) const { return state_->unreadable.contains(segment); }

Task<Result<Gathered>> HomeSet::gather_by(const Located& located, std::uint64_t offset, std::uint64_t bytes,
                                          bool with_salts, std::vector<WrongRow>& wrong) {
  const std::uint64_t size = located.card.sealed_bytes;
  if (offset >= size || bytes > size - offset)
    co_return fail(Errc::invalid, "a range outside of its segment was asked for");
  const std::uint64_t length = bytes == 0 ? size - offset : bytes;
  co_return co_await impl::gather(*state_, located, offset, length, with_salts, wrong);
}

Task<Result<std::vector<home::HeldSegment>>> HomeSet::list(std::size_t member) {
  constexpr std::size_t kPage = 1000;
  home::Home* home = state_->members.at(member).home.get();
  if (home == nullptr) co_return fail(Errc::unavailable, state_->members[member].name + " is away");
  std::vector<home::HeldSegment> all;
  for (SegmentId after;;) {
    Task<Result<home::HeldPage>> ask = home->list(state_->vault, after, kPage);
    std::optional<Result<home::HeldPage>> page =
        co_await impl::within(state_->platform, state_->patience.list(), std::move(ask));
    if (!page) co_return fail(Errc::timed_out, state_->members[member].name + " does not list what it holds");
    if (!*page) co_return pass(*page);
    for (home::HeldSegment& held : (*page)->segments) {
      // Ids that do not rise would let a lying home keep us here for ever.
      if (!all.empty() && held.segment <= after) co_return fail(Errc::invalid, "a list that goes back");
      after = held.segment;
      all.push_back(std::move(held));
    }
    if (!(*page)->more || (*page)->segments.empty()) co_return all;
  }
}

namespace {

struct Verified {
  std::vector<std::uint8_t> bad;
  std::optional<Error> error;
};

Task<> verify_one(impl::Set& set, std::size_t member, const wire::Card& card, std::uint8_t row, Verified& out) {
  const std::uint32_t leaves = primitives::leaf_count(card.row_bytes) - 1;
  Task<Result<impl::Fetched>> fetch =
      impl::fetch_row(set, *set.members[member].home, card, row, 0, leaves, /*front=*/nullptr);
  std::optional<Result<impl::Fetched>> got = co_await impl::within(set.platform, set.patience.read(), std::move(fetch));
  if (!got) {
    set.report(member, TroubleKind::slow, "did not give row " + std::to_string(row) + " within 30 seconds");
    out.error = Error{Errc::timed_out, "row " + std::to_string(row) + " did not come"};
    co_return;
  }
  if (*got) co_return;
  const Error& error = got->error();
  if (error.code == Errc::corrupt || error.code == Errc::not_found) {
    set.report(member, TroubleKind::wrong_bytes, error.detail);
    out.bad.push_back(row);
    co_return;
  }
  set.report_failure(member, error);
  out.error = error;
}

}  // namespace

/// Of these rows those that are not there any more once the home looks at its logs anew: the front of their record,
/// with the card, has changed. (By another home's card they are whole.)
Task<std::vector<std::uint8_t>> HomeSet::rows_at_risk(std::size_t member, SegmentId segment,
                                                      std::vector<std::uint8_t> rows) {
  const auto held = co_await find(member, segment);
  std::vector<std::uint8_t> risk;
  if (!held && held.error().code == Errc::corrupt) {
    risk = rows;
  } else if (held) {
    auto ask = state_->members[member].home->rows_at_risk(segment);
    auto told = co_await impl::within(state_->platform, state_->patience.find(fair_time()), std::move(ask));
    if (told && *told) risk = std::move(**told);
  }
  std::erase_if(risk, [&](std::uint8_t row) { return std::ranges::find(rows, row) == rows.end(); });
  if (!risk.empty())
    report(member, TroubleKind::wrong_card, "its card of segment " + segment.short_hex() + " has changed");
  co_return risk;
}

Task<Result<std::vector<std::uint8_t>>> HomeSet::verify_rows(std::size_t member, const Located& located) {
  if (state_->members.at(member).home == nullptr)
    co_return fail(Errc::unavailable, state_->members[member].name + " is away");
  Verified out;
  std::vector<std::uint8_t> rows;
  platform::Nursery nursery(state_->platform.executor());
  for (const Holder& holder : located.holders) {
    if (holder.member != member) continue;
    for (std::uint8_t row : holder.rows) nursery.start(verify_one(*state_, member, located.card, row, out));
    rows = holder.rows;
  }
  co_await nursery.join();
  if (out.error) co_return tl::unexpected<Error>(std::move(*out.error));
  const auto at_risk = co_await rows_at_risk(member, located.card.segment, std::move(rows));
  out.bad.insert(out.bad.end(), at_risk.begin(), at_risk.end());
  std::ranges::sort(out.bad);
  const auto again = std::ranges::unique(out.bad);
  out.bad.erase(again.begin(), again.end());
  co_return std::move(out.bad);
}

int HomeSet::margin_of(const std::vector<RowsFor>& placed, unsigned k) const {
  std::vector<RowsAt> at;
  for (const RowsFor& rows : placed) {
    const Member& member = state_->members.at(rows.home);
    at.push_back({.domain = member.domain, .counts = member.counts, .rows = rows.rows});
  }
  return dispersal::margin_of(at, k);
}

int HomeSet::margin_of(const Located& located) const {
  std::vector<RowsFor> placed;
  for (const Holder& holder : located.holders) placed.push_back({.home = holder.member, .rows = holder.rows});
  return margin_of(placed, located.card.k);
}

}  // namespace mhp::dispersal
