// Golden bytes: homes and drives hold files like these. They are frozen: added to, never edited.
#include <filesystem>

#include "base/test_run.h"
#include "wire/golden_support.h"
#include "wire/test_support.h"
#include "wire/tombstone.h"

namespace mhp::wire {
namespace {

/// 32 bytes `first`, first + 1, ...
std::array<std::byte, 32> run(unsigned first) {
  std::array<std::byte, 32> out;
  for (unsigned i = 0; i < 32; ++i) out[i] = static_cast<std::byte>(first + i);
  return out;
}
Bytes some_bytes(std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::byte>(7 * i + 1);
  return out;
}

Card sample_card() {
  Card card{.segment = id<SegmentId>(1), .vault = id<VaultId>(2)};
  card.version = 3;
  card.k = 2;
  card.epoch = 4;
  card.sealed_bytes = 65'584;
  card.row_bytes = 32'792;
  card.minimum_hold_s = 2'592'000;
  card.fragments = {id<FragmentId>(5), id<FragmentId>(6), id<FragmentId>(7)};
  return card;
}

SegmentDirectory sample_directory() {
  SegmentDirectory directory;
  directory.bundles = {{.offset = 0, .stored_bytes = 300, .plain_bytes = 1000, .compressed = true},
                       {.offset = 300, .stored_bytes = 70'000, .plain_bytes = 70'000, .compressed = false}};
  directory.chunks = {{id<ChunkId>(10), 0, 0, 400}, {id<ChunkId>(11), 0, 400, 600}, {id<ChunkId>(12), 1, 0, 70'000}};
  return directory;
}

IndexedSegment sample_indexed() { return {id<SegmentId>(13), 131'072, 4, sample_directory()}; }

TEST(Golden, Signed) {
  primitives::init_sodium();
  const Signed envelope = sign(primitives::SigningKey(run(8)), kSignCard, encode(sample_card()));
  EXPECT_TRUE(verify(envelope, kSignCard));
  expect_golden("signed", envelope, [](ByteView bytes) { return parse_signed(bytes, 4_KiB); });
}

TEST(Golden, Card) { expect_golden("card", sample_card(), parse_card); }

TEST(Golden, Head) {
  Head head{.vault = id<VaultId>(20), .device = id<DeviceId>(21), .seq = 300, .previous = id<HeadHash>(22)};
  head.vault_record = id<RecordHash>(23);
  head.time_ns = kTime;
  head.sealed_root = some_bytes(110);
  head.epoch = 4;
  head.vault_record_version = 5;
  expect_golden("head", head, parse_head);
  expect_golden("physical_ref", PhysicalRef{id<SegmentId>(24), id<ChunkId>(25)}, parse_physical_ref);
}

TEST(Golden, VaultRecord) {
  VaultRecord record{.vault = id<VaultId>(30), .device = id<DeviceId>(29), .version = 5, .identity = run(31)};
  record.recovery_x25519 = run(32);
  record.epoch = 4;
  record.devices = {some_bytes(40), some_bytes(41)};
  record.revocations = {some_bytes(42)};
  record.wraps = {{run(33), some_bytes(50), 4, true}, {run(34), some_bytes(51), 4, false}};
  record.sealed_private = some_bytes(60);
  record.time_ns = kTime;
  expect_golden("vault_record", record, parse_vault_record);
  expect_golden("device_certificate", DeviceCertificate{id<VaultId>(35), id<DeviceId>(36), run(37), kTime},
                parse_device_certificate);
  Revocation revocation{id<VaultId>(38), id<DeviceId>(39), 300, id<HeadHash>(40), -1};
  expect_golden("revocation", revocation, parse_revocation);
  revocation.distrusted = true;
  expect_golden("revocation_distrusted", revocation, parse_revocation);
}

TEST(Golden, Tombstone) {
  const std::vector<SegmentId> segments{id<SegmentId>(100), id<SegmentId>(101)};
  expect_golden("tombstone", Tombstone{id<VaultId>(98), id<DeviceId>(99), kTime, segments}, parse_tombstone);
  expect_golden("reprieve", Reprieve{id<VaultId>(98), id<DeviceId>(99), -1, segments}, parse_reprieve);
}

TEST(Golden, WhatTheVaultRecordSeals) {
  VaultKeys keys;
  keys.epochs = {{1, run(50), run(54)}, {4, run(51), run(57)}};
  keys.dedup_secret = run(52);
  keys.chunker_secret = run(53);
  expect_golden("vault_keys", keys, parse_vault_keys);
  VaultPrivate vault{.name = "Ann", .level = 2};
  vault.homes = {{id<HomeId>(55), "usb stick", HomeKind::folder, "/media/ann/usb", false, 0, 5'000'000'000},
                 {id<HomeId>(56), "trial", HomeKind::folder, "/tmp/\xff", true, 1'000'000, 0}};
  vault.homes[1].changed_ns = kTime;
  vault.name_changed_ns = kTime + 1;
  vault.level_changed_ns = kTime + 2;
  vault.removed = {{id<HomeId>(62), kTime + 3}};
  expect_golden("vault_private", vault, parse_vault_private);
  HomeEntry computer{.id = id<HomeId>(58), .name = "Ben's attic", .kind = HomeKind::computer};
  computer.max_used_bytes = 50'000'000'000;
  computer.member = run(59);
  computer.cloud = run(60);
  computer.addresses = {"attic.example.org:6447", "[2001:db8::7]:6447", "192.0.2.7:6447"};
  HomeEntry unknown_kind{.id = id<HomeId>(61), .name = "a kind of a newer program", .kind = static_cast<HomeKind>(200)};
  unknown_kind.later = "\xe2\x03\x03new";  // field 60
  expect_golden("vault_private_with_computers",
                VaultPrivate{.name = "Ann", .level = 1, .homes = {computer, unknown_kind}}, parse_vault_private);
  VaultPrivate of_clouds{.name = "Ann", .level = 1};
  of_clouds.clouds = {{id<CloudId>(63), run(64), "Ann", kTime + 4}, {id<CloudId>(65), run(66), "A. Berg", kTime + 5}};
  of_clouds.clouds[1].later = "\xe2\x03\x03new";  // field 60
  of_clouds.left_clouds = {{id<CloudId>(67), kTime + 6}};
  expect_golden("vault_private_with_clouds", of_clouds, parse_vault_private);
}

TEST(Golden, Segment) {
  expect_golden("segment_directory", sample_directory(),
                [](ByteView bytes) { return parse_segment_directory(bytes, 131'072); });
  SegmentDirectory of_index = sample_directory();
  of_index.index = true;
  expect_golden("segment_directory_of_index", of_index,
                [](ByteView bytes) { return parse_segment_directory(bytes, 131'072); });
  const SegmentTrailer trailer{.directory_offset = 70'300, .directory_bytes = 160};
  Bytes bytes(SegmentTrailer::kSizeBytes);
  write_segment_trailer(trailer, std::span<std::byte, SegmentTrailer::kSizeBytes>(bytes));
  EXPECT_EQ(to_lines(golden("segment_trailer", bytes)), to_lines(bytes));
  EXPECT_EQ(*parse_segment_trailer(bytes, 131'072), trailer);
}

TEST(Golden, Index) {
  IndexTop top;
  top.parts = {{id<SegmentId>(60), id<ChunkId>(61)}, {id<SegmentId>(62), id<ChunkId>(63)}};
  top.snapshot_parts = {{id<SegmentId>(64), id<ChunkId>(65)}};
  top.seen = {{id<DeviceId>(69), 300, id<HeadHash>(70)}, {id<DeviceId>(71), 2, id<HeadHash>(72)}};
  expect_golden("index_top", top, parse_index_top);
  expect_golden("index_part", IndexPart{{sample_indexed(), {id<SegmentId>(66), 65'536, 5, {}}}}, parse_index_part);
  SnapshotRecord snapshot{.id = id<SnapshotId>(67), .time_ns = kTime, .host = "attic"};
  snapshot.paths = {"/home/ann", "/etc"};
  snapshot.tags = {"daily"};
  snapshot.files = 90'675;
  snapshot.bytes = 1'570'000'000;
  snapshot.unreadable = 2;
  snapshot.page_list = id<ChunkId>(68);
  expect_golden("snapshot_part", SnapshotPart{{snapshot}, {{id<SnapshotId>(73), kTime + 1}}}, parse_snapshot_part);
}

TreePage sample_page() {
  TreePage page;
  TreeEntry folder{.path = "home/ann", .kind = EntryKind::folder, .mode = 040755, .uid = 1000, .gid = 100};
  folder.mtime_ns = kTime;
  folder.xattrs = {{"user.note", some_bytes(5)}};
  folder.ctime_ns = kTime + 1;
  folder.device = 2049;
  folder.inode = 131'072;
  TreeEntry file{.path = "home/ann/photo.jpg", .kind = EntryKind::file, .mode = 0100644, .uid = 1000, .gid = 100};
  file.mtime_ns = -1;
  file.size = 5'000'000;
  file.extents = {{0, 4096}, {4'000'000, 1'000'000}};
  file.chunks = {id<ChunkId>(70), id<ChunkId>(71)};
  TreeEntry hard{.path = "home/ann/photo2.jpg", .kind = EntryKind::file, .mode = 0100644};
  hard.hard_link_to = "home/ann/photo.jpg";
  TreeEntry huge{.path = "home/ann.big", .kind = EntryKind::file, .mode = 0100600, .size = 1ull << 40};
  huge.chunks = {id<ChunkId>(72)};
  huge.chunks_are_lists = true;
  TreeEntry link{.path = "home/l\xffnk", .kind = EntryKind::symlink, .mode = 0120777, .link_target = "../etc"};
  TreeEntry disk{.path = "home/sda", .kind = EntryKind::block_device, .mode = 060660, .rdev = 2048};
  page.entries = {folder, file, hard, huge, link, disk};
  return page;
}

TEST(Golden, Tree) {
  expect_golden("tree_page", sample_page(), parse_tree_page);
  expect_golden("page_list", PageList{{{id<ChunkId>(73), "home/ann"}, {id<ChunkId>(74), "home/ann/photo.jpg"}}},
                parse_page_list);
}

TEST(Golden, State) {
  expect_golden("device_secret", DeviceSecret{id<VaultId>(80), run(81), run(82)}, parse_device_secret);
  expect_golden("computer_secret", ComputerSecret{run(92)}, parse_computer_secret);
  expect_golden("known_records", KnownRecords{{some_bytes(40), some_bytes(41)}}, parse_known_records);
  expect_golden("seen_heads",
                SeenHeads{{{id<DeviceId>(83), 300, id<HeadHash>(84)}, {id<DeviceId>(85), 1, id<HeadHash>(86)}}},
                parse_seen_heads);
  expect_golden("taken_heads",
                TakenHeads{{{id<HomeId>(93), 300, id<HeadHash>(94)}, {id<HomeId>(95), 1, id<HeadHash>(96)}}},
                parse_taken_heads);
  BadRows bad{{{id<HomeId>(87), id<SegmentId>(88), {}}, {id<HomeId>(87), id<SegmentId>(89), {}}}};
  bad.holdings[0].rows.set(0).set(9);
  bad.holdings[1].rows.set(254);
  expect_golden("bad_rows", bad, parse_bad_rows);
  const UnlistedSeen unlisted{{{id<SegmentId>(90), kTime}, {id<SegmentId>(91), -1}}};
  expect_golden("unlisted_seen", unlisted, parse_unlisted_seen);
  const JournalEntry entry{sample_indexed()};
  const Bytes bytes = golden("journal", encode(entry));
  EXPECT_EQ(to_lines(encode(entry)), to_lines(bytes));
  EXPECT_EQ(parse_journal(bytes), std::vector<JournalEntry>{entry});
}

TEST(Golden, Fragment) {
  FragmentHeader header{.row = 1, .k = 2, .epoch = 4, .row_bytes = 70'000, .sealed_bytes = 139'999};
  header.segment = id<SegmentId>(1);
  const std::size_t payload_at = fragment_payload_offset(header.row_bytes);
  Bytes fragment(fragment_bytes(header.row_bytes));
  std::ranges::copy(some_bytes(header.row_bytes), fragment.begin() + static_cast<std::ptrdiff_t>(payload_at));
  const FragmentId id = finish_fragment(header, run(90), fragment);
  // The front, then the id, so that the file stays small: the payload is byte i = 7 i + 1 modulo 256.
  Bytes now(fragment.begin(), fragment.begin() + static_cast<std::ptrdiff_t>(payload_at));
  now.insert(now.end(), id.bytes().begin(), id.bytes().end());
  const Bytes bytes = golden("fragment_front_and_id", now);
  EXPECT_EQ(to_lines(now), to_lines(bytes));
  const auto front = parse_fragment_front(ByteView(bytes).first(payload_at), id);
  ASSERT_TRUE(front) << front.error().detail;
  EXPECT_EQ(front->header, header);
}

TEST(Golden, Record) {
  const std::vector<std::uint8_t> rows{1, 4};
  RecordFront front = plan_record(id<VaultId>(2), id<SegmentId>(1), rows, 1000, 200);
  front.card_version = 3;
  front.signed_card = some_bytes(190);
  Bytes record(front.record_bytes);
  for (const RecordRow& row : front.rows)
    std::ranges::copy(some_bytes(row.bytes), record.begin() + static_cast<std::ptrdiff_t>(row.offset));
  write_record_front(front, record);
  std::ranges::copy(run(91), record_stamp(MutableBytes(record)).begin());
  const Bytes bytes = golden("record", record);
  EXPECT_EQ(to_lines(record), to_lines(bytes));
  const auto parsed = parse_record_front(bytes);
  ASSERT_TRUE(parsed) << parsed.error().detail;
  EXPECT_EQ(*parsed, front);
}

TEST(Golden, EveryFileHasItsTest) {
  std::string text;
  for (const auto& test : std::filesystem::directory_iterator("src/wire")) {
    std::ifstream in(test.path().string().ends_with("_test.cc") ? test.path() : std::filesystem::path("/dev/null"));
    text.append(std::istreambuf_iterator<char>(in), {});
  }
  std::uint64_t files = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator("tests/golden")) {
    if (file.is_directory()) continue;
    EXPECT_NE(text.find('"' + file.path().stem().string() + '"'), std::string::npos) << file.path();
    ++files;
  }
  EXPECT_GT(files, 10u);
  test_run::tried(1, "golden bytes of formats", files, 0);
}

}  // namespace
}  // namespace mhp::wire
