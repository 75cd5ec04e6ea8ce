// What every kind of home must do: a suite to be instantiated with a way to make a home.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>

#include "home/home.h"
#include "home/home_samples_test.h"
#include "platform/memory/memory_platform.h"

namespace mhp::home {

/// A machine with one home on it.
class HomeWorld {
 public:
  virtual ~HomeWorld() = default;
  virtual platform::Platform& machine() = 0;
  /// Sets the machine's clock, either way, by so much.
  virtual void shift_clock(std::chrono::nanoseconds by) = 0;
  /// Opens the home again, as another run of the program would. The one opened before must be gone.
  virtual std::unique_ptr<Home> open() = 0;
};

/// Another machine's, set ahead or back.
class ShiftedClock : public platform::Clock {
 public:
  explicit ShiftedClock(platform::Clock& true_clock) : true_(true_clock) {}
  std::chrono::nanoseconds by{};
  std::int64_t unix_ns() const override { return true_.unix_ns() + by.count(); }
  std::chrono::nanoseconds steady() const override { return true_.steady(); }
  Task<> sleep(std::chrono::nanoseconds duration) override { return true_.sleep(duration); }

 private:
  platform::Clock& true_;
};

/// A machine with such a clock.
class ShiftedMachine : public platform::Platform {
 public:
  explicit ShiftedMachine(platform::Platform& machine) : machine_(machine), clock_(machine.clock()) {}
  ShiftedClock& clock() override { return clock_; }
  platform::Random& random() override { return machine_.random(); }
  platform::Disk& disk() override { return machine_.disk(); }
  platform::Trees& trees() override { return machine_.trees(); }
  platform::Network& network() override { return machine_.network(); }
  platform::WorkerPool& workers() override { return machine_.workers(); }
  std::unique_ptr<platform::WorkerPool> make_lane() override { return machine_.make_lane(); }
  asio::any_io_executor executor() override { return machine_.executor(); }
  int run(Task<int> main) override { return machine_.run(std::move(main)); }

 private:
  platform::Platform& machine_;
  ShiftedClock clock_;
};

using MakeHomeWorld = std::function<std::unique_ptr<HomeWorld>()>;

constexpr std::chrono::hours kDay{24};

class HomeContract : public testing::TestWithParam<MakeHomeWorld> {
 protected:
  void SetUp() override {
    primitives::init_sodium();
    world_ = GetParam()();
    home_ = world_->open();
    ASSERT_TRUE(home_);
  }
  void TearDown() override { home_.reset(); }

  template <class T>
  T run(Task<T> task) {
    return platform::run_task(world_->machine(), std::move(task));
  }
  void reopen() {
    home_.reset();
    home_ = world_->open();
    ASSERT_TRUE(home_);
  }
  Result<void> put(const samples::Segment& segment, std::vector<std::uint8_t> rows) {
    AlignedBuffer record = samples::make_record(owner_, segment, std::move(rows));
    return run(home_->put(record.bytes()));
  }
  void expect_held(const samples::Segment& segment, const std::vector<std::uint8_t>& rows) {
    const auto held = run(home_->find(segment.card.segment));
    ASSERT_TRUE(held) << held.error().detail;
    EXPECT_EQ(held->rows, rows);
    EXPECT_EQ(held->signed_card, samples::signed_card(owner_, segment.card));
    for (const std::uint8_t row : rows) {
      const auto bytes = run(home_->read(segment.card.segment, row, 0, segment.fragments[row].size()));
      ASSERT_TRUE(bytes) << bytes.error().detail;
      EXPECT_EQ(*bytes, segment.fragments[row]);
    }
  }
  /// Puts rows 0 and 1 of each, and the tombstone of all.
  void condemn_all(const std::vector<samples::Segment>& segments) {
    std::vector<SegmentId> ids;
    ASSERT_TRUE(run(home_->put_vault_record(owner_.signed_record(1))));
    for (const samples::Segment& segment : segments) {
      ids.push_back(segment.card.segment);
      ASSERT_TRUE(put(segment, {0, 1}));
    }
    ASSERT_TRUE(run(home_->commit()));
    ASSERT_TRUE(run(home_->put_tombstone(owner_.tombstone(ids))));
  }
  std::vector<SegmentId> condemned() {
    std::vector<SegmentId> out;
    const auto page = run(home_->list(owner_.vault, {}, 1000));
    EXPECT_TRUE(page);
    for (const HeldSegment& held : page ? page->segments : std::vector<HeldSegment>()) {
      if (held.condemned) out.push_back(held.segment);
    }
    return out;
  }
  template <class T>
  static Errc code_of(const Result<T>& result) {
    return result ? Errc{} : result.error().code;
  }

