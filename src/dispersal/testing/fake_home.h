// A home in memory that does what a test tells it: be slow, hang, lie, forget, fail, fill up.
#pragma once

#include <chrono>
#include <map>

#include "home/home.h"
#include "platform/platform.h"
#include "wire/record.h"

namespace mhp::dispersal::testing {

using namespace std::chrono_literals;

/// What a home does wrong. Changed at any time.
struct Faults {
  std::chrono::nanoseconds delay = 1ms;       // of every answer
  std::chrono::nanoseconds read_delay = 0ms;  // of reads, beside
  bool hangs = false;                         // never answers
  bool hangs_on_reads = false;
  bool hangs_on_commit = false;
  std::uint64_t takes_bytes_per_second = 0;  // of puts; 0: as fast as they come
  bool fails = false;                        // whatever is asked, with this code
  Errc fails_with = Errc::unavailable;
  bool fails_commit = false;
  bool full = false;
  bool flips = false;                                                    // one bit of everything read
  bool flips_salts = false;                                              // one bit of the front
  bool cuts = false;                                                     // reads come one byte short
  bool forgets_rows = false;                                             // not_found for rows it said it has
  bool forges_card = false;                                              // one bit of the card
  std::chrono::nanoseconds vanishes_at = std::chrono::hours(1'000'000);  // then fails
  std::chrono::nanoseconds in_use_until = 0ms;                           // by somebody else, who writes to it
};

class FakeHome : public home::Home {
 public:
  struct Held {
    Bytes signed_card;
    std::uint32_t version = 0;
    std::map<std::uint8_t, Bytes> rows;
  };

  FakeHome(platform::Platform& platform, HomeId id) : platform_(platform), id_(id) {}
  Faults faults;
  std::map<SegmentId, Held> held;
  std::uint64_t reads = 0;
  std::uint64_t read_bytes = 0;
  std::uint64_t commits = 0;
  std::uint64_t list_calls = 0;
  std::string writer;  // who has its lock, and since when
  std::chrono::nanoseconds writer_since{};

  const HomeId& id() const override { return id_; }

  Task<Result<void>> begin_writing(std::string who) override {
    if (platform_.clock().steady() < faults.in_use_until) co_return fail(Errc::busy, "held by another");
    writer = std::move(who);
    writer_since = platform_.clock().steady();
    co_return Result<void>();
  }

