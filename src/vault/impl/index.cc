// Asks what is in memory first, then one run after the other.
#include "vault/impl/index.h"

#include <algorithm>

#include "base/check.h"

namespace mhp::vault::impl {

Result<void> YoungIndex::add(const wire::IndexedSegment& segment) {
  const ClaimId claim = claim_of(segment);
  if (claims_.contains(claim)) return {};
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
  claims_.insert(claim);
  numbers_.emplace(segment.segment, number);
  segments_.push_back({.id = segment.segment,
                       .claim = claim,
                       .plain_bytes = segment.plain_bytes,
                       .epoch = segment.epoch,
                       .bundles = segment.directory.bundles});
  for (const auto& chunk : segment.directory.chunks) {
    auto former = chunks_.assign(chunk.id, place_of(chunk));
    if (!former) continue;
    older_of_[chunk.id].push_back(static_cast<std::uint32_t>(older_.size()));
    older_.push_back(*former);
  }
  return {};
}

std::vector<std::uint32_t> YoungIndex::numbers_of(const SegmentId& id) const {
  std::vector<std::uint32_t> out;
  auto [first, end] = numbers_.equal_range(id);
  for (; first != end; ++first) out.push_back(first->second);
  return out;
}

std::span<const std::uint32_t> YoungIndex::older_of(const ChunkId& id) const {
  auto found = older_of_.find(id);
  return found == older_of_.end() ? std::span<const std::uint32_t>() : std::span(found->second);
}

Result<void> Index::add(const wire::IndexedSegment& segment) { return young_.add(segment); }

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
void Index::each_named_place(const ChunkId& id, Take take) const {
  auto take_young = [&](const ChunkSlot& slot, std::uint64_t at) {
    ChunkPlace place = slot.place();
    place.segment += young_base_;
    return take(Found{.place = place, .number = young_chunk_base_ + at});
  };
  const auto& slots = young_.chunks().slots();
  bool done = false;
  if (const ChunkSlot* slot = young_.chunks().find(id)) {
    done = take_young(*slot, static_cast<std::uint64_t>(slot - slots.data()));
    const auto older = young_.older_of(id);
    for (auto at = older.rbegin(); at != older.rend() && !done; ++at)
      done = take_young(young_.older()[*at], slots.size() + *at);
  }
  for (std::size_t i = 0; i < runs_.size() && !done; ++i) {
    runs_[i]->find(id, [&](std::uint64_t number, const ChunkSlot& slot) {
      ChunkPlace place = slot.place();
      place.segment += bases_[i].segment;
      return done = take(Found{.place = place, .number = bases_[i].chunk + number});
    });
  }
}

template <class Take>
void Index::each_place(const ChunkId& id, Take take) const {
  each_named_place(id, [&](const Found& found) {
    const Trust known = trust(found.place.segment);
    return known != Trust::is_false && known != Trust::untrue && take(found);
  });
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
  each_place(id, [&](const Found& found) { return take(found.place); });
  return best;
}

std::vector<Index::Found> Index::places(const ChunkId& id) const {
  std::vector<Found> out, gone;
  each_place(id, [&](const Found& found) {
    (is_gone(found.place.segment) ? gone : out).push_back(found);
    return false;
  });
  out.insert(out.end(), gone.begin(), gone.end());
  return out;
}

std::vector<Index::Found> Index::named_places(const ChunkId& id) const {
  std::vector<Found> out;
  each_named_place(id, [&](const Found& found) {
    out.push_back(found);
    return false;
  });
  return out;
}

bool Index::can_refer_to(const ChunkId& id) const {
  std::optional<std::uint32_t> unknown;
  bool is_known = false;
  each_place(id, [&](const Found& found) {
    const std::uint32_t segment = found.place.segment;
    if (is_gone(segment)) return false;
    is_known = segment < trust_.size() && trust_[segment] != Trust::unknown;
    if (!is_known && !unknown) unknown = segment;
    return is_known;
  });
  if (is_known || !unknown) return is_known;
  if (*unknown < trust_.size()) relied_on_[*unknown].store(true, std::memory_order_relaxed);
  return true;
}

bool Index::has_segment(const SegmentId& id) const {
  if (!young_.numbers_of(id).empty()) return true;
  return std::ranges::any_of(runs_, [&](const auto& run) { return !run->numbers_of(id).empty(); });
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
    for (std::uint32_t number : young_.numbers_of(id)) gone_.insert(young_base_ + number);
    for (std::size_t i = 0; i < runs_.size(); ++i) {
      for (std::uint32_t number : runs_[i]->numbers_of(id)) gone_.insert(bases_[i].segment + number);
    }
  }
}

Result<void> Index::set_trust(const KnownClaims& known) {
  trust_.assign(segment_numbers(), Trust::unknown);
  relied_on_ = std::make_unique<std::atomic<bool>[]>(segment_numbers());
  return each_slot([&](std::uint32_t number, const SegmentSlot& slot) { trust_[number] = known.of(slot.claim); });
}

Result<std::unordered_set<ClaimId, IdHash>> Index::claims() const {
  std::unordered_set<ClaimId, IdHash> out;
  MHP_TRY_VOID(each_slot([&](std::uint32_t, const SegmentSlot& slot) { out.insert(slot.claim); }));
  return out;
}

std::vector<std::uint32_t> Index::relied_on() const {
  std::vector<std::uint32_t> out;
  for (std::uint32_t number = 0; number < trust_.size(); ++number) {
    if (relied_on_[number].load(std::memory_order_relaxed)) out.push_back(number);
  }
  return out;
}

bool Index::damaged() const {
  return std::ranges::any_of(runs_, [](const auto& run) { return run->damaged(); });
}

Result<void> Index::each_segment(const std::function<void(std::uint32_t, const SegmentId&)>& visit) const {
  return each_slot([&](std::uint32_t number, const SegmentSlot& slot) { visit(number, slot.id); });
}

Result<void> Index::each_slot(const std::function<void(std::uint32_t, const SegmentSlot&)>& visit) const {
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    BlockCursor cursor = runs_[i]->segment_cursor();
    SegmentSlot slot;
    for (std::uint32_t number = bases_[i].segment;; ++number) {
      auto more = cursor.next(slot);
      if (!more) runs_[i]->note_damage();
      if (!more) return pass(more);
      if (!*more) break;
      visit(number, slot);
    }
  }
  for (std::uint32_t i = 0; i < young_.segments().size(); ++i) {
    const IndexedPlace& place = young_.segments()[i];
    visit(young_base_ + i, {.id = place.id, .claim = place.claim});
  }
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
  std::uint64_t number = young_chunk_base_;
  for (const auto* slots : {&young_.chunks().slots(), &young_.older()}) {
    for (const ChunkSlot& young : *slots) {
      slot = young;
      slot.segment += young_base_;
      if (young.used()) visit(number, slot);
      ++number;
    }
  }
  return {};
}

}  // namespace mhp::vault::impl
