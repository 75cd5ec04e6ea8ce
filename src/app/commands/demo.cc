// `mhp demo`: the main job over the network: real computers, many of them and one's own lost, 24 words bring all back.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <numeric>
#include <optional>

#include "app/commands/commands.h"
#include "app/compare_trees.h"
#include "app/lab_cloud.h"
#include "app/progress.h"
#include "app/text.h"

namespace mhp::app {

namespace {

constexpr int kMaxDemoHomes = 36;
constexpr const char* kDemoMark = "/.mhp-demo";
constexpr const char* kDemoLend = "100G";

struct DemoArgs {
  std::vector<std::string> trees;
  std::string folder;
  int homes = 10;
  std::string level = "normal";
  bool keep = false;
};

/// Where the demo plays; all of it is made by the demo.
struct Stage {
  std::string folder;
  std::string cloud() const { return folder + "/cloud"; }
  std::string new_state() const { return folder + "/new-computer/state"; }
  std::string phrase() const { return folder + "/phrase.txt"; }  // the paper
  std::string back() const { return folder + "/back"; }
};

/// Removes a folder with all in it; only below a folder that bears the demo's mark.
Result<void> remove_tree(platform::Disk& disk, const Stage& stage, const std::string& path) {
  if (!path.starts_with(stage.folder) || !disk.info(stage.folder + kDemoMark))
    return fail(Errc::invalid, "not a folder of the demo: " + path);
  const auto names = disk.list(path);
  if (names) {
    for (const std::string& name : *names) {
      const std::string child = path + "/" + name;
      if (child == stage.folder + kDemoMark) continue;                 // goes last
      if (const auto removed = disk.remove(child); removed) continue;  // a file, a link or an empty folder
      MHP_TRY_VOID(remove_tree(disk, stage, child));
    }
  }
  if (path == stage.folder) {
    MHP_TRY_VOID(disk.remove(stage.folder + kDemoMark));
  }
  return disk.remove(path);
}

/// Computer 1 is its owner's; the others are those of other people.
class Demo {
 public:
  Demo(Session& session, DemoArgs args)
      : session_(session), args_(std::move(args)), connections_(session.platform.executor()) {}

  /// However it ends, its processes have ended then, and what it made is gone (with --keep it is there). Errors:
  /// canceled (the person has seen enough), those of each step.
  Task<Result<void>> run() {
    MHP_CO_TRY_VOID(prepare());
    Result<void> done;
    platform::Nursery acts(session_.platform.executor());
    acts.start(play(done));
    if (co_await acts.settle()) done = fail(Errc::canceled, "interrupted");
    co_await hang_up();
    co_await cloud_->stop_all();
    auto tidied = tidy_up();
    if (done && !tidied) co_return pass(tidied);
    co_return done;
  }

 private:
  int last() const { return args_.homes + 1; }
  static std::string count_of(int count, std::string_view one, std::string_view many) {
    return plural(static_cast<std::uint64_t>(count), one, many);
  }
  void step(const std::string& title) { show(fmt::format("\n{}. {}", ++step_, title)); }
  void tell(const std::string& sentence) { show("   " + sentence); }
  void show(const std::string& text) {
    session_.out.say(text);
    (void)session_.out.flush();  // whoever reads a pipe sees each step when it is done
  }
  double seconds_since(std::chrono::nanoseconds start) {
    return std::chrono::duration<double>(session_.platform.clock().steady() - start).count();
  }

  Task<> play(Result<void>& done) { done = co_await all_steps(); }

  Task<Result<void>> all_steps() {
    MHP_CO_TRY_VOID(co_await found());
    MHP_CO_TRY_VOID(co_await save());
    MHP_CO_TRY_VOID(co_await picture("Where the fragments lie (one column a segment, each mark one fragment):"));
    MHP_CO_TRY_VOID(co_await destroy());
    MHP_CO_TRY_VOID(co_await recover());
    MHP_CO_TRY_VOID(co_await picture("What is left:"));
    MHP_CO_TRY_VOID(co_await bring_back());
    MHP_CO_TRY_VOID(compare());
    co_return co_await mend();
  }

  /// Ends the connections of the computer that commands run on.
  Task<> hang_up() {
    connections_.cancel();
    co_await connections_.join();
    computer_.reset();
  }

