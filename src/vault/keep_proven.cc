// What this device has proven stays listed until what another device put in its place is proven too.
#include <algorithm>
#include <span>

#include "primitives/hash/blake3.h"
#include "vault/impl/compare.h"
#include "vault/impl/survey.h"
#include "vault/impl/writer.h"

namespace mhp::vault::impl {
namespace {

using Segments = std::vector<wire::IndexedSegment>;

constexpr std::size_t kFormerPartBytes = 1_MiB;   // of what is remembered of former indexes, in one file of the cache
constexpr std::size_t kMostFormerBytes = 64_MiB;  // in all; of more, what comes first
constexpr std::size_t kJudgedAtOnce = 64;         // segments of which the index says something else than they do

/// Looks once at what is listed no more. Borrows the vault, which has taken up what is known of claims.
class ProvenKeeper {
 public:
  ProvenKeeper(VaultImpl& vault, std::uint64_t reread_bytes) : vault_(vault), left_bytes_(reread_bytes) {}

  Task<Result<void>> run() {
    auto list = [this] { return vault_.index_.claims(); };
    MHP_CO_TRY(listed_, co_await vault_.platform_.workers().run(list));
    const std::vector<wire::PhysicalRef> parts = co_await parts_to_look_at();
    bool all_read = true;
    for (const wire::PhysicalRef& part : parts) {
      const auto object = co_await vault_.objects_.load(part);
      const bool may_be_there = vault_.homes_.missing() > 0 && !part.segment.is_zero();
      const bool may_come = !object && (object.error().code == Errc::exhausted || may_be_there);
      all_read = all_read && !may_come;
      if (may_come) waiting_.push_back(part);
      if (!object) continue;
      MHP_CO_TRY_VOID(co_await look_at(*object));
    }
    if (!again_.empty()) {
      MHP_CO_TRY_VOID(co_await list_again());
    }
    if (!false_.empty()) vault_.displaced_.by = co_await vault_.who_makes(std::move(false_));
    auto save = [&] {
      remember(all_read);
      vault_.claims_.save();
      return vault_.index_.set_trust(vault_.claims_);
    };
    co_return co_await vault_.platform_.workers().run(save);
  }

 private:
  /// What this device listed last, or has read since, and nobody lists any more.
  Task<std::vector<wire::PhysicalRef>> parts_to_look_at() {
    std::unordered_set<ChunkId, IdHash> known;
    for (const KnownPart& part : vault_.parts_) known.insert(part.ref.chunk);
    std::vector<wire::PhysicalRef> out;
    std::unordered_set<ChunkId, IdHash> own;
    const std::vector<wire::PhysicalRef> own_parts = co_await vault_.own_parts();
    for (const wire::PhysicalRef& part : own_parts) {
      own.insert(part.chunk);
      if (known.insert(part.chunk).second) out.push_back(part);
    }
    for (const wire::PhysicalRef& part : vault_.former_parts_.refs()) {
      const bool is_listed = !known.insert(part.chunk).second;
      if (!is_listed) out.push_back(part);
      if (is_listed && !own.contains(part.chunk)) waiting_.push_back(part);  // until this device lists it itself
    }
    co_return out;
  }

  Task<Result<void>> look_at(const Bytes& object) {
    Segments vanished;
    Segments needed;
    auto find = [&]() -> Result<void> {
      MHP_TRY(wire::IndexPart parsed, wire::parse_index_part(object));
      for (wire::IndexedSegment& segment : parsed.segments) {
        const ClaimId claim = claim_of(segment);
        if (listed_.contains(claim) || vault_.claims_.of(claim) != Trust::proven) continue;
        if (!vouched_.insert(claim).second) continue;
        if (is_needed(segment)) needed.push_back(segment);
        vanished.push_back(std::move(segment));
      }
      return {};
    };
    MHP_CO_TRY_VOID(co_await vault_.platform_.workers().run(find));
    for (const wire::IndexedSegment& segment : needed) {
      MHP_CO_TRY_VOID(co_await prove_places_of(segment));
    }
    MHP_CO_TRY_VOID(co_await judge_differing());
    for (wire::IndexedSegment& segment : needed) {
      if (!is_needed(segment)) continue;
      MHP_CO_TRY(const bool is_displaced, note_false(segment));
      vault_.displaced_.segments += is_displaced;
      if (!is_displaced) vault_.only_moved_.insert(segment.segment);
      again_.push_back(std::move(segment));
    }
    auto sort_out = [&] {
      for (wire::IndexedSegment& segment : vanished) {
        const std::size_t bytes = part_bytes_of(segment);
        if (is_settled(segment) || unsettled_bytes_ + bytes > kMostFormerBytes) continue;
        unsettled_bytes_ += bytes;
        unsettled_.push_back(std::move(segment));
      }
    };
    co_await vault_.platform_.workers().run(sort_out);
    co_return Result<void>{};
  }

