// `mhp lab N`: a real cloud of N computers on this one, to try things on, with troubles to choose from.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>

#include "app/commands/commands.h"
#include "app/lab_cloud.h"
#include "app/text.h"
#include "app/trouble.h"
#include "cloud/computer.h"

namespace mhp::app {

namespace {

constexpr int kMaxLab = 36;
constexpr std::uint64_t kMaxOrderBytes = 64;
constexpr std::chrono::milliseconds kShortly{100};

struct LabArgs {
  int computers = 6;
  std::string folder;
  std::string lend = "1G";
};

/// What the lab leaves in its folder for those who make troubles, once it is ready: how many computers there are.
std::string mark_of(const std::string& folder) { return folder + "/mhp-lab"; }
/// Held by the lab while it runs.
std::string lock_of(const std::string& folder) { return folder + "/mhp-lab.lock"; }
std::string order_of(const std::string& folder, int number) { return fmt::format("{}/{}/order", folder, number); }
std::string trouble_of(const std::string& folder, int number) { return fmt::format("{}/{}/trouble", folder, number); }

std::string usual_folder(platform::Disk& disk, const std::string& told) {
  const char* scratch = std::getenv("MHP_TMP");
  if (scratch == nullptr || *scratch == '\0') scratch = std::getenv("TMPDIR");
  const std::string base = scratch == nullptr || *scratch == '\0' ? "/tmp" : scratch;
  const std::string path = told.empty() ? base + "/mhp-lab" : told;
  return disk.absolute(path).value_or(path);
}

class Lab {
 public:
  Lab(Session& session, LabArgs args, std::string folder)
      : session_(session), args_(std::move(args)), folder_(std::move(folder)), cloud_(session, folder_, args_.lend) {}

  Task<Result<void>> run() {
    MHP_CO_TRY_VOID(prepare());
    for (int number = 1; number <= args_.computers; ++number) {
      MHP_CO_TRY_VOID(co_await cloud_.add(number));
      tell(fmt::format("  {}: up, in the cloud, lends {}", LabCloud::name(number), args_.lend));
    }
    MHP_CO_TRY_VOID(co_await cloud_.settle());
    MHP_CO_TRY_VOID(
        platform::replace_file(session_.platform.disk(), mark_of(folder_), as_bytes(std::to_string(args_.computers))));
    tell_what_to_try();
    platform::Nursery watching(session_.platform.executor());
    watching.start(obey());
    co_await platform::until_canceled(session_.platform.executor());
    watching.cancel();
    co_await watching.join();
    tell("\nThe lab ends; its files stay in " + folder_ + ".");
    co_await cloud_.stop_all();
    co_return Result<void>();
  }

 private:
  void tell(const std::string& sentence) {
    session_.out.say(sentence);
    (void)session_.out.flush();
  }

  /// A lab that was there before is not used again: its files could be somebody's.
  Result<void> prepare() {
    platform::Disk& disk = session_.platform.disk();
    if (disk.info(folder_)) return fail(Errc::busy, Subject::target, folder_ + ": exists already");
    MHP_TRY_VOID(disk.make_folder(folder_));
    MHP_TRY(running_, disk.lock(lock_of(folder_), "mhp lab"));
    return {};
  }

  void tell_what_to_try() {
    const std::string one = "mhp --state " + cloud_.state(1);
    const std::string lab = "mhp lab" + (args_.folder.empty() ? "" : " --folder " + folder_);
    tell(
        fmt::format("\nA cloud of {} computers runs here. In another terminal, try:\n"
                    "  {} backup /usr/include\n  {} status\n  {} homes\n"
                    "  {} kill 3        also: start 3, slow 2, lie 5, hang 4, partition 1,2,3, mend\n"
                    "  {} restore latest --to /tmp/back\n"
                    "Ctrl-C ends it.",
                    args_.computers, one, one, one, lab, one));
    session_.out.result({{"folder", json_text(folder_)}, {"computers", args_.computers}});
    (void)session_.out.flush();
  }

  /// What `mhp lab kill 3` and the like leave in files, which are taken away when it is done.
  Task<> obey() {
    for (;;) {
      co_await session_.platform.clock().sleep(kShortly);
      for (int number = 1; number <= args_.computers; ++number) {
        const auto order = platform::read_file(session_.platform.disk(), order_of(folder_, number), kMaxOrderBytes);
        if (order) co_await do_order(number, std::string(as_text(*order)));
      }
    }
  }

