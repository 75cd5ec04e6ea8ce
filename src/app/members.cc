// Opens the homes of a list, folders and other computers, all at once.
#include "app/members.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "app/cloud_homes.h"
#include "app/limits.h"
#include "app/network.h"
#include "app/owners.h"
#include "cloud/exchange.h"
#include "cloud/network_line.h"
#include "home/folder_home.h"
#include "platform/round.h"

namespace mhp::app {

/// `into` outlives it: the caller joins.
static Task<> ask_path(Session& session, std::string path, std::optional<platform::PathInfo>& into) {
  if (path.empty()) co_return;  // of a home that is no folder
  auto job = [&disk = session.platform.disk(), path] { return disk.info(path); };
  const auto info = co_await on_path(session, path, std::move(job));
  if (info) into = *info;
}

Task<std::vector<std::optional<platform::PathInfo>>> infos_of_paths(Session& session, std::vector<std::string> paths) {
  std::vector<std::optional<platform::PathInfo>> infos(paths.size());
  platform::Nursery scope(session.platform.executor());
  for (std::size_t i = 0; i < paths.size(); ++i) scope.start(ask_path(session, paths[i], infos[i]));
  co_await scope.join();
  co_return infos;
}

/// A home that answered.
struct Reached {
  std::unique_ptr<home::Home> home;
  std::optional<std::uint64_t> device = {};  // of the disk it lies on
  bool read_only = false;
  /// Till the connection to a computer stood. What a folder is opened from may be in memory, and says nothing of its
  /// drive.
  std::optional<std::chrono::nanoseconds> took = {};
};

std::string silence_of(const wire::HomeEntry& entry) {
  return entry.kind == wire::HomeKind::computer ? entry.id.hex() : entry.path;
}

std::string place_of(const wire::HomeEntry& entry) {
  return entry.kind == wire::HomeKind::computer ? fmt::format("{}", fmt::join(entry.addresses, ", ")) : entry.path;
}

/// Forgetting stores an index before space comes back: on a home that is full to its bound there has to be room for it.
constexpr std::uint64_t kReserve = 8_MiB;

static Task<Result<Reached>> reach_folder(Session& session, wire::HomeEntry entry) {
  home::FolderAddress address;
  address.path = entry.path;
  address.id = entry.id;
  address.limits = {.max_used_bytes = entry.max_used_bytes, .min_free_bytes = entry.min_free_bytes};
  address.reserve_bytes = session.uses_reserve ? kReserve : 0;
  address.same_disk = entry.same_disk;
  MHP_CO_TRY(home::ReachedFolder folder,
             co_await home::reach_folder_home(session.platform, std::move(address), kPathLimit));
  Reached reached{.home = std::move(folder.home), .read_only = folder.read_only};
  if (!entry.same_disk) reached.device = folder.device;
  co_return reached;
}

/// Where most homes are there, the others get at least so long: some answer through relays, some drives have to start.
constexpr std::chrono::seconds kFairReach{5};

using Connection = std::optional<Result<std::shared_ptr<net::Caller>>>;

/// All borrowed: the caller joins.
static Task<> try_line(cloud::Line& line, Connection& made, platform::Nursery& both) {
  made.emplace(co_await line.reach());
  both.cancel();
}

static Task<> give_up_after(platform::Clock& clock, std::chrono::nanoseconds limit, platform::Nursery& both) {
  co_await clock.sleep(limit);
  both.cancel();
}

/// A home does not believe that the owner is a member: where he was removed, the book knows it then.
static Task<> ask_why(Session& session, Network& network, cloud::MemberKey member, net::Caller& caller) {
  (void)co_await network.book().refresh_aside(session.platform);
  cloud::Asker asker{.member = std::move(member.key), .computer = cloud::as_key(network.key().public_key())};
  const cloud::RosterPointer roster = network.book().find(member.cloud);
  if (!roster || out_of(*roster, asker.member, asker.computer)) co_return;
  auto asking =
      cloud::hear_removal(session.platform, network.book(), member.cloud, std::move(asker), caller, kPathLimit);
  (void)co_await std::move(asking);  // what is asked for next is refused all the same
}

/// Connects once, so that a computer that is away is known to be.
static Task<Result<Reached>> reach_computer(Session& session, wire::HomeEntry entry, cloud::VaultKey key) {
  std::vector<net::Address> addresses = cloud::addresses_of(entry.addresses);
  if (addresses.empty()) co_return fail(Errc::usage, Subject::home, kNeverUp);
  MHP_CO_TRY(Network * network, network_of(session));
  if (network->id() == entry.id) {
    co_return fail(Errc::usage, Subject::home,
                   "is on this computer: what is saved from here is kept on others, that of your other computers here");
  }
  std::optional<cloud::MemberKey> as;
  const auto member = key.members.find(CloudId::from_array(entry.cloud));
  if (member != key.members.end()) as.emplace(cloud::MemberKey{member->first, member->second});
  const cloud::WhenRefused refused = [&session, network](const cloud::MemberKey& member, net::Caller& caller) {
    return ask_why(session, *network, member, caller);
  };
  auto line = cloud::make_network_line(network->others(), entry.id, std::move(addresses), std::move(as), refused);
  Connection made;
  platform::Nursery both(session.platform.executor());
  both.start(try_line(*line, made, both));
  both.start(give_up_after(session.platform.clock(), kPathLimit, both));
  co_await both.join();
  if (!made) co_return fail(Errc::timed_out, Subject::home, place_of(entry) + ": does not answer");
  if (!*made) co_return fail(made->error().code, Subject::home, made->error().detail);
  std::vector<cloud::VaultKey> keys = {std::move(key)};
  cloud::RemoteLimits limits;
  for (std::chrono::nanoseconds* limit : {&limits.answer, &limits.bulk, &limits.work}) *limit += patience_of(session);
  Reached reached;
  reached.took = network->others().took(entry.id);
  reached.home = cloud::make_remote_home(session.platform, entry.id, std::move(line), std::move(keys), limits);
  co_return reached;
}

/// `entry`, `key` and `into` outlive it: the caller joins.
static Task<> reach(Session& session, const wire::HomeEntry& entry, const cloud::VaultKey& key,
                    std::optional<Result<Reached>>& into, platform::Round& round) {
  if (session.silent.contains(silence_of(entry))) {
    into = fail(Errc::timed_out, Subject::home, place_of(entry) + ": does not answer");
  } else if (entry.kind == wire::HomeKind::folder) {
    into = co_await reach_folder(session, entry);
  } else if (entry.kind == wire::HomeKind::computer) {
    into = co_await reach_computer(session, entry, key);
  } else {
    into = fail(Errc::unavailable, Subject::home, "a home of a kind that this mhp cannot reach: a newer one added it");
  }
  if (!*into && (*into).error().code == Errc::timed_out) session.silent.insert(silence_of(entry));
  round.done(into->has_value());
}

cloud::VaultKey speaking_as(const vault::Device& device, const vault::OpenRecord& record) {
  cloud::VaultKey key{.vault = record.record.vault,
                      .key = device.signing,
                      .identity = record.record.identity,
                      .certificate = vault::signed_certificate_of(record.record, device.id)};
  for (const wire::Membership& one : record.content.clouds) {
    key.members.emplace(one.cloud, primitives::SigningKey(one.member_secret));
  }
  return key;
}

/// So computers of the owner's clouds are reached through those of them on the list that can be relays, also where no
/// roster is at hand, or none that the owner is in.
static void name_relays(Session& session, const std::vector<wire::HomeEntry>& entries, const cloud::VaultKey& key) {
  const bool any = std::ranges::any_of(entries, [](const wire::HomeEntry& entry) { return !entry.addresses.empty(); });
  if (key.members.empty() || !any) return;
  const auto network = network_of(session);
  if (!network) return;  // who reaches one says why
  for (const auto& [cloud, member] : key.members) (*network)->reach().speak_as(cloud, member);
  std::map<HomeId, cloud::ListedHome> listed;
  for (const wire::HomeEntry& entry : entries)
    if (entry.kind == wire::HomeKind::computer)
      listed.try_emplace(entry.id, cloud::ListedHome{CloudId::from_array(entry.cloud), entry.addresses});
  (*network)->reach().set_listed(std::move(listed));
}

Task<std::vector<dispersal::Member>> open_members(Session& session, std::vector<wire::HomeEntry> entries,
                                                  std::set<std::uint64_t> source_devices, cloud::VaultKey key) {
  name_relays(session, entries, key);
  std::vector<std::optional<Result<Reached>>> reached(entries.size());
  platform::Nursery scope(session.platform.executor());
  platform::Round round(scope, entries.size(), {&session.platform.clock(), entries.size(), kFairReach});
  for (std::size_t i = 0; i < entries.size(); ++i) scope.start(reach(session, entries[i], key, reached[i], round));
  co_await scope.join();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (reached[i]) continue;
    reached[i] = fail(Errc::timed_out, Subject::home, place_of(entries[i]) + ": does not answer");
    session.silent.insert(silence_of(entries[i]));
  }
  // A home that shares no disk is a domain of its own, numbered from here; disks are numbered from 0.
  constexpr std::uint32_t kOwnDomain = 1u << 20;
  std::vector<std::uint64_t> disks;
  const std::vector<std::uint32_t> owners = owner_numbers(entries);
  std::vector<dispersal::Member> members;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const wire::HomeEntry& entry = entries[i];
    dispersal::Member member{.id = entry.id,
                             .name = entry.name,
                             .home = nullptr,
                             .away_reason = "",
                             .away_code = Errc::unavailable,
                             .domain = kOwnDomain + static_cast<std::uint32_t>(i),
                             .owner = owners[i],
                             .counts = true,
                             .is_computer = entry.kind == wire::HomeKind::computer};
    Result<Reached>& home = *reached[i];
    if (!home) {
      member.away_reason = home.error().detail;
      member.away_code = home.error().code;
      member.counts = home.error().code != Errc::usage;  // this computer's own, or one that was never up
    } else {
      member.home = std::move(home->home);
      member.read_only = home->read_only;
      if (home->took) member.reached_in = std::chrono::duration_cast<decltype(member.reached_in)>(*home->took);
    }
    if (home && home->device) {
      const auto known = std::ranges::find(disks, *home->device);
      member.domain = static_cast<std::uint32_t>(known - disks.begin());
      if (known == disks.end()) disks.push_back(*home->device);
      member.counts = !source_devices.contains(*home->device);
    }
    members.push_back(std::move(member));
  }
  co_return members;
}

}  // namespace mhp::app
