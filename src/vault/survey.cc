// One list from every home, then one card for each segment.
#include "vault/impl/survey.h"

#include <algorithm>
#include <bitset>

#include "platform/nursery.h"
#include "platform/round.h"
#include "wire/card_agreement.h"
#include "wire/fragment.h"

namespace mhp::vault::impl {
namespace {

using dispersal::Holder;
using dispersal::TroubleKind;
constexpr auto kListLimit = std::chrono::minutes(2);
constexpr int kFairListTimes = 2;  // as long as for a question: a list may have to be read from a disk

using Lists = std::vector<std::optional<Result<std::vector<home::HeldSegment>>>>;  // none: no answer in time

/// What homes say that they found damaged.
using Confessions = std::vector<std::vector<home::Home::BadRow>>;

/// All borrowed: the caller joins.
Task<> list_one(dispersal::HomeSet& homes, VaultId vault, std::size_t member, Lists& lists, Confessions& bad,
                platform::Round& round) {
  lists[member] = co_await homes.list(member);
  if (*lists[member]) {
    auto found = co_await homes.members()[member].home->known_bad(vault);
    if (found) bad[member] = std::move(*found);  // else nothing is known of any
  }
  round.done();
}

bool signed_by_vault(const primitives::PublicKey& signer, const wire::VaultRecord& record) {
  if (signer == record.identity) return true;
  return std::ranges::any_of(devices_of(record),
                             [&](const auto& device) { return std::ranges::equal(device.device.bytes(), signer); });
}

Result<wire::Card> check_card(const Bytes& signed_card, const SegmentId& segment, const wire::VaultRecord& record) {
  MHP_TRY(wire::Signed envelope, wire::parse_signed(signed_card, wire::kMaxCardBytes));
  if (!signed_by_vault(envelope.signer, record) || !wire::verify(envelope, wire::kSignCard)) {
    return fail(Errc::denied, "card: bad signature");
  }
  MHP_TRY(wire::Card card, wire::parse_card(envelope.body));
  if (card.segment != segment || card.vault != record.vault) return fail(Errc::corrupt, "card: of another segment");
  return card;
}

/// All borrowed: the caller joins.
Task<> verify_one(dispersal::HomeSet& homes, const dispersal::Located& located, const Holder& holder,
                  Survey::Verdict& verdict) {
  auto bad = co_await homes.verify_rows(holder.member, located);
  if (!bad) {
    homes.report(holder.member, TroubleKind::failed, "could not be read: " + bad.error().detail);
    verdict.unread.push_back({.home = holder.member, .rows = holder.rows});
    co_return;
  }
  verdict.bytes_read += holder.rows.size() * wire::fragment_bytes(located.card.row_bytes);
  if (!bad->empty()) verdict.bad.push_back({.home = holder.member, .rows = std::move(*bad)});
}

}  // namespace

std::vector<std::uint8_t> rows_of(const std::vector<Holder>& holders) {
  std::vector<std::uint8_t> rows;
  for (const Holder& holder : holders) rows.insert(rows.end(), holder.rows.begin(), holder.rows.end());
  std::ranges::sort(rows);
  auto same = std::ranges::unique(rows);
  rows.erase(same.begin(), same.end());
  return rows;
}

void take_out(std::vector<Holder>& holders, const std::vector<dispersal::RowsFor>& rows) {
  for (const auto& out : rows) {
    auto holder = std::ranges::find(holders, out.home, &Holder::member);
    if (holder == holders.end()) continue;
    std::erase_if(holder->rows, [&](std::uint8_t row) { return std::ranges::find(out.rows, row) != out.rows.end(); });
  }
}

Task<bool> can_be_gathered(VaultImpl& vault, dispersal::Located located) {
  const auto gathered = co_await vault.homes_.gather(located, 0, 0, true);
  remember_wrong_rows(vault.homes_, vault.state_);
  co_return gathered.has_value();
}

Task<> Survey::take(std::optional<std::vector<SegmentId>> wanted) {
  const auto& all = vault_.homes_.members();
  Lists lists(all.size());
  Confessions bad(all.size());
  platform::Nursery scope(co_await asio::this_coro::executor);
  const auto least = kFairListTimes * vault_.homes_.fair_time();
  platform::Round round(scope, 0, {&vault_.platform_.clock(), all.size(), least});
  for (const auto& member : all) round.left += member.home != nullptr;
  if (round.left > 0) scope.start(platform::watch(vault_.platform_.clock(), kListLimit, round));
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].home) scope.start(list_one(vault_.homes_, vault_.record_.record.vault, i, lists, bad, round));
  }
  co_await scope.join();
  bool everything = !wanted.has_value();
  if (wanted) segments_ = std::move(*wanted);
  std::ranges::sort(segments_);
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].home) continue;
    if (!lists[i]) {
      vault_.homes_.give_up(i, "did not list what it holds");
    } else if (!*lists[i]) {
      vault_.homes_.report_failure(i, lists[i]->error());
    } else {
      members_.push_back(i);
      keep(i, std::move(**lists[i]), everything);
      believe(i, bad[i]);
    }
  }
  if (!everything) co_return;
  for (const auto& [segment, holders] : holders_) segments_.push_back(segment);
  std::ranges::sort(segments_);
}

