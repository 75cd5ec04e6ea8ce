// Which runs to use, when to make one, when to merge some.
#include "vault/impl/index_loader.h"

#include <algorithm>
#include <numeric>

#include "primitives/hash/blake3.h"

namespace mhp::vault::impl {
namespace {

constexpr std::size_t kMostMergedAtOnce = 64;  // files that are open, each with a buffer

bool is_small_part(const RunPart& part) { return part.bytes < kSmallPartBytes; }

bool is_passing(const IndexRun& run) { return std::ranges::any_of(run.parts(), is_small_part); }

std::uint64_t chunks_of(const std::unique_ptr<IndexRun>& run) { return run->chunks(); }

Result<std::unique_ptr<IndexRun>> write_run(platform::Disk& disk, const std::string& path, const YoungIndex& young,
                                            std::vector<RunPart> parts) {
  MHP_TRY(auto writer, RunWriter::create(disk, path, young.places()));
  std::vector<std::uint32_t> order(young.segments().size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::sort(order, {}, [&](std::uint32_t number) { return young.segments()[number].id; });
  std::vector<std::uint32_t> numbers(order.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    const IndexedPlace& place = young.segments()[order[i]];
    numbers[order[i]] = i;
    SegmentSlot slot{.id = place.id, .claim = place.claim, .plain_bytes = place.plain_bytes, .epoch = place.epoch};
    slot.bundles = static_cast<std::uint32_t>(place.bundles.size());
    MHP_TRY_VOID(writer->add(slot));
  }
  for (std::uint32_t number : order) {
    for (const wire::Bundle& bundle : young.segments()[number].bundles) {
      MHP_TRY_VOID(writer->add(slot_of(bundle)));
    }
  }
  std::vector<ChunkSlot> chunks;
  chunks.reserve(young.places());
  std::ranges::copy_if(young.chunks().slots(), std::back_inserter(chunks), &ChunkSlot::used);
  chunks.insert(chunks.end(), young.older().begin(), young.older().end());
  auto comes_first = [](const ChunkSlot& a, const ChunkSlot& b) {  // of several places of a chunk the newest
    return a.id != b.id ? a.id < b.id : a.segment > b.segment;
  };
  std::ranges::sort(chunks, comes_first);
  for (ChunkSlot& chunk : chunks) {
    chunk.segment = numbers[chunk.segment];
    MHP_TRY_VOID(writer->add(chunk));
  }
  return writer->finish(std::move(parts));
}

}  // namespace

std::string IndexLoader::path_of(const std::vector<RunPart>& parts) const {
  std::vector<ChunkId> ids;
  for (const RunPart& part : parts) ids.push_back(part.part);
  std::ranges::sort(ids);
  auto hash = primitives::blake3(std::as_bytes(std::span(ids)));
  return state_.cache_folder() + "/index-" + to_hex(ByteView(hash).first(12));
}

std::vector<std::size_t> IndexLoader::begin(std::vector<KnownPart>& parts) {
  std::unordered_map<ChunkId, std::vector<std::size_t>, IdHash> wanted;
  for (std::size_t i = 0; i < parts.size(); ++i) wanted[parts[i].ref.chunk].push_back(i);
  std::vector<std::unique_ptr<IndexRun>> runs;
  auto names = state_.disk().list(state_.cache_folder());
  for (const std::string& name : names ? *names : std::vector<std::string>()) {
    if (!is_run(name) || name.ends_with(".new")) continue;
    std::string path = state_.cache_folder() + "/" + name;
    auto run = IndexRun::open(state_.disk(), path);
    if (!run && run.error().code == Errc::corrupt) (void)state_.disk().remove(path);
    if (run) runs.push_back(std::move(*run));
  }
  std::ranges::sort(runs, std::greater(), chunks_of);  // of runs that hold the same the merged one
  std::vector<bool> covered(parts.size());
  for (auto& run : runs) {
    auto fits = [&](const RunPart& part) { return wanted.contains(part.part); };
    auto is_new = [&](const RunPart& part) { return !covered[wanted[part.part].front()]; };
    if (!std::ranges::all_of(run->parts(), fits) || !std::ranges::any_of(run->parts(), is_new)) continue;
    for (const RunPart& part : run->parts()) {
      for (std::size_t i : wanted[part.part]) {
        covered[i] = true;
        parts[i].bytes = part.bytes;
      }
    }
    (is_passing(*run) ? passing_ : lasting_).push_back(std::move(run));
  }
  std::vector<std::size_t> missing;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (!covered[i]) missing.push_back(i);
  }
  return missing;
}

Result<void> IndexLoader::take(const KnownPart& known, wire::IndexPart part) {
  RunPart entry{.part = known.ref.chunk, .bytes = known.bytes};
  if (is_small_part(entry)) {
    small_.emplace_back(known, std::move(part));
    return {};
  }
  for (const auto& segment : part.segments) {
    MHP_TRY_VOID(young_.add(segment));
  }
  young_parts_.push_back(entry);
  if (young_.places() >= limits_.chunks_of_run) make_run();
  if (lasting_.size() >= kMostMergedAtOnce) merge(lasting_, limits_.runs);
  return {};
}

Result<Index> IndexLoader::end() {
  if (young_.places() > limits_.young_chunks) make_run();
  for (const auto& [known, part] : small_) {
    for (const auto& segment : part.segments) {
      MHP_TRY_VOID(young_.add(segment));
    }
    young_parts_.push_back({.part = known.ref.chunk, .bytes = known.bytes});
  }
  if (young_.places() > limits_.young_chunks) make_run();
  merge(lasting_, limits_.runs);
  merge(passing_, limits_.runs);
  Index index;
  for (auto* runs : {&passing_, &lasting_}) {
    for (auto& run : *runs) index.add_run(std::move(run));
  }
  index.set_young(std::move(young_));
  return index;
}

void IndexLoader::make_run() {
  if (!state_.disk().make_folder(state_.cache_folder())) return;
  auto run = write_run(state_.disk(), path_of(young_parts_), young_, young_parts_);
  if (!run) return;
  (is_passing(**run) ? passing_ : lasting_).push_back(std::move(*run));
  young_ = YoungIndex();
  young_parts_.clear();
}

void IndexLoader::merge(std::vector<std::unique_ptr<IndexRun>>& runs, std::size_t most) {
  if (runs.size() <= most) return;
  std::ranges::sort(runs, {}, chunks_of);
  std::uint64_t sum = runs.front()->chunks();
  std::size_t count = 1;
  for (; count < runs.size(); ++count) {
    bool worth_it = runs[count]->chunks() <= limits_.growth * sum;
    if (!worth_it && runs.size() - count < most) break;
    sum += runs[count]->chunks();
  }
  std::vector<const IndexRun*> inputs;
  std::vector<RunPart> parts;
  for (std::size_t i = 0; i < count; ++i) {
    inputs.push_back(runs[i].get());
    parts.insert(parts.end(), runs[i]->parts().begin(), runs[i]->parts().end());
  }
  auto merged = merge_runs(state_.disk(), path_of(parts), inputs);
  bool some_damaged = !merged && merged.error().code == Errc::corrupt;
  if (!merged && !some_damaged) return;  // they still serve as they are
  for (const IndexRun* run : inputs) (void)state_.disk().remove(run->path());
  if (some_damaged) return;  // what they say is checked where it is read; the next open makes new ones
  runs.erase(runs.begin(), runs.begin() + static_cast<std::ptrdiff_t>(count));
  runs.push_back(std::move(*merged));
}

}  // namespace mhp::vault::impl
