// `mhp up`: this computer as a home of its clouds, until it is stopped.
#include <fmt/format.h>

#include <algorithm>

#include "app/announce.h"
#include "app/cloud_homes.h"
#include "app/commands/commands.h"
#include "app/event_log.h"
#include "app/lend_floor.h"
#include "app/lent_space.h"
#include "app/limits.h"
#include "app/memberships.h"
#include "app/metrics.h"
#include "app/network.h"
#include "app/notes.h"
#include "app/presence.h"
#include "app/steady_scrub.h"
#include "app/text.h"
#include "app/trouble.h"
#include "app/up_settings.h"
#include "cloud/cloud_service.h"
#include "cloud/exchange.h"
#include "home/folder_home.h"
#include "net/server.h"

namespace mhp::app {

namespace {

constexpr std::chrono::seconds kGrace{10};       // for what is being answered when it is told to stop
constexpr std::chrono::seconds kLookAround{60};  // for other addresses, cables and networks
constexpr std::chrono::minutes kTryAgain{10};    // where what somebody held could not be handed over
constexpr std::chrono::hours kScrubAgain{1};     // where the home could not be read

struct UpArgs {
  std::string lend;
  std::string home;
  std::string name;
  std::string listen;
  std::string metrics;
  std::string trouble_file;
  std::vector<std::string> addresses;
  LimitArgs limits;
  bool anchor = false;
  bool no_anchor = false;
  bool dry_run = false;
};

constexpr const char* kNoMetrics = "off";
constexpr std::string_view kMetricsAt = "--metrics: ";  // begins what is said of their port

/// What was told now, else what was told last, else what is usual.
class Wanted {
 public:
  Wanted(Session& session, const UpArgs& args) : session_(session), args_(args) {}

  Result<UpSettings> settings() {
    platform::Disk& disk = session_.platform.disk();
    auto kept = read_up_settings(disk, session_.state_folder);
    if (!kept && kept.error().code != Errc::not_found) return kept;
    UpSettings out = kept ? *kept : UpSettings{};
    MHP_TRY(const std::string state, disk.absolute(session_.state_folder));
    if (out.listen.empty()) out.listen = kUsualListen;
    if (out.home.empty()) out.home = state + "/home";
    if (!args_.listen.empty()) out.listen = args_.listen;
    if (!args_.home.empty()) {
      MHP_TRY(out.home, about(Subject::home, disk.absolute(args_.home)));
    }
    if (!args_.addresses.empty()) out.addresses = args_.addresses;
    for (const std::string& address : out.addresses) {
      MHP_TRY_VOID(platform::parse_host_and_port(address, cloud::kUsualPort));
    }
    MHP_TRY(out.limits, limits_by(args_.limits, out.limits));
    if (args_.anchor && args_.no_anchor) return fail(Errc::usage, "--anchor and --no-anchor say the opposite");
    out.anchor = (out.anchor || args_.anchor) && !args_.no_anchor;
    if (!args_.metrics.empty()) out.metrics = args_.metrics == kNoMetrics ? "" : args_.metrics;
    if (!args_.name.empty()) out.name = args_.name;
    if (out.name.size() > wire::kMaxNameBytes) return fail(Errc::usage, "a name has at most 255 bytes");
    MHP_TRY_VOID(set_lend(out, /*was_told=*/kept.has_value()));
    return out;
  }

 private:
  Result<void> set_lend(UpSettings& out, bool was_told) {
    if (!args_.lend.empty()) {
      MHP_TRY(out.lend_bytes, parse_size(args_.lend));
      return {};
    }
    if (was_told) return {};
    MHP_TRY(const platform::SpaceInfo space, session_.platform.disk().space(platform::parent_of(out.home)));
    out.lend_bytes = default_lend_bytes(space);
    return {};
  }

