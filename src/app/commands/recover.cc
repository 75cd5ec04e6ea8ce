// `mhp recover`: 24 words and any one surviving home bring the vault back to a new computer.
#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <span>

#include "app/commands/commands.h"
#include "app/limits.h"
#include "app/members.h"
#include "app/named_homes.h"
#include "app/notes.h"
#include "app/text.h"
#include "cloud/exchange.h"
#include "primitives/phrase/phrase.h"

namespace mhp::app {

namespace {

/// No folder can be made there: what a dry run reads is kept nowhere.
constexpr const char* kNoStateFolder = "/dev/null/mhp";

/// Of the first `count`.
std::vector<home::Home*> reachable(const std::vector<dispersal::Member>& members, std::size_t count) {
  std::vector<home::Home*> homes;
  for (const dispersal::Member& member : std::span(members).first(count)) {
    if (member.home) homes.push_back(member.home.get());
  }
  return homes;
}

/// The phrase speaks for the vault wherever it is: no device is known yet. In `clouds` as the owner.
cloud::VaultKey speaking_as(const vault::Root& root, const std::vector<wire::Membership>& clouds) {
  cloud::VaultKey key{.vault = root.vault(), .key = root.identity(), .identity = root.identity().public_key()};
  for (const wire::Membership& one : clouds) key.members.emplace(one.cloud, primitives::SigningKey(one.member_secret));
  return key;
}

void note_listed_again(const Session& session, const wire::VaultPrivate& before, const std::vector<NamedHome>& named) {
  for (const NamedHome& home : named) {
    const bool was_off = std::ranges::find(before.removed, home.id, &wire::RemovedHome::id) != before.removed.end();
    if (!was_off || home.is_invited || session.out.mute) continue;
    session.out.note(fmt::format("home {} had been taken off the list; as it was named it is on it again",
                                 printable(place_of(home))));
  }
}

/// What is named now is the owner's newest word, whoever took it off the list.
wire::VaultPrivate content_with(const wire::VaultPrivate& before, std::vector<wire::HomeEntry> homes,
                                std::int64_t now_ns) {
  wire::VaultPrivate after = before;
  after.homes = std::move(homes);
  return vault::with_times(before, std::move(after), now_ns);
}

std::string places_of(const std::vector<NamedHome>& named) {
  std::string places;
  for (const NamedHome& home : named) places += (places.empty() ? "" : ", ") + place_of(home);
  return places;
}

/// The listed ones first, then those that only former computers list: what these saved may be there.
std::vector<wire::HomeEntry> with_former(std::vector<wire::HomeEntry> homes,
                                         const std::vector<wire::HomeEntry>& former) {
  for (const wire::HomeEntry& home : former) {
    if (std::ranges::find(homes, home.id, &wire::HomeEntry::id) == homes.end()) homes.push_back(home);
  }
  return homes;
}

/// All of them, null where one is away.
std::vector<home::Home*> homes_of(const std::vector<dispersal::Member>& members) {
  std::vector<home::Home*> homes;
  for (const dispersal::Member& member : members) homes.push_back(member.home.get());
  return homes;
}

/// An error where one of the homes that were asked has not said whether it keeps records: nothing follows from that.
Result<void> check_all_have_said(const std::vector<dispersal::Member>& members, const vault::SeenRecords& seen) {
  for (std::size_t i = 0; i < members.size(); ++i) {
    const auto failed = seen.failed.find(i);
    std::string why;
    Errc code = Errc::unavailable;
    if (!members[i].home) {
      why = members[i].away_reason;
    } else if (failed != seen.failed.end()) {
      why = failed->second.detail;
      code = failed->second.code;
    } else if (std::ranges::find(seen.silent, i) != seen.silent.end()) {
      why = "it does not answer";
    } else {
      continue;
    }
    const bool is_answer = code == Errc::denied || code == Errc::corrupt || code == Errc::exhausted;
    return fail(is_answer ? code : Errc::unavailable, is_answer ? Subject::home : Subject::homes,
                fmt::format("home '{}' has not said what it keeps for these 24 words: {}. Nothing is known of them yet",
                            members[i].name, why));
  }
  return {};
}

/// Asks the named homes, then the homes that any record lists, until no other record turns up. The first record has the
/// keys of the owner as a member of clouds: homes that wait at relays are reached from then on.
Task<Result<vault::OpenRecord>> find_records(Session& session, const vault::Root& root,
                                             const std::vector<NamedHome>& named, std::optional<std::int64_t> as_of_s) {
  std::vector<wire::HomeEntry> asked;
  for (const NamedHome& home : named) asked.push_back(entry_of(home));
  constexpr int kRounds = 8;
  Result<vault::OpenRecord> joined = fail(Errc::not_found, "no home at hand knows this vault");
  vault::SeenRecords known;
  for (int round = 0; round < kRounds; ++round) {
    const std::set<std::uint64_t> no_sources;
    auto key = speaking_as(root, joined ? joined->content.clouds : std::vector<wire::Membership>());
    const auto members = co_await open_members(session, asked, no_sources, std::move(key));
    const auto seen = co_await vault::seen_records(homes_of(members), root.vault(), &session.platform.clock(),
                                                   vault::Ask::former_too);
    const std::size_t before = known.records.size();
    known.take_all(seen);
    if (known.records.empty() && seen.damaged > 0) {
      co_return fail(Errc::corrupt, Subject::home,
                     fmt::format("the vault records that are kept in {} are damaged", places_of(named)));
    }
    if (known.records.empty()) {
      MHP_CO_TRY_VOID(check_all_have_said(members, seen));
    }
    if (known.records.size() == before) break;
    joined = vault::join_records(known.records, root, as_of_s ? known.taken_after(*as_of_s) : std::set<RecordHash>());
    if (!joined) break;
    asked = with_former(with_named(joined->content.homes, named), joined->former_homes);
    co_await look_into_clouds(session, joined->content.clouds, asked);
  }
  co_return joined;
}

/// A phrase without echo where a person types it; a line from standard input otherwise.
std::string ask_phrase() {
  termios before{};
  const bool person = isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &before) == 0;
  if (person) {
    fmt::print(stderr, "Type the 24 words (they are not shown), then Enter:\n");
    termios silent = before;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSANOW, &silent);
  }
  std::string line;
  std::getline(std::cin, line);
  if (person) tcsetattr(STDIN_FILENO, TCSANOW, &before);
  return line;
}

}  // namespace