  const samples::Owner owner_{1};
  std::unique_ptr<HomeWorld> world_;
  std::unique_ptr<Home> home_;
};

TEST_P(HomeContract, KeepsWhatWasCommitted) {
  const auto segment = samples::make_segment(owner_, 1);
  ASSERT_TRUE(put(segment, {0, 2}));
  expect_held(segment, {0, 2});  // to this process at once
  ASSERT_TRUE(run(home_->commit()));
  expect_held(segment, {0, 2});
  reopen();
  expect_held(segment, {0, 2});
}

TEST_P(HomeContract, ASecondPutOfTheSameRowsTakesNoSpace) {
  const auto segment = samples::make_segment(owner_, 1);
  ASSERT_TRUE(put(segment, {0, 1}));
  ASSERT_TRUE(run(home_->commit()));
  const auto before = run(home_->usage());
  ASSERT_TRUE(before);
  ASSERT_TRUE(put(segment, {0, 1}));
  ASSERT_TRUE(put(segment, {1}));
  ASSERT_TRUE(run(home_->commit()));
  const auto after = run(home_->usage());
  ASSERT_TRUE(after);
  EXPECT_EQ(after->used_bytes, before->used_bytes);
  expect_held(segment, {0, 1});
}

TEST_P(HomeContract, ReadsRanges) {
  const auto segment = samples::make_segment(owner_, 1, 2, 200'000);
  ASSERT_TRUE(put(segment, {1}));
  const Bytes& whole = segment.fragments[1];
  for (const auto& [offset, bytes] : std::vector<std::pair<std::size_t, std::size_t>>{
           {0, 1}, {5, 70'000}, {whole.size() - 3, 3}, {whole.size() - 3, 100}, {whole.size(), 1}}) {
    const auto got = run(home_->read(segment.card.segment, 1, offset, bytes));
    ASSERT_TRUE(got) << got.error().detail;
    const std::size_t count = std::min(bytes, whole.size() - offset);  // short only at its end
    EXPECT_TRUE(std::ranges::equal(*got, ByteView(whole).subspan(offset, count))) << offset;
  }
  EXPECT_EQ(code_of(run(home_->read(segment.card.segment, 1, whole.size() + 1, 1))), Errc::invalid);
}

TEST_P(HomeContract, SaysWhatItDoesNotHold) {
  const auto segment = samples::make_segment(owner_, 1);
  const auto other = samples::make_segment(owner_, 2);
  ASSERT_TRUE(put(segment, {1}));
  EXPECT_EQ(code_of(run(home_->find(other.card.segment))), Errc::not_found);
  EXPECT_EQ(code_of(run(home_->read(other.card.segment, 1, 0, 10))), Errc::not_found);
  EXPECT_EQ(code_of(run(home_->read(segment.card.segment, 0, 0, 10))), Errc::not_found);
  EXPECT_EQ(code_of(run(home_->find_fragment(segment.card.fragments[0]))), Errc::not_found);
  EXPECT_EQ(code_of(run(home_->vault_records(owner_.vault))), Errc::not_found);
  EXPECT_EQ(code_of(run(home_->heads(owner_.vault))), Errc::not_found);
  const auto page = run(home_->list(samples::Owner(9).vault, {}, 10));
  ASSERT_TRUE(page);
  EXPECT_TRUE(page->segments.empty());
  EXPECT_FALSE(page->more);
}

TEST_P(HomeContract, JoinsRecordsOfOneSegment) {
  auto segment = samples::make_segment(owner_, 1, 6);
  auto narrow = segment;
  narrow.card.fragments.resize(4);
  ASSERT_TRUE(put(narrow, {0}));
  segment.card.version = 2;
  ASSERT_TRUE(put(segment, {5}));
  ASSERT_TRUE(put(narrow, {3}));  // an older card brings a row, and does not hide the newer one
  ASSERT_TRUE(run(home_->commit()));
  expect_held(segment, {0, 3, 5});
  const auto page = run(home_->list(owner_.vault, {}, 10));
  ASSERT_TRUE(page);
  ASSERT_EQ(page->segments.size(), 1U);
  EXPECT_EQ(page->segments[0].card_version, 2U);
  EXPECT_EQ(page->segments[0].rows, (std::vector<std::uint8_t>{0, 3, 5}));
  reopen();
  expect_held(segment, {0, 3, 5});
}

TEST_P(HomeContract, TakesACardAlone) {
  auto segment = samples::make_segment(owner_, 1);
  ASSERT_TRUE(put(segment, {1}));
  segment.card.version = 7;
  ASSERT_TRUE(put(segment, {}));
  expect_held(segment, {1});
}

TEST_P(HomeContract, FindsTheSegmentOfAFragment) {
  const auto one = samples::make_segment(owner_, 1);
  const auto two = samples::make_segment(owner_, 2);
  ASSERT_TRUE(put(one, {0, 3}));
  ASSERT_TRUE(put(two, {2}));
  const auto found = run(home_->find_fragment(two.card.fragments[2]));
  ASSERT_TRUE(found) << found.error().detail;
  EXPECT_EQ(*found, std::pair(two.card.segment, std::uint8_t{2}));
}

TEST_P(HomeContract, ListsAVaultInPages) {
  const samples::Owner other(2);
  std::vector<SegmentId> expected;
  for (std::uint64_t i = 0; i < 25; ++i) {
    const auto segment = samples::make_segment(owner_, i, 2, 100);
    expected.push_back(segment.card.segment);
    ASSERT_TRUE(put(segment, {1}));
    AlignedBuffer foreign = samples::make_record(other, samples::make_segment(other, 100 + i, 2, 100), {0});
    ASSERT_TRUE(run(home_->put(foreign.bytes())));
  }
  ASSERT_TRUE(run(home_->commit()));
  std::ranges::sort(expected);
  std::vector<SegmentId> got;
  SegmentId after;
  for (bool more = true; more;) {
    const auto page = run(home_->list(owner_.vault, after, 10));
    ASSERT_TRUE(page) << page.error().detail;
    ASSERT_LE(page->segments.size(), 10U);
    for (const HeldSegment& held : page->segments) {
      got.push_back(held.segment);
      EXPECT_EQ(held.rows, std::vector<std::uint8_t>{1});
    }
    more = page->more;
    ASSERT_TRUE(!more || !page->segments.empty());
    if (more) after = got.back();
  }
  EXPECT_EQ(got, expected);
}

TEST_P(HomeContract, RefusesWhatIsNoRecord) {
  const auto segment = samples::make_segment(owner_, 1);
  AlignedBuffer record = samples::make_record(owner_, segment, {0});
  record.bytes()[100] ^= std::byte{1};
  EXPECT_EQ(code_of(run(home_->put(record.bytes()))), Errc::invalid);
  AlignedBuffer zeros(4096);
  std::ranges::fill(zeros.bytes(), std::byte{0});
  EXPECT_EQ(code_of(run(home_->put(zeros.bytes()))), Errc::invalid);
  EXPECT_EQ(code_of(run(home_->find(segment.card.segment))), Errc::not_found);
}

TEST_P(HomeContract, ScrubsAllOrAPart) {
  for (std::uint64_t i = 0; i < 40; ++i) ASSERT_TRUE(put(samples::make_segment(owner_, i, 4, 500), {0, 1, 2, 3}));
  ASSERT_TRUE(run(home_->commit()));
  const auto all = run(home_->scrub(owner_.vault, 100, 1));
  ASSERT_TRUE(all);
  EXPECT_EQ(all->rows, 160U);
  EXPECT_TRUE(all->bad.empty());
  const auto part = run(home_->scrub(owner_.vault, 25, 1));
  ASSERT_TRUE(part);
  EXPECT_GT(part->rows, 15U);
  EXPECT_LT(part->rows, 80U);
  const auto none = run(home_->scrub(owner_.vault, 0, 1));
  ASSERT_TRUE(none);
  EXPECT_EQ(none->rows, 0U);
}

/// The bytes of each record held, by device.
inline std::map<DeviceId, Bytes> by_device(const Result<std::vector<Home::DeviceRecord>>& records) {
  std::map<DeviceId, Bytes> out;
  EXPECT_TRUE(records);
  for (const Home::DeviceRecord& one : records ? *records : std::vector<Home::DeviceRecord>())
    out[one.device] = one.signed_record;
  return out;
}

TEST_P(HomeContract, KeepsTheNewestVaultRecordOfEachDevice) {
  const samples::Owner other(6);
  const Bytes third = owner_.signed_record(3);
  ASSERT_TRUE(run(home_->put_vault_record(owner_.signed_record(1))));
  ASSERT_TRUE(run(home_->put_vault_record(third)));
  ASSERT_TRUE(run(home_->put_vault_record(third)));
  EXPECT_EQ(code_of(run(home_->put_vault_record(owner_.signed_record(2)))), Errc::invalid);
  wire::VaultRecord same_version = owner_.record(3);
  same_version.time_ns = 9;
  EXPECT_EQ(code_of(run(home_->put_vault_record(samples::Owner::signed_by(owner_.key, same_version)))), Errc::invalid);
  const Bytes of_other = owner_.record_of(other);  // version 1: another device's version is no matter
  ASSERT_TRUE(run(home_->put_vault_record(of_other)));
  const std::map<DeviceId, Bytes> wanted{{owner_.device, third}, {other.device, of_other}};
  EXPECT_EQ(by_device(run(home_->vault_records(owner_.vault))), wanted);
  reopen();
  EXPECT_EQ(by_device(run(home_->vault_records(owner_.vault))), wanted);
  const auto vaults = run(home_->vaults());
  ASSERT_TRUE(vaults);
  EXPECT_EQ(*vaults, std::vector<VaultId>{owner_.vault});
}

TEST_P(HomeContract, KeepsTheFirstVaultRecordThatWasReplacedOnADay) {
  const auto put_versions = [&](std::uint64_t first, std::uint64_t last) {
    for (std::uint64_t version = first; version <= last; ++version)
      ASSERT_TRUE(run(home_->put_vault_record(owner_.signed_record(version)))) << version;
  };
  put_versions(1, 1);
  EXPECT_EQ(code_of(run(home_->former_records(owner_.vault, owner_.device))), Errc::not_found);
  world_->shift_clock(kDay);
  put_versions(2, 4);
  put_versions(4, 4);  // the same again
  world_->shift_clock(2 * kDay);
  put_versions(5, 6);
  ASSERT_TRUE(run(home_->put_vault_record(owner_.record_of(samples::Owner(6)))));  // another device's is no matter
  for (int i = 0; i < 2; ++i) {
    const auto former = run(home_->former_records(owner_.vault, owner_.device));
    ASSERT_TRUE(former) << former.error().detail;
    ASSERT_EQ(former->records.size(), 2U);
    EXPECT_EQ(former->records[0].signed_record, owner_.signed_record(1));
    EXPECT_EQ(former->records[1].signed_record, owner_.signed_record(4));
    EXPECT_EQ(former->records[0].taken_s, 0);  // nobody noted it
    EXPECT_EQ(former->records[1].taken_s / 86'400, former->records[0].replaced_s / 86'400);
    EXPECT_EQ(former->records[1].replaced_s / 86'400, former->records[0].replaced_s / 86'400 + 2);
    EXPECT_EQ(former->since_s / 86'400, former->records[1].replaced_s / 86'400);
    reopen();
  }
}

TEST_P(HomeContract, NobodyPushesOutAVaultRecordWithinAMonth) {
  const Bytes good = owner_.signed_record(1);
  ASSERT_TRUE(run(home_->put_vault_record(good)));
  std::uint64_t version = 1;
  for (unsigned day = 0; day < wire::kMaxFormerRecords; ++day) {
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(run(home_->put_vault_record(owner_.signed_record(++version))));
    const auto former = run(home_->former_records(owner_.vault, owner_.device));
    ASSERT_TRUE(former) << former.error().detail;
    EXPECT_EQ(former->records.size(), day + 1);
    EXPECT_EQ(former->records.front().signed_record, good) << "day " << day;
    world_->shift_clock(kDay);
  }
  ASSERT_TRUE(run(home_->put_vault_record(owner_.signed_record(++version))));
  const auto former = run(home_->former_records(owner_.vault, owner_.device));
  ASSERT_TRUE(former);
  EXPECT_EQ(former->records.size(), wire::kMaxFormerRecords);
  EXPECT_NE(former->records.front().signed_record, good);
}

TEST_P(HomeContract, NoVersionLocksTheNextOneOut) {
  ASSERT_TRUE(run(home_->put_vault_record(owner_.signed_record(7))));
  EXPECT_EQ(code_of(run(home_->put_vault_record(owner_.signed_record(UINT64_MAX)))), Errc::invalid);
  EXPECT_EQ(code_of(run(home_->put_vault_record(owner_.signed_record(7 + wire::kMaxVersionStep)))), Errc::invalid);
  ASSERT_TRUE(run(home_->put_vault_record(owner_.signed_record(7 + wire::kMaxVersionStep - 1))));
  ASSERT_TRUE(run(home_->put_vault_record(owner_.signed_record(7 + wire::kMaxVersionStep))));
  const samples::Owner other(2);  // of whom a thief was the first to put one
  ASSERT_TRUE(run(home_->put_vault_record(other.signed_record(UINT64_MAX))));
  ASSERT_TRUE(run(home_->put_vault_record(other.signed_record(3))));
  const auto held = run(home_->vault_records(other.vault));
  ASSERT_TRUE(held);
  EXPECT_EQ(held->at(0).signed_record, other.signed_record(3));
  EXPECT_EQ(code_of(run(home_->put_vault_record(other.signed_record(UINT64_MAX)))), Errc::invalid);
}

TEST_P(HomeContract, RefusesVaultRecordsThatDoNotProveThemselves) {
  const samples::Owner thief(5);
  const auto code_of_put = [&](const primitives::SigningKey& signer, const wire::VaultRecord& record) {
    return code_of(run(home_->put_vault_record(samples::Owner::signed_by(signer, record))));
  };
  EXPECT_EQ(code_of_put(thief.key, owner_.record(1)), Errc::denied);
  EXPECT_EQ(code_of_put(owner_.identity, owner_.record(1)), Errc::denied);  // records are the devices' own
  wire::VaultRecord stolen = owner_.record(1);
  stolen.identity = thief.identity.public_key();  // his key, the owner's vault
  EXPECT_EQ(code_of_put(owner_.key, stolen), Errc::denied);
  wire::VaultRecord smuggled = owner_.record(1);
  smuggled.device = thief.device;
  EXPECT_EQ(code_of_put(thief.key, smuggled), Errc::denied);    // not certified
  smuggled.devices.push_back(thief.certificate(thief.device));  // certified by himself
  EXPECT_EQ(code_of_put(thief.key, smuggled), Errc::denied);
  wire::VaultRecord revoked = owner_.record(1);
  revoked.revocations.push_back(owner_.revocation(owner_.device, 0, {}));
  EXPECT_EQ(code_of_put(owner_.key, revoked), Errc::denied);  // in itself
  Bytes flipped = owner_.signed_record(1);
  flipped[flipped.size() / 2] ^= std::byte{1};
  EXPECT_FALSE(run(home_->put_vault_record(flipped)));
  EXPECT_EQ(code_of(run(home_->vault_records(owner_.vault))), Errc::not_found);
}

TEST_P(HomeContract, ARevokedDeviceCannotSpeakAnyMore) {
  ASSERT_TRUE(run(home_->put_vault_record(owner_.signed_record(UINT64_MAX - 1))));  // no version outruns a revocation
  ASSERT_TRUE(run(home_->put_heads(owner_.vault, owner_.device, owner_.heads(1, 3))));
  const HeadHash last_good = HeadHash::from_array(primitives::blake3(owner_.heads(4, 4)[0]));
  const samples::Owner fresh(6);
  ASSERT_TRUE(run(home_->put_vault_record(owner_.record_of(fresh, {owner_.revocation(owner_.device, 4, last_good)}))));
  EXPECT_EQ(code_of(run(home_->put_vault_record(owner_.signed_record(UINT64_MAX)))), Errc::denied);
  EXPECT_EQ(code_of(run(home_->put_heads(owner_.vault, owner_.device, owner_.heads(4, 5)))), Errc::denied);
  EXPECT_EQ(code_of(run(home_->put_heads(owner_.vault, owner_.device, owner_.heads(4, 4, 1)))), Errc::denied);
  ASSERT_TRUE(run(home_->put_heads(owner_.vault, owner_.device, owner_.heads(4, 4))));
  EXPECT_EQ(code_of(run(home_->put_heads(owner_.vault, owner_.device, owner_.heads(5, 5)))), Errc::denied);
}

TEST_P(HomeContract, RecordsCountTogether) {
  const auto hash_of = [&](std::uint64_t seq) {
    return HeadHash::from_array(primitives::blake3(owner_.heads(seq, seq)[0]));
  };
  // Two recoveries that did not see each other: each enrolled a device and revoked the first one where it saw it end.
  const samples::Owner one(6);
  const samples::Owner two(7);
  ASSERT_TRUE(run(home_->put_vault_record(owner_.record_of(one, {owner_.revocation(owner_.device, 2, hash_of(2))}))));
  EXPECT_EQ(code_of(run(home_->put_heads(owner_.vault, owner_.device, owner_.heads(1, 5)))), Errc::denied);
  ASSERT_TRUE(run(home_->put_vault_record(owner_.record_of(two, {owner_.revocation(owner_.device, 5, hash_of(5))}))));
  EXPECT_EQ(code_of(run(home_->put_vault_record(owner_.signed_record(9)))), Errc::denied);
  ASSERT_TRUE(run(home_->put_heads(owner_.vault, owner_.device, owner_.heads(1, 5))));
  EXPECT_EQ(code_of(run(home_->put_heads(owner_.vault, owner_.device, owner_.heads(6, 6)))), Errc::denied);
  const std::vector<SegmentId> none{samples::make_segment(owner_, 1).card.segment};
  for (const samples::Owner& device : {one, two})
    EXPECT_TRUE(run(home_->put_tombstone(owner_.tombstone_by(device.key, none))));
  EXPECT_EQ(code_of(run(home_->put_tombstone(owner_.tombstone(none)))), Errc::denied);
}

TEST_P(HomeContract, TakesTheRecordOfARevokedDeviceThatItsHeadsName) {
  const Bytes named = owner_.signed_record(3);
  const auto heads = owner_.heads(1, 2, 0, RecordHash::from_array(primitives::blake3(named)));
  const samples::Owner fresh(6);
  const HeadHash last_good = HeadHash::from_array(primitives::blake3(heads.back()));
  ASSERT_TRUE(run(home_->put_vault_record(owner_.record_of(fresh, {owner_.revocation(owner_.device, 2, last_good)}))));
  EXPECT_EQ(code_of(run(home_->put_vault_record(named))), Errc::denied);
  ASSERT_TRUE(run(home_->put_heads(owner_.vault, owner_.device, heads)));
  EXPECT_EQ(code_of(run(home_->put_vault_record(owner_.signed_record(2)))), Errc::denied);
  ASSERT_TRUE(run(home_->put_vault_record(named)));
  ASSERT_TRUE(run(home_->put_vault_record(named)));
  EXPECT_EQ(code_of(run(home_->put_vault_record(owner_.signed_record(4)))), Errc::denied);
  EXPECT_EQ(by_device(run(home_->vault_records(owner_.vault))).at(owner_.device), named);
}

TEST_P(HomeContract, HeadsRiseWithoutGaps) {
  const VaultId vault = owner_.vault;
  EXPECT_EQ(code_of(run(home_->put_heads(vault, owner_.device, owner_.heads(1, 1)))), Errc::denied);  // no record yet
  ASSERT_TRUE(run(home_->put_vault_record(owner_.signed_record(1))));
  ASSERT_TRUE(run(home_->put_heads(vault, owner_.device, owner_.heads(1, 2))));
  ASSERT_TRUE(run(home_->put_heads(vault, owner_.device, owner_.heads(3, 3))));
  ASSERT_TRUE(run(home_->put_heads(vault, owner_.device, owner_.heads(2, 5))));  // held ones again, and more
  ASSERT_TRUE(run(home_->put_heads(vault, owner_.device, owner_.heads(1, 3))));  // a replay changes nothing
  EXPECT_EQ(code_of(run(home_->put_heads(vault, owner_.device, owner_.heads(7, 8)))), Errc::invalid);
  EXPECT_EQ(code_of(run(home_->put_heads(vault, owner_.device, {}))), Errc::invalid);
  reopen();
  const auto heads = run(home_->heads(vault));
  ASSERT_TRUE(heads);
  ASSERT_EQ(heads->size(), 1U);
  EXPECT_EQ(heads->at(0).device, owner_.device);
  EXPECT_EQ(heads->at(0).chain, owner_.heads(1, 5));
}

TEST_P(HomeContract, RefusesForksAndForgedHeads) {
  const VaultId vault = owner_.vault;
  ASSERT_TRUE(run(home_->put_vault_record(owner_.signed_record(1))));
  ASSERT_TRUE(run(home_->put_heads(vault, owner_.device, owner_.heads(1, 4))));
  EXPECT_EQ(code_of(run(home_->put_heads(vault, owner_.device, owner_.heads(4, 4, 1)))), Errc::denied);
  EXPECT_EQ(code_of(run(home_->put_heads(vault, owner_.device, owner_.heads(4, 6, 1)))), Errc::denied);
  EXPECT_EQ(code_of(run(home_->put_heads(vault, owner_.device, owner_.heads(5, 5, 1)))), Errc::denied);
  const samples::Owner thief(5);
  EXPECT_EQ(code_of(run(home_->put_heads(vault, thief.device, thief.heads(1, 1)))), Errc::denied);
  EXPECT_EQ(code_of(run(home_->put_heads(vault, owner_.device, thief.heads(5, 5)))), Errc::denied);
  auto mixed = owner_.heads(5, 6);
  mixed[1] = owner_.heads(6, 6, 1)[0];  // does not follow
  EXPECT_EQ(code_of(run(home_->put_heads(vault, owner_.device, mixed))), Errc::denied);
  const auto heads = run(home_->heads(vault));
  ASSERT_TRUE(heads);
  EXPECT_EQ(heads->at(0).chain, owner_.heads(1, 4));
}

TEST_P(HomeContract, KeepsTheNewestHeadsAndLetsALongAbsenceEnd) {
  const VaultId vault = owner_.vault;
  ASSERT_TRUE(run(home_->put_vault_record(owner_.signed_record(1))));
  ASSERT_TRUE(run(home_->put_heads(vault, owner_.device, owner_.heads(1, 70))));
  auto heads = run(home_->heads(vault));
  ASSERT_TRUE(heads);
  EXPECT_EQ(heads->at(0).chain, owner_.heads(7, 70));
  // It missed 100: no home has what lies between any more.
  EXPECT_EQ(code_of(run(home_->put_heads(vault, owner_.device, owner_.heads(108, 170)))), Errc::invalid);
  ASSERT_TRUE(run(home_->put_heads(vault, owner_.device, owner_.heads(107, 170))));
  heads = run(home_->heads(vault));
  ASSERT_TRUE(heads);
  EXPECT_EQ(heads->at(0).chain, owner_.heads(107, 170));
}

TEST_P(HomeContract, ATombstoneCondemnsWhatIsHeld) {
  ASSERT_TRUE(run(home_->put_vault_record(owner_.signed_record(1))));
  const auto kept = samples::make_segment(owner_, 1);
  const auto gone = samples::make_segment(owner_, 2);
  const auto never = samples::make_segment(owner_, 3);
  ASSERT_TRUE(put(kept, {0, 1}));
  ASSERT_TRUE(put(gone, {2}));
  ASSERT_TRUE(run(home_->commit()));
  EXPECT_EQ(condemned(), std::vector<SegmentId>{});
  ASSERT_TRUE(run(home_->put_tombstone(owner_.tombstone({gone.card.segment, never.card.segment}))));
  EXPECT_EQ(condemned(), std::vector<SegmentId>{gone.card.segment});
  expect_held(gone, {2});
  reopen();
  EXPECT_EQ(condemned(), std::vector<SegmentId>{gone.card.segment});
  expect_held(kept, {0, 1});
  expect_held(gone, {2});
  const auto usage = run(home_->usage());
  ASSERT_TRUE(usage);
  EXPECT_GT(usage->condemned_bytes, gone.fragments[2].size());
  EXPECT_LT(usage->condemned_bytes, usage->used_bytes);
  ASSERT_TRUE(usage->next_due_ns);
  const auto left = std::chrono::nanoseconds(*usage->next_due_ns - world_->machine().clock().unix_ns());
  EXPECT_GT(left, 29 * kDay);
  EXPECT_LE(left, 30 * kDay);
}

TEST_P(HomeContract, AReprieveTakesATombstoneBack) {
  ASSERT_TRUE(run(home_->put_vault_record(owner_.signed_record(1))));
  const auto one = samples::make_segment(owner_, 1);
  const auto two = samples::make_segment(owner_, 2);
  ASSERT_TRUE(put(one, {0}));
  ASSERT_TRUE(put(two, {0}));
  ASSERT_TRUE(run(home_->commit()));
  ASSERT_TRUE(run(home_->put_tombstone(owner_.tombstone({one.card.segment, two.card.segment}))));
  ASSERT_TRUE(run(home_->put_reprieve(owner_.reprieve_by(owner_.identity, {one.card.segment}))));
  EXPECT_EQ(condemned(), std::vector<SegmentId>{two.card.segment});
  reopen();
  EXPECT_EQ(condemned(), std::vector<SegmentId>{two.card.segment});
  ASSERT_TRUE(run(home_->put_reprieve(owner_.reprieve({one.card.segment, two.card.segment}))));
  EXPECT_EQ(condemned(), std::vector<SegmentId>{});
  const auto usage = run(home_->usage());
  ASSERT_TRUE(usage);
  EXPECT_EQ(usage->condemned_bytes, 0U);
  EXPECT_FALSE(usage->next_due_ns);
}

TEST_P(HomeContract, RefusesTombstonesOfWhoMayNot) {
  const auto segment = samples::make_segment(owner_, 1);
  const std::vector<SegmentId> ids{segment.card.segment};
  ASSERT_TRUE(put(segment, {0}));
  ASSERT_TRUE(run(home_->commit()));
  EXPECT_EQ(code_of(run(home_->put_tombstone(owner_.tombstone(ids)))), Errc::denied);  // no vault record yet
  ASSERT_TRUE(run(home_->put_vault_record(owner_.signed_record(1))));
  const samples::Owner thief(5);
  ASSERT_TRUE(run(home_->put_vault_record(thief.signed_record(1))));
  EXPECT_EQ(code_of(run(home_->put_tombstone(owner_.tombstone_by(thief.key, ids)))), Errc::denied);
  EXPECT_TRUE(run(home_->put_tombstone(thief.tombstone(ids))));  // of his own vault, which does not have it
  Bytes flipped = owner_.tombstone(ids);
  flipped.back() ^= std::byte{1};
  EXPECT_EQ(code_of(run(home_->put_tombstone(flipped))), Errc::denied);
  EXPECT_EQ(code_of(run(home_->put_tombstone(owner_.reprieve(ids)))), Errc::denied);  // another context
  EXPECT_EQ(code_of(run(home_->put_tombstone({}))), Errc::invalid);
  EXPECT_EQ(condemned(), std::vector<SegmentId>{});
  ASSERT_TRUE(run(home_->put_tombstone(owner_.tombstone(ids))));
  EXPECT_EQ(code_of(run(home_->put_reprieve(owner_.reprieve_by(thief.key, ids)))), Errc::denied);
  EXPECT_EQ(code_of(run(home_->put_reprieve(owner_.tombstone(ids)))), Errc::denied);
  EXPECT_EQ(condemned(), ids);
}

TEST_P(HomeContract, NothingIsPurgedBeforeItsHoldIsOver) {
  const auto segment = samples::make_segment(owner_, 1);
  condemn_all({segment});
  for (int day = 0; day < 30; ++day) {
    const auto report = run(home_->collect());
    ASSERT_TRUE(report) << report.error().detail;
    EXPECT_EQ(report->segments_purged, 0U) << "day " << day;
    EXPECT_EQ(report->condemned_segments, 1U);
    expect_held(segment, {0, 1});
    world_->shift_clock(kDay - std::chrono::minutes(1));
    if (day % 7 == 0) reopen();
  }
  ASSERT_TRUE(run(home_->put_tombstone(owner_.tombstone({segment.card.segment}))));  // restarts nothing
  world_->shift_clock(kDay);
  const auto report = run(home_->collect());
  ASSERT_TRUE(report) << report.error().detail;
  EXPECT_EQ(report->segments_purged, 1U);
  EXPECT_EQ(report->condemned_segments, 0U);
  EXPECT_GT(report->bytes_freed, 2 * segment.fragments[0].size());
  EXPECT_EQ(code_of(run(home_->find(segment.card.segment))), Errc::not_found);
  EXPECT_EQ(code_of(run(home_->read(segment.card.segment, 0, 0, 10))), Errc::not_found);
  EXPECT_EQ(code_of(run(home_->find_fragment(segment.card.fragments[0]))), Errc::not_found);
  reopen();
  EXPECT_EQ(code_of(run(home_->find(segment.card.segment))), Errc::not_found);
}

/// Clocks that are years ahead, in 2038, or set back: three visits at least, and never stuck.
TEST_P(HomeContract, AClockThatJumpsShortensNoHold) {
  const auto segment = samples::make_segment(owner_, 1);
  condemn_all({segment});
  for (const auto jump : {12 * 365 * kDay, -40 * 365 * kDay, 28 * 365 * kDay, -3650 * kDay}) {
    world_->shift_clock(jump);
    reopen();
    const auto report = run(home_->collect());
    ASSERT_TRUE(report) << report.error().detail;
    EXPECT_EQ(report->segments_purged, 0U);
    expect_held(segment, {0, 1});
  }
  std::uint64_t purged = 0;
  int days = 0;
  for (; purged == 0 && days < 40; ++days) {
    world_->shift_clock(kDay);
    const auto report = run(home_->collect());
    ASSERT_TRUE(report);
    purged = report->segments_purged;
  }
  EXPECT_EQ(purged, 1U);
  EXPECT_GE(days, 19);  // one jump was believed for 10 days, one for 1
}

TEST_P(HomeContract, AnAcknowledgedPutIsAReprieve) {
  const auto segment = samples::make_segment(owner_, 1);
  condemn_all({segment});
  ASSERT_TRUE(put(segment, {0, 1}));  // nothing new in it
  EXPECT_EQ(condemned().size(), 1U);
  ASSERT_TRUE(run(home_->commit()));
  EXPECT_EQ(condemned().size(), 0U);
  ASSERT_TRUE(run(home_->put_tombstone(owner_.tombstone({segment.card.segment}))));
  ASSERT_TRUE(put(segment, {3}));
  ASSERT_TRUE(run(home_->commit()));
  reopen();
  EXPECT_EQ(condemned().size(), 0U);
  expect_held(segment, {0, 1, 3});
}

TEST_P(HomeContract, WhatARevokedDeviceCondemnedStays) {
  const auto segment = samples::make_segment(owner_, 1);
  condemn_all({segment});
  ASSERT_TRUE(
      run(home_->put_vault_record(owner_.record_of(samples::Owner(6), {owner_.revocation(owner_.device, 0, {})}))));
  EXPECT_EQ(code_of(run(home_->put_tombstone(owner_.tombstone({segment.card.segment})))), Errc::denied);
  EXPECT_EQ(code_of(run(home_->put_reprieve(owner_.reprieve({segment.card.segment})))), Errc::denied);
  const auto wait_and_collect = [&](int days) {
    std::uint64_t purged = 0;
    for (int day = 0; day < days; ++day) {
      world_->shift_clock(kDay);
      const auto report = run(home_->collect());
      EXPECT_TRUE(report);
      if (report) purged += report->segments_purged;
    }
    return purged;
  };
  EXPECT_EQ(wait_and_collect(50), 0U);
  expect_held(segment, {0, 1});
  // The identity may condemn it again: from the start.
  ASSERT_TRUE(run(home_->put_tombstone(owner_.tombstone_by(owner_.identity, {segment.card.segment}))));
  EXPECT_EQ(wait_and_collect(29), 0U);
  expect_held(segment, {0, 1});
  EXPECT_EQ(wait_and_collect(2), 1U);
}

inline Task<> put_and_read(Home& home, AlignedBuffer& record, const samples::Segment& segment, unsigned& count) {
  const auto put = co_await home.put(record.bytes());
  const auto committed = co_await home.commit();
  const auto got = co_await home.read(segment.card.segment, 1, 0, segment.fragments[1].size());
  if (put && committed && got && *got == segment.fragments[1]) ++count;
}

/// All at once. Returns how many read what they put.
inline Task<unsigned> put_and_read_all(platform::Platform& machine, Home& home, std::vector<AlignedBuffer>& records,
                                       const std::vector<samples::Segment>& segments) {
  unsigned count = 0;
  platform::Nursery scope(machine.executor());
  for (std::size_t i = 0; i < records.size(); ++i) scope.start(put_and_read(home, records[i], segments[i], count));
  co_await scope.join();
  co_return count;
}

TEST_P(HomeContract, CallsMayOverlap) {
  std::vector<samples::Segment> segments;
  std::vector<AlignedBuffer> records;
  for (std::uint64_t i = 0; i < 20; ++i) {
    segments.push_back(samples::make_segment(owner_, i, 2, 50'000));
    records.push_back(samples::make_record(owner_, segments.back(), {0, 1}));
  }
  EXPECT_EQ(run(put_and_read_all(world_->machine(), *home_, records, segments)), 20U);
  reopen();
  for (const auto& segment : segments) expect_held(segment, {0, 1});
}

}  // namespace mhp::home
