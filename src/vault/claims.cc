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

/// What is known of a claim after something was learned of it.
Trust after(Trust known, Trust learned) {
  const bool was_compared = known == Trust::proven || known == Trust::untrue;
  return was_compared && learned == Trust::confirmed ? known : learned;
}

}  // namespace

ClaimId claim_of(const wire::IndexedSegment& segment) {
  return ClaimId::from_array(primitives::blake3(wire::encode(wire::IndexPart{.segments = {segment}})));
}

std::optional<KnownClaims::TrustOf> KnownClaims::in_file() const {
  auto bytes = platform::read_file(state_.disk(), path(), kMark.size() + kMaxClaims * kEntryBytes + kSumBytes);
  if (!bytes || bytes->size() < kMark.size() + kSumBytes) return std::nullopt;
  const ByteView all = ByteView(*bytes).first(bytes->size() - kSumBytes);
  ByteView entries = all.subspan(kMark.size());
  const bool is_whole = std::ranges::equal(all.first(kMark.size()), as_bytes(kMark)) &&
                        std::ranges::equal(primitives::blake3(all), ByteView(*bytes).last(kSumBytes)) &&
                        entries.size() % kEntryBytes == 0;
  if (!is_whole) return std::nullopt;
  TrustOf out;
  out.reserve(entries.size() / kEntryBytes);
  for (; !entries.empty(); entries = entries.subspan(kEntryBytes)) {
    out.emplace(ClaimId::from_bytes(entries.first(32)), static_cast<Trust>(entries[32]));
  }
  return out;
}

void KnownClaims::read() {
  auto found = in_file();
  if (!found) return;
  trust_ = std::move(*found);
  for (const ClaimId& claim : forgotten_) trust_.erase(claim);
  for (const auto& [claim, learned] : learned_) {
    const bool has_room = trust_.size() < kMaxClaims || trust_.contains(claim);
    if (has_room) trust_[claim] = after(of(claim), learned);
  }
}

Trust KnownClaims::of(const ClaimId& claim) const {
  auto known = trust_.find(claim);
  return known == trust_.end() ? Trust::unknown : known->second;
}

void KnownClaims::learn(const ClaimId& claim, Trust trust) {
  if (trust_.size() >= kMaxClaims && !trust_.contains(claim)) return;
  Trust& known = trust_[claim];
  const Trust now = after(known, trust);
  if (known == now) return;
  known = learned_[claim] = now;
  forgotten_.erase(claim);
}

void KnownClaims::keep_only(const std::unordered_set<ClaimId, IdHash>& claims) {
  std::erase_if(trust_, [&](const auto& known) {
    const bool goes = !claims.contains(known.first);
    if (goes) forgotten_.insert(known.first);
    if (goes) learned_.erase(known.first);
    return goes;
  });
}

Bytes KnownClaims::encoded() const {
  Bytes out = to_bytes(as_bytes(kMark));
  out.reserve(kMark.size() + trust_.size() * kEntryBytes + kSumBytes);
  for (const auto& [claim, trust] : trust_) {
    out.insert(out.end(), claim.bytes().begin(), claim.bytes().end());
    out.push_back(static_cast<std::byte>(trust));
  }
  const auto sum = primitives::blake3(out);
  out.insert(out.end(), sum.begin(), sum.end());
  return out;
}

void KnownClaims::save() {
  const bool is_saved = learned_.empty() && forgotten_.empty();
  if (is_saved || !state_.disk().make_folder(state_.cache_folder())) return;
  read();
  if (!platform::replace_file(state_.disk(), path(), encoded())) return;
  learned_.clear();
  forgotten_.clear();
}

}  // namespace mhp::vault::impl
