// What homes hold and no believed head needs: told to them, and what is due given back.
#include <algorithm>
#include <iterator>
#include <utility>

#include "platform/nursery.h"
#include "platform/round.h"
#include "vault/impl/statements.h"
#include "vault/impl/survey.h"
#include "wire/signed.h"

namespace mhp::vault::impl {
namespace {

/// A segment that no index names may be of another device's backup under way. After so long since this computer saw it
/// first it is told to go; should that backup still come to its end, it takes the word back (the minimum hold is
/// longer).
constexpr std::chrono::nanoseconds kUnderWay = std::chrono::hours(24 * 14);
constexpr auto kCollectLimit = std::chrono::minutes(10);

using Ids = std::unordered_set<SegmentId, IdHash>;

/// Who signed a segment's card is known and writes nothing more: this device, which holds the lock, or one that was
/// shut out.
Task<bool> is_left_over(VaultImpl& vault, Survey& survey, SegmentId segment) {
  auto located = co_await survey.locate(segment);
  if (!located) co_return false;
  auto envelope = wire::parse_signed(located->signed_card, wire::kMaxCardBytes);
  if (!envelope) co_return false;
  auto signer = DeviceId::from_array(envelope->signer);
  if (signer == vault.device_.id) co_return true;
  auto revocations = revocations_of(vault.record_.record);
  co_return std::ranges::find(revocations, signer, &wire::Revocation::device) != revocations.end();
}

/// Of the segments that nobody needs those that may go now; the others are remembered with the time they were first
/// seen.
Task<Ids> choose(VaultImpl& vault, Survey& survey, const Ids& unneeded, const Ids& known_dead) {
  Ids out;
  for (const auto& [member, segments] : survey.condemned()) {
    for (const SegmentId& segment : segments) {
      if (unneeded.contains(segment)) out.insert(segment);  // told to one home: then to all
    }
  }
  wire::UnlistedSeen seen = vault.state_.unlisted_seen();
  std::unordered_map<SegmentId, std::int64_t, IdHash> first_seen;
  for (const auto& one : seen.segments) first_seen.emplace(one.segment, one.first_seen_ns);
  seen.segments.clear();
  std::int64_t now = vault.platform_.clock().unix_ns();
  for (const SegmentId& segment : unneeded) {
    if (out.contains(segment)) continue;
    bool left_over = known_dead.contains(segment) || co_await is_left_over(vault, survey, segment);
    auto since = std::min(first_seen.emplace(segment, now).first->second, now);
    if (left_over || now - since >= kUnderWay.count()) {
      out.insert(segment);
    } else {
      seen.segments.push_back({.segment = segment, .first_seen_ns = since});
    }
  }
  (void)vault.state_.set_unlisted_seen(seen);  // a full disk only makes it later
  co_return out;
}

/// So that `repair` makes these rows again.
void remember(VaultImpl& vault, std::size_t member, const std::vector<home::DamagedRow>& damaged) {
  BadRows bad(vault.state_);
  for (const home::DamagedRow& one : damaged) {
    if (one.vault != vault.record_.record.vault) continue;
    bad.learn(vault.homes_.members()[member].id, one.segment, {one.row}, true);
  }
  (void)bad.save();  // a full disk: the next reading finds them again
}

/// Borrowed: the caller joins.
Task<> collect_one(VaultImpl& vault, std::size_t member, Collected& report, platform::Round& round) {
  auto collected = co_await vault.homes_.members()[member].home->collect();
  const std::string& name = vault.homes_.members()[member].name;
  if (collected) {
    report.segments_purged += collected->segments_purged;
    report.freed_bytes += collected->bytes_freed;
    for (const std::string& problem : collected->problems) report.problems.push_back(name + ": " + problem);
    if (!collected->damaged.empty()) remember(vault, member, collected->damaged);
  } else {
    vault.homes_.report_failure(member, collected.error());
  }
  round.done();
}

}  // namespace

Task<Result<void>> VaultImpl::condemn_dead(const std::vector<SegmentId>& before, Collected& report) {
  MHP_CO_TRY(auto needed, co_await live_segments());
  Survey survey(*this);
  co_await survey.take(std::nullopt);
  Ids live(needed.begin(), needed.end());
  for (const auto& segment : unlisted_) live.insert(segment.segment);
  Ids unneeded;
  for (const SegmentId& segment : survey.segments()) {
    if (!live.contains(segment)) unneeded.insert(segment);
  }
  Ids known_dead(before.begin(), before.end());
  Ids go = co_await choose(*this, survey, unneeded, known_dead);
  report.segments_unknown = unneeded.size() - go.size();
  std::map<std::size_t, std::vector<SegmentId>> orders;
  Ids told;
  // The word of a device that was shut out later lets nothing go: it is said again, which changes no other hold.
  bool say_again = !revocations_of(record_.record).empty();
  for (std::size_t member : survey.members()) {
    auto condemned = survey.condemned().find(member);
    Ids already;
    if (condemned != survey.condemned().end()) already.insert(condemned->second.begin(), condemned->second.end());
    for (const SegmentId& segment : go) {
      bool is_new = !already.contains(segment);
      if (!survey.holds(member, segment) || !(is_new || say_again) || homes_.members()[member].refuses) continue;
      orders[member].push_back(segment);
      if (is_new) told.insert(segment);
    }
  }
  report.segments_condemned = told.size();
  co_await send_statements(*this, StatementKind::tombstone, device_.signing, std::move(orders));
  co_await collect_due(report);
  co_return Result<void>{};
}

/// Only homes whose condemned segments were compared with what is needed: what was condemned by mistake or by an enemy
/// has been taken back there.
Task<> VaultImpl::collect_due(Collected& report) {
  co_await make_room();
  report.segments_purged += std::exchange(room_made_.segments_purged, 0);
  report.freed_bytes += std::exchange(room_made_.freed_bytes, 0);
  std::ranges::move(std::exchange(room_made_.problems, {}), std::back_inserter(report.problems));
}

Task<> VaultImpl::make_room() {
  room_made_.problems.clear();  // those that are still so come up again
  std::vector<std::size_t> due;
  for (std::size_t member : compared_) {
    auto before = condemned_before_.find(member);
    bool nothing = before != condemned_before_.end() && before->second == 0;
    const auto& home = homes_.members()[member];
    if (!nothing && home.home && !home.refuses) due.push_back(member);
  }
  platform::Nursery scope(co_await asio::this_coro::executor);
  platform::Round round(scope, due.size());
  if (!due.empty()) scope.start(platform::watch(platform_.clock(), kCollectLimit, round));
  for (std::size_t member : due) scope.start(collect_one(*this, member, room_made_, round));
  co_await scope.join();
}

}  // namespace mhp::vault::impl