  bool has_proof(const std::vector<Index::Found>& places) const {
    return std::ranges::any_of(places, [this](const Index::Found& found) {
      return vault_.index_.trust(found.place.segment) == Trust::proven && !vault_.index_.is_gone(found.place.segment);
    });
  }
  /// All of it is proven elsewhere.
  bool is_settled(const wire::IndexedSegment& segment) const {
    return std::ranges::all_of(segment.directory.chunks, [this](const wire::ChunkEntry& chunk) {
      return has_proof(vault_.index_.named_places(chunk.id));
    });
  }

  /// What the index names nowhere was forgotten, as far as anybody can tell who has not followed all snapshots.
  bool is_needed(const wire::IndexedSegment& segment) const {
    return std::ranges::any_of(segment.directory.chunks, [this](const wire::ChunkEntry& chunk) {
      const auto places = vault_.index_.named_places(chunk.id);
      return !places.empty() && !has_proof(places);
    });
  }

  /// A segment that is said to have a chunk of this one, from chunk number `from` on, and that nobody has read yet.
  std::optional<std::uint32_t> next_to_prove(const wire::IndexedSegment& segment, std::size_t& from) const {
    for (; from < segment.directory.chunks.size(); ++from) {
      const auto places = vault_.index_.places(segment.directory.chunks[from].id);
      if (has_proof(places)) continue;
      const auto next = std::ranges::find_if(places, [this](const Index::Found& found) {
        return !vault_.index_.is_gone(found.place.segment) && !tried_.contains(found.place.segment);
      });
      if (next != places.end()) return next->place.segment;
    }
    return std::nullopt;
  }

  Task<Result<void>> prove_places_of(const wire::IndexedSegment& segment) {
    std::size_t from = 0;
    for (auto number = next_to_prove(segment, from); number; number = next_to_prove(segment, from)) {
      MHP_CO_TRY(const IndexedPlace place, vault_.index_.segment(*number));
      if (left_bytes_ < place.plain_bytes) co_return Result<void>{};
      tried_.insert(*number);
      const std::uint64_t read = co_await prove(*number, place);
      left_bytes_ -= std::min(left_bytes_, read);
    }
    co_return Result<void>{};
  }

  /// What was read, whatever the index says of its length. Of what cannot be read that is not known: the most there is.
  Task<std::uint64_t> prove(std::uint32_t number, IndexedPlace place) {
    const auto own = co_await read_and_compare(vault_, place.id);
    if (!own) {
      const bool is_untrue = own.error().code == Errc::corrupt && co_await are_its_rows_whole(place.id);
      if (is_untrue) learn(number, place.claim, Trust::untrue);
      co_return std::max<std::uint64_t>(place.plain_bytes, wire::kMaxSegmentBytes);
    }
    if (claim_of(*own) == place.claim) {
      learn(number, place.claim, Trust::proven);
    } else {
      differing_.push_back(number);
    }
    co_return std::max(place.plain_bytes, own->plain_bytes);
  }

  /// These segments are true, and the index says something else of them, or leaves chunks out, as older programs did.
  Task<Result<void>> judge_differing() {
    for (std::size_t at = 0; at < differing_.size(); at += kJudgedAtOnce) {
      const auto some = std::span(differing_).subspan(at, std::min(kJudgedAtOnce, differing_.size() - at));
      MHP_CO_TRY_VOID(co_await vault_.confirm(std::vector(some.begin(), some.end())));
      for (const std::uint32_t number : some) {
        MHP_CO_TRY(const IndexedPlace place, vault_.index_.segment(number));
        if (vault_.index_.trust(number) == Trust::confirmed) learn(number, place.claim, Trust::proven);
      }
    }
    differing_.clear();
    co_return Result<void>{};
  }

  void learn(std::uint32_t number, const ClaimId& claim, Trust trust) {
    vault_.claims_.learn(claim, trust);
    vault_.index_.note_trust(number, trust);
  }

  /// Then what cannot be read or differs is the fault of who sealed it, and of no home.
  Task<bool> are_its_rows_whole(SegmentId segment) {
    auto located = co_await vault_.homes_.locate(segment);
    if (!located) co_return false;
    Survey survey(vault_);
    const auto verdict = co_await survey.verify(*located);
    survey.save_bad_rows();
    take_out(located->holders, verdict.unread);
    take_out(located->holders, verdict.bad);
    co_return rows_of(located->holders).size() >= located->card.k;
  }

