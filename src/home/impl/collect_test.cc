// Forgetting on a fault disk: nothing alive is ever lost, nothing condemned goes early, everything due goes in the end.
#include <gtest/gtest.h>

#include "base/test_run.h"
#include "home/impl/store_world_test.h"

namespace mhp::home::impl {
namespace {

using platform::MemoryDisk;

constexpr std::int64_t kDayNs = 86'400'000'000'000;
constexpr std::int64_t kHoldNs = 30 * kDayNs;

std::vector<SegmentId> ids_of(const std::set<std::size_t>& numbers) {
  std::vector<SegmentId> out;
  for (const std::size_t number : numbers) out.push_back(Stock::get().segments[number].card.segment);
  return out;
}

std::string log_path(unsigned number) {
  std::array<char, 32> name;
  std::snprintf(name.data(), name.size(), "/logs/%08u.log", number);
  return kPath + std::string(name.data());
}

/// "" where all rows of these segments are there, bit-exact.
std::string check_alive(FolderStore& store, const std::set<std::size_t>& numbers) {
  Acknowledged expected;
  for (const std::size_t number : numbers) {
    for (std::uint8_t row = 0; row < Stock::kRows; ++row) expected.committed.emplace(number, row);
  }
  Rows claimed;
  if (auto problem = check_claims(store, claimed); !problem.empty()) return problem;
  for (const auto& row : expected.committed) {
    if (!claimed.contains(row)) return "segment " + std::to_string(row.first) + " is lost";
  }
  return {};
}

/// A home with every segment of the stock in several logs, some condemned, their hold over but for one visit.
struct FullHome {
  explicit FullHome(std::set<std::size_t> to_go) : gone(std::move(to_go)) {
    const Stock& stock = Stock::get();
    make_home(disk);
    auto store = open_store(disk, *read_identity(disk, kPath), clock);
    EXPECT_TRUE(store->put_vault_record(stock.vault_records[0]));
    for (std::size_t i = 0; i < Stock::kSegments; ++i) {
      AlignedBuffer record = stock.record(i, {0, 1, 2, 3});
      EXPECT_TRUE(store->put(record.bytes()));
      if (i % 3 == 2) EXPECT_TRUE(store->commit());
      if (!gone.contains(i)) kept.insert(i);
    }
    EXPECT_TRUE(store->commit());
    EXPECT_TRUE(store->put_tombstone(stock.owner.tombstone(ids_of(gone))));
    for (int visit = 0; visit < 3; ++visit) {
      const auto report = store->collect();
      EXPECT_TRUE(report);
      EXPECT_EQ(report->segments_purged, 0U);
      clock.now += 10 * kDayNs;
    }
    store->close();
  }
  /// The same as another disk: all of it is durable.
  std::unique_ptr<MemoryDisk> copy() const { return disk.after_power_cut(0); }
  std::unique_ptr<FolderStore> open(MemoryDisk& on) { return open_store(on, *read_identity(on, kPath), clock); }

