// What went wrong with homes, in words; who is left behind for it, and how long others are waited for.
#include <algorithm>
#include <utility>

#include "dispersal/impl/set.h"

namespace mhp::dispersal {

bool is_lie(TroubleKind kind) {
  switch (kind) {
    case TroubleKind::wrong_bytes:
    case TroubleKind::wrong_card:
    case TroubleKind::old_heads:
    case TroubleKind::forked_heads:
    case TroubleKind::wrong_record:
    case TroubleKind::damaged:
      return true;
    default:
      return false;
  }
}

bool refuses_writes(TroubleKind kind) { return kind <= TroubleKind::failed || kind == TroubleKind::refused; }

const char* to_string(TroubleKind kind) {
  switch (kind) {
    case TroubleKind::away:
      return "away";
    case TroubleKind::busy:
      return "in use";
    case TroubleKind::full:
      return "full";
    case TroubleKind::read_only:
      return "write-protected";
    case TroubleKind::refused:
      return "refuses";
    case TroubleKind::failed:
      return "failed";
    case TroubleKind::slow:
      return "slow";
    case TroubleKind::wrong_bytes:
      return "wrong bytes";
    case TroubleKind::wrong_card:
      return "wrong card";
    case TroubleKind::old_heads:
      return "old heads";
    case TroubleKind::forked_heads:
      return "forked heads";
    case TroubleKind::wrong_record:
      return "wrong vault record";
    case TroubleKind::damaged:
      return "damaged";
    case TroubleKind::bad_rows:
      return "damaged rows";
  }
  return "failed";
}

namespace impl {

void Set::report(std::size_t member, TroubleKind kind, std::string detail) {
  const Member& who = members.at(member);
  if (refuses_writes(kind)) standings[member].no_writes = true;
  if (kind == TroubleKind::away && !who.is_wanted()) return;
  for (Trouble& known : troubles) {
    if (known.home != who.id || known.kind != kind) continue;
    ++known.count;
    return;
  }
  troubles.push_back({.home = who.id, .name = who.name, .kind = kind, .detail = std::move(detail)});
}

/// A home that refuses because of rules (a revoked device, say) is `denied` too, but not about itself; a computer's
/// `denied` is always its word on who may store there.
static TroubleKind kind_of(const Member& of, const Error& error) {
  if (error.code == Errc::full) return TroubleKind::full;
  if (error.code == Errc::busy) return TroubleKind::busy;
  const bool of_home = error.code == Errc::denied && error.subject == Subject::home;
  if (!of_home) return TroubleKind::failed;
  return of.is_computer ? TroubleKind::refused : TroubleKind::read_only;
}

void Set::report_failure(std::size_t member, const Error& error) {
  if (error.code == Errc::exhausted) exhausted = error;
  report(member, kind_of(members.at(member), error), error.detail);
}

void Set::note_wrong(const std::vector<WrongRow>& rows) {
  for (const WrongRow& row : rows) {
    if (wrong_rows.size() < kMaxWrongRows) wrong_rows.push_back(row);
  }
}

tl::unexpected<Error> Set::too_few(std::string detail) const {
  if (exhausted) return tl::unexpected<Error>(*exhausted);
  return fail(Errc::unavailable, Subject::homes, std::move(detail));
}

tl::unexpected<Error> Set::took_too_little(std::string detail) const {
  if (exhausted) return tl::unexpected<Error>(*exhausted);
  Errc code = Errc::unavailable;
  for (const auto& [kind, reason] :
       {std::pair(TroubleKind::refused, Errc::denied), std::pair(TroubleKind::read_only, Errc::denied),
        std::pair(TroubleKind::busy, Errc::busy), std::pair(TroubleKind::full, Errc::full)}) {
    if (std::ranges::find(troubles, kind, &Trouble::kind) != troubles.end()) code = reason;
  }
  return fail(code, Subject::homes, std::move(detail));
}

std::string Set::called(const std::string& name, const HomeId& id) const {
  const auto of_that_name = std::ranges::count(members, name, &Member::name);
  return of_that_name > 1 ? name + " (" + id.short_hex() + ")" : name;
}

std::vector<std::string> Set::names_away() const {
  std::vector<std::string> names;
  for (const Member& member : members) {
    if (!member.home && member.is_wanted()) names.push_back(called(member.name, member.id));
  }
  return names;
}

std::string Set::troubles_in_words(bool without_away) const {
  std::string words;
  for (int kind = 0; kind <= static_cast<int>(TroubleKind::refused); ++kind) {
    const auto now = static_cast<TroubleKind>(kind);
    if (without_away && now == TroubleKind::away) continue;
    const char* before = "";
    for (const Trouble& trouble : troubles) {
      if (trouble.kind != now) continue;
      words += *before == 0 ? std::string("; ") + to_string(now) + ": " : before;
      words += called(trouble);
      before = ", ";
    }
  }
  return words;
}

void Set::suspect(std::size_t member) {
  Standing& standing = standings[member];
  const Nanoseconds now = platform.clock().steady();
  if (standing.suspect_until == Nanoseconds::max()) return;
  if (standing.suspect_until <= now)
    standing.suspicion = std::clamp(2 * standing.suspicion, kSuspicion, kLongestSuspicion);
  standing.suspect_until = now + standing.suspicion;
}

void Set::leave_behind(std::size_t member, std::string detail) {
  report(member, TroubleKind::slow, std::move(detail) + ": it gets nothing more in this run");
  standings[member].no_writes = true;
}

void Set::note_read(Nanoseconds took) {
  if (recent_reads.size() < kRecentReads) return recent_reads.push_back(took);
  recent_reads[next_read] = took;
  next_read = (next_read + 1) % kRecentReads;
}

static Nanoseconds nth(std::vector<Nanoseconds>& times, std::size_t which) {
  const auto at = times.begin() + static_cast<std::ptrdiff_t>(which);
  std::nth_element(times.begin(), at, times.end());
  return *at;
}

Nanoseconds hedge_delay(std::vector<Nanoseconds>& finished, std::vector<Nanoseconds>& recent) {
  if (!finished.empty()) return std::max(kLeastHedge, 2 * nth(finished, finished.size() / 2));
  return recent.empty() ? kBlindHedge : std::max(kLeastHedge, 2 * nth(recent, recent.size() * 9 / 10));
}

}  // namespace impl

}  // namespace mhp::dispersal