  Session& session_;
  const UpArgs& args_;
};

/// What has to be had before anything else: to be the only one, and the ports.
struct Doors {
  std::unique_ptr<platform::FileLock> only_one;
  std::vector<std::unique_ptr<platform::Listener>> listeners;
  std::vector<platform::Endpoint> listening;  // of these
  std::unique_ptr<platform::Listener> metrics;
};

Result<std::unique_ptr<platform::Listener>> listen_at(platform::Network& sockets, const std::string& text,
                                                      std::uint16_t port) {
  MHP_TRY(const platform::HostAndPort at, platform::parse_host_and_port(text, port));
  return about(Subject::network, sockets.listen({at.host, at.port}));
}

Result<Doors> open_doors(Session& session, const UpSettings& settings) {
  Doors doors;
  auto held = session.platform.disk().lock(session.state_folder + "/up.lock", "mhp up");
  if (!held && held.error().code == Errc::busy)
    held.error().detail = "'mhp up' is running already for this state folder (" + held.error().detail + ")";
  MHP_TRY(doors.only_one, about(Subject::state, std::move(held)));
  MHP_TRY(auto listener, listen_at(sockets_of(session), settings.listen, cloud::kUsualPort));
  doors.listening.push_back(listener->local());
  doors.listeners.push_back(std::move(listener));
  if (settings.metrics.empty()) return doors;
  constexpr std::uint16_t kMetricsPort = 9464;
  auto metrics = listen_at(session.platform.network(), settings.metrics, kMetricsPort);
  if (!metrics)
    return fail(metrics.error().code, metrics.error().subject, fmt::format("{}{}", kMetricsAt, metrics.error().detail));
  doors.metrics = std::move(*metrics);
  return doors;
}

class Up final : public MetricsSource {
 public:
  Up(Session& session, Network& net, UpSettings settings, Doors doors, std::string trouble_file)
      : session_(session),
        net_(net),
        settings_(std::move(settings)),
        doors_(std::move(doors)),
        trouble_file_(std::move(trouble_file)),
        log_(session.platform.clock(), session.out.json),
        book_(net.book()) {}

  Task<Result<void>> run() {
    MHP_CO_TRY_VOID(co_await book_.refresh_aside(session_.platform));
    MHP_CO_TRY_VOID(open_home());
    cloud::CloudService service(session_.platform, book_, net_.key(), lending_ ? &*lending_ : nullptr);
    service_ = &service;
    TroubledService troubled(session_.platform, service, trouble_file_);
    net::Service& answering = trouble_file_.empty() ? static_cast<net::Service&>(service) : troubled;
    net::Server server(net_.station(), answering, &net_.desk(), &net_.reachable());
    net::Waiter waiter(net_.station(), sockets_of(session_), session_.platform.random(), server, {}, &net_.dialed());
    co_await announce();
    say_hello();
    platform::Nursery serving(session_.platform.executor()), background(session_.platform.executor());
    serving.start(server.run(std::move(doors_.listeners)));
    background.start(keep_announced());
    background.start(look_for_rosters());
    background.start(tell_news());
    background.start(keep_rules());
    cloud::Rhythm rhythm;
    rhythm.asker = [this](const CloudId& cloud) { return asker_in(session_, cloud); };
    background.start(
        cloud::keep_in_touch(session_.platform, book_, net_.others(), net_.id(), std::move(rhythm), contacts_));
    background.start(waiter.run());
    background.start(keep_relays(waiter));
    background.start(keep_learned());
    background.start(keep_handed_over());
    background.start(keep_attendance());
    if (scrub_) background.start(keep_scrubbed());
    if (doors_.metrics) {
      background.start(serve_metrics(session_.platform.clock(), session_.platform.executor(), *doors_.metrics, *this));
    }
    co_await platform::until_canceled(session_.platform.executor());
    log_.info("stopping");
    background.cancel();
    server.stop(kGrace);
    co_await background.join();
    co_await serving.join();
    log_.info("stopped");
    co_return Result<void>();
  }

  Task<std::vector<Metric>> metrics() override;

