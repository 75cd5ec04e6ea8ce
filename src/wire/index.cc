// The index tree's objects to bytes and back.
#include "wire/index.h"

#include <wire/sealed.pb.h>

#include "base/check.h"
#include "wire/impl/directory.h"

namespace mhp::wire {
namespace {

/// Own fields of a message besides its list.
constexpr std::size_t kFewFields = 16;

void put_refs(const std::vector<PhysicalRef>& refs, std::string& segments, std::string& chunks) {
  segments.reserve(32 * refs.size());
  chunks.reserve(32 * refs.size());
  for (const PhysicalRef& ref : refs) {
    impl::append(segments, ref.segment.bytes());
    impl::append(chunks, ref.chunk.bytes());
  }
}

Result<std::vector<PhysicalRef>> take_refs(const std::string& segments, const std::string& chunks) {
  if (segments.size() != chunks.size() || segments.size() % 32 != 0)
    return impl::bad("index top", "columns differ in length");
  const std::size_t count = segments.size() / 32;
  if (count > kMaxIndexParts) return impl::bad("index top", "too many parts");
  std::vector<PhysicalRef> refs;
  refs.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    refs.push_back({impl::id_at<SegmentId>(segments, i), impl::id_at<ChunkId>(chunks, i)});
  return refs;
}

Result<std::vector<SeenHead>> take_seen(const proto::IndexTop& message) {
  const auto count = static_cast<std::size_t>(message.seen_seq_size());
  if (message.seen_device().size() != 32 * count || message.seen_hash().size() != 32 * count)
    return impl::bad("index top", "columns differ in length");
  if (count > kMaxDevices) return impl::bad("index top", "too many devices");
  std::vector<SeenHead> out;
  out.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    out.push_back({.device = impl::id_at<DeviceId>(message.seen_device(), i),
                   .seq = message.seen_seq(static_cast<int>(i)),
                   .hash = impl::id_at<HeadHash>(message.seen_hash(), i)});
  }
  return out;
}

/// Texts of 0 to `limit` bytes without a NUL.
Result<std::string> take_text(const std::string& text, std::uint64_t limit) {
  if (text.size() > limit || impl::has_nul(text)) return impl::bad("snapshot", "a text is too long or has a NUL");
  return text;
}

Result<SnapshotRecord> take_snapshot(const proto::Snapshot& message) {
  constexpr const char* kWhat = "snapshot";
  SnapshotRecord out;
  MHP_TRY(out.id, impl::take_id<SnapshotId>(message.id(), kWhat));
  MHP_TRY(out.page_list, impl::take_id<ChunkId>(message.page_list(), kWhat));
  MHP_TRY(out.host, take_text(message.host(), kMaxNameBytes));
  out.time_ns = message.time_ns();
  out.files = message.files();
  out.bytes = message.bytes();
  out.unreadable = message.unreadable();
  if (message.paths_size() > static_cast<int>(kMaxSnapshotPaths)) return impl::bad(kWhat, "too many paths");
  for (const std::string& field : message.paths()) {
    MHP_TRY(std::string path, take_text(field, kMaxPathBytes));
    out.paths.push_back(std::move(path));
  }
  if (message.tags_size() > static_cast<int>(kMaxTags)) return impl::bad(kWhat, "too many tags");
  for (const std::string& field : message.tags()) {
    MHP_TRY(std::string tag, take_text(field, kMaxNameBytes));
    out.tags.push_back(std::move(tag));
  }
  if (!message.device().empty()) {
    MHP_TRY(out.device, impl::take_id<DeviceId>(message.device(), kWhat));
  }
  out.head_seq = message.head_seq();
  MHP_TRY(out.later, impl::later_fields(message, proto::Snapshot::kHeadSeqFieldNumber, kWhat));
  return out;
}

}  // namespace

Bytes encode(const IndexTop& top) {
  auto message = impl::make<proto::IndexTop>();
  put_refs(top.parts, *message.mutable_part_segment(), *message.mutable_part_chunk());
  put_refs(top.snapshot_parts, *message.mutable_snapshot_part_segment(), *message.mutable_snapshot_part_chunk());
  for (const SeenHead& head : top.seen) {
    impl::append(*message.mutable_seen_device(), head.device.bytes());
    message.add_seen_seq(head.seq);
    impl::append(*message.mutable_seen_hash(), head.hash.bytes());
  }
  return impl::serialize(message);
}

