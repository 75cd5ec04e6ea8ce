// Who holds which rows of a segment: asks all homes at once and believes only cards that the owner signed.
#include <algorithm>
#include <bitset>
#include <map>

#include "dispersal/card_choice.h"
#include "dispersal/impl/set.h"
#include "wire/signed.h"

namespace mhp::dispersal::impl {
namespace {

using RowSet = std::bitset<256>;

class Locator {
 public:
  Locator(Set& set, const SegmentId& segment, bool patient)
      : set_(set), segment_(segment), patient_(patient), course_(set.platform), answers_(set.members.size()) {}

  Task<Result<std::vector<Located>>> run() {
    co_await course_.run(ask_all());
    name_the_silent();
    if (asked_ == 0) co_return set_.too_few("no home can be reached" + set_.troubles_in_words());
    std::vector<Located> found = choose();
    if (!found.empty()) co_return found;
    const bool all_said_no = answered_ == asked_ && !failed_;
    const std::string reason = "no home has a good card of segment " + segment_.short_hex() + set_.troubles_in_words();
    if (all_said_no) co_return fail(Errc::not_found, reason);
    co_return set_.too_few(reason);
  }

 private:
  struct Answer {
    bool asked = false;
    bool came = false;
    std::vector<std::uint8_t> rows;
    Bytes signed_card;
    const wire::Card* card = nullptr;  // in cards_; null where it holds nothing or its card is bad
  };

  Task<> ask_all() {
    start_ = course_.now();
    for (std::size_t i = 0; i < set_.members.size(); ++i) {
      if (set_.members[i].home == nullptr) {
        set_.report(i, TroubleKind::away, set_.members[i].away_reason);
        continue;
      }
      answers_[i].asked = true;
      ++asked_;
      course_.start(ask(i));
    }
    while (answered_ < asked_) {
      const Nanoseconds until = deadline();
      if (course_.now() >= until) break;
      course_.wake_at(until);
      co_await course_.next();
    }
  }

  Task<> ask(std::size_t member) {
    Result<home::Holding> got = co_await set_.members[member].home->find(segment_);
    ++answered_;
    finished_.push_back(course_.now() - start_);
    Answer& answer = answers_[member];
    answer.came = true;
    if (!got) {
      if (got.error().code == Errc::not_found) co_return;
      failed_ = true;
      set_.report_failure(member, got.error());
      set_.suspect(member);
      co_return;
    }
    answer.card = read_card(member, got->signed_card);
    answer.rows = std::move(got->rows);
    answer.signed_card = std::move(got->signed_card);
  }

  /// When waiting ends although not all have answered. One who reads has enough with k rows, and gives the others a
  /// fair time.
  Nanoseconds deadline() {
    if (patient_ || !can_read()) return start_ + set_.patience.read();
    const bool only_suspects_left = [&] {
      for (std::size_t i = 0; i < answers_.size(); ++i) {
        if (answers_[i].asked && !answers_[i].came && !set_.is_suspect(i)) return false;
      }
      return true;
    }();
    return only_suspects_left ? course_.now() : start_ + hedge_delay(finished_, set_.recent_reads);
  }

  bool can_read() const {
    RowSet rows;
    std::uint32_t k = UINT32_MAX;
    for (const Answer& answer : answers_) {
      if (answer.card == nullptr) continue;
      k = answer.card->k;
      for (std::uint8_t row : answer.rows) rows.set(row);
    }
    return rows.count() >= k;
  }

  /// Null where it is not the owner's card of this segment. Cards are equal nearly always: each is checked once.
  const wire::Card* read_card(std::size_t member, const Bytes& signed_card) {
    auto [at, fresh] = cards_.try_emplace(signed_card);
    if (fresh) at->second = check(signed_card);
    if (at->second) return &*at->second;
    failed_ = true;
    set_.report(member, TroubleKind::wrong_card, "its card of segment " + segment_.short_hex() + " is not the owner's");
    set_.suspect(member);
    return nullptr;
  }

