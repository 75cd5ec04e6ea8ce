// `mhp home add | list | remove`: drives, folders and mounted shares as homes.
#include <fmt/format.h>

#include <algorithm>

#include "app/cloud_homes.h"
#include "app/commands/commands.h"
#include "app/hand_over.h"
#include "app/limits.h"
#include "app/members.h"
#include "app/notes.h"
#include "app/text.h"
#include "home/folder_home.h"
#include "vault/give_up.h"

namespace mhp::app {

Task<Result<void>> change_homes(Session& session, Opened& opened, std::vector<wire::HomeEntry> entries) {
  wire::VaultPrivate content = opened.record->content;
  content.homes = std::move(entries);
  auto next = vault::next_record(*opened.record, *opened.device, std::move(content), session.platform.random(),
                                 session.platform.clock().unix_ns());
  if (!next) co_return pass(next);
  MHP_CO_TRY_VOID(opened.state->set_records(*next));
  *opened.record = std::move(*next);
  opened.homes.reset();  // its homes' locks go before they are opened again
  const std::set<std::uint64_t> no_sources;
  auto key = speaking_as(*opened.device, *opened.record);
  auto members = co_await open_members(session, opened.record->content.homes, no_sources, std::move(key));
  opened.homes =
      std::make_unique<dispersal::HomeSet>(session.platform, opened.record->record.vault, std::move(members));
  opened.homes->trust(vault::card_signers(opened.record->record));
  opened.homes->allow_longer(patience_of(session));
  co_await lock_homes(session, opened, session.platform.clock().steady() + session.patience);
  const auto took = co_await vault::publish_records(*opened.homes, *opened.record, &session.platform.clock());
  if (took.empty() && !opened.record->content.homes.empty()) {
    co_return opened.homes->took_too_little(
        "no home took the vault record: the list of homes is changed on this computer only");
  }
  co_return Result<void>();
}

/// Nobody can tell homes of one name apart: the shortest end of its path that no other home is called.
static std::string free_home_name(const std::vector<wire::HomeEntry>& entries, const wire::HomeEntry& entry) {
  const auto is_taken = [&](const std::string& name) {
    return std::ranges::any_of(entries, [&](const auto& one) { return one.name == name && one.id != entry.id; });
  };
  std::size_t slash = entry.path.find_last_of('/');
  while (slash != std::string::npos && slash > 0 && is_taken(entry.path.substr(slash + 1)))
    slash = entry.path.find_last_of('/', slash - 1);
  const bool is_whole = slash == std::string::npos || slash + 1 == entry.path.size();
  return is_whole || is_taken(entry.path.substr(slash + 1)) ? entry.path : entry.path.substr(slash + 1);
}

/// Another home on the same disk, for the warning.
static Task<std::string> disk_neighbour(Session& session, std::vector<wire::HomeEntry> entries, HomeId added) {
  std::vector<std::string> paths;
  for (const wire::HomeEntry& entry : entries) paths.push_back(entry.path);
  const auto infos = co_await infos_of_paths(session, std::move(paths));
  const auto own = static_cast<std::size_t>(std::ranges::find(entries, added, &wire::HomeEntry::id) - entries.begin());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (i != own && infos[own] && infos[i] && infos[i]->device == infos[own]->device) co_return entries[i].name;
  }
  co_return "";
}

/// A drive that was copied with the home on it has the same id: both would be taken for one home, which they are not.
/// `entry` is at hand. Errors: invalid where the home also answers at the place that the vault knows.
static Task<Result<void>> check_not_a_copy(Session& session, const Opened& opened, wire::HomeEntry entry) {
  const auto& entries = opened.record->content.homes;
  const auto known = std::ranges::find(entries, entry.id, &wire::HomeEntry::id);
  if (known == entries.end()) co_return Result<void>();
  const auto& original = opened.homes->members()[static_cast<std::size_t>(known - entries.begin())];
  if (!original.home) co_return Result<void>();  // it went away: this is where it is now
  std::vector<std::string> paths = {known->path, entry.path};
  const auto infos = co_await infos_of_paths(session, std::move(paths));
  const bool same = infos[0] && infos[1] && infos[0]->device == infos[1]->device && infos[0]->inode == infos[1]->inode;
  if (same) co_return Result<void>();
  co_return fail(Errc::invalid, Subject::home,
                 fmt::format("{}: is a copy of home '{}' ({}), which still answers at {}", entry.path, known->name,
                             entry.id.short_hex(), known->path));
}

