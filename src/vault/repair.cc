// Re-makes rows that are lost or bad, and gives new homes theirs, without touching what is whole.
#include <algorithm>
#include <bitset>
#include <climits>
#include <iterator>
#include <set>

#include "base/check.h"
#include "platform/nursery.h"
#include "vault/impl/sealer.h"
#include "vault/impl/survey.h"
#include "wire/fragment.h"

namespace mhp::vault::impl {
namespace {

using dispersal::Holder;
using dispersal::Located;
using dispersal::RowsFor;

constexpr std::uint64_t kGroupBytes = 256_MiB;  // between two commits
constexpr std::size_t kRepairedAtOnce = 4;      // each with its rows in memory: some 50 MB

bool contains(const std::vector<std::size_t>& list, std::size_t value) {
  return std::ranges::find(list, value) != list.end();
}

void add_rows(std::vector<RowsFor>& to, std::size_t home, const std::vector<std::uint8_t>& rows) {
  auto entry = std::ranges::find(to, home, &RowsFor::home);
  if (entry == to.end()) entry = to.insert(to.end(), {.home = home, .rows = {}});
  entry->rows.insert(entry->rows.end(), rows.begin(), rows.end());
  std::ranges::sort(entry->rows);
}

/// One round over some segments.
class Repairer {
 public:
  Repairer(VaultImpl& vault, bool read_all, std::vector<std::size_t> without, bool dry_run)
      : vault_(vault), survey_(vault), without_(std::move(without)), read_all_(read_all), dry_run_(dry_run) {}

  /// Segments that lack what a home refused during this round, with their margins.
  struct Left {
    SegmentId segment;
    int margin = 0;
  };
  const std::vector<Left>& left() const { return left_; }

  Task<Result<RepairReport>> run(std::vector<SegmentId> segments, Progress progress) {
    co_await survey_.take(std::move(segments));
    // Homes that this computer cannot read for lack of open files or memory are not lost.
    if (vault_.homes_.exhausted()) co_return tl::unexpected<Error>(*vault_.homes_.exhausted());
    choose_usable();
    if (usable_.empty()) co_return vault_.homes_.too_few("no home is there to repair on");
    report_.segments = survey_.segments().size();
    progress_ = std::move(progress);
    done_.segments = report_.segments;
    while (next_ < survey_.segments().size()) {
      platform::Nursery scope(co_await asio::this_coro::executor);
      for (std::size_t i = 0; i < kRepairedAtOnce; ++i) scope.start(work());
      co_await scope.join();  // nothing is under way while a group is made durable
      co_await commit();
    }
    if (!dry_run_) survey_.save_bad_rows();
    for (std::size_t member : refusing_) report_.refusing.push_back(vault_.homes_.members()[member].id);
    report_.homes = static_cast<unsigned>(vault_.homes_.number_counting(holding_));
    report_.margin_before = before_.value_or(0);
    report_.margin = after_.value_or(0);
    co_return report_;
  }

 private:
  /// One of several that share the list, until a group is full.
  Task<> work() {
    while (next_ < survey_.segments().size() && uncommitted_bytes_ < kGroupBytes) {
      SegmentId id = survey_.segments()[next_++];
      co_await repair(id);
      ++done_.segments_done;
      if (progress_) progress_(done_);
    }
  }

  /// What to make of one segment.
  struct Order {
    std::vector<RowsFor> rows;
    std::vector<std::size_t> newer_card;  // members that only lack the newest card
  };

  /// Homes that count, or where none does all that do not refuse; not those that are about to go.
  void choose_usable() {
    const auto& all = vault_.homes_.members();
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (all[i].home && !contains(survey_.members(), i) && !contains(without_, i)) refusing_.insert(i);
    }
    for (bool only_counting : {true, false}) {
      for (std::size_t member : survey_.members()) {
        bool fits = all[member].counts || (!only_counting && !all[member].refuses);
        if (fits && !contains(without_, member)) usable_.push_back(member);
      }
      if (!usable_.empty()) return;
    }
  }