 private:
  Result<void> open_home() {
    platform::Disk& disk = session_.platform.disk();
    const auto there = home::folder_home_id(disk, settings_.home);
    const bool holds_nothing = !there && there.error().code == Errc::not_found;
    if (settings_.lend_bytes == 0 && holds_nothing) return {};  // what it holds from before it gives back all the same
    MHP_TRY_VOID(
        about(Subject::home, home::create_folder_home(disk, session_.platform.random(), settings_.home, net_.id())));
    MHP_TRY(const platform::SpaceInfo space, about(Subject::home, disk.space(settings_.home)));
    const home::FolderLimits limits{.max_used_bytes = settings_.lend_bytes,
                                    .min_free_bytes = lent_min_free_bytes(space)};
    MHP_TRY(home_, about(Subject::home, home::open_folder_home(session_.platform, settings_.home, net_.id(), limits)));
    cloud::Lending rules;
    rules.who = [this](const net::Peer& peer) { return service_->who(peer); };
    const LentSpace::Home own{net_.id(), settings_.lend_bytes};
    space_.emplace(disk, session_.state_folder + "/vault-owners.json", book_, own,
                   [this](const HomeId& peer) { return service_->belongings(peer); });
    if (space_->was_damaged()) log_.warn("vault_owners_unreadable");
    space_->answer_for(rules);
    found_bad_.emplace(disk, session_.state_folder + "/found-bad.json");
    rules.known_bad = [this](const VaultId& vault, const SegmentId& after) { return found_bad_->page(vault, after); };
    rules.was_put = [this](const wire::RecordFront& record) { note_put(record); };
    lending_.emplace(session_.platform, *home_, std::move(rules));
    scrub_.emplace(session_.platform, *home_, *found_bad_, session_.state_folder + "/scrub.json");
    return {};
  }

  /// Whoever puts damaged rows again has mended them.
  void note_put(const wire::RecordFront& record) {
    std::vector<std::uint8_t> rows;
    for (const wire::RecordRow& row : record.rows) rows.push_back(row.row);
    const auto noted = found_bad_->were_put(record.vault, record.segment, rows);
    if (!noted) log_.warn("found_bad_not_written", {{"reason", noted.error().detail}});
  }

  /// What the rules of its clouds ask of this computer: for how long it holds, and how much its owner lends.
  Task<> keep_rules() {
    for (;;) {
      const std::uint64_t seen = book_.changes();
      const auto followed = space_ ? space_->follow_rules() : Result<void>();
      if (!followed) log_.warn("vault_owners_not_written", {{"reason", followed.error().detail}});
      tell_lending_too_little();
      co_await book_.changed(seen);
    }
  }

  /// Once, and again when it is another amount.
  void tell_lending_too_little() {
    const auto memberships = memberships_of(session_);
    if (!memberships) return;  // announce() tells
    for (const Membership& one : *memberships) {
      const cloud::RosterPointer roster = book_.find(one.cloud);
      const auto now = roster ? too_little_of(roster->view(), one.member()) : std::nullopt;
      auto& told = too_little_[one.cloud];
      if (now && now != told) {
        log_.warn("lends_too_little", {{"cloud", now->cloud},
                                       {"floor_bytes", std::to_string(now->floor_bytes)},
                                       {"lent_bytes", std::to_string(now->lent_bytes)},
                                       {"means", too_little_sentence(*now, settings_.lend_bytes)}});
      }
      told = now;
    }
  }

  OwnHome own_home() {
    OwnHome own{.key = cloud::as_key(net_.key().public_key()),
                .name = settings_.name,
                .lend_bytes = settings_.lend_bytes,
                .anchor = settings_.anchor,
                .addresses = {}};
    const auto interfaces = session_.platform.network().own_addresses();
    own.addresses =
        addresses_to_tell(settings_.addresses, doors_.listening, interfaces.value_or(std::vector<std::string>()));
    return own;
  }

  /// In every cloud that this computer is in: what the roster lacks of its home. Failures are tried again later.
  Task<> announce() {
    const auto memberships = memberships_of(session_);
    if (!memberships) {
      log_.warn("memberships_unreadable", {{"reason", memberships.error().detail}});
      co_return;
    }
    const OwnHome own = own_home();
    for (const Membership& one : *memberships) {
      const cloud::RosterPointer roster = book_.find(one.cloud);
      if (!roster) continue;
      const MemberId member = cloud::as_member(one.key.public_key());
      const Announcement news = to_announce(roster->view(), member, own);
      std::vector<Bytes> statements;
      if (news.by_member) statements.push_back(roster->say(one.key, member, *news.by_member));
      if (news.by_home) statements.push_back(roster->say(net_.key(), member, *news.by_home));
      if (statements.empty()) continue;
      const auto merged = co_await book_.merge_aside(session_.platform, one.cloud, std::move(statements));
      if (!merged) log_.warn("announce_failed", {{"cloud", one.cloud.short_hex()}, {"reason", merged.error().detail}});
      if (merged)
        log_.info("announced", {{"cloud", one.cloud.short_hex()}, {"addresses", std::to_string(own.addresses.size())}});
    }
  }