constexpr std::int64_t kSecond = 1'000'000'000;

/// What is shut out is cut off at a time: a clock that is far behind would cut off what homes hold that are away now.
static Result<void> check_clock(const Session& session, const RecoverArgs& args, const vault::Vault& vault) {
  constexpr std::int64_t kToleranceS = 60 * 60;
  const auto newest_s = vault.newest_receipt_s();
  const std::int64_t now_ns = session.platform.clock().unix_ns();
  if (!newest_s || args.ignore_clock || now_ns / kSecond >= *newest_s - kToleranceS) return {};
  return fail(Errc::unavailable, Subject::clock,
              fmt::format("this computer's clock says {}, but a home took something at {}", format_time(now_ns),
                          format_time(*newest_s * kSecond)));
}

/// The new device takes over: certified by the identity, with a new epoch; earlier devices are revoked at their last
/// good heads. How many homes took it: none where all are write-protected; then the record waits in the state folder.
static Task<Result<std::size_t>> enrol(Session& session, const RecoverArgs& args, const vault::Root& root,
                                       const vault::Device& device, Opened& opened) {
  const auto last_good = opened.vault->believed_heads();
  auto earlier = args.keep_devices ? vault::Earlier::keep : vault::Earlier::shut_out;
  platform::Random& random = session.platform.random();
  // With a date it is the revocation's time as well: what homes took after it is not believed, wherever it shows up.
  // Without, it is not before anything that homes took: a home that is away has taken more by a clock that was ahead.
  // Not where the owner says that such a time is wrong: until then everything would still count.
  std::int64_t now_ns = session.platform.clock().unix_ns();
  if (args.as_of_s) {
    now_ns = *args.as_of_s * kSecond;
    earlier = vault::Earlier::distrusted;
  } else if (const auto newest_s = opened.vault->newest_receipt_s(); newest_s && !args.ignore_clock) {
    now_ns = std::max(now_ns, (*newest_s + 1) * kSecond);
  }
  MHP_CO_TRY(vault::OpenRecord record,
             vault::recovered_record(opened.vault->record(), root, device, last_good, random, now_ns, earlier));
  // First here, then on the homes: where this computer cannot keep its keys, the earlier ones must not be shut out.
  MHP_CO_TRY_VOID(opened.state->create(device, record));
  const auto took = co_await vault::publish_records(*opened.homes, record, &session.platform.clock());
  if (opened.homes->exhausted()) co_return tl::unexpected<Error>(*opened.homes->exhausted());
  const std::size_t listed = record.content.homes.size();
  co_return static_cast<std::size_t>(
      std::ranges::count_if(took, [listed](std::size_t member) { return member < listed; }));
}

