// The index tree: a top that lists parts; parts that say which chunk lies where, and which snapshots there are.
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "wire/head.h"
#include "wire/segment.h"

namespace mhp::wire {

struct IndexTop {
  std::vector<PhysicalRef> parts{};           // each an IndexPart
  std::vector<PhysicalRef> snapshot_parts{};  // each a SnapshotPart
  std::vector<SeenHead> seen{};               // heads of other devices that this top was made from
  friend bool operator==(const IndexTop&, const IndexTop&) = default;
};

struct IndexedSegment {
  SegmentId segment{};
  std::uint32_t plain_bytes = 0;  // its size class
  std::uint32_t epoch = 0;
  SegmentDirectory directory{};
  friend bool operator==(const IndexedSegment&, const IndexedSegment&) = default;
};

struct IndexPart {
  std::vector<IndexedSegment> segments{};
  friend bool operator==(const IndexPart&, const IndexPart&) = default;
};

struct SnapshotRecord {
  SnapshotId id{};
  std::int64_t time_ns = 0;
  std::string host{};
  std::vector<std::string> paths{};  // absolute, as bytes
  std::vector<std::string> tags{};
  std::uint64_t files = 0;       // entries that are not folders
  std::uint64_t bytes = 0;       // of file content
  std::uint64_t unreadable = 0;  // source files left out because they could not be read
  ChunkId page_list{};           // a PageList
  DeviceId device{};             // that made it; zeros where an older program wrote it
  std::uint64_t head_seq = 0;    // the number of the head that brought it: the order of a device's snapshots
  std::string later{};           // fields of a newer program, written back as they are
  friend bool operator==(const SnapshotRecord&, const SnapshotRecord&) = default;
};

/// A snapshot that shall not be listed any more, whoever still lists it.
struct ForgottenSnapshot {
  SnapshotId id{};
  std::int64_t time_ns = 0;  // when it was forgotten
  friend bool operator==(const ForgottenSnapshot&, const ForgottenSnapshot&) = default;
};

struct SnapshotPart {
  std::vector<SnapshotRecord> snapshots{};
  std::vector<ForgottenSnapshot> forgotten{};
  friend bool operator==(const SnapshotPart&, const SnapshotPart&) = default;
};

Bytes encode(const IndexTop&);
Bytes encode(const IndexPart&);
Bytes encode(const SnapshotPart&);
Result<IndexTop> parse_index_top(ByteView bytes);
Result<IndexPart> parse_index_part(ByteView bytes);
Result<SnapshotPart> parse_snapshot_part(ByteView bytes);

}  // namespace mhp::wire
