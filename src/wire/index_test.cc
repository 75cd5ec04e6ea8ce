// The index tree's objects: round trips, and each bound refused.
#include "wire/index.h"

#include <wire/sealed.pb.h>

#include "wire/test_support.h"

namespace mhp::wire {
namespace {

TEST(IndexTop, RoundTrips) { expect_round_trips("IndexTop", samples::index_top, parse_index_top); }
TEST(IndexPart, RoundTrips) { expect_round_trips("IndexPart", samples::index_part, parse_index_part); }
TEST(SnapshotPart, RoundTrips) { expect_round_trips("SnapshotPart", samples::snapshot_part, parse_snapshot_part); }

TEST(Index, GuardsFormats) {
  samples::Random random(1);
  expect_guards_format(message_of<proto::IndexTop>(samples::index_top(random)), parse_index_top, kMaxIndexObjectBytes);
  expect_guards_format(message_of<proto::IndexPart>(samples::index_part(random)), parse_index_part,
                       kMaxIndexObjectBytes);
  expect_guards_format(message_of<proto::SnapshotPart>(samples::snapshot_part(random)), parse_snapshot_part,
                       kMaxIndexObjectBytes);
}

TEST(IndexTop, RefusesEachBound) {
  IndexTop top;
  top.parts.resize(kMaxIndexParts + 1);
  expect_refused(parse_index_top(encode(top)), Errc::invalid, "too many parts");
  top.parts.resize(2);
  auto message = message_of<proto::IndexTop>(top);
  message.mutable_part_chunk()->resize(32);
  expect_refused(parse_index_top(impl::serialize(message)), Errc::invalid, "columns");
  message.mutable_part_chunk()->resize(33);
  message.mutable_part_segment()->resize(33);
  expect_refused(parse_index_top(impl::serialize(message)), Errc::invalid, "columns");
  top.seen.resize(2);
  message = message_of<proto::IndexTop>(top);
  message.mutable_seen_hash()->resize(32);
  expect_refused(parse_index_top(impl::serialize(message)), Errc::invalid, "columns");
  top.seen.resize(kMaxDevices + 1);
  expect_refused(parse_index_top(encode(top)), Errc::invalid, "too many devices");
}

TEST(IndexPart, RefusesEachBound) {
  samples::Random random(2);
  IndexPart part;
  part.segments.push_back(samples::indexed_segment(random));
  ASSERT_TRUE(parse_index_part(encode(part)));
  for (const std::uint32_t plain : {0u, 1u, 65'537u, 96u << 10, 17u << 20}) {
    part.segments[0].plain_bytes = plain;
    expect_refused(parse_index_part(encode(part)), Errc::invalid, "size class");
  }
  part.segments[0].plain_bytes = 64_KiB;
  part.segments[0].directory.bundles.assign(1, {.offset = 60'000, .stored_bytes = 6'000, .plain_bytes = 6'000});
  expect_refused(parse_index_part(encode(part)), Errc::invalid, "passes the end");
  part.segments.assign(1, samples::indexed_segment(random));
  auto message = message_of<proto::IndexPart>(part);
  message.mutable_segments(0)->mutable_directory()->set_format(3);
  expect_refused(parse_index_part(impl::serialize(message)), Errc::invalid, "newer mhp: format 3");
  message.mutable_segments(0)->clear_directory();
  expect_refused(parse_index_part(impl::serialize(message)), Errc::invalid, "no format");
  message.mutable_segments(0)->mutable_segment()->pop_back();
  expect_refused(parse_index_part(impl::serialize(message)), Errc::invalid, "32 bytes");
  part.segments.clear();
  for (unsigned i = 0; i <= kMaxSegmentsPerPart; ++i) part.segments.push_back({.plain_bytes = 64_KiB});
  expect_refused(parse_index_part(encode(part)), Errc::invalid, "too many segments");
}

TEST(SnapshotPart, ADeviceIsWholeOrNotThere) {
  samples::Random random(5);
  SnapshotPart part;
  part.snapshots.push_back({.id = random.id<SnapshotId>(), .device = random.id<DeviceId>(), .head_seq = 7});
  const auto back = parse_snapshot_part(encode(part));
  ASSERT_TRUE(back) << back.error().detail;
  EXPECT_EQ(*back, part);
  auto message = message_of<proto::SnapshotPart>(part);
  message.mutable_snapshots(0)->mutable_device()->pop_back();
  expect_refused(parse_snapshot_part(impl::serialize(message)), Errc::invalid, "32 bytes");
  message.mutable_snapshots(0)->clear_device();
  EXPECT_TRUE(parse_snapshot_part(impl::serialize(message)));
}

/// Parts are merged and written anew by any device.
TEST(SnapshotPart, FieldsOfANewerProgramAreWrittenBack) {
  samples::Random random(4);
  SnapshotPart part = samples::snapshot_part(random);
  part.snapshots.resize(2);
  auto message = message_of<proto::SnapshotPart>(part);
  ASSERT_TRUE(message.mutable_snapshots(1)->MergeFromString("\xe2\x03\x03new"));  // field 60
  const Bytes bytes = impl::serialize(message);
  const auto parsed = parse_snapshot_part(bytes);
  ASSERT_TRUE(parsed) << parsed.error().detail;
  EXPECT_EQ(parsed->snapshots[0].later, "");
  EXPECT_EQ(parsed->snapshots[1].later, "\xe2\x03\x03new");
  EXPECT_EQ(encode(*parsed), bytes);
}

TEST(SnapshotPart, RefusesEachBound) {
  samples::Random random(3);
  SnapshotPart good;
  good.snapshots.push_back({.id = random.id<SnapshotId>(), .host = "attic", .paths = {"/home"}, .tags = {"a"}});
  ASSERT_TRUE(parse_snapshot_part(encode(good)));
  const auto refused = [&](auto spoil, const char* words) {
    SnapshotPart bad = good;
    spoil(bad.snapshots[0]);
    expect_refused(parse_snapshot_part(encode(bad)), Errc::invalid, words);
  };
  refused([](SnapshotRecord& s) { s.host.assign(kMaxNameBytes + 1, 'x'); }, "text");
  refused([](SnapshotRecord& s) { s.tags[0] = std::string("a\0b", 3); }, "text");
  refused([](SnapshotRecord& s) { s.paths[0].assign(kMaxPathBytes + 1, 'x'); }, "text");
  refused([](SnapshotRecord& s) { s.paths.resize(kMaxSnapshotPaths + 1); }, "too many paths");
  refused([](SnapshotRecord& s) { s.tags.resize(kMaxTags + 1); }, "too many tags");
  good.forgotten.resize(2);
  auto message = message_of<proto::SnapshotPart>(good);
  message.add_forgotten_ns(1);
  expect_refused(parse_snapshot_part(impl::serialize(message)), Errc::invalid, "columns");
  good.forgotten.resize(kMaxForgottenPerPart + 1);
  expect_refused(parse_snapshot_part(encode(good)), Errc::invalid, "too many forgotten");
  good.snapshots.resize(kMaxSnapshotsPerPart + 1);
  expect_refused(parse_snapshot_part(encode(good)), Errc::invalid, "too many snapshots");
}

}  // namespace
}  // namespace mhp::wire
