// All homes are asked at once; one that hangs costs a time limit, not the run.
#include "vault/impl/home_calls.h"

#include <algorithm>
#include <set>

#include "platform/round.h"
#include "primitives/hash/blake3.h"
#include "vault/vault.h"

namespace mhp::vault {
namespace impl {
namespace {

using platform::Round;
using platform::watch;
using namespace std::chrono_literals;

constexpr auto kAskLimit = 20s;   // a drive may have to start turning
constexpr auto kGiveLimit = 60s;  // records and up to a thousand heads, each durable

/// `view` and the rest outlive the call: the caller joins.
Task<> ask_home(home::Home& home, VaultId vault, HomeView& view, Error& failure, Round& round) {
  auto records = co_await home.vault_records(vault);
  auto heads = co_await home.heads(vault);
  bool records_fine = records || records.error().code == Errc::not_found;
  bool heads_fine = heads || heads.error().code == Errc::not_found;
  if (records) view.records = std::move(*records);
  if (heads) view.heads = std::move(*heads);
  view.answered = records_fine && heads_fine;
  if (!records_fine) failure = records.error();
  if (records_fine && !heads_fine) failure = heads.error();
  round.done(view.answered);
}

/// Those that newer ones have replaced. What a home does not say is asked of others.
Task<> ask_former(home::Home& home, VaultId vault, home::Home::DeviceRecord current, SeenRecords& seen) {
  auto former = co_await home.former_records(vault, current.device);
  if (!former) {
    seen.damaged += former.error().code == Errc::corrupt;
    co_return;
  }
  if (!current.signed_record.empty()) seen.take(std::move(current.signed_record), former->since_s);
  for (auto& one : former->records) seen.take(std::move(one.signed_record), one.taken_s);
}

/// All borrowed: the caller joins.
Task<> ask_records(home::Home& home, std::size_t number, VaultId vault, Ask what, SeenRecords& seen,
                   std::set<std::size_t>& open, Round& round) {
  auto records = co_await home.vault_records(vault);
  open.erase(number);
  if (!records && records.error().code != Errc::not_found) seen.failed.emplace(number, records.error());
  for (auto& record : records ? *records : std::vector<home::Home::DeviceRecord>()) {
    if (record.signed_record.empty()) {
      seen.damaged += 1;
    } else {
      seen.take(record.signed_record, 0);
    }
    if (what == Ask::former_too) co_await ask_former(home, vault, std::move(record), seen);
  }
  round.done(records || records.error().code == Errc::not_found);
}

/// All borrowed: the caller joins.
Task<> ask_one_damaged_former(home::Home& home, VaultId vault, const HomeView& view, std::vector<DeviceId>& damaged,
                              Round& round) {
  for (const home::Home::DeviceRecord& record : view.records) {
    const auto former = co_await home.former_records(vault, record.device);
    if (!former && former.error().code == Errc::corrupt) damaged.push_back(record.device);
  }
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
  const OpenRecord& record;
  const std::vector<BelievedDevice>& devices;
  const std::vector<home::Home::DeviceRecord>& former;
};

/// True where the member has all of it now.
Task<bool> give(const Gift& gift, std::size_t member) {
  home::Home& home = *gift.homes.members()[member].home;
  HomeView& view = gift.views[member];
  bool complete = true;
  for (const auto& record : gift.record.records) {
    const auto holding = view.holding(record, gift.record);
    complete = complete && holding != HomeView::Holding::has_false;
    if (holding != HomeView::Holding::lacks) continue;
    auto put = co_await home.put_vault_record(record.signed_record);
    if (!put) {
      gift.homes.report_failure(
          member, Error{put.error().code, "did not take a vault record: " + put.error().detail, put.error().subject});
      co_return false;
    }
    std::erase_if(view.records, [&](const auto& held) { return held.device == record.device; });
    view.records.push_back(record);
  }
  for (const BelievedDevice& believed : gift.devices) {
    auto held = held_seq(view, believed);
    if (held == believed.newest().head.seq) continue;
    if (!held && believed.revoked) continue;  // another history, or more, of a computer whose part others' heads have
    if (!held && believed.forked) {
      complete = false;
      continue;
    }
    auto put = co_await home.put_heads(gift.record.record.vault, believed.device,
                                       heads_after(believed.chain, held.value_or(0)));
    if (put) {
      set_heads(view, believed);
      continue;
    }
    // Who is shut out may have signed what no home takes.
    const bool is_refused = put.error().code == Errc::denied || put.error().code == Errc::invalid;
    if (believed.revoked && is_refused) continue;
    complete = false;
    gift.homes.report_failure(
        member, Error{put.error().code, "did not take the newest head: " + put.error().detail, put.error().subject});
  }
  for (const auto& record : gift.former) {
    const auto held = std::ranges::find(view.records, record.device, &home::Home::DeviceRecord::device);
    if (held != view.records.end()) continue;
    const auto put = co_await home.put_vault_record(record.signed_record);
    if (put) view.records.push_back(record);
  }
  co_return complete;
}

enum class Taken { no_answer, no, yes };

Task<> give_one(const Gift& gift, std::size_t member, std::vector<Taken>& taken, Round& round) {
  bool complete = co_await give(gift, member);
  taken[member] = complete ? Taken::yes : Taken::no;
  round.done();
}

/// Of the record, by its author. What is damaged is said elsewhere: it counts as the newest here.
std::pair<DeviceId, std::uint64_t> version_of(const home::Home::DeviceRecord& held) {
  if (held.signed_record.empty()) return {held.device, UINT64_MAX};
  auto envelope = wire::parse_signed(held.signed_record, wire::kMaxVaultRecordBytes);
  auto record = envelope ? wire::parse_vault_record(envelope->body) : Result<wire::VaultRecord>(pass(envelope));
  return {held.device, record ? record->version : 0};
}

}  // namespace

bool is_refused(const home::Home::DeviceRecord& held, const OpenRecord& all) {
  if (all.refused.empty() || held.signed_record.empty()) return false;
  const auto hash = RecordHash::from_array(primitives::blake3(held.signed_record));
  return std::ranges::find(all.refused, hash) != all.refused.end();
}

HomeView::Holding HomeView::holding(const home::Home::DeviceRecord& record, const OpenRecord& all) const {
  const auto held = std::ranges::find(records, record.device, &home::Home::DeviceRecord::device);
  if (held == records.end() || held->signed_record.empty()) return Holding::lacks;
  if (held->signed_record == record.signed_record) return Holding::has;
  const bool would_take = wire::takes_place_of(version_of(record).second, version_of(*held).second);
  if (would_take || !check_record(held->signed_record, all.record.vault)) return Holding::lacks;
  return is_refused(*held, all) ? Holding::has_false : Holding::has;
}

Task<std::vector<HomeView>> ask_homes(dispersal::HomeSet& homes, VaultId vault, platform::Clock* clock) {
  const auto& members = homes.members();
  std::vector<HomeView> views(members.size());
  std::vector<Error> failures(members.size(), Error{Errc::timed_out, "did not answer in time"});
  platform::Nursery scope(co_await asio::this_coro::executor);
  Round round(scope, 0, {clock, members.size(), homes.fair_time()});
  for (const auto& member : members) round.left += member.home != nullptr;
  if (round.left == 0) co_return views;
  if (clock != nullptr) scope.start(watch(*clock, kAskLimit, round));
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (members[i].home) scope.start(ask_home(*members[i].home, vault, views[i], failures[i], round));
  }
  co_await scope.join();
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (!members[i].home || views[i].answered) continue;
    if (failures[i].code == Errc::timed_out) {
      homes.give_up(i);
    } else {
      homes.report_failure(i, failures[i]);
    }
  }
  co_return views;
}