  Task<> announce_on_change() {
    for (;;) {
      const std::uint64_t seen = book_.changes();
      co_await announce();
      co_await book_.changed(seen);
    }
  }

  Task<> announce_at_times() {
    for (;;) {
      co_await session_.platform.clock().sleep(kLookAround);
      co_await announce();
    }
  }

  Task<> keep_announced() {
    platform::Nursery both(session_.platform.executor());
    both.start(announce_on_change());
    both.start(announce_at_times());
    co_await both.join();
  }

  /// A computer that is new has none of its owner's clouds until a home of each has answered.
  Task<> look_for_rosters() {
    for (;;) {
      const auto found = co_await find_rosters(session_, book_);
      if (!found) log_.warn("rosters_unreadable", {{"reason", found.error().detail}});
      for (const CameBack& one : found.value_or(std::vector<CameBack>())) {
        if (one.out) tell_out(*one.out);
        if (one.out) continue;
        if (one.problem.empty()) log_.info("cloud_is_back", {{"cloud", one.cloud}, {"as", one.as}});
        if (!one.problem.empty()) log_.warn("cloud_not_found", {{"as", one.as}, {"reason", one.problem}});
      }
      co_await session_.platform.clock().sleep(kLookAround);
    }
  }

  /// Waits at those that the rosters name now, until others are known to reach this computer without.
  Task<> wait_on_change(net::Waiter& waiter) {
    for (;;) {
      const std::uint64_t seen = book_.changes();
      set_relays(waiter);
      co_await book_.changed(seen);
    }
  }

  /// Which homes are there when they are spoken with: a vault that has the choice takes these.
  Task<> keep_attendance() {
    Presences known = read_presences(session_.platform.disk(), session_.state_folder);
    std::map<HomeId, std::int64_t> noted;
    for (;;) {
      co_await session_.platform.clock().sleep(kLookAround);
      bool is_new = false;
      for (const auto& [who, contact] : contacts_) {
        if (contact.tried_ns <= std::exchange(noted[who.second], std::max(noted[who.second], contact.tried_ns)))
          continue;
        note_asked(known, who.second, contact.failure.empty());
        is_new = true;
      }
      if (is_new) (void)keep_presences(session_.platform.disk(), session_.state_folder, known);
    }
  }

  Task<> wait_at_times(net::Waiter& waiter) {
    for (;;) {
      co_await session_.platform.clock().sleep(kLookAround);
      set_relays(waiter);
    }
  }

  Task<> keep_relays(net::Waiter& waiter) {
    platform::Nursery both(session_.platform.executor());
    both.start(wait_on_change(waiter));
    both.start(wait_at_times(waiter));
    co_await both.join();
  }

  void set_relays(net::Waiter& waiter) {
    const bool is_reached = net_.reachable().is_reached();
    auto relays = net_.reach().relays_to_wait_at(is_reached);
    if (is_reached != is_reached_) {
      keep_learned_now();  // commands say what is kept
      if (is_reached) log_.info("reached_directly", {{"by", net_.reachable().last()->by.short_hex()}});
      if (!is_reached) log_.info("reached_by_relays", {{"known", std::to_string(relays.size())}});
    }
    is_reached_ = is_reached;
    waiter.set_relays(std::move(relays));
  }

  /// Which homes were reached, and by whom this one was, so that the next run knows.
  Task<> keep_learned() {
    for (;;) {
      co_await session_.platform.clock().sleep(kLookAround);
      const auto& last = net_.reachable().last();
      const bool is_news = last && (!kept_visit_ || last->here != kept_visit_->here ||
                                    last->at_s - kept_visit_->at_s >= net::Dialed::kNoted.count());
      if (is_news || net_.dialed().is_news()) keep_learned_now();
    }
  }

  void keep_learned_now() {
    const auto kept = net_.keep_reached();
    if (kept) kept_visit_ = net_.reachable().last();
    if (!kept) log_.warn("reached_not_written", {{"reason", kept.error().detail}});
  }

