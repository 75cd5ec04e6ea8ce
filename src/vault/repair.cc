// Re-makes rows that are lost or bad, and gives new homes theirs, without touching what is whole.
#include <algorithm>
#include <climits>
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
constexpr std::size_t kSegmentsAtOnce = 4;      // each with its rows in memory: some 50 MB

bool contains(const std::vector<std::size_t>& list, std::size_t value) {
  return std::ranges::find(list, value) != list.end();
}

void add_rows(std::vector<RowsFor>& to, std::size_t home, const std::vector<std::uint8_t>& rows) {
  auto entry = std::ranges::find(to, home, &RowsFor::home);
  if (entry == to.end()) entry = to.insert(to.end(), {.home = home, .rows = {}});
  entry->rows.insert(entry->rows.end(), rows.begin(), rows.end());
  std::ranges::sort(entry->rows);
}

class Repairer {
 public:
  Repairer(VaultImpl& vault, bool read_all, std::vector<std::size_t> without, bool dry_run)
      : vault_(vault), survey_(vault), without_(std::move(without)), read_all_(read_all), dry_run_(dry_run) {}

  Task<Result<RepairReport>> run(Progress progress) {
    co_await survey_.take(vault_.live_segments());
    choose_usable();
    if (usable_.empty()) co_return vault_.homes_.too_few("no home is there to repair on");
    report_.segments = survey_.segments().size();
    progress_ = std::move(progress);
    done_.segments = report_.segments;
    while (next_ < survey_.segments().size()) {
      platform::Nursery scope(co_await asio::this_coro::executor);
      for (std::size_t i = 0; i < kSegmentsAtOnce; ++i) scope.start(work());
      co_await scope.join();  // nothing is under way while a group is made durable
      co_await commit();
    }
    if (!dry_run_) {
      survey_.save_bad_rows();
      co_await vault_.bring_homes_up_to_date();
    }
    report_.homes = static_cast<unsigned>(holding_.size());
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

  /// Homes that count, or all where none does; not those that are about to go.
  void choose_usable() {
    for (bool only_counting : {true, false}) {
      for (std::size_t member : survey_.members()) {
        bool fits = vault_.homes_.members()[member].counts || !only_counting;
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
    take_out(located->holders, bad);
    Located staying = *located;  // what is read from may be more than what counts
    std::erase_if(staying.holders, [this](const Holder& holder) { return contains(without_, holder.member); });
    int margin = vault_.homes_.margin_of(staying);
    lower(before_, margin);
    if (rows_of(located->holders).size() < located->card.k) co_return count_lost(margin);
    Order order = plan(staying, bad);
    if (order.rows.empty() && order.newer_card.empty()) co_return keep(staying, margin);
    ++report_.segments_changed;
    if (dry_run_) {
      for (const RowsFor& rows : order.rows) report_.rows_made += rows.rows.size();
      co_return keep(staying, margin_with(staying, order.rows));
    }
    auto placed = co_await make(*located, order);
    if (!placed) co_return count_lost(margin);
    remember(staying, std::move(*placed));
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

  /// Bad rows are made again where they are; then the plan is filled up.
  Order plan(const Located& located, const std::vector<RowsFor>& bad) const {
    Order order;
    std::vector<Holder> holders = located.holders;
    for (const RowsFor& rows : bad) {
      if (!contains(usable_, rows.home)) continue;
      add_rows(order.rows, rows.home, rows.rows);
      auto holder = std::ranges::find(holders, rows.home, &Holder::member);
      if (holder == holders.end()) continue;
      holder->rows.insert(holder->rows.end(), rows.rows.begin(), rows.rows.end());
    }
    auto wanted = dispersal::plan_repair(holders, usable_, vault_.level(), located.card.n(), located.card.segment);
    std::uint32_t n = located.card.n();
    for (const RowsFor& rows : wanted) {
      add_rows(order.rows, rows.home, rows.rows);
      for (std::uint8_t row : rows.rows) n = std::max<std::uint32_t>(n, row + 1u);
    }
    for (const Holder& holder : located.holders) {
      bool gets_rows = std::ranges::any_of(order.rows, [&](const auto& rows) { return rows.home == holder.member; });
      bool old_card = holder.card_version < located.card.version || n > located.card.n();
      if (old_card && !gets_rows) order.newer_card.push_back(holder.member);
    }
    return order;
  }

  int margin_with(const Located& located, const std::vector<RowsFor>& more) const {
    std::vector<RowsFor> placed = more;
    for (const Holder& holder : located.holders) add_rows(placed, holder.member, holder.rows);
    return vault_.homes_.margin_of(placed, located.card.k);
  }

  /// Reads the segment, codes the rows, signs and sends. What homes took.
  Task<Result<std::vector<RowsFor>>> make(const Located& located, const Order& order) {
    MHP_CO_TRY(auto gathered, co_await vault_.homes_.gather(located, 0, 0, true));
    dispersal::SealedSegment segment;
    segment.id = located.card.segment;
    segment.vault = located.card.vault;
    segment.epoch = located.card.epoch;
    segment.k = located.card.k;
    segment.sealed = gathered.sealed;
    segment.salts = gathered.salts;
    auto job = [&] { return code(located, order, segment); };
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
    std::vector<RowsFor> placed;
    SegmentId segment;
    unsigned k = 0;
  };

  void remember(const Located& located, std::vector<RowsFor> placed) {
    waiting_.push_back({.holders = located.holders,
                        .placed = std::move(placed),
                        .segment = located.card.segment,
                        .k = located.card.k});
  }

  Task<> commit() {
    std::vector<std::size_t> committed = co_await vault_.homes_.commit();
    for (Waiting& waiting : waiting_) {
      std::vector<RowsFor> there;
      for (const Holder& holder : waiting.holders) add_rows(there, holder.member, holder.rows);
      for (const RowsFor& placed : waiting.placed) {
        if (!contains(committed, placed.home)) continue;
        add_rows(there, placed.home, placed.rows);
        survey_.forget_bad(waiting.segment, placed);
      }
      for (const RowsFor& rows : there) {
        if (!rows.rows.empty()) holding_.insert(rows.home);
      }
      lower(after_, vault_.homes_.margin_of(there, waiting.k));
    }
    waiting_.clear();
    report_.bytes_stored += uncommitted_bytes_;
    uncommitted_bytes_ = 0;
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
  std::set<std::size_t> holding_;  // members with rows in the end
};

}  // namespace

Task<Result<RepairReport>> VaultImpl::repair(bool read_all, std::vector<std::size_t> without, bool dry_run,
                                             Progress progress) {
  std::unique_ptr<platform::FileLock> lock;
  if (!dry_run) {
    MHP_CO_TRY(lock, state_.lock(state_.who()));
    MHP_CO_TRY_VOID(co_await refresh_for_write());
  }
  Repairer repairer(*this, read_all, std::move(without), dry_run);
  co_return co_await repairer.run(std::move(progress));
}

}  // namespace mhp::vault::impl
