// What nobody can see cannot be handed over: looks at the homes first, then repairs without them.
#include "app/hand_over.h"
#include "app/notes.h"

#include <fmt/format.h>

#include <algorithm>

#include "app/text.h"

namespace mhp::app {
namespace {

std::string why_it_stays(const Going& going, const std::string& reason) {
  return fmt::format("{}: {}. (--lost {} all the same.)", going.stays, reason, going.forced);
}

/// "it", or "home 'a'".
std::string name_of(const Opened& opened, const Going& going, std::size_t member) {
  return going.is_one_home ? "it" : fmt::format("home '{}'", printable(opened.homes->members()[member].name));
}

/// What is not decided, or not read, may need what any of the homes holds. Empty: all is seen.
std::string what_is_unseen(const Opened& opened) {
  if (!opened.vault->late_states().empty())
    return "it is not decided what becomes of what a former computer saved late";
  if (!opened.vault->unread_heads().empty()) return "what another computer saved last cannot be read now";
  return "";
}

/// What nobody here can see nobody can hand over: the homes may have the last rows of it. Errors: unavailable, denied.
Result<void> check_all_is_seen(const Opened& opened, const Going& going) {
  for (const std::size_t member : going.members) {
    const dispersal::Member& home = opened.homes->members()[member];
    if (home.home || !home.is_wanted()) continue;
    const std::string name = name_of(opened, going, member);
    return fail(Errc::unavailable, Subject::homes,
                why_it_stays(going, name + " is away, so nobody can see what it holds"));
  }
  const std::string unseen = what_is_unseen(opened);
  if (!unseen.empty()) {
    return fail(Errc::unavailable, Subject::homes,
                why_it_stays(going, unseen + ", and what is to go may be needed for that"));
  }
  for (const std::size_t member : going.members) {
    for (const vault::LoneHead& head : opened.vault->shown_only_by(member)) {
      if (!head.stays) continue;  // the others are given it
      return fail(Errc::denied, Subject::home,
                  why_it_stays(going, fmt::format("{} alone shows what computer {} saved last, at {}, until the next "
                                                  "backup brings it to all homes",
                                                  name_of(opened, going, member), head.device.short_hex(),
                                                  format_time(head.newest_ns))));
    }
  }
  if (!opened.vault->joins_histories()) return {};
  return fail(Errc::denied, Subject::home,
              going.stays +
                  ": what a former computer saved last is on some homes only, until the next backup brings "
                  "it to all of them");
}

/// Homes go only when the others have taken what they held. Errors: as HomeSet::took_too_little().
Result<void> check_handed_over(const Opened& opened, const Going& going, const vault::RepairReport& report) {
  const int wanted = static_cast<int>(opened.homes->plan(opened.vault->level(), going.members).margin);
  if (report.refusing.empty() || report.margin >= wanted) return {};
  return opened.homes->took_too_little(
      why_it_stays(going, fmt::format("not all could be handed over, {} did not take what it was to get",
                                      plural(report.refusing.size(), "home", "homes"))));
}

/// Nothing of what the homes show goes with them. Errors: as HomeSet::took_too_little().
Result<void> check_heads_are_elsewhere(const Opened& opened, const Going& going) {
  for (const std::size_t member : going.members) {
    const auto lone = opened.vault->shown_only_by(member);
    if (lone.empty()) continue;
    return opened.homes->took_too_little(
        why_it_stays(going, fmt::format("no other home took what computer {} saved last, at {}",
                                        lone.front().device.short_hex(), format_time(lone.front().newest_ns))));
  }
  return {};
}

}  // namespace

Task<Result<HandedOver>> hand_over(Session& session, Opened& opened, Going going, bool dry_run) {
  MHP_CO_TRY_VOID(check_all_is_seen(opened, going));
  MHP_CO_TRY(const vault::CheckReport before, co_await opened.vault->standing());
  HandedOver done{.report = {}, .margin_before = before.margin};
  const vault::Progress silent = [](const vault::CheckProgress&) {};
  MHP_CO_TRY(done.report, co_await opened.vault->repair(false, going.members, dry_run, silent));
  if (done.report.unrestorable > 0) {
    const std::string without = going.is_one_home ? "it" : "these homes";
    co_return fail(Errc::unavailable, Subject::homes,
                   why_it_stays(going, "without " + without + " not everything could be brought back"));
  }
  name_troubles(session, *opened.homes);
  MHP_CO_TRY_VOID(check_handed_over(opened, going, done.report));
  if (dry_run) co_return done;
  MHP_CO_TRY_VOID(check_heads_are_elsewhere(opened, going));
  co_return done;
}

}  // namespace mhp::app