  std::optional<wire::Card> check(const Bytes& signed_card) const {
    const Result<wire::Signed> envelope = wire::parse_signed(signed_card, wire::kMaxCardBytes);
    if (!envelope || !set_.trusted.contains(envelope->signer) || !wire::verify(*envelope, wire::kSignCard)) return {};
    Result<wire::Card> card = wire::parse_card(envelope->body);
    if (!card || card->segment != segment_ || card->vault != set_.vault) return {};
    return std::move(*card);
  }

  void name_the_silent() {
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      if (!answers_[i].asked || answers_[i].came) continue;
      if (!set_.is_suspect(i)) set_.report(i, TroubleKind::slow, "did not answer in time");
      set_.suspect(i);
    }
  }

  /// What may be the segment, most likely first (cards_to_try); homes whose card contradicts the first are named.
  std::vector<Located> choose() {
    std::vector<const Answer*> with_card;  // one of each card
    std::vector<ShownCard> shown;
    for (const Answer& answer : answers_) {
      if (answer.card == nullptr) continue;
      const auto known = std::ranges::find_if(shown, [&](const ShownCard& card) { return card.card == answer.card; });
      if (known == shown.end()) {
        with_card.push_back(&answer);
        shown.push_back({.card = answer.card, .homes = 1});
      } else {
        ++known->homes;
      }
    }
    const std::vector<std::size_t> to_try = cards_to_try(shown);
    std::vector<Located> found;
    if (to_try.size() == 1) found.push_back(located_by(*with_card[to_try.front()], /*of_all=*/true));
    if (to_try.size() <= 1) return found;
    // Who has a wrong card may have good rows, but nobody is to be blamed for rows that only a wrong card calls bad.
    for (const bool of_all : {false, true}) {
      for (const std::size_t i : to_try) found.push_back(located_by(*with_card[i], of_all));
    }
    name_who_contradicts(found.front().card);
    return found;
  }

  /// Where most homes agree. Where they are even, reading tells who is right.
  void name_who_contradicts(const wire::Card& believed) {
    std::vector<std::size_t> others;
    std::size_t with_card = 0;
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      if (answers_[i].card == nullptr) continue;
      ++with_card;
      if (contradict(*answers_[i].card, believed)) others.push_back(i);
    }
    if (2 * others.size() >= with_card) return;
    for (const std::size_t i : others) {
      set_.report(i, TroubleKind::wrong_card,
                  "its card of segment " + segment_.short_hex() + " contradicts that of most homes");
    }
  }

  /// Rows count where the card names them: `of_all`, whoever holds them, else only where the holder's card agrees.
  Located located_by(const Answer& source, bool of_all) const {
    Located located{.card = *source.card, .signed_card = source.signed_card, .holders = {}};
    for (std::size_t i = 0; i < answers_.size(); ++i) {
      if (answers_[i].card == nullptr) continue;
      if (!of_all && contradict(*answers_[i].card, *source.card)) continue;
      Holder holder{.member = i, .rows = {}, .card_version = answers_[i].card->version};
      RowSet rows;
      for (std::uint8_t row : answers_[i].rows) {
        if (row < located.card.n()) rows.set(row);
      }
      for (std::size_t row = 0; row < rows.size(); ++row) {
        if (rows[row]) holder.rows.push_back(static_cast<std::uint8_t>(row));
      }
      located.holders.push_back(std::move(holder));
    }
    return located;
  }

  Set& set_;
  const SegmentId segment_;
  const bool patient_;
  Course course_;
  Nanoseconds start_{};
  std::size_t asked_ = 0;
  std::size_t answered_ = 0;
  bool failed_ = false;
  std::vector<Nanoseconds> finished_;
  std::vector<Answer> answers_;  // by member
  std::map<Bytes, std::optional<wire::Card>> cards_;
};

}  // namespace

Task<Result<std::vector<Located>>> locate(Set& set, SegmentId segment, bool patient) {
  Locator locator(set, segment, patient);
  co_return co_await locator.run();
}

}  // namespace mhp::dispersal::impl
