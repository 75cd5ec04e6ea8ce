// For tests: one fixed and any number of random values of every struct that wire/ writes.
#pragma once

#include <cstdlib>
#include <random>

#include "wire/card.h"
#include "wire/fragment.h"
#include "wire/head.h"
#include "wire/index.h"
#include "wire/record.h"
#include "wire/signed.h"
#include "wire/state.h"
#include "wire/tree_page.h"
#include "wire/vault_record.h"

namespace mhp::wire::samples {

/// Random values within the bounds; the same seed gives the same values.
class Random {
 public:
  explicit Random(std::uint64_t seed) : engine_(seed) {}
  /// 0 to `limit` - 1, small and great numbers alike.
  std::uint64_t below(std::uint64_t limit) {
    const std::uint64_t bits = engine_() % 64 + 1;
    const std::uint64_t value = bits == 64 ? engine_() : engine_() & ((1ull << bits) - 1);
    return value % limit;
  }
  template <class Number>
  Number number(std::uint64_t limit) {
    return static_cast<Number>(below(limit));
  }
  bool flip() { return engine_() % 2 == 0; }
  Bytes bytes(std::size_t size) {
    Bytes out(size);
    for (std::byte& b : out) b = static_cast<std::byte>(engine_() & 0xff);
    return out;
  }
  std::array<std::byte, 32> array() {
    std::array<std::byte, 32> out;
    for (std::byte& b : out) b = static_cast<std::byte>(engine_() & 0xff);
    return out;
  }
  template <class IdType>
  IdType id() {
    return IdType::from_array(array());
  }
  std::int64_t time() { return static_cast<std::int64_t>(engine_()); }
  /// Bytes without a NUL, at least one.
  std::string text(std::size_t limit) {
    std::string out(1 + below(limit), 'x');
    for (char& c : out) c = static_cast<char>(1 + engine_() % 255);
    return out;
  }