/// Whoever deletes the outer folder, or backs it up, would take the inner one too.
static Result<void> check_not_nested(const Session& session, const std::vector<wire::HomeEntry>& entries,
                                     const std::string& path) {
  const auto state = session.platform.disk().absolute(session.state_folder);
  if (state && (is_within(path, *state) || is_within(*state, path)))
    return fail(Errc::usage, Subject::home, path + ": a home and the state folder cannot lie in each other");
  for (const wire::HomeEntry& entry : entries) {
    if (path != entry.path && (is_within(path, entry.path) || is_within(entry.path, path)))
      return fail(Errc::usage, Subject::home,
                  fmt::format("{}: a home cannot lie in another, and home '{}' is {}", path, entry.name, entry.path));
  }
  return {};
}

/// A name that is given is for one home. Errors: usage.
static Result<void> check_name_is_free(const std::vector<wire::HomeEntry>& entries, const std::string& name,
                                       const std::optional<HomeId>& home) {
  const auto has_it = [&](const wire::HomeEntry& one) { return !name.empty() && one.name == name && one.id != home; };
  const auto other = std::ranges::find_if(entries, has_it);
  if (other == entries.end()) return {};
  return fail(Errc::usage, fmt::format("home {} ({}) is called '{}' already: give this one another --name",
                                       other->id.short_hex(), printable(place_of(*other)), printable(name)));
}

/// The folder is made a home where it is none yet (not with dry_run: then its id stays empty). Blocking.
static Result<wire::HomeEntry> entry_for(platform::Disk& disk, platform::Random& random, const HomeAddArgs& args,
                                         const std::vector<wire::HomeEntry>& entries) {
  wire::HomeEntry entry{.name = args.name, .kind = wire::HomeKind::folder, .same_disk = args.same_disk};
  if (!args.max_used.empty()) {
    MHP_TRY(entry.max_used_bytes, parse_size(args.max_used));
    if (entry.max_used_bytes == 0) return fail(Errc::usage, "--max 0 leaves no room for anything");
  }
  if (!args.min_free.empty()) {
    MHP_TRY(entry.min_free_bytes, parse_size(args.min_free));
    entry.min_free_bytes = std::max<std::uint64_t>(entry.min_free_bytes, 1);  // 0 would mean the default
  }
  MHP_TRY(entry.path, about(Subject::home, disk.absolute(args.path)));
  MHP_TRY(const std::optional<HomeId> found, about(Subject::home, home::look_for_new_home(disk, entry.path)));
  MHP_TRY_VOID(check_name_is_free(entries, args.name, found));
  if (found) {
    entry.id = *found;
  } else if (!args.dry_run) {
    MHP_TRY(entry.id, about(Subject::home, home::create_folder_home(disk, random, entry.path)));
  }
  return entry;
}

/// A name without a folder behind it may be that of a home of a cloud.
static Task<Result<std::optional<wire::HomeEntry>>> find_computer(Session& session, const Opened& opened,
                                                                  std::string name) {
  if (name.find('/') != std::string::npos) co_return std::nullopt;
  std::vector<std::string> paths = {name};
  const auto infos = co_await infos_of_paths(session, std::move(paths));
  if (infos[0]) co_return std::nullopt;
  co_return find_lent_home(session, opened, name);
}

static vault::Word word_of(const Session& session, const Opened& opened) {
  return {opened.record->record.vault, *opened.device, session.platform.clock().unix_ns()};
}

