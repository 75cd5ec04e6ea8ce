// The file: header block, segments, bundles, chunks, then parts and fences in one piece, and the filter.
#include "vault/impl/index_run.h"

#include <algorithm>
#include <queue>

#include "base/check.h"

namespace mhp::vault::impl {
namespace {

constexpr std::uint64_t kMagic = 0x3230'6e75'7270'686d;  // "mhprun02": another number for another layout
constexpr std::uint64_t kMaxRecords = 1u << 31;
constexpr std::uint64_t kMaxParts = 2ull * wire::kMaxIndexParts;
constexpr std::uint32_t kCompressed = 1u << 31;

struct Header {
  std::uint64_t magic = kMagic;
  Table segments, bundles, chunks;
  std::uint64_t parts = 0;
  std::uint64_t lists_at = 0;  // offset in the file: parts, fences
  std::uint64_t lists_sum = 0;
  std::uint64_t filter_ids = 0;  // that it was made for: says how long it is
  std::uint64_t filter_at = 0;
  std::uint64_t filter_sum = 0;
  std::uint64_t file_bytes = 0;
};

struct PartSlot {
  ChunkId part;
  std::uint64_t bytes = 0;
};

tl::unexpected<Error> damage(const char* what) {
  return fail(Errc::corrupt, std::string("index cache: ") + what + " is damaged");
}

bool is_sound(const Table& table, std::size_t record_bytes, std::uint64_t end_block) {
  return table.record_bytes == record_bytes && table.records <= kMaxRecords && table.first_block >= 1 &&
         table.first_block + table.blocks() <= end_block;
}

/// Whole words.
template <class T>
MutableBytes all_bytes(std::vector<T>& list) {
  return std::as_writable_bytes(std::span(list));
}

}  // namespace

std::uint64_t prefix_of(ByteView id) {
  std::uint64_t prefix = 0;
  for (std::size_t i = 0; i < 8; ++i) prefix = prefix << 8 | std::to_integer<std::uint64_t>(id[i]);
  return prefix;
}

BundleSlot slot_of(const wire::Bundle& bundle) {
  return {.offset = bundle.offset,
          .stored_bytes = bundle.stored_bytes | (bundle.compressed ? kCompressed : 0),
          .plain_bytes = bundle.plain_bytes};
}

IdFilter::IdFilter(std::uint64_t ids) : lines_(lines_for(ids)) {}

std::size_t IdFilter::line_of(const ChunkId& id) const {
  std::uint64_t high = prefix_of(id.bytes().subspan(8)) >> 32;
  return static_cast<std::size_t>(high * lines_.size() >> 32);
}

/// The bits that an id has in a line: five bits of it say which of a word's.
static std::array<std::uint32_t, 8> bits_of(const ChunkId& id) {
  std::uint64_t rest = prefix_of(id.bytes().subspan(16));
  std::array<std::uint32_t, 8> bits;
  for (std::size_t i = 0; i < 8; ++i) bits[i] = std::uint32_t{1} << (rest >> (5 * i) & 31);
  return bits;
}

void IdFilter::add(const ChunkId& id) {
  Line& line = lines_[line_of(id)];
  auto bits = bits_of(id);
  for (std::size_t i = 0; i < 8; ++i) line[i] |= bits[i];
}

bool IdFilter::may_have(const ChunkId& id) const {
  const Line& line = lines_[line_of(id)];
  auto bits = bits_of(id);
  std::uint32_t missing = 0;
  for (std::size_t i = 0; i < 8; ++i) missing |= bits[i] & ~line[i];
  return missing == 0;
}

// ---- reading ----

Result<std::unique_ptr<IndexRun>> IndexRun::open(platform::Disk& disk, const std::string& path) {
  MHP_TRY(auto file, disk.open(path, platform::Open::read));
  auto run = std::make_unique<IndexRun>(OnlyOpen(), disk, path, std::move(file));
  MHP_TRY_VOID(run->read_header());
  return run;
}

Result<void> IndexRun::read_header() {
  Block block;
  MHP_TRY_VOID(read_block(*file_, 0, block));
  auto header = record_at<Header>(block);
  MHP_TRY(std::uint64_t size, file_->size());
  std::uint64_t end_block = size / kBlockBytes;
  bool sound = header.magic == kMagic && header.file_bytes == size && header.parts <= kMaxParts &&
               header.filter_ids <= kMaxRecords && is_sound(header.segments, sizeof(SegmentSlot), end_block) &&
               is_sound(header.bundles, sizeof(BundleSlot), end_block) &&
               is_sound(header.chunks, sizeof(ChunkSlot), end_block);
  if (!sound) return damage("a header");
  segments_ = header.segments;
  bundles_ = header.bundles;
  chunks_ = header.chunks;
  filter_ids_ = header.filter_ids;
  filter_at_ = header.filter_at;
  filter_sum_ = header.filter_sum;
  return read_lists(header.lists_at, header.parts, header.lists_sum);
}

Result<void> IndexRun::read_lists(std::uint64_t at, std::uint64_t parts, std::uint64_t sum) {
  std::vector<PartSlot> slots(parts);
  segment_fences_.resize(segments_.blocks());
  chunk_fences_.resize(chunks_.blocks());
  std::uint64_t found = 0;
  for (MutableBytes list : {all_bytes(slots), all_bytes(segment_fences_), all_bytes(chunk_fences_)}) {
    MHP_TRY(std::size_t got, file_->read_at(at, list));
    if (got != list.size()) return damage("a list");
    found = sum_of(list, found);
    at += list.size();
  }
  if (found != sum) return damage("a list");
  for (const PartSlot& slot : slots) parts_.push_back({.part = slot.part, .bytes = slot.bytes});
  return {};
}

void IndexRun::note_damage() const {
  if (!damaged_.exchange(true)) (void)disk_.remove(path_);
}

const Block* IndexRun::block(const Table& table, std::uint64_t number, Block& buffer) const {
  if (&table == &chunks_ && !loaded_.empty()) return &loaded_[number];
  if (read_block(*file_, table.first_block + number, buffer)) return &buffer;
  note_damage();
  return nullptr;
}

std::pair<std::uint64_t, std::uint64_t> IndexRun::blocks_of(const std::vector<std::uint64_t>& fences,
                                                            std::uint64_t prefix) {
  auto [low, high] = std::ranges::equal_range(fences, prefix);
  auto first = static_cast<std::uint64_t>(low - fences.begin());
  // The block before the first that begins so may end so.
  return {first == 0 ? 0 : first - 1, static_cast<std::uint64_t>(high - fences.begin())};
}

Result<IndexedPlace> IndexRun::segment(std::uint32_t number) const {
  MHP_CHECK(number < segments());
  Block buffer;
  const Block* content = block(segments_, number / segments_.per_block(), buffer);
  if (content == nullptr) return damage("a segment");
  auto slot = record_at<SegmentSlot>(ByteView(*content).subspan(number % segments_.per_block() * sizeof(SegmentSlot)));
  bool sound = slot.bundles <= wire::kMaxBundles && std::uint64_t{slot.first_bundle} + slot.bundles <= bundles_.records;
  if (!sound) return damage("a segment");
  IndexedPlace out{
      .id = slot.id, .claim = slot.claim, .plain_bytes = slot.plain_bytes, .epoch = slot.epoch, .bundles = {}};
  Table first_ones = bundles_;  // so that no more is read than is asked for
  first_ones.records = slot.first_bundle + slot.bundles;
  BlockCursor cursor(*file_, first_ones, slot.first_bundle);
  out.bundles.reserve(slot.bundles);
  BundleSlot bundle;
  for (std::uint32_t i = 0; i < slot.bundles; ++i) {
    auto more = cursor.next(bundle);
    if (!more) note_damage();
    if (!more) return pass(more);
    out.bundles.push_back({.offset = bundle.offset,
                           .stored_bytes = bundle.stored_bytes & ~kCompressed,
                           .plain_bytes = bundle.plain_bytes,
                           .compressed = (bundle.stored_bytes & kCompressed) != 0});
  }
  return out;
}

std::vector<std::uint32_t> IndexRun::numbers_of(const SegmentId& id) const {
  std::vector<std::uint32_t> out;
  auto [first, end] = blocks_of(segment_fences_, prefix_of(id.bytes()));
  for (std::uint64_t number = first; number < end; ++number) {
    Block buffer;
    const Block* content = block(segments_, number, buffer);
    if (content == nullptr) return out;
    std::uint64_t begin = number * segments_.per_block();
    std::uint64_t count = std::min(segments_.per_block(), segments_.records - begin);
    for (std::uint64_t i = 0; i < count; ++i) {
      if (record_at<SegmentId>(ByteView(*content).subspan(i * sizeof(SegmentSlot))) == id) {
        out.push_back(static_cast<std::uint32_t>(begin + i));
      }
    }
  }
  return out;
}

void IndexRun::prepare_questions(bool whole) {
  auto filter = std::make_unique<IdFilter>(filter_ids_);
  auto got = file_->read_at(filter_at_, filter->bytes());
  bool sound = got && *got == filter->bytes().size() && sum_of(filter->bytes(), 0) == filter_sum_;
  if (sound) {
    filter_ = std::move(filter);
  } else {
    note_damage();
  }
  if (!whole) return;
  std::vector<Block> blocks(chunks_.blocks());
  for (std::uint64_t i = 0; i < blocks.size(); ++i) {
    if (!read_block(*file_, chunks_.first_block + i, blocks[i])) return note_damage();
  }
  loaded_ = std::move(blocks);
}

void IndexRun::end_questions() {
  filter_.reset();
  loaded_ = {};
}

// ---- writing ----

Result<std::unique_ptr<RunWriter>> RunWriter::create(platform::Disk& disk, const std::string& path,
                                                     std::uint64_t chunks) {
  // Exclusive: of two processes that make the same run, one does.
  MHP_TRY(auto file, disk.open(path + ".new", platform::Open::create_exclusive));
  return std::make_unique<RunWriter>(OnlyCreate(), disk, path, std::move(file), chunks);
}

RunWriter::RunWriter(OnlyCreate, platform::Disk& disk, std::string path, std::unique_ptr<platform::File> file,
                     std::uint64_t chunks)
    : disk_(disk),
      path_(std::move(path)),
      fresh_(path_ + ".new"),
      file_(std::move(file)),
      blocks_(*file_),
      filter_ids_(chunks),
      filter_(chunks) {}

RunWriter::~RunWriter() {
  if (!finished_) (void)disk_.remove(fresh_);
}

Result<void> RunWriter::end_open() {
  if (open_ == nullptr) return {};
  MHP_TRY(*open_, blocks_.end());
  open_ = nullptr;
  return {};
}

Result<void> RunWriter::begin(Table& table, std::size_t record_bytes) {
  if (open_ == &table) return {};
  MHP_TRY_VOID(end_open());
  blocks_.begin(record_bytes);
  open_ = &table;
  return {};
}

Result<void> RunWriter::add(SegmentSlot segment) {
  MHP_TRY_VOID(begin(segments_, sizeof segment));
  if (blocks_.at_block_start()) segment_fences_.push_back(prefix_of(segment.id.bytes()));
  segment.first_bundle = bundles_told_;
  bundles_told_ += segment.bundles;
  return blocks_.add(segment);
}

Result<void> RunWriter::add(const BundleSlot& bundle) {
  MHP_TRY_VOID(begin(bundles_, sizeof bundle));
  return blocks_.add(bundle);
}

Result<void> RunWriter::add(const ChunkSlot& chunk) {
  MHP_TRY_VOID(begin(chunks_, sizeof chunk));
  if (blocks_.at_block_start()) chunk_fences_.push_back(prefix_of(chunk.id.bytes()));
  filter_.add(chunk.id);
  return blocks_.add(chunk);
}

Result<void> RunWriter::write_end(const std::vector<RunPart>& parts) {
  std::vector<PartSlot> slots;
  for (const RunPart& part : parts) slots.push_back({.part = part.part, .bytes = part.bytes});
  Header header;
  for (Table* table : {&segments_, &bundles_, &chunks_}) {
    if (table->records == 0) table->first_block = 1;  // an empty one lies nowhere
  }
  segments_.record_bytes = sizeof(SegmentSlot);
  bundles_.record_bytes = sizeof(BundleSlot);
  chunks_.record_bytes = sizeof(ChunkSlot);
  header.segments = segments_;
  header.bundles = bundles_;
  header.chunks = chunks_;
  header.parts = slots.size();
  header.lists_at = blocks_.end_block() * kBlockBytes;
  std::uint64_t at = header.lists_at;
  for (MutableBytes list : {all_bytes(slots), all_bytes(segment_fences_), all_bytes(chunk_fences_)}) {
    MHP_TRY_VOID(file_->write_at(at, list));
    header.lists_sum = sum_of(list, header.lists_sum);
    at += list.size();
  }
  header.filter_ids = filter_ids_;
  header.filter_at = at;
  MHP_TRY_VOID(file_->write_at(at, filter_.bytes()));
  header.filter_sum = sum_of(filter_.bytes(), 0);
  header.file_bytes = at + filter_.bytes().size();
  return write_block(*file_, 0, bytes_of(header));
}

Result<std::unique_ptr<IndexRun>> RunWriter::finish(std::vector<RunPart> parts) {
  MHP_TRY_VOID(end_open());
  MHP_TRY_VOID(write_end(parts));
  MHP_TRY_VOID(file_->sync());  // so that a power cut leaves no file whose name promises more than it holds
  MHP_TRY_VOID(disk_.rename(fresh_, path_));
  finished_ = true;
  return IndexRun::open(disk_, path_);
}

// ---- merging ----

namespace {

/// What is next of one run; of equal ids the earlier run comes first.
template <class Slot>
struct Next {
  Slot slot;
  std::size_t run = 0;
  bool operator>(const Next& other) const {
    int order = std::memcmp(slot.id.bytes().data(), other.slot.id.bytes().data(), 32);
    return order > 0 || (order == 0 && run > other.run);
  }
};

/// Goes through one table of all runs at once, in rising order of ids.
template <class Slot>
class MergedTable {
 public:
  explicit MergedTable(std::vector<BlockCursor> cursors) : cursors_(std::move(cursors)) {}
  Result<void> start() {
    for (std::size_t run = 0; run < cursors_.size(); ++run) {
      MHP_TRY_VOID(advance(run));
    }
    return {};
  }
  bool at_end() const { return next_.empty(); }
  const Next<Slot>& front() const { return next_.top(); }
  Result<void> pop() {
    std::size_t run = next_.top().run;
    next_.pop();
    return advance(run);
  }