/// An error where homes hold something of the vault and none shows a head, while others are away or heads are damaged:
/// going on would shut out the state that those name. Where all are there, there never was a head.
static Task<Result<void>> need_some_head(const Opened& opened) {
  const bool all_there = opened.homes->missing() == 0;
  const bool damaged = std::ranges::any_of(opened.homes->troubles(), [](const dispersal::Trouble& trouble) {
    return trouble.kind == dispersal::TroubleKind::damaged;
  });
  if (!opened.vault->believed_heads().empty() || (all_there && !damaged)) co_return Result<void>();
  for (std::size_t i = 0; i < opened.homes->members().size(); ++i) {
    if (!opened.homes->members()[i].home) continue;
    auto held = co_await opened.homes->list(i);
    if (!held || held->empty()) continue;
    co_return fail(Errc::unavailable, Subject::homes,
                   fmt::format("home '{}' holds fragments of this vault, but no home at hand has readable heads, which "
                               "say what its snapshots are",
                               opened.homes->members()[i].name));
  }
  co_return Result<void>();
}

static std::vector<std::string> names_of_ahead(const Opened& opened) {
  std::set<std::size_t> members;
  for (const vault::UnreadHead& head : opened.vault->unread_heads())
    members.insert(head.members.begin(), head.members.end());
  std::vector<std::string> names;
  for (const std::size_t member : members) names.push_back(opened.homes->members()[member].name);
  return names;
}

/// What was, or with a dry run would be, brought back.
static RecoverDone what_came_back(const Opened& opened, const Former& former) {
  RecoverDone done;
  done.former = former;
  done.name = opened.record->content.name;
  done.homes = opened.record->content.homes.size();
  done.homes_reachable = reachable(opened.homes->members(), done.homes).size();
  done.snapshots = opened.vault->snapshots().size();
  done.newest = opened.vault->newest_head();
  done.unread = opened.vault->unread_heads();
  done.ahead = names_of_ahead(opened);
  for (const vault::LateState& late : opened.vault->late_states()) {
    done.late.push_back(fmt::format("computer {}, of {}, on home {}", late.device.short_hex(),
                                    format_time(late.newest_ns), names_of_members(*opened.homes, late.members)));
  }
  for (const vault::OlderRecord& older : opened.vault->older_records()) {
    done.older_records.push_back(fmt::format("computer {}, on home {}: that of {} is used", older.device.short_hex(),
                                             names_of_members(*opened.homes, older.members),
                                             format_time(older.used_ns)));
  }
  return done;
}

/// The vault is back whatever becomes of this.
static Task<std::vector<CameBack>> back_in_clouds(Session& session, std::vector<wire::Membership> memberships) {
  if (memberships.empty()) co_return std::vector<CameBack>();
  auto book = co_await open_book(session);
  auto back = Result<std::vector<CameBack>>();
  if (book) back = co_await find_rosters(session, **book);
  if (book && back) co_return std::move(*back);
  const std::string problem = book ? back.error().detail : book.error().detail;
  std::vector<CameBack> none;
  for (const wire::Membership& one : memberships) none.push_back({.as = one.name, .cloud = "", .problem = problem});
  co_return none;
}

/// Opens the listed homes, and behind them those that only former computers list and that are there: these are read
/// from, and nothing counts on them. The others of these are away.
static Task<Former> open_homes(Session& session, const vault::Root& root, Opened& opened) {
  Former former;
  const std::vector<wire::HomeEntry> listed = opened.record->content.homes;
  const std::vector<wire::HomeEntry> all = with_former(listed, opened.record->former_homes);
  const std::set<std::uint64_t> no_sources;
  auto key = speaking_as(root, opened.record->content.clouds);
  auto members = co_await open_members(session, all, no_sources, std::move(key));
  std::vector<dispersal::Member> kept;
  for (std::size_t i = 0; i < all.size(); ++i) {
    const bool is_former = i >= listed.size();
    if (is_former) (members[i].home ? former.read : former.away).push_back(all[i]);
    if (is_former && !members[i].home) continue;
    members[i].counts = members[i].counts && !is_former;
    kept.push_back(std::move(members[i]));
  }
  opened.homes = std::make_unique<dispersal::HomeSet>(session.platform, root.vault(), std::move(kept));
  opened.homes->trust(vault::card_signers(opened.record->record));
  opened.homes->allow_longer(patience_of(session));
  co_return former;
}