Task<std::vector<std::vector<DeviceId>>> ask_damaged_former(dispersal::HomeSet& homes, VaultId vault,
                                                            const std::vector<HomeView>& views,
                                                            platform::Clock* clock) {
  std::vector<std::vector<DeviceId>> out(views.size());
  const auto& members = homes.members();
  platform::Nursery scope(co_await asio::this_coro::executor);
  Round round(scope, 0, {clock, members.size(), homes.fair_time()});
  for (std::size_t i = 0; i < views.size(); ++i) round.left += members[i].home != nullptr;
  if (round.left == 0) co_return out;
  if (clock != nullptr) scope.start(watch(*clock, kAskLimit, round));
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (members[i].home) scope.start(ask_one_damaged_former(*members[i].home, vault, views[i], out[i], round));
  }
  co_await scope.join();
  co_return out;
}

bool shows(const HomeView& view, const DeviceId& device, const Bytes& signed_head) {
  return std::ranges::any_of(view.heads, [&](const home::Home::DeviceHeads& heads) {
    return heads.device == device && std::ranges::find(heads.chain, signed_head) != heads.chain.end();
  });
}

std::vector<ShownHeads> shown_heads(const std::vector<HomeView>& views) {
  std::vector<ShownHeads> out;
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (!views[i].answered) continue;
    ShownHeads& shown = out.emplace_back();
    shown.member = i;
    for (const auto& held : views[i].records) shown.record_versions.insert(version_of(held));
    shown.devices = views[i].heads;
  }
  return out;
}

/// Homes refuse what comes after a revocation's last good head.
static std::vector<BelievedDevice> without_late_heads(std::vector<BelievedDevice> devices,
                                                      const wire::VaultRecord& record) {
  const auto revocations = revocations_of(record);
  for (BelievedDevice& device : devices) {
    const wire::Revocation* revocation = highest_of(revocations, device.device);
    if (revocation == nullptr) continue;
    std::erase_if(device.chain, [&](const CheckedHead& head) { return head.head.seq > revocation->last_good_seq; });
  }
  std::erase_if(devices, [](const BelievedDevice& device) { return device.chain.empty(); });
  return devices;
}