static Task<Result<HomeAdded>> add_computer(Session& session, Opened& opened, wire::HomeEntry entry, HomeAddArgs args) {
  std::vector<wire::HomeEntry> entries = opened.record->content.homes;
  if (entries.size() >= wire::kMaxHomes) co_return fail(Errc::usage, "a vault has at most 255 homes");
  MHP_CO_TRY_VOID(check_name_is_free(entries, args.name, entry.id));
  if (!args.name.empty()) entry.name = args.name;
  entries.push_back(entry);
  const auto& removed = opened.record->content.removed;
  HomeAdded added{.entry = entry,
                  .known = std::ranges::find(removed, entry.id, &wire::RemovedHome::id) != removed.end(),
                  .shares_disk_with = "",
                  .homes = entries.size()};
  if (args.dry_run) co_return added;
  MHP_CO_TRY_VOID(co_await change_homes(session, opened, std::move(entries)));
  const auto& members = opened.homes->members();
  const auto place = std::ranges::find(members, added.entry.id, &dispersal::Member::id) - members.begin();
  const auto member = static_cast<std::size_t>(place);
  const vault::Word word = word_of(session, opened);
  // Where it cannot be told, the next backup takes back what it needs, with an alarm.
  if (added.known && members[member].home) (void)co_await vault::take_back(*opened.homes, member, word);
  co_return added;
}

Task<Result<HomeAdded>> do_home_add(Session& session, HomeAddArgs args) {
  OpenOptions without_index;
  without_index.read_index = false;
  without_index.writes = !args.dry_run;
  without_index.keeps_homes = !args.dry_run;
  MHP_CO_TRY(Opened opened, co_await open_vault(session, without_index));
  if (args.path.empty()) co_return fail(Errc::usage, Subject::home, "an empty path is no folder");
  MHP_CO_TRY(auto computer, co_await find_computer(session, opened, args.path));
  if (computer) co_return co_await add_computer(session, opened, std::move(*computer), std::move(args));
  auto resolve = [&disk = session.platform.disk(), path = args.path] { return disk.absolute(path); };
  MHP_CO_TRY(const std::string path, co_await on_path(session, args.path, std::move(resolve)));
  MHP_CO_TRY_VOID(check_not_nested(session, opened.record->content.homes, path));
  auto make = [&disk = session.platform.disk(), &random = session.platform.random(), args,
               entries = opened.record->content.homes] { return entry_for(disk, random, args, entries); };
  MHP_CO_TRY(wire::HomeEntry entry, co_await on_path(session, args.path, std::move(make)));
  MHP_CO_TRY_VOID(co_await check_not_a_copy(session, opened, entry));
  std::vector<wire::HomeEntry> entries = opened.record->content.homes;
  if (entries.size() >= wire::kMaxHomes) co_return fail(Errc::usage, "a vault has at most 255 homes");
  HomeAdded added;
  const auto known = std::ranges::find(entries, entry.id, &wire::HomeEntry::id);
  if (entry.name.empty()) entry.name = free_home_name(entries, entry);
  if (known != entries.end()) {
    added.known = true;
    if (args.name.empty()) entry.name = known->name;
    if (args.max_used.empty()) entry.max_used_bytes = known->max_used_bytes;
    if (args.min_free.empty()) entry.min_free_bytes = known->min_free_bytes;
    entry.same_disk = entry.same_disk || known->same_disk;
    entry.later = known->later;
    *known = entry;
  } else {
    entries.push_back(entry);
  }
  added.entry = entry;
  added.homes = entries.size();
  if (!entry.same_disk) added.shares_disk_with = co_await disk_neighbour(session, entries, entry.id);
  if (args.dry_run) co_return added;
  MHP_CO_TRY_VOID(co_await change_homes(session, opened, std::move(entries)));
  co_return added;
}

static std::string add_hint(const Error& error) {
  if (error.subject != Subject::home) return hint_for(error);
  switch (error.code) {
    case Errc::not_found:
      return "Make it first; or is the drive not mounted?";
    case Errc::usage:
      return "A home is a folder of its own: name one that is empty, or does not exist yet.";
    case Errc::invalid:
      return "To let the copy take its place, disconnect the original first. To have one more home, empty the copy and "
             "add it again: it becomes a home of its own.";
    case Errc::corrupt:
      return "If the home is lost, take it off the list ('mhp home remove NAME --lost'), empty the folder and add it "
             "again.";
    case Errc::denied:
      return "Name a folder where this user may write, or mount the drive for writing.";
    case Errc::full:
      return "Its disk is full: make space there, or name a folder on another disk.";
    case Errc::timed_out:
      return "Is it a share whose server is away, or a drive that hangs?";
    default:
      return "";
  }
}