  Task<> repair(SegmentId id) {
    auto located = co_await survey_.locate(id);
    if (!located) co_return count_lost(-1);
    if (read_all_) {
      auto verdict = co_await survey_.verify(*located);
      take_out(located->holders, verdict.unread);
    }
    std::vector<RowsFor> bad = survey_.known_bad(*located);  // those read just now and those of earlier readings
    const Located all = *located;
    take_out(located->holders, bad);
    Located staying = *located;  // what is read from may be more than what counts
    std::erase_if(staying.holders, [this](const Holder& holder) { return contains(without_, holder.member); });
    int margin = vault_.homes_.margin_of(staying);
    lower(before_, margin);
    // Too few that count may still be enough to read: of some only the card beside them has changed.
    if (rows_of(located->holders).size() < located->card.k) {
      const bool may_be_there = rows_of(all.holders).size() >= all.card.k;
      if (!may_be_there || (dry_run_ && !co_await can_be_gathered(vault_, all))) co_return count_lost(margin);
      located->holders = all.holders;
    }
    if (vault_.homes_.could_not_read(id)) {  // in this run: once more
      const auto again = co_await vault_.homes_.gather(id, 0, 0, true);
      remember_wrong_rows(vault_.homes_, vault_.state_);
      if (!again) co_return count_lost(-1);
    }
    Order order = plan(staying, bad);
    if (order.rows.empty() && order.newer_card.empty()) co_return keep(staying, margin);
    ++report_.segments_changed;
    if (dry_run_) {
      for (const RowsFor& rows : order.rows) report_.rows_made += rows.rows.size();
      co_return keep(staying, margin_with(staying, order.rows));
    }
    auto placed = co_await make(*located, order);
    if (!placed) co_return count_lost(vault_.homes_.could_not_read(id) ? -1 : margin);
    remember(staying, order, std::move(*placed));
  }

  void keep(const Located& located, int margin) {
    for (const Holder& holder : located.holders) {
      if (!holder.rows.empty()) holding_.insert(holder.member);
    }
    lower(after_, margin);
  }

  void count_lost(int margin) {
    ++report_.unrestorable;
    lower(before_, margin);
    lower(after_, margin);
  }

  static void lower(std::optional<int>& worst, int margin) { worst = std::min(worst.value_or(margin), margin); }

  /// Bad rows are made again where they are; then the plan is filled up. What a home refuses goes to the others.
  Order plan(const Located& located, const std::vector<RowsFor>& bad) {
    Order order;
    order.rows = wanted_rows(located, bad);
    const auto refused = [this](const RowsFor& rows) { return !vault_.homes_.takes_writes(rows.home); };
    for (const RowsFor& rows : order.rows) {
      if (refused(rows)) refuse(rows.home);
    }
    if (std::erase_if(order.rows, refused) > 0) order.rows = with_more(located, std::move(order.rows));
    std::uint32_t n = located.card.n();
    for (const RowsFor& rows : order.rows) n = std::max<std::uint32_t>(n, rows.rows.back() + 1u);
    for (const Holder& holder : located.holders) {
      bool gets_rows = std::ranges::any_of(order.rows, [&](const auto& rows) { return rows.home == holder.member; });
      bool old_card = holder.card_version < located.card.version || n > located.card.n();
      bool takes = vault_.homes_.takes_writes(holder.member);
      if (old_card && !gets_rows && takes) order.newer_card.push_back(holder.member);
    }
    return order;
  }

  void refuse(std::size_t member) {
    refusing_.insert(member);
    if (vault_.homes_.members()[member].read_only)
      vault_.homes_.report(member, dispersal::TroubleKind::read_only, "it cannot be given the rows that it lacks");
  }

  std::vector<RowsFor> wanted_rows(const Located& located, const std::vector<RowsFor>& bad) const {
    std::vector<RowsFor> wanted;
    std::vector<Holder> holders = located.holders;
    for (const RowsFor& rows : bad) {
      if (!contains(usable_, rows.home)) continue;
      add_rows(wanted, rows.home, rows.rows);
      auto holder = std::ranges::find(holders, rows.home, &Holder::member);
      if (holder == holders.end()) continue;
      holder->rows.insert(holder->rows.end(), rows.rows.begin(), rows.rows.end());
    }
    const std::uint32_t n = located.card.n();
    const auto owners = dispersal::owners_of(vault_.homes_.members(), usable_);
    for (const RowsFor& rows :
         dispersal::plan_repair(holders, usable_, vault_.level(), n, located.card.segment, owners)) {
      add_rows(wanted, rows.home, rows.rows);
    }
    return wanted;
  }