  /// All that the home holds is read once in a month.
  Task<> keep_scrubbed() {
    for (;;) {
      auto step = co_await scrub_->step();
      if (!step) log_.warn("scrub_failed", {{"reason", step.error().detail}});
      if (step) tell_scrub(*step);
      co_await session_.platform.clock().sleep(step ? step->pause : kScrubAgain);
    }
  }

  void tell_scrub(const ScrubStep& step) {
    bad_rows_ += step.bad.size();
    for (const ScrubStep::Bad& one : step.bad)
      log_.warn(
          "bad_row",
          {{"vault", one.vault.short_hex()}, {"segment", one.segment.short_hex()}, {"row", std::to_string(one.row)}});
    if (!step.finished) return;
    log_.info("scrubbed", {{"rows", std::to_string(step.finished->rows)},
                           {"bytes", std::to_string(step.finished->bytes)},
                           {"bad", std::to_string(step.finished->bad)}});
  }

  /// Where somebody who held rows of this computer's own vault has gone: the others are given them, as by `mhp repair`.
  Task<> keep_handed_over() {
    for (;;) {
      const std::uint64_t seen = book_.changes();
      const bool is_done = co_await hand_over();
      if (is_done) co_await book_.changed(seen);
      if (!is_done) co_await session_.platform.clock().sleep(kTryAgain);
    }
  }

  /// False where it is to be tried again. Not while one of those that stay is away: repairing would take it for lost,
  /// and it may be asleep.
  Task<bool> hand_over() {
    Session quietly = session_;
    quietly.out.mute = quietly.out.quiet = true;
    const auto leaving = count_leaving(quietly);
    if (!leaving) co_return leaving.error().code == Errc::not_found;  // no vault here: nobody holds anything of it
    if (leaving->homes == 0) co_return true;
    if (leaving->is_all) {  // the owner was removed, and has no other homes: they keep what they have
      log_.info("hand_over_waits", {{"leaving", std::to_string(leaving->homes)}, {"reason", "there is no other home"}});
      co_return false;
    }
    const auto away = co_await count_away(quietly);
    if (!away || *away > 0) {
      log_.info("hand_over_waits", {{"leaving", std::to_string(leaving->homes)},
                                    {"away", away ? std::to_string(*away) : away.error().detail}});
      co_return false;
    }
    const vault::Progress silent = [](const vault::CheckProgress&) {};
    const auto repaired = co_await do_repair(quietly, false, false, silent);
    if (!repaired) {
      log_.warn("hand_over_failed", {{"reason", repaired.error().detail}});
      co_return false;
    }
    ++handed_over_;
    log_.info("handed_over",
              {{"rows", std::to_string(repaired->rows_made)}, {"margin", std::to_string(repaired->margin)}});
    co_return repaired->unrestorable == 0;
  }

  struct Leaving {
    std::size_t homes = 0;
    bool is_all = false;  // of the list
  };
  /// Homes on the vault's list that are no longer lent, by what this computer knows: nobody is asked.
  static Result<Leaving> count_leaving(const Session& session) {
    Session aside = session;
    MHP_TRY(Opened opened, open_records(aside));
    MHP_TRY_VOID(follow_clouds(aside, opened, /*keep=*/false));
    return Leaving{opened.leaving.size(), opened.leaving.size() == opened.record->content.homes.size()};
  }

  /// Of the others, those that do not answer.
  static Task<Result<std::size_t>> count_away(Session& session) {
    OpenOptions only_homes;
    only_homes.read_index = false;
    MHP_CO_TRY(const Opened opened, co_await open_vault(session, only_homes));
    const auto stays_and_is_away = [&](const dispersal::Member& member) {
      return member.is_wanted() && member.home == nullptr && !opened.leaving.contains(member.id);
    };
    co_return static_cast<std::size_t>(std::ranges::count_if(opened.homes->members(), stays_and_is_away));
  }