Task<Result<RecoverDone>> do_recover(Session& session, RecoverArgs args) {
  Opened opened;
  opened.state = std::make_unique<vault::State>(session.platform.disk(), session.state_folder, session.command);
  MHP_CO_TRY(const bool there, opened.state->exists());
  if (there) {
    co_return fail(Errc::busy, Subject::vault,
                   fmt::format("there is a vault on this computer already (in {}); nothing was changed",
                               printable(session.state_folder)));
  }
  if (args.dry_run)
    opened.state = std::make_unique<vault::State>(session.platform.disk(), kNoStateFolder, session.command);
  session.is_guest = true;
  MHP_CO_TRY(primitives::Key entropy, about(Subject::phrase, primitives::entropy_of(args.phrase)));
  const vault::Root root(entropy);
  wipe(entropy);
  MHP_CO_TRY(const auto named, co_await find_named(session, args.homes, args.from));
  auto found = co_await find_records(session, root, named, args.as_of_s);
  if (!found) {
    if (found.error().code != Errc::not_found) co_return pass(found);
    co_return fail(Errc::denied,
                   "this home keeps nothing for these 24 words: another phrase made its vault, or the home belongs to "
                   "somebody else");
  }
  opened.record = std::make_unique<vault::OpenRecord>(std::move(*found));
  note_listed_again(session, opened.record->content, named);
  const std::vector<wire::HomeEntry> homes = with_named(opened.record->content.homes, named);
  opened.record->content = content_with(opened.record->content, homes, session.platform.clock().unix_ns());
  opened.device = std::make_unique<vault::Device>(vault::make_device(root.vault(), session.platform.random()));
  const Former former = co_await open_homes(session, root, opened);
  const vault::OpenHow how{.newest_readable = !args.keep_devices, .as_of_s = args.as_of_s, .with_late = args.with_late};
  auto vault =
      co_await vault::Vault::open(session.platform, *opened.homes, *opened.state, *opened.device, *opened.record, how);
  if (!vault) {
    name_troubles(session, *opened.homes);
    co_return pass(vault);
  }
  opened.vault = std::move(*vault);
  MHP_CO_TRY_VOID(check_clock(session, args, *opened.vault));
  if (auto some = co_await need_some_head(opened); !some) {
    name_troubles(session, *opened.homes);
    co_return pass(some);
  }
  if (args.dry_run) {
    name_troubles(session, *opened.homes);
    co_return what_came_back(opened, former);
  }
  auto written = co_await enrol(session, args, root, *opened.device, opened);
  // What an enemy told homes to delete and this state needs is taken back with the word of the owner.
  const auto reprieved = co_await opened.vault->reprieve_all(root.identity());
  name_troubles(session, *opened.homes);
  if (!written) co_return pass(written);
  RecoverDone done = what_came_back(opened, former);
  done.homes_written = *written;
  done.why_not_written = opened.homes->took_too_little("").value().code;
  done.reprieved = reprieved ? *reprieved : 0;
  const auto clouds = opened.record->content.clouds;
  opened.vault.reset();  // and the locks of the homes: who comes back may write to the same ones
  opened.homes.reset();
  done.clouds = co_await back_in_clouds(session, clouds);
  co_return done;
}

struct RecoverOptions {
  std::string phrase_file;
  std::vector<std::string> homes;
  std::vector<std::string> from;
  std::vector<std::string> as_of;  // at most one; an empty text is a wrong date, not none
  bool keep_devices = false;
  bool with_late = false;
  bool ignore_clock = false;
  bool dry_run = false;
};

