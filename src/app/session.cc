// Opening the state folder, the homes and the vault for a command.
#include "app/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "app/text.h"
#include "home/folder_home.h"
#include "vault/snapshot_order.h"

namespace mhp::app {

std::string default_state_folder() {
  if (const char* home = std::getenv("MHP_HOME"); home != nullptr && *home != '\0') return home;
  if (const char* xdg = std::getenv("XDG_STATE_HOME"); xdg != nullptr && *xdg != '\0') return std::string(xdg) + "/mhp";
  if (const char* user = std::getenv("HOME"); user != nullptr && *user != '\0')
    return std::string(user) + "/.local/state/mhp";
  return "";
}

/// `into` outlives it: the caller joins.
static Task<> ask_path(Session& session, std::string path, std::optional<platform::PathInfo>& into) {
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

using Reached = std::optional<Result<home::ReachedFolder>>;

/// `entry` and `into` outlive it: the caller joins.
static Task<> reach(Session& session, const wire::HomeEntry& entry, Reached& into) {
  if (entry.kind != wire::HomeKind::folder) {
    into = fail(Errc::unavailable, Subject::home, "a home of a kind that this mhp cannot reach: a newer one added it");
    co_return;
  }
  if (session.silent.contains(entry.path)) {
    into = fail(Errc::timed_out, Subject::home, entry.path + ": does not answer");
    co_return;
  }
  home::FolderAddress address;
  address.path = entry.path;
  address.id = entry.id;
  address.limits = {.max_used_bytes = entry.max_used_bytes, .min_free_bytes = entry.min_free_bytes};
  address.same_disk = entry.same_disk;
  into = co_await home::reach_folder_home(session.platform, std::move(address), kPathLimit);
  if (!*into && (*into).error().code == Errc::timed_out) session.silent.insert(entry.path);
}

Task<std::vector<dispersal::Member>> open_members(Session& session, std::vector<wire::HomeEntry> entries,
                                                  std::set<std::uint64_t> source_devices) {
  std::vector<Reached> reached(entries.size());
  platform::Nursery scope(session.platform.executor());
  for (std::size_t i = 0; i < entries.size(); ++i) scope.start(reach(session, entries[i], reached[i]));
  co_await scope.join();
  // A home that shares no disk is a domain of its own, numbered from here; disks are numbered from 0.
  constexpr std::uint32_t kOwnDomain = 1u << 20;
  std::vector<std::uint64_t> disks;
  std::vector<dispersal::Member> members;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const wire::HomeEntry& entry = entries[i];
    dispersal::Member member{.id = entry.id,
                             .name = entry.name,
                             .home = nullptr,
                             .away_reason = "",
                             .away_code = Errc::unavailable,
                             .domain = kOwnDomain + static_cast<std::uint32_t>(i),
                             .counts = true};
    Result<home::ReachedFolder>& folder = *reached[i];
    if (!folder) {
      member.away_reason = folder.error().detail;
      member.away_code = folder.error().code;
    } else {
      member.home = std::move(folder->home);
      member.read_only = folder->read_only;
    }
    if (folder && !entry.same_disk) {
      const auto known = std::ranges::find(disks, folder->device);
      member.domain = static_cast<std::uint32_t>(known - disks.begin());
      if (known == disks.end()) disks.push_back(folder->device);
      member.counts = !source_devices.contains(folder->device);
    }
    members.push_back(std::move(member));
  }
  co_return members;
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

static Result<Opened> open_state(Session& session) {
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
  opened.device = std::make_unique<vault::Device>(std::move(device));
  opened.record = std::make_unique<vault::OpenRecord>(std::move(record));
  return opened;
}

/// Homes may hold what other devices have written since, or what this one has lost. True where the list of homes is
/// another now.
static Task<Result<bool>> take_newer_records(Session& session, Opened& opened) {
  std::vector<home::Home*> reachable;
  std::vector<std::size_t> numbers;  // of these in the set
  for (std::size_t i = 0; i < opened.homes->members().size(); ++i) {
    const dispersal::Member& member = opened.homes->members()[i];
    if (!member.home) continue;
    reachable.push_back(member.home.get());
    numbers.push_back(i);
  }
  auto seen = co_await vault::seen_records(reachable, opened.record->record.vault, &session.platform.clock());
  for (const std::size_t one : seen.silent) {
    session.silent.insert(opened.record->content.homes[numbers[one]].path);
    opened.homes->give_up(numbers[one]);
  }
  for (const auto& own : opened.record->records) seen.records.push_back(own.signed_record);
  MHP_CO_TRY(vault::OpenRecord joined, vault::join_records(seen.records, *opened.device));
  const bool other_homes = joined.content.homes != opened.record->content.homes;
  if (joined.records != opened.record->records) {
    MHP_CO_TRY_VOID(opened.state->set_records(joined));
  }
  *opened.record = std::move(joined);
  co_return other_homes;
}

static Task<> make_home_set(Session& session, Opened& opened, std::set<std::uint64_t> source_devices) {
  auto members = co_await open_members(session, opened.record->content.homes, std::move(source_devices));
  opened.homes =
      std::make_unique<dispersal::HomeSet>(session.platform, opened.record->record.vault, std::move(members));
  opened.homes->trust(vault::card_signers(opened.record->record));
}

void report_away(dispersal::HomeSet& homes) {
  for (std::size_t i = 0; i < homes.members().size(); ++i) {
    const dispersal::Member& member = homes.members()[i];
    if (member.home) continue;
    const bool is_damaged = member.away_code == Errc::corrupt;
    homes.report(i, is_damaged ? dispersal::TroubleKind::damaged : dispersal::TroubleKind::away, member.away_reason);
  }
}

/// Every home that answered showed less than this computer has seen: an older backup of all of them was put back, say.
static bool all_set_back(const dispersal::HomeSet& homes) {
  const auto older = std::ranges::count_if(homes.troubles(), [](const dispersal::Trouble& trouble) {
    return trouble.kind == dispersal::TroubleKind::old_heads || trouble.kind == dispersal::TroubleKind::read_only;
  });
  return homes.reachable() > 0 && static_cast<std::size_t>(older) >= homes.reachable();
}

static std::string about_unread(const vault::UnreadHead& head) {
  if (head.is_locked) {
    return fmt::format(
        "what computer {} saved last, at {}, was saved after another recovery of this vault and is not shown: run 'mhp "
        "recover --state NEW-FOLDER --home DIR' with your 24 words, and both come together.",
        head.device.short_hex(), format_time(head.newest_ns));
  }
  return fmt::format(
      "what the former computer {} saved last, at {}, cannot be read from the homes at hand and is not shown ({}). It "
      "is "
      "still there: connect the homes that have it.",
      head.device.short_hex(), format_time(head.newest_ns), printable(head.reason));
}

std::string names_of_members(const dispersal::HomeSet& homes, const std::vector<std::size_t>& members) {
  std::string names;
  for (const std::size_t member : members) {
    names += fmt::format("{}'{}'", names.empty() ? "" : ", ", printable(homes.members()[member].name));
  }
  return names;
}

static void note_what_is_not_shown(const Session& session, const Opened& opened) {
  for (const vault::UnreadHead& head : opened.vault->unread_heads()) session.out.note(about_unread(head));
  for (const vault::LateState& late : opened.vault->late_states()) {
    session.out.note(fmt::format(
        "the former computer {} was shut out, and saved something after that by the clocks of the homes: home {} has "
        "it, of {}. It is not shown, and nothing of it is deleted. If it is yours, take it in: 'mhp recover "
        "--with-late --state NEW-FOLDER --home DIR'. If it is an enemy's, --as-of with the present time leaves it out "
        "for good.",
        late.device.short_hex(), names_of_members(*opened.homes, late.members), format_time(late.newest_ns)));
  }
  if (opened.vault->joins_histories()) {
    session.out.note(
        "a former computer's state folder had been put back from an older copy: homes hold two histories of it. "
        "Snapshots of both are shown; the next 'mhp backup' brings them together.");
  }
  if (opened.vault->is_forked()) {
    session.out.note(
        "this computer's state folder was put back from an older copy, and it has saved since: homes hold two "
        "histories of it. Snapshots of both are shown; it can save again after 'mhp recover --state NEW-FOLDER --home "
        "DIR' with your 24 words.");
  }
}

Task<Result<Opened>> open_vault(Session& session, OpenOptions options) {
  MHP_CO_TRY(Opened opened, open_state(session));
  std::set<std::uint64_t> source_devices;
  for (const auto& info : co_await infos_of_paths(session, options.sources)) {
    if (info) source_devices.insert(info->device);
  }
  co_await make_home_set(session, opened, source_devices);
  MHP_CO_TRY(const bool other_homes, co_await take_newer_records(session, opened));
  if (other_homes) co_await make_home_set(session, opened, source_devices);
  if (opened.homes->exhausted()) co_return tl::unexpected<Error>(*opened.homes->exhausted());
  if (!options.read_index) co_return opened;
  if (opened.record->content.homes.empty()) {
    co_return fail(Errc::unavailable, Subject::vault, "this vault has no home yet: there is nowhere to keep anything");
  }
  auto vault =
      co_await vault::Vault::open(session.platform, *opened.homes, *opened.state, *opened.device, *opened.record);
  if (!vault) {
    report_away(*opened.homes);
    name_troubles(session, *opened.homes);
    if (all_set_back(*opened.homes) && !session.out.mute) {
      session.out.note(
          "All homes that answer are older than what this computer has seen. Where they will not become newer again, "
          "the way on is 'mhp recover --state NEW-FOLDER --home DIR' with the 24 words: it takes what they have.");
    }
    co_return pass(vault);
  }
  opened.vault = std::move(*vault);
  if (!session.out.mute) note_what_is_not_shown(session, opened);
  co_return opened;
}

bool name_troubles(const Session& session, const dispersal::HomeSet& homes) {
  bool lied = false;
  // Where most homes are slow at once it is this computer that is busy: no home is to blame.
  const auto slow = std::ranges::count(homes.troubles(), dispersal::TroubleKind::slow, &dispersal::Trouble::kind);
  const bool busy_here = 2 * static_cast<std::size_t>(slow) >= homes.reachable();
  for (const dispersal::Trouble& trouble : homes.troubles()) {
    if (trouble.kind == dispersal::TroubleKind::slow && busy_here) continue;
    lied = lied || dispersal::is_lie(trouble.kind);
    if (session.out.mute) continue;
    session.out.note(fmt::format("home '{}' ({}): {}: {}", printable(trouble.name), trouble.home.short_hex(),
                                 dispersal::to_string(trouble.kind), printable(trouble.detail)));
  }
  return lied;
}

void name_reprieved(const Session& session, const vault::Vault& vault) {
  if (vault.reprieved_segments() == 0 || session.out.mute) return;
  session.out.note(fmt::format(
      "ALARM: homes had been told to delete {} that snapshots need; this was taken back, nothing is lost. Did another "
      "computer of yours run 'mhp forget' while this one worked? Then all is well. If not, somebody wants to destroy "
      "this vault: shut that computer out with 'mhp recover' and the 24 words.",
      plural(vault.reprieved_segments(), "segment", "segments")));
}

std::uint64_t count_in_future(const Session& session, const std::vector<wire::SnapshotRecord>& snapshots) {
  const std::int64_t now = session.platform.clock().unix_ns();
  return static_cast<std::uint64_t>(
      std::ranges::count_if(snapshots, [now](const auto& one) { return vault::is_in_future(one, now); }));
}

void note_wrong_clocks(const Session& session, const std::vector<wire::SnapshotRecord>& snapshots) {
  const std::uint64_t count = count_in_future(session, snapshots);
  if (count == 0 || session.out.mute) return;
  const std::int64_t now = session.platform.clock().unix_ns();
  const std::int64_t furthest = std::ranges::max(snapshots, {}, &wire::SnapshotRecord::time_ns).time_ns;
  session.out.note(
      fmt::format("{} a time in the future (up to {}; it is {} by this computer's clock): a clock was wrong when they "
                  "were made, or "
                  "is now. They keep their place among the others, and rules of 'mhp forget' do not go by such a time.",
                  plural(count, "snapshot bears", "snapshots bear"), format_time(furthest), format_time(now)));
}

void note_warnings(const Session& session, const std::vector<snapshot::SourceError>& warnings) {
  std::map<std::string, std::uint64_t> counts;
  for (const auto& warning : warnings) ++counts[warning.reason];
  for (const auto& warning : warnings) {
    const std::uint64_t count = std::exchange(counts[warning.reason], 0);
    if (count == 0) continue;  // told with the first that has this reason
    const std::string others = count == 1 ? "" : fmt::format(" (and {})", plural(count - 1, "other", "others"));
    session.out.note(fmt::format("{}{}: {}", printable(warning.path), others, printable(warning.reason)));
  }
}

bool is_within(const std::string& path, const std::string& folder) {
  if (folder.empty()) return false;  // a home that is no folder
  return path == folder || path.starts_with(folder.ends_with('/') ? folder : folder + "/");
}

static std::string homes_hint(Errc code, bool writes) {
  switch (code) {
    case Errc::full:
      return "Earlier snapshots are whole. Make space or add a home with 'mhp home add DIR'; the next backup goes on "
             "from here.";
    case Errc::busy:
      return "Another mhp, of this computer or another one, is writing to them: no home is away. Wait until it is "
             "done, "
             "and try again.";
    case Errc::denied:
      return "They are write-protected: no home is away. Mount them for writing, or let this user write there, and try "
             "again; what they hold can be restored as they are.";
    default:
      return fmt::format(
          "Earlier snapshots are as they were. Connect the homes that are away ('mhp home list' names "
          "them){} and try again.",
          writes ? ", or add one with 'mhp home add DIR'," : "");
  }
}

static std::string target_hint(Errc code) {
  switch (code) {
    case Errc::full:
      return "No home is to blame: what was brought back is whole, and there was no room for the rest. Make space on "
             "the "
             "disk of --to, or name another folder that is empty or does not exist.";
    case Errc::denied:
      return "Choose a folder with --to where this user may write.";
    case Errc::unavailable:
      return "The disk of --to failed. Choose a folder on another one.";
    default:
      return "Choose a folder with --to that is empty or does not exist.";
  }
}

static std::string vault_hint(Errc code) {
  switch (code) {
    case Errc::not_found:
      return "Start one with 'mhp init', or bring yours back with 'mhp recover'.";
    case Errc::unavailable:
      return "Add one with 'mhp home add DIR'.";
    case Errc::denied:
      return "Somebody ran 'mhp recover' with the 24 words since. What is saved is whole. If it was you, come in "
             "again: "
             "'mhp recover --state NEW-FOLDER --home DIR' (--keep-devices lets the other computer stay). If not, "
             "somebody has your words: what they must not see belongs in a new vault.";
    case Errc::corrupt:
      return "Come in again with your 24 words: 'mhp recover --state NEW-FOLDER --home DIR' (name more homes with more "
             "--home). It brings both histories together, and nothing is lost.";
    default:
      return "";
  }
}

std::string hint_for(const Error& error, bool writes) {
  if (error.code == Errc::exhausted) {
    return "This computer is short of it, no file and no home is to blame. Earlier snapshots are whole; give more and "
           "try again.";
  }
  switch (error.subject) {
    case Subject::homes:
      return homes_hint(error.code, writes);
    case Subject::target:
      return target_hint(error.code);
    case Subject::vault:
      return vault_hint(error.code);
    case Subject::source:
      return "Name files or folders outside of the homes and of the state folder.";
    case Subject::snapshot:
      return "Write SNAPSHOT or SNAPSHOT:PATH, such as latest:/home/ann; 'mhp snapshots' lists them.";
    case Subject::entry:
      return "Paths are whole, as in the snapshot: 'mhp ls SNAPSHOT' shows where they begin.";
    default:
      break;
  }
  if (error.code == Errc::corrupt)
    return "Nothing wrong was written. 'mhp check --read-data' says what is damaged and which files that touches, 'mhp "
           "repair' makes again what can be made.";
  return "";
}

}  // namespace mhp::app