  Task<> do_order(int number, std::string what) {
    if (what == "kill") co_await cloud_.kill(number);
    if (what == "start") {
      const auto started = co_await cloud_.start(number);
      if (!started) session_.out.note(printable(started.error().detail));
    }
    (void)session_.platform.disk().remove(order_of(folder_, number));
    tell(fmt::format("  {}: {}", LabCloud::name(number), what == "kill" ? "killed" : "started"));
  }

  Session& session_;
  const LabArgs args_;
  const std::string folder_;
  LabCloud cloud_;
  std::unique_ptr<platform::FileLock> running_;
};

Task<int> run_lab(Session& session, LabArgs args) {
  Lab lab(session, args, usual_folder(session.platform.disk(), args.folder));
  const auto done = co_await lab.run();
  if (done) co_return kDone;
  const bool was_there = done.error().subject == Subject::target;
  co_return session.out.fail(done.error(), was_there ? "Delete it if it is an old lab's, or name another with --folder."
                                                     : "The computers' logs are in the lab's folder.");
}

// ---- troubles ----

struct TroubleArgs {
  std::string folder;
  std::vector<std::string> numbers;
  std::string milliseconds = "500";
};

/// Errors, of the target: not_found (no lab, or none any more), unavailable (it is not ready yet).
Result<void> check_runs(platform::Disk& disk, const std::string& folder) {
  if (!disk.info(lock_of(folder)))
    return fail(Errc::not_found, Subject::target, folder + ": no lab is here ('mhp lab 6' makes one)");
  if (disk.lock(lock_of(folder), "mhp lab, looked for"))
    return fail(Errc::not_found, Subject::target,
                folder + ": the lab that was here has ended; delete the folder, then 'mhp lab 6' makes another");
  if (disk.info(mark_of(folder))) return {};
  return fail(Errc::unavailable, Subject::target,
              folder + ": the lab is not ready yet; it says when its computers are all up");
}

/// The computers that are meant, where a lab is there.
Result<std::vector<int>> chosen(platform::Disk& disk, const std::string& folder,
                                const std::vector<std::string>& texts) {
  MHP_TRY_VOID(check_runs(disk, folder));
  MHP_TRY(const Bytes mark, platform::read_file(disk, mark_of(folder), 64));
  const int most = std::atoi(std::string(as_text(mark)).c_str());
  std::vector<int> out;
  for (const std::string& text : texts) {
    std::size_t begin = 0;
    while (begin <= text.size()) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      int number = 0;
      const auto [last, error] = std::from_chars(text.data() + begin, text.data() + end, number);
      if (error != std::errc() || last != text.data() + end || number < 1 || number > most)
        return fail(Errc::usage,
                    fmt::format("'{}' is no computer of this lab: they are 1 to {}", printable(text), most));
      out.push_back(number);
      begin = end + 1;
    }
  }
  for (int number = 1; texts.empty() && number <= most; ++number) out.push_back(number);
  return out;
}

/// Left in a file, and gone when the lab has done it.
Task<Result<void>> give_order(Session& session, std::string path, std::string what) {
  platform::Disk& disk = session.platform.disk();
  MHP_CO_TRY_VOID(platform::replace_file(disk, path, as_bytes(what)));
  constexpr int kPatience = 400;
  for (int look = 0; look < kPatience; ++look) {
    if (!disk.info(path)) co_return Result<void>();
    co_await session.platform.clock().sleep(kShortly);
  }
  (void)disk.remove(path);
  co_return fail(Errc::timed_out, Subject::target, "no lab takes orders: is 'mhp lab' still running?");
}

Result<std::string> home_id_of(platform::Disk& disk, const std::string& folder, int number);

/// Those that are named hear and answer each other only, and so do the rest.
Result<void> cut_in_two(platform::Disk& disk, const std::string& folder, const std::vector<int>& one_part) {
  MHP_TRY(const std::vector<int> all, chosen(disk, folder, {}));
  for (const int number : all) {
    Trouble trouble;
    for (const int other : all) {
      const bool apart = (std::ranges::find(one_part, number) == one_part.end()) !=
                         (std::ranges::find(one_part, other) == one_part.end());
      if (!apart) continue;
      MHP_TRY(const std::string id, home_id_of(disk, folder, other));
      trouble.cut_off.insert(id);
    }
    MHP_TRY_VOID(platform::replace_file(disk, trouble_of(folder, number), as_bytes(to_text(trouble))));
  }
  return {};
}

Result<std::string> home_id_of(platform::Disk& disk, const std::string& folder, int number) {
  MHP_TRY(const auto seed, cloud::known_computer_seed(disk, fmt::format("{}/{}/state", folder, number)));
  return cloud::computer_id(seed).hex();
}

Task<Result<std::vector<int>>> do_trouble(Session& session, std::string kind, TroubleArgs args) {
  platform::Disk& disk = session.platform.disk();
  const std::string folder = usual_folder(disk, args.folder);
  MHP_CO_TRY(const std::vector<int> numbers, chosen(disk, folder, args.numbers));
  if (kind == "partition") {
    MHP_CO_TRY_VOID(cut_in_two(disk, folder, numbers));
    co_return numbers;
  }
  for (const int number : numbers) {
    if (kind == "kill" || kind == "start") {
      MHP_CO_TRY_VOID(co_await give_order(session, order_of(folder, number), kind));
      continue;
    }
    MHP_CO_TRY(const Trouble trouble, parse_trouble(kind == "slow"   ? "slow=" + args.milliseconds
                                                    : kind == "lie"  ? "lies"
                                                    : kind == "hang" ? "hangs"
                                                                     : ""));
    MHP_CO_TRY_VOID(platform::replace_file(disk, trouble_of(folder, number), as_bytes(to_text(trouble))));
  }
  co_return numbers;
}

Task<int> run_trouble(Session& session, std::string kind, TroubleArgs args) {
  const auto done = co_await do_trouble(session, kind, args);
  if (!done) co_return session.out.fail(done.error());
  session.out.result({{"trouble", kind}, {"computers", *done}});
  session.out.say(fmt::format("{}: computer{} {}.", kind, done->size() == 1 ? "" : "s", fmt::join(*done, ", ")));
  co_return kDone;
}

void add_trouble(Command& lab, const std::string& kind, const std::string& what, bool all_where_none,
                 const std::shared_ptr<LabArgs>& of) {
  auto args = std::make_shared<TroubleArgs>();
  Command command = lab.add(kind, what, fmt::format("Example:\n  mhp lab {} 3", kind));
  if (all_where_none) {
    command.takes("computer", args->numbers, "Numbers; without one: all");
  } else {
    command.needs("computer", args->numbers, "Numbers");
  }
  if (kind == "slow") command.takes("--ms", args->milliseconds, "Milliseconds before each answer");
  command.runs([args, kind, of](Session& session) {
    args->folder = of->folder;
    return run_trouble(session, kind, *args);
  });
}

}  // namespace

void add_lab(Command& program) {
  auto args = std::make_shared<LabArgs>();
  Command lab = program.add("lab", "A cloud of real computers on this one, to try things on",
                            "Examples:\n  mhp lab 6                 (runs until Ctrl-C)\n  mhp lab kill 3\n"
                            "  mhp lab partition 1,2,3   (those three hear only each other)\n  mhp lab mend");
  lab.takes("computers", args->computers, 1, kMaxLab, "How many computers");
  lab.takes("--folder", args->folder, "Where its files lie (default: mhp-lab in the folder for scratch files)");
  lab.takes("--lend", args->lend, "What each computer lends");
  add_trouble(lab, "kill", "Kill a computer's 'mhp up'", false, args);
  add_trouble(lab, "start", "Start it again", false, args);
  add_trouble(lab, "slow", "Make it slow to answer", false, args);
  add_trouble(lab, "hang", "Let it take requests and never answer", false, args);
  add_trouble(lab, "lie", "Let it give wrong bytes", false, args);
  add_trouble(lab, "partition", "Cut the named computers off from all others", false, args);
  add_trouble(lab, "mend", "End such troubles", true, args);
  lab.runs_alone_too([args](Session& session) { return run_lab(session, *args); });
}

}  // namespace mhp::app