static std::string recover_hint(const Error& error) {
  if (error.subject == Subject::phrase) return "Look at the paper again: 24 words, in their order.";
  if (error.subject == Subject::clock)
    return "Nothing was changed. Set the clock, then run it again. Where it is right, and another computer's was "
           "ahead: --ignore-clock.";
  const bool took_nothing = error.subject == Subject::homes &&
                            (error.code == Errc::full || error.code == Errc::busy || error.code == Errc::denied);
  if (took_nothing) return hint_for(error);
  switch (error.code) {
    case Errc::timed_out:
    case Errc::unavailable:
      return "Nothing was changed. Try again when it answers, or name more surviving homes with --home DIR, or "
             "computers that serve one with --from "
             "HOST:PORT, or a code that any of its admins makes with 'mhp invite' (each may be given several times).";
    case Errc::corrupt:
      return error.subject == Subject::home
                 ? "Name another home with --home DIR or --from HOST:PORT: its record brings this one back too."
                 : "Name more homes with --home DIR or --from HOST:PORT: another may have a record that opens.";
    case Errc::not_found:
      if (error.detail.find("by then") != std::string::npos)
        return "Nothing was changed. Name a later date, or more homes.";
      return "Name a folder that is one of the vault's homes, with the drive connected and mounted.";
    case Errc::busy:
      return "To bring it back afresh, name another state folder with --state DIR, or move this one away.";
    default:
      return "";
  }
}

/// What is lost or uncertain, and what to do: newer than what was brought back.
static void show_unread(const Session& session, const RecoverDone& done) {
  for (const vault::UnreadHead& head : done.unread) {
    const std::string used =
        head.used_ns ? fmt::format("its state of {} is used", format_time(*head.used_ns)) : "nothing of it is used";
    const std::string when = head.newest_ns ? fmt::format(", of {},", format_time(*head.newest_ns)) : "";
    session.out.note(fmt::format("the newest state of computer {}{} cannot be read from these homes: {} ({})",
                                 head.device.short_hex(), when, used, printable(head.reason)));
  }
  if (done.unread.empty()) return;
  std::string names;
  for (const std::string& name : done.ahead) names += (names.empty() ? "'" : "', '") + printable(name);
  const std::string where =
      names.empty() ? "That newer state is on none of the homes at hand"
                    : fmt::format(
                          "That newer state is named by home {}', but too few of its fragments are on the homes at "
                          "hand",
                          names);
  session.out.note(
      fmt::format("{}: others are away, or were set back to an older copy. Nothing of it was removed. Connect "
                  "the homes that are away: its snapshots are shown again as soon as they can be read.",
                  where));
}

/// Who has copied a computer's state folder can put a false record in the place of its own.
static void show_older_records(const Session& session, const RecoverDone& done) {
  for (const std::string& older : done.older_records) {
    session.out.note(fmt::format(
        "no home at hand has a newest vault record that can be believed, so one from before is used: {}. What that "
        "computer noted later, such as another home, may be missing; the keys are here.",
        older));
  }
}

/// True where nothing newer is known of.
static bool is_whole(const RecoverDone& done) { return done.unread.empty() && done.older_records.empty(); }

/// Homes that are on no list any more: what they alone have is shown only while they are asked.
static void show_former(const Session& session, const Former& former) {
  for (const wire::HomeEntry& home : former.read) {
    session.out.note(fmt::format(
        "home '{}' ({}), which only a former computer of this vault lists, is there and was read from. It is "
        "on no list now{}",
        printable(home.name), printable(place_of(home)),
        home.kind == wire::HomeKind::folder
            ? fmt::format(": 'mhp home add {}' puts it on it again, and what it alone has stays to be seen.",
                          printable(home.path))
            : "."));
  }
  for (const wire::HomeEntry& home : former.away) session.out.note(about_former_home(home));
}

/// Why no home took the new vault record, and what helps.
static std::string why_nothing_written(Errc why) {
  switch (why) {
    case Errc::full:
      return "These homes are full: nothing could be written to them. Make space there";
    case Errc::busy:
      return "Another mhp is writing to these homes: nothing could be written to them. Wait until it is done";
    case Errc::denied:
      return "These homes are write-protected: nothing could be written to them. Make them writable";
    default:
      return "Nothing could be written to these homes (each is named above). Mend that";
  }
}

