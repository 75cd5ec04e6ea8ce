// Counts, and where asked for reads, the rows of every live segment.
#include <algorithm>
#include <climits>
#include <optional>
#include <set>
#include <span>

#include "platform/nursery.h"
#include "vault/impl/compare.h"
#include "vault/impl/context.h"
#include "vault/impl/survey.h"

namespace mhp::vault::impl {
namespace {

/// True for about `percent` of all calls.
bool chosen(platform::Random& random, unsigned percent) {
  if (percent == 0) return false;
  auto drawn = from_little_endian<std::uint32_t>(random.array<4>());
  return drawn % 100 < percent;
}

constexpr std::size_t kCheckedAtOnce = 2;    // each read whole where asked, all homes at once: some 20 MB in memory
constexpr std::size_t kJudgedAtOnce = 64;    // segments of which the index says something else than they do
constexpr std::uint64_t kSaveEvery = 1'000;  // segments: what an interrupted check still leaves remembered

/// Which cards are read at all: those of every segment, or only where homes list something else than was planned.
enum class Cards { all, where_needed };

/// One check of all live segments, a few of them at a time.
class Checker {
 public:
  Checker(VaultImpl& vault, Cards cards, unsigned read_percent, Progress progress)
      : vault_(vault), survey_(vault), cards_(cards), read_percent_(read_percent), progress_(std::move(progress)) {}

  Task<Result<CheckReport>> run() {
    MHP_CO_TRY(auto live, co_await vault_.live_segments());
    co_await survey_.take(std::move(live));
    std::set<SegmentId> condemned;
    for (const auto& [member, segments] : survey_.condemned()) condemned.insert(segments.begin(), segments.end());
    report_.condemned = condemned.size();
    co_await vault_.reprieve_needed(survey_);
    report_.segments = done_.segments = survey_.segments().size();
    MHP_CO_TRY_VOID(find_unproven());
    planned_rows_ = vault_.homes_.plan(vault_.level()).n;
    for (const auto& member : vault_.homes_.members()) report_.rows_by_home.push_back({.home = member.id});
    platform::Nursery scope(co_await asio::this_coro::executor);
    for (std::size_t i = 0; i < kCheckedAtOnce; ++i) scope.start(work());
    co_await scope.join();
    survey_.save_bad_rows();
    MHP_CO_TRY_VOID(co_await judge_differing());
    MHP_CO_TRY_VOID(co_await vault_.platform_.workers().run([this] { return save_proofs(); }));
    if (cards_ == Cards::all) co_await vault_.name_damaged_former();
    // What this computer could not read for lack of open files or memory says nothing of the homes.
    if (vault_.homes_.exhausted()) co_return tl::unexpected<Error>(*vault_.homes_.exhausted());
    for (const auto& trouble : vault_.homes_.troubles()) {
      // Old heads alone are no fault: the home may have been away.
      bool bad = dispersal::is_lie(trouble.kind) && trouble.kind != dispersal::TroubleKind::old_heads;
      if (bad) bad_homes_.insert(trouble.home);
    }
    vault_.gone_ = gone_;  // what is in these is not there for has()
    vault_.index_.set_gone(gone_);
    report_.homes_bad.assign(bad_homes_.begin(), bad_homes_.end());
    report_.homes = static_cast<unsigned>(vault_.homes_.number_counting(holding_));
    std::vector<std::size_t> complete = vault_.complete_members();
    report_.margin = std::min(margin_.value_or(0), vault_.margin_of_members(complete));
    for (std::size_t i = 0; i < vault_.views_.size(); ++i) {
      const auto& home = vault_.homes_.members()[i];
      bool lacks = home.home != nullptr && std::ranges::find(complete, i) == complete.end();
      if (lacks && !home.refuses) report_.homes_lacking.push_back(vault_.homes_.members()[i].id);
    }
    co_return std::move(report_);
  }