Bytes encode(const IndexPart& part) {
  auto message = impl::make<proto::IndexPart>();
  for (const IndexedSegment& segment : part.segments) impl::to_proto(segment, *message.add_segments());
  return impl::serialize(message);
}

Bytes encode(const SnapshotPart& part) {
  auto message = impl::make<proto::SnapshotPart>();
  for (const SnapshotRecord& snapshot : part.snapshots) {
    proto::Snapshot& out = *message.add_snapshots();
    out.set_id(impl::to_field(snapshot.id.bytes()));
    out.set_time_ns(snapshot.time_ns);
    out.set_host(snapshot.host);
    for (const std::string& path : snapshot.paths) out.add_paths(path);
    for (const std::string& tag : snapshot.tags) out.add_tags(tag);
    out.set_files(snapshot.files);
    out.set_bytes(snapshot.bytes);
    out.set_unreadable(snapshot.unreadable);
    out.set_page_list(impl::to_field(snapshot.page_list.bytes()));
    if (snapshot.device != DeviceId()) out.set_device(impl::to_field(snapshot.device.bytes()));
    out.set_head_seq(snapshot.head_seq);
    MHP_CHECK(out.MergeFromString(snapshot.later));
  }
  for (const ForgottenSnapshot& forgotten : part.forgotten) {
    impl::append(*message.mutable_forgotten(), forgotten.id.bytes());
    message.add_forgotten_ns(forgotten.time_ns);
  }
  return impl::serialize(message);
}

Result<IndexTop> parse_index_top(ByteView bytes) {
  const impl::Bounds bounds{.what = "index top", .bytes = kMaxIndexObjectBytes};
  MHP_TRY(const auto message, impl::read<proto::IndexTop>(bytes, bounds));
  IndexTop top;
  MHP_TRY(top.parts, take_refs(message.part_segment(), message.part_chunk()));
  MHP_TRY(top.snapshot_parts, take_refs(message.snapshot_part_segment(), message.snapshot_part_chunk()));
  MHP_TRY(top.seen, take_seen(message));
  return top;
}

Result<IndexPart> parse_index_part(ByteView bytes) {
  const impl::Bounds bounds{
      .what = "index part", .bytes = kMaxIndexObjectBytes, .fields = kMaxSegmentsPerPart + kFewFields};
  MHP_TRY(const auto message, impl::read<proto::IndexPart>(bytes, bounds));
  if (message.segments_size() > static_cast<int>(kMaxSegmentsPerPart))
    return impl::bad(bounds.what, "too many segments");
  IndexPart part;
  part.segments.reserve(static_cast<std::size_t>(message.segments_size()));
  for (const proto::IndexedSegment& field : message.segments()) {
    MHP_TRY(IndexedSegment segment, impl::from_proto(field));
    part.segments.push_back(std::move(segment));
  }
  return part;
}

Result<SnapshotPart> parse_snapshot_part(ByteView bytes) {
  const impl::Bounds bounds{
      .what = "snapshot part", .bytes = kMaxIndexObjectBytes, .fields = kMaxSnapshotsPerPart + kFewFields};
  MHP_TRY(const auto message, impl::read<proto::SnapshotPart>(bytes, bounds));
  if (message.snapshots_size() > static_cast<int>(kMaxSnapshotsPerPart))
    return impl::bad(bounds.what, "too many snapshots");
  SnapshotPart part;
  part.snapshots.reserve(static_cast<std::size_t>(message.snapshots_size()));
  for (const proto::Snapshot& field : message.snapshots()) {
    MHP_TRY(SnapshotRecord snapshot, take_snapshot(field));
    part.snapshots.push_back(std::move(snapshot));
  }
  const auto forgotten = static_cast<std::size_t>(message.forgotten_ns_size());
  if (message.forgotten().size() != 32 * forgotten) return impl::bad(bounds.what, "columns differ in length");
  if (forgotten > kMaxForgottenPerPart) return impl::bad(bounds.what, "too many forgotten snapshots");
  for (std::size_t i = 0; i < forgotten; ++i) {
    part.forgotten.push_back(
        {.id = impl::id_at<SnapshotId>(message.forgotten(), i), .time_ns = message.forgotten_ns(static_cast<int>(i))});
  }
  return part;
}

}  // namespace mhp::wire
