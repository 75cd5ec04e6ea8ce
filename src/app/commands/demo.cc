// `mhp demo`: the main job shown on real files: out in fragments, homes and computer lost, 24 words bring it back.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>

#include "app/commands/commands.h"
#include "app/compare_trees.h"
#include "app/progress.h"
#include "app/text.h"

namespace mhp::app {

namespace {

constexpr int kMaxDemoHomes = 36;
constexpr const char* kDemoMark = "/.mhp-demo";

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
  std::string state() const { return folder + "/computer/state"; }
  std::string new_state() const { return folder + "/new-computer/state"; }
  std::string phrase() const { return folder + "/phrase.txt"; }
  std::string back() const { return folder + "/back"; }
  std::string home(unsigned number) const { return fmt::format("{}/drives/drive-{:02}", folder, number); }
};

/// Removes a folder with all in it; only below a folder that bears the demo's mark.
Result<void> remove_tree(platform::Disk& disk, const Stage& stage, const std::string& path) {
  if (!path.starts_with(stage.folder) || !disk.info(stage.folder + kDemoMark))
    return fail(Errc::invalid, "not a folder of the demo: " + path);
  const auto names = disk.list(path);
  if (names) {
    for (const std::string& name : *names) {
      const std::string child = path + "/" + name;
      if (const auto removed = disk.remove(child); removed) continue;  // a file, a link or an empty folder
      MHP_TRY_VOID(remove_tree(disk, stage, child));
    }
  }
  if (path == stage.folder) return {};
  return disk.remove(path);
}

class Demo {
 public:
  Demo(Session& session, DemoArgs args) : session_(session), args_(std::move(args)) {}

  Task<Result<void>> run() {
    MHP_CO_TRY_VOID(prepare());
    MHP_CO_TRY_VOID(co_await found());
    MHP_CO_TRY_VOID(co_await save());
    MHP_CO_TRY_VOID(
        co_await picture("Where the fragments lie (one column a segment, each mark one fragment):", stage_.state()));
    MHP_CO_TRY_VOID(destroy());
    MHP_CO_TRY_VOID(co_await recover());
    MHP_CO_TRY_VOID(co_await picture("What is left:", stage_.new_state()));
    MHP_CO_TRY_VOID(co_await bring_back());
    MHP_CO_TRY_VOID(compare());
    MHP_CO_TRY_VOID(co_await mend());
    co_return tidy_up();
  }

 private:
  unsigned homes() const { return static_cast<unsigned>(args_.homes); }
  void step(const std::string& title) { session_.out.say(fmt::format("\n{}. {}", ++step_, title)); }
  void tell(const std::string& sentence) { session_.out.say("   " + sentence); }
  double seconds_since(std::chrono::nanoseconds start) {
    return std::chrono::duration<double>(session_.platform.clock().steady() - start).count();
  }
  Session at(const std::string& state) {
    Session computer{.platform = session_.platform, .out = session_.out, .state_folder = state};
    computer.out.mute = true;  // the homes that are lost are shown in the picture
    return computer;
  }

  Result<void> prepare() {
    platform::Disk& disk = session_.platform.disk();
    MHP_TRY(stage_.folder, disk.absolute(args_.folder));
    stage_.folder += fmt::format("/mhp-demo-{}", getpid());
    for (std::string& tree : args_.trees) {
      MHP_TRY(tree, disk.absolute(tree));
    }
    MHP_TRY_VOID(disk.make_folder(stage_.folder + "/drives"));
    MHP_TRY(const auto mark, disk.open(stage_.folder + kDemoMark, platform::Open::create_exclusive));
    return {};
  }

  Task<Result<void>> found() {
    step(fmt::format("A computer with {}", plural(homes(), "drive", "drives")));
    Session computer = at(stage_.state());
    MHP_CO_TRY(const InitDone made, co_await do_init(computer, {.name = "Demo",
                                                                .level = args_.level,
                                                                .phrase_file = stage_.phrase(),
                                                                .sheet_file = "",
                                                                .dry_run = false}));
    tell(fmt::format("A vault is made (mhp init). Its 24 words are on paper: {} ...", made_words()));
    for (unsigned number = 1; number <= homes(); ++number) {
      HomeAddArgs add{.path = stage_.home(number),
                      .name = fmt::format("drive-{:02}", number),
                      .max_used = "",
                      .min_free = "",
                      .same_disk = true,
                      .dry_run = false};
      MHP_CO_TRY(const HomeAdded added, co_await do_home_add(computer, add));
    }
    tell(fmt::format("{} stand for drives in as many houses (mhp home add; folders under {}).",
                     plural(homes(), "folder", "folders"), stage_.folder));
    co_return Result<void>();
  }

