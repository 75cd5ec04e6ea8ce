// Opening the state folder, the homes and the vault for a command.
#include "app/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "app/text.h"
#include "home/folder_home.h"

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

/// This computer's record; where it is lost or damaged, its copy, whose homes have the newest. Errors: corrupt.
static Result<vault::OpenRecord> own_record(const Session& session, vault::State& state, const vault::Device& device) {
  const auto bytes = state.signed_record();
  if (!bytes && bytes.error().code != Errc::corrupt) return tl::unexpected<Error>(bytes.error());
  auto record = bytes ? vault::open_record(*bytes, device) : Result<vault::OpenRecord>(tl::unexpected(bytes.error()));
  if (record) return record;
  const std::string problem =
      bytes ? state.record_path() + ": damaged (" + record.error().detail + ")" : bytes.error().detail;
  const auto copy = state.signed_record_copy();
  auto from_copy = copy ? vault::open_record(*copy, device) : Result<vault::OpenRecord>(tl::unexpected(copy.error()));
  if (!from_copy) return fail(Errc::corrupt, Subject::state, problem);
  if (const auto kept = state.set_signed_record(from_copy->signed_bytes); !kept) {
    session.out.note(fmt::format("{}; its copy is used", printable(problem)));
  } else {
    session.out.note(fmt::format("{}; it was put back from its copy", printable(problem)));
  }
  return from_copy;
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
  MHP_TRY(vault::OpenRecord record, own_record(session, *opened.state, device));
  opened.device = std::make_unique<vault::Device>(std::move(device));
  opened.record = std::make_unique<vault::OpenRecord>(std::move(record));
  return opened;
}

/// A home may hold a newer record than this computer (another device changed it, or this one was set back).
static Task<Result<bool>> take_newer_record(Session& session, Opened& opened) {
  std::vector<home::Home*> reachable;
  std::vector<std::size_t> numbers;  // of these in the set
  for (std::size_t i = 0; i < opened.homes->members().size(); ++i) {
    const dispersal::Member& member = opened.homes->members()[i];
    if (!member.home) continue;
    reachable.push_back(member.home.get());
    numbers.push_back(i);
  }
  std::vector<std::size_t> silent;
  auto newest =
      co_await vault::newest_record(reachable, opened.record->record.vault, &session.platform.clock(), &silent);
  for (const std::size_t one : silent) {
    session.silent.insert(opened.record->content.homes[numbers[one]].path);
    opened.homes->give_up(numbers[one]);
  }
  if (!newest) co_return false;  // a home without a record yet is no failure: its own copy serves
  MHP_CO_TRY(auto checked, vault::check_record(*newest, opened.record->record.vault, {}));
  if (checked.version <= opened.record->record.version) co_return false;
  MHP_CO_TRY(vault::OpenRecord record, vault::open_record(*newest, *opened.device));
  MHP_CO_TRY_VOID(opened.state->set_signed_record(*newest));
  *opened.record = std::move(record);
  co_return true;
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

Task<Result<Opened>> open_vault(Session& session, OpenOptions options) {
  MHP_CO_TRY(Opened opened, open_state(session));
  std::set<std::uint64_t> source_devices;
  for (const auto& info : co_await infos_of_paths(session, options.sources)) {
    if (info) source_devices.insert(info->device);
  }
  co_await make_home_set(session, opened, source_devices);
  MHP_CO_TRY(const bool newer, co_await take_newer_record(session, opened));
  if (newer) co_await make_home_set(session, opened, source_devices);
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
  if (!session.out.mute) {
    for (const vault::UnreadHead& head : opened.vault->unread_heads()) {
      session.out.note(fmt::format(
          "what the former computer {} saved last, at {}, cannot be read from the homes at hand and is not shown ({}). "
          "It is still there: connect the homes that have it.",
          head.device.short_hex(), format_time(head.newest_ns), printable(head.reason)));
    }
  }
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
    return "Nothing wrong was written. 'mhp check --read-data' finds what is damaged, 'mhp repair' makes it again.";
  return "";
}

}  // namespace mhp::app