 private:
  Result<void> advance(std::size_t run) {
    Next<Slot> next{.slot = {}, .run = run};
    MHP_TRY(bool more, cursors_[run].next(next.slot));
    if (more) next_.push(next);
    return {};
  }
  std::vector<BlockCursor> cursors_;
  std::priority_queue<Next<Slot>, std::vector<Next<Slot>>, std::greater<>> next_;
};

class Merger {
 public:
  Merger(const std::vector<const IndexRun*>& runs, RunWriter& writer) : runs_(runs), writer_(writer) {}

  Result<void> run() {
    MHP_TRY_VOID(merge_segments());
    MHP_TRY_VOID(copy_bundles());
    return merge_chunks();
  }

 private:
  Result<void> merge_segments() {
    std::vector<BlockCursor> cursors;
    for (const IndexRun* run : runs_) cursors.push_back(run->segment_cursor());
    MergedTable<SegmentSlot> all(std::move(cursors));
    MHP_TRY_VOID(all.start());
    numbers_.resize(runs_.size());
    SegmentId last;
    std::ptrdiff_t first = 0;  // claim of that segment
    for (; !all.at_end();) {
      const auto& [slot, run] = all.front();
      if (slot.id != last) first = static_cast<std::ptrdiff_t>(sources_.size());
      last = slot.id;
      auto same = std::find_if(sources_.begin() + first, sources_.end(),
                               [&](const Source& source) { return source.claim == slot.claim; });
      numbers_[run].push_back(static_cast<std::uint32_t>(same - sources_.begin()));
      if (same == sources_.end()) {
        MHP_TRY_VOID(writer_.add(slot));
        sources_.push_back(
            {.claim = slot.claim, .run = run, .first_bundle = slot.first_bundle, .bundles = slot.bundles});
      }
      MHP_TRY_VOID(all.pop());
    }
    return {};
  }

