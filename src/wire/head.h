// Head: one entry of a device's signed log; it names the top of the index, sealed.
#pragma once

#include "base/ids.h"
#include "base/result.h"
#include "wire/limits.h"

namespace mhp::wire {

struct Head {
  VaultId vault{};
  DeviceId device{};
  std::uint64_t seq = 0;                   // 1, 2, 3 ... without gaps
  HeadHash previous{};                     // of the signed bytes of seq - 1; zero for seq 1
  RecordHash vault_record{};               // of the newest vault record that the device knew
  std::uint64_t vault_record_version = 0;  // from 1
  std::int64_t time_ns = 0;
  Bytes sealed_root{};      // a RootRef in a box under the record key of `epoch`
  std::uint32_t epoch = 0;  // from 1
  friend bool operator==(const Head&, const Head&) = default;
};

/// A thing inside a segment, found without the index.
struct PhysicalRef {
  SegmentId segment{};
  ChunkId chunk{};
  friend bool operator==(const PhysicalRef&, const PhysicalRef&) = default;
};
using RootRef = PhysicalRef;

/// A device's head that somebody has read.
struct SeenHead {
  DeviceId device{};
  std::uint64_t seq = 0;
  HeadHash hash{};
  friend bool operator==(const SeenHead&, const SeenHead&) = default;
};

Bytes encode(const Head& head);
Result<Head> parse_head(ByteView bytes);
Bytes encode(const PhysicalRef& ref);
Result<PhysicalRef> parse_physical_ref(ByteView bytes);

}  // namespace mhp::wire