 private:
  std::mt19937_64 engine_;
};

inline Card card(Random& random) {
  Card out{.segment = random.id<SegmentId>(), .vault = random.id<VaultId>()};
  out.version = 1 + random.number<std::uint32_t>(1u << 31);
  out.k = 1 + random.number<std::uint32_t>(kMaxNeed);
  out.epoch = random.number<std::uint32_t>(1ull << 32);
  out.sealed_bytes = 1 + random.below(kMaxSealedBytes);
  out.row_bytes = static_cast<std::uint32_t>((out.sealed_bytes + out.k - 1) / out.k);
  out.minimum_hold_s = random.below(kMaxHoldS + 1);
  const std::uint64_t n = out.k + random.below(kMaxRows - out.k + 1);
  for (std::uint64_t i = 0; i < n; ++i) out.fragments.push_back(random.id<FragmentId>());
  return out;
}

inline Signed signed_envelope(Random& random) {
  Signed out{.body = random.bytes(random.below(2000)), .signer = random.array()};
  std::ranges::copy(random.bytes(64), out.signature.begin());
  return out;
}

inline PhysicalRef physical_ref(Random& random) { return {random.id<SegmentId>(), random.id<ChunkId>()}; }

inline Head head(Random& random) {
  Head out{.vault = random.id<VaultId>(), .device = random.id<DeviceId>()};
  out.seq = 1 + random.below(1ull << 60);
  if (out.seq > 1) out.previous = random.id<HeadHash>();
  out.vault_record = random.id<RecordHash>();
  out.time_ns = random.time();
  out.sealed_root = random.bytes(random.below(kMaxSealedRootBytes + 1));
  out.epoch = 1 + random.number<std::uint32_t>(1000);
  out.vault_record_version = 1 + random.below(1ull << 60);
  return out;
}

inline DeviceCertificate device_certificate(Random& random) {
  return {random.id<VaultId>(), random.id<DeviceId>(), random.array(), random.time()};
}

inline Revocation revocation(Random& random) {
  Revocation out{.vault = random.id<VaultId>(), .device = random.id<DeviceId>()};
  out.last_good_seq = random.below(1ull << 40);
  if (out.last_good_seq > 0) out.last_good = random.id<HeadHash>();
  out.time_ns = random.time();
  out.distrusted = random.below(2) == 1;
  return out;
}

inline VaultRecord vault_record(Random& random) {
  VaultRecord out{
      .vault = random.id<VaultId>(), .device = random.id<DeviceId>(), .version = 1 + random.below(1ull << 60)};
  out.epoch = 1 + random.number<std::uint32_t>(1u << 31);
  out.identity = random.array();
  out.recovery_x25519 = random.array();
  for (std::uint64_t i = random.below(5); i > 0; --i) out.devices.push_back(random.bytes(random.below(300)));
  for (std::uint64_t i = random.below(3); i > 0; --i) out.revocations.push_back(random.bytes(random.below(300)));
  for (std::uint64_t i = random.below(6); i > 0; --i)
    out.wraps.push_back(
        {random.array(), random.bytes(random.below(400)), random.number<std::uint32_t>(1ull << 32), random.flip()});
  out.sealed_private = random.bytes(random.below(2000));
  out.time_ns = random.time();
  return out;
}

inline VaultKeys vault_keys(Random& random) {
  VaultKeys out;
  std::uint32_t epoch = 0;
  for (std::uint64_t i = random.below(20); i > 0; --i) {
    epoch += 1 + random.number<std::uint32_t>(1000);
    out.epochs.push_back({epoch, random.array(), random.array()});
  }
  out.dedup_secret = random.array();
  out.chunker_secret = random.array();
  return out;
}

inline VaultPrivate vault_private(Random& random) {
  VaultPrivate out{.name = random.text(kMaxNameBytes), .level = random.number<std::uint8_t>(3)};
  for (std::uint64_t i = random.below(20); i > 0; --i) {
    out.homes.push_back({random.id<HomeId>(), random.text(kMaxNameBytes), HomeKind::folder, "/" + random.text(3000),
                         random.flip(), random.below(1ull << 50), random.below(1ull << 50)});
    if (random.flip()) continue;
    HomeEntry& home = out.homes.back();
    home.kind = static_cast<HomeKind>(1 + random.below(255));
    home.member = random.array();
    if (random.flip()) home.cloud = random.array();
    for (std::uint64_t a = random.below(kMaxHomeAddresses + 1); a > 0; --a)
      home.addresses.push_back(random.text(kMaxAddressBytes - 1));
    home.changed_ns = random.time();
  }
  for (std::uint64_t i = random.below(5); i > 0; --i) out.removed.push_back({random.id<HomeId>(), random.time()});
  for (std::uint64_t i = random.below(5); i > 0; --i)
    out.clouds.push_back({random.id<CloudId>(), random.array(), random.text(kMaxNameBytes), random.time()});
  for (std::uint64_t i = random.below(5); i > 0; --i) out.left_clouds.push_back({random.id<CloudId>(), random.time()});
  out.name_changed_ns = random.time();
  out.level_changed_ns = random.time();
  return out;
}

/// Fits a segment of `plain_bytes`.
inline SegmentDirectory segment_directory(Random& random, std::uint32_t plain_bytes) {
  SegmentDirectory out;
  for (std::uint64_t i = random.below(20); i > 0; --i) {
    Bundle bundle{.offset = random.number<std::uint32_t>(plain_bytes)};
    bundle.stored_bytes = random.number<std::uint32_t>(plain_bytes - bundle.offset + 1);
    bundle.compressed = random.flip();
    bundle.plain_bytes = bundle.compressed ? random.number<std::uint32_t>(kMaxBundleBytes + 1) : bundle.stored_bytes;
    out.bundles.push_back(bundle);
  }
  for (std::uint64_t i = out.bundles.empty() ? 0 : random.below(300); i > 0; --i) {
    ChunkEntry chunk{.id = random.id<ChunkId>(), .bundle = random.number<std::uint32_t>(out.bundles.size())};
    const std::uint32_t room = out.bundles[chunk.bundle].plain_bytes;
    chunk.offset = random.number<std::uint32_t>(std::uint64_t{room} + 1);
    chunk.bytes = random.number<std::uint32_t>(std::uint64_t{room} - chunk.offset + 1);
    out.chunks.push_back(chunk);
  }
  out.index = random.flip();
  return out;
}

inline IndexTop index_top(Random& random) {
  IndexTop out;
  for (std::uint64_t i = random.below(300); i > 0; --i) out.parts.push_back(physical_ref(random));
  for (std::uint64_t i = random.below(30); i > 0; --i) out.snapshot_parts.push_back(physical_ref(random));
  for (std::uint64_t i = random.below(4); i > 0; --i) {
    out.seen.push_back({random.id<DeviceId>(), random.below(1ull << 40), random.id<HeadHash>()});
  }
  return out;
}

inline IndexedSegment indexed_segment(Random& random) {
  IndexedSegment out{.segment = random.id<SegmentId>()};
  out.plain_bytes = static_cast<std::uint32_t>(size_class(1 + random.below(kMaxSegmentBytes)));
  out.epoch = random.number<std::uint32_t>(1ull << 32);
  out.directory = segment_directory(random, out.plain_bytes);
  return out;
}

inline IndexPart index_part(Random& random) {
  IndexPart out;
  for (std::uint64_t i = random.below(20); i > 0; --i) out.segments.push_back(indexed_segment(random));
  return out;
}

inline SnapshotPart snapshot_part(Random& random) {
  SnapshotPart out;
  for (std::uint64_t i = random.below(20); i > 0; --i) {
    SnapshotRecord record{.id = random.id<SnapshotId>(), .time_ns = random.time(), .host = random.text(60)};
    for (std::uint64_t p = random.below(4); p > 0; --p) record.paths.push_back("/" + random.text(200));
    for (std::uint64_t t = random.below(4); t > 0; --t) record.tags.push_back(random.text(20));
    record.files = random.below(1ull << 40);
    record.bytes = random.below(1ull << 60);
    record.unreadable = random.below(100);
    record.page_list = random.id<ChunkId>();
    if (random.below(4) > 0) {
      record.device = random.id<DeviceId>();
      record.head_seq = 1 + random.below(1ull << 40);
    }
    out.snapshots.push_back(std::move(record));
  }
  for (std::uint64_t i = random.below(20); i > 0; --i)
    out.forgotten.push_back({random.id<SnapshotId>(), random.time()});
  return out;
}

/// Distinct good paths in order, some deep, some with bytes that are no UTF-8.
inline std::vector<std::string> paths(Random& random, std::size_t count) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < count; ++i) {
    std::string path;
    for (std::uint64_t depth = 1 + random.below(5); depth > 0; --depth) {
      std::string part = random.text(8);
      std::ranges::replace(part, '/', '-');
      if (part == "." || part == "..") part = "dots";
      path += (path.empty() ? "" : "/") + part;
    }
    out.push_back(std::move(path));
  }
  std::ranges::sort(out, [](const std::string& a, const std::string& b) { return compare_paths(a, b) < 0; });
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

