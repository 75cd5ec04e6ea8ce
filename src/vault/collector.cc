// Order: what stays is moved and durable, then the index without what is dead, then the head; only then are homes told.
#include "vault/impl/collector.h"

#include <algorithm>

#include "base/check.h"

namespace mhp::vault::impl {
namespace {

constexpr std::uint64_t kRereadBytes = 4_GiB;     // who gives space back reads more for it than who saves
constexpr std::uint64_t kChunksAtOnce = 500'000;  // of those that move, remembered: some 25 MB

std::uint8_t bit_of(ChunkRole role) { return static_cast<std::uint8_t>(1u << static_cast<unsigned>(role)); }

}  // namespace

CollectorImpl::CollectorImpl(VaultImpl& vault, std::unique_ptr<WriterImpl> writer, CollectOptions options)
    : vault_(vault), writer_(std::move(writer)), options_(std::move(options)), staying_(vault.snapshots()) {
  std::unordered_set<SnapshotId, IdHash> go(options_.forget.begin(), options_.forget.end());
  std::erase_if(staying_, [&](const auto& snapshot) { return go.contains(snapshot.id); });
  report_.forgotten = go.size();
}

std::vector<Index::Found> CollectorImpl::staying_places(const ChunkId& chunk) const {
  const Index& index = vault_.index_;
  std::vector<Index::Found> places = index.places(chunk);
  if (places.size() < 2) return places;
  auto proven = std::ranges::find_if(places, [&](const Index::Found& found) {
    const std::uint32_t segment = found.place.segment;
    // What was listed again only waits until the others are proven.
    return index.trust(segment) == Trust::proven && !index.is_gone(segment) && !vault_.relisted_.contains(segment);
  });
  if (proven != places.end()) return {*proven};
  return places;
}

Result<bool> CollectorImpl::mark(const ChunkId& chunk, ChunkRole role) {
  bool first = false;
  const auto places = staying_places(chunk);
  if (places.empty())
    return fail(Errc::corrupt, "chunk " + chunk.short_hex() + " is needed and in no segment of the index");
  for (const Index::Found& found : places) {
    if (found.number >= marks_.size()) marks_.resize(std::max(vault_.index_.chunk_numbers(), found.number + 1));
    first = first || (marks_[found.number] & bit_of(role)) == 0;
    marks_[found.number] |= bit_of(role);
  }
  return first;
}

bool CollectorImpl::is_kept_elsewhere(const Sweep& sweep, const ChunkId& chunk) const {
  return std::ranges::any_of(staying_places(chunk), [&](const Index::Found& found) {
    return sweep.fates[sweep.entry_of[found.place.segment]] == SegmentFate::keep;
  });
}

/// What is moved is only as safe as the homes at hand make it: no snapshot that stays is to lose by that.
bool CollectorImpl::may_move() const {
  const dispersal::HomeSet& homes = vault_.homes_;
  for (std::size_t i = 0; i < homes.members().size(); ++i) {
    const dispersal::Member& member = homes.members()[i];
    if (member.counts && member.is_wanted() && !homes.takes_writes(i)) return false;
  }
  return true;
}

/// Every snapshot was followed from its first chunk on, at least.
std::string CollectorImpl::why_not() const {
  for (const auto& snapshot : staying_) {
    const auto places = staying_places(snapshot.page_list);
    bool followed = !places.empty() && is_live(places.front().number);
    if (!followed) return "snapshot " + snapshot.id.short_hex() + " could not be followed to its files";
  }
  return vault_.why_view_may_lack();
}

Result<CollectorImpl::Sweep> CollectorImpl::sweep() const {
  const Index& index = vault_.index_;
  Sweep out;
  std::unordered_map<SegmentId, std::uint32_t, IdHash> entries;
  out.entry_of.resize(index.segment_numbers());
  MHP_TRY_VOID(index.each_segment([&](std::uint32_t number, const SegmentId& id) {
    auto [entry, fresh] = entries.emplace(id, static_cast<std::uint32_t>(out.ids.size()));
    if (fresh) out.ids.push_back(id);
    out.entry_of[number] = entry->second;
  }));
  out.uses.resize(out.ids.size());
  for (std::uint32_t number = 0; number < index.segment_numbers(); ++number) {
    MHP_TRY(auto segment, index.segment(number));
    SegmentUse& use = out.uses[out.entry_of[number]];
    use.segment_bytes = segment.plain_bytes;
    use.readable = !vault_.gone_.contains(segment.id);
    use.content_bytes = 0;
    for (const auto& bundle : segment.bundles) use.content_bytes += bundle.plain_bytes;
  }
  MHP_TRY_VOID(index.each_chunk([&](std::uint64_t number, const ChunkSlot& slot) {
    if (!is_live(number)) return;
    ChunkPlace place = slot.place();
    SegmentUse& use = out.uses[out.entry_of[place.segment]];
    use.live_bytes += place.bytes;
    ++use.live_chunks;
  }));
  out.fates = plan_collection(out.uses);
  const bool moves = options_.repack && may_move();
  SegmentIds fresh;  // of an interrupted backup: the next one goes on with them, or the next collection drops them
  for (const auto& segment : vault_.unlisted_) fresh.insert(segment.segment);
  for (std::size_t i = 0; i < out.ids.size(); ++i) {
    const bool waits = !moves && out.fates[i] == SegmentFate::repack;
    out.is_all_moved = out.is_all_moved && !(waits && options_.repack);
    if (waits || fresh.contains(out.ids[i])) out.fates[i] = SegmentFate::keep;
  }
  return out;
}

void CollectorImpl::count(const Sweep& sweep) {
  report_.segments = sweep.ids.size();
  report_.is_all_moved = sweep.is_all_moved;
  std::uint64_t moved_segment_bytes = 0;
  for (std::size_t i = 0; i < sweep.ids.size(); ++i) {
    if (sweep.fates[i] == SegmentFate::keep) continue;
    report_.dead_bytes += sweep.uses[i].segment_bytes;
    if (sweep.fates[i] == SegmentFate::drop) ++report_.segments_dropped;
    if (sweep.fates[i] != SegmentFate::repack) continue;
    ++report_.segments_repacked;
    report_.moved_bytes += sweep.uses[i].live_bytes;
    moved_segment_bytes += sweep.uses[i].live_segment_bytes();
  }
  report_.dead_bytes -= std::min(report_.dead_bytes, moved_segment_bytes);
}

Task<Result<void>> CollectorImpl::store(SegmentPacker& packer) {
  if (packer.empty()) co_return Result<void>{};
  auto seal = [&] { return writer_->seal(packer); };
  FinishedSegment segment = co_await vault_.platform_.workers().run(seal);
  co_return co_await writer_->store(std::move(segment));
}

/// Chunks of one bundle, by offset.
Task<Result<void>> CollectorImpl::move_bundle(const Sweep& sweep, const OpenSegment& segment,
                                              std::span<const Moving> chunks, SegmentPacker& packer) {
  Bytes room;
  auto open = [&] { return segment.bundle(chunks.front().bundle, room); };
  MHP_CO_TRY(ByteView plain, co_await vault_.platform_.workers().run(open));
  for (const Moving& chunk : chunks) {
    const bool is_short = std::uint64_t{chunk.offset} + chunk.bytes > plain.size();
    if (is_short && is_kept_elsewhere(sweep, chunk.id)) continue;  // who sealed this one lied
    if (is_short) co_return fail(Errc::corrupt, "chunk " + chunk.id.short_hex() + ": its bundle is too short");
    if (!packer.fits(chunk.bytes)) {
      MHP_CO_TRY_VOID(co_await store(packer));
    }
    auto add = [&] { return packer.add(plain.subspan(chunk.offset, chunk.bytes)); };
    ChunkId id = co_await vault_.platform_.workers().run(add);
    if (id != chunk.id && is_kept_elsewhere(sweep, chunk.id)) continue;
    if (id != chunk.id) co_return fail(Errc::corrupt, "chunk " + chunk.id.short_hex() + ": differs from its id");
  }
  co_return Result<void>{};
}

Task<Result<void>> CollectorImpl::move_segment(const Sweep& sweep, std::uint32_t number, std::vector<Moving> chunks,
                                               SegmentPacker& packer) {
  std::ranges::sort(chunks, {}, [](const Moving& chunk) { return std::pair(chunk.bundle, chunk.offset); });
  std::vector<std::uint32_t> bundles;
  for (const Moving& chunk : chunks) {
    if (bundles.empty() || bundles.back() != chunk.bundle) bundles.push_back(chunk.bundle);
  }
  MHP_CO_TRY(auto segment, co_await vault_.fetch(number, bundles));
  std::span<const Moving> left = chunks;
  while (!left.empty()) {
    auto end = std::ranges::find_if(left, [&](const Moving& chunk) { return chunk.bundle != left.front().bundle; });
    auto of_bundle = left.first(static_cast<std::size_t>(end - left.begin()));
    MHP_CO_TRY_VOID(co_await move_bundle(sweep, *segment, of_bundle, packer));
    left = left.subspan(of_bundle.size());
  }
  co_return Result<void>{};
}

/// Those of entries [from, to) that are repacked.
Task<Result<void>> CollectorImpl::move_group(const Sweep& sweep, std::size_t from, std::size_t to,
                                             SegmentPacker& packer) {
  MovingOf moving;
  auto find = [&]() -> Result<void> {
    return vault_.index_.each_chunk([&](std::uint64_t number, const ChunkSlot& slot) {
      ChunkPlace place = slot.place();
      std::uint32_t entry = sweep.entry_of[place.segment];
      if (!is_live(number) || entry < from || entry >= to || sweep.fates[entry] != SegmentFate::repack) return;
      moving[place.segment].push_back(
          {.bundle = place.bundle, .offset = place.offset, .bytes = place.bytes, .id = slot.id});
    });
  };
  MHP_CO_TRY_VOID(co_await vault_.platform_.workers().run(find));
  for (auto& [number, chunks] : moving) {
    MHP_CO_TRY_VOID(co_await move_segment(sweep, number, std::move(chunks), packer));
    ++done_.segments_done;
    if (progress_) progress_(done_);
  }
  co_return Result<void>{};
}

Task<Result<std::string>> CollectorImpl::confirm_needed(const Sweep& sweep) {
  std::vector<std::uint32_t> unknown;
  for (std::uint32_t number = 0; number < sweep.entry_of.size(); ++number) {
    const SegmentUse& use = sweep.uses[sweep.entry_of[number]];
    const bool is_unknown = vault_.index_.trust(number) == Trust::unknown;
    if (use.live_bytes > 0 && use.readable && is_unknown) unknown.push_back(number);
  }
  MHP_CO_TRY(auto confirmed, co_await vault_.confirm(std::move(unknown)));
  co_return std::move(confirmed.contradiction);
}

Task<Result<void>> CollectorImpl::repack(const Sweep& sweep) {
  done_.segments = report_.segments_repacked;
  if (done_.segments == 0) co_return Result<void>{};
  auto packer = writer_->new_moving_packer();
  std::uint64_t chunks = 0;
  for (std::size_t from = 0, i = 0; i < sweep.ids.size(); ++i) {
    if (sweep.fates[i] == SegmentFate::repack) chunks += sweep.uses[i].live_chunks;
    if (chunks < kChunksAtOnce && i + 1 < sweep.ids.size()) continue;
    MHP_CO_TRY_VOID(co_await move_group(sweep, from, i + 1, *packer));
    from = i + 1;
    chunks = 0;
  }
  MHP_CO_TRY_VOID(co_await store(*packer));
  co_return co_await writer_->outbox().commit();
}

Task<Result<Collected>> CollectorImpl::finish(std::optional<Error> problem, Progress progress) {
  progress_ = std::move(progress);
  report_.held_back = problem ? problem->detail : why_not();
  IndexChange change;
  change.forgotten = options_.forget;
  if (report_.held_back.empty()) {
    auto find = [this] { return sweep(); };
    MHP_CO_TRY(Sweep sweep, co_await vault_.platform_.workers().run(find));
    if (!options_.dry_run) {
      MHP_CO_TRY(report_.held_back, co_await confirm_needed(sweep));
    }
    if (report_.held_back.empty()) count(sweep);
    if (options_.dry_run) co_return report_;
    if (report_.held_back.empty()) {
      MHP_CO_TRY_VOID(co_await repack(sweep));
    }
    for (std::size_t i = 0; i < sweep.ids.size() && report_.held_back.empty(); ++i) {
      if (sweep.fates[i] != SegmentFate::keep) change.dropped.insert(sweep.ids[i]);
    }
  }
  if (options_.dry_run) co_return report_;
  MHP_CO_TRY(auto before, co_await vault_.live_segments());
  bool changes =
      !vault_.belied_.empty() || !change.forgotten.empty() || !change.dropped.empty() || !vault_.unlisted_.empty();
  if (changes) {
    MHP_CO_TRY(Committed committed, co_await writer_->finish(std::move(change)));
    report_.stored_bytes = committed.totals.stored_bytes;
    // As any reader finds it now: what is not in there is dead, and nothing else.
    MHP_CO_TRY_VOID(co_await vault_.load());
  }
  if (report_.held_back.empty()) report_.held_back = vault_.why_view_may_lack();
  if (report_.held_back.empty()) {
    vault_.forget_former_parts();
    MHP_CO_TRY_VOID(co_await vault_.condemn_dead(before, report_));
  }
  co_return report_;
}

Task<Result<std::unique_ptr<Collector>>> VaultImpl::begin_collect(CollectOptions options) {
  for (const SnapshotId& id : options.forget) {
    if (std::ranges::find(snapshots_, id, &wire::SnapshotRecord::id) == snapshots_.end())
      co_return fail(Errc::not_found, Subject::snapshot, id.short_hex() + ": no such snapshot");
  }
  std::unique_ptr<WriterImpl> writer;
  if (options.dry_run) {
    auto prepare = [this] {
      index_.prepare_questions();
      return index_.set_trust(claims_);
    };
    MHP_CO_TRY_VOID(co_await platform_.workers().run(prepare));
  } else {
    WriteOptions how = options.write;
    how.reread_bytes = std::max(how.reread_bytes, kRereadBytes);
    MHP_CO_TRY(auto begun, co_await begin_write(how));
    writer.reset(static_cast<WriterImpl*>(begun.release()));  // every writer of ours is one
  }
  auto collector = std::make_unique<CollectorImpl>(*this, std::move(writer), std::move(options));
  co_return std::unique_ptr<Collector>(std::move(collector));
}

std::string VaultImpl::why_view_may_lack() const {
  if (!unread_.empty()) return "the newest state of another computer cannot be read now";
  if (!late_.empty())
    return "a computer that is shut out has saved something since, and it is not decided what becomes of it";
  auto seen = state_.seen();
  if (!seen) return "what this computer has seen before cannot be read: " + seen.error().detail;
  for (const wire::SeenHead& head : seen->heads) {
    auto believed = std::ranges::find(heads_.devices, head.device, &BelievedDevice::device);
    bool there = believed != heads_.devices.end() && believed->newest().head.seq >= head.seq;
    bool is_taken_in = std::ranges::any_of(covered_, [&](const wire::SeenHead& covered) {
      return covered.device == head.device && covered.seq >= head.seq;
    });
    if (!there && !is_taken_in) return "the homes show an older state than this computer has seen";
  }
  for (const HeadFinding& finding : heads_.findings) {
    if (finding.kind == dispersal::TroubleKind::forked_heads) return "homes contradict each other about what is newest";
  }
  // A backup is done when more homes than may be lost have its head: with more of them away it may be unknown here.
  std::size_t away = homes_.members().size() - homes_.reachable();
  if (has_other_devices() && away > homes_.plan(level()).margin)
    return "too many homes are away to know what other devices have saved";
  return "";
}

}  // namespace mhp::vault::impl