static void show_clouds(Session& session, const RecoverDone& done) {
  for (const CameBack& one : done.clouds) {
    if (one.out) {
      if (session.told_out.insert(one.out->cloud).second) session.out.note(out_sentence(*one.out));
      continue;
    }
    if (!one.problem.empty()) {
      session.out.note(cannot_come_back(one));
      continue;
    }
    session.out.say(fmt::format("You are in the cloud '{}' again, as '{}'. 'mhp up' lends this computer's space to it.",
                                printable(one.cloud), printable(one.as)));
    for (const std::string& own : one.own_homes) {
      session.out.say(
          fmt::format("Your former computer '{0}' is not used as a home. If it is still there: 'mhp home add "
                      "\"{0}\"'; if it is lost, take it out of the cloud: 'mhp homes remove \"{0}\"'.",
                      printable(own)));
    }
  }
}

static nlohmann::json json_clouds(const RecoverDone& done) {
  nlohmann::json list = nlohmann::json::array();
  for (const CameBack& one : done.clouds) {
    list.push_back({{"name", json_text(one.cloud)},
                    {"as", json_text(one.as)},
                    {"homes_told", one.homes_told},
                    {"own_homes", json_texts(one.own_homes)},
                    {"taken_out", json_out(one.out)},
                    {"problem", json_text(one.problem)}});
  }
  return list;
}

static void show_recovered(Session& session, const RecoverOptions& options, const RecoverDone& done) {
  session.out.say(fmt::format("The vault{} is back on this computer: {}, {} of {} reachable.",
                              done.name.empty() ? "" : " of " + printable(done.name),
                              plural(done.snapshots, "snapshot", "snapshots"), done.homes_reachable,
                              plural(done.homes, "home", "homes")));
  if (done.newest.time_ns != 0 && done.unread.empty()) {
    session.out.say(fmt::format("Its newest state{} is of {}; {} of {} homes that answered agree on it.",
                                options.as_of.empty() ? "" : " that homes still have from by " + options.as_of.back(),
                                format_time(done.newest.time_ns), done.newest.homes_agree, done.newest.homes_answered));
  }
  if (done.reprieved > 0) {
    session.out.note(
        fmt::format("Homes had been told to delete {} that it needs: this was taken back, nothing is lost.",
                    plural(done.reprieved, "segment", "segments")));
  }
  show_unread(session, done);
  show_older_records(session, done);
  show_former(session, done.former);
  for (const std::string& late : done.late) {
    session.out.note(
        fmt::format("not taken in, since it came after that computer was shut out: {}. It stays where it is. If it is "
                    "yours, recover once more, with --with-late.",
                    late));
  }
  if (done.homes_written == 0) {
    session.out.note(fmt::format(
        "{}, then run 'mhp repair' or 'mhp backup'. Until then the vault can be read and restored where enough homes "
        "answer, but earlier computers are not shut out yet, and another 'mhp recover' begins anew.",
        why_nothing_written(done.why_not_written)));
  } else if (!options.keep_devices) {
    session.out.say(
        "Earlier computers of this vault are shut out, and new keys are used from now on. (--keep-devices lets them "
        "stay.)");
  }
  show_clouds(session, done);
  const bool is_back = std::ranges::all_of(done.clouds, [](const CameBack& one) { return one.problem.empty(); });
  session.out.say(is_back ? "Next: 'mhp restore latest --to DIR'."
                          : "Next, when computers of that cloud are on: 'mhp restore latest --to DIR'.");
}

static void show_would_recover(const Session& session, const RecoverDone& done) {
  session.out.result({{"dry_run", true},
                      {"name", json_text(done.name)},
                      {"homes", done.homes},
                      {"homes_reachable", done.homes_reachable},
                      {"snapshots", done.snapshots},
                      {"older_records", done.older_records},
                      {"former_homes", json_former(done.former.away)}});
  session.out.say(fmt::format(
      "The words fit. Would bring the vault{} back to {}: {}, {} of {} reachable. Nothing was changed.",
      done.name.empty() ? "" : " of " + printable(done.name), printable(session.state_folder),
      plural(done.snapshots, "snapshot", "snapshots"), done.homes_reachable, plural(done.homes, "home", "homes")));
  show_unread(session, done);
  show_older_records(session, done);
  show_former(session, done.former);
}