 private:
  Task<> work() {
    while (next_ < survey_.segments().size()) {
      SegmentId id = survey_.segments()[next_++];
      bool reads = chosen(vault_.platform_.random(), read_percent_);
      co_await check(id, reads);
      ++done_.segments_done;
      if (read_percent_ > 0 && done_.segments_done % kSaveEvery == 0) survey_.save_bad_rows();
      if (progress_) progress_(done_);
    }
  }

  Task<> check(SegmentId id, bool reads) {
    if (cards_ == Cards::where_needed && count_as_planned(id)) co_return;
    auto located = co_await survey_.locate(id);
    if (!located) {  // without a card nobody can say how many rows there should be: as many as are planned
      ++report_.unrestorable;
      gone_.insert(id);
      report_.rows_expected += planned_rows_;
      report_.rows_missing += planned_rows_;
      note_missing(vault_.homes_.place_new(vault_.homes_.plan(vault_.level()), id));
      margin_ = -1;
      co_return;
    }
    // Fewer homes than when it was written may need fewer rows: what the plan does without is not missing.
    std::uint64_t wanted = std::min<std::uint64_t>(located->card.n(), planned_rows_);
    report_.rows_expected += wanted;
    const std::uint64_t missing = wanted - std::min<std::uint64_t>(wanted, rows_of(located->holders).size());
    report_.rows_missing += missing;
    if (missing > 0) note_missing(vault_.homes_.lacking(*located, vault_.level()));
    if (reads) co_await read(*located);
    const dispersal::Located all = *located;
    count_bad(*located);
    for (const dispersal::Holder& holder : located->holders) {
      if (!holder.rows.empty()) holding_.insert(holder.member);
    }
    // What was read to no end in this run is worth nothing, whatever homes list of it.
    const bool is_unreadable = !reads && vault_.homes_.could_not_read(id);
    const bool is_gone = is_unreadable || rows_of(located->holders).size() < located->card.k;
    report_.unrestorable += is_gone;
    if (is_gone) gone_.insert(id);
    const bool may_be_there = is_gone && reads && rows_of(all.holders).size() >= all.card.k;
    if (may_be_there) report_.mendable += co_await can_be_gathered(vault_, all);
    if (reads && !is_gone) co_await prove(id);
    margin_ = std::min(margin_.value_or(INT_MAX), is_unreadable ? -1 : vault_.homes_.margin_of(*located));
  }

  /// True where all planned rows are listed and nothing else is said of them. Every plan needs as many rows, so the
  /// card would say nothing new.
  bool count_as_planned(const SegmentId& id) {
    const auto& holders = survey_.holders(id);
    bool one_card = !holders.empty() && std::ranges::all_of(holders, [&](const dispersal::Holder& holder) {
      return holder.card_version == holders.front().card_version;
    });
    if (!one_card || rows_of(holders).size() < planned_rows_ || survey_.some_known_bad(id)) return false;
    if (vault_.homes_.could_not_read(id)) return false;
    std::vector<dispersal::RowsFor> placed;
    for (const dispersal::Holder& holder : holders) {
      placed.push_back({.home = holder.member, .rows = holder.rows});
      if (!holder.rows.empty()) holding_.insert(holder.member);
    }
    report_.rows_expected += planned_rows_;
    margin_ = std::min(margin_.value_or(INT_MAX), vault_.homes_.margin_of(placed, dispersal::kNeed));
    return true;
  }

  Task<> read(dispersal::Located& located) {
    auto verdict = co_await survey_.verify(located);
    report_.bytes_read += verdict.bytes_read;
    for (const auto& unread : verdict.unread) report_.rows_missing += unread.rows.size();
    note_missing(verdict.unread);
    take_out(located.holders, verdict.unread);
  }

  /// Segments of which no claim is proven yet: those that other devices sealed, or all where the cache was lost.
  Result<void> find_unproven() {
    if (read_percent_ == 0) return {};
    MHP_TRY_VOID(vault_.index_.set_trust(vault_.claims_));
    return vault_.index_.each_segment([this](std::uint32_t number, const SegmentId& id) {
      if (vault_.index_.trust(number) != Trust::proven) unproven_[id].push_back(number);
    });
  }

