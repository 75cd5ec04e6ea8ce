// The reading half of FragmentLog: short looks at the index under its mutex, then the disk without it.
#include <algorithm>

#include "home/impl/fragment_log.h"
#include "home/impl/verify.h"
#include "wire/card_agreement.h"
#include "wire/fragment.h"
#include "wire/signed.h"

namespace mhp::home::impl {
namespace {

constexpr std::size_t kPageLimit = 10'000;
constexpr std::size_t kCardsAtOnce = 1'000;
/// Segments with several records that a list looks into, where nobody has yet: two seeks each, at most some seconds on
/// a slow disk. After a repair all segments have several; what is beyond is judged by whoever reads it.
constexpr std::size_t kJudgedInList = 256;

tl::unexpected<Error> not_held(const SegmentId& segment) {
  return fail(Errc::not_found, "segment " + segment.short_hex() + " is not held here");
}

/// Whether `seed` draws this row: the same for the same seed, `percent` of all in the mean. SplitMix64's last step.
bool is_drawn(const SegmentId& segment, std::uint8_t row, unsigned percent, std::uint64_t seed) {
  if (percent >= 100) return true;
  std::uint64_t z = seed + IdHash()(segment) + 0x9E3779B97F4A7C15 * (row + 1ull);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  return (z ^ (z >> 31)) % 100 < percent;
}

}  // namespace

/// Looks again where a log that it needs has been removed meanwhile (Errc::busy): its records are in another one by
/// now.
template <class Look>
auto FragmentLog::retrying(Look look) -> decltype(look()) {
  constexpr int kTries = 64;  // a purge removes one log after the other, and each look may meet another one
  for (int tries = 1;; ++tries) {
    auto result = look();
    if (result || result.error().code != Errc::busy) return result;
    if (tries == kTries) {
      result.error().code = Errc::unavailable;
      return result;
    }
    std::lock_guard lock(mutex_);
    if (!writing_) loaded_ = false;  // who writes knows: only its look was too old
  }
}

/// Of several records of one segment those do not count whose card contradicts that of the first that came with rows:
/// put() takes none such, so it was written past it. Else one card with a high version, by whoever has a key of the
/// vault's and the folder, would make all rows count for nothing.
Result<void> FragmentLog::judge(std::unique_lock<std::mutex>& lock, const HeldKey& key) {
  const auto records = index_.to_judge(key);
  if (records.empty()) return {};
  lock.unlock();
  std::vector<std::pair<wire::LogPlace, wire::Card>> cards;
  std::optional<wire::Card> first;
  for (const HeldIndex::Held& record : records) {
    auto file = open_log(record.front.place.log);
    if (!file && file.error().code == Errc::busy) return pass(file);
    auto front = file ? read_front(**file, record.front, key.segment) : Result<wire::RecordFront>(pass(file));
    if (!front && front.error().code != Errc::corrupt) {  // it may well be the first: who looks next judges
      lock.lock();
      return {};
    }
    auto card = front ? card_in(*front) : Result<wire::Card>(pass(front));
    if (!card) continue;  // damaged: whoever needs it finds that
    if (!first && record.has_rows) first = *card;
    cards.emplace_back(record.front.place, std::move(*card));
  }
  std::vector<wire::LogPlace> aside;
  for (const auto& [place, card] : cards) {
    if (first && wire::contradict(*first, card)) aside.push_back(place);
  }
  lock.lock();
  const bool is_as_before = index_.to_judge(key).size() == records.size();  // else: with the next look
  if (is_as_before) index_.note_judged(key, aside);
  return {};
}

Result<Holding> FragmentLog::holding(std::unique_lock<std::mutex>& lock, const HeldKey& key) {
  MHP_TRY_VOID(judge(lock, key));
  const std::vector<FrontPlace> fronts = index_.fronts(key);
  Holding out;
  out.rows = index_.row_numbers(key);
  lock.unlock();
  Error problem = not_held(key.segment).value();
  for (const FrontPlace& place : fronts) {  // the newest card that can still be read
    auto file = open_log(place.place.log);
    if (!file) return pass(file);
    auto front = read_front(**file, place, key.segment);
    if (front) {
      out.signed_card = std::move(front->signed_card);
      return out;
    }
    problem = std::move(front.error());
  }
  return tl::unexpected<Error>(std::move(problem));
}

Result<HeldKey> FragmentLog::first_of(const SegmentId& segment) {
  return retrying([&]() -> Result<HeldKey> {
    std::lock_guard lock(mutex_);
    MHP_TRY_VOID(ensure_loaded());
    if (!index_.first_of(segment)) {
      MHP_TRY_VOID(refresh());
    }
    const auto key = index_.first_of(segment);
    return key ? Result<HeldKey>(*key) : not_held(segment);
  });
}

Result<Holding> FragmentLog::find(const HeldKey& key) {
  return retrying([&]() -> Result<Holding> {
    std::unique_lock lock(mutex_);
    MHP_TRY_VOID(ensure_loaded());
    if (!index_.holds(key)) {
      MHP_TRY_VOID(refresh());
    }
    if (!index_.holds(key)) return not_held(key.segment);
    return holding(lock, key);
  });
}

Result<std::pair<SegmentId, std::uint8_t>> FragmentLog::find_fragment(const FragmentId& fragment) {
  HeldKey after;
  for (bool more = true; more;) {
    const auto look = [&]() -> Result<std::vector<HeldKey>> {
      std::lock_guard lock(mutex_);
      MHP_TRY_VOID(ensure_loaded());
      if (after == HeldKey()) {
        MHP_TRY_VOID(refresh());
      }
      return index_.keys(after, kCardsAtOnce);
    };
    MHP_TRY(const std::vector<HeldKey> some, retrying(look));
    for (const HeldKey& key : some) {
      const auto held = find(key);
      if (!held) continue;  // a damaged card: scrub names it
      const auto envelope = wire::parse_signed(held->signed_card, wire::kMaxCardBytes);
      const auto card = envelope ? wire::parse_card(envelope->body) : Result<wire::Card>(not_held(key.segment));
      if (!card) continue;
      for (const std::uint8_t row : held->rows) {
        if (row < card->n() && card->fragments[row] == fragment) return std::pair(key.segment, row);
      }
    }
    more = some.size() == kCardsAtOnce;
    if (more) after = some.back();
  }
  return fail(Errc::not_found, "fragment " + fragment.short_hex() + " is not held here");
}

Result<std::vector<SegmentId>> FragmentLog::segments(const VaultId& vault, const SegmentId& after, std::size_t limit) {
  return retrying([&]() -> Result<std::vector<SegmentId>> {
    std::lock_guard lock(mutex_);
    MHP_TRY_VOID(ensure_loaded());
    if (after.is_zero()) {
      MHP_TRY_VOID(refresh());
    }
    return index_.segments(vault, after, limit);
  });
}

Result<HeldPage> FragmentLog::list(const VaultId& vault, const SegmentId& after, std::size_t limit) {
  return retrying([&]() -> Result<HeldPage> {
    limit = std::clamp<std::size_t>(limit, 1, kPageLimit);
    std::unique_lock lock(mutex_);
    MHP_TRY_VOID(ensure_loaded());
    if (after.is_zero()) {
      MHP_TRY_VOID(refresh());
    }
    std::vector<SegmentId> ids = index_.segments(vault, after, limit + 1);
    HeldPage page;
    page.more = ids.size() > limit;
    if (page.more) ids.pop_back();
    std::size_t judged = 0;
    for (std::size_t i = 0; i < ids.size() && judged < kJudgedInList; ++i) {
      if (index_.to_judge({vault, ids[i]}).empty()) continue;
      MHP_TRY_VOID(judge(lock, {vault, ids[i]}));
      ++judged;
    }
    page.segments.reserve(ids.size());
    for (const SegmentId& id : ids)
      page.segments.push_back({id, index_.card_version({vault, id}), index_.row_numbers({vault, id})});
    return page;
  });
}

Result<Bytes> FragmentLog::read(const HeldKey& key, std::uint8_t row, std::uint64_t offset, std::uint64_t bytes) {
  return retrying([&]() -> Result<Bytes> {
    std::optional<RowPlace> place;
    {
      std::unique_lock lock(mutex_);
      MHP_TRY_VOID(ensure_loaded());
      MHP_TRY_VOID(judge(lock, key));
      place = index_.row(key, row);
      if (!place) {
        MHP_TRY_VOID(refresh());
        MHP_TRY_VOID(judge(lock, key));
        place = index_.row(key, row);
      }
    }
    if (!place)
      return fail(Errc::not_found,
                  "segment " + key.segment.short_hex() + ": row " + std::to_string(row) + " is not held here");
    if (offset > place->bytes) return fail(Errc::invalid, "read behind the end of a fragment");
    MHP_TRY(const auto file, open_log(place->place.log));
    Bytes out(std::min<std::uint64_t>(bytes, place->bytes - offset));
    auto got = file->read_at(place->place.offset + offset, out);
    if (!got) {
      forget_files();  // a drive that went away and came back is another one to the open files
      return pass(got);
    }
    if (*got != out.size())
      return fail(Errc::corrupt,
                  "segment " + key.segment.short_hex() + ": row " + std::to_string(row) + " is cut short");
    return out;
  });
}

Result<std::vector<FragmentLog::Hold>> FragmentLog::minimum_holds(const VaultId& vault,
                                                                  std::span<const SegmentId> segments) {
  return retrying([&]() -> Result<std::vector<Hold>> {
    {
      std::lock_guard lock(mutex_);
      MHP_TRY_VOID(ensure_loaded());
      MHP_TRY_VOID(refresh());
    }
    std::vector<Hold> out;
    for (const SegmentId& segment : segments) {
      std::unique_lock lock(mutex_);
      if (!index_.holds({vault, segment})) continue;
      auto held = holding(lock, {vault, segment});
      if (!held && held.error().code != Errc::corrupt) return pass(held);
      const auto envelope =
          held ? wire::parse_signed(held->signed_card, wire::kMaxCardBytes) : Result<wire::Signed>(not_held(segment));
      const auto card = envelope ? wire::parse_card(envelope->body) : Result<wire::Card>(not_held(segment));
      if (card) out.push_back({segment, card->minimum_hold_s});
    }
    return out;
  });
}

Result<std::vector<std::uint64_t>> FragmentLog::bytes_of(const VaultId& vault, std::span<const SegmentId> segments) {
  return retrying([&]() -> Result<std::vector<std::uint64_t>> {
    std::lock_guard lock(mutex_);
    MHP_TRY_VOID(ensure_loaded());
    std::vector<std::uint64_t> out;
    for (const SegmentId& segment : segments) out.push_back(index_.bytes_of(HeldKey{vault, segment}));
    return out;
  });
}

Result<Usage> FragmentLog::usage_of(const VaultId& vault) {
  MHP_TRY(Usage out, usage());  // and another process's records are seen
  std::lock_guard lock(mutex_);
  out.used_bytes = index_.bytes_of(vault);
  return out;
}

Result<Usage> FragmentLog::usage() {
  Usage out;
  const auto look = [&]() -> Result<std::uint64_t> {
    std::lock_guard lock(mutex_);
    MHP_TRY_VOID(ensure_loaded());
    MHP_TRY_VOID(refresh());
    return used();
  };
  MHP_TRY(out.used_bytes, retrying(look));
  MHP_TRY(out.free_bytes, space_.room(out.used_bytes));
  return out;
}

/// Of the records that these rows stand in, one front each.
Result<std::vector<std::uint8_t>> FragmentLog::without_front(const SegmentId& segment, std::span<const RowPlace> rows) {
  std::vector<std::pair<wire::LogPlace, bool>> fronts;
  std::vector<std::uint8_t> out;
  for (const RowPlace& row : rows) {
    auto front = std::ranges::find(fronts, row.front.place, &std::pair<wire::LogPlace, bool>::first);
    if (front == fronts.end()) {
      MHP_TRY(const auto file, open_log(row.front.place.log));
      const auto read = read_front(*file, row.front, segment);
      if (!read && read.error().code != Errc::corrupt) return tl::unexpected<Error>(read.error());
      front = fronts.insert(fronts.end(), {row.front.place, read && card_in(*read)});
    }
    if (!front->second) out.push_back(row.row);
  }
  return out;
}

Result<std::vector<std::uint8_t>> FragmentLog::rows_at_risk(const SegmentId& segment) {
  MHP_TRY(const HeldKey key, first_of(segment));
  return retrying([&]() -> Result<std::vector<std::uint8_t>> {
    std::vector<RowPlace> rows;
    {
      std::lock_guard lock(mutex_);
      MHP_TRY_VOID(ensure_loaded());
      rows = index_.rows(key);
    }
    return without_front(segment, rows);
  });
}

Result<ScrubReport> FragmentLog::scrub_segment(const HeldKey& key, unsigned percent, std::uint64_t seed) {
  return retrying([&]() -> Result<ScrubReport> {
    std::vector<RowPlace> rows;
    std::vector<FrontPlace> fronts;
    {
      std::unique_lock lock(mutex_);
      MHP_TRY_VOID(ensure_loaded());
      MHP_TRY_VOID(judge(lock, key));
      rows = index_.rows(key);
      fronts = index_.fronts(key);
    }
    std::erase_if(rows, [&](const RowPlace& row) { return !is_drawn(key.segment, row.row, percent, seed); });
    ScrubReport report;
    if (rows.empty()) return report;
    Result<wire::Card> card = not_held(key.segment);
    for (const FrontPlace& place : fronts) {
      MHP_TRY(const auto file, open_log(place.place.log));
      const auto front = read_front(*file, place, key.segment);
      if (front) card = card_in(*front);
      if (front && card) break;
    }
    MHP_TRY(const auto at_risk, without_front(key.segment, rows));
    for (const RowPlace& row : rows) {
      MHP_TRY(const auto file, open_log(row.place.log));
      report.rows += 1;
      report.bytes += row.bytes;
      const bool has_front = !std::ranges::binary_search(at_risk, row.row);
      if (!card || !has_front || !check_row(*file, row, *card)) report.bad.emplace_back(key.segment, row.row);
    }
    return report;
  });
}

}  // namespace mhp::home::impl