  /// Homes of the plan that take something now: one that is full must not keep the others from its share.
  std::vector<std::size_t> taking() const {
    std::vector<std::size_t> out;
    std::ranges::copy_if(usable_, std::back_inserter(out),
                         [this](std::size_t member) { return vault_.homes_.takes_writes(member); });
    return out;
  }

  /// More rows on the homes that take some, until as many homes may be lost as is planned, or as can be.
  std::vector<RowsFor> with_more(const Located& located, std::vector<RowsFor> rows) const {
    if (usable_.empty()) return rows;
    const auto plan = dispersal::make_plan(vault_.level(), dispersal::owners_of(vault_.homes_.members(), usable_));
    const int now = margin_with(located, rows);
    for (int wanted = static_cast<int>(plan.margin); wanted > now; --wanted) {
      std::vector<RowsFor> more = rows;
      while (margin_with(located, more) < wanted && add_one_row(located, more)) {
      }
      if (margin_with(located, more) >= wanted) return more;
    }
    return rows;
  }

  /// A row that nobody has, to the home that has fewest and takes one; false where each has as many as it may.
  bool add_one_row(const Located& located, std::vector<RowsFor>& rows) const {
    std::vector<RowsFor> there = rows;
    for (const Holder& holder : located.holders) add_rows(there, holder.member, holder.rows);
    std::bitset<wire::kMaxRows> taken;
    for (const RowsFor& held : there) {
      for (std::uint8_t row : held.rows) taken.set(row);
    }
    std::size_t free = 0;
    while (free < taken.size() && taken[free]) ++free;
    std::optional<std::size_t> chosen;
    const std::vector<std::size_t> members = taking();
    std::size_t fewest = members.size() > 2 ? dispersal::kNeed - 1 : dispersal::kNeed;  // so many a home has at most
    for (std::size_t member : members) {
      const auto held = std::ranges::find(there, member, &RowsFor::home);
      const std::size_t count = held == there.end() ? 0 : held->rows.size();
      if (count >= fewest || has_all_it_may(there, member, taken.count() + 1)) continue;
      fewest = count;
      chosen = member;
    }
    if (!chosen || free == taken.size()) return false;
    add_rows(rows, *chosen, {static_cast<std::uint8_t>(free)});
    return true;
  }

  /// Whether the owner of `member` has as many rows on all its homes as one other person may have of `n`.
  bool has_all_it_may(const std::vector<RowsFor>& there, std::size_t member, std::size_t n) const {
    const auto& members = vault_.homes_.members();
    const std::uint32_t owner = members[member].owner;
    const auto plan = dispersal::make_plan(vault_.level(), dispersal::owners_of(members, taking()));
    if (owner == 0 || plan.sealed_mirror()) return false;
    std::size_t rows = 0;
    for (const RowsFor& held : there) rows += members[held.home].owner == owner ? held.rows.size() : 0;
    return n < dispersal::kNeed || rows >= dispersal::most_of_one(static_cast<unsigned>(n), dispersal::kNeed);
  }

  int margin_with(const Located& located, const std::vector<RowsFor>& more) const {
    std::vector<RowsFor> placed = more;
    for (const Holder& holder : located.holders) add_rows(placed, holder.member, holder.rows);
    return vault_.homes_.margin_of(placed, located.card.k);
  }

  /// Reads the segment, codes the rows, signs and sends. What homes took.
  Task<Result<std::vector<RowsFor>>> make(const Located& located, const Order& order) {
    auto read = co_await vault_.homes_.gather(located, 0, 0, true);
    remember_wrong_rows(vault_.homes_, vault_.state_);
    MHP_CO_TRY(auto gathered, std::move(read));
    dispersal::SealedSegment segment;
    segment.id = located.card.segment;
    segment.vault = located.card.vault;
    segment.epoch = located.card.epoch;
    segment.k = located.card.k;
    segment.salts = gathered.salts;
    auto job = [&] {
      const Bytes sealed = gathered.sealed();
      segment.sealed = sealed;
      return code(located, order, segment);
    };
    dispersal::EncodedSegment encoded = co_await vault_.platform_.workers().run(job);
    std::vector<std::pair<std::size_t, std::uint64_t>> sizes;
    for (const auto& shipment : encoded.shipments) sizes.emplace_back(shipment.home, shipment.front.record_bytes);
    auto report = co_await vault_.homes_.put_more(std::move(encoded));
    for (const RowsFor& placed : report.placed) {
      report_.rows_made += placed.rows.size();
      for (const auto& [home, bytes] : sizes) {
        if (home == placed.home) uncommitted_bytes_ += bytes;
      }
    }
    co_return std::move(report.placed);
  }