  /// Rows that fit their card may hold something else than the index says, or than the segment says of itself: the
  /// device that sealed it was faulty, or in wrong hands. Compared once, it is known.
  Task<> prove(const SegmentId& id) {
    const auto claims = unproven_.find(id);
    if (claims == unproven_.end()) co_return;
    auto own = co_await read_and_compare(vault_, id);
    if (!own && own.error().code != Errc::corrupt) co_return;  // a home fell silent meanwhile
    if (!own) {
      ++report_.untrue;
      gone_.insert(id);  // what it should have may lie elsewhere too
    }
    if (own) vault_.claims_.learn(claim_of(*own), Trust::proven);
    for (const std::uint32_t number : claims->second) {
      const auto place = vault_.index_.segment(number);
      if (place && !own) vault_.claims_.learn(place->claim, Trust::untrue);
      if (place && own && place->claim != claim_of(*own)) differing_.push_back(number);
    }
  }

  /// The segment is true: the index is not, or it leaves chunks out, which older programs did.
  Task<Result<void>> judge_differing() {
    VaultImpl::ClaimIds is_false;
    for (std::size_t at = 0; at < differing_.size(); at += kJudgedAtOnce) {
      const std::span<const std::uint32_t> some =
          std::span(differing_).subspan(at, std::min(kJudgedAtOnce, differing_.size() - at));
      MHP_CO_TRY(auto judged, co_await vault_.confirm(std::vector(some.begin(), some.end())));
      is_false.merge(judged.is_false);
      for (const std::uint32_t number : some) {
        const auto place = vault_.index_.segment(number);
        const bool is_so = vault_.index_.trust(number) == Trust::confirmed;
        if (place && is_so) vault_.claims_.learn(place->claim, Trust::proven);
      }
    }
    if (is_false.empty()) co_return Result<void>{};
    report_.false_claims = is_false.size();
    report_.false_claims_by = co_await vault_.who_makes(std::move(is_false));
    co_return co_await vault_.take_up_claims();  // what these segments do hold is there for has()
  }

  Result<void> save_proofs() {
    if (unproven_.empty()) return {};
    vault_.claims_.save();
    std::vector<wire::PhysicalRef> parts;  // what was proven now this device's newest head may not list yet
    for (const KnownPart& known : vault_.parts_) parts.push_back(known.ref);
    vault_.former_parts_.add(parts);
    return vault_.index_.set_trust(vault_.claims_);
  }

  void note_missing(const std::vector<dispersal::RowsFor>& rows) {
    for (const auto& of_home : rows) report_.rows_by_home[of_home.home].missing += of_home.rows.size();
  }

  /// What was read just now is known by now.
  void count_bad(dispersal::Located& located) {
    auto known = survey_.known_bad(located);
    for (const auto& bad : known) {
      report_.rows_bad += bad.rows.size();
      report_.rows_by_home[bad.home].bad += bad.rows.size();
      bad_homes_.insert(vault_.homes_.members()[bad.home].id);
    }
    take_out(located.holders, known);
  }

  VaultImpl& vault_;
  Survey survey_;
  const Cards cards_;
  const unsigned read_percent_;
  Progress progress_;
  std::size_t next_ = 0;  // of the survey's segments
  unsigned planned_rows_ = 0;
  CheckProgress done_;
  CheckReport report_;
  std::optional<int> margin_;
  std::unordered_set<SegmentId, IdHash> gone_;
  std::unordered_map<SegmentId, std::vector<std::uint32_t>, IdHash> unproven_;  // numbers of their claims
  std::vector<std::uint32_t> differing_;  // numbers of claims of segments that were compared, and say something else
  std::set<HomeId> bad_homes_;
  std::set<std::size_t> holding_;
};

}  // namespace

Task<Result<CheckReport>> VaultImpl::check(unsigned read_percent, Progress progress) {
  Checker checker(*this, Cards::all, read_percent, std::move(progress));
  co_return co_await checker.run();
}

Task<Result<CheckReport>> VaultImpl::standing() {
  Checker checker(*this, Cards::where_needed, 0, nullptr);
  co_return co_await checker.run();
}

}  // namespace mhp::vault::impl
