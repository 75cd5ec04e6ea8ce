// From ranges of plain bytes to frames to sealed ranges, and back.
#include "vault/impl/reader.h"

#include <algorithm>

#include "base/check.h"
#include "primitives/aead/frames.h"
#include "primitives/compress/zstd.h"
#include "vault/impl/bad_rows.h"
#include "wire/signed.h"

namespace mhp::vault::impl {
namespace {

using primitives::kFramePlainBytes;
using primitives::kFrameSealedBytes;

constexpr std::uint32_t kJoinFrames = 4;  // a gap of at most so many frames is read along

struct FrameRun {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};

std::uint32_t frames_of(std::uint64_t plain_bytes) {
  return static_cast<std::uint32_t>((plain_bytes + kFramePlainBytes - 1) / kFramePlainBytes);
}

/// Frames that hold the ranges, rising, runs joined over small gaps.
std::vector<FrameRun> frame_runs(std::vector<Range> ranges) {
  std::ranges::sort(ranges, {}, &Range::offset);
  std::vector<FrameRun> runs;
  for (const Range& range : ranges) {
    if (range.bytes == 0) continue;
    auto first = static_cast<std::uint32_t>(range.offset / kFramePlainBytes);
    std::uint32_t end = frames_of(range.offset + range.bytes);
    if (!runs.empty() && first <= runs.back().first + runs.back().count + kJoinFrames) {
      runs.back().count = std::max(runs.back().count, end - runs.back().first);
    } else {
      runs.push_back({.first = first, .count = end - first});
    }
  }
  return runs;
}

struct SealedRange {
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
};

SealedRange sealed_range(std::uint64_t plain_bytes, std::uint32_t first, std::uint32_t count) {
  const std::uint64_t offset = kCommitmentBytes + std::uint64_t{first} * kFrameSealedBytes;
  const std::uint64_t end = std::min(sealed_bytes_of(plain_bytes), offset + std::uint64_t{count} * kFrameSealedBytes);
  return {.offset = offset, .bytes = end - offset};
}

std::uint32_t total_frames(const std::vector<FrameRun>& runs) {
  std::uint32_t total = 0;
  for (const FrameRun& run : runs) total += run.count;
  return total;
}

}  // namespace

Result<ByteView> find_plain(const std::vector<PlainPart>& parts, const Range& range) {
  for (const PlainPart& part : parts) {
    if (range.offset < part.offset || range.offset + range.bytes > part.offset + part.bytes.size()) continue;
    return part.bytes.bytes().subspan(range.offset - part.offset, range.bytes);
  }
  return fail(Errc::not_found, "segment: this part was not fetched");
}

Result<ByteView> FetchedSegment::bundle(std::uint32_t number, Bytes& room) const {
  if (number >= bundles_.size()) return fail(Errc::not_found, "segment: no such bundle");
  const wire::Bundle& bundle = bundles_[number];
  MHP_TRY(ByteView stored, find_plain(parts_, {.offset = bundle.offset, .bytes = bundle.stored_bytes}));
  if (!bundle.compressed) return stored;
  room.resize(bundle.plain_bytes);
  MHP_TRY_VOID(primitives::decompress(stored, room));
  return ByteView(room);
}

Result<void> SegmentReader::check_front(const dispersal::Gathered& front) const {
  const wire::Card& card = front.card;
  if (card.vault != record_.record.vault)
    return fail(Errc::corrupt, "segment " + card.segment.short_hex() + ": of another vault");
  if (keys_of_epoch(record_, card.epoch).empty())
    return fail(Errc::corrupt, "segment " + card.segment.short_hex() + ": its key epoch is not known");
  if (front.salts.size() != card.k || front.sealed_bytes() < kCommitmentBytes)
    return fail(Errc::corrupt, "segment " + card.segment.short_hex() + ": its front is cut short");
  return {};
}

Result<SegmentKey> SegmentReader::make_key(dispersal::Gathered& front) {
  MHP_TRY_VOID(check_front(front));
  const Bytes commitment = front.take_front(kCommitmentBytes);
  for (const wire::EpochKey* of_epoch : keys_of_epoch(record_, front.card.epoch)) {
    SegmentKey key(of_epoch->data_key, front.salts, front.card.segment);
    if (!key.matches(commitment)) continue;
    if (kept_keys_.size() >= kMaxKeysKept) kept_keys_.clear();
    kept_keys_.insert_or_assign(front.card.segment, key);
    return key;
  }
  return fail(Errc::corrupt, "segment " + front.card.segment.short_hex() + ": sealed with another key");
}

Task<Result<std::vector<wire::EpochKey>>> SegmentReader::keys_that_open(SegmentId segment) {
  MHP_CO_TRY(auto front, co_await gather(segment, 0, kCommitmentBytes, true));
  MHP_CO_TRY_VOID(check_front(front));
  const Bytes commitment = front.take_front(kCommitmentBytes);
  std::vector<wire::EpochKey> out;
  for (const wire::EpochKey* of_epoch : keys_of_epoch(record_, front.card.epoch)) {
    if (SegmentKey(of_epoch->data_key, front.salts, segment).matches(commitment)) out.push_back(*of_epoch);
  }
  co_return out;
}

/// What is asked for here is named by a head or an index: where no home has its card, homes are missing.
Task<Result<dispersal::Gathered>> SegmentReader::gather(SegmentId segment, std::uint64_t offset, std::uint64_t bytes,
                                                        bool with_salts) {
  auto gathered = co_await homes_.gather(segment, offset, bytes, with_salts);
  remember_wrong_rows(homes_, state_);
  if (!gathered && gathered.error().code == Errc::not_found) gathered.error().code = Errc::unavailable;
  co_return gathered;
}

Task<Result<SegmentKey>> SegmentReader::key_of(SegmentId segment) {
  auto kept = kept_keys_.find(segment);
  if (kept != kept_keys_.end()) co_return kept->second;
  MHP_CO_TRY(auto front, co_await gather(segment, 0, kCommitmentBytes, true));
  co_return make_key(front);
}

Task<Result<PlainPart>> SegmentReader::open_whole(dispersal::Gathered& gathered) {
  MHP_CO_TRY(std::uint64_t plain_bytes, plain_bytes_of(gathered.card.sealed_bytes));
  if (gathered.sealed_bytes() != gathered.card.sealed_bytes) {
    co_return fail(Errc::corrupt, "segment " + gathered.card.segment.short_hex() + ": cut short");
  }
  MHP_CO_TRY(SegmentKey key, make_key(gathered));
  PlainPart part;
  part.bytes = AlignedBuffer(plain_bytes);
  auto job = [&] { return key.open(plain_bytes, 0, gathered.places(), part.bytes.bytes()); };
  MHP_CO_TRY_VOID(co_await platform_.workers().run(job));
  co_return part;
}

Task<Result<PlainPart>> SegmentReader::read_frames(SegmentId segment, std::uint64_t plain_bytes, SegmentKey key,
                                                   std::uint32_t first, std::uint32_t count) {
  const SealedRange range = sealed_range(plain_bytes, first, count);
  MHP_CO_TRY(auto gathered, co_await gather(segment, range.offset, range.bytes, false));
  co_return co_await open_frames(std::move(gathered), plain_bytes, key, first, count);
}

Task<Result<PlainPart>> SegmentReader::open_frames(dispersal::Gathered gathered, std::uint64_t plain_bytes,
                                                   SegmentKey key, std::uint32_t first, std::uint32_t count) {
  if (gathered.sealed_bytes() != sealed_range(plain_bytes, first, count).bytes) {
    co_return fail(Errc::corrupt, "segment " + gathered.card.segment.short_hex() + ": cut short");
  }
  PlainPart part;
  part.offset = std::uint64_t{first} * kFramePlainBytes;
  part.bytes = AlignedBuffer(std::min(plain_bytes - part.offset, std::uint64_t{count} * kFramePlainBytes));
  auto job = [&] { return key.open(plain_bytes, first, gathered.places(), part.bytes.bytes()); };
  MHP_CO_TRY_VOID(co_await platform_.workers().run(job));
  co_return part;
}

Task<Result<std::vector<PlainPart>>> SegmentReader::read(SegmentId segment, std::uint64_t plain_bytes,
                                                         std::vector<Range> ranges) {
  for (const Range& range : ranges) {
    if (range.offset > plain_bytes || range.bytes > plain_bytes - range.offset) {
      co_return fail(Errc::corrupt, "segment " + segment.short_hex() + ": shorter than the index says");
    }
  }
  std::vector<FrameRun> runs = frame_runs(std::move(ranges));
  std::vector<PlainPart> parts;
  bool whole = runs.empty() || total_frames(runs) * 2 > frames_of(plain_bytes);
  if (whole) {
    MHP_CO_TRY(auto gathered, co_await gather(segment, 0, 0, true));
    MHP_CO_TRY(PlainPart part, co_await open_whole(gathered));
    if (part.bytes.size() != plain_bytes) {
      co_return fail(Errc::corrupt, "segment " + segment.short_hex() + ": not as long as the index says");
    }
    parts.push_back(std::move(part));
    co_return parts;
  }
  MHP_CO_TRY(SegmentKey key, co_await key_of(segment));
  for (const FrameRun& run : runs) {
    MHP_CO_TRY(PlainPart part, co_await read_frames(segment, plain_bytes, key, run.first, run.count));
    parts.push_back(std::move(part));
  }
  co_return parts;
}

Task<Result<SegmentReader::Opened>> SegmentReader::open(SegmentId segment) {
  Opened out;
  MHP_CO_TRY(auto gathered, co_await gather(segment, 0, 0, true));
  MHP_CO_TRY(out.plain, co_await open_whole(gathered));
  out.card = std::move(gathered.card);
  ByteView plain = out.plain.bytes.bytes();
  constexpr std::size_t kTrailer = wire::SegmentTrailer::kSizeBytes;
  if (plain.size() <= kTrailer) co_return fail(Errc::corrupt, "segment " + segment.short_hex() + ": too short");
  MHP_CO_TRY(wire::SegmentTrailer trailer, wire::parse_segment_trailer(plain.last(kTrailer), plain.size()));
  ByteView directory = plain.subspan(trailer.directory_offset, trailer.directory_bytes);
  MHP_CO_TRY(out.directory, wire::parse_segment_directory(directory, plain.size()));
  co_return out;
}

/// Plain bytes from the frame with byte `from` on.
Task<Result<PlainPart>> SegmentReader::read_end(const dispersal::Located& located, std::uint64_t plain_bytes,
                                                SegmentKey key, std::uint64_t from) {
  const auto first = static_cast<std::uint32_t>(from / kFramePlainBytes);
  const std::uint32_t count = frames_of(plain_bytes) - first;
  const SealedRange range = sealed_range(plain_bytes, first, count);
  auto gathered = co_await homes_.gather(located, range.offset, range.bytes, false);
  remember_wrong_rows(homes_, state_);
  if (!gathered) co_return pass(gathered);
  co_return co_await open_frames(std::move(*gathered), plain_bytes, key, first, count);
}

Task<Result<wire::IndexedSegment>> SegmentReader::own_word(SegmentId segment) {
  auto word = co_await word_at_end(segment);
  if (word || !homes_.could_not_read(segment)) co_return word;
  // By the card that most homes show nothing can be read: open() tries others.
  MHP_CO_TRY(Opened opened, co_await open(segment));
  wire::IndexedSegment out{.segment = segment};
  out.plain_bytes = static_cast<std::uint32_t>(opened.plain.bytes.size());
  out.epoch = opened.card.epoch;
  out.directory = std::move(opened.directory);
  co_return out;
}

Task<Result<wire::IndexedSegment>> SegmentReader::word_at_end(SegmentId segment) {
  MHP_CO_TRY(auto located, co_await homes_.locate(segment));
  MHP_CO_TRY(std::uint64_t plain_bytes, plain_bytes_of(located.card.sealed_bytes));
  constexpr std::size_t kTrailer = wire::SegmentTrailer::kSizeBytes;
  if (plain_bytes <= kTrailer) co_return fail(Errc::corrupt, "segment " + segment.short_hex() + ": too short");
  auto front = co_await homes_.gather(located, 0, kCommitmentBytes, true);
  remember_wrong_rows(homes_, state_);
  if (!front) co_return pass(front);
  MHP_CO_TRY(SegmentKey key, make_key(*front));
  MHP_CO_TRY(PlainPart end, co_await read_end(located, plain_bytes, key, plain_bytes - kTrailer));
  if (end.bytes.size() < kTrailer) {  // it lies across two frames
    MHP_CO_TRY(end, co_await read_end(located, plain_bytes, key, end.offset - 1));
  }
  const ByteView last = ByteView(end.bytes.bytes()).last(kTrailer);
  MHP_CO_TRY(wire::SegmentTrailer trailer, wire::parse_segment_trailer(last, plain_bytes));
  if (trailer.directory_offset < end.offset) {
    MHP_CO_TRY(end, co_await read_end(located, plain_bytes, key, trailer.directory_offset));
  }
  ByteView directory = ByteView(end.bytes.bytes()).subspan(trailer.directory_offset - end.offset);
  wire::IndexedSegment out{.segment = segment};
  out.plain_bytes = static_cast<std::uint32_t>(plain_bytes);
  out.epoch = located.card.epoch;
  MHP_CO_TRY(out.directory, wire::parse_segment_directory(directory.first(trailer.directory_bytes), plain_bytes));
  co_return out;
}

Task<Result<std::vector<Bytes>>> SegmentReader::objects(SegmentId segment, std::vector<ChunkId> chunks) {
  MHP_CO_TRY(Opened opened, co_await open(segment));
  std::vector<PlainPart> parts;
  parts.push_back(std::move(opened.plain));
  FetchedSegment fetched(std::move(parts), opened.directory.bundles);
  std::vector<Bytes> out;
  Bytes room;
  for (const ChunkId& id : chunks) {
    const auto& entries = opened.directory.chunks;
    auto entry = std::ranges::find(entries, id, &wire::ChunkEntry::id);
    if (entry == entries.end()) {
      co_return fail(Errc::corrupt, "segment " + segment.short_hex() + ": does not hold what the index names");
    }
    MHP_CO_TRY(ByteView bundle, fetched.bundle(entry->bundle, room));
    ByteView chunk = bundle.subspan(entry->offset, entry->bytes);
    if (!is_id_of(record_, id, chunk)) {
      co_return fail(Errc::corrupt, "segment " + segment.short_hex() + ": an object differs from its id");
    }
    out.push_back(to_bytes(chunk));
  }
  co_return out;
}

}  // namespace mhp::vault::impl