void Survey::keep(std::size_t member, std::vector<home::HeldSegment> held, bool all) {
  if (holders_.empty()) holders_.reserve(held.size());
  for (auto& segment : held) {
    if (!all && !std::ranges::binary_search(segments_, segment.segment)) continue;
    if (segment.condemned) condemned_[member].push_back(segment.segment);
    std::vector<Holder>& holders = holders_[segment.segment];
    if (holders.empty())
      holders.reserve(std::min<std::size_t>(vault_.homes_.members().size(), dispersal::kMaxHomesPerSegment));
    holders.push_back({.member = member, .rows = std::move(segment.rows), .card_version = segment.card_version});
  }
}

/// Only of what it lists: as if it did not list these rows.
void Survey::believe(std::size_t member, const std::vector<home::Home::BadRow>& bad) {
  std::size_t rows = 0;
  for (const auto& [segment, row] : bad) {
    const std::vector<Holder>& all = holders(segment);
    const auto own = std::ranges::find(all, member, &Holder::member);
    if (own == all.end() || std::ranges::find(own->rows, row) == own->rows.end()) continue;
    bad_rows_.learn(vault_.homes_.members()[member].id, segment, {row}, true);
    ++rows;
  }
  if (rows == 0) return;
  vault_.homes_.report(member, TroubleKind::bad_rows,
                       "has read what it holds, and " + std::to_string(rows) +
                           (rows == 1 ? " row of yours is" : " rows of yours are") +
                           " damaged: 'mhp repair' makes them again");
}

const std::vector<Holder>& Survey::holders(const SegmentId& segment) const {
  static const std::vector<Holder> kNone;
  auto found = holders_.find(segment);
  return found == holders_.end() ? kNone : found->second;
}

void Survey::leave_out(std::size_t member, const std::vector<SegmentId>& segments) {
  for (const SegmentId& segment : segments) {
    auto found = holders_.find(segment);
    if (found == holders_.end()) continue;
    std::erase_if(found->second, [&](const Holder& holder) { return holder.member == member; });
  }
}

bool Survey::holds(std::size_t member, const SegmentId& segment) const {
  auto found = holders_.find(segment);
  return found != holders_.end() && std::ranges::find(found->second, member, &Holder::member) != found->second.end();
}

Task<Result<wire::Card>> Survey::read_card(const Holder& holder, SegmentId segment, Bytes& signed_card) {
  MHP_CO_TRY(auto holding, co_await vault_.homes_.find(holder.member, segment));
  auto card = check_card(holding.signed_card, segment, vault_.record_.record);
  if (card) {
    signed_card = std::move(holding.signed_card);
  } else {
    vault_.homes_.report(holder.member, TroubleKind::wrong_card, card.error().detail);
  }
  co_return card;
}

/// One good card of each version that is held, from the first home that has one.
Task<std::vector<Survey::VersionedCard>> Survey::read_cards(SegmentId segment, std::vector<Holder> holders) {
  std::ranges::sort(holders, {}, [&homes = vault_.homes_](const Holder& holder) {
    return std::tuple(UINT32_MAX - holder.card_version, homes.is_suspect(holder.member), holder.member);
  });
  std::vector<VersionedCard> cards;
  for (const Holder& holder : holders) {
    if (!cards.empty() && cards.back().card.version == holder.card_version) {
      ++cards.back().homes;
      continue;
    }
    VersionedCard versioned{.card = {}, .signed_bytes = {}, .homes = 1};
    auto card = co_await read_card(holder, segment, versioned.signed_bytes);
    if (!card) continue;
    versioned.card = std::move(*card);
    cards.push_back(std::move(versioned));
  }
  co_return cards;
}

void Survey::name_who_has(const wire::Card& wrong, const std::vector<Holder>& holders) {
  for (const Holder& holder : holders) {
    if (holder.card_version != wrong.version) continue;
    vault_.homes_.report(holder.member, TroubleKind::wrong_card,
                         "its card of segment " + wrong.segment.short_hex() + " contradicts that of most homes");
  }
}

