// The homes of one vault as one store: planning, reading, listing, checking.
#include "dispersal/home_set.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/check.h"
#include "dispersal/card_choice.h"
#include "dispersal/impl/set.h"

namespace mhp::dispersal {

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
  constexpr std::size_t kMostListed = 4'000'000;  // segments of one vault: some 30 TB
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
    if (all.size() > kMostListed) co_return fail(Errc::invalid, "a list without an end");
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
