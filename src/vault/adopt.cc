// Takes over what an interrupted session left on the homes, so that it is not sent again.
#include <algorithm>

#include "platform/nursery.h"
#include "vault/impl/compare.h"
#include "vault/impl/survey.h"
#include "vault/impl/writer.h"

namespace mhp::vault::impl {
namespace {

constexpr std::size_t kSearchesAtOnce = 4;

struct Search {
  VaultImpl& vault;
  const dispersal::Plan& plan;
  struct Found {
    wire::IndexedSegment segment;
    int margin = 0;
  };
  std::vector<Found> found;
};

/// A segment that nobody remembers: all of it has to open.
Task<Result<wire::IndexedSegment>> open_unknown(Search& search, SegmentId id) {
  MHP_CO_TRY(auto segment, co_await read_and_compare(search.vault, id));
  if (segment.directory.index) co_return fail(Errc::not_found, "an index of former heads");
  co_return segment;
}

/// What any home was told may go is not taken over: it may be gone tomorrow. It is sent again.
std::unordered_set<SegmentId, IdHash> condemned_in(const Survey& survey) {
  std::unordered_set<SegmentId, IdHash> out;
  for (const auto& [member, segments] : survey.condemned()) out.insert(segments.begin(), segments.end());
  return out;
}

/// Of this device's own journal: the rows only have to be there.
Task<> search_journal(Search& search, std::vector<wire::JournalEntry> journal) {
  std::erase_if(journal, [&](const auto& entry) { return search.vault.index_.has_segment(entry.segment.segment); });
  if (journal.empty()) co_return;
  std::vector<SegmentId> ids;
  for (const auto& entry : journal) ids.push_back(entry.segment.segment);
  Survey survey(search.vault);
  co_await survey.take(std::move(ids));
  auto condemned = condemned_in(survey);
  for (auto& entry : journal) {
    if (condemned.contains(entry.segment.segment)) continue;
    auto located = co_await survey.locate(entry.segment.segment);
    if (located) take_out(located->holders, survey.known_bad(*located));
    if (!located || rows_of(located->holders).size() < located->card.k) continue;
    int margin = search.vault.homes_.margin_of(*located);
    search.found.push_back({.segment = std::move(entry.segment), .margin = margin});
  }
}

Task<> try_unknown(Search& search, SegmentId id, int margin, platform::Semaphore& turns) {
  co_await turns.take();
  auto segment = co_await open_unknown(search, id);
  if (segment) search.found.push_back({.segment = std::move(*segment), .margin = margin});
  turns.give();
}

/// This device has no journal: it is new, and may go on where a lost one stopped. What it takes over must be as safe as
/// new.
Task<Result<void>> search_homes(Search& search) {
  Survey survey(search.vault);
  co_await survey.take(std::nullopt);
  MHP_CO_TRY(auto live, co_await search.vault.live_segments());
  std::unordered_set<SegmentId, IdHash> known = condemned_in(survey);
  known.insert(live.begin(), live.end());
  auto executor = co_await asio::this_coro::executor;
  std::vector<std::pair<SegmentId, int>> unknown;
  for (const SegmentId& id : survey.segments()) {
    if (known.contains(id)) continue;
    auto located = co_await survey.locate(id);
    if (!located) continue;
    take_out(located->holders, survey.known_bad(*located));
    int margin = search.vault.homes_.margin_of(*located);
    if (margin >= static_cast<int>(search.plan.margin)) unknown.emplace_back(id, margin);
  }
  platform::Semaphore turns(executor, kSearchesAtOnce);
  platform::Nursery scope(executor);
  for (const auto& [id, margin] : unknown) scope.start(try_unknown(search, id, margin, turns));
  co_await scope.join();
  co_return Result<void>{};
}

}  // namespace

Task<Result<std::uint64_t>> adopt_segments(VaultImpl& vault, const dispersal::Plan& plan) {
  Search search{.vault = vault, .plan = plan, .found = {}};
  auto journal = vault.state_.journal();
  if (journal) {
    co_await search_journal(search, std::move(*journal));
  } else if (journal.error().code == Errc::not_found) {
    MHP_CO_TRY_VOID(co_await search_homes(search));
  } else {
    co_return pass(journal);
  }
  std::ranges::sort(search.found, {}, [](const auto& found) { return found.segment.segment; });
  std::uint64_t adopted = 0;
  for (auto& [segment, margin] : search.found) {
    if (vault.index_.has_segment(segment.segment)) continue;
    MHP_CO_TRY_VOID(vault.index_.add(segment));
    vault.claims_.learn(claim_of(segment), Trust::proven);  // its journal's, or every chunk was compared
    vault.unlisted_.push_back(std::move(segment));
    vault.unlisted_margin_ = std::min(vault.unlisted_margin_.value_or(margin), margin);
    ++adopted;
  }
  co_return adopted;
}

}  // namespace mhp::vault::impl