static Task<int> run_recover(Session& session, RecoverOptions options) {
  RecoverArgs args;
  args.homes = options.homes;
  args.from = options.from;
  if (args.homes.empty() && args.from.empty()) {
    const Error none{Errc::usage, "no home is named: --home DIR or --from HOST:PORT (or a code) is needed"};
    co_return session.out.fail(none, "Example: mhp recover --home /media/drive-b");
  }
  args.keep_devices = options.keep_devices;
  args.with_late = options.with_late;
  args.ignore_clock = options.ignore_clock;
  args.dry_run = options.dry_run;
  if (options.as_of.size() > 1)
    co_return session.out.fail({Errc::usage, "--as-of is given twice: the vault goes back to one time"});
  if (!options.as_of.empty()) {
    const auto as_of = parse_date(options.as_of.back());
    if (!as_of) co_return session.out.fail(as_of.error(), "Example: mhp recover --as-of 2026-11-22 --home DIR");
    args.as_of_s = *as_of;
    if (args.keep_devices || args.with_late) {
      const Error both{Errc::usage,
                       "--as-of shuts earlier computers out: it goes with neither --keep-devices nor "
                       "--with-late"};
      co_return session.out.fail(both, "");
    }
  }
  if (options.phrase_file.empty()) {
    args.phrase = ask_phrase();
  } else {
    const auto content = platform::read_file(session.platform.disk(), options.phrase_file, 4096);
    if (!content) co_return session.out.fail(content.error(), "", kFailed);
    args.phrase = as_text(*content);
  }
  auto done = co_await do_recover(session, args);
  wipe(std::as_writable_bytes(std::span(args.phrase)));
  if (!done) co_return session.out.fail(done.error(), recover_hint(done.error()));
  if (options.dry_run) {
    show_would_recover(session, *done);
    co_return is_whole(*done) ? kDone : kPartly;
  }
  session.out.done = "the vault is back on this computer";
  session.out.result({{"name", json_text(done->name)},
                      {"homes", done->homes},
                      {"homes_reachable", done->homes_reachable},
                      {"homes_written", done->homes_written},
                      {"snapshots", done->snapshots},
                      {"newest_time", done->newest.time_ns == 0 ? "" : format_rfc3339(done->newest.time_ns)},
                      {"homes_agree", done->newest.homes_agree},
                      {"reprieved", done->reprieved},
                      {"late", done->late},
                      {"older_records", done->older_records},
                      {"clouds", json_clouds(*done)},
                      {"former_homes", json_former(done->former.away)},
                      {"former_homes_read", json_former(done->former.read)},
                      {"unread", json_unread(done->unread)}});
  show_recovered(session, options, *done);
  co_return is_whole(*done) ? kDone : kPartly;
}

void add_recover(Command& program) {
  auto options = std::make_shared<RecoverOptions>();
  Command command = program.add("recover", "Bring a vault back on a new computer with its 24 words",
                                "Examples:\n  mhp recover --home /media/drive-b\n"
                                "  mhp recover --from ben.example.org:7070\n"
                                "  mhp recover --from mhp1-...   (a code of 'mhp invite', also one that was used)\n"
                                "Exit codes: 0 it is back; 3 an older state is back, the newest cannot be "
                                "read from these homes; 4 too few homes, or none there; 5 the words are wrong");
  command.takes("--home", options->homes, "Folder of any surviving home (may be given again, for drives at new paths)");
  command.takes(
      "--from", options->from,
      "HOST:PORT of any computer that serves a home of the vault, or a code of 'mhp invite', which names such "
      "computers (may be given again, and together with --home). Whoever answers there is believed nothing that the "
      "words do not prove");
  command.takes("--phrase-file", options->phrase_file, "Read the words from this file instead of asking");
  command.takes("--as-of", options->as_of,
                "Only what homes had taken by then (2026-11-22, or 2026-11-22T14:00:00Z): where an enemy wrote to the "
                "vault, or something was forgotten by mistake less than 30 days ago. What was saved later is left out, "
                "and earlier computers are shut out");
  command.flag("--keep-devices", options->keep_devices, "Earlier computers are not lost: let them go on writing");
  command.flag("--with-late", options->with_late,
               "Also what a computer saved after it was shut out (where homes had been away, or clocks were wrong)");
  command.flag("--ignore-clock", options->ignore_clock,
               "Go on where this computer's clock is behind what the homes have seen");
  command.flag("--dry-run", options->dry_run, "Try the words and find the homes, change nothing");
  command.runs([options](Session& session) { return run_recover(session, *options); });
}

}  // namespace mhp::app