  /// The first two words: enough to see, too few to be of use.
  std::string made_words() {
    const auto content = platform::read_file(session_.platform.disk(), stage_.phrase(), 4096);
    if (!content) return "";
    const std::string_view text = as_text(*content);
    return std::string(text.substr(0, text.find(' ', text.find(' ') + 1)));
  }

  Task<Result<void>> save() {
    std::string trees;
    for (const std::string& tree : args_.trees) trees += (trees.empty() ? "" : " and ") + printable(tree);
    step(fmt::format("Saving {} (mhp backup)", trees));
    Session computer = at(stage_.state());
    for (int round = 0; round < 2; ++round) {
      BackupArgs args;
      args.options.scan.paths = args_.trees;
      snapshot::Counters counters;
      const auto start = session_.platform.clock().steady();
      ProgressLine progress(session_, TransferLine(session_.platform.clock(), counters, "   saving"));
      auto done = co_await do_backup(computer, args, counters);
      co_await progress.stop();
      if (!done) co_return pass(done);
      tell_saved(*done, seconds_since(start), round == 0);
      margin_ = static_cast<unsigned>(std::max(done->after.margin, 0));
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
    tell(fmt::format("{} new content, {} after compression, sealed, cut into {}, {} on the drives in all.",
                     format_bytes(totals.new_bytes), format_bytes(totals.packed_bytes),
                     plural(totals.segments, "segment", "segments"), format_bytes(totals.stored_bytes)));
    if (!done.report.errors.empty())
      tell(fmt::format("{} could not be read and were named.", plural(done.report.errors.size(), "file", "files")));
  }

  Task<Result<void>> picture(std::string title, std::string state) {
    Session computer = at(state);
    OpenOptions without_index;
    without_index.read_index = false;
    MHP_CO_TRY(const Opened opened, co_await open_vault(computer, without_index));
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
    session_.out.say("\n   " + title);
    for (std::size_t i = 0; i < members.size(); ++i) {
      std::string line;
      for (const SegmentId& column : columns) {
        const auto at = std::ranges::find(held[i], column, &home::HeldSegment::segment);
        const std::size_t rows = at == held[i].end() ? 0 : at->rows.size();
        for (std::size_t mark = 0; mark < 3; ++mark)
          line += !members[i].home ? "\u00b7" : mark < std::min<std::size_t>(rows, 3) ? "\u25a0" : " ";
        line += ' ';
      }
      session_.out.say(fmt::format("   {:<10} {}{}", members[i].name, line, members[i].home ? "" : " lost"));
    }
  }

  Result<void> destroy() {
    step(fmt::format("A catastrophe: {} and the computer are gone", plural(margin_lost(), "drive", "drives")));
    platform::Disk& disk = session_.platform.disk();
    for (unsigned number = 1; number <= margin_lost(); ++number) {
      MHP_TRY_VOID(remove_tree(disk, stage_, stage_.home(number)));
    }
    MHP_TRY_VOID(remove_tree(disk, stage_, stage_.folder + "/computer"));
    tell(fmt::format(
        "Deleted: drive-01 to drive-{:02}, and every key, index and setting of the computer. Left: the paper and {}.",
        margin_lost(), plural(homes() - margin_lost(), "drive", "drives")));
    return {};
  }

  /// Four of ten, as promised on the label; fewer where the plan allows fewer.
  unsigned margin_lost() const { return std::min(margin_, 4u); }

  Task<Result<void>> recover() {
    step("A new computer, the 24 words, any one drive (mhp recover)");
    MHP_CO_TRY(const Bytes phrase, platform::read_file(session_.platform.disk(), stage_.phrase(), 4096));
    Session computer = at(stage_.new_state());
    RecoverArgs args{.phrase = std::string(as_text(phrase)),
                     .homes = {stage_.home(homes())},
                     .keep_devices = false,
                     .dry_run = false};
    const auto start = session_.platform.clock().steady();
    MHP_CO_TRY(const RecoverDone done, co_await do_recover(computer, args));
    tell(fmt::format("{} found in {}; {} of {} homes answer.", plural(done.snapshots, "snapshot", "snapshots"),
                     format_seconds(seconds_since(start)), done.homes_reachable, done.homes));
    co_return Result<void>();
  }

  Task<Result<void>> bring_back() {
    step("Bringing everything back (mhp restore)");
    Session computer = at(stage_.new_state());
    snapshot::Counters counters;
    const auto start = session_.platform.clock().steady();
    ProgressLine progress(session_, TransferLine(session_.platform.clock(), counters, "   bringing back"));
    auto report = co_await do_restore(
        computer, {.snapshot = "latest", .path = "", .to = stage_.back(), .dry_run = false}, counters);
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
    for (const std::string& tree : args_.trees) {
      MHP_TRY(const TreeComparison found, compare_trees(session_.platform.trees(), tree, stage_.back() + tree));
      for (const std::string& difference : found.differences) session_.out.note("   differs: " + printable(difference));
      if (!found.differences.empty()) return fail(Errc::corrupt, "what came back is not what was saved");
      tell(fmt::format("{}: {}, {}: the same names, bytes, modes, owners, times, links and attributes.",
                       printable(tree), plural(found.entries, "entry", "entries"), format_bytes(found.bytes)));
    }
    return {};
  }

  Task<Result<void>> mend() {
    step("Making it as safe as before on the drives that are left (mhp repair)");
    Session computer = at(stage_.new_state());
    const vault::Progress silent = [](const vault::CheckProgress&) {};
    const auto start = session_.platform.clock().steady();
    MHP_CO_TRY(const vault::RepairReport report, co_await do_repair(computer, false, false, silent));
    tell(fmt::format("{} made again ({}) in {}: on {}, any {} may be lost; before: {}.",
                     plural(report.rows_made, "fragment", "fragments"), format_bytes(report.bytes_stored),
                     format_seconds(seconds_since(start)), plural(report.homes, "home", "homes"),
                     std::max(report.margin, 0), std::max(report.margin_before, 0)));
    co_return Result<void>();
  }

  Result<void> tidy_up() {
    if (args_.keep) {
      session_.out.say(fmt::format("\nAll of it is kept in {}. Look around: MHP_HOME={} mhp status", stage_.folder,
                                   stage_.new_state()));
      return {};
    }
    platform::Disk& disk = session_.platform.disk();
    MHP_TRY_VOID(remove_tree(disk, stage_, stage_.folder + "/drives"));
    MHP_TRY_VOID(remove_tree(disk, stage_, stage_.folder + "/new-computer"));
    MHP_TRY_VOID(remove_tree(disk, stage_, stage_.back()));
    MHP_TRY_VOID(disk.remove(stage_.phrase()));
    MHP_TRY_VOID(disk.remove(stage_.folder + kDemoMark));
    return disk.remove(stage_.folder);
  }

  Session& session_;
  DemoArgs args_;
  Stage stage_;
  int step_ = 0;
  unsigned margin_ = 0;
};

Task<int> run_demo(Session& session, DemoArgs args) {
  if (args.trees.empty()) args.trees = {"/usr/include", "/usr/share"};
  Demo demo(session, args);
  const auto start = session.platform.clock().steady();
  const auto done = co_await demo.run();
  if (!done) co_return session.out.fail(done.error(), "What the demo made is left as it is, to look at.", kFailed);
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
      program.add("demo", "Show the main job on real files: save, lose drives and computer, bring back, compare",
                  "Example:\n  mhp demo --tree ~/Documents --keep");
  command.takes("--tree", args->trees, "What to save (default: /usr/include and /usr/share)");
  command.takes("--folder", args->folder, "Where to play");
  command.takes("--homes", args->homes, 3, kMaxDemoHomes, "How many drives");
  command.takes("--level", args->level, "thrifty, normal or strong");
  command.flag("--keep", args->keep, "Leave everything there afterwards");
  command.runs([args](Session& session) { return run_demo(session, *args); });
}

}  // namespace mhp::app
