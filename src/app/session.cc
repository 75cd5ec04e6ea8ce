// Opening the state folder, the homes and the vault for a command.
#include "app/session.h"

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

/// What is not asked again where it did not answer.
static std::string silence_of(const wire::HomeEntry& entry) {
  return entry.kind == wire::HomeKind::computer ? entry.id.hex() : entry.path;
}

std::string place_of(const wire::HomeEntry& entry) {
  return entry.kind == wire::HomeKind::computer ? fmt::format("{}", fmt::join(entry.addresses, ", ")) : entry.path;
}

static Task<Result<Reached>> reach_folder(Session& session, wire::HomeEntry entry) {
  home::FolderAddress address;
  address.path = entry.path;
  address.id = entry.id;
  address.limits = {.max_used_bytes = entry.max_used_bytes, .min_free_bytes = entry.min_free_bytes};
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
  std::map<std::array<std::byte, 32>, std::uint32_t> owners = {{{}, 0}};  // the owner's own have no member
  std::vector<dispersal::Member> members;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const wire::HomeEntry& entry = entries[i];
    dispersal::Member member{.id = entry.id,
                             .name = entry.name,
                             .home = nullptr,
                             .away_reason = "",
                             .away_code = Errc::unavailable,
                             .domain = kOwnDomain + static_cast<std::uint32_t>(i),
                             .owner = owners.try_emplace(entry.member, owners.size()).first->second,
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

/// The end of the work is the end of its connections.
static Task<> work_in(std::function<Task<int>(Session&)> work, Session& session, int& code, platform::Nursery& all) {
  auto task = work(session);
  code = co_await std::move(task);
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

/// Every home that answered showed less than this computer has seen: an older backup of all of them was put back, say.
static bool all_set_back(const dispersal::HomeSet& homes) {
  const auto older = std::ranges::count_if(homes.troubles(), [](const dispersal::Trouble& trouble) {
    return trouble.kind == dispersal::TroubleKind::old_heads || trouble.kind == dispersal::TroubleKind::read_only;
  });
  return homes.reachable() > 0 && static_cast<std::size_t>(older) >= homes.reachable();
}

static void note_set_back(const Session& session, const dispersal::HomeSet& homes) {
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

/// Once in a run.
static void note_out(Session& session, const Opened& opened) {
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

/// Homes on the disks of what was saved last are lost with it.
static Task<> discount_source_disks(Session& session, Opened& opened) {
  const auto& snapshots = opened.vault->snapshots();
  const auto& homes = opened.record->content.homes;
  if (snapshots.empty()) co_return;
  std::vector<std::string> paths = snapshots.back().paths;
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

std::string by_whose_word(const std::vector<vault::FalseClaims>& makers) {
  std::string by;
  for (const vault::FalseClaims& one : makers)
    by += fmt::format("{}device {}{}", by.empty() ? ", by the word of " : ", ", one.device.short_hex(),
                      one.computer.empty() ? "" : fmt::format(" (computer {})", printable(one.computer)));
  return by;
}

static void name_displaced(const Session& session, const vault::Displaced& displaced) {
  if (displaced.segments == 0 || session.out.mute) return;
  session.out.note(fmt::format(
      "ALARM: the index had left out {} that this computer knows to be whole, and named false ones in their place{}. "
      "What was left out is listed again. Is that computer in wrong hands? Shut it out with 'mhp recover' and the 24 "
      "words.",
      plural(displaced.segments, "segment", "segments"), by_whose_word(displaced.by)));
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
