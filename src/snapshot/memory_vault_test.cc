// The vault of memory that this room's tests use.
#include "snapshot/memory_vault.h"

#include "base/check.h"

namespace mhp::snapshot {

static constexpr std::size_t kBundleBytes = 1_MiB;

class TestPacker : public vault::Packer {
 public:
  TestPacker(MemoryVault& vault, std::size_t limit) : vault_(vault), limit_(limit) {}
  bool fits(std::size_t bytes) override { return bytes_ == 0 || bytes_ + bytes <= limit_; }
  bool empty() const override { return bytes_ == 0; }
  ChunkId add(ByteView chunk) override {
    MHP_CHECK(!chunk.empty() && chunk.size() <= wire::kMaxChunkBytes && fits(chunk.size()));
    ChunkId id = ChunkId::from_array(primitives::blake3_keyed(vault_.keys_.dedup_secret, chunk));
    {
      std::lock_guard lock(vault_.mutex_);
      if (!vault_.added_.insert(id).second) return id;
    }
    if (bundles_.empty() || bundles_.back().size() >= kBundleBytes) bundles_.emplace_back();
    Bytes& bundle = bundles_.back();
    vault::ChunkPlace place;
    place.bundle = static_cast<std::uint32_t>(bundles_.size() - 1);
    place.offset = static_cast<std::uint32_t>(bundle.size());
    place.bytes = static_cast<std::uint32_t>(chunk.size());
    chunks_.emplace_back(id, place);
    bundle.insert(bundle.end(), chunk.begin(), chunk.end());
    bytes_ += chunk.size();
    return id;
  }
  bool take_in(vault::Packer& packer) override {
    auto& other = static_cast<TestPacker&>(packer);
    if (bytes_ + other.bytes_ > limit_) return false;
    const auto before = static_cast<std::uint32_t>(bundles_.size());
    for (auto& [id, place] : other.chunks_) {
      place.bundle += before;
      chunks_.emplace_back(id, place);
    }
    std::ranges::move(other.bundles_, std::back_inserter(bundles_));
    bytes_ += other.bytes_;
    other.bundles_.clear();
    other.chunks_.clear();
    other.bytes_ = 0;
    return true;
  }
  void seal() {
    std::lock_guard lock(vault_.mutex_);
    auto number = static_cast<std::uint32_t>(vault_.segments_.size());
    for (auto& [id, place] : chunks_) {
      place.segment = number;
      vault_.places_[id] = place;
    }
    vault_.segments_.push_back(std::move(bundles_));
    bundles_.clear();
    chunks_.clear();
    bytes_ = 0;
  }

 private:
  MemoryVault& vault_;
  std::size_t limit_;
  std::size_t bytes_ = 0;
  std::vector<Bytes> bundles_;
  std::vector<std::pair<ChunkId, vault::ChunkPlace>> chunks_;
};

class TestWriter : public vault::Writer {
 public:
  TestWriter(MemoryVault& vault, std::size_t segment_bytes) : vault_(vault), segment_bytes_(segment_bytes) {}
  std::unique_ptr<vault::Packer> new_packer() override { return std::make_unique<TestPacker>(vault_, segment_bytes_); }
  vault::FinishedSegment seal(vault::Packer& packer) override {
    MHP_CHECK(!packer.empty());
    static_cast<TestPacker&>(packer).seal();
    return {};
  }
  Task<Result<void>> store(vault::FinishedSegment) override {
    if (vault_.fail_store_) co_return fail(Errc::full, "homes are full");
    ++totals_.segments;
    co_return Result<void>();
  }
  Task<Result<vault::Committed>> finish(wire::SnapshotRecord record) override {
    SnapshotId::Array id{};
    id[0] = static_cast<std::byte>(vault_.snapshots_.size() + 1);
    record.id = SnapshotId::from_array(id);
    vault_.snapshots_.push_back(record);
    vault::Committed committed;
    committed.snapshot = record.id;
    committed.totals = totals_;
    co_return committed;
  }
  vault::WriteTotals totals() const override { return totals_; }
  std::uint64_t adopted_segments() const override { return 0; }

 private:
  MemoryVault& vault_;
  std::size_t segment_bytes_;
  vault::WriteTotals totals_;
};

class TestSegment : public vault::OpenSegment {
 public:
  explicit TestSegment(std::map<std::uint32_t, Bytes> bundles) : bundles_(std::move(bundles)) {}
  Result<ByteView> bundle(std::uint32_t number, Bytes& room) const override {
    auto found = bundles_.find(number);
    if (found == bundles_.end()) return fail(Errc::not_found, "bundle was not fetched");
    room = found->second;
    return ByteView(room);
  }

