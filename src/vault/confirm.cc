// Compares what the index says of segments, by whatever device's word, with what the segments say of themselves.
#include <algorithm>

#include "platform/nursery.h"
#include "vault/impl/vault_impl.h"
#include "wire/signed.h"

namespace mhp::vault::impl {
namespace {

constexpr std::size_t kReadsAtOnce = 8;  // each some 64 KiB of a segment, and a home's answer or two

/// A segment whose index entry is asked about.
struct Question {
  std::uint32_t number = 0;
  IndexedPlace place;
  Result<wire::IndexedSegment> answer = fail(Errc::canceled, "segment: not read");
};

/// Borrowed: the caller joins.
Task<> ask(SegmentReader& reader, Question& question, platform::Semaphore& turns) {
  co_await turns.take();
  platform::Permit permit(turns);
  question.answer = co_await reader.own_word(question.place.id);
}

Task<> ask_all(SegmentReader& reader, std::vector<Question>& questions) {
  auto executor = co_await asio::this_coro::executor;
  platform::Semaphore turns(executor, kReadsAtOnce);
  platform::Nursery scope(executor);
  for (Question& question : questions) scope.start(ask(reader, question, turns));
  co_await scope.join();
}

using Entries = std::unordered_map<ChunkId, wire::ChunkEntry, IdHash>;

bool has_entry(const Entries& entries, const ChunkSlot& slot) {
  const ChunkPlace place = slot.place();
  const wire::ChunkEntry entry{.id = slot.id, .bundle = place.bundle, .offset = place.offset, .bytes = place.bytes};
  auto own = entries.find(slot.id);
  return own != entries.end() && own->second == entry;
}

/// Whether all that the index says of these segments is so: an index may leave chunks out. By segment number.
Result<std::unordered_map<std::uint32_t, bool>> compare(const Index& index, const std::vector<Question*>& questions) {
  std::unordered_map<std::uint32_t, bool> out;
  if (questions.empty()) return out;
  std::unordered_map<std::uint32_t, Entries> own;
  for (const Question* question : questions) {
    const wire::IndexedSegment& says = *question->answer;
    out[question->number] = says.plain_bytes == question->place.plain_bytes && says.epoch == question->place.epoch &&
                            says.directory.bundles == question->place.bundles && !says.directory.index;
    for (const wire::ChunkEntry& entry : says.directory.chunks) own[question->number].emplace(entry.id, entry);
  }
  MHP_TRY_VOID(index.each_chunk([&](std::uint64_t, const ChunkSlot& slot) {
    auto asked = own.find(slot.segment);
    if (asked != own.end() && !has_entry(asked->second, slot)) out[slot.segment] = false;
  }));
  return out;
}

}  // namespace

Task<Result<VaultImpl::Confirmed>> VaultImpl::confirm(std::vector<std::uint32_t> numbers) {
  Confirmed out;
  std::vector<Question> questions;
  for (std::uint32_t number : numbers) {
    MHP_CO_TRY(IndexedPlace place, index_.segment(number));
    questions.push_back({.number = number, .place = std::move(place)});
  }
  co_await ask_all(reader_, questions);
  std::vector<Question*> differing;
  for (Question& question : questions) {
    if (!question.answer) {
      out.unread = question.answer.error();
    } else if (claim_of(*question.answer) == question.place.claim) {
      claims_.learn(question.place.claim, Trust::confirmed);
    } else {
      differing.push_back(&question);
    }
  }
  auto job = [&] { return compare(index_, differing); };
  MHP_CO_TRY(auto is_so, co_await platform_.workers().run(job));
  for (const Question* question : differing) {
    const bool is_true = is_so[question->number];
    claims_.learn(question->place.claim, is_true ? Trust::confirmed : Trust::is_false);
    if (!is_true) out.is_false.insert(question->place.claim);
    if (!is_true && out.contradiction.empty()) out.contradiction = co_await who_says(question->place.claim);
  }
  auto take_up = [this] {
    claims_.save();
    return index_.set_trust(claims_);
  };
  MHP_CO_TRY_VOID(co_await platform_.workers().run(take_up));
  co_return out;
}

/// Which of `claims` a part makes. CPU.
static std::uint64_t count_claims(ByteView object, VaultImpl::ClaimIds& claims) {
  const auto part = wire::parse_index_part(object);
  if (!part) return 0;
  return static_cast<std::uint64_t>(std::ranges::count_if(
      part->segments, [&](const wire::IndexedSegment& segment) { return claims.erase(claim_of(segment)) > 0; }));
}

Task<std::vector<FalseClaims>> VaultImpl::who_makes(ClaimIds claims) {
  std::vector<FalseClaims> out;
  for (const KnownPart& known : parts_) {
    if (claims.empty()) break;
    const auto object = co_await objects_.load(known.ref);
    if (!object) continue;
    auto count = [&] { return count_claims(*object, claims); };
    const std::uint64_t found = co_await platform_.workers().run(count);
    if (found == 0) continue;
    auto located = co_await homes_.locate(known.ref.segment);
    auto envelope =
        located ? wire::parse_signed(located->signed_card, wire::kMaxCardBytes) : fail(Errc::not_found, "no card");
    if (!envelope) continue;
    const auto writer = DeviceId::from_array(envelope->signer);
    auto one = std::ranges::find(out, writer, &FalseClaims::device);
    if (one == out.end()) {
      const auto newest =
          std::ranges::find(snapshots_.rbegin(), snapshots_.rend(), writer, &wire::SnapshotRecord::device);
      one = out.insert(out.end(), {.device = writer});
      if (newest != snapshots_.rend()) one->computer = newest->host;
    }
    one->claims += found;
  }
  co_return out;
}

Task<std::string> VaultImpl::who_says(ClaimId claim) {
  ClaimIds one;
  one.insert(claim);
  std::string out = "the index";
  const std::vector<FalseClaims> makers = co_await who_makes(std::move(one));
  for (const FalseClaims& by : makers) {
    out += ", in a part that device " + by.device.short_hex();
    if (!by.computer.empty()) out += " (computer " + by.computer + ")";
    out += " wrote, copied or repaired";
  }
  out +=
      ", says of chunks that they lie where they do not (is a computer of yours in wrong hands?): nothing relies on it "
      "now";
  co_return out;
}

Task<Result<void>> VaultImpl::take_up_claims() {
  auto take_up = [this] { return index_.set_trust(claims_); };
  MHP_CO_TRY_VOID(co_await platform_.workers().run(take_up));
  std::vector<Question> belied;
  for (std::uint32_t number = 0; number < index_.segment_numbers(); ++number) {
    if (index_.trust(number) != Trust::is_false) continue;
    MHP_CO_TRY(IndexedPlace place, index_.segment(number));
    belied.push_back({.number = number, .place = std::move(place)});
  }
  if (belied.empty()) co_return Result<void>{};
  co_await ask_all(reader_, belied);
  for (Question& question : belied) {
    if (!question.answer || question.answer->directory.index || belied_.contains(question.place.id)) continue;
    belied_.insert(question.place.id);
    wire::IndexedSegment& own = *question.answer;
    claims_.learn(claim_of(own), Trust::confirmed);
    MHP_CO_TRY_VOID(index_.add(own));
    unlisted_.push_back(std::move(own));
  }
  MHP_CO_TRY_VOID(co_await platform_.workers().run(take_up));
  co_return Result<void>{};
}

}  // namespace mhp::vault::impl
