// The file of what is known of claims: a mark, ids with a byte each, a sum over all of it.
#include "vault/impl/claims.h"

#include <algorithm>

#include "primitives/hash/blake3.h"

namespace mhp::vault::impl {
namespace {

constexpr std::string_view kMark = "mhpclm01";
constexpr std::size_t kEntryBytes = 33;
constexpr std::size_t kSumBytes = 32;
constexpr std::size_t kMaxClaims = 4'000'000;  // some 30 TB; of more the rest is found out again

}  // namespace

ClaimId claim_of(const wire::IndexedSegment& segment) {
  return ClaimId::from_array(primitives::blake3(wire::encode(wire::IndexPart{.segments = {segment}})));
}

void KnownClaims::read() {
  auto bytes = platform::read_file(state_.disk(), path(), kMark.size() + kMaxClaims * kEntryBytes + kSumBytes);
  if (!bytes || bytes->size() < kMark.size() + kSumBytes) return;
  const ByteView all = ByteView(*bytes).first(bytes->size() - kSumBytes);
  ByteView entries = all.subspan(kMark.size());
  const bool is_whole = std::ranges::equal(all.first(kMark.size()), as_bytes(kMark)) &&
                        std::ranges::equal(primitives::blake3(all), ByteView(*bytes).last(kSumBytes)) &&
                        entries.size() % kEntryBytes == 0;
  if (!is_whole) return;
  trust_.clear();
  for (; !entries.empty(); entries = entries.subspan(kEntryBytes)) {
    trust_.emplace(ClaimId::from_bytes(entries.first(32)), static_cast<Trust>(entries[32]));
  }
}

Trust KnownClaims::of(const ClaimId& claim) const {
  auto known = trust_.find(claim);
  return known == trust_.end() ? Trust::unknown : known->second;
}

void KnownClaims::learn(const ClaimId& claim, Trust trust) {
  if (trust_.size() >= kMaxClaims && !trust_.contains(claim)) return;
  Trust& known = trust_[claim];
  const bool was_compared = known == Trust::proven || known == Trust::untrue;
  if (was_compared && trust == Trust::confirmed) return;
  is_saved_ = is_saved_ && known == trust;
  known = trust;
}

void KnownClaims::keep_only(const std::unordered_set<ClaimId, IdHash>& claims) {
  const auto gone = std::erase_if(trust_, [&](const auto& known) { return !claims.contains(known.first); });
  is_saved_ = is_saved_ && gone == 0;
}

void KnownClaims::save() {
  if (is_saved_ || !state_.disk().make_folder(state_.cache_folder())) return;
  Bytes out = to_bytes(as_bytes(kMark));
  out.reserve(kMark.size() + trust_.size() * kEntryBytes + kSumBytes);
  for (const auto& [claim, trust] : trust_) {
    out.insert(out.end(), claim.bytes().begin(), claim.bytes().end());
    out.push_back(static_cast<std::byte>(trust));
  }
  const auto sum = primitives::blake3(out);
  out.insert(out.end(), sum.begin(), sum.end());
  is_saved_ = platform::replace_file(state_.disk(), path(), out).has_value();
}

}  // namespace mhp::vault::impl
