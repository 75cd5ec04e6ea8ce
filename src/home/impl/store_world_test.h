// A folder store on a fault disk, what it acknowledged, and what must hold after anything that happens to the disk.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "home/home_samples_test.h"
#include "home/impl/folder_store.h"
#include "home/impl/verify.h"
#include "platform/memory/memory_platform.h"

namespace mhp::home::impl {

inline constexpr const char* kPath = "/home";
inline constexpr std::uint64_t kSmallLogBytes = 128_KiB;  // a few records: rolling over is tested too

/// MHP_SEED, or what is given.
inline std::uint64_t seed_or(std::uint64_t usual) {
  const char* wanted = std::getenv("MHP_SEED");
  return wanted ? std::strtoull(wanted, nullptr, 10) : usual;
}

/// MHP_LONG makes the long tests this many times as long.
inline std::uint64_t long_factor() { return std::getenv("MHP_LONG") ? 500 : 1; }

/// Segments 0...kSegments-1 of one owner, made once: signing is slow.
class Stock {
 public:
  static constexpr std::size_t kSegments = 24;
  static constexpr unsigned kRows = 4;
  static const Stock& get() {
    static const Stock stock;
    return stock;
  }
  const samples::Owner owner{1};
  std::vector<samples::Segment> segments;
  std::vector<Bytes> vault_records;  // versions 1...
  std::vector<Bytes> heads;          // seq 1...
  std::map<SegmentId, std::size_t> number_of;

  AlignedBuffer record(std::size_t segment, std::vector<std::uint8_t> rows) const {
    return samples::make_record(owner, segments[segment], std::move(rows));
  }

 private:
  Stock() {
    primitives::init_sodium();
    for (std::size_t i = 0; i < kSegments; ++i) {
      const std::uint32_t row_bytes = i % 5 == 4 ? 9'000 : 700;
      segments.push_back(samples::make_segment(owner, i, kRows, row_bytes));
      number_of[segments.back().card.segment] = i;
    }
    for (std::uint64_t version = 1; version <= 12; ++version) vault_records.push_back(owner.signed_record(version));
    heads = owner.heads(1, 12);
  }
};

using Rows = std::set<std::pair<std::size_t, std::uint8_t>>;  // segment number, row

/// What a home said "done" to.
struct Acknowledged {
  Rows committed;
  Rows pending;                   // put since the last commit
  std::size_t vault_records = 0;  // the first so many of the stock
  std::size_t heads = 0;
};

inline wire::HomeFile make_home(platform::Disk& disk) {
  platform::MemoryPlatform machine(7);
  const auto made = create_folder_home(disk, machine.random(), kPath);
  EXPECT_TRUE(made) << made.error().detail;
  const auto identity = read_identity(disk, kPath);
  EXPECT_TRUE(identity);
  return *identity;
}

/// Stands still until it is told to move, either way.
class HandClock : public platform::Clock {
 public:
  static constexpr std::int64_t kStart = 1'767'225'600'000'000'000;  // 2026-01-01
  std::int64_t now = kStart;
  std::int64_t unix_ns() const override { return now; }
  std::chrono::nanoseconds steady() const override { return {}; }
  Task<> sleep(std::chrono::nanoseconds) override { co_return; }
};

/// Of the tests that do not care.
inline HandClock& still_clock() {
  static HandClock clock;
  return clock;
}

inline std::unique_ptr<FolderStore> open_store(platform::Disk& disk, const wire::HomeFile& identity,
                                               platform::Clock& clock = still_clock()) {
  return std::make_unique<FolderStore>(disk, clock, kPath, identity, FolderLimits{}, kSmallLogBytes);
}

inline std::unique_ptr<FolderStore> open_store(platform::Disk& disk) {
  const auto identity = read_identity(disk, kPath);
  EXPECT_TRUE(identity) << identity.error().detail;
  return open_store(disk, *identity);
}

/// All rows the store says it holds; each is read and compared. "" where all is well.
inline std::string check_claims(FolderStore& store, Rows& claimed) {
  const Stock& stock = Stock::get();
  const auto page = store.log().list(stock.owner.vault, {}, 1000);
  if (!page) return "list: " + page.error().detail;
  for (const HeldSegment& held : page->segments) {
    const std::size_t number = stock.number_of.at(held.segment);
    const samples::Segment& segment = stock.segments[number];
    const auto found = store.log().find(held.segment);
    if (!found) return "find: " + found.error().detail;
    if (found->rows != held.rows) return "find and list differ";
    if (found->signed_card != samples::signed_card(stock.owner, segment.card)) return "a wrong card";
    for (const std::uint8_t row : held.rows) {
      const auto bytes = store.log().read(held.segment, row, 0, UINT32_MAX);
      if (!bytes) return "read: " + bytes.error().detail;
      if (*bytes != segment.fragments[row]) return "segment " + std::to_string(number) + ": wrong bytes";
      claimed.emplace(number, row);
    }
  }
  return {};
}

inline std::string check_vault(FolderStore& store, const Acknowledged& acknowledged) {
  const Stock& stock = Stock::get();
  const auto records = store.vaults().records(stock.owner.vault);
  if (!records && (acknowledged.vault_records > 0 || records.error().code != Errc::not_found))
    return "vault record: " + records.error().detail;
  if (records && records->empty() && acknowledged.vault_records > 0) return "the vault record is missing";
  bool is_second = false;  // or a later one: what it replaced must be found
  if (records && !records->empty()) {
    const auto at = std::ranges::find(stock.vault_records, records->at(0).signed_record) - stock.vault_records.begin();
    if (static_cast<std::size_t>(at) + 1 < acknowledged.vault_records) return "an old vault record";
    if (static_cast<std::size_t>(at) >= stock.vault_records.size()) return "a strange vault record";
    is_second = at > 0;
  }
  const auto former = store.vaults().former_records(stock.owner.vault, stock.owner.device);
  if (!former && (is_second || acknowledged.vault_records > 1 || former.error().code != Errc::not_found))
    return "former vault records: " + former.error().detail;
  // The clock stands still: of this one day the first is kept.
  if (former && (former->records.size() != 1 || former->records[0].signed_record != stock.vault_records[0]))
    return "other former vault records than the first of the day";
  const auto heads = store.vaults().heads(stock.owner.vault);
  if (!heads && (acknowledged.heads > 0 || heads.error().code != Errc::not_found))
    return "heads: " + heads.error().detail;
  const std::size_t count = !heads || heads->empty() ? 0 : heads->at(0).chain.size();
  if (count < acknowledged.heads) return "heads are missing";
  if (count > 0 && !std::equal(stock.heads.begin(), stock.heads.begin() + static_cast<std::ptrdiff_t>(count),
                               heads->at(0).chain.begin(), heads->at(0).chain.end()))
    return "wrong heads";
  return {};
}

/// What must hold of every state of a disk: it opens, what is claimed is true, what was acknowledged is there.
inline std::string check_state(FolderStore& store, const Acknowledged& acknowledged) {
  Rows claimed;
  if (auto problem = check_claims(store, claimed); !problem.empty()) return problem;
  for (const auto& [segment, row] : acknowledged.committed) {
    if (!claimed.contains({segment, row}))
      return "acknowledged row " + std::to_string(row) + " of segment " + std::to_string(segment) + " is lost";
  }
  return check_vault(store, acknowledged);
}

/// Random calls on a store; keeps book of what was acknowledged.
class Driver {
 public:
  Driver(platform::MemoryDisk& disk, const wire::HomeFile& identity, std::uint64_t seed)
      : disk_(disk), identity_(identity), random_(seed), store_(open_store(disk, identity)) {}

