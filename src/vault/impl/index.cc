// Asks what is in memory first, then one run after the other.
#include "vault/impl/index.h"

#include <algorithm>

#include "base/check.h"

namespace mhp::vault::impl {

Result<void> YoungIndex::add(const wire::IndexedSegment& segment) {
  if (numbers_.contains(segment.segment)) return {};
  auto number = static_cast<std::uint32_t>(segments_.size());
  auto place_of = [number](const wire::ChunkEntry& chunk) {
    return ChunkPlace{.segment = number, .bundle = chunk.bundle, .offset = chunk.offset, .bytes = chunk.bytes};
  };
  for (const auto& chunk : segment.directory.chunks) {
    if (chunk.bytes > wire::kMaxChunkBytes || !ChunkSlot::can_hold(place_of(chunk))) {
      return fail(Errc::corrupt,
                  "index: a chunk of segment " + segment.segment.short_hex() + " has an impossible place");
    }
  }
  numbers_.emplace(segment.segment, number);
  segments_.push_back({.id = segment.segment,
                       .plain_bytes = segment.plain_bytes,
                       .epoch = segment.epoch,
                       .bundles = segment.directory.bundles});
  for (const auto& chunk : segment.directory.chunks) {
    if (auto former = chunks_.assign(chunk.id, place_of(chunk))) older_.push_back(*former);
  }
  return {};
}

std::optional<std::uint32_t> YoungIndex::number_of(const SegmentId& id) const {
  auto found = numbers_.find(id);
  return found == numbers_.end() ? std::nullopt : std::optional(found->second);
}

Result<void> Index::add(const wire::IndexedSegment& segment) {
  return has_segment(segment.segment) ? Result<void>() : young_.add(segment);
}

void Index::add_run(std::unique_ptr<IndexRun> run) {
  MHP_CHECK(young_.segments().empty());
  bases_.push_back({.segment = young_base_, .chunk = young_chunk_base_});
  young_base_ += run->segments();
  young_chunk_base_ += run->chunks();
  runs_.push_back(std::move(run));
}

void Index::prepare_questions() {
  std::vector<IndexRun*> by_size;
  for (const auto& run : runs_) by_size.push_back(run.get());
  std::ranges::sort(by_size, {}, &IndexRun::chunks);
  std::uint64_t loaded = 0;
  for (IndexRun* run : by_size) {
    loaded += run->chunks();
    run->prepare_questions(/*whole=*/loaded <= kLoadedChunks);
  }
}

void Index::end_questions() {
  for (const auto& run : runs_) run->end_questions();
}

template <class Take>
void Index::each_place(const ChunkId& id, Take take) const {
  if (const ChunkSlot* slot = young_.chunks().find(id)) {
    ChunkPlace place = slot->place();
    place.segment += young_base_;
    auto at = static_cast<std::uint64_t>(slot - young_.chunks().slots().data());
    if (take(Found{.place = place, .number = young_chunk_base_ + at})) return;
  }
  bool done = false;
  for (std::size_t i = 0; i < runs_.size() && !done; ++i) {
    runs_[i]->find(id, [&](std::uint64_t number, const ChunkSlot& slot) {
      ChunkPlace place = slot.place();
      place.segment += bases_[i].segment;
      return done = take(Found{.place = place, .number = bases_[i].chunk + number});
    });
  }
}

std::optional<Index::Found> Index::find(const ChunkId& id) const {
  std::optional<Found> best;
  each_place(id, [&](const Found& found) {
    bool relied_on = !is_gone(found.place.segment);
    if (relied_on || !best) best = found;
    return relied_on;
  });
  return best;
}

std::optional<ChunkPlace> Index::find_other(const ChunkId& id, const std::vector<std::uint32_t>& without) const {
  std::optional<ChunkPlace> best;
  auto take = [&](const ChunkPlace& place) {
    if (std::ranges::find(without, place.segment) != without.end()) return false;
    bool relied_on = !is_gone(place.segment);
    if (relied_on || !best) best = place;
    return relied_on;
  };
  bool done = false;
  each_place(id, [&](const Found& found) { return done = take(found.place); });
  for (auto older = young_.older().begin(); older != young_.older().end() && !done; ++older) {
    if (older->id != id) continue;
    ChunkPlace place = older->place();
    place.segment += young_base_;
    done = take(place);
  }
  return best;
}

bool Index::can_refer_to(const ChunkId& id) const {
  auto found = find(id);
  return found && !is_gone(found->place.segment);
}

bool Index::is_place_of(const SegmentId& segment, const ChunkId& id) const {
  auto found = find(id);
  if (!found) return false;
  auto place = this->segment(found->place.segment);
  return place && place->id == segment;
}

bool Index::has_segment(const SegmentId& id) const {
  if (young_.number_of(id)) return true;
  return std::ranges::any_of(runs_, [&](const auto& run) { return run->number_of(id).has_value(); });
}

Result<IndexedPlace> Index::segment(std::uint32_t number) const {
  if (number >= young_base_) return young_.segments()[number - young_base_];
  std::size_t run = runs_.size() - 1;
  while (bases_[run].segment > number) --run;
  return runs_[run]->segment(number - bases_[run].segment);
}

void Index::set_gone(const std::unordered_set<SegmentId, IdHash>& gone) {
  gone_.clear();
  for (const SegmentId& id : gone) {
    if (auto number = young_.number_of(id)) gone_.insert(young_base_ + *number);
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      if (auto number = runs_[i]->number_of(id)) gone_.insert(bases_[i].segment + *number);
    }
  }
}

bool Index::damaged() const {
  return std::ranges::any_of(runs_, [](const auto& run) { return run->damaged(); });
}

Result<void> Index::each_segment(const std::function<void(std::uint32_t, const SegmentId&)>& visit) const {
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    BlockCursor cursor = runs_[i]->segment_cursor();
    SegmentSlot slot;
    for (std::uint32_t number = bases_[i].segment;; ++number) {
      auto more = cursor.next(slot);
      if (!more) runs_[i]->note_damage();
      if (!more) return pass(more);
      if (!*more) break;
      visit(number, slot.id);
    }
  }
  for (std::uint32_t i = 0; i < young_.segments().size(); ++i) visit(young_base_ + i, young_.segments()[i].id);
  return {};
}

Result<void> Index::each_chunk(const std::function<void(std::uint64_t, const ChunkSlot&)>& visit) const {
  ChunkSlot slot;
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    BlockCursor cursor = runs_[i]->chunk_cursor();
    for (std::uint64_t number = bases_[i].chunk;; ++number) {
      auto more = cursor.next(slot);
      if (!more) runs_[i]->note_damage();
      if (!more) return pass(more);
      if (!*more) break;
      if (slot.segment >= runs_[i]->segments()) return fail(Errc::corrupt, "index cache: a place is damaged");
      slot.segment += bases_[i].segment;
      visit(number, slot);
    }
  }
  const auto& slots = young_.chunks().slots();
  for (std::uint64_t i = 0; i < slots.size(); ++i) {
    if (!slots[i].used()) continue;
    slot = slots[i];
    slot.segment += young_base_;
    visit(young_chunk_base_ + i, slot);
  }
  return {};
}

}  // namespace mhp::vault::impl