  dispersal::EncodedSegment code(const Located& located, const Order& order,
                                 const dispersal::SealedSegment& segment) const {
    auto& buffers = vault_.homes_.buffers();
    dispersal::EncodedSegment encoded;
    encoded.card = located.card;
    if (!order.rows.empty()) encoded = dispersal::encode(segment, order.rows, &located.card, buffers);
    for (std::size_t member : order.newer_card) {
      dispersal::Shipment shipment;
      shipment.home = member;
      shipment.front = wire::plan_record(segment.vault, segment.id, {}, wire::fragment_bytes(located.card.row_bytes),
                                         wire::signed_card_capacity(encoded.card.n()));
      shipment.buffer = buffers.take(shipment.front.record_bytes);
      encoded.shipments.push_back(std::move(shipment));
    }
    bool same = encoded.card == located.card;
    Bytes signed_card = same ? located.signed_card : sign_card(vault_.device_, encoded.card);
    dispersal::attach_card(encoded, signed_card);
    return encoded;
  }

  /// Counts once the group is durable.
  struct Waiting {
    std::vector<Holder> holders;
    std::vector<RowsFor> ordered;
    std::vector<RowsFor> placed;
    SegmentId segment;
    unsigned k = 0;
  };

  void remember(const Located& located, const Order& order, std::vector<RowsFor> placed) {
    waiting_.push_back({.holders = located.holders,
                        .ordered = order.rows,
                        .placed = std::move(placed),
                        .segment = located.card.segment,
                        .k = located.card.k});
  }

  Task<> commit() {
    std::vector<std::size_t> committed = co_await vault_.homes_.commit();
    for (Waiting& waiting : waiting_) {
      std::vector<RowsFor> there;
      for (const Holder& holder : waiting.holders) add_rows(there, holder.member, holder.rows);
      std::erase_if(waiting.placed, [&](const RowsFor& placed) { return !contains(committed, placed.home); });
      for (const RowsFor& placed : waiting.placed) {
        add_rows(there, placed.home, placed.rows);
        survey_.forget_bad(waiting.segment, placed);
      }
      for (const RowsFor& rows : there) {
        if (!rows.rows.empty()) holding_.insert(rows.home);
      }
      int margin = vault_.homes_.margin_of(there, waiting.k);
      if (all_placed(waiting)) {
        lower(after_, margin);
      } else {
        left_.push_back({.segment = waiting.segment, .margin = margin});
      }
    }
    waiting_.clear();
    report_.bytes_stored += uncommitted_bytes_;
    uncommitted_bytes_ = 0;
  }

  bool all_placed(const Waiting& waiting) {
    bool all = true;
    for (const RowsFor& ordered : waiting.ordered) {
      if (std::ranges::find(waiting.placed, ordered.home, &RowsFor::home) != waiting.placed.end()) continue;
      all = false;
      refuse(ordered.home);
    }
    return all;
  }

  VaultImpl& vault_;
  Survey survey_;
  std::vector<std::size_t> without_;
  const bool read_all_;
  const bool dry_run_;
  std::vector<std::size_t> usable_;
  RepairReport report_;
  std::optional<int> before_;
  std::optional<int> after_;
  std::vector<Waiting> waiting_;
  std::uint64_t uncommitted_bytes_ = 0;
  std::size_t next_ = 0;  // of the survey's segments
  Progress progress_;
  CheckProgress done_;
  std::set<std::size_t> holding_;   // members with rows in the end
  std::set<std::size_t> refusing_;  // members that did not take what they were to get
  std::vector<Left> left_;
};

void add_home(std::vector<HomeId>& homes, const HomeId& home) {
  if (std::ranges::find(homes, home) == homes.end()) homes.push_back(home);
}

/// What a further round, over some of the segments, did on top of the first.
void add_round(RepairReport& sum, const RepairReport& round) {
  sum.rows_made += round.rows_made;
  sum.bytes_stored += round.bytes_stored;
  sum.unrestorable += round.unrestorable;
  sum.homes = std::max(sum.homes, round.homes);
  for (const HomeId& home : round.refusing) add_home(sum.refusing, home);
}

}  // namespace