static int show_home_dry_run(const Session& session, const HomeAdded& added) {
  const bool made = added.entry.id == HomeId();  // a folder
  session.out.result({{"dry_run", true},
                      {"name", json_text(added.entry.name)},
                      {"path", json_text(added.entry.path)},
                      {"known", added.known},
                      {"homes", added.homes}});
  session.out.say(fmt::format("Would {} home '{}' at {}. Nothing was changed.",
                              added.known ? "attach again"
                              : made      ? "make and add"
                                          : "add",
                              printable(added.entry.name), printable(place_of(added.entry))));
  return kDone;
}

static Task<int> run_home_add(Session& session, HomeAddArgs args) {
  session.patience = std::chrono::minutes(args.wait_minutes);
  auto added = co_await do_home_add(session, args);
  if (!added) co_return session.out.fail(added.error(), add_hint(added.error()));
  if (args.dry_run) co_return show_home_dry_run(session, *added);
  session.out.done = "the home was added";
  session.out.result({{"id", added->entry.id.hex()},
                      {"name", json_text(added->entry.name)},
                      {"path", json_text(added->entry.path)},
                      {"known", added->known},
                      {"homes", added->homes}});
  session.out.say(fmt::format("Home '{}' is {}, at {}.", printable(added->entry.name),
                              added->known ? "attached again" : "added", printable(place_of(added->entry))));
  if (!added->shares_disk_with.empty()) {
    session.out.note(
        fmt::format("It lies on the same disk as home '{}': both are lost together, so they count as one. (--same-disk "
                    "counts them apart, for trials.)",
                    printable(added->shares_disk_with)));
  }
  session.out.say(fmt::format("The vault has {}. {}", plural(added->homes, "home", "homes"),
                              added->homes == 1 ? "That is not safe yet: add another."
                                                : "The next backup, or 'mhp repair', gives it its share."));
  co_return kDone;
}

static Task<int> run_home_list(Session& session) {
  OpenOptions without_index;
  without_index.read_index = false;
  auto opened = co_await open_vault(session, without_index);
  if (!opened) co_return session.out.fail(opened.error(), hint_for(opened.error()));
  nlohmann::json list = nlohmann::json::array();
  const auto& entries = opened->record->content.homes;
  if (entries.empty()) session.out.say("No home yet. Add one with 'mhp home add DIR'.");
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const dispersal::Member& member = opened->homes->members()[i];
    std::optional<home::Usage> usage;
    std::string state = "away";
    if (member.home) {
      const auto answer = co_await member.home->usage();
      state = !answer ? "failed" : member.refuses ? "refuses" : "ok";
      if (answer) usage = *answer;
    } else if (member.away_code == Errc::corrupt) {
      state = "damaged";
    } else if (!member.is_wanted()) {
      state = "here";
    }
    list.push_back({{"id", entries[i].id.hex()},
                    {"name", json_text(entries[i].name)},
                    {"path", json_text(entries[i].path)},
                    {"addresses", json_texts(entries[i].addresses)},
                    {"state", state},
                    {"used_bytes", usage ? nlohmann::json(usage->used_bytes) : nlohmann::json()},
                    {"free_bytes", usage ? nlohmann::json(usage->free_bytes) : nlohmann::json()}});
    session.out.say(fmt::format("{}  {:<16} {:<6} {:>9} used, {:>9} free   {}", entries[i].id.short_hex(),
                                printable(entries[i].name), state, usage ? format_bytes(usage->used_bytes) : "-",
                                usage ? format_bytes(usage->free_bytes) : "-", printable(place_of(entries[i]))));
    if (!member.away_reason.empty()) session.out.say("          " + printable(member.away_reason));
  }
  session.out.result({{"homes", list}});
  co_return kDone;
}

struct RemoveArgs {
  std::string home;
  int wait_minutes = kWaitMinutes;
  bool lost = false;
  bool dry_run = false;
};

/// By name, path or the first letters of its id.
static Result<std::size_t> choose_home(const std::vector<wire::HomeEntry>& entries, const std::string& text,
                                       const Result<std::string>& absolute) {
  std::vector<std::size_t> fitting;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const bool by_id = text.size() >= 4 && entries[i].id.hex().starts_with(text);
    if (by_id || entries[i].name == text || entries[i].path == text || (absolute && entries[i].path == *absolute))
      fitting.push_back(i);
  }
  if (fitting.empty()) return fail(Errc::not_found, Subject::home, fmt::format("no home is called '{}'", text));
  if (fitting.size() > 1)
    return fail(Errc::usage, Subject::home,
                fmt::format("several homes are called '{}': say the first letters of its id", text));
  return fitting.front();
}

