// Counts, and where asked for reads, the rows of every live segment.
#include <algorithm>
#include <climits>
#include <set>

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

}  // namespace

Task<Result<CheckReport>> VaultImpl::check(unsigned read_percent, Progress progress) {
  CheckReport report;
  Survey survey(*this);
  co_await survey.take(live_segments());
  report.segments = survey.segments().size();
  const unsigned planned_rows = homes_.plan(level()).n;
  std::optional<int> margin;
  std::set<HomeId> bad_homes;
  CheckProgress done{.segments_done = 0, .segments = report.segments};
  for (const SegmentId& id : survey.segments()) {
    auto located = co_await survey.locate(id);
    if (!located) {
      ++report.unrestorable;  // without a card nobody can say how many rows there should be
      margin = -1;
    } else {
      // Fewer homes than when it was written may need fewer rows: what the plan does without is not missing.
      std::uint64_t wanted = std::min<std::uint64_t>(located->card.n(), planned_rows);
      report.rows_expected += wanted;
      report.rows_missing += wanted - std::min<std::uint64_t>(wanted, rows_of(located->holders).size());
      if (chosen(platform_.random(), read_percent)) {
        auto verdict = co_await survey.verify(*located);
        report.bytes_read += verdict.bytes_read;
        for (const auto& bad : verdict.bad) {
          report.rows_bad += bad.rows.size();
          bad_homes.insert(homes_.members()[bad.home].id);
        }
        for (const auto& unread : verdict.unread) report.rows_missing += unread.rows.size();
        take_out(located->holders, verdict.bad);
        take_out(located->holders, verdict.unread);
      }
      report.unrestorable += rows_of(located->holders).size() < located->card.k;
      margin = std::min(margin.value_or(INT_MAX), homes_.margin_of(*located));
    }
    ++done.segments_done;
    if (progress) progress(done);
  }
  for (const auto& trouble : homes_.troubles()) {
    // Old heads alone are no fault: the home may have been away.
    bool bad = dispersal::is_lie(trouble.kind) && trouble.kind != dispersal::TroubleKind::old_heads;
    if (bad) bad_homes.insert(trouble.home);
  }
  report.homes_bad.assign(bad_homes.begin(), bad_homes.end());
  report.margin = margin.value_or(0);
  co_return report;
}

}  // namespace mhp::vault::impl
