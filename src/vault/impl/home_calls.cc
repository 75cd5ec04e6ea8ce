// All homes are asked at once; one that hangs costs a time limit, not the run.
#include "vault/impl/home_calls.h"

#include <algorithm>
#include <deque>

#include "primitives/hash/blake3.h"
#include "vault/impl/round.h"
#include "vault/vault.h"

namespace mhp::vault {
namespace impl {
namespace {

using dispersal::TroubleKind;
using namespace std::chrono_literals;

constexpr auto kAskLimit = 20s;   // a drive may have to start turning
constexpr auto kGiveLimit = 60s;  // a record and up to a thousand heads, each durable

/// `view` and the rest outlive the call: the caller joins.
Task<> ask_home(home::Home& home, VaultId vault, HomeView& view, Error& failure, Round& round) {
  auto record = co_await home.vault_record(vault);
  auto heads = co_await home.heads(vault);
  bool record_damaged = !record && record.error().code == Errc::corrupt;  // it may have rows all the same
  bool record_fine = record || record_damaged || record.error().code == Errc::not_found;
  if (record_damaged) view.damage = record.error().detail;
  bool heads_fine = heads || heads.error().code == Errc::not_found;
  if (record) view.record = std::move(*record);
  if (heads) view.heads = std::move(*heads);
  view.answered = record_fine && heads_fine;
  if (!record_fine) failure = record.error();
  if (record_fine && !heads_fine) failure = heads.error();
  round.done();
}

/// All borrowed: the caller joins.
Task<> ask_record(home::Home& home, VaultId vault, std::vector<Bytes>& records, std::optional<Error>& damage,
                  bool& answered, Round& round) {
  auto record = co_await home.vault_record(vault);
  answered = true;
  if (record) records.push_back(std::move(*record));
  if (!record && record.error().code == Errc::corrupt) damage = record.error();
  round.done();
}

const home::Home::DeviceHeads* heads_of(const HomeView& view, const DeviceId& device) {
  for (const auto& heads : view.heads) {
    if (heads.device == device) return &heads;
  }
  return nullptr;
}

/// Seq of the newest head held, 0 where none; nothing where what it holds is not of this chain.
std::optional<std::uint64_t> held_seq(const HomeView& view, const BelievedDevice& believed) {
  const auto* held = heads_of(view, believed.device);
  if (held == nullptr || held->chain.empty()) return 0;
  for (const CheckedHead& head : believed.chain) {
    if (head.signed_bytes == held->chain.back()) return head.head.seq;
  }
  return std::nullopt;
}

void set_heads(HomeView& view, const BelievedDevice& believed) {
  std::erase_if(view.heads, [&](const auto& heads) { return heads.device == believed.device; });
  view.heads.push_back({.device = believed.device, .chain = {believed.newest().signed_bytes}});
}

struct Gift {
  dispersal::HomeSet& homes;
  std::vector<HomeView>& views;
  ByteView signed_record;
  const std::vector<BelievedDevice>& devices;
  VaultId vault;
};

/// True where the member has all of it now.
Task<bool> give(const Gift& gift, std::size_t member) {
  home::Home& home = *gift.homes.members()[member].home;
  HomeView& view = gift.views[member];
  bool has_record = view.record && std::ranges::equal(*view.record, gift.signed_record);
  if (!has_record) {
    auto put = co_await home.put_vault_record(to_bytes(gift.signed_record));
    if (!put) {
      gift.homes.report_failure(
          member, Error{put.error().code, "did not take the vault record: " + put.error().detail, put.error().subject});
      co_return false;
    }
    view.record = to_bytes(gift.signed_record);
  }
  bool complete = true;
  for (const BelievedDevice& believed : gift.devices) {
    auto held = held_seq(view, believed);
    if (held == believed.newest().head.seq) continue;
    auto put = co_await home.put_heads(gift.vault, believed.device, heads_after(believed.chain, held.value_or(0)));
    if (put) {
      set_heads(view, believed);
      continue;
    }
    complete = false;
    gift.homes.report_failure(
        member, Error{put.error().code, "did not take the newest head: " + put.error().detail, put.error().subject});
  }
  co_return complete;
}

enum class Taken { no_answer, no, yes };

Task<> give_one(const Gift& gift, std::size_t member, std::vector<Taken>& taken, Round& round) {
  bool complete = co_await give(gift, member);
  taken[member] = complete ? Taken::yes : Taken::no;
  round.done();
}

/// 0 where there is none, or nothing that can be read.
std::uint64_t version_of(const std::optional<Bytes>& signed_record) {
  if (!signed_record) return 0;
  auto envelope = wire::parse_signed(*signed_record, wire::kMaxVaultRecordBytes);
  if (!envelope) return 0;
  auto record = wire::parse_vault_record(envelope->body);
  return record ? record->version : 0;
}

}  // namespace

Task<std::vector<HomeView>> ask_homes(dispersal::HomeSet& homes, VaultId vault, platform::Clock* clock) {
  const auto& members = homes.members();
  std::vector<HomeView> views(members.size());
  std::vector<Error> failures(members.size(), Error{Errc::timed_out, "did not answer in time"});
  platform::Nursery scope(co_await asio::this_coro::executor);
  Round round{.scope = scope};
  for (const auto& member : members) round.left += member.home != nullptr;
  if (round.left == 0) co_return views;
  if (clock != nullptr) scope.start(watch(*clock, kAskLimit, round));
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i].home) scope.start(ask_home(*members[i].home, vault, views[i], failures[i], round));
  }
  co_await scope.join();
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (views[i].damage)
      homes.report(i, TroubleKind::damaged, *views[i].damage + ": without it the home does not count");
    if (!members[i].home || views[i].answered) continue;
    if (failures[i].code == Errc::timed_out) {
      homes.give_up(i);
    } else {
      homes.report_failure(i, failures[i]);
    }
  }
  co_return views;
}

