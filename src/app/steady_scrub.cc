// One segment at a time; how long to wait follows from what is left.
#include "app/steady_scrub.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "app/json_id.h"

namespace mhp::app {

namespace {

constexpr std::uint64_t kMaxNoteBytes = 4_KiB;
constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::chrono::minutes kBetweenSaves{1};  // what was read since is read again after a crash

}  // namespace

std::string to_text(const ScrubRound& round) {
  const nlohmann::json json = {{"began_s", round.began_s},       {"vault", round.vault.hex()},
                               {"segment", round.segment.hex()}, {"rows", round.rows},
                               {"bytes", round.bytes},           {"bad", round.bad}};
  return json.dump(2) + "\n";
}

Result<ScrubRound> parse_scrub_round(std::string_view text) {
  const auto json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  ScrubRound out;
  const auto began = json.is_object() ? json.find("began_s") : json.end();
  const bool is_whole = json.is_object() && began != json.end() && began->is_number_integer() &&
                        read_id(json, "vault", out.vault) && read_id(json, "segment", out.segment) &&
                        read_count(json, "rows", out.rows) && read_count(json, "bytes", out.bytes) &&
                        read_count(json, "bad", out.bad);
  if (!is_whole) return fail(Errc::corrupt, Subject::state, "this is no round of a scrub");
  out.began_s = began->get<std::int64_t>();
  return out;
}

std::chrono::nanoseconds scrub_pause(const ScrubPace& pace, std::uint64_t bytes, std::uint64_t left_bytes,
                                     std::chrono::seconds left) {
  const double share =
      static_cast<double>(bytes) / static_cast<double>(std::max<std::uint64_t>({left_bytes, bytes, 1}));
  const double wanted_s = static_cast<double>(std::max(left, std::chrono::seconds(0)).count()) * share;
  const double least_s = static_cast<double>(bytes) / static_cast<double>(pace.most_bytes_per_second);
  const double most_s = static_cast<double>(pace.longest_pause.count());
  const double seconds = std::min(std::max(wanted_s, least_s), std::max(most_s, least_s));
  return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
}

SteadyScrub::SteadyScrub(platform::Platform& platform, home::SharedHome& home, FoundBad& found, std::string file,
                         const ScrubPace& pace)
    : platform_(platform), home_(home), found_(found), file_(std::move(file)), pace_(pace) {}

std::int64_t SteadyScrub::now_s() const { return platform_.clock().unix_ns() / kNsPerSecond; }

void SteadyScrub::begin_round(std::int64_t at_s) {
  round_ = {};
  round_.began_s = at_s;
}

void SteadyScrub::load() {
  if (is_loaded_) return;
  is_loaded_ = true;
  begin_round(now_s());
  const auto content = platform::read_file(platform_.disk(), file_, kMaxNoteBytes);
  if (!content) return;
  const auto kept = parse_scrub_round(as_text(*content));
  if (kept) round_ = *kept;
  // A clock that was years ahead must not put the next round off for years.
  round_.began_s = std::min(round_.began_s, now_s() + pace_.round.count());
}

Result<void> SteadyScrub::save() {
  saved_ = platform_.clock().steady();
  return platform::replace_file(platform_.disk(), file_, as_bytes(to_text(round_)));
}

/// Until the round should be over; not more than a round, whatever the clocks say.
std::chrono::seconds SteadyScrub::time_left() const {
  const std::chrono::seconds left(round_.began_s + pace_.round.count() - now_s());
  return std::clamp(left, std::chrono::seconds(0), pace_.round);
}

/// The one that is under way (`past`: not that one), or the first after it.
Task<Result<std::optional<VaultId>>> SteadyScrub::next_vault(bool past) {
  MHP_CO_TRY(const std::vector<VaultId> vaults, co_await home_.vaults());
  std::optional<VaultId> next;
  for (const VaultId& vault : vaults) {
    const bool is_behind = vault < round_.vault || (past && vault == round_.vault);
    if (!is_behind && (!next || vault < *next)) next = vault;
  }
  co_return next;
}

/// The next one begins when this one should have been over, or now.
Task<Result<ScrubStep>> SteadyScrub::end_round() {
  MHP_CO_TRY(const std::vector<VaultId> vaults, co_await home_.vaults());
  MHP_CO_TRY_VOID(found_.keep_only(vaults));
  ScrubStep out;
  out.finished = round_;
  const std::chrono::seconds left = time_left();
  begin_round(now_s() + left.count());
  MHP_CO_TRY_VOID(save());
  out.pause = std::clamp(left, std::chrono::seconds(1), pace_.longest_pause);
  co_return out;
}

Result<void> SteadyScrub::note_for_owner(const home::SharedHome::ScrubPage& page) {
  std::vector<std::uint8_t> bad;
  for (const auto& [segment, row] : page.report.bad) bad.push_back(row);
  return found_.note(round_.vault, round_.segment, page.last, bad);
}

/// One more segment was read.
Result<ScrubStep> SteadyScrub::note(const home::SharedHome::ScrubPage& page, const home::Usage& usage) {
  ScrubStep out;
  MHP_TRY_VOID(note_for_owner(page));
  const std::uint64_t left_bytes = usage.used_bytes - std::min(usage.used_bytes, round_.bytes);
  round_.segment = page.last;
  round_.rows += page.report.rows;
  round_.bytes += page.report.bytes;
  round_.bad += page.report.bad.size();
  for (const auto& [segment, row] : page.report.bad) out.bad.push_back({round_.vault, segment, row});
  out.pause = scrub_pause(pace_, page.report.bytes, left_bytes, time_left());
  const bool is_due = platform_.clock().steady() - saved_ >= kBetweenSaves;
  if (is_due || !out.bad.empty()) {
    MHP_TRY_VOID(save());
  }
  return out;
}

Task<Result<ScrubStep>> SteadyScrub::step() {
  load();
  const std::chrono::seconds early(round_.began_s - now_s());
  if (early.count() > 0) {
    ScrubStep wait;
    wait.pause = std::min(early, pace_.longest_pause);
    co_return wait;
  }
  MHP_CO_TRY(const home::Usage usage, co_await home_.usage());
  for (bool past = false;; past = true) {
    MHP_CO_TRY(const std::optional<VaultId> vault, co_await next_vault(past));
    if (!vault) co_return co_await end_round();
    if (*vault != round_.vault) {
      round_.vault = *vault;
      round_.segment = {};
    }
    MHP_CO_TRY(const auto page, co_await home_.scrub_some(*vault, round_.segment, 1, 100, 0));
    if (!page.last.is_zero()) co_return note(page, usage);
    MHP_CO_TRY_VOID(found_.note_end(*vault, round_.segment));
  }
}

}  // namespace mhp::app