struct RemoveDone {
  vault::RepairReport report;
  std::vector<vault::LoneHead> lone = {};  // with --lost: what the home alone shows
  int margin_before = 0;                   // with it
  std::string place;                       // of the home that was removed
  bool is_folder = true;
  std::size_t homes_left = 0;
  std::string name = {};
  bool refuses = false;                // it takes nothing from this computer, which was taken out of its cloud
  Result<std::uint64_t> given_up = 0;  // a computer: segments that it was told may go, or why it was not
};

/// What is given up with a home that is not handed over. As far as anybody can see: it may be away, or too few others
/// be there to read the vault.
static Task<std::vector<vault::LoneHead>> what_goes_with(Session& session, Opened& opened, std::size_t chosen) {
  const auto& members = opened.homes->members();
  if (chosen >= members.size() || !members[chosen].home) co_return std::vector<vault::LoneHead>();
  const vault::OpenHow how{.newest_readable = true, .is_locked = opened.lock != nullptr};
  const auto vault =
      co_await vault::Vault::open(session.platform, *opened.homes, *opened.state, *opened.device, *opened.record, how);
  if (!vault) co_return std::vector<vault::LoneHead>();
  co_return (*vault)->shown_only_by(chosen);
}

static std::string remove_hint(const Error& error) {
  if (error.subject == Subject::cloud)
    return "Remove it on another computer of yours; or come in again first, with 'mhp recover --state NEW-FOLDER "
           "--from "
           "HOST:PORT' and your 24 words; or add a home of your own, with 'mhp home add DIR'.";
  if (error.subject != Subject::home) return hint_for(error, true);
  return error.code == Errc::denied ? "Run 'mhp backup', then remove it." : "'mhp home list' names them.";
}

/// Which can be taken off: one that is lost may be on no list but that of a former computer. Then nobody is asked to
/// bring it any more.
static std::vector<wire::HomeEntry> removable(const vault::OpenRecord& record, bool lost) {
  auto entries = record.content.homes;
  if (lost) entries.insert(entries.end(), record.former_homes.begin(), record.former_homes.end());
  return entries;
}

/// The list without it, signed and told to the others.
static Task<Result<void>> take_off(Session& session, Opened& opened, wire::HomeEntry home) {
  auto& before = opened.record->content.homes;
  if (std::ranges::find(before, home.id, &wire::HomeEntry::id) == before.end()) before.push_back(home);
  auto entries = before;
  std::erase_if(entries, [&](const wire::HomeEntry& entry) { return entry.id == home.id; });
  co_return co_await change_homes(session, opened, std::move(entries));
}

/// Whether any home is there that takes what is given to it from here.
static bool has_who_takes(const Opened& opened) {
  return std::ranges::any_of(opened.homes->members(), [&](const dispersal::Member& member) {
    return member.home && !member.refuses && !opened.leaving.contains(member.id);
  });
}