  /// True where all that the index names for a chunk of it is false: then this is no other device's moving together.
  Result<bool> note_false(const wire::IndexedSegment& segment) {
    bool is_displaced = false;
    for (const wire::ChunkEntry& chunk : segment.directory.chunks) {
      const auto named = vault_.index_.named_places(chunk.id);
      if (named.empty() || !vault_.index_.places(chunk.id).empty()) continue;
      is_displaced = true;
      for (const Index::Found& found : named) {
        MHP_TRY(const IndexedPlace place, vault_.index_.segment(found.place.segment));
        false_.insert(place.claim);
      }
    }
    return is_displaced;
  }

  /// As far as homes still have it. What they were told of it is taken back.
  Task<Result<void>> list_again() {
    std::vector<SegmentId> ids;
    for (const wire::IndexedSegment& segment : again_) ids.push_back(segment.segment);
    Survey survey(vault_);
    co_await survey.take(std::move(ids));
    for (wire::IndexedSegment& segment : again_) {
      const bool is_there = co_await survey.can_be_read(segment.segment);
      const bool may_come = !survey.holders(segment.segment).empty() && vault_.homes_.missing() > 0;
      if (!is_there && !may_come) continue;
      if (!is_there) vault_.gone_.insert(segment.segment);
      if (is_there) co_await note_margin(survey, segment.segment);
      MHP_CO_TRY_VOID(vault_.index_.add(segment));
      vault_.relisted_.insert(vault_.index_.segment_numbers() - 1);
      vault_.unlisted_.push_back(std::move(segment));
    }
    vault_.index_.set_gone(vault_.gone_);
    co_await vault_.reprieve(survey);
    co_return Result<void>{};
  }

  Task<> note_margin(Survey& survey, SegmentId segment) {
    const auto located = co_await survey.locate(segment);
    if (!located) co_return;
    const int margin = vault_.homes_.margin_of(*located);
    vault_.unlisted_margin_ = std::min(vault_.unlisted_margin_.value_or(margin), margin);
  }

  /// Blocking.
  void remember(bool all_read) {
    std::ranges::sort(unsettled_, {}, &wire::IndexedSegment::segment);  // so that the same has the same names
    std::vector<wire::PhysicalRef> refs = std::move(waiting_);
    wire::IndexPart part;
    std::size_t bytes = 0;
    for (std::size_t i = 0; i < unsettled_.size(); ++i) {
      bytes += part_bytes_of(unsettled_[i]);
      part.segments.push_back(std::move(unsettled_[i]));
      if (i + 1 < unsettled_.size() && bytes < kFormerPartBytes) continue;
      refs.push_back(keep_in_cache(wire::encode(part)));
      part.segments.clear();
      bytes = 0;
    }
    vault_.former_parts_.set(std::move(refs));
    listed_.merge(vouched_);
    if (all_read) vault_.claims_.keep_only(listed_);
  }

  /// It lies nowhere else.
  wire::PhysicalRef keep_in_cache(const Bytes& object) {
    const auto& secret = vault_.record().keys.dedup_secret;
    const auto id = ChunkId::from_array(primitives::blake3_keyed(secret, object));
    vault_.objects_.keep_once(id, object);
    return {.segment = SegmentId(), .chunk = id};
  }

  VaultImpl& vault_;
  std::uint64_t left_bytes_;
  VaultImpl::ClaimIds listed_;
  VaultImpl::ClaimIds vouched_;  // proven, and listed no more
  VaultImpl::ClaimIds false_;    // what is said in the place of these
  std::unordered_set<std::uint32_t> tried_;
  std::vector<std::uint32_t> differing_;  // numbers of claims that differ from what was read
  Segments again_;
  Segments unsettled_;  // something in them may be needed again
  std::size_t unsettled_bytes_ = 0;
  std::vector<wire::PhysicalRef> waiting_;  // parts that cannot be read now, or that this device does not list yet
};

}  // namespace

Task<std::vector<wire::PhysicalRef>> VaultImpl::own_parts() {
  const std::vector<CheckedHead> own = own_chain();
  if (own.empty()) co_return std::vector<wire::PhysicalRef>();
  const auto root = open_root(own.back());
  if (!root) co_return std::vector<wire::PhysicalRef>();
  auto top = co_await load_top(*root);
  if (!top) co_return std::vector<wire::PhysicalRef>();
  co_return std::move(top->parts);
}

void VaultImpl::forget_former_parts() {
  std::vector<wire::PhysicalRef> refs = former_parts_.refs();
  std::erase_if(refs, [this](const wire::PhysicalRef& ref) {
    return std::ranges::none_of(parts_, [&](const KnownPart& known) { return known.ref == ref; });
  });
  former_parts_.set(std::move(refs));
}

Task<Result<void>> VaultImpl::keep_proven(std::uint64_t reread_bytes) {
  displaced_ = {};
  only_moved_.clear();
  ProvenKeeper keeper(*this, reread_bytes);
  co_return co_await keeper.run();
}

}  // namespace mhp::vault::impl
