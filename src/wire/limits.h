// The bounds of every format: checked before anything is allocated.
#pragma once

#include "base/bytes.h"

namespace mhp::wire {

/// The format all of these files speak. 0 may still change; 1 will be frozen.
constexpr std::uint16_t kFormat = 0;

constexpr unsigned kMaxRows = 255;                         // rows of a segment, numbered 0..254
constexpr unsigned kMaxNeed = 128;                         // k
constexpr std::uint64_t kMaxSegmentBytes = 16_MiB;         // plaintext of a segment, padded
constexpr std::uint64_t kMaxRowBytes = kMaxSegmentBytes + 64_KiB;
constexpr std::uint64_t kMaxCardBytes = 16_KiB;            // signed
constexpr std::uint64_t kMaxHeadBytes = 4_KiB;             // signed
constexpr std::uint64_t kMaxVaultRecordBytes = 1_MiB;      // signed
constexpr std::uint64_t kMaxIndexObjectBytes = 16_MiB;     // top, index part, snapshot part, page list
constexpr std::uint64_t kMaxChunkBytes = 4_MiB;
constexpr std::uint64_t kMaxPageBytes = kMaxChunkBytes;    // encoded tree page
constexpr unsigned kMaxHeadsKept = 64;                     // heads a home keeps of one device
constexpr unsigned kMaxDevices = 256;
constexpr unsigned kMaxHomes = 255;
constexpr unsigned kMaxBundles = 65536;                    // bundles of a segment
constexpr unsigned kMaxChunksPerSegment = 1u << 20;

}  // namespace mhp::wire