 private:
  std::map<std::uint32_t, Bytes> bundles_;
};

/// Remembers what was marked; sweeps nothing.
class TestCollector : public vault::Collector {
 public:
  TestCollector(MemoryVault& vault, const vault::CollectOptions& options) : vault_(vault), staying_(vault.snapshots_) {
    std::erase_if(staying_, [&](const auto& snapshot) {
      return std::ranges::find(options.forget, snapshot.id) != options.forget.end();
    });
    report_.forgotten = options.forget.size();
    vault_.marked_.clear();
  }
  const std::vector<wire::SnapshotRecord>& staying() const override { return staying_; }
  Result<bool> mark(const ChunkId& chunk, vault::ChunkRole role) override {
    if (!vault_.places_.contains(chunk)) return fail(Errc::corrupt, "no such chunk");
    return vault_.marked_[role].insert(chunk).second;
  }
  Task<Result<vault::Collected>> finish(std::optional<Error> problem, vault::Progress) override {
    if (problem) report_.held_back = problem->detail;
    co_return report_;
  }

 private:
  MemoryVault& vault_;
  std::vector<wire::SnapshotRecord> staying_;
  vault::Collected report_;
};

MemoryVault::MemoryVault(std::uint64_t seed) {
  keys_.dedup_secret[0] = static_cast<std::byte>(seed);
  keys_.chunker_secret[1] = static_cast<std::byte>(seed);
}

dispersal::HomeSet& MemoryVault::homes() { check_failed("a memory vault has no homes", __FILE__, __LINE__); }

void MemoryVault::copy_segment(std::uint32_t number) {
  for (const auto& [id, place] : places_) {
    vault::ChunkPlace copy = place;
    copy.segment = static_cast<std::uint32_t>(segments_.size());
    if (place.segment == number) copies_.emplace(id, copy);
  }
  segments_.push_back(Bundles(segments_.at(number)));
}

void MemoryVault::damage(const ChunkId& chunk) {
  const vault::ChunkPlace& place = places_.at(chunk);
  segments_.at(place.segment).at(place.bundle).at(place.offset) ^= std::byte{1};
}

ChunkId MemoryVault::put(ByteView bytes) {
  TestPacker packer(*this, wire::kMaxSegmentBytes);
  ChunkId id = packer.add(bytes);
  packer.seal();
  return id;
}

wire::SnapshotRecord MemoryVault::put_snapshot(const std::vector<wire::TreePage>& pages,
                                               const std::vector<std::string>& first_paths) {
  wire::PageList list;
  for (std::size_t i = 0; i < pages.size(); ++i) list.pages.push_back({put(wire::encode(pages[i])), first_paths[i]});
  wire::SnapshotRecord record;
  record.page_list = put(wire::encode(list));
  snapshots_.push_back(record);
  return record;
}

bool MemoryVault::has(const ChunkId& chunk) const {
  std::lock_guard lock(mutex_);
  return places_.contains(chunk);
}

Result<vault::ChunkPlace> MemoryVault::place_of(const ChunkId& chunk) const {
  std::lock_guard lock(mutex_);
  auto found = places_.find(chunk);
  if (found == places_.end()) return fail(Errc::not_found, "no such chunk");
  return found->second;
}

Result<vault::ChunkPlace> MemoryVault::other_place_of(const ChunkId& chunk,
                                                      const std::vector<std::uint32_t>& without) const {
  std::lock_guard lock(mutex_);
  auto [first, last] = copies_.equal_range(chunk);
  for (; first != last; ++first) {
    if (std::ranges::find(without, first->second.segment) == without.end()) return first->second;
  }
  return fail(Errc::not_found, "no other place");
}

Task<Result<std::shared_ptr<const vault::OpenSegment>>> MemoryVault::fetch(std::uint32_t segment,
                                                                           std::vector<std::uint32_t> bundles) {
  ++fetches_;
  if (lost_.contains(segment)) co_return fail(Errc::unavailable, "needs 12 rows, 3 found");
  std::lock_guard lock(mutex_);
  std::map<std::uint32_t, Bytes> got;
  for (std::uint32_t number : bundles) got[number] = segments_.at(segment).at(number);
  co_return std::make_shared<const TestSegment>(std::move(got));
}

Task<Result<Bytes>> MemoryVault::read(ChunkId chunk) {
  ++reads_;
  MHP_CO_TRY(vault::ChunkPlace place, place_of(chunk));
  if (lost_.contains(place.segment)) co_return fail(Errc::unavailable, "needs 12 rows, 3 found");
  std::lock_guard lock(mutex_);
  const Bytes& bundle = segments_.at(place.segment).at(place.bundle);
  co_return to_bytes(ByteView(bundle).subspan(place.offset, place.bytes));
}

Task<Result<std::unique_ptr<vault::Writer>>> MemoryVault::begin_write(const vault::WriteOptions& options) {
  co_return std::make_unique<TestWriter>(*this, options.segment_bytes);
}

Task<Result<std::unique_ptr<vault::Collector>>> MemoryVault::begin_collect(vault::CollectOptions options) {
  co_return std::make_unique<TestCollector>(*this, options);
}

Task<Result<vault::CheckReport>> MemoryVault::check(unsigned, vault::Progress) { co_return vault::CheckReport(); }
Task<Result<vault::CheckReport>> MemoryVault::standing() { co_return vault::CheckReport(); }

Task<Result<vault::RepairReport>> MemoryVault::repair(bool, std::vector<std::size_t>, bool, vault::Progress) {
  co_return vault::RepairReport();
}

}  // namespace mhp::snapshot