  HandClock clock;
  MemoryDisk disk;
  std::set<std::size_t> gone;
  std::set<std::size_t> kept;
};

/// Most of every log goes, of the first all, of one only a little.
std::set<std::size_t> most() {
  std::set<std::size_t> out;
  for (std::size_t i = 0; i < Stock::kSegments; ++i) {
    if (i < 8 || i % 4 != 3) out.insert(i);
  }
  return out;
}

TEST(Collect, GivesBackWhatIsDueAndKeepsWhatIsAlive) {
  FullHome home(most());
  auto store = home.open(home.disk);
  const auto before = store->usage();
  ASSERT_TRUE(before);
  const auto report = store->collect();
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_EQ(report->problems, std::vector<std::string>{});
  EXPECT_EQ(report->segments_purged, home.gone.size());
  EXPECT_EQ(report->condemned_segments, 0U);
  EXPECT_EQ(report->waiting_bytes, 0U);
  const auto after = store->usage();
  ASSERT_TRUE(after);
  EXPECT_EQ(before->used_bytes - after->used_bytes, report->bytes_freed);
  EXPECT_LT(2 * after->used_bytes, before->used_bytes);
  EXPECT_EQ(after->condemned_bytes, 0U);
  EXPECT_EQ(check_alive(*store, home.kept), "");
  for (const SegmentId& segment : ids_of(home.gone)) {
    EXPECT_EQ(store->log().find(segment).error().code, Errc::not_found);
    EXPECT_EQ(store->log().scrub_segment({Stock::get().owner.vault, segment}, 100, 0)->rows, 0U);
  }
  std::uint64_t rows = 0;
  for (const SegmentId& segment : ids_of(home.kept)) {
    const auto scrubbed = store->log().scrub_segment({Stock::get().owner.vault, segment}, 100, 0);
    ASSERT_TRUE(scrubbed);
    EXPECT_TRUE(scrubbed->bad.empty());
    rows += scrubbed->rows;
  }
  EXPECT_EQ(rows, home.kept.size() * Stock::kRows);
  // The same for who scans it anew, and after a power cut.
  store->close();
  EXPECT_EQ(check_alive(*home.open(home.disk), home.kept), "");
  const auto cut = home.disk.after_power_cut(0);
  ASSERT_TRUE(cut->remove(std::string(kPath) + "/index"));
  auto again = home.open(*cut);
  EXPECT_EQ(check_alive(*again, home.kept), "");
  EXPECT_EQ(again->log().list(Stock::get().owner.vault, {}, 1000)->segments.size(), home.kept.size());
  // Life goes on, under new numbers.
  AlignedBuffer record = Stock::get().record(*home.gone.begin(), {0, 1, 2, 3});
  ASSERT_TRUE(again->put(record.bytes()));
  ASSERT_TRUE(again->commit());
  home.kept.insert(*home.gone.begin());
  EXPECT_EQ(check_alive(*again, home.kept), "");
}

TEST(Collect, ALogThatIsMostlyAliveStays) {
  FullHome home({0, 9});
  auto store = home.open(home.disk);
  const auto before = store->usage();
  const auto report = store->collect();
  ASSERT_TRUE(report);
  EXPECT_EQ(report->segments_purged, 0U);
  EXPECT_EQ(report->condemned_segments, 2U);
  EXPECT_EQ(report->bytes_freed, 0U);
  EXPECT_EQ(report->waiting_bytes, before->condemned_bytes);
  std::set<std::size_t> all = home.kept;
  all.insert({0, 9});
  EXPECT_EQ(check_alive(*store, all), "");  // and can still be reprieved
  ASSERT_TRUE(store->put_reprieve(Stock::get().owner.reprieve(ids_of({0, 9}))));
  EXPECT_EQ(store->collect()->condemned_segments, 0U);
  EXPECT_EQ(check_alive(*store, all), "");
}

TEST(Collect, AReaderBesideItGoesOn) {
  FullHome home(most());
  auto early = home.open(home.disk);  // knows all, has no file open
  ASSERT_EQ(early->log().list(Stock::get().owner.vault, {}, 1000)->segments.size(), Stock::kSegments);
  auto busy = home.open(home.disk);
  ASSERT_EQ(check_alive(*busy, home.kept), "");
  auto writer = home.open(home.disk);
  ASSERT_EQ(writer->collect()->segments_purged, home.gone.size());
  for (FolderStore* reader : {early.get(), busy.get()}) {
    for (const std::size_t number : home.kept) {
      const samples::Segment& segment = Stock::get().segments[number];
      const auto bytes = reader->log().read(segment.card.segment, 2, 0, UINT32_MAX);
      ASSERT_TRUE(bytes) << bytes.error().detail;
      EXPECT_EQ(*bytes, segment.fragments[2]);
      EXPECT_TRUE(reader->log().find(segment.card.segment));
    }
    EXPECT_EQ(reader->list(Stock::get().owner.vault, {}, 1000)->segments.size(), home.kept.size());
    EXPECT_TRUE(reader->usage());
  }
}

TEST(Collect, ADamagedLogIsKept) {
  for (const bool in_front : {false, true}) {
    FullHome home(most());
    const samples::Segment& segment = Stock::get().segments[11];
    ASSERT_TRUE(home.kept.contains(11));
    unsigned damaged = 0;
    for (unsigned log = 1; log < 40 && damaged == 0; ++log) {
      const auto bytes = platform::read_file(home.disk, log_path(log), 1_GiB);
      if (!bytes) break;
      const auto at =
          std::ranges::search(*bytes, in_front ? Bytes(to_bytes(segment.card.segment.bytes())) : segment.fragments[1]);
      if (at.empty()) continue;
      damaged = log;
      const auto offset = static_cast<std::uint64_t>(at.begin() - bytes->begin());
      home.disk.flip_bit(log_path(log), 8 * (offset + (in_front ? 3 : 200)));
    }
    ASSERT_NE(damaged, 0U);
    if (in_front) ASSERT_TRUE(home.disk.remove(std::string(kPath) + "/index"));
    auto store = home.open(home.disk);
    const auto report = store->collect();
    ASSERT_TRUE(report) << report.error().detail;
    ASSERT_EQ(report->problems.size(), 1U);
    EXPECT_NE(report->problems[0].find("log " + std::to_string(damaged) + " is kept"), std::string::npos)
        << report->problems[0];
    EXPECT_TRUE(home.disk.info(log_path(damaged)));
    EXPECT_GT(report->segments_purged, 0U);
    EXPECT_LT(report->segments_purged, home.gone.size());
    std::set<std::size_t> rest = home.kept;
    rest.erase(11);
    for (const std::size_t number : rest) {
      const auto bytes = store->log().read(Stock::get().segments[number].card.segment, 0, 0, UINT32_MAX);
      ASSERT_TRUE(bytes);
      EXPECT_EQ(*bytes, Stock::get().segments[number].fragments[0]);
    }
    if (in_front) continue;
    const home::DamagedRow row{Stock::get().owner.vault, segment.card.segment, 1};
    EXPECT_EQ(report->damaged, std::vector{row});
    // Repaired, it goes.
    AlignedBuffer record = Stock::get().record(11, {1});
    ASSERT_TRUE(store->put(record.bytes()));
    ASSERT_TRUE(store->commit());
    const auto then = store->collect();
    ASSERT_TRUE(then);
    EXPECT_EQ(then->problems, std::vector<std::string>{});
    EXPECT_EQ(check_alive(*store, home.kept), "");
  }
}

/// Its rows are not found any more once the index is lost: they are named, made again, and then the space comes back.
TEST(Collect, ALogWithADamagedFrontGoesOnceItsRowsAreMadeAgain) {
  FullHome home(most());
  const samples::Segment& segment = Stock::get().segments[11];
  for (unsigned log = 1; log < 40; ++log) {
    const auto bytes = platform::read_file(home.disk, log_path(log), 1_GiB);
    if (!bytes) break;
    const auto at = std::ranges::search(*bytes, segment.card.segment.bytes());
    if (at.empty()) continue;
    home.disk.flip_bit(log_path(log), 8 * (static_cast<std::uint64_t>(at.begin() - bytes->begin()) + 3));
    break;
  }
  auto store = home.open(home.disk);
  const auto kept = store->collect();
  ASSERT_TRUE(kept) << kept.error().detail;
  EXPECT_EQ(kept->problems.size(), 1U);
  ASSERT_EQ(kept->damaged.size(), 4U);
  for (std::uint8_t row = 0; row < 4; ++row)
    EXPECT_EQ(kept->damaged[row], (home::DamagedRow{Stock::get().owner.vault, segment.card.segment, row}));
  AlignedBuffer record = Stock::get().record(11, {0, 1, 2, 3});
  ASSERT_TRUE(store->put(record.bytes()));
  ASSERT_TRUE(store->commit());
  const auto then = store->collect();
  ASSERT_TRUE(then) << then.error().detail;
  EXPECT_EQ(then->problems, std::vector<std::string>{});
  EXPECT_EQ(check_alive(*store, home.kept), "");
  store->close();
  ASSERT_TRUE(home.disk.remove(std::string(kPath) + "/index"));
  store = home.open(home.disk);
  EXPECT_EQ(check_alive(*store, home.kept), "");
}

TEST(Collect, ADamagedListPurgesNothing) {
  const std::string path = std::string(kPath) + "/vaults/" + Stock::get().owner.vault.hex() + "/condemned";
  FullHome home(most());
  const std::uint64_t bits = home.disk.info(path)->size * 8;
  for (std::uint64_t bit = 0; bit < bits; bit += 97) {
    const auto disk = home.copy();
    disk->flip_bit(path, bit);
    auto store = home.open(*disk);
    const auto report = store->collect();
    ASSERT_TRUE(report);
    ASSERT_EQ(report->segments_purged, 0U) << bit;
    ASSERT_EQ(report->problems.size(), 1U) << bit;
    ASSERT_TRUE(store->usage());
    ASSERT_EQ(store->list(Stock::get().owner.vault, {}, 1000)->segments.size(), Stock::kSegments);
    // It can be given anew, from the start.
    ASSERT_TRUE(store->put_tombstone(Stock::get().owner.tombstone(ids_of(home.gone))));
    const auto then = store->collect();
    ASSERT_TRUE(then);
    ASSERT_EQ(then->condemned_segments, home.gone.size());
    ASSERT_EQ(then->segments_purged, 0U);
  }
}

TEST(Collect, AFullDiskStillGivesBack) {
  FullHome home(most());
  std::uint64_t used = 0;
  for (unsigned log = 1; log < 40; ++log) {
    if (const auto info = home.disk.info(log_path(log))) used += info->size;
  }
  const auto disk = home.copy();
  disk->set_faults({.capacity_bytes = used});  // not even the list of the condemned fits beside it
  auto store = home.open(*disk);
  for (int tries = 0; tries < 3; ++tries) (void)store->collect();
  EXPECT_EQ(check_alive(*store, home.kept), "");
  disk->set_faults({.capacity_bytes = used + 20'000});
  const auto report = store->collect();
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_EQ(report->problems, std::vector<std::string>{});
  EXPECT_EQ(report->condemned_segments, 0U);
  EXPECT_EQ(check_alive(*store, home.kept), "");
}

TEST(Collect, ADiskTooFullToMoveWhatStaysSaysSo) {
  std::set<std::size_t> gone;
  for (std::size_t i = 0; i < Stock::kSegments; ++i) {
    if (i % 4 != 3) gone.insert(i);
  }
  FullHome home(gone);
  std::uint64_t used = 0;
  for (unsigned log = 1; log < 40; ++log) {
    if (const auto info = home.disk.info(log_path(log))) used += info->size;
  }
  std::vector<std::string> said;
  for (std::uint64_t room = 4'096; room < used && said.empty(); room *= 2) {
    const auto disk = home.copy();
    disk->set_faults({.capacity_bytes = used + room});
    auto store = home.open(*disk);
    const auto report = store->collect();
    if (report) said = report->problems;
    EXPECT_EQ(check_alive(*store, home.kept), "");
  }
  ASSERT_FALSE(said.empty());
  EXPECT_NE(said[0].find("the disk is too full to tidy up: free about "), std::string::npos) << said[0];
}

/// A card for somebody else's segment id stands for itself: it hides, condemns and keeps nothing of the owner's.
TEST(Collect, AStrangersClaimToASegmentTouchesOnlyHisOwn) {
  const samples::Owner thief(9);
  FullHome home({0});
  samples::Segment forged = samples::make_segment(thief, 500, 2, 1000);
  forged.card.segment = Stock::get().segments[5].card.segment;
  forged.card.version = 2;
  auto store = home.open(home.disk);
  const VaultId owner = Stock::get().owner.vault;
  const std::uint64_t condemned = store->usage_of(owner)->condemned_bytes;
  const std::uint64_t used = store->usage_of(owner)->used_bytes;
  ASSERT_TRUE(store->put_vault_record(thief.signed_record(1)));
  AlignedBuffer record = samples::make_record(thief, forged, {});
  ASSERT_TRUE(store->put(record.bytes()));
  ASSERT_TRUE(store->commit());
  ASSERT_TRUE(store->put_tombstone(thief.tombstone({forged.card.segment})));
  EXPECT_EQ(store->usage_of(owner)->condemned_bytes, condemned);
  EXPECT_EQ(store->usage_of(owner)->used_bytes, used);
  EXPECT_EQ(store->usage_of(thief.vault)->used_bytes, record.size());
  EXPECT_EQ(store->usage_of(thief.vault)->condemned_bytes, record.size());
  EXPECT_EQ(store->collect()->condemned_segments, 2U);
  const auto check_both = [&] {
    const auto bytes = store->log().read(forged.card.segment, 2, 0, UINT32_MAX);  // the first who came
    ASSERT_TRUE(bytes);
    EXPECT_EQ(*bytes, Stock::get().segments[5].fragments[2]);
    EXPECT_EQ(store->log().find(impl::HeldKey{owner, forged.card.segment})->rows.size(), Stock::kRows);
    EXPECT_EQ(store->log().find(impl::HeldKey{thief.vault, forged.card.segment})->rows.size(), 0U);
    EXPECT_EQ(store->list(owner, {}, 1000)->segments.size(), Stock::get().segments.size());
    EXPECT_EQ(store->list(thief.vault, {}, 1000)->segments.size(), 1U);
  };
  check_both();
  store->close();
  store = home.open(home.disk);
  check_both();
}

TEST(Collect, NoNewerCardShortensTheHold) {
  FullHome home({0});
  samples::Segment segment = Stock::get().segments[5];
  segment.card.version = 2;
  segment.card.minimum_hold_s -= 1;
  auto store = home.open(home.disk);
  AlignedBuffer shorter = samples::make_record(Stock::get().owner, segment, {1});
  EXPECT_EQ(store->put(shorter.bytes()).error().code, Errc::invalid);
  segment.card.minimum_hold_s += 2;
  AlignedBuffer longer = samples::make_record(Stock::get().owner, segment, {1});
  EXPECT_TRUE(store->put(longer.bytes()));
}

TEST(Collect, NoNewerCardGivesHeldRowsOtherNames) {
  FullHome home({0});
  samples::Segment segment = Stock::get().segments[5];
  samples::Segment wrong = segment;
  wrong.card.version = 2;
  wrong.card.fragments[0] = wrong.card.fragments[1];
  auto store = home.open(home.disk);
  AlignedBuffer no_rows = samples::make_record(Stock::get().owner, wrong, {});
  EXPECT_EQ(store->put(no_rows.bytes()).error().code, Errc::invalid);
  segment.card.version = 2;
  segment.card.fragments.push_back(segment.card.fragments[0]);
  AlignedBuffer more_rows = samples::make_record(Stock::get().owner, segment, {});
  EXPECT_TRUE(store->put(more_rows.bytes()));
}

/// Written past put(), or before there were rows whose names it could contradict.
TEST(Collect, OfContradictingCardsTheOneThatCameWithRowsCounts) {
  FullHome home({0});
  const samples::Owner& owner = Stock::get().owner;
  const samples::Segment segment = samples::make_segment(owner, 1000);
  samples::Segment wrong = segment;
  wrong.card.version = 9;
  std::swap(wrong.card.fragments[0], wrong.card.fragments[1]);
  const HeldKey key{owner.vault, segment.card.segment};
  auto store = home.open(home.disk);
  AlignedBuffer no_rows = samples::make_record(owner, wrong, {});
  AlignedBuffer with_rows = samples::make_record(owner, segment, {0, 1, 2});
  for (AlignedBuffer* record : {&no_rows, &with_rows}) {
    ASSERT_TRUE(store->put(record->bytes()));
    ASSERT_TRUE(store->commit());
  }
  for (int time = 0; time < 2; ++time) {
    const auto listed = store->list(owner.vault, {}, 1000)->segments;  // before anybody has looked at it
    const auto own = std::ranges::find(listed, key.segment, &HeldSegment::segment);
    ASSERT_NE(own, listed.end());
    EXPECT_EQ(own->card_version, 1U);
    EXPECT_EQ(own->rows, (std::vector<std::uint8_t>{0, 1, 2}));
    const auto found = store->log().find(key);
    ASSERT_TRUE(found) << found.error().detail;
    EXPECT_EQ(found->signed_card, samples::signed_card(owner, segment.card));
    EXPECT_EQ(found->rows, (std::vector<std::uint8_t>{0, 1, 2}));
    EXPECT_TRUE(store->log().scrub_segment(key, 100, 0)->bad.empty());
    AlignedBuffer again = samples::make_record(owner, wrong, {0});
    EXPECT_EQ(store->put(again.bytes()).error().code, Errc::invalid);
    store->close();
    store = home.open(home.disk);
  }
  samples::Segment later = segment;  // what an honest repair adds
  later.card.version = 2;
  later.card.fragments.push_back(later.card.fragments[0]);
  AlignedBuffer more = samples::make_record(owner, later, {});
  ASSERT_TRUE(store->put(more.bytes()));
  ASSERT_TRUE(store->commit());
  EXPECT_EQ(store->log().find(key)->signed_card, samples::signed_card(owner, later.card));
}

TEST(Collect, NoOlderCardIsTakenThatContradictsHeldRows) {
  FullHome home({0});
  samples::Segment segment = Stock::get().segments[5];
  segment.card.version = 3;
  samples::Segment wrong = Stock::get().segments[5];
  wrong.card.version = 2;
  std::swap(wrong.card.fragments[0], wrong.card.fragments[1]);
  auto store = home.open(home.disk);
  AlignedBuffer newer = samples::make_record(Stock::get().owner, segment, {});
  ASSERT_TRUE(store->put(newer.bytes()));
  AlignedBuffer older = samples::make_record(Stock::get().owner, wrong, {});
  EXPECT_EQ(store->put(older.bytes()).error().code, Errc::invalid);
}

/// Power cuts and failures at every call of a collect.
TEST(CollectFaults, AnyCallMayBeTheLast) {
  FullHome home(most());
  std::uint64_t calls = 0;
  {
    const auto disk = home.copy();
    auto store = home.open(*disk);
    const std::uint64_t before = disk->calls();
    ASSERT_TRUE(store->collect());
    store->close();
    calls = disk->calls() - before;
  }
  std::printf("collect: %llu calls that can fail\n", static_cast<unsigned long long>(calls));
  for (std::uint64_t call = 1; call <= calls && !HasFailure(); call += test_run::stride()) {
    for (const bool for_ever : {true, false}) {
      for (const Errc with : {Errc::unavailable, Errc::full}) {
        const auto disk = home.copy();
        auto store = home.open(*disk);
        platform::DiskFaults faults;
        faults.fail_call = disk->calls() + call;
        faults.fail_ever_after = for_ever;
        faults.fail_with = with;
        faults.short_write = call % 2 == 0;
        disk->set_faults(faults);
        (void)store->collect();
        if (!for_ever) disk->set_faults({});  // it may have had fewer calls this time
        if (!for_ever) EXPECT_EQ(check_alive(*store, home.kept), "") << "call " << call;
        for (std::uint64_t cut = 0; cut < (with == Errc::full ? 1U : 4U); ++cut) {
          const auto after = disk->after_power_cut(cut == 0 ? 0 : call * 10 + cut);
          after->set_faults({});
          auto again = home.open(*after);
          EXPECT_EQ(check_alive(*again, home.kept), "") << "call " << call << ", cut " << cut;
          const auto report = again->collect();
          ASSERT_TRUE(report) << report.error().detail << ", call " << call << ", cut " << cut;
          EXPECT_EQ(report->condemned_segments, 0U) << "call " << call << ", cut " << cut;
          EXPECT_EQ(check_alive(*again, home.kept), "") << "call " << call << ", cut " << cut;
          EXPECT_EQ(again->log().list(Stock::get().owner.vault, {}, 1000)->segments.size(), home.kept.size());
        }
      }
    }
  }
}

/// Random calls, clocks and crashes against a book of what must hold.
class Model {
 public:
  explicit Model(std::uint64_t seed) : random_(seed), disk_(std::make_unique<MemoryDisk>()) {
    make_home(*disk_);
    open();
    EXPECT_TRUE(store_->put_vault_record(Stock::get().vault_records[0]));
  }

  /// "" where all was well.
  std::string run(std::size_t steps) {
    for (std::size_t i = 0; i < steps; ++i) {
      step();
      if (auto problem = check(); !problem.empty()) return problem;
    }
    return finish();
  }

 private:
  struct Book {
    std::set<std::uint8_t> rows;     // acknowledged
    std::set<std::uint8_t> pending;  // put since the last commit
    bool condemned = false;
    bool may_differ = false;  // a call about it failed: it is as the home says
    std::int64_t since = 0;   // when it was condemned at the earliest
  };

  std::size_t pick(std::size_t below) { return random_() % below; }
  void open() { store_ = open_store(*disk_, *read_identity(*disk_, kPath), clock_); }

  void step() {
    switch (pick(16)) {
      case 0:
      case 1:
        return condemn();
      case 2:
        return reprieve();
      case 3:
      case 4:
        return collect();
      case 5:
      case 6:
      case 7:
        clock_.now += static_cast<std::int64_t>(pick(12)) * kDayNs / 2;
        return;
      case 8:
        return reopen();
      case 9:
        if (pick(3) == 0) return crash();
        return commit();
      case 10:
        return commit();
      default:
        return put();
    }
  }

  std::set<std::size_t> some() {
    std::set<std::size_t> out;
    for (std::size_t i = 1 + pick(6); i > 0; --i) out.insert(pick(Stock::kSegments));
    return out;
  }

  void put() {
    const std::size_t number = pick(Stock::kSegments);
    std::vector<std::uint8_t> rows;
    for (std::uint8_t row = 0; row < Stock::kRows; ++row) {
      if (pick(2) == 0) rows.push_back(row);
    }
    AlignedBuffer record = Stock::get().record(number, rows);
    const bool done = store_->put(record.bytes()).has_value();
    for (const std::uint8_t row : rows) {
      if (done) books_[number].pending.insert(row);
    }
    if (done) put_.insert(number);
    if (done && is_condemned_now(number)) reprieved_.insert(number);
  }
  /// By what the home says, of a segment that it has. Where it says nothing nothing is committed any more.
  bool is_condemned_now(std::size_t number) {
    const auto page = store_->list(Stock::get().owner.vault, {}, 1000);
    const SegmentId& segment = Stock::get().segments[number].card.segment;
    return !page || std::ranges::any_of(page->segments, [&](const HeldSegment& held) {
      return held.segment == segment && held.condemned;
    });
  }

  void commit() {
    const bool done = store_->commit().has_value();
    if (done) committed();
    if (!done) gave_up();
  }
  void committed() {
    for (const std::size_t number : put_) {
      Book& book = books_[number];
      book.rows.merge(book.pending);
    }
    for (const std::size_t number : reprieved_) books_[number].condemned = books_[number].may_differ = false;
    gave_up();
  }
  /// What was pending may be there or not, and may have been a reprieve or not.
  void gave_up() {
    for (const std::size_t number : put_) books_[number].pending.clear();
    for (const std::size_t number : reprieved_) {
      Book& book = books_[number];
      book.may_differ = book.may_differ || book.condemned;
    }
    put_.clear();
    reprieved_.clear();
  }

  void condemn() {
    const std::set<std::size_t> numbers = some();
    const auto held = held_now();
    const bool done = store_->put_tombstone(Stock::get().owner.tombstone(ids_of(numbers))).has_value();
    for (const std::size_t number : numbers) {
      Book& book = books_[number];
      if (!held.contains(number)) continue;
      if (!book.condemned && !book.may_differ) book.since = clock_.now;
      if (done) book.condemned = true;
      if (done) book.may_differ = false;
      if (!done && !book.condemned) book.may_differ = true;
    }
  }

  void reprieve() {
    const std::set<std::size_t> numbers = some();
    const bool done = store_->put_reprieve(Stock::get().owner.reprieve(ids_of(numbers))).has_value();
    for (const std::size_t number : numbers) {
      Book& book = books_[number];
      if (!done) book.may_differ = book.may_differ || book.condemned;
      if (done) book.condemned = book.may_differ = false;
    }
  }

  void collect() {
    const auto report = store_->collect();
    if (report) {
      committed();
      if (!report->problems.empty()) problem_ = report->problems[0];
    } else {
      gave_up();
    }
  }

  void reopen() {
    if (pick(2) == 0) store_->close();
    gave_up();
    store_.reset();
    open();
  }

  /// The disk fails in the middle of something, then the power.
  void crash() {
    platform::DiskFaults faults;
    faults.fail_call = disk_->calls() + 1 + pick(60);
    faults.fail_ever_after = true;
    faults.short_write = pick(2) == 0;
    disk_->set_faults(faults);
    for (std::size_t i = 1 + pick(8); i > 0; --i) step_in_trouble();
    gave_up();
    store_.reset();
    disk_ = disk_->after_power_cut(random_() % 4 == 0 ? 0 : random_());
    disk_->set_faults({});
    open();
  }
  void step_in_trouble() {
    switch (pick(6)) {
      case 0:
        return condemn();
      case 1:
        return reprieve();
      case 2:
        return collect();
      case 3:
        return commit();
      default:
        return put();
    }
  }

  std::set<std::size_t> held_now() {
    std::set<std::size_t> out;
    const auto page = store_->log().list(Stock::get().owner.vault, {}, 1000);
    for (const HeldSegment& held : page ? page->segments : std::vector<HeldSegment>())
      out.insert(Stock::get().number_of.at(held.segment));
    if (page) return out;
    for (std::size_t i = 0; i < Stock::kSegments; ++i) out.insert(i);  // nobody knows: all may be
    return out;
  }

  std::string check() {
    if (!problem_.empty()) return problem_;
    Rows claimed;
    if (auto problem = check_claims(*store_, claimed); !problem.empty()) return problem;
    const auto page = store_->list(Stock::get().owner.vault, {}, 1000);
    if (!page) return page.error().detail;
    std::map<std::size_t, bool> held;
    for (const HeldSegment& one : page->segments) held[Stock::get().number_of.at(one.segment)] = one.condemned;
    for (std::size_t number = 0; number < Stock::kSegments; ++number) {
      Book& book = books_[number];
      const std::string name = "segment " + std::to_string(number);
      const bool is_whole =
          std::ranges::all_of(book.rows, [&](std::uint8_t row) { return claimed.contains({number, row}); });
      const bool may_go = (book.condemned || book.may_differ) && clock_.now - book.since >= kHoldNs;
      if (!is_whole && !may_go) return name + (book.condemned ? " went early" : " is lost");
      if (!is_whole) std::erase_if(book.rows, [&](std::uint8_t row) { return !claimed.contains({number, row}); });
      if (!held.contains(number)) {
        if (put_.contains(number)) return name + " was put and is not there";
        const bool may_be_listed = book.condemned || book.may_differ;  // what was never acknowledged may come again
        book = {.rows = {}, .pending = {}, .may_differ = may_be_listed, .since = book.since};
        continue;
      }
      if (!book.may_differ && held[number] != book.condemned) return name + ": condemned or not?";
      book.condemned = held[number];
      book.may_differ = false;
    }
    return {};
  }

  /// Time passes and nothing else happens: what is due goes, and what stays is worth its space.
  std::string finish() {
    commit();
    for (int day = 0; day < 40; ++day) {
      clock_.now += kDayNs;
      collect();
      if (auto problem = check(); !problem.empty()) return problem;
    }
    const auto usage = store_->usage();
    const auto report = store_->collect();
    if (!usage || !report) return "no usage";
    if (usage->condemned_bytes != report->waiting_bytes) return "something due is not purged";
    if (2 * report->waiting_bytes > usage->used_bytes) return "too much waits";
    return {};
  }

  std::mt19937_64 random_;
  std::unique_ptr<MemoryDisk> disk_;
  HandClock clock_;
  std::unique_ptr<FolderStore> store_;
  std::array<Book, Stock::kSegments> books_;
  std::set<std::size_t> put_;        // since the last commit
  std::set<std::size_t> reprieved_;  // of these: what was condemned when it was put
  std::string problem_;
};

TEST(CollectModel, NothingAliveIsLostAndNothingGoesEarly) {
  const std::uint64_t first = seed_or(1);
  const std::uint64_t runs = std::getenv("MHP_SEED") ? 1 : 24 * (long_factor() > 1 ? 100 : 1) / test_run::stride();
  std::printf("collect model: seeds from %llu, %llu runs\n", static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(runs));
  for (std::uint64_t seed = first; seed < first + runs && !HasFailure(); ++seed)
    EXPECT_EQ(Model(seed).run(120), "") << "repeat with MHP_SEED=" << seed;
}

}  // namespace
}  // namespace mhp::home::impl