inline TreeEntry tree_entry(Random& random, std::string path, const std::string& earlier) {
  TreeEntry out{.path = std::move(path), .kind = static_cast<EntryKind>(1 + random.below(7))};
  out.mode = random.number<std::uint32_t>(1u << 16);
  out.uid = random.number<std::uint32_t>(1ull << 32);
  out.gid = random.number<std::uint32_t>(1ull << 32);
  out.mtime_ns = random.time();
  out.ctime_ns = random.time();
  out.size = random.below(1ull << 50);
  out.device = random.below(1ull << 40);
  out.inode = random.below(1ull << 60);
  if (random.below(10) == 0) out.rdev = random.below(1ull << 32);
  if (out.kind == EntryKind::symlink) out.link_target = random.text(100);
  if (!earlier.empty() && random.below(10) == 0) out.hard_link_to = earlier;
  if (random.below(10) == 0) out.xattrs.push_back({"user." + random.text(30), random.bytes(random.below(300))});
  if (random.below(30) == 0) out.xattrs.push_back({"security." + random.text(30), {}});
  if (out.kind != EntryKind::file) return out;
  for (std::uint64_t at = 0, i = random.below(4); i > 0; --i) {
    at += random.below(1000);
    if (at + 1000 > out.size) break;
    out.extents.push_back({at, 1 + random.below(1000)});
    at += out.extents.back().bytes;
  }
  for (std::uint64_t i = random.below(6); i > 0; --i) out.chunks.push_back(random.id<ChunkId>());
  out.chunks_are_lists = random.below(20) == 0;
  return out;
}

