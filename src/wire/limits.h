// The bounds of every format: checked before anything is allocated.
#pragma once

#include "base/bytes.h"

namespace mhp::wire {

/// The number of every format here. Format 1 is frozen: what changes gets a number of its own beside it
/// (docs/decisions/0021-format-1.md).
constexpr std::uint16_t kFormat = 1;

constexpr unsigned kMaxRows = 255;                  // rows of a segment, numbered 0..254
constexpr unsigned kMaxNeed = 128;                  // k
constexpr std::uint64_t kMaxSegmentBytes = 16_MiB;  // plaintext of a segment, padded
constexpr std::uint64_t kMaxRowBytes = kMaxSegmentBytes + 64_KiB;
constexpr std::uint64_t kMaxCardBytes = 16_KiB;         // signed
constexpr std::uint64_t kMaxHeadBytes = 4_KiB;          // signed
constexpr std::uint64_t kMaxVaultRecordBytes = 1_MiB;   // signed
constexpr std::uint64_t kMaxIndexObjectBytes = 16_MiB;  // top, index part, snapshot part, page list
constexpr std::uint64_t kMaxChunkBytes = 4_MiB;
constexpr std::uint64_t kMaxPageBytes = kMaxChunkBytes;  // encoded tree page
constexpr unsigned kMaxHeadsKept = 64;                   // newest heads a home keeps of one device
constexpr unsigned kMaxHeadDays = 32;                    // and so many older ones, each the newest of its day
constexpr unsigned kMaxHeadsHeld = kMaxHeadsKept + kMaxHeadDays;
constexpr unsigned kMaxFormerRecords = 32;  // replaced vault records that a home keeps of one device: one of a day
/// Versions of one device's records that are so far apart no computer has reached by itself.
constexpr std::uint64_t kMaxVersionStep = 1ull << 31;
constexpr unsigned kMaxDevices = 256;
constexpr unsigned kMaxRevocations = 1024;   // each recovery that sees a device standing makes one of it
constexpr unsigned kMaxRemovedHomes = 1024;  // remembered as removed; beyond them the oldest are forgotten
constexpr unsigned kMaxHomes = 255;
constexpr unsigned kMaxClouds = 16;              // that an owner is a member of
constexpr unsigned kMaxLeftClouds = 64;          // remembered as left; beyond them the oldest are forgotten
constexpr unsigned kMaxHomeAddresses = 16;       // of one home
constexpr std::uint64_t kMaxAddressBytes = 255;  // "HOST:PORT", a name of at most 249
constexpr unsigned kMaxBundles = 65536;          // bundles of a segment
constexpr unsigned kMaxChunksPerSegment = 1u << 20;
constexpr std::uint64_t kMaxBundleBytes = 16_MiB;  // plain, of one bundle: what a reader may have to unpack at once
constexpr std::uint64_t kMaxSealedBytes =
    kMaxSegmentBytes + 4_KiB + 32;                         // with a tag for each frame and the commitment
constexpr std::uint64_t kMaxHoldS = 100ull * 366 * 86400;  // minimum hold of a card
constexpr std::uint64_t kMaxRecordBytes = 256_MiB;         // what one home keeps of one segment
constexpr std::uint64_t kMaxSealedRootBytes = 1_KiB;
constexpr std::uint64_t kMaxSealedPrivateBytes = 512_KiB;
constexpr std::uint64_t kMaxCertificateBytes = 1_KiB;  // signed: device certificate, revocation
constexpr unsigned kMaxTombstoneSegments = 4096;       // of a tombstone, of a reprieve
constexpr std::uint64_t kMaxTombstoneBytes = 132_KiB;  // signed: tombstone, reprieve
constexpr unsigned kMaxEpochs = 256;                   // recoveries of one vault
constexpr std::uint32_t kMaxEpochStep = 1u << 20;      // a recovery draws its epoch from so many after the last one
constexpr std::uint64_t kMaxVaultKeysBytes = 24_KiB;   // kMaxEpochs of them, encoded
constexpr std::uint64_t kMaxWrapBytes = kMaxVaultKeysBytes + 1_KiB;
constexpr unsigned kMaxWraps = 4 * kMaxDevices;  // old and new keys side by side while they change
constexpr unsigned kMaxIndexParts = 65536;       // of a top, of each of the two kinds
constexpr unsigned kMaxSegmentsPerPart = 65536;
constexpr unsigned kMaxSnapshotsPerPart = 65536;
constexpr unsigned kMaxForgottenPerPart = 65536;
constexpr unsigned kMaxSnapshotPaths = 1024;
constexpr unsigned kMaxTags = 256;
constexpr std::uint64_t kMaxNameBytes = 255;      // a host, tag, home or vault name; the name of an xattr
constexpr std::uint64_t kMaxPathBytes = 65535;    // a whole path, a link's target
constexpr unsigned kMaxPageEntries = 1u << 17;    // entries of a tree page
constexpr unsigned kMaxPages = 1u << 18;          // pages of a page list
constexpr std::uint64_t kMaxPathsBytes = 64_MiB;  // all paths of a page or page list, written out
// One tree entry at all of these at once still fits a page.
constexpr unsigned kMaxEntryXattrs = 4096;
constexpr std::uint64_t kMaxEntryXattrBytes = 1_MiB;  // names and values of an entry together
constexpr unsigned kMaxEntryExtents = 65536;
constexpr unsigned kMaxEntryChunks = 32768;  // more: lists of chunk ids
constexpr unsigned kMaxSeenHeads = 1024;
constexpr std::uint64_t kMaxStateBytes = 1_MiB;                                             // files `device` and `seen`
constexpr std::uint64_t kMaxKnownRecordsBytes = kMaxDevices * (kMaxVaultRecordBytes + 16);  // file `vault-records`
constexpr unsigned kMaxBadHoldings = 65'536;  // remembered: one home's bad rows of one segment each
constexpr std::uint64_t kMaxBadRowsBytes = 8_MiB;
constexpr unsigned kMaxUnlisted = 131'072;  // segments that no head names, remembered
constexpr std::uint64_t kMaxUnlistedBytes = 8_MiB;
constexpr std::uint64_t kMaxRosterBytes = 4_MiB;   // all statements of a roster together, signed
constexpr unsigned kMaxRosterStatements = 16'384;  // of a roster
constexpr unsigned kMaxMemberStatements = 256;     // of these, by one member with all its keys
constexpr std::uint64_t kMaxMemberBytes = 128_KiB;
constexpr unsigned kMaxAdminStatements = 4096;  // the same where the member is or was an admin
constexpr std::uint64_t kMaxAdminBytes = 2_MiB;
constexpr std::uint64_t kMaxStatementBytes = 132_KiB;  // signed
constexpr unsigned kMaxKept = 4096;                    // statements that a removal lets stand
constexpr unsigned kMaxMembers = 1024;                 // of a cloud
constexpr std::uint64_t kMaxAt = 1ull << 62;           // the highest place in the order of statements
constexpr unsigned kMaxInvitedHomes = 8;               // of an invitation
constexpr unsigned kMaxInvitedAddresses = 4;           // of each of these
constexpr std::uint64_t kMaxInvitationBytes = 16_KiB;
constexpr std::uint64_t kMaxInvitationLetters = 64_KiB;  // as a person may paste it, with spaces

}  // namespace mhp::wire
