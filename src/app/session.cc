// Opening the state folder, the homes and the vault for a command.
#include "app/session.h"
#include "app/members.h"
#include "app/notes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "app/cloud_homes.h"
#include "app/limits.h"
#include "app/memberships.h"
#include "app/phrase_place.h"
#include "app/text.h"
#include "cloud/exchange.h"
#include "cloud/network_line.h"
#include "home/folder_home.h"
#include "platform/round.h"
#include "vault/snapshot_order.h"

namespace mhp::app {

std::string default_state_folder() {
  if (const char* home = std::getenv("MHP_HOME"); home != nullptr && *home != '\0') return home;
  if (const char* xdg = std::getenv("XDG_STATE_HOME"); xdg != nullptr && *xdg != '\0') return std::string(xdg) + "/mhp";
  if (const char* user = std::getenv("HOME"); user != nullptr && *user != '\0')
    return std::string(user) + "/.local/state/mhp";
  return "";
}

/// The end of the work is the end of its connections.
static Task<> work_in(std::function<Task<int>(Session&)> work, Session& session, int& code, platform::Nursery& all) {
  auto task = work(session);
  code = co_await std::move(task);
  keep_what_was_learned(session);
  all.cancel();
}

Task<int> run_command(std::function<Task<int>(Session&)> work, Session& session) {
  int code = kInterrupted;
  platform::Nursery all(session.platform.executor());
  struct Lent {  // gone before the nursery is, however this ends
    explicit Lent(Session& to, platform::Nursery& connections) : session(to) { session.connections = &connections; }
    Lent(const Lent&) = delete;
    Lent& operator=(const Lent&) = delete;
    ~Lent() {
      session.network.reset();
      session.connections = nullptr;
    }
    Session& session;
  } const lent(session, all);
  all.start(work_in(std::move(work), session, code, all));
  (void)co_await all.settle();  // a service that was told to stop ends in order, and has a code of its own
  co_return code;
}

/// All that a file of the state folder has, or an error: one record in it that is not genuine is damage.
static Result<vault::OpenRecord> join_own(const Result<std::vector<Bytes>>& records, const vault::Device& device) {
  if (!records) return tl::unexpected<Error>(records.error());
  for (const Bytes& record : *records) {
    MHP_TRY_VOID(vault::check_record(record, device.secret.vault));
  }
  return vault::join_records(*records, device);
}

/// The records that this computer knows; where the file is lost or damaged, those in its copy, whose homes have the
/// newest. Errors: corrupt.
static Result<vault::OpenRecord> own_records(const Session& session, vault::State& state, const vault::Device& device) {
  const auto kept = state.records();
  if (!kept && kept.error().code != Errc::corrupt) return tl::unexpected<Error>(kept.error());
  auto record = join_own(kept, device);
  if (record || record.error().subject == Subject::vault) return record;
  const std::string problem =
      kept ? state.records_path() + ": damaged (" + record.error().detail + ")" : kept.error().detail;
  auto from_copy = join_own(state.records_copy(), device);
  if (!from_copy) return fail(Errc::corrupt, Subject::state, problem);
  if (const auto mended = state.set_records(*from_copy); !mended) {
    session.out.note(fmt::format("{}; its copy is used", printable(problem)));
  } else {
    session.out.note(fmt::format("{}; it was put back from its copy", printable(problem)));
  }
  return from_copy;
}

static void note_waiting(const Session& session, const std::string& whom) {
  if (!session.out.mute) session.out.note("waiting for another mhp, which writes: " + printable(whom));
}

/// A damaged signing key would still open the vault, and every home would refuse what it signs: no home is to blame.
/// Errors: corrupt.
static Result<void> check_is_certified(const vault::State& state, const vault::Device& device,
                                       const vault::OpenRecord& record) {
  const auto certificates = vault::devices_of(record.record);
  const bool known = std::ranges::find(certificates, device.id, &wire::DeviceCertificate::device) != certificates.end();
  if (known) return {};
  return fail(Errc::corrupt, Subject::state,
              state.device_path() + ": damaged (its key is of no computer that the vault record names)");
}

Result<Opened> open_records(Session& session) {
  Opened opened;
  opened.state = std::make_unique<vault::State>(session.platform.disk(), session.state_folder, session.command);
  MHP_TRY(const bool there, opened.state->exists());
  if (!there) {
    return fail(Errc::not_found, Subject::vault,
                fmt::format("there is no vault on this computer yet (looked in {})", printable(session.state_folder)));
  }
  MHP_TRY(vault::Device device, opened.state->device());
  MHP_TRY(vault::OpenRecord record, own_records(session, *opened.state, device));
  MHP_TRY_VOID(check_is_certified(*opened.state, device, record));
  note_phrase_place(session);
  opened.device = std::make_unique<vault::Device>(std::move(device));
  opened.record = std::make_unique<vault::OpenRecord>(std::move(record));
  return opened;
}

/// Homes may hold what other devices have written since, or what this one has lost. True where the list of homes is
/// another now.
static Task<Result<bool>> take_newer_records(Session& session, Opened& opened, bool keeps_homes) {
  std::vector<home::Home*> homes;
  for (const dispersal::Member& member : opened.homes->members()) homes.push_back(member.home.get());
  auto seen = co_await vault::seen_records(homes, opened.record->record.vault, &session.platform.clock(),
                                           vault::Ask::newest, opened.homes->fair_time());
  for (const std::size_t one : seen.silent) {
    session.silent.insert(silence_of(opened.record->content.homes[one]));
    opened.homes->give_up(one);
  }
  for (const auto& own : opened.record->records) seen.records.push_back(own.signed_record);
  MHP_CO_TRY(vault::OpenRecord joined, vault::join_records(seen.records, *opened.device));
  if (joined.records != opened.record->records) {
    MHP_CO_TRY_VOID(opened.state->set_records(joined));
  }
  const auto homes_before = opened.record->content.homes;
  const auto leaving_before = opened.leaving;
  const auto refusing_before = opened.refusing;
  *opened.record = std::move(joined);
  MHP_CO_TRY_VOID(follow_clouds(session, opened, keeps_homes));
  co_return opened.record->content.homes != homes_before || opened.leaving != leaving_before ||
      opened.refusing != refusing_before;
}

/// The state folder's lock, once no other mhp has it. Errors: busy, with who has it; not_found (no vault here).
static Task<Result<std::unique_ptr<platform::FileLock>>> lock_state(Session& session, std::chrono::nanoseconds until) {
  constexpr auto kBetweenAsks = std::chrono::milliseconds(100);
  const vault::State state(session.platform.disk(), session.state_folder, session.command);
  MHP_CO_TRY(const bool there, state.exists());
  if (!there) co_return std::unique_ptr<platform::FileLock>();  // what is opened next says so
  for (bool is_told = false;; is_told = true) {
    auto lock = state.lock(state.who());
    const bool is_held = !lock && lock.error().code == Errc::busy;
    if (!is_held || session.platform.clock().steady() >= until) co_return lock;
    if (!is_told) note_waiting(session, lock.error().detail);
    co_await session.platform.clock().sleep(kBetweenAsks);
  }
}

Task<> lock_homes(Session& session, Opened& opened, std::chrono::nanoseconds until) {
  // Homes are told no more of who writes than what they hold says: which device, not its name.
  std::string who = fmt::format("{} of computer {}", session.command, opened.device->id.short_hex());
  const auto patience = until - session.platform.clock().steady();
  dispersal::WaitsFor waits = [&session](const dispersal::Member& home, const std::string& holder) {
    note_waiting(session, fmt::format("home '{}': {}", home.name, holder));
  };
  co_await opened.homes->begin_writing(std::move(who), patience, std::move(waits));
}

static Task<> make_home_set(Session& session, Opened& opened, std::set<std::uint64_t> source_devices) {
  auto key = speaking_as(*opened.device, *opened.record);
  auto members =
      co_await open_members(session, opened.record->content.homes, std::move(source_devices), std::move(key));
  for (dispersal::Member& member : members) {
    member.refuses = opened.refusing.contains(member.id);
    member.counts = member.counts && !opened.leaving.contains(member.id) && !member.refuses;
  }
  opened.homes =
      std::make_unique<dispersal::HomeSet>(session.platform, opened.record->record.vault, std::move(members));
  opened.homes->trust(vault::card_signers(opened.record->record));
  opened.homes->allow_longer(patience_of(session));
}

std::vector<std::size_t> members_leaving(const Opened& opened) {
  std::vector<std::size_t> leaving;
  for (std::size_t i = 0; i < opened.homes->members().size(); ++i) {
    if (opened.leaving.contains(opened.homes->members()[i].id)) leaving.push_back(i);
  }
  return leaving;
}

void report_away(dispersal::HomeSet& homes) {
  for (std::size_t i = 0; i < homes.members().size(); ++i) {
    const dispersal::Member& member = homes.members()[i];
    if (member.home || !member.is_wanted()) continue;
    const bool is_damaged = member.away_code == Errc::corrupt;
    homes.report(i, is_damaged ? dispersal::TroubleKind::damaged : dispersal::TroubleKind::away, member.away_reason);
  }
}

/// Homes on the disks of what this computer saved last are lost with it. (Where it has saved nothing yet, of what any
/// did: it may have taken that one's place.)
static Task<> discount_source_disks(Session& session, Opened& opened) {
  const auto& snapshots = opened.vault->snapshots();
  const auto& homes = opened.record->content.homes;
  if (snapshots.empty()) co_return;
  const auto own = std::find_if(snapshots.rbegin(), snapshots.rend(), [&](const wire::SnapshotRecord& snapshot) {
    return snapshot.device == opened.device->id;
  });
  std::vector<std::string> paths = own == snapshots.rend() ? snapshots.back().paths : own->paths;
  const std::size_t sources = paths.size();
  for (const wire::HomeEntry& home : homes) paths.push_back(home.same_disk ? "" : home.path);
  const auto infos = co_await infos_of_paths(session, std::move(paths));
  std::set<std::uint64_t> disks;
  for (std::size_t i = 0; i < sources; ++i)
    if (infos[i]) disks.insert(infos[i]->device);
  for (std::size_t i = 0; i < homes.size(); ++i)
    if (infos[sources + i] && disks.contains(infos[sources + i]->device)) opened.homes->discount(i);
}

Task<Result<Opened>> open_vault(Session& session, OpenOptions options) {
  co_await return_to_clouds(session);
  const auto until = session.platform.clock().steady() + session.patience;
  std::unique_ptr<platform::FileLock> lock;
  if (options.writes) {
    MHP_CO_TRY(lock, co_await lock_state(session, until));
  }
  MHP_CO_TRY(Opened opened, open_records(session));
  opened.lock = std::move(lock);
  std::set<std::uint64_t> source_devices;
  for (const auto& info : co_await infos_of_paths(session, options.sources)) {
    if (info) source_devices.insert(info->device);
  }
  MHP_CO_TRY_VOID(follow_clouds(session, opened, options.keeps_homes));
  co_await make_home_set(session, opened, source_devices);
  if (options.writes) co_await lock_homes(session, opened, until);
  MHP_CO_TRY(const bool other_homes, co_await take_newer_records(session, opened, options.keeps_homes));
  if (other_homes) co_await make_home_set(session, opened, source_devices);
  if (other_homes && options.writes) co_await lock_homes(session, opened, until);
  note_out(session, opened);
  if (opened.homes->exhausted()) co_return tl::unexpected<Error>(*opened.homes->exhausted());
  if (!options.read_index) co_return opened;
  if (opened.record->content.homes.empty()) {
    co_return fail(Errc::unavailable, Subject::vault, "this vault has no home yet: there is nowhere to keep anything");
  }
  const vault::OpenHow how{.newest_readable = options.only_reads, .is_locked = opened.lock != nullptr};
  auto vault =
      co_await vault::Vault::open(session.platform, *opened.homes, *opened.state, *opened.device, *opened.record, how);
  if (!vault) {
    report_away(*opened.homes);
    name_troubles(session, *opened.homes);
    note_set_back(session, *opened.homes);
    co_return pass(vault);
  }
  opened.vault = std::move(*vault);
  if (options.weighs_homes) co_await discount_source_disks(session, opened);
  if (options.tells_what_is_not_shown) note_what_is_not_shown(session, opened);
  co_return opened;
}

bool is_within(const std::string& path, const std::string& folder) {
  if (folder.empty()) return false;  // a home that is no folder
  return path == folder || path.starts_with(folder.ends_with('/') ? folder : folder + "/");
}

}  // namespace mhp::app