/// Hands over what it held; then it is no longer on the list.
static Task<Result<RemoveDone>> do_home_remove(Session& session, RemoveArgs args) {
  OpenOptions options;
  options.read_index = !args.lost;
  options.writes = !args.dry_run;
  options.keeps_homes = !args.dry_run;
  options.weighs_homes = true;
  MHP_CO_TRY(Opened opened, co_await open_vault(session, options));
  const auto entries = removable(*opened.record, args.lost);
  auto resolve = [&disk = session.platform.disk(), home = args.home] { return disk.absolute(home); };
  const auto absolute = co_await on_path(session, args.home, std::move(resolve));
  MHP_CO_TRY(const std::size_t chosen, choose_home(entries, args.home, absolute));
  RemoveDone done{.report = {},
                  .place = place_of(entries[chosen]),
                  .is_folder = entries[chosen].kind == wire::HomeKind::folder,
                  .homes_left = opened.record->content.homes.size(),
                  .name = entries[chosen].name};
  if (chosen < done.homes_left) done.homes_left -= 1;
  done.refuses = opened.refusing.contains(entries[chosen].id);
  if (!args.lost && done.refuses && !has_who_takes(opened)) {
    co_return fail(Errc::denied, Subject::cloud,
                   fmt::format("home '{}' stays: it is lent to your other computers and takes no word from this one, "
                               "which was taken out of its cloud, and there is no other home that could take what it "
                               "holds. (--lost takes it off the list all the same.)",
                               printable(entries[chosen].name)));
  }
  if (!args.lost && entries.size() == 1) {
    co_return fail(Errc::usage,
                   fmt::format("home '{}' is the only one: nothing else would hold what is saved. Add another first. "
                               "(--lost takes it off the list all the same.)",
                               printable(entries[chosen].name)));
  }
  if (!args.lost) {
    Going going{.members = {chosen},
                .stays = fmt::format("home '{}' stays", printable(done.name)),
                .forced = "takes it off",
                .is_one_home = true};
    MHP_CO_TRY(const HandedOver handed, co_await hand_over(session, opened, std::move(going), args.dry_run));
    done.report = handed.report;
    done.margin_before = handed.margin_before;
  }
  if (args.lost) done.lone = co_await what_goes_with(session, opened, chosen);
  if (args.dry_run) co_return done;
  // Before it leaves the list: where this is cut off in between, the next backup takes it back.
  const vault::Word word = word_of(session, opened);
  if (opened.vault && !done.is_folder && opened.homes->members()[chosen].home)
    done.given_up = co_await vault::give_up(*opened.homes, chosen, word);
  if (opened.vault) *opened.record = opened.vault->record();  // it may have written the next one
  opened.vault.reset();
  MHP_CO_TRY_VOID(co_await take_off(session, opened, entries[chosen]));
  co_return done;
}

/// What becomes of what lies on the home that is no longer one.
static void say_what_is_left(const Session& session, const RemoveArgs& args, const RemoveDone& done) {
  const std::string place = printable(done.place);
  if (args.lost && done.is_folder) {
    session.out.say(
        fmt::format("If {} is still there, keep it until 'mhp repair' and 'mhp check' say that everything is there "
                    "without it; 'mhp home add' takes it back.",
                    place));
  } else if (done.is_folder) {
    session.out.say(fmt::format("Nothing in {} was deleted: mhp needs it no more, delete it when you like.", place));
  } else if (args.lost) {
    session.out.say(
        fmt::format("Nothing was deleted on that computer, and it stays in its cloud. Should it come back: 'mhp home "
                    "add \"{0}\"'. Where it is gone for good, its owner or an admin takes it out of the cloud, too: "
                    "'mhp homes remove \"{0}\"'.",
                    printable(done.name)));
  } else if (done.given_up) {
    session.out.say(
        fmt::format("That computer was told that it may delete what it holds for you, after 30 days. Until then 'mhp "
                    "home add \"{}\"' takes it back with all that it holds.",
                    printable(done.name)));
  } else if (done.refuses) {
    session.out.note(
        "That computer keeps what it holds for you: it takes no word from this one, which was taken out of its cloud. "
        "Another computer of yours can remove it, or this one once it is in again (as above).");
  } else {
    session.out.note(
        fmt::format("That computer could not be told that it may delete what it holds for you: {}. To try "
                    "it again: 'mhp home add \"{}\"', then remove it once more.",
                    printable(done.given_up.error().detail), printable(done.name)));
  }
}

static nlohmann::json json_lone(const std::vector<vault::LoneHead>& heads) {
  nlohmann::json list = nlohmann::json::array();
  for (const vault::LoneHead& head : heads)
    list.push_back({{"device", head.device.hex()}, {"newest_time", format_rfc3339(head.newest_ns)}});
  return list;
}