  /// Who came, who went, in the log.
  Task<> tell_news() {
    std::map<CloudId, cloud::View> known;
    for (;;) {
      const std::uint64_t seen = book_.changes();
      for (const CloudId& cloud : book_.clouds()) {
        const cloud::RosterPointer roster = book_.find(cloud);
        if (!roster) continue;
        const auto before = known.find(cloud);
        if (before != known.end()) tell_difference(*roster, before->second);
        known[cloud] = roster->view();
        tell_whether_in(*roster);
      }
      co_await book_.changed(seen);
    }
  }

  /// Once, when this computer hears that its owner, or it, is out; and when it is in again.
  void tell_whether_in(const cloud::Roster& roster) {
    const auto memberships = memberships_of(session_);
    if (!memberships) return;  // announce() tells
    const auto own = std::ranges::find(*memberships, roster.cloud(), &Membership::cloud);
    if (own == memberships->end()) return;
    const auto out = out_of(session_, *own, roster);
    if (!out && told_out_.erase(roster.cloud()) > 0) log_.info("in_cloud_again", {{"cloud", roster.view().name}});
    if (out) tell_out(*out);
  }

  void tell_out(const OutOf& out) {
    if (!told_out_.insert(out.cloud).second) return;
    log_.warn("taken_out", {{"cloud", out.name},
                            {"what", out.is_computer ? "computer" : "member"},
                            {"by", names_of_removers(out)},
                            {"means", out_sentence(out)}});
  }

  void tell_difference(const cloud::Roster& roster, const cloud::View& before) {
    const cloud::View& now = roster.view();
    for (const auto& [id, member] : now.members) {
      if (before.members.contains(id)) continue;
      log_.info("member_joined", {{"cloud", now.name}, {"member", member.name}, {"words", joining_words(roster, id)}});
    }
    for (const auto& [id, member] : before.members) {
      if (!now.members.contains(id)) log_.info("member_left", {{"cloud", now.name}, {"member", member.name}});
    }
    for (const auto& [id, home] : now.homes) {
      const auto old = before.homes.find(id);
      if (old == before.homes.end() || old->second.lend_bytes != home.lend_bytes)
        log_.info("home_lends", {{"cloud", now.name}, {"home", home.name}, {"bytes", std::to_string(home.lend_bytes)}});
    }
    for (const auto& [id, home] : before.homes) {
      if (!now.homes.contains(id)) log_.info("home_left", {{"cloud", now.name}, {"home", home.name}});
    }
  }

  void say_hello() {
    std::vector<std::string> at;
    for (const platform::Endpoint& one : doors_.listening) at.push_back(to_string(one));
    log_.info("up", {{"home", net_.id().short_hex()},
                     {"name", settings_.name},
                     {"listen", fmt::format("{}", fmt::join(at, ","))},
                     {"lend_bytes", std::to_string(settings_.lend_bytes)},
                     {"folder", settings_.lend_bytes == 0 ? "" : settings_.home},
                     {"limit_up", to_string(settings_.limits.up)},
                     {"limit_down", to_string(settings_.limits.down)},
                     {"clouds", std::to_string(book_.clouds().size())}});
  }

