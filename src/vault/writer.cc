// The order of a write session: rows durable, then the index, then this device's head on disk, then the head on the
// homes.
#include <algorithm>
#include <climits>

#include "base/check.h"
#include "primitives/aead/box.h"
#include "primitives/hash/blake3.h"
#include "vault/impl/writer.h"

namespace mhp::vault::impl {
namespace {

std::size_t segment_size(std::size_t wanted) {
  return wire::size_class(std::clamp<std::size_t>(wanted, kMinSegmentBytes, wire::kMaxSegmentBytes));
}

/// What the new head needs and the vault's index does not have yet.
std::vector<SegmentId> segments_of(const IndexChange& change, const IndexSession::Layout& layout) {
  std::vector<SegmentId> out{layout.root.segment};
  for (const auto& segment : change.segments) out.push_back(segment.segment);
  for (const auto* parts : {&layout.parts, &layout.snapshot_parts}) {
    for (const KnownPart& part : *parts) out.push_back(part.ref.segment);
  }
  return out;
}

}  // namespace

WriterImpl::WriterImpl(VaultImpl& vault, std::unique_ptr<platform::FileLock> lock, const WriteOptions& options)
    : vault_(vault),
      lock_(std::move(lock)),
      options_(options),
      plan_(vault.homes_.plan(vault.level())),
      sealer_(vault.platform_.random(), vault.homes_, vault.device_, writing_key(vault.record_), plan_),
      outbox_(vault),
      index_session_(vault, sealer_, outbox_, packer_parts(/*index=*/true)) {}

PackerParts WriterImpl::packer_parts(bool index) const {
  PackerParts parts;
  parts.dedup_secret = &vault_.record_.keys.dedup_secret;
  parts.buffers = &vault_.homes_.buffers();
  parts.compression_level = options_.compression_level;
  parts.segment_bytes = segment_size(options_.segment_bytes);
  parts.index = index;
  return parts;
}

std::unique_ptr<Packer> WriterImpl::new_packer() {
  PackerParts parts = packer_parts(/*index=*/false);
  parts.stored = &vault_.index_;
  parts.session = &session_;
  return std::make_unique<SegmentPacker>(parts);
}

std::unique_ptr<SegmentPacker> WriterImpl::new_moving_packer() {
  return std::make_unique<SegmentPacker>(packer_parts(/*index=*/false));
}

FinishedSegment WriterImpl::seal(Packer& packer) {
  auto& own = static_cast<SegmentPacker&>(packer);  // every packer of ours is one
  std::uint64_t new_bytes = own.new_bytes();
  FinishedSegment out = sealer_.seal(own, sealer_.draw_id());
  new_bytes_ += new_bytes;
  const ClaimId claim = claim_of(out.indexed);
  {
    std::lock_guard lock(claims_mutex_);
    own_claims_.push_back(claim);
  }
  for (const auto& bundle : out.indexed.directory.bundles) packed_bytes_ += bundle.stored_bytes;
  return out;
}

WriteTotals WriterImpl::totals() const {
  WriteTotals totals;
  totals.new_bytes = new_bytes_;
  totals.packed_bytes = packed_bytes_;
  totals.stored_bytes = outbox_.stored_bytes();
  totals.segments = outbox_.segments();
  return totals;
}

Task<Result<void>> WriterImpl::store(FinishedSegment segment) {
  MHP_CO_TRY_VOID(co_await outbox_.store(std::move(segment)));
  if (listing_ || outbox_.durable_bytes() < options_.unlisted_bytes) co_return Result<void>{};
  listing_ = true;
  auto listed = co_await index_session_.list_early(outbox_.take_durable());
  listing_ = false;
  co_return listed;
}

Task<Result<Committed>> WriterImpl::finish(wire::SnapshotRecord record) {
  MHP_CHECK(!finished_);
  finished_ = true;
  record.id = SnapshotId::from_array(vault_.platform_.random().array<32>());
  record.device = vault_.device_.id;
  record.head_seq = next_seq();
  IndexChange change;
  change.snapshot = std::move(record);
  co_return co_await finish(std::move(change));
}

Task<Result<Committed>> WriterImpl::finish(IndexChange change) {
  Committed out;
  if (change.snapshot) out.snapshot = change.snapshot->id;
  MHP_CO_TRY_VOID(co_await outbox_.commit());
  MHP_CHECK(outbox_.idle());  // rows first
  MHP_CO_TRY_VOID(co_await confirm_reliance());
  change.segments = outbox_.take_durable();
  change.segments.insert(change.segments.end(), vault_.unlisted_.begin(), vault_.unlisted_.end());
  change.dropped.insert(vault_.belied_.begin(), vault_.belied_.end());
  MHP_CO_TRY_VOID(co_await publish(change, out));
  (void)vault_.state_.clear_journal();  // what is listed already is passed over when it is read
  std::vector<wire::PhysicalRef> kept = vault_.index_objects();
  kept.insert(kept.end(), vault_.former_parts_.refs().begin(), vault_.former_parts_.refs().end());
  vault_.former_parts_.read();  // a check may have added to them
  kept.insert(kept.end(), vault_.former_parts_.refs().begin(), vault_.former_parts_.refs().end());
  vault_.objects_.keep_only(kept, vault_.index_.runs());
  out.totals = totals();
  co_return out;
}

Task<Result<void>> WriterImpl::confirm_reliance() {
  for (const ClaimId& claim : own_claims_) vault_.claims_.learn(claim, Trust::proven);
  MHP_CO_TRY(auto confirmed, co_await vault_.confirm(vault_.index_.relied_on()));
  if (!confirmed.contradiction.empty())
    co_return fail(Errc::corrupt, Subject::vault,
                   confirmed.contradiction + ", and the next run stores what is missing: please run it again");
  if (confirmed.unread) co_return tl::unexpected<Error>(std::move(*confirmed.unread));
  co_return Result<void>{};
}

Task<Result<void>> WriterImpl::publish(const IndexChange& change, Committed& out) {
  MHP_CO_TRY(IndexSession::Layout layout, co_await index_session_.write(change));
  MHP_CHECK(outbox_.idle());  // the index before the head
  MHP_CO_TRY_VOID(co_await vault_.reprieve_condemned_meanwhile(segments_of(change, layout)));
  MHP_CO_TRY(CheckedHead head, make_head(layout.root));
  MHP_CO_TRY_VOID(vault_.take_own_head(std::move(head)));

  // From here on this device stands by the new head, whether homes take it now or after a crash.
  out.margin = std::min(outbox_.margin().value_or(0), vault_.unlisted_margin_.value_or(INT_MAX));
  vault_.unlisted_.clear();
  vault_.belied_.clear();
  vault_.unlisted_margin_.reset();
  if (change.snapshot) vault_.add_snapshot(*change.snapshot);
  vault_.parts_ = std::move(layout.parts);
  vault_.snapshot_parts_ = std::move(layout.snapshot_parts);
  vault_.set_own_top(layout.root);

  MHP_CO_TRY_VOID(vault_.remember_taken());
  auto took = co_await vault_.bring_homes_up_to_date();
  MHP_CO_TRY_VOID(co_await take_up(change.segments));
  out.homes = static_cast<unsigned>(took.size());
  if (!took.empty()) out.margin = std::min(out.margin, vault_.margin_of_members(took));
  int margin = std::max(out.margin, 0);  // so many may be lost, and one that has the head is left
  if (out.homes <= static_cast<unsigned>(margin))
    co_return vault_.homes_.took_too_little(vault_.why_not_saved(out.homes, margin));
  vault_.remember_seen();
  co_return Result<void>{};
}

/// The vault's index as the new parts have it: where there is much, by way of a file in the cache.
Task<Result<void>> WriterImpl::take_up(const std::vector<wire::IndexedSegment>& segments) {
  std::size_t chunks = vault_.index_.young().chunks().size();
  for (const auto& segment : segments) chunks += segment.directory.chunks.size();
  vault_.index_.end_questions();
  if (index_session_.has_early_parts() || chunks > IndexLimits().young_chunks) co_return co_await vault_.load_index();
  for (const auto& segment : segments) {
    MHP_CO_TRY_VOID(vault_.index_.add(segment));
  }
  co_return Result<void>{};
}

std::uint64_t WriterImpl::next_seq() const {
  const std::vector<CheckedHead> chain = vault_.signed_chain();
  return chain.empty() ? 1 : chain.back().head.seq + 1;
}

Result<CheckedHead> WriterImpl::make_head(const wire::RootRef& root) {
  const std::vector<CheckedHead> chain = vault_.signed_chain();
  wire::Head head;
  head.vault = vault_.record_.record.vault;
  head.device = vault_.device_.id;
  head.seq = next_seq();
  if (!chain.empty()) head.previous = chain.back().hash;
  head.vault_record = vault_.record_.hash;
  head.vault_record_version = vault_.record_.record.version;
  head.time_ns = vault_.platform_.clock().unix_ns();
  auto nonce = vault_.platform_.random().array<24>();
  const wire::EpochKey& epoch = writing_key(vault_.record_);
  head.epoch = epoch.epoch;
  head.sealed_root = primitives::seal_box(epoch.record_key, nonce, root_context(head), wire::encode(root));
  CheckedHead out;
  out.signed_bytes = wire::encode(wire::sign(vault_.device_.signing, wire::kSignHead, wire::encode(head)));
  out.hash = HeadHash::from_array(primitives::blake3(out.signed_bytes));
  out.head = std::move(head);
  return out;
}

Task<Result<std::unique_ptr<Writer>>> VaultImpl::begin_write(const WriteOptions& options) {
  std::unique_ptr<platform::FileLock> lock;
  if (!how_.is_locked) {
    MHP_CO_TRY(lock, state_.lock(state_.who()));
  }
  MHP_CO_TRY_VOID(may_write());
  MHP_CO_TRY_VOID(co_await refresh_for_write());
  MHP_CO_TRY_VOID(may_write());  // it may have read anew
  MHP_CO_TRY_VOID(has_own_newest());
  auto writer = std::make_unique<WriterImpl>(*this, std::move(lock), options);
  MHP_CO_TRY_VOID(co_await find_gone_segments());
  co_await make_room();
  auto prepare = [this] { index_.prepare_questions(); };
  co_await platform_.workers().run(prepare);
  MHP_CO_TRY(std::uint64_t adopted, co_await adopt_segments(*this, homes_.plan(level())));
  writer->set_adopted(adopted);
  MHP_CO_TRY_VOID(co_await take_up_claims());
  MHP_CO_TRY_VOID(co_await keep_proven(options.reread_bytes));
  co_return std::unique_ptr<Writer>(std::move(writer));
}

}  // namespace mhp::vault::impl