  void run(std::size_t steps) {
    for (std::size_t i = 0; i < steps; ++i) step();
  }
  FolderStore& store() { return *store_; }
  const Acknowledged& acknowledged() const { return acknowledged_; }
  std::size_t errors() const { return errors_; }

 private:
  std::size_t pick(std::size_t below) { return random_() % below; }

  void step() {
    switch (pick(10)) {
      case 0:
      case 1:
        return commit();
      case 2:
        return put_vault_record();
      case 3:
        return put_heads();
      case 4:
        if (pick(4) == 0) return reopen();
        [[fallthrough]];
      default:
        return put();
    }
  }

  void put() {
    const std::size_t segment = pick(Stock::kSegments);
    std::vector<std::uint8_t> rows;
    for (std::uint8_t row = 0; row < Stock::kRows; ++row) {
      if (pick(2) == 0) rows.push_back(row);
    }
    AlignedBuffer record = Stock::get().record(segment, rows);
    if (!count(store_->put(record.bytes()))) return;
    for (const std::uint8_t row : rows) acknowledged_.pending.emplace(segment, row);
  }

  void commit() {
    // A log that is full is committed on the way: pending rows may be durable before this, never after.
    if (count(store_->commit())) acknowledged_.committed.merge(acknowledged_.pending);
    acknowledged_.pending.clear();
  }

  void put_vault_record() {
    const std::size_t next = acknowledged_.vault_records;
    if (next == Stock::get().vault_records.size()) return;
    if (count(store_->put_vault_record(Stock::get().vault_records[next]))) ++acknowledged_.vault_records;
  }

  void put_heads() {
    const Stock& stock = Stock::get();
    if (acknowledged_.vault_records == 0 || acknowledged_.heads == stock.heads.size()) return;
    std::vector<Bytes> chain = {stock.heads[acknowledged_.heads]};
    if (count(store_->put_heads(stock.owner.vault, stock.owner.device, chain, 0))) ++acknowledged_.heads;
  }

  /// Another run of the program begins; in half of the cases the one before was killed.
  void reopen() {
    if (pick(2) == 0) store_->close();
    store_.reset();
    acknowledged_.pending.clear();
    store_ = open_store(disk_, identity_);
  }

  bool count(const Result<void>& result) {
    if (!result) ++errors_;
    return result.has_value();
  }

  platform::MemoryDisk& disk_;
  const wire::HomeFile identity_;
  std::mt19937_64 random_;
  std::unique_ptr<FolderStore> store_;
  Acknowledged acknowledged_;
  std::size_t errors_ = 0;
};

}  // namespace mhp::home::impl