static Task<int> run_home_remove(Session& session, RemoveArgs args) {
  session.patience = std::chrono::minutes(args.wait_minutes);
  const auto done = co_await do_home_remove(session, args);
  if (!done) co_return session.out.fail(done.error(), remove_hint(done.error()));
  const vault::RepairReport* report = &done->report;
  // With --lost nobody has looked what may be lost now.
  const nlohmann::json margin = args.lost ? nlohmann::json() : nlohmann::json(std::max(report->margin, 0));
  if (!args.dry_run) session.out.done = "the home was removed";
  session.out.result({{"removed", !args.dry_run},
                      {"dry_run", args.dry_run},
                      {"rows_made", report->rows_made},
                      {"stored_bytes", report->bytes_stored},
                      {"given_up", done->given_up.value_or(0)},
                      {"shown_nowhere_else", json_lone(done->lone)},
                      {"margin", margin}});
  if (args.dry_run && args.lost) {
    session.out.say("Would take the home off the list; nothing would be handed over.");
  } else if (args.dry_run) {
    session.out.say(
        fmt::format("Removing it would make {} on the other homes.", plural(report->rows_made, "row", "rows")));
  } else if (args.lost) {
    session.out.say(done->homes_left == 0
                        ? "The home is off the list. It was the only one: nothing else holds your snapshots."
                        : "The home is off the list. 'mhp repair' makes again on the others what it held.");
  } else {
    session.out.say(fmt::format("The home is off the list; {} ({}) were made on the others. Of them {}.",
                                plural(report->rows_made, "row", "rows"), format_bytes(report->bytes_stored),
                                format_margin(report->margin)));
  }
  const int margin_now = std::max(report->margin, 0);
  if (!args.lost && margin_now < done->margin_before) {
    session.out.note(fmt::format("That is less safe than before: with it, {}; without it, {}.{}",
                                 format_margin(done->margin_before), format_margin(margin_now),
                                 margin_now == 0 ? " Add another home with 'mhp home add DIR'." : ""));
  }
  for (const vault::LoneHead& head : done->lone) {
    session.out.note(
        fmt::format("with it {} given up what computer {} saved last, at {}: no other home at hand shows "
                    "that",
                    args.dry_run ? "would be" : "is", head.device.short_hex(), format_time(head.newest_ns)));
  }
  if (!args.dry_run) say_what_is_left(session, args, *done);
  co_return kDone;
}

void add_home(Command& program) {
  Command home = program.add("home", "Drives, folders and mounted shares as homes",
                             "Examples:\n  mhp home add /media/drive-a\n  mhp home list\n  mhp home remove drive-a\n"
                             "See also 'mhp home add --help'.");
  auto add = std::make_shared<HomeAddArgs>();
  Command add_command = home.add("add", "Make a folder a home, or attach a known one at its new path",
                                 "Examples:\n  mhp home add /media/drive-a --max 200G\n"
                                 "  mhp home add \"Ben's computer\"   (of a cloud, after it was taken off the list)");
  add_command.needs("dir", add->path,
                    "Folder on a drive or share, made where absent; or the name of a home of your clouds");
  add_command.takes("--name", add->name, "What you call it (default: the folder's name)");
  add_command.takes("--max", add->max_used, "Use at most this much, e.g. 200G");
  add_command.takes("--min-free", add->min_free, "Leave at least this much free on the disk (default: 5 GB or 5 %)");
  add_command.flag("--same-disk", add->same_disk,
                   "For trials: count it although it shares a disk with another home or the source");
  takes_wait(add_command, add->wait_minutes);
  add_command.flag("--dry-run", add->dry_run, "Say what would be done, change nothing");
  add_command.runs([add](Session& session) { return run_home_add(session, *add); });

  home.add("list", "Show the homes, their space and whether they are there", "Example:\n  mhp home list --json")
      .runs(run_home_list);

  auto remove = std::make_shared<RemoveArgs>();
  Command remove_command = home.add("remove", "Hand over what a home holds, then take it off the list",
                                    "Example:\n  mhp home remove drive-a\nExit codes: 0 done; 1 a backup has to come "
                                    "first; 4 it stays: not all that it may hold can be seen, or handed over");
  remove_command.needs("home", remove->home, "Its name, path or the first letters of its id");
  remove_command.flag(
      "--lost", remove->lost,
      "It is gone: nothing can be handed over. A computer of a cloud stays in that ('mhp homes remove')");
  takes_wait(remove_command, remove->wait_minutes);
  remove_command.flag("--dry-run", remove->dry_run, "Say what would be done, change nothing");
  remove_command.runs([remove](Session& session) { return run_home_remove(session, *remove); });
}

}  // namespace mhp::app