  Session& session_;
  Network& net_;
  const UpSettings settings_;
  Doors doors_;
  const std::string trouble_file_;
  const EventLog log_;
  cloud::Book& book_;
  std::unique_ptr<home::SharedHome> home_;
  std::optional<LentSpace> space_;  // whoever asks it asks lending_
  std::optional<cloud::HomeService> lending_;
  cloud::CloudService* service_ = nullptr;  // whoever asks lending_ comes through it
  std::optional<FoundBad> found_bad_;       // by scrub_, for their owners
  std::optional<SteadyScrub> scrub_;
  std::uint64_t bad_rows_ = 0;  // that the scrub has found since this began
  std::uint64_t handed_over_ = 0;
  std::set<CloudId> told_out_;                              // clouds that this computer is out of
  std::map<CloudId, std::optional<TooLittle>> too_little_;  // as it was told last
  std::optional<bool> is_reached_;                          // without a relay, as it was told last
  std::optional<cloud::Reachable::Visit> kept_visit_;
  cloud::Contacts contacts_;
};

Task<std::vector<Metric>> Up::metrics() {
  const net::Counts& counts = net_.station().traffic.counts;
  const auto counter = [](std::string name, std::string help, std::uint64_t value) {
    return Metric{std::move(name), std::move(help), true, "", static_cast<double>(value)};
  };
  const auto gauge = [](std::string name, std::string help, std::uint64_t value) {
    return Metric{std::move(name), std::move(help), false, "", static_cast<double>(value)};
  };
  std::vector<Metric> out = {
      counter("mhp_connections_accepted_total", "Connections that others made", counts.accepted),
      gauge("mhp_connections", "Connections of others, now", counts.connections),
      counter("mhp_connections_refused_total", "Turned away: a bad handshake, unwanted, or too many", counts.refused),
      counter("mhp_cut_off_total", "Connections and requests ended for being too slow or too much", counts.cut_off),
      counter("mhp_requests_total", "Requests of others that were begun", counts.requests),
      counter("mhp_calls_total", "Requests made to others", counts.calls),
      counter("mhp_received_bytes_total", "Bytes received, without what TLS adds", counts.bytes_in),
      counter("mhp_sent_bytes_total", "Bytes sent, without what TLS adds", counts.bytes_out),
      gauge("mhp_buffered_bytes", "Bytes of requests and replies in memory", net_.station().traffic.buffered()),
      gauge("mhp_lent_bytes", "Space that this home lends", settings_.lend_bytes),
      gauge("mhp_reached_directly", "1 where others are known to reach this home without a relay",
            net_.reachable().is_reached() ? 1 : 0),
      gauge("mhp_relay_waiting", "Homes behind routers that wait here", net_.desk().counts().waiting),
      gauge("mhp_relay_pairs", "Computers that are joined through this one, two each", net_.desk().counts().pairs),
      counter("mhp_relay_bytes_total", "Bytes passed on for others", net_.desk().counts().bytes)};
  if (home_) {
    const auto usage = co_await home_->usage();
    if (usage) out.push_back(gauge("mhp_home_used_bytes", "Space of the home that is used", usage->used_bytes));
    if (usage) out.push_back(gauge("mhp_home_free_bytes", "Space of the home that is left", usage->free_bytes));
  }
  if (scrub_) {
    out.push_back(gauge("mhp_scrub_read_bytes", "Bytes that the scrub under way has read", scrub_->round().bytes));
    out.push_back(gauge("mhp_bad_rows", "Damaged rows that their owners have not mended", found_bad_->rows()));
    out.push_back(counter("mhp_scrub_bad_rows_total", "Damaged rows that the scrub has found", bad_rows_));
  }
  out.push_back(counter("mhp_hand_overs_total", "Times that rows of those who left were made anew", handed_over_));
  for (const auto& [who, contact] : contacts_) {
    out.push_back({"mhp_home_reached", "1 where the last attempt to speak with another home went well", false,
                   fmt::format("home=\"{}\"", who.second.short_hex()), contact.failure.empty() ? 1.0 : 0.0});
  }
  co_return out;
}

std::string up_hint(const Error& error) {
  switch (error.code) {
    case Errc::busy:
      if (error.detail.starts_with(kMetricsAt))
        return "Another program has this port: choose another one with --metrics 127.0.0.1:9465, or --metrics off.";
      if (error.subject == Subject::network)
        return "Another program has this port: choose another one with --listen '[::]:7071'.";
      return "One is enough. To change what it lends, stop it and start it anew with --lend.";
    case Errc::not_found:
      return "Begin with 'mhp init', or with 'mhp join CODE' if somebody invited you.";
    default:
      return hint_for(error);
  }
}

/// As a cloud knows this computer already, else as 'mhp join' names one.
std::string usual_name(Session& session, const std::vector<Membership>& memberships, const cloud::Book& book,
                       const HomeId& id) {
  std::string name;
  for (const Membership& one : memberships) {
    const cloud::RosterPointer roster = book.find(one.cloud);
    if (!roster) continue;
    const auto known = roster->view().homes.find(id);
    if (known != roster->view().homes.end()) return known->second.name;
    if (name.empty()) name = usual_home_name(roster->view(), one.member(), one.name);
  }
  const auto opened = open_records(session);
  if (name.empty() && opened && !opened->record->content.name.empty())
    name = opened->record->content.name + "'s computer";
  return name.empty() || name.size() > wire::kMaxNameBytes ? id.short_hex() : name;
}

/// Of each cloud that asks for more than this computer and the owner's others would lend.
Task<> say_too_little(Session& session, const std::vector<Membership>& memberships, std::uint64_t lend_bytes) {
  const auto book = co_await open_book(session);
  const KeyId key = known_own_key(session);
  primitives::PublicKey own{};
  std::ranges::copy(key.bytes(), own.begin());
  for (const Membership& one : memberships) {
    const cloud::RosterPointer roster = book ? (*book)->find(one.cloud) : nullptr;
    if (!roster) continue;
    const HomeId id = primitives::home_id_of(own);
    const auto too_little = too_little_with(roster->view(), one.member(), id, lend_bytes);
    if (too_little) session.out.note(too_little_sentence(*too_little, lend_bytes));
  }
}

Task<int> run_up(Session& session, UpArgs args) {
  const auto memberships = memberships_of(session);
  if (!memberships) co_return session.out.fail(memberships.error(), up_hint(memberships.error()));
  auto settings = Wanted(session, args).settings();
  if (!settings) co_return session.out.fail(settings.error(), up_hint(settings.error()));
  session.limits = settings->limits;
  if (args.dry_run) {
    session.out.result({{"dry_run", true},
                        {"lend_bytes", settings->lend_bytes},
                        {"home", json_text(settings->home)},
                        {"limit_up", to_string(settings->limits.up)},
                        {"limit_down", to_string(settings->limits.down)},
                        {"listen", settings->listen},
                        {"anchor", settings->anchor},
                        {"metrics", json_text(settings->metrics)}});
    session.out.say(fmt::format("Would lend {} in {} and listen at {}. Nothing was changed.",
                                format_bytes(settings->lend_bytes), printable(settings->home), settings->listen));
    co_await say_too_little(session, *memberships, settings->lend_bytes);
    co_return kDone;
  }
  auto doors = open_doors(session, *settings);
  if (!doors) co_return session.out.fail(doors.error(), up_hint(doors.error()));
  auto net = network_of(session, doors->listening.front().port);
  if (!net) co_return session.out.fail(net.error(), up_hint(net.error()));
  if (settings->name.empty()) {
    const auto book = co_await open_book(session);
    if (!book) co_return session.out.fail(book.error(), up_hint(book.error()));
    settings->name = usual_name(session, *memberships, **book, (*net)->id());
  }
  const auto kept = keep_up_settings(session.platform.disk(), session.state_folder, *settings);
  if (!kept) co_return session.out.fail(kept.error(), up_hint(kept.error()));
  Up up(session, **net, std::move(*settings), std::move(*doors), args.trouble_file);
  const auto done = co_await up.run();
  if (!done) co_return session.out.fail(done.error(), up_hint(done.error()));
  co_return kDone;
}

}  // namespace

void add_up(Command& program) {
  auto args = std::make_shared<UpArgs>();
  Command command = program.add(
      "up", "Lend this computer's space to its clouds, until it is stopped",
      "Examples:\n  mhp up --lend 200G\n  systemctl --user enable --now mhp    (keeps it up; see the manual page)\n"
      "What is told stays until it is told otherwise. Ctrl-C or SIGTERM ends it in order.");
  command.takes("--lend", args->lend,
                "How much space (first time: a tenth of what is free; 0: none). A tenth of the disk always stays free");
  command.takes("--home", args->home, "Folder for what others store here (in the state folder)");
  command.takes("--name", args->name, "What the others call this home");
  command.takes("--listen", args->listen, "Address and port to answer at (first time: [::]:7070)");
  command.takes("--address", args->addresses,
                "Where others reach this computer besides, HOST:PORT: a name, or a port that the router passes on");
  add_limits(command, args->limits);
  command.flag("--anchor", args->anchor, "This computer is always on");
  command.flag("--no-anchor", args->no_anchor, "It is not (any more)");
  command.takes("--metrics", args->metrics,
                "Serve counts to Prometheus at this address, such as 127.0.0.1:9464; 'off': no more");
  command.takes("--trouble-file", args->trouble_file,
                "For trials: make the troubles that this file names (see 'mhp lab')");
  command.flag("--dry-run", args->dry_run, "Say what would be lent and where, change nothing");
  command.runs([args](Session& session) { return run_up(session, *args); });
}

}  // namespace mhp::app