inline TreePage tree_page(Random& random, std::size_t count) {
  TreePage out;
  for (std::string& path : paths(random, count)) {
    const std::string earlier = out.entries.empty() ? "" : out.entries.back().path;
    out.entries.push_back(tree_entry(random, std::move(path), earlier));
  }
  return out;
}

inline PageList page_list(Random& random, std::size_t count) {
  PageList out;
  for (std::string& path : paths(random, count)) out.pages.push_back({random.id<ChunkId>(), std::move(path)});
  return out;
}

inline ComputerSecret computer_secret(Random& random) { return {random.array()}; }

inline DeviceSecret device_secret(Random& random) { return {random.id<VaultId>(), random.array(), random.array()}; }

inline KnownRecords known_records(Random& random) {
  KnownRecords out;
  for (std::uint64_t i = random.below(5); i > 0; --i) out.records.push_back(random.bytes(random.below(2000)));
  return out;
}

inline SeenHeads seen_heads(Random& random) {
  SeenHeads out;
  for (std::uint64_t i = random.below(20); i > 0; --i)
    out.heads.push_back({random.id<DeviceId>(), random.below(1ull << 50), random.id<HeadHash>()});
  return out;
}

inline TakenHeads taken_heads(Random& random) {
  TakenHeads out;
  for (std::uint64_t i = random.below(20); i > 0; --i)
    out.heads.push_back({random.id<HomeId>(), random.below(1ull << 50), random.id<HeadHash>()});
  return out;
}

inline UnlistedSeen unlisted_seen(Random& random) {
  UnlistedSeen out;
  for (std::uint64_t i = random.below(50); i > 0; --i) out.segments.push_back({random.id<SegmentId>(), random.time()});
  return out;
}

inline BadRows bad_rows(Random& random) {
  BadRows out;
  for (std::uint64_t i = random.below(20); i > 0; --i) {
    BadHolding holding{random.id<HomeId>(), random.id<SegmentId>(), {}};
    for (std::uint64_t row = 1 + random.below(8); row > 0; --row) holding.rows.set(random.below(255));
    out.holdings.push_back(holding);
  }
  return out;
}

/// A header that fits itself; small rows, so that tests are quick.
inline FragmentHeader fragment_header(Random& random) {
  FragmentHeader out{.row = random.number<std::uint8_t>(kMaxRows), .epoch = random.number<std::uint32_t>(1ull << 32)};
  out.k = static_cast<std::uint8_t>(1 + random.below(kMaxNeed));
  out.sealed_bytes = 1 + random.below(1_MiB);
  out.row_bytes = static_cast<std::uint32_t>((out.sealed_bytes + out.k - 1) / out.k);
  out.segment = random.id<SegmentId>();
  return out;
}

/// A front with a card, over rows that are not there: only its own bytes matter.
inline RecordFront record_front(Random& random) {
  std::vector<std::uint8_t> rows;
  for (unsigned row = 0; row < 30; ++row)
    if (random.flip()) rows.push_back(static_cast<std::uint8_t>(row * 8));
  const Bytes card = random.bytes(random.below(1000));
  RecordFront out = plan_record(random.id<VaultId>(), random.id<SegmentId>(), rows, 1 + random.below(5000), 1000);
  out.card_version = random.number<std::uint32_t>(1ull << 32);
  out.signed_card = card;
  return out;
}

}  // namespace mhp::wire::samples