  /// The computer with this state folder is the one that commands run on, each as in a run of its own.
  Task<Session*> sit_down_at(std::string state) {
    co_await hang_up();
    computer_.emplace(Session{.platform = session_.platform, .out = session_.out, .state_folder = std::move(state)});
    computer_->out.mute = true;  // the homes that are lost are shown in the picture
    computer_->connections = &connections_;
    co_return &*computer_;
  }

  Result<void> prepare() {
    platform::Disk& disk = session_.platform.disk();
    MHP_TRY(stage_.folder, disk.absolute(args_.folder));
    stage_.folder += fmt::format("/mhp-demo-{}", getpid());
    for (std::string& tree : args_.trees) {
      MHP_TRY(tree, disk.absolute(tree));
    }
    MHP_TRY_VOID(disk.make_folder(stage_.cloud()));
    MHP_TRY(const auto mark, disk.open(stage_.folder + kDemoMark, platform::Open::create_exclusive));
    cloud_.emplace(session_, stage_.cloud(), kDemoLend, args_.level);
    return {};
  }

  Task<Result<void>> found() {
    step(fmt::format("A cloud: your computer, and those of {}", count_of(args_.homes, "other person", "other people")));
    const auto start = session_.platform.clock().steady();
    for (int number = 1; number <= last(); ++number) {
      MHP_CO_TRY_VOID(co_await cloud_->add(number));
    }
    MHP_CO_TRY_VOID(co_await cloud_->settle());
    platform::Disk& disk = session_.platform.disk();
    MHP_CO_TRY_VOID(disk.rename(cloud_->phrase(1), stage_.phrase()));
    MHP_CO_TRY(const std::string first, cloud_->address(1));
    MHP_CO_TRY(const std::string second, cloud_->address(2));
    tell(fmt::format("Each is a process of its own here (mhp up), with its own folder, keys and address: {}, {} ...",
                     first, second));
    tell(fmt::format(
        "You are computer 1: you made a vault (mhp init) and a cloud (mhp cloud new), and let the others in "
        "by a code each (mhp invite, mhp join). All of that took {}.",
        format_seconds(seconds_since(start))));
    tell(fmt::format("The 24 words of your vault are on paper: {} ...", first_words()));
    co_return Result<void>();
  }

  /// The first two words: enough to see, too few to be of use.
  std::string first_words() {
    const auto content = platform::read_file(session_.platform.disk(), stage_.phrase(), 4096);
    if (!content) return "";
    const std::string_view text = as_text(*content);
    return std::string(text.substr(0, text.find(' ', text.find(' ') + 1)));
  }

  Task<Result<void>> save() {
    std::string trees;
    for (const std::string& tree : args_.trees) trees += (trees.empty() ? "" : " and ") + printable(tree);
    step(fmt::format("Saving {} (mhp backup)", trees));
    Session* const computer = co_await sit_down_at(cloud_->state(1));
    for (int round = 0; round < 2; ++round) {
      BackupArgs args;
      args.options.scan.paths = args_.trees;
      snapshot::Counters counters;
      const auto start = session_.platform.clock().steady();
      ProgressLine progress(session_, TransferLine(session_.platform.clock(), counters, "   saving"));
      auto done = co_await do_backup(*computer, args, counters);
      co_await progress.stop();
      if (!done) co_return pass(done);
      tell_saved(*done, seconds_since(start), round == 0);
      margin_ = std::max(done->after.margin, 0);
    }
    co_return Result<void>();
  }

  void tell_saved(const BackupDone& done, double seconds, bool first) {
    const vault::WriteTotals& totals = done.report.committed.totals;
    if (!first) {
      tell(fmt::format("Again, nothing changed: {} to look at all files, {} stored.", format_seconds(seconds),
                       format_bytes(totals.stored_bytes)));
      return;
    }
    tell(fmt::format("{}, {} in {}: {}.", plural(done.report.snapshot.files, "file", "files"),
                     format_bytes(done.report.snapshot.bytes), format_seconds(seconds),
                     fmt::format("on {}, any {} may be lost", plural(done.after.homes, "home", "homes"),
                                 std::max(done.after.margin, 0))));
    tell(fmt::format("{} new content, {} after compression, sealed, cut into {}, {} on the homes in all.",
                     format_bytes(totals.new_bytes), format_bytes(totals.packed_bytes),
                     plural(totals.segments, "segment", "segments"), format_bytes(totals.stored_bytes)));
    if (!done.report.errors.empty())
      tell(fmt::format("{} could not be read and were named.", plural(done.report.errors.size(), "file", "files")));
  }