Task<> VaultImpl::name_damaged_former() {
  const auto damaged = co_await ask_damaged_former(homes_, record_.record.vault, views_, &platform_.clock());
  for (std::size_t i = 0; i < damaged.size(); ++i) {
    for (const DeviceId& device : damaged[i]) {
      homes_.report(i, dispersal::TroubleKind::damaged,
                    "its file former-" + device.short_hex() +
                        "..., with vault records that newer ones have replaced, is damaged: 'mhp repair' keeps what is "
                        "whole in it");
    }
  }
}

/// A home that is given the record that it has looks at those before it.
Task<std::vector<std::size_t>> VaultImpl::mend_former() {
  std::vector<std::size_t> out;
  const auto damaged = co_await ask_damaged_former(homes_, record_.record.vault, views_, &platform_.clock());
  for (std::size_t i = 0; i < damaged.size(); ++i) {
    for (const DeviceId& device : damaged[i]) {
      const auto held = std::ranges::find(views_[i].records, device, &home::Home::DeviceRecord::device);
      if (held == views_[i].records.end() || held->signed_record.empty()) continue;
      if (homes_.members()[i].refuses) continue;
      const auto put = co_await homes_.members()[i].home->put_vault_record(held->signed_record);
      if (!put) homes_.report_failure(i, put.error());
      if (put && !contains(out, i)) out.push_back(i);
    }
  }
  co_return out;
}

Task<Result<RepairReport>> VaultImpl::repair(bool read_all, std::vector<std::size_t> without, bool dry_run,
                                             Progress progress) {
  // Homes that cannot begin a recovery do not count, whatever rows they have.
  auto complete = [&] {
    std::vector<std::size_t> members = complete_members();
    std::erase_if(members, [&](std::size_t member) { return contains(without, member); });
    return members;
  };
  const std::vector<std::size_t> before = complete();
  std::unique_ptr<platform::FileLock> lock;
  if (!dry_run && !how_.is_locked) {
    MHP_CO_TRY(lock, state_.lock(state_.who()));
  }
  if (!dry_run) {
    MHP_CO_TRY_VOID(co_await refresh_for_write());
  }
  RepairReport sum;
  std::optional<int> margin;
  auto lower = [&margin](int other) { margin = std::min(margin.value_or(other), other); };
  MHP_CO_TRY(std::vector<SegmentId> segments, co_await live_segments());
  std::vector<Repairer::Left> left;
  // A round that leaves segments open has met one more home that takes nothing: the next one plans without it.
  for (std::size_t round = 0; round == 0 || (!left.empty() && round <= homes_.members().size()); ++round) {
    const std::size_t count = segments.size();
    Progress told = round == 0 ? progress : Progress();
    Repairer repairer(*this, read_all && round == 0, without, dry_run);
    MHP_CO_TRY(const RepairReport report, co_await repairer.run(std::move(segments), std::move(told)));
    left = repairer.left();
    if (count > left.size()) lower(report.margin);
    if (round == 0) sum = report;
    if (round > 0) add_round(sum, report);
    segments.clear();
    for (const Repairer::Left& open : left) segments.push_back(open.segment);
  }
  for (const Repairer::Left& open : left) lower(open.margin);
  sum.margin = margin.value_or(0);
  std::vector<std::size_t> told;
  if (!dry_run) told = co_await bring_homes_up_to_date();
  std::vector<std::size_t> after = complete();
  for (std::size_t i = 0; i < views_.size(); ++i) {
    if (!homes_.members()[i].home || homes_.members()[i].refuses || contains(without, i)) continue;
    if (dry_run && !contains(after, i)) after.push_back(i);  // as it would be
    if (!dry_run && !contains(told, i)) add_home(sum.refusing, homes_.members()[i].id);
  }
  sum.margin_before = std::min(sum.margin_before, margin_of_members(before));
  sum.margin = std::min(sum.margin, margin_of_members(after));
  std::vector<std::size_t> mended;
  if (!dry_run) mended = co_await mend_former();
  for (const std::size_t member : after) {
    if (!contains(before, member) && !contains(mended, member)) mended.push_back(member);
  }
  sum.homes_mended = static_cast<unsigned>(mended.size());
  sum.two_histories = is_forked() || joins_histories();
  co_return sum;
}

}  // namespace mhp::vault::impl
