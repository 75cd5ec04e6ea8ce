// The files of a folder home: round trip, every changed byte found, each bound refused, stamps bound to their place.
#include "wire/home_log.h"

#include <algorithm>

#include "primitives/hash/blake3.h"
#include "wire/golden_support.h"
#include "wire/impl/fixed.h"
#include "wire/test_support.h"

namespace mhp::wire {
namespace {

HomeFile home_file(samples::Random& random) { return {.home = random.id<HomeId>(), .log_key = random.array()}; }

HeadsFile heads_file(samples::Random& random) {
  HeadsFile file{.vault = random.id<VaultId>(), .device = random.id<DeviceId>(), .chain = {}};
  const std::size_t count = 1 + random.below(kMaxHeadsHeld);
  for (std::size_t i = 0; i < count; ++i) {
    Bytes head = random.bytes(1 + random.below(kMaxHeadBytes));
    file.chain.push_back({std::move(head), static_cast<std::int64_t>(random.below(kMaxReceivedS + 1))});
  }
  return file;
}

std::int64_t some_time(samples::Random& random) {
  return static_cast<std::int64_t>(random.below(2 * kMaxReceivedS + 1)) - kMaxReceivedS;
}

FormerRecordsFile former_records_file(samples::Random& random) {
  FormerRecordsFile file{.vault = random.id<VaultId>(), .device = random.id<DeviceId>(), .since_s = some_time(random)};
  const std::size_t count = 1 + random.below(kMaxFormerRecords);
  for (std::size_t i = 0; i < count; ++i)
    file.records.push_back({random.bytes(1 + random.below(5000)), some_time(random), some_time(random)});
  return file;
}

CondemnedFile condemned_file(samples::Random& random) {
  CondemnedFile file;
  file.home = random.id<HomeId>();
  file.vault = random.id<VaultId>();
  file.visited_ns = random.time();
  file.stepped_back = random.flip();
  for (std::size_t i = 0; i < 1 + random.below(3); ++i) file.signers.push_back(random.id<DeviceId>());
  for (std::size_t i = 0; i < random.below(50); ++i) {
    CondemnedFile::Entry entry{.segment = random.id<SegmentId>()};
    entry.hold_ns = random.below(kMaxHoldS * 1'000'000'000 + 1);
    entry.held_ns = random.below(entry.hold_ns + 1);
    entry.signer = random.number<std::uint32_t>(file.signers.size());
    file.entries.push_back(entry);
  }
  std::ranges::sort(file.entries, {}, &CondemnedFile::Entry::segment);
  return file;
}

HomeIndex home_index(samples::Random& random) {
  HomeIndex index;
  index.home = random.id<HomeId>();
  std::uint32_t log = 0;
  for (std::size_t i = 0; i < 1 + random.below(4); ++i) {
    log += 1 + random.number<std::uint32_t>(100);
    index.logs.push_back({.log = log,
                          .end = kLogBlockBytes * (2 + random.below(1000)),
                          .seq = 1 + random.below(1000),
                          .mark = random.array()});
  }
  for (std::size_t i = 0; i < 1 + random.below(3); ++i) index.vaults.push_back(random.id<VaultId>());
  for (std::size_t i = 0; i < random.below(50); ++i) {
    const HomeIndex::Log& in = index.logs[random.below(index.logs.size())];
    IndexedRecord record;
    record.segment = random.id<SegmentId>();
    record.vault = random.number<std::uint32_t>(index.vaults.size());
    record.card_version = random.number<std::uint32_t>(1000);
    record.place = {in.log, kLogBlockBytes};
    record.record_bytes = static_cast<std::uint32_t>(in.end - kLogBlockBytes);
    record.front_bytes = 192 + random.number<std::uint32_t>(64);
    for (std::size_t row = 0; row < random.below(5); ++row)
      record.rows.push_back({random.number<std::uint8_t>(kMaxRows), random.number<std::uint32_t>(1000), 1000});
    index.records.push_back(std::move(record));
  }
  return index;
}

CommitMark commit_mark(samples::Random& random) {
  CommitMark mark;
  mark.seq = random.below(UINT64_MAX);
  mark.begin = kLogBlockBytes * (1 + random.below(10));
  mark.records = random.number<std::uint32_t>(UINT32_MAX);
  mark.recheck = random.flip();
  mark.records_hash = random.array();
  return mark;
}

std::array<std::byte, kLogBlockBytes> block_of(const CommitMark& mark, const primitives::Key& key, LogPlace place) {
  std::array<std::byte, kLogBlockBytes> block;
  write_commit_mark(mark, key, place, block);
  return block;
}

TEST(HomeLog, FilesRoundTrip) {
  expect_round_trips("HomeFile", home_file, parse_home_file);
  expect_round_trips("HeadsFile", heads_file, parse_heads_file, 50);
  expect_round_trips("HomeIndex", home_index, parse_home_index);
  expect_round_trips("FormerRecordsFile", former_records_file, parse_former_records_file, 50);
  expect_round_trips("CondemnedFile", condemned_file, parse_condemned_file);
}

TEST(HomeLog, FindsEveryChangedByte) {
  samples::Random random(test_seed());
  const auto expect_found = [](Bytes bytes, auto parse) {
    for (std::byte& b : bytes) {
      b ^= std::byte{0x10};
      EXPECT_FALSE(parse(ByteView(bytes)));
      b ^= std::byte{0x10};
    }
    EXPECT_TRUE(parse(ByteView(bytes)));
    bytes.push_back(std::byte{0});
    EXPECT_FALSE(parse(ByteView(bytes)));
  };
  expect_found(encode(home_file(random)), parse_home_file);
  HomeIndex index;
  index.home = random.id<HomeId>();
  index.logs = {{1, 8192, 3}};
  index.vaults = {random.id<VaultId>()};
  index.records = {{random.id<SegmentId>(), 0, 1, {1, 4096}, 4096, 256, {{7, 256, 1000}}}};
  expect_found(encode(index), parse_home_index);
  expect_found(encode(HeadsFile{random.id<VaultId>(), random.id<DeviceId>(), {{random.bytes(10), 7}}}),
               parse_heads_file);
  expect_found(encode(FormerRecordsFile{random.id<VaultId>(), random.id<DeviceId>(), 5, {{random.bytes(10), 0, 7}}}),
               parse_former_records_file);
  CondemnedFile condemned;
  condemned.signers = {random.id<DeviceId>()};
  condemned.entries = {{random.id<SegmentId>(), 5, 6, 0}};
  expect_found(encode(condemned), parse_condemned_file);
}

TEST(HomeLog, IndexRefusesEachBound) {
  samples::Random random(test_seed());
  HomeIndex good;
  good.home = random.id<HomeId>();
  good.logs = {{1, 8192, 3}, {4, 12288, 1}};
  good.vaults = {random.id<VaultId>()};
  good.records = {{random.id<SegmentId>(), 0, 1, {4, 4096}, 8192, 256, {{7, 256, 1000}}}};
  ASSERT_TRUE(parse_home_index(encode(good)));
  const auto refused = [&](const char* why, auto spoil) {
    HomeIndex bad = good;
    spoil(bad);
    expect_refused(parse_home_index(encode(bad)), Errc::invalid, why);
  };
  refused("a record of no log", [](HomeIndex& bad) { bad.records[0].place.log = 2; });
  refused("a record outside its log", [](HomeIndex& bad) { bad.records[0].place.offset = 8192; });
  refused("a record outside its log", [](HomeIndex& bad) { bad.records[0].place.offset = 0; });
  refused("a record outside its log", [](HomeIndex& bad) { bad.records[0].place.offset = UINT64_MAX; });
  refused("a record of no vault", [](HomeIndex& bad) { bad.records[0].vault = 1; });
  refused("a front outside its record", [](HomeIndex& bad) { bad.records[0].front_bytes = 9000; });
  refused("a row outside its record", [](HomeIndex& bad) { bad.records[0].rows[0].offset = UINT32_MAX; });
  refused("a row outside its record", [](HomeIndex& bad) { bad.records[0].rows[0].bytes = 0; });
  refused("a row outside its record", [](HomeIndex& bad) { bad.records[0].rows[0].row = 255; });
  refused("number of rows", [](HomeIndex& bad) { bad.records[0].rows.resize(256, {1, 0, 1}); });
  refused("order of its logs", [](HomeIndex& bad) { bad.logs[1].log = 1; });
  refused("the last mark of a log", [](HomeIndex& bad) { bad.logs[0].seq = 0; });
  refused("the last mark of a log", [](HomeIndex& bad) { bad.logs[1] = {2, 4096, 1, {}}; });
  refused("the last mark of a log", [](HomeIndex& bad) { bad.logs[1] = {2, 4096, 0, {std::byte{1}}}; });
  refused("the end of a log", [](HomeIndex& bad) { bad.logs[0].end = 5000; });
  refused("the end of a log", [](HomeIndex& bad) { bad.logs[0].end = 2_GiB; });
}

TEST(HomeLog, CondemnedRefusesEachBound) {
  samples::Random random(test_seed());
  CondemnedFile good;
  good.signers = {random.id<DeviceId>()};
  good.entries = {{random.id<SegmentId>(), 5, 6, 0}, {random.id<SegmentId>(), 0, 0, 0}};
  std::ranges::sort(good.entries, {}, &CondemnedFile::Entry::segment);
  ASSERT_TRUE(parse_condemned_file(encode(good)));
  const auto refused = [&](const char* why, auto spoil) {
    CondemnedFile bad = good;
    spoil(bad);
    expect_refused(parse_condemned_file(encode(bad)), Errc::invalid, why);
  };
  refused("an entry of no signer", [](CondemnedFile& bad) { bad.entries[1].signer = 1; });
  refused("a hold", [](CondemnedFile& bad) { bad.entries[1].held_ns = 7; });
  refused("a hold", [](CondemnedFile& bad) { bad.entries[0].hold_ns = UINT64_MAX; });
  refused("order of its segments", [](CondemnedFile& bad) { bad.entries[1] = bad.entries[0]; });
  refused("order of its segments", [](CondemnedFile& bad) { std::swap(bad.entries[0], bad.entries[1]); });
}

TEST(HomeLog, RefusesNewerFormatsAndOtherFiles) {
  samples::Random random(test_seed());
  Bytes bytes = encode(home_file(random));
  impl::put(MutableBytes(bytes), 8, std::uint16_t{3});
  expect_refused(parse_home_file(bytes), Errc::invalid, "written by a newer mhp: format 3");
  expect_refused(parse_home_file(Bytes(HomeFile::kSizeBytes)), Errc::invalid, "some other file");
  expect_refused(parse_home_file({}), Errc::invalid, "cut short");
  expect_refused(parse_home_index(Bytes(200)), Errc::invalid, "some other file");
  expect_refused(parse_heads_file(Bytes(200)), Errc::invalid, "some other file");
  expect_refused(parse_former_records_file(Bytes(200)), Errc::invalid, "some other file");
}

TEST(HomeLog, HeadsAreTakenAtTimesThatExist) {
  samples::Random random(test_seed());
  const auto taken_at = [&](std::int64_t unix_s) {
    HeadsFile file{.vault = random.id<VaultId>(), .device = random.id<DeviceId>(), .chain = {{random.bytes(9), 0}}};
    Bytes bytes = encode(file);
    constexpr std::size_t kAt = 80;
    impl::put(MutableBytes(bytes), kAt, static_cast<std::uint64_t>(unix_s));
    const auto content = ByteView(bytes).first(bytes.size() - 32);
    std::ranges::copy(primitives::blake3_derive("mhp 1 heads file", content), bytes.end() - 32);
    return parse_heads_file(bytes);
  };
  EXPECT_TRUE(taken_at(0));
  EXPECT_TRUE(taken_at(kMaxReceivedS));
  for (const std::int64_t unix_s : {-kMaxReceivedS - 1, kMaxReceivedS + 1, INT64_MAX, INT64_MIN})
    expect_refused(taken_at(unix_s), Errc::invalid, "a time of receipt");
}

TEST(HomeLog, FormerRecordsRefuseEachBound) {
  samples::Random random(test_seed());
  const auto spoilt = [&](std::size_t at, auto number) {
    Bytes bytes = encode(FormerRecordsFile{random.id<VaultId>(), random.id<DeviceId>(), 5, {{random.bytes(9), 0, 7}}});
    impl::put(MutableBytes(bytes), at, number);
    const auto content = ByteView(bytes).first(bytes.size() - 32);
    std::ranges::copy(primitives::blake3_derive("mhp 1 former records file", content), bytes.end() - 32);
    return parse_former_records_file(bytes);
  };
  EXPECT_TRUE(spoilt(80, std::uint64_t{kMaxReceivedS}));
  for (const std::size_t at : {80u, 88u, 96u}) {
    for (const std::int64_t unix_s : {-kMaxReceivedS - 1, kMaxReceivedS + 1, INT64_MAX, INT64_MIN})
      expect_refused(spoilt(at, static_cast<std::uint64_t>(unix_s)), Errc::invalid, "a time");
  }
  for (const std::uint32_t count : {0u, kMaxFormerRecords + 1, UINT32_MAX})
    expect_refused(spoilt(12, count), Errc::invalid, "number of records");
  for (const std::uint32_t length : {0u, 10u, UINT32_MAX})
    expect_refused(spoilt(104, length), Errc::invalid, "length of a record");
  expect_refused(spoilt(104, 8u), Errc::invalid, "its length");
  FormerRecordsFile longest{random.id<VaultId>(), random.id<DeviceId>(), 5, {}};
  longest.records.resize(kMaxFormerRecords, {Bytes(kMaxVaultRecordBytes), 1, 2});
  EXPECT_TRUE(parse_former_records_file(encode(longest)));
}

TEST(HomeLog, LogHeaderRoundTrips) {
  samples::Random random(test_seed());
  const LogHeader header{.home = random.id<HomeId>(), .log = 77, .log_key = random.array()};
  std::array<std::byte, kLogBlockBytes> block;
  write_log_header(header, block);
  const auto again = parse_log_header(block);
  ASSERT_TRUE(again) << again.error().detail;
  EXPECT_EQ(*again, header);
  for (std::size_t at = 0; at < 112; ++at) {
    auto changed = block;
    changed[at] ^= std::byte{1};
    EXPECT_FALSE(parse_log_header(changed)) << at;
  }
}

TEST(HomeLog, AMarkCountsOnlyInItsPlace) {
  for (std::uint64_t seed = test_seed(); seed < test_seed() + 50; ++seed) {
    SCOPED_TRACE("MHP_SEED=" + std::to_string(seed));
    samples::Random random(seed);
    const primitives::Key key = random.array();
    const LogPlace place{.log = 3, .offset = 20 * kLogBlockBytes};
    const CommitMark mark = commit_mark(random);
    const auto block = block_of(mark, key, place);
    const auto again = parse_commit_mark(block, key, place);
    ASSERT_TRUE(again) << again.error().detail;
    EXPECT_EQ(*again, mark);
    EXPECT_FALSE(parse_commit_mark(block, random.array(), place));
    EXPECT_FALSE(parse_commit_mark(block, key, {4, place.offset}));
    EXPECT_FALSE(parse_commit_mark(block, key, {3, place.offset + kLogBlockBytes}));
    for (std::size_t at = 0; at < 96; ++at) {
      auto changed = block;
      changed[at] ^= std::byte{1};
      ASSERT_FALSE(parse_commit_mark(changed, key, place)) << at;
    }
  }
}

TEST(HomeLog, AStampIsBoundToKeyAndPlace) {
  samples::Random random(test_seed());
  const primitives::Key key = random.array();
  const primitives::Hash front = random.array();
  const auto stamp = stamp_of_record(key, front, {1, 4096});
  EXPECT_EQ(stamp, stamp_of_record(key, front, {1, 4096}));
  EXPECT_NE(stamp, stamp_of_record(random.array(), front, {1, 4096}));
  EXPECT_NE(stamp, stamp_of_record(key, random.array(), {1, 4096}));
  EXPECT_NE(stamp, stamp_of_record(key, front, {2, 4096}));
  EXPECT_NE(stamp, stamp_of_record(key, front, {1, 8192}));
}

/// Never change: homes hold files like these.
TEST(HomeLog, GoldenFormat1) {
  std::array<std::byte, 32> run;
  for (unsigned i = 0; i < 32; ++i) run[i] = static_cast<std::byte>(1 + i);
  const HomeId home = HomeId::from_array(run);
  expect_golden("home_file", HomeFile{home, run}, parse_home_file);
  HomeIndex index;
  index.home = home;
  std::array<std::byte, 32> back = run;
  std::ranges::reverse(back);
  index.logs = {{1, 1'048'576, 7, run}, {2, 12'288, 1, back}, {3, 4096, 0, {}}};
  index.vaults = {VaultId::from_array(run)};
  index.records = {{SegmentId::from_array(run), 0, 1, {1, 4096}, 12'288, 640, {{0, 640, 5000}, {3, 5696, 5000}}},
                   {SegmentId::from_array(run), 0, 2, {2, 4096}, 4096, 640, {}}};
  expect_golden("home_index", index, parse_home_index);
  const HeadsFile heads{
      VaultId::from_array(run), DeviceId::from_array(run), {{Bytes(5, std::byte{9}), 1'700'000'000}, {Bytes(1), -2}}};
  expect_golden("heads_file", heads, parse_heads_file);

  const FormerRecordsFile former{VaultId::from_array(run),
                                 DeviceId::from_array(run),
                                 1'700'000'000,
                                 {{Bytes(5, std::byte{9}), 0, 1'690'000'000}, {Bytes(1), 1'690'000'000, -2}}};
  expect_golden("former_records_file", former, parse_former_records_file);

  std::array<std::byte, kLogBlockBytes> block;
  write_log_header({home, 2, run}, block);
  EXPECT_EQ(to_lines(ByteView(block).first(128)), to_lines(golden("log_header", ByteView(block).first(128))));
  CommitMark mark{.seq = 5, .begin = 4096, .records = 3};
  mark.recheck = true;
  mark.records_hash = run;
  write_commit_mark(mark, run, {2, 16'384}, block);
  EXPECT_EQ(to_lines(ByteView(block).first(96)), to_lines(golden("commit_mark", ByteView(block).first(96))));
  EXPECT_TRUE(impl::all_zero(ByteView(block).subspan(96)));
  const auto stamp = stamp_of_record(run, run, {2, 16'384});
  EXPECT_EQ(to_lines(stamp), to_lines(golden("record_stamp", stamp)));
  CondemnedFile condemned;
  condemned.home = HomeId::from_array(run);
  condemned.vault = VaultId::from_array(run);
  condemned.visited_ns = 1'767'225'600'123'456'789;
  condemned.stepped_back = true;
  condemned.signers = {DeviceId::from_array(run)};
  condemned.entries = {{SegmentId::from_array(run), 86'400'000'000'000, 2'592'000'000'000'000, 0}};
  expect_golden("condemned_file", condemned, parse_condemned_file);
}

}  // namespace
}  // namespace mhp::wire