Task<Result<dispersal::Located>> Survey::locate(SegmentId segment) {
  auto found = holders_.find(segment);
  if (found == holders_.end()) co_return fail(Errc::not_found, "segment " + segment.short_hex() + ": no home has it");
  std::vector<VersionedCard> cards = co_await read_cards(segment, found->second);
  std::vector<dispersal::ShownCard> shown;
  for (const VersionedCard& versioned : cards) shown.push_back({.card = &versioned.card, .homes = versioned.homes});
  if (shown.empty()) co_return fail(Errc::not_found, "segment " + segment.short_hex() + ": no home has a good card");
  VersionedCard& best = cards[dispersal::cards_to_try(shown).front()];
  for (const VersionedCard& other : cards) {
    if (wire::contradict(other.card, best.card)) name_who_has(other.card, found->second);
  }
  dispersal::Located out{
      .card = std::move(best.card), .signed_card = std::move(best.signed_bytes), .holders = found->second};
  for (Holder& holder : out.holders) {
    std::erase_if(holder.rows, [&](std::uint8_t row) { return row >= out.card.n(); });
  }
  co_return out;
}

bool Survey::surely_can_be_read(const SegmentId& segment) const {
  std::bitset<256> rows;
  for (const Holder& holder : holders(segment)) {
    for (std::uint8_t row : holder.rows) rows.set(row);
  }
  return rows.count() >= dispersal::kNeed && !some_known_bad(segment) && !vault_.homes_.could_not_read(segment);
}

Task<bool> Survey::can_be_read(SegmentId segment) {
  auto found = holders_.find(segment);
  if (found == holders_.end() || vault_.homes_.could_not_read(segment)) co_return false;
  std::vector<Holder> holders = found->second;
  take_out(holders, known_bad(segment, holders));
  auto rows = rows_of(holders).size();
  if (rows >= dispersal::kNeed) co_return true;  // every plan needs as many
  auto located = co_await locate(segment);
  if (!located) co_return false;
  take_out(located->holders, known_bad(*located));
  co_return rows_of(located->holders).size() >= located->card.k;
}

std::vector<dispersal::RowsFor> Survey::known_bad(const SegmentId& segment, const std::vector<Holder>& holders) const {
  std::vector<dispersal::RowsFor> bad;
  for (const Holder& holder : holders) {
    BadRows::Rows known = bad_rows_.of(vault_.homes_.members()[holder.member].id, segment);
    dispersal::RowsFor rows{.home = holder.member, .rows = {}};
    for (std::uint8_t row : holder.rows) {
      if (known[row]) rows.rows.push_back(row);
    }
    if (!rows.rows.empty()) bad.push_back(std::move(rows));
  }
  return bad;
}

std::vector<dispersal::RowsFor> Survey::known_bad(const dispersal::Located& located) const {
  return known_bad(located.card.segment, located.holders);
}

void Survey::forget_bad(const SegmentId& segment, const dispersal::RowsFor& rows) {
  bad_rows_.learn(vault_.homes_.members()[rows.home].id, segment, rows.rows, false);
}

void Survey::save_bad_rows() { (void)bad_rows_.save(); }

/// Asked before every write, whatever the homes seem: a drive replaced by an empty one, or set back to an old copy,
/// answers like any other, and a chunk that only a lost segment had must be stored again.
Task<Result<void>> VaultImpl::find_gone_segments() {
  MHP_CO_TRY(auto live, co_await live_segments());
  Survey survey(*this);
  co_await survey.take(std::move(live));
  co_await reprieve_needed(survey);
  gone_.clear();
  for (const SegmentId& id : survey.segments()) {
    if (survey.surely_can_be_read(id)) continue;
    bool can_be_read = co_await survey.can_be_read(id);
    if (!can_be_read) gone_.insert(id);
  }
  index_.set_gone(gone_);
  co_return Result<void>{};
}

Task<Survey::Verdict> Survey::verify(const dispersal::Located& located) {
  Verdict verdict;
  platform::Nursery scope(co_await asio::this_coro::executor);
  for (const Holder& holder : located.holders) {
    if (!holder.rows.empty()) scope.start(verify_one(vault_.homes_, located, holder, verdict));
  }
  co_await scope.join();
  for (const Holder& holder : located.holders) {
    bool unread = std::ranges::find(verdict.unread, holder.member, &dispersal::RowsFor::home) != verdict.unread.end();
    if (unread) continue;
    bad_rows_.learn(vault_.homes_.members()[holder.member].id, located.card.segment, holder.rows, false);
  }
  for (const auto& bad : verdict.bad) {
    bad_rows_.learn(vault_.homes_.members()[bad.home].id, located.card.segment, bad.rows, true);
  }
  co_return verdict;
}

}  // namespace mhp::vault::impl
