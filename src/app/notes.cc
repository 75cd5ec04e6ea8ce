// What is said beside a command's own answer: of homes, of states that are not shown, alarms, and what to do.
#include "app/notes.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "app/text.h"
#include "vault/snapshot_order.h"

namespace mhp::app {

std::string why_not_counted(const Opened& opened, std::size_t member) {
  const dispersal::Member& home = opened.homes->members()[member];
  if (home.counts || !home.is_wanted()) return "";
  if (opened.leaving.contains(home.id)) return "no longer lent to you: 'mhp repair' hands over what it holds";
  if (opened.refusing.contains(home.id)) return "refuses this computer, which was taken out: does not count";
  return "on the disk of what is saved: does not count";
}

void note_not_counted(const Session& session, const Opened& opened) {
  if (session.out.mute) return;
  for (std::size_t i = 0; i < opened.homes->members().size(); ++i) {
    const std::string why = why_not_counted(opened, i);
    if (!why.empty()) session.out.note(fmt::format("home '{}': {}", printable(opened.homes->members()[i].name), why));
  }
}

/// Every home that answered showed less than this computer has seen: an older backup of all of them was put back, say.
static bool all_set_back(const dispersal::HomeSet& homes) {
  const auto older = std::ranges::count_if(homes.troubles(), [](const dispersal::Trouble& trouble) {
    return trouble.kind == dispersal::TroubleKind::old_heads || trouble.kind == dispersal::TroubleKind::read_only;
  });
  return homes.reachable() > 0 && static_cast<std::size_t>(older) >= homes.reachable();
}

void note_set_back(const Session& session, const dispersal::HomeSet& homes) {
  if (!all_set_back(homes) || session.out.mute) return;
  session.out.note(
      "All homes that answer are older than what this computer has seen. Where they will not become newer again, "
      "the way on is 'mhp recover --state NEW-FOLDER --home DIR' with the 24 words: it takes what they have.");
}

static std::string about_unread(const vault::UnreadHead& head, const Opened& opened) {
  if (head.is_locked) {
    return fmt::format(
        "what computer {} saved last, at {}, was saved after another recovery of this vault and is not shown: run 'mhp "
        "recover --state NEW-FOLDER --home DIR' with your 24 words, and both come together.",
        head.device.short_hex(), format_time(head.newest_ns.value_or(0)));
  }
  const bool is_former = vault::highest_of(vault::revocations_of(opened.record->record), head.device) != nullptr;
  const std::string when = head.newest_ns ? fmt::format(", at {},", format_time(*head.newest_ns)) : "";
  return fmt::format(
      "what {}computer {} saved last{} cannot be read from the homes at hand and is not shown ({}). It is still "
      "there: connect the homes that have it.",
      is_former                          ? "the former "
      : head.device == opened.device->id ? "this "
                                         : "",
      head.device.short_hex(), when, printable(head.reason));
}

std::string about_former_home(const wire::HomeEntry& home) {
  const bool is_folder = home.kind == wire::HomeKind::folder;
  const std::string place = printable(place_of(home));
  return fmt::format(
      "home '{}' ({}), which only a former computer of this vault lists, may hold snapshots that none of the others "
      "shows: {}. One that is gone for good is asked for no more after 'mhp home remove {} --lost'.",
      printable(home.name), place,
      is_folder ? fmt::format("bring it and run 'mhp home add {}'", place)
                : fmt::format("when it is up, run 'mhp recover --state NEW-FOLDER --from {}'",
                              home.addresses.empty() ? "HOST:PORT" : printable(home.addresses.front())),
      home.id.short_hex());
}

nlohmann::json json_former(const std::vector<wire::HomeEntry>& homes) {
  nlohmann::json list = nlohmann::json::array();
  for (const wire::HomeEntry& home : homes) {
    list.push_back({{"id", home.id.hex()},
                    {"name", json_text(home.name)},
                    {"path", json_text(home.path)},
                    {"addresses", json_texts(home.addresses)}});
  }
  return list;
}

std::string names_of_members(const dispersal::HomeSet& homes, const std::vector<std::size_t>& members) {
  std::string names;
  for (const std::size_t member : members) {
    names += fmt::format("{}'{}'", names.empty() ? "" : ", ", printable(homes.members()[member].name));
  }
  return names;
}

nlohmann::json json_unread(const std::vector<vault::UnreadHead>& unread) {
  nlohmann::json list = nlohmann::json::array();
  for (const vault::UnreadHead& head : unread) {
    list.push_back({{"device", head.device.hex()},
                    {"newest_time", head.newest_ns ? format_rfc3339(*head.newest_ns) : ""},
                    {"used_time", head.used_ns ? format_rfc3339(*head.used_ns) : ""},
                    {"locked", head.is_locked},
                    {"reason", json_text(head.reason)}});
  }
  return list;
}

nlohmann::json json_late(const Opened& opened) {
  nlohmann::json list = nlohmann::json::array();
  for (const vault::LateState& late : opened.vault->late_states()) {
    nlohmann::json homes = nlohmann::json::array();
    for (const std::size_t member : late.members) homes.push_back(json_text(opened.homes->members()[member].name));
    list.push_back(
        {{"device", late.device.hex()}, {"newest_time", format_rfc3339(late.newest_ns)}, {"homes", std::move(homes)}});
  }
  return list;
}

bool may_lack_newest(const Opened& opened, const std::string& snapshot) {
  return (snapshot.empty() || snapshot == "latest") && !opened.vault->unread_heads().empty();
}

void note_what_is_not_shown(const Session& session, const Opened& opened) {
  if (session.out.mute) return;
  for (const std::string& damaged : opened.vault->damaged_files()) session.out.note(printable(damaged));
  for (const vault::UnreadHead& head : opened.vault->unread_heads()) session.out.note(about_unread(head, opened));
  if (!opened.vault->unread_heads().empty()) note_set_back(session, *opened.homes);
  for (const vault::LateState& late : opened.vault->late_states()) {
    session.out.note(fmt::format(
        "the former computer {} was shut out, and saved something after that by the clocks of the homes: home {} has "
        "it, of {}. It is not shown, and nothing of it is deleted. If it is yours, take it in: 'mhp recover "
        "--with-late --state NEW-FOLDER --home DIR'. If it is an enemy's, --as-of with the present time leaves it out "
        "for good.",
        late.device.short_hex(), names_of_members(*opened.homes, late.members), format_time(late.newest_ns)));
  }
  for (const wire::HomeEntry& home : opened.vault->record().former_homes) session.out.note(about_former_home(home));
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

void note_out(Session& session, const Opened& opened) {
  bool is_told = false;
  for (const OutOf& out : opened.out) {
    if (session.out.mute || !session.told_out.insert(out.cloud).second) continue;
    session.out.note(out_sentence(out));
    is_told = is_told || out.is_computer;
  }
  if (!is_told || opened.refusing.empty()) return;
  std::vector<std::size_t> refusing;
  bool has_others = false;
  for (std::size_t i = 0; i < opened.homes->members().size(); ++i) {
    const dispersal::Member& home = opened.homes->members()[i];
    if (home.refuses) refusing.push_back(i);
    has_others = has_others || (home.is_wanted() && !home.refuses && !opened.leaving.contains(home.id));
  }
  session.out.note(fmt::format("What is saved from this computer goes to your other homes alone, not to {}.{}",
                               names_of_members(*opened.homes, refusing),
                               has_others ? " Where you recover, name these others ('mhp recover --home DIR'): the "
                                            "cloud's homes do not hear of what is saved on them."
                                          : " There is none: add one with 'mhp home add DIR'."));
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

std::string in_whose_parts(const std::vector<vault::FalseClaims>& makers) {
  std::string in;
  for (const vault::FalseClaims& one : makers)
    in += fmt::format("{}device {}{}", in.empty() ? ", in parts that " : ", ", one.device.short_hex(),
                      one.computer.empty() ? "" : fmt::format(" (computer {})", printable(one.computer)));
  return in.empty() ? in : in + " wrote, copied or repaired";
}

static void name_displaced(const Session& session, const vault::Displaced& displaced) {
  if (displaced.segments == 0 || session.out.mute) return;
  session.out.note(fmt::format(
      "ALARM: the index had left out {} that this computer knows to be whole, and named false ones in their place{}. "
      "What was left out is listed again. One of your computers is faulty, or in wrong hands; it need not be the one "
      "that copied such a part: find out which, and shut it out with 'mhp recover' and the 24 words.",
      plural(displaced.segments, "segment", "segments"), in_whose_parts(displaced.by)));
}

void name_reprieved(const Session& session, const vault::Vault& vault) {
  name_displaced(session, vault.displaced());
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
      return "Mount folders that are write-protected for writing, or let this user write there; where computers "
             "refuse, "
             "'mhp members' shows whether you are in their cloud. Then try again; what they hold can be restored as "
             "they "
             "are.";
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

bool says_shut_out(const Error& error) { return error.detail.find("this computer shut out") != std::string::npos; }

std::string hint_for(const Error& error, bool writes) {
  if (error.code == Errc::exhausted) {
    return "This computer is short of it, no file and no home is to blame. Earlier snapshots are whole; give more and "
           "try again.";
  }
  switch (error.subject) {
    case Subject::homes:
      if (says_shut_out(error))
        return "If the vault was recovered since with its 24 words ('mhp recover'), this computer is shut out: come in "
               "again with 'mhp recover --state NEW-FOLDER --from HOST:PORT', or --home DIR (--keep-devices lets the "
               "other computer stay). If its owner was removed, 'mhp members' says so.";
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