  Task<Result<void>> picture(std::string title) {
    OpenOptions without_index;
    without_index.read_index = false;
    MHP_CO_TRY(const Opened opened, co_await open_vault(*computer_, without_index));
    std::vector<std::vector<home::HeldSegment>> held;
    for (std::size_t i = 0; i < opened.homes->members().size(); ++i) {
      if (!opened.homes->members()[i].home) {
        held.emplace_back();
        continue;
      }
      MHP_CO_TRY(auto segments, co_await opened.homes->list(i));
      held.push_back(std::move(segments));
    }
    draw(title, opened.homes->members(), held);
    co_return Result<void>();
  }

  void draw(const std::string& title, const std::vector<dispersal::Member>& members,
            const std::vector<std::vector<home::HeldSegment>>& held) {
    constexpr std::size_t kColumns = 14;
    std::vector<SegmentId> columns;
    for (const auto& segments : held) {
      for (std::size_t i = 0; i < segments.size() && columns.empty(); ++i) {
        for (const auto& segment : segments) {
          if (columns.size() < kColumns) columns.push_back(segment.segment);
        }
      }
    }
    show("\n   " + title);
    std::vector<std::size_t> order(members.size());
    std::iota(order.begin(), order.end(), 0u);
    std::ranges::sort(order, {}, [&](std::size_t i) { return std::pair(members[i].name.size(), members[i].name); });
    for (const std::size_t i : order) {
      std::string line;
      for (const SegmentId& column : columns) {
        const auto at = std::ranges::find(held[i], column, &home::HeldSegment::segment);
        const std::size_t rows = at == held[i].end() ? 0 : at->rows.size();
        for (std::size_t mark = 0; mark < 3; ++mark)
          line += !members[i].home ? "\u00b7" : mark < std::min<std::size_t>(rows, 3) ? "\u25a0" : " ";
        line += ' ';
      }
      show(fmt::format("   {:<11} {}{}", members[i].name, line, members[i].home ? "" : " lost"));
    }
  }

  Task<Result<void>> destroy() {
    step(fmt::format("A catastrophe: {}, and yours, are gone at once", count_of(margin_, "computer", "computers")));
    co_await hang_up();
    for (int number = 1; number <= margin_ + 1; ++number) {
      co_await cloud_->kill(number);
      MHP_CO_TRY_VOID(remove_tree(session_.platform.disk(), stage_, cloud_->of(number)));
    }
    tell(fmt::format("{} killed, folders deleted{}; and with computer 1 every key, index and setting of yours.",
                     count_of(margin_ + 1, "process", "processes"), names_of_lost()));
    tell(fmt::format("Left: the paper and {}.", count_of(args_.homes - margin_, "computer", "computers")));
    co_return Result<void>();
  }

  std::string names_of_lost() const {
    if (margin_ == 0) return "";
    return margin_ == 1 ? ": computer 2" : fmt::format(": computers 2 to {}", margin_ + 1);
  }

  Task<Result<void>> recover() {
    MHP_CO_TRY(const std::string address, cloud_->address(last()));
    step(fmt::format("A new computer, the 24 words, and where one computer that is left answers: mhp recover --from {}",
                     address));
    MHP_CO_TRY(const Bytes phrase, platform::read_file(session_.platform.disk(), stage_.phrase(), 4096));
    RecoverArgs args{.phrase = std::string(as_text(phrase)), .homes = {}, .from = {address}};
    const auto start = session_.platform.clock().steady();
    Session* const guest = co_await sit_down_at(stage_.new_state());
    MHP_CO_TRY(const RecoverDone done, co_await do_recover(*guest, args));
    tell(fmt::format("{} found in {}; {} of {} homes answer.", plural(done.snapshots, "snapshot", "snapshots"),
                     format_seconds(seconds_since(start)), done.homes_reachable, done.homes));
    (void)co_await sit_down_at(stage_.new_state());  // no guest any more
    co_return Result<void>();
  }

  Task<Result<void>> bring_back() {
    step("Bringing everything back (mhp restore)");
    snapshot::Counters counters;
    const auto start = session_.platform.clock().steady();
    ProgressLine progress(session_, TransferLine(session_.platform.clock(), counters, "   bringing back"));
    RestoreArgs args{.snapshot = "latest", .path = "", .to = stage_.back()};
    args.no_sync = true;  // it is read back at once, and thrown away
    auto report = co_await do_restore(*computer_, args, counters);
    co_await progress.stop();
    if (!report) co_return pass(report);
    tell(fmt::format("{}, {} in {}.", plural(report->files, "file", "files"), format_bytes(report->bytes),
                     format_seconds(seconds_since(start))));
    if (report->errors.empty()) co_return Result<void>();
    co_return fail(Errc::corrupt, fmt::format("{} files did not come back, the first: {}", report->errors.size(),
                                              printable(report->errors.front().path)));
  }