std::vector<ShownHeads> shown_heads(const std::vector<HomeView>& views) {
  std::vector<ShownHeads> out;
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (!views[i].answered) continue;
    out.push_back({.member = i, .record_version = version_of(views[i].record), .devices = views[i].heads});
  }
  return out;
}

NewestRecord choose_record(const std::vector<ByteView>& records, const VaultId& vault) {
  NewestRecord newest;
  primitives::Hash hash_of_newest{};
  // Revocations are signed by the identity alone, so they count wherever they stand.
  std::vector<DeviceId> revoked;
  for (ByteView bytes : records) {
    auto record = check_record(bytes, vault, {});
    if (!record) continue;
    for (const auto& revocation : revocations_of(*record)) revoked.push_back(revocation.device);
  }
  for (std::size_t i = 0; i < records.size(); ++i) {
    auto record = check_record(records[i], vault, revoked);
    if (!record) {
      newest.refused.push_back(i);
      continue;
    }
    // Two devices that wrote beside each other: all who see both take the same.
    const primitives::Hash hash = primitives::blake3(records[i]);
    if (newest.index && std::pair(record->version, hash) <= std::pair(newest.version, hash_of_newest)) continue;
    newest.index = i;
    newest.version = record->version;
    hash_of_newest = hash;
  }
  return newest;
}

/// Homes refuse what comes after a revocation's last good head.
static std::vector<BelievedDevice> without_late_heads(std::vector<BelievedDevice> devices,
                                                      const wire::VaultRecord& record) {
  for (const wire::Revocation& revocation : revocations_of(record)) {
    auto device = std::ranges::find(devices, revocation.device, &BelievedDevice::device);
    if (device == devices.end()) continue;
    std::erase_if(device->chain, [&](const CheckedHead& head) { return head.head.seq > revocation.last_good_seq; });
  }
  std::erase_if(devices, [](const BelievedDevice& device) { return device.chain.empty(); });
  return devices;
}

Task<std::vector<std::size_t>> bring_up_to_date(dispersal::HomeSet& homes, std::vector<HomeView>& views,
                                                ByteView signed_record, const std::vector<BelievedDevice>& devices,
                                                platform::Clock* clock) {
  std::vector<std::size_t> took;
  auto envelope = wire::parse_signed(signed_record, wire::kMaxVaultRecordBytes);
  if (!envelope) co_return took;
  auto record = wire::parse_vault_record(envelope->body);
  if (!record) co_return took;
  const std::vector<BelievedDevice> given = without_late_heads(devices, *record);
  Gift gift{.homes = homes, .views = views, .signed_record = signed_record, .devices = given, .vault = record->vault};
  platform::Nursery scope(co_await asio::this_coro::executor);
  Round round{.scope = scope};
  std::vector<Taken> taken(views.size(), Taken::no_answer);
  const auto is_there = [&](std::size_t i) { return views[i].answered && homes.members()[i].home; };
  for (std::size_t i = 0; i < views.size(); ++i) round.left += is_there(i);
  if (round.left > 0 && clock != nullptr) scope.start(watch(*clock, kGiveLimit, round));
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (is_there(i)) scope.start(give_one(gift, i, taken, round));
  }
  co_await scope.join();
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (taken[i] == Taken::yes) took.push_back(i);
    if (taken[i] == Taken::no_answer && is_there(i)) {
      homes.report(i, TroubleKind::failed, "did not take the newest head in time");
    }
  }
  co_return took;
}

}  // namespace impl

Task<std::vector<std::size_t>> publish_record(dispersal::HomeSet& homes, ByteView signed_record,
                                              platform::Clock* clock) {
  std::vector<std::size_t> nobody;
  auto envelope = wire::parse_signed(signed_record, wire::kMaxVaultRecordBytes);
  if (!envelope) co_return nobody;
  auto record = wire::parse_vault_record(envelope->body);
  if (!record) co_return nobody;
  auto views = co_await impl::ask_homes(homes, record->vault, clock);
  impl::HeadsView heads = impl::judge_heads(*record, impl::shown_heads(views), {}, {});
  co_return co_await impl::bring_up_to_date(homes, views, signed_record, heads.devices, clock);
}

Task<Result<Bytes>> newest_record(const std::vector<home::Home*>& homes, const VaultId& vault, platform::Clock* clock,
                                  std::vector<std::size_t>* silent) {
  VaultId wanted = vault;
  std::vector<home::Home*> asked = homes;
  std::vector<Bytes> records;
  std::optional<Error> damage;
  platform::Nursery scope(co_await asio::this_coro::executor);
  impl::Round round{.scope = scope, .left = asked.size()};
  if (clock != nullptr && !asked.empty()) scope.start(impl::watch(*clock, impl::kAskLimit, round));
  std::deque<bool> answered(asked.size(), false);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    scope.start(impl::ask_record(*asked[i], wanted, records, damage, answered[i], round));
  }
  co_await scope.join();
  for (std::size_t i = 0; silent != nullptr && i < asked.size(); ++i) {
    if (!answered[i]) silent->push_back(i);
  }
  if (records.empty() && damage) co_return fail(Errc::not_found, "what is kept here is damaged: " + damage->detail);
  if (records.empty()) co_return fail(Errc::not_found, "no home at hand knows this vault");
  std::vector<ByteView> seen_records(records.begin(), records.end());
  impl::NewestRecord newest = impl::choose_record(seen_records, wanted);
  if (!newest.index) co_return fail(Errc::denied, "no home at hand has a genuine record of this vault");
  co_return std::move(records[*newest.index]);
}

}  // namespace mhp::vault
