// What homes are told may go, and what is taken back.
#include "vault/impl/statements.h"

#include <algorithm>
#include <iterator>
#include <set>

#include "platform/nursery.h"
#include "platform/round.h"
#include "vault/impl/survey.h"
#include "wire/signed.h"
#include "wire/tombstone.h"

namespace mhp::vault::impl {
namespace {

constexpr auto kStatementLimit = std::chrono::minutes(2);

template <class Statement>
Bytes signed_statement(const VaultImpl& vault, const primitives::SigningKey& signer, std::string_view context,
                       std::vector<SegmentId> segments) {
  Statement statement;
  statement.vault = vault.record_.record.vault;
  statement.device = DeviceId::from_array(signer.public_key());
  statement.time_ns = vault.platform_.clock().unix_ns();
  statement.segments = std::move(segments);
  return wire::encode(wire::sign(signer, context, wire::encode(statement)));
}

struct Sending {
  VaultImpl& vault;
  StatementKind kind;
  const primitives::SigningKey& signer;
  std::vector<std::size_t> took{};
};

/// Rising and each once, as many at a time as one statement holds. Borrowed: the caller joins.
Task<> send_to(Sending& sending, std::size_t member, std::vector<SegmentId> segments, platform::Round& round) {
  home::Home& home = *sending.vault.homes_.members()[member].home;
  std::ranges::sort(segments);
  auto same = std::ranges::unique(segments);
  segments.erase(same.begin(), same.end());
  Result<void> taken;
  for (std::size_t at = 0; at < segments.size() && taken; at += wire::kMaxTombstoneSegments) {
    std::size_t end = std::min<std::size_t>(segments.size(), at + wire::kMaxTombstoneSegments);
    std::vector<SegmentId> some(segments.begin() + static_cast<std::ptrdiff_t>(at),
                                segments.begin() + static_cast<std::ptrdiff_t>(end));
    if (sending.kind == StatementKind::tombstone) {
      Bytes bytes =
          signed_statement<wire::Tombstone>(sending.vault, sending.signer, wire::kSignTombstone, std::move(some));
      taken = co_await home.put_tombstone(std::move(bytes));
    } else {
      Bytes bytes =
          signed_statement<wire::Reprieve>(sending.vault, sending.signer, wire::kSignReprieve, std::move(some));
      taken = co_await home.put_reprieve(std::move(bytes));
    }
  }
  if (taken) sending.took.push_back(member);
  if (!taken) sending.vault.homes_.report_failure(member, taken.error());
  round.done();
}

struct Condemned {
  std::map<std::size_t, std::uint64_t> bytes{};  // by member
  std::set<std::size_t> silent;                  // who has not answered yet
};

/// Borrowed: the caller joins.
Task<> ask_condemned(dispersal::HomeSet& homes, std::size_t member, Condemned& out, platform::Round& round) {
  auto usage = co_await homes.members()[member].home->usage();
  out.silent.erase(member);
  if (usage) out.bytes[member] = usage->condemned_bytes;
  round.done();
}

}  // namespace

Task<std::vector<std::size_t>> send_statements(VaultImpl& vault, StatementKind kind,
                                               const primitives::SigningKey& signer,
                                               std::map<std::size_t, std::vector<SegmentId>> segments) {
  const auto& all = vault.homes_.members();
  std::erase_if(segments, [&](const auto& entry) {
    return entry.second.empty() || !all[entry.first].home || all[entry.first].refuses;
  });
  Sending sending{.vault = vault, .kind = kind, .signer = signer};
  platform::Nursery scope(co_await asio::this_coro::executor);
  platform::Round round(scope, segments.size(), {&vault.platform_.clock(), vault.homes_.members().size()});
  if (!segments.empty()) scope.start(platform::watch(vault.platform_.clock(), kStatementLimit, round));
  for (auto& [member, list] : segments) scope.start(send_to(sending, member, std::move(list), round));
  co_await scope.join();
  co_return std::move(sending.took);
}

/// What a home condemns is compared with what is needed before it may purge anything: by whoever writes, each time.
Task<> VaultImpl::reprieve_needed(Survey& survey) {
  for (std::size_t member : survey.members()) compared_.insert(member);
  co_await reprieve(survey);
  condemned_before_ = co_await condemned_bytes(survey.members());
}

Task<> VaultImpl::reprieve(Survey& survey) {
  const auto condemned = survey.condemned();
  for (const auto& [member, segments] : condemned) {
    if (homes_.members()[member].refuses) continue;
    std::ranges::copy_if(segments, std::inserter(reprieved_, reprieved_.end()),
                         [this](const SegmentId& segment) { return !only_moved_.contains(segment); });
  }
  const auto took = co_await send_statements(*this, StatementKind::reprieve, device_.signing, condemned);
  for (const auto& [member, segments] : condemned) {
    if (std::ranges::find(took, member) != took.end()) continue;
    compared_.erase(member);
    survey.leave_out(member, segments);
  }
}

/// A home is asked for its list only where what it has condemned is not what it was: a session that forgets was at work
/// beside this one, or somebody who wants to destroy.
Task<Result<void>> VaultImpl::reprieve_condemned_meanwhile(std::vector<SegmentId> more) {
  std::vector<std::size_t> members;
  for (const auto& [member, bytes] : condemned_before_) members.push_back(member);
  auto now = co_await condemned_bytes(std::move(members));
  // One that does not say it now would not give its list either: it is compared, and may purge, in another run.
  std::erase_if(condemned_before_, [&](const auto& before) { return !now.contains(before.first); });
  std::erase_if(compared_, [&](std::size_t member) { return !now.contains(member); });
  if (now == condemned_before_) co_return Result<void>{};
  MHP_CO_TRY(auto wanted, co_await live_segments());
  wanted.insert(wanted.end(), more.begin(), more.end());
  std::ranges::sort(wanted);
  auto same = std::ranges::unique(wanted);
  wanted.erase(same.begin(), same.end());
  Survey survey(*this);
  co_await survey.take(std::move(wanted));
  co_await reprieve_needed(survey);
  co_return Result<void>{};
}

Task<std::map<std::size_t, std::uint64_t>> VaultImpl::condemned_bytes(std::vector<std::size_t> members) {
  std::erase_if(members, [this](std::size_t member) { return !homes_.members()[member].home; });
  Condemned out{.silent = std::set(members.begin(), members.end())};
  platform::Nursery scope(co_await asio::this_coro::executor);
  platform::Round round(scope, members.size(), {&platform_.clock(), homes_.members().size(), homes_.fair_time()});
  if (!members.empty()) scope.start(platform::watch(platform_.clock(), kStatementLimit, round));
  for (std::size_t member : members) scope.start(ask_condemned(homes_, member, out, round));
  co_await scope.join();
  for (const std::size_t member : out.silent) homes_.give_up(member);
  co_return std::move(out.bytes);
}

Task<Result<std::uint64_t>> VaultImpl::reprieve_all(const primitives::SigningKey& identity) {
  MHP_CO_TRY(auto live, co_await live_segments());
  Survey survey(*this);
  co_await survey.take(std::move(live));
  std::unordered_set<SegmentId, IdHash> all;
  for (const auto& [member, segments] : survey.condemned()) all.insert(segments.begin(), segments.end());
  co_await send_statements(*this, StatementKind::reprieve, identity, survey.condemned());
  co_return all.size();
}

}  // namespace mhp::vault::impl
