// A device's own files: round trips, bounds, and a journal whose end is torn anywhere.
#include "wire/state.h"

#include <wire/state.pb.h>

#include "wire/test_support.h"

namespace mhp::wire {
namespace {

TEST(DeviceSecret, RoundTrips) { expect_round_trips("DeviceSecret", samples::device_secret, parse_device_secret); }
TEST(ComputerSecret, RoundTrips) {
  expect_round_trips("ComputerSecret", samples::computer_secret, parse_computer_secret);
}
TEST(SeenHeads, RoundTrips) { expect_round_trips("SeenHeads", samples::seen_heads, parse_seen_heads); }
TEST(TakenHeads, RoundTrips) { expect_round_trips("TakenHeads", samples::taken_heads, parse_taken_heads); }
TEST(KnownRecords, RoundTrips) { expect_round_trips("KnownRecords", samples::known_records, parse_known_records); }
TEST(UnlistedSeen, RoundTrips) { expect_round_trips("UnlistedSeen", samples::unlisted_seen, parse_unlisted_seen); }
TEST(BadRows, RoundTrips) { expect_round_trips("BadRows", samples::bad_rows, parse_bad_rows); }

TEST(State, GuardsFormats) {
  samples::Random random(1);
  expect_guards_format(message_of<proto::DeviceSecret>(samples::device_secret(random)), parse_device_secret,
                       kMaxStateBytes);
  expect_guards_format(message_of<proto::SeenHeads>(samples::seen_heads(random)), parse_seen_heads, kMaxStateBytes);
  expect_guards_format(message_of<proto::TakenHeads>(samples::taken_heads(random)), parse_taken_heads, kMaxStateBytes);
  expect_guards_format(message_of<proto::KnownRecords>(samples::known_records(random)), parse_known_records,
                       kMaxKnownRecordsBytes);
  expect_guards_format(message_of<proto::UnlistedSeen>(samples::unlisted_seen(random)), parse_unlisted_seen,
                       kMaxUnlistedBytes);
  expect_guards_format(message_of<proto::BadRows>(samples::bad_rows(random)), parse_bad_rows, kMaxBadRowsBytes);
}

TEST(ComputerSecret, EachChangedByteIsNoticed) {
  samples::Random random(3);
  const Bytes whole = encode(samples::computer_secret(random));
  for (std::size_t i = 0; i < whole.size(); ++i) {
    Bytes bytes = whole;
    bytes[i] ^= std::byte{1};
    expect_refused(parse_computer_secret(bytes), Errc::invalid, "this computer's key");
    bytes = whole;
    bytes.resize(i);
    expect_refused(parse_computer_secret(bytes), Errc::invalid, "this computer's key");
  }
  Bytes longer = whole;
  longer.push_back(std::byte{0});
  expect_refused(parse_computer_secret(longer), Errc::invalid, "cut off or changed");
}

TEST(State, RefusesEachBound) {
  SeenHeads seen;
  seen.heads.resize(kMaxSeenHeads + 1);
  expect_refused(parse_seen_heads(encode(seen)), Errc::invalid, "too many");
  seen.heads.resize(2);
  auto message = message_of<proto::SeenHeads>(seen);
  message.mutable_hash()->resize(32);
  expect_refused(parse_seen_heads(impl::serialize(message)), Errc::invalid, "columns");
  TakenHeads taken;
  taken.heads.resize(kMaxSeenHeads + 1);
  expect_refused(parse_taken_heads(encode(taken)), Errc::invalid, "too many");
  KnownRecords known;
  known.records.resize(kMaxDevices + 1);
  expect_refused(parse_known_records(encode(known)), Errc::invalid, "too many");
  known.records.assign(1, Bytes(kMaxVaultRecordBytes + 1));
  expect_refused(parse_known_records(encode(known)), Errc::invalid, "too long");
  BadRows bad;
  bad.holdings.resize(kMaxBadHoldings + 1);
  for (BadHolding& holding : bad.holdings) holding.rows.set(7);
  expect_refused(parse_bad_rows(encode(bad)), Errc::invalid, "too many");
  bad.holdings.resize(2);
  auto columns = message_of<proto::BadRows>(bad);
  columns.mutable_home()->resize(32);
  expect_refused(parse_bad_rows(impl::serialize(columns)), Errc::invalid, "columns");
  columns = message_of<proto::BadRows>(bad);
  columns.mutable_rows()->resize(33);
  expect_refused(parse_bad_rows(impl::serialize(columns)), Errc::invalid, "columns");
  bad.holdings[1].rows.reset();
  expect_refused(parse_bad_rows(encode(bad)), Errc::invalid, "no such rows");
  bad.holdings[1].rows.set(255);
  expect_refused(parse_bad_rows(encode(bad)), Errc::invalid, "no such rows");
  UnlistedSeen unlisted;
  unlisted.segments.resize(kMaxUnlisted + 1);
  expect_refused(parse_unlisted_seen(encode(unlisted)), Errc::invalid, "too many");
  unlisted.segments.resize(2);
  auto listed = message_of<proto::UnlistedSeen>(unlisted);
  listed.add_first_seen_ns(1);
  expect_refused(parse_unlisted_seen(impl::serialize(listed)), Errc::invalid, "columns");
  auto secret = message_of<proto::DeviceSecret>(DeviceSecret{});
  secret.mutable_signing_seed()->pop_back();
  expect_refused(parse_device_secret(impl::serialize(secret)), Errc::invalid, "wrong length");
}

TEST(Journal, KeepsAllWholeEntriesBeforeATear) {
  samples::Random random(test_seed());
  SCOPED_TRACE("MHP_SEED=" + std::to_string(test_seed()));
  std::vector<JournalEntry> entries;
  std::vector<std::size_t> ends;
  Bytes journal;
  for (int i = 0; i < 5; ++i) {
    IndexedSegment segment{.segment = random.id<SegmentId>(), .plain_bytes = 64_KiB};
    segment.directory.bundles.push_back({.stored_bytes = 10, .plain_bytes = 10});
    segment.directory.chunks.push_back({random.id<ChunkId>(), 0, 0, 10});
    entries.push_back({segment});
    const Bytes frame = encode(entries.back());
    journal.insert(journal.end(), frame.begin(), frame.end());
    ends.push_back(journal.size());
  }
  EXPECT_EQ(parse_journal(journal), entries);
  for (std::size_t size = 0; size <= journal.size(); ++size) {
    const auto whole = static_cast<std::size_t>(std::ranges::upper_bound(ends, size) - ends.begin());
    ASSERT_EQ(parse_journal(ByteView(journal).first(size)).size(), whole) << size;
  }
  for (std::size_t at = 0; at < journal.size(); ++at) {
    journal[at] ^= std::byte{0x20};
    const auto whole = static_cast<std::size_t>(std::ranges::upper_bound(ends, at) - ends.begin());
    ASSERT_EQ(parse_journal(journal).size(), whole) << at;
    journal[at] ^= std::byte{0x20};
  }
}

}  // namespace
}  // namespace mhp::wire