  Task<Result<void>> put(MutableBytes record, std::shared_ptr<void>) override {
    MHP_CO_TRY_VOID(co_await answer());
    if (faults.takes_bytes_per_second > 0) {
      co_await platform_.clock().sleep(record.size() * std::chrono::nanoseconds(1s) /
                                       static_cast<std::int64_t>(faults.takes_bytes_per_second));
    }
    if (faults.full) co_return fail(Errc::full, "no space");
    MHP_CO_TRY(const wire::RecordFront front, wire::parse_record_front(record));
    Held& to = held[front.segment];
    if (front.card_version >= to.version) {
      to.version = front.card_version;
      to.signed_card = front.signed_card;
    }
    for (const wire::RecordRow& row : front.rows) to.rows[row.row] = to_bytes(record.subspan(row.offset, row.bytes));
    co_return Result<void>();
  }
  Task<Result<void>> commit() override {
    MHP_CO_TRY_VOID(co_await answer());
    if (faults.hangs_on_commit) co_await platform_.clock().sleep(std::chrono::hours(100'000));
    if (faults.fails_commit) co_return fail(Errc::unavailable, "sync failed");
    ++commits;
    co_return Result<void>();
  }
  Task<Result<home::Holding>> find(SegmentId segment) override {
    MHP_CO_TRY_VOID(co_await answer());
    const auto at = held.find(segment);
    if (at == held.end()) co_return fail(Errc::not_found, "no such segment");
    home::Holding holding{.signed_card = at->second.signed_card, .rows = {}};
    if (faults.forges_card) holding.signed_card[holding.signed_card.size() / 2] ^= std::byte{4};
    for (const auto& [row, bytes] : at->second.rows) holding.rows.push_back(row);
    co_return holding;
  }
  Task<Result<std::pair<SegmentId, std::uint8_t>>> find_fragment(FragmentId) override {
    co_return fail(Errc::not_found, "not in this fake");
  }
  Task<Result<home::HeldPage>> list(VaultId, SegmentId after, std::size_t limit) override {
    ++list_calls;
    MHP_CO_TRY_VOID(co_await answer());
    home::HeldPage page;
    for (auto at = held.upper_bound(after); at != held.end(); ++at) {
      if (page.segments.size() == limit) {
        page.more = true;
        break;
      }
      page.segments.push_back({.segment = at->first, .card_version = at->second.version, .rows = {}});
    }
    co_return page;
  }
  Task<Result<Bytes>> read(SegmentId segment, std::uint8_t row, std::uint64_t offset, std::uint64_t bytes) override {
    ++reads;
    MHP_CO_TRY_VOID(co_await answer());
    if (faults.hangs_on_reads) co_await platform_.clock().sleep(std::chrono::hours(100'000));
    co_await platform_.clock().sleep(faults.read_delay);
    const auto at = held.find(segment);
    if (at == held.end() || !at->second.rows.contains(row) || faults.forgets_rows)
      co_return fail(Errc::not_found, "no such row");
    const Bytes& all = at->second.rows[row];
    if (offset > all.size() || bytes > all.size() - offset) co_return fail(Errc::corrupt, "cut short");
    Bytes out(all.begin() + static_cast<std::ptrdiff_t>(offset),
              all.begin() + static_cast<std::ptrdiff_t>(offset + bytes));
    read_bytes += bytes;
    if (faults.flips) out[out.size() / 2] ^= std::byte{1};
    if (faults.flips_salts && offset == 0 && out.size() > 150) out[140] ^= std::byte{128};
    if (faults.cuts) out.pop_back();
    co_return out;
  }

  Task<Result<void>> put_vault_record(Bytes) override { co_return fail(Errc::denied, "not in this fake"); }
  Task<Result<std::vector<DeviceRecord>>> vault_records(VaultId) override {
    co_return fail(Errc::not_found, "not in this fake");
  }
  Task<Result<home::FormerRecords>> former_records(VaultId, DeviceId) override {
    co_return fail(Errc::not_found, "not in this fake");
  }
  Task<Result<std::vector<VaultId>>> vaults() override { co_return std::vector<VaultId>(); }
  Task<Result<void>> put_heads(VaultId, DeviceId, std::vector<Bytes>) override {
    co_return fail(Errc::denied, "not in this fake");
  }
  Task<Result<std::vector<DeviceHeads>>> heads(VaultId) override { co_return std::vector<DeviceHeads>(); }
  Task<Result<void>> put_tombstone(Bytes) override { co_return fail(Errc::denied, "not in this fake"); }
  Task<Result<void>> put_reprieve(Bytes) override { co_return fail(Errc::denied, "not in this fake"); }
  Task<Result<home::CollectReport>> collect() override { co_return fail(Errc::denied, "not in this fake"); }
  Task<Result<home::Usage>> usage() override { co_return home::Usage(); }
  Task<Result<home::ScrubReport>> scrub(VaultId, unsigned, std::uint64_t) override { co_return home::ScrubReport(); }

 private:
  Task<Result<void>> answer() {
    if (faults.hangs) co_await platform_.clock().sleep(std::chrono::hours(100'000));
    co_await platform_.clock().sleep(faults.delay);
    if (faults.fails || platform_.clock().steady() >= faults.vanishes_at)
      co_return fail(faults.fails_with, "no answer from the disk");
    co_return Result<void>();
  }

  platform::Platform& platform_;
  HomeId id_;
};

}  // namespace mhp::dispersal::testing