  Result<void> compare() {
    step("Comparing with the originals, byte for byte");
    const bool with_owners = geteuid() == 0;  // nobody else may give files away
    for (const std::string& tree : args_.trees) {
      MHP_TRY(const TreeComparison found,
              compare_trees(session_.platform.trees(), tree, stage_.back() + tree, with_owners));
      for (const std::string& difference : found.differences) session_.out.note("   differs: " + printable(difference));
      if (!found.differences.empty()) return fail(Errc::corrupt, "what came back is not what was saved");
      tell(fmt::format("{}: {}, {}: the same names, bytes, modes, {}times, links and attributes.{}", printable(tree),
                       plural(found.entries, "entry", "entries"), format_bytes(found.bytes),
                       with_owners ? "owners, " : "", with_owners ? "" : " (Owners come back where root restores.)"));
    }
    return {};
  }

  Task<Result<void>> mend() {
    step("Making it safer again on the computers that are left (mhp repair)");
    const vault::Progress silent = [](const vault::CheckProgress&) {};
    const auto start = session_.platform.clock().steady();
    MHP_CO_TRY(const vault::RepairReport report, co_await do_repair(*computer_, false, false, silent));
    tell(fmt::format("{} made again ({}) in {}: on {}, any {} may be lost; before: {}.",
                     plural(report.rows_made, "fragment", "fragments"), format_bytes(report.bytes_stored),
                     format_seconds(seconds_since(start)), plural(report.homes, "home", "homes"),
                     std::max(report.margin, 0), std::max(report.margin_before, 0)));
    co_return Result<void>();
  }

  Result<void> tidy_up() {
    if (!args_.keep) return remove_tree(session_.platform.disk(), stage_, stage_.folder);
    show(fmt::format(
        "\nAll of it is kept in {0}. To look around: 'mhp --state {1} up' starts computer {2} again, and so "
        "on; then 'mhp --state {3} status'.",
        printable(stage_.folder), printable(cloud_->state(last())), last(), printable(stage_.new_state())));
    return {};
  }

  Session& session_;
  DemoArgs args_;
  Stage stage_;
  std::optional<LabCloud> cloud_;
  platform::Nursery connections_;
  std::optional<Session> computer_;  // what commands run on; its connections are `connections_`
  int step_ = 0;
  int margin_ = 0;  // of the homes that have the snapshot: so many are destroyed
};

Task<int> run_demo(Session& session, DemoArgs args) {
  if (args.trees.empty()) args.trees = {"/usr/include"};
  const bool keeps = args.keep;
  Demo demo(session, std::move(args));
  const auto start = session.platform.clock().steady();
  const auto done = co_await demo.run();
  if (!done && done.error().code == Errc::canceled) co_return kInterrupted;
  if (!done) {
    co_return session.out.fail(done.error(), keeps ? "" : "To look at what it made, run it with --keep.", kFailed);
  }
  const double seconds = std::chrono::duration<double>(session.platform.clock().steady() - start).count();
  session.out.say(fmt::format("\nDone in {}. Nothing was lost.", format_seconds(seconds)));
  session.out.result({{"ok", true}, {"seconds", seconds}});
  co_return kDone;
}

std::string scratch_folder() {
  for (const char* name : {"MHP_TMP", "TMPDIR"}) {
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  }
  return "/tmp";
}

}  // namespace

void add_demo(Command& program) {
  auto args = std::make_shared<DemoArgs>();
  args->folder = scratch_folder();
  Command command =
      program.add("demo", "Show the main job: save to other people's computers, lose many and your own, bring all back",
                  "Example:\n  mhp demo --tree ~/Documents --keep");
  command.takes("--tree", args->trees, "What to save (default: /usr/include)");
  command.takes("--folder", args->folder, "Where to play");
  command.takes("--homes", args->homes, 3, kMaxDemoHomes, "How many other computers");
  command.takes("--level", args->level, "thrifty, normal or strong");
  command.flag("--keep", args->keep, "Leave everything there afterwards");
  command.runs([args](Session& session) { return run_demo(session, *args); });
}

}  // namespace mhp::app