  Result<void> copy_bundles() {
    std::vector<BlockCursor> cursors;
    for (const IndexRun* run : runs_) cursors.push_back(run->bundle_cursor());
    BundleSlot bundle;
    for (const Source& source : sources_) {
      BlockCursor& cursor = cursors[source.run];
      cursor.seek(source.first_bundle);
      for (std::uint32_t i = 0; i < source.bundles; ++i) {
        MHP_TRY(bool more, cursor.next(bundle));
        if (!more) return damage("a segment");
        MHP_TRY_VOID(writer_.add(bundle));
      }
    }
    return {};
  }

  Result<void> merge_chunks() {
    std::vector<BlockCursor> cursors;
    for (const IndexRun* run : runs_) cursors.push_back(run->chunk_cursor());
    MergedTable<ChunkSlot> all(std::move(cursors));
    MHP_TRY_VOID(all.start());
    std::vector<ChunkSlot> same;  // places of one chunk
    for (; !all.at_end();) {
      ChunkSlot slot = all.front().slot;
      const auto& numbers = numbers_[all.front().run];
      if (slot.segment >= numbers.size()) return damage("a place");
      slot.segment = numbers[slot.segment];
      MHP_TRY_VOID(all.pop());
      if (!same.empty() && same.front().id != slot.id) same.clear();
      bool told = std::ranges::any_of(same, [&](const ChunkSlot& other) { return other.segment == slot.segment; });
      if (told) continue;
      same.push_back(slot);
      MHP_TRY_VOID(writer_.add(slot));
    }
    return {};
  }

  struct Source {
    ClaimId claim;
    std::size_t run = 0;
    std::uint32_t first_bundle = 0;
    std::uint32_t bundles = 0;
  };
  const std::vector<const IndexRun*>& runs_;
  RunWriter& writer_;
  std::vector<std::vector<std::uint32_t>> numbers_;  // of each run's segments: their new ones
  std::vector<Source> sources_;                      // of the new segments
};

}  // namespace

Result<std::unique_ptr<IndexRun>> merge_runs(platform::Disk& disk, const std::string& path,
                                             const std::vector<const IndexRun*>& runs) {
  std::uint64_t chunks = 0;
  std::vector<RunPart> parts;
  for (const IndexRun* run : runs) {
    chunks += run->chunks();
    parts.insert(parts.end(), run->parts().begin(), run->parts().end());
  }
  std::ranges::sort(parts, {}, &RunPart::part);
  auto same = std::ranges::unique(parts, {}, &RunPart::part);
  parts.erase(same.begin(), same.end());
  MHP_TRY(auto writer, RunWriter::create(disk, path, chunks));
  MHP_TRY_VOID(Merger(runs, *writer).run());
  return writer->finish(std::move(parts));
}

}  // namespace mhp::vault::impl
