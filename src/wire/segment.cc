// A segment's directory and trailer to bytes and back.
#include "wire/segment.h"

#include <wire/sealed.pb.h>

#include "base/check.h"
#include "wire/impl/directory.h"
#include "wire/impl/fixed.h"

namespace mhp::wire {
namespace {

constexpr const char* kDirectory = "segment directory";

// docs/formats/segment.md
constexpr std::string_view kDirectoryMagic{"mhpsdir\0", 8};
constexpr std::size_t kDirectoryFormatAt = 8;
constexpr std::size_t kDirectoryZeroAt = 10;
constexpr std::size_t kDirectoryOffsetAt = 12;
constexpr std::size_t kDirectoryBytesAt = 16;
constexpr std::size_t kDirectoryUnusedAt = 20;

Result<void> read_bundles(const proto::SegmentDirectory& message, std::uint64_t plain_bytes, std::vector<Bundle>& out) {
  const std::string& methods = message.bundle_method();
  const int count = message.bundle_offset_size();
  if (message.bundle_stored_bytes_size() != count || message.bundle_plain_bytes_size() != count ||
      methods.size() != static_cast<std::size_t>(count))
    return impl::bad(kDirectory, "columns of bundles differ in length");
  if (methods.size() > kMaxBundles) return impl::bad(kDirectory, "too many bundles");
  out.reserve(methods.size());
  for (int i = 0; i < count; ++i) {
    Bundle bundle;
    bundle.offset = message.bundle_offset(i);
    bundle.stored_bytes = message.bundle_stored_bytes(i);
    bundle.plain_bytes = message.bundle_plain_bytes(i);
    const auto method = static_cast<unsigned char>(methods[static_cast<std::size_t>(i)]);
    if (method > 1) return impl::bad(kDirectory, "unknown method of a bundle");
    bundle.compressed = method == 1;
    if (std::uint64_t{bundle.offset} + bundle.stored_bytes > plain_bytes)
      return impl::bad(kDirectory, "a bundle passes the end");
    if (bundle.plain_bytes > kMaxBundleBytes) return impl::bad(kDirectory, "a bundle is too long");
    if (!bundle.compressed && bundle.plain_bytes != bundle.stored_bytes)
      return impl::bad(kDirectory, "lengths of a bundle differ");
    out.push_back(bundle);
  }
  return {};
}

Result<void> read_chunks(const proto::SegmentDirectory& message, SegmentDirectory& out) {
  const std::string& ids = message.chunk_id();
  const int count = message.chunk_bundle_size();
  if (ids.size() != 32 * static_cast<std::size_t>(count) || message.chunk_offset_size() != count ||
      message.chunk_bytes_size() != count)
    return impl::bad(kDirectory, "columns of chunks differ in length");
  if (ids.size() / 32 > kMaxChunksPerSegment) return impl::bad(kDirectory, "too many chunks");
  out.chunks.reserve(ids.size() / 32);
  for (int i = 0; i < count; ++i) {
    ChunkEntry chunk;
    chunk.id = impl::id_at<ChunkId>(ids, static_cast<std::size_t>(i));
    chunk.bundle = message.chunk_bundle(i);
    chunk.offset = message.chunk_offset(i);
    chunk.bytes = message.chunk_bytes(i);
    if (chunk.bundle >= out.bundles.size()) return impl::bad(kDirectory, "a chunk is in no bundle");
    if (std::uint64_t{chunk.offset} + chunk.bytes > out.bundles[chunk.bundle].plain_bytes)
      return impl::bad(kDirectory, "a chunk passes the end of its bundle");
    out.chunks.push_back(chunk);
  }
  return {};
}

}  // namespace

namespace impl {

void to_proto(const SegmentDirectory& directory, proto::SegmentDirectory& out) {
  out.set_format(kFormat);
  const auto bundles = static_cast<int>(directory.bundles.size());
  out.mutable_bundle_offset()->Reserve(bundles);
  out.mutable_bundle_stored_bytes()->Reserve(bundles);
  out.mutable_bundle_plain_bytes()->Reserve(bundles);
  for (const Bundle& bundle : directory.bundles) {
    out.add_bundle_offset(bundle.offset);
    out.add_bundle_stored_bytes(bundle.stored_bytes);
    out.add_bundle_plain_bytes(bundle.plain_bytes);
    out.mutable_bundle_method()->push_back(bundle.compressed ? '\1' : '\0');
  }
  const auto chunks = static_cast<int>(directory.chunks.size());
  out.mutable_chunk_id()->reserve(32 * directory.chunks.size());
  out.mutable_chunk_bundle()->Reserve(chunks);
  out.mutable_chunk_offset()->Reserve(chunks);
  out.mutable_chunk_bytes()->Reserve(chunks);
  for (const ChunkEntry& chunk : directory.chunks) {
    append(*out.mutable_chunk_id(), chunk.id.bytes());
    out.add_chunk_bundle(chunk.bundle);
    out.add_chunk_offset(chunk.offset);
    out.add_chunk_bytes(chunk.bytes);
  }
  out.set_index(directory.index);
}

Result<SegmentDirectory> from_proto(const proto::SegmentDirectory& message, std::uint64_t plain_bytes) {
  MHP_TRY_VOID(check_format(message.has_format(), message.format(), kDirectory));
  SegmentDirectory out;
  MHP_TRY_VOID(read_bundles(message, plain_bytes, out.bundles));
  MHP_TRY_VOID(read_chunks(message, out));
  out.index = message.index();
  return out;
}

void to_proto(const IndexedSegment& segment, proto::IndexedSegment& out) {
  out.set_segment(to_field(segment.segment.bytes()));
  out.set_plain_bytes(segment.plain_bytes);
  out.set_epoch(segment.epoch);
  to_proto(segment.directory, *out.mutable_directory());
}

Result<IndexedSegment> from_proto(const proto::IndexedSegment& message) {
  IndexedSegment out;
  MHP_TRY(out.segment, take_id<SegmentId>(message.segment(), "indexed segment"));
  out.plain_bytes = message.plain_bytes();
  out.epoch = message.epoch();
  if (out.plain_bytes == 0 || out.plain_bytes > kMaxSegmentBytes || size_class(out.plain_bytes) != out.plain_bytes)
    return bad("indexed segment", "not a size class");
  MHP_TRY(out.directory, from_proto(message.directory(), out.plain_bytes));
  return out;
}

}  // namespace impl

Bytes encode(const SegmentDirectory& directory) {
  proto::SegmentDirectory message;
  impl::to_proto(directory, message);
  return impl::serialize(message);
}

Result<SegmentDirectory> parse_segment_directory(ByteView bytes, std::uint64_t plain_bytes) {
  proto::SegmentDirectory message;
  MHP_TRY_VOID(impl::read_message(message, bytes, {.what = kDirectory, .bytes = kMaxSegmentBytes}));
  return impl::from_proto(message, std::min(plain_bytes, kMaxSegmentBytes));
}

void write_segment_trailer(const SegmentTrailer& trailer, std::span<std::byte, SegmentTrailer::kSizeBytes> out) {
  std::ranges::fill(out, std::byte{0});
  impl::put_bytes(out, 0, as_bytes(kDirectoryMagic));
  impl::put(out, kDirectoryFormatAt, kFormat);
  impl::put(out, kDirectoryOffsetAt, trailer.directory_offset);
  impl::put(out, kDirectoryBytesAt, trailer.directory_bytes);
}

Result<SegmentTrailer> parse_segment_trailer(ByteView bytes, std::uint64_t plain_bytes) {
  constexpr const char* kTrailer = "segment trailer";
  if (bytes.size() != SegmentTrailer::kSizeBytes) return impl::bad(kTrailer, "it has 32 bytes");
  if (as_text(bytes.first(kDirectoryMagic.size())) != kDirectoryMagic) return impl::bad(kTrailer, "not one");
  MHP_TRY_VOID(impl::check_format(true, impl::get<std::uint16_t>(bytes, kDirectoryFormatAt), kTrailer));
  SegmentTrailer trailer;
  trailer.directory_offset = impl::get<std::uint32_t>(bytes, kDirectoryOffsetAt);
  trailer.directory_bytes = impl::get<std::uint32_t>(bytes, kDirectoryBytesAt);
  if (!impl::all_zero(bytes.subspan(kDirectoryZeroAt, 2)) || !impl::all_zero(bytes.subspan(kDirectoryUnusedAt)))
    return impl::bad(kTrailer, "unused bytes are not zero");
  const std::uint64_t end = std::uint64_t{trailer.directory_offset} + trailer.directory_bytes;
  if (plain_bytes > kMaxSegmentBytes || end + SegmentTrailer::kSizeBytes > plain_bytes)
    return impl::bad(kTrailer, "the directory passes the end");
  return trailer;
}

std::uint64_t size_class(std::uint64_t bytes) {
  MHP_CHECK(bytes >= 1 && bytes <= kMaxSegmentBytes);
  if (bytes > 4_MiB) return round_up(bytes, 256_KiB);
  if (bytes > 1_MiB) return round_up(bytes, 1_MiB);
  std::uint64_t size = 64_KiB;
  while (size < bytes) size *= 2;
  return size;
}

}  // namespace mhp::wire