Task<std::vector<std::size_t>> bring_up_to_date(dispersal::HomeSet& homes, std::vector<HomeView>& views,
                                                const OpenRecord& record, const std::vector<BelievedDevice>& devices,
                                                const std::vector<home::Home::DeviceRecord>& former,
                                                platform::Clock* clock) {
  std::vector<std::size_t> took;
  const std::vector<BelievedDevice> given = without_late_heads(devices, record.record);
  Gift gift{.homes = homes, .views = views, .record = record, .devices = given, .former = former};
  platform::Nursery scope(co_await asio::this_coro::executor);
  Round round(scope, 0, {clock, views.size()});
  std::vector<Taken> taken(views.size(), Taken::no_answer);
  const auto is_there = [&](std::size_t i) {
    return views[i].answered && homes.members()[i].home && !homes.members()[i].refuses;
  };
  for (std::size_t i = 0; i < views.size(); ++i) round.left += is_there(i);
  if (round.left > 0 && clock != nullptr) scope.start(watch(*clock, kGiveLimit, round));
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (is_there(i)) scope.start(give_one(gift, i, taken, round));
  }
  co_await scope.join();
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (taken[i] == Taken::yes) took.push_back(i);
    if (taken[i] == Taken::no_answer && is_there(i)) homes.give_up(i, "did not take the newest head in time");
  }
  co_return took;
}

}  // namespace impl

Task<std::vector<std::size_t>> publish_records(dispersal::HomeSet& homes, const OpenRecord& record,
                                               platform::Clock* clock) {
  auto views = co_await impl::ask_homes(homes, record.record.vault, clock);
  impl::HeadsView heads = impl::judge_heads(record.record, impl::shown_heads(views), {}, {});
  const std::vector<home::Home::DeviceRecord> none;  // with the words all open
  co_return co_await impl::bring_up_to_date(homes, views, record, heads.devices, none, clock);
}

void SeenRecords::take(Bytes signed_record, std::int64_t at_s) {
  if (at_s != 0) {
    const auto hash = RecordHash::from_array(primitives::blake3(signed_record));
    const auto known = taken_s.try_emplace(hash, at_s).first;
    known->second = std::min(known->second, at_s);
  }
  if (std::ranges::find(records, signed_record) == records.end()) records.push_back(std::move(signed_record));
}

void SeenRecords::take_all(const SeenRecords& others) {
  for (const Bytes& record : others.records) {
    const auto at = others.taken_s.find(RecordHash::from_array(primitives::blake3(record)));
    take(record, at == others.taken_s.end() ? 0 : at->second);
  }
}

/// When the identity certified the author of a record: it wrote none before.
static std::int64_t enrolled_s(ByteView signed_record) {
  const auto envelope = wire::parse_signed(signed_record, wire::kMaxVaultRecordBytes);
  if (!envelope) return 0;
  const auto record = wire::parse_vault_record(envelope->body);
  if (!record) return 0;
  const auto devices = devices_of(*record);
  const auto author = std::ranges::find(devices, record->device, &wire::DeviceCertificate::device);
  return author == devices.end() ? 0 : author->created_ns / 1'000'000'000;
}

std::set<RecordHash> SeenRecords::taken_after(std::int64_t unix_s) const {
  std::set<RecordHash> late;
  for (const Bytes& record : records) {
    const auto hash = RecordHash::from_array(primitives::blake3(record));
    const auto at = taken_s.find(hash);
    if ((at != taken_s.end() && at->second > unix_s) || enrolled_s(record) > unix_s) late.insert(hash);
  }
  return late;
}

Task<SeenRecords> seen_records(const std::vector<home::Home*>& homes, const VaultId& vault, platform::Clock* clock,
                               Ask what, std::chrono::nanoseconds least) {
  VaultId wanted = vault;
  std::vector<home::Home*> asked = homes;
  SeenRecords seen;
  platform::Nursery scope(co_await asio::this_coro::executor);
  const auto there = asked.size() - static_cast<std::size_t>(std::ranges::count(asked, nullptr));
  platform::Round round(scope, there, {clock, asked.size(), least});
  if (clock != nullptr && there > 0) scope.start(platform::watch(*clock, impl::kAskLimit, round));
  std::set<std::size_t> open;
  for (std::size_t i = 0; i < asked.size(); ++i)
    if (asked[i] != nullptr) open.insert(i);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (asked[i] != nullptr) scope.start(impl::ask_records(*asked[i], i, wanted, what, seen, open, round));
  }
  co_await scope.join();
  seen.silent.assign(open.begin(), open.end());
  co_return seen;
}

}  // namespace mhp::vault
